//! Which lane holds which element of a matrix spread over a warp.
//!
//! All shapes of `mma.sync` with 16 rows, and each warp's 16 rows of `wgmma`, share one rule when the operands are
//! seen as matrices of 32-bit words (two f16, one tf32, four s8): eight rows of four words fill a register.
//!
//! Source: PTX ISA, "Warp-level matrix instructions", fragments of mma.m16n8k4 to mma.m16n8k32, and "Asynchronous
//! warpgroup-level matrix register fragment" (there the layouts are given element by element).

/// (row, word) of the 16-row operand A that `register` of `lane` holds.
#[inline(always)]
pub fn a_word(register: usize, lane: usize) -> (usize, usize) {
    (lane / 4 + 8 * (register % 2), lane % 4 + 4 * (register / 2))
}

/// (word, column) of the 8-column operand B that `register` of `lane` holds; words run along k.
#[inline(always)]
pub fn b_word(register: usize, lane: usize) -> (usize, usize) {
    (lane % 4 + 4 * register, lane / 4)
}

/// (row, column) of the 32-bit accumulator that `register` of `lane` holds.
#[inline(always)]
pub fn accumulator(register: usize, lane: usize) -> (usize, usize) {
    (lane / 4 + 8 * (register / 2 % 2), 8 * (register / 4) + 2 * (lane % 4) + register % 2)
}

/// (row, column) of the first of the two f16 accumulators that `register` of `lane` holds; the other is to its right.
#[inline(always)]
pub fn accumulator_pair(register: usize, lane: usize) -> (usize, usize) {
    (lane / 4 + 8 * (register % 2), 8 * (register / 2) + 2 * (lane % 4))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The manual's formulas, element by element: `i` counts the elements of a lane's fragment from the lowest.
    #[test]
    fn words_are_where_the_manual_puts_the_elements() {
        for lane in 0..32 {
            let (group, thread) = (lane >> 2, lane % 4);
            // A of m16n8k16 in f16: eight elements.
            for i in 0..8 {
                let row = if i < 2 || (4..6).contains(&i) { group } else { group + 8 };
                let column = thread * 2 + (i & 1) + if i >= 4 { 8 } else { 0 };
                let (r, w) = a_word(i / 2, lane);
                assert_eq!((r, 2 * w + i % 2), (row, column));
            }
            // B of m16n8k16 in f16: four elements.
            for i in 0..4 {
                let row = thread * 2 + (i & 1) + if i >= 2 { 8 } else { 0 };
                let (w, c) = b_word(i / 2, lane);
                assert_eq!((2 * w + i % 2, c), (row, group));
            }
            // A of m16n8k8 in tf32: four elements, one a register.
            for i in 0..4 {
                let row = if i == 0 || i == 2 { group } else { group + 8 };
                let column = if i < 2 { thread } else { thread + 4 };
                assert_eq!(a_word(i, lane), (row, column));
            }
            // A and B of m16n8k32 in s8: sixteen and eight elements.
            for i in 0..16 {
                let row = if i < 4 || (8..12).contains(&i) { group } else { group + 8 };
                let column = thread * 4 + (i & 3) + if i >= 8 { 16 } else { 0 };
                let (r, w) = a_word(i / 4, lane);
                assert_eq!((r, 4 * w + i % 4), (row, column));
            }
            for i in 0..8 {
                let row = thread * 4 + (i & 3) + if i >= 4 { 16 } else { 0 };
                let (w, c) = b_word(i / 4, lane);
                assert_eq!((4 * w + i % 4, c), (row, group));
            }
            // C of m16n8: four elements.
            for i in 0..4 {
                let row = if i < 2 { group } else { group + 8 };
                let column = thread * 2 + (i & 1);
                assert_eq!(accumulator(i, lane), (row, column));
                let (r, c) = accumulator_pair(i / 2, lane);
                assert_eq!((r, c + i % 2), (row, column));
            }
        }
    }
}
