//! Software Vulkan (Mesa's lavapipe), which the WGSL tests run on where there is no GPU.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};

use crate::shell;

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
    let root = Command::new("id").arg("-u").output().is_ok_and(|out| out.stdout.trim_ascii() == b"0");
    let apt = shell::succeeds(Command::new("apt-get").arg("--version"));
    let packages = PACKAGES.join(" ");
    if !apt {
        bail!(
            "there is no Vulkan driver; install Mesa's lavapipe by your system's package manager ({packages} on Debian)"
        );
    }
    if !root {
        bail!("there is no Vulkan driver; run `sudo apt-get install {packages}`");
    }
    shell::say(format!("no Vulkan driver: installing {packages}"));
    if codename().as_deref() == Some(SLOW_RELEASE) {
        match from_backports() {
            Ok(()) => return Ok(()),
            Err(error) => eprintln!("  {error:#}; taking the release's own, slower, drivers"),
        }
    }
    apt_get(&["update"], None)?;
    apt_get(&[&["install", "--yes", "--no-install-recommends"], &PACKAGES[..]].concat(), None)
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
    apt_get(&["update"], Some(&copy))?;
    let install = ["install", "--yes", "--no-install-recommends", "--target-release", &backports];
    apt_get(&[&install, &PACKAGES[..]].concat(), Some(&copy))
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

fn apt_get(args: &[&str], sources: Option<&Path>) -> Result<()> {
    let mut apt = shell::program("apt-get", &["-qq"]);
    if let Some(sources) = sources {
        apt.arg("-o").arg(format!("Dir::Etc::sourceparts={}", sources.display()));
    }
    shell::run(apt.args(args).env("DEBIAN_FRONTEND", "noninteractive").stdout(std::io::stderr()))
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
