//! The shipped PTX: which there is of each file, and which a device takes.

use std::fmt;

/// What PTX is made for; later ones have more instructions.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Target {
    /// Every GPU since Turing.
    Compute75,
    /// Since Ampere: asynchronous copies, bf16, tf32.
    Compute80,
    /// Hopper alone: wgmma, and TMA.
    Sm90a,
}

impl Target {
    /// All, the most general first.
    pub const ALL: [Target; 3] = [Target::Compute75, Target::Compute80, Target::Sm90a];

    /// The best that a device of this compute capability runs; `None` for one older than Turing.
    pub fn of(capability: (u32, u32)) -> Option<Target> {
        match capability {
            (9, 0) => Some(Target::Sm90a),
            (8.., _) => Some(Target::Compute80),
            (7, 5..) => Some(Target::Compute75),
            _ => None,
        }
    }

    /// Its name, as in the files' names.
    pub fn name(self) -> &'static str {
        match self {
            Target::Compute75 => "compute_75",
            Target::Compute80 => "compute_80",
            Target::Sm90a => "sm_90a",
        }
    }
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// A kernel file's PTX for each of its targets, the most general first.
pub(super) type Texts = &'static [(Target, &'static str)];

// `STEMS` and `TEXTS`, of the files in kernels/ptx/.
include!(concat!(env!("OUT_DIR"), "/ptx.rs"));

/// The PTX of a kernel file.
pub(super) fn texts(stem: &str) -> Option<Texts> {
    TEXTS.iter().find(|(name, _)| *name == stem).map(|(_, texts)| *texts)
}

/// The best text that has an entry, for a device that takes `target`, and the entry's block.
pub(super) fn best(texts: Texts, entry: &str, target: Target) -> Option<(Target, &'static str, [u32; 3])> {
    let at_hand = texts.iter().rev().filter(|(of, _)| *of <= target);
    at_hand.filter_map(|&(of, ptx)| Some((of, ptx, block(ptx, entry)?))).next()
}

/// Threads of a block of an entry: the bound that the kernel was compiled with, which is what it is launched with.
pub(super) fn block(ptx: &str, entry: &str) -> Option<[u32; 3]> {
    let start = ptx.find(&format!(".entry {entry}("))?;
    let head = &ptx[start..];
    let head = &head[..head.find('{')?];
    let bound = &head[head.find(".maxntid").or_else(|| head.find(".reqntid"))? + ".maxntid".len()..];
    let mut extents = bound.lines().next()?.split(',').map(|extent| extent.trim().parse().ok());
    let mut next = || extents.next().unwrap_or(Some(1));
    Some([next()?, next()?, next()?])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn devices_take_the_best_they_can() {
        let expected = [
            ((7, 0), None),
            ((7, 5), Some(Target::Compute75)),
            ((8, 0), Some(Target::Compute80)),
            ((8, 9), Some(Target::Compute80)),
            ((9, 0), Some(Target::Sm90a)),
            // sm_90a runs on 9.0 alone.
            ((10, 0), Some(Target::Compute80)),
            ((12, 0), Some(Target::Compute80)),
        ];
        for (capability, target) in expected {
            assert_eq!(Target::of(capability), target, "{capability:?}");
        }
    }

    #[test]
    fn every_shipped_entry_says_its_block() {
        for stem in STEMS {
            for (target, ptx) in texts(stem).unwrap() {
                let entries: Vec<&str> =
                    ptx.split(".entry ").skip(1).map(|rest| rest.split('(').next().unwrap()).collect();
                assert!(!entries.is_empty(), "{stem}");
                for entry in entries {
                    let block = block(ptx, entry).unwrap_or_else(|| panic!("{stem}.{target}: {entry}: no .maxntid"));
                    assert!(block.iter().product::<u32>() % 32 == 0, "{stem}: {entry}: {block:?}");
                }
                assert!(
                    ptx.contains(&format!(".target {}", target.name().replace("compute", "sm"))),
                    "{stem}.{target}"
                );
            }
        }
    }

    #[test]
    fn a_block_of_another_entry_is_not_taken() {
        let ptx =
            ".visible .entry a(\n.param .u64 p\n)\n.maxntid 64, 2, 1\n{\nret;\n}\n.visible .entry ab(\n)\n{\nret;\n}";
        assert_eq!(block(ptx, "a"), Some([64, 2, 1]));
        assert_eq!(block(ptx, "ab"), None);
        assert_eq!(block(ptx, "b"), None);
    }
}
