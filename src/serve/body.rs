//! Bodies of requests: read piece by piece, within limits, and decompressed.

use std::future::poll_fn;
use std::io::Read;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use axum::body::{Body, HttpBody};
use axum::http::request::Parts;
use axum::http::{HeaderMap, StatusCode, header};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::Shared;
use super::connections::Open;
use super::problem::{Answer, Problem};

/// Bytes are counted in pieces of this size.
const PIECE: usize = 1024;

/// A body, and its part of what may be in memory.
pub struct Received {
    pub bytes: Vec<u8>,
    /// Its room, which is free again when this is dropped.
    held: Option<OwnedSemaphorePermit>,
}

impl Received {
    /// Takes more room.
    fn hold(&mut self, more: OwnedSemaphorePermit) {
        match &mut self.held {
            Some(held) => held.merge(more),
            None => self.held = Some(more),
        }
    }
}

/// Memory for the bodies of all requests.
#[derive(Clone)]
pub struct Buffers {
    free: Arc<Semaphore>,
    most: u64,
}

impl Buffers {
    /// Room for `most` bytes.
    pub fn new(most: u64) -> Self {
        let pieces = usize::try_from(most.div_ceil(PIECE as u64)).unwrap_or(usize::MAX);
        Buffers { free: Arc::new(Semaphore::new(pieces.min(Semaphore::MAX_PERMITS))), most }
    }

    /// Takes room for `bytes` more.
    fn take(&self, bytes: usize) -> Answer<OwnedSemaphorePermit> {
        let pieces = u32::try_from(bytes.div_ceil(PIECE)).unwrap_or(u32::MAX);
        self.free.clone().try_acquire_many_owned(pieces).map_err(|_| {
            let what = "the requests that are being answered leave no room for this one".to_owned();
            let status = StatusCode::SERVICE_UNAVAILABLE;
            Problem::beyond(status, what, "max_buffered", self.most).retry_after(1)
        })
    }
}

/// How a body is compressed.
enum Coding {
    Identity,
    Gzip,
    Deflate,
}

impl Coding {
    fn of(headers: &HeaderMap) -> Answer<Coding> {
        let Some(coding) = headers.get(header::CONTENT_ENCODING) else { return Ok(Coding::Identity) };
        match coding.to_str().unwrap_or_default().trim().to_ascii_lowercase().as_str() {
            "" | "identity" => Ok(Coding::Identity),
            "gzip" | "x-gzip" => Ok(Coding::Gzip),
            "deflate" => Ok(Coding::Deflate),
            other => {
                let message = format!("Content-Encoding: {other} is not read; there are gzip, deflate and identity");
                Err(Problem::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, message))
            }
        }
    }
}

/// Reads a body, and decompresses it.
pub async fn read(shared: &Shared, parts: &Parts, body: Body) -> Answer<Received> {
    let (limits, headers) = (&shared.options.limits, &parts.headers);
    let coding = Coding::of(headers)?;
    let announced = headers.get(header::CONTENT_LENGTH).and_then(|length| length.to_str().ok()?.parse::<u64>().ok());
    if let Some(announced) = announced.filter(|announced| *announced > limits.max_bytes) {
        return Err(too_long(format!("a body of {announced} bytes is announced"), limits.max_bytes));
    }
    let mut read = pieces(shared, body).await?;
    // From now on it is our turn: the connection is not closed to make room.
    if let Some(open) = parts.extensions.get::<Arc<Open>>() {
        open.works(true);
    }
    shared.metrics.bytes.fetch_add(read.bytes.len() as u64, Ordering::Relaxed);
    let most = limits.max_bytes;
    let buffers = shared.buffers.clone();
    match coding {
        Coding::Identity => return Ok(read),
        Coding::Gzip | Coding::Deflate => {}
    }
    super::blocking(move || {
        let compressed = std::mem::take(&mut read.bytes);
        read.bytes = match coding {
            Coding::Gzip => decompress(flate2::read::MultiGzDecoder::new(&compressed[..]), "gzip", most)?,
            _ => decompress(flate2::read::ZlibDecoder::new(&compressed[..]), "deflate", most)?,
        };
        read.hold(buffers.take(read.bytes.len().saturating_sub(compressed.len()))?);
        Ok(read)
    })
    .await
}

/// The pieces of a body, each of which must come in time.
async fn pieces(shared: &Shared, mut body: Body) -> Answer<Received> {
    let limits = &shared.options.limits;
    let mut received = Received { bytes: Vec::new(), held: None };
    loop {
        let next = poll_fn(|context| Pin::new(&mut body).poll_frame(context));
        let frame = match tokio::time::timeout(limits.patience, next).await {
            Err(_) => {
                let seconds = limits.patience.as_secs_f64();
                let came = received.bytes.len();
                let message = format!("{came} bytes of the body came, and then nothing for {seconds} s");
                let problem = Problem::new(StatusCode::REQUEST_TIMEOUT, message);
                return Err(problem.limit("patience", limits.patience.as_secs()));
            }
            Ok(None) => break,
            Ok(Some(Err(error))) => {
                let came = received.bytes.len();
                return Err(Problem::bad(format!("the body ends after {came} bytes, and is not whole: {error}")));
            }
            Ok(Some(Ok(frame))) => frame,
        };
        let Ok(piece) = frame.into_data() else { continue };
        if (received.bytes.len() + piece.len()) as u64 > limits.max_bytes {
            return Err(too_long(format!("the body is longer than {} bytes", limits.max_bytes), limits.max_bytes));
        }
        received.hold(shared.buffers.take(piece.len())?);
        received.bytes.extend_from_slice(&piece);
    }
    Ok(received)
}

fn too_long(what: String, most: u64) -> Problem {
    Problem::beyond(StatusCode::PAYLOAD_TOO_LARGE, what, "max_bytes", most)
}

/// At most `most` bytes of what is compressed.
fn decompress(from: impl Read, name: &str, most: u64) -> Answer<Vec<u8>> {
    let mut bytes = Vec::new();
    let read = from.take(most.saturating_add(1)).read_to_end(&mut bytes);
    if bytes.len() as u64 > most {
        return Err(too_long(format!("the body is longer than {most} bytes once it is decompressed"), most));
    }
    read.map_err(|error| Problem::bad(format!("the body is no whole {name}: {error}")))?;
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write;

    #[test]
    fn bombs_end_at_the_limit() {
        let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
        gzip.write_all(&vec![0; 1 << 22]).unwrap();
        let gzip = gzip.finish().unwrap();
        assert!(gzip.len() < 1 << 14);
        let reader = || flate2::read::MultiGzDecoder::new(&gzip[..]);
        assert_eq!(decompress(reader(), "gzip", 1 << 22).unwrap().len(), 1 << 22);
        let status = |problem: Problem| problem.answer(|field| field.name().to_owned()).status();
        assert_eq!(status(decompress(reader(), "gzip", (1 << 22) - 1).unwrap_err()), 413);
        let cut = flate2::read::MultiGzDecoder::new(&gzip[..gzip.len() / 2]);
        assert_eq!(status(decompress(cut, "gzip", 1 << 22).unwrap_err()), 400);
    }
}
