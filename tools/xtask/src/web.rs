//! `cargo xtask web`: the package for browsers, built into bindings/web/pkg.

use std::fs;
use std::path::PathBuf;

use anyhow::{Context, Result, ensure};

use crate::apt;
use crate::shell::{self, built, cargo, say};
use crate::wasm::Wasm;

#[derive(clap::Args)]
pub struct Args {
    /// Build what the tests run in a browser, too: every op's cases
    #[arg(long)]
    cases: bool,
}

pub fn run(args: &Args) -> Result<()> {
    let toolchain = Wasm::find().context(Wasm::MISSING)?;
    package(&toolchain, "warpface-web", "pkg")?;
    page()?;
    if args.cases {
        package(&toolchain, "warpface-web-cases", "cases/pkg")?;
    }
    Ok(())
}

/// As the tests need it: installs what is missing where it may. Whether everything is there.
pub fn prepare() -> Result<()> {
    if Wasm::find().is_none() {
        apt::install("no toolchain for browsers", &Wasm::PACKAGES)?;
    }
    if !["chromium", "chromium-browser", "google-chrome"].iter().any(|name| answers(name)) {
        apt::install("no Chromium", &["chromium"])?;
    }
    if !answers("node") || !answers("npm") {
        apt::install("no Node.js", &["nodejs", "npm"])?;
    }
    playwright()?;
    run(&Args { cases: true })
}

fn answers(program: &str) -> bool {
    shell::succeeds(shell::program(program, &["--version"]).arg("--version"))
}

/// What drives the browser: the library alone, no browser of its own.
fn playwright() -> Result<()> {
    const PACKAGE: &str = "playwright-core@1.65.1";
    let folder = shell::root().join("target/web");
    let noted = folder.join("installed.txt");
    if fs::read_to_string(&noted).is_ok_and(|text| text == PACKAGE) {
        return Ok(());
    }
    fs::create_dir_all(&folder).with_context(|| format!("cannot create {}", folder.display()))?;
    let mut npm = shell::program("npm", &["install", "--no-audit", "--no-fund", "--prefix"]);
    shell::run(npm.arg(&folder).arg(PACKAGE).stdout(std::io::stderr()))?;
    fs::write(&noted, PACKAGE).with_context(|| format!("cannot write {}", noted.display()))
}

/// The server's page, with the library in place of the server.
fn page() -> Result<()> {
    const CHANGES: [(&str, &str); 4] = [
        ("/*SHARED*/\n", include_str!("../../../src/eval/report/page.css")),
        ("on this server; the photographs are not kept.", "in this browser; nothing leaves it. <span></span>"),
        (" The same over HTTP: <a href=\"openapi.json\">openapi.json</a>.", ""),
        ("<script>", "<script type=\"module\" src=\"engine.js\"></script>\n<script type=\"module\">"),
    ];
    let mut text = include_str!("../../../src/serve/page.html").to_owned();
    for (from, to) in CHANGES {
        ensure!(text.matches(from).count() == 1, "src/serve/page.html does not have `{from}` once");
        text = text.replace(from, to);
    }
    let to = shell::root().join("bindings/web/page/index.html");
    fs::write(&to, text).with_context(|| format!("cannot write {}", to.display()))
}

/// Builds a crate for browsers, and the JavaScript beside it.
fn package(toolchain: &Wasm, name: &str, folder: &str) -> Result<()> {
    say(format!("{name} for browsers"));
    let mut build = cargo(&["build", "--profile", "web", "--package", name]);
    toolchain.apply(&mut build);
    shell::run(build.stdout(std::io::stderr()))?;
    // Where cargo puts it, whatever the host's endings are.
    let module = built("wasm32-unknown-unknown").with_extension("").join("web").join(name.replace('-', "_"));
    let module = module.with_extension("wasm");
    let to: PathBuf = shell::root().join("bindings/web").join(folder);
    let mut glue = cargo(&["run", "--quiet", "--package", "web", "--"]);
    shell::run(glue.arg(&module).arg(&to))?;
    let bytes = fs::metadata(to.join(format!("{}_bg.wasm", name.replace('-', "_"))))?.len();
    ensure!(bytes > 0, "{} is empty", to.display());
    eprintln!("  {}: {:.1} MB of WebAssembly", to.display(), bytes as f64 / 1e6);
    Ok(())
}
