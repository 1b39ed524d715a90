//! Principal components: the two directions in which embeddings differ most.

use rayon::prelude::*;

use crate::backend::Device;
use crate::face::Embeddings;
use crate::random::{Stream, purpose};

/// Vectors that are iterated: two, and others for what is not yet separated.
const VECTORS: usize = 10;
/// Iterations at most; each separates components by the ratio of their variances.
const ITERATIONS: usize = 1000;
/// A direction that moves less than this has arrived.
const ARRIVED: f64 = 1e-12;

/// Points of a plane.
#[derive(Clone, Debug, PartialEq)]
pub struct Pca {
    /// A point for each row: its first and second component, the mean at 0.
    pub points: Vec<[f64; 2]>,
    /// The share of all variance that each component has; 0 where rows do not differ.
    pub explained: [f64; 2],
}

/// The first two principal components of rows, by subspace iteration on their covariance (Golub and Van Loan, "Matrix
/// Computations", 8.2.4). The largest value of a direction is positive. The same bits whatever the threads.
pub fn pca(device: &Device, rows: &Embeddings) -> Pca {
    let dim = rows.dim();
    if rows.len() < 2 {
        return Pca { points: vec![[0.0; 2]; rows.len()], explained: [0.0; 2] };
    }
    device.install(|| {
        let centred = centred(rows);
        let covariance = covariance(&centred, dim);
        let total: f64 = (0..dim).map(|i| covariance[i * dim + i]).sum();
        let directions = directions(&covariance, dim);
        let dot = |a: &[f64], b: &[f64]| a.iter().zip(b).map(|(a, b)| a * b).sum::<f64>();
        let points =
            centred.par_chunks_exact(dim).map(|row| [0, 1].map(|k| directions.get(k).map_or(0.0, |v| dot(row, v))));
        let points: Vec<[f64; 2]> = points.collect();
        let variance = |k: usize| points.iter().map(|point| point[k] * point[k]).sum::<f64>() / rows.len() as f64;
        let explained = [0, 1].map(|k| if total > 0.0 { variance(k) / total } else { 0.0 });
        Pca { points, explained }
    })
}

fn centred(rows: &Embeddings) -> Vec<f64> {
    let mut mean = vec![0.0; rows.dim()];
    for row in rows {
        mean.iter_mut().zip(row).for_each(|(mean, &x)| *mean += f64::from(x));
    }
    mean.iter_mut().for_each(|mean| *mean /= rows.len() as f64);
    let row = |row: &[f32]| -> Vec<f64> { row.iter().zip(&mean).map(|(&x, mean)| f64::from(x) - mean).collect() };
    rows.rows().flat_map(row).collect()
}

/// `[dim, dim]`, each value summed over the rows in their order.
fn covariance(centred: &[f64], dim: usize) -> Vec<f64> {
    let n = (centred.len() / dim) as f64;
    let line = |i: usize| {
        let mut line = vec![0.0; dim];
        for row in centred.chunks_exact(dim) {
            line.iter_mut().zip(row).for_each(|(sum, x)| *sum += row[i] * x);
        }
        line.iter_mut().for_each(|sum| *sum /= n);
        line
    };
    (0..dim).into_par_iter().flat_map_iter(line).collect()
}

/// The first two directions; fewer of rows with one value.
fn directions(covariance: &[f64], dim: usize) -> Vec<Vec<f64>> {
    let mut random = Stream::new(0, purpose::LAYOUT, 0);
    let mut vectors: Vec<Vec<f64>> =
        (0..VECTORS.min(dim)).map(|_| (0..dim).map(|_| f64::from(random.uniform()) - 0.5).collect()).collect();
    orthonormalize(&mut vectors);
    for _ in 0..ITERATIONS {
        let product = |v: &Vec<f64>| -> Vec<f64> {
            let line = |line: &[f64]| line.iter().zip(v).map(|(c, x)| c * x).sum();
            covariance.chunks_exact(dim).map(line).collect()
        };
        let mut next: Vec<Vec<f64>> = vectors.par_iter().map(product).collect();
        orthonormalize(&mut next);
        let moved = |k: usize| 1.0 - next[k].iter().zip(&vectors[k]).map(|(a, b)| a * b).sum::<f64>().abs();
        let arrived = (0..vectors.len().min(2)).all(|k| moved(k) < ARRIVED);
        vectors = next;
        if arrived {
            break;
        }
    }
    vectors.truncate(2);
    for vector in &mut vectors {
        let largest = vector.iter().copied().fold(0.0, |most: f64, x| if x.abs() > most.abs() { x } else { most });
        if largest < 0.0 {
            vector.iter_mut().for_each(|x| *x = -*x);
        }
    }
    vectors
}

/// Gram-Schmidt, twice, for one pass loses digits; what is no direction of its own becomes 0.
fn orthonormalize(vectors: &mut [Vec<f64>]) {
    for i in 0..vectors.len() {
        let (done, rest) = vectors.split_at_mut(i);
        let vector = &mut rest[0];
        for _ in 0..2 {
            for other in done.iter() {
                let along: f64 = other.iter().zip(vector.iter()).map(|(a, b)| a * b).sum();
                vector.iter_mut().zip(other).for_each(|(x, other)| *x -= along * other);
            }
        }
        let norm = vector.iter().map(|x| x * x).sum::<f64>().sqrt();
        vector.iter_mut().for_each(|x| *x = if norm > f64::MIN_POSITIVE.sqrt() { *x / norm } else { 0.0 });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_axes_of_an_ellipse_are_found() {
        let mut random = Stream::new(1, 0, 0);
        let mut values = Vec::new();
        for _ in 0..500 {
            let [a, b, c] = [4.0, 2.0, 0.1].map(|scale| scale * (random.uniform() - 0.5));
            // The long axis along (0.6, 0.8, 0), the middle one along (-0.8, 0.6, 0).
            values.extend([0.6 * a - 0.8 * b + 5.0, 0.8 * a + 0.6 * b, c]);
        }
        let rows = Embeddings::new(3, values.clone());
        let found = pca(&Device::cpu(2).unwrap(), &rows);
        assert!(found.explained[0] > 0.75 && found.explained[0] + found.explained[1] > 0.99, "{:?}", found.explained);
        let distance = |a: usize, b: usize| {
            let square = |k: usize| (values[a * 3 + k] - values[b * 3 + k]).powi(2);
            f64::from(square(0) + square(1)).sqrt()
        };
        let [p, q] = [found.points[3], found.points[8]];
        assert!(((p[0] - q[0]).hypot(p[1] - q[1]) - distance(3, 8)).abs() < 0.05);
        assert_eq!(found, pca(&Device::cpu(1).unwrap(), &rows));
    }

    #[test]
    fn what_does_not_differ_is_one_point() {
        let device = Device::cpu(1).unwrap();
        for rows in [Embeddings::new(4, vec![0.5; 12]), Embeddings::new(4, vec![0.5; 4]), Embeddings::default()] {
            let found = pca(&device, &rows);
            assert_eq!((found.points.len(), found.explained), (rows.len(), [0.0; 2]));
            assert!(found.points.iter().flatten().all(|x| *x == 0.0));
        }
        let line = pca(&device, &Embeddings::new(1, vec![1.0, 3.0]));
        assert_eq!((line.points, line.explained), (vec![[-1.0, 0.0], [1.0, 0.0]], [1.0, 0.0]));
    }
}
