//! Servers to be tested: within the test with a network of a few operations, or the program itself.

use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use warpface::face::{Aligner, DetectOptions, EmbedOptions, Embeddings, Standardize};
use warpface::graph::Constant;
use warpface::image::Rgb8;
use warpface::ops::{Dense, Flatten, L2Normalize, MaxPool2d, Metric, Padding};
use warpface::serve::{Engine, Options, Rows, Server, Stop, Threshold};
use warpface::vectors::search::{Hit, Neighbours};
use warpface::{Detector, Device, Embedder, Graph, Result};

use crate::client;
use crate::common::{self, Noise, command, files};

/// Side of the small network's crops.
pub const SIZE: usize = 32;
/// Values of its embeddings.
pub const DIM: usize = 16;

/// A network of a few operations that tells any two crops apart.
pub fn embedder(device: &Device, batch: usize) -> Embedder {
    let mut graph = Graph::new();
    let x = graph.input("image");
    let x = graph.op("pool", MaxPool2d { kernel: [4, 4], stride: [4, 4], padding: Padding::Valid }, &[x]);
    let x = graph.op("flat", Flatten, &[x]);
    let w = graph.param("w", Constant::from(Noise::new(3).signed(&[DIM, SIZE / 4 * SIZE / 4 * 3])));
    let x = graph.op("dense", Dense { bias: false, activation: Default::default() }, &[x, w]);
    let x = graph.op("embeddings", L2Normalize { epsilon: 1e-10 }, &[x]);
    graph.output(x);
    let options = EmbedOptions::from(Standardize::Prewhiten).size(SIZE).batch(batch);
    Embedder::new(device, graph, options).unwrap()
}

/// A crop of noise.
pub fn crop(seed: u64) -> Rgb8 {
    let pixels = Noise::new(seed).bytes(&[SIZE, SIZE, 3]);
    Rgb8::new(SIZE, SIZE, pixels.data().iter().map(|&x| x as u8).collect())
}

/// A crop as PNG.
pub fn png(crop: &Rgb8) -> Vec<u8> {
    warpface::image::encode_png(crop).unwrap()
}

struct Searched<'a>(Neighbours<'a>);

impl Rows for Searched<'_> {
    fn nearest(&self, queries: &Embeddings, k: usize) -> Result<Vec<Vec<Hit>>> {
        self.0.nearest(queries, k)
    }

    fn name(&self, row: usize) -> Option<&str> {
        (row == 0).then_some("the first")
    }

    fn count(&self) -> usize {
        self.0.len()
    }
}

/// A threshold that a test goes by.
fn threshold(metric: Metric, distance: f64) -> Threshold {
    Threshold { metric, distance, origin: "a test's".into() }
}

/// A server within the test.
pub struct Small {
    pub address: SocketAddr,
    stop: Stop,
    thread: Option<JoinHandle<Result<()>>>,
}

impl Small {
    /// With the usual options, or a loud skip where the detector's weights are missing.
    pub fn start(set: impl FnOnce(&mut Options)) -> Option<Small> {
        let weights = common::weights(&files::MTCNN)?;
        let mut options = Options { listen: ([127, 0, 0, 1], 0).into(), ..Options::default() };
        set(&mut options);
        let (tell, told) = mpsc::channel();
        let thread = std::thread::spawn(move || {
            let server = Server::bind(options)?;
            tell.send((server.address(), server.stop())).unwrap();
            let device = Device::cpu(1)?;
            let detector = Detector::load(&device, weights, &DetectOptions::default())?;
            let embedder = embedder(&device, 4);
            let rows = Embeddings::new(DIM, Noise::new(8).signed(&[50, DIM]).data().to_vec());
            let searched = Searched(Neighbours::new(&device, &rows)?);
            server.run(&Engine {
                detector: &detector,
                aligner: Aligner::new(embedder.alignment()),
                embedder: &embedder,
                resize: false,
                rows: Some(&searched),
                thresholds: vec![threshold(Metric::Euclidean, 1.0), threshold(Metric::Cosine, 0.4)],
                model: "small".into(),
            })
        });
        let (address, stop) = told.recv().unwrap();
        let small = Small { address, stop, thread: Some(thread) };
        wait_until_ready(address);
        Some(small)
    }

    /// Asks it to end.
    pub fn stop(&self) {
        self.stop.request();
    }

    /// Waits until it has ended.
    pub fn end(mut self) {
        self.stop();
        self.thread.take().unwrap().join().unwrap().unwrap();
    }
}

impl Drop for Small {
    fn drop(&mut self) {
        self.stop();
        if let Some(thread) = self.thread.take().filter(|_| !std::thread::panicking()) {
            thread.join().unwrap().unwrap();
        }
    }
}

/// Waits until a server has its models.
pub fn wait_until_ready(address: SocketAddr) {
    let start = Instant::now();
    while client::get(address, "/v2/health/ready").status != 200 {
        assert!(start.elapsed() < Duration::from_secs(60), "it is never ready");
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// The program, serving with the real networks.
pub struct Program {
    pub address: SocketAddr,
    pub child: Child,
}

impl Program {
    /// Started, and ready; or a loud skip where weights are missing.
    pub fn start(args: &[&str]) -> Option<Program> {
        let weights = common::weights(&files::ALL)?;
        let program = Program::launch(&weights, args, "127.0.0.1:0");
        wait_until_ready(program.address);
        Some(program)
    }

    /// Started; it listens.
    pub fn launch(weights: &Path, args: &[&str], listen: &str) -> Program {
        let globals = ["serve", "--json", "--device", "cpu", "--weights", command::text(weights), "--listen", listen];
        let model = weights.join("graph_final.pb");
        let model = ["--model", command::text(&model)];
        let mut command: Command = command::command(&[&globals, &model[..], args].concat());
        let mut child = command.stdout(Stdio::piped()).spawn().unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let line: serde_json::Value = serde_json::from_str(&line).unwrap();
        Program { address: line["address"].as_str().unwrap().parse().unwrap(), child }
    }

    /// Sends it a signal.
    pub fn signal(&self, name: &str) {
        let kill = Command::new("kill").args([name, &self.child.id().to_string()]).status().unwrap();
        assert!(kill.success());
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
