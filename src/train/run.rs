//! What every run of training does between steps: tells, records, evaluates, saves, and ends when it is asked to.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Instant;

use serde::{Deserialize, Serialize};

use super::checkpoint::{Checkpoint, Checkpoints, Named};
use super::dataset::Dataset;
use super::events::Events;
use super::fixed::FixedTriplets;
use super::history::{Epoch, History};
use super::inference::Inference;
use super::interrupt::Interrupt;
use super::network::Output;
use super::parameters::Parameters;
use super::progress::{self, Progress};
use super::sampler::Item;
use super::schedule::Schedule;
use super::summary::{self, Summary};
use super::tensors;
use super::trainer::{LossScale, Outcome, Trainer};
use super::triplets::Triplet;
use super::verify::Verification;
use crate::ops::OptimizerKind;
use crate::{Error, Result};

/// How long a run goes, and what is done on the way.
#[derive(Clone, Debug)]
pub struct Course {
    /// `softmax` or `triplet`.
    pub kind: &'static str,
    /// The learning rates.
    pub schedule: Schedule,
    /// The number that the schedule gives the first epoch.
    pub first_epoch: u32,
    /// The most of the weights' old average that stays after a step.
    pub average_decay: f32,
    /// Epochs in all.
    pub epochs: u32,
    /// Steps of an epoch.
    pub epoch_size: u32,
    /// Steps between checkpoints, which come after every epoch as well; 0 for those alone.
    pub checkpoint_every: u64,
    /// Epochs between evaluations.
    pub evaluate_every: u32,
    /// Whether histograms of the weights are written after each epoch.
    pub histograms: bool,
    /// Every setting by its flag's name, for the record and for going on.
    pub settings: serde_json::Value,
    /// The page that tells of the run.
    pub page: PathBuf,
    /// The run's seed.
    pub seed: u64,
}

/// Images whose triplets are being trained on.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Pool {
    /// The pool's number in the run.
    pub number: u64,
    /// Its images.
    pub items: Vec<Item>,
    /// The triplets, and how many of them are done.
    pub triplets: Vec<Triplet>,
    /// How many of them are done.
    pub done: usize,
}

/// Where a run is, as its checkpoints' JSON has it.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct State {
    /// `softmax` or `triplet`.
    pub kind: String,
    /// Every setting by its flag's name.
    pub settings: serde_json::Value,
    /// Whom the classes stand for.
    pub people: Vec<String>,
    /// Which photographs of them there are ([`Dataset::digest`]).
    pub photographs: String,
    /// Steps done.
    pub step: u64,
    /// The loss scale at hand.
    pub loss_scale: LossScale,
    /// The run's course so far.
    pub history: History,
    /// Seconds of training so far.
    pub seconds: f64,
    /// Images and people left out.
    pub left_out: Vec<String>,
    /// Pools begun, in triplet training.
    pub pools: u64,
    /// The pool at hand, in triplet training.
    pub pool: Option<Pool>,
    /// The step at which the table of the hardest negatives was made, where there is one.
    pub table_step: Option<u64>,
}

/// Whether training goes on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Next {
    /// With the next step.
    Step,
    /// It was asked to end, and a checkpoint holds everything.
    Interrupted,
}

/// Steps in a row whose gradients may be other than finite: an f16 loss scale falls by 2 to the power of so many.
const PATIENCE: u32 = 16;

/// A run of training.
pub struct Run<'a> {
    /// The network.
    pub trainer: Trainer,
    /// How long, and what on the way.
    pub course: Course,
    /// Whom it is trained on.
    pub dataset: Arc<Dataset>,
    /// Whom a classifier is validated on.
    pub validation: Option<Arc<Dataset>>,
    /// Triplets whose loss is measured.
    pub triplets: Option<FixedTriplets>,
    /// Pairs to be measured.
    pub verification: Option<Verification>,
    /// How images are embedded for that.
    pub inference: Inference<'a>,
    /// Where the run is.
    pub state: State,
    checkpoints: Checkpoints,
    events: Events,
    progress: Progress,
    interrupt: Interrupt,
    began: Instant,
    before: f64,
    epoch_began: Instant,
    bad_steps: u32,
    idle_steps: u32,
    last_file: PathBuf,
    table: Vec<i32>,
}

impl<'a> Run<'a> {
    /// A run that begins, or goes on from a checkpoint that was read.
    ///
    /// # Errors
    /// Folders that cannot be written; a checkpoint of another run.
    #[allow(clippy::too_many_arguments)]
    pub fn new(
        mut trainer: Trainer,
        course: Course,
        dataset: Arc<Dataset>,
        inference: Inference<'a>,
        (checkpoints, events_dir): (Checkpoints, PathBuf),
        from: Option<Checkpoint<State>>,
        left_out: Vec<String>,
    ) -> Result<Self> {
        let people: Vec<String> = dataset.people().iter().map(|person| person.name.clone()).collect();
        let mut table = Vec::new();
        let (state, last_file) = match from {
            None => {
                let losses: Vec<&str> = std::iter::once("loss").chain(names(&trainer)).collect();
                let state = State {
                    kind: course.kind.to_owned(),
                    settings: course.settings.clone(),
                    people,
                    photographs: dataset.digest(),
                    step: 0,
                    loss_scale: trainer.loss_scale(),
                    history: History::new(&losses),
                    seconds: 0.0,
                    left_out,
                    pools: 0,
                    pool: None,
                    table_step: None,
                };
                (state, checkpoints.dir().to_owned())
            }
            Some(mut checkpoint) => {
                if checkpoint.run.people != people {
                    let problem = format!(
                        "was made of {} people, and there are {} now or others; training goes on with the same folder only",
                        checkpoint.run.people.len(),
                        people.len()
                    );
                    return Err(Error::invalid(checkpoint.path.display().to_string(), problem));
                }
                if checkpoint.run.photographs != dataset.digest() {
                    let problem = format!(
                        "photographs were added to {} or taken from it: training goes on with the same ones only; restore \
                         them, or begin a new run with this checkpoint as its --pretrained-model",
                        dataset.dir().display()
                    );
                    return Err(Error::invalid(checkpoint.path.display().to_string(), problem));
                }
                let snapshot = tensors::snapshot(trainer.parameters(), trainer.options(), &mut checkpoint.tensors)?;
                if let Some(super::checkpoint::Stored::U32(stored)) = checkpoint.tensors.remove(TABLE) {
                    table = stored.data().iter().map(|&image| image as i32).collect();
                }
                trainer.restore(&snapshot, checkpoint.run.step, checkpoint.run.loss_scale)?;
                let settings = course.settings.clone();
                (State { settings, ..checkpoint.run }, checkpoint.path)
            }
        };
        let total = u64::from(course.epochs) * u64::from(course.epoch_size);
        Ok(Run {
            events: Events::create(&events_dir, state.step)?,
            progress: Progress::new(total, state.step, std::time::Duration::from_secs(10)),
            interrupt: Interrupt::install()?,
            began: Instant::now(),
            before: state.seconds,
            epoch_began: Instant::now(),
            bad_steps: 0,
            idle_steps: 0,
            validation: None,
            triplets: None,
            verification: None,
            trainer,
            course,
            dataset,
            inference,
            state,
            checkpoints,
            last_file,
            table,
        })
    }

    /// The epoch of the step at hand, counted from 0.
    pub fn epoch(&self) -> u32 {
        (self.state.step / u64::from(self.course.epoch_size)) as u32
    }

    /// The learning rate of the step at hand; `None` where training ends.
    pub fn rate(&self) -> Option<f32> {
        let epoch = self.epoch();
        let left = epoch < self.course.epochs;
        self.course.schedule.rate(epoch + self.course.first_epoch, self.state.step).filter(|_| left)
    }

    /// Tells something.
    pub fn say(&mut self, text: &str) {
        self.progress.say(text);
    }

    /// The table of the hardest negatives.
    pub fn table(&self) -> &[i32] {
        &self.table
    }

    /// A new table of the hardest negatives, made at the step at hand.
    pub fn set_table(&mut self, table: Vec<i32>) {
        self.table = table;
        self.state.table_step = Some(self.state.step);
    }

    /// Time that passed since the last step was not training's.
    pub fn pause(&mut self) {
        self.progress.pause();
    }

    /// One step on a batch, and what follows it.
    ///
    /// # Errors
    /// The device's; a disk that is full; gradients that stay other than finite.
    pub fn step(&mut self, pixels: &[f32], labels: &[u32], rate: f32) -> Result<Next> {
        let outcome = self.trainer.step(pixels, labels, rate, self.course.average_decay)?;
        self.tell(&outcome, rate)?;
        self.state.step = self.trainer.steps();
        self.check(&outcome)?;
        let within = self.state.step % u64::from(self.course.epoch_size);
        if within == 0 {
            self.end_epoch()?;
        } else if self.course.checkpoint_every > 0 && self.state.step.is_multiple_of(self.course.checkpoint_every) {
            self.save()?;
        }
        self.go_on()
    }

    /// Whether to go on; where not, a checkpoint is saved.
    ///
    /// # Errors
    /// As [`Run::save`].
    pub fn go_on(&mut self) -> Result<Next> {
        if !self.interrupt.requested() {
            return Ok(Next::Step);
        }
        self.save()?;
        Ok(Next::Interrupted)
    }

    fn tell(&mut self, outcome: &Outcome, rate: f32) -> Result<()> {
        let mut losses = vec![("loss", outcome.total)];
        // Parts of the loss with their factors, so that they sum up to it.
        let told = |&(output, value): &(Output, f32)| match output {
            Output::Accuracy => value,
            _ => self.trainer.options().factor(output) * value,
        };
        losses.extend(outcome.parts.iter().map(|part| (name(part.0, self.course.kind), told(part))));
        let step = self.state.step;
        let images = self.trainer.options().batch;
        let size = u64::from(self.course.epoch_size);
        self.progress.step(&progress::Step {
            epoch: self.epoch() + 1,
            epochs: self.course.epochs,
            batch: (step % size) as u32 + 1,
            epoch_size: self.course.epoch_size,
            losses: &losses,
            learning_rate: rate,
            images,
        });
        let speed = self.progress.images_per_second().unwrap_or(f64::NAN);
        let values: Vec<f32> = losses.iter().map(|(_, value)| *value).collect();
        self.state.history.step(step, &values, rate, speed);
        let tag = |name: &str| if name == "accuracy" { name.to_owned() } else { format!("loss/{name}") };
        let tags: Vec<(String, f32)> = losses.iter().map(|(name, value)| (tag(name), *value)).collect();
        let mut scalars: Vec<(&str, f32)> = tags.iter().map(|(tag, value)| (tag.as_str(), *value)).collect();
        scalars.extend([("learning_rate", rate), ("images_per_second", speed as f32)]);
        self.events.scalars(step, &scalars)
    }

    /// Gradients that are not finite change nothing; where they stay so, training has come apart.
    fn check(&mut self, outcome: &Outcome) -> Result<()> {
        self.idle_steps = if outcome.part(Output::Loss) == Some(0.0) { self.idle_steps + 1 } else { 0 };
        if self.idle_steps == PATIENCE && self.course.kind == "triplet" {
            self.say(&format!(
                "step {}: no triplet of the last {PATIENCE} steps was active: raise --alpha, or it has learned what there is \
                 to learn",
                self.state.step
            ));
        }
        if outcome.finite {
            self.bad_steps = 0;
            return Ok(());
        }
        self.bad_steps += 1;
        let step = self.state.step;
        if self.bad_steps == 1 {
            self.say(&format!("step {step}: gradients are not finite; the weights stay as they are"));
        }
        if self.bad_steps < PATIENCE {
            return Ok(());
        }
        let problem = format!("gradients were not finite in {PATIENCE} steps, up to step {step}: {}", self.way_out());
        Err(Error::invalid("training", problem))
    }

    /// What helps where training has come apart.
    fn way_out(&self) -> String {
        match self.last_file.is_file() {
            true => {
                format!("go on from {} or earlier by --resume with a lower --learning-rate", self.last_file.display())
            }
            false => "begin again with a lower --learning-rate".to_owned(),
        }
    }

    /// Measures triplets, pairs and the validation set before the first step, as epoch 0: what training is to be better
    /// than.
    ///
    /// # Errors
    /// As [`Verification::measure`].
    pub fn measure_before(&mut self) -> Result<()> {
        if self.state.step == 0 && self.measures() {
            let epoch = self.measure(0)?;
            self.state.history.epochs.push(epoch);
            self.epoch_began = Instant::now();
        }
        Ok(())
    }

    /// Whether there is anything to measure after an epoch.
    fn measures(&self) -> bool {
        self.verification.is_some() || self.validation.is_some() || self.triplets.is_some()
    }

    /// Validates, measures pairs, saves, and writes the page.
    fn end_epoch(&mut self) -> Result<()> {
        let number = (self.state.step / u64::from(self.course.epoch_size)) as u32;
        let measured = number.is_multiple_of(self.course.evaluate_every.max(1)) || number == self.course.epochs;
        let mut epoch = match measured {
            true => self.measure(number)?,
            false => Epoch { epoch: number, step: self.state.step, ..Epoch::default() },
        };
        if self.course.histograms {
            let values = self.trainer.values(false)?;
            for place in self.trainer.parameters().weights() {
                let values = &values.weights[place.offset..][..place.shape.elements()];
                self.events.histogram(self.state.step, &place.name, values)?;
            }
            self.events.flush()?;
        }
        epoch.seconds = self.epoch_began.elapsed().as_secs_f64();
        self.epoch_began = Instant::now();
        self.state.history.epochs.push(epoch);
        self.save()
    }

    /// The classifier on its validation set, the loss on the triplets that stay, and the pairs.
    fn measure(&mut self, number: u32) -> Result<Epoch> {
        let mut epoch = Epoch { epoch: number, step: self.state.step, ..Epoch::default() };
        if self.measures() {
            let weights = self.trainer.parameters().unfolded(&self.trainer.values(false)?);
            if let Some(validation) = &self.validation {
                let (loss, accuracy, bad) = self.inference.classify(weights.clone(), validation)?;
                for line in bad.iter().map(|&image| format!("{}: not decoded", validation.path(image).display())) {
                    if !self.state.left_out.contains(&line) {
                        self.progress.say(&format!("left out of validation: {line}"));
                        self.state.left_out.push(line);
                    }
                }
                epoch.validation_loss = Some(loss).filter(|x| x.is_finite());
                epoch.validation_accuracy = Some(accuracy).filter(|x| x.is_finite());
                self.events.scalars(
                    self.state.step,
                    &[("validation/loss", loss as f32), ("validation/accuracy", accuracy as f32)],
                )?;
                self.progress
                    .say(&format!("epoch {number}: validation loss {loss:.4}, accuracy {:.2} %", 100.0 * accuracy));
            }
            if let Some(triplets) = &self.triplets {
                let loss = triplets.loss(&self.inference, weights.clone())?;
                epoch.triplet_loss = Some(loss).filter(|x| x.is_finite());
                self.events.scalars(self.state.step, &[("fixed/triplet_loss", loss as f32)])?;
                let images = triplets.sample().images();
                self.progress.say(&format!("epoch {number}: all triplets of {images} photographs, loss {loss:.5}"));
            }
            if let Some(verification) = &self.verification {
                let found = verification.measure(&self.inference, weights, self.course.seed, number)?;
                let (figures, left_out) = found;
                let values = [
                    ("lfw/accuracy", figures.accuracy.mean as f32),
                    ("lfw/val_rate", figures.val.mean as f32),
                    ("lfw/far", figures.val.far as f32),
                    ("lfw/auc", figures.auc as f32),
                ];
                self.events.scalars(self.state.step, &values)?;
                self.progress.say(&format!(
                    "epoch {number}: pairs {}, accuracy {:.2} % +- {:.2}, VAL {:.2} % at FAR {:.4}, AUC {:.4}",
                    figures.pairs,
                    100.0 * figures.accuracy.mean,
                    100.0 * figures.accuracy.std,
                    100.0 * figures.val.mean,
                    figures.val.far,
                    figures.auc
                ));
                epoch = epoch.verified(&figures);
                let new: Vec<&str> =
                    left_out.iter().filter(|line| !self.state.left_out.contains(line)).map(String::as_str).collect();
                if !new.is_empty() {
                    let more = if new.len() > 3 { format!(" and {} more", new.len() - 3) } else { String::new() };
                    self.progress.say(&format!(
                        "some pairs are left out ({}{more}); the run's page lists all of it",
                        new[..new.len().min(3)].join(", ")
                    ));
                }
                for line in left_out {
                    if !self.state.left_out.contains(&line) {
                        self.state.left_out.push(line);
                    }
                }
            }
        }
        Ok(epoch)
    }

    /// Writes a checkpoint and the page.
    ///
    /// # Errors
    /// A disk that is full, a folder that may not be written.
    pub fn save(&mut self) -> Result<()> {
        self.state.seconds = self.before + self.began.elapsed().as_secs_f64();
        self.state.loss_scale = self.trainer.loss_scale();
        let snapshot = self.trainer.snapshot()?;
        let tensors = tensors::named(self.trainer.parameters(), self.trainer.options(), &snapshot);
        drop(snapshot);
        let table: Vec<u32> = self.table.iter().map(|&image| image as u32).collect();
        let table_dims = [table.len()];
        let mut named: Vec<Named> = tensors.iter().map(|(name, t)| Named::f32(name, t.dims(), t.data())).collect();
        if !table.is_empty() {
            named.push(Named::u32(TABLE, &table_dims, &table));
        }
        self.last_file = self.checkpoints.save(self.state.step, &named, &self.state)?;
        self.write_page()?;
        self.progress.pause();
        Ok(())
    }

    fn write_page(&self) -> Result<()> {
        let settings: Vec<(String, String)> = match &self.course.settings {
            serde_json::Value::Object(map) => map.iter().map(|(name, value)| (name.clone(), plain(value))).collect(),
            _ => Vec::new(),
        };
        let device = self.trainer.device().to_string();
        let page = summary::html(&Summary {
            title: &self.checkpoints.dir().file_name().unwrap_or_default().to_string_lossy(),
            kind: self.course.kind,
            device: &device,
            model: &self.last_file.display().to_string(),
            history: &self.state.history,
            settings: &settings,
            peak_memory: Some(self.trainer.peak_memory()),
            seconds: self.state.seconds,
            left_out: &self.state.left_out,
        });
        std::fs::write(&self.course.page, page).map_err(Error::io(&self.course.page, "write"))
    }

    /// Ends the run, listing images that could not be decoded; a checkpoint is there already unless nothing was done.
    ///
    /// # Errors
    /// As [`Run::save`].
    pub fn finish(mut self, bad: Vec<String>) -> Result<PathBuf> {
        let new: Vec<String> = bad.into_iter().filter(|line| !self.state.left_out.contains(line)).collect();
        if !new.is_empty() {
            for line in &new {
                self.progress.say(&format!("left out: {line}"));
            }
            self.state.left_out.extend(new);
            self.write_page()?;
        }
        self.progress.finish();
        Ok(self.last_file)
    }
}

/// The name of the table of the hardest negatives in a checkpoint.
const TABLE: &str = "hardest_negatives";

/// What a step's outputs are called.
fn name(output: Output, kind: &str) -> &'static str {
    match output {
        Output::Loss if kind == "triplet" => "triplet",
        Output::Loss => "cross_entropy",
        Output::CenterLoss => "center",
        Output::NormLoss => "prelogits_norm",
        Output::L2Loss => "regularization",
        Output::Accuracy => "accuracy",
        Output::Finite => "finite",
        Output::Embeddings => "embeddings",
    }
}

/// The names of a trainer's parts of the loss, in the order of its outputs.
fn names(trainer: &Trainer) -> impl Iterator<Item = &'static str> {
    let kind = if trainer.options().loss.is_classifier() { "softmax" } else { "triplet" };
    trainer.parts().map(move |output| name(output, kind))
}

/// A setting as a reader writes it.
fn plain(value: &serde_json::Value) -> String {
    match value {
        serde_json::Value::String(text) => text.clone(),
        serde_json::Value::Null => "–".to_owned(),
        // An f32 in JSON has the digits of an f64.
        serde_json::Value::Number(number) => match number.as_f64() {
            Some(wide) if number.is_f64() && f64::from(wide as f32) == wide => (wide as f32).to_string(),
            _ => number.to_string(),
        },
        other => other.to_string(),
    }
}

/// Values to begin with: a pretrained network's, or chance's.
///
/// # Errors
/// As [`Parameters::pretrained`].
pub fn beginning(
    parameters: &Parameters,
    pretrained: Option<&crate::weights::facenet::Unfolded>,
    seed: u64,
) -> Result<super::parameters::Values> {
    match pretrained {
        Some(weights) => parameters.pretrained(weights, seed),
        None => Ok(parameters.initial(seed)),
    }
}

/// The optimizers by the original's names.
pub const OPTIMIZERS: [(&str, OptimizerKind); 5] = [
    ("ADAGRAD", OptimizerKind::Adagrad),
    ("ADADELTA", OptimizerKind::Adadelta),
    ("ADAM", OptimizerKind::Adam),
    ("RMSPROP", OptimizerKind::RmsProp),
    ("MOM", OptimizerKind::Momentum),
];
