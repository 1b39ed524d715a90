//! Faces cut out by landmarks, against insightface's `norm_crop` and numpy's least squares (`tools/golden/align.py`).

mod common;

use warpface::face::{AlignMethod, Aligner, Alignment, Face, Warp};
use warpface::image::{Affine, Rgb8};

use common::{files, npz};

struct Case {
    name: String,
    face: Face,
    size: usize,
}

fn face(landmarks: [[f64; 2]; 5]) -> Face {
    Face { bounds: [20.0, 20.0, 100.0, 100.0], score: 1.0, landmarks }
}

fn cases(arrays: &npz::Arrays) -> Vec<Case> {
    let case = |name: &str| {
        let points = arrays[&format!("{name}.landmarks")].f64();
        let landmarks = std::array::from_fn(|i| [points[2 * i], points[2 * i + 1]]);
        let size = arrays[&format!("{name}.size")].f64()[0] as usize;
        Case { name: name.to_owned(), face: face(landmarks), size }
    };
    arrays.keys().filter_map(|key| key.strip_suffix(".landmarks")).map(case).collect()
}

fn aligner(method: AlignMethod, size: usize, warp: Warp) -> Aligner {
    Aligner::new(Alignment { size, method, warp, ..Alignment::default() })
}

#[test]
fn maps_are_those_of_numpy_and_scikit_image() {
    let arrays = npz::load(&files::golden("face/align.npz"));
    let mut compared = 0;
    for Case { name, face, size } in cases(&arrays) {
        for method in [AlignMethod::Similarity, AlignMethod::Affine] {
            let Some(expected) = arrays.get(&format!("{name}.{method}")) else { continue };
            let map: Affine = aligner(method, size, Warp::Exact).map(&Rgb8::black(1, 1), &face).unwrap().unwrap();
            for (got, expected) in map.as_flattened().iter().zip(expected.f64()) {
                assert!(
                    (got - expected).abs() <= 1e-11 * expected.abs().max(1.0),
                    "{name} {method}: {got}, {expected}"
                );
            }
            compared += 1;
        }
    }
    assert_eq!(compared, 10);
}

#[test]
fn crops_are_insightfaces() {
    let arrays = npz::load(&files::golden("face/align.npz"));
    let src = &arrays["src"];
    let photo = Rgb8::new(src.shape[1], src.shape[0], src.u8().to_vec());
    let mut compared = 0;
    for Case { name, face, size } in cases(&arrays) {
        for warp in [Warp::Exact, Warp::OpenCv4] {
            let Some(expected) = arrays.get(&format!("{name}.{warp}")) else { continue };
            let crop = aligner(AlignMethod::Similarity, size, warp).align(&photo, &face).unwrap().unwrap();
            assert!(crop.data() == expected.u8(), "{name} {warp}");
            assert!(expected.u8().contains(&0), "a border is black");
            compared += 1;
        }
    }
    assert_eq!(compared, 6);
}

#[test]
fn a_face_at_the_border_is_black_beyond_it_and_one_outside_is_none() {
    let photo = Rgb8::new(60, 60, vec![200; 60 * 60 * 3]);
    let at = |x: f64, y: f64| {
        let landmarks = [[-9.0, -9.0], [9.0, -9.0], [0.0, 1.0], [-7.0, 11.0], [7.0, 11.0]].map(|[u, v]| [u + x, v + y]);
        Face { bounds: [x - 15.0, y - 20.0, x + 15.0, y + 20.0], score: 1.0, landmarks }
    };
    for method in [AlignMethod::Similarity, AlignMethod::Affine] {
        for warp in [Warp::Exact, Warp::OpenCv4] {
            let aligner = aligner(method, 112, warp);
            let crop = aligner.align(&photo, &at(2.0, 30.0)).unwrap().unwrap();
            let (left, right) = (&crop.row(56)[..3], &crop.row(56)[111 * 3..]);
            assert_eq!((left, right), (&[0; 3][..], &[200; 3][..]), "{method} {warp}");
            assert_eq!(aligner.align(&photo, &at(200.0, 30.0)).unwrap(), None);
        }
    }
}

#[test]
fn landmarks_that_say_nothing_are_an_error_of_warps_alone() {
    let photo = Rgb8::black(120, 120);
    for landmarks in [[[50.0; 2]; 5], [[f64::NAN; 2]; 5], [0.0, 1.0, 2.0, 3.0, 4.0].map(|i| [30.0 + i, 40.0 + 2.0 * i])]
    {
        for method in AlignMethod::ALL {
            let crop = aligner(method, 112, Warp::Exact).align(&photo, &face(landmarks));
            match method {
                AlignMethod::Crop => assert!(crop.unwrap().is_some()),
                _ => assert!(crop.unwrap_err().to_string().contains("landmarks"), "{method}"),
            }
        }
    }
}
