//! A linear support vector machine for each two people, and probabilities over all: scikit-learn's
//! `SVC(kernel="linear", probability=True)`, which is libsvm's C-SVC.

mod platt;
mod smo;

use std::sync::atomic::{AtomicUsize, Ordering};

use rayon::prelude::*;

use super::KnownFaces;
use crate::backend::Device;
use crate::error::Field;
use crate::random::{Stream, purpose};
use crate::{Error, Result};
use platt::Sigmoid;
use smo::{Gram, Plane};

/// Faces of two people whose inner products are held at once: 2 GiB of them.
const MOST_FACES: usize = 1 << 14;

/// Folds in which the decisions that sigmoids are fitted to are made.
const FOLDS: usize = 5;

/// How support vector machines are trained. The default is scikit-learn's.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct SvmOptions {
    /// What a face on the wrong side of the margin costs (`C`), above 0.
    pub penalty: f64,
    /// How far from the optimum the solver may stop (`tol`), above 0.
    pub tolerance: f64,
    /// What the folds of the probabilities are drawn by.
    pub seed: u64,
}

impl Default for SvmOptions {
    fn default() -> Self {
        SvmOptions { penalty: 1.0, tolerance: 1e-3, seed: 0 }
    }
}

/// Machines for every two people of [`KnownFaces`], whose faces are their support vectors.
#[derive(Clone, Debug, PartialEq)]
pub struct Svm {
    people: usize,
    /// `[faces, people - 1]`: what a face weighs against each of the other people.
    coefficients: Vec<f64>,
    /// Of each two people.
    biases: Vec<f64>,
    /// Of each two people, slope and offset.
    sigmoids: Vec<Sigmoid>,
}

/// The machine of two people.
struct OfTwo {
    plane: Plane,
    sigmoid: Sigmoid,
}

impl Svm {
    /// Trains a machine for every two people; `told` hears how many of how many are done, from any thread.
    ///
    /// # Errors
    /// [`Error::Invalid`] for options that make no sense, and where the solver does not come to an end;
    /// [`Error::TooLarge`] for two people with more faces than memory should hold the products of.
    pub fn fit(
        device: &Device,
        known: &KnownFaces,
        options: &SvmOptions,
        told: &(dyn Fn(usize, usize) + Sync),
    ) -> Result<Svm> {
        options.check()?;
        let people = known.people().len();
        let mut sizes: Vec<usize> = (0..people).map(|person| known.rows_of(person).len()).collect();
        sizes.sort_unstable();
        let most: usize = sizes.iter().rev().take(2).sum();
        if most > MOST_FACES {
            let problem =
                format!("two people have {most} faces, and {MOST_FACES} are the most; take fewer of each, or knn");
            return Err(Error::TooLarge { what: "a support vector machine".to_owned(), problem: problem.into() });
        }
        let own: Vec<Gram> =
            device.install(|| (0..people).into_par_iter().map(|person| products(known, person, person)).collect());
        let pairs: Vec<(usize, usize)> = (0..people).flat_map(|i| (i + 1..people).map(move |j| (i, j))).collect();
        let done = AtomicUsize::new(0);
        let fit = |&(i, j): &(usize, usize)| {
            let gram = joined(&own[i], &own[j], known, i, j);
            let machine = of_two(&gram, own[i].points(), options, pair(people, i, j) as u64);
            told(done.fetch_add(1, Ordering::Relaxed) + 1, pairs.len());
            machine.ok_or_else(|| {
                let (a, b) = (&known.people()[i], &known.people()[j]);
                Error::invalid(
                    "training",
                    format!("{a} and {b} cannot be parted: their embeddings are far from unit length"),
                )
            })
        };
        let machines: Vec<OfTwo> = device.install(|| pairs.par_iter().map(fit).collect::<Result<_>>())?;
        Ok(Self::of_machines(known, &pairs, &machines))
    }

    fn of_machines(known: &KnownFaces, pairs: &[(usize, usize)], machines: &[OfTwo]) -> Svm {
        let people = known.people().len();
        let mut coefficients = vec![0.0; known.faces().len() * (people - 1)];
        for (&(i, j), machine) in pairs.iter().zip(machines) {
            let rows = known.rows_of(i).map(|row| (row, j - 1)).chain(known.rows_of(j).map(|row| (row, i)));
            for ((row, other), coefficient) in rows.zip(&machine.plane.coefficients) {
                coefficients[row * (people - 1) + other] = *coefficient;
            }
        }
        let biases = machines.iter().map(|machine| machine.plane.bias).collect();
        let sigmoids = machines.iter().map(|machine| machine.sigmoid).collect();
        Svm { people, coefficients, biases, sigmoids }
    }

    /// What a file says of machines of these faces: checked.
    pub(super) fn of_parts(
        known: &KnownFaces,
        coefficients: Vec<f64>,
        biases: Vec<f64>,
        sigmoids: &[f64],
    ) -> Result<Svm> {
        let people = known.people().len();
        let pairs = people * (people - 1) / 2;
        let sizes = [coefficients.len(), biases.len(), sigmoids.len()];
        if sizes != [known.faces().len() * (people - 1), pairs, 2 * pairs] {
            return Err(Error::invalid("the machines", format!("they are not of {people} people")));
        }
        if coefficients.iter().chain(&biases).chain(sigmoids).any(|x| !x.is_finite()) {
            return Err(Error::invalid("the machines", "a weight is no number"));
        }
        let sigmoids = sigmoids.chunks_exact(2).map(|two| Sigmoid { slope: two[0], offset: two[1] }).collect();
        Ok(Svm { people, coefficients, biases, sigmoids })
    }

    /// `[faces, people - 1]`, the faces in their order: what each weighs against the other people, in theirs.
    pub fn coefficients(&self) -> &[f64] {
        &self.coefficients
    }

    /// What is added to each decision, in the order of [`Svm::decisions`].
    pub fn biases(&self) -> &[f64] {
        &self.biases
    }

    /// `[pairs, 2]`: slope and offset of the sigmoid of each two people.
    pub(super) fn sigmoids(&self) -> Vec<f64> {
        self.sigmoids.iter().flat_map(|sigmoid| [sigmoid.slope, sigmoid.offset]).collect()
    }

    /// What the machine of each two people says of a face: `(0, 1)`, `(0, 2)` and so on, positive for the first of them.
    pub fn decisions(&self, known: &KnownFaces, face: &[f32]) -> Vec<f64> {
        let others = self.people - 1;
        let mut sums = vec![0.0; self.biases.len()];
        for person in 0..self.people {
            // Of pairs whose first this person is, then of those whose second.
            let mut of_person = vec![0.0; others];
            for row in known.rows_of(person) {
                let product = dot(known.faces().row(row), face);
                let weights = &self.coefficients[row * others..][..others];
                of_person.iter_mut().zip(weights).for_each(|(sum, weight)| *sum += weight * product);
            }
            for (slot, sum) in of_person.into_iter().enumerate() {
                let other = if slot < person { slot } else { slot + 1 };
                sums[pair(self.people, person.min(other), person.max(other))] += sum;
            }
        }
        sums.iter_mut().zip(&self.biases).for_each(|(sum, bias)| *sum += bias);
        sums
    }

    /// How likely a face is each of the people; the sum is 1.
    pub fn probabilities(&self, known: &KnownFaces, face: &[f32]) -> Vec<f64> {
        let of_two: Vec<f64> = self
            .decisions(known, face)
            .iter()
            .zip(&self.sigmoids)
            .map(|(&decision, sigmoid)| sigmoid.of(decision))
            .collect();
        platt::couple(self.people, |i, j| of_two[pair(self.people, i, j)])
    }
}

impl SvmOptions {
    fn check(&self) -> Result<()> {
        for (name, value) in [("penalty", self.penalty), ("tolerance", self.tolerance)] {
            if !(value.is_finite() && value > 0.0) {
                return Err(Error::invalid(Field(name), format!("{value} is not above 0")));
            }
        }
        Ok(())
    }
}

/// The place of `(i, j)`, `i < j`, among all pairs.
fn pair(people: usize, i: usize, j: usize) -> usize {
    i * (2 * people - i - 1) / 2 + j - i - 1
}

/// The inner product, in f64, in one order.
fn dot(a: &[f32], b: &[f32]) -> f64 {
    const LANES: usize = 8;
    let mut sums = [0.0; LANES];
    let (a, b) = (a.chunks_exact(LANES), b.chunks_exact(LANES));
    let rest: f64 = a.remainder().iter().zip(b.remainder()).map(|(&a, &b)| f64::from(a) * f64::from(b)).sum();
    for (a, b) in a.zip(b) {
        for lane in 0..LANES {
            sums[lane] += f64::from(a[lane]) * f64::from(b[lane]);
        }
    }
    sums.iter().sum::<f64>() + rest
}

/// The inner products of one person's faces; of two, those between them, `[a, b]`.
fn products(known: &KnownFaces, a: usize, b: usize) -> Gram {
    let row = |row: usize| known.faces().row(row);
    let values = known.rows_of(a).flat_map(|i| known.rows_of(b).map(move |j| dot(row(i), row(j))));
    Gram::new(known.rows_of(a).len(), values.collect())
}

/// The inner products of the faces of two people.
fn joined(a: &Gram, b: &Gram, known: &KnownFaces, i: usize, j: usize) -> Gram {
    let (m, n) = (a.points(), b.points());
    let between: Vec<f64> = {
        let row = |row: usize| known.faces().row(row);
        known.rows_of(i).flat_map(|i| known.rows_of(j).map(move |j| dot(row(i), row(j)))).collect()
    };
    let mut values = Vec::with_capacity((m + n) * (m + n));
    for x in 0..m {
        values.extend_from_slice(a.row(x));
        values.extend_from_slice(&between[x * n..][..n]);
    }
    for y in 0..n {
        values.extend((0..m).map(|x| between[x * n + y]));
        values.extend_from_slice(b.row(y));
    }
    Gram::new(m + n, values)
}

/// The machine of `first` points of one person, and the others of another.
fn of_two(gram: &Gram, first: usize, options: &SvmOptions, place: u64) -> Option<OfTwo> {
    let points = gram.points();
    let signs: Vec<f64> = (0..points).map(|i| if i < first { 1.0 } else { -1.0 }).collect();
    let plane = smo::solve(gram, &signs, options.penalty, options.tolerance)?;
    let folds = folds(first, points, options.seed, place);
    // A person's only face cannot be held out: it is told by the machine that was trained on it.
    let mut decisions: Vec<f64> = (0..points).map(|i| decision(gram, &plane, 0..points, i)).collect();
    for fold in 0..FOLDS {
        let (held, kept): (Vec<usize>, Vec<usize>) = (0..points).partition(|&i| folds[i] == Some(fold));
        if held.is_empty() {
            continue;
        }
        let of_kept: Vec<f64> = kept.iter().map(|&i| signs[i]).collect();
        let plane = smo::solve(&gram.of(&kept), &of_kept, options.penalty, options.tolerance)?;
        held.into_iter().for_each(|i| decisions[i] = decision(gram, &plane, kept.iter().copied(), i));
    }
    Some(OfTwo { plane, sigmoid: Sigmoid::fit(&decisions, &signs) })
}

/// What a plane through `points` says of point `i`.
fn decision(gram: &Gram, plane: &Plane, points: impl Iterator<Item = usize>, i: usize) -> f64 {
    let row = gram.row(i);
    points.zip(&plane.coefficients).map(|(point, weight)| row[point] * weight).sum::<f64>() + plane.bias
}

/// The fold of each point, each person's spread over all; none for a person's only face.
fn folds(first: usize, points: usize, seed: u64, place: u64) -> Vec<Option<usize>> {
    let mut folds = vec![None; points];
    for (which, rows) in [0..first, first..points].into_iter().enumerate() {
        let mut rows: Vec<usize> = rows.collect();
        if rows.len() > 1 {
            Stream::new(seed, purpose::FOLDS, 2 * place + which as u64).shuffle(&mut rows);
            rows.into_iter().enumerate().for_each(|(at, row)| folds[row] = Some(at % FOLDS));
        }
    }
    folds
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pairs_are_counted_in_order() {
        let places: Vec<usize> = (0..5).flat_map(|i| (i + 1..5).map(move |j| pair(5, i, j))).collect();
        assert_eq!(places, (0..10).collect::<Vec<_>>());
    }

    #[test]
    fn nobody_is_held_out_whole() {
        assert_eq!(folds(1, 3, 7, 0)[0], None);
        for first in 2..9 {
            let folds = folds(first, 12, 7, 3);
            for rows in [0..first, first..12] {
                let mut sizes = [0; FOLDS];
                rows.clone().for_each(|i| sizes[folds[i].unwrap()] += 1);
                assert!(sizes.iter().all(|&n| n < rows.len() && n <= rows.len().div_ceil(FOLDS)), "{sizes:?}");
            }
        }
    }
}
