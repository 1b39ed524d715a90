//! `warpface search`.

use std::fs::OpenOptions;
use std::io::Write as _;
use std::time::Duration;

use warpface::Device;
use warpface::face::Embeddings;
use warpface::vectors::search::{Hit, Index, Neighbours};

use super::*;

/// Writes an `.npy` as numpy does.
fn npy(path: &Path, descr: &str, shape: &[usize], bytes: &[u8]) {
    let shape: String = shape.iter().map(|extent| format!("{extent}, ")).collect();
    let header = format!("{{'descr': '{descr}', 'fortran_order': False, 'shape': ({shape}), }}");
    let length = (10 + header.len() + 1).next_multiple_of(64) - 10;
    let mut file = b"\x93NUMPY\x01\x00".to_vec();
    file.extend((length as u16).to_le_bytes());
    file.extend(format!("{header:<width$}\n", width = length - 1).bytes());
    file.extend(bytes);
    fs::write(path, file).unwrap();
}

fn f32s(path: &Path, rows: usize, values: &[f32]) {
    let bytes: Vec<u8> = values.iter().flat_map(|x| x.to_le_bytes()).collect();
    npy(path, "<f4", &[rows, values.len() / rows.max(1)], &bytes);
}

fn noise_rows(seed: u64, rows: usize, dim: usize) -> Embeddings {
    Embeddings::new(dim, Noise::new(seed).signed(&[rows, dim]).data().to_vec())
}

fn search(args: &[&str]) -> Run {
    warpface(&[&["search"], args, &["--device", "cpu", "--threads", "2"]].concat())
}

/// What `query --json` must print.
fn check(run: &Run, expected: &[Vec<Hit>], name: impl Fn(usize) -> Value) {
    let lines = run.json();
    assert_eq!(lines.len(), expected.len(), "{}", run.out);
    for (i, (line, hits)) in lines.iter().zip(expected).enumerate() {
        assert_eq!(line["query"], i);
        let found = line["hits"].as_array().unwrap();
        assert_eq!(found.len(), hits.len(), "{line}");
        for (found, hit) in found.iter().zip(hits) {
            assert_eq!((&found["row"], &found["name"]), (&hit.row.into(), &name(hit.row)), "{line}");
            assert_eq!(found["distance"].as_f64().unwrap() as f32, hit.distance, "{line}");
        }
    }
}

#[test]
fn an_index_grows_and_is_searched_as_files_are() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    let (first, second, queries) = (noise_rows(1, 500, 33), noise_rows(2, 40, 33), noise_rows(3, 7, 33));
    let mut all = first.clone();
    all.append(second.clone());
    for (name, rows) in [("first.npy", &first), ("second.npy", &second), ("all.npy", &all), ("queries.npy", &queries)] {
        f32s(&at(name), rows.len(), rows.as_slice());
    }
    let names: String = (0..500).map(|row| format!("näme {row}\n")).collect();
    fs::write(at("names.txt"), &names).unwrap();
    let device = Device::cpu(1).unwrap();
    let expected = Neighbours::new(&device, &all).unwrap().nearest(&queries, 6).unwrap();
    let name = |row: usize| if row < 500 { format!("näme {row}").into() } else { Value::Null };
    for storage in ["f32", "int8"] {
        let index = at(storage);
        let first = at("first.npy");
        let built = search(&[
            "build",
            text(&index),
            text(&first),
            "--names",
            text(&at("names.txt")),
            "--storage",
            storage,
            "--json",
        ]);
        let summary = built.expect(DONE).json();
        assert_eq!(summary.len(), 1);
        assert_eq!(
            (&summary[0]["rows"], &summary[0]["dim"], &summary[0]["storage"]),
            (&500.into(), &33.into(), &storage.into())
        );
        let added = search(&["add", text(&index), text(&at("second.npy")), "--json"]).expect(DONE).json();
        assert_eq!((&added[0]["added"], &added[0]["rows"]), (&40.into(), &540.into()));
        let run = search(&["query", text(&index), text(&at("queries.npy")), "-k", "6", "--json"]).expect(DONE);
        check(&run, &expected, name);
        run.says(&["7 queries among 540 rows"]);
    }
    // Without an index.
    let run = search(&["query", text(&at("all.npy")), text(&at("queries.npy")), "-k", "6", "--json"]).expect(DONE);
    check(&run, &expected, |_| Value::Null);
    // Beyond the threshold nothing, and never more than there are.
    let threshold = expected[0][2].distance;
    let near: Vec<Vec<Hit>> =
        expected.iter().map(|hits| hits.iter().copied().filter(|hit| hit.distance < threshold).collect()).collect();
    let flags = ["-k", "6", "--threshold", &threshold.to_string(), "--json"];
    let run = search(&[&["query", text(&at("f32")), text(&at("queries.npy"))], &flags[..]].concat()).expect(DONE);
    check(&run, &near, name);
    let run = search(&["query", text(&at("f32")), text(&at("queries.npy")), "-k", "9999", "--json"]).expect(DONE);
    assert!(run.json().iter().all(|line| line["hits"].as_array().unwrap().len() == 540));
    // For people.
    let run = search(&["query", text(&at("f32")), text(&at("first.npy")), "-k", "1"]).expect(DONE);
    assert!(run.out.starts_with("query 0\n  0 ") && run.out.contains("näme 499"), "{}", &run.out[..200]);
}

#[test]
fn arrays_of_other_types_are_read() {
    let folder = tempfile::tempdir().unwrap();
    let (base, queries) = (folder.path().join("base.npy"), folder.path().join("queries.npy"));
    let values = [0.5f32, -0.25, 1.0, 2.0, 0.0, 0.125];
    f32s(&queries, 1, &[1.0, 2.0]);
    let arrays: [(&str, Vec<u8>); 5] = [
        ("<f2", values.iter().flat_map(|&x| half::f16::from_f32(x).to_le_bytes()).collect()),
        (">f2", values.iter().flat_map(|&x| half::f16::from_f32(x).to_be_bytes()).collect()),
        (">f4", values.iter().flat_map(|x| x.to_be_bytes()).collect()),
        ("<f8", values.iter().flat_map(|&x| f64::from(x).to_le_bytes()).collect()),
        (">f8", values.iter().flat_map(|&x| f64::from(x).to_be_bytes()).collect()),
    ];
    for (descr, bytes) in arrays {
        npy(&base, descr, &[3, 2], &bytes);
        let run = search(&["query", text(&base), text(&queries), "--json"]).expect(DONE);
        let hits = &run.json()[0]["hits"];
        let found: Vec<_> = (0..3).map(|i| (hits[i]["row"].clone(), hits[i]["distance"].as_f64().unwrap())).collect();
        assert_eq!(found, [(1.into(), 0.0), (2.into(), 4.515625), (0.into(), 5.3125)], "{descr}");
    }
}

#[test]
fn parquet_is_searched_and_put_into_an_index() {
    let (lists, folder) = (files::golden("vectors/lists.parquet"), tempfile::tempdir().unwrap());
    let index = folder.path().join("index");
    search(&["build", text(&index), text(&lists)]).expect(DONE);
    for base in [&lists, &index] {
        let run = search(&["query", text(base), text(&files::golden("vectors/columns.parquet")), "-k", "2", "--json"]);
        let lines = run.expect(DONE).json();
        assert_eq!(lines.len(), 50);
        let near = &lines[7]["hits"];
        assert_eq!(
            (&near[0]["row"], &near[0]["distance"], &near[0]["name"]),
            (&7.into(), &0.0.into(), &"näme 7".into())
        );
        assert_eq!((&near[1]["row"], &near[1]["distance"]), (&6.into(), &6.0.into()));
    }
    search(&["build", text(&index), text(&files::golden("vectors/two.parquet")), "--overwrite"])
        .expect(NOTHING)
        .says(&["two.parquet", "a, b"]);
}

#[test]
fn bad_input_is_named_and_nothing_is_lost() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    let (index, rows) = (at("index"), at("rows.npy"));
    let query = |base: &Path, queries: &Path| search(&["query", text(base), text(queries)]);
    f32s(&rows, 3, &[1.0, 0.0, 0.0, 1.0, 0.6, 0.8]);
    search(&["build", text(&index), text(&rows)]).expect(DONE);
    let whole = fs::read(&index).unwrap();
    search(&["build", text(&index), text(&rows)]).expect(NOTHING).says(&[text(&index), "search add", "--overwrite"]);
    search(&["build", text(&index), text(&rows), "--overwrite"]).expect(DONE);
    search(&["query", text(&index), text(&rows), "-k", "0"]).expect(USAGE).says(&["--k"]);
    search(&["build", text(&at("x")), text(&rows), "--storage", "f64"]).expect(USAGE);
    // Rows of another length.
    f32s(&at("wide.npy"), 1, &[1.0, 2.0, 3.0]);
    search(&["add", text(&index), text(&at("wide.npy"))]).expect(NOTHING).says(&[text(&index), "2 values", "3"]);
    query(&index, &at("wide.npy")).expect(NOTHING).says(&[text(&index), "2 values", "3"]);
    // Values that are no numbers, or too large.
    f32s(&at("nan.npy"), 3, &[0.0, 1.0, 1.0, f32::NAN, 0.0, 0.0]);
    search(&["add", text(&index), text(&at("nan.npy"))]).expect(NOTHING).says(&["nan.npy: row 1", "not finite"]);
    query(&index, &at("nan.npy")).expect(NOTHING).says(&["nan.npy: query 1", "not finite"]);
    query(&at("nan.npy"), &rows).expect(NOTHING).says(&["nan.npy: row 1", "not finite"]);
    let infinite = files::golden("vectors/infinite.parquet");
    query(&infinite, &rows).expect(NOTHING).says(&["infinite.parquet: row 1", "not finite"]);
    let doubles: Vec<u8> = [0.0, 1.0, -1e300, 0.0].into_iter().flat_map(f64::to_le_bytes).collect();
    npy(&at("doubles.npy"), "<f8", &[2, 2], &doubles);
    query(&at("doubles.npy"), &rows).expect(NOTHING).says(&["doubles.npy: row 1", "beyond f32's range"]);
    // The number of a query is its number in the file.
    let mut many = vec![1.0; 2 * 1500];
    many[2 * 1400] = f32::INFINITY;
    f32s(&at("many.npy"), 1500, &many);
    query(&index, &at("many.npy")).expect(NOTHING).says(&["many.npy: query 1400", "not finite"]);
    f32s(&at("far.npy"), 1, &[1e30, 0.0]);
    query(&at("far.npy"), &rows).expect(NOTHING).says(&["row 0", "scale"]);
    // Places.
    fs::create_dir(at("folder")).unwrap();
    let run = search(&["build", text(&at("folder")), text(&at("no photographs")), "--overwrite"]);
    run.expect(NOTHING).says(&[text(&at("folder")), "is no file"]);
    search(&["build", text(&at("text.d/index")), text(&rows)]).expect(DONE);
    let run = search(&["build", text(&rows.join("index")), text(&at("no photographs"))]);
    run.expect(NOTHING).says(&[text(&rows), "cannot create"]);
    // Names.
    fs::write(at("names.txt"), "a\nb\n").unwrap();
    let run = search(&["build", text(&at("x")), text(&rows), "--names", text(&at("names.txt"))]);
    run.expect(NOTHING).says(&["names.txt", "2 lines", "3 rows"]);
    // Files that are something else, or not there.
    fs::write(at("text"), "hello").unwrap();
    query(&at("text"), &rows).expect(NOTHING).says(&[text(&at("text")), "neither an index"]);
    query(&at("nowhere"), &rows).expect(NOTHING).says(&[text(&at("nowhere")), "search build"]);
    search(&["add", text(&at("nowhere")), text(&rows)]).expect(NOTHING).says(&[text(&at("nowhere"))]);
    search(&["add", text(&rows), text(&rows)]).expect(NOTHING).says(&[text(&rows), "no index"]);
    npy(&at("flat.npy"), "<f4", &[6], &[0; 24]);
    query(&at("flat.npy"), &rows).expect(NOTHING).says(&["flat.npy", "[n, d]"]);
    npy(&at("ints.npy"), "<i4", &[3, 2], &[0; 24]);
    query(&at("ints.npy"), &rows).expect(NOTHING).says(&["ints.npy", "<i4"]);
    npy(&at("short.npy"), "<f4", &[3, 2], &[0; 20]);
    query(&at("short.npy"), &rows).expect(NOTHING).says(&["short.npy", "cut short"]);
    npy(&at("huge.npy"), "<f4", &[usize::MAX, 2], &[0; 20]);
    query(&at("huge.npy"), &rows).expect(NOTHING).says(&["huge.npy", "cut short"]);
    for len in [10, 3_000, whole.len() - 1] {
        fs::write(at("cut"), &whole[..len]).unwrap();
        query(&at("cut"), &rows).expect(NOTHING).says(&[text(&at("cut"))]);
        search(&["add", text(&at("cut")), text(&rows)]).expect(NOTHING).says(&[text(&at("cut"))]);
        assert_eq!(fs::metadata(at("cut")).unwrap().len(), len as u64);
    }
    // The index is what it was.
    assert!(fs::read(&index).unwrap() == whole);
}

/// `add`, killed at whatever it is doing.
#[test]
fn a_killed_add_leaves_an_index() {
    let folder = tempfile::tempdir().unwrap();
    let (index, first, more) =
        (folder.path().join("index"), folder.path().join("first.npy"), folder.path().join("more.npy"));
    f32s(&first, 10, noise_rows(1, 10, 64).as_slice());
    f32s(&more, 60_000, noise_rows(2, 60_000, 64).as_slice());
    search(&["build", text(&index), text(&first), "--storage", "int8"]).expect(DONE);
    let (mut rows, mut killed) = (10, 0);
    for turn in 0..12 {
        let args = ["search", "add", text(&index), text(&more), "--device", "cpu"];
        let mut child = command(&args).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        std::thread::sleep(Duration::from_millis(5 + 9 * turn));
        let _ = child.kill();
        child.wait().unwrap();
        let len = Index::open(&index).unwrap().len();
        assert!(len == rows || len == rows + 60_000, "{len} after {rows}");
        killed += usize::from(len == rows);
        rows = len;
    }
    assert!(killed > 0);
    let run = search(&["query", text(&index), text(&first), "-k", "1", "--json"]).expect(DONE);
    assert!(
        run.json()
            .iter()
            .enumerate()
            .all(|(i, line)| line["hits"][0]["row"] == i && line["hits"][0]["distance"] == 0.0)
    );
}

/// What stands behind the end of an index, as a killed `add` leaves it, is not read.
#[test]
fn bytes_behind_the_end_are_overwritten() {
    let folder = tempfile::tempdir().unwrap();
    let (index, rows) = (folder.path().join("index"), folder.path().join("rows.npy"));
    f32s(&rows, 2, &[1.0, 0.0, 0.0, 1.0]);
    search(&["build", text(&index), text(&rows)]).expect(DONE);
    OpenOptions::new().append(true).open(&index).unwrap().write_all(&[0xff; 5000]).unwrap();
    search(&["add", text(&index), text(&rows)]).expect(DONE);
    let run = search(&["query", text(&index), text(&rows), "-k", "9", "--json"]).expect(DONE);
    let rows: Vec<_> = run.json()[0]["hits"].as_array().unwrap().iter().map(|hit| hit["row"].clone()).collect();
    assert_eq!(rows, [0, 2, 1, 3]);
}

#[test]
fn photographs_are_put_in_and_looked_for() {
    let Some(weights) = common::weights(&files::ALL) else { return };
    let (people, folder) = (dataset(), tempfile::tempdir().unwrap());
    let (index, vectors) = (folder.path().join("index"), folder.path().join("vectors"));
    let graph = weights.join("graph_final.pb");
    let model = ["--aligned", "--model", text(&graph), "--json"];
    let run = |args: &[&str]| with(&weights, &[&["search"], args, &model[..]].concat());
    let (ann, bob) = (people.path().join("Ann"), people.path().join("Bob"));
    run(&["build", text(&index), text(&ann)]).expect(DONE);
    run(&["add", text(&index), text(&bob)]).expect(DONE);
    let again = bob.join("Bob_0002.png");
    let answer = run(&["query", text(&index), text(&again), "-k", "2"]).expect(DONE).json();
    assert_eq!(answer[0]["image"], text(&again));
    let hit = &answer[0]["hits"][0];
    assert_eq!((&hit["row"], &hit["distance"], &hit["name"]), (&3.into(), &0.0.into(), &text(&again).into()));
    // The folder of `embed`, as what is searched.
    let out = ["embed", text(people.path()), "-o", text(&vectors), "--aligned", "--model", text(&graph)];
    with(&weights, &out).expect(DONE);
    let same = run(&["query", text(&vectors), text(&again), "-k", "2"]).expect(DONE).json();
    assert_eq!(same[0]["hits"], answer[0]["hits"]);
    // Vectors of another model are refused, and one bad photograph stops nothing.
    let other = ["search", "query", text(&index), text(&vectors), "--json"];
    with(&weights, &other).expect(DONE);
    fs::write(bob.join("broken.png"), "no picture").unwrap();
    let partly = run(&["query", text(&index), text(&bob), "-k", "1"]).expect(PARTLY);
    assert_eq!(partly.json().len(), 2);
    partly.says(&["broken.png"]);
    run(&["add", text(&index), text(&bob)]).expect(PARTLY);
    assert_eq!(Index::open(&index).unwrap().len(), 6);
}

/// One byte of the head block that counts: all rows are found, with a warning, and `add` wants a word.
#[test]
fn a_damaged_head_loses_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let (index, rows) = (folder.path().join("index"), folder.path().join("rows.npy"));
    f32s(&rows, 2, &[1.0, 0.0, 0.0, 1.0]);
    search(&["build", text(&index), text(&rows)]).expect(DONE);
    for (at, len) in [(40, 2), (2048 + 24, 4)] {
        let query = ["query", text(&index), text(&rows), "-k", "9", "--json"];
        let answer = search(&query).expect(DONE);
        assert!(!answer.err.contains("damaged"), "{}", answer.err);
        assert_eq!(answer.json()[0]["hits"].as_array().unwrap().len(), len);
        let mut bytes = fs::read(&index).unwrap();
        bytes[at] ^= 0x40;
        fs::write(&index, &bytes).unwrap();
        let again = search(&query).expect(DONE);
        again.says(&["warning", text(&index), "damaged", "--repair"]);
        assert_eq!(again.out, answer.out);
        search(&["add", text(&index), text(&rows)]).expect(NOTHING).says(&[text(&index), "damaged", "--repair"]);
        assert!(fs::read(&index).unwrap() == bytes);
        search(&["add", text(&index), text(&rows), "--repair"]).expect(DONE).says(&["written anew"]);
        assert_eq!(Index::open(&index).unwrap().len(), len + 2);
    }
}

#[test]
fn add_tells_that_it_waits_for_a_reader() {
    let folder = tempfile::tempdir().unwrap();
    let (index, rows) = (folder.path().join("index"), folder.path().join("rows.npy"));
    f32s(&rows, 2, &[1.0, 0.0, 0.0, 1.0]);
    search(&["build", text(&index), text(&rows)]).expect(DONE);
    let reader = Index::open(&index).unwrap();
    let args = ["search", "add", text(&index), text(&rows), "--device", "cpu"];
    let mut child = command(&args).stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
    let mut lines = std::io::BufRead::lines(std::io::BufReader::new(child.stderr.take().unwrap()));
    assert!(lines.any(|line| line.unwrap().contains("is in use by another process; waiting up to 10 s")));
    assert_eq!(reader.len(), 2);
    drop(reader);
    lines.for_each(drop);
    assert!(child.wait().unwrap().success());
    assert_eq!(Index::open(&index).unwrap().len(), 4);
}

#[test]
fn names_are_one_line_each() {
    let folder = tempfile::tempdir().unwrap();
    let (names, rows) = (folder.path().join("names.txt"), folder.path().join("rows.npy"));
    let index = folder.path().join("index");
    f32s(&rows, 2, &[1.0, 0.0, 0.0, 1.0]);
    fs::write(&names, "\u{1b}[2Jred\u{7}\nnäme\t2\n").unwrap();
    search(&["build", text(&index), text(&rows), "--names", text(&names)]).expect(DONE);
    let run = search(&["query", text(&index), text(&rows)]).expect(DONE);
    assert!(run.out.contains("\\u{1b}[2Jred\\u{7}\n") && run.out.contains("näme\\t2\n"), "{}", run.out);
    assert!(!run.out.contains('\u{1b}'));
    // Where a column has a null there is no name.
    let nameless = files::golden("vectors/nameless.parquet");
    f32s(&rows, 1, &[2.0]);
    search(&["build", text(&index), text(&nameless), "--overwrite"]).expect(DONE);
    for base in [&nameless, &index] {
        let run = search(&["query", text(base), text(&rows), "-k", "1", "--json"]).expect(DONE);
        assert_eq!((&run.json()[0]["hits"][0]["row"], &run.json()[0]["hits"][0]["name"]), (&1.into(), &Value::Null));
    }
}
