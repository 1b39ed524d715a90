//! Who is a person: a folder for each, in a folder of people. Every command asks here, so that all count alike.

use std::collections::HashSet;
use std::ffi::{OsStr, OsString};
use std::io::Read;
use std::path::{Path, PathBuf};

use super::collect::{Collected, is_hidden, is_image, walk};
use super::foreign::foreign;
use crate::{Error, Result};

/// A person's folder.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PersonFolder {
    /// The folder's name.
    pub name: OsString,
    /// The photographs in it, at any depth, in the order of their paths; each path begins with the folder of people's.
    pub photos: Vec<PathBuf>,
}

/// What [`people`] found.
#[derive(Debug, Default)]
pub struct People {
    /// Those with a photograph at least, in the order of their names.
    pub people: Vec<PersonFolder>,
    /// Photographs that lie in no person's folder, in the order of their paths.
    pub loose: Vec<PathBuf>,
    /// Folders without photographs, and what could not be looked into, each naming its path.
    pub problems: Vec<Error>,
}

impl People {
    /// The people, and all that is left out, each with its path and the reason.
    pub fn or_left_out(self) -> (Vec<PersonFolder>, Vec<Error>) {
        let problem = "left out: it lies beside the folders of people; move it into one";
        let beside = |path: PathBuf| Error::image(&path, problem);
        (self.people, self.problems.into_iter().chain(self.loose.into_iter().map(beside)).collect())
    }
}

/// The people of a folder: each folder in it is a person, and all photographs below are theirs, at any depth.
///
/// Hidden entries are passed over, as [`collect`](super::collect) does; linked folders are followed, and each real
/// folder is entered once for each person.
///
/// # Errors
/// A folder that cannot be read.
pub fn people(root: impl AsRef<Path>) -> Result<People> {
    let root = root.as_ref();
    if let Some(problem) = no_folder(root) {
        return Err(Error::data(root, problem));
    }
    let entries = std::fs::read_dir(root).map_err(Error::io(root, "read"))?;
    let mut paths = entries
        .filter(|entry| !entry.as_ref().is_ok_and(|entry| is_hidden(&entry.file_name())))
        .map(|entry| entry.map(|entry| entry.path()).map_err(Error::io(root, "read")))
        .collect::<Result<Vec<_>>>()?;
    paths.sort();
    // A link back to the folder itself makes nobody.
    let above: HashSet<PathBuf> = root.canonicalize().into_iter().collect();
    let mut found = People::default();
    for path in paths {
        match std::fs::metadata(&path) {
            Ok(metadata) if metadata.is_dir() => found.person(path, above.clone()),
            Ok(metadata) if metadata.is_file() && is_image(&path) => found.loose.push(path),
            Err(e) if is_image(&path) => found.problems.push(Error::io(&path, "read")(e)),
            _ => {}
        }
    }
    Ok(found)
}

impl People {
    /// Adds the person whose folder this is.
    fn person(&mut self, folder: PathBuf, mut seen: HashSet<PathBuf>) {
        let mut found = Collected::default();
        walk(&folder, &mut seen, &mut found);
        found.images.sort();
        if found.images.is_empty() && found.problems.is_empty() {
            found.problems.push(Error::image(&folder, "no photographs are in this folder"));
        }
        self.problems.extend(found.problems);
        if let Some(name) = folder.file_name().filter(|_| !found.images.is_empty()) {
            self.people.push(PersonFolder { name: name.to_owned(), photos: found.images });
        }
    }
}

/// Photographs, each with a name.
#[derive(Debug, Default)]
pub struct Labelled {
    /// The photographs: argument by argument, each folder's in the order of people and paths.
    pub images: Vec<PathBuf>,
    /// Of each photograph: the person's name, never empty.
    pub labels: Vec<String>,
    /// What is left out, each naming its path.
    pub problems: Vec<Error>,
}

impl Labelled {
    fn add(&mut self, label: &str, images: Vec<PathBuf>) {
        self.labels.extend(images.iter().map(|_| label.to_owned()));
        self.images.extend(images);
    }

    fn folder(&mut self, root: &Path) -> Result<()> {
        let mut found = people(root)?;
        if found.people.is_empty() && !found.loose.is_empty() {
            self.add(&name_of(root), std::mem::take(&mut found.loose));
        }
        let nothing = found.people.is_empty() && found.problems.is_empty() && self.images.is_empty();
        let (people, left_out) = found.or_left_out();
        people.into_iter().for_each(|person| self.add(&text(&person.name), person.photos));
        self.problems.extend(left_out);
        if nothing {
            self.problems.push(Error::image(root, "no photographs are in this folder"));
        }
        Ok(())
    }
}

/// The photographs among `paths` with the people they are of: of a folder of folders its [`people`], of any other folder
/// the photographs in it under the folder's own name, of a file itself under the name of the folder it lies in.
pub fn labelled(paths: &[PathBuf]) -> Labelled {
    let mut all = Labelled::default();
    for path in paths {
        let mut found = Labelled::default();
        match std::fs::metadata(path) {
            Err(e) => found.problems.push(Error::io(path, "read")(e)),
            Ok(metadata) if !metadata.is_dir() => {
                let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
                found.add(&name_of(folder), vec![path.clone()]);
            }
            Ok(_) => {
                if let Err(error) = found.folder(path) {
                    found.problems.push(error);
                }
            }
        }
        all.images.extend(found.images);
        all.labels.extend(found.labels);
        all.problems.extend(found.problems);
    }
    all
}

/// What is wrong with a file in place of a folder of people.
fn no_folder(path: &Path) -> Option<String> {
    let file = std::fs::File::open(path).ok().filter(|file| file.metadata().is_ok_and(|file| file.is_file()))?;
    let mut start = Vec::new();
    file.take(512).read_to_end(&mut start).ok()?;
    let what = foreign(&start).unwrap_or("a file: name the folder");
    Some(format!("is no folder with a folder for each person, but {what}"))
}

/// A path as text, in which what is no Unicode is written by its bytes, as `\\xff`: two paths stay two.
#[cfg(feature = "cli")]
pub(crate) fn path_text(path: &Path) -> String {
    text(path.as_os_str())
}

/// A name as text, in which what is no Unicode is written by its bytes, as `\\xff`: two names stay two.
fn text(name: &OsStr) -> String {
    let mut text = String::new();
    for chunk in name.as_encoded_bytes().utf8_chunks() {
        text += chunk.valid();
        chunk.invalid().iter().for_each(|byte| text += &format!("\\x{byte:02x}"));
    }
    text
}

/// A folder's name, also of one that is called `.` or `..`.
pub(crate) fn name_of(folder: &Path) -> String {
    let named = |path: &Path| path.file_name().map(text);
    let named = named(folder).or_else(|| named(&folder.canonicalize().ok()?));
    named.unwrap_or_else(|| folder.display().to_string())
}

#[cfg(all(test, unix))]
mod tests {
    use std::os::unix::ffi::OsStrExt;

    use super::*;

    #[test]
    fn names_that_are_no_unicode_stay_apart() {
        let folder = tempfile::tempdir().unwrap();
        for name in [&b"\xff"[..], b"\xfe", b"B\xc3\xa9"] {
            let person = folder.path().join(OsStr::from_bytes(name));
            std::fs::create_dir(&person).unwrap();
            std::fs::write(person.join("1.jpg"), "").unwrap();
        }
        assert_eq!(labelled(&[folder.path().to_owned()]).labels, ["B\u{e9}", "\\xfe", "\\xff"]);
    }
}
