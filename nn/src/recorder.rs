//! What layers put out while a summary is made.

use crate::module::Module;
use std::cell::RefCell;
use taper_tensor::Tensor;

/// One call of a layer.
pub(crate) struct Record {
    /// The layer's address.
    pub address: usize,
    pub kind: &'static str,
    /// Shape of the output.
    pub shape: Vec<usize>,
    /// Bytes of the output.
    pub bytes: usize,
}

thread_local! {
    static RECORDS: RefCell<Option<Vec<Record>>> = const { RefCell::new(None) };
}

/// The address by which a module is known.
pub(crate) fn address<M: ?Sized>(module: &M) -> usize {
    (module as *const M).cast::<()>() as usize
}

/// Notes a layer's output; does nothing unless a summary is being made on this thread.
pub(crate) fn record<M: Module + ?Sized>(module: &M, output: &Tensor) {
    RECORDS.with_borrow_mut(|records| {
        if let Some(records) = records {
            records.push(Record {
                address: address(module),
                kind: module.kind(),
                shape: output.shape().to_vec(),
                bytes: output.numel() * output.dtype().size(),
            });
        }
    });
}

/// What `f` records. Nothing stays behind if it panics.
pub(crate) fn recording<R>(f: impl FnOnce() -> R) -> (R, Vec<Record>) {
    struct Outer(Option<Vec<Record>>);
    impl Drop for Outer {
        fn drop(&mut self) {
            RECORDS.set(self.0.take());
        }
    }
    let outer = Outer(RECORDS.replace(Some(Vec::new())));
    let result = f();
    let records = RECORDS.take().unwrap_or_default();
    drop(outer);
    (result, records)
}
