//! Minimal filtering along one axis: `OUT` outputs of a filter of `TAPS` taps from `TAPS + OUT - 1` products.
//!
//! Winograd's F(m, r) is polynomial multiplication at points (S. Winograd, Arithmetic Complexity of Computations, 1980; A.
//! Lavin and S. Gray, Fast Algorithms for Convolutional Neural Networks, 2016, section 4). Here the points are 0, pairs `±p`
//! and infinity, and all three transforms follow from the pairs. With `w(x) = prod over pairs (x^2 - p^2)`:
//!
//! - input: the point 0 takes `w` of the even inputs, infinity `w` of the odd ones, and `±p` takes `E ± p * O`, where `E` and
//!   `O` are `w / (x^2 - p^2)` of the inputs 2, 4, .. and 1, 3, ..;
//! - output `i`: the sum over pairs of `p^i * (m[p] ± m[-p])`, plus the point 0 for the first and infinity for the last;
//! - filters: their polynomial at each point, over the product of its distances to the other finite points.

use super::super::simd::Simd;

/// The most pairs of points.
const MAX_PAIRS: usize = 3;

/// One axis of a minimal filtering.
pub(super) trait Axis {
    /// Taps of the filter.
    const TAPS: usize;
    /// Outputs of a patch.
    const OUT: usize;
    /// The points besides 0 and infinity, each of which stands for `±p`. Without taps to save there are none.
    const PAIRS: &'static [f64];
    /// Products of a patch, and its inputs.
    const POINTS: usize = Self::TAPS + Self::OUT - 1;
    /// The coefficients of `w`, in `x^2`.
    const W: [f32; MAX_PAIRS + 1] = polynomial(Self::PAIRS, MAX_PAIRS);
    /// Those of `w / (x^2 - p^2)` for each pair.
    const W_WITHOUT: [[f32; MAX_PAIRS + 1]; MAX_PAIRS] =
        [polynomial(Self::PAIRS, 0), polynomial(Self::PAIRS, 1), polynomial(Self::PAIRS, 2)];
}

/// `prod (t - p^2)` over all pairs but one, the lowest power first.
const fn polynomial(pairs: &[f64], without: usize) -> [f32; MAX_PAIRS + 1] {
    let mut product = [0.0f64; MAX_PAIRS + 1];
    product[0] = 1.0;
    let mut i = 0;
    while i < pairs.len() {
        if i != without {
            let mut power = MAX_PAIRS;
            while power > 0 {
                product[power] = product[power - 1] - pairs[i] * pairs[i] * product[power];
                power -= 1;
            }
            product[0] *= -pairs[i] * pairs[i];
        }
        i += 1;
    }
    let mut rounded = [0.0f32; MAX_PAIRS + 1];
    let mut power = 0;
    while power <= MAX_PAIRS {
        rounded[power] = product[power] as f32;
        power += 1;
    }
    rounded
}

/// F(4, 3). With these points, all of whose polynomials are exact in f32, the error is half of that with the customary 1 and 2.
pub(super) struct F43;

impl Axis for F43 {
    const TAPS: usize = 3;
    const OUT: usize = 4;
    const PAIRS: &'static [f64] = &[0.75, 1.5];
}

/// F(2, 7).
pub(super) struct F27;

impl Axis for F27 {
    const TAPS: usize = 7;
    const OUT: usize = 2;
    const PAIRS: &'static [f64] = &[0.5, 1.0, 2.0];
}

/// One tap: nothing is transformed.
pub(super) struct Single;

impl Axis for Single {
    const TAPS: usize = 1;
    const OUT: usize = 1;
    const PAIRS: &'static [f64] = &[];
}

/// The input's transform.
///
/// # Safety
/// The instruction set is there.
#[inline(always)]
pub(super) unsafe fn input<V: Simd, A: Axis, const POINTS: usize>(d: [V; POINTS]) -> [V; POINTS] {
    const { assert!(POINTS == A::POINTS) };
    let pairs = A::PAIRS.len();
    let mut to = d;
    if pairs > 0 {
        // SAFETY: the caller has the instruction set.
        unsafe {
            to[0] = evaluate(&d, 0, &A::W, pairs);
            to[POINTS - 1] = evaluate(&d, 1, &A::W, pairs);
            for pair in 0..pairs {
                let even = evaluate(&d, 2, &A::W_WITHOUT[pair], pairs - 1);
                let odd = evaluate(&d, 1, &A::W_WITHOUT[pair], pairs - 1);
                let p = A::PAIRS[pair] as f32;
                to[1 + 2 * pair] = even.mul_add(odd, V::splat(p));
                to[2 + 2 * pair] = even.mul_add(odd, V::splat(-p));
            }
        }
    }
    to
}

/// `sum over powers of coefficients[power] * d[first + 2 * power]`; the highest coefficient is 1.
///
/// # Safety
/// The instruction set is there.
#[inline(always)]
unsafe fn evaluate<V: Simd>(d: &[V], first: usize, coefficients: &[f32], degree: usize) -> V {
    let mut sum = d[first + 2 * degree];
    for power in (0..degree).rev() {
        // SAFETY: the caller has the instruction set.
        sum = unsafe { sum.mul_add(d[first + 2 * power], V::splat(coefficients[power])) };
    }
    sum
}

/// The output's transform.
///
/// # Safety
/// The instruction set is there.
#[inline(always)]
pub(super) unsafe fn output<V: Simd, A: Axis, const POINTS: usize, const OUT: usize>(m: [V; POINTS]) -> [V; OUT] {
    const { assert!(POINTS == A::POINTS && OUT == A::OUT) };
    let pairs = A::PAIRS.len();
    let mut to = [m[0]; OUT];
    if pairs > 0 {
        // SAFETY: the caller has the instruction set.
        unsafe {
            for (out, to) in to.iter_mut().enumerate() {
                let mut sum = match out {
                    0 => m[0],
                    _ if out == OUT - 1 => m[POINTS - 1],
                    _ => V::splat(0.0),
                };
                for pair in 0..pairs {
                    let (plus, minus) = (m[1 + 2 * pair], m[2 + 2 * pair]);
                    let both = if out % 2 == 0 { plus.add(minus) } else { plus.sub(minus) };
                    let factor = power(A::PAIRS[pair], out);
                    sum = if out == 0 { sum.add(both) } else { sum.mul_add(both, V::splat(factor as f32)) };
                }
                *to = sum;
            }
        }
    }
    to
}

const fn power(x: f64, exponent: usize) -> f64 {
    let mut product = 1.0;
    let mut i = 0;
    while i < exponent {
        product *= x;
        i += 1;
    }
    product
}

/// The filter's transform: `taps` at each point.
pub(super) fn filter<A: Axis>(taps: &[f64]) -> Vec<f64> {
    assert_eq!(taps.len(), A::TAPS);
    if A::PAIRS.is_empty() {
        return taps.to_vec();
    }
    let finite: Vec<f64> = [0.0].into_iter().chain(A::PAIRS.iter().flat_map(|&p| [p, -p])).collect();
    let at = |&x: &f64| {
        let value = taps.iter().rev().fold(0.0, |sum, tap| sum * x + tap);
        let distances = finite.iter().filter(|&&other| other != x).map(|other| x - other);
        value / distances.product::<f64>()
    };
    finite.iter().map(at).chain(taps.last().copied()).collect()
}

#[cfg(test)]
mod tests {
    use super::super::super::simd::Lanes8;
    use super::*;

    /// Eight signals in one vector, filtered by the transforms and by the definition.
    fn check<A: Axis, const POINTS: usize, const OUT: usize>() {
        let taps: Vec<f64> = (0..A::TAPS).map(|i| 0.3 - 0.17 * i as f64 * (i as f64 - 2.5)).collect();
        let signal = |i: usize, lane: usize| ((i * 7 + lane * 3) % 11) as f32 / 4.0 - 1.0;
        let d: [[f32; 8]; POINTS] = std::array::from_fn(|i| std::array::from_fn(|lane| signal(i, lane)));
        let filters = filter::<A>(&taps);
        assert_eq!(filters.len(), POINTS);
        // SAFETY: plain Rust on arrays of eight.
        let y = unsafe {
            let mut m = input::<_, A, POINTS>(d.map(|d| Lanes8::load(d.as_ptr())));
            m.iter_mut().zip(&filters).for_each(|(m, &w)| *m = m.mul(Lanes8::splat(w as f32)));
            output::<_, A, POINTS, OUT>(m).map(|y| {
                let mut to = [0.0f32; 8];
                y.store(to.as_mut_ptr());
                to
            })
        };
        for (out, got) in y.iter().enumerate() {
            for (lane, &got) in got.iter().enumerate() {
                let expected: f64 = (0..A::TAPS).map(|k| taps[k] * f64::from(signal(out + k, lane))).sum();
                assert!((f64::from(got) - expected).abs() < 1e-5, "output {out}: {got}, expected {expected}");
            }
        }
    }

    #[test]
    fn transforms_filter() {
        check::<F43, 6, 4>();
        check::<F27, 8, 2>();
        check::<Single, 1, 1>();
    }
}
