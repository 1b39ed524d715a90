//! Runs a training, and says how it ended.

use anyhow::Result;
use serde::Serialize;
use serde_json::json;

use super::begin::{self, Begun};
use super::flags::Common;
use super::interrupt;
use super::progress::Progress;
use crate::cli::context::Globals;
use crate::cli::{Outcome, output};
use crate::train::{Task, Training};

/// Trains as the flags say.
pub fn run<A: Serialize>(globals: &Globals, begun: Begun<A>, common: &Common, task: Task) -> Result<Outcome> {
    let settings = common.settings(globals, begun.rate_given, begun.from.is_some())?;
    // Told before a device is opened.
    settings.check(task.validation().is_some())?;
    task.check(settings.batch_size)?;
    let dir = begin::dir(globals, common)?;
    let device = globals.open_device()?;
    let training =
        Training::new(&device, dir, task).settings(settings).recorded(begun.recorded()?).stop(&interrupt::listen()?);
    let training = match begun.from {
        Some(checkpoint) => training.from(checkpoint),
        None => training,
    };
    let mut progress = Progress::new();
    let finished = training.run(&mut progress)?;
    progress.finish();
    let (steps, model) = (finished.steps, &finished.model);
    if globals.json {
        let line = json!({ "step": steps, "model": output::path(model), "interrupted": finished.interrupted, "epochs": finished.epochs });
        output::json_line(&mut output::stdout(), &line)?;
    }
    if finished.interrupted {
        eprintln!("interrupted after step {steps}; go on with --resume {}", finished.checkpoints.display());
        return Ok(Outcome::Interrupted);
    }
    eprintln!("done: {steps} steps, {}", model.display());
    Ok(Outcome::Done)
}
