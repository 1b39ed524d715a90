//! A run from its settings to its last step.

mod builder;
pub mod fixed;
pub mod inference;
mod measure;
pub mod observe;
mod people;
mod resume;
pub mod run;
mod save;
pub mod settings;
pub mod softmax;
mod state;
pub mod triplet;
pub mod verify;

pub use {
    builder::{Finished, Training},
    observe::{Event, Measured, Observer, Stop},
    resume::{Resumed, resume},
    settings::{PairSource, Settings, Softmax, Task, Triplet},
};
