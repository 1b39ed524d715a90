//! How the crops of an output were made, so that a later run with other settings does not mix its own among them.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use serde::{Deserialize, Serialize};

use crate::error::{Field, message};
use crate::image::{AlignMethod, Warp};
use crate::{Error, Result, files, image};

/// What decides a crop's pixels, and which faces have one.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Record {
    /// Side of the crops, in pixels.
    pub image_size: usize,
    /// How faces were cut out; earlier versions knew one method.
    #[serde(default)]
    pub align: AlignMethod,
    /// The arithmetic of methods that warp.
    #[serde(default)]
    pub warp: Warp,
    /// The SHA-256 of the shape predictor, for the method that goes by one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub landmarks: Option<String>,
    /// Pixels added around the box, by the method that takes it.
    pub margin: usize,
    /// Whether every face was kept.
    pub detect_multiple_faces: bool,
    /// Whether crops of other settings are being made anew: those older than this record are none of these settings'.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub overwriting: bool,
}

/// Crops that are there.
pub struct There {
    /// How many photographs have one.
    pub count: usize,
    /// One of them.
    pub crop: PathBuf,
    /// Whether it is called as one of several faces.
    pub detect_multiple_faces: bool,
}

impl Record {
    fn file(output: &Path) -> PathBuf {
        output.join(image::RECORD)
    }

    /// Refuses settings that are not those of the crops that are there, unless these are made anew, and writes the
    /// settings down.
    /// `at_work`: other runs are, on the same output.
    pub fn settle(&self, output: &Path, there: Option<&There>, overwrite: bool, at_work: bool) -> Result<()> {
        let path = Self::file(output);
        let old: Option<Record> = fs::read(&path).ok().and_then(|text| serde_json::from_slice(&text).ok());
        if old.as_ref().is_some_and(|old| old.flags() == self.flags()) {
            return Ok(());
        }
        if let Some(old) = old.as_ref().filter(|_| at_work) {
            let problem = format!(
                "other runs are making crops with {} in {}; wait for them, or name another OUT",
                old.flags(),
                output.display()
            );
            return Err(Error::invalid(Field("image_size"), problem));
        }
        if let Some(there) = there.filter(|_| !overwrite)
            && let Some(how) = self.difference(old.as_ref(), there)
        {
            let crops = format!("{} crops in {} were made with {how}; ", there.count, output.display());
            let problem = message![crops, Field("overwrite"), " makes them anew, another OUT keeps them"];
            return Err(Error::invalid(Field("image_size"), problem));
        }
        Record { overwriting: overwrite && there.is_some(), ..self.clone() }.write(&path)
    }

    fn write(&self, path: &Path) -> Result<()> {
        let text = serde_json::to_vec_pretty(self).map_err(|error| Error::data(path, error.to_string()))?;
        files::write(path, text)
    }

    /// When crops began to be made anew, where that has not ended: older ones are of other settings.
    pub fn overwriting_since(output: &Path) -> Option<SystemTime> {
        let path = Self::file(output);
        let record: Record = serde_json::from_slice(&fs::read(&path).ok()?).ok()?;
        fs::metadata(&path).ok().filter(|_| record.overwriting)?.modified().ok()
    }

    /// Notes that all crops are of these settings.
    pub fn all_anew(output: &Path) -> Result<()> {
        let path = Self::file(output);
        let record: Option<Record> = fs::read(&path).ok().and_then(|text| serde_json::from_slice(&text).ok());
        match record.filter(|record| record.overwriting) {
            Some(record) => Record { overwriting: false, ..record }.write(&path),
            None => Ok(()),
        }
    }

    /// The settings as flags.
    fn flags(&self) -> String {
        let Record { image_size, align, warp, landmarks, margin, detect_multiple_faces, .. } = self;
        let how = match align {
            AlignMethod::Crop => format!("--margin {margin}"),
            AlignMethod::OpenFace(points) => {
                let file = landmarks.as_deref().unwrap_or("unknown");
                format!("--align openface --openface-points {points} --warp {warp} --landmarks (SHA-256 {file})")
            }
            by_landmarks => format!("--align {by_landmarks} --warp {warp}"),
        };
        format!("--image-size {image_size} {how}{}", faces(*detect_multiple_faces))
    }

    /// How the crops that are there were made, in flags, where it is known and not as this run makes them.
    fn difference(&self, old: Option<&Record>, there: &There) -> Option<String> {
        match old {
            Some(old) => Some(old.flags()),
            // Made by a version that wrote nothing down.
            None => {
                let (width, height) = image::dimensions(&there.crop).ok()?;
                let alike = (width, height) == (self.image_size, self.image_size)
                    && self.align == AlignMethod::Crop
                    && there.detect_multiple_faces == self.detect_multiple_faces;
                (!alike).then(|| format!("--image-size {width}{}", faces(there.detect_multiple_faces)))
            }
        }
    }
}

/// Which faces were kept, in words behind the other flags.
fn faces(multiple: bool) -> &'static str {
    if multiple { " --detect-multiple-faces" } else { " and one face of each photograph" }
}
