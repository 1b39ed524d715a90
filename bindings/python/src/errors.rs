//! The library's errors as exceptions, in its own words.

use pyo3::exceptions::PyRuntimeError;
use pyo3::prelude::*;
use pyo3::types::PyType;
use warpface::Error;
use warpface::error::{ErrorKind, Field};

/// The class of `warpface.errors` that a kind of error is.
fn class(error: &Error) -> &'static str {
    match error.kind() {
        ErrorKind::File => match error {
            Error::Io { source, .. } if source.kind() == std::io::ErrorKind::NotFound => "FileMissing",
            _ => "FileError",
        },
        ErrorKind::Data => "DataError",
        ErrorKind::Field | ErrorKind::Usage => "UsageError",
        ErrorKind::Device => "DeviceError",
        ErrorKind::Memory => "OutOfMemory",
        _ => "Error",
    }
}

/// A field as Python's classes call it.
fn argument(field: Field) -> String {
    format!("`{}`", field.name())
}

/// A field as facenet-pytorch calls it.
pub fn facenet_argument(field: Field) -> String {
    match field.name() {
        "min_size" => "`min_face_size`".to_owned(),
        _ => argument(field),
    }
}

/// An exception of `warpface.errors`.
fn raise(py: Python<'_>, class: &str, message: String) -> PyErr {
    let found = py.import("warpface.errors").and_then(|errors| errors.getattr(class));
    match found.and_then(|class| Ok(class.cast_into::<PyType>()?)) {
        Ok(class) => PyErr::from_type(class, message),
        Err(_) => PyRuntimeError::new_err(message),
    }
}

/// The exception of an error; fields are called as `name` has them.
pub fn named(py: Python<'_>, error: &Error, name: impl Fn(Field) -> String) -> PyErr {
    raise(py, class(error), error.message(name))
}

/// The exception of an error.
pub fn python(py: Python<'_>, error: &Error) -> PyErr {
    named(py, error, argument)
}

/// Wrong arguments that the library never sees.
pub fn usage(py: Python<'_>, message: String) -> PyErr {
    raise(py, "UsageError", message)
}

/// The exception of a failed call of the library.
pub trait Raise<T> {
    /// As [`python`].
    fn raise(self, py: Python<'_>) -> PyResult<T>;
}

impl<T> Raise<T> for warpface::Result<T> {
    fn raise(self, py: Python<'_>) -> PyResult<T> {
        self.map_err(|error| python(py, &error))
    }
}
