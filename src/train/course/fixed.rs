//! Triplet loss on triplets that stay: those mined change with the network, and so their loss says little of it.

use std::sync::Arc;

use crate::eval::Person;
use crate::random::{Stream, purpose};
use crate::train::dataset::Dataset;
use crate::train::inference::Inference;
use crate::weights::network::Unfolded;
use crate::{Error, Result};

/// The most people, and photographs of each: 1.8 million triplets, embedded in no more time than a few steps take.
const PEOPLE: usize = 64;
const IMAGES: usize = 8;

/// All triplets of a sample of photographs, drawn once for a run whatever is mined.
#[derive(Clone, Debug)]
pub struct FixedTriplets {
    sample: Arc<Dataset>,
    alpha: f32,
}

impl FixedTriplets {
    /// A sample of the people trained on, at most 64 with at most 8 photographs each, by the run's seed; `alpha` is the
    /// loss's margin. People with one photograph are passed over.
    ///
    /// # Errors
    /// Nobody has two photographs.
    pub fn draw(seed: u64, dataset: &Dataset, alpha: f32) -> Result<Self> {
        // Pools of mined triplets are counted from 0.
        let mut random = Stream::new(seed, purpose::MINING, u64::MAX);
        let mut people: Vec<Person> = dataset.people().iter().filter(|p| p.photos.len() > 1).cloned().collect();
        random.shuffle(&mut people);
        people.truncate(PEOPLE);
        people.sort_unstable();
        for person in &mut people {
            random.shuffle(&mut person.photos);
            person.photos.truncate(IMAGES);
            person.photos.sort_unstable();
        }
        if people.is_empty() {
            return Err(Error::data(dataset.dir(), "nobody has two photographs"));
        }
        Ok(FixedTriplets { sample: Arc::new(Dataset::new(dataset.dir(), people)?), alpha })
    }

    /// The photographs.
    pub fn sample(&self) -> &Dataset {
        &self.sample
    }

    /// The mean loss of these weights' network, batch norms by their running averages, over all triplets; NaN where there
    /// are none.
    ///
    /// # Errors
    /// As [`Inference::embed`].
    pub fn loss(&self, inference: &Inference, weights: Unfolded) -> Result<f64> {
        let found = Inference { flipped: false, ..*inference }.embed(weights, &self.sample)?;
        let labels = self.sample.labels();
        let whole = (0..labels.len()).filter(|image| !found.bad.contains(image));
        let (rows, labels): (Vec<&[f32]>, Vec<u32>) = whole.map(|i| (found.row(i), labels[i])).unzip();
        Ok(mean_loss(&rows, &labels, f64::from(self.alpha)))
    }
}

/// The mean of `max(0, |a - p|^2 - |a - n|^2 + alpha)` over all anchors, positives and negatives.
fn mean_loss(rows: &[&[f32]], labels: &[u32], alpha: f64) -> f64 {
    let distance = |a: &[f32], b: &[f32]| a.iter().zip(b).map(|(x, y)| f64::from(x - y).powi(2)).sum::<f64>();
    let (mut sum, mut count) = (0.0, 0u64);
    for (a, anchor) in rows.iter().enumerate() {
        let to_all: Vec<f64> = rows.iter().map(|row| distance(anchor, row)).collect();
        let of = |same: bool| (0..rows.len()).filter(move |&i| i != a && (labels[i] == labels[a]) == same);
        let negatives: Vec<f64> = of(false).map(|n| to_all[n]).collect();
        for p in of(true) {
            sum += negatives.iter().map(|negative| (to_all[p] - negative + alpha).max(0.0)).sum::<f64>();
            count += negatives.len() as u64;
        }
    }
    sum / count as f64
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::train::dataset::tests::people;

    #[test]
    fn every_triplet_counts_once() {
        // On a line: two of one person at 0 and 1, another at 1.5.
        let rows: [&[f32]; 3] = [&[0.0], &[1.0], &[1.5]];
        // |0 - 1|^2 - |0 - 1.5|^2 is below the margin, |1 - 0|^2 - |1 - 1.5|^2 + 0.2 = 0.95 above.
        assert!((mean_loss(&rows, &[0, 0, 1], 0.2) - 0.95 / 2.0).abs() < 1e-9);
        assert!((mean_loss(&rows, &[0, 0, 1], 2.0) - (0.75 + 2.75) / 2.0).abs() < 1e-9);
        assert!(mean_loss(&rows, &[0, 1, 2], 0.2).is_nan() && mean_loss(&rows, &[0, 0, 0], 0.2).is_nan());
    }

    #[test]
    fn the_sample_is_bounded_and_the_seeds() {
        let counts: Vec<usize> = (0..100).map(|i| if i % 5 == 0 { 1 } else { 5 + i % 7 }).collect();
        let dataset = Dataset::new("dir", people(&counts)).unwrap();
        let draw = |seed| FixedTriplets::draw(seed, &dataset, 0.2).unwrap().sample;
        let sample = draw(1);
        assert_eq!(sample.classes(), PEOPLE);
        assert!(sample.people().iter().all(|p| (2..=IMAGES).contains(&p.photos.len())));
        assert_eq!(*sample, *draw(1));
        assert_ne!(*sample, *draw(2));
        let alone = Dataset::new("dir", people(&[1, 1])).unwrap();
        assert!(FixedTriplets::draw(1, &alone, 0.2).unwrap_err().to_string().contains("two photographs"));
    }
}
