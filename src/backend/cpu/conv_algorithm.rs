//! Which arithmetic convolutions may take.

use std::fmt;
use std::str::FromStr;

use crate::{Error, Result};

/// How convolutions are computed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ConvAlgorithm {
    /// Every product of the definition, added in order.
    Direct,
    /// Winograd's minimal filtering where it is faster: fewer multiplications, and a few times the rounding error; an
    /// embedding's values differ by at most 2e-5. The choice depends on filters alone, so that a photograph's numbers do not depend
    /// on the others.
    #[default]
    Auto,
}

impl ConvAlgorithm {
    /// Both.
    pub const ALL: [ConvAlgorithm; 2] = [ConvAlgorithm::Direct, ConvAlgorithm::Auto];

    /// Its name on the command line.
    pub fn name(self) -> &'static str {
        match self {
            ConvAlgorithm::Direct => "direct",
            ConvAlgorithm::Auto => "auto",
        }
    }
}

impl fmt::Display for ConvAlgorithm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for ConvAlgorithm {
    type Err = Error;

    fn from_str(s: &str) -> Result<Self> {
        let found = ConvAlgorithm::ALL.into_iter().find(|algorithm| algorithm.name() == s);
        found.ok_or_else(|| Error::invalid(format!("convolution algorithm `{s}`"), "there are direct and auto"))
    }
}
