//! Comparing values.

use super::Tolerance;

/// What f64 arithmetic must reach against dumps that were computed in f64 and rounded to f32.
pub const ROUNDED: Tolerance = Tolerance::new(1e-9, 6.1e-8);

/// Whether a value is near enough; a NaN on either side is not.
fn allows(tolerance: Tolerance, got: f64, expected: f64) -> bool {
    got == expected || (got - expected).abs() <= f64::from(tolerance.atol) + f64::from(tolerance.rtol) * expected.abs()
}

/// How many values are not close, and the worst of them; `None` if all are.
pub fn difference<T: Copy + Into<f64>>(got: &[T], expected: &[f32], tolerance: Tolerance) -> Option<String> {
    if got.len() != expected.len() {
        return Some(format!("{} values, expected {}", got.len(), expected.len()));
    }
    let pairs = got.iter().zip(expected).map(|(&a, &b)| (a.into(), f64::from(b)));
    let wrong: Vec<(usize, f64, f64)> =
        pairs.enumerate().filter(|&(_, (a, b))| !allows(tolerance, a, b)).map(|(i, (a, b))| (i, a, b)).collect();
    let excess = |&(_, a, b): &(usize, f64, f64)| {
        let excess = (a - b).abs() - f64::from(tolerance.rtol) * b.abs();
        if excess.is_nan() { f64::INFINITY } else { excess }
    };
    let &(i, a, b) = wrong.iter().max_by(|x, y| excess(x).total_cmp(&excess(y)))?;
    Some(format!(
        "{} of {} differ, worst [{i}]: {a:e}, expected {b:e}, apart {:.2e} (allowed {:.1e} + {:.1e} * |expected|)",
        wrong.len(),
        got.len(),
        (a - b).abs(),
        tolerance.atol,
        tolerance.rtol
    ))
}

/// Collects what differs over many comparisons, and fails with all of it.
#[derive(Default)]
pub struct Report {
    compared: usize,
    wrong: Vec<String>,
}

impl Report {
    pub fn compare<T: Copy + Into<f64>>(&mut self, what: &str, got: &[T], expected: &[f32], tolerance: Tolerance) {
        self.compared += 1;
        self.wrong.extend(difference(got, expected, tolerance).map(|d| format!("{what}: {d}")));
    }

    /// Fails if anything differed, or if nothing was compared.
    pub fn finish(self) {
        let Report { compared, wrong } = self;
        assert!(compared > 0, "nothing was compared");
        assert!(wrong.is_empty(), "{} of {compared} wrong:\n{}", wrong.len(), wrong.join("\n"));
    }
}
