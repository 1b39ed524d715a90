//! A run from its settings to its last step.

#[cfg(feature = "decode")]
mod builder;
#[cfg(feature = "decode")]
pub mod fixed;
#[cfg(feature = "decode")]
pub mod inference;
#[cfg(feature = "decode")]
mod measure;
#[cfg(feature = "decode")]
pub mod observe;
pub mod pace;
#[cfg(feature = "decode")]
mod people;
#[cfg(feature = "decode")]
mod resume;
#[cfg(feature = "decode")]
pub mod run;
#[cfg(feature = "decode")]
mod save;
pub mod schedule;
#[cfg(feature = "decode")]
pub mod settings;
#[cfg(feature = "decode")]
pub mod softmax;
#[cfg(feature = "decode")]
mod state;
#[cfg(feature = "decode")]
pub mod triplet;
#[cfg(feature = "decode")]
pub mod verify;

#[cfg(feature = "decode")]
pub use {
    builder::{Finished, Training},
    observe::{Event, Measured, Observer, Stop},
    resume::{Resumed, resume},
    settings::{PairSource, Settings, Softmax, Task, Triplet},
};
