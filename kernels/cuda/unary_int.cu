// Unary functions of integers: `name_dtype(Map<1>)`. Rounding is the identity, which is a copy.
#include "include/integer.cuh"
#include "include/walk.cuh"

typedef DTYPE T;

#define SHORT(name, ...) \
    KERNEL(THREADS) NAME(name)(const Map<1> p) { \
        const T a = number_of<T>(p.extra[0]), b = number_of<T>(p.extra[1]); \
        (void)a, (void)b; \
        map<T>(p, [=](T x) -> T { return __VA_ARGS__; }); \
    }

SHORT(neg, negated(x))
SHORT(abs, x < 0 ? negated(x) : x)
SHORT(sign, (T)((x > 0) - (x < 0)))
SHORT(square, times(x, x))
SHORT(relu, x < 0 ? (T)0 : x)
// b where a > b; bounds are saturated by the host.
DEVICE T clamp(T x, T a, T b) {
    T v = x < a ? a : x;
    return v > b ? b : v;
}
SHORT(clamp, clamp(x, a, b))

KERNEL(THREADS) NAME(pow_number)(const Map<1> p) {
    const i64 a = (i64)p.extra[0];
    map_long<T>(p, [=](T x) -> T { return power(x, a); });
}
