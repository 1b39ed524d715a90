//! Commands that work on embeddings, of photographs or of a folder that `embed` wrote.

use npyz::WriterBuilder;

use super::*;

/// A folder as `embed` writes it, of `people` with `each` faces of eight values: a person's lie close together.
pub fn embedded(people: usize, each: usize) -> TempDir {
    let rows = (0..people * each).map(|i| (i / each, i % each));
    let value = |person: usize, face: usize, k: usize| {
        let noise = ((person * 31 + face * 17 + k * 7) % 23) as f32 / 230.0;
        if k == person % 8 { 1.0 - noise } else { noise }
    };
    let values = rows.clone().flat_map(|(person, face)| (0..8).map(move |k| value(person, face, k)));
    let folder = tempfile::tempdir().unwrap();
    write_npy(&folder.path().join("embeddings.npy"), &[(people * each) as u64, 8], values);
    let paths: String = rows.map(|(person, face)| format!("faces/person{person}/{face}.jpg\n")).collect();
    fs::write(folder.path().join("paths.txt"), paths).unwrap();
    folder
}

/// A photograph in which nobody is.
fn save_faceless(folder: &Path) {
    super::save(&folder.join("x/1.png"), &noise(60, 60, 1));
}

fn write_npy(path: &Path, shape: &[u64], values: impl Iterator<Item = f32>) {
    let file = File::create(path).unwrap();
    let mut writer = npyz::WriteOptions::new().default_dtype().shape(shape).writer(file).begin_nd().unwrap();
    writer.extend(values).unwrap();
    writer.finish().unwrap();
}

#[test]
fn pairs_are_drawn_and_measured() {
    let (data, out) = (dataset(), tempfile::tempdir().unwrap());
    let file = out.path().join("new/pairs.txt");
    let args = ["pairs", text(data.path()), "-o", text(&file), "--count", "4", "--folds", "2", "--balanced", "--json"];
    let run = warpface(&args).expect(DONE);
    let line = run.json().pop().unwrap();
    assert_eq!((&line["same"], &line["different"], &line["people"]), (&2.into(), &2.into(), &2.into()));
    let first = fs::read_to_string(&file).unwrap();
    assert!(first.starts_with("2\t1\tpaths\n") && first.lines().count() == 5, "{first}");
    warpface(&args).expect(DONE);
    assert_eq!(fs::read_to_string(&file).unwrap(), first);

    let again = |more: &[&str]| warpface(&[&args[..], more].concat());
    again(&["--seed", "1", "--same-ratio", "1:3"]).expect(NOTHING).says(&["pairs.txt", "--overwrite"]);
    assert_eq!(fs::read_to_string(&file).unwrap(), first);
    again(&["--seed", "1", "--same-ratio", "1:3", "--overwrite"]).expect(DONE);
    assert_ne!(fs::read_to_string(&file).unwrap(), first);
    again(&["--folds", "0"]).expect(USAGE).says(&["--folds"]);
    again(&["--folds", "5"]).expect(USAGE).says(&["--folds"]);
    let few = ["pairs", text(data.path()), "-o", text(&file), "--count", "1000"];
    warpface(&few).expect(NOTHING).says(&["2 pairs of one person and 4 of two", "--count"]);
    warpface(&["pairs", text(data.path()), "-o", text(&file), "--count", "1"]).expect(USAGE).says(&["--count"]);
    let empty = tempfile::tempdir().unwrap();
    warpface(&["pairs", text(empty.path()), "-o", text(&file)]).expect(NOTHING).says(&["0 pairs of one person"]);
}

#[test]
fn a_threshold_is_measured_kept_and_gone_by() {
    let (folder, out) = (embedded(4, 5), tempfile::tempdir().unwrap());
    let page = out.path().join("page/threshold.html");
    let args = ["threshold", text(folder.path()), "--json", "--resamples", "50", "--report", text(&page)];
    let line = warpface(&args).expect(DONE).json().pop().unwrap();
    assert_eq!((&line["same"], &line["different"], &line["people"]), (&40.into(), &150.into(), &4.into()));
    assert_eq!(line["accuracy"]["score"], 1.0);
    let threshold = line["accuracy"]["threshold"].as_f64().unwrap();
    assert!(threshold > 0.05 && threshold < 1.5, "{line}");
    assert!(
        line["accuracy"]["low"].as_f64().unwrap() <= threshold
            && line["far"]["threshold"].as_f64().unwrap() >= threshold
    );
    assert!(fs::read_to_string(&page).unwrap().matches("<svg").count() == 4);
    // Who made these embeddings is unknown: nothing can be kept.
    let run = warpface(&[&args[..], &["--save"]].concat()).expect(USAGE);
    run.says(&["--model"]);
    warpface(&["threshold", text(folder.path()), "--far", "1.5"]).expect(USAGE).says(&["--far"]);
    warpface(&["threshold", text(embedded(1, 5).path())]).expect(NOTHING).says(&["two people are needed"]);
    warpface(&["threshold", text(embedded(5, 1).path())]).expect(NOTHING).says(&["two photographs"]);

    // With a model: what is kept is what `compare` goes by.
    let Some(weights) = common::weights(&files::ALL) else { return };
    let model = out.path().join("graph_final.pb");
    fs::copy(weights.join("graph_final.pb"), &model).unwrap();
    let data = dataset();
    let save = ["threshold", text(data.path()), "--aligned", "--model", text(&model), "--save=f1", "--json"];
    let line = with(&weights, &save).expect(DONE).json().pop().unwrap();
    let crops = ["Ann/Ann_0001.png", "Bob/Bob_0001.png"].map(|name| data.path().join(name));
    let compare = ["compare", "--aligned", "--model", text(&model), text(&crops[0]), text(&crops[1]), "--json"];
    let compared = with(&weights, &compare).expect(DONE).json().pop().unwrap();
    assert_eq!(compared["threshold"], line["f1"]["threshold"]);
    assert!(compared["threshold_origin"].as_str().unwrap().contains("best by F1"), "{compared}");
    // Faces that are all the same tell nobody apart: what was kept stays.
    for name in ["Ann/Ann_0002.png", "Bob/Bob_0001.png", "Bob/Bob_0002.png"] {
        fs::copy(data.path().join("Ann/Ann_0001.png"), data.path().join(name)).unwrap();
    }
    with(&weights, &save).expect(USAGE).says(&["--save", "nobody apart"]);
    let again = with(&weights, &compare).expect(DONE).json().pop().unwrap();
    assert_eq!(again["threshold"], compared["threshold"]);
    // What cannot be read is named beside what it led to.
    fs::write(data.path().join("Ann/Ann_0001.png"), "no photograph").unwrap();
    fs::remove_dir_all(data.path().join("Bob")).unwrap();
    with(&weights, &save).expect(NOTHING).says(&["Ann_0001.png", "two people are needed"]);
    let none = tempfile::tempdir().unwrap();
    save_faceless(none.path());
    let png = out.path().join("x.png");
    let tsne = ["tsne", text(none.path()), "-o", text(&png), "--model", text(&model)];
    with(&weights, &tsne).expect(NOTHING).says(&["nothing is drawn"]);
}

#[test]
fn embeddings_are_drawn_the_same_whatever_the_threads() {
    let (folder, out) = (embedded(6, 10), tempfile::tempdir().unwrap());
    let (png, page) = (out.path().join("faces.png"), out.path().join("faces.html"));
    let draw =
        |more: &[&str]| warpface(&[&["tsne", text(folder.path()), "-o", text(&png), "--side", "200"], more].concat());
    let run = draw(&["--html", text(&page), "--iterations", "300", "--threads", "1", "--json"]).expect(DONE);
    let lines = run.json();
    assert_eq!((lines.len(), &lines[60]["faces"], &lines[60]["method"]), (61, &60.into(), &"tsne".into()));
    assert_eq!(lines[59]["label"], "person5");
    let first = fs::read(&png).unwrap();
    assert_eq!(warpface::image::decode(&png).unwrap().width(), 200);
    assert_eq!(fs::read_to_string(&page).unwrap().matches("<a tabindex").count(), 60);
    // The photographs are gone: told, and points have names.
    run.says(&["60 faces without a picture", "person0/0.jpg"]);
    draw(&["--iterations", "300", "--threads", "3"]).expect(DONE);
    assert!(fs::read(&png).unwrap() == first);
    draw(&["--iterations", "300", "--seed", "9"]).expect(DONE);
    assert!(fs::read(&png).unwrap() != first);
    draw(&["--method", "pca"]).expect(DONE);
    draw(&["--learning-rate", "1e30"]).expect(USAGE).says(&["--learning-rate"]);
    let two = ["tsne", text(folder.path()), text(folder.path()), "-o", text(&png)];
    warpface(&two).expect(NOTHING).says(&["stands alone"]);
    draw(&["--perplexity", "0"]).expect(USAGE).says(&["--perplexity"]);
    warpface(&["tsne", text(embedded(1, 3).path()), "-o", text(&png)])
        .expect(NOTHING)
        .says(&["four faces", "--method"]);
}

#[test]
fn a_damaged_folder_of_embeddings_is_named() {
    let folder = embedded(3, 2);
    let path = |name: &str| folder.path().join(name);
    let threshold = || warpface(&["threshold", text(folder.path()), "--resamples", "0"]);
    threshold().expect(DONE);
    fs::write(path("origin.json"), r#"{"model":"m","sha256":"0","dim":9,"standardize":"fixed","align":"x"}"#).unwrap();
    threshold().expect(NOTHING).says(&["origin.json", "9 values"]);
    fs::write(path("origin.json"), "{").unwrap();
    threshold().expect(NOTHING).says(&["origin.json"]);
    fs::remove_file(path("origin.json")).unwrap();
    let (whole, paths) = (fs::read(path("embeddings.npy")).unwrap(), fs::read(path("paths.txt")).unwrap());
    fs::write(path("paths.txt"), &paths[..paths.len() / 2]).unwrap();
    threshold().expect(NOTHING).says(&["paths.txt", "6 rows"]);
    fs::write(path("paths.txt"), &paths).unwrap();
    for length in [0, 5, 40, whole.len() - 1] {
        fs::write(path("embeddings.npy"), &whole[..length]).unwrap();
        threshold().expect(NOTHING).says(&["embeddings.npy"]);
    }
    write_npy(&path("embeddings.npy"), &[6, 8], (0..48).map(|i| if i == 19 { f32::NAN } else { 0.5 }));
    threshold().expect(NOTHING).says(&["embeddings.npy", "row 2"]);
    write_npy(&path("embeddings.npy"), &[48], (0..48).map(|i| i as f32));
    threshold().expect(NOTHING).says(&["embeddings.npy", "[n, dim]"]);
}
