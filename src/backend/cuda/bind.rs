//! From calls to launches: kernels found, operands' addresses filled in, once for any number of runs.

use super::CudaModule;
use super::context::Arg;
use super::driver::{EncodedMap, Launch, MapElement, Memory, TensorMap, Window};
use super::module::Form;
use crate::Precision;
use crate::backend::kernels::{self, Call, Operand, PixelMap};
use crate::graph::{Region, View};
use crate::{Plan, Result};

/// The calls of a plan, and how much of the arena they take beyond the plan's own.
pub(in crate::backend) struct Prepared {
    calls: Vec<(usize, Call)>,
    /// Elements of the arena, scratch included.
    pub arena: usize,
}

/// A plan's launches over an arena.
pub(in crate::backend) struct Bound {
    /// Each with the plan's step it belongs to.
    pub launches: Vec<(usize, Launch)>,
    /// The constants that the host made from the sizes.
    _tables: Option<Memory>,
}

impl Prepared {
    /// What a plan's steps call.
    pub fn new(module: &CudaModule, plan: &Plan) -> Result<Prepared> {
        let mut calls = Vec::new();
        for (i, step) in plan.steps.iter().enumerate() {
            let tuning = module.cuda().tuning(precision_of(module, plan, i));
            let of_step = kernels::calls(step, tuning).map_err(|problem| module.cuda().error(problem))?;
            calls.extend(of_step.into_iter().map(|call| (i, call)));
        }
        let scratch = calls.iter().map(|(i, call)| {
            let values_of_word = 4 / precision_of(module, plan, *i).bytes();
            call.operands.iter().map(|operand| operand.scratch(values_of_word)).max().unwrap_or(0)
        });
        let scratch = scratch.map(|words| words * 4 / module.precision().bytes());
        let arena = plan.arena + scratch.max().unwrap_or(0).next_multiple_of(64);
        Ok(Prepared { calls, arena })
    }

    /// The launches of these calls over an arena of at least [`Prepared::arena`] elements.
    pub fn bind(self, module: &CudaModule, plan: &Plan, arena: u64) -> Result<Bound> {
        let cuda = module.cuda();
        let mut words: Vec<u32> = Vec::new();
        let mut starts = Vec::new();
        for operand in self.calls.iter().flat_map(|(_, call)| &call.operands) {
            if let Operand::Table(table) = operand {
                words.resize(words.len().next_multiple_of(64), 0);
                starts.push(words.len());
                words.extend(table);
            }
        }
        let tables = match words.is_empty() {
            true => None,
            false => Some(cuda.memory("tables", 4 * words.len())?),
        };
        tables.iter().try_for_each(|tables| tables.write(bytemuck::cast_slice(&words)))?;
        let first_table = tables.as_ref().map_or(0, Memory::address);

        let scratch = arena + (plan.arena * module.precision().bytes()) as u64;
        let mut starts = starts.into_iter();
        let mut launches = Vec::with_capacity(self.calls.len());
        for (step, call) in &self.calls {
            let name = call.name(precision_of(module, plan, *step));
            let kernel = cuda.kernel(call.stem, &name, call.shared)?;
            let mut args = Vec::with_capacity(call.operands.len());
            for operand in &call.operands {
                let address = |operand: &Operand| match operand {
                    Operand::View(view) => self.value(module, view, arena),
                    Operand::Constant(View { region: Region::Param(id), .. }) => module.address(*id, Form::Constant),
                    Operand::Constant(view) => self.value(module, view, arena),
                    Operand::Packed(id, packing) => module.address(*id, Form::Packed(*packing)),
                    Operand::Scratch(_) => scratch,
                    Operand::Further { words, values, .. } => {
                        let value = precision_of(module, plan, *step).bytes();
                        scratch + (4 * words + value * values) as u64
                    }
                    Operand::NoConstant | Operand::NoValue => 0,
                    Operand::Table(_) | Operand::Pixels(_) | Operand::Matrix { .. } => unreachable!("bound below"),
                };
                args.push(match operand {
                    Operand::Table(_) => Arg::Address(first_table + 4 * starts.next().expect("counted above") as u64),
                    Operand::Pixels(map) => Arg::Map(Box::new(self.pixels(module, map, arena)?)),
                    Operand::Matrix { of, extents, window } => {
                        Arg::Map(Box::new(self.matrix(module, address(of), *extents, *window)?))
                    }
                    operand => Arg::Address(address(operand)),
                });
            }
            launches.push((*step, cuda.launch(kernel, &call.params, &args, call.groups, call.shared)));
        }
        Ok(Bound { launches, _tables: tables })
    }

    /// Where a value begins: at a multiple of 64 elements, `y_offset` being the rest.
    fn value(&self, module: &CudaModule, view: &View, arena: u64) -> u64 {
        let bytes = if view.exact { 4 } else { module.precision().bytes() };
        let start = (view.offset / 64 * 64 * bytes) as u64;
        match view.region {
            Region::Param(id) => module.address(id, Form::Value),
            Region::Arena => arena + start,
            Region::State(slot) => module.state(slot) + start,
        }
    }

    /// How the copy engine walks the windows of a convolution.
    fn pixels(&self, module: &CudaModule, map: &PixelMap, arena: u64) -> Result<EncodedMap> {
        let [n, h, w, c] = map.x.shape.nhwc().ok_or_else(|| module.cuda().error("x is not [n, h, w, c]"))?;
        let bytes = module.precision().bytes();
        module.cuda().driver().encode(&TensorMap {
            element: element(module.precision()),
            address: self.value(module, &map.x, arena) + (map.x.offset % 64 * bytes) as u64,
            dims: [c, w, h, n].map(|extent| extent as u64).to_vec(),
            strides: [c, w * c, h * w * c].map(|values| (values * bytes) as u64).to_vec(),
            window: Window::Im2col {
                lower: map.lower,
                upper: map.upper,
                channels: map.channels,
                pixels: map.pixels,
                stride: map.stride,
            },
            swizzle: map.channels * bytes as u32,
        })
    }

    /// How it finds a matrix.
    fn matrix(&self, module: &CudaModule, address: u64, extents: [usize; 2], window: [usize; 2]) -> Result<EncodedMap> {
        let bytes = module.precision().bytes();
        module.cuda().driver().encode(&TensorMap {
            element: element(module.precision()),
            address,
            dims: extents.map(|extent| extent as u64).to_vec(),
            strides: vec![(extents[0] * bytes) as u64],
            window: Window::Tiled(window.map(|extent| extent as u32).to_vec()),
            swizzle: (window[0] * bytes) as u32,
        })
    }
}

/// In which arithmetic a step runs: values that are f32 in every precision know f32 alone.
fn precision_of(module: &CudaModule, plan: &Plan, step: usize) -> Precision {
    let all_are = module.precision().bytes() == 4;
    if plan.steps[step].exact && !all_are { Precision::F32 } else { module.precision() }
}

fn element(precision: Precision) -> MapElement {
    match precision {
        Precision::F32 | Precision::Tf32 => MapElement::F32,
        Precision::F16 => MapElement::F16,
        Precision::Bf16 => MapElement::Bf16,
    }
}
