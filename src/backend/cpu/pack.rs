//! Filters as register tiles read them: in panels of as many channels as a tile is wide.

use std::ops::Range;

use super::elementwise::copy_rows;
use super::simd::Isa;
use super::transpose::Transpose;
use super::workers::{Shared, Workers};

/// A task's share of a panel.
const PIECE: usize = 512;

/// The extents of packed filters: `[panel][k][channel]`, `k` counting taps and channels in.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct PanelLayout {
    pub k: usize,
    pub c_out: usize,
    pub lanes: usize,
}

impl PanelLayout {
    pub fn new(isa: Isa, k: usize, c_out: usize) -> Self {
        PanelLayout { k, c_out, lanes: isa.lanes() }
    }

    /// How many values there are, those that fill up the last vector included.
    pub fn len(&self) -> usize {
        self.c_out.next_multiple_of(self.lanes) * self.k
    }

    /// How many panels there are: each two vectors wide, but the last one, where one is enough.
    pub fn count(&self) -> usize {
        self.c_out.div_ceil(2 * self.lanes)
    }

    /// A panel's output channels, and how many vectors they fill.
    pub fn channels(&self, panel: usize) -> (Range<usize>, usize) {
        let first = panel * 2 * self.lanes;
        let channels = first..self.c_out.min(first + 2 * self.lanes);
        let vectors = channels.len().div_ceil(self.lanes);
        (channels, vectors)
    }

    /// Where a panel begins.
    pub fn start(&self, panel: usize) -> usize {
        panel * 2 * self.lanes * self.k
    }
}

/// Packed filters.
#[derive(Clone, Copy, Debug)]
pub(super) struct Panels<'a> {
    pub layout: PanelLayout,
    values: &'a [f32],
}

impl<'a> Panels<'a> {
    /// Values that are packed already.
    pub fn new(layout: PanelLayout, values: &'a [f32]) -> Self {
        assert_eq!(values.len(), layout.len());
        Panels { layout, values }
    }

    pub fn panel(&self, panel: usize) -> &'a [f32] {
        &self.values[self.layout.start(panel)..]
    }

    /// Packs filters `[c_out, k]` for a forward pass.
    pub fn forward(workers: Workers, layout: PanelLayout, w: &[f32], to: &'a mut [f32]) -> Self {
        assert_eq!(w.len(), layout.c_out * layout.k);
        pack(workers, layout, to, |channels, width, ks, to| {
            turn_over(workers.isa(), layout, w, channels, width, ks, to);
        })
    }

    /// Packs these taps of filters `[c_out, taps, c_in]` for the gradient of the input, whose channels are the panels':
    /// `k` counts the taps given and `c_out`.
    pub fn backward(
        workers: Workers,
        layout: PanelLayout,
        w: &[f32],
        c_out: usize,
        taps: usize,
        of: &[usize],
        to: &'a mut [f32],
    ) -> Self {
        let c_in = layout.c_out;
        assert_eq!((w.len(), layout.k), (c_out * taps * c_in, of.len() * c_out));
        pack(workers, layout, to, |channels, width, ks, to| {
            let filter = |k: usize| {
                let (tap, o) = (of[k / c_out], k % c_out);
                &w[(o * taps + tap) * c_in..][channels.clone()]
            };
            copy_rows(workers.isa(), to, width, ks.len(), |row| filter(ks.start + row));
        })
    }
}

/// Packs some channels' filters `[c_out, k]`: rows of `width` for these `ks`.
fn turn_over(
    isa: Isa,
    layout: PanelLayout,
    w: &[f32],
    channels: Range<usize>,
    width: usize,
    ks: Range<usize>,
    to: &mut [f32],
) {
    assert!(w.len() >= channels.end * layout.k && ks.end <= layout.k && to.len() >= ks.len() * width);
    let whole = channels.len() / layout.lanes * layout.lanes;
    let turned = Transpose {
        from: w[channels.start * layout.k + ks.start..].as_ptr(),
        from_row: layout.k,
        to: to.as_mut_ptr(),
        to_row: width,
        rows: whole,
        columns: ks.len(),
    };
    // SAFETY: the channels' filters have these values, and `to` has a row for each of them.
    unsafe { turned.run(isa) };
    for lane in whole..channels.len() {
        let filter = &w[(channels.start + lane) * layout.k..][ks.clone()];
        filter.iter().zip(to.chunks_exact_mut(width)).for_each(|(&value, row)| row[lane] = value);
    }
}

/// Fills panels: `fill` gets channels, how many there are with the padding, which `k`, and their place.
fn pack<'a>(
    workers: Workers,
    layout: PanelLayout,
    to: &'a mut [f32],
    fill: impl Fn(Range<usize>, usize, Range<usize>, &mut [f32]) + Send + Sync,
) -> Panels<'a> {
    assert!(to.len() >= layout.len());
    let pieces = layout.k.div_ceil(PIECE);
    let shared = Shared::new(to.as_mut_ptr());
    workers.each(layout.count() * pieces, |task| {
        let (panel, from) = (task / pieces, task % pieces * PIECE);
        let (channels, vectors) = layout.channels(panel);
        let (ks, width) = (from..layout.k.min(from + PIECE), vectors * layout.lanes);
        let start = layout.start(panel);
        // SAFETY: panels and pieces partition the values, of which there are enough.
        let to = unsafe { shared.slice(start + ks.start * width..start + ks.end * width) };
        if channels.len() < width {
            to.fill(0.0);
        }
        fill(channels, width, ks, to);
    });
    Panels { layout, values: to }
}
