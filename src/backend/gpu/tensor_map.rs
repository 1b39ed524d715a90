//! How TMA walks a tensor. Only CUDA has it; a plan says what it wants, the driver encodes it.

/// Which values TMA copies to shared memory.
#[derive(Clone, Debug, PartialEq)]
pub struct TensorMap {
    /// The type of a value.
    pub element: MapElement,
    /// The first value; a multiple of 16.
    pub address: u64,
    /// Extents, the innermost first.
    pub dims: Vec<u64>,
    /// Bytes from one index to the next, of all dimensions but the innermost; multiples of 16.
    pub strides: Vec<u64>,
    /// What one copy takes.
    pub window: Window,
    /// Bytes over which 16-byte pieces are exchanged in shared memory: 32, 64 or 128.
    pub swizzle: u32,
}

/// The type of a tensor map's values.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MapElement {
    /// IEEE 754 half precision.
    F16,
    /// The upper half of an f32.
    Bf16,
    /// IEEE 754 single precision.
    F32,
}

/// What one copy of a tensor map takes.
#[derive(Clone, Debug, PartialEq)]
pub enum Window {
    /// A box with these extents, the innermost first.
    Tiled(Vec<u32>),
    /// Pixels of an NHWC tensor and some of their channels, for a convolution.
    Im2col {
        /// The first window position relative to the image's first pixel: `[x, y]`.
        lower: [i32; 2],
        /// The last window position relative to the image's last pixel: `[x, y]`.
        upper: [i32; 2],
        /// Channels of a copy.
        channels: u32,
        /// Pixels of a copy.
        pixels: u32,
        /// Strides of the window: `[x, y]`.
        stride: [u32; 2],
    },
}
