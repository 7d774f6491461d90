// The numbers behind the functions of math.cuh: near-minimax polynomials, fitted in 60 digits, and
// constants split into parts whose products are exact where that matters. Those of functions that
// the CPU kernels have too are the same there (kernels/src/cpu/math/coefficients.rs).
#pragma once
#include "core.cuh"

template <class T> struct Constants;

template <> struct Constants<f32> {
    typedef u32 Bits;
    static constexpr u32 MANTISSA = 23, SIGN = 0x80000000u;
    static constexpr u32 MANTISSA_MASK = 0x7fffff, SHIFT_BITS = 0x4b000000, SQRT_HALF_BITS = 0x3f3504f3;
    static constexpr u32 ONE_BITS = 0x3f800000;
    static constexpr f32 INF = __builtin_huge_valf(), MIN_NORMAL = 1.17549435e-38f;
    // Adding and subtracting it rounds to an integer, which the sum's low bits hold.
    static constexpr f32 MAGIC = 12582912.0f, MAGIC_BIASED = 12583039.0f;
    static constexpr f32 SHIFT = 8388608.0f, SHIFT_BIASED = 8388735.0f;
    static constexpr f32 EXP_LO = -104.0f, EXP_HI = 89.0f, EXPM1_LO = -18.0f;
    static constexpr f32 TINY = 1.0f / (1 << 26);
    static constexpr f32 LN2_HI = 0.6931472f, LN2_LO = -1.9046542e-9f;
    static constexpr f32 LOG2E_HI = 1.4426950216293335f, LOG2E_LO = 1.925963033500011e-8f;
    static constexpr f32 LOG10E_HI = 0.4342944920063019f, LOG10E_LO = -1.0103049952192578e-8f;
    static constexpr f32 LOG10_2_HI = 0.3010300099849701f, LOG10_2_LO = -1.432098883924482e-8f;
    static constexpr f32 PIO2_HI = 1.5707964f, PIO2_MID = -4.371139e-8f, PIO2_LO = -1.7151245e-15f;
    static constexpr f32 TRIG_MAX = 32768.0f, TANH_CUT = 0.9f, ERF_MAX = 4.0f;
    static constexpr f32 SINH_HALVES = 80.0f;
    static constexpr f32 EXP[] = {0.49999994f, 0.16666521f, 0.04166834f, 0.008368682f, 0.001381763f};
    static constexpr f32 LN[] = {0.66666776f, 0.39977586f, 0.2987052f};
    static constexpr f32 TANH[] = {-0.33333322f, 0.13332999f, -0.053930905f, 0.021669468f,
                                   -0.008275605f, 0.0025928156f, -0.0004590976f};
    static constexpr f32 SIN[] = {-0.16666655f, 0.008332178f, -0.00019517283f};
    static constexpr f32 COS[] = {0.041666646f, -0.0013887368f, 2.443853e-05f};
    static constexpr f32 ERF[] = {0.12837917f, -0.37612626f, 0.112835996f, -0.026854435f,
                                  0.0051895194f, -0.00080207095f, 7.888705e-05f};
    static constexpr f32 ERFC[] = {0.00035446574f, 1.127037f, 0.6382305f, 0.10303324f,
                                   -0.021803373f, 0.0029391276f, -0.00018552528f};
    // (atan(x)/x − 1)/x² in x² up to tan(π/8)², (asin(x)/x − 1)/x² in x² up to ¼.
    static constexpr f32 ATAN[] = {-0.33333316f, 0.1999849f, -0.14243838f, 0.10595915f, -0.060832225f};
    static constexpr f32 ASIN[] = {0.1666666f, 0.07500512f, 0.04451547f, 0.03181982f, 0.0143937943f,
                                   0.037578173f};
};

template <> struct Constants<f64> {
    typedef u64 Bits;
    static constexpr u64 MANTISSA = 52, SIGN = 0x8000000000000000ull;
    static constexpr u64 MANTISSA_MASK = 0xfffffffffffffull, SHIFT_BITS = 0x4330000000000000ull;
    static constexpr u64 SQRT_HALF_BITS = 0x3fe6a09e667f3bcdull, ONE_BITS = 0x3ff0000000000000ull;
    static constexpr f64 INF = __builtin_huge_val(), MIN_NORMAL = 2.2250738585072014e-308;
    static constexpr f64 MAGIC = 6755399441055744.0, MAGIC_BIASED = 6755399441056767.0;
    static constexpr f64 SHIFT = 4503599627370496.0, SHIFT_BIASED = 4503599627371519.0;
    static constexpr f64 EXP_LO = -746.0, EXP_HI = 710.0, EXPM1_LO = -38.0;
    static constexpr f64 TINY = 1.0 / (1ull << 55);
    static constexpr f64 LN2_HI = 0.6931471805599453, LN2_LO = 2.3190468138462996e-17;
    static constexpr f64 LOG2E_HI = 1.4426950408889634, LOG2E_LO = 2.0355273740931033e-17;
    static constexpr f64 LOG10E_HI = 0.4342944819032518, LOG10E_LO = 1.098319650216765e-17;
    static constexpr f64 LOG10_2_HI = 0.3010299956639812, LOG10_2_LO = -2.8037281277851704e-18;
    static constexpr f64 PIO2_HI = 1.5707963267948966, PIO2_MID = 6.123233995736766e-17;
    static constexpr f64 PIO2_LO = -1.4973849048591698e-33;
    static constexpr f64 TRIG_MAX = 16777216.0, TANH_CUT = 0.625, ERF_MAX = 6.0;
    static constexpr f64 SINH_HALVES = 700.0;
    static constexpr f64 EXP[] = {0.5000000000000011, 0.16666666666666408, 0.04166666666653048,
                                  0.00833333333349694, 0.0013888888943555317, 0.00019841269501137942,
                                  2.4801493165397054e-05, 2.7557591330704747e-06,
                                  2.76302281000293e-07, 2.4998465794494004e-08};
    static constexpr f64 LN[] = {0.6666666666666734, 0.39999999999415137, 0.2857142874223045,
                                 0.22222198591064599, 0.18183563395907784, 0.15314073248011198,
                                 0.1479573941671971};
    static constexpr f64 TANH[] = {-0.33333333333332876, 0.13333333333264966, -0.05396825393249545,
                                   0.02186948760215634, -0.008863221320951747, 0.003591991580325138,
                                   -0.0014549705124627678, 0.0005863525752220646,
                                   -0.00022863338605920026, 7.721931179702094e-05,
                                   -1.610759915192781e-05};
    static constexpr f64 SIN[] = {-0.16666666666666632, 0.008333333333322382, -0.00019841269829786793,
                                  2.7557313685268367e-06, -2.505075710374224e-08,
                                  1.589673642714956e-10};
    static constexpr f64 COS[] = {0.0416666666666666, -0.0013888888888874097, 2.4801587289462635e-05,
                                  -2.755731434595374e-07, 2.0875722324450858e-09,
                                  -1.1359595147912525e-11};
    static constexpr f64 ERF[] = {0.12837916709551256, -0.3761263890318355, 0.11283791670945241,
                                  -0.026866170643274404, 0.00522397760740977, -0.0008548325989090088,
                                  0.00012055295303670562, -1.4924744362588597e-05,
                                  1.6447514212889267e-06, -1.620915105144106e-07,
                                  1.3722875209705993e-08, -7.801011076364757e-10};
    static constexpr f64 ERFC[] = {5.139533616976825e-07, 1.1283739848517769, 0.6366440858042005,
                                   0.10270220501681877, -0.018987880351499772, -0.00041376250556047155,
                                   0.0019191851214426395, -0.0007732397330297539,
                                   0.0001366807864808869, 1.945956519068524e-05,
                                   -2.2507563270219316e-05, 8.570847764646189e-06,
                                   -2.1128751464717728e-06, 3.692116926066816e-07,
                                   -4.588565712022275e-08, 3.885607558918718e-09,
                                   -2.017831720500223e-10, 4.858471648787474e-12};
    static constexpr f64 ATAN[] = {-0.33333333333333326, 0.19999999999997692, -0.14285714285390774,
                                   0.11111111088350403, -0.09090908150765838, 0.07692282899901837,
                                   -0.06666228846034976, 0.0587704227934592, -0.05218536412964524,
                                   0.045040870106528054, -0.03348699008932912, 0.015207900580442467};
    static constexpr f64 ASIN[] = {0.16666666666666763, 0.07499999999970089, 0.044642857175292615,
                                   0.030381942675028188, 0.022372215911671097, 0.017351595415394674,
                                   0.013981019362881743, 0.011397287578262662, 0.010789345619139853,
                                   0.0036721127167549635, 0.02179078093638349, -0.02111685615866626,
                                   0.03270221850441049};
};

// 2/π as a binary fraction, for arguments of sine and cosine that are too large for three pieces.
CONSTANT u64 TWO_OVER_PI[20] = {
    0xa2f9836e4e441529ull, 0xfc2757d1f534ddc0ull, 0xdb6295993c439041ull, 0xfe5163abdebbc561ull,
    0xb7246e3a424dd2e0ull, 0x06492eea09d1921cull, 0xfe1deb1cb129a73eull, 0xe88235f52ebb4484ull,
    0xe99c7026b45f7e41ull, 0x3991d639835339f4ull, 0x9c845f8bbdf9283bull, 0x1ff897ffde05980full,
    0xef2f118b5a0a6d1full, 0x6d367ecf27cb09b7ull, 0x4f463f669e5fea2dull, 0x7527bac7ebe5f17bull,
    0x3d0739f78a5292eaull, 0x6bfb5fb11f8d5d08ull, 0x56033046fc7b6babull, 0xf0cfbc209af4361dull};
