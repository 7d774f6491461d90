// What only the data shows to be wrong (an index out of range, a division by zero), for the host to report.
//
// A launch has a cell of 8 bytes, all ones before it. Of several wrong elements the first in its view stays,
// whatever block runs first: the cell's high half is the element's offset in the view it was read from, in
// elements, the low half its value; both saturate.
#pragma once
#include "core.cuh"

DEVICE void raise(u64* fault, i64 at, i64 value) {
    const u64 most = 0xfffffffe;
    u64 place = at < 0 || (u64)at > most ? most : (u64)at;
    i64 v = value < -0x80000000ll ? -0x80000000ll : value > 0x7fffffffll ? 0x7fffffffll : value;
    __atomic_fetch_min((__attribute__((address_space(1))) u64*)fault, place << 32 | (u32)v, __ATOMIC_RELAXED);
}
