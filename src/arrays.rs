//! Conversions between tensors and ndarray's arrays.

use ndarray::{ArrayD, ArrayRef, Dimension, IxDyn};

use crate::face::Embeddings;
use crate::{Shape, Tensor};

impl<T> From<Tensor<T>> for ArrayD<T> {
    /// Without a copy.
    fn from(tensor: Tensor<T>) -> ArrayD<T> {
        let extents = IxDyn(tensor.dims());
        ArrayD::from_shape_vec(extents, tensor.into_data()).expect("a tensor has as many values as its shape")
    }
}

impl<T: Clone, D: Dimension> From<&ArrayRef<T, D>> for Tensor<T> {
    /// In row-major order, whatever the array's own is.
    fn from(array: &ArrayRef<T, D>) -> Tensor<T> {
        Tensor::new(Shape::from(array.shape()), array.iter().cloned().collect())
    }
}

impl From<Embeddings> for ndarray::Array2<f32> {
    /// Without a copy.
    fn from(embeddings: Embeddings) -> ndarray::Array2<f32> {
        let extents = (embeddings.len(), embeddings.dim());
        ndarray::Array2::from_shape_vec(extents, embeddings.into_vec()).expect("rows of one length")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn arrays_of_any_order_become_row_major() {
        let tensor = Tensor::new([2, 3], vec![1, 2, 3, 4, 5, 6]);
        let array = ArrayD::from(tensor.clone());
        assert_eq!(array[[1, 0]], 4);
        assert_eq!(Tensor::from(&*array), tensor);
        let turned = array.t().to_owned();
        assert_eq!(Tensor::from(&*turned), Tensor::new([3, 2], vec![1, 4, 2, 5, 3, 6]));
        let rows = ndarray::Array2::from(Embeddings::new(2, vec![1.0, 2.0, 3.0, 4.0]));
        assert_eq!(rows[[1, 1]], 4.0);
    }
}
