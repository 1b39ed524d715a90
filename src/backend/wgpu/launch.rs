//! From calls to launches: pipelines found, parameters and tables uploaded, bindings made, once for any number of runs.

use std::num::NonZeroU64;
use std::sync::Arc;

use super::device::{Access, PARAMS_SLOT, Pipeline, bindings};
use super::shaders::source;
use super::{Gpu, GpuModule};
use crate::backend::kernels::{self, Call, Operand};
use crate::graph::Region;
use crate::{Plan, Result};

/// A call whose bindings are made.
pub struct Launch {
    /// The plan's step it belongs to.
    pub step: usize,
    pipeline: Arc<Pipeline>,
    bind_group: wgpu::BindGroup,
    params: u32,
    groups: [u32; 3],
}

impl Launch {
    /// A launch of an entry point on whole buffers, none of which it both reads as constant and writes.
    pub fn new(
        gpu: &Gpu,
        (stem, entry): (&'static str, &'static str),
        params: (&wgpu::Buffer, u32),
        buffers: &[wgpu::Buffer],
        groups: [u32; 3],
    ) -> Result<Launch> {
        let pipeline = gpu.pipeline(stem, entry, false)?;
        let size = NonZeroU64::new(PARAMS_SLOT);
        let params_binding = wgpu::BufferBinding { buffer: params.0, offset: 0, size };
        let mut entries =
            vec![wgpu::BindGroupEntry { binding: 0, resource: wgpu::BindingResource::Buffer(params_binding) }];
        for (buffer, binding) in buffers.iter().zip(1..) {
            gpu.check_binding(entry, buffer.size())?;
            entries.push(wgpu::BindGroupEntry { binding, resource: buffer.as_entire_binding() });
        }
        let descriptor = wgpu::BindGroupDescriptor { label: Some(entry), layout: &pipeline.layout, entries: &entries };
        let bind_group = gpu.device().create_bind_group(&descriptor);
        Ok(Launch { step: 0, pipeline, bind_group, params: params.1, groups })
    }

    /// Records the launch.
    pub fn record(&self, pass: &mut wgpu::ComputePass) {
        pass.set_pipeline(&self.pipeline.pipeline);
        pass.set_bind_group(0, &self.bind_group, &[self.params]);
        let [x, y, z] = self.groups;
        pass.dispatch_workgroups(x, y, z);
    }
}

/// The calls of a plan, and how much of the arena they take beyond the plan's own.
pub struct Prepared {
    calls: Vec<(usize, Call)>,
    /// Elements of the arena, scratch included.
    pub arena: usize,
}

/// Which buffer an operand lies in: a buffer can be used in one way at a time.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Home {
    Arena,
    Params,
    Tables,
    State(usize),
}

/// Where an operand lies, in bytes.
#[derive(Clone, Copy)]
struct Range {
    home: Home,
    offset: u64,
    size: u64,
}

impl Prepared {
    /// What a plan's steps call.
    pub fn new(module: &GpuModule, plan: &Plan) -> Result<Prepared> {
        let tuning = module.gpu().tuning();
        let mut calls = Vec::new();
        for (i, step) in plan.steps.iter().enumerate() {
            let of_step = kernels::calls(step, tuning).map_err(|problem| module.gpu().error(problem))?;
            calls.extend(of_step.into_iter().map(|call| (i, call)));
        }
        let scratch = calls.iter().flat_map(|(_, call)| &call.operands).map(|operand| operand.scratch(1));
        let arena = plan.arena + scratch.max().unwrap_or(0).next_multiple_of(64);
        Ok(Prepared { calls, arena })
    }

    /// The launches of these calls over an arena of at least [`Prepared::arena`] elements.
    pub fn bind(self, module: &GpuModule, plan: &Plan, arena: &wgpu::Buffer) -> Result<Vec<Launch>> {
        let gpu = module.gpu();
        let mut params = vec![0u8; self.calls.len() * PARAMS_SLOT as usize];
        let mut tables: Vec<u32> = Vec::new();
        let mut ranges = Vec::with_capacity(self.calls.len());
        for (slot, (_, call)) in params.chunks_exact_mut(PARAMS_SLOT as usize).zip(&self.calls) {
            slot[..call.params.len()].copy_from_slice(&call.params);
            let of_call = call.operands.iter().map(|operand| range(module, plan, operand, &mut tables));
            ranges.push(of_call.collect::<Vec<Range>>());
        }
        let params = gpu.filled("parameters", &params, wgpu::BufferUsages::UNIFORM)?;
        let tables = gpu.filled("tables", bytemuck::cast_slice(&tables), wgpu::BufferUsages::STORAGE)?;
        let buffer = |home: Home| match home {
            Home::Arena => arena,
            Home::Params => module.params(),
            Home::Tables => &tables,
            Home::State(slot) => module.state(slot),
        };
        let mut launches = Vec::with_capacity(self.calls.len());
        for (i, ((step, call), ranges)) in self.calls.iter().zip(&ranges).enumerate() {
            let source = source(call.stem);
            let declared: Vec<Access> = bindings(&source).map(|(_, access)| access).skip(1).collect();
            assert_eq!(declared.len(), ranges.len(), "{}: operands do not match the shader's bindings", call.stem);
            let conflict = |read: &Range| {
                declared
                    .iter()
                    .zip(ranges)
                    .any(|(access, other)| *access == Access::ReadWrite && other.home == read.home)
            };
            let all_writable =
                declared.iter().zip(ranges).any(|(access, range)| *access == Access::Read && conflict(range));
            let pipeline = gpu.pipeline(call.stem, call.entry, all_writable)?;
            let binding = |buffer, offset, size| {
                wgpu::BindingResource::Buffer(wgpu::BufferBinding { buffer, offset, size: NonZeroU64::new(size) })
            };
            let mut entries = vec![wgpu::BindGroupEntry { binding: 0, resource: binding(&params, 0, PARAMS_SLOT) }];
            for (at, range) in ranges.iter().enumerate() {
                gpu.check_binding(
                    &format!("{}, operand {at}", plan.graph.nodes()[plan.steps[*step].node.index()].name),
                    range.size,
                )?;
                let resource = binding(buffer(range.home), range.offset, range.size);
                entries.push(wgpu::BindGroupEntry { binding: at as u32 + 1, resource });
            }
            let descriptor =
                wgpu::BindGroupDescriptor { label: Some(call.entry), layout: &pipeline.layout, entries: &entries };
            let bind_group = gpu.device().create_bind_group(&descriptor);
            let params = (i as u64 * PARAMS_SLOT) as u32;
            launches.push(Launch { step: *step, pipeline, bind_group, params, groups: call.groups });
        }
        Ok(launches)
    }
}

/// Where an operand lies; tables are appended to `tables`.
fn range(module: &GpuModule, plan: &Plan, operand: &Operand, tables: &mut Vec<u32>) -> Range {
    // Buffers are padded to 256 bytes, so that no binding need be empty.
    let of = |home, from: usize, elements: usize| {
        let start = from / 64 * 64;
        Range {
            home,
            offset: 4 * start as u64,
            size: (4 * (from - start + elements) as u64).next_multiple_of(16).max(16),
        }
    };
    match operand {
        Operand::View(view) | Operand::Constant(view) => match view.region {
            Region::Arena => of(Home::Arena, view.offset, view.span()),
            Region::Param(id) => of(Home::Params, module.raw_offset(id), view.span()),
            Region::State(slot) => of(Home::State(slot), view.offset, view.span()),
        },
        Operand::Packed(id, _) => {
            let (offset, elements) = module.packed_range(*id);
            of(Home::Params, offset, elements)
        }
        Operand::Scratch(elements) => of(Home::Arena, plan.arena, *elements),
        Operand::Further { words, values, elements } => of(Home::Arena, plan.arena + words + values, *elements),
        Operand::Table(words) => {
            tables.resize(tables.len().next_multiple_of(64), 0);
            let from = tables.len();
            tables.extend(words);
            of(Home::Tables, from, words.len())
        }
        Operand::Pixels(_) | Operand::Matrix { .. } => unreachable!("shaders know no copy engine"),
        Operand::NoConstant => of(Home::Params, 0, 0),
        Operand::NoValue => of(Home::Arena, 0, 0),
    }
}
