//! Filters as kernels take them, and the call that packs those that are computed or trained.

use super::params::Pack;
use super::{Call, Dtype, Operand, Packed, Tuning, call_of};
use crate::graph::{Region, View};

/// How filters `[c_out, ..k]` lie on the device.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Packing {
    /// `[k, c_out]`, channels padded to a multiple of four: a row holds every filter's weight of one input.
    Columns,
    /// `[c_out, k]`, k padded to a multiple of eight: what tensor cores read.
    Rows,
}

/// Filters as a kernel takes them.
pub(super) struct Filters {
    /// Where they lie.
    pub operand: Operand,
    /// Their rows' length: of columns in vectors of four, of rows in values.
    pub pitch: u32,
}

/// The taps of `w: [c_out, k_h, k_w, c_in]` that the gradient of a convolution's input takes, in their reverse order.
#[derive(Clone, Copy)]
pub(super) struct Taps {
    /// How many, along each axis.
    pub count: [usize; 2],
    /// The last, which comes first.
    pub last: [usize; 2],
    /// Steps between them.
    pub step: [usize; 2],
}

impl Filters {
    /// Filters as they are, where they are computed or trained with the call that packs them.
    pub fn forward(w: &View, packing: Packing, tuning: Tuning) -> Result<(Option<Call>, Filters), String> {
        let c_out = w.shape.dims()[0];
        let k = w.shape.elements() / c_out.max(1);
        if let Region::Param(id) = w.region {
            let operand = Operand::Packed(id, Packed::Filters(packing));
            return Ok((None, Filters { operand, pitch: Filters::pitch(packing, k, c_out) }));
        }
        let (pack, filters) = Filters::packed(w, packing, [k, c_out], None, tuning)?;
        Ok((Some(pack), filters))
    }

    /// Filters for the gradient of the input: channels exchanged, taps reversed.
    pub fn backward(w: &View, packing: Packing, taps: Taps, tuning: Tuning) -> Result<(Call, Filters), String> {
        let k = taps.count[0] * taps.count[1] * w.shape.dims()[0];
        Filters::packed(w, packing, [k, w.shape.last()], Some(taps), tuning)
    }

    fn pitch(packing: Packing, k: usize, outputs: usize) -> u32 {
        match packing {
            Packing::Columns => outputs.div_ceil(4) as u32,
            Packing::Rows => k.next_multiple_of(8) as u32,
        }
    }

    fn packed(
        w: &View,
        packing: Packing,
        [k, outputs]: [usize; 2],
        taps: Option<Taps>,
        tuning: Tuning,
    ) -> Result<(Call, Filters), String> {
        let of = w.shape.dims();
        let [c_out, k_h, k_w, c_in] = w.shape.nhwc().unwrap_or([of[0], 1, 1, k]);
        let [c_out, c_in] = if taps.is_some() && of.len() == 2 { [of[0], of[1]] } else { [c_out, c_in] };
        let pitch = Filters::pitch(packing, k, outputs);
        let (rows, row) = match packing {
            Packing::Columns => (k, 4 * pitch as usize),
            Packing::Rows => (outputs, pitch as usize),
        };
        let Taps { count, last, step } = taps.unwrap_or(Taps { count: [0; 2], last: [0; 2], step: [0; 2] });
        let params = Pack {
            elements: (rows * row) as u32,
            pitch: row as u32,
            c_out: c_out as u32,
            k_h: k_h as u32,
            k_w: k_w as u32,
            c_in: c_in as u32,
            taps_y: count[0] as u32,
            taps_x: count[1] as u32,
            last_y: last[0] as u32,
            last_x: last[1] as u32,
            step_y: step[0] as u32,
            step_x: step[1] as u32,
            backward: u32::from(taps.is_some()),
        };
        let entry = match (packing, w.keep_f32 && tuning.cuda()) {
            (Packing::Columns, false) => "pack",
            (Packing::Columns, true) => "pack_keep_f32",
            (Packing::Rows, false) => "pack_mma",
            (Packing::Rows, true) => "pack_mma_keep_f32",
        };
        let operand = Operand::Scratch(rows * row);
        let operands = vec![Operand::View(w.clone()), operand.clone()];
        let dtype = match packing {
            Packing::Columns => Dtype::Stored,
            Packing::Rows => Dtype::Multiplied,
        };
        let pack = Call { dtype, ..call_of(entry, params, operands, tuning.threads(rows * row)?) };
        Ok((pack, Filters { operand, pitch }))
    }
}
