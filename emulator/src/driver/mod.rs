//! The C interface of the CUDA driver.
