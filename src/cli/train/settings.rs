//! Flags to the library's settings.

use super::flags::Common;
use crate::cli::context::Globals;
use crate::error::{Field, message};
use crate::eval;
use crate::face::Standardize;
use crate::train::pairs::RandomPairs;
use crate::train::schedule::{Decay, Schedule};
use crate::train::{PairSource, Settings};
use crate::weights::facenet::Width;
use crate::{Error, Result};

impl Common {
    /// What the flags stand for; `rate_given` says whether --learning-rate was asked for, `resumed` whether a run goes on.
    pub fn settings(&self, globals: &Globals, rate_given: bool, resumed: bool) -> Result<Settings> {
        let mut settings = Settings::default();
        settings.batch_size = self.batch_size;
        settings.epoch_size = self.epoch_size;
        settings.epochs = self.max_nrof_epochs;
        settings.seed = self.seed;
        settings.memory_budget = self.memory_budget;
        settings.precision = globals.precision;
        settings.threads = globals.threads;
        settings.pretrained_model.clone_from(&self.pretrained_model);
        settings.embedding_size = self.embedding_size;
        settings.width = self.width()?;
        settings.keep_probability = self.keep_probability;
        settings.optimizer = self.optimizer.kind();
        settings.schedule = self.schedule(rate_given)?;
        settings.moving_average_decay = self.moving_average_decay;
        settings.weight_decay = self.weight_decay;
        settings.image_size = self.image_size;
        settings.random_crop = self.random_crop;
        settings.random_flip = self.random_flip;
        settings.random_rotate = self.random_rotate;
        settings.standardize = self.standardize(globals, resumed)?;
        settings.filter = self.filter;
        settings.filter_model.clone_from(&self.filter_model);
        settings.filter_min_images = self.filter_min_nrof_images_per_class;
        settings.hold_out_people = self.hold_out_people;
        settings.pairs = self.pairs()?;
        settings.protocol = self.protocol();
        settings.use_flipped_images = self.lfw_use_flipped_images;
        settings.evaluate_every = self.validate_every_n_epochs;
        settings.models_base_dir.clone_from(&self.models_base_dir);
        settings.logs_base_dir.clone_from(&self.logs_base_dir);
        settings.name.clone_from(&self.name);
        settings.checkpoint_every = self.checkpoint_every;
        settings.keep_checkpoints = self.keep_checkpoints;
        settings.log_histograms = self.log_histograms;
        Ok(settings)
    }

    /// The learning rates.
    fn schedule(&self, rate_given: bool) -> Result<Schedule> {
        let from_file = self.learning_rate < 0.0 || (!rate_given && self.learning_rate_schedule_file.is_some());
        let base = match (&self.learning_rate_schedule_file, from_file) {
            (Some(file), true) => Schedule::read(file)?,
            (None, true) => {
                let file = Field("learning_rate_schedule_file");
                let problem = message!["a negative rate asks for ", file, ", and none is given"];
                return Err(Error::invalid(Field("learning_rate"), problem));
            }
            (_, false) => Schedule::constant(self.learning_rate)?,
        };
        let steps = u64::from(self.learning_rate_decay_epochs) * u64::from(self.epoch_size);
        base.with_decay(Decay { steps, factor: self.learning_rate_decay_factor })
    }

    /// The width asked for.
    fn width(&self) -> Result<Option<Width>> {
        let Some(part) = self.width else { return Ok(None) };
        let channels = (part * 32.0).round();
        let width = Width::of_stem(channels as usize).filter(|_| (channels / 32.0 - part).abs() < 1e-9);
        let problem = || format!("{part} is no width: choose a multiple of 0.0625, from 0.0625 to 1");
        width.map(Some).ok_or_else(|| Error::invalid(Field("width"), problem()))
    }

    /// What is done to the pixels, where it is said. A run that goes on keeps its own.
    fn standardize(&self, globals: &Globals, resumed: bool) -> Result<Option<Standardize>> {
        let fixed = self.use_fixed_image_standardization.then_some(Standardize::Fixed);
        match (globals.standardize, fixed) {
            (Some(asked), _) if resumed => Ok(Some(asked)),
            (Some(Standardize::Prewhiten), Some(_)) => {
                let problem = message!["is not ", Field("standardize"), " prewhiten"];
                Err(Error::invalid(Field("use_fixed_image_standardization"), problem))
            }
            _ if resumed => Ok(None),
            (asked, fixed) => Ok(asked.or(fixed)),
        }
    }

    /// How pairs are measured.
    fn protocol(&self) -> eval::Options {
        eval::Options {
            folds: self.lfw_nrof_folds,
            metric: self.lfw_distance_metric,
            subtract_mean: self.lfw_subtract_mean,
        }
    }

    /// The pairs that are measured after each epoch; those drawn are of --lfw-dir, else of what is held out.
    fn pairs(&self) -> Result<Option<PairSource>> {
        let random = self.random_pairs.map(|count| RandomPairs { count, ratio: self.same_ratio });
        Ok(match (self.lfw_dir.clone(), self.lfw_pairs.clone(), random) {
            (Some(dir), Some(pairs), _) => Some(PairSource::File { dir, pairs }),
            (Some(dir), None, Some(random)) => Some(PairSource::Folder { dir, random }),
            (Some(_), None, None) => {
                let problem = message!["which pairs? give ", Field("lfw_pairs"), " or ", Field("random_pairs")];
                return Err(Error::invalid(Field("lfw_dir"), problem));
            }
            (None, _, random) => random.map(PairSource::HeldOut),
        })
    }
}
