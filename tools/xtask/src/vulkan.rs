//! Software Vulkan (Mesa's lavapipe), which the WGSL tests run on where there is no GPU.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

use crate::{apt, shell};

const PACKAGES: [&str; 2] = ["libvulkan1", "mesa-vulkan-drivers"];
/// Debian 12's own Mesa 22 computes 4 to 9 times slower than the Mesa 25 of its backports.
const SLOW_RELEASE: &str = "bookworm";

/// Whether a Vulkan loader is there, and a driver that can be expected to work.
pub fn is_there() -> bool {
    if ["VK_DRIVER_FILES", "VK_ICD_FILENAMES"].iter().any(|v| std::env::var_os(v).is_some()) {
        return true;
    }
    let folders = ["/usr/share/vulkan/icd.d", "/usr/local/share/vulkan/icd.d", "/etc/vulkan/icd.d"];
    let drivers: Vec<String> = folders.iter().flat_map(|folder| names(Path::new(folder))).collect();
    let software = drivers.iter().any(|name| name.starts_with("lvp_icd"));
    let gpu = ["/dev/dri", "/dev/nvidia0"].iter().any(|device| Path::new(device).exists());
    has_loader() && (software || (gpu && !drivers.is_empty()))
}

fn has_loader() -> bool {
    let mut folders = vec![PathBuf::from("/usr/lib"), PathBuf::from("/usr/lib64"), PathBuf::from("/usr/local/lib")];
    folders.extend(fs::read_dir("/usr/lib").into_iter().flatten().flatten().map(|e| e.path()));
    folders.iter().any(|folder| folder.join("libvulkan.so.1").exists())
}

fn names(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    entries.map(|entry| entry.file_name().to_string_lossy().into_owned()).collect()
}

/// Installs software Vulkan by apt, or says how to come by it.
pub fn install() -> Result<()> {
    const WHAT: &str = "no Vulkan driver";
    apt::check(WHAT, &PACKAGES)?;
    if codename().as_deref() == Some(SLOW_RELEASE) {
        shell::say(format!("{WHAT}: installing {} of its backports", PACKAGES.join(" ")));
        match from_backports() {
            Ok(()) => return Ok(()),
            Err(error) => eprintln!("  {error:#}; taking the release's own, slower, drivers"),
        }
    }
    apt::install(WHAT, &PACKAGES)
}

/// Installs from the release's backports. If the system does not list them, a copy of its sources does, for these two
/// calls only: the system's own configuration stays as it is.
fn from_backports() -> Result<()> {
    let backports = format!("{SLOW_RELEASE}-backports");
    let system = Path::new("/etc/apt/sources.list.d");
    let copy = shell::root().join("target/apt");
    let _ = fs::remove_dir_all(&copy);
    fs::create_dir_all(&copy).with_context(|| format!("cannot create {}", copy.display()))?;
    let mut stanza = None;
    for name in names(system) {
        let Ok(text) = fs::read_to_string(system.join(&name)) else { continue };
        fs::write(copy.join(&name), &text)?;
        if name.ends_with(".sources") {
            stanza = stanza.or_else(|| backports_stanza(&text, SLOW_RELEASE, &backports));
        }
    }
    if let Some(stanza) = stanza {
        fs::write(copy.join("backports.sources"), stanza)?;
    }
    apt::get(&["update"], Some(&copy))?;
    let install = ["install", "--yes", "--no-install-recommends", "--target-release", &backports];
    apt::get(&[&install, &PACKAGES[..]].concat(), Some(&copy))
}

/// The stanza (deb822) that lists `release`, changed to list its backports; `None` if there is none or no need.
fn backports_stanza(sources: &str, release: &str, backports: &str) -> Option<String> {
    let lists = |stanza: &str, suite: &str| {
        let suites = stanza.lines().filter_map(|line| line.strip_prefix("Suites:"));
        suites.flat_map(str::split_whitespace).any(|word| word == suite)
    };
    let mut stanzas = sources.split("\n\n");
    if stanzas.clone().any(|stanza| lists(stanza, backports)) {
        return None;
    }
    let change = |line: &str| {
        let line = if line.starts_with("Suites:") { format!("Suites: {backports}") } else { line.to_owned() };
        line + "\n"
    };
    stanzas.find(|stanza| lists(stanza, release)).map(|stanza| stanza.lines().map(change).collect())
}

fn codename() -> Option<String> {
    let release = fs::read_to_string("/etc/os-release").ok()?;
    release
        .lines()
        .find_map(|line| line.strip_prefix("VERSION_CODENAME="))
        .map(|name| name.trim_matches('"').to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn backports_are_taken_from_where_the_release_is() {
        let sources = "Types: deb\n# note\nURIs: http://mirror/debian\nSuites: r r-updates\nComponents: main\n\n\
                       Types: deb\nURIs: http://mirror/security\nSuites: r-security\n";
        let stanza = backports_stanza(sources, "r", "r-backports").unwrap();
        assert_eq!(stanza, "Types: deb\n# note\nURIs: http://mirror/debian\nSuites: r-backports\nComponents: main\n");
        assert_eq!(backports_stanza(sources, "q", "q-backports"), None);
        assert_eq!(backports_stanza(&format!("{sources}\n{stanza}"), "r", "r-backports"), None);
    }
}
