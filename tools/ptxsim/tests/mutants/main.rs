//! The shipped kernels with one bug planted in each: does anything notice?
//!
//! Every kernel runs clean and, where that is easily told, computes what it should; then a line of its PTX is dropped or
//! changed, and the verdict must be the one in the table. A table names a line by what it holds and by which of such
//! lines it is, not by its registers, which differ from one compilation to the next.

#[path = "../common/bench.rs"]
mod bench;
mod boxes;
mod convolution;
mod filters;
mod rows;

use bench::Bench;
use ptxsim::{Checks, Fault, FaultKind, Module};
use std::collections::BTreeMap;
use std::fs;

/// What becomes of a planted bug.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Verdict {
    /// The simulator says why not.
    Fault(FaultKind),
    /// The results differ from the kernel's own.
    Wrong,
    /// Nobody notices, for this reason.
    Unseen(&'static str),
}
use Verdict::{Unseen, Wrong};

const RACE: Verdict = Verdict::Fault(FaultKind::Race);
const BOUNDS: Verdict = Verdict::Fault(FaultKind::OutOfBounds);
const ASYNC: Verdict = Verdict::Fault(FaultKind::AsyncHazard);
const MBARRIER: Verdict = Verdict::Fault(FaultKind::Mbarrier);
const DEADLOCK: Verdict = Verdict::Fault(FaultKind::Deadlock);
const MEMORY: Verdict = Verdict::Fault(FaultKind::UninitialisedMemory);
const REGISTER: Verdict = Verdict::Fault(FaultKind::UninitialisedRegister);
const MISALIGNED: Verdict = Verdict::Fault(FaultKind::Misaligned);
const UNDEFINED: Verdict = Verdict::Fault(FaultKind::Undefined);

/// A kernel and how it is called.
struct Kernel {
    /// Under `kernels/ptx`, without its extension.
    file: &'static str,
    entry: &'static str,
    grid: [u32; 3],
    threads: u32,
    shared: u32,
    /// Adds the arguments, and tells where results will lie.
    bench: fn(&mut Bench) -> Vec<Output>,
}

/// A buffer's address and bytes.
type Output = (u64, usize);

/// The bytes of a kernel's results, `None` where nobody wrote.
type Results = Vec<Option<u8>>;

impl Kernel {
    /// One of 256 threads a block and no dynamic shared memory.
    fn new(file: &'static str, entry: &'static str, grid: [u32; 3], bench: fn(&mut Bench) -> Vec<Output>) -> Self {
        Kernel { file, entry, grid, threads: 256, shared: 0, bench }
    }

    /// The kernel's PTX alone, with the file's head; nothing, and loudly, where the file is not there.
    fn text(&self) -> Option<String> {
        let path = format!("{}/../../kernels/ptx/{}.ptx", env!("CARGO_MANIFEST_DIR"), self.file);
        let Ok(text) = fs::read_to_string(&path) else {
            eprintln!("SKIPPED: {path} is not there; its kernels are not tested");
            return None;
        };
        let head = &text[..text.find(".visible .entry").expect("a kernel")];
        let entry = &text[text.find(&format!(".entry {}(", self.entry)).expect("the kernel is in the file")..];
        let entry = &entry[..entry.find("\n}").expect("the kernel ends")];
        Some(format!("{head}.visible {entry}\n}}\n"))
    }

    fn run(&self, text: &str, checks: Checks) -> Result<Results, Fault> {
        let module = Module::parse(self.file, text).unwrap_or_else(|e| panic!("{e}"));
        let mut bench = Bench::with(checks);
        let outputs = (self.bench)(&mut bench);
        bench.launch(&module, self.entry, self.grid, self.threads, self.shared)?;
        let mut results = Vec::new();
        for (address, count) in outputs {
            let mut bytes = vec![0; count];
            bench.machine.read(address, &mut bytes).unwrap();
            let written = |i| bench.machine.is_initialised(address + i, 1).unwrap();
            results.extend((0..).zip(bytes).map(|(i, byte)| written(i).then_some(byte)));
        }
        Ok(results)
    }

    /// Runs the kernel as it is, then with each bug, and compares verdicts. The kernel's own results as `T`.
    fn with_bugs<T: bytemuck::Pod>(&self, plants: &[Plant]) -> Option<Vec<T>> {
        let results = self.compare(plants, Checks::ALL)?;
        let bytes: Vec<u8> = results.into_iter().map(|byte| byte.unwrap_or(0)).collect();
        Some(bytes.chunks_exact(size_of::<T>()).map(bytemuck::pod_read_unaligned).collect())
    }

    /// Leaves out each barrier while nobody looks for uninitialised memory, which is often found first.
    fn without_barriers(&self, verdicts: &'static [Verdict]) {
        self.compare(&[less("bar.sync", Every(verdicts))], Checks { uninitialised: false, ..Checks::ALL });
    }

    fn compare(&self, plants: &[Plant], checks: Checks) -> Option<Results> {
        let text = self.text()?;
        let good = self.run(&text, checks).unwrap_or_else(|fault| panic!("{}: {fault}", self.entry));
        let (mut planted, mut wrong, mut tally) = (0, Vec::new(), BTreeMap::<String, u32>::new());
        for plant in plants {
            if let Every(all) = plant.sites {
                assert_eq!(text.matches(plant.line).count(), all.len(), "{}: lines with {}", self.entry, plant.line);
            }
            for (site, expected) in plant.sites.list() {
                let mutant = plant
                    .put_into(&text, site)
                    .unwrap_or_else(|| panic!("{}: {}: no place {site} for it: plant it anew", self.entry, plant.what));
                let (found, message) = match self.run(&mutant, checks) {
                    Ok(results) if results == good => (Unseen(""), String::new()),
                    Ok(_) => (Wrong, String::new()),
                    Err(fault) => (Verdict::Fault(fault.kind), fault.to_string()),
                };
                planted += 1;
                *tally.entry(format!("{found:?}")).or_default() += 1;
                if !matches!((found, expected), (Unseen(_), Unseen(_))) && found != expected {
                    wrong.push(format!("{} [{site}]: {found:?}, not {expected:?}\n{message}", plant.what));
                }
            }
        }
        println!("{}: {planted} bugs: {tally:?}", self.entry);
        assert!(wrong.is_empty(), "{}: {} of {planted}:\n{}", self.entry, wrong.len(), wrong.join("\n"));
        Some(good)
    }
}

/// Which of the lines that a bug fits, and what becomes of it there.
#[derive(Clone, Copy)]
enum Sites {
    Every(&'static [Verdict]),
    Of(&'static [(usize, Verdict)]),
}
use Sites::{Every, Of};

impl Sites {
    fn list(&self) -> Vec<(usize, Verdict)> {
        match self {
            Every(all) => all.iter().copied().enumerate().collect(),
            Of(some) => some.to_vec(),
        }
    }
}

/// A bug: in a line that holds `line`, `from` becomes `to`.
#[derive(Clone, Copy)]
struct Plant {
    what: &'static str,
    line: &'static str,
    from: &'static str,
    to: &'static str,
    sites: Sites,
}

impl Plant {
    fn put_into(&self, text: &str, site: usize) -> Option<String> {
        let at = text.match_indices(self.line).nth(site)?.0;
        let start = text[..at].rfind('\n').map_or(0, |newline| newline + 1);
        let (before, line) = text.split_at(start);
        let (line, after) = line.split_at(line.find('\n')?);
        if self.from.is_empty() {
            return Some(format!("{before}// {line}{after}"));
        }
        line.contains(self.from).then(|| format!("{before}{}{after}", line.replacen(self.from, self.to, 1)))
    }
}

/// A line with `line` is left out.
const fn less(line: &'static str, sites: Sites) -> Plant {
    Plant { what: line, line, from: "", to: "", sites }
}

/// In a line with `line`, `from` becomes `to`.
const fn change(what: &'static str, line: &'static str, from: &'static str, to: &'static str, sites: Sites) -> Plant {
    Plant { what, line, from, to, sites }
}

/// Bugs of the producer warpgroup, whatever the consumers make of its stages.
const PIPELINE: [Plant; 11] = [
    less("fence.mbarrier_init", Every(&[ASYNC])),
    less("bar.sync", Every(&[RACE])),
    change("half the arrivals suffice", ", 8;", "8;", "4;", Of(&[(0, MBARRIER)])),
    less("mbarrier.try_wait", Every(&[REGISTER; 2])),
    change("the other phase", "not.b32", "not", "mov", Of(&[(0, MBARRIER)])),
    less("mbarrier.arrive.shared", Every(&[DEADLOCK])),
    less("mbarrier.arrive.expect_tx", Every(&[DEADLOCK])),
    less("cp.async.bulk.tensor.2d", Every(&[DEADLOCK])),
    less("wgmma.fence", Every(&[ASYNC])),
    less("wgmma.commit_group", Every(&[ASYNC])),
    less("wgmma.wait_group", Every(&[ASYNC])),
];

/// Small whole numbers from `low` to `high`, different everywhere.
fn whole(count: usize, seed: usize, low: i32, high: i32) -> Vec<f32> {
    let span = (high - low + 1) as usize;
    (0..count).map(|i| ((i * 7919 + i / 13 * 104_729 + seed * 31) % 10_007 % span) as f32 + low as f32).collect()
}

fn params(words: &[u32]) -> Vec<u8> {
    bytemuck::cast_slice(words).to_vec()
}
