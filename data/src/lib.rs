//! Datasets, data loading and file readers for taper.
