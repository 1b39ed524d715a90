//! What is run again: names and settings that changed in between, and files that are there already.

#[path = "common/mod.rs"]
mod common;

use std::fs;
use std::path::{Path, PathBuf};

use tempfile::TempDir;

use common::command::{DONE, NOTHING, text, with};
use common::{files, shared};

/// Two photographs, of two people, and the weights; or a loud skip.
fn photographs() -> Option<([PathBuf; 2], PathBuf)> {
    let people = shared("lfw_color")?;
    let weights = common::weights(&files::ALL)?;
    let names = ["Colin_Powell/Colin_Powell_0001.jpg", "George_W_Bush/George_W_Bush_0001.jpg"];
    Some((names.map(|name| people.join(name)), weights))
}

fn put(from: &Path, to: &Path) {
    fs::create_dir_all(to.parent().unwrap()).unwrap();
    fs::copy(from, to).unwrap();
}

#[test]
fn a_photograph_that_comes_later_takes_no_other_ones_crop() {
    let Some(([powell, bush], weights)) = photographs() else { return };
    let out = TempDir::new().unwrap();
    let (people, crops) = (out.path().join("in"), out.path().join("crops"));
    put(&powell, &people.join("p/x.jpeg"));
    let align = ["align", text(&people), text(&crops)];
    with(&weights, &align).expect(DONE);
    let alone = fs::read(crops.join("p/x.png")).unwrap();
    put(&bush, &people.join("p/x.jpg"));
    with(&weights, &align).expect(DONE);
    assert!(fs::read(crops.join("p/x.jpeg.png")).unwrap() == alone, "the first photograph's crop");
    assert!(fs::read(crops.join("p/x.png")).unwrap() != alone, "the later one's crop");
    // And nothing is left to do.
    let line = with(&weights, &["align", "--json", text(&people), text(&crops)]).expect(DONE).json().remove(0);
    assert_eq!((&line["finished_before"], &line["aligned"]), (&2.into(), &0.into()));
}

#[test]
fn pairs_of_photographs_find_their_own_crops() {
    let Some(([powell, bush], weights)) = photographs() else { return };
    let out = TempDir::new().unwrap();
    let (people, crops, pairs) = (out.path().join("in"), out.path().join("crops"), out.path().join("pairs.txt"));
    put(&powell, &people.join("p/a.jpg"));
    put(&powell, &people.join("p/b.jpg"));
    // A file of another suffix, whose crop cannot have the plain name.
    let photograph = warpface::image::decode(&bush).unwrap();
    warpface::image::save_png(people.join("p/a.png"), &photograph).unwrap();
    with(&weights, &["align", text(&people), text(&crops)]).expect(DONE);
    fs::write(&pairs, "1\t1\tpaths\np/a.jpg\tp/b.jpg\tsame\np/a.png\tp/b.jpg\tdifferent\n").unwrap();
    for (folder, flags) in [(&people, &[][..]), (&crops, &["--aligned"])] {
        let lfw = ["lfw", text(folder), "--pairs", text(&pairs), "--folds", "1", "--json"];
        let run = with(&weights, &[&lfw[..], flags].concat()).expect(DONE);
        let line = run.json().pop().unwrap();
        assert_eq!((&line["accuracy"]["mean"], &line["images"]), (&1.0.into(), &3.into()), "{flags:?}");
    }
}

#[test]
fn interrupted_crops_of_other_settings_are_made_anew() {
    let Some(([powell, bush], weights)) = photographs() else { return };
    let out = TempDir::new().unwrap();
    let (people, crops) = (out.path().join("in"), out.path().join("crops"));
    put(&powell, &people.join("p/a.jpg"));
    put(&bush, &people.join("b/b.jpg"));
    with(&weights, &["align", text(&people), text(&crops)]).expect(DONE);
    let smaller = ["align", text(&people), text(&crops), "--image-size", "96"];
    let old = fs::read(crops.join("p/a.png")).unwrap();
    with(&weights, &[&smaller[..], &["--overwrite"]].concat()).expect(DONE);
    // As it was when the run was killed before its last photograph.
    let record = crops.join("alignment.json");
    let text = fs::read_to_string(&record).unwrap();
    assert!(!text.contains("overwriting"), "{text}");
    fs::write(crops.join("p/a.png"), old).unwrap();
    std::thread::sleep(std::time::Duration::from_millis(20));
    fs::write(&record, text.replace('}', ", \"overwriting\": true}")).unwrap();
    with(&weights, &smaller).expect(DONE);
    for crop in ["p/a.png", "b/b.png"] {
        assert_eq!(warpface::image::dimensions(crops.join(crop)).unwrap(), (96, 96), "{crop}");
    }
    assert!(!fs::read_to_string(&record).unwrap().contains("overwriting"));
}

#[test]
fn a_conversion_replaces_nothing_unasked() {
    let Some((_, weights)) = photographs() else { return };
    let out = TempDir::new().unwrap();
    let file = out.path().join("model.npz");
    fs::write(&file, "mine").unwrap();
    let convert = ["convert", text(&file), "--model", "tests/golden/training/weights.npz"];
    with(&weights, &convert).expect(NOTHING).says(&["model.npz", "--overwrite", "--model"]);
    assert_eq!(fs::read(&file).unwrap(), b"mine");
    with(&weights, &[&convert[..], &["--overwrite"]].concat()).expect(DONE);
    assert!(warpface::weights::load(&file).is_ok());
}

/// Names that are no text: JSON has them with what cannot be told replaced, and nothing ends early.
#[cfg(target_os = "linux")]
#[test]
fn names_that_are_not_utf8_end_nothing() {
    use std::ffi::OsStr;
    use std::os::unix::ffi::OsStrExt;

    use common::command::{Run, command};

    let Some(([powell, bush], weights)) = photographs() else { return };
    let out = TempDir::new().unwrap();
    let odd = |name: &[u8]| out.path().join(OsStr::from_bytes(name));
    let people = odd(b"in\xff");
    put(&powell, &people.join(OsStr::from_bytes(b"p/\xff.jpg")));
    put(&bush, &people.join("p/b.jpg"));
    // A pipe among photographs is none.
    let pipe = std::process::Command::new("mkfifo").arg(people.join("p/c.jpg")).status();
    assert!(pipe.is_ok_and(|status| status.success()));
    let (crops, vectors, model) = (odd(b"crops\xff"), odd(b"vectors\xff"), odd(b"m\xff.npz"));
    let run = |args: &[&OsStr]| {
        let globals = ["--json", "--device", "cpu", "--weights", text(&weights)];
        Run::of(command(args).args(globals).output().unwrap()).expect(DONE)
    };
    let path = |path: &Path| path.as_os_str().to_owned();
    let word = OsStr::new;
    let found = run(&[word("detect"), &path(&people)]);
    assert_eq!(found.json().len(), 2);
    run(&[word("align"), &path(&people), &path(&crops)]);
    run(&[word("embed"), &path(&people), word("-o"), &path(&vectors)]);
    run(&[word("compare"), &path(&people.join("p/b.jpg")), &path(&people.join(OsStr::from_bytes(b"p/\xff.jpg")))]);
    let small = word("tests/golden/training/weights.npz");
    run(&[word("convert"), &path(&model), word("--model"), small]);
    run(&[word("inspect"), &path(&model)]);
}
