//! What `index.js` calls: a device, a detector and an embedder on it. Pixels come in as a canvas holds them, RGBA; names of
//! files are for messages.

mod pixels;

use std::rc::Rc;

use js_sys::{Array, JSON, Uint8Array};
use wasm_bindgen::prelude::*;

use pixels::rgb;
use warpface::Result;
use warpface::backend::wgpu::Gpu;
use warpface::eval::Metric;
use warpface::eval::threshold::of_paper;
use warpface::face::{DetectOptions, EmbedOptions, Face};
use warpface::models::Mtcnn;
use warpface::weights::{self, TensorMap};

/// The browser's GPU.
#[wasm_bindgen]
pub struct Device(warpface::Device);

#[wasm_bindgen]
impl Device {
    /// Opens it.
    pub async fn open() -> Result<Device, JsError> {
        std::panic::set_hook(Box::new(|panic| js_error(&panic.to_string())));
        Ok(Device(warpface::Device::from_backend(Gpu::open().await?)))
    }

    /// What it says of itself.
    #[wasm_bindgen(getter)]
    pub fn name(&self) -> String {
        let info = self.0.info();
        format!("{} ({})", info.name, info.driver)
    }
}

#[wasm_bindgen]
extern "C" {
    /// Where a programmer looks for what went wrong.
    #[wasm_bindgen(js_namespace = console, js_name = error)]
    fn js_error(text: &str);
}

/// Reads a weights file; numbers are read, and NaN is refused, when a device takes them.
fn read(name: &str, bytes: &Uint8Array) -> Result<TensorMap> {
    weights::load_bytes(name, &bytes.to_vec())
}

/// MTCNN.
#[wasm_bindgen]
pub struct Detector(Rc<warpface::Detector>);

#[wasm_bindgen]
impl Detector {
    /// From P-Net's, R-Net's and O-Net's files, or one file of all three; `minSize`, the thresholds and the factor are
    /// the original's where they are left out.
    #[wasm_bindgen(constructor)]
    pub fn new(
        device: &Device,
        names: Vec<String>,
        files: Vec<Uint8Array>,
        min_size: Option<usize>,
        thresholds: Option<Vec<f32>>,
        factor: Option<f64>,
    ) -> Result<Detector, JsError> {
        let maps = names.iter().zip(&files).map(|(name, bytes)| read(name, bytes)).collect::<Result<Vec<_>>>()?;
        let networks = match maps.as_slice() {
            [all] => [all; 3],
            [p, r, o] => [p, r, o],
            other => {
                return Err(JsError::new(&format!("a detector is of three files or of one, not of {}", other.len())));
            }
        };
        let usual = DetectOptions::default();
        let thresholds = match thresholds {
            None => usual.thresholds,
            Some(given) => <[f32; 3]>::try_from(given).map_err(|_| JsError::new("`thresholds`: expected three"))?,
        };
        let options = DetectOptions {
            min_size: min_size.unwrap_or(usual.min_size),
            thresholds,
            factor: factor.unwrap_or(usual.factor),
        };
        Ok(Detector(Rc::new(warpface::Detector::new(&device.0, &Mtcnn::of(networks)?, &options)?)))
    }

    /// The faces of each picture: `[{box, score, landmarks}]` an array each, in pixels.
    pub fn detect(&self, pictures: Vec<Uint8Array>, widths: Vec<usize>, heights: Vec<usize>) -> js_sys::Promise {
        let detector = self.0.clone();
        wasm_bindgen_futures::future_to_promise(async move {
            let pictures = pictures.iter().zip(widths.into_iter().zip(heights));
            let pictures = pictures.map(|(bytes, (w, h))| rgb(bytes, w, h)).collect::<Result<Vec<_>, JsError>>()?;
            let found = detector.detect_async(&pictures.iter().collect::<Vec<_>>()).await.map_err(JsError::from)?;
            let found = found.iter().map(|faces| plain(faces)).collect::<Result<Array, JsValue>>()?;
            Ok(found.into())
        })
    }
}

/// Which of some faces a picture is about, if there are any.
#[wasm_bindgen]
pub fn choose(faces: &str, width: usize, height: usize) -> Result<Option<usize>, JsError> {
    Ok(warpface::face::choose(&serde_json::from_str::<Vec<Face>>(faces)?, width, height))
}

/// The distance of two embeddings: `euclidean`, squared, unless `cosine` is asked for.
#[wasm_bindgen]
pub fn distance(a: &[f32], b: &[f32], metric: Option<String>) -> Result<f64, JsError> {
    if a.len() != b.len() || a.is_empty() {
        return Err(JsError::new(&format!("embeddings of {} and {} values are not comparable", a.len(), b.len())));
    }
    let wide = |x: &[f32]| x.iter().map(|&x| x.into()).collect::<Vec<f64>>();
    Ok(metric_of(metric)?.distance(&wide(a), &wide(b)))
}

/// The FaceNet paper's threshold.
#[wasm_bindgen(js_name = paperThreshold)]
pub fn paper_threshold(metric: Option<String>) -> Result<f64, JsError> {
    Ok(of_paper(metric_of(metric)?))
}

fn metric_of(name: Option<String>) -> Result<Metric> {
    name.map_or(Ok(Metric::Euclidean), |name| name.parse())
}

/// Faces as plain objects. JSON keeps every bit of a double.
fn plain(faces: &[Face]) -> Result<JsValue, JsValue> {
    JSON::parse(&serde_json::to_string(faces).map_err(JsError::from)?)
}

/// A FaceNet.
#[wasm_bindgen]
pub struct Embedder(Rc<warpface::Embedder>);

#[wasm_bindgen]
impl Embedder {
    /// From a file of any format that needs no unpacking.
    #[wasm_bindgen(constructor)]
    pub fn new(device: &Device, name: String, bytes: Uint8Array) -> Result<Embedder, JsError> {
        let options = EmbedOptions::default().batch(BATCH);
        Ok(Embedder(Rc::new(warpface::Embedder::of(&device.0, &read(&name, &bytes)?, options)?)))
    }

    /// Side of its crops, in pixels.
    #[wasm_bindgen(getter)]
    pub fn size(&self) -> usize {
        self.0.size()
    }

    /// Values of an embedding.
    #[wasm_bindgen(getter)]
    pub fn dim(&self) -> usize {
        self.0.dim()
    }

    /// The embeddings of faces, `dim` values each, one after the other: each is cut out of its picture as the network was
    /// trained on. Without faces the pictures are crops themselves.
    pub fn embed(
        &self,
        pictures: Vec<Uint8Array>,
        widths: Vec<usize>,
        heights: Vec<usize>,
        faces: Option<String>,
    ) -> js_sys::Promise {
        let embedder = self.0.clone();
        wasm_bindgen_futures::future_to_promise(async move {
            let faces: Option<Vec<Face>> =
                faces.map(|json| serde_json::from_str(&json)).transpose().map_err(JsError::from)?;
            let mut crops = Vec::with_capacity(pictures.len());
            for (i, (bytes, (w, h))) in pictures.iter().zip(widths.into_iter().zip(heights)).enumerate() {
                let picture = rgb(bytes, w, h)?;
                crops.push(match &faces {
                    None => picture,
                    Some(faces) => warpface::align(&picture, &faces[i], &embedder.alignment())
                        .map_err(JsError::from)?
                        .ok_or_else(|| JsError::new(&format!("face {i}: its box lies outside of the picture")))?,
                });
            }
            let embeddings = embedder.embed_async(&crops.iter().collect::<Vec<_>>()).await.map_err(JsError::from)?;
            Ok(js_sys::Float32Array::from(embeddings.as_slice()).into())
        })
    }
}

/// Crops at once: pages have few, and a plan's memory grows with it.
const BATCH: usize = 8;
