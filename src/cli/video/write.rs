//! What is left of a video: a crop and an embedding for each track, as `embed` writes them.

use std::path::{Path, PathBuf};

use anyhow::Result;
use serde_json::{Value, json};

use crate::cli::context::create_folder;
use crate::cli::faces::Faces;
use crate::cli::output;
use crate::face::Embeddings;
use crate::image::{self, Rgb8};
use crate::vectors::Origin;
use crate::vectors::tracks::{Placed, Track};
use crate::{Error, files};

/// The folder of crops.
pub const CROPS: &str = "crops";

/// What was found.
#[derive(Default)]
pub struct Found {
    /// Frames that were looked at.
    pub frames: usize,
    /// The tracks, at the end.
    pub tracks: Vec<Track>,
    /// The best crop of each.
    crops: Vec<Rgb8>,
    /// Where it was written.
    places: Vec<PathBuf>,
}

impl Found {
    /// Keeps the best crops.
    pub fn keep(&mut self, crops: Vec<Rgb8>, placed: &[Placed]) {
        for (crop, placed) in crops.into_iter().zip(placed).filter(|(_, placed)| placed.is_best) {
            match self.crops.get_mut(placed.track) {
                Some(best) => *best = crop,
                // Tracks begin in order.
                None => self.crops.push(crop),
            }
        }
    }

    /// What is told of each track.
    pub fn facts(&self) -> Vec<Value> {
        let facts = |(i, track): (usize, &Track)| {
            json!({
                "track": i, "first": track.first, "last": track.last, "faces": track.faces,
                "best_frame": track.best_frame, "box": track.best.bounds, "score": track.best.score,
                "crop": self.places.get(i).map(output::path),
            })
        };
        self.tracks.iter().enumerate().map(facts).collect()
    }

    /// Writes crops, embeddings and tracks.json.
    pub fn write(&mut self, folder: &Path, origin: Origin) -> Result<()> {
        let crops = folder.join(CROPS);
        create_folder(&crops)?;
        let name = |track: usize| format!("track_{track:04}");
        self.places = (0..self.tracks.len()).map(|i| crops.join(format!("{}.png", name(i)))).collect();
        for (place, crop) in self.places.iter().zip(&self.crops) {
            image::save_png(place, crop)?;
        }
        remove_others(&crops, &self.places)?;
        let dim = origin.dim;
        let values = self.tracks.iter().flat_map(|track| track.embedding.iter().copied()).collect();
        let whole = |crop: &Rgb8| [0.0, 0.0, crop.width() as f64, crop.height() as f64];
        Faces {
            embeddings: Embeddings::new(dim, values),
            images: self.places.clone(),
            labels: (0..self.tracks.len()).map(name).collect(),
            boxes: self.crops.iter().map(whole).collect(),
            origin: Some(origin),
            ..Faces::default()
        }
        .write(folder)?;
        let json = serde_json::to_vec_pretty(&self.facts()).map_err(std::io::Error::from)?;
        Ok(files::write(&folder.join("tracks.json"), json)?)
    }
}

/// Removes the crops of an earlier run that had more tracks.
fn remove_others(crops: &Path, places: &[PathBuf]) -> Result<()> {
    for entry in std::fs::read_dir(crops).map_err(Error::io(crops, "read"))? {
        let path = entry.map_err(Error::io(crops, "read"))?.path();
        let stem = path.file_stem().and_then(|stem| stem.to_str()).unwrap_or_default();
        let number = stem.strip_prefix("track_").unwrap_or_default();
        let is_ours = number.len() >= 4 && number.bytes().all(|byte| byte.is_ascii_digit());
        if is_ours && path.extension().is_some_and(|suffix| suffix == "png") && !places.contains(&path) {
            std::fs::remove_file(&path).map_err(Error::io(&path, "remove"))?;
        }
    }
    Ok(())
}
