//! Tensor maps: what `cuTensorMapEncodeTiled` and `cuTensorMapEncodeIm2col` make, in an encoding of our own.
//!
//! The driver's 128 bytes are opaque and undocumented; here they hold the arguments. What the driver refuses is
//! refused here, by the name of the argument. Source: CUDA driver API, "Tensor Map Object Management".

use super::swizzle::Swizzle;
use thiserror::Error;

/// Bytes of an encoded map; its address must be a multiple of 64.
pub const BYTES: usize = 128;
/// The most dimensions of a tensor.
pub const MAX_RANK: usize = 5;

/// `CUtensorMapDataType`, with the driver's numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum DataType {
    U8,
    U16,
    U32,
    I32,
    U64,
    I64,
    F16,
    F32,
    F64,
    BF16,
    F32Ftz,
    TF32,
    TF32Ftz,
}

impl DataType {
    const ALL: [Self; 13] = [
        Self::U8,
        Self::U16,
        Self::U32,
        Self::I32,
        Self::U64,
        Self::I64,
        Self::F16,
        Self::F32,
        Self::F64,
        Self::BF16,
        Self::F32Ftz,
        Self::TF32,
        Self::TF32Ftz,
    ];

    /// Bytes of an element.
    pub const fn bytes(self) -> u64 {
        match self {
            Self::U8 => 1,
            Self::U16 | Self::F16 | Self::BF16 => 2,
            Self::U64 | Self::I64 | Self::F64 => 8,
            _ => 4,
        }
    }
}

/// The part of the arguments that both encoders share. Dimension 0 is the contiguous one; slices have `rank` entries
/// but for `strides`, which leaves dimension 0 out.
#[derive(Clone, Copy, Debug)]
pub struct Tensor<'a> {
    pub data_type: DataType,
    /// `globalAddress`.
    pub address: u64,
    /// `globalDim`, in elements.
    pub dims: &'a [u64],
    /// `globalStrides`, in bytes, of dimensions 1 and up.
    pub strides: &'a [u64],
    /// `elementStrides`: the traversal stride of each dimension.
    pub element_strides: &'a [u32],
    pub swizzle: Swizzle,
}

/// How the tensor is cut into boxes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    Tiled {
        /// `boxDim`, in elements.
        box_dims: [u32; MAX_RANK],
    },
    Im2col {
        /// `pixelBoxLowerCorner`: of W, then H, then D.
        lower: [i32; 3],
        /// `pixelBoxUpperCorner`, counted from the tensor's own upper corner.
        upper: [i32; 3],
        channels_per_pixel: u32,
        pixels_per_column: u32,
    },
}

/// A decoded tensor map.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TensorMap {
    pub data_type: DataType,
    pub rank: usize,
    pub address: u64,
    pub dims: [u64; MAX_RANK],
    /// Bytes from one element to the next in each dimension, dimension 0 included.
    pub strides: [u64; MAX_RANK],
    pub element_strides: [u32; MAX_RANK],
    pub swizzle: Swizzle,
    pub mode: Mode,
}

/// Why the driver would refuse the arguments, or why bytes are not a tensor map.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum MapError {
    #[error("tensorRank: {0} is not between {1} and 5")]
    Rank(usize, usize),
    #[error("{argument}: {got} entries for a tensor of rank {rank}")]
    Entries { argument: &'static str, got: usize, rank: usize },
    #[error("globalAddress: {0:#x} is not a multiple of 16")]
    Address(u64),
    #[error("globalDim[{0}]: {1} is not between 1 and 2^32")]
    Dim(usize, u64),
    #[error("globalStrides[{0}]: {1} is not a multiple of 16 below 2^40")]
    Stride(usize, u64),
    #[error("elementStrides[{0}]: {1} is not between 1 and 8")]
    ElementStride(usize, u32),
    #[error("{argument}: {value} is not between 1 and {max}")]
    Extent { argument: &'static str, value: u32, max: u32 },
    #[error("{argument}: {bytes} bytes of the contiguous dimension are not a multiple of 16")]
    InnerMultiple { argument: &'static str, bytes: u64 },
    #[error("{argument}: {bytes} bytes of the contiguous dimension exceed the {span} of {swizzle:?} swizzling")]
    InnerSpan { argument: &'static str, bytes: u64, span: u32, swizzle: Swizzle },
    #[error("{argument}: {value} is not between {low} and {high} for rank {rank}")]
    Corner { argument: &'static str, value: i32, low: i32, high: i32, rank: usize },
    #[error("these 128 bytes are not a tensor map: was the parameter declared __grid_constant__ and passed by value?")]
    NotAMap,
}

/// Starts every encoded map, so that other bytes are told apart.
const MAGIC: u32 = 0x504d_5457;

/// `cuTensorMapEncodeTiled` with no interleave and zero fill.
///
/// # Errors
/// Names the argument that the driver would refuse.
pub fn encode_tiled(tensor: Tensor<'_>, box_dims: &[u32]) -> Result<[u8; BYTES], MapError> {
    let base = tensor.validate(1)?;
    entries("boxDim", box_dims.len(), tensor.dims.len(), tensor.dims.len())?;
    for &extent in box_dims {
        within("boxDim", extent, 256)?;
    }
    base.inner("boxDim[0]", box_dims[0])?;
    Ok(TensorMap { mode: Mode::Tiled { box_dims: padded(box_dims, 1) }, ..base }.to_bytes())
}

/// `cuTensorMapEncodeIm2col` with no interleave and zero fill. The corners have an entry for each of W, H and D that
/// the tensor has.
///
/// # Errors
/// As [`encode_tiled`].
pub fn encode_im2col(
    tensor: Tensor<'_>,
    [lower, upper]: [&[i32]; 2],
    channels_per_pixel: u32,
    pixels_per_column: u32,
) -> Result<[u8; BYTES], MapError> {
    let base = tensor.validate(3)?;
    let high = [1 << 15, 1 << 7, 1 << 4][base.rank - 3];
    for (argument, corner) in [("pixelBoxLowerCorner", lower), ("pixelBoxUpperCorner", upper)] {
        entries(argument, corner.len(), base.rank - 2, base.rank)?;
        for &value in corner {
            if !(-high..high).contains(&value) {
                return Err(MapError::Corner { argument, value, low: -high, high: high - 1, rank: base.rank });
            }
        }
    }
    within("channelsPerPixel", channels_per_pixel, 256)?;
    within("pixelsPerColumn", pixels_per_column, 1024)?;
    base.inner("channelsPerPixel", channels_per_pixel)?;
    let mode = Mode::Im2col { lower: padded(lower, 0), upper: padded(upper, 0), channels_per_pixel, pixels_per_column };
    Ok(TensorMap { mode, ..base }.to_bytes())
}

fn entries(argument: &'static str, got: usize, want: usize, rank: usize) -> Result<(), MapError> {
    if got == want { Ok(()) } else { Err(MapError::Entries { argument, got, rank }) }
}

fn within(argument: &'static str, value: u32, max: u32) -> Result<(), MapError> {
    if (1..=max).contains(&value) { Ok(()) } else { Err(MapError::Extent { argument, value, max }) }
}

/// The entries, and `fill` up to the length of the array.
fn padded<T: Copy, const N: usize>(entries: &[T], fill: T) -> [T; N] {
    std::array::from_fn(|i| entries.get(i).copied().unwrap_or(fill))
}

impl Tensor<'_> {
    fn validate(&self, min_rank: usize) -> Result<TensorMap, MapError> {
        let rank = self.dims.len();
        if !(min_rank..=MAX_RANK).contains(&rank) {
            return Err(MapError::Rank(rank, min_rank));
        }
        entries("globalStrides", self.strides.len(), rank - 1, rank)?;
        entries("elementStrides", self.element_strides.len(), rank, rank)?;
        if !self.address.is_multiple_of(16) {
            return Err(MapError::Address(self.address));
        }
        for (i, &dim) in self.dims.iter().enumerate() {
            if dim == 0 || dim > 1 << 32 {
                return Err(MapError::Dim(i, dim));
            }
        }
        for (i, &stride) in self.strides.iter().enumerate() {
            if !stride.is_multiple_of(16) || stride >= 1 << 40 {
                return Err(MapError::Stride(i, stride));
            }
        }
        for (i, &stride) in self.element_strides.iter().enumerate() {
            if !(1..=8).contains(&stride) {
                return Err(MapError::ElementStride(i, stride));
            }
        }
        let mut strides = [0; MAX_RANK];
        strides[0] = self.data_type.bytes();
        strides[1..rank].copy_from_slice(self.strides);
        Ok(TensorMap {
            data_type: self.data_type,
            rank,
            address: self.address,
            dims: padded(self.dims, 1),
            strides,
            element_strides: padded(self.element_strides, 1),
            swizzle: self.swizzle,
            mode: Mode::Tiled { box_dims: [1; MAX_RANK] },
        })
    }
}

impl TensorMap {
    fn inner(&self, argument: &'static str, extent: u32) -> Result<(), MapError> {
        let bytes = u64::from(extent) * self.data_type.bytes();
        if !bytes.is_multiple_of(16) {
            return Err(MapError::InnerMultiple { argument, bytes });
        }
        let span = self.swizzle.span();
        if self.swizzle != Swizzle::None && bytes > u64::from(span) {
            return Err(MapError::InnerSpan { argument, bytes, span, swizzle: self.swizzle });
        }
        Ok(())
    }

    fn to_bytes(self) -> [u8; BYTES] {
        let mut bytes = Vec::with_capacity(BYTES);
        let (im2col, extents, corners) = match self.mode {
            Mode::Tiled { box_dims } => (0, box_dims, [0; 6]),
            Mode::Im2col { lower, upper, channels_per_pixel, pixels_per_column } => {
                let mut corners = [0; 6];
                corners[..3].copy_from_slice(&lower);
                corners[3..].copy_from_slice(&upper);
                (1, [channels_per_pixel, pixels_per_column, 0, 0, 0], corners)
            }
        };
        bytes.extend(MAGIC.to_le_bytes());
        bytes.extend([im2col, self.data_type as u8, self.rank as u8, self.swizzle as u8]);
        bytes.extend(self.address.to_le_bytes());
        // A dimension of 2^32 must fit into 32 bits.
        self.dims.iter().for_each(|&dim| bytes.extend(((dim - 1) as u32).to_le_bytes()));
        self.strides[1..].iter().for_each(|stride| bytes.extend(stride.to_le_bytes()));
        extents.iter().for_each(|&extent| bytes.extend((extent as u16).to_le_bytes()));
        self.element_strides.iter().for_each(|&stride| bytes.push(stride as u8));
        corners.iter().for_each(|&corner| bytes.extend((corner as i16).to_le_bytes()));
        bytes.resize(BYTES, 0);
        bytes.try_into().expect("a map fits")
    }

    /// Reads a map back.
    ///
    /// # Errors
    /// [`MapError::NotAMap`] when the bytes were not made by the encoders.
    pub fn from_bytes(bytes: &[u8; BYTES]) -> Result<Self, MapError> {
        let mut reader = Reader { bytes, at: 0 };
        if u32::from_le_bytes(reader.take()) != MAGIC {
            return Err(MapError::NotAMap);
        }
        let [im2col, data_type, rank, swizzle] = reader.take::<4>();
        let data_type = *DataType::ALL.get(usize::from(data_type)).ok_or(MapError::NotAMap)?;
        let swizzle = *[Swizzle::None, Swizzle::B32, Swizzle::B64, Swizzle::B128]
            .get(usize::from(swizzle))
            .ok_or(MapError::NotAMap)?;
        let rank = usize::from(rank);
        if !(1..=MAX_RANK).contains(&rank) || (im2col == 1 && rank < 3) {
            return Err(MapError::NotAMap);
        }
        let address = u64::from_le_bytes(reader.take());
        let dims = std::array::from_fn(|_| u64::from(u32::from_le_bytes(reader.take())) + 1);
        let mut strides = [data_type.bytes(); MAX_RANK];
        strides[1..].iter_mut().for_each(|stride| *stride = u64::from_le_bytes(reader.take()));
        let extents: [u32; MAX_RANK] = std::array::from_fn(|_| u32::from(u16::from_le_bytes(reader.take())));
        let element_strides = reader.take::<MAX_RANK>().map(u32::from);
        let mut corner = || std::array::from_fn(|_| i32::from(i16::from_le_bytes(reader.take())));
        let (lower, upper) = (corner(), corner());
        let mode = match im2col {
            0 => Mode::Tiled { box_dims: extents },
            1 => Mode::Im2col { lower, upper, channels_per_pixel: extents[0], pixels_per_column: extents[1] },
            _ => return Err(MapError::NotAMap),
        };
        Ok(Self { data_type, rank, address, dims, strides, element_strides, swizzle, mode })
    }
}

struct Reader<'a> {
    bytes: &'a [u8; BYTES],
    at: usize,
}

impl Reader<'_> {
    fn take<const N: usize>(&mut self) -> [u8; N] {
        let taken = self.bytes[self.at..self.at + N].try_into().expect("a map is longer than its fields");
        self.at += N;
        taken
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: Tensor<'static> = Tensor {
        data_type: DataType::BF16,
        address: 0x7000_0000_1000,
        dims: &[64, 9, 14, 1 << 32],
        strides: &[128, 1152, 16128],
        element_strides: &[1, 2, 2, 1],
        swizzle: Swizzle::B128,
    };

    #[test]
    fn round_trip() {
        let map = TensorMap::from_bytes(&encode_tiled(GOOD, &[64, 3, 4, 1]).unwrap()).unwrap();
        assert_eq!(map.mode, Mode::Tiled { box_dims: [64, 3, 4, 1, 1] });
        assert_eq!(map.dims, [64, 9, 14, 1 << 32, 1]);
        assert_eq!(map.strides[..4], [2, 128, 1152, 16128]);
        let map = encode_im2col(GOOD, [&[-1, -2], &[-128, 127]], 64, 1024).unwrap();
        let map = TensorMap::from_bytes(&map).unwrap();
        let mode =
            Mode::Im2col { lower: [-1, -2, 0], upper: [-128, 127, 0], channels_per_pixel: 64, pixels_per_column: 1024 };
        assert_eq!((map.mode, map.element_strides), (mode, [1, 2, 2, 1, 1]));
        assert_eq!(TensorMap::from_bytes(&[0; BYTES]), Err(MapError::NotAMap));
    }

    #[test]
    fn errors_name_the_argument() {
        let tiled = |tensor: Tensor<'_>, box_dims: &[u32]| encode_tiled(tensor, box_dims).unwrap_err().to_string();
        let box_dims = &[64, 1, 1, 1];
        for (error, argument) in [
            (tiled(Tensor { dims: &[], ..GOOD }, &[]), "tensorRank"),
            (tiled(Tensor { address: 8, ..GOOD }, box_dims), "globalAddress"),
            (tiled(Tensor { dims: &[64, 0, 1, 1], ..GOOD }, box_dims), "globalDim[1]"),
            (tiled(Tensor { strides: &[128, 8, 16], ..GOOD }, box_dims), "globalStrides[1]"),
            (tiled(Tensor { strides: &[128], ..GOOD }, box_dims), "globalStrides"),
            (tiled(Tensor { element_strides: &[1, 9, 1, 1], ..GOOD }, box_dims), "elementStrides[1]"),
            (tiled(GOOD, &[64, 257, 1, 1]), "boxDim"),
            (tiled(GOOD, &[7, 1, 1, 1]), "boxDim[0]: 14 bytes"),
            (tiled(GOOD, &[72, 1, 1, 1]), "boxDim[0]: 144 bytes"),
            (encode_im2col(GOOD, [&[0], &[0, 0]], 64, 1).unwrap_err().to_string(), "pixelBoxLowerCorner"),
            (encode_im2col(GOOD, [&[0, 0], &[0, 128]], 64, 1).unwrap_err().to_string(), "pixelBoxUpperCorner"),
            (encode_im2col(GOOD, [&[0, 0], &[0, 0]], 264, 1).unwrap_err().to_string(), "channelsPerPixel"),
            (encode_im2col(GOOD, [&[0, 0], &[0, 0]], 64, 1025).unwrap_err().to_string(), "pixelsPerColumn"),
        ] {
            assert!(error.starts_with(argument), "{error}");
        }
    }
}
