//! `warpface convert`: the embedding model in another format: its weights, or a graph that other programs run.

use std::io::Write;
use std::path::{Path, PathBuf};

use anyhow::Result;
use clap::ValueEnum;
use serde_json::json;

use super::context::Globals;
use super::{Outcome, output};
use crate::Error;
use crate::Precision;
use crate::error::{Field, message};
use crate::weights::export::Export;
use crate::weights::{ModelFacts, manifest, write};

#[derive(Debug, clap::Args)]
pub struct Args {
    /// The file to write, whose ending says what it becomes; with --output, the model to convert
    #[arg(value_name = "FILE", required_unless_present = "output")]
    file: Option<PathBuf>,
    /// The file to write. An .npz or .safetensors has TensorFlow's names; with --precision f16 it is half as large, biases
    /// stay f32. A .pt has facenet-pytorch's names, batch norms apart. An .onnx (opset 17; takes [n, 3, side, side]) and a
    /// TensorFlow .pb (takes [n, side, side, 3]) are graphs: standardized crops to embeddings
    #[arg(short, long, value_name = "OUT")]
    output: Option<PathBuf>,
    /// What it becomes, where its ending does not say it; saved-model is a folder, such as NAME/1 for TensorFlow Serving
    #[arg(long, value_enum)]
    format: Option<Format>,
    /// Keep batch norms apart in an .npz or .safetensors, and the classifier: what training can start from
    #[arg(long)]
    unfolded: bool,
    /// Take the moving average of the weights, which a checkpoint of training has beside them
    #[arg(long)]
    moving_average: bool,
    /// Replace the file if it is there, or the SavedModel
    #[arg(long)]
    overwrite: bool,
}

/// What a model becomes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Format {
    /// NumPy's arrays
    Npz,
    /// safetensors
    Safetensors,
    /// PyTorch's state dict, for facenet-pytorch
    Pt,
    /// ONNX
    Onnx,
    /// TensorFlow's frozen graph
    Pb,
    /// TensorFlow's SavedModel, a folder
    SavedModel,
}

impl Format {
    /// What a file's ending says.
    fn of_ending(path: &Path) -> Option<Format> {
        let ending = path.extension()?.to_string_lossy().to_ascii_lowercase();
        match ending.as_str() {
            "npz" => Some(Format::Npz),
            "safetensors" => Some(Format::Safetensors),
            "pt" | "pth" => Some(Format::Pt),
            "onnx" => Some(Format::Onnx),
            "pb" => Some(Format::Pb),
            _ => None,
        }
    }

    fn is_graph(self) -> bool {
        matches!(self, Format::Onnx | Format::Pb | Format::SavedModel)
    }

    /// What it can hold, of those that a user may ask for.
    fn check(self, precision: Precision) -> Result<(), Error> {
        let (halves, what) = match self {
            Format::Npz => (true, "an .npz holds"),
            Format::Safetensors => (true, "a .safetensors holds"),
            Format::Pt => (false, "a .pt holds"),
            Format::Onnx => (false, "an .onnx is written in"),
            Format::Pb | Format::SavedModel => (false, "a TensorFlow graph is written in"),
        };
        match precision {
            Precision::F32 => Ok(()),
            Precision::F16 if halves => Ok(()),
            other => {
                let choices = if halves { "f32 or f16" } else { "f32" };
                Err(Error::invalid(Field("precision"), format!("{what} {choices}, not {other}")))
            }
        }
    }
}

/// What was converted, and written.
struct Done {
    model: PathBuf,
    facts: ModelFacts,
    tensors: usize,
    bytes: u64,
}

impl Args {
    pub fn run(&self, globals: &Globals) -> Result<Outcome> {
        let (globals, to) = self.files(globals)?;
        let format = self.format(&to)?;
        if to.exists() && !self.overwrite {
            let problem = message![
                "is there already; ",
                Field("overwrite"),
                " replaces it, and ",
                Field("model"),
                " names what to convert"
            ];
            return Err(Error::data(&to, problem).into());
        }
        if let Some(published) = to.file_name().and_then(|name| name.to_str()).and_then(manifest::lookup) {
            let problem =
                format!("would be taken for a damaged {} of {}: name it otherwise", published.name, published.package);
            return Err(Error::data(&to, problem).into());
        }
        format.check(globals.precision)?;
        let done = match format.is_graph() {
            true => self.graph(&globals, format, &to)?,
            false => self.weights(&globals, format, &to)?,
        };
        self.report(&globals, format, &to, &done)
    }

    /// What to convert, as flags, and where to.
    fn files(&self, globals: &Globals) -> Result<(Globals, PathBuf)> {
        let mut globals = globals.clone();
        let to = match (&self.output, &self.file) {
            (Some(to), Some(model)) => {
                if globals.model.is_some() {
                    let problem = format!("{} is named, too: leave one of them out", model.display());
                    return Err(Error::invalid(Field("model"), problem).into());
                }
                globals.model = Some(model.clone());
                to
            }
            (Some(to), None) | (None, Some(to)) => to,
            (None, None) => return Err(Error::invalid(Field("output"), "is missing").into()),
        };
        Ok((globals, to.clone()))
    }

    fn format(&self, to: &Path) -> Result<Format> {
        let of_ending = Format::of_ending(to);
        match (self.format, of_ending) {
            (Some(asked), Some(other)) if asked != other && asked != Format::SavedModel => {
                let problem = format!("{} would be taken for another format by its ending", to.display());
                Err(Error::invalid(Field("format"), problem).into())
            }
            (Some(format), _) | (None, Some(format)) => Ok(format),
            (None, None) => {
                let problem = message![
                    "the file's suffix says what it becomes: .npz, .safetensors, .pt, .onnx or .pb; a folder is a \
                     SavedModel by ",
                    Field("format"),
                    " saved-model"
                ];
                Err(Error::data(to, problem).into())
            }
        }
    }

    /// Writes the weights by themselves.
    fn weights(&self, globals: &Globals, format: Format, to: &Path) -> Result<Done> {
        let (model, weights, facts) = globals.read_unfolded(self.moving_average)?;
        say_model(&model, &facts);
        if format == Format::Pt {
            let tensors = weights.torch()?;
            let bytes = write::torch(to, &tensors, &facts)?;
            return Ok(Done { model, facts, tensors: tensors.len(), bytes });
        }
        let half = globals.precision == Precision::F16;
        let tensors = if self.unfolded { weights.tensorflow()? } else { weights.folded().tensorflow()? };
        let bytes = match format {
            Format::Safetensors => write::safetensors(to, &tensors, &facts, half, &model)?,
            _ => write::npz(to, &tensors, &facts, half, &model)?,
        };
        Ok(Done { model, facts, tensors: tensors.len(), bytes })
    }

    /// Writes the graph of inference.
    fn graph(&self, globals: &Globals, format: Format, to: &Path) -> Result<Done> {
        if self.unfolded {
            let problem = "keeps batch norms apart in an .npz or .safetensors; a graph has them folded: leave it out";
            return Err(Error::invalid(Field("unfolded"), problem).into());
        }
        let (model, graph, network, facts) = globals.read_graph(self.moving_average)?;
        let export = Export::new(graph, network, facts);
        let facts = *export.facts();
        say_model(&model, &facts);
        let written = match format {
            Format::Onnx => export.onnx(to)?,
            Format::Pb => export.frozen_graph(to)?,
            _ => export.saved_model(to)?,
        };
        Ok(Done { model, facts, tensors: written.tensors, bytes: written.bytes })
    }

    fn report(&self, globals: &Globals, format: Format, to: &Path, done: &Done) -> Result<Outcome> {
        let Done { model, facts, tensors, bytes } = done;
        let mut out = output::stdout();
        if globals.json {
            let line = json!({
                "model": output::path(model), "output": output::path(to), "tensors": tensors, "bytes": bytes,
                "format": format.to_possible_value().map(|value| value.get_name().to_owned()),
                "precision": globals.precision, "standardize": facts.standardize.map(|mode| mode.to_string()),
                "image_size": facts.image_size, "align": facts.align,
            });
            output::json_line(&mut out, &line)?;
        } else {
            let (mib, to) = (*bytes as f64 / f64::from(1 << 20), to.display());
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
