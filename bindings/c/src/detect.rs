//! Finding faces.

use std::ffi::c_char;

use warpface::Detector;
use warpface::face::{DetectOptions, Face, choose};

use crate::device::WarpfaceDevice;
use crate::image::WarpfaceImage;
use crate::status::{WarpfaceStatus, guard};
use crate::{give, here, place, slice, take, text};

/// Finds faces in photographs.
pub struct WarpfaceDetector(Detector);

/// How to look for faces.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct WarpfaceDetectOptions {
    /// Side of the smallest face looked for, in pixels, from 12; the original's is 20.
    pub min_size: usize,
    /// Probabilities that P-Net, R-Net and O-Net must reach; the original's are 0.6, 0.7, 0.7.
    pub thresholds: [f32; 3],
    /// Ratio of a pyramid level to the one before; the original's is 0.709.
    pub factor: f64,
}

/// A face in a photograph, in pixels; the first pixel is 1, as the original counts.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct WarpfaceFace {
    /// Left, top, right, bottom. May reach over the photograph's border.
    pub bounds: [f64; 4],
    /// Probability that this is a face.
    pub score: f64,
    /// x and y of the left eye, right eye, nose, left and right corner of the mouth, as seen by the viewer.
    pub landmarks: [[f64; 2]; 5],
}

impl From<&Face> for WarpfaceFace {
    fn from(face: &Face) -> Self {
        WarpfaceFace { bounds: face.bounds, score: face.score, landmarks: face.landmarks }
    }
}

impl From<&WarpfaceFace> for Face {
    fn from(face: &WarpfaceFace) -> Self {
        Face { bounds: face.bounds, score: face.score, landmarks: face.landmarks }
    }
}

/// Opens a detector with the weights of MTCNN in a folder. `options` NULL are the original's.
///
/// # Safety
/// `device` is a device, `folder` a C string, `options` NULL or options, `detector` a valid place.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn warpface_detector_open(
    device: *const WarpfaceDevice,
    folder: *const c_char,
    options: *const WarpfaceDetectOptions,
    detector: *mut *mut WarpfaceDetector,
) -> WarpfaceStatus {
    guard(|| {
        // SAFETY: the caller's promise.
        let (device, folder) = unsafe { (here(device, "device")?, text(folder, "folder")?) };
        // SAFETY: the caller's promise.
        let (options, place) = unsafe { (options.as_ref(), place(detector, "detector")?) };
        let options = options.map_or(DetectOptions::default(), |options| {
            let WarpfaceDetectOptions { min_size, thresholds, factor } = *options;
            DetectOptions { min_size, thresholds, factor }
        });
        *place = give(WarpfaceDetector(Detector::load(&device.0, folder, &options)?));
        Ok(())
    })
}

/// Frees a detector.
///
/// # Safety
/// `detector` is NULL, or was opened and not freed.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn warpface_detector_free(detector: *mut WarpfaceDetector) {
    // SAFETY: the caller's promise.
    unsafe { take(detector) }
}

/// Finds the faces of a photograph: `count` of them at `faces`, which warpface_faces_free() frees.
///
/// # Safety
/// `detector` is a detector, `image` a picture; `faces` and `count` are valid places.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn warpface_detect(
    detector: *const WarpfaceDetector,
    image: *const WarpfaceImage,
    faces: *mut *mut WarpfaceFace,
    count: *mut usize,
) -> WarpfaceStatus {
    guard(|| {
        // SAFETY: the caller's promise.
        let (detector, image) = unsafe { (here(detector, "detector")?, here(image, "image")?) };
        // SAFETY: the caller's promise.
        let (faces, count) = unsafe { (place(faces, "faces")?, place(count, "count")?) };
        let found: Box<[WarpfaceFace]> = detector.0.detect_one(&image.0)?.iter().map(Into::into).collect();
        *count = found.len();
        *faces = Box::into_raw(found).cast();
        Ok(())
    })
}

/// Frees what warpface_detect() found.
///
/// # Safety
/// `faces` is NULL, or what it found, with their `count`, and was not freed.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn warpface_faces_free(faces: *mut WarpfaceFace, count: usize) {
    if !faces.is_null() {
        // SAFETY: the caller's promise.
        drop(unsafe { Box::from_raw(std::ptr::slice_from_raw_parts_mut(faces, count)) });
    }
}

/// The face that a photograph of this size is about, the large and central one: its place among `faces`; `count` where there is
/// none.
///
/// # Safety
/// `faces` has `count` faces.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn warpface_choose(
    faces: *const WarpfaceFace,
    count: usize,
    width: usize,
    height: usize,
) -> usize {
    let mut chosen = count;
    guard(|| {
        // SAFETY: the caller's promise.
        let faces: Vec<Face> = unsafe { slice(faces, count, "faces")? }.iter().map(Into::into).collect();
        chosen = choose(&faces, width, height).unwrap_or(count);
        Ok(())
    });
    chosen
}
