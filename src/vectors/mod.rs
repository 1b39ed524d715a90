//! What is done with embeddings once they are there.
//!
//! Nothing here looks at pictures: rows come as [`Embeddings`](crate::face::Embeddings), of any origin. [`Origin`] says which
//! model made them, so that rows of two models are never mixed.
//!
//! ```
//! use warpface::Device;
//! use warpface::face::Embeddings;
//! use warpface::vectors::search::Neighbours;
//!
//! let device = Device::cpu(1)?;
//! let rows = Embeddings::new(2, vec![1.0, 0.0, 0.0, 1.0, 0.8, 0.6]);
//! let query = Embeddings::new(2, vec![1.0, 0.0]);
//! let hits = Neighbours::new(&device, &rows)?.nearest(&query, 2)?;
//! assert_eq!(hits[0].iter().map(|hit| hit.row).collect::<Vec<_>>(), [0, 2]);
//! assert_eq!(hits[0][0].distance, 0.0);
//! # Ok::<(), warpface::Error>(())
//! ```

mod centre;
pub mod classify;
pub mod cluster;
pub mod filter;
mod origin;
#[cfg(feature = "parquet")]
pub mod parquet;
pub mod project;
pub mod search;
pub mod tracks;

pub use origin::Origin;
