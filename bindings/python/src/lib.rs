//! warpface for Python: arrays in and out of the library. Shapes of Python's own are made in `python/warpface`.

mod commands;
mod decode;
mod device;
mod errors;
mod faces;
mod pictures;
mod search;
mod vectors;

use pyo3::prelude::*;

#[pymodule]
mod _native {
    #[pymodule_export]
    use super::commands::run;
    #[pymodule_export]
    use super::decode::{decode, decode_all};
    #[pymodule_export]
    use super::device::Device;
    #[pymodule_export]
    use super::faces::{Detector, align, choose, extract, order, planes, save};
    #[pymodule_export]
    use super::search::{Index, nearest};
    #[pymodule_export]
    use super::vectors::{Embedder, weights_folders};

    use super::*;

    #[pymodule_init]
    fn init(module: &Bound<'_, PyModule>) -> PyResult<()> {
        module.add("__version__", env!("CARGO_PKG_VERSION"))
    }
}
