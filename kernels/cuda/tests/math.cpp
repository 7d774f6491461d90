// The functions of include/math.cuh, compiled for the host from the same source with the same
// arithmetic (no contraction; every step rounds as IEEE 754 says, as it does on a GPU), against the C
// library in a wider type: f32 against double, f64 against long double. Prints the largest error of
// each in ulp of the exact result, and fails above the stated bound.
//
// cargo xtask cuda math
#include <math.h>
#include <stdio.h>
#include <string.h>

// The C library's names are taken; ours live apart.
namespace ours {
#include "../include/math.cuh"
}

typedef unsigned long long u64;
typedef unsigned u32;
typedef long double wide;

static int failures = 0;

static u64 state = 0x9e3779b97f4a7c15ull;
static u64 draw() {
    state ^= state << 13;
    state ^= state >> 7;
    state ^= state << 17;
    return state;
}
static double unit() { return (double)(draw() >> 11) * 0x1p-53; }

// The distance of neighbours at x, of the type with so many bits of mantissa.
static wide ulp(wide x, int bits, int least) {
    if (x == 0) return ldexpl(1, least);
    int e;
    frexpl(x, &e);
    e -= bits;
    return ldexpl(1, e < least ? least : e);
}

template <class T> struct Type;
template <> struct Type<float> {
    static constexpr int BITS = 24, LEAST = -149;
    static constexpr const char* NAME = "f32";
    static float any() {
        u32 b = (u32)draw();
        float x;
        memcpy(&x, &b, 4);
        return x;
    }
};
template <> struct Type<double> {
    static constexpr int BITS = 53, LEAST = -1074;
    static constexpr const char* NAME = "f64";
    static double any() {
        u64 b = draw();
        double x;
        memcpy(&x, &b, 8);
        return x;
    }
};

template <class T> static wide error(T got, wide want) {
    if (isnan(want) || isnan(got)) return isnan(want) && isnan(got) ? 0 : INFINITY;
    // Beyond the largest number by less than half a step, ∞ and that number are both half a step off.
    T rounded = (T)want;
    if (isinf(got) || isinf(rounded)) return got == rounded ? 0 : isinf(got) != isinf(rounded) ? 1 : INFINITY;
    return fabsl((wide)got - want) / ulp(want, Type<T>::BITS, Type<T>::LEAST);
}

static void report(const char* name, const char* type, wide worst, double at, double bound) {
    bool bad = !(worst <= bound);
    failures += bad;
    printf("%-16s %s  %7.3Lf ulp at %-24.17g (bound %g)%s\n", name, type, worst, at, bound, bad ? "  FAIL" : "");
}

static const double SPECIAL[] = {0.0, -0.0, 1.0, -1.0, 0.5, -0.5, 2.0, -2.0, 3.0, INFINITY, -INFINITY, NAN,
                                 1e-310, -1e-310, 1e-40, 1e-45, -1e-45, 88.7, 89, -103.9, -104, 709.7, 710,
                                 -745, -746, 1e10, -1e10, 1e22, 1e38, 1e300, 32768, 16777216, 1.5707963267948966};

// n samples: special values, all magnitudes, and [lo, hi] densely.
template <class T, class F, class G> static void one(const char* name, F f, G g, double lo, double hi, double bound) {
    wide worst = 0;
    double at = 0;
    auto take = [&](T x) {
        wide e = error<T>(f(x), g((wide)x));
        if (!(e <= worst)) worst = e, at = (double)x;
    };
    for (double x : SPECIAL) take((T)x);
    for (int i = 0; i < 200000; i++) take(Type<T>::any());
    for (int i = 0; i < 400000; i++) take((T)(lo + (hi - lo) * unit()));
    report(name, Type<T>::NAME, worst, at, bound);
}
template <class T, class F, class G> static void two(const char* name, F f, G g, double lo, double hi, double bound) {
    wide worst = 0;
    double at = 0;
    auto take = [&](T x, T y) {
        wide e = error<T>(f(x, y), g((wide)x, (wide)y));
        if (!(e <= worst)) {
            worst = e, at = (double)x;
            if (!(e <= bound)) printf("  %s(%.17g, %.17g): %.17g, not %.20Lg\n", name, (double)x, (double)y, (double)f(x, y), g(x, y));
        }
    };
    for (double x : SPECIAL)
        for (double y : SPECIAL) take((T)x, (T)y);
    for (int i = 0; i < 100000; i++) take(Type<T>::any(), Type<T>::any());
    for (int i = 0; i < 300000; i++) take((T)(lo + (hi - lo) * unit()), (T)(lo + (hi - lo) * unit()));
    for (int i = 0; i < 100000; i++) take((T)(1 + 0.01 * (unit() - 0.5)), (T)(1e4 * (unit() - 0.5)));
    report(name, Type<T>::NAME, worst, at, bound);
}

#define ONE(name, reference, lo, hi, single, twice) \
    one<float>(#name, [](float x) { return ours::name(x); }, [](wide x) -> wide { return reference; }, lo, hi, single); \
    one<double>(#name, [](double x) { return ours::name(x); }, [](wide x) -> wide { return reference; }, lo, hi, twice);
#define TWO(name, reference, lo, hi, single, twice) \
    two<float>(#name, [](float x, float y) { return ours::name(x, y); }, [](wide x, wide y) -> wide { return reference; }, lo, hi, single); \
    two<double>(#name, [](double x, double y) { return ours::name(x, y); }, [](wide x, wide y) -> wide { return reference; }, lo, hi, twice);

static wide sigmoid_of(wide x) { return x < 0 ? expl(x) / (1 + expl(x)) : 1 / (1 + expl(-x)); }
static wide cdf_of(wide x) { return erfcl(-x * M_SQRT1_2l) / 2; }
static wide python_rem(wide x, wide y) {
    wide m = fmodl(x, y);
    return m != 0 && (y < 0) != (m < 0) ? m + y : m;
}

int main() {
    ONE(exp, expl(x), -104, 89, 1.5, 1.5)
    ONE(expm1, expm1l(x), -2, 2, 2, 2.5)
    ONE(ln, logl(x), 0, 4, 1, 1)
    ONE(log1p, log1pl(x), -1, 4, 1.5, 1.5)
    ONE(log2, log2l(x), 0, 4, 2, 2)
    ONE(log10, log10l(x), 0, 4, 2.5, 2.5)
    ONE(sin, sinl(x), -100, 100, 1, 1)
    ONE(cos, cosl(x), -100, 100, 1, 1)
    ONE(tan, tanl(x), -10, 10, 2.5, 2.5)
    ONE(asin, asinl(x), -1, 1, 2.5, 2.5)
    ONE(acos, acosl(x), -1, 1, 2.5, 2.5)
    ONE(atan, atanl(x), -5, 5, 2, 2)
    ONE(sinh, sinhl(x), -5, 5, 3, 3)
    ONE(cosh, coshl(x), -5, 5, 2.5, 2.5)
    ONE(tanh, tanhl(x), -5, 5, 2, 2)
    ONE(erf, erfl(x), -4, 4, 1.5, 1.5)
    ONE(sigmoid, sigmoid_of(x), -20, 20, 3, 3)
    // Where sigmoid(x) is subnormal it has few digits, and x times it no more.
    one<float>("silu", [](float x) { return ours::silu(x); }, [](wide x) { return x < -87 ? (wide)ours::silu((float)x) : x * sigmoid_of(x); }, -20, 20, 3.5);
    one<double>("silu", [](double x) { return ours::silu(x); }, [](wide x) { return x < -708 ? (wide)ours::silu((double)x) : x * sigmoid_of(x); }, -20, 20, 3.5);
    ONE(softplus, x > 11000 ? x : log1pl(expl(x)), -20, 20, 2.5, 2.5)
    // Far below 0, Φ loses its digits to the subtraction from ½, as it does in PyTorch.
    one<float>("gelu", [](float x) { return ours::gelu(x); }, [](wide x) { return x < -1 ? (wide)ours::gelu((float)x) : x * cdf_of(x); }, -1, 6, 4);
    one<double>("gelu", [](double x) { return ours::gelu(x); }, [](wide x) { return x < -1 ? (wide)ours::gelu((double)x) : x * cdf_of(x); }, -1, 6, 4);
    TWO(pow, powl(x, y), -20, 20, 1, 1.5)
    TWO(atan2, atan2l(y != y ? y : x, y), -5, 5, 2.5, 2.5)
    TWO(fmod, fmodl(x, y), -50, 50, 0, 0)
    TWO(remainder, python_rem(x, y), -50, 50, 0.5, 0.5)
    if (failures) printf("%d functions are above their bounds\n", failures);
    return failures != 0;
}
