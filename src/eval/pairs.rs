//! `pairs.txt`: which photographs are compared.
//!
//! LFW's form: a header `folds<TAB>n`, or `n` alone for one fold (`pairsDevTest.txt`), then a pair a line,
//! `name i j` for two photographs of one person and `name_a i name_b j` for two people; photograph `i` of `name` is
//! `name/name_%04d.jpg`. Our extension for photographs of any name: the header's third word is `paths`, and a line is
//! `a/x.jpg<TAB>b/y.jpg<TAB>same` (or `different`), paths relative to the dataset's folder with `/` between the parts.

use std::collections::{HashMap, HashSet};
use std::fmt;
use std::fs;
use std::path::{Component, Path, PathBuf};

use crate::{Error, Result};

/// The suffixes tried for a photograph that is named by number, the original's two first; also what counts as a photograph.
pub(super) const EXTENSIONS: [&str; 11] =
    ["jpg", "png", "jpeg", "bmp", "webp", "tif", "tiff", "ppm", "pgm", "pnm", "gif"];

/// One photograph of a pairs file.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Photo {
    /// LFW's form: the person, and the photograph's number.
    Numbered(String, u32),
    /// The path form: relative to the dataset's folder, parts separated by `/`.
    Path(String),
}

impl Photo {
    /// The file in `dir`, or `None` if there is none.
    pub fn find(&self, dir: impl AsRef<Path>) -> Option<PathBuf> {
        let dir = dir.as_ref();
        match self {
            Photo::Path(path) => Some(dir.join(path)).filter(|path| path.is_file()),
            Photo::Numbered(..) => {
                let stem = dir.join(self.to_string()).into_os_string();
                let with = |extension: String| {
                    let mut path = stem.clone();
                    path.push(extension);
                    PathBuf::from(path)
                };
                let lower = EXTENSIONS.iter().map(|e| with(format!(".{e}")));
                let upper = EXTENSIONS.iter().map(|e| with(format!(".{}", e.to_uppercase())));
                lower.chain(upper).find(|path| path.is_file())
            }
        }
    }
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
    /// How many folds the header names (1 if it names none).
    pub folds: usize,
    /// How many same pairs, and again how many different pairs, the header promises in each fold.
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

    /// Parses a pairs file's bytes; `path` is for messages. Any whitespace separates the words of LFW's form; CRLF, a
    /// byte order mark and blank lines do not matter.
    ///
    /// # Errors
    /// As [`read`](Self::read).
    pub fn parse(bytes: &[u8], path: impl AsRef<Path>) -> Result<Self> {
        let path = path.as_ref();
        let invalid = |line: usize, problem: String| Error::line(path, line, problem);
        let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
        let text = std::str::from_utf8(bytes).map_err(|e| {
            let line = 1 + bytes[..e.valid_up_to()].iter().filter(|&&b| b == b'\n').count();
            invalid(line, "not UTF-8 text; is this a pairs file?".into())
        })?;
        let mut lines = text.lines().enumerate().map(|(i, l)| (i + 1, l)).filter(|(_, line)| !line.trim().is_empty());
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

    /// What to warn of when the number of pairs is not what the header promises (the original never looks).
    pub fn header_mismatch(&self) -> Option<String> {
        let promised = self.folds.checked_mul(self.per_fold)?.checked_mul(2)?;
        let found = self.pairs.len();
        (found != promised).then(|| format!("the header promises {promised} pairs, the file has {found}"))
    }

    /// The pairs as the text of a pairs file, that [`parse`](Self::parse) reads back: in LFW's form if all photographs
    /// have numbers, else in the path form.
    ///
    /// # Errors
    /// A name that the form cannot hold.
    pub fn to_text(&self) -> Result<String> {
        let numbered = self.pairs.iter().all(|p| matches!((&p.a, &p.b), (Photo::Numbered(..), Photo::Numbered(..))));
        let Pairs { folds, per_fold, .. } = self;
        let mut text = format!("{folds}\t{per_fold}{}\n", if numbered { "" } else { "\tpaths" });
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

    /// The files of the pairs in `dir`. A pair with a missing photograph is skipped and listed.
    pub fn resolve(&self, dir: impl AsRef<Path>) -> Resolved {
        let dir = dir.as_ref();
        let mut resolved = Resolved::default();
        let mut known: HashMap<&Photo, Option<PathBuf>> = HashMap::new();
        let mut numbers: HashMap<PathBuf, usize> = HashMap::new();
        for pair in &self.pairs {
            let [a, b] = [&pair.a, &pair.b].map(|p| known.entry(p).or_insert_with(|| p.find(dir)).clone());
            let (Some(a), Some(b)) = (a, b) else {
                resolved.skipped.push(pair.clone());
                continue;
            };
            let [a, b] = [a, b].map(|path| {
                *numbers.entry(path).or_insert_with_key(|path| {
                    resolved.images.push(path.clone());
                    resolved.images.len() - 1
                })
            });
            resolved.pairs.push(ResolvedPair { a, b, same: pair.same });
        }
        let mut listed = HashSet::new();
        for photo in self.pairs.iter().flat_map(|pair| [&pair.a, &pair.b]) {
            if known.get(photo).is_some_and(Option::is_none) && listed.insert(photo) {
                resolved.missing.push(photo.to_string());
            }
        }
        resolved
    }
}

/// The files behind a pairs file.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Resolved {
    /// Every photograph once, in the order of first appearance.
    pub images: Vec<PathBuf>,
    /// The pairs whose two photographs are there.
    pub pairs: Vec<ResolvedPair>,
    /// The pairs left out because a photograph is missing.
    pub skipped: Vec<Pair>,
    /// The missing photographs, as [`Photo`] prints them.
    pub missing: Vec<String>,
}

/// Two photographs by their index in [`Resolved::images`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ResolvedPair {
    /// The first photograph.
    pub a: usize,
    /// The second photograph.
    pub b: usize,
    /// Whether they are of one person.
    pub same: bool,
}

struct Header {
    folds: usize,
    per_fold: usize,
    paths: bool,
}

impl Header {
    fn parse(line: &str) -> Result<Self, String> {
        let number = |word: &str| {
            word.parse::<usize>().ok().filter(|&n| n > 0).ok_or_else(|| {
                format!("the header must be `folds<TAB>pairs` or `pairs`, numbers above 0; `{}` is not", clip(word))
            })
        };
        let mut words: Vec<&str> = line.split_whitespace().collect();
        let paths = words.len() > 1 && words.last() == Some(&"paths");
        if paths {
            words.pop();
        }
        match words[..] {
            [per_fold] => Ok(Header { folds: 1, per_fold: number(per_fold)?, paths }),
            [folds, per_fold] => Ok(Header { folds: number(folds)?, per_fold: number(per_fold)?, paths }),
            _ => Err(format!("the header must be `folds<TAB>pairs` or `pairs`, not `{}`", clip(line))),
        }
    }
}

fn numbered_pair(line: &str) -> Result<Pair, String> {
    let photo = |name: &str, index: &str| {
        // A name is one folder: nothing of a pairs file may lead out of the dataset.
        if name.contains(['/', '\\', '\0']) || name == ".." || name == "." {
            return Err(format!("`{}` is no person's name", clip(name)));
        }
        let index = index.parse().map_err(|_| format!("`{}` is no photograph's number", clip(index)))?;
        Ok(Photo::Numbered(name.to_owned(), index))
    };
    match line.split_whitespace().collect::<Vec<_>>()[..] {
        [name, i, j] => Ok(Pair { a: photo(name, i)?, b: photo(name, j)?, same: true }),
        [name_a, i, name_b, j] => Ok(Pair { a: photo(name_a, i)?, b: photo(name_b, j)?, same: false }),
        _ => Err(format!("expected `name i j` or `name i name j`, not `{}`", clip(line))),
    }
}

fn path_pair(line: &str) -> Result<Pair, String> {
    let photo = |path: &str| {
        let inside = Path::new(path).components().all(|part| matches!(part, Component::Normal(_)));
        if inside && !path.is_empty() && !path.contains('\0') {
            Ok(Photo::Path(path.to_owned()))
        } else {
            Err(format!("`{}` is no relative path", clip(path)))
        }
    };
    match line.split('\t').collect::<Vec<_>>()[..] {
        [a, b, kind] => {
            let same = match kind.trim() {
                "same" => true,
                "different" => false,
                other => return Err(format!("expected `same` or `different`, not `{}`", clip(other))),
            };
            Ok(Pair { a: photo(a)?, b: photo(b)?, same })
        }
        _ => Err(format!("expected `path<TAB>path<TAB>same` or `…different`, not `{}`", clip(line))),
    }
}

/// As much of a foreign text as a message bears, without control characters.
fn clip(text: &str) -> String {
    let mut clipped: String = text.chars().take(60).flat_map(char::escape_debug).collect();
    if text.chars().nth(60).is_some() {
        clipped.push('…');
    }
    clipped
}
