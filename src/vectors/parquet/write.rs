//! Rows to files.

use std::collections::HashSet;
use std::path::{Path, PathBuf};

use ::parquet::arrow::ArrowWriter;
use ::parquet::errors::ParquetError;
use serde_json::{Map, Value};

use super::batch::{Columns, Row, Waiting};
use super::join::{join, wrong};
use super::parts::Parts;
use super::read::{ORIGIN, RUN, Stored};
use crate::vectors::Origin;
use crate::{Error, Result};

/// Rows of a row group, usually: 16 MiB of embeddings of 512 values.
pub const GROUP_ROWS: usize = 8192;

/// A Parquet file that is being written.
pub struct Writer {
    place: PathBuf,
    parts: Parts,
    /// Whether the rows in the place already stay.
    adds: bool,
    columns: Columns,
    facts: Vec<(&'static str, String)>,
    group_rows: usize,
    waiting: Waiting,
    rows: usize,
}

/// A writer, and what an earlier run has done.
pub struct Begun {
    /// The writer.
    pub writer: Writer,
    /// The paths of the photographs that are done.
    pub done: HashSet<String>,
}

impl Writer {
    /// Begins the file `place`, or goes on with what is there of it where it is to `resume`. `origin` says what makes the
    /// embeddings, `run` which settings rows depend on: a run that resumes must have the same. A row group is written when
    /// it has `group_rows` rows at least.
    ///
    /// # Errors
    /// [`Error::Io`]; [`Error::Data`] where an earlier run left rows and this one is not to resume, where another run is
    /// writing, where what is there is damaged, or of other settings, which are named.
    pub fn begin(
        place: impl AsRef<Path>,
        columns: Columns,
        origin: Option<&Origin>,
        run: Map<String, Value>,
        group_rows: usize,
        resume: bool,
    ) -> Result<Begun> {
        let place = place.as_ref().to_owned();
        if place.is_dir() {
            return Err(Error::data(&place, "is a folder, and Parquet is one file; name another"));
        }
        let mut parts = Parts::open(&place, resume)?;
        let settings = Stored { origin: origin.map(|origin| serde_json::to_value(origin).unwrap_or_default()), run };
        let waiting = Waiting::new(columns);
        let adds = place.exists() && !parts.replaces();
        let mut done = HashSet::new();
        if adds {
            done = settings.check(&place, &waiting.schema())?;
        }
        let mut joined = HashSet::new();
        for path in &parts.files {
            let paths = settings.check(path, &waiting.schema())?;
            // A run that was killed when it had joined them left them behind.
            if paths.iter().any(|path| done.contains(path)) {
                joined.insert(path.clone());
            }
            done.extend(paths);
        }
        parts.forget(|path| joined.contains(path))?;
        let mut facts = vec![(RUN, Value::Object(settings.run).to_string())];
        facts.extend(settings.origin.map(|origin| (ORIGIN, origin.to_string())));
        let group_rows = group_rows.max(1);
        let writer = Writer { place, parts, adds, columns, facts, group_rows, waiting, rows: 0 };
        Ok(Begun { writer, done })
    }

    /// Adds the rows of a photograph, at least one. They go to the disk together, with those of others.
    ///
    /// # Errors
    /// [`Error::Io`], such as for a full disk. What was written before stays.
    pub fn push<'a>(&mut self, path: &str, label: &str, rows: impl IntoIterator<Item = Row<'a>>) -> Result<()> {
        for row in rows {
            self.waiting.push(path, label, row);
            self.rows += 1;
        }
        if self.waiting.len() >= self.group_rows { self.write() } else { Ok(()) }
    }

    fn write(&mut self) -> Result<()> {
        let batch = self.waiting.take().map_err(|error| wrong(&self.place, error.into()))?;
        let encode = || -> Result<Vec<u8>, ParquetError> {
            let mut bytes = Vec::new();
            let options = self.columns.options(&self.facts);
            let mut writer = ArrowWriter::try_new_with_options(&mut bytes, batch.schema(), options)?;
            writer.write(&batch)?;
            writer.close()?;
            Ok(bytes)
        };
        let bytes = encode().map_err(|error| wrong(&self.place, error))?;
        self.parts.write(&bytes)
    }

    /// Writes what waits, and puts the file in its place; returns how many rows were pushed. Where none were, and none were
    /// there, the file has no rows.
    ///
    /// # Errors
    /// [`Error::Io`], such as for a full disk. What was written before stays, and a run that resumes goes on from it.
    pub fn finish(mut self) -> Result<usize> {
        let nothing = self.parts.files.is_empty() && !self.adds;
        if self.waiting.len() > 0 || nothing {
            self.write()?;
        }
        match &self.parts.files[..] {
            [] => {}
            [one] if !self.adds => std::fs::rename(one, &self.place).map_err(Error::io(&self.place, "write"))?,
            parts => {
                let old = self.adds.then(|| self.place.clone());
                let files: Vec<PathBuf> = old.into_iter().chain(parts.iter().cloned()).collect();
                join(&self.place, &files)?;
            }
        }
        self.parts.forget(|path| path.exists())?;
        Ok(self.rows)
    }
}
