//! What goes wrong: text that cannot be loaded, and kernels that fail while they run.

/// PTX that cannot be loaded: the place and the reason.
///
/// ```
/// use ptx_emulator::{Device, Options, Profile};
/// let ptx = ".version 7.0 .target sm_80 .address_size 64\n.visible .entry k() {\n  frobnicate.b32;\n}";
/// let error = Device::new(Profile::sm_80(), Options::default()).load(ptx).map(|_| ()).unwrap_err();
/// assert_eq!((error.line, error.text.as_str()), (3, "frobnicate.b32;"));
/// ```
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("PTX line {line}: `{text}`: {reason}")]
pub struct PtxError {
    /// Line in the PTX text, counted from 1.
    pub line: u32,
    /// That line.
    pub text: String,
    /// What is wrong with it.
    pub reason: String,
}

/// The class of a [`Fault`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FaultKind {
    /// An access outside every allocation, or to memory that was freed.
    OutOfBounds,
    /// An address that is no multiple of the access's size.
    Misaligned,
    /// Two unordered accesses to one place, at least one of them a write.
    Race,
    /// A read of memory that nobody has written.
    Uninitialised,
    /// A barrier or a warp-wide instruction that not all of its threads reach.
    Divergence,
    /// A shuffle or vote whose mask does not fit the threads that execute it.
    Mask,
    /// `trap`, or a write to constant memory.
    Trap,
    /// A launch that this device cannot run: too many threads, too much shared memory.
    Launch,
    /// The instruction limit was reached, or no warp can go on.
    Hang,
}

/// A kernel's failure, with the place: kernel, block, thread, PTX line and, where the PTX has
/// `.loc` lines or [`Options::lines`](crate::Options::lines) a table, the line of the source.
///
/// ```
/// use ptx_emulator::{Device, Dim, FaultKind, Options, Profile};
/// let ptx = ".version 7.0 .target sm_80 .address_size 64
/// .visible .entry k() {
///   .reg .b64 %rd<2>;
///   mov.u64 %rd1, 16;
///   st.global.u32 [%rd1], 1;
///   ret;
/// }";
/// let device = Device::new(Profile::sm_80(), Options::default());
/// let kernel = device.load(ptx).unwrap().kernel("k").unwrap();
/// let fault = device.launch(kernel, Dim::x(1), Dim::x(32), 0, &[]).unwrap_err();
/// assert_eq!((fault.kind, fault.line), (FaultKind::OutOfBounds, 5));
/// assert!(fault.to_string().contains("kernel k, block (0, 0, 0), thread (0, 0, 0)"));
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    /// The class.
    pub kind: FaultKind,
    /// What happened, in words.
    pub what: String,
    /// Name of the kernel.
    pub kernel: String,
    /// `blockIdx`.
    pub block: [u32; 3],
    /// `threadIdx` of the first thread concerned.
    pub thread: [u32; 3],
    /// Line of the PTX text; 0 where no instruction is to blame.
    pub line: u32,
    /// The instruction.
    pub text: Box<str>,
    /// `file:line:column` by `.loc`, or `file:line` by a table, where there is one.
    pub source: Option<String>,
}

impl Fault {
    fn report(&self) -> String {
        let [bx, by, bz] = self.block;
        let [tx, ty, tz] = self.thread;
        let mut out = format!(
            "{}\n  kernel {}, block ({bx}, {by}, {bz}), thread ({tx}, {ty}, {tz})",
            self.what, self.kernel
        );
        if self.line > 0 {
            out += &format!("\n  PTX line {}: {}", self.line, self.text);
        }
        if let Some(source) = &self.source {
            out += &format!("\n  at {source}");
        }
        out
    }
}

impl std::fmt::Display for Fault {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.report())
    }
}

impl std::error::Error for Fault {}
