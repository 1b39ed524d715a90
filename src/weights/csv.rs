//! Folders of `.csv` files, a tensor each, as Keras-OpenFace keeps `nn4.small2`.
//!
//! `NAME.csv` is the tensor `NAME`: its values in order, row by row, without its shape, which the folder does not tell.

use std::path::{Path, PathBuf};

use super::Parsed;
use super::collector::Collector;
use crate::error::{Error, Result};

/// The files of a folder that end in `.csv`, by name.
pub(super) fn files(folder: &Path) -> Result<Vec<PathBuf>> {
    let entries = std::fs::read_dir(folder).map_err(Error::io(folder, "list"))?;
    let paths = entries.map(|entry| entry.map(|entry| entry.path())).collect::<std::io::Result<Vec<_>>>();
    let mut paths = paths.map_err(Error::io(folder, "list"))?;
    paths.retain(|path| path.extension().is_some_and(|suffix| suffix.eq_ignore_ascii_case("csv")));
    paths.sort();
    Ok(paths)
}

/// Adds a file's numbers as the tensor of its name.
pub(super) fn read(path: &Path, bytes: &[u8], out: &mut Collector) -> Result<()> {
    // A value has two bytes or more.
    out.earn(bytes.len());
    let name = path.file_stem().unwrap_or_default().to_string_lossy();
    let values = values(bytes).map_err(|(line, problem)| Error::line(path, line, problem))?;
    let n = values.len();
    let insert = || -> Parsed<()> {
        out.admit(&name, &[n])?;
        out.insert(&name, &[n], values)
    };
    insert().map_err(|problem| Error::weights(path, problem))
}

/// The numbers of a file, whose rows are of one length; what is wrong with the line of a number.
fn values(bytes: &[u8]) -> std::result::Result<Vec<f32>, (usize, String)> {
    let mut values = Vec::new();
    let mut columns = None;
    for (number, line) in (1..).zip(bytes.split(|&byte| byte == b'\n')) {
        let line = line.trim_ascii();
        if line.is_empty() {
            continue;
        }
        let before = values.len();
        for cell in line.split(|&byte| byte == b',') {
            values.push(value(cell.trim_ascii()).map_err(|problem| (number, problem))?);
        }
        let found = values.len() - before;
        let expected = *columns.get_or_insert(found);
        if found != expected {
            return Err((number, format!("has {found} values, where the first line has {expected}: fetch it again")));
        }
    }
    match values.is_empty() {
        true => Err((1, "holds no numbers: fetch it again".into())),
        false => Ok(values),
    }
}

fn value(cell: &[u8]) -> Parsed<f32> {
    let text = String::from_utf8_lossy(cell);
    match text.parse::<f64>() {
        Ok(value) if (value as f32).is_finite() => Ok(value as f32),
        Ok(_) => Err(format!("{text} is no weight: the training diverged, or the file is damaged")),
        Err(_) => Err(format!("`{}` is no number", text.chars().take(20).collect::<String>())),
    }
}
