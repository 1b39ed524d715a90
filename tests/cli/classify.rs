//! Whose face it is.

use super::*;

/// The embeddings of the sample people, ten photographs each, as `embed` writes them, beside their photographs.
fn embedded(weights: &Path) -> Option<(TempDir, PathBuf)> {
    let people = files::people()?;
    let out = tempfile::tempdir().unwrap();
    let run = with(weights, &["embed", text(&people), "-o", text(out.path())]);
    assert!([DONE, PARTLY].contains(&run.code), "{}", run.err);
    Some((out, people))
}

#[test]
fn people_are_told_apart_tested_and_named() {
    let Some(weights) = common::weights(&files::ALL) else { return };
    let Some((vectors, people)) = embedded(&weights) else { return };
    let folder = tempfile::tempdir().unwrap();
    for method in ["svm", "knn"] {
        let file = folder.path().join(format!("below/{method}.safetensors"));
        let train = ["classify", "train", text(vectors.path()), "-o", text(&file), "--method", method];
        let run = with(&weights, &[&train[..], &["--train-images-per-class", "5", "--json"]].concat()).expect(DONE);
        let line = run.json().remove(0);
        assert_eq!((&line["people"], &line["faces"]), (&5.into(), &25.into()), "{line}");
        assert_eq!(line["unknown"]["held_out"], 25);

        // Tested by itself with those that were not trained on.
        let test = ["classify", "test", text(vectors.path()), "--classifier", text(&file)];
        let run = with(&weights, &[&test[..], &["--json"]].concat()).expect(DONE);
        let lines = run.json();
        let (last, lines) = lines.split_last().unwrap();
        assert!(lines.len() >= 20 && lines.iter().all(|line| line["probability"].is_number()), "{}", run.out);
        // Some of these photographs show somebody else first.
        assert!(last["accuracy"].as_f64().unwrap() >= 0.9, "{last}");
        assert_eq!(last["faces"], lines.len());
        run.says(&["not trained on"]);
        let same = with(&weights, &[&test[..], &["--json", "--train-images-per-class", "5"]].concat()).expect(DONE);
        assert_eq!(same.out, run.out);
        // Whatever the flags, nothing that was trained on is tested with.
        let images = |lines: &[Value]| lines.iter().map(|line| line["image"].to_string()).collect::<Vec<_>>();
        let all = with(&weights, &[&test[..], &["--json", "--min-images-per-class", "1"]].concat()).expect(DONE);
        all.says(&["25 photographs were trained on, and are left out"]);
        let (all_last, all) = all.json().split_last().map(|(last, all)| (last.clone(), all.to_vec())).unwrap();
        assert_eq!((&all_last["trained_on"], images(&all)), (&25.into(), images(lines)));
        let other = [&test[..], &["--json", "--train-images-per-class", "5", "--seed", "7"]].concat();
        let other = with(&weights, &other).expect(DONE).json();
        let (other_last, other) = other.split_last().unwrap();
        assert!(images(other).iter().all(|image| images(lines).contains(image)));
        let left_out = other_last["trained_on"].as_u64().unwrap() as usize;
        assert!(left_out > 0 && left_out + other.len() == lines.len(), "{other_last}");
        let text_of = with(&weights, &test).expect(DONE).out;
        assert!(text_of.lines().last().unwrap().starts_with("accuracy "), "{text_of}");
        let none = with(&weights, &[&test[..], &["--json", "--unknown-threshold", "0"]].concat()).expect(DONE);
        let last = none.json().pop().unwrap();
        assert_eq!(last["refused"], last["faces"]);
        assert!(none.json()[0]["name"] == "unknown" && last["accuracy"].as_f64().unwrap() >= 0.9);
    }

    // Every face of a photograph, with names drawn; by the model that the classifier names.
    let file = folder.path().join("below/svm.safetensors");
    let photo = warpface::image::collect(std::slice::from_ref(&people)).images.remove(0);
    let person = photo.parent().unwrap().file_name().unwrap().to_str().unwrap().to_owned();
    let drawn = folder.path().join("drawn");
    let predict = ["classify", "predict", text(&photo), "-c", text(&file)];
    let run = with(&weights, &[&predict[..], &["--json", "--top", "2", "--draw", text(&drawn)]].concat()).expect(DONE);
    run.says(&["device: cpu", "model: "]);
    let line = run.json().remove(0);
    let face = &line["faces"][0];
    assert_eq!((&face["name"], &face["people"][0]["name"]), (&person.clone().into(), &person.clone().into()), "{line}");
    assert!(face["box"].is_array() && face["people"].as_array().unwrap().len() == 2, "{line}");
    let original = warpface::image::decode(&photo).unwrap();
    let picture = warpface::image::decode(drawn.join(photo.file_name().unwrap())).unwrap();
    assert_eq!((picture.width(), picture.height()), (original.width(), original.height()));
    assert_ne!(picture, original);
    let run = with(&weights, &predict).expect(DONE);
    assert!(run.out.contains(&format!("  {person}: 0.")), "{}", run.out);
    // A photograph that is none is named, and the others are done.
    let bad = folder.path().join("bad.jpg");
    fs::write(&bad, "no photograph").unwrap();
    let run = with(&weights, &[&predict[..], &["--json", text(&bad)]].concat()).expect(PARTLY);
    assert_eq!((run.json().len(), &run.json()[0]["faces"][0]["box"]), (1, &face["box"]));
    run.says(&["bad.jpg"]);
    let run = with(&weights, &[&predict[..], &["--draw", text(photo.parent().unwrap())]].concat()).expect(USAGE);
    run.says(&["--draw"]);

    run_without_sense(&weights, &predict, folder.path());

    // Another model is refused by name, before anything is embedded.
    let origin: Value = serde_json::from_slice(&fs::read(vectors.path().join("origin.json")).unwrap()).unwrap();
    let (model, other) = (origin["model"].as_str().unwrap(), folder.path().join("other.pb"));
    fs::write(&other, "another").unwrap();
    let run = with(&weights, &[&predict[..], &["--model", text(&other)]].concat()).expect(NOTHING);
    run.says(&["svm.safetensors", model, "other.pb", "two models"]);
    let run = with(folder.path(), &predict).expect(NOTHING);
    run.says(&["svm.safetensors", model, "--model"]);
}

/// Flags of `classify predict` that make no sense are named before any face is.
fn run_without_sense(weights: &Path, predict: &[&str], folder: &Path) {
    with(weights, &[predict, &["--top", "0"]].concat()).expect(USAGE).says(&["--top", "nobody would be named"]);
    let file = folder.join("in_the_way");
    fs::write(&file, "in the way").unwrap();
    let run = with(weights, &[predict, &["--draw", text(&file.join("drawn"))]].concat()).expect(NOTHING);
    run.says(&["cannot create", "in_the_way"]);
    assert_eq!(run.out, "");
}

#[test]
fn what_cannot_be_trained_on_or_loaded_is_named() {
    let Some(weights) = common::weights(&files::ALL) else { return };
    let data = dataset();
    let file = data.path().join("c.safetensors");
    let train = |paths: &[&str], more: &[&str]| {
        with(&weights, &[&["classify", "train", "--aligned", "-o", text(&file)][..], paths, more].concat())
    };
    let (ann, root) = (data.path().join("Ann"), data.path());
    train(&[text(&ann)], &[]).expect(NOTHING).says(&["one person, Ann", "two at least"]);
    train(&[text(root)], &["--min-images-per-class", "3"])
        .expect(USAGE)
        .says(&["--min-images-per-class", "nobody has 3"]);
    train(&[text(root)], &["--train-images-per-class", "0"]).expect(USAGE).says(&["--train-images-per-class"]);
    train(&[text(root)], &["--k", "0", "--method", "knn"]).expect(USAGE).says(&["--neighbours"]);
    train(&[text(root)], &["--penalty", "0"]).expect(USAGE).says(&["--penalty"]);
    train(&[text(root)], &["--false-accept-rate", "1"]).expect(USAGE).says(&["--false-accept-rate"]);
    assert!(!file.exists());
    let write = |place: &Path| {
        let run = with(&weights, &["classify", "train", "--aligned", text(root), "-c", text(place)]);
        // Nothing was embedded before.
        assert!(!run.err.contains("device: "), "{}", run.err);
        run
    };
    write(&ann).expect(USAGE).says(&["--classifier", "Ann is a folder"]);
    write(&ann.join("Ann_0001.png/below/c.safetensors")).expect(NOTHING).says(&["cannot create", "Ann_0001.png"]);
    // One photograph a person is enough; the same photograph under two names is told.
    fs::copy(root.join("Ann/Ann_0001.png"), root.join("Bob/Bob_0003.png")).unwrap();
    let run = train(&[text(root)], &[]).expect(DONE);
    run.says(&["Ann_0001.png", "Bob_0003.png", "equal embeddings"]);
    train(&[text(root)], &["--train-images-per-class", "1", "--json"]).expect(DONE);
    let test = |more: &[&str]| {
        with(&weights, &[&["classify", "test", "--aligned", text(root), "-c", text(&file)][..], more].concat())
    };
    let lines = test(&["--json"]).expect(DONE).json();
    assert_eq!(lines.len(), 4, "{lines:?}");
    assert!(lines[3]["accuracy"].is_number());
    test(&["--unknown-threshold=-1"]).expect(USAGE).says(&["--unknown-threshold"]);
    // People whom it does not know are no part of the accuracy.
    let strangers = tempfile::tempdir().unwrap();
    save(&strangers.path().join("Zoe/Zoe_0001.png"), &noise(160, 160, 77));
    let strange = ["classify", "test", "--aligned", text(strangers.path()), "-c", text(&file), "--json"];
    let run = with(&weights, &strange).expect(NOTHING);
    run.says(&["no face of anybody"]);
    let last = run.json().pop().unwrap();
    assert_eq!((last.get("accuracy"), &last["strangers"]), (Some(&Value::Null), &1.into()), "{last}");
    save(&strangers.path().join("Ann/Ann_0009.png"), &noise(160, 160, 55));
    let last = with(&weights, &strange).expect(DONE).json().pop().unwrap();
    assert_eq!((&last["faces"], &last["strangers"], &last["trained_on"]), (&1.into(), &1.into(), &0.into()));
    // Of photographs that were added, those are tested with.
    train(&[text(root)], &["--json"]).expect(DONE);
    test(&["--json", "--seed", "3"]).expect(DONE).says(&["these are the photographs that it was trained on"]);
    save(&root.join("Ann/Ann_0010.png"), &noise(160, 160, 56));
    let run = test(&["--json"]).expect(DONE);
    run.says(&["photographs were trained on, and are left out"]);
    assert_eq!((run.json().len(), run.json().pop().unwrap()["faces"].as_u64()), (2, Some(1)));

    fs::write(&file, &fs::read(&file).unwrap()[..900]).unwrap();
    test(&[]).expect(NOTHING).says(&["c.safetensors", "damaged or cut"]);
    fs::write(&file, "{}").unwrap();
    test(&[]).expect(NOTHING).says(&["c.safetensors", "is no classifier"]);
    fs::remove_file(&file).unwrap();
    test(&[]).expect(NOTHING).says(&["c.safetensors", "cannot read"]);
    for command in ["train", "test", "predict"] {
        assert!(warpface(&["classify", command, "--help"]).expect(DONE).out.contains("Example: warpface classify"));
    }
}
