//! What is searched, and what is looked for: an index, a table of vectors, or faces.

use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::Result;

use crate::Error;
use crate::backend::Device;
use crate::cli::context::Globals;
use crate::cli::faces::{Faces, FacesArgs};
use crate::cli::output;
use crate::vectors::Origin;
use crate::vectors::search::{Index, Neighbours, Table, names_of};

/// Files that are told by how they begin.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Index,
    Npy,
    Parquet,
    Other,
}

/// What a file is.
fn kind_of(path: &Path) -> Result<Kind> {
    if !path.is_file() {
        return Ok(Kind::Other);
    }
    let mut start = Vec::new();
    let file = File::open(path).map_err(Error::io(path, "read"))?;
    file.take(6).read_to_end(&mut start).map_err(Error::io(path, "read"))?;
    Ok(match start.as_slice() {
        b"\x93NUMPY" => Kind::Npy,
        [b'P', b'A', b'R', b'1', ..] => Kind::Parquet,
        _ if Index::is_one(path)? => Kind::Index,
        _ => Kind::Other,
    })
}

/// A file of vectors, where it is one.
fn table_of(path: &Path) -> Result<Option<Table>> {
    let table = match kind_of(path)? {
        Kind::Npy => Table::npy(path)?,
        Kind::Parquet => Table::parquet(path)?,
        Kind::Index | Kind::Other => return Ok(None),
    };
    eprintln!("vectors: {} of {} values, in {}", table.len(), table.dim(), path.display());
    Ok(Some(table))
}

/// The photograph of each row of a file that `embed` wrote, whose names are their paths.
fn images(table: &Table) -> Vec<PathBuf> {
    let known = table.origin().is_some();
    (0..table.len()).filter(|_| known).map(|row| PathBuf::from(table.name(row).unwrap_or_default())).collect()
}

/// Rows to be put into an index, or to be looked for.
pub struct Given {
    pub table: Table,
    /// The photograph of each row, where they are faces.
    pub images: Vec<PathBuf>,
    /// What could not be read.
    pub failures: Vec<Error>,
}

impl Given {
    /// The rows that a command is given: of a file, or of faces. `what` names the work to the progress bar.
    pub fn open(
        args: &FacesArgs,
        names: Option<&Path>,
        globals: &Globals,
        device: &Device,
        what: &'static str,
    ) -> Result<Given> {
        let mut given = match &args.paths[..] {
            [path] => match table_of(path)? {
                Some(table) => Given { images: images(&table), table, failures: vec![] },
                None => Given::faces(args.embed(globals, device, what)?),
            },
            paths => {
                let of_vectors = |path: &&PathBuf| kind_of(path).is_ok_and(|kind| kind != Kind::Other);
                if let Some(path) = paths.iter().find(of_vectors) {
                    let problem = "is a file of vectors, which stands alone: give one, or photographs";
                    return Err(Error::data(path, problem).into());
                }
                Given::faces(args.embed(globals, device, what)?)
            }
        };
        if let Some(path) = names {
            let names = names_of(path)?;
            if names.len() != given.table.len() {
                let problem = format!(
                    "has {}, and there are {} rows: one for each",
                    output::count(names.len(), "line"),
                    given.table.len()
                );
                return Err(Error::data(path, problem).into());
            }
            given.table = given.table.with_names(names)?;
        }
        Ok(given)
    }

    fn faces(mut faces: Faces) -> Given {
        let table = Table::from(std::mem::take(&mut faces.embeddings)).with_origin(faces.origin.take());
        let names = faces.images.iter().map(output::path).collect();
        // There is an image for each embedding.
        let table = table.with_names(names).unwrap_or_else(|error| unreachable!("{error}"));
        Given { table, images: faces.images, failures: faces.failures }
    }
}

/// Tells that an index is waited for.
pub fn waiting(path: &Path) -> impl FnOnce(Duration) {
    move |patience| {
        eprintln!("{} is in use by another process; waiting up to {} s", path.display(), patience.as_secs());
    }
}

/// What is searched.
pub enum Base {
    Index(Index),
    Table(Table),
}

impl Base {
    /// An index, a file of vectors, or a folder that `embed` wrote.
    pub fn open(path: &Path, globals: &Globals) -> Result<Base> {
        if kind_of(path)? == Kind::Index {
            let index = Index::open_waiting(path, waiting(path))?;
            if index.damaged() {
                eprintln!(
                    "warning: {}: one of its two head blocks is damaged, and the other one counts; \
                     `warpface search add --repair` writes both anew",
                    path.display()
                );
            }
            let (rows, dim, storage) = (index.len(), index.dim(), index.storage());
            eprintln!("index: {rows} rows of {dim} values in {storage}, {}", path.display());
            return Ok(Base::Index(index));
        }
        if let Some(table) = table_of(path)? {
            return Ok(Base::Table(table));
        }
        if let Some(faces) = Faces::written(path, globals)? {
            return Ok(Base::Table(Given::faces(faces).table));
        }
        if !path.exists() {
            let problem = "is not here; `warpface search build` makes an index";
            return Err(Error::data(path, problem).into());
        }
        let problem = "is neither an index, nor a file of vectors (.npy, Parquet), nor a folder that `embed` wrote; `warpface search build` makes an index";
        Err(Error::data(path, problem).into())
    }

    pub fn neighbours<'a>(&'a self, device: &'a Device) -> Result<Neighbours<'a>> {
        Ok(match self {
            Base::Index(index) => index.neighbours(device)?,
            Base::Table(table) => table.neighbours(device)?,
        })
    }

    pub fn name(&self, row: usize) -> Option<&str> {
        match self {
            Base::Index(index) => index.name(row),
            Base::Table(table) => table.name(row),
        }
    }

    pub fn dim(&self) -> usize {
        match self {
            Base::Index(index) => index.dim(),
            Base::Table(table) => table.dim(),
        }
    }

    pub fn origin(&self) -> Option<&Origin> {
        match self {
            Base::Index(index) => index.origin(),
            Base::Table(table) => table.origin(),
        }
    }
}
