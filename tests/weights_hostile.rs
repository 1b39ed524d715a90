//! Graphs and pickles made to hurt: each is refused, or read, within memory and time that its size warrants.

use std::path::Path;

use warpface::weights::{self, TensorMap};

/// A field of a protocol buffer: a message, text or bytes.
fn bytes(tag: u8, content: impl AsRef<[u8]>) -> Vec<u8> {
    let content = content.as_ref();
    let mut field = vec![tag << 3 | 2];
    let mut len = content.len();
    while len >= 0x80 {
        field.push(len as u8 | 0x80);
        len >>= 7;
    }
    field.push(len as u8);
    field.extend(content);
    field
}

/// A small number as a field.
fn number(tag: u8, value: u8) -> Vec<u8> {
    vec![tag << 3, value]
}

/// ONNX's `NodeProto`, as a field of a graph.
fn node(kind: &str, inputs: &[&str], output: &str) -> Vec<u8> {
    let inputs = inputs.iter().flat_map(|input| bytes(1, input));
    bytes(1, [inputs.collect(), bytes(2, output), bytes(4, kind)].concat())
}

/// A `TensorProto` of f32 as a field of a graph.
fn constant(name: &str, dims: &[u8], data: &[u8]) -> Vec<u8> {
    let dims = dims.iter().flat_map(|&extent| number(1, extent)).collect();
    bytes(5, [dims, number(2, 1), bytes(8, name), bytes(9, data)].concat())
}

/// A model around a graph with the output `y`.
fn onnx(graph: &[Vec<u8>]) -> Vec<u8> {
    let graph = [graph.concat(), bytes(12, bytes(1, "y"))].concat();
    [number(1, 8), bytes(2, "test"), bytes(7, graph)].concat()
}

fn read(model: &[u8]) -> warpface::Result<TensorMap> {
    weights::load_bytes(Path::new("model"), model)
}

fn refused(model: &[u8]) -> String {
    read(model).expect_err("it was believed").to_string()
}

#[test]
fn a_convolution_by_a_number_is_no_network() {
    let map = read(&onnx(&[constant("w", &[], &[0; 4]), node("Conv", &["x", "w"], "y")])).unwrap();
    assert!(weights::embedding_network(&map).unwrap_err().to_string().contains("1 convolutions"));
    assert!(weights::pnet(&map).unwrap_err().to_string().contains("is no P-Net"));
}

#[test]
fn axes_that_are_no_order_are_refused() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden/weights/mtcnn/facenet_pytorch.onnx");
    let model = std::fs::read(path).unwrap();
    let order = b"perm\x40\x00\x40\x03\x40\x02\x40\x01";
    let at = model.windows(order.len()).position(|window| window == order).unwrap() + 4;
    weights::rnet(&read(&model).unwrap()).unwrap();
    for wrong in [[0, 1, 1, 1], [0, 3, 2, 4], [0, 0, 2, 1], [0, 3, 2, 127]] {
        let mut model = model.clone();
        (0..4).for_each(|i| model[at + 2 * i + 1] = wrong[i]);
        let error = weights::rnet(&read(&model).unwrap()).unwrap_err().to_string();
        assert!(error.contains("axes"), "{wrong:?}: {error}");
    }
}

/// By a short name that stands for a long one, layers would hold 4 GB of it.
#[test]
fn a_long_name_is_not_kept_for_each_layer() {
    let long = "n".repeat(200_000);
    let mut graph = vec![constant(&long, &[1], &[0; 4]), node("Identity", &[&long], "w")];
    // One after the other, so that all are on the way to the output.
    let value = |i: usize| if i == 0 { "y".to_owned() } else { format!("v{i}") };
    graph.extend((0..20_000).map(|i| node("Conv", &[&value(i + 1), "w"], &value(i))));
    let error = refused(&onnx(&graph));
    assert!(error.contains("far more data than it holds"), "{error}");
}

/// Every tensor keeps its file open; a model of PyTorch's has hundreds.
#[test]
#[cfg(target_os = "linux")]
fn external_data_is_opened_once() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("model.onnx.data");
    std::fs::write(&data, 1.5f32.to_le_bytes()).unwrap();
    let entry = [bytes(1, "location"), bytes(2, "model.onnx.data")].concat();
    let tensor = |i: usize| {
        let name = format!("w{i}");
        bytes(5, [number(1, 1), number(2, 1), bytes(8, name), bytes(13, &entry), number(14, 1)].concat())
    };
    let model = onnx(&(0..300).map(tensor).collect::<Vec<_>>());
    let path = folder.path().join("model.onnx");
    std::fs::write(&path, model).unwrap();
    let map = weights::load(&path).unwrap();
    assert_eq!(map.tensors.len(), 300);
    assert_eq!(map.get("w299", [1]).unwrap().data(), [1.5]);
    let files = std::fs::read_dir("/proc/self/fd").unwrap().flatten();
    let open = files.filter(|file| std::fs::read_link(file.path()).is_ok_and(|file| file == data)).count();
    assert_eq!(open, 1);
}

/// A FlatBuffer on its way: tables of four bytes a field, each behind what leads to it.
struct Flat(Vec<u8>);

impl Flat {
    fn u32(&mut self, value: usize) -> usize {
        self.0.extend((value as u32).to_le_bytes());
        self.0.len() - 4
    }

    /// Lets an offset lead to here.
    fn lead(&mut self, from: usize) {
        let distance = (self.0.len() - from) as u32;
        self.0[from..from + 4].copy_from_slice(&distance.to_le_bytes());
    }

    /// A table of `n` fields, which are 0: where the first is.
    fn table(&mut self, from: usize, n: usize) -> usize {
        let vtable = self.0.len();
        self.0.extend((4 + 2 * n as u16).to_le_bytes());
        self.0.extend((4 + 4 * n as u16).to_le_bytes());
        (0..n).for_each(|i| self.0.extend((4 + 4 * i as u16).to_le_bytes()));
        self.lead(from);
        let table = self.0.len();
        self.u32(table - vtable);
        for _ in 0..n {
            self.u32(0);
        }
        table + 4
    }

    /// A list of `n` elements of 0: where the first is.
    fn list(&mut self, from: usize, n: usize) -> usize {
        self.lead(from);
        let at = self.u32(n) + 4;
        self.0.resize(at + 4 * n, 0);
        at
    }
}

/// A model of one tensor with a long name or a long shape, which the lists lead to many times.
fn tflite(name: usize, shape: usize, tensors: usize, operands: usize) -> Vec<u8> {
    let mut flat = Flat(Vec::new());
    let root = flat.u32(0);
    flat.0.extend(b"TFL3");
    let model = flat.table(root, 5);
    let codes = flat.list(model + 4, 1);
    flat.table(codes, 1);
    let buffers = flat.list(model + 16, 1);
    flat.table(buffers, 1);
    let subgraphs = flat.list(model + 8, 1);
    let subgraph = flat.table(subgraphs, 4);
    let list = flat.list(subgraph, tensors);
    // All offsets lead to the table that the first leads to.
    let tensor = flat.table(list, 4);
    (1..tensors).for_each(|i| {
        let distance = (tensor - 4 - (list + 4 * i)) as u32;
        flat.0[list + 4 * i..list + 4 * i + 4].copy_from_slice(&distance.to_le_bytes());
    });
    flat.list(tensor, shape);
    flat.lead(tensor + 12);
    flat.u32(name);
    flat.0.resize(flat.0.len() + name, b'n');
    let operators = flat.list(subgraph + 12, 1);
    let operator = flat.table(operators, 3);
    flat.list(operator + 4, operands);
    flat.0
}

#[test]
fn a_flatbuffers_lists_are_paid_for() {
    // Without a constant a model says that it holds none: it was read.
    assert!(refused(&tflite(10, 4, 2, 3)).contains("is a TFLite file, "));
    // 30 GB of names; 2·10^10 extents.
    for (model, what) in [(tflite(300_000, 4, 1, 100_000), "names"), (tflite(1, 200_000, 100_000, 1), "extents")] {
        let error = refused(&model);
        assert!(error.contains("far more data than it holds"), "{what}: {error}");
    }
}

/// A pickle of protocol 2 in joblib's file, behind the name that tells it.
fn joblib(pickle: &[&[u8]]) -> Vec<u8> {
    [b"\x80\x02cjoblib.numpy_pickle\nNumpyArrayWrapper\nq\x00", pickle.concat().as_slice()].concat()
}

/// A state with 200,000 keys is set as often: looked through each time, that is 4·10^10 steps.
#[test]
fn a_state_is_not_looked_through_each_time() {
    let keys = b"K\x01K\x01".repeat(200_000);
    let set = b"h\x01b".repeat(200_000);
    let model = joblib(&[b")\x81q\x02}(", &keys, b"uq\x010h\x02", &set, b"."]);
    let error = refused(&model);
    assert!(error.contains("not an array as NumPy pickles it"), "{error}");
}

/// A dict of 50,000 dicts under one key of 200 kB, each of them the same dict of as many.
#[test]
fn a_long_key_is_paid_for_each_time() {
    let key = "k".repeat(200_000);
    let key = [b"X".as_slice(), &(key.len() as u32).to_le_bytes(), key.as_bytes(), b"q\x010"].concat();
    let inner = [b"}(".as_slice(), &b"h\x01N".repeat(50_000), b"uq\x020"].concat();
    let outer = [b"}(".as_slice(), &b"h\x01h\x02".repeat(50_000), b"u."].concat();
    let error = refused(&joblib(&[&key, &inner, &outer]));
    assert!(error.contains("far more data than it holds"), "{error}");
}
