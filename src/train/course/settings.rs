//! What a run of training is told: people, network, optimizer, evaluation, folders. The defaults are the original's.

use std::path::PathBuf;

use crate::error::{Field, message};
use crate::eval;
use crate::networks::{ModelDef, Width};
use crate::ops::{OptimizerKind, Standardize};
use crate::train::network::Loss;
use crate::train::pairs::RandomPairs;
use crate::train::sampler::Fill;
use crate::train::schedule::Schedule;
use crate::train::triplets::Mode;
use crate::{Error, Precision, Result};

/// Everything that both kinds of training are told.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Settings {
    /// Photographs of a batch.
    pub batch_size: usize,
    /// Steps of an epoch.
    pub epoch_size: u32,
    /// Epochs in all.
    pub epochs: u32,
    /// What all chance depends on: first weights, order, crops, dropout, triplets.
    pub seed: u64,
    /// Most bytes of states and a step's values: blocks are computed again for the gradients until it suffices.
    pub memory_budget: Option<u64>,
    /// In which arithmetic.
    pub precision: Precision,
    /// Threads that decode photographs; 0 is one for each core.
    pub threads: usize,

    /// Start from this network; its classifier is rebuilt where the people are others.
    pub pretrained_model: Option<PathBuf>,
    /// Which network; by default the pretrained one's, else Inception-ResNet-v1.
    pub model_def: Option<ModelDef>,
    /// Length of an embedding; by default the pretrained network's, else its definition's.
    pub embedding_size: Option<usize>,
    /// Channels of every layer; by default the pretrained network's, else the published network's.
    pub width: Option<Width>,
    /// The part of the features that dropout keeps.
    pub keep_probability: f32,

    /// Which optimizer.
    pub optimizer: OptimizerKind,
    /// The learning rates.
    pub schedule: Schedule,
    /// The weights' moving average; 0 keeps none.
    pub moving_average_decay: f32,
    /// Factor of the weights' squares.
    pub weight_decay: f32,

    /// Side of the network's input, in pixels; by default the pretrained network's, else its definition's.
    pub image_size: Option<usize>,
    /// Crop from anywhere, not the middle.
    pub random_crop: bool,
    /// Mirror half of the photographs.
    pub random_flip: bool,
    /// Turn by up to 10 degrees.
    pub random_rotate: bool,
    /// What is done to the pixels; by default what the pretrained network had, else [`Standardize::Fixed`].
    pub standardize: Option<Standardize>,
    /// Keep only photographs within this percentile of the distances to their class's centre.
    pub filter: Option<f64>,
    /// Network whose embeddings the filter goes by; by default the pretrained one.
    pub filter_model: Option<PathBuf>,
    /// Leave out people with fewer photographs, after the filter.
    pub filter_min_images: usize,

    /// Do not train on so many people, drawn by the seed: evaluation pairs are of them.
    pub hold_out_people: usize,
    /// Pairs that are measured after each epoch.
    pub pairs: Option<PairSource>,
    /// Folds that pairs are measured in; by default those that a pairs file's header names, else ten.
    pub folds: Option<usize>,
    /// The distance of two embeddings.
    pub metric: eval::Metric,
    /// Subtract the mean embedding of the training folds' pairs.
    pub subtract_mean: bool,
    /// Join the embeddings of photograph and mirror image.
    pub use_flipped_images: bool,
    /// Epochs between evaluations.
    pub evaluate_every: u32,

    /// Folder of the runs' checkpoints, one folder each.
    pub models_base_dir: PathBuf,
    /// Folder of the runs' TensorBoard events and pages, one folder each.
    pub logs_base_dir: PathBuf,
    /// The run's folder in both; by default date and time.
    pub name: Option<String>,
    /// Steps between checkpoints, which come after every epoch as well; 0 for those alone.
    pub checkpoint_every: u64,
    /// How many checkpoints are kept.
    pub keep_checkpoints: usize,
    /// Whether histograms of the weights are written after each epoch.
    pub log_histograms: bool,
}

/// Where the pairs of an evaluation come from.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum PairSource {
    /// A pairs file, as LFW's `pairs.txt`, of photographs in a folder.
    File {
        /// The folder of aligned photographs.
        dir: PathBuf,
        /// The pairs file.
        pairs: PathBuf,
    },
    /// Pairs drawn anew after each epoch of a folder's photographs.
    Folder {
        /// The folder of aligned photographs.
        dir: PathBuf,
        /// How many, and of which kinds.
        random: RandomPairs,
    },
    /// Pairs drawn anew after each epoch of the people held out, or else of the validation photographs.
    HeldOut(RandomPairs),
}

impl Default for Settings {
    fn default() -> Self {
        Settings {
            batch_size: 90,
            epoch_size: 1000,
            epochs: 500,
            seed: 666,
            memory_budget: None,
            precision: Precision::F32,
            threads: 0,
            pretrained_model: None,
            model_def: None,
            embedding_size: None,
            width: None,
            keep_probability: 1.0,
            optimizer: OptimizerKind::Adagrad,
            schedule: Schedule::default(),
            moving_average_decay: 0.9999,
            weight_decay: 0.0,
            image_size: None,
            random_crop: false,
            random_flip: false,
            random_rotate: false,
            standardize: None,
            filter: None,
            filter_model: None,
            filter_min_images: 0,
            hold_out_people: 0,
            pairs: None,
            folds: None,
            metric: eval::Metric::default(),
            subtract_mean: false,
            use_flipped_images: false,
            evaluate_every: 1,
            models_base_dir: "models/facenet".into(),
            logs_base_dir: "logs/facenet".into(),
            name: None,
            checkpoint_every: 0,
            keep_checkpoints: 3,
            log_histograms: false,
        }
    }
}

impl Settings {
    /// Refuses numbers that make no sense; `validated` says whether photographs are held out.
    ///
    /// # Errors
    /// [`Error::Invalid`] names the field.
    pub fn check(&self, validated: bool) -> Result<()> {
        if !(self.keep_probability > 0.0 && self.keep_probability <= 1.0) {
            let problem = format!("{} is not above 0 and at most 1", self.keep_probability);
            return Err(Error::invalid(Field("keep_probability"), problem));
        }
        // Sizes beyond the last number are typing errors, and their products might not fit a number.
        for (name, value, least, most) in [
            ("batch_size", self.batch_size, 2, 1 << 16),
            ("epoch_size", self.epoch_size as usize, 1, usize::MAX),
            ("epochs", self.epochs as usize, 1, usize::MAX),
            ("embedding_size", self.embedding_size.unwrap_or(1), 1, 1 << 16),
            ("keep_checkpoints", self.keep_checkpoints, 1, usize::MAX),
            ("folds", self.folds.unwrap_or(1), 1, usize::MAX),
            ("evaluate_every", self.evaluate_every as usize, 1, usize::MAX),
        ] {
            let problem = match value {
                _ if value < least => format!("{value} is too small; {least} is the least"),
                _ if value > most => format!("{value} is too large; {most} is the most"),
                _ => continue,
            };
            return Err(Error::invalid(Field(name), problem));
        }
        if let Some(name) = self.name.as_deref().filter(|name| !is_folder_name(name)) {
            let problem = format!("`{name}` is no folder's name: it has a / or \\, or is a dot");
            return Err(Error::invalid(Field("name"), problem));
        }
        if !(0.0..1.0).contains(&self.moving_average_decay) {
            let problem = format!("{} is not from 0 to below 1", self.moving_average_decay);
            return Err(Error::invalid(Field("moving_average_decay"), problem));
        }
        not_negative("weight_decay", self.weight_decay)?;
        if matches!(self.pairs, Some(PairSource::HeldOut(_))) && self.hold_out_people == 0 && !validated {
            let problem = message![
                "of whom? give ",
                Field("pairs_dir"),
                ", or ",
                Field("hold_out_people"),
                " of the training folder, or for softmax ",
                Field("validation_set_split_ratio"),
                " of its photographs",
            ];
            return Err(Error::invalid(Field("random_pairs"), problem));
        }
        Ok(())
    }
}

/// Whether a name is one folder's, not a path.
fn is_folder_name(name: &str) -> bool {
    !name.contains(['/', '\\']) && !matches!(name, "" | "." | "..")
}

fn not_negative(name: &'static str, value: f32) -> Result<()> {
    match value.is_finite() && value >= 0.0 {
        true => Ok(()),
        false => Err(Error::invalid(Field(name), format!("{value} is not 0 or more"))),
    }
}

/// What is minimized, and by what photographs.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Task {
    /// A classifier of the people, as `train_softmax.py` trains one; the layer before it are the embeddings.
    Softmax(Softmax),
    /// Distances between photographs of the same and of other people, as in `train_tripletloss.py`.
    Triplet(Triplet),
}

/// Training of a classifier.
#[derive(Clone, Debug)]
pub struct Softmax {
    /// Factor of center loss (Wen et al. 2016).
    pub center_loss_factor: f32,
    /// How slowly centers follow: 1 not at all.
    pub center_loss_alfa: f32,
    /// Factor of the norm of the activations before the classifier.
    pub prelogits_norm_loss_factor: f32,
    /// Which norm.
    pub prelogits_norm_p: f32,
    /// The part of each person's photographs that is not trained on but classified after each epoch.
    pub validation_set_split_ratio: f64,
    /// Leave out people with fewer photographs to train on, where there is a validation set.
    pub min_nrof_val_images_per_class: usize,
}

impl Default for Softmax {
    fn default() -> Self {
        Softmax {
            center_loss_factor: 0.0,
            center_loss_alfa: 0.95,
            prelogits_norm_loss_factor: 0.0,
            prelogits_norm_p: 1.0,
            validation_set_split_ratio: 0.0,
            min_nrof_val_images_per_class: 0,
        }
    }
}

/// Training by triplets.
#[derive(Clone, Debug)]
pub struct Triplet {
    /// By how much a negative should be farther than the positive, in squared distance.
    pub alpha: f32,
    /// People whose photographs are searched for triplets at once.
    pub people_per_batch: usize,
    /// Photographs of each of them, at most.
    pub images_per_person: usize,
    /// How negatives are chosen.
    pub mining: Mode,
    /// Steps after which the nearest of the whole training set are found anew.
    pub refresh_every: u64,
    /// What is done where people have fewer photographs.
    pub fill: Fill,
}

impl Default for Triplet {
    fn default() -> Self {
        Triplet {
            alpha: 0.2,
            people_per_batch: 45,
            images_per_person: 40,
            mining: Mode::Vgg,
            refresh_every: 1000,
            fill: Fill::Original,
        }
    }
}

/// Which kind of training a run is of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    /// A classifier.
    Softmax,
    /// By triplets.
    Triplet,
}

impl Kind {
    /// Its name.
    pub fn name(self) -> &'static str {
        match self {
            Kind::Softmax => "softmax",
            Kind::Triplet => "triplet",
        }
    }

    /// The number that a schedule file gives the first epoch, as the original's scripts do.
    pub fn first_epoch(self) -> u32 {
        match self {
            Kind::Softmax => 1,
            Kind::Triplet => 0,
        }
    }
}

impl std::fmt::Display for Kind {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.name())
    }
}

impl Task {
    /// Its kind.
    pub fn kind(&self) -> Kind {
        match self {
            Task::Softmax(_) => Kind::Softmax,
            Task::Triplet(_) => Kind::Triplet,
        }
    }

    /// What is minimized.
    pub fn loss(&self) -> Loss {
        match self {
            Task::Softmax(task) => Loss::Softmax {
                center_factor: task.center_loss_factor,
                center_alfa: task.center_loss_alfa,
                norm_factor: task.prelogits_norm_loss_factor,
                norm_p: task.prelogits_norm_p,
            },
            Task::Triplet(task) => Loss::Triplet { alpha: task.alpha },
        }
    }

    /// The validation set's part, and the fewest photographs it leaves, where there is one.
    pub fn validation(&self) -> Option<(f64, usize)> {
        match self {
            Task::Softmax(task) if task.validation_set_split_ratio != 0.0 => {
                Some((task.validation_set_split_ratio, task.min_nrof_val_images_per_class))
            }
            _ => None,
        }
    }

    /// Refuses numbers that make no sense.
    ///
    /// # Errors
    /// [`Error::Invalid`] names the field.
    pub fn check(&self, batch_size: usize) -> Result<()> {
        match self {
            Task::Softmax(task) => task.check(),
            Task::Triplet(task) => task.check(batch_size),
        }
    }
}

impl Softmax {
    fn check(&self) -> Result<()> {
        not_negative("center_loss_factor", self.center_loss_factor)?;
        not_negative("prelogits_norm_loss_factor", self.prelogits_norm_loss_factor)?;
        if !(0.0..=1.0).contains(&self.center_loss_alfa) {
            let problem = format!("{} is not from 0 to 1", self.center_loss_alfa);
            return Err(Error::invalid(Field("center_loss_alfa"), problem));
        }
        if !(self.prelogits_norm_p.is_finite() && self.prelogits_norm_p >= 1.0) {
            let problem = format!("{} is not 1 or more", self.prelogits_norm_p);
            return Err(Error::invalid(Field("prelogits_norm_p"), problem));
        }
        Ok(())
    }
}

impl Triplet {
    fn check(&self, batch_size: usize) -> Result<()> {
        if !(self.alpha.is_finite() && self.alpha > 0.0) {
            return Err(Error::invalid(Field("alpha"), format!("{} is not above 0", self.alpha)));
        }
        if !batch_size.is_multiple_of(3) {
            let problem = format!("{batch_size} does not divide by 3: a batch is of triplets");
            return Err(Error::invalid(Field("batch_size"), problem));
        }
        Ok(())
    }
}
