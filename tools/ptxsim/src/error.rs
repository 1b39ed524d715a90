//! What can go wrong: text that is not PTX we know, and a kernel that does what it must not.

use std::fmt;

/// A PTX text that cannot be read or holds an instruction the simulator does not know.
#[derive(Clone, Debug, thiserror::Error)]
#[error("{module}:{line}: {message}: `{text}`")]
pub struct ParseError {
    /// The name given to [`Module::parse`](crate::Module::parse).
    pub module: String,
    /// The line in the PTX, from 1.
    pub line: u32,
    /// That line.
    pub text: String,
    /// What is wrong with it.
    pub message: String,
}

/// What kind of rule a kernel or its caller broke.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum FaultKind {
    /// An access outside every allocation, or outside the block's shared, local or parameter memory.
    OutOfBounds,
    /// An address that is not a multiple of the access's size.
    Misaligned,
    /// An access to memory that was freed.
    UseAfterFree,
    /// A read of bytes that nobody wrote.
    UninitialisedMemory,
    /// A read of a register that no executed instruction wrote.
    UninitialisedRegister,
    /// Two accesses of shared memory, one of them a write, that no barrier orders; or lanes of one
    /// instruction that write different values to one address.
    Race,
    /// A barrier reached by a part of a warp, or that waits for threads which have exited.
    DivergentBarrier,
    /// Every warp of a block waits.
    Deadlock,
    /// A block executed more instructions than the budget allows.
    Budget,
    /// Calls nested deeper than the simulator's stack.
    StackOverflow,
    /// A launch the kernel or the device does not allow: block size, shared memory, parameters, names.
    Launch,
    /// `trap`, or `brkpt`.
    Trap,
    /// The result of an asynchronous operation was used, or its operand overwritten, before its wait.
    AsyncHazard,
    /// An mbarrier used against its phase, count or state.
    Mbarrier,
    /// A matrix or tensor descriptor that the hardware would not accept.
    Descriptor,
    /// A misuse of the device's memory from the host.
    Host,
    /// An instruction used in a way that PTX leaves undefined.
    Undefined,
}

impl fmt::Display for FaultKind {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.write_str(match self {
            Self::OutOfBounds => "access out of bounds",
            Self::Misaligned => "misaligned access",
            Self::UseAfterFree => "use after free",
            Self::UninitialisedMemory => "read of uninitialised memory",
            Self::UninitialisedRegister => "read of an uninitialised register",
            Self::Race => "data race",
            Self::DivergentBarrier => "divergent barrier",
            Self::Deadlock => "deadlock",
            Self::Budget => "instruction budget exceeded",
            Self::StackOverflow => "call stack overflow",
            Self::Launch => "invalid launch",
            Self::Trap => "trap",
            Self::AsyncHazard => "asynchronous result used before its wait",
            Self::Mbarrier => "mbarrier misuse",
            Self::Descriptor => "malformed descriptor",
            Self::Host => "invalid use of device memory by the host",
            Self::Undefined => "undefined behaviour",
        })
    }
}

/// A rule broken, and where.
#[derive(Clone, Debug)]
pub struct Fault {
    /// Which rule.
    pub kind: FaultKind,
    /// The particulars.
    pub message: String,
    /// The kernel that ran, empty for the host's own calls.
    pub kernel: String,
    /// The PTX line from 1, or 0 when no instruction is to blame.
    pub line: u32,
    /// The text of that line.
    pub text: String,
    /// `%ctaid` of the thread.
    pub block: [u32; 3],
    /// `%tid` of the thread: the first of its warp when several did the same.
    pub thread: [u32; 3],
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        write!(f, "{}: {}", self.kind, self.message)?;
        if !self.kernel.is_empty() {
            write!(f, "\n  kernel {}", self.kernel)?;
        }
        if self.line != 0 {
            write!(f, "\n  line {}: {}", self.line, self.text)?;
            write!(f, "\n  block {:?} thread {:?}", self.block, self.thread)?;
        }
        Ok(())
    }
}

impl std::error::Error for Fault {}

impl Fault {
    /// A fault outside any instruction.
    pub(crate) fn plain(kind: FaultKind, kernel: &str, message: impl Into<String>) -> Self {
        Self {
            kind,
            message: message.into(),
            kernel: kernel.into(),
            line: 0,
            text: String::new(),
            block: [0; 3],
            thread: [0; 3],
        }
    }
}

/// A rule broken by the instruction being executed: the run loop adds the place.
#[derive(Debug)]
pub struct Trap {
    /// Which rule.
    pub kind: FaultKind,
    /// The lane at fault, where one is.
    pub lane: Option<u32>,
    /// The particulars.
    pub message: String,
}

/// What an instruction's execution gives. Boxed: the way without faults is the one that must be short.
pub type Executed<T = ()> = Result<T, Box<Trap>>;

impl Trap {
    /// A trap by the whole warp.
    #[cold]
    pub fn warp(kind: FaultKind, message: impl Into<String>) -> Box<Self> {
        Box::new(Self { kind, lane: None, message: message.into() })
    }

    /// A trap by one lane.
    #[cold]
    pub fn lane(kind: FaultKind, lane: u32, message: impl Into<String>) -> Box<Self> {
        Box::new(Self { kind, lane: Some(lane), message: message.into() })
    }
}
