//! `cargo xtask clients`: other programs that the server is tested with.

use anyhow::Result;

use crate::python::{self, Pins};
use crate::shell::{self, say};

/// Makes the environment.
pub fn run() -> Result<()> {
    let root = shell::root();
    let requirements = root.join("tools/serving/requirements.txt");
    let python = python::environment(&root, "serve-venv", &requirements, Pins::Direct, "200 MB")?;
    say(format!("there: {}; `cargo nextest run --test serve` takes it", python.display()));
    Ok(())
}
