//! An embedding network's weights, whichever of [`ModelDef`]'s it is.
//!
//! A file says which one it is, or its tensors' names do: [`facenet`](super::facenet) knows those of Inception-ResNet-v1, of
//! every publisher; the others have TensorFlow's, `InceptionResnetV2/Conv2d_1a_3x3/weights`, and DeepFace and nn4.small2 also
//! Keras's, `C1/kernel:0`; nn4.small2's are in CSV files and in Torch's `.t7`, too. Batch norms are folded into weights and biases here, in f64, unless the file has them folded:
//!
//! `w' = w · gamma / sqrt(variance + epsilon)`, `b' = beta + (bias - mean) · gamma / sqrt(variance + epsilon)`.

mod deepface;
mod export;
mod named;
mod openface;
mod stored;
mod survey;
mod unfolded;

use std::collections::BTreeMap;

use super::TensorMap;
use super::layers::{ConvWeights, DenseWeights};
use crate::error::{Error, Field, Result};
use crate::networks::{ModelDef, NetworkSpec};

pub(crate) use export::{outputs_first, outputs_last};
pub(crate) use stored::{StoredLayer, StoredNetwork};
pub(super) use stored::{StoredWeights, check_variances};
pub(super) use survey::survey;
pub use unfolded::{BatchNormWeights, Norm, Unfolded, UnfoldedLayer, unfolded};

/// An embedding network's weights, batch norms folded.
#[derive(Clone, Debug, PartialEq)]
pub struct EmbeddingNetwork {
    /// Which network it is.
    pub network: NetworkSpec,
    /// All layers but the last one, by [`LayerSpec::name`](crate::networks::LayerSpec::name).
    pub layers: BTreeMap<String, ConvWeights>,
    /// The last layer, `[embedding_size, features]`; L2 normalization follows.
    pub bottleneck: DenseWeights,
}

/// An embedding network's weights; which one it is, its width and its embedding's size are the file's.
///
/// # Errors
/// As [`unfolded()`].
pub fn embedding_network(map: &TensorMap) -> Result<EmbeddingNetwork> {
    Ok(unfolded(map)?.fold())
}

/// Refuses a file that is of another network than was asked for.
///
/// # Errors
/// [`Error::Invalid`] names both.
pub fn require(map: &TensorMap, found: ModelDef, asked: Option<ModelDef>) -> Result<()> {
    match asked {
        Some(asked) if asked != found => {
            let problem = format!("{asked} was asked for, and {} is of {found}; leave it out", map.path.display());
            Err(Error::invalid(Field("model_def"), problem))
        }
        _ => Ok(()),
    }
}
