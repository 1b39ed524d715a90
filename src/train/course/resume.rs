//! Finding the checkpoint that a run goes on from.

use std::path::{Path, PathBuf};

use super::state::RunState;
use crate::error::Field;
use crate::train::checkpoint::{self, Checkpoint, Checkpoints};
use crate::{Error, Result};

/// A run to go on with.
#[derive(Debug)]
pub struct Resumed {
    /// Its checkpoint.
    pub checkpoint: Checkpoint<RunState>,
    /// Later checkpoints that are damaged, each with what is wrong with it.
    pub passed_over: Vec<String>,
}

/// The checkpoint of a run: of its folder the latest that is whole, or the very one whose file `run` is.
///
/// # Errors
/// Nothing there, or nothing whole; another run at work in the folder.
pub fn resume(run: impl AsRef<Path>) -> Result<Resumed> {
    let run = run.as_ref();
    if !run.exists() && !run.with_extension("json").exists() {
        let problem = format!("{}: neither a folder of checkpoints nor one of them is there", run.display());
        return Err(Error::invalid(Field("resume"), problem));
    }
    if !run.is_dir() {
        return Ok(Resumed { checkpoint: checkpoint::read(run)?, passed_over: Vec::new() });
    }
    let latest = Checkpoints::open(run, usize::MAX)?.latest()?;
    let absent = || Error::invalid(Field("resume"), format!("{}: no whole checkpoint is there", run.display()));
    Ok(Resumed { checkpoint: latest.checkpoint.ok_or_else(absent)?, passed_over: latest.passed_over })
}

/// The folder that a checkpoint lies in, and its name: that of the run.
///
/// # Errors
/// A folder that is gone.
pub(super) fn folder_of(file: &Path) -> Result<(PathBuf, String)> {
    let parent = file.parent().filter(|parent| !parent.as_os_str().is_empty());
    let folder = parent.unwrap_or(Path::new(".")).to_owned();
    // `.` is a folder too, and has a name.
    let whole = folder.canonicalize().map_err(Error::io(&folder, "find"))?;
    Ok((folder, whole.file_name().unwrap_or_default().to_string_lossy().into_owned()))
}
