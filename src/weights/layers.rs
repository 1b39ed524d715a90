//! Layers' weights as the models take them, and the reading of them from a [`TensorMap`] by whatever names it has.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use crate::error::{Error, Result};
use crate::tensor::Tensor;

use super::{TensorMap, TensorView};

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
    /// Other tensors that could be meant by the same name.
    twice: BTreeMap<String, &'a str>,
    used: BTreeSet<String>,
}

impl<'a> LayerSource<'a> {
    /// Reads `map`, whose tensor `n` is asked for as `simplify(n)`, if it can be asked for.
    pub fn new(map: &'a TensorMap, simplify: impl Fn(&str) -> Option<String>) -> Self {
        let (mut names, mut twice) = (BTreeMap::new(), BTreeMap::new());
        for name in map.tensors.keys() {
            let Some(simple) = simplify(name) else { continue };
            if let Some(other) = names.insert(simple.clone(), name.as_str()) {
                twice.insert(simple, other);
            }
        }
        LayerSource { map, names, twice, used: BTreeSet::new() }
    }

    pub fn has(&self, name: &str) -> bool {
        self.names.contains_key(name)
    }

    /// The extents of a tensor, if the file has it.
    pub fn dims(&self, name: &str) -> Option<&'a [usize]> {
        self.names.get(name).and_then(|&original| self.map.tensors.get(original)).map(TensorView::dims)
    }

    /// Reads the tensor of this name and shape.
    pub fn take(&mut self, name: &str, shape: &[usize]) -> Result<Tensor> {
        self.leave(name, shape)?.read()
    }

    /// The tensor of this name and shape, which is read later.
    pub fn leave(&mut self, name: &str, shape: &[usize]) -> Result<Unread> {
        let original = self.names.get(name).copied().unwrap_or(name);
        if let Some(other) = self.twice.get(name) {
            let problem =
                format!("tensors `{other}` and `{original}` could both be the network's {name}: save only one");
            return Err(Error::weights(&self.map.path, problem));
        }
        self.used.insert(original.to_owned());
        let view = self.map.view(original, shape)?.clone();
        Ok(Unread { path: self.map.path.clone(), name: original.to_owned(), view })
    }

    /// Reads the tensor of this name and shape, if the file has the name.
    pub fn take_if_there(&mut self, name: &str, shape: &[usize]) -> Result<Option<Tensor>> {
        if self.has(name) { self.take(name, shape).map(Some) } else { Ok(None) }
    }

    /// Refuses what was not asked for, unless `harmless` knows it by name.
    pub fn finish(self, harmless: impl Fn(&str) -> bool) -> Result<()> {
        // A parameter's moments and averages carry its name: `weights/Adam`, `weights/ExponentialMovingAverage`.
        let slot = |name: &str| name.rsplit_once('/').is_some_and(|(owner, _)| self.used.contains(owner));
        self.map.refuse_extra(&self.used, |name, tensor| tensor.dims().is_empty() || slot(name) || harmless(name))
    }
}

/// A tensor that still lies in its file.
#[derive(Clone, Debug)]
pub(super) struct Unread {
    path: PathBuf,
    name: String,
    view: TensorView,
}

impl Unread {
    /// Its extents, as the file has them.
    pub fn dims(&self) -> &[usize] {
        self.view.dims()
    }

    /// Its values.
    pub fn read(&self) -> Result<Tensor> {
        let tensor = self.view.read_from(&self.name, &self.path)?;
        check_finite(&self.path, &self.name, tensor.data())?;
        Ok(tensor)
    }
}

/// Refuses weights that make every result NaN.
fn check_finite(path: &Path, name: &str, values: &[f32]) -> Result<()> {
    // Without an early end within a piece, so that the compiler makes vectors of it.
    let finite = |piece: &[f32]| piece.iter().fold(true, |all, value| all & value.is_finite());
    if values.chunks(1 << 12).all(finite) {
        return Ok(());
    }
    let Some((i, value)) = values.iter().enumerate().find(|(_, value)| !value.is_finite()) else { return Ok(()) };
    let problem = format!(
        "tensor `{name}`: {value} at {i} is no weight: the training diverged, or the file is damaged; \
         take an earlier checkpoint, or fetch it again"
    );
    Err(Error::weights(path, problem))
}
