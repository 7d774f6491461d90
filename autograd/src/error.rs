use std::fmt;
use std::panic::Location;

type At = &'static Location<'static>;

/// Why a backward could not be done. [`backward`](crate::backward) panics with it, at the user's line;
/// [`try_backward`](crate::try_backward) returns it.
#[derive(Debug, Clone)]
pub enum BackwardError {
    /// A root is not on the tape.
    NoGrad,
    /// A root has more than one element and no seed.
    NotScalar {
        /// What the root is.
        meta: String,
    },
    /// A seed, or what a hook returned, does not agree with the value it belongs to.
    Mismatch {
        /// What was given: a seed, a hook of some op.
        what: String,
        /// What was given.
        given: String,
        /// What was needed.
        wanted: String,
    },
    /// There are not as many seeds as roots.
    SeedCount {
        /// Number of roots.
        roots: usize,
        /// Number of seeds.
        seeds: usize,
    },
    /// An earlier backward used the rules up.
    Freed {
        /// The op that lacks its rules.
        op: &'static str,
        /// The line that ran it.
        location: At,
    },
    /// A rule or a hook panicked, or gave the wrong number of gradients.
    Rule {
        /// The op.
        op: &'static str,
        /// The line that ran it.
        location: At,
        /// What went wrong.
        message: String,
    },
    /// A rule made a NaN while `detect_anomaly` was on.
    Nan {
        /// The op.
        op: &'static str,
        /// The line that ran it.
        location: At,
        /// Which of the tracked inputs.
        input: usize,
    },
    /// `grad` was asked for an input that is not on the tape.
    InputNoGrad {
        /// Its index.
        index: usize,
    },
    /// `grad` was asked for an input that no output depends on.
    Unused {
        /// Its index.
        index: usize,
    },
}

impl fmt::Display for BackwardError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoGrad => write!(
                f,
                "backward: the value does not require grad and has no grad_fn; none of its inputs requires grad, \
                 or it was computed under no_grad"
            ),
            Self::NotScalar { meta } => write!(
                f,
                "backward: grad can be implicitly created only for scalar outputs, and this is {meta}; \
                 reduce it (`.sum()`, `.mean()`) or give a seed gradient"
            ),
            Self::Mismatch { what, given, wanted } => {
                write!(f, "backward: {what} is {given}, but the value it belongs to is {wanted}")
            }
            Self::SeedCount { roots, seeds } => {
                write!(f, "backward: {seeds} seed gradients for {roots} outputs")
            }
            Self::Freed { op, location } => write!(
                f,
                "backward: trying to go backward through the graph a second time, but what `{op}` (at {location}) \
                 saved was freed by the first; pass retain_graph there if you need to do this"
            ),
            Self::Rule { op, location, message } => {
                write!(f, "backward of `{op}` (at {location}): {message}")
            }
            Self::Nan { op, location, input } => write!(
                f,
                "backward of `{op}` (at {location}): the gradient of its tracked input {input} has NaN values"
            ),
            Self::InputNoGrad { index } => {
                write!(
                    f,
                    "grad: input {index} does not require grad; the outputs cannot be differentiated in it"
                )
            }
            Self::Unused { index } => write!(
                f,
                "grad: input {index} appears to not have been used in the graph; \
                 set allow_unused if this is the desired behavior"
            ),
        }
    }
}

impl std::error::Error for BackwardError {}
