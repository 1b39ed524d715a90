//! Tasks: finding faces, cutting them out, turning them into vectors.

mod align;
mod candidates;
mod cascade;
mod detect;
mod embed;
mod pyramid;

pub use align::{Alignment, align, choose};
pub use cascade::CpuCascade;
pub use detect::{Cascade, DetectOptions, Detector, Face};
pub use embed::{Embedder, Standardize};
pub(crate) use candidates::{Proposal, refine, finish, propose};
pub(crate) use pyramid::{Level, levels};
