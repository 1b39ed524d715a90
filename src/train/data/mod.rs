//! Which photographs come when, and in which form.

pub mod augment;
pub mod dataset;
#[cfg(feature = "decode")]
pub mod loader;
pub mod pairs;
pub mod sampler;
