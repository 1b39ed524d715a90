//! A tensor in a file: what is known of it before it is read, and how it is read.

use std::fmt;
use std::path::Path;
use std::sync::Arc;

use crate::error::{Error, Result};
use crate::shape::Shape;
use crate::tensor::Tensor;

use super::Parsed;
use super::dtype::{Dtype, Float};
use super::source::Source;

/// A tensor that lies in a file, and is decoded each time it is read; nothing is kept of it.
#[derive(Clone)]
pub struct TensorView {
    shape: Shape,
    data: Data,
}

#[derive(Clone)]
enum Data {
    /// Made in memory, or stored in a way that had to be unpacked to be found.
    Here(Arc<Tensor>),
    Stored(Arc<dyn Bytes>, Dtype, Order),
}

/// In which order a file has a tensor's elements.
#[derive(Clone)]
pub(super) enum Order {
    RowMajor,
    /// Column-major.
    Fortran,
    /// Each element by the steps of the axes, among so many.
    Strided(Vec<usize>, usize),
}

/// Bytes of a tensor, wherever they are.
pub(super) trait Bytes: Send + Sync {
    /// Fills `to`, which is as long as the tensor.
    fn read(&self, to: &mut [u8]) -> Parsed<()>;
}

/// Bytes as they lie in a file from a place on.
pub(super) struct Plain {
    pub source: Source,
    pub at: usize,
}

impl Bytes for Plain {
    fn read(&self, to: &mut [u8]) -> Parsed<()> {
        self.source.read_at(self.at, to)
    }
}

impl TensorView {
    /// A tensor of an admitted shape, whose bytes are where they should be.
    pub(super) fn stored(dims: &[usize], bytes: Arc<dyn Bytes>, dtype: Dtype, order: Order) -> Self {
        TensorView { shape: Shape::from(dims), data: Data::Stored(bytes, dtype, order) }
    }

    /// The extents.
    pub fn shape(&self) -> &Shape {
        &self.shape
    }

    /// The extents as a slice.
    pub fn dims(&self) -> &[usize] {
        self.shape.dims()
    }

    /// How the file has its elements: `f32`, `f16`, `bf16` or `f64`.
    pub fn dtype(&self) -> &'static str {
        match &self.data {
            Data::Here(_) => "f32",
            Data::Stored(_, dtype, _) => dtype.name(),
        }
    }

    /// As [`TensorView::decode`]; an error names the file and the tensor.
    pub(super) fn read_from(&self, name: &str, path: &Path) -> Result<Tensor> {
        self.decode().map_err(|problem| Error::weights(path, format!("tensor `{name}`: {problem}")))
    }

    /// The values as `f32`, row-major.
    pub(super) fn decode(&self) -> Parsed<Tensor> {
        let (bytes, dtype, order) = match &self.data {
            Data::Here(tensor) => return Ok(Tensor::clone(tensor)),
            Data::Stored(bytes, dtype, order) => (bytes, *dtype, order),
        };
        let elements = self.shape.elements();
        match order {
            _ if elements == 0 => Ok(Tensor::new(self.shape.clone(), Vec::new())),
            Order::RowMajor => Ok(Tensor::new(self.shape.clone(), values(&**bytes, dtype, elements)?)),
            Order::Fortran => {
                let reversed: Vec<usize> = self.dims().iter().rev().copied().collect();
                let axes: Vec<usize> = (0..self.dims().len()).rev().collect();
                Ok(Tensor::new(reversed, values(&**bytes, dtype, elements)?).permute(&axes))
            }
            Order::Strided(strides, among) => {
                let values = values(&**bytes, dtype, *among)?;
                let mut offsets = vec![0];
                for (&extent, &stride) in self.dims().iter().zip(strides) {
                    offsets = offsets.iter().flat_map(|&at| (0..extent).map(move |i| at + i * stride)).collect();
                }
                let data = offsets.iter().map(|&at| values.get(at).copied()).collect::<Option<Vec<f32>>>();
                Ok(Tensor::new(self.shape.clone(), data.ok_or("is damaged: its strides lead beyond its storage")?))
            }
        }
    }
}

/// So many elements as `f32`.
fn values(bytes: &dyn Bytes, dtype: Dtype, elements: usize) -> Parsed<Vec<f32>> {
    if dtype == Dtype::little(Float::F32) && cfg!(target_endian = "little") {
        let mut values = vec![0.0f32; elements];
        bytes.read(bytemuck::cast_slice_mut(&mut values))?;
        return Ok(values);
    }
    let mut stored = vec![0; elements * dtype.size()];
    bytes.read(&mut stored)?;
    Ok(dtype.decode(&stored))
}

impl From<Tensor> for TensorView {
    fn from(tensor: Tensor) -> Self {
        TensorView { shape: tensor.shape().clone(), data: Data::Here(Arc::new(tensor)) }
    }
}

impl fmt::Debug for TensorView {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.dtype(), self.shape)
    }
}
