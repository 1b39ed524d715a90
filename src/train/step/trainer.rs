//! Steps of training on a device: weights and what the optimizer remembers stay there, batches go in, losses come out.

use std::sync::Arc;

use crate::Precision;
use crate::backend::{Device, Executable, States};
use crate::error::{Field, message};
use crate::ops::OptimizerKind;
use crate::train::budget::{self, Choice, Cost};
use crate::train::network::{self, NetworkOptions, Output, slot};
use crate::train::parameters::{Parameters, Values};
use crate::{Error, Plan, Result, Shape};

/// What a step said.
#[derive(Clone, Debug, PartialEq)]
pub struct StepOutcome {
    /// The whole loss: its parts with their factors, and the weights' decay.
    pub total: f32,
    /// The parts that there are, without their factors.
    pub parts: Vec<(Output, f32)>,
    /// Whether the gradients were finite, and the weights changed.
    pub finite: bool,
    /// `[n, d]`: the batch's embeddings before the step, where the loss is of distances.
    pub embeddings: Vec<f32>,
}

impl StepOutcome {
    /// A part of the loss, or the accuracy.
    pub fn part(&self, output: Output) -> Option<f32> {
        self.parts.iter().find(|(part, _)| *part == output).map(|(_, value)| *value)
    }
}

/// The factor of the loss that keeps small gradients above zero in f16: halved when a gradient overflows, doubled when
/// none did for a while (Micikevicius et al. 2018).
#[derive(Clone, Copy, Debug, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct LossScale {
    value: f32,
    /// Steps since it last changed.
    good: u32,
}

impl LossScale {
    /// Steps without overflow until it doubles.
    const PATIENCE: u32 = 2000;

    fn new(precision: Precision) -> Self {
        LossScale { value: if precision == Precision::F16 { 65536.0 } else { 1.0 }, good: 0 }
    }

    fn after(self, finite: bool, precision: Precision) -> Self {
        match (precision, finite) {
            (Precision::F16, false) => LossScale { value: (self.value / 2.0).max(1.0), good: 0 },
            (Precision::F16, true) if self.good + 1 == Self::PATIENCE => {
                LossScale { value: (self.value * 2.0).min(16_777_216.0), good: 0 }
            }
            _ => LossScale { good: self.good.saturating_add(1).min(Self::PATIENCE), ..self },
        }
    }
}

/// What a run's states hold, for a checkpoint.
#[derive(Clone, Debug, PartialEq)]
pub struct Snapshot {
    /// Row after row, as [`slot::WEIGHTS`] has them.
    pub weights: Vec<f32>,
    /// As [`slot::NORMS`].
    pub norms: Vec<f32>,
    /// As [`slot::CENTERS`]; empty where there are none.
    pub centers: Vec<f32>,
}

/// What is computed twice for want of memory.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Recomputed {
    /// Blocks whose values are computed again for the gradients.
    pub blocks: usize,
    /// Blocks of the network.
    pub of: usize,
    /// The operations of that, as a part of a step's without it.
    pub work: f64,
}

/// A network in training on a device.
pub struct Trainer {
    device: Device,
    states: Arc<dyn States>,
    parameters: Parameters,
    options: NetworkOptions,
    precision: Precision,
    executable: Box<dyn Executable>,
    outputs: Vec<Output>,
    recomputed: Recomputed,
    peak: u64,
    scale: LossScale,
    step: u64,
}

impl Trainer {
    /// A network with these values, planned for batches of `options.batch` photographs of the network's side. Where the plan
    /// takes more than `budget` bytes, those blocks are computed again for the gradients, beside `options.recompute`,
    /// that let it fit with the least work ([`budget::choose`]).
    ///
    /// # Errors
    /// [`Error::TooLarge`] for a budget that nothing fits, or a step that the device's memory cannot hold;
    /// [`Error::Invalid`] for options that make no sense; the device's.
    pub fn new(
        device: &Device,
        parameters: Parameters,
        options: NetworkOptions,
        values: &Values,
        precision: Precision,
        budget: Option<u64>,
    ) -> Result<Self> {
        let n = parameters.weights_len();
        let centers = parameters.spec().classes.unwrap_or(0) * parameters.spec().network.embedding_size;
        let lengths = [options.rows() * n, parameters.norms_len(), centers];
        let shapes = shapes(&options, parameters.spec().network.side);
        let Fit { options, step, recomputed, bytes } =
            fit(&parameters, options, &shapes, precision, budget, lengths.iter().sum())?;
        let info = device.backend().info();
        if let Some(room) = info.memory.filter(|&room| room < bytes) {
            let [bytes, room] = [bytes, room].map(|bytes| bytes.div_ceil(1 << 20));
            let takes = format!("{bytes} MiB, and {} has {room} MiB; use a smaller batch, or ", info.name);
            let problem = message![takes, Field("memory_budget")];
            return Err(Error::TooLarge { what: "memory of a step".to_owned(), problem });
        }
        let states = device.backend().states(&lengths)?;
        let executable = states.load_in(Arc::new(step.graph), precision)?.plan(&shapes)?;
        let trainer = Trainer {
            device: device.clone(),
            states,
            recomputed,
            peak: bytes,
            scale: LossScale::new(precision),
            step: 0,
            outputs: step.outputs,
            parameters,
            options,
            precision,
            executable,
        };
        trainer.begin(values)?;
        Ok(trainer)
    }

    /// The values with everything that the optimizer remembers as it is at the start.
    fn begin(&self, values: &Values) -> Result<()> {
        let n = self.parameters.weights_len();
        let mut weights = values.weights.clone();
        for &start in self.options.optimizer.initial() {
            weights.resize(weights.len() + n, start);
        }
        if self.options.average {
            weights.extend_from_slice(&values.weights);
        }
        self.states.write(slot::WEIGHTS, &weights)?;
        self.states.write(slot::NORMS, &values.norms)
    }

    /// One step at this learning rate; `decay` is the most of the old average that stays. `pixels: [n, side, side, 3]`;
    /// `labels: [n]`, for a classifier.
    ///
    /// # Errors
    /// The device's.
    pub fn step(&mut self, pixels: &[f32], labels: &[u32], rate: f32, decay: f32) -> Result<StepOutcome> {
        let labels: Vec<f32> = labels.iter().map(|&label| label as f32).collect();
        let at = [self.step as f32];
        let scale = [self.scale.value];
        // As `tf.train.ExponentialMovingAverage` with the number of updates.
        let done = self.step as f32;
        let decay = decay.min((1.0 + done) / (10.0 + done));
        let rates = [corrected(self.options.optimizer, rate, self.step + 1), 1.0 / self.scale.value, decay];
        let mut inputs: Vec<&[f32]> = vec![pixels];
        if self.options.loss.is_classifier() {
            inputs.push(&labels);
        }
        inputs.extend([&at[..], &scale, &rates]);
        let outputs = self.executable.run(&inputs)?;
        let (mut parts, mut finite, mut embeddings) = (Vec::new(), true, Vec::new());
        for (output, values) in self.outputs.iter().zip(outputs) {
            match output {
                Output::Finite => finite = values == [1.0],
                Output::Embeddings => embeddings = values,
                _ => parts.push((*output, values[0])),
            }
        }
        let total = parts.iter().map(|&(output, value)| self.options.factor(output) * value).sum();
        self.scale = self.scale.after(finite, self.precision);
        self.step += 1;
        Ok(StepOutcome { total, parts, finite, embeddings })
    }

    /// The parts of the loss that a step tells, in order.
    pub fn parts(&self) -> impl Iterator<Item = Output> {
        let told = |output: &Output| !matches!(output, Output::Finite | Output::Embeddings);
        self.outputs.iter().copied().filter(told)
    }

    /// Steps done.
    pub fn steps(&self) -> u64 {
        self.step
    }

    /// The device.
    pub fn device(&self) -> &Device {
        &self.device
    }

    /// Where everything that is trained lies.
    pub fn parameters(&self) -> &Parameters {
        &self.parameters
    }

    /// How steps are made.
    pub fn options(&self) -> &NetworkOptions {
        &self.options
    }

    /// The values that runs change.
    pub fn states(&self) -> &Arc<dyn States> {
        &self.states
    }

    /// In which arithmetic.
    pub fn precision(&self) -> Precision {
        self.precision
    }

    /// The loss scale at hand.
    pub fn loss_scale(&self) -> LossScale {
        self.scale
    }

    /// What is computed again for the gradients.
    pub fn recomputed(&self) -> Recomputed {
        self.recomputed
    }

    /// Bytes of the states and of the values of a step.
    pub fn peak_memory(&self) -> u64 {
        self.peak
    }

    /// The weights and running averages at hand; `average` asks for the weights' moving average.
    ///
    /// # Errors
    /// The device's; [`Error::Invalid`] if no average is kept.
    pub fn values(&self, average: bool) -> Result<Values> {
        let n = self.parameters.weights_len();
        let mut weights = self.states.read(slot::WEIGHTS)?;
        if average {
            if !self.options.average {
                return Err(Error::invalid(
                    "moving average",
                    message!["none is kept; give a ", Field("moving_average_decay"), " above 0"],
                ));
            }
            weights.drain(..weights.len() - n);
        }
        weights.truncate(n);
        Ok(Values { weights, norms: self.states.read(slot::NORMS)? })
    }

    /// Everything that a checkpoint needs, but for the numbers of steps and the loss scale.
    ///
    /// # Errors
    /// The device's.
    pub fn snapshot(&self) -> Result<Snapshot> {
        Ok(Snapshot {
            weights: self.states.read(slot::WEIGHTS)?,
            norms: self.states.read(slot::NORMS)?,
            centers: self.states.read(slot::CENTERS)?,
        })
    }

    /// Goes on from a snapshot.
    ///
    /// # Errors
    /// The device's; [`Error::Invalid`] for a snapshot of another network or optimizer.
    pub fn restore(&mut self, snapshot: &Snapshot, step: u64, scale: LossScale) -> Result<()> {
        self.states.write(slot::WEIGHTS, &snapshot.weights)?;
        self.states.write(slot::NORMS, &snapshot.norms)?;
        self.states.write(slot::CENTERS, &snapshot.centers)?;
        (self.step, self.scale) = (step, scale);
        Ok(())
    }
}

/// The extents of a step's inputs.
fn shapes(options: &NetworkOptions, side: usize) -> Vec<Shape> {
    let mut shapes = vec![Shape::from([options.batch, side, side, 3])];
    if options.loss.is_classifier() {
        shapes.push([options.batch].into());
    }
    shapes.extend([[1], [1], [3]].map(Shape::from));
    shapes
}

/// A step that fits.
struct Fit {
    options: NetworkOptions,
    step: network::Step,
    recomputed: Recomputed,
    /// Of states and values, at the peak.
    bytes: u64,
}

/// The step with the least computed again that a budget of bytes allows.
fn fit(
    parameters: &Parameters,
    mut options: NetworkOptions,
    shapes: &[Shape],
    precision: Precision,
    budget: Option<u64>,
    states: usize,
) -> Result<Fit> {
    let states = 4 * states as u64;
    let always = options.recompute.clone();
    let with = |again: &[usize]| NetworkOptions { recompute: [&always, again].concat(), ..options.clone() };
    let mut first = None;
    let measure = |again: &[usize]| {
        let step = network::step(parameters, &with(again))?;
        let plan = Plan::in_precision(Arc::new(step.graph), shapes, precision)?;
        let cost = Cost { bytes: states + precision.stored(plan.arena), flops: plan.flops() };
        first.get_or_insert(cost);
        Ok(cost)
    };
    let blocks = network::step(parameters, &options)?.blocks;
    match budget::choose(blocks, budget.unwrap_or(u64::MAX), measure)? {
        Choice::Fits(again, cost) => {
            options.recompute = with(&again).recompute;
            let step = network::step(parameters, &options)?;
            let whole = first.map_or(cost.flops, |first| first.flops);
            let recomputed = Recomputed {
                blocks: options.recompute.len(),
                of: blocks,
                work: cost.flops as f64 / whole.max(1) as f64 - 1.0,
            };
            Ok(Fit { options, step, recomputed, bytes: cost.bytes })
        }
        Choice::Least(least) => {
            let mib = |bytes: u64| bytes.div_ceil(1 << 20);
            let problem = format!(
                "a step takes {} MiB with everything computed again that helps; use a smaller batch",
                mib(least)
            );
            let what = format!("memory budget of {} MiB", mib(budget.unwrap_or_default()));
            Err(Error::TooLarge { what, problem: problem.into() })
        }
    }
}

/// The learning rate that the optimizer's kernel takes at step `t`, counted from 1: Adam's correction of the bias is in
/// it, as TensorFlow has it.
fn corrected(kind: OptimizerKind, rate: f32, t: u64) -> f32 {
    match kind {
        OptimizerKind::Adam => {
            let power = |beta: f64| 1.0 - beta.powf(t as f64);
            (f64::from(rate) * power(0.999).sqrt() / power(0.9)) as f32
        }
        _ => rate,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_loss_scale_falls_at_once_and_rises_slowly() {
        let mut scale = LossScale::new(Precision::F16);
        scale = scale.after(false, Precision::F16);
        assert_eq!(scale.value, 32768.0);
        for _ in 0..LossScale::PATIENCE - 1 {
            scale = scale.after(true, Precision::F16);
        }
        assert_eq!(scale.value, 32768.0);
        assert_eq!(scale.after(true, Precision::F16).value, 65536.0);
        assert_eq!(LossScale::new(Precision::F32).after(false, Precision::F32).value, 1.0);
    }

    #[test]
    fn budgets_are_met_with_less_work_than_by_the_first_blocks() {
        use crate::networks::{ModelDef, NetworkSpec, Width};
        use crate::train::parameters::Spec;
        let network =
            NetworkSpec::new(ModelDef::InceptionResnetV1).width(Width::of_stem(4).unwrap()).embedding_size(16);
        let parameters = Parameters::new(Spec { network, classes: Some(9), gamma: false }).unwrap();
        let with = |recompute| NetworkOptions {
            loss: crate::train::network::Loss::Softmax {
                center_factor: 0.0,
                center_alfa: 0.9,
                norm_factor: 0.0,
                norm_p: 1.0,
            },
            optimizer: OptimizerKind::Adagrad,
            average: false,
            weight_decay: 0.0,
            keep_probability: 1.0,
            seed: 1,
            batch: 16,
            recompute,
        };
        let shapes = shapes(&with(Vec::new()), 160);
        let cost = |recompute: Vec<usize>| {
            let graph = Arc::new(network::step(&parameters, &with(recompute)).unwrap().graph);
            let plan = Plan::new(graph, &shapes).unwrap();
            (4 * plan.arena as u64, plan.flops())
        };
        let blocks = network::step(&parameters, &with(Vec::new())).unwrap().blocks;
        let prefixes: Vec<(u64, u64)> = (0..=blocks).map(|n| cost((0..n).collect())).collect();
        let (most, least) = (prefixes[0].0, prefixes.iter().map(|cost| cost.0).min().unwrap());
        let mut saved = 0;
        for part in 0..4 {
            let budget = least + (most - least) * part / 4;
            let fit = fit(&parameters, with(Vec::new()), &shapes, Precision::F32, Some(budget), 0).unwrap();
            let found = cost(fit.options.recompute.clone());
            assert!(found.0 <= budget && found.0 == fit.bytes, "{found:?} over {budget}");
            let work = found.1 as f64 / prefixes[0].1 as f64 - 1.0;
            assert!((work - fit.recomputed.work).abs() < 1e-9 && fit.recomputed.of == blocks);
            let first = prefixes.iter().find(|cost| cost.0 <= budget).unwrap();
            assert!(found.1 <= first.1, "budget {budget}: {found:?}, and the first blocks take {first:?}");
            saved += first.1 - found.1;
        }
        assert!(saved > 0);
        let none = fit(&parameters, with(Vec::new()), &shapes, Precision::F32, Some(1 << 10), 0);
        assert!(none.is_err_and(|error| error.to_string().contains("smaller batch")));
    }

    #[test]
    fn adams_rate_is_tensorflows() {
        // lr * sqrt(1 - 0.999) / (1 - 0.9) at the first step.
        assert!((corrected(OptimizerKind::Adam, 0.1, 1) - 0.031_622_8).abs() < 1e-6);
        assert_eq!(corrected(OptimizerKind::Adagrad, 0.1, 1), 0.1);
    }
}
