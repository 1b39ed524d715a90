//! Tasks: finding faces, cutting them out, turning them into vectors.

mod align;
mod candidates;
mod cascade;
mod detect;
mod embed;
mod embeddings;
mod options;
mod pyramid;

pub use crate::ops::Standardize;
pub use align::{Alignment, align, choose};
pub(crate) use candidates::Proposal;
#[cfg(any(feature = "cuda", feature = "wgpu"))]
pub(crate) use candidates::finish;
pub use cascade::CpuCascade;
pub use detect::{Cascade, DetectOptions, Detector, Face};
pub use embed::Embedder;
pub use embeddings::Embeddings;
pub use options::{EmbedOptions, Reason, Standardization};
pub(crate) use pyramid::{Level, levels};
