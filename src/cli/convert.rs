//! `warpface convert`: the embedding model as an `.npz`, batch norm folded.

use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};

use anyhow::Result;
use half::f16;
use serde_json::json;
use zip::write::SimpleFileOptions;
use zip::{CompressionMethod, ZipWriter};

use super::context::Globals;
use super::{Outcome, npy, output};
use crate::backend::Precision;
use crate::{Error, Tensor};

#[derive(Debug, clap::Args)]
pub struct Args {
    /// The file to write; --precision f16 makes it half as large, biases stay f32
    #[arg(value_name = "OUT.npz")]
    output: PathBuf,
}

impl Args {
    pub fn run(&self, globals: &Globals) -> Result<Outcome> {
        let half = match globals.precision {
            Precision::F32 => false,
            Precision::F16 => true,
            other => return Err(Error::invalid("--precision", format!("an .npz holds f32 or f16, not {other}")).into()),
        };
        let (path, weights, _) = globals.read_model()?;
        eprintln!("model: {}", path.display());
        // TensorFlow's names and order of axes: any reader of that checkpoint reads this.
        let convs = weights.convs.iter().map(|(name, conv)| (name.as_str(), conv.w.permute(&[1, 2, 3, 0]), &conv.b));
        let bottleneck = &weights.bottleneck;
        let last = ("Bottleneck", bottleneck.w.permute(&[1, 0]), &bottleneck.b);
        let io = |error: std::io::Error| Error::io(&self.output, "write")(error);
        let file = File::create(&self.output).map_err(Error::io(&self.output, "create"))?;
        let mut zip = ZipWriter::new(BufWriter::new(file));
        let mut tensors = 0;
        for (name, w, b) in convs.chain([last]) {
            let w = if half { halves(&path, name, &w)? } else { floats(&w) };
            for (kind, bytes) in [("weights", w), ("biases", floats(b))] {
                let member = format!("InceptionResnetV1/{name}/{kind}.npy");
                let stored = SimpleFileOptions::default().compression_method(CompressionMethod::Stored);
                zip.start_file(member, stored).map_err(|error| io(error.into()))?;
                zip.write_all(&bytes).map_err(io)?;
                tensors += 1;
            }
        }
        let mut file = zip.finish().map_err(|error| io(error.into()))?;
        file.flush().map_err(io)?;
        let bytes = file.get_ref().metadata().map_err(io)?.len();
        let mut out = output::stdout();
        if globals.json {
            let line = json!({
                "model": path, "output": self.output, "tensors": tensors, "bytes": bytes,
                "precision": globals.precision,
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

fn floats(tensor: &Tensor) -> Vec<u8> {
    let mut bytes = npy::header("<f4", tensor.dims());
    bytes.extend(tensor.data().iter().flat_map(|x| x.to_le_bytes()));
    bytes
}

fn halves(path: &Path, name: &str, tensor: &Tensor) -> Result<Vec<u8>> {
    let mut bytes = npy::header("<f2", tensor.dims());
    for &x in tensor.data() {
        let small = f16::from_f32(x);
        if !small.is_finite() {
            return Err(Error::weights(path, format!("{name}: {x} does not fit f16; use --precision f32")).into());
        }
        bytes.extend(small.to_le_bytes());
    }
    Ok(bytes)
}
