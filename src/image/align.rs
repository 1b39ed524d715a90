//! By which method faces are cut out of photographs: a fact that crops and models carry with them.

use std::fmt;
use std::path::Path;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::Error;

/// How a face is cut out of its photograph.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum AlignMethod {
    /// The detector's box with a margin, resized to a square (`align_dataset_mtcnn.py`).
    #[default]
    Crop,
    /// Turned, scaled and moved so that five landmarks come as near as can be to the ArcFace template's (`norm_crop`).
    Similarity,
    /// Mapped by any six numbers so that five landmarks come as near as can be to the ArcFace template's.
    Affine,
}

/// What `warpface align` writes beside its crops.
pub(crate) const RECORD: &str = "alignment.json";

impl AlignMethod {
    /// All of them.
    pub const ALL: [AlignMethod; 3] = [AlignMethod::Crop, AlignMethod::Similarity, AlignMethod::Affine];

    /// The method's name.
    pub fn name(self) -> &'static str {
        match self {
            AlignMethod::Crop => "crop",
            AlignMethod::Similarity => "similarity",
            AlignMethod::Affine => "affine",
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
