//! Which files a pairs file means.

use std::collections::{HashMap, HashSet};
use std::ffi::OsString;
use std::path::{Path, PathBuf};

use super::{Pair, Pairs, Photo};
use crate::image::is_image;

/// The suffixes tried for a photograph that is named without its own, the original's two first.
const SUFFIXES: [&str; 14] =
    ["jpg", "png", "jpeg", "bmp", "webp", "tif", "tiff", "ppm", "pgm", "pnm", "pbm", "gif", "jpe", "jfif"];

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
    /// The first missing photograph's path, and the file or folder there that is called most alike, if there is any.
    pub nearest: Option<(PathBuf, Option<PathBuf>)>,
    /// The photographs, among [`images`](Self::images), that are the first of several faces: `NAME_0` beside `NAME_1`.
    pub several: Vec<PathBuf>,
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

impl Photo {
    /// The file in `dir`, or `None` if there is none: the first that is there of
    ///
    /// 1. the path itself, of [`Photo::Path`];
    /// 2. the path with `.png` behind it, as `warpface align` calls the crop of `x.jpeg` beside an `x.jpg`;
    /// 3. the name with any suffix of a photograph in place of its own, `.jpg` and `.png` first: a crop's is not its
    ///    photograph's;
    /// 4. the same with `_0` behind the name, as `--detect-multiple-faces` calls the first of the faces.
    pub fn find(&self, dir: impl AsRef<Path>) -> Option<PathBuf> {
        let whole = dir.as_ref().join(self.to_string());
        let apart = matches!(self, Photo::Path(_)).then(|| with(&whole, ".png"));
        // Among crops, `x.png` may be another's, and `x.png.png` the photograph's own.
        if let Some(apart) = apart.as_ref().filter(|apart| apart.is_file())
            && dir.as_ref().join("alignment.json").is_file()
        {
            return Some(apart.clone());
        }
        let stem = match self {
            Photo::Path(_) if whole.is_file() => return Some(whole),
            Photo::Path(_) if is_image(&whole) => whole.with_extension(""),
            _ => whole.clone(),
        };
        let upper = SUFFIXES.map(str::to_uppercase);
        let suffixes = || SUFFIXES.into_iter().chain(upper.iter().map(String::as_str));
        let plain = suffixes().map(|suffix| with(&stem, &format!(".{suffix}")));
        let first = suffixes().map(|suffix| with(&stem, &format!("_0.{suffix}")));
        apart.into_iter().chain(plain).chain(first).find(|path| path.is_file())
    }
}

/// A path with this behind its name.
fn with(path: &Path, behind: &str) -> PathBuf {
    let mut name = OsString::from(path);
    name.push(behind);
    name.into()
}

/// Whether a file that `photo` was found as is one of several faces.
fn is_one_of_several(photo: &Photo, found: &Path) -> bool {
    let stem = |path: &Path| path.file_stem().map(|stem| stem.to_string_lossy().into_owned()).unwrap_or_default();
    let name = match photo {
        Photo::Path(path) => stem(Path::new(path)),
        Photo::Numbered(name, index) => format!("{name}_{index:04}"),
    };
    let suffix = found.extension().unwrap_or_default();
    stem(found) == format!("{name}_0")
        && found.with_file_name(format!("{name}_1")).with_added_extension(suffix).is_file()
}

impl Pairs {
    /// The files of the pairs in `dir`, as [`Photo::find`] finds them. A pair with a missing photograph is skipped and
    /// listed.
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
            let [a, b] = [(&pair.a, a), (&pair.b, b)].map(|(photo, path)| {
                *numbers.entry(path).or_insert_with_key(|path| {
                    if is_one_of_several(photo, path) {
                        resolved.several.push(path.clone());
                    }
                    resolved.images.push(path.clone());
                    resolved.images.len() - 1
                })
            });
            resolved.pairs.push(ResolvedPair { a, b, same: pair.same });
        }
        let mut listed = HashSet::new();
        for photo in self.pairs.iter().flat_map(|pair| [&pair.a, &pair.b]) {
            if known.get(photo).is_some_and(Option::is_none) && listed.insert(photo) {
                let path = dir.join(photo.to_string());
                resolved.nearest.get_or_insert_with(|| (path.clone(), nearest(&path, dir)));
                resolved.missing.push(photo.to_string());
            }
        }
        resolved
    }
}

/// What is called most like `missing` in its folder, or most like its folder in `dir`: with the longest common beginning.
fn nearest(missing: &Path, dir: &Path) -> Option<PathBuf> {
    let folder = missing.parent().filter(|folder| folder.is_dir());
    let (within, wanted) = match folder {
        Some(folder) => (folder, missing.file_name()?),
        None => (dir, missing.strip_prefix(dir).ok()?.iter().next()?),
    };
    let wanted = wanted.as_encoded_bytes();
    let common = |path: &PathBuf| {
        let name = path.file_name().unwrap_or_default().as_encoded_bytes();
        name.iter().zip(wanted).take_while(|(a, b)| a == b).count()
    };
    let mut there: Vec<PathBuf> = std::fs::read_dir(within).ok()?.flatten().map(|entry| entry.path()).collect();
    there.retain(|path| !path.file_name().is_some_and(|name| name.as_encoded_bytes().starts_with(b".")));
    there.sort();
    // The first of the longest: `max_by_key` would take the last.
    there.into_iter().rev().max_by_key(common)
}
