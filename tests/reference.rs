//! Against the answers of the original pipeline (davidsandberg/facenet), on photographs that are not part of the
//! repository. `WARPFACE_FULL=1` takes all of them, not a sample.

mod common;

use std::path::Path;

use warpface::face::{Alignment, Standardize, align, choose};
use warpface::image::{self, Rgb8};
use warpface::{Detector, Device, Embedder};

use common::npz::{self, Arrays};
use common::{devices, files, full};

/// Photographs detected in one call.
const CHUNK: usize = 32;

/// What the comparison of detections found.
#[derive(Default)]
struct Agreement {
    photographs: usize,
    same_count: usize,
    chosen: usize,
    within_a_pixel: usize,
    crops: usize,
    same_crop: usize,
    landmarks: Vec<f64>,
    different: Vec<String>,
}

impl Agreement {
    /// Compares one photograph's faces with rows `from..to` of the reference.
    fn add(&mut self, name: &str, photo: &Rgb8, faces: &[warpface::face::Face], expected: &Expected) {
        self.photographs += 1;
        let same_count = faces.len() == expected.boxes.len();
        self.same_count += usize::from(same_count);
        let ours = choose(faces, photo.width(), photo.height()).map(|i| &faces[i]);
        let apart = match (ours, expected.chosen) {
            (None, None) => 0.0,
            (Some(face), Some(theirs)) => {
                let theirs_box = &expected.boxes[theirs];
                let far = |p: [f64; 2], q: [f64; 2]| (p[0] - q[0]).hypot(p[1] - q[1]);
                let points = (0..5).map(|k| {
                    let marks = &expected.landmarks[theirs];
                    far(face.landmarks[k], [marks[k], marks[k + 5]])
                });
                self.landmarks.extend(points);
                face.bounds.iter().zip(theirs_box).map(|(a, b)| (a - b).abs()).fold(0.0, f64::max)
            }
            _ => f64::INFINITY,
        };
        let near = apart <= 1.0;
        self.chosen += 1;
        self.within_a_pixel += usize::from(near);
        if let Some(face) = ours {
            self.crops += 1;
            let rectangle = Alignment::default().rectangle(face, photo.width(), photo.height());
            self.same_crop += usize::from(rectangle.map(|r| r.map(|x| x as i64)) == Some(expected.rectangle));
        }
        if !(same_count && near) {
            let (n, m) = (faces.len(), expected.boxes.len());
            self.different.push(format!("{name}: {n} faces, expected {m}; chosen box off by {apart:.2}"));
        }
    }

    fn finish(mut self, what: &str) {
        let percent = |part: usize, of: usize| 100.0 * part as f64 / of.max(1) as f64;
        self.landmarks.sort_by(f64::total_cmp);
        let median = self.landmarks.get(self.landmarks.len() / 2).copied().unwrap_or(f64::NAN);
        let largest = self.landmarks.last().copied().unwrap_or(f64::NAN);
        let (count, near) = (percent(self.same_count, self.photographs), percent(self.within_a_pixel, self.chosen));
        eprintln!(
            "{what}: {} photographs; same count {count:.3} %, chosen box within 1 px {near:.3} %, same crop rectangle \
             {:.3} %, landmarks median {median:.2e} px, largest {largest:.2e} px",
            self.photographs,
            percent(self.same_crop, self.crops),
        );
        self.different.iter().for_each(|line| eprintln!("  {line}"));
        assert!(self.photographs > 0, "{what}: no photographs");
        assert!(count >= 99.5, "{what}: the same number of faces on {count:.3} % only");
        assert!(near >= 99.5, "{what}: the chosen box within 1 px on {near:.3} % only");
        assert!(median <= 0.5, "{what}: landmarks are {median} px off in the median");
    }
}

/// The reference's answer for one photograph.
struct Expected {
    boxes: Vec<Vec<f64>>,
    landmarks: Vec<Vec<f64>>,
    chosen: Option<usize>,
    rectangle: [i64; 4],
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
                    rectangle: std::array::from_fn(|k| rectangles[i * 4 + k]),
                }
            })
            .collect()
    }
}

/// Every `step`-th photograph of a reference, on every device.
fn detections(dump: &str, photographs: &str, step: usize) {
    let Some(weights) = common::weights(&files::MTCNN) else { return };
    let (Some(reference), Some(folder)) = (common::shared("reference"), common::shared(photographs)) else { return };
    let arrays = npz::load(&reference.join(dump));
    let names = arrays["files"].strings();
    let expected = Expected::all(&arrays);
    devices::each(|device| {
        let step = if is_slow(device) { 4 * step } else { step };
        let picked: Vec<usize> = (0..names.len()).step_by(step).collect();
        let detector = Detector::load(device, &weights, &Default::default()).unwrap();
        let mut agreement = Agreement::default();
        for chunk in picked.chunks(CHUNK) {
            let photos: Vec<Rgb8> = chunk.iter().map(|&i| image::decode(folder.join(&names[i])).unwrap()).collect();
            let faces = detector.detect(&photos.iter().collect::<Vec<_>>()).unwrap();
            for ((&i, photo), faces) in chunk.iter().zip(&photos).zip(&faces) {
                agreement.add(&names[i], photo, faces, &expected[i]);
            }
        }
        agreement.finish(&format!("{dump} on {}", device.info().kind));
    });
}

/// A GPU's API on the processor: right, but slow. Only the long run gives it everything.
fn is_slow(device: &Device) -> bool {
    device.info().is_software() && !full()
}

#[test]
fn detections_in_colour() {
    detections("lfw_color.npz", "lfw_color", 1);
}

#[test]
fn detections_in_lfw() {
    detections("lfw_dev.npz", "lfw/images", if full() { 1 } else { 16 });
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
        let ours = choose(&faces, 250, 250).and_then(|k| align(&photo, &faces[k], &Alignment::default()));
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
