//! Filters at the points of a minimal filtering, packed as register tiles read them.

use super::super::aligned::Aligned;
use super::super::pack::PanelLayout;
use super::super::workers::{Shared, Workers};
use super::Form;
use super::axis::{self, Axis, F43, F47, Single};
use crate::Tensor;

/// Transformed filters: in panels of channels out, each with its factor of a product `[patches, c_in] x [c_in, c_out]` at every
/// point.
#[derive(Debug)]
pub(in crate::backend::cpu) struct WinogradFilters {
    pub form: Form,
    /// The panels at one point.
    pub layout: PanelLayout,
    values: Aligned,
}

impl WinogradFilters {
    /// Transforms filters `[c_out, taps, c_in]`, in f64 until the end.
    pub fn new(workers: Workers, form: Form, w: &Tensor) -> Self {
        let (c_out, c_in, w) = (w.dims()[0], w.shape().last(), w.data());
        let layout = PanelLayout::new(workers.isa(), c_in, c_out);
        let mut values = Aligned::zeros(form.points() * layout.len());
        let shared = Shared::new(values.as_mut_ptr());
        workers.each(layout.count(), |panel| {
            let (channels, vectors) = layout.channels(panel);
            let width = vectors * layout.lanes;
            for (lane, o) in channels.enumerate() {
                for i in 0..c_in {
                    let taps = w[o * form.taps() * c_in..].iter().skip(i).step_by(c_in).take(form.taps());
                    let taps: Vec<f64> = taps.map(|&x| x.into()).collect();
                    for (point, value) in transform(form, &taps).into_iter().enumerate() {
                        let at = form.points() * layout.start(panel) + (point * c_in + i) * width + lane;
                        // SAFETY: a channel's places are its panel's alone, and within the values.
                        unsafe { *shared.at(at) = value as f32 };
                    }
                }
            }
        });
        WinogradFilters { form, layout, values }
    }

    /// A panel at all points: `[points][c_in][vectors * lanes]`.
    pub fn panel(&self, panel: usize) -> &[f32] {
        &self.values[self.form.points() * self.layout.start(panel)..]
    }
}

/// One filter at all points: along rows, then along columns.
fn transform(form: Form, taps: &[f64]) -> Vec<f64> {
    match form {
        Form::Square3 => along::<F43, F43>(taps),
        Form::Row7 => along::<Single, F47>(taps),
        Form::Column7 => along::<F47, Single>(taps),
    }
}

fn along<Y: Axis, X: Axis>(taps: &[f64]) -> Vec<f64> {
    let rows: Vec<Vec<f64>> = taps.chunks_exact(X::TAPS).map(axis::filter::<X>).collect();
    let columns = (0..X::POINTS).map(|x| axis::filter::<Y>(&rows.iter().map(|row| row[x]).collect::<Vec<_>>()));
    let columns: Vec<Vec<f64>> = columns.collect();
    (0..Y::POINTS).flat_map(|y| columns.iter().map(move |column| column[y])).collect()
}
