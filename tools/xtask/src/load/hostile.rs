//! Clients that are killed, slow, or make no sense.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

/// Requests of one kind of bad client; a connection each.
fn bodies(address: SocketAddr, good: &[u8]) -> Vec<Vec<u8>> {
    let head = |length: u64, body: &str| {
        format!("POST /v1/models/facenet:predict HTTP/1.1\r\nHost: {address}\r\nContent-Length: {length}\r\n\r\n{body}")
            .into_bytes()
    };
    vec![
        // Killed in the middle of a body, and of a head.
        good[..good.len() / 2].to_vec(),
        good[..20].to_vec(),
        // Killed before the answer.
        good.to_vec(),
        // What makes no sense.
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03".to_vec(),
        head(1 << 30, ""),
        head(13, "{\"instances\":"),
        head(21, "{\"instances\":[[NaN]]}"),
        head(40, "{\"instances\":[{\"b64\":\"bm8gcGljdHVyZQ==\"}]}"),
        format!("POST /v2/models/facenet/infer HTTP/1.1\r\nHost: {address}\r\nContent-Length: 2\r\nInference-Header-Content-Length: 77\r\n\r\n{{}}").into_bytes(),
    ]
}

/// Goes on until `end`; how many bad requests there were.
pub fn go_on(address: SocketAddr, good: &[u8], end: &AtomicBool) -> usize {
    let mut slow = Vec::new();
    let (kinds, mut sent) = (bodies(address, good), 0);
    while !end.load(Ordering::Relaxed) {
        for body in &kinds {
            let Ok(mut stream) = TcpStream::connect(address) else { continue };
            let _ = stream.set_read_timeout(Some(Duration::from_millis(20)));
            let _ = stream.write_all(body);
            // Whatever comes is not waited for.
            let _ = stream.read(&mut [0; 256]);
            sent += 1;
        }
        // Slow ones send a byte now and then, and are many.
        for _ in 0..20 {
            if let Ok(mut stream) = TcpStream::connect(address) {
                let _ = stream.write_all(b"POST /v1/faces HTTP/1.1\r\nHost: ");
                slow.push(stream);
                sent += 1;
            }
        }
        slow.iter_mut().for_each(|stream| drop(stream.write(b"x")));
        if slow.len() > 1500 {
            slow.drain(..500);
        }
        std::thread::sleep(Duration::from_millis(100));
    }
    sent
}
