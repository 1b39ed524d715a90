//! What an asynchronous copy asks for.

use super::{Async, Operation, bulk, copy, lanes};
use crate::exec::Cx;
use crate::exec::observe::accesses;
use crate::profile::{Counts, Global, banks, sectors::sectors};

impl Async {
    /// Counts it for the lanes of `mask`.
    pub fn observe(&self, cx: &mut Cx, mask: u32, counts: &mut Counts) {
        match &self.operation {
            Operation::Copy(copy) => of_threads(copy, cx, mask, counts),
            Operation::Bulk(bulk) => of_engine(bulk, cx, mask, counts),
            _ => {}
        }
    }
}

/// `cp.async`: lanes that read nothing fill with zeros.
fn of_threads(copy: &copy::Copy, cx: &Cx, mask: u32, counts: &mut Counts) {
    let Ok(from) = cx.addresses(&copy.from, mask) else { return };
    let sizes = copy.source_size.map(|operand| cx.warp.wide(operand));
    let bytes = |lane: u32| {
        let ignored = copy.ignore.is_some_and(|(reg, negated)| (cx.warp.p(reg) >> lane & 1 != 0) != negated);
        if ignored { 0 } else { sizes.map_or(copy.size.into(), |sizes| sizes[lane as usize]) }
    };
    let mut touched: Vec<(u64, u64)> = lanes(mask).map(|lane| (from[lane as usize], bytes(lane))).collect();
    if touched.iter().any(|&(_, bytes)| bytes > 0) {
        counts.copies.add(sectors(&mut touched, |_| {}));
    }
    accesses(cx, &copy.to, mask, |_, at, lanes| {
        counts.shared_stores.add(banks::wavefronts(at, lanes, copy.size.into()));
    });
}

/// A bulk copy: each row of a box is read by itself.
fn of_engine(bulk: &bulk::Bulk, cx: &mut Cx, mask: u32, counts: &mut Counts) {
    for lane in lanes(mask) {
        let Ok(plan) = bulk.plan(cx, lane) else { return };
        let (mut touched, mut needed) = (0, 0);
        for run in &plan.runs {
            touched += sectors(&mut [(run.global, run.bytes as u64)], |_| {})[0];
            needed += run.bytes as u64;
        }
        let of = if bulk.barrier.is_some() { &mut counts.bulk_loads } else { &mut counts.bulk_stores };
        *of += Global { requests: 1, sectors: touched, ideal: needed.div_ceil(32) };
        counts.bulk_shared_bytes += plan.bytes as u64;
    }
}
