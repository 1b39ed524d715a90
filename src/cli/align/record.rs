//! How the crops of an output were made, so that a later run with other settings does not mix its own among them.

use std::fs;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::error::{Field, message};
use crate::{Error, Result, files, image};

/// What decides a crop's pixels, and which faces have one.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Record {
    /// Side of the crops, in pixels.
    pub image_size: usize,
    /// Pixels added around the box.
    pub margin: usize,
    /// Whether every face was kept.
    pub detect_multiple_faces: bool,
}

impl Record {
    fn file(output: &Path) -> PathBuf {
        output.join("alignment.json")
    }

    /// Refuses settings that are not those of the crops that are there, unless these are made anew, and writes the
    /// settings down. `finished`: a crop that is there, and how many there are.
    pub fn settle(&self, output: &Path, finished: Option<(&Path, usize)>, overwrite: bool) -> Result<()> {
        let path = Self::file(output);
        let old: Option<Record> = fs::read(&path).ok().and_then(|text| serde_json::from_slice(&text).ok());
        if old.as_ref() == Some(self) {
            return Ok(());
        }
        if let Some((crop, count)) = finished.filter(|_| !overwrite)
            && let Some(how) = self.difference(old.as_ref(), crop)
        {
            let crops = format!("{count} crops in {} were made with {how}; ", output.display());
            let problem = message![crops, Field("overwrite"), " makes them anew, another OUT keeps them"];
            return Err(Error::invalid(Field("image_size"), problem));
        }
        let text = serde_json::to_vec_pretty(self).map_err(|error| Error::data(&path, error.to_string()))?;
        files::write(&path, text)
    }

    /// How the crops that are there were made, in flags, where it is known and not as this run makes them.
    fn difference(&self, old: Option<&Record>, crop: &Path) -> Option<String> {
        match old {
            Some(old) => {
                let faces = if old.detect_multiple_faces { " --detect-multiple-faces" } else { "" };
                Some(format!("--image-size {} --margin {}{faces}", old.image_size, old.margin))
            }
            // Made by a version that wrote nothing down.
            None => {
                let (width, height) = image::dimensions(crop).ok()?;
                let other = (width, height) != (self.image_size, self.image_size);
                other.then(|| format!("--image-size {width}"))
            }
        }
    }
}
