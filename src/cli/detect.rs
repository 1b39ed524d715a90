//! `warpface detect`.

use std::io::Write;
use std::path::{Path, PathBuf};

use anyhow::Result;
use serde::Serialize;

use super::context::{DetectArgs, Globals, progress};
use super::drawn::Drawn;
use super::photos::{self, Photo, Tally};
use super::{Outcome, output};
use crate::face::Face;
use crate::image;

#[derive(Debug, clap::Args)]
pub struct Args {
    /// Photographs, or folders of them at any depth
    #[arg(required = true, value_name = "PATH")]
    paths: Vec<PathBuf>,
    /// Write the photographs with their faces drawn in: a JPEG as JPEG, all others as PNG, under names of their own
    #[arg(long, value_name = "DIR")]
    draw: Option<PathBuf>,
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

impl Args {
    pub fn run(&self, globals: &Globals) -> Result<Outcome> {
        let options = self.detect.options()?;
        let found = image::collect(&self.paths);
        let device = globals.open_device()?;
        let detector = globals.open_detector(&device, &options)?;
        let drawn = self.draw.as_ref().map(|folder| Drawn::new(folder, &found.images)).transpose()?;
        let mut out = output::stdout();
        let mut tally = Tally { failures: found.problems, ..Tally::default() };
        let mut done = 0;
        let bar = progress(found.images.len(), "detect");
        photos::for_each_chunk(&found.images, &device, &bar, &mut tally, |chunk, tally| {
            let faces = photos::detect(&detector, chunk, tally)?;
            for (photo, faces) in chunk.iter().zip(&faces) {
                let path = &found.images[photo.index];
                let (width, height) = (photo.image.width(), photo.image.height());
                if globals.json {
                    output::json_line(&mut out, &Line { image: output::path(path), width, height, faces })?;
                } else {
                    print(&mut out, path, photo, faces)?;
                }
                if let Some(drawn) = &drawn
                    && let Err(error) = drawn.draw(photo, faces, None)
                {
                    tally.failures.push(error);
                }
            }
            done += chunk.len();
            Ok(out.flush()?)
        })?;
        Ok(output::list_failures(done, &tally.failures))
    }
}

fn print(out: &mut impl Write, path: &Path, photo: &Photo, faces: &[Face]) -> std::io::Result<()> {
    let (w, h) = (photo.image.width(), photo.image.height());
    writeln!(out, "{}: {w} x {h}, {}", path.display(), output::count(faces.len(), "face"))?;
    for face in faces {
        let [x1, y1, x2, y2] = face.bounds;
        let marks: Vec<String> = face.landmarks.iter().map(|[x, y]| format!("{x:.1},{y:.1}")).collect();
        writeln!(out, "  {:.4}  box {x1:.1},{y1:.1} {x2:.1},{y2:.1}  landmarks {}", face.score, marks.join(" "))?;
    }
    Ok(())
}
