//! The binary as its users meet it: exit codes, JSON on stdout only, bad input named and survived.

#[path = "../common/mod.rs"]
mod common;
mod inspect;
mod output;
mod pictures;
mod tasks;
mod usage;
mod weights;

use std::ffi::OsStr;
use std::fs::{self, File};
use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use image::codecs::png::{CompressionType, FilterType, PngEncoder};
use image::{ExtendedColorType, ImageEncoder};
use serde_json::Value;
use tempfile::TempDir;
use warpface::image::Rgb8;

use common::{Noise, files, npz};

/// Exit codes, as `--help` documents them.
const DONE: i32 = 0;
const NOTHING: i32 = 1;
const USAGE: i32 = 2;
const PARTLY: i32 = 3;

struct Run {
    code: i32,
    out: String,
    err: String,
}

impl Run {
    fn of(output: Output) -> Run {
        let err = String::from_utf8(output.stderr).unwrap();
        assert!(!err.contains("panicked"), "{err}");
        let out = String::from_utf8(output.stdout).unwrap();
        Run { code: output.status.code().unwrap_or_else(|| panic!("killed: {}\n{err}", output.status)), out, err }
    }

    #[track_caller]
    fn expect(self, code: i32) -> Run {
        assert_eq!(self.code, code, "stdout:\n{}\nstderr:\n{}", self.out, self.err);
        self
    }

    /// Every line of stdout, which must be JSON.
    #[track_caller]
    fn json(&self) -> Vec<Value> {
        let parse = |line: &str| serde_json::from_str(line).unwrap_or_else(|e| panic!("{e}: {line}"));
        self.out.lines().map(parse).collect()
    }

    /// Checks that stderr says each of these.
    #[track_caller]
    fn says(&self, words: &[&str]) {
        for word in words {
            assert!(self.err.contains(word), "`{word}` is not in stderr:\n{}", self.err);
        }
    }
}

fn command<S: AsRef<OsStr>>(args: &[S]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_warpface"));
    command.args(args);
    command
}

fn warpface<S: AsRef<OsStr>>(args: &[S]) -> Run {
    Run::of(command(args).output().unwrap())
}

/// A command on the CPU with these weights.
fn with(weights: &Path, args: &[&str]) -> Run {
    let globals = ["--device", "cpu", "--weights", weights.to_str().unwrap()];
    warpface(&[args, &globals].concat())
}

fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

fn decode(name: &str) -> PathBuf {
    files::golden("image/decode").join(name)
}

/// A picture without a face, different for each seed.
fn noise(width: usize, height: usize, seed: u64) -> Rgb8 {
    let pixels = Noise::new(seed).bytes(&[height, width, 3]);
    Rgb8::new(width, height, pixels.data().iter().map(|&x| x as u8).collect())
}

fn save(path: &Path, picture: &Rgb8) {
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    warpface::image::save_png(path, picture).unwrap();
}

/// A flat grey PNG, which takes little room whatever its size.
fn flat(path: &Path, width: usize, height: usize) {
    let encoder =
        PngEncoder::new_with_quality(File::create(path).unwrap(), CompressionType::Fast, FilterType::NoFilter);
    let pixels = vec![140; width * height];
    encoder.write_image(&pixels, width as u32, height as u32, ExtendedColorType::L8).unwrap();
}

/// Aligned crops of two people, two each.
fn dataset() -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    for (seed, name) in
        ["Ann/Ann_0001.png", "Ann/Ann_0002.png", "Bob/Bob_0001.png", "Bob/Bob_0002.png"].iter().enumerate()
    {
        save(&folder.path().join(name), &noise(160, 160, seed as u64));
    }
    folder
}
