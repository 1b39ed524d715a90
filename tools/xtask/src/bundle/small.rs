//! `cargo xtask bundle --small`: what two short visits to a machine with a card take, each step an archive of its own.

use std::fs::{self, File};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail, ensure};
use flate2::Compression;
use flate2::write::GzEncoder;

use super::{
    Args, DETECTOR, HALF_MODEL, MIB, MODEL, copy, copy_tree, executables, files, oldest_glibc, renew, strip, write_sums,
};
use crate::shell::{self, program, say};
use crate::weights;

/// What one step may carry, the repository's tracked files included.
const STEP: u64 = 64 * MIB;
/// What the first visit's archive may take: links there are narrow.
const FIRST: u64 = 40_000_000;
/// The one test executable.
const TEST: &str = "ops";
/// What PyTorch needs beside it.
const PEERS: [&str; 8] = [
    "gpu.py",
    "gpu_worker.py",
    "gpu_train_worker.py",
    "detect_pytorch.py",
    "inception.py",
    "npz.py",
    "trained.py",
    "worker.py",
];

pub fn run(args: &Args) -> Result<()> {
    let out = shell::root().join(&args.out);
    renew(&out)?;
    let work = out.join("work");
    let program = program_folder(&work.join("warpface"))?;

    say("packing");
    pack(&program, &out.join("visit-1.tar.gz"), true)?;
    let mut steps = vec![("visit 1", "visit-1.tar.gz")];
    if second(args, &work, &program, &out)? {
        steps.extend([("visit 2, step 1", "visit-2-weights.tar"), ("visit 2, step 2", "visit-2.tar.gz")]);
    }
    fs::remove_dir_all(&work)?;
    copy(&shell::root().join("tools/bundle/README.small"), &out.join("README"))?;
    fs::write(out.join("VERSION"), format!("commit {}\n", shell::commit()))?;
    tell(&out, &steps)
}

/// What every visit takes: the program, the tests, and what compares them.
fn program_folder(folder: &Path) -> Result<PathBuf> {
    let root = shell::root();
    fs::create_dir_all(folder.join("peers"))?;
    say("building warpface");
    strip(&shell::build_warpface()?, &folder.join("warpface"))?;
    say("building the tests");
    let tests = executables(&["test", "--no-run"], "--test", &[TEST.to_owned()], "test")?;
    let (_, path) = tests.iter().find(|(name, _)| name == TEST).context("the test was built")?;
    strip(path, &folder.join("tests"))?;
    for name in PEERS {
        copy(&root.join("tools/peers").join(name), &folder.join("peers").join(name))?;
    }
    copy(&root.join("tools/bundle/small.py"), &folder.join("check"))?;
    let glibc = oldest_glibc(&files(folder)?)?;
    fs::write(folder.join("VERSION"), format!("commit {}\nneeds glibc {glibc}, x86-64\n", shell::commit()))?;
    write_sums(folder)?;
    Ok(folder.to_owned())
}

/// The second visit's two archives; tells whether its photographs are there.
fn second(args: &Args, work: &Path, program: &Path, out: &Path) -> Result<bool> {
    let root = shell::root();
    let lfw = args.lfw.clone().unwrap_or_else(|| root.join("../shared/lfw"));
    if !lfw.join("pairs.txt").is_file() {
        eprintln!(
            "  no second visit: {} has no pairs.txt; --lfw DIR names a folder with images/ and it",
            lfw.display()
        );
        return Ok(false);
    }
    let source = root.join("weights");
    weights::fill(&source)?;
    let kept = work.join("warpface-weights");
    fs::create_dir_all(&kept)?;
    for name in DETECTOR {
        copy(&source.join(name), &kept.join(name))?;
    }
    let mut convert = self::program(program.join("warpface"), &["convert", "--overwrite", "--precision", "f16"]);
    shell::run(convert.arg(kept.join(HALF_MODEL)).arg("--model").arg(source.join(MODEL)))?;
    write_sums(&kept)?;
    pack(&kept, &out.join("visit-2-weights.tar"), false)?;

    photographs(&lfw, &program.join("lfw"))?;
    let color = lfw.with_file_name("lfw_color");
    if color.is_dir() {
        copy_tree(&color, &program.join("lfw_color"))?;
    }
    write_sums(program)?;
    pack(program, &out.join("visit-2.tar.gz"), true)?;
    Ok(true)
}

/// The pairs, and the photographs that they name.
fn photographs(from: &Path, to: &Path) -> Result<()> {
    copy_tree_of(from, to, &named(&fs::read_to_string(from.join("pairs.txt"))?))?;
    copy(&from.join("pairs.txt"), &to.join("pairs.txt"))
}

fn copy_tree_of(from: &Path, to: &Path, names: &[String]) -> Result<()> {
    for name in names {
        let path = to.join("images").join(name);
        fs::create_dir_all(path.parent().context("a photograph lies in its person's folder")?)?;
        copy(&from.join("images").join(name), &path)?;
    }
    Ok(())
}

/// The photographs that LFW's pairs.txt names, below `images/`.
fn named(pairs: &str) -> Vec<String> {
    let photo = |person: &str, number: &str| Some(format!("{person}/{person}_{:04}.jpg", number.parse::<u32>().ok()?));
    let mut names: Vec<String> = pairs
        .lines()
        .skip(1)
        .flat_map(|line| match line.split('\t').collect::<Vec<_>>()[..] {
            [person, a, b] => vec![photo(person, a), photo(person, b)],
            [one, a, other, b] => vec![photo(one, a), photo(other, b)],
            _ => Vec::new(),
        })
        .flatten()
        .collect();
    names.sort();
    names.dedup();
    names
}

/// A folder as an archive, named by its last part within.
fn pack(folder: &Path, to: &Path, compress: bool) -> Result<()> {
    let level = if compress { Compression::best() } else { Compression::none() };
    let file = File::create(to).with_context(|| format!("cannot create {}", to.display()))?;
    let sink: Box<dyn std::io::Write> = if compress { Box::new(GzEncoder::new(file, level)) } else { Box::new(file) };
    let mut tar = tar::Builder::new(sink);
    tar.mode(tar::HeaderMode::Deterministic);
    let name = folder.file_name().context("the folder has a name")?;
    for path in files(folder)? {
        tar.append_path_with_name(&path, Path::new(name).join(path.strip_prefix(folder)?))?;
    }
    // Dropped, the encoder ends its stream; what is wrong with the disk shows when the sink is flushed.
    std::io::Write::flush(&mut tar.into_inner()?)?;
    Ok(())
}

/// Bytes of the files that git tracks, as they lie here.
fn tracked() -> Result<u64> {
    let list = shell::output(&mut program("git", &["ls-files", "-z"])).context("git lists no files")?;
    let root = shell::root();
    Ok(list
        .split('\0')
        .map(|name| root.join(name).symlink_metadata().map_or(0, |m| if m.is_file() { m.len() } else { 0 }))
        .sum())
}

/// Says what each step carries beside what it may, and fails above that.
fn tell(out: &Path, steps: &[(&str, &str)]) -> Result<()> {
    let tracked = tracked()?;
    let room = STEP.checked_sub(tracked).context("the repository's tracked files alone are above 64 MiB")?;
    let mib = |bytes: u64| bytes as f64 / MIB as f64;
    eprintln!("  64 MiB less the tracked tree ({:.1} MiB) leave {:.1} MiB a step", mib(tracked), mib(room));
    let mut above = Vec::new();
    for (step, file) in steps {
        let bytes = out.join(file).metadata()?.len();
        let most = if *step == "visit 1" { room.min(FIRST) } else { room };
        eprintln!("  {:>6.1} MiB of {:.1}  {step}: {}", mib(bytes), mib(most), out.join(file).display());
        if bytes > most {
            above.push(*step);
        }
    }
    if !above.is_empty() {
        bail!("too large: {}", above.join(", "));
    }
    ensure!(!steps.is_empty(), "nothing was packed");
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pairs_name_their_photographs_once() {
        let text = "1\t2\nAda_L\t1\t12\nAda_L\t1\tBo\t3\n";
        assert_eq!(named(text), ["Ada_L/Ada_L_0001.jpg", "Ada_L/Ada_L_0012.jpg", "Bo/Bo_0003.jpg"]);
        assert!(named("1\t2\nnonsense\nAda\tone\ttwo\n").is_empty());
    }

    #[test]
    fn archives_hold_the_folder_by_its_name() {
        let folder = tempfile::tempdir().unwrap();
        let inside = folder.path().join("warpface");
        fs::create_dir_all(inside.join("peers")).unwrap();
        fs::write(inside.join("check"), "x").unwrap();
        fs::write(inside.join("peers/gpu.py"), "y").unwrap();
        for compress in [false, true] {
            let archive = folder.path().join("a.tar");
            pack(&inside, &archive, compress).unwrap();
            let file = File::open(&archive).unwrap();
            let reader: Box<dyn std::io::Read> =
                if compress { Box::new(flate2::read::GzDecoder::new(file)) } else { Box::new(file) };
            let mut tar = tar::Archive::new(reader);
            let names: Vec<String> =
                tar.entries().unwrap().map(|e| e.unwrap().path().unwrap().display().to_string()).collect();
            assert_eq!(names, ["warpface/check", "warpface/peers/gpu.py"]);
        }
    }
}
