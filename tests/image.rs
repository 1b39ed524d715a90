//! Pixels against the dumps of `tools/golden/image.py`: OpenCV's, Pillow's, libjpeg's and numpy's.

use std::collections::BTreeMap;
use std::fs;
use std::io::Read;
use std::path::{Path, PathBuf};

use warpface::Error;
use warpface::image::*;
use warpface::ops::Standardize;

/// The golden dumps, or others of the same form (`--random` of the tool).
fn golden() -> PathBuf {
    let own = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden/image");
    std::env::var_os("WARPFACE_GOLDEN_IMAGE").map_or(own, PathBuf::from)
}

struct Array {
    shape: Vec<usize>,
    bytes: Vec<u8>,
}

impl Array {
    fn f32(&self) -> Vec<f32> {
        self.bytes.as_chunks().0.iter().map(|&b| f32::from_le_bytes(b)).collect()
    }

    fn f64(&self) -> Vec<f64> {
        self.bytes.as_chunks().0.iter().map(|&b| f64::from_le_bytes(b)).collect()
    }

    fn rgb(&self) -> Rgb8 {
        Rgb8::new(self.shape[1], self.shape[0], self.bytes.clone())
    }
}

/// An `.npz` of little-endian arrays in row-major order.
fn npz(name: &str) -> BTreeMap<String, Array> {
    let path = golden().join(name);
    let mut zip =
        zip::ZipArchive::new(fs::File::open(&path).unwrap_or_else(|e| panic!("{}: {e}", path.display()))).unwrap();
    let mut arrays = BTreeMap::new();
    for i in 0..zip.len() {
        let mut entry = zip.by_index(i).unwrap();
        let name = entry.name().unwrap().strip_suffix(".npy").unwrap().to_owned();
        let mut bytes = Vec::new();
        entry.read_to_end(&mut bytes).unwrap();
        let npy = npyz::NpyFile::new(&bytes[..]).unwrap();
        let shape: Vec<usize> = npy.shape().iter().map(|&n| n as usize).collect();
        assert_eq!(npy.order(), npyz::Order::C, "{name}");
        let bytes_of = [("f4", 4), ("f8", 8)].into_iter().find(|(kind, _)| npy.dtype().descr().contains(kind));
        let size = bytes_of.map_or(1, |(_, bytes)| bytes);
        let data = bytes[bytes.len() - shape.iter().product::<usize>() * size..].to_vec();
        arrays.insert(name, Array { shape, bytes: data });
    }
    assert!(!arrays.is_empty(), "{}", path.display());
    arrays
}

/// `(name, source, expected)` of a dump of resizes.
fn pairs(arrays: &BTreeMap<String, Array>) -> impl Iterator<Item = (&str, &Array, &Array)> {
    arrays.iter().filter_map(|(name, src)| {
        let stem = name.strip_suffix(".src")?;
        Some((stem, src, &arrays[&format!("{stem}.dst")]))
    })
}

/// The first difference, or none.
fn difference<T: PartialEq + std::fmt::Debug>(got: &[T], expected: &[T]) -> Option<String> {
    assert_eq!(got.len(), expected.len());
    let at = got.iter().zip(expected).position(|(a, b)| a != b)?;
    let count = got.iter().zip(expected).filter(|(a, b)| a != b).count();
    Some(format!("{count} of {} differ, first [{at}]: {:?}, expected {:?}", got.len(), got[at], expected[at]))
}

fn none_wrong(cases: usize, wrong: Vec<String>) {
    assert!(wrong.is_empty(), "{} of {cases} cases:\n{}", wrong.len(), wrong[..wrong.len().min(20)].join("\n"));
}

fn size(array: &Array) -> (usize, usize) {
    (array.shape[1], array.shape[0])
}

#[test]
fn resize_area_u8_is_opencvs() {
    let arrays = npz("area_u8.npz");
    let mut wrong = vec![];
    for (name, src, dst) in pairs(&arrays) {
        let mut got = vec![0; dst.bytes.len()];
        AreaResize::new(size(src), size(dst)).u8(&src.bytes, src.shape[2], &mut got);
        wrong.extend(difference(&got, &dst.bytes).map(|d| format!("{name}: {d}")));
        if src.shape[2] == 3 {
            assert_eq!(resize_area_u8(&src.rgb(), dst.shape[1], dst.shape[0]).data(), got, "{name}");
        }
    }
    none_wrong(arrays.len() / 2, wrong);
}

#[test]
fn resize_area_f32_is_opencvs() {
    let arrays = npz("area_f32.npz");
    let mut wrong = vec![];
    for (name, src, dst) in pairs(&arrays) {
        let mut got = vec![0.0; dst.bytes.len() / 4];
        let (w, h) = size(src);
        resize_area_f32(&src.f32(), w, h, src.shape[2], dst.shape[1], dst.shape[0], &mut got);
        wrong.extend(difference(&got, &dst.f32()).map(|d| format!("{name}: {d}")));
    }
    none_wrong(arrays.len() / 2, wrong);
}

#[test]
fn resize_bilinear_is_pillows() {
    let arrays = npz("bilinear.npz");
    let mut wrong = vec![];
    for (name, src, dst) in pairs(&arrays) {
        let got = resize_bilinear_pillow(&src.rgb(), dst.shape[1], dst.shape[0]);
        wrong.extend(difference(got.data(), &dst.bytes).map(|d| format!("{name}: {d}")));
    }
    none_wrong(arrays.len() / 2, wrong);
}

/// Of every map of the dump, what both OpenCVs make of it.
#[test]
fn warps_are_both_opencvs() {
    let arrays = npz("warp.npz");
    let (mut cases, mut wrong) = (0, vec![]);
    for (name, map) in arrays.iter().filter_map(|(name, map)| Some((name.strip_suffix(".map")?, map))) {
        let src = arrays[&format!("{}.src", name.rsplit_once('-').unwrap().0)].rgb();
        let &[a, b, x, c, d, y] = &map.f64()[..] else { panic!("{name}: no map") };
        for warp in [Warp::Exact, Warp::OpenCv4] {
            let dst = &arrays[&format!("{name}.{warp}")];
            let got = warp_affine(&src, &[[a, b, x], [c, d, y]], dst.shape[1], dst.shape[0], warp);
            wrong.extend(difference(got.data(), &dst.bytes).map(|d| format!("{name} {warp}: {d}")));
            cases += 1;
        }
    }
    assert!(cases > 100);
    none_wrong(cases, wrong);
}

#[test]
fn empty_resizes_do_not_fail() {
    let empty = Rgb8::black(0, 5);
    assert_eq!(resize_area_u8(&empty, 2, 2), Rgb8::black(2, 2));
    assert_eq!(resize_bilinear_pillow(&empty, 2, 2), Rgb8::black(2, 2));
    assert_eq!(resize_area_u8(&Rgb8::black(3, 3), 0, 4), Rgb8::black(0, 4));
    assert_eq!(resize_bilinear_pillow(&Rgb8::black(3, 3), 4, 0), Rgb8::black(4, 0));
}

#[test]
fn standardizations_are_facenets() {
    let arrays = npz("standardize.npz");
    for (name, src) in arrays.iter().filter_map(|(name, a)| Some((name.strip_suffix(".src")?, a))) {
        let (src, mut got) = (src.rgb(), vec![0.0; src.bytes.len()]);
        prewhiten(&src, &mut got);
        assert_eq!(difference(&got, &arrays[&format!("{name}.prewhiten")].f32()), None, "{name}: prewhiten");
        Standardize::Fixed.pixels(&src, &mut got);
        assert_eq!(difference(&got, &arrays[&format!("{name}.fixed")].f32()), None, "{name}: fixed");
        Standardize::Unit.pixels(&src, &mut got);
        assert_eq!(difference(&got, &arrays[&format!("{name}.unit")].f32()), None, "{name}: unit");
    }
}

#[test]
fn files_decode_to_the_expected_pixels() {
    for (name, expected) in npz("decode.npz") {
        let path = golden().join("decode").join(&name);
        let got = decode(&path).unwrap();
        assert_eq!((got.width(), got.height()), size(&expected), "{name}");
        assert_eq!(difference(got.data(), &expected.bytes), None, "{name}");
        assert_eq!(dimensions(&path).unwrap(), size(&expected), "{name}");
    }
}

/// What `decode` says about these bytes.
fn refusal(bytes: &[u8]) -> String {
    let path = Path::new("folder/photo.jpg");
    let error = decode_bytes(path, bytes, &Limits::default()).expect_err("must be refused");
    assert!(matches!(&error, Error::Image { path: named, .. } if named == path), "{error:?}");
    error.to_string()
}

#[test]
fn what_is_no_photograph_is_refused_by_name() {
    let cases: &[(&[u8], &str)] = &[
        (b"", "empty"),
        (b"dear diary", "not an image in a known format (its first bytes are \"dear dia\")"),
        (b"name,imagenum1,imagenum2\n", "but text, a table or a list"),
        (b"\x1f\x8b\x08\0", "extract it (`tar -xzf FILE`)"),
        (b"\x0a\x23\xd7\xce\0", "RecordIO file (.rec)"),
        (b"BM is how this text starts", "not an image in a known format"),
        #[cfg(not(feature = "heif"))]
        (b"\0\0\0\x18ftypheic\0\0\0\0", "HEIC is not supported; convert"),
        #[cfg(not(feature = "heif"))]
        (b"\0\0\0\x18ftypavif\0\0\0\0", "AVIF is not supported; convert"),
        #[cfg(feature = "heif")]
        (b"\0\0\0\x18ftypheic\0\0\0\0", "libheif cannot decode it"),
        (b"\xff\x0a rest", "JPEG XL is not supported; convert"),
        (b"\xff\xd8\xff", "cut short"),
        (b"\xff\xd8\xff\xe0 but then something else entirely, which is no JPEG at all", "JPEG"),
        (b"\x89PNG\r\n\x1a\n", "Png"),
    ];
    for (bytes, expected) in cases {
        let message = refusal(bytes);
        assert!(message.starts_with("folder/photo.jpg: ") && message.contains(expected), "{message}");
    }
}

#[test]
fn every_cut_is_an_error() {
    for entry in fs::read_dir(golden().join("decode")).unwrap() {
        let path = entry.unwrap().path();
        let bytes = fs::read(&path).unwrap();
        let jpeg = bytes.starts_with(&[0xff, 0xd8]);
        for length in (3..bytes.len()).step_by(7).chain([bytes.len() - 1]) {
            let result = decode_bytes(&path, &bytes[..length], &Limits::default());
            // A JPEG is whole when its last block is, a few bytes before the end; other formats have trailers as well.
            if jpeg && length + 12 < bytes.len() {
                let message = result.expect_err("a cut JPEG").to_string();
                assert!(message.contains("cut short"), "{length} of {}: {message}", bytes.len());
            }
        }
    }
}

#[test]
fn flipped_bytes_never_panic() {
    for entry in fs::read_dir(golden().join("decode")).unwrap() {
        let path = entry.unwrap().path();
        let bytes = fs::read(&path).unwrap();
        for at in (0..bytes.len()).step_by(3) {
            let mut bytes = bytes.clone();
            bytes[at] ^= 1 << (at % 8);
            // Small limits: a flipped size byte must not cost seconds.
            let _ = decode_bytes(&path, &bytes, &Limits { max_pixels: 1 << 20, ..Limits::default() });
        }
    }
}

#[test]
fn damage_within_a_jpeg_is_an_error() {
    let mut bytes = fs::read(golden().join("decode/jpeg_444.jpg")).unwrap();
    let middle = bytes.len() - 200;
    bytes[middle..middle + 2].copy_from_slice(&[0xff, 0xd9]);
    assert!(refusal(&bytes).contains("damaged"), "{}", refusal(&bytes));
}

#[test]
fn absurd_sizes_are_refused_from_the_header() {
    let mut jpeg = fs::read(golden().join("decode/jpeg_444.jpg")).unwrap();
    let frame = jpeg.windows(2).position(|w| w == [0xff, 0xc0]).unwrap();
    jpeg[frame + 5..frame + 9].copy_from_slice(&[0xff, 0x00, 0xff, 0x00]);
    assert!(refusal(&jpeg).contains("65280 x 65280"), "{}", refusal(&jpeg));
    let ppm = b"P6 100000 100000 255\nxxx";
    assert!(refusal(ppm).contains("100000 x 100000"), "{}", refusal(ppm));
}

/// Netpbm's formats with any highest value: 8 bits as Pillow 12 gives them; of wider samples, scaled to 16 bits, the high byte.
#[test]
fn netpbm_of_any_depth_is_scaled_to_bytes() {
    let wide = |values: [u16; 3]| values.iter().flat_map(|v| v.to_be_bytes()).collect::<Vec<u8>>();
    let cases: [(&[u8], &[u8], [u8; 3]); 11] = [
        (b"P5\n3 1\n255\n", &[0, 100, 255], [0, 100, 255]),
        (b"P5\n3 1\n100\n", &[0, 50, 100], [0, 128, 255]),
        (b"P5 3 1 7\n", &[0, 3, 7], [0, 109, 255]),
        (b"P5\n# a comment\n3 1\n65535\n", &wide([0, 32767, 65535]), [0, 127, 255]),
        (b"P5\n3 1\n4095\n", &wide([0, 2048, 4095]), [0, 128, 255]),
        (b"P2\n# a comment\n3 1\n255\n0 100 255\n", &[], [0, 100, 255]),
        (b"P6\n1 1\n100\n", &[0, 50, 100], [0, 128, 255]),
        (b"P6\n1 1\n1023\n", &wide([0, 512, 1023]), [0, 128, 255]),
        (b"P3 1 1 15 0 7 15", &[], [0, 119, 255]),
        // Of a bitmap 1 is black.
        (b"P4\n3 1\n", &[0b1010_0000], [0, 255, 0]),
        (b"P1 3 1 1 0 1", &[], [0, 255, 0]),
    ];
    for (header, samples, expected) in cases {
        let picture = decode_bytes("x.pgm", &[header, samples].concat(), &Limits::default()).unwrap();
        let grey = picture.width() == 3;
        let found: Vec<u8> = picture.data().iter().copied().step_by(if grey { 3 } else { 1 }).collect();
        assert_eq!(found, expected, "{}", header.escape_ascii());
    }
    for cut in [&b"P5\n3 1\n65535\n\0\0\0"[..], b"P5\n3 1\n0\n\0\0\0", b"P5\n3 1\n70000\n\0\0\0\0\0\0\0\0\0"] {
        assert!(decode_bytes("x.pgm", cut, &Limits::default()).is_err(), "{}", cut.escape_ascii());
    }
}

#[test]
fn unusual_shapes_decode() {
    for (width, height) in [(1, 1), (20000, 10), (3, 5000)] {
        let data = (0..width * height * 3).map(|i| (i % 251) as u8).collect();
        let src = Rgb8::new(width, height, data);
        let png = encode_png(&src).unwrap();
        assert_eq!(decode_bytes(Path::new("x"), &png, &Limits::default()).unwrap(), src);
        let jpeg = decode_bytes(Path::new("x"), &encode_jpeg(&src, 95).unwrap(), &Limits::default()).unwrap();
        assert_eq!((jpeg.width(), jpeg.height()), (width, height));
    }
    assert!(encode_jpeg(&Rgb8::black(70000, 1), 90).is_err());
    assert!(encode_png(&Rgb8::black(0, 1)).is_err());
}

#[test]
fn crops_and_mirrors() {
    let src = Rgb8::new(4, 2, (0..24).collect());
    assert_eq!(crop(&src, 1, 1, 3, 2).data(), [15, 16, 17, 18, 19, 20]);
    assert_eq!(crop(&src, 3, 0, 9, 9), Rgb8::new(1, 2, vec![9, 10, 11, 21, 22, 23]));
    assert_eq!(crop(&src, 7, 7, 9, 9), Rgb8::black(0, 0));
    assert_eq!(center_crop(&src, 2), crop(&src, 1, 0, 3, 2));
    assert_eq!(center_crop(&src, 9), src);
    assert_eq!(&flip_horizontal(&src).data()[..12], [9, 10, 11, 6, 7, 8, 3, 4, 5, 0, 1, 2]);
    assert_eq!(flip_horizontal(&flip_horizontal(&src)), src);
}

#[test]
fn faces_are_drawn_where_they_are() {
    let mut img = Rgb8::black(200, 150);
    let face = |bounds| DrawFace { bounds, score: 0.987, landmarks: [[80.0, 70.0]; 5] };
    draw_faces(&mut img, &[face([60.0, 50.0, 110.0, 120.0])]);
    let lit = |x: usize, y: usize| img.row(y)[x * 3..][..3] != [0, 0, 0];
    assert!(lit(60, 80) && lit(85, 50) && lit(80, 70), "frame and landmark");
    assert!(lit(62, 46), "score");
    assert!(!lit(90, 100) && !lit(20, 20), "the rest is as it was");
    // Far outside, reversed, or not numbers: nothing to draw, nothing to fail.
    for wild in [f32::NAN, f32::INFINITY, f32::NEG_INFINITY, -1e30, 1e30] {
        let landmarks = [[wild; 2]; 5];
        draw_faces(&mut img, &[DrawFace { bounds: [wild, 10.0, -5.0, wild], score: wild, landmarks }]);
    }
    draw_faces(&mut Rgb8::black(0, 0), &[face([0.0; 4])]);
    // Of somebody unknown in grey, frame and tab; of others in a colour.
    let mut img = Rgb8::black(200, 150);
    let name = |text: &str, is_known| FaceName { text: text.to_owned(), is_known };
    let faces = [face([10.0, 50.0, 60.0, 120.0]), face([120.0, 50.0, 180.0, 120.0])];
    draw_named_faces(&mut img, &faces, &[name("ann", true), name("unknown", false)]);
    let is_grey = |x: usize, y: usize| {
        let at = &img.row(y)[x * 3..][..3];
        at[0] == at[1] && at[1] == at[2] && at[0] > 0
    };
    assert!(is_grey(120, 90) && is_grey(180, 90) && is_grey(150, 120), "frame of the unknown");
    assert!(is_grey(120, 48) && !is_grey(10, 48), "tab");
    assert!(!is_grey(10, 90) && img.row(90)[31] > 0, "frame of the known");
}

#[test]
fn folders_are_searched_in_order() {
    let dir = tempfile::tempdir().unwrap();
    let at = |name: &str| dir.path().join(name);
    for name in ["b/2.JPG", "b/1.png", "a/deep/er/x.jpeg", "a.txt", "b/.hidden.jpg", "notes/readme.md"] {
        fs::create_dir_all(at(name).parent().unwrap()).unwrap();
        fs::write(at(name), "").unwrap();
    }
    #[cfg(unix)]
    std::os::unix::fs::symlink(dir.path(), at("b/loop")).unwrap();
    let all = collect(&[dir.path().to_owned()]);
    assert_eq!(all.images, ["a/deep/er/x.jpeg", "b/1.png", "b/2.JPG"].map(at));
    assert!(all.problems.is_empty(), "{:?}", all.problems);

    // Named files are taken whatever their suffix; what is missing or empty is told, and stops nothing.
    let mixed = collect(&[at("a.txt"), at("absent.jpg"), at("notes"), at("b")]);
    assert_eq!(mixed.images[0], at("a.txt"));
    assert!(mixed.images.contains(&at("b/1.png")));
    let told: Vec<String> = mixed.problems.iter().map(Error::to_string).collect();
    assert_eq!(told.len(), 2, "{told:?}");
    assert!(told[0].contains("absent.jpg") && told[1].contains("no photographs"), "{told:?}");

    assert!(decode(dir.path()).unwrap_err().to_string().contains("folder"));
    assert!(matches!(decode(at("absent.jpg")).unwrap_err(), Error::Io { .. }));
}

#[test]
#[ignore = "prints times; run it with --nocapture, and --release for figures that count"]
fn times() {
    let src = Rgb8::new(250, 250, (0..250 * 250 * 3).map(|i| (i * 7919 % 256) as u8).collect());
    let time = |what: &str, work: &mut dyn FnMut()| {
        work();
        let (runs, start) = (50, std::time::Instant::now());
        (0..runs).for_each(|_| work());
        println!("{what}: {:.3} ms", start.elapsed().as_secs_f64() * 1e3 / f64::from(runs));
    };
    time("pyramid of 250 x 250, 8 levels", &mut || {
        for level in 0..8 {
            let size = (250.0 * 0.6 * 0.709f64.powi(level)).ceil() as usize;
            std::hint::black_box(resize_area_u8(&src, size, size));
        }
    });
    let large = Rgb8::new(4000, 3000, vec![100; 4000 * 3000 * 3]);
    time("4000 x 3000 to 2400 x 1800", &mut || drop(std::hint::black_box(resize_area_u8(&large, 2400, 1800))));
    let patch: Vec<f32> = (0..61 * 61 * 3).map(|i| (i % 256) as f32).collect();
    let mut out = vec![0.0; 48 * 48 * 3];
    time("f32 61 x 61 to 24 x 24", &mut || resize_area_f32(&patch, 61, 61, 3, 24, 24, &mut out[..24 * 24 * 3]));
    time("f32 61 x 61 to 48 x 48", &mut || resize_area_f32(&patch, 61, 61, 3, 48, 48, &mut out));
    time("f32 20 x 20 to 24 x 24", &mut || {
        resize_area_f32(&patch[..1200], 20, 20, 3, 24, 24, &mut out[..24 * 24 * 3]);
    });
    time("bilinear 250 to 160", &mut || drop(std::hint::black_box(resize_bilinear_pillow(&src, 160, 160))));
    for warp in [Warp::Exact, Warp::OpenCv4] {
        let map = [[0.6, 0.1, -10.0], [-0.1, 0.6, 5.0]];
        time(&format!("warp {warp} to 112"), &mut || {
            drop(std::hint::black_box(warp_affine(&src, &map, 112, 112, warp)))
        });
        time(&format!("warp {warp} to 160"), &mut || {
            drop(std::hint::black_box(warp_affine(&src, &map, 160, 160, warp)))
        });
    }
    let mut white = vec![0.0; src.data().len()];
    time("prewhiten 250", &mut || prewhiten(&src, &mut white));
    let jpeg = encode_jpeg(&src, 90).unwrap();
    time("decode JPEG 250 x 250 of noise", &mut || {
        drop(std::hint::black_box(decode_bytes(Path::new("x"), &jpeg, &Limits::default())));
    });
}
