//! Photographs to embeddings: decoded, searched for faces, cut and embedded; what became of each is told in order.
//!
//! On the CPU each thread takes what is to be done next, a photograph or a few crops, so that none waits for another and
//! few photographs are in memory (`overlap.rs`). On other devices, and where photographs are few, they go through each
//! step together.

mod overlap;
#[cfg(test)]
mod tests;

use std::time::Instant;

use indicatif::ProgressBar;
use rayon::prelude::*;

use super::photos::{self, Tally, add};
use crate::face::{Detector, Embedder, Face};
use crate::image::Rgb8;
use crate::{Error, Result};
use overlap::Overlap;

/// Where there are fewer photographs for each thread, the threads share each of them.
const EACH: usize = 4;

/// What photographs go through.
pub struct Pipeline<'a> {
    pub embedder: &'a Embedder,
    /// None where photographs are crops already: no faces are told then.
    pub detector: Option<&'a Detector>,
    /// Crops embedded at once, at most.
    pub batch: usize,
    pub bar: &'a ProgressBar,
}

/// What is done at the ends.
pub struct Work<D, C, T> {
    /// Reads a photograph, by its place.
    pub decode: D,
    /// Cuts its faces out, and notes what there is to tell of it.
    pub cut: C,
    /// Is told of each photograph that could be read, in order: its place, the note, the crops' embeddings, and where
    /// failures go.
    pub tell: T,
}

impl Pipeline<'_> {
    /// Runs `count` photographs. What cannot be decoded goes to the tally; a device's error ends the run.
    pub fn run<N, D, C, T>(&self, count: usize, tally: &mut Tally, work: Work<D, C, T>) -> anyhow::Result<()>
    where
        N: Send,
        D: Fn(usize) -> Result<Rgb8> + Sync,
        C: Fn(usize, &Rgb8, &[Face]) -> (N, Vec<Rgb8>) + Sync,
        T: FnMut(usize, N, &[f32], &mut Vec<Error>) + Send,
    {
        let device = self.embedder.device();
        let threads = device.install(rayon::current_num_threads);
        if device.info().kind == "cpu" && count > EACH * threads {
            return Ok(Overlap::new(self, threads).run(count, tally, work)?);
        }
        self.together(count, tally, work)
    }

    /// Step by step, a chunk of photographs at a time.
    fn together<N, D, C, T>(&self, count: usize, tally: &mut Tally, work: Work<D, C, T>) -> anyhow::Result<()>
    where
        N: Send,
        D: Fn(usize) -> Result<Rgb8> + Sync,
        C: Fn(usize, &Rgb8, &[Face]) -> (N, Vec<Rgb8>) + Sync,
        T: FnMut(usize, N, &[f32], &mut Vec<Error>) + Send,
    {
        let (device, dim) = (self.embedder.device(), self.embedder.dim());
        let Work { decode, cut, mut tell } = work;
        photos::for_each_of(count, decode, device, self.bar, tally, |chunk, tally| {
            let faces = match self.detector {
                Some(detector) => photos::detect(detector, chunk, tally)?,
                None => vec![Vec::new(); chunk.len()],
            };
            let start = Instant::now();
            let one = |(photo, faces): (&photos::Photo, &Vec<Face>)| cut(photo.index, &photo.image, faces);
            let cut: Vec<(N, Vec<Rgb8>)> = device.install(|| chunk.par_iter().zip(&faces).map(one).collect());
            add(&mut tally.align, start);
            let start = Instant::now();
            let crops: Vec<&Rgb8> = cut.iter().flat_map(|(_, crops)| crops).collect();
            let mut rows = Vec::with_capacity(crops.len() * dim);
            for batch in crops.chunks(self.batch) {
                rows.extend(self.embedder.embed(batch)?.into_vec());
            }
            add(&mut tally.embed, start);
            let mut rows = rows.as_slice();
            for (photo, (note, crops)) in chunk.iter().zip(cut) {
                let (own, others) = rows.split_at(crops.len() * dim);
                tell(photo.index, note, own, &mut tally.failures);
                rows = others;
            }
            Ok(())
        })
    }
}
