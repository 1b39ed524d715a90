//! Tasks: finding faces, cutting them out, turning them into vectors.

mod align;
mod cascade;
mod detect;
mod embed;

pub use crate::ops::Standardize;
pub use align::{Alignment, align, choose};
#[cfg(any(feature = "cuda", feature = "wgpu"))]
#[doc(hidden)]
pub use cascade::params_layouts;
pub use cascade::{Cascade, CpuCascade};
pub use detect::{DetectOptions, Detector, Face};
pub use embed::Embedder;
