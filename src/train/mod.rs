//! Training: the network's graphs with their gradients, which images come when, at which rate, and what is written down.
//!
//! All chance is a function of the seed and of where training is ([`crate::random`]), so a run that is resumed at a step
//! goes on exactly as it would have.

pub mod augment;
pub mod budget;
pub mod checkpoint;
pub mod dataset;
pub mod events;
pub mod fixed;
pub mod history;
pub mod inference;
pub mod interrupt;
pub mod loader;
pub mod network;
pub mod pairs;
pub mod parameters;
pub mod progress;
pub mod run;
pub mod sampler;
pub mod schedule;
pub mod softmax;
pub mod summary;
pub mod tensors;
pub mod trainer;
pub mod triplet;
pub mod triplets;
pub mod verify;
