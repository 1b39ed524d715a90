//! Answers that say why there is no other: one form for every path, that of TensorFlow Serving and of KServe.

use axum::body::Body;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde_json::json;

use crate::error::{ErrorKind, Field, Message, message};
use crate::{Error, error};

/// Why a request is not answered otherwise.
#[derive(Clone, Debug)]
pub struct Problem {
    status: StatusCode,
    message: Message,
    limit: Option<(Field, u64)>,
    retry_after: Option<u64>,
    allow: Option<&'static str>,
}

/// What a handler gives.
pub type Answer<T = Response> = std::result::Result<T, Problem>;

impl Problem {
    /// One with this status.
    pub fn new(status: StatusCode, message: impl Into<Message>) -> Problem {
        Problem { status, message: message.into(), limit: None, retry_after: None, allow: None }
    }

    /// The request makes no sense.
    pub fn bad(message: impl Into<Message>) -> Problem {
        Problem::new(StatusCode::BAD_REQUEST, message)
    }

    /// The request is understood, and what it holds cannot be worked on.
    pub fn unprocessable(message: impl Into<Message>) -> Problem {
        Problem::new(StatusCode::UNPROCESSABLE_ENTITY, message)
    }

    /// There is more than a limit allows: `what` says what there is, as `the body has 5 bytes`.
    pub fn beyond(status: StatusCode, what: String, field: &'static str, most: u64) -> Problem {
        let message = message![what, format!(", and {most} are the most: the server's "), Field(field), " says so"];
        Problem { limit: Some((Field(field), most)), ..Problem::new(status, message) }
    }

    /// The path takes these methods alone.
    pub fn wrong_method(allow: &'static str, message: impl Into<Message>) -> Problem {
        Problem { allow: Some(allow), ..Problem::new(StatusCode::METHOD_NOT_ALLOWED, message) }
    }

    /// The device has too much to do.
    pub fn queue_is_full(most: usize, seconds: u64) -> Problem {
        let what = "all places of the queue are taken".to_owned();
        let problem = Problem::beyond(StatusCode::TOO_MANY_REQUESTS, what, "max_queue", most as u64);
        problem.retry_after(seconds)
    }

    /// The server cannot answer now.
    pub fn unavailable(message: impl Into<Message>) -> Problem {
        Problem::new(StatusCode::SERVICE_UNAVAILABLE, message).retry_after(1)
    }

    /// The same, and when to try again.
    pub fn retry_after(self, seconds: u64) -> Problem {
        Problem { retry_after: Some(seconds), ..self }
    }

    /// The same, and which limit it is about.
    pub fn limit(self, field: &'static str, most: u64) -> Problem {
        Problem { limit: Some((Field(field), most)), ..self }
    }

    /// The same with another status.
    pub fn status(self, status: StatusCode) -> Problem {
        Problem { status, ..self }
    }

    /// What an error of the library is to a client: a device's is ours, any other the request's.
    pub fn of(error: &Error) -> Problem {
        let status = match error.kind() {
            ErrorKind::Device => StatusCode::INTERNAL_SERVER_ERROR,
            ErrorKind::Memory => StatusCode::SERVICE_UNAVAILABLE,
            _ => StatusCode::UNPROCESSABLE_ENTITY,
        };
        Problem::new(status, words(error))
    }

    /// Its answer, with fields called as `name` has them.
    pub fn answer(&self, name: fn(Field) -> String) -> Response {
        let mut body = json!({ "error": self.message.with_names(name) });
        if let Some((field, most)) = self.limit {
            body["limit"] = json!({ "name": field.name(), "flag": name(field), "most": most });
        }
        let mut response = super::json::answer(self.status, &body);
        let headers = response.headers_mut();
        if let Some(seconds) = self.retry_after {
            headers.insert(header::RETRY_AFTER, seconds.into());
        }
        if let Some(allow) = self.allow {
            headers.insert(header::ALLOW, HeaderValue::from_static(allow));
        }
        if self.status == StatusCode::UNAUTHORIZED {
            headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        }
        response
    }
}

/// An error's words, with its fields yet to be named.
fn words(error: &Error) -> Message {
    match error {
        Error::Image { path, problem } | Error::Data { path, line: None, problem } => {
            message![format!("{}: ", path.display())].and(problem.clone())
        }
        Error::Invalid { what: error::Subject::Text(what), problem } => {
            message![format!("{what}: ")].and(problem.clone())
        }
        other => other.to_string().into(),
    }
}

impl From<&Error> for Problem {
    fn from(error: &Error) -> Problem {
        Problem::of(error)
    }
}

impl IntoResponse for Problem {
    /// Without a body: [`super::guard`] writes it, who knows what fields are called.
    fn into_response(self) -> Response {
        let mut response = Response::new(Body::empty());
        *response.status_mut() = self.status;
        response.extensions_mut().insert(self);
        response
    }
}
