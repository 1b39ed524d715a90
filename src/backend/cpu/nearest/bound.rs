//! Which pairs can be left out without measuring them: the proof that nothing is missed.
//!
//! `D(x, y)` is the distance as [`measure`](super::measure) gives it, `d` the real number `|x - y|^2`, `nx` and `ny` what
//! `measure` gives for `x` and `y` from zero, `u = 2^-24` and `gamma_m = m u / (1 - m u)`. A sum of `n` products in any
//! order, with or without fused multiply-adds, differs from the real one by at most `gamma_n` times the sum of the products'
//! absolute values (Higham, Accuracy and Stability of Numerical Algorithms, 3.1), and where products are below f32's normal
//! numbers by `2^-150` more for each. The fixed order rounds a term at most `m = n / 16 + 8` times. So
//!
//! - `|nx - |x|^2| <= gamma_m |x|^2`, the same for `ny`, and `|D - d| <= gamma_m d <= 2 gamma_m (|x|^2 + |y|^2)`;
//! - the product of a tile has `|p - x.y| <= gamma_n |x| |y| <= gamma_n (|x|^2 + |y|^2) / 2`;
//! - together `|D - (nx + ny - 2 p)| <= (gamma_n + 3 gamma_m) (|x|^2 + |y|^2) + tiny <= c (nx + ny) + tiny`
//!
//! with `c = gamma_(2n + 128)`, which leaves more than `0.8 n + 100` units of `u` for the division by `1 - gamma_m` and what
//! follows, and `tiny = (n + 16) 2^-130`.
//!
//! A row whose `D` is at most `t` therefore has `(1 - c) ny / 2 - p <= (t + tiny - (1 - c) nx) / 2`. The left side's first
//! term is rounded down ([`half`]), the right side up ([`limit`]); the subtraction is one rounding of a real number, and
//! rounding is monotone: what should pass does.
//!
//! With codes, `y' = scale code` and `e >= |y - y'|` is known of each row, and of the query `x'` and `f >= |x - x'|`. The
//! product of codes is exact (32 bits hold `255 * 127 * 65,536`), and `x.y = x'.y' + x'.(y - y') + (x - x').y`, so by Cauchy
//! and Schwarz `|x.y - x'.y'| <= |x'| e + f |y|`: these two are taken from the left side, too. Here `gamma_n` of the product
//! is not needed, and the `n + 100` units pay for the roundings of the left side: fewer than 8, of terms that together are
//! less than `6 (nx + ny)`, as `e <= |y|` and `f <= |x|` for up to 65,536 values. Scales that underflow are within `tiny`.

/// The most that a vector's squared length may be: twice the sum of two is still a number.
pub(crate) const MAX_NORM: f32 = f32::MAX / 8.0;
/// The most values of a vector: `c` stays small, and the product of codes exact.
pub(crate) const MAX_DIM: usize = 1 << 16;

/// `c`: the error of a distance by its parts, for each unit of `nx + ny`.
fn share(dim: usize) -> f64 {
    let units = (2 * dim + 128) as f64 * (-24f64).exp2();
    units / (1.0 - units)
}

/// The most that errors below the normal numbers add up to.
fn tiny(dim: usize) -> f64 {
    (dim + 16) as f64 * (-130f64).exp2()
}

/// A row's part of the comparison, from its squared length; rounded down. It is asked for at every row, so that it is in f32:
/// a share of 2^-22 pays for the factor's and the product's rounding, the subtraction for what underflows.
#[inline]
pub(super) fn half(norm: f32, dim: usize) -> f32 {
    let factor = ((1.0 - share(dim)) / 2.0 * (1.0 - (-22f64).exp2())) as f32;
    norm * factor - f32::MIN_POSITIVE
}

/// The most that a query of this squared length lets pass, where distances up to `distance` are looked for; rounded up.
pub(super) fn limit(distance: f32, norm: f32, dim: usize) -> f32 {
    if distance == f32::INFINITY {
        return distance;
    }
    (((f64::from(distance) + tiny(dim) - (1.0 - share(dim)) * f64::from(norm)) / 2.0) as f32).next_up()
}

/// A length, not below the real one, from a squared length by the fixed order; in f32, as [`half`].
#[inline]
pub(super) fn length(norm: f32) -> f32 {
    // A share of 2^-11 pays for the squared length's own rounding, up to 65,536 values, as much for the arithmetic here; the
    // rest for what underflowed, up to 2^-132.
    (norm * (1.0 + 1.0 / 1024.0) + f32::MIN_POSITIVE).sqrt()
}
