//! The CPU's kernels: SIMD chosen at run time, several threads where the work is worth it.

pub mod par;
#[doc(hidden)]
pub mod simd;
pub mod walk;

mod compare;
mod conv;
pub use conv::{set_winograd, winograd};
mod copy;
pub(crate) mod elementwise;
pub(crate) mod float16;
mod gemm;

mod index;
mod lane;
mod map;
mod math;
mod norm;
mod optimizer;
mod pool;
pub(crate) mod real;
mod reduce;
mod scan;
mod softmax;
mod sort;
pub(crate) mod stream;
mod team;
#[cfg(test)]
mod test_support;

use crate::{backend::*, random, random::Generator, *};

/// The backend of the host's processor.
#[derive(Clone, Copy, Debug, Default)]
pub struct Cpu;

impl Backend for Cpu {
    fn device(&self) -> Device {
        Device::Cpu
    }
    fn alloc(&self, bytes: usize) -> Result<Storage> {
        Ok(Storage::Cpu(Buffer::new(bytes)))
    }
    fn upload(&self, bytes: &[u8]) -> Result<Storage> {
        let mut b = Buffer::new(bytes.len());
        b.bytes_mut().copy_from_slice(bytes);
        Ok(Storage::Cpu(b))
    }
    fn download(&self, storage: &Storage) -> Result<Vec<u8>> {
        Ok(storage.as_cpu().expect("memory of another device").bytes().to_vec())
    }
    fn fill(&self, out: ViewMut, value: Scalar) -> Result {
        copy::fill(out, value)
    }
    fn arange(&self, out: ViewMut, start: Scalar, step: Scalar) -> Result {
        copy::arange(out, start, step)
    }
    fn copy(&self, x: View, out: ViewMut) -> Result {
        copy::copy(x, out)
    }
    fn unary(&self, op: UnaryOp, x: Src, out: ViewMut) -> Result {
        elementwise::unary(op, x, out)
    }
    fn binary(&self, op: BinaryOp, a: Src, b: Src, out: ViewMut) -> Result {
        elementwise::binary(op, a, b, out)
    }
    fn compare(&self, op: CompareOp, a: Src, b: Src, out: ViewMut) -> Result {
        compare::compare(op, a, b, out)
    }
    fn select(&self, cond: View, a: Src, b: Src, out: ViewMut) -> Result {
        compare::select(cond, a, b, out)
    }
    fn reduce(&self, op: ReduceOp, x: View, axes: &[usize], out: ViewMut) -> Result {
        reduce::reduce(op, x, axes, out)
    }
    fn scan(&self, op: ScanOp, x: View, axis: usize, out: ViewMut) -> Result {
        scan::scan(op, x, axis, out)
    }
    fn gemm(&self, gemm: Gemm) -> Result {
        gemm::gemm(gemm)
    }
    fn conv(&self, op: ConvOp, params: ConvParams, out: ViewMut) -> Result {
        conv::conv(op, params, out)
    }
    fn pool(&self, op: PoolOp, params: PoolParams, out: ViewMut) -> Result {
        pool::pool(op, params, out)
    }
    fn gather(&self, op: GatherOp, out: ViewMut) -> Result {
        index::gather(op, out)
    }
    fn scatter(&self, op: ScatterOp, out: ViewMut) -> Result {
        index::scatter(op, out)
    }
    fn nonzero(&self, x: View) -> Result<(Storage, usize)> {
        index::nonzero(x)
    }
    fn softmax(&self, op: SoftmaxOp, log: bool, axis: usize, out: ViewMut) -> Result {
        softmax::softmax(op, log, axis, out)
    }
    fn norm(&self, op: NormOp, out: Option<ViewMut>) -> Result {
        norm::norm(op, out)
    }
    fn sort(&self, x: View, axis: usize, descending: bool, values: ViewMut, indices: ViewMut) -> Result {
        sort::sort(x, axis, descending, values, indices)
    }
    fn topk(&self, x: View, axis: usize, largest: bool, values: ViewMut, indices: ViewMut) -> Result {
        sort::topk(x, axis, largest, values, indices)
    }
    fn random(&self, op: RandomOp, generator: &mut Generator, out: ViewMut) -> Result {
        random::fill(op, generator, out)
    }
    fn optimizer_step(&self, op: OptimizerOp, grad: View, param: ViewMut) -> Result {
        optimizer::step(op, grad, param)
    }
}
