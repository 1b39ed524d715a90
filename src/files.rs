//! Files that appear whole or not at all: written beside their place, and renamed when they are done.

use std::ffi::OsString;
use std::fs::{self, File};
use std::io::{self, BufWriter, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

/// What the name of a file that is being written ends in.
pub(crate) const PARTIAL: &str = ".partial";

/// A file that is being written. Dropped before [`put`](Self::put), nothing of it is left.
pub(crate) struct Aside {
    place: PathBuf,
    /// Where it is until then; none where the place is no file, such as a pipe: then it is written there.
    beside: Option<PathBuf>,
    out: BufWriter<File>,
}

impl Aside {
    /// Begins the file whose place is `path`.
    pub fn create(path: &Path) -> io::Result<Self> {
        let old = fs::metadata(path).ok();
        if old.as_ref().is_some_and(|old| !old.is_file()) {
            return Ok(Aside { place: path.to_owned(), beside: None, out: BufWriter::new(File::create(path)?) });
        }
        // A link stays one.
        let place = match &old {
            Some(_) if path.is_symlink() => path.canonicalize()?,
            _ => path.to_owned(),
        };
        if old.as_ref().is_some_and(|old| old.permissions().readonly()) {
            return Err(io::ErrorKind::PermissionDenied.into());
        }
        let beside = beside(&place);
        let out = BufWriter::with_capacity(1 << 16, File::create(&beside)?);
        let aside = Aside { place, beside: Some(beside), out };
        if let Some(old) = old {
            aside.out.get_ref().set_permissions(old.permissions())?;
        }
        Ok(aside)
    }

    /// Ends writing, to the disk: some file systems find out only now that there is no room.
    pub fn finish(&mut self) -> io::Result<()> {
        self.out.flush()?;
        match self.beside {
            Some(_) => self.out.get_ref().sync_all(),
            None => Ok(()),
        }
    }

    /// Puts the file in its place, in one stroke.
    pub fn put(mut self) -> io::Result<()> {
        self.out.flush()?;
        let Some(beside) = &self.beside else { return Ok(()) };
        fs::rename(beside, &self.place)?;
        self.beside = None;
        Ok(())
    }
}

impl Write for Aside {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.out.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.out.flush()
    }
}

impl Seek for Aside {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        self.out.seek(to)
    }
}

impl Drop for Aside {
    fn drop(&mut self) {
        if let Some(beside) = self.beside.take() {
            let _ = fs::remove_file(beside);
        }
    }
}

/// A name beside `place` that nobody else writes to.
fn beside(place: &Path) -> PathBuf {
    static COUNT: AtomicU64 = AtomicU64::new(0);
    // Names may have 255 bytes on most systems.
    let name = place.file_name().filter(|name| name.len() <= 200).unwrap_or_default();
    let mut name = OsString::from(name);
    name.push(format!(".{}-{}{PARTIAL}", std::process::id(), COUNT.fetch_add(1, Ordering::Relaxed)));
    place.with_file_name(name)
}

/// Writes a file, replacing what is there; if that fails, what was there stays.
pub(crate) fn write(path: &Path, bytes: impl AsRef<[u8]>) -> crate::Result<()> {
    let write = || -> io::Result<()> {
        let mut file = Aside::create(path)?;
        file.write_all(bytes.as_ref())?;
        file.put()
    };
    write().map_err(crate::Error::io(path, "write"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(dir: &Path) -> Vec<String> {
        let mut names: Vec<String> =
            fs::read_dir(dir).unwrap().map(|e| e.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }

    #[test]
    fn a_file_is_old_or_new_and_nothing_is_left_beside_it() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("x.txt");
        write(&path, "old").unwrap();
        let mut unfinished = Aside::create(&path).unwrap();
        unfinished.write_all(b"half").unwrap();
        unfinished.finish().unwrap();
        assert_eq!((fs::read_to_string(&path).unwrap().as_str(), names(dir.path()).len()), ("old", 2));
        drop(unfinished);
        assert_eq!(names(dir.path()), ["x.txt"]);
        write(&path, "new").unwrap();
        assert_eq!((fs::read_to_string(&path).unwrap().as_str(), names(dir.path()).len()), ("new", 1));
        let long = dir.path().join("n".repeat(250));
        write(&long, "long").unwrap();
        assert_eq!(fs::read_to_string(&long).unwrap(), "long");
        assert!(write(&dir.path().join("no/such/folder"), "").unwrap_err().to_string().contains("no/such/folder"));
    }

    #[cfg(unix)]
    #[test]
    fn links_modes_and_devices_stay_what_they_are() {
        use std::os::unix::fs::PermissionsExt;
        let dir = tempfile::tempdir().unwrap();
        let (path, link) = (dir.path().join("x"), dir.path().join("link"));
        fs::write(&path, "old").unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o640)).unwrap();
        std::os::unix::fs::symlink(&path, &link).unwrap();
        write(&link, "new").unwrap();
        assert!(link.is_symlink() && fs::read_to_string(&path).unwrap() == "new");
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o640);
        fs::set_permissions(&path, fs::Permissions::from_mode(0o440)).unwrap();
        assert!(write(&path, "newer").is_err());
        assert_eq!(names(dir.path()), ["link", "x"]);
        write(Path::new("/dev/null"), "nothing").unwrap();
    }
}
