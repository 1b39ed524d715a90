//! Pairs for a folder-per-person dataset that has no `pairs.txt`: drawn by a seed, the same on every machine.

use std::collections::BTreeSet;
use std::path::Path;

use super::folds::k_fold;
use super::pairs::{Pair, Pairs, Photo};
use crate::image::{PersonFolder, people};
use crate::{Error, Result};

/// One person of a dataset.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Person {
    /// The folder's name.
    pub name: String,
    /// The photographs' paths within the folder, parts separated by `/`.
    pub photos: Vec<String>,
}

/// The [`people`] of a folder, people and photographs in the order of their names; and what is left out, each naming its
/// path: photographs in no person's folder, folders without photographs, names that a pairs file cannot hold (not
/// Unicode, or with a tab or a line break).
///
/// # Errors
/// A folder that cannot be read.
pub fn list_people(dir: impl AsRef<Path>) -> Result<(Vec<Person>, Vec<Error>)> {
    let dir = dir.as_ref();
    let (folders, mut left_out) = people(dir)?.or_left_out();
    let mut listed = Vec::with_capacity(folders.len());
    for PersonFolder { name, photos } in folders {
        let (folder, whole) = (dir.join(&name), photos.len());
        let (mut names, mut odd) = (Vec::with_capacity(whole), Vec::new());
        for path in photos {
            match path.strip_prefix(&folder).ok().and_then(inside) {
                Some(photo) => names.push(photo),
                None => odd.push(path),
            }
        }
        let name = name.into_string().ok().filter(|name| !name.contains(char::is_control));
        match name.filter(|_| !names.is_empty()) {
            Some(name) => listed.push(Person { name, photos: names }),
            None => odd = vec![folder],
        }
        let problem = "left out: its name is not Unicode, or has a tab or a line break; rename it";
        left_out.extend(odd.iter().map(|path| Error::image(path, problem)));
    }
    Ok((listed, left_out))
}

/// A relative path with `/` between its parts, where a pairs file can hold it.
fn inside(path: &Path) -> Option<String> {
    let parts: Option<Vec<&str>> = path.iter().map(|part| part.to_str()).collect();
    parts.map(|parts| parts.join("/")).filter(|path| !path.contains(char::is_control))
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
    generate_counts(seed, people, folds, wanted, wanted)
}

/// So many pairs of one person and of different people, shared out over `folds` as evenly as whole numbers go: the
/// consecutive parts that [`k_fold`] makes have the same share of each kind, pairs of one person first. Of equal
/// numbers that `folds` divides it is [`generate`].
///
/// # Errors
/// Fewer possible pairs than asked for, or fewer than folds.
pub fn generate_counts(seed: u64, people: &[Person], folds: usize, same: usize, different: usize) -> Result<Pairs> {
    let what = |kind: &str| match kind {
        "same" => format!("{same} same pairs"),
        _ => format!("{different} different pairs"),
    };
    let (same, different) = draw(seed, people, same, different, what)?;
    lay_out(folds, same, different)
}

/// Pairs shared out over folds as evenly as whole numbers go, in each fold pairs of one person first.
///
/// # Errors
/// Fewer pairs than folds.
pub(super) fn lay_out(folds: usize, same: Vec<Pair>, different: Vec<Pair>) -> Result<Pairs> {
    let (share, all) = (same.len() as u128, same.len() + different.len());
    let (mut same, mut different) = (same.into_iter(), different.into_iter());
    let mut pairs = Vec::with_capacity(all);
    for fold in k_fold(all, folds)? {
        let until = |end: usize| (end as u128 * share / all as u128) as usize;
        let of_one = until(fold.test.end) - until(fold.test.start);
        pairs.extend(same.by_ref().take(of_one));
        pairs.extend(different.by_ref().take(fold.test.len() - of_one));
    }
    Ok(Pairs { folds: Some(folds), per_fold: (all / (2 * folds)).max(1), pairs })
}

/// How many pairs of one person, and of different people, photographs make.
pub fn possible_pairs(people: &[Person]) -> (u64, u64) {
    let all: u64 = people.iter().map(|person| person.photos.len() as u64).sum();
    let same = people.iter().map(|person| person.photos.len() as u64).map(|n| n * n.saturating_sub(1) / 2).sum();
    (same, all * all.saturating_sub(1) / 2 - same)
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
    let counts: Vec<usize> = people.iter().map(|person| person.photos.len()).collect();
    let [of_one, of_two] = draw_places(seed, &counts, [same, different], what)?;
    let pairs = |places: Vec<(usize, usize)>, same| {
        places.into_iter().map(|(i, j)| Pair { a: photos[i].clone(), b: photos[j].clone(), same }).collect()
    };
    Ok((pairs(of_one, true), pairs(of_two, false)))
}

/// As [`draw`], of photographs by their places: those of the first person, then those of the second, and so on; `counts` says
/// how many there are of each.
pub(super) fn draw_places(
    seed: u64,
    counts: &[usize],
    wanted: [usize; 2],
    what: impl Fn(&str) -> String,
) -> Result<[Vec<(usize, usize)>; 2]> {
    let photos: usize = counts.iter().sum();
    // Every possible pair (i, j), i < j, gets a number: `starts[i]` + its place among photograph i's partners,
    // who are the later photographs of the same person, or all photographs of later people.
    let (mut same_starts, mut different_starts) = (vec![0u64], vec![0u64]);
    let mut ends = Vec::with_capacity(photos);
    for count in counts {
        let (start, end) = (ends.len(), ends.len() + count);
        for i in start..end {
            same_starts.push(same_starts[i] + (end - i - 1) as u64);
            different_starts.push(different_starts[i] + (photos - end) as u64);
            ends.push(end);
        }
    }
    let mut random = SplitMix64(seed);
    let mut sample = |kind: &str, starts: &[u64], wanted: usize| {
        let possible = starts[photos];
        if wanted as u64 > possible {
            let problem = format!("the photographs make only {possible} {kind} pairs; ask for fewer");
            return Err(Error::invalid(what(kind), problem));
        }
        Ok(random.sample(possible, wanted))
    };
    let same = sample("same", &same_starts, wanted[0])?;
    let different = sample("different", &different_starts, wanted[1])?;

    let pair = |starts: &[u64], number: u64, same: bool| {
        let i = starts.partition_point(|&start| start <= number) - 1;
        let first = if same { i + 1 } else { ends[i] };
        (i, first + (number - starts[i]) as usize)
    };
    Ok([
        same.into_iter().map(|number| pair(&same_starts, number, true)).collect(),
        different.into_iter().map(|number| pair(&different_starts, number, false)).collect(),
    ])
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
