//! Are two photographs of one person? Accuracy and VAL@FAR by cross validation: `lfw.evaluate`.

use serde::Serialize;

use super::distance::centred;
use super::folds::{Fold, k_fold};
use super::roc::{Best, Roc};
use crate::ops::Metric;
use crate::{Error, Result};

/// `np.arange(0, 4, 0.01)`: the thresholds tried for accuracy.
const ACCURACY_THRESHOLDS: (usize, f64) = (400, 0.01);
/// `np.arange(0, 4, 0.001)`: the thresholds tried for VAL@FAR.
const VAL_THRESHOLDS: (usize, f64) = (4000, 0.001);
/// The false accept rate that VAL is measured at.
pub const FAR_TARGET: f64 = 1e-3;

/// How to evaluate.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EvalOptions {
    /// How many folds of consecutive pairs; see [`k_fold`].
    pub folds: usize,
    /// The distance of two embeddings.
    pub metric: Metric,
    /// Subtract the mean embedding of the training folds' pairs from every embedding first.
    pub subtract_mean: bool,
}

impl Default for EvalOptions {
    /// Ten folds, euclidean, no mean: `lfw.evaluate`'s defaults.
    fn default() -> Self {
        EvalOptions { folds: 10, metric: Metric::default(), subtract_mean: false }
    }
}

/// Mean and (population) standard deviation of the folds' accuracies.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Accuracy {
    /// The share of pairs judged rightly, mean over the folds.
    pub mean: f64,
    /// Its standard deviation over the folds.
    pub std: f64,
}

/// The validation rate at [`FAR_TARGET`], over the folds where it is defined (NaN, `null` in JSON, where it is in none).
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Val {
    /// The share of same pairs accepted, mean over the folds.
    pub mean: f64,
    /// Its standard deviation over the folds.
    pub std: f64,
    /// The share of different pairs accepted at the same thresholds, mean over the folds.
    pub far: f64,
}

/// The figures of an evaluation; serialises to the JSON of `warpface lfw --json`.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Figures {
    /// How many pairs were measured.
    pub pairs: usize,
    /// Accuracy at each fold's best training threshold.
    pub accuracy: Accuracy,
    /// VAL@FAR at each fold's training threshold.
    pub val: Val,
    /// Area under the exact ROC; NaN (`null`) unless there are same and different pairs.
    pub auc: f64,
    /// Equal error rate of the exact ROC; NaN (`null`) unless there are same and different pairs.
    pub eer: f64,
    /// The mean of the folds' best thresholds: a pair is the same person if its distance is **below** it.
    pub threshold: f64,
}

/// What one fold measured.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct FoldResult {
    /// How many pairs were tested.
    pub pairs: usize,
    /// The best threshold of the training pairs.
    pub threshold: f64,
    /// The share of test pairs judged rightly at it.
    pub accuracy: f64,
    /// The threshold at which the training pairs' false accept rate is [`FAR_TARGET`]; NaN without different pairs.
    pub val_threshold: f64,
    /// The share of the fold's same pairs accepted at it; NaN if it has none.
    pub val: f64,
    /// The share of the fold's different pairs accepted at it; NaN if it has none.
    pub far: f64,
}

/// Everything that [`evaluate`] found.
#[derive(Clone, Debug)]
pub struct Evaluation {
    /// The figures.
    pub figures: Figures,
    /// Fold by fold.
    pub folds: Vec<FoldResult>,
    /// Of each pair: the distance measured when it was tested (with `subtract_mean`, after its own fold's mean).
    pub distances: Vec<f64>,
    /// Of each pair: whether it is one person.
    pub same: Vec<bool>,
    /// The exact ROC of [`distances`](Self::distances).
    pub roc: Roc,
    /// The threshold that judges most pairs rightly, over all pairs.
    pub best_accuracy: Best,
    /// The threshold of the highest F1 score (same is positive), over all pairs.
    pub best_f1: Best,
}

impl Evaluation {
    /// The pairs of different people that look most alike, nearest first: indices into `distances`.
    /// Those below the threshold in use are false accepts.
    pub fn nearest_different(&self, n: usize) -> Vec<usize> {
        self.ranked(false, n, f64::total_cmp)
    }

    /// The pairs of one person that look least alike, farthest first: indices into `distances`.
    /// Those at or above the threshold in use are false rejects.
    pub fn farthest_same(&self, n: usize) -> Vec<usize> {
        self.ranked(true, n, |a, b| b.total_cmp(a))
    }

    /// Whether pair `i` is judged wrongly at `threshold`.
    pub fn is_wrong(&self, i: usize, threshold: f64) -> bool {
        self.same.get(i).zip(self.distances.get(i)).is_some_and(|(&same, &d)| same != (d < threshold))
    }

    fn ranked(&self, same: bool, n: usize, order: impl Fn(&f64, &f64) -> std::cmp::Ordering) -> Vec<usize> {
        let mut ranked: Vec<(usize, f64)> =
            self.distances.iter().copied().enumerate().filter(|&(i, _)| self.same[i] == same).collect();
        ranked.sort_by(|a, b| order(&a.1, &b.1));
        ranked.into_iter().take(n).map(|(i, _)| i).collect()
    }
}

/// The LFW protocol on pairs of embeddings: `lfw.evaluate`, with the ROC exact over the full range.
///
/// `embeddings1`, `embeddings2`: `[n, dim]`, row-major; `same`: `[n]`. Distances are computed in f64. Thresholds for
/// accuracy and VAL are the original's, 0 to 4, although squared distances of flip-concatenated embeddings reach 8:
/// the best threshold of a usable model lies well below 4, and the figures stay comparable.
///
/// # Errors
/// Lengths that do not fit, a number of folds that does not fit, or a distance that is not a number (the pair is named).
pub fn evaluate(
    embeddings1: &[f32],
    embeddings2: &[f32],
    dim: usize,
    same: &[bool],
    options: &EvalOptions,
) -> Result<Evaluation> {
    let n = same.len();
    let expected = n.checked_mul(dim).filter(|&e| e > 0 || n == 0);
    if Some(embeddings1.len()) != expected || embeddings1.len() != embeddings2.len() {
        let found = format!("{} and {} values were given", embeddings1.len(), embeddings2.len());
        return Err(Error::invalid("embeddings", format!("{n} pairs need [{n}, {dim}] values on each side; {found}")));
    }
    let measure = |mean: &[f64]| -> Result<Vec<f64>> {
        let distance = |(i, (a, b))| {
            let d = centred(options.metric, a, b, mean);
            if d.is_finite() { Ok(d) } else { Err(not_a_distance(i, d, options.metric)) }
        };
        embeddings1.chunks_exact(dim).zip(embeddings2.chunks_exact(dim)).enumerate().map(distance).collect()
    };

    let folds = k_fold(n, options.folds)?;
    let mut distances = measure(&vec![0.0; dim])?;
    let mut results = Vec::with_capacity(folds.len());
    let mut tested = Vec::with_capacity(n);
    for fold in &folds {
        if options.subtract_mean {
            distances = measure(&train_mean(embeddings1, embeddings2, dim, fold))?;
        }
        results.push(measure_fold(&distances, same, fold));
        tested.extend_from_slice(&distances[fold.test.clone()]);
    }
    let distances = tested;

    let roc = Roc::new(&distances, same);
    let (accuracy, accuracy_std) = mean_std(results.iter().map(|r| r.accuracy));
    let (val, val_std) = mean_std(results.iter().map(|r| r.val));
    let figures = Figures {
        pairs: n,
        accuracy: Accuracy { mean: accuracy, std: accuracy_std },
        val: Val { mean: val, std: val_std, far: mean_std(results.iter().map(|r| r.far)).0 },
        auc: roc.auc(),
        eer: roc.eer(),
        threshold: mean_std(results.iter().map(|r| r.threshold)).0,
    };
    let (best_accuracy, best_f1) = (roc.best_accuracy(), roc.best_f1());
    Ok(Evaluation { figures, folds: results, distances, same: same.to_vec(), roc, best_accuracy, best_f1 })
}

fn not_a_distance(pair: usize, d: f64, metric: Metric) -> Error {
    let problem = format!(
        "its {metric} distance is {d}: an embedding holds values that are not finite, or only zeros; \
         check the weights and the standardization"
    );
    Error::invalid(format!("pair {} (counted from 1)", pair + 1), problem)
}

/// The mean of all embeddings of the fold's training pairs.
fn train_mean(embeddings1: &[f32], embeddings2: &[f32], dim: usize, fold: &Fold) -> Vec<f64> {
    let mut mean = vec![0.0; dim];
    let mut rows = 0.0;
    for i in fold.train() {
        for row in [&embeddings1[i * dim..][..dim], &embeddings2[i * dim..][..dim]] {
            mean.iter_mut().zip(row).for_each(|(m, &x)| *m += f64::from(x));
            rows += 1.0;
        }
    }
    mean.iter_mut().for_each(|m| *m /= rows);
    mean
}

/// Distances in order, same and different pairs apart, so that every count is a binary search.
struct Sorted {
    same: Vec<f64>,
    different: Vec<f64>,
}

impl Sorted {
    fn new(distances: &[f64], same: &[bool], pairs: impl Iterator<Item = usize>) -> Self {
        let (mut yes, mut no) = (Vec::new(), Vec::new());
        for i in pairs {
            if same[i] { &mut yes } else { &mut no }.push(distances[i]);
        }
        yes.sort_unstable_by(f64::total_cmp);
        no.sort_unstable_by(f64::total_cmp);
        Sorted { same: yes, different: no }
    }

    /// How many same pairs, and how many different pairs, are accepted: a distance **below** the threshold.
    fn accepted(&self, threshold: f64) -> (usize, usize) {
        let below = |sorted: &[f64]| sorted.partition_point(|&d| d < threshold);
        (below(&self.same), below(&self.different))
    }

    /// How many pairs are judged rightly.
    fn right(&self, threshold: f64) -> usize {
        let (true_accepts, false_accepts) = self.accepted(threshold);
        true_accepts + self.different.len() - false_accepts
    }

    /// `calculate_val_far`; 0/0, which stops the original, is NaN here.
    fn val_far(&self, threshold: f64) -> (f64, f64) {
        let (true_accepts, false_accepts) = self.accepted(threshold);
        (true_accepts as f64 / self.same.len() as f64, false_accepts as f64 / self.different.len() as f64)
    }
}

fn measure_fold(distances: &[f64], same: &[bool], fold: &Fold) -> FoldResult {
    let train = Sorted::new(distances, same, fold.train());
    let test = Sorted::new(distances, same, fold.test.clone());
    let threshold = best_threshold(&train);
    let val_threshold = far_threshold(&train);
    // Without pairs of different people there is no rate of false accepts, and no threshold for it.
    let (val, far) = if val_threshold.is_nan() { (f64::NAN, f64::NAN) } else { test.val_far(val_threshold) };
    let accuracy = test.right(threshold) as f64 / fold.test.len() as f64;
    FoldResult { pairs: fold.test.len(), threshold, accuracy, val_threshold, val, far }
}

/// The first of the thresholds that judge most training pairs rightly (`np.argmax`).
fn best_threshold(train: &Sorted) -> f64 {
    let (count, step) = ACCURACY_THRESHOLDS;
    let (mut best, mut most) = (0.0, 0);
    for threshold in (0..count).map(|i| i as f64 * step) {
        let right = train.right(threshold);
        if right > most {
            (best, most) = (threshold, right);
        }
    }
    best
}

/// The threshold at which the training pairs' false accept rate is [`FAR_TARGET`], or 0 if none reaches it; NaN without
/// pairs of different people.
///
/// `interp1d(far, thresholds, kind='slinear')(FAR_TARGET)`: the linear spline between the last threshold of a rate at
/// or below the target and the first above it. That is how SciPy of the original's days treats repeated rates (of
/// which there are many; SciPy refuses them since 1.9 at the latest). A target met exactly on the last plateau is the
/// spline's degenerate end, where its value is 0 if the plateau is longer than one threshold.
fn far_threshold(train: &Sorted) -> f64 {
    if train.different.is_empty() {
        return f64::NAN;
    }
    let (count, step) = VAL_THRESHOLDS;
    let rate = |i: usize| train.val_far(i as f64 * step).1;
    let mut below: Option<(usize, f64)> = None;
    for i in 0..count {
        let far = rate(i);
        if far > FAR_TARGET {
            let Some((last, low)) = below else { return i as f64 * step };
            let weight = (FAR_TARGET - low) / (far - low);
            return last as f64 * step * (1.0 - weight) + i as f64 * step * weight;
        }
        below = Some((i, far));
    }
    match below {
        Some((last, far)) if far == FAR_TARGET && rate(last - 1) < far => last as f64 * step,
        _ => 0.0,
    }
}

/// Mean and population standard deviation (`np.mean`, `np.std`) of the values that are numbers; NaN if none is.
fn mean_std(values: impl Iterator<Item = f64> + Clone) -> (f64, f64) {
    let values = values.filter(|v| !v.is_nan());
    let n = values.clone().count() as f64;
    let mean = values.clone().sum::<f64>() / n;
    let variance = values.map(|v| (v - mean) * (v - mean)).sum::<f64>() / n;
    (mean, variance.sqrt())
}
