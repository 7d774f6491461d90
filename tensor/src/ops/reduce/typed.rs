//! Sums, means and products computed in a dtype that is asked for (`dtype=` in PyTorch).

use crate::operand::IntoDims;
use crate::tensor::Tensor;
use taper_kernels::DType;

macro_rules! typed {
    ($($(#[$doc:meta])* $name:ident($($arg:ident: $t:ty),*) => $function:ident;)*) => {
        impl Tensor { $(
            $(#[$doc])*
            #[track_caller]
            pub fn $name(&self, $($arg: $t,)* dtype: DType) -> Tensor {
                self.to_dtype(dtype).$function($($arg),*).to_dtype(dtype)
            }
        )* }
    };
}
typed! {
    /// [`sum_dim`](Self::sum_dim) of the elements converted to `dtype`, which the result has, too
    /// (`torch.sum(dim, keepdim, dtype=…)`). Small integers wrap.
    sum_dtype(dims: impl IntoDims, keepdim: bool) => sum_dim;
    /// [`mean_dim`](Self::mean_dim) of the elements converted to `dtype` (`torch.mean(dim, keepdim, dtype=…)`).
    ///
    /// # Panics
    /// Where `dtype` is no float.
    mean_dtype(dims: impl IntoDims, keepdim: bool) => mean_dim;
    /// [`prod_dim`](Self::prod_dim) of the elements converted to `dtype`, which the result has, too
    /// (`torch.prod(dim, keepdim, dtype=…)`). Small integers wrap.
    prod_dtype(dim: isize, keepdim: bool) => prod_dim;
    /// [`cumsum`](Self::cumsum) of the elements converted to `dtype`, which the result has, too
    /// (`torch.cumsum(dim, dtype=…)`). Small integers wrap.
    cumsum_dtype(dim: isize) => cumsum;
    /// [`cumprod`](Self::cumprod) of the elements converted to `dtype`, which the result has, too
    /// (`torch.cumprod(dim, dtype=…)`). Small integers wrap.
    cumprod_dtype(dim: isize) => cumprod;
}
