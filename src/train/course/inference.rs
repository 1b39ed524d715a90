//! Embeddings of whole datasets by a network in training: for evaluation pairs, filters and the hardest negatives.

use std::sync::Arc;

use crate::Precision;
use crate::backend::Device;
use crate::models::{classifier, embedding_network};
use crate::train::augment::Augment;
use crate::train::dataset::Dataset;
use crate::train::loader::{Instead, Loader, Workers};
use crate::train::sampler;
use crate::weights::network::Unfolded;
use crate::{Error, Graph, Result, Shape};

/// Embeddings of a dataset's images.
#[derive(Clone, Debug, PartialEq)]
pub struct EmbeddedDataset {
    /// `[n, dim]`, in the dataset's order; zeros for images that could not be decoded.
    pub rows: Vec<f32>,
    /// Length of a row.
    pub dim: usize,
    /// The numbers of the images that could not be decoded.
    pub bad: Vec<usize>,
}

impl EmbeddedDataset {
    /// An image's row.
    pub fn row(&self, image: usize) -> &[f32] {
        &self.rows[image * self.dim..][..self.dim]
    }
}

/// How a dataset's images become embeddings.
#[derive(Clone, Copy, Debug)]
pub struct Inference<'a> {
    /// Where.
    pub device: &'a Device,
    /// In which arithmetic.
    pub precision: Precision,
    /// What is done to the images first.
    pub augment: Augment,
    /// Whether each image's mirror image is embedded too, and the two embeddings joined.
    pub flipped: bool,
    /// How much is done ahead.
    pub workers: Workers,
}

impl Inference<'_> {
    /// The embeddings by these weights, batch norms folded.
    ///
    /// # Errors
    /// The device's.
    pub fn embed(&self, weights: Unfolded, dataset: &Arc<Dataset>) -> Result<EmbeddedDataset> {
        self.run(embedding_network(&weights.fold())?, dataset)
    }

    /// The classifier's mean cross entropy on a dataset's images, the share that it is right about, and the numbers of the
    /// images that could not be decoded, which do not count.
    ///
    /// # Errors
    /// As [`Inference::embed`]; [`Error::Invalid`] for weights without a classifier.
    pub fn classify(&self, weights: Unfolded, dataset: &Arc<Dataset>) -> Result<(f64, f64, Vec<usize>)> {
        let logits = weights.logits.clone().ok_or_else(|| Error::invalid("validation", "there is no classifier"))?;
        let plain = Inference { flipped: false, ..*self };
        let found = plain.run(classifier(&weights.fold(), logits)?, dataset)?;
        let (mut loss, mut right, mut count) = (0.0, 0, 0);
        for image in (0..dataset.images()).filter(|image| !found.bad.contains(image)) {
            let (row, label) = (found.row(image), dataset.class_of(image));
            let largest = row.iter().copied().fold(f32::NEG_INFINITY, f32::max);
            let sum: f64 = row.iter().map(|&x| f64::from(x - largest).exp()).sum();
            loss += sum.ln() - f64::from(row[label] - largest);
            right += usize::from(row.iter().position(|&x| x == largest) == Some(label));
            count += 1;
        }
        Ok((loss / count as f64, f64::from(right as u32) / count as f64, found.bad))
    }

    /// Rows by a network `[n, side, side, 3]` to `[n, d]`.
    fn run(&self, graph: Graph, dataset: &Arc<Dataset>) -> Result<EmbeddedDataset> {
        let module = self.device.backend().load_in(Arc::new(graph), self.precision)?;
        let side = self.augment.image_size;
        let batch = self.device.backend().batch().min(dataset.images());
        let executable = module.plan(&[Shape::from([batch, side, side, 3])])?;
        let batches = sampler::in_order(dataset.images(), batch);
        let mut loader = Loader::with(dataset.clone(), self.augment, 0, batches, self.workers, Instead::Nothing)?;
        let (mut rows, mut dim) = (Vec::new(), 0);
        for loaded in loader.by_ref() {
            let mut loaded = loaded?;
            let n = loaded.images.len();
            // The last batch is filled up with black.
            loaded.pixels.resize(batch * side * side * 3, 0.0);
            let plain = executable.run(&[&loaded.pixels])?.swap_remove(0);
            let mirrored = match self.flipped {
                true => {
                    mirror(&mut loaded.pixels, side);
                    Some(executable.run(&[&loaded.pixels])?.swap_remove(0))
                }
                false => None,
            };
            let d = plain.len() / batch;
            for i in 0..n {
                rows.extend_from_slice(&plain[i * d..][..d]);
                rows.extend_from_slice(mirrored.as_ref().map_or(&[], |mirrored| &mirrored[i * d..][..d]));
            }
            dim = d * if self.flipped { 2 } else { 1 };
        }
        let bad = loader.bad_numbers();
        for &image in &bad {
            rows[image * dim..][..dim].fill(0.0);
        }
        Ok(EmbeddedDataset { rows, dim, bad })
    }
}

/// Turns pictures `[n, side, side, 3]` left to right.
fn mirror(pixels: &mut [f32], side: usize) {
    for row in pixels.chunks_exact_mut(side * 3) {
        for x in 0..side / 2 {
            for c in 0..3 {
                row.swap(3 * x + c, 3 * (side - 1 - x) + c);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::mirror;

    #[test]
    fn mirrors_have_left_and_right_exchanged() {
        let mut pixels: Vec<f32> = (0..2 * 3 * 3 * 3).map(|i| i as f32).collect();
        let before = pixels.clone();
        mirror(&mut pixels, 3);
        assert_eq!(pixels[..9], [6.0, 7.0, 8.0, 3.0, 4.0, 5.0, 0.0, 1.0, 2.0]);
        mirror(&mut pixels, 3);
        assert_eq!(pixels, before);
    }
}
