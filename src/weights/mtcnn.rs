//! MTCNN's three networks, of every publisher.
//!
//! Two namings are known: TensorFlow's, of davidsandberg/facenet's `det1.npy`, `det2.npy` and `det3.npy` (also within
//! scopes `pnet/`, `rnet/`, `onet/`, as a graph or checkpoint of the whole has them), and PyTorch's, of facenet-pytorch's
//! `pnet.pt`, `rnet.pt` and `onet.pt`.
//!
//! The networks were trained on transposed photographs: the original's `detect_face.py` swaps height and width before each
//! network, and swaps P-Net's output back. Here the filters are transposed instead, once, at load: `k_h` and `k_w` change
//! places (facenet-pytorch's have done so already), and the first dense layer's inputs are reordered from `(w, h, c)` to `(h, w, c)`. Then
//! `original(imageᵀ) = ours(image)ᵀ`, and no photograph is transposed.
//!
//! The outputs keep the original's columns. Boxes are `(dx1, dy1, dx2, dy2)`: the corrections of the left, top, right and
//! bottom edges in units of the box's width and height. Probabilities are `(no face, face)` before softmax.
//! Landmarks are `(x1 … x5, y1 … y5)`, relative to the box: left eye, right eye, nose, left and right mouth corner, as seen
//! in the photograph.

use crate::error::Result;

use super::TensorMap;
use super::layers::{ConvWeights, DenseWeights, LayerSource};

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

/// P-Net's weights.
///
/// # Errors
/// [`crate::Error::Tensor`] for a missing or misshapen tensor, [`crate::Error::Weights`] for an extra one.
pub fn pnet(map: &TensorMap) -> Result<PNet> {
    let mut net = Net::new(map, "pnet/");
    let weights = PNet {
        conv1: net.conv("conv1", Some(1), [10, 3, 3, 3])?,
        conv2: net.conv("conv2", Some(2), [16, 3, 3, 10])?,
        conv3: net.conv("conv3", Some(3), [32, 3, 3, 16])?,
        conv4_1: net.conv("conv4-1", None, [2, 1, 1, 32])?,
        conv4_2: net.conv("conv4-2", None, [4, 1, 1, 32])?,
    };
    net.finish()?;
    Ok(weights)
}

/// R-Net's weights.
///
/// # Errors
/// [`crate::Error::Tensor`] for a missing or misshapen tensor, [`crate::Error::Weights`] for an extra one.
pub fn rnet(map: &TensorMap) -> Result<RNet> {
    let mut net = Net::new(map, "rnet/");
    let weights = RNet {
        conv1: net.conv("conv1", Some(1), [28, 3, 3, 3])?,
        conv2: net.conv("conv2", Some(2), [48, 3, 3, 28])?,
        conv3: net.conv("conv3", Some(3), [64, 2, 2, 48])?,
        conv4: net.dense("conv4", Some(4), [128, 3, 3, 64])?,
        conv5_1: net.dense("conv5-1", None, [2, 1, 1, 128])?,
        conv5_2: net.dense("conv5-2", None, [4, 1, 1, 128])?,
    };
    net.finish()?;
    Ok(weights)
}

/// O-Net's weights.
///
/// # Errors
/// [`crate::Error::Tensor`] for a missing or misshapen tensor, [`crate::Error::Weights`] for an extra one.
pub fn onet(map: &TensorMap) -> Result<ONet> {
    let mut net = Net::new(map, "onet/");
    let weights = ONet {
        conv1: net.conv("conv1", Some(1), [32, 3, 3, 3])?,
        conv2: net.conv("conv2", Some(2), [64, 3, 3, 32])?,
        conv3: net.conv("conv3", Some(3), [64, 3, 3, 64])?,
        conv4: net.conv("conv4", Some(4), [128, 2, 2, 64])?,
        conv5: net.dense("conv5", Some(5), [256, 3, 3, 128])?,
        conv6_1: net.dense("conv6-1", None, [2, 1, 1, 256])?,
        conv6_2: net.dense("conv6-2", None, [4, 1, 1, 256])?,
        conv6_3: net.dense("conv6-3", None, [10, 1, 1, 256])?,
    };
    net.finish()?;
    Ok(weights)
}

/// One network's tensors, in either naming.
struct Net<'a> {
    source: LayerSource<'a>,
    torch: bool,
    scope: &'static str,
}

impl<'a> Net<'a> {
    fn new(map: &'a TensorMap, scope: &'static str) -> Self {
        // P-Net calls its slopes PReLU1, the others prelu1.
        let simplify = |name: &str| {
            let name = name.strip_suffix(":0").unwrap_or(name);
            let dotted = scope.replace('/', ".");
            let name = name.strip_prefix(scope).or_else(|| name.strip_prefix(&dotted)).unwrap_or(name);
            Some(name.replace("PReLU", "prelu"))
        };
        let source = LayerSource::new(map, simplify);
        let torch = source.has("conv1.weight");
        Net { source, torch, scope }
    }

    /// A convolution of OHWI `shape`. TensorFlow's filters are HWIO with `h` and `w` swapped; PyTorch's are OIHW, and
    /// facenet-pytorch has swapped them back already.
    fn conv(&mut self, name: &str, prelu: Option<usize>, shape: [usize; 4]) -> Result<ConvWeights> {
        let [c_out, k_h, k_w, c_in] = shape;
        let w = if self.torch {
            let name = format!("{}.weight", name.replace('-', "_"));
            self.source.take(&name, &[c_out, c_in, k_h, k_w])?.permute(&[0, 2, 3, 1])
        } else {
            self.source.take(&format!("{name}/weights"), &[k_w, k_h, c_in, c_out])?.permute(&[3, 1, 0, 2])
        };
        let b = self.bias(name, "conv", c_out)?;
        Ok(ConvWeights { w, b, alpha: self.alpha(prelu, c_out)? })
    }

    /// A dense layer over a feature map, `shape` being `[out, h, w, c]`; both sources flatten it as `(w, h, c)`.
    fn dense(&mut self, name: &str, prelu: Option<usize>, shape: [usize; 4]) -> Result<DenseWeights> {
        let [out, h, w, c] = shape;
        let inputs = h * w * c;
        let weights = if self.torch {
            let name = format!("{}.weight", name.replace("conv", "dense").replace('-', "_"));
            self.source.take(&name, &[out, inputs])?.reshape([out, w, h, c]).permute(&[0, 2, 1, 3])
        } else {
            let name = format!("{name}/weights");
            self.source.take(&name, &[inputs, out])?.reshape([w, h, c, out]).permute(&[3, 1, 0, 2])
        };
        let b = self.bias(name, "dense", out)?;
        Ok(DenseWeights { w: weights.reshape([out, inputs]), b, alpha: self.alpha(prelu, out)? })
    }

    fn bias(&mut self, name: &str, torch_kind: &str, n: usize) -> Result<crate::Tensor> {
        let name = if self.torch {
            format!("{}.bias", name.replace("conv", torch_kind).replace('-', "_"))
        } else {
            format!("{name}/biases")
        };
        self.source.take(&name, &[n])
    }

    fn alpha(&mut self, prelu: Option<usize>, n: usize) -> Result<Option<crate::Tensor>> {
        let Some(i) = prelu else { return Ok(None) };
        let name = if self.torch { format!("prelu{i}.weight") } else { format!("prelu{i}/alpha") };
        self.source.take(&name, &[n]).map(Some)
    }

    /// Other networks of the cascade may be in the same file.
    fn finish(self) -> Result<()> {
        let others = ["pnet", "rnet", "onet"].map(|net| (format!("{net}/"), format!("{net}.")));
        let scope = self.scope;
        let is_other = |name: &str| {
            others.iter().any(|(slash, dot)| slash != scope && (name.starts_with(slash) || name.starts_with(dot)))
        };
        self.source.finish(is_other)
    }
}
