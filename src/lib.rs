//! warpface finds faces (MTCNN) and turns them into vectors (FaceNet's Inception-ResNet-v1).
//!
//! | module | what it holds |
//! |---|---|
//! | [`ops`] | the closed set of operations, each with its shape rule and CPU reference |
//! | [`graph`] | graphs of ops, and plans that say where every value lives |
//! | [`backend`] | devices that run plans |
//! | [`models`] | the networks as graph builders |
//! | [`weights`] | published weight files to named tensors |
//! | [`image`] | pixels: decoding, resizing, cropping, drawing |
//! | [`face`] | tasks: detect, align, embed |
//! | [`eval`] | the LFW protocol |
//! | [`train`] | the host side of training: data, batches, schedules, checkpoints, logs |
//! | [`random`] | random numbers that are addressed, not drawn |

#![deny(missing_docs)]
#![deny(unsafe_code)]

#[allow(unsafe_code)]
pub mod backend;
#[cfg(feature = "cli")]
pub mod cli;
pub mod error;
pub mod eval;
pub mod face;
pub mod graph;
pub mod image;
pub mod models;
pub mod ops;
pub mod random;
pub mod shape;
pub mod tensor;
pub mod train;
pub mod weights;

pub use backend::{Device, DeviceKind, Precision};
pub use error::{Error, Result};
pub use eval::evaluate;
pub use face::{Detector, Embedder, align};
pub use graph::{Graph, Plan};
pub use shape::Shape;
pub use tensor::Tensor;
