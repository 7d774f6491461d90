//! The Module derive macro of taper.
