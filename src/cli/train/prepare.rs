//! What both trainings do before their first step: people, network, pairs, folders.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use anyhow::Result;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::json;

use super::flags::{Common, WITH_RESUME};
use crate::cli::context::{Globals, create_folder};
use crate::cli::{Outcome, output};
use crate::eval::Pairs;
use crate::face::Standardize;
use crate::train::augment::Augment;
use crate::train::checkpoint::{self, Checkpoint, Checkpoints};
use crate::train::dataset::{Dataset, class_centres, distances_to_centres};
use crate::train::fixed::FixedTriplets;
use crate::train::inference::Inference;
use crate::train::loader::Workers;
use crate::train::network::{Loss, Options};
use crate::train::parameters::{Parameters, Spec};
use crate::train::run::{Course, Next, Run, State, beginning};
use crate::train::sampler::{Fill, PeopleSampler};
use crate::train::trainer::{Recomputed, Trainer};
use crate::train::verify::{Source, Verification};
use crate::weights::facenet::{Norm, Unfolded, Width};
use crate::{Error, weights};

/// A run's flags, and the checkpoint that it goes on from.
pub struct Begun<A> {
    /// The flags: the run's own where it goes on.
    pub args: A,
    /// The checkpoint.
    pub from: Option<Checkpoint<State>>,
    /// The run's name.
    pub name: String,
    /// Whether --learning-rate was asked for.
    pub rate_given: bool,
}

/// Where flags are kept in a checkpoint beside those of the training itself.
#[derive(Serialize)]
struct Settings<'a, A> {
    #[serde(flatten)]
    args: &'a A,
    standardize: Standardize,
    precision: crate::Precision,
    rate_given: bool,
}

/// Reads the checkpoint that a run goes on from, and takes its flags.
pub fn begin<A: Clone + DeserializeOwned>(
    kind: &str,
    args: &A,
    common: fn(&A) -> &Common,
    adopt: fn(&mut A, &Common, &[String]),
    given: &[String],
) -> Result<Begun<A>> {
    let asked = common(args);
    let Some(resume) = &asked.resume else {
        let rate_given = given.iter().any(|flag| flag == "learning_rate");
        return Ok(Begun { args: args.clone(), from: None, name: asked.name.clone().unwrap_or_else(now), rate_given });
    };
    if let Some(flag) = given.iter().find(|flag| !WITH_RESUME.contains(&flag.as_str())) {
        let flag = format!("--{}", flag.replace('_', "-"));
        return Err(Error::invalid(flag, "cannot be given with --resume: a run goes on as it began").into());
    }
    if !resume.exists() && !resume.with_extension("json").exists() {
        let problem = format!("{}: neither a folder of checkpoints nor one of them is there", resume.display());
        return Err(Error::invalid("--resume", problem).into());
    }
    let from: Checkpoint<State> = if resume.is_dir() {
        let latest = Checkpoints::open(resume, asked.keep_checkpoints)?.latest()?;
        latest.passed_over.iter().for_each(|line| eprintln!("passed over: {line}"));
        latest
            .checkpoint
            .ok_or_else(|| Error::invalid("--resume", format!("{}: no whole checkpoint is there", resume.display())))?
    } else {
        checkpoint::read(resume)?
    };
    if from.run.kind != kind {
        let problem = format!("{} is of `train {}`", from.path.display(), from.run.kind);
        return Err(Error::invalid("--resume", problem).into());
    }
    let mut args: A = serde_json::from_value(from.run.settings.clone()).map_err(|error| {
        Error::invalid(from.path.display().to_string(), format!("its settings are of another version: {error}"))
    })?;
    adopt(&mut args, asked, given);
    // `.` is a folder too, and has a name.
    let folder = folder_of(&from.path);
    let folder = folder.canonicalize().map_err(Error::io(&folder, "find"))?;
    let name = folder.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let is_given = |name: &str| given.iter().any(|flag| flag == name);
    let rate_given = match (is_given("learning_rate"), is_given("learning_rate_schedule_file")) {
        (true, _) => true,
        (false, true) => false,
        (false, false) => from.run.settings["rate_given"].as_bool().unwrap_or(true),
    };
    eprintln!("resuming: {}, after step {}", from.path.display(), from.run.step);
    Ok(Begun { args, from: Some(from), name, rate_given })
}

/// The folder that a file lies in.
fn folder_of(file: &Path) -> PathBuf {
    let parent = file.parent().filter(|parent| !parent.as_os_str().is_empty());
    parent.unwrap_or(Path::new(".")).to_owned()
}

/// The flags that a resumed run takes from the command line, as [`WITH_RESUME`] lists them.
pub fn adopt(own: &mut Common, asked: &Common, given: &[String]) {
    for flag in given {
        match flag.as_str() {
            "dir" => own.dir.clone_from(&asked.dir),
            "max_nrof_epochs" => own.max_nrof_epochs = asked.max_nrof_epochs,
            "learning_rate" => own.learning_rate = asked.learning_rate,
            "learning_rate_decay_epochs" => own.learning_rate_decay_epochs = asked.learning_rate_decay_epochs,
            "learning_rate_decay_factor" => own.learning_rate_decay_factor = asked.learning_rate_decay_factor,
            "learning_rate_schedule_file" => {
                own.learning_rate_schedule_file.clone_from(&asked.learning_rate_schedule_file);
            }
            "checkpoint_every" => own.checkpoint_every = asked.checkpoint_every,
            "keep_checkpoints" => own.keep_checkpoints = asked.keep_checkpoints,
            "logs_base_dir" => own.logs_base_dir.clone_from(&asked.logs_base_dir),
            _ => {}
        }
    }
    own.resume.clone_from(&asked.resume);
}

/// What one kind of training decides, and the other otherwise.
pub struct Kind {
    /// `softmax` or `triplet`.
    pub name: &'static str,
    /// What is minimized.
    pub loss: Loss,
    /// The number that a schedule file gives the first epoch, as the original's scripts do.
    pub first_epoch: u32,
    /// The least number of photographs of each person.
    pub least: usize,
    /// The validation set's part, and the fewest photographs it leaves.
    pub validation: Option<(f64, usize)>,
    /// Photographs of a step.
    pub batch: usize,
    /// People and photographs of each that triplets are searched among, which must be there.
    pub people: Option<(usize, usize, Fill)>,
}

/// Loads, opens, and runs `train` on it.
pub fn run<A: Serialize>(
    globals: &Globals,
    begun: Begun<A>,
    common: &Common,
    kind: Kind,
    train: impl FnOnce(&mut Run, Augment, Workers) -> crate::Result<(Next, Vec<String>)>,
) -> Result<Outcome> {
    common.check(kind.validation.is_some())?;
    check(globals, begun.from.as_ref())?;
    let schedule = common.schedule(begun.rate_given)?;
    let device = globals.open_device()?;
    let dir = common.dir.as_deref().ok_or_else(|| Error::invalid("DIR", "which folder of people?"))?;
    let mut workers = Workers::default();
    if globals.threads > 0 {
        workers.threads = globals.threads;
    }
    let pretrained = match &begun.from {
        // The checkpoint is the same network; the file that the run began with may be gone by now.
        Some(from) if common.filter.is_none() || common.filter_model.is_some() => {
            Some(weights::facenet::unfolded(&weights::load(&from.path)?)?)
        }
        _ => common.pretrained_model.as_deref().map(read_model).transpose()?,
    };
    let standardize = standardize(globals, common, begun.from.as_ref())?;
    let plain = Augment::plain(common.image_size, standardize);
    let augment = Augment {
        random_crop: common.random_crop,
        random_flip: common.random_flip,
        random_rotate: common.random_rotate,
        ..plain
    };
    let inference = Inference {
        device: &device,
        precision: globals.precision,
        augment: plain,
        flipped: common.lfw_use_flipped_images,
        workers,
    };

    let people = People::open(dir, common, &kind, &inference, pretrained.as_ref())?;
    let dataset = Arc::new(people.train);
    eprintln!(
        "people: {} with {} photographs in {}, {standardize} standardization",
        dataset.classes(),
        dataset.images(),
        dir.display()
    );
    let left_out: Vec<String> = dataset.dropped().iter().map(|d| format!("{}: {}", d.name, d.reason)).collect();
    if !left_out.is_empty() {
        eprintln!("left out: {} people or photographs; the run's page lists them", left_out.len());
    }
    let parameters = Parameters::new(spec(common, &kind, &dataset, pretrained.as_ref())?);
    if let (Some(pretrained), None) = (&pretrained, &begun.from) {
        say_head(&parameters, pretrained);
    }
    let options = Options {
        loss: kind.loss,
        optimizer: common.optimizer(),
        average: common.moving_average_decay > 0.0,
        weight_decay: common.weight_decay,
        keep_probability: common.keep_probability,
        seed: common.seed,
        batch: kind.batch,
        recompute: Vec::new(),
    };
    let values = beginning(&parameters, pretrained.as_ref(), common.seed)?;
    drop(pretrained);
    let count = parameters.count();
    let trainer = Trainer::new(
        &device,
        parameters,
        options,
        &values,
        common.image_size,
        globals.precision,
        common.memory_budget,
    )?;
    drop(values);
    say_memory(&trainer, count);

    let (checkpoints, logs) = folders(common, begun.from.as_ref(), &begun.name)?;
    let settings =
        Settings { args: &begun.args, standardize, precision: globals.precision, rate_given: begun.rate_given };
    let course = Course {
        kind: kind.name,
        schedule,
        first_epoch: kind.first_epoch,
        average_decay: common.moving_average_decay,
        epochs: common.max_nrof_epochs,
        epoch_size: common.epoch_size,
        checkpoint_every: common.checkpoint_every,
        evaluate_every: common.validate_every_n_epochs,
        histograms: common.log_histograms,
        settings: serde_json::to_value(&settings)?,
        page: logs.join("summary.html"),
        seed: common.seed,
    };
    eprintln!("checkpoints: {}\nevents and page: {}", checkpoints.display(), logs.display());
    let kept = Checkpoints::open(&checkpoints, common.keep_checkpoints)?;
    if let Some(from) = &begun.from
        && let Some(later) = kept.newest()?.filter(|&later| later > from.step)
    {
        eprintln!(
            "step {later} is saved there too: --resume of the folder takes the latest step, whichever run it is of"
        );
    }
    let mut run = Run::new(trainer, course, dataset, inference, (kept, logs), begun.from, left_out)?;
    run.validation = people.validation.map(Arc::new);
    run.verification = verification(common, people.held_out.or(run.validation.clone()))?;
    if let Loss::Triplet { alpha } = run.trainer.options().loss {
        run.triplets = Some(FixedTriplets::draw(common.seed, &run.dataset, alpha)?);
    }
    run.measure_before()?;
    let (next, bad) = train(&mut run, augment, workers)?;
    let (step, epochs) = (run.state.step, run.state.history.epochs.clone());
    let file = run.finish(bad)?;
    if globals.json {
        let line = json!({ "step": step, "model": file, "interrupted": next == Next::Interrupted, "epochs": epochs });
        output::json_line(&mut output::stdout(), &line)?;
    }
    match next {
        Next::Step => {
            eprintln!("done: {step} steps, {}", file.display());
            Ok(Outcome::Done)
        }
        Next::Interrupted => {
            eprintln!("interrupted after step {step}; go on with --resume {}", checkpoints.display());
            Ok(Outcome::Interrupted)
        }
    }
}

/// Refuses what a finished network is told, and what a run was not begun with.
fn check(globals: &Globals, from: Option<&Checkpoint<State>>) -> Result<()> {
    if globals.model.is_some() {
        let problem = "is for finished networks; training begins with --pretrained-model";
        return Err(Error::invalid("--model", problem).into());
    }
    let stored = from.map(|from| &from.run.settings["precision"]);
    match stored.filter(|stored| stored.as_str() != Some(globals.precision.name())) {
        Some(stored) => {
            Err(Error::invalid("--precision", format!("the run was begun in {stored}; give the same")).into())
        }
        None => Ok(()),
    }
}

/// Says what a step takes.
fn say_memory(trainer: &Trainer, weights: usize) {
    let again = match trainer.recomputed() {
        Recomputed { blocks: 0, .. } => String::new(),
        Recomputed { blocks, of, work } => {
            format!("; {blocks} of {of} blocks are computed again for the gradients, {:.1} % more work", 100.0 * work)
        }
    };
    let (millions, mib) = (weights as f64 / 1e6, trainer.peak_memory().div_ceil(1 << 20));
    eprintln!("network: {millions:.1} million weights; a step takes {mib} MiB of memory at the peak{again}");
}

/// Where checkpoints go, and events and the page; of a new run nothing may be there.
fn folders(common: &Common, from: Option<&Checkpoint<State>>, name: &str) -> Result<(PathBuf, PathBuf)> {
    let checkpoints = match from {
        Some(from) => folder_of(&from.path),
        None => common.models_base_dir.join(name),
    };
    let logs = common.logs_base_dir.join(name);
    create_folder(&logs)?;
    if from.is_none() && std::fs::read_dir(&checkpoints).is_ok_and(|mut entries| entries.next().is_some()) {
        let problem = format!("{} is there already: choose another --name, or --resume it", checkpoints.display());
        return Err(Error::invalid("--name", problem).into());
    }
    Ok((checkpoints, logs))
}

/// What is done to the pixels: as the run began, as asked, as the pretrained network had it, else the fixed one.
fn standardize(globals: &Globals, common: &Common, from: Option<&Checkpoint<State>>) -> Result<Standardize> {
    let fixed = common.use_fixed_image_standardization.then_some(Standardize::Fixed);
    let known = match from {
        Some(from) => checkpoint::standardize(&from.path),
        None => common.pretrained_model.as_deref().and_then(|file| {
            let published = weights::verify(file, true).ok().flatten();
            published.and_then(|entry| entry.standardize).or_else(|| checkpoint::standardize(file))
        }),
    };
    match (globals.standardize, fixed, known) {
        (Some(asked), _, Some(began)) if from.is_some() && asked != began => {
            Err(Error::invalid("--standardize", format!("the run was begun with {began}; leave it out")).into())
        }
        (Some(Standardize::Prewhiten), Some(_), _) => {
            Err(Error::invalid("--use-fixed-image-standardization", "is not --standardize prewhiten").into())
        }
        (asked, fixed, known) => Ok(match from {
            Some(_) => known.unwrap_or(Standardize::Fixed),
            None => asked.or(fixed).or(known).unwrap_or(Standardize::Fixed),
        }),
    }
}

/// Who is trained on, and who is not.
struct People {
    train: Dataset,
    validation: Option<Dataset>,
    held_out: Option<Arc<Dataset>>,
}

impl People {
    fn open(
        dir: &Path,
        common: &Common,
        kind: &Kind,
        inference: &Inference,
        pretrained: Option<&Unfolded>,
    ) -> Result<People> {
        let mut train = Dataset::open(dir)?;
        let mut held_out = None;
        if common.hold_out_people > 0 {
            if common.hold_out_people >= train.classes() {
                let problem = format!("{} people are there; somebody must be trained on", train.classes());
                return Err(Error::invalid("--hold-out-people", problem).into());
            }
            let (kept, others) = train.split_people(common.seed, train.classes() - common.hold_out_people)?;
            (train, held_out) = (kept, Some(Arc::new(others)));
        }
        if let Some(percentile) = common.filter {
            let read;
            let network = match (&common.filter_model, pretrained) {
                (Some(file), _) => {
                    read = read_model(file)?;
                    &read
                }
                (None, Some(pretrained)) => pretrained,
                (None, None) => {
                    let problem = "by which embeddings? give --filter-model FILE or --pretrained-model FILE";
                    return Err(Error::invalid("--filter", problem).into());
                }
            };
            let shared = Arc::new(train);
            let plain = Inference { flipped: false, ..*inference };
            let found = plain.embed(network.clone(), &shared)?;
            let labels = shared.labels();
            let centres = class_centres(&found.rows, found.dim, &labels, shared.classes());
            let mut distances = distances_to_centres(&found.rows, found.dim, &labels, &centres);
            // What cannot be decoded is as far as can be.
            let most = distances.iter().copied().fold(0.0, f32::max);
            found.bad.iter().for_each(|&image| distances[image] = most);
            train = shared.filter(&distances, percentile, common.filter_min_nrof_images_per_class)?;
        } else if common.filter_min_nrof_images_per_class > 0 {
            train = train.at_least(common.filter_min_nrof_images_per_class)?;
        }
        if kind.least > 1 {
            train.require_images(kind.least, &format!("`train {}`", kind.name))?;
        }
        if let Some((people, images, fill)) = kind.people {
            PeopleSampler::new(common.seed, Arc::new(train.clone()), people, images, fill)?;
        }
        let mut validation = None;
        if let Some((ratio, least)) = kind.validation {
            let (kept, held) = train.split_images(common.seed, ratio, least)?;
            (train, validation) = (kept, Some(held));
        }
        if kind.name == "softmax" && train.classes() < 2 {
            let problem = format!("{}: a classifier needs two people at least", dir.display());
            return Err(Error::invalid("people", problem).into());
        }
        Ok(People { train, validation, held_out })
    }
}

/// Which network is trained: as asked, else as the pretrained one is.
fn spec(common: &Common, kind: &Kind, dataset: &Dataset, pretrained: Option<&Unfolded>) -> Result<Spec> {
    let asked = common.width()?;
    let width = match (asked, pretrained) {
        (Some(asked), Some(pretrained)) if asked != pretrained.width => {
            let problem = "is not the pretrained network's; leave it out";
            return Err(Error::invalid("--width", problem).into());
        }
        (_, Some(pretrained)) => pretrained.width,
        (Some(asked), None) => asked,
        (None, None) => Width::FULL,
    };
    let embedding_size = match (common.embedding_size, pretrained) {
        (Some(asked), Some(pretrained)) if asked != pretrained.embedding_size() => {
            let problem =
                format!("{asked} is not the pretrained network's {}; leave it out", pretrained.embedding_size());
            return Err(Error::invalid("--embedding-size", problem).into());
        }
        (_, Some(pretrained)) => pretrained.embedding_size(),
        (asked, None) => asked.unwrap_or(128),
    };
    let classes = kind.loss.is_classifier().then(|| dataset.classes());
    Ok(Spec { width, embedding_size, classes, gamma: pretrained.is_some_and(has_gamma) })
}

/// Whether a network's batch norms have a scale other than 1.
fn has_gamma(weights: &Unfolded) -> bool {
    let layers = weights.convs.values().chain([&weights.bottleneck]);
    let scaled = |norm: &Norm| matches!(norm, Norm::Batch(norm) if norm.gamma.as_ref().is_some_and(|g| g.data().iter().any(|&g| g != 1.0)));
    layers.into_iter().any(|layer| scaled(&layer.norm))
}

/// Says what becomes of the pretrained classifier.
fn say_head(parameters: &Parameters, pretrained: &Unfolded) {
    let Some(classes) = parameters.spec().classes else { return };
    match pretrained.logits.as_ref().map(|(_, b)| b.data().len()) {
        Some(n) if n == classes => eprintln!("classifier: the pretrained one of {n} people is kept"),
        Some(n) => {
            eprintln!("classifier: of {classes} people, built anew; the pretrained one is of {n}; the rest is kept")
        }
        None => eprintln!("classifier: of {classes} people, built anew; the pretrained file has none"),
    }
}

/// A network's weights, batch norms apart.
fn read_model(file: &Path) -> Result<Unfolded> {
    weights::verify(file, true)?;
    let read = weights::facenet::unfolded(&weights::load(file)?)?;
    eprintln!("pretrained: {} ({}-d)", file.display(), read.embedding_size());
    Ok(read)
}

/// The pairs that are measured after each epoch; those drawn are of --lfw-dir, else of what is held out.
fn verification(common: &Common, held_out: Option<Arc<Dataset>>) -> Result<Option<Verification>> {
    let options = common.protocol();
    let source = match (&common.lfw_pairs, &common.lfw_dir, common.random_pairs()) {
        (Some(file), Some(dir), _) => Source::File(dir.clone(), Box::new(Pairs::read(file)?)),
        (None, Some(dir), Some(pairs)) => Source::Random(pairs, Arc::new(Dataset::open(dir)?)),
        (None, None, Some(pairs)) => match held_out {
            Some(photographs) => Source::Random(pairs, photographs),
            None => return Ok(None),
        },
        _ => return Ok(None),
    };
    Ok(Some(Verification { source, options }))
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
