//! Parameters in the order and the type that kernels read.

use half::{bf16, f16};

use crate::backend::kernels::{Packed, Packing};
use crate::ops::RowStorage;
use crate::{Precision, Tensor};

/// How a parameter lies in the device's memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum ParamStorage {
    /// As it is, in f32: a bias, a slope, a statistic.
    Constant,
    /// As it is, in the precision's type.
    Value,
    /// Filters, or vectors.
    Packed(Packed),
}

/// Appends a parameter as it is stored.
pub(super) fn append(value: &Tensor, storage: ParamStorage, precision: Precision, to: &mut Vec<u8>) {
    match storage {
        ParamStorage::Constant => to.extend_from_slice(bytemuck::cast_slice(value.data())),
        ParamStorage::Value => store(precision, value.data(), to),
        ParamStorage::Packed(Packed::Vectors(storage)) => vectors(value, storage, to),
        ParamStorage::Packed(Packed::Filters(Packing::Rows)) if precision == Precision::Tf32 => {
            let rounded: Vec<f32> = pack(value, Packing::Rows).into_iter().map(tf32).collect();
            store(precision, &rounded, to);
        }
        ParamStorage::Packed(Packed::Filters(packing)) => store(precision, &pack(value, packing), to),
    }
}

/// Appends values in the precision's type.
fn store(precision: Precision, values: &[f32], to: &mut Vec<u8>) {
    match precision {
        Precision::F32 | Precision::Tf32 => to.extend_from_slice(bytemuck::cast_slice(values)),
        Precision::F16 => to.extend(values.iter().flat_map(|&x| f16::from_f32(x).to_le_bytes())),
        Precision::Bf16 => to.extend(values.iter().flat_map(|&x| bf16::from_f32(x).to_le_bytes())),
    }
}
/// To 10 bits of mantissa, the nearest, ties away from zero: `cvt.rna.tf32.f32` of PTX.
fn tf32(value: f32) -> f32 {
    if !value.is_finite() {
        return value;
    }
    f32::from_bits((value.to_bits() + 0x1000) & !0x1fff)
}

/// Filters `[c_out, ..k]` in a packing's order, padded with zeros.
fn pack(w: &Tensor, packing: Packing) -> Vec<f32> {
    let c_out = w.dims()[0];
    let k: usize = w.dims()[1..].iter().product();
    let filters = w.data().chunks_exact(k.max(1)).enumerate();
    match packing {
        Packing::Columns => {
            let columns = c_out.next_multiple_of(4);
            let mut packed = vec![0.0; k * columns];
            for (o, filter) in filters {
                filter.iter().enumerate().for_each(|(i, &value)| packed[i * columns + o] = value);
            }
            packed
        }
        Packing::Rows => {
            let pitch = k.next_multiple_of(8);
            let mut packed = vec![0.0; c_out * pitch];
            filters.for_each(|(o, filter)| packed[o * pitch..o * pitch + k].copy_from_slice(filter));
            packed
        }
    }
}

/// Appends vectors `[n, d]`, row by row, each to a whole number of vectors of four. In int8 a row begins with its scale.
fn vectors(x: &Tensor, storage: RowStorage, to: &mut Vec<u8>) {
    for row in x.data().chunks_exact(x.shape().last().max(1)) {
        let begin = to.len();
        let unit = match storage {
            RowStorage::F32 => {
                to.extend_from_slice(bytemuck::cast_slice(row));
                16
            }
            RowStorage::F16 => {
                store(Precision::F16, row, to);
                8
            }
            RowStorage::Int8 => {
                let (scale, elements) = RowStorage::int8(row);
                to.extend(scale.to_le_bytes());
                to.extend(elements.map(|x| x as u8));
                4
            }
        };
        to.resize(begin + (to.len() - begin).next_multiple_of(unit), 0);
    }
}
