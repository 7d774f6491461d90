//! The kernels of CUDA devices: hand-written PTX (`kernels/cuda`), launched through the driver.
//!
//! All work of a device goes to one stream; a call returns when its kernel is in there. The host waits only
//! where it reads a result. A family stands in a file of its own; what has no kernel is
//! [`Unsupported`](crate::Error::Unsupported) and never computed on the CPU.

mod batch_norm;
mod context;
mod conv;
mod copy;
mod counters;
mod driver;
mod elementwise;
mod fault;
mod gemm;
mod index;
mod launch;
mod layer_norm;
mod lines;
mod memory;
mod modules;
mod nonzero;
mod norm;
mod optimizer;
mod pool;
mod properties;
mod random;
mod reduce;
mod scan;
mod softmax;
mod sort;
mod staging;
mod temp;
mod tiles;

pub use counters::Counts;
pub use launch::set_launch_limit;
pub use memory::CudaBuffer;
pub use properties::Properties;

use crate::{backend::*, random::Generator, *};
use context::Context;
use std::ops::Range;
use std::sync::{Mutex, OnceLock, PoisonError};

/// Devices there can be.
const DEVICES: usize = 64;
static OPENED: [OnceLock<CudaBackend>; DEVICES] = [const { OnceLock::new() }; DEVICES];
/// One thread opens a device at a time.
static OPENING: Mutex<()> = Mutex::new(());

/// The backend of one CUDA device.
pub struct CudaBackend {
    context: &'static Context,
}

/// The backend of a device, which is opened when it is first asked for; or why there is none (now: it may be that
/// another program has all its memory).
pub(crate) fn backend(index: usize) -> Result<&'static CudaBackend> {
    let Some(cell) = OPENED.get(index) else {
        let why = format!("no machine has more than {DEVICES} devices");
        return Err(Error::DeviceUnavailable { device: Device::Cuda(index), why });
    };
    if let Some(backend) = cell.get() {
        return Ok(backend);
    }
    let _one = OPENING.lock().unwrap_or_else(PoisonError::into_inner);
    if cell.get().is_none() {
        let context = Context::open(index)?;
        let _ = cell.set(CudaBackend { context: Box::leak(Box::new(context)) });
    }
    Ok(cell.get().expect("just set"))
}

/// How many CUDA devices the driver sees; 0 without a driver (`torch.cuda.device_count`).
pub fn device_count() -> usize {
    driver::count().unwrap_or(0)
}

/// A device's name as its driver says it (`torch.cuda.get_device_name`): an emulator says so here.
pub fn device_name(index: usize) -> Result<&'static str> {
    Ok(backend(index)?.context.driver.name())
}

/// What a device is (`torch.cuda.get_device_properties`).
pub fn properties(index: usize) -> Result<Properties> {
    backend(index)?.context.driver.properties()
}

/// What has been asked of a device since the program began.
pub fn counts(index: usize) -> Result<Counts> {
    Ok(backend(index)?.context.counts())
}

/// Bytes that tensors hold on a device, and bytes kept for reuse (`torch.cuda.memory_allocated`, and
/// `memory_reserved` without them).
pub fn memory(index: usize) -> Result<(usize, usize)> {
    Ok(backend(index)?.context.cache.bytes())
}

/// Gives a device's memory that is kept for reuse back to the system (`torch.cuda.empty_cache`).
pub fn empty_cache(index: usize) -> Result {
    let cx = backend(index)?.context;
    cx.cache.empty(&cx.driver)
}

impl Backend for CudaBackend {
    fn device(&self) -> Device {
        self.context.device()
    }
    fn alloc(&self, bytes: usize) -> Result<Storage> {
        self.context.alloc(bytes).map(Storage::Cuda)
    }
    fn upload(&self, bytes: &[u8]) -> Result<Storage> {
        self.context.upload(bytes).map(Storage::Cuda)
    }
    fn download(&self, storage: &Storage) -> Result<Vec<u8>> {
        self.download_range(storage, 0..storage.len())
    }
    fn download_range(&self, storage: &Storage, range: Range<usize>) -> Result<Vec<u8>> {
        match storage {
            Storage::Cuda(memory) if std::ptr::eq(memory.context(), self.context) => {
                self.context.download_at(memory, range.start, range.len())
            }
            other => Err(Error::OtherDevice { expected: self.device(), found: other.device() }),
        }
    }
    fn synchronize(&self) -> Result {
        self.context.synchronize()
    }
    fn fill(&self, out: ViewMut, value: Scalar) -> Result {
        copy::fill(self.context, out, value)
    }
    fn arange(&self, out: ViewMut, start: Scalar, step: Scalar) -> Result {
        copy::arange(self.context, out, start, step)
    }
    fn copy(&self, x: View, out: ViewMut) -> Result {
        copy::copy(self.context, x, out)
    }
    fn unary(&self, op: UnaryOp, x: Src, out: ViewMut) -> Result {
        elementwise::unary(self.context, op, x, out)
    }
    fn binary(&self, op: BinaryOp, a: Src, b: Src, out: ViewMut) -> Result {
        elementwise::binary(self.context, op, a, b, out)
    }
    fn compare(&self, op: CompareOp, a: Src, b: Src, out: ViewMut) -> Result {
        elementwise::compare(self.context, op, a, b, out)
    }
    fn select(&self, cond: View, a: Src, b: Src, out: ViewMut) -> Result {
        elementwise::select(self.context, cond, a, b, out)
    }
    fn reduce(&self, op: ReduceOp, x: View, axes: &[usize], out: ViewMut) -> Result {
        reduce::reduce(self.context, op, x, axes, out)
    }
    fn scan(&self, op: ScanOp, x: View, axis: usize, out: ViewMut) -> Result {
        scan::scan(self.context, op, x, axis, out)
    }
    fn gemm(&self, gemm: Gemm) -> Result {
        gemm::gemm(self.context, gemm)
    }
    fn conv(&self, op: ConvOp, params: ConvParams, out: ViewMut) -> Result {
        conv::conv(self.context, op, params, out)
    }
    fn pool(&self, op: PoolOp, params: PoolParams, out: ViewMut) -> Result {
        pool::pool(self.context, op, params, out)
    }
    fn gather(&self, op: GatherOp, out: ViewMut) -> Result {
        index::gather(self.context, op, out)
    }
    fn scatter(&self, op: ScatterOp, out: ViewMut) -> Result {
        index::scatter(self.context, op, out)
    }
    fn nonzero(&self, x: View) -> Result<(Storage, usize)> {
        nonzero::nonzero(self.context, x)
    }
    fn softmax(&self, op: SoftmaxOp, log: bool, axis: usize, out: ViewMut) -> Result {
        softmax::softmax(self.context, op, log, axis, out)
    }
    fn norm(&self, op: NormOp, out: Option<ViewMut>) -> Result {
        norm::norm(self.context, op, out)
    }
    fn sort(&self, x: View, axis: usize, descending: bool, values: ViewMut, indices: ViewMut) -> Result {
        sort::sort(self.context, x, axis, descending, values, indices)
    }
    fn topk(&self, x: View, axis: usize, largest: bool, values: ViewMut, indices: ViewMut) -> Result {
        sort::sort(self.context, x, axis, largest, values, indices)
    }
    fn random(&self, op: RandomOp, generator: &mut Generator, out: ViewMut) -> Result {
        random::random(self.context, op, generator, out)
    }
    fn optimizer_step(&self, op: OptimizerOp, grad: View, param: ViewMut) -> Result {
        optimizer::step(self.context, op, grad, param)
    }
}
