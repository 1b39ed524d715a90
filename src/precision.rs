//! In which arithmetic a graph runs.

use std::fmt;
use std::str::FromStr;

use serde::Serialize;

use crate::{Error, Result};

/// How values are stored and multiplied; sums, statistics and norms are always f32.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Precision {
    /// f32 throughout. Every backend has it.
    #[default]
    F32,
    /// f32 storage; factors of matrix products rounded to 11 significant bits. CUDA, from compute capability 8.0.
    Tf32,
    /// f16 storage. CUDA.
    F16,
    /// bf16 storage: f32's range, 8 significant bits. CUDA, from compute capability 8.0; all but training on processors with
    /// AVX512-BF16.
    Bf16,
}

impl Precision {
    /// All, the most exact first.
    pub const ALL: [Precision; 4] = [Precision::F32, Precision::Tf32, Precision::F16, Precision::Bf16];

    /// Bytes of a stored value.
    pub fn bytes(self) -> usize {
        match self {
            Precision::F32 | Precision::Tf32 => 4,
            Precision::F16 | Precision::Bf16 => 2,
        }
    }

    /// Bytes of `values` stored values.
    pub fn stored(self, values: usize) -> u64 {
        (values * self.bytes()) as u64
    }

    /// Its name on the command line.
    pub fn name(self) -> &'static str {
        match self {
            Precision::F32 => "f32",
            Precision::Tf32 => "tf32",
            Precision::F16 => "f16",
            Precision::Bf16 => "bf16",
        }
    }

    /// The name of the type that values are stored in.
    pub fn storage(self) -> &'static str {
        match self {
            Precision::Tf32 => "f32",
            other => other.name(),
        }
    }
}

impl fmt::Display for Precision {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for Precision {
    type Err = Error;

    fn from_str(s: &str) -> Result<Self> {
        let found = Precision::ALL.into_iter().find(|precision| precision.name() == s);
        found.ok_or_else(|| Error::invalid(format!("precision `{s}`"), "there are f32, tf32, f16 and bf16"))
    }
}
