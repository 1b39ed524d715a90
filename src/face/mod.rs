//! Tasks: finding faces, cutting them out, turning them into vectors.
//!
//! ```no_run
//! use warpface::face::{DetectOptions, EmbedOptions, align};
//! use warpface::image::Rgb8;
//! use warpface::{Detector, Device, Embedder};
//!
//! # fn pixels() -> Rgb8 { Rgb8::black(250, 250) }
//! let device = Device::cpu(0)?;
//! let detector = Detector::load(&device, "weights", &DetectOptions::default())?;
//! let embedder = Embedder::load(&device, "weights/graph_final.pb", EmbedOptions::default())?;
//! let photo = pixels();
//! let faces = detector.detect_one(&photo)?;
//! let crops = faces.iter().filter_map(|face| align(&photo, face, &embedder.alignment()).transpose());
//! let crops: Vec<Rgb8> = crops.collect::<Result<_, _>>()?;
//! for row in &embedder.embed(&crops.iter().collect::<Vec<_>>())? {
//!     println!("{row:?}");
//! }
//! # Ok::<(), warpface::Error>(())
//! ```

mod align;
mod cascade;
mod detect;
mod embed;
mod embeddings;
mod extract;
mod landmarks;
mod openface;
mod options;
mod select;
mod template;

pub use crate::image::{AlignMethod, OpenFacePoints, Warp};
pub use crate::ops::Standardize;
pub use align::{Aligner, Alignment, align, choose};
#[cfg(any(feature = "cuda", feature = "wgpu"))]
#[doc(hidden)]
pub use cascade::params_layouts;
pub use cascade::{Cascade, CpuCascade};
pub use detect::{DetectOptions, Detector, Face};
pub use embed::{Embedder, Input, Standardized};
pub use embeddings::Embeddings;
pub use extract::{Filter, extract};
pub use landmarks::ShapePredictor;
pub use options::{EmbedOptions, Reason, Standardization};
pub use select::Select;
