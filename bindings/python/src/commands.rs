//! The command line, from within Python.

use std::ffi::OsString;

use pyo3::prelude::*;

/// Runs a command line, the program's name first, and returns its exit code.
#[pyfunction]
pub fn run(py: Python<'_>, arguments: Vec<OsString>) -> u8 {
    py.detach(|| warpface::cli::run(arguments))
}
