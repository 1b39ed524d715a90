//! Dense tensors in host memory.
//!
//! ```
//! let tensor = warpface::Tensor::new([2, 2], vec![1.0, 2.0, 3.0, 4.0]);
//! assert_eq!(tensor.reshape([4]).dims(), [4]);
//! ```

use crate::shape::Shape;

/// A dense row-major tensor in host memory.
#[derive(Clone, Debug, PartialEq)]
pub struct Tensor<T = f32> {
    shape: Shape,
    data: Vec<T>,
}

impl<T> Tensor<T> {
    /// A tensor of this shape over this data, row-major.
    ///
    /// # Panics
    /// If `data` does not hold exactly `shape.elements()` values: the caller's bug, never the user's data.
    pub fn new(shape: impl Into<Shape>, data: Vec<T>) -> Self {
        let shape = shape.into();
        assert_eq!(shape.elements(), data.len(), "a tensor of shape {shape} cannot hold {} values", data.len());
        Tensor { shape, data }
    }

    /// The extents.
    pub fn shape(&self) -> &Shape {
        &self.shape
    }

    /// The extents as a slice.
    pub fn dims(&self) -> &[usize] {
        self.shape.dims()
    }

    /// The values, row-major.
    pub fn data(&self) -> &[T] {
        &self.data
    }

    /// The values, row-major, to be changed.
    pub fn data_mut(&mut self) -> &mut [T] {
        &mut self.data
    }

    /// The values alone.
    pub fn into_data(self) -> Vec<T> {
        self.data
    }

    /// The same values under another shape.
    ///
    /// # Panics
    /// If the two shapes differ in their number of elements.
    pub fn reshape(self, shape: impl Into<Shape>) -> Self {
        Tensor::new(shape, self.data)
    }
}

impl Tensor {
    /// A tensor to measure with: values do not matter to the time, but denormal ones would.
    pub fn filler(shape: impl Into<Shape>) -> Self {
        let shape = shape.into();
        let data = (0..shape.elements()).map(|i| (i % 255) as f32 / 128.0 - 1.0).collect();
        Tensor { shape, data }
    }
}

impl<T: Copy + Default> Tensor<T> {
    /// A tensor of zeros.
    pub fn zeros(shape: impl Into<Shape>) -> Self {
        let shape = shape.into();
        let data = vec![T::default(); shape.elements()];
        Tensor { shape, data }
    }

    /// The tensor with its axes reordered: axis `i` of the result is axis `axes[i]` of `self`.
    ///
    /// # Panics
    /// If `axes` is not a permutation of `0..rank`.
    pub fn permute(&self, axes: &[usize]) -> Self {
        let dims = self.dims();
        let mut sorted = axes.to_vec();
        sorted.sort_unstable();
        assert!(sorted.iter().copied().eq(0..dims.len()), "{axes:?} does not permute {} axes", dims.len());
        let mut strides = vec![1; dims.len()];
        for i in (1..dims.len()).rev() {
            strides[i - 1] = strides[i] * dims[i];
        }
        let out_dims: Vec<usize> = axes.iter().map(|&a| dims[a]).collect();
        let mut index = vec![0; dims.len()];
        let mut data = Vec::with_capacity(self.data.len());
        for _ in 0..self.data.len() {
            data.push(self.data[index.iter().zip(axes).map(|(&i, &a)| i * strides[a]).sum::<usize>()]);
            for axis in (0..index.len()).rev() {
                index[axis] += 1;
                if index[axis] < out_dims[axis] {
                    break;
                }
                index[axis] = 0;
            }
        }
        Tensor::new(out_dims, data)
    }
}
