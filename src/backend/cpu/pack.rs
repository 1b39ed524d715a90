//! Filters as register tiles read them: in panels of as many channels as a tile is wide, in the type that they are
//! multiplied in.

use std::marker::PhantomData;
use std::ops::Range;

use super::aligned::Aligned;
use super::element::Element;
use super::elementwise::copy_rows;
use super::simd::Isa;
use super::transpose::Transpose;
use super::workers::{Shared, Workers};
use crate::Tensor;

/// A task's share of a panel.
const PIECE: usize = 512;
/// Values of a filter that are moved at once: a cache line.
const LINE: usize = 16;

/// The extents of packed filters: `[panel][k / step][channel][step]`, `k` counting taps and channels in, and `step` the
/// values that one step of a sum takes.
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

    /// The layout of filters `[c_out, ..]`, of `values` values, in a type: `k` is whole steps.
    pub fn of<E: Element>(isa: Isa, values: usize, c_out: usize) -> Self {
        PanelLayout::new(isa, (values / c_out.max(1)).next_multiple_of(E::STEP), c_out)
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
pub(super) struct Panels<'a, E = f32> {
    pub layout: PanelLayout,
    values: &'a [E],
}

impl<'a, E: Element> Panels<'a, E> {
    pub fn panel(&self, panel: usize) -> &'a [E] {
        &self.values[self.layout.start(panel)..]
    }

    /// Packs filters `[c_out, k]` for a forward pass, in the layout that [`PanelLayout::of`] makes; zeros fill up a last
    /// step.
    pub fn forward(workers: Workers, layout: PanelLayout, w: &[f32], to: &'a mut [E]) -> Self {
        let (step, k) = (E::STEP, w.len() / layout.c_out.max(1));
        assert_eq!((w.len(), layout.k), (layout.c_out * k, k.next_multiple_of(step)));
        pack(workers, layout, to, |channels, width, ks, to| {
            if step == 1 {
                return turn_over(workers.isa(), layout, w, channels, width, ks, bytemuck::cast_slice_mut(to));
            }
            for from in ks.clone().step_by(LINE) {
                let line = from..ks.end.min(from + LINE);
                let rows = &mut to[(from - ks.start) * width..][..line.len() * width];
                for (lane, o) in channels.clone().enumerate() {
                    let filter = &w[o * k..][line.start..line.end.min(k)];
                    for (i, &value) in filter.iter().enumerate() {
                        rows[(i / step * width + lane) * step + i % step] = E::rounded(value);
                    }
                }
            }
        })
    }
}

impl<'a> Panels<'a> {
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
fn pack<'a, E: Element>(
    workers: Workers,
    layout: PanelLayout,
    to: &'a mut [E],
    fill: impl Fn(Range<usize>, usize, Range<usize>, &mut [E]) + Send + Sync,
) -> Panels<'a, E> {
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
        if channels.len() < width || E::STEP > 1 {
            to.fill(E::default());
        }
        fill(channels, width, ks, to);
    });
    Panels { layout, values: to }
}

/// Filters of a constant, packed once.
#[derive(Debug)]
pub(super) struct Packed<E> {
    layout: PanelLayout,
    values: Aligned,
    of: PhantomData<E>,
}

impl<E: Element> Packed<E> {
    /// Packs filters `[c_out, ..]`.
    pub fn new(workers: Workers, w: &Tensor) -> Self {
        let layout = PanelLayout::of::<E>(workers.isa(), w.data().len(), w.dims()[0]);
        let mut values = Aligned::zeros((layout.len() * size_of::<E>()).div_ceil(size_of::<f32>()));
        Panels::<E>::forward(workers, layout, w.data(), bytemuck::cast_slice_mut(&mut values));
        Packed { layout, values, of: PhantomData }
    }

    pub fn panels(&self) -> Panels<'_, E> {
        Panels { layout: self.layout, values: bytemuck::cast_slice(&self.values) }
    }
}
