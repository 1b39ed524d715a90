//! FaceNet's Inception-ResNet-v1, of every publisher.
//!
//! Four namings are known, in any file format and behind any prefix: TensorFlow's (`InceptionResnetV1/Conv2d_1a_3x3/weights`,
//! checkpoints and frozen graphs of davidsandberg/facenet), Keras's (`Conv2d_1a_3x3/kernel:0`: `facenet_keras.h5`,
//! keras-facenet, deepface), facenet-pytorch's (`conv2d_1a.conv.weight`) and that of deepface's PyTorch model
//! (`conv2d_1a_3x3.conv.weight`). What is no part of the network, such as heads and centers, is passed over. Batch norm is folded into weights and biases here, in f64, unless the file has it folded:
//!
//! `w' = w · gamma / sqrt(variance + 0.001)`, `b' = beta - mean · gamma / sqrt(variance + 0.001)`.

mod export;
mod frozen;
mod naming;
mod ordered;
mod scopes;
mod stored;
mod survey;
mod table;
mod unfolded;

use std::collections::BTreeMap;

use super::TensorMap;
use super::layers::{ConvWeights, DenseWeights};
use crate::Result;

pub(crate) use stored::{StoredLayer, StoredNetwork};
pub(crate) use survey::survey;
pub use table::{LayerSpec, Width, layers, layers_of};
pub use unfolded::{BatchNormWeights, Norm, Unfolded, UnfoldedLayer, unfolded};

/// The batch norm's epsilon, in every published version.
pub const EPSILON: f64 = 0.001;

/// The embedding network's weights, batch norm folded.
#[derive(Clone, Debug, PartialEq)]
pub struct InceptionResnetV1 {
    /// The 132 convolutions by [`LayerSpec::name`].
    pub convs: BTreeMap<String, ConvWeights>,
    /// The last layer, `[embedding_size, 1792]` in the published width; no activation, L2 normalization follows.
    pub bottleneck: DenseWeights,
    /// 128 or 512 in what is published.
    pub embedding_size: usize,
}

/// Inception-ResNet-v1's weights; the width and the embedding's size are the file's.
///
/// # Errors
/// As [`unfolded()`].
pub fn inception_resnet_v1(map: &TensorMap) -> Result<InceptionResnetV1> {
    Ok(unfolded(map)?.fold())
}
