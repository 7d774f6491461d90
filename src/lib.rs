//! taper.

pub use taper_autograd as autograd;
