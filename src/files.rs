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

/// A folder that is being filled. Dropped before [`put`](Self::put), nothing of it is left.
pub(crate) struct FolderAside {
    place: PathBuf,
    /// Where it is until then.
    beside: Option<PathBuf>,
    /// Folders above it that were made for it, the innermost first.
    made: Vec<PathBuf>,
}

impl FolderAside {
    /// Begins the folder whose place is `path`, and makes those above it.
    pub fn create(path: &Path) -> io::Result<Self> {
        // A link stays one, also where a slash stands behind its name.
        let path: PathBuf = path.components().collect();
        let place = if path.is_symlink() { path.canonicalize()? } else { path };
        if place.file_name().is_none() {
            return Err(io::Error::new(io::ErrorKind::InvalidInput, "the path ends in no name"));
        }
        let is_missing = |folder: &&Path| !folder.as_os_str().is_empty() && !folder.exists();
        let made = place.ancestors().skip(1).take_while(is_missing).map(Path::to_owned).collect();
        let beside = beside(&place);
        let aside = FolderAside { place, beside: Some(beside.clone()), made };
        fs::create_dir_all(beside)?;
        Ok(aside)
    }

    /// Where its files are put.
    pub fn path(&self) -> &Path {
        self.beside.as_deref().unwrap_or(&self.place)
    }

    /// Puts the folder in its place. One that is there is moved away first, and removed when the new one is there.
    pub fn put(mut self) -> io::Result<()> {
        let Some(new) = self.beside.clone() else { return Ok(()) };
        if self.place.exists() {
            let old = beside(&self.place);
            fs::rename(&self.place, &old)?;
            if let Err(error) = fs::rename(&new, &self.place) {
                fs::rename(&old, &self.place)?;
                return Err(error);
            }
            self.beside = None;
            return fs::remove_dir_all(old);
        }
        fs::rename(&new, &self.place)?;
        self.beside = None;
        Ok(())
    }
}

impl Drop for FolderAside {
    fn drop(&mut self) {
        if let Some(beside) = self.beside.take() {
            let _ = fs::remove_dir_all(beside);
            // What somebody else put something in stays.
            self.made.iter().for_each(|folder| drop(fs::remove_dir(folder)));
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

    #[test]
    fn a_folder_is_there_whole_or_not_at_all() {
        let dir = tempfile::tempdir().unwrap();
        let place = dir.path().join("above/1");
        let put = |text: &str, place: &Path| {
            let folder = FolderAside::create(place)?;
            fs::write(folder.path().join("x.txt"), text)?;
            folder.put()
        };
        let unfinished = FolderAside::create(&place).unwrap();
        fs::write(unfinished.path().join("x.txt"), "half").unwrap();
        assert!(!place.exists());
        drop(unfinished);
        assert_eq!(names(dir.path()), [""; 0]);
        put("old", &place).unwrap();
        fs::write(place.join("y.txt"), "of the old one").unwrap();
        put("new", &dir.path().join("above/1/")).unwrap();
        assert_eq!((names(&dir.path().join("above")), names(&place)), (vec!["1".into()], vec!["x.txt".into()]));
        assert_eq!(fs::read_to_string(place.join("x.txt")).unwrap(), "new");
        assert!(put("new", Path::new("/")).is_err());
        fs::write(dir.path().join("file"), "").unwrap();
        assert!(put("new", &dir.path().join("file/1")).is_err());
        assert_eq!(names(dir.path()), ["above", "file"]);
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
