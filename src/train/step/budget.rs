//! Which blocks of a step are computed again for the gradients, so that it fits a budget of memory with the least work.
//!
//! What a block frees depends on the others: its values are needed again when its gradients are, beside what is kept of
//! the blocks before it. So nothing is estimated: a step is planned for every choice that is looked at.

use crate::Result;

/// What a step takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cost {
    /// Bytes at the peak.
    pub bytes: u64,
    /// Floating-point operations.
    pub flops: u64,
}

/// What was found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Choice {
    /// These blocks, in order, and what the step takes then.
    Fits(Vec<usize>, Cost),
    /// Nothing fits; the least bytes that were found.
    Least(u64),
}

/// Chooses among `blocks` blocks; `measure` tells what a step takes that computes the given ones again.
///
/// Each block is measured alone; then, in the order of bytes freed per operation, and again in the order of bytes freed,
/// as many as are needed are taken, and those without which the rest fits are given back, the most expensive first. The
/// cheaper of the two is the choice: about three plans for each block, always the same.
///
/// # Errors
/// Those of `measure`.
pub fn choose(blocks: usize, budget: u64, mut measure: impl FnMut(&[usize]) -> Result<Cost>) -> Result<Choice> {
    let whole = measure(&[])?;
    if whole.bytes <= budget {
        return Ok(Choice::Fits(Vec::new(), whole));
    }
    let alone: Vec<Cost> = (0..blocks).map(|block| measure(&[block])).collect::<Result<_>>()?;
    let freed = |block: usize| whole.bytes.saturating_sub(alone[block].bytes);
    let work = |block: usize| alone[block].flops.saturating_sub(whole.flops).max(1);
    // Ratios of whole numbers are compared without rounding.
    let per_work = |a: &usize, b: &usize| {
        let [a, b] = [(freed(*a), work(*b)), (freed(*b), work(*a))].map(|(f, w)| u128::from(f) * u128::from(w));
        b.cmp(&a)
    };
    let mut orders = [(0..blocks).collect::<Vec<_>>(), (0..blocks).collect()];
    orders[0].sort_by(per_work);
    orders[1].sort_by_key(|&block| std::cmp::Reverse(freed(block)));

    let mut least = whole.bytes.min(alone.iter().map(|cost| cost.bytes).min().unwrap_or(u64::MAX));
    let mut best: Option<(Vec<usize>, Cost)> = None;
    for order in orders {
        let mut fits = |chosen: &[usize]| -> Result<Option<Cost>> {
            let mut sorted = chosen.to_vec();
            sorted.sort_unstable();
            let cost = measure(&sorted)?;
            least = least.min(cost.bytes);
            Ok(Some(cost).filter(|cost| cost.bytes <= budget))
        };
        // More blocks take less memory, nearly always: halving finds a number that suffices, if all do.
        let (mut few, mut enough) = (0, blocks);
        let Some(mut cost) = fits(&order)? else { continue };
        while enough - few > 1 {
            let middle = (few + enough) / 2;
            match fits(&order[..middle])? {
                Some(found) => (enough, cost) = (middle, found),
                None => few = middle,
            }
        }
        let mut chosen = order[..enough].to_vec();
        let mut dearest = chosen.clone();
        dearest.sort_by_key(|&block| std::cmp::Reverse(work(block)));
        for block in dearest {
            let rest: Vec<usize> = chosen.iter().copied().filter(|&other| other != block).collect();
            if let Some(found) = fits(&rest)? {
                (chosen, cost) = (rest, found);
            }
        }
        if best.as_ref().is_none_or(|(_, other)| cost.flops < other.flops) {
            chosen.sort_unstable();
            best = Some((chosen, cost));
        }
    }
    Ok(best.map_or(Choice::Least(least), |(blocks, cost)| Choice::Fits(blocks, cost)))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Blocks whose bytes and operations add up.
    fn sum(blocks: &[(u64, u64)]) -> impl FnMut(&[usize]) -> Result<Cost> {
        move |again| {
            assert!(again.is_sorted());
            let of = |value: fn(&(u64, u64)) -> u64| again.iter().map(|&block| value(&blocks[block])).sum::<u64>();
            Ok(Cost { bytes: 100 - of(|block| block.0), flops: 1000 + of(|block| block.1) })
        }
    }

    #[test]
    fn the_cheapest_that_suffice_are_taken() {
        let blocks = [(30, 300), (20, 10), (10, 9), (10, 200)];
        let chosen = |budget| choose(4, budget, sum(&blocks)).unwrap();
        let fits = |again: &[usize], bytes, flops| Choice::Fits(again.to_vec(), Cost { bytes, flops });
        assert_eq!(chosen(100), fits(&[], 100, 1000));
        assert_eq!(chosen(85), fits(&[1], 80, 1010));
        // The order by ratio takes the second and third first, and gives the third back.
        assert_eq!(chosen(55), fits(&[0, 1], 50, 1310));
        assert_eq!(chosen(30), fits(&[0, 1, 2, 3], 30, 1519));
        assert_eq!(chosen(29), Choice::Least(30));
    }

    #[test]
    fn a_single_large_block_is_found() {
        // By ratio all the small ones come first, and none of them can be given back.
        let blocks = [(2, 1), (2, 1), (2, 1), (20, 11), (2, 1)];
        assert_eq!(choose(5, 80, sum(&blocks)).unwrap(), Choice::Fits(vec![3], Cost { bytes: 80, flops: 1011 }));
    }
}
