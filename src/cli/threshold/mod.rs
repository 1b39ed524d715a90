//! `warpface threshold`, and the thresholds that other commands go by.

mod saved;

pub use saved::of_model;
