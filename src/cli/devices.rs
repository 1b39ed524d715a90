//! `warpface devices`.

use std::io::Write;

use anyhow::Result;
use serde_json::json;

use super::context::Globals;
use super::{Outcome, fields, output};
use crate::backend::{DeviceKind, survey};

#[derive(Debug, clap::Args)]
pub struct Args {}

impl Args {
    pub fn run(&self, globals: &Globals) -> Result<Outcome> {
        let mut out = output::stdout();
        let (found, mut gpus) = (survey(globals.threads), 0);
        let several = found.iter().filter(|(kind, _)| *kind == DeviceKind::Cuda).count() > 1;
        for (kind, found) in found {
            // Which `--device` chooses it.
            let number = (several && kind == DeviceKind::Cuda).then(|| {
                gpus += 1;
                format!(":{}", gpus - 1)
            });
            let number = number.unwrap_or_default();
            match found {
                Ok(info) if globals.json => {
                    let mut line = serde_json::to_value(&info)?;
                    line["device"] = format!("{}{number}", info.kind).into();
                    output::json_line(&mut out, &line)?;
                }
                Err(error) if globals.json => {
                    output::json_line(&mut out, &json!({ "kind": kind, "missing": fields::words(&error) }))?;
                }
                Ok(info) => {
                    writeln!(out, "{}{number}: {}", info.kind, info.name)?;
                    writeln!(out, "  driver: {}", info.driver)?;
                    if let Some(bytes) = info.memory {
                        writeln!(out, "  memory: {:.1} GiB", bytes as f64 / (1u64 << 30) as f64)?;
                    }
                    for (name, value) in &info.limits {
                        writeln!(out, "  {name}: {value}")?;
                    }
                }
                Err(error) => writeln!(out, "{}", fields::words(&error))?,
            }
        }
        out.flush()?;
        Ok(Outcome::Done)
    }
}
