//! Exact nearest neighbours.

use std::path::PathBuf;

use numpy::{IntoPyArray, PyArray2, PyArrayMethods, PyReadonlyArray2};
use pyo3::prelude::*;
use warpface::face::Embeddings;
use warpface::vectors::search::{self, Hit, Neighbours, Table};

use crate::device::Device;
use crate::errors::Raise;

/// Numbers of rows, nearest first, and their squared distances, `[queries, k]`.
type Near<'py> = (Bound<'py, PyArray2<i64>>, Bound<'py, PyArray2<f32>>);

fn embeddings(rows: &PyReadonlyArray2<'_, f32>) -> Embeddings {
    let array = rows.as_array();
    Embeddings::new(array.ncols(), array.iter().copied().collect())
}

/// All queries have as many hits: `k`, or as many as there are rows.
fn near<'py>(py: Python<'py>, hits: &[Vec<Hit>]) -> PyResult<Near<'py>> {
    let shape = [hits.len(), hits.first().map_or(0, Vec::len)];
    let rows: Vec<i64> = hits.iter().flatten().map(|hit| hit.row as i64).collect();
    let distances: Vec<f32> = hits.iter().flatten().map(|hit| hit.distance).collect();
    Ok((rows.into_pyarray(py).reshape(shape)?, distances.into_pyarray(py).reshape(shape)?))
}

/// The `k` nearest of `rows` to each query.
#[pyfunction]
pub fn nearest<'py>(
    py: Python<'py>,
    device: &Device,
    rows: PyReadonlyArray2<'py, f32>,
    queries: PyReadonlyArray2<'py, f32>,
    k: usize,
) -> PyResult<Near<'py>> {
    let (rows, queries, handle) = (embeddings(&rows), embeddings(&queries), device.handle());
    let hits = py.detach(|| Neighbours::new(handle.device()?, &rows)?.nearest(&queries, k));
    near(py, &hits.raise(py)?)
}

/// Vectors with names in one file.
#[pyclass(frozen, module = "warpface._native")]
pub struct Index {
    index: search::Index,
}

fn table(rows: Embeddings, names: Option<Vec<String>>) -> warpface::Result<Table> {
    let table = Table::from(rows);
    match names {
        Some(names) => table.with_names(names),
        None => Ok(table),
    }
}

#[pymethods]
impl Index {
    /// Opens an index.
    #[new]
    fn new(py: Python<'_>, path: PathBuf) -> PyResult<Self> {
        Ok(Index { index: py.detach(|| search::Index::open(path)).raise(py)? })
    }

    /// Writes a new index in place of what was there.
    #[staticmethod]
    #[pyo3(signature = (device, path, rows, names, storage))]
    fn build(
        py: Python<'_>,
        device: &Device,
        path: PathBuf,
        rows: PyReadonlyArray2<'_, f32>,
        names: Option<Vec<String>>,
        storage: &str,
    ) -> PyResult<()> {
        let (rows, handle) = (embeddings(&rows), device.handle());
        let built = py.detach(|| search::Index::build(path, handle.device()?, &table(rows, names)?, storage.parse()?));
        built.raise(py)
    }

    /// Adds rows behind those of an index, and returns how many there are then.
    #[staticmethod]
    #[pyo3(signature = (device, path, rows, names))]
    fn add(
        py: Python<'_>,
        device: &Device,
        path: PathBuf,
        rows: PyReadonlyArray2<'_, f32>,
        names: Option<Vec<String>>,
    ) -> PyResult<usize> {
        let (rows, handle) = (embeddings(&rows), device.handle());
        py.detach(|| search::Index::add(path, handle.device()?, &table(rows, names)?)).raise(py)
    }

    /// The `k` nearest rows to each query.
    fn nearest<'py>(
        &self,
        py: Python<'py>,
        device: &Device,
        queries: PyReadonlyArray2<'py, f32>,
        k: usize,
    ) -> PyResult<Near<'py>> {
        let (queries, handle) = (embeddings(&queries), device.handle());
        let hits = py.detach(|| self.index.neighbours(handle.device()?)?.nearest(&queries, k));
        near(py, &hits.raise(py)?)
    }

    /// The name of a row.
    fn name(&self, row: usize) -> Option<&str> {
        self.index.name(row)
    }

    /// Length of a row.
    #[getter]
    fn dim(&self) -> usize {
        self.index.dim()
    }

    fn __len__(&self) -> usize {
        self.index.len()
    }
}
