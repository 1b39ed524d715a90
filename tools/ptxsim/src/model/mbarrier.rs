//! `mbarrier`: a barrier in shared memory that counts arrivals of threads and bytes of asynchronous copies.
//!
//! A phase completes when no arrival and no byte is pending; then the next begins with the same number of arrivals.
//! Source: PTX ISA, "Parallel synchronization and communication instructions: mbarrier".

use thiserror::Error;

/// The largest number of arrivals, and of bytes under way.
pub const MAX_COUNT: u32 = (1 << 20) - 1;

/// One barrier.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Mbarrier {
    expected: u32,
    pending: u32,
    /// Bytes expected less bytes arrived; below zero while copies run ahead of their announcement.
    bytes: i32,
    /// Phases completed so far: the number of the phase under way.
    phase: u64,
}

/// What no correct use of a barrier does.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum MbarrierError {
    #[error("a count of {0} is not between 1 and 2^20 - 1")]
    Count(u32),
    #[error("{arrivals} arrive where only {pending} of {expected} are pending in phase {phase}")]
    TooManyArrivals { arrivals: u32, pending: u32, expected: u32, phase: u64 },
    #[error("arrive.noComplete is the last arrival of phase {0}, which it must not complete")]
    Completes(u64),
    #[error("{bytes} bytes under way are beyond the limit of 2^20 - 1 either way (phase {phase})")]
    Bytes { bytes: i64, phase: u64 },
    #[error("all threads have arrived in phase {phase}, but {excess} more bytes came in than were expected")]
    Excess { excess: u32, phase: u64 },
    #[error(
        "the wait is for phase {wanted}, yet phase {current} is under way: a test can only tell of the phase before"
    )]
    Overrun { wanted: u64, current: u64 },
    #[error("{0:#x} is not a state that an arrival returned")]
    State(u64),
}

impl Mbarrier {
    /// # Errors
    /// If `count` arrivals are too few or too many.
    pub fn new(count: u32) -> Result<Self, MbarrierError> {
        if !(1..=MAX_COUNT).contains(&count) {
            return Err(MbarrierError::Count(count));
        }
        Ok(Self { expected: count, pending: count, bytes: 0, phase: 0 })
    }

    /// The number of the phase under way, counted from 0.
    pub fn phase(&self) -> u64 {
        self.phase
    }

    /// Arrivals still pending in this phase.
    pub fn pending(&self) -> u32 {
        self.pending
    }

    /// Arrivals of a whole phase.
    pub fn expected(&self) -> u32 {
        self.expected
    }

    /// Bytes still pending in this phase.
    pub fn pending_bytes(&self) -> i32 {
        self.bytes
    }

    /// The 64 bits that stand for the barrier in shared memory: pending, expected, bytes (21 bits, signed), parity.
    pub fn word(&self) -> u64 {
        let bytes = self.bytes as u64 & 0x1f_ffff;
        u64::from(self.pending) | u64::from(self.expected) << 20 | bytes << 40 | (self.phase & 1) << 61 | 1 << 63
    }

    /// What `mbarrier.arrive` returns: the phase under way and its pending arrivals.
    pub fn state(&self) -> u64 {
        1 << 63 | self.phase << 20 | u64::from(self.pending)
    }

    /// `mbarrier.arrive`, with `bytes` of `.expect_tx` counted first. Returns the state before.
    ///
    /// # Errors
    /// If more arrive than are pending, or the byte count leaves its range.
    pub fn arrive(&mut self, count: u32, bytes: u32) -> Result<u64, MbarrierError> {
        let state = self.state();
        self.expect(bytes)?;
        self.take(count)?;
        self.settle()?;
        Ok(state)
    }

    /// `mbarrier.arrive.noComplete`.
    ///
    /// # Errors
    /// As [`arrive`](Self::arrive), and if this arrival would complete the phase.
    pub fn arrive_no_complete(&mut self, count: u32) -> Result<u64, MbarrierError> {
        let state = self.state();
        self.take(count)?;
        if self.pending == 0 {
            return Err(MbarrierError::Completes(self.phase));
        }
        Ok(state)
    }

    /// `mbarrier.arrive_drop`: arrives, and expects one arrival less from the next phase on.
    ///
    /// # Errors
    /// As [`arrive`](Self::arrive).
    pub fn arrive_drop(&mut self, count: u32) -> Result<u64, MbarrierError> {
        let state = self.state();
        self.take(count)?;
        self.expected -= count;
        self.settle()?;
        Ok(state)
    }

    /// One arrival more is expected in this phase: `cp.async.mbarrier.arrive` without `.noinc`.
    ///
    /// # Errors
    /// If that is one too many.
    pub fn expect_arrival(&mut self) -> Result<(), MbarrierError> {
        if self.pending == MAX_COUNT {
            return Err(MbarrierError::Count(self.pending + 1));
        }
        self.pending += 1;
        Ok(())
    }

    /// `mbarrier.expect_tx`.
    ///
    /// # Errors
    /// If the byte count leaves its range.
    pub fn expect(&mut self, bytes: u32) -> Result<(), MbarrierError> {
        self.add_bytes(i64::from(bytes))
    }

    /// `mbarrier.complete_tx`, and the arrival of an asynchronous copy's bytes.
    ///
    /// # Errors
    /// If the byte count leaves its range or all arrived and more came than was expected.
    pub fn complete(&mut self, bytes: u32) -> Result<(), MbarrierError> {
        self.add_bytes(-i64::from(bytes))?;
        self.settle()
    }

    /// `mbarrier.test_wait` with a state: whether the phase in which `state` was returned is complete.
    ///
    /// # Errors
    /// If the state is none, or so old that the barrier could not tell.
    pub fn test(&self, state: u64) -> Result<bool, MbarrierError> {
        let wanted = state >> 20 & ((1 << 43) - 1);
        if state >> 63 != 1 || wanted > self.phase {
            return Err(MbarrierError::State(state));
        }
        if self.phase > wanted + 1 {
            return Err(MbarrierError::Overrun { wanted, current: self.phase });
        }
        Ok(self.phase > wanted)
    }

    /// `mbarrier.test_wait.parity`: whether the phase of that parity (the one under way or the one before) is
    /// complete. `seen` is the number of phases that the asking thread knows complete, from its earlier waits.
    ///
    /// # Errors
    /// If the thread asks for its next phase so late that another has completed since: its parity then names a later
    /// phase.
    pub fn test_parity(&self, parity: bool, seen: u64) -> Result<bool, MbarrierError> {
        let parity = u64::from(parity);
        if parity == seen & 1 && self.phase > seen + 1 {
            return Err(MbarrierError::Overrun { wanted: seen, current: self.phase });
        }
        Ok(self.phase & 1 != parity)
    }

    fn take(&mut self, count: u32) -> Result<(), MbarrierError> {
        if count == 0 || count > MAX_COUNT {
            return Err(MbarrierError::Count(count));
        }
        let Self { pending, expected, phase, .. } = *self;
        self.pending = pending.checked_sub(count).ok_or(MbarrierError::TooManyArrivals {
            arrivals: count,
            pending,
            expected,
            phase,
        })?;
        Ok(())
    }

    fn add_bytes(&mut self, bytes: i64) -> Result<(), MbarrierError> {
        let bytes = i64::from(self.bytes) + bytes;
        if bytes.unsigned_abs() > u64::from(MAX_COUNT) {
            return Err(MbarrierError::Bytes { bytes, phase: self.phase });
        }
        self.bytes = bytes as i32;
        Ok(())
    }

    /// Completes the phase if nothing is pending.
    fn settle(&mut self) -> Result<(), MbarrierError> {
        if self.pending > 0 || self.bytes > 0 {
            return Ok(());
        }
        if self.bytes < 0 {
            return Err(MbarrierError::Excess { excess: self.bytes.unsigned_abs(), phase: self.phase });
        }
        self.phase += 1;
        self.pending = self.expected;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_phase_needs_arrivals_and_bytes() {
        let mut barrier = Mbarrier::new(2).unwrap();
        let first = barrier.arrive(1, 0).unwrap();
        assert_eq!(barrier.test(first), Ok(false));
        barrier.arrive(1, 64).unwrap();
        assert_eq!((barrier.pending(), barrier.pending_bytes()), (0, 64));
        barrier.complete(32).unwrap();
        assert_eq!(barrier.test_parity(false, 0), Ok(false));
        barrier.complete(32).unwrap();
        assert_eq!(barrier.test(first), Ok(true));
        assert_eq!(barrier.test_parity(false, 0), Ok(true));
        assert_eq!(barrier.test_parity(true, 1), Ok(false));
        assert_eq!((barrier.phase(), barrier.pending()), (1, 2));
    }

    #[test]
    fn bytes_may_come_before_they_are_expected() {
        let mut barrier = Mbarrier::new(1).unwrap();
        barrier.complete(16).unwrap();
        assert_eq!(barrier.pending_bytes(), -16);
        barrier.arrive(1, 16).unwrap();
        assert_eq!(barrier.phase(), 1);
    }

    #[test]
    fn a_fresh_barrier_passes_the_phase_before_the_first() {
        assert_eq!(Mbarrier::new(1).unwrap().test_parity(true, 0), Ok(true));
    }

    #[test]
    fn misuse() {
        assert_eq!(Mbarrier::new(0), Err(MbarrierError::Count(0)));
        assert_eq!(Mbarrier::new(1 << 20), Err(MbarrierError::Count(1 << 20)));
        let mut barrier = Mbarrier::new(2).unwrap();
        assert!(matches!(barrier.clone().arrive(3, 0), Err(MbarrierError::TooManyArrivals { pending: 2, .. })));
        assert_eq!(barrier.clone().arrive_no_complete(2), Err(MbarrierError::Completes(0)));
        assert!(matches!(barrier.clone().expect(1 << 20), Err(MbarrierError::Bytes { .. })));
        // Everyone has arrived and expects 16 bytes; a copy completes 32.
        barrier.arrive(2, 16).unwrap();
        assert!(matches!(barrier.clone().arrive(1, 0), Err(MbarrierError::TooManyArrivals { .. })));
        assert_eq!(barrier.complete(32), Err(MbarrierError::Excess { excess: 16, phase: 0 }));
    }

    #[test]
    fn a_wait_that_comes_two_phases_late() {
        let mut barrier = Mbarrier::new(1).unwrap();
        let state = barrier.arrive(1, 0).unwrap();
        assert_eq!(barrier.test(state), Ok(true));
        barrier.arrive(1, 0).unwrap();
        let overrun = MbarrierError::Overrun { wanted: 0, current: 2 };
        assert_eq!(barrier.test(state), Err(overrun.clone()));
        assert_eq!(barrier.test_parity(false, 0), Err(overrun));
        assert_eq!(barrier.test_parity(false, 2), Ok(false));
        assert_eq!(barrier.test(17), Err(MbarrierError::State(17)));
    }

    #[test]
    fn dropping_out_and_joining_for_a_phase() {
        let mut barrier = Mbarrier::new(2).unwrap();
        barrier.arrive_drop(1).unwrap();
        barrier.arrive(1, 0).unwrap();
        assert_eq!((barrier.phase(), barrier.pending()), (1, 1));
        barrier.expect_arrival().unwrap();
        barrier.arrive(2, 0).unwrap();
        assert_eq!(barrier.phase(), 2);
        assert_ne!(barrier.word(), Mbarrier::new(1).unwrap().word() | 1 << 61);
    }
}
