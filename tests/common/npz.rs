//! NumPy's files, as the tests meet them: little-endian, row-major.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::Read;
use std::path::Path;

use warpface::Tensor;

/// An array.
pub struct Array {
    /// Its extents.
    pub shape: Vec<usize>,
    /// NumPy's name of its elements' type, such as `<f4`.
    pub descr: String,
    bytes: Vec<u8>,
}

/// The named arrays of an `.npz`.
pub type Arrays = BTreeMap<String, Array>;

impl Array {
    fn parse(name: &str, file: &[u8]) -> Array {
        let npy = npyz::NpyFile::new(file).unwrap_or_else(|e| panic!("{name}: {e}"));
        assert_eq!(npy.order(), npyz::Order::C, "{name}");
        let shape: Vec<usize> = npy.shape().iter().map(|&n| n as usize).collect();
        let descr = npy.dtype().descr().trim_matches('\'').to_owned();
        let width: usize = descr[2..].parse().unwrap_or_else(|_| panic!("{name}: {descr}"));
        let size = if descr.contains('U') { 4 * width } else { width };
        let bytes = file[file.len() - shape.iter().product::<usize>() * size..].to_vec();
        Array { shape, descr, bytes }
    }

    fn numbers<T>(&self, descr: &str, f: impl Fn(&[u8]) -> T) -> Vec<T> {
        assert_eq!(self.descr, descr);
        let size: usize = descr[2..].parse().unwrap();
        self.bytes.chunks_exact(size).map(f).collect()
    }

    pub fn u8(&self) -> &[u8] {
        assert_eq!(self.descr, "|u1");
        &self.bytes
    }

    pub fn f32(&self) -> Vec<f32> {
        self.numbers("<f4", |b| f32::from_le_bytes(b.try_into().unwrap()))
    }

    /// Of either float type.
    pub fn f64(&self) -> Vec<f64> {
        match self.descr.as_str() {
            "<f4" => self.f32().into_iter().map(f64::from).collect(),
            _ => self.numbers("<f8", |b| f64::from_le_bytes(b.try_into().unwrap())),
        }
    }

    /// Of either signed integer type.
    pub fn i64(&self) -> Vec<i64> {
        match self.descr.as_str() {
            "<i4" => self.numbers("<i4", |b| i32::from_le_bytes(b.try_into().unwrap()).into()),
            _ => self.numbers("<i8", |b| i64::from_le_bytes(b.try_into().unwrap())),
        }
    }

    /// Of fixed-width Unicode strings.
    pub fn strings(&self) -> Vec<String> {
        let width: usize = self.descr.strip_prefix("<U").unwrap().parse().unwrap();
        let text = |b: &[u8]| {
            let characters = b.chunks_exact(4).map(|c| u32::from_le_bytes(c.try_into().unwrap()));
            characters.take_while(|&c| c != 0).map(|c| char::from_u32(c).unwrap()).collect()
        };
        self.bytes.chunks_exact(4 * width).map(text).collect()
    }

    pub fn tensor(&self) -> Tensor {
        Tensor::new(self.shape.clone(), self.f32())
    }
}

/// An `.npz`.
pub fn load(path: &Path) -> Arrays {
    let file = File::open(path).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
    let mut zip = zip::ZipArchive::new(file).unwrap();
    let mut arrays = BTreeMap::new();
    for i in 0..zip.len() {
        let mut entry = zip.by_index(i).unwrap();
        let name = entry.name().unwrap().strip_suffix(".npy").unwrap().to_owned();
        let mut bytes = Vec::new();
        entry.read_to_end(&mut bytes).unwrap();
        let array = Array::parse(&name, &bytes);
        arrays.insert(name, array);
    }
    assert!(!arrays.is_empty(), "{}", path.display());
    arrays
}

/// An `.npy`.
pub fn load_npy(path: &Path) -> Array {
    let bytes = fs::read(path).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
    Array::parse(&path.display().to_string(), &bytes)
}

/// An `.npy` of f32 rows.
pub fn npy(rows: &[Vec<f32>]) -> Vec<u8> {
    let shape = format!("{{'descr': '<f4', 'fortran_order': False, 'shape': ({}, {}), }}", rows.len(), rows[0].len());
    let header = format!("{shape:<117}\n");
    let mut bytes = b"\x93NUMPY\x01\x00".to_vec();
    bytes.extend((header.len() as u16).to_le_bytes());
    bytes.extend(header.bytes());
    bytes.extend(rows.iter().flatten().flat_map(|x| x.to_le_bytes()));
    bytes
}
