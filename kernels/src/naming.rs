//! Which operation of a program a kernel works for, so that what is found wrong later is told by its name.

use std::cell::Cell;

thread_local! { static NAME: Cell<Option<&'static str>> = const { Cell::new(None) }; }

struct Restore(Option<&'static str>);

impl Drop for Restore {
    fn drop(&mut self) {
        NAME.set(self.0);
    }
}

/// Runs `f`, whose kernels work for an operation: a loss that looks up scores is told as that loss, not as `gather`.
/// Of operations inside one another the outermost counts.
pub fn working_for<R>(op: &'static str, f: impl FnOnce() -> R) -> R {
    let outer = NAME.get();
    let _restore = Restore(outer);
    NAME.set(outer.or(Some(op)));
    f()
}

/// The operation that this thread's kernels work for, or else the kernel's own name.
#[cfg(any(feature = "cuda", test))]
pub(crate) fn operation(kernel: &'static str) -> &'static str {
    NAME.get().unwrap_or(kernel)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_outermost_counts() {
        assert_eq!(operation("gather"), "gather");
        let (inside, after) =
            working_for("nll_loss", || (working_for("index", || operation("gather")), operation("gather")));
        assert_eq!((inside, after, operation("gather")), ("nll_loss", "nll_loss", "gather"));
    }
}
