//! Photographs per second of a step of training, on made-up ones: what the network costs, not what they are read from.

use std::collections::BTreeMap;
use std::io::Write;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::Result;
use serde_json::json;

use crate::Tensor;
use crate::backend::{Device, Executable};
use crate::cli::context::Globals;
use crate::cli::{Outcome, output};
use crate::error::Field;
use crate::networks::{ModelDef, NetworkSpec};
use crate::ops::OptimizerKind;
use crate::train::network::{self, Loss, NetworkOptions, slot};
use crate::train::parameters::{Parameters, Spec};
use crate::{Error, Shape};

#[derive(Debug, clap::Args)]
#[group(id = "train")]
pub struct Args {
    /// Photographs of a batch
    #[arg(long = "batch", default_value_t = 16, value_name = "N", id = "train_batch")]
    batch: usize,
    /// Side of the input in pixels [default: what the network takes]
    #[arg(long = "size", value_name = "PIXELS", id = "train_size")]
    size: Option<usize>,
    /// People that the classifier tells apart
    #[arg(long, default_value_t = 1000, value_name = "N")]
    classes: usize,
    /// Length of an embedding [default: 512, DeepFace 4096]
    #[arg(long, value_name = "N")]
    embedding_size: Option<usize>,
    /// Steps go on this long; there is at least one
    #[arg(long, default_value_t = 3.0, value_name = "SECONDS")]
    seconds: f64,
    /// Show the time of each kind of op, by one more step
    #[arg(long)]
    ops: bool,
}

impl Args {
    /// A classifier with Adagrad, the original's default, and nothing else that could be left out.
    fn options(&self) -> NetworkOptions {
        NetworkOptions {
            loss: Loss::Softmax { center_factor: 0.0, center_alfa: 0.95, norm_factor: 0.0, norm_p: 1.0 },
            optimizer: OptimizerKind::Adagrad,
            average: false,
            weight_decay: 5e-4,
            keep_probability: 1.0,
            seed: 1,
            batch: self.batch,
            recompute: Vec::new(),
        }
    }

    /// The step of training as a plan, on states that were set to their beginnings.
    fn plan(&self, globals: &Globals, device: &Device) -> Result<Box<dyn Executable>> {
        let network = self.network(globals)?;
        let parameters =
            Parameters::new(Spec { network, classes: Some(self.classes), gamma: network.def.has_gamma() })?;
        let options = self.options();
        let start = parameters.initial(options.seed);
        let centers = self.classes * network.embedding_size;
        let lengths = [options.rows() * parameters.weights_len(), parameters.norms_len(), centers];
        let states = device.backend().states(&lengths)?;
        let mut weights = start.weights;
        for &first in options.optimizer.initial() {
            weights.resize(weights.len() + parameters.weights_len(), first);
        }
        states.write(slot::WEIGHTS, &weights)?;
        states.write(slot::NORMS, &start.norms)?;
        let mut shapes = vec![self.image(&network), Shape::from([self.batch])];
        shapes.extend([[1], [1], [3]].map(Shape::from));
        let graph = Arc::new(network::step(&parameters, &options)?.graph);
        Ok(states.load_in(graph, globals.precision)?.plan(&shapes)?)
    }

    /// The network that is trained: --model-def, else Inception-ResNet-v1 as it is published with 512 values.
    fn network(&self, globals: &Globals) -> crate::Result<NetworkSpec> {
        let def = globals.model_def.unwrap_or(ModelDef::InceptionResnetV1);
        let network = NetworkSpec::new(def).side(self.size.unwrap_or(def.crop()));
        network.check_size(Field("size"))?;
        Ok(network.embedding_size(self.embedding_size.unwrap_or(network.embedding_size.max(512))))
    }

    /// Extents of a batch.
    fn image(&self, network: &NetworkSpec) -> Shape {
        Shape::from([self.batch, network.side, network.side, 3])
    }

    pub fn run(&self, globals: &Globals) -> Result<Outcome> {
        for (name, least) in [("batch", self.batch), ("classes", self.classes)] {
            if least == 0 {
                return Err(Error::invalid(Field(name), "must be at least 1").into());
            }
        }
        let device = globals.open_device()?;
        let executable = self.plan(globals, &device)?;
        let pixels = Tensor::filler(self.image(&self.network(globals)?)).into_data();
        let labels: Vec<f32> = (0..self.batch).map(|i| (i % self.classes) as f32).collect();
        let inputs: [&[f32]; 5] = [&pixels, &labels, &[0.0], &[1.0], &[0.01, 1.0, 0.0]];
        let first_loss = executable.run(&inputs)?[0][0];
        let (begin, mut steps) = (Instant::now(), 0);
        while steps == 0 || begin.elapsed().as_secs_f64() < self.seconds {
            executable.run(&inputs)?;
            steps += 1;
        }
        let seconds = begin.elapsed().as_secs_f64();
        let ops = if self.ops { by_op(&*executable, &inputs)? } else { Vec::new() };
        let rate = (steps * self.batch) as f64 / seconds;
        self.print(globals, &device, &Timing { first_loss, steps, seconds, rate, ops })?;
        Ok(Outcome::Done)
    }

    fn print(&self, globals: &Globals, device: &Device, timing: &Timing) -> Result<()> {
        let Timing { first_loss, steps, seconds, rate, ops } = timing;
        let mut out = output::stdout();
        if globals.json {
            let ops: Vec<_> =
                ops.iter().map(|(stem, count, ms)| json!({ "op": stem, "count": count, "ms": ms })).collect();
            let line = json!({
                "task": "train", "device": device.info(), "precision": globals.precision, "batch": self.batch,
                "size": self.network(globals)?.side, "network": self.network(globals)?.def, "steps": steps, "seconds": seconds, "photographs_per_second": rate,
                "first_loss": first_loss, "ops": ops,
            });
            return output::json_line(&mut out, &line);
        }
        let total: f64 = ops.iter().map(|(.., ms)| ms).sum();
        for (stem, count, ms) in ops {
            writeln!(out, "{stem:<24} {count:>5} {ms:>10.3} ms {:>6.2} %", 100.0 * ms / total)?;
        }
        let steps = output::count(*steps, "step");
        writeln!(out, "{rate:.2} photographs/s, {steps} of {} in {seconds:.2} s", self.batch)?;
        Ok(out.flush()?)
    }
}

/// What was timed.
struct Timing {
    first_loss: f32,
    steps: usize,
    seconds: f64,
    /// Photographs per second.
    rate: f64,
    /// Stem, count and milliseconds of each kind of op, slowest first.
    ops: Vec<(&'static str, usize, f64)>,
}

/// The kinds of ops of one step: stem, count and milliseconds, slowest first.
fn by_op(executable: &dyn Executable, inputs: &[&[f32]]) -> Result<Vec<(&'static str, usize, f64)>> {
    let mut ops: BTreeMap<&str, (usize, Duration)> = BTreeMap::new();
    for (step, time) in executable.plan().steps.iter().zip(executable.profile(inputs)?) {
        let (count, sum) = ops.entry(step.op.stem()).or_default();
        (*count, *sum) = (*count + 1, *sum + time);
    }
    let milliseconds = |(stem, (count, time)): (_, (_, Duration))| (stem, count, time.as_secs_f64() * 1e3);
    let mut ops: Vec<_> = ops.into_iter().map(milliseconds).collect();
    ops.sort_by(|a, b| b.2.total_cmp(&a.2));
    Ok(ops)
}
