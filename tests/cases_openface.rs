//! OpenFace's alignment through the program, by the small shape predictors of the fixtures: what it makes, and what goes wrong.

mod common;

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::Value;
use tempfile::TempDir;
use warpface::face::{AlignMethod, Aligner, Alignment, DetectOptions, OpenFacePoints, ShapePredictor, Warp, choose};
use warpface::image::{self, Rgb8};
use warpface::{Detector, Device};

use common::command::{DONE, NOTHING, USAGE, text, warpface, with};
use common::files::{self, golden};
use common::{shared, skip};

const PEOPLE: [&str; 2] = ["Colin_Powell", "George_W_Bush"];
const INNER: &str = "inner-eyes-and-bottom-lip";

/// Two people with a photograph each, and the weights; or a loud skip.
fn photographs(out: &Path) -> Option<(PathBuf, PathBuf)> {
    let (shared, weights) = (shared("lfw_color")?, common::weights(&files::ALL)?);
    let folder = out.join("photographs");
    for name in PEOPLE {
        let file = format!("{name}/{name}_0001.jpg");
        fs::create_dir_all(folder.join(name)).unwrap();
        fs::copy(shared.join(&file), folder.join(&file)).unwrap();
    }
    Some((folder, weights))
}

fn predictor(points: usize) -> PathBuf {
    golden(&format!("landmarks/{points}.dat"))
}

/// `--align openface` with the small predictor.
fn openface(flags: &[&'static str]) -> Vec<String> {
    let file = predictor(68);
    let by_it = ["--align", "openface", "--landmarks", text(&file)];
    by_it.iter().chain(flags).map(|flag| (*flag).to_owned()).collect()
}

fn run(weights: &Path, args: &[&str], flags: &[String]) -> common::command::Run {
    with(weights, &[args, &flags.iter().map(String::as_str).collect::<Vec<_>>()].concat())
}

fn crop(crops: &Path) -> Rgb8 {
    image::decode(crops.join("Colin_Powell/Colin_Powell_0001.png")).unwrap()
}

fn record(crops: &Path) -> Value {
    serde_json::from_slice(&fs::read(crops.join("alignment.json")).unwrap()).unwrap()
}

#[test]
fn crops_are_the_librarys_of_96_pixels_and_the_record_knows_them() {
    let out = TempDir::new().unwrap();
    let Some((photos, weights)) = photographs(out.path()) else { return };
    let photo = image::decode(photos.join("Colin_Powell/Colin_Powell_0001.jpg")).unwrap();
    let detector = Detector::load(&Device::cpu(1).unwrap(), &weights, &DetectOptions::default()).unwrap();
    let faces = detector.detect_one(&photo).unwrap();
    let face = &faces[choose(&faces, photo.width(), photo.height()).unwrap()];
    for (points, flags, warp) in [
        (OpenFacePoints::OuterEyesAndNose, &[][..], Warp::Exact),
        (OpenFacePoints::OuterEyesAndNose, &["--openface-points", "outer-eyes-and-nose"], Warp::Exact),
        (OpenFacePoints::InnerEyesAndBottomLip, &["--openface-points", INNER, "--warp", "opencv4"], Warp::OpenCv4),
    ] {
        let crops = out.path().join(flags.join("-"));
        run(&weights, &["align", text(&photos), text(&crops)], &openface(flags)).expect(DONE).says(&["(68 points)"]);
        let alignment = Alignment { size: 96, method: AlignMethod::OpenFace(points), warp, ..Alignment::default() };
        let aligner = Aligner::new(alignment).with_landmarks(ShapePredictor::load(predictor(68)).unwrap()).unwrap();
        assert!(crop(&crops) == aligner.align(&photo, face).unwrap().unwrap(), "{points}");
        assert_eq!(AlignMethod::of_crops(&crops), Some(alignment.method));
        let record = record(&crops);
        assert_eq!((&record["image_size"], &record["align"]), (&96.into(), &alignment.method.name().into()));
        let hash = warpface::weights::sha256::file(predictor(68)).unwrap();
        assert_eq!(record["landmarks"], hash);
    }
}

#[test]
fn crops_by_other_points_or_another_predictor_do_not_mix() {
    let out = TempDir::new().unwrap();
    let Some((photos, weights)) = photographs(out.path()) else { return };
    let crops = out.path().join("crops");
    let align = |flags: &[String]| run(&weights, &["align", "--json", text(&photos), text(&crops)], flags);
    align(&openface(&[])).expect(DONE);
    let again = align(&openface(&["--openface-points", "outer-eyes-and-nose"])).expect(DONE).json().remove(0);
    assert_eq!((&again["finished_before"], &again["aligned"]), (&2.into(), &0.into()));
    align(&openface(&["--openface-points", INNER])).expect(USAGE).says(&["outer-eyes-and-nose", "--overwrite"]);
    align(&[]).expect(USAGE).says(&["--align openface --openface-points outer-eyes-and-nose", "--overwrite"]);
    let other = out.path().join("other.dat");
    fs::write(&other, line()).unwrap();
    let flags = ["--align", "openface", "--landmarks", text(&other)].map(String::from);
    align(&flags).expect(USAGE).says(&["--landmarks (SHA-256", "--overwrite"]);
}

/// A predictor that sees nothing: 68 landmarks on one line.
fn line() -> Vec<u8> {
    let mut bytes = vec![1, 1, 0x81, 136, 0x81, 1];
    for i in 0..68u8 {
        // x and y are i / 128.
        [0, 1].iter().for_each(|_| bytes.extend([1, i, 0x81, 7]));
    }
    bytes.extend([1, 0, 1, 0, 1, 0]);
    bytes
}

#[test]
fn a_face_whose_landmarks_say_nothing_is_named() {
    let out = TempDir::new().unwrap();
    let Some((photos, weights)) = photographs(out.path()) else { return };
    let file = out.path().join("line.dat");
    fs::write(&file, line()).unwrap();
    let flags = ["--align", "openface", "--landmarks", text(&file)].map(String::from);
    let said =
        ["Colin_Powell_0001.jpg: ", "the outer corners of the eyes and the nose lie in one point or on one line"];
    let crops = out.path().join("crops");
    run(&weights, &["align", text(&photos), text(&crops)], &flags).expect(NOTHING).says(&said);
    let vectors = out.path().join("vectors");
    run(&weights, &["embed", text(&photos), "-o", text(&vectors)], &flags).expect(NOTHING).says(&said);
}

#[test]
fn commands_cut_faces_out_alike() {
    let out = TempDir::new().unwrap();
    let Some((photos, weights)) = photographs(out.path()) else { return };
    let [crops, direct, aligned] = ["crops", "direct", "aligned"].map(|name| out.path().join(name));
    let flags = openface(&["--warp", "opencv4", "--image-size", "160"]);
    run(&weights, &["align", text(&photos), text(&crops)], &flags).expect(DONE);
    run(&weights, &["embed", text(&photos), "-o", text(&direct)], &flags).expect(DONE);
    // Crops that are there need no landmarks.
    with(&weights, &["embed", text(&crops), "--aligned", "-o", text(&aligned)]).expect(DONE);
    let embeddings = |folder: &Path| fs::read(folder.join("embeddings.npy")).unwrap();
    assert!(embeddings(&direct) == embeddings(&aligned));
    let pair = |folder: &Path, suffix: &str| PEOPLE.map(|name| folder.join(format!("{name}/{name}_0001.{suffix}")));
    let distance = |[a, b]: [PathBuf; 2], flags: &[String]| {
        let run = run(&weights, &["compare", "--json", text(&a), text(&b)], flags).expect(DONE);
        run.json()[0]["pairs"][0]["distance"].as_f64().unwrap()
    };
    assert_eq!(distance(pair(&photos, "jpg"), &flags), distance(pair(&crops, "png"), &["--aligned".to_owned()]));
    let (pairs, page) = (out.path().join("pairs.txt"), out.path().join("page.html"));
    let [a, b] = PEOPLE.map(|name| format!("{name}/{name}_0001"));
    fs::write(&pairs, format!("1\t1\tpaths\n{a}\t{a}\tsame\n{a}\t{b}\tdifferent\n")).unwrap();
    let lfw = ["lfw", text(&photos), "--pairs", text(&pairs), "--folds", "1", "--report", text(&page)];
    run(&weights, &lfw, &flags).expect(DONE);
    assert!(fs::read_to_string(&page).unwrap().contains("photographs, openface, warp opencv4"));
}

#[test]
fn what_is_no_predictor_of_68_landmarks_is_refused() {
    let out = TempDir::new().unwrap();
    let input = out.path().join("in/person");
    fs::create_dir_all(&input).unwrap();
    image::save_png(input.join("a.png"), &Rgb8::black(8, 8)).unwrap();
    let refused = |flags: &[&str]| {
        let [input, crops] = ["in", "out"].map(|name| out.path().join(name));
        let args = ["align", text(&input), text(&crops), "--align", "openface", "--weights", text(out.path())];
        let run = warpface(&[&args[..], flags].concat()).expect(NOTHING);
        assert!(!crops.exists(), "nothing was begun");
        run
    };
    let fetch = ["`warpface weights --landmarks` fetches", "--landmarks names one"];
    refused(&[]).says(&[&["shape_predictor_68_face_landmarks.dat: is not here"], &fetch[..]].concat());
    refused(&["--landmarks", "absent.dat"]).says(&[&["absent.dat: is not here"], &fetch[..]].concat());
    refused(&["--landmarks", text(&predictor(5))]).says(&["5.dat: finds 5 landmarks", "three of 68"]);
    let [cut, other, named] =
        ["cut.dat", "other.dat", "shape_predictor_68_face_landmarks.dat"].map(|name| out.path().join(name));
    fs::write(&cut, &fs::read(predictor(68)).unwrap()[..5000]).unwrap();
    refused(&["--landmarks", text(&cut)]).says(&["cut.dat: is cut short", "fetch it again"]);
    fs::write(&other, b"\x01\x01\x01\x0aloss_mmod_\x01\x01").unwrap();
    refused(&["--landmarks", text(&other)]).says(&["other.dat: is a network of dlib's, and no shape predictor"]);
    // A published file's name on other content.
    fs::copy(predictor(68), &named).unwrap();
    refused(&[]).says(&["is not the published", "`warpface weights --landmarks`", "--allow-modified-weights"]);
}

#[test]
fn flags_of_openface_beside_another_method_are_wrong_usage() {
    for (flags, words) in [
        (&["--landmarks", "a.dat"][..], &["--landmarks", "is of the method openface", "--align"][..]),
        (&["--align", "similarity", "--openface-points", INNER], &["--openface-points", "openface", "--align"]),
        (&["--align", "openface", "--margin", "44"], &["--margin", "openface goes by landmarks alone"]),
        (&["--align", "openface", "--openface-points", "eyes"], &["outer-eyes-and-nose or inner-eyes-and-bottom-lip"]),
    ] {
        warpface(&[&["align", "in", "out"], flags].concat()).expect(USAGE).says(words);
    }
    for command in ["align", "embed", "compare", "lfw"] {
        let help = warpface(&[command, "--help"]).expect(DONE).out;
        assert!(["openface", "--landmarks", "--openface-points"].iter().all(|flag| help.contains(flag)), "{command}");
    }
}

#[test]
fn a_face_at_the_border_is_black_beyond_it_and_one_outside_is_none() {
    let photo = Rgb8::new(60, 60, vec![200; 60 * 60 * 3]);
    let at = |x: f64, y: f64| {
        let bounds = [x - 20.0, y - 25.0, x + 20.0, y + 25.0];
        warpface::face::Face { bounds, score: 1.0, landmarks: [[f64::NAN; 2]; 5] }
    };
    for points in OpenFacePoints::ALL {
        for warp in [Warp::Exact, Warp::OpenCv4] {
            let alignment = Alignment { size: 96, method: AlignMethod::OpenFace(points), warp, ..Alignment::default() };
            let aligner = Aligner::new(alignment);
            let error = aligner.align(&photo, &at(30.0, 30.0)).unwrap_err();
            assert_eq!(error.field(), Some(warpface::error::Field("landmarks")), "{error}");
            let aligner = aligner.with_landmarks(ShapePredictor::load(predictor(68)).unwrap()).unwrap();
            let samples = |x: f64| {
                let crop = aligner.align(&photo, &at(x, 30.0)).unwrap().unwrap();
                [0, 200].map(|level| crop.data().iter().filter(|&&sample| sample == level).count())
            };
            let [[black, grey], [more_black, less_grey]] = [samples(0.0), samples(-10.0)];
            assert!(black > 1000 && grey > 1000 && more_black > black && less_grey < grey, "{points} {warp}");
            assert_eq!(aligner.align(&photo, &at(200.0, 30.0)).unwrap(), None);
        }
    }
}

/// The published predictor, where it was fetched: eyes, nose and mouth of the detector's five lie where the 68 have them, but
/// for some faces in profile.
#[test]
fn the_published_predictors_agree_with_the_detector() {
    let (Some(photos), Some(weights)) = (shared("lfw_color"), common::weights(&files::MTCNN)) else { return };
    let file = weights.join("shape_predictor_68_face_landmarks.dat");
    if !file.is_file() {
        return skip("landmarks", "`cargo xtask weights --landmarks` fetches dlib's shape predictors, and CI does not");
    }
    let predictor = ShapePredictor::load(&file).unwrap();
    let detector = Detector::load(&Device::cpu(0).unwrap(), &weights, &DetectOptions::default()).unwrap();
    let found = image::collect(&[photos]).images;
    assert!(found.len() >= 20);
    let mut farthest = Vec::new();
    for path in found {
        let photo = image::decode(&path).unwrap();
        let faces = detector.detect_one(&photo).unwrap();
        let face = &faces[choose(&faces, photo.width(), photo.height()).unwrap()];
        let points = predictor.predict(&photo, ShapePredictor::rectangle(face));
        let mean = |range: std::ops::Range<usize>| {
            let n = range.len() as f64;
            [0, 1].map(|axis| points[range.clone()].iter().map(|point| point[axis]).sum::<f64>() / n)
        };
        let by_predictor = [mean(36..42), mean(42..48), mean(30..31), mean(48..49), mean(54..55)];
        let eyes = (face.landmarks[1][0] - face.landmarks[0][0]).hypot(face.landmarks[1][1] - face.landmarks[0][1]);
        let far = |(a, b): (&[f64; 2], &[f64; 2])| (a[0] - b[0]).hypot(a[1] - b[1]) / eyes;
        farthest.push(by_predictor.iter().zip(&face.landmarks).map(far).fold(0.0, f64::max));
    }
    farthest.sort_by(f64::total_cmp);
    let [half, most] = [farthest[farthest.len() / 2], farthest[farthest.len() * 9 / 10]];
    eprintln!("half within {half:.3}, nine of ten within {most:.3} of the distance of the eyes");
    assert!(half < 0.15 && most < 0.3);
}
