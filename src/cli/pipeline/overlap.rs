//! Decoding, detection and embedding of successive photographs on the same threads: each takes what is next.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use indicatif::ProgressBar;

use super::{Lane, Pipeline, Work};
use crate::cli::photos::Tally;
use crate::face::Face;
use crate::image::Rgb8;
use crate::{Error, Result};

/// Crops that a thread embeds at once: enough that it does not wait for weights, few enough that its activations are
/// small beside them.
const AT_ONCE: usize = 4;

/// A run on the threads of the CPU.
pub(super) struct Overlap<'a> {
    lane: Lane<'a>,
    bar: &'a ProgressBar,
    threads: usize,
    at_once: usize,
}

/// What a thread does next.
enum Task {
    /// This photograph.
    Photograph(usize),
    /// These crops, each with its photograph and its place among that one's.
    Crops(Vec<(usize, usize, Rgb8)>),
}

/// A photograph of which something is not told yet.
enum Open<N> {
    /// It could not be read.
    Unread(Error),
    /// It waits for the embeddings of this number of crops.
    Cut { note: N, rows: Vec<f32>, missing: usize },
}

/// What threads share.
struct State<N, T> {
    next: usize,
    /// Photographs that threads are at work on.
    in_hand: usize,
    crops: VecDeque<(usize, usize, Rgb8)>,
    open: BTreeMap<usize, Open<N>>,
    /// The photograph that is told of next.
    told: usize,
    tell: T,
    spent: Spent,
    /// What ends the run: an error, or a thread's panic.
    ended: Option<Result<(), Error>>,
}

/// Time spent in each part, by all threads.
#[derive(Default)]
struct Spent {
    decode: Duration,
    detect: Duration,
    align: Duration,
    embed: Duration,
}

/// Ends the run if a thread panics, so that no other waits for it.
struct OnPanic<'a, N, T>(&'a Shared<N, T>);

struct Shared<N, T> {
    state: Mutex<State<N, T>>,
    changed: Condvar,
}

impl<N, T> Shared<N, T> {
    fn lock(&self) -> MutexGuard<'_, State<N, T>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<N, T> Drop for OnPanic<'_, N, T> {
    fn drop(&mut self) {
        if std::thread::panicking() {
            self.0.lock().ended.get_or_insert(Ok(()));
            self.0.changed.notify_all();
        }
    }
}

impl<'a> Overlap<'a> {
    pub fn new(pipeline: &'a Pipeline<'a>, threads: usize) -> Self {
        // With many threads their activations would be more than the weights.
        let lane = pipeline.lanes[0];
        let at_once = (lane.embedder.batch() / threads).clamp(AT_ONCE / 2, AT_ONCE).min(pipeline.batch).max(1);
        Overlap { lane, bar: pipeline.bar, threads, at_once }
    }

    /// As [`Pipeline::run`].
    pub fn run<N, D, C, T>(&self, count: usize, tally: &mut Tally, work: Work<D, C, T>) -> Result<()>
    where
        N: Send,
        D: Fn(usize) -> Result<Rgb8> + Sync,
        C: Fn(usize, &Rgb8, &[Face]) -> (N, Vec<Rgb8>) + Sync,
        T: FnMut(usize, Result<(N, &[f32])>) -> Result<()> + Send,
    {
        let Work { decode, cut, tell } = work;
        let state = State {
            next: 0,
            in_hand: 0,
            crops: VecDeque::new(),
            open: BTreeMap::new(),
            told: 0,
            tell,
            spent: Spent::default(),
            ended: None,
        };
        let shared = Shared { state: Mutex::new(state), changed: Condvar::new() };
        let one = || {
            let _on_panic = OnPanic(&shared);
            while let Some(task) = self.take(&shared, count) {
                let done = match task {
                    Task::Photograph(index) => self.photograph(&shared, index, &decode, &cut),
                    Task::Crops(crops) => self.embed(&shared, &crops),
                };
                self.tell(&mut shared.lock(), done);
                shared.changed.notify_all();
            }
        };
        self.lane.embedder.device().install(|| {
            rayon::scope(|scope| (0..self.threads).for_each(|_| scope.spawn(|_| one())));
        });
        let state = shared.state.into_inner().unwrap_or_else(PoisonError::into_inner);
        // Each thread's share, so that the parts add up to the time that passed.
        let share = |of: Duration| of / self.threads as u32;
        let Spent { decode, detect, align, embed } = state.spent;
        tally.decode += share(decode);
        tally.detect += share(detect);
        tally.align += share(align);
        tally.embed += share(embed);
        state.ended.unwrap_or(Ok(()))
    }

    /// The next task; none when all is done.
    fn take<N, T>(&self, shared: &Shared<N, T>, count: usize) -> Option<Task> {
        let mut state = shared.lock();
        loop {
            if state.ended.is_some() {
                return None;
            }
            let (more, waiting) = (state.next < count, state.crops.len());
            if waiting >= self.at_once || (waiting > 0 && !more && state.in_hand == 0) {
                let crops = state.crops.drain(..waiting.min(self.at_once)).collect();
                return Some(Task::Crops(crops));
            }
            if more {
                state.next += 1;
                state.in_hand += 1;
                return Some(Task::Photograph(state.next - 1));
            }
            if state.in_hand == 0 {
                return None;
            }
            state = shared.changed.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
    }

    /// Reads a photograph, finds its faces and cuts them out.
    fn photograph<N, T>(
        &self,
        shared: &Shared<N, T>,
        index: usize,
        decode: &impl Fn(usize) -> Result<Rgb8>,
        cut: &impl Fn(usize, &Rgb8, &[Face]) -> (N, Vec<Rgb8>),
    ) -> Result<()> {
        let start = Instant::now();
        let photo = decode(index);
        let decoded = start.elapsed();
        let found = match (&photo, self.lane.detector) {
            (Ok(photo), Some(detector)) => detector.detect_one(photo),
            _ => Ok(Vec::new()),
        };
        let detected = start.elapsed();
        let prepared = match (photo, &found) {
            (Ok(photo), Ok(faces)) => Some(Ok(cut(index, &photo, faces))),
            (Err(error), _) => Some(Err(error)),
            (_, Err(_)) => None,
        };
        let all = start.elapsed();
        let mut state = shared.lock();
        state.in_hand -= 1;
        state.spent.decode += decoded;
        state.spent.detect += detected - decoded;
        state.spent.align += all - detected;
        let open = match prepared {
            Some(Ok((note, crops))) => {
                let (missing, dim) = (crops.len(), self.lane.embedder.dim());
                state.crops.extend(crops.into_iter().enumerate().map(|(place, crop)| (index, place, crop)));
                Open::Cut { note, rows: vec![0.0; missing * dim], missing }
            }
            Some(Err(error)) => Open::Unread(error),
            None => return found.map(drop),
        };
        state.open.insert(index, open);
        Ok(())
    }

    /// Embeds crops.
    fn embed<N, T>(&self, shared: &Shared<N, T>, crops: &[(usize, usize, Rgb8)]) -> Result<()> {
        let start = Instant::now();
        let embeddings = self.lane.embedder.embed_alone(&crops.iter().map(|(.., crop)| crop).collect::<Vec<_>>())?;
        let mut state = shared.lock();
        state.spent.embed += start.elapsed();
        for ((index, place, _), embedding) in crops.iter().zip(&embeddings) {
            if let Some(Open::Cut { rows, missing, .. }) = state.open.get_mut(index) {
                rows[place * embedding.len()..][..embedding.len()].copy_from_slice(embedding);
                *missing -= 1;
            }
        }
        Ok(())
    }

    /// Tells of the photographs whose turn it is, or ends the run.
    fn tell<N, T>(&self, state: &mut State<N, T>, done: Result<()>)
    where
        T: FnMut(usize, Result<(N, &[f32])>) -> Result<()>,
    {
        if let Err(error) = done {
            state.ended.get_or_insert(Err(error));
            return;
        }
        if state.ended.is_some() {
            return;
        }
        while let Some(first) = state.open.first_entry() {
            let index = *first.key();
            if index != state.told || matches!(first.get(), Open::Cut { missing, .. } if *missing > 0) {
                break;
            }
            let told = match first.remove() {
                Open::Unread(error) => (state.tell)(index, Err(error)),
                Open::Cut { note, rows, .. } => (state.tell)(index, Ok((note, &rows))),
            };
            if let Err(error) = told {
                state.ended.get_or_insert(Err(error));
                return;
            }
            state.told += 1;
            self.bar.inc(1);
        }
    }
}
