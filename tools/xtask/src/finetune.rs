//! `cargo xtask finetune`: does training help? The published network on 40 people of a folder, by each loss, measured on
//! pairs of the others; and a small network from nothing.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use serde_json::Value;

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
    #[arg(long, default_value_t = 60, value_name = "N")]
    steps: usize,
    /// Steps of the small network from nothing, in five epochs
    #[arg(long, default_value_t = 400, value_name = "N")]
    small_steps: usize,
}

/// What a run of training came to.
struct Row {
    name: &'static str,
    losses: [f64; 2],
    accuracies: [f64; 2],
    val: [f64; 2],
    file: PathBuf,
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
    let chosen = work.join("photos");
    for person in &people {
        copy(&args.photos.join(person), &chosen.join(person))?;
    }
    run(&["align", &text(&chosen), &text(&work.join("crops"))])?;
    let (trained, others) = people.split_at(args.people);
    for (part, people) in [("train", trained), ("others", others), ("ten", &trained[..10.min(trained.len())])] {
        for person in people {
            copy(&work.join("crops").join(person), &work.join(part).join(person))?;
        }
    }
    let [train, held, ten, pairs] = ["train", "others", "ten", "pairs.txt"].map(|name| text(&work.join(name)));
    run(&["lfw", &held, "--pairs", &pairs, "--seeded-pairs", "1", "--aligned", "--folds", "5"])?;

    let model = text(&root.join("weights/facenet_keras.h5"));
    let (epoch, small_epoch) = ((args.steps / 3).max(1).to_string(), (args.small_steps / 5).max(1).to_string());
    let [models, logs] = ["models", "logs"].map(|name| text(&work.join(name)));
    let kept = ["--models-base-dir", &models, "--logs-base-dir", &logs, "--random-flip"];
    let tuned = ["--pretrained-model", &model, "--epoch-size", &epoch, "--max-nrof-epochs", "3", "--batch-size", "24"];
    let measured = ["--lfw-dir", &held, "--lfw-pairs", &pairs, "--lfw-nrof-folds", "5"];
    let rate = ["--optimizer", "ADAM", "--learning-rate", "0.01", "--weight-decay", "5e-5"];
    let softmax = ["--name", "softmax"];
    let center = ["--name", "center", "--center-loss-factor", "1e-2", "--center-loss-alfa", "0.9"];
    // The published network leaves few triplets within the original's margin.
    let triplet = ["--name", "triplet", "--people-per-batch", "16", "--images-per-person", "4"];
    let triplet = [&triplet[..], &["--mining", "hard", "--alpha", "1.0"]].concat();
    let wide = [
        "--width",
        "0.25",
        "--image-size",
        "96",
        "--embedding-size",
        "64",
        "--batch-size",
        "30",
        "--optimizer",
        "ADAM",
    ];
    let wide =
        [&wide[..], &["--learning-rate", "0.05", "--epoch-size", &small_epoch, "--max-nrof-epochs", "5"]].concat();
    let ten_pairs =
        ["--validation-set-split-ratio", "0.2", "--lfw-dir", &ten, "--random-pairs", "600", "--lfw-nrof-folds", "5"];
    let small = [&["--name", "small"], &wide[..], &ten_pairs].concat();

    let mut rows = Vec::new();
    for (name, kind, people, flags) in [
        ("softmax", "softmax", &train, [&tuned[..], &measured, &rate, &softmax].concat()),
        ("center", "softmax", &train, [&tuned[..], &measured, &rate, &center].concat()),
        ("triplet", "triplet", &train, [&tuned[..], &measured, &rate, &triplet].concat()),
        ("small", "softmax", &ten, small),
    ] {
        say(format!("training: {name}"));
        let folder = work.join("models").join(name);
        let _ = fs::remove_dir_all(&folder);
        run(&[&["train", kind, people.as_str()], &flags[..], &kept].concat())?;
        rows.push(row(name, &folder)?);
    }

    say(format!("commit {}, {} people trained on, pairs of {} others", shell::commit(), trained.len(), others.len()));
    println!("| run | loss, first and last tenth | accuracy on pairs, before and after | VAL, before and after |");
    println!("|---|---|---|---|");
    for Row { name, losses, accuracies, val, .. } in &rows {
        let [a, b] = losses;
        let [c, d] = accuracies.map(|x| 100.0 * x);
        let [e, f] = val.map(|x| 100.0 * x);
        println!("| {name} | {a:.3} to {b:.3} | {c:.2} % to {d:.2} % | {e:.2} % to {f:.2} % |");
    }
    rows.iter().for_each(|row| eprintln!("  {}", row.file.display()));
    let worse = |row: &&Row| row.losses[1] >= row.losses[0] || row.accuracies[1] < row.accuracies[0];
    match rows.iter().find(worse) {
        Some(row) => bail!("{}: the loss did not fall, or the accuracy did", row.name),
        None => Ok(()),
    }
}

/// People with so many photographs, by name.
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

/// Copies a folder's files, but for those that are there.
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
        points.iter().filter_map(|point| point["losses"][0].as_f64()).sum::<f64>() / points.len().max(1) as f64
    };
    let tenth = points.len().div_ceil(10);
    let epochs = history["epochs"].as_array().context("a run without epochs")?;
    let ends =
        |what: &str| [epochs.first(), epochs.last()].map(|e| e.and_then(|e| e[what].as_f64()).unwrap_or(f64::NAN));
    Ok(Row {
        name,
        losses: [mean(&points[..tenth]), mean(&points[points.len() - tenth..])],
        accuracies: ends("accuracy"),
        val: ends("val"),
        file: last,
    })
}
