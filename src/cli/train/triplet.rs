//! `warpface train triplet`.

use anyhow::Result;
use serde::{Deserialize, Serialize};

use super::begin::begin;
use super::flags::Common;
use super::run::run;
use crate::cli::Outcome;
use crate::cli::context::Globals;
use crate::train::sampler::Fill;
use crate::train::settings::Kind;
use crate::train::triplets::Mode;
use crate::train::{Task, Triplet};

#[derive(Clone, Debug, clap::Args, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Args {
    #[command(flatten)]
    #[serde(flatten)]
    common: Common,
    /// By how much a negative should be farther than the positive, in squared distance
    #[arg(long, default_value_t = 0.2, value_name = "MARGIN", help_heading = "Triplets")]
    alpha: f32,
    /// People whose photographs are searched for triplets at once
    #[arg(long, default_value_t = 45, value_name = "P", help_heading = "Triplets")]
    people_per_batch: usize,
    /// Photographs of each of them, at most
    #[arg(long, default_value_t = 40, value_name = "K", help_heading = "Triplets")]
    images_per_person: usize,
    /// Negatives: random; semi-hard, farther than the positive but within the margin; hard, the nearest within it; vgg, any
    /// within it, as the original runs; global, the nearest of the whole training set
    #[arg(long, default_value = "vgg", value_name = "MODE", help_heading = "Triplets")]
    mining: Mode,
    /// Steps after which the nearest of the whole training set are found anew
    #[arg(long, default_value_t = 1000, value_name = "STEPS", help_heading = "Triplets")]
    refresh_every: u64,
    /// Take exactly K photographs of exactly P people, leaving out whoever has fewer
    #[arg(long, help_heading = "Triplets")]
    strict_people: bool,
}

impl Args {
    pub fn run(&self, globals: &Globals, given: &[String]) -> Result<Outcome> {
        let begun = begin(Kind::Triplet, self, |args| &mut args.common, given)?;
        let args = begun.args.clone();
        let task = Triplet {
            alpha: args.alpha,
            people_per_batch: args.people_per_batch,
            images_per_person: args.images_per_person,
            mining: args.mining,
            refresh_every: args.refresh_every,
            fill: if args.strict_people { Fill::Strict } else { Fill::Original },
        };
        run(globals, begun, &args.common, Task::Triplet(task))
    }
}
