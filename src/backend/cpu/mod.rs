//! The CPU: the oracle's arithmetic at speed, on any machine, with nothing installed.
//!
//! Convolutions, dense layers and their gradients run on register tiles chosen by instruction set (`simd`), in f32, and
//! forward in bf16 too (`bf16`, `multiply`); pools run
//! channel-wise; norms, sums and what works on one element at a time are loops that the compiler vectorizes
//! (`vectorized`); everything else is small and runs the reference. Each output is summed in one fixed order, whatever
//! the number of threads, so results do not depend on it; nor on the batch, where images do not meet.

mod across;
mod ahead;
mod aligned;
mod batch_norm;
mod bf16;
mod channels;
mod constants;
mod conv2d;
mod conv2d_bwd_data;
mod conv2d_bwd_filter;
mod conv_algorithm;
mod dot;
mod element;
mod elementwise;
mod executable;
mod isa;
mod local_conv2d;
mod local_conv2d_bwd;
mod lrn;
mod multiply;
pub(crate) mod nearest;
mod optimizer;
mod outer;
mod pack;
pub(crate) mod planes;
mod pool2d;
mod pool2d_bwd;
mod reduce;
mod simd;
mod split;
mod spread;
mod states;
mod step;
mod tile;
mod transpose;
mod vectorized;
mod windows;
mod winograd;
mod workers;

use std::sync::{Arc, Mutex, PoisonError};

use aligned::Aligned;

use super::{Backend, DeviceInfo, Module, States, check_states, needs_cuda, only_f32, roofline};
use crate::error::{Field, Message, message};
use crate::ops::Op;
use crate::{Error, Graph, Precision, Result};

pub use conv_algorithm::ConvAlgorithm;
pub use executable::{CpuExecutable, CpuModule};
pub use isa::Isa;
pub use states::CpuStates;

/// More threads than this are a slip of the keyboard, and would take minutes to start.
const MAX_THREADS: usize = 1024;

/// The processor and the threads it may use.
#[derive(Clone, Debug)]
pub struct Cpu {
    isa: Isa,
    conv: ConvAlgorithm,
    pool: Arc<rayon::ThreadPool>,
    arenas: Arc<Mutex<Vec<Aligned>>>,
}

impl Cpu {
    /// The CPU with this many threads, 0 being one for each core at hand, and the kernels of [`Isa::from_env`].
    ///
    /// # Errors
    /// Those of [`Cpu::with_isa`]; [`Error::Invalid`] if `WARPFACE_ISA` names no instruction set.
    pub fn new(threads: usize) -> Result<Self> {
        Self::with_isa(threads, Isa::from_env()?)
    }

    /// As [`Cpu::new`], with the kernels of an instruction set that may be lower than the machine's.
    ///
    /// # Errors
    /// [`Error::Device`] if the machine lacks the instruction set or the threads cannot be started;
    /// [`Error::Invalid`] for more than 1,024 threads.
    pub fn with_isa(threads: usize, isa: Isa) -> Result<Self> {
        isa.check()?;
        if threads > MAX_THREADS {
            return Err(Error::invalid(
                Field("threads"),
                format!("{threads} is more than {MAX_THREADS}; 0 is one for each core"),
            ));
        }
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build();
        let pool = pool.map_err(|e| Error::device("cpu", format!("cannot start {threads} threads: {e}")))?;
        Ok(Cpu { isa, conv: ConvAlgorithm::default(), pool: Arc::new(pool), arenas: Arc::default() })
    }

    /// The same processor and threads, with graphs that are loaded from now on convolving so.
    pub fn conv(self, conv: ConvAlgorithm) -> Self {
        Cpu { conv, ..self }
    }

    /// The minimal filtering that an op takes for filters of this shape, if it takes one.
    fn form(&self, op: &Op, w: &[usize], in_bf16: bool) -> Option<winograd::Form> {
        match (self.conv, op) {
            (ConvAlgorithm::Auto, Op::Conv2d(op)) => winograd::Form::of(w, op.stride, in_bf16),
            _ => None,
        }
    }

    /// How loaded graphs convolve.
    pub fn conv_algorithm(&self) -> ConvAlgorithm {
        self.conv
    }

    /// The threads that work is spread over.
    pub fn pool(&self) -> &rayon::ThreadPool {
        &self.pool
    }

    /// How many threads there are.
    pub fn threads(&self) -> usize {
        self.pool.current_num_threads()
    }

    /// The kernels' instruction set.
    pub fn isa(&self) -> Isa {
        self.isa
    }

    /// Runs `work` on an arena of at least `len` values. There are as many arenas as runs at once, each as large as the
    /// largest plan it has served: memory depends on plans and threads, not on how much is run.
    fn with_arena<R>(&self, len: usize, work: impl FnOnce(&mut [f32]) -> R) -> R {
        let arenas = || self.arenas.lock().unwrap_or_else(PoisonError::into_inner);
        let kept = arenas().pop().filter(|arena| arena.len() >= len);
        let mut arena = kept.unwrap_or_else(|| Aligned::zeros(len));
        let result = work(&mut arena[..len]);
        arenas().push(arena);
        result
    }

    /// A graph with its filters packed for this processor.
    ///
    /// # Errors
    /// [`Error::Invalid`] for a graph with states, which [`Backend::states`] loads.
    pub fn module(&self, graph: Arc<Graph>) -> Result<CpuModule> {
        self.module_in(graph, Precision::F32)
    }

    fn module_in(&self, graph: Arc<Graph>, precision: Precision) -> Result<CpuModule> {
        check_states(&graph, &[])?;
        CpuModule::new(self.clone(), graph, precision, None)
    }

    /// Why graphs cannot run in bf16 here; `None` if they can.
    fn lacks_bf16(&self) -> Option<Message> {
        let way_out = |message: Message| message.then(" use ").then(Field("precision")).then(" f32");
        let name = message![Field("precision"), " bf16 needs the instructions AVX512-BF16"];
        match (self.isa, Isa::detect()) {
            (Isa::Avx512Bf16, _) => None,
            (lowered, Isa::Avx512Bf16) => Some(way_out(name.then(format!(
                ", which this machine has, but WARPFACE_ISA or the caller lowered the kernels to {lowered}; without that it runs, or"
            )))),
            (_, best) => Some(way_out(name.then(format!(
                " (AMD's processors since Zen 4, Intel's Xeons since Sapphire Rapids); this machine has {best};"
            )))),
        }
    }
}

impl Backend for Cpu {
    fn info(&self) -> DeviceInfo {
        DeviceInfo {
            kind: "cpu",
            name: model_name().unwrap_or_else(|| std::env::consts::ARCH.to_owned()),
            driver: self.isa.to_string(),
            memory: total_memory(),
            software: false,
            limits: vec![
                ("threads".to_owned(), self.threads().to_string()),
                ("instruction set".to_owned(), self.isa.name().to_owned()),
            ],
        }
    }

    fn load_in(&self, graph: Arc<Graph>, precision: Precision) -> Result<Arc<dyn Module>> {
        self.check(precision)?;
        Ok(Arc::new(self.module_in(graph, precision)?))
    }

    fn check(&self, precision: Precision) -> Result<()> {
        match precision {
            Precision::F32 => Ok(()),
            Precision::Bf16 => self.lacks_bf16().map_or(Ok(()), |problem| Err(Error::device("cpu", problem))),
            Precision::F16 | Precision::Tf32 if self.lacks_bf16().is_some() => only_f32("cpu", precision),
            Precision::F16 | Precision::Tf32 => Err(needs_cuda("cpu", "runs in f32 and bf16", precision)),
        }
    }

    fn copy_rate(&self) -> Option<f64> {
        Some(roofline::copy_rate(&self.pool))
    }

    fn states(&self, lengths: &[usize]) -> Result<Arc<dyn States>> {
        Ok(Arc::new(CpuStates::new(self.clone(), lengths)))
    }
}

/// The processor's name, where Linux tells it.
fn model_name() -> Option<String> {
    let text = std::fs::read_to_string("/proc/cpuinfo").ok()?;
    let line = text.lines().find(|line| line.starts_with("model name"))?;
    Some(line.split_once(':')?.1.trim().to_owned())
}

/// Bytes of memory, where Linux tells it.
fn total_memory() -> Option<u64> {
    let text = std::fs::read_to_string("/proc/meminfo").ok()?;
    let line = text.lines().find(|line| line.starts_with("MemTotal"))?;
    let kib: u64 = line.split_whitespace().nth(1)?.parse().ok()?;
    Some(kib * 1024)
}
