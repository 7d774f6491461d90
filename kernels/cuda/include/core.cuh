// What CUDA's own headers would give: keywords, indices, barriers, shuffles, 16-bit floats, vector
// memory access. Written for clang's NVPTX back end; no file of NVIDIA's is used.
//
// Compiled for the host (tests/math.cpp), only the keywords and the arithmetic remain.
#pragma once

typedef signed char i8;
typedef short i16;
typedef int i32;
typedef long long i64;
typedef unsigned char u8;
typedef unsigned short u16;
typedef unsigned int u32;
typedef unsigned long long u64;
typedef float f32;
typedef double f64;

#ifdef __CUDA__
#define KERNEL(threads) extern "C" __attribute__((global)) __attribute__((launch_bounds(threads))) void
// With registers left for so many blocks on a multiprocessor.
#define KERNEL_OF(threads, blocks) extern "C" __attribute__((global)) __attribute__((launch_bounds(threads, blocks))) void
#define DEVICE static __inline__ __attribute__((device, always_inline))
// For specialisations, which have the storage class of their template.
#define SPECIAL __inline__ __attribute__((device, always_inline))
#define METHOD __inline__ __attribute__((device, always_inline))
#define SHARED __attribute__((shared)) __attribute__((aligned(16)))
#define CONSTANT static __attribute__((constant))
#else
#define DEVICE static inline
#define METHOD inline
#define CONSTANT static const
#endif

#define JOIN2(a, b) a##_##b
#define JOIN(a, b) JOIN2(a, b)
// The name of a kernel for the dtype that the module is compiled for: NAME(add) is add_f32.
#define NAME(op) JOIN(op, DTYPE)

template <class A, class B> struct same_t { static constexpr bool value = false; };
template <class A> struct same_t<A, A> { static constexpr bool value = true; };
template <class A, class B> constexpr bool same = same_t<A, B>::value;
template <bool C, class A, class B> struct choose_t { typedef A type; };
template <class A, class B> struct choose_t<false, A, B> { typedef B type; };
template <bool C, class A, class B> using choose = typename choose_t<C, A, B>::type;

// ---- 16-bit floats: stored as bits, computed in f32 ----

struct f16 { u16 bits; };
struct bf16 { u16 bits; };

template <class T> constexpr bool is_float = same<T, f16> || same<T, bf16> || same<T, f32> || same<T, f64>;

// What sums and functions of a dtype are computed in.
template <class T> using compute = choose<same<T, f16> || same<T, bf16>, f32, T>;
// What integers are summed in.
template <class T> using total = choose<is_float<T>, compute<T>, i64>;

DEVICE u32 bits_of(f32 x) { return __builtin_bit_cast(u32, x); }
DEVICE u64 bits_of(f64 x) { return __builtin_bit_cast(u64, x); }
DEVICE f32 float_of(u32 x) { return __builtin_bit_cast(f32, x); }
DEVICE f64 float_of(u64 x) { return __builtin_bit_cast(f64, x); }

#ifdef __CUDA__
template <class T> DEVICE compute<T> widen(T x) { return x; }
template <> SPECIAL f32 widen(f16 x) { return __builtin_bit_cast(_Float16, x.bits); }
template <> SPECIAL f32 widen(bf16 x) { return float_of((u32)x.bits << 16); }

// To the storage type, to nearest even.
template <class T> DEVICE T narrow(compute<T> x) { return x; }
template <> SPECIAL f16 narrow<f16>(f32 x) {
    return {__builtin_bit_cast(u16, (_Float16)x)};
}
template <> SPECIAL bf16 narrow<bf16>(f32 x) {
    u32 bits = bits_of(x);
    u32 near = (bits + 0x7fff + (bits >> 16 & 1)) >> 16;
    bf16 y;
    y.bits = (u16)(x != x ? bits >> 16 | 0x40 : near);
    return y;
}

// ---- where this thread is ----

DEVICE u32 thread_x() { return __nvvm_read_ptx_sreg_tid_x(); }
DEVICE u32 block_x() { return __nvvm_read_ptx_sreg_ctaid_x(); }
// The same, read anew: what is computed from it need not be kept in registers until then.
DEVICE u32 block_x_again() {
    u32 x;
    asm volatile("mov.u32 %0, %%ctaid.x;" : "=r"(x));
    return x;
}
DEVICE u32 block_y() { return __nvvm_read_ptx_sreg_ctaid_y(); }
DEVICE u32 block_z() { return __nvvm_read_ptx_sreg_ctaid_z(); }
DEVICE u32 threads() { return __nvvm_read_ptx_sreg_ntid_x(); }
DEVICE u32 blocks() { return __nvvm_read_ptx_sreg_nctaid_x(); }
DEVICE u32 lane_id() { return thread_x() & 31; }
DEVICE u32 warp_id() { return thread_x() >> 5; }

// ---- threads together ----

DEVICE void barrier() { __syncthreads(); }
DEVICE void warp_barrier() { __nvvm_bar_warp_sync(0xffffffffu); }

// The value of the lane whose number differs by `mask`; all 32 lanes take part.
DEVICE f32 shuffle_xor(f32 x, u32 mask) { return __nvvm_shfl_sync_bfly_f32(0xffffffffu, x, mask, 31); }
DEVICE i32 shuffle_xor(i32 x, u32 mask) { return __nvvm_shfl_sync_bfly_i32(0xffffffffu, x, mask, 31); }
DEVICE i64 shuffle_xor(i64 x, u32 mask) {
    i32 low = shuffle_xor((i32)x, mask), high = shuffle_xor((i32)(x >> 32), mask);
    return (i64)high << 32 | (u32)low;
}
DEVICE f64 shuffle_xor(f64 x, u32 mask) {
    return __builtin_bit_cast(f64, shuffle_xor(__builtin_bit_cast(i64, x), mask));
}
// The value of the lane `by` below; lanes below `by` keep their own.
DEVICE f32 shuffle_up(f32 x, u32 by) { return __nvvm_shfl_sync_up_f32(0xffffffffu, x, by, 0); }
DEVICE i32 shuffle_up(i32 x, u32 by) { return __nvvm_shfl_sync_up_i32(0xffffffffu, x, by, 0); }
DEVICE i64 shuffle_up(i64 x, u32 by) {
    i32 low = shuffle_up((i32)x, by), high = shuffle_up((i32)(x >> 32), by);
    return (i64)high << 32 | (u32)low;
}
DEVICE f64 shuffle_up(f64 x, u32 by) {
    return __builtin_bit_cast(f64, shuffle_up(__builtin_bit_cast(i64, x), by));
}

// ---- vectors: N elements that are loaded and stored at once ----

template <class T, int N> struct __attribute__((aligned(sizeof(T) * N))) Vec { T at[N]; };

// Elements of one vector access: 16 bytes of 4- and 8-byte types, 4 elements of smaller ones.
template <class T> constexpr int VECTOR = sizeof(T) == 8 ? 2 : 4;

template <class T, int N> DEVICE Vec<T, N> load_vector(const T* p) { return *(const Vec<T, N>*)p; }
template <class T, int N> DEVICE void store_vector(T* p, Vec<T, N> v) { *(Vec<T, N>*)p = v; }

DEVICE i64 min64(i64 a, i64 b) { return a < b ? a : b; }
DEVICE u32 min32(u32 a, u32 b) { return a < b ? a : b; }
#endif
