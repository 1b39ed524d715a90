//! Which photographs a run works on, where several runs share an output.
//!
//! Each run keeps a file of claims in a hidden folder of the output, and a lock on it as long as it lives; claims are
//! made under a lock of the output itself. A run that is killed loses its lock, and others take its claims over.

use std::collections::{HashMap, HashSet};
use std::ffi::OsString;
use std::fs::{self, File, TryLockError};
use std::io::{Read, Write};
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use sha2::{Digest, Sha256};

use crate::{Error, Result};

/// The folder of claims.
const FOLDER: &str = ".claims";
/// The claim that ends a run's file when it has done all the others.
const DONE: u64 = u64::MAX;

/// This run's claims, and what it knows of others'.
pub struct Claims {
    output: File,
    folder: PathBuf,
    own: PathBuf,
    /// Its lock is held until it is closed.
    file: File,
    others: HashMap<OsString, Other>,
    /// What runs that ended have done.
    done: HashSet<u64>,
    finished: bool,
}

struct Other {
    file: File,
    claimed: HashSet<u64>,
}

impl Claims {
    /// Begins claiming in an output; `None` where its file system cannot lock: there runs see of one another only what is
    /// finished.
    pub fn open(output: &Path) -> Result<Option<Self>> {
        let Ok(locked) = File::open(output) else { return Ok(None) };
        if locked.lock().is_err() {
            return Ok(None);
        }
        let folder = output.join(FOLDER);
        fs::create_dir_all(&folder).map_err(Error::io(&folder, "create"))?;
        let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default().as_nanos();
        let own = folder.join(format!("{}-{since}", std::process::id()));
        let file = File::create_new(&own).map_err(Error::io(&own, "create"))?;
        let claims =
            Claims { output: locked, folder, own, file, others: HashMap::new(), done: HashSet::new(), finished: false };
        claims.file.lock().map_err(Error::io(&claims.own, "lock"))?;
        claims.release();
        Ok(Some(claims))
    }

    /// When this run began, by the file system's clock.
    pub fn began(&self) -> Option<SystemTime> {
        self.file.metadata().and_then(|file| file.modified()).ok()
    }

    /// Does what must not be done by two runs at a time; tells it whether others are at work.
    pub fn alone<T>(&mut self, work: impl FnOnce(bool) -> T) -> Result<T> {
        self.output.lock().map_err(Error::io(&self.own, "lock"))?;
        let result = self.look().map_err(Error::io(&self.folder, "read")).map(|()| work(!self.others.is_empty()));
        self.release();
        result
    }

    fn release(&self) {
        let _ = self.output.unlock();
    }

    /// Claims what `wanted` picks, which is told what others have claimed or done. No other run claims at the same time.
    pub fn claim(&mut self, wanted: impl FnOnce(&dyn Fn(&Path) -> bool) -> Vec<PathBuf>) -> Result<Vec<PathBuf>> {
        self.output.lock().map_err(Error::io(&self.own, "lock"))?;
        let result = self.claim_alone(wanted);
        self.release();
        result
    }

    fn claim_alone(&mut self, wanted: impl FnOnce(&dyn Fn(&Path) -> bool) -> Vec<PathBuf>) -> Result<Vec<PathBuf>> {
        self.look().map_err(Error::io(&self.folder, "read"))?;
        let is_taken = |target: &Path| {
            let claim = number(target);
            self.done.contains(&claim) || self.others.values().any(|other| other.claimed.contains(&claim))
        };
        let picked = wanted(&is_taken);
        let bytes: Vec<u8> = picked.iter().flat_map(|target| number(target).to_le_bytes()).collect();
        (&self.file).write_all(&bytes).map_err(Error::io(&self.own, "write"))?;
        Ok(picked)
    }

    /// Reads what is new in others' claims, and forgets those of runs that were killed.
    fn look(&mut self) -> std::io::Result<()> {
        for entry in fs::read_dir(&self.folder)?.flatten() {
            let name = entry.file_name();
            if Some(name.as_os_str()) == self.own.file_name() || self.others.contains_key(&name) {
                continue;
            }
            // It may be gone by now.
            if let Ok(file) = File::open(entry.path()) {
                self.others.insert(name, Other { file, claimed: HashSet::new() });
            }
        }
        let (folder, done) = (&self.folder, &mut self.done);
        self.others.retain(|name, other| {
            let mut bytes = Vec::new();
            let _ = other.file.read_to_end(&mut bytes);
            other.claimed.extend(bytes.as_chunks::<8>().0.iter().map(|&claim| u64::from_le_bytes(claim)));
            if matches!(other.file.try_lock(), Err(TryLockError::WouldBlock)) {
                return true;
            }
            if other.claimed.contains(&DONE) {
                done.extend(other.claimed.drain());
            }
            let _ = fs::remove_file(folder.join(name));
            false
        });
        Ok(())
    }

    /// Notes that all that was claimed is done.
    pub fn finish(mut self) {
        self.finished = true;
    }
}

impl Drop for Claims {
    fn drop(&mut self) {
        let locked = self.output.lock().is_ok();
        if self.finished {
            let _ = (&self.file).write_all(&DONE.to_le_bytes());
        }
        let _ = fs::remove_file(&self.own);
        // It stays as long as others have claims in it.
        let _ = fs::remove_dir(&self.folder);
        if locked {
            self.release();
        }
    }
}

/// A target as eight bytes: the same in every run.
fn number(target: &Path) -> u64 {
    let hash = Sha256::digest(target.as_os_str().as_encoded_bytes());
    let first = hash.first_chunk::<8>().copied().unwrap_or_default();
    u64::from_le_bytes(first).min(DONE - 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn take(claims: &mut Claims, names: &[&str]) -> Vec<PathBuf> {
        let free =
            |is_taken: &dyn Fn(&Path) -> bool| names.iter().map(PathBuf::from).filter(|name| !is_taken(name)).collect();
        claims.claim(free).unwrap()
    }

    #[test]
    fn each_photograph_is_one_runs() {
        let dir = tempfile::tempdir().unwrap();
        let open = || Claims::open(dir.path()).unwrap();
        let (Some(mut first), Some(mut second)) = (open(), open()) else { return };
        assert_eq!(take(&mut first, &["a", "b"]).len(), 2);
        assert_eq!(take(&mut second, &["b", "c"]), [PathBuf::from("c")]);
        assert_eq!(take(&mut first, &["c", "d"]), [PathBuf::from("d")]);
        // What a run has done stays done for those that saw it; what it left undone is free.
        first.finish();
        assert_eq!(take(&mut second, &["a", "d"]), Vec::<PathBuf>::new());
        let mut third = open().unwrap();
        drop(second);
        assert_eq!(take(&mut third, &["a", "c"]).len(), 2);
        drop(third);
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 0);
    }

    #[test]
    fn claims_of_a_run_that_was_killed_are_free() {
        let dir = tempfile::tempdir().unwrap();
        fs::create_dir(dir.path().join(FOLDER)).unwrap();
        let stale = dir.path().join(FOLDER).join("1-1");
        fs::write(&stale, number(Path::new("a")).to_le_bytes()).unwrap();
        let Some(mut run) = Claims::open(dir.path()).unwrap() else { return };
        assert_eq!(take(&mut run, &["a"]).len(), 1);
        assert!(!stale.exists());
    }
}
