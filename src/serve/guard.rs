//! Who is served: any web page can reach a server on the loopback address, so that the address alone says nothing.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Instant;

use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode, Uri, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};

use super::connections::Open;
use super::problem::{Answer, Problem};
use super::{Options, Shared, routes};
use crate::error::{Field, message};

/// Paths that need no token: they tell nothing, and those who ask for them cannot show any.
const OPEN: [&str; 3] = ["/", "/v2/health/live", "/v2/health/ready"];

/// The address at which a client reached the server.
#[derive(Clone, Copy)]
pub struct Reached(pub SocketAddr);

/// Checks a request, has it answered in time, counts it, and puts problems in words.
pub async fn guard(State(shared): State<Arc<Shared>>, request: Request, next: Next) -> Response {
    let start = Instant::now();
    let label = routes::label(request.uri().path());
    let open = request.extensions().get::<Arc<Open>>().cloned();
    if let Some(open) = &open {
        open.works(matches!(*request.method(), Method::GET | Method::HEAD));
    }
    let checked = check(&shared.options, &request);
    let mut response = match &checked {
        Err(problem) => problem.clone().into_response(),
        Ok(Some(origin)) if is_preflight(&request) => preflight(&request, origin),
        Ok(_) => timed(&shared, request, next).await,
    };
    if let Some(problem) = response.extensions_mut().remove::<Problem>() {
        response = problem.answer(shared.options.name);
    }
    let headers = response.headers_mut();
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    if let Ok(Some(origin)) = checked {
        headers.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, origin);
        headers.insert(header::ACCESS_CONTROL_EXPOSE_HEADERS, HeaderValue::from_static(super::v2::HEADER_LENGTH));
        headers.insert(header::VARY, HeaderValue::from_static("Origin"));
    }
    if let Some(open) = &open {
        open.works(false);
    }
    shared.metrics.answered(label, response.status().as_u16(), start.elapsed());
    response
}

/// The answer, or that there is none in time.
async fn timed(shared: &Shared, request: Request, next: Next) -> Response {
    let deadline = shared.options.limits.deadline;
    match tokio::time::timeout(deadline, next.run(request)).await {
        Ok(response) => response,
        Err(_) => {
            let message = message![
                format!("there was no answer within {} s: the server's ", deadline.as_secs_f64()),
                Field("deadline"),
                " says so"
            ];
            Problem::unavailable(message).limit("deadline", deadline.as_secs()).into_response()
        }
    }
}

/// Refuses a request that the server is not asked by its own name, from its own pages, or without its token. The origin, where
/// it is one that may call.
fn check(options: &Options, request: &Request) -> Answer<Option<HeaderValue>> {
    let headers = request.headers();
    let reached = request.extensions().get::<Reached>().map(|reached| reached.0);
    let host = host(headers, request.uri())?;
    if !reached.is_some_and(|reached| is_ours(&host, reached, &options.allow_hosts)) {
        let message = message![
            format!("Host: {host} is not this server's address; call it by that, or start it with "),
            Field("allow_host")
        ];
        return Err(Problem::new(StatusCode::FORBIDDEN, message));
    }
    let origin = origin(headers, &host, &options.cors)?;
    if origin.is_some() && is_preflight(request) {
        return Ok(origin);
    }
    let shown = |token: &super::Token| {
        headers.get(header::AUTHORIZATION).is_some_and(|header| token.is_shown_by(header.as_bytes()))
    };
    match &options.token {
        Some(token) if !OPEN.contains(&request.uri().path()) && !shown(token) => {
            let message = "give the server's token, as `Authorization: Bearer TOKEN`";
            Err(Problem::new(StatusCode::UNAUTHORIZED, message))
        }
        _ => Ok(origin),
    }
}

/// By which name the server is called.
fn host(headers: &HeaderMap, uri: &Uri) -> Answer<String> {
    let mut given = headers.get_all(header::HOST).iter();
    let text = match (given.next(), given.next()) {
        (Some(host), None) => host.to_str().unwrap_or_default().to_owned(),
        (None, _) => return Err(Problem::bad("the request has no Host header")),
        _ => return Err(Problem::bad("the request has several Host headers")),
    };
    match uri.authority() {
        Some(authority) if !authority.as_str().eq_ignore_ascii_case(&text) => {
            Err(Problem::bad(format!("the request is for {authority}, and its Host header says {text}")))
        }
        _ => Ok(text),
    }
}

/// Whether a host is the address that was reached, or one that is allowed.
fn is_ours(host: &str, reached: SocketAddr, allowed: &[String]) -> bool {
    let (name, port) = match host.rsplit_once(':') {
        Some((name, port)) if !port.ends_with(']') => (name, port.parse().ok()),
        _ => (host, Some(80)),
    };
    if allowed.iter().any(|allowed| allowed.eq_ignore_ascii_case(host) || allowed.eq_ignore_ascii_case(name)) {
        return true;
    }
    let ip = reached.ip().to_canonical();
    let bare = name.strip_prefix('[').and_then(|name| name.strip_suffix(']')).unwrap_or(name);
    let is_address = bare.parse::<IpAddr>().is_ok_and(|named| named.to_canonical() == ip);
    port == Some(reached.port()) && (is_address || ip.is_loopback() && name.eq_ignore_ascii_case("localhost"))
}

/// Refuses requests from foreign pages. The origin, where it is another that may call.
fn origin(headers: &HeaderMap, host: &str, allowed: &[String]) -> Answer<Option<HeaderValue>> {
    let Some(origin) = headers.get(header::ORIGIN) else { return Ok(None) };
    let text = origin.to_str().unwrap_or_default();
    let of = ["http://", "https://"].iter().find_map(|scheme| text.strip_prefix(scheme));
    if of.is_some_and(|of| of.eq_ignore_ascii_case(host)) {
        return Ok(None);
    }
    if allowed.iter().any(|allowed| allowed.eq_ignore_ascii_case(text)) {
        return Ok(Some(origin.clone()));
    }
    let message = message![
        format!("Origin: pages of {text} may not call this server, unless it is started with "),
        Field("cors")
    ];
    Err(Problem::new(StatusCode::FORBIDDEN, message))
}

/// Whether a browser asks if a page may send what it wants to send.
fn is_preflight(request: &Request) -> bool {
    request.method() == Method::OPTIONS && request.headers().contains_key(header::ACCESS_CONTROL_REQUEST_METHOD)
}

fn preflight(request: &Request, origin: &HeaderValue) -> Response {
    let mut response = Response::new(Body::empty());
    *response.status_mut() = StatusCode::NO_CONTENT;
    let headers = response.headers_mut();
    headers.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, origin.clone());
    headers.insert(header::ACCESS_CONTROL_ALLOW_METHODS, HeaderValue::from_static("GET, POST"));
    let allowed = "authorization, content-type, content-encoding, inference-header-content-length";
    headers.insert(header::ACCESS_CONTROL_ALLOW_HEADERS, HeaderValue::from_static(allowed));
    headers.insert(header::ACCESS_CONTROL_MAX_AGE, HeaderValue::from_static("600"));
    if request.headers().contains_key("access-control-request-private-network") {
        headers.insert("access-control-allow-private-network", HeaderValue::from_static("true"));
    }
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_address_itself_and_what_is_allowed_are_ours() {
        let v4: SocketAddr = "127.0.0.1:8501".parse().unwrap();
        let v6: SocketAddr = "[::1]:8501".parse().unwrap();
        let lan: SocketAddr = "192.168.1.5:80".parse().unwrap();
        let mapped: SocketAddr = "[::ffff:192.168.1.5]:8501".parse().unwrap();
        let none: &[String] = &[];
        for (host, reached) in [
            ("127.0.0.1:8501", v4),
            ("localhost:8501", v4),
            ("LOCALHOST:8501", v6),
            ("[::1]:8501", v6),
            ("192.168.1.5", lan),
            ("192.168.1.5:8501", mapped),
        ] {
            assert!(is_ours(host, reached, none), "{host} at {reached}");
        }
        for (host, reached) in [
            ("evil.example:8501", v4),
            ("127.0.0.1", v4),
            ("127.0.0.1:80", v4),
            ("127.0.0.1.evil.example:8501", v4),
            ("localhost:80", lan),
            ("::1", v6),
            ("", v4),
            ("[::1", v6),
            ("127.0.0.1:8501:8501", v4),
        ] {
            assert!(!is_ours(host, reached, none), "{host} at {reached}");
        }
        let allowed = ["faces.example".to_owned(), "other.example:9000".to_owned()];
        assert!(is_ours("faces.example:123", lan, &allowed) && is_ours("Faces.Example", lan, &allowed));
        assert!(is_ours("other.example:9000", lan, &allowed) && !is_ours("other.example:9001", lan, &allowed));
    }

    #[test]
    fn foreign_pages_are_refused() {
        let of = |value: &'static str, allowed: &[String]| {
            let headers = HeaderMap::from_iter([(header::ORIGIN, HeaderValue::from_static(value))]);
            origin(&headers, "localhost:8501", allowed).map(|origin| origin.is_some())
        };
        assert!(matches!(of("http://localhost:8501", &[]), Ok(false)));
        assert!(matches!(of("https://localhost:8501", &[]), Ok(false)));
        for foreign in ["null", "http://localhost", "http://evil.example", "file://", "", "http://localhost:8501.evil"]
        {
            assert!(of(foreign, &[]).is_err(), "{foreign}");
        }
        assert!(matches!(of("https://a.example", &["https://a.example".to_owned()]), Ok(true)));
        assert!(of("http://a.example", &["https://a.example".to_owned()]).is_err());
    }
}
