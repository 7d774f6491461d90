//! Random programs against forward-mode differentiation, which shares no code with the tape.

use std::ops::{Add, Div, Mul, Sub};

use proptest::prelude::*;
use taper_autograd::grad;
use taper_autograd::scalar::Scalar;

use crate::leaves;

/// A number with its derivatives in two directions and the mixed second one.
#[derive(Clone, Copy, Debug)]
struct Dual {
    v: f64,
    a: f64,
    b: f64,
    ab: f64,
}

impl Dual {
    /// Faà di Bruno to second order, from the outer function's value and derivatives at `self.v`.
    fn chain(self, [f0, f1, f2]: [f64; 3]) -> Dual {
        Dual { v: f0, a: f1 * self.a, b: f1 * self.b, ab: f2 * self.a * self.b + f1 * self.ab }
    }

    fn constant(v: f64) -> Dual {
        Dual { v, a: 0.0, b: 0.0, ab: 0.0 }
    }
}

impl Add for Dual {
    type Output = Dual;
    fn add(self, y: Dual) -> Dual {
        Dual { v: self.v + y.v, a: self.a + y.a, b: self.b + y.b, ab: self.ab + y.ab }
    }
}

impl Sub for Dual {
    type Output = Dual;
    fn sub(self, y: Dual) -> Dual {
        self + y.chain([-y.v, -1.0, 0.0])
    }
}

impl Mul for Dual {
    type Output = Dual;
    fn mul(self, y: Dual) -> Dual {
        Dual {
            v: self.v * y.v,
            a: self.a * y.v + self.v * y.a,
            b: self.b * y.v + self.v * y.b,
            ab: self.ab * y.v + self.a * y.b + self.b * y.a + self.v * y.ab,
        }
    }
}

impl Div for Dual {
    type Output = Dual;
    fn div(self, y: Dual) -> Dual {
        let r = 1.0 / y.v;
        self * y.chain([r, -r * r, 2.0 * r * r * r])
    }
}

/// What a program needs of its numbers.
trait Number: Clone + Add<Output = Self> + Sub<Output = Self> + Mul<Output = Self> + Div<Output = Self> {
    fn constant(v: f64) -> Self;
    fn tanh(&self) -> Self;
    fn exp(&self) -> Self;
    fn ln(&self) -> Self;
    fn sigmoid(&self) -> Self;
    fn powf(&self, e: f64) -> Self;
}

impl Number for Dual {
    fn constant(v: f64) -> Self {
        Dual::constant(v)
    }
    fn tanh(&self) -> Self {
        let t = self.v.tanh();
        self.chain([t, 1.0 - t * t, -2.0 * t * (1.0 - t * t)])
    }
    fn exp(&self) -> Self {
        self.chain([self.v.exp(); 3])
    }
    fn ln(&self) -> Self {
        self.chain([self.v.ln(), 1.0 / self.v, -1.0 / (self.v * self.v)])
    }
    fn sigmoid(&self) -> Self {
        let s = 1.0 / (1.0 + (-self.v).exp());
        self.chain([s, s * (1.0 - s), s * (1.0 - s) * (1.0 - 2.0 * s)])
    }
    fn powf(&self, e: f64) -> Self {
        let p = |k: f64| self.v.powf(e - k);
        self.chain([p(0.0), e * p(1.0), e * (e - 1.0) * p(2.0)])
    }
}

impl Number for Scalar {
    fn constant(v: f64) -> Self {
        Scalar::new(v)
    }
    fn tanh(&self) -> Self {
        self.tanh()
    }
    fn exp(&self) -> Self {
        self.exp()
    }
    fn ln(&self) -> Self {
        self.ln()
    }
    fn sigmoid(&self) -> Self {
        self.sigmoid()
    }
    fn powf(&self, e: f64) -> Self {
        self.powf(e)
    }
}

/// Each step makes a number from two earlier ones; all steps are smooth and stay bounded.
fn run<N: Number>(program: &[(u8, usize, usize)], inputs: [N; 2]) -> N {
    let mut numbers = inputs.to_vec();
    for &(kind, i, j) in program {
        let (x, y) = (numbers[i % numbers.len()].clone(), numbers[j % numbers.len()].clone());
        let positive = |x: &N| x.clone() * x.clone() + N::constant(0.5);
        let next = match kind % 9 {
            0 => x + y,
            1 => x - y,
            2 => x * y,
            3 => x / positive(&y),
            4 => x.tanh(),
            5 => x.tanh().exp(),
            6 => positive(&x).ln(),
            7 => x.sigmoid() * y,
            _ => positive(&x).powf(-0.7),
        };
        // Nothing may grow without bounds through repeated squaring.
        numbers.push(next.tanh());
    }
    numbers.pop().expect("two inputs at least")
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]
    #[test]
    #[cfg_attr(miri, ignore = "slow, and nothing the other tests do not touch")]
    fn agree_to_second_order(
        program in prop::collection::vec((any::<u8>(), 0usize..64, 0usize..64), 1..24),
        at in [-2.0..2.0, -2.0..2.0],
    ) {
        let [p, q] = at;
        let dual = run(&program, [
            Dual { a: 1.0, ..Dual::constant(p) },
            Dual { b: 1.0, ..Dual::constant(q) },
        ]);
        let x = leaves(at);
        let y = run(&program, x.clone());
        let close = |got: f64, want: f64| (got - want).abs() <= 1e-9 * want.abs().max(1.0);
        prop_assert!(close(y.item(), dual.v));
        if !y.requires_grad() {
            return Ok(());
        }
        let first = grad(&[y], &x, None, false, true, true);
        let item = |g: &Option<Scalar>| g.as_ref().map_or(0.0, Scalar::item);
        prop_assert!(close(item(&first[0]), dual.a), "{} {}", item(&first[0]), dual.a);
        prop_assert!(close(item(&first[1]), dual.b), "{} {}", item(&first[1]), dual.b);
        let second = match first[0].clone().filter(Scalar::requires_grad) {
            Some(d) => item(&grad(&[d], &x[1..], None, false, false, true)[0]),
            None => 0.0,
        };
        prop_assert!(close(second, dual.ab), "{second} {}", dual.ab);
    }
}
