//! Faces that are not like the others of their person.

use super::*;

#[test]
fn the_misnamed_photographs_of_lfw_come_first() {
    let files = [&files::MTCNN[..], &["facenet_keras.h5"]].concat();
    let (Some(weights), Some(shared)) = (common::weights(&files), common::shared("lfw/images")) else { return };
    let misnamed = ["Mahmoud_Abbas_0012.jpg", "Recep_Tayyip_Erdogan_0004.jpg"];
    // Of 62 people every eighth, and the two; all of them in the long form.
    let people = warpface::image::people(&shared).unwrap().people;
    let many: Vec<_> = people.into_iter().filter(|person| person.photos.len() >= 20).collect();
    assert_eq!(many.len(), 62);
    let folder = tempfile::tempdir().unwrap();
    for (i, person) in many.iter().enumerate() {
        let name = person.name.to_str().unwrap();
        if common::full() || i % 8 == 0 || misnamed.iter().any(|photo| photo.starts_with(name)) {
            let target = shared.join(name).canonicalize().unwrap();
            std::os::unix::fs::symlink(target, folder.path().join(name)).unwrap();
        }
    }
    let (sheet, metrics) = (folder.path().join("sheet.html"), folder.path().join("metrics.json"));
    let args = ["filter", text(folder.path()), "--json", "--sheet", text(&sheet), "--metrics", text(&metrics)];
    let model = weights.join("facenet_keras.h5");
    let lines = with(&weights, &[&args[..], &["--model", text(&model)]].concat()).expect(DONE).json();
    let (last, lines) = lines.split_last().unwrap();
    for photo in misnamed {
        let person = photo.rsplit_once('_').unwrap().0;
        let first = lines.iter().find(|line| line["person"] == person).unwrap();
        assert!(first["image"].as_str().unwrap().ends_with(photo), "{first} comes before {photo}");
        assert_eq!(first["verdict"], "mislabelled", "{first}");
        assert!(last["marked"].to_string().contains(photo));
    }
    // All lie in order within their people, and few are doubtful.
    for two in lines.windows(2).filter(|two| two[0]["person"] == two[1]["person"]) {
        let own = |line: &Value| line["distance_to_others"].as_f64().unwrap();
        assert!(own(&two[0]) >= own(&two[1]), "{two:?}");
    }
    assert!(last["marked"].as_array().unwrap().len() * 20 < lines.len(), "{last}");
    let page = fs::read_to_string(&sheet).unwrap();
    assert!(misnamed.iter().all(|photo| page.contains(photo)) && page.contains("data:image/jpeg;base64,"));
    let metrics: Value = serde_json::from_slice(&fs::read(&metrics).unwrap()).unwrap();
    let length = |key: &str| metrics[key].as_array().unwrap().len();
    assert_eq!([length("image_list"), length("label_list"), length("distance_to_center")], [lines.len(); 3]);
    assert_eq!(length("class_names"), last["people"].as_u64().unwrap() as usize);
}

#[test]
fn photographs_are_moved_aside_and_none_is_lost() {
    let Some(weights) = common::weights(&files::ALL) else { return };
    let data = dataset();
    let aside = tempfile::tempdir().unwrap();
    let vectors = tempfile::tempdir().unwrap();
    let filter = |more: &[&str]| with(&weights, &[&["filter", "--aligned", text(data.path())][..], more].concat());
    let all = |folder: &Path| warpface::image::collect(&[folder.to_owned()]).images;
    let before: Vec<Vec<u8>> = all(data.path()).iter().map(|path| fs::read(path).unwrap()).collect();
    let move_all = ["--outlier-distance", "0", "--json", "--move-to", text(aside.path())];
    let dry = filter(&[&move_all[..], &["--dry-run"]].concat()).expect(DONE).json().pop().unwrap();
    assert_eq!((dry["moved"].as_array().unwrap().len(), all(data.path()).len()), (4, 4));
    // What is there already stays, on both sides.
    fs::create_dir(aside.path().join("Bob")).unwrap();
    fs::write(aside.path().join("Bob/Bob_0001.png"), "older").unwrap();
    let run = filter(&move_all).expect(PARTLY);
    run.says(&["Bob_0001.png", "is there already"]);
    let moved = run.json().pop().unwrap()["moved"].as_array().unwrap().clone();
    assert_eq!((moved.len(), all(data.path())), (3, vec![data.path().join("Bob/Bob_0001.png")]));
    assert_eq!(fs::read_to_string(aside.path().join("Bob/Bob_0001.png")).unwrap(), "older");
    let journal = fs::read_to_string(aside.path().join("moved.jsonl")).unwrap();
    let journal: Vec<Value> = journal.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(journal, moved);
    for line in &journal {
        fs::rename(line["to"].as_str().unwrap(), line["from"].as_str().unwrap()).unwrap();
    }
    let after: Vec<Vec<u8>> = all(data.path()).iter().map(|path| fs::read(path).unwrap()).collect();
    assert!(before == after);

    // Where all of somebody's faces are marked, nothing stands beside them.
    let sheet = vectors.path().join("all.html");
    filter(&["--outlier-distance", "0", "--sheet", text(&sheet)]).expect(DONE);
    let page = fs::read_to_string(&sheet).unwrap();
    assert!(page.contains("2 faces marked") && !page.contains("beside the most typical"));
    // A move that fails leaves the journal as it was: a file lies where the folder would be.
    let blocked = tempfile::tempdir().unwrap();
    fs::write(blocked.path().join("Bob"), "in the way").unwrap();
    fs::write(blocked.path().join("moved.jsonl"), "{\"cut").unwrap();
    let run = filter(&["--outlier-distance", "0", "--json", "--move-to", text(blocked.path())]).expect(PARTLY);
    run.says(&["Bob_0001.png", "Bob_0002.png", "cannot be made"]);
    let moved = run.json().pop().unwrap()["moved"].as_array().unwrap().clone();
    let journal = fs::read_to_string(blocked.path().join("moved.jsonl")).unwrap();
    let journal: Vec<&str> = journal.lines().collect();
    assert_eq!((journal.len(), journal[0]), (3, "{\"cut"));
    for (line, moved) in journal[1..].iter().zip(&moved) {
        assert_eq!(serde_json::from_str::<Value>(line).unwrap(), *moved);
        fs::rename(moved["to"].as_str().unwrap(), moved["from"].as_str().unwrap()).unwrap();
    }
    // Places that cannot be written are told before anything is looked at.
    let (photo, ann) = (data.path().join("Ann/Ann_0001.png"), data.path().join("Ann"));
    for flag in ["--sheet", "--metrics"] {
        assert_eq!(filter(&[flag, text(&photo.join("below/x"))]).expect(NOTHING).out, "");
        filter(&[flag, text(&ann)]).expect(USAGE).says(&[flag, "is a folder"]);
    }
    filter(&["--move-to", text(&blocked.path().join("Bob/below"))]).expect(NOTHING).says(&["cannot create", "Bob"]);

    // One person, people of one photograph, and the same photograph over and over.
    let inside = data.path().join("aside");
    filter(&["--move-to", text(&inside)]).expect(USAGE).says(&["--move-to", "would be a person"]);
    filter(&["--outlier-distance=-1"]).expect(USAGE).says(&["--outlier-distance"]);
    filter(&["--dry-run"]).expect(USAGE);
    with(&weights, &["filter", "--aligned", text(&data.path().join("Ann"))]).expect(DONE).says(&["only outliers"]);
    for name in ["Ann/Ann_0002.png", "Bob/Bob_0002.png"] {
        fs::remove_file(data.path().join(name)).unwrap();
    }
    let run = filter(&["--json"]).expect(DONE);
    run.says(&["2 names of one photograph"]);
    let lines = run.json();
    assert!(lines[..2].iter().all(|line| line["verdict"] == "unknown"), "{lines:?}");
    assert_eq!((&lines[2]["outlier_distance"], &lines[2]["marked"]), (&Value::Null, &Value::Array(vec![])));
    let said = filter(&["--sheet", text(&aside.path().join("sheet.html"))]).expect(DONE).out;
    assert!(said.contains("limit of outliers: none (no outliers can be told)") && !said.contains("inf"), "{said}");
    let page = fs::read_to_string(aside.path().join("sheet.html")).unwrap();
    assert!(page.contains("limit: none (no outliers can be told)") && !page.contains("inf "));
    for name in ["Ann/Ann_0003.png", "Bob/Bob_0003.png", "Bob/Bob_0004.png"] {
        fs::copy(data.path().join("Ann/Ann_0001.png"), data.path().join(name)).unwrap();
    }
    fs::copy(data.path().join("Ann/Ann_0001.png"), data.path().join("Bob/Bob_0001.png")).unwrap();
    let last = filter(&["--json"]).expect(DONE).json().pop().unwrap();
    assert_eq!((&last["outliers"], &last["mislabelled"]), (&0.into(), &0.into()), "{last}");
    // Embeddings that lie beside no photographs can be measured, and not be shown.
    with(&weights, &["embed", "--aligned", text(data.path()), "-o", text(vectors.path())]).expect(DONE);
    let sheet = vectors.path().join("sheet.html");
    drop(data);
    let args = ["filter", text(vectors.path()), "--outlier-distance", "0", "--sheet", text(&sheet)];
    with(&weights, &args).expect(DONE).says(&["sheet: "]);
    warpface(&["filter", "--help"]).expect(DONE);
}
