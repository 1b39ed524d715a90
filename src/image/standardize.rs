//! Bytes to the floats that a FaceNet model was trained on.

use super::Rgb8;

/// `facenet.prewhiten`: `(x - mean) / max(std, 1 / sqrt(size))` over all samples, in f64 and then rounded to f32.
/// `dst` is `[height, width, 3]`; an empty picture writes nothing.
///
/// # Panics
/// If `dst` is not of the picture's size.
pub fn prewhiten(src: &Rgb8, dst: &mut [f32]) {
    // Whole-number sums are exact, whatever the order; numpy's pairwise f64 sums agree to the last bits.
    let size = src.data().len() as f64;
    let mut counts = [0u64; 256];
    src.data().iter().for_each(|&x| counts[usize::from(x)] += 1);
    let values = || (0..256).map(f64::from).zip(counts.map(|count| count as f64));
    let mean = values().map(|(x, count)| x * count).sum::<f64>() / size;
    let variance = values().map(|(x, count)| (x - mean).powi(2) * count).sum::<f64>() / size;
    let inverse = 1.0 / variance.sqrt().max(1.0 / size.sqrt());
    map(src, dst, |x| ((x - mean) * inverse) as f32);
}

/// `(x - mean) / deviation`, such as `(x - 127.5) / 128` of the 2018 models, in f64 and then rounded to f32. `dst` is
/// `[height, width, 3]`.
///
/// # Panics
/// If `dst` is not of the picture's size.
pub fn standardize(src: &Rgb8, mean: f64, deviation: f64, dst: &mut [f32]) {
    map(src, dst, |x| ((x - mean) / deviation) as f32);
}

/// A byte has 256 values: each is computed once.
fn map(src: &Rgb8, dst: &mut [f32], f: impl Fn(f64) -> f32) {
    assert_eq!(src.data().len(), dst.len(), "{src:?}");
    let table: [f32; 256] = std::array::from_fn(|x| f(x as f64));
    dst.iter_mut().zip(src.data()).for_each(|(dst, &x)| *dst = table[usize::from(x)]);
}
