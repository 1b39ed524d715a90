//! The arithmetic of every matrix instruction: exact products, summed in f64.
//!
//! The hardware leaves open in which order a matrix instruction adds and how many bits it keeps meanwhile. This model
//! takes the products exactly, adds them to the accumulator in f64 in the order of k, and rounds once at the end.

/// `c[i][j] += sum over l of a[i][l] * b[l][j]`.
///
/// Shapes: a: [m, k], b: [k, n], c: [m, n], row-major; m a multiple of 4, n a multiple of 8.
pub fn multiply_add([m, n, k]: [usize; 3], a: &[f64], b: &[f64], c: &mut [f64]) {
    assert!(m % 4 == 0 && n % 8 == 0 && a.len() == m * k && b.len() == k * n && c.len() == m * n);
    #[cfg(target_arch = "x86_64")]
    if std::arch::is_x86_feature_detected!("avx2") {
        // SAFETY: the processor has AVX2.
        return unsafe { multiply_add_avx2([m, n, k], a, b, c) };
    }
    tiles([m, n, k], a, b, c);
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2")]
fn multiply_add_avx2(shape: [usize; 3], a: &[f64], b: &[f64], c: &mut [f64]) {
    tiles(shape, a, b, c);
}

/// 4 x 8 sums stay in registers. Products are exact, so it does not matter whether multiply and add are fused.
#[inline(always)]
fn tiles([m, n, k]: [usize; 3], a: &[f64], b: &[f64], c: &mut [f64]) {
    for i in (0..m).step_by(4) {
        let rows: [&[f64]; 4] = std::array::from_fn(|r| &a[(i + r) * k..][..k]);
        for j in (0..n).step_by(8) {
            let mut sums: [[f64; 8]; 4] = std::array::from_fn(|r| c[(i + r) * n + j..][..8].try_into().unwrap());
            for l in 0..k {
                let b: &[f64; 8] = b[l * n + j..][..8].try_into().unwrap();
                for (sums, row) in sums.iter_mut().zip(rows) {
                    let a = row[l];
                    for (sum, b) in sums.iter_mut().zip(b) {
                        *sum += a * b;
                    }
                }
            }
            for (r, sums) in sums.iter().enumerate() {
                c[(i + r) * n + j..][..8].copy_from_slice(sums);
            }
        }
    }
}

/// Rounds a sum to the f32 that a tensor core would store: its NaN has one code.
#[inline(always)]
pub fn to_f32(x: f64) -> u32 {
    if x.is_nan() { 0x7fff_ffff } else { (x as f32).to_bits() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equals_three_loops() {
        let [m, n, k] = [8, 24, 5];
        let value = |seed: usize| move |i: usize| ((i * 7 + seed) % 13) as f64 - 6.0;
        let a: Vec<f64> = (0..m * k).map(value(1)).collect();
        let b: Vec<f64> = (0..k * n).map(value(2)).collect();
        let start: Vec<f64> = (0..m * n).map(value(3)).collect();
        let mut c = start.clone();
        multiply_add([m, n, k], &a, &b, &mut c);
        for i in 0..m {
            for j in 0..n {
                let sum: f64 = (0..k).map(|l| a[i * k + l] * b[l * n + j]).sum();
                assert_eq!(c[i * n + j], start[i * n + j] + sum);
            }
        }
    }
}
