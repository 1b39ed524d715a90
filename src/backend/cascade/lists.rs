//! The cascade's buffers, and the recording of its launches.

use std::sync::Arc;

use super::layout::Chunk;
use super::{Engine, Item, Launch, Net};
use crate::Result;
use crate::backend::kernels::params::{self, Params};

/// Bytes of a box; `Box` of the kernels.
const BOX: usize = 64;
/// Landmarks of a box, in bytes.
const LANDMARKS: usize = 40;

macro_rules! buffers {
    ($($(#[$doc:meta])* $name:ident),+ $(,)?) => {
        /// What the cascade keeps on the device; each buffer grows as chunks need.
        struct Slots<E: Engine> { $($name: Option<E::Buffer>,)+ }

        impl<E: Engine> Default for Slots<E> {
            fn default() -> Self {
                Slots { $($name: None,)+ }
            }
        }

        /// The buffers at hand.
        pub(super) struct Held<E: Engine> { $($(#[$doc])* pub $name: E::Buffer,)+ }

        impl<E: Engine> Slots<E> {
            fn held(&self) -> Option<Held<E>> {
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
}

/// The buffers, and their growth.
pub(super) struct Lists<E: Engine> {
    slots: Slots<E>,
    held: Option<Held<E>>,
}

impl<E: Engine> Default for Lists<E> {
    fn default() -> Self {
        Lists { slots: Slots::default(), held: None }
    }
}

impl<E: Engine> std::ops::Deref for Lists<E> {
    type Target = Held<E>;

    fn deref(&self) -> &Held<E> {
        self.held.as_ref().expect("made by the first upload")
    }
}

/// Makes room for so many bytes; what was there is lost if the buffer must grow.
fn reserve<E: Engine>(gpu: &E, buffer: &mut Option<E::Buffer>, name: &str, bytes: usize, counted: bool) -> Result<()> {
    if buffer.as_ref().is_none_or(|buffer| E::bytes(buffer) < bytes) {
        *buffer = None;
        *buffer = Some(gpu.buffer(name, bytes, counted)?);
    }
    Ok(())
}

impl<E: Engine> Lists<E> {
    /// Brings a chunk's tables and pixels to the device, and makes room for its lists.
    pub fn upload(&mut self, gpu: &E, chunk: &Chunk) -> Result<()> {
        let (lists, images, slots) = (chunk.segments.len(), chunk.images.len(), chunk.slots);
        self.held = None;
        let all = &mut self.slots;
        let tables: [(_, _, &[u8]); 6] = [
            (&mut all.pixels, "photographs", &chunk.pixels),
            (&mut all.taps, "taps", bytemuck::cast_slice(&chunk.taps)),
            (&mut all.corners, "corners", bytemuck::cast_slice(&chunk.corners)),
            (&mut all.segments, "segments", bytemuck::cast_slice(&chunk.segments)),
            (&mut all.image_segments, "segments", bytemuck::cast_slice(&chunk.image_segments)),
            (&mut all.images, "images", bytemuck::cast_slice(&chunk.images)),
        ];
        for (buffer, name, bytes) in tables {
            reserve(gpu, buffer, name, bytes.len(), false)?;
            if let Some(buffer) = buffer.as_ref().filter(|_| !bytes.is_empty()) {
                gpu.write(buffer, bytes)?;
            }
        }
        for (buffer, name, bytes, counted) in [
            (&mut all.starts, "starts", 4 * (images + 1), false),
            (&mut all.counts, "counts", 4 * lists, true),
            (&mut all.kept_counts, "counts", 4 * lists, true),
            (&mut all.image_counts, "counts", 4 * images, true),
            (&mut all.image_kept, "counts", 4 * images, true),
            (&mut all.boxes, "boxes", BOX * slots, false),
            (&mut all.merged, "boxes", BOX * slots, false),
            (&mut all.squares, "boxes", BOX * slots, false),
            (&mut all.work, "places", 8 * slots, false),
            (&mut all.kept, "places", 4 * slots, false),
            (&mut all.landmarks, "landmarks", LANDMARKS * slots, false),
            (&mut all.faces, "faces", 0, true),
        ] {
            reserve(gpu, buffer, name, bytes, counted)?;
        }
        self.held = all.held();
        Ok(())
    }

    /// Makes room for the faces.
    pub fn reserve_faces(&mut self, gpu: &E, words: usize) -> Result<()> {
        self.held = None;
        reserve(gpu, &mut self.slots.faces, "faces", 4 * words, true)?;
        self.held = self.slots.held();
        Ok(())
    }
}

/// Records a submission.
pub(super) struct Recorder<'a, E: Engine> {
    gpu: &'a E,
    lists: &'a Lists<E>,
    items: Vec<Item<E>>,
}

impl<'a, E: Engine> Recorder<'a, E> {
    /// An empty recording.
    pub fn new(gpu: &'a E, lists: &'a Lists<E>) -> Self {
        Recorder { gpu, lists, items: Vec::new() }
    }

    /// Records a call on whole buffers.
    pub fn call<P: Params>(&mut self, entry: &'static str, params: P, buffers: &[&E::Buffer], groups: [u32; 3]) {
        self.items.push(Item::Launch(Launch {
            stem: P::STEM,
            entry,
            params: bytemuck::bytes_of(&params).to_vec(),
            buffers: buffers.iter().copied().cloned().collect(),
            groups,
        }));
    }

    /// Records a network.
    pub fn net(&mut self, net: Arc<Net<E>>) {
        self.items.push(Item::Net(net));
    }

    fn groups(&self, groups: usize) -> Result<[u32; 3]> {
        self.gpu.tuning().groups(groups).map_err(|problem| self.gpu.error(&problem))
    }

    /// Suppression within each level, at one half.
    pub fn suppress_levels(&mut self, chunk: &Chunk) -> Result<()> {
        let lists = chunk.segments.len();
        let params = params::Suppress { lists: lists as u32, tenths: 5, overlap: 0, slots: chunk.slots as u32 };
        let held: &Held<E> = self.lists;
        let buffers = [&held.segments, &held.counts, &held.boxes, &held.work, &held.kept, &held.kept_counts];
        self.call("suppress", params, &buffers, self.groups(lists)?);
        Ok(())
    }

    /// Suppression within each photograph, at seven tenths; `overlap` as the kernel has it.
    pub fn suppress_images(&mut self, chunk: &Chunk, boxes: &E::Buffer, overlap: u32) -> Result<()> {
        let images = chunk.images.len();
        let params = params::Suppress { lists: images as u32, tenths: 7, overlap, slots: chunk.slots as u32 };
        let held: &Held<E> = self.lists;
        let buffers = [&held.image_segments, &held.image_counts, boxes, &held.work, &held.kept, &held.image_kept];
        self.call("suppress", params, &buffers, self.groups(images)?);
        Ok(())
    }

    /// The kept boxes of photographs as squares.
    pub fn square(&mut self, chunk: &Chunk, boxes: &E::Buffer, inclusive: bool) -> Result<()> {
        let images = chunk.images.len();
        let params = params::Square { images: images as u32, inclusive: u32::from(inclusive) };
        let held: &Held<E> = self.lists;
        let buffers = [&held.image_segments, &held.kept, &held.image_kept, boxes, &held.squares];
        self.call("square", params, &buffers, self.groups(images)?);
        Ok(())
    }

    /// Submits it all, `cleared` set to zero first, and reads the first words of some buffers, side by side.
    pub fn submit(
        self,
        scratch: &mut E::Scratch,
        cleared: &[&E::Buffer],
        reads: &[(&E::Buffer, usize)],
    ) -> Result<Vec<u32>> {
        self.gpu.submit(scratch, &self.items, cleared, reads)
    }
}
