//! Which triplets are trained on: embeddings of a batch of people by the weights at hand, distances and choice on the
//! device.

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::Precision;
use crate::backend::Executable;
use crate::error::{Field, Message, message};
use crate::graph::Graph;
use crate::ops::{Metric, MineTriplets, Mining, NearestRows, PairwiseDistance, RowStorage};
use crate::random::{Stream, purpose};
use crate::train::network;
use crate::train::trainer::Trainer;
use crate::{Error, Result, Shape};

/// How negatives are chosen.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Mode {
    /// Any other person of the batch.
    Random,
    /// Farther than the positive, but by less than the margin (Schroff et al. 2015).
    SemiHard,
    /// The nearest within the margin.
    Hard,
    /// Any within the margin, nearer than the positive or not: what the original runs.
    Vgg,
    /// The nearest of the whole training set.
    Global,
}

const MODES: [(&str, Mode); 5] = [
    ("random", Mode::Random),
    ("semi-hard", Mode::SemiHard),
    ("hard", Mode::Hard),
    ("vgg", Mode::Vgg),
    ("global", Mode::Global),
];

impl fmt::Display for Mode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(MODES.iter().find(|(_, mode)| mode == self).map_or("", |(name, _)| name))
    }
}

impl FromStr for Mode {
    type Err = Error;

    fn from_str(name: &str) -> Result<Self> {
        let found = MODES.iter().find(|(known, _)| *known == name);
        found
            .map(|(_, mode)| *mode)
            .ok_or_else(|| Error::invalid(format!("mining `{name}`"), "choose random, semi-hard, hard, vgg or global"))
    }
}

/// Anchor, positive and negative, by their places in a pool of images.
pub type Triplet = [u32; 3];

/// What the distances of a batch of people look like.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Spread {
    /// Mean squared distance of two images of one person.
    pub same: f64,
    /// Mean squared distance of two images of different people.
    pub different: f64,
}

/// Squared distance between different people below which all embeddings are one: unit vectors of random directions are
/// 2 apart.
const COLLAPSED: f64 = 1e-3;

impl Spread {
    /// Of embeddings, each with its person: means over all pairs, in time and memory of all values.
    pub fn of<'a>(embeddings: impl Iterator<Item = (&'a [f32], u32)>) -> Spread {
        // Of n rows x, the squared distances of all pairs sum to n sum |x|^2 - |sum x|^2.
        let mut people: BTreeMap<u32, Sums> = BTreeMap::new();
        for (row, label) in embeddings {
            people.entry(label).or_default().add(row);
        }
        let (mut all, mut same) = (Sums::default(), (0.0, 0.0));
        for person in people.values() {
            let (sum, pairs) = person.pairs();
            same = (same.0 + sum, same.1 + pairs);
            all.join(person);
        }
        let (sum, pairs) = all.pairs();
        let mean = |sum: f64, pairs: f64| if pairs > 0.0 { (sum / pairs).max(0.0) } else { 0.0 };
        // A number that is none must stay so, and `max` would hide it.
        let not_a_number = if sum.is_finite() { 0.0 } else { f64::NAN };
        Spread {
            same: mean(same.0, same.1) + not_a_number,
            different: mean(sum - same.0, pairs - same.1) + not_a_number,
        }
    }

    /// What is wrong with these distances.
    pub fn trouble(&self) -> Option<Trouble> {
        if !(self.same.is_finite() && self.different.is_finite()) {
            return Some(Trouble::NotNumbers);
        }
        (self.different < COLLAPSED).then_some(Trouble::Collapsed)
    }
}

/// What is wrong with embeddings that triplets are chosen by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Trouble {
    /// Some are no numbers.
    NotNumbers,
    /// All are one point.
    Collapsed,
}

impl Trouble {
    /// What is wrong, and what helps.
    pub fn message(self) -> Message {
        let (resume, rate) = (Field("resume"), Field("learning_rate"));
        match self {
            Trouble::NotNumbers => message![
                "embeddings are not numbers: go on from an earlier checkpoint by ",
                resume,
                " with a lower ",
                rate,
                ", or begin again with one",
            ],
            Trouble::Collapsed => message![
                "embeddings have collapsed to one point: begin again with a lower ",
                rate,
                ", with ",
                Field("mining"),
                " semi-hard, or from a ",
                Field("pretrained_model"),
            ],
        }
    }
}

/// Of some rows: how many, their sum, and the sum of their squares.
#[derive(Default)]
struct Sums {
    count: f64,
    sum: Vec<f64>,
    squares: f64,
}

impl Sums {
    fn add(&mut self, row: &[f32]) {
        let row: Vec<f64> = row.iter().map(|&x| f64::from(x)).collect();
        let squares = row.iter().map(|x| x * x).sum();
        self.join(&Sums { count: 1.0, sum: row, squares });
    }

    fn join(&mut self, other: &Sums) {
        self.count += other.count;
        self.squares += other.squares;
        self.sum.resize(other.sum.len(), 0.0);
        self.sum.iter_mut().zip(&other.sum).for_each(|(sum, x)| *sum += x);
    }

    /// The sum of the squared distances of all pairs of them, and how many pairs there are.
    fn pairs(&self) -> (f64, f64) {
        let sum: f64 = self.sum.iter().map(|x| x * x).sum();
        (self.count * self.squares - sum, self.count * (self.count - 1.0) / 2.0)
    }
}

/// Chooses triplets on the device.
pub struct Miner {
    seed: u64,
    precision: Precision,
    /// Photographs to embeddings by the batch's own statistics.
    embed: Box<dyn Executable>,
    /// Embeddings and labels to distances and choices.
    choose: Box<dyn Executable>,
    images: usize,
    batch: usize,
}

impl Miner {
    /// For pools of `images` photographs of `side` pixels, embedded in the trainer's batches.
    ///
    /// # Errors
    /// [`Error::Invalid`] for [`Mode::Global`], which [`nearest_others`] serves; the device's.
    pub fn new(trainer: &Trainer, mode: Mode, images: usize, side: usize, alpha: f32, seed: u64) -> Result<Self> {
        let (parameters, options) = (trainer.parameters(), trainer.options());
        let graph = Arc::new(network::embedding(parameters, options.rows())?);
        let batch = options.batch.min(images);
        let module = trainer.states().load_in(graph, trainer.precision())?;
        let embed = module.plan(&[Shape::from([batch, side, side, 3])])?;
        let mut graph = Graph::new();
        let [x, labels, at] = ["embeddings", "labels", "step"].map(|name| graph.input(name));
        let distances = graph.op("distances", PairwiseDistance { metric: Metric::Euclidean }, &[x, x]);
        let op = match mode {
            Mode::Random => Mining::Random,
            Mode::SemiHard => Mining::SemiHard,
            Mode::Hard => Mining::Hard,
            Mode::Vgg => Mining::Vgg,
            Mode::Global => return Err(Error::invalid("mining", "global is not by pools: see `nearest_others`")),
        };
        let chosen = graph.op("triplets", MineTriplets { mode: op, margin: alpha, seed }, &[distances, labels, at]);
        graph.output(chosen);
        graph.output(distances);
        let d = parameters.spec().network.embedding_size;
        let choose = trainer.device().backend().load(Arc::new(graph))?;
        let choose = choose.plan(&[[images, d].into(), [images].into(), [1].into()])?;
        Ok(Miner { seed, precision: trainer.precision(), embed, choose, images, batch })
    }

    /// Triplets of a pool `[images, side, side, 3]`, in random order, and how the pool is spread; `at` is the pool's
    /// number in the run.
    ///
    /// # Errors
    /// The device's.
    pub fn choose(&self, pixels: &[f32], labels: &[u32], at: u64) -> Result<(Vec<Triplet>, Spread)> {
        let each = pixels.len() / self.images;
        let mut embeddings = Vec::new();
        for first in (0..self.images).step_by(self.batch) {
            // The last batch is filled up with the first images: statistics of fewer would be others.
            let end = (first + self.batch).min(self.images);
            let mut batch = pixels[first * each..end * each].to_vec();
            batch.extend_from_slice(&pixels[..(first + self.batch - end) * each]);
            let rows = self.embed.run(&[&batch])?.swap_remove(0);
            let d = rows.len() / self.batch;
            embeddings.extend_from_slice(&rows[..(end - first) * d]);
        }
        let values: Vec<f32> = labels.iter().map(|&label| label as f32).collect();
        // Whole numbers up to 2^24 are exact.
        let outputs = self.choose.run(&[&embeddings, &values, &[(at % (1 << 24)) as f32]])?;
        let (chosen, distances) = (&outputs[0], &outputs[1]);
        let n = self.images;
        let mut triplets = Vec::new();
        let (mut same, mut different) = ((0.0, 0u64), (0.0, 0u64));
        for a in 0..n {
            for p in a + 1..n {
                let sum = if labels[a] == labels[p] { &mut same } else { &mut different };
                *sum = (sum.0 + f64::from(distances[a * n + p]), sum.1 + 1);
                let negative = chosen[a * n + p];
                if negative >= 0.0 {
                    triplets.push([a as u32, p as u32, negative as u32]);
                }
            }
        }
        Stream::new(self.seed, purpose::ORDER, u64::MAX - at).shuffle(&mut triplets);
        let mean = |(sum, count): (f64, u64)| sum / count.max(1) as f64;
        Ok((triplets, Spread { same: mean(same), different: mean(different) }))
    }

    /// Bytes of its values on the device, beside the trainer's.
    pub fn memory(&self) -> u64 {
        self.precision.stored(self.embed.plan().arena) + 4 * self.choose.plan().arena as u64
    }
}

/// How many of the nearest others are remembered of each image.
pub const NEIGHBOURS: usize = 8;

/// Rows of a block of the table's computation.
const BLOCK: usize = 1024;

/// Of each of `n` embeddings the numbers of the nearest [`NEIGHBOURS`] of other people, `[n, NEIGHBOURS]`, -1 where there
/// are fewer: exact, block by block on the device.
///
/// # Errors
/// The device's.
pub fn nearest_others(trainer: &Trainer, embeddings: &[f32], labels: &[u32]) -> Result<Vec<i32>> {
    let n = labels.len();
    let d = embeddings.len() / n.max(1);
    let mut graph = Graph::new();
    let inputs = ["x", "labels of x", "y", "labels of y"].map(|name| graph.input(name));
    let others = NearestRows { k: NEIGHBOURS, others: true, storage: RowStorage::F32 };
    let nearest = graph.op("nearest", others, &inputs);
    graph.output(nearest);
    let block = BLOCK.min(n);
    let module = trainer.device().backend().load(Arc::new(graph))?;
    let executable = module.plan(&[[block, d].into(), [block].into(), [n, d].into(), [n].into()])?;
    let values: Vec<f32> = labels.iter().map(|&label| label as f32).collect();
    let mut table = Vec::with_capacity(n * NEIGHBOURS);
    for first in (0..n).step_by(block) {
        // The last block begins earlier instead of being shorter.
        let from = first.min(n - block);
        let outputs =
            executable.run(&[&embeddings[from * d..][..block * d], &values[from..][..block], embeddings, &values])?;
        for row in outputs[0].chunks_exact(2 * NEIGHBOURS).skip(first - from) {
            table.extend(row[..NEIGHBOURS].iter().map(|&image| image as i32));
        }
    }
    Ok(table)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn modes_have_names() {
        for (name, mode) in MODES {
            assert_eq!(name.parse::<Mode>().unwrap(), mode);
            assert_eq!(mode.to_string(), name);
        }
        assert!("semihard".parse::<Mode>().unwrap_err().to_string().contains("semi-hard"));
    }

    #[test]
    fn distances_are_summed_without_being_computed() {
        let rows = [[1.0f32, 0.0], [0.0, 1.0], [-1.0, 0.0], [0.6, 0.8], [0.0, -1.0]];
        let labels = [0, 1, 0, 1, 2];
        let (mut same, mut different) = (Vec::new(), Vec::new());
        for a in 0..5 {
            for b in a + 1..5 {
                let distance: f64 = (0..2).map(|i| f64::from(rows[a][i] - rows[b][i]).powi(2)).sum();
                if labels[a] == labels[b] { same.push(distance) } else { different.push(distance) }
            }
        }
        let mean = |x: Vec<f64>| x.iter().sum::<f64>() / x.len() as f64;
        let found = Spread::of(rows.iter().map(|row| &row[..]).zip(labels));
        assert!(
            (found.same - mean(same)).abs() < 1e-6 && (found.different - mean(different)).abs() < 1e-6,
            "{found:?}"
        );
        let three =
            |first: f32| Spread::of([[first, 0.8], [0.6, 0.8], [0.6, 0.8]].iter().map(|row| &row[..]).zip([0, 0, 1]));
        let collapsed = three(0.6);
        assert!(collapsed.trouble() == Some(Trouble::Collapsed), "{collapsed:?}");
        let broken = three(f32::NAN);
        assert!(broken.trouble() == Some(Trouble::NotNumbers), "{broken:?}");
    }

    #[test]
    fn trouble_is_told() {
        assert!(Spread { same: 0.2, different: 1.1 }.trouble().is_none());
        assert!(Spread { same: 1e-5, different: 2e-5 }.trouble() == Some(Trouble::Collapsed));
        assert!(Spread { same: f64::NAN, different: 1.0 }.trouble() == Some(Trouble::NotNumbers));
    }
}
