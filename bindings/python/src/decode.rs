//! Photographs from files and bytes to arrays.

use std::path::PathBuf;

use numpy::{IntoPyArray, PyArray3, PyArrayMethods};
use pyo3::prelude::*;
use pyo3::pybacked::PyBackedBytes;
use warpface::image::{self, Limits, Rgb8};

use crate::device::Device;
use crate::errors::{self, Raise};

/// What a photograph is read from.
#[derive(FromPyObject)]
pub enum Source {
    /// A file's bytes.
    Bytes(PyBackedBytes),
    /// A file.
    Path(PathBuf),
}

impl Source {
    fn decode(&self, name: &str) -> warpface::Result<Rgb8> {
        match self {
            Source::Bytes(bytes) => image::decode_bytes(name, bytes, &Limits::default()),
            Source::Path(path) => image::decode(path),
        }
    }
}

fn array(py: Python<'_>, picture: Rgb8) -> PyResult<Bound<'_, PyArray3<u8>>> {
    let shape = [picture.height(), picture.width(), 3];
    picture.into_data().into_pyarray(py).reshape(shape)
}

/// The pixels of a file, or of a file's bytes, which `name` calls in errors.
#[pyfunction]
pub fn decode<'py>(py: Python<'py>, source: Source, name: &str) -> PyResult<Bound<'py, PyArray3<u8>>> {
    let picture = py.detach(|| source.decode(name)).raise(py)?;
    array(py, picture)
}

/// The pixels of each, decoded on the threads of the device; in place of what cannot be, its exception, in which `name` calls
/// bytes.
#[pyfunction]
pub fn decode_all<'py>(
    py: Python<'py>,
    device: &Device,
    sources: Vec<Source>,
    name: &str,
) -> PyResult<Vec<Bound<'py, PyAny>>> {
    use rayon::prelude::*;
    let handle = device.handle();
    let decoded: Vec<warpface::Result<Rgb8>> = py
        .detach(|| {
            let decode = || sources.par_iter().map(|source| source.decode(name)).collect();
            Ok(handle.device()?.install(decode))
        })
        .raise(py)?;
    let value = |decoded: warpface::Result<Rgb8>| match decoded {
        Ok(picture) => Ok(array(py, picture)?.into_any()),
        Err(error) => Ok(errors::python(py, &error).into_value(py).into_bound(py).into_any()),
    };
    decoded.into_iter().map(value).collect()
}
