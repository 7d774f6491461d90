//! State-dict files of taper: safetensors.
