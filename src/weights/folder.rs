//! Where weights are looked for, by every command and every binding.

use std::path::{Path, PathBuf};

use crate::error::{Error, Field, Result, message};

/// Names of embedding models' files, the best first: by accuracy on LFW.
pub const MODELS: [&str; 2] = ["facenet_keras.h5", "graph_final.pb"];

/// The variable that names the folder of weights, in place of what is looked into otherwise.
pub const VARIABLE: &str = "WARPFACE_WEIGHTS";

/// The user's folder of weights: below the one that the system has for what programs keep. `None` where no variable names
/// that.
pub fn of_user() -> Option<PathBuf> {
    let from = |name: &str| std::env::var_os(name).map(PathBuf::from).filter(|path| path.is_absolute());
    let kept = if cfg!(windows) {
        from("LOCALAPPDATA")
    } else if cfg!(target_os = "macos") {
        from("HOME").map(|home| home.join("Library/Application Support"))
    } else {
        from("XDG_DATA_HOME").or_else(|| from("HOME").map(|home| home.join(".local/share")))
    };
    kept.map(|kept| kept.join("warpface").join("weights"))
}

/// The folder that [`VARIABLE`] names.
pub fn named() -> Option<PathBuf> {
    std::env::var_os(VARIABLE).filter(|path| !path.is_empty()).map(PathBuf::from)
}

/// The folders that are looked into, in order: `asked` alone, else the one that [`VARIABLE`] names alone, else `weights` and the
/// user's.
pub fn all(asked: Option<&Path>) -> Vec<PathBuf> {
    folders(asked.map(Path::to_owned).or_else(named), of_user())
}

fn folders(named: Option<PathBuf>, of_user: Option<PathBuf>) -> Vec<PathBuf> {
    match named {
        Some(named) => vec![named],
        None => std::iter::once("weights".into()).chain(of_user).collect(),
    }
}

/// The first of [`all`] that has what is looked for, else the first.
pub fn find(asked: Option<&Path>, has: impl Fn(&Path) -> bool) -> PathBuf {
    let mut folders = all(asked);
    let found = folders.iter().position(|folder| has(folder)).unwrap_or(0);
    folders.swap_remove(found)
}

/// The file of the best embedding model that is there, in the first of [`all`] that has one.
///
/// # Errors
/// [`Error::Weights`] names what is missing.
pub fn best_model(asked: Option<&Path>) -> Result<PathBuf> {
    let model = |folder: &Path| MODELS.iter().map(|name| folder.join(name)).find(|path| path.is_file());
    let folder = find(asked, |folder| model(folder).is_some());
    model(&folder).ok_or_else(|| {
        let missing = format!("neither {} is here; `warpface weights` fetches them, ", MODELS.join(" nor "));
        Error::weights(&folder, message![missing, Field("model"), " names another"])
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_named_folder_is_looked_into_alone() {
        let user = || Some(PathBuf::from("/home/kim/weights"));
        assert_eq!(folders(Some("here".into()), user()), [PathBuf::from("here")]);
        assert_eq!(folders(None, user()), [PathBuf::from("weights"), "/home/kim/weights".into()]);
        assert_eq!(folders(None, None), [PathBuf::from("weights")]);
        assert_eq!(find(Some(Path::new("here")), |_| false), Path::new("here"));
        let error = best_model(Some(Path::new("nowhere"))).unwrap_err().to_string();
        assert!(error.starts_with("nowhere: neither facenet_keras.h5 nor graph_final.pb is here"), "{error}");
    }
}
