//! The binary as its users meet it: exit codes, JSON on stdout only, bad input named and survived.

mod classify;
mod cluster;
#[path = "../common/mod.rs"]
mod common;
#[cfg(unix)]
mod fetch;
mod filter;
mod inspect;
mod output;
mod pictures;
mod search;
mod table;
mod tasks;
mod usage;
mod vectors;
mod video;
mod weights;

use std::fs::{self, File};
use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::Stdio;

use image::codecs::png::{CompressionType, FilterType, PngEncoder};
use image::{ExtendedColorType, ImageEncoder};
use serde_json::Value;
use tempfile::TempDir;
use warpface::image::Rgb8;

use common::command::{DONE, NOTHING, PARTLY, Run, USAGE, command, text, warpface, with};
use common::{Noise, files, npz};

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
