//! Chinese whispers on the nearest neighbours.

use super::ClusterOptions;
use super::content::Content;
use crate::Result;
use crate::backend::Device;
use crate::face::Embeddings;
use crate::random::{Stream, purpose};
use crate::vectors::search::Neighbours;

/// Queries that are searched for at once.
const BLOCK: usize = 1024;

/// Rounds after which those that still change are left as they are.
const ROUNDS: u64 = 100;

/// Who listens to whom, and how well: each row's neighbours side by side.
struct Listeners {
    /// Where each row's begin, and the last row's end.
    begins: Vec<usize>,
    /// A row, and 1 at no distance to 0 at the threshold.
    to: Vec<(u32, f32)>,
}

/// Every distinct row begins in a cluster of its own. Round by round, each time in another order, each takes the cluster that
/// its neighbours are of by most weight; its own, then the first by content, of equal ones. Copies count once: else a
/// photograph that is there twice would listen to itself.
pub(super) fn cluster(
    device: &Device,
    content: &Content,
    options: &ClusterOptions,
    progress: &mut dyn FnMut(usize, usize),
) -> Result<Vec<Option<usize>>> {
    let n = content.len();
    let listeners = Listeners::new(pairs(device, &content.distinct, options, progress)?, n);
    let mut of: Vec<u32> = (0..n as u32).collect();
    let mut weights = vec![0.0f64; n];
    let mut order: Vec<u32> = (0..n as u32).collect();
    for round in 0..ROUNDS {
        Stream::new(options.seed, purpose::CLUSTER, round).shuffle(&mut order);
        let mut changed = false;
        for &row in &order {
            let row = row as usize;
            let own = of[row];
            for &(other, weight) in listeners.of(row) {
                weights[of[other as usize] as usize] += f64::from(weight);
            }
            let mut best = own;
            for &(other, _) in listeners.of(row) {
                let candidate = of[other as usize];
                let (new, old) = (weights[candidate as usize], weights[best as usize]);
                if new > old || (new == old && candidate < best && best != own) {
                    best = candidate;
                }
            }
            weights[own as usize] = 0.0;
            listeners.of(row).iter().for_each(|&(other, _)| weights[of[other as usize] as usize] = 0.0);
            changed |= best != own;
            of[row] = best;
        }
        if !changed {
            break;
        }
    }
    Ok(of.into_iter().map(|cluster| Some(cluster as usize)).collect())
}

/// Each two rows of which one is among the other's nearest, the lower first, in order, with their weight.
fn pairs(
    device: &Device,
    rows: &Embeddings,
    options: &ClusterOptions,
    progress: &mut dyn FnMut(usize, usize),
) -> Result<Vec<(u32, u32, f32)>> {
    let near = Neighbours::new(device, rows)?;
    let (n, dim) = (rows.len(), rows.dim());
    let mut pairs = Vec::new();
    for first in (0..n).step_by(BLOCK) {
        let end = (first + BLOCK).min(n);
        let queries = Embeddings::new(dim, rows.as_slice()[first * dim..end * dim].to_vec());
        // One more: itself.
        for (row, hits) in (first..).zip(near.nearest(&queries, options.neighbours.saturating_add(1))?) {
            for hit in hits.iter().filter(|hit| hit.row != row && hit.distance < options.threshold) {
                let weight = 1.0 - hit.distance / options.threshold;
                pairs.push((row.min(hit.row) as u32, row.max(hit.row) as u32, weight));
            }
        }
        progress(end, n);
    }
    pairs.sort_unstable_by_key(|&(a, b, _)| (a, b));
    pairs.dedup_by_key(|&mut (a, b, _)| (a, b));
    Ok(pairs)
}

impl Listeners {
    fn new(pairs: Vec<(u32, u32, f32)>, rows: usize) -> Listeners {
        let mut begins = vec![0; rows + 1];
        for &(a, b, _) in &pairs {
            begins[a as usize + 1] += 1;
            begins[b as usize + 1] += 1;
        }
        for row in 0..rows {
            begins[row + 1] += begins[row];
        }
        let mut at = begins.clone();
        let mut to = vec![(0, 0.0); 2 * pairs.len()];
        for (a, b, weight) in pairs {
            for (from, other) in [(a, b), (b, a)] {
                let place = &mut at[from as usize];
                to[*place] = (other, weight);
                *place += 1;
            }
        }
        Listeners { begins, to }
    }

    /// A row's neighbours.
    fn of(&self, row: usize) -> &[(u32, f32)] {
        &self.to[self.begins[row]..self.begins[row + 1]]
    }
}
