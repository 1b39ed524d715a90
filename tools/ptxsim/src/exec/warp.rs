//! A warp: the registers of 32 lanes, and where they are in the code.

use crate::code::{Code, END, Operand, Reg, RegFile};
use crate::error::{Executed, FaultKind, Trap};

/// Calls that may nest.
const CALL_DEPTH: usize = 64;

/// Lanes that go the same way. The lanes of an entry that part leave it for entries above it, and are found again when
/// those reach `meet`.
#[derive(Clone, Copy, Debug)]
pub struct Path {
    /// The next instruction.
    pub pc: u32,
    /// The lanes.
    pub mask: u32,
    /// Where they wait for the others: the entry below goes on from there.
    pub meet: u32,
}

/// A call in progress.
#[derive(Clone, Copy, Debug)]
pub struct Frame {
    /// Index of the function.
    pub function: usize,
    /// Paths below this one are the caller's.
    pub paths: usize,
    /// Lanes that were called.
    pub mask: u32,
    base: [usize; 3],
    /// Where its variables start in each lane's local memory.
    pub local: usize,
}

/// Local memory of 32 lanes, each its own range.
#[derive(Debug, Default)]
pub struct Local {
    /// Bytes a lane has.
    pub size: usize,
    /// Lane after lane.
    pub data: Vec<u8>,
    /// A byte for each, see [`crate::machine::shadow`].
    pub shadow: Vec<u8>,
}

/// What a warp does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WarpState {
    /// It can run.
    Ready,
    /// It waits at the block's barrier of this number.
    Waiting(u32),
    /// All its threads have exited.
    Done,
}

/// A warp. Registers are arrays of 32 lanes; `valid` has a bit for each lane that was written.
///
/// Register numbers are relative to the function's base: use [`Warp::v32`] and its like.
#[derive(Debug)]
pub struct Warp {
    /// Its number in the block.
    pub id: u32,
    /// The lanes that exist: fewer than 32 in the last warp of an odd block.
    pub lanes: u32,
    /// The lanes that have exited.
    pub exited: u32,
    /// Whether it can run.
    pub state: WarpState,
    /// Paths, the running one last.
    pub paths: Vec<Path>,
    /// Calls, the running one last.
    pub frames: Vec<Frame>,
    /// 32-bit registers.
    pub r32: Vec<[u32; 32]>,
    /// 64-bit registers.
    pub r64: Vec<[u64; 32]>,
    /// Predicates, a bit a lane.
    pub pred: Vec<u32>,
    /// Lanes of each 32-bit register that were written.
    pub valid32: Vec<u32>,
    /// Lanes of each 64-bit register that were written.
    pub valid64: Vec<u32>,
    /// Lanes of each predicate that were written.
    pub valid_pred: Vec<u32>,
    /// Where the running function's registers start.
    pub base: [usize; 3],
    /// Local memory.
    pub local: Local,
    /// The block's time up to which each warp's accesses are known to have happened: see [`super::shared`].
    pub clock: [u32; 32],
}

impl Warp {
    /// An empty warp.
    pub fn new(id: u32) -> Self {
        Self {
            id,
            lanes: 0,
            exited: 0,
            state: WarpState::Done,
            paths: Vec::new(),
            frames: Vec::new(),
            r32: Vec::new(),
            r64: Vec::new(),
            pred: Vec::new(),
            valid32: Vec::new(),
            valid64: Vec::new(),
            valid_pred: Vec::new(),
            base: [0; 3],
            local: Local::default(),
            clock: [0; 32],
        }
    }

    /// Makes room for the registers and variables of `code` above what is in use and makes it the running function.
    /// Its constants are the caller's to fill.
    pub fn enter(&mut self, code: &Code, function: usize, mask: u32, tracked: bool) -> Executed {
        if self.frames.len() >= CALL_DEPTH {
            return Err(Trap::warp(FaultKind::StackOverflow, format!("{CALL_DEPTH} calls deep at `{}`", code.name)));
        }
        let top = match self.frames.last() {
            None => [0; 3],
            Some(_) => [self.pred.len(), self.r32.len(), self.r64.len()],
        };
        let local = if self.frames.is_empty() { 0 } else { self.local.size };
        let sizes = [code.preds as usize, code.r32 as usize, code.r64 as usize];
        self.frames.push(Frame { function, paths: self.paths.len(), mask, base: top, local });
        self.base = top;
        self.pred.resize(top[0] + sizes[0], 0);
        self.r32.resize(top[1] + sizes[1], [0; 32]);
        self.r64.resize(top[2] + sizes[2], [0; 32]);
        let fresh = if tracked { 0 } else { u32::MAX };
        for (valid, i) in [(&mut self.valid_pred, 0), (&mut self.valid32, 1), (&mut self.valid64, 2)] {
            valid.truncate(top[i]);
            valid.resize(top[i] + sizes[i], fresh);
        }
        self.resize_local(local + code.frame as usize);
        self.paths.push(Path { pc: 0, mask, meet: END });
        Ok(())
    }

    /// Gives each lane `size` bytes, keeping those it has.
    fn resize_local(&mut self, size: usize) {
        let old = &self.local;
        if size == old.size {
            return;
        }
        let mut new = Local { size, data: vec![0; size * 32], shadow: vec![0; size * 32] };
        let kept = size.min(old.size);
        for lane in 0..32 {
            let (to, from) = (lane * size, lane * old.size);
            new.data[to..to + kept].copy_from_slice(&old.data[from..from + kept]);
            new.shadow[to..to + kept].copy_from_slice(&old.shadow[from..from + kept]);
        }
        self.local = new;
    }

    /// Back to the caller; its registers are again the running ones.
    pub fn leave(&mut self) {
        let Some(left) = self.frames.pop() else { return };
        let Some(caller) = self.frames.last() else { return };
        self.base = caller.base;
        self.pred.truncate(left.base[0]);
        self.r32.truncate(left.base[1]);
        self.r64.truncate(left.base[2]);
        self.resize_local(left.local);
    }

    /// A predicate's lanes.
    #[inline(always)]
    pub fn p(&self, reg: Reg) -> u32 {
        self.pred[self.base[0] + reg as usize]
    }

    /// A 32-bit register.
    #[inline(always)]
    pub fn v32(&self, reg: Reg) -> &[u32; 32] {
        &self.r32[self.base[1] + reg as usize]
    }

    /// A 64-bit register.
    #[inline(always)]
    pub fn v64(&self, reg: Reg) -> &[u64; 32] {
        &self.r64[self.base[2] + reg as usize]
    }

    /// The lanes of a predicate that were written.
    #[inline(always)]
    pub fn known_pred(&self, reg: Reg) -> u32 {
        self.valid_pred[self.base[0] + reg as usize]
    }

    /// The lanes of a 32-bit register that were written.
    #[inline(always)]
    pub fn known32(&self, reg: Reg) -> u32 {
        self.valid32[self.base[1] + reg as usize]
    }

    /// The lanes of a 64-bit register that were written.
    #[inline(always)]
    pub fn known64(&self, reg: Reg) -> u32 {
        self.valid64[self.base[2] + reg as usize]
    }

    /// Writes the lanes of `mask`.
    #[inline(always)]
    pub fn set_pred(&mut self, reg: Reg, mask: u32, value: u32) {
        let i = self.base[0] + reg as usize;
        self.pred[i] = self.pred[i] & !mask | value & mask;
        self.valid_pred[i] |= mask;
    }

    /// Writes the lanes of `mask`.
    #[inline(always)]
    pub fn set32(&mut self, reg: Reg, mask: u32, value: &[u32; 32]) {
        let i = self.base[1] + reg as usize;
        blend(&mut self.r32[i], mask, value);
        self.valid32[i] |= mask;
    }

    /// Writes the lanes of `mask`.
    #[inline(always)]
    pub fn set64(&mut self, reg: Reg, mask: u32, value: &[u64; 32]) {
        let i = self.base[2] + reg as usize;
        blend(&mut self.r64[i], mask, value);
        self.valid64[i] |= mask;
    }

    /// A register of either width, widened with zeros.
    pub fn wide(&self, operand: Operand) -> [u64; 32] {
        match operand.file {
            RegFile::R64 => *self.v64(operand.index),
            RegFile::R32 => self.v32(operand.index).map(u64::from),
            RegFile::Pred => std::array::from_fn(|l| u64::from(self.p(operand.index) >> l & 1)),
        }
    }

    /// Writes the lanes of `mask`, cut to the register's width.
    pub fn set_wide(&mut self, operand: Operand, mask: u32, value: &[u64; 32]) {
        match operand.file {
            RegFile::R64 => self.set64(operand.index, mask, value),
            RegFile::R32 => self.set32(operand.index, mask, &value.map(|v| v as u32)),
            RegFile::Pred => {
                let bits = (0..32).fold(0, |m, l| m | u32::from(value[l] & 1 != 0) << l);
                self.set_pred(operand.index, mask, bits);
            }
        }
    }

    /// The lanes of an operand that were written.
    #[inline(always)]
    pub fn known(&self, operand: Operand) -> u32 {
        match operand.file {
            RegFile::R64 => self.known64(operand.index),
            RegFile::R32 => self.known32(operand.index),
            RegFile::Pred => self.known_pred(operand.index),
        }
    }

    /// Fails if a lane of `mask` was never written.
    #[inline(always)]
    pub fn need(&self, operand: Operand, mask: u32) -> Executed {
        match mask & !self.known(operand) {
            0 => Ok(()),
            missing => Err(unwritten(missing)),
        }
    }
}

/// The trap for operands that `missing` lanes never wrote.
#[cold]
#[inline(never)]
pub fn unwritten(missing: u32) -> Box<Trap> {
    Trap::lane(
        FaultKind::UninitialisedRegister,
        missing.trailing_zeros(),
        "an operand was never written by this thread, or an asynchronous instruction still owns it",
    )
}

#[inline(always)]
fn blend<T: Copy>(to: &mut [T; 32], mask: u32, from: &[T; 32]) {
    if mask == u32::MAX {
        *to = *from;
    } else {
        for l in 0..32 {
            to[l] = if mask >> l & 1 != 0 { from[l] } else { to[l] };
        }
    }
}
