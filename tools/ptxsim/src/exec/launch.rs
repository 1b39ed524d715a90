//! A launch: its limits, and its blocks on the host's threads.

use super::Grid;
use super::block::Worker;
use super::observe::Recorder;
use crate::code::{Code, Entry, Module};
use crate::error::{Fault, FaultKind};
use crate::machine::Machine;
use crate::profile::sample::sample;
use crate::profile::{Counts, Profile};
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};

/// How a kernel is started.
#[derive(Clone, Copy, Debug)]
pub struct Launch<'a> {
    /// Blocks in x, y, z.
    pub grid: [u32; 3],
    /// Threads of a block in x, y, z.
    pub block: [u32; 3],
    /// Bytes of dynamic shared memory.
    pub shared: u32,
    /// The parameters, each at its natural alignment, as `CU_LAUNCH_PARAM_BUFFER_POINTER` takes them.
    pub args: &'a [u8],
}

/// What a launch executed.
#[derive(Clone, Debug, Default)]
pub struct Stats {
    /// Instructions, counted once for each warp.
    pub instructions: u64,
    /// The same for each opcode.
    pub opcodes: BTreeMap<String, u64>,
    /// The same for each line of the PTX.
    pub lines: BTreeMap<u32, u64>,
    /// Blocks.
    pub blocks: u64,
}

impl Machine {
    /// Runs a kernel to its end.
    ///
    /// # Errors
    /// The first rule the kernel broke, in the order of blocks, or a launch that the device would refuse.
    pub fn launch(&self, module: &Module, entry: &str, launch: &Launch) -> Result<Stats, Fault> {
        let kernel = self.kernel(module, entry, launch)?;
        let grid = self.grid(module, kernel, launch)?;
        let (counts, _) = self.execute(&grid, Which::All(blocks(launch)), false)?;
        Ok(stats(module, &counts, blocks(launch)))
    }

    /// Runs a kernel to its end, and counts what it asks of the hardware.
    ///
    /// # Errors
    /// As [`launch`](Self::launch).
    pub fn profile(&self, module: &Module, entry: &str, launch: &Launch) -> Result<Profile, Fault> {
        self.profiled(module, entry, launch, Which::All(blocks(launch)))
    }

    /// Runs some of a kernel's blocks, by their numbers (x first, then y, then z), and counts what these ask for. The
    /// others do nothing: what they would have written stays as it was.
    ///
    /// # Errors
    /// As [`launch`](Self::launch), and for numbers that the grid does not have.
    pub fn profile_blocks(
        &self,
        module: &Module,
        entry: &str,
        launch: &Launch,
        chosen: &[u64],
    ) -> Result<Profile, Fault> {
        if let Some(beyond) = chosen.iter().find(|&&block| block >= blocks(launch)) {
            let message = format!("block {beyond} of a grid of {}", blocks(launch));
            return Err(Fault::plain(FaultKind::Launch, entry, message));
        }
        self.profiled(module, entry, launch, Which::Some(chosen))
    }

    /// Runs some blocks of each part of the grid ([`sample`](crate::profile::sample)), and counts each as often as there are
    /// blocks that it stands for.
    ///
    /// # Errors
    /// As [`launch`](Self::launch).
    pub fn profile_sample(&self, module: &Module, entry: &str, launch: &Launch) -> Result<Profile, Fault> {
        // So that extents without blocks, and beyond the device's, are refused before they are walked.
        self.kernel(module, entry, launch)?;
        let mut sum: Option<Profile> = None;
        for (times, chosen) in sample(launch.grid) {
            let profile = self.profile_blocks(module, entry, launch, &chosen)?;
            sum.get_or_insert_with(|| profile.without_counts()).add_scaled(&profile, times);
        }
        sum.ok_or_else(|| Fault::plain(FaultKind::Launch, entry, "no blocks"))
    }

    fn profiled(&self, module: &Module, entry: &str, launch: &Launch, which: Which) -> Result<Profile, Fault> {
        let kernel = self.kernel(module, entry, launch)?;
        let grid = self.grid(module, kernel, launch)?;
        let (counts, seen) = self.execute(&grid, which, true)?;
        let mut profile = Profile::new(entry, [launch.grid, launch.block], grid.shared, which.count());
        let nothing = Counts::default();
        for (function, (code, executed)) in module.functions.iter().zip(&counts).enumerate() {
            for (pc, ((inst, opcode), &executed)) in code.insts.iter().zip(&code.opcodes).zip(executed).enumerate() {
                let asked = seen.functions.get(function).and_then(|of| of.get(pc)).unwrap_or(&nothing);
                let executed = if inst.first { executed } else { 0 };
                if executed > 0 || asked != &nothing {
                    profile.add(module, inst.line, opcode, &Counts { executed, ..asked.clone() });
                }
            }
        }
        profile.distinct_loads = seen.distinct_loads;
        Ok(profile)
    }

    /// The kernel, if the device would start it so.
    fn kernel<'m>(&self, module: &'m Module, entry: &str, launch: &Launch) -> Result<&'m Entry, Fault> {
        let refuse = |message: String| Err(Fault::plain(FaultKind::Launch, entry, message));
        let Some(kernel) = module.entry(entry) else {
            return refuse(format!("module `{}` has no kernel of this name", module.name));
        };
        if !runs(&module.target, self.options.capability) {
            let (major, minor) = self.options.capability;
            return refuse(format!("code for {} on a device of {major}.{minor}", module.target));
        }
        let threads = product(launch.block);
        if threads == 0 || blocks(launch) == 0 {
            return refuse(format!("grid {:?} of blocks {:?}: empty", launch.grid, launch.block));
        }
        let limits = [(launch.block, [1024, 1024, 64]), (launch.grid, [i32::MAX as u32, 65535, 65535])];
        if threads > 1024 || limits.iter().any(|(of, most)| of.iter().zip(most).any(|(n, m)| n > m)) {
            return refuse(format!("grid {:?} of blocks {:?}: beyond the device's limits", launch.grid, launch.block));
        }
        if let Some(most) = kernel.max_threads
            && threads > product(most)
        {
            return refuse(format!("blocks of {threads} threads, where .maxntid allows {}", product(most)));
        }
        if let Some(wanted) = kernel.required_threads
            && wanted != launch.block
        {
            return refuse(format!("blocks of {:?} threads, where .reqntid wants {wanted:?}", launch.block));
        }
        let total = kernel.shared_bytes as u64 + u64::from(launch.shared);
        let most = self.shared_limit();
        if total > most.into() {
            return refuse(format!("{total} bytes of shared memory, where the device has {most} for a block"));
        }
        if launch.args.len() != kernel.params_bytes {
            return refuse(format!(
                "{} bytes of parameters, where the kernel takes {}",
                launch.args.len(),
                kernel.params_bytes
            ));
        }
        Ok(kernel)
    }

    /// What the launch's blocks have in common.
    fn grid<'a>(&self, module: &'a Module, kernel: &Entry, launch: &Launch<'a>) -> Result<Grid<'a>, Fault> {
        let symbols = self.symbols(module)?;
        let several = product(launch.block) > 32;
        Ok(Grid {
            module,
            function: kernel.code,
            memory: self.snapshot(),
            symbols,
            checks: self.options.checks,
            global_races: self.options.checks.races && several && !orders_memory(module, kernel.code),
            args: launch.args,
            grid: launch.grid,
            block: launch.block,
            shared: kernel.shared_bytes as u32 + launch.shared,
            dynamic: launch.shared,
            budget: self.options.budget,
        })
    }

    /// Runs blocks on the host's threads: executions of each instruction, and what was asked for if that is counted.
    fn execute(&self, grid: &Grid, which: Which, profiled: bool) -> Result<(Vec<Vec<u64>>, Recorder), Fault> {
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        let workers = if self.options.threads == 0 { cores } else { self.options.threads };
        let pool = Pool {
            grid,
            which,
            profiled,
            next: AtomicU64::new(0),
            stop: AtomicU64::new(u64::MAX),
            fault: Mutex::new(None),
            counts: Mutex::default(),
        };
        let workers = (workers as u64).min(which.count());
        std::thread::scope(|scope| {
            for _ in 1..workers {
                scope.spawn(|| pool.work());
            }
            pool.work();
        });
        match pool.fault.into_inner().unwrap_or_else(PoisonError::into_inner) {
            Some((_, fault)) => Err(fault),
            None => Ok(pool.counts.into_inner().unwrap_or_else(PoisonError::into_inner)),
        }
    }
}

fn product(of: [u32; 3]) -> u64 {
    of.iter().fold(1, |product, &n| product.saturating_mul(n.into()))
}

fn blocks(launch: &Launch) -> u64 {
    product(launch.grid)
}

/// The blocks that are run, in this order.
#[derive(Clone, Copy)]
enum Which<'a> {
    /// As many as there are.
    All(u64),
    /// These.
    Some(&'a [u64]),
}

impl Which<'_> {
    fn count(self) -> u64 {
        match self {
            Self::All(count) => count,
            Self::Some(chosen) => chosen.len() as u64,
        }
    }

    fn get(self, i: u64) -> Option<u64> {
        match self {
            Self::All(count) => (i < count).then_some(i),
            Self::Some(chosen) => chosen.get(i as usize).copied(),
        }
    }
}

struct Pool<'a> {
    grid: &'a Grid<'a>,
    which: Which<'a>,
    profiled: bool,
    next: AtomicU64,
    /// Blocks from this one on need not run: one before has failed.
    stop: AtomicU64,
    fault: Mutex<Option<(u64, Fault)>>,
    counts: Mutex<(Vec<Vec<u64>>, Recorder)>,
}

impl Pool<'_> {
    fn work(&self) {
        let mut worker = Worker::new(self.grid, self.profiled);
        loop {
            let i = self.next.fetch_add(1, Ordering::Relaxed);
            let Some(block) = self.which.get(i).filter(|_| i <= self.stop.load(Ordering::Relaxed)) else { break };
            let [x, y, _] = self.grid.grid.map(u64::from);
            let ctaid = [block % x, block / x % y, block / (x * y)].map(|n| n as u32);
            if let Err(fault) = worker.run(self.grid, ctaid) {
                self.stop.fetch_min(i, Ordering::Relaxed);
                // Blocks start in order, so that the least one to fail is always found.
                let mut first = self.fault.lock().unwrap_or_else(PoisonError::into_inner);
                if first.as_ref().is_none_or(|(j, _)| i < *j) {
                    *first = Some((i, fault));
                }
                break;
            }
        }
        let mut all = self.counts.lock().unwrap_or_else(PoisonError::into_inner);
        let (counts, seen) = &mut *all;
        if counts.is_empty() {
            *counts = worker.counts;
        } else {
            let own = worker.counts.iter().flatten();
            counts.iter_mut().flatten().zip(own).for_each(|(all, own)| *all += own);
        }
        if let Some(recorder) = worker.recorder {
            seen.add(*recorder);
        }
    }
}

fn stats(module: &Module, counts: &[Vec<u64>], blocks: u64) -> Stats {
    let mut stats = Stats { blocks, ..Stats::default() };
    for (code, counts) in module.functions.iter().zip(counts) {
        let code: &Code = code;
        let executed = code.insts.iter().zip(&code.opcodes).zip(counts).filter(|(_, n)| **n > 0);
        for ((inst, opcode), &n) in executed {
            stats.instructions += n;
            *stats.lines.entry(inst.line).or_default() += n;
            *stats.opcodes.entry(opcode.clone()).or_default() += n;
        }
    }
    stats
}

/// Whether a kernel, or a function that it may call, orders accesses of global memory by other means than barriers.
fn orders_memory(module: &Module, kernel: usize) -> bool {
    let other = |index: usize| index != kernel && module.entries.iter().any(|entry| entry.code == index);
    let orders = |opcode: &String| {
        let mut parts = opcode.split('.');
        matches!(parts.next(), Some("atom" | "red" | "membar" | "fence"))
            || parts.any(|part| matches!(part, "volatile" | "relaxed" | "acquire" | "release" | "mmio"))
    };
    let functions = module.functions.iter().enumerate().filter(|(index, _)| !other(*index));
    functions.flat_map(|(_, code)| &code.opcodes).any(orders)
}

/// Whether a device runs code for a target: `sm_80` from 8.0 on, `sm_90a` on 9.0 alone, `sm_100f` on 10.0 and its
/// family.
fn runs(target: &str, (major, minor): (u32, u32)) -> bool {
    let version = target.split(',').next().unwrap_or(target).trim().trim_start_matches("sm_");
    let Ok(number) = version.trim_end_matches(['a', 'f']).parse::<u32>() else { return false };
    let (of, device) = ((number / 10, number % 10), (major, minor));
    match version.chars().last() {
        Some('a') => of == device,
        Some('f') => of.0 == major && of <= device,
        _ => of <= device,
    }
}
