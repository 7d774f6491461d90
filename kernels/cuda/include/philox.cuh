// Philox 4×32-10: four random words of a counter and a key.
#pragma once
#include "core.cuh"

struct Draw { u32 at[4]; };

DEVICE Draw philox(u64 seed, u64 low, u64 high) {
    u32 k0 = (u32)seed, k1 = (u32)(seed >> 32);
    Draw c = {{(u32)low, (u32)(low >> 32), (u32)high, (u32)(high >> 32)}};
#pragma unroll
    for (int round = 0; round < 10; round++) {
        u64 p0 = (u64)c.at[0] * 0xd2511f53u, p1 = (u64)c.at[2] * 0xcd9e8d57u;
        c = {{(u32)(p1 >> 32) ^ c.at[1] ^ k0, (u32)p1, (u32)(p0 >> 32) ^ c.at[3] ^ k1, (u32)p0}};
        k0 += 0x9e3779b9u;
        k1 += 0xbb67ae85u;
    }
    return c;
}
