//! The flags that both trainings share, named as the original's.

use std::path::PathBuf;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::ops::{Metric, OptimizerKind};
use crate::train::pairs::SameRatio;
use crate::{Error, Result};

/// What is trained on, how, and where it is kept.
#[derive(Clone, Debug, clap::Args, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Common {
    /// A folder for each person, with aligned photographs (`warpface align` makes them)
    #[arg(value_name = "DIR", required_unless_present = "resume")]
    pub dir: Option<PathBuf>,

    /// Photographs of a batch
    #[arg(long, default_value_t = 90, value_name = "N", help_heading = "Steps")]
    pub batch_size: usize,
    /// Batches of an epoch
    #[arg(long, default_value_t = 1000, value_name = "N", help_heading = "Steps")]
    pub epoch_size: u32,
    /// Epochs in all
    #[arg(long, default_value_t = 500, value_name = "N", help_heading = "Steps")]
    pub max_nrof_epochs: u32,
    /// What all chance depends on: first weights, order, crops, dropout, triplets
    #[arg(long, default_value_t = 666, value_name = "N", help_heading = "Steps")]
    pub seed: u64,
    /// Most memory of states and a step's values, such as 8G or 500M: blocks are computed again for the gradients until it suffices
    #[arg(long, value_name = "BYTES", value_parser = bytes, help_heading = "Steps")]
    pub memory_budget: Option<u64>,

    /// Start from this network; its classifier is rebuilt where the people are others
    #[arg(long, value_name = "FILE", help_heading = "Network")]
    pub pretrained_model: Option<PathBuf>,
    /// Length of an embedding [default: the pretrained network's, else its definition's: 128, DeepFace 4096]
    #[arg(long, value_name = "N", help_heading = "Network")]
    pub embedding_size: Option<usize>,
    /// Channels of every layer as a part of the published network's: 1, 0.5, 0.25 and so on [default: the pretrained network's, else 1]
    #[arg(long, value_name = "PART", help_heading = "Network")]
    pub width: Option<f64>,
    /// The part of the features that dropout keeps
    #[arg(long, default_value_t = 1.0, value_name = "PART", help_heading = "Network")]
    pub keep_probability: f32,

    /// ADAGRAD, ADADELTA, ADAM, RMSPROP or MOM (Nesterov), with the original's constants
    #[arg(long, default_value = "ADAGRAD", value_name = "NAME", help_heading = "Optimizer")]
    pub optimizer: OptimizerName,
    /// Learning rate; a negative one asks for a schedule file
    #[arg(long, default_value_t = 0.1, allow_negative_numbers = true, value_name = "RATE", help_heading = "Optimizer")]
    pub learning_rate: f32,
    /// Epochs after which the rate is multiplied by the factor
    #[arg(long, default_value_t = 100, value_name = "N", help_heading = "Optimizer")]
    pub learning_rate_decay_epochs: u32,
    /// Factor of the learning rate; 1 keeps it
    #[arg(long, default_value_t = 1.0, value_name = "FACTOR", help_heading = "Optimizer")]
    pub learning_rate_decay_factor: f32,
    /// Lines `epoch: rate`; a negative rate ends training. Taken where --learning-rate is negative or not given
    #[arg(long, value_name = "FILE", help_heading = "Optimizer")]
    pub learning_rate_schedule_file: Option<PathBuf>,
    /// The weights' moving average; 0 keeps none
    #[arg(long, default_value_t = 0.9999, value_name = "DECAY", help_heading = "Optimizer")]
    pub moving_average_decay: f32,
    /// Factor of the weights' squares
    #[arg(long, default_value_t = 0.0, value_name = "FACTOR", help_heading = "Optimizer")]
    pub weight_decay: f32,

    /// Side of the network's input, in pixels [default: the pretrained network's, else its definition's: 160, DeepFace 152, nn4.small2 96]
    #[arg(long, value_name = "PIXELS", help_heading = "Photographs")]
    pub image_size: Option<usize>,
    /// Crop from anywhere, not the middle
    #[arg(long, help_heading = "Photographs")]
    pub random_crop: bool,
    /// Mirror half of the photographs
    #[arg(long, help_heading = "Photographs")]
    pub random_flip: bool,
    /// Turn by up to 10 degrees
    #[arg(long, help_heading = "Photographs")]
    pub random_rotate: bool,
    /// The same as --standardize fixed, by the original's name
    #[arg(long, help_heading = "Photographs")]
    pub use_fixed_image_standardization: bool,
    /// Keep only photographs within this percentile of the distances to their class's centre
    #[arg(long, value_name = "PERCENTILE", help_heading = "Photographs")]
    pub filter: Option<f64>,
    /// Network whose embeddings --filter goes by [default: the pretrained one]
    #[arg(long, value_name = "FILE", requires = "filter", help_heading = "Photographs")]
    pub filter_model: Option<PathBuf>,
    /// Leave out people with fewer photographs, after --filter
    #[arg(long, default_value_t = 0, value_name = "N", help_heading = "Photographs")]
    pub filter_min_nrof_images_per_class: usize,

    /// Do not train on so many people, drawn by the seed: evaluation pairs are of them
    #[arg(long, default_value_t = 0, value_name = "N", help_heading = "Evaluation")]
    pub hold_out_people: usize,
    /// Folder of aligned photographs for evaluation pairs
    #[arg(long, value_name = "DIR", help_heading = "Evaluation")]
    pub lfw_dir: Option<PathBuf>,
    /// Pairs file, as LFW's pairs.txt
    #[arg(long, value_name = "FILE", requires = "lfw_dir", help_heading = "Evaluation")]
    pub lfw_pairs: Option<PathBuf>,
    /// So many pairs, drawn anew after each epoch, of --lfw-dir, of the people held out, or of the validation photographs
    #[arg(long, value_name = "N", conflicts_with = "lfw_pairs", help_heading = "Evaluation")]
    pub random_pairs: Option<usize>,
    /// Pairs of one person to pairs of two, for --random-pairs
    #[arg(long, default_value = "1:1", value_name = "A:B", help_heading = "Evaluation")]
    pub same_ratio: SameRatio,
    /// Folds of the cross validation [default: the pairs file's header, else 10]
    #[arg(long, value_name = "N", help_heading = "Evaluation")]
    pub lfw_nrof_folds: Option<usize>,
    /// Distance of two embeddings
    #[arg(long, default_value = "euclidean", value_name = "euclidean|cosine", help_heading = "Evaluation")]
    #[serde(serialize_with = "by_name", deserialize_with = "from_name")]
    pub lfw_distance_metric: Metric,
    /// Join the embeddings of photograph and mirror image
    #[arg(long, help_heading = "Evaluation")]
    pub lfw_use_flipped_images: bool,
    /// Subtract the mean embedding
    #[arg(long, help_heading = "Evaluation")]
    pub lfw_subtract_mean: bool,
    /// Epochs between evaluations
    #[arg(long, default_value_t = 1, value_name = "N", help_heading = "Evaluation")]
    pub validate_every_n_epochs: u32,

    /// Folder of the runs' checkpoints, one folder each
    #[arg(long, default_value = "models/facenet", value_name = "DIR", help_heading = "Files")]
    pub models_base_dir: PathBuf,
    /// Folder of the runs' TensorBoard events and pages, one folder each
    #[arg(long, default_value = "logs/facenet", value_name = "DIR", help_heading = "Files")]
    pub logs_base_dir: PathBuf,
    /// The run's folder in both [default: date and time]
    #[arg(long, value_name = "NAME", help_heading = "Files")]
    pub name: Option<String>,
    /// Steps between checkpoints; there is one after each epoch and on Ctrl-C anyway
    #[arg(long, default_value_t = 0, value_name = "STEPS", help_heading = "Files")]
    pub checkpoint_every: u64,
    /// How many checkpoints are kept
    #[arg(long, default_value_t = 3, value_name = "N", help_heading = "Files")]
    pub keep_checkpoints: usize,
    /// Write histograms of the weights after each epoch
    #[arg(long, help_heading = "Files")]
    pub log_histograms: bool,
    /// Go on with a run, bit for bit: its folder of checkpoints, or one of them. Only the folders, the number of epochs,
    /// the learning rates and what is kept may be given anew
    #[arg(long, value_name = "RUN", help_heading = "Files")]
    pub resume: Option<PathBuf>,
}

/// The flags that may be given with --resume; all others are the run's own.
pub const WITH_RESUME: [&str; 10] = [
    "dir",
    "resume",
    "max_nrof_epochs",
    "learning_rate",
    "learning_rate_decay_epochs",
    "learning_rate_decay_factor",
    "learning_rate_schedule_file",
    "checkpoint_every",
    "keep_checkpoints",
    "logs_base_dir",
];

impl Common {
    /// Takes what a run that goes on may be given anew, as [`WITH_RESUME`] lists it.
    pub fn adopt(&mut self, asked: &Common, given: &[String]) {
        for flag in given {
            match flag.as_str() {
                "dir" => self.dir.clone_from(&asked.dir),
                "max_nrof_epochs" => self.max_nrof_epochs = asked.max_nrof_epochs,
                "learning_rate" => self.learning_rate = asked.learning_rate,
                "learning_rate_decay_epochs" => self.learning_rate_decay_epochs = asked.learning_rate_decay_epochs,
                "learning_rate_decay_factor" => self.learning_rate_decay_factor = asked.learning_rate_decay_factor,
                "learning_rate_schedule_file" => {
                    self.learning_rate_schedule_file.clone_from(&asked.learning_rate_schedule_file);
                }
                "checkpoint_every" => self.checkpoint_every = asked.checkpoint_every,
                "keep_checkpoints" => self.keep_checkpoints = asked.keep_checkpoints,
                "logs_base_dir" => self.logs_base_dir.clone_from(&asked.logs_base_dir),
                _ => {}
            }
        }
        self.resume.clone_from(&asked.resume);
    }
}

/// An optimizer by the original's name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct OptimizerName(OptimizerKind);

/// The optimizers by the original's names.
const OPTIMIZERS: [(&str, OptimizerKind); 5] = [
    ("ADAGRAD", OptimizerKind::Adagrad),
    ("ADADELTA", OptimizerKind::Adadelta),
    ("ADAM", OptimizerKind::Adam),
    ("RMSPROP", OptimizerKind::RmsProp),
    ("MOM", OptimizerKind::Momentum),
];

impl OptimizerName {
    /// Which it is.
    pub fn kind(self) -> OptimizerKind {
        self.0
    }
}

impl FromStr for OptimizerName {
    type Err = Error;

    fn from_str(name: &str) -> Result<Self> {
        let upper = name.to_ascii_uppercase();
        let found = OPTIMIZERS.iter().find(|(known, _)| *known == upper);
        let problem = "choose ADAGRAD, ADADELTA, ADAM, RMSPROP or MOM";
        found
            .map(|(_, kind)| OptimizerName(*kind))
            .ok_or_else(|| Error::invalid(format!("optimizer `{name}`"), problem))
    }
}

impl TryFrom<String> for OptimizerName {
    type Error = Error;

    fn try_from(name: String) -> Result<Self> {
        name.parse()
    }
}

impl From<OptimizerName> for String {
    fn from(name: OptimizerName) -> String {
        let found = OPTIMIZERS.iter().find(|(_, kind)| *kind == name.0);
        found.map_or_else(String::new, |(known, _)| (*known).to_owned())
    }
}

fn by_name<S: Serializer>(metric: &Metric, to: S) -> Result<S::Ok, S::Error> {
    to.collect_str(metric)
}

fn from_name<'de, D: Deserializer<'de>>(from: D) -> Result<Metric, D::Error> {
    String::deserialize(from)?.parse().map_err(serde::de::Error::custom)
}

/// `8G`, `500M`, `123456789`.
fn bytes(text: &str) -> Result<u64, String> {
    let (digits, factor) = match text.trim_end_matches(['i', 'B']).chars().last() {
        Some('G' | 'g') => (text.trim_end_matches(['i', 'B', 'G', 'g']), 1u64 << 30),
        Some('M' | 'm') => (text.trim_end_matches(['i', 'B', 'M', 'm']), 1 << 20),
        Some('K' | 'k') => (text.trim_end_matches(['i', 'B', 'K', 'k']), 1 << 10),
        _ => (text, 1),
    };
    let number: Option<f64> = digits.parse().ok().filter(|n: &f64| n.is_finite() && *n > 0.0);
    number.map(|n| (n * factor as f64) as u64).ok_or_else(|| "write bytes, or such as 500M or 8G".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn budgets_are_read() {
        for (text, expected) in
            [("8G", 8u64 << 30), ("500MiB", 500 << 20), ("3k", 3 << 10), ("1.5GB", 3 << 29), ("77", 77)]
        {
            assert_eq!(bytes(text).unwrap(), expected);
        }
        for text in ["", "G", "-1G", "eight"] {
            assert!(bytes(text).is_err(), "{text}");
        }
    }
}
