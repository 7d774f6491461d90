// Functions of two floats: `name_dtype(Map<2>)`.
#include "include/math.cuh"
#include "include/walk.cuh"

typedef DTYPE T;
typedef compute<T> F;

#define SHORT(name, ...) \
    KERNEL(THREADS) NAME(name)(const Map<2> p) { \
        map<T, T>(p, [](F a, F b) -> F { return __VA_ARGS__; }); \
    }
#define LONG(name, ...) \
    KERNEL(THREADS) NAME(name)(const Map<2> p) { \
        map_long<T>(p, [](F a, F b) -> F { return __VA_ARGS__; }); \
    }

SHORT(add, a + b)
SHORT(sub, a - b)
SHORT(mul, a * b)
SHORT(div, a / b)
SHORT(trunc_div, truncate(a / b))
// NaN wins, and the second of two equals.
SHORT(maximum, a > b || is_nan(a) ? a : b)
SHORT(minimum, a < b || is_nan(a) ? a : b)
// Operands (g, y): 0 where y ≤ 0, else g, beside NaN, too.
SHORT(relu_grad, b <= 0 ? (F)0 : a)
SHORT(sigmoid_grad, a * b * (1 - b))
SHORT(tanh_grad, a * fma(-b, b, (F)1))

LONG(floor_div, floor_div(a, b))
LONG(rem, remainder(a, b))
LONG(fmod, fmod(a, b))
LONG(pow, pow(a, b))
LONG(atan2, atan2(a, b))
// Operands (g, x).
LONG(gelu_grad, gelu_grad(a, b))
LONG(gelu_tanh_grad, gelu_tanh_grad(a, b))
LONG(silu_grad, silu_grad(a, b))
