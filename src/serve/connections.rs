//! Connections: taken, timed, closed to make room, and ended when the server ends.

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::future::{Future, poll_fn};
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use axum::Router;
use axum::response::Response;
use hyper::Request;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::Service;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Notify, watch};

use super::Shared;
use super::guard::Reached;

/// The longest head of a request.
const HEAD: usize = 64 << 10;

/// How long a client may take to read the last answer while it still sends, and how much it may send.
const LINGER: Duration = Duration::from_secs(2);
const LINGER_BYTES: usize = 16 << 20;

/// A connection.
pub struct Open {
    /// Whether a request is being answered: it is not closed then.
    works: AtomicBool,
    /// When it was taken, or last had an answer, in microseconds of the server.
    since: AtomicU64,
    start: Instant,
    evict: Notify,
}

impl Open {
    fn new(start: Instant) -> Self {
        let open = Open { works: AtomicBool::new(false), since: AtomicU64::new(0), start, evict: Notify::new() };
        open.works(false);
        open
    }

    /// Whether a whole request is at hand, from now on.
    pub fn works(&self, works: bool) {
        self.works.store(works, Ordering::Relaxed);
        self.since.store(self.start.elapsed().as_micros() as u64, Ordering::Relaxed);
    }
}

/// All connections.
pub struct Connections {
    most: usize,
    start: Instant,
    next: AtomicU64,
    open: Mutex<BTreeMap<u64, Arc<Open>>>,
}

impl Connections {
    pub fn new(most: usize) -> Self {
        Connections { most, start: Instant::now(), next: AtomicU64::new(0), open: Mutex::default() }
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.open.lock().unwrap_or_else(PoisonError::into_inner).len()
    }

    /// Room for one more; nothing where all others are being answered. Whether another was closed for it.
    fn take(&self) -> Option<(u64, Arc<Open>, bool)> {
        let mut all = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        let is_full = all.len() >= self.most;
        if is_full {
            let idle = all.iter().filter(|(_, open)| !open.works.load(Ordering::Relaxed));
            let longest = idle.min_by_key(|(_, open)| open.since.load(Ordering::Relaxed)).map(|(id, _)| *id)?;
            all.remove(&longest)?.evict.notify_one();
        }
        let (id, open) = (self.next.fetch_add(1, Ordering::Relaxed), Arc::new(Open::new(self.start)));
        all.insert(id, open.clone());
        Some((id, open, is_full))
    }

    fn leave(&self, id: u64) {
        self.open.lock().unwrap_or_else(PoisonError::into_inner).remove(&id);
    }
}

/// Takes connections until the server ends.
pub async fn accept(listener: TcpListener, router: Router, shared: Arc<Shared>, mut stop: watch::Receiver<bool>) {
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            _ = stop.wait_for(|stop| *stop) => return,
        };
        let Ok((stream, _)) = accepted else {
            // Nothing is free to hold it: what is open has to end first.
            tokio::time::sleep(Duration::from_millis(20)).await;
            continue;
        };
        let (router, shared, stop) = (router.clone(), shared.clone(), stop.clone());
        shared.metrics.connections.fetch_add(1, Ordering::Relaxed);
        match shared.connections.take() {
            Some((id, open, evicted)) => {
                shared.metrics.evicted.fetch_add(u64::from(evicted), Ordering::Relaxed);
                tokio::spawn(async move {
                    serve(stream, router, &shared, open, stop).await;
                    shared.connections.leave(id);
                });
            }
            None => drop(tokio::spawn(async move {
                let most = shared.options.limits.max_connections;
                let body = format!(
                    "{{\"error\":\"all {most} connections are being answered\",\
                     \"limit\":{{\"name\":\"max_connections\",\"most\":{most}}}}}"
                );
                say(stream, "503 Service Unavailable\r\nretry-after: 1", &body, false).await;
            })),
        }
    }
}

/// Serves a connection to its end.
async fn serve(stream: TcpStream, router: Router, shared: &Shared, open: Arc<Open>, mut stop: watch::Receiver<bool>) {
    let Ok(reached) = stream.local_addr() else { return };
    // An answer is written at once; small ones should not wait for more.
    drop(stream.set_nodelay(true));
    let patience = shared.options.limits.patience;
    let service = Serving { router: TowerToHyperService::new(router), reached, open: open.clone() };
    let mut builder = http1::Builder::new();
    builder.timer(TokioTimer::new()).header_read_timeout(patience).half_close(true).max_buf_size(HEAD);
    let mut connection = builder.serve_connection(TokioIo::new(stream), service);
    let mut stopping = false;
    let (is_late, is_evicted) = loop {
        tokio::select! {
            end = poll_fn(|context| connection.poll_without_shutdown(context)) => {
                break (end.is_err_and(|error| error.is_timeout()), false);
            }
            () = open.evict.notified() => break (true, true),
            _ = stop.wait_for(|stop| *stop), if !stopping => {
                stopping = true;
                Pin::new(&mut connection).graceful_shutdown();
            }
        }
    };
    let parts = connection.into_parts();
    let stream = parts.io.into_inner();
    // Who began a request, and did not end it, is told; who was idle is not.
    if is_late && !parts.read_buf.is_empty() {
        let seconds = patience.as_secs();
        let body = format!(
            "{{\"error\":\"the request's head is not whole after {seconds} s\",\
             \"limit\":{{\"name\":\"patience\",\"most\":{seconds}}}}}"
        );
        // Who makes room for others makes it at once.
        say(stream, "408 Request Timeout", &body, !is_evicted).await;
    } else if !is_evicted && !stopping {
        linger(stream).await;
    }
}

/// Writes an answer where there is no request, and waits until it is read, if it `lingers`.
async fn say(mut stream: TcpStream, status: &str, body: &str, lingers: bool) {
    let text = format!(
        "HTTP/1.1 {status}\r\ncontent-type: application/json\r\ncontent-length: {}\r\nconnection: close\r\n\r\n{body}",
        body.len()
    );
    let written = tokio::time::timeout(LINGER, stream.write_all(text.as_bytes())).await;
    if lingers && matches!(written, Ok(Ok(()))) {
        linger(stream).await;
    }
}

/// Ends a connection so that the last answer arrives: to close while bytes come in would take it back.
async fn linger(mut stream: TcpStream) {
    if stream.shutdown().await.is_err() {
        return;
    }
    let (mut buffer, mut left) = (vec![0; 16 << 10], LINGER_BYTES);
    let read = async {
        while left > 0
            && let Ok(n @ 1..) = stream.read(&mut buffer).await
        {
            left = left.saturating_sub(n);
        }
    };
    drop(tokio::time::timeout(LINGER, read).await);
}

/// The router for one connection: each request is told what it needs to know of it.
struct Serving {
    router: TowerToHyperService<Router>,
    reached: SocketAddr,
    open: Arc<Open>,
}

impl Service<Request<Incoming>> for Serving {
    type Response = Response;
    type Error = Infallible;
    type Future = Pin<Box<dyn Future<Output = Result<Response, Infallible>> + Send>>;

    fn call(&self, mut request: Request<Incoming>) -> Self::Future {
        request.extensions_mut().insert(Reached(self.reached));
        request.extensions_mut().insert(self.open.clone());
        Box::pin(self.router.call(request))
    }
}
