//! Tasks on faces and crops.

use super::*;

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
    let run = lfw(&format!("{two_folds}Ann\t1\t9\nZoe\t1\tBob\t1\n"), &["--folds", "2"]).expect(PARTLY);
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
    let run = with(&weights, &["compare", a, text(&picture)]).expect(NOTHING);
    run.says(&["png_rgb.png", "no face found"]);
}
