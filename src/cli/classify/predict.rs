//! `warpface classify predict`.

use std::io::Write;
use std::path::PathBuf;

use anyhow::Result;
use rayon::prelude::*;
use serde::Serialize;

use super::{ClassifierArgs, UNKNOWN, name_of};
use crate::cli::context::{AlignArgs, CropArgs, DetectArgs, Globals, progress};
use crate::cli::drawn::Drawn;
use crate::cli::faces::origin;
use crate::cli::photos::{self, GivenCrops, Photo, Tally};
use crate::cli::{Outcome, output};
use crate::error::Field;
use crate::face::{Aligner, Detector, Face};
use crate::image::{self, FaceName, Rgb8};
use crate::vectors::classify::{Classifier, Prediction};

#[derive(Debug, clap::Args)]
#[command(after_help = "Example: warpface classify predict party.jpg -c people.safetensors --draw drawn/")]
pub struct Args {
    /// Photographs, or folders of them at any depth; every face in them is named
    #[arg(required = true, value_name = "PHOTO")]
    photos: Vec<PathBuf>,
    #[command(flatten)]
    classifier: ClassifierArgs,
    /// People to name for each face, the likeliest first
    #[arg(long, default_value_t = 1, value_name = "N")]
    top: usize,
    /// Write the photographs with frames, grey around the unknown, and names drawn in: a JPEG as JPEG, all others as PNG
    #[arg(long, value_name = "DIR")]
    draw: Option<PathBuf>,
    /// The photographs are crops already, of a face each
    #[arg(long)]
    aligned: bool,
    #[command(flatten)]
    align: AlignArgs,
    #[command(flatten)]
    crops: CropArgs,
    #[command(flatten)]
    detect: DetectArgs,
}

/// One line of `--json`.
#[derive(Serialize)]
struct Line<'a> {
    image: String,
    width: usize,
    height: usize,
    faces: Vec<Named<'a>>,
}

/// A face with its name.
#[derive(Serialize)]
struct Named<'a> {
    #[serde(flatten)]
    face: Option<Face>,
    /// The likeliest person, or `unknown`.
    name: &'a str,
    /// How likely the likeliest person is, if it is one of the known.
    probability: f64,
    /// Squared distance to the nearest person's centre.
    distance: f64,
    /// The likeliest people.
    people: Vec<Person<'a>>,
}

#[derive(Serialize)]
struct Person<'a> {
    name: &'a str,
    probability: f64,
}

impl<'a> Named<'a> {
    fn new(classifier: &'a Classifier, face: Option<Face>, found: &Prediction, top: usize) -> Self {
        let person = |person: usize| Person {
            name: &classifier.known().people()[person],
            probability: found.probabilities[person],
        };
        Named {
            face,
            name: name_of(classifier, found),
            probability: found.probabilities[found.person()],
            distance: found.distance,
            people: found.best(top).into_iter().map(person).collect(),
        }
    }
}

/// How faces come out of photographs.
struct Cutter<'a> {
    detector: Option<&'a Detector>,
    aligner: Aligner,
    given: GivenCrops,
    photos: &'a [PathBuf],
}

/// A photograph's faces, and their crops.
type Cut = (Vec<Option<Face>>, Vec<Rgb8>);

impl Cutter<'_> {
    /// The faces of a chunk's photographs, those that can be cut out.
    fn cut(&self, chunk: &[Photo], tally: &mut Tally) -> Result<Vec<Cut>> {
        let Some(detector) = self.detector else {
            return Ok(chunk.iter().map(|photo| (vec![None], vec![self.given.input(&photo.image)])).collect());
        };
        let faces = photos::detect(detector, chunk, tally)?;
        let cut = |(photo, faces): (&Photo, &Vec<Face>)| -> Vec<_> {
            let crop = |face: &Face| Some((*face, self.aligner.align(&photo.image, face).transpose()?));
            faces.iter().filter_map(crop).collect()
        };
        let cut: Vec<Vec<_>> = detector.device().install(|| chunk.par_iter().zip(&faces).map(cut).collect());
        let sorted = |(photo, cut): (&Photo, Vec<(Face, crate::Result<Rgb8>)>)| {
            let mut good = Cut::default();
            for (face, crop) in cut {
                match crop {
                    Ok(crop) => {
                        good.0.push(Some(face));
                        good.1.push(crop);
                    }
                    Err(error) => tally.failures.push(photos::of_photo(&self.photos[photo.index], &error)),
                }
            }
            good
        };
        Ok(chunk.iter().zip(cut).map(sorted).collect())
    }
}

impl Args {
    pub fn run(&self, globals: &Globals) -> Result<Outcome> {
        let options = self.detect.options()?;
        self.crops.check(self.aligned)?;
        self.align.check()?;
        if self.top == 0 {
            return Err(crate::Error::invalid(Field("top"), "0: nobody would be named; 1 is the likeliest").into());
        }
        let trained = self.classifier.open()?;
        let globals = &self.classifier.globals(globals, trained.origin.as_ref())?;
        let found = image::collect(&self.photos);
        let drawn = self.draw.as_ref().map(|folder| Drawn::new(folder, &found.images)).transpose()?;
        let device = globals.open_device()?;
        let model = globals.open_model(&device, &self.crops)?;
        let aligner = self.align.aligner(&model, globals, self.aligned.then_some(&self.photos[..]))?;
        let ours = origin(&model, &aligner, self.aligned)?;
        self.classifier.require(Some(&ours), ours.dim, &trained)?;
        let detector = if self.aligned { None } else { Some(globals.open_detector(&device, &options)?) };
        let given = self.crops.given(&model);
        let cutter = Cutter { detector: detector.as_ref(), aligner, given, photos: &found.images };
        let mut out = output::stdout();
        let mut tally = Tally { failures: found.problems, ..Tally::default() };
        let mut done = 0;
        let bar = progress(found.images.len(), "predict");
        photos::for_each_chunk(&found.images, &device, &bar, &mut tally, |chunk, tally| {
            let cut = cutter.cut(chunk, tally)?;
            let crops: Vec<&Rgb8> = cut.iter().flat_map(|(_, crops)| crops).collect();
            let mut predictions = trained.classifier.predict(&device, &model.embedder.embed(&crops)?)?.into_iter();
            for (photo, (faces, _)) in chunk.iter().zip(&cut) {
                let named = faces.iter().zip(&mut predictions);
                let named: Vec<Named> =
                    named.map(|(face, found)| Named::new(&trained.classifier, *face, &found, self.top)).collect();
                if let Some(drawn) = &drawn
                    && let Err(error) = draw(drawn, photo, &named)
                {
                    tally.failures.push(error);
                }
                self.print(globals, &mut out, photo, &found.images, named)?;
            }
            done += chunk.len();
            Ok(out.flush()?)
        })?;
        Ok(output::list_failures(done, &tally.failures))
    }

    fn print(
        &self,
        globals: &Globals,
        out: &mut impl Write,
        photo: &Photo,
        photos: &[PathBuf],
        faces: Vec<Named>,
    ) -> Result<()> {
        let (width, height) = (photo.image.width(), photo.image.height());
        let image = output::path(&photos[photo.index]);
        if globals.json {
            return output::json_line(out, &Line { image, width, height, faces });
        }
        writeln!(out, "{image}: {}", output::count(faces.len(), "face"))?;
        for named in faces {
            let place = named.face.map(|face| {
                let [x1, y1, x2, y2] = face.bounds;
                format!("  box {x1:.1},{y1:.1} {x2:.1},{y2:.1}")
            });
            let place = place.unwrap_or_default();
            writeln!(out, "  {}: {:.3}  distance {:.3}{place}", named.name, named.probability, named.distance)?;
            if self.top > 1 {
                named.people.iter().try_for_each(|one| writeln!(out, "    {}: {:.3}", one.name, one.probability))?;
            }
        }
        Ok(())
    }
}

/// Draws frames and names; a crop has none, and its name stands in its corner.
fn draw(drawn: &Drawn, photo: &Photo, named: &[Named]) -> Result<(), crate::Error> {
    let (width, height) = (photo.image.width() as f64, photo.image.height() as f64);
    let whole = Face { bounds: [0.0, 0.0, width, height], score: 1.0, landmarks: [[f64::NAN; 2]; 5] };
    let faces: Vec<Face> = named.iter().map(|named| named.face.unwrap_or(whole)).collect();
    let name = |named: &Named| match named.name {
        UNKNOWN => FaceName { text: UNKNOWN.to_owned(), is_known: false },
        name => FaceName { text: format!("{name} {:.2}", named.probability), is_known: true },
    };
    let names: Vec<FaceName> = named.iter().map(name).collect();
    drawn.draw(photo, &faces, Some(&names))
}
