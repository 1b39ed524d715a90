//! The `.safetensors` file of a checkpoint: written in one pass from borrowed values, read by the `safetensors` crate.

use std::collections::BTreeMap;
use std::io::{self, Write};

use safetensors::{Dtype, SafeTensors};

use super::Stored;
use crate::Tensor;
use crate::weights::{ModelFacts, safetensors_beginning};

/// A tensor to be written.
#[derive(Clone, Copy, Debug)]
pub struct Named<'a> {
    /// Its name, of no other tensor.
    pub name: &'a str,
    /// Its extents.
    pub dims: &'a [usize],
    /// Its values, row-major.
    pub values: Values<'a>,
}

/// Borrowed values.
#[derive(Clone, Copy, Debug)]
pub enum Values<'a> {
    /// Floats.
    F32(&'a [f32]),
    /// Whole numbers: counters, labels, bit patterns.
    U32(&'a [u32]),
}

impl<'a> Named<'a> {
    /// A tensor of floats.
    pub fn f32(name: &'a str, dims: &'a [usize], values: &'a [f32]) -> Self {
        Named { name, dims, values: Values::F32(values) }
    }

    /// A tensor of whole numbers.
    pub fn u32(name: &'a str, dims: &'a [usize], values: &'a [u32]) -> Self {
        Named { name, dims, values: Values::U32(values) }
    }
}

impl Values<'_> {
    fn len(&self) -> usize {
        match self {
            Values::F32(values) => values.len(),
            Values::U32(values) => values.len(),
        }
    }

    fn dtype(&self) -> &'static str {
        match self {
            Values::F32(_) => "F32",
            Values::U32(_) => "U32",
        }
    }

    fn write(&self, out: &mut impl Write) -> io::Result<()> {
        // On a little-endian machine the values' bytes are the file's.
        if cfg!(target_endian = "little") {
            return out.write_all(match self {
                Values::F32(values) => bytemuck::cast_slice(values),
                Values::U32(values) => bytemuck::cast_slice(values),
            });
        }
        match self {
            Values::F32(values) => values.iter().try_for_each(|x| out.write_all(&x.to_le_bytes())),
            Values::U32(values) => values.iter().try_for_each(|x| out.write_all(&x.to_le_bytes())),
        }
    }
}

/// Writes the format: the header's length (u64), the header (JSON, padded to 8 bytes), the values.
pub(super) fn write(tensors: &[Named], facts: &ModelFacts, out: &mut impl Write) -> io::Result<()> {
    let invalid = |problem: String| io::Error::new(io::ErrorKind::InvalidInput, problem);
    for Named { name, dims, values } in tensors {
        if values.len() != dims.iter().product::<usize>() {
            return Err(invalid(format!("tensor `{name}` of shape {dims:?} has {} values", values.len())));
        }
    }
    let parts = tensors.iter().map(|tensor| {
        let values = &tensor.values;
        (tensor.name, values.dtype(), tensor.dims, 4 * values.len())
    });
    out.write_all(&safetensors_beginning(parts, facts).map_err(invalid)?)?;
    tensors.iter().try_for_each(|tensor| tensor.values.write(out))
}

/// Reads every tensor.
pub(super) fn read(bytes: &[u8]) -> Result<BTreeMap<String, Stored>, String> {
    let file = SafeTensors::deserialize(bytes).map_err(|e| format!("it is no whole .safetensors file ({e})"))?;
    let words = |data: &[u8]| data.as_chunks::<4>().0.to_vec();
    let stored = |(name, view): (&str, safetensors::tensor::TensorView)| {
        let dims = view.shape();
        let stored = match view.dtype() {
            Dtype::F32 => {
                let values = words(view.data()).into_iter().map(f32::from_le_bytes).collect();
                Stored::F32(Tensor::new(dims, values))
            }
            Dtype::U32 => {
                let values = words(view.data()).into_iter().map(u32::from_le_bytes).collect();
                Stored::U32(Tensor::new(dims, values))
            }
            other => return Err(format!("tensor `{name}` is of type {other:?}, which no checkpoint has")),
        };
        Ok((name.to_owned(), stored))
    };
    file.iter().map(stored).collect()
}
