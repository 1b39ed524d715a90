//! A client that costs the machine little: bodies made beforehand, one thread and one connection each.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use base64::Engine as _;

/// Longer than any answer takes.
const PATIENCE: Duration = Duration::from_secs(90);

/// The request of a crop: an encoded file, in TensorFlow Serving's binary form.
pub fn request(address: SocketAddr, crop: &Path) -> Result<Vec<u8>> {
    let bytes = std::fs::read(crop).with_context(|| format!("cannot read {}", crop.display()))?;
    let encoded = base64::engine::general_purpose::STANDARD.encode(bytes);
    let body = format!("{{\"instances\":[{{\"b64\":\"{encoded}\"}}]}}");
    let head = format!(
        "POST /v1/models/facenet:predict HTTP/1.1\r\nHost: {address}\r\nContent-Type: application/json\r\n\
         Content-Length: {}\r\n\r\n",
        body.len()
    );
    Ok([head.as_bytes(), body.as_bytes()].concat())
}

/// A connection that stays open.
pub struct Client {
    stream: BufReader<TcpStream>,
    line: String,
    body: Vec<u8>,
}

impl Client {
    pub fn connect(address: SocketAddr) -> Result<Client> {
        let stream = TcpStream::connect(address).context("cannot connect")?;
        stream.set_read_timeout(Some(PATIENCE))?;
        stream.set_nodelay(true)?;
        Ok(Client { stream: BufReader::new(stream), line: String::new(), body: Vec::new() })
    }

    /// Sends a request; the status and body of its answer.
    pub fn ask(&mut self, request: &[u8]) -> Result<(u16, &[u8])> {
        self.stream.get_mut().write_all(request).context("cannot send")?;
        let (mut status, mut length) = (None, 0);
        loop {
            self.line.clear();
            ensure!(self.stream.read_line(&mut self.line)? > 0, "the connection was closed");
            let line = self.line.trim_end();
            match line.split_once(": ") {
                _ if line.is_empty() => break,
                _ if status.is_none() => status = Some(line.split(' ').nth(1).context("no status")?.parse()?),
                Some((name, value)) if name.eq_ignore_ascii_case("content-length") => length = value.parse()?,
                _ => {}
            }
        }
        self.body.resize(length, 0);
        self.stream.read_exact(&mut self.body).context("the answer is cut off")?;
        Ok((status.context("no status")?, &self.body))
    }
}

/// What came of asking for some time.
#[derive(Default)]
pub struct Asked {
    /// Seconds of each request.
    pub seconds: Vec<f32>,
    /// Why some were not answered as they should be; the first few.
    pub errors: Vec<String>,
    /// How many these are.
    pub failed: usize,
}

impl Asked {
    fn fail(&mut self, why: String) {
        self.failed += 1;
        if self.errors.len() < 5 {
            self.errors.push(why);
        }
    }

    /// Adds another's.
    pub fn add(&mut self, mut other: Asked) {
        self.seconds.append(&mut other.seconds);
        self.failed += other.failed;
        self.errors.append(&mut other.errors);
        self.errors.truncate(5);
    }

    /// The time that this part of the requests stayed below, in milliseconds.
    pub fn percentile(&self, part: f64) -> f64 {
        let mut seconds = self.seconds.clone();
        seconds.sort_by(f32::total_cmp);
        let at = (part * seconds.len() as f64).ceil() as usize;
        seconds.get(at.saturating_sub(1)).map_or(f64::NAN, |&seconds| 1000.0 * f64::from(seconds))
    }
}

/// Asks with `n` clients at once until `end`; every answer must be the one that its crop had before.
pub fn ask_until(address: SocketAddr, n: usize, requests: &[Vec<u8>], answers: &[Vec<u8>], end: &AtomicBool) -> Asked {
    let one = |first: usize| {
        let mut asked = Asked::default();
        let mut client = None;
        for i in (first..).step_by(7) {
            if end.load(Ordering::Relaxed) {
                break;
            }
            let at = i % requests.len();
            let start = Instant::now();
            match ask(&mut client, address, &requests[at], &answers[at]) {
                Ok(()) => asked.seconds.push(start.elapsed().as_secs_f32()),
                Err(error) => {
                    client = None;
                    asked.fail(format!("{error:#}"));
                    std::thread::sleep(Duration::from_millis(50));
                }
            }
        }
        asked
    };
    std::thread::scope(|scope| {
        let threads: Vec<_> = (0..n).map(|first| scope.spawn(move || one(first))).collect();
        let mut all = Asked::default();
        for thread in threads {
            match thread.join() {
                Ok(asked) => all.add(asked),
                Err(_) => all.fail("a client failed".to_owned()),
            }
        }
        all
    })
}

fn ask(client: &mut Option<Client>, address: SocketAddr, request: &[u8], expected: &[u8]) -> Result<()> {
    if client.is_none() {
        *client = Some(Client::connect(address)?);
    }
    let Some(client) = client else { bail!("no connection") };
    let (status, body) = client.ask(request)?;
    ensure!(status == 200, "{status}: {}", String::from_utf8_lossy(&body[..body.len().min(200)]));
    ensure!(body == expected, "another answer than when it was alone");
    Ok(())
}
