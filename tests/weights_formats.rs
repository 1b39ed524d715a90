//! Every weights format against files by its own writers (`tools/golden/weights.py`), whole and damaged.

use std::collections::{BTreeMap, BTreeSet};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};

use warpface::weights::{self, Format, TensorMap};
use warpface::{Error, Tensor};

fn golden(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden/weights").join(name)
}

fn load(name: &str) -> TensorMap {
    weights::load(golden(name)).unwrap_or_else(|e| panic!("{e}"))
}

fn refused(name: &str) -> String {
    weights::load(golden(name)).expect_err(name).to_string()
}

/// The writers' rule: element `i` is `i / 4 - 3`.
fn expected<const N: usize>(shape: [usize; N]) -> Tensor {
    let n: usize = shape.iter().product();
    Tensor::new(shape, (0..n).map(|i| i as f32 / 4.0 - 3.0).collect())
}

const WEIGHTS: [usize; 4] = [2, 3, 4, 5];

/// The four tensors that most files hold, with `join` between the parts of a name and `suffix` after it.
fn check_all(map: &TensorMap, prefix: &str, join: &str, suffix: &str) {
    let name = |name: &str| format!("{prefix}{}{suffix}", name.replace('/', join));
    assert_eq!(map.get(&name("conv/weights"), WEIGHTS).unwrap(), expected(WEIGHTS));
    assert_eq!(map.get(&name("conv/biases"), [5]).unwrap(), expected([5]));
    assert_eq!(map.get(&name("empty"), [0, 3]).unwrap(), expected([0, 3]));
    assert_eq!(map.get(&name("scalar"), []).unwrap(), expected([]));
}

#[test]
fn plain_npy_of_every_float_and_order() {
    for file in ["plain_f4", "plain_f2", "plain_f8_big", "plain_fortran"] {
        let map = load(&format!("{file}.npy"));
        assert_eq!(map.format, Format::Npy);
        assert_eq!(map.tensors.len(), 1);
        assert_eq!(map.get("arr_0", WEIGHTS).unwrap(), expected(WEIGHTS), "{file}");
    }
    assert!(refused("plain_int.npy").contains("no float tensors"));
}

#[test]
fn pickled_dicts_of_every_protocol() {
    for file in ["dict.npy", "dict_protocol2.npy", "dict_protocol5.npy"] {
        let map = load(file);
        check_all(&map, "", "/", "");
        assert_eq!(map.tensors.len(), 4, "{file}: {:?}", map.tensors.keys());
        assert!(map.skipped.contains_key("steps"), "{file}");
    }
}

#[test]
fn pickles_are_never_executed() {
    for (file, name) in [
        ("evil.npy", "posix.system"),
        ("evil_os.npy", "os.system"),
        ("evil_stack.npy", "os.system"),
        ("evil_module.pt", "torch.nn.modules.linear.Linear"),
    ] {
        let error = refused(file);
        assert!(error.contains(name) && error.contains(file) && error.contains("state_dict()"), "{error}");
    }
    assert!(!Path::new("pwned").exists());
    assert!(refused("script.pt").contains("TorchScript"));
}

#[test]
fn npz_stored_and_deflated() {
    for file in ["stored.npz", "deflated.npz"] {
        let map = load(file);
        assert_eq!(map.format, Format::Npz);
        check_all(&map, "", "/", "");
    }
    check_all(&load("deflated.npz"), "dict/", "/", "");
}

#[test]
fn a_name_that_stands_twice_is_refused() {
    let error = refused("twice.npz");
    assert!(error.contains("2 members"), "{error}");
    let error = refused("graph_twice.pb");
    assert!(error.contains("conv/weights") && error.contains("twice"), "{error}");
}

#[test]
fn keras_groups_chunks_and_circles() {
    let map = load("groups.h5");
    assert_eq!(map.format, Format::Keras);
    check_all(&map, "model_weights/", "/", ":0");
    assert!(map.skipped.contains_key("model_weights/steps"));
    let map = load("keras3.h5");
    let kernel = map.tensors.keys().find(|name| name.contains("conv/") && name.ends_with("kernel")).unwrap();
    assert_eq!(map.get(kernel, [3, 3, 3, 2]).unwrap(), expected([3, 3, 3, 2]));
    // Its root contains itself: an error or the tensors, but an end.
    let _ = weights::load(golden("chunked.h5"));
}

#[test]
fn frozen_graphs_as_bytes_and_as_lists() {
    for file in ["graph.pb", "graph_lists.pb"] {
        let map = load(file);
        assert_eq!(map.format, Format::FrozenGraph);
        check_all(&map, "", "/", "");
        for name in ["half", "bf16", "double"] {
            assert_eq!(map.get(name, WEIGHTS).unwrap(), expected(WEIGHTS), "{file}: {name}");
        }
        assert_eq!(map.get("splat", [7]).unwrap().data(), [1.5; 7]);
        assert!(map.skipped.contains_key("steps"));
    }
}

#[test]
fn checkpoints_by_each_of_their_names() {
    for name in ["model.ckpt", "model.ckpt.index", "model.ckpt.data-00000-of-00001"] {
        let map = load(name);
        assert_eq!(map.format, Format::Checkpoint);
        check_all(&map, "", "/", "");
        for name in ["half", "bf16", "double"] {
            assert_eq!(map.get(name, [120]).unwrap().data(), expected(WEIGHTS).data(), "{name}");
        }
        assert!(map.skipped.contains_key("steps"));
    }
    let map = load("sharded.ckpt");
    assert_eq!(map.get("conv/weights", WEIGHTS).unwrap(), expected(WEIGHTS));
    assert_eq!(map.get("conv/biases", [5]).unwrap(), expected([5]));
}

#[test]
fn a_checkpoint_without_its_data_names_the_file() {
    let folder = tempfile::tempdir().unwrap();
    let index = folder.path().join("model.ckpt.index");
    std::fs::copy(golden("model.ckpt.index"), &index).unwrap();
    let error = weights::load(&index).unwrap_err().to_string();
    assert!(error.contains("model.ckpt.data-00000-of-00001"), "{error}");
}

#[test]
fn torch_state_dicts_old_and_new() {
    for file in ["state.pt", "state_legacy.pt", "wrapped.pth"] {
        let map = load(file);
        assert_eq!(map.format, Format::Torch);
        check_all(&map, "", ".", "");
        let weights = expected(WEIGHTS);
        for name in ["half", "bf16", "double", "parameter"] {
            assert_eq!(map.get(name, WEIGHTS).unwrap(), weights, "{file}: {name}");
        }
        assert_eq!(map.get("transposed", [5, 4, 3, 2]).unwrap(), weights.permute(&[3, 2, 1, 0]), "{file}");
        let slice: Vec<f32> =
            [0, 2].iter().flat_map(|h| (0..20).map(move |i| (60 + h * 20 + i) as f32 / 4.0 - 3.0)).collect();
        assert_eq!(map.get("slice", [1, 2, 4, 5]).unwrap().data(), slice, "{file}");
        assert!(map.skipped.contains_key("num_batches_tracked"), "{file}");
    }
    let names: Vec<String> = load("module.pt").tensors.into_keys().collect();
    assert_eq!(names, ["0.bias", "0.weight", "1.bias", "1.running_mean", "1.running_var", "1.weight"]);
}

/// PyTorch's zip64 end records are as long as the directory's entry of a name of 21 characters, and were taken for it.
#[test]
fn a_torch_file_may_have_a_name_of_any_length() {
    let map = load("a_name_of_21_letters_.pt");
    assert_eq!(map.get("conv.weights", WEIGHTS).unwrap(), expected(WEIGHTS));
    assert_eq!(map.get("conv.biases", [5]).unwrap(), expected([5]));
}

#[test]
fn a_checkpoints_prefix_is_no_published_file() {
    for name in ["model.ckpt", "model.ckpt.index", "sharded.ckpt"] {
        assert_eq!(weights::verify(golden(name), false).unwrap(), None, "{name}");
    }
    assert!(matches!(weights::verify(golden("absent"), false), Err(Error::Io { .. })));
}

#[test]
fn safetensors_of_every_float() {
    let map = load("mixed.safetensors");
    assert_eq!(map.format, Format::Safetensors);
    check_all(&map, "", "/", "");
    assert_eq!(map.get("half", WEIGHTS).unwrap(), expected(WEIGHTS));
    assert_eq!(map.get("double", WEIGHTS).unwrap(), expected(WEIGHTS));
    assert!(map.skipped.contains_key("steps"));
    assert_eq!(load("bf16.safetensors").get("bf16", WEIGHTS).unwrap(), expected(WEIGHTS));
}

#[test]
fn the_suffix_does_not_matter() {
    let folder = tempfile::tempdir().unwrap();
    for file in ["stored.npz", "state.pt", "graph.pb", "groups.h5", "dict.npy", "mixed.safetensors", "model.ckpt.index"]
    {
        let path = folder.path().join("weights.jpg");
        std::fs::copy(golden(file), &path).unwrap();
        match weights::load(&path) {
            Ok(map) => assert!(map.tensors.len() >= 4, "{file}"),
            Err(error) => assert!(file.ends_with(".index") && error.to_string().contains("name it"), "{file}: {error}"),
        }
    }
}

#[test]
fn what_is_no_weights_file_is_told() {
    for (bytes, expected) in [
        (b"".as_slice(), "empty"),
        (b"version https://git-lfs.github.com/spec/v1\n", "git lfs pull"),
        (b"<!DOCTYPE html><html>", "web page"),
        (b"\x1f\x8b\x08\0\0\0", "gzip"),
        (b"\x80\x04}.", "bare pickle"),
        (b"\xff\xd8\xff\xe0", "no known format"),
    ] {
        let error = weights::load_bytes(Path::new("some.file"), bytes).unwrap_err().to_string();
        assert!(error.contains(expected) && error.contains("some.file"), "{error}");
    }
    assert!(matches!(weights::load(Path::new("absent.npy")), Err(Error::Io { .. })));
    assert!(weights::load(Path::new(env!("CARGO_MANIFEST_DIR"))).unwrap_err().to_string().contains("folder"));
}

#[test]
fn missing_and_misshapen_tensors_are_named_with_the_shape() {
    let map = load("dict.npy");
    let error = map.get("conv/weights", [5, 4]).unwrap_err().to_string();
    assert!(error.contains("dict.npy") && error.contains("`conv/weights`"), "{error}");
    assert!(error.contains("expected [5, 4]") && error.contains("found [2, 3, 4, 5]"), "{error}");
    let error = map.get("conv/gamma", [5]).unwrap_err().to_string();
    assert!(error.contains("`conv/gamma`") && error.contains("expected [5]") && error.contains("missing"), "{error}");
    assert!(map.get("steps", [3]).unwrap_err().to_string().contains("NumPy type"));
    let used = BTreeSet::from(["conv/weights".to_owned()]);
    let error = map.refuse_extra(&used, |name, _| name != "conv/biases").unwrap_err().to_string();
    assert!(error.contains("`conv/biases`") && error.contains("[5]"), "{error}");
    map.refuse_extra(&used, |_, _| true).unwrap();
}

/// Headers that promise far more than they hold must be refused before anything of that size is allocated.
#[test]
fn huge_claims_are_refused() {
    let npy = |shape: &str| {
        let header = format!("{{'descr': '<f4', 'fortran_order': True, 'shape': {shape}, }}\n");
        [b"\x93NUMPY\x01\0".as_slice(), &(header.len() as u16).to_le_bytes(), header.as_bytes(), &[0; 8]].concat()
    };
    let safetensors = |shape: &str| {
        let header = format!(r#"{{"a":{{"dtype":"F32","shape":{shape},"data_offsets":[0,8]}}}}"#);
        [&(header.len() as u64).to_le_bytes(), header.as_bytes(), &[0; 8]].concat()
    };
    // A constant whose one value stands for 10^9: node { name: "a", op: "Const", attr { value: tensor { … } } }.
    let field = |tag: u8, content: &[u8]| [&[tag << 3 | 2, content.len() as u8], content].concat();
    let extent = field(2, &[8, 0x80, 0x94, 0xeb, 0xdc, 3]);
    let tensor = [[8, 1].to_vec(), field(2, &extent), field(5, &[0, 0, 0x80, 0x3f])].concat();
    let value = [field(1, b"value"), field(2, &field(8, &tensor))].concat();
    let graph = field(1, &[field(1, b"a"), field(2, b"Const"), field(5, &value)].concat());
    for bytes in [
        npy("(1000000, 1000000)"),
        npy("(18446744073709551615, 18446744073709551615)"),
        npy("(4294967296, 4294967296, 0)"),
        npy("(18446744073709551616,)"),
        npy("(-1,)"),
        safetensors("[1000000,1000000]"),
        safetensors("[4294967296,4294967296,4294967296]"),
        graph,
    ] {
        let error = weights::load_bytes(Path::new("huge"), &bytes).expect_err("a huge claim was believed");
        assert!(!error.to_string().is_empty());
    }
    weights::load_bytes(Path::new("small"), &npy("(1, 2)")).unwrap();
}

fn files() -> Vec<PathBuf> {
    let mut files: Vec<_> = std::fs::read_dir(golden("")).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.retain(|path| !path.to_string_lossy().contains(".ckpt"));
    files.sort();
    files.retain(|path| path.is_file() && path.extension().is_none_or(|suffix| suffix != "txt"));
    assert!(files.len() > 20);
    files
}

/// Every tensor's values.
fn values(map: &TensorMap) -> warpface::Result<BTreeMap<String, Tensor>> {
    map.tensors.keys().map(|name| Ok((name.clone(), map.read(name)?))).collect()
}

/// Opens a file and reads all that is in it.
fn must_not_panic(
    what: impl Fn() -> String,
    open: impl FnOnce() -> warpface::Result<TensorMap>,
) -> warpface::Result<BTreeMap<String, Tensor>> {
    let read = || open().and_then(|map| values(&map));
    catch_unwind(AssertUnwindSafe(read)).unwrap_or_else(|_| panic!("{}: a panic instead of an error", what()))
}

#[test]
fn cut_files_are_errors_never_panics() {
    for path in files() {
        let bytes = std::fs::read(&path).unwrap();
        let step = (bytes.len() / 400).max(1);
        for n in (0..bytes.len()).step_by(step) {
            let what = || format!("{} cut to {n} bytes", path.display());
            let result = must_not_panic(what, || weights::load_bytes(&path, &bytes[..n]));
            // A graph is nodes in a row: cut between two it is a smaller graph, which the model finds lacking.
            let graph = path.extension().is_some_and(|suffix| suffix == "pb");
            // Padding at a file's end may be missed by nobody; half a file must be.
            assert!(result.is_err() || graph || n > bytes.len() / 2, "{}", what());
        }
    }
}

#[test]
fn flipped_bytes_never_panic() {
    for path in files() {
        let mut bytes = std::fs::read(&path).unwrap();
        let step = (bytes.len() / 1500).max(1);
        for at in (0..bytes.len()).step_by(step) {
            for mask in [0xff, 0x01, 0x80] {
                bytes[at] ^= mask;
                let what = || format!("{} with byte {at} xor {mask:#x}", path.display());
                let _ = must_not_panic(what, || weights::load_bytes(&path, &bytes));
                bytes[at] ^= mask;
            }
        }
    }
}

#[test]
fn damaged_checkpoints_are_errors() {
    let path = golden("model.ckpt");
    let index = std::fs::read(golden("model.ckpt.index")).unwrap();
    let data = std::fs::read(golden("model.ckpt.data-00000-of-00001")).unwrap();
    let load = |index: &[u8], data: &[u8]| {
        must_not_panic(|| "checkpoint".into(), || weights::load_checkpoint_bytes(&path, index, &[data]))
    };
    let whole = load(&index, &data).unwrap();
    for n in 0..index.len() {
        assert!(load(&index[..n], &data).is_err(), "index cut to {n}");
    }
    for at in 0..index.len() {
        let mut index = index.clone();
        index[at] ^= 0x55;
        // Only the metaindex's place, the footer's padding and an empty block are read by nobody.
        if let Ok(map) = load(&index, &data) {
            assert_eq!(map, whole, "index byte {at} changed the weights");
        }
    }
    let floats: usize = 4 * (120 + 5 + 1) + 120 * (2 + 2 + 8);
    let mut caught = 0;
    for at in 0..data.len() {
        let mut data = data.clone();
        data[at] ^= 1;
        caught += usize::from(load(&index, &data).is_err());
    }
    assert_eq!(caught, floats, "every byte of every float tensor is under a checksum");
    assert!(load(&index, &data[..100]).unwrap_err().to_string().contains("cut short"));
}
