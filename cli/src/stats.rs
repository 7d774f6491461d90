//! Smallest, largest, mean and spread of a tensor, and what of it is no number.

use serde::Serialize;
use taper_tensor::{DType, Tensor};

/// What is known of a tensor's elements. NaN are counted and otherwise left out.
#[derive(Clone, Debug, PartialEq)]
pub struct Stats {
    /// None for no elements.
    pub min: Option<Number>,
    pub max: Option<Number>,
    pub mean: Option<f64>,
    /// With Bessel's correction, as `torch.std`; none for fewer than two elements.
    pub std: Option<f64>,
    pub nan: u64,
    pub inf: u64,
}

/// An element, exactly.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Number {
    Int(i64),
    Float(f64),
}

impl Number {
    pub fn show(self) -> String {
        match self {
            Number::Int(i) => i.to_string(),
            Number::Float(f) => crate::text::number(f),
        }
    }
}

/// Elements taken at a time: as f64 they stay in a core's cache.
const PIECE: usize = 1 << 15;

/// Looks at every element once. In f64, piece by piece, so that neither memory nor rounding grows with
/// the size.
pub fn of(tensor: &Tensor) -> Stats {
    let flat = tensor.detach().reshape([tensor.numel()]);
    let flat = if flat.dtype() == DType::Bool { flat.to_dtype(DType::U8) } else { flat };
    let mut total = Total::default();
    for start in (0..flat.numel()).step_by(PIECE) {
        let piece = flat.narrow(0, start as isize, PIECE.min(flat.numel() - start));
        if piece.dtype().is_float() { total.floats(&piece.to_dtype(DType::F64)) } else { total.ints(&piece) }
    }
    total.finish()
}

#[derive(Default)]
struct Total {
    min: Option<Number>,
    max: Option<Number>,
    count: f64,
    mean: f64,
    /// Sum of squared deviations from the mean.
    squares: f64,
    nan: u64,
    inf: u64,
}

impl Total {
    fn ints(&mut self, x: &Tensor) {
        let of = |x: Tensor| x.item_as::<i64>();
        self.extremes(Number::Int(of(x.min())), Number::Int(of(x.max())));
        let x = x.to_dtype(DType::F64);
        let mean = x.mean().item();
        self.add(x.numel() as f64, mean, &x);
    }

    fn floats(&mut self, x: &Tensor) {
        let sum = x.sum().item();
        if sum.is_finite() {
            self.extremes(Number::Float(x.min().item()), Number::Float(x.max().item()));
            return self.add(x.numel() as f64, sum / x.numel() as f64, x);
        }
        // Something is not finite, or the sum is too large.
        let nan = x.isnan();
        let nans = nan.sum().item_as::<i64>() as u64;
        self.nan += nans;
        self.inf += x.isinf().sum().item_as::<i64>() as u64;
        let count = x.numel() as u64 - nans;
        if count > 0 {
            let without = |other: f64| x.masked_fill(&nan, other);
            let (min, max) = (without(f64::INFINITY).min().item(), without(f64::NEG_INFINITY).max().item());
            self.extremes(Number::Float(min), Number::Float(max));
            let mean = without(0.0).sum().item() / count as f64;
            self.add(count as f64, mean, &without(mean));
        }
    }

    fn extremes(&mut self, min: Number, max: Number) {
        fn less(a: Number, b: Number) -> bool {
            match (a, b) {
                (Number::Int(a), Number::Int(b)) => a < b,
                (Number::Float(a), Number::Float(b)) => a < b,
                _ => unreachable!("elements of one tensor"),
            }
        }
        self.min = Some(self.min.filter(|&old| less(old, min)).unwrap_or(min));
        self.max = Some(self.max.filter(|&old| less(max, old)).unwrap_or(max));
    }

    /// Adds `count` elements of a mean (Chan's update); others in `x` equal the mean.
    fn add(&mut self, count: f64, mean: f64, x: &Tensor) {
        let away = x - mean;
        let squares = (&away * &away).sum().item();
        let (all, step) = (self.count + count, mean - self.mean);
        self.squares += squares + step * step * self.count / all * count;
        self.mean += step * (count / all);
        self.count = all;
    }

    fn finish(self) -> Stats {
        let any = self.count > 0.0;
        // Not a number where there is an infinity, and there is no more to say.
        let mean = match (self.inf > 0, self.min, self.max) {
            (true, Some(Number::Float(min)), Some(Number::Float(max))) => {
                if min == f64::NEG_INFINITY {
                    if max == f64::INFINITY { f64::NAN } else { min }
                } else {
                    max
                }
            }
            _ => self.mean,
        };
        let std = if self.inf > 0 { f64::NAN } else { (self.squares / (self.count - 1.0)).sqrt() };
        Stats {
            min: self.min,
            max: self.max,
            mean: any.then_some(mean),
            std: (self.count > 1.0).then_some(std),
            nan: self.nan,
            inf: self.inf,
        }
    }
}

/// JSON's numbers are finite; the others are texts.
pub struct Json(pub f64);

impl Serialize for Json {
    fn serialize<S: serde::Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        match self.0 {
            x if x.is_nan() => s.serialize_str("NaN"),
            f64::INFINITY => s.serialize_str("Infinity"),
            f64::NEG_INFINITY => s.serialize_str("-Infinity"),
            x => s.serialize_f64(x),
        }
    }
}

impl Serialize for Number {
    fn serialize<S: serde::Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        match *self {
            Number::Int(i) => s.serialize_i64(i),
            Number::Float(f) => Json(f).serialize(s),
        }
    }
}

impl Serialize for Stats {
    fn serialize<S: serde::Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        use serde::ser::SerializeStruct;
        let mut out = s.serialize_struct("Stats", 6)?;
        out.serialize_field("min", &self.min)?;
        out.serialize_field("max", &self.max)?;
        out.serialize_field("mean", &self.mean.map(Json))?;
        out.serialize_field("std", &self.std.map(Json))?;
        out.serialize_field("nan", &self.nan)?;
        out.serialize_field("inf", &self.inf)?;
        out.end()
    }
}
