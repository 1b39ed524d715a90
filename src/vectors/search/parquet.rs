//! Vectors from Parquet files: a column of lists, or a column for each value.

use std::collections::HashSet;
use std::fs::File;
use std::path::Path;

use ::parquet::basic::{Compression, ConvertedType, LogicalType, Repetition, Type};
use ::parquet::column::reader::ColumnReader;
use ::parquet::data_type::DataType;
use ::parquet::errors::ParquetError;
use ::parquet::file::metadata::ParquetMetaData;
use ::parquet::file::reader::{FileReader, SerializedFileReader};
use ::parquet::schema::types::{ColumnDescPtr, SchemaDescriptor};

use super::Table;
use super::table::{beyond, is_beyond};
use crate::face::Embeddings;
use crate::vectors::Origin;
use crate::vectors::parquet::ORIGIN;
use crate::{Error, Result};

/// Rows that are decoded at a time.
const STEP: usize = 1 << 14;
/// What a column of names is called, where there are several of text.
const NAMES: [&str; 3] = ["name", "names", "path"];
/// What a column of vectors is called, where there are several of lists.
const VECTORS: [&str; 3] = ["embedding", "embeddings", "vector"];
/// A column of text that says why a row has no vector.
const ERRORS: &str = "error";

impl Table {
    /// The vectors of a Parquet file, in memory: of its one column of lists of f32 or f64, all of one length (of several the
    /// one called `embedding`, `embeddings` or `vector`), or of its columns of f32 or f64, a value of each vector each. Names
    /// come from the column `name`, `names` or `path`, else from the one column of text. Where there is a column `error`, rows
    /// without a vector are left out. f64 is rounded to f32; fields of structs are not read. Pages may be plain, or
    /// compressed by snappy, zstd or lz4. What made the vectors is known of files that `embed` wrote.
    ///
    /// # Errors
    /// [`Error::Io`]; [`Error::Data`] for a file that is damaged, or holds no such columns, or a null or a list of another
    /// length among them.
    pub fn parquet(path: impl AsRef<Path>) -> Result<Table> {
        let path = path.as_ref();
        // Of damaged files a few make the reader panic, which is this file's fault and not the program's.
        std::panic::catch_unwind(|| Table::read_parquet(path))
            .unwrap_or_else(|_| Err(Error::data(path, "is damaged, or no Parquet file; write it again")))
    }

    fn read_parquet(path: &Path) -> Result<Table> {
        let file = File::open(path).map_err(Error::io(path, "read"))?;
        let broken = |error: ParquetError| Error::data(path, format!("cannot be read as Parquet: {error}"));
        let reader = SerializedFileReader::new(file).map_err(broken)?;
        let schema = reader.metadata().file_metadata().schema_descr();
        let vectors = Vectors::find(schema).map_err(|problem| Error::data(path, problem))?;
        let names = names_column(schema.columns());
        let may_lack = schema.columns().iter().any(|column| is_text(column) && column.name() == ERRORS);
        let read: Vec<usize> = vectors.columns().chain(names).collect();
        check_codecs(&reader, &read).map_err(|problem| Error::data(path, problem))?;
        let (mut rows, mut text) = (Rows { may_lack, ..Rows::default() }, Vec::new());
        for group in 0..reader.num_row_groups() {
            let group = reader.get_row_group(group).map_err(broken)?;
            let columns: Vec<Column> = vectors
                .columns()
                .map(|column| numbers(group.get_column_reader(column).map_err(|e| e.to_string())?))
                .collect::<Result<_, String>>()
                .map_err(|problem| Error::data(path, problem))?;
            let added = match vectors {
                Vectors::Lists(column) => rows.add_lists(&columns[0], columns_max(&reader, column)),
                Vectors::Columns(_) => rows.add_columns(&columns),
            };
            added.map_err(|problem| Error::data(path, problem))?;
            if let Some(names) = names {
                let reader = group.get_column_reader(names).map_err(broken)?;
                let all = texts(reader).map_err(|problem| Error::data(path, problem))?;
                let there = all.into_iter().enumerate().filter(|(row, _)| !rows.lacking.contains(row));
                text.extend(there.map(|(_, name)| name));
            }
        }
        let origin = origin(reader.metadata(), path)?;
        let table = Table::from(Embeddings::new(rows.dim.unwrap_or(0), rows.values)).of_file(path).with_origin(origin);
        match names {
            Some(_) if text.len() != table.len() => {
                Err(Error::data(path, format!("has {} names of {} rows", text.len(), table.len())))
            }
            Some(_) => table.with_some_names(text),
            None => Ok(table),
        }
    }
}

/// What made the vectors, where the file says it.
fn origin(metadata: &ParquetMetaData, path: &Path) -> Result<Option<Origin>> {
    let facts = metadata.file_metadata().key_value_metadata();
    let text =
        facts.and_then(|facts| facts.iter().find(|fact| fact.key == ORIGIN)).and_then(|fact| fact.value.as_ref());
    let parse = |text: &String| serde_json::from_str(text).map_err(|e| Error::data(path, format!("{ORIGIN}: {e}")));
    text.map(parse).transpose()
}

/// The definition level of a value that is there.
fn columns_max(reader: &SerializedFileReader<File>, column: usize) -> i16 {
    reader.metadata().file_metadata().schema_descr().column(column).max_def_level()
}

/// Where vectors are.
enum Vectors {
    /// In a column of lists.
    Lists(usize),
    /// A value in each of these.
    Columns(Vec<usize>),
}

impl Vectors {
    fn find(schema: &SchemaDescriptor) -> Result<Vectors, String> {
        let columns = schema.columns();
        let is_number = |i: &usize| matches!(columns[*i].physical_type(), Type::FLOAT | Type::DOUBLE);
        let numbers = || (0..columns.len()).filter(is_number);
        let flat: Vec<usize> = numbers().filter(|&i| is_flat(&columns[i])).collect();
        let mut lists: Vec<usize> = numbers().filter(|&i| is_list(schema, i)).collect();
        // Beside an embedding there may be its face's box.
        if let Some(&named) = lists.iter().find(|&&i| VECTORS.contains(&columns[i].path().parts()[0].as_str())) {
            lists = vec![named];
        }
        match lists[..] {
            [list] => Ok(Vectors::Lists(list)),
            [] if !flat.is_empty() => Ok(Vectors::Columns(flat)),
            [] => Err(match numbers().next() {
                Some(i) => format!(
                    "has numbers within `{}` alone, which is neither a column of numbers nor one of lists of them; \
                     save its vectors as a column of lists",
                    columns[i].path().parts()[0]
                ),
                None => "has no column of lists of f32 or f64, nor columns of such numbers".to_owned(),
            }),
            _ => {
                let names: Vec<String> = lists.iter().map(|&i| columns[i].path().parts()[0].clone()).collect();
                Err(format!("has several columns of lists: {}; save the one of the vectors alone", names.join(", ")))
            }
        }
    }

    fn columns(&self) -> impl Iterator<Item = usize> {
        match self {
            Vectors::Lists(column) => vec![*column].into_iter(),
            Vectors::Columns(columns) => columns.clone().into_iter(),
        }
    }
}

/// Whether a column has one value a row, and is no field of a struct.
fn is_flat(column: &ColumnDescPtr) -> bool {
    column.max_rep_level() == 0 && column.path().parts().len() == 1
}

/// Whether a column is of lists of plain values: not of structs, and no map.
fn is_list(schema: &SchemaDescriptor, column: usize) -> bool {
    let (root, leaf) = (schema.get_column_root(column), &schema.columns()[column]);
    let info = root.get_basic_info();
    // Lists of two levels and of three are both written.
    let list = info.converted_type() == ConvertedType::LIST || info.logical_type_ref() == Some(&LogicalType::List);
    let bare = root.is_primitive() && info.has_repetition() && info.repetition() == Repetition::REPEATED;
    leaf.max_rep_level() == 1 && (bare || list && leaf.path().parts().len() <= 3)
}

/// Refuses columns with a compression that is not read.
fn check_codecs(reader: &SerializedFileReader<File>, columns: &[usize]) -> Result<(), String> {
    for group in reader.metadata().row_groups() {
        for &column in columns {
            let codec = match group.column(column).compression() {
                Compression::GZIP(_) => "gzip",
                Compression::BROTLI(_) => "brotli",
                Compression::LZO => "lzo",
                _ => continue,
            };
            return Err(format!(
                "is compressed by {codec}, which is not read; write it by snappy, zstd or lz4, such as with pyarrow's \
                 compression=\"zstd\""
            ));
        }
    }
    Ok(())
}

fn is_text(column: &ColumnDescPtr) -> bool {
    column.physical_type() == Type::BYTE_ARRAY && is_flat(column)
}

/// The column of names.
fn names_column(columns: &[ColumnDescPtr]) -> Option<usize> {
    let text: Vec<usize> = (0..columns.len()).filter(|&i| is_text(&columns[i])).collect();
    let named = text.iter().copied().find(|&i| NAMES.contains(&columns[i].name()));
    named.or(if let [one] = text[..] { Some(one) } else { None })
}

/// A column of a group: what is there, and how it is to be read.
#[derive(Default)]
struct Column {
    values: Vec<f32>,
    /// The first of them that f32 cannot hold.
    beyond: Option<usize>,
    definitions: Vec<i16>,
    repetitions: Vec<i16>,
    rows: usize,
}

/// All values of a column of numbers.
fn numbers(reader: ColumnReader) -> Result<Column, String> {
    let problem = |error: ParquetError| format!("cannot be read as Parquet: {error}");
    match reader {
        ColumnReader::FloatColumnReader(reader) => read(reader, f64::from).map_err(problem),
        ColumnReader::DoubleColumnReader(reader) => read(reader, |x| x).map_err(problem),
        _ => Err("has a column of another type than it says".to_owned()),
    }
}

fn read<T: DataType>(
    mut reader: ::parquet::column::reader::ColumnReaderImpl<T>,
    value: impl Fn(T::T) -> f64,
) -> Result<Column, ParquetError> {
    let mut column = Column::default();
    loop {
        let mut values = Vec::new();
        let (definitions, repetitions) = (&mut column.definitions, &mut column.repetitions);
        let (rows, ..) = reader.read_records(STEP, Some(definitions), Some(repetitions), &mut values)?;
        for wide in values.into_iter().map(&value) {
            if is_beyond(wide) {
                column.beyond.get_or_insert(column.values.len());
            }
            column.values.push(wide as f32);
        }
        column.rows += rows;
        if rows == 0 {
            return Ok(column);
        }
    }
}

/// All names of a column of text; none where there is a null.
fn texts(reader: ColumnReader) -> Result<Vec<Option<String>>, String> {
    let ColumnReader::ByteArrayColumnReader(mut reader) = reader else {
        return Err("has a column of another type than it says".to_owned());
    };
    let (mut texts, mut definitions, mut rows) = (Vec::new(), Vec::new(), 0);
    loop {
        let (read, ..) = reader
            .read_records(STEP, Some(&mut definitions), None, &mut texts)
            .map_err(|error| format!("cannot be read as Parquet: {error}"))?;
        rows += read;
        if read == 0 {
            break;
        }
    }
    let mut texts = texts.into_iter().map(|text| String::from_utf8_lossy(text.data()).into_owned());
    // A required column has no definitions.
    let there = |row: usize| definitions.get(row).is_none_or(|&level| level > 0);
    Ok((0..rows).map(|row| if there(row) { texts.next() } else { None }).collect())
}

/// Rows so far.
#[derive(Default)]
struct Rows {
    dim: Option<usize>,
    values: Vec<f32>,
    /// Whether lists may be null: their rows are left out.
    may_lack: bool,
    /// Such rows of the last group.
    lacking: HashSet<usize>,
    /// Rows of all groups, these too.
    seen: usize,
}

impl Rows {
    fn count(&self) -> usize {
        self.values.len() / self.dim.unwrap_or(1).max(1)
    }

    /// A vector in each list.
    fn add_lists(&mut self, column: &Column, max: i16) -> Result<(), String> {
        let first = self.seen;
        let mut bounds: Vec<usize> = (0..column.repetitions.len()).filter(|&i| column.repetitions[i] == 0).collect();
        bounds.push(column.definitions.len());
        self.lacking.clear();
        for (row, bounds) in bounds.windows(2).enumerate() {
            self.seen += 1;
            let levels = &column.definitions[bounds[0]..bounds[1]];
            if self.may_lack && levels == [0] {
                self.lacking.insert(row);
                continue;
            }
            if levels.iter().any(|&level| level != max) {
                return Err(format!("row {} is null or empty, or has a null in it", first + row));
            }
            self.check(first + row, levels.len())?;
        }
        if let (Some(value), Some(dim)) = (column.beyond, self.dim) {
            let row = (0..).filter(|row| !self.lacking.contains(row)).nth(value / dim);
            return Err(beyond(first + row.unwrap_or(0)));
        }
        self.values.extend(&column.values);
        Ok(())
    }

    fn check(&mut self, row: usize, len: usize) -> Result<(), String> {
        let dim = *self.dim.get_or_insert(len);
        if dim == len { Ok(()) } else { Err(format!("row {row} has {len} values, and the ones before {dim}")) }
    }

    /// A value of each vector in each column.
    fn add_columns(&mut self, columns: &[Column]) -> Result<(), String> {
        self.dim = Some(columns.len());
        let rows = columns.first().map_or(0, |column| column.rows);
        if columns.iter().any(|column| column.rows != rows) {
            return Err("is damaged: its columns have different lengths".to_owned());
        }
        if let Some(column) = columns.iter().find(|column| column.values.len() != rows) {
            let null = column.definitions.iter().position(|&level| level == 0).unwrap_or(0);
            return Err(format!("row {} has a null in it", self.count() + null));
        }
        if let Some(row) = columns.iter().filter_map(|column| column.beyond).min() {
            return Err(beyond(self.count() + row));
        }
        self.values.reserve(rows * columns.len());
        for row in 0..rows {
            self.values.extend(columns.iter().map(|column| column.values[row]));
        }
        Ok(())
    }
}
