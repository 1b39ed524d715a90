//! `warpface detect`.

use std::io::{BufWriter, Stdout, Write};
use std::ops::Range;
use std::path::{Path, PathBuf};

use anyhow::Result;
use serde::Serialize;
use serde_json::json;

use super::context::{DetectArgs, Globals, progress};
use super::drawn::Drawn;
use super::photos::{self, Tally};
use super::pipeline::share;
use super::shard::ShardArgs;
use super::table::{Table, TableArgs, is_table};
use super::{Outcome, output};
use crate::error::Field;
use crate::face::{Detector, Face};
use crate::vectors::parquet::{Columns, Row};
use crate::{Error, image};

#[derive(Debug, clap::Args)]
#[command(
    after_help = "Example: warpface detect photos/ -o faces.parquet\n\nA Parquet file has a row for each face, with the columns path, box (left, top, right, bottom), landmarks (x and y of five), score and error; a photograph without a face, or one that failed, has a row without a box. Until it is done its row groups are in FILE.parquet.parts/, whole Parquet files that every reader takes."
)]
pub struct Args {
    /// Photographs, or folders of them at any depth
    #[arg(required = true, value_name = "PATH")]
    paths: Vec<PathBuf>,
    /// Write the photographs with their faces drawn in: a JPEG as JPEG, all others as PNG, under names of their own
    #[arg(long, value_name = "DIR")]
    draw: Option<PathBuf>,
    /// Write the faces to a Parquet file, a row for each, in place of listing them
    #[arg(short, long, value_name = "FILE.parquet")]
    output: Option<PathBuf>,
    #[command(flatten)]
    table: TableArgs,
    #[command(flatten)]
    shard: ShardArgs,
    #[command(flatten)]
    detect: DetectArgs,
}

/// One line of `--json`.
#[derive(Serialize)]
struct Line<'a> {
    image: String,
    width: usize,
    height: usize,
    faces: &'a [Face],
}

/// What was seen of a photograph.
struct Seen {
    /// Its place.
    index: usize,
    /// Its width and height, and its faces.
    found: Result<([usize; 2], Vec<Face>), Error>,
    /// Why it could not be drawn.
    undrawn: Option<Error>,
}

/// Where results go.
enum Sink<'a> {
    Lines { out: BufWriter<Stdout>, json: bool },
    Table(&'a mut Table),
}

impl Args {
    pub fn run(&self, globals: &Globals) -> Result<Outcome> {
        let options = self.detect.options()?;
        self.check()?;
        let mut found = image::collect(&self.paths);
        let ours = self.shard.of(&found.images, &self.paths);
        found.images = ours.iter().map(|&i| std::mem::take(&mut found.images[i])).collect();
        let mut table = self.output.as_ref().map(|place| self.open(place)).transpose()?;
        if let Some(table) = &table {
            let left = table.left(&found.images, (0..found.images.len()).collect());
            found.images = left.iter().map(|&i| std::mem::take(&mut found.images[i])).collect();
        }
        let devices = globals.open_devices()?;
        let detectors = globals.open_detectors(&devices, &options)?;
        let drawn = self.draw.as_ref().map(|folder| Drawn::new(folder, &found.images)).transpose()?;
        let mut sink = match &mut table {
            Some(table) => Sink::Table(table),
            None => Sink::Lines { out: BufWriter::new(std::io::stdout()), json: globals.json },
        };
        let (mut done, mut faces, mut failures) = (0, 0, found.problems);
        let bar = progress(found.images.len(), "detect");
        let look = |lane: usize, range| self.look(&detectors[lane], &found.images, drawn.as_ref(), range);
        let names: Vec<&str> = devices.iter().map(|(name, _)| name.as_str()).collect();
        share(found.images.len(), &names, look, |all: Vec<Seen>| {
            for seen in all {
                sink.put(&found.images[seen.index], &seen.found)?;
                match seen.found {
                    Ok((_, of_photograph)) => (done, faces) = (done + 1, faces + of_photograph.len()),
                    Err(error) => failures.push(error),
                }
                failures.extend(seen.undrawn);
                bar.inc(1);
            }
            sink.flush()
        })?;
        bar.finish_and_clear();
        if let Some(table) = table {
            done += table.before();
            self.tell(globals, table, found.images.len(), faces, failures.len())?;
        }
        Ok(output::list_failures(done, &failures))
    }

    fn check(&self) -> Result<()> {
        self.table.check(self.output.is_some())?;
        match &self.output {
            Some(path) if !is_table(path) => {
                let problem = format!("{} is no name for a Parquet file; end it in .parquet", path.display());
                Err(Error::invalid(Field("output"), problem).into())
            }
            _ => Ok(()),
        }
    }

    fn open(&self, place: &Path) -> Result<Table> {
        let mut settings = self.detect.settings();
        settings.insert("shard".to_owned(), self.shard.words().into());
        self.table.open(place, Columns { label: false, embedding: None }, None, settings)
    }

    /// Detects and draws a range of the photographs.
    fn look(
        &self,
        detector: &Detector,
        images: &[PathBuf],
        drawn: Option<&Drawn>,
        range: Range<usize>,
    ) -> Result<Vec<Seen>> {
        let mut all = Vec::with_capacity(range.len());
        let decode = |i: usize| image::decode(&images[i]);
        photos::for_each_in(range, decode, detector.device(), &mut Tally::default(), |chunk, unread, tally| {
            let faces = photos::detect(detector, &chunk, tally)?;
            for (photo, faces) in chunk.into_iter().zip(faces) {
                let undrawn = drawn.and_then(|drawn| drawn.draw(&photo, &faces, None).err());
                let size = [photo.image.width(), photo.image.height()];
                all.push(Seen { index: photo.index, found: Ok((size, faces)), undrawn });
            }
            let failed = |(index, error)| Seen { index, found: Err(error), undrawn: None };
            all.extend(unread.into_iter().map(failed));
            Ok(())
        })?;
        all.sort_by_key(|seen| seen.index);
        Ok(all)
    }

    /// Ends the file, and writes the summary.
    fn tell(&self, globals: &Globals, table: Table, photographs: usize, faces: usize, failed: usize) -> Result<()> {
        let (before, place) = (table.before(), table.place().to_owned());
        table.finish()?;
        let mut out = output::stdout();
        if globals.json {
            let place = output::path(&place);
            let summary =
                json!({ "images": photographs, "faces": faces, "failed": failed, "before": before, "output": place });
            return output::json_line(&mut out, &summary);
        }
        let (what, of) = (output::count(faces, "face"), output::count(photographs, "photograph"));
        writeln!(out, "{what} of {of} in {}", place.display())?;
        Ok(out.flush()?)
    }
}

impl Sink<'_> {
    fn put(&mut self, path: &Path, found: &Result<([usize; 2], Vec<Face>), Error>) -> Result<()> {
        match (self, found) {
            (Sink::Table(table), Ok((_, faces))) => Ok(table.push(path, "", faces.iter().map(row).collect())?),
            (Sink::Table(table), Err(error)) => Ok(table.push_failed(path, "", error)?),
            (Sink::Lines { out, json: true }, Ok(([width, height], faces))) => {
                let (width, height) = (*width, *height);
                output::json_line(out, &Line { image: output::path(path), width, height, faces })
            }
            (Sink::Lines { out, .. }, Ok((size, faces))) => Ok(print(out, path, *size, faces)?),
            (Sink::Lines { .. }, Err(_)) => Ok(()),
        }
    }

    fn flush(&mut self) -> Result<()> {
        match self {
            Sink::Lines { out, .. } => Ok(out.flush()?),
            Sink::Table(_) => Ok(()),
        }
    }
}

fn row(face: &Face) -> Row<'static> {
    Row { bounds: Some(face.bounds), landmarks: Some(face.landmarks), score: Some(face.score), ..Row::default() }
}

fn print(out: &mut impl Write, path: &Path, [w, h]: [usize; 2], faces: &[Face]) -> std::io::Result<()> {
    writeln!(out, "{}: {w} x {h}, {}", path.display(), output::count(faces.len(), "face"))?;
    for face in faces {
        let [x1, y1, x2, y2] = face.bounds;
        let marks: Vec<String> = face.landmarks.iter().map(|[x, y]| format!("{x:.1},{y:.1}")).collect();
        writeln!(out, "  {:.4}  box {x1:.1},{y1:.1} {x2:.1},{y2:.1}  landmarks {}", face.score, marks.join(" "))?;
    }
    Ok(())
}
