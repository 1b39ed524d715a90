//! The Parquet file that `embed` writes, and others read.

use std::path::{Path, PathBuf};

use anyhow::Result;

use super::Faces;
use super::folder::tell_origin;
use crate::cli::context::Globals;
use crate::cli::output;
use crate::vectors::parquet;

/// Reads the faces of a file that have embeddings. `globals` say where the model's file may be.
pub fn read(path: &Path, globals: &Globals) -> Result<Faces> {
    let rows = parquet::read(path)?;
    if rows.without > 0 {
        eprintln!("{}: {} without an embedding, left out", path.display(), output::count(rows.without, "row"));
    }
    let model = tell_origin(path, rows.embeddings.dim(), rows.paths.len(), rows.origin.as_ref(), globals);
    Ok(Faces {
        embeddings: rows.embeddings,
        photographs: rows.paths.len(),
        images: rows.paths.into_iter().map(PathBuf::from).collect(),
        labels: rows.labels,
        boxes: rows.boxes,
        origin: rows.origin,
        model,
        ..Faces::default()
    })
}
