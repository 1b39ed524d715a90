//! Who is served, and who is not: hosts, origins, tokens; limits that are named; an end that loses nothing.

use std::io::Write;
use std::time::{Duration, Instant};

use serde_json::json;
use warpface::serve::{Limits, Token};

use crate::client::{Reply, b64, connect, get, post, request, send};
use crate::served::{Small, crop, png};

const PREDICT: &str = "/v1/models/facenet:predict";

fn predict() -> String {
    json!({ "instances": [b64(&png(&crop(1)))] }).to_string()
}

#[test]
fn other_pages_and_names_are_refused() {
    let allow = |options: &mut warpface::serve::Options| {
        options.allow_hosts = vec!["faces.example".into()];
        options.cors = vec!["https://app.example".into()];
    };
    let Some(server) = Small::start(allow) else { return };
    let (address, port) = (server.address, server.address.port());
    let with = |headers: &[(&str, &str)]| send(address, "GET", "/v1/models/facenet", headers, b"");
    let localhost = format!("localhost:{port}");
    for host in [localhost.as_str(), "faces.example", "faces.example:1234"] {
        assert_eq!(with(&[("Host", host)]).status, 200, "{host}");
    }
    for host in ["evil.example", "127.0.0.1", "evil.example:8501", ""] {
        with(&[("Host", host)]).refused(403, &["allow_host"]);
    }
    let own = format!("http://{localhost}");
    assert_eq!(with(&[("Host", &localhost), ("Origin", &own)]).status, 200);
    for origin in ["https://evil.example", "null", "http://localhost"] {
        let refused = with(&[("Host", &localhost), ("Origin", origin)]);
        refused.refused(403, &["Origin", "cors"]);
        assert_eq!(refused.header("access-control-allow-origin"), None);
    }
    let allowed = with(&[("Origin", "https://app.example")]);
    assert_eq!(allowed.header("access-control-allow-origin"), Some("https://app.example"));
    assert_eq!(with(&[]).header("access-control-allow-origin"), None);
    let ask = [("Origin", "https://app.example"), ("Access-Control-Request-Method", "POST")];
    let preflight = send(address, "OPTIONS", PREDICT, &ask, b"");
    assert_eq!((preflight.status, preflight.header("access-control-allow-methods")), (204, Some("GET, POST")));
    let ask = [("Origin", "https://evil.example"), ("Access-Control-Request-Method", "POST")];
    send(address, "OPTIONS", PREDICT, &ask, b"").refused(403, &["Origin"]);
    // A proxy's form of a request names the host twice.
    let mut stream = connect(address);
    let text = format!("GET http://evil.example/ HTTP/1.1\r\nHost: {address}\r\n\r\n");
    stream.write_all(text.as_bytes()).unwrap();
    Reply::read(&mut stream).unwrap().refused(400, &["evil.example"]);
}

#[test]
fn a_token_is_asked_for_by_all_but_page_and_health() {
    let token = "correct horse battery staple";
    let Some(server) = Small::start(|options| options.token = Some(Token::new(token).unwrap())) else { return };
    let address = server.address;
    for path in ["/", "/v2/health/live", "/v2/health/ready"] {
        assert_eq!(get(address, path).status, 200, "{path}");
    }
    for path in ["/metrics", "/v2", "/v1/models/facenet", "/openapi.json", "/v1/nothing"] {
        let refused = get(address, path);
        refused.refused(401, &["Authorization: Bearer"]);
        assert_eq!(refused.header("www-authenticate"), Some("Bearer"));
    }
    let right = format!("Bearer {token}");
    let wrong = format!("Bearer {token}r");
    let send = |shown: &str| send(address, "POST", PREDICT, &[("Authorization", shown)], predict().as_bytes());
    assert_eq!(send(&right).status, 200);
    send(&wrong).refused(401, &[]);
    assert!(!String::from_utf8(get(address, "/metrics").body).unwrap().contains("horse"));
}

#[test]
fn limits_are_named() {
    let small = Limits { max_bytes: 4000, max_pixels: 2000, max_queue: 4, ..Limits::default() };
    let Some(server) = Small::start(|options| options.limits = small) else { return };
    let address = server.address;
    let body = post(address, PREDICT, vec![b' '; 4001]).refused(413, &["4001 bytes", "4000 are the most", "max_bytes"]);
    assert_eq!(body["limit"]["name"], "max_bytes");
    assert_eq!(body["limit"]["most"], 4000);
    let large = warpface::image::encode_png(&warpface::image::Rgb8::black(50, 41)).unwrap();
    let body = post(address, "/v1/faces", &large).refused(413, &["50 x 41 pixels", "2000 are the most"]);
    assert_eq!(body["limit"]["name"], "max_pixels");
    // In pieces, whose number is not told beforehand.
    let mut stream = connect(address);
    let head = format!("POST {PREDICT} HTTP/1.1\r\nHost: {address}\r\nTransfer-Encoding: chunked\r\n\r\n");
    stream.write_all(head.as_bytes()).unwrap();
    let piece = [b"400\r\n", &[b' '; 1024][..], b"\r\n"].concat();
    (0..5).for_each(|_| drop(stream.write_all(&piece)));
    Reply::read(&mut stream).unwrap().refused(413, &["longer than 4000 bytes"]);
}

#[test]
fn a_full_queue_says_when_to_come_again() {
    let narrow = Limits { max_queue: 2, ..Limits::default() };
    let Some(server) = Small::start(|options| options.limits = narrow) else { return };
    let address = server.address;
    // Photographs take the device long enough for others to find the queue full.
    let pixels = crate::common::Noise::new(1).bytes(&[900, 1200, 3]);
    let photo = warpface::image::Rgb8::new(1200, 900, pixels.data().iter().map(|&x| x as u8).collect());
    let photo = warpface::image::encode_jpeg(&photo, 90).unwrap();
    let answers: Vec<Reply> = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..8).map(|_| scope.spawn(|| post(address, "/v1/faces", &photo))).collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).collect()
    });
    let refused: Vec<&Reply> = answers.iter().filter(|answer| answer.status != 200).collect();
    assert!(!refused.is_empty() && refused.len() < answers.len(), "{} of 8 refused", refused.len());
    for answer in refused {
        let body = answer.refused(429, &["max_queue"]);
        assert_eq!(body["limit"]["most"], 2);
        assert!(answer.header("retry-after").unwrap().parse::<u64>().unwrap() >= 1);
    }
    assert_eq!(post(address, PREDICT, predict()).status, 200);
}

#[test]
fn what_takes_too_long_is_given_up() {
    let hasty = Limits { deadline: Duration::from_millis(1), ..Limits::default() };
    let Some(server) = Small::start(|options| options.limits = hasty) else { return };
    let pixels = crate::common::Noise::new(1).bytes(&[900, 1200, 3]);
    let photo = warpface::image::Rgb8::new(1200, 900, pixels.data().iter().map(|&x| x as u8).collect());
    let photo = warpface::image::encode_jpeg(&photo, 90).unwrap();
    let answer = post(server.address, "/v1/faces", &photo);
    let body = answer.refused(503, &["no answer within 0.001 s"]);
    assert_eq!(body["limit"]["name"], "deadline");
    assert!(answer.header("retry-after").is_some());
}

#[test]
fn ending_answers_what_was_taken() {
    let Some(server) = Small::start(|_| {}) else { return };
    let address = server.address;
    let mut idle = connect(address);
    idle.write_all(&request(address, "GET", "/v2/health/live", &[], b"")).unwrap();
    assert_eq!(Reply::read(&mut idle).unwrap().status, 200);
    // A request whose body is on its way when the end is asked for.
    let body = predict();
    let whole = request(address, "POST", PREDICT, &[], body.as_bytes());
    let (first, second) = whole.split_at(whole.len() - 20);
    let mut stream = connect(address);
    stream.write_all(first).unwrap();
    std::thread::sleep(Duration::from_millis(50));
    server.stop();
    std::thread::sleep(Duration::from_millis(50));
    stream.write_all(second).unwrap();
    assert_eq!(Reply::read(&mut stream).unwrap().status, 200);
    let start = Instant::now();
    server.end();
    assert!(start.elapsed() < Duration::from_secs(5), "the idle connection held it");
    assert!(Reply::read(&mut idle).is_none());
    assert!(std::net::TcpStream::connect(address).is_err(), "it still listens");
}
