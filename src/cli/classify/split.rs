//! Which photographs are trained on, and which are tested with, as flags.

use anyhow::Result;
use sha2::{Digest, Sha256};

use crate::cli::faces::Faces;
use crate::cli::output;
use crate::vectors::classify::{Parts, Split};

#[derive(Debug, clap::Args)]
pub struct SplitArgs {
    /// Leave out people with fewer photographs that show a face [default: one more than are trained on, where photographs
    /// are parted, else 1]
    #[arg(long, value_name = "N")]
    min_images_per_class: Option<usize>,
    /// Photographs of each person to train on, drawn by the seed; the others are tested
    #[arg(long, value_name = "N")]
    train_images_per_class: Option<usize>,
    /// What photographs, and the folds of probabilities, are drawn by
    #[arg(long, default_value_t = 0)]
    pub seed: u64,
}

impl SplitArgs {
    /// Whether something is asked for.
    pub fn is_given(&self) -> bool {
        self.min_images_per_class.is_some() || self.train_images_per_class.is_some()
    }

    /// How photographs are parted, where they are.
    pub fn split(&self) -> Option<Split> {
        let train_images = self.train_images_per_class?;
        let min_images = self.min_images_per_class.unwrap_or(train_images.saturating_add(1));
        Some(Split { min_images, train_images, seed: self.seed })
    }

    /// The photographs in parts: all to train on where they are not parted.
    pub fn parts(&self, names: &[String]) -> Result<Parts> {
        let min_images = self.min_images_per_class.unwrap_or(0);
        let all = Split { min_images, train_images: usize::MAX, seed: self.seed };
        Ok(self.split().unwrap_or(all).parts(names)?)
    }
}

/// Tells who is left out.
pub fn tell(parts: &Parts) {
    if let Some((first, images)) = parts.left_out.first() {
        let (people, images) = (output::count(parts.left_out.len(), "name"), output::count(*images, "photograph"));
        eprintln!("{people} with too few photographs, as {first} with {images}: left out");
    }
}

/// A hash of what photographs are called: whether a folder is the same as another time, wherever it lies.
pub fn fingerprint(faces: &Faces) -> String {
    let name = |path: &std::path::PathBuf| output::path(path.file_name().unwrap_or(path.as_os_str()));
    let mut names: Vec<(&String, String)> = faces.labels.iter().zip(faces.images.iter().map(name)).collect();
    names.sort();
    let mut hash = Sha256::new();
    for (label, name) in names {
        hash.update((label.len() as u64).to_le_bytes());
        hash.update(label);
        hash.update((name.len() as u64).to_le_bytes());
        hash.update(name);
    }
    hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Some of the faces.
pub fn rows(faces: &Faces, which: &[usize]) -> crate::face::Embeddings {
    let values = which.iter().flat_map(|&i| faces.embeddings.row(i).iter().copied()).collect();
    crate::face::Embeddings::new(faces.embeddings.dim(), values)
}
