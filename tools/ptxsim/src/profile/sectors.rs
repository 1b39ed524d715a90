//! Which sectors of global memory one access of a warp touches.
//!
//! Caches and memory move sectors of 32 aligned bytes, and a warp's access is made of as many as its lanes touch together
//! (CUDA C++ Programming Guide, "Global Memory" of compute capability 5.x and later; Nsight Compute, Kernel Profiling Guide:
//! `l1tex__t_sectors_pipe_lsu_mem_global_op_ld`, and `..._requests_...` for the accesses). The ideal is that of the same bytes
//! side by side from a sector's beginning.

/// Bytes of a sector.
pub const SECTOR: u64 = 32;

/// Sectors touched by these ranges, `(address, bytes)`, and how few could hold their bytes. Bytes that several ranges have
/// count once. `each` is told of every sector's number.
pub fn sectors(ranges: &mut [(u64, u64)], mut each: impl FnMut(u64)) -> [u64; 2] {
    if !ranges.is_sorted() {
        ranges.sort_unstable();
    }
    let (mut bytes, mut count) = (0, 0);
    // Bytes below `end` and sectors below `next` have been counted.
    let (mut end, mut next) = (0, 0);
    for &mut (at, len) in ranges {
        if len == 0 {
            continue;
        }
        // An address that no memory has is the access's own fault, found when it is executed.
        let behind = at.saturating_add(len);
        bytes += behind.saturating_sub(end.max(at));
        end = end.max(behind);
        for sector in (at / SECTOR).max(next)..behind.div_ceil(SECTOR) {
            count += 1;
            next = sector + 1;
            each(sector);
        }
    }
    [count, bytes.div_ceil(SECTOR)]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(stride: u64, from: u64, len: u64) -> [u64; 2] {
        let mut ranges: Vec<_> = (0..32).map(|l| (from + l * stride, len)).collect();
        sectors(&mut ranges, |_| {})
    }

    #[test]
    fn strides() {
        assert_eq!(of(4, 0x1000, 4), [4, 4]);
        assert_eq!(of(8, 0x1000, 4), [8, 4]);
        assert_eq!(of(32, 0x1000, 4), [32, 4]);
        assert_eq!(of(128, 0x1000, 4), [32, 4]);
        assert_eq!(of(4, 0x1004, 4), [5, 4]);
        assert_eq!(of(0, 0x1004, 4), [1, 1]);
        assert_eq!(of(16, 0x1000, 16), [16, 16]);
        assert_eq!(of(2, 0x1000, 2), [2, 2]);
        // Ranges over each other, and across two sectors.
        assert_eq!(of(8, 0x1000, 16), [9, 9]);
        assert_eq!(of(64, 0x1018, 16), [64, 16]);
    }

    #[test]
    fn order_does_not_matter_and_each_is_told() {
        let mut told = Vec::new();
        let mut ranges = [(256, 4), (0, 4), (100, 0), (4, 4), (260, 4)];
        assert_eq!(sectors(&mut ranges, |sector| told.push(sector)), [2, 1]);
        assert_eq!(told, [0, 8]);
    }
}
