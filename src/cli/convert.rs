//! `warpface convert`: the embedding model as an `.npz`, or as facenet-pytorch has it.

use std::io::Write;
use std::path::{Path, PathBuf};

use anyhow::Result;
use serde_json::json;

use super::context::Globals;
use super::{Outcome, output};
use crate::Error;
use crate::Precision;
use crate::error::{Field, message};
use crate::weights::{ModelFacts, write};

#[derive(Debug, clap::Args)]
pub struct Args {
    /// The file to write. An .npz has TensorFlow's names; with --precision f16 it is half as large, biases stay f32. A .pt has
    /// facenet-pytorch's names, batch norms apart
    #[arg(value_name = "OUT.npz|OUT.pt")]
    output: PathBuf,
    /// Keep batch norms apart in an .npz, and the classifier: what training can start from
    #[arg(long)]
    unfolded: bool,
    /// Take the moving average of the weights, which a checkpoint of training has beside them
    #[arg(long)]
    moving_average: bool,
    /// Replace the file if it is there
    #[arg(long)]
    overwrite: bool,
}

impl Args {
    pub fn run(&self, globals: &Globals) -> Result<Outcome> {
        if self.output.exists() && !self.overwrite {
            let problem = message![
                "is there already; ",
                Field("overwrite"),
                " replaces it, and ",
                Field("model"),
                " names what to convert"
            ];
            return Err(Error::data(&self.output, problem).into());
        }
        let suffix = self.output.extension().map(|suffix| suffix.to_string_lossy().to_ascii_lowercase());
        let torch = match suffix.as_deref() {
            Some("npz") => false,
            Some("pt" | "pth") => true,
            _ => {
                let problem = "the file's suffix says what it becomes: .npz or .pt";
                return Err(Error::data(&self.output, problem).into());
            }
        };
        let half = match globals.precision {
            Precision::F32 => false,
            Precision::F16 if !torch => true,
            other => {
                let what = if torch { "a .pt holds f32" } else { "an .npz holds f32 or f16" };
                return Err(Error::invalid(Field("precision"), format!("{what}, not {other}")).into());
            }
        };
        let (path, weights, facts) = globals.read_unfolded(self.moving_average)?;
        say_model(&path, &facts);
        let (tensors, bytes) = match torch {
            true => {
                let tensors = weights.torch()?;
                let bytes = write::torch(&self.output, &tensors, &facts)?;
                (tensors, bytes)
            }
            false => {
                let tensors = if self.unfolded { weights.tensorflow()? } else { weights.folded().tensorflow()? };
                let bytes = write::npz(&self.output, &tensors, &facts, half, &path)?;
                (tensors, bytes)
            }
        };
        let tensors = tensors.len();
        let mut out = output::stdout();
        if globals.json {
            let line = json!({
                "model": output::path(&path), "output": output::path(&self.output), "tensors": tensors, "bytes": bytes,
                "precision": globals.precision, "standardize": facts.standardize.map(|mode| mode.to_string()),
                "image_size": facts.image_size, "align": facts.align,
            });
            output::json_line(&mut out, &line)?;
        } else {
            let (mib, to) = (bytes as f64 / f64::from(1 << 20), self.output.display());
            writeln!(out, "{tensors} tensors, {mib:.1} MiB, weights in {}: {to}", globals.precision)?;
            out.flush()?;
        }
        Ok(Outcome::Done)
    }
}

/// Says what is converted, and what goes with it.
fn say_model(path: &Path, facts: &ModelFacts) {
    let standardize = match facts.standardize {
        Some(mode) => format!("{mode} standardization"),
        None => "unknown standardization: --standardize fixed|prewhiten|unit writes it into the file".to_owned(),
    };
    eprintln!("model: {} ({standardize})", path.display());
}
