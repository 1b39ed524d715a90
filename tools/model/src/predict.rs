//! From counts and peaks to a time, which is a range: what nobody can overtake, and what a plain kernel reaches.
//!
//! A launch takes its fixed cost, and then the longest of what its parts take: each unit of a multiprocessor for the blocks that
//! the busiest one gets, L2 and memory for the bytes of all, and the way of one block through its latencies as often as blocks
//! come after each other. The low end has every rate at its published peak and everything that can overlap overlapping; the
//! high end has sustained rates, dependent instructions one after the other, and a block's latency before the rest.
//!
//! Once a card has been measured, put what it showed beside `benches/runs/*-model.md` and correct the constants here.

use ptxsim::Profile;
use ptxsim::profile::Class;
use warpface::Precision;

use crate::cards::Card;
use crate::count::{CountedStep, Launched};

/// A low and a high value.
pub type Range = [f64; 2];

/// Seconds between the end of one kernel of a captured graph and the work of the next. The low value is what NVIDIA's "Getting
/// Started with CUDA Graphs" (2019) measured beyond the kernel itself, 3.4 less 2.9 microseconds; the high one, three times
/// that, is an assumption until a card is measured.
pub const LAUNCH: Range = [0.5e-6, 1.5e-6];
/// Clocks until a block's first data are there: a hit in L2, and a miss with TMA's own way on top. Luo et al.,
/// "Benchmarking and Dissecting the Nvidia Hopper GPU Architecture" (arXiv:2402.13499), have about 260 and 480 clocks for L2 and
/// memory; the rest is addresses, mbarriers and TMA, an assumption.
pub const FILL: Range = [350.0, 900.0];
/// Clocks that a warp takes for a barrier or a wait that is already over: one, and two and a half ways through shared memory
/// (about 30 clocks in the same paper).
pub const BARRIER: Range = [30.0, 75.0];
/// Clocks between a warp's instructions: independent ones, and each waiting for the one before (Jia et al., "Dissecting the
/// NVIDIA Volta GPU Architecture via Microbenchmarking", arXiv:1804.06826: four clocks).
pub const ISSUE: Range = [1.0, 4.0];
/// Clocks of a warp's load that the next instructions need: the loads behind the first overlap altogether, or by fours.
pub const LOAD: Range = [0.0, 260.0 / 4.0];
/// The share of a published peak that is sustained, in the high end: cuBLAS reaches about four fifths of the tensor cores' on
/// large matrices, where power bounds the clock, and copies reach nine tenths of the memory's.
pub const SUSTAINED: f64 = 0.8;
/// See [`SUSTAINED`].
pub const SUSTAINED_DRAM: f64 = 0.9;
/// The share of L2 that one layer finds of what the one before left there, in the low end.
const KEPT: f64 = 0.5;
/// The share of PTX's integer instructions that the assembler leaves: additions go into products and addresses, shifts into
/// additions, three logical operations into one. The low value is an assumption.
const LEFT: Range = [0.5, 1.0];
/// Instructions that a division of integers, and one of floats, becomes (read from assembled kernels, roughly).
const DIVISION: Range = [20.0, 40.0];
/// Instructions besides the reciprocal of what is special.
const ROUTINE: Range = [0.0, 8.0];

/// What bounds a launch.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Bound {
    /// Tensor cores.
    Tensor,
    /// Units of f32.
    Fma,
    /// Units of integers, conversions, and special functions; instructions issued.
    Issue,
    /// Shared memory and L1.
    Shared,
    /// The second-level cache.
    L2,
    /// Memory.
    Dram,
    /// A block's way through its latencies.
    Latency,
}

impl Bound {
    pub fn name(self) -> &'static str {
        match self {
            Self::Tensor => "tensor",
            Self::Fma => "FMA",
            Self::Issue => "issue",
            Self::Shared => "shared",
            Self::L2 => "L2",
            Self::Dram => "DRAM",
            Self::Latency => "latency",
        }
    }
}

/// What is predicted of a step.
pub struct Predicted {
    /// Seconds, the fixed costs included.
    pub seconds: Range,
    /// What bounds its longest launch, in the low end.
    pub bound: Bound,
    /// Blocks of the longest launch over those that the card holds at once.
    pub waves: f64,
    /// The share of its multiprocessors that idle while the busiest works on its last blocks.
    pub tail: f64,
    /// Seconds at the peaks of the roofline alone.
    pub roofline: f64,
}

/// Predicts a step.
pub fn predict(step: &CountedStep, card: &Card, precision: Precision, weights_stay: bool) -> Predicted {
    let [weights, values] = step.bytes.map(|bytes| bytes as f64);
    let roofline = (step.flops as f64 / card.peak(precision)).max((weights + values) / card.dram_rate);
    let cold = weights + values;
    let kept = if values <= card.l2 as f64 * KEPT { values } else { 0.0 };
    let warm = cold - kept - if weights_stay { weights } else { 0.0 };
    let mut out = Predicted { seconds: [0.0; 2], bound: Bound::Latency, waves: 0.0, tail: 0.0, roofline };
    let mut longest = -1.0;
    for launched in &step.launches {
        // Several launches of a step share its bytes as their own bytes go.
        let share = share(launched, step);
        let times = times(launched, card, precision, [warm * share, cold * share]);
        let (bound, low) = times.longest(0);
        let high = times.high();
        out.seconds = [out.seconds[0] + LAUNCH[0] + low, out.seconds[1] + LAUNCH[1] + high];
        if low > longest {
            longest = low;
            (out.bound, out.waves, out.tail) = (bound, times.waves, times.tail);
        }
    }
    out
}

fn share(launched: &Launched, step: &CountedStep) -> f64 {
    let bytes = |of: &Launched| (of.counted.profile.total.bytes_in() + of.counted.profile.total.bytes_out()) as f64;
    let all: f64 = step.launches.iter().map(bytes).sum();
    if all == 0.0 { 0.0 } else { bytes(launched) / all }
}

/// Seconds that each part of a launch takes, low and high.
struct Times {
    parts: Vec<(Bound, Range)>,
    /// A block's latencies, as often as blocks come after each other; and once.
    latency: [Range; 2],
    waves: f64,
    tail: f64,
}

impl Times {
    fn longest(&self, end: usize) -> (Bound, f64) {
        let parts = self.parts.iter().map(|&(bound, seconds)| (bound, seconds[end]));
        let all = parts.chain([(Bound::Latency, self.latency[0][end])]);
        // The first of equals.
        all.reduce(|longest, part| if part.1 > longest.1 { part } else { longest }).expect("there are parts")
    }

    /// The longest part after one block's latency, or all latencies if they are longer.
    fn high(&self) -> f64 {
        let parts = self.parts.iter().map(|(_, seconds)| seconds[1]).fold(0.0, f64::max);
        (parts + self.latency[1][1]).max(self.latency[0][1])
    }
}

fn times(launched: &Launched, card: &Card, precision: Precision, dram: Range) -> Times {
    let profile = &launched.counted.profile;
    let [clock, tensor_clock] = card.clock;
    let multiprocessors = f64::from(card.multiprocessors);
    let blocks: f64 = profile.grid.iter().map(|&n| f64::from(n)).product();
    let busiest = (blocks / multiprocessors).ceil();
    // Of the busiest multiprocessor, from the mean of all blocks.
    let of_sm = |count: f64| count / profile.blocks as f64 * busiest;
    let seconds = |clocks: Range| [of_sm(clocks[0]) / clock, of_sm(clocks[1]) / clock / SUSTAINED];
    let total = &profile.total;
    let tensor: f64 = total.tensor.values().map(|&products| products as f64).sum();
    // The tensor cores' clock is the lower one, at which their peak is given.
    let tensor = match card.tensor_products(precision) {
        Some(of_clock) if tensor > 0.0 => of_sm(tensor) / of_clock / tensor_clock,
        _ => 0.0,
    };
    let units = units(profile, card);
    let all = |rate: Range, bytes: Range| [bytes[0] / rate[1], bytes[1] / rate[0]];
    let scale = blocks / profile.blocks as f64;
    let l2 = [l2_least(profile) * scale, (total.bytes_in() + total.bytes_out()) as f64 * scale];
    let at_once = f64::from(launched.occupancy.blocks) * multiprocessors;
    let way = latency(profile).map(|clocks| clocks / clock);
    let turns = (blocks / at_once).ceil();
    Times {
        parts: vec![
            (Bound::Tensor, [tensor, tensor / SUSTAINED]),
            (Bound::Fma, seconds(units.fma)),
            (Bound::Issue, seconds(units.issue)),
            (Bound::Shared, seconds(units.shared)),
            (Bound::L2, all(card.l2_rate, l2)),
            (Bound::Dram, all([card.dram_rate * SUSTAINED_DRAM, card.dram_rate], dram)),
        ],
        latency: [way.map(|seconds| seconds * turns), way],
        waves: blocks / at_once,
        tail: 1.0 - blocks / (busiest * multiprocessors),
    }
}

/// Bytes to and from L2 if each block finds in L1 what it has loaded before.
fn l2_least(profile: &Profile) -> f64 {
    let total = &profile.total;
    let repeated = total.loads.sectors - profile.distinct_loads;
    (total.bytes_in() + total.bytes_out() - 32 * repeated) as f64
}

/// Clocks that a multiprocessor's units take for all blocks of a profile.
struct Units {
    fma: Range,
    issue: Range,
    shared: Range,
}

/// Rates are those of the CUDA C++ Programming Guide's table of arithmetic throughput: lanes a clock, over 32 a warp.
fn units(profile: &Profile, card: &Card) -> Units {
    let of = |class| profile.class(class) as f64;
    let (fp32, integer) = (card.fp32_lanes / 32.0, card.integer_lanes / 32.0);
    let divisions = DIVISION.map(|instructions| instructions * of(Class::IntegerDivision));
    let routines = ROUTINE.map(|instructions| instructions * of(Class::Special));
    // Moves are mostly removed, or else as costly as others.
    let moves = [0.0, of(Class::Move)];
    let products = of(Class::IntegerProduct);
    let either = |low: f64, high: f64, i: usize| if i == 0 { low } else { high };
    let fma = [0, 1].map(|i| (of(Class::Fp32) + of(Class::Half) + routines[i]) / fp32 + products / 2.0);
    let issue = [0, 1].map(|i| {
        let integers = (LEFT[i] * of(Class::Integer) + moves[i] + divisions[i]) / integer;
        let conversions = of(Class::Convert) / either(2.0, 0.5, i);
        let special = of(Class::Special) / 0.5;
        let folded = (1.0 - LEFT[i]) * of(Class::Integer);
        let left_out = of(Class::Move) - moves[i] + of(Class::Constant) + folded;
        let issued = (profile.instructions() as f64 - left_out + divisions[i] + routines[i]) / 4.0;
        integers.max(conversions).max(special).max(issued)
    });
    let total = &profile.total;
    // L1 and shared memory are one array of 128 bytes a clock, four sectors.
    let through = total.loads.sectors + total.stores.sectors + total.atomics.sectors;
    let shared = total.wavefronts() as f64 + (through as f64 + total.local_bytes as f64 / 32.0) / 4.0;
    Units { fma, issue, shared: [shared; 2] }
}

/// Clocks of a block's way: its first data, its instructions, barriers and loads one after the other, of a warp on average.
fn latency(profile: &Profile) -> Range {
    let of_warp = |class| profile.class(class) as f64 / profile.warps as f64;
    let instructions = profile.instructions() as f64 / profile.warps as f64 - of_warp(Class::Move);
    let (barriers, loads) = (of_warp(Class::Barrier), of_warp(Class::GlobalLoad));
    let folded = LEFT.map(|left| (1.0 - left) * of_warp(Class::Integer));
    [0, 1].map(|i| FILL[i] + ISSUE[i] * (instructions - folded[i]) + BARRIER[i] * barriers + LOAD[i] * loads)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::simulated::Counted;
    use ptxsim::profile::{Counts, Global, Occupancy, Shared};

    /// A launch of so many blocks of 256 threads, two a multiprocessor, of which each asks for this.
    fn launched(blocks: u32, classes: &[(Class, u64)], of_block: Counts) -> Launched {
        let times = u64::from(blocks);
        let warps = 8 * times;
        let profile = Profile {
            kernel: "k".into(),
            grid: [blocks, 1, 1],
            threads: 256,
            shared_bytes: 0,
            blocks: times,
            warps,
            total: of_block.scaled(times),
            classes: classes.iter().map(|&(class, executed)| (class, executed * times)).collect(),
            distinct_loads: of_block.loads.sectors * times,
            lines: Default::default(),
        };
        let occupancy = Occupancy::of((9, 0), 256, 120, 0).unwrap();
        assert_eq!(occupancy.blocks, 2);
        Launched { counted: Counted { file: "f".into(), profile }, occupancy }
    }

    fn of(launch: Launched, flops: u64, bytes: [u64; 2]) -> Predicted {
        let step = CountedStep { name: "s".into(), launches: vec![launch], flops, bytes };
        predict(&step, Card::named("h100").unwrap(), Precision::F16, false)
    }

    fn is(got: f64, expected: f64) -> bool {
        (got / expected - 1.0).abs() < 1e-3
    }

    #[test]
    fn tensor_cores_bound() {
        // A millisecond of a multiprocessor: 1.83e6 clocks of 2048 products.
        let products = 1_830_000 * 2048;
        let counts = |products| Counts { tensor: [("f16", products)].into(), ..Counts::default() };
        let full = of(launched(132, &[(Class::Wgmma, 64)], counts(products)), 2 * 132 * products, [0; 2]);
        assert_eq!(full.bound, Bound::Tensor);
        assert!(is(full.seconds[0], 1e-3 + LAUNCH[0]) && is(full.roofline, 1e-3), "{:?}", full.seconds);
        assert!(full.tail.abs() < 1e-9 && is(full.waves, 0.5));
        assert!(is(full.seconds[1], 1e-3 / SUSTAINED + LAUNCH[1] + (FILL[1] + 32.0) / 1.98e9), "{:?}", full.seconds);
        // One block more: one multiprocessor has two, and the others wait.
        let over = of(launched(133, &[(Class::Wgmma, 64)], counts(products)), 2 * 133 * products, [0; 2]);
        assert!(is(over.seconds[0], 2e-3 + LAUNCH[0]) && is(over.tail, 1.0 - 133.0 / 264.0));
    }

    #[test]
    fn other_units_bound() {
        // 128 lanes of f32 are four instructions a clock, 64 of integers two, 16 of special functions a half.
        for (class, of_clock, bound) in [
            (Class::Fp32, 4.0, Bound::Fma),
            (Class::Integer, 2.0 / LEFT[0], Bound::Issue),
            (Class::Special, 0.5, Bound::Issue),
        ] {
            let executed = 1_980_000;
            let got = of(launched(132, &[(class, executed)], Counts::default()), 1, [0; 2]);
            // A warp's own instructions come one after the other: eight warps issue at most eight.
            let alone = executed as f64 / 8.0 * if class == Class::Integer { LEFT[0] } else { 1.0 };
            let clocks = (executed as f64 / of_clock).max(alone + FILL[0]);
            assert_eq!(got.bound, bound, "{class}");
            assert!(is(got.seconds[0], clocks / 1.98e9 + LAUNCH[0]), "{class}: {:?}", got.seconds);
        }
    }

    #[test]
    fn memory_bounds() {
        let shared =
            Counts { shared_loads: Shared { requests: 1, wavefronts: 1_980_000, ideal: 495_000 }, ..Counts::default() };
        let got = of(launched(132, &[(Class::SharedLoad, 8)], shared), 1, [0; 2]);
        assert_eq!(got.bound, Bound::Shared);
        assert!(is(got.seconds[0], 1e-3 + LAUNCH[0]));
        let copied = Counts { copies: Global { requests: 1, sectors: 1 << 20, ideal: 1 << 20 }, ..Counts::default() };
        let got = of(launched(132, &[(Class::CopyAsync, 8)], copied), 1, [0; 2]);
        assert_eq!(got.bound, Bound::L2);
        let bytes = 132.0 * 32.0 * f64::from(1 << 20);
        assert!(is(got.seconds[0], bytes / (5120.0 * 1.83e9) + LAUNCH[0]), "{:?}", got.seconds);
        // Weights from memory, and values that L2 cannot hold.
        let few = || Counts { copies: Global { requests: 1, sectors: 1, ideal: 1 }, ..Counts::default() };
        let got = of(launched(132, &[(Class::CopyAsync, 8)], few()), 1, [3_350_000_000, 0]);
        assert_eq!(got.bound, Bound::Dram);
        assert!(is(got.seconds[0], 1e-3 + LAUNCH[0]));
        let held = of(launched(132, &[(Class::CopyAsync, 8)], few()), 1, [0, 20 << 20]);
        assert_eq!(held.bound, Bound::Latency);
        assert!(held.seconds[1] > held.seconds[0] + 5e-6, "the high end reads them from memory");
    }

    #[test]
    fn blocks_after_each_other_add_their_latencies() {
        let classes = [(Class::Integer, 80), (Class::Barrier, 80)];
        let [one, three] = [264, 3 * 264].map(|blocks| of(launched(blocks, &classes, Counts::default()), 1, [0; 2]));
        assert_eq!((one.bound, three.bound), (Bound::Latency, Bound::Latency));
        // Ten integers a warp, of which half are left, and ten barriers.
        let clocks = FILL[0] + 15.0 + 10.0 * BARRIER[0];
        assert!(is(one.seconds[0], clocks / 1.98e9 + LAUNCH[0]), "{:?}", one.seconds);
        assert!(is(three.seconds[0], 3.0 * clocks / 1.98e9 + LAUNCH[0]));
    }
}
