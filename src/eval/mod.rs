//! The LFW protocol: pairs of photographs in, accuracy, VAL@FAR and ROC out. No networks here: embeddings come as arrays.
//!
//! `pairs.txt` is read by [`Pairs`] (or drawn by [`generate()`]), [`evaluate`] measures, and with the feature `report` a page shows it.
//! The protocol is that of davidsandberg/facenet's `lfw.py` and `facenet.py`; the ROC is exact over the full range of
//! distances instead, for the original's thresholds stop at 4 while squared distances of flip-concatenated embeddings reach 8.
//!
//! ```
//! use warpface::eval::{EvalOptions, evaluate};
//!
//! // Four pairs of embeddings of two values, the first two of one person each.
//! let a = [1.0, 0.0, 0.0, 1.0, 1.0, 0.0, 0.0, 1.0];
//! let b = [1.0, 0.0, 0.0, 1.0, 0.0, 1.0, 1.0, 0.0];
//! let options = EvalOptions { folds: 2, ..EvalOptions::default() };
//! let measured = evaluate(&a, &b, 2, &[true, true, false, false], &options)?;
//! assert_eq!((measured.figures.pairs, measured.figures.auc), (4, 1.0));
//! # Ok::<(), warpface::Error>(())
//! ```

mod balanced;
mod distance;
pub mod folds;
pub mod generate;
pub mod packed;
pub mod pairs;
#[cfg(feature = "report")]
pub mod report;
pub mod roc;
pub mod threshold;
pub mod verification;

pub use crate::ops::Metric;
pub use balanced::generate_balanced;
pub use generate::{Person, generate, generate_counts, list_people, possible_pairs};
pub use packed::Packed;
pub use pairs::{Pair, Pairs, Photo, Resolved, ResolvedPair};
pub use roc::Roc;
pub use threshold::{Chosen, LabelledPair, ThresholdOptions, Thresholds};
pub use verification::{Accuracy, EvalOptions, Evaluation, Figures, FoldResult, Val, evaluate};
