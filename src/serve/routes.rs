//! Which path is answered by what.

use std::sync::Arc;

use axum::Router;
use axum::extract::State;
use axum::http::{HeaderValue, Method, StatusCode, Uri, header};
use axum::middleware;
use axum::response::{IntoResponse, Response};
use axum::routing::{any, get, post};

use super::metrics::Gauges;
use super::problem::Problem;
use super::{Shared, guard, pages, predict, tasks, v2};

/// All paths.
pub fn router(shared: &Arc<Shared>) -> Router {
    Router::new()
        .route("/", get(pages::page))
        .route("/openapi.json", get(pages::openapi))
        .route("/metrics", get(metrics))
        .route("/v1/faces", post(tasks::faces))
        .route("/v1/compare", post(tasks::compare))
        .route("/v1/search", post(tasks::search))
        .route("/v1/models/{model}", any(predict::model))
        .route("/v1/models/{model}/metadata", get(predict::metadata))
        .route("/v1/models/{model}/versions/{version}", any(predict::version))
        .route("/v1/models/{model}/versions/{version}/metadata", get(predict::metadata_of))
        .route("/v2", get(v2::server))
        .route("/v2/health/live", get(v2::live))
        .route("/v2/health/ready", get(v2::ready))
        .route("/v2/models/{model}", get(v2::metadata))
        .route("/v2/models/{model}/ready", get(v2::model_ready))
        .route("/v2/models/{model}/infer", post(v2::infer))
        .route("/v2/models/{model}/versions/{version}", get(v2::metadata_of))
        .route("/v2/models/{model}/versions/{version}/ready", get(v2::model_ready_of))
        .route("/v2/models/{model}/versions/{version}/infer", post(v2::infer_of))
        .fallback(unknown)
        .method_not_allowed_fallback(wrong_method)
        .layer(middleware::from_fn_with_state(shared.clone(), guard::guard))
        .with_state(shared.clone())
}

/// What a path is counted as: one of few names, whatever clients ask for.
pub fn label(path: &str) -> &'static str {
    let parts: Vec<&str> = path.split('/').skip(1).take(7).collect();
    match parts[..] {
        [""] => "/",
        ["openapi.json"] => "/openapi.json",
        ["metrics"] => "/metrics",
        ["v1", "faces"] => "/v1/faces",
        ["v1", "compare"] => "/v1/compare",
        ["v1", "search"] => "/v1/search",
        ["v1", "models", .., last] if last.ends_with(":predict") => "/v1/models/{model}:predict",
        ["v1", "models", ..] => "/v1/models/{model}",
        ["v2", "health", "live"] => "/v2/health/live",
        ["v2", "health", "ready"] => "/v2/health/ready",
        ["v2", "models", .., "infer"] => "/v2/models/{model}/infer",
        ["v2", ..] => "/v2",
        _ => "other",
    }
}

async fn metrics(State(shared): State<Arc<Shared>>) -> Response {
    let gauges = Gauges { ready: shared.is_ready(), queue: shared.queue.len(), open: shared.connections.len() };
    let mut response = shared.metrics.text(&gauges).into_response();
    let kind = HeaderValue::from_static("text/plain; version=0.0.4; charset=utf-8");
    response.headers_mut().insert(header::CONTENT_TYPE, kind);
    response
}

async fn unknown(method: Method, uri: Uri) -> Problem {
    let message =
        format!("Malformed request: {method} {}: there is no such path; /openapi.json lists them", uri.path());
    Problem::new(StatusCode::NOT_FOUND, message)
}

async fn wrong_method(method: Method, uri: Uri) -> Problem {
    let message = format!("{method} {}: the path takes another method; /openapi.json lists them", uri.path());
    Problem::new(StatusCode::METHOD_NOT_ALLOWED, message)
}
