// Kernels with one mistake each, and their twins without it. `wrong.rs` runs every pair: NAME_wrong must be
// reported in check mode, at a line marked `// BUG` in this file, and NAME_right never, in any order of warps and blocks.
// Above each pair: the kind of report, blocks, threads, dynamic shared bytes, words of `out` (which is as long as n), and what
// the report says.
//
// Made into wrong.ptx by make.sh.
#define KERNEL extern "C" __attribute__((global))
#define SHARED __attribute__((shared))
#define CONSTANT __attribute__((constant))
#define DEVICE static __attribute__((device)) inline
#define ALL 0xffffffffu
// A mistake is what the first of the two has; it stands in its own line.
#ifdef WRONG
#define NAME(n) n##_wrong
#define IF(wrong, right) wrong
#else
#define NAME(n) n##_right
#define IF(wrong, right) right
#endif
typedef unsigned int u32;
DEVICE u32 tx() { return __nvvm_read_ptx_sreg_tid_x(); }
DEVICE u32 bx() { return __nvvm_read_ptx_sreg_ctaid_x(); }
DEVICE u32 nx() { return __nvvm_read_ptx_sreg_ntid_x(); }
DEVICE u32 gx() { return __nvvm_read_ptx_sreg_nctaid_x(); }
#define barrier() __nvvm_bar_sync(0)
#define down(mask, v, by) __nvvm_shfl_sync_down_i32(mask, v, by, 31)

//= race|uninitialised 1 128 0 128 shared memory
KERNEL void NAME(no_barrier_before_read)(const int *in, int *out, int n) {
    SHARED int s[128];
    s[tx()] = in[tx()];
    IF(, barrier());
    out[tx()] = s[tx() ^ 64]; // BUG
}

//= race 1 128 0 128 unordered
KERNEL void NAME(no_barrier_in_reduction)(const int *in, int *out, int n) {
    SHARED int s[128];
    s[tx()] = in[tx()];
    barrier();
    for (u32 k = 64; k; k >>= 1) {
        if (tx() < k) s[tx()] += s[tx() + k]; // BUG
        IF(, barrier());
    }
    barrier();
    out[tx()] = s[0];
}

//= race 1 64 0 64 unordered
KERNEL void NAME(no_barrier_before_reuse)(const int *in, int *out, int n) {
    SHARED int s[64];
    int sum = 0;
    for (int r = 0; r < 3; r++) {
        s[tx()] = in[tx()] + r; // BUG
        barrier();
        sum += s[63 - tx()]; // BUG
        IF(, barrier());
    }
    out[tx()] = sum;
}

//= race 1 64 0 64 unordered
KERNEL void NAME(scan_in_place)(const int *in, int *out, int n) {
    SHARED int s[64];
    s[tx()] = in[tx()];
    barrier();
    for (u32 d = 1; d < 64; d *= 2) {
        int v = tx() >= d ? s[tx() - d] : 0; // BUG
        IF(, barrier());
        s[tx()] += v; // BUG
        barrier();
    }
    out[tx()] = s[tx()];
}

//= race 1 32 0 64 unordered
KERNEL void NAME(warp_synchronous)(const int *in, int *out, int n) {
    SHARED volatile int s[32];
    s[tx()] = in[tx()];
    IF(, __nvvm_bar_warp_sync(ALL));
    out[tx()] = s[tx() ^ 1]; // BUG
}

//= race|uninitialised 1 64 0 64 shared memory
KERNEL void NAME(warp_barrier_is_no_block_barrier)(const int *in, int *out, int n) {
    SHARED int s[64];
    s[tx()] = in[tx()];
    IF(__nvvm_bar_warp_sync(ALL), barrier());
    out[tx()] = s[63 - tx()]; // BUG
}

//= race 1 64 0 64 unordered
KERNEL void NAME(shared_counter)(const int *in, int *out, int n) {
    SHARED int count;
    if (tx() == 0) count = 0;
    barrier();
    if (in[tx()] > 0) IF(count = count + 1, __nvvm_atom_add_gen_i(&count, 1)); // BUG
    barrier();
    out[tx()] = count;
}

//= race 1 64 0 64 unordered
KERNEL void NAME(atomic_then_read)(const int *in, int *out, int n) {
    SHARED int count;
    if (tx() == 0) count = 0;
    barrier();
    __nvvm_atom_add_gen_i(&count, in[tx()]);
    IF(, barrier());
    out[tx()] = *(volatile int *)&count; // BUG
}

//= race 1 64 0 64 unordered
KERNEL void NAME(initialised_by_one)(const int *in, int *out, int n) {
    SHARED int s;
    if (tx() == 0) s = in[0]; // BUG
    barrier();
    int v = s;
    IF(, barrier());
    if (tx() == 32) s = in[1]; // BUG
    barrier();
    out[tx()] = v + s;
}

//= race 4 32 0 128 unordered
KERNEL void NAME(blocks_add_without_atomics)(const int *in, int *out, int n) {
    if (tx() == 0) IF(out[0] += in[bx()], __nvvm_atom_add_gen_i(out, in[bx()])); // BUG
}

//= race 3 32 0 96 unordered
KERNEL void NAME(blocks_overlap)(const int *in, int *out, int n) {
    out[bx() * IF(31, 32) + tx()] = bx() + 5; // BUG
}

//= race 3 32 0 96 unordered
KERNEL void NAME(blocks_read_neighbours)(const int *in, int *out, int n) {
    u32 i = bx() * 32 + tx();
    int v = i > 0 ? IF(out, in)[i - 1] : 0; // BUG
    out[i] = v + (int)i + 1; // BUG
}

//= race 4 32 0 128 unordered
KERNEL void NAME(last_block_without_fence)(const int *in, int *out, int n) {
    SHARED int last;
    if (tx() == 0) {
        out[1 + bx()] = in[bx()];
        IF(, __nvvm_membar_gl());
        last = __nvvm_atom_add_gen_i(out, 1) == (int)gx() - 1;
    }
    barrier();
    if (last && tx() < gx()) out[8 + tx()] = out[1 + tx()]; // BUG
}

//= race 4 32 0 128 unordered
KERNEL void NAME(last_block_with_a_narrow_fence)(const int *in, int *out, int n) {
    SHARED int last;
    if (tx() == 0) {
        out[1 + bx()] = in[bx()];
        IF(__nvvm_membar_cta(), __nvvm_membar_gl());
        last = __nvvm_atom_add_gen_i(out, 1) == (int)gx() - 1;
    }
    barrier();
    if (last && tx() < gx()) out[8 + tx()] = out[1 + tx()]; // BUG
}

//= race 2 32 0 64 unordered
KERNEL void NAME(flag_without_fence)(const int *in, int *out, int n) {
    if (bx() == 0 && tx() == 0) {
        out[1] = in[0];
        IF(, __nvvm_membar_gl());
        *(volatile int *)out = 1;
    }
    if (bx() == 1 && tx() == 0 && *(volatile int *)out == 1) {
        __nvvm_membar_gl();
        out[2] = out[1]; // BUG
    }
}

//= bounds 3 32 0 70 past the end
KERNEL void NAME(no_guard)(const int *in, int *out, int n) {
    u32 i = bx() * 32 + tx();
    IF(, if (i < (u32)n))
    out[i] = 1; // BUG
}

//= bounds 3 32 0 70 past the end
KERNEL void NAME(guard_off_by_one)(const int *in, int *out, int n) {
    int i = bx() * 32 + tx();
    if (i IF(<=, <) n) out[i] = 1; // BUG
}

//= bounds 1 64 0 64 before
KERNEL void NAME(left_neighbour)(const int *in, int *out, int n) {
    int i = tx();
    out[i] = IF(, i == 0 ? 0 :) in[i - 1]; // BUG
}

//= bounds 1 64 0 64 of Shared memory
KERNEL void NAME(shared_off_by_one)(const int *in, int *out, int n) {
    SHARED int s[64];
    for (u32 i = tx(); i IF(<=, <) 64; i += 64) s[i] = in[0]; // BUG
    barrier();
    out[tx()] = s[tx()];
}

//= bounds 1 64 128 64 of Shared memory
KERNEL void NAME(dynamic_too_small)(const int *in, int *out, int n) {
    extern SHARED int d[];
    if (IF(true, tx() < 32)) d[tx()] = in[tx()]; // BUG
    barrier();
    out[tx()] = d[tx() % 32];
}

//= bounds 1 32 0 64 of Local memory
KERNEL void NAME(local_array_overrun)(const int *in, int *out, int n) {
    int a[4] = {1, 2, 3, 4};
    for (int k = 0; k < in[0] + 3; k++) a[(k * in[tx() % 4]) IF(, &3)] += k; // BUG
    out[tx()] = a[in[1] & 3];
}

//= bounds 1 1 0 64 no allocation
KERNEL void NAME(null_pointer)(const int *in, int *out, int n) {
    const int *p = IF(0, in);
    asm volatile("" : "+l"(p));
    out[0] = p[0]; // BUG
}

//= bounds 1 32 0 32 past the end
KERNEL void NAME(atomic_out_of_bounds)(const int *in, int *out, int n) {
    __nvvm_atom_add_gen_i(&out[n - 32 + IF(1, 0) + tx()], 1); // BUG
}

//= misaligned 1 8 0 64 misaligned write of 8 bytes
KERNEL void NAME(vector_store)(const int *in, int *out, int n) {
    typedef int int2 __attribute__((ext_vector_type(2)));
    *(int2 *)(out + 2 * tx() + IF(1, 2)) = int2{1, 2}; // BUG
}

//= misaligned 1 8 0 64 misaligned read of 16 bytes
KERNEL void NAME(vector_load)(const int *in, int *out, int n) {
    typedef int int4 __attribute__((ext_vector_type(4)));
    int4 v = *(const int4 *)(in + 4 * (tx() % 2) + IF(2, 4)); // BUG
    out[tx()] = v.x + v.y + v.z + v.w; // BUG
}

//= misaligned 1 8 0 64 misaligned
KERNEL void NAME(bytes_as_words)(const int *in, int *out, int n) {
    const char *p = (const char *)in + (tx() * IF(3, 4));
    out[tx()] = *(const int *)p; // BUG
}

//= uninitialised 1 64 0 64 shared memory
KERNEL void NAME(shared_not_zeroed)(const int *in, int *out, int n) {
    SHARED int h[64];
    IF(if (tx() < 32), ) h[tx()] = 0;
    barrier();
    __nvvm_atom_add_gen_i(&h[(in[tx()] & 31) + 32], 1); // BUG
    barrier();
    out[tx()] = h[tx()];
}

//= uninitialised 1 64 0 64 shared memory
KERNEL void NAME(halo_not_loaded)(const int *in, int *out, int n) {
    SHARED int s[66];
    s[tx() + 1] = in[tx()];
    if (tx() == 0) s[0] = 0;
    IF(, if (tx() == 63) s[65] = 0);
    barrier();
    out[tx()] = s[tx()] + s[tx() + 2]; // BUG
}

//= uninitialised 1 32 0 64 global memory
KERNEL void NAME(output_accumulated)(const int *in, int *out, int n) {
    out[tx()] IF(+=, =) in[tx()]; // BUG
}

//= divergence 1 64 0 64 barrier
KERNEL void NAME(barrier_in_branch)(const int *in, int *out, int n) {
    SHARED int s[64];
    s[tx()] = in[tx()];
    if (tx() < 40) {
        IF(barrier(), ); // BUG
        out[tx()] = s[tx()];
    }
    IF(, barrier());
}

//= divergence 1 64 0 64 barrier
KERNEL void NAME(early_return)(const int *in, int *out, int n) {
    SHARED int s[64];
    IF(if (tx() >= 50) return, );
    s[tx()] = in[tx()];
    barrier(); // BUG
    if (tx() < 50) out[tx()] = s[49 - tx()];
}

//= divergence 1 128 0 128 barrier
KERNEL void NAME(two_barriers)(const int *in, int *out, int n) {
    SHARED int s[128];
    s[tx()] = in[tx()];
    if (tx() < 64) {
        out[tx()] = 1;
        IF(barrier(), ); // BUG
    } else {
        out[tx()] = 2;
        IF(barrier(), ); // BUG
    }
    IF(, barrier());
    out[tx()] += s[tx() ^ 1];
}

//= divergence 1 64 0 64 barrier
KERNEL void NAME(barrier_in_a_loop_of_different_length)(const int *in, int *out, int n) {
    SHARED int s[64];
    s[tx()] = 0;
    for (u32 k = 0; k < IF(1 + tx() / 32, 2); k++) {
        s[tx()] += k;
        barrier(); // BUG
    }
    out[tx()] = s[tx()];
}

//= mask 1 32 0 64 bad mask
KERNEL void NAME(mask_without_oneself)(const int *in, int *out, int n) {
    int v = in[tx()];
    out[tx()] = __nvvm_shfl_sync_bfly_i32(IF(0xffff, ALL), v, 1, 31); // BUG
}

//= mask 1 64 0 64 exited
KERNEL void NAME(mask_of_exited)(const int *in, int *out, int n) {
    if (tx() >= 48) return;
    u32 mask = IF(ALL, tx() >= 32 ? 0xffff : ALL);
    int v = in[tx()];
    for (int k = 8; k; k >>= 1) v += __nvvm_shfl_sync_bfly_i32(mask, v, k, 31); // BUG
    out[tx()] = v;
}

//= mask 1 32 0 64 lane
KERNEL void NAME(shuffle_from_inactive)(const int *in, int *out, int n) {
    int v = in[tx()];
    if (tx() < 16) v = __nvvm_shfl_sync_idx_i32(0xffff, v, tx() + IF(16, 8) & 31 & IF(31, 15), 31); // BUG
    out[tx()] = v;
}

//= divergence 1 32 0 64 divergent warp
KERNEL void NAME(warp_wide_in_branches)(const int *in, int *out, int n) {
    int v = in[tx()];
    if (tx() & 1) {
        out[tx()] = 1;
        v = down(IF(ALL, 0xaaaaaaaa), v, 2); // BUG
    } else {
        out[tx()] = 2;
        __nvvm_bar_warp_sync(IF(ALL, 0x55555555)); // BUG
    }
    out[tx()] += v;
}

CONSTANT int table[4] = {1, 2, 3, 4};

//= trap 1 1 0 64 constant
KERNEL void NAME(write_to_constant)(const int *in, int *out, int n) {
    int *p = IF((int *)table, out);
    asm volatile("" : "+l"(p));
    p[0] = 7; // BUG
    out[1] = table[in[0] & 3];
}

//= bounds 2 1 0 64 no allocation
KERNEL void NAME(pointer_to_shared_of_another_block)(const int *in, unsigned long *out, int n) {
    SHARED int s[8];
    // A shared address as a number is an offset, which global memory does not know.
    s[tx()] = 3;
    int __attribute__((address_space(1))) *p = IF((int __attribute__((address_space(1))) *)(unsigned long)(__attribute__((address_space(3))) int *)s, (int __attribute__((address_space(1))) *)in);
    asm volatile("" : "+l"(p));
    out[0] = p[0]; // BUG
}

//= race 2 64 0 128 unordered
KERNEL void NAME(lock_without_fences)(const int *in, int *out, int n) {
    if (tx() % 32 == 0) {
        while (__nvvm_atom_cas_gen_i(out, 0, 1) != 0) {}
        IF(, __nvvm_membar_gl());
        out[1] += in[tx()]; // BUG
        IF(, __nvvm_membar_gl());
        __nvvm_atom_xchg_gen_i(out, 0);
    }
}

//= race 1 64 0 64 unordered
KERNEL void NAME(double_buffer_with_one_buffer)(const int *in, int *out, int n) {
    SHARED int s[2][64];
    int sum = 0;
    s[0][tx()] = in[tx()];
    barrier();
    for (int k = 1; k < 4; k++) {
        s[IF(0, k & 1)][tx()] = in[tx() + k]; // BUG
        sum += s[(k & 1) ^ 1][tx() ^ 32]; // BUG
        barrier();
    }
    out[tx()] = sum;
}

//= race 1 64 0 64 unordered
KERNEL void NAME(block_reads_its_global_results)(const int *in, int *out, int n) {
    out[tx()] = in[tx()]; // BUG
    IF(, barrier());
    int v = out[tx() ^ 32]; // BUG
    barrier();
    out[tx()] = v;
}

//= race 1 64 512 64 unordered
KERNEL void NAME(two_arrays_in_one_place)(const int *in, int *out, int n) {
    extern SHARED int d[];
    int *a = d, *b = d + IF(0, 64);
    a[tx()] = in[tx()]; // BUG
    b[63 - tx()] = (int)tx(); // BUG
    barrier();
    out[tx()] = a[tx()] + b[tx()];
}

//= race 2 64 0 128 unordered
KERNEL void NAME(histogram_without_atomics)(const int *in, int *out, int n) {
    int *bin = &out[in[bx() * 64 + tx()] & 7];
    IF(*bin += 1, __nvvm_atom_add_gen_i(bin, 1)); // BUG
}

//= race 1 32 0 64 unordered
KERNEL void NAME(compaction_by_a_plain_counter)(const int *in, int *out, int n) {
    SHARED int count;
    if (tx() == 0) count = 0;
    __nvvm_bar_warp_sync(ALL);
    if (in[tx()] > 30) {
        int at = IF(count++, __nvvm_atom_add_gen_i(&count, 1)); // BUG
        __nvvm_atom_add_gen_i(&out[at & 31 IF(, & 0)], in[tx()]);
    }
}

//= uninitialised 1 64 0 64 shared memory
KERNEL void NAME(copy_not_waited_for)(const int *in, int *out, int n) {
    SHARED int s[64];
    __nvvm_cp_async_ca_shared_global_4((__attribute__((address_space(3))) void *)&s[tx()], (__attribute__((address_space(1))) const void *)&in[tx()]);
    __nvvm_cp_async_commit_group();
    IF(, __nvvm_cp_async_wait_group(0));
    barrier();
    out[tx()] = s[tx()]; // BUG
}

//= divergence 1 64 0 64 never complete
KERNEL void NAME(named_barrier_of_too_many)(const int *in, int *out, int n) {
    asm volatile("bar.sync 2, %0;" ::"n"(IF(96, 64)) : "memory"); // BUG
    out[tx()] = in[tx()];
}

//= bounds 1 64 0 64 of Shared memory
KERNEL void NAME(tile_transposed)(const int *in, int *out, int n) {
    SHARED int s[4][16];
    u32 x = tx() % 16, y = tx() / 16;
    s[IF(x, y)][IF(y, x)] = in[tx()]; // BUG
    barrier();
    out[tx()] = s[y][15 - x];
}

//= mask 1 32 0 64 bad mask
KERNEL void NAME(vote_of_half)(const int *in, int *out, int n) {
    out[tx()] = (int)__nvvm_vote_ballot_sync(IF(0xfffffff0, ALL), in[tx()] & 1); // BUG
}

//= misaligned 1 32 0 64 misaligned write of 16 bytes
KERNEL void NAME(shared_vector_store)(const int *in, int *out, int n) {
    typedef int int4 __attribute__((ext_vector_type(4)));
    SHARED int4 s[33];
    int *p = (int *)s + IF(1, 4);
    ((int4 *)p)[tx()] = int4{1, 2, 3, 4}; // BUG
    barrier();
    out[tx()] = p[4 * (31 - tx())];
}

//= race 2 64 0 128 unordered
KERNEL void NAME(maximum_of_squares)(const int *in, int *out, int n) {
    int mine = in[bx() * 64 + tx()], old = out[0]; // BUG
    IF(if (old < mine * mine) out[0] = mine * mine, ); // BUG
    IF(, int seen; do { seen = old; old = __nvvm_atom_cas_gen_i(out, seen, seen < mine * mine ? mine * mine : seen); } while (old != seen));
}
