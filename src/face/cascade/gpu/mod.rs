//! Detection on the device: photographs go in, counts come out after each network, faces at the end.
//!
//! Photographs of any sizes run together. Those of one size share launches; each pyramid level is cut into jobs of
//! bounded size, so that memory does not grow with photographs or batches. Candidates go to lists of fixed capacity;
//! a list that overflows is told by its count, and the photographs are run again with more room.
//!
//! One submission for the pyramid and P-Net, one for R-Net, one for O-Net.

mod arena;
mod layout;
mod lists;
mod params;

use std::sync::Arc;

use super::Cascade;
use super::candidates::finish;
use crate::backend::Pending;
use crate::backend::gpu::{GpuModule, Runtime, Wait};
use crate::backend::kernels::{Dialect, Tuning};
use crate::face::{DetectOptions, Face};
use crate::image::{LinearTable, Rgb8};
use crate::models::Mtcnn;
use crate::{Graph, Precision, Result};
use arena::Arena;
use layout::{Chunk, Job};
use lists::{Lists, Recorder, Scratch, Submitted};
pub use params::params_layouts;

/// How much runs at once: what keeps a device busy without filling its memory.
#[derive(Clone, Copy)]
struct Sizes {
    /// The most bytes, and the most photographs, that run together.
    chunk_bytes: usize,
    chunk_images: usize,
    /// Pixels of a pyramid level that P-Net takes at once.
    pixels: usize,
    /// Crops that R-Net and O-Net take at once.
    crops: usize,
}

impl Sizes {
    fn of(tuning: Tuning) -> Sizes {
        let gpu = Sizes { chunk_bytes: 16 << 20, chunk_images: 64, pixels: 1 << 19, crops: 64 };
        match tuning.dialect {
            Dialect::SoftwareShader => Sizes { pixels: 1 << 16, ..gpu },
            Dialect::Shader => gpu,
            // A launch costs as much as the arithmetic of some hundred crops.
            Dialect::Cuda(_) => Sizes { chunk_bytes: 64 << 20, chunk_images: 256, pixels: 1 << 22, crops: 1024 },
        }
    }

    /// What a batch of crops is rounded up to, so that there are few plans.
    fn rounded(crops: usize) -> usize {
        crops.next_multiple_of(if crops <= 64 { 8 } else { 64 })
    }
}

/// Words of a face that the device hands over: see `shaders/cascade/faces.wgsl`.
const FACE_WORDS: usize = 20;

/// A second or third network with what its crops need.
struct CropNetwork<R: Runtime> {
    module: GpuModule<R>,
    /// Side of a crop.
    size: usize,
    /// Probability that a crop must exceed.
    threshold: f32,
    /// Bilinear taps for boxes smaller than the crop: `[extents from 1 on, size]`.
    taps: R::Buffer,
}

/// The detection cascade on a GPU.
pub(super) struct GpuCascade<R: Runtime> {
    gpu: R,
    options: DetectOptions,
    pnet: GpuModule<R>,
    rnet: CropNetwork<R>,
    onet: CropNetwork<R>,
    state: async_lock::Mutex<CascadeMemory<R>>,
}

/// What lives on the device between calls.
struct CascadeMemory<R: Runtime> {
    arena: Arena<R>,
    lists: Lists<R>,
    /// What submissions are made of.
    scratch: Scratch<R>,
    /// A level's list has room for one in this many cells.
    cells_per_slot: usize,
}

impl<R: Runtime> GpuCascade<R> {
    /// The cascade of these networks.
    ///
    /// # Errors
    /// [`crate::Error::Device`] if the device has too little memory for the networks.
    pub fn new(gpu: R, networks: &Mtcnn, options: &DetectOptions) -> Result<Self> {
        let load = |graph: &Arc<Graph>| GpuModule::new(gpu.clone(), graph.clone(), Precision::F32, Arc::new([]));
        let crops = |graph, size, threshold| -> Result<CropNetwork<R>> {
            Ok(CropNetwork { module: load(graph)?, size, threshold, taps: linear_taps(&gpu, size)? })
        };
        let (arena, lists, scratch) = Default::default();
        let state = CascadeMemory { arena, lists, scratch, cells_per_slot: 8 };
        Ok(GpuCascade {
            pnet: load(&networks.pnet)?,
            rnet: crops(&networks.rnet, 24, options.thresholds[1])?,
            onet: crops(&networks.onet, 48, options.thresholds[2])?,
            options: *options,
            state: async_lock::Mutex::new(state),
            gpu,
        })
    }

    /// The faces of a chunk's photographs, in the chunk's order.
    async fn detect_chunk(&self, images: &[&Rgb8], wait: Wait) -> Result<Vec<Vec<Face>>> {
        let mut state = self.state.lock().await;
        let counts = loop {
            let chunk = Chunk::new(images, &self.options, state.cells_per_slot);
            let submitted = self.gpu.scoped(|| self.propose(&mut state, &chunk))?;
            let read = self.read(&mut state, submitted, wait).await?;
            let (counts, kept) = read.split_at(chunk.segments.len());
            if counts.iter().zip(&chunk.segments).all(|(&count, segment)| count <= segment.capacity) {
                break (chunk, kept.to_vec());
            }
            // Some list was full: with a slot for every cell none can be.
            state.cells_per_slot = 1;
        };
        let (chunk, counts) = counts;
        if counts.iter().all(|&count| count == 0) {
            return Ok(vec![Vec::new(); images.len()]);
        }
        let submitted = self.gpu.scoped(|| self.refine(&mut state, &chunk, &counts))?;
        let counts = self.read(&mut state, submitted, wait).await?;
        if counts.iter().all(|&count| count == 0) {
            return Ok(vec![Vec::new(); images.len()]);
        }
        let submitted = self.gpu.scoped(|| self.finish(&mut state, &chunk, &counts))?;
        let read = self.read(&mut state, submitted, wait).await?;
        Ok(self.faces(&read, images.len()))
    }

    /// What a submission has read, when it is done.
    async fn read(&self, state: &mut CascadeMemory<R>, mut submitted: Submitted<R>, wait: Wait) -> Result<Vec<u32>> {
        self.gpu.finish(&mut submitted.staging, wait).await?;
        submitted.words(&self.gpu, &mut state.scratch)
    }

    /// Pyramid and P-Net: how many candidates each list has, and how many boxes each photograph has for R-Net.
    fn propose(&self, state: &mut CascadeMemory<R>, chunk: &Chunk) -> Result<Submitted<R>> {
        let CascadeMemory { arena, lists, scratch, .. } = state;
        let jobs = chunk.jobs(Sizes::of(self.gpu.tuning(Precision::F32)).pixels);
        let shapes: Vec<[usize; 4]> = jobs.iter().map(Job::shape).collect();
        let nets = arena.nets(&self.pnet, &shapes)?;
        lists.upload(&self.gpu, chunk)?;
        let mut recorder = Recorder::new(&self.gpu, lists);
        for (job, net) in jobs.iter().zip(nets) {
            recorder.call(
                "pyramid",
                params::Pyramid { y_offset: net.input as u32, ..job.pyramid() },
                &[&lists.pixels, &lists.taps, arena.buffer()],
                self.threads(job.pixels())?,
            );
            let cells = params::CollectCells {
                probabilities: net.outputs[0] as u32,
                offsets: net.outputs[1] as u32,
                threshold: self.options.thresholds[0],
                ..job.collect()
            };
            recorder.net(net);
            let buffers = [arena.buffer(), &lists.corners, &lists.segments, &lists.counts, &lists.boxes];
            recorder.call("collect_cells", cells, &buffers, self.threads(job.cells())?);
        }
        let images = chunk.images.len();
        recorder.suppress_levels(chunk)?;
        let buffers = [
            &lists.images,
            &lists.segments,
            &lists.counts,
            &lists.kept,
            &lists.kept_counts,
            &lists.boxes,
            &lists.merged,
            &lists.image_counts,
        ];
        recorder.call("merge", params::Merge { images: images as u32 }, &buffers, self.groups(images)?);
        recorder.suppress_images(chunk, &lists.merged, 0)?;
        recorder.square(chunk, &lists.merged, false)?;
        let reads = [(&lists.counts, chunk.segments.len()), (&lists.image_kept, images)];
        recorder.submit(scratch, &[&lists.counts], &reads)
    }

    /// R-Net: how many boxes each photograph has for O-Net.
    fn refine(&self, state: &mut CascadeMemory<R>, chunk: &Chunk, counts: &[u32]) -> Result<Submitted<R>> {
        let CascadeMemory { arena, lists, scratch, .. } = state;
        let mut recorder = self.crops(arena, lists, &self.rnet, counts)?;
        recorder.suppress_images(chunk, &lists.boxes, 0)?;
        recorder.square(chunk, &lists.boxes, true)?;
        recorder.submit(scratch, &[&lists.image_counts], &[(&lists.image_kept, chunk.images.len())])
    }

    /// O-Net: how many faces each photograph has, and the faces.
    fn finish(&self, state: &mut CascadeMemory<R>, chunk: &Chunk, counts: &[u32]) -> Result<Submitted<R>> {
        let CascadeMemory { arena, lists, scratch, .. } = state;
        let (images, total) = (chunk.images.len(), counts.iter().sum::<u32>() as usize);
        lists.reserve_faces(&self.gpu, total * FACE_WORDS)?;
        let mut recorder = self.crops(arena, lists, &self.onet, counts)?;
        recorder.suppress_images(chunk, &lists.boxes, 1)?;
        let buffers =
            [&lists.image_segments, &lists.kept, &lists.image_kept, &lists.boxes, &lists.landmarks, &lists.faces];
        recorder.call("faces", params::Faces { images: images as u32 }, &buffers, self.groups(images)?);
        let reads = [(&lists.image_kept, images), (&lists.faces, total * FACE_WORDS)];
        recorder.submit(scratch, &[&lists.image_counts, &lists.faces], &reads)
    }

    /// The faces of each photograph from what the last submission read.
    fn faces(&self, read: &[u32], images: usize) -> Vec<Vec<Face>> {
        let (kept, mut rows) = read.split_at(images);
        let faces = kept.iter().map(|&count| {
            let (of_image, rest) = rows.split_at(count as usize * FACE_WORDS);
            rows = rest;
            faces(of_image, &self.options)
        });
        faces.collect()
    }

    /// One thread an element.
    fn threads(&self, elements: usize) -> Result<[u32; 3]> {
        self.gpu.tuning(Precision::F32).threads(elements).map_err(|problem| self.gpu.error(&problem))
    }

    /// The dispatch size of this many workgroups.
    fn groups(&self, groups: usize) -> Result<[u32; 3]> {
        self.gpu.tuning(Precision::F32).groups(groups).map_err(|problem| self.gpu.error(&problem))
    }

    /// Records a network on the crops of every photograph's squares, and the collection of what it takes for faces.
    fn crops<'a>(
        &'a self,
        arena: &mut Arena<R>,
        lists: &'a Lists<R>,
        network: &CropNetwork<R>,
        counts: &[u32],
    ) -> Result<Recorder<'a, R>> {
        let starts: Vec<u32> = std::iter::once(0)
            .chain(counts.iter().scan(0, |sum, &count| {
                *sum += count;
                Some(*sum)
            }))
            .collect();
        self.gpu.write(&lists.starts, bytemuck::cast_slice(&starts))?;
        let (total, images, size) = (starts[counts.len()] as usize, counts.len() as u32, network.size);
        let most = Sizes::of(self.gpu.tuning(Precision::F32)).crops;
        let batches: Vec<(usize, usize)> =
            (0..total).step_by(most).map(|first| (first, most.min(total - first))).collect();
        let shape = |&(_, crops): &(usize, usize)| [Sizes::rounded(crops), size, size, 3];
        let nets: Vec<_> = arena.nets(&network.module, &batches.iter().map(shape).collect::<Vec<_>>())?;
        let mut recorder = Recorder::new(&self.gpu, lists);
        for (&(first, crops), net) in batches.iter().zip(nets) {
            let cut = params::CropBoxes {
                crops: crops as u32,
                first: first as u32,
                images,
                size: size as u32,
                y_offset: net.input as u32,
            };
            let buffers = [&lists.pixels, &lists.images, &lists.starts, &network.taps, &lists.squares, arena.buffer()];
            recorder.call("crop_boxes", cut, &buffers, self.threads(crops * size * size)?);
            let points = net.outputs.get(2);
            let collect = params::CollectCrops {
                crops: crops as u32,
                first: first as u32,
                images,
                probabilities: net.outputs[0] as u32,
                offsets: net.outputs[1] as u32,
                points: points.map_or(0, |&points| points as u32),
                has_points: u32::from(points.is_some()),
                threshold: network.threshold,
            };
            recorder.net(net);
            let buffers = [
                arena.buffer(),
                &lists.images,
                &lists.starts,
                &lists.squares,
                &lists.image_counts,
                &lists.boxes,
                &lists.landmarks,
            ];
            recorder.call("collect_crops", collect, &buffers, self.threads(crops)?);
        }
        Ok(recorder)
    }
}

impl<R: Runtime> GpuCascade<R> {
    async fn detect_on(&self, images: &[&Rgb8], wait: Wait) -> Result<Vec<Vec<Face>>> {
        // Photographs of one size side by side: they share launches.
        let mut order: Vec<usize> = (0..images.len()).collect();
        order.sort_by_key(|&i| (images[i].width(), images[i].height(), i));
        let mut faces = vec![Vec::new(); images.len()];
        let Sizes { chunk_bytes, chunk_images, .. } = Sizes::of(self.gpu.tuning(Precision::F32));
        let mut rest = order.as_slice();
        while !rest.is_empty() {
            let mut bytes = 0;
            let fit = rest.iter().take(chunk_images).take_while(|&&i| {
                bytes += images[i].data().len();
                bytes <= chunk_bytes
            });
            let (chunk, after) = rest.split_at(fit.count().max(1));
            let found = self.detect_chunk(&chunk.iter().map(|&i| images[i]).collect::<Vec<_>>(), wait).await?;
            chunk.iter().zip(found).for_each(|(&i, found)| faces[i] = found);
            rest = after;
        }
        Ok(faces)
    }
}

impl<R: Runtime> Cascade for GpuCascade<R> {
    fn detect(&self, images: &[&Rgb8]) -> Result<Vec<Vec<Face>>> {
        pollster::block_on(self.detect_on(images, Wait::Block))
    }

    fn detect_async<'a>(&'a self, images: &'a [&'a Rgb8]) -> Pending<'a, Result<Vec<Vec<Face>>>> {
        Box::pin(self.detect_on(images, Wait::Poll))
    }
}

/// The faces of one photograph from the device's rows: the host puts them together as it does its own, in f64.
fn faces(rows: &[u32], options: &DetectOptions) -> Vec<Face> {
    // Reversed, because of equal scores the later counts as the better.
    let rows: Vec<&[u32]> = rows.chunks_exact(FACE_WORDS).rev().collect();
    let float = |row: &[u32], i: usize| f32::from_bits(row[i]);
    let boxes: Vec<[i64; 4]> =
        rows.iter().map(|row| std::array::from_fn(|i| i64::from(row[i].cast_signed()))).collect();
    let offsets: Vec<[f32; 4]> = rows.iter().map(|row| std::array::from_fn(|i| float(row, 4 + i))).collect();
    let scores: Vec<f32> = rows.iter().map(|row| float(row, 8)).collect();
    let points: Vec<[f32; 10]> = rows.iter().map(|row| std::array::from_fn(|i| float(row, 9 + i))).collect();
    finish(&boxes, &scores, &offsets, &points, options)
}

/// Taps that grow 1, 2, .. `size + 2` samples to `size`: a box's two sides differ by a pixel or so at most.
fn linear_taps<R: Runtime>(gpu: &R, size: usize) -> Result<R::Buffer> {
    let tables = (1..=size + 2).map(|extent| LinearTable::new(extent, size).taps);
    let words: Vec<u32> = tables.flatten().flat_map(|tap| [tap.first, tap.second, tap.weight.to_bits()]).collect();
    gpu.scoped(|| {
        let taps = gpu.allocate("taps", 4 * words.len())?;
        gpu.write(&taps, bytemuck::cast_slice(&words))?;
        Ok(taps)
    })
}
