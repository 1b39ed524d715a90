//! Frames in order, of a folder or of a video.

use std::path::{Path, PathBuf};
use std::sync::mpsc::Receiver;

use anyhow::Result;
use rayon::prelude::*;

use super::ffmpeg::Ffmpeg;
use crate::image::{self, Rgb8};
use crate::{Device, Error};

/// A chunk ends when it holds this many pixels or frames.
const PIXELS: usize = 16 << 20;
const FRAMES: usize = 32;
/// Pictures that are decoded side by side, whose size is not known before.
const AT_ONCE: usize = 8;

/// A frame: its number, and its pixels or what is wrong with it.
pub type Frame = (usize, crate::Result<Rgb8>);

/// Where frames come from.
pub enum Frames {
    /// A picture each; the number of the next one that is read.
    Folder(Vec<PathBuf>, usize),
    /// A running ffmpeg.
    Video(Ffmpeg, Receiver<Frame>),
}

impl Frames {
    /// Of a folder, in the order in which a person would sort the names, or of a video, by `ffmpeg`; each `every`-th.
    pub fn open(path: &Path, ffmpeg: &Path, every: usize) -> Result<(Self, Vec<Error>)> {
        let is_folder = std::fs::metadata(path).map_err(Error::io(path, "read"))?.is_dir();
        if !is_folder {
            let (ffmpeg, frames) = Ffmpeg::open(path, ffmpeg, every)?;
            return Ok((Frames::Video(ffmpeg, frames), Vec::new()));
        }
        let mut found = image::collect(&[path.to_owned()]);
        found.images.sort_by_cached_key(|path| natural(path));
        Ok((Frames::Folder(found.images, 0), found.problems))
    }

    /// How many frames there are, where that is known.
    pub fn len(&self) -> Option<usize> {
        match self {
            Frames::Folder(images, _) => Some(images.len()),
            Frames::Video(ffmpeg, _) => ffmpeg.told.frames,
        }
    }

    /// Frames in a second, where that is known.
    pub fn rate(&self) -> Option<f64> {
        match self {
            Frames::Folder(..) => None,
            Frames::Video(ffmpeg, _) => ffmpeg.told.rate,
        }
    }

    /// The picture of a frame.
    pub fn image(&self, frame: usize) -> Option<&Path> {
        match self {
            Frames::Folder(images, _) => images.get(frame).map(PathBuf::as_path),
            Frames::Video(..) => None,
        }
    }

    /// The next frames, as many as memory should hold; none at the end.
    pub fn chunk(&mut self, device: &Device, every: usize) -> Vec<Frame> {
        match self {
            Frames::Folder(images, next) => {
                let numbers: Vec<usize> = (*next..images.len()).step_by(every).take(AT_ONCE).collect();
                *next = numbers.last().map_or(images.len(), |last| last + every);
                let decode = |&i: &usize| (i, image::decode(&images[i]));
                device.install(|| numbers.par_iter().map(decode).collect())
            }
            Frames::Video(_, frames) => {
                let (mut chunk, mut pixels) = (Vec::new(), 0);
                while chunk.len() < FRAMES && pixels < PIXELS {
                    let Ok(frame) = frames.recv() else { break };
                    pixels += frame.1.as_ref().map_or(0, |image| image.width() * image.height());
                    chunk.push(frame);
                }
                chunk
            }
        }
    }

    /// Why a video ended before its end, in words.
    pub fn close(self, path: &Path) -> Option<String> {
        match self {
            Frames::Folder(..) => None,
            Frames::Video(ffmpeg, frames) => {
                drop(frames);
                ffmpeg.close(path)
            }
        }
    }
}

/// What a name is sorted by: its digits as numbers, so that `2.png` comes before `10.png`.
fn natural(path: &Path) -> Vec<(Option<(usize, String)>, String)> {
    let name = path.to_string_lossy();
    let mut parts = Vec::new();
    let mut rest = name.as_ref();
    while !rest.is_empty() {
        let digits = rest.chars().take_while(char::is_ascii_digit).count();
        if digits > 0 {
            let number = rest[..digits].trim_start_matches('0');
            // Of numbers without zeros before them the longer is the larger.
            parts.push((Some((number.len(), number.to_owned())), rest[..digits].to_owned()));
            rest = &rest[digits..];
        } else {
            let end = rest.find(|c: char| c.is_ascii_digit()).unwrap_or(rest.len());
            parts.push((None, rest[..end].to_owned()));
            rest = &rest[end..];
        }
    }
    parts
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_sorted_as_a_person_would() {
        let mut names = ["f10.png", "f2.png", "f1.png", "f010.png", "g1.png", "f1b.png", "f99999999999999999999.png"];
        names.sort_by_key(|name| natural(Path::new(name)));
        let expected = ["f1.png", "f1b.png", "f2.png", "f010.png", "f10.png", "f99999999999999999999.png", "g1.png"];
        assert_eq!(names, expected);
    }
}
