//! What every run of training does between steps: tells, records, saves, and ends when it is asked to.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Instant;

use crate::error::{Field, message};
use crate::train::checkpoint::{Checkpoint, Checkpoints, Stored};
use crate::train::dataset::Dataset;
use crate::train::events::Events;
use crate::train::fixed::FixedTriplets;
use crate::train::history::History;
use crate::train::inference::Inference;
use crate::train::network::Output;
use crate::train::observe::{Event, Observer, Step, Stop};
use crate::train::pace::Pace;
use crate::train::settings::Kind;
use crate::train::tensors;
use crate::train::trainer::{StepOutcome, Trainer};
use crate::train::verify::Verification;
use crate::{Error, Result};

pub use super::state::{Course, Next, Pool, RunState};

/// Steps in a row whose gradients may be other than finite: an f16 loss scale falls by 2 to this power.
const PATIENCE: u32 = 16;

/// The name of the table of the hardest negatives in a checkpoint.
pub(super) const TABLE: &str = "hardest_negatives";

/// A run of training, as [`Training`](crate::train::Training) builds it.
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
    pub state: RunState,
    pub(super) checkpoints: Checkpoints,
    pub(super) events: Events,
    pub(super) pace: Pace,
    pub(super) began: Instant,
    pub(super) before: f64,
    pub(super) epoch_began: Instant,
    pub(super) last_file: PathBuf,
    observer: &'a mut dyn Observer,
    stop: Stop,
    bad_steps: u32,
    idle_steps: u32,
    pub(super) table: Vec<i32>,
}

/// Where a run is kept.
pub struct Kept {
    /// Its checkpoints.
    pub checkpoints: Checkpoints,
    /// Folder of its TensorBoard events.
    pub events: PathBuf,
}

/// What a run begins with.
pub enum Start {
    /// Nothing.
    New {
        /// Images and people that are left out.
        left_out: Vec<String>,
    },
    /// What a checkpoint holds.
    From(Box<Checkpoint<RunState>>),
}

/// Who is told of a run, and who ends it.
pub struct Listeners<'a> {
    /// Who is told.
    pub observer: &'a mut dyn Observer,
    /// Who ends it.
    pub stop: Stop,
}

impl<'a> Run<'a> {
    /// A run that begins, or goes on from a checkpoint that was read.
    ///
    /// # Errors
    /// Folders that cannot be written; a checkpoint of another run.
    pub fn new(
        mut trainer: Trainer,
        course: Course,
        dataset: Arc<Dataset>,
        inference: Inference<'a>,
        kept: Kept,
        start: Start,
        listeners: Listeners<'a>,
    ) -> Result<Self> {
        let mut table = Vec::new();
        let (state, last_file) = match start {
            Start::New { left_out } => {
                (first_state(&trainer, &course, &dataset, left_out), kept.checkpoints.dir().to_owned())
            }
            Start::From(mut checkpoint) => {
                check_people(&checkpoint, &dataset)?;
                let snapshot = tensors::snapshot(trainer.parameters(), trainer.options(), &mut checkpoint.tensors)?;
                if let Some(Stored::U32(stored)) = checkpoint.tensors.remove(TABLE) {
                    table = stored.data().iter().map(|&image| image as i32).collect();
                }
                trainer.restore(&snapshot, checkpoint.run.step, checkpoint.run.loss_scale)?;
                let settings = course.settings.clone();
                (RunState { settings, ..checkpoint.run }, checkpoint.path)
            }
        };
        let total = u64::from(course.epochs) * u64::from(course.epoch_size);
        Ok(Run {
            events: Events::create(&kept.events, state.step)?,
            pace: Pace::new(total, state.step),
            began: Instant::now(),
            before: state.seconds,
            epoch_began: Instant::now(),
            bad_steps: 0,
            idle_steps: 0,
            validation: None,
            triplets: None,
            verification: None,
            observer: listeners.observer,
            stop: listeners.stop,
            checkpoints: kept.checkpoints,
            trainer,
            course,
            dataset,
            inference,
            state,
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
        self.course.schedule.rate(epoch + self.course.kind.first_epoch(), self.state.step).filter(|_| left)
    }

    /// Tells the observer.
    pub fn tell(&mut self, event: Event<'_>) {
        self.observer.observe(&event);
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
        self.pace.pause();
    }

    /// One step on a batch, and what follows it.
    ///
    /// # Errors
    /// The device's; a disk that is full; gradients that stay other than finite.
    pub fn step(&mut self, pixels: &[f32], labels: &[u32], rate: f32) -> Result<Next> {
        let outcome = self.trainer.step(pixels, labels, rate, self.course.average_decay)?;
        self.record(&outcome, rate)?;
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
        if !self.stop.requested() {
            return Ok(Next::Step);
        }
        self.save()?;
        Ok(Next::Interrupted)
    }

    /// Tells of a step, and writes it down.
    fn record(&mut self, outcome: &StepOutcome, rate: f32) -> Result<()> {
        let mut losses = vec![("loss", outcome.total)];
        // Parts of the loss with their factors, so that they sum up to it.
        let told = |&(output, value): &(Output, f32)| match output {
            Output::Accuracy => value,
            _ => self.trainer.options().factor(output) * value,
        };
        losses.extend(outcome.parts.iter().map(|part| (name(part.0, self.course.kind), told(part))));
        let step = self.state.step;
        let Course { epochs, epoch_size, .. } = self.course;
        let seconds_left = self.pace.step(self.trainer.options().batch);
        let speed = self.pace.images_per_second().unwrap_or(f64::NAN);
        let told = Step {
            done: step + 1,
            total: u64::from(epochs) * u64::from(epoch_size),
            epoch: self.epoch() + 1,
            epochs,
            batch: (step % u64::from(epoch_size)) as u32 + 1,
            epoch_size,
            losses: &losses,
            learning_rate: rate,
            images_per_second: speed,
            seconds_left,
        };
        self.observer.observe(&Event::Step(told));
        let values: Vec<f32> = losses.iter().map(|(_, value)| *value).collect();
        self.state.history.step(step, &values, rate, speed);
        let tag = |name: &str| if name == "accuracy" { name.to_owned() } else { format!("loss/{name}") };
        let tags: Vec<(String, f32)> = losses.iter().map(|(name, value)| (tag(name), *value)).collect();
        let mut scalars: Vec<(&str, f32)> = tags.iter().map(|(tag, value)| (tag.as_str(), *value)).collect();
        scalars.extend([("learning_rate", rate), ("images_per_second", speed as f32)]);
        self.events.scalars(step, &scalars)
    }

    /// Gradients that are not finite change nothing; where they stay so, training has come apart.
    fn check(&mut self, outcome: &StepOutcome) -> Result<()> {
        let step = self.state.step;
        self.idle_steps = if outcome.part(Output::Loss) == Some(0.0) { self.idle_steps + 1 } else { 0 };
        if self.idle_steps == PATIENCE && self.course.kind == Kind::Triplet {
            self.tell(Event::Idle { step, steps: PATIENCE });
        }
        if outcome.finite {
            self.bad_steps = 0;
            return Ok(());
        }
        self.bad_steps += 1;
        if self.bad_steps == 1 {
            self.tell(Event::NotFinite { step });
        }
        if self.bad_steps < PATIENCE {
            return Ok(());
        }
        let problem = format!("gradients were not finite in {PATIENCE} steps, up to step {step}: ");
        let rate = Field("learning_rate");
        let problem = match self.last_file.is_file() {
            true => {
                let from = format!("go on from {} or earlier by ", self.last_file.display());
                message![problem, from, Field("resume"), " with a lower ", rate]
            }
            false => message![problem, "begin again with a lower ", rate],
        };
        Err(Error::invalid("training", problem))
    }
}

/// Where a run is that begins.
fn first_state(trainer: &Trainer, course: &Course, dataset: &Dataset, left_out: Vec<String>) -> RunState {
    let names = trainer.parts().map(|output| name(output, course.kind));
    let losses: Vec<&str> = std::iter::once("loss").chain(names).collect();
    RunState {
        kind: course.kind,
        settings: course.settings.clone(),
        people: people(dataset),
        photographs: dataset.digest(),
        step: 0,
        loss_scale: trainer.loss_scale(),
        history: History::new(&losses),
        seconds: 0.0,
        left_out,
        pools: 0,
        pool: None,
        table_step: None,
    }
}

fn people(dataset: &Dataset) -> Vec<String> {
    dataset.people().iter().map(|person| person.name.clone()).collect()
}

/// Refuses to go on with other people or photographs.
fn check_people(checkpoint: &Checkpoint<RunState>, dataset: &Dataset) -> Result<()> {
    let now = people(dataset);
    if checkpoint.run.people != now {
        let problem = format!(
            "was made of {} people, and there are {} now or others; training goes on with the same folder only",
            checkpoint.run.people.len(),
            now.len()
        );
        return Err(Error::data(&checkpoint.path, problem));
    }
    if checkpoint.run.photographs != dataset.digest() {
        let problem = format!(
            "photographs were added to {} or taken from it: training goes on with the same ones only; restore them, or \
             begin a new run with this checkpoint as its ",
            dataset.dir().display()
        );
        return Err(Error::data(&checkpoint.path, message![problem, Field("pretrained_model")]));
    }
    Ok(())
}

/// What a step's outputs are called.
fn name(output: Output, kind: Kind) -> &'static str {
    match (output, kind) {
        (Output::Loss, Kind::Triplet) => "triplet",
        (Output::Loss, Kind::Softmax) => "cross_entropy",
        (Output::CenterLoss, _) => "center",
        (Output::NormLoss, _) => "prelogits_norm",
        (Output::L2Loss, _) => "regularization",
        (Output::Accuracy, _) => "accuracy",
        (Output::Finite, _) => "finite",
        (Output::Embeddings, _) => "embeddings",
    }
}
