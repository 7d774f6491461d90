// Ordinary kernels for measuring the emulator (see speed.rs). Made into kernels.ptx by
// clang-19 -x cuda --cuda-device-only -nocudainc -nocudalib --cuda-gpu-arch=sm_75 \
//   -Xclang -target-feature -Xclang +ptx70 -O3 -S -std=c++17 kernels.cu -o kernels.ptx
#define KERNEL extern "C" __attribute__((global))
#define SHARED __attribute__((shared, aligned(16)))
typedef unsigned int u32;
static __attribute__((device)) inline u32 tx() { return __nvvm_read_ptx_sreg_tid_x(); }
static __attribute__((device)) inline u32 bx() { return __nvvm_read_ptx_sreg_ctaid_x(); }
static __attribute__((device)) inline u32 by() { return __nvvm_read_ptx_sreg_ctaid_y(); }

KERNEL void add(const float *a, const float *b, float *c, u32 n) {
    u32 i = bx() * 256 + tx();
    if (i < n) c[i] = a[i] + b[i];
}

// A polynomial of degree 15 and a square root: arithmetic only.
KERNEL void polynomial(const float *a, float *c, u32 n) {
    u32 i = bx() * 256 + tx();
    if (i >= n) return;
    float x = a[i], y = 0.5f;
#pragma unroll
    for (int k = 0; k < 15; k++) y = y * x + 0.1f * k;
    c[i] = __builtin_sqrtf(y * y + 1.0f);
}

// One block a row of 1024: sum by shuffles and shared memory, then scale.
KERNEL void normalise(const float *a, float *c) {
    SHARED float part[8];
    const float *row = a + bx() * 1024;
    float v[4], s = 0;
#pragma unroll
    for (int k = 0; k < 4; k++) { v[k] = row[k * 256 + tx()]; s += v[k]; }
#pragma unroll
    for (int o = 16; o; o >>= 1) s += __nvvm_shfl_sync_bfly_f32(0xffffffff, s, o, 31);
    if (tx() % 32 == 0) part[tx() / 32] = s;
    __nvvm_bar_sync(0);
    s = 0;
#pragma unroll
    for (int k = 0; k < 8; k++) s += part[k];
    float scale = 1.0f / s;
#pragma unroll
    for (int k = 0; k < 4; k++) c[bx() * 1024 + k * 256 + tx()] = v[k] * scale;
}

// C = A·B, n a multiple of 64; 256 threads compute a tile of 64 by 64, 4 by 4 each.
KERNEL void gemm(const float *a, const float *b, float *c, u32 n) {
    SHARED float as[16][64], bs[16][64];
    u32 t = tx(), r = t / 16 * 4, q = t % 16 * 4;
    float acc[4][4] = {};
    for (u32 k0 = 0; k0 < n; k0 += 16) {
#pragma unroll
        for (u32 i = 0; i < 4; i++) {
            u32 e = t + i * 256;
            as[e % 16][e / 16] = a[(by() * 64 + e / 16) * n + k0 + e % 16];
            bs[e / 64][e % 64] = b[(k0 + e / 64) * n + bx() * 64 + e % 64];
        }
        __nvvm_bar_sync(0);
#pragma unroll
        for (u32 k = 0; k < 16; k++)
#pragma unroll
            for (u32 i = 0; i < 4; i++)
#pragma unroll
                for (u32 j = 0; j < 4; j++) acc[i][j] += as[k][r + i] * bs[k][q + j];
        __nvvm_bar_sync(0);
    }
#pragma unroll
    for (u32 i = 0; i < 4; i++)
#pragma unroll
        for (u32 j = 0; j < 4; j++) c[(by() * 64 + r + i) * n + bx() * 64 + q + j] = acc[i][j];
}
