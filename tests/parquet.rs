//! Faces in Parquet files: written in parts that outlive a run, resumed, joined, and read by this program and by others. The
//! latter needs a Python that has them: `WARPFACE_READERS`, else the environment that `cargo xtask test --long` makes.
#![cfg(feature = "parquet")]

mod common;

use std::collections::HashSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::{Map, Value, json};
use warpface::vectors::Origin;
use warpface::vectors::parquet::{Begun, Columns, Row, Writer, read};
use warpface::vectors::search::Table;
use warpface::{Error, Result};

const DIM: usize = 6;
const COLUMNS: Columns = Columns { label: true, embedding: Some(DIM) };

fn origin(model: &str) -> Origin {
    let [sha256, standardize, align] = ["ab", "fixed", "margin 32"].map(str::to_owned);
    Origin { model: model.to_owned(), sha256, dim: DIM, standardize, align }
}

fn settings(min_size: usize) -> Map<String, Value> {
    json!({ "min_size": min_size, "shard": "all" }).as_object().unwrap().clone()
}

fn begin(place: &Path, resume: bool) -> Result<Begun> {
    Writer::begin(place, COLUMNS, Some(&origin("m.pb")), settings(20), 4, resume)
}

fn embedding(photo: usize, face: usize) -> Vec<f32> {
    (0..DIM).map(|k| (photo * 10 + face) as f32 + k as f32 / 7.0).collect()
}

fn path(photo: usize) -> String {
    format!("photos/ann/{photo:03}.jpg")
}

/// A photograph has no face, one, two or three; every seventh is broken.
fn push(writer: &mut Writer, photo: usize) -> Result<()> {
    let embeddings: Vec<Vec<f32>> = (0..photo % 4).map(|face| embedding(photo, face)).collect();
    let face = |(i, embedding)| Row {
        bounds: Some([photo as f64 + 1.0 / 3.0, i as f64, 30.0, 40.5]),
        landmarks: Some([[photo as f64, 0.1]; 5]),
        score: Some(0.9),
        embedding: Some(embedding),
        error: None,
    };
    let mut rows: Vec<Row> = embeddings.iter().map(Vec::as_slice).enumerate().map(face).collect();
    if photo % 7 == 3 {
        rows = vec![Row { error: Some("cut short".to_owned()), ..Row::default() }];
    } else if rows.is_empty() {
        rows.push(Row::default());
    }
    writer.push(&path(photo), "ann", rows)
}

fn write(place: &Path, photos: impl IntoIterator<Item = usize>) {
    let mut writer = begin(place, false).unwrap().writer;
    photos.into_iter().for_each(|photo| push(&mut writer, photo).unwrap());
    writer.finish().unwrap();
}

fn parts(place: &Path) -> PathBuf {
    place.with_added_extension("parts")
}

/// What a run leaves that was killed when it had done these.
fn killed(place: &Path, photos: impl IntoIterator<Item = usize>, resume: bool) {
    let Begun { mut writer, done } = begin(place, resume).unwrap();
    photos
        .into_iter()
        .filter(|&photo| !done.contains(&path(photo)))
        .for_each(|photo| push(&mut writer, photo).unwrap());
    drop(writer);
}

#[track_caller]
fn says(error: Result<Begun>, words: &[&str]) {
    let Err(error) = error else { panic!("no error") };
    assert!(words.iter().all(|word| error.to_string().contains(word)), "{error}");
}

#[test]
fn rows_come_back_to_the_bit() {
    let folder = tempfile::tempdir().unwrap();
    let place = folder.path().join("x.parquet");
    write(&place, 0..30);
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1, "nothing lies beside");
    let rows = read(&place).unwrap();
    let with_faces = (0..30).filter(|photo| photo % 7 != 3);
    let expected: Vec<(String, Vec<f32>)> =
        with_faces.flat_map(|photo| (0..photo % 4).map(move |face| (path(photo), embedding(photo, face)))).collect();
    let found: Vec<(String, Vec<f32>)> =
        rows.paths.iter().cloned().zip(rows.embeddings.rows().map(<[f32]>::to_vec)).collect();
    assert_eq!(found, expected);
    assert_eq!(rows.boxes[0], [1.0 + 1.0 / 3.0, 0.0, 30.0, 40.5]);
    assert!(rows.labels.iter().all(|label| label == "ann"));
    assert_eq!(rows.origin, Some(origin("m.pb")));
    let without = (0..30).filter(|photo| photo % 7 == 3 || photo % 4 == 0).count();
    assert_eq!(rows.without, without);

    let table = Table::parquet(&place).unwrap();
    assert_eq!(table.rows(0..table.len()).as_slice(), rows.embeddings.as_slice());
    assert_eq!((table.name(0), table.origin()), (Some(path(1).as_str()), Some(&origin("m.pb"))));
    assert_eq!(table.name(table.len() - 1), rows.paths.last().map(String::as_str));
}

#[test]
fn a_run_that_resumes_writes_the_same_bytes() {
    let folder = tempfile::tempdir().unwrap();
    let [plain, place] = ["plain.parquet", "x.parquet"].map(|name| folder.path().join(name));
    write(&plain, 0..60);
    killed(&place, 0..23, false);
    let left = read_parts(&place);
    assert!(left.len() > 3 && !place.exists());
    // No photograph is in it in part: those of the last row group are missing as a whole.
    let names: Vec<String> = left.iter().flat_map(|(paths, _)| paths.clone()).collect();
    let last = names.last().unwrap();
    let photo: usize = last[last.len() - 7..last.len() - 4].parse().unwrap();
    assert!((18..23).contains(&photo), "{last}");
    says(begin(&place, false), &["x.parquet.parts", "`resume`", "remove the folder"]);
    killed(&place, 0..41, true);
    let Begun { mut writer, done } = begin(&place, true).unwrap();
    assert!(done.len() > 35);
    (0..60).filter(|&photo| !done.contains(&path(photo))).for_each(|photo| push(&mut writer, photo).unwrap());
    writer.finish().unwrap();
    assert!(fs::read(&place).unwrap() == fs::read(&plain).unwrap());
    assert!(!parts(&place).exists());
}

/// Paths and embeddings of each part, as any program reads them.
fn read_parts(place: &Path) -> Vec<(Vec<String>, Vec<f32>)> {
    let mut files: Vec<PathBuf> = fs::read_dir(parts(place)).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.retain(|file| file.extension().is_some_and(|suffix| suffix == "parquet"));
    files.sort();
    let rows = files.iter().map(|file| read(file).unwrap());
    rows.map(|rows| (rows.paths, rows.embeddings.into_vec())).collect()
}

#[test]
fn a_finished_file_takes_more_photographs() {
    let folder = tempfile::tempdir().unwrap();
    let place = folder.path().join("x.parquet");
    write(&place, 0..10);
    let Begun { mut writer, done } = begin(&place, true).unwrap();
    assert_eq!(done, (0..10).map(path).collect::<HashSet<_>>());
    (10..20).for_each(|photo| push(&mut writer, photo).unwrap());
    let kept = folder.path().join("kept");
    // Killed behind the last step but one: the file is there, and its parts are, too.
    fs::create_dir(&kept).unwrap();
    for file in fs::read_dir(parts(&place)).unwrap().map(|entry| entry.unwrap().path()) {
        fs::copy(&file, kept.join(file.file_name().unwrap())).unwrap();
    }
    writer.finish().unwrap();
    let all = read(&place).unwrap().paths;
    assert!(all.contains(&path(1)) && all.contains(&path(19)));
    fs::rename(&kept, parts(&place)).unwrap();
    let Begun { writer, done } = begin(&place, true).unwrap();
    assert_eq!(done.len(), 20);
    writer.finish().unwrap();
    assert_eq!(read(&place).unwrap().paths, all, "no row is there twice");
}

#[test]
fn what_is_replaced_stays_until_the_end() {
    let folder = tempfile::tempdir().unwrap();
    let place = folder.path().join("x.parquet");
    write(&place, 0..10);
    let old = fs::read(&place).unwrap();
    killed(&place, 0..9, false);
    assert!(fs::read(&place).unwrap() == old);
    let Begun { mut writer, done } = begin(&place, true).unwrap();
    assert!(!done.contains(&path(9)) && done.contains(&path(1)), "the old file's rows do not count");
    push(&mut writer, 18).unwrap();
    writer.finish().unwrap();
    let paths = read(&place).unwrap().paths;
    assert!(paths.contains(&path(18)) && !paths.contains(&path(9)));
    // No row group is done: nothing is left to go on from, nor to ask about.
    killed(&place, 0..2, false);
    assert!(!parts(&place).exists());
}

#[test]
fn other_settings_columns_and_runs_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let place = folder.path().join("x.parquet");
    let with = |model: &str, min_size: usize, columns: Columns| {
        Writer::begin(&place, columns, Some(&origin(model)), settings(min_size), 4, true)
    };
    killed(&place, 0..12, false);
    says(with("other.pb", 20, COLUMNS), &["part-000000.parquet", "m.pb", "other.pb"]);
    says(with("m.pb", 40, COLUMNS), &["min_size 20", "40"]);
    says(with("m.pb", 20, Columns { embedding: Some(7), ..COLUMNS }), &["other columns"]);
    let running = begin(&place, true).unwrap();
    says(begin(&place, true), &["x.parquet.parts", "another run"]);
    drop(running);
    begin(&place, true).unwrap().writer.finish().unwrap();
    says(with("m.pb", 21, COLUMNS), &["x.parquet", "min_size"]);
    says(begin(folder.path(), false), &["is a folder"]);
    let foreign = common::files::golden("vectors/lists.parquet");
    fs::copy(foreign, &place).unwrap();
    says(begin(&place, true), &["x.parquet", "other columns"]);
}

#[test]
fn files_cut_short_are_named_and_nothing_is_lost() {
    let folder = tempfile::tempdir().unwrap();
    let place = folder.path().join("x.parquet");
    write(&place, 0..10);
    let whole = fs::read(&place).unwrap();
    killed(&place, 0..30, true);
    let before = read_parts(&place);
    for len in [0, 3, 4, 100, whole.len() / 2, whole.len() - 1] {
        fs::write(&place, &whole[..len]).unwrap();
        says(begin(&place, true), &["x.parquet", "cut short", "move it away"]);
        assert_eq!(fs::read(&place).unwrap().len(), len);
        assert_eq!(read_parts(&place), before);
    }
    fs::write(&place, &whole).unwrap();
    let part = parts(&place).join("part-000001.parquet");
    let bytes = fs::read(&part).unwrap();
    fs::write(&part, &bytes[..bytes.len() - 9]).unwrap();
    says(begin(&place, true), &["part-000001.parquet", "move it away"]);
    // The way out that the message names.
    fs::remove_file(&part).unwrap();
    let done = begin(&place, true).unwrap().done;
    assert!(done.len() > 20 && done.len() < 30);
    killed(&place, 0..30, true);
    begin(&place, true).unwrap().writer.finish().unwrap();
    assert_eq!(read(&place).unwrap().paths.iter().collect::<HashSet<_>>().len(), with_faces(28));
}

/// How many of the first photographs have a face.
fn with_faces(photos: usize) -> usize {
    (0..photos).filter(|photo| photo % 4 != 0 && photo % 7 != 3).count()
}

#[test]
fn no_photographs_make_a_file_without_rows() {
    let folder = tempfile::tempdir().unwrap();
    let place = folder.path().join("x.parquet");
    write(&place, []);
    assert_eq!((read(&place).unwrap().paths.len(), Table::parquet(&place).unwrap().len()), (0, 0));
    assert!(begin(&place, true).unwrap().done.is_empty());
    assert!(matches!(read(folder.path().join("none.parquet")), Err(Error::Io { .. })));
}

/// Bytes changed anywhere: an error that names the file, or rows, and no panic.
#[test]
fn damaged_files_do_no_harm() {
    std::panic::set_hook(Box::new(|_| {}));
    let folder = tempfile::tempdir().unwrap();
    let place = folder.path().join("damaged.parquet");
    write(&place, 0..30);
    let (good, mut noise) = (fs::read(&place).unwrap(), common::Noise::new(3));
    let mut below = move |n: usize| ((noise.unit() * n as f32) as usize).min(n - 1);
    let mut refused = 0;
    for _ in 0..1000 {
        let mut bytes = good.clone();
        let at = if below(2) == 0 { below(bytes.len()) } else { bytes.len() - 1 - below(2000) };
        bytes[at] = below(256) as u8;
        fs::write(&place, &bytes).unwrap();
        if let Err(error) = read(&place) {
            assert!(error.to_string().contains("damaged.parquet"), "{error}");
            refused += 1;
        }
        drop(Table::parquet(&place));
    }
    assert!(refused > 200, "{refused}");
}

/// A Python with the readers, or a loud skip.
fn python() -> Option<PathBuf> {
    let made = || Path::new(env!("CARGO_MANIFEST_DIR")).join("target/readers-venv/bin/python");
    let python = std::env::var_os("WARPFACE_READERS").map_or_else(made, PathBuf::from);
    match Command::new(&python).args(["-c", "import duckdb, polars, pyarrow"]).output() {
        Ok(output) if output.status.success() => Some(python),
        _ => {
            let why = format!("{} has not duckdb, polars and pyarrow", python.display());
            let way = "`cargo xtask test --long` makes such a Python, WARPFACE_READERS names one";
            common::skip("readers", format!("{why}; {way}"));
            None
        }
    }
}

#[test]
fn other_programs_read_files_and_what_a_killed_run_leaves() {
    let Some(python) = python() else { return };
    let folder = tempfile::tempdir().unwrap();
    let [place, left] = ["x.parquet", "left.parquet"].map(|name| folder.path().join(name));
    write(&place, 0..30);
    killed(&left, 0..29, false);
    // What a kill leaves of a part that was being written.
    fs::write(parts(&left).join("part-000099.parquet.1-0.partial"), "half").unwrap();
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tools/readers/read.py");
    let output = Command::new(python).arg(script).arg(&place).arg(parts(&left)).arg(folder.path()).output().unwrap();
    let (out, err) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{out}\n{err}");
    let rows = read(&place).unwrap();
    let total: f64 = rows.embeddings.as_slice().iter().map(|&x| f64::from(x)).sum();
    let lines: Vec<Value> = out.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(lines.len(), 3, "{out}");
    for line in &lines {
        assert_eq!(line["rows"], rows.paths.len() + rows.without, "{line}");
        assert_eq!(line["embedded"], rows.paths.len(), "{line}");
        assert_eq!(line["errors"], 4, "{line}");
        assert!((line["sum"].as_f64().unwrap() - total).abs() < 1e-6 * total, "{line}");
        let parts: usize = read_parts(&left).iter().map(|(paths, _)| paths.len()).sum();
        assert_eq!(line["left"], parts, "{line}");
    }
    let type_of = |reader: usize| lines[reader]["type"].as_str().unwrap();
    assert_eq!([0, 1, 2].map(type_of), ["fixed_size_list<element: float>[6]", "FLOAT[]", "Array(Float32, shape=(6,))"]);
    // What they make of it is read as well.
    for name in ["pyarrow", "duckdb", "polars"] {
        let written = folder.path().join(format!("by_{name}.parquet"));
        let again = read(&written).unwrap_or_else(|error| panic!("{error}"));
        assert_eq!((&again.paths, again.embeddings.as_slice()), (&rows.paths, rows.embeddings.as_slice()), "{name}");
        assert_eq!(again.boxes, rows.boxes, "{name}");
        let table = Table::parquet(&written).unwrap();
        assert_eq!(table.rows(0..table.len()).as_slice(), rows.embeddings.as_slice(), "{name}");
    }
}
