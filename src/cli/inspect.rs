//! `warpface inspect`: what a weights file holds, and what it is taken for.

use std::collections::BTreeMap;
use std::io::Write;
use std::path::PathBuf;

use anyhow::Result;
use serde_json::json;

use super::context::Globals;
use super::{Outcome, fields, output};
use crate::networks::ModelDef;
use crate::train::checkpoint;
use crate::weights::survey::{Network, Survey, survey};
use crate::weights::{self, ModelFacts, TensorMap};

#[derive(Debug, clap::Args)]
pub struct Args {
    /// A weights file of any format, a TensorFlow checkpoint's prefix, or the folder of a SavedModel or of CSV files
    file: PathBuf,
}

/// What is known of a file beyond its tensors.
struct Known {
    survey: Survey,
    facts: ModelFacts,
    /// Where the standardization is from.
    origin: &'static str,
    /// The published file that it is, or why it is not the one of its name.
    published: Option<std::result::Result<String, String>>,
}

impl Args {
    pub fn run(&self, globals: &Globals) -> Result<Outcome> {
        let map = weights::load(&self.file)?;
        let known = Known::of(&map);
        let mut out = output::stdout();
        match globals.json {
            true => output::json_line(&mut out, &json(&map, &known))?,
            false => {
                print(&map, &known, &mut out)?;
                out.flush()?;
            }
        }
        Ok(Outcome::Done)
    }
}

impl Known {
    fn of(map: &TensorMap) -> Known {
        let verified = weights::verify(&map.path, false);
        let entry = verified.as_ref().ok().copied().flatten();
        let published = match &verified {
            Ok(None) => None,
            Ok(Some(entry)) => Some(Ok(format!("{} of {}", entry.name, entry.package))),
            Err(error) => Some(Err(fields::words(error))),
        };
        let facts = checkpoint::facts(map, entry);
        let origin = match (entry.and_then(|entry| entry.standardize), map.facts.standardize) {
            (Some(_), _) => "as its publisher says",
            (None, Some(_)) => "as the file says",
            (None, None) => "as the JSON beside it says",
        };
        Known { survey: survey(map), facts, origin, published }
    }
}

fn json(map: &TensorMap, known: &Known) -> serde_json::Value {
    let Known { survey, facts, .. } = known;
    let tensor = |(name, view): (&String, &weights::TensorView)| json!({ "name": name, "dtype": view.dtype(), "shape": view.dims() });
    let module = |module: &weights::TorchModule| json!({ "path": module.path, "class": module.class, "numbers": module.numbers });
    let (published, not_published) = match &known.published {
        Some(Ok(name)) => (Some(name), None),
        Some(Err(why)) => (None, Some(why)),
        None => (None, None),
    };
    json!({
        "file": output::path(&map.path),
        "format": map.format.to_string(),
        "networks": survey.networks.iter().map(ToString::to_string).collect::<Vec<_>>(),
        "naming": survey.naming,
        "embedding": survey.embedding,
        "stem_channels": survey.stem,
        "standardize": facts.standardize.map(|mode| mode.to_string()),
        "image_size": facts.image_size,
        "align": facts.align,
        "published": published,
        "not_published": not_published,
        "problem": survey.problem.as_ref().map(fields::words),
        "missing": survey.missing,
        "extra": survey.extra,
        "passed_over": survey.passed_over,
        "skipped": map.skipped,
        "modules": map.modules().iter().map(module).collect::<Vec<_>>(),
        "tensors": map.tensors.iter().map(tensor).collect::<Vec<_>>(),
    })
}

fn print(map: &TensorMap, known: &Known, out: &mut impl Write) -> Result<()> {
    let Known { survey, facts, .. } = known;
    let mut types: BTreeMap<&str, usize> = BTreeMap::new();
    map.tensors.values().for_each(|view| *types.entry(view.dtype()).or_default() += 1);
    let types: Vec<String> = types.into_iter().map(|(dtype, n)| format!("{n} {dtype}")).collect();
    writeln!(out, "file         {}", map.path.display())?;
    writeln!(out, "format       {}, {}: {}", map.format, output::count(map.tensors.len(), "tensor"), types.join(", "))?;
    let networks: Vec<String> = survey.networks.iter().map(ToString::to_string).collect();
    let naming = survey.naming.map(|naming| format!(", named as {naming} names it")).unwrap_or_default();
    match networks.is_empty() {
        true => writeln!(out, "network      none that is known here")?,
        false => writeln!(out, "network      {}{naming}", networks.join(", "))?,
    }
    if let Some(size) = survey.embedding {
        let stem = survey.stem.unwrap_or_default();
        let published = match survey.networks.first() {
            Some(&Network::Embedding(def)) => def,
            _ => ModelDef::InceptionResnetV1,
        };
        let full = published.stem();
        writeln!(out, "embedding    {size} values; {stem} channels in the first layer ({full} as published)")?;
        match facts.standardize {
            Some(mode) => writeln!(out, "pixels       {mode} standardization, {}", known.origin)?,
            None => writeln!(out, "pixels       unknown: fixed, prewhiten or unit standardization")?,
        }
        match facts.image_size {
            Some(side) => writeln!(out, "crops        {side} x {side} pixels")?,
            None => writeln!(out, "crops        unknown; {0} x {0} pixels as published", published.crop())?,
        }
        if let Some(method) = facts.align {
            writeln!(out, "alignment    {method}")?;
        }
    }
    match &known.published {
        Some(Ok(name)) => writeln!(out, "published    {name}")?,
        Some(Err(why)) => writeln!(out, "published    no: {why}")?,
        None => {}
    }
    if let Some(problem) = &survey.problem {
        writeln!(out, "problem      {}", fields::words(problem))?;
    }
    for (what, names) in [("missing", &survey.missing), ("extra", &survey.extra), ("passed over", &survey.passed_over)]
    {
        names.iter().try_for_each(|name| writeln!(out, "{what:<12} {name}"))?;
    }
    map.skipped.iter().try_for_each(|(name, why)| writeln!(out, "left out     {name} ({why})"))?;
    for module in map.modules() {
        let numbers: String = module.numbers.iter().map(|(name, number)| format!(" {name}={number}")).collect();
        let path = if module.path.is_empty() { "." } else { &module.path };
        writeln!(out, "module       {path} {}{numbers}", module.class)?;
    }
    let widest = map.tensors.keys().map(String::len).max().unwrap_or_default();
    map.tensors
        .iter()
        .try_for_each(|(name, view)| writeln!(out, "  {name:<widest$}  {:<4}  {}", view.dtype(), view.shape()))?;
    Ok(())
}
