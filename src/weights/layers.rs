//! Layers' weights as the models take them, and the reading of them from a [`TensorMap`] by whatever names it has.

use std::collections::{BTreeMap, BTreeSet};

use crate::error::Result;
use crate::tensor::Tensor;

use super::TensorMap;

/// A convolution's weights.
#[derive(Clone, Debug, PartialEq)]
pub struct ConvWeights {
    /// Filters `[c_out, k_h, k_w, c_in]`.
    pub w: Tensor,
    /// Biases `[c_out]`.
    pub b: Tensor,
    /// PReLU slopes `[c_out]`, where one follows.
    pub alpha: Option<Tensor>,
}

/// A fully connected layer's weights: `y = w x + b`.
#[derive(Clone, Debug, PartialEq)]
pub struct DenseWeights {
    /// Weights `[out, in]`; where the input is a feature map, it is flattened as `(h, w, c)`.
    pub w: Tensor,
    /// Biases `[out]`.
    pub b: Tensor,
    /// PReLU slopes `[out]`, where one follows.
    pub alpha: Option<Tensor>,
}

/// A [`TensorMap`] being read under simplified names, remembering what was asked for.
pub(super) struct LayerSource<'a> {
    pub map: &'a TensorMap,
    names: BTreeMap<String, &'a str>,
    used: BTreeSet<String>,
}

impl<'a> LayerSource<'a> {
    /// Reads `map`, whose tensor `n` is asked for as `simplify(n)`.
    pub fn new(map: &'a TensorMap, simplify: impl Fn(&str) -> String) -> Self {
        let names = map.tensors.keys().map(|name| (simplify(name), name.as_str())).collect();
        LayerSource { map, names, used: BTreeSet::new() }
    }

    pub fn has(&self, name: &str) -> bool {
        self.names.contains_key(name)
    }

    /// The extents of a tensor, if the file has it.
    pub fn dims(&self, name: &str) -> Option<&'a [usize]> {
        self.names.get(name).and_then(|&original| self.map.tensors.get(original)).map(Tensor::dims)
    }

    /// The tensor of this name and shape.
    pub fn take(&mut self, name: &str, shape: &[usize]) -> Result<&'a Tensor> {
        let original = self.names.get(name).copied().unwrap_or(name);
        self.used.insert(original.to_owned());
        self.map.get(original, shape)
    }

    /// The tensor of this name and shape, if the file has the name.
    pub fn take_if_there(&mut self, name: &str, shape: &[usize]) -> Result<Option<&'a Tensor>> {
        if self.has(name) { self.take(name, shape).map(Some) } else { Ok(None) }
    }

    /// Refuses what was not asked for, unless `harmless` knows it by name.
    pub fn finish(self, harmless: impl Fn(&str) -> bool) -> Result<()> {
        // A parameter's moments and averages carry its name: `weights/Adam`, `weights/ExponentialMovingAverage`.
        let slot = |name: &str| name.rsplit_once('/').is_some_and(|(owner, _)| self.used.contains(owner));
        self.map.refuse_extra(&self.used, |name, tensor| tensor.dims().is_empty() || slot(name) || harmless(name))
    }
}
