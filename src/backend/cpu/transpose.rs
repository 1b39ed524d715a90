//! Matrices turned over, a block of as many rows and columns as a vector has lanes at a time.

use super::simd::{Isa, Lanes8, Simd, per_isa};

/// `to[column, row] = from[row, column]`.
pub(super) struct Transpose {
    /// The matrix, and values from one row to the next.
    pub from: *const f32,
    pub from_row: usize,
    /// The turned matrix, and values from one of its rows to the next.
    pub to: *mut f32,
    pub to_row: usize,
    /// Rows of `from`: whole vectors.
    pub rows: usize,
    /// Columns of `from`.
    pub columns: usize,
}

impl Transpose {
    /// Turns it over with the vectors of `isa`.
    ///
    /// # Safety
    /// The machine has `isa`; `from` is readable, `to` writable, and they do not overlap.
    pub unsafe fn run(self, isa: Isa) {
        assert_eq!(self.rows % isa.lanes(), 0);
        // SAFETY: the caller's promises are this function's.
        unsafe { by_isa(isa, self) }
    }
}

per_isa!(Transpose);

/// # Safety
/// As [`Transpose::run`].
#[inline(always)]
unsafe fn dispatch<V: Block>(matrix: Transpose) {
    let Transpose { from, from_row, to, to_row, rows, columns } = matrix;
    let whole = columns / V::LANES * V::LANES;
    // SAFETY: blocks and what is left lie within both.
    unsafe {
        for column in (0..whole).step_by(V::LANES) {
            for row in (0..rows).step_by(V::LANES) {
                V::transpose(from.add(row * from_row + column), from_row, to.add(column * to_row + row), to_row);
            }
        }
        for column in whole..columns {
            for row in 0..rows {
                *to.add(column * to_row + row) = *from.add(row * from_row + column);
            }
        }
    }
}

/// A vector that can turn over a block of as many rows as it has lanes.
trait Block: Simd {
    /// # Safety
    /// As [`Transpose::run`], for a block.
    unsafe fn transpose(from: *const f32, from_row: usize, to: *mut f32, to_row: usize);
}

impl Block for Lanes8 {
    #[inline(always)]
    unsafe fn transpose(from: *const f32, from_row: usize, to: *mut f32, to_row: usize) {
        for column in 0..Self::LANES {
            for row in 0..Self::LANES {
                // SAFETY: within the block.
                unsafe { *to.add(column * to_row + row) = *from.add(row * from_row + column) };
            }
        }
    }
}

#[cfg(target_arch = "x86_64")]
mod x86 {
    use std::arch::x86_64::*;

    use super::Block;

    impl Block for __m256 {
        #[inline(always)]
        unsafe fn transpose(from: *const f32, from_row: usize, to: *mut f32, to_row: usize) {
            // SAFETY: within the block, as the caller promises.
            unsafe {
                let mut rows = [_mm256_setzero_ps(); 8];
                for (i, row) in rows.iter_mut().enumerate() {
                    *row = _mm256_loadu_ps(from.add(i * from_row));
                }
                // fours[4 i + q]: of rows 4 i to 4 i + 3, column q of each quarter.
                let mut fours = rows;
                for i in [0, 4] {
                    for (q, [ab, cd]) in [
                        (0, [_mm256_unpacklo_ps(rows[i], rows[i + 1]), _mm256_unpacklo_ps(rows[i + 2], rows[i + 3])]),
                        (2, [_mm256_unpackhi_ps(rows[i], rows[i + 1]), _mm256_unpackhi_ps(rows[i + 2], rows[i + 3])]),
                    ] {
                        let (ab, cd) = (_mm256_castps_pd(ab), _mm256_castps_pd(cd));
                        fours[i + q] = _mm256_castpd_ps(_mm256_unpacklo_pd(ab, cd));
                        fours[i + q + 1] = _mm256_castpd_ps(_mm256_unpackhi_pd(ab, cd));
                    }
                }
                for q in 0..4 {
                    let (a, b) = (fours[q], fours[4 + q]);
                    _mm256_storeu_ps(to.add(q * to_row), _mm256_permute2f128_ps::<0x20>(a, b));
                    _mm256_storeu_ps(to.add((4 + q) * to_row), _mm256_permute2f128_ps::<0x31>(a, b));
                }
            }
        }
    }

    impl Block for __m512 {
        #[inline(always)]
        unsafe fn transpose(from: *const f32, from_row: usize, to: *mut f32, to_row: usize) {
            // SAFETY: within the block, as the caller promises.
            unsafe {
                let mut rows = [_mm512_setzero_ps(); 16];
                for (i, row) in rows.iter_mut().enumerate() {
                    *row = _mm512_loadu_ps(from.add(i * from_row));
                }
                // fours[4 i + q]: of rows 4 i to 4 i + 3, column q of each quarter.
                let mut fours = rows;
                for i in [0, 4, 8, 12] {
                    for (q, [ab, cd]) in [
                        (0, [_mm512_unpacklo_ps(rows[i], rows[i + 1]), _mm512_unpacklo_ps(rows[i + 2], rows[i + 3])]),
                        (2, [_mm512_unpackhi_ps(rows[i], rows[i + 1]), _mm512_unpackhi_ps(rows[i + 2], rows[i + 3])]),
                    ] {
                        let (ab, cd) = (_mm512_castps_pd(ab), _mm512_castps_pd(cd));
                        fours[i + q] = _mm512_castpd_ps(_mm512_unpacklo_pd(ab, cd));
                        fours[i + q + 1] = _mm512_castpd_ps(_mm512_unpackhi_pd(ab, cd));
                    }
                }
                for q in 0..4 {
                    let (a, b, c, d) = (fours[q], fours[4 + q], fours[8 + q], fours[12 + q]);
                    // Quarters 0 and 2, then 1 and 3, of all sixteen rows.
                    let even = [_mm512_shuffle_f32x4::<0x88>(a, b), _mm512_shuffle_f32x4::<0x88>(c, d)];
                    let odd = [_mm512_shuffle_f32x4::<0xdd>(a, b), _mm512_shuffle_f32x4::<0xdd>(c, d)];
                    for (quarter, [low, high]) in [(0, even), (4, odd)] {
                        let first = _mm512_shuffle_f32x4::<0x88>(low, high);
                        let second = _mm512_shuffle_f32x4::<0xdd>(low, high);
                        _mm512_storeu_ps(to.add((quarter + q) * to_row), first);
                        _mm512_storeu_ps(to.add((quarter + 8 + q) * to_row), second);
                    }
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_value_finds_its_place() {
        for isa in Isa::ALL.into_iter().filter(|isa| isa.is_available()) {
            let (rows, columns, from_row, to_row) = (2 * isa.lanes(), isa.lanes() + 5, 40, 37);
            let from: Vec<f32> = (0..rows * from_row).map(|i| i as f32).collect();
            let mut to = vec![-1.0; columns * to_row];
            let matrix = Transpose { from: from.as_ptr(), from_row, to: to.as_mut_ptr(), to_row, rows, columns };
            // SAFETY: both have so many rows, and the machine the instructions.
            unsafe { matrix.run(isa) };
            for (at, &value) in to.iter().enumerate() {
                let (column, row) = (at / to_row, at % to_row);
                let expected = if row < rows { from[row * from_row + column] } else { -1.0 };
                assert_eq!(value, expected, "{isa}, row {row}, column {column}");
            }
        }
    }
}
