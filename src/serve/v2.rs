//! The model as KServe's Open Inference Protocol (version 2) has it, with the extension of binary tensors.

mod binary;
mod request;

use std::sync::Arc;

use axum::body::Body;
use axum::extract::{Path, Request, State};
use axum::http::{HeaderName, HeaderValue, header};
use axum::response::Response;
use serde_json::{Value, json};

use super::predict::{self, found};
use super::problem::{Answer, Problem};
use super::{INPUT, MODEL, OUTPUT, Shared, VERSION, await_reply, blocking, body, json};
use request::Infer;

/// Tells how long the JSON before binary tensors is.
pub const HEADER_LENGTH: &str = "inference-header-content-length";

/// `GET /v2`.
pub async fn server() -> Response {
    let extensions = ["binary_tensor_data"];
    json::done(&json!({ "name": "warpface", "version": env!("CARGO_PKG_VERSION"), "extensions": extensions }))
}

/// `GET /v2/health/live`.
pub async fn live() -> Response {
    json::done(&json!({ "live": true }))
}

/// `GET /v2/health/ready`.
pub async fn ready(State(shared): State<Arc<Shared>>) -> Answer {
    match shared.is_ready() {
        true => Ok(json::done(&json!({ "ready": true }))),
        false => Err(Problem::unavailable("the models are being loaded, or the server is ending")),
    }
}

/// `GET /v2/models/facenet/ready`.
pub async fn model_ready(shared: State<Arc<Shared>>, Path(model): Path<String>) -> Answer {
    found(&model, VERSION)?;
    ready(shared).await?;
    Ok(json::done(&json!({ "name": model, "ready": true })))
}

/// `GET /v2/models/facenet/versions/1/ready`.
pub async fn model_ready_of(shared: State<Arc<Shared>>, Path((model, version)): Path<(String, String)>) -> Answer {
    found(&model, &version)?;
    model_ready(shared, Path(model)).await
}

/// `GET /v2/models/facenet`.
pub async fn metadata(State(shared): State<Arc<Shared>>, Path(model): Path<String>) -> Answer {
    found(&model, VERSION)?;
    let facts = shared.facts()?;
    Ok(json::done(&json!({
        "name": MODEL, "versions": [VERSION], "platform": "warpface",
        "inputs": [{ "name": INPUT, "datatype": "FP32", "shape": [-1, facts.size, facts.size, 3] }],
        "outputs": [{ "name": OUTPUT, "datatype": "FP32", "shape": [-1, facts.dim] }],
    })))
}

/// `GET /v2/models/facenet/versions/1`.
pub async fn metadata_of(shared: State<Arc<Shared>>, Path((model, version)): Path<(String, String)>) -> Answer {
    found(&model, &version)?;
    metadata(shared, Path(model)).await
}

/// `POST /v2/models/facenet/infer`.
pub async fn infer(State(shared): State<Arc<Shared>>, Path(model): Path<String>, request: Request) -> Answer {
    found(&model, VERSION)?;
    let facts = shared.facts()?;
    let (parts, body) = request.into_parts();
    let header = parts.headers.get(HEADER_LENGTH).map(length).transpose()?;
    let received = body::read(&shared, &parts, body).await?;
    let coming = shared.clone();
    let (wanted, given, places) = blocking(move || {
        let (_coming, facts) = (coming.queue.coming(), coming.facts()?);
        let infer = Infer::read(&received.bytes, header)?;
        let wanted = infer.wanted()?;
        let values = infer.values(facts)?;
        let places = coming.places(values.count())?;
        Ok((wanted, predict::given(&coming, facts, values)?, places))
    })
    .await?;
    let (n, mut values) = (given.len(), Vec::with_capacity(given.len() * facts.dim));
    for reply in shared.queue.crops(given) {
        values.extend(await_reply(reply).await?);
    }
    drop(places);
    let mut answer = json!({ "model_name": MODEL, "model_version": VERSION });
    if let Some(id) = wanted.id {
        answer["id"] = id.into();
    }
    let mut output = json!({ "name": OUTPUT, "datatype": "FP32", "shape": [n, facts.dim] });
    if !wanted.binary {
        output["data"] = json!(values);
        answer["outputs"] = json!([output]);
        return Ok(json::done(&answer));
    }
    output["parameters"] = json!({ "binary_data_size": 4 * values.len() });
    answer["outputs"] = json!([output]);
    Ok(with_binary(&answer, &values))
}

/// `POST /v2/models/facenet/versions/1/infer`.
pub async fn infer_of(
    shared: State<Arc<Shared>>,
    Path((model, version)): Path<(String, String)>,
    request: Request,
) -> Answer {
    found(&model, &version)?;
    infer(shared, Path(model), request).await
}

/// The length that a header tells.
fn length(value: &HeaderValue) -> Answer<usize> {
    let read = value.to_str().ok().and_then(|text| text.trim().parse().ok());
    read.ok_or_else(|| Problem::bad(format!("{HEADER_LENGTH}: {value:?} is no length")))
}

/// JSON, and values behind it.
fn with_binary(answer: &Value, values: &[f32]) -> Response {
    let mut body = answer.to_string().into_bytes();
    let length = body.len();
    body.extend(values.iter().flat_map(|value| value.to_le_bytes()));
    let mut response = Response::new(Body::from(body));
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/octet-stream"));
    headers.insert(HeaderName::from_static(HEADER_LENGTH), length.into());
    response
}
