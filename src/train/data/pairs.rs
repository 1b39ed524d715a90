//! Evaluation pairs drawn anew in every epoch.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::eval::{Pair, Pairs, Person, generate};
use crate::random::{Stream, purpose};
use crate::{Error, Result};

/// How many pairs of one person come with how many of different people, such as `1:2`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct SameRatio {
    same: u32,
    different: u32,
}

impl Default for SameRatio {
    /// LFW's: as many of one kind as of the other.
    fn default() -> Self {
        SameRatio { same: 1, different: 1 }
    }
}

impl fmt::Display for SameRatio {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.same, self.different)
    }
}

impl FromStr for SameRatio {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let number = |part: &str| part.trim().parse::<u32>().ok().filter(|&n| n > 0);
        let parts = text.split_once(':').and_then(|(same, different)| Some((number(same)?, number(different)?)));
        parts.map(|(same, different)| SameRatio { same, different }).ok_or_else(|| {
            let problem = "write two whole numbers above 0, pairs of one person first: `1:2` is twice as many \
                           pairs of different people";
            Error::invalid(format!("same ratio `{text}`"), problem)
        })
    }
}

impl TryFrom<String> for SameRatio {
    type Error = Error;

    fn try_from(text: String) -> Result<Self> {
        text.parse()
    }
}

impl From<SameRatio> for String {
    fn from(ratio: SameRatio) -> String {
        ratio.to_string()
    }
}

/// A number of pairs, a share of them of one person.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RandomPairs {
    /// All pairs together.
    pub count: usize,
    /// How they are shared out.
    pub ratio: SameRatio,
}

impl RandomPairs {
    /// How many pairs are of one person, and of different people: the ratio's share, rounded.
    pub fn counts(&self) -> (usize, usize) {
        let SameRatio { same, different } = self.ratio;
        let (same, all) = (u128::from(same), u128::from(same) + u128::from(different));
        let same = ((self.count as u128 * same * 2 + all) / (2 * all)) as usize;
        (same, self.count - same)
    }

    /// The pairs of epoch `epoch`: distinct, each possible pair equally likely. The two kinds are mixed evenly, so that
    /// consecutive folds have the same share of each. `folds` is only noted in the result.
    ///
    /// # Errors
    /// Fewer possible pairs than asked for, or so few that one kind does not come.
    pub fn draw(&self, seed: u64, epoch: u32, people: &[Person], folds: usize) -> Result<Pairs> {
        let (same, different) = self.counts();
        let what = format!("{} random pairs, same ratio {}", self.count, self.ratio);
        if same == 0 || different == 0 {
            let problem = "both kinds of pairs must come: ask for more pairs";
            return Err(Error::invalid(what, problem));
        }
        let random = Stream::new(seed, purpose::PAIRS, u64::from(epoch));
        let seed = u64::from(random.word(0)) << 32 | u64::from(random.word(1));
        let (same, different) = generate::draw(seed, people, same, different, |_| what.clone())?;
        let count = self.count as u128;
        let (share, mut same, mut different) = (same.len() as u128, same.into_iter(), different.into_iter());
        let next = |i: u128| -> Option<Pair> {
            let is_same = (i + 1) * share / count > i * share / count;
            if is_same { same.next() } else { different.next() }
        };
        let per_fold = self.count / (2 * folds.max(1));
        Ok(Pairs { folds: Some(folds), per_fold, pairs: (0..count).filter_map(next).collect() })
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;
    use crate::train::dataset::tests::people;

    fn pairs(count: usize, ratio: &str) -> RandomPairs {
        RandomPairs { count, ratio: ratio.parse().unwrap() }
    }

    #[test]
    fn ratios_are_read_or_explained() {
        assert_eq!("1:2".parse::<SameRatio>().unwrap().to_string(), "1:2");
        for text in ["", "1", "1:0", "0:1", "1:2:3", "a:b", "-1:2", "0.5:1"] {
            let message = text.parse::<SameRatio>().unwrap_err().to_string();
            assert!(message.contains(&format!("same ratio `{text}`: write two whole numbers")), "{message}");
        }
        assert_eq!(pairs(10_000, "1:2").counts(), (3_333, 6_667));
        assert_eq!(pairs(10_000, "3:1").counts(), (7_500, 2_500));
        let json = serde_json::to_string(&pairs(7, "1:2")).unwrap();
        assert_eq!(json, r#"{"count":7,"ratio":"1:2"}"#);
        assert_eq!(serde_json::from_str::<RandomPairs>(&json).unwrap(), pairs(7, "1:2"));
    }

    #[test]
    fn each_epoch_has_its_own_distinct_pairs() {
        let people = people(&[5, 1, 8, 6]);
        let draw = |seed, epoch| pairs(30, "1:2").draw(seed, epoch, &people, 10).unwrap();
        let first = draw(4, 0);
        assert_eq!(first, draw(4, 0));
        assert_ne!(first.pairs, draw(4, 1).pairs);
        assert_ne!(first.pairs, draw(5, 0).pairs);
        let distinct: HashSet<_> = first.pairs.iter().map(|pair| (&pair.a, &pair.b)).collect();
        assert_eq!((first.pairs.len(), distinct.len()), (30, 30));
        for fold in first.pairs.chunks(3) {
            assert_eq!(fold.iter().filter(|pair| pair.same).count(), 1);
        }
        for pair in &first.pairs {
            let person = |photo: &crate::eval::Photo| photo.to_string().split('/').next().unwrap().to_owned();
            assert_eq!(person(&pair.a) == person(&pair.b), pair.same);
        }
    }

    #[test]
    fn too_few_photographs_are_told() {
        let people = people(&[3, 2]);
        let fails = |count, ratio, expected: &str| {
            let message = pairs(count, ratio).draw(1, 0, &people, 1).unwrap_err().to_string();
            assert!(message.contains(expected), "{message}");
        };
        fails(10, "1:1", "10 random pairs, same ratio 1:1: the photographs make only 4 same pairs; ask for fewer");
        fails(12, "1:3", "make only 6 different pairs");
        fails(2, "1:9", "both kinds of pairs must come");
        assert_eq!(pairs(10, "4:6").draw(1, 0, &people, 1).unwrap().pairs.len(), 10);
    }
}
