//! A module ready to run: names resolved to register numbers, branches to indices.

use crate::exec::asynchronous::Async;
use crate::exec::matrix::Matrix;
use crate::exec::table::Alu;
use crate::exec::{atomic::Atomic, collective::Collective, compare::Setp, convert::Convert, float::Float};
use crate::syntax::ast::{Space, Variable};
use std::collections::HashMap;
use std::sync::Arc;

/// A register number within its file. The files of a warp are predicates, 32-bit and 64-bit registers; 16-bit values
/// live in the low half of 32-bit ones, the high half zero. Constants and special registers are registers too, filled
/// before the function runs, so that an instruction need not ask what its operand is.
pub type Reg = u32;

/// A register file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum RegFile {
    /// One bit a lane.
    Pred,
    /// Everything up to 32 bits.
    R32,
    /// 64 bits.
    R64,
}

/// A register and its file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Operand {
    /// Which file.
    pub file: RegFile,
    /// Which register of it.
    pub index: Reg,
}

/// Beyond the last instruction: where threads meet that have nothing more to do.
pub const END: u32 = u32::MAX;

/// No predicate.
pub const ALWAYS: u32 = u32::MAX;

/// An instruction.
#[derive(Debug)]
pub struct Inst {
    /// The predicate register that must hold, [`ALWAYS`] if none.
    pub guard: Reg,
    /// Whether it must be false instead.
    pub negated: bool,
    /// Whether it is the first of its statement: some statements are several instructions here.
    pub first: bool,
    /// What is done.
    pub op: Op,
    /// The line in the PTX.
    pub line: u32,
}

/// What an instruction does. The long ones are boxed, so that an instruction stays within a cache line.
#[derive(Debug)]
pub enum Op {
    /// Lane-wise arithmetic: destination, then sources.
    Alu(Alu, [Reg; 5]),
    /// A comparison.
    Setp(Box<Setp>),
    /// A load.
    Load(Box<Access>),
    /// A store.
    Store(Box<Access>),
    /// A branch; lanes that part meet again at `meet`.
    Branch {
        /// Where to.
        target: u32,
        /// The immediate post-dominator, or [`END`].
        meet: u32,
    },
    /// `brx.idx`
    Switch(Box<Switch>),
    /// Arithmetic with rounding modes, flushing or saturation.
    Float(Box<Float>),
    /// `cvt`
    Convert(Box<Convert>),
    /// `atom` and `red`.
    Atomic(Box<Atomic>),
    /// `shfl`, `vote`, `match`, `redux`, `activemask`.
    Collective(Box<Collective>),
    /// A barrier of the block.
    Barrier(Box<Barrier>),
    /// `bar.warp.sync`, with the mask's register.
    WarpBarrier(Reg),
    /// `%clock`, `%clock64`, `%globaltimer`: a 64-bit or 32-bit destination.
    Clock(Operand),
    /// `isspacep`: predicate, address, space.
    IsSpace(Reg, Operand, Space),
    /// Fences, hints, prefetches: nothing to do where memory is in order.
    Nothing,
    /// A direct call.
    Call(Box<Call>),
    /// End of a function, or of a kernel's thread.
    Ret,
    /// End of a thread.
    Exit,
    /// `trap` and `brkpt`.
    Trap,
    /// Tensor-core instructions.
    Matrix(Box<Matrix>),
    /// Asynchronous copies, mbarriers, warp-group registers.
    Async(Box<Async>),
}

/// Where a load or store points.
#[derive(Clone, Copy, Debug)]
pub struct Address {
    /// The space written in the instruction.
    pub space: Space,
    /// A 64-bit or 32-bit register.
    pub base: Operand,
    /// Bytes added.
    pub offset: i64,
}

/// A load or store.
#[derive(Debug)]
pub struct Access {
    /// Where.
    pub address: Address,
    /// Bytes of one element: 1, 2, 4, 8.
    pub size: u32,
    /// Whether a narrow load is widened by its sign.
    pub signed: bool,
    /// The registers, one an element.
    pub values: Vec<Operand>,
}

/// `brx.idx`
#[derive(Debug)]
pub struct Switch {
    /// The register that chooses.
    pub index: Reg,
    /// Where to.
    pub targets: Vec<u32>,
    /// Where the lanes meet.
    pub meet: u32,
}

/// What a barrier asks for beside the wait.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BarrierKind {
    /// Arrive and wait.
    Sync,
    /// Arrive only.
    Arrive,
    /// Arrive, wait, and count the threads whose predicate holds.
    Popc,
    /// … whether it holds for all.
    And,
    /// … whether it holds for any.
    Or,
}

/// `bar` and `barrier`.
#[derive(Debug)]
pub struct Barrier {
    /// What is asked for.
    pub kind: BarrierKind,
    /// Register of the barrier's number.
    pub id: Reg,
    /// Register of the count of threads, if not all.
    pub count: Option<Reg>,
    /// Where a reduction goes.
    pub result: Option<Operand>,
    /// The predicate it takes, and whether it is negated.
    pub source: Option<(Reg, bool)>,
}

/// A call: bytes move between the caller's and the callee's parameter variables.
#[derive(Debug)]
pub struct Call {
    /// Index in [`Module::functions`].
    pub function: usize,
    /// Caller's offset of each argument, in its frame.
    pub arguments: Vec<u32>,
    /// Caller's offset of each result.
    pub results: Vec<u32>,
}

/// What a constant register holds.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Constant {
    /// A value.
    Bits(u64),
    /// The address of a `.global` or `.const` variable, plus an offset.
    Symbol(String, i64),
    /// A special register.
    Special(Special),
    /// The address of a variable in the function's frame, as an offset in local memory.
    Local(i64),
    /// Where dynamic shared memory begins, plus an offset.
    Dynamic(i64),
}

/// Special registers that do not change while a thread runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[allow(missing_docs)]
pub enum Special {
    Tid(u8),
    Ntid(u8),
    Ctaid(u8),
    Nctaid(u8),
    LaneId,
    WarpId,
    WarpCount,
    LaneMaskEq,
    LaneMaskLt,
    LaneMaskLe,
    LaneMaskGt,
    LaneMaskGe,
    DynamicShared,
    TotalShared,
    /// Cluster numbers and the like, where a cluster is one block.
    Zero,
    One,
}

/// A variable in a function's frame, in the thread's local memory.
#[derive(Clone, Copy, Debug)]
pub struct Slot {
    /// From the frame's start.
    pub offset: u32,
    /// Bytes.
    pub size: u32,
}

/// A kernel or function.
#[derive(Debug, Default)]
pub struct Code {
    /// Its name.
    pub name: String,
    /// Its instructions.
    pub insts: Vec<Inst>,
    /// How each is written, with its suffixes.
    pub opcodes: Vec<String>,
    /// How many registers each file has, constants included.
    pub preds: u32,
    /// 32-bit registers.
    pub r32: u32,
    /// 64-bit registers.
    pub r64: u32,
    /// The registers that are filled beforehand.
    pub constants: Vec<(Operand, Constant)>,
    /// Bytes of local memory a thread needs.
    pub frame: u32,
    /// A `.func`'s parameters in its frame.
    pub params: Vec<Slot>,
    /// A `.func`'s results in its frame.
    pub returns: Vec<Slot>,
}

/// A kernel's parameter.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Param {
    /// Its name in the PTX.
    pub name: String,
    /// Bytes from the start of the parameter buffer.
    pub offset: usize,
    /// Bytes.
    pub size: usize,
    /// Its alignment.
    pub align: usize,
}

/// A kernel, as its caller sees it.
#[derive(Clone, Debug)]
pub struct Entry {
    /// Its name.
    pub name: String,
    /// What it takes, in the buffer's order.
    pub params: Vec<Param>,
    /// Bytes of the parameter buffer.
    pub params_bytes: usize,
    /// `.maxntid`
    pub max_threads: Option<[u32; 3]>,
    /// `.reqntid`
    pub required_threads: Option<[u32; 3]>,
    /// `.minnctapersm`
    pub min_blocks: Option<u32>,
    /// Static shared memory in bytes.
    pub shared_bytes: usize,
    /// Local memory of a thread in bytes.
    pub local_bytes: usize,
    /// Index in [`Module::functions`].
    pub(crate) code: usize,
}

/// A PTX file, decoded.
#[derive(Debug)]
pub struct Module {
    /// The name given to [`Module::parse`].
    pub name: String,
    /// `.target`, e.g. `sm_80`.
    pub target: String,
    /// `.version`, e.g. `8.4`.
    pub version: String,
    pub(crate) entries: Vec<Entry>,
    pub(crate) functions: Vec<Code>,
    pub(crate) globals: Vec<Variable>,
    pub(crate) lines: Vec<String>,
    pub(crate) id: u64,
}

impl Module {
    /// Reads and decodes PTX. `name` is for messages.
    ///
    /// # Errors
    /// Text that is not PTX, and instructions the simulator does not know, with their line.
    pub fn parse(name: &str, text: &str) -> Result<Self, crate::ParseError> {
        crate::decode::module(name, text)
    }

    /// The kernel of this name.
    pub fn entry(&self, name: &str) -> Option<&Entry> {
        self.entries.iter().find(|e| e.name == name)
    }

    /// All kernels, in the file's order.
    pub fn entries(&self) -> impl Iterator<Item = &Entry> {
        self.entries.iter()
    }

    /// The text of a line, trimmed.
    pub(crate) fn line(&self, line: u32) -> &str {
        self.lines.get((line as usize).wrapping_sub(1)).map_or("", |s| s.trim())
    }
}

/// Where the variables of a module lie in one machine's memory.
pub type Symbols = Arc<HashMap<String, u64>>;
