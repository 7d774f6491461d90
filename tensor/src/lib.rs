//! The Tensor of taper: its operations with their derivatives, and its random numbers.
