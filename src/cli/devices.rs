//! `warpface devices`.

use std::io::Write;

use anyhow::Result;
use serde_json::json;

use super::context::Globals;
use super::{Outcome, fields, output};
use crate::backend::survey;

#[derive(Debug, clap::Args)]
pub struct Args {}

impl Args {
    pub fn run(&self, globals: &Globals) -> Result<Outcome> {
        let mut out = output::stdout();
        for (kind, found) in survey(globals.threads) {
            match found {
                Ok(info) if globals.json => output::json_line(&mut out, &info)?,
                Err(error) if globals.json => {
                    output::json_line(&mut out, &json!({ "kind": kind, "missing": fields::words(&error) }))?;
                }
                Ok(info) => {
                    writeln!(out, "{}: {}", info.kind, info.name)?;
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
