//! The folder of the row groups that are done, beside the file that they will be.

use std::fs::{self, File, TryLockError};
use std::io::Write;
use std::path::{Path, PathBuf};

use crate::error::{Field, message};
use crate::files::{Aside, PARTIAL};
use crate::{Error, Result};

/// What is behind the file's name in the folder's.
const SUFFIX: &str = "parts";
/// Held by the run that writes.
const LOCK: &str = ".lock";
/// There where the file that is in the place already is to be replaced, not added to.
const REPLACES: &str = ".replaces";

/// A run's folder of parts, which no other run writes to.
pub(super) struct Parts {
    folder: PathBuf,
    /// Its lock ends with the process.
    _lock: File,
    /// Those that are there, in order.
    pub files: Vec<PathBuf>,
    next: usize,
}

impl Parts {
    /// The folder of the file `place`; `resume` goes on from what a run left in it.
    pub fn open(place: &Path, resume: bool) -> Result<Self> {
        let folder = place.with_added_extension(SUFFIX);
        fs::create_dir_all(&folder).map_err(Error::io(&folder, "create"))?;
        let lock = lock(&folder)?;
        let (files, next) = list(&folder)?;
        if !resume && !files.is_empty() {
            let problem = message![
                format!("has {} of a run that did not end; go on from there by ", count(files.len())),
                Field("resume"),
                ", or remove the folder to begin anew"
            ];
            return Err(Error::data(&folder, problem));
        }
        let parts = Parts { folder, _lock: lock, files, next };
        if !resume && place.exists() {
            let mark = parts.folder.join(REPLACES);
            File::create(&mark).map_err(Error::io(&mark, "create"))?;
        }
        Ok(parts)
    }

    /// Whether a file that is in the place already goes when all is done.
    pub fn replaces(&self) -> bool {
        self.folder.join(REPLACES).exists()
    }

    /// Writes the next part to the disk, whole or not at all.
    pub fn write(&mut self, bytes: &[u8]) -> Result<()> {
        let path = self.folder.join(format!("part-{:06}.parquet", self.next));
        let write = || {
            let mut file = Aside::create(&path)?;
            file.write_all(bytes)?;
            file.finish()?;
            file.put()
        };
        write().map_err(Error::io(&path, "write"))?;
        self.files.push(path);
        self.next += 1;
        Ok(())
    }

    /// Removes parts whose rows are elsewhere.
    pub fn forget(&mut self, gone: impl Fn(&Path) -> bool) -> Result<()> {
        for path in self.files.extract_if(.., |path| gone(path)) {
            fs::remove_file(&path).map_err(Error::io(&path, "remove"))?;
        }
        Ok(())
    }
}

impl Drop for Parts {
    /// Removes the folder where nothing is left in it to go on from.
    fn drop(&mut self) {
        if list(&self.folder).is_ok_and(|(files, _)| files.is_empty()) {
            let _ = fs::remove_file(self.folder.join(REPLACES));
            let _ = fs::remove_file(self.folder.join(LOCK));
            let _ = fs::remove_dir(&self.folder);
        }
    }
}

/// `1 row group`, `2 row groups`.
fn count(files: usize) -> String {
    format!("{files} row group{}", if files == 1 { "" } else { "s" })
}

/// The folder's lock; some file systems have none, and there two runs are not told apart.
fn lock(folder: &Path) -> Result<File> {
    let path = folder.join(LOCK);
    let file = File::create(&path).map_err(Error::io(&path, "create"))?;
    match file.try_lock() {
        Err(TryLockError::WouldBlock) => {
            Err(Error::data(folder, "is written to by another run; wait for it, or name another output"))
        }
        _ => Ok(file),
    }
}

/// The parts in order, and the number of the next one. What a run that was killed had not finished is removed.
fn list(folder: &Path) -> Result<(Vec<PathBuf>, usize)> {
    let (mut files, mut next) = (Vec::new(), 0);
    for entry in fs::read_dir(folder).map_err(Error::io(folder, "read"))? {
        let path = entry.map_err(Error::io(folder, "read"))?.path();
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        let Some(rest) = name.strip_prefix("part-") else { continue };
        if name.ends_with(PARTIAL) {
            let _ = fs::remove_file(&path);
        } else if let Some(number) = rest.strip_suffix(".parquet").and_then(|number| number.parse::<usize>().ok()) {
            next = next.max(number + 1);
            files.push((number, path));
        }
    }
    files.sort();
    Ok((files.into_iter().map(|(_, path)| path).collect(), next))
}
