//! `warpface embed`: the files of `export_embeddings.py`.

use std::collections::BTreeSet;
use std::io::{self, Write};
use std::path::PathBuf;
use std::time::Instant;

use anyhow::Result;
use npyz::WriterBuilder;
use rayon::prelude::*;
use serde_json::json;

use super::context::{AlignArgs, CropArgs, DetectArgs, Globals, Model, create_folder, progress};
use super::photos::{self, Photo, Tally, add};
use super::{Outcome, output};
use crate::Error;
use crate::face::{Aligner, Detector, Embeddings, Face};
use crate::files::Aside;
use crate::image::{self, Rgb8};
use crate::weights::write::npy_header;

#[derive(Debug, clap::Args)]
pub struct Args {
    /// Folders of people, each a folder whose name labels all photographs below it; or one person's folder; or photographs,
    /// labelled by the folder they lie in
    #[arg(required = true, value_name = "PATH")]
    paths: Vec<PathBuf>,
    /// Where the four files go
    #[arg(short, long, value_name = "DIR")]
    output: PathBuf,
    /// The photographs are crops already
    #[arg(long)]
    aligned: bool,
    #[command(flatten)]
    align: AlignArgs,
    /// Embed every face of a photograph, a row for each in the order in which `detect` lists them, not only the large and
    /// central one
    #[arg(long, conflicts_with = "aligned")]
    all_faces: bool,
    #[command(flatten)]
    crops: CropArgs,
    #[command(flatten)]
    detect: DetectArgs,
}

/// What the photographs gave.
#[derive(Default)]
struct Found {
    embeddings: Embeddings,
    /// The photograph of each embedding, by its place in the list.
    embedded: Vec<usize>,
    without_face: Vec<usize>,
    /// Photographs with faces that were not taken.
    several: Vec<usize>,
}

impl Found {
    /// Tells what is not among the embeddings.
    fn tell(&self, images: &[PathBuf]) {
        self.without_face.iter().for_each(|&i| eprintln!("{}: no face found, left out", images[i].display()));
        if let Some(&first) = self.several.first() {
            let (count, first) = (output::count(self.several.len(), "photograph"), images[first].display());
            eprintln!(
                "{count} with several faces, as {first}: the large and central one is taken, --all-faces takes each"
            );
        }
    }
}

impl Args {
    pub fn run(&self, globals: &Globals) -> Result<Outcome> {
        let options = self.detect.options()?;
        self.crops.check(self.aligned)?;
        self.align.check()?;
        let found = image::labelled(&self.paths);
        let device = globals.open_device()?;
        let model = globals.open_model(&device, &self.crops)?;
        let detector = if self.aligned { None } else { Some(globals.open_detector(&device, &options)?) };
        let cut = (detector.as_ref(), self.align.aligner(&model, globals, self.aligned.then_some(&self.paths[..]))?);
        create_folder(&self.output)?;
        let mut tally = Tally { failures: found.problems, ..Tally::default() };
        let dim = model.embedder.dim();
        let done = self.embed(&model, cut, &found.images, &mut tally)?;
        let (rows, without) = (done.embedded.len(), done.without_face.len());
        done.tell(&found.images);
        self.write(globals, &found.images, &found.labels, dim, done)?;
        let outcome = output::list_failures(rows + without, &tally.failures);
        Ok(if rows == 0 { Outcome::Nothing } else { outcome })
    }

    fn embed(
        &self,
        model: &Model,
        (detector, aligner): (Option<&Detector>, Aligner),
        images: &[PathBuf],
        tally: &mut Tally,
    ) -> Result<Found> {
        let (embedder, given) = (&model.embedder, self.crops.given(model));
        let mut found = Found::default();
        let bar = progress(images.len(), "embed");
        photos::for_each_chunk(images, embedder.device(), &bar, tally, |chunk, tally| {
            let crops: Vec<Vec<Rgb8>> = match detector {
                Some(detector) => self.crops(detector, chunk, images, &aligner, &mut found, tally)?,
                None => chunk.iter().map(|photo| vec![given.input(&photo.image)]).collect(),
            };
            for (photo, crops) in chunk.iter().zip(&crops) {
                found.embedded.extend(crops.iter().map(|_| photo.index));
            }
            let start = Instant::now();
            found.embeddings.append(embedder.embed(&crops.iter().flatten().collect::<Vec<_>>())?);
            add(&mut tally.embed, start);
            Ok(())
        })?;
        Ok(found)
    }

    /// The crops of a chunk's photographs; notes where there is no face, and where there are more than are taken.
    fn crops(
        &self,
        detector: &Detector,
        chunk: &[Photo],
        images: &[PathBuf],
        aligner: &Aligner,
        found: &mut Found,
        tally: &mut Tally,
    ) -> Result<Vec<Vec<Rgb8>>> {
        let faces = photos::detect(detector, chunk, tally)?;
        if !self.all_faces {
            found
                .several
                .extend(chunk.iter().zip(&faces).filter(|(_, faces)| faces.len() > 1).map(|(photo, _)| photo.index));
        }
        let start = Instant::now();
        let crops = |(photo, faces): (&Photo, &Vec<Face>)| match self.all_faces {
            true => photos::all_crops(&photo.image, faces, aligner),
            false => photos::main_crop(&photo.image, faces, aligner).transpose().into_iter().collect(),
        };
        let crops: Vec<Vec<_>> = detector.device().install(|| chunk.par_iter().zip(&faces).map(crops).collect());
        add(&mut tally.align, start);
        let cut = |(photo, crops): (&Photo, Vec<crate::Result<Rgb8>>)| {
            let (good, bad): (Vec<_>, Vec<_>) = crops.into_iter().partition(Result::is_ok);
            found.without_face.extend((good.is_empty() && bad.is_empty()).then_some(photo.index));
            let path = &images[photo.index];
            tally.failures.extend(bad.into_iter().filter_map(Result::err).map(|error| photos::of_photo(path, &error)));
            good.into_iter().flatten().collect()
        };
        Ok(chunk.iter().zip(crops).map(cut).collect())
    }

    /// A file of the output, written but not yet in its place.
    fn file(&self, name: &str, write: impl FnOnce(&mut Aside) -> io::Result<()>) -> Result<(PathBuf, Aside)> {
        let path = self.output.join(name);
        let written = Aside::create(&path).and_then(|mut file| {
            write(&mut file)?;
            file.finish()?;
            Ok(file)
        });
        Ok(written.map(|file| (path.clone(), file)).map_err(Error::io(&path, "write"))?)
    }

    /// Writes the four files, and the summary.
    fn write(&self, globals: &Globals, images: &[PathBuf], labels: &[String], dim: usize, found: Found) -> Result<()> {
        let Found { embeddings, embedded, without_face, several } = found;
        let names: Vec<&str> = embedded.iter().map(|&i| labels[i].as_str()).collect();
        // A line for each row, whatever a name has in it.
        let line = |&i: &usize| images[i].display().to_string().replace('\n', "\\n").replace('\r', "\\r") + "\n";
        let paths: String = embedded.iter().map(line).collect();
        let classes: Vec<&str> = names.iter().copied().collect::<BTreeSet<_>>().into_iter().collect();
        let labels = names.iter().map(|name| classes.binary_search(name).unwrap_or(0) as i64);
        let rows = embedded.len() as u64;
        // What an earlier run left is better than nothing.
        if embedded.is_empty() {
            eprintln!("nothing to embed: nothing is written to {}", self.output.display());
            return Ok(());
        }
        let files = [
            self.file("embeddings.npy", |out| write_npy(out, &[rows, dim as u64], embeddings.into_vec()))?,
            self.file("labels.npy", |out| write_npy(out, &[rows], labels))?,
            self.file("label_strings.npy", |out| out.write_all(&npy_of_strings(&names)))?,
            self.file("paths.txt", |out| out.write_all(paths.as_bytes()))?,
        ];
        // All are on the disk by now: none of an earlier run is left among them.
        for (path, file) in files {
            file.put().map_err(Error::io(&path, "write"))?;
        }

        let of = |indices: &[usize]| -> Vec<String> { indices.iter().map(|&i| output::path(&images[i])).collect() };
        let mut out = output::stdout();
        if globals.json {
            let summary = json!({
                "images": images.len(), "embedded": embedded.len(), "dim": dim, "labels": classes.len(),
                "without_face": of(&without_face), "several_faces": of(&several), "output": output::path(&self.output),
            });
            return output::json_line(&mut out, &summary);
        }
        let (what, of) = (output::count(embedded.len(), "embedding"), output::count(classes.len(), "label"));
        writeln!(out, "{what} of {dim} values, {of} in {}", self.output.display())?;
        Ok(out.flush()?)
    }
}

fn write_npy<T: npyz::AutoSerialize>(
    out: &mut Aside,
    shape: &[u64],
    values: impl IntoIterator<Item = T>,
) -> io::Result<()> {
    let mut writer = npyz::WriteOptions::new().default_dtype().shape(shape).writer(out).begin_nd()?;
    writer.extend(values)?;
    writer.finish()
}

/// An array of numpy's fixed-width Unicode strings (format version 1.0), which `npyz` does not write.
fn npy_of_strings(strings: &[&str]) -> Vec<u8> {
    let width = strings.iter().map(|s| s.chars().count()).max().unwrap_or(0).max(1);
    let mut bytes = npy_header(&format!("<U{width}"), &[strings.len()]);
    for string in strings {
        let characters = string.chars().map(u32::from).chain(std::iter::repeat(0)).take(width);
        bytes.extend(characters.flat_map(u32::to_le_bytes));
    }
    bytes
}
