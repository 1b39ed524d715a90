//! Pairs for a folder-per-person dataset that has no `pairs.txt`: drawn by a seed, the same on every machine.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use super::pairs::{EXTENSIONS, Pair, Pairs, Photo};
use crate::{Error, Result};

/// One person of a dataset.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Person {
    /// The folder's name.
    pub name: String,
    /// The photographs' file names, without the folder.
    pub photos: Vec<String>,
}

/// The people of a folder-per-person dataset, people and photographs in the order of their names.
///
/// Files that are no photographs by their suffix are left out, as are names that a pairs file cannot hold
/// (not Unicode, or with a tab or a line break).
///
/// # Errors
/// A folder that cannot be read.
pub fn list_people(dir: impl AsRef<Path>) -> Result<Vec<Person>> {
    let dir = dir.as_ref();
    let names = |dir: &Path, folders: bool| -> Result<Vec<String>> {
        let mut names = Vec::new();
        for entry in fs::read_dir(dir).map_err(Error::io(dir, "list"))? {
            let entry = entry.map_err(Error::io(dir, "list"))?;
            let name = entry.file_name().into_string().ok().filter(|n| !n.contains(char::is_control));
            if let Some(name) = name.filter(|_| entry.path().is_dir() == folders) {
                names.push(name);
            }
        }
        names.sort_unstable();
        Ok(names)
    };
    let mut people = Vec::new();
    for name in names(dir, true)? {
        let mut photos = names(&dir.join(&name), false)?;
        photos.retain(|photo| is_photo(photo));
        people.push(Person { name, photos });
    }
    people.retain(|person| !person.photos.is_empty());
    Ok(people)
}

fn is_photo(name: &str) -> bool {
    let suffix = name.rsplit_once('.').map(|(_, suffix)| suffix.to_ascii_lowercase());
    suffix.is_some_and(|suffix| EXTENSIONS.contains(&suffix.as_str()))
}

/// `folds` × (`per_fold` same pairs, then `per_fold` different pairs) drawn without repetition, as LFW's `pairs.txt` is laid out.
///
/// Each possible pair is equally likely, so people with many photographs come more often; and people are shared between
/// folds, unlike LFW's. The order of `people` and of their photographs matters; [`list_people`] sorts both.
///
/// # Errors
/// Fewer possible pairs than asked for.
pub fn generate(seed: u64, people: &[Person], folds: usize, per_fold: usize) -> Result<Pairs> {
    let wanted = folds.saturating_mul(per_fold);
    let (same, different) =
        draw(seed, people, wanted, wanted, |kind| format!("{folds} folds of {per_fold} {kind} pairs"))?;
    let folds_of =
        |pairs: Vec<Pair>| -> Vec<Vec<Pair>> { pairs.chunks(per_fold.max(1)).map(<[Pair]>::to_vec).collect() };
    let pairs =
        folds_of(same).into_iter().zip(folds_of(different)).flat_map(|(same, different)| [same, different].concat());
    Ok(Pairs { folds, per_fold, pairs: pairs.collect() })
}

/// `same` pairs of one person and `different` pairs of two people, drawn without repetition, each possible one equally
/// likely. `what` says what was asked for, for a kind (`same` or `different`).
///
/// # Errors
/// Fewer possible pairs than asked for.
pub(crate) fn draw(
    seed: u64,
    people: &[Person],
    same: usize,
    different: usize,
    what: impl Fn(&str) -> String,
) -> Result<(Vec<Pair>, Vec<Pair>)> {
    let photos: Vec<Photo> = people
        .iter()
        .flat_map(|person| person.photos.iter().map(move |photo| Photo::Path(format!("{}/{photo}", person.name))))
        .collect();
    // Every possible pair (i, j), i < j, gets a number: `starts[i]` + its place among photograph i's partners,
    // who are the later photographs of the same person, or all photographs of later people.
    let (mut same_starts, mut different_starts) = (vec![0u64], vec![0u64]);
    let mut ends = Vec::with_capacity(photos.len());
    for person in people {
        let (start, end) = (ends.len(), ends.len() + person.photos.len());
        for i in start..end {
            same_starts.push(same_starts[i] + (end - i - 1) as u64);
            different_starts.push(different_starts[i] + (photos.len() - end) as u64);
            ends.push(end);
        }
    }
    let mut random = SplitMix64(seed);
    let mut sample = |kind: &str, starts: &[u64], wanted: usize| {
        let possible = starts[photos.len()];
        if wanted as u64 > possible {
            let problem = format!("the photographs make only {possible} {kind} pairs; ask for fewer");
            return Err(Error::invalid(what(kind), problem));
        }
        Ok(random.sample(possible, wanted))
    };
    let same = sample("same", &same_starts, same)?;
    let different = sample("different", &different_starts, different)?;

    let pair = |starts: &[u64], number: u64, same: bool| {
        let i = starts.partition_point(|&start| start <= number) - 1;
        let first = if same { i + 1 } else { ends[i] };
        let j = first + (number - starts[i]) as usize;
        Pair { a: photos[i].clone(), b: photos[j].clone(), same }
    };
    Ok((
        same.into_iter().map(|number| pair(&same_starts, number, true)).collect(),
        different.into_iter().map(|number| pair(&different_starts, number, false)).collect(),
    ))
}

/// Steele, Lea and Flood's SplitMix64: small, seeded by any number, the same everywhere.
struct SplitMix64(u64);

impl SplitMix64 {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// A number below `n`, by the high half of a product (its bias, n / 2^64, is of no matter here).
    fn below(&mut self, n: u64) -> u64 {
        ((u128::from(self.next()) * u128::from(n)) >> 64) as u64
    }

    /// `k` distinct numbers below `n` in random order: Floyd's sampling, then a shuffle.
    fn sample(&mut self, n: u64, k: usize) -> Vec<u64> {
        let mut chosen = BTreeSet::new();
        for last in n - k as u64..n {
            let number = self.below(last + 1);
            if !chosen.insert(number) {
                chosen.insert(last);
            }
        }
        let mut sample: Vec<u64> = chosen.into_iter().collect();
        for i in (1..sample.len()).rev() {
            sample.swap(i, self.below(i as u64 + 1) as usize);
        }
        sample
    }
}
