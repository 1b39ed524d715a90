//! `warpface embed`: the files of `export_embeddings.py`.

use std::collections::BTreeSet;
use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};
use std::time::Instant;

use anyhow::Result;
use npyz::WriterBuilder;
use serde_json::json;

use super::context::{CropArgs, DetectArgs, Globals, Model, create_folder, progress};
use super::photos::{self, Tally, add};
use super::{Outcome, output};
use crate::Error;
use crate::face::{Alignment, Detector, Embeddings};
use crate::image::{self, Rgb8};
use crate::weights::write::npy_header;

#[derive(Debug, clap::Args)]
pub struct Args {
    /// Photographs, or folders of them; a photograph's folder is its label
    #[arg(required = true, value_name = "PATH")]
    paths: Vec<PathBuf>,
    /// Where the four files go
    #[arg(short, long, value_name = "DIR")]
    output: PathBuf,
    /// The photographs are crops already
    #[arg(long)]
    aligned: bool,
    /// Pixels of the photograph added around the box, half of them on each side
    #[arg(long, default_value_t = 32, value_name = "PIXELS")]
    margin: usize,
    #[command(flatten)]
    crops: CropArgs,
    #[command(flatten)]
    detect: DetectArgs,
}

/// What the photographs gave.
#[derive(Default)]
struct Found<'a> {
    embeddings: Embeddings,
    /// The photographs of the embeddings, in order.
    embedded: Vec<&'a Path>,
    without_face: Vec<&'a Path>,
}

impl Args {
    pub fn run(&self, globals: &Globals) -> Result<Outcome> {
        let options = self.detect.options()?;
        self.crops.check(self.aligned)?;
        let found = image::collect(&self.paths);
        let device = globals.open_device()?;
        let model = globals.open_model(&device, &self.crops)?;
        let detector = if self.aligned { None } else { Some(globals.open_detector(&device, &options)?) };
        create_folder(&self.output)?;
        let mut tally = Tally { failures: found.problems, ..Tally::default() };
        let dim = model.embedder.dim();
        let done = self.embed(&model, detector.as_ref(), &found.images, &mut tally)?;
        let inputs = done.embedded.len() + done.without_face.len();
        self.write(globals, found.images.len(), dim, done)?;
        Ok(output::list_failures(inputs, &tally.failures))
    }

    fn embed<'a>(
        &self,
        model: &Model,
        detector: Option<&Detector>,
        images: &'a [PathBuf],
        tally: &mut Tally,
    ) -> Result<Found<'a>> {
        let (embedder, given) = (&model.embedder, self.crops.given(model));
        let alignment = Alignment { size: embedder.size(), margin: self.margin };
        let mut found = Found::default();
        let bar = progress(images.len(), "embed");
        photos::for_each_chunk(images, embedder.device(), &bar, tally, |chunk, tally| {
            let crops: Vec<Option<Rgb8>> = match detector {
                Some(detector) => photos::main_crops(detector, chunk, &alignment, tally)?,
                None => chunk.iter().map(|photo| Some(given.input(&photo.image))).collect(),
            };
            for (photo, crop) in chunk.iter().zip(&crops) {
                let list = if crop.is_some() { &mut found.embedded } else { &mut found.without_face };
                list.push(&images[photo.index]);
            }
            let start = Instant::now();
            found.embeddings.append(embedder.embed(&crops.iter().flatten().collect::<Vec<_>>())?);
            add(&mut tally.embed, start);
            Ok(())
        })?;
        Ok(found)
    }

    /// Writes the four files, and the summary of `images` photographs.
    fn write(&self, globals: &Globals, images: usize, dim: usize, found: Found) -> Result<()> {
        let Found { embeddings, embedded, without_face } = found;
        let names: Vec<String> = embedded.iter().map(|path| label(path)).collect();
        let classes: Vec<&String> = names.iter().collect::<BTreeSet<_>>().into_iter().collect();
        let labels = names.iter().map(|name| classes.binary_search(&name).unwrap_or(0) as i64);
        let rows = embedded.len() as u64;
        write_npy(&self.output.join("embeddings.npy"), &[rows, dim as u64], embeddings.into_vec())?;
        write_npy(&self.output.join("labels.npy"), &[rows], labels)?;
        write_strings(&self.output.join("label_strings.npy"), &names)?;
        let paths: String = embedded.iter().map(|path| format!("{}\n", path.display())).collect();
        let list = self.output.join("paths.txt");
        std::fs::write(&list, paths).map_err(Error::io(&list, "write"))?;

        without_face.iter().for_each(|path| eprintln!("{}: no face found, left out", path.display()));
        let mut out = output::stdout();
        if globals.json {
            let summary = json!({
                "images": images, "embedded": embedded.len(), "dim": dim, "labels": classes.len(),
                "without_face": without_face, "output": self.output,
            });
            return output::json_line(&mut out, &summary);
        }
        let (what, of) = (output::count(embedded.len(), "embedding"), output::count(classes.len(), "label"));
        writeln!(out, "{what} of {dim} values, {of} in {}", self.output.display())?;
        Ok(out.flush()?)
    }
}

/// A photograph's label: the name of its folder.
fn label(path: &Path) -> String {
    path.parent().and_then(Path::file_name).map(|name| name.to_string_lossy().into_owned()).unwrap_or_default()
}

fn write_npy<T: npyz::AutoSerialize>(path: &Path, shape: &[u64], values: impl IntoIterator<Item = T>) -> Result<()> {
    let write = || -> std::io::Result<()> {
        let mut writer = npyz::WriteOptions::new()
            .default_dtype()
            .shape(shape)
            .writer(BufWriter::new(File::create(path)?))
            .begin_nd()?;
        writer.extend(values)?;
        writer.finish()
    };
    Ok(write().map_err(Error::io(path, "write"))?)
}

/// An array of numpy's fixed-width Unicode strings (format version 1.0), which `npyz` does not write.
fn write_strings(path: &Path, strings: &[String]) -> Result<()> {
    let width = strings.iter().map(|s| s.chars().count()).max().unwrap_or(0).max(1);
    let mut bytes = npy_header(&format!("<U{width}"), &[strings.len()]);
    for string in strings {
        let characters = string.chars().map(u32::from).chain(std::iter::repeat(0)).take(width);
        bytes.extend(characters.flat_map(u32::to_le_bytes));
    }
    Ok(std::fs::write(path, bytes).map_err(Error::io(path, "write"))?)
}
