//! taper.
