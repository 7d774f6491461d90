// Relations and their logic: `compare_dtype(Map<2>)`, output bool.
//
// One kernel for all nine: `extra[0]` is the table of answers, bit 0 for a < b, 1 for a = b, 2 for
// a > b, 3 for NaN. With bit 8 the operands are truth values, and bit 0 is the answer for two
// falsehoods, bit 1 for a alone, bit 2 for b alone, bit 3 for both.
#include "include/walk.cuh"

typedef DTYPE T;
typedef compute<T> F;

KERNEL(THREADS) NAME(compare)(const Map<2> p) {
    const u32 table = (u32)p.extra[0];
    if (table & 256)
        map<T, u8>(p, [=](F a, F b) -> u8 { return table >> ((u32)(a != 0) + 2 * (u32)(b != 0)) & 1; });
    else
        map<T, u8>(p, [=](F a, F b) -> u8 {
            u32 which = a < b ? 0 : a == b ? 1 : a > b ? 2 : 3;
            return table >> which & 1;
        });
}
