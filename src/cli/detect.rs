//! `warpface detect`.

use std::collections::HashSet;
use std::io::Write;
use std::path::{Path, PathBuf};

use anyhow::Result;
use serde::Serialize;

use super::context::{DetectArgs, Globals, create_folder, progress};
use super::names::{Suffix, distinct, relative_to_common};
use super::photos::{self, Photo, Tally};
use super::{Outcome, output};
use crate::Error;
use crate::error::Field;
use crate::face::Face;
use crate::image::{self, DrawFace};

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
        let drawn = distinct(&relative_to_common(&found.images), Suffix::JpegOrPng);
        if let Some(folder) = &self.draw {
            check_drawn(folder, &drawn, &found.images)?;
        }
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
                if let Some(folder) = &self.draw
                    && let Err(error) = draw(photo, faces, &folder.join(&drawn[photo.index]))
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

/// Refuses to draw over the photographs themselves.
fn check_drawn(folder: &Path, drawn: &[PathBuf], photographs: &[PathBuf]) -> Result<()> {
    let real: HashSet<PathBuf> = photographs.iter().filter_map(|path| path.canonicalize().ok()).collect();
    let is_one = |path: &PathBuf| path.canonicalize().is_ok_and(|path| real.contains(&path));
    match drawn.iter().map(|name| folder.join(name)).find(is_one) {
        Some(path) => {
            let problem = format!("{} is one of the photographs; name a folder apart from them", path.display());
            Err(Error::invalid(Field("draw"), problem).into())
        }
        None => Ok(()),
    }
}

/// Writes the photograph with its faces, in the format that the path's suffix says.
fn draw(photo: &Photo, faces: &[Face], path: &Path) -> Result<(), Error> {
    let mut picture = photo.image.clone();
    let faces: Vec<DrawFace> = faces
        .iter()
        .map(|face| DrawFace {
            bounds: face.bounds.map(|x| x as f32),
            score: face.score as f32,
            landmarks: face.landmarks.map(|p| p.map(|x| x as f32)),
        })
        .collect();
    image::draw_faces(&mut picture, &faces);
    if let Some(parent) = path.parent() {
        create_folder(parent).map_err(|e| Error::image(path, e.to_string()))?;
    }
    let suffix = path.extension().and_then(|s| s.to_str()).unwrap_or("").to_ascii_lowercase();
    match suffix.as_str() {
        "jpg" | "jpeg" => image::save_jpeg(path, &picture, 92),
        _ => image::save_png(path, &picture),
    }
}
