//! Exact nearest neighbours.
//!
//! Distances are squared Euclidean, the sum of `(x - y)^2` in one fixed order ([`squared_distance`]), so that a vector's
//! distance to itself is 0, and results depend neither on the number of queries nor on threads. Of equal distances the
//! lower row comes first.

mod device;
mod measure;
mod neighbours;

pub use device::{DeviceRows, RowSource};
pub use measure::squared_distance;
pub use neighbours::Neighbours;

/// A row that was found.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Hit {
    /// Its number.
    pub row: usize,
    /// Its squared Euclidean distance.
    pub distance: f32,
}

impl Hit {
    /// Nearest first, of equally near ones the lower row.
    pub fn order(&self, other: &Hit) -> std::cmp::Ordering {
        self.distance.total_cmp(&other.distance).then(self.row.cmp(&other.row))
    }
}
