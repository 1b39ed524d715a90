//! How an op's work is spread over threads, and the memory that its tasks write.

use std::ops::Range;

use rayon::prelude::*;

use super::Cpu;
use super::element::Element;
use super::simd::Isa;

/// The threads that an op runs on: the device's, or the caller's alone.
#[derive(Clone, Copy)]
pub(super) struct Workers<'a> {
    cpu: &'a Cpu,
    parallel: bool,
}

impl<'a> Workers<'a> {
    pub fn new(cpu: &'a Cpu, parallel: bool) -> Self {
        Workers { cpu, parallel }
    }

    pub fn isa(&self) -> Isa {
        self.cpu.isa()
    }

    /// How many tasks run at once.
    pub fn threads(&self) -> usize {
        if self.parallel { self.cpu.threads() } else { 1 }
    }

    /// How many tasks keep every thread busy, one of them being held up: few, where tasks read the same values.
    pub fn few(&self) -> usize {
        if self.parallel { 2 * self.threads() } else { 1 }
    }

    /// Whether each thread has as many of so many tasks, all of one size, as the others.
    pub fn is_even(&self, tasks: usize) -> bool {
        tasks.is_multiple_of(self.threads())
    }

    /// At least as many tasks, and as many for each thread where there is one for each.
    pub fn even(&self, tasks: usize) -> usize {
        if tasks < self.threads() { tasks } else { tasks.next_multiple_of(self.threads()) }
    }

    /// Runs tasks `0..tasks`. Which thread has which must not show in the results.
    pub fn each(&self, tasks: usize, task: impl Fn(usize) + Send + Sync) {
        if self.parallel && tasks > 1 {
            self.cpu.pool().install(|| (0..tasks).into_par_iter().with_max_len(1).for_each(task));
        } else {
            (0..tasks).for_each(task);
        }
    }

    /// Runs a task for each piece of `0..len` of at most `piece`; the task is given the piece's number, too.
    pub fn pieces(&self, len: usize, piece: usize, task: impl Fn(usize, Range<usize>) + Send + Sync) {
        self.each(len.div_ceil(piece), |i| task(i, i * piece..len.min((i + 1) * piece)));
    }
}

/// Part `i` of `parts` of `0..total`, as even as whole numbers allow.
pub(super) fn part(total: usize, parts: usize, i: usize) -> Range<usize> {
    i * total / parts..(i + 1) * total / parts
}

/// Memory that tasks write, each its own part.
#[derive(Clone, Copy)]
pub(super) struct Shared<E = f32>(*mut E);

// SAFETY: tasks write disjoint parts, as `slice` asks.
unsafe impl<E: Element> Send for Shared<E> {}
// SAFETY: as above.
unsafe impl<E: Element> Sync for Shared<E> {}

impl<E: Element> Shared<E> {
    pub fn new(at: *mut E) -> Self {
        Shared(at)
    }

    /// Where element `at` lies.
    pub fn at(self, at: usize) -> *mut E {
        self.0.wrapping_add(at)
    }

    /// These elements.
    ///
    /// # Safety
    /// The values exist, and nothing else uses them for as long.
    pub unsafe fn slice<'a>(self, range: Range<usize>) -> &'a mut [E] {
        // SAFETY: as the caller promises.
        unsafe { std::slice::from_raw_parts_mut(self.at(range.start), range.len()) }
    }
}
