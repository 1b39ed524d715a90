//! Moving photographs aside so that none is lost: nothing is overwritten, and a journal is on the disk before each move.

use std::collections::BTreeSet;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use anyhow::Result;
use serde::Serialize;

use crate::Error;
use crate::cli::context::create_folder;
use crate::cli::names::relative_to_common;
use crate::cli::output;

/// The journal's name.
const JOURNAL: &str = "moved.jsonl";

/// A photograph on its way: a line of the journal.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Move {
    /// Where it was.
    pub from: String,
    /// Where it goes.
    pub to: String,
    #[serde(skip)]
    paths: (PathBuf, PathBuf),
}

/// What is to be moved.
pub struct Moves {
    folder: PathBuf,
    /// The photographs, each once.
    pub list: Vec<Move>,
}

impl Moves {
    /// The photographs of some faces, into the same folders below `folder`.
    pub fn new(folder: &Path, images: &[PathBuf], rows: &[usize]) -> Self {
        let inside = relative_to_common(images);
        let mut seen = BTreeSet::new();
        let rows = rows.iter().filter(|&&row| seen.insert(&images[row]));
        let list = rows.map(|&row| {
            let from = std::path::absolute(&images[row]).unwrap_or_else(|_| images[row].clone());
            let to = folder.join(&inside[row]);
            let to = std::path::absolute(&to).unwrap_or(to);
            Move { from: output::path(&from), to: output::path(&to), paths: (from, to) }
        });
        Moves { folder: folder.to_owned(), list: list.collect() }
    }

    /// Moves them; those that cannot be go to the failures. Returns those that were.
    pub fn run(self, failures: &mut Vec<Error>) -> Result<Vec<Move>> {
        if self.list.is_empty() {
            return Ok(self.list);
        }
        create_folder(&self.folder)?;
        let path = self.folder.join(JOURNAL);
        let open = OpenOptions::new().read(true).append(true).create(true).open(&path);
        let mut journal = open.map_err(Error::io(&path, "write"))?;
        let mut moved = Vec::new();
        for one in self.list {
            match one.run(&mut journal) {
                Ok(()) => moved.push(one),
                Err(e) if e.kind() == io::ErrorKind::AlreadyExists => {
                    let problem = format!("is not moved: {} is there already", one.to);
                    failures.push(Error::data(&one.paths.0, problem));
                }
                Err(e) => failures.push(Error::io(&one.paths.0, "move")(e)),
            }
        }
        Ok(moved)
    }
}

impl Move {
    fn run(&self, journal: &mut File) -> io::Result<()> {
        let (from, to) = &self.paths;
        // Fails where something is gone, before anything is made.
        fs::symlink_metadata(from)?;
        if let Some(folder) = to.parent() {
            // No `AlreadyExists`, which is said of photographs: a file may lie in the folder's place.
            let told = |e| io::Error::other(format!("{} cannot be made: {e}", folder.display()));
            fs::create_dir_all(folder).map_err(told)?;
        }
        // Holds the place: whatever is there, even a link to nothing, stays.
        File::create_new(to)?;
        let length = journal.metadata().map(|facts| facts.len());
        let moved = self.write(journal).and_then(|()| into(from, to));
        if moved.is_err() {
            let _ = fs::remove_file(to);
            // The journal tells of no move that was none.
            if let Ok(length) = length {
                let _ = journal.set_len(length).and_then(|()| journal.sync_data());
            }
        }
        moved
    }

    /// Writes the journal's line to the disk, on a line of its own also where an earlier one was cut.
    fn write(&self, journal: &mut File) -> io::Result<()> {
        let mut line = if ends_in_a_line(journal)? { Vec::new() } else { vec![b'\n'] };
        serde_json::to_writer(&mut line, self)?;
        line.push(b'\n');
        journal.write_all(&line)?;
        journal.sync_data()
    }
}

/// Whether what is appended begins a line.
fn ends_in_a_line(journal: &mut File) -> io::Result<bool> {
    if journal.metadata()?.len() == 0 {
        return Ok(true);
    }
    let mut last = [0];
    journal.seek(SeekFrom::End(-1))?;
    journal.read_exact(&mut last)?;
    Ok(last == *b"\n")
}

/// Puts a file in the place that an empty file of ours holds.
fn into(from: &Path, to: &Path) -> io::Result<()> {
    match fs::rename(from, to) {
        Err(e) if e.kind() == io::ErrorKind::CrossesDevices => {
            fs::copy(from, to)?;
            File::open(to)?.sync_all()?;
            fs::remove_file(from)
        }
        moved => moved,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn write(path: &Path, text: &str) {
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }

    #[test]
    fn nothing_is_overwritten_and_the_journal_tells_where_from() {
        let dir = tempfile::tempdir().unwrap();
        let [a, b, c] = ["in/ann/1.jpg", "in/bob/1.jpg", "in/bob/2.jpg"].map(|name| dir.path().join(name));
        [&a, &b, &c].into_iter().for_each(|path| write(path, &path.display().to_string()));
        let aside = dir.path().join("aside");
        write(&aside.join("bob/1.jpg"), "older");
        // Two faces of one photograph move it once.
        let images = [a.clone(), a.clone(), b.clone(), c.clone()];
        let mut failures = Vec::new();
        let moves = Moves::new(&aside, &images, &[0, 1, 2]);
        assert_eq!(moves.list.len(), 2);
        let moved = moves.run(&mut failures).unwrap();
        assert_eq!((moved.len(), failures.len()), (1, 1));
        assert!(failures[0].to_string().contains("is there already"), "{}", failures[0]);
        assert_eq!(fs::read_to_string(aside.join("bob/1.jpg")).unwrap(), "older");
        assert_eq!(fs::read_to_string(aside.join("ann/1.jpg")).unwrap(), a.display().to_string());
        assert!(!a.exists() && b.exists() && c.exists());
        // A photograph that is gone leaves no empty file.
        fs::remove_file(&c).unwrap();
        let moved = Moves::new(&aside, &images, &[3]).run(&mut failures).unwrap();
        assert_eq!((moved.len(), failures.len(), aside.join("bob/2.jpg").exists()), (0, 2, false));
        let journal = fs::read_to_string(aside.join(JOURNAL)).unwrap();
        let lines: Vec<serde_json::Value> = journal.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        assert_eq!(lines.len(), 1);
        fs::rename(lines[0]["to"].as_str().unwrap(), lines[0]["from"].as_str().unwrap()).unwrap();
        assert!(a.exists());
    }
    #[test]
    fn the_journal_tells_only_of_what_was_moved_and_a_cut_line_stays_apart() {
        let dir = tempfile::tempdir().unwrap();
        let [a, b, c] = ["in/ann/1.jpg", "in/bob/1.jpg", "in/cy/1.jpg"].map(|name| dir.path().join(name));
        [&a, &b].into_iter().for_each(|path| write(path, "photograph"));
        // A folder cannot be moved onto the file that holds its place.
        fs::create_dir_all(&c).unwrap();
        let aside = dir.path().join("aside");
        let journal = aside.join(JOURNAL);
        write(&journal, "{\"from\":\"/cu");
        // A file lies where bob's folder would be.
        write(&aside.join("bob"), "in the way");
        let images = [a.clone(), b.clone(), c.clone()];
        let mut failures = Vec::new();
        let moved = Moves::new(&aside, &images, &[1, 2]).run(&mut failures).unwrap();
        assert_eq!((moved.len(), failures.len()), (0, 2));
        assert!(failures[0].to_string().contains("bob/1.jpg") && b.exists() && c.is_dir());
        assert_eq!(fs::read_to_string(&journal).unwrap(), "{\"from\":\"/cu");
        assert!(!aside.join("cy/1.jpg").exists());
        let moved = Moves::new(&aside, &images, &[0, 1, 2]).run(&mut failures).unwrap();
        let text = fs::read_to_string(&journal).unwrap();
        let line = serde_json::to_string(&moved[0]).unwrap();
        assert_eq!((moved.len(), text), (1, format!("{{\"from\":\"/cu\n{line}\n")));
    }
}
