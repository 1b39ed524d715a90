//! What is done with photographs: finding, comparing, looking for.

use std::sync::Arc;

use axum::extract::rejection::QueryRejection;
use axum::extract::{Query, Request, State};
use axum::http::StatusCode;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::engine::Facts;
use super::pictures::{self, Encoded};
use super::problem::{Answer, Problem};
use super::queue::{self, Given};
use super::{Shared, await_reply, blocking, body, json};
use crate::error::{Field, message};
use crate::face::{Face, choose};
use crate::image::Rgb8;
use crate::ops::Metric;

/// The most rows that one search gives.
const MOST_HITS: usize = 1000;

/// What `/v1/faces` is asked beside the picture.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FacesQuery {
    #[serde(default)]
    embeddings: bool,
}

/// What `/v1/compare` is asked beside the pictures.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CompareQuery {
    distance: Option<String>,
    threshold: Option<f64>,
}

/// What `/v1/search` is asked beside the picture.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SearchQuery {
    k: Option<usize>,
    threshold: Option<f32>,
}

type Asked<T> = Result<Query<T>, QueryRejection>;

fn asked<T>(query: Asked<T>) -> Answer<T> {
    query.map(|query| query.0).map_err(|error| Problem::bad(error.body_text()))
}

/// A photograph with its faces.
struct Seen {
    photo: Arc<Rgb8>,
    faces: Vec<Face>,
}

/// What is told of a photograph.
#[derive(Serialize)]
struct Told<'a> {
    width: usize,
    height: usize,
    faces: &'a [Face],
    /// The face that the photograph is about, by its place.
    #[serde(skip_serializing_if = "Option::is_none")]
    chosen: Option<usize>,
}

impl Seen {
    fn told(&self, chosen: Option<usize>) -> Told<'_> {
        Told { width: self.photo.width(), height: self.photo.height(), faces: &self.faces, chosen }
    }

    /// The face that the photograph is about.
    fn chosen(&self, name: &str) -> Answer<usize> {
        let chosen = choose(&self.faces, self.photo.width(), self.photo.height());
        let none =
            || Problem::unprocessable(format!("{name}: no face found; is it upright and at least 20 pixels wide?"));
        chosen.ok_or_else(none)
    }
}

/// Looks for faces in a photograph. It holds its pixels no longer than `then` needs them.
async fn look<T: Send + 'static>(
    shared: &Arc<Shared>,
    picture: Encoded,
    then: impl FnOnce(&Facts, &str, Seen) -> Answer<T> + Send + 'static,
) -> Answer<T> {
    let ending = |_| Problem::unavailable("the server is ending");
    let room = shared.photographs.clone().acquire_owned().await.map_err(ending)?;
    let Encoded { name, bytes } = picture;
    let limits = shared.options.limits;
    let (name, photo) = blocking(move || {
        let photo = pictures::decode(&name, &bytes, &limits)?;
        Ok((name, Arc::new(photo)))
    })
    .await?;
    let faces = await_reply(shared.queue.photograph(photo.clone())).await?;
    let here = shared.clone();
    blocking(move || {
        let done = then(here.facts()?, &name, Seen { photo, faces });
        drop(room);
        done
    })
    .await
}

/// A photograph's own face, cut out, and what is told of it.
fn main_face(facts: &Facts, name: &str, seen: Seen) -> Answer<(Value, Rgb8)> {
    let chosen = seen.chosen(name)?;
    let cut = facts.aligner.align(&seen.photo, &seen.faces[chosen]);
    let outside = || Problem::unprocessable(format!("{name}: the face lies outside the photograph"));
    let cut_out = |error: crate::Error| Problem::unprocessable(format!("{name}: {error}"));
    let crop = cut.map_err(cut_out)?.ok_or_else(outside)?;
    Ok((json!(seen.told(Some(chosen))), crop))
}

/// The embeddings of crops, in order.
async fn embed(shared: &Shared, crops: impl IntoIterator<Item = Rgb8>) -> Answer<Vec<Vec<f32>>> {
    let mut embeddings = Vec::new();
    for reply in shared.queue.crops(crops.into_iter().map(Given::Crop)) {
        embeddings.push(await_reply(reply).await?);
    }
    Ok(embeddings)
}

/// `POST /v1/faces`.
pub async fn faces(State(shared): State<Arc<Shared>>, query: Asked<FacesQuery>, request: Request) -> Answer {
    let query = asked(query)?;
    shared.facts()?;
    let (parts, body) = request.into_parts();
    let received = body::read(&shared, &parts, body).await?;
    let _place = shared.places(1)?;
    let [picture] = pictures::of_body(parts, received.bytes, ["image"]).await?;
    let most = shared.options.limits.max_faces;
    let with_embeddings = query.embeddings;
    let (mut told, crops) = look(&shared, picture, move |facts, name, seen| {
        if !with_embeddings {
            return Ok((json!(seen.told(None)), Vec::new()));
        }
        if seen.faces.len() > most {
            let what = format!("{name}: {} faces were found", seen.faces.len());
            return Err(Problem::beyond(StatusCode::UNPROCESSABLE_ENTITY, what, "max_faces", most as u64));
        }
        // A face that cannot be cut out has no embedding.
        let cut = |face: &Face| facts.aligner.align(&seen.photo, face).ok().flatten();
        let crops = seen.faces.iter().map(cut).collect();
        Ok((json!(seen.told(None)), crops))
    })
    .await?;
    let cut: Vec<bool> = crops.iter().map(Option::is_some).collect();
    let mut embeddings = embed(&shared, crops.into_iter().flatten()).await?.into_iter();
    if let Some(faces) = told["faces"].as_array_mut().filter(|_| with_embeddings) {
        for (face, cut) in faces.iter_mut().zip(cut) {
            face["embedding"] = json!(if cut { embeddings.next() } else { None });
        }
    }
    Ok(json::done(&told))
}

/// `POST /v1/compare`.
pub async fn compare(State(shared): State<Arc<Shared>>, query: Asked<CompareQuery>, request: Request) -> Answer {
    let query = asked(query)?;
    let facts = shared.facts()?;
    let metric = match query.distance.as_deref() {
        None => Metric::Euclidean,
        Some(name) => name.parse().map_err(|error| Problem::bad(format!("{error}")))?,
    };
    let usual = facts.threshold(metric);
    let (threshold, origin) = match (query.threshold, usual) {
        (Some(asked), _) if !asked.is_finite() => {
            return Err(Problem::bad(format!("threshold: {asked} is no distance")));
        }
        (Some(asked), _) => (asked, "as asked"),
        (None, Some(usual)) => (usual.distance, usual.origin.as_str()),
        (None, None) => return Err(Problem::bad(format!("threshold: none is known for {metric}; give one"))),
    };
    let (parts, body) = request.into_parts();
    let received = body::read(&shared, &parts, body).await?;
    let _places = shared.places(2)?;
    let [a, b] = pictures::of_body(parts, received.bytes, ["a", "b"]).await?;
    let (a, b) = tokio::join!(look(&shared, a, main_face), look(&shared, b, main_face));
    let ((a, crop_a), (b, crop_b)) = (a?, b?);
    let wide = |embedding: &Vec<f32>| embedding.iter().map(|&x| f64::from(x)).collect::<Vec<f64>>();
    let embeddings = embed(&shared, [crop_a, crop_b]).await?;
    let distance = metric.distance(&wide(&embeddings[0]), &wide(&embeddings[1]));
    Ok(json::done(&json!({
        "distance": distance, "same": distance < threshold, "threshold": threshold, "threshold_origin": origin,
        "metric": metric, "model": facts.model, "images": [a, b],
    })))
}

/// `POST /v1/search`.
pub async fn search(State(shared): State<Arc<Shared>>, query: Asked<SearchQuery>, request: Request) -> Answer {
    let query = asked(query)?;
    if shared.facts()?.rows.is_none() {
        let message = message!["nothing is searched here: start the server with ", Field("index")];
        return Err(Problem::new(StatusCode::NOT_FOUND, message));
    }
    let k = query.k.unwrap_or(10);
    if !(1..=MOST_HITS).contains(&k) {
        return Err(Problem::bad(format!("k: {k} rows cannot be found at once; give 1 to {MOST_HITS}")));
    }
    if let Some(threshold) = query.threshold.filter(|threshold| threshold.is_nan()) {
        return Err(Problem::bad(format!("threshold: {threshold} is no distance")));
    }
    let (parts, body) = request.into_parts();
    let received = body::read(&shared, &parts, body).await?;
    let _place = shared.places(1)?;
    let [picture] = pictures::of_body(parts, received.bytes, ["image"]).await?;
    let (told, crop) = look(&shared, picture, main_face).await?;
    let embedding = embed(&shared, [crop]).await?.swap_remove(0);
    let found = await_reply(shared.queue.search(queue::Query { embedding, k })).await?;
    let near = found.iter().filter(|hit| query.threshold.is_none_or(|threshold| hit.distance < threshold));
    let hits: Vec<Value> =
        near.map(|hit| json!({ "row": hit.row, "distance": hit.distance, "name": hit.name })).collect();
    Ok(json::done(&json!({ "hits": hits, "image": told })))
}
