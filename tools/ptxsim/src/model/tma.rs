//! Which bytes TMA moves: `cp.async.bulk.tensor`, tiled and im2col.
//!
//! A box arrives in shared memory as rows of its contiguous dimension, one after the other, with the map's swizzle on
//! the addresses. What lies outside the tensor is filled with zeros, and counts as bytes of the box.
//!
//! Source: PTX ISA, "Tensors" (tiled and im2col modes) and `cp.async.bulk.tensor`.

use super::swizzle::Swizzle;
use super::tensor_map::{MAX_RANK, Mode, TensorMap};
use thiserror::Error;

/// What a copy's shared address must be a multiple of.
pub const SHARED_ALIGNMENT: u32 = 128;

/// Consecutive bytes that lie inside the tensor.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Run {
    pub global: u64,
    /// Where they are in the box, before swizzling.
    pub offset: usize,
    pub bytes: usize,
}

/// One copy.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Plan {
    /// Bytes of the whole box: what completes on the mbarrier.
    pub bytes: usize,
    pub runs: Vec<Run>,
    pub swizzle: Swizzle,
}

/// Why a copy cannot be made.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum TmaError {
    #[error("the instruction has {got} coordinates, the tensor map {rank} dimensions")]
    Rank { got: usize, rank: usize },
    #[error("the instruction is in {instruction} mode, the tensor map was encoded for {map}")]
    Mode { instruction: &'static str, map: &'static str },
    #[error("im2col offset {0} exceeds {1} for this rank")]
    Offset(u16, u16),
    #[error("coordinate {value} of {name} lies outside the bounding box {low}..={high}")]
    Outside { name: char, value: i64, low: i64, high: i64 },
    #[error("the bounding box is empty in {name}: {low}..={high}")]
    Empty { name: char, low: i64, high: i64 },
    #[error(
        "rows of {row} bytes under {span}-byte swizzling are not modelled: the hardware's padding of such rows is not \
         documented"
    )]
    NarrowRow { row: usize, span: u32 },
}

/// The dimensions between C and N, from the contiguous one up.
const SPATIAL: [char; 3] = ['W', 'H', 'D'];

impl TensorMap {
    /// Plans the copy of the box at `coordinates`; `offsets` are those of im2col mode, none for a tiled copy.
    ///
    /// # Errors
    /// If map and instruction do not fit each other.
    pub fn plan(&self, coordinates: &[i32], offsets: Option<&[u16]>) -> Result<Plan, TmaError> {
        if coordinates.len() != self.rank {
            return Err(TmaError::Rank { got: coordinates.len(), rank: self.rank });
        }
        let name = |im2col| if im2col { "im2col" } else { "tiled" };
        match (self.mode, offsets) {
            (Mode::Tiled { box_dims }, None) => self.plan_tiled(box_dims, coordinates),
            (Mode::Im2col { .. }, Some(offsets)) => self.plan_im2col(coordinates, offsets),
            (mode, _) => Err(TmaError::Mode {
                instruction: name(offsets.is_some()),
                map: name(matches!(mode, Mode::Im2col { .. })),
            }),
        }
    }

    fn plan_tiled(&self, box_dims: [u32; MAX_RANK], coordinates: &[i32]) -> Result<Plan, TmaError> {
        // A traversal stride thins a dimension out; the contiguous one has none without interleave.
        let counts: [u64; MAX_RANK] = std::array::from_fn(|i| match i {
            0 => u64::from(box_dims[0]),
            _ => u64::from(box_dims[i].div_ceil(self.element_strides[i])),
        });
        let rows: u64 = counts[1..].iter().product();
        let positions = (0..rows).map(|mut row| {
            let mut position = [0; MAX_RANK];
            for (i, &coordinate) in coordinates.iter().enumerate() {
                position[i] = i64::from(coordinate);
                if i > 0 {
                    position[i] += (row % counts[i]) as i64 * i64::from(self.element_strides[i]);
                    row /= counts[i];
                }
            }
            position
        });
        self.collect(counts[0], positions)
    }

    fn plan_im2col(&self, coordinates: &[i32], offsets: &[u16]) -> Result<Plan, TmaError> {
        let Mode::Im2col { lower, upper, channels_per_pixel, pixels_per_column } = self.mode else {
            unreachable!("called for im2col maps");
        };
        let spatial = self.rank - 2;
        if offsets.len() != spatial {
            return Err(TmaError::Rank { got: offsets.len() + 2, rank: self.rank });
        }
        let most = [u16::MAX, u8::MAX.into(), 31][spatial - 1];
        if let Some(&offset) = offsets.iter().find(|&&offset| offset > most) {
            return Err(TmaError::Offset(offset, most));
        }
        let low: [i64; 3] = lower.map(i64::from);
        let high: [i64; 3] = std::array::from_fn(|i| self.dims[i + 1] as i64 - 1 + i64::from(upper[i]));
        let mut base: [i64; MAX_RANK] = std::array::from_fn(|i| coordinates.get(i).map_or(0, |&c| i64::from(c)));
        for i in 0..spatial {
            let (name, low, high, value) = (SPATIAL[i], low[i], high[i], base[i + 1]);
            if low > high {
                return Err(TmaError::Empty { name, low, high });
            }
            if !(low..=high).contains(&value) {
                return Err(TmaError::Outside { name, value, low, high });
            }
        }
        let images = self.rank - 1;
        let positions = (0..pixels_per_column).map(|_| {
            let mut position = base;
            (0..spatial).for_each(|i| position[i + 1] += i64::from(offsets[i]));
            // The filter's base walks through the bounding box, W first, then on to the next image.
            let mut dimension = 1;
            loop {
                base[dimension] += i64::from(self.element_strides[dimension]);
                if dimension == images || base[dimension] <= high[dimension - 1] {
                    break;
                }
                base[dimension] = low[dimension - 1];
                dimension += 1;
            }
            position
        });
        self.collect(u64::from(channels_per_pixel), positions)
    }

    /// The plan of rows of `inner` elements that start at `positions`.
    fn collect(&self, inner: u64, positions: impl Iterator<Item = [i64; MAX_RANK]>) -> Result<Plan, TmaError> {
        let row_bytes = (inner * self.data_type.bytes()) as usize;
        let span = self.swizzle.span();
        if self.swizzle != Swizzle::None && row_bytes != span as usize {
            return Err(TmaError::NarrowRow { row: row_bytes, span });
        }
        let mut runs = Vec::new();
        let mut bytes = 0;
        for position in positions {
            let offset = bytes;
            bytes += row_bytes;
            let outer_inside = (1..self.rank).all(|i| (0..self.dims[i] as i64).contains(&position[i]));
            let first = position[0].max(0);
            let last = (position[0] + inner as i64).min(self.dims[0] as i64);
            if !outer_inside || first >= last {
                continue;
            }
            let global = (1..self.rank).fold(self.address, |sum, i| sum + position[i] as u64 * self.strides[i]);
            runs.push(Run {
                global: global + first as u64 * self.strides[0],
                offset: offset + ((first - position[0]) as u64 * self.strides[0]) as usize,
                bytes: ((last - first) as u64 * self.strides[0]) as usize,
            });
        }
        Ok(Plan { bytes, runs, swizzle: self.swizzle })
    }
}

impl Plan {
    /// A copy of consecutive bytes, without a tensor map.
    pub fn linear(run: Run) -> Self {
        Self { bytes: run.bytes, runs: vec![run], swizzle: Swizzle::None }
    }

    /// The box's 16-byte units at shared address `base`: `(offset in the box, shared address)`.
    pub fn units(&self, base: u32) -> impl Iterator<Item = (usize, u32)> + use<> {
        let swizzle = self.swizzle;
        (0..self.bytes).step_by(16).map(move |offset| (offset, swizzle.apply(base + offset as u32)))
    }
}

#[cfg(test)]
mod tests {
    use super::super::tensor_map::{DataType, Tensor, encode_im2col, encode_tiled};
    use super::*;

    /// The box's elements as the tensor's element numbers, -1 where zeros are filled in. Elements are u16.
    fn elements(map: &[u8; 128], coordinates: &[i32], offsets: Option<&[u16]>) -> Vec<i64> {
        let map = TensorMap::from_bytes(map).unwrap();
        let plan = map.plan(coordinates, offsets).unwrap();
        let mut elements = vec![-1; plan.bytes / 2];
        for run in plan.runs {
            for i in 0..run.bytes / 2 {
                elements[run.offset / 2 + i] = ((run.global - map.address) / 2) as i64 + i as i64;
            }
        }
        elements
    }

    /// An image batch [n, h, w, c] of u16, dense.
    struct Images {
        dims: [u64; 4],
        strides: [u64; 3],
    }

    impl Images {
        fn new([n, h, w, c]: [u64; 4]) -> Self {
            Self { dims: [c, w, h, n], strides: [2 * c, 2 * c * w, 2 * c * w * h] }
        }

        fn tensor<'a>(&'a self, element_strides: &'a [u32]) -> Tensor<'a> {
            Tensor {
                data_type: DataType::U16,
                address: 0x1000,
                dims: &self.dims,
                strides: &self.strides,
                element_strides,
                swizzle: Swizzle::None,
            }
        }

        /// The number of element (n, h, w, c), or -1 outside.
        fn at(&self, n: i64, h: i64, w: i64, c: i64) -> i64 {
            let [dc, dw, dh, dn] = self.dims.map(|d| d as i64);
            let inside = (0..dn).contains(&n) && (0..dh).contains(&h) && (0..dw).contains(&w) && (0..dc).contains(&c);
            if inside { ((n * dh + h) * dw + w) * dc + c } else { -1 }
        }
    }

    #[test]
    fn tiles_with_zeros_around() {
        let images = Images::new([2, 5, 6, 24]);
        let map = encode_tiled(images.tensor(&[1; 4]), &[16, 4, 3, 2]).unwrap();
        for (c0, w0, h0, n0) in [(0, 0, 0, 0), (16, -2, 3, 1), (-8, 4, -1, -1), (24, 0, 0, 0)] {
            let got = elements(&map, &[c0, w0, h0, n0], None);
            let mut want = Vec::new();
            for n in 0..2 {
                for h in 0..3 {
                    for w in 0..4 {
                        for c in 0..16 {
                            want.push(images.at((n0 + n).into(), (h0 + h).into(), (w0 + w).into(), (c0 + c).into()));
                        }
                    }
                }
            }
            assert_eq!(got, want, "{c0} {w0} {h0} {n0}");
        }
    }

    #[test]
    fn traversal_strides_thin_a_tile_out() {
        let images = Images::new([1, 5, 6, 8]);
        let map = encode_tiled(images.tensor(&[1, 2, 3, 1]), &[8, 5, 4, 1]).unwrap();
        let got = elements(&map, &[0, 1, 0, 0], None);
        let mut want = Vec::new();
        for h in [0, 3] {
            for w in [1, 3, 5] {
                want.extend((0..8).map(|c| images.at(0, h, w, c)));
            }
        }
        assert_eq!(got, want);
    }

    /// im2col is what a convolution reads: pixel p of the output, filter tap (r, s), by the convolution's own indices.
    #[test]
    fn im2col_is_a_convolution() {
        for (stride, pad, dilation, [kh, kw]) in
            [(1, 1, 1, [3, 3]), (2, 0, 1, [3, 3]), (2, 1, 1, [3, 2]), (1, 3, 1, [1, 7]), (1, 2, 2, [3, 3])]
        {
            let [n, h, w, c] = [3, 9, 8, 24];
            let images = Images::new([n, h, w, c]);
            let lower = [-pad, -pad];
            let upper = [pad - (kw - 1) * dilation, pad - (kh - 1) * dilation];
            let strides = [1, stride, stride, 1];
            let map = encode_im2col(images.tensor(&strides), [&lower, &upper], 16, 13).unwrap();
            let out = |size: u64, k: i32| (size as i32 + 2 * pad - dilation * (k - 1) - 1) / stride as i32 + 1;
            let (out_h, out_w) = (out(h, kh), out(w, kw));
            let pixels = n as i32 * out_h * out_w;
            for first in (0..pixels).step_by(13) {
                let coordinate = |p: i32| {
                    [p % out_w * stride as i32 - pad, p / out_w % out_h * stride as i32 - pad, p / out_w / out_h]
                };
                let [w0, h0, n0] = coordinate(first);
                for (r, s) in (0..kh).flat_map(|r| (0..kw).map(move |s| (r, s))) {
                    let offsets = [(s * dilation) as u16, (r * dilation) as u16];
                    let got = elements(&map, &[8, w0, h0, n0], Some(&offsets));
                    let want: Vec<i64> = (first..first + 13)
                        .flat_map(|p| {
                            let [w, h, n] = coordinate(p);
                            let (h, w) = (i64::from(h + r * dilation), i64::from(w + s * dilation));
                            (8..24).map(move |c| (n, h, w, c))
                        })
                        .map(|(n, h, w, c)| images.at(n.into(), h, w, c))
                        .collect();
                    assert_eq!(got, want, "stride {stride} pad {pad} pixel {first} tap ({r}, {s})");
                }
            }
        }
    }

    #[test]
    fn units_are_swizzled() {
        let images = Images::new([1, 1, 8, 64]);
        let tensor = Tensor { swizzle: Swizzle::B128, ..images.tensor(&[1; 4]) };
        let map = TensorMap::from_bytes(&encode_tiled(tensor, &[64, 8, 1, 1]).unwrap()).unwrap();
        let plan = map.plan(&[0; 4], None).unwrap();
        assert_eq!(plan.bytes, 1024);
        let units: Vec<_> = plan.units(2048).collect();
        assert_eq!(units[0], (0, 2048));
        assert_eq!(units[3 * 8 + 1], (3 * 128 + 16, 2048 + 3 * 128 + (1 ^ 3) * 16));
    }

    #[test]
    fn misfits_are_named() {
        let images = Images::new([1, 5, 6, 8]);
        let tiled = TensorMap::from_bytes(&encode_tiled(images.tensor(&[1; 4]), &[8, 1, 1, 1]).unwrap()).unwrap();
        assert_eq!(tiled.plan(&[0; 3], None), Err(TmaError::Rank { got: 3, rank: 4 }));
        assert!(matches!(tiled.plan(&[0; 4], Some(&[0, 0])), Err(TmaError::Mode { map: "tiled", .. })));
        let map = encode_im2col(images.tensor(&[1; 4]), [&[-1, -1], &[-1, -1]], 8, 4).unwrap();
        let map = TensorMap::from_bytes(&map).unwrap();
        assert!(matches!(map.plan(&[0, 5, 0, 0], Some(&[0, 0])), Err(TmaError::Outside { name: 'W', high: 4, .. })));
        assert_eq!(map.plan(&[0; 4], Some(&[0, 256])), Err(TmaError::Offset(256, 255)));
        let narrow = Tensor { swizzle: Swizzle::B128, ..images.tensor(&[1; 4]) };
        let narrow = TensorMap::from_bytes(&encode_tiled(narrow, &[8, 1, 1, 1]).unwrap()).unwrap();
        assert_eq!(narrow.plan(&[0; 4], None), Err(TmaError::NarrowRow { row: 16, span: 128 }));
    }
}
