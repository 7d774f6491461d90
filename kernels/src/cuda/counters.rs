//! What was asked of a device, counted for tests.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

macro_rules! counters {
    ($($(#[$doc:meta])* $name:ident,)*) => {
        /// How often the driver was asked for what, since the program began. Differences tell what a piece
        /// of a program costs; all of them are counts, none is a time.
        #[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
        #[non_exhaustive]
        pub struct Counts { $($(#[$doc])* pub $name: u64,)* }

        #[derive(Default)]
        pub(super) struct Counters { $(pub $name: AtomicU64,)* }

        impl Counters {
            pub fn read(&self) -> Counts {
                Counts { $($name: self.$name.load(Relaxed),)* }
            }
        }

        impl std::ops::Sub for Counts {
            type Output = Counts;
            fn sub(self, before: Counts) -> Counts {
                Counts { $($name: self.$name - before.$name,)* }
            }
        }
    };
}
counters! {
    /// Kernels put into the stream.
    launches,
    /// Waits of the host for the device: results that were read, `synchronize`.
    synchronizations,
    /// Waits for a staging block whose last copy had not been made: uploads faster than the device.
    staging_waits,
    /// Blocks of memory asked of the driver (not those that the cache had).
    allocations,
    /// Blocks of memory asked of the cache.
    requests,
    /// Copies from the host.
    uploads,
    /// Their bytes.
    uploaded_bytes,
    /// Copies to the host.
    downloads,
    /// Their bytes.
    downloaded_bytes,
    /// Copies from place to place on the device, without a kernel.
    device_copies,
    /// Modules that the driver compiled.
    modules,
}

impl Counters {
    /// One more, or several.
    pub fn add(counter: &AtomicU64, n: usize) {
        counter.fetch_add(n as u64, Relaxed);
    }
}
