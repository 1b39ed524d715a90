//! Cross validation as scikit-learn's `KFold(n_splits, shuffle=False)` does it.

use std::ops::Range;

use crate::{Error, Result};

/// One split of `0..n` into a test range and everything else.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fold {
    /// What is measured.
    pub test: Range<usize>,
    /// How many pairs there are in all.
    n: usize,
}

impl Fold {
    /// What thresholds and means are taken from: all but the test range, in order. Of a single fold, everything.
    pub fn train(&self) -> impl Iterator<Item = usize> + '_ {
        let single = self.test.len() == self.n;
        (0..self.n).filter(move |i| single || !self.test.contains(i))
    }
}

/// `0..n` in `folds` consecutive test ranges, the first `n % folds` of them one longer.
///
/// One fold is trained and tested on the same pairs, so its figures are optimistic (scikit-learn refuses it).
///
/// # Errors
/// No folds, or more folds than pairs.
pub fn k_fold(n: usize, folds: usize) -> Result<Vec<Fold>> {
    if folds == 0 || folds > n {
        let problem = format!("{n} pairs cannot be split into that many; choose 1 to {n}");
        return Err(Error::invalid(format!("{folds} folds"), problem));
    }
    let mut start = 0;
    let fold = |i| {
        let end = start + n / folds + usize::from(i < n % folds);
        let test = start..end;
        start = end;
        Fold { test, n }
    };
    Ok((0..folds).map(fold).collect())
}

/// How many of the folds have pairs of one kind only, where there are pairs of both: their accuracy is that of one kind,
/// and VAL or FAR is not defined in them.
///
/// # Errors
/// As [`k_fold`].
pub fn folds_of_one_kind(same: &[bool], folds: usize) -> Result<usize> {
    let is_one_kind = |same: &[bool]| same.iter().all(|&is| is) || !same.iter().any(|&is| is);
    let folds = k_fold(same.len(), folds)?;
    Ok(if is_one_kind(same) { 0 } else { folds.iter().filter(|fold| is_one_kind(&same[fold.test.clone()])).count() })
}
