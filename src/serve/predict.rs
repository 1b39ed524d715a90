//! The model as TensorFlow Serving's REST API has it.

use std::sync::Arc;

use axum::body::Body;
use axum::extract::{Path, Request, State};
use axum::http::{Method, StatusCode};
use axum::response::Response;
use serde::Deserialize;
use serde_json::{Value, json};

use super::engine::Facts;
use super::problem::{Answer, Problem};
use super::queue::Given;
use super::values::Values;
use super::{ENCODED, INPUT, MODEL, OUTPUT, Shared, VERSION, await_reply, blocking, body, json, pictures};

/// The signature of floats, and the one that is taken where none is named.
const FLOATS: &str = "serving_default";
/// The signature of encoded crops.
const CROPS: &str = "crops";

/// A request. What else stands in it is passed over, as TensorFlow Serving does.
#[derive(Deserialize)]
struct Predict {
    signature_name: Option<String>,
    instances: Option<Values>,
    inputs: Option<Values>,
}

/// `POST /v1/models/facenet:predict`, `GET /v1/models/facenet`.
pub async fn model(state: State<Arc<Shared>>, Path(called): Path<String>, request: Request) -> Answer {
    let Some(model) = verb(&called, request.method())? else { return status(&state, &called, VERSION) };
    if model != MODEL {
        let message = format!("Servable not found for request: Latest({model}); there is {MODEL}");
        return Err(Problem::new(StatusCode::NOT_FOUND, message));
    }
    answer(state.0, request).await
}

/// The same of a version: `/v1/models/facenet/versions/1`.
pub async fn version(
    state: State<Arc<Shared>>,
    Path((model, called)): Path<(String, String)>,
    request: Request,
) -> Answer {
    let Some(version) = verb(&called, request.method())? else { return status(&state, &model, &called) };
    if model != MODEL || version != VERSION {
        let message =
            format!("Servable not found for request: Specific({model}, {version}); there is {MODEL}, {VERSION}");
        return Err(Problem::new(StatusCode::NOT_FOUND, message));
    }
    answer(state.0, request).await
}

/// What stands before `:predict`; nothing where the status is asked for.
fn verb<'a>(called: &'a str, method: &Method) -> Answer<Option<&'a str>> {
    match called.split_once(':') {
        Some((_, verb)) if verb != "predict" => {
            Err(Problem::bad(format!("Malformed request: `:{verb}` is not served; there is :predict")))
        }
        Some(_) if method != Method::POST => Err(Problem::wrong_method("POST", ":predict is asked by POST")),
        Some((before, _)) => Ok(Some(before)),
        None if [Method::GET, Method::HEAD].contains(method) => Ok(None),
        None => Err(Problem::wrong_method("GET,HEAD", "POST is for :predict; GET tells the model's status")),
    }
}

async fn answer(shared: Arc<Shared>, request: Request) -> Answer {
    shared.facts()?;
    let (parts, body) = request.into_parts();
    let received = body::read(&shared, &parts, body).await?;
    let coming = shared.clone();
    let (by_rows, given, places) = blocking(move || {
        let (_coming, facts) = (coming.queue.coming(), coming.facts()?);
        let request: Predict = json::read(&received.bytes)?;
        let (by_rows, values) = request.values()?;
        let places = coming.places(values.count())?;
        Ok((by_rows, given(&coming, facts, values)?, places))
    })
    .await?;
    let mut rows = Vec::with_capacity(given.len());
    for reply in shared.queue.crops(given) {
        rows.push(await_reply(reply).await?);
    }
    drop(places);
    let key = if by_rows { "predictions" } else { "outputs" };
    Ok(json::done(&std::collections::BTreeMap::from([(key, rows)])))
}

impl Predict {
    /// What is given, and whether by rows.
    fn values(self) -> Answer<(bool, Values)> {
        let (by_rows, values) = match (self.instances, self.inputs) {
            (Some(values), None) => (true, values),
            (None, Some(values)) => (false, values),
            (Some(_), Some(_)) => return Err(Problem::bad("give `instances` or `inputs`, not both")),
            (None, None) => return Err(Problem::bad("neither `instances` nor `inputs` is given")),
        };
        let fits = match self.signature_name.as_deref() {
            None | Some("" | FLOATS) => true,
            Some(CROPS) => values.numbers.is_empty(),
            Some(other) => {
                let message = format!("Serving signature name: \"{other}\" not found; there are {FLOATS} and {CROPS}");
                return Err(Problem::bad(message));
            }
        };
        match fits {
            true => Ok((by_rows, values)),
            false => Err(Problem::bad(format!("the signature {CROPS} takes encoded crops, as {{\"b64\": \"..\"}}"))),
        }
    }
}

/// What goes into the queue.
pub fn given(shared: &Shared, facts: &Facts, values: Values) -> Answer<Vec<Given>> {
    if values.encoded.is_empty() {
        let crops = values.crops(facts.size)?;
        return Ok(crops.into_iter().map(Given::Standardized).collect());
    }
    if values.shape.len() > 1 {
        return Err(Problem::bad("encoded crops stand in one list"));
    }
    let crop = |(i, bytes): (usize, &Vec<u8>)| {
        let photo = pictures::decode(&format!("crop {i}"), bytes, &shared.options.limits)?;
        Ok(Given::Crop(facts.input(photo)))
    };
    values.encoded.iter().enumerate().map(crop).collect()
}

/// Whether the model is served.
fn status(shared: &Shared, model: &str, version: &str) -> Answer {
    found(model, version)?;
    let (state, code, message) = match shared.is_ready() {
        true => ("AVAILABLE", "OK", ""),
        false => ("LOADING", "UNAVAILABLE", "the models are being loaded, or the server is ending"),
    };
    let status = json!({ "error_code": code, "error_message": message });
    let version = json!({ "version": VERSION, "state": state, "status": status });
    Ok(json::done(&json!({ "model_version_status": [version] })))
}

/// `GET /v1/models/facenet/metadata`.
pub async fn metadata(State(shared): State<Arc<Shared>>, Path(model): Path<String>) -> Answer<Response<Body>> {
    found(&model, VERSION)?;
    let facts = shared.facts()?;
    let (n, size, dim) = (-1i64, facts.size as i64, facts.dim as i64);
    let output = json!({ OUTPUT: tensor(OUTPUT, "DT_FLOAT", &[n, dim]) });
    let signature = |input: Value| json!({ "inputs": input, "outputs": output, "method_name": "tensorflow/serving/predict", "defaults": {} });
    let signatures = json!({
        FLOATS: signature(json!({ INPUT: tensor(INPUT, "DT_FLOAT", &[n, size, size, 3]) })),
        CROPS: signature(json!({ ENCODED: tensor(ENCODED, "DT_STRING", &[n]) })),
    });
    Ok(json::done(&json!({
        "model_spec": { "name": MODEL, "signature_name": "", "version": VERSION },
        "metadata": {
            "signature_def": { "signature_def": signatures },
            // What TensorFlow's form has no place for.
            "warpface": { "model": facts.model, "standardize": facts.standardize, "image_size": facts.size },
        },
    })))
}

/// `GET /v1/models/facenet/versions/1/metadata`.
pub async fn metadata_of(shared: State<Arc<Shared>>, Path((model, version)): Path<(String, String)>) -> Answer {
    found(&model, &version)?;
    metadata(shared, Path(model)).await
}

/// Refuses another model or version.
pub fn found(model: &str, version: &str) -> Answer<()> {
    match (model, version) {
        (MODEL, VERSION) => Ok(()),
        _ => {
            let message =
                format!("Could not find version {version} of model {model}; there is {MODEL}, version {VERSION}");
            Err(Problem::new(StatusCode::NOT_FOUND, message))
        }
    }
}

/// A tensor's facts.
fn tensor(name: &str, dtype: &str, dims: &[i64]) -> Value {
    let dims: Vec<Value> = dims.iter().map(|dim| json!({ "size": dim.to_string(), "name": "" })).collect();
    json!({ "name": format!("{name}:0"), "dtype": dtype, "tensor_shape": { "dim": dims, "unknown_rank": false } })
}
