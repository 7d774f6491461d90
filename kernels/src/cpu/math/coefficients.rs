//! The numbers behind the functions.

#![allow(clippy::approx_constant, reason = "constants are split on purpose")]

use super::*;

impl Math for f32 {
    const MANTISSA: u32 = 23;
    const ZERO: Self = 0.0;
    const HALF: Self = 0.5;
    const ONE: Self = 1.0;
    const TWO: Self = 2.0;
    const INF: Self = f32::INFINITY;
    const NAN: Self = f32::NAN;
    const MIN_NORMAL: Self = f32::MIN_POSITIVE;
    const LOG2E: Self = std::f32::consts::LOG2_E;
    const MAGIC: Self = 12582912.0;
    const MAGIC_BIASED: Self = 12583039.0;
    const MAGIC_LIFTED: Self = Self::MAGIC_BIASED + 24.0;
    const UNLIFT: Self = 1.0 / (1u32 << 24) as f32;
    const LIFTED_LO: Self = -103.97;
    const SHIFT: Self = 8388608.0;
    const SHIFT_BITS: u32 = Self::SHIFT.to_bits();
    const SHIFT_BIASED: Self = 8388735.0;
    const MANTISSA_MASK: u32 = (1 << 23) - 1;
    const SQRT_HALF_BITS: u32 = std::f32::consts::FRAC_1_SQRT_2.to_bits();
    const ONE_LESS_SQRT_HALF: u32 = 1.0_f32.to_bits() - Self::SQRT_HALF_BITS;
    const BITS_ONE: u32 = 1;
    const BITS_TWO: u32 = 2;
    const EXP_LO: Self = -104.0;
    const EXP_HI: Self = 89.0;
    const EXPM1_LO: Self = -18.0;
    const TINY: Self = 1.0 / (1u32 << 26) as f32;
    const LN2: [Self; 2] = [0.6931472, -1.9046542e-9];
    const PIO2: [Self; 3] = [1.5707964, -4.371139e-8, -1.7151245e-15];
    const TRIG_MAX: Self = 32768.0;
    const EXP: &[Self] = &[0.49999994, 0.16666521, 0.04166834, 0.008368682, 0.001381763];
    const LN: &[Self] = &[0.66666776, 0.39977586, 0.2987052];
    const TANH: &[Self] =
        &[-0.33333322, 0.13332999, -0.053930905, 0.021669468, -0.008275605, 0.0025928156, -0.0004590976];
    const TANH_CUT: Self = 0.9;
    const SIN: &[Self] = &[-0.16666655, 0.008332178, -0.00019517283];
    const COS: &[Self] = &[0.041666646, -0.0013887368, 2.443853e-05];
    const ERF: &[Self] =
        &[0.12837917, -0.37612626, 0.112835996, -0.026854435, 0.0051895194, -0.00080207095, 7.888705e-05];
    const ERFC: &[Self] =
        &[0.00035446574, 1.127037, 0.6382305, 0.10303324, -0.021803373, 0.0029391276, -0.00018552528];
    const ERF_MAX: Self = 4.0;
    const EXP2: &[Self] = &[1.0, 0.693147, 0.24022242, 0.055507336, 0.009671513, 0.0013264727];
    const LEAST_EXPONENT: Self = -126.0;
    const LOG2_TAIL: &[Self] = &[
        -1.151107,
        -0.45918462,
        -0.05259311,
        0.007238969,
        -0.0002961075,
        -0.00011153397,
        2.2242513e-05,
        -1.3272746e-06,
    ];
    const GELU_SLOPE: &[Self] = &[
        1.0,
        -1.5957669,
        0.49995476,
        -0.2656498,
        0.12393016,
        -0.051049437,
        0.01809315,
        -0.0052244742,
        0.001141969,
        -0.00017252965,
        1.5757843e-05,
        -6.476209e-07,
    ];
    const BELL_MAX: Self = 13.21;

    #[inline(always)]
    fn lit(x: f64) -> Self {
        x as f32
    }
    #[inline(always)]
    fn in_f64<S: Simd>(x: S::f32s, y: S::f32s, f: impl Fn(S::f64s, S::f64s) -> S::f64s) -> S::f32s {
        let ((x0, x1), (y0, y1)) = (x.widen(), y.widen());
        f(x0, y0).narrow(f(x1, y1))
    }
}

impl Math for f64 {
    const MANTISSA: u32 = 52;
    const ZERO: Self = 0.0;
    const HALF: Self = 0.5;
    const ONE: Self = 1.0;
    const TWO: Self = 2.0;
    const INF: Self = f64::INFINITY;
    const NAN: Self = f64::NAN;
    const MIN_NORMAL: Self = f64::MIN_POSITIVE;
    const LOG2E: Self = std::f64::consts::LOG2_E;
    const MAGIC: Self = 6755399441055744.0;
    const MAGIC_BIASED: Self = 6755399441056767.0;
    const MAGIC_LIFTED: Self = Self::MAGIC_BIASED + 53.0;
    const UNLIFT: Self = 1.0 / (1u64 << 53) as f64;
    const LIFTED_LO: Self = -745.13;
    const SHIFT: Self = 4503599627370496.0;
    const SHIFT_BITS: u64 = Self::SHIFT.to_bits();
    const SHIFT_BIASED: Self = 4503599627371519.0;
    const MANTISSA_MASK: u64 = (1 << 52) - 1;
    const SQRT_HALF_BITS: u64 = std::f64::consts::FRAC_1_SQRT_2.to_bits();
    const ONE_LESS_SQRT_HALF: u64 = 1.0_f64.to_bits() - Self::SQRT_HALF_BITS;
    const BITS_ONE: u64 = 1;
    const BITS_TWO: u64 = 2;
    const EXP_LO: Self = -746.0;
    const EXP_HI: Self = 710.0;
    const EXPM1_LO: Self = -38.0;
    const TINY: Self = 1.0 / (1u64 << 55) as f64;
    const LN2: [Self; 2] = [0.6931471805599453, 2.3190468138462996e-17];
    const PIO2: [Self; 3] = [1.5707963267948966, 6.123233995736766e-17, -1.4973849048591698e-33];
    const TRIG_MAX: Self = 16777216.0;
    const EXP: &[Self] = &[
        0.5000000000000011,
        0.16666666666666408,
        0.04166666666653048,
        0.00833333333349694,
        0.0013888888943555317,
        0.00019841269501137942,
        2.4801493165397054e-05,
        2.7557591330704747e-06,
        2.76302281000293e-07,
        2.4998465794494004e-08,
    ];
    const LN: &[Self] = &[
        0.6666666666666734,
        0.39999999999415137,
        0.2857142874223045,
        0.22222198591064599,
        0.18183563395907784,
        0.15314073248011198,
        0.1479573941671971,
    ];
    const TANH: &[Self] = &[
        -0.33333333333332876,
        0.13333333333264966,
        -0.05396825393249545,
        0.02186948760215634,
        -0.008863221320951747,
        0.003591991580325138,
        -0.0014549705124627678,
        0.0005863525752220646,
        -0.00022863338605920026,
        7.721931179702094e-05,
        -1.610759915192781e-05,
    ];
    const TANH_CUT: Self = 0.625;
    const SIN: &[Self] = &[
        -0.16666666666666632,
        0.008333333333322382,
        -0.00019841269829786793,
        2.7557313685268367e-06,
        -2.505075710374224e-08,
        1.589673642714956e-10,
    ];
    const COS: &[Self] = &[
        0.0416666666666666,
        -0.0013888888888874097,
        2.4801587289462635e-05,
        -2.755731434595374e-07,
        2.0875722324450858e-09,
        -1.1359595147912525e-11,
    ];
    const ERF: &[Self] = &[
        0.12837916709551256,
        -0.3761263890318355,
        0.11283791670945241,
        -0.026866170643274404,
        0.00522397760740977,
        -0.0008548325989090088,
        0.00012055295303670562,
        -1.4924744362588597e-05,
        1.6447514212889267e-06,
        -1.620915105144106e-07,
        1.3722875209705993e-08,
        -7.801011076364757e-10,
    ];
    const ERFC: &[Self] = &[
        5.139533616976825e-07,
        1.1283739848517769,
        0.6366440858042005,
        0.10270220501681877,
        -0.018987880351499772,
        -0.00041376250556047155,
        0.0019191851214426395,
        -0.0007732397330297539,
        0.0001366807864808869,
        1.945956519068524e-05,
        -2.2507563270219316e-05,
        8.570847764646189e-06,
        -2.1128751464717728e-06,
        3.692116926066816e-07,
        -4.588565712022275e-08,
        3.885607558918718e-09,
        -2.017831720500223e-10,
        4.858471648787474e-12,
    ];
    const ERF_MAX: Self = 6.0;
    const EXP2: &[Self] = &[];
    const LEAST_EXPONENT: Self = -1022.0;
    const LOG2_TAIL: &[Self] = &[];
    const GELU_SLOPE: &[Self] = &[];
    const BELL_MAX: Self = 37.6;

    #[inline(always)]
    fn lit(x: f64) -> Self {
        x
    }
    #[inline(always)]
    fn in_f64<S: Simd>(x: S::f64s, y: S::f64s, f: impl Fn(S::f64s, S::f64s) -> S::f64s) -> S::f64s {
        f(x, y)
    }
}
