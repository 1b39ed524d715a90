//! MTCNN's three networks, of every publisher.
//!
//! The networks were trained on transposed photographs: the original's `detect_face.py` swaps height and width before each
//! network, and swaps P-Net's output back. Here the filters are transposed instead, once, at load, unless the publisher has
//! done so; then `original(imageᵀ) = ours(image)ᵀ`, and no photograph is transposed.
//!
//! | publisher | tensors | filters | photograph | first dense layer's inputs |
//! |---|---|---|---|---|
//! | davidsandberg/facenet, mtcnn 0.0.9 | `conv1/weights` | HWIO | transposed | h, w, c |
//! | mtcnn 0.1 | lists, `pnet` to `onet` | HWIO | transposed | h, w, c |
//! | mtcnn 1.0.0 | a list a file, boxes before scores | HWIO | upright | w, h, c |
//! | facenet-pytorch | `conv1.weight`, `dense4.weight` | OIHW | upright | w, h, c |
//! | TropComplique/mtcnn-pytorch, fdet | `features.conv1.weight` | OIHW | upright | c, w, h |
//! | the authors' Caffe models | blobs of `conv1` | OIHW | transposed | c, h, w |
//! | ONNX of Keras, of PyTorch | by place in the graph | OIHW | transposed, upright | as the graph has it |
//! | TFLite | by place in the graph | OHWI | transposed | as the graph has it |
//!
//! Rows and columns are the network's own. So a file cannot be read by renaming alone: shapes are the same, and the faces
//! found are not.
//!
//! The outputs keep the original's columns. Boxes are `(dx1, dy1, dx2, dy2)`: the corrections of the left, top, right and
//! bottom edges in units of the box's width and height. Probabilities are `(no face, face)` before softmax.
//! Landmarks are `(x1 … x5, y1 … y5)`, relative to the box: left eye, right eye, nose, left and right mouth corner, as seen
//! in the photograph.

use crate::error::Result;

mod files;
mod net;

use super::TensorMap;
use super::layers::{ConvWeights, DenseWeights};
use super::survey::Network;
pub use files::files;
use net::Net;

/// P-Net: proposals, fully convolutional, 12×12 receptive field.
#[derive(Clone, Debug, PartialEq)]
pub struct PNet {
    /// 3×3, 3 → 10, PReLU; a 2×2/2 max-pool follows.
    pub conv1: ConvWeights,
    /// 3×3, 10 → 16, PReLU.
    pub conv2: ConvWeights,
    /// 3×3, 16 → 32, PReLU.
    pub conv3: ConvWeights,
    /// 1×1, 32 → 2: no face, face.
    pub conv4_1: ConvWeights,
    /// 1×1, 32 → 4: box corrections.
    pub conv4_2: ConvWeights,
}

/// R-Net: refinement of 24×24 candidates.
#[derive(Clone, Debug, PartialEq)]
pub struct RNet {
    /// 3×3, 3 → 28, PReLU; a 3×3/2 max-pool (SAME) follows.
    pub conv1: ConvWeights,
    /// 3×3, 28 → 48, PReLU; a 3×3/2 max-pool (VALID) follows.
    pub conv2: ConvWeights,
    /// 2×2, 48 → 64, PReLU.
    pub conv3: ConvWeights,
    /// 3·3·64 → 128, PReLU.
    pub conv4: DenseWeights,
    /// 128 → 2: no face, face.
    pub conv5_1: DenseWeights,
    /// 128 → 4: box corrections.
    pub conv5_2: DenseWeights,
}

/// O-Net: output from 48×48 candidates.
#[derive(Clone, Debug, PartialEq)]
pub struct ONet {
    /// 3×3, 3 → 32, PReLU; a 3×3/2 max-pool (SAME) follows.
    pub conv1: ConvWeights,
    /// 3×3, 32 → 64, PReLU; a 3×3/2 max-pool (VALID) follows.
    pub conv2: ConvWeights,
    /// 3×3, 64 → 64, PReLU; a 2×2/2 max-pool (SAME) follows.
    pub conv3: ConvWeights,
    /// 2×2, 64 → 128, PReLU.
    pub conv4: ConvWeights,
    /// 3·3·128 → 256, PReLU.
    pub conv5: DenseWeights,
    /// 256 → 2: no face, face.
    pub conv6_1: DenseWeights,
    /// 256 → 4: box corrections.
    pub conv6_2: DenseWeights,
    /// 256 → 10: landmarks.
    pub conv6_3: DenseWeights,
}

/// What a file calls a network's layers, and how many outputs its heads have.
struct Spec {
    /// The network's name, which is a scope where a file holds all three.
    scope: &'static str,
    /// The layers before the heads, by davidsandberg/facenet's names.
    trunk: &'static [&'static str],
    /// How many of them are convolutions.
    convs: usize,
    /// The heads' names and outputs.
    heads: &'static [(&'static str, usize)],
}

const PNET: Spec =
    Spec { scope: "pnet", trunk: &["conv1", "conv2", "conv3"], convs: 3, heads: &[("conv4-1", 2), ("conv4-2", 4)] };
const RNET: Spec = Spec {
    scope: "rnet",
    trunk: &["conv1", "conv2", "conv3", "conv4"],
    convs: 3,
    heads: &[("conv5-1", 2), ("conv5-2", 4)],
};
const ONET: Spec = Spec {
    scope: "onet",
    trunk: &["conv1", "conv2", "conv3", "conv4", "conv5"],
    convs: 4,
    heads: &[("conv6-1", 2), ("conv6-2", 4), ("conv6-3", 10)],
};

/// Whose layout a file of one of the networks has.
pub(super) fn publisher(map: &TensorMap, network: Network) -> Option<&'static str> {
    match network {
        Network::PNet => net::publisher(map, &PNET),
        Network::RNet => net::publisher(map, &RNET),
        Network::ONet => net::publisher(map, &ONET),
        Network::Embedding(_) => None,
    }
}

/// P-Net's weights.
///
/// # Errors
/// [`crate::Error::Tensor`] for a missing or misshapen tensor, [`crate::Error::Weights`] for an extra one.
pub fn pnet(map: &TensorMap) -> Result<PNet> {
    let mut net = Net::find(map, &PNET)?;
    let weights = PNet {
        conv1: net.conv([10, 3, 3, 3])?,
        conv2: net.conv([16, 3, 3, 10])?,
        conv3: net.conv([32, 3, 3, 16])?,
        conv4_1: net.conv_head(2, 32)?,
        conv4_2: net.conv_head(4, 32)?,
    };
    net.finish()?;
    Ok(weights)
}

/// R-Net's weights.
///
/// # Errors
/// [`crate::Error::Tensor`] for a missing or misshapen tensor, [`crate::Error::Weights`] for an extra one.
pub fn rnet(map: &TensorMap) -> Result<RNet> {
    let mut net = Net::find(map, &RNET)?;
    let weights = RNet {
        conv1: net.conv([28, 3, 3, 3])?,
        conv2: net.conv([48, 3, 3, 28])?,
        conv3: net.conv([64, 2, 2, 48])?,
        conv4: net.dense([128, 3, 3, 64])?,
        conv5_1: net.head(2, 128)?,
        conv5_2: net.head(4, 128)?,
    };
    net.finish()?;
    Ok(weights)
}

/// O-Net's weights.
///
/// # Errors
/// [`crate::Error::Tensor`] for a missing or misshapen tensor, [`crate::Error::Weights`] for an extra one.
pub fn onet(map: &TensorMap) -> Result<ONet> {
    let mut net = Net::find(map, &ONET)?;
    let weights = ONet {
        conv1: net.conv([32, 3, 3, 3])?,
        conv2: net.conv([64, 3, 3, 32])?,
        conv3: net.conv([64, 3, 3, 64])?,
        conv4: net.conv([128, 2, 2, 64])?,
        conv5: net.dense([256, 3, 3, 128])?,
        conv6_1: net.head(2, 256)?,
        conv6_2: net.head(4, 256)?,
        conv6_3: net.head(10, 256)?,
    };
    net.finish()?;
    Ok(weights)
}
