//! Photographs with their faces drawn in, under names of their own.

use std::collections::HashSet;
use std::path::{Path, PathBuf};

use anyhow::Result;

use super::context::{check_folder, create_folder};
use super::names::{Suffix, distinct, relative_to_common};
use super::photos::Photo;
use crate::Error;
use crate::error::Field;
use crate::face::Face;
use crate::image::{self, DrawFace, FaceName};

/// Where drawn photographs go.
pub struct Drawn {
    /// Of each photograph, by its place in the list.
    places: Vec<PathBuf>,
}

impl Drawn {
    /// Below `folder`; refuses to draw over the photographs themselves.
    pub fn new(folder: &Path, photographs: &[PathBuf]) -> Result<Self> {
        let real: HashSet<PathBuf> = photographs.iter().filter_map(|path| path.canonicalize().ok()).collect();
        let is_one = |path: &&PathBuf| path.canonicalize().is_ok_and(|path| real.contains(&path));
        let names = distinct(&relative_to_common(photographs), Suffix::JpegOrPng);
        let places: Vec<PathBuf> = names.into_iter().map(|name| folder.join(name)).collect();
        if let Some(path) = places.iter().find(is_one) {
            let problem = format!("{} is one of the photographs; name a folder apart from them", path.display());
            return Err(Error::invalid(Field("draw"), problem).into());
        }
        check_folder(folder)?;
        Ok(Drawn { places })
    }

    /// Writes the photograph with its faces, and their names or else scores, in the format that the place's suffix says.
    pub fn draw(&self, photo: &Photo, faces: &[Face], names: Option<&[FaceName]>) -> Result<(), Error> {
        let path = &self.places[photo.index];
        let mut picture = photo.image.clone();
        let faces: Vec<DrawFace> = faces
            .iter()
            .map(|face| DrawFace {
                bounds: face.bounds.map(|x| x as f32),
                score: face.score as f32,
                landmarks: face.landmarks.map(|p| p.map(|x| x as f32)),
            })
            .collect();
        match names {
            None => image::draw_faces(&mut picture, &faces),
            Some(names) => image::draw_named_faces(&mut picture, &faces, names),
        }
        if let Some(parent) = path.parent() {
            create_folder(parent).map_err(|e| Error::image(path, e.to_string()))?;
        }
        let suffix = path.extension().and_then(|s| s.to_str()).unwrap_or("").to_ascii_lowercase();
        match suffix.as_str() {
            "jpg" | "jpeg" => image::save_jpeg(path, &picture, 92),
            _ => image::save_png(path, &picture),
        }
    }
}
