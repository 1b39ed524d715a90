//! How many photographs or faces a task takes per second, in one process and after warm-up.

use std::io::Write;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use anyhow::Result;
use serde_json::{Value, json};

use super::trace::{RUN, TraceArgs};
use crate::Precision;
use crate::backend::Device;
use crate::cli::context::{CropArgs, DetectArgs, Globals};
use crate::cli::photos::{self, Tally};
use crate::cli::{Outcome, output};
use crate::error::Field;
use crate::image::{self, Rgb8};
use crate::{Error, Result as LibraryResult};

/// Photographs, and how long to go on.
#[derive(Debug, clap::Args)]
struct Common {
    /// Photographs, or folders of them at any depth; all of them are held in memory
    #[arg(required = true, value_name = "PATH")]
    paths: Vec<PathBuf>,
    /// Passes over the photographs go on this long; there is at least one
    #[arg(long, default_value_t = 3.0, value_name = "SECONDS")]
    seconds: f64,
    #[command(flatten)]
    trace: TraceArgs,
}

#[derive(Debug, clap::Args)]
pub struct Detect {
    #[command(flatten)]
    common: Common,
    #[command(flatten)]
    detect: DetectArgs,
}

#[derive(Debug, clap::Args)]
pub struct Embed {
    #[command(flatten)]
    common: Common,
    /// Faces of a batch; batch after batch, each brought in while the one before runs where the device can
    #[arg(long, default_value_t = 32, value_name = "N")]
    batch: usize,
    #[command(flatten)]
    crops: CropArgs,
}

impl Detect {
    pub fn run(&self, globals: &Globals) -> Result<Outcome> {
        let options = self.detect.options()?;
        let trace = self.common.trace.open()?;
        let device = globals.open_device()?;
        let (photographs, tally) = self.common.decode(&device)?;
        let detector = globals.open_detector(&device, &options)?;
        if let Some(mut trace) = trace {
            let decoded = trace.decode(&self.common.found());
            let decoded: Vec<&Rgb8> = decoded.iter().collect();
            trace.span(RUN, &format!("detect: {}", output::count(decoded.len(), "photograph")), || {
                detector.detect(&decoded)
            })?;
            trace.networks(&device, globals, &options, &photographs[0])?;
            trace.finish()?;
        }
        let photographs: Vec<&Rgb8> = photographs.iter().collect();
        let faces: usize = detector.detect(&photographs)?.iter().map(Vec::len).sum();
        let rate = self.common.rate(photographs.len(), || detector.detect(&photographs).map(drop))?;
        let line = json!({
            "task": "detect", "photographs_per_second": rate.per_second, "faces": faces, "precision": Precision::F32,
        });
        let text = format!("{} in {}", output::count(faces, "face"), output::count(photographs.len(), "photograph"));
        rate.print(globals, &device, line, &format!("{:.2} photographs/s, {text}", rate.per_second))?;
        Ok(output::list_failures(photographs.len(), &tally.failures))
    }
}

impl Embed {
    pub fn run(&self, globals: &Globals) -> Result<Outcome> {
        if self.batch == 0 {
            return Err(Error::invalid(Field("batch"), "must be at least 1").into());
        }
        let trace = self.common.trace.open()?;
        let device = globals.open_device()?;
        let (photographs, tally) = self.common.decode(&device)?;
        let model = globals.open_model(&device, &self.crops)?;
        let (given, embedder) = (self.crops.given(&model), model.embedder);
        let overlaps = device.backend().overlaps();
        // The processor is faster with few at once, however many are to be done.
        let at_once = if overlaps { self.batch } else { self.batch.min(embedder.batch()) };
        let embedder = embedder.in_batches(at_once);
        if let Some(mut trace) = trace {
            let decoded = trace.decode(&self.common.found());
            let crops: Vec<Rgb8> = decoded.iter().map(|crop| given.input(crop)).collect();
            trace.span(RUN, &format!("embed: {}", output::count(crops.len(), "crop")), || {
                embedder.embed(&crops.iter().collect::<Vec<_>>())
            })?;
            let input = [at_once, embedder.size(), embedder.size(), 3].into();
            trace.plan(&device, "Facenet", embedder.graph().clone(), embedder.precision(), &input)?;
            trace.finish()?;
        }
        let crops: Vec<Rgb8> = photographs.iter().map(|crop| given.input(crop)).collect();
        // Whole batches only, whatever the number of crops; several, so that one can be brought in beside another.
        let several = if overlaps { 8 * self.batch } else { self.batch };
        let whole = crops.len().max(several).next_multiple_of(self.batch);
        let crops: Vec<&Rgb8> = crops.iter().cycle().take(whole).collect();
        let pass = || embedder.embed(&crops).map(drop);
        pass()?;
        let rate = self.common.rate(crops.len(), pass)?;
        let (batch, precision) = (self.batch, embedder.precision());
        let line = json!({
            "task": "embed", "faces_per_second": rate.per_second, "batch": batch, "precision": precision,
        });
        let text = format!("{:.2} faces/s in batches of {batch}, {precision}", rate.per_second);
        rate.print(globals, &device, line, &text)?;
        Ok(output::list_failures(photographs.len(), &tally.failures))
    }
}

impl Common {
    /// The photographs' paths.
    fn found(&self) -> Vec<PathBuf> {
        image::collect(&self.paths).images
    }

    fn decode(&self, device: &Device) -> Result<(Vec<Rgb8>, Tally)> {
        let found = image::collect(&self.paths);
        let mut tally = Tally { failures: found.problems, ..Tally::default() };
        let mut photographs = Vec::new();
        let silent = indicatif::ProgressBar::hidden();
        photos::for_each_chunk(&found.images, device, &silent, &mut tally, |chunk, _| {
            photographs.extend(chunk.iter().map(|photo| photo.image.clone()));
            Ok(())
        })?;
        if photographs.is_empty() {
            output::list_failures(0, &tally.failures);
            return Err(Error::invalid("photographs to measure with", "there are none").into());
        }
        Ok((photographs, tally))
    }

    /// Runs passes over `items` things until the time is over.
    fn rate(&self, items: usize, mut pass: impl FnMut() -> LibraryResult<()>) -> Result<Rate> {
        let (start, mut passes) = (Instant::now(), 0);
        while passes == 0 || start.elapsed().as_secs_f64() < self.seconds {
            pass()?;
            passes += 1;
        }
        let elapsed = start.elapsed();
        Ok(Rate { passes, items, elapsed, per_second: (passes * items) as f64 / elapsed.as_secs_f64() })
    }
}

/// What was measured.
struct Rate {
    passes: usize,
    items: usize,
    elapsed: Duration,
    per_second: f64,
}

impl Rate {
    /// Prints `text`, or with `--json` the task's own values and what all tasks have.
    fn print(&self, globals: &Globals, device: &Device, mut line: Value, text: &str) -> Result<()> {
        let mut out = output::stdout();
        if globals.json {
            line["device"] = json!(device.info());
            line["items"] = json!(self.items);
            line["passes"] = json!(self.passes);
            line["seconds"] = json!(self.elapsed.as_secs_f64());
            return output::json_line(&mut out, &line);
        }
        let passes = if self.passes == 1 { "1 pass".to_owned() } else { format!("{} passes", self.passes) };
        writeln!(out, "{text} ({passes}, {:.2} s)", self.elapsed.as_secs_f64())?;
        Ok(out.flush()?)
    }
}
