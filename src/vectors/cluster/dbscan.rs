//! DBSCAN in two passes over the neighbours, each in memory of O(n).

use super::ClusterOptions;
use super::content::Content;
use super::sets::Sets;
use crate::Result;
use crate::backend::Device;
use crate::vectors::search::{Hit, Neighbours};

/// Counts neighbours, which tells the cores; then joins cores that are neighbours. What is no core and has some for neighbours
/// goes to the nearest, of equally near ones the first by content.
pub(super) fn cluster(
    device: &Device,
    content: &Content,
    options: &ClusterOptions,
    progress: &mut dyn FnMut(usize, usize),
) -> Result<Vec<Option<usize>>> {
    let (rows, n) = (&content.distinct, content.len());
    let near = Neighbours::new(device, rows)?;
    let mut is_core = vec![false; n];
    near.within(rows, options.threshold, |row, hits| {
        is_core[row] = hits.iter().map(|hit| content.copies(hit.row)).sum::<usize>() >= options.min_faces;
        progress(row + 1, 2 * n);
    })?;
    let mut sets = Sets::new(n);
    let mut nearest_core = vec![None; n];
    near.within(rows, options.threshold, |row, hits| {
        let cores = hits.iter().filter(|hit| is_core[hit.row]);
        if is_core[row] {
            cores.for_each(|hit| sets.join(row, hit.row));
        } else {
            nearest_core[row] = cores.min_by(|a, b| Hit::order(a, b)).map(|hit| hit.row);
        }
        progress(n + row + 1, 2 * n);
    })?;
    let name = |row: usize| if is_core[row] { Some(row) } else { nearest_core[row] };
    Ok((0..n).map(|row| name(row).map(|core| sets.least(core))).collect())
}
