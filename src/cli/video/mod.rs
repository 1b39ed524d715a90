//! `warpface video`: faces through the frames of a video, a crop and an embedding for each that is followed.

mod ffmpeg;
mod source;
mod write;

use std::io::Write;
use std::path::PathBuf;

use anyhow::Result;
use rayon::prelude::*;
use serde::Serialize;
use serde_json::json;

use super::context::{AlignArgs, CropArgs, DetectArgs, Globals, Model, check_folder, progress};
use super::faces::origin;
use super::{Outcome, output, threshold};
use crate::error::Field;
use crate::face::{Aligner, Detector, Embeddings, Face};
use crate::image::Rgb8;
use crate::ops::Metric;
use crate::vectors::tracks::{Placed, TrackOptions, Tracker};
use crate::{Device, Error};
use source::Frames;
use write::Found;

/// How much nearer than one person's photographs a face must be to join a track that it does not overlap: people who come
/// and go must not be mixed up.
const REJOIN: f64 = 2.0 / 3.0;

#[derive(Debug, clap::Args)]
#[command(
    after_help = "Example:\n  warpface video party.mp4 -o tracks/ --every 5 --json\n  warpface embed tracks/ -o copy/\n\nA face continues a track where its box overlaps the last one and its embedding is within --distance of the track's mean; else it joins a track within --gap whose embedding is within --rejoin-distance. The best pair is taken first. A track's crop is that of the largest product of score and side, its embedding the mean of all, of length 1. The output folder has what `embed` writes, a row a track, and tracks.json."
)]
pub struct Args {
    /// A video, read through ffmpeg (5.1 or later), or a folder of frames in the order of their names, 2 before 10
    #[arg(value_name = "PATH")]
    path: PathBuf,
    /// Write crops, embeddings and tracks.json
    #[arg(short, long, value_name = "DIR")]
    output: Option<PathBuf>,
    /// Look at every N-th frame, the first among them
    #[arg(long, default_value_t = 1, value_name = "N")]
    every: usize,
    /// How much of their union the boxes of one face must share, from one frame that is looked at to the next
    #[arg(long, default_value_t = 0.3, value_name = "SHARE")]
    overlap: f64,
    /// How far the embedding of a face that overlaps a track may be (squared Euclidean) [default: the model's threshold
    /// of one person, as `compare` takes it]
    #[arg(long, value_name = "DISTANCE")]
    distance: Option<f64>,
    /// How far it may be where the face moved farther, or was gone [default: two thirds of --distance]
    #[arg(long, value_name = "DISTANCE")]
    rejoin_distance: Option<f64>,
    /// For how many of the frames that are looked at a face may be gone
    #[arg(long, default_value_t = 25, value_name = "N")]
    gap: usize,
    /// The ffmpeg to run; ffprobe is looked for beside it
    #[arg(long, default_value = "ffmpeg", value_name = "PROGRAM")]
    ffmpeg: PathBuf,
    #[command(flatten)]
    align: AlignArgs,
    #[command(flatten)]
    crops: CropArgs,
    #[command(flatten)]
    detect: DetectArgs,
}

/// What finds and embeds faces.
struct Eyes {
    detector: Detector,
    aligner: Aligner,
    model: Model,
}

/// The faces of a frame, their crops and embeddings.
struct Seen {
    frame: usize,
    width: usize,
    height: usize,
    faces: Vec<Face>,
    crops: Vec<Rgb8>,
    embeddings: Embeddings,
}

/// One line of `--json`.
#[derive(Serialize)]
struct Line<'a> {
    frame: usize,
    image: Option<String>,
    time: Option<f64>,
    width: usize,
    height: usize,
    faces: Vec<Followed<'a>>,
}

#[derive(Serialize)]
struct Followed<'a> {
    #[serde(flatten)]
    face: &'a Face,
    track: usize,
}

impl Args {
    pub fn run(&self, globals: &Globals) -> Result<Outcome> {
        let options = self.detect.options()?;
        self.crops.check(false)?;
        self.align.check()?;
        if self.every == 0 {
            return Err(Error::invalid(Field("every"), "0: no frame would be looked at; 1 is all").into());
        }
        if let Some(folder) = &self.output {
            check_folder(&folder.join(write::CROPS))?;
        }
        let (mut frames, mut failures) = Frames::open(&self.path, &self.ffmpeg, self.every)?;
        let device = globals.open_device()?;
        let model = globals.open_model(&device, &self.crops)?;
        let aligner = self.align.aligner(&model, globals, None)?;
        let detector = globals.open_detector(&device, &options)?;
        let mut tracker = Tracker::new(self.track_options(&model)?)?;
        let origin = origin(&model, &aligner, false)?;
        let eyes = Eyes { detector, aligner, model };
        let mut found = Found::default();
        let mut out = output::stdout();
        self.follow(globals, &device, &eyes, &mut frames, &mut tracker, &mut found, &mut failures, &mut out)?;
        if let Some(words) = frames.close(&self.path) {
            let problem = match found.frames {
                0 => format!("is no video that ffmpeg knows, or is damaged: {words}"),
                looked_at => {
                    let after = output::count(looked_at, "frame");
                    format!("ends before its end, or is damaged, after {after} that were looked at: {words}")
                }
            };
            failures.push(Error::data(&self.path, problem));
        }
        found.tracks = tracker.finish();
        if let Some(folder) = self.output.as_ref().filter(|_| found.frames > 0) {
            found.write(folder, origin)?;
        }
        self.tell(globals, &found, failures.len(), &mut out)?;
        Ok(output::list_failures(found.frames, &failures))
    }

    fn track_options(&self, model: &Model) -> Result<TrackOptions> {
        let distance = match self.distance {
            Some(distance) => distance,
            None => {
                let hash = model.embedder.published().map(|entry| entry.sha256.as_str());
                threshold::of_model(Some(&model.path), hash, Metric::Euclidean)?.distance
            }
        };
        let rejoin_distance = self.rejoin_distance.unwrap_or(REJOIN * distance);
        Ok(TrackOptions { overlap: self.overlap, distance, rejoin_distance, gap: self.gap })
    }

    /// Looks at all frames.
    #[allow(clippy::too_many_arguments)]
    fn follow(
        &self,
        globals: &Globals,
        device: &Device,
        eyes: &Eyes,
        frames: &mut Frames,
        tracker: &mut Tracker,
        found: &mut Found,
        failures: &mut Vec<Error>,
        out: &mut impl Write,
    ) -> Result<()> {
        let bar = progress(frames.len().unwrap_or(0), "video");
        loop {
            let chunk = frames.chunk(device, self.every);
            let Some(last) = chunk.last().map(|frame| frame.0) else { break };
            let mut pictures = Vec::with_capacity(chunk.len());
            for (number, picture) in chunk {
                match picture {
                    Ok(picture) => pictures.push((number, picture)),
                    Err(error) => failures.push(error),
                }
            }
            for seen in eyes.look(&pictures, failures)? {
                let placed = tracker.add(seen.frame, &seen.faces, &seen.embeddings)?;
                self.print(globals, frames, &seen, &placed, out)?;
                found.keep(seen.crops, &placed);
                found.frames += 1;
            }
            out.flush()?;
            bar.set_position(last as u64 + 1);
        }
        bar.finish_and_clear();
        Ok(())
    }

    fn print(
        &self,
        globals: &Globals,
        frames: &Frames,
        seen: &Seen,
        placed: &[Placed],
        out: &mut impl Write,
    ) -> Result<()> {
        let faces = seen.faces.iter().zip(placed).map(|(face, placed)| Followed { face, track: placed.track });
        if globals.json {
            let line = Line {
                frame: seen.frame,
                image: frames.image(seen.frame).map(output::path),
                time: frames.rate().map(|rate| seen.frame as f64 / rate),
                width: seen.width,
                height: seen.height,
                faces: faces.collect(),
            };
            return output::json_line(out, &line);
        }
        write!(out, "frame {}: {}", seen.frame, output::count(seen.faces.len(), "face"))?;
        for Followed { face, track } in faces {
            let [x1, y1, x2, y2] = face.bounds;
            write!(out, "  track {track} at {x1:.1},{y1:.1} {x2:.1},{y2:.1}")?;
        }
        Ok(writeln!(out)?)
    }

    fn tell(&self, globals: &Globals, found: &Found, failed: usize, out: &mut impl Write) -> Result<()> {
        for (track, facts) in found.facts().iter().enumerate() {
            if globals.json {
                output::json_line(out, facts)?;
            } else {
                let of = &found.tracks[track];
                let faces = output::count(of.faces, "face");
                writeln!(out, "track {track}: frames {} to {}, {faces}, best in {}", of.first, of.last, of.best_frame)?;
            }
        }
        let faces: usize = found.tracks.iter().map(|track| track.faces).sum();
        if globals.json {
            let summary = json!({
                "frames": found.frames, "faces": faces, "tracks": found.tracks.len(), "failed": failed,
                "output": self.output.as_ref().filter(|_| found.frames > 0).map(output::path),
            });
            return output::json_line(out, &summary);
        }
        let (frames, faces) = (output::count(found.frames, "frame"), output::count(faces, "face"));
        writeln!(out, "{frames}, {faces} in {}", output::count(found.tracks.len(), "track"))?;
        Ok(out.flush()?)
    }
}

impl Eyes {
    /// The faces of frames, in order; those that cannot be cut out go to the failures.
    fn look(&self, pictures: &[(usize, Rgb8)], failures: &mut Vec<Error>) -> Result<Vec<Seen>> {
        let faces = self.detector.detect(&pictures.iter().map(|(_, picture)| picture).collect::<Vec<_>>())?;
        let cut = |((number, picture), faces): (&(usize, Rgb8), &Vec<Face>)| {
            let crop = |face: &Face| Some((*face, self.aligner.align(picture, face).transpose()?));
            (*number, picture.width(), picture.height(), faces.iter().filter_map(crop).collect::<Vec<_>>())
        };
        let cut: Vec<_> = self.detector.device().install(|| pictures.par_iter().zip(&faces).map(cut).collect());
        let mut all = Vec::with_capacity(cut.len());
        for (frame, width, height, cut) in cut {
            let (mut faces, mut crops) = (Vec::new(), Vec::new());
            for (face, crop) in cut {
                match crop {
                    Ok(crop) => {
                        faces.push(face);
                        crops.push(crop);
                    }
                    Err(error) => failures.push(Error::invalid(format!("a face of frame {frame}"), error.to_string())),
                }
            }
            all.push(Seen { frame, width, height, faces, crops, embeddings: Embeddings::default() });
        }
        let crops: Vec<&Rgb8> = all.iter().flat_map(|seen| &seen.crops).collect();
        let embeddings = self.model.embedder.embed(&crops)?;
        let mut rows = embeddings.rows();
        for seen in &mut all {
            let values = rows.by_ref().take(seen.faces.len()).flatten().copied().collect();
            seen.embeddings = Embeddings::new(embeddings.dim(), values);
        }
        Ok(all)
    }
}
