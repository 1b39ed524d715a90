//! The 64-bit description of a matrix in shared memory that `wgmma` takes.
//!
//! Source: PTX ISA, "Asynchronous warpgroup-level matrix shared memory layout", its canonical layouts and "Matrix
//! descriptor format".

use super::swizzle::Swizzle;
use thiserror::Error;

/// Which dimension of the matrix is contiguous.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Major {
    K,
    /// M of operand A, N of operand B; only for 16-bit elements.
    Mn,
}

/// A decoded descriptor; all fields in bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Descriptor {
    pub start: u32,
    /// "Leading dimension byte offset".
    pub leading: u32,
    /// "Stride dimension byte offset".
    pub stride: u32,
    pub swizzle: Swizzle,
}

/// Why a descriptor does not describe a matrix.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum DescriptorError {
    #[error("reserved bits {bits:#x} of the descriptor are set: was it built with every field masked to 14 bits?")]
    Reserved { bits: u64 },
    #[error("base offset {0} is set without swizzling, where it has no meaning")]
    BaseOffsetWithoutSwizzle(u32),
    #[error(
        "base offset {0} is not modelled: start the swizzled tile on a {1}-byte boundary, where the base offset is 0"
    )]
    BaseOffset(u32, u32),
    #[error(
        "start address {start:#x} lies {rest:#x} bytes into the {pattern}-byte pattern of {swizzle:?} swizzling; with base \
         offset 0 a start may lie within the first row ({span} bytes) only"
    )]
    Misaligned { start: u32, rest: u32, pattern: u32, span: u32, swizzle: Swizzle },
    #[error("the matrix reaches shared address {end:#x}, past the block's {size} bytes (start address {start:#x})")]
    OutOfBounds { start: u32, end: u32, size: u32 },
}

/// Bits that no field uses.
const RESERVED: u64 = !(0x3fff | 0x3fff << 16 | 0x3fff << 32 | 7 << 49 | 3 << 62);

impl Descriptor {
    /// Decodes a descriptor.
    ///
    /// # Errors
    /// Names the field that no matrix in shared memory can have.
    pub fn decode(bits: u64) -> Result<Self, DescriptorError> {
        let field = |shift: u32| (bits >> shift & 0x3fff) as u32 * 16;
        let swizzle = match bits >> 62 {
            0 => Swizzle::None,
            1 => Swizzle::B128,
            2 => Swizzle::B64,
            _ => Swizzle::B32,
        };
        if bits & RESERVED != 0 {
            return Err(DescriptorError::Reserved { bits: bits & RESERVED });
        }
        let base_offset = (bits >> 49 & 7) as u32;
        match (base_offset, swizzle) {
            (0, _) => {}
            (offset, Swizzle::None) => return Err(DescriptorError::BaseOffsetWithoutSwizzle(offset)),
            (offset, _) => return Err(DescriptorError::BaseOffset(offset, swizzle.pattern())),
        }
        let start = field(0);
        let (pattern, span) = (swizzle.pattern(), swizzle.span());
        if swizzle != Swizzle::None && start % pattern >= span {
            return Err(DescriptorError::Misaligned { start, rest: start % pattern, pattern, span, swizzle });
        }
        Ok(Self { start, leading: field(16), stride: field(32), swizzle })
    }

    /// The bits of a descriptor (for tests and for hosts that build them).
    pub fn encode(self) -> u64 {
        let field = |bytes: u32| u64::from((bytes & 0x3ffff) >> 4);
        let mode = match self.swizzle {
            Swizzle::None => 0,
            Swizzle::B128 => 1,
            Swizzle::B64 => 2,
            Swizzle::B32 => 3,
        };
        field(self.start) | field(self.leading) << 16 | field(self.stride) << 32 | mode << 62
    }

    /// The shared address of the 16-byte unit that begins with element (`mn`, `k`), of `bytes` each; along the
    /// contiguous dimension the coordinate is a multiple of the elements in a unit.
    pub fn unit_address(&self, major: Major, bytes: usize, mn: usize, k: usize) -> u32 {
        let per_unit = 16 / bytes;
        // Along the contiguous dimension in units, across it in rows of eight.
        let (along, across) = match major {
            Major::K => (k / per_unit, mn),
            Major::Mn => (mn / per_unit, k),
        };
        let units = (self.swizzle.span() / 16) as usize;
        let [inner, outer, row, group] = [along % units, along / units, across % 8, across / 8].map(|x| x as u32);
        // Without swizzling the two offsets of an M- or N-major matrix change their roles.
        let (outer_step, group_step) = match (major, self.swizzle) {
            (Major::Mn, Swizzle::None) => (self.stride, self.leading),
            _ => (self.leading, self.stride),
        };
        // A K-major row of a swizzled matrix may begin anywhere in its span; it never leaves it, so `outer` is 0 then.
        let offset = inner * 16 + outer * outer_step + row * self.swizzle.span() + group * group_step;
        self.swizzle.apply(self.start.wrapping_add(offset))
    }

    /// Every unit of an `mn` x `k` matrix: `(mn, k, address)` of its first element.
    ///
    /// # Errors
    /// If a unit lies outside the block's `size` bytes of shared memory.
    pub fn units(
        self,
        major: Major,
        bytes: usize,
        [mn, k]: [usize; 2],
        size: u32,
    ) -> Result<Vec<(usize, usize, u32)>, DescriptorError> {
        let per_unit = 16 / bytes;
        let (step_mn, step_k) = match major {
            Major::K => (1, per_unit),
            Major::Mn => (per_unit, 1),
        };
        let mut units = Vec::with_capacity(mn * k / per_unit);
        for mn in (0..mn).step_by(step_mn) {
            for k in (0..k).step_by(step_k) {
                let address = self.unit_address(major, bytes, mn, k);
                let end = address.saturating_add(16);
                if end > size {
                    return Err(DescriptorError::OutOfBounds { start: self.start, end, size });
                }
                units.push((mn, k, address));
            }
        }
        Ok(units)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn descriptor(swizzle: Swizzle, leading: u32, stride: u32) -> Descriptor {
        Descriptor { start: 0, leading, stride, swizzle }
    }

    /// The manual's worked examples, as strides of their exact CuTe layouts in elements.
    #[test]
    fn canonical_layouts() {
        // K-major, no swizzling, tf32: ((8,2),(4,4)):((4,32),(1,64)).
        let d = descriptor(Swizzle::None, 256, 128);
        for row in 0..16 {
            for k in (0..8).step_by(4) {
                let want = (row % 8 * 4 + row / 8 * 32 + k / 4 * 64) * 4;
                assert_eq!(d.unit_address(Major::K, 4, row, k), want as u32);
            }
        }
        // K-major, 32-byte swizzling, tf32: ((8,2),(4,4)):((8,64),(1,4)).
        let d = descriptor(Swizzle::B32, 16, 256);
        for row in 0..16 {
            for k in (0..8).step_by(4) {
                let plain = (row % 8 * 8 + row / 8 * 64 + k / 4 * 4) * 4;
                assert_eq!(d.unit_address(Major::K, 4, row, k), Swizzle::B32.apply(plain as u32));
            }
        }
        // MN-major, no swizzling, bf16: ((8,1,2),(8,2)):((1,8,64),(8,128)).
        let d = descriptor(Swizzle::None, 256, 128);
        for mn in (0..16).step_by(8) {
            for k in 0..16 {
                let want = (mn / 8 * 64 + k % 8 * 8 + k / 8 * 128) * 2;
                assert_eq!(d.unit_address(Major::Mn, 2, mn, k), want as u32);
            }
        }
        // MN-major and swizzled, bf16: ((8,w,2),(8,2)):((1,8,l),(8w,s)).
        for (swizzle, w, l, s) in
            [(Swizzle::B32, 2, 128, 256), (Swizzle::B64, 4, 256, 512), (Swizzle::B128, 8, 4096, 512)]
        {
            let d = descriptor(swizzle, l * 2, s * 2);
            for mn in (0..16 * w as usize).step_by(8) {
                for k in 0..16 {
                    let (m, k32) = (mn as u32, k as u32);
                    let plain = (m / 8 % w * 8 + m / 8 / w * l + k32 % 8 * 8 * w + k32 / 8 * s) * 2;
                    assert_eq!(d.unit_address(Major::Mn, 2, mn, k), swizzle.apply(plain));
                }
            }
        }
    }

    /// A K-step of 32 bytes inside a 128-byte row: only the start address moves.
    #[test]
    fn a_start_within_the_first_row() {
        let whole = descriptor(Swizzle::B128, 16, 1024);
        let step = Descriptor { start: 64, ..whole };
        let step = Descriptor::decode(step.encode()).unwrap();
        for row in 0..16 {
            for unit in 0..2 {
                let plain = row as u32 * 128 + 64 + unit as u32 * 16;
                assert_eq!(step.unit_address(Major::K, 2, row, unit * 8), Swizzle::B128.apply(plain));
            }
        }
    }

    /// Boxes of 64 pixels, MN-major, pixels being k: the next box is the next 64 channels, and sixteen pixels further lie
    /// 2048 bytes on, of 32 channels 1024.
    #[test]
    fn boxes_across_k() {
        for (swizzle, channels) in [(Swizzle::B128, 64), (Swizzle::B64, 32)] {
            let row = 2 * channels as u32;
            let whole = Descriptor { start: 2048, ..descriptor(swizzle, 64 * row, 8 * row) };
            let bits =
                1 << 7 | u64::from(4 * row) << 16 | u64::from(row / 2) << 32 | if channels == 64 { 1 } else { 2 } << 62;
            assert_eq!(whole.encode(), bits);
            for step in 0..4u32 {
                let part = Descriptor::decode(bits + u64::from(row * step)).unwrap();
                assert_eq!(part, Descriptor { start: 2048 + 16 * row * step, ..whole });
                for channel in (0..2 * channels).step_by(8) {
                    for k in 0..16 {
                        let pixel = 16 * step + k;
                        let within = (channel % channels * 2) as u32;
                        let plain = 2048 + (channel / channels) as u32 * 64 * row + pixel * row + within;
                        let want = swizzle.apply(plain);
                        assert_eq!(part.unit_address(Major::Mn, 2, channel, k as usize), want);
                    }
                }
            }
            let end = 2048 + 2 * 64 * row;
            assert_eq!(whole.units(Major::Mn, 2, [2 * channels, 16], end).unwrap().len(), channels / 4 * 16);
            let short = 2048 + 64 * row + 15 * row;
            assert!(matches!(
                whole.units(Major::Mn, 2, [2 * channels, 16], short),
                Err(DescriptorError::OutOfBounds { .. })
            ));
        }
    }

    #[test]
    fn malformed_descriptors_are_told_apart() {
        let good = Descriptor { start: 2048, leading: 16, stride: 1024, swizzle: Swizzle::B128 };
        assert_eq!(Descriptor::decode(good.encode()), Ok(good));
        let bits = good.encode();
        assert!(matches!(Descriptor::decode(bits | 1 << 14), Err(DescriptorError::Reserved { .. })));
        assert!(matches!(Descriptor::decode(bits | 1 << 60), Err(DescriptorError::Reserved { .. })));
        assert!(matches!(Descriptor::decode(bits | 3 << 49), Err(DescriptorError::BaseOffset(3, 1024))));
        assert!(matches!(Descriptor::decode(1 << 49), Err(DescriptorError::BaseOffsetWithoutSwizzle(1))));
        let askew = Descriptor { start: 2048 + 128, ..good };
        assert!(matches!(Descriptor::decode(askew.encode()), Err(DescriptorError::Misaligned { rest: 128, .. })));
        assert!(matches!(
            good.units(Major::K, 2, [64, 16], 4096),
            Err(DescriptorError::OutOfBounds { size: 4096, .. })
        ));
        assert_eq!(good.units(Major::K, 2, [64, 16], 2048 + 8192).unwrap().len(), 128);
    }
}
