//! Which files of a folder are the cascade's: told by their stem, whatever their format's suffix.

use std::path::{Path, PathBuf};

use crate::error::{Error, Field, Result, message};

/// The files as davidsandberg/facenet and facenet-pytorch ship them.
const PUBLISHED: [[&str; 3]; 2] = [["det1.npy", "det2.npy", "det3.npy"], ["pnet.pt", "rnet.pt", "onet.pt"]];
/// What the three files are called, whatever their format.
const STEMS: [[&str; 3]; 2] = [["det1", "det2", "det3"], ["pnet", "rnet", "onet"]];
/// What one file of all three is called.
const WHOLE: [&str; 2] = ["mtcnn_weights", "mtcnn"];
/// What stands beside weights and is none.
const OTHERS: [&str; 8] = ["prototxt", "json", "txt", "md", "yaml", "py", "meta", "onnx.data"];

/// The files of P-Net, R-Net and O-Net in a folder, which may be one and the same; `folder` may also be that file.
///
/// # Errors
/// [`Error::Weights`] if they are not there, or if several files could be one of them.
pub fn files(folder: impl AsRef<Path>) -> Result<[PathBuf; 3]> {
    let folder = folder.as_ref();
    if folder.is_file() {
        return Ok([(); 3].map(|()| folder.to_owned()));
    }
    let published = PUBLISHED.iter().map(|names| names.map(|name| folder.join(name)));
    if let Some(found) = published.into_iter().find(|paths| paths.iter().all(|path| path.is_file())) {
        return Ok(found);
    }
    for stems in STEMS {
        let [p, r, o] = stems.map(|stem| of_stem(folder, stem));
        if let [Some(p), Some(r), Some(o)] = [p?, r?, o?] {
            return Ok([p, r, o]);
        }
    }
    for stem in WHOLE {
        if let Some(file) = of_stem(folder, stem)? {
            return Ok([(); 3].map(|()| file.clone()));
        }
    }
    if !folder.exists() {
        let problem =
            message!["is not here; `warpface weights` fetches MTCNN, ", Field("weights"), " says where it is"];
        return Err(Error::weights(folder, problem));
    }
    for stems in STEMS {
        let there = stems.map(|stem| of_stem(folder, stem).ok().flatten().is_some());
        let (Some(here), Some(not)) = (there.iter().position(|&there| there), there.iter().position(|&there| !there))
        else {
            continue;
        };
        let problem =
            format!("{} is here, but no {} of any format: the cascade needs all three", stems[here], stems[not]);
        return Err(Error::weights(folder, problem));
    }
    let missing = "no det1.npy, det2.npy and det3.npy here (nor pnet, rnet and onet, nor mtcnn, with the suffix of any \
                   format); `warpface weights` fetches them, ";
    Err(Error::weights(folder, message![missing, Field("weights"), " says where they are"]))
}

/// The file of this stem, in upper or lower case.
fn of_stem(folder: &Path, stem: &str) -> Result<Option<PathBuf>> {
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
    let is_it = |path: &PathBuf| {
        let name = path.file_name().unwrap_or_default().to_string_lossy().to_ascii_lowercase();
        let suffix = name.strip_prefix(stem).and_then(|rest| rest.strip_prefix('.'));
        // A checkpoint is named by its index.
        suffix.is_some_and(|suffix| !OTHERS.contains(&suffix) && !suffix.starts_with("data-")) && path.is_file()
    };
    let mut found: Vec<PathBuf> = entries.map(|entry| entry.path()).filter(is_it).collect();
    found.sort();
    match found.as_slice() {
        [] => Ok(None),
        [one] => Ok(Some(one.clone())),
        [first, second, ..] => {
            let problem =
                format!("which one is meant, {} or {}? Leave one of them here", first.display(), second.display());
            Err(Error::weights(folder, problem))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn folder(names: &[&str]) -> tempfile::TempDir {
        let folder = tempfile::tempdir().unwrap();
        names.iter().for_each(|name| std::fs::write(folder.path().join(name), "").unwrap());
        folder
    }

    fn found(names: &[&str]) -> std::result::Result<[String; 3], String> {
        let folder = folder(names);
        let name = |path: PathBuf| path.file_name().unwrap().to_string_lossy().into_owned();
        files(folder.path()).map(|paths| paths.map(name)).map_err(|error| error.to_string())
    }

    #[test]
    fn files_are_told_by_their_stems() {
        let det = ["det1.npy", "det2.npy", "det3.npy"];
        let of = |suffix: &str| ["pnet", "rnet", "onet"].map(|stem| format!("{stem}.{suffix}"));
        for suffix in ["lz4", "onnx", "npz", "weights.h5", "pth"] {
            let names = of(suffix);
            let all: Vec<&str> = names.iter().map(String::as_str).chain(["pnet.prototxt", "other.npy"]).collect();
            assert_eq!(found(&all).unwrap(), names, "{suffix}");
        }
        assert_eq!(
            found(&["det1.caffemodel", "det2.caffemodel", "det3.caffemodel", "det1.prototxt"]).unwrap()[2],
            "det3.caffemodel"
        );
        assert_eq!(
            found(&["pnet.index", "pnet.data-00000-of-00001", "RNet.npy", "onet.npy"]).unwrap()[0],
            "pnet.index"
        );
        assert_eq!(found(&["mtcnn_weights.npy", "pnet.npy"]).unwrap(), ["mtcnn_weights.npy"; 3]);
        // The published ones come first.
        let both: Vec<String> = det.iter().map(|name| (*name).to_owned()).chain(of("onnx")).collect();
        assert_eq!(found(&both.iter().map(String::as_str).collect::<Vec<_>>()).unwrap(), det);
        assert!(found(&["pnet.npy", "pnet.pt", "rnet.npy", "onet.npy"]).unwrap_err().contains("which one is meant"));
        assert!(found(&["pnet.npy", "onet.npy"]).unwrap_err().contains("no rnet"));
        assert!(found(&["other.npy"]).unwrap_err().contains("no det1.npy"));
    }
}
