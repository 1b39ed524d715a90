//! Instruction sets that kernels are written for.

use std::fmt;
use std::str::FromStr;

use crate::{Error, Result};

/// The environment variable that lowers the choice.
const VARIABLE: &str = "WARPFACE_ISA";

/// An instruction set with kernels of its own; a later one has all of those before.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Isa {
    /// Whatever the compiler targets.
    Portable,
    /// x86-64 with AVX2 and FMA: 8 lanes, 16 registers.
    Avx2,
    /// x86-64 with AVX-512F: 16 lanes, 32 registers.
    Avx512,
    /// The same with AVX512-BF16's dot products. f32 takes the kernels of [`Isa::Avx512`].
    Avx512Bf16,
}

impl Isa {
    /// All of them, the best last.
    pub const ALL: [Isa; 4] = [Isa::Portable, Isa::Avx2, Isa::Avx512, Isa::Avx512Bf16];

    /// The best this machine has.
    pub fn detect() -> Isa {
        Isa::ALL.into_iter().rev().find(|isa| isa.is_available()).unwrap_or(Isa::Portable)
    }

    /// The best this machine has, unless the environment variable `WARPFACE_ISA` names a lower one.
    ///
    /// # Errors
    /// [`Error::Invalid`] if the variable names none; [`Error::Device`] if the machine lacks what it names.
    pub fn from_env() -> Result<Isa> {
        match std::env::var_os(VARIABLE) {
            None => Ok(Isa::detect()),
            Some(name) if name.is_empty() => Ok(Isa::detect()),
            Some(name) => {
                let isa: Isa = name.to_string_lossy().parse()?;
                isa.check().map(|()| isa)
            }
        }
    }

    /// Its name in `WARPFACE_ISA`.
    pub fn name(self) -> &'static str {
        match self {
            Isa::Portable => "portable",
            Isa::Avx2 => "avx2",
            Isa::Avx512 => "avx512",
            Isa::Avx512Bf16 => "avx512bf16",
        }
    }

    /// Whether this machine has it.
    pub fn is_available(self) -> bool {
        match self {
            Isa::Portable => true,
            #[cfg(target_arch = "x86_64")]
            Isa::Avx2 => {
                // Every processor with AVX2 has the conversion of halves, too.
                is_x86_feature_detected!("avx2") && is_x86_feature_detected!("fma") && is_x86_feature_detected!("f16c")
            }
            #[cfg(target_arch = "x86_64")]
            Isa::Avx512 => Isa::Avx2.is_available() && is_x86_feature_detected!("avx512f"),
            #[cfg(target_arch = "x86_64")]
            Isa::Avx512Bf16 => Isa::Avx512.is_available() && is_x86_feature_detected!("avx512bf16"),
            #[cfg(not(target_arch = "x86_64"))]
            _ => false,
        }
    }

    /// Refuses what this machine lacks.
    pub(super) fn check(self) -> Result<()> {
        if self.is_available() {
            return Ok(());
        }
        Err(Error::device("cpu", format!("this machine has no {self}; it has {}", Isa::detect())))
    }

    /// Output channels in one vector.
    pub fn lanes(self) -> usize {
        match self {
            Isa::Portable | Isa::Avx2 => 8,
            Isa::Avx512 | Isa::Avx512Bf16 => 16,
        }
    }

    /// Rows (pixels) of the tallest register tile two vectors wide: accumulators, two filter vectors and one
    /// broadcast must fit the register file.
    pub fn rows(self) -> usize {
        match self {
            Isa::Portable => 4,
            Isa::Avx2 => 6,
            Isa::Avx512 | Isa::Avx512Bf16 => 13,
        }
    }
}

impl fmt::Display for Isa {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Isa::Portable => "portable",
            Isa::Avx2 => "AVX2 + FMA",
            Isa::Avx512 => "AVX-512",
            Isa::Avx512Bf16 => "AVX-512 + BF16",
        })
    }
}

impl FromStr for Isa {
    type Err = Error;

    fn from_str(s: &str) -> Result<Self> {
        let found = Isa::ALL.into_iter().find(|isa| isa.name() == s);
        let names = Isa::ALL.map(Isa::name).join(", ");
        found.ok_or_else(|| Error::invalid(VARIABLE, format!("`{s}` is no instruction set; there are {names}")))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_read_back_and_others_refused() {
        for isa in Isa::ALL {
            assert_eq!(isa.name().parse::<Isa>().unwrap(), isa);
        }
        let error = "sse9".parse::<Isa>().unwrap_err().to_string();
        assert!(error.contains("WARPFACE_ISA") && error.contains("avx512bf16"), "{error}");
    }

    #[test]
    fn whatever_is_detected_has_all_before_it() {
        let best = Isa::detect();
        assert!(Isa::ALL.into_iter().all(|isa| isa.is_available() == (isa <= best)));
    }
}
