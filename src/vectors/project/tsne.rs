//! t-SNE by Barnes and Hut's tree: neighbours stay neighbours.

use rayon::prelude::*;

use super::pca::pca;
use super::quadtree::{Quadtree, Repulsion};
use super::similarity::Similarities;
use crate::backend::Device;
use crate::error::Field;
use crate::face::Embeddings;
use crate::random::{Stream, purpose};
use crate::vectors::search::Neighbours;
use crate::{Error, Result};

/// Neighbours for each unit of perplexity (van der Maaten 2014).
const NEIGHBOURS: f64 = 3.0;
/// Steps in which similarities are exaggerated, and momentum is low.
const EARLY: usize = 250;
/// Momentum then, and afterwards.
const MOMENTUM: [f64; 2] = [0.5, 0.8];
/// Spread of the first layout along its first axis.
const SPREAD: f64 = 1e-4;

/// How rows are laid out.
#[derive(Clone, Debug, PartialEq)]
pub struct TsneOptions {
    /// How many neighbours count, roughly: 1 to a third of the rows. More is taken for that.
    pub perplexity: f64,
    /// Steps.
    pub iterations: usize,
    /// How much more similar neighbours seem in the first 250 steps.
    pub exaggeration: f64,
    /// Length of a step; by default rows / exaggeration / 4, and 50 at least.
    pub learning_rate: Option<f64>,
    /// What is seen at a smaller angle counts as one point; 0 is exact and slow.
    pub theta: f64,
    /// Moves rows that are equal apart.
    pub seed: u64,
}

impl Default for TsneOptions {
    /// scikit-learn's.
    fn default() -> Self {
        TsneOptions { perplexity: 30.0, iterations: 1000, exaggeration: 12.0, learning_rate: None, theta: 0.5, seed: 0 }
    }
}

impl TsneOptions {
    /// Checks that the options make sense.
    ///
    /// # Errors
    /// [`Error::Invalid`] names the option.
    pub fn check(&self) -> Result<()> {
        let wrong = |field, problem: String| Err(Error::invalid(Field(field), problem));
        if !(self.perplexity >= 1.0 && self.perplexity.is_finite()) {
            return wrong("perplexity", format!("{} is no number of neighbours from 1 on", self.perplexity));
        }
        if !(self.exaggeration >= 1.0 && self.exaggeration.is_finite()) {
            return wrong("exaggeration", format!("{} is no factor from 1 on", self.exaggeration));
        }
        if self.learning_rate.is_some_and(|rate| !(rate > 0.0 && rate.is_finite())) {
            return wrong("learning_rate", format!("{} is no length above 0", self.learning_rate.unwrap_or_default()));
        }
        if !(0.0..1.0).contains(&self.theta) {
            return wrong("theta", format!("{} is not 0 to below 1", self.theta));
        }
        Ok(())
    }
}

/// Points of a plane.
#[derive(Clone, Debug, PartialEq)]
pub struct Layout {
    /// A point for each row; their mean is 0.
    pub points: Vec<[f64; 2]>,
    /// The Kullback-Leibler divergence that is left, of the neighbours' probabilities.
    pub divergence: f64,
    /// The perplexity that was used.
    pub perplexity: f64,
}

/// Lays rows out in a plane so that near ones are near (van der Maaten, "Accelerating t-SNE using Tree-Based Algorithms",
/// 2014), from their exact neighbours and a first layout by [`pca`]. `told` is called with the number of each step that is
/// done. The same rows, options and device give the same bits whatever the threads.
///
/// # Errors
/// Options that make no sense, fewer than four rows, a row with a value that is not finite, steps so long that points fly
/// apart.
pub fn tsne(
    device: &Device,
    rows: &Embeddings,
    options: &TsneOptions,
    mut told: impl FnMut(usize) + Send,
) -> Result<Layout> {
    options.check()?;
    let n = rows.len();
    if n < 4 {
        return Err(Error::invalid("embeddings", format!("t-SNE needs four rows at least, and there are {n}")));
    }
    let perplexity = options.perplexity.min((n - 1) as f64 / NEIGHBOURS).max(1.0);
    let count = ((NEIGHBOURS * perplexity) as usize).min(n - 1);
    let mut neighbours = Neighbours::new(device, rows)?.nearest(rows, count + 1)?;
    for (row, hits) in neighbours.iter_mut().enumerate() {
        hits.retain(|hit| hit.row != row);
        hits.truncate(count);
    }
    let first = first_layout(device, rows, options.seed);
    let layout = device.install(|| {
        let similarities = Similarities::new(&neighbours, perplexity);
        drop(neighbours);
        let mut descent = Descent::new(&similarities, first, options);
        for step in 0..options.iterations {
            descent.step(step);
            told(step + 1);
        }
        let divergence = descent.divergence();
        Layout { points: descent.points, divergence, perplexity }
    });
    if !layout.divergence.is_finite() {
        return Err(Error::invalid(Field("learning_rate"), "points flew apart: take a shorter step"));
    }
    Ok(layout)
}

/// The principal components, small, with a little noise that moves equal rows apart.
fn first_layout(device: &Device, rows: &Embeddings, seed: u64) -> Vec<[f64; 2]> {
    let points = pca(device, rows).points;
    let spread = (points.iter().map(|point| point[0] * point[0]).sum::<f64>() / points.len() as f64).sqrt();
    let scale = if spread > 0.0 { SPREAD / spread } else { 0.0 };
    let mut random = Stream::new(seed, purpose::LAYOUT, 1);
    let mut noise = || SPREAD * 0.01 * (f64::from(random.uniform()) - 0.5);
    points.iter().map(|point| point.map(|x| x * scale + noise())).collect()
}

/// The layout on its way.
struct Descent<'a> {
    similarities: &'a Similarities,
    points: Vec<[f64; 2]>,
    velocity: Vec<[f64; 2]>,
    gains: Vec<[f64; 2]>,
    rate: f64,
    exaggeration: f64,
    theta: f64,
}

impl<'a> Descent<'a> {
    fn new(similarities: &'a Similarities, points: Vec<[f64; 2]>, options: &TsneOptions) -> Self {
        let n = points.len();
        let usual = (n as f64 / options.exaggeration / 4.0).max(50.0);
        Descent {
            similarities,
            velocity: vec![[0.0; 2]; n],
            gains: vec![[1.0; 2]; n],
            points,
            rate: options.learning_rate.unwrap_or(usual),
            exaggeration: options.exaggeration,
            theta: options.theta,
        }
    }

    /// What all points do to each, and the sum of all similarities, in the order of the points.
    fn repulsions(&self) -> (Vec<Repulsion>, f64) {
        let tree = Quadtree::new(&self.points);
        let of = |stack: &mut Vec<u32>, point: &[f64; 2]| tree.repulsion(*point, self.theta, stack);
        let repulsions: Vec<Repulsion> = self.points.par_iter().map_init(Vec::new, of).collect();
        let total = repulsions.iter().map(|repulsion| repulsion.similarity).sum::<f64>().max(f64::MIN_POSITIVE);
        (repulsions, total)
    }

    fn step(&mut self, step: usize) {
        let early = step < EARLY;
        let exaggeration = if early { self.exaggeration } else { 1.0 };
        let momentum = MOMENTUM[usize::from(!early)];
        let (repulsions, total) = self.repulsions();
        let (points, similarities) = (&self.points, self.similarities);
        let gradient = |i: usize| {
            let mut sum = [0.0; 2];
            for &(j, p) in similarities.row(i) {
                let (away, similarity) = pull(points[i], points[j as usize]);
                (0..2).for_each(|k| sum[k] += exaggeration * p * similarity * away[k]);
            }
            [0, 1].map(|k| 4.0 * (sum[k] - repulsions[i].force[k] / total))
        };
        let gradients: Vec<[f64; 2]> = (0..points.len()).into_par_iter().map(gradient).collect();
        for (i, gradient) in gradients.iter().enumerate() {
            let (velocity, gains) = (&mut self.velocity[i], &mut self.gains[i]);
            for (k, &slope) in gradient.iter().enumerate() {
                // Steps grow where they keep their direction (Jacobs 1988).
                let turned = (slope > 0.0) == (velocity[k] > 0.0);
                gains[k] = if turned { gains[k] * 0.8 } else { gains[k] + 0.2 }.max(0.01);
                velocity[k] = momentum * velocity[k] - self.rate * gains[k] * slope;
                self.points[i][k] += velocity[k];
            }
        }
        let n = self.points.len() as f64;
        let mean = [0, 1].map(|k| self.points.iter().map(|point| point[k]).sum::<f64>() / n);
        self.points.iter_mut().for_each(|point| (0..2).for_each(|k| point[k] -= mean[k]));
    }

    fn divergence(&self) -> f64 {
        let (_, total) = self.repulsions();
        let of = |i: usize| -> f64 {
            let term = |&(j, p): &(u32, f64)| {
                let (_, similarity) = pull(self.points[i], self.points[j as usize]);
                if p > 0.0 { p * (p * total / similarity).ln() } else { 0.0 }
            };
            self.similarities.row(i).iter().map(term).sum()
        };
        (0..self.points.len()).map(of).sum()
    }
}

/// From one point to another, and their similarity.
fn pull(x: [f64; 2], y: [f64; 2]) -> ([f64; 2], f64) {
    let away = [x[0] - y[0], x[1] - y[1]];
    (away, 1.0 / (1.0 + away[0] * away[0] + away[1] * away[1]))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn groups(n: usize, groups: usize) -> Embeddings {
        let mut random = Stream::new(5, 0, 0);
        let row = |i: usize| -> Vec<f32> {
            (0..8).map(|k| if k == i % groups { 3.0 } else { 0.0 } + random.uniform() - 0.5).collect()
        };
        Embeddings::new(8, (0..n).flat_map(row).collect())
    }

    #[test]
    fn groups_stay_together_whatever_the_threads() {
        let rows = groups(150, 3);
        let options = TsneOptions { perplexity: 10.0, iterations: 400, ..TsneOptions::default() };
        let lay =
            |threads, options: &TsneOptions| tsne(&Device::cpu(threads).unwrap(), &rows, options, |_| {}).unwrap();
        let layout = lay(1, &options);
        assert_eq!(layout, lay(3, &options));
        assert_ne!(layout.points, lay(1, &TsneOptions { seed: 1, ..options.clone() }).points);
        // The nearest point of each is of its own group.
        for (i, p) in layout.points.iter().enumerate() {
            let away = |q: &[f64; 2]| (p[0] - q[0]).hypot(p[1] - q[1]);
            let others = (0..150).filter(|&j| j != i);
            let near = others.min_by(|&a, &b| away(&layout.points[a]).total_cmp(&away(&layout.points[b]))).unwrap();
            assert_eq!(near % 3, i % 3);
        }
        assert!(layout.divergence < 1.0, "{}", layout.divergence);
    }

    #[test]
    fn few_and_equal_rows_are_laid_out_or_refused() {
        let device = Device::cpu(1).unwrap();
        let options = TsneOptions { iterations: 60, ..TsneOptions::default() };
        let few = tsne(&device, &groups(5, 2), &options, |_| {}).unwrap();
        assert!(few.perplexity < 2.0 && few.points.iter().flatten().all(|x| x.is_finite()));
        let equal = tsne(&device, &Embeddings::new(2, vec![0.5; 80]), &options, |_| {}).unwrap();
        assert!(equal.points.iter().flatten().all(|x| x.is_finite()));
        let refused =
            |rows: Embeddings, options: &TsneOptions| tsne(&device, &rows, options, |_| {}).unwrap_err().to_string();
        assert!(refused(groups(3, 1), &options).contains("four rows"));
        assert!(refused(groups(9, 1), &TsneOptions { perplexity: f64::NAN, ..options.clone() }).contains("perplexity"));
        assert!(refused(groups(9, 1), &TsneOptions { theta: 1.0, ..options }).contains("theta"));
        let long = TsneOptions { learning_rate: Some(1e30), ..TsneOptions::default() };
        assert!(refused(groups(30, 2), &long).contains("learning_rate"));
    }
}
