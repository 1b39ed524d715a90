//! How many times the banks of shared memory are used for one access of a warp.
//!
//! 32 banks, each four bytes wide, lie side by side, and lanes that want the same word share it (CUDA C++ Programming Guide,
//! "Shared Memory" of each compute capability since 5.x). A pass over the banks is what Nsight Compute calls a wavefront
//! (Kernel Profiling Guide, "Metrics Decoder"); it counts `l1tex__data_pipe_lsu_wavefronts_mem_shared`. 128 bytes a pass are
//! all there are, so a warp's accesses of 8 bytes go by halves, and those of 16 by quarters: `LDS.128` without conflicts takes
//! four. On 7.x, and maybe later, pairs of lanes with the same address let two of these go as one; that is not counted here.

/// Bytes that a bank gives in one pass.
const BANK: u64 = 4;
/// Banks.
const BANKS: usize = 32;

/// Passes over the banks, and how many there would be without conflicts, for accesses of `len` bytes by the lanes of `mask`.
pub fn wavefronts(at: &[u64; 32], mask: u32, len: u64) -> [u64; 2] {
    let lanes = (32 * BANK / len.max(BANK)) as usize;
    let mut out = [0; 2];
    for first in (0..32).step_by(lanes.max(1)) {
        let of_phase = (first..first + lanes.max(1)).filter(|&l| mask >> l & 1 != 0);
        let mut words = [0; BANKS];
        let mut count = 0;
        for lane in of_phase {
            let first = at[lane] / BANK;
            for word in first..first + len.div_ceil(BANK) {
                if !words[..count].contains(&word) {
                    words[count] = word;
                    count += 1;
                }
            }
        }
        if count > 0 {
            out[0] += most_in_a_bank(&words[..count]);
            out[1] += 1;
        }
    }
    out
}

/// The same for atomic operations: lanes that change one word follow each other, and nothing is shared.
pub fn serial(at: &[u64; 32], mask: u32) -> [u64; 2] {
    let words: Vec<u64> = (0..32).filter(|&l| mask >> l & 1 != 0).map(|l| at[l] / BANK).collect();
    [most_in_a_bank(&words), u64::from(mask != 0)]
}

/// The same for units of 16 bytes, eight at a time, as `ldmatrix` and the tensor cores read them.
pub fn of_units(addresses: &[u32]) -> [u64; 2] {
    let mut out = [0; 2];
    for group in addresses.chunks(8) {
        let mut at = [0; 32];
        group.iter().enumerate().for_each(|(i, &address)| at[i] = u64::from(address));
        let [passes, ideal] = wavefronts(&at, (1 << group.len()) - 1, 16);
        out = [out[0] + passes, out[1] + ideal];
    }
    out
}

fn most_in_a_bank(words: &[u64]) -> u64 {
    let mut banks = [0; BANKS];
    words.iter().for_each(|word| banks[(word % BANKS as u64) as usize] += 1);
    banks.into_iter().max().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn strided(bytes: u64) -> [u64; 32] {
        std::array::from_fn(|l| l as u64 * bytes)
    }

    #[test]
    fn strides_of_words() {
        for (stride, passes) in [(1, 1), (2, 2), (3, 1), (8, 8), (16, 16), (31, 1), (32, 32), (33, 1)] {
            assert_eq!(wavefronts(&strided(4 * stride), u32::MAX, 4), [passes, 1], "{stride}");
        }
        // One word for all, bytes and halves of words, and half of the lanes.
        assert_eq!(wavefronts(&[64; 32], u32::MAX, 4), [1, 1]);
        assert_eq!(wavefronts(&strided(1), u32::MAX, 1), [1, 1]);
        assert_eq!(wavefronts(&strided(2), u32::MAX, 2), [1, 1]);
        assert_eq!(wavefronts(&strided(128), 0xff, 4), [8, 1]);
        assert_eq!(wavefronts(&strided(4), 0, 4), [0, 0]);
    }

    #[test]
    fn wide_accesses_go_in_parts() {
        assert_eq!(wavefronts(&strided(8), u32::MAX, 8), [2, 2]);
        assert_eq!(wavefronts(&strided(16), u32::MAX, 8), [4, 2]);
        assert_eq!(wavefronts(&strided(16), u32::MAX, 16), [4, 4]);
        assert_eq!(wavefronts(&strided(32), u32::MAX, 16), [8, 4]);
        assert_eq!(wavefronts(&strided(128), u32::MAX, 16), [32, 4]);
        assert_eq!(wavefronts(&[0; 32], u32::MAX, 16), [4, 4]);
        assert_eq!(wavefronts(&strided(16), 0xff, 16), [1, 1]);
    }

    #[test]
    fn atomics_are_serial() {
        assert_eq!(serial(&[0; 32], u32::MAX), [32, 1]);
        assert_eq!(serial(&strided(4), u32::MAX), [1, 1]);
    }

    #[test]
    fn units_of_a_matrix() {
        let rows = |stride: u32| -> Vec<u32> { (0..16).map(|row| row * stride).collect() };
        assert_eq!(of_units(&rows(16)), [2, 2]);
        assert_eq!(of_units(&rows(128)), [16, 2]);
        // Padding by one unit.
        assert_eq!(of_units(&rows(144)), [2, 2]);
        assert_eq!(of_units(&rows(64)), [8, 2]);
    }
}
