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
