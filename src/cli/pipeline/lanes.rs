//! Photographs shared among devices: each takes the next few, and what became of them is told in order.

use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};

use anyhow::{Error, Result};

/// Photographs that a device takes at once, at most.
const AT_ONCE: usize = 64;
/// Pieces that each device has of few photographs.
const PIECES: usize = 4;
/// Pieces that may be done before the one that is told next, for each device.
const AHEAD: usize = 4;

/// Has each of some devices, which have these names, do the next photographs of `count`, and tells of them in order,
/// whichever was faster. `work` is given the device's place. An error ends the run; a device's names it.
pub fn share<R: Send>(
    count: usize,
    names: &[&str],
    work: impl Fn(usize, Range<usize>) -> Result<R> + Sync,
    mut tell: impl FnMut(R) -> Result<()> + Send,
) -> Result<()> {
    let lanes = names.len();
    let at_once = match lanes {
        0 | 1 => AT_ONCE,
        lanes => count.div_ceil(lanes * PIECES).clamp(1, AT_ONCE),
    };
    let piece = |number: usize| number * at_once..count.min((number + 1) * at_once);
    let pieces = count.div_ceil(at_once);
    if lanes <= 1 {
        return (0..pieces).try_for_each(|number| tell(work(0, piece(number))?));
    }
    let state = State { next: 0, told: 0, waiting: BTreeMap::new(), ended: None, tell };
    let shared = Shared { state: Mutex::new(state), changed: Condvar::new() };
    let one = |lane: usize| {
        let _on_panic = OnPanic(&shared);
        while let Some(number) = shared.take(pieces, lanes * AHEAD) {
            let done = work(lane, piece(number)).map_err(|error| match error.downcast::<crate::Error>() {
                Ok(error) => error.of_device(names[lane]).into(),
                Err(error) => error,
            });
            shared.done(number, done);
        }
    };
    std::thread::scope(|scope| {
        (0..lanes).for_each(|lane| drop(scope.spawn(move || one(lane))));
    });
    let state = shared.state.into_inner().unwrap_or_else(PoisonError::into_inner);
    state.ended.map_or(Ok(()), Err)
}

struct State<R, T> {
    /// The piece that is taken next.
    next: usize,
    /// The piece that is told next.
    told: usize,
    /// What is done and not told.
    waiting: BTreeMap<usize, R>,
    /// What ends the run.
    ended: Option<Error>,
    tell: T,
}

struct Shared<R, T> {
    state: Mutex<State<R, T>>,
    changed: Condvar,
}

impl<R, T> Shared<R, T> {
    fn lock(&self) -> MutexGuard<'_, State<R, T>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn end(&self, error: Error) {
        self.lock().ended.get_or_insert(error);
        self.changed.notify_all();
    }

    /// The next piece, when it is not too far ahead; none when all are taken.
    fn take(&self, pieces: usize, ahead: usize) -> Option<usize> {
        let mut state = self.lock();
        loop {
            if state.ended.is_some() || state.next == pieces {
                return None;
            }
            if state.next < state.told + ahead {
                state.next += 1;
                return Some(state.next - 1);
            }
            state = self.changed.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
    }

    /// Tells of what can be told now.
    fn done(&self, number: usize, done: Result<R>)
    where
        T: FnMut(R) -> Result<()>,
    {
        let mut guard = self.lock();
        let state = &mut *guard;
        match done {
            Err(error) => drop(state.ended.get_or_insert(error)),
            Ok(done) => drop(state.waiting.insert(number, done)),
        }
        while state.ended.is_none()
            && let Some(done) = state.waiting.remove(&state.told)
        {
            state.told += 1;
            state.ended = (state.tell)(done).err();
        }
        drop(guard);
        self.changed.notify_all();
    }
}

/// Ends the run if a device's thread panics, so that no other waits for it.
struct OnPanic<'a, R, T>(&'a Shared<R, T>);

impl<R, T> Drop for OnPanic<'_, R, T> {
    fn drop(&mut self) {
        if std::thread::panicking() {
            self.0.end(Error::msg("a device's thread ended early"));
        }
    }
}
