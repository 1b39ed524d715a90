//! The forms in which OpenFace's networks are found: Torch7's `.t7`, by a writer of our own that torchfile and OpenCV were
//! held against (`tools/golden/torch7.py`), and folders of CSV files.

use std::path::{Path, PathBuf};

use warpface::weights::{self, Format, TensorMap, TorchModule};
use warpface::{ErrorKind, Tensor};

fn golden(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden/weights").join(name)
}

fn rule<const N: usize>(shape: [usize; N], from: usize) -> Tensor {
    let n: usize = shape.iter().product();
    Tensor::new(shape, (from..from + n).map(|i| i as f32 / 4.0 - 3.0).collect())
}

const FORMS: [&str; 3] = ["network.t7", "network_32.t7", "network_ascii.t7"];

fn load(name: &str) -> TensorMap {
    let map = weights::load(golden(name)).unwrap_or_else(|e| panic!("{e}"));
    assert_eq!(map.format, Format::Torch7, "{name}");
    map
}

#[test]
fn torch7_tensors_are_named_by_their_path() {
    for file in FORMS {
        let map = load(file);
        let get = |name: &str, shape: &[usize]| map.get(name, shape).unwrap_or_else(|e| panic!("{e}"));
        assert_eq!(get("model/modules/1/weight", &[3, 18]), rule([3, 18], 0), "{file}");
        assert_eq!(get("model/modules/1/bias", &[3]), rule([3], 0), "{file}");
        assert_eq!(get("model/modules/2/running_var", &[3]).data(), [1.0, 2.0, 4.0], "{file}");
        // Both lie in one storage, and the matrix is turned.
        assert_eq!(get("model/modules/5/modules/3/bias", &[3]), rule([3], 0), "{file}");
        let turned = rule([27, 3], 3).permute(&[1, 0]);
        assert_eq!(get("model/modules/5/modules/3/weight", &[3, 27]), turned, "{file}");
        assert_eq!(get("odd/half", &[5]), rule([5], 0), "{file}");
        assert_eq!(get("odd/cuda", &[2, 3]), rule([2, 3], 0), "{file}");
        assert_eq!(get("odd/double", &[2]), rule([2], 0), "{file}");
        let slice: Vec<f32> =
            [0, 2].iter().flat_map(|h| (0..20).map(move |i| (60 + h * 20 + i) as f32 / 4.0 - 3.0)).collect();
        assert_eq!(get("odd/slice", &[1, 2, 4, 5]).data(), slice, "{file}");
    }
}

#[test]
fn what_is_no_weight_is_left_out_and_named() {
    for file in FORMS {
        let map = load(file);
        let why = |name: &str| map.skipped.get(name).unwrap_or_else(|| panic!("{file}: {:?}", map.skipped)).as_str();
        assert_eq!(why("model/modules/1/gradWeight"), "a trace of the last run");
        assert_eq!(why("model/modules/1/output"), "a trace of the last run");
        assert_eq!(why("model/modules/1/forward"), "code");
        assert_eq!(why("odd/counts"), "integers");
        assert_eq!(why("odd/bytes"), "integers");
        // A table in itself, and a module met again.
        let again = |name: &&String| name.starts_with("odd/self") || name.starts_with("odd/again");
        assert_eq!(map.tensors.keys().find(again), None, "{file}");
    }
}

#[test]
fn torch7_modules_come_in_the_order_of_the_network() {
    for file in FORMS {
        let map = load(file);
        let listed: Vec<(&str, &str)> = map.modules().iter().map(|m| (m.path.as_str(), m.class.as_str())).collect();
        assert_eq!(
            listed,
            [
                ("model", "nn.Sequential"),
                ("model/modules/1", "nn.SpatialConvolutionMM"),
                ("model/modules/2", "nn.SpatialBatchNormalization"),
                ("model/modules/3", "nn.ReLU"),
                ("model/modules/4", "nn.SpatialMaxPooling"),
                ("model/modules/5", "nn.Sequential"),
                ("model/modules/5/modules/1", "nn.SpatialCrossMapLRN"),
                ("model/modules/5/modules/2", "nn.View"),
                ("model/modules/5/modules/3", "nn.Linear"),
                ("model/modules/5/modules/4", "nn.Normalize"),
            ],
            "{file}"
        );
        let numbers =
            |i: usize, name: &str| map.modules().get(i).and_then(|m: &TorchModule| m.numbers.get(name)).copied();
        assert_eq!((numbers(1, "kW"), numbers(1, "padH"), numbers(1, "train")), (Some(3.0), Some(1.0), Some(0.0)));
        assert_eq!((numbers(2, "eps"), numbers(2, "affine")), (Some(0.25), Some(1.0)));
        assert_eq!((numbers(6, "alpha"), numbers(6, "size"), numbers(1, "_type")), (Some(0.0001), Some(5.0), None));
    }
    assert!(weights::load(golden("dict.npy")).unwrap().modules().is_empty());
}

/// A binary file of an object with the number 1: its type, and what follows.
fn binary(kind: i32, rest: &[&[u8]]) -> Vec<u8> {
    [&kind.to_le_bytes()[..], &1i32.to_le_bytes(), &rest.concat()].concat()
}

/// A string as files have it.
fn text(text: &str) -> Vec<u8> {
    [&(text.len() as i32).to_le_bytes()[..], text.as_bytes()].concat()
}

fn instance(class: &str, rest: &[u8]) -> Vec<u8> {
    binary(4, &[&text("V 1"), &text(class), rest])
}

fn refused(bytes: &[u8]) -> String {
    let error = weights::load_bytes("wrong.t7", bytes).expect_err("a wrong file was taken");
    assert_eq!(error.kind(), ErrorKind::Data);
    error.to_string()
}

#[test]
fn hostile_torch7_files_are_refused_with_the_reason() {
    let longs = |values: &[i64]| values.iter().flat_map(|value| value.to_le_bytes()).collect::<Vec<u8>>();
    let int = |value: i32| value.to_le_bytes().to_vec();
    let storage = |n: i64| [int(4), int(2), text("V 1"), text("torch.FloatStorage"), longs(&[n]), vec![0; 8]].concat();
    let tensor = |axes: i32, values: &[i64], rest: Vec<u8>| {
        instance("torch.FloatTensor", &[int(axes), longs(values), rest].concat())
    };
    for (bytes, problem) in [
        (binary(3, &[&int(i32::MAX)]), "claims 2147483647 elements"),
        (binary(3, &[&int(-1)]), "no known format"),
        (binary(3, &[&int(2), &int(1)]), "claims 2 elements where 4 bytes"),
        (tensor(1, &[2, 1, 1], storage(1 << 60)), "cut short"),
        (tensor(1, &[2, 1, 1], storage(-1)), "negative"),
        (tensor(1, &[3, 1, 1], storage(2)), "reaches beyond its storage"),
        (tensor(1, &[2, 1, 2], storage(2)), "reaches beyond its storage"),
        (tensor(1, &[2, i64::MAX, 1], storage(2)), "reaches beyond its storage"),
        (tensor(1, &[1 << 40, 0, 1], storage(2)), "describes far more data than it holds"),
        (tensor(2, &[1 << 40, 1 << 40, 0, 0, 1], storage(2)), "claims the shape"),
        (tensor(1, &[-2, 1, 1], storage(2)), "negative"),
        (tensor(33, &[0; 67], storage(2)), "33 axes"),
        (tensor(1, &[2, 1, 1], [int(3), int(2), int(0)].concat()), "the storage of `` is none"),
        (instance("tds.Hash", &[int(1), vec![0; 8]].concat()), "class `tds.Hash` has a form of its own"),
        (instance("nn.Linear", &int(9)), "9 is no type of object"),
        (instance("nn.Linear", &[int(3), int(2), int(0), int(0)].concat()), "4 bytes follow its end"),
        (instance("nn.Linear", &[int(3), int(2), int(0)].concat()), "holds no tensors"),
        (b"3\n1\n1\n2\n99\nshort\n".to_vec(), "claims 99 elements"),
        (b"3\n1\n1\n2\n1\na\n1\nmany\n".to_vec(), "`many` is no number"),
        (
            b"4\n1\n3\nV 1\n17\ntorch.FloatTensor\n1\n4000000000\n0\n1\n4\n2\n3\nV 1\n18\ntorch.FloatStorage\n1\n1\n"
                .to_vec(),
            "describes far more data than it holds",
        ),
        (b"4\n1\n3\nV 1\n18\ntorch.FloatStorage\n9000000000000000000\n1 2\n".to_vec(), "claims 9000000000000000000"),
    ] {
        let error = refused(&bytes);
        assert!(error.contains("wrong.t7") && error.contains(problem), "expected {problem}: {error}");
    }
}

/// Tables in tables, deeper than any stack.
#[test]
fn depth_costs_no_stack() {
    let mut bytes = Vec::new();
    for number in 1..=200_000i32 {
        [3, number, 1, 1].iter().for_each(|value| bytes.extend(value.to_le_bytes()));
        bytes.extend(1f64.to_le_bytes());
    }
    bytes.extend(0i32.to_le_bytes());
    let error = refused(&bytes);
    assert!(error.contains("describes far more data than it holds") || error.contains("no tensors"), "{error}");
}

#[test]
fn a_folder_of_csv_files_is_read_by_name() {
    let map = weights::load(golden("csv")).unwrap();
    assert_eq!((map.format, map.tensors.len()), (Format::CsvFolder, 2));
    assert_eq!(map.get("conv1_w", [120]).unwrap(), rule([120], 0));
    assert_eq!(map.get("conv1_b", [5]).unwrap(), rule([5], 0));
    let error = map.get("bn1_m", [64]).unwrap_err().to_string();
    assert!(error.contains("csv") && error.contains("`bn1_m`") && error.contains("missing"), "{error}");
}

#[test]
fn what_is_wrong_in_a_csv_file_is_told_by_file_and_line() {
    for (content, place, problem) in [
        ("1,2\n3\n", "conv1_w.csv:2: ", "has 1 values, where the first line has 2"),
        ("1,2\n3,4,5\n", "conv1_w.csv:2: ", "has 3 values"),
        ("1,2\n\n3,x\n", "conv1_w.csv:3: ", "`x` is no number"),
        ("1,,2\n", "conv1_w.csv:1: ", "`` is no number"),
        ("1;2\n", "conv1_w.csv:1: ", "`1;2` is no number"),
        ("1,nan\n", "conv1_w.csv:1: ", "nan is no weight"),
        ("1,1e300\n", "conv1_w.csv:1: ", "1e300 is no weight"),
        ("\n\n", "conv1_w.csv:1: ", "holds no numbers"),
        ("", "conv1_w.csv:1: ", "holds no numbers"),
        ("\u{ff}\u{fe}1\n", "conv1_w.csv:1: ", "is no number"),
    ] {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("conv1_b.csv"), "1\n2\n").unwrap();
        std::fs::write(folder.path().join("conv1_w.csv"), content).unwrap();
        let error = weights::load(folder.path()).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Data);
        let error = error.to_string();
        assert!(error.contains(place) && error.contains(problem), "expected {place}{problem}: {error}");
    }
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("notes.txt"), "1\n").unwrap();
    assert!(weights::load(folder.path()).unwrap_err().to_string().contains("no SavedModel, nor one of CSV"));
    std::fs::create_dir(folder.path().join("conv1_w.csv")).unwrap();
    let error = weights::load(folder.path()).unwrap_err();
    assert!(error.kind() == ErrorKind::File && error.to_string().contains("conv1_w.csv"), "{error}");
}

#[test]
fn csv_files_in_memory_are_read_as_a_folder_is() {
    let map = weights::load_csv_bytes("net", &[("a.csv", b"1,2"), ("b.csv", b"3")]).unwrap();
    assert_eq!(map.tensors.keys().collect::<Vec<_>>(), ["a", "b"]);
    let error = weights::load_csv_bytes("net", &[("a.csv", b"1"), ("a.CSV", b"3")]).unwrap_err().to_string();
    assert!(error.contains("a.CSV") && error.contains("twice"), "{error}");
}

#[test]
fn lines_may_end_as_on_windows() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("a.CSV"), "1, -2\r\n3e0,4.5\r\n").unwrap();
    assert_eq!(weights::load(folder.path()).unwrap().get("a", [4]).unwrap().data(), [1.0, -2.0, 3.0, 4.5]);
}
