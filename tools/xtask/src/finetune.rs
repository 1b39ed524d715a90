//! `cargo xtask finetune`: does training help? The published network on 40 people of a folder, by each loss, measured on
//! pairs of the others; and a small network from nothing.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use serde_json::Value;

use crate::runs::{self, Run};
use crate::shell::{self, program, say};
use crate::weights;

#[derive(clap::Args)]
pub struct Args {
    /// A folder for each person with their photographs, uncut
    photos: PathBuf,
    /// Where crops, runs and pairs go
    #[arg(long, default_value = "finetune", value_name = "DIR")]
    work: PathBuf,
    /// Where to run: auto, cpu, wgpu or cuda
    #[arg(long, default_value = "cpu")]
    device: String,
    /// Only people with so many photographs
    #[arg(long, default_value_t = 20, value_name = "N")]
    least: usize,
    /// People trained on; pairs are of the others
    #[arg(long, default_value_t = 40, value_name = "N")]
    people: usize,
    /// Steps of each fine-tuning, in three epochs
    #[arg(long, default_value_t = 90, value_name = "N")]
    steps: usize,
    /// Steps of the small network from nothing, in ten epochs
    #[arg(long, default_value_t = 2000, value_name = "N")]
    small_steps: usize,
    /// Only these runs: softmax, center, triplet, small
    #[arg(long, value_name = "NAME", value_delimiter = ',')]
    only: Vec<String>,
    /// Keep a page and its figures in benches/runs/, by this name of the machine
    #[arg(long, value_name = "NAME")]
    keep: Option<String>,
}

/// The published network by each loss, on the people trained on.
const TUNED: &str = "--max-nrof-epochs 3 --random-flip --optimizer ADAM --learning-rate-decay-epochs 1";
/// The losses. Center loss may have a large factor: batch norm keeps the prelogits' variance at 1, so that people draw
/// together and nothing else shrinks. The published network leaves few triplets within the original's margin.
const LOSSES: [(&str, &str, &str); 3] = [
    ("softmax", "softmax", "--batch-size 24 --learning-rate 0.005 --learning-rate-decay-factor 0.3"),
    (
        "center",
        "softmax",
        "--batch-size 24 --learning-rate 0.005 --learning-rate-decay-factor 0.3 --center-loss-factor 1 \
         --center-loss-alfa 0.5",
    ),
    (
        "triplet",
        "triplet",
        "--batch-size 30 --learning-rate 0.003 --people-per-batch 20 --images-per-person 4 --mining hard --alpha 0.5",
    ),
];
/// The small network from nothing.
const SMALL: &str = "--width 0.25 --image-size 96 --embedding-size 64 --batch-size 30 --max-nrof-epochs 10 --random-crop \
                     --random-flip --keep-probability 0.6 --weight-decay 5e-4 --optimizer ADAM \
                     --validation-set-split-ratio 0.2 --random-pairs 160";
/// Its learning rates: what it learns in the end depends on the last, low ones.
const SMALL_RATES: &str = "0: 0.05\n6: 0.005\n9: 0.0005\n";
/// The least share of the photographs held out that the small network must classify rightly, where 10 are chance's.
const SEPARATED: f64 = 0.85;
/// And of their pairs, where half are chance's.
const SEPARATED_PAIRS: f64 = 0.8;
const FOLDS: usize = 10;

/// What a run of training came to, before and after.
struct Row {
    name: &'static str,
    /// The loss: of the first and the last tenth of the steps, or where triplets change, of triplets that stay.
    losses: [f64; 2],
    /// Accuracy on pairs, and VAL.
    accuracies: [f64; 2],
    val: [f64; 2],
    /// The classifier's accuracy on photographs held out.
    validation: [f64; 2],
    file: PathBuf,
}

impl Row {
    /// What is wrong with it. Of a figure that is missing, which is NaN, nothing is true.
    fn problem(&self) -> Option<&'static str> {
        let falls = self.losses[1] < self.losses[0];
        let [before, after] = self.accuracies;
        let (better, otherwise) = match self.name {
            "small" => {
                (self.validation[1] >= SEPARATED && after >= SEPARATED_PAIRS, "photographs held out are not told apart")
            }
            _ => (after > before || (before == 1.0 && after == 1.0), "the accuracy on pairs did not rise"),
        };
        match (falls, better) {
            (true, true) => None,
            (false, _) => Some("the loss did not fall"),
            (true, false) => Some(otherwise),
        }
    }
}

pub fn run(args: &Args) -> Result<()> {
    let root = shell::root();
    weights::fill(&root.join("weights"))?;
    let warpface = shell::build_warpface()?;
    let work = if args.work.is_absolute() { args.work.clone() } else { root.join(&args.work) };
    let text = |path: &Path| path.to_string_lossy().into_owned();
    let run = |command: &[&str]| shell::run(program(&warpface, &["--device", &args.device]).args(command));

    say("cutting the faces out");
    let people = people(&args.photos, args.least)?;
    if people.len() <= args.people + 1 {
        bail!(
            "{}: {} people have {} photographs; {} are to be trained on",
            args.photos.display(),
            people.len(),
            args.least,
            args.people
        );
    }
    let (trained, others) = people.split_at(args.people);
    // Photographs are cropped to a network's input, not resized: the small network's are cut out in its size.
    for (part, people, flags) in [
        ("train", trained, ["--image-size", "160", "--margin", "32"]),
        ("others", others, ["--image-size", "160", "--margin", "32"]),
        ("ten", &trained[..10.min(trained.len())], ["--image-size", "112", "--margin", "36"]),
    ] {
        let photos = work.join("photos").join(part);
        for person in people {
            copy(&args.photos.join(person), &photos.join(person))?;
        }
        run(&[&["align", &text(&photos), &text(&work.join(part))][..], &flags].concat())?;
    }
    let [train, held, ten, pairs, rates] =
        ["train", "others", "ten", "pairs.txt", "rates.txt"].map(|name| text(&work.join(name)));
    write_pairs(&work.join("others"), &work.join("pairs.txt"))?;
    fs::write(&rates, SMALL_RATES).with_context(|| format!("cannot write {rates}"))?;

    let model = text(&root.join("weights/facenet_keras.h5"));
    let (epoch, small_epoch) = ((args.steps / 3).max(1).to_string(), (args.small_steps / 10).max(1).to_string());
    let [models, logs] = ["models", "logs"].map(|name| text(&work.join(name)));
    let kept = ["--models-base-dir", &models, "--logs-base-dir", &logs];
    let folds = FOLDS.to_string();
    let measured = ["--lfw-dir", &held, "--lfw-pairs", &pairs, "--lfw-nrof-folds", &folds];
    let begin = [&["--pretrained-model", &model, "--epoch-size", &epoch][..], &measured].concat();
    let nothing = ["--epoch-size", &small_epoch, "--learning-rate", "-1", "--learning-rate-schedule-file", &rates];

    let tuned = LOSSES.map(|(name, kind, flags)| (name, kind, &train, &begin[..], [TUNED, flags].join(" ")));
    let small = ("small", "softmax", &ten, &nothing[..], SMALL.to_owned());
    let mut rows = Vec::new();
    for (name, kind, people, flags, settings) in tuned.into_iter().chain([small]) {
        if !args.only.is_empty() && !args.only.iter().any(|only| only == name) {
            continue;
        }
        say(format!("training: {name}"));
        let folder = work.join("models").join(name);
        let _ = fs::remove_dir_all(&folder);
        let settings: Vec<&str> = settings.split_whitespace().collect();
        run(&[&["train", kind, people.as_str(), "--name", name], &settings[..], flags, &kept].concat())?;
        rows.push(row(name, &folder)?);
    }

    say(format!("commit {}, {} people trained on, pairs of {} others", shell::commit(), trained.len(), others.len()));
    let page = page(&rows);
    print!("{page}");
    if let Some(machine) = &args.keep {
        let run = Run::new(None, machine, "finetune")?;
        let words: Vec<String> = std::env::args().skip(1).collect();
        let header = run.header(&format!("cargo xtask {}", words.join(" ")));
        runs::write(&run.page(), &format!("{header}\n{page}"))?;
        runs::write(&run.with("csv"), &raw_rows(&rows))?;
    }
    rows.iter().for_each(|row| eprintln!("  {}", row.file.display()));
    let problems: Vec<String> =
        rows.iter().filter_map(|row| Some(format!("{}: {}", row.name, row.problem()?))).collect();
    if !problems.is_empty() {
        bail!("{}", problems.join("; "));
    }
    Ok(())
}

/// The runs for people.
fn page(rows: &[Row]) -> String {
    let mut text = "| run | loss | accuracy on pairs | VAL at FAR 0.001 | photographs held out |\n".to_owned();
    text += "|---|---|---|---|---|\n";
    let percents = |[a, b]: [f64; 2]| match a.is_finite() || b.is_finite() {
        true => format!("{:.3} % to {:.3} %", 100.0 * a, 100.0 * b),
        false => "–".to_owned(),
    };
    for Row { name, losses: [first, last], accuracies, val, validation, .. } in rows {
        let figures = [*accuracies, *val, *validation].map(percents).join(" | ");
        let decimals = if *first < 0.01 { 6 } else { 3 };
        text += &format!("| {name} | {first:.decimals$} to {last:.decimals$} | {figures} |\n");
    }
    text
}

/// The runs as CSV: every figure before and after; empty where there is none.
fn raw_rows(rows: &[Row]) -> String {
    let mut text = "run,figure,before,after\n".to_owned();
    let cell = |x: f64| if x.is_finite() { x.to_string() } else { String::new() };
    for Row { name, losses, accuracies, val, validation, .. } in rows {
        let figures =
            [("loss", losses), ("accuracy", accuracies), ("val_at_far_0.001", val), ("held_out_accuracy", validation)];
        for (figure, [before, after]) in figures {
            text += &format!("{name},{figure},{},{}\n", cell(*before), cell(*after));
        }
    }
    text
}

/// All pairs there are, dealt out to the folds. Those of one person come as often as makes them as many as those of
/// different people, as LFW's protocol has it: a sample of the latter would add more noise than fine-tuning changes.
fn write_pairs(crops: &Path, file: &Path) -> Result<()> {
    let mut photos = Vec::new();
    for person in people(crops, 1)? {
        let dir = crops.join(&person);
        let entries = fs::read_dir(&dir).with_context(|| format!("cannot list {}", dir.display()))?.flatten();
        let mut names: Vec<String> = entries.map(|entry| entry.file_name().to_string_lossy().into_owned()).collect();
        names.sort();
        photos.extend(names.into_iter().map(|name| (person.clone(), format!("{person}/{name}"))));
    }
    let all = (0..photos.len()).flat_map(|i| (i + 1..photos.len()).map(move |j| (i, j)));
    let (same, mut different): (Vec<_>, Vec<_>) = all.partition(|&(i, j)| photos[i].0 == photos[j].0);
    let times = (different.len() / same.len().max(1)).max(1);
    // But for a few: the header can tell of whole folds only.
    let left = (times * same.len() + different.len()) % (2 * FOLDS);
    different.truncate(different.len().saturating_sub(left));
    let per_fold = (times * same.len() + different.len()) / (2 * FOLDS);
    let mut lines = format!("{FOLDS}\t{per_fold}\tpaths\n");
    for fold in 0..FOLDS {
        for (pairs, kind, times) in [(&same, "same", times), (&different, "different", 1)] {
            for &(i, j) in pairs.iter().skip(fold).step_by(FOLDS) {
                lines.push_str(&format!("{}\t{}\t{kind}\n", photos[i].1, photos[j].1).repeat(times));
            }
        }
    }
    fs::write(file, lines).with_context(|| format!("cannot write {}", file.display()))
}

/// People with at least `least` photographs, by name.
fn people(photos: &Path, least: usize) -> Result<Vec<String>> {
    let list = |dir: &Path| fs::read_dir(dir).with_context(|| format!("cannot list {}", dir.display()));
    let mut people = Vec::new();
    for entry in list(photos)?.flatten().filter(|entry| entry.path().is_dir()) {
        if list(&entry.path())?.count() >= least {
            people.push(entry.file_name().to_string_lossy().into_owned());
        }
    }
    people.sort();
    Ok(people)
}

/// Copies a folder's files, except those that exist.
fn copy(from: &Path, to: &Path) -> Result<()> {
    fs::create_dir_all(to).with_context(|| format!("cannot create {}", to.display()))?;
    for entry in fs::read_dir(from).with_context(|| format!("cannot list {}", from.display()))?.flatten() {
        let target = to.join(entry.file_name());
        if !target.exists() && entry.path().is_file() {
            fs::copy(entry.path(), &target).with_context(|| format!("cannot write {}", target.display()))?;
        }
    }
    Ok(())
}

/// What the last checkpoint of a run tells.
fn row(name: &'static str, folder: &Path) -> Result<Row> {
    let files = fs::read_dir(folder).with_context(|| format!("cannot list {}", folder.display()))?.flatten();
    let last = files.map(|e| e.path()).filter(|path| path.extension().is_some_and(|e| e == "json")).max();
    let last = last.with_context(|| format!("{}: no checkpoint is there", folder.display()))?;
    let json: Value = serde_json::from_slice(&fs::read(&last)?)?;
    let history = &json["run"]["history"];
    let points = history["points"].as_array().context("a run without points")?;
    let mean = |points: &[Value]| {
        points.iter().filter_map(|point| point["losses"][0].as_f64()).sum::<f64>() / points.len() as f64
    };
    let tenth = points.len().div_ceil(10);
    let epochs = history["epochs"].as_array().context("a run without epochs")?;
    let ends =
        |what: &str| [epochs.first(), epochs.last()].map(|e| e.and_then(|e| e[what].as_f64()).unwrap_or(f64::NAN));
    let fixed = ends("triplet_loss");
    let losses = match fixed[0].is_finite() {
        true => fixed,
        false => [mean(&points[..tenth]), mean(&points[points.len() - tenth..])],
    };
    let [accuracies, val, validation] = ["accuracy", "val", "validation_accuracy"].map(ends);
    Ok(Row { name, losses, accuracies, val, validation, file: last })
}
