//! `warpface serve`: the library's server, with what the flags name.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use anyhow::Result;
use serde_json::json;

use super::context::{AlignArgs, CropArgs, DetectArgs, Globals, Model};
use super::faces::origin;
use super::fields::flag;
use super::search::Base;
use super::{Outcome, output, threshold};
use crate::Error;
use crate::error::{Field, message};
use crate::face::{Aligner, Embeddings};
use crate::ops::Metric;
use crate::serve::{Engine, Limits, Options, Rows, Server, Stop, Threshold, Token};
use crate::vectors::search::{Hit, Neighbours};

/// The token, where no file holds it.
const TOKEN: &str = "WARPFACE_TOKEN";

#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  warpface serve\n  \
                        curl --data-binary @photo.jpg http://localhost:8501/v1/faces\n  \
                        warpface serve --listen 0.0.0.0:8501 --token-file token.txt --index people.index")]
pub struct Args {
    /// Where to listen; port 0 takes a free one. Beyond this machine a token is needed, or --insecure
    #[arg(long, default_value = "127.0.0.1:8501", value_name = "ADDRESS:PORT")]
    listen: SocketAddr,
    /// File that holds the token that clients show as `Authorization: Bearer TOKEN` [default: the environment's WARPFACE_TOKEN,
    /// else none is asked for]
    #[arg(long, value_name = "FILE")]
    token_file: Option<PathBuf>,
    /// Listen beyond this machine without a token
    #[arg(long)]
    insecure: bool,
    /// Name by which clients call the server, beside the address that they reach: such as a proxy's. May be given several times
    #[arg(long, value_name = "HOST[:PORT]")]
    allow_host: Vec<String>,
    /// Origin whose pages may call the server, as https://example.org. May be given several times
    #[arg(long, value_name = "ORIGIN")]
    cors: Vec<String>,
    /// What `/v1/search` searches: an index, or an .npy or Parquet file of vectors, or a folder that `embed` wrote
    #[arg(long, value_name = "INDEX")]
    index: Option<PathBuf>,
    #[command(flatten)]
    limits: LimitArgs,
    #[command(flatten)]
    align: AlignArgs,
    #[command(flatten)]
    crops: CropArgs,
    #[command(flatten)]
    detect: DetectArgs,
}

/// What the server takes at most, as flags.
#[derive(Debug, clap::Args)]
struct LimitArgs {
    /// Bytes of a request's body, also once it is decompressed
    #[arg(long, default_value_t = Limits::default().max_bytes, value_name = "BYTES")]
    max_bytes: u64,
    /// Pixels of a picture
    #[arg(long, default_value_t = Limits::default().max_pixels, value_name = "PIXELS")]
    max_pixels: u64,
    /// Faces of one photograph that are embedded
    #[arg(long, default_value_t = Limits::default().max_faces, value_name = "N")]
    max_faces: usize,
    /// Crops and photographs that may wait; one more is told to try again later
    #[arg(long, default_value_t = Limits::default().max_queue, value_name = "N")]
    max_queue: usize,
    /// Bytes of the bodies of all requests that are being read or answered
    #[arg(long, default_value_t = Limits::default().max_buffered, value_name = "BYTES")]
    max_buffered: u64,
    /// Open connections; one more closes the one that has been idle for longest
    #[arg(long, default_value_t = Limits::default().max_connections, value_name = "N")]
    max_connections: usize,
    /// A request without an answer after this long is given up
    #[arg(long, default_value_t = Limits::default().deadline.as_secs_f64(), value_name = "SECONDS")]
    deadline: f64,
    /// How long a client may take for a request's head, and between two pieces of its body
    #[arg(long, default_value_t = Limits::default().patience.as_secs_f64(), value_name = "SECONDS")]
    patience: f64,
    /// Crops that run together on the device; any number gives the same results [default: what suits the device]
    #[arg(long, value_name = "N")]
    max_batch: Option<usize>,
    /// How long a crop waits for others to run with, while others are on their way
    #[arg(long, default_value_t = 2.0, value_name = "MILLISECONDS")]
    max_delay_ms: f64,
}

impl LimitArgs {
    fn limits(&self) -> Result<Limits> {
        Ok(Limits {
            max_bytes: self.max_bytes,
            max_pixels: self.max_pixels,
            max_faces: self.max_faces,
            max_queue: self.max_queue,
            max_buffered: self.max_buffered,
            max_connections: self.max_connections,
            deadline: seconds(Field("deadline"), self.deadline)?,
            patience: seconds(Field("patience"), self.patience)?,
        })
    }
}

/// A time of a flag.
fn seconds(field: Field, seconds: f64) -> Result<Duration> {
    let problem = || Error::invalid(field, format!("{seconds} is no length of time"));
    Ok(Duration::try_from_secs_f64(seconds).map_err(|_| problem())?)
}

impl Args {
    pub fn run(&self, globals: &Globals) -> Result<Outcome> {
        let detect = self.detect.options()?;
        self.crops.check(true)?;
        self.align.check()?;
        let server = Server::bind(self.options()?)?;
        listen(server.stop())?;
        self.tell(globals, &server)?;
        // It listens by now, and says that it is not ready: who asks early need not guess.
        let device = globals.open_device()?;
        let model = globals.open_model(&device, &self.crops)?;
        let aligner = self.align.aligner(&model, globals, None)?;
        let detector = globals.open_detector(&device, &detect)?;
        let base = self.index.as_deref().map(|path| Base::open(path, globals)).transpose()?;
        let rows = base.as_ref().map(|base| self.rows(base, &model, &aligner)).transpose()?;
        let engine = Engine {
            detector: &detector,
            embedder: &model.embedder,
            aligner,
            resize: self.crops.resize(),
            rows: rows.as_ref().map(|rows| rows as &dyn Rows),
            thresholds: thresholds(&model)?,
            model: output::path(model.path.file_name().unwrap_or(model.path.as_os_str())),
        };
        eprintln!("ready: http://{}", server.address());
        server.run(&engine)?;
        eprintln!("ended: everything that was taken is answered");
        Ok(Outcome::Done)
    }

    fn options(&self) -> Result<Options> {
        Ok(Options {
            listen: self.listen,
            token: self.token()?,
            insecure: self.insecure,
            allow_hosts: self.allow_host.clone(),
            cors: self.cors.clone(),
            limits: self.limits.limits()?,
            max_batch: self.limits.max_batch,
            max_delay: seconds(Field("max_delay_ms"), self.limits.max_delay_ms / 1000.0)?,
            name: flag,
        })
    }

    /// The token: of the file, else of the environment.
    fn token(&self) -> Result<Option<Token>> {
        let text = match &self.token_file {
            Some(path) => Some(std::fs::read_to_string(path).map_err(Error::io(path, "read"))?),
            None => std::env::var(TOKEN).ok().filter(|text| !text.is_empty()),
        };
        Ok(text.map(|text| Token::new(&text)).transpose()?)
    }

    fn tell(&self, globals: &Globals, server: &Server) -> Result<()> {
        if globals.json {
            let line = json!({ "address": server.address().to_string() });
            return output::json_line(&mut output::stdout(), &line);
        }
        eprintln!("listening: http://{}; the models are being loaded", server.address());
        Ok(())
    }

    /// What is searched, where it is of this model.
    fn rows<'a>(&self, base: &'a Base, model: &'a Model, aligner: &Aligner) -> Result<Searched<'a>> {
        let path = output::path(self.index.as_deref().unwrap_or("".as_ref()));
        let dim = model.embedder.dim();
        if base.dim() != dim {
            let problem = message![
                format!(
                    "holds vectors of {} values, and the model's have {dim}; give the model that made them by ",
                    base.dim()
                ),
                Field("model")
            ];
            return Err(Error::data(path.as_ref(), problem).into());
        }
        if let Some(theirs) = base.origin() {
            origin(model, aligner, false)?.require(theirs, &path)?;
        }
        Ok(Searched { base, neighbours: base.neighbours(model.embedder.device())? })
    }
}

/// What `/v1/search` searches.
struct Searched<'a> {
    base: &'a Base,
    neighbours: Neighbours<'a>,
}

impl Rows for Searched<'_> {
    fn nearest(&self, queries: &Embeddings, k: usize) -> crate::Result<Vec<Vec<Hit>>> {
        self.neighbours.nearest(queries, k)
    }

    fn name(&self, row: usize) -> Option<&str> {
        self.base.name(row)
    }

    fn count(&self) -> usize {
        self.neighbours.len()
    }
}

/// The model's threshold for each distance.
fn thresholds(model: &Model) -> Result<Vec<Threshold>> {
    let hash = model.embedder.published().map(|entry| entry.sha256.as_str());
    let of = |metric| {
        let usual = threshold::of_model(Some(&model.path), hash, metric)?;
        Ok(Threshold { metric, distance: usual.distance, origin: usual.origin })
    };
    [Metric::Euclidean, Metric::Cosine].into_iter().map(of).collect()
}

/// Has the first signal (Ctrl-C, SIGTERM) end the server after its last answer, and the second at once.
fn listen(stop: Stop) -> Result<()> {
    let asked = AtomicBool::new(false);
    let handler = move || {
        if asked.swap(true, Ordering::Relaxed) {
            std::process::exit(i32::from(super::INTERRUPTED));
        }
        eprintln!("ending: what was taken is answered first; once more ends at once");
        stop.request();
    };
    Ok(ctrlc::set_handler(handler).map_err(|e| Error::invalid("Ctrl-C", format!("cannot listen for it: {e}")))?)
}
