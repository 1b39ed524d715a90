//! What waits for the device: crops, photographs, and searches, the longest waiting first.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::oneshot;

use super::problem::Problem;
use crate::face::{Face, Input};
use crate::image::Rgb8;

/// Pixels of photographs that are looked at together: enough to fill a device.
const PIXELS: usize = 32 << 20;

/// A face that waits to be embedded.
pub enum Given {
    /// A crop of the model's size.
    Crop(Rgb8),
    /// What the network takes.
    Standardized(Vec<f32>),
}

impl Given {
    /// As the embedder takes it.
    pub fn input(&self) -> Input<'_> {
        match self {
            Given::Crop(crop) => Input::Crop(crop),
            Given::Standardized(values) => Input::Standardized(values),
        }
    }
}

/// An embedding that is looked for.
pub struct Query {
    pub embedding: Vec<f32>,
    pub k: usize,
}

/// A row that was found.
pub struct Found {
    pub row: usize,
    pub distance: f32,
    pub name: Option<String>,
}

/// What waits, and who is told.
pub struct Waiting<I, O> {
    pub input: I,
    since: Instant,
    reply: oneshot::Sender<Result<O, Problem>>,
}

impl<I, O> Waiting<I, O> {
    /// Tells who waits; nobody may, by now.
    pub fn tell(self, result: Result<O, Problem>) {
        drop(self.reply.send(result));
    }
}

/// What is awaited.
pub type Reply<O> = oneshot::Receiver<Result<O, Problem>>;

/// What runs next.
pub enum Batch {
    Crops(Vec<Waiting<Given, Vec<f32>>>),
    Photographs(Vec<Waiting<Arc<Rgb8>, Vec<Face>>>),
    Searches(Vec<Waiting<Query, Vec<Found>>>),
}

#[derive(Default)]
struct State {
    crops: VecDeque<Waiting<Given, Vec<f32>>>,
    photographs: VecDeque<Waiting<Arc<Rgb8>, Vec<Face>>>,
    searches: VecDeque<Waiting<Query, Vec<Found>>>,
    /// Whether the last crops that ran were several: then more may follow together.
    were_several: bool,
    closed: bool,
}

/// The queue. How much may wait is counted by who puts it in.
#[derive(Default)]
pub struct Queue {
    state: Mutex<State>,
    bell: Condvar,
    /// Requests whose crops are being decoded: company for what waits. What a client still sends is not counted, since a slow one
    /// would hold up the others.
    coming: AtomicUsize,
}

/// A request whose crops are being decoded.
pub struct Coming<'a>(&'a AtomicUsize);

impl Drop for Coming<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Queue {
    /// Counts a request whose crops are being decoded, until it is dropped.
    pub fn coming(&self) -> Coming<'_> {
        self.coming.fetch_add(1, Ordering::Relaxed);
        Coming(&self.coming)
    }

    /// Puts crops in; each is told by itself.
    pub fn crops(&self, inputs: impl IntoIterator<Item = Given>) -> Vec<Reply<Vec<f32>>> {
        self.put(|state| &mut state.crops, inputs)
    }

    /// Puts a photograph in.
    pub fn photograph(&self, photo: Arc<Rgb8>) -> Reply<Vec<Face>> {
        self.put(|state| &mut state.photographs, [photo]).swap_remove(0)
    }

    /// Puts a search in.
    pub fn search(&self, query: Query) -> Reply<Vec<Found>> {
        self.put(|state| &mut state.searches, [query]).swap_remove(0)
    }

    fn put<I, O>(
        &self,
        place: impl Fn(&mut State) -> &mut VecDeque<Waiting<I, O>>,
        inputs: impl IntoIterator<Item = I>,
    ) -> Vec<Reply<O>> {
        let since = Instant::now();
        let mut state = self.lock();
        let closed = state.closed;
        let put = |input| {
            let (reply, awaited) = oneshot::channel();
            // Once it is closed nobody takes anything out: the reply is dropped, and its receiver learns it.
            if !closed {
                place(&mut state).push_back(Waiting { input, since, reply });
            }
            awaited
        };
        let replies = inputs.into_iter().map(put).collect();
        drop(state);
        self.bell.notify_one();
        replies
    }

    /// Takes nothing more in; what waits still runs.
    pub fn close(&self) {
        self.lock().closed = true;
        self.bell.notify_one();
    }

    /// How many crops, photographs and searches wait.
    pub fn len(&self) -> usize {
        let state = self.lock();
        state.crops.len() + state.photographs.len() + state.searches.len()
    }

    /// What runs next, at most `most` together: waits for it. Crops wait up to `delay` for others, while any are on their way.
    /// Nothing once it is closed and empty.
    pub fn next(&self, most: usize, delay: Duration) -> Option<Batch> {
        let mut state = self.lock();
        loop {
            forget(&mut state.crops);
            forget(&mut state.photographs);
            forget(&mut state.searches);
            let since = [since(&state.crops), since(&state.photographs), since(&state.searches)];
            match since.iter().flatten().min() {
                None if state.closed => return None,
                None => state = self.bell.wait(state).unwrap_or_else(PoisonError::into_inner),
                oldest if oldest == since[0].as_ref() => match self.left(&state, most, delay) {
                    None => return Some(crops(&mut state, most)),
                    Some(left) => {
                        state = self.bell.wait_timeout(state, left).unwrap_or_else(PoisonError::into_inner).0;
                    }
                },
                oldest if oldest == since[1].as_ref() => return Some(photographs(&mut state, most)),
                _ => {
                    let n = state.searches.len().min(most);
                    return Some(Batch::Searches(state.searches.drain(..n).collect()));
                }
            }
        }
    }

    /// How long crops still wait for company; nothing once they run.
    fn left(&self, state: &State, most: usize, delay: Duration) -> Option<Duration> {
        let expects = state.were_several || self.coming.load(Ordering::Relaxed) > 0;
        if state.closed || state.crops.len() >= most || !expects {
            return None;
        }
        let waited = state.crops.front()?.since.elapsed();
        delay.checked_sub(waited).filter(|left| !left.is_zero())
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Since when the first of them waits.
fn since<I, O>(waiting: &VecDeque<Waiting<I, O>>) -> Option<Instant> {
    waiting.front().map(|first| first.since)
}

/// Drops what nobody waits for any more.
fn forget<I, O>(waiting: &mut VecDeque<Waiting<I, O>>) {
    waiting.retain(|one| !one.reply.is_closed());
}

fn crops(state: &mut State, most: usize) -> Batch {
    let n = state.crops.len().min(most);
    state.were_several = n > 1;
    Batch::Crops(state.crops.drain(..n).collect())
}

/// As many photographs as fill the device, at least one.
fn photographs(state: &mut State, most: usize) -> Batch {
    let mut pixels = 0;
    let mut fits = |photo: &Rgb8| {
        pixels += photo.width() * photo.height();
        pixels <= PIXELS
    };
    let n = state.photographs.iter().take(most).take_while(|one| fits(&one.input)).count().max(1);
    Batch::Photographs(state.photographs.drain(..n).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    const LONG: Duration = Duration::from_secs(60);

    fn given(n: usize) -> Vec<Given> {
        (0..n).map(|i| Given::Standardized(vec![i as f32])).collect()
    }

    fn values(batch: Option<Batch>) -> Vec<f32> {
        let Some(Batch::Crops(crops)) = batch else { panic!("no crops") };
        let value = |one: &Waiting<Given, _>| match &one.input {
            Given::Standardized(values) => values[0],
            Given::Crop(_) => panic!("a picture"),
        };
        crops.iter().map(value).collect()
    }

    #[test]
    fn who_waits_longest_is_first_and_full_batches_do_not_wait() {
        let queue = Queue::default();
        let replies = queue.crops(given(5));
        let photo = queue.photograph(Arc::new(Rgb8::black(1, 1)));
        let _decoding = queue.coming();
        assert_eq!(values(queue.next(3, LONG)), [0.0, 1.0, 2.0]);
        // Those that are left are older than the photograph, and wait for company as long as they may.
        assert_eq!(values(queue.next(3, Duration::ZERO)), [3.0, 4.0]);
        assert!(matches!(queue.next(3, LONG), Some(Batch::Photographs(photos)) if photos.len() == 1));
        drop((replies, photo));
    }

    #[test]
    fn alone_nobody_waits() {
        let queue = Queue::default();
        let _reply = queue.crops(given(1));
        let start = Instant::now();
        assert_eq!(values(queue.next(8, LONG)), [0.0]);
        assert!(start.elapsed() < LONG / 10);
        let decoding = queue.coming();
        let (start, delay) = (Instant::now(), Duration::from_millis(30));
        let _reply = queue.crops(given(1));
        assert_eq!(values(queue.next(8, delay)), [0.0]);
        assert!(start.elapsed() >= delay, "the one that is being decoded was not waited for");
        drop(decoding);
    }

    #[test]
    fn what_nobody_awaits_does_not_run() {
        let queue = Queue::default();
        let mut replies = queue.crops(given(3));
        drop(replies.remove(1));
        assert_eq!(values(queue.next(8, Duration::ZERO)), [0.0, 2.0]);
        queue.close();
        assert!(queue.next(8, LONG).is_none());
        let mut late = queue.crops(given(1));
        assert!(late[0].try_recv().is_err() && queue.len() == 0);
    }
}
