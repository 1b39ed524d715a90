//! `warpface embed`: the files of `export_embeddings.py`, or a Parquet file.

use std::collections::BTreeSet;
use std::io::Write;
use std::path::{Path, PathBuf};

use anyhow::Result;
use serde_json::json;

use super::context::{Globals, create_folder};
use super::faces::{Faces, FacesArgs, Noted};
use super::photos::Tally;
use super::shard::ShardArgs;
use super::table::{Table, TableArgs, is_table};
use super::{Outcome, output};
use crate::Error;
use crate::image;
use crate::vectors::parquet::{Columns, Row};

#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  warpface embed photos/ -o vectors/\n  warpface embed photos/ -o faces.parquet --shard 1/4 --resume\n\nA Parquet file has a row for each face, with the columns path, label, box (left, top, right, bottom), landmarks (x and y of five), score, embedding and error; a photograph without a face, or one that failed, has a row without an embedding. Until it is done its row groups are in FILE.parquet.parts/, whole Parquet files that every reader takes."
)]
pub struct Args {
    #[command(flatten)]
    faces: FacesArgs,
    /// Where the files go; a name that ends in .parquet is one file, with a row for each face
    #[arg(short, long, value_name = "DIR|FILE.parquet")]
    output: PathBuf,
    #[command(flatten)]
    table: TableArgs,
    #[command(flatten)]
    shard: ShardArgs,
}

/// What was done for a table.
#[derive(Default)]
struct Counts {
    photographs: usize,
    embedded: usize,
    without_face: usize,
    several: usize,
    failures: Vec<Error>,
}

impl Args {
    pub fn run(&self, globals: &Globals) -> Result<Outcome> {
        let to_table = is_table(&self.output) && !self.output.is_dir();
        self.table.check(to_table)?;
        self.shard.check(self.faces.are_embedded())?;
        if to_table {
            return self.run_table(globals);
        }
        let devices = globals.open_devices()?;
        create_folder(&self.output)?;
        let faces = self.faces.embed_on(globals, &devices, "embed", &self.shard)?;
        self.write(globals, &faces)?;
        let outcome = output::list_failures(faces.len() + faces.without_face.len(), &faces.failures);
        Ok(if faces.is_empty() { Outcome::Nothing } else { outcome })
    }

    /// Writes the files, and the summary.
    fn write(&self, globals: &Globals, faces: &Faces) -> Result<()> {
        // What an earlier run left is better than nothing.
        if faces.is_empty() {
            eprintln!("nothing to embed: nothing is written to {}", self.output.display());
            return Ok(());
        }
        faces.write(&self.output)?;
        let (rows, dim) = (faces.len(), faces.embeddings.dim());
        let classes = faces.labels.iter().collect::<BTreeSet<_>>().len();
        let of = |paths: &[PathBuf]| -> Vec<String> { paths.iter().map(Path::new).map(output::path).collect() };
        let mut out = output::stdout();
        if globals.json {
            let summary = json!({
                "images": faces.photographs, "embedded": rows, "dim": dim, "labels": classes,
                "without_face": of(&faces.without_face), "several_faces": of(&faces.several),
                "output": output::path(&self.output),
            });
            return output::json_line(&mut out, &summary);
        }
        let (what, of) = (output::count(rows, "embedding"), output::count(classes, "label"));
        writeln!(out, "{what} of {dim} values, {of} in {}", self.output.display())?;
        Ok(out.flush()?)
    }

    /// Writes a Parquet file: of the photographs, or of what `embed` wrote before.
    fn run_table(&self, globals: &Globals) -> Result<Outcome> {
        if self.faces.are_embedded() {
            return self.convert(globals);
        }
        let devices = globals.open_devices()?;
        let opened = self.faces.open(globals, &devices)?;
        let (origin, dim) = (opened.origin()?, opened.model().embedder.dim());
        let mut settings = opened.settings(globals);
        settings.insert("shard".to_owned(), self.shard.words().into());
        let columns = Columns { label: true, embedding: Some(dim) };
        let found = image::labelled(&self.faces.paths);
        let mut table = self.table.open(&self.output, columns, Some(&origin), settings)?;
        let left = table.left(&found.images, self.shard.of(&found.images, &self.faces.paths));
        let images: Vec<PathBuf> = left.iter().map(|&i| found.images[i].clone()).collect();
        let mut counts = Counts { photographs: images.len(), failures: found.problems, ..Counts::default() };
        opened.each(&images, "embed", &mut Tally::default(), |index, done| {
            let (path, label) = (&images[index], &found.labels[left[index]]);
            match done {
                Ok((noted, rows)) => table.push(path, label, counts.rows(noted, rows, dim)),
                Err(error) => {
                    table.push_failed(path, label, &error)?;
                    counts.failures.push(error);
                    Ok(())
                }
            }
        })?;
        self.tell(globals, table, counts, dim)
    }

    /// Writes what `embed` wrote before as a Parquet file.
    fn convert(&self, globals: &Globals) -> Result<Outcome> {
        let Some(faces) = Faces::written(&self.faces.paths[0], globals)? else { return Ok(Outcome::Nothing) };
        let dim = faces.embeddings.dim();
        let columns = Columns { label: true, embedding: Some(dim) };
        let mut table = self.table.open(&self.output, columns, faces.origin.as_ref(), serde_json::Map::new())?;
        let mut counts = Counts { photographs: faces.photographs, ..Counts::default() };
        for i in table.left(&faces.images, (0..faces.len()).collect()) {
            let bounds = Some(faces.boxes[i]).filter(|bounds| bounds.iter().all(|x| x.is_finite()));
            let embedding = Some(faces.embeddings.row(i));
            table.push(&faces.images[i], &faces.labels[i], vec![Row { bounds, embedding, ..Row::default() }])?;
            counts.embedded += 1;
        }
        self.tell(globals, table, counts, dim)
    }

    /// Ends the file, and writes the summary.
    fn tell(&self, globals: &Globals, table: Table, counts: Counts, dim: usize) -> Result<Outcome> {
        let before = table.before();
        table.finish()?;
        let Counts { photographs, embedded, without_face, several, failures } = counts;
        let mut out = output::stdout();
        if globals.json {
            let summary = json!({
                "images": photographs, "embedded": embedded, "dim": dim, "without_face": without_face,
                "several_faces": several, "failed": failures.len(), "before": before,
                "output": output::path(&self.output),
            });
            output::json_line(&mut out, &summary)?;
        } else {
            let (what, of) = (output::count(embedded, "embedding"), output::count(photographs, "photograph"));
            writeln!(out, "{what} of {dim} values of {of} in {}", self.output.display())?;
        }
        Ok(output::list_failures(photographs + before - failures.len().min(photographs), &failures))
    }
}

impl Counts {
    /// The rows of a photograph.
    fn rows<'a>(&mut self, noted: Noted, values: &'a [f32], dim: usize) -> Vec<Row<'a>> {
        self.without_face += usize::from(noted.faces.is_empty());
        self.several += usize::from(noted.has_others);
        let mut values = values.chunks_exact(dim);
        let row = |(face, failure): (super::faces::Taken, Option<Error>)| {
            let (embedding, error) = match failure {
                None => (values.next(), None),
                Some(failure) => {
                    let words = super::fields::words(&failure);
                    self.failures.push(failure);
                    (None, Some(words))
                }
            };
            self.embedded += usize::from(embedding.is_some());
            let (bounds, landmarks, score) = (Some(face.bounds), face.landmarks, face.score);
            Row { bounds, landmarks, score, embedding, error }
        };
        noted.faces.into_iter().map(row).collect()
    }
}
