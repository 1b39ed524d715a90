//! warpface finds faces (MTCNN) and turns them into vectors (FaceNet's Inception-ResNet-v1).
//!
//! | module | what it holds |
//! |---|---|
//! | [`ops`] | the closed set of operations, each with its shape rule and CPU reference |
//! | [`graph`] | graphs of ops, and plans that say where every value lives |
//! | [`backend`] | devices that run plans |
//! | [`networks`] | definitions of the embedding networks: their layers, and how these are joined |
//! | [`models`] | the networks as graph builders |
//! | [`weights`] | published weight files to named tensors |
//! | [`image`] | pixels: decoding, resizing, cropping, drawing |
//! | [`face`] | tasks: detect, align, embed |
//! | [`vectors`] | what is done with embeddings: search and what builds on it |
//! | `serve` | a server of all this, with the feature of that name |
//! | [`eval`] | the LFW protocol |
//! | [`train`] | the host side of training: data, batches, schedules, checkpoints, logs |
//! | [`random`] | random numbers that are addressed, not drawn |
//!
//! ```no_run
//! # #[cfg(feature = "decode")]
//! # fn main() -> warpface::Result<()> {
//! use warpface::face::{DetectOptions, EmbedOptions, align, choose};
//! use warpface::{Detector, Device, DeviceKind, Embedder, image};
//!
//! let device = Device::open(DeviceKind::Auto, 0)?;
//! let detector = Detector::load(&device, "weights", &DetectOptions::default())?;
//! let embedder = Embedder::load(&device, "weights/graph_final.pb", EmbedOptions::default())?;
//!
//! let photo = image::decode("photo.jpg")?;
//! let faces = detector.detect_one(&photo)?;
//! if let Some(face) = choose(&faces, photo.width(), photo.height()) {
//!     let crop = align(&photo, &faces[face], &embedder.alignment())?.expect("the box lies in the photograph");
//!     let embedding = embedder.embed_one(&crop)?;
//!     println!("{} values", embedding.len());
//! }
//! # Ok(())
//! # }
//! # #[cfg(not(feature = "decode"))]
//! # fn main() {}
//! ```
//!
//! The features: `decode` reads and writes photographs and packed weights, and runs training; `report` makes pages; `cli`
//! is the command `warpface`; `serve` is its server; `cuda` and `wgpu` are backends; `ndarray` converts tensors. All but the last are on by
//! default. Without them the library takes RGB pixels and unpacked weights, and needs no C compiler.

#![deny(missing_docs)]
#![deny(unsafe_code)]
#![cfg_attr(docsrs, feature(doc_cfg))]

// Tests share a simulated device with those outside.
#[cfg(all(test, feature = "cli", feature = "cuda"))]
extern crate self as warpface;

#[cfg(feature = "ndarray")]
mod arrays;
#[allow(unsafe_code)]
pub mod backend;
#[cfg(feature = "cli")]
pub mod cli;
pub mod error;
pub mod eval;
pub mod face;
mod files;
pub mod graph;
pub mod image;
pub mod models;
pub mod networks;
pub mod ops;
mod precision;
pub mod random;
#[cfg(feature = "serve")]
pub mod serve;
pub mod shape;
pub mod tensor;
pub mod train;
pub mod vectors;
pub mod weights;

pub use backend::{Device, DeviceKind};
pub use error::{Error, ErrorKind, Result};
pub use eval::evaluate;
pub use face::{Detector, Embedder, align};
pub use graph::{Graph, Plan};
pub use precision::Precision;
pub use shape::Shape;
pub use tensor::Tensor;
