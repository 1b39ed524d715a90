//! Small inputs that once got a different answer from each command (`../shared/cases`): two commands, one answer.

#[path = "common/mod.rs"]
mod common;

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use serde_json::Value;
use tempfile::TempDir;

use common::command::{DONE, NOTHING, PARTLY, Run, USAGE, command, text, with};
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

    let ann = case.join("ann");
    with(&weights, &["align", text(&ann), text(&crops)])
        .expect(NOTHING)
        .says(&["no folders here", "2 photographs in nobody's"]);

    // Crops are no photographs.
    let run = with(&weights, &["align", text(&root), text(&root.join("crops"))]);
    run.says(&["lies within the folder of photographs"]);
    assert!(!root.join("crops").exists());
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
    align(&["--margin", "44", "--detect-multiple-faces"]).expect(USAGE).says(&["4 crops", "one face"]);
    let faces = align(&["--margin", "44", "--detect-multiple-faces", "--overwrite"]).expect(DONE).json().remove(0);
    assert_eq!(faces["aligned"], warpface::image::collect(&[out.path().to_owned()]).images.len());
    assert!(!crop.exists());
    align(&["--overwrite"]).expect(DONE);
    assert_eq!(fs::read(&crop).unwrap(), first, "what was there before, to the bit");
    assert_eq!(warpface::image::collect(&[out.path().to_owned()]).images.len(), 4);
    // An output of a version that wrote nothing down: the crops tell their size.
    fs::remove_file(out.path().join("alignment.json")).unwrap();
    align(&["--image-size", "96"]).expect(USAGE).says(&["--image-size 160", "--overwrite"]);
    align(&["--detect-multiple-faces"]).expect(USAGE).says(&["4 crops", "one face"]);
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
    let mut killed = begin();
    while !out.path().join("alignment.json").exists() && killed.try_wait().unwrap().is_none() {
        std::thread::sleep(std::time::Duration::from_millis(2));
    }
    // With other settings nobody joins in, whether there are crops by now or not.
    let other = command(&[&args[..], &globals, &["--margin", "44"]].concat()).output().unwrap();
    Run::of(other).expect(USAGE).says(&["--image-size 160 --margin 32"]);
    // One that is killed leaves its claims to the others.
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

/// The colour photographs' crops, and a folder for whatever else.
fn crops(more: &[&str]) -> Option<(TempDir, PathBuf, PathBuf)> {
    let (photographs, weights) = (shared("lfw_color")?, common::weights(&files::ALL)?);
    let out = folder();
    let crops = out.path().join("crops");
    with(&weights, &[&["align", text(&photographs), text(&crops)], more].concat()).expect(DONE);
    Some((out, crops, weights))
}

/// The figures of `lfw CROPS --aligned`, without the seconds.
#[track_caller]
fn figures(run: &Run) -> Value {
    let mut line = run.json().remove(0);
    line.as_object_mut().unwrap().remove("seconds");
    line
}

#[test]
fn pairs_of_photographs_serve_for_their_crops() {
    let (Some((_out, crops, weights)), Some(cases)) = (crops(&[]), shared("cases")) else { return };
    let lfw = |pairs: &Path, more: &[&str]| {
        let args = ["lfw", text(&crops), "--aligned", "--json", "--pairs", text(pairs)];
        with(&weights, &[&args[..], more].concat())
    };
    let line = figures(&lfw(&cases.join("seed_jpg_paths.txt"), &[]).expect(DONE));
    assert_eq!((&line["pairs"], &line["images"]), (&Value::from(240), &Value::from(50)));

    // A header of one number: ten folds, as the original has.
    let run = lfw(&cases.join("pairs_dev.txt"), &[]).expect(DONE);
    run.says(&["pairs_dev.txt: names no folds; 10 are taken"]);
    assert_eq!(figures(&run), figures(&lfw(&cases.join("pairs10.txt"), &[]).expect(DONE)));
    lfw(&cases.join("pairs_dev.txt"), &["--folds", "1"]).expect(DONE).says(&["optimistic"]);

    // Pairs of one person: nothing but accuracy is defined.
    let run = lfw(&cases.join("pairs_same.txt"), &[]).expect(DONE);
    let line = figures(&run);
    for undefined in [&line["val"]["mean"], &line["val"]["far"], &line["auc"], &line["eer"]] {
        assert_eq!(undefined, &Value::Null, "{line}");
    }
    run.says(&["all pairs are of one kind"]);
    let table = with(&weights, &["lfw", text(&crops), "--aligned", "--pairs", text(&cases.join("pairs_same.txt"))]);
    assert!(table.out.contains("VAL        n/a +- n/a @ FAR = n/a"), "{}", table.out);
}

#[test]
fn crops_of_several_faces_are_found() {
    let several = crops(&["--detect-multiple-faces"]);
    let (Some((out, crops, weights)), Some(cases)) = (several, shared("cases")) else { return };
    let pairs = cases.join("seed_jpg_paths.txt");
    let lfw = ["lfw", text(&crops), "--aligned", "--json", "--pairs"];
    let line = figures(&with(&weights, &[&lfw[..], &[text(&pairs)]].concat()).expect(DONE));
    assert_eq!((&line["pairs"], &line["images"]), (&Value::from(240), &Value::from(50)));
    with(&weights, &[&lfw[..], &[text(&cases.join("pairs10.txt"))]].concat()).expect(DONE);

    // What is not there is named, with what comes nearest.
    let pairs = out.path().join("pairs.txt");
    fs::write(&pairs, "1\t1\nAriel_Sharon\t1\t2\nAriel_Sharon\t1\tColin_Powell\t99\nColin_Powell\t1\t2\n").unwrap();
    let run = with(&weights, &[&lfw[..], &[text(&pairs)]].concat()).expect(PARTLY);
    run.says(&["Colin_Powell/Colin_Powell_0099 is not there; most alike is", "Colin_Powell/Colin_Powell_00"]);
    fs::write(&pairs, "1\t1\nAriel Sharon\t1\t2\n").unwrap();
    let run = with(&weights, &[&lfw[..], &[text(&pairs)]].concat()).expect(NOTHING);
    run.says(&["none of its 1 pairs", "Ariel Sharon/Ariel Sharon_0001 is not there; most alike is", "/Ariel_Sharon"]);
}

#[test]
fn names_with_spaces_are_read() {
    let (Some((out, crops, weights)), Some(cases)) = (crops(&[]), shared("cases")) else { return };
    for (person, name) in [("Ariel_Sharon", "Person 12"), ("Colin_Powell", "Person 7")] {
        for i in 1..=4 {
            let to = out.path().join(format!("spaces/{name}/{name}_{i:04}.png"));
            fs::create_dir_all(to.parent().unwrap()).unwrap();
            fs::copy(crops.join(format!("{person}/{person}_{i:04}.png")), to).unwrap();
        }
    }
    let spaces = out.path().join("spaces");
    for (pairs, same) in [("pairs_space.txt", 2), ("pairs_space_same.txt", 4)] {
        let pairs = cases.join(pairs);
        let args = ["lfw", text(&spaces), "--aligned", "--json", "--pairs", text(&pairs)];
        let run = with(&weights, &args).expect(DONE);
        let line = figures(&run);
        assert_eq!((&line["pairs"], &line["images"]), (&Value::from(4), &Value::from(if same == 4 { 8 } else { 4 })));
        assert_eq!(line["auc"].is_null(), same == 4, "{line}");
    }
}

#[test]
fn lists_of_calfws_form_and_mixed_folds() {
    let Some((out, crops, weights)) = crops(&[]) else { return };
    // As CALFW has them: photographs in one folder, all pairs of one person first, their folds counted, then 0.
    let flat = out.path().join("flat");
    fs::create_dir(&flat).unwrap();
    for path in warpface::image::collect(std::slice::from_ref(&crops)).images {
        fs::copy(&path, flat.join(path.file_name().unwrap())).unwrap();
    }
    let people = ["Ariel_Sharon", "Arnold_Schwarzenegger", "Colin_Powell", "Donald_Rumsfeld", "George_W_Bush"];
    let mut list = String::new();
    for fold in 1..=10 {
        let (a, i) = (people[fold % 5], 1 + fold % 4);
        list += &format!("{a}_{i:04}.jpg {fold}\n{a}_{:04}.jpg {fold}\n", i + 5);
    }
    for fold in 1..=10 {
        let (a, b, i) = (people[fold % 5], people[(fold + 1) % 5], 1 + fold % 4);
        list += &format!("{a}_{i:04}.jpg 0\n{b}_{i:04}.jpg 0\n");
    }
    let pairs = out.path().join("pairs_CALFW.txt");
    fs::write(&pairs, list).unwrap();
    let args = ["lfw", text(&flat), "--aligned", "--json", "--pairs", text(&pairs)];
    let run = with(&weights, &args).expect(DONE);
    run.says(&["10 of 10 folds hold pairs of one kind only", "--shuffle-pairs"]);
    let in_order = figures(&run);
    assert_eq!((&in_order["pairs"], in_order["auc"].is_number()), (&Value::from(20), true));
    let shuffled =
        |seed| figures(&with(&weights, &[&args[..], &["--shuffle-pairs", seed, "--folds", "2"]].concat()).expect(DONE));
    assert_eq!(shuffled("1"), shuffled("1"));
    // The pairs are the same, in another order: what is over all of them does not change.
    assert_eq!(shuffled("1")["auc"], in_order["auc"]);
}

/// A set as insightface packs it, by Python 2's pickle of protocol 2.
fn packed(photographs: &[Vec<u8>], same: &[bool]) -> Vec<u8> {
    let mut pickle = b"\x80\x02](".to_vec();
    for photograph in photographs {
        pickle.push(b'T');
        pickle.extend((photograph.len() as u32).to_le_bytes());
        pickle.extend(photograph);
    }
    pickle.extend(b"e](");
    pickle.extend(same.iter().map(|&same| if same { 0x88 } else { 0x89 }));
    pickle.extend(b"e\x86.");
    pickle
}

#[test]
fn insightfaces_sets_are_measured() {
    let (Some((out, crops, weights)), Some(cases)) = (crops(&[]), shared("cases")) else { return };
    let file_of_pairs = cases.join("pairs10.txt");
    let pairs = warpface::eval::Pairs::read(&file_of_pairs).unwrap().resolve(&crops);
    let mut photographs = Vec::new();
    let pairs = (&pairs.pairs[..72], &pairs.images);
    for pair in pairs.0 {
        photographs.extend([pair.a, pair.b].map(|i| fs::read(&pairs.1[i]).unwrap()));
    }
    let same: Vec<bool> = pairs.0.iter().map(|pair| pair.same).collect();
    let file = out.path().join("color.bin");
    fs::write(&file, packed(&photographs, &same)).unwrap();
    let packed_line =
        figures(&with(&weights, &["lfw", text(&file), "--aligned", "--json", "--folds", "3"]).expect(DONE));
    let list = fs::read_to_string(&file_of_pairs).unwrap();
    let first = out.path().join("pairs.txt");
    fs::write(&first, list.lines().take(73).map(|line| format!("{line}\n")).collect::<String>()).unwrap();
    let args = ["lfw", text(&crops), "--aligned", "--json", "--folds", "3", "--pairs", text(&first)];
    assert_eq!(packed_line, figures(&with(&weights, &args).expect(DONE)), "photographs that come again count once");

    // One photograph that is none is named, and the others are measured.
    photographs[3] = b"no photograph".to_vec();
    fs::write(&file, packed(&photographs, &same)).unwrap();
    let report = out.path().join("page.html");
    let args = ["lfw", text(&file), "--aligned", "--json", "--report", text(&report)];
    let run = with(&weights, &args).expect(PARTLY);
    run.says(&["color.bin#3: not an image"]);
    assert_eq!(run.json()[0]["pairs"], 71);
    assert!(fs::read_to_string(&report).unwrap().contains("color.bin#"));
    fs::write(&file, &packed(&photographs, &same)[..5000]).unwrap();
    with(&weights, &["lfw", text(&file)]).expect(NOTHING).says(&["color.bin: ", "insightface's .bin"]);
}

#[test]
fn archives_and_tables_are_called_by_their_names() {
    let Some(weights) = common::weights(&files::ALL) else { return };
    let out = folder();
    let mut tar = vec![0; 1024];
    tar[257..262].copy_from_slice(b"ustar");
    let [rec, tar_file, tgz, csv, pairs] =
        ["train.rec", "lfw.tar", "lfw.tgz", "pairs.csv", "pairs.txt"].map(|name| out.path().join(name));
    fs::write(&rec, b"\x0a\x23\xd7\xce\x10\0\0\0").unwrap();
    fs::write(&tar_file, tar).unwrap();
    fs::write(&tgz, b"\x1f\x8b\x08\0\0").unwrap();
    fs::write(&csv, "name,imagenum1,imagenum2,\nAbel_Pacheco,1,4,\n").unwrap();
    fs::write(&pairs, "1\t1\nA\t1\t2\nA\t1\tB\t1\n").unwrap();
    let to = out.path().join("out");
    for (file, word) in [(&rec, "RecordIO"), (&tar_file, "tar archive"), (&tgz, "gzipped")] {
        for args in [
            &["detect", text(file)][..],
            &["align", text(file), text(&to)],
            &["embed", text(file), "-o", text(&to)],
            &["compare", text(file), text(file)],
            &["lfw", text(file), "--pairs", text(&pairs)],
            &["lfw", text(out.path()), "--pairs", text(file)],
            &["train", "softmax", text(file)],
        ] {
            let run = with(&weights, args).expect(NOTHING);
            run.says(&[text(file), word]);
        }
    }
    with(&weights, &["lfw", text(out.path()), "--pairs", text(&csv)]).expect(NOTHING).says(&[
        "pairs.csv:1",
        "CSV",
        "tr , ",
    ]);
    with(&weights, &["detect", text(&csv)]).expect(NOTHING).says(&["pairs.csv", "a table"]);
}

#[test]
fn drawn_pairs_replace_nothing_unasked() {
    let (Some((case, weights)), out) = (case("nested"), folder()) else { return };
    let pairs = out.path().join("pairs.txt");
    let draw = |seed: &str, more: &[&str]| {
        let args = ["lfw", text(&case), "--aligned", "--json", "--pairs", text(&pairs), "--seeded-pairs", seed];
        with(&weights, &[&args[..], more].concat())
    };
    // Fewer than are usually drawn: all that two kinds in equal numbers allow.
    let run = draw("1", &[]).expect(DONE);
    run.says(&["8 of each are drawn"]);
    assert_eq!(run.json()[0]["pairs"], 16);
    let first = fs::read(&pairs).unwrap();
    draw("1", &[]).expect(DONE);
    draw("2", &[]).expect(USAGE).says(&["pairs.txt", "--overwrite"]);
    assert_eq!(fs::read(&pairs).unwrap(), first);
    draw("2", &["--overwrite"]).expect(DONE);
    assert_ne!(fs::read(&pairs).unwrap(), first);
    // One person alone makes no pairs of two.
    let ann = out.path().join("alone");
    fs::create_dir_all(ann.join("ann")).unwrap();
    fs::copy(case.join("ann/Ariel_Sharon_0001.png"), ann.join("ann/1.png")).unwrap();
    let none = out.path().join("none.txt");
    let args = ["lfw", text(&ann), "--pairs", text(&none), "--seeded-pairs", "1"];
    with(&weights, &args).expect(NOTHING).says(&["alone", "two people are needed"]);
    // Numbers that nothing divides.
    let run = draw("3", &["--overwrite", "--pair-count", "13", "--folds", "3"]).expect(DONE);
    assert_eq!(run.json()[0]["pairs"], 13);
    assert!(!run.err.contains("promises"), "{}", run.err);
    draw("3", &["--overwrite", "--pair-count", "1"]).expect(USAGE).says(&["--pair-count"]);
    draw("3", &["--overwrite", "--pair-count", "100"]).expect(NOTHING).says(&["only 8 same pairs"]);
}

#[test]
fn every_face_or_the_one_that_is_taken() {
    let (Some(photographs), Some(weights)) = (shared("lfw/images"), common::weights(&files::ALL)) else { return };
    let found = warpface::image::collect(&[photographs]).images;
    let some: Vec<&str> = found.iter().step_by(found.len() / 60).map(|path| text(path)).collect();
    let out = folder();
    let lines = with(&weights, &[&["detect", "--json"], &some[..]].concat()).expect(DONE).json();
    let faces = |line: &Value| line["faces"].as_array().unwrap().len();
    let (crowd, n) =
        lines.iter().map(|line| (line["image"].as_str().unwrap(), faces(line))).max_by_key(|of| of.1).unwrap();
    assert!(n > 1, "no photograph has several faces: nothing is tested");
    let run = with(&weights, &["embed", "--json", crowd, some[0], "-o", text(out.path())]).expect(DONE);
    run.says(&["several faces", crowd, "--all-faces"]);
    assert_eq!(run.json()[0]["embedded"], 2);
    let one = npz::load_npy(&out.path().join("embeddings.npy")).f32();
    let run = with(&weights, &["embed", "--json", "--all-faces", crowd, "-o", text(out.path())]).expect(DONE);
    assert_eq!(run.json()[0]["embedded"], n);
    let all = npz::load_npy(&out.path().join("embeddings.npy"));
    let (rows, dim) = (all.f32(), all.shape[1]);
    assert!(rows.chunks_exact(dim).any(|row| row == &one[..dim]), "the one that is taken is among them");
    assert_eq!(fs::read_to_string(out.path().join("paths.txt")).unwrap().lines().count(), n);
    with(&weights, &["compare", crowd, some[0]]).expect(DONE).says(&[&format!("{n} faces; the large and central one")]);

    // A margin changes what is compared.
    let distance = |margin: &str| {
        let run = with(&weights, &["compare", "--json", "--margin", margin, some[0], some[1]]).expect(DONE);
        run.json()[0]["distances"][0][1].as_f64().unwrap()
    };
    let plain = with(&weights, &["compare", "--json", some[0], some[1]]).expect(DONE).json().remove(0);
    assert_eq!(distance("32"), plain["distances"][0][1].as_f64().unwrap());
    assert_ne!(distance("44"), distance("32"));
}

#[test]
fn nothing_to_embed_is_nothing_done() {
    let Some(weights) = common::weights(&files::ALL) else { return };
    let out = folder();
    let picture = files::golden("image/decode").join("png_rgb.png");
    let vectors = out.path().join("vectors");
    let run = with(&weights, &["embed", text(&picture), "-o", text(&vectors)]).expect(NOTHING);
    run.says(&["png_rgb.png: no face found", "nothing is written"]);
    assert_eq!(fs::read_dir(&vectors).unwrap().count(), 0);
    fs::create_dir_all(out.path().join("people/ann")).unwrap();
    for name in ["1.png", "2.png"] {
        fs::copy(&picture, out.path().join("people/ann").join(name)).unwrap();
    }
    let pairs = out.path().join("pairs.txt");
    fs::write(&pairs, "1\t1\tpaths\nann/1.png\tann/2.png\tsame\n").unwrap();
    let run = with(&weights, &["lfw", text(&out.path().join("people")), "--pairs", text(&pairs)]).expect(NOTHING);
    run.says(&["no pair is left"]);
}
