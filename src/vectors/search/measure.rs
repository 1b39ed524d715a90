//! The distance that is returned.

/// Partial sums of a distance: a vector of the widest instruction set.
const LANES: usize = 16;

/// `sum (x - y)^2` of two vectors of one length, the same bits on every processor: value `i` goes to partial sum `i % 16`
/// in order, products are rounded before they are added, and the partial sums are added pairwise, halves together.
pub fn squared_distance(x: &[f32], y: &[f32]) -> f32 {
    let mut sums = [0.0f32; LANES];
    let (x, y) = (x.as_chunks::<LANES>(), y.as_chunks::<LANES>());
    for (x, y) in x.0.iter().zip(y.0) {
        for lane in 0..LANES {
            let difference = x[lane] - y[lane];
            sums[lane] += difference * difference;
        }
    }
    for ((sum, x), y) in sums.iter_mut().zip(x.1).zip(y.1) {
        *sum += (x - y) * (x - y);
    }
    let mut width = LANES / 2;
    while width > 0 {
        for lane in 0..width {
            sums[lane] += sums[lane + width];
        }
        width /= 2;
    }
    sums[0]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whole_and_odd_lengths_are_summed() {
        for n in [0, 1, 15, 16, 17, 40] {
            let (x, y): (Vec<f32>, Vec<f32>) = (0..n).map(|i| (i as f32, i as f32 - 2.0)).unzip();
            assert_eq!(squared_distance(&x, &y), 4.0 * n as f32);
            assert_eq!(squared_distance(&x, &x), 0.0);
        }
    }
}
