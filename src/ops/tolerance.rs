//! How near to the exact result an op must come.

/// By how much a result may differ: `atol + rtol * |expected|`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Tolerance {
    /// The absolute part.
    pub atol: f32,
    /// The part that grows with the value.
    pub rtol: f32,
}

impl Tolerance {
    /// Equal values only.
    pub const EXACT: Tolerance = Tolerance::new(0.0, 0.0);

    /// Sums of up to some hundred products of values around 1.
    pub const SUMS: Tolerance = Tolerance::new(5e-6, 5e-6);

    /// A tolerance of both parts.
    pub const fn new(atol: f32, rtol: f32) -> Self {
        Tolerance { atol, rtol }
    }

    /// The same, with at least this absolute tolerance.
    pub fn at_least(self, atol: f32) -> Self {
        Tolerance { atol: self.atol.max(atol), ..self }
    }
}
