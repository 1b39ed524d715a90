//! A server: finds, compares and embeds faces over HTTP, as TensorFlow Serving and Triton are asked.
//!
//! Requests are read and pictures decoded on many threads; one thread owns the device and runs what waits together. An
//! answer does not depend on what it ran with: results are the same bits in every batch.
//!
//! ```no_run
//! use warpface::serve::{Engine, Options, Server};
//!
//! fn serve(load: impl FnOnce() -> warpface::Result<Engine<'static>>) -> warpface::Result<()> {
//!     let server = Server::bind(Options::default())?;
//!     println!("http://{}", server.address());
//!     let engine = load()?; // the server says meanwhile that it is not ready yet
//!     server.run(&engine) // until `server.stop()` is asked to
//! }
//! ```

mod body;
mod connections;
mod engine;
mod guard;
mod json;
mod metrics;
mod options;
mod pages;
mod pictures;
mod predict;
mod problem;
mod queue;
mod routes;
mod tasks;
mod token;
mod v2;
mod values;

use std::fmt;
use std::net::SocketAddr;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use tokio::net::TcpListener;
use tokio::runtime::Runtime;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};

pub use engine::{Engine, Rows, Threshold};
pub use options::{Limits, Options};
pub use token::Token;

use crate::error::{Field, message};
use crate::{Error, Result};
use body::Buffers;
use connections::Connections;
use engine::Facts;
use metrics::Metrics;
use problem::{Answer, Problem};
use queue::{Queue, Reply};

/// What the model is called in paths.
const MODEL: &str = "facenet";
/// The one version that is served.
const VERSION: &str = "1";
/// The network's input, as exported graphs call it.
const INPUT: &str = "input";
/// The input of encoded crops.
const ENCODED: &str = "image_bytes";
/// The network's output, as exported graphs call it.
const OUTPUT: &str = "embeddings";

/// What all requests share.
struct Shared {
    options: Options,
    /// There once the models are loaded.
    facts: OnceLock<Facts>,
    queue: Queue,
    metrics: Metrics,
    buffers: Buffers,
    connections: Connections,
    /// Places of the queue.
    places: Arc<Semaphore>,
    /// Photographs that may be in memory as pixels.
    photographs: Arc<Semaphore>,
    stop: watch::Sender<bool>,
}

impl Shared {
    /// What is known of the models, once they are loaded.
    fn facts(&self) -> Answer<&Facts> {
        self.facts.get().ok_or_else(|| Problem::unavailable("the models are being loaded"))
    }

    /// Whether requests are answered.
    fn is_ready(&self) -> bool {
        self.facts.get().is_some() && !*self.stop.borrow()
    }

    /// Takes `n` places of the queue, until they are dropped.
    fn places(&self, n: usize) -> Answer<OwnedSemaphorePermit> {
        let most = self.options.limits.max_queue;
        if n > most {
            let what = format!("the request holds {n} crops");
            return Err(Problem::beyond(axum::http::StatusCode::PAYLOAD_TOO_LARGE, what, "max_queue", most as u64));
        }
        let taken = self.places.clone().try_acquire_many_owned(n as u32);
        taken.map_err(|_| Problem::queue_is_full(most, self.metrics.seconds_for(most)))
    }
}

/// Runs what takes time, and waits for nothing, beside the threads that answer.
async fn blocking<T: Send + 'static>(work: impl FnOnce() -> Answer<T> + Send + 'static) -> Answer<T> {
    let unexpected = |_| {
        Err(Problem::new(
            axum::http::StatusCode::INTERNAL_SERVER_ERROR,
            "the server failed unexpectedly at this request",
        ))
    };
    tokio::task::spawn_blocking(work).await.unwrap_or_else(unexpected)
}

/// What the device gives.
async fn await_reply<T>(reply: Reply<T>) -> Answer<T> {
    reply.await.unwrap_or_else(|_| Err(Problem::unavailable("the server is ending")))
}

/// Asks a server to end: it takes nothing more, and answers what it has taken.
#[derive(Clone)]
pub struct Stop(watch::Sender<bool>);

impl Stop {
    /// Asks.
    pub fn request(&self) {
        self.0.send_replace(true);
    }
}

impl fmt::Debug for Stop {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Stop({})", *self.0.borrow())
    }
}

/// A server that listens.
pub struct Server {
    shared: Arc<Shared>,
    runtime: Runtime,
    address: SocketAddr,
}

impl fmt::Debug for Server {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Server({})", self.address)
    }
}

impl Server {
    /// Listens. Until [`Server::run`] has models, requests are told that they are being loaded.
    ///
    /// # Errors
    /// [`Error::Invalid`] for options that make no sense, and for an address that cannot be listened at.
    pub fn bind(options: Options) -> Result<Server> {
        options.check()?;
        let cannot = |error: std::io::Error| Error::invalid("the server", format!("cannot start: {error}"));
        let threads = std::thread::available_parallelism().map_or(2, usize::from).clamp(1, 4);
        let mut builder = tokio::runtime::Builder::new_multi_thread();
        let builder = builder.worker_threads(threads).max_blocking_threads(2 * threads).enable_all();
        let runtime = builder.thread_name("serve").build().map_err(cannot)?;
        let listen = options.listen;
        let listener = runtime.block_on(TcpListener::bind(listen)).map_err(|error| taken(listen, &error))?;
        let address = listener.local_addr().map_err(cannot)?;
        let limits = options.limits;
        let (stop, stopped) = watch::channel(false);
        let shared = Arc::new(Shared {
            facts: OnceLock::new(),
            queue: Queue::default(),
            metrics: Metrics::default(),
            buffers: Buffers::new(limits.max_buffered),
            connections: Connections::new(limits.max_connections),
            places: Arc::new(Semaphore::new(limits.max_queue.min(Semaphore::MAX_PERMITS))),
            photographs: Arc::new(Semaphore::new(2 * threads)),
            stop,
            options,
        });
        runtime.spawn(connections::accept(listener, routes::router(&shared), shared.clone(), stopped));
        Ok(Server { shared, runtime, address })
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// What asks it to end.
    pub fn stop(&self) -> Stop {
        Stop(self.shared.stop.clone())
    }

    /// Answers requests until it is asked to end, on this thread as far as the device is concerned. What was taken by then is
    /// answered first.
    ///
    /// # Errors
    /// [`Error::DeviceLost`]: the device works no more.
    pub fn run(self, engine: &Engine) -> Result<()> {
        let shared = self.shared.clone();
        // Nobody else sets it.
        let _ = shared.facts.set(engine.facts());
        self.runtime.spawn(async move {
            let _ = shared.stop.subscribe().wait_for(|stop| *stop).await;
            let emptied = async {
                while shared.connections.len() > 0 {
                    tokio::time::sleep(Duration::from_millis(5)).await;
                }
            };
            // What has no answer by its deadline gets none.
            drop(tokio::time::timeout(shared.options.limits.deadline, emptied).await);
            shared.queue.close();
        });
        let options = &self.shared.options;
        let most = options.max_batch.unwrap_or(engine.embedder.batch());
        let done = engine.run(&self.shared.queue, &self.shared.metrics, most, options.max_delay);
        self.shared.stop.send_replace(true);
        self.runtime.shutdown_timeout(Duration::from_secs(1));
        done
    }
}

/// An address that cannot be listened at.
fn taken(listen: SocketAddr, error: &std::io::Error) -> Error {
    let problem =
        message![format!("cannot listen at {listen}: {error}; give another address, or port 0 for a free one")];
    Error::invalid(Field("listen"), problem)
}
