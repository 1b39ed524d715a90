//! `.safetensors`: a JSON header of names, types, shapes and offsets, then the bytes.

use ::safetensors::{Dtype as Stored, SafeTensors};

use super::Parsed;
use super::collector::Collector;
use super::dtype::{Dtype, Float};

/// Whether the file begins with a header length that fits it, and JSON.
pub(super) fn is(bytes: &[u8]) -> bool {
    let Some((length, rest)) = bytes.split_first_chunk::<8>() else { return false };
    let length = u64::from_le_bytes(*length);
    rest.first() == Some(&b'{') && length < 100 << 20
}

/// Reads every float tensor.
pub(super) fn read(bytes: &[u8], out: &mut Collector) -> Parsed<()> {
    let file = SafeTensors::deserialize(bytes)
        .map_err(|e| format!("is a damaged or cut safetensors file ({e}); fetch it again"))?;
    for (name, view) in file.iter() {
        let float = match view.dtype() {
            Stored::F16 => Float::F16,
            Stored::BF16 => Float::Bf16,
            Stored::F32 => Float::F32,
            Stored::F64 => Float::F64,
            other => {
                out.skip(name, format!("type {other:?}"))?;
                continue;
            }
        };
        out.insert_bytes(name, view.shape(), Dtype::little(float), false, view.data())?;
    }
    Ok(())
}
