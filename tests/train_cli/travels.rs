//! What a model knows of its training goes with it: size, crops, standardization, people.

use std::fs;
use std::path::Path;

use serde_json::Value;

use super::{World, done, fails};

/// A network that hardly moves, so that its moving average is itself; measured after its last epoch.
const MEASURED: [&str; 8] =
    ["--batch-size", "6", "--moving-average-decay", "0", "--lfw-nrof-folds", "2", "--validate-every-n-epochs", "2"];

/// The figures of `warpface lfw --aligned --json` with these flags, and what was said.
fn lfw(world: &World, model: &Path, pairs: &Path, flags: &[&str]) -> (Value, String) {
    let (people, model, pairs) = (world.people(), model.to_str().unwrap(), pairs.to_str().unwrap());
    let args = ["lfw", people.to_str().unwrap(), "--pairs", pairs, "--aligned", "--json", "--model", model];
    let output = world.command(&[&args[..], flags].concat()).output().unwrap();
    let text = done(&output);
    (serde_json::from_slice(&output.stdout).unwrap(), text)
}

/// Pairs of a world's people, drawn by `warpface lfw`.
fn draw_pairs(world: &World, model: &Path) -> std::path::PathBuf {
    let pairs = world.at("pairs.txt");
    lfw(world, model, &pairs, &["--seeded-pairs", "5", "--folds", "2"]);
    pairs
}

#[test]
fn lfw_gives_the_figures_that_training_gave() {
    // Larger than the input, and an odd number of pixels too many: the middle is what counts.
    let world = World::of_size(6, 7, 97);
    done(&world.train("softmax", "first", &["--batch-size", "6"]));
    let pairs = draw_pairs(&world, &world.file("first", 8));
    let (people, pairs) = (world.people(), pairs.to_str().unwrap().to_owned());
    let measured = ["--lfw-dir", people.to_str().unwrap(), "--lfw-pairs", &pairs];
    done(&world.train("softmax", "run", &[&MEASURED[..], &measured].concat()));
    let model = world.file("run", 8);
    let json: Value = serde_json::from_slice(&fs::read(model.with_extension("json")).unwrap()).unwrap();
    let trained = json["run"]["history"]["epochs"].as_array().unwrap().last().unwrap();
    let (figures, text) = lfw(&world, &model, Path::new(&pairs), &[]);
    assert!(text.contains("crops of 80 pixels, as it was trained"), "{text}");
    for (ours, theirs) in [(&figures["accuracy"]["mean"], &trained["accuracy"]), (&figures["auc"], &trained["auc"])] {
        assert!(ours.is_f64() && ours == theirs, "{ours}, in training {theirs}");
    }
    let (resized, _) = lfw(&world, &model, Path::new(&pairs), &["--resize"]);
    assert_ne!(resized["auc"], figures["auc"]);

    // Another size is said aloud, and one that the network cannot take is refused.
    let (larger, text) = lfw(&world, &model, Path::new(&pairs), &["--image-size", "96"]);
    assert!(text.contains("crops of 96 pixels, as asked; it was trained with 80"), "{text}");
    assert_ne!(larger["auc"], figures["auc"]);
    let output = ["lfw", people.to_str().unwrap(), "--pairs", &pairs, "--aligned", "--image-size", "79", "--model"];
    fails(
        &world.command(&[&output[..], &[model.to_str().unwrap()]].concat()).output().unwrap(),
        &["--image-size", "80"],
    );
}

#[test]
fn further_training_takes_the_size_of_the_pretrained_network() {
    let world = World::of_size(3, 4, 97);
    done(&world.train("softmax", "first", &["--batch-size", "6", "--image-size", "96"]));
    let first = world.file("first", 8);
    let people = world.people();
    let train = ["train", "softmax", people.to_str().unwrap(), "--epoch-size", "1", "--max-nrof-epochs", "1"];
    let flags = ["--batch-size", "6", "--name", "second", "--pretrained-model", first.to_str().unwrap()];
    let text = done(&world.command(&[&train[..], &flags].concat()).output().unwrap());
    assert!(text.contains("crops of 96 pixels"), "{text}");
    let second = world.file("second", 1);
    let facts = warpface::train::checkpoint::beside(&second).unwrap();
    assert_eq!((facts.image_size, warpface::train::checkpoint::people(&second).len()), (Some(96), 3));
}

#[test]
fn rows_of_the_pretrained_classifier_go_by_name() {
    let world = World::new(4, 4);
    done(&world.train("softmax", "first", &["--batch-size", "6"]));
    let first = world.file("first", 8);
    // As many people, half of them others: the number of rows says nothing.
    for person in ["P1", "P2"] {
        fs::rename(world.people().join(person), world.people().join(format!("New{person}"))).unwrap();
    }
    let begin = ["--batch-size", "6", "--pretrained-model", first.to_str().unwrap()];
    let text = done(&world.train("softmax", "second", &begin));
    let words = "of 4 people: 2 keep their rows of the pretrained one, 2 are new; of its 4 people 2 are left out";
    assert!(text.contains(words), "{text}");

    // Without its JSON nobody knows whose the rows are, and none is taken.
    let moved = world.at("moved.safetensors");
    fs::copy(&first, &moved).unwrap();
    let begin = ["--batch-size", "6", "--pretrained-model", moved.to_str().unwrap()];
    let text = done(&world.train("softmax", "third", &begin));
    assert!(text.contains("built anew: the file does not say whom the 4 rows"), "{text}");
}

#[test]
fn an_unknown_pretrained_network_is_guessed_aloud() {
    let world = World::new(3, 4);
    done(&world.train("softmax", "first", &["--batch-size", "6", "--standardize", "prewhiten"]));
    // Another program's file of the same tensors says nothing of its photographs.
    let map = warpface::weights::load(world.file("first", 8)).unwrap();
    let network = warpface::weights::network::unfolded(&map).unwrap();
    let (file, nothing) = (world.at("unknown.pt"), warpface::weights::ModelFacts::default());
    warpface::weights::write::torch(&file, &network.torch().unwrap(), &nothing).unwrap();
    let begin = ["--batch-size", "6", "--pretrained-model", file.to_str().unwrap()];
    let text = done(&world.train("softmax", "second", &begin));
    assert!(text.contains("fixed, prewhiten or unit") && text.contains("--standardize"), "{text}");
    let text = done(&world.train("softmax", "third", &[&begin[..], &["--standardize", "fixed"]].concat()));
    assert!(!text.contains("fixed, prewhiten or unit"), "{text}");
}
