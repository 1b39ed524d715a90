//! `warpface cluster`: mostly on a folder as `embed` writes it, whose photographs are small pictures.

use std::collections::BTreeSet;

use super::*;
use common::npz::{load_npy, npy};

/// A folder as `embed` writes it, of these photographs in this order, labelled by their folders.
fn vectors(rows: &[(PathBuf, Vec<f32>)]) -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    let (paths, values): (Vec<_>, Vec<_>) = rows.iter().cloned().unzip();
    let lines: String = paths.iter().map(|path| format!("{}\n", path.display())).collect();
    fs::write(folder.path().join("embeddings.npy"), npy(&values)).unwrap();
    fs::write(folder.path().join("paths.txt"), lines).unwrap();
    folder
}

/// Pictures of Ann and Bob, of whom two have one name, and of two strangers.
fn photographs(folder: &Path) -> Vec<(PathBuf, Vec<f32>)> {
    let rows = [
        ("Ann/x.png", [1.0, 0.0, 0.0]),
        ("Bob/b.png", [0.0, 1.0, 0.0]),
        ("Ann/second/x.png", [0.99, 0.1, 0.0]),
        ("Cem/c.png", [0.0, 0.0, -1.0]),
        ("Bob/x.png", [0.1, 0.99, 0.0]),
        ("Ann/X.png", [0.99, 0.0, 0.1]),
        ("Dee/x.png", [-1.0, 0.0, 0.0]),
    ];
    let one = |(i, (name, row)): (usize, &(&str, [f32; 3]))| {
        let path = folder.join(name);
        save(&path, &noise(20, 20, i as u64));
        (path, row.to_vec())
    };
    rows.iter().enumerate().map(one).collect()
}

fn cluster(folder: &Path, more: &[&str]) -> Run {
    warpface(&[&["--device", "cpu", "cluster", text(folder), "--threshold", "0.5"][..], more].concat())
}

/// The images of each cluster, as sets.
fn sets(line: &Value) -> BTreeSet<BTreeSet<String>> {
    let images = |cluster: &Value| {
        cluster["images"].as_array().unwrap().iter().map(|image| image.as_str().unwrap().to_owned()).collect()
    };
    line["clusters"].as_array().unwrap().iter().map(images).collect()
}

#[test]
fn clusters_are_told_and_written() {
    let people = tempfile::tempdir().unwrap();
    let rows = photographs(people.path());
    let folder = vectors(&rows);
    let (out, page) = (people.path().join("out"), people.path().join("pages/sheet.html"));
    for method in ["chinese-whispers", "dbscan", "agglomerative"] {
        let run = cluster(folder.path(), &["--method", method, "--json", "--evaluate"]).expect(DONE);
        let line = run.json().pop().unwrap();
        let sizes: Vec<usize> =
            line["clusters"].as_array().unwrap().iter().map(|c| c["images"].as_array().unwrap().len()).collect();
        assert_eq!((sizes, line["noise"].as_array().unwrap().len()), (vec![3, 2], 2), "{line}");
        assert_eq!(line["method"], method);
        // Nothing but the last folder is known here, so that one of Ann's is another's.
        let figures = ["precision", "recall", "f1"].map(|name| line["evaluation"][name].as_f64().unwrap());
        assert_eq!(figures, [0.5, 1.0, 4.0 / 6.0], "{line}");
    }
    let flags = ["-o", text(&out), "--sheet", text(&page), "--evaluate"];
    let run = cluster(folder.path(), &flags).expect(DONE);
    assert!(run.out.contains("cluster_000  3 faces") && run.out.contains("2 clusters; 2 faces of 7 by"), "{}", run.out);
    let names = |folder: &str| -> Vec<String> {
        let entries = fs::read_dir(out.join(folder)).unwrap();
        let mut names: Vec<String> = entries.map(|e| e.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    };
    assert_eq!(names("cluster_000"), ["X.png", "x_2.png", "x_3.png"]);
    assert_eq!(names("cluster_001"), ["b.png", "x.png"]);
    assert_eq!(names("noise"), ["c.png", "x.png"]);
    assert_eq!(fs::read(out.join("cluster_001/b.png")).unwrap(), fs::read(&rows[1].0).unwrap());
    let page = fs::read_to_string(&page).unwrap();
    assert_eq!(page.matches("data:image/jpeg;base64").count(), 7);
    assert!(page.contains("cluster_001") && page.contains("by themselves") && page.contains("F1"), "no figures");

    // Nothing is overwritten, and nobody waits before that is said.
    cluster(folder.path(), &["-o", text(&out)]).expect(NOTHING).says(&["out", "not empty", "--output"]);
    let links = people.path().join("links");
    cluster(folder.path(), &["-o", text(&links), "--link"]).expect(DONE);
    assert_eq!(fs::read_link(links.join("cluster_001/b.png")).unwrap(), rows[1].0.canonicalize().unwrap());
    for wrong in [&["--link"][..], &["-o", "new", "--link", "--copy"], &["--method", "ward"], &["--threshold", "-1"]] {
        cluster(folder.path(), wrong).expect(USAGE);
    }
    cluster(folder.path(), &["--min-faces", "0"]).expect(USAGE).says(&["--min-faces"]);
    assert!(warpface(&["cluster", "--help"]).expect(DONE).out.contains("Example:"));
}

#[test]
fn odd_embeddings_are_named_and_survived() {
    let people = tempfile::tempdir().unwrap();
    let rows = photographs(people.path());
    let one = vectors(&rows[..1]);
    let run = cluster(one.path(), &["--json"]).expect(DONE);
    let line = run.json().pop().unwrap();
    assert_eq!((sets(&line).len(), line["noise"].as_array().unwrap().len()), (0, 1));
    let equal: Vec<_> = rows.iter().map(|(path, _)| (path.clone(), vec![0.6, 0.8])).collect();
    for method in ["chinese-whispers", "dbscan", "agglomerative"] {
        let run = cluster(vectors(&equal).path(), &["--json", "--method", method]).expect(DONE);
        assert_eq!(sets(&run.json()[0]).iter().map(BTreeSet::len).collect::<Vec<_>>(), [7], "{method}");
    }
    let mut bad = rows.clone();
    bad[4].1[1] = f32::NAN;
    cluster(vectors(&bad).path(), &[]).expect(NOTHING).says(&["embeddings.npy", "row 4", "not finite"]);

    // A photograph that is gone is listed; the others are there.
    let out = people.path().join("out");
    fs::remove_file(&rows[1].0).unwrap();
    let folder = vectors(&rows);
    cluster(folder.path(), &["-o", text(&out)]).expect(PARTLY).says(&["b.png", "1 input failed"]);
    assert!(out.join("cluster_001/x.png").exists() && !out.join("cluster_001/b.png").exists());
}

#[test]
fn photographs_without_faces_make_no_clusters() {
    let Some(weights) = common::weights(&files::ALL) else { return };
    let folder = tempfile::tempdir().unwrap();
    save(&folder.path().join("Ann/a.png"), &noise(80, 80, 1));
    let run = with(&weights, &["cluster", text(folder.path()), "--json"]).expect(NOTHING);
    run.says(&["no face found", "no faces to cluster"]);
    assert_eq!(sets(&run.json()[0]).len(), 0);
    // Crops are faces, whatever is on them.
    let data = dataset();
    let run = with(&weights, &["cluster", text(data.path()), "--aligned", "--json", "--evaluate"]).expect(DONE);
    let line = run.json().pop().unwrap();
    let images: usize = sets(&line).iter().map(BTreeSet::len).sum();
    assert_eq!(images + line["noise"].as_array().unwrap().len(), 4, "{line}");
    assert!(line["threshold"].as_f64().unwrap() > 0.0);
}

/// The people that fine-tuning holds out: those after the first 40 of all with 20 photographs.
fn held_out() -> Option<Vec<PathBuf>> {
    let images = common::shared("lfw")?.join("images");
    let people = fs::read_dir(images).unwrap().map(|entry| entry.unwrap().path());
    let mut people: Vec<PathBuf> = people.filter(|path| fs::read_dir(path).unwrap().count() >= 20).collect();
    people.sort();
    Some(people.split_off(40))
}

/// By the default method at its default threshold; and the same clusters of five other orders.
#[test]
fn people_of_lfw_are_found() {
    let (Some(weights), Some(people)) = (common::weights(&files::ALL), held_out()) else { return };
    assert_eq!(people.len(), 22);
    let folder = tempfile::tempdir().unwrap();
    let people: Vec<&str> = people.iter().map(|path| text(path)).collect();
    with(&weights, &[&["embed"][..], &people, &["-o", text(folder.path())]].concat()).expect(DONE);
    let cluster = |folder: &Path, method: &str| {
        let run = with(&weights, &["cluster", text(folder), "--json", "--evaluate", "--method", method]).expect(DONE);
        run.json().pop().unwrap()
    };
    let embeddings = load_npy(&folder.path().join("embeddings.npy")).tensor();
    let dim = embeddings.shape().last();
    let paths = fs::read_to_string(folder.path().join("paths.txt")).unwrap();
    let rows = embeddings.data().chunks(dim).map(<[f32]>::to_vec);
    let mut rows: Vec<(PathBuf, Vec<f32>)> = paths.lines().map(PathBuf::from).zip(rows).collect();
    let mut noise = Noise::new(22);
    for (method, least) in [("chinese-whispers", 0.98), ("dbscan", 0.95), ("agglomerative", 0.98)] {
        let first = cluster(folder.path(), method);
        let f1 = first["evaluation"]["f1"].as_f64().unwrap();
        assert!(f1 >= least, "{method}: {}", first["evaluation"]);
        for _ in 0..5 {
            let mut keyed: Vec<(u32, _)> = rows.into_iter().map(|row| ((noise.unit() * 1e6) as u32, row)).collect();
            keyed.sort_by_key(|(key, _)| *key);
            rows = keyed.into_iter().map(|(_, row)| row).collect();
            let others = vectors(&rows);
            fs::copy(folder.path().join("origin.json"), others.path().join("origin.json")).unwrap();
            assert_eq!(sets(&cluster(others.path(), method)), sets(&first), "{method}");
        }
    }
}
