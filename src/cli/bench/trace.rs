//! Where the time goes, as a file that Perfetto and Chrome's trace viewer open: JSON trace events, a track for each
//! kind of work. What the host does is timed by the host; a device's steps are timed by the device in a run of their
//! own ([`Executable::profile`]) and laid end to end.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::Result;
use serde_json::{Value, json};

use crate::Precision;
use crate::backend::Device;
use crate::cli::context::Globals;
use crate::face::DetectOptions;
use crate::files::Aside;
use crate::image::{self, Rgb8};
use crate::ops::{Crop, Relu};
use crate::{Error, Graph, Shape, Tensor};

/// The tracks, from the file to the result.
pub const DECODE: &str = "decode";
pub const UPLOAD: &str = "upload";
pub const RUN: &str = "run (host: upload, kernels, download)";
pub const DEVICE: &str = "device (profiled run)";
pub const DOWNLOAD: &str = "download";
/// Photographs that are traced, at most: a trace is looked at, not counted.
const PHOTOGRAPHS: usize = 32;

/// The flag of every bench.
#[derive(Debug, clap::Args)]
pub struct TraceArgs {
    /// Write a trace of decoding, upload, kernels and download, which Perfetto opens
    #[arg(long, value_name = "FILE.json")]
    trace: Option<PathBuf>,
}

impl TraceArgs {
    /// The trace that was asked for.
    pub fn open(&self) -> Result<Option<Trace>> {
        self.trace.as_deref().map(Trace::create).transpose()
    }
}

/// A trace being taken.
pub struct Trace {
    path: PathBuf,
    file: Aside,
    start: Instant,
    tracks: Vec<&'static str>,
    events: Vec<Value>,
}

impl Trace {
    /// Creates the file at once: one that cannot be written is an error before anything is measured.
    fn create(path: &Path) -> Result<Trace> {
        let file = Aside::create(path).map_err(Error::io(path, "create"))?;
        Ok(Trace { path: path.to_owned(), file, start: Instant::now(), tracks: Vec::new(), events: Vec::new() })
    }

    /// Times a piece of the host's work.
    pub fn span<T>(&mut self, track: &'static str, name: &str, work: impl FnOnce() -> T) -> T {
        let start = self.start.elapsed();
        let result = work();
        self.add(track, name, start, self.start.elapsed() - start, json!({ "clock": "host" }));
        result
    }

    fn add(&mut self, track: &'static str, name: &str, start: Duration, length: Duration, args: Value) {
        let id = self.tracks.iter().position(|known| *known == track).unwrap_or_else(|| {
            self.tracks.push(track);
            self.tracks.len() - 1
        });
        let micros = |time: Duration| time.as_nanos() as f64 / 1e3;
        self.events.push(json!({
            "ph": "X", "pid": 1, "tid": id + 1, "name": name, "ts": micros(start), "dur": micros(length), "args": args,
        }));
    }

    /// Decodes photographs one after the other.
    pub fn decode(&mut self, paths: &[PathBuf]) -> Vec<Rgb8> {
        let name = |path: &PathBuf| path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let traced = paths.iter().take(PHOTOGRAPHS);
        traced.filter_map(|path| self.span(DECODE, &name(path), || image::decode(path)).ok()).collect()
    }

    /// One run of a graph: its inputs' way in, the run as the host sees it, the steps as the device does, and the
    /// outputs' way out. The ways are timed by runs that do nothing else.
    pub fn plan(
        &mut self,
        device: &Device,
        name: &str,
        graph: Arc<Graph>,
        precision: Precision,
        input: &Shape,
    ) -> Result<()> {
        let backend = device.backend();
        let executable = backend.load_in(graph, precision)?.plan(std::slice::from_ref(input))?;
        let outputs: Vec<Shape> = executable.plan().outputs.iter().map(|view| view.shape.clone()).collect();
        let pixels = Tensor::filler(input.clone()).into_data();
        let results: Vec<Vec<f32>> = outputs.iter().map(|shape| Tensor::filler(shape.clone()).into_data()).collect();
        let results: Vec<&[f32]> = results.iter().map(Vec::as_slice).collect();
        let entrance = backend.load(Arc::new(entrance()))?.plan(std::slice::from_ref(input))?;
        let exit = backend.load(Arc::new(exit(outputs.len())))?.plan(&outputs)?;
        // What is loaded or captured late is so before anything counts.
        for _ in 0..3 {
            executable.run(&[&pixels])?;
            entrance.run(&[&pixels])?;
            exit.run(&results)?;
        }
        self.span(UPLOAD, &format!("{name}: {input}"), || entrance.run(&[&pixels]))?;
        self.span(RUN, &format!("{name}: {input}"), || executable.run(&[&pixels]))?;
        let start = self.start.elapsed();
        let times = executable.profile(&[&pixels])?;
        let what = json!({ "clock": "device", "precision": precision, "device": device.to_string() });
        self.add(DEVICE, &format!("{name}: {input}"), start, times.iter().sum(), what);
        let plan = executable.plan();
        let mut at = start;
        for (step, time) in plan.steps.iter().zip(times) {
            let args = json!({ "op": step.op.stem(), "output": step.output.shape.dims(), "flops": step.flops });
            self.add(DEVICE, &plan.graph.nodes()[step.node.index()].name, at, time, args);
            at += time;
        }
        self.span(DOWNLOAD, &format!("{name}: its outputs"), || exit.run(&results))?;
        Ok(())
    }

    /// The three networks of a cascade: P-Net on the largest level of a photograph, the others on batches.
    pub fn networks(
        &mut self,
        device: &Device,
        globals: &Globals,
        options: &DetectOptions,
        photo: &Rgb8,
    ) -> Result<()> {
        let networks = globals.read_detector()?;
        let level = |extent: usize| (extent * 12).div_ceil(options.min_size).max(12);
        let pnet = [1, level(photo.height()), level(photo.width()), 3].into();
        self.plan(device, "P-Net", networks.pnet, Precision::F32, &pnet)?;
        self.plan(device, "R-Net", networks.rnet, Precision::F32, &[32, 24, 24, 3].into())?;
        self.plan(device, "O-Net", networks.onet, Precision::F32, &[16, 48, 48, 3].into())
    }

    /// Writes the file.
    pub fn finish(self) -> Result<()> {
        let names = self.tracks.iter().enumerate().flat_map(|(id, track)| {
            let meta =
                |name: &str, args: Value| json!({ "ph": "M", "pid": 1, "tid": id + 1, "name": name, "args": args });
            [meta("thread_name", json!({ "name": track })), meta("thread_sort_index", json!({ "sort_index": id }))]
        });
        let process = json!({ "ph": "M", "pid": 1, "name": "process_name", "args": { "name": "warpface" } });
        let events: Vec<Value> = std::iter::once(process).chain(names).chain(self.events).collect();
        let text = json!({ "displayTimeUnit": "ms", "traceEvents": events }).to_string();
        let mut file = self.file;
        file.write_all(text.as_bytes()).and_then(|()| file.put()).map_err(Error::io(&self.path, "write"))?;
        eprintln!("trace: {}", self.path.display());
        Ok(())
    }
}

/// Takes images, and returns one pixel of each: what brings them in is all there is to it.
fn entrance() -> Graph {
    let mut graph = Graph::new();
    let x = graph.input("x");
    let y = graph.op("one pixel", Crop { y: 0, x: 0, h: 1, w: 1 }, &[x]);
    graph.output(y);
    graph
}

/// Takes `n` tensors and returns as much.
fn exit(n: usize) -> Graph {
    let mut graph = Graph::new();
    for i in 0..n {
        let x = graph.input(&format!("x{i}"));
        let y = graph.op("relu", Relu, &[x]);
        graph.output(y);
    }
    graph
}
