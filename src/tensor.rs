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
        let steps: Vec<usize> = axes.iter().map(|&a| strides[a]).collect();
        let mut data = vec![T::default(); self.data.len()];
        if !data.is_empty() {
            fill(&mut data, &self.data, &merged(&out_dims, &steps));
        }
        Tensor::new(out_dims, data)
    }
}

/// An axis of the result: its extent, and how far apart its elements lie in the source.
type Axis = (usize, usize);

/// Axes that the source walks through as one become one.
fn merged(dims: &[usize], steps: &[usize]) -> Vec<Axis> {
    let mut axes: Vec<Axis> = Vec::new();
    for (&extent, &step) in dims.iter().zip(steps).filter(|&(&extent, _)| extent != 1) {
        match axes.last_mut() {
            Some(outer) if outer.1 == step * extent => *outer = (outer.0 * extent, step),
            _ => axes.push((extent, step)),
        }
    }
    axes
}

/// How many rows are written side by side: as many as share a cache line of the source.
const ROWS: usize = 16;

/// Fills `to` with the elements of `from` that lie along these axes.
fn fill<T: Copy>(to: &mut [T], from: &[T], axes: &[Axis]) {
    match *axes {
        [] => to[0] = from[0],
        [(extent, 1)] => to.copy_from_slice(&from[..extent]),
        [(_, step)] => to.iter_mut().zip(from.iter().step_by(step)).for_each(|(to, &from)| *to = from),
        [(outer, 1), (inner, step)] => {
            for first in (0..outer).step_by(ROWS) {
                let rows = ROWS.min(outer - first);
                for i in 0..inner {
                    let line = &from[i * step + first..][..rows];
                    line.iter().enumerate().for_each(|(row, &value)| to[(first + row) * inner + i] = value);
                }
            }
        }
        [(extent, step), ref inner @ ..] => {
            let rows = to.chunks_exact_mut(to.len() / extent);
            rows.enumerate().for_each(|(i, row)| fill(row, &from[i * step..], inner));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_order_of_axes_puts_each_element_where_it_belongs() {
        let dims = [3, 19, 2, 33];
        let tensor = Tensor::new(dims, (0..3 * 19 * 2 * 33).collect::<Vec<i32>>());
        let strides = [19 * 2 * 33, 2 * 33, 33, 1];
        for code in 0..256 {
            let axes = [code & 3, code >> 2 & 3, code >> 4 & 3, code >> 6];
            if (0..4).any(|axis| !axes.contains(&axis)) {
                continue;
            }
            let turned = tensor.permute(&axes);
            assert_eq!(turned.dims(), axes.map(|axis| dims[axis]));
            for (at, &value) in turned.data().iter().enumerate() {
                let mut rest = at;
                let mut from = 0;
                for &axis in axes.iter().rev() {
                    from += rest % dims[axis] * strides[axis];
                    rest /= dims[axis];
                }
                assert_eq!(value as usize, from, "{axes:?} at {at}");
            }
        }
        assert_eq!(Tensor::new([0, 3], Vec::<f32>::new()).permute(&[1, 0]).dims(), [3, 0]);
        assert_eq!(Tensor::new([], vec![7.0]).permute(&[]).data(), [7.0]);
        assert_eq!(Tensor::new([1, 1], vec![7.0]).permute(&[1, 0]).data(), [7.0]);
    }
}
