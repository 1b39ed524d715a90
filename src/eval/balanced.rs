//! Pairs that are balanced over people: each takes part as often as the others, however many photographs there are of them.

use std::collections::HashMap;

use super::generate::{Person, lay_out, possible_pairs};
use super::pairs::{Pair, Pairs, Photo};
use crate::random::{Stream, purpose};
use crate::{Error, Result};

/// Where in the seed's numbers for pairs these are: epochs count from 0, and the order of a list is at the other end.
const PLACE: u64 = u64::MAX - 1;

/// As [`generate_counts`](super::generate_counts), but balanced over people instead of over pairs: of the pairs of one person
/// each person with two photographs or more has the same number, give or take one, and in the pairs of different people
/// each person comes equally often, give or take one, as far as there are photographs for it.
///
/// # Errors
/// Fewer possible pairs than asked for, or fewer than folds.
pub fn generate_balanced(seed: u64, people: &[Person], folds: usize, same: usize, different: usize) -> Result<Pairs> {
    let (possible_same, possible_different) = possible_pairs(people);
    let kinds = [(same, possible_same, "same"), (different, possible_different, "different")];
    for (wanted, possible, kind) in kinds {
        if wanted as u64 > possible {
            let problem = format!("the photographs make only {possible} {kind} pairs; ask for fewer");
            return Err(Error::invalid(format!("{wanted} {kind} pairs"), problem));
        }
    }
    let mut random = Stream::new(seed, purpose::PAIRS, PLACE);
    let of_one = of_one_person(&mut random, people, same);
    let of_two = of_two_people(&mut random, people, different);
    lay_out(folds, of_one, of_two)
}

/// Numbers below `total` in random order, drawn one by one: a shuffle that remembers only what it moved.
struct Urn {
    total: u64,
    drawn: u64,
    moved: HashMap<u64, u64>,
}

impl Urn {
    fn new(total: u64) -> Self {
        Urn { total, drawn: 0, moved: HashMap::new() }
    }

    fn is_empty(&self) -> bool {
        self.drawn == self.total
    }

    fn draw(&mut self, random: &mut Stream) -> Option<u64> {
        let left = self.total.checked_sub(self.drawn).filter(|&left| left > 0)?;
        let place = self.drawn + random.below(left);
        let first = self.moved.remove(&self.drawn).unwrap_or(self.drawn);
        let number = if place == self.drawn { first } else { self.moved.insert(place, first).unwrap_or(place) };
        self.drawn += 1;
        Some(number)
    }
}

fn photo(person: &Person, i: u64) -> Photo {
    Photo::Path(format!("{}/{}", person.name, person.photos[i as usize]))
}

/// Rounds in which each person who has pairs left gives one.
fn of_one_person(random: &mut Stream, people: &[Person], wanted: usize) -> Vec<Pair> {
    let pairs_of = |person: &Person| {
        let n = person.photos.len() as u64;
        n * n.saturating_sub(1) / 2
    };
    let mut open: Vec<(&Person, Urn)> = people.iter().map(|person| (person, Urn::new(pairs_of(person)))).collect();
    let mut pairs = Vec::with_capacity(wanted);
    while pairs.len() < wanted {
        open.retain(|(_, urn)| !urn.is_empty());
        random.shuffle(&mut open);
        for (person, urn) in open.iter_mut().take(wanted - pairs.len()) {
            let Some(number) = urn.draw(random) else { continue };
            // Pair `number` of (0, 1), (0, 2), (1, 2), (0, 3) and so on.
            let mut j = ((2.0 * number as f64).sqrt() as u64).max(1);
            while j * (j + 1) / 2 <= number {
                j += 1;
            }
            while j * (j - 1) / 2 > number {
                j -= 1;
            }
            let i = number - j * (j - 1) / 2;
            pairs.push(Pair { a: photo(person, i), b: photo(person, j), same: true });
        }
    }
    pairs
}

/// Pairs of those who came least often until then.
fn of_two_people(random: &mut Stream, people: &[Person], wanted: usize) -> Vec<Pair> {
    let mut came = vec![0u64; people.len()];
    let mut urns: HashMap<(usize, usize), Urn> = HashMap::new();
    let mut pairs = Vec::with_capacity(wanted);
    while pairs.len() < wanted {
        let has_partner = |&p: &usize| came[p] != u64::MAX;
        let Some(p) = rarest(random, &came, (0..people.len()).filter(has_partner)) else { break };
        let open = |q: &usize| *q != p && urns.get(&ordered(p, *q)).is_none_or(|urn| !urn.is_empty());
        let partners = (0..people.len()).filter(|q| !people[*q].photos.is_empty()).filter(open);
        let Some(q) = rarest(random, &came, partners).filter(|_| !people[p].photos.is_empty()) else {
            // All pairs with this person are drawn.
            came[p] = u64::MAX;
            continue;
        };
        let (p, q) = ordered(p, q);
        let (of_p, of_q) = (people[p].photos.len() as u64, people[q].photos.len() as u64);
        let urn = urns.entry((p, q)).or_insert_with(|| Urn::new(of_p * of_q));
        let Some(number) = urn.draw(random) else { continue };
        for person in [p, q] {
            came[person] = came[person].saturating_add(1);
        }
        let (a, b) = (photo(&people[p], number / of_q), photo(&people[q], number % of_q));
        pairs.push(Pair { a, b, same: false });
    }
    pairs
}

fn ordered(p: usize, q: usize) -> (usize, usize) {
    (p.min(q), p.max(q))
}

/// One of those who came least often, each equally likely.
fn rarest(random: &mut Stream, came: &[u64], among: impl Iterator<Item = usize>) -> Option<usize> {
    let mut least: Vec<usize> = Vec::new();
    for person in among {
        match least.first().map(|&first| came[person].cmp(&came[first])) {
            Some(std::cmp::Ordering::Greater) => {}
            Some(std::cmp::Ordering::Equal) => least.push(person),
            _ => least = vec![person],
        }
    }
    (!least.is_empty()).then(|| least[random.below(least.len() as u64) as usize])
}

#[cfg(test)]
mod tests {
    use std::collections::{HashMap, HashSet};

    use super::*;

    fn people(counts: &[usize]) -> Vec<Person> {
        let photos = |n: usize| (0..n).map(|i| format!("{i}.jpg")).collect();
        let person = |(p, &n): (usize, &usize)| Person { name: format!("p{p}"), photos: photos(n) };
        counts.iter().enumerate().map(person).collect()
    }

    fn name(photo: &Photo) -> String {
        photo.to_string().split('/').next().unwrap().to_owned()
    }

    #[test]
    fn everyone_comes_equally_often_and_no_pair_twice() {
        let people = people(&[50, 4, 4, 4, 4, 1]);
        let pairs = generate_balanced(7, &people, 5, 25, 60).unwrap();
        assert_eq!(pairs, generate_balanced(7, &people, 5, 25, 60).unwrap());
        assert_ne!(pairs.pairs, generate_balanced(8, &people, 5, 25, 60).unwrap().pairs);
        let distinct: HashSet<String> = pairs.pairs.iter().map(|pair| format!("{} {}", pair.a, pair.b)).collect();
        assert_eq!((distinct.len(), pairs.pairs.len()), (85, 85));
        let (mut same, mut different): (HashMap<String, usize>, HashMap<String, usize>) = Default::default();
        for pair in &pairs.pairs {
            assert_eq!(pair.same, name(&pair.a) == name(&pair.b));
            match pair.same {
                true => *same.entry(name(&pair.a)).or_default() += 1,
                false => [&pair.a, &pair.b].iter().for_each(|photo| *different.entry(name(photo)).or_default() += 1),
            }
        }
        assert_eq!(same.len(), 5);
        assert!(same.values().all(|&n| n == 5), "{same:?}");
        assert_eq!(different.len(), 6);
        assert!(different.values().all(|&n| n == 20), "{different:?}");
    }

    #[test]
    fn all_possible_pairs_can_be_drawn_and_no_more() {
        let people = people(&[3, 2, 1, 0]);
        let all = generate_balanced(1, &people, 1, 4, 11).unwrap();
        let distinct: HashSet<String> = all.pairs.iter().map(|pair| format!("{} {}", pair.a, pair.b)).collect();
        assert_eq!(distinct.len(), 15);
        assert!(generate_balanced(1, &people, 1, 5, 1).unwrap_err().to_string().contains("only 4 same pairs"));
        assert!(generate_balanced(1, &people, 1, 1, 12).unwrap_err().to_string().contains("only 11 different pairs"));
    }
}
