//! `warpface train softmax`.

use anyhow::Result;
use serde::{Deserialize, Serialize};

use super::flags::Common;
use super::prepare::{self, Kind};
use crate::Error;
use crate::cli::Outcome;
use crate::cli::context::Globals;
use crate::train::network::Loss;
use crate::train::softmax;

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
        let adopt = |own: &mut Args, asked: &Common, given: &[String]| prepare::adopt(&mut own.common, asked, given);
        let begun = prepare::begin("softmax", self, |args| &args.common, adopt, given)?;
        let args = begun.args.clone();
        for (name, factor) in [
            ("--center-loss-factor", args.center_loss_factor),
            ("--prelogits-norm-loss-factor", args.prelogits_norm_loss_factor),
        ] {
            if !(factor.is_finite() && factor >= 0.0) {
                return Err(Error::invalid(name, format!("{factor} is not 0 or more")).into());
            }
        }
        if !(0.0..=1.0).contains(&args.center_loss_alfa) {
            return Err(
                Error::invalid("--center-loss-alfa", format!("{} is not from 0 to 1", args.center_loss_alfa)).into()
            );
        }
        if !(args.prelogits_norm_p.is_finite() && args.prelogits_norm_p >= 1.0) {
            return Err(
                Error::invalid("--prelogits-norm-p", format!("{} is not 1 or more", args.prelogits_norm_p)).into()
            );
        }
        let ratio = args.validation_set_split_ratio;
        let kind = Kind {
            name: "softmax",
            loss: Loss::Softmax {
                center_factor: args.center_loss_factor,
                center_alfa: args.center_loss_alfa,
                norm_factor: args.prelogits_norm_loss_factor,
                norm_p: args.prelogits_norm_p,
            },
            first_epoch: 1,
            least: 1,
            validation: (ratio != 0.0).then_some((ratio, args.min_nrof_val_images_per_class)),
            batch: args.common.batch_size,
            people: None,
        };
        prepare::run(globals, begun, &args.common, kind, softmax::train)
    }
}
