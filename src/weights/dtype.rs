//! Floats as files store them.

use half::{bf16, f16};

/// A float type and its byte order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Dtype {
    pub float: Float,
    pub big_endian: bool,
}

/// A float type.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Float {
    F16,
    Bf16,
    F32,
    F64,
}

impl Dtype {
    pub fn little(float: Float) -> Self {
        Dtype { float, big_endian: false }
    }

    /// NumPy's notation: `<f4`, `>f8`, `f2`; `None` for what is no float.
    pub fn from_numpy(descr: &str) -> Option<Self> {
        let (big_endian, kind) = match descr.as_bytes().first()? {
            b'>' => (true, descr.get(1..)?),
            b'<' | b'|' => (false, descr.get(1..)?),
            b'=' => (cfg!(target_endian = "big"), descr.get(1..)?),
            _ => (false, descr),
        };
        let float = match kind {
            "f2" => Float::F16,
            "f4" => Float::F32,
            "f8" => Float::F64,
            _ => return None,
        };
        Some(Dtype { float, big_endian })
    }

    /// Bytes of one element.
    pub fn size(self) -> usize {
        match self.float {
            Float::F16 | Float::Bf16 => 2,
            Float::F32 => 4,
            Float::F64 => 8,
        }
    }

    /// As Rust and its kin call it.
    pub fn name(self) -> &'static str {
        match self.float {
            Float::F16 => "f16",
            Float::Bf16 => "bf16",
            Float::F32 => "f32",
            Float::F64 => "f64",
        }
    }

    /// The values as `f32`; an incomplete last element is left out.
    pub fn decode(self, bytes: &[u8]) -> Vec<f32> {
        match self.float {
            Float::F16 => self.convert(bytes, |b| f16::from_le_bytes(b).to_f32()),
            Float::Bf16 => self.convert(bytes, |b| bf16::from_le_bytes(b).to_f32()),
            Float::F32 => self.convert(bytes, f32::from_le_bytes),
            Float::F64 => self.convert(bytes, |b| f64::from_le_bytes(b) as f32),
        }
    }

    fn convert<const N: usize>(self, bytes: &[u8], from: impl Fn([u8; N]) -> f32) -> Vec<f32> {
        let (elements, _) = bytes.as_chunks::<N>();
        let order = |mut element: [u8; N]| {
            if self.big_endian {
                element.reverse();
            }
            element
        };
        elements.iter().map(|&element| from(order(element))).collect()
    }
}
