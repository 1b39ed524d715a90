//! The pictures of a request: its body, the files of a form, or base 64 within JSON.

use axum::body::Body;
use axum::extract::{FromRequest, Multipart, Request};
use axum::http::{StatusCode, header, request};
use serde_json::{Map, Value};

use super::json;
use super::options::Limits;
use super::problem::{Answer, Problem};
use super::values::from_base64;
use crate::image::{self, Rgb8};

/// An encoded picture, and what it is called in messages.
pub struct Encoded {
    pub name: String,
    pub bytes: Vec<u8>,
}

/// Reads a picture. What is no picture is 415, what is too large 413, and what is damaged 422.
pub fn decode(name: &str, bytes: &[u8], limits: &Limits) -> Answer<Rgb8> {
    let most = limits.of_pictures();
    image::decode_bytes(name, bytes, &most).map_err(|error| {
        if !image::is_known(bytes) {
            return Problem::of(&error).status(StatusCode::UNSUPPORTED_MEDIA_TYPE);
        }
        let any = image::Limits { max_pixels: u64::MAX, ..most };
        match image::dimensions_bytes(name, bytes, &any) {
            Ok((width, height)) if width as u64 * height as u64 > limits.max_pixels => {
                let what = format!("{name}: its header says {width} x {height} pixels");
                Problem::beyond(StatusCode::PAYLOAD_TOO_LARGE, what, "max_pixels", limits.max_pixels)
            }
            _ => Problem::of(&error),
        }
    })
}

/// The pictures that a body holds, in the order of `names` where it names them, else in its own. One picture may be the whole
/// body, whatever its Content-Type says, as `curl --data-binary` sends it.
pub async fn of_body<const N: usize>(parts: request::Parts, bytes: Vec<u8>, names: [&str; N]) -> Answer<[Encoded; N]> {
    let kind = parts.headers.get(header::CONTENT_TYPE).and_then(|kind| kind.to_str().ok()).unwrap_or_default();
    let kind = kind.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    let pictures = match kind.as_str() {
        "multipart/form-data" => of_form(parts, bytes).await?,
        "application/json" => of_json(&bytes, &names)?,
        _ if N == 1 => vec![Encoded { name: names[0].to_owned(), bytes }],
        _ => {
            let message = format!(
                "{N} pictures are needed, as files of a form (multipart/form-data) or as JSON, {{\"{}\": {{\"b64\": \"..\"}}, ..}}",
                names[0]
            );
            return Err(Problem::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, message));
        }
    };
    let found = pictures.len();
    in_order(pictures, &names).try_into().map_err(|_| {
        let what = if N == 1 { "one picture is" } else { "two pictures are" };
        Problem::bad(format!("{what} needed, called {}; the request has {found}", names.join(" and ")))
    })
}

/// Those with these names first; where none has, all as they are.
fn in_order(mut pictures: Vec<Encoded>, names: &[&str]) -> Vec<Encoded> {
    let place = |picture: &Encoded| names.iter().position(|name| *name == picture.name).unwrap_or(names.len());
    pictures.sort_by_key(place);
    pictures
}

/// The files of a form.
async fn of_form(parts: request::Parts, bytes: Vec<u8>) -> Answer<Vec<Encoded>> {
    let no_form = |error: String| Problem::bad(format!("multipart/form-data: {error}"));
    let mut request = Request::from_parts(parts, Body::from(bytes));
    // The body's length is limited already.
    request.extensions_mut().insert(axum::extract::DefaultBodyLimit::disable());
    let mut form = Multipart::from_request(request, &()).await.map_err(|error| no_form(error.body_text()))?;
    let mut pictures = Vec::new();
    while let Some(field) = form.next_field().await.map_err(|error| no_form(error.body_text()))? {
        let name = field.name().unwrap_or_default().to_owned();
        let bytes = field.bytes().await.map_err(|error| no_form(error.body_text()))?;
        pictures.push(Encoded { name, bytes: bytes.to_vec() });
    }
    Ok(pictures)
}

/// The members of an object with these names: each is a text in base 64, or an object that holds one as `b64`.
fn of_json(bytes: &[u8], names: &[&str]) -> Answer<Vec<Encoded>> {
    let object: Map<String, Value> = json::read(bytes)?;
    let named = names.iter().filter_map(|name| Some((name, object.get(*name)?)));
    let picture = |(name, value): (&&str, &Value)| {
        let text = value.as_str().or_else(|| value.get("b64")?.as_str());
        let text = text.ok_or_else(|| Problem::bad(format!("{name}: a picture is {{\"b64\": \"..\"}}")))?;
        let bytes = from_base64(text).map_err(|error| Problem::bad(format!("{name}: {error}")))?;
        Ok(Encoded { name: (*name).to_owned(), bytes })
    };
    named.map(picture).collect()
}
