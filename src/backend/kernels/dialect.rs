//! What the choice of kernels depends on besides the op and its sizes.

/// In which language, and for which machine, kernels are chosen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Dialect {
    /// WGSL on a GPU.
    Shader,
    /// WGSL on a processor that runs threads as vector lanes.
    SoftwareShader,
    /// CUDA, and which conv2d kernels the device and the precision have.
    Cuda(TensorCores),
}

/// How tensor cores multiply matrices.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum TensorCores {
    /// Not at all: fused multiply-adds of f32.
    None,
    /// `mma.sync`, a warp's.
    Mma,
    /// `wgmma.mma_async`, a warpgroup's, from shared memory that TMA fills.
    Wgmma,
}

/// The dialect, and the limits of the device.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Tuning {
    /// The dialect.
    pub dialect: Dialect,
    /// Workgroups in one dimension.
    pub max_groups: u32,
}

/// Rows that a CUDA block takes where a warp takes one.
const WARPS: usize = 8;

impl Tuning {
    /// Whether the device is a processor.
    pub fn software(self) -> bool {
        self.dialect == Dialect::SoftwareShader
    }

    /// Whether kernels are CUDA's.
    pub fn cuda(self) -> bool {
        matches!(self.dialect, Dialect::Cuda(_))
    }

    /// Whether matrix products run on tensor cores.
    pub fn tensor_cores(self) -> bool {
        matches!(self.dialect, Dialect::Cuda(TensorCores::Mma | TensorCores::Wgmma))
    }

    /// This many workgroups, folded into two dimensions where one is too short.
    pub fn fold(self, groups: usize) -> Result<[u32; 2], String> {
        let most = self.max_groups as usize;
        let y = groups.div_ceil(most).max(1);
        if y > most || (y > 1 && self.cuda()) {
            return Err(format!("{groups} workgroups are too many; use a smaller batch"));
        }
        // Rounded so that few workgroups are left over.
        Ok([groups.div_ceil(y) as u32, y as u32])
    }

    /// One thread an element.
    pub fn threads(self, elements: usize) -> Result<[u32; 3], String> {
        let threads = if self.cuda() { 256 } else { 64 };
        let [x, y] = self.fold(elements.div_ceil(threads))?;
        Ok([x, y, 1])
    }

    /// Rows whose elements are summed: one thread a row, on CUDA one warp.
    pub fn rows(self, rows: usize) -> Result<[u32; 3], String> {
        if self.cuda() { self.groups(rows.div_ceil(WARPS)) } else { self.threads(rows) }
    }

    /// The dispatch size of this many workgroups.
    pub fn groups(self, groups: usize) -> Result<[u32; 3], String> {
        let [x, y] = self.fold(groups)?;
        Ok([x, y, 1])
    }
}
