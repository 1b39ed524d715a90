//! The cascade's buffers, and the recording of its launches.

use std::sync::Arc;

use wgpu::BufferUsages as Usage;

use super::super::device::PARAMS_SLOT;
use super::super::executable::map;
use super::super::kernels::params::{self, Params};
use super::super::launch::Launch;
use super::layout::Chunk;
use super::{Gpu, Net};
use crate::Result;

/// Bytes of a box; `Box` of the shaders.
const BOX: usize = 64;
/// Landmarks of a box, in bytes.
const LANDMARKS: usize = 40;

macro_rules! buffers {
    ($($(#[$doc:meta])* $name:ident),+ $(,)?) => {
        /// What the cascade keeps on the device; each buffer grows as chunks need.
        #[derive(Default)]
        struct Slots { $($name: Option<wgpu::Buffer>,)+ }

        /// The buffers at hand.
        pub(super) struct Held { $($(#[$doc])* pub $name: wgpu::Buffer,)+ }

        impl Slots {
            fn held(&self) -> Option<Held> {
                Some(Held { $($name: self.$name.clone()?,)+ })
            }
        }
    };
}

buffers! {
    /// `[bytes]` u8.
    pixels,
    /// Taps of the pyramid.
    taps,
    /// Corners of cells.
    corners,
    /// `[lists]` levels' stretches.
    segments,
    /// `[images]` photographs' stretches.
    image_segments,
    /// `[images]`.
    images,
    /// `[images + 1]` boxes before each photograph.
    starts,
    /// `[lists]` candidates of levels.
    counts,
    /// `[lists]` kept of levels.
    kept_counts,
    /// `[images]` candidates of photographs.
    image_counts,
    /// `[images]` kept of photographs.
    image_kept,
    /// `[slots]` candidates.
    boxes,
    /// `[slots]` candidates of all levels of a photograph.
    merged,
    /// `[slots]` crops of the next network.
    squares,
    /// `[2, slots]`.
    work,
    /// `[slots]`.
    kept,
    /// `[slots, 10]`.
    landmarks,
    /// `[faces, 20]`.
    faces,
    /// Parameters of one submission's launches.
    params,
    /// What the host reads.
    readback,
}

/// The buffers, and their growth.
#[derive(Default)]
pub(super) struct Lists {
    slots: Slots,
    held: Option<Held>,
}

impl std::ops::Deref for Lists {
    type Target = Held;

    fn deref(&self) -> &Held {
        self.held.as_ref().expect("made by the first upload")
    }
}

/// Makes room for so many bytes; what was there is lost if the buffer must grow.
fn reserve(gpu: &Gpu, buffer: &mut Option<wgpu::Buffer>, name: &str, bytes: usize, usage: Usage) -> Result<()> {
    if buffer.as_ref().is_none_or(|buffer| buffer.size() < bytes as u64) {
        *buffer = None;
        *buffer = Some(gpu.buffer(name, bytes as u64, usage | Usage::COPY_DST)?);
    }
    Ok(())
}

impl Lists {
    /// Brings a chunk's tables and pixels to the device, and makes room for its lists.
    pub fn upload(&mut self, gpu: &Gpu, chunk: &Chunk) -> Result<()> {
        let (lists, images, slots) = (chunk.segments.len(), chunk.images.len(), chunk.slots);
        self.held = None;
        let all = &mut self.slots;
        let tables: [(&mut Option<wgpu::Buffer>, &str, &[u8]); 6] = [
            (&mut all.pixels, "photographs", &chunk.pixels),
            (&mut all.taps, "taps", bytemuck::cast_slice(&chunk.taps)),
            (&mut all.corners, "corners", bytemuck::cast_slice(&chunk.corners)),
            (&mut all.segments, "segments", bytemuck::cast_slice(&chunk.segments)),
            (&mut all.image_segments, "segments", bytemuck::cast_slice(&chunk.image_segments)),
            (&mut all.images, "images", bytemuck::cast_slice(&chunk.images)),
        ];
        for (buffer, name, bytes) in tables {
            reserve(gpu, buffer, name, bytes.len(), Usage::STORAGE)?;
            if let Some(buffer) = buffer.as_ref().filter(|_| !bytes.is_empty()) {
                gpu.queue().write_buffer(buffer, 0, bytes);
            }
        }
        let counted = Usage::STORAGE | Usage::COPY_SRC;
        for (buffer, name, bytes, usage) in [
            (&mut all.starts, "starts", 4 * (images + 1), Usage::STORAGE),
            (&mut all.counts, "counts", 4 * lists, counted),
            (&mut all.kept_counts, "counts", 4 * lists, counted),
            (&mut all.image_counts, "counts", 4 * images, counted),
            (&mut all.image_kept, "counts", 4 * images, counted),
            (&mut all.boxes, "boxes", BOX * slots, Usage::STORAGE),
            (&mut all.merged, "boxes", BOX * slots, Usage::STORAGE),
            (&mut all.squares, "boxes", BOX * slots, Usage::STORAGE),
            (&mut all.work, "places", 8 * slots, Usage::STORAGE),
            (&mut all.kept, "places", 4 * slots, Usage::STORAGE),
            (&mut all.landmarks, "landmarks", LANDMARKS * slots, Usage::STORAGE),
            (&mut all.faces, "faces", 0, counted),
            (&mut all.params, "parameters", 0, Usage::UNIFORM),
            (&mut all.readback, "readback", 8 * (lists + images) + 64, Usage::MAP_READ),
        ] {
            reserve(gpu, buffer, name, bytes, usage)?;
        }
        self.held = all.held();
        Ok(())
    }

    /// Makes room for the faces, on the device and where the host reads them.
    pub fn reserve_faces(&mut self, gpu: &Gpu, words: usize) -> Result<()> {
        self.held = None;
        reserve(gpu, &mut self.slots.faces, "faces", 4 * words, Usage::STORAGE | Usage::COPY_SRC)?;
        let images = self.slots.image_kept.as_ref().map_or(0, wgpu::Buffer::size) as usize;
        reserve(gpu, &mut self.slots.readback, "readback", 4 * words + images + 64, Usage::MAP_READ)?;
        self.held = self.slots.held();
        Ok(())
    }
}

/// What a submission runs, in order.
enum Item {
    Launch(Launch),
    Net(Arc<Net>),
}

/// Records a submission.
pub(super) struct Recorder<'a> {
    gpu: Gpu,
    lists: &'a Lists,
    uniforms: wgpu::Buffer,
    params: Vec<u8>,
    items: Vec<Item>,
}

impl<'a> Recorder<'a> {
    /// A recording of at most `calls` calls.
    pub fn new(gpu: &Gpu, lists: &'a Lists, calls: usize) -> Result<Self> {
        let uniforms = if lists.params.size() >= calls as u64 * PARAMS_SLOT {
            lists.params.clone()
        } else {
            gpu.buffer("parameters", calls as u64 * PARAMS_SLOT, Usage::UNIFORM | Usage::COPY_DST)?
        };
        Ok(Recorder { gpu: gpu.clone(), lists, uniforms, params: Vec::new(), items: Vec::new() })
    }

    /// Records a call on whole buffers.
    pub fn call<P: Params>(
        &mut self,
        entry: &'static str,
        params: P,
        buffers: &[&wgpu::Buffer],
        groups: [u32; 3],
    ) -> Result<()> {
        let slot = self.params.len();
        self.params.extend_from_slice(bytemuck::bytes_of(&params));
        self.params.resize(slot + PARAMS_SLOT as usize, 0);
        let launch = Launch::new::<P>(&self.gpu, entry, (&self.uniforms, slot as u32), buffers, groups)?;
        self.items.push(Item::Launch(launch));
        Ok(())
    }

    /// Records a network.
    pub fn net(&mut self, net: Arc<Net>) {
        self.items.push(Item::Net(net));
    }

    /// Suppression within each level, at one half.
    pub fn suppress_levels(&mut self, chunk: &Chunk) -> Result<()> {
        let lists = chunk.segments.len();
        let params = params::Suppress { lists: lists as u32, tenths: 5, overlap: 0, slots: chunk.slots as u32 };
        let held: &Held = self.lists;
        let buffers = [&held.segments, &held.counts, &held.boxes, &held.work, &held.kept, &held.kept_counts];
        self.call("suppress", params, &buffers, self.gpu.groups(lists)?)
    }

    /// Suppression within each photograph, at seven tenths; `overlap` as the shader has it.
    pub fn suppress_images(&mut self, chunk: &Chunk, boxes: &wgpu::Buffer, overlap: u32) -> Result<()> {
        let images = chunk.images.len();
        let params = params::Suppress { lists: images as u32, tenths: 7, overlap, slots: chunk.slots as u32 };
        let held: &Held = self.lists;
        let buffers = [&held.image_segments, &held.image_counts, boxes, &held.work, &held.kept, &held.image_kept];
        self.call("suppress", params, &buffers, self.gpu.groups(images)?)
    }

    /// The kept boxes of photographs as squares.
    pub fn square(&mut self, chunk: &Chunk, boxes: &wgpu::Buffer, inclusive: bool) -> Result<()> {
        let images = chunk.images.len();
        let params = params::Square { images: images as u32, inclusive: u32::from(inclusive) };
        let held: &Held = self.lists;
        let buffers = [&held.image_segments, &held.kept, &held.image_kept, boxes, &held.squares];
        self.call("square", params, &buffers, self.gpu.groups(images)?)
    }

    /// Submits it all, `cleared` set to zero first, and reads the first words of some buffers, side by side.
    pub fn submit(self, cleared: &[&wgpu::Buffer], reads: &[(&wgpu::Buffer, usize)]) -> Result<Vec<u32>> {
        let gpu = &self.gpu;
        gpu.queue().write_buffer(&self.uniforms, 0, &self.params);
        let mut encoder = gpu.device().create_command_encoder(&Default::default());
        cleared.iter().for_each(|buffer| encoder.clear_buffer(buffer, 0, None));
        let mut pass = encoder.begin_compute_pass(&Default::default());
        for item in &self.items {
            match item {
                Item::Launch(launch) => launch.record(&mut pass),
                Item::Net(net) => net.launches.iter().for_each(|launch| launch.record(&mut pass)),
            }
        }
        drop(pass);
        let readback = &self.lists.readback;
        let mut words = 0;
        for &(buffer, count) in reads.iter().filter(|(_, count)| *count > 0) {
            encoder.copy_buffer_to_buffer(buffer, 0, readback, 4 * words as u64, 4 * count as u64);
            words += count;
        }
        gpu.queue().submit([encoder.finish()]);
        map(gpu, readback, wgpu::MapMode::Read)?;
        let size = 4 * (words as u64).next_multiple_of(2);
        let range = readback.slice(..size).get_mapped_range().map_err(|error| gpu.error(error))?;
        let mut read: Vec<u32> = bytemuck::pod_collect_to_vec(&range);
        drop(range);
        readback.unmap();
        read.truncate(words);
        Ok(read)
    }
}
