//! Protocol buffers' messages, put together before their tensors are read: a message's length stands before it, and a tensor's
//! is known by its shape.

use std::io::Write;
use std::path::Path;

use crate::error::{Error, Result};
use crate::graph::Constant;

/// A message under construction. Tensors are read one by one when it is written.
#[derive(Clone, Debug, Default)]
pub(super) struct Message(Vec<Part>);

#[derive(Clone, Debug)]
enum Part {
    Bytes(Vec<u8>),
    /// A constant's values as little-endian floats, its axes in this order.
    Values(Constant, &'static [usize]),
}

impl Part {
    fn len(&self) -> u64 {
        match self {
            Part::Bytes(bytes) => bytes.len() as u64,
            Part::Values(constant, _) => 4 * constant.shape().elements() as u64,
        }
    }
}

/// Values that become bytes at once.
const PIECE: usize = 1 << 14;

/// What a field's key says of its value.
const VARINT: u64 = 0;
const BYTES: u64 = 2;
const FIXED32: u64 = 5;

impl Message {
    /// A message without fields.
    pub fn new() -> Self {
        Message::default()
    }

    /// How many bytes it has.
    pub fn len(&self) -> u64 {
        self.0.iter().map(Part::len).sum()
    }

    /// With a whole number, or a choice of an enumeration.
    pub fn number(self, field: u64, number: i64) -> Self {
        self.key(field, VARINT).varint(number as u64)
    }

    /// With a float.
    pub fn float(self, field: u64, x: f32) -> Self {
        self.key(field, FIXED32).raw(&x.to_le_bytes())
    }

    /// With text.
    pub fn text(self, field: u64, text: &str) -> Self {
        self.bytes(field, text.as_bytes())
    }

    /// With bytes.
    pub fn bytes(self, field: u64, bytes: &[u8]) -> Self {
        self.key(field, BYTES).varint(bytes.len() as u64).raw(bytes)
    }

    /// With whole numbers in one stretch.
    pub fn numbers(self, field: u64, numbers: &[i64]) -> Self {
        let packed = numbers.iter().fold(Message::new(), |packed, &number| packed.varint(number as u64));
        self.message(field, packed)
    }

    /// With a message.
    pub fn message(self, field: u64, inner: Message) -> Self {
        let outer = self.key(field, BYTES).varint(inner.len());
        inner.0.into_iter().fold(outer, |outer, part| match part {
            Part::Bytes(bytes) => outer.raw(&bytes),
            values => outer.part(values),
        })
    }

    /// With a constant's values as bytes, its axes in this order.
    pub fn values(self, field: u64, constant: &Constant, axes: &'static [usize]) -> Self {
        let values = Part::Values(constant.clone(), axes);
        self.key(field, BYTES).varint(values.len()).part(values)
    }

    fn key(self, field: u64, kind: u64) -> Self {
        self.varint(field << 3 | kind)
    }

    fn varint(mut self, mut number: u64) -> Self {
        let bytes = self.tail();
        while number >= 0x80 {
            bytes.push(number as u8 | 0x80);
            number >>= 7;
        }
        bytes.push(number as u8);
        self
    }

    fn raw(mut self, bytes: &[u8]) -> Self {
        self.tail().extend_from_slice(bytes);
        self
    }

    fn part(mut self, part: Part) -> Self {
        self.0.push(part);
        self
    }

    /// The bytes at its end.
    fn tail(&mut self) -> &mut Vec<u8> {
        if !matches!(self.0.last(), Some(Part::Bytes(_))) {
            self.0.push(Part::Bytes(Vec::new()));
        }
        match self.0.last_mut() {
            Some(Part::Bytes(bytes)) => bytes,
            _ => unreachable!("pushed above"),
        }
    }

    /// Writes it; `path` is for messages.
    ///
    /// # Errors
    /// What reading a constant gives; what the system says.
    pub fn write(&self, path: &Path, to: &mut impl Write) -> Result<()> {
        let mut put = |bytes: &[u8]| to.write_all(bytes).map_err(Error::io(path, "write"));
        for part in &self.0 {
            let (constant, axes) = match part {
                Part::Bytes(bytes) => {
                    put(bytes)?;
                    continue;
                }
                Part::Values(constant, axes) => (constant, axes),
            };
            let tensor = constant.value()?;
            let moved = (!axes.is_sorted()).then(|| tensor.permute(axes));
            let values = moved.as_ref().unwrap_or(&tensor).data();
            for piece in values.chunks(PIECE) {
                put(&piece.iter().flat_map(|x| x.to_le_bytes()).collect::<Vec<u8>>())?;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use prost::Message as _;

    use super::*;
    use crate::Tensor;

    #[derive(Clone, PartialEq, prost::Message)]
    struct Inner {
        #[prost(bytes, tag = "1")]
        values: Vec<u8>,
        #[prost(float, tag = "2")]
        x: f32,
    }

    #[derive(Clone, PartialEq, prost::Message)]
    struct Outer {
        #[prost(string, tag = "1")]
        name: String,
        #[prost(int64, tag = "2")]
        number: i64,
        #[prost(int64, repeated, tag = "3")]
        numbers: Vec<i64>,
        #[prost(message, repeated, tag = "200")]
        inner: Vec<Inner>,
    }

    #[test]
    fn messages_are_those_of_protocol_buffers() {
        let values: Vec<f32> = (0..60).map(|i| i as f32 / 7.0).collect();
        let constant = Constant::from(Tensor::new([3, 4, 5], values.clone()));
        let inner = Message::new().values(1, &constant, &[0, 1, 2]).float(2, -0.5);
        let turned = Message::new().values(1, &constant, &[2, 0, 1]);
        let message = Message::new().text(1, "näme").number(2, -3).numbers(3, &[0, 1, -1, 300, i64::MAX]);
        let message = message.message(200, inner).message(200, turned);
        let mut bytes = Vec::new();
        message.write(Path::new("x"), &mut bytes).unwrap();
        assert_eq!(bytes.len() as u64, message.len());
        let read = Outer::decode(bytes.as_slice()).unwrap();
        assert_eq!((read.name.as_str(), read.number), ("näme", -3));
        assert_eq!(read.numbers, [0, 1, -1, 300, i64::MAX]);
        let floats = |bytes: &[u8]| -> Vec<f32> {
            bytes.as_chunks::<4>().0.iter().map(|bytes| f32::from_le_bytes(*bytes)).collect()
        };
        assert_eq!((floats(&read.inner[0].values), read.inner[0].x), (values, -0.5));
        assert_eq!(floats(&read.inner[1].values)[..4], [0.0, 5.0 / 7.0, 10.0 / 7.0, 15.0 / 7.0]);
    }
}
