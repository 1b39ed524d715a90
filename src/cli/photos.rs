//! Photographs in chunks of bounded memory: decoded side by side, handed on together.

use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use indicatif::ProgressBar;
use rayon::prelude::*;

use crate::face::{Aligner, Detector, Face, choose};
use crate::image::{self, Rgb8};
use crate::{Device, Error, Result};

/// A chunk ends when it holds this many pixels or photographs: enough to fill a device, little enough for any machine.
const PIXELS: usize = 32 << 20;
const PHOTOS: usize = 64;

/// A decoded photograph.
pub struct Photo {
    /// Its place in the list of paths.
    pub index: usize,
    /// Its pixels.
    pub image: Rgb8,
}

/// Time spent in each part of the work, and what failed.
#[derive(Default)]
pub struct Tally {
    /// Reading and decoding.
    pub decode: Duration,
    /// Finding faces.
    pub detect: Duration,
    /// Cutting them out.
    pub align: Duration,
    /// Embedding them.
    pub embed: Duration,
    /// Photographs that could not be read.
    pub failures: Vec<Error>,
}

impl Tally {
    /// Adds the times of one of `lanes` that worked side by side.
    pub fn add_share(&mut self, of: &Tally, lanes: usize) {
        let share = |time: Duration| time / lanes.max(1) as u32;
        self.decode += share(of.decode);
        self.detect += share(of.detect);
        self.align += share(of.align);
        self.embed += share(of.embed);
    }
}

/// Adds the time since `start`.
pub fn add(to: &mut Duration, start: Instant) {
    *to += start.elapsed();
}

/// Decodes `paths` on the device's threads, hands them on chunk by chunk, and keeps at most one chunk in memory. What cannot be decoded goes to the tally; only `work`'s errors end the run.
pub fn for_each_chunk(
    paths: &[PathBuf],
    device: &Device,
    progress: &ProgressBar,
    tally: &mut Tally,
    work: impl FnMut(&[Photo], &mut Tally) -> anyhow::Result<()>,
) -> anyhow::Result<()> {
    for_each_of(paths.len(), |i| image::decode(&paths[i]), device, progress, tally, work)?;
    progress.finish_and_clear();
    Ok(())
}

/// [`for_each_chunk`] of so many photographs, decoded by their places; the bar may go on.
pub fn for_each_of(
    count: usize,
    decode: impl Fn(usize) -> Result<Rgb8> + Sync,
    device: &Device,
    progress: &ProgressBar,
    tally: &mut Tally,
    mut work: impl FnMut(&[Photo], &mut Tally) -> anyhow::Result<()>,
) -> anyhow::Result<()> {
    for_each_in(0..count, decode, device, tally, |chunk, unread, tally| {
        let all = chunk.len() + unread.len();
        tally.failures.extend(unread.into_iter().map(|(_, error)| error));
        work(&chunk, tally)?;
        progress.inc(all as u64);
        Ok(())
    })
}

/// Those of a range, chunk by chunk: the photographs, and those that cannot be read, by their places.
pub fn for_each_in(
    range: Range<usize>,
    decode: impl Fn(usize) -> Result<Rgb8> + Sync,
    device: &Device,
    tally: &mut Tally,
    mut work: impl FnMut(Vec<Photo>, Vec<(usize, Error)>, &mut Tally) -> anyhow::Result<()>,
) -> anyhow::Result<()> {
    let (mut chunk, mut unread, mut pixels) = (Vec::new(), Vec::new(), 0);
    let at_once = 2 * device.install(rayon::current_num_threads);
    let mut next = range.start;
    while next < range.end {
        let start = Instant::now();
        let end = range.end.min(next + at_once);
        let decoded: Vec<Result<Rgb8>> = device.install(|| (next..end).into_par_iter().map(&decode).collect());
        for (index, decoded) in (next..end).zip(decoded) {
            match decoded {
                Ok(image) => {
                    pixels += image.width() * image.height();
                    chunk.push(Photo { index, image });
                }
                Err(error) => unread.push((index, error)),
            }
        }
        next = end;
        add(&mut tally.decode, start);
        if pixels >= PIXELS || chunk.len() >= PHOTOS || next == range.end {
            work(std::mem::take(&mut chunk), std::mem::take(&mut unread), tally)?;
            pixels = 0;
        }
    }
    Ok(())
}

/// The faces of a chunk.
pub fn detect(detector: &Detector, chunk: &[Photo], tally: &mut Tally) -> Result<Vec<Vec<Face>>> {
    let start = Instant::now();
    let faces = detector.detect(&chunk.iter().map(|photo| &photo.image).collect::<Vec<_>>())?;
    add(&mut tally.detect, start);
    Ok(faces)
}

/// The crop of the face that a photograph is about, if it has one.
pub fn main_crop(photo: &Rgb8, faces: &[Face], aligner: &Aligner) -> Result<Option<Rgb8>> {
    match choose(faces, photo.width(), photo.height()) {
        Some(i) => aligner.align(photo, &faces[i]),
        None => Ok(None),
    }
}

/// Names the photograph whose face cannot be cut out.
pub fn of_photo(path: &Path, error: &Error) -> Error {
    Error::image(path, error.to_string())
}

/// Pictures that are crops already, on their way to the network's size.
pub struct GivenCrops {
    size: usize,
    resize: bool,
    /// Whether a crop's size was found odd, which is told once.
    told: AtomicBool,
}

impl GivenCrops {
    /// For a network's input of `size` squared; `resize` scales, else the middle is taken or black added.
    pub fn new(size: usize, resize: bool) -> Self {
        GivenCrops { size, resize, told: AtomicBool::new(false) }
    }

    /// The network's input of a crop.
    pub fn input(&self, crop: &Rgb8) -> Rgb8 {
        let (size, extents) = (self.size, [crop.width(), crop.height()]);
        if extents == [size; 2] {
            return crop.clone();
        }
        if self.resize {
            return image::resize_bilinear_pillow(crop, size, size);
        }
        // The original's 182 for 160 leaves room to cut; what is half as large again is no crop for this network.
        let far = extents.iter().any(|&extent| 2 * extent > 3 * size || 4 * extent < 3 * size);
        if far && !self.told.swap(true, Ordering::Relaxed) {
            eprintln!(
                "crops of {} x {} pixels, and the model takes {size}: their middle is taken, or black added; --resize \
                 rescales them, and without --aligned faces are found in photographs",
                extents[0], extents[1]
            );
        }
        image::crop_or_pad(crop, size)
    }
}
