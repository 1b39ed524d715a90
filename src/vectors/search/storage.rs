//! How an index stores rows.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::error::Field;
use crate::{Error, Result};

/// How an index stores rows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Storage {
    /// As they are.
    #[default]
    F32 = 0,
    /// Rounded to halves: half the bytes. Distances are those of the rounded rows.
    F16 = 1,
    /// As they are, and as codes of 8 bits beside, which a query reads instead of the rows: a quarter more on the disk, a
    /// quarter of the bytes read. Rows that the codes cannot rule out are measured as they are, so that results are those
    /// of f32.
    Int8 = 2,
}

impl Storage {
    /// All of them.
    pub const ALL: [Storage; 3] = [Storage::F32, Storage::F16, Storage::Int8];

    /// Bytes of a value of a row.
    pub(super) fn value_size(self) -> u64 {
        if self == Storage::F16 { 2 } else { 4 }
    }
}

impl fmt::Display for Storage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Storage::F32 => "f32",
            Storage::F16 => "f16",
            Storage::Int8 => "int8",
        })
    }
}

impl FromStr for Storage {
    type Err = Error;

    fn from_str(s: &str) -> Result<Self> {
        let found = Storage::ALL.into_iter().find(|storage| storage.to_string() == s);
        found.ok_or_else(|| Error::invalid(Field("storage"), format!("`{s}`: there are f32, f16 and int8")))
    }
}
