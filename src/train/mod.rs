//! Training: [`Training`] runs it whole. Its parts are the network's graphs with their gradients, which images come
//! when, at which rate, and what is written down.
//!
//! All chance is a function of the seed and of where training is ([`crate::random`]), so a run that is resumed at a step
//! goes on exactly as it would have. Nothing is global and nothing is printed: a run tells its [`Observer`], and ends
//! when its [`Stop`] flag says so.
//!
//! | room | what it holds |
//! |---|---|
//! | data | [`dataset`], [`sampler`], [`loader`] and [`augment`]; [`pairs`] to be measured |
//! | step | the [`network`] with its losses, its [`parameters`], the [`trainer`] of steps, their [`schedule`] of rates, the [`budget`] of memory, the search for [`triplets`] |
//! | course | [`settings`], the loop of [`softmax`] and [`triplet`] training, what is measured on the way |
//! | record | [`checkpoint`]s, TensorBoard [`events`], the [`history`] and the page of it |
//!
//! Reading photographs takes the feature `decode`; without it there are steps of training, and no runs. The page takes
//! the feature `report`.

#[cfg(feature = "decode")]
mod course;
mod data;
mod record;
mod step;

#[cfg(feature = "decode")]
pub use course::{
    Event, Finished, Measured, Observer, PairSource, Resumed, Settings, Softmax, Stop, Task, Training, Triplet, fixed,
    inference, observe, resume, run, settings, softmax, triplet, verify,
};
#[cfg(feature = "decode")]
pub use data::loader;
pub use data::{augment, dataset, pairs, sampler};
#[cfg(feature = "report")]
pub use record::summary;
pub use record::{checkpoint, events, history, tensors};
pub use step::{budget, network, pace, parameters, schedule, trainer, triplets};
