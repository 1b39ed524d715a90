//! Photographs to embeddings, a row for each face: what every command that works on embeddings begins with.

mod folder;
mod photographs;
mod table;
mod thumbnail;

use std::path::{Path, PathBuf};

use anyhow::Result;

use super::context::{AlignArgs, CropArgs, DetectArgs, Globals, Model};
use super::output;
use super::photos::Tally;
use super::shard::ShardArgs;
use crate::Error;
use crate::backend::Device;
use crate::face::{Aligner, Embeddings};
use crate::image;
use crate::vectors::Origin;
use crate::vectors::parquet::is_parquet;
use crate::weights::sha256;
pub use photographs::{Noted, Taken};

/// Which faces, as flags.
#[derive(Debug, clap::Args)]
pub struct FacesArgs {
    /// Folders of people, each a folder whose name labels all photographs below it; or one person's folder; or photographs,
    /// labelled by the folder they lie in; or a folder or a Parquet file that `embed` wrote, whose embeddings are taken as they are
    #[arg(required = true, value_name = "PATH")]
    pub paths: Vec<PathBuf>,
    /// The photographs are crops already
    #[arg(long)]
    pub aligned: bool,
    #[command(flatten)]
    align: AlignArgs,
    /// Take every face of a photograph, in the order in which `detect` lists them, not only the large and central one
    #[arg(long, conflicts_with = "aligned")]
    pub all_faces: bool,
    #[command(flatten)]
    crops: CropArgs,
    #[command(flatten)]
    detect: DetectArgs,
}

/// Whether a path is what `embed` wrote, a folder or a Parquet file.
fn is_written(path: &Path) -> bool {
    folder::is_written(path) || is_parquet(path)
}

/// Faces with their embeddings: what is at a place of one list belongs to what is there in the others.
#[derive(Default)]
pub struct Faces {
    /// The embeddings.
    pub embeddings: Embeddings,
    /// The photograph of each.
    pub images: Vec<PathBuf>,
    /// Whom the photograph is of, by its folder.
    pub labels: Vec<String>,
    /// Where each face is in its photograph, in pixels: left, top, right, bottom. All of a crop.
    pub boxes: Vec<[f64; 4]>,
    /// What made them; nothing where a folder does not say it.
    pub origin: Option<Origin>,
    /// The model's file, where it is here.
    pub model: Option<PathBuf>,
    /// Photographs that were looked at.
    pub photographs: usize,
    /// Photographs without a face.
    pub without_face: Vec<PathBuf>,
    /// Photographs with faces that were not taken.
    pub several: Vec<PathBuf>,
    /// What could not be read, each naming its path.
    pub failures: Vec<Error>,
}

impl FacesArgs {
    /// Whether they are what `embed` wrote, so that nothing has to be embedded.
    pub fn are_embedded(&self) -> bool {
        matches!(&self.paths[..], [path] if is_written(path))
    }

    /// The faces with their embeddings: those of the photographs, or those that `embed` wrote. `what` names the work to the
    /// progress bar.
    ///
    /// What is not among them is told on stderr, but for failures.
    pub fn embed(&self, globals: &Globals, device: &Device, what: &'static str) -> Result<Faces> {
        self.embed_on(globals, &[(device.info().kind.to_owned(), device.clone())], what, &ShardArgs::default())
    }

    /// As [`FacesArgs::embed`], on several devices, a part of the photographs.
    pub fn embed_on(
        &self,
        globals: &Globals,
        devices: &[(String, Device)],
        what: &'static str,
        shard: &ShardArgs,
    ) -> Result<Faces> {
        if let [path] = &self.paths[..]
            && let Some(faces) = Faces::written(path, globals)?
        {
            return Ok(faces);
        }
        if let Some(path) = self.paths.iter().find(|path| is_written(path)) {
            let problem = "is what `embed` wrote, and stands alone: give it by itself, or photographs";
            return Err(Error::data(path, problem).into());
        }
        let faces = self.photographs(globals, devices, what, shard)?;
        faces.tell();
        Ok(faces)
    }

    fn photographs(
        &self,
        globals: &Globals,
        devices: &[(String, Device)],
        what: &'static str,
        shard: &ShardArgs,
    ) -> Result<Faces> {
        let opened = self.open(globals, devices)?;
        let mut found = image::labelled(&self.paths);
        let ours = shard.of(&found.images, &self.paths);
        found.labels = ours.iter().map(|&i| std::mem::take(&mut found.labels[i])).collect();
        found.images = ours.iter().map(|&i| std::mem::take(&mut found.images[i])).collect();
        let mut faces = Faces {
            origin: Some(opened.origin()?),
            model: Some(opened.model().path.clone()),
            photographs: found.images.len(),
            failures: found.problems,
            ..Faces::default()
        };
        let mut values = Vec::new();
        let tell = |index: usize, done: crate::Result<(Noted, &[f32])>| {
            match done {
                Ok((noted, rows)) => {
                    faces.add(&found.images[index], &found.labels[index], noted);
                    values.extend_from_slice(rows);
                }
                Err(error) => faces.failures.push(error),
            }
            Ok(())
        };
        opened.each(&found.images, what, &mut Tally::default(), tell)?;
        faces.embeddings = Embeddings::new(opened.model().embedder.dim(), values);
        Ok(faces)
    }
}

/// What makes these embeddings.
pub fn origin(model: &Model, aligner: &Aligner, aligned: bool) -> Result<Origin> {
    let embedder = &model.embedder;
    Ok(Origin {
        model: output::path(model.path.file_name().unwrap_or(model.path.as_os_str())),
        sha256: sha256::model(&model.path)?,
        dim: embedder.dim(),
        standardize: embedder.standardize().to_string(),
        align: if aligned { "crops as given".to_owned() } else { aligner.alignment().to_string() },
    })
}

impl Faces {
    /// Those of a folder or a Parquet file that `embed` wrote; none where it is none.
    pub fn written(path: &Path, globals: &Globals) -> Result<Option<Faces>> {
        if folder::is_written(path) {
            return folder::read(path, globals).map(Some);
        }
        is_parquet(path).then(|| table::read(path, globals)).transpose()
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.images.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.images.is_empty()
    }

    /// Adds what is told of a photograph.
    fn add(&mut self, path: &Path, label: &str, noted: Noted) {
        self.without_face.extend(noted.faces.is_empty().then(|| path.to_owned()));
        self.several.extend(noted.has_others.then(|| path.to_owned()));
        for (face, failure) in noted.faces {
            if let Some(failure) = failure {
                self.failures.push(failure);
                continue;
            }
            self.images.push(path.to_owned());
            self.labels.push(label.to_owned());
            self.boxes.push(face.bounds);
        }
    }

    /// Tells which photographs have no face, and which have more than were taken.
    fn tell(&self) {
        self.without_face.iter().for_each(|path| eprintln!("{}: no face found, left out", path.display()));
        if let Some(first) = self.several.first() {
            let (count, first) = (output::count(self.several.len(), "photograph"), first.display());
            eprintln!(
                "{count} with several faces, as {first}: the large and central one is taken, --all-faces takes each"
            );
        }
    }
}
