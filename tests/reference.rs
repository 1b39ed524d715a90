//! Against the answers of the original pipeline (davidsandberg/facenet), on photographs that are not part of the
//! repository. Of crops and embeddings it takes a sample, unless `WARPFACE_FULL=1`.

mod common;

use std::collections::BTreeMap;
use std::path::Path;

use rayon::prelude::*;
use warpface::face::{Alignment, Face, Standardize, align, choose};
use warpface::image::{self, Rgb8};
use warpface::{Detector, Device, Embedder};

use common::npz::{self, Arrays};
use common::{devices, files, full};

/// Photographs detected in one call.
const CHUNK: usize = 32;

/// How far a box may lie from the original's, in pixels: its arithmetic is f64 between networks, theirs and ours f32.
const NEAR: f64 = 1e-3;

/// What the comparison of detections found.
#[derive(Default)]
struct Agreement {
    photographs: usize,
    faces: usize,
    /// Photographs whose reference is the original's with a stable sort.
    stable: usize,
    boxes_off: f64,
    landmarks_off: f64,
    different: Vec<String>,
}

impl Agreement {
    /// Compares one photograph's faces, all of them and in order, with the reference's.
    fn add(&mut self, name: &str, photo: &Rgb8, faces: &[Face], expected: &Expected) {
        self.photographs += 1;
        self.stable += usize::from(expected.landmarks.is_empty() && !expected.boxes.is_empty());
        if faces.len() != expected.boxes.len() {
            let (n, m) = (faces.len(), expected.boxes.len());
            return self.different.push(format!("{name}: {n} faces, expected {m}"));
        }
        self.faces += faces.len();
        let sides = faces.iter().zip(&expected.boxes).flat_map(|(face, theirs)| face.bounds.iter().zip(theirs));
        let boxes_off = sides.map(|(a, b)| (a - b).abs()).fold(0.0, f64::max);
        let marks = faces.iter().zip(&expected.landmarks).flat_map(|(face, theirs)| {
            face.landmarks.iter().enumerate().map(|(k, [x, y])| (x - theirs[k]).hypot(y - theirs[k + 5]))
        });
        let landmarks_off = marks.fold(0.0, f64::max);
        self.boxes_off = self.boxes_off.max(boxes_off);
        self.landmarks_off = self.landmarks_off.max(landmarks_off);
        if boxes_off > NEAR || landmarks_off > NEAR {
            self.different.push(format!("{name}: a box is off by {boxes_off:.2e} px, a landmark {landmarks_off:.2e}"));
        }
        let ours = choose(faces, photo.width(), photo.height());
        let Some(rectangle) = expected.rectangle else { return };
        let crop = ours.and_then(|i| Alignment::default().rectangle(&faces[i], photo.width(), photo.height()));
        if ours != expected.chosen || (ours.is_some() && crop.map(|r| r.map(|x| x as i64)) != Some(rectangle)) {
            self.different.push(format!(
                "{name}: face {ours:?}, crop {crop:?}; expected face {:?}, crop {rectangle:?}",
                expected.chosen
            ));
        }
    }

    fn finish(self, what: &str) {
        eprintln!(
            "{what}: {} photographs ({} by a stable sort), {} faces; boxes at most {:.2e} px off, landmarks {:.2e} px",
            self.photographs, self.stable, self.faces, self.boxes_off, self.landmarks_off,
        );
        assert!(self.faces > 0, "{what}: no faces");
        assert!(self.different.is_empty(), "{what}:\n  {}", self.different.join("\n  "));
    }
}

/// The reference's answer for one photograph.
struct Expected {
    boxes: Vec<Vec<f64>>,
    /// Empty where the reference has boxes alone.
    landmarks: Vec<Vec<f64>>,
    chosen: Option<usize>,
    rectangle: Option<[i64; 4]>,
}

impl Expected {
    fn all(arrays: &Arrays) -> Vec<Expected> {
        let rows = |name: &str, columns: usize| -> Vec<Vec<f64>> {
            arrays[name].f64().chunks_exact(columns).map(<[f64]>::to_vec).collect()
        };
        let (boxes, landmarks) = (rows("boxes", 5), rows("landmarks", 10));
        let offset = arrays["offset"].i64();
        let (chosen, rectangles) = (arrays["chosen"].i64(), arrays["bb"].i64());
        (0..chosen.len())
            .map(|i| {
                let of = |rows: &[Vec<f64>], columns: usize| {
                    let rows = &rows[offset[i] as usize..offset[i + 1] as usize];
                    rows.iter().map(|row| row[..columns].to_vec()).collect()
                };
                Expected {
                    boxes: of(&boxes, 4),
                    landmarks: of(&landmarks, 10),
                    chosen: usize::try_from(chosen[i]).ok(),
                    rectangle: Some(std::array::from_fn(|k| rectangles[i * 4 + k])),
                }
            })
            .collect()
    }
}

/// Boxes of the photographs that hold candidates of equal score, by the original with a stable sort. NumPy's vector
/// code orders equal scores in its own way, and the reference was made with it.
fn stable_sort() -> BTreeMap<String, Expected> {
    let Some(file) = common::shared("cases/last_six/original_boxes.json") else { return BTreeMap::new() };
    let file: serde_json::Value = serde_json::from_slice(&std::fs::read(file).unwrap()).unwrap();
    let photographs: BTreeMap<String, Vec<Vec<f64>>> = serde_json::from_value(file["stable_sort"].clone()).unwrap();
    assert!(!photographs.is_empty());
    let boxes_alone = |rows: Vec<Vec<f64>>| {
        let boxes = rows.into_iter().map(|row| row[..4].to_vec()).collect();
        Expected { boxes, landmarks: Vec::new(), chosen: None, rectangle: None }
    };
    photographs.into_iter().map(|(name, rows)| (name, boxes_alone(rows))).collect()
}

/// The faces of some photographs on a device, held against a reference.
fn compare(device: &Device, weights: &Path, folder: &Path, expected: &[(&str, &Expected)], what: &str) {
    let detector = Detector::load(device, weights, &Default::default()).unwrap();
    let mut agreement = Agreement::default();
    for chunk in expected.chunks(CHUNK) {
        let photos: Vec<Rgb8> = chunk.par_iter().map(|(name, _)| image::decode(folder.join(name)).unwrap()).collect();
        let faces = detector.detect(&photos.iter().collect::<Vec<_>>()).unwrap();
        for (((name, expected), photo), faces) in chunk.iter().zip(&photos).zip(&faces) {
            agreement.add(name, photo, faces, expected);
        }
    }
    agreement.finish(&format!("{what} on {}", device.info().kind));
}

/// Every photograph of a reference, on every device.
fn detections(dump: &str, photographs: &str) {
    let Some(weights) = common::weights(&files::MTCNN) else { return };
    let (Some(reference), Some(folder)) = (common::shared("reference"), common::shared(photographs)) else { return };
    let arrays = npz::load(&reference.join(dump));
    let (names, expected, stable) = (arrays["files"].strings(), Expected::all(&arrays), stable_sort());
    let all: Vec<(&str, &Expected)> = names
        .iter()
        .zip(&expected)
        .map(|(name, expected)| {
            let file = Path::new(name).file_name().unwrap().to_str().unwrap();
            (name.as_str(), stable.get(file).unwrap_or(expected))
        })
        .collect();
    devices::each(|device| compare(device, &weights, &folder, &all, dump));
}

/// A GPU's API on the processor: right, but slow. Only the long run gives it everything.
fn is_slow(device: &Device) -> bool {
    device.info().is_software() && !full()
}

#[test]
fn detections_in_colour() {
    detections("lfw_color.npz", "lfw_color");
}

#[test]
fn detections_in_lfw() {
    detections("lfw_dev.npz", "lfw/images");
}

#[test]
fn detections_among_equal_scores() {
    let (Some(weights), Some(folder)) = (common::weights(&files::MTCNN), common::shared("cases/last_six")) else {
        return;
    };
    let expected = stable_sort();
    let all: Vec<(&str, &Expected)> = expected.iter().map(|(name, expected)| (name.as_str(), expected)).collect();
    devices::each(|device| compare(device, &weights, &folder, &all, "equal scores"));
}

/// The reference's crops: `[n, 160, 160]` grey.
fn crops(arrays: &Arrays) -> Vec<Rgb8> {
    let grey = arrays["crops"].u8().chunks_exact(160 * 160);
    grey.map(|grey| Rgb8::new(160, 160, grey.iter().flat_map(|&x| [x; 3]).collect())).collect()
}

#[test]
fn crops_are_the_same_bits() {
    let Some(weights) = common::weights(&files::MTCNN) else { return };
    let (Some(reference), Some(folder)) = (common::shared("reference"), common::shared("lfw/images")) else { return };
    let arrays = npz::load(&reference.join("crops_dev.npz"));
    let (names, expected) = (arrays["files"].strings(), crops(&arrays));
    let detector = Detector::load(&Device::cpu(0).unwrap(), &weights, &Default::default()).unwrap();
    let picked: Vec<usize> = (0..names.len()).step_by(if full() { 1 } else { 9 }).collect();
    let mut different = Vec::new();
    for &i in &picked {
        let photo = image::decode(folder.join(&names[i])).unwrap();
        let faces = detector.detect(&[&photo]).unwrap().remove(0);
        let ours = choose(&faces, 250, 250).and_then(|k| align(&photo, &faces[k], &Alignment::default()).unwrap());
        if ours.as_ref() != Some(&expected[i]) {
            different.push(&names[i]);
        }
    }
    let same = 100.0 * (picked.len() - different.len()) as f64 / picked.len() as f64;
    eprintln!("crops: {} photographs, {same:.3} % bit for bit; different: {different:?}", picked.len());
    // A box may lie so near a whole pixel that the last bit of a network's sum decides.
    assert!(same >= 99.0, "{different:?}");
}

fn cosine(a: &[f32], b: &[f32]) -> f64 {
    let dot = |a: &[f32], b: &[f32]| a.iter().zip(b).map(|(&x, &y)| f64::from(x) * f64::from(y)).sum::<f64>();
    dot(a, b) / (dot(a, a) * dot(b, b)).sqrt()
}

fn embeddings(file: &str, standardize: Standardize, name: &str) {
    let (Some(weights), Some(reference)) = (common::weights(&[file]), common::shared("reference")) else { return };
    let arrays = npz::load(&reference.join("crops_dev.npz"));
    let crops = crops(&arrays);
    devices::each(|device| {
        let embedder = Embedder::load(device, Path::new(&weights.join(file)), standardize).unwrap();
        for (suffix, flip, sample) in [("", false, 24), ("_flip", true, 8)] {
            let sample = if is_slow(device) { sample / 4 } else { sample };
            let step = if full() { 1 } else { crops.len().div_ceil(sample) };
            let picked: Vec<Rgb8> = crops.iter().step_by(step).cloned().collect();
            let picked: Vec<Rgb8> = if flip { picked.iter().map(image::flip_horizontal).collect() } else { picked };
            let got = embedder.embed(&picked.iter().collect::<Vec<_>>()).unwrap();
            let expected = arrays[&format!("{name}{suffix}")].f32();
            let rows = expected.chunks_exact(embedder.dim()).step_by(step);
            let cosines: Vec<f64> = got.rows().zip(rows).map(|(a, b)| cosine(a, b)).collect();
            assert_eq!(cosines.len(), picked.len());
            let worst = cosines.iter().copied().fold(f64::INFINITY, f64::min);
            let kind = device.info().kind;
            eprintln!("{name}{suffix} on {kind}: {} crops, 1 - least cosine = {:.1e}", cosines.len(), 1.0 - worst);
            assert!(cosines.iter().all(|&c| c >= 0.9999), "{name}{suffix} on {kind}: cosine {worst}");
        }
    });
}

#[test]
fn embeddings_of_the_frozen_graph() {
    embeddings("graph_final.pb", Standardize::Fixed, "pb_fixed");
}

#[test]
fn embeddings_of_the_keras_file() {
    embeddings("facenet_keras.h5", Standardize::Prewhiten, "h5_prewhiten");
}
