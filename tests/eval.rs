//! The LFW protocol against the original's algorithms (tests/golden/eval, made by tools/golden/eval.py) and by hand.

use std::fs::{self, File};
use std::io::BufReader;
use std::path::{Path, PathBuf};

use approx::assert_abs_diff_eq;
use serde_json::Value;
use warpface::eval::folds::folds_of_one_kind;
use warpface::eval::report::{self, PicturePair, ReportInput};
use warpface::eval::{
    EvalOptions, Evaluation, Metric, Packed, Pair, Pairs, Person, Photo, evaluate, generate, generate_counts,
    list_people, possible_pairs,
};

fn golden(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden/eval").join(name)
}

fn array(name: &str) -> (usize, Vec<f32>) {
    let file = npyz::NpyFile::new(BufReader::new(File::open(golden(name)).unwrap())).unwrap();
    (file.shape()[1] as usize, file.into_vec().unwrap())
}

/// One-dimensional embeddings whose squared distances are these.
fn by_hand(distances: &[f32], same: &[bool], folds: usize) -> Evaluation {
    let b: Vec<f32> = distances.iter().map(|d| d.sqrt()).collect();
    let options = EvalOptions { folds, ..EvalOptions::default() };
    evaluate(&vec![0.0; b.len()], &b, 1, same, &options).unwrap()
}

#[test]
fn the_originals_answers() {
    let ((dim, a), (_, b)) = (array("a.npy"), array("b.npy"));
    let golden: Value = serde_json::from_str(&fs::read_to_string(golden("cases.json")).unwrap()).unwrap();
    let same: Vec<bool> = serde_json::from_value(golden["same"].clone()).unwrap();
    let cases = golden["cases"].as_array().unwrap();
    assert_eq!(cases.len(), 12);
    for case in cases {
        let options = EvalOptions {
            folds: case["folds"].as_u64().unwrap() as usize,
            metric: case["metric"].as_str().unwrap().parse().unwrap(),
            subtract_mean: case["subtract_mean"].as_bool().unwrap(),
        };
        let evaluation = evaluate(&a, &b, dim, &same, &options).unwrap();
        let expected: Vec<[f64; 5]> = serde_json::from_value(case["fold_results"].clone()).unwrap();
        assert_eq!(evaluation.folds.len(), expected.len());
        for (fold, expected) in evaluation.folds.iter().zip(expected) {
            let found = [fold.threshold, fold.accuracy, fold.val_threshold, fold.val, fold.far];
            found.iter().zip(expected).for_each(|(&x, y)| assert_abs_diff_eq!(x, y, epsilon = 1e-12));
        }
        let figures = serde_json::to_value(evaluation.figures).unwrap();
        let expected = &case["figures"];
        assert_eq!(figures["pairs"], expected["pairs"]);
        for at in ["/accuracy/mean", "/accuracy/std", "/val/mean", "/val/std", "/val/far", "/auc", "/eer", "/threshold"]
        {
            let [x, y] = [&figures, expected].map(|v| v.pointer(at).and_then(Value::as_f64).expect(at));
            assert!((x - y).abs() <= 1e-12, "{at} of {options:?}: {x}, the original's algorithm has {y}");
        }
    }
}

#[test]
fn perfect_separation() {
    let distances = [0.105, 0.205, 1.005, 1.105, 0.155, 0.205, 0.905, 1.505];
    let same = [true, true, false, false, true, true, false, false];
    let evaluation = by_hand(&distances, &same, 2);
    let figures = evaluation.figures;
    assert_eq!((figures.accuracy.mean, figures.accuracy.std), (1.0, 0.0));
    assert_eq!((figures.auc, figures.eer), (1.0, 0.0));
    // The first threshold above the same pairs wins.
    assert_eq!(evaluation.folds.iter().map(|f| f.threshold).collect::<Vec<_>>(), [0.21, 0.21]);
    // VAL's thresholds end where the training pairs' first false accept begins: fold 2's, at 1.005, lets 0.905 pass.
    assert_eq!((figures.threshold, figures.val.mean, figures.val.far), (0.21, 1.0, 0.25));
    // Over all pairs it lies midway.
    assert_abs_diff_eq!(evaluation.best_accuracy.threshold, 0.555, epsilon = 1e-6);
    assert_eq!((evaluation.best_accuracy.score, evaluation.best_f1.score), (1.0, 1.0));
}

#[test]
fn all_ties_are_chance() {
    let same = [true, false, true, false];
    let evaluation = by_hand(&[0.25; 4], &same, 2);
    assert_eq!((evaluation.figures.auc, evaluation.figures.eer), (0.5, 0.5));
    assert_eq!(evaluation.figures.accuracy.mean, 0.5);
    // No threshold is better than rejecting everything at 0, the first.
    assert_eq!(evaluation.figures.threshold, 0.0);
    assert_eq!(evaluation.best_accuracy.threshold, 0.25);
    assert_eq!(evaluation.roc.points().len(), 2);
    // Accepting everything: 2 true accepts of 4, none missed.
    assert_abs_diff_eq!(evaluation.best_f1.score, 2.0 / 3.0, epsilon = 1e-12);
    assert!(evaluation.best_f1.threshold > 0.25);
}

#[test]
fn auc_and_eer_by_hand() {
    // same 0.1 0.3 0.5, different 0.3 0.6 2.0 and 6.25, beyond the original's thresholds.
    let distances = [0.1, 0.3, 0.5, 0.3, 0.6, 2.0, 6.25];
    let evaluation = by_hand(&distances, &[true, true, true, false, false, false, false], 1);
    // Of 12 comparisons the same pair is nearer in 4 + 3.5 + 3.
    assert_abs_diff_eq!(evaluation.figures.auc, 10.5 / 12.0, epsilon = 1e-12);
    // From (0, 1/3) to (1/4, 2/3) the gap far + tar - 1 goes from -2/3 to -1/12; to (1/4, 1) it reaches 1/4.
    assert_abs_diff_eq!(evaluation.figures.eer, 0.25, epsilon = 1e-12);
    assert_eq!(evaluation.roc.points().last().unwrap().false_accepts, 4);
    assert_eq!(evaluation.nearest_different(2), [3, 4]);
    assert_eq!(evaluation.farthest_same(2), [2, 1]);
    assert!(evaluation.is_wrong(3, 0.55) && !evaluation.is_wrong(4, 0.55) && !evaluation.is_wrong(2, 0.55));
}

#[test]
fn one_fold_learns_from_itself() {
    let evaluation = by_hand(&[0.105, 0.205, 0.5, 0.6], &[true, true, false, false], 1);
    assert_eq!(evaluation.folds.len(), 1);
    assert_eq!(evaluation.folds[0].threshold, 0.21);
    assert_eq!(evaluation.figures.accuracy.mean, 1.0);
}

#[test]
fn folds_are_consecutive_and_the_first_are_longer() {
    let evaluation = by_hand(&[0.1, 0.9, 0.1, 0.9, 0.1, 0.9, 0.1], &[true, false, true, false, true, false, true], 3);
    assert_eq!(evaluation.folds.iter().map(|f| f.pairs).collect::<Vec<_>>(), [3, 2, 2]);
    for folds in [0, 8] {
        let options = EvalOptions { folds, ..EvalOptions::default() };
        let error = evaluate(&[0.0; 7], &[0.0; 7], 1, &[true; 7], &options).unwrap_err().to_string();
        assert!(error.contains("7 pairs"), "{error}");
    }
}

#[test]
fn subtracting_the_mean_uses_the_training_folds() {
    // Fold 2 of 2: its mean comes from pair 0, (1 + 3) / 2 = 2; from there 2.5 and 1.5 point apart, a cosine distance of 1.
    let options = EvalOptions { folds: 2, metric: Metric::Cosine, subtract_mean: true };
    let evaluation = evaluate(&[1.0, 2.5], &[3.0, 1.5], 1, &[true, false], &options).unwrap();
    assert_eq!(evaluation.distances, [1.0, 1.0]);
    let plain = EvalOptions { subtract_mean: false, ..options };
    assert_eq!(evaluate(&[1.0, 2.5], &[3.0, 1.5], 1, &[true, false], &plain).unwrap().distances, [0.0, 0.0]);
}

#[test]
fn val_at_far() {
    // No different pair within the thresholds: FAR 0.001 is never reached, so the threshold is 0 and nothing is accepted.
    let unreachable = by_hand(&[0.1, 5.0, 0.1, 5.0], &[true, false, true, false], 2);
    assert_eq!((unreachable.folds[0].val_threshold, unreachable.figures.val.mean), (0.0, 0.0));
    // One of two different pairs at 0.5005: the rate steps from 0 at 0.5 to 1/2 at 0.501, and 1/500 of the way is 0.001.
    let reached = by_hand(&[0.1, 0.5005, 0.1, 5.0], &[true, false, true, false], 1);
    assert_abs_diff_eq!(reached.folds[0].val_threshold, 0.500002, epsilon = 1e-7);
    assert_eq!((reached.figures.val.mean, reached.figures.val.far), (1.0, 0.0));
    // Exactly 1 of 1000 from 0.5 on, 2 of 1000 from 1.0 on: the last threshold of the plateau.
    let mut distances = vec![5.0; 1001];
    let mut same = vec![false; 1001];
    (same[0], distances[0], distances[1], distances[2]) = (true, 0.1, 0.5, 1.0);
    assert_abs_diff_eq!(by_hand(&distances, &same, 1).folds[0].val_threshold, 1.0, epsilon = 1e-9);
    // The plateau lasts to the end of the thresholds: the spline's degenerate end.
    distances[2] = 5.0;
    assert_eq!(by_hand(&distances, &same, 1).folds[0].val_threshold, 0.0);
}

#[test]
fn undefined_figures_are_null() {
    let evaluation = by_hand(&[0.105, 0.105], &[true, true], 2);
    let figures = serde_json::to_value(evaluation.figures).unwrap();
    assert_eq!((&figures["auc"], &figures["eer"], &figures["val"]["far"]), (&Value::Null, &Value::Null, &Value::Null));
    // Without different people there is no rate of false accepts to choose a threshold by.
    assert_eq!((&figures["val"]["mean"], &figures["val"]["std"]), (&Value::Null, &Value::Null));
    assert_eq!(figures["accuracy"]["mean"], 1.0);
    let different = by_hand(&[0.105, 2.0, 0.5, 1.0], &[false; 4], 2);
    assert!(different.figures.val.mean.is_nan() && different.figures.val.far.is_finite());
}

#[test]
fn folds_of_one_kind_are_counted() {
    assert_eq!(folds_of_one_kind(&[true, true, false, false], 2).unwrap(), 2);
    assert_eq!(folds_of_one_kind(&[true, true, true, false], 2).unwrap(), 1);
    assert_eq!(folds_of_one_kind(&[true, false, true, false], 2).unwrap(), 0);
    // Pairs of one kind alone are another matter.
    assert_eq!(folds_of_one_kind(&[true; 4], 2).unwrap(), 0);
    assert!(folds_of_one_kind(&[true], 2).is_err());
}

#[test]
fn what_is_no_distance_is_an_error_naming_the_pair() {
    let options = EvalOptions { folds: 1, ..EvalOptions::default() };
    for bad in [f32::NAN, f32::INFINITY] {
        let error = evaluate(&[0.0, 0.0], &[0.5, bad], 1, &[true, false], &options).unwrap_err().to_string();
        assert!(error.contains("pair 2") && error.contains("not finite"), "{error}");
    }
    let cosine = EvalOptions { metric: Metric::Cosine, ..options.clone() };
    assert!(evaluate(&[0.0, 1.0], &[1.0, 1.0], 1, &[true, false], &cosine).is_err(), "a zero vector has no direction");
    assert!(evaluate(&[0.0; 3], &[0.0; 4], 2, &[true, false], &options).is_err(), "a row too short");
    assert!(evaluate(&[], &[], 0, &[true, false], &options).is_err(), "no dimensions");
}

#[test]
fn six_thousand_pairs_take_no_time() {
    let n = 6000;
    let mut state = 1u32;
    let mut noise = || {
        state = state.wrapping_mul(1664525).wrapping_add(1013904223);
        (state >> 8) as f32 / (1 << 24) as f32
    };
    let distances: Vec<f32> = (0..n).map(|i| if i % 2 == 0 { noise() } else { 0.6 + 3.0 * noise() }).collect();
    let same: Vec<bool> = (0..n).map(|i| i % 2 == 0).collect();
    let start = std::time::Instant::now();
    let evaluation = by_hand(&distances, &same, 10);
    assert!(start.elapsed().as_secs_f64() < 5.0, "{:?}", start.elapsed());
    assert!(evaluation.figures.accuracy.mean > 0.85);
}

fn parse(text: &str) -> Result<Pairs, String> {
    Pairs::parse(text.as_bytes(), Path::new("some/pairs.txt")).map_err(|e| e.to_string())
}

fn numbered(name: &str, index: u32) -> Photo {
    Photo::Numbered(name.into(), index)
}

#[test]
fn pairs_in_every_guise() {
    let pairs = parse("2\t1\nAl_B\t1\t2\nAl_B\t1\tC\t12\n").unwrap();
    assert_eq!((pairs.folds, pairs.per_fold), (Some(2), 1));
    assert_eq!(pairs.pairs[0], Pair { a: numbered("Al_B", 1), b: numbered("Al_B", 2), same: true });
    assert_eq!(pairs.pairs[1], Pair { a: numbered("Al_B", 1), b: numbered("C", 12), same: false });
    assert_eq!(pairs.header_mismatch().unwrap(), "the header promises 4 pairs, the file has 2");
    let tolerant = parse("\u{feff}\r\n2 1 \r\n\r\n  Al_B 1   2\r\nAl_B\t1 C 12").unwrap();
    assert_eq!(tolerant, pairs);
    let dev_test = parse("1\nA 1 2\nA 1 B 1\n").unwrap();
    assert_eq!((dev_test.folds, dev_test.per_fold, dev_test.header_mismatch()), (None, 1, None));
    assert_eq!(dev_test, parse(&dev_test.to_text().unwrap()).unwrap());
    // Without folds ten, as the original takes them, if there are as many pairs.
    let named = parse("3\t1\nA 1 2\nA 1 B 1\n").unwrap();
    assert_eq!((dev_test.default_folds(), named.default_folds()), (2, 3));
    let many = Pairs { pairs: vec![dev_test.pairs[0].clone(); 500], ..dev_test };
    assert_eq!(many.default_folds(), 10);
}

#[test]
fn tabs_separate_names_with_spaces() {
    let pairs = parse("1\t2\nPerson 12\t1\t2\nPerson 12\t3\t4\t\nPerson 12 \t 1\tPerson 7\t10\nAnn 1 2\n").unwrap();
    let same = |name: &str, i, j| Pair { a: numbered(name, i), b: numbered(name, j), same: true };
    let apart = Pair { a: numbered("Person 12", 1), b: numbered("Person 7", 10), same: false };
    assert_eq!(pairs.pairs, [same("Person 12", 1, 2), same("Person 12", 3, 4), apart, same("Ann", 1, 2)]);
    assert_eq!(parse(&pairs.to_text().unwrap()).unwrap(), pairs);
}

#[test]
fn calfws_lists_are_read() {
    // In CALFW the number counts the folds of pairs of one person; pairs of two people have 0.
    let pairs =
        parse("A_B_0001.jpg 1\nA_B_0002.jpg 1\r\n\nC_0001.jpg\t10\nC_0003.jpg\t10\nA_B_0001.jpg 0\nC 2.jpg 0\n");
    let pairs = pairs.unwrap();
    let path = |name: &str| Photo::Path(name.into());
    let expected = [
        ("A_B_0001.jpg", "A_B_0002.jpg", true),
        ("C_0001.jpg", "C_0003.jpg", true),
        ("A_B_0001.jpg", "C 2.jpg", false),
    ];
    assert_eq!(pairs.pairs, expected.map(|(a, b, same)| Pair { a: path(a), b: path(b), same }));
    assert_eq!((pairs.folds, pairs.header_mismatch(), pairs.default_folds()), (None, None, 3));
    assert_eq!(parse(&pairs.to_text().unwrap()).unwrap().pairs, pairs.pairs);
    for (text, message) in [
        ("a.jpg 1\nb.jpg 0\n", "some/pairs.txt:2: the two lines of a pair end in the same number, not in 1 and 0"),
        ("a.jpg 1\nb.jpg 1\nc.jpg 0\n", "some/pairs.txt:3: the last photograph has no second one"),
        ("a.jpg 1\nb.jpg\n", "some/pairs.txt:2: expected a photograph and a number"),
        ("../a.jpg 1\nb.jpg 1\n", "some/pairs.txt:1: `../a.jpg` is no relative path"),
    ] {
        let error = parse(text).unwrap_err();
        assert!(error.starts_with(message), "{text:?} gives {error}");
    }
}

#[test]
fn insightfaces_sets_of_every_python() {
    let folder = golden("../packed");
    let every: Vec<u8> = (0..=255).collect();
    let expected: [&[u8]; 4] = [&every, b"\xff\xd8\xff\xe0", b"'\"\\\n\r\t\0", b"plain"];
    let mut files: Vec<PathBuf> = fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    assert_eq!(files.len(), 13);
    // Python 2's oldest form has escapes in its strings: it says what helps.
    let oldest = files.remove(files.iter().position(|file| file.ends_with("python2_0.bin")).unwrap());
    let error = Packed::read(&oldest).err().expect("escaped").to_string();
    assert!(error.contains("python2_0.bin: holds an escaped string") && error.contains("protocol 2"), "{error}");
    for file in &files {
        let set = Packed::read(file).unwrap_or_else(|error| panic!("{error}"));
        let photographs: Vec<&[u8]> = (0..set.len()).map(|i| set.photograph(i)).collect();
        assert_eq!(photographs, expected, "{}", file.display());
        assert_eq!(set.pairs().iter().map(|p| (p.a, p.b, p.same)).collect::<Vec<_>>(), [(0, 1, true), (2, 3, false)]);
    }
    let bytes = fs::read(&files[0]).unwrap();
    for length in 0..bytes.len() {
        let error = Packed::parse(bytes[..length].to_vec(), "x.bin").err().expect("cut short").to_string();
        assert!(error.starts_with("x.bin: ") && error.contains("insightface"), "{error}");
    }
    let refused = |bytes: &[u8]| Packed::parse(bytes.to_vec(), "x.bin").err().expect("no set").to_string();
    assert!(refused(b"\x80\x02]q\x00(]q\x01U\x01aa]q\x02\x88ae.").contains("has 1 photographs for 1 pairs"));
    assert!(refused(b"cos\nsystem\n(S'true'\ntR.").contains("os.system"));
}

#[test]
fn bad_pairs_name_file_and_line() {
    let cases = [
        ("", "some/pairs.txt:1: the file is empty"),
        ("ten\t300\n", "some/pairs.txt:1: the header must be"),
        ("0\n", "some/pairs.txt:1: the header must be"),
        ("1 2 3\n", "some/pairs.txt:1: the header must be"),
        (
            "name,imagenum1,imagenum2,\nA,1,2,\n",
            "some/pairs.txt:1: the file is a table of comma-separated values (CSV)",
        ),
        ("\u{1f}\u{8b}", "some/pairs.txt:1: the header must be"),
        ("1\nA 1 2\n\nA 1\n", "some/pairs.txt:4: expected `name i j`"),
        ("1\nA 1 two\n", "some/pairs.txt:2: `two` is no photograph's number"),
        ("1\nA -1 2\n", "some/pairs.txt:2: `-1` is no photograph's number"),
        ("1\nA/.. 1 2\n", "some/pairs.txt:2: `A/..` is no person's name"),
        ("1\n.. 1 2\n", "some/pairs.txt:2: `..` is no person's name"),
        ("1 paths\na/x.jpg\tb/y.jpg\n", "some/pairs.txt:2: expected `path<TAB>path<TAB>same`"),
        ("1 paths\na/x.jpg\tb/y.jpg\tmaybe\n", "some/pairs.txt:2: expected `same` or `different`"),
        ("1 paths\n../x.jpg\tb/y.jpg\tsame\n", "some/pairs.txt:2: `../x.jpg` is no relative path"),
        ("1 paths\n/x.jpg\tb/y.jpg\tsame\n", "some/pairs.txt:2: `/x.jpg` is no relative path"),
    ];
    for (text, message) in cases {
        let error = parse(text).unwrap_err();
        assert!(error.starts_with(message), "{text:?} gives {error}");
    }
    let error = Pairs::parse(b"1\nA 1 2\n\xff\n", Path::new("p")).unwrap_err().to_string();
    assert!(error.starts_with("p:3: not UTF-8"), "{error}");
    assert!(Pairs::read(Path::new("no/such/pairs.txt")).unwrap_err().to_string().contains("no/such/pairs.txt"));
}

#[test]
fn missing_photographs_skip_their_pairs() {
    let dir = tempfile::tempdir().unwrap();
    for file in ["A/A_0001.jpg", "A/A_0002.png", "B/B_0001.JPEG", "odd name/x y.jpg"] {
        let path = dir.path().join(file);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, "").unwrap();
    }
    let resolved = parse("1\nA 1 2\nA 1 3\nA 2 B 1\nA 3 C 1\n").unwrap().resolve(dir.path());
    let images = ["A/A_0001.jpg", "A/A_0002.png", "B/B_0001.JPEG"].map(|file| dir.path().join(file));
    assert_eq!(resolved.images, images);
    assert_eq!(resolved.pairs.iter().map(|p| (p.a, p.b, p.same)).collect::<Vec<_>>(), [(0, 1, true), (1, 2, false)]);
    assert_eq!(resolved.skipped.len(), 2);
    assert_eq!(resolved.missing, ["A/A_0003", "C/C_0001"]);

    let by_path =
        parse("1\tpaths\nodd name/x y.jpg\tA/A_0001.jpg\tdifferent\nA/none.jpg\tA/A_0001.jpg\tsame\n").unwrap();
    let resolved = by_path.resolve(dir.path());
    assert_eq!(resolved.images[0], dir.path().join("odd name/x y.jpg"));
    assert_eq!((resolved.pairs.len(), resolved.missing), (1, vec!["A/none.jpg".to_owned()]));
    assert_eq!(resolved.nearest, Some((dir.path().join("A/none.jpg"), Some(dir.path().join("A/A_0001.jpg")))));
    let error = Pairs::parse(b"\x1f\x8b\x08", "p.tgz").unwrap_err().to_string();
    assert!(error.starts_with("p.tgz: is no list of pairs, but gzipped"), "{error}");
}

#[test]
fn crops_are_found_by_their_photographs_names() {
    let dir = tempfile::tempdir().unwrap();
    for file in ["A/x.png", "A/x.jpeg.png", "A/y_0.png", "A/y_1.png", "A/A_0001_0.png", "A/v.1.png", "B b/B b_0002.png"]
    {
        let path = dir.path().join(file);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, "").unwrap();
    }
    let find = |photo: Photo| photo.find(dir.path()).map(|path| path.strip_prefix(dir.path()).unwrap().to_owned());
    for (asked, found) in [
        ("A/x.jpg", Some("A/x.png")),
        ("A/x.png", Some("A/x.png")),
        // The photograph whose crop kept its whole name beside another's.
        ("A/x.jpeg", Some("A/x.jpeg.png")),
        ("A/y.jpg", Some("A/y_0.png")),
        ("A/v.1.jpg", Some("A/v.1.png")),
        ("A/v.1", Some("A/v.1.png")),
        ("A/v.jpg", None),
        ("A/v.2", None),
        ("B b/B b_0001.jpg", None),
    ] {
        assert_eq!(find(Photo::Path(asked.into())), found.map(PathBuf::from), "{asked}");
    }
    assert_eq!(find(numbered("A", 1)), Some("A/A_0001_0.png".into()));
    let resolved = parse("1\tpaths\nA/y.jpg\tA/x.jpg\tsame\n").unwrap().resolve(dir.path());
    assert_eq!((resolved.pairs.len(), resolved.several), (1, vec![dir.path().join("A/y_0.png")]));
    let nearest = |text: &str| parse(text).unwrap().resolve(dir.path()).nearest.unwrap().1.unwrap();
    assert_eq!(nearest("1\nB b\t1\t2\n"), dir.path().join("B b/B b_0002.png"));
    assert_eq!(nearest("1\nB c\t1\t2\n"), dir.path().join("B b"));
}

#[test]
fn lfws_own_pairs() {
    let beside = || Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared");
    let lfw = std::env::var_os("WARPFACE_SHARED").map_or_else(beside, PathBuf::from).join("lfw");
    if !lfw.exists() {
        eprintln!("SKIPPED: no photographs at {} (set WARPFACE_SHARED)", lfw.display());
        return;
    }
    let pairs = Pairs::read(lfw.join("pairs.txt")).unwrap();
    assert_eq!((pairs.folds, pairs.pairs.len(), pairs.header_mismatch()), (Some(2), 1200, None));
    assert_eq!(pairs.to_text().unwrap(), fs::read_to_string(lfw.join("pairs.txt")).unwrap());
    let resolved = pairs.resolve(lfw.join("images"));
    assert_eq!((resolved.images.len(), resolved.pairs.len(), resolved.missing.len()), (1583, 1200, 0));
}

fn people(counts: &[usize]) -> Vec<Person> {
    let person = |(i, &n): (usize, &usize)| Person {
        name: format!("person {i}"),
        photos: (0..n).map(|j| format!("photo ({j}).jpg")).collect(),
    };
    counts.iter().enumerate().map(person).collect()
}

#[test]
fn generated_pairs_are_seeded_distinct_and_true() {
    let people = people(&[19, 18, 1, 20, 17]);
    let pairs = generate(3, &people, 4, 30).unwrap();
    assert_eq!(pairs, generate(3, &people, 4, 30).unwrap());
    assert_ne!(pairs, generate(4, &people, 4, 30).unwrap());
    assert_eq!((pairs.pairs.len(), pairs.header_mismatch()), (240, None));
    let mut seen = std::collections::HashSet::new();
    for (i, pair) in pairs.pairs.iter().enumerate() {
        let folder = |photo: &Photo| photo.to_string().split('/').next().unwrap().to_owned();
        assert_eq!(pair.same, i % 60 < 30, "the layout of pair {i}");
        assert_eq!(pair.same, folder(&pair.a) == folder(&pair.b));
        assert_ne!(pair.a, pair.b);
        assert!(seen.insert((pair.a.clone(), pair.b.clone())), "pair {i} again");
    }
    assert_eq!(parse(&pairs.to_text().unwrap()).unwrap(), pairs);
}

#[test]
fn any_number_of_pairs_is_shared_out_evenly() {
    let people = people(&[5, 4, 3]);
    assert_eq!(possible_pairs(&people), (10 + 6 + 3, 20 + 15 + 12));
    for (folds, same, different) in [(3, 5, 5), (4, 3, 10), (10, 19, 47), (1, 1, 1), (2, 2, 1)] {
        let pairs = generate_counts(5, &people, folds, same, different).unwrap();
        let all = same + different;
        assert_eq!(pairs.pairs.len(), all);
        assert_eq!(pairs.pairs.iter().filter(|pair| pair.same).count(), same);
        let text = pairs.to_text().unwrap();
        let read = parse(&text).unwrap();
        assert_eq!((&read.pairs, read.folds, read.header_mismatch()), (&pairs.pairs, Some(folds), None), "{text}");
        let mut start = 0;
        for fold in 0..folds {
            let end = start + all / folds + usize::from(fold < all % folds);
            let count = pairs.pairs[start..end].iter().filter(|pair| pair.same).count();
            assert!(
                count.abs_diff((end - start) * same / all) <= 1,
                "fold {fold} of {folds}: {count} of {}",
                end - start
            );
            start = end;
        }
    }
    assert!(generate_counts(5, &people, 5, 2, 2).unwrap_err().to_string().contains("4 pairs cannot be split"));
}

#[test]
fn every_possible_pair_can_be_generated_and_no_more() {
    // 3 + 1 same pairs, 2·3 + 1·3 + 1·2 = 11 different ones.
    let few = people(&[3, 2, 1]);
    let pairs = generate(0, &few, 2, 2).unwrap();
    let same: std::collections::HashSet<_> = pairs.pairs.iter().filter(|p| p.same).map(|p| (&p.a, &p.b)).collect();
    assert_eq!(same.len(), 4);
    let error = generate(0, &few, 5, 1).unwrap_err().to_string();
    assert!(error.contains("only 4 same pairs"), "{error}");
    let error = generate(0, &people(&[9]), 1, 1).unwrap_err().to_string();
    assert!(error.contains("only 0 different pairs"), "{error}");
    assert!(generate(0, &few, usize::MAX, 2).is_err());
}

#[test]
fn what_a_pairs_file_cannot_hold_is_refused() {
    let pair = |a: &str| Pair { a: Photo::Path(a.into()), b: Photo::Path("b/y.jpg".into()), same: true };
    for bad in ["a/x\t.jpg", "a/x\n.jpg", "/a/x.jpg", ""] {
        let pairs = Pairs { folds: None, per_fold: 1, pairs: vec![pair(bad)] };
        assert!(pairs.to_text().is_err(), "{bad:?}");
    }
}

#[test]
fn people_are_listed_in_order() {
    let dir = tempfile::tempdir().unwrap();
    for file in ["b/2.jpg", "b/1.PNG", "b/notes.txt", "a/x.jpeg", "empty/readme.md", "loose.jpg"] {
        let path = dir.path().join(file);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, "").unwrap();
    }
    let expected = [("a", vec!["x.jpeg"]), ("b", vec!["1.PNG", "2.jpg"])];
    let (found, left_out) = list_people(dir.path()).unwrap();
    let left_out: Vec<String> = left_out.iter().map(ToString::to_string).collect();
    assert_eq!(left_out.len(), 2, "{left_out:?}");
    assert!(
        left_out[0].contains("empty: no photographs") && left_out[1].contains("loose.jpg: left out"),
        "{left_out:?}"
    );
    assert_eq!(found.len(), 2);
    for (person, (name, photos)) in found.iter().zip(expected) {
        assert_eq!((person.name.as_str(), person.photos.iter().map(String::as_str).collect()), (name, photos));
    }
    assert!(list_people(dir.path().join("none")).unwrap_err().to_string().contains("none"));
}

#[test]
fn the_report_is_one_whole_page() {
    let ((dim, a), (_, b)) = (array("a.npy"), array("b.npy"));
    let golden: Value = serde_json::from_str(&fs::read_to_string(golden("cases.json")).unwrap()).unwrap();
    let same: Vec<bool> = serde_json::from_value(golden["same"].clone()).unwrap();
    let evaluation = evaluate(&a, &b, dim, &same, &EvalOptions::default()).unwrap();
    let threshold = evaluation.figures.threshold;
    let face = |seed: usize| {
        let shade = |x, y| image::Rgb([(x * 3 + seed as u32 * 40) as u8, (y * 3) as u8, 120]);
        let mut png = Vec::new();
        let picture = image::RgbImage::from_fn(80, 80, shade);
        picture.write_to(&mut std::io::Cursor::new(&mut png), image::ImageFormat::Png).unwrap();
        png
    };
    let picture = |i: usize| PicturePair {
        a: face(i),
        b: face(i + 3),
        name_a: format!("Someone <{i}>/x.jpg"),
        name_b: "Another/y & z.jpg".into(),
        distance: evaluation.distances[i],
        wrong: evaluation.is_wrong(i, threshold),
    };
    let different: Vec<_> = evaluation.nearest_different(8).into_iter().map(picture).collect();
    let farthest: Vec<_> = evaluation.farthest_same(8).into_iter().map(picture).collect();
    let options = [("distance".to_owned(), "euclidean".to_owned()), ("folds".to_owned(), "10".to_owned())];
    let page = report::html(&ReportInput {
        title: "People & <friends>",
        model: "graph_final.pb",
        device: "cpu",
        options: &options,
        images: 406,
        evaluation: &evaluation,
        nearest_different: &different,
        farthest_same: &farthest,
        skipped: &["Nobody/a.jpg: no face".to_owned()],
        seconds: &[("decode".to_owned(), 0.5), ("total".to_owned(), 12.25)],
    });
    if let Some(path) = std::env::var_os("WARPFACE_KEEP_REPORT") {
        fs::write(path, &page).unwrap();
    }
    assert!(page.contains("<h1>People &amp; &lt;friends&gt;</h1>"));
    assert!(page.contains("Someone &lt;") && !page.contains("Someone <"));
    assert_eq!(page.matches("<svg").count(), 4);
    assert_eq!(page.matches("data:image/png;base64,iVBORw0KGgo").count(), 32);
    assert!(page.contains("Nobody/a.jpg: no face") && page.contains("12.25"));
    assert!(
        !page.contains("src=\"http") && !page.contains("<script") && !page.contains("NaN") && !page.contains("inf")
    );
    for fold in &evaluation.folds {
        assert!(page.contains(&format!("{:.4}", fold.val_threshold)));
    }
}

#[test]
fn a_report_of_nothing_much_is_still_a_page() {
    let evaluation = by_hand(&[0.0, 0.0], &[true, true], 1);
    let page = report::html(&ReportInput {
        title: "",
        model: "",
        device: "",
        options: &[],
        images: 0,
        evaluation: &evaluation,
        nearest_different: &[],
        farthest_same: &[],
        skipped: &[],
        seconds: &[],
    });
    assert!(page.contains("</html>") && !page.contains("NaN"));
}
