//! Training: the network's graphs with their gradients, which images come when, at which rate, and what is written down.

pub mod augment;
pub mod checkpoint;
pub mod dataset;
pub mod loader;
pub mod network;
pub mod parameters;
pub mod sampler;
pub mod schedule;
