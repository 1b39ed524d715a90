//! Rows as whole numbers of eight bits, and which pairs may be near by their products.
//!
//! A row is `scale * (code - 128)`, with codes of 1 to 255 and `scale = max |y| / 127`; a query is quantized likewise, its
//! numbers signed. How far a row is from its codes is measured and kept, so that the bound (see `bound`) holds whatever the
//! values are. The product of two is exact in 32 bits: `sum code * q - 128 sum q`. Rows lie in whole cache lines, padded with 128.
//!
//! With VNNI one instruction multiplies and adds four bytes in each of 16 lanes. Of many queries lanes are queries, as in
//! `product`; of a few, lanes lie along the row, which is then read at the speed of memory. Without VNNI the compiler's loops
//! do the same sums.

use bytemuck::{Pod, Zeroable};

use crate::backend::cpu::simd::Isa;
use crate::backend::cpu::vectorized::vectorized;

/// Bytes of a cache line, and of the widest vector.
const LINE: usize = 64;
/// Queries of the wider tile.
pub(super) const WIDTH: usize = 32;
/// Rows of the tallest tile.
pub(super) const HEIGHT: usize = 13;

/// What is known of a row's codes.
#[derive(Clone, Copy, Debug, PartialEq, Pod, Zeroable)]
#[repr(C)]
pub(crate) struct Coded {
    /// What a code's unit stands for.
    pub scale: f32,
    /// A bound on the distance between the row and what its codes stand for.
    pub error: f32,
}

/// Bytes of a row's codes.
pub(crate) fn stride(dim: usize) -> usize {
    dim.next_multiple_of(LINE)
}

/// Quantizes a row into `stride(dim)` codes.
pub(crate) fn encode(row: &[f32], codes: &mut [u8]) -> Coded {
    let (scale, inverse) = scale_of(row);
    codes[row.len()..].fill(128);
    for (code, &y) in codes.iter_mut().zip(row) {
        *code = (quantized(y, inverse) + 128) as u8;
    }
    let error = row.iter().zip(&*codes).map(|(&y, &code)| {
        let error = f64::from(y) - f64::from(scale) * f64::from(i32::from(code) - 128);
        error * error
    });
    Coded { scale, error: rounded_up(error.sum()) }
}

/// The unit of a vector's codes, and its inverse; both 0 where nothing but 0 can be told.
fn scale_of(values: &[f32]) -> (f32, f32) {
    let most = values.iter().fold(0.0f32, |most, y| most.max(y.abs()));
    let scale = most / 127.0;
    // Of a scale below the normal numbers there may be no inverse.
    if scale < f32::MIN_POSITIVE { (0.0, 0.0) } else { (scale, 1.0 / scale) }
}

/// `y` in units, rounded to even: of a number so large the last bit is 1, and its bits are the integer's.
fn quantized(y: f32, inverse: f32) -> i32 {
    const LARGE: f32 = 12_582_912.0;
    let rounded = (y * inverse).clamp(-127.0, 127.0) + LARGE;
    rounded.to_bits() as i32 - LARGE.to_bits() as i32
}

/// A length in f32 from a squared length in f64, not below it; the sum's own rounding is far below 2^-30.
fn rounded_up(square: f64) -> f32 {
    ((square * (1.0 + (-30f64).exp2())).sqrt() as f32).next_up()
}

/// Queries that meet all rows together, quantized: at most `WIDTH`.
pub(super) struct Coding {
    /// How many vectors of 16 queries: 1 or 2; 0 where the queries lie one after the other.
    #[cfg_attr(not(target_arch = "x86_64"), allow(dead_code))]
    vectors: usize,
    stride: usize,
    /// `[stride / 4][vectors * 16][4]`, or `[queries][stride]`.
    panel: Vec<i8>,
    /// For each query `-128 sum q`.
    offsets: Vec<i32>,
    scales: Vec<f32>,
    /// `|x'|`.
    lengths: Vec<f32>,
    /// A bound on `|x - x'|`.
    errors: Vec<f32>,
}

impl Coding {
    /// Quantizes queries. `few` lays them one after the other.
    pub fn new(queries: &[f32], dim: usize, few: bool) -> Self {
        let (n, stride) = (queries.len() / dim, stride(dim));
        let vectors = if few { 0 } else { n.div_ceil(16) };
        let width = if few { n } else { vectors * 16 };
        let mut coding = Coding {
            vectors,
            stride,
            panel: vec![0; width * stride],
            offsets: vec![0; width],
            scales: vec![0.0; width],
            lengths: vec![0.0; width],
            errors: vec![0.0; width],
        };
        for (i, query) in queries.chunks_exact(dim).enumerate() {
            let (scale, inverse) = scale_of(query);
            let (mut sum, mut length, mut error) = (0, 0.0, 0.0);
            for (k, &x) in query.iter().enumerate() {
                let q = quantized(x, inverse);
                let at = if few { i * stride + k } else { (k / 4 * width + i) * 4 + k % 4 };
                coding.panel[at] = q as i8;
                sum += q;
                let real = f64::from(scale) * f64::from(q);
                length += real * real;
                error += (f64::from(x) - real) * (f64::from(x) - real);
            }
            coding.offsets[i] = -128 * sum;
            coding.scales[i] = scale;
            coding.lengths[i] = rounded_up(length);
            coding.errors[i] = rounded_up(error);
        }
        coding
    }

    /// How many queries there are, those that fill vectors included.
    pub fn width(&self) -> usize {
        self.scales.len()
    }
}

/// A tile's work: rows against all queries of a coding.
pub(super) struct CodeTile<'a> {
    pub coding: &'a Coding,
    /// The rows' codes, and what is known of them.
    pub codes: &'a [u8],
    pub coded: &'a [Coded],
    /// From `bound`, for each row: the comparison's part, and the length.
    pub half: &'a [f32],
    pub lengths: &'a [f32],
    /// The most that each query lets pass.
    pub limits: &'a [f32],
    /// How many bytes on the codes lie that are asked for meanwhile; 0 for none.
    #[cfg_attr(not(target_arch = "x86_64"), allow(dead_code))]
    pub ahead: usize,
    /// For each row a bit for each query that passes.
    pub passed: &'a mut [u32],
}

impl CodeTile<'_> {
    /// Whether any pair passes; `passed` says which.
    pub fn run(self, isa: Isa) -> bool {
        let rows = self.coded.len();
        assert!(self.codes.len() == rows * self.coding.stride && self.half.len() == rows && self.lengths.len() == rows);
        assert!(self.limits.len() == self.coding.scales.len() && self.passed.len() == rows);
        #[cfg(target_arch = "x86_64")]
        if vnni::is_available(isa) {
            // SAFETY: the instructions are there, and the extents were checked.
            return unsafe {
                match self.coding.vectors {
                    0 => vnni::few(self),
                    _ => vnni::tile(self),
                }
            };
        }
        let coding = self.coding;
        filter(isa, coding, self.codes, self.coded, self.half, self.lengths, self.limits, self.passed)
    }
}

/// Whether this number of queries is best laid one after the other.
pub(super) fn lies_in_rows(isa: Isa, queries: usize) -> bool {
    #[cfg(target_arch = "x86_64")]
    if vnni::is_available(isa) {
        return queries <= super::FEW;
    }
    let _ = (isa, queries);
    true
}

vectorized! {
    /// As the tile with VNNI does, of queries that lie one after the other.
    fn filter(
        coding: &Coding,
        codes: &[u8],
        coded: &[Coded],
        half: &[f32],
        lengths: &[f32],
        limits: &[f32],
        passed: &mut [u32],
    ) -> bool {
        let mut any = 0;
        for (row, codes) in codes.chunks_exact(coding.stride).enumerate() {
            passed[row] = 0;
            for (i, query) in coding.panel.chunks_exact(coding.stride).enumerate() {
                let mut sums = [0i32; 16];
                for (codes, query) in codes.chunks_exact(16).zip(query.chunks_exact(16)) {
                    for j in 0..16 {
                        sums[j] += i32::from(codes[j]) * i32::from(query[j]);
                    }
                }
                let product = (sums.iter().sum::<i32>() + coding.offsets[i]) as f32;
                let errors = coding.lengths[i] * coded[row].error + coding.errors[i] * lengths[row];
                let left = half[row] - errors - coding.scales[i] * coded[row].scale * product;
                passed[row] |= u32::from(left <= limits[i]) << i;
            }
            any |= passed[row];
        }
        any != 0
    }
}

#[cfg(target_arch = "x86_64")]
mod vnni {
    use std::arch::x86_64::*;

    use super::{CodeTile, HEIGHT, Isa, LINE};
    use crate::backend::cpu::simd::prefetch;

    /// Bytes that a long scan asks for before it needs them.
    const AHEAD: usize = 4096;

    pub(super) fn is_available(isa: Isa) -> bool {
        isa >= Isa::Avx512 && is_x86_feature_detected!("avx512vnni")
    }

    /// # Safety
    /// The instructions are there, and the extents are as [`CodeTile::run`] checks; queries lie one after the other.
    #[target_feature(enable = "avx512f,avx512vnni")]
    pub(super) unsafe fn few(task: CodeTile) -> bool {
        let (coding, mut any) = (task.coding, 0);
        let stride = coding.stride;
        for (row, codes) in task.codes.chunks_exact(stride).enumerate() {
            codes.chunks(LINE).for_each(|line| prefetch(line.as_ptr().wrapping_add(AHEAD).cast()));
            let coded = task.coded[row];
            let mut passed = 0;
            for (i, query) in coding.panel.chunks_exact(stride).enumerate() {
                let mut sums = [_mm512_setzero_si512(); 2];
                for (j, (codes, query)) in codes.chunks_exact(64).zip(query.chunks_exact(64)).enumerate() {
                    // SAFETY: both have 64 bytes.
                    let (codes, query) = unsafe {
                        (_mm512_loadu_si512(codes.as_ptr().cast()), _mm512_loadu_si512(query.as_ptr().cast()))
                    };
                    sums[j % 2] = _mm512_dpbusd_epi32(sums[j % 2], codes, query);
                }
                let product = _mm512_reduce_add_epi32(_mm512_add_epi32(sums[0], sums[1])) + coding.offsets[i];
                let errors = coding.lengths[i] * coded.error + coding.errors[i] * task.lengths[row];
                let left = task.half[row] - errors - coding.scales[i] * coded.scale * product as f32;
                passed |= u32::from(left <= task.limits[i]) << i;
            }
            task.passed[row] = passed;
            any |= passed;
        }
        any != 0
    }

    /// # Safety
    /// As [`few`], of queries in a panel.
    #[target_feature(enable = "avx512f,avx512vnni")]
    pub(super) unsafe fn tile(task: CodeTile) -> bool {
        macro_rules! by_rows {
            ($($rows:literal)+) => {
                // SAFETY: the caller's promises.
                unsafe {
                    match (task.coded.len(), task.coding.vectors) {
                        $(($rows, 1) => kernel::<$rows, 1>(task), ($rows, _) => kernel::<$rows, 2>(task),)+
                        (rows, _) => unreachable!("no tile of {rows} rows"),
                    }
                }
            };
        }
        const { assert!(HEIGHT == 13) };
        by_rows!(1 2 3 4 5 6 7 8 9 10 11 12 13)
    }

    /// # Safety
    /// As [`tile`]; there are ROWS rows and VECTORS vectors of queries.
    // Indices are constants once unrolled, and show which register meets which.
    #[allow(clippy::needless_range_loop)]
    #[inline]
    #[target_feature(enable = "avx512f,avx512vnni")]
    unsafe fn kernel<const ROWS: usize, const VECTORS: usize>(task: CodeTile) -> bool {
        let coding = task.coding;
        let (codes, stride, panel) = (task.codes.as_ptr(), coding.stride, coding.panel.as_ptr());
        // SAFETY: rows have `stride` bytes, the panel VECTORS vectors for each four of them, what is kept of rows ROWS
        // values and of queries VECTORS vectors.
        unsafe {
            let vector = |of: &[f32], v: usize| _mm512_loadu_ps(of.as_ptr().add(16 * v));
            let mut acc = [[_mm512_setzero_si512(); VECTORS]; ROWS];
            for k in 0..stride / 4 {
                if task.ahead > 0 && k.is_multiple_of(16) {
                    for row in 0..ROWS {
                        prefetch(codes.wrapping_add(task.ahead + row * stride + 4 * k).cast());
                    }
                }
                let mut queries = [_mm512_setzero_si512(); VECTORS];
                for v in 0..VECTORS {
                    queries[v] = _mm512_loadu_si512(panel.add((k * VECTORS + v) * 64).cast());
                }
                for row in 0..ROWS {
                    let four = _mm512_set1_epi32(codes.add(row * stride + 4 * k).cast::<i32>().read_unaligned());
                    for v in 0..VECTORS {
                        acc[row][v] = _mm512_dpbusd_epi32(acc[row][v], four, queries[v]);
                    }
                }
            }
            let mut any = 0;
            for row in 0..ROWS {
                let coded = *task.coded.get_unchecked(row);
                let [half, error, length, scale] =
                    [task.half[row], coded.error, task.lengths[row], coded.scale].map(|x| _mm512_set1_ps(x));
                let mut passed = 0;
                for v in 0..VECTORS {
                    let offsets = _mm512_loadu_si512(coding.offsets.as_ptr().add(16 * v).cast());
                    let product = _mm512_cvtepi32_ps(_mm512_add_epi32(acc[row][v], offsets));
                    let scale = _mm512_mul_ps(vector(&coding.scales, v), scale);
                    let left = _mm512_fnmadd_ps(vector(&coding.lengths, v), error, half);
                    let left = _mm512_fnmadd_ps(vector(&coding.errors, v), length, left);
                    let left = _mm512_fnmadd_ps(scale, product, left);
                    let mask = _mm512_cmp_ps_mask::<_CMP_LE_OQ>(left, vector(task.limits, v));
                    passed |= u32::from(mask) << (16 * v);
                }
                task.passed[row] = passed;
                any |= passed;
            }
            any != 0
        }
    }
}
