//! Rows of planes: a few rows of an image at a time, each channel in a plane of its own.

use std::ops::Range;

/// Values past a plane's last row that kernels may read, and write in vain.
const SLACK: usize = 32;

/// How rows of one size lie in memory: `[channel][row][stride]`.
#[derive(Clone, Copy, Debug)]
pub(super) struct Layout {
    pub channels: usize,
    /// Values of a row that mean something.
    pub width: usize,
    /// Values from one row to the next.
    pub stride: usize,
    /// Values from one plane to the next.
    pub plane: usize,
    /// Where the first plane begins in the memory of all.
    pub at: usize,
}

impl Layout {
    /// Planes of at most `rows` rows.
    pub fn new(channels: usize, width: usize, stride: usize, rows: usize, at: usize) -> Self {
        let mut plane = (rows * stride + SLACK).next_multiple_of(16);
        // Planes at whole pages would fall on the same lines of the first-level cache.
        if plane.is_multiple_of(1024) {
            plane += 16;
        }
        Layout { channels, width, stride, plane, at }
    }

    /// Where the memory of all planes ends.
    pub fn end(&self) -> usize {
        self.at + self.channels * self.plane
    }

    /// Where a row of a channel begins.
    pub fn row(&self, channel: usize, row: usize) -> usize {
        self.at + channel * self.plane + row * self.stride
    }

    /// Moves the last rows of `0..have` to the front.
    pub fn keep(&self, memory: &mut [f32], have: usize, last: usize) {
        for channel in 0..self.channels {
            let from = self.row(channel, have - last);
            memory.copy_within(from..from + last * self.stride, self.row(channel, 0));
        }
    }
}

/// Rows that are to be written.
pub(crate) struct RowsMut<'a> {
    pub(super) layout: Layout,
    pub(super) memory: &'a mut [f32],
    /// Where the first of them is among the rows of the planes.
    pub(super) first: usize,
}

impl RowsMut<'_> {
    /// Row `i` of a channel.
    pub fn row(&mut self, channel: usize, i: usize) -> &mut [f32] {
        &mut self.memory[self.layout.row(channel, self.first + i)..][..self.layout.width]
    }
}

/// Rows of outputs.
pub(crate) struct Rows<'a> {
    pub(super) layout: Layout,
    pub(super) memory: &'a [f32],
    /// Which rows of the whole image's output they are.
    pub(super) rows: Range<usize>,
}

impl Rows<'_> {
    /// Which rows of the whole image's output these are.
    pub fn rows(&self) -> Range<usize> {
        self.rows.clone()
    }

    /// Values of a row.
    pub fn width(&self) -> usize {
        self.layout.width
    }

    /// A row of a channel, by its place in the whole image's output.
    pub fn row(&self, channel: usize, row: usize) -> &[f32] {
        &self.memory[self.layout.row(channel, row - self.rows.start)..][..self.layout.width]
    }
}
