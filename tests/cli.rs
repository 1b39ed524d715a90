//! The binary as its users meet it: exit codes, JSON on stdout only, bad input named and survived.

mod common;

use std::ffi::OsStr;
use std::fs::{self, File};
use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use image::codecs::png::{CompressionType, FilterType, PngEncoder};
use image::{ExtendedColorType, ImageEncoder};
use serde_json::Value;
use tempfile::TempDir;
use warpface::image::Rgb8;

use common::{Noise, files, npz};

/// Exit codes, as `--help` documents them.
const DONE: i32 = 0;
const NOTHING: i32 = 1;
const USAGE: i32 = 2;
const PARTLY: i32 = 3;

struct Run {
    code: i32,
    out: String,
    err: String,
}

impl Run {
    fn of(output: Output) -> Run {
        let err = String::from_utf8(output.stderr).unwrap();
        assert!(!err.contains("panicked"), "{err}");
        let out = String::from_utf8(output.stdout).unwrap();
        Run { code: output.status.code().unwrap_or_else(|| panic!("killed: {}\n{err}", output.status)), out, err }
    }

    #[track_caller]
    fn expect(self, code: i32) -> Run {
        assert_eq!(self.code, code, "stdout:\n{}\nstderr:\n{}", self.out, self.err);
        self
    }

    /// Every line of stdout, which must be JSON.
    #[track_caller]
    fn json(&self) -> Vec<Value> {
        let parse = |line: &str| serde_json::from_str(line).unwrap_or_else(|e| panic!("{e}: {line}"));
        self.out.lines().map(parse).collect()
    }

    /// Checks that stderr says each of these.
    #[track_caller]
    fn says(&self, words: &[&str]) {
        for word in words {
            assert!(self.err.contains(word), "`{word}` is not in stderr:\n{}", self.err);
        }
    }
}

fn command<S: AsRef<OsStr>>(args: &[S]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_warpface"));
    command.args(args);
    command
}

fn warpface<S: AsRef<OsStr>>(args: &[S]) -> Run {
    Run::of(command(args).output().unwrap())
}

/// A command on the CPU with these weights.
fn with(weights: &Path, args: &[&str]) -> Run {
    let globals = ["--device", "cpu", "--weights", weights.to_str().unwrap()];
    warpface(&[args, &globals].concat())
}

fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

fn decode(name: &str) -> PathBuf {
    files::golden("image/decode").join(name)
}

/// A picture without a face, different for each seed.
fn noise(width: usize, height: usize, seed: u64) -> Rgb8 {
    let pixels = Noise::new(seed).bytes(&[height, width, 3]);
    Rgb8::new(width, height, pixels.data().iter().map(|&x| x as u8).collect())
}

fn save(path: &Path, picture: &Rgb8) {
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    warpface::image::save_png(path, picture).unwrap();
}

/// A flat grey PNG, which takes little room whatever its size.
fn flat(path: &Path, width: usize, height: usize) {
    let encoder =
        PngEncoder::new_with_quality(File::create(path).unwrap(), CompressionType::Fast, FilterType::NoFilter);
    let pixels = vec![140; width * height];
    encoder.write_image(&pixels, width as u32, height as u32, ExtendedColorType::L8).unwrap();
}

/// Aligned crops of two people, two each.
fn dataset() -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    for (seed, name) in
        ["Ann/Ann_0001.png", "Ann/Ann_0002.png", "Bob/Bob_0001.png", "Bob/Bob_0002.png"].iter().enumerate()
    {
        save(&folder.path().join(name), &noise(160, 160, seed as u64));
    }
    folder
}

#[test]
fn pictures_of_every_kind() {
    let Some(weights) = common::weights(&files::MTCNN) else { return };
    let folder = tempfile::tempdir().unwrap();
    let good = [
        ("jpeg_cmyk.jpg", 17, 9),
        ("jpeg_grey.jpg", 35, 21),
        ("jpeg_1x1.jpg", 1, 1),
        ("jpeg_named.png", 37, 29),
        ("jpeg_exif6.jpg", 11, 19),
        ("png_grey16.png", 13, 9),
        ("png_rgb16.png", 10, 7),
        ("png_grey_alpha.png", 15, 11),
        ("png_palette.png", 37, 29),
        ("png_rgba.png", 15, 11),
        ("gif_animated.gif", 18, 14),
    ];
    for (name, ..) in good {
        fs::copy(decode(name), folder.path().join(name)).unwrap();
    }
    flat(&folder.path().join("z_wide.png"), 20_000, 10);
    flat(&folder.path().join("z_tall.png"), 12, 4_000);
    let jpeg = warpface::image::encode_jpeg(&noise(200, 150, 1), 90).unwrap();
    let bad = ["cut.jpg", "text.jpg", "empty.png", "half.png", "gone.jpg"];
    fs::write(folder.path().join("cut.jpg"), &jpeg[..jpeg.len() / 2]).unwrap();
    fs::write(folder.path().join("text.jpg"), "This is no photograph.\n").unwrap();
    fs::write(folder.path().join("empty.png"), "").unwrap();
    let png = warpface::image::encode_png(&noise(64, 64, 2)).unwrap();
    fs::write(folder.path().join("half.png"), &png[..png.len() / 2]).unwrap();
    std::os::unix::fs::symlink("nowhere.jpg", folder.path().join("gone.jpg")).unwrap();

    let run = with(&weights, &["detect", "--json", text(folder.path())]).expect(PARTLY);
    let lines = run.json();
    assert_eq!(lines.len(), good.len() + 2, "{}", run.out);
    for (name, width, height) in good.into_iter().chain([("z_wide.png", 20_000, 10), ("z_tall.png", 12, 4_000)]) {
        let path = folder.path().join(name);
        let line = lines.iter().find(|line| line["image"] == text(&path)).unwrap_or_else(|| panic!("no {name}"));
        assert_eq!((&line["width"], &line["height"]), (&Value::from(width), &Value::from(height)), "{name}");
        assert_eq!(line["faces"], Value::Array(vec![]), "{name}");
    }
    run.says(&bad);
    run.says(&["5 inputs failed"]);
    let named = run.err.lines().filter(|line| good.iter().any(|(name, ..)| line.contains(name))).count();
    assert_eq!(named, 0, "good pictures are complained about:\n{}", run.err);

    // One alone, without JSON: a picture without a face is a result.
    with(&weights, &["detect", "--thresholds", "0.6,0.7,0.7", text(&decode("png_palette.png"))]).expect(DONE);
}

#[test]
fn fifty_megapixels() {
    let Some(weights) = common::weights(&files::MTCNN) else { return };
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("large.png");
    flat(&path, 8_192, 6_400);
    let run = with(&weights, &["detect", "--json", "--min-size", "400", text(&path)]).expect(DONE);
    let line = &run.json()[0];
    assert_eq!((&line["width"], &line["height"]), (&Value::from(8_192), &Value::from(6_400)));
}

#[test]
fn nothing_to_read() {
    let Some(weights) = common::weights(&files::MTCNN) else { return };
    let folder = tempfile::tempdir().unwrap();
    let run = with(&weights, &["detect", "--json", text(folder.path())]).expect(NOTHING);
    run.says(&[text(folder.path()), "no photographs"]);
    assert_eq!(run.out, "");
    let absent = folder.path().join("absent.jpg");
    let run = with(&weights, &["detect", "--json", text(&absent), text(&decode("png_rgb.png"))]).expect(PARTLY);
    run.says(&["absent.jpg"]);
    assert_eq!(run.json().len(), 1, "the other one is done");
}

#[test]
fn unreadable_files() {
    use std::os::unix::fs::PermissionsExt;
    let Some(weights) = common::weights(&files::MTCNN) else { return };
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("locked.png");
    save(&path, &noise(20, 20, 1));
    fs::set_permissions(&path, fs::Permissions::from_mode(0o000)).unwrap();
    if fs::read(&path).is_ok() {
        return common::skip("unreadable files", "this user reads every file");
    }
    with(&weights, &["detect", text(folder.path())]).expect(NOTHING).says(&["locked.png"]);
}

#[test]
fn usage() {
    for args in [&[][..], &["--nonsense"], &["detect"], &["--device", "toaster", "devices"], &["compare", "one.jpg"]] {
        let run = warpface(args).expect(USAGE);
        assert_eq!(run.out, "", "{args:?}");
    }
    for args in [&["--help"][..], &["--version"], &["detect", "--help"]] {
        warpface(args).expect(DONE);
    }
    assert!(warpface(&["--help"]).out.contains("Exit codes: 0"));
    let wrong = [("--factor", "2"), ("--min-size", "3"), ("--thresholds", "0.6,0.7,7"), ("--thresholds", "0.6,0.7")];
    for (flag, value) in wrong {
        let run = warpface(&["detect", "--device", "cpu", flag, value, text(&decode("png_rgb.png"))]).expect(USAGE);
        run.says(&[flag]);
    }
    let picture = decode("png_rgb.png");
    warpface(&["detect", "--device", "cpu", "--threads", "99999", text(&picture)]).expect(USAGE).says(&["--threads"]);
}

#[test]
fn precision_is_checked_by_name_and_by_device() {
    let picture = decode("png_rgb.png");
    let run = warpface(&["detect", "--device", "cpu", "--precision", "f8", text(&picture)]).expect(USAGE);
    run.says(&["--precision", "f8", "bf16"]);
    for device in ["cpu", "wgpu"] {
        let run = warpface(&["detect", "--device", device, "--precision", "f16", text(&picture)]).expect(NOTHING);
        assert_eq!(run.out, "");
        // A machine without a GPU has no wgpu to refuse it.
        if device == "cpu" || !run.err.contains("Vulkan") {
            run.says(&[device, "f32 alone", "--precision f16", "--device cuda"]);
        }
    }
    let Some(weights) = common::weights(&files::MTCNN) else { return };
    with(&weights, &["detect", text(&picture)]).expect(DONE).says(&["device: cpu", "precision f32"]);
    let bytes = |precision: &str, what: &str| {
        let run = with(&weights, &["plan", "onet", "--json", "--precision", precision]).expect(DONE);
        assert_eq!(run.json()[0]["precision"], precision);
        run.json()[0][what].as_u64().unwrap()
    };
    for what in ["param_bytes", "arena_bytes"] {
        assert_eq!(bytes("f16", what) * 2, bytes("f32", what), "{what}");
        assert_eq!(bytes("tf32", what), bytes("f32", what), "{what}");
    }
}

#[test]
fn converted_weights_are_the_model() {
    let Some(weights) = common::weights(&files::ALL) else { return };
    let folder = tempfile::tempdir().unwrap();
    let convert = |precision: &str| {
        let to = folder.path().join(format!("{precision}.npz"));
        let model = weights.join("graph_final.pb");
        let args = ["convert", text(&to), "--precision", precision, "--model", text(&model), "--json"];
        let run = with(&weights, &args).expect(DONE);
        assert_eq!(run.json()[0]["tensors"], 2 * 133);
        let loaded = warpface::weights::load(&to).unwrap();
        (warpface::weights::inception_resnet_v1(&loaded).unwrap(), fs::metadata(&to).unwrap().len())
    };
    let published = warpface::weights::load(&weights.join("graph_final.pb")).unwrap();
    let published = warpface::weights::inception_resnet_v1(&published).unwrap();
    let (exact, bytes) = convert("f32");
    assert_eq!(exact, published);
    let (half, half_bytes) = convert("f16");
    assert!(half_bytes < bytes * 51 / 100, "{half_bytes} of {bytes}");
    for (name, conv) in &half.convs {
        let expected = &published.convs[name];
        assert_eq!(conv.b, expected.b, "{name}");
        for (a, b) in conv.w.data().iter().zip(expected.w.data()) {
            assert!((a - b).abs() <= b.abs() / 2048.0 + 3e-8, "{name}: {a}, expected {b}");
        }
    }
    let to = folder.path().join("bf16.npz");
    with(&weights, &["convert", text(&to), "--precision", "bf16"]).expect(USAGE).says(&["--precision", "bf16"]);
    let run = with(&weights, &["convert", "/nowhere/at/all.npz"]).expect(NOTHING);
    run.says(&["/nowhere/at/all.npz", "cannot create"]);
}

#[test]
fn devices() {
    let run = warpface(&["devices", "--json"]).expect(DONE);
    let kinds: Vec<Value> = run.json().iter().map(|line| line["kind"].clone()).collect();
    assert_eq!(kinds, ["cpu", "wgpu", "cuda"]);
    for line in run.json() {
        assert!(line["name"].is_string() || line["missing"].is_string(), "{line}");
    }
    let run = warpface(&["detect", "--device", "cuda", text(&decode("png_rgb.png"))]).expect(NOTHING);
    run.says(&["cuda", "--device"]);
    assert_eq!(run.out, "");
}

/// A copy of the weights folder in which one file has other bytes.
fn tampered(weights: &Path, file: &str, change: impl FnOnce(Vec<u8>) -> Vec<u8>) -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    for name in files::MTCNN {
        let from = weights.join(name).canonicalize().unwrap();
        if name != file {
            std::os::unix::fs::symlink(from, folder.path().join(name)).unwrap();
        }
    }
    let mut bytes = Vec::new();
    // The first megabyte is enough to be damaged.
    File::open(weights.join(file)).unwrap().take(1 << 20).read_to_end(&mut bytes).unwrap();
    fs::write(folder.path().join(file), change(bytes)).unwrap();
    folder
}

#[test]
fn bad_weights() {
    let Some(weights) = common::weights(&files::ALL) else { return };
    let picture = decode("png_rgb.png");
    let detect = |folder: &Path, more: &[&str]| with(folder, &[&["detect", text(&picture)], more].concat());

    let none = tempfile::tempdir().unwrap();
    detect(none.path(), &[]).expect(NOTHING).says(&[text(none.path()), "det1.npy", "cargo xtask weights"]);

    let cut = tampered(&weights, "det2.npy", |bytes| bytes[..bytes.len() - 1000].to_vec());
    detect(cut.path(), &[]).expect(NOTHING).says(&["det2.npy", "--allow-modified-weights"]);
    detect(cut.path(), &["--allow-modified-weights"]).expect(NOTHING).says(&["det2.npy"]);

    let flipped = tampered(&weights, "det1.npy", |mut bytes| {
        // Among the floats: the file's end is the pickle's.
        let at = bytes.len() / 2;
        bytes[at] ^= 0x01;
        bytes
    });
    detect(flipped.path(), &[]).expect(NOTHING).says(&["det1.npy", "SHA-256", "--allow-modified-weights"]);
    detect(flipped.path(), &["--allow-modified-weights"]).expect(DONE);

    let swapped = tampered(&weights, "det1.npy", |_| fs::read(weights.join("det2.npy")).unwrap());
    detect(swapped.path(), &[]).expect(NOTHING).says(&["det1.npy", "conv1/weights", "expected"]);

    let cut = tampered(&weights, "graph_final.pb", |bytes| bytes);
    let model = cut.path().join("graph_final.pb");
    let compare = ["compare", "--aligned", text(&picture), text(&picture), "--model", text(&model)];
    with(&weights, &compare).expect(NOTHING).says(&["graph_final.pb", "--allow-modified-weights"]);
    with(&weights, &[&compare[..], &["--allow-modified-weights"]].concat()).expect(NOTHING).says(&["graph_final.pb"]);
    let other = ["compare", "--aligned", text(&picture), text(&picture), "--model", text(&picture)];
    with(&weights, &other).expect(NOTHING).says(&["png_rgb.png"]);
}

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

    let run = with(&weights, &["detect", "--draw", "/dev/full/drawn", text(&picture)]).expect(PARTLY);
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
    let device = warpface::Device::cpu(0).unwrap();
    let embedder = warpface::Embedder::load(&device, &file, warpface::face::Standardize::Fixed).unwrap();
    let rows = embeddings.f32();
    for (path, row) in expected.iter().zip(rows.chunks_exact(512)) {
        let crop = warpface::image::decode(path).unwrap();
        assert_eq!(embedder.embed_one(&crop).unwrap(), row, "{}", path.display());
    }
}

#[test]
fn lfw_on_crops() {
    let Some(weights) = common::weights(&files::ALL) else { return };
    let data = dataset();
    let pairs = data.path().join("pairs.txt");
    let lfw = |text_of_pairs: &str, more: &[&str]| {
        fs::write(&pairs, text_of_pairs).unwrap();
        let args = ["lfw", text(data.path()), "--pairs", text(&pairs), "--aligned", "--json"];
        with(&weights, &[&args[..], more].concat())
    };
    let two_folds = "2\t1\nAnn\t1\t2\nAnn\t1\tBob\t1\nBob\t1\t2\nAnn\t2\tBob\t2\n";
    let report = data.path().join("report/page.html");
    let run = lfw(two_folds, &["--report", text(&report), "--flip", "--distance", "cosine"]).expect(DONE);
    let lines = run.json();
    let line = lines.last().unwrap();
    assert_eq!((&line["pairs"], &line["images"]), (&Value::from(4), &Value::from(4)));
    for key in ["mean", "std"] {
        assert!(line["accuracy"][key].is_number() && line["val"][key].is_number(), "{line}");
    }
    for key in ["auc", "eer", "threshold"] {
        assert!(line[key].is_number(), "{key} in {line}");
    }
    assert!(line["val"]["far"].is_number() && line["skipped"] == Value::Array(vec![]), "{line}");
    for key in ["decode", "detect", "align", "embed", "evaluate", "total"] {
        assert!(line["seconds"][key].is_number(), "{key} in {line}");
    }
    assert!(fs::read_to_string(&report).unwrap().contains("<svg"));

    // Absent photographs are listed, and the pairs without them counted.
    let run = lfw(&format!("{two_folds}Ann\t1\t9\nZoe\t1\tBob\t1\n"), &["--folds", "2"]).expect(DONE);
    let line = &run.json()[0];
    assert_eq!(line["pairs"], 4);
    let skipped = line["skipped"].to_string();
    assert!(skipped.contains("Ann_0009") && skipped.contains("Zoe_0001"), "{skipped}");
    run.says(&["Ann_0009", "Zoe_0001"]);

    let run = lfw("1\t1\nZoe\t1\t2\nZoe\t1\tYan\t1\n", &[]).expect(NOTHING);
    run.says(&["pairs.txt", "none"]);
    assert_eq!(run.out, "");
    lfw("no pairs at all\n", &[]).expect(NOTHING).says(&["pairs.txt"]);

    // A photograph that cannot be read is skipped like an absent one.
    fs::write(data.path().join("Bob/Bob_0002.png"), "no photograph").unwrap();
    let run = lfw(two_folds, &[]).expect(PARTLY);
    assert!(run.json()[0]["skipped"].to_string().contains("Bob_0002"), "{}", run.out);
}

#[test]
fn plan_tells_before_anything_runs() {
    let Some(weights) = common::weights(&files::ALL) else { return };
    for network in ["pnet", "rnet", "onet", "facenet"] {
        assert!(!with(&weights, &["plan", network, "--json"]).expect(DONE).json().is_empty());
    }
    assert!(with(&weights, &["plan", "pnet"]).expect(DONE).out.contains("conv4-2"));
}

/// Two people with two photographs each, in which there are faces: linked below a folder of our own.
fn faces() -> Option<TempDir> {
    let people = files::people()?;
    let folder = tempfile::tempdir().unwrap();
    let mut names: Vec<PathBuf> = fs::read_dir(&people).unwrap().map(|entry| entry.unwrap().path()).collect();
    names.sort();
    for person in names.iter().filter(|path| path.is_dir()).take(2) {
        let to = folder.path().join(person.file_name().unwrap());
        fs::create_dir(&to).unwrap();
        for photo in warpface::image::collect(std::slice::from_ref(person)).images.iter().take(2) {
            std::os::unix::fs::symlink(photo.canonicalize().unwrap(), to.join(photo.file_name().unwrap())).unwrap();
        }
    }
    Some(folder)
}

#[test]
fn detect_draws_and_tells() {
    let (Some(weights), Some(people)) = (common::weights(&files::MTCNN), faces()) else { return };
    let drawn = tempfile::tempdir().unwrap();
    let args = ["detect", "--json", "--draw", text(drawn.path()), text(people.path())];
    let run = with(&weights, &args).expect(DONE);
    let lines = run.json();
    assert_eq!(lines.len(), 4);
    let mut found = 0;
    for line in &lines {
        let path = Path::new(line["image"].as_str().unwrap());
        let original = warpface::image::decode(path).unwrap();
        let picture = drawn.path().join(path.strip_prefix(people.path()).unwrap());
        let picture = warpface::image::decode(&picture).unwrap();
        assert_eq!((picture.width(), picture.height()), (original.width(), original.height()));
        for face in line["faces"].as_array().unwrap() {
            found += 1;
            let numbers = |value: &Value| value.as_array().unwrap().iter().filter(|x| x.is_number()).count();
            assert_eq!(numbers(&face["box"]), 4);
            assert_eq!(face["landmarks"].as_array().unwrap().iter().map(numbers).collect::<Vec<_>>(), [2; 5]);
            assert!((0.7..=1.0).contains(&face["score"].as_f64().unwrap()), "{face}");
        }
    }
    assert!(found > 0, "no face: nothing is tested");
    // The same without --draw and in another order.
    let paths: Vec<&str> = lines.iter().rev().map(|line| line["image"].as_str().unwrap()).collect();
    let again = with(&weights, &[&["detect", "--json"][..], &paths].concat()).expect(DONE);
    assert_eq!(again.json(), lines.into_iter().rev().collect::<Vec<_>>());
}

#[test]
fn align_resumes() {
    let (Some(weights), Some(people)) = (common::weights(&files::MTCNN), faces()) else { return };
    let out = tempfile::tempdir().unwrap();
    let args = ["align", "--json", text(people.path()), text(out.path())];
    let first = with(&weights, &args).expect(DONE).json().remove(0);
    let aligned = first["aligned"].as_u64().unwrap();
    assert!(aligned > 0 && first["images"] == 4 && first["finished_before"] == 0, "{first}");
    let crops = |folder: &Path| -> Vec<(PathBuf, Vec<u8>, std::time::SystemTime)> {
        let found = warpface::image::collect(&[folder.to_owned()]).images;
        let read = |path: PathBuf| {
            let (bytes, time) = (fs::read(&path).unwrap(), fs::metadata(&path).unwrap().modified().unwrap());
            (path, bytes, time)
        };
        found.into_iter().map(read).collect()
    };
    let before = crops(out.path());
    assert_eq!(before.len() as u64, aligned);
    for (path, ..) in &before {
        assert_eq!(warpface::image::dimensions(path).unwrap(), (160, 160));
    }
    let boxes = fs::read_to_string(first["bounding_boxes"].as_str().unwrap()).unwrap();
    assert_eq!(boxes.lines().count(), 4);
    let rows = boxes.lines().filter(|line| line.rsplit(' ').take(4).all(|word| word.parse::<u32>().is_ok()));
    assert_eq!(rows.count() as u64, aligned);

    let second = with(&weights, &args).expect(DONE).json().remove(0);
    assert_eq!(second["finished_before"], aligned);
    assert_eq!(second["aligned"], 0);
    assert_eq!(crops(out.path()), before, "finished files are left alone");

    // One that is gone is made again, the same.
    fs::remove_file(&before[0].0).unwrap();
    let third = with(&weights, &[&args[..], &["--random-order"]].concat()).expect(DONE).json().remove(0);
    assert_eq!(third["aligned"], 1);
    assert_eq!(crops(out.path())[0].1, before[0].1);

    let all = tempfile::tempdir().unwrap();
    let args = ["align", text(people.path()), text(all.path()), "--detect-multiple-faces", "--image-size", "96"];
    let run = with(&weights, &args).expect(DONE);
    assert!(run.out.contains("Number of successfully aligned images"), "{}", run.out);
    let crops = crops(all.path());
    assert!(crops.len() as u64 >= aligned);
    assert!(crops.iter().all(|(path, ..)| path.file_stem().unwrap().to_str().unwrap().contains('_')));
    assert_eq!(warpface::image::dimensions(&crops[0].0).unwrap(), (96, 96));
}

#[test]
fn compare_says_which_threshold() {
    let (Some(weights), Some(people)) = (common::weights(&files::ALL), faces()) else { return };
    let photos = warpface::image::collect(&[people.path().to_owned()]).images;
    let (a, b) = (text(&photos[0]), text(&photos[2]));
    let run = with(&weights, &["compare", "--json", a, a, b]).expect(DONE);
    let line = run.json().remove(0);
    let distance = |i: usize, j: usize| line["distances"][i][j].as_f64().unwrap();
    assert_eq!(distance(0, 1), 0.0, "a photograph is its own likeness");
    assert!(distance(0, 2) > 0.0 && distance(0, 2) == distance(2, 0));
    assert_eq!(line["pairs"].as_array().unwrap().len(), 3);
    assert!(line["threshold"].is_number() && line["threshold_origin"].is_string());
    let run = with(&weights, &["compare", a, b, "--threshold", "0.00001"]).expect(DONE);
    assert!(run.out.contains("different people") && run.out.contains("as asked"), "{}", run.out);

    let picture = decode("png_rgb.png");
    let run = with(&weights, &["compare", a, text(&picture)]).expect(PARTLY);
    run.says(&["png_rgb.png", "no face found"]);
}
