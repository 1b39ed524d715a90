//! How FaceNet's Inception-ResNet-v1 is named, by every publisher.
//!
//! Four namings are known, in any file format and behind any prefix: TensorFlow's (`InceptionResnetV1/Conv2d_1a_3x3/weights`,
//! checkpoints and frozen graphs of davidsandberg/facenet), Keras's (`Conv2d_1a_3x3/kernel:0`: `facenet_keras.h5`,
//! keras-facenet, deepface), facenet-pytorch's (`conv2d_1a.conv.weight`) and that of deepface's PyTorch model
//! (`conv2d_1a_3x3.conv.weight`). What is no part of the network, such as heads and
//! centers, is passed over.

mod export;
mod frozen;
mod naming;
mod ordered;
mod scopes;
mod stored;
mod survey;
mod table;

pub(super) use stored::find;
pub(super) use survey::survey;
pub use table::{ConvSpec, layers, layers_of};

/// The batch norm's epsilon, in every published version.
pub const EPSILON: f64 = 0.001;
