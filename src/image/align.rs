//! By which method faces are cut out of photographs: a fact that crops and models carry with them.

use std::fmt;
use std::path::Path;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::Error;

/// How a face is cut out of its photograph.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(into = "&'static str", try_from = "String")]
#[non_exhaustive]
pub enum AlignMethod {
    /// The detector's box with a margin, resized to a square (`align_dataset_mtcnn.py`).
    #[default]
    Crop,
    /// Turned, scaled and moved so that five landmarks come as near as can be to the ArcFace template's (`norm_crop`).
    Similarity,
    /// Mapped by any six numbers so that five landmarks come as near as can be to the ArcFace template's.
    Affine,
    /// Mapped so that three of 68 landmarks, which a shape predictor finds, come to their places in OpenFace's mean face
    /// (`align_dlib.py`).
    OpenFace(OpenFacePoints),
}

/// Which landmarks [`AlignMethod::OpenFace`] goes by.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum OpenFacePoints {
    /// The outer corners of the eyes, and the nose: as OpenFace's networks were trained.
    #[default]
    OuterEyesAndNose,
    /// The inner corners of the eyes, and the bottom lip: what OpenFace's `align` takes where nothing is said.
    InnerEyesAndBottomLip,
}

impl OpenFacePoints {
    /// Both.
    pub const ALL: [OpenFacePoints; 2] = [OpenFacePoints::OuterEyesAndNose, OpenFacePoints::InnerEyesAndBottomLip];

    /// The name.
    pub fn name(self) -> &'static str {
        match self {
            OpenFacePoints::OuterEyesAndNose => "outer-eyes-and-nose",
            OpenFacePoints::InnerEyesAndBottomLip => "inner-eyes-and-bottom-lip",
        }
    }

    /// The landmarks in words.
    pub(crate) fn in_words(self) -> &'static str {
        match self {
            OpenFacePoints::OuterEyesAndNose => "the outer corners of the eyes and the nose",
            OpenFacePoints::InnerEyesAndBottomLip => "the inner corners of the eyes and the bottom lip",
        }
    }
}

impl fmt::Display for OpenFacePoints {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for OpenFacePoints {
    type Err = Error;

    fn from_str(name: &str) -> Result<Self, Error> {
        OpenFacePoints::ALL.into_iter().find(|points| points.name() == name).ok_or_else(|| {
            let names = OpenFacePoints::ALL.map(OpenFacePoints::name).join(" or ");
            Error::invalid(format!("OpenFace's points `{name}`"), format!("choose {names}"))
        })
    }
}

/// What `warpface align` writes beside its crops.
pub(crate) const RECORD: &str = "alignment.json";

impl AlignMethod {
    /// All of them.
    pub const ALL: [AlignMethod; 5] = [
        AlignMethod::Crop,
        AlignMethod::Similarity,
        AlignMethod::Affine,
        AlignMethod::OpenFace(OpenFacePoints::OuterEyesAndNose),
        AlignMethod::OpenFace(OpenFacePoints::InnerEyesAndBottomLip),
    ];

    /// The method's name; where it goes by other than the usual landmarks, they follow.
    pub fn name(self) -> &'static str {
        match self {
            AlignMethod::Crop => "crop",
            AlignMethod::Similarity => "similarity",
            AlignMethod::Affine => "affine",
            AlignMethod::OpenFace(OpenFacePoints::OuterEyesAndNose) => "openface",
            AlignMethod::OpenFace(OpenFacePoints::InnerEyesAndBottomLip) => "openface inner-eyes-and-bottom-lip",
        }
    }

    /// Side of the crops that it makes by itself, in pixels.
    pub fn usual_size(self) -> usize {
        match self {
            AlignMethod::OpenFace(_) => 96,
            AlignMethod::Crop | AlignMethod::Similarity | AlignMethod::Affine => 160,
        }
    }

    /// How the crops of a folder were made, where `warpface align` has written it beside them.
    pub fn of_crops(folder: &Path) -> Option<AlignMethod> {
        /// What is read of the record; earlier versions knew one method, and did not write it down.
        #[derive(Deserialize)]
        struct Record {
            #[serde(default)]
            align: AlignMethod,
        }
        let record: Record = serde_json::from_slice(&std::fs::read(folder.join(RECORD)).ok()?).ok()?;
        Some(record.align)
    }
}

impl fmt::Display for AlignMethod {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for AlignMethod {
    type Err = Error;

    fn from_str(name: &str) -> Result<Self, Error> {
        AlignMethod::ALL.into_iter().find(|method| method.name() == name).ok_or_else(|| {
            let names = AlignMethod::ALL.map(AlignMethod::name).join(", ");
            Error::invalid(format!("alignment `{name}`"), format!("choose one of {names}"))
        })
    }
}

impl From<AlignMethod> for &'static str {
    fn from(method: AlignMethod) -> Self {
        method.name()
    }
}

impl TryFrom<String> for AlignMethod {
    type Error = Error;

    fn try_from(name: String) -> Result<Self, Error> {
        name.parse()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn methods_go_by_their_names() {
        for method in AlignMethod::ALL {
            assert_eq!(method.name().parse::<AlignMethod>().unwrap(), method);
            let json = serde_json::to_string(&method).unwrap();
            assert_eq!(json, format!("\"{method}\""));
            assert_eq!(serde_json::from_str::<AlignMethod>(&json).unwrap(), method);
        }
        for points in OpenFacePoints::ALL {
            assert_eq!(points.name().parse::<OpenFacePoints>().unwrap(), points);
        }
        let error = "warp".parse::<AlignMethod>().unwrap_err().to_string();
        assert!(error.contains("crop, similarity, affine, openface"), "{error}");
        assert!(serde_json::from_str::<AlignMethod>("\"dlib\"").is_err());
    }
}
