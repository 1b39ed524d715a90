//! The list of bounding boxes.

use std::fs::File;
use std::io::{Seek, Write};
use std::path::{Path, PathBuf};

use anyhow::Result;

use crate::Error;

/// A crop's file, and the box that it is of.
pub(super) type Row = (PathBuf, [usize; 4]);

/// The list of bounding boxes, which grows as the run goes.
pub(super) struct List {
    pub path: PathBuf,
    file: File,
}

impl List {
    /// A new `bounding_boxes_NNNNN.txt`, the number such that runs side by side have different ones.
    pub fn create(folder: &Path) -> Result<Self> {
        for attempt in 0..100_000 {
            let path = folder.join(format!("bounding_boxes_{:05}.txt", (std::process::id() + attempt) % 100_000));
            match File::options().write(true).create_new(true).open(&path) {
                Ok(file) => return Ok(List { path, file }),
                Err(e) if e.kind() == std::io::ErrorKind::AlreadyExists => {}
                Err(e) => return Err(Error::io(&path, "create")(e).into()),
            }
        }
        Err(Error::data(folder, "holds 100,000 bounding_boxes files already").into())
    }

    /// Adds a photograph's crops and rectangles, or its name alone where it has none: all of it, or nothing.
    pub fn add(&mut self, target: &Path, rows: &[Row]) -> Result<()> {
        let row = |(file, [x1, y1, x2, y2]): &Row| format!("{} {x1} {y1} {x2} {y2}\n", file.display());
        let lines = match rows {
            [] => format!("{}\n", target.display()),
            rows => rows.iter().map(row).collect(),
        };
        let whole = self.file.stream_position().map_err(Error::io(&self.path, "write"))?;
        let written = self.file.write_all(lines.as_bytes());
        if written.is_err() {
            let _ = self.file.set_len(whole);
        }
        Ok(written.map_err(Error::io(&self.path, "write"))?)
    }
}
