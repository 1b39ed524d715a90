//! `cargo xtask ptx`: kernels/*.cu to kernels/ptx/*.ptx, by a pinned NVRTC; what ships is committed, with a MANIFEST of
//! where it came from and a table of what each kernel uses. `--check` makes all of it again and compares.

mod later;
mod manifest;
mod nvrtc;
mod ptxas;
mod resources;
mod source;

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, anyhow, bail};

use self::manifest::Entry;
use self::nvrtc::Nvrtc;
use self::resources::Row;
use self::source::{KernelSource, Sources};
use crate::python::{self, Pins};
use crate::shell::{self, say};

/// The compiler's flags besides the target.
const FLAGS: [&str; 1] = ["--std=c++17"];

#[derive(clap::Args)]
pub struct Args {
    /// Change nothing; fail where what is committed is not what the compiler makes, or a hot kernel spills
    #[arg(long)]
    check: bool,
}

/// As `--check`, for other commands; `None` where the compiler cannot be had, with the reason told.
pub fn check() -> Result<Option<()>> {
    if let Err(error) = packages(&shell::root()).and_then(|_| later::assembler(&shell::root())) {
        eprintln!("  {error:#}");
        return Ok(None);
    }
    run(&Args { check: true }).map(Some)
}

pub fn run(args: &Args) -> Result<()> {
    let root = shell::root();
    let packages = packages(&root)?;
    let nvrtc = Nvrtc::open(&packages.join("cuda_nvrtc/lib"))?;
    let ptxas = packages.join("cuda_nvcc/bin/ptxas");
    let newest = later::assembler(&root)?;
    let sources = Sources::read(&root.join("kernels"))?;

    say("compiling and assembling kernels");
    let mut files = BTreeMap::new();
    let mut entries = Vec::new();
    let mut rows = Vec::new();
    let mut wrong = Vec::new();
    let mut on_later = Vec::new();
    let kernels = sources.kernels()?;
    for source in &kernels {
        let mut made = Vec::new();
        for target in &source.targets {
            let ptx = nvrtc.compile(&sources, &source.path, target, &FLAGS)?;
            let file = format!("{}.{target}.ptx", source.stem());
            let scratch = root.join("target/ptx").join(&file);
            write(&scratch, &ptx)?;
            let used = ptxas::assemble(&ptxas, &scratch, target).with_context(|| file.clone())?;
            wrong.extend(spills(source, &file, &used));
            rows.extend(resources::rows(&file, &ptx, &used)?);
            entries.push(Entry::new(&file, source, &sources, target, &FLAGS, &ptx)?);
            files.insert(file.clone(), ptx);
            let kernels = used.into_iter().filter(|(_, used)| used.entry).map(|(name, _)| name).collect();
            made.push(later::File { name: file, target: target.clone(), path: scratch, kernels });
        }
        let is_made = |name: &&String| made.iter().any(|file| file.kernels.contains(*name));
        let missing = source.hot.iter().filter(|name| !is_made(name));
        wrong.extend(missing.map(|name| format!("{}: the hot kernel {name} is in none of its files", source.path)));
        // What is made for one processor alone runs on no later one.
        on_later.extend(later::files(source, made).into_iter().filter(|file| file.target.starts_with("compute_")));
    }
    let on_later = later::rows(&newest, &on_later)?;
    wrong.extend(later::spills(&kernels, &on_later));
    files.insert("MANIFEST".to_owned(), manifest::text(&entries));
    files.insert("RESOURCES.md".to_owned(), resources::text(&rows, &on_later));

    let folder = root.join("kernels/ptx");
    let present = present(&folder)?;
    let strangers: Vec<&String> = present.iter().filter(|name| !files.contains_key(*name)).collect();
    if args.check {
        wrong.extend(differences(&folder, &files));
        wrong.extend(strangers.iter().map(|name| format!("{name} is of no kernel")));
    } else {
        for (name, text) in &files {
            write(&folder.join(name), text)?;
        }
        for name in strangers {
            fs::remove_file(folder.join(name)).with_context(|| format!("cannot remove {name}"))?;
        }
    }
    if !wrong.is_empty() {
        bail!("kernels/ptx is not as it should be (`cargo xtask ptx` makes it):\n  {}", wrong.join("\n  "));
    }
    say(summary(&rows, files.len() - 2));
    Ok(())
}

/// The folder of the compiler's packages.
fn packages(root: &Path) -> Result<PathBuf> {
    let requirements = root.join("tools/ptx/requirements.txt");
    python::environment(root, "ptx-venv", &requirements, Pins::Direct, "200 MB").context(
        "the kernels' compiler comes as Python packages: this command needs python3 with pip and a network, which \
         building warpface does not",
    )?;
    let lib = root.join("target/ptx-venv/lib");
    let versions = fs::read_dir(&lib).with_context(|| format!("cannot list {}", lib.display()))?;
    let mut folders = versions.flatten().map(|entry| entry.path().join("site-packages/nvidia"));
    folders.find(|folder| folder.is_dir()).ok_or_else(|| anyhow!("no packages in {}", lib.display()))
}

fn write(path: &Path, text: &str) -> Result<()> {
    let folder = path.parent().unwrap_or(Path::new("."));
    fs::create_dir_all(folder).with_context(|| format!("cannot create {}", folder.display()))?;
    fs::write(path, text).with_context(|| format!("cannot write {}", path.display()))
}

/// Hot kernels that spill, and whatever they may call.
fn spills(source: &KernelSource, file: &str, used: &BTreeMap<String, ptxas::Used>) -> Vec<String> {
    let spilling = used.iter().filter(|(name, used)| used.spills > 0 && (!used.entry || source.hot.contains(*name)));
    let spilling = spilling.map(|(name, used)| format!("{file}: {name} spills {} bytes", used.spills));
    if source.hot.is_empty() { Vec::new() } else { spilling.collect() }
}

/// What lies in the folder, relative to it.
fn present(folder: &Path) -> Result<Vec<String>> {
    let mut names = Vec::new();
    for (folder, prefix) in [(folder.to_owned(), ""), (folder.join("cascade"), "cascade/")] {
        let Ok(entries) = fs::read_dir(&folder) else { continue };
        for entry in entries {
            let entry = entry.with_context(|| format!("cannot list {}", folder.display()))?;
            if entry.path().is_file() {
                names.push(format!("{prefix}{}", entry.file_name().to_string_lossy()));
            }
        }
    }
    Ok(names)
}

/// Files that differ from what they should be, by name and first line.
fn differences(folder: &Path, files: &BTreeMap<String, String>) -> Vec<String> {
    let compare = |(name, text): (&String, &String)| {
        let Ok(have) = fs::read_to_string(folder.join(name)) else { return Some(format!("{name} is missing")) };
        let lines = have.lines().chain(std::iter::repeat("")).zip(text.lines()).take_while(|(a, b)| a == b).count();
        (have != *text).then(|| format!("{name} is stale: it differs from line {} on", lines + 1))
    };
    files.iter().filter_map(compare).collect()
}

fn summary(rows: &[Row], files: usize) -> String {
    let spilling = rows.iter().filter(|row| row.used.spills > 0).count();
    format!("{} kernels in {files} files; {spilling} of them spill", rows.len())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ptx::ptxas::Used;

    fn used(entry: bool, spills: u32) -> Used {
        Used { entry, spills, ..Used::default() }
    }

    #[test]
    fn only_hot_kernels_must_not_spill() {
        let source = KernelSource { path: "a.cu".into(), targets: vec![], hot: vec!["hot".into()] };
        let all = BTreeMap::from([("hot".to_owned(), used(true, 8)), ("cold".to_owned(), used(true, 4))]);
        let wrong = spills(&source, "a.ptx", &all);
        assert_eq!(wrong, ["a.ptx: hot spills 8 bytes"]);
        let called = BTreeMap::from([("hot".to_owned(), used(true, 0)), ("helper".to_owned(), used(false, 4))]);
        assert!(spills(&source, "a.ptx", &called).contains(&"a.ptx: helper spills 4 bytes".to_owned()));
    }

    #[test]
    fn differences_are_named() {
        let dir = tempfile::tempdir().unwrap();
        write(&dir.path().join("cascade/a.ptx"), "one\ntwo\n").unwrap();
        write(&dir.path().join("b.ptx"), "same\n").unwrap();
        let file = |name: &str, text: &str| (name.to_owned(), text.to_owned());
        let mut files = BTreeMap::from([file("cascade/a.ptx", "one\n2\n"), file("b.ptx", "same\n"), file("c.ptx", "")]);
        let wrong = differences(dir.path(), &files);
        assert_eq!(
            wrong,
            ["c.ptx is missing", "cascade/a.ptx is stale: it differs from line 2 on"]
                .map(str::to_owned)
                .into_iter()
                .collect::<Vec<_>>()
        );
        files.retain(|name, _| name == "b.ptx");
        assert!(differences(dir.path(), &files).is_empty());
        assert_eq!(present(dir.path()).unwrap(), ["b.ptx", "cascade/a.ptx"]);
    }
}
