//! Comparing what devices give.

use super::Tolerance;

/// The element that is furthest off, of those that differ by more than the tolerance; NaN equals NaN only.
pub fn worst(got: &[f32], expected: &[f32], tolerance: Tolerance) -> Option<String> {
    if got.len() != expected.len() {
        return Some(format!("{} elements, expected {}", got.len(), expected.len()));
    }
    let off = |(i, (&a, &b)): (usize, (&f32, &f32))| {
        let (difference, allowed) = ((a - b).abs(), tolerance.atol + tolerance.rtol * b.abs());
        if a == b || (a.is_nan() && b.is_nan()) || difference <= allowed {
            return None;
        }
        Some((i, if difference.is_nan() { f32::INFINITY } else { difference - allowed }))
    };
    let all = got.iter().zip(expected).enumerate().filter_map(off);
    let (i, _) = all.reduce(|most, other| if other.1 > most.1 { other } else { most })?;
    Some(format!("worst at {i} of {}: {}, expected {} ({tolerance:?})", got.len(), got[i], expected[i]))
}
