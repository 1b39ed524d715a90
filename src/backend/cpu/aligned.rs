//! f32 memory that starts at a cache line, since a vector load that straddles two costs two, and lies on huge pages where it
//! is large: rows that are kilobytes apart are on as many small pages, more than a processor remembers the places of.

use bytemuck::{Pod, Zeroable};
use memmap2::MmapMut;

/// Bytes from which on memory is worth pages of 2 MiB.
const LARGE: usize = 8 << 20;

#[derive(Clone, Copy, Pod, Zeroable)]
#[repr(C, align(64))]
struct Line([f32; 16]);

/// A fixed number of f32 values from a 64-byte boundary on.
pub(super) struct Aligned {
    memory: Memory,
    len: usize,
}

enum Memory {
    Lines(Vec<Line>),
    Pages(MmapMut),
}

impl Aligned {
    /// `len` zeros.
    pub fn zeros(len: usize) -> Self {
        let lines = len.div_ceil(16);
        let pages = pages(lines * size_of::<Line>()).map(Memory::Pages);
        Aligned { memory: pages.unwrap_or_else(|| Memory::Lines(bytemuck::zeroed_vec(lines))), len }
    }
}

/// Pages of zeros, huge ones where the system has some to give; none where memory is small.
fn pages(bytes: usize) -> Option<MmapMut> {
    if bytes < LARGE {
        return None;
    }
    let pages = MmapMut::map_anon(bytes).ok()?;
    // Small pages do as well, more slowly.
    #[cfg(target_os = "linux")]
    let _ = pages.advise(memmap2::Advice::HugePage);
    Some(pages)
}

impl std::ops::Deref for Aligned {
    type Target = [f32];

    fn deref(&self) -> &[f32] {
        let values: &[f32] = match &self.memory {
            Memory::Lines(lines) => bytemuck::cast_slice(lines),
            Memory::Pages(pages) => bytemuck::cast_slice(pages),
        };
        &values[..self.len]
    }
}

impl std::ops::DerefMut for Aligned {
    fn deref_mut(&mut self) -> &mut [f32] {
        let values: &mut [f32] = match &mut self.memory {
            Memory::Lines(lines) => bytemuck::cast_slice_mut(lines),
            Memory::Pages(pages) => bytemuck::cast_slice_mut(pages),
        };
        &mut values[..self.len]
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
    fn memory_of_any_size_is_zero_aligned_and_writable() {
        for len in [0, 1, 17, LARGE / 4 - 1, LARGE / 4 + 5] {
            let mut values = Aligned::zeros(len);
            assert_eq!((values.len(), values.as_ptr().align_offset(64)), (len, 0));
            assert!(values.iter().all(|&value| value == 0.0));
            values.fill(1.0);
            assert_eq!(values.iter().sum::<f32>(), len as f32);
        }
    }
}
