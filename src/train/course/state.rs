//! Where a run is, as its checkpoints keep it, and how long it goes.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use crate::train::history::History;
use crate::train::sampler::Item;
use crate::train::schedule::Schedule;
use crate::train::settings::Kind;
use crate::train::trainer::LossScale;
use crate::train::triplets::Triplet;

/// How long a run goes, and what is done on the way.
#[derive(Clone, Debug)]
pub struct Course {
    /// Of which kind it is.
    pub kind: Kind,
    /// The learning rates.
    pub schedule: Schedule,
    /// The most of the weights' old average that stays after a step.
    pub average_decay: f32,
    /// Epochs in all.
    pub epochs: u32,
    /// Steps of an epoch.
    pub epoch_size: u32,
    /// Steps between checkpoints, which come after every epoch as well; 0 for those alone.
    pub checkpoint_every: u64,
    /// Epochs between evaluations.
    pub evaluate_every: u32,
    /// Whether histograms of the weights are written after each epoch.
    pub histograms: bool,
    /// Every setting by its name, for the record and for going on.
    pub settings: serde_json::Value,
    /// The page that tells of the run, in builds with the feature `report`.
    pub page: PathBuf,
    /// The run's seed.
    pub seed: u64,
}

/// Images whose triplets are being trained on.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Pool {
    /// The pool's number in the run.
    pub number: u64,
    /// Its images.
    pub items: Vec<Item>,
    /// The triplets, and how many of them are done.
    pub triplets: Vec<Triplet>,
    /// How many of them are done.
    pub done: usize,
}

/// Where a run is, as its checkpoints' JSON has it.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct RunState {
    /// Of which kind it is.
    pub kind: Kind,
    /// Every setting by its name.
    pub settings: serde_json::Value,
    /// Whom the classes stand for.
    pub people: Vec<String>,
    /// Which photographs of them there are ([`Dataset::digest`](crate::train::dataset::Dataset::digest)).
    pub photographs: String,
    /// Steps done.
    pub step: u64,
    /// The loss scale at hand.
    pub loss_scale: LossScale,
    /// The run's course so far.
    pub history: History,
    /// Seconds of training so far.
    pub seconds: f64,
    /// Images and people left out.
    pub left_out: Vec<String>,
    /// Pools begun, in triplet training.
    pub pools: u64,
    /// The pool at hand, in triplet training.
    pub pool: Option<Pool>,
    /// The step at which the table of the hardest negatives was made, where there is one.
    pub table_step: Option<u64>,
}

/// Whether training goes on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Next {
    /// With the next step.
    Step,
    /// It was asked to end, and a checkpoint holds everything.
    Interrupted,
}
