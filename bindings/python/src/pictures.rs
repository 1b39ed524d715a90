//! Pictures from Python: uint8 arrays `[height, width, 3]` of any strides.

use numpy::{PyArrayDyn, PyArrayMethods, PyReadonlyArrayDyn, PyUntypedArray, PyUntypedArrayMethods};
use pyo3::prelude::*;
use warpface::image::Rgb8;

use crate::errors::usage;

/// What was given instead of pixels, in words.
fn given(any: &Bound<'_, PyAny>) -> String {
    match any.cast::<PyUntypedArray>() {
        Ok(array) => format!("{} {:?}", array.dtype(), array.shape()),
        Err(_) => any.get_type().name().map_or_else(|_| "something else".to_owned(), |name| name.to_string()),
    }
}

/// A picture; `what` names it where it is none.
pub fn picture(any: &Bound<'_, PyAny>, what: &str) -> PyResult<Rgb8> {
    let wrong = || usage(any.py(), format!("{what}: expected uint8 [height, width, 3], got {}", given(any)));
    let array = any.cast::<PyArrayDyn<u8>>().map_err(|_| wrong())?;
    let &[height, width, 3] = array.shape() else { return Err(wrong()) };
    if height == 0 || width == 0 {
        return Err(wrong());
    }
    let array: PyReadonlyArrayDyn<'_, u8> = array.try_readonly().map_err(|_| wrong())?;
    // The library owns its pixels: this is the one copy, whatever the strides.
    let data = match array.as_slice() {
        // Fortran's order is a slice, too.
        Ok(slice) if array.is_c_contiguous() => slice.to_vec(),
        _ => array.as_array().iter().copied().collect(),
    };
    Ok(Rgb8::new(width, height, data))
}

/// Pictures of a list, whose first has the index `first`; one that is none is named by its index.
pub fn pictures(list: &[Bound<'_, PyAny>], what: &str, first: usize) -> PyResult<Vec<Rgb8>> {
    list.iter().enumerate().map(|(i, any)| picture(any, &format!("{what} {}", first + i))).collect()
}
