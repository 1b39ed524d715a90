//! Rows from files.

use std::collections::HashSet;
use std::fs::File;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;

use ::parquet::arrow::ProjectionMask;
use ::parquet::arrow::arrow_reader::{ArrowReaderMetadata, ArrowReaderOptions, ParquetRecordBatchReaderBuilder};
use arrow_array::cast::AsArray;
use arrow_array::types::{ArrowPrimitiveType, Float32Type, Float64Type};
use arrow_array::{Array, ArrayRef, RecordBatch};
use arrow_schema::{DataType, Schema};
use serde_json::{Map, Value};

use super::batch::BOX;
use crate::face::Embeddings;
use crate::image::name_of;
use crate::vectors::Origin;
use crate::{Error, Result};

/// Keys of what a file says of itself.
pub(in crate::vectors) const ORIGIN: &str = "warpface.origin";
pub(super) const RUN: &str = "warpface.run";
/// Rows that are decoded at a time.
const STEP: usize = 1 << 12;

/// The faces of a file that [`Writer`](super::Writer) wrote, or that another program made of one: what is at a place of one
/// list belongs to what is there in the others.
#[derive(Debug, Default)]
pub struct FaceRows {
    /// The embeddings.
    pub embeddings: Embeddings,
    /// The photograph of each.
    pub paths: Vec<String>,
    /// Whom it is of.
    pub labels: Vec<String>,
    /// Where each face is in its photograph; NaN where that is not known.
    pub boxes: Vec<[f64; 4]>,
    /// What made them, where the file says it.
    pub origin: Option<Origin>,
    /// Rows without an embedding.
    pub without: usize,
}

/// Reads the faces of a file that have embeddings. Columns are taken by their names: `path` and `embedding`, and where they
/// are there `label` and `box`; without labels the folder that a photograph lies in names whom it is of. Lists may be of
/// fixed size or not.
///
/// # Errors
/// [`Error::Io`]; [`Error::Data`] for a file that is damaged, or has no such columns, or embeddings of several lengths.
pub fn read(path: impl AsRef<Path>) -> Result<FaceRows> {
    let path = path.as_ref();
    guarded(path, || {
        let (file, metadata) = open(path)?;
        let mut faces = FaceRows { origin: origin(path, &metadata)?, ..FaceRows::default() };
        let (mut dim, mut values) = (None, Vec::new());
        for batch in batches(path, file, metadata, &["path", "label", "box", "embedding"])? {
            faces.add(&batch?, &mut dim, &mut values).map_err(|problem| Error::data(path, problem))?;
        }
        faces.embeddings = Embeddings::new(dim.unwrap_or(1), values);
        Ok(faces)
    })
}

impl FaceRows {
    fn add(&mut self, batch: &RecordBatch, dim: &mut Option<usize>, values: &mut Vec<f32>) -> Result<(), String> {
        let column = |name: &str| batch.column_by_name(name);
        let need = |name: &str| column(name).ok_or(format!("has no column `{name}`; `embed` writes one"));
        let (paths, embeddings) = (texts(need("path")?, "path")?, need("embedding")?);
        let labels = column("label").map(|array| texts(array, "label")).transpose()?;
        for (row, path) in paths.into_iter().enumerate() {
            let Some(embedding) = list::<Float32Type>(embeddings, row, "embedding")? else {
                self.without += 1;
                continue;
            };
            let before = *dim.get_or_insert(embedding.len());
            if before != embedding.len() || before == 0 {
                let row = self.paths.len() + self.without;
                return Err(format!("row {row} has {} values, and the ones before {before}", embedding.len()));
            }
            if embedding.iter().any(|x| !x.is_finite()) {
                let row = self.paths.len() + self.without;
                return Err(format!("row {row} has a value that is not finite"));
            }
            let bounds = match column("box") {
                Some(boxes) => list::<Float64Type>(boxes, row, "box")?,
                None => None,
            };
            let path = path.unwrap_or_default();
            let label = labels.as_ref().and_then(|labels| labels[row].clone());
            self.labels.push(label.unwrap_or_else(|| folder_of(&path)));
            self.paths.push(path);
            self.boxes.push(bounds.and_then(|b| <[f64; BOX]>::try_from(b).ok()).unwrap_or([f64::NAN; BOX]));
            values.extend(embedding);
        }
        Ok(())
    }
}

fn folder_of(path: &str) -> String {
    let path = Path::new(path);
    name_of(path.parent().unwrap_or(path))
}

/// A list of a row; none where it is null.
fn list<T: ArrowPrimitiveType>(array: &ArrayRef, row: usize, name: &str) -> Result<Option<Vec<T::Native>>, String> {
    if array.is_null(row) {
        return Ok(None);
    }
    let values = match array.data_type() {
        DataType::FixedSizeList(..) => array.as_fixed_size_list().value(row),
        DataType::List(_) => array.as_list::<i32>().value(row),
        DataType::LargeList(_) => array.as_list::<i64>().value(row),
        other => return Err(format!("has `{name}` of {other}, and lists of numbers are needed")),
    };
    let Some(values) = values.as_primitive_opt::<T>() else {
        return Err(format!("has `{name}` of {}, and {} is needed", values.data_type(), T::DATA_TYPE));
    };
    match values.null_count() {
        0 => Ok(Some(values.values().to_vec())),
        _ => Err(format!("has a null in `{name}` of row {row}")),
    }
}

fn texts(array: &ArrayRef, name: &str) -> Result<Vec<Option<String>>, String> {
    let owned = |text: Option<&str>| text.map(str::to_owned);
    match array.data_type() {
        DataType::Utf8 => Ok(array.as_string::<i32>().iter().map(owned).collect()),
        DataType::LargeUtf8 => Ok(array.as_string::<i64>().iter().map(owned).collect()),
        DataType::Utf8View => Ok(array.as_string_view().iter().map(owned).collect()),
        other => Err(format!("has `{name}` of {other}, and text is needed")),
    }
}

/// What a file that is written says of itself, and what a file to go on from must say.
pub(super) struct Stored {
    pub origin: Option<Value>,
    pub run: Map<String, Value>,
}

impl Stored {
    /// The photographs in a file, which must be of these settings and columns.
    pub fn check(&self, path: &Path, schema: &Schema) -> Result<HashSet<String>> {
        let paths = guarded(path, || {
            let (file, metadata) = open(path)?;
            if metadata.schema().fields() != schema.fields() {
                let problem = "has other columns than this run writes; name another output";
                return Err(Error::data(path, problem));
            }
            self.same(path, &metadata)?;
            let mut paths = HashSet::new();
            for batch in batches(path, file, metadata, &["path"])? {
                let batch = batch?;
                paths.extend(batch.column(0).as_string::<i32>().iter().flatten().map(str::to_owned));
            }
            Ok(paths)
        });
        paths.map_err(|error| match error {
            Error::Data { problem, .. } if problem.to_string().contains(UNREADABLE) => Error::data(
                path,
                format!("{problem}; it is damaged or cut short: move it away, and its photographs are done again"),
            ),
            error => error,
        })
    }

    /// Refuses a file that was made with other settings.
    fn same(&self, path: &Path, metadata: &ArrowReaderMetadata) -> Result<()> {
        let stored = |key: &str| fact(metadata, key).and_then(|text| serde_json::from_str::<Value>(text).ok());
        let run = stored(RUN).and_then(|run| run.as_object().cloned()).unwrap_or_default();
        let origins = (self.origin.as_ref().and_then(Value::as_object), stored(ORIGIN));
        let origins = (origins.0.cloned().unwrap_or_default(), origins.1.and_then(|o| o.as_object().cloned()));
        let differs = differs(&self.run, &run).or_else(|| differs(&origins.0, &origins.1.unwrap_or_default()));
        let Some((name, ours, theirs)) = differs else { return Ok(()) };
        let problem = format!(
            "was made with {name} {theirs}, and this run has {ours}: resume with the same, or name another output"
        );
        Err(Error::data(path, problem))
    }
}

/// The first setting that is not the same, with ours and theirs.
fn differs(ours: &Map<String, Value>, theirs: &Map<String, Value>) -> Option<(String, Value, Value)> {
    let value = |of: &Map<String, Value>, name: &String| of.get(name).cloned().unwrap_or_default();
    let mut names = ours.keys().chain(theirs.keys());
    let name = names.find(|name| ours.get(*name) != theirs.get(*name))?;
    Some((name.clone(), value(ours, name), value(theirs, name)))
}

/// How messages about damage begin.
const UNREADABLE: &str = "cannot be read as Parquet";

fn unreadable(path: &Path, error: impl std::fmt::Display) -> Error {
    Error::data(path, format!("{UNREADABLE}: {error}"))
}

/// Of damaged files a few make the reader panic, which is the file's fault and not the program's.
fn guarded<T>(path: &Path, read: impl FnOnce() -> Result<T>) -> Result<T> {
    catch_unwind(AssertUnwindSafe(read)).unwrap_or_else(|_| Err(unreadable(path, "its pages make no sense")))
}

fn open(path: &Path) -> Result<(File, ArrowReaderMetadata)> {
    let file = File::open(path).map_err(Error::io(path, "read"))?;
    let metadata = ArrowReaderMetadata::load(&file, ArrowReaderOptions::new()).map_err(|e| unreadable(path, e))?;
    Ok((file, metadata))
}

/// The columns of these names, as far as they are there, a number of rows at a time.
fn batches(
    path: &Path,
    file: File,
    metadata: ArrowReaderMetadata,
    names: &[&str],
) -> Result<impl Iterator<Item = Result<RecordBatch>>> {
    let mask = ProjectionMask::columns(metadata.parquet_schema(), names.iter().copied());
    let builder = ParquetRecordBatchReaderBuilder::new_with_metadata(file, metadata);
    let reader = builder.with_projection(mask).with_batch_size(STEP).build().map_err(|e| unreadable(path, e))?;
    Ok(reader.map(|batch| batch.map_err(|e| unreadable(path, e))))
}

fn fact<'a>(metadata: &'a ArrowReaderMetadata, key: &str) -> Option<&'a str> {
    let facts = metadata.metadata().file_metadata().key_value_metadata()?;
    facts.iter().find(|fact| fact.key == key)?.value.as_deref()
}

fn origin(path: &Path, metadata: &ArrowReaderMetadata) -> Result<Option<Origin>> {
    let parse = |text: &str| serde_json::from_str(text).map_err(|e| Error::data(path, format!("{ORIGIN}: {e}")));
    fact(metadata, ORIGIN).map(parse).transpose()
}
