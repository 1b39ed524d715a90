//! The tree of a PTX file, with names still as text.

use std::collections::HashMap;

/// A fundamental type: what a register, variable or instruction is declared with.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[allow(missing_docs)]
pub enum Type {
    Pred,
    B8,
    B16,
    B32,
    B64,
    B128,
    U8,
    U16,
    U32,
    U64,
    S8,
    S16,
    S32,
    S64,
    E4M3,
    E4M3x2,
    E5M2,
    E5M2x2,
    F16,
    F16x2,
    BF16,
    BF16x2,
    TF32,
    F32,
    F32x2,
    F64,
}

impl Type {
    /// The type of a suffix such as `f32`, without the dot.
    pub fn of(name: &str) -> Option<Self> {
        Some(match name {
            "pred" => Self::Pred,
            "b8" => Self::B8,
            "b16" => Self::B16,
            "b32" => Self::B32,
            "b64" => Self::B64,
            "b128" => Self::B128,
            "u8" => Self::U8,
            "u16" => Self::U16,
            "u32" => Self::U32,
            "u64" => Self::U64,
            "s8" => Self::S8,
            "s16" => Self::S16,
            "s32" => Self::S32,
            "s64" => Self::S64,
            "e4m3" => Self::E4M3,
            "e4m3x2" => Self::E4M3x2,
            "e5m2" => Self::E5M2,
            "e5m2x2" => Self::E5M2x2,
            "f16" => Self::F16,
            "f16x2" => Self::F16x2,
            "bf16" => Self::BF16,
            "bf16x2" => Self::BF16x2,
            "tf32" => Self::TF32,
            "f32" => Self::F32,
            "f32x2" => Self::F32x2,
            "f64" => Self::F64,
            _ => return None,
        })
    }

    /// Bytes of a value. A predicate has none in memory.
    pub fn size(self) -> usize {
        match self {
            Self::Pred => 0,
            Self::B8 | Self::U8 | Self::S8 | Self::E4M3 | Self::E5M2 => 1,
            Self::B16 | Self::U16 | Self::S16 | Self::F16 | Self::BF16 | Self::E4M3x2 | Self::E5M2x2 => 2,
            Self::B64 | Self::U64 | Self::S64 | Self::F32x2 | Self::F64 => 8,
            Self::B128 => 16,
            _ => 4,
        }
    }

    /// Whether a narrower value is widened by its sign.
    pub fn signed(self) -> bool {
        matches!(self, Self::S8 | Self::S16 | Self::S32 | Self::S64)
    }

    /// Whether the type is one of the floating-point ones.
    pub fn float(self) -> bool {
        use Type::*;
        matches!(self, E4M3 | E4M3x2 | E5M2 | E5M2x2 | F16 | F16x2 | BF16 | BF16x2 | TF32 | F32 | F32x2 | F64)
    }
}

/// Where a variable lives.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[allow(missing_docs)]
pub enum Space {
    Generic,
    Global,
    Const,
    Shared,
    Local,
    Param,
}

/// An operand of an instruction.
#[derive(Clone, Debug, PartialEq)]
pub enum Operand {
    /// A register, special register, variable, label or function.
    Name(String),
    /// `!%p`
    Not(String),
    /// A whole number.
    Int(i128),
    /// `0f…`: the bits of a 32-bit float.
    F32(u32),
    /// `0d…` or a decimal fraction.
    F64(f64),
    /// `[base + offset]`, and for tensors `[base, {coordinates}]`.
    Address {
        /// A [`Operand::Name`] or [`Operand::Int`].
        base: Box<Operand>,
        /// Bytes added to it.
        offset: i64,
        /// A tensor's coordinates, or whatever else stands in the brackets.
        more: Vec<Operand>,
    },
    /// `{a, b}`
    Vector(Vec<Operand>),
    /// `(a, b)`
    List(Vec<Operand>),
    /// `a|b`
    Pair(Box<Operand>, Box<Operand>),
}

/// An instruction as written.
#[derive(Clone, Debug)]
pub struct Statement {
    /// The line in the PTX, from 1.
    pub line: u32,
    /// The scope whose names it sees.
    pub scope: usize,
    /// `@p`, and whether it is negated.
    pub guard: Option<(String, bool)>,
    /// The opcode with its suffixes, e.g. `ld.global.f32`.
    pub opcode: String,
    /// What follows.
    pub operands: Vec<Operand>,
}

impl Statement {
    /// The opcode's parts, `ld`, `global`, `f32`.
    pub fn parts(&self) -> Vec<&str> {
        self.opcode.split('.').collect()
    }

    /// Whether the opcode has this suffix.
    pub fn has(&self, suffix: &str) -> bool {
        self.opcode.split('.').skip(1).any(|part| part == suffix)
    }

    /// The last suffix that is a type.
    pub fn last_type(&self) -> Option<Type> {
        self.opcode.split('.').rev().find_map(Type::of)
    }
}

/// A variable in memory.
#[derive(Clone, Debug)]
pub struct Variable {
    /// Its name.
    pub name: String,
    /// Where it lives.
    pub space: Space,
    /// Bytes; 0 for an `extern` array without length.
    pub size: usize,
    /// Alignment in bytes.
    pub align: usize,
    /// Initial bytes, shorter than `size` when the rest is zero.
    pub init: Vec<u8>,
    /// Declared elsewhere: dynamic shared memory.
    pub external: bool,
}

/// A step of a function's body.
#[derive(Clone, Debug)]
pub enum Item {
    /// `name:` in a scope.
    Label(usize, String),
    /// An instruction.
    Statement(Statement),
}

/// The names of a `{ }`.
#[derive(Clone, Debug, Default)]
pub struct Scope {
    /// The scope around it; the outermost has none.
    pub parent: Option<usize>,
    /// Registers.
    pub registers: HashMap<String, Type>,
    /// Variables in memory, by index in [`Function::variables`].
    pub variables: HashMap<String, usize>,
    /// `.branchtargets`, by their label.
    pub targets: HashMap<String, Vec<String>>,
}

/// An `.entry` or a `.func`.
#[derive(Clone, Debug, Default)]
pub struct Function {
    /// Its name.
    pub name: String,
    /// Whether it is a kernel.
    pub entry: bool,
    /// What a `.func` gives back.
    pub returns: Vec<Variable>,
    /// What it takes.
    pub params: Vec<Variable>,
    /// Variables declared inside.
    pub variables: Vec<Variable>,
    /// Scopes; 0 is the body.
    pub scopes: Vec<Scope>,
    /// The body.
    pub body: Vec<Item>,
    /// Whether there was a body at all.
    pub defined: bool,
    /// `.maxntid`
    pub max_threads: Option<[u32; 3]>,
    /// `.reqntid`
    pub required_threads: Option<[u32; 3]>,
    /// `.minnctapersm`
    pub min_blocks: Option<u32>,
    /// `.maxnreg`
    pub max_registers: Option<u32>,
}

/// A PTX file.
#[derive(Clone, Debug, Default)]
pub struct File {
    /// `.version`
    pub version: String,
    /// `.target`
    pub target: String,
    /// Variables outside functions.
    pub variables: Vec<Variable>,
    /// Kernels and functions.
    pub functions: Vec<Function>,
}
