//! Filters as register tiles read them: in panels of as many channels as a tile is wide, in the type that they are
//! multiplied in.

use std::marker::PhantomData;
use std::ops::Range;

use super::aligned::Aligned;
use super::element::Element;
use super::simd::Isa;
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

    /// The layout of filters `[c_out, .., c_in]`, of `values` values, in a type: channels are whole steps.
    pub fn of<E: Element>(isa: Isa, values: usize, c_out: usize, c_in: usize) -> Self {
        let taps = values / (c_out * c_in).max(1);
        PanelLayout::new(isa, taps * c_in.next_multiple_of(E::STEP), c_out)
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
    fn start(&self, panel: usize) -> usize {
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

    /// Packs filters `[c_out, .., c_in]` for a forward pass, in the layout that [`PanelLayout::of`] makes.
    pub fn forward(workers: Workers, layout: PanelLayout, c_in: usize, w: &[f32], to: &'a mut [E]) -> Self {
        let (step, padded) = (E::STEP, c_in.next_multiple_of(E::STEP));
        assert_eq!(w.len() * padded, layout.c_out * layout.k * c_in);
        let taps = layout.k / padded.max(1);
        pack(workers, layout, to, |channels, width, ks, to| {
            for from in ks.clone().step_by(LINE) {
                let line = from..ks.end.min(from + LINE);
                let rows = &mut to[(from - ks.start) * width..][..line.len() * width];
                for (lane, o) in channels.clone().enumerate() {
                    let filter = &w[o * taps * c_in..][..taps * c_in];
                    let mut put =
                        |i: usize, value| rows[(i / step * width + lane) * step + i % step] = E::rounded(value);
                    if padded == c_in {
                        filter[line.clone()].iter().enumerate().for_each(|(i, &value)| put(i, value));
                        continue;
                    }
                    // Past a tap's last channel: zeros, which fill up its last step.
                    let value = |k: usize| (k % padded < c_in).then(|| filter[k / padded * c_in + k % padded]);
                    line.clone().enumerate().for_each(|(i, k)| put(i, value(k).unwrap_or(0.0)));
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
            for (k, row) in ks.zip(to.chunks_exact_mut(width)) {
                let (tap, o) = (of[k / c_out], k % c_out);
                row[..channels.len()].copy_from_slice(&w[(o * taps + tap) * c_in..][channels.clone()]);
            }
        })
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
        if channels.len() < width {
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
    /// Packs filters `[c_out, .., c_in]`.
    pub fn new(workers: Workers, w: &Tensor) -> Self {
        let (c_out, c_in) = (w.dims()[0], w.shape().last());
        let layout = PanelLayout::of::<E>(workers.isa(), w.data().len(), c_out, c_in);
        let mut values = Aligned::zeros((layout.len() * size_of::<E>()).div_ceil(size_of::<f32>()));
        Panels::<E>::forward(workers, layout, c_in, w.data(), bytemuck::cast_slice_mut(&mut values));
        Packed { layout, values, of: PhantomData }
    }

    pub fn panels(&self) -> Panels<'_, E> {
        Panels { layout: self.layout, values: bytemuck::cast_slice(&self.values) }
    }
}
