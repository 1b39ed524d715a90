//! What the shipped PTX becomes on processors that no target names: drivers assemble it there, by a newer assembler.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, anyhow};

use super::ptxas::{self, Used};
use super::source::KernelSource;
use crate::python::{self, Pins};

/// Ampere's by the newest assembler, then Hopper's, Blackwell's and Blackwell Ultra's of data centres, Blackwell's of
/// workstations.
pub const PROCESSORS: [&str; 5] = ["sm_80", "sm_90", "sm_100", "sm_103", "sm_120"];

/// A file of PTX that such processors may take.
pub struct File {
    pub name: String,
    pub target: String,
    pub path: PathBuf,
    /// Kernels for which they take no later file.
    pub kernels: BTreeSet<String>,
}

/// What a kernel uses on each of the processors.
#[derive(Debug, PartialEq, Eq)]
pub struct Row {
    pub file: String,
    pub kernel: String,
    pub used: Vec<Used>,
}

/// The newest assembler.
pub fn assembler(root: &Path) -> Result<PathBuf> {
    let requirements = root.join("tools/ptx/later.txt");
    // Of its package the assembler alone is wanted, not what compiles C++.
    python::environment(root, "ptxas-venv", &requirements, Pins::All, "170 MB")?;
    let lib = root.join("target/ptxas-venv/lib");
    let versions = std::fs::read_dir(&lib).with_context(|| format!("cannot list {}", lib.display()))?;
    let mut paths = versions.flatten().map(|entry| entry.path().join("site-packages/nvidia/cu13/bin/ptxas"));
    paths.find(|path| path.is_file()).ok_or_else(|| anyhow!("no ptxas in {}", lib.display()))
}

/// Takes from each file of a source the kernels that a later one of it has, too: a device takes the latest that it can.
pub fn files(source: &KernelSource, mut made: Vec<File>) -> Vec<File> {
    let order = |target: &str| source.targets.iter().position(|known| known == target);
    for i in 0..made.len() {
        let later: BTreeSet<String> = made
            .iter()
            .filter(|file| order(&file.target) > order(&made[i].target))
            .flat_map(|file| file.kernels.iter().cloned())
            .collect();
        made[i].kernels.retain(|kernel| !later.contains(kernel));
    }
    made
}

/// Assembles the files for every processor, on all cores.
pub fn rows(ptxas: &Path, files: &[File]) -> Result<Vec<Row>> {
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    let chunks = files.chunks(files.len().div_ceil(threads).max(1));
    let done: Vec<Result<Vec<Row>>> = std::thread::scope(|scope| {
        let one = |files| scope.spawn(move || files_rows(ptxas, files));
        let running: Vec<_> = chunks.map(one).collect();
        running.into_iter().map(|thread| thread.join().unwrap_or_else(|_| Err(anyhow!("a thread panicked")))).collect()
    });
    Ok(done.into_iter().collect::<Result<Vec<_>>>()?.into_iter().flatten().collect())
}

fn files_rows(ptxas: &Path, files: &[File]) -> Result<Vec<Row>> {
    let mut rows = Vec::new();
    for file in files {
        let on = |processor: &&str| {
            ptxas::assemble(ptxas, &file.path, processor).with_context(|| format!("{} for {processor}", file.name))
        };
        let used: Vec<BTreeMap<String, Used>> = PROCESSORS.iter().map(on).collect::<Result<_>>()?;
        for kernel in &file.kernels {
            let used = used.iter().map(|used| used.get(kernel).copied().unwrap_or_default()).collect();
            rows.push(Row { file: file.name.clone(), kernel: kernel.clone(), used });
        }
    }
    Ok(rows)
}

/// Hot kernels that spill on some processor.
pub fn spills(sources: &[KernelSource], rows: &[Row]) -> Vec<String> {
    let hot: BTreeSet<&str> = sources.iter().flat_map(|source| &source.hot).map(String::as_str).collect();
    let mut wrong = Vec::new();
    for row in rows.iter().filter(|row| hot.contains(row.kernel.as_str())) {
        for (processor, used) in PROCESSORS.iter().zip(&row.used).filter(|(_, used)| used.spills > 0) {
            wrong.push(format!("{}: {} spills {} bytes on {processor}", row.file, row.kernel, used.spills));
        }
    }
    wrong
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(target: &str, kernels: &[&str]) -> File {
        let kernels = kernels.iter().map(|&kernel| kernel.to_owned()).collect();
        File { name: format!("a.{target}.ptx"), target: target.to_owned(), path: PathBuf::new(), kernels }
    }

    fn source() -> KernelSource {
        let targets = ["compute_75", "compute_80"].map(str::to_owned).to_vec();
        KernelSource { path: "a.cu".into(), targets, hot: vec!["both".into()] }
    }

    #[test]
    fn a_kernel_is_taken_from_the_latest_file() {
        let made =
            files(&source(), vec![file("compute_75", &["both", "first"]), file("compute_80", &["both", "last"])]);
        let kernels: Vec<Vec<&str>> =
            made.iter().map(|file| file.kernels.iter().map(String::as_str).collect()).collect();
        assert_eq!(kernels, [vec!["first"], vec!["both", "last"]]);
    }

    #[test]
    fn a_hot_kernel_that_spills_is_named_with_its_processor() {
        let used = |spills| Used { entry: true, spills, ..Used::default() };
        let row = |kernel: &str, spills: [u32; 5]| Row {
            file: "a.compute_80.ptx".into(),
            kernel: kernel.into(),
            used: spills.map(used).to_vec(),
        };
        let rows = [row("both", [0, 0, 8, 0, 0]), row("cold", [4; 5])];
        assert_eq!(spills(&[source()], &rows), ["a.compute_80.ptx: both spills 8 bytes on sm_100"]);
    }
}
