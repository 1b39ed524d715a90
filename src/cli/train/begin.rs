//! A run's flags: those that stood on the command line, or where it goes on, its own.

use std::path::Path;

use anyhow::Result;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

use super::flags::{Common, WITH_RESUME};
use crate::Error;
use crate::cli::context::Globals;
use crate::cli::fields::flag;
use crate::error::{Field, message};
use crate::train::checkpoint::Checkpoint;
use crate::train::run::RunState;
use crate::train::settings::Kind;
use crate::train::{Resumed, resume};

/// A run's flags, and the checkpoint that it goes on from.
pub struct Begun<A> {
    /// The flags: the run's own where it goes on.
    pub args: A,
    /// The checkpoint.
    pub from: Option<Checkpoint<RunState>>,
    /// Whether --learning-rate was asked for.
    pub rate_given: bool,
}

impl<A: Serialize> Begun<A> {
    /// What checkpoints and the page keep of the flags.
    pub fn recorded(&self) -> Result<Map<String, Value>> {
        let flags = serde_json::to_value(&self.args).map_err(|_| {
            Error::invalid(
                "a path among the flags",
                "is not UTF-8, and a run's record is text; rename it, or use a link",
            )
        })?;
        let Value::Object(mut flags) = flags else { unreachable!("flags have names") };
        flags.insert("rate_given".to_owned(), self.rate_given.into());
        Ok(flags)
    }
}

/// Reads the checkpoint that a run goes on from, and takes its flags; `given` are those of the command line.
pub fn begin<A: Clone + DeserializeOwned>(
    kind: Kind,
    args: &A,
    common: fn(&mut A) -> &mut Common,
    given: &[String],
) -> Result<Begun<A>> {
    let mut args = args.clone();
    let asked = common(&mut args).clone();
    let is_given = |name: &str| given.iter().any(|flag| flag == name);
    let Some(run) = &asked.resume else {
        return Ok(Begun { args, from: None, rate_given: is_given("learning_rate") });
    };
    refuse(given)?;
    let Resumed { checkpoint: from, passed_over } = resume(run)?;
    passed_over.iter().for_each(|line| eprintln!("passed over: {line}"));
    if from.run.kind != kind {
        let problem = format!("{} is of `train {}`", from.path.display(), from.run.kind);
        return Err(Error::invalid(Field("resume"), problem).into());
    }
    let mut args: A = serde_json::from_value(from.run.settings.clone())
        .map_err(|error| Error::data(&from.path, format!("its settings are of another version: {error}")))?;
    common(&mut args).adopt(&asked, given);
    let rate_given = match (is_given("learning_rate"), is_given("learning_rate_schedule_file")) {
        (true, _) => true,
        (false, true) => false,
        (false, false) => from.run.settings["rate_given"].as_bool().unwrap_or(true),
    };
    eprintln!("resuming: {}, after step {}", from.path.display(), from.run.step);
    Ok(Begun { args, from: Some(from), rate_given })
}

/// Refuses flags that a run that goes on cannot be given.
fn refuse(given: &[String]) -> Result<()> {
    let is_fixed = |given: &&String| !WITH_RESUME.contains(&given.as_str());
    let Some(given) = given.iter().find(is_fixed) else { return Ok(()) };
    let problem = message!["cannot be given with ", Field("resume"), ": a run goes on as it began"];
    // Its name is clap's, which lives as long as the command line.
    let name = format!("--{}", given.replace('_', "-"));
    Err(crate::cli::Usage(format!("{name}: {}", problem.with_names(flag))).into())
}

/// The folder of people, and what is told of a finished network only.
pub fn dir<'a>(globals: &Globals, common: &'a Common) -> Result<&'a Path> {
    if globals.model.is_some() {
        let problem = message!["is for finished networks; training begins with ", Field("pretrained_model")];
        return Err(Error::invalid(Field("model"), problem).into());
    }
    Ok(common.dir.as_deref().ok_or_else(|| Error::invalid(Field("dir"), "which folder of people?"))?)
}
