//! A graph's parameters on the device.

use std::collections::HashMap;
use std::sync::Arc;

use half::{bf16, f16};

use super::driver::Memory;
use super::{Cuda, CudaExecutable};
use crate::Precision;
use crate::backend::kernels::{Packing, Tuning, packing};
use crate::backend::{Executable, Module};
use crate::graph::{NodeId, Source};
use crate::{Graph, Result, Shape, Tensor};

/// Parameters begin at multiples of this many bytes.
const ALIGN: usize = 256;

/// A graph whose parameters are on the device, in one allocation; filters are packed as the kernels read them.
#[derive(Clone)]
pub struct CudaModule {
    cuda: Cuda,
    graph: Arc<Graph>,
    precision: Precision,
    params: Arc<Memory>,
    places: Arc<HashMap<(NodeId, Form), usize>>,
    states: Arc<[Memory]>,
}

/// How a parameter lies in memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Form {
    /// As it is, in f32: a bias, a slope, a statistic.
    Constant,
    /// As it is, in the precision's type.
    Value,
    /// Filters, in the precision's type.
    Packed(Packing),
}

impl CudaModule {
    pub(super) fn new(cuda: Cuda, graph: Arc<Graph>, precision: Precision, states: Arc<[Memory]>) -> Result<Self> {
        cuda.has(precision)?;
        let tuning = cuda.tuning(precision);
        let (mut data, mut places) = (Vec::new(), HashMap::new());
        let mut place = |id: NodeId, form: Form, value: &Tensor, data: &mut Vec<u8>| {
            places.entry((id, form)).or_insert_with(|| {
                data.resize(data.len().next_multiple_of(ALIGN), 0);
                let offset = data.len();
                match form {
                    Form::Constant => data.extend_from_slice(bytemuck::cast_slice(value.data())),
                    Form::Value => store(precision, value.data(), data),
                    Form::Packed(Packing::Rows) if precision == Precision::Tf32 => {
                        let rounded: Vec<f32> = pack(value, Packing::Rows).into_iter().map(tf32).collect();
                        store(precision, &rounded, data);
                    }
                    Form::Packed(packing) => store(precision, &pack(value, packing), data),
                }
                offset
            });
        };
        for node in graph.nodes() {
            let Source::Op(op, inputs) = &node.source else { continue };
            for (i, &id) in inputs.iter().enumerate() {
                let Source::Param(value) = &graph.nodes()[id.index()].source else { continue };
                match packing(op, i, value.shape(), tuning) {
                    Some(packing) => place(id, Form::Packed(packing), value, &mut data),
                    // An op's kernel takes it as one or the other; in 32 bits they are the same.
                    None => {
                        place(id, Form::Constant, value, &mut data);
                        if precision.bytes() != 4 {
                            place(id, Form::Value, value, &mut data);
                        }
                    }
                }
            }
        }
        let params = cuda.memory("the weights", data.len())?;
        params.write(&data)?;
        Ok(CudaModule { cuda, graph, precision, params: Arc::new(params), places: Arc::new(places), states })
    }

    /// As [`Module::plan`].
    ///
    /// # Errors
    /// [`crate::Error::Shape`] for shapes that do not fit; [`crate::Error::OutOfMemory`] if the device has too little
    /// room.
    pub fn executable(&self, inputs: &[Shape]) -> Result<CudaExecutable> {
        CudaExecutable::new(self.clone(), inputs)
    }

    pub(super) fn cuda(&self) -> &Cuda {
        &self.cuda
    }

    pub(super) fn graph(&self) -> &Arc<Graph> {
        &self.graph
    }

    pub(super) fn precision(&self) -> Precision {
        self.precision
    }

    pub(super) fn tuning(&self) -> Tuning {
        self.cuda.tuning(self.precision)
    }

    /// Where a state begins.
    pub(super) fn state(&self, slot: usize) -> u64 {
        self.states[slot].address()
    }

    /// Where a parameter begins.
    pub(super) fn address(&self, id: NodeId, form: Form) -> u64 {
        let same = form == Form::Value && self.precision.bytes() == 4;
        self.params.address() + self.places[&(id, if same { Form::Constant } else { form })] as u64
    }
}

/// Appends values in the precision's type.
pub(super) fn store(precision: Precision, values: &[f32], to: &mut Vec<u8>) {
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

impl Module for CudaModule {
    fn plan(&self, inputs: &[Shape]) -> Result<Box<dyn Executable>> {
        Ok(Box::new(self.executable(inputs)?))
    }
}
