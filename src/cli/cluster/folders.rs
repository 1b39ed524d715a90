//! A folder a cluster, with its photographs.

use std::collections::HashSet;
use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};

use anyhow::Result;

use crate::Error;
use crate::cli::context::{create_folder, progress};
use crate::cli::faces::Faces;
use crate::error::{Field, message};
use crate::files::Aside;
use crate::vectors::cluster::Clusters;

/// Where what is of no cluster goes.
const NOISE: &str = "noise";

/// How a photograph comes into a folder.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Put {
    /// As a file of its own.
    Copy,
    /// As a symbolic link.
    Link,
}

/// The folder of a cluster; `of` is how many there are.
pub fn name(cluster: usize, of: usize) -> String {
    let digits = of.saturating_sub(1).to_string().len().max(3);
    format!("cluster_{cluster:0digits$}")
}

/// Refuses a folder that has something in it: clusters of two runs would be mixed.
pub fn check(folder: &Path) -> Result<()> {
    let is_empty = match fs::read_dir(folder) {
        Err(e) if e.kind() == io::ErrorKind::NotFound => true,
        entries => entries.map_err(Error::io(folder, "list"))?.next().is_none(),
    };
    if is_empty {
        return Ok(());
    }
    let problem = message!["is not empty, and clusters go into a new folder: name another by ", Field("output")];
    Err(Error::data(folder, problem).into())
}

/// Writes the folders. Photographs that cannot be read are among the failures, and those after them are not lost.
pub fn write(folder: &Path, put: Put, faces: &Faces, clusters: &Clusters) -> Result<Vec<Error>> {
    let (members, noise) = (clusters.members(), clusters.noise());
    let count = members.len();
    let names = (0..count).map(|cluster| name(cluster, count));
    let noise = (!noise.is_empty()).then(|| (NOISE.to_owned(), noise));
    let bar = progress(faces.len(), "write");
    let mut failures = Vec::new();
    for (name, rows) in names.zip(members).chain(noise) {
        let to = folder.join(name);
        create_folder(&to)?;
        let mut taken = HashSet::new();
        // By path, so that names do not depend on the order either.
        let mut photographs: Vec<&PathBuf> = faces.photographs_of(&rows).collect();
        photographs.sort_unstable();
        photographs.dedup();
        for photograph in photographs {
            let place = to.join(free_name(photograph, &mut taken));
            if let Err(e) = write_one(photograph, &place, put) {
                failures.push(Error::io(photograph, "copy")(e));
            }
        }
        bar.inc(rows.len() as u64);
    }
    bar.finish_and_clear();
    Ok(failures)
}

/// The photograph's name; where a folder has it already, in whatever case, with a number.
fn free_name(photograph: &Path, taken: &mut HashSet<String>) -> PathBuf {
    let file = Path::new(photograph.file_name().unwrap_or(photograph.as_os_str()));
    let numbered = |number: usize| {
        let mut stem = file.file_stem().unwrap_or_default().to_owned();
        stem.push(format!("_{number}"));
        match file.extension() {
            Some(extension) => PathBuf::from(stem).with_added_extension(extension),
            None => stem.into(),
        }
    };
    let mut names = std::iter::once(file.to_owned()).chain((2..).map(numbered));
    let is_free = |name: &PathBuf| taken.insert(name.to_string_lossy().to_lowercase());
    names.find(is_free).expect("numbers do not end")
}

fn write_one(photograph: &Path, place: &Path, put: Put) -> io::Result<()> {
    match put {
        Put::Copy => {
            let mut from = File::open(photograph)?;
            let mut aside = Aside::create(place)?;
            io::copy(&mut from, &mut aside)?;
            aside.finish()?;
            aside.put()
        }
        Put::Link => link(&photograph.canonicalize()?, place),
    }
}

#[cfg(unix)]
fn link(photograph: &Path, place: &Path) -> io::Result<()> {
    std::os::unix::fs::symlink(photograph, place)
}

#[cfg(not(unix))]
fn link(_: &Path, _: &Path) -> io::Result<()> {
    Err(io::Error::other("symbolic links are made on Unix alone; leave out --link"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_never_collide() {
        let mut taken = HashSet::new();
        let paths = ["a/x.jpg", "b/x.jpg", "b/X.JPG", "c/x_2.jpg", "a/plain", "b/plain", "a/.hidden"];
        let names = paths.map(|path| free_name(Path::new(path), &mut taken).to_string_lossy().into_owned());
        assert_eq!(names, ["x.jpg", "x_2.jpg", "X_3.JPG", "x_2_2.jpg", "plain", "plain_2", ".hidden"]);
        assert_eq!((name(7, 12), name(7, 1001)), ("cluster_007".into(), "cluster_0007".into()));
    }
}
