//! A client that says exactly what a test wants it to say.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use base64::Engine as _;
use serde_json::Value;

/// Longer than any answer takes.
const PATIENCE: Duration = Duration::from_secs(60);

/// An answer.
#[derive(Debug)]
pub struct Reply {
    pub status: u16,
    pub head: String,
    pub body: Vec<u8>,
}

impl Reply {
    /// Reads one answer; nothing where the other side closes without any.
    pub fn read(stream: &mut TcpStream) -> Option<Reply> {
        let mut bytes = Vec::new();
        let mut buffer = [0; 4096];
        let end = loop {
            if let Some(at) = bytes.windows(4).position(|part| part == b"\r\n\r\n") {
                break at;
            }
            match stream.read(&mut buffer) {
                Ok(n) if n > 0 => bytes.extend_from_slice(&buffer[..n]),
                _ => return None,
            }
        };
        let head = String::from_utf8(bytes[..end].to_vec()).unwrap();
        let mut body = bytes.split_off(end + 4);
        let status = head.split(' ').nth(1).unwrap().parse().unwrap();
        let mut reply = Reply { status, head, body: Vec::new() };
        let length: usize = reply.header("content-length").map_or(0, |length| length.parse().unwrap());
        while body.len() < length {
            match stream.read(&mut buffer) {
                Ok(n) if n > 0 => body.extend_from_slice(&buffer[..n]),
                _ => panic!("the body ends after {} of {length} bytes", body.len()),
            }
        }
        reply.body = body;
        Some(reply)
    }

    /// A header's value.
    pub fn header(&self, name: &str) -> Option<&str> {
        let lines = self.head.lines().skip(1).filter_map(|line| line.split_once(':'));
        lines.into_iter().find(|(found, _)| found.eq_ignore_ascii_case(name)).map(|(_, value)| value.trim())
    }

    /// The body as JSON.
    #[track_caller]
    pub fn json(&self) -> Value {
        let text = String::from_utf8_lossy(&self.body);
        serde_json::from_str(&text).unwrap_or_else(|error| panic!("{error}: {} {text}", self.status))
    }

    /// The body as JSON, with this status.
    #[track_caller]
    pub fn expect(&self, status: u16) -> Value {
        assert_eq!(self.status, status, "{}\n{}", self.head, String::from_utf8_lossy(&self.body));
        self.json()
    }

    /// Checks that it is an error of this status, which says each of these words.
    #[track_caller]
    pub fn refused(&self, status: u16, words: &[&str]) -> Value {
        let body = self.expect(status);
        let error = body["error"].as_str().unwrap_or_else(|| panic!("no error: {body}"));
        for word in words {
            assert!(error.contains(word), "`{word}` is not in: {error}");
        }
        body
    }
}

/// A connection to a server.
pub fn connect(address: SocketAddr) -> TcpStream {
    let stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    stream.set_write_timeout(Some(PATIENCE)).unwrap();
    stream.set_nodelay(true).unwrap();
    stream
}

/// A request, with the headers that every client sends.
pub fn request(address: SocketAddr, method: &str, path: &str, headers: &[(&str, &str)], body: &[u8]) -> Vec<u8> {
    let mut text = format!("{method} {path} HTTP/1.1\r\n");
    if !headers.iter().any(|(name, _)| name.eq_ignore_ascii_case("host")) {
        text += &format!("Host: {address}\r\n");
    }
    headers.iter().for_each(|(name, value)| text += &format!("{name}: {value}\r\n"));
    if !body.is_empty() || method == "POST" {
        text += &format!("Content-Length: {}\r\n", body.len());
    }
    text += "\r\n";
    [text.as_bytes(), body].concat()
}

/// Sends a request on a connection of its own.
#[track_caller]
pub fn send(address: SocketAddr, method: &str, path: &str, headers: &[(&str, &str)], body: &[u8]) -> Reply {
    let mut stream = connect(address);
    // What the server does not want to read all of, it may answer before.
    let _ = stream.write_all(&request(address, method, path, headers, body));
    Reply::read(&mut stream).unwrap_or_else(|| panic!("{method} {path}: no answer"))
}

#[track_caller]
pub fn get(address: SocketAddr, path: &str) -> Reply {
    send(address, "GET", path, &[], &[])
}

#[track_caller]
pub fn post(address: SocketAddr, path: &str, body: impl AsRef<[u8]>) -> Reply {
    send(address, "POST", path, &[], body.as_ref())
}

/// JSON's way of bytes.
pub fn b64(bytes: &[u8]) -> Value {
    serde_json::json!({ "b64": base64::engine::general_purpose::STANDARD.encode(bytes) })
}

/// A form of files, as browsers and `curl -F` send it.
pub fn form(files: &[(&str, &[u8])]) -> (String, Vec<u8>) {
    let boundary = "----a-boundary-that-no-picture-has";
    let mut body = Vec::new();
    for (name, bytes) in files {
        let head =
            format!("--{boundary}\r\nContent-Disposition: form-data; name=\"{name}\"; filename=\"{name}.jpg\"\r\n");
        body.extend(format!("{head}Content-Type: image/jpeg\r\n\r\n").bytes());
        body.extend_from_slice(bytes);
        body.extend(b"\r\n");
    }
    body.extend(format!("--{boundary}--\r\n").bytes());
    (format!("multipart/form-data; boundary={boundary}"), body)
}
