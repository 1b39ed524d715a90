//! What results are called: after their photographs, and no two alike.

use std::collections::HashSet;
use std::path::{Component, Path, PathBuf};

/// The suffix of a result.
#[derive(Clone, Copy)]
pub enum Suffix {
    /// Always `.png`.
    Png,
    /// A JPEG's own, else `.png`.
    JpegOrPng,
}

impl Suffix {
    /// The photograph's suffix, where the result keeps it.
    fn kept(self, path: &Path) -> Option<String> {
        let suffix = path.extension()?.to_str()?;
        let is_jpeg = ["jpg", "jpeg"].iter().any(|jpeg| suffix.eq_ignore_ascii_case(jpeg));
        match self {
            Suffix::JpegOrPng if is_jpeg => Some(suffix.to_owned()),
            _ => None,
        }
    }
}

/// Where the result of each photograph goes, by its path within the input: to its own name with the result's suffix.
/// Where several have one stem in one folder, the first by suffix and name gets it (`.jpg` before `.jpeg`), and the
/// others keep their whole names: `x.jpeg.png` beside the `x.png` of `x.jpg`. The names follow from the photographs
/// alone, not from what is there already.
pub fn distinct(photographs: &[PathBuf], suffix: Suffix) -> Vec<PathBuf> {
    let rank = |path: &Path| {
        let own = path.extension().and_then(|own| own.to_str()).unwrap_or_default().to_ascii_lowercase();
        ["jpg", "png", "jpeg"].iter().position(|known| *known == own).unwrap_or(3)
    };
    let mut order: Vec<usize> = (0..photographs.len()).collect();
    order.sort_by_key(|&i| (rank(&photographs[i]), &photographs[i], i));
    let mut taken: HashSet<PathBuf> = HashSet::new();
    let mut names = vec![PathBuf::new(); photographs.len()];
    for i in order {
        let photograph = &photographs[i];
        let ending = suffix.kept(photograph).unwrap_or_else(|| "png".to_owned());
        let stem = photograph.with_file_name(photograph.file_stem().unwrap_or_default());
        let numbered = (2..).map(|n| {
            let name = format!("{}_{n}", stem.file_name().unwrap_or_default().to_string_lossy());
            stem.with_file_name(name).with_added_extension(&ending)
        });
        let plain = [stem.with_added_extension(&ending), photograph.with_added_extension(&ending)];
        let free = plain.into_iter().chain(numbered).find(|name| !taken.contains(name));
        names[i] = free.unwrap_or_default();
        taken.insert(names[i].clone());
    }
    names
}

/// The paths, relative to the deepest folder that holds them all; nothing in them leads out of a folder they are joined
/// to.
pub fn relative_to_common(paths: &[PathBuf]) -> Vec<PathBuf> {
    let common = paths
        .iter()
        .map(|path| path.parent().unwrap_or(Path::new("")).to_owned())
        .reduce(|a, b| a.components().zip(b.components()).take_while(|(x, y)| x == y).map(|(x, _)| x).collect());
    let common = common.unwrap_or_default();
    let inside = |path: &PathBuf| -> PathBuf {
        let path = path.strip_prefix(&common).unwrap_or(path);
        path.components().filter(|part| matches!(part, Component::Normal(_))).collect()
    };
    paths.iter().map(inside).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn paths(names: &[&str]) -> Vec<PathBuf> {
        names.iter().map(PathBuf::from).collect()
    }

    #[test]
    fn no_two_results_have_one_name() {
        let photographs = paths(&["ann/x.jpeg", "ann/x.jpg", "bob/x.bmp", "ann/y.gif", "ann/x.jpeg.jpg", "ann/x.png"]);
        let expected = ["ann/x_2.png", "ann/x.png", "bob/x.png", "ann/y.png", "ann/x.jpeg.png", "ann/x.png.png"];
        assert_eq!(distinct(&photographs, Suffix::Png), paths(&expected));
        // Each has its name whatever the order.
        let mut backwards = distinct(&photographs.iter().rev().cloned().collect::<Vec<_>>(), Suffix::Png);
        backwards.reverse();
        assert_eq!(backwards, paths(&expected));
        let drawn = distinct(&paths(&["a.gif", "a.png", "a.jpg", "a.JPEG", "a.jpg"]), Suffix::JpegOrPng);
        assert_eq!(drawn, paths(&["a.gif.png", "a.png", "a.jpg", "a.JPEG", "a.jpg.jpg"]));
    }

    #[test]
    fn nothing_leads_out_of_the_folder() {
        assert_eq!(relative_to_common(&paths(&["p/a/x.jpg", "p/b/x.jpg"])), paths(&["a/x.jpg", "b/x.jpg"]));
        assert_eq!(
            relative_to_common(&paths(&["../x.jpg", "/p/y.jpg", "x.jpg"])),
            paths(&["x.jpg", "p/y.jpg", "x.jpg"])
        );
        assert_eq!(relative_to_common(&paths(&["/p/y.jpg"])), paths(&["y.jpg"]));
    }
}
