//! `pairs.txt`: which photographs are compared.
//!
//! LFW's form: a header `folds<TAB>n`, or `n` alone where no folds are named (`pairsDevTest.txt`), then a pair a line,
//! `name i j` for two photographs of one person and `name_a i name_b j` for two people; photograph `i` of `name` is
//! `name/name_%04d.jpg`. CALFW's and CPLFW's: no header, two lines a pair, each a photograph and a number, 0 for two
//! people. Our extension for photographs of any name: the header's third word is `paths`, and a line is
//! `a/x.jpg<TAB>b/y.jpg<TAB>same` (or `different`), paths relative to the dataset's folder with `/` between the parts.

mod lines;
mod resolve;

use std::fmt;
use std::fs;
use std::path::Path;

use crate::image::foreign;
use crate::random::{Stream, purpose};
use crate::{Error, Result};
use lines::{Header, list, listed, numbered_pair, path_pair};
pub use resolve::{Resolved, ResolvedPair};

/// One photograph of a pairs file.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Photo {
    /// LFW's form: the person, and the photograph's number.
    Numbered(String, u32),
    /// The path form: relative to the dataset's folder, parts separated by `/`.
    Path(String),
}

impl fmt::Display for Photo {
    /// The path within the dataset's folder; without its suffix for [`Photo::Numbered`].
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Photo::Numbered(name, index) => write!(f, "{name}/{name}_{index:04}"),
            Photo::Path(path) => f.write_str(path),
        }
    }
}

/// Two photographs, and whether they are of one person.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pair {
    /// The first photograph.
    pub a: Photo,
    /// The second photograph.
    pub b: Photo,
    /// Whether they are of one person.
    pub same: bool,
}

/// The content of a pairs file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pairs {
    /// How many folds the header names, if it names any.
    pub folds: Option<usize>,
    /// How many same pairs, and again how many different pairs, the header promises in each fold (or in all); 0 where
    /// there is no header.
    pub per_fold: usize,
    /// The pairs, in the file's order.
    pub pairs: Vec<Pair>,
}

impl Pairs {
    /// Reads a pairs file.
    ///
    /// # Errors
    /// A file that cannot be read, is not UTF-8, or has a line that makes no sense: its number is named.
    pub fn read(path: impl AsRef<Path>) -> Result<Self> {
        let path = path.as_ref();
        let bytes = fs::read(path).map_err(Error::io(path, "read"))?;
        Self::parse(&bytes, path)
    }

    /// Parses a pairs file's bytes; `path` is for messages. Tabs separate the words of LFW's form, where a line has
    /// enough of them, else any whitespace; CRLF, a byte order mark and blank lines do not matter.
    ///
    /// # Errors
    /// As [`read`](Self::read).
    pub fn parse(bytes: &[u8], path: impl AsRef<Path>) -> Result<Self> {
        let path = path.as_ref();
        let invalid = |line: usize, problem: String| Error::line(path, line, problem);
        if let Some(what) = foreign(bytes) {
            return Err(Error::data(path, format!("is no list of pairs, but {what}")));
        }
        let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
        let text = std::str::from_utf8(bytes).map_err(|e| {
            let line = 1 + bytes[..e.valid_up_to()].iter().filter(|&&b| b == b'\n').count();
            invalid(line, "not UTF-8 text; is this a pairs file?".into())
        })?;
        let lines = text.lines().enumerate().map(|(i, l)| (i + 1, l)).filter(|(_, line)| !line.trim().is_empty());
        let mut lines = lines.peekable();
        if lines.peek().is_some_and(|(_, line)| listed(line).is_some()) {
            let pairs = list(lines).map_err(|(line, problem)| invalid(line, problem))?;
            return Ok(Pairs { folds: None, per_fold: 0, pairs });
        }
        let (line, header) = lines.next().ok_or_else(|| invalid(1, "the file is empty".into()))?;
        let header = Header::parse(header).map_err(|problem| invalid(line, problem))?;
        let pairs = lines
            .map(|(line, text)| {
                let pair = if header.paths { path_pair(text) } else { numbered_pair(text) };
                pair.map_err(|problem| invalid(line, problem))
            })
            .collect::<Result<_>>()?;
        Ok(Pairs { folds: header.folds, per_fold: header.per_fold, pairs })
    }

    /// How many folds the pairs are measured in, unless another number is asked for: the header's; where it names none
    /// ten, as the original does, or as many as there are pairs.
    pub fn default_folds(&self) -> usize {
        self.folds.unwrap_or_else(|| self.pairs.len().clamp(1, 10))
    }

    /// What to warn of when the number of pairs is not what the header promises (the original never looks).
    pub fn header_mismatch(&self) -> Option<String> {
        let folds = self.folds.unwrap_or(1);
        let promised = folds.checked_mul(self.per_fold)?.checked_mul(2)?;
        let found = self.pairs.len();
        // In our own form folds need not divide the pairs.
        let by_path = self.pairs.iter().any(|pair| matches!(pair.a, Photo::Path(_)));
        let rest = if by_path { 2 * folds } else { 1 };
        let kept = promised == 0 || promised.abs_diff(found) < rest;
        (!kept).then(|| format!("the header promises {promised} pairs, the file has {found}"))
    }

    /// The pairs as the text of a pairs file, that [`parse`](Self::parse) reads back: in LFW's form if all photographs
    /// have numbers, else in the path form.
    ///
    /// # Errors
    /// A name that the form cannot hold.
    pub fn to_text(&self) -> Result<String> {
        let numbered = self.pairs.iter().all(|p| matches!((&p.a, &p.b), (Photo::Numbered(..), Photo::Numbered(..))));
        let folds = self.folds.map(|folds| format!("{folds}\t")).unwrap_or_default();
        let per_fold = if self.per_fold > 0 { self.per_fold } else { self.pairs.len().div_ceil(2).max(1) };
        let mut text = format!("{folds}{per_fold}{}\n", if numbered { "" } else { "\tpaths" });
        for pair in &self.pairs {
            let line = match (&pair.a, &pair.b) {
                (Photo::Numbered(a, i), Photo::Numbered(b, j)) if numbered && pair.same && a == b => {
                    format!("{a}\t{i}\t{j}")
                }
                (Photo::Numbered(a, i), Photo::Numbered(b, j)) if numbered => format!("{a}\t{i}\t{b}\t{j}"),
                (a, b) => format!("{a}\t{b}\t{}", if pair.same { "same" } else { "different" }),
            };
            let read_back = if numbered { numbered_pair(&line) } else { path_pair(&line) };
            if read_back.as_ref() != Ok(pair) || line.contains(['\n', '\r']) {
                let problem = "a pairs file cannot hold this pair; rename the photographs (no tabs or line breaks)";
                return Err(Error::invalid(format!("{} and {}", pair.a, pair.b), problem));
            }
            text += &line;
            text.push('\n');
        }
        Ok(text)
    }
}

/// Puts pairs in another order, that of the seed.
pub fn shuffle<T>(pairs: &mut [T], seed: u64) {
    Stream::new(seed, purpose::PAIRS, u64::MAX).shuffle(pairs);
}
