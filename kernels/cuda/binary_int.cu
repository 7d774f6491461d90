// Functions of two integers: `name_dtype(Map<2>)`; those that divide report divisors that are zero
// (fault.cuh; the result is 0 there). Bools use the bitwise
// kernels of u8: add, maximum are "or", mul, minimum "and".
#include "include/fault.cuh"
#include "include/integer.cuh"
#include "include/walk.cuh"

typedef DTYPE T;

#define SHORT(name, ...) \
    KERNEL(THREADS) NAME(name)(const Map<2> p) { \
        map<T, T>(p, [](T a, T b) -> T { return __VA_ARGS__; }); \
    }
#define DIVIDES(name, ...) \
    KERNEL(THREADS) NAME(name)(const Map<2> p, u64* fault) { \
        each_element<VECTOR<T>>(p, [=](Offsets<2> o) { \
            const T a = value_of<T>(p, 0, o.at[1]), b = value_of<T>(p, 1, o.at[2]); \
            if (b == 0) raise(fault, o.at[2], 0); \
            ((T*)p.out)[o.at[0]] = b == 0 ? (T)0 : (T)(__VA_ARGS__); \
        }); \
    }

SHORT(add, plus(a, b))
SHORT(sub, minus(a, b))
SHORT(mul, times(a, b))
SHORT(bitand, (T)(a & b))
SHORT(bitor, (T)(a | b))
SHORT(bitxor, (T)(a ^ b))
SHORT(shl, shift_up(a, b))
SHORT(shr, shift_down(a, b))
SHORT(maximum, a > b ? a : b)
SHORT(minimum, a < b ? a : b)
SHORT(relu_grad, b > 0 ? a : (T)0)

DEVICE T floor_quotient(T a, T b) {
    T q = quotient(a, b), m = modulo(a, b);
    return m != 0 && (m < 0) != (b < 0) ? minus(q, (T)1) : q;
}
DEVICE T floor_remainder(T a, T b) {
    T m = modulo(a, b);
    return m != 0 && (m < 0) != (b < 0) ? plus(m, b) : m;
}
DIVIDES(floor_div, floor_quotient(a, b))
DIVIDES(rem, floor_remainder(a, b))
DIVIDES(trunc_div, quotient(a, b))
DIVIDES(fmod, modulo(a, b))

KERNEL(THREADS) NAME(pow)(const Map<2> p) {
    map_long<T>(p, [](T a, T b) -> T { return power(a, (i64)b); });
}
