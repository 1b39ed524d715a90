//! Every network through the program: planned, trained, measured, converted and refused where another is meant.

mod common;

use std::path::{Path, PathBuf};

use common::command::{DONE, NOTHING, Run, USAGE, text, warpface};
use common::files;
use serde_json::Value;
use warpface::networks::{ModelDef, NetworkSpec, Width};

/// People with pictures of this side, and a folder for runs.
struct World(tempfile::TempDir);

impl World {
    fn new(side: usize) -> World {
        let world = World(tempfile::tempdir().unwrap());
        common::people::write(&world.at("people"), 3, 4, side);
        world
    }

    fn at(&self, inside: &str) -> PathBuf {
        self.0.path().join(inside)
    }

    fn run(&self, args: &[&str]) -> Run {
        warpface(&[args, &["--device", "cpu", "--threads", "2"]].concat())
    }

    /// Trains a narrow network for a few steps; the model, and what was said.
    fn train(&self, name: &str, flags: &[&str]) -> (PathBuf, Run) {
        let (people, models, logs) = (self.at("people"), self.at("models"), self.at("logs"));
        let begin = ["train", "softmax", text(&people), "--batch-size", "6", "--epoch-size", "3", "--name", name];
        let folders = ["--models-base-dir", text(&models), "--logs-base-dir", text(&logs)];
        let small = ["--max-nrof-epochs", "1", "--optimizer", "mom", "--learning-rate", "0.01"];
        let run = self.run(&[&begin[..], &folders, &small, flags].concat()).expect(DONE);
        (models.join(name).join("step-00000003.safetensors"), run)
    }
}

/// A narrow network of each definition, in crops that are quick.
fn narrow(def: ModelDef) -> NetworkSpec {
    let side = if def.is_openface() { 96 } else { 80 };
    NetworkSpec::new(def).width(Width::of_stem(4).unwrap()).side(side)
}

/// Two folds of two pairs of one person and two of two.
const PAIRS: &str = "2\t2
P0\t1\t2
P1\t1\t2
P0\t1\tP1\t1
P1\t2\tP2\t2
P0\t3\t4
P2\t1\t2
P0\t3\tP2\t3
P1\t4\tP2\t4
";

fn lfw(world: &World, model: &Path, flags: &[&str]) -> Run {
    let (people, pairs) = (world.at("people"), world.at("pairs.txt"));
    std::fs::write(&pairs, PAIRS).unwrap();
    let begin = ["lfw", text(&people), "--aligned", "--pairs", text(&pairs), "--model", text(model), "--json"];
    world.run(&[&begin[..], flags].concat())
}

/// Trains, goes on from the model, measures it, plans it and converts it.
fn round(def: ModelDef) {
    let network = narrow(def);
    let world = World::new(network.side);
    let side = network.side.to_string();
    let flags = ["--model-def", def.name(), "--width", "0.125", "--image-size", &side, "--keep-probability", "0.8"];
    let (model, run) = world.train("first", &flags);
    run.says(&["MiB of memory at the peak"]);
    let (again, _) = world.train("again", &flags);
    assert_eq!(std::fs::read(&model).unwrap(), std::fs::read(&again).unwrap(), "{def}: two runs differ");
    let facts = warpface::weights::load(&model).unwrap().facts;
    assert_eq!((facts.model_def, facts.image_size), (Some(def), Some(network.side)));
    let (further, _) = world.train("further", &["--pretrained-model", text(&model)]);
    let read = |file: &Path| warpface::weights::network::unfolded(&warpface::weights::load(file).unwrap()).unwrap();
    assert_eq!(read(&further).network.def, def);

    let figures = lfw(&world, &model, &["--model-def", def.name()]).expect(DONE).json();
    let other = if def == ModelDef::Squeezenet { ModelDef::DeepFace } else { ModelDef::Squeezenet };
    lfw(&world, &model, &["--model-def", other.name()]).expect(USAGE).says(&[other.name(), def.name()]);

    let plan = world.run(&["plan", def.name(), "--model", text(&model), "--classes", "7", "--json"]).expect(DONE);
    let defined = &plan.json()[0]["definition"];
    let count = |classes| network.parameters(classes, def.has_gamma()).unwrap().trained;
    let counts = [&defined["trained"], &defined["trained_with_classifier"]].map(Value::as_u64);
    assert_eq!(counts, [count(None), count(Some(7))].map(|n| Some(n as u64)), "{def}");

    let npz = world.at("converted.npz");
    world.run(&["convert", text(&npz), "--model", text(&model)]).expect(DONE);
    assert_eq!(lfw(&world, &npz, &[]).expect(DONE).json()[0]["accuracy"], figures[0]["accuracy"], "{def}");
    let inspected = world.run(&["inspect", text(&npz), "--json"]).expect(DONE).json();
    assert_eq!((&inspected[0]["networks"][0], &inspected[0]["problem"]), (&def.title().into(), &Value::Null));
    for name in ["converted.onnx", "converted.pb", "converted.safetensors"] {
        let file = world.at(name);
        world.run(&["convert", text(&model), "-o", text(&file)]).expect(DONE);
        let [found, expected] = [&file, &npz].map(|file| read(file));
        assert!(found.layers == expected.layers && found.bottleneck == expected.bottleneck, "{def}: {name}");
        assert_eq!(warpface::weights::load(&file).unwrap().facts, facts, "{def}: {name}");
    }
    if def != ModelDef::InceptionResnetV1 {
        let pt = world.at("converted.pt");
        world.run(&["convert", text(&pt), "--model", text(&model)]).expect(NOTHING).says(&["facenet-pytorch", ".npz"]);
    }
}

#[test]
fn inception_resnet_v1() {
    round(ModelDef::InceptionResnetV1);
}

#[test]
fn inception_resnet_v2() {
    round(ModelDef::InceptionResnetV2);
}

#[test]
fn squeezenet() {
    round(ModelDef::Squeezenet);
}

#[test]
fn deepface() {
    round(ModelDef::DeepFace);
}

#[test]
fn nn4_small2() {
    round(ModelDef::Nn4Small2);
}

#[test]
fn nn4_small2_of_torch() {
    round(ModelDef::Nn4Small2Torch);
}

#[test]
fn plans_count_what_the_definitions_have() {
    for (name, trained, with) in [("deepface", 102_412_864, Some(118_923_774)), ("nn4_small2", 3_733_968, None)] {
        let run = warpface(&["plan", name, "--json"]).expect(DONE);
        let defined = &run.json()[0]["definition"];
        assert_eq!(defined["trained"], trained, "{name}");
        assert_eq!(defined["trained_with_classifier"].as_u64(), with, "{name}");
    }
    let table = warpface(&["plan", "deepface", "--size", "80"]).expect(DONE).out;
    assert!(table.contains("local_conv2d") && table.contains("with a classifier of 4030 people"), "{table}");
    warpface(&["plan", "deepface", "--size", "70"]).expect(USAGE).says(&["--size", "71 is the least"]);
    warpface(&["plan", "alexnet"]).expect(USAGE).says(&["squeezenet"]);
}

#[test]
fn crops_of_deepface_have_the_size_of_its_weights() {
    let world = World::new(80);
    let people = world.at("people");
    let keras = files::golden("networks/deepface.h5");
    lfw(&world, &keras, &[]).expect(DONE).says(&["crops of 80 pixels"]);
    lfw(&world, &keras, &["--image-size", "96"]).expect(USAGE).says(&["--image-size", "96", "80"]);
    let flags = ["--pretrained-model", text(&keras), "--image-size", "96", "--name", "x", "--epoch-size", "1"];
    let run = world.run(&[&["train", "softmax", text(&people)][..], &flags].concat());
    run.expect(USAGE).says(&["--image-size"]);
}

#[test]
fn openfaces_networks_ask_for_openfaces_alignment() {
    let world = World::new(96);
    let (photo, model) = (world.at("people/P0/P0_0001.png"), files::golden("networks/nn4_small2.h5"));
    let empty = world.at("weights");
    std::fs::create_dir(&empty).unwrap();
    let compare = ["compare", text(&photo), text(&photo), "--model", text(&model), "--weights", text(&empty)];
    world.run(&compare).expect(NOTHING).says(&["`warpface weights --landmarks`"]);
    world.run(&[&compare[..], &["--aligned"]].concat()).expect(DONE);
    let (people, crops) = (world.at("people"), world.at("crops"));
    let align = ["align", text(&people), text(&crops), "--weights", text(&empty), "--model-def", "nn4_small2"];
    world.run(&align).expect(NOTHING).says(&["openface", "--align"]);
}

#[test]
fn other_sizes_are_planned_where_no_weights_belong_to_places() {
    let world = World::new(100);
    let model = files::golden("networks/nn4_small2.h5");
    lfw(&world, &model, &["--image-size", "100"]).expect(DONE);
    let planned = world.run(&["plan", "nn4_small2", "--size", "100", "--json"]).expect(DONE).json();
    assert_eq!(planned[0]["input"], serde_json::json!([1, 100, 100, 3]));
}

#[test]
fn a_run_goes_on_with_faces_that_are_cut_out_alike() {
    let world = World::new(80);
    let record = world.at("people/alignment.json");
    std::fs::write(&record, r#"{"image_size": 80, "align": "similarity"}"#).unwrap();
    let flags = ["--width", "0.125", "--image-size", "80", "--embedding-size", "8"];
    let (model, _) = world.train("first", &flags);
    std::fs::write(&record, r#"{"image_size": 80, "align": "crop"}"#).unwrap();
    let (people, run) = (world.at("people"), model.parent().unwrap());
    let more = ["train", "softmax", text(&people), "--resume", text(run), "--max-nrof-epochs", "2"];
    let logs = world.at("logs");
    let refused = world.run(&[&more[..], &["--logs-base-dir", text(&logs)]].concat()).expect(USAGE);
    refused.says(&["similarity", "crop"]);
}
