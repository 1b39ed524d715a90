//! What shape rules share: how many inputs, of which extents.

use super::Real;
use crate::Shape;

/// Checks how many inputs an op was given.
pub(super) fn arity(inputs: &[&Shape], expected: usize, names: &str) -> Result<(), String> {
    if inputs.len() == expected {
        Ok(())
    } else {
        Err(format!("expected {expected} inputs ({names}), got {}", inputs.len()))
    }
}

/// The extents of input `i` as `[n, h, w, c]`.
pub(super) fn nhwc(inputs: &[&Shape], i: usize, name: &str) -> Result<[usize; 4], String> {
    inputs[i].nhwc().ok_or_else(|| format!("expected {name}: [n, h, w, c], got {}", inputs[i]))
}

/// The last extent of input `i`, which has one.
pub(super) fn channels(inputs: &[&Shape], i: usize, name: &str) -> Result<usize, String> {
    if inputs[i].rank() > 0 { Ok(inputs[i].last()) } else { Err(format!("expected {name}: [.., c], got a scalar")) }
}

/// Checks that input `i` has exactly this shape.
pub(super) fn exactly(inputs: &[&Shape], i: usize, name: &str, dims: &[usize]) -> Result<(), String> {
    if inputs[i].dims() == dims { Ok(()) } else { Err(format!("expected {name}: {dims:?}, got {}", inputs[i])) }
}

/// A label or an index, which is a whole number stored as a float; `None` if it is not one of `count`.
pub(super) fn index<T: Real>(value: T, count: usize) -> Option<usize> {
    let whole = value >= T::zero() && value == value.floor() && value < T::of(count as f64);
    if whole { value.to_usize() } else { None }
}
