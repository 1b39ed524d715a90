//! What people and their tools read: the page, and the description of all paths.

use std::sync::LazyLock;

use axum::body::Body;
use axum::http::{HeaderValue, header};
use axum::response::Response;
use base64::Engine as _;
use sha2::{Digest, Sha256};

/// The page, with what it shares with the pages of runs.
static PAGE: LazyLock<String> =
    LazyLock::new(|| include_str!("page.html").replace("/*SHARED*/\n", include_str!("../eval/report/page.css")));

/// What a browser may do for the page: run its own script and style, show pictures that it made, ask this server.
static POLICY: LazyLock<String> = LazyLock::new(|| {
    let (style, script) = (hash(within(&PAGE, "style")), hash(within(&PAGE, "script")));
    format!(
        "default-src 'none'; style-src '{style}'; script-src '{script}'; img-src blob: data:; connect-src 'self'; \
         base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    )
});

/// The description, with this version.
static OPENAPI: LazyLock<String> =
    LazyLock::new(|| include_str!("openapi.json").replace("\"VERSION\"", &format!("{:?}", env!("CARGO_PKG_VERSION"))));

/// What stands in the first element of this name.
fn within<'a>(page: &'a str, name: &str) -> &'a str {
    let inner = page.split_once(&format!("<{name}>")).and_then(|(_, rest)| rest.split_once(&format!("</{name}>")));
    inner.map_or("", |(inner, _)| inner)
}

/// How a policy names a text.
fn hash(text: &str) -> String {
    format!("sha256-{}", base64::engine::general_purpose::STANDARD.encode(Sha256::digest(text)))
}

/// `GET /`.
pub async fn page() -> Response {
    let mut response = text(&PAGE, "text/html; charset=utf-8");
    let headers = response.headers_mut();
    if let Ok(policy) = HeaderValue::from_str(&POLICY) {
        headers.insert(header::CONTENT_SECURITY_POLICY, policy);
    }
    headers.insert(header::REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
    response
}

/// `GET /openapi.json`.
pub async fn openapi() -> Response {
    text(&OPENAPI, "application/json")
}

fn text(text: &'static str, kind: &'static str) -> Response {
    let mut response = Response::new(Body::from(text));
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static(kind));
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_page_needs_nothing_else() {
        assert!(!PAGE.contains("SHARED") && PAGE.contains("prefers-color-scheme: dark"));
        for foreign in ["src=\"", "url(", "@import", "https://", "//cdn"] {
            assert!(!PAGE.contains(foreign), "{foreign}");
        }
        for name in ["style", "script"] {
            assert!(within(&PAGE, name).len() > 1000, "{name}");
            assert_eq!(PAGE.matches(&format!("<{name}")).count(), 1, "the policy knows one {name}");
        }
        let description: serde_json::Value = serde_json::from_str(&OPENAPI).unwrap();
        assert_eq!(description["info"]["version"], env!("CARGO_PKG_VERSION"));
    }
}
