//! Named tensors to the files that others read: NumPy's `.npz`, PyTorch's `.pt`, and `.safetensors`.

use std::io::{Seek, Write};
use std::path::Path;

use half::f16;
use zip::write::SimpleFileOptions;
use zip::{CompressionMethod, ZipWriter};

use crate::error::{Error, Field, Result, message};
use crate::files::Aside;
use crate::tensor::Tensor;
use crate::weights::{ModelFacts, safetensors_beginning};

/// An archive under construction, its members as they are.
struct Archive<'a> {
    path: &'a Path,
    zip: ZipWriter<Aside>,
}

impl<'a> Archive<'a> {
    fn create(path: &'a Path) -> Result<Self> {
        let file = Aside::create(path).map_err(Error::io(path, "create"))?;
        Ok(Archive { path, zip: ZipWriter::new(file) })
    }

    /// `align` is the multiple that the member's bytes begin at.
    fn member(&mut self, name: &str, align: u16, parts: &[&[u8]]) -> Result<()> {
        let io = |error: std::io::Error| Error::io(self.path, "write")(error);
        let options = SimpleFileOptions::default()
            .compression_method(CompressionMethod::Stored)
            .large_file(parts.iter().map(|part| part.len()).sum::<usize>() > u32::MAX as usize)
            .with_alignment(align);
        self.zip.start_file(name, options).map_err(|error| io(error.into()))?;
        parts.iter().try_for_each(|part| self.zip.write_all(part)).map_err(io)
    }

    /// Bytes of the whole file.
    fn finish(self) -> Result<u64> {
        let file = self.zip.finish().map_err(|error| Error::io(self.path, "write")(error.into()))?;
        finish(file, self.path)
    }
}

/// Puts a file that is written in its place; its length.
fn finish(mut file: Aside, path: &Path) -> Result<u64> {
    let io = |error: std::io::Error| Error::io(path, "write")(error);
    file.finish().map_err(io)?;
    let length = file.stream_position().map_err(io)?;
    file.put().map_err(io)?;
    Ok(length)
}

/// Writes an `.npz`; `half` stores tensors of two axes and more as f16, `facts` become arrays of text. Returns the file's
/// length.
///
/// # Errors
/// A file that cannot be written; [`Error::Weights`] for a value that f16 cannot hold, naming `source`.
pub fn npz(
    path: impl AsRef<Path>,
    tensors: &[(String, Tensor)],
    facts: &ModelFacts,
    half: bool,
    source: &Path,
) -> Result<u64> {
    let path = path.as_ref();
    let mut archive = Archive::create(path)?;
    for (name, tensor) in tensors {
        let small = half && tensor.dims().len() > 1;
        let header = npy_header(if small { "<f2" } else { "<f4" }, tensor.dims());
        let values = if small { halves(source, name, tensor)? } else { floats(tensor) };
        archive.member(&format!("{name}.npy"), 64, &[&header, &values])?;
    }
    for (name, value) in facts.named() {
        let points: Vec<u8> = value.chars().flat_map(|c| u32::from(c).to_le_bytes()).collect();
        let header = npy_header(&format!("<U{}", points.len() / 4), &[]);
        archive.member(&format!("{name}.npy"), 64, &[&header, &points])?;
    }
    archive.finish()
}

/// Writes a state dict as `torch.save` does, for `torch.load(.., weights_only=True)`; `facts` become its attributes, which
/// no module asks for. Returns the file's length.
///
/// # Errors
/// A file that cannot be written.
pub fn torch(path: impl AsRef<Path>, tensors: &[(String, Tensor)], facts: &ModelFacts) -> Result<u64> {
    let path = path.as_ref();
    let stem = path.file_stem().unwrap_or_default().to_string_lossy();
    let mut archive = Archive::create(path)?;
    archive.member(&format!("{stem}/data.pkl"), 64, &[&state_dict(tensors, facts)])?;
    archive.member(&format!("{stem}/byteorder"), 64, &[b"little"])?;
    for (i, (_, tensor)) in tensors.iter().enumerate() {
        archive.member(&format!("{stem}/data/{i}"), 64, &[&floats(tensor)])?;
    }
    archive.member(&format!("{stem}/version"), 64, &[b"3\n"])?;
    archive.finish()
}

/// Writes a `.safetensors`; `half` stores tensors of two axes and more as f16, `facts` become its metadata. Returns the file's
/// length.
///
/// # Errors
/// As [`npz`].
pub fn safetensors(
    path: impl AsRef<Path>,
    tensors: &[(String, Tensor)],
    facts: &ModelFacts,
    half: bool,
    source: &Path,
) -> Result<u64> {
    let path = path.as_ref();
    let is_small = |tensor: &Tensor| half && tensor.dims().len() > 1;
    // Values lie at multiples of their size: those of four bytes come first.
    let (small, large): (Vec<_>, Vec<_>) = tensors.iter().partition(|(_, tensor)| is_small(tensor));
    let in_order = || large.iter().chain(&small);
    let parts = in_order().map(|(name, tensor)| {
        let (dtype, size) = if is_small(tensor) { ("F16", 2) } else { ("F32", 4) };
        (name.as_str(), dtype, tensor.dims(), size * tensor.data().len())
    });
    let beginning = safetensors_beginning(parts, facts).map_err(|problem| Error::weights(source, problem))?;
    let io = |error: std::io::Error| Error::io(path, "write")(error);
    let mut file = Aside::create(path).map_err(Error::io(path, "create"))?;
    file.write_all(&beginning).map_err(io)?;
    for (name, tensor) in in_order() {
        let values = if is_small(tensor) { halves(source, name, tensor)? } else { floats(tensor) };
        file.write_all(&values).map_err(io)?;
    }
    finish(file, path)
}

/// The pickle of `OrderedDict([(name, tensor)])`, protocol 2, in which tensors name storages by number.
fn state_dict(tensors: &[(String, Tensor)], facts: &ModelFacts) -> Vec<u8> {
    let mut p = Pickle(b"\x80\x02".to_vec());
    p.global("collections", "OrderedDict");
    p.op(b")R"); // Called without arguments.
    p.op(b"("); // Pairs, up to the mark.
    for (i, (name, tensor)) in tensors.iter().enumerate() {
        p.text(name);
        p.global("torch._utils", "_rebuild_tensor_v2");
        p.op(b"((");
        p.text("storage");
        p.global("torch", "FloatStorage");
        p.text(&i.to_string());
        p.text("cpu");
        p.int(tensor.data().len());
        p.op(b"tQ"); // The storage, by what the tuple says.
        p.int(0);
        p.tuple(tensor.dims());
        let mut strides = vec![1; tensor.dims().len()];
        for axis in (1..strides.len()).rev() {
            strides[axis - 1] = strides[axis] * tensor.dims()[axis];
        }
        p.tuple(&strides);
        p.op(b"\x89"); // No gradient.
        p.global("collections", "OrderedDict");
        p.op(b")RtR");
    }
    p.op(b"u");
    let facts = facts.named();
    if !facts.is_empty() {
        p.op(b"}("); // A dict of the attributes.
        for (name, value) in facts {
            p.text(name);
            p.text(&value);
        }
        p.op(b"ub");
    }
    p.op(b".");
    p.0
}

/// Opcodes one after the other.
struct Pickle(Vec<u8>);

impl Pickle {
    fn op(&mut self, ops: &[u8]) {
        self.0.extend_from_slice(ops);
    }

    fn global(&mut self, module: &str, name: &str) {
        self.0.extend_from_slice(format!("c{module}\n{name}\n").as_bytes());
    }

    fn text(&mut self, text: &str) {
        self.0.push(b'X');
        self.0.extend((text.len() as u32).to_le_bytes());
        self.0.extend_from_slice(text.as_bytes());
    }

    fn int(&mut self, value: usize) {
        match i32::try_from(value) {
            Ok(value) => {
                self.0.push(b'J');
                self.0.extend(value.to_le_bytes());
            }
            Err(_) => {
                self.0.extend([0x8a, 9]);
                self.0.extend((value as u64).to_le_bytes());
                self.0.push(0);
            }
        }
    }

    fn tuple(&mut self, values: &[usize]) {
        self.op(b"(");
        values.iter().for_each(|&value| self.int(value));
        self.op(b"t");
    }
}

/// The header of an `.npy` file (format version 1.0), padded so that the data starts at a multiple of 64.
pub fn npy_header(descr: &str, shape: &[usize]) -> Vec<u8> {
    let extents: String = shape.iter().map(|extent| format!("{extent}, ")).collect();
    let extents = if shape.len() > 1 { extents.trim_end_matches(", ") } else { extents.trim_end() };
    let header = format!("{{'descr': '{descr}', 'fortran_order': False, 'shape': ({extents}), }}");
    // Magic, version and length take ten bytes.
    let padded = (10 + header.len() + 1).next_multiple_of(64) - 10;
    let mut bytes = b"\x93NUMPY\x01\x00".to_vec();
    bytes.extend((padded as u16).to_le_bytes());
    bytes.extend(format!("{header:<0$}\n", padded - 1).bytes());
    bytes
}

fn floats(tensor: &Tensor) -> Vec<u8> {
    tensor.data().iter().flat_map(|x| x.to_le_bytes()).collect()
}

fn halves(source: &Path, name: &str, tensor: &Tensor) -> Result<Vec<u8>> {
    let mut bytes = Vec::with_capacity(2 * tensor.data().len());
    for &x in tensor.data() {
        let small = f16::from_f32(x);
        if !small.is_finite() {
            return Err(Error::weights(
                source,
                message![format!("{name}: {x} does not fit f16; use "), Field("precision"), " f32"],
            ));
        }
        bytes.extend(small.to_le_bytes());
    }
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ops::Standardize;
    use crate::weights::load;

    #[test]
    fn shapes_are_pythons_tuples() {
        for (shape, text) in [(&[][..], "()"), (&[3], "(3,)"), (&[3, 4], "(3, 4)")] {
            let header = npy_header("<f2", shape);
            assert_eq!(header.len() % 64, 0);
            assert!(String::from_utf8_lossy(&header).contains(&format!("'shape': {text}, }}")), "{shape:?}");
        }
    }

    #[test]
    fn what_is_written_is_read() {
        let dir = tempfile::tempdir().unwrap();
        let tensors = vec![
            ("conv.weight".to_owned(), Tensor::new([2, 3, 1, 1], vec![1.0, -2.5, 3.0, 4.0, 5.0, 6.0])),
            ("bn.bias".to_owned(), Tensor::new([2], vec![0.5, -0.25])),
        ];
        let (pt, zipped, safe) = (dir.path().join("m.pt"), dir.path().join("m.npz"), dir.path().join("m.safetensors"));
        let facts = ModelFacts::default().standardize(Some(Standardize::Prewhiten)).image_size(Some(160));
        assert_eq!(torch(&pt, &tensors, &facts).unwrap(), std::fs::metadata(&pt).unwrap().len());
        npz(&zipped, &tensors, &facts, true, &pt).unwrap();
        let bytes = safetensors(&safe, &tensors, &facts, true, &pt).unwrap();
        assert_eq!(bytes, std::fs::metadata(&safe).unwrap().len());
        for path in [&pt, &zipped, &safe] {
            let read = load(path).unwrap();
            assert_eq!(read.facts, facts, "{}", path.display());
            assert_eq!(read.tensors.len(), tensors.len());
            for (name, tensor) in &tensors {
                assert_eq!(&read.read(name).unwrap(), tensor, "{}", path.display());
            }
        }
        let large = vec![("w".to_owned(), Tensor::new([1, 1], vec![1e6]))];
        assert!(npz(&zipped, &large, &facts, true, &pt).unwrap_err().to_string().contains("1000000 does not fit f16"));
    }
}
