//! Checkpoints: all that a run needs to go on, in two files that are whole or not there.
//!
//! `step-00001200.safetensors` holds the tensors, `step-00001200.json` the run's settings and counters, and the tensors
//! file's length and SHA-256. Each is written beside its place, flushed to the disk and renamed; the JSON comes last, so
//! a checkpoint exists from the moment of that rename, and older ones are deleted only afterwards. A checkpoint that was
//! cut short or mixed from two is told by length and hash, and passed over. One run at a time uses a folder.

mod tensors;
mod write;

use std::collections::BTreeMap;
use std::fs::{self, File, TryLockError};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::error::{Field, message};
use crate::weights::{Entry, ModelFacts, TensorMap};
use crate::{Error, Result};
pub use tensors::{Named, Values};

/// Where a run's checkpoints are.
#[derive(Clone, Debug)]
pub struct Checkpoints {
    dir: PathBuf,
    keep: usize,
    /// The folder, locked against other runs until this is dropped; none where the system cannot lock folders.
    _lock: Option<Arc<File>>,
}

/// A checkpoint that was read.
#[derive(Clone, Debug)]
pub struct Checkpoint<R> {
    /// The step it was made after.
    pub step: u64,
    /// Its tensors file.
    pub path: PathBuf,
    /// What was given as the run.
    pub run: R,
    /// The tensors, by name.
    pub tensors: BTreeMap<String, Stored>,
}

/// A tensor that was read.
#[derive(Clone, Debug, PartialEq)]
pub enum Stored {
    /// Of floats.
    F32(crate::Tensor<f32>),
    /// Of whole numbers.
    U32(crate::Tensor<u32>),
}

/// The newest checkpoint, and what stood in the way.
#[derive(Clone, Debug)]
pub struct Latest<R> {
    /// The newest whole checkpoint, if there is one.
    pub checkpoint: Option<Checkpoint<R>>,
    /// Newer ones that cannot be used, newest first, each with the reason.
    pub passed_over: Vec<String>,
}

/// What a checkpoint's JSON says.
#[derive(Serialize, Deserialize)]
struct Manifest<R> {
    step: u64,
    tensors: TensorsFile,
    run: R,
}

#[derive(Serialize, Deserialize)]
struct TensorsFile {
    file: String,
    bytes: u64,
    sha256: String,
}

impl Checkpoints {
    /// Checkpoints in `dir`, which is made if it is not there, the newest `keep` of them (at least one). What an
    /// interrupted save left behind is removed. Nobody else can open the folder as long as this lives.
    ///
    /// # Errors
    /// If the folder cannot be made, listed or cleaned, or is another run's.
    pub fn open(dir: impl AsRef<Path>, keep: usize) -> Result<Self> {
        let dir = dir.as_ref();
        fs::create_dir_all(dir).map_err(Error::io(dir, "create"))?;
        let lock = File::open(dir).ok();
        if lock.as_ref().is_some_and(|folder| matches!(folder.try_lock(), Err(TryLockError::WouldBlock))) {
            let problem =
                message!["another run is writing to it: wait until it ends, or choose another ", Field("name")];
            return Err(Error::data(dir, problem));
        }
        for path in list(dir)?.into_iter().filter(|path| write::is_temporary(path)) {
            fs::remove_file(&path).map_err(Error::io(&path, "remove"))?;
        }
        Ok(Checkpoints { dir: dir.to_owned(), keep: keep.max(1), _lock: lock.map(Arc::new) })
    }

    /// The folder.
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// Writes the checkpoint of `step`, then deletes those that are too many. Tensors are written from where they are,
    /// without a copy. Returns the tensors file.
    ///
    /// # Errors
    /// Anything that keeps it from being written: a full disk, a folder that may not be written. Nothing of it is left
    /// then, and earlier checkpoints are as they were. Also two tensors of one name, or values that do not fill their
    /// extents.
    pub fn save(&self, step: u64, tensors: &[Named], run: &impl Serialize) -> Result<PathBuf> {
        let no_json = |e| Error::invalid(format!("the checkpoint of step {step}"), format!("its run is no JSON: {e}"));
        let run = serde_json::to_value(run).map_err(no_json)?;
        let path = self.file(step, "safetensors");
        let (bytes, sha256) = write::atomically(&path, |out| tensors::write(tensors, &facts_of(&run), out))?;
        let file = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let manifest = Manifest { step, tensors: TensorsFile { file, bytes, sha256 }, run };
        let json = serde_json::to_vec_pretty(&manifest).map_err(no_json)?;
        let written = write::atomically(&self.file(step, "json"), |out| out.write_all(&json));
        if written.is_err() && !self.file(step, "json").exists() {
            // Without its JSON it is only in the way of a disk that may be full.
            let _ = fs::remove_file(&path);
        }
        written?;
        self.prune(step)?;
        Ok(path)
    }

    /// Deletes all but the newest of the steps up to `newest`, which has just been written. Later ones, of a run that
    /// went on from an earlier checkpoint, are not counted: among them may be the damaged one it went back from.
    fn prune(&self, newest: u64) -> Result<()> {
        let steps = self.steps()?;
        let complete = steps.iter().filter(|&(&step, files)| step <= newest && files.json);
        let Some((&oldest, _)) = complete.rev().nth(self.keep - 1) else { return Ok(()) };
        for &step in steps.keys().filter(|&&step| step < oldest) {
            // JSON first: a checkpoint that is half deleted is then none.
            for path in [self.file(step, "json"), self.file(step, "safetensors")].iter().filter(|path| path.exists()) {
                fs::remove_file(path).map_err(Error::io(path, "remove"))?;
            }
        }
        Ok(())
    }

    /// Reads the newest whole checkpoint.
    ///
    /// # Errors
    /// Only if the folder cannot be listed: what is damaged is passed over, and told.
    pub fn latest<R: DeserializeOwned>(&self) -> Result<Latest<R>> {
        let mut passed_over = Vec::new();
        for (&step, files) in self.steps()?.iter().rev() {
            if !files.json {
                let path = self.file(step, "safetensors");
                passed_over.push(format!("{}: there is no .json with it; saving it was interrupted", path.display()));
                continue;
            }
            match read(self.file(step, "json")) {
                Ok(checkpoint) => return Ok(Latest { checkpoint: Some(checkpoint), passed_over }),
                Err(problem) => passed_over.push(problem.to_string()),
            }
        }
        Ok(Latest { checkpoint: None, passed_over })
    }

    /// The newest step that has a checkpoint, whole or not.
    ///
    /// # Errors
    /// If the folder cannot be listed.
    pub fn newest(&self) -> Result<Option<u64>> {
        Ok(self.steps()?.iter().rev().find(|(_, files)| files.json).map(|(&step, _)| step))
    }

    fn file(&self, step: u64, suffix: &str) -> PathBuf {
        self.dir.join(format!("step-{step:08}.{suffix}"))
    }

    /// Every step that has a file.
    fn steps(&self) -> Result<BTreeMap<u64, Files>> {
        let mut steps: BTreeMap<u64, Files> = BTreeMap::new();
        for path in list(&self.dir)? {
            let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
            let parts = name.strip_prefix("step-").and_then(|rest| rest.split_once('.'));
            let Some((Ok(step), suffix)) = parts.map(|(step, suffix)| (step.parse(), suffix)) else { continue };
            match suffix {
                "json" => steps.entry(step).or_default().json = true,
                "safetensors" => drop(steps.entry(step).or_default()),
                _ => {}
            }
        }
        Ok(steps)
    }
}

#[derive(Clone, Copy, Default)]
struct Files {
    json: bool,
}

fn list(dir: &Path) -> Result<Vec<PathBuf>> {
    let entries = fs::read_dir(dir).map_err(Error::io(dir, "list"))?;
    entries.map(|entry| entry.map(|entry| entry.path()).map_err(Error::io(dir, "list"))).collect()
}

/// Reads the checkpoint whose JSON file, or tensors file, `path` is.
///
/// # Errors
/// If one of the two is missing, cut short, damaged, or not the other's.
pub fn read<R: DeserializeOwned>(path: impl AsRef<Path>) -> Result<Checkpoint<R>> {
    let json = path.as_ref().with_extension("json");
    let damaged = |path: &Path, problem: String| Error::data(path, problem);
    let text = fs::read(&json).map_err(Error::io(&json, "read"))?;
    let manifest: Manifest<R> = serde_json::from_slice(&text)
        .map_err(|e| damaged(&json, format!("it is no checkpoint's, cut short, or of another version ({e})")))?;
    let TensorsFile { file, bytes, sha256 } = manifest.tensors;
    if Path::new(&file).file_name() != Some(file.as_ref()) {
        return Err(damaged(&json, format!("it names `{file}`, which is not a file beside it")));
    }
    let path = json.with_file_name(&file);
    let content = fs::read(&path).map_err(Error::io(&path, "read"))?;
    if content.len() as u64 != bytes {
        return Err(damaged(&path, format!("it has {} bytes, and its .json says {bytes}: cut short", content.len())));
    }
    if write::sha256(&content) != sha256 {
        let problem = "its SHA-256 is not the one its .json says: it is damaged, or another save's";
        return Err(damaged(&path, problem.into()));
    }
    let tensors = tensors::read(&content).map_err(|problem| damaged(&path, problem))?;
    Ok(Checkpoint { step: manifest.step, path, run: manifest.run, tensors })
}

/// What is known of a model's input: by the manifest of published files, by what the file itself says, or by the JSON
/// beside a checkpoint.
pub fn facts(file: &TensorMap, published: Option<&Entry>) -> ModelFacts {
    let published = published.map(Entry::facts).unwrap_or_default();
    published.or(file.facts).or(beside(&file.path).unwrap_or_default())
}

/// What the JSON beside a checkpoint says of the model's input; none for a file that is no checkpoint's tensors.
pub fn beside(tensors: impl AsRef<Path>) -> Option<ModelFacts> {
    run_of(tensors.as_ref()).map(|run| facts_of(&run))
}

/// Whom a checkpoint's classifier tells apart, in the order of its rows; nobody where that is not known.
pub fn people(tensors: impl AsRef<Path>) -> Vec<String> {
    let run = run_of(tensors.as_ref()).unwrap_or_default();
    let names = run["people"].as_array().into_iter().flatten();
    names.filter_map(|name| name.as_str().map(str::to_owned)).collect()
}

/// The run that the JSON beside a checkpoint's tensors tells of.
fn run_of(tensors: &Path) -> Option<Value> {
    let mut json: Value = serde_json::from_slice(&fs::read(tensors.with_extension("json")).ok()?).ok()?;
    let is_its = json["tensors"]["file"].as_str().is_some_and(|name| tensors.file_name() == Some(name.as_ref()));
    is_its.then(|| json["run"].take())
}

/// What a run's settings say of the model's input.
fn facts_of(run: &Value) -> ModelFacts {
    let settings = &run["settings"];
    let standardize = settings["standardize"].as_str().and_then(|mode| mode.parse().ok());
    // The command records its flags, the library its fields.
    let image_size = settings["image-size"].as_u64().or_else(|| settings["image_size"].as_u64());
    let image_size = image_size.and_then(|size| usize::try_from(size).ok());
    let align = settings["align"].as_str().and_then(|method| method.parse().ok());
    let model_def = settings["model_def"].as_str().and_then(|name| name.parse().ok());
    let facts = ModelFacts::default().standardize(standardize).image_size(image_size);
    facts.align(align).model_def(model_def)
}

#[cfg(test)]
mod tests;
