//! JSON bodies: answers, and what is read of requests.

use axum::body::Body;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::Response;
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::problem::{Answer, Problem};

/// An answer of this value.
pub fn answer(status: StatusCode, value: &impl Serialize) -> Response {
    // Nothing that is answered has keys that are no strings.
    let body = serde_json::to_vec(value).unwrap_or_default();
    let mut response = Response::new(Body::from(body));
    *response.status_mut() = status;
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response
}

/// An answer of this value, and that all went well.
pub fn done(value: &impl Serialize) -> Response {
    answer(StatusCode::OK, value)
}

/// Reads a body that must be JSON of this form.
pub fn read<T: DeserializeOwned>(body: &[u8]) -> Answer<T> {
    serde_json::from_slice(body).map_err(|error| Problem::bad(explain(body, &error)))
}

/// Why a body is not read. What Python's and JavaScript's writers put for numbers that are none is named.
fn explain(body: &[u8], error: &serde_json::Error) -> String {
    if body.is_empty() {
        return "JSON: the body is empty".to_owned();
    }
    let line = body.split(|&byte| byte == b'\n').nth(error.line().saturating_sub(1)).unwrap_or_default();
    // The column counts what was read, the byte at fault included.
    let from = &line[error.column().saturating_sub(2).min(line.len())..];
    let start = &from[..from.len().min(12)];
    let is_none = ["NaN", "Infinity"].iter().any(|word| start.windows(word.len()).any(|part| part == word.as_bytes()));
    match error.is_syntax() && is_none {
        true => format!("JSON: NaN and Infinity are no pixels (line {}, column {})", error.line(), error.column()),
        false => format!("JSON: {error}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::Value;

    #[test]
    fn what_is_no_number_is_named() {
        let why = |text: &str| explain(text.as_bytes(), &serde_json::from_str::<Value>(text).unwrap_err());
        for text in ["[1, NaN]", "[1,\nInfinity]", "[-Infinity]", "{\"a\": [[1.0, 2.0, NaN, 3.0]]}"] {
            assert!(why(text).contains("no pixels"), "{text}: {}", why(text));
        }
        assert!(why("[1, nul]").contains("expected ident"), "{}", why("[1, nul]"));
        assert!(why("[1").contains("EOF") && why("").contains("empty"));
    }
}
