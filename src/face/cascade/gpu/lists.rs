//! The cascade's buffers, and the recording of its launches.

use std::sync::Arc;

use super::arena::Net;
use super::layout::Chunk;
use super::params;
use crate::backend::gpu::{Argument, Command, Dispatch, Runtime};
use crate::backend::kernels::Dtype;
use crate::backend::kernels::params::Params;
use crate::{Precision, Result};

/// Bytes of a box; `Box` of the kernels.
const BOX: usize = 64;
/// Landmarks of a box, in bytes.
const LANDMARKS: usize = 40;

macro_rules! buffers {
    ($($(#[$doc:meta])* $name:ident),+ $(,)?) => {
        /// What the cascade keeps on the device; each buffer grows as chunks need.
        struct Slots<R: Runtime> { $($name: Option<R::Buffer>,)+ }

        impl<R: Runtime> Default for Slots<R> {
            fn default() -> Self {
                Slots { $($name: None,)+ }
            }
        }

        /// The buffers at hand.
        pub(super) struct Held<R: Runtime> { $($(#[$doc])* pub $name: R::Buffer,)+ }

        impl<R: Runtime> Slots<R> {
            fn held(&self) -> Option<Held<R>> {
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
pub(super) struct Lists<R: Runtime> {
    slots: Slots<R>,
    held: Option<Held<R>>,
}

impl<R: Runtime> Default for Lists<R> {
    fn default() -> Self {
        Lists { slots: Slots::default(), held: None }
    }
}

impl<R: Runtime> std::ops::Deref for Lists<R> {
    type Target = Held<R>;

    fn deref(&self) -> &Held<R> {
        self.held.as_ref().expect("made by the first upload")
    }
}

/// Makes room for `bytes`; a buffer that must grow loses its content.
fn reserve<R: Runtime>(gpu: &R, buffer: &mut Option<R::Buffer>, name: &str, bytes: usize) -> Result<()> {
    if buffer.as_ref().is_none_or(|buffer| R::bytes(buffer) < bytes) {
        *buffer = None;
        *buffer = Some(gpu.allocate(name, bytes)?);
    }
    Ok(())
}

impl<R: Runtime> Lists<R> {
    /// Brings a chunk's tables and pixels to the device, and makes room for its lists.
    pub fn upload(&mut self, gpu: &R, chunk: &Chunk) -> Result<()> {
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
            reserve(gpu, buffer, name, bytes.len())?;
            if let Some(buffer) = buffer.as_ref().filter(|_| !bytes.is_empty()) {
                gpu.write(buffer, bytes)?;
            }
        }
        for (buffer, name, bytes) in [
            (&mut all.starts, "starts", 4 * (images + 1)),
            (&mut all.counts, "counts", 4 * lists),
            (&mut all.kept_counts, "counts", 4 * lists),
            (&mut all.image_counts, "counts", 4 * images),
            (&mut all.image_kept, "counts", 4 * images),
            (&mut all.boxes, "boxes", BOX * slots),
            (&mut all.merged, "boxes", BOX * slots),
            (&mut all.squares, "boxes", BOX * slots),
            (&mut all.work, "places", 8 * slots),
            (&mut all.kept, "places", 4 * slots),
            (&mut all.landmarks, "landmarks", LANDMARKS * slots),
            (&mut all.faces, "faces", 0),
        ] {
            reserve(gpu, buffer, name, bytes)?;
        }
        self.held = all.held();
        Ok(())
    }

    /// Makes room for the faces.
    pub fn reserve_faces(&mut self, gpu: &R, words: usize) -> Result<()> {
        self.held = None;
        reserve(gpu, &mut self.slots.faces, "faces", 4 * words)?;
        self.held = self.slots.held();
        Ok(())
    }
}

/// What a submission runs.
enum Item<R: Runtime> {
    /// The next of the dispatches.
    Dispatch,
    /// A network.
    Net(Arc<Net<R>>),
}

/// What submissions are made of, kept between them.
pub(super) struct Scratch<R: Runtime> {
    parameters: R::Parameters,
    staging: Option<(R::Staging, usize)>,
}

impl<R: Runtime> Default for Scratch<R> {
    fn default() -> Self {
        Scratch { parameters: R::Parameters::default(), staging: None }
    }
}

/// A submission that was recorded: what is read of it, in words.
pub(super) struct Submitted<R: Runtime> {
    /// Where it was downloaded to.
    pub staging: R::Staging,
    /// Bytes that fit there.
    room: usize,
    words: usize,
}

impl<R: Runtime> Submitted<R> {
    /// The words, after the submission has finished; its staging memory serves the next.
    pub fn words(self, gpu: &R, scratch: &mut Scratch<R>) -> Result<Vec<u32>> {
        let words = match self.words {
            0 => Vec::new(),
            words => gpu.downloaded(&self.staging, 0..4 * words, bytemuck::pod_collect_to_vec)?,
        };
        scratch.staging = Some((self.staging, self.room));
        Ok(words)
    }
}

/// Records a submission.
pub(super) struct Recorder<'a, R: Runtime> {
    gpu: &'a R,
    lists: &'a Lists<R>,
    items: Vec<Item<R>>,
    dispatches: Vec<Dispatch<R>>,
}

impl<'a, R: Runtime> Recorder<'a, R> {
    /// An empty recording.
    pub fn new(gpu: &'a R, lists: &'a Lists<R>) -> Self {
        Recorder { gpu, lists, items: Vec::new(), dispatches: Vec::new() }
    }

    /// Records a kernel on whole buffers.
    pub fn call<P: Params>(&mut self, entry: &'static str, params: P, buffers: &[&R::Buffer], groups: [u32; 3]) {
        self.items.push(Item::Dispatch);
        self.dispatches.push(Dispatch {
            stem: P::STEM,
            entry: entry.into(),
            dtype: Dtype::Stored,
            precision: Precision::F32,
            params: bytemuck::bytes_of(&params).to_vec(),
            arguments: buffers.iter().copied().map(Argument::whole).collect(),
            groups,
            shared: 0,
            threads: None,
            what: entry.to_owned(),
        });
    }

    /// Records a network.
    pub fn net(&mut self, net: Arc<Net<R>>) {
        self.items.push(Item::Net(net));
    }

    fn groups(&self, groups: usize) -> Result<[u32; 3]> {
        self.gpu.tuning(Precision::F32).groups(groups).map_err(|problem| self.gpu.error(&problem))
    }

    /// Suppression within each level, at one half.
    pub fn suppress_levels(&mut self, chunk: &Chunk) -> Result<()> {
        let lists = chunk.segments.len();
        let params = params::Suppress { lists: lists as u32, tenths: 5, overlap: 0, slots: chunk.slots as u32 };
        let held: &Held<R> = self.lists;
        let buffers = [&held.segments, &held.counts, &held.boxes, &held.work, &held.kept, &held.kept_counts];
        self.call("suppress", params, &buffers, self.groups(lists)?);
        Ok(())
    }

    /// Suppression within each photograph, at seven tenths; `overlap` as the kernel has it.
    pub fn suppress_images(&mut self, chunk: &Chunk, boxes: &R::Buffer, overlap: u32) -> Result<()> {
        let images = chunk.images.len();
        let params = params::Suppress { lists: images as u32, tenths: 7, overlap, slots: chunk.slots as u32 };
        let held: &Held<R> = self.lists;
        let buffers = [&held.image_segments, &held.image_counts, boxes, &held.work, &held.kept, &held.image_kept];
        self.call("suppress", params, &buffers, self.groups(images)?);
        Ok(())
    }

    /// The kept boxes of photographs as squares.
    pub fn square(&mut self, chunk: &Chunk, boxes: &R::Buffer, inclusive: bool) -> Result<()> {
        let images = chunk.images.len();
        let params = params::Square { images: images as u32, inclusive: u32::from(inclusive) };
        let held: &Held<R> = self.lists;
        let buffers = [&held.image_segments, &held.kept, &held.image_kept, boxes, &held.squares];
        self.call("square", params, &buffers, self.groups(images)?);
        Ok(())
    }

    /// Submits it all, `cleared` set to zero first; the first words of some buffers are downloaded, side by side.
    pub fn submit(
        self,
        scratch: &mut Scratch<R>,
        cleared: &[&R::Buffer],
        reads: &[(&R::Buffer, usize)],
    ) -> Result<Submitted<R>> {
        let words = reads.iter().map(|(_, words)| words).sum();
        let (mut staging, room) = match scratch.staging.take().filter(|(_, room)| *room >= 4 * words) {
            Some(kept) => kept,
            None => (self.gpu.staging(0, 8 * words)?, 8 * words),
        };
        let launches = self.gpu.bind(&self.dispatches, &mut scratch.parameters)?;
        let mut launches = launches.into_iter().map(Arc::new);
        let mut commands: Vec<Command<R>> = cleared.iter().map(|buffer| Command::Clear((*buffer).clone())).collect();
        for item in self.items {
            match item {
                Item::Dispatch => commands.extend(launches.next().map(Command::Launch)),
                Item::Net(net) => {
                    commands.extend(net.bound.launches.iter().map(|(_, launch)| Command::Launch(launch.clone())));
                }
            }
        }
        let mut at = 0;
        for &(from, words) in reads.iter().filter(|(_, words)| *words > 0) {
            commands.push(Command::Download { from: from.clone(), offset: 0, bytes: 4 * words, at });
            at += 4 * words;
        }
        self.gpu.submit(&mut staging, &commands, false)?;
        Ok(Submitted { staging, room, words })
    }
}
