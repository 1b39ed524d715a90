//! Exact nearest neighbours.
//!
//! Distances are squared Euclidean, the sum of `(x - y)^2` in one fixed order ([`squared_distance`]), so that a vector's
//! distance to itself is 0, and results depend neither on the number of queries nor on threads. Of equal distances the
//! lower row comes first.
//!
//! A base of rows is in memory ([`Embeddings`](crate::face::Embeddings)), in a file as it is ([`Table`]), or in an [`Index`],
//! which can grow.

mod device;
mod index;
mod measure;
mod neighbours;
mod storage;
mod table;

pub use device::{DeviceRows, RowSource};
pub use index::Index;
pub use measure::squared_distance;
pub use neighbours::Neighbours;
pub use storage::Storage;
pub use table::{Table, names_of};

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
