//! Small inputs that once got a different answer from each command (`../shared/cases`): two commands, one answer.

#[path = "common/mod.rs"]
mod common;

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use serde_json::Value;
use tempfile::TempDir;

use common::command::{DONE, PARTLY, Run, USAGE, command, text, with};
use common::{files, npz, shared};

/// A case and the weights, or a loud skip.
fn case(name: &str) -> Option<(PathBuf, PathBuf)> {
    Some((shared("cases")?.join(name), common::weights(&files::ALL)?))
}

fn folder() -> TempDir {
    tempfile::tempdir().unwrap()
}

/// How many files lie in each folder of a folder, at any depth.
fn counts(people: &Path) -> BTreeMap<String, usize> {
    let mut counts = BTreeMap::new();
    for path in warpface::image::collect(&[people.to_owned()]).images {
        let person = path.strip_prefix(people).unwrap().iter().next().unwrap().to_str().unwrap().to_owned();
        *counts.entry(person).or_default() += 1;
    }
    counts
}

/// How many rows have each label.
fn labels(embedded: &Path) -> BTreeMap<String, usize> {
    let mut counts = BTreeMap::new();
    for label in npz::load_npy(&embedded.join("label_strings.npy")).strings() {
        *counts.entry(label).or_default() += 1;
    }
    counts
}

/// The people of a pairs file's paths, each with the photographs that come in it.
fn paired(pairs: &Path) -> BTreeMap<String, usize> {
    let mut photographs: Vec<String> = Vec::new();
    for line in fs::read_to_string(pairs).unwrap().lines().skip(1) {
        photographs.extend(line.split('\t').take(2).map(str::to_owned));
    }
    photographs.sort();
    photographs.dedup();
    let mut counts = BTreeMap::new();
    for photograph in photographs {
        *counts.entry(photograph.split('/').next().unwrap().to_owned()).or_default() += 1;
    }
    counts
}

#[test]
fn every_command_counts_the_same_people() {
    for (name, people) in [("hidden", &[("ann", 2), ("bob", 2)][..]), ("nested", &[("ann", 2), ("bob", 4), ("cy", 2)])]
    {
        let Some((case, weights)) = case(name) else { return };
        let expected: BTreeMap<String, usize> = people.iter().map(|&(name, n)| (name.to_owned(), n)).collect();
        let photographs: usize = expected.values().sum();
        let out = folder();
        let at = |inside: &str| out.path().join(inside);

        let line = with(&weights, &["align", "--json", text(&case), text(&at("crops"))]).expect(DONE).json().remove(0);
        let without = line["without_face"].as_array().unwrap().len();
        assert_eq!((&line["images"], without), (&Value::from(photographs), 0), "{line}");
        assert_eq!(counts(&at("crops")), expected);

        with(&weights, &["embed", "--aligned", text(&case), "-o", text(&at("vectors"))]).expect(DONE);
        assert_eq!(labels(&at("vectors")), expected);

        let (models, logs) = (at("models"), at("logs"));
        let small = "--width 0.0625 --image-size 80 --batch-size 4 --epoch-size 1 --max-nrof-epochs 1 --name run";
        let kept = ["--models-base-dir", text(&models), "--logs-base-dir", text(&logs)];
        let begin = ["train", "softmax", text(&case)];
        let run = with(&weights, &[&begin[..], &small.split(' ').collect::<Vec<_>>(), &kept].concat()).expect(DONE);
        run.says(&[&format!("people: {} with {photographs} photographs", expected.len())]);

        // All pairs there are, so that every photograph comes.
        let same: usize = expected.values().map(|n| n * (n - 1) / 2).sum();
        let pairs = at("pairs.txt");
        let count = (2 * same).to_string();
        let lfw = ["lfw", text(&case), "--aligned", "--seeded-pairs", "1", "--pairs", text(&pairs), "--folds", "2"];
        let run = with(&weights, &[&lfw[..], &["--json", "--pair-count", &count]].concat()).expect(DONE);
        assert_eq!(run.json()[0]["pairs"], 2 * same);
        assert_eq!(paired(&pairs), expected);
    }
}

#[cfg(unix)]
#[test]
fn a_folder_has_its_name_however_it_is_called() {
    let Some((case, weights)) = case("nested") else { return };
    let case = case.canonicalize().unwrap();
    let out = folder();
    let linked = out.path().join("linked");
    std::os::unix::fs::symlink(&case, &linked).unwrap();
    let one = BTreeMap::from([("ann".to_owned(), 2)]);
    let all = BTreeMap::from([("ann".to_owned(), 2), ("bob".to_owned(), 4), ("cy".to_owned(), 2)]);
    let weights = weights.canonicalize().unwrap();
    let with_slash = format!("{}/", case.display());
    for (i, (inside, path, expected)) in [
        ("ann", ".", &one),
        ("ann", "./", &one),
        ("ann", "Ariel_Sharon_0001.png", &BTreeMap::from([("ann".to_owned(), 1)])),
        ("ann", "../ann", &one),
        ("ann", "..", &all),
        ("bob/2019", "../../ann/.", &one),
        ("", ".", &all),
        ("", with_slash.as_str(), &all),
        ("", text(&linked), &all),
    ]
    .into_iter()
    .enumerate()
    {
        let vectors = out.path().join(i.to_string());
        let args = ["embed", "--aligned", path, "-o", text(&vectors), "--device", "cpu", "--weights", text(&weights)];
        Run::of(command(&args).current_dir(case.join(inside)).output().unwrap()).expect(DONE);
        assert_eq!(&labels(&vectors), expected, "{path} in {inside}");
    }
}

#[test]
fn loose_photographs_and_hidden_roots() {
    let Some((case, weights)) = case("hidden") else { return };
    let out = folder();
    // A root that is hidden itself is one that was asked for.
    let root = out.path().join(".root");
    for name in ["ann/Ariel_Sharon_0001.jpg", "bob/Colin_Powell_0001.jpg"] {
        fs::create_dir_all(root.join(name).parent().unwrap()).unwrap();
        fs::copy(case.join(name), root.join(name)).unwrap();
    }
    fs::copy(case.join("ann/Ariel_Sharon_0002.jpg"), root.join("loose.jpg")).unwrap();
    let (crops, vectors, pairs) = (out.path().join("crops"), out.path().join("vectors"), out.path().join("pairs.txt"));
    let run = with(&weights, &["align", "--json", text(&root), text(&crops)]).expect(PARTLY);
    run.says(&["loose.jpg: left out", "1 input failed"]);
    assert_eq!(run.json()[0]["aligned"], 2);
    let run = with(&weights, &["embed", text(&root), "-o", text(&vectors)]).expect(PARTLY);
    run.says(&["loose.jpg: left out"]);
    assert_eq!(labels(&vectors).len(), 2);
    let small = "--width 0.0625 --image-size 80 --batch-size 2 --epoch-size 1 --max-nrof-epochs 1 --name run";
    let kept = ["--models-base-dir", text(out.path()), "--logs-base-dir", text(out.path())];
    let begin = ["train", "softmax", text(&root)];
    let run = with(&weights, &[&begin[..], &small.split(' ').collect::<Vec<_>>(), &kept].concat()).expect(DONE);
    run.says(&["people: 2 with 2 photographs", "loose.jpg: left out"]);
    let lfw = ["lfw", text(&root), "--seeded-pairs", "1", "--pairs", text(&pairs)];
    with(&weights, &lfw).says(&["loose.jpg: left out"]);

    // Crops are no photographs.
    let run = with(&weights, &["align", text(&root), text(&root.join("crops"))]);
    run.says(&["lies within the folder of photographs"]);
}

#[test]
fn no_crop_is_written_twice() {
    let Some((case, weights)) = case("align_collide") else { return };
    let out = folder();
    let args = ["align", "--json", text(&case), text(out.path())];
    let line = with(&weights, &args).expect(DONE).json().remove(0);
    let written = warpface::image::collect(&[out.path().to_owned()]).images;
    let names: Vec<&Path> = written.iter().map(|path| path.strip_prefix(out.path()).unwrap()).collect();
    let expected = ["ann/x.jpeg.png", "ann/x.png", "bob/2019/a.png", "bob/2020/a.png"].map(Path::new);
    assert_eq!((&line["aligned"], &names[..]), (&Value::from(4), &expected[..]));
    let again = with(&weights, &args).expect(DONE).json().remove(0);
    assert_eq!((&again["aligned"], &again["finished_before"]), (&Value::from(0), &Value::from(4)));

    let several = folder();
    let args = ["align", "--json", "--detect-multiple-faces", text(&case), text(several.path())];
    let line = with(&weights, &args).expect(DONE).json().remove(0);
    let written = warpface::image::collect(&[several.path().to_owned()]).images;
    assert_eq!(line["aligned"], written.len());
    for name in ["ann/x.jpeg_0.png", "ann/x_0.png", "bob/2019/a_0.png", "bob/2020/a_0.png"] {
        assert!(several.path().join(name).is_file(), "{name}");
    }
    assert_eq!(with(&weights, &args).expect(DONE).json()[0]["finished_before"], 4);
}

#[test]
fn no_picture_is_drawn_twice() {
    let Some((case, weights)) = case("draw") else { return };
    let out = folder();
    with(&weights, &["detect", text(&case), "--draw", text(out.path())]).expect(DONE);
    let drawn = warpface::image::collect(&[out.path().to_owned()]).images;
    let names: Vec<_> = drawn.iter().map(|path| path.file_name().unwrap().to_str().unwrap()).collect();
    assert_eq!(names, ["a.bmp.png", "a.gif.png", "a.png", "a.webp.png"]);
    // What is drawn on stays: a name that leads back to it is refused.
    let before = fs::read(&drawn[2]).unwrap();
    with(&weights, &["detect", text(out.path()), "--draw", text(out.path())])
        .expect(USAGE)
        .says(&["--draw", "is one of the photographs"]);
    assert_eq!(fs::read(&drawn[2]).unwrap(), before);
}

#[test]
fn other_settings_make_no_mixture() {
    let Some((case, weights)) = case("hidden") else { return };
    let out = folder();
    let align = |more: &[&str]| with(&weights, &[&["align", "--json", text(&case), text(out.path())], more].concat());
    let crop = out.path().join("ann/Ariel_Sharon_0001.png");
    align(&[]).expect(DONE);
    let first = fs::read(&crop).unwrap();
    let run = align(&["--margin", "44"]).expect(USAGE);
    run.says(&["4 crops", "--image-size 160 --margin 32", "--overwrite"]);
    assert_eq!(align(&["--margin", "44", "--overwrite"]).expect(DONE).json()[0]["aligned"], 4);
    assert!(fs::read(&crop).unwrap() != first);
    assert_eq!(align(&["--margin", "44"]).expect(DONE).json()[0]["finished_before"], 4);
    align(&["--detect-multiple-faces"]).expect(DONE);
    // An output of a version that wrote nothing down: the crops tell their size.
    fs::remove_file(out.path().join("alignment.json")).unwrap();
    align(&["--image-size", "96"]).expect(USAGE).says(&["--image-size 160", "--overwrite"]);
    assert_eq!(align(&["--image-size", "96", "--overwrite"]).expect(DONE).json()[0]["aligned"], 4);
    assert_eq!(warpface::image::dimensions(&crop).unwrap(), (96, 96));
}

/// So many photographs of LFW, a folder of links for each person.
#[cfg(unix)]
fn lfw(photographs: usize) -> Option<TempDir> {
    let images = shared("lfw/images")?.canonicalize().unwrap();
    let out = folder();
    let found = warpface::image::collect(std::slice::from_ref(&images)).images;
    for path in found.iter().step_by(found.len() / photographs).take(photographs) {
        let link = out.path().join(path.strip_prefix(&images).unwrap());
        fs::create_dir_all(link.parent().unwrap()).unwrap();
        std::os::unix::fs::symlink(path, link).unwrap();
    }
    Some(out)
}

#[cfg(unix)]
#[test]
fn runs_side_by_side_share_the_photographs() {
    let (Some(photographs), Some(weights)) = (lfw(60), common::weights(&files::MTCNN)) else { return };
    let out = folder();
    let globals = ["--threads", "1", "--device", "cpu", "--weights", text(&weights)];
    let args = ["align", "--json", "--random-order", text(photographs.path()), text(out.path())];
    let begin = || {
        let mut run = command(&[&args[..], &globals].concat());
        run.stdout(std::process::Stdio::piped()).stderr(std::process::Stdio::piped()).spawn().unwrap()
    };
    // One that is killed leaves its claims to the others.
    let mut killed = begin();
    while !out.path().join(".claims").exists() && killed.try_wait().unwrap().is_none() {
        std::thread::sleep(std::time::Duration::from_millis(2));
    }
    killed.kill().unwrap();
    killed.wait().unwrap();
    let before = counts(out.path()).values().sum::<usize>();
    let done = [begin(), begin()].map(|run| Run::of(run.wait_with_output().unwrap()).expect(DONE).json().remove(0));
    let aligned: usize = done.iter().map(|line| line["aligned"].as_u64().unwrap() as usize).sum();
    let written = counts(out.path()).values().sum::<usize>();
    assert_eq!(before + aligned, written, "something was done twice: {done:?}");
    for line in &done {
        let sum =
            ["finished_before", "elsewhere", "aligned"].iter().map(|key| line[key].as_u64().unwrap()).sum::<u64>();
        assert_eq!(
            (line["images"].as_u64(), sum + line["without_face"].as_array().unwrap().len() as u64),
            (Some(60), 60)
        );
    }
    assert!(written > 50, "{written} of 60 photographs have a face");
    assert!(!out.path().join(".claims").exists());
}
