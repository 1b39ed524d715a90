//! A network's weights where they lie in a file: small ones are read, filters when they are wanted.

use std::collections::BTreeMap;
use std::path::Path;

use super::named;
use super::unfolded::{Norm, scaled};
use crate::error::{Error, Result};
use crate::networks::{ModelDef, NetworkSpec};
use crate::tensor::Tensor;
use crate::weights::layers::Unread;
use crate::weights::{TensorMap, facenet};

/// The embedding network of a file: that it is whole, and of the right shapes, is known.
pub(crate) struct StoredNetwork {
    pub network: NetworkSpec,
    /// All layers but the last one, by name.
    pub layers: BTreeMap<String, StoredLayer>,
    pub bottleneck: StoredLayer,
    /// The classifier's weights and biases.
    pub logits: Option<(StoredWeights, Tensor)>,
}

/// A layer's weights, and what follows.
pub(crate) struct StoredLayer {
    pub w: StoredWeights,
    pub norm: Norm,
}

impl StoredLayer {
    /// The layer's biases, and what reads its weights; both with the batch norm folded in.
    pub fn fold(self, epsilon: f64) -> (impl Fn() -> Result<Tensor> + Send + Sync + 'static, Vec<usize>, Tensor) {
        let dims = self.w.dims();
        let (b, scales) = self.norm.fold(epsilon);
        let w = self.w;
        (move || Ok(scaled(w.read()?, scales.as_deref())), dims, b)
    }
}

/// Weights in a file whose axes stand in another order.
pub(crate) struct StoredWeights {
    unread: Unread,
    /// The extents that it is read with, where the file has some of them as one.
    split: Option<Vec<usize>>,
    axes: &'static [usize],
    /// Their extents at last, where some axes become one.
    shape: Option<Vec<usize>>,
    /// What they are multiplied by.
    factor: f32,
}

impl StoredWeights {
    /// Weights whose axes stand so: outputs, rows, columns, inputs.
    pub(in crate::weights) fn of(unread: Unread, axes: &'static [usize]) -> Self {
        StoredWeights { unread, split: None, axes, shape: None, factor: 1.0 }
    }

    /// The same, of as many values, but with these extents before their axes are moved.
    pub(in crate::weights) fn split(self, extents: Vec<usize>) -> Self {
        StoredWeights { split: Some(extents), ..self }
    }

    /// The same, of these extents after their axes were moved.
    pub(in crate::weights) fn shaped(self, extents: Vec<usize>) -> Self {
        StoredWeights { shape: Some(extents), ..self }
    }

    /// The same, multiplied.
    pub fn times(self, factor: f32) -> Self {
        StoredWeights { factor: self.factor * factor, ..self }
    }

    /// Their extents, outputs first.
    pub fn dims(&self) -> Vec<usize> {
        if let Some(shape) = &self.shape {
            return shape.clone();
        }
        let dims = self.split.as_deref().unwrap_or(self.unread.dims());
        self.axes.iter().map(|&axis| dims[axis]).collect()
    }

    /// Their values, outputs first.
    pub fn read(&self) -> Result<Tensor> {
        let mut tensor = self.unread.read()?;
        if let Some(extents) = &self.split {
            tensor = tensor.reshape(extents.clone());
        }
        if self.factor != 1.0 {
            tensor.data_mut().iter_mut().for_each(|w| *w *= self.factor);
        }
        if !self.axes.is_sorted() {
            tensor = tensor.permute(self.axes);
        }
        Ok(match &self.shape {
            Some(shape) => tensor.reshape(shape.clone()),
            None => tensor,
        })
    }
}

impl StoredNetwork {
    /// Finds every layer in a file.
    ///
    /// # Errors
    /// As [`super::unfolded()`], but for filters that are not finite.
    pub fn find(map: &TensorMap) -> Result<Self> {
        match named::definition(map) {
            None | Some(ModelDef::InceptionResnetV1) => facenet::find(map),
            Some(def) => named::find(map, def),
        }
    }
}

/// Refuses variances whose root cannot be divided by.
pub(in crate::weights) fn check_variances(path: &Path, name: &str, variances: &Tensor, epsilon: f64) -> Result<()> {
    let bad = |&(_, &variance): &(usize, &f32)| f64::from(variance) + epsilon <= 0.0;
    let Some((i, variance)) = variances.data().iter().enumerate().find(bad) else { return Ok(()) };
    Err(Error::weights(path, format!("tensor `{name}`: {variance} at {i} is no variance; fetch it again")))
}
