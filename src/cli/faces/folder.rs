//! The folder that `embed` writes, and others read.

use std::collections::BTreeSet;
use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use anyhow::Result;
use npyz::{DType, NpyFile, WriterBuilder};

use super::Faces;
use crate::Error;
use crate::cli::context::{Globals, create_folder};
use crate::face::Embeddings;
use crate::files::Aside;
use crate::image::name_of;
use crate::vectors::Origin;
use crate::weights::write::npy_header;

/// What made the embeddings.
const ORIGIN: &str = "origin.json";
/// The embeddings, `[n, dim]` f32.
const EMBEDDINGS: &str = "embeddings.npy";
/// The number of each row's person, in the order of the names; `[n]` i64.
const LABELS: &str = "labels.npy";
/// The name of each row's person, `[n]`.
const NAMES: &str = "label_strings.npy";
/// The photograph of each row, a line each.
const PATHS: &str = "paths.txt";
/// Where each face is in its photograph, `[n, 4]` f64: left, top, right, bottom.
const BOXES: &str = "boxes.npy";

/// Whether a folder is one that `embed` wrote.
pub fn is_written(folder: &Path) -> bool {
    folder.join(EMBEDDINGS).is_file()
}

impl Faces {
    /// Writes the folder's files: all are on the disk before the first is put in its place, so that none of an earlier run
    /// is left among them.
    pub fn write(&self, folder: &Path) -> Result<()> {
        create_folder(folder)?;
        let names: Vec<&str> = self.labels.iter().map(String::as_str).collect();
        let classes: Vec<&str> = names.iter().copied().collect::<BTreeSet<_>>().into_iter().collect();
        let labels = names.iter().map(|name| classes.binary_search(name).unwrap_or(0) as i64);
        let paths: String = self.images.iter().map(|path| line(path)).collect();
        let (rows, dim) = (self.len() as u64, self.embeddings.dim() as u64);
        let values = self.embeddings.as_slice().iter().copied();
        let mut files = vec![
            file(folder, EMBEDDINGS, |out| write_npy(out, &[rows, dim], values))?,
            file(folder, LABELS, |out| write_npy(out, &[rows], labels))?,
            file(folder, NAMES, |out| out.write_all(&npy_of_strings(&names)))?,
            file(folder, PATHS, |out| out.write_all(paths.as_bytes()))?,
            file(folder, BOXES, |out| write_npy(out, &[rows, 4], self.boxes.iter().flatten().copied()))?,
        ];
        if let Some(origin) = &self.origin {
            let json = serde_json::to_vec_pretty(origin).map_err(io::Error::from)?;
            files.push(file(folder, ORIGIN, |out| out.write_all(&json))?);
        }
        for (path, file) in files {
            file.put().map_err(Error::io(&path, "write"))?;
        }
        Ok(())
    }
}

/// Reads the folder's files; photographs are looked for where they were, and within and beside the folder. `globals` say where
/// the model's file may be.
pub fn read(folder: &Path, globals: &Globals) -> Result<Faces> {
    let path = folder.join(EMBEDDINGS);
    let (shape, values) = array::<f32>(&path)?;
    let [rows, dim] = shape[..] else {
        return Err(Error::data(&path, format!("expected [n, dim] values, and it has {shape:?}")).into());
    };
    let dim = dim as usize;
    if dim == 0 {
        return Err(Error::data(&path, "has rows without values").into());
    }
    let embeddings = Embeddings::new(dim, values);
    if let Some(row) = embeddings.rows().position(|row| row.iter().any(|x| !x.is_finite())) {
        return Err(Error::data(&path, format!("row {row} has a value that is not finite")).into());
    }
    let rows = rows as usize;
    let images = lines(&folder.join(PATHS), rows)?;
    let labels = match folder.join(NAMES) {
        path if path.exists() => strings(&path, rows)?,
        _ => images.iter().map(|path| name_of(path.parent().unwrap_or(path))).collect(),
    };
    let boxes = match folder.join(BOXES) {
        path if path.exists() => array_of::<f64>(&path, &[rows as u64, 4])?.as_chunks::<4>().0.to_vec(),
        _ => vec![[f64::NAN; 4]; rows],
    };
    let origin = origin(&folder.join(ORIGIN), dim)?;
    let model = tell_origin(folder, dim, rows, origin.as_ref(), globals);
    Ok(Faces { embeddings, photographs: rows, images, labels, boxes, origin, model, ..Faces::default() })
}

/// Tells what was read, and finds the file of the model that made it, where it is here.
pub(super) fn tell_origin(
    path: &Path,
    dim: usize,
    rows: usize,
    origin: Option<&Origin>,
    globals: &Globals,
) -> Option<PathBuf> {
    let from = origin.map_or("an unknown model", |origin| &origin.model);
    eprintln!("embeddings: {rows} of {dim} values by {from}, in {}", path.display());
    origin.map(|origin| globals.weights_file(&origin.model)).filter(|path| path.exists())
}

fn origin(path: &Path, dim: usize) -> Result<Option<Origin>> {
    let bytes = match fs::read(path) {
        Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(None),
        bytes => bytes.map_err(Error::io(path, "read"))?,
    };
    let origin: Origin = serde_json::from_slice(&bytes).map_err(|e| Error::data(path, e.to_string()))?;
    if origin.dim != dim {
        let problem = format!("speaks of {} values, and {EMBEDDINGS} beside it has {dim}", origin.dim);
        return Err(Error::data(path, problem).into());
    }
    Ok(Some(origin))
}

/// A line for each row, whatever a name has in it.
fn line(path: &Path) -> String {
    path.display().to_string().replace('\n', "\\n").replace('\r', "\\r") + "\n"
}

fn lines(path: &Path, rows: usize) -> Result<Vec<PathBuf>> {
    let text = fs::read_to_string(path).map_err(Error::io(path, "read"))?;
    let lines: Vec<PathBuf> = text.lines().map(PathBuf::from).collect();
    if lines.len() != rows {
        let problem = format!("has {} lines, and {EMBEDDINGS} beside it {rows} rows", lines.len());
        return Err(Error::data(path, problem).into());
    }
    Ok(lines)
}

/// An `.npy` and what it says of itself.
fn open(path: &Path) -> Result<NpyFile<io::BufReader<fs::File>>> {
    let file = fs::File::open(path).map_err(Error::io(path, "read"))?;
    Ok(NpyFile::new(io::BufReader::new(file)).map_err(|e| Error::data(path, format!("is no .npy: {e}")))?)
}

/// Shape and values of an array in row-major order.
fn array<T: npyz::Deserialize>(path: &Path) -> Result<(Vec<u64>, Vec<T>)> {
    let file = open(path)?;
    let shape = file.shape().to_vec();
    if file.order() != npyz::Order::C {
        return Err(Error::data(path, "is in Fortran's order; save it by numpy.ascontiguousarray").into());
    }
    let values = shape.iter().try_fold(1u64, |n, &extent| n.checked_mul(extent));
    let bytes = fs::metadata(path).map_err(Error::io(path, "read"))?.len();
    // No length is believed before the file is known to be as long.
    if values.and_then(|n| n.checked_mul(size_of::<T>() as u64)).is_none_or(|n| n > bytes) {
        return Err(Error::data(path, format!("is cut short: {bytes} bytes, and it promises {shape:?} values")).into());
    }
    let values = file.into_vec().map_err(|e| Error::data(path, e.to_string()))?;
    Ok((shape, values))
}

fn array_of<T: npyz::Deserialize>(path: &Path, shape: &[u64]) -> Result<Vec<T>> {
    let (found, values) = array(path)?;
    if found != shape {
        return Err(Error::data(path, format!("expected {shape:?} values, and it has {found:?}")).into());
    }
    Ok(values)
}

/// An array of numpy's fixed-width Unicode strings, which `npyz` does not read.
fn strings(path: &Path, rows: usize) -> Result<Vec<String>> {
    let file = open(path)?;
    let wrong = |problem: String| Error::data(path, problem);
    let width = match file.dtype() {
        DType::Plain(text) => text.to_string().strip_prefix("<U").and_then(|width| width.parse::<usize>().ok()),
        _ => None,
    };
    let width = width.ok_or_else(|| wrong(format!("expected text, as <U20, and it has {}", file.dtype().descr())))?;
    if file.shape() != [rows as u64] {
        return Err(wrong(format!("expected [{rows}] names, and it has {:?}", file.shape())).into());
    }
    let bytes = fs::read(path).map_err(Error::io(path, "read"))?;
    let begin =
        width.checked_mul(4).and_then(|bytes| bytes.checked_mul(rows)).and_then(|text| bytes.len().checked_sub(text));
    let text = &bytes[begin.ok_or_else(|| wrong(format!("is cut short: {rows} names of <U{width} are promised")))?..];
    let name = |row: &[u8]| -> Option<String> {
        let points = row.as_chunks::<4>().0.iter().map(|&word| u32::from_le_bytes(word));
        points.take_while(|&point| point != 0).map(char::from_u32).collect()
    };
    let names: Option<Vec<String>> = match width {
        0 => Some(vec![String::new(); rows]),
        _ => text.chunks_exact(width * 4).map(name).collect(),
    };
    Ok(names.ok_or_else(|| wrong("holds what is no text".to_owned()))?)
}

/// A file, written but not yet in its place.
fn file(folder: &Path, name: &str, write: impl FnOnce(&mut Aside) -> io::Result<()>) -> Result<(PathBuf, Aside)> {
    let path = folder.join(name);
    let written = Aside::create(&path).and_then(|mut file| {
        write(&mut file)?;
        file.finish()?;
        Ok(file)
    });
    Ok(written.map(|file| (path.clone(), file)).map_err(Error::io(&path, "write"))?)
}

fn write_npy<T: npyz::AutoSerialize>(
    out: &mut Aside,
    shape: &[u64],
    values: impl IntoIterator<Item = T>,
) -> io::Result<()> {
    let mut writer = npyz::WriteOptions::new().default_dtype().shape(shape).writer(out).begin_nd()?;
    writer.extend(values)?;
    writer.finish()
}

/// An array of numpy's fixed-width Unicode strings (format version 1.0), which `npyz` does not write.
fn npy_of_strings(strings: &[&str]) -> Vec<u8> {
    let width = strings.iter().map(|s| s.chars().count()).max().unwrap_or(0).max(1);
    let mut bytes = npy_header(&format!("<U{width}"), &[strings.len()]);
    for string in strings {
        let characters = string.chars().map(u32::from).chain(std::iter::repeat(0)).take(width);
        bytes.extend(characters.flat_map(u32::to_le_bytes));
    }
    bytes
}
