//! Faces in Parquet files: the same as elsewhere, whatever happens to the run that writes them.

use std::process::Child;
use std::time::{Duration, Instant};

use warpface::vectors::parquet::read;

use super::*;

/// Crops of four people, which are no faces.
fn crops(each: usize) -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    for i in 0..4 * each {
        save(&folder.path().join(format!("p{}/{i:03}.png", i % 4)), &noise(160, 160, i as u64));
    }
    folder
}

/// `embed` of crops, two rows at a time.
fn embed<'a>(weights: &'a Path, data: &'a TempDir, out: &'a Path, more: &[&'a str]) -> Vec<&'a str> {
    let model = ["embed", text(data.path()), "--aligned", "-o", text(out), "--group-rows", "2"];
    let globals = ["--device", "cpu", "--weights", text(weights)];
    [&model[..], &globals, more].concat()
}

fn parts(place: &Path) -> PathBuf {
    place.with_added_extension("parts")
}

/// How many parts are there.
fn count_parts(place: &Path) -> usize {
    let names = fs::read_dir(parts(place)).into_iter().flatten().flatten().map(|entry| entry.path());
    names.filter(|path| path.extension().is_some_and(|suffix| suffix == "parquet")).count()
}

#[test]
fn a_table_has_what_the_folder_has() {
    let Some(weights) = common::weights(&files::ALL) else { return };
    let (data, out) = (dataset(), tempfile::tempdir().unwrap());
    fs::write(data.path().join("Bob/Bob_0003.png"), "no photograph").unwrap();
    let [place, folder, back] = ["x.parquet", "folder", "back.parquet"].map(|name| out.path().join(name));
    let run = warpface(&embed(&weights, &data, &place, &["--json"])).expect(PARTLY);
    run.says(&["Bob_0003.png"]);
    let line = &run.json()[0];
    assert_eq!((&line["images"], &line["embedded"], &line["failed"]), (&5.into(), &4.into(), &1.into()));
    warpface(&embed(&weights, &data, &folder, &[])).expect(PARTLY);
    warpface(&embed(&weights, &TempDir::with_prefix("x").unwrap(), &back, &[])).expect(NOTHING);
    fs::remove_file(&back).unwrap();
    with(&weights, &["embed", text(&folder), "-o", text(&back)]).expect(DONE);
    let (rows, again) = (read(&place).unwrap(), read(&back).unwrap());
    assert_eq!((rows.without, again.without), (1, 0));
    assert_eq!(rows.labels, ["Ann", "Ann", "Bob", "Bob"]);
    assert_eq!(rows.boxes[0], [0.0, 0.0, 160.0, 160.0]);
    assert!(rows.embeddings == again.embeddings && rows.paths == again.paths && rows.origin == again.origin);

    // Whoever works on embeddings takes either.
    let same = |args: &[&str]| {
        let outs = [&folder, &place].map(|given| {
            let args: Vec<&str> = args.iter().map(|&arg| if arg == "IT" { text(given) } else { arg }).collect();
            with(&weights, &args).expect(DONE).out
        });
        assert_eq!(outs[0], outs[1], "{args:?}");
        assert!(!outs[0].is_empty(), "{args:?}");
    };
    same(&["search", "query", "IT", "IT", "-k", "2", "--json"]);
    same(&["cluster", "IT", "--json"]);
    same(&["filter", "IT", "--json"]);
    let (index, known) = (out.path().join("x.index"), out.path().join("people.safetensors"));
    with(&weights, &["search", "build", text(&index), text(&place)]).expect(DONE);
    same(&["search", "query", text(&index), "IT", "-k", "1", "--json"]);
    let people = ["--min-images-per-class", "2", "--train-images-per-class", "1"];
    let train = ["classify", "train", text(&place), "-o", text(&known), "--method", "knn"];
    with(&weights, &[&train[..], &people].concat()).expect(DONE);
    same(&[&["classify", "test", "IT", "-c", text(&known), "--json"][..], &people].concat());
    // Another model's are told apart.
    let Some(_) = common::weights(&["facenet_keras.h5"]) else { return };
    let other = out.path().join("other.parquet");
    let keras = weights.join("facenet_keras.h5");
    let pb = weights.join("graph_final.pb");
    let embed = |model: &Path, out: &Path| {
        with(&weights, &["embed", text(data.path()), "--aligned", "-o", text(out), "--model", text(model)])
    };
    embed(&pb, &place).expect(PARTLY);
    embed(&keras, &other).expect(PARTLY);
    with(&weights, &["search", "query", text(&place), text(&other)]).expect(NOTHING).says(&["two models"]);
}

#[test]
fn detections_are_those_that_are_listed() {
    let Some(weights) = common::weights(&files::MTCNN) else { return };
    let Some(photographs) = files::photographs(6, 3) else { return };
    let folder = tempfile::tempdir().unwrap();
    let broken = folder.path().join("broken.jpg");
    fs::write(&broken, "no photograph").unwrap();
    let place = folder.path().join("x.parquet");
    let faceless = decode("png_rgb.png");
    let paths: Vec<&str> = photographs.iter().chain([&broken, &faceless]).map(|path| text(path)).collect();
    let listed = with(&weights, &[&["detect", "--json"][..], &paths].concat()).expect(PARTLY).out;
    // Read by the standard library: serde_json's numbers may be one bit off.
    let boxes = listed.split("\"box\":[").skip(1).map(|rest| rest.split(']').next().unwrap());
    let boxes: Vec<[f64; 4]> = boxes.map(|box_| values(box_).try_into().unwrap()).collect();
    let faces = boxes.len();
    assert!(faces > 4);
    let run = with(&weights, &[&["detect", "--json", "-o", text(&place)][..], &paths].concat()).expect(PARTLY);
    run.says(&["broken.jpg"]);
    let line = &run.json()[0];
    assert_eq!((&line["images"], &line["faces"], &line["failed"]), (&paths.len().into(), &faces.into(), &1.into()));
    let rows = rows_of(&place);
    assert_eq!(rows.len(), faces + 2);
    let found: Vec<&[f64; 4]> = rows.iter().filter_map(|(_, bounds, _)| bounds.as_ref()).collect();
    assert_eq!(found, boxes.iter().collect::<Vec<_>>());
    let failed: Vec<&String> = rows.iter().filter_map(|(path, _, error)| error.as_ref().map(|_| path)).collect();
    assert_eq!(failed, [text(&broken)]);
}

fn values(list: &str) -> Vec<f64> {
    list.split(',').map(|number| number.parse().unwrap()).collect()
}

/// Path, box and error of each row.
fn rows_of(place: &Path) -> Vec<(String, Option<[f64; 4]>, Option<String>)> {
    use parquet::record::{Field, RowAccessor};
    let reader = parquet::file::reader::SerializedFileReader::try_from(place).unwrap();
    let row = |row: parquet::record::Row| {
        let field = |name: &str| row.get_column_iter().find(|(column, _)| *column == name).unwrap().1.clone();
        let bounds = match field("box") {
            Field::ListInternal(list) => Some(std::array::from_fn(|i| match list.elements()[i] {
                Field::Double(x) => x,
                _ => panic!("no f64"),
            })),
            _ => None,
        };
        let error = match field("error") {
            Field::Str(text) => Some(text),
            _ => None,
        };
        (row.get_string(0).unwrap().clone(), bounds, error)
    };
    reader.into_iter().map(|found| row(found.unwrap())).collect()
}

/// Waits until there are so many parts, then ends the run as nothing can be prepared for.
fn kill(mut run: Child, place: &Path, parts: usize) {
    let start = Instant::now();
    while count_parts(place) < parts {
        assert!(start.elapsed() < Duration::from_secs(60) && run.try_wait().unwrap().is_none(), "no part in time");
        std::thread::sleep(Duration::from_millis(1));
    }
    run.kill().unwrap();
    run.wait().unwrap();
}

#[test]
fn a_run_that_is_killed_goes_on() {
    let Some(weights) = common::weights(&files::ALL) else { return };
    let (data, out) = (crops(30), tempfile::tempdir().unwrap());
    let [plain, place] = ["plain.parquet", "x.parquet"].map(|name| out.path().join(name));
    warpface(&embed(&weights, &data, &plain, &[])).expect(DONE);
    for resume in [&[][..], &["--resume"]] {
        let before = count_parts(&place);
        let run = command(&embed(&weights, &data, &place, resume)).stderr(Stdio::null()).spawn().unwrap();
        kill(run, &place, before + 3);
        assert!(!place.exists());
    }
    // What is left is read by anyone, and is what was done.
    let whole = read(&plain).unwrap();
    let (mut at, mut left) = (0, 0);
    while let Ok(rows) = read(parts(&place).join(format!("part-{left:06}.parquet"))) {
        assert_eq!(rows.paths, whole.paths[at..at + rows.paths.len()]);
        (at, left) = (at + rows.paths.len(), left + 1);
    }
    assert!((6..60).contains(&left), "{left}");
    warpface(&embed(&weights, &data, &place, &[])).expect(NOTHING).says(&["x.parquet.parts", "--resume"]);
    let run = warpface(&embed(&weights, &data, &place, &["--resume", "--json"])).expect(DONE);
    assert_eq!(run.json()[0]["before"], at);
    assert_eq!(run.json()[0]["images"], 120 - at);
    assert!(fs::read(&place).unwrap() == fs::read(&plain).unwrap());
    assert_eq!(fs::read_dir(out.path()).unwrap().count(), 2, "nothing lies beside");

    // A file cut short is named, and stays.
    let bytes = fs::read(&place).unwrap();
    fs::write(&place, &bytes[..bytes.len() - 100]).unwrap();
    warpface(&embed(&weights, &data, &place, &["--resume"])).expect(NOTHING).says(&["x.parquet", "cut short"]);
    assert_eq!(fs::read(&place).unwrap().len(), bytes.len() - 100);
}

#[cfg(unix)]
#[test]
fn a_table_on_a_full_disk() {
    let Some(weights) = common::weights(&files::ALL) else { return };
    let (data, out) = (crops(8), tempfile::tempdir().unwrap());
    let [plain, place] = ["plain.parquet", "x.parquet"].map(|name| out.path().join(name));
    warpface(&embed(&weights, &data, &plain, &[])).expect(DONE);
    // No file may grow beyond this, in 1024 bytes or in 512, as the shell has it.
    let limited = |blocks: usize, more: &[&str]| {
        let mut shell = std::process::Command::new("sh");
        let script = format!("trap '' XFSZ; ulimit -f {blocks}; exec \"$0\" \"$@\"");
        shell.args(["-c", &script, env!("CARGO_BIN_EXE_warpface")]).args(embed(&weights, &data, &place, more));
        Run::of(shell.output().unwrap())
    };
    limited(2, &[]).expect(NOTHING).says(&["part-000000.parquet", "cannot write"]);
    assert_eq!(fs::read_dir(out.path()).unwrap().count(), 1, "nothing is left");
    // Parts have room, and the whole has not.
    limited(40, &[]).expect(NOTHING).says(&["x.parquet", "cannot write"]);
    assert_eq!((count_parts(&place), place.exists()), (16, false));
    let run = warpface(&embed(&weights, &data, &place, &["--resume", "--json"])).expect(DONE);
    assert_eq!((&run.json()[0]["images"], &run.json()[0]["before"]), (&0.into(), &32.into()));
    assert!(fs::read(&place).unwrap() == fs::read(&plain).unwrap());
}

#[test]
fn shards_make_the_whole() {
    let Some(weights) = common::weights(&files::ALL) else { return };
    let (data, out) = (crops(6), tempfile::tempdir().unwrap());
    let sorted = |places: &[PathBuf]| {
        let mut all = Vec::new();
        for rows in places.iter().map(|place| read(place).unwrap()) {
            let values = rows.embeddings.rows().map(|row| row.iter().map(|x| x.to_bits()).collect::<Vec<_>>());
            all.extend(rows.paths.iter().cloned().zip(values).zip(rows.labels.iter().cloned()));
        }
        all.sort();
        all
    };
    let whole = out.path().join("whole.parquet");
    warpface(&embed(&weights, &data, &whole, &[])).expect(DONE);
    let shards = ["1/3", "2/3", "3/3"].map(|shard| {
        let place = out.path().join(format!("{}.parquet", &shard[..1]));
        warpface(&embed(&weights, &data, &place, &["--shard", shard])).expect(DONE);
        place
    });
    assert_eq!(sorted(&shards), sorted(std::slice::from_ref(&whole)));
    assert!(shards.iter().all(|place| !read(place).unwrap().paths.is_empty()));
    // One shard's file is not another's.
    let other = warpface(&embed(&weights, &data, &shards[0], &["--shard", "2/3", "--resume"])).expect(NOTHING);
    other.says(&["shard", "1/3", "2/3"]);
    // The folder's files, and lists, have the same parts.
    let folder = out.path().join("folder");
    warpface(&embed(&weights, &data, &folder, &["--shard", "2/3"])).expect(DONE);
    let paths = fs::read_to_string(folder.join("paths.txt")).unwrap();
    assert_eq!(paths.lines().collect::<Vec<_>>(), read(&shards[1]).unwrap().paths);
    let list = |shard: &str| {
        let run = with(&weights, &["detect", text(data.path()), "--json", "--shard", shard]).expect(DONE);
        run.json().iter().map(|line| line["image"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    let mut listed = list("2/3");
    listed.sort();
    let mut expected = read(&shards[1]).unwrap().paths;
    expected.sort();
    assert_eq!(listed, expected);
}

#[test]
fn wrong_flags_of_tables_are_named() {
    let refused = |args: &[&str], words: &[&str]| warpface(args).expect(USAGE).says(words);
    refused(&["embed", "x", "-o", "folder", "--resume"], &["--resume", ".parquet"]);
    refused(&["embed", "x", "-o", "x.parquet", "--group-rows", "0"], &["--group-rows"]);
    refused(&["detect", "x", "-o", "x.csv"], &["--output", "x.csv", ".parquet"]);
    refused(&["detect", "x", "--resume"], &["--resume", ".parquet"]);
    for shard in ["3/2", "0/0", "0/4", "x"] {
        refused(&["detect", "x", "--shard", shard], &["--shard", shard]);
    }
}
