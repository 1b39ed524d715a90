//! Photographs to embeddings, a row for each face: what every command that works on embeddings begins with.

mod folder;
mod thumbnail;

use std::path::{Path, PathBuf};
use std::time::Instant;

use anyhow::Result;
use rayon::prelude::*;

use super::context::{AlignArgs, CropArgs, DetectArgs, Globals, Model, progress};
use super::output;
use super::photos::{self, Photo, Tally, add};
use crate::Error;
use crate::backend::Device;
use crate::face::{Aligner, Detector, Embeddings, Face, choose};
use crate::image::{self, Rgb8};
use crate::vectors::Origin;
use crate::weights::sha256;

/// Which faces, as flags.
#[derive(Debug, clap::Args)]
pub struct FacesArgs {
    /// Folders of people, each a folder whose name labels all photographs below it; or one person's folder; or photographs,
    /// labelled by the folder they lie in; or a folder that `embed` wrote, whose embeddings are taken as they are
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
    /// Whether they are a folder's that `embed` wrote, so that nothing has to be embedded.
    pub fn are_embedded(&self) -> bool {
        matches!(&self.paths[..], [folder] if folder::is_written(folder))
    }

    /// The faces with their embeddings: those of the photographs, or those that `embed` wrote. `what` names the work to the
    /// progress bar.
    ///
    /// What is not among them is told on stderr, but for failures.
    pub fn embed(&self, globals: &Globals, device: &Device, what: &'static str) -> Result<Faces> {
        if let [folder] = &self.paths[..]
            && folder::is_written(folder)
        {
            return folder::read(folder, &globals.weights);
        }
        if let Some(folder) = self.paths.iter().find(|folder| folder::is_written(folder)) {
            let problem = "is what `embed` wrote, and stands alone: give it by itself, or photographs";
            return Err(Error::data(folder, problem).into());
        }
        let options = self.detect.options()?;
        self.crops.check(self.aligned)?;
        self.align.check()?;
        let model = globals.open_model(device, &self.crops)?;
        let detector = if self.aligned { None } else { Some(globals.open_detector(device, &options)?) };
        let aligner = self.align.aligner(&model, globals, self.aligned.then_some(&self.paths[..]))?;
        let faces = self.photographs(&model, detector.as_ref(), &aligner, what)?;
        faces.tell();
        Ok(faces)
    }

    fn photographs(
        &self,
        model: &Model,
        detector: Option<&Detector>,
        aligner: &Aligner,
        what: &'static str,
    ) -> Result<Faces> {
        let (embedder, given) = (&model.embedder, self.crops.given(model));
        let found = image::labelled(&self.paths);
        let mut faces = Faces {
            origin: Some(origin(model, aligner, self.aligned)?),
            model: Some(model.path.clone()),
            photographs: found.images.len(),
            ..Faces::default()
        };
        let mut tally = Tally { failures: found.problems, ..Tally::default() };
        let bar = progress(found.images.len(), what);
        photos::for_each_chunk(&found.images, embedder.device(), &bar, &mut tally, |chunk, tally| {
            let cut: Vec<Vec<Cut>> = match detector {
                Some(detector) => self.cut(detector, chunk, &found.images, aligner, &mut faces, tally)?,
                None => chunk.iter().map(|photo| vec![whole(&photo.image, given.input(&photo.image))]).collect(),
            };
            for (photo, of_photo) in chunk.iter().zip(&cut) {
                for (bounds, _) in of_photo {
                    faces.images.push(found.images[photo.index].clone());
                    faces.labels.push(found.labels[photo.index].clone());
                    faces.boxes.push(*bounds);
                }
            }
            let start = Instant::now();
            let crops: Vec<&Rgb8> = cut.iter().flatten().map(|(_, crop)| crop).collect();
            faces.embeddings.append(embedder.embed(&crops)?);
            add(&mut tally.embed, start);
            Ok(())
        })?;
        faces.failures = tally.failures;
        Ok(faces)
    }

    /// The faces of a chunk's photographs; notes where there is none, and where there are more than are taken.
    fn cut(
        &self,
        detector: &Detector,
        chunk: &[Photo],
        images: &[PathBuf],
        aligner: &Aligner,
        found: &mut Faces,
        tally: &mut Tally,
    ) -> Result<Vec<Vec<Cut>>> {
        let faces = photos::detect(detector, chunk, tally)?;
        let start = Instant::now();
        let cut = |(photo, faces): (&Photo, &Vec<Face>)| cut_out(&photo.image, faces, self.all_faces, aligner);
        let cut: Vec<Vec<_>> = detector.device().install(|| chunk.par_iter().zip(&faces).map(cut).collect());
        add(&mut tally.align, start);
        let sort = |((photo, faces), cut): ((&Photo, &Vec<Face>), Vec<crate::Result<Cut>>)| {
            let path = &images[photo.index];
            let (good, bad): (Vec<_>, Vec<_>) = cut.into_iter().partition(Result::is_ok);
            found.without_face.extend((good.is_empty() && bad.is_empty()).then(|| path.clone()));
            found.several.extend((faces.len() > 1 && !self.all_faces).then(|| path.clone()));
            tally.failures.extend(bad.into_iter().filter_map(Result::err).map(|error| photos::of_photo(path, &error)));
            good.into_iter().flatten().collect()
        };
        Ok(chunk.iter().zip(&faces).zip(cut).map(sort).collect())
    }
}

/// A face's box, and its crop.
type Cut = ([f64; 4], Rgb8);

fn whole(photo: &Rgb8, crop: Rgb8) -> Cut {
    ([0.0, 0.0, photo.width() as f64, photo.height() as f64], crop)
}

/// The faces that are taken of a photograph, and why some cannot be cut out.
fn cut_out(photo: &Rgb8, faces: &[Face], all: bool, aligner: &Aligner) -> Vec<crate::Result<Cut>> {
    let chosen = match all {
        true => 0..faces.len(),
        false => choose(faces, photo.width(), photo.height()).map_or(0..0, |i| i..i + 1),
    };
    let cut = |face: &Face| aligner.align(photo, face).map(|crop| Some((face.bounds, crop?))).transpose();
    faces[chosen].iter().filter_map(cut).collect()
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
    /// Those of a folder that `embed` wrote; none where it is none.
    pub fn written(folder: &Path, weights: &Path) -> Result<Option<Faces>> {
        folder::is_written(folder).then(|| folder::read(folder, weights)).transpose()
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.images.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.images.is_empty()
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
