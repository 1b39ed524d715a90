//! Blocks that stand for a grid's others.
//!
//! Blocks at an edge differ from those within: the first has padding, the last a remainder. Of each axis of a grid the first
//! and the last coordinate are kept, and of those between some, evenly spread, each for its neighbours; all where they are
//! few. What follows from the number of blocks alone is then exact. What hangs on where a block begins within an image, such
//! as which of its pixels lie at a border, is an estimate.

use std::collections::BTreeMap;

/// Coordinates of an axis, between its ends, that are kept.
const INNER: u64 = 8;
/// Axes up to this long are kept whole.
pub const WHOLE: u32 = 16;

/// The blocks that are run, by how many each stands for.
pub fn sample(grid: [u32; 3]) -> BTreeMap<u64, Vec<u64>> {
    let [x, y, _] = grid.map(u64::from);
    let axes = grid.map(|extent| axis(extent.into()));
    let mut groups: BTreeMap<u64, Vec<u64>> = BTreeMap::new();
    for (of_z, weight_z) in &axes[2] {
        for (of_y, weight_y) in &axes[1] {
            for (of_x, weight_x) in &axes[0] {
                let block = of_x + x * (of_y + y * of_z);
                groups.entry(weight_x * weight_y * weight_z).or_default().push(block);
            }
        }
    }
    groups
}

/// Coordinates, and how many each stands for.
fn axis(extent: u64) -> Vec<(u64, u64)> {
    if extent <= WHOLE.into() {
        return (0..extent).map(|at| (at, 1)).collect();
    }
    let inner = extent - 2;
    let begin = |part: u64| 1 + part * inner / INNER;
    let parts = (0..INNER).map(|part| ((begin(part) + begin(part + 1)) / 2, begin(part + 1) - begin(part)));
    [(0, 1)].into_iter().chain(parts).chain([(extent - 1, 1)]).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_blocks_are_stood_for() {
        for grid in [[1, 1, 1], [16, 3, 2], [17, 1, 1], [1000, 14, 1], [7, 300, 12], [92_416, 1, 1]] {
            let groups = sample(grid);
            let blocks: u64 = grid.iter().map(|&n| u64::from(n)).product();
            let stood_for: u64 = groups.iter().map(|(weight, chosen)| weight * chosen.len() as u64).sum();
            assert_eq!(stood_for, blocks, "{grid:?}");
            let mut chosen: Vec<u64> = groups.into_values().flatten().collect();
            chosen.sort_unstable();
            assert!(chosen.is_sorted_by(|a, b| a < b) && chosen.len() <= 16 * 16 * 16, "{grid:?}");
            assert!(chosen[0] == 0 && chosen[chosen.len() - 1] == blocks - 1, "{grid:?}");
        }
    }

    #[test]
    fn each_stands_for_its_neighbours() {
        let axis = axis(18);
        let expected = [(0, 1), (2, 2), (4, 2), (6, 2), (8, 2), (10, 2), (12, 2), (14, 2), (16, 2), (17, 1)];
        assert_eq!(axis, expected);
    }
}
