//! A profile in words and columns.

use super::{Class, Counts, Global, Line, Profile, Shared};
use std::fmt;

/// Lines that are named for what they cost, at most.
const NAMED: usize = 20;

impl fmt::Display for Profile {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        let Self { kernel, grid, threads, shared_bytes, blocks, warps, .. } = self;
        writeln!(f, "{kernel}: grid {grid:?} of blocks of {threads} threads, {shared_bytes} bytes of shared memory")?;
        writeln!(f, "counted: {blocks} blocks, {warps} warps, {} instructions", self.instructions())?;
        for class in Class::ALL {
            let executed = self.class(class);
            if executed > 0 {
                writeln!(f, "  {class:<20} {executed:>14} {:>12.1} a warp", executed as f64 / *warps as f64)?;
            }
        }
        self.total.write(f)?;
        if self.distinct_loads > 0 {
            writeln!(f, "  loads of sectors that the block had not loaded before: {}", self.distinct_loads)?;
        }
        named(f, self, "conflicts of shared memory", |of| of.conflicts(), |of| of.wavefronts() - of.conflicts())?;
        named(f, self, "sectors beyond the needed ones", |of| sectors(of)[0] - sectors(of)[1], |of| sectors(of)[1])
    }
}

fn sectors(of: &Counts) -> [u64; 2] {
    of.global().iter().fold([0; 2], |[sectors, ideal], of| [sectors + of.sectors, ideal + of.ideal])
}

impl Counts {
    fn write(&self, f: &mut fmt::Formatter) -> fmt::Result {
        let global = ["loads", "stores", "atomics", "cp.async", "bulk loads", "bulk stores"];
        for (name, &&Global { requests, sectors, ideal }) in global.iter().zip(&self.global()) {
            if requests > 0 {
                let bytes = sectors * super::sectors::SECTOR;
                writeln!(
                    f,
                    "  global {name:<13} {requests:>14} requests {sectors:>12} sectors, at best {ideal}: {bytes} bytes"
                )?;
            }
        }
        let shared = ["loads", "stores", "atomics", "wgmma"];
        for (name, &&Shared { requests, wavefronts, ideal }) in shared.iter().zip(&self.shared()) {
            if requests > 0 {
                writeln!(
                    f,
                    "  shared {name:<13} {requests:>14} requests {wavefronts:>12} wavefronts, at best {ideal}"
                )?;
            }
        }
        for (count, name) in
            [(self.bulk_shared_bytes, "shared memory by bulk copies"), (self.local_bytes, "local memory")]
        {
            if count > 0 {
                writeln!(f, "  {name}: {count} bytes")?;
            }
        }
        for (kind, products) in &self.tensor {
            writeln!(f, "  tensor cores, {kind:<7} {products:>14} products and sums")?;
        }
        Ok(())
    }
}

/// The lines that cost most beyond what they need.
fn named(
    f: &mut fmt::Formatter,
    profile: &Profile,
    what: &str,
    beyond: fn(&Counts) -> u64,
    needed: fn(&Counts) -> u64,
) -> fmt::Result {
    let mut lines: Vec<(u64, u32, &Line)> =
        profile.lines.iter().map(|(&number, line)| (beyond(&line.counts), number, line)).collect();
    lines.retain(|(cost, ..)| *cost > 0);
    if lines.is_empty() {
        return Ok(());
    }
    lines.sort_by_key(|&(cost, number, _)| (std::cmp::Reverse(cost), number));
    writeln!(f, "{what}:")?;
    for (cost, number, line) in lines.iter().take(NAMED) {
        writeln!(f, "  {cost:>14} beyond {:>10}  line {number}: {}", needed(&line.counts), line.text)?;
    }
    if lines.len() > NAMED {
        writeln!(f, "  and {} more lines", lines.len() - NAMED)?;
    }
    Ok(())
}
