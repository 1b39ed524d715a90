//! The host side of training: which images come when, at which rate, and what is written down. No networks here.

pub mod augment;
pub mod checkpoint;
pub mod dataset;
pub mod loader;
pub mod sampler;
pub mod schedule;
