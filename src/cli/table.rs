//! Faces to a Parquet file: what `embed` and `detect` share.

use std::collections::HashSet;
use std::path::{Path, PathBuf};

use anyhow::Result;
use serde_json::{Map, Value};

use super::output;
use crate::Error;
use crate::error::{Field, message};
use crate::image::path_text;
use crate::vectors::Origin;
use crate::vectors::parquet::{Begun, Columns, GROUP_ROWS, Row, Writer};

/// How a Parquet file is written, as flags.
#[derive(Debug, clap::Args)]
pub struct TableArgs {
    /// Go on from what a run that did not end left of -o FILE.parquet, and do the photographs that are not in it; photographs
    /// that failed are in it, with their errors
    #[arg(long)]
    resume: bool,
    /// Rows of a row group of -o FILE.parquet: what a run that is killed loses at most
    #[arg(long, default_value_t = GROUP_ROWS, value_name = "N")]
    group_rows: usize,
}

/// A file that is being written, and what was done before.
pub struct Table {
    writer: Writer,
    place: PathBuf,
    done: HashSet<String>,
}

/// Whether a file is named as one of Parquet's.
pub fn is_table(path: &Path) -> bool {
    path.extension().is_some_and(|suffix| suffix.eq_ignore_ascii_case("parquet"))
}

impl TableArgs {
    /// Refuses flags that are for Parquet files alone.
    pub fn check(&self, is_table: bool) -> Result<()> {
        if self.group_rows == 0 {
            return Err(Error::invalid(Field("group_rows"), "is 0, and a row group has rows: 1 at least").into());
        }
        if self.resume && !is_table {
            let problem = message!["goes on with a Parquet file: give ", Field("output"), " FILE.parquet"];
            return Err(Error::invalid(Field("resume"), problem).into());
        }
        Ok(())
    }

    /// Begins the file, or goes on with it.
    pub fn open(
        &self,
        place: &Path,
        columns: Columns,
        origin: Option<&Origin>,
        run: Map<String, Value>,
    ) -> Result<Table> {
        if let Some(folder) = place.parent().filter(|folder| !folder.as_os_str().is_empty()) {
            super::context::create_folder(folder)?;
        }
        let Begun { writer, done } = Writer::begin(place, columns, origin, run, self.group_rows, self.resume)?;
        if self.resume {
            eprintln!("resumed: {} in {} already", output::count(done.len(), "photograph"), place.display());
        }
        Ok(Table { writer, place: place.to_owned(), done })
    }
}

impl Table {
    /// Those of some photographs that are not in it yet, by their places.
    pub fn left(&self, images: &[PathBuf], of: Vec<usize>) -> Vec<usize> {
        of.into_iter().filter(|&i| !self.done.contains(&path_text(&images[i]))).collect()
    }

    /// Where it will be.
    pub fn place(&self) -> &Path {
        &self.place
    }

    /// How many photographs are in it from before.
    pub fn before(&self) -> usize {
        self.done.len()
    }

    /// Adds a photograph with its faces; one that has none gets a row that says so.
    pub fn push<'a>(&mut self, path: &Path, label: &str, faces: Vec<Row<'a>>) -> crate::Result<()> {
        let faces = if faces.is_empty() { vec![Row::default()] } else { faces };
        self.writer.push(&path_text(path), label, faces)
    }

    /// Adds a photograph that could not be done.
    pub fn push_failed(&mut self, path: &Path, label: &str, error: &Error) -> crate::Result<()> {
        let row = Row { error: Some(super::fields::words(error)), ..Row::default() };
        self.writer.push(&path_text(path), label, [row])
    }

    /// Puts the file in its place.
    pub fn finish(self) -> Result<()> {
        self.writer.finish()?;
        eprintln!("table: {}", self.place.display());
        Ok(())
    }
}
