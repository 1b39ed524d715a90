//! Parquet files of the same columns, made one: row groups are copied as they are.

use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use ::parquet::column::writer::ColumnCloseResult;
use ::parquet::errors::ParquetError;
use ::parquet::file::metadata::{PageIndexPolicy, ParquetMetaData, ParquetMetaDataReader};
use ::parquet::file::properties::WriterProperties;
use ::parquet::file::writer::SerializedFileWriter;

use crate::files::Aside;
use crate::{Error, Result};

/// Writes `place` of the row groups of `files`, at least one, whole or not at all. What the first says of itself is kept.
pub(super) fn join(place: &Path, files: &[PathBuf]) -> Result<()> {
    let inputs: Vec<(File, ParquetMetaData)> = files.iter().map(|path| open(path)).collect::<Result<_>>()?;
    let Some((_, first)) = inputs.first() else { return Ok(()) };
    let facts = first.file_metadata().key_value_metadata().cloned();
    let schema = first.file_metadata().schema_descr().root_schema_ptr();
    let properties = WriterProperties::builder()
        .set_created_by(concat!("warpface ", env!("CARGO_PKG_VERSION")).to_owned())
        .set_key_value_metadata(facts)
        .build();
    let mut out = Aside::create(place).map_err(Error::io(place, "write"))?;
    let copy = || -> Result<(), ParquetError> {
        let mut writer = SerializedFileWriter::new(&mut out, schema, Arc::new(properties))?;
        for (file, metadata) in &inputs {
            add(&mut writer, file, metadata)?;
        }
        writer.close().map(drop)
    };
    copy().map_err(|error| wrong(place, error))?;
    out.finish().and_then(|()| out.put()).map_err(Error::io(place, "write"))
}

fn open(path: &Path) -> Result<(File, ParquetMetaData)> {
    let file = File::open(path).map_err(Error::io(path, "read"))?;
    let metadata =
        ParquetMetaDataReader::new().with_page_index_policy(PageIndexPolicy::Optional).parse_and_finish(&file);
    metadata.map(|metadata| (file, metadata)).map_err(|error| wrong(path, error))
}

fn add(
    writer: &mut SerializedFileWriter<&mut Aside>,
    file: &File,
    metadata: &ParquetMetaData,
) -> Result<(), ParquetError> {
    let index = metadata.page_index();
    for (number, group) in metadata.row_groups().iter().enumerate() {
        let mut out = writer.next_row_group()?;
        for (place, column) in group.columns().iter().enumerate() {
            let close = ColumnCloseResult {
                bytes_written: column.compressed_size() as u64,
                rows_written: group.num_rows() as u64,
                metadata: column.clone(),
                bloom_filter: None,
                column_index: index.and_then(|index| index.column_index(number, place)).cloned(),
                offset_index: index.and_then(|index| index.offset_index(number, place)).cloned(),
            };
            out.append_column(file, close)?;
        }
        out.close()?;
    }
    Ok(())
}

/// An error of Parquet's with the file: the system's where it is one.
pub(super) fn wrong(path: &Path, error: ParquetError) -> Error {
    match error {
        ParquetError::External(inner) => match inner.downcast::<io::Error>() {
            Ok(error) => Error::io(path, "write")(*error),
            Err(inner) => Error::data(path, format!("cannot be written as Parquet: {inner}")),
        },
        error => Error::data(path, format!("cannot be read as Parquet: {error}")),
    }
}
