//! Compute on raw memory: dtypes, layouts, buffers and the CPU kernels of taper.
