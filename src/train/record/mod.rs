//! What is written down of a run.

pub mod checkpoint;
pub mod events;
pub mod history;
#[cfg(feature = "report")]
pub mod summary;
pub mod tensors;
