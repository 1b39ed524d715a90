//! `cp.async` and the groups in which asynchronous operations are committed and awaited.
//!
//! Source: PTX ISA, `cp.async`, `cp.async.commit_group`, `cp.async.wait_group`; the groups of `cp.async.bulk` and of
//! `wgmma` follow the same rule.

use std::collections::VecDeque;
use thiserror::Error;

/// Operations of one thread (or warp, for `wgmma`) that are under way: an open group and the committed ones.
#[derive(Clone, Debug)]
pub struct Groups<T> {
    open: Vec<T>,
    committed: VecDeque<Vec<T>>,
}

impl<T> Default for Groups<T> {
    fn default() -> Self {
        Self { open: Vec::new(), committed: VecDeque::new() }
    }
}

impl<T> Groups<T> {
    /// Adds an operation to the open group.
    pub fn push(&mut self, operation: T) {
        self.open.push(operation);
    }

    /// `commit_group`: closes the open group, which may be empty.
    pub fn commit(&mut self) {
        self.committed.push_back(std::mem::take(&mut self.open));
    }

    /// `wait_group pending`: what has to be complete so that at most the `pending` latest committed groups are not.
    pub fn wait(&mut self, pending: usize) -> impl Iterator<Item = T> + use<T> {
        let done = self.committed.len().saturating_sub(pending);
        self.committed.drain(..done).flatten().collect::<Vec<_>>().into_iter()
    }

    /// `wait_all`: everything, committed or not.
    pub fn wait_all(&mut self) -> impl Iterator<Item = T> + use<T> {
        self.commit();
        self.wait(0)
    }

    /// Every operation under way, the oldest first.
    pub fn iter(&self) -> impl Iterator<Item = &T> {
        self.committed.iter().flatten().chain(&self.open)
    }

    /// The operations that no group has taken up yet.
    pub fn uncommitted(&self) -> &[T] {
        &self.open
    }

    pub fn is_empty(&self) -> bool {
        self.iter().next().is_none()
    }
}

/// The sizes of one `cp.async`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CpAsync {
    /// Bytes written to shared memory.
    pub size: u32,
    /// Bytes read from global memory; the rest is filled with zeros.
    pub source_size: u32,
}

/// Why a `cp.async` is not one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum CpAsyncError {
    #[error("cp-size {size} is not 4, 8 or 16, or not 16 for .cg")]
    Size { size: u32 },
    #[error("src-size {source_size} exceeds cp-size {size}")]
    SourceSize { source_size: u32, size: u32 },
}

impl CpAsync {
    /// `source_size` is the optional operand; `ignore` the optional predicate that reads nothing.
    ///
    /// # Errors
    /// If the sizes are none that the instruction has.
    pub fn new(size: u32, l2_only: bool, source_size: Option<u32>, ignore: bool) -> Result<Self, CpAsyncError> {
        if !(size == 16 || (!l2_only && matches!(size, 4 | 8))) {
            return Err(CpAsyncError::Size { size });
        }
        let source_size = if ignore { 0 } else { source_size.unwrap_or(size) };
        if source_size > size {
            return Err(CpAsyncError::SourceSize { source_size, size });
        }
        Ok(Self { size, source_size })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waiting_leaves_the_latest_groups() {
        let mut groups = Groups::default();
        for i in 0..4 {
            groups.push(2 * i);
            groups.push(2 * i + 1);
            groups.commit();
        }
        groups.push(8);
        assert_eq!(groups.wait(2).collect::<Vec<_>>(), [0, 1, 2, 3]);
        assert_eq!(groups.wait(2).count(), 0);
        assert_eq!(groups.uncommitted(), [8]);
        assert_eq!(groups.wait(0).collect::<Vec<_>>(), [4, 5, 6, 7]);
        assert!(!groups.is_empty());
        assert_eq!(groups.wait_all().collect::<Vec<_>>(), [8]);
        assert!(groups.is_empty());
    }

    #[test]
    fn empty_groups_count() {
        let mut groups = Groups::default();
        groups.push(1);
        groups.commit();
        groups.commit();
        assert_eq!(groups.wait(1).collect::<Vec<_>>(), [1]);
    }

    #[test]
    fn sizes() {
        assert_eq!(CpAsync::new(16, true, Some(6), false), Ok(CpAsync { size: 16, source_size: 6 }));
        assert_eq!(CpAsync::new(4, false, None, true), Ok(CpAsync { size: 4, source_size: 0 }));
        assert_eq!(CpAsync::new(8, true, None, false), Err(CpAsyncError::Size { size: 8 }));
        assert_eq!(CpAsync::new(4, false, Some(5), false), Err(CpAsyncError::SourceSize { source_size: 5, size: 4 }));
    }
}
