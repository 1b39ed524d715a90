//! warpface finds faces (MTCNN) and turns them into vectors (FaceNet's Inception-ResNet-v1).

#![deny(missing_docs)]

pub mod error;
pub mod eval;
pub mod image;
pub mod shape;
pub mod tensor;
pub mod weights;

pub use error::{Error, Result};
pub use shape::Shape;
pub use tensor::Tensor;
