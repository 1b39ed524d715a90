//! `warpface align`: `align_dataset_mtcnn.py`, resumable, any number at once.

use std::fs::{self, File};
use std::io::Write;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

use super::context::{DetectArgs, Globals, create_folder, progress};
use super::photos::{self, Tally};
use super::{Outcome, output};
use crate::Error;
use crate::error::Field;
use crate::face::{Alignment, Detector, Face, align, choose};
use crate::image::{self, Rgb8};

#[derive(Debug, clap::Args)]
pub struct Args {
    /// A folder with a folder of photographs per person
    #[arg(value_name = "IN")]
    input: PathBuf,
    /// Where the crops go, in the same folders
    #[arg(value_name = "OUT")]
    output: PathBuf,
    /// Side of the crops, in pixels
    #[arg(long, default_value_t = 160, value_name = "PIXELS")]
    image_size: usize,
    /// Pixels of the photograph added around the box, half of them on each side
    #[arg(long, default_value_t = 32, value_name = "PIXELS")]
    margin: usize,
    /// Keep every face (NAME_0.png, NAME_1.png, ..), not only the large and central one
    #[arg(long)]
    detect_multiple_faces: bool,
    /// Take people and photographs in random order, so that several runs share the work
    #[arg(long)]
    random_order: bool,
    #[command(flatten)]
    detect: DetectArgs,
}

/// Photographs to align, and where their crops go.
struct Work {
    photographs: Vec<PathBuf>,
    targets: Vec<PathBuf>,
    /// Photographs in the input, those of earlier runs included.
    total: usize,
}

impl Work {
    fn finished_before(&self) -> usize {
        self.total - self.photographs.len()
    }
}

/// What a run did.
struct Aligned {
    crops: usize,
    without_face: Vec<PathBuf>,
    /// The file of bounding boxes.
    list: PathBuf,
}

impl Args {
    pub fn run(&self, globals: &Globals) -> Result<Outcome> {
        let options = self.detect.options()?;
        if self.image_size == 0 {
            return Err(Error::invalid(Field("image_size"), "a crop needs at least one pixel").into());
        }
        let mut tally = Tally::default();
        let work = self.find(&mut tally)?;
        eprintln!("{}, {} of them finished before", output::count(work.total, "photograph"), work.finished_before());
        let device = globals.open_device()?;
        let detector = globals.open_detector(&device, &options)?;
        create_folder(&self.output)?;
        let done = self.align(&detector, &work, &mut tally)?;
        done.without_face.iter().for_each(|path| eprintln!("{}: no face found", path.display()));
        summarize(globals, &work, &done, tally.failures.len())?;
        Ok(output::list_failures(work.finished_before() + done.crops + done.without_face.len(), &tally.failures))
    }

    /// The photographs that no run has finished; unreadable folders go to the tally.
    fn find(&self, tally: &mut Tally) -> Result<Work> {
        let mut found = Vec::new();
        for person in folders(&self.input)? {
            let name = person.file_name().context("a person's folder has a name")?.to_owned();
            let collected = image::collect(std::slice::from_ref(&person));
            tally.failures.extend(collected.problems);
            for path in collected.images {
                let stem = path.file_stem().context("a photograph has a name")?;
                found.push((self.output.join(&name).join(stem).with_added_extension("png"), path));
            }
        }
        let total = found.len();
        found.retain(|(target, _)| !self.is_finished(target));
        if self.random_order {
            shuffle(&mut found);
        }
        let (targets, photographs) = found.into_iter().unzip();
        Ok(Work { photographs, targets, total })
    }

    /// Writes all crops, and their boxes to a new list.
    fn align(&self, detector: &Detector, work: &Work, tally: &mut Tally) -> Result<Aligned> {
        let alignment = Alignment { size: self.image_size, margin: self.margin };
        let (list, mut boxes) = bounding_boxes(&self.output)?;
        let (mut crops, mut without_face) = (0, Vec::new());
        let bar = progress(work.photographs.len(), "align");
        photos::for_each_chunk(&work.photographs, detector.device(), &bar, tally, |chunk, tally| {
            let faces = photos::detect(detector, chunk, tally)?;
            for (photo, faces) in chunk.iter().zip(&faces) {
                let target = &work.targets[photo.index];
                let rows = self.write_crops(&photo.image, faces, &alignment, target)?;
                if rows.is_empty() {
                    without_face.push(work.photographs[photo.index].clone());
                    writeln!(boxes, "{}", target.display()).map_err(Error::io(&list, "write"))?;
                }
                for (file, [x1, y1, x2, y2]) in &rows {
                    writeln!(boxes, "{} {x1} {y1} {x2} {y2}", file.display()).map_err(Error::io(&list, "write"))?;
                }
                crops += rows.len();
            }
            Ok(())
        })?;
        Ok(Aligned { crops, without_face, list })
    }

    /// The file that a photograph's face `i` goes to.
    fn file(&self, target: &Path, i: usize) -> PathBuf {
        if !self.detect_multiple_faces {
            return target.to_owned();
        }
        let stem = target.file_stem().unwrap_or_default().to_string_lossy();
        target.with_file_name(format!("{stem}_{i}.png"))
    }

    fn is_finished(&self, target: &Path) -> bool {
        self.file(target, 0).exists()
    }

    /// Writes a photograph's crops; tells their files and rectangles.
    fn write_crops(
        &self,
        photo: &Rgb8,
        faces: &[Face],
        alignment: &Alignment,
        target: &Path,
    ) -> Result<Vec<(PathBuf, [usize; 4])>> {
        let (w, h) = (photo.width(), photo.height());
        let chosen = match choose(faces, w, h) {
            None => vec![],
            Some(_) if self.detect_multiple_faces => faces.iter().collect(),
            Some(i) => vec![&faces[i]],
        };
        let mut rows = Vec::new();
        for face in chosen {
            let (Some(rectangle), Some(crop)) = (alignment.rectangle(face, w, h), align(photo, face, alignment)) else {
                continue;
            };
            rows.push((self.file(target, rows.len()), rectangle, crop));
        }
        // The first file marks the photograph as finished: it comes last.
        for (file, _, crop) in rows.iter().rev() {
            write_whole(file, crop)?;
        }
        Ok(rows.into_iter().map(|(file, rectangle, _)| (file, rectangle)).collect())
    }
}

fn summarize(globals: &Globals, work: &Work, done: &Aligned, unreadable: usize) -> Result<()> {
    let Aligned { crops, without_face, list } = done;
    let mut out = output::stdout();
    if globals.json {
        let summary = serde_json::json!({
            "images": work.total, "finished_before": work.finished_before(), "aligned": crops,
            "without_face": without_face, "bounding_boxes": list,
        });
        return output::json_line(&mut out, &summary);
    }
    writeln!(out, "Total number of images: {}", work.total)?;
    writeln!(out, "Number of successfully aligned images: {crops}")?;
    writeln!(out, "Without a face: {}; unreadable: {unreadable}; boxes: {}", without_face.len(), list.display())?;
    Ok(out.flush()?)
}

/// Writes a crop under a name of its own first, so that no run ever sees half a file.
fn write_whole(file: &Path, crop: &Rgb8) -> Result<()> {
    create_folder(file.parent().unwrap_or(Path::new(".")))?;
    let partial = file.with_added_extension(format!("{}.partial", std::process::id()));
    let written = image::save_png(&partial, crop);
    let moved = written.and_then(|()| fs::rename(&partial, file).map_err(Error::io(file, "create")));
    if moved.is_err() {
        let _ = fs::remove_file(&partial);
    }
    Ok(moved?)
}

/// The folders of a folder, sorted.
fn folders(of: &Path) -> Result<Vec<PathBuf>> {
    let entries = fs::read_dir(of).map_err(Error::io(of, "read"))?;
    let mut folders: Vec<PathBuf> = entries.flatten().map(|entry| entry.path()).filter(|path| path.is_dir()).collect();
    folders.sort();
    if folders.is_empty() {
        return Err(Error::data(of, "no folders here; expected one per person").into());
    }
    Ok(folders)
}

/// A new `bounding_boxes_NNNNN.txt`, the number such that runs side by side have different ones.
fn bounding_boxes(folder: &Path) -> Result<(PathBuf, File)> {
    for attempt in 0..100_000 {
        let path = folder.join(format!("bounding_boxes_{:05}.txt", (std::process::id() + attempt) % 100_000));
        match File::options().write(true).create_new(true).open(&path) {
            Ok(file) => return Ok((path, file)),
            Err(e) if e.kind() == std::io::ErrorKind::AlreadyExists => {}
            Err(e) => return Err(Error::io(&path, "create")(e).into()),
        }
    }
    Err(Error::data(folder, "holds 100,000 bounding_boxes files already").into())
}

/// Fisher-Yates, seeded by the clock and the process: runs side by side should differ.
fn shuffle<T>(items: &mut [T]) {
    let clock = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
    let mut state = clock.as_nanos() as u64 ^ (u64::from(std::process::id()) << 32) | 1;
    for i in (1..items.len()).rev() {
        state = state.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
        items.swap(i, ((state >> 33) % (i as u64 + 1)) as usize);
    }
}
