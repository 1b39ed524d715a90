//! `warpface embed`: the files of `export_embeddings.py`.

use std::collections::BTreeSet;
use std::io::Write;
use std::path::{Path, PathBuf};

use anyhow::Result;
use serde_json::json;

use super::context::{Globals, create_folder};
use super::faces::{Faces, FacesArgs};
use super::{Outcome, output};

#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(flatten)]
    faces: FacesArgs,
    /// Where the files go
    #[arg(short, long, value_name = "DIR")]
    output: PathBuf,
}

impl Args {
    pub fn run(&self, globals: &Globals) -> Result<Outcome> {
        let device = globals.open_device()?;
        create_folder(&self.output)?;
        let faces = self.faces.embed(globals, &device, "embed")?;
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
}
