//! SHA-256 of files, read piece by piece.

use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};

use crate::error::{Error, Result};

/// A file's SHA-256 in lowercase hexadecimal.
///
/// # Errors
/// [`Error::Io`] if it cannot be read.
pub fn file(path: impl AsRef<Path>) -> Result<String> {
    files(&[path.as_ref().to_owned()])
}

/// The SHA-256 of a model's bytes: of the file, or of all files of a folder or of a checkpoint by its prefix, in the order of
/// their paths.
///
/// # Errors
/// [`Error::Io`] if one cannot be read.
pub fn model(path: impl AsRef<Path>) -> Result<String> {
    let path = path.as_ref();
    if path.is_file() {
        return file(path);
    }
    let (folder, prefix) = match path.is_dir() {
        true => (path, String::new()),
        false => {
            let name = path.file_name().unwrap_or_default().to_string_lossy();
            (
                path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new(".")),
                format!("{name}."),
            )
        }
    };
    let mut found = below(folder)?;
    found.retain(|path| path.strip_prefix(folder).is_ok_and(|path| path.to_string_lossy().starts_with(&prefix)));
    found.sort();
    files(&found)
}

/// The files below a folder; links to folders are not followed.
fn below(folder: &Path) -> Result<Vec<PathBuf>> {
    let (mut found, mut open) = (Vec::new(), vec![folder.to_owned()]);
    while let Some(folder) = open.pop() {
        for entry in std::fs::read_dir(&folder).map_err(Error::io(&folder, "read"))? {
            let entry = entry.map_err(Error::io(&folder, "read"))?;
            match entry.file_type().map_err(Error::io(&folder, "read"))?.is_dir() {
                true => open.push(entry.path()),
                false => found.push(entry.path()),
            }
        }
    }
    Ok(found)
}

/// The SHA-256 of files' bytes one after the other.
fn files(paths: &[PathBuf]) -> Result<String> {
    let mut hash = Sha256::new();
    let mut piece = vec![0; 1 << 20];
    for path in paths {
        let mut file = File::open(path).map_err(Error::io(path, "read"))?;
        loop {
            let n = file.read(&mut piece).map_err(Error::io(path, "read"))?;
            match piece.get(..n) {
                Some(piece) if n > 0 => hash.update(piece),
                _ => break,
            }
        }
    }
    Ok(hex(hash))
}

/// A hash in lowercase hexadecimal.
pub(crate) fn hex(hash: Sha256) -> String {
    hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_standards_example() {
        // FIPS 180-4's first example.
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("abc");
        std::fs::write(&path, "abc").unwrap();
        let expected = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
        assert_eq!(super::file(&path).unwrap(), expected);
        // In two files of a checkpoint, or of a folder.
        std::fs::write(folder.path().join("x.index"), "ab").unwrap();
        std::fs::write(folder.path().join("x.data"), "").unwrap();
        std::fs::write(folder.path().join("x.meta"), "c").unwrap();
        assert_eq!(super::model(folder.path().join("x")).unwrap(), expected);
        std::fs::remove_file(&path).unwrap();
        assert_eq!(super::model(folder.path()).unwrap(), expected);
    }
}
