//! `warpface train` as its users run it: small networks on made-up people.

#[path = "../common/mod.rs"]
mod common;
mod travels;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use tempfile::TempDir;

/// A network of two channels, small batches, two short epochs.
const SMALL: [&str; 14] = [
    "--width",
    "0.0625",
    "--embedding-size",
    "8",
    "--image-size",
    "80",
    "--epoch-size",
    "4",
    "--max-nrof-epochs",
    "2",
    "--learning-rate",
    "0.02",
    "--optimizer",
    "mom",
];

/// A folder of people, and where runs are kept.
struct World {
    folder: TempDir,
}

impl World {
    /// So many people with so many photographs each.
    fn new(people: usize, photographs: usize) -> World {
        World::of_size(people, photographs, 80)
    }

    /// Photographs of `size` squared.
    fn of_size(people: usize, photographs: usize, size: usize) -> World {
        let world = World { folder: tempfile::tempdir().unwrap() };
        common::people::write(&world.people(), people, photographs, size);
        world
    }

    fn at(&self, inside: &str) -> PathBuf {
        self.folder.path().join(inside)
    }

    fn people(&self) -> PathBuf {
        self.at("people")
    }

    /// A command on the CPU; runs of training are kept in the world's own folders.
    fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_warpface"));
        command.args(["--device", "cpu", "--threads", "2"]).args(args);
        if args[0] == "train" {
            command.arg("--logs-base-dir").arg(self.at("logs"));
            if !args.contains(&"--resume") {
                command.arg("--models-base-dir").arg(self.at("models"));
            }
        }
        command
    }

    /// `train KIND PEOPLE --name NAME` with the flags of the small network and these, which come last.
    fn train(&self, kind: &str, name: &str, flags: &[&str]) -> Output {
        let people = self.people();
        let begin = ["train", kind, people.to_str().unwrap(), "--name", name];
        let small: Vec<&str> = SMALL.chunks(2).filter(|pair| !flags.contains(&pair[0])).flatten().copied().collect();
        self.command(&[&begin[..], &small, flags].concat()).output().unwrap()
    }

    fn resume(&self, kind: &str, run: &str, flags: &[&str]) -> Output {
        let run = self.at("models").join(run);
        self.command(&[&["train", kind, "--resume", run.to_str().unwrap()], flags].concat()).output().unwrap()
    }

    /// The tensors file of a run's step.
    fn file(&self, run: &str, step: u64) -> PathBuf {
        self.at("models").join(run).join(format!("step-{step:08}.safetensors"))
    }
}

fn err(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

/// The messages of a command that went well.
fn done(output: &Output) -> String {
    assert!(output.status.success(), "{}\n{}", output.status, err(output));
    err(output)
}

/// A command that failed, saying these words, and did not panic.
fn fails(output: &Output, words: &[&str]) {
    let text = err(output);
    assert!(
        !output.status.success() && output.status.code().is_some_and(|code| code < 100),
        "{}\n{text}",
        output.status
    );
    words.iter().for_each(|word| assert!(text.contains(word), "`{word}` is not in:\n{text}"));
}

fn same_bits(a: &Path, b: &Path) {
    assert!(fs::read(a).unwrap() == fs::read(b).unwrap(), "{} differs from {}", a.display(), b.display());
}

/// The parts of the loss of every step of a run, as a checkpoint's JSON has them.
fn losses(file: &Path) -> Vec<serde_json::Value> {
    let json: serde_json::Value = serde_json::from_slice(&fs::read(file.with_extension("json")).unwrap()).unwrap();
    let points = json["run"]["history"]["points"].as_array().unwrap();
    points.iter().map(|point| point["losses"].clone()).collect()
}

const CENTERS: [&str; 6] = ["--batch-size", "6", "--center-loss-factor", "0.01", "--keep-probability", "0.8"];

#[test]
fn softmax_trains_evaluates_and_is_a_model() {
    let world = World::new(6, 5);
    let flags = ["--hold-out-people", "3", "--random-pairs", "30", "--same-ratio", "1:2", "--lfw-nrof-folds", "3"];
    let validation =
        ["--validation-set-split-ratio", "0.2", "--prelogits-norm-loss-factor", "1e-3", "--log-histograms"];
    let text = done(&world.train("softmax", "run", &[&CENTERS[..], &flags, &validation].concat()));
    for words in [
        "people: 3 with 12 photographs",
        "MiB of memory at the peak",
        "validation loss",
        "pairs 30, accuracy",
        "center",
    ] {
        assert!(text.contains(words), "`{words}` is not in:\n{text}");
    }
    let logs = world.at("logs/run");
    let page = fs::read_to_string(logs.join("summary.html")).unwrap();
    assert!(page.contains("Epoch by epoch") && page.contains("center-loss-factor"));
    assert!(fs::read_dir(&logs).unwrap().any(|e| e.unwrap().file_name().to_string_lossy().contains("tfevents")));

    // The checkpoint is a model wherever models are taken.
    let model = world.file("run", 8);
    let out = world.at("embeddings");
    let (people, model) = (world.people(), model.to_str().unwrap().to_owned());
    let embed = ["embed", people.to_str().unwrap(), "--aligned", "-o", out.to_str().unwrap(), "--model", &model];
    done(&world.command(&embed).output().unwrap());
    assert!(out.join("embeddings.npy").is_file());
    for (name, flags) in [("m.pt", &[][..]), ("m.npz", &["--unfolded"]), ("a.npz", &["--moving-average"])] {
        let to = world.at(name);
        done(
            &world.command(&[&["convert", to.to_str().unwrap(), "--model", &model], flags].concat()).output().unwrap(),
        );
    }
    let unfolded = |path: &Path| warpface::weights::network::unfolded(&warpface::weights::load(path).unwrap()).unwrap();
    let trained = unfolded(Path::new(&model));
    assert_eq!(unfolded(&world.at("m.npz")), trained);
    let mut torch = unfolded(&world.at("m.pt"));
    let layers = torch.layers.values_mut().chain([&mut torch.bottleneck]);
    layers.for_each(|layer| {
        if let warpface::weights::network::Norm::Batch(norm) = &mut layer.norm {
            assert!(norm.gamma.take().is_some_and(|gamma| gamma.data().iter().all(|&g| g == 1.0)));
        }
    });
    assert_eq!(torch, trained);
    assert_ne!(unfolded(&world.at("a.npz")).layers, trained.layers);

    // Further training of other people keeps all but the classifier.
    let begin = ["--pretrained-model", &model, "--batch-size", "6", "--embedding-size", "8"];
    let text = done(&world.train("softmax", "again", &begin));
    assert!(text.contains("of 6 people: 3 keep their rows of the pretrained one, 3 are new"), "{text}");
}

#[test]
fn pairs_may_be_of_validation_photographs() {
    let world = World::new(4, 6);
    let flags = ["--batch-size", "6", "--validation-set-split-ratio", "0.5", "--random-pairs", "20"];
    let text = done(&world.train("softmax", "run", &[&flags[..], &["--lfw-nrof-folds", "2"]].concat()));
    assert!(text.contains("people: 4 with 12 photographs"), "{text}");
    // Before the first step, and after each of two epochs.
    assert_eq!((text.matches("validation loss").count(), text.matches("pairs 20, accuracy").count()), (3, 3), "{text}");
}

#[test]
fn triplets_of_every_kind_are_found() {
    let world = World::new(4, 4);
    let mut before = None;
    for mode in ["random", "semi-hard", "hard", "vgg", "global"] {
        let flags = ["--batch-size", "6", "--people-per-batch", "3", "--images-per-person", "3", "--mining", mode];
        let text = done(&world.train("triplet", mode, &flags));
        assert!(text.contains("done: 8 steps"), "{mode}: {text}");
        // Before the first step, then after each epoch; what is mined has no part in the first.
        let losses: Vec<&str> = text.lines().filter(|line| line.contains("all triplets of 16 photographs")).collect();
        assert_eq!(losses.len(), 3, "{mode}: {text}");
        assert_eq!(*before.get_or_insert_with(|| losses[0].to_owned()), losses[0], "{mode}");
        assert!(losses[2].split_once("loss").unwrap().1 != losses[0].split_once("loss").unwrap().1, "{mode}: {text}");
    }
}

#[test]
fn a_run_that_goes_on_is_the_run() {
    let world = World::new(3, 4);
    let triplet = ["--batch-size", "6", "--people-per-batch", "3", "--images-per-person", "3", "--mining", "global"];
    let random = ["--random-flip", "--random-crop", "--random-rotate"];
    for (kind, flags) in [("softmax", &CENTERS[..]), ("triplet", &triplet)] {
        let optimizer = ["--optimizer", if kind == "softmax" { "adagrad" } else { "mom" }];
        let flags = [flags, &random, &optimizer, &["--checkpoint-every", "3", "--keep-checkpoints", "9"]].concat();
        let (whole, part) = (format!("{kind}-whole"), format!("{kind}-part"));
        done(&world.train(kind, &whole, &flags));
        done(&world.train(kind, &part, &[&flags[..], &["--max-nrof-epochs", "1"]].concat()));
        // From the middle of the epoch, as if killed after its third step.
        for suffix in ["safetensors", "json"] {
            fs::remove_file(world.file(&part, 4).with_extension(suffix)).unwrap();
        }
        let text = done(&world.resume(kind, &part, &["--max-nrof-epochs", "2"]));
        assert!(text.contains("after step 3"), "{text}");
        same_bits(&world.file(&whole, 8), &world.file(&part, 8));
        let told = losses(&world.file(&part, 8));
        assert_eq!((told.len(), told), (8, losses(&world.file(&whole, 8))));

        // A checkpoint cut short is passed over, and said.
        let last = world.file(&part, 8);
        let bytes = fs::read(&last).unwrap();
        fs::write(&last, &bytes[..bytes.len() / 2]).unwrap();
        let text = done(&world.resume(kind, &part, &[]));
        assert!(text.contains("passed over") && text.contains("after step 6"), "{text}");
        same_bits(&world.file(&whole, 8), &world.file(&part, 8));
    }
    fails(&world.resume("softmax", "softmax-whole", &["--batch-size", "3"]), &["--batch-size", "as it began"]);
    fails(&world.resume("triplet", "softmax-whole", &[]), &["train softmax"]);
    fails(&world.resume("softmax", "nothing", &[]), &["nothing"]);
    fs::remove_file(world.people().join("P1/P1_0002.png")).unwrap();
    for kind in ["softmax", "triplet"] {
        let more = world.resume(kind, &format!("{kind}-whole"), &["--max-nrof-epochs", "3"]);
        fails(&more, &["photographs were added", "--pretrained-model"]);
    }
    fs::remove_dir_all(world.people().join("P1")).unwrap();
    fails(&world.resume("softmax", "softmax-whole", &["--max-nrof-epochs", "3"]), &["3 people", "same folder"]);
}

#[test]
fn a_run_goes_on_with_what_may_be_given_anew_and_without_what_it_began_with() {
    let world = World::new(3, 4);
    done(&world.train("softmax", "first", &["--batch-size", "6", "--standardize", "prewhiten"]));
    let begin = ["--batch-size", "6", "--embedding-size", "8", "--width", "0.0625", "--pretrained-model"];
    let first = world.file("first", 8);
    let text = done(&world.train("softmax", "second", &[&begin[..], &[first.to_str().unwrap()]].concat()));
    assert!(text.contains("prewhiten standardization") && text.contains("3 keep their rows"), "{text}");

    // What a checkpoint was trained with is how it is used.
    let (people, out) = (world.people(), world.at("embeddings"));
    let embed = ["embed", people.to_str().unwrap(), "--aligned", "-o", out.to_str().unwrap(), "--model"];
    let text = done(&world.command(&[&embed[..], &[first.to_str().unwrap()]].concat()).output().unwrap());
    assert!(text.contains("prewhiten standardization, as it was trained"), "{text}");

    // Also where nothing else was taken along, and as another file.
    let (moved, zipped) = (world.at("moved.safetensors"), world.at("moved.npz"));
    fs::copy(&first, &moved).unwrap();
    let convert = ["convert", zipped.to_str().unwrap(), "--model", moved.to_str().unwrap(), "--json"];
    let output = world.command(&convert).output().unwrap();
    done(&output);
    let line: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!((&line["standardize"], &line["image_size"]), (&"prewhiten".into(), &80.into()));
    for model in [&moved, &zipped] {
        let facts = warpface::weights::load(model).unwrap().facts;
        assert_eq!((facts.standardize, facts.image_size), (Some(warpface::face::Standardize::Prewhiten), Some(80)));
    }

    fs::remove_dir_all(world.at("models/first")).unwrap();
    let (rates, logs) = (world.at("rates.txt"), world.at("elsewhere"));
    fs::write(&rates, "0: 0.25\n").unwrap();
    let anew = ["--max-nrof-epochs", "3", "--learning-rate-schedule-file", rates.to_str().unwrap(), "--json"];
    let run = world.at("models/second");
    let resume = ["train", "softmax", "--resume", ".", "--device", "cpu", "--logs-base-dir", logs.to_str().unwrap()];
    let output =
        Command::new(env!("CARGO_BIN_EXE_warpface")).args([&resume[..], &anew].concat()).current_dir(&run).output();
    let output = output.unwrap();
    let text = done(&output);
    assert!(text.contains("rate 0.25") && !text.contains("classifier"), "{text}");
    assert!(logs.join("second/summary.html").is_file());
    let line: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!((&line["step"], line["epochs"].as_array().map(Vec::len)), (&12.into(), Some(3)));
    fails(&world.resume("softmax", "second", &["--standardize", "fixed"]), &["--standardize", "prewhiten"]);
    fails(&world.resume("softmax", "second", &["--name", "third"]), &["--name", "as it began"]);
    let text = done(&world.resume("softmax", "second/step-00000008.json", &[]));
    assert!(text.contains("step 12 is saved there too"), "{text}");
}

#[cfg(unix)]
#[test]
fn one_run_at_a_time_uses_a_folder() {
    let world = World::new(3, 4);
    let people = world.people();
    let long = ["train", "softmax", people.to_str().unwrap(), "--name", "run", "--batch-size", "6"];
    let small: Vec<&str> = SMALL.chunks(2).filter(|pair| pair[0] != "--epoch-size").flatten().copied().collect();
    let mut first = world.command(&[&long[..], &small, &["--epoch-size", "100000"]].concat());
    let mut first = first.stderr(std::process::Stdio::null()).spawn().unwrap();
    let events = || fs::read_dir(world.at("logs/run")).is_ok_and(|mut files| files.next().is_some());
    while !events() && first.try_wait().unwrap().is_none() {
        std::thread::sleep(std::time::Duration::from_millis(5));
    }
    let second = world.train("softmax", "run", &["--batch-size", "6"]);
    let resumed = world.resume("softmax", "run", &[]);
    first.kill().unwrap();
    first.wait().unwrap();
    fails(&second, &["models/run", "another run", "--name"]);
    fails(&resumed, &["models/run", "another run"]);
    done(&world.train("softmax", "run", &["--batch-size", "6"]));
}

#[test]
fn memory_is_met_and_told() {
    let world = World::new(3, 4);
    let batch = ["--batch-size", "16"];
    let text = done(&world.train("softmax", "whole", &batch));
    let mib = text.split(" MiB of memory at the peak").next().unwrap().rsplit(' ').next().unwrap();
    let budget = format!("{}K", 1024 * mib.parse::<u64>().unwrap() * 3 / 4);
    let text = done(&world.train("softmax", "less", &[&batch[..], &["--memory-budget", &budget]].concat()));
    assert!(text.contains("blocks are computed again for the gradients") && text.contains("% more work"), "{text}");
    same_bits(&world.file("whole", 8), &world.file("less", 8));
}

#[cfg(unix)]
#[test]
fn killed_or_interrupted_nothing_is_lost() {
    let world = World::new(3, 4);
    let flags = [&CENTERS[..], &["--checkpoint-every", "2", "--epoch-size", "40", "--max-nrof-epochs", "1"]].concat();
    done(&world.train("softmax", "whole", &flags));
    for (name, signal) in [("killed", "-KILL"), ("interrupted", "-INT")] {
        let people = world.people();
        let begin = ["train", "softmax", people.to_str().unwrap(), "--name", name];
        let small: Vec<&str> = SMALL.chunks(2).filter(|pair| !flags.contains(&pair[0])).flatten().copied().collect();
        let mut command = world.command(&[&begin[..], &small, &flags].concat());
        let mut child = command.stderr(std::process::Stdio::null()).spawn().unwrap();
        while !world.file(name, 4).exists() && child.try_wait().unwrap().is_none() {
            std::thread::sleep(std::time::Duration::from_millis(2));
        }
        Command::new("kill").args([signal, &child.id().to_string()]).status().unwrap();
        let status = child.wait().unwrap();
        // It may have come too late.
        let code = if signal == "-INT" { Some(130) } else { None };
        assert!(status.code() == code || world.file(name, 40).exists(), "{name}: {status}");
        done(&world.resume("softmax", name, &[]));
        same_bits(&world.file("whole", 40), &world.file(name, 40));
    }
}

#[test]
fn bad_input_is_told() {
    let world = World::new(3, 4);
    let triplets = ["--batch-size", "6", "--people-per-batch", "3", "--images-per-person", "3"];

    // Settings.
    let schedule = world.at("rates.txt");
    fs::write(&schedule, "0: 0.1\nten: 0.01\n").unwrap();
    let file = schedule.to_str().unwrap();
    let rates = ["--learning-rate", "-1", "--learning-rate-schedule-file", file];
    fails(&world.train("softmax", "a", &rates), &["rates.txt:2", "ten"]);
    fails(&world.train("triplet", "b", &["--batch-size", "8"]), &["--batch-size", "divide by 3"]);
    fails(&world.train("softmax", "c", &["--optimizer", "SGD"]), &["--optimizer", "ADAGRAD"]);
    fails(&world.train("softmax", "d", &["--width", "0.3"]), &["--width", "0.0625"]);
    fails(
        &world.train("softmax", "e", &["--batch-size", "6", "--memory-budget", "1M"]),
        &["memory budget", "smaller batch"],
    );
    fails(&world.resume("softmax", "nowhere", &[]), &["--resume", "nowhere: neither a folder"]);
    fails(&world.train("softmax", "f", &["--random-pairs", "10"]), &["--random-pairs", "--hold-out-people"]);
    for flags in [
        &["--batch-size", "1000000000000"][..],
        &["--embedding-size", "999999999999"],
        &["--image-size", "18446744073709551615"],
        &["--validate-every-n-epochs", "0"],
        &["--filter-model", "model.pb"],
        &["--model", "model.pb"],
        &["--standardize", "prewhiten", "--use-fixed-image-standardization"],
    ] {
        fails(
            &world.train("softmax", "size", flags),
            &[flags.last().filter(|flag| flag.starts_with("--")).unwrap_or(&flags[0])],
        );
    }
    fails(&world.train("softmax", "../out", &["--batch-size", "6"]), &["--name", "no folder's name"]);
    let huge = ["--batch-size", "65536", "--image-size", "1024"];
    fails(&world.train("softmax", "huge", &huge), &["memory of a step", "smaller batch", "--memory-budget"]);
    let pairs = world.at("pairs.txt");
    fs::write(&pairs, "2\t1\nP0\t1\t2\nP0\t1\tP1\t3\nNobody\t1\t2\nP1\t1\tP2\t3\n").unwrap();
    let people = world.people();
    // Two folds, as the header says.
    let lfw = ["--lfw-dir", people.to_str().unwrap(), "--lfw-pairs", pairs.to_str().unwrap()];
    let text = done(&world.train("softmax", "pairs", &[&["--batch-size", "6"][..], &lfw].concat()));
    assert!(text.contains("pairs are left out (Nobody"), "{text}");
    // A person's only photograph in the validation set, whichever it is: all others are whole by then.
    let others = World::new(3, 4);
    let mut told = 0;
    for photograph in 1..=4 {
        let path = others.people().join(format!("P0/P0_{photograph:04}.png"));
        let whole = fs::read(&path).unwrap();
        fs::write(&path, b"no picture").unwrap();
        let name = format!("v{photograph}");
        let text = done(&others.train("softmax", &name, &["--batch-size", "6", "--validation-set-split-ratio", "0.1"]));
        told += usize::from(text.contains("left out of validation"));
        fs::write(&path, whole).unwrap();
    }
    assert_eq!(told, 1);
    // A person's only photograph in the pairs.
    fs::create_dir_all(others.people().join("P9")).unwrap();
    fs::write(others.people().join("P9/P9_0001.png"), b"no picture").unwrap();
    fs::write(&pairs, "2\t1\nP0\t1\t2\nP0\t1\tP9\t1\nP1\t1\t2\nP1\t1\tP2\t3\n").unwrap();
    let people = others.people();
    let lfw = ["--lfw-dir", people.to_str().unwrap(), "--lfw-pairs", pairs.to_str().unwrap(), "--lfw-nrof-folds", "2"];
    let text = done(&world.train("softmax", "corrupt", &[&["--batch-size", "6"][..], &lfw].concat()));
    assert!(text.contains("pairs are left out") && text.contains("P9_0001.png: not decoded"), "{text}");
    fails(&world.train("softmax", "g", &["--batch-size", "6", "--same-ratio", "2"]), &["1:2"]);

    // People.
    let few = [&triplets[..2], &["--people-per-batch", "30", "--images-per-person", "3"]].concat();
    fails(&world.train("triplet", "h", &few), &["only 3 people"]);
    fs::write(world.people().join("P1/P1_0002.png"), b"no picture").unwrap();
    let text = done(&world.train("softmax", "i", &["--batch-size", "6"]));
    assert!(text.contains("left out") && text.contains("P1_0002.png"), "{text}");
    for photograph in [2, 3, 4] {
        fs::remove_file(world.people().join(format!("P2/P2_{photograph:04}.png"))).unwrap();
    }
    fails(&world.train("triplet", "j", &triplets), &["P2", "2 images of each person"]);
    for photograph in [1, 2, 3, 4] {
        fs::write(world.people().join(format!("P1/P1_{photograph:04}.png")), b"no picture").unwrap();
    }
    fails(&world.train("softmax", "k", &["--batch-size", "6"]), &["P1", "none of its 4 images"]);
    fails(&world.command(&["train", "softmax", "/nowhere/at/all"]).output().unwrap(), &["/nowhere/at/all"]);
}

#[cfg(unix)]
#[test]
fn a_full_disk_leaves_earlier_checkpoints() {
    let world = World::new(3, 4);
    done(&world.train("softmax", "run", &[&CENTERS[..], &["--max-nrof-epochs", "1"]].concat()));
    let before = fs::read(world.file("run", 4)).unwrap();
    // Files may not grow beyond what is far too little.
    let run = world.at("models/run");
    let line = format!(
        "trap '' XFSZ; ulimit -f 64; exec {} --device cpu train softmax --resume {} --max-nrof-epochs 2 --logs-base-dir {}",
        env!("CARGO_BIN_EXE_warpface"),
        run.display(),
        world.at("logs").display()
    );
    let output = Command::new("sh").args(["-c", &line]).output().unwrap();
    let text = err(&output);
    assert!(!output.status.success() && text.contains("step-00000008"), "{}: {text}", output.status);
    assert!(fs::read(world.file("run", 4)).unwrap() == before);
    let left: Vec<_> = fs::read_dir(&run).unwrap().map(|e| e.unwrap().file_name()).collect();
    assert_eq!(left.len(), 2, "{left:?}");
    done(&world.resume("softmax", "run", &["--max-nrof-epochs", "2"]));
}
