//! Swizzling of shared memory: the 16-byte columns of a row trade places by the number of the row.

/// A swizzling mode, as tensor maps and matrix descriptors know it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Swizzle {
    None,
    B32,
    B64,
    B128,
}

impl Swizzle {
    /// Bytes of a row within which 16-byte units trade places; 16 without swizzling.
    pub const fn span(self) -> u32 {
        match self {
            Self::None => 16,
            Self::B32 => 32,
            Self::B64 => 64,
            Self::B128 => 128,
        }
    }

    /// Bytes after which the pattern repeats: eight rows.
    pub const fn pattern(self) -> u32 {
        8 * self.span()
    }

    /// Where the byte that is at `address` without swizzling lies: address bits 4 to 6 are XORed with bits 7 to 9,
    /// as many of them as the span has 16-byte units to trade.
    ///
    /// Source: PTX ISA, "Swizzling modes"; in CuTe's notation `Swizzle<b, 4, 3>` on the byte address. The address is
    /// absolute: a tile need not start on the pattern for its writer and its reader to agree.
    pub const fn apply(self, address: u32) -> u32 {
        let units = self.span() / 16 - 1;
        address ^ (address >> 7 & units) << 4
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_manuals_table_for_128_bytes() {
        // Row r of a 128-byte tile holds unit c at position c ^ r.
        for row in 0..8 {
            for unit in 0..8 {
                assert_eq!(Swizzle::B128.apply(row * 128 + unit * 16 + 5), row * 128 + (unit ^ row) * 16 + 5);
            }
        }
        // 64 bytes: two rows a 128-byte line, four units; lines in pairs share a permutation of two bits.
        for line in 0..8 {
            for unit in 0..8 {
                let want = unit ^ (line % 4);
                assert_eq!(Swizzle::B64.apply(line * 128 + unit * 16), line * 128 + want * 16);
                let want = unit ^ (line % 2);
                assert_eq!(Swizzle::B32.apply(line * 128 + unit * 16), line * 128 + want * 16);
            }
        }
        assert_eq!(Swizzle::None.apply(12345), 12345);
    }

    #[test]
    fn a_pattern_keeps_its_bytes() {
        for swizzle in [Swizzle::None, Swizzle::B32, Swizzle::B64, Swizzle::B128] {
            let mut seen = vec![false; 2048];
            (0..2048).for_each(|address| seen[swizzle.apply(address) as usize] = true);
            assert!(seen.iter().all(|&x| x));
            assert!((0..2048).all(|a| swizzle.apply(a) / swizzle.pattern() == a / swizzle.pattern()));
        }
    }
}
