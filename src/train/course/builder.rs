//! A run of training from settings: what both kinds do before their first step.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use serde_json::{Map, Value, json};

use super::people::{People, read_model};
use super::resume::folder_of;
use super::run::{Course, Kept, Listeners, Next, Run, RunState, Start};
use super::settings::{PairSource, Settings, Task, Triplet};
use crate::backend::Device;
use crate::error::{Field, message};
use crate::eval::{self, Pairs};
use crate::image::AlignMethod;
use crate::networks::{ModelDef, NetworkSpec, Width};
use crate::ops::Standardize;
use crate::train::augment::Augment;
use crate::train::checkpoint::{self, Checkpoint, Checkpoints};
use crate::train::dataset::Dataset;
use crate::train::fixed::FixedTriplets;
use crate::train::history::Epoch;
use crate::train::inference::Inference;
use crate::train::loader::Workers;
use crate::train::network::NetworkOptions;
use crate::train::observe::{Event, Observer, Stop};
use crate::train::parameters::{Parameters, Spec};
use crate::train::sampler::PeopleSampler;
use crate::train::softmax;
use crate::train::trainer::Trainer;
use crate::train::triplet::{self, Search};
use crate::train::verify::{Verification, VerificationPairs};
use crate::weights::ModelFacts;
use crate::weights::network::{Norm, Unfolded};
use crate::{Error, Result, weights};

/// A run of training that is about to begin.
///
/// ```no_run
/// use warpface::train::{Event, Settings, Softmax, Stop, Task, Training};
/// use warpface::{Device, DeviceKind};
///
/// # fn main() -> warpface::Result<()> {
/// let device = Device::open(DeviceKind::Auto, 0)?;
/// let mut settings = Settings::default();
/// settings.epochs = 2;
/// let (stop, mut steps) = (Stop::default(), 0);
/// let mut count = |event: &Event<'_>| steps += u32::from(matches!(event, Event::Step(_)));
/// let finished = Training::new(&device, "people", Task::Softmax(Softmax::default()))
///     .settings(settings)
///     .stop(&stop)
///     .run(&mut count)?;
/// println!("{steps} steps, {}", finished.model.display());
/// # Ok(())
/// # }
/// ```
pub struct Training<'a> {
    device: &'a Device,
    dir: PathBuf,
    task: Task,
    settings: Settings,
    from: Option<Checkpoint<RunState>>,
    recorded: Map<String, Value>,
    stop: Stop,
}

/// How a run ended.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Finished {
    /// Steps done, those before it was resumed included.
    pub steps: u64,
    /// What was measured after each epoch.
    pub epochs: Vec<Epoch>,
    /// The file of the last checkpoint's tensors: a model wherever models are taken.
    pub model: PathBuf,
    /// Folder of the run's checkpoints.
    pub checkpoints: PathBuf,
    /// Whether it was asked to end before its last step.
    pub interrupted: bool,
}

impl<'a> Training<'a> {
    /// On a folder of people, each with a folder of aligned photographs, with the original's settings.
    pub fn new(device: &'a Device, dir: impl AsRef<Path>, task: Task) -> Self {
        Training {
            device,
            dir: dir.as_ref().to_owned(),
            task,
            settings: Settings::default(),
            from: None,
            recorded: Map::new(),
            stop: Stop::default(),
        }
    }

    /// With these settings.
    pub fn settings(mut self, settings: Settings) -> Self {
        self.settings = settings;
        self
    }

    /// Going on from a checkpoint ([`resume`](crate::train::resume) finds it), bit for bit where the settings are those
    /// that the run began with.
    pub fn from(mut self, checkpoint: Checkpoint<RunState>) -> Self {
        self.from = Some(checkpoint);
        self
    }

    /// What the run's page and its checkpoints' JSON call the settings, besides `precision` and `standardize`; by
    /// default the fields of [`Settings`] that decide the result.
    pub fn recorded(mut self, settings: Map<String, Value>) -> Self {
        self.recorded = settings;
        self
    }

    /// Ended by this flag.
    pub fn stop(mut self, stop: &Stop) -> Self {
        self.stop = stop.clone();
        self
    }

    /// Trains, telling `observer`: until the last epoch, the end of the schedule, or the stop flag.
    ///
    /// # Errors
    /// [`Error::Invalid`] names the setting that makes no sense; files and folders that are missing, damaged or full; the
    /// device's; training that comes apart.
    pub fn run(mut self, observer: &mut dyn Observer) -> Result<Finished> {
        self.settings.check(self.task.validation().is_some())?;
        self.task.check(self.settings.batch_size)?;
        self.check_resumed()?;
        self.device.backend().check(self.settings.precision)?;
        let settings = &self.settings;
        let mut workers = Workers::default();
        if settings.threads > 0 {
            workers.threads = settings.threads;
        }
        let pretrained = self.pretrained(observer)?;
        let facts = self.pretrained_facts();
        let standardize = self.standardize(pretrained.as_ref(), facts, observer)?;
        let network = self.network(pretrained.as_ref(), facts)?;
        let align = self.align(facts);
        let plain = Augment::plain(network.side, standardize);
        let inference = Inference {
            device: self.device,
            precision: settings.precision,
            augment: plain,
            flipped: settings.use_flipped_images,
            workers,
        };
        let people = People::open(&self.dir, settings, &self.task, &inference, pretrained.as_ref(), observer)?;
        let left_out = say_people(&people.train, plain, observer);
        let trainer = self.trainer(&people.train, network, pretrained, observer)?;

        let (checkpoints, logs) = self.folders()?;
        observer.observe(&Event::Folders { checkpoints: &checkpoints, logs: &logs });
        let kept = Checkpoints::open(&checkpoints, settings.keep_checkpoints)?;
        if let Some(from) = &self.from
            && let Some(step) = kept.newest()?.filter(|&later| later > from.step)
        {
            observer.observe(&Event::LaterCheckpoint { step });
        }
        let course = self.course(plain, network, align, logs.join("summary.html"));
        let start = self.from.take().map_or(Start::New { left_out }, |from| Start::From(Box::new(from)));
        let listeners = Listeners { observer, stop: self.stop.clone() };
        let kept = Kept { checkpoints: kept, events: logs };
        let mut run = Run::new(trainer, course, Arc::new(people.train), inference, kept, start, listeners)?;
        run.validation = people.validation.map(Arc::new);
        run.verification = self.verification(people.held_out.map(Arc::new).or(run.validation.clone()))?;
        if let Some((alone, folds)) = run.verification.as_ref().and_then(Verification::folds_of_one_kind) {
            run.tell(Event::FoldsOfOneKind { alone, folds });
        }
        if let Task::Triplet(task) = &self.task {
            run.triplets = Some(FixedTriplets::draw(self.settings.seed, &run.dataset, task.alpha)?);
        }
        run.measure_before()?;
        let (next, bad) = self.train(&mut run, workers)?;
        let (steps, epochs) = (run.state.step, run.state.history.epochs.clone());
        let interrupted = next == Next::Interrupted;
        Ok(Finished { steps, epochs, model: run.finish(bad)?, checkpoints, interrupted })
    }

    fn train(&self, run: &mut Run, workers: Workers) -> Result<(Next, Vec<String>)> {
        let Settings { random_crop, random_flip, random_rotate, .. } = self.settings;
        let augment = Augment { random_crop, random_flip, random_rotate, ..run.inference.augment };
        match self.task {
            Task::Softmax(_) => softmax::train(run, augment, workers),
            Task::Triplet(Triplet { people_per_batch, images_per_person, fill, mining, alpha, refresh_every }) => {
                let search = Search { mode: mining, alpha, refresh: refresh_every };
                let people = run.dataset.clone();
                let sampler = PeopleSampler::new(run.course.seed, people, people_per_batch, images_per_person, fill)?;
                triplet::train(run, &sampler, &search, augment, workers)
            }
        }
    }

    /// Refuses what a run was not begun with.
    fn check_resumed(&self) -> Result<()> {
        let Some(from) = &self.from else { return Ok(()) };
        if from.run.kind != self.task.kind() {
            let problem = format!("{} is of {} training", from.path.display(), from.run.kind);
            return Err(Error::invalid(Field("resume"), problem));
        }
        let began = checkpoint::beside(&from.path).and_then(|facts| facts.align);
        if let Some((began, now)) = began.zip(AlignMethod::of_crops(&self.dir)).filter(|(began, now)| began != now) {
            let problem =
                format!("{} are cut out by {now}, and the run was begun with faces by {began}", self.dir.display());
            return Err(Error::invalid(Field("dir"), problem));
        }
        match &from.run.settings["precision"] {
            stored if stored.as_str() != Some(self.settings.precision.name()) => {
                Err(Error::invalid(Field("precision"), format!("the run was begun in {stored}; give the same")))
            }
            _ => Ok(()),
        }
    }

    /// The network to begin with, where there is one.
    fn pretrained(&self, observer: &mut dyn Observer) -> Result<Option<Unfolded>> {
        let Settings { filter, filter_model, pretrained_model, .. } = &self.settings;
        match &self.from {
            // The checkpoint is the same network; the file that the run began with may be gone by now.
            Some(from) if filter.is_none() || filter_model.is_some() => {
                Ok(Some(weights::network::unfolded(&weights::load(&from.path)?)?))
            }
            _ => pretrained_model.as_deref().map(|file| read_model(file, observer)).transpose(),
        }
    }

    /// What is done to the pixels: as the run began, as asked, as the pretrained network had it, else what networks as that
    /// one are guessed to want; a network trained from nothing has the fixed one.
    fn standardize(
        &self,
        pretrained: Option<&Unfolded>,
        facts: ModelFacts,
        observer: &mut dyn Observer,
    ) -> Result<Standardize> {
        let asked = self.settings.standardize;
        let Some(from) = &self.from else {
            let known = asked.or(facts.standardize);
            let guess = || match (&self.settings.pretrained_model, pretrained) {
                (Some(file), Some(network)) => {
                    let dim = network.embedding_size();
                    let standardize = facts.or(ModelFacts::default().model_def(Some(network.network.def))).guess(dim);
                    observer.observe(&Event::Guessed { file, standardize, dim });
                    standardize
                }
                _ => Standardize::Fixed,
            };
            return Ok(known.unwrap_or_else(guess));
        };
        let began = checkpoint::beside(&from.path).and_then(|facts| facts.standardize).unwrap_or(Standardize::Fixed);
        match asked {
            Some(asked) if asked != began => {
                Err(Error::invalid(Field("standardize"), format!("the run was begun with {began}; leave it out")))
            }
            _ => Ok(began),
        }
    }

    /// The network: as asked, as the run began, else as the pretrained one is; its crops, too, or else the definition's.
    fn network(&self, pretrained: Option<&Unfolded>, facts: ModelFacts) -> Result<NetworkSpec> {
        let Settings { model_def, width, embedding_size, image_size, .. } = self.settings;
        let began = || self.from.as_ref().and_then(|from| checkpoint::beside(&from.path)?.image_size);
        let side = image_size.or_else(began).or(facts.image_size);
        let Some(pretrained) = pretrained.map(|pretrained| pretrained.network) else {
            let def = model_def.unwrap_or(ModelDef::InceptionResnetV1);
            let network = NetworkSpec::new(def).width(width.unwrap_or(Width::FULL)).side(side.unwrap_or(def.crop()));
            network.check_crop()?;
            return Ok(network.embedding_size(embedding_size.unwrap_or(network.embedding_size)));
        };
        if let Some(asked) = model_def.filter(|&asked| asked != pretrained.def) {
            let problem = format!("{asked} is not the pretrained network's {}; leave it out", pretrained.def);
            return Err(Error::invalid(Field("model_def"), problem));
        }
        if width.is_some_and(|asked| asked != pretrained.width) {
            return Err(Error::invalid(Field("width"), "is not the pretrained network's; leave it out"));
        }
        let dim = pretrained.embedding_size;
        if let Some(asked) = embedding_size.filter(|&asked| asked != dim) {
            let problem = format!("{asked} is not the pretrained network's {dim}; leave it out");
            return Err(Error::invalid(Field("embedding_size"), problem));
        }
        pretrained.resized(side.unwrap_or(pretrained.side))
    }

    /// How faces were cut out for the crops that are trained on, where that is known: as their folder says, else as the run
    /// began, else as the pretrained network had it.
    fn align(&self, facts: ModelFacts) -> Option<AlignMethod> {
        let began = || checkpoint::beside(&self.from.as_ref()?.path)?.align;
        AlignMethod::of_crops(&self.dir).or_else(began).or(facts.align)
    }

    /// What is known of how the pretrained network was trained.
    fn pretrained_facts(&self) -> ModelFacts {
        let facts = |file: &PathBuf| {
            let published = weights::verify(file, true).ok().flatten();
            Some(checkpoint::facts(&weights::load(file).ok()?, published))
        };
        // A run that goes on knows its own; the file that it began with may be gone.
        let begins = self.settings.pretrained_model.as_ref().filter(|_| self.from.is_none());
        begins.and_then(facts).unwrap_or_default()
    }

    /// Of each person the row in the pretrained classifier, told by name. A run that goes on keeps its rows.
    fn classifier_rows(&self, people: &Dataset, pretrained: &Unfolded, observer: &mut dyn Observer) -> ClassifierRows {
        let rows = pretrained.logits.as_ref().map(|(_, b)| b.data().len());
        if self.from.is_some() {
            return (0..rows.unwrap_or_default()).map(Some).collect();
        }
        let names = self.settings.pretrained_model.as_ref().map(checkpoint::people).unwrap_or_default();
        let known = (Some(names.len()) == rows).then_some(&names);
        let row = |name: &String| known?.iter().position(|known| known == name);
        let found: ClassifierRows = people.people().iter().map(|person| row(&person.name)).collect();
        let kept = known.map(|_| found.iter().flatten().count());
        observer.observe(&Event::Classifier { people: people.classes(), pretrained: rows, kept });
        found
    }

    /// The network on the device.
    fn trainer(
        &self,
        people: &Dataset,
        network: NetworkSpec,
        pretrained: Option<Unfolded>,
        observer: &mut dyn Observer,
    ) -> Result<Trainer> {
        let settings = &self.settings;
        let gamma = network.def.has_gamma() || pretrained.as_ref().is_some_and(has_gamma);
        let parameters = Parameters::new(Spec { network, classes: self.classes(people), gamma })?;
        let options = NetworkOptions {
            loss: self.task.loss(),
            optimizer: settings.optimizer,
            average: settings.moving_average_decay > 0.0,
            weight_decay: settings.weight_decay,
            keep_probability: settings.keep_probability,
            seed: settings.seed,
            batch: settings.batch_size,
            recompute: Vec::new(),
        };
        let values = match (&pretrained, parameters.spec().classes) {
            (None, _) => parameters.initial(settings.seed),
            (Some(network), None) => parameters.pretrained(network, &[], settings.seed)?,
            (Some(network), Some(_)) => {
                let rows = self.classifier_rows(people, network, observer);
                parameters.pretrained(network, &rows, settings.seed)?
            }
        };
        drop(pretrained);
        let (weights, precision) = (parameters.count(), settings.precision);
        let budget = settings.memory_budget;
        let trainer = Trainer::new(self.device, parameters, options, &values, precision, budget)?;
        let (peak_memory, recomputed) = (trainer.peak_memory(), trainer.recomputed());
        observer.observe(&Event::Network { weights, peak_memory, recomputed });
        Ok(trainer)
    }

    /// How many people a classifier tells apart, where one is trained.
    fn classes(&self, people: &Dataset) -> Option<usize> {
        matches!(self.task, Task::Softmax(_)).then(|| people.classes())
    }

    /// Where checkpoints go, and events and the page; of a new run nothing may be there.
    fn folders(&self) -> Result<(PathBuf, PathBuf)> {
        let (checkpoints, name) = match &self.from {
            Some(from) => folder_of(&from.path)?,
            None => {
                let name = self.settings.name.clone().unwrap_or_else(now);
                (self.settings.models_base_dir.join(&name), name)
            }
        };
        let logs = self.settings.logs_base_dir.join(name);
        std::fs::create_dir_all(&logs).map_err(Error::io(&logs, "create"))?;
        let taken = || std::fs::read_dir(&checkpoints).is_ok_and(|mut entries| entries.next().is_some());
        if self.from.is_none() && taken() {
            let there = format!("{} is there already: choose another ", checkpoints.display());
            let problem = message![there, Field("name"), ", or ", Field("resume"), " it"];
            return Err(Error::invalid(Field("name"), problem));
        }
        Ok((checkpoints, logs))
    }

    fn course(
        &self,
        Augment { standardize, image_size, .. }: Augment,
        network: NetworkSpec,
        align: Option<AlignMethod>,
        page: PathBuf,
    ) -> Course {
        let settings = &self.settings;
        let mut recorded =
            if self.recorded.is_empty() { described(settings, &self.task) } else { self.recorded.clone() };
        recorded.insert("standardize".to_owned(), json!(standardize.to_string()));
        recorded.insert("image_size".to_owned(), json!(image_size));
        if let Some(align) = align {
            recorded.insert("align".to_owned(), json!(align));
        }
        recorded.insert("model_def".to_owned(), json!(network.def.name()));
        recorded.insert("precision".to_owned(), json!(settings.precision));
        Course {
            kind: self.task.kind(),
            schedule: settings.schedule.clone(),
            average_decay: settings.moving_average_decay,
            epochs: settings.epochs,
            epoch_size: settings.epoch_size,
            checkpoint_every: settings.checkpoint_every,
            evaluate_every: settings.evaluate_every,
            histograms: settings.log_histograms,
            settings: Value::Object(recorded),
            page,
            seed: settings.seed,
        }
    }

    /// The pairs that are measured after each epoch.
    fn verification(&self, held_out: Option<Arc<Dataset>>) -> Result<Option<Verification>> {
        let source = match (&self.settings.pairs, held_out) {
            (Some(PairSource::File { dir, pairs }), _) => {
                VerificationPairs::File(dir.clone(), Box::new(Pairs::read(pairs)?))
            }
            (Some(PairSource::Folder { dir, random }), _) => {
                VerificationPairs::Random(*random, Arc::new(Dataset::open(dir)?))
            }
            (Some(PairSource::HeldOut(random)), Some(photographs)) => VerificationPairs::Random(*random, photographs),
            _ => return Ok(None),
        };
        let named = match &source {
            VerificationPairs::File(_, pairs) => pairs.default_folds(),
            VerificationPairs::Random(..) => eval::EvalOptions::default().folds,
        };
        let Settings { folds, metric, subtract_mean, .. } = self.settings;
        let options = eval::EvalOptions { folds: folds.unwrap_or(named), metric, subtract_mean };
        Ok(Some(Verification { source, options }))
    }
}

/// Tells who is trained on, and returns who is not.
fn say_people(
    people: &Dataset,
    Augment { standardize, image_size, .. }: Augment,
    observer: &mut dyn Observer,
) -> Vec<String> {
    let left_out: Vec<String> = people.dropped().iter().map(|d| format!("{}: {}", d.name, d.reason)).collect();
    observer.observe(&Event::People {
        people: people.classes(),
        photographs: people.images(),
        dir: people.dir(),
        standardize,
        image_size,
        left_out: &left_out,
    });
    left_out
}

/// Of each person the row in a classifier that was trained before, if it has one.
type ClassifierRows = Vec<Option<usize>>;

/// Whether a network's batch norms have a scale other than 1.
fn has_gamma(weights: &Unfolded) -> bool {
    let layers = weights.layers.values().chain([&weights.bottleneck]);
    let scaled = |norm: &Norm| matches!(norm, Norm::Batch(norm) if norm.gamma.as_ref().is_some_and(|g| g.data().iter().any(|&g| g != 1.0)));
    layers.into_iter().any(|layer| scaled(&layer.norm))
}

/// The settings that decide the result.
fn described(settings: &Settings, task: &Task) -> Map<String, Value> {
    let described = json!({
        "task": format!("{task:?}"),
        "batch_size": settings.batch_size,
        "epoch_size": settings.epoch_size,
        "epochs": settings.epochs,
        "seed": settings.seed,
        "pretrained_model": settings.pretrained_model,
        "keep_probability": settings.keep_probability,
        "optimizer": format!("{:?}", settings.optimizer),
        "schedule": settings.schedule,
        "moving_average_decay": settings.moving_average_decay,
        "weight_decay": settings.weight_decay,
        "random_crop": settings.random_crop,
        "random_flip": settings.random_flip,
        "random_rotate": settings.random_rotate,
        "filter": settings.filter,
        "filter_min_images": settings.filter_min_images,
        "hold_out_people": settings.hold_out_people,
    });
    match described {
        Value::Object(map) => map,
        _ => Map::new(),
    }
}

/// `20180402-114759`, in UTC: what the original's scripts name their runs by.
fn now() -> String {
    let seconds = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs());
    date(seconds)
}

/// A time in seconds since 1970 by the Gregorian calendar.
fn date(seconds: u64) -> String {
    let (days, within) = (seconds / 86400, seconds % 86400);
    // Years begin in March, so that the odd day of leap years is the last: eras of 400 years have 146,097 days.
    let shifted = days + 719_468;
    let (era, day) = (shifted / 146_097, shifted % 146_097);
    let year = (day - day / 1460 + day / 36_524 - day / 146_096) / 365;
    let day = day - (365 * year + year / 4 - year / 100);
    let month = (5 * day + 2) / 153;
    let day = day - (153 * month + 2) / 5 + 1;
    let (month, next) = if month < 10 { (month + 3, 0) } else { (month - 9, 1) };
    let year = era * 400 + year + next;
    format!("{year:04}{month:02}{day:02}-{:02}{:02}{:02}", within / 3600, within / 60 % 60, within % 60)
}

#[cfg(test)]
mod tests {
    use super::date;

    #[test]
    fn dates_are_the_calendars() {
        for (seconds, text) in [
            (0, "19700101-000000"),
            (951_782_400, "20000229-000000"),
            (1_522_669_679, "20180402-114759"),
            (1_709_164_799, "20240228-235959"),
        ] {
            assert_eq!(date(seconds), text);
        }
    }
}
