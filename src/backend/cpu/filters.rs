//! A constant's filters, packed once, for the arithmetic that meets them.

use super::ConvAlgorithm;
use super::aligned::Aligned;
use super::pack::{PanelLayout, Panels};
use super::winograd::{Form, WinogradFilters};
use super::workers::Workers;
use crate::ops::Op;

/// Packed filters.
#[derive(Debug)]
pub(super) enum Filters {
    /// As register tiles read them.
    Direct { layout: PanelLayout, values: Aligned },
    /// At the points of a minimal filtering.
    Winograd(WinogradFilters),
}

impl Filters {
    /// Packs filters `[c_out, ..]`.
    pub fn direct(workers: Workers, c_out: usize, w: &[f32]) -> Self {
        let layout = PanelLayout::new(workers.isa(), w.len() / c_out.max(1), c_out);
        let mut values = Aligned::zeros(layout.len());
        Panels::forward(workers, layout, w, &mut values);
        Filters::Direct { layout, values }
    }

    /// Transforms filters `[c_out, k_h, k_w, c_in]`.
    pub fn winograd(workers: Workers, form: Form, dims: &[usize], w: &[f32]) -> Self {
        Filters::Winograd(WinogradFilters::new(workers, form, [dims[0], dims[3]], w))
    }

    /// The panels of direct filters.
    pub fn panels(&self) -> Option<Panels<'_>> {
        match self {
            Filters::Direct { layout, values } => Some(Panels::new(*layout, values)),
            Filters::Winograd(_) => None,
        }
    }
}

/// The minimal filtering that an op takes for filters of this shape, if it takes one.
pub(super) fn form(algorithm: ConvAlgorithm, op: &Op, w: &[usize]) -> Option<Form> {
    match (algorithm, op) {
        (ConvAlgorithm::Auto, Op::Conv2d(op)) => Form::of(w, op.stride),
        _ => None,
    }
}
