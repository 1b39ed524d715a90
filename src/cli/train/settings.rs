//! Flags to the library's settings.

use super::flags::Common;
use crate::cli::context::Globals;
use crate::error::{Field, message};
use crate::face::Standardize;
use crate::networks::Width;
use crate::train::pairs::RandomPairs;
use crate::train::schedule::{Decay, Schedule};
use crate::train::{PairSource, Settings};
use crate::{Error, Result};

impl Common {
    /// What the flags stand for; `rate_given` says whether --learning-rate was asked for, `resumed` whether a run goes on.
    pub fn settings(&self, globals: &Globals, rate_given: bool, resumed: bool) -> Result<Settings> {
        Ok(Settings {
            batch_size: self.batch_size,
            epoch_size: self.epoch_size,
            epochs: self.max_nrof_epochs,
            seed: self.seed,
            memory_budget: self.memory_budget,
            precision: globals.precision,
            threads: globals.threads,
            pretrained_model: self.pretrained_model.clone(),
            model_def: globals.model_def,
            embedding_size: self.embedding_size,
            width: self.width()?,
            keep_probability: self.keep_probability,
            optimizer: self.optimizer.kind(),
            schedule: self.schedule(rate_given)?,
            moving_average_decay: self.moving_average_decay,
            weight_decay: self.weight_decay,
            image_size: self.image_size,
            random_crop: self.random_crop,
            random_flip: self.random_flip,
            random_rotate: self.random_rotate,
            standardize: self.standardize(globals, resumed)?,
            filter: self.filter,
            filter_model: self.filter_model.clone(),
            filter_min_images: self.filter_min_nrof_images_per_class,
            hold_out_people: self.hold_out_people,
            pairs: self.pairs()?,
            folds: self.lfw_nrof_folds,
            metric: self.lfw_distance_metric,
            subtract_mean: self.lfw_subtract_mean,
            use_flipped_images: self.lfw_use_flipped_images,
            evaluate_every: self.validate_every_n_epochs,
            models_base_dir: self.models_base_dir.clone(),
            logs_base_dir: self.logs_base_dir.clone(),
            name: self.name.clone(),
            checkpoint_every: self.checkpoint_every,
            keep_checkpoints: self.keep_checkpoints,
            log_histograms: self.log_histograms,
        })
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
