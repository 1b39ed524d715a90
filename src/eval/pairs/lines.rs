//! The lines of a pairs file, in each of the forms.

use std::path::{Component, Path};

use super::{Pair, Photo};

/// A file's first line, where it is LFW's or our own form.
pub(super) struct Header {
    pub folds: Option<usize>,
    pub per_fold: usize,
    pub paths: bool,
}

impl Header {
    pub fn parse(line: &str) -> Result<Self, String> {
        let number = |word: &str| {
            word.parse::<usize>().ok().filter(|&n| n > 0).ok_or_else(|| {
                format!("the header must be `folds<TAB>pairs` or `pairs`, numbers above 0; `{}` is not", clip(word))
            })
        };
        if line.contains(',') && !line.contains('\t') {
            return Err("the file is a table of comma-separated values (CSV): write tabs for its commas, and LFW's \
                        header `folds<TAB>pairs` for its heading, as `(printf '10\\t300\\n'; tail -n +2 pairs.csv | \
                        tr , '\\t') > pairs.txt` does"
                .to_owned());
        }
        let mut words: Vec<&str> = line.split_whitespace().collect();
        let paths = words.len() > 1 && words.last() == Some(&"paths");
        if paths {
            words.pop();
        }
        match words[..] {
            [per_fold] => Ok(Header { folds: None, per_fold: number(per_fold)?, paths }),
            [folds, per_fold] => Ok(Header { folds: Some(number(folds)?), per_fold: number(per_fold)?, paths }),
            _ => Err(format!("the header must be `folds<TAB>pairs` or `pairs`, not `{}`", clip(line))),
        }
    }
}

/// `name i j` or `name i name j`. Tabs separate first, because names may have spaces; then any whitespace.
pub(super) fn numbered_pair(line: &str) -> Result<Pair, String> {
    let photo = |name: &str, index: &str| {
        // A name is one folder: nothing of a pairs file may lead out of the dataset.
        if name.contains(['/', '\\', '\0']) || name == ".." || name == "." {
            return Err(format!("`{}` is no person's name", clip(name)));
        }
        let index = index.parse().map_err(|_| format!("`{}` is no photograph's number", clip(index)))?;
        Ok(Photo::Numbered(name.to_owned(), index))
    };
    let tabbed: Vec<&str> = line.split('\t').map(str::trim).filter(|field| !field.is_empty()).collect();
    let fields = if tabbed.len() > 2 { tabbed } else { line.split_whitespace().collect() };
    match fields[..] {
        [name, i, j] => Ok(Pair { a: photo(name, i)?, b: photo(name, j)?, same: true }),
        [name_a, i, name_b, j] => Ok(Pair { a: photo(name_a, i)?, b: photo(name_b, j)?, same: false }),
        _ => Err(format!("expected `name i j` or `name i name j`, not `{}`", clip(line))),
    }
}

/// `path<TAB>path<TAB>same`, or `different`.
pub(super) fn path_pair(line: &str) -> Result<Pair, String> {
    match line.split('\t').collect::<Vec<_>>()[..] {
        [a, b, kind] => {
            let same = match kind.trim() {
                "same" => true,
                "different" => false,
                other => return Err(format!("expected `same` or `different`, not `{}`", clip(other))),
            };
            Ok(Pair { a: path(a)?, b: path(b)?, same })
        }
        _ => Err(format!("expected `path<TAB>path<TAB>same` or `…different`, not `{}`", clip(line))),
    }
}

/// A photograph by its path within the dataset's folder.
fn path(path: &str) -> Result<Photo, String> {
    let inside = Path::new(path).components().all(|part| matches!(part, Component::Normal(_)));
    if inside && !path.is_empty() && !path.contains('\0') {
        Ok(Photo::Path(path.to_owned()))
    } else {
        Err(format!("`{}` is no relative path", clip(path)))
    }
}

/// A line of CALFW's and CPLFW's lists, `name.jpg number`, where it is one.
pub(super) fn listed(line: &str) -> Option<(&str, u32)> {
    let (name, number) = line.trim().rsplit_once(char::is_whitespace)?;
    let (name, number) = (name.trim(), number.parse().ok()?);
    let suffix = Path::new(name).extension()?.to_str()?;
    suffix.starts_with(|c: char| c.is_ascii_alphabetic()).then_some((name, number))
}

/// CALFW's and CPLFW's form: a photograph a line, two lines a pair, with one number behind both: 0 for two people, any
/// other for one (in CALFW it counts the folds of such pairs). Problems come with their line.
pub(super) fn list<'t>(mut lines: impl Iterator<Item = (usize, &'t str)>) -> Result<Vec<Pair>, (usize, String)> {
    let read = |(line, text): (usize, &'t str)| {
        let problem = || (line, format!("expected a photograph and a number, `name.jpg 1`, not `{}`", clip(text)));
        let (name, number) = listed(text).ok_or_else(problem)?;
        Ok((path(name).map_err(|problem| (line, problem))?, number))
    };
    let mut pairs = Vec::new();
    while let Some(first) = lines.next() {
        let (a, number) = read(first)?;
        let problem = || (first.0, "the last photograph has no second one: a pair is two lines".to_owned());
        let second = lines.next().ok_or_else(problem)?;
        let (b, again) = read(second)?;
        if number != again {
            return Err((
                second.0,
                format!("the two lines of a pair end in the same number, not in {number} and {again}"),
            ));
        }
        pairs.push(Pair { a, b, same: number != 0 });
    }
    Ok(pairs)
}

/// As much of a foreign text as a message bears, without control characters.
pub(super) fn clip(text: &str) -> String {
    let mut clipped: String = text.chars().take(60).flat_map(char::escape_debug).collect();
    if text.chars().nth(60).is_some() {
        clipped.push('…');
    }
    clipped
}
