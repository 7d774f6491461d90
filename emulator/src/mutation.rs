//! Changing a kernel by one instruction, to see whether anybody notices.

/// One change of one kernel: `PTX_EMULATOR_MUTATE=kernel:line` deletes the instruction at that line
/// of the PTX text, `kernel:line:mask` takes the last lane out of the mask that is its last operand.
///
/// ```
/// use ptx_emulator::Mutation;
/// let mutation = Mutation::parse("softmax_f32:412:mask").unwrap();
/// assert!(mutation.kernel == "softmax_f32" && mutation.line == 412 && mutation.mask);
/// assert_eq!(Mutation::parse("softmax_f32"), None);
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mutation {
    /// Name of the kernel.
    pub kernel: String,
    /// Line in the PTX text, counted from 1.
    pub line: u32,
    /// The mask shrinks; otherwise the instruction goes.
    pub mask: bool,
}

impl Mutation {
    /// Reads `kernel:line` or `kernel:line:mask`.
    pub fn parse(text: &str) -> Option<Self> {
        let mut parts = text.split(':');
        let (kernel, line, what) = (parts.next()?, parts.next()?, parts.next());
        if kernel.is_empty() || parts.next().is_some() || what.is_some_and(|w| w != "mask") {
            return None;
        }
        Some(Mutation { kernel: kernel.to_string(), line: line.parse().ok()?, mask: what.is_some() })
    }
}
