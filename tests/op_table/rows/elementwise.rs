//! Functions of one, two and three tensors, relations, casts, and their forms in place.

use crate::array::Array;
use crate::case::{Case, Draw, Row, case, row};
use taper::{DType, Tensor};

/// A function of one tensor: the method, how its inputs are drawn, and the function on numbers.
macro_rules! unary {
    ($($name:ident ($($arg:expr),*) $from:ident |$v:ident| $truth:expr;)*) => {
        vec![$(row(stringify!($name), |d| {
            let shape = d.any_shape(0, 3);
            case([d.$from(&shape)], |x| x[0].$name($($arg),*), |a| a[0].map(|$v| $truth))
        })),*]
    };
}

macro_rules! binary {
    ($($name:ident $left:ident $right:ident |$a:ident, $b:ident| $truth:expr;)*) => {
        vec![$(row(stringify!($name), |d| {
            let (l, r) = d.broadcast_pair();
            case([d.$left(&l), d.$right(&r)], |x| x[0].$name(&x[1]), |x| x[0].zip(&x[1], |$a, $b| $truth))
        })),*]
    };
}

fn bool(b: bool) -> f64 {
    b as u8 as f64
}

/// erf by its Maclaurin series, for |x| < 3.
fn erf(x: f64) -> f64 {
    let (mut term, mut sum) = (x, x);
    for n in 1..80 {
        term *= -x * x / n as f64;
        sum += term / (2 * n + 1) as f64;
    }
    sum * std::f64::consts::FRAC_2_SQRT_PI
}

fn sigmoid(x: f64) -> f64 {
    1.0 / (1.0 + (-x).exp())
}

impl Draw {
    fn unit_interval(&mut self, shape: &[usize]) -> crate::case::Input {
        self.floats(shape, -0.9, 0.9)
    }
    /// Bases and exponents whose powers fit every dtype.
    fn exponent(&mut self, shape: &[usize]) -> crate::case::Input {
        if self.whole { self.floats(shape, 0.0, 2.0) } else { self.floats(shape, -2.0, 2.0) }
    }
}

pub fn rows() -> Vec<Row> {
    let mut rows = unary! {
        sqrt() positive |v| v.sqrt();
        rsqrt() positive |v| 1.0 / v.sqrt();
        reciprocal() positive |v| 1.0 / v;
        exp() any |v| v.exp();
        expm1() any |v| v.exp_m1();
        ln() positive |v| v.ln();
        log() positive |v| v.ln();
        log2() positive |v| v.log2();
        log10() positive |v| v.log10();
        log1p() positive |v| v.ln_1p();
        sin() any |v| v.sin();
        cos() any |v| v.cos();
        tan() unit_interval |v| v.tan();
        asin() unit_interval |v| v.asin();
        acos() unit_interval |v| v.acos();
        atan() any |v| v.atan();
        sinh() any |v| v.sinh();
        cosh() any |v| v.cosh();
        tanh() any |v| v.tanh();
        erf() any |v| erf(v);
        sigmoid() any |v| sigmoid(v);
        gelu() any |v| 0.5 * v * (1.0 + erf(v / std::f64::consts::SQRT_2));
        gelu_tanh() any |v| 0.5 * v * (1.0 + ((2.0 / std::f64::consts::PI).sqrt() * (v + 0.044715 * v * v * v)).tanh());
        silu() any |v| v * sigmoid(v);
        softplus() any |v| v.exp().ln_1p();
        logsigmoid() any |v| -(-v).exp().ln_1p();
        leaky_relu(0.1) any |v| if v > 0.0 { v } else { 0.1 * v };
        elu(1.5) any |v| if v > 0.0 { v } else { 1.5 * v.exp_m1() };
    };
    rows.extend(
        unary! {
            neg() positive |v| -v;
            abs() any |v| v.abs();
            sign() any |v| if v == 0.0 { 0.0 } else { v.signum() };
            square() any |v| v * v;
            relu() any |v| v.max(0.0);
            floor() any |v| v.floor();
            ceil() any |v| v.ceil();
            round() any |v| v.round_ties_even();
            trunc() any |v| v.trunc();
            clamp(-1.0, 1.0) any |v| v.clamp(-1.0, 1.0);
        }
        .into_iter()
        .map(|r| if ["neg", "clamp"].contains(&r.name) { r } else { r.ints() }),
    );
    rows.extend(
        unary! {
            isnan() any |v| bool(v.is_nan());
            isinf() any |v| bool(v.is_infinite());
            isfinite() any |v| bool(v.is_finite());
            logical_not() any |v| bool(v == 0.0);
        }
        .into_iter()
        .map(|r| r.orders(0)),
    );
    rows.extend(binary! {
        div any positive |a, b| a / b;
        atan2 any positive |a, b| a.atan2(b);
    });
    rows.extend(
        binary! {
            add any any |a, b| a + b;
            mul any any |a, b| a * b;
            maximum any distinct |a, b| a.max(b);
            minimum any distinct |a, b| a.min(b);
        }
        .into_iter()
        .map(|r| if r.name == "maximum" || r.name == "minimum" { r.loose(1.0) } else { r.ints() }),
    );
    rows.extend(binary! {
        sub any any |a, b| a - b;
        pow positive exponent |a, b| a.powf(b);
    });
    // Quotients of neighbouring roundings may fall on either side of a whole number.
    rows.extend(
        binary! {
            floor_divide whole_number whole_divisor |a, b| (a / b).floor();
            remainder whole_number whole_divisor |a, b| a - b * (a / b).floor();
            trunc_divide whole_number whole_divisor |a, b| (a / b).trunc();
            fmod whole_number whole_divisor |a, b| a % b;
        }
        .into_iter()
        .map(|r| r.ints().orders(0)),
    );
    rows.extend(bits());
    rows.extend(
        binary! {
            eq whole_number whole_divisor |a, b| bool(a == b);
            ne whole_number whole_divisor |a, b| bool(a != b);
            lt whole_number whole_divisor |a, b| bool(a < b);
            le whole_number whole_divisor |a, b| bool(a <= b);
            gt whole_number whole_divisor |a, b| bool(a > b);
            ge whole_number whole_divisor |a, b| bool(a >= b);
            logical_and whole_number whole_divisor |a, b| bool(a != 0.0 && b != 0.0);
            logical_or whole_number whole_divisor |a, b| bool(a != 0.0 || b != 0.0);
            logical_xor whole_number whole_divisor |a, b| bool((a != 0.0) != (b != 0.0));
        }
        .into_iter()
        .map(|r| r.ints().orders(0)),
    );
    rows.extend([
        row("remainder, differentiated", |d| {
            let (l, r) = d.broadcast_pair();
            case(
                [d.floats(&l, 3.2, 3.8), d.floats(&r, 1.2, 1.5)],
                |x| x[0].remainder(&x[1]),
                |x| x[0].zip(&x[1], |a, b| a - b * (a / b).floor()),
            )
        })
        .orders(1)
        .loose(4.0),
        row("fmod, differentiated", |d| {
            let (l, r) = d.broadcast_pair();
            case(
                [d.floats(&l, -3.8, -3.2), d.floats(&r, 1.2, 1.5)],
                |x| x[0].fmod(&x[1]),
                |x| x[0].zip(&x[1], |a, b| a % b),
            )
        })
        .orders(1)
        .loose(4.0),
        row("round_decimals", |d| {
            let shape = d.any_shape(0, 3);
            let x = if d.whole { d.any(&shape) } else { d.floats(&shape, -200.0, 200.0) };
            // Far from the middle between two tens, in every dtype.
            case(
                [x],
                |x| (x[0].trunc() * 16.0).round_decimals(-1),
                |a| a[0].map(|v| (v.trunc() * 16.0 / 10.0).round_ties_even() * 10.0),
            )
        })
        .orders(0),
        row("clamp_tensor", |d| {
            let (x, bound) = d.broadcast_pair();
            case(
                [d.any(&x), d.floats(&bound, -1.4, -0.6), d.floats(&bound, 0.6, 1.4)],
                |x| x[0].clamp_tensor(&x[1], &x[2]),
                |a| {
                    let low = a[0].zip(&a[1], f64::max);
                    low.zip(&a[2], f64::min)
                },
            )
        }),
        row("arithmetic with numbers", |d| {
            let shape = d.any_shape(0, 3);
            case(
                [d.positive(&shape)],
                |x| (2.0 - &x[0] * 3.0) / (1.0 + &x[0]) + 1.0 / &x[0] - 0.5,
                |a| a[0].map(|v| (2.0 - v * 3.0) / (1.0 + v) + 1.0 / v - 0.5),
            )
        })
        .loose(8.0),
        row("pow of a number", |d| {
            let shape = d.any_shape(0, 3);
            let exponent = d.one_of(&[-1.0, 0.0, 0.5, 1.0, 2.0, 3.0, 2.5]);
            case([d.positive(&shape)], move |x| x[0].pow(exponent), move |a| a[0].map(|v| v.powf(exponent)))
        })
        .loose(8.0),
        row("where_", |d| {
            let (l, r) = d.broadcast_pair();
            case(
                [d.mask(&l), d.any(&r), d.any(&l)],
                |x| Tensor::where_(&x[0], &x[1], &x[2]),
                |a| {
                    let first = a[0].zip(&a[1], |c, v| if c == 1.0 { v } else { f64::NAN });
                    first.zip(&a[2], |f, v| if f.is_nan() { v } else { f })
                },
            )
        })
        .ints(),
        row("masked_fill", |d| {
            let shape = d.any_shape(0, 3);
            case(
                [d.any(&shape), d.mask(&shape)],
                |x| x[0].masked_fill(&x[1], 3.0),
                |a| a[0].zip(&a[1], |v, m| if m == 1.0 { 3.0 } else { v }),
            )
        })
        .ints(),
        row("lerp", |d| {
            let s = d.any_shape(0, 3);
            case(
                [d.any(&s), d.any(&s), d.any(&s)],
                |x| x[0].lerp(&x[1], &x[2]),
                |a| {
                    let step = a[1].zip(&a[0], |e, s| e - s).zip(&a[2], |d, w| d * w);
                    a[0].zip(&step, |s, t| s + t)
                },
            )
        })
        .loose(4.0),
        row("addcmul", |d| {
            let s = d.any_shape(0, 3);
            case(
                [d.any(&s), d.any(&s), d.any(&s)],
                |x| x[0].addcmul(&x[1], &x[2], 0.5),
                |a| a[0].zip(&a[1].zip(&a[2], |p, q| p * q), |v, t| v + 0.5 * t),
            )
        })
        .loose(4.0),
        row("addcdiv", |d| {
            let s = d.any_shape(0, 3);
            case(
                [d.any(&s), d.any(&s), d.positive(&s)],
                |x| x[0].addcdiv(&x[1], &x[2], 0.5),
                |a| a[0].zip(&a[1].zip(&a[2], |p, q| p / q), |v, t| v + 0.5 * t),
            )
        })
        .loose(4.0),
        row("to_dtype", |d| {
            let s = d.any_shape(0, 3);
            case([d.any(&s)], |x| x[0].to_dtype(DType::F64), |a| a[0].clone())
        }),
        row("to_dtype to integers", |d| {
            let s = d.any_shape(0, 3);
            case([d.any(&s)], |x| x[0].to_dtype(DType::I32), |a| a[0].map(f64::trunc))
        })
        .ints()
        .orders(0),
        row("contiguous, to_device", |d| {
            let s = d.any_shape(0, 3);
            case([d.any(&s)], |x| x[0].contiguous().to_device(x[0].device()), |a| a[0].clone())
        })
        .ints(),
    ]);
    rows.extend(in_place());
    rows
}

/// Functions of bits, on whole numbers.
fn bits() -> Vec<Row> {
    macro_rules! each {
        ($($name:ident $in_place:ident |$a:ident, $b:ident| $truth:expr;)*) => {
            vec![$(
                row(stringify!($name), |d| {
                    let (l, r) = d.broadcast_pair();
                    let whole = |t: &Tensor| t.to_dtype(DType::I64);
                    case([d.whole_number(&l), d.whole_divisor(&r)],
                        move |x| {
                            let (a, b) = (whole(&x[0]), whole(&x[1]));
                            let y = a.$name(&b);
                            if y.shape() == a.shape() {
                                let mut z = a.clone();
                                z.$in_place(&b);
                                assert!(z.equal(&y), "in place it is another function");
                            }
                            y
                        },
                        |x| x[0].zip(&x[1], |a, b| { let ($a, $b) = (a.trunc() as i64, b.trunc() as i64); ($truth) as f64 }))
                }).orders(0)
            ),*]
        };
    }
    let mut rows = each! {
        bitwise_and bitwise_and_ |a, b| a & b;
        bitwise_or bitwise_or_ |a, b| a | b;
        bitwise_xor bitwise_xor_ |a, b| a ^ b;
        bitwise_left_shift bitwise_left_shift_ |a, b| if b < 0 { 0 } else { a << b };
        bitwise_right_shift bitwise_right_shift_ |a, b| a >> if b < 0 { 63 } else { b };
    };
    rows.push(
        row("bitwise_not", |d| {
            let s = d.any_shape(0, 3);
            case(
                [d.whole_number(&s)],
                |x| x[0].to_dtype(DType::I64).bitwise_not(),
                |a| a[0].map(|v| -v.trunc() - 1.0),
            )
        })
        .orders(0),
    );
    rows
}

/// In place is the same function, written over a clone that shares memory; the clone must not change.
fn in_place() -> Vec<Row> {
    fn changed(x: &Tensor, f: impl Fn(&mut Tensor)) -> Tensor {
        let mut y = x.clone();
        f(&mut y);
        let mut again = x.copied_for_test();
        f(&mut again);
        assert!(again.detach().equal(&y.detach()) || y.numel() == 0, "shared and unshared memory differ");
        y
    }
    macro_rules! each {
        ($($in_place:ident $plain:ident $from:ident;)*) => {
            vec![$(row(stringify!($in_place), |d| {
                let shape = d.any_shape(0, 3);
                case([d.$from(&shape)],
                    |x| changed(&(&x[0] + 0.0), |y| { y.$in_place(); }),
                    |a| plain::$plain(&a[0]))
            })),*]
        };
    }
    mod plain {
        use super::Array;
        macro_rules! functions { ($($name:ident |$v:ident| $f:expr;)*) => { $(pub fn $name(a: &Array) -> Array { a.map(|$v| $f) })* } }
        functions! {
            neg |v| -v; abs |v| v.abs(); exp |v| v.exp(); ln |v| v.ln(); sqrt |v| v.sqrt(); rsqrt |v| 1.0 / v.sqrt();
            square |v| v * v; reciprocal |v| 1.0 / v; relu |v| v.max(0.0); sigmoid |v| super::sigmoid(v);
            tanh |v| v.tanh(); floor |v| v.floor(); ceil |v| v.ceil(); round |v| v.round_ties_even(); trunc |v| v.trunc();
            sin |v| v.sin(); cos |v| v.cos();
        }
    }
    let mut rows = each! {
        neg_ neg any; abs_ abs any; exp_ exp any; ln_ ln positive; sqrt_ sqrt positive; rsqrt_ rsqrt positive;
        square_ square any; reciprocal_ reciprocal positive; relu_ relu any; sigmoid_ sigmoid any; tanh_ tanh any;
        floor_ floor any; ceil_ ceil any; round_ round any; trunc_ trunc any; sin_ sin any; cos_ cos any;
    };
    macro_rules! with_operand {
        ($($in_place:ident $from:ident |$a:ident, $b:ident| $f:expr;)*) => {
            vec![$(row(stringify!($in_place), |d| {
                let shape = d.any_shape(0, 3);
                let tail = shape[d.below(shape.len() + 1)..].to_vec();
                case([d.positive(&shape), d.$from(&tail)],
                    |x| changed(&(&x[0] + 0.0), |y| { y.$in_place(&x[1]); }),
                    |x| x[0].zip(&x[1], |$a, $b| $f))
            })),*]
        };
    }
    rows.extend(with_operand! {
        add_ any |a, b| a + b; sub_ any |a, b| a - b; mul_ any |a, b| a * b; div_ positive |a, b| a / b;
        pow_ any |a, b| a.powf(b); copy_ any |_a, b| b;
    });
    rows.extend(
        with_operand! {
            remainder_ whole_divisor |a, b| a - b * (a / b).floor(); floor_divide_ whole_divisor |a, b| (a / b).floor();
            fmod_ whole_divisor |a, b| a % b; trunc_divide_ whole_divisor |a, b| (a / b).trunc();
        }
        .into_iter()
        .map(|r| r.orders(0).loose(4.0)),
    );
    type Change = fn(&mut Tensor, &[Tensor]);
    fn ternary(d: &mut Draw, change: Change, truth: fn(f64, f64, f64) -> f64) -> Case {
        let s = d.any_shape(0, 3);
        case(
            [d.any(&s), d.any(&s), d.positive(&s)],
            move |x| changed(&(&x[0] + 0.0), |y| change(y, x)),
            move |a| {
                let data = (0..a[0].data.len()).map(|i| truth(a[0].data[i], a[1].data[i], a[2].data[i]));
                Array { shape: a[0].shape.clone(), data: data.collect() }
            },
        )
    }
    rows.extend([
        row("addcmul_", |d| {
            ternary(
                d,
                |y, x| {
                    y.addcmul_(&x[1], &x[2], 0.5);
                },
                |a, b, c| a + 0.5 * b * c,
            )
        })
        .loose(4.0),
        row("addcdiv_", |d| {
            ternary(
                d,
                |y, x| {
                    y.addcdiv_(&x[1], &x[2], 0.5);
                },
                |a, b, c| a + 0.5 * b / c,
            )
        })
        .loose(4.0),
        row("lerp_", |d| {
            ternary(
                d,
                |y, x| {
                    y.lerp_(&x[1], &x[2]);
                },
                |a, b, c| a + (b - a) * c,
            )
        })
        .loose(4.0),
        row("masked_fill_", |d| {
            let s = d.any_shape(0, 3);
            case(
                [d.any(&s), d.mask(&s)],
                |x| {
                    changed(&(&x[0] + 0.0), |y| {
                        y.masked_fill_(&x[1], -1.0);
                    })
                },
                |a| a[0].zip(&a[1], |v, m| if m == 1.0 { -1.0 } else { v }),
            )
        }),
        row("clamp_", |d| {
            let s = d.any_shape(0, 3);
            case(
                [d.any(&s)],
                |x| {
                    changed(&(&x[0] + 0.0), |y| {
                        y.clamp_(-0.5, None);
                    })
                },
                |a| a[0].map(|v| v.max(-0.5)),
            )
        }),
        row("fill_", |d| {
            let s = d.any_shape(0, 3);
            case(
                [d.any(&s)],
                |x| {
                    changed(&x[0].detach(), |y| {
                        y.fill_(2.0);
                    })
                },
                |a| a[0].map(|_| 2.0),
            )
        })
        .ints()
        .orders(0),
        row("zero_", |d| {
            let s = d.any_shape(0, 3);
            case(
                [d.any(&s)],
                |x| {
                    changed(&x[0].detach(), |y| {
                        y.zero_();
                    })
                },
                |a| a[0].map(|_| 0.0),
            )
        })
        .ints()
        .orders(0),
    ]);
    rows
}

impl Draw {
    fn whole_number(&mut self, shape: &[usize]) -> crate::case::Input {
        let mut i = self.floats(shape, 0.0, 9.0);
        i.array.data.iter_mut().for_each(|v| *v = v.round());
        i
    }
    fn whole_divisor(&mut self, shape: &[usize]) -> crate::case::Input {
        let mut i = self.floats(shape, 1.0, 4.0);
        i.array.data.iter_mut().for_each(|v| *v = v.round());
        i
    }
}

/// Memory of its own, with the gradient passing through.
trait Copied {
    fn copied_for_test(&self) -> Tensor;
}
impl Copied for Tensor {
    fn copied_for_test(&self) -> Tensor {
        self * 1i64
    }
}
