//! From a plan's calls to launches: operands found in memory, once for any number of runs.

use std::sync::Arc;

use super::module::ALIGN;
use super::pack::ParamStorage;
use super::{Argument, Dispatch, GpuModule, MapElement, Runtime, TensorMap, Window};
use crate::backend::kernels::{self, Call, Operand, PixelMap};
use crate::graph::{Region, View};
use crate::{Plan, Precision, Result};

/// The calls of a plan, and how much of the arena they take beyond the plan's own.
pub(crate) struct Prepared {
    calls: Vec<(usize, Call)>,
    /// Elements of the arena, scratch included.
    pub arena: usize,
}

/// A plan's launches over an arena.
pub(crate) struct Bound<R: Runtime> {
    /// Each with the plan's step it belongs to.
    pub launches: Vec<(usize, Arc<R::Launch>)>,
    /// What the launches read besides: constants that the host made from the sizes, and parameters.
    _tables: Option<R::Buffer>,
    _parameters: R::Parameters,
}

impl Prepared {
    /// What a plan's steps call.
    pub fn new<R: Runtime>(module: &GpuModule<R>, plan: &Plan) -> Result<Prepared> {
        let (mut calls, mut scratch) = (Vec::new(), 0);
        for (i, step) in plan.steps.iter().enumerate() {
            let precision = precision_of(module, plan, i);
            let of_step = kernels::calls(step, module.runtime().tuning(precision))
                .map_err(|problem| module.runtime().error(&problem))?;
            let operands = of_step.iter().flat_map(|call| &call.operands);
            let words = operands.map(|operand| operand.scratch(4 / precision.bytes())).max().unwrap_or(0);
            scratch = scratch.max(4 * words);
            calls.extend(of_step.into_iter().map(|call| (i, call)));
        }
        let arena = plan.arena + (scratch / module.precision().bytes()).next_multiple_of(64);
        Ok(Prepared { calls, arena })
    }

    /// The launches of these calls over an arena of at least [`Prepared::arena`] elements.
    pub fn bind<R: Runtime>(self, module: &GpuModule<R>, plan: &Plan, arena: &R::Buffer) -> Result<Bound<R>> {
        let (words, mut starts) = self.tables();
        let tables = match words.is_empty() {
            true => None,
            false => {
                let tables = module.runtime().allocate("tables", 4 * words.len())?;
                module.runtime().write(&tables, bytemuck::cast_slice(&words))?;
                Some(tables)
            }
        };
        let place = Operands { module, plan, arena, tables: tables.as_ref() };
        let (mut steps, mut dispatches) = (Vec::new(), Vec::new());
        for (step, call) in self.calls {
            let precision = precision_of(module, plan, step);
            let arguments = call
                .operands
                .iter()
                .map(|operand| place.argument(operand, precision, &mut starts))
                .collect::<Result<_>>()?;
            steps.push(step);
            dispatches.push(Dispatch {
                stem: call.stem,
                entry: call.entry,
                dtype: call.dtype,
                precision,
                params: call.params,
                arguments,
                groups: call.groups,
                shared: call.shared,
                threads: call.threads,
                what: plan.graph.nodes()[plan.steps[step].node.index()].name.clone(),
            });
        }
        let mut parameters = R::Parameters::default();
        let launches = module.runtime().bind(&dispatches, &mut parameters)?;
        let launches = steps.into_iter().zip(launches.into_iter().map(Arc::new)).collect();
        Ok(Bound { launches, _tables: tables, _parameters: parameters })
    }

    /// The tables of all calls side by side, and where each begins, in order.
    fn tables(&self) -> (Vec<u32>, std::vec::IntoIter<[usize; 2]>) {
        let (mut words, mut places) = (Vec::<u32>::new(), Vec::new());
        for operand in self.calls.iter().flat_map(|(_, call)| &call.operands) {
            if let Operand::Table(table) = operand {
                words.resize(words.len().next_multiple_of(ALIGN / 4), 0);
                places.push([4 * words.len(), 4 * table.len()]);
                words.extend(table);
            }
        }
        (words, places.into_iter())
    }
}

/// Where a plan's operands lie.
struct Operands<'a, R: Runtime> {
    module: &'a GpuModule<R>,
    plan: &'a Plan,
    arena: &'a R::Buffer,
    tables: Option<&'a R::Buffer>,
}

impl<R: Runtime> Operands<'_, R> {
    fn argument(
        &self,
        operand: &Operand,
        precision: Precision,
        tables: &mut std::vec::IntoIter<[usize; 2]>,
    ) -> Result<Argument<R>> {
        let range = |buffer: &R::Buffer, offset, bytes| Argument::Range { buffer: buffer.clone(), offset, bytes };
        let scratch = self.plan.arena * self.module.precision().bytes();
        Ok(match operand {
            Operand::View(view) => self.view(view, ParamStorage::Value),
            Operand::Constant(view) => self.view(view, ParamStorage::Constant),
            Operand::Part { of, first, elements } => {
                let part =
                    View { offset: of.offset + first, shape: [*elements].into(), stride: *elements, ..of.clone() };
                match (self.view(&part, ParamStorage::Value), part.region) {
                    (Argument::Range { buffer, offset, .. }, Region::Param(_)) => {
                        let (element, start) = (self.module.element(&part), part.offset / 64 * 64);
                        let bytes = (part.offset - start + elements) * element;
                        range(&buffer, offset + start * element, bytes)
                    }
                    (other, _) => other,
                }
            }
            Operand::Packed(id, packing) => {
                let place = self.module.place(*id, ParamStorage::Packed(*packing));
                range(self.module.params(), place.offset, place.bytes)
            }
            Operand::Scratch(words) => range(self.arena, scratch, 4 * words),
            Operand::Further { words, values, elements } => {
                let element = precision.bytes();
                range(self.arena, scratch + 4 * words + element * values, element * elements)
            }
            Operand::Table(_) => {
                let ([offset, bytes], buffer) = tables.next().zip(self.tables).expect("every table was laid out");
                range(buffer, offset, bytes)
            }
            Operand::Pixels(map) => self.pixels(map)?,
            Operand::Matrix { of, extents, window } => match self.argument(of, precision, tables)? {
                Argument::Range { buffer, offset, .. } => {
                    Argument::Map { buffer, offset, map: Box::new(self.matrix(*extents, *window)) }
                }
                other => other,
            },
            Operand::NoConstant | Operand::NoValue => Argument::Absent,
        })
    }

    /// A value: it begins at a multiple of 64 elements, the kernel's `y_offset` being the rest.
    fn view(&self, view: &View, storage: ParamStorage) -> Argument<R> {
        let (element, start) = (self.module.element(view), view.offset / 64 * 64);
        let bytes = (view.offset - start + view.span()) * element;
        let (buffer, offset, bytes) = match view.region {
            Region::Param(id) => {
                let place = self.module.place(id, storage);
                (self.module.params(), place.offset, place.bytes)
            }
            Region::Arena => (self.arena, start * element, bytes),
            Region::State(slot) => (self.module.state(slot), start * element, bytes),
        };
        Argument::Range { buffer: buffer.clone(), offset, bytes }
    }

    /// TMA's map of a convolution's windows.
    fn pixels(&self, pixels: &PixelMap) -> Result<Argument<R>> {
        let x = &pixels.x;
        let [n, h, w, c] = x.shape.nhwc().ok_or_else(|| self.module.runtime().error("x is not [n, h, w, c]"))?;
        let bytes = self.module.precision().bytes();
        let map = TensorMap {
            element: element(self.module.precision()),
            address: 0,
            dims: [c, w, h, n].map(|extent| extent as u64).to_vec(),
            strides: [c, w * c, h * w * c].map(|values| (values * bytes) as u64).to_vec(),
            window: Window::Im2col {
                lower: pixels.lower,
                upper: pixels.upper,
                channels: pixels.channels,
                pixels: pixels.pixels,
                stride: pixels.stride,
            },
            swizzle: pixels.channels * bytes as u32,
        };
        Ok(match self.view(x, ParamStorage::Value) {
            Argument::Range { buffer, offset, .. } => {
                Argument::Map { buffer, offset: offset + x.offset % 64 * bytes, map: Box::new(map) }
            }
            other => other,
        })
    }

    /// TMA's map of a matrix.
    fn matrix(&self, extents: [usize; 2], window: [usize; 2]) -> TensorMap {
        let bytes = self.module.precision().bytes();
        TensorMap {
            element: element(self.module.precision()),
            address: 0,
            dims: extents.map(|extent| extent as u64).to_vec(),
            strides: vec![(extents[0] * bytes) as u64],
            window: Window::Tiled(window.map(|extent| extent as u32).to_vec()),
            swizzle: (window[0] * bytes) as u32,
        }
    }
}

/// In which arithmetic a step runs: values that are f32 in every precision know f32 alone.
fn precision_of<R: Runtime>(module: &GpuModule<R>, plan: &Plan, step: usize) -> Precision {
    let all_are = module.precision().bytes() == 4;
    if plan.steps[step].keep_f32 && !all_are { Precision::F32 } else { module.precision() }
}

fn element(precision: Precision) -> MapElement {
    match precision {
        Precision::F32 | Precision::Tf32 => MapElement::F32,
        Precision::F16 => MapElement::F16,
        Precision::Bf16 => MapElement::Bf16,
    }
}
