//! Rows of the table, and how their inputs are drawn.

use crate::array::Array;
use taper::{DType, Tensor};

/// An input of an operation.
#[derive(Clone)]
pub struct Input {
    pub array: Array,
    pub kind: Kind,
}

#[derive(Clone, Copy, PartialEq)]
pub enum Kind {
    /// Takes every floating-point dtype, and a gradient.
    Float,
    /// Takes every floating-point dtype, but no gradient flows to it.
    Constant,
    /// Positions, i64.
    Index,
    /// Truth values.
    Mask,
}

impl Input {
    pub fn tensor(&self, dtype: DType) -> Tensor {
        let t = Tensor::from_slice(&self.array.data, &self.array.shape);
        match self.kind {
            Kind::Float | Kind::Constant => t.to_dtype(dtype),
            Kind::Index => t.to_dtype(DType::I64),
            Kind::Mask => t.to_dtype(DType::Bool),
        }
    }
}

pub type Run = Box<dyn Fn(&[Tensor]) -> Tensor + Send + Sync>;
pub type Truth = Box<dyn Fn(&[Array]) -> Array + Send + Sync>;

/// One draw of a row: inputs, the operation on tensors, the same on naive arrays.
pub struct Case {
    pub inputs: Vec<Input>,
    pub run: Run,
    pub truth: Truth,
}

pub fn case(
    inputs: impl Into<Vec<Input>>,
    run: impl Fn(&[Tensor]) -> Tensor + Send + Sync + 'static,
    truth: impl Fn(&[Array]) -> Array + Send + Sync + 'static,
) -> Case {
    Case { inputs: inputs.into(), run: Box::new(run), truth: Box::new(truth) }
}

/// A row: an operation with everything that is asked of it.
pub struct Row {
    pub name: &'static str,
    pub draw: fn(&mut Draw) -> Case,
    /// Whether integers are accepted and give exact results.
    pub ints: bool,
    /// How often the gradient exists: 0, 1 or 2 times.
    pub orders: usize,
    /// Factor on the tolerance of narrow dtypes.
    pub loose: f64,
}

/// A row that is differentiable twice and takes floats only.
pub fn row(name: &'static str, draw: fn(&mut Draw) -> Case) -> Row {
    Row { name, draw, ints: false, orders: 2, loose: 1.0 }
}
impl Row {
    pub fn ints(self) -> Row {
        Row { ints: true, ..self }
    }
    pub fn orders(self, orders: usize) -> Row {
        Row { orders, ..self }
    }
    pub fn loose(self, loose: f64) -> Row {
        Row { loose, ..self }
    }
}

/// How large inputs are.
#[derive(Clone, Copy, PartialEq, Debug)]
pub enum Size {
    /// A few elements, none in a dimension now and then.
    Tiny,
    /// A few elements, at least one in each dimension.
    Small,
    /// Enough for several threads.
    Large,
}

/// A source of inputs: everything follows from the seed.
pub struct Draw {
    pub state: u64,
    pub size: Size,
    /// Whole numbers only, small enough for every dtype.
    pub whole: bool,
}

impl Draw {
    pub fn new(seed: u64, size: Size) -> Draw {
        Draw { state: seed, size, whole: false }
    }

    /// SplitMix64.
    pub fn bits(&mut self) -> u64 {
        self.state = self.state.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.state;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }
    pub fn below(&mut self, n: usize) -> usize {
        (self.bits() % n as u64) as usize
    }
    pub fn unit(&mut self) -> f64 {
        (self.bits() >> 11) as f64 / (1u64 << 53) as f64
    }
    pub fn flag(&mut self) -> bool {
        self.bits() & 1 == 1
    }
    pub fn one_of<T: Copy>(&mut self, options: &[T]) -> T {
        options[self.below(options.len())]
    }

    /// A size of one dimension among `ndim`.
    fn extent(&mut self, ndim: usize) -> usize {
        match self.size {
            Size::Tiny => self.one_of(&[0, 1, 1, 2, 3, 4]),
            Size::Small => self.one_of(&[1, 2, 3, 4]),
            Size::Large => {
                let side = [0, 70_001, 270, 44, 18, 10][ndim.min(5)];
                side + self.below(7)
            }
        }
    }
    /// A shape of `ndim` dimensions.
    pub fn shape(&mut self, ndim: usize) -> Vec<usize> {
        (0..ndim).map(|_| self.extent(ndim)).collect()
    }
    /// A shape of `low` to `high` dimensions.
    pub fn any_shape(&mut self, low: usize, high: usize) -> Vec<usize> {
        let low = if self.size == Size::Large { low.max(1) } else { low };
        let n = low + self.below(high + 1 - low);
        self.shape(n)
    }
    /// A shape without empty dimensions.
    pub fn full_shape(&mut self, ndim: usize) -> Vec<usize> {
        self.shape(ndim).into_iter().map(|n| n.max(1)).collect()
    }
    /// Two shapes that broadcast, made by dropping and flattening dimensions of one.
    pub fn broadcast_pair(&mut self) -> (Vec<usize>, Vec<usize>) {
        let full = self.any_shape(0, 3);
        let side = |d: &mut Draw| -> Vec<usize> {
            let keep = if full.is_empty() { 0 } else { d.below(full.len() + 1) };
            full[full.len() - keep..].iter().map(|&n| if d.below(3) == 0 { 1 } else { n }).collect()
        };
        let other = side(self);
        if self.flag() { (full.clone(), other) } else { (other, full.clone()) }
    }

    fn input(&mut self, shape: &[usize], kind: Kind, mut f: impl FnMut(&mut Draw) -> f64) -> Input {
        let n = shape.iter().product();
        let data = (0..n).map(|_| f(self)).collect();
        Input { array: Array { shape: shape.to_vec(), data }, kind }
    }
    /// Floats between two bounds, away from whole numbers and halves.
    pub fn floats(&mut self, shape: &[usize], low: f64, high: f64) -> Input {
        let whole = self.whole;
        self.input(shape, Kind::Float, |d| {
            let v = low + (high - low) * d.unit();
            if whole {
                return v.round();
            }
            // Clear of whole numbers and halves also after rounding to bf16: there are the kinks.
            let off = v - v.floor();
            let clear = (0.07..0.43).contains(&off) || (0.57..0.93).contains(&off);
            if clear { v } else { v.floor() + 0.3 }
        })
    }
    /// Floats in -2..2, or whole numbers in 0..=5.
    pub fn any(&mut self, shape: &[usize]) -> Input {
        if self.whole { self.floats(shape, 0.0, 5.0) } else { self.floats(shape, -2.0, 2.0) }
    }
    /// Floats in 0.3..2.5, or whole numbers in 1..=5.
    pub fn positive(&mut self, shape: &[usize]) -> Input {
        if self.whole { self.floats(shape, 1.0, 5.0) } else { self.floats(shape, 0.3, 2.5) }
    }
    /// Distinct values in random order, a step of 1/4 apart (whole numbers, if asked).
    pub fn distinct(&mut self, shape: &[usize]) -> Input {
        let n: usize = shape.iter().product();
        let mut values: Vec<f64> = (0..n)
            .map(|i| if self.whole { i as f64 } else { (i as f64 - n as f64 / 2.0) / 4.0 + 0.1 })
            .collect();
        for i in (1..n).rev() {
            values.swap(i, self.below(i + 1));
        }
        Input { array: Array { shape: shape.to_vec(), data: values }, kind: Kind::Float }
    }
    pub fn index(&mut self, shape: &[usize], below: usize) -> Input {
        self.input(shape, Kind::Index, |d| d.below(below) as f64)
    }
    /// Positions that do not repeat along a dimension.
    pub fn permuted_index(&mut self, shape: &[usize], dim: usize, below: usize) -> Input {
        let draws = std::cell::RefCell::new(Draw::new(self.bits(), Size::Small));
        let array = Array::from_fn(shape, |_| 0.0).along(dim, |line| {
            let mut order: Vec<f64> = (0..below).map(|i| i as f64).collect();
            for i in (1..below).rev() {
                order.swap(i, draws.borrow_mut().below(i + 1));
            }
            order[..line.len()].to_vec()
        });
        Input { array, kind: Kind::Index }
    }
    pub fn mask(&mut self, shape: &[usize]) -> Input {
        self.input(shape, Kind::Mask, |d| d.flag() as u8 as f64)
    }
    /// A dimension of a shape, counted from the front, and the same or its negative twin as an argument.
    pub fn dim(&mut self, ndim: usize) -> (usize, isize) {
        let d = self.below(ndim.max(1));
        (d, if self.flag() { d as isize } else { d as isize - ndim.max(1) as isize })
    }
}

impl Input {
    pub fn constant(self) -> Input {
        Input { kind: Kind::Constant, ..self }
    }
}
