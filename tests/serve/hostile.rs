//! Clients that are broken, slow, or mean it no good: each is told, and the next is served.

use std::io::Write;
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::time::{Duration, Instant};

use serde_json::json;
use warpface::serve::Limits;

use crate::client::{Reply, b64, connect, get, post, request, send};
use crate::served::{SIZE, Small, crop, png};

const PREDICT: &str = "/v1/models/facenet:predict";
const INFER: &str = "/v2/models/facenet/infer";

/// Checks that the next request is served.
fn serves(address: SocketAddr) {
    let start = Instant::now();
    let body = json!({ "instances": [b64(&png(&crop(1)))] }).to_string();
    post(address, PREDICT, body).expect(200);
    assert!(start.elapsed() < Duration::from_secs(5));
}

/// Sends bytes as they are; the answer, if there is one.
fn raw(address: SocketAddr, bytes: &[u8]) -> Option<Reply> {
    let mut stream = connect(address);
    let _ = stream.write_all(bytes);
    let _ = stream.shutdown(Shutdown::Write);
    Reply::read(&mut stream)
}

#[test]
fn half_requests_are_told_so() {
    let Some(server) = Small::start(|_| {}) else { return };
    let address = server.address;
    let body = json!({ "instances": [b64(&png(&crop(1)))] }).to_string();
    let whole = request(address, "POST", PREDICT, &[], body.as_bytes());
    // In the middle of the body.
    raw(address, &whole[..whole.len() - 100]).unwrap().refused(400, &["the body ends after", "not whole"]);
    serves(address);
    // In the middle of the head: there is nothing to answer yet, or a 400.
    assert!(raw(address, &whole[..30]).is_none_or(|reply| reply.status == 400));
    serves(address);
    for nonsense in [&b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03"[..], b"GET\r\n\r\n", b"\0\0\0\0\r\n\r\n"] {
        assert!(raw(address, nonsense).is_none_or(|reply| reply.status == 400));
    }
    let long = format!("GET / HTTP/1.1\r\nHost: {address}\r\nX: {}\r\n\r\n", "x".repeat(200_000));
    assert!(matches!(raw(address, long.as_bytes()), None | Some(Reply { status: 431, .. })));
    serves(address);
}

#[test]
fn a_gigabyte_announced_is_refused_before_it_comes() {
    let Some(server) = Small::start(|_| {}) else { return };
    let address = server.address;
    let head = format!("POST /v1/faces HTTP/1.1\r\nHost: {address}\r\nContent-Length: 1073741824\r\n\r\n");
    let mut stream = connect(address);
    stream.write_all(head.as_bytes()).unwrap();
    let body = Reply::read(&mut stream).unwrap().refused(413, &["a body of 1073741824 bytes is announced"]);
    assert_eq!(body["limit"]["name"], "max_bytes");
    // Who sends all the same gets to read it, too.
    let mut stream = connect(address);
    stream.write_all(head.as_bytes()).unwrap();
    let megabyte = vec![0; 1 << 20];
    let sent = (0..64).take_while(|_| stream.write_all(&megabyte).is_ok()).count();
    assert!(sent < 64, "all of it was taken");
    serves(address);
}

/// A PNG whose header says this size, and which holds no pixel.
fn promise(width: u32, height: u32) -> Vec<u8> {
    let mut png = png(&crop(1));
    png[16..20].copy_from_slice(&width.to_be_bytes());
    png[20..24].copy_from_slice(&height.to_be_bytes());
    let crc = crc32(&png[12..29]);
    png[29..33].copy_from_slice(&crc.to_be_bytes());
    png
}

/// The checksum of PNG's chunks.
fn crc32(bytes: &[u8]) -> u32 {
    let step = |crc: u32, byte: &u8| (0..8).fold(crc ^ u32::from(*byte), |crc, _| crc >> 1 ^ (0xedb8_8320 * (crc & 1)));
    !bytes.iter().fold(!0, step)
}

#[test]
fn headers_that_promise_too_many_pixels_are_not_believed() {
    let Some(server) = Small::start(|_| {}) else { return };
    let address = server.address;
    let huge = promise(100_000, 100_000);
    let body = post(address, "/v1/faces", &huge).refused(413, &["100000 x 100000 pixels", "50000000 are the most"]);
    assert_eq!(body["limit"]["name"], "max_pixels");
    let body = json!({ "instances": [b64(&huge)] }).to_string();
    post(address, PREDICT, body).refused(413, &["crop 0: its header says 100000 x 100000 pixels"]);
    post(address, "/v1/faces", promise(0, 10)).refused(422, &["image"]);
    post(address, "/v1/faces", b"").refused(415, &["empty"]);
    post(address, "/v1/faces", b"%PDF-1.7").refused(415, &["PDF is not supported"]);
    serves(address);
}

#[test]
fn malformed_binary_tensors_are_refused() {
    let Some(server) = Small::start(|_| {}) else { return };
    let address = server.address;
    let values = SIZE * SIZE * 3;
    let header = |shape: serde_json::Value, datatype: &str, size: serde_json::Value| {
        let parameters = json!({ "binary_data_size": size });
        let input = json!({ "name": "input", "shape": shape, "datatype": datatype, "parameters": parameters });
        json!({ "inputs": [input] }).to_string()
    };
    let shape = json!([1, SIZE, SIZE, 3]);
    let good = header(shape.clone(), "FP32", json!(4 * values));
    let infer = |json: &str, length: &str, binary: &[u8]| {
        let body = [json.as_bytes(), binary].concat();
        send(address, "POST", INFER, &[("Inference-Header-Content-Length", length)], &body)
    };
    let length = good.len().to_string();
    let zeros = vec![0; 4 * values];
    assert_eq!(infer(&good, &length, &zeros).status, 200);
    let mut nan = zeros.clone();
    nan[4 * 100..][..4].copy_from_slice(&f32::NAN.to_le_bytes());
    infer(&good, &length, &nan).refused(400, &["crop 0: NaN in row 1, column 1, channel 1 is no pixel"]);
    infer(&good, &length, &zeros[1..]).refused(400, &["binary_data_size is 12288, and 12287 bytes"]);
    infer(&good, "99999999", &zeros).refused(400, &["says 99999999 bytes of JSON"]);
    infer(&good, "18446744073709551616", &zeros).refused(400, &["no length"]);
    infer(&good, "-1", &zeros).refused(400, &["no length"]);
    infer(&good, &(good.len() - 1).to_string(), &zeros).refused(400, &["JSON"]);
    infer(&good, "0", &zeros).refused(400, &["JSON: the body is empty"]);
    for (shape, datatype, size, words) in [
        (shape.clone(), "FP32", json!(-4), "no number of bytes"),
        (shape.clone(), "FP32", json!("x"), "no number of bytes"),
        (json!([1, SIZE, SIZE]), "FP32", json!(4 * values), "does not hold"),
        (json!([u64::MAX, 2, 3, 4]), "FP32", json!(4 * values), "does not hold"),
        (json!([values]), "FP32", json!(4 * values), "[n, 32, 32, 3], got [3072]"),
        (shape.clone(), "INT8", json!(4 * values), "INT8 is not taken"),
        (json!([1]), "BYTES", json!(4 * values), "does not hold 3072 encoded crops"),
        (json!([3072]), "BYTES", json!(4 * values), "3072 crops, and 256 are the most"),
    ] {
        let json = header(shape, datatype, size);
        let answer = infer(&json, &json.len().to_string(), &zeros);
        let status = if words.contains("most") { 413 } else { 400 };
        answer.refused(status, &[words]);
    }
    let ones = header(json!([1]), "BYTES", json!(8));
    infer(&ones, &ones.len().to_string(), &[0xff; 8]).refused(400, &["longer than what is left"]);
    serves(address);
}

#[test]
fn compressed_bodies_are_read_within_limits() {
    let small = Limits { max_bytes: 100_000, ..Limits::default() };
    let Some(server) = Small::start(|options| options.limits = small) else { return };
    let address = server.address;
    let body = json!({ "instances": [b64(&png(&crop(1)))] }).to_string();
    let gzip = |bytes: &[u8]| {
        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
        encoder.write_all(bytes).unwrap();
        encoder.finish().unwrap()
    };
    let coded = |coding: &str, body: &[u8]| send(address, "POST", PREDICT, &[("Content-Encoding", coding)], body);
    assert_eq!(coded("gzip", &gzip(body.as_bytes())).status, 200);
    assert_eq!(coded("identity", body.as_bytes()).status, 200);
    coded("gzip", body.as_bytes()).refused(400, &["no whole gzip"]);
    coded("deflate", &gzip(body.as_bytes())).refused(400, &["no whole deflate"]);
    coded("br", body.as_bytes()).refused(415, &["br is not read"]);
    let bomb = gzip(&vec![b' '; 50 << 20]);
    assert!(bomb.len() < 100_000);
    coded("gzip", &bomb).refused(413, &["once it is decompressed", "100000 are the most"]);
    serves(address);
}

#[test]
fn the_slow_do_not_hold_the_others() {
    let hasty = Limits { patience: Duration::from_millis(400), max_connections: 20, ..Limits::default() };
    let Some(server) = Small::start(|options| options.limits = hasty) else { return };
    let address = server.address;
    let head = format!("POST {PREDICT} HTTP/1.1\r\nHost: {address}\r\nContent-Length: 5000\r\n\r\n{{");
    let mut slow: Vec<TcpStream> = (0..10).map(|_| connect(address)).collect();
    for (i, stream) in slow.iter_mut().enumerate() {
        // Some of them begin a head, some a body.
        stream.write_all(if i % 2 == 0 { head.as_bytes() } else { &head.as_bytes()[..40] }).unwrap();
    }
    serves(address);
    for (i, stream) in slow.iter_mut().enumerate() {
        let words: &[&str] = if i % 2 == 0 { &["1 bytes of the body came"] } else { &["head is not whole"] };
        let body = Reply::read(stream).unwrap_or_else(|| panic!("{i}: no answer")).refused(408, words);
        assert_eq!(body["limit"]["name"], "patience");
    }
    serves(address);
}

#[test]
fn thousands_of_slow_connections_leave_room_for_one_more() {
    let Some(server) = Small::start(|_| {}) else { return };
    let address = server.address;
    let start = Instant::now();
    let mut slow = Vec::new();
    // As many as the system lets one process hold. Where its list of those that wait to be taken is short, each time that it
    // overflows costs the client a second.
    let most = if crate::common::full() { 10_000 } else { 2_000 };
    while slow.len() < most {
        let Ok(mut stream) = TcpStream::connect_timeout(&address, Duration::from_secs(5)) else { break };
        let _ = stream.write_all(b"POST /v1/faces HTTP/1.1\r\nHost: x\r\n");
        slow.push(stream);
        if slow.len().is_multiple_of(1000) {
            serves(address);
        }
    }
    assert!(slow.len() >= 1000, "only {} connections", slow.len());
    serves(address);
    eprintln!("{} slow connections in {:.1} s", slow.len(), start.elapsed().as_secs_f64());
    let text = String::from_utf8(get(address, "/metrics").body).unwrap();
    let line = text.lines().find(|line| line.starts_with("warpface_connections ")).unwrap();
    let open: usize = line.rsplit(' ').next().unwrap().parse().unwrap();
    assert!(open <= 900, "{line}");
    drop(slow);
    serves(address);
}
