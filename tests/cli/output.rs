//! What is written: to readers who leave, to full disks, and in one order.

use super::*;

#[test]
fn a_reader_who_leaves_early() {
    let Some(weights) = common::weights(&files::MTCNN) else { return };
    let folder = tempfile::tempdir().unwrap();
    // More than a pipe holds, and more than one chunk.
    for i in 0..1500 {
        fs::copy(decode("png_rgba.png"), folder.path().join(format!("{}{i}.png", "x".repeat(100)))).unwrap();
    }
    let args = ["detect", "--json", "--device", "cpu", "--weights", text(&weights), text(folder.path())];
    let mut child = command(&args).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    drop(child.stdout.take());
    Run::of(child.wait_with_output().unwrap()).expect(DONE);
}

#[test]
fn a_full_disk() {
    let full = Path::new("/dev/full");
    if !full.exists() {
        return common::skip("full disk", "there is no /dev/full");
    }
    let Some(weights) = common::weights(&files::ALL) else { return };
    let picture = decode("png_rgb.png");
    let args = ["detect", "--json", "--device", "cpu", "--weights", text(&weights), text(&picture)];
    let output = command(&args).stdout(File::options().write(true).open(full).unwrap()).output().unwrap();
    Run::of(output).expect(NOTHING).says(&["No space left"]);

    let run = with(&weights, &["detect", "--draw", "/dev/full/drawn", text(&picture)]).expect(NOTHING);
    run.says(&["/dev/full/drawn"]);

    let data = dataset();
    let pairs = data.path().join("pairs.txt");
    fs::write(&pairs, "1\t1\nAnn\t1\t2\nAnn\t1\tBob\t1\n").unwrap();
    let folder = text(data.path());
    let args = ["lfw", folder, "--pairs", text(&pairs), "--aligned", "--folds", "2", "--report", "/dev/full"];
    with(&weights, &args).expect(NOTHING).says(&["/dev/full", "No space left"]);

    // A folder in which no file can be made: its name is a file's.
    let output = data.path().join("pairs.txt/out");
    let run = with(&weights, &["embed", "--aligned", folder, "-o", text(&output)]).expect(NOTHING);
    run.says(&["pairs.txt/out"]);
}

/// A command whose files may not grow beyond so many blocks of 512 bytes, as on a disk that is full.
#[cfg(unix)]
fn on_a_full_disk(blocks: usize, weights: &Path, args: &[&str]) -> Run {
    let whole = [args, &["--device", "cpu", "--weights", text(weights)]].concat();
    let quoted: Vec<String> = whole.iter().map(|word| format!("'{word}'")).collect();
    let line =
        format!("trap '' XFSZ; ulimit -f {blocks}; exec {} {}", env!("CARGO_BIN_EXE_warpface"), quoted.join(" "));
    Run::of(std::process::Command::new("sh").args(["-c", &line]).output().unwrap())
}

/// The files of a folder at any depth, with what is in them.
fn content(folder: &Path) -> Vec<(PathBuf, Vec<u8>)> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()) {
        if entry.is_dir() {
            found.extend(content(&entry));
        } else {
            found.push((entry.clone(), fs::read(&entry).unwrap()));
        }
    }
    found.sort();
    found
}

#[cfg(unix)]
#[test]
fn a_disk_that_fills_up_leaves_what_was_there() {
    let Some(weights) = common::weights(&files::ALL) else { return };
    let (data, out) = (dataset(), tempfile::tempdir().unwrap());
    let (folder, vectors) = (text(data.path()), out.path().join("vectors"));
    let model = weights.join("graph_final.pb");
    let embed = ["embed", "--aligned", "--model", text(&model), folder, "-o", text(&vectors)];
    // Four rows of 512 values are 8 KiB: more than may be written.
    on_a_full_disk(8, &weights, &embed).expect(NOTHING).says(&["embeddings.npy", "too large"]);
    assert_eq!(content(&vectors), []);
    with(&weights, &embed).expect(DONE);
    let before = content(&vectors);
    assert_eq!(before.len(), 6);
    save(&data.path().join("Zoe/Zoe_0001.png"), &noise(160, 160, 9));
    on_a_full_disk(8, &weights, &embed).expect(NOTHING);
    assert_eq!(content(&vectors), before, "an earlier run's files stay, all of them");

    let converted = out.path().join("model.npz");
    let convert = ["convert", "--model", text(&model), text(&converted)];
    on_a_full_disk(64, &weights, &convert).expect(NOTHING).says(&["model.npz"]);
    for name in ["model.safetensors", "model.onnx", "model.pb", "facenet/1"] {
        let to = out.path().join(name);
        let format: &[&str] = if name.ends_with("/1") { &["--format", "saved-model"] } else { &[] };
        let convert = [&["convert", text(&model), "-o", text(&to)], format].concat();
        on_a_full_disk(64, &weights, &convert).expect(NOTHING).says(&[name, "too large"]);
        assert!(fs::read_dir(out.path()).unwrap().count() == 1, "{name}: something is left");
    }
    let report = out.path().join("page.html");
    let pairs = data.path().join("pairs.txt");
    fs::write(&pairs, "1\t1\nAnn\t1\t2\nAnn\t1\tBob\t1\n").unwrap();
    let lfw = ["lfw", folder, "--aligned", "--pairs", text(&pairs), "--report", text(&report)];
    on_a_full_disk(8, &weights, &lfw).expect(NOTHING).says(&["page.html"]);
    assert_eq!(content(out.path()), before, "nothing half-written is left");
}

#[cfg(unix)]
#[test]
fn a_disk_that_fills_up_keeps_whole_crops() {
    let (Some(weights), Some(people)) = (common::weights(&files::MTCNN), files::people()) else { return };
    let out = tempfile::tempdir().unwrap();
    let (crops, drawn) = (out.path().join("crops"), out.path().join("drawn"));
    // Crops of 160 pixels are larger, and the lists of boxes are not.
    let align = ["align", text(&people), text(&crops)];
    on_a_full_disk(16, &weights, &align).expect(NOTHING).says(&["too large"]);
    let left: Vec<PathBuf> = content(&crops).into_iter().map(|(path, _)| path).collect();
    assert!(
        left.iter().all(|path| path.ends_with("alignment.json") || text(path).contains("bounding_boxes_")),
        "{left:?}"
    );
    let photo = files::photographs(1, 1).unwrap().remove(0);
    let detect = ["detect", "--draw", text(&drawn), text(&photo)];
    on_a_full_disk(8, &weights, &detect).expect(PARTLY).says(&["drawn", "too large"]);
    assert_eq!(content(&drawn), []);
    with(&weights, &align).expect(DONE);
}

#[test]
fn embed_writes_four_files_in_one_order() {
    let Some(weights) = common::weights(&files::ALL) else { return };
    let data = dataset();
    let bad = data.path().join("Ann/Ann_0000.jpg");
    fs::write(&bad, "no photograph").unwrap();
    let out = tempfile::tempdir().unwrap();
    // Bob first: labels go by name, rows by argument.
    let (bob, ann) = (data.path().join("Bob"), data.path().join("Ann"));
    let file = weights.join("graph_final.pb");
    let args = ["embed", "--json", "--aligned", "--model", text(&file), text(&bob), text(&ann), "-o", text(out.path())];
    let run = with(&weights, &args).expect(PARTLY);
    run.says(&["Ann_0000.jpg"]);
    assert_eq!(run.json()[0]["embedded"], 4);
    let read = |name: &str| npz::load_npy(&out.path().join(name));
    let embeddings = read("embeddings.npy");
    assert_eq!(embeddings.shape, [4, 512]);
    assert_eq!(read("labels.npy").i64(), [1, 1, 0, 0]);
    assert_eq!(read("label_strings.npy").strings(), ["Bob", "Bob", "Ann", "Ann"]);
    let paths = fs::read_to_string(out.path().join("paths.txt")).unwrap();
    let expected = ["Bob/Bob_0001.png", "Bob/Bob_0002.png", "Ann/Ann_0001.png", "Ann/Ann_0002.png"];
    let expected: Vec<PathBuf> = expected.iter().map(|name| data.path().join(name)).collect();
    assert_eq!(paths.lines().map(PathBuf::from).collect::<Vec<_>>(), expected);
    assert_eq!(read("boxes.npy").shape, [4, 4]);
    let origin: Value = serde_json::from_slice(&fs::read(out.path().join("origin.json")).unwrap()).unwrap();
    assert_eq!((&origin["model"], &origin["dim"]), (&"graph_final.pb".into(), &512.into()));
    // What was written is taken as it is.
    let again = tempfile::tempdir().unwrap();
    with(&weights, &["embed", text(out.path()), "-o", text(again.path())]).expect(DONE);
    for name in ["embeddings.npy", "labels.npy", "label_strings.npy", "paths.txt", "boxes.npy", "origin.json"] {
        assert!(fs::read(again.path().join(name)).unwrap() == fs::read(out.path().join(name)).unwrap(), "{name}");
    }
    let device = warpface::Device::cpu(0).unwrap();
    let embedder = warpface::Embedder::load(&device, &file, warpface::face::Standardize::Fixed).unwrap();
    let rows = embeddings.f32();
    for (path, row) in expected.iter().zip(rows.chunks_exact(512)) {
        let crop = warpface::image::decode(path).unwrap();
        assert_eq!(embedder.embed_one(&crop).unwrap(), row, "{}", path.display());
    }
}
