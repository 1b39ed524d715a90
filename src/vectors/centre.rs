//! The middle of a person's faces.

/// The mean of rows of one length, of which there is one at least.
pub(super) fn mean<'a>(rows: impl Iterator<Item = &'a [f32]>) -> Vec<f64> {
    let (mut sum, mut count) = (Vec::new(), 0.0);
    for row in rows {
        sum.resize(row.len(), 0.0);
        sum.iter_mut().zip(row).for_each(|(sum, &x)| *sum += f64::from(x));
        count += 1.0;
    }
    sum.iter_mut().for_each(|x| *x /= count);
    sum
}

/// `|face - centre|^2`, in f64.
pub(super) fn squared_distance(face: &[f32], centre: &[f64]) -> f64 {
    face.iter().zip(centre).map(|(&x, y)| (f64::from(x) - y).powi(2)).sum()
}

/// By which factor the mean of `count` rows moves away from one of them when that is left out: `count / (count - 1)`.
pub(super) fn left_out(count: f64) -> f64 {
    count / (count - 1.0)
}
