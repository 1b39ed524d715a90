//! `ldmatrix`, `stmatrix` and `movmatrix`: 8 x 8 matrices of 16-bit elements between rows of 16 bytes and a register.
//!
//! Source: PTX ISA, `ldmatrix`: of `.x1`, `.x2`, `.x4`, matrix i takes its eight row addresses from lanes 8 i to
//! 8 i + 7 and goes to destination register i; lane l receives elements 2 (l mod 4) and the next of row l / 4.
//! `.trans` reads the matrix as if its rows were columns.

use super::WarpRegister;

/// Eight rows of eight 16-bit elements.
pub type Matrix = [[u16; 8]; 8];

/// The lane whose address is that of `row` of the `matrix`-th matrix.
#[inline(always)]
pub fn address_lane(matrix: usize, row: usize) -> usize {
    8 * matrix + row
}

/// The register into which `ldmatrix` reads `matrix`.
pub fn distribute(matrix: &Matrix, transposed: bool) -> WarpRegister {
    std::array::from_fn(|lane| {
        let (row, column) = (lane / 4, lane % 4 * 2);
        let [low, high] = if transposed {
            [matrix[column][row], matrix[column + 1][row]]
        } else {
            [matrix[row][column], matrix[row][column + 1]]
        };
        u32::from(low) | u32::from(high) << 16
    })
}

/// The matrix that `stmatrix` writes from a register.
pub fn collect(register: &WarpRegister, transposed: bool) -> Matrix {
    let mut matrix = [[0; 8]; 8];
    for (lane, &word) in register.iter().enumerate() {
        for (i, element) in [word as u16, (word >> 16) as u16].into_iter().enumerate() {
            let (row, column) = (lane / 4, lane % 4 * 2 + i);
            let (row, column) = if transposed { (column, row) } else { (row, column) };
            matrix[row][column] = element;
        }
    }
    matrix
}

/// `movmatrix.sync.aligned.m8n8.trans.b16`: transposes a matrix across the registers of a warp.
pub fn transpose(register: &WarpRegister) -> WarpRegister {
    distribute(&collect(register, false), true)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn numbered() -> Matrix {
        std::array::from_fn(|row| std::array::from_fn(|column| (row * 8 + column) as u16))
    }

    #[test]
    fn hand_placed_elements() {
        let plain = distribute(&numbered(), false);
        assert_eq!(plain[0], 0x0001_0000);
        assert_eq!(plain[5], 0x000b_000a); // row 1, columns 2 and 3
        assert_eq!(plain[31], 0x003f_003e);
        let transposed = distribute(&numbered(), true);
        assert_eq!(transposed[0], 0x0008_0000); // column 0 of rows 0 and 1
        assert_eq!(transposed[5], 0x0019_0011); // column 1 of rows 2 and 3
        assert_eq!(address_lane(3, 7), 31);
    }

    #[test]
    fn storing_undoes_loading() {
        for transposed in [false, true] {
            assert_eq!(collect(&distribute(&numbered(), transposed), transposed), numbered());
        }
        assert_eq!(transpose(&distribute(&numbered(), false)), distribute(&numbered(), true));
    }
}
