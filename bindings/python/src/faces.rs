//! Finding faces and cutting them out.

use std::path::PathBuf;
use std::sync::Arc;

use numpy::{
    IntoPyArray, PyArray1, PyArray2, PyArray3, PyArray4, PyArrayMethods, PyReadonlyArray2, PyReadonlyArrayDyn,
};
use pyo3::prelude::*;
use warpface::face::{self, DetectOptions, Face, Filter, Select, Standardize};
use warpface::image::{self, Rgb8};
use warpface::models::Mtcnn;
use warpface::weights::{folder, mtcnn};

use crate::device::{Device, Handle};
use crate::errors::{self, Raise, usage};
use crate::pictures::{picture, pictures};

/// Pictures that are looked at between two looks for a signal.
const AT_ONCE: usize = 64;

/// A picture's faces: boxes `[n, 4]`, scores `[n]`, landmarks `[n, 5, 2]`.
type Found<'py> = (Bound<'py, PyArray2<f64>>, Bound<'py, PyArray1<f64>>, Bound<'py, PyArray3<f64>>);

/// Finds faces in photographs.
#[pyclass(frozen, module = "warpface._native")]
pub struct Detector {
    detector: face::Detector,
    handle: Arc<Handle>,
}

#[pymethods]
impl Detector {
    /// With the networks of a folder, else of the folders that the command looks into. With `facenet` errors call arguments as
    /// facenet-pytorch does.
    #[new]
    #[pyo3(signature = (device, weights, min_size, thresholds, factor, allow_modified_weights = false, facenet = false))]
    #[allow(clippy::too_many_arguments)]
    fn new(
        py: Python<'_>,
        device: &Device,
        weights: Option<PathBuf>,
        min_size: usize,
        thresholds: [f32; 3],
        factor: f64,
        allow_modified_weights: bool,
        facenet: bool,
    ) -> PyResult<Self> {
        let handle = device.handle();
        let options = DetectOptions { min_size, thresholds, factor };
        let detector = py.detach(|| {
            options.check()?;
            let folder = folder::find(weights.as_deref(), |folder| mtcnn::files(folder).is_ok());
            face::Detector::new(handle.device()?, &Mtcnn::load(folder, allow_modified_weights)?, &options)
        });
        let detector = detector.map_err(|error| match facenet {
            true => errors::named(py, &error, errors::facenet_argument),
            false => errors::python(py, &error),
        })?;
        Ok(Detector { detector, handle })
    }

    /// The faces of each picture; with `select` in that order, and without those that it leaves out.
    #[pyo3(signature = (images, select = None, threshold = 0.9, center_weight = 2.0))]
    fn detect<'py>(
        &self,
        py: Python<'py>,
        images: Vec<Bound<'py, PyAny>>,
        select: Option<&str>,
        threshold: f64,
        center_weight: f64,
    ) -> PyResult<Vec<Found<'py>>> {
        let select = select.map(|name| Select::named(name, threshold, center_weight)).transpose().raise(py)?;
        let mut all = Vec::with_capacity(images.len());
        for (number, chunk) in images.chunks(AT_ONCE).enumerate() {
            let chunk = pictures(chunk, "picture", number * AT_ONCE)?;
            for found in py.detach(|| self.faces(&chunk, select)).raise(py)? {
                all.push(arrays(py, &found)?);
            }
            py.check_signals()?;
        }
        Ok(all)
    }
}

impl Detector {
    fn faces(&self, pictures: &[Rgb8], select: Option<Select>) -> warpface::Result<Vec<Vec<Face>>> {
        let found = self.handle.work(|| self.detector.detect(&pictures.iter().collect::<Vec<_>>()))?;
        let Some(select) = select else { return Ok(found) };
        let sorted = found.iter().zip(pictures).map(|(faces, picture)| {
            let order = select.order(faces, picture.width(), picture.height());
            order.into_iter().map(|i| faces[i]).collect()
        });
        Ok(sorted.collect())
    }
}

fn arrays<'py>(py: Python<'py>, faces: &[Face]) -> PyResult<Found<'py>> {
    let n = faces.len();
    let boxes: Vec<f64> = faces.iter().flat_map(|face| face.bounds).collect();
    let scores: Vec<f64> = faces.iter().map(|face| face.score).collect();
    let points: Vec<f64> = faces.iter().flat_map(|face| face.landmarks).flatten().collect();
    Ok((boxes.into_pyarray(py).reshape([n, 4])?, scores.into_pyarray(py), points.into_pyarray(py).reshape([n, 5, 2])?))
}

/// Faces out of arrays: what lacks is 0.
fn faces_of(
    py: Python<'_>,
    boxes: &PyReadonlyArray2<'_, f64>,
    scores: Option<Vec<f64>>,
    points: Option<&PyReadonlyArrayDyn<'_, f64>>,
) -> PyResult<Vec<Face>> {
    let boxes = boxes.as_array();
    let n = boxes.nrows();
    let points: Vec<f64> =
        points.map_or_else(|| vec![0.0; n * 10], |points| points.as_array().iter().copied().collect());
    let scores = scores.unwrap_or_else(|| vec![0.0; n]);
    if boxes.ncols() != 4 || scores.len() != n || points.len() != n * 10 {
        return Err(usage(py, "faces: expected boxes [n, 4], scores [n] and landmarks [n, 5, 2] of one n".to_owned()));
    }
    let face = |(i, bounds): (usize, _)| {
        let point = |k: usize| [points[i * 10 + 2 * k], points[i * 10 + 2 * k + 1]];
        Face { bounds, score: scores[i], landmarks: std::array::from_fn(point) }
    };
    let bounds = boxes.rows().into_iter().map(|row| [row[0], row[1], row[2], row[3]]);
    Ok(bounds.enumerate().map(face).collect())
}

/// The order of faces by one of facenet-pytorch's rules, in a picture of `width` x `height`.
#[pyfunction]
#[pyo3(signature = (boxes, scores, method, threshold, center_weight, width, height))]
#[allow(clippy::too_many_arguments)]
pub fn order(
    py: Python<'_>,
    boxes: PyReadonlyArray2<'_, f64>,
    scores: Vec<f64>,
    method: &str,
    threshold: f64,
    center_weight: f64,
    width: usize,
    height: usize,
) -> PyResult<Vec<usize>> {
    let faces = faces_of(py, &boxes, Some(scores), None)?;
    Ok(Select::named(method, threshold, center_weight).raise(py)?.order(&faces, width, height))
}

/// The face that a photograph of `width` x `height` is about, by its place among `boxes`.
#[pyfunction]
pub fn choose(
    py: Python<'_>,
    boxes: PyReadonlyArray2<'_, f64>,
    width: usize,
    height: usize,
) -> PyResult<Option<usize>> {
    Ok(face::choose(&faces_of(py, &boxes, None, None)?, width, height))
}

/// Faces `[n, size, size, 3]` by facenet-pytorch's crop: by Pillow's bilinear filter, or by OpenCV's `INTER_AREA`.
#[pyfunction]
pub fn extract<'py>(
    py: Python<'py>,
    image: &Bound<'py, PyAny>,
    boxes: PyReadonlyArray2<'_, f64>,
    size: usize,
    margin: f64,
    pillow: bool,
) -> PyResult<Bound<'py, PyArray4<u8>>> {
    let (photo, faces) = (picture(image, "picture")?, faces_of(py, &boxes, None, None)?);
    let filter = if pillow { Filter::Pillow } else { Filter::Area };
    let crops = py.detach(|| {
        let crops = faces.iter().map(|face| face::extract(&photo, face.bounds, size, margin, filter));
        crops.collect::<warpface::Result<Vec<Rgb8>>>()
    });
    let crops: Vec<u8> = crops.raise(py)?.into_iter().flat_map(Rgb8::into_data).collect();
    crops.into_pyarray(py).reshape([faces.len(), size, size, 3])
}

/// A face cut out as the library does, or nothing where its box lies outside the photograph.
#[pyfunction]
#[pyo3(signature = (image, bounds, landmarks, size, method, margin, warp))]
#[allow(clippy::too_many_arguments)]
pub fn align<'py>(
    py: Python<'py>,
    image: &Bound<'py, PyAny>,
    bounds: [f64; 4],
    landmarks: [[f64; 2]; 5],
    size: usize,
    method: &str,
    margin: usize,
    warp: &str,
) -> PyResult<Option<Bound<'py, PyArray3<u8>>>> {
    let photo = picture(image, "picture")?;
    let face = Face { bounds, score: 0.0, landmarks };
    let crop = py.detach(|| {
        let alignment = face::Alignment { size, method: method.parse()?, margin, warp: warp.parse()? };
        face::align(&photo, &face, &alignment)
    });
    crop.raise(py)?.map(|crop| crop.into_data().into_pyarray(py).reshape([size, size, 3])).transpose()
}

/// Crops `[n, size, size, 3]` as PyTorch has pictures, `[n, 3, size, size]`: standardized by fixed numbers, or 0 to 255.
#[pyfunction]
pub fn planes<'py>(
    py: Python<'py>,
    crops: Vec<Bound<'py, PyAny>>,
    standardize: bool,
) -> PyResult<Bound<'py, PyArray4<f32>>> {
    let crops = pictures(&crops, "crop", 0)?;
    let (width, height) = crops.first().map_or((0, 0), |crop| (crop.width(), crop.height()));
    if crops.iter().any(|crop| (crop.width(), crop.height()) != (width, height)) {
        return Err(usage(py, "crops: expected all of one size".to_owned()));
    }
    let n = width * height;
    let mut values = vec![0.0f32; crops.len() * n * 3];
    let mut pixels = vec![0.0f32; n * 3];
    for (crop, to) in crops.iter().zip(values.chunks_exact_mut((n * 3).max(1))) {
        match standardize {
            true => Standardize::Fixed.pixels(crop, &mut pixels),
            false => pixels.iter_mut().zip(crop.data()).for_each(|(to, &from)| *to = f32::from(from)),
        }
        for (i, to) in to.iter_mut().enumerate() {
            *to = pixels[i % n * 3 + i / n];
        }
    }
    values.into_pyarray(py).reshape([crops.len(), 3, height, width])
}

/// Writes a picture, whole or not at all: as JPEG by its name, else as PNG.
#[pyfunction]
pub fn save(py: Python<'_>, path: PathBuf, picture: &Bound<'_, PyAny>) -> PyResult<()> {
    let picture = self::picture(picture, "picture")?;
    let suffix = path.extension().map(|suffix| suffix.to_string_lossy().to_lowercase()).unwrap_or_default();
    let written = py.detach(|| match suffix.as_str() {
        "jpg" | "jpeg" => image::save_jpeg(&path, &picture, 95),
        "png" => image::save_png(&path, &picture),
        _ => Err(warpface::Error::image(&path, "faces are written as .png, .jpg or .jpeg: name the file so")),
    });
    written.raise(py)
}
