//! The nearest rows of another matrix: candidates of a search, and exact hardest negatives over a whole set.

use half::f16;
use serde::Deserialize;

use super::{Metric, Operator, Port, Real, Tolerance, arity, exactly};
use crate::{Shape, Tensor};

/// The `k` nearest rows of `y` for each row of `x`.
///
/// Inputs: `x: [m, d]`, `y: [n, d]`; with [`NearestRows::others`] `x: [m, d]`, `labels_x: [m]`, `y: [n, d]`,
/// `labels_y: [n]`. Output `[m, 2k]`: their numbers, then their squared distances, ascending, of equal ones the lower
/// number first; -1 and infinity where there are fewer. A row whose distance is not finite is not near.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NearestRows {
    /// How many, 1 to [`NearestRows::MOST`].
    pub k: usize,
    /// Whether rows have labels, and those with the label of `x`'s row are passed over.
    #[serde(default)]
    pub others: bool,
    /// How a device keeps `y`; in less than f32 `y` is a constant of the graph.
    #[serde(default)]
    pub storage: RowStorage,
}

/// How rows of vectors are stored.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum RowStorage {
    /// As they are.
    #[default]
    F32,
    /// Rounded to f16, ties to even.
    F16,
    /// Whole numbers -127 to 127, times one scale a row ([`RowStorage::int8`]).
    Int8,
}

impl RowStorage {
    /// A row's scale, and its elements in units of it: the farthest from zero becomes 127 or -127. A row that has an
    /// element that is not finite has the scale NaN.
    pub fn int8(row: &[f32]) -> (f32, impl Iterator<Item = i8> + '_) {
        let most = row.iter().fold(0.0f32, |most, x| most.max(x.abs()));
        let finite = row.iter().all(|x| x.is_finite());
        // A denormal scale would be zero on devices that have none.
        let scale = if finite { (most / 127.0).max(f32::MIN_POSITIVE) } else { f32::NAN };
        (scale, row.iter().map(move |x| (x / scale).round_ties_even().clamp(-127.0, 127.0) as i8))
    }

    /// The row as it reads when it was stored so.
    pub fn stored(self, row: &[f32]) -> Vec<f32> {
        match self {
            RowStorage::F32 => row.to_vec(),
            RowStorage::F16 => row.iter().map(|&x| f16::from_f32(x).to_f32()).collect(),
            RowStorage::Int8 => {
                let (scale, elements) = RowStorage::int8(row);
                elements.map(|x| scale * f32::from(x)).collect()
            }
        }
    }
}

impl NearestRows {
    /// The most that a kernel keeps of each row.
    pub const MOST: usize = 64;

    /// Which input is `y`.
    pub(crate) fn y(&self) -> usize {
        if self.others { 2 } else { 1 }
    }
}

impl Operator for NearestRows {
    const STEM: &'static str = "nearest_rows";

    fn shape(&self, inputs: &[&Shape]) -> Result<Shape, String> {
        match self.others {
            true => arity(inputs, 4, "x, labels_x, y, labels_y")?,
            false => arity(inputs, 2, "x, y")?,
        }
        if !(1..=Self::MOST).contains(&self.k) {
            return Err(format!("expected 1 to {} neighbours, got {}", Self::MOST, self.k));
        }
        let y = inputs[self.y()];
        let &[m, d] = inputs[0].dims() else { return Err(format!("expected x: [m, d], got {}", inputs[0])) };
        let &[n, _] = y.dims() else { return Err(format!("expected y: [n, {d}], got {y}")) };
        if n > 1 << 24 {
            return Err(format!("expected at most {} rows of y, for an f32 counts no further, got {n}", 1 << 24));
        }
        exactly(inputs, self.y(), "y", &[n, d])?;
        if self.others {
            exactly(inputs, 1, "labels_x", &[m])?;
            exactly(inputs, 3, "labels_y", &[n])?;
        }
        Ok([m, 2 * self.k].into())
    }

    fn flops(&self, inputs: &[&Shape], _: &Shape) -> u64 {
        3 * inputs[0].elements() as u64 * inputs[self.y()].dims()[0] as u64
    }

    fn port(&self, _: usize) -> Port {
        Port::KeepF32
    }

    fn keep_f32(&self) -> bool {
        true
    }

    fn tolerance(&self) -> Tolerance {
        Tolerance::new(1e-6, 1e-6)
    }

    fn reference<T: Real>(&self, inputs: &[&Tensor<T>]) -> Tensor<T> {
        let (x, y) = (inputs[0], self.stored(inputs[self.y()]));
        let (&[m, d], n) = (x.dims(), y.dims()[0]) else { unreachable!("checked by shape") };
        let is_other = |i: usize, j: usize| !self.others || inputs[1].data()[i] != inputs[3].data()[j];
        let mut out = Vec::with_capacity(m * 2 * self.k);
        for i in 0..m {
            let distance = |j: usize| Metric::Euclidean.distance(&x.data()[i * d..][..d], &y.data()[j * d..][..d]);
            let others = (0..n).filter(|&j| is_other(i, j));
            let mut near: Vec<(T, usize)> = others.map(|j| (distance(j), j)).filter(|(d, _)| d.is_finite()).collect();
            near.sort_by(|(a, i), (b, j)| a.partial_cmp(b).expect("finite").then(i.cmp(j)));
            let rank = |i: usize| near.get(i);
            out.extend((0..self.k).map(|i| rank(i).map_or(-T::one(), |&(_, j)| T::of(j as f64))));
            out.extend((0..self.k).map(|i| rank(i).map_or(T::infinity(), |&(d, _)| d)));
        }
        Tensor::new([m, 2 * self.k], out)
    }
}

impl NearestRows {
    /// `y` as it reads when it was stored.
    fn stored<T: Real>(&self, y: &Tensor<T>) -> Tensor<T> {
        if self.storage == RowStorage::F32 {
            return y.clone();
        }
        let narrow: Vec<f32> = y.data().iter().map(|x| x.to_f32().unwrap_or(f32::NAN)).collect();
        let rows = narrow.chunks(y.shape().last().max(1));
        let data = rows.flat_map(|row| self.storage.stored(row)).map(|x| T::of(x.into())).collect();
        Tensor::new(y.shape().clone(), data)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_are_stored_to_half_a_unit() {
        let row = [0.5, -1.0, 0.0039, 0.3];
        for (storage, unit) in
            [(RowStorage::F32, 0.0), (RowStorage::F16, 1.0 / 1024.0), (RowStorage::Int8, 1.0 / 127.0)]
        {
            for (stored, x) in storage.stored(&row).iter().zip(row) {
                assert!((stored - x).abs() <= 0.5001 * unit, "{storage:?}: {x} is stored as {stored}");
            }
        }
        assert_eq!(RowStorage::Int8.stored(&[1.0, -1.0]), [127.0 * (1.0f32 / 127.0), -127.0 * (1.0f32 / 127.0)]);
    }

    #[test]
    fn rows_of_zeros_and_rows_that_are_not_finite_stay_what_they_are() {
        assert_eq!(RowStorage::Int8.stored(&[0.0, -0.0]), [0.0, 0.0]);
        // No division by a scale of zero.
        assert_eq!(RowStorage::Int8.stored(&[1e-45, 0.0]), [0.0, 0.0]);
        for odd in [f32::NAN, f32::INFINITY] {
            assert!(RowStorage::Int8.stored(&[1.0, odd]).iter().all(|x| x.is_nan()), "{odd}");
        }
        assert_eq!(RowStorage::F16.stored(&[1e6]), [f32::INFINITY]);
    }
}
