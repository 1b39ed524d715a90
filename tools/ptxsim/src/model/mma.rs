//! `mma.sync.aligned.m16n8k*`: one warp multiplies a 16 x k by a k x 8 matrix held in its registers.
//!
//! The arithmetic is [`matmul`](super::matmul)'s, the layouts are [`fragment`](super::fragment)'s.

use super::WarpRegister;
use super::fragment::{a_word, accumulator, accumulator_pair, b_word};
use super::matmul::{multiply_add, to_f32};
use crate::num::{Format, Rounding, Saturation, bf16_to_f32, f16_to_f32, tf32_to_f32};

/// The type of the elements that are multiplied.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Element {
    F16,
    BF16,
    TF32,
    E4M3,
    E5M2,
    S8,
    U8,
}

/// The type of the elements that are added to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Accumulator {
    F32,
    F16,
    S32 {
        /// `.satfinite`: clamp instead of wrapping around.
        saturate: bool,
    },
}

impl Element {
    /// Elements in a 32-bit register.
    pub const fn per_word(self) -> usize {
        match self {
            Self::F16 | Self::BF16 => 2,
            Self::TF32 => 1,
            Self::E4M3 | Self::E5M2 | Self::S8 | Self::U8 => 4,
        }
    }

    /// Bytes of an element.
    pub const fn bytes(self) -> usize {
        4 / self.per_word()
    }

    /// The elements of a word, lowest first, into `to`; `stride` is the distance between them there.
    #[inline(always)]
    pub fn unpack(self, word: u32, to: &mut [f64], stride: usize) {
        match self {
            Self::F16 => {
                to[0] = f64::from(f16_to_f32(word as u16));
                to[stride] = f64::from(f16_to_f32((word >> 16) as u16));
            }
            Self::BF16 => {
                to[0] = f64::from(bf16_to_f32(word as u16));
                to[stride] = f64::from(bf16_to_f32((word >> 16) as u16));
            }
            Self::TF32 => to[0] = f64::from(tf32_to_f32(word)),
            Self::E4M3 => (0..4).for_each(|i| to[i * stride] = Format::E4M3.decode(word >> (8 * i) & 0xff)),
            Self::E5M2 => (0..4).for_each(|i| to[i * stride] = Format::E5M2.decode(word >> (8 * i) & 0xff)),
            Self::S8 => (0..4).for_each(|i| to[i * stride] = f64::from((word >> (8 * i)) as i8)),
            Self::U8 => (0..4).for_each(|i| to[i * stride] = f64::from((word >> (8 * i)) as u8)),
        }
    }
}

impl Accumulator {
    /// Registers that hold 16 x n accumulators.
    pub const fn registers(self, n: usize) -> usize {
        match self {
            Self::F16 => n / 4,
            Self::F32 | Self::S32 { .. } => n / 2,
        }
    }

    /// Reads the 16 x n accumulators of a warp into `to`: [16, n].
    #[inline(always)]
    pub fn read(self, n: usize, registers: &[WarpRegister], to: &mut [f64]) {
        for (r, register) in registers.iter().enumerate() {
            for (lane, &bits) in register.iter().enumerate() {
                match self {
                    Self::F16 => {
                        let (row, column) = accumulator_pair(r, lane);
                        Element::F16.unpack(bits, &mut to[row * n + column..], 1);
                    }
                    Self::F32 => {
                        let (row, column) = accumulator(r, lane);
                        to[row * n + column] = f64::from(f32::from_bits(bits));
                    }
                    Self::S32 { .. } => {
                        let (row, column) = accumulator(r, lane);
                        to[row * n + column] = f64::from(bits as i32);
                    }
                }
            }
        }
    }

    /// Rounds `from`: [16, n] into the registers of a warp.
    #[inline(always)]
    pub fn write(self, n: usize, from: &[f64], registers: &mut [WarpRegister]) {
        for (r, register) in registers.iter_mut().enumerate() {
            for (lane, bits) in register.iter_mut().enumerate() {
                *bits = match self {
                    Self::F16 => {
                        let (row, column) = accumulator_pair(r, lane);
                        let half = |x| Format::F16.encode(x, Rounding::NearestEven, Saturation::default());
                        half(from[row * n + column]) | half(from[row * n + column + 1]) << 16
                    }
                    Self::F32 => {
                        let (row, column) = accumulator(r, lane);
                        to_f32(from[row * n + column])
                    }
                    Self::S32 { saturate } => {
                        let (row, column) = accumulator(r, lane);
                        let x = from[row * n + column] as i64;
                        if saturate { x.clamp(i64::from(i32::MIN), i64::from(i32::MAX)) as u32 } else { x as u32 }
                    }
                };
            }
        }
    }
}

/// The shape and types of one `mma.sync`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Mma {
    pub k: usize,
    pub a: Element,
    pub b: Element,
    pub accumulator: Accumulator,
}

/// The largest k, of m16n8k32.
const MAX_K: usize = 32;

impl Mma {
    /// Whether the instruction set has this combination with 16 rows and 8 columns.
    pub fn is_supported(&self) -> bool {
        use Element::*;
        match (self.a, self.b, self.accumulator) {
            (F16, F16, Accumulator::F16 | Accumulator::F32) | (BF16, BF16, Accumulator::F32) => {
                matches!(self.k, 8 | 16)
            }
            (TF32, TF32, Accumulator::F32) => matches!(self.k, 4 | 8),
            (S8 | U8, S8 | U8, Accumulator::S32 { .. }) => matches!(self.k, 16 | 32),
            (E4M3 | E5M2, E4M3 | E5M2, Accumulator::F16 | Accumulator::F32) => matches!(self.k, 16 | 32),
            _ => false,
        }
    }

    /// Registers of operands a, b and c; d has as many as c.
    pub fn registers(&self) -> [usize; 3] {
        let words = self.k / self.a.per_word();
        [words / 2, words / 4, self.accumulator.registers(8)]
    }

    /// `d = a * b + c`.
    ///
    /// # Panics
    /// If the operands do not have as many registers as [`registers`](Self::registers) says.
    pub fn execute(&self, a: &[WarpRegister], b: &[WarpRegister], c: &[WarpRegister], d: &mut [WarpRegister]) {
        assert_eq!([a.len(), b.len(), c.len()], self.registers());
        assert_eq!(c.len(), d.len());
        let k = self.k;
        let mut left = [0.0; 16 * MAX_K];
        let mut right = [0.0; MAX_K * 8];
        let mut sums = [0.0; 16 * 8];
        read_a(self.a, k, a, &mut left[..16 * k]);
        let per_word = self.b.per_word();
        for (r, register) in b.iter().enumerate() {
            for (lane, &word) in register.iter().enumerate() {
                let (row, column) = b_word(r, lane);
                self.b.unpack(word, &mut right[row * per_word * 8 + column..], 8);
            }
        }
        self.accumulator.read(8, c, &mut sums);
        multiply_add([16, 8, k], &left[..16 * k], &right[..k * 8], &mut sums);
        self.accumulator.write(8, &sums, d);
    }
}

/// Reads a warp's 16 x k operand A into `to`: [16, k].
#[inline(always)]
pub fn read_a(element: Element, k: usize, registers: &[WarpRegister], to: &mut [f64]) {
    let per_word = element.per_word();
    for (r, register) in registers.iter().enumerate() {
        for (lane, &word) in register.iter().enumerate() {
            let (row, column) = a_word(r, lane);
            element.unpack(word, &mut to[row * k + column * per_word..], 1);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn random(seed: u64) -> impl FnMut() -> u32 {
        let mut state = seed;
        move || {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (state >> 33) as u32
        }
    }

    /// A small exact value as bits of `element`.
    fn encode(element: Element, x: i32) -> u32 {
        let to = |format: Format| format.encode(f64::from(x), Rounding::NearestEven, Saturation::default());
        match element {
            Element::F16 => to(Format::F16),
            Element::BF16 => to(Format::BF16),
            Element::TF32 => to(Format::TF32) | 0x1abc, // the low bits must not matter
            Element::E4M3 => to(Format::E4M3),
            Element::E5M2 => to(Format::E5M2),
            Element::S8 | Element::U8 => x as u8 as u32,
        }
    }

    /// Places the matrices by the manual's per-element formulas (whole-matrix loops, not the word rule), multiplies
    /// with integers, and looks the result up the same way.
    fn check(mma: Mma) {
        assert!(mma.is_supported(), "{mma:?}");
        let mut next = random(mma.k as u64 + 1);
        let mut small = |element| if element == Element::U8 { (next() % 9) as i32 } else { (next() % 9) as i32 - 4 };
        let a: Vec<Vec<i32>> = (0..16).map(|_| (0..mma.k).map(|_| small(mma.a)).collect()).collect();
        let b: Vec<Vec<i32>> = (0..mma.k).map(|_| (0..8).map(|_| small(mma.b)).collect()).collect();
        let c: Vec<Vec<i32>> = (0..16).map(|_| (0..8).map(|_| small(Element::S8)).collect()).collect();
        let [na, nb, nc] = mma.registers();
        let (mut ra, mut rb, mut rc) = (vec![[0; 32]; na], vec![[0; 32]; nb], vec![[0; 32]; nc]);
        let per = mma.a.per_word();
        // From an element to its place: the inverse of the layouts' formulas.
        for (row, values) in a.iter().enumerate() {
            for (column, &x) in values.iter().enumerate() {
                let lane = row % 8 * 4 + column % (4 * per) / per;
                let register = column / (4 * per) * 2 + row / 8;
                ra[register][lane] |= encode(mma.a, x) << (column % per * 8 * mma.a.bytes());
            }
        }
        for (row, values) in b.iter().enumerate() {
            for (column, &x) in values.iter().enumerate() {
                let lane = column * 4 + row % (4 * per) / per;
                rb[row / (4 * per)][lane] |= encode(mma.b, x) << (row % per * 8 * mma.b.bytes());
            }
        }
        let place = |row: usize, column: usize| (row % 8 * 4 + column / 2, row / 8, column % 2);
        for (row, values) in c.iter().enumerate() {
            for (column, &x) in values.iter().enumerate() {
                let (lane, upper, odd) = place(row, column);
                match mma.accumulator {
                    Accumulator::F32 => rc[upper * 2 + odd][lane] = (x as f32).to_bits(),
                    Accumulator::S32 { .. } => rc[upper * 2 + odd][lane] = x as u32,
                    Accumulator::F16 => rc[upper][lane] |= encode(Element::F16, x) << (16 * odd),
                }
            }
        }
        let mut rd = vec![[0; 32]; nc];
        mma.execute(&ra, &rb, &rc, &mut rd);
        for row in 0..16 {
            for column in 0..8 {
                let want = c[row][column] + (0..mma.k).map(|l| a[row][l] * b[l][column]).sum::<i32>();
                let (lane, upper, odd) = place(row, column);
                let got = match mma.accumulator {
                    Accumulator::F32 => f64::from(f32::from_bits(rd[upper * 2 + odd][lane])),
                    Accumulator::S32 { .. } => f64::from(rd[upper * 2 + odd][lane] as i32),
                    Accumulator::F16 => Format::F16.decode(rd[upper][lane] >> (16 * odd) & 0xffff),
                };
                assert_eq!(got, f64::from(want), "{mma:?} at ({row}, {column})");
            }
        }
    }

    #[test]
    fn every_shape_against_integers() {
        let s32 = Accumulator::S32 { saturate: false };
        for (k, a, b, accumulator) in [
            (8, Element::F16, Element::F16, Accumulator::F32),
            (16, Element::F16, Element::F16, Accumulator::F32),
            (8, Element::F16, Element::F16, Accumulator::F16),
            (16, Element::F16, Element::F16, Accumulator::F16),
            (8, Element::BF16, Element::BF16, Accumulator::F32),
            (16, Element::BF16, Element::BF16, Accumulator::F32),
            (4, Element::TF32, Element::TF32, Accumulator::F32),
            (8, Element::TF32, Element::TF32, Accumulator::F32),
            (16, Element::S8, Element::S8, s32),
            (32, Element::S8, Element::U8, s32),
            (32, Element::U8, Element::S8, s32),
            (16, Element::E4M3, Element::E5M2, Accumulator::F32),
            (32, Element::E5M2, Element::E4M3, Accumulator::F32),
            (32, Element::E4M3, Element::E4M3, Accumulator::F16),
        ] {
            check(Mma { k, a, b, accumulator });
        }
    }

    #[test]
    fn the_sum_is_rounded_once() {
        // 2^24 + 1 + 1: added in f32 one by one, both ones would be lost.
        let mma = Mma { k: 8, a: Element::BF16, b: Element::BF16, accumulator: Accumulator::F32 };
        let one = 0x3f80_3f80;
        let mut d = [[0; 32]; 4];
        let c = [[16_777_216f32.to_bits(); 32]; 4];
        let mut a = [[0; 32]; 2];
        a[0][0] = one;
        mma.execute(&a, &[[one; 32]], &c, &mut d);
        assert_eq!(f32::from_bits(d[0][0]), 16_777_218.0);
    }
}
