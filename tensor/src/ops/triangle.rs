//! Diagonals and triangles of matrices.

use crate::error::{Error, ok};
use crate::tensor::{Meta, Tensor, wrap_dim};
use taper_kernels::{Dims, Layout, Strides};

/// The diagonal `offset` above the main one of dimensions `a` and `b`, as last dimension.
fn diagonal(l: &Layout, offset: isize, a: usize, b: usize) -> Layout {
    let (rows, columns) = (l.shape()[a] as isize, l.shape()[b] as isize);
    let (down, right) = ((-offset).max(0), offset.max(0));
    let n = (rows - down).min(columns - right).max(0) as usize;
    let others = || (0..l.ndim()).filter(|&d| d != a && d != b);
    let mut shape: Dims = others().map(|d| l.shape()[d]).collect();
    let mut strides: Strides = others().map(|d| l.strides()[d]).collect();
    let start = if n > 0 { down * l.strides()[a] + right * l.strides()[b] } else { 0 };
    shape.push(n);
    strides.push(l.strides()[a] + l.strides()[b]);
    Layout::new(shape, strides, (l.offset() as isize + start) as usize)
}

impl Tensor {
    /// Two different dimensions of this tensor, or of one with `ndim` dimensions made from it.
    #[track_caller]
    fn dim_pair(name: &'static str, ndim: usize, a: isize, b: isize) -> (usize, usize) {
        assert!(ndim >= 2, "{name}: expected at least two dimensions");
        let (a, b) = (ok(wrap_dim(name, a, ndim)), ok(wrap_dim(name, b, ndim)));
        assert!(a != b, "{name}: the two dimensions must differ, both are {a}");
        (a, b)
    }

    /// Elements on the diagonal of dimensions `dim1` and `dim2`, as a view whose last dimension they are
    /// (`torch.diagonal`, there by default offset 0 and dimensions 0 and 1). A positive offset is above
    /// the main diagonal.
    ///
    /// # Panics
    /// For fewer than two dimensions, and twice the same one.
    #[track_caller]
    pub fn diagonal(&self, offset: isize, dim1: isize, dim2: isize) -> Tensor {
        let (a, b) = Tensor::dim_pair("diagonal", self.ndim(), dim1, dim2);
        self.part("diagonal", move |l| diagonal(l, offset, a, b))
    }

    /// The last dimension on the diagonal of new dimensions `dim1` and `dim2`, zeros elsewhere
    /// (`torch.diag_embed`, there by default offset 0 and dimensions −2 and −1).
    ///
    /// # Panics
    /// For a 0-d tensor, and twice the same dimension.
    #[track_caller]
    pub fn diag_embed(&self, offset: isize, dim1: isize, dim2: isize) -> Tensor {
        assert!(self.ndim() > 0, "diag_embed: a 0-d tensor has no dimension to put on a diagonal");
        let (a, b) = Tensor::dim_pair("diag_embed", self.ndim() + 1, dim1, dim2);
        let n = self.size(-1) + offset.unsigned_abs();
        let mut shape: Dims = self.shape()[..self.ndim() - 1].into();
        shape.insert(a.min(b), n);
        shape.insert(a.max(b), n);
        let meta = Meta { shape, dtype: self.dtype(), device: self.device() };
        self.place(meta, move |l| diagonal(l, offset, a, b))
    }

    /// The matrix with a vector on its diagonal, or the vector on the diagonal of a matrix (`torch.diag`,
    /// default diagonal 0).
    ///
    /// # Panics
    /// For other numbers of dimensions.
    #[track_caller]
    pub fn diag(&self, diagonal: isize) -> Tensor {
        match self.ndim() {
            1 => self.diag_embed(diagonal, 0, 1),
            2 => self.diagonal(diagonal, 0, 1),
            _ => panic!("diag: expected a vector or a matrix, got shape {:?}", self.shape()),
        }
    }

    /// The sum of a matrix's diagonal.
    ///
    /// # Panics
    /// Where the tensor is not a matrix.
    #[track_caller]
    pub fn trace(&self) -> Tensor {
        assert!(self.ndim() == 2, "trace: expected a matrix, got shape {:?}", self.shape());
        self.diagonal(0, 0, 1).sum()
    }

    /// Matrices with the elements above a diagonal set to 0 (`torch.tril`, default diagonal 0; a
    /// positive one keeps more).
    ///
    /// # Panics
    /// For fewer than two dimensions.
    #[track_caller]
    pub fn tril(&self, diagonal: isize) -> Tensor {
        self.masked_fill(&self.columns_right_of("tril", diagonal + 1), 0i64)
    }

    /// Matrices with the elements below a diagonal set to 0 (`torch.triu`, default diagonal 0; a
    /// negative one keeps more).
    ///
    /// # Panics
    /// For fewer than two dimensions.
    #[track_caller]
    pub fn triu(&self, diagonal: isize) -> Tensor {
        self.masked_fill(&self.columns_right_of("triu", diagonal).logical_not(), 0i64)
    }

    /// Whether `column − row ≥ diagonal`, for the last two dimensions.
    #[track_caller]
    fn columns_right_of(&self, name: &'static str, diagonal: isize) -> Tensor {
        let &[.., rows, columns] = self.shape() else {
            panic!("{}", Error::shape(name, format!("expected matrices, got shape {:?}", self.shape())));
        };
        let count = |n: usize, from: isize| {
            let from = from as i64;
            Tensor::arange_with(from, from + n as i64, 1i64, (taper_kernels::DType::I64, self.device()))
        };
        count(columns, 0).ge(count(rows, diagonal).unsqueeze(-1))
    }
}
