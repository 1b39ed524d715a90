//! Shape predictors against what dlib finds by them (`tools/golden/landmarks.py`), whole, damaged and hostile.

mod common;

use std::path::Path;

use warpface::ErrorKind;
use warpface::face::{Face, ShapePredictor};
use warpface::image::Rgb8;

use common::files::golden;
use common::npz;

/// The predictors of the fixtures, by their number of landmarks.
const KINDS: [usize; 3] = [1, 5, 68];

fn bytes(points: usize) -> Vec<u8> {
    std::fs::read(golden(&format!("landmarks/{points}.dat"))).unwrap()
}

fn pictures() -> Vec<Rgb8> {
    let arrays = npz::load(&golden("landmarks/expected.npz"));
    let &[_, height, width, 3] = arrays["pictures"].shape.as_slice() else { panic!("pictures are RGB") };
    let pictures = arrays["pictures"].u8().chunks_exact(height * width * 3);
    pictures.map(|pixels| Rgb8::new(width, height, pixels.to_vec())).collect()
}

#[test]
fn landmarks_are_dlibs() {
    let (arrays, pictures) = (npz::load(&golden("landmarks/expected.npz")), pictures());
    for points in KINDS {
        let predictor = ShapePredictor::load(golden(&format!("landmarks/{points}.dat"))).unwrap();
        assert_eq!(predictor.points(), points);
        let rectangles = arrays[&format!("{points}.rectangles")].i64();
        let parts = arrays[&format!("{points}.parts")].i64();
        assert!(rectangles.len() / 5 > 40);
        for (row, expected) in rectangles.chunks_exact(5).zip(parts.chunks_exact(2 * points)) {
            let rectangle = std::array::from_fn(|i| row[i + 1] as i32);
            let found = predictor.predict(&pictures[row[0] as usize], rectangle);
            let rounded = ShapePredictor::rounded(&found);
            assert_eq!(rounded.as_flattened(), expected, "{points} landmarks in {rectangle:?}");
        }
    }
}

#[test]
fn a_predictor_cut_anywhere_is_an_error_that_names_it() {
    for points in KINDS {
        let whole = bytes(points);
        for n in (0..whole.len()).step_by((whole.len() / 3000).max(1)) {
            let error = ShapePredictor::from_bytes("cut.dat", &whole[..n]).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Data);
            assert!(error.to_string().starts_with("cut.dat: is "), "{error}");
        }
        let error = ShapePredictor::from_bytes("long.dat", &[&whole[..], b"\x01\x01"].concat()).unwrap_err();
        assert!(error.to_string().contains("more bytes follow"), "{error}");
    }
}

/// Whatever a byte is changed to, the file is refused, or its landmarks are numbers.
#[test]
fn changed_bytes_give_an_error_or_finite_landmarks() {
    let picture = &pictures()[0];
    for points in KINDS {
        let mut bytes = bytes(points);
        for at in (0..bytes.len()).step_by((bytes.len() / 1500).max(1)) {
            for mask in [0xff, 0x01, 0x80, 0x02] {
                bytes[at] ^= mask;
                if let Ok(predictor) = ShapePredictor::from_bytes("changed.dat", &bytes) {
                    let found = predictor.predict(picture, [10, 10, 60, 60]);
                    assert!(found.as_flattened().iter().all(|x| x.is_finite()), "byte {at} xor {mask:#x}");
                }
                bytes[at] ^= mask;
            }
        }
    }
}

/// A model by dlib's rules of writing, of one stage with one tree, which tests then make wrong.
struct Model {
    rows: i64,
    columns: i64,
    mean: Vec<f32>,
    stages: i64,
    splits: Vec<(i64, i64, f32)>,
    leaves: Vec<Vec<f32>>,
    landmarks: Vec<i64>,
    offsets: Vec<[f32; 2]>,
}

impl Default for Model {
    fn default() -> Self {
        Model {
            rows: 4,
            columns: 1,
            mean: vec![0.25, 0.5, 0.75, 0.5],
            stages: 1,
            splits: vec![(0, 1, 0.5)],
            leaves: vec![vec![0.5, 0.0, 0.5, 0.0], vec![0.0, 0.25, 0.0, 0.25]],
            landmarks: vec![0, 1],
            offsets: vec![[0.0, 0.0], [0.0, -0.25]],
        }
    }
}

impl Model {
    fn write(&self) -> Vec<u8> {
        fn integer(out: &mut Vec<u8>, value: i64) {
            let bytes = value.unsigned_abs().to_le_bytes();
            let n = bytes.iter().rposition(|&byte| byte != 0).map_or(1, |last| last + 1);
            out.push(n as u8 | if value < 0 { 0x80 } else { 0 });
            out.extend(&bytes[..n]);
        }
        fn floats(out: &mut Vec<u8>, values: &[f32]) {
            for &value in values {
                match value.is_nan() {
                    true => [0, 32_002].iter().for_each(|&part| integer(out, part)),
                    false => [(value * 1024.0) as i64, -10].iter().for_each(|&part| integer(out, part)),
                }
            }
        }
        let mut out = Vec::new();
        [1, -self.rows, -self.columns].iter().for_each(|&value| integer(&mut out, value));
        floats(&mut out, &self.mean);
        [self.stages, 1, self.splits.len() as i64].iter().for_each(|&value| integer(&mut out, value));
        for &(a, b, threshold) in &self.splits {
            [a, b].iter().for_each(|&value| integer(&mut out, value));
            floats(&mut out, &[threshold]);
        }
        integer(&mut out, self.leaves.len() as i64);
        for leaf in &self.leaves {
            [-(leaf.len() as i64), -1].iter().for_each(|&value| integer(&mut out, value));
            floats(&mut out, leaf);
        }
        [1, self.landmarks.len() as i64].iter().for_each(|&value| integer(&mut out, value));
        self.landmarks.iter().for_each(|&value| integer(&mut out, value));
        [1, self.offsets.len() as i64].iter().for_each(|&value| integer(&mut out, value));
        floats(&mut out, self.offsets.as_flattened());
        out
    }

    fn refused(&self) -> String {
        ShapePredictor::from_bytes("wrong.dat", &self.write()).expect_err("a wrong model was taken").to_string()
    }
}

#[test]
fn trees_go_left_where_the_first_pixel_is_brighter() {
    let predictor = ShapePredictor::from_bytes("small.dat", &Model::default().write()).unwrap();
    // Pixel 0 is at (25, 50) of the box, pixel 1 at (75, 25); (3 + 4 + 4) / 3 is 3.
    let mut picture = Rgb8::black(101, 101);
    assert_eq!(predictor.predict(&picture, [0, 0, 100, 100]), [[25.0, 75.0], [75.0, 75.0]]);
    picture.data_mut()[(50 * 101 + 25) * 3..][..3].copy_from_slice(&[3, 4, 4]);
    picture.data_mut()[(25 * 101 + 75) * 3..][..3].copy_from_slice(&[1, 2, 5]);
    assert_eq!(predictor.predict(&picture, [0, 0, 100, 100]), [[75.0, 50.0], [125.0, 50.0]]);
    assert_eq!(predictor.predict(&Rgb8::black(0, 0), [-50, 0, 50, 100]), [[-25.0, 75.0], [25.0, 75.0]]);
}

#[test]
fn what_is_wrong_in_a_model_is_named() {
    let ok = Model::default;
    let (splits, landmarks) = (|a, b| vec![(a, b, 0.5)], |landmark| vec![0, landmark]);
    for (model, problem) in [
        (Model { splits: splits(2, 0), ..ok() }, "compares pixel 2 of 2"),
        (Model { splits: splits(0, 1 << 40), ..ok() }, "no pixel's index"),
        (Model { splits: splits(-1, 0), ..ok() }, "negative"),
        (Model { splits: vec![(0, 1, f32::NAN)], ..ok() }, "infinite or none"),
        (Model { splits: Vec::new(), ..ok() }, "a tree of 0 nodes has 2 leaves"),
        (Model { splits: vec![(0, 1, 0.5); 2], leaves: vec![vec![0.0; 4]; 3], ..ok() }, "2 nodes has 3 leaves"),
        (Model { leaves: vec![vec![0.0; 4], vec![0.0; 6]], ..ok() }, "a leaf has 6 values"),
        (Model { leaves: vec![vec![0.0; 4], vec![0.0, 0.0, 1e9, 0.0]], ..ok() }, "no place beside a face"),
        (Model { landmarks: landmarks(2), ..ok() }, "goes with landmark 2 of 2"),
        (Model { landmarks: landmarks(-1), ..ok() }, "negative"),
        (Model { offsets: vec![[0.0; 2]], ..ok() }, "2 pixels and 1 offsets"),
        (Model { mean: vec![0.5; 4], ..ok() }, "mean shape is one point"),
        (Model { rows: 3, mean: vec![0.5, 0.5, 0.25], ..ok() }, "mean shape has 3 values"),
        (Model { rows: 1 << 40, ..ok() }, "mean shape has"),
        (Model { stages: 1 << 50, ..ok() }, "claims 1125899906842624 elements"),
        (Model { stages: 2, ..ok() }, "damaged"),
        (Model { rows: -4, ..ok() }, "no shape predictor"),
        (Model { columns: 2, ..ok() }, "no shape predictor"),
    ] {
        let error = model.refused();
        assert!(error.contains("wrong.dat") && error.contains(problem), "expected {problem}: {error}");
    }
}

#[test]
fn other_files_are_no_shape_predictors() {
    for (bytes, problem) in [
        (b"".as_slice(), "is empty"),
        (b"\x01\x01\x01\x0aloss_mmod_\x01\x01", "is a network of dlib's"),
        (b"\x01\x01\x01\x0dloss_metric_2\x03", "is a network of dlib's"),
        (b"\x01\x02\x81\x0a", "no shape predictor"),
        (b"BZh91AY&SY", "unpacked"),
        (b"<!DOCTYPE html>", "no shape predictor"),
    ] {
        let error = ShapePredictor::from_bytes("other.dat", bytes).unwrap_err().to_string();
        assert!(error.contains(problem), "expected {problem}: {error}");
    }
    assert_eq!(ShapePredictor::load(Path::new("absent.dat")).unwrap_err().kind(), ErrorKind::File);
    let error = warpface::weights::load(golden("landmarks/5.dat")).unwrap_err().to_string();
    assert!(error.contains("is a shape predictor of dlib's"), "{error}");
}

/// What `tools/published/landmarks.py` has written of real photographs: a photograph, a rectangle, maybe the detected box
/// that it comes from, and what dlib finds there, a line. `WARPFACE_LANDMARKS` names the predictor, and
/// `WARPFACE_LANDMARKS_BY_DLIB` the lines.
#[test]
#[ignore = "needs dlib's own answers: see tools/published/landmarks.py"]
#[cfg(feature = "decode")]
fn landmarks_of_photographs_are_dlibs() {
    let (Some(file), Some(lines)) =
        (std::env::var_os("WARPFACE_LANDMARKS"), std::env::var_os("WARPFACE_LANDMARKS_BY_DLIB"))
    else {
        return common::skip("landmarks", "WARPFACE_LANDMARKS and WARPFACE_LANDMARKS_BY_DLIB name no files");
    };
    let predictor = ShapePredictor::load(file).unwrap();
    let (mut points, mut different, mut farthest, mut rectangles) = (0, 0, 0.0f64, 0);
    let (mut last, mut photo) = (String::new(), Rgb8::black(0, 0));
    for line in std::fs::read_to_string(lines).unwrap().lines() {
        let line: serde_json::Value = serde_json::from_str(line).unwrap();
        let name = line["image"].as_str().unwrap();
        if name != last {
            photo = warpface::image::decode(Path::new(name)).unwrap();
            last = name.to_owned();
        }
        let rectangle: [i32; 4] = serde_json::from_value(line["rectangle"].clone()).unwrap();
        let parts: Vec<[i64; 2]> = serde_json::from_value(line["parts"].clone()).unwrap();
        if let Ok(bounds) = serde_json::from_value::<[f64; 4]>(line["box"].clone()) {
            let face = Face { bounds, score: 1.0, landmarks: [[0.0; 2]; 5] };
            assert_eq!(ShapePredictor::rectangle(&face), rectangle, "{name}: {bounds:?}");
        }
        let found = predictor.predict(&photo, rectangle);
        assert_eq!(found.len(), parts.len());
        for ((ours, rounded), theirs) in found.iter().zip(ShapePredictor::rounded(&found)).zip(&parts) {
            different += usize::from(rounded != *theirs);
            let far = (0..2).map(|axis| (ours[axis] - theirs[axis] as f64).abs()).fold(0.0, f64::max);
            farthest = farthest.max(far);
        }
        points += found.len();
        rectangles += 1;
    }
    eprintln!(
        "{rectangles} rectangles, {points} landmarks: {different} rounded otherwise; before rounding at most {farthest} px"
    );
    assert!(points > 0 && different == 0 && farthest <= 0.5);
}
