//! How many blocks a multiprocessor holds at once.
//!
//! Limits are those of the CUDA C++ Programming Guide, "Compute Capabilities", table "Technical Specifications per Compute
//! Capability". Registers are given to whole warps in units of 256, and each of a multiprocessor's four parts holds its own
//! warps (CUDA occupancy calculator: allocation unit 256, warp granularity 4). From 8.0 on a block takes 1 KiB of shared
//! memory more than it asks for (Ampere Tuning Guide, "Occupancy" of shared memory).

/// Registers of a multiprocessor, of every capability from 7.5 on.
const REGISTERS: u32 = 64 << 10;
/// Registers are given to a warp in multiples of this.
const REGISTER_UNIT: u32 = 256;
/// Parts of a multiprocessor, each with a scheduler.
const PARTS: u32 = 4;
/// Shared memory is given to a block in multiples of this.
const SHARED_UNIT: u32 = 128;

/// What bounds the blocks of a multiprocessor.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Limit {
    /// Blocks, whatever their size.
    Blocks,
    /// Warps.
    Warps,
    /// Registers.
    Registers,
    /// Shared memory.
    Shared,
}

/// What a multiprocessor holds of a launch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Occupancy {
    /// Blocks at once; 0 if not even one fits.
    pub blocks: u32,
    /// Their warps.
    pub warps: u32,
    /// Warps that it could hold.
    pub most: u32,
    /// What there is too little of for another block.
    pub limit: Limit,
}

/// A multiprocessor's limits: warps, blocks, bytes of shared memory, and what a block takes of it beyond what it asks for.
const fn limits((major, minor): (u32, u32)) -> Option<[u32; 4]> {
    Some(match (major, minor) {
        (7, 5) => [32, 16, 64 << 10, 0],
        (8, 0) => [64, 32, 164 << 10, 1 << 10],
        (8, 7) => [48, 16, 164 << 10, 1 << 10],
        (8, 9) => [48, 24, 100 << 10, 1 << 10],
        (8, 6) => [48, 16, 100 << 10, 1 << 10],
        (9, 0) | (10, _) => [64, 32, 228 << 10, 1 << 10],
        (12, _) => [48, 24, 100 << 10, 1 << 10],
        _ => return None,
    })
}

impl Occupancy {
    /// Of blocks of `threads` threads with `registers` registers each and `shared` bytes of shared memory a block; nothing for a
    /// compute capability that is not known here.
    pub fn of(capability: (u32, u32), threads: u32, registers: u32, shared: u32) -> Option<Self> {
        let [most, blocks, memory, reserved] = limits(capability)?;
        let warps = threads.div_ceil(32).max(1);
        let of_warp = (registers * 32).next_multiple_of(REGISTER_UNIT).max(REGISTER_UNIT);
        let by_registers = REGISTERS / PARTS / of_warp * PARTS / warps;
        let of_block = (shared + reserved).next_multiple_of(SHARED_UNIT);
        let by_shared = memory.checked_div(of_block).unwrap_or(u32::MAX);
        let all = [
            (by_registers, Limit::Registers),
            (by_shared, Limit::Shared),
            (most / warps, Limit::Warps),
            (blocks, Limit::Blocks),
        ];
        let (blocks, limit) = all.into_iter().min_by_key(|(blocks, _)| *blocks)?;
        Some(Self { blocks, warps: blocks * warps, most, limit })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(capability: (u32, u32), threads: u32, registers: u32, shared: u32) -> (u32, Limit) {
        let occupancy = Occupancy::of(capability, threads, registers, shared).unwrap();
        assert_eq!(occupancy.warps, occupancy.blocks * threads.div_ceil(32));
        (occupancy.blocks, occupancy.limit)
    }

    /// As NVIDIA's occupancy calculator has them.
    #[test]
    fn the_tightest_limit_counts() {
        assert_eq!(of((9, 0), 384, 168, 132_160), (1, Limit::Registers));
        assert_eq!(of((9, 0), 256, 32, 0), (8, Limit::Registers));
        assert_eq!(of((9, 0), 256, 24, 0), (8, Limit::Warps));
        assert_eq!(of((8, 0), 256, 123, 49_152), (2, Limit::Registers));
        assert_eq!(of((8, 0), 256, 64, 30_720), (4, Limit::Registers));
        assert_eq!(of((8, 9), 256, 40, 30_720), (3, Limit::Shared));
        assert_eq!(of((9, 0), 32, 16, 0), (32, Limit::Blocks));
        assert_eq!(of((7, 5), 1024, 64, 0), (1, Limit::Registers));
        // 65 registers become 72: 2304 a warp, and 16,384 of a part hold seven.
        assert_eq!(of((9, 0), 128, 65, 0), (7, Limit::Registers));
        assert_eq!(of((9, 0), 1024, 128, 0), (0, Limit::Registers));
        assert_eq!(Occupancy::of((5, 0), 32, 32, 0), None);
    }
}
