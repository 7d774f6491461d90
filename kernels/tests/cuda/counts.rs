//! A fixed list of calls, of which `cargo xtask cuda counts` keeps what the emulator counts: instructions,
//! memory sectors, passes over shared memory. No other test depends on it, so it is ignored otherwise.

use crate::support::device;
use std::fs::File;
use std::io::Write;
use taper_kernels::*;

/// What a case is to reach; `xtask` knows the numbers.
const STREAMING: &str = "streaming";
const PRODUCT: &str = "product";
const NOTHING: &str = "";

/// Memory of a device with its shape and dtype: small positive numbers.
struct Operand {
    storage: Storage,
    layout: Layout,
    dtype: DType,
}

impl Operand {
    fn new(be: &dyn Backend, shape: &[usize], dtype: DType) -> Operand {
        let layout = Layout::contiguous(shape);
        let bytes: Vec<u8> = (0..layout.numel()).flat_map(|k| number(dtype, k)).collect();
        Operand { storage: be.upload(&bytes).expect("room"), layout, dtype }
    }
    fn view(&self) -> View<'_> {
        View::new(&self.storage, self.dtype, &self.layout)
    }
    fn view_mut(&mut self) -> ViewMut<'_> {
        ViewMut::new(&mut self.storage, self.dtype, &self.layout)
    }
}

/// Element k: all dtypes get whole numbers from 1 to 7, in no simple order.
fn number(dtype: DType, k: usize) -> Vec<u8> {
    let v = (k as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 33;
    let v = 1 + v % 7;
    match dtype {
        DType::Bool => vec![(v > 3) as u8],
        DType::U8 | DType::I8 => vec![v as u8],
        DType::I16 => (v as i16).to_le_bytes().to_vec(),
        DType::I32 => (v as i32).to_le_bytes().to_vec(),
        DType::I64 => (v as i64).to_le_bytes().to_vec(),
        DType::F16 => f16::from_f64(v as f64).to_le_bytes().to_vec(),
        DType::BF16 => bf16::from_f64(v as f64).to_le_bytes().to_vec(),
        DType::F32 => (v as f32).to_le_bytes().to_vec(),
        DType::F64 => (v as f64).to_le_bytes().to_vec(),
    }
}

/// The list as it is run: each case is announced in the emulator's file, then waited for.
struct List<'a> {
    be: &'a dyn Backend,
    file: File,
}

impl List<'_> {
    fn case(
        &mut self,
        name: &str,
        goal: &str,
        operands: &[(&[usize], DType)],
        f: impl Fn(&dyn Backend, &mut [Operand]) -> Result,
    ) {
        let mut all: Vec<Operand> = operands.iter().map(|(s, d)| Operand::new(self.be, s, *d)).collect();
        self.be.synchronize().expect("healthy");
        writeln!(self.file, "{{\"case\":\"{name}\",\"goal\":\"{goal}\"}}").expect("room");
        f(self.be, &mut all).unwrap_or_else(|e| panic!("{name}: {e}"));
        self.be.synchronize().unwrap_or_else(|e| panic!("{name}: {e}"));
    }
}

fn elementwise(list: &mut List) {
    use DType::*;
    const N: &[usize] = &[1 << 18];
    const SQUARE: &[usize] = &[512, 512];
    list.case("fill f32", STREAMING, &[(N, F32)], |be, o| be.fill(o[0].view_mut(), Scalar::Float(1.5)));
    for (from, to) in [(F32, F16), (F16, F32), (I64, F32)] {
        list.case(&format!("cast {from} {to}"), STREAMING, &[(N, from), (N, to)], |be, o| {
            let [x, out] = o else { unreachable!() };
            be.copy(x.view(), out.view_mut())
        });
    }
    list.case("transpose f32", STREAMING, &[(SQUARE, F32), (SQUARE, F32)], |be, o| {
        let [x, out] = o else { unreachable!() };
        let turned = x.layout.transpose(0, 1);
        be.copy(View::new(&x.storage, F32, &turned), out.view_mut())
    });
    for (op, dtype) in [(BinaryOp::Add, F32), (BinaryOp::Mul, F16), (BinaryOp::Add, F64), (BinaryOp::Add, U8)]
    {
        list.case(&format!("{op:?} {dtype}"), STREAMING, &[(N, dtype); 3], |be, o| {
            let [a, b, out] = o else { unreachable!() };
            be.binary(op, a.view().into(), b.view().into(), out.view_mut())
        });
    }
    list.case(
        "Add f32, a row to a matrix",
        STREAMING,
        &[(SQUARE, F32), (&[512], F32), (SQUARE, F32)],
        |be, o| {
            let [a, b, out] = o else { unreachable!() };
            let row = Layout::new(SQUARE, [0isize, 1].as_slice(), 0);
            be.binary(BinaryOp::Add, a.view().into(), View::new(&b.storage, F32, &row).into(), out.view_mut())
        },
    );
    for (op, dtype) in [(UnaryOp::Relu, F32), (UnaryOp::Exp, F32), (UnaryOp::Gelu, BF16)] {
        list.case(&format!("{op:?} {dtype}"), STREAMING, &[(N, dtype); 2], |be, o| {
            let [x, out] = o else { unreachable!() };
            be.unary(op, x.view().into(), out.view_mut())
        });
    }
    list.case("Lt f32", STREAMING, &[(N, F32), (N, F32), (N, Bool)], |be, o| {
        let [a, b, out] = o else { unreachable!() };
        be.compare(CompareOp::Lt, a.view().into(), b.view().into(), out.view_mut())
    });
    list.case("select f32", STREAMING, &[(N, Bool), (N, F32), (N, F32), (N, F32)], |be, o| {
        let [c, a, b, out] = o else { unreachable!() };
        be.select(c.view(), a.view().into(), b.view().into(), out.view_mut())
    });
    list.case("Adam f32", STREAMING, &[(N, F32); 4], |be, o| {
        let [param, grad, m, v] = o else { unreachable!() };
        let (exp_avg, exp_avg_sq) = (m.view_mut(), v.view_mut());
        let op = OptimizerOp::Adam {
            lr: 1e-3,
            beta1: 0.9,
            beta2: 0.999,
            eps: 1e-8,
            weight_decay: 0.01,
            decoupled: true,
            maximize: false,
            step: 1.0,
            exp_avg,
            exp_avg_sq,
            max_exp_avg_sq: None,
        };
        be.optimizer_step(op, grad.view(), param.view_mut())
    });
}

fn rows(list: &mut List) {
    use DType::*;
    const SQUARE: &[usize] = &[512, 512];
    for (name, axes, shape) in
        [("columns", &[1usize][..], &[512usize, 1][..]), ("rows", &[0], &[1, 512]), ("all", &[0, 1], &[1, 1])]
    {
        list.case(&format!("Sum f32 over {name}"), STREAMING, &[(SQUARE, F32), (shape, F32)], |be, o| {
            let [x, out] = o else { unreachable!() };
            be.reduce(ReduceOp::Sum, x.view(), axes, out.view_mut())
        });
    }
    for (name, axis, shape) in [("columns", 1usize, &[512usize, 1][..]), ("rows", 0, &[1, 512])] {
        list.case(&format!("ArgMax f32 over {name}"), STREAMING, &[(SQUARE, F32), (shape, I64)], |be, o| {
            let [x, out] = o else { unreachable!() };
            be.reduce(ReduceOp::ArgMax, x.view(), &[axis], out.view_mut())
        });
    }
    list.case("running sum f32", NOTHING, &[(SQUARE, F32); 2], |be, o| {
        let [x, out] = o else { unreachable!() };
        be.scan(ScanOp::Sum, x.view(), 1, out.view_mut())
    });
    list.case("softmax f32", STREAMING, &[(SQUARE, F32); 2], |be, o| {
        let [x, out] = o else { unreachable!() };
        be.softmax(SoftmaxOp::Forward { x: x.view() }, false, 1, out.view_mut())
    });
    let layer: [(&[usize], DType); 6] =
        [(SQUARE, F32), (&[512], F32), (&[512], F32), (&[512], F32), (&[512], F32), (SQUARE, F32)];
    list.case("layer norm f32", STREAMING, &layer, |be, o| {
        let [x, w, b, mean, rstd, out] = o else { unreachable!() };
        let (weight, bias) = (Some(w.view()), Some(b.view()));
        let (mean, rstd) = (mean.view_mut(), rstd.view_mut());
        be.norm(NormOp::Layer { x: x.view(), weight, bias, eps: 1e-5, mean, rstd }, Some(out.view_mut()))
    });
    for (name, shape) in [("", [64, 16, 256]), (" of [N, C]", [4096, 64, 1])] {
        let c = &shape[1..2];
        let batch = [(&shape[..], F32), (c, F32), (c, F32)];
        list.case(&format!("batch norm's statistics{name} f32"), STREAMING, &batch, |be, o| {
            let [x, mean, var] = o else { unreachable!() };
            let (mean, var) = (mean.view_mut(), var.view_mut());
            be.norm(NormOp::BatchStats { x: x.view(), mean, var }, None)
        });
        let grad = [&[(&shape[..], F32); 3][..], &[(c, F32); 5]].concat();
        list.case(&format!("batch norm's gradient{name} f32"), STREAMING, &grad, |be, o| {
            let [x, g, out, w, mean, rstd, dw, db] = o else { unreachable!() };
            let (weight, mean, rstd) = (Some(w.view()), mean.view(), rstd.view());
            let (dweight, dbias) = (Some(dw.view_mut()), Some(db.view_mut()));
            let op = NormOp::BatchGrad { g: g.view(), x: x.view(), weight, mean, rstd, dweight, dbias };
            be.norm(op, Some(out.view_mut()))
        });
    }
    list.case(
        "rows by index f32",
        STREAMING,
        &[(SQUARE, F32), (&[256], I64), (&[256, 512], F32)],
        |be, o| {
            let [x, index, out] = o else { unreachable!() };
            be.gather(GatherOp::Select { x: x.view(), index: index.view(), dim: 0 }, out.view_mut())
        },
    );
    list.case("sort f32", NOTHING, &[(&[64, 256], F32), (&[64, 256], F32), (&[64, 256], I64)], |be, o| {
        let [x, values, indices] = o else { unreachable!() };
        be.sort(x.view(), 1, false, values.view_mut(), indices.view_mut())
    });
}

fn products(list: &mut List) {
    use DType::*;
    let product = |list: &mut List, goal, dtype: DType, [m, n, k]: [usize; 3], turned: [bool; 2]| {
        let factor =
            |rows: usize, cols: usize, turned: bool| if turned { [cols, rows] } else { [rows, cols] };
        let (a, b) = (factor(m, k, turned[0]), factor(k, n, turned[1]));
        let letter = |t: bool| if t { 't' } else { 'n' };
        let name = format!("product {dtype} {m}x{n}x{k} {}{}", letter(turned[0]), letter(turned[1]));
        list.case(&name, goal, &[(&a, dtype), (&b, dtype), (&[m, n], dtype)], |be, o| {
            let [a, b, out] = o else { unreachable!() };
            let layout = |x: &Operand, t: bool| if t { x.layout.transpose(0, 1) } else { x.layout.clone() };
            let (la, lb) = (layout(a, turned[0]), layout(b, turned[1]));
            let (va, vb) = (View::new(&a.storage, dtype, &la), View::new(&b.storage, dtype, &lb));
            let activation = Activation::None;
            be.gemm(Gemm { a: va, b: vb, out: out.view_mut(), accumulate: false, bias: None, activation })
        });
    };
    for turned in [[false, false], [false, true], [true, false]] {
        product(list, PRODUCT, F32, [512, 512, 512], turned);
    }
    // As many blocks as an A100 holds: large tiles; one of them for each multiprocessor.
    product(list, PRODUCT, F32, [1536, 1536, 128], [false, false]);
    for turned in [[false, false], [false, true], [true, false], [true, true]] {
        product(list, PRODUCT, F32, [1664, 1024, 1024], turned);
    }
    product(list, PRODUCT, F16, [256, 256, 256], [false, false]);
    product(list, PRODUCT, F64, [256, 256, 256], [false, false]);
    product(list, NOTHING, F32, [4, 512, 512], [false, true]);
    let image = ([8usize, 16, 28, 28], [32usize, 16, 3, 3], [8usize, 32, 28, 28]);
    let params = ConvParams { stride: [1, 1], padding: [1, 1], dilation: [1, 1], groups: 1 };
    list.case("convolution f32", PRODUCT, &[(&image.0, F32), (&image.1, F32), (&image.2, F32)], |be, o| {
        let [x, w, out] = o else { unreachable!() };
        let op = ConvOp::Forward { x: x.view(), w: w.view(), bias: None, activation: Activation::None };
        be.conv(op, params, out.view_mut())
    });
    list.case(
        "its input's gradient",
        PRODUCT,
        &[(&image.2, F32), (&image.1, F32), (&image.0, F32)],
        |be, o| {
            let [g, w, out] = o else { unreachable!() };
            be.conv(ConvOp::InputGrad { g: g.view(), w: w.view() }, params, out.view_mut())
        },
    );
    list.case(
        "its weight's gradient",
        PRODUCT,
        &[(&image.2, F32), (&image.0, F32), (&image.1, F32)],
        |be, o| {
            let [g, x, out] = o else { unreachable!() };
            be.conv(ConvOp::WeightGrad { g: g.view(), x: x.view() }, params, out.view_mut())
        },
    );
}

#[test]
#[ignore = "cargo xtask cuda counts runs it on the emulator"]
fn fixed_list() {
    let path = std::env::var("PTX_EMULATOR_COUNTS").expect("the file that the emulator counts into");
    let be = device().expect("the emulator");
    let file = File::options().append(true).create(true).open(path).expect("the file can be written");
    let mut list = List { be, file };
    elementwise(&mut list);
    rows(&mut list);
    products(&mut list);
    writeln!(list.file, "{{\"case\":\"\",\"goal\":\"\"}}").expect("room");
}
