//! `warpface align`: `align_dataset_mtcnn.py`, resumable, any number at once.

mod claims;
mod list;
mod record;
mod work;

use std::collections::HashSet;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use anyhow::Result;

use super::context::{AlignArgs, DetectArgs, Globals, create_folder, progress};
use super::photos::{self, Tally};
use super::{Outcome, output};
use crate::Error;
use crate::error::Field;
use crate::face::{Aligner, Detector, Face, choose};
use crate::image::{self, Rgb8};
use claims::Claims;
use list::{List, Row};
use record::Record;
use work::Work;

/// Photographs that a run claims at once, at most: enough to fill a device.
const AT_ONCE: usize = 64;

#[derive(Debug, clap::Args)]
#[command(after_help = "Example: warpface align photos/ crops/ --align similarity --image-size 112")]
pub struct Args {
    /// A folder with a folder of photographs per person
    #[arg(value_name = "IN")]
    input: PathBuf,
    /// Where the crops go, in the same folders
    #[arg(value_name = "OUT")]
    output: PathBuf,
    /// Side of the crops, in pixels [default: 160; by --align openface 96]
    #[arg(long, value_name = "PIXELS")]
    image_size: Option<usize>,
    #[command(flatten)]
    align: AlignArgs,
    /// Keep every face (NAME_0.png, NAME_1.png, ..), not only the large and central one
    #[arg(long)]
    detect_multiple_faces: bool,
    /// Take people and photographs in random order. Runs at work on the same OUT share the photographs, in this order or
    /// not: each is claimed by one
    #[arg(long)]
    random_order: bool,
    /// Make crops anew that are there already, as those of another --image-size, --align, --warp or --margin
    #[arg(long)]
    overwrite: bool,
    #[command(flatten)]
    detect: DetectArgs,
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
    pub fn run(&self, globals: &Globals) -> Result<Outcome> {
        let options = self.detect.options()?;
        if self.image_size == Some(0) {
            return Err(Error::invalid(Field("image_size"), "a crop needs at least one pixel").into());
        }
        let (side, method) = globals.crops_of_model()?.unzip();
        let alignment = self.align.alignment(self.image_size.or(side), method.flatten())?;
        let aligner = self.align.open(alignment, globals)?;
        let mut tally = Tally::default();
        let (photographs, inside) = self.find(&mut tally)?;
        self.check_output()?;
        create_folder(&self.output)?;
        let mut claims = Claims::open(&self.output)?;
        let began = claims.as_ref().and_then(Claims::began);
        let mut work = self.settle(&aligner, photographs, inside, claims.as_mut())?;
        eprintln!(
            "{}, {} of them finished before",
            output::count(work.photographs.len(), "photograph"),
            work.finished_before
        );
        let device = globals.open_device()?;
        let detector = globals.open_detector(&device, &options)?;
        let done = self.align(&detector, &aligner, &mut work, claims.as_mut(), began, &mut tally)?;
        if let Some(claims) = claims {
            claims.finish();
        }
        if work.elsewhere.is_empty() && tally.failures.is_empty() {
            Record::all_anew(&self.output)?;
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

    /// Writes all crops, and their boxes to a new list.
    fn align(
        &self,
        detector: &Detector,
        aligner: &Aligner,
        work: &mut Work,
        mut claims: Option<&mut Claims>,
        began: Option<SystemTime>,
        tally: &mut Tally,
    ) -> Result<Aligned> {
        let mut list = List::create(&self.output)?;
        let own: HashSet<PathBuf> = work.inside.iter().map(|inside| self.output.join(inside)).collect();
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
                    let (rows, failures) = self.write_crops(&photo.image, faces, aligner, &target, &own)?;
                    list.add(&target, &rows)?;
                    let failed = !failures.is_empty();
                    let named = |error: Error| photos::of_photo(&work.photographs[i], &error);
                    tally.failures.extend(failures.into_iter().map(named));
                    match rows.len() {
                        0 if failed => {}
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

    /// Writes a photograph's crops (`own` are all targets); tells their files and boxes, and why there is none of a face.
    fn write_crops(
        &self,
        photo: &Rgb8,
        faces: &[Face],
        aligner: &Aligner,
        target: &Path,
        own: &HashSet<PathBuf>,
    ) -> Result<(Vec<Row>, Vec<Error>)> {
        let (w, h) = (photo.width(), photo.height());
        let chosen = match choose(faces, w, h) {
            None => vec![],
            Some(_) if self.detect_multiple_faces => faces.iter().collect(),
            Some(i) => vec![&faces[i]],
        };
        let (mut rows, mut failures) = (Vec::new(), Vec::new());
        for face in chosen {
            match (aligner.alignment().rectangle(face, w, h), aligner.align(photo, face)) {
                (Some(rectangle), Ok(Some(crop))) => rows.push((self.file(target, rows.len()), rectangle, crop)),
                (_, Err(error)) => failures.push(error),
                _ => {}
            }
        }
        if !rows.is_empty() {
            create_folder(target.parent().unwrap_or(Path::new(".")))?;
        }
        // The first file marks the photograph as finished: it comes last.
        for (file, _, crop) in rows.iter().rev() {
            image::save_png(file, crop)?;
        }
        if self.overwrite {
            self.remove_older(target, rows.len(), own)?;
        }
        Ok((rows.into_iter().map(|(file, rectangle, _)| (file, rectangle)).collect(), failures))
    }
}

fn summarize(globals: &Globals, work: &Work, done: &Aligned, unreadable: usize) -> Result<()> {
    let Aligned { crops, without_face, list, .. } = done;
    let images = work.photographs.len();
    let mut out = output::stdout();
    if globals.json {
        let summary = serde_json::json!({
            "images": images, "finished_before": work.finished_before, "elsewhere": work.elsewhere.len(),
            "aligned": crops, "without_face": without_face.iter().map(output::path).collect::<Vec<_>>(),
            "bounding_boxes": output::path(list),
        });
        return output::json_line(&mut out, &summary);
    }
    writeln!(out, "Total number of images: {images}")?;
    writeln!(out, "Number of successfully aligned images: {crops}")?;
    writeln!(out, "Without a face: {}; failed: {unreadable}; boxes: {}", without_face.len(), list.display())?;
    Ok(out.flush()?)
}
