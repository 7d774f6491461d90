//! What a training loop shows and keeps: progress and metrics.
