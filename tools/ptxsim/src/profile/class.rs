//! Which unit of a multiprocessor an instruction goes to.
//!
//! Classes follow the rows of the CUDA C++ Programming Guide's table "Throughput of Native Arithmetic Instructions" as far as
//! rows differ, and Nsight Compute's pipelines ("Metrics Decoder", pipelines ALU, FMA, XU, LSU, UNIFORM, TENSOR) where the
//! table is silent. Instructions are those of PTX: what the assembler makes of one differs, most of all for moves, which it
//! mostly removes, and for divisions, of which it makes many.

use std::fmt;

/// A kind of instruction.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Class {
    /// Additions, products and fused products of f32.
    Fp32,
    /// Arithmetic in f64.
    Fp64,
    /// Arithmetic in 16-bit floats, single and packed.
    Half,
    /// Integers, bits and addresses; comparisons, selections, minima and maxima of any type up to 32 bits.
    Integer,
    /// Products of integers, which the units of f32 compute.
    IntegerProduct,
    /// Divisions and remainders of integers: routines of many instructions.
    IntegerDivision,
    /// Moves, packing and unpacking, changes of address space.
    Move,
    /// Conversions between types.
    Convert,
    /// Reciprocals, roots, exponentials and logarithms; divisions of f32, which are routines around a reciprocal.
    Special,
    /// Loads of global memory, generic ones included.
    GlobalLoad,
    /// Stores to global memory, generic ones included.
    GlobalStore,
    /// Loads of shared memory.
    SharedLoad,
    /// Stores to shared memory.
    SharedStore,
    /// Loads and stores of the thread's own memory.
    Local,
    /// Loads of parameters and constants.
    Constant,
    /// Atomic operations.
    Atomic,
    /// `ldmatrix`, `stmatrix`, `movmatrix`.
    MatrixMove,
    /// `mma.sync`.
    Mma,
    /// `wgmma.mma_async`.
    Wgmma,
    /// Bulk and tensor copies, by TMA.
    Bulk,
    /// `cp.async`.
    CopyAsync,
    /// Barriers, mbarriers, fences, and waits for what is asynchronous.
    Barrier,
    /// Shuffles, votes and reductions within a warp.
    Warp,
    /// Branches, calls, ends.
    Control,
    /// Whatever else: hints and clocks.
    Other,
}

impl Class {
    /// All of them, in the order of reports.
    pub const ALL: [Self; 25] = [
        Self::Fp32,
        Self::Fp64,
        Self::Half,
        Self::Integer,
        Self::IntegerProduct,
        Self::IntegerDivision,
        Self::Move,
        Self::Convert,
        Self::Special,
        Self::GlobalLoad,
        Self::GlobalStore,
        Self::SharedLoad,
        Self::SharedStore,
        Self::Local,
        Self::Constant,
        Self::Atomic,
        Self::MatrixMove,
        Self::Mma,
        Self::Wgmma,
        Self::Bulk,
        Self::CopyAsync,
        Self::Barrier,
        Self::Warp,
        Self::Control,
        Self::Other,
    ];

    /// The class of an opcode with its suffixes, such as `ld.global.nc.f32`.
    pub fn of(opcode: &str) -> Self {
        let parts: Vec<&str> = opcode.split('.').collect();
        let has = |name: &str| parts[1..].contains(&name);
        let space = |name: &str| parts[1..].iter().any(|part| part.split(':').next() == Some(name));
        match parts[0] {
            "ld" | "ldu" | "st" if space("shared") => Self::by_direction(parts[0], Self::SharedLoad, Self::SharedStore),
            "ld" | "ldu" | "st" if space("local") => Self::Local,
            "ld" | "ldu" if space("param") || space("const") => Self::Constant,
            // Of a call's arguments, which lie in registers.
            "st" if space("param") => Self::Move,
            "ld" | "ldu" | "st" => Self::by_direction(parts[0], Self::GlobalLoad, Self::GlobalStore),
            "atom" | "red" => Self::Atomic,
            "ldmatrix" | "stmatrix" | "movmatrix" => Self::MatrixMove,
            "mma" => Self::Mma,
            "wgmma" if has("mma_async") => Self::Wgmma,
            "cp" if has("wait_group") || has("wait_all") || has("commit_group") || has("mbarrier") => Self::Barrier,
            "cp" if has("bulk") => Self::Bulk,
            "cp" => Self::CopyAsync,
            "bar" | "barrier" | "mbarrier" | "fence" | "membar" | "wgmma" => Self::Barrier,
            "shfl" | "vote" | "match" | "redux" | "activemask" | "elect" => Self::Warp,
            "bra" | "brx" | "call" | "ret" | "exit" | "trap" | "brkpt" => Self::Control,
            "mov" | "cvta" | "mapa" | "isspacep" => Self::Move,
            "cvt" => Self::Convert,
            "rcp" | "sqrt" | "rsqrt" | "sin" | "cos" | "lg2" | "ex2" | "tanh" => Self::Special,
            "prefetch" | "prefetchu" | "discard" | "applypriority" | "nanosleep" | "griddepcontrol" | "pmevent"
            | "createpolicy" | "setmaxnreg" => Self::Other,
            head => Self::of_arithmetic(head, parts.last().copied().unwrap_or_default()),
        }
    }

    fn by_direction(head: &str, load: Self, store: Self) -> Self {
        if head == "st" { store } else { load }
    }

    fn of_arithmetic(head: &str, ty: &str) -> Self {
        match (head, ty) {
            ("div", "f32" | "f64") => Self::Special,
            ("div" | "rem", _) => Self::IntegerDivision,
            ("setp" | "set" | "selp" | "slct" | "min" | "max" | "abs" | "neg" | "testp" | "copysign", kind) => {
                match kind {
                    "f64" => Self::Fp64,
                    "f16" | "f16x2" | "bf16" | "bf16x2" => Self::Half,
                    _ => Self::Integer,
                }
            }
            (_, "f32" | "f32x2") => Self::Fp32,
            (_, "f64") => Self::Fp64,
            (_, "f16" | "f16x2" | "bf16" | "bf16x2") => Self::Half,
            ("mul" | "mad" | "mul24" | "mad24" | "madc" | "dp4a" | "dp2a", _) => Self::IntegerProduct,
            _ => Self::Integer,
        }
    }
}

impl fmt::Display for Class {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.pad(match self {
            Self::Fp32 => "f32",
            Self::Fp64 => "f64",
            Self::Half => "16-bit floats",
            Self::Integer => "integers",
            Self::IntegerProduct => "integer products",
            Self::IntegerDivision => "integer divisions",
            Self::Move => "moves",
            Self::Convert => "conversions",
            Self::Special => "special functions",
            Self::GlobalLoad => "global loads",
            Self::GlobalStore => "global stores",
            Self::SharedLoad => "shared loads",
            Self::SharedStore => "shared stores",
            Self::Local => "local memory",
            Self::Constant => "parameters",
            Self::Atomic => "atomics",
            Self::MatrixMove => "ldmatrix",
            Self::Mma => "mma",
            Self::Wgmma => "wgmma",
            Self::Bulk => "bulk copies",
            Self::CopyAsync => "cp.async",
            Self::Barrier => "barriers",
            Self::Warp => "within warps",
            Self::Control => "control",
            Self::Other => "other",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::Class::{self, *};

    #[test]
    fn opcodes_have_their_units() {
        for (opcode, class) in [
            ("fma.rn.f32", Fp32),
            ("add.f32", Fp32),
            ("max.f32", Integer),
            ("setp.lt.f32", Integer),
            ("add.s64", Integer),
            ("mad.lo.s32", IntegerProduct),
            ("mul.wide.u32", IntegerProduct),
            ("div.u32", IntegerDivision),
            ("div.rn.f32", Special),
            ("fma.rn.f16x2", Half),
            ("mov.b32", Move),
            ("cvt.rn.f16.f32", Convert),
            ("ex2.approx.ftz.f32", Special),
            ("ld.global.nc.v4.f32", GlobalLoad),
            ("ld.u32", GlobalLoad),
            ("st.shared.v4.u32", SharedStore),
            ("ld.shared::cta.u32", SharedLoad),
            ("ld.param.u64", Constant),
            ("ld.local.f32", Local),
            ("atom.global.add.u32", Atomic),
            ("ldmatrix.sync.aligned.m8n8.x4.shared.b16", MatrixMove),
            ("mma.sync.aligned.m16n8k16.row.col.f32.f16.f16.f32", Mma),
            ("wgmma.mma_async.sync.aligned.m64n32k16.f32.f16.f16", Wgmma),
            ("wgmma.wait_group.sync.aligned", Barrier),
            ("cp.async.cg.shared.global", CopyAsync),
            ("cp.async.commit_group", Barrier),
            ("cp.async.mbarrier.arrive.noinc.shared.b64", Barrier),
            ("cp.async.bulk.tensor.2d.shared::cluster.global.tile.mbarrier::complete_tx::bytes", Bulk),
            ("cp.async.bulk.wait_group.read", Barrier),
            ("mbarrier.try_wait.parity.shared::cta.b64", Barrier),
            ("shfl.sync.bfly.b32", Warp),
            ("bra.uni", Control),
            ("setmaxnreg.dec.sync.aligned.u32", Other),
        ] {
            assert_eq!(Class::of(opcode), class, "{opcode}");
        }
        assert!(Class::ALL.is_sorted());
    }
}
