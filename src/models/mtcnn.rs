//! The three networks of MTCNN (Zhang et al. 2016), as davidsandberg/facenet's `detect_face.py` defines them.
//!
//! Their published weights see transposed images. The loader transposes the filters instead, so these graphs take
//! images as they are: `[n, h, w, 3]`, RGB, `(pixel - 127.5) / 128`.

use std::path::Path;
use std::sync::Arc;

use super::{conv, dense};
use crate::Result;
use crate::graph::{Graph, NodeId};
use crate::ops::{Conv2d, MaxPool2d, Padding, Softmax};
use crate::weights::{self, ConvWeights, ONet, PNet, RNet, TensorMap};

/// The graphs of the cascade.
#[derive(Clone, Debug)]
pub struct Mtcnn {
    /// Proposals, on images of any size from 12x12.
    pub pnet: Arc<Graph>,
    /// Refinement, on crops of 24x24.
    pub rnet: Arc<Graph>,
    /// Output, on crops of 48x48.
    pub onet: Arc<Graph>,
}

impl Mtcnn {
    /// Loads the three networks from a folder: `det1.npy`, `det2.npy`, `det3.npy` as davidsandberg/facenet ships them, else
    /// `pnet.pt`, `rnet.pt`, `onet.pt` as facenet-pytorch does, else files of these stems in any format, or one file of all
    /// three ([`weights::mtcnn::files`]).
    ///
    /// # Errors
    /// [`crate::Error::Weights`] and [`crate::Error::Tensor`] if a file is missing, or is not what it should be.
    pub fn load(folder: impl AsRef<Path>, allow_modified: bool) -> Result<Mtcnn> {
        let folder = folder.as_ref();
        let [p, r, o] = &weights::mtcnn::files(folder)?;
        let load = |path: &Path| {
            weights::verify(path, allow_modified)?;
            weights::load(path)
        };
        Mtcnn::of([&load(p)?, &load(r)?, &load(o)?])
    }

    /// The networks of weights that were read already, P-Net's, R-Net's and O-Net's, as from memory by [`weights::load_bytes`].
    /// Where one file holds all three, it may be given three times.
    ///
    /// # Errors
    /// As [`Mtcnn::load`].
    pub fn of([p, r, o]: [&TensorMap; 3]) -> Result<Mtcnn> {
        Ok(Mtcnn {
            pnet: Arc::new(pnet(&weights::pnet(p)?)),
            rnet: Arc::new(rnet(&weights::rnet(r)?)),
            onet: Arc::new(onet(&weights::onet(o)?)),
        })
    }
}

fn valid() -> Conv2d {
    Conv2d::new(Padding::Valid)
}

fn pool(kernel: usize, padding: Padding) -> MaxPool2d {
    MaxPool2d { kernel: [kernel; 2], stride: [2; 2], padding }
}

/// The proposal network. Input `[n, h, w, 3]`; outputs, one cell for every second pixel, `(h - 11 + 1) / 2` rows:
/// probabilities `[n, h', w', 2]` (no face, face) and box offsets `[n, h', w', 4]`.
pub fn pnet(w: &PNet) -> Graph {
    let mut g = Graph::new();
    let x = g.input("image");
    let x = conv(&mut g, "conv1", valid(), x, &w.conv1, None);
    let x = g.op("pool1", pool(2, Padding::Same), &[x]);
    let x = conv(&mut g, "conv2", valid(), x, &w.conv2, None);
    let x = conv(&mut g, "conv3", valid(), x, &w.conv3, None);
    let logits = conv(&mut g, "conv4-1", valid(), x, &w.conv4_1, None);
    let probability = g.op("prob1", Softmax, &[logits]);
    let offsets = conv(&mut g, "conv4-2", valid(), x, &w.conv4_2, None);
    g.output(probability);
    g.output(offsets);
    g
}

/// What R-Net and O-Net begin with: three convolutions, a pool after the first and the second.
fn trunk(g: &mut Graph, x: NodeId, [conv1, conv2, conv3]: [&ConvWeights; 3]) -> NodeId {
    let x = conv(g, "conv1", valid(), x, conv1, None);
    let x = g.op("pool1", pool(3, Padding::Same), &[x]);
    let x = conv(g, "conv2", valid(), x, conv2, None);
    let x = g.op("pool2", pool(3, Padding::Valid), &[x]);
    conv(g, "conv3", valid(), x, conv3, None)
}

/// The refinement network. Input `[n, 24, 24, 3]`; outputs probabilities `[n, 2]` and box offsets `[n, 4]`.
pub fn rnet(w: &RNet) -> Graph {
    let mut g = Graph::new();
    let x = g.input("crops");
    let x = trunk(&mut g, x, [&w.conv1, &w.conv2, &w.conv3]);
    let x = dense(&mut g, "conv4", x, &w.conv4);
    let logits = dense(&mut g, "conv5-1", x, &w.conv5_1);
    let probability = g.op("prob1", Softmax, &[logits]);
    let offsets = dense(&mut g, "conv5-2", x, &w.conv5_2);
    g.output(probability);
    g.output(offsets);
    g
}

/// The output network. Input `[n, 48, 48, 3]`; outputs probabilities `[n, 2]`, box offsets `[n, 4]`, and landmarks
/// `[n, 10]`: five x, then five y, as fractions of the box.
pub fn onet(w: &ONet) -> Graph {
    let mut g = Graph::new();
    let x = g.input("crops");
    let x = trunk(&mut g, x, [&w.conv1, &w.conv2, &w.conv3]);
    let x = g.op("pool3", pool(2, Padding::Same), &[x]);
    let x = conv(&mut g, "conv4", valid(), x, &w.conv4, None);
    let x = dense(&mut g, "conv5", x, &w.conv5);
    let logits = dense(&mut g, "conv6-1", x, &w.conv6_1);
    let probability = g.op("prob1", Softmax, &[logits]);
    let offsets = dense(&mut g, "conv6-2", x, &w.conv6_2);
    let landmarks = dense(&mut g, "conv6-3", x, &w.conv6_3);
    g.output(probability);
    g.output(offsets);
    g.output(landmarks);
    g
}
