//! Comparing values.

use super::Tolerance;

impl Tolerance {
    /// Equal values only.
    pub const EXACT: Tolerance = Tolerance::new(0.0, 0.0);

    pub const fn new(atol: f32, rtol: f32) -> Self {
        Tolerance { atol, rtol }
    }

    /// The same, with at least this absolute tolerance.
    pub fn at_least(self, atol: f32) -> Self {
        Tolerance { atol: self.atol.max(atol), ..self }
    }

    fn allows(&self, got: f64, expected: f64) -> bool {
        // Written so that a NaN on either side is not allowed.
        got == expected || (got - expected).abs() <= f64::from(self.atol) + f64::from(self.rtol) * expected.abs()
    }
}

/// How many values are not close, and the worst of them; `None` if all are.
pub fn difference<T: Copy + Into<f64>>(got: &[T], expected: &[f32], tolerance: Tolerance) -> Option<String> {
    if got.len() != expected.len() {
        return Some(format!("{} values, expected {}", got.len(), expected.len()));
    }
    let pairs = got.iter().zip(expected).map(|(&a, &b)| (a.into(), f64::from(b)));
    let wrong: Vec<(usize, f64, f64)> =
        pairs.enumerate().filter(|&(_, (a, b))| !tolerance.allows(a, b)).map(|(i, (a, b))| (i, a, b)).collect();
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
