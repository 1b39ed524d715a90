//! `warpface train triplet`.

use anyhow::Result;
use serde::{Deserialize, Serialize};

use super::flags::Common;
use super::prepare::{self, Kind};
use crate::Error;
use crate::cli::Outcome;
use crate::cli::context::Globals;
use crate::train::network::Loss;
use crate::train::sampler::{Fill, PeopleSampler};
use crate::train::triplet::{self, Search};
use crate::train::triplets::Mode;

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
        let adopt = |own: &mut Args, asked: &Common, given: &[String]| prepare::adopt(&mut own.common, asked, given);
        let begun = prepare::begin("triplet", self, |args| &args.common, adopt, given)?;
        let args = begun.args.clone();
        if !(args.alpha.is_finite() && args.alpha > 0.0) {
            return Err(Error::invalid("--alpha", format!("{} is not above 0", args.alpha)).into());
        }
        if !args.common.batch_size.is_multiple_of(3) {
            let problem = format!("{} does not divide by 3: a batch is of triplets", args.common.batch_size);
            return Err(Error::invalid("--batch-size", problem).into());
        }
        let search = Search { mode: args.mining, alpha: args.alpha, refresh: args.refresh_every };
        let fill = if args.strict_people { Fill::Strict } else { Fill::Original };
        let kind = Kind {
            name: "triplet",
            loss: Loss::Triplet { alpha: args.alpha },
            first_epoch: 0,
            least: 2,
            validation: None,
            batch: args.common.batch_size,
            people: Some((args.people_per_batch, args.images_per_person, fill)),
        };
        prepare::run(globals, begun, &args.common, kind, |run, augment, workers| {
            let (people, images) = (args.people_per_batch, args.images_per_person);
            let sampler = PeopleSampler::new(run.course.seed, run.dataset.clone(), people, images, fill)?;
            triplet::train(run, &sampler, &search, augment, workers)
        })
    }
}
