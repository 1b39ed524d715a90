//! f32 memory that starts at a cache line: a vector load that straddles two lines costs two.

use bytemuck::{Pod, Zeroable};
use memmap2::MmapMut;

#[derive(Clone, Copy, Pod, Zeroable)]
#[repr(C, align(64))]
struct Line([f32; 16]);

/// From so many bytes on memory comes from the system and goes back to it: among what is read and freed while a model is
/// loaded it would keep the allocator's pages from being given back.
const LARGE: usize = 64 << 10;

/// A fixed number of f32 values from a 64-byte boundary on.
pub(super) struct Aligned {
    memory: Memory,
    len: usize,
}

enum Memory {
    Lines(Vec<Line>),
    /// Pages of its own.
    Pages(MmapMut),
}

impl Aligned {
    /// `len` zeros.
    pub fn zeros(len: usize) -> Self {
        let bytes = len * size_of::<f32>();
        let pages = (bytes >= LARGE).then(|| MmapMut::map_anon(bytes).ok()).flatten();
        let lines = || Memory::Lines(bytemuck::zeroed_vec(len.div_ceil(16)));
        Aligned { memory: pages.map_or_else(lines, Memory::Pages), len }
    }
}

impl std::ops::Deref for Aligned {
    type Target = [f32];

    fn deref(&self) -> &[f32] {
        match &self.memory {
            Memory::Lines(lines) => &bytemuck::cast_slice(lines)[..self.len],
            Memory::Pages(pages) => bytemuck::cast_slice(pages),
        }
    }
}

impl std::ops::DerefMut for Aligned {
    fn deref_mut(&mut self) -> &mut [f32] {
        match &mut self.memory {
            Memory::Lines(lines) => &mut bytemuck::cast_slice_mut(lines)[..self.len],
            Memory::Pages(pages) => bytemuck::cast_slice_mut(pages),
        }
    }
}

impl std::fmt::Debug for Aligned {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} values", self.len)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memory_of_any_size_is_zeros_from_a_line_on() {
        for len in [0, 1, 17, LARGE / 4 - 1, LARGE / 4, LARGE + 3] {
            let mut memory = Aligned::zeros(len);
            assert!(memory.len() == len && memory.iter().all(|&x| x == 0.0));
            assert!(memory.as_ptr().addr().is_multiple_of(64) || len == 0);
            memory.fill(1.0);
            assert_eq!(memory.iter().sum::<f32>(), len as f32);
        }
    }
}
