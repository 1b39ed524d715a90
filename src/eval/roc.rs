//! The exact receiver operating characteristic: one point per distinct distance, nothing sampled.

use serde::Serialize;

/// A threshold that is best by some score.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Best {
    /// Pairs whose distance is below it are judged to be one person.
    pub threshold: f64,
    /// The score there.
    pub score: f64,
}

/// What accepting every pair with a distance below `threshold` gives.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Point {
    /// Midway between two neighbouring distinct distances (at the ends: the least distance, and just above the largest).
    pub threshold: f64,
    /// Same pairs accepted.
    pub true_accepts: usize,
    /// Different pairs accepted.
    pub false_accepts: usize,
}

/// The exact ROC curve of a set of pairs.
#[derive(Clone, Debug, PartialEq)]
pub struct Roc {
    points: Vec<Point>,
    same: usize,
    different: usize,
}

impl Roc {
    /// The curve of these distances, from accepting no pair to accepting all.
    ///
    /// `distances`, `same`: `[n]`. Distances must be numbers ([`evaluate`](super::evaluate) sees to it).
    pub fn new(distances: &[f64], same: &[bool]) -> Self {
        let mut sorted: Vec<(f64, bool)> = distances.iter().copied().zip(same.iter().copied()).collect();
        sorted.sort_unstable_by(|a, b| a.0.total_cmp(&b.0));
        let least = sorted.first().map_or(0.0, |&(d, _)| d);
        let mut point = Point { threshold: least, true_accepts: 0, false_accepts: 0 };
        let mut points = vec![point];
        for (i, &(d, is_same)) in sorted.iter().enumerate() {
            if is_same {
                point.true_accepts += 1
            } else {
                point.false_accepts += 1
            }
            let next = sorted.get(i + 1).map(|&(d, _)| d);
            if next != Some(d) {
                point.threshold = next.map_or(d.next_up(), |next| between(d, next));
                points.push(point);
            }
        }
        Roc { points, same: point.true_accepts, different: point.false_accepts }
    }

    /// The points, from accepting no pair to accepting all, thresholds ascending.
    pub fn points(&self) -> &[Point] {
        &self.points
    }

    /// `(false accept rate, true accept rate)` of each point; NaN where there are no pairs to accept.
    pub fn rates(&self) -> impl Iterator<Item = (f64, f64)> + '_ {
        let rate =
            |p: &Point| (p.false_accepts as f64 / self.different as f64, p.true_accepts as f64 / self.same as f64);
        self.points.iter().map(rate)
    }

    /// Area under the curve: the chance that a same pair is nearer than a different pair, ties counting one half.
    /// NaN unless there are pairs of both kinds.
    pub fn auc(&self) -> f64 {
        // Twice the area in whole pairs: exact up to the one division (n² stays below 2^127).
        let twice: u128 = self
            .points
            .windows(2)
            .map(|w| {
                (w[1].false_accepts - w[0].false_accepts) as u128 * (w[1].true_accepts + w[0].true_accepts) as u128
            })
            .sum();
        twice as f64 / (2.0 * self.same as f64 * self.different as f64)
    }

    /// Equal error rate: where the false accept rate equals the false reject rate, linear between points.
    /// NaN unless there are pairs of both kinds.
    pub fn eer(&self) -> f64 {
        if self.same == 0 || self.different == 0 {
            return f64::NAN;
        }
        let (mut far, mut gap) = (0.0, -1.0);
        for (next_far, tar) in self.rates() {
            let next_gap = next_far - (1.0 - tar);
            if next_gap >= 0.0 {
                return far + (next_far - far) * -gap / (next_gap - gap);
            }
            (far, gap) = (next_far, next_gap);
        }
        far
    }

    /// The share of pairs judged rightly at a point.
    pub fn accuracy(&self, point: &Point) -> f64 {
        (point.true_accepts + self.different - point.false_accepts) as f64 / (self.same + self.different) as f64
    }

    /// The F1 score at a point, same pairs being the positives: `2 tp / (2 tp + fp + fn)`.
    pub fn f1(&self, point: &Point) -> f64 {
        // 2 tp + fp + fn = tp + fp + same
        2.0 * point.true_accepts as f64 / (point.true_accepts + point.false_accepts + self.same) as f64
    }

    /// The lowest of the thresholds with the highest accuracy.
    pub fn best_accuracy(&self) -> Best {
        self.best(|p| self.accuracy(p))
    }

    /// The lowest of the thresholds with the highest F1 score.
    pub fn best_f1(&self) -> Best {
        self.best(|p| self.f1(p))
    }

    fn best(&self, score: impl Fn(&Point) -> f64) -> Best {
        let mut best = Best { threshold: f64::NAN, score: f64::NEG_INFINITY };
        for point in &self.points {
            let score = score(point);
            if score > best.score {
                best = Best { threshold: point.threshold, score };
            }
        }
        best
    }
}

/// A threshold that accepts `low` and not `high`.
pub(super) fn between(low: f64, high: f64) -> f64 {
    let middle = low + (high - low) / 2.0;
    if middle > low { middle } else { high }
}
