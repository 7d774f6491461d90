//! Coordinates of grids.

use crate::operand::AsTensor;
use crate::tensor::Tensor;
use taper_kernels::Dims;

impl Tensor {
    /// Vectors (or numbers) spread over the grid they span: result `i` has all vectors' sizes as shape and
    /// changes along dimension `i` only (`torch.meshgrid(indexing="ij")`). The results are views.
    ///
    /// # Panics
    /// For tensors of more than one dimension.
    #[track_caller]
    pub fn meshgrid<T: AsTensor>(tensors: &[T]) -> Vec<Tensor> {
        let tensors: Vec<_> = tensors.iter().map(AsTensor::as_tensor).collect();
        if let Some(t) = tensors.iter().find(|t| t.ndim() > 1) {
            panic!("meshgrid: expected vectors, got shape {:?}", t.shape());
        }
        let shape: Dims = tensors.iter().map(|t| t.numel()).collect();
        let spread = |(i, &n): (usize, &usize)| {
            let mut own = Dims::from_elem(1, shape.len());
            own[i] = n;
            tensors[i].reshape_to(&own).broadcast_to(&shape)
        };
        shape.iter().enumerate().map(spread).collect()
    }
}
