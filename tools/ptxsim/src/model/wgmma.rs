//! `wgmma.mma_async`: four warps multiply a 64 x k matrix by a k x n matrix in shared memory.
//!
//! Warp w of the warpgroup holds rows 16 w to 16 w + 15 of the accumulators, and of A when A is in registers, in the
//! layouts of [`fragment`](super::fragment). The arithmetic is [`matmul`](super::matmul)'s.

use super::WarpRegister;
use super::descriptor::{Descriptor, DescriptorError, Major};
use super::matmul::multiply_add;
use super::mma::{Accumulator, Element, read_a};
use thiserror::Error;

/// Rows of the result.
pub const M: usize = 64;
/// Warps that execute one instruction together.
pub const WARPS: usize = 4;

/// The shape, types and immediate arguments of one `wgmma.mma_async`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Wgmma {
    pub n: usize,
    /// Of A and of B, which are equally wide.
    pub elements: [Element; 2],
    pub accumulator: Accumulator,
    /// `imm-scale-a`, `imm-scale-b`: -1 when true.
    pub negate: [bool; 2],
    /// `imm-trans-a`, `imm-trans-b`.
    pub major: [Major; 2],
}

/// Why an instruction cannot be executed as it stands.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum WgmmaError {
    #[error("n = {0} is not a multiple of 8 between 8 and 256")]
    N(usize),
    #[error("{0:?} elements with {1:?} accumulators do not exist")]
    Types([Element; 2], Accumulator),
    #[error("only 16-bit elements can be transposed, not {0:?}")]
    Transpose(Element),
    #[error("descriptor of {operand}: {source}")]
    Descriptor { operand: char, source: DescriptorError },
}

impl Wgmma {
    /// The k of one instruction: 32 bytes of elements.
    pub const fn k(&self) -> usize {
        32 / self.elements[0].bytes()
    }

    /// Accumulator registers of each thread.
    pub const fn registers(&self) -> usize {
        self.accumulator.registers(self.n)
    }

    /// # Errors
    /// If no such instruction exists.
    pub fn validate(&self) -> Result<(), WgmmaError> {
        use Element::*;
        if !self.n.is_multiple_of(8) || self.n == 0 || self.n > 256 {
            return Err(WgmmaError::N(self.n));
        }
        let types_exist = matches!(
            (self.elements, self.accumulator),
            ([F16, F16] | [E4M3 | E5M2, E4M3 | E5M2], Accumulator::F16 | Accumulator::F32)
                | ([BF16, BF16] | [TF32, TF32], Accumulator::F32)
                | ([S8 | U8, S8 | U8], Accumulator::S32 { .. })
        );
        if !types_exist {
            return Err(WgmmaError::Types(self.elements, self.accumulator));
        }
        if self.elements[0].bytes() != 2 && self.major != [Major::K; 2] {
            return Err(WgmmaError::Transpose(self.elements[0]));
        }
        // Of integers there are n up to 24 by 8, and then by 16 (PTX ISA, "wgmma.mma_async").
        if matches!(self.accumulator, Accumulator::S32 { .. }) && self.n > 24 && !self.n.is_multiple_of(16) {
            return Err(WgmmaError::N(self.n));
        }
        Ok(())
    }

    /// The 16-byte units of operand A in shared memory: `(row, k, address)`.
    ///
    /// # Errors
    /// If the descriptor is malformed or reaches beyond `size` bytes.
    pub fn a_units(&self, descriptor: u64, size: u32) -> Result<Vec<(usize, usize, u32)>, WgmmaError> {
        self.units('A', self.major[0], descriptor, M, size)
    }

    /// The 16-byte units of operand B: `(column, k, address)`.
    ///
    /// # Errors
    /// As [`a_units`](Self::a_units).
    pub fn b_units(&self, descriptor: u64, size: u32) -> Result<Vec<(usize, usize, u32)>, WgmmaError> {
        self.units('B', self.major[1], descriptor, self.n, size)
    }

    fn units(
        &self,
        operand: char,
        major: Major,
        descriptor: u64,
        mn: usize,
        size: u32,
    ) -> Result<Vec<(usize, usize, u32)>, WgmmaError> {
        Descriptor::decode(descriptor)
            .and_then(|d| d.units(major, self.elements[0].bytes(), [mn, self.k()], size))
            .map_err(|source| WgmmaError::Descriptor { operand, source })
    }

    /// Puts the `unit` whose first element is (`row`, `k`) into `a`: [64, k].
    pub fn place_a(&self, a: &mut [f64], row: usize, k: usize, unit: &[u8; 16]) {
        let width = self.k();
        let stride = if self.major[0] == Major::K { 1 } else { width };
        place(self.elements[0], &mut a[row * width + k..], stride, unit);
    }

    /// Puts the `unit` whose first element is (`k`, `column`) into `b`: [k, n].
    pub fn place_b(&self, b: &mut [f64], column: usize, k: usize, unit: &[u8; 16]) {
        let stride = if self.major[1] == Major::K { self.n } else { 1 };
        place(self.elements[1], &mut b[k * self.n + column..], stride, unit);
    }

    /// Reads one warp's part of A from its registers into `a`: [64, k].
    pub fn read_a(&self, warp: usize, registers: &[WarpRegister], a: &mut [f64]) {
        let rows = 16 * self.k();
        read_a(self.elements[0], self.k(), registers, &mut a[warp * rows..][..rows]);
    }

    /// Reads one warp's accumulators into `d`: [64, n].
    pub fn read_accumulators(&self, warp: usize, registers: &[WarpRegister], d: &mut [f64]) {
        self.accumulator.read(self.n, registers, &mut d[warp * 16 * self.n..][..16 * self.n]);
    }

    /// Rounds one warp's part of `d`: [64, n] into its accumulators.
    pub fn write_accumulators(&self, warp: usize, d: &[f64], registers: &mut [WarpRegister]) {
        self.accumulator.write(self.n, &d[warp * 16 * self.n..][..16 * self.n], registers);
    }

    /// `d += (+-a) * (+-b)` for the rows that `a`: [rows, k] and `d`: [rows, n] have; `scale-d` of 0 is a `d` of zeros.
    pub fn multiply(&self, a: &mut [f64], b: &[f64], d: &mut [f64]) {
        if self.negate[0] != self.negate[1] {
            a.iter_mut().for_each(|x| *x = -*x);
        }
        multiply_add([d.len() / self.n, self.n, self.k()], a, b, d);
    }
}

/// Unpacks a unit's elements, `stride` apart.
fn place(element: Element, to: &mut [f64], stride: usize, unit: &[u8; 16]) {
    for (i, word) in unit.as_chunks::<4>().0.iter().enumerate() {
        let first = i * element.per_word() * stride;
        element.unpack(u32::from_le_bytes(*word), &mut to[first..], stride);
    }
}

#[cfg(test)]
mod tests {
    use super::super::swizzle::Swizzle;
    use super::*;
    use crate::num::{Format, Rounding, Saturation};

    fn encode(element: Element, x: i32) -> u32 {
        let format = match element {
            Element::F16 => Format::F16,
            Element::BF16 => Format::BF16,
            Element::E4M3 => Format::E4M3,
            Element::E5M2 => Format::E5M2,
            Element::S8 | Element::U8 => return x as u8 as u32,
            Element::TF32 => Format::TF32,
        };
        format.encode(f64::from(x), Rounding::NearestEven, Saturation::default())
    }

    /// Shared memory filled as a tensor copy with the same swizzle would: boxes of one span in the contiguous
    /// dimension, rows of the other below each other, then the swizzle on the address of every byte.
    fn fill(
        memory: &mut [u8],
        element: Element,
        major: Major,
        swizzle: Swizzle,
        [mn, k]: [usize; 2],
        value: impl Fn(usize, usize) -> i32,
    ) -> Descriptor {
        let bytes = element.bytes();
        let (along, across) = if major == Major::K { (k, mn) } else { (mn, k) };
        let span = swizzle.span() as usize;
        // A K-major box may be wider than one instruction's 32 bytes of k.
        let box_bytes = span * across;
        for i in 0..along {
            for j in 0..across {
                let x = if major == Major::K { value(j, i) } else { value(i, j) };
                let plain = i * bytes / span * box_bytes + j * span + i * bytes % span;
                let at = swizzle.apply(plain as u32) as usize;
                memory[at..at + bytes].copy_from_slice(&encode(element, x).to_le_bytes()[..bytes]);
            }
        }
        let group = 8 * swizzle.span();
        let (leading, stride) = match (major, swizzle) {
            // The roles change for an unswizzled M- or N-major matrix.
            (Major::Mn, Swizzle::None) => (group, box_bytes as u32),
            _ => (box_bytes as u32, group),
        };
        Descriptor { start: 0, leading, stride, swizzle }
    }

    #[expect(clippy::needless_range_loop, reason = "lanes and registers are what the layout is about")]
    fn check(
        elements: [Element; 2],
        accumulator: Accumulator,
        n: usize,
        major: [Major; 2],
        swizzle: Swizzle,
        a_in_registers: bool,
    ) {
        let element = elements[0];
        let negates = !matches!(accumulator, Accumulator::S32 { .. });
        let wgmma = Wgmma { n, elements, accumulator, negate: [negates, false], major };
        wgmma.validate().unwrap();
        let k = wgmma.k();
        let value_a = |row: usize, l: usize| ((row * 3 + l * 5) % 7) as i32 - 3;
        let least_b = if elements[1] == Element::U8 { 0 } else { -2 };
        let value_b = |column: usize, l: usize| ((column * 2 + l * 11) % 5) as i32 + least_b;
        let mut memory = vec![0u8; 1 << 16];
        let (low, high) = memory.split_at_mut(1 << 15);
        let a_descriptor = fill(low, element, major[0], swizzle, [M, k], value_a);
        let b_descriptor = fill(high, elements[1], major[1], swizzle, [n, k], value_b);
        let b_descriptor = Descriptor { start: 1 << 15, ..b_descriptor };

        let mut a = vec![0.0; M * k];
        let mut b = vec![0.0; k * n];
        let unit = |address: u32| -> [u8; 16] { memory[address as usize..][..16].try_into().unwrap() };
        if a_in_registers {
            for warp in 0..WARPS {
                let per = element.per_word();
                let mut registers = vec![[0; 32]; 4];
                for row in 0..16 {
                    for l in 0..k {
                        let lane = row % 8 * 4 + l % (4 * per) / per;
                        registers[l / (4 * per) * 2 + row / 8][lane] |=
                            encode(element, value_a(16 * warp + row, l)) << (l % per * 8 * element.bytes());
                    }
                }
                wgmma.read_a(warp, &registers, &mut a);
            }
        } else {
            for (row, l, address) in wgmma.a_units(a_descriptor.encode(), 1 << 16).unwrap() {
                wgmma.place_a(&mut a, row, l, &unit(address));
            }
        }
        for (column, l, address) in wgmma.b_units(b_descriptor.encode(), 1 << 16).unwrap() {
            wgmma.place_b(&mut b, column, l, &unit(address));
        }
        let mut d = vec![1.0; M * n];
        wgmma.multiply(&mut a, &b, &mut d);
        for warp in 0..WARPS {
            let mut registers = vec![[0; 32]; wgmma.registers()];
            wgmma.write_accumulators(warp, &d, &mut registers);
            // The manual's figure: thread t of warp w holds d(4j..4j+3) in columns 8j + 2(t%4), +1 of rows t/4, t/4 + 8.
            for j in 0..n / 8 {
                for lane in 0..32 {
                    for i in 0..4 {
                        let row = warp * 16 + lane / 4 + 8 * (i / 2);
                        let column = 8 * j + 2 * (lane % 4) + i % 2;
                        let sum = (0..k).map(|l| value_a(row, l) * value_b(column, l)).sum::<i32>();
                        let want = 1 + if negates { -sum } else { sum };
                        let got = match accumulator {
                            Accumulator::F16 => {
                                Format::F16.decode(registers[2 * j + i / 2][lane] >> (i % 2 * 16) & 0xffff)
                            }
                            Accumulator::F32 => f64::from(f32::from_bits(registers[4 * j + i][lane])),
                            Accumulator::S32 { .. } => f64::from(registers[4 * j + i][lane] as i32),
                        };
                        assert_eq!(got, f64::from(want), "{wgmma:?} {swizzle:?} ({row}, {column})");
                    }
                }
            }
            let mut back = vec![0.0; M * n];
            wgmma.read_accumulators(warp, &registers, &mut back);
            let rows = warp * 16 * n..(warp + 1) * 16 * n;
            assert_eq!(back[rows.clone()], d[rows]);
        }
    }

    #[test]
    fn every_layout_against_integers() {
        let (k, mn) = (Major::K, Major::Mn);
        for swizzle in [Swizzle::None, Swizzle::B32, Swizzle::B64, Swizzle::B128] {
            for element in [Element::F16, Element::BF16] {
                for major in [[k, k], [k, mn], [mn, k], [mn, mn]] {
                    check([element; 2], Accumulator::F32, 64, major, swizzle, false);
                }
                check([element; 2], Accumulator::F32, 128, [k, mn], swizzle, true);
            }
            check([Element::F16; 2], Accumulator::F16, 64, [k, k], swizzle, false);
            check([Element::TF32; 2], Accumulator::F32, 24, [k, k], swizzle, false);
            check([Element::TF32; 2], Accumulator::F32, 256, [k, k], swizzle, true);
            check([Element::E4M3, Element::E5M2], Accumulator::F32, 40, [k, k], swizzle, false);
            check([Element::E5M2, Element::E4M3], Accumulator::F16, 64, [k, k], swizzle, true);
            check([Element::S8, Element::U8], Accumulator::S32 { saturate: false }, 24, [k, k], swizzle, false);
            check([Element::S8; 2], Accumulator::S32 { saturate: true }, 96, [k, k], swizzle, true);
        }
    }

    #[test]
    fn what_does_not_exist() {
        let good = Wgmma {
            n: 64,
            elements: [Element::TF32; 2],
            accumulator: Accumulator::F32,
            negate: [false; 2],
            major: [Major::K; 2],
        };
        assert_eq!(good.validate(), Ok(()));
        assert!(matches!(Wgmma { n: 12, ..good }.validate(), Err(WgmmaError::N(12))));
        assert!(matches!(
            Wgmma { major: [Major::K, Major::Mn], ..good }.validate(),
            Err(WgmmaError::Transpose(Element::TF32))
        ));
        assert!(matches!(Wgmma { accumulator: Accumulator::F16, ..good }.validate(), Err(WgmmaError::Types(..))));
        let integers = Accumulator::S32 { saturate: false };
        let whole = Wgmma { elements: [Element::S8; 2], accumulator: integers, ..good };
        assert_eq!(whole.validate(), Ok(()));
        assert!(matches!(Wgmma { n: 40, ..whole }.validate(), Err(WgmmaError::N(40))));
        assert!(matches!(
            Wgmma { elements: [Element::S8, Element::E4M3], ..whole }.validate(),
            Err(WgmmaError::Types(..))
        ));
        assert!(matches!(
            Wgmma { elements: [Element::F16, Element::BF16], ..good }.validate(),
            Err(WgmmaError::Types(..))
        ));
        assert!(matches!(good.b_units(1 << 15, 4096), Err(WgmmaError::Descriptor { operand: 'B', .. })));
    }
}
