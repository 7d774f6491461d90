// Unary functions of f16, bf16 (computed in f32), f32 and f64: one kernel each, `name_dtype(Map<1>)`.
#include "include/math.cuh"
#include "include/walk.cuh"

typedef DTYPE T;
typedef compute<T> F;

#define SHORT(name, ...) \
    KERNEL(THREADS) NAME(name)(const Map<1> p) { \
        const F a = number_of<F>(p.extra[0]), b = number_of<F>(p.extra[1]); \
        (void)a, (void)b; \
        map<T>(p, [=](F x) -> F { return __VA_ARGS__; }); \
    }
#define LONG(name, ...) \
    KERNEL(THREADS) NAME(name)(const Map<1> p) { \
        const F a = number_of<F>(p.extra[0]); \
        (void)a; \
        map_long<T>(p, [=](F x) -> F { return __VA_ARGS__; }); \
    }

SHORT(neg, -x)
SHORT(abs, absolute(x))
// -1, 0 or 1; 0 for NaN and for -0.
SHORT(sign, (F)((x > 0) - (x < 0)))
SHORT(square, x * x)
SHORT(sqrt, root(x))
SHORT(rsqrt, 1 / root(x))
SHORT(recip, 1 / x)
// NaN and -0 stay as they are.
SHORT(relu, x < 0 ? (F)0 : x)
SHORT(leaky_relu, x > 0 ? x : x * a)
SHORT(floor, round_down(x))
SHORT(ceil, round_up(x))
SHORT(round, round_even(x))
SHORT(trunc, truncate(x))
// Into [a, b]; NaN stays NaN. (The host passes ∓∞ for a bound that is not there, and NaN for both
// where one is.)
DEVICE F clamp(F x, F a, F b) {
    F v = x >= a || is_nan(x) ? x : a;
    return v <= b || is_nan(v) ? v : b;
}
SHORT(clamp, clamp(x, a, b))

LONG(exp, exp(x))
LONG(expm1, expm1(x))
LONG(ln, ln(x))
LONG(log2, log2(x))
LONG(log10, log10(x))
LONG(log1p, log1p(x))
LONG(sin, sin(x))
LONG(cos, cos(x))
LONG(tan, tan(x))
LONG(asin, asin(x))
LONG(acos, acos(x))
LONG(atan, atan(x))
LONG(sinh, sinh(x))
LONG(cosh, cosh(x))
LONG(tanh, tanh(x))
LONG(erf, erf(x))
LONG(sigmoid, sigmoid(x))
LONG(gelu, gelu(x))
LONG(gelu_tanh, gelu_tanh(x))
LONG(silu, silu(x))
LONG(softplus, softplus(x))
LONG(elu, x > 0 ? x : expm1(x) * a)
// To the power of one number for all elements.
LONG(pow_number, pow_shared(x, a))
