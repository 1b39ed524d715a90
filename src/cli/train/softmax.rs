//! `warpface train softmax`.

use anyhow::Result;
use serde::{Deserialize, Serialize};

use super::begin::begin;
use super::flags::Common;
use super::run::run;
use crate::cli::Outcome;
use crate::cli::context::Globals;
use crate::train::settings::Kind;
use crate::train::{Softmax, Task};

#[derive(Clone, Debug, clap::Args, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Args {
    #[command(flatten)]
    #[serde(flatten)]
    common: Common,
    /// Factor of center loss (Wen et al. 2016)
    #[arg(long, default_value_t = 0.0, value_name = "FACTOR", help_heading = "Loss")]
    center_loss_factor: f32,
    /// How slowly centers follow: 1 not at all
    #[arg(long, default_value_t = 0.95, value_name = "ALFA", help_heading = "Loss")]
    center_loss_alfa: f32,
    /// Factor of the norm of the activations before the classifier
    #[arg(long, default_value_t = 0.0, value_name = "FACTOR", help_heading = "Loss")]
    prelogits_norm_loss_factor: f32,
    /// Which norm
    #[arg(long, default_value_t = 1.0, value_name = "P", help_heading = "Loss")]
    prelogits_norm_p: f32,
    /// The part of each person's photographs that is not trained on but classified after each epoch
    #[arg(long, default_value_t = 0.0, value_name = "PART", help_heading = "Evaluation")]
    validation_set_split_ratio: f64,
    /// Leave out people with fewer photographs to train on, where there is a validation set
    #[arg(long, default_value_t = 0, value_name = "N", help_heading = "Evaluation")]
    min_nrof_val_images_per_class: usize,
}

impl Args {
    pub fn run(&self, globals: &Globals, given: &[String]) -> Result<Outcome> {
        let begun = begin(Kind::Softmax, self, |args| &mut args.common, given)?;
        let args = begun.args.clone();
        let task = Softmax {
            center_loss_factor: args.center_loss_factor,
            center_loss_alfa: args.center_loss_alfa,
            prelogits_norm_loss_factor: args.prelogits_norm_loss_factor,
            prelogits_norm_p: args.prelogits_norm_p,
            validation_set_split_ratio: args.validation_set_split_ratio,
            min_nrof_val_images_per_class: args.min_nrof_val_images_per_class,
        };
        run(globals, begun, &args.common, Task::Softmax(task))
    }
}
