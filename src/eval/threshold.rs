//! Below which distance two faces are of one person: the best threshold of a set of labelled embeddings, with intervals.
//!
//! Pairs of one person and pairs of different people count alike, however many there are of each: among all pairs of a
//! folder those of different people would decide alone. Intervals come of people drawn with repetition (Efron's bootstrap,
//! percentiles): pairs that share a person are not independent, people are.

use std::collections::BTreeMap;

use rayon::prelude::*;
use serde::Serialize;

use super::generate::draw_places;
use super::roc::between;
use crate::ops::Metric;
use crate::random::{Stream, purpose};
use crate::{Error, Result};

/// The distance below which the FaceNet paper takes two embeddings for one person's, on LFW: 1.242, squared Euclidean (F. Schroff
/// and others, FaceNet, 2015, section 5.6), or the same angle over pi. Unproved for any other network.
pub fn of_paper(metric: Metric) -> f64 {
    let euclidean = 1.242;
    match metric {
        Metric::Euclidean => euclidean,
        // |a - b|^2 = 2 - 2 cos.
        Metric::Cosine => f64::acos(1.0 - euclidean / 2.0) / std::f64::consts::PI,
    }
}

/// How thresholds are chosen.
#[derive(Clone, Debug, PartialEq)]
pub struct ThresholdOptions {
    /// The distance.
    pub metric: Metric,
    /// The share of pairs of different people that may be accepted.
    pub far: f64,
    /// How often people are drawn for the intervals; 0 makes none.
    pub resamples: usize,
    /// Draws people, and pairs where there are too many.
    pub seed: u64,
    /// Pairs of each kind that are measured at most; of more, these many are drawn.
    pub most: usize,
}

impl Default for ThresholdOptions {
    /// Euclidean, FAR 0.001, 1,000 resamples, 500,000 pairs of each kind.
    fn default() -> Self {
        ThresholdOptions { metric: Metric::Euclidean, far: 1e-3, resamples: 1000, seed: 0, most: 500_000 }
    }
}

/// Two embeddings that were compared.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct LabelledPair {
    /// How far apart they are.
    pub distance: f64,
    /// The numbers of their people, alike where it is one.
    pub people: [u32; 2],
}

impl LabelledPair {
    /// Whether both are of one person.
    pub fn is_same(&self) -> bool {
        self.people[0] == self.people[1]
    }
}

/// A threshold, what it reaches, and its 95 % interval over people (NaN, `null` in JSON, without resamples).
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Chosen {
    /// A pair is of one person if its distance is below it.
    pub threshold: f64,
    /// The score there.
    pub score: f64,
    /// The interval's lower end.
    pub low: f64,
    /// The interval's upper end.
    pub high: f64,
}

/// The best thresholds.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Thresholds {
    /// By accuracy: the mean of the shares of both kinds that are judged rightly.
    pub accuracy: Chosen,
    /// By F1, pairs of one person being the positives and both kinds counting alike.
    pub f1: Chosen,
    /// The highest at which the false accept rate is at most that asked for; the score is the true accept rate.
    pub far: Chosen,
    /// The false accept rate asked for.
    pub far_target: f64,
    /// Pairs of one person.
    pub same: usize,
    /// Pairs of different people.
    pub different: usize,
    /// People.
    pub people: usize,
}

/// The pairs of labelled embeddings, in ascending order of their distances: all of a kind, or as many as `most` allows, drawn
/// by the seed.
///
/// `embeddings`: `[n, dim]`, row-major; `labels`: `[n]`.
///
/// # Errors
/// Lengths that do not fit; labels that leave no pair of one kind; a distance that is not a number, naming its rows.
pub fn labelled_pairs(
    embeddings: &[f32],
    dim: usize,
    labels: &[String],
    options: &ThresholdOptions,
) -> Result<Vec<LabelledPair>> {
    if labels.len().checked_mul(dim) != Some(embeddings.len()) {
        let problem =
            format!("{} labels need [{}, {dim}] values, {} were given", labels.len(), labels.len(), embeddings.len());
        return Err(Error::invalid("embeddings", problem));
    }
    let mut people: BTreeMap<&str, Vec<usize>> = BTreeMap::new();
    labels.iter().enumerate().for_each(|(row, label)| people.entry(label).or_default().push(row));
    let counts: Vec<usize> = people.values().map(Vec::len).collect();
    let rows: Vec<usize> = people.values().flatten().copied().collect();
    let person: Vec<u32> = counts.iter().zip(0..).flat_map(|(&count, person)| vec![person; count]).collect();
    let places = places(&counts, options)?;
    let row =
        |place: usize| -> Vec<f64> { embeddings[rows[place] * dim..][..dim].iter().map(|&x| f64::from(x)).collect() };
    let measure = |&(i, j): &(usize, usize)| {
        let distance = options.metric.distance(&row(i), &row(j));
        if distance.is_finite() {
            return Ok(LabelledPair { distance, people: [person[i], person[j]] });
        }
        let problem = format!(
            "their {} distance is {distance}: a row has values that are not finite, or only zeros",
            options.metric
        );
        Err(Error::invalid(format!("rows {} and {}", rows[i], rows[j]), problem))
    };
    let mut pairs: Vec<LabelledPair> = places.par_iter().map(measure).collect::<Result<_>>()?;
    pairs.sort_by(|a, b| a.distance.total_cmp(&b.distance));
    Ok(pairs)
}

/// The pairs that are measured, by the places of their photographs.
fn places(counts: &[usize], options: &ThresholdOptions) -> Result<Vec<(usize, usize)>> {
    let all: usize = counts.iter().sum();
    let same: usize = counts.iter().map(|n| n * n.saturating_sub(1) / 2).sum();
    let different = all * all.saturating_sub(1) / 2 - same;
    if same == 0 || different == 0 {
        let problem = format!(
            "{all} faces of {} people make {same} pairs of one person and {different} of two; both must come: two people are \
             needed, and one with two photographs",
            counts.len()
        );
        return Err(Error::invalid("faces", problem));
    }
    let wanted = [same.min(options.most.max(1)), different.min(options.most.max(1))];
    let [mut of_one, of_two] = draw_places(options.seed, counts, wanted, |kind| format!("{kind} pairs"))?;
    of_one.extend(of_two);
    Ok(of_one)
}

/// The best thresholds of pairs in ascending order of their distances.
///
/// # Errors
/// Pairs of one kind only; a false accept rate that is none.
pub fn best_thresholds(pairs: &[LabelledPair], options: &ThresholdOptions) -> Result<Thresholds> {
    if !(0.0..1.0).contains(&options.far) {
        return Err(Error::invalid(crate::error::Field("far"), format!("{} is no rate: 0 to below 1", options.far)));
    }
    let same = pairs.iter().filter(|pair| pair.is_same()).count();
    let people = pairs.iter().flat_map(|pair| pair.people).max().map_or(0, |most| most as usize + 1);
    let best = scan(pairs, &vec![1.0; people], options.far);
    let best = best.ok_or_else(|| Error::invalid("pairs", "pairs of one person and of different people are needed"))?;
    let resample = |i: usize| {
        let mut random = Stream::new(options.seed, purpose::RESAMPLE, i as u64);
        let mut weights = vec![0.0; people];
        (0..people).for_each(|_| weights[random.below(people as u64) as usize] += 1.0);
        scan(pairs, &weights, options.far)
    };
    let drawn: Vec<[Point; 3]> = (0..options.resamples).into_par_iter().filter_map(resample).collect();
    let chosen = |kind: usize| {
        let mut thresholds: Vec<f64> = drawn.iter().map(|points| points[kind].threshold).collect();
        thresholds.sort_by(f64::total_cmp);
        let at = |share: f64| match thresholds.len() {
            0 => f64::NAN,
            n => thresholds[((n - 1) as f64 * share).round() as usize],
        };
        Chosen { threshold: best[kind].threshold, score: best[kind].score, low: at(0.025), high: at(0.975) }
    };
    Ok(Thresholds {
        accuracy: chosen(0),
        f1: chosen(1),
        far: chosen(2),
        far_target: options.far,
        same,
        different: pairs.len() - same,
        people,
    })
}

#[derive(Clone, Copy)]
struct Point {
    threshold: f64,
    score: f64,
}

/// The best points by accuracy, by F1 and at the false accept rate, people counting as often as `weights` says; none where a
/// kind of pairs does not come. Of equal scores the lowest threshold.
fn scan(pairs: &[LabelledPair], weights: &[f64], far: f64) -> Option<[Point; 3]> {
    let weight = |pair: &LabelledPair| {
        let [a, b] = pair.people.map(|person| weights[person as usize]);
        if pair.is_same() { [a, 0.0] } else { [0.0, a * b] }
    };
    let total = pairs.iter().map(weight).fold([0.0, 0.0], |sum, w| [sum[0] + w[0], sum[1] + w[1]]);
    if total.contains(&0.0) {
        return None;
    }
    let least = pairs.first()?.distance;
    let nothing = Point { threshold: least, score: 0.0 };
    let mut best = [Point { score: 0.5, ..nothing }, nothing, nothing];
    let mut accepted = [0.0, 0.0];
    for (i, pair) in pairs.iter().enumerate() {
        let w = weight(pair);
        accepted = [accepted[0] + w[0], accepted[1] + w[1]];
        let next = pairs.get(i + 1).map(|next| next.distance);
        if next == Some(pair.distance) {
            continue;
        }
        let threshold = || next.map_or(pair.distance.next_up(), |next| between(pair.distance, next));
        let (tar, rate) = (accepted[0] / total[0], accepted[1] / total[1]);
        let scores = [(tar + 1.0 - rate) / 2.0, 2.0 * tar / (tar + rate + 1.0)];
        for (best, score) in best.iter_mut().zip(scores) {
            if score > best.score {
                *best = Point { threshold: threshold(), score };
            }
        }
        if rate <= far {
            best[2] = Point { threshold: threshold(), score: tar };
        }
    }
    Some(best)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn labels(names: &str) -> Vec<String> {
        names.chars().map(String::from).collect()
    }

    #[test]
    fn the_best_thresholds_of_a_line() {
        // Two people on a line: 0, 1 | 3, 4.5. Same: 1 and 2.25; different: 4, 9, 12.25, 20.25.
        let options = ThresholdOptions { far: 0.3, resamples: 0, ..ThresholdOptions::default() };
        let pairs = labelled_pairs(&[0.0, 1.0, 3.0, 4.5], 1, &labels("aabb"), &options).unwrap();
        assert_eq!(pairs.iter().map(|pair| pair.distance).collect::<Vec<_>>(), [1.0, 2.25, 4.0, 9.0, 12.25, 20.25]);
        let best = best_thresholds(&pairs, &options).unwrap();
        assert_eq!((best.accuracy.threshold, best.accuracy.score, best.f1.score), (3.125, 1.0, 1.0));
        // One of four different pairs may be accepted.
        assert_eq!((best.far.threshold, best.far.score), (6.5, 1.0));
        assert_eq!((best.same, best.different, best.people), (2, 4, 2));
        assert!(best.accuracy.low.is_nan());
    }

    #[test]
    fn kinds_count_alike_and_drawn_pairs_are_the_seeds() {
        let values: Vec<f32> = (0..60).map(|i| (i % 20) as f32 * 0.1 + (i / 20) as f32).collect();
        let names: String = (0..60).map(|i| ['a', 'b', 'c'][i / 20]).collect();
        let options = ThresholdOptions { resamples: 200, most: 400, ..ThresholdOptions::default() };
        let pairs = |options: &ThresholdOptions| labelled_pairs(&values, 1, &labels(&names), options).unwrap();
        let drawn = pairs(&options);
        assert_eq!(drawn, pairs(&options));
        assert_ne!(drawn, pairs(&ThresholdOptions { seed: 1, ..options.clone() }));
        assert_eq!(drawn.iter().filter(|pair| pair.is_same()).count(), 400);
        let all = pairs(&ThresholdOptions { most: 1 << 20, ..options.clone() });
        assert_eq!(all.len(), 60 * 59 / 2);
        let best = best_thresholds(&all, &options).unwrap();
        assert!(best.accuracy.low <= best.accuracy.threshold && best.accuracy.threshold <= best.accuracy.high);
        // By hand: the score at the threshold, kinds apart.
        let share = |same: bool| {
            let kind: Vec<_> = all.iter().filter(|pair| pair.is_same() == same).collect();
            kind.iter().filter(|pair| pair.distance < best.accuracy.threshold).count() as f64 / kind.len() as f64
        };
        assert!((best.accuracy.score - (share(true) + 1.0 - share(false)) / 2.0).abs() < 1e-12);
    }

    #[test]
    fn what_has_no_threshold_is_told() {
        let options = ThresholdOptions::default();
        for names in ["aaa", "abc", ""] {
            let values = vec![0.5; names.len()];
            let error = labelled_pairs(&values, 1, &labels(names), &options).unwrap_err().to_string();
            assert!(error.contains("two people are needed"), "{error}");
        }
        let error = labelled_pairs(&[0.0, 0.0, f32::NAN], 1, &labels("aab"), &options).unwrap_err().to_string();
        assert!(error.contains("rows"), "{error}");
        // Equal embeddings: every threshold is as bad as any other.
        let pairs = labelled_pairs(&[1.0; 4], 1, &labels("aabb"), &options).unwrap();
        assert_eq!(best_thresholds(&pairs, &options).unwrap().accuracy.score, 0.5);
    }
}
