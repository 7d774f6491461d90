//! Layers that change the shape alone, or nothing.

use super::plain_layer;

plain_layer! {
    /// Dimensions `start_dim..=end_dim` made one; by default all but the batch.
    Flatten, FlattenOptions () {
        /// First dimension; 1 by default.
        start_dim: isize = 1,
        /// Last dimension; −1 by default.
        end_dim: isize = -1,
    }
    repr |o| format!("start_dim={}, end_dim={}", o.start_dim, o.end_dim);
    |x, o| x.flatten(o.start_dim, o.end_dim)
}

plain_layer! {
    /// The input itself.
    Identity, IdentityOptions () {}
    repr |_o| String::new();
    |x, _o| x.clone()
}
