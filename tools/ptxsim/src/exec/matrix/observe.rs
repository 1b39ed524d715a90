//! What a product or a move of matrices asks for.

use super::{Matrix, Operation, warpgroup};
use crate::exec::Cx;
use crate::exec::observe::accesses;
use crate::model::descriptor::Major;
use crate::model::mma::Element;
use crate::model::wgmma::{WARPS, Wgmma};
use crate::profile::{Counts, Shared, banks};

impl Matrix {
    /// Counts it for the lanes of `mask`.
    pub fn observe(&self, cx: &Cx, mask: u32, counts: &mut Counts) {
        match &self.operation {
            Operation::Multiply(product) => {
                *counts.tensor.entry(name(product.mma.a)).or_default() += (16 * 8 * product.mma.k) as u64;
            }
            Operation::Load(rows) => {
                let lanes = mask & address_lanes(rows.registers.len());
                accesses(cx, &rows.at, mask, |_, at, _| counts.shared_loads.add(banks::wavefronts(at, lanes, 16)));
            }
            Operation::Store(rows) => {
                let lanes = mask & address_lanes(rows.registers.len());
                accesses(cx, &rows.at, mask, |_, at, _| counts.shared_stores.add(banks::wavefronts(at, lanes, 16)));
            }
            Operation::GroupMultiply(product) => group(cx, product, counts),
            Operation::Transpose(..) | Operation::Fence | Operation::Commit | Operation::Wait(_) => {}
        }
    }
}

/// The lanes whose addresses are those of rows: eight a matrix.
fn address_lanes(matrices: usize) -> u32 {
    (u64::from(u32::MAX) >> (32 - 8 * matrices)) as u32
}

/// A warp's part of the products; the operands, which the four warps of a warpgroup share, with the first of them.
fn group(cx: &Cx, product: &warpgroup::Product, counts: &mut Counts) {
    let wgmma = &product.wgmma;
    *counts.tensor.entry(name(wgmma.elements[0])).or_default() += (16 * wgmma.n * wgmma.k()) as u64;
    if !(cx.warp.id as usize).is_multiple_of(WARPS) {
        return;
    }
    let size = cx.block.shared.len as u32;
    let mut passes = [0; 2];
    let descriptor = |reg| cx.warp.v64(reg)[0];
    if let warpgroup::A::Shared(a) = product.a
        && let Ok(units) = wgmma.a_units(descriptor(a), size)
    {
        add(&mut passes, of_operand(wgmma, wgmma.major[0], &units));
    }
    if let Ok(units) = wgmma.b_units(descriptor(product.b), size) {
        add(&mut passes, of_operand(wgmma, wgmma.major[1], &units));
    }
    counts.operands += Shared { requests: 1, wavefronts: passes[0], ideal: passes[1] };
}

fn add(to: &mut [u64; 2], from: [u64; 2]) {
    to.iter_mut().zip(from).for_each(|(to, from)| *to += from);
}

/// Passes over the banks for an operand, which is read in matrices of eight units: eight rows of 16 bytes (PTX ISA, "core
/// matrices" of the warpgroup's shared memory layout).
fn of_operand(wgmma: &Wgmma, major: Major, units: &[(usize, usize, u32)]) -> [u64; 2] {
    let per_unit = 16 / wgmma.elements[0].bytes();
    let key = |&(mn, k, _): &(usize, usize, u32)| match major {
        Major::K => (mn / 8, k / per_unit),
        Major::Mn => (mn / per_unit, k / 8),
    };
    let mut sorted = units.to_vec();
    sorted.sort_by_key(key);
    let addresses: Vec<u32> = sorted.iter().map(|&(.., address)| address).collect();
    banks::of_units(&addresses)
}

fn name(element: Element) -> &'static str {
    match element {
        Element::F16 => "f16",
        Element::BF16 => "bf16",
        Element::TF32 => "tf32",
        Element::E4M3 => "e4m3",
        Element::E5M2 => "e5m2",
        Element::S8 => "s8",
        Element::U8 => "u8",
    }
}
