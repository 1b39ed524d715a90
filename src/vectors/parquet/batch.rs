//! Rows as Arrow's columns.

use std::sync::Arc;

use ::parquet::arrow::arrow_writer::ArrowWriterOptions;
use ::parquet::basic::{Compression, Encoding, ZstdLevel};
use ::parquet::file::metadata::KeyValue;
use ::parquet::file::properties::{EnabledStatistics, WriterProperties};
use ::parquet::schema::types::ColumnPath;
use arrow_array::types::{ArrowPrimitiveType, Float32Type, Float64Type};
use arrow_array::{ArrayRef, FixedSizeListArray, Float64Array, PrimitiveArray, RecordBatch, StringArray};
use arrow_schema::{DataType, Field, Schema, SchemaRef};

/// Values of a box, and of the landmarks.
pub(super) const BOX: usize = 4;
const LANDMARKS: usize = 10;

/// A face of a photograph, or what became of a photograph without one.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Row<'a> {
    /// Left, top, right, bottom.
    pub bounds: Option<[f64; 4]>,
    /// `[x, y]` of each.
    pub landmarks: Option<[[f64; 2]; 5]>,
    /// Probability that this is a face.
    pub score: Option<f64>,
    /// Of as many values as the file's column has; left out where it has none.
    pub embedding: Option<&'a [f32]>,
    /// Why it could not be done.
    pub error: Option<String>,
}

/// Which columns a file has besides those that all have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Columns {
    /// Whom photographs are of.
    pub label: bool,
    /// Embeddings of this number of values.
    pub embedding: Option<usize>,
}

impl Columns {
    fn schema(self) -> Schema {
        let text = |name: &str, null: bool| Field::new(name, DataType::Utf8, null);
        let list = |name: &str, of: DataType, len: usize| Field::new(name, fixed(of, len), true);
        let mut fields = vec![text("path", false)];
        fields.extend(self.label.then(|| text("label", false)));
        fields.push(list("box", DataType::Float64, BOX));
        fields.push(list("landmarks", DataType::Float64, LANDMARKS));
        fields.push(Field::new("score", DataType::Float64, true));
        fields.extend(self.embedding.map(|dim| list("embedding", DataType::Float32, dim)));
        fields.push(text("error", true));
        Schema::new(fields)
    }

    /// How they are stored: floats as they are, since they hardly compress; text packed.
    pub(super) fn options(self, facts: &[(&str, String)]) -> ArrowWriterOptions {
        let plain = ["box.list.element", "landmarks.list.element", "score", "embedding.list.element"];
        let facts = facts.iter().map(|(key, value)| KeyValue::new((*key).to_owned(), value.clone())).collect();
        let mut properties = WriterProperties::builder()
            .set_created_by(concat!("warpface ", env!("CARGO_PKG_VERSION")).to_owned())
            .set_key_value_metadata(Some(facts))
            .set_max_row_group_row_count(None)
            .set_compression(Compression::ZSTD(ZstdLevel::default()));
        for name in plain {
            let column = ColumnPath::from(name.split('.').map(str::to_owned).collect::<Vec<_>>());
            properties = properties
                .set_column_encoding(column.clone(), Encoding::PLAIN)
                .set_column_dictionary_enabled(column.clone(), false)
                .set_column_compression(column.clone(), Compression::UNCOMPRESSED)
                .set_column_statistics_enabled(column, EnabledStatistics::Chunk);
        }
        ArrowWriterOptions::new().with_properties(properties.build())
    }
}

/// Arrow's list of a fixed number of values, whose items Parquet calls `element`.
fn fixed(of: DataType, len: usize) -> DataType {
    DataType::FixedSizeList(Arc::new(item(of)), len as i32)
}

fn item(of: DataType) -> Field {
    Field::new("element", of, true)
}

/// Rows that wait for being written.
pub(super) struct Waiting {
    columns: Columns,
    schema: SchemaRef,
    paths: Vec<String>,
    labels: Vec<String>,
    bounds: Lists<f64>,
    landmarks: Lists<f64>,
    scores: Vec<Option<f64>>,
    embeddings: Lists<f32>,
    errors: Vec<Option<String>>,
}

impl Waiting {
    pub fn new(columns: Columns) -> Self {
        Waiting {
            columns,
            schema: Arc::new(columns.schema()),
            paths: Vec::new(),
            labels: Vec::new(),
            bounds: Lists::new(BOX),
            landmarks: Lists::new(LANDMARKS),
            scores: Vec::new(),
            embeddings: Lists::new(columns.embedding.unwrap_or(0)),
            errors: Vec::new(),
        }
    }

    pub fn schema(&self) -> SchemaRef {
        self.schema.clone()
    }

    pub fn len(&self) -> usize {
        self.paths.len()
    }

    pub fn push(&mut self, path: &str, label: &str, row: Row) {
        self.paths.push(path.to_owned());
        if self.columns.label {
            self.labels.push(label.to_owned());
        }
        self.bounds.push(row.bounds.as_ref().map(<[f64; 4]>::as_slice));
        self.landmarks.push(row.landmarks.as_ref().map(|points| points.as_flattened()));
        self.scores.push(row.score);
        if self.columns.embedding.is_some() {
            self.embeddings.push(row.embedding);
        }
        self.errors.push(row.error);
    }

    /// All of them, which wait no longer.
    pub fn take(&mut self) -> Result<RecordBatch, arrow_schema::ArrowError> {
        let rows = std::mem::replace(self, Waiting::new(self.columns));
        let mut arrays: Vec<ArrayRef> = vec![Arc::new(StringArray::from(rows.paths))];
        if self.columns.label {
            arrays.push(Arc::new(StringArray::from(rows.labels)));
        }
        arrays.push(rows.bounds.array::<Float64Type>()?);
        arrays.push(rows.landmarks.array::<Float64Type>()?);
        arrays.push(Arc::new(Float64Array::from(rows.scores)));
        if self.columns.embedding.is_some() {
            arrays.push(rows.embeddings.array::<Float32Type>()?);
        }
        arrays.push(Arc::new(StringArray::from(rows.errors)));
        RecordBatch::try_new(rows.schema, arrays)
    }
}

/// Lists of one length, or nulls.
struct Lists<T> {
    len: usize,
    values: Vec<T>,
    there: Vec<bool>,
}

impl<T: Copy + Default> Lists<T> {
    fn new(len: usize) -> Self {
        Lists { len, values: Vec::new(), there: Vec::new() }
    }

    fn push(&mut self, values: Option<&[T]>) {
        self.there.push(values.is_some());
        match values {
            Some(values) => self.values.extend_from_slice(values),
            None => self.values.resize(self.values.len() + self.len, T::default()),
        }
    }

    fn array<P: ArrowPrimitiveType<Native = T>>(self) -> Result<ArrayRef, arrow_schema::ArrowError> {
        let values = Arc::new(PrimitiveArray::<P>::from_iter_values(self.values));
        let there = Some(self.there.into());
        Ok(Arc::new(FixedSizeListArray::try_new(Arc::new(item(P::DATA_TYPE)), self.len as i32, values, there)?))
    }
}
