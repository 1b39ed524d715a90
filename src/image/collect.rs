//! Files and folders to the photographs in them.

use std::collections::HashSet;
use std::ffi::OsStr;
use std::path::{Path, PathBuf};

use crate::Error;

/// What files in folders must end in. The last row cannot be decoded, but is better reported than passed over.
const SUFFIXES: &[&str] = &[
    "jpg", "jpeg", "jpe", "jfif", "png", "gif", "webp", "bmp", "tif", "tiff", "pnm", "pbm", "pgm", "ppm", //
    "heic", "heif", "avif", "jxl",
];

/// What [`collect`] found.
#[derive(Debug, Default)]
pub struct Collected {
    /// The photographs: argument by argument, each folder's in the order of their paths.
    pub images: Vec<PathBuf>,
    /// What could not be looked into, each naming its path. Nothing else was stopped by it.
    pub problems: Vec<Error>,
}

/// The photographs among `paths`: each file as named, whatever its suffix, and of each folder, at any depth, the files
/// with an image's suffix. Hidden entries of folders are passed over; linked folders are followed, and each real folder
/// is entered once for each argument, so loops end.
pub fn collect(paths: &[PathBuf]) -> Collected {
    let mut found = Collected::default();
    for path in paths {
        match std::fs::metadata(path) {
            Err(e) => found.problems.push(Error::io(path, "read")(e)),
            Ok(metadata) if !metadata.is_dir() => found.images.push(path.clone()),
            Ok(_) => {
                let (images, problems) = (found.images.len(), found.problems.len());
                walk(path, &mut HashSet::new(), &mut found);
                found.images[images..].sort();
                if (images, problems) == (found.images.len(), found.problems.len()) {
                    found.problems.push(Error::image(path, "no photographs are in this folder"));
                }
            }
        }
    }
    found
}

/// Adds the photographs below `root`, in no order of their own. Real folders that are `seen` are not entered.
pub(super) fn walk(root: &Path, seen: &mut HashSet<PathBuf>, found: &mut Collected) {
    let mut folders = vec![root.to_owned()];
    while let Some(folder) = folders.pop() {
        let entries = folder.canonicalize().and_then(|real| match seen.insert(real) {
            true => std::fs::read_dir(&folder).map(Some),
            false => Ok(None),
        });
        let entries = match entries {
            Ok(entries) => entries.into_iter().flatten(),
            Err(e) => {
                found.problems.push(Error::io(&folder, "read")(e));
                continue;
            }
        };
        let mut inner = Vec::new();
        for entry in entries {
            let path = match entry {
                Ok(entry) if is_hidden(&entry.file_name()) => continue,
                Ok(entry) => entry.path(),
                Err(e) => {
                    found.problems.push(Error::io(&folder, "read")(e));
                    continue;
                }
            };
            match std::fs::metadata(&path) {
                Ok(metadata) if metadata.is_dir() => inner.push(path),
                // A pipe among photographs would be waited for without end.
                Ok(metadata) if metadata.is_file() && is_image(&path) => found.images.push(path),
                Ok(_) => {}
                Err(e) if is_image(&path) => found.problems.push(Error::io(&path, "read")(e)),
                // A broken link that does not look like a photograph.
                Err(_) => {}
            }
        }
        // The order decides under which name a folder that is linked twice is reported.
        inner.sort();
        folders.extend(inner.into_iter().rev());
    }
}

/// Whether an entry of a folder is none of the user's own: editors and notebooks keep copies in such ones.
pub(super) fn is_hidden(name: &OsStr) -> bool {
    name.as_encoded_bytes().starts_with(b".")
}

/// Whether a file's suffix is a photograph's.
pub(crate) fn is_image(path: &Path) -> bool {
    let suffix = path.extension().and_then(|suffix| suffix.to_str());
    suffix.is_some_and(|suffix| SUFFIXES.iter().any(|known| known.eq_ignore_ascii_case(suffix)))
}
