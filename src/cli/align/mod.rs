//! `warpface align`: `align_dataset_mtcnn.py`, resumable, any number at once.

mod claims;
mod record;

use std::collections::VecDeque;
use std::fs::{self, File};
use std::io::{Seek, Write};
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use anyhow::Result;

use super::context::{DetectArgs, Globals, create_folder, progress};
use super::names::{Suffix, distinct};
use super::photos::{self, Tally};
use super::{Outcome, output};
use crate::Error;
use crate::error::Field;
use crate::face::{Alignment, Detector, Face, align, choose};
use crate::image::{self, Rgb8};
use claims::Claims;
use record::Record;

/// Photographs that a run claims at once, at most: enough to fill a device.
const AT_ONCE: usize = 64;

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
    /// Take people and photographs in random order. Runs at work on the same OUT share the photographs, in this order or
    /// not: each is claimed by one
    #[arg(long)]
    random_order: bool,
    /// Make crops anew that are there already, as those of another --image-size or --margin
    #[arg(long)]
    overwrite: bool,
    #[command(flatten)]
    detect: DetectArgs,
}

/// Photographs to align, and where their crops go.
struct Work {
    photographs: Vec<PathBuf>,
    /// Their crops within the output.
    inside: Vec<PathBuf>,
    /// Those that no run has finished, in this run's order.
    open: VecDeque<usize>,
    /// Those that another run has claimed.
    elsewhere: Vec<usize>,
    finished_before: usize,
}

/// What a run did.
struct Aligned {
    crops: usize,
    with_face: usize,
    without_face: Vec<PathBuf>,
    /// The file of bounding boxes.
    list: PathBuf,
}

impl Args {
    /// Removes crops of an earlier run that are not made anew: `rows` were.
    fn remove_older(&self, target: &Path, rows: usize) -> Result<()> {
        let last = if self.detect_multiple_faces { usize::MAX } else { 1 };
        for file in (rows..last).map(|i| self.file(target, i)).take_while(|file| file.exists()) {
            fs::remove_file(&file).map_err(Error::io(&file, "remove"))?;
        }
        Ok(())
    }

    pub fn run(&self, globals: &Globals) -> Result<Outcome> {
        let options = self.detect.options()?;
        if self.image_size == 0 {
            return Err(Error::invalid(Field("image_size"), "a crop needs at least one pixel").into());
        }
        let mut tally = Tally::default();
        let (photographs, inside) = self.find(&mut tally)?;
        create_folder(&self.output)?;
        self.check_output()?;
        let mut claims = Claims::open(&self.output)?;
        let began = claims.as_ref().and_then(Claims::began);
        let mut work = self.settle(photographs, inside, claims.as_ref())?;
        eprintln!(
            "{}, {} of them finished before",
            output::count(work.photographs.len(), "photograph"),
            work.finished_before
        );
        let device = globals.open_device()?;
        let detector = globals.open_detector(&device, &options)?;
        let done = self.align(&detector, &mut work, claims.as_mut(), began, &mut tally)?;
        if let Some(claims) = claims {
            claims.finish();
        }
        done.without_face.iter().for_each(|path| eprintln!("{}: no face found", path.display()));
        if !work.elsewhere.is_empty() {
            let elsewhere = output::count(work.elsewhere.len(), "photograph");
            eprintln!("{elsewhere} are done by other runs that are at work on the same output, or were");
        }
        summarize(globals, &work, &done, tally.failures.len())?;
        let went_well = work.finished_before + work.elsewhere.len() + done.with_face + done.without_face.len();
        Ok(output::list_failures(went_well, &tally.failures))
    }

    /// The photographs, and their crops' paths within the output; what is left out goes to the tally.
    fn find(&self, tally: &mut Tally) -> Result<(Vec<PathBuf>, Vec<PathBuf>)> {
        let (people, left_out) = image::people(&self.input)?.or_left_out();
        if people.is_empty() && left_out.is_empty() {
            return Err(Error::data(&self.input, "no folders here; expected one per person").into());
        }
        tally.failures.extend(left_out);
        let photographs: Vec<PathBuf> = people.into_iter().flat_map(|person| person.photos).collect();
        let inside = |path: &PathBuf| path.strip_prefix(&self.input).unwrap_or(path).to_owned();
        let inside: Vec<PathBuf> = photographs.iter().map(inside).collect();
        Ok((photographs, distinct(&inside, Suffix::Png)))
    }

    /// Refuses an output in which the next run would take crops for photographs.
    fn check_output(&self) -> Result<()> {
        let real = |path: &Path| path.canonicalize().map_err(Error::io(path, "read"));
        let (input, output) = (real(&self.input)?, real(&self.output)?);
        let Ok(inside) = output.strip_prefix(&input) else { return Ok(()) };
        if inside.iter().any(|part| part.as_encoded_bytes().starts_with(b".")) {
            return Ok(());
        }
        let problem =
            "lies within the folder of photographs, where crops would be taken for more of them; name another";
        Err(Error::data(&self.output, problem).into())
    }

    /// What is to be done, and that this run's settings are the output's.
    fn settle(&self, photographs: Vec<PathBuf>, inside: Vec<PathBuf>, claims: Option<&Claims>) -> Result<Work> {
        let (mut open, mut finished) = (Vec::new(), Vec::new());
        for (i, inside) in inside.iter().enumerate() {
            if self.is_finished(inside, None) { &mut finished } else { &mut open }.push(i);
        }
        let record = Record {
            image_size: self.image_size,
            margin: self.margin,
            detect_multiple_faces: self.detect_multiple_faces,
        };
        let first = finished.first().map(|&i| self.file(&self.output.join(&inside[i]), 0));
        let settle =
            || record.settle(&self.output, first.as_deref().map(|crop| (crop, finished.len())), self.overwrite);
        match claims {
            Some(claims) => claims.alone(settle)??,
            None => settle()?,
        }
        if self.overwrite {
            (open, finished) = ((0..photographs.len()).collect(), Vec::new());
        }
        if self.random_order {
            shuffle(&mut open);
        }
        let finished_before = finished.len();
        Ok(Work { photographs, inside, open: open.into(), elsewhere: Vec::new(), finished_before })
    }

    /// Takes the next photographs that nobody has finished or claimed; none when there are no more.
    fn next(
        &self,
        work: &mut Work,
        claims: Option<&mut Claims>,
        began: Option<SystemTime>,
        at_once: usize,
    ) -> Result<Vec<usize>> {
        let since = began.filter(|_| self.overwrite);
        let mut picked = Vec::new();
        let mut pick = |is_taken: &dyn Fn(&Path) -> bool| -> Vec<PathBuf> {
            // Those of a run that was killed in the meantime are this run's again.
            let left = std::mem::take(&mut work.elsewhere);
            for i in left {
                if is_taken(&work.inside[i]) || self.is_finished(&work.inside[i], since) {
                    work.elsewhere.push(i);
                } else {
                    work.open.push_back(i);
                }
            }
            while picked.len() < at_once
                && let Some(i) = work.open.pop_front()
            {
                let inside = &work.inside[i];
                let new = (!self.overwrite || since.is_some()) && self.is_finished(inside, since);
                if new || is_taken(inside) { &mut work.elsewhere } else { &mut picked }.push(i);
            }
            picked.iter().map(|&i| work.inside[i].clone()).collect()
        };
        match claims {
            Some(claims) => drop(claims.claim(pick)?),
            None => drop(pick(&|_| false)),
        }
        Ok(picked)
    }

    /// Writes all crops, and their boxes to a new list.
    fn align(
        &self,
        detector: &Detector,
        work: &mut Work,
        mut claims: Option<&mut Claims>,
        began: Option<SystemTime>,
        tally: &mut Tally,
    ) -> Result<Aligned> {
        let alignment = Alignment { size: self.image_size, margin: self.margin };
        let mut list = List::create(&self.output)?;
        let (mut crops, mut with_face, mut without_face) = (0, 0, Vec::new());
        let bar = progress(work.open.len(), "align");
        // Few at once where there are few: runs side by side shall share them.
        let threads = detector.device().install(rayon::current_num_threads);
        let at_once = (work.open.len() / 8).clamp(threads.clamp(8, AT_ONCE), AT_ONCE);
        loop {
            let claimed = self.next(work, claims.as_deref_mut(), began, at_once)?;
            if claimed.is_empty() {
                break;
            }
            let decode = |i: usize| image::decode(&work.photographs[claimed[i]]);
            photos::for_each_of(claimed.len(), decode, detector.device(), &bar, tally, |chunk, tally| {
                let faces = photos::detect(detector, chunk, tally)?;
                for (photo, faces) in chunk.iter().zip(&faces) {
                    let i = claimed[photo.index];
                    let target = self.output.join(&work.inside[i]);
                    let rows = self.write_crops(&photo.image, faces, &alignment, &target)?;
                    list.add(&target, &rows)?;
                    match rows.len() {
                        0 => without_face.push(work.photographs[i].clone()),
                        n => (crops, with_face) = (crops + n, with_face + 1),
                    }
                }
                Ok(())
            })?;
        }
        bar.finish_and_clear();
        Ok(Aligned { crops, with_face, without_face, list: list.path })
    }

    /// The file that a photograph's face `i` goes to.
    fn file(&self, target: &Path, i: usize) -> PathBuf {
        if !self.detect_multiple_faces {
            return target.to_owned();
        }
        let stem = target.file_stem().unwrap_or_default().to_string_lossy();
        target.with_file_name(format!("{stem}_{i}.png"))
    }

    /// Whether a photograph's crop is there, and was made after `since`.
    fn is_finished(&self, inside: &Path, since: Option<SystemTime>) -> bool {
        let Ok(crop) = fs::metadata(self.file(&self.output.join(inside), 0)) else { return false };
        since.is_none_or(|since| crop.modified().is_ok_and(|made| made > since))
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
        if !rows.is_empty() {
            create_folder(target.parent().unwrap_or(Path::new(".")))?;
        }
        // The first file marks the photograph as finished: it comes last.
        for (file, _, crop) in rows.iter().rev() {
            image::save_png(file, crop)?;
        }
        if self.overwrite {
            self.remove_older(target, rows.len())?;
        }
        Ok(rows.into_iter().map(|(file, rectangle, _)| (file, rectangle)).collect())
    }
}

fn summarize(globals: &Globals, work: &Work, done: &Aligned, unreadable: usize) -> Result<()> {
    let Aligned { crops, without_face, list, .. } = done;
    let images = work.photographs.len();
    let mut out = output::stdout();
    if globals.json {
        let summary = serde_json::json!({
            "images": images, "finished_before": work.finished_before, "elsewhere": work.elsewhere.len(),
            "aligned": crops, "without_face": without_face, "bounding_boxes": list,
        });
        return output::json_line(&mut out, &summary);
    }
    writeln!(out, "Total number of images: {images}")?;
    writeln!(out, "Number of successfully aligned images: {crops}")?;
    writeln!(out, "Without a face: {}; failed: {unreadable}; boxes: {}", without_face.len(), list.display())?;
    Ok(out.flush()?)
}

/// The list of bounding boxes, which grows as the run goes.
struct List {
    path: PathBuf,
    file: File,
}

impl List {
    /// A new `bounding_boxes_NNNNN.txt`, the number such that runs side by side have different ones.
    fn create(folder: &Path) -> Result<Self> {
        for attempt in 0..100_000 {
            let path = folder.join(format!("bounding_boxes_{:05}.txt", (std::process::id() + attempt) % 100_000));
            match File::options().write(true).create_new(true).open(&path) {
                Ok(file) => return Ok(List { path, file }),
                Err(e) if e.kind() == std::io::ErrorKind::AlreadyExists => {}
                Err(e) => return Err(Error::io(&path, "create")(e).into()),
            }
        }
        Err(Error::data(folder, "holds 100,000 bounding_boxes files already").into())
    }

    /// Adds a photograph's crops and rectangles, or its name alone where it has none: all of it, or nothing.
    fn add(&mut self, target: &Path, rows: &[(PathBuf, [usize; 4])]) -> Result<()> {
        let row =
            |(file, [x1, y1, x2, y2]): &(PathBuf, [usize; 4])| format!("{} {x1} {y1} {x2} {y2}\n", file.display());
        let lines = match rows {
            [] => format!("{}\n", target.display()),
            rows => rows.iter().map(row).collect(),
        };
        let whole = self.file.stream_position().map_err(Error::io(&self.path, "write"))?;
        let written = self.file.write_all(lines.as_bytes());
        if written.is_err() {
            let _ = self.file.set_len(whole);
        }
        Ok(written.map_err(Error::io(&self.path, "write"))?)
    }
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
