//! Kernels on tiles: from the family, the tile, the stages and the type follow the entry point's name, the dispatch size,
//! the block and its shared memory. CUDA takes the same numbers from `kernels/tiles.cuh`, which is made of this file.

use std::borrow::Cow;

use super::Tuning;

/// Which type the name of a CUDA entry point ends in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Dtype {
    /// The one that values are stored in.
    Stored,
    /// The one that tensor cores multiply in: tf32 is stored as f32.
    Multiplied,
}

/// A kernel, and how much a workgroup computes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Kernel {
    /// The entry point, without its type.
    pub entry: Cow<'static, str>,
    /// The type in its name.
    pub dtype: Dtype,
    /// Rows and columns of the product that a workgroup makes.
    pub tile: [usize; 2],
    /// Elements of the summed axis in a stage of dynamic shared memory.
    depth: usize,
    /// Stages of dynamic shared memory.
    stages: usize,
    /// Channels that TMA brings at once; 0 where threads bring them.
    pub tma: usize,
    /// CUDA: threads of a block.
    pub threads: u32,
}

/// Rows of a tile of tensor cores, along the axis that does not choose it.
pub(super) const ROWS: usize = 128;
/// The other axis, for `mma.sync` and for `wgmma`.
pub(super) const MMA_WIDTHS: [usize; 3] = [32, 64, 128];
pub(super) const WGMMA_WIDTHS: [usize; 4] = [32, 64, 96, 128];
/// What TMA may bring at once.
const TMA_WIDTHS: [usize; 2] = [32, 64];
/// Stages of `mma.sync`'s static shared memory.
const MMA_STAGES: usize = 3;
/// Threads of a block: eight warps; a producing warpgroup and two that multiply.
const MMA_THREADS: u32 = 256;
const WGMMA_THREADS: u32 = 384;
/// Bytes beside the stages: their alignment, and their full and empty mbarriers.
const BESIDE_STAGES: usize = 1024 + 64;

/// Stages of `wgmma`'s dynamic shared memory: as many as leave room for the blocks that run beside each other.
const fn wgmma_stages(width: usize, depth: usize) -> usize {
    if width == 96 && depth == 64 { 3 } else { 4 }
}

impl Kernel {
    /// Multiplies and adds one by one, `threads` a block.
    pub const fn fma(entry: Cow<'static, str>, tile: [usize; 2], threads: u32) -> Kernel {
        Kernel { entry, dtype: Dtype::Stored, tile, depth: 0, stages: 0, tma: 0, threads }
    }

    /// On tensor cores by `mma.sync`; `axis` is the letter of the extent that the name tells.
    pub fn mma(family: &str, axis: char, width: usize, tile: [usize; 2]) -> Kernel {
        let entry = format!("{family}_mma_{axis}{width}").into();
        Kernel { dtype: Dtype::Multiplied, ..Kernel::fma(entry, tile, MMA_THREADS) }
    }

    /// On Hopper's tensor cores by `wgmma`, from stages that TMA fills, `tma` channels (the letter `axis`) at once.
    pub fn wgmma(family: &str, width: usize, (axis, tma): (char, usize), tile: [usize; 2], depth: usize) -> Kernel {
        let entry = format!("sm90_{family}_wgmma_n{width}{axis}{tma}").into();
        let stages = wgmma_stages(width, depth);
        Kernel { dtype: Dtype::Multiplied, depth, stages, tma, ..Kernel::fma(entry, tile, WGMMA_THREADS) }
    }

    /// Bytes of dynamic shared memory: stages of 16-bit values of both factors.
    pub fn shared(&self) -> u32 {
        let stage = (self.tile[0] + self.tile[1]) * 2 * self.depth;
        if self.stages == 0 { 0 } else { (self.stages * stage + BESIDE_STAGES) as u32 }
    }

    /// The dispatch size for a product of this many rows and columns.
    pub fn groups(&self, [rows, columns]: [usize; 2], tuning: Tuning) -> Result<[u32; 3], String> {
        let [x, z] = tuning.fold(rows.div_ceil(self.tile[0]))?;
        Ok([x, columns.div_ceil(self.tile[1]) as u32, z])
    }
}

/// The text of `kernels/tiles.cuh`.
pub fn tiles_header() -> String {
    let mut text = format!(
        "// The numbers of tiles on tensor cores. Made of src/backend/kernels/kernel.rs by
//     WARPFACE_WRITE=1 cargo test --test sync_cuda
// which otherwise compares: change them there.
#pragma once

#include \"common.cuh\"

namespace tiles {{

enum : u32 {{
    ROWS = {ROWS},
    MMA_THREADS = {MMA_THREADS},
    MMA_STAGES = {MMA_STAGES},
    WGMMA_THREADS = {WGMMA_THREADS},
}};

// Stages of wgmma's shared memory, for N columns and K elements of the summed axis in a stage.
template <u32 N, u32 K>
struct Stages;
"
    );
    for width in WGMMA_WIDTHS {
        for depth in TMA_WIDTHS {
            let stages = wgmma_stages(width, depth);
            text += &format!(
                "template <>\nstruct Stages<{width}, {depth}> {{\n    enum : u32 {{ COUNT = {stages} }};\n}};\n"
            );
        }
    }
    text += "\n} // namespace tiles\n\n// KERNEL(A.., N) of every width of mma.sync, KERNEL(A.., N, K) of every shape of wgmma.\n";
    let mma: Vec<String> = MMA_WIDTHS.iter().map(|n| format!("    KERNEL(__VA_ARGS__, {n})")).collect();
    let shapes = WGMMA_WIDTHS.iter().flat_map(|n| TMA_WIDTHS.map(|k| format!("    KERNEL(__VA_ARGS__, {n}, {k})")));
    let wgmma: Vec<String> = shapes.collect();
    text += &format!("#define EVERY_MMA_WIDTH(KERNEL, ...) \\\n{}\n", mma.join(" \\\n"));
    text + &format!("#define EVERY_WGMMA_SHAPE(KERNEL, ...) \\\n{}\n", wgmma.join(" \\\n"))
}
