//! Debian's packages, for what a command needs and may install.

use std::path::Path;
use std::process::Command;

use anyhow::{Result, bail};

use crate::shell;

/// Installs packages, or says how to come by them; `what` says what is missing.
pub fn install(what: &str, packages: &[&str]) -> Result<()> {
    check(what, packages)?;
    shell::say(format!("{what}: installing {}", packages.join(" ")));
    get(&["update"], None)?;
    get(&[&["install", "--yes", "--no-install-recommends"], packages].concat(), None)
}

/// Whether packages can be installed here, by whoever runs this.
pub fn check(what: &str, packages: &[&str]) -> Result<()> {
    let packages = packages.join(" ");
    if !shell::succeeds(Command::new("apt-get").arg("--version")) {
        bail!("{what}; install it by your system's package manager ({packages} on Debian)");
    }
    if !Command::new("id").arg("-u").output().is_ok_and(|out| out.stdout.trim_ascii() == b"0") {
        bail!("{what}; run `sudo apt-get install {packages}`");
    }
    Ok(())
}

/// Runs apt-get, with the sources of a folder in place of the system's where one is given.
pub fn get(args: &[&str], sources: Option<&Path>) -> Result<()> {
    let mut apt = shell::program("apt-get", &["-qq"]);
    if let Some(sources) = sources {
        apt.arg("-o").arg(format!("Dir::Etc::sourceparts={}", sources.display()));
    }
    shell::run(apt.args(args).env("DEBIAN_FRONTEND", "noninteractive").stdout(std::io::stderr()))
}
