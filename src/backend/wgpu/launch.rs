//! From dispatches to launches: pipelines found, parameters uploaded, bind groups made.

use std::num::NonZeroU64;
use std::sync::Arc;

use wgpu::BufferUsages as Usage;

use super::Gpu;
use super::device::{Access, NOTHING, PARAMS_SLOT, Pipeline};
use crate::Result;
use crate::backend::gpu::{Argument, Dispatch};

/// A dispatch whose bind group is made.
pub(crate) struct BoundDispatch {
    pipeline: Arc<Pipeline>,
    bind_group: wgpu::BindGroup,
    params: u32,
    groups: [u32; 3],
}

impl BoundDispatch {
    /// Records the launch.
    pub fn record(&self, pass: &mut wgpu::ComputePass) {
        pass.set_pipeline(&self.pipeline.pipeline);
        pass.set_bind_group(0, &self.bind_group, &[self.params]);
        let [x, y, z] = self.groups;
        pass.dispatch_workgroups(x, y, z);
    }
}

/// Launches of dispatches, their parameters side by side in one uniform buffer, which grows as it must.
pub(super) fn bind(
    gpu: &Gpu,
    dispatches: &[Dispatch<Gpu>],
    uniforms: &mut Option<wgpu::Buffer>,
) -> Result<Vec<BoundDispatch>> {
    let mut params = vec![0u8; dispatches.len() * PARAMS_SLOT as usize];
    for (slot, dispatch) in params.chunks_exact_mut(PARAMS_SLOT as usize).zip(dispatches) {
        slot[..dispatch.params.len()].copy_from_slice(&dispatch.params);
    }
    let buffer = match uniforms {
        Some(buffer) if buffer.size() >= params.len() as u64 => buffer,
        slot => slot.insert(gpu.buffer("parameters", params.len() as u64, Usage::UNIFORM | Usage::COPY_DST)?),
    };
    if !params.is_empty() {
        gpu.queue().write_buffer(buffer, 0, &params);
    }
    let slots = (0..).step_by(PARAMS_SLOT as usize);
    dispatches.iter().zip(slots).map(|(dispatch, slot)| launch(gpu, dispatch, buffer, slot)).collect()
}

/// The buffer of an argument.
fn buffer_of(argument: &Argument<Gpu>) -> Option<&wgpu::Buffer> {
    match argument {
        Argument::Range { buffer, .. } => Some(buffer),
        Argument::Map { .. } | Argument::Absent => None,
    }
}

fn launch(gpu: &Gpu, dispatch: &Dispatch<Gpu>, uniforms: &wgpu::Buffer, slot: u32) -> Result<BoundDispatch> {
    let Dispatch { stem, entry, arguments, groups, what, .. } = dispatch;
    let declared = gpu.accesses(stem);
    assert_eq!(declared.len(), arguments.len(), "{stem}: arguments do not match the shader's bindings");
    let accessed = || declared.iter().zip(arguments);
    let written = |buffer| accessed().any(|(a, other)| *a == Access::ReadWrite && buffer_of(other) == Some(buffer));
    let all_writable =
        accessed().any(|(access, argument)| *access == Access::Read && buffer_of(argument).is_some_and(written));
    let pipeline = gpu.pipeline(stem, entry.clone(), all_writable)?;

    let binding = |buffer, offset, size| {
        wgpu::BindingResource::Buffer(wgpu::BufferBinding { buffer, offset, size: NonZeroU64::new(size) })
    };
    let mut entries = vec![wgpu::BindGroupEntry { binding: 0, resource: binding(uniforms, 0, PARAMS_SLOT) }];
    for (at, (access, argument)) in accessed().enumerate() {
        let resource = match argument {
            // Without values it may lie where another operand does.
            Argument::Range { bytes: 0, .. } | Argument::Absent => {
                let (buffer, offset) = gpu.nothing(*access, at);
                binding(buffer, offset, NOTHING)
            }
            Argument::Range { buffer, offset, bytes } => {
                let size = (*bytes as u64).next_multiple_of(16);
                gpu.check_binding(&format!("{what}, operand {at}"), size)?;
                binding(buffer, *offset as u64, size)
            }
            Argument::Map { .. } => unreachable!("shaders know no TMA"),
        };
        entries.push(wgpu::BindGroupEntry { binding: at as u32 + 1, resource });
    }
    let descriptor = wgpu::BindGroupDescriptor { label: Some(entry), layout: &pipeline.layout, entries: &entries };
    let bind_group = gpu.device().create_bind_group(&descriptor);
    Ok(BoundDispatch { pipeline, bind_group, params: slot, groups: *groups })
}
