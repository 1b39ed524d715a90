//! Photographs to embeddings, a row for each face: what every command that works on embeddings begins with.

mod folder;
mod thumbnail;

use std::path::{Path, PathBuf};

use anyhow::Result;

use super::context::{AlignArgs, CropArgs, DetectArgs, Globals, Model, progress};
use super::output;
use super::photos::{self, Tally};
use super::pipeline::{Pipeline, Work};
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
            return folder::read(folder, globals);
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
        let pipeline = Pipeline { embedder, detector, batch: usize::MAX, bar: &bar };
        let mut values = Vec::new();
        let work = Work {
            decode: |i: usize| image::decode(&found.images[i]),
            cut: |index: usize, photo: &Rgb8, of_photo: &[Face]| match detector {
                Some(_) => self.cut(photo, of_photo, &found.images[index], aligner),
                None => (Noted::crop(photo), vec![given.input(photo)]),
            },
            tell: |index: usize, noted: Noted, rows: &[f32], failures: &mut Vec<Error>| {
                let path = &found.images[index];
                faces.without_face.extend(noted.is_without().then(|| path.clone()));
                faces.several.extend(noted.has_others.then(|| path.clone()));
                failures.extend(noted.failures);
                for bounds in noted.boxes {
                    faces.images.push(path.clone());
                    faces.labels.push(found.labels[index].clone());
                    faces.boxes.push(bounds);
                }
                values.extend_from_slice(rows);
            },
        };
        pipeline.run(found.images.len(), &mut tally, work)?;
        bar.finish_and_clear();
        faces.embeddings = Embeddings::new(embedder.dim(), values);
        faces.failures = tally.failures;
        Ok(faces)
    }

    /// The crops of a photograph's faces, and what there is to tell of it.
    fn cut(&self, photo: &Rgb8, faces: &[Face], path: &Path, aligner: &Aligner) -> (Noted, Vec<Rgb8>) {
        let mut noted = Noted { has_others: faces.len() > 1 && !self.all_faces, ..Noted::default() };
        let mut crops = Vec::new();
        for cut in cut_out(photo, faces, self.all_faces, aligner) {
            match cut {
                Ok((bounds, crop)) => {
                    noted.boxes.push(bounds);
                    crops.push(crop);
                }
                Err(error) => noted.failures.push(photos::of_photo(path, &error)),
            }
        }
        (noted, crops)
    }
}

/// What there is to tell of a photograph.
#[derive(Default)]
struct Noted {
    /// The boxes of the faces that are taken.
    boxes: Vec<[f64; 4]>,
    /// Whether it has faces that are not taken.
    has_others: bool,
    /// Why some cannot be cut out.
    failures: Vec<Error>,
}

impl Noted {
    /// A photograph that is a crop.
    fn crop(photo: &Rgb8) -> Self {
        Noted { boxes: vec![[0.0, 0.0, photo.width() as f64, photo.height() as f64]], ..Noted::default() }
    }

    fn is_without(&self) -> bool {
        self.boxes.is_empty() && self.failures.is_empty()
    }
}

/// A face's box, and its crop.
type Cut = ([f64; 4], Rgb8);

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
    pub fn written(folder: &Path, globals: &Globals) -> Result<Option<Faces>> {
        folder::is_written(folder).then(|| folder::read(folder, globals)).transpose()
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
