//! Small networks on large images: layers on planes, in strips of a few rows that go through all of them at once.
//!
//! A convolution whose channels are fewer than a vector has lanes wastes most of each product when lanes are channels.
//! Here they are places of a plane. The rows of an image come a few at a time; each layer takes what the one before it
//! has made, and keeps the rows that its next windows need. What is in memory are these strips, however large the image
//! is, and they stay in the second-level cache.

mod conv;
mod layers;
mod pool;
mod rows;
mod shrink;
#[cfg(test)]
mod tests;

use std::ops::Range;

use super::Cpu;
use crate::graph::NodeId;
use crate::{Graph, Result};
use conv::Convolve;
use layers::Layer;
use pool::Halve;
use rows::Layout;
pub(crate) use rows::{Rows, RowsMut};
pub(crate) use shrink::{Shrinking, Turned};

/// Values that the strips of all layers should have together, at most: they stay in a second-level cache of half a
/// megabyte.
const STRIPS: usize = 64 << 10;
/// Rows that a strip has at least.
const ROWS: usize = 4;

/// A chain of convolutions and halvings.
pub(crate) struct Planes {
    cpu: Cpu,
    c_in: usize,
    layers: Vec<Layer>,
}

/// A layer's place in a run: what it reads, how many rows of it are there, and how many there will be in all.
struct Stage {
    layout: Layout,
    have: usize,
    /// Rows that have come, those that were dropped included.
    come: usize,
    height: usize,
}

impl Planes {
    /// The layers between a graph's input and `outputs`: convolutions of stride 1 without padding and maxima of two by
    /// two, a chain at whose end all outputs are convolutions of the same values. The outputs' channels follow each
    /// other.
    ///
    /// # Errors
    /// [`crate::Error::Invalid`] for another graph, naming the node that is in the way; those of reading weights.
    pub fn new(cpu: &Cpu, graph: &Graph, outputs: &[NodeId]) -> Result<Self> {
        let (c_in, layers) = layers::of(cpu.isa(), graph, outputs)?;
        Ok(Planes { cpu: cpu.clone(), c_in, layers })
    }

    /// Channels of the input.
    pub fn c_in(&self) -> usize {
        self.c_in
    }

    /// Channels of all outputs.
    pub fn c_out(&self) -> usize {
        match self.layers.last() {
            Some(Layer::Convolution { filters, .. }) => filters.c_out(),
            _ => self.c_in,
        }
    }

    /// Rows of input that one row of output sees, and rows of input from one row of output to the next.
    pub fn field(&self) -> (usize, usize) {
        self.layers.iter().rev().fold((1, 1), |(field, step), layer| match layer {
            Layer::Convolution { kernel, .. } => (field + kernel[0] - 1, step),
            Layer::Halving => (2 * field, 2 * step),
        })
    }

    /// Runs an image of `[height, width]`: `fill` writes the rows that it is asked for, which come in order; `read` gets
    /// rows of output, in order. An image too small for an output gives none.
    pub fn run(
        &self,
        extents: [usize; 2],
        mut fill: impl FnMut(Range<usize>, &mut RowsMut),
        mut read: impl FnMut(Rows),
    ) {
        let Some((mut stages, step)) = self.stages(extents) else { return };
        let end = stages.last().map_or(0, |stage| stage.layout.end());
        let mut out = 0;
        self.cpu.with_arena(end, |memory| {
            for from in (0..extents[0]).step_by(step) {
                let rows = from..extents[0].min(from + step);
                let first = &mut stages[0];
                fill(rows.clone(), &mut RowsMut { layout: first.layout, memory, first: first.have });
                first.have += rows.len();
                first.come += rows.len();
                for (i, layer) in self.layers.iter().enumerate() {
                    self.advance(layer, &mut stages[i..i + 2], memory);
                }
                if let Some(last) = stages.last_mut() {
                    let rows = out..out + last.have;
                    out = rows.end;
                    last.have = 0;
                    read(Rows { layout: last.layout, memory, rows });
                }
            }
        });
    }

    /// What each layer reads, the outputs last, and how many rows come at once.
    fn stages(&self, [height, width]: [usize; 2]) -> Option<(Vec<Stage>, usize)> {
        let halvings = self.layers.iter().filter(|layer| matches!(layer, Layer::Halving)).count();
        // So that an odd width leaves a column to be filled up.
        let stride = width.next_multiple_of(1 << halvings);
        let layout = |rows: usize| self.layout([height, width], stride, rows);
        let values = |rows: usize| layout(rows).and_then(|stages| Some(stages.last()?.layout.end()));
        let mut rows = ROWS;
        while rows < height && values(2 * rows)? <= STRIPS {
            rows *= 2;
        }
        Some((layout(rows)?, rows))
    }

    /// As [`Planes::stages`], for so many rows at once.
    fn layout(&self, [mut height, mut width]: [usize; 2], mut stride: usize, mut rows: usize) -> Option<Vec<Stage>> {
        let (mut channels, mut at) = (self.c_in, 0);
        let mut stages = Vec::with_capacity(self.layers.len() + 1);
        for layer in self.layers.iter().map(Some).chain([None]) {
            let kept = layer.map_or(0, Layer::kept);
            let layout = Layout::new(channels, width, stride, rows + kept, at);
            at = layout.end();
            stages.push(Stage { layout, have: 0, come: 0, height });
            match layer {
                Some(Layer::Convolution { kernel: [k_h, k_w], filters, .. }) => {
                    (height, width) = ((height + 1).checked_sub(*k_h)?, (width + 1).checked_sub(*k_w)?);
                    channels = filters.c_out();
                }
                Some(Layer::Halving) => {
                    (height, width, stride) = (height.div_ceil(2), width.div_ceil(2), stride / 2);
                    rows = (rows + kept).div_ceil(2);
                }
                None => {}
            }
            if height == 0 || width == 0 {
                return None;
            }
        }
        Some(stages)
    }

    /// Runs a layer on the rows that are there, and keeps those that its next windows need.
    fn advance(&self, layer: &Layer, stages: &mut [Stage], memory: &mut [f32]) {
        let [x, y] = stages else { unreachable!("a layer stands between two stages") };
        let (made, kept) = match layer {
            Layer::Convolution { kernel, .. } => {
                let made = (x.have + 1).saturating_sub(kernel[0]);
                (made, x.have - made)
            }
            // The last row of an odd number stands alone.
            Layer::Halving if x.come == x.height => (x.have.div_ceil(2), 0),
            Layer::Halving => (x.have / 2, x.have % 2),
        };
        if made > 0 {
            match layer {
                Layer::Convolution { kernel, filters } => self.convolve(*kernel, filters, [x, y], made, memory),
                Layer::Halving => self.halve([x, y], made, memory),
            }
            x.layout.keep(memory, x.have, kept);
            x.have = kept;
        }
        y.have += made;
        y.come += made;
    }

    fn convolve(
        &self,
        [k_h, k_w]: [usize; 2],
        filters: &conv::Filters,
        [x, y]: [&Stage; 2],
        made: usize,
        memory: &mut [f32],
    ) {
        let layout = &x.layout;
        let mut offsets = Vec::with_capacity(k_h * k_w * layout.channels);
        for (ky, kx) in (0..k_h).flat_map(|ky| (0..k_w).map(move |kx| (ky, kx))) {
            offsets.extend((0..layout.channels).map(|c| c * layout.plane + ky * layout.stride + kx));
        }
        let base = memory.as_mut_ptr();
        let work = Convolve {
            filters,
            x: base.wrapping_add(layout.row(0, 0)),
            offsets: &offsets,
            y: base.wrapping_add(y.layout.row(0, y.have)),
            plane: y.layout.plane,
            places: (made - 1) * layout.stride + y.layout.width,
        };
        // SAFETY: windows of whole vectors of places end within the slack of the last plane read, and outputs within
        // that of their own; strides agree, and the planes of two stages are apart.
        unsafe { work.run(self.cpu.isa()) }
    }

    fn halve(&self, [x, y]: [&Stage; 2], made: usize, memory: &mut [f32]) {
        let Layout { channels, width, .. } = x.layout;
        for channel in 0..channels {
            for row in 0..made {
                let rows = [2 * row, (2 * row + 1).min(x.have - 1)].map(|row| x.layout.row(channel, row));
                if !width.is_multiple_of(2) {
                    // What a pool's window finds past the border never wins.
                    rows.iter().for_each(|row| memory[row + width] = f32::NEG_INFINITY);
                }
                let base = memory.as_mut_ptr();
                let to = base.wrapping_add(y.layout.row(channel, y.have + row));
                let rows = rows.map(|row| base.wrapping_add(row).cast_const());
                // SAFETY: whole vectors at twice the width end within the slack of the plane read, and the maxima
                // within that of their own; the planes of two stages are apart.
                unsafe { Halve { rows, to, width: y.layout.width }.run(self.cpu.isa()) }
            }
        }
    }
}
