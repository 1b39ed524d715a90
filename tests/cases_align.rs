//! Faces cut out by landmarks, through the program: the same crops by every command, and what does not go together.

#[path = "common/mod.rs"]
mod common;

use std::fs;
use std::path::{Path, PathBuf};

use tempfile::TempDir;
use warpface::face::{AlignMethod, Alignment, DetectOptions, Warp, align, choose};
use warpface::image::{self, Rgb8};
use warpface::{Detector, Device};

use common::command::{DONE, USAGE, text, warpface, with};
use common::{files, people, shared};

/// Two people with a photograph each, and the weights; or a loud skip.
fn photographs(out: &Path) -> Option<(PathBuf, PathBuf)> {
    let (shared, weights) = (shared("lfw_color")?, common::weights(&files::ALL)?);
    let folder = out.join("photographs");
    for name in ["Colin_Powell", "George_W_Bush"] {
        let file = format!("{name}/{name}_0001.jpg");
        fs::create_dir_all(folder.join(name)).unwrap();
        fs::copy(shared.join(&file), folder.join(&file)).unwrap();
    }
    Some((folder, weights))
}

fn crop(crops: &Path) -> Rgb8 {
    image::decode(crops.join("Colin_Powell/Colin_Powell_0001.png")).unwrap()
}

#[test]
fn crops_are_the_librarys_and_a_record_tells_how_they_were_made() {
    let out = TempDir::new().unwrap();
    let Some((photos, weights)) = photographs(out.path()) else { return };
    let photo = image::decode(photos.join("Colin_Powell/Colin_Powell_0001.jpg")).unwrap();
    let detector = Detector::load(&Device::cpu(1).unwrap(), &weights, &DetectOptions::default()).unwrap();
    let faces = detector.detect_one(&photo).unwrap();
    let face = &faces[choose(&faces, photo.width(), photo.height()).unwrap()];
    for (method, warp) in [
        (AlignMethod::Similarity, Warp::Exact),
        (AlignMethod::Similarity, Warp::OpenCv4),
        (AlignMethod::Affine, Warp::Exact),
    ] {
        let crops = out.path().join(format!("{method}-{warp}"));
        let (method_name, warp_name) = (method.to_string(), warp.to_string());
        let flags = ["--align", &method_name, "--warp", &warp_name, "--image-size", "112", "--json"];
        with(&weights, &[&["align", text(&photos), text(&crops)], &flags[..]].concat()).expect(DONE);
        let alignment = Alignment { size: 112, method, warp, ..Alignment::default() };
        assert!(crop(&crops) == align(&photo, face, &alignment).unwrap().unwrap(), "{method} {warp}");
        let record: serde_json::Value =
            serde_json::from_slice(&fs::read(crops.join("alignment.json")).unwrap()).unwrap();
        assert_eq!((&record["align"], &record["warp"]), (&method_name.into(), &warp_name.into()));
        assert_eq!(AlignMethod::of_crops(&crops), Some(method));
    }
    // The two arithmetics give nearly, not quite, the same.
    let [exact, grid] = ["exact", "opencv4"].map(|warp| crop(&out.path().join(format!("similarity-{warp}"))));
    let apart: Vec<u8> = exact.data().iter().zip(grid.data()).map(|(a, b)| a.abs_diff(*b)).collect();
    let differ = apart.iter().filter(|&&apart| apart > 0).count();
    assert!(differ > 0 && differ * 10 < apart.len() && apart.iter().all(|&apart| apart < 8), "{differ}");
}

#[test]
fn crops_of_two_methods_do_not_mix() {
    let out = TempDir::new().unwrap();
    let Some((photos, weights)) = photographs(out.path()) else { return };
    let crops = out.path().join("crops");
    let run = |flags: &[&str]| with(&weights, &[&["align", "--json", text(&photos), text(&crops)], flags].concat());
    run(&["--align", "similarity"]).expect(DONE);
    let first = crop(&crops);
    // Done, and so it stays.
    let again = run(&["--align", "similarity", "--margin", "32", "--warp", "exact"]).expect(DONE).json().remove(0);
    assert_eq!((&again["finished_before"], &again["aligned"]), (&2.into(), &0.into()));
    run(&[]).expect(USAGE).says(&["--align similarity --warp exact", "--overwrite"]);
    run(&["--align", "similarity", "--warp", "opencv4"]).expect(USAGE).says(&["--warp exact", "--overwrite"]);
    run(&["--overwrite"]).expect(DONE);
    assert!(crop(&crops) != first, "made anew");
    run(&["--align", "affine"]).expect(USAGE).says(&["--margin 32", "--overwrite"]);
    // Crops whose settings nobody wrote down were boxes.
    fs::remove_file(crops.join("alignment.json")).unwrap();
    run(&["--align", "affine"]).expect(USAGE).says(&["--image-size 160", "--overwrite"]);
    let line = run(&[]).expect(DONE).json().remove(0);
    assert_eq!(line["finished_before"], 2);
}

fn embeddings(folder: &Path) -> Vec<u8> {
    fs::read(folder.join("embeddings.npy")).unwrap()
}

#[test]
fn commands_cut_faces_out_alike() {
    let out = TempDir::new().unwrap();
    let Some((photos, weights)) = photographs(out.path()) else { return };
    let [crops, direct, aligned, boxes] = ["crops", "direct", "aligned", "boxes"].map(|name| out.path().join(name));
    let flags = ["--align", "similarity", "--warp", "opencv4"];
    with(&weights, &[&["align", text(&photos), text(&crops)], &flags[..]].concat()).expect(DONE);
    let run = with(&weights, &[&["embed", text(&photos), "-o", text(&direct)], &flags[..]].concat()).expect(DONE);
    run.says(&["warning: ", "was trained on faces cut out by crop; these are by similarity, as asked"]);
    let run = with(&weights, &["embed", text(&crops), "--aligned", "-o", text(&aligned)]).expect(DONE);
    run.says(&["was trained on faces cut out by crop; these are by similarity, in "]);
    assert!(embeddings(&direct) == embeddings(&aligned));
    let run = with(&weights, &["embed", text(&photos), "-o", text(&boxes)]).expect(DONE);
    assert!(!run.err.contains("warning") && embeddings(&boxes) != embeddings(&direct));
    // The same distance by compare and, of the same pair, by lfw's threshold over it.
    let files = ["Colin_Powell/Colin_Powell_0001", "George_W_Bush/George_W_Bush_0001"];
    let distance = |folder: &Path, suffix: &str, flags: &[&str]| {
        let [a, b] = files.map(|file| folder.join(format!("{file}.{suffix}")));
        let run = with(&weights, &[&["compare", "--json", text(&a), text(&b)], flags].concat()).expect(DONE);
        run.json()[0]["pairs"][0]["distance"].as_f64().unwrap()
    };
    assert_eq!(distance(&photos, "jpg", &flags), distance(&crops, "png", &["--aligned"]));
    let pairs = out.path().join("pairs.txt");
    let [a, b] = files;
    fs::write(&pairs, format!("1\t1\tpaths\n{a}\t{a}\tsame\n{a}\t{b}\tdifferent\n")).unwrap();
    let page = out.path().join("page.html");
    let lfw = ["lfw", text(&photos), "--pairs", text(&pairs), "--folds", "1", "--report", text(&page)];
    with(&weights, &[&lfw[..], &flags].concat()).expect(DONE);
    assert!(fs::read_to_string(&page).unwrap().contains("photographs, similarity, warp opencv4"));
}

#[test]
fn flags_of_one_method_beside_another_are_wrong_usage() {
    for (flags, words) in [
        (&["--align", "similarity", "--margin", "44"][..], &["--margin", "crop"][..]),
        (&["--align", "crop", "--warp", "opencv4"], &["--warp", "--align"]),
        (&["--warp", "exact"], &["--warp", "--align"]),
        (&["--align", "eyes"], &["crop, similarity, affine"]),
        (&["--align", "affine", "--warp", "cubic"], &["exact or opencv4"]),
    ] {
        warpface(&[&["align", "in", "out"], flags].concat()).expect(USAGE).says(words);
    }
    for command in [&["embed", "in", "-o", "out"][..], &["compare", "a", "b"], &["lfw", "in", "--pairs", "p"]] {
        let run = warpface(&[command, &["--align", "affine", "--margin", "0"]].concat()).expect(USAGE);
        run.says(&["--margin", "affine goes by landmarks alone"]);
        let help = warpface(&[command[0], "--help"]).expect(DONE).out;
        assert!(["--align", "similarity", "--warp", "opencv4", "--margin"].iter().all(|flag| help.contains(flag)));
    }
}

/// The method goes from the crops to the model, and from the model to the commands.
#[test]
fn a_model_knows_how_its_faces_were_cut_out() {
    let out = TempDir::new().unwrap();
    let crops = out.path().join("crops");
    people::write(&crops, 3, 4, 80);
    fs::write(crops.join("alignment.json"), r#"{"image_size":80,"align":"similarity","warp":"exact","margin":32}"#)
        .unwrap();
    let [models, logs] = ["models", "logs"].map(|name| out.path().join(name));
    let folders = ["--models-base-dir", text(&models), "--logs-base-dir", text(&logs), "--name", "run"];
    let small = ["--image-size", "80", "--width", "0.0625", "--embedding-size", "8", "--batch-size", "6"];
    let short = ["--max-nrof-epochs", "1", "--epoch-size", "1", "--device", "cpu"];
    warpface(&[&["train", "softmax", text(&crops)], &folders[..], &small, &short].concat()).expect(DONE);
    let model = models.join("run/step-00000001.safetensors");
    let align_of = |file: &Path| warpface(&["inspect", "--json", text(file)]).expect(DONE).json()[0]["align"].clone();
    assert_eq!(align_of(&model), "similarity");
    // It stays with the file when it is converted, and without the JSON beside it.
    let converted = out.path().join("model.npz");
    warpface(&["convert", text(&converted), "--model", text(&model)]).expect(DONE);
    assert_eq!(align_of(&converted), "similarity");

    let Some((photos, weights)) = photographs(out.path()) else { return };
    let embed = |name: &str, flags: &[&str]| {
        let to = out.path().join(name);
        let args = ["embed", text(&photos), "-o", text(&to), "--model", text(&converted)];
        let run = with(&weights, &[&args[..], flags].concat()).expect(DONE);
        (embeddings(&to), run.err)
    };
    let (usual, said) = embed("usual", &[]);
    assert!(!said.contains("cut out by"), "{said}");
    assert!(usual == embed("similarity", &["--align", "similarity"]).0);
    let (boxes, said) = embed("boxes", &["--align", "crop"]);
    assert!(usual != boxes && said.contains("trained on faces cut out by similarity; these are by crop"), "{said}");
}
