//! Photographs to embeddings: decoded, searched for faces, cut and embedded; what became of each is told in order.
//!
//! On the CPU each thread takes what is to be done next, a photograph or a few crops, so that none waits for another and
//! few photographs are in memory (`overlap.rs`). On other devices, and where photographs are few, they go through each
//! step together; several devices share them (`lanes.rs`).

mod lanes;
mod overlap;
#[cfg(test)]
mod tests;

use std::ops::Range;
use std::sync::{Mutex, PoisonError};
use std::time::Instant;

use indicatif::ProgressBar;
use rayon::prelude::*;

use super::photos::{self, Tally, add};
use crate::Result;
use crate::face::{Detector, Embedder, Face};
use crate::image::Rgb8;
use overlap::Overlap;

pub use lanes::share;

/// Where there are fewer photographs for each thread, the threads share each of them.
const EACH: usize = 4;

/// What photographs go through on one device.
#[derive(Clone, Copy)]
pub struct Lane<'a> {
    /// The name that it was chosen by.
    pub device: &'a str,
    pub embedder: &'a Embedder,
    /// None where photographs are crops already: no faces are told then.
    pub detector: Option<&'a Detector>,
}

/// What photographs go through.
pub struct Pipeline<'a> {
    /// A lane for each device, at least one; all of one model.
    pub lanes: Vec<Lane<'a>>,
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
    /// Is told of each photograph, in order: its place, and the note with the crops' embeddings, or why it cannot be read.
    /// What it cannot bear ends the run.
    pub tell: T,
}

/// The note on a photograph, and the embeddings of its crops.
type Done<N> = (usize, Result<(N, Vec<f32>)>);

impl<'a> Pipeline<'a> {
    /// On one device.
    pub fn one(lane: Lane<'a>, batch: usize, bar: &'a ProgressBar) -> Self {
        Pipeline { lanes: vec![lane], batch, bar }
    }

    /// Runs `count` photographs; a device's error ends the run.
    pub fn run<N, D, C, T>(&self, count: usize, tally: &mut Tally, work: Work<D, C, T>) -> anyhow::Result<()>
    where
        N: Send,
        D: Fn(usize) -> Result<Rgb8> + Sync,
        C: Fn(usize, &Rgb8, &[Face]) -> (N, Vec<Rgb8>) + Sync,
        T: FnMut(usize, Result<(N, &[f32])>) -> Result<()> + Send,
    {
        let device = self.lanes[0].embedder.device();
        let threads = device.install(rayon::current_num_threads);
        if self.lanes.len() == 1 && device.info().kind == "cpu" && count > EACH * threads {
            return Ok(Overlap::new(self, threads).run(count, tally, work)?);
        }
        let Work { decode, cut, mut tell } = work;
        let names: Vec<&str> = self.lanes.iter().map(|lane| lane.device).collect();
        let times = Mutex::new(tally);
        let range = |lane: usize, range: Range<usize>| {
            let mut own = Tally::default();
            let done = self.together(self.lanes[lane], range, &mut own, &decode, &cut);
            times.lock().unwrap_or_else(PoisonError::into_inner).add_share(&own, self.lanes.len());
            done
        };
        share(count, &names, range, |done: Vec<Done<N>>| {
            for (index, done) in done {
                match done {
                    Ok((note, rows)) => tell(index, Ok((note, &rows)))?,
                    Err(error) => tell(index, Err(error))?,
                }
                self.bar.inc(1);
            }
            Ok(())
        })
    }

    /// Step by step, a chunk of photographs at a time.
    fn together<N, D, C>(
        &self,
        lane: Lane,
        range: Range<usize>,
        tally: &mut Tally,
        decode: &D,
        cut: &C,
    ) -> anyhow::Result<Vec<Done<N>>>
    where
        N: Send,
        D: Fn(usize) -> Result<Rgb8> + Sync,
        C: Fn(usize, &Rgb8, &[Face]) -> (N, Vec<Rgb8>) + Sync,
    {
        let (device, dim) = (lane.embedder.device(), lane.embedder.dim());
        let mut all = Vec::with_capacity(range.len());
        photos::for_each_in(range, decode, device, tally, |chunk, unread, tally| {
            let faces = match lane.detector {
                Some(detector) => photos::detect(detector, &chunk, tally)?,
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
                rows.extend(lane.embedder.embed(batch)?.into_vec());
            }
            add(&mut tally.embed, start);
            let mut rows = rows.into_iter();
            all.extend(chunk.iter().zip(cut).map(|(photo, (note, crops))| {
                (photo.index, Ok((note, rows.by_ref().take(crops.len() * dim).collect())))
            }));
            all.extend(unread.into_iter().map(|(index, error)| (index, Err(error))));
            Ok(())
        })?;
        all.sort_by_key(|(index, _)| *index);
        Ok(all)
    }
}
