//! Cutting faces out, and turning them into vectors.

use std::ffi::c_char;

use warpface::face::{EmbedOptions, align};
use warpface::image::Rgb8;
use warpface::vectors::search::squared_distance;
use warpface::{Embedder, Error};

use crate::detect::WarpfaceFace;
use crate::device::WarpfaceDevice;
use crate::image::WarpfaceImage;
use crate::status::{Fault, WarpfaceStatus, guard};
use crate::{give, here, place, slice, take, text};

/// Turns crops of faces into vectors of length 1.
pub struct WarpfaceEmbedder(Embedder);

/// Opens an embedding network's file, of any format that warpface reads.
///
/// # Safety
/// `device` is a device, `model` a C string, `embedder` a valid place.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn warpface_embedder_open(
    device: *const WarpfaceDevice,
    model: *const c_char,
    embedder: *mut *mut WarpfaceEmbedder,
) -> WarpfaceStatus {
    guard(|| {
        // SAFETY: the caller's promise.
        let (device, model) = unsafe { (here(device, "device")?, text(model, "model")?) };
        // SAFETY: the caller's promise.
        let place = unsafe { place(embedder, "embedder")? };
        *place = give(WarpfaceEmbedder(Embedder::load(&device.0, model, EmbedOptions::default())?));
        Ok(())
    })
}

/// Frees an embedder.
///
/// # Safety
/// `embedder` is NULL, or was opened and not freed.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn warpface_embedder_free(embedder: *mut WarpfaceEmbedder) {
    // SAFETY: the caller's promise.
    unsafe { take(embedder) }
}

/// Values of an embedding; 0 of NULL.
///
/// # Safety
/// `embedder` is NULL or an embedder.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn warpface_embedder_dim(embedder: *const WarpfaceEmbedder) -> usize {
    // SAFETY: the caller's promise.
    unsafe { here(embedder, "embedder") }.map_or(0, |embedder| embedder.0.dim())
}

/// Side of the crops, in pixels; 0 of NULL.
///
/// # Safety
/// `embedder` is NULL or an embedder.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn warpface_embedder_size(embedder: *const WarpfaceEmbedder) -> usize {
    // SAFETY: the caller's promise.
    unsafe { here(embedder, "embedder") }.map_or(0, |embedder| embedder.0.size())
}

/// Cuts a face out as the network was trained. `crop` is NULL where the face's box lies beside the photograph.
///
/// # Safety
/// `embedder` is an embedder, `image` a picture, `face` a face, `crop` a valid place.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn warpface_align(
    embedder: *const WarpfaceEmbedder,
    image: *const WarpfaceImage,
    face: *const WarpfaceFace,
    crop: *mut *mut WarpfaceImage,
) -> WarpfaceStatus {
    guard(|| {
        // SAFETY: the caller's promise.
        let (embedder, image) = unsafe { (here(embedder, "embedder")?, here(image, "image")?) };
        // SAFETY: the caller's promise.
        let (face, place) = unsafe { (here(face, "face")?, place(crop, "crop")?) };
        let cut: Option<Rgb8> = align(&image.0, &face.into(), &embedder.0.alignment())?;
        *place = cut.map_or(std::ptr::null_mut(), |crop| give(WarpfaceImage(crop)));
        Ok(())
    })
}

/// Embeds `count` crops of the embedder's size: `values` takes their embeddings one behind the other, and has room for
/// `room` values, as many as they have at least. A crop's embedding does not depend on the others.
///
/// # Safety
/// `embedder` is an embedder, `crops` has `count` pictures, `values` room for `room` values.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn warpface_embed(
    embedder: *const WarpfaceEmbedder,
    crops: *const *const WarpfaceImage,
    count: usize,
    values: *mut f32,
    room: usize,
) -> WarpfaceStatus {
    guard(|| {
        // SAFETY: the caller's promise.
        let (embedder, crops) = unsafe { (here(embedder, "embedder")?, slice(crops, count, "crops")?) };
        // SAFETY: the caller's promise.
        let crops = crops.iter().map(|&crop| unsafe { here(crop, "a crop") }.map(|crop| &crop.0));
        let crops = crops.collect::<Result<Vec<&Rgb8>, Fault>>()?;
        let needed = count.checked_mul(embedder.0.dim()).filter(|&needed| needed <= room).ok_or_else(|| {
            Fault::usage(format!("values has room for {room}, and {count} embeddings have {} each", embedder.0.dim()))
        })?;
        if needed == 0 {
            return Ok(());
        }
        if values.is_null() {
            return Err(Fault::null("values"));
        }
        let rows = embedder.0.embed(&crops)?.into_vec();
        // SAFETY: there is room for as many.
        unsafe { std::ptr::copy_nonoverlapping(rows.as_ptr(), values, needed.min(rows.len())) };
        Ok(())
    })
}

/// Squared Euclidean distance of two embeddings, between 0 and 4: the smaller, the likelier are both of one person.
///
/// # Safety
/// `a` and `b` have `dim` values, and `distance` is a valid place.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn warpface_compare(
    a: *const f32,
    b: *const f32,
    dim: usize,
    distance: *mut f32,
) -> WarpfaceStatus {
    guard(|| {
        // SAFETY: the caller's promise.
        let (a, b, place) = unsafe { (slice(a, dim, "a")?, slice(b, dim, "b")?, place(distance, "distance")?) };
        if dim == 0 {
            return Err(Error::invalid("embeddings", "have no values").into());
        }
        *place = squared_distance(a, b);
        Ok(())
    })
}
