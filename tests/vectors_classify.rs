//! Telling people apart: the machines are optimal, ten people of LFW are told apart, files survive nothing hostile.

mod common;

use std::path::Path;

use common::Noise;
use warpface::Device;
use warpface::face::{DetectOptions, Detector, EmbedOptions, Embedder, Embeddings, choose};
use warpface::vectors::Origin;
use warpface::vectors::classify::{Classifier, KnownFaces, Method, Options, Split, SvmOptions, Trained, VERSION};

/// Unit vectors of people around a centre each, in the order of their names, with noise of this length.
fn crowd(people: usize, faces: usize, dim: usize, noise: f32, seed: u64) -> (Embeddings, Vec<String>) {
    let mut random = Noise::new(seed);
    let centres: Vec<Vec<f32>> = (0..people).map(|_| random.signed(&[dim]).data().to_vec()).collect();
    let (mut values, mut names) = (Vec::new(), Vec::new());
    for (person, centre) in centres.iter().enumerate() {
        for _ in 0..faces {
            let face: Vec<f32> = centre.iter().map(|x| x + noise * (2.0 * random.unit() - 1.0)).collect();
            let length = face.iter().map(|x| x * x).sum::<f32>().sqrt();
            values.extend(face.iter().map(|x| x / length));
            names.push(format!("P{person:03}"));
        }
    }
    (Embeddings::new(dim, values), names)
}

fn train(device: &Device, crowd: &(Embeddings, Vec<String>), options: &Options) -> Classifier {
    Classifier::train(device, KnownFaces::new(&crowd.0, &crowd.1).unwrap(), options).unwrap()
}

fn dot(a: &[f32], b: &[f32]) -> f64 {
    a.iter().zip(b).map(|(&a, &b)| f64::from(a) * f64::from(b)).sum()
}

#[test]
fn every_machine_is_where_no_other_is_better() {
    // Noise as large as the centres: the machines have points on both bounds and between them.
    let (people, faces) = (4, 12);
    let crowd = crowd(people, faces, 24, 1.6, 7);
    for penalty in [0.3, 1.0, 30.0] {
        let svm = SvmOptions { penalty, tolerance: 1e-9, ..SvmOptions::default() };
        let classifier = train(&Device::cpu(2).unwrap(), &crowd, &Options::default().svm(svm));
        let (known, svm) = (classifier.known(), classifier.svm().unwrap());
        let mut states = [0; 3];
        for (i, j) in (0..people).flat_map(|i| (i + 1..people).map(move |j| (i, j))) {
            let rows: Vec<usize> = known.rows_of(i).chain(known.rows_of(j)).collect();
            let weight = |row: usize| {
                let other = if known.person_of(row) == i { j - 1 } else { i };
                svm.coefficients()[row * (people - 1) + other]
            };
            let pair = (0..i).map(|first| people - 1 - first).sum::<usize>() + j - i - 1;
            assert!(rows.iter().map(|&row| weight(row)).sum::<f64>().abs() < 1e-9);
            for &row in &rows {
                let face = known.faces().row(row);
                let sum: f64 = rows.iter().map(|&other| weight(other) * dot(known.faces().row(other), face)).sum();
                let decision = sum + svm.biases()[pair];
                assert!((decision - svm.decisions(known, face)[pair]).abs() < 1e-9);
                let sign = if known.person_of(row) == i { 1.0 } else { -1.0 };
                let (alpha, margin) = (weight(row) * sign, decision * sign);
                // Karush, Kuhn and Tucker: what no optimum can lack, and what makes one of a convex problem.
                let kept = match alpha {
                    _ if alpha == 0.0 => (0, margin >= 1.0 - 1e-6),
                    _ if alpha == penalty => (2, margin <= 1.0 + 1e-6),
                    _ => (1, alpha > 0.0 && alpha < penalty && (margin - 1.0).abs() < 1e-6),
                };
                states[kept.0] += 1;
                assert!(kept.1, "penalty {penalty}: {alpha} at margin {margin}");
            }
        }
        assert!(states.iter().filter(|&&n| n > 0).count() >= 2, "{states:?} at penalty {penalty}");
    }
}

#[test]
fn predictions_do_not_depend_on_threads_or_company() {
    let crowd = crowd(6, 7, 16, 1.2, 3);
    for method in [Method::Svm, Method::Knn] {
        let options = Options::default().method(method);
        let one = train(&Device::cpu(1).unwrap(), &crowd, &options);
        let device = Device::cpu(2).unwrap();
        assert_eq!(one, train(&device, &crowd, &options));
        let all = one.predict(&device, &crowd.0).unwrap();
        for (i, face) in crowd.0.rows().enumerate() {
            let alone = one.predict(&device, &Embeddings::new(16, face.to_vec())).unwrap();
            assert_eq!(alone[0], all[i]);
            assert!((alone[0].probabilities.iter().sum::<f64>() - 1.0).abs() < 1e-9);
        }
    }
    // The folds are drawn by the seed, the planes are not.
    let seeded = |seed| {
        let svm = SvmOptions { seed, ..SvmOptions::default() };
        train(&Device::cpu(1).unwrap(), &crowd, &Options::default().svm(svm))
    };
    let (a, b) = (seeded(1), seeded(2));
    assert_ne!(a, b);
    assert_eq!(a.svm().unwrap().coefficients(), b.svm().unwrap().coefficients());
}

#[test]
fn one_photograph_a_person_is_enough_to_begin_with() {
    let crowd = crowd(5, 1, 16, 0.0, 11);
    let device = Device::cpu(1).unwrap();
    for method in [Method::Svm, Method::Knn] {
        let classifier = train(&device, &crowd, &Options::default().method(method));
        assert_eq!(classifier.unknown().refused, None);
        let found = classifier.predict(&device, &crowd.0).unwrap();
        for (person, found) in found.iter().enumerate() {
            assert_eq!((found.person(), found.is_known), (person, true), "{method}: {found:?}");
        }
    }
}

#[test]
fn bad_faces_and_options_are_named() {
    let device = Device::cpu(1).unwrap();
    let crowd = crowd(2, 3, 4, 0.5, 1);
    let error = |known: &(Embeddings, Vec<String>), options: &Options| {
        let known = KnownFaces::new(&known.0, &known.1);
        known.and_then(|known| Classifier::train(&device, known, options)).unwrap_err().to_string()
    };
    let good = Options::default();
    assert!(error(&crowd, &good.neighbours(0)).contains("neighbours"));
    assert!(error(&crowd, &good.false_accept_rate(-0.1)).contains("false_accept_rate"));
    assert!(error(&crowd, &good.svm(SvmOptions { penalty: 0.0, ..SvmOptions::default() })).contains("penalty"));
    let equal = (Embeddings::new(2, [0.6, 0.8].repeat(4)), crowd.1[1..5].to_vec());
    assert!(error(&equal, &good).contains("all 4 are equal"));
    let alone = (Embeddings::new(2, vec![0.6, 0.8, 1.0, 0.0]), vec!["Ann".to_owned(); 2]);
    assert!(error(&alone, &good).contains("one person, Ann"));
    // Some equal faces are no error: both people are as likely.
    let twins = (Embeddings::new(2, vec![1.0, 0.0, 1.0, 0.0, 0.0, 1.0]), ["a", "b", "c"].map(String::from).to_vec());
    for method in [Method::Svm, Method::Knn] {
        let classifier = train(&device, &twins, &good.method(method));
        assert_eq!(classifier.known().equal_rows(), [(0, 1)]);
        let found = classifier.predict(&device, &Embeddings::new(2, vec![1.0, 0.0])).unwrap();
        let [a, b, c] = found[0].probabilities[..] else { panic!("three people") };
        assert!((a - b).abs() < 2e-3 && c < a, "{method}: {a} {b} {c}");
    }
    let classifier = train(&device, &crowd, &good);
    assert!(classifier.predict(&device, &twins.0).unwrap_err().to_string().contains("2 values each"));
    assert!(classifier.clone().with_threshold(f64::NAN).is_err());
    assert!(!classifier.with_threshold(0.0).unwrap().predict(&device, &crowd.0).unwrap()[0].is_known);
}

fn trained(method: Method) -> Trained {
    let crowd = crowd(3, 4, 6, 0.7, 5);
    let origin = Origin {
        model: "m.pb".into(),
        sha256: "00".into(),
        dim: 6,
        standardize: "fixed".into(),
        align: "margin 32".into(),
    };
    Trained {
        classifier: train(&Device::cpu(1).unwrap(), &crowd, &Options::default().method(method)),
        origin: Some(origin),
        split: Some(Split { min_images: 2, train_images: 1, seed: 9 }),
        photographs: Some("ab".into()),
    }
}

#[test]
fn a_file_holds_all_and_is_written_alike_each_time() {
    let folder = tempfile::tempdir().unwrap();
    for method in [Method::Svm, Method::Knn] {
        let (trained, path) = (trained(method), folder.path().join("people.safetensors"));
        trained.save(&path).unwrap();
        assert_eq!(Trained::load(&path).unwrap(), trained);
        assert_eq!(trained.to_bytes().unwrap(), std::fs::read(&path).unwrap());
    }
}

/// The file with its header's text changed, and the header's length put right.
fn edited(bytes: &[u8], edit: impl Fn(&str) -> String) -> Vec<u8> {
    let length = u64::from_le_bytes(bytes[..8].try_into().unwrap()) as usize;
    let header = edit(std::str::from_utf8(&bytes[8..8 + length]).unwrap());
    [&(header.len() as u64).to_le_bytes()[..], header.as_bytes(), &bytes[8 + length..]].concat()
}

#[test]
fn hostile_files_are_refused_by_name() {
    let load = |bytes: &[u8]| Trained::from_bytes("people.safetensors", bytes);
    let bytes = trained(Method::Svm).to_bytes().unwrap();
    let replaced = |from: &str, to: &str| {
        let new = edited(&bytes, |header| header.replace(from, to));
        assert_ne!(new, bytes, "{from} is not there");
        load(&new).unwrap_err().to_string()
    };
    let newer = VERSION + 1;
    let said = replaced(r#"\"version\":1"#, &format!(r#"\"version\":{newer}"#));
    assert!(said.contains(&format!("version {newer}")) && said.starts_with("people.safetensors"), "{said}");
    for (from, to, word) in [
        ("\"faces\"", "\"faced\"", "no `faces`"),
        ("[12,6]", "[6,12]", "damaged"),
        ("[12,6]", "[0,6]", "damaged"),
        ("[12,6]", "[9223372036854775807,9223372036854775807]", "damaged"),
        ("\"F32\"", "\"I32\"", "is of type"),
        ("P000", "P001", "names must be in order"),
        (r#"\"method\":\"svm\""#, r#"\"method\":\"knn\""#, "how many faces vote"),
        (r#"\"dim\":6"#, r#"\"dim\":7"#, "7 values"),
        (r#"\"people\":[\"P000\","#, r#"\"people\":["#, "not parted among 2 people"),
        ("warpface.classifier", "warpface.clothifier", "is no classifier"),
    ] {
        let said = replaced(from, to);
        assert!(said.contains(word), "{from} to {to}: {said}");
    }
    assert!(load(b"").unwrap_err().to_string().contains("is no classifier"));
    // Every cut, and every byte of the header and many behind it turned over: an error or a classifier, no panic.
    for end in 0..bytes.len() {
        assert!(load(&bytes[..end]).is_err(), "cut at {end}");
    }
    let device = Device::cpu(1).unwrap();
    let mut refused = 0;
    for at in 0..bytes.len() {
        for bit in [0, 5, 7] {
            let mut bytes = bytes.clone();
            bytes[at] ^= 1 << bit;
            match load(&bytes) {
                Ok(read) => drop(read.classifier.predict(&device, read.classifier.known().faces())),
                Err(error) => {
                    refused += 1;
                    assert!(error.to_string().starts_with("people.safetensors: "), "{error}");
                }
            }
        }
    }
    assert!(refused > 1000, "{refused}");
    // Numbers that are none.
    let begin = 8 + u64::from_le_bytes(bytes[..8].try_into().unwrap()) as usize;
    let header: serde_json::Value = serde_json::from_slice(&bytes[8..begin]).unwrap();
    for name in ["faces", "coefficients", "biases", "sigmoids"] {
        let at = begin + header[name]["data_offsets"][0].as_u64().unwrap() as usize;
        let mut bytes = bytes.clone();
        bytes[at..][..8].copy_from_slice(&f64::NAN.to_le_bytes());
        let said = load(&bytes).unwrap_err().to_string();
        assert!(said.contains("no number"), "{name}: {said}");
    }
}

/// The embeddings of ten photographs of each of ten people, with the names.
fn ten_people(photographs: &Path, weights: &Path, device: &Device) -> (Embeddings, Vec<String>) {
    let people = warpface::image::people(photographs).unwrap().people;
    let many = people.into_iter().filter(|person| person.photos.len() >= 20).step_by(6).take(10);
    let detector = Detector::load(device, weights, &DetectOptions::default()).unwrap();
    let embedder = Embedder::load(device, weights.join("facenet_keras.h5"), EmbedOptions::default()).unwrap();
    let (mut rows, mut names) = (Embeddings::default(), Vec::new());
    for person in many {
        let mut crops = Vec::new();
        for path in &person.photos {
            let photo = warpface::image::decode(path).unwrap();
            let faces = detector.detect_one(&photo).unwrap();
            let face = choose(&faces, photo.width(), photo.height());
            let crop = face.and_then(|i| warpface::align(&photo, &faces[i], &embedder.alignment()).unwrap());
            crops.extend(crop);
            if crops.len() == 10 {
                break;
            }
        }
        assert_eq!(crops.len(), 10, "{:?}", person.name);
        names.extend(crops.iter().map(|_| person.name.to_string_lossy().into_owned()));
        rows.append(embedder.embed(&crops.iter().collect::<Vec<_>>()).unwrap());
    }
    assert_eq!(rows.len(), 100);
    (rows, names)
}

#[test]
fn ten_people_of_lfw_are_told_apart_by_halves() {
    let files = [&common::files::MTCNN[..], &["facenet_keras.h5"]].concat();
    let (Some(weights), Some(shared)) = (common::weights(&files), common::shared("lfw/images")) else { return };
    let device = Device::cpu(0).unwrap();
    let (rows, names) = ten_people(&shared, &weights, &device);
    let of = |which: &[usize]| {
        let values = which.iter().flat_map(|&i| rows.row(i).iter().copied()).collect();
        (Embeddings::new(rows.dim(), values), which.iter().map(|&i| names[i].clone()).collect::<Vec<_>>())
    };
    for seed in 0..4 {
        let parts = Split { min_images: 10, train_images: 5, seed }.parts(&names).unwrap();
        let (known, test) = (of(&parts.train), of(&parts.test));
        for method in [Method::Svm, Method::Knn] {
            let classifier = train(&device, &known, &Options::default().method(method));
            let found = classifier.predict(&device, &test.0).unwrap();
            let right = |(found, name): &(&_, &String)| {
                let found: &warpface::vectors::classify::Prediction = found;
                classifier.known().people()[found.person()] == **name
            };
            let right = found.iter().zip(&test.1).filter(right).count();
            let kept = found.iter().filter(|found| found.is_known).count();
            eprintln!("seed {seed}, {method}: {right} of 50 right, {kept} known, {:?}", classifier.unknown());
            assert!(right as f64 >= 0.97 * 50.0, "seed {seed}, {method}: {right} of 50");
            assert!(kept >= 45, "seed {seed}: {kept} of 50 are known");
        }
    }
}
