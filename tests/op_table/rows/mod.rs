//! The table. One file per family, as in `tensor/src/ops`.

mod elementwise;
mod index;
mod layers;
mod linear;
mod reduce;
mod shape;

use crate::case::Row;

/// Every row.
pub fn all() -> Vec<Row> {
    [elementwise::rows(), reduce::rows(), shape::rows(), index::rows(), linear::rows(), layers::rows()]
        .into_iter()
        .flatten()
        .collect()
}

/// The text of the rows: an operation counts as tested if a row calls it.
pub const SOURCES: &[&str] = &[
    include_str!("elementwise.rs"),
    include_str!("index.rs"),
    include_str!("layers.rs"),
    include_str!("linear.rs"),
    include_str!("reduce.rs"),
    include_str!("shape.rs"),
];
