//! A tensor within JSON: nested lists of numbers, or of encoded pictures (`{"b64": ".."}`), read without a tree of values.

use std::fmt;

use base64::Engine as _;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use serde::de::{DeserializeSeed, Deserializer, Error, MapAccess, SeqAccess, Visitor};

use super::problem::{Answer, Problem};

/// The deepest lists that anyone needs are those of `[n, height, width, channels]`.
const DEEPEST: usize = 4;

/// Base 64 with its padding or without.
const BASE64: GeneralPurpose = GeneralPurpose::new(
    &base64::alphabet::STANDARD,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// The bytes of a text in base 64.
pub fn from_base64(text: &str) -> Result<Vec<u8>, String> {
    BASE64.decode(text).map_err(|error| format!("no base 64: {error}"))
}

/// What a request holds: the extents of its lists, and what is in the innermost.
#[derive(Debug, Default, PartialEq)]
pub struct Values {
    /// The extents, outermost first.
    pub shape: Vec<usize>,
    /// Numbers, in order.
    pub numbers: Vec<f32>,
    /// Encoded pictures, in order.
    pub encoded: Vec<Vec<u8>>,
    /// Whether the innermost lists have been reached, so that their depth is known.
    pub is_whole: bool,
}

impl<'de> serde::Deserialize<'de> for Values {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Values, D::Error> {
        let mut values = Values::default();
        At { values: &mut values, depth: 0, named: false, texts: false }.deserialize(deserializer)?;
        Ok(values)
    }
}

/// As [`Values`]; a text is an encoded picture, too, as the Open Inference Protocol has bytes in JSON.
pub struct WithTexts(pub Values);

impl<'de> serde::Deserialize<'de> for WithTexts {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<WithTexts, D::Error> {
        let mut values = Values::default();
        At { values: &mut values, depth: 0, named: true, texts: true }.deserialize(deserializer)?;
        Ok(WithTexts(values))
    }
}

impl Values {
    /// How many crops there are.
    pub fn count(&self) -> usize {
        if self.encoded.is_empty() { self.shape.first().copied().unwrap_or_default() } else { self.encoded.len() }
    }

    /// The standardized crops, each `size * size * 3` values, of a tensor `[n, size, size, 3]`.
    pub fn crops(self, size: usize) -> Answer<Vec<Vec<f32>>> {
        crops(&self.check(size)?.numbers, size)
    }

    /// Refuses another tensor than `[n, size, size, 3]`.
    pub fn check(self, size: usize) -> Answer<Values> {
        match self.shape[..] {
            [n, height, width, 3] if n > 0 && [height, width] == [size; 2] => Ok(self),
            _ => {
                let found = &self.shape;
                Err(Problem::bad(format!("expected floats of the shape [n, {size}, {size}, 3], got {found:?}")))
            }
        }
    }

    /// A leaf at this depth, which must be the one of all leaves.
    fn leaf<E: Error>(&mut self, depth: usize) -> Result<(), E> {
        if !self.is_whole {
            self.is_whole = true;
            self.shape.truncate(depth);
        }
        match depth == self.shape.len() {
            true => Ok(()),
            false => Err(E::custom("lists of different depths: all must be as deep as the first")),
        }
    }

    fn picture<E: Error>(&mut self, depth: usize, text: &str) -> Result<(), E> {
        if !self.numbers.is_empty() {
            return Err(E::custom(MIX));
        }
        let bytes = from_base64(text).map_err(E::custom)?;
        self.leaf(depth)?;
        self.encoded.push(bytes);
        Ok(())
    }

    fn number<E: Error>(&mut self, depth: usize, number: f32) -> Result<(), E> {
        if !self.encoded.is_empty() {
            return Err(E::custom(MIX));
        }
        if !number.is_finite() {
            return Err(E::custom("a number that f32 does not hold is no pixel"));
        }
        self.leaf(depth)?;
        self.numbers.push(number);
        Ok(())
    }
}

/// Numbers that are `n` crops of `size * size * 3` values.
pub fn crops(numbers: &[f32], size: usize) -> Answer<Vec<Vec<f32>>> {
    let crops = numbers.chunks_exact(size * size * 3);
    crops.enumerate().map(|(i, crop)| finite(i, crop, size)).collect()
}

/// A crop, where all of its values are numbers.
fn finite(i: usize, crop: &[f32], size: usize) -> Answer<Vec<f32>> {
    match crop.iter().position(|x| !x.is_finite()) {
        None => Ok(crop.to_vec()),
        Some(at) => {
            let (y, x, channel, value) = (at / 3 / size, at / 3 % size, at % 3, crop[at]);
            Err(Problem::bad(format!("crop {i}: {value} in row {y}, column {x}, channel {channel} is no pixel")))
        }
    }
}

const MIX: &str = "numbers and encoded pictures are mixed: a request holds one kind";

/// A value at a depth of lists.
struct At<'a> {
    values: &'a mut Values,
    depth: usize,
    /// Whether it stands in an object that names it.
    named: bool,
    /// Whether texts are encoded pictures.
    texts: bool,
}

impl<'de> DeserializeSeed<'de> for At<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for At<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.write_str("numbers in nested lists, or encoded pictures as {\"b64\": \"..\"}")
    }

    fn visit_f64<E: Error>(self, x: f64) -> Result<(), E> {
        self.values.number(self.depth, x as f32)
    }

    fn visit_u64<E: Error>(self, x: u64) -> Result<(), E> {
        self.values.number(self.depth, x as f32)
    }

    fn visit_i64<E: Error>(self, x: i64) -> Result<(), E> {
        self.values.number(self.depth, x as f32)
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<(), E> {
        match self.texts {
            true => self.values.picture(self.depth, text),
            false => Err(E::invalid_type(serde::de::Unexpected::Str(text), &self)),
        }
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<(), A::Error> {
        let At { values, depth, texts, .. } = self;
        if depth == DEEPEST || (values.is_whole && depth >= values.shape.len()) {
            if !values.encoded.is_empty() {
                return Err(A::Error::custom(MIX));
            }
            let what = "lists of different depths, or deeper than [n, height, width, channels]";
            return Err(A::Error::custom(what));
        }
        if !values.is_whole && values.shape.len() == depth {
            values.shape.push(usize::MAX);
        }
        let mut n = 0;
        while list.next_element_seed(At { values: &mut *values, depth: depth + 1, named: texts, texts })?.is_some() {
            n += 1;
        }
        match values.shape[depth] {
            usize::MAX => values.shape[depth] = n,
            of_others if of_others != n => {
                let what = format!("lists of {of_others} and of {n} at one depth: a tensor's are equally long");
                return Err(A::Error::custom(what));
            }
            _ => {}
        }
        Ok(())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut object: A) -> Result<(), A::Error> {
        let At { values, depth, named, texts } = self;
        let Some(key) = object.next_key::<String>()? else {
            return Err(A::Error::custom("an empty object; give {\"b64\": \"..\"}"));
        };
        match key.as_str() {
            "b64" => {
                values.picture(depth, &object.next_value::<String>()?)?;
            }
            super::INPUT | super::ENCODED if !named => {
                object.next_value_seed(At { values: &mut *values, depth, named: true, texts })?;
            }
            other => {
                let (input, encoded) = (super::INPUT, super::ENCODED);
                return Err(A::Error::custom(format!("no input is called `{other}`; there are {input} and {encoded}")));
            }
        }
        match object.next_key::<String>()? {
            None => Ok(()),
            Some(second) => Err(A::Error::custom(format!("`{second}` beside `{key}`: an object holds one input"))),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<Values, String> {
        serde_json::from_str(text).map_err(|error| error.to_string())
    }

    #[test]
    fn nested_lists_have_shapes() {
        let values = read("[[[1, -2], [3.5, 4e0]], [[5, 6], [7, 8]], [[0, 0], [0, 0]]]").unwrap();
        assert_eq!((&values.shape[..], &values.numbers[..4]), (&[3, 2, 2][..], &[1.0, -2.0, 3.5, 4.0][..]));
        assert_eq!(read("3").unwrap().shape, [] as [usize; 0]);
        assert_eq!(read("[]").unwrap().shape, [0]);
        let named = read("{\"input\": [[1, 2]]}").unwrap();
        assert_eq!((named.shape, named.numbers), (vec![1, 2], vec![1.0, 2.0]));
        // In rows each object names its own.
        assert_eq!(read("[{\"input\": [1, 2]}, {\"input\": [3, 4]}]").unwrap().shape, [2, 2]);
    }

    #[test]
    fn pictures_are_told_from_numbers() {
        let values = read("[{\"b64\": \"Zm9v\"}, {\"b64\": \"YmE\"}, {\"image_bytes\": {\"b64\": \"YmE=\"}}]").unwrap();
        assert_eq!(values.shape, [3]);
        assert_eq!(values.encoded, [b"foo".to_vec(), b"ba".to_vec(), b"ba".to_vec()]);
        let named = read("{\"image_bytes\": [{\"b64\": \"Zm9v\"}]}").unwrap();
        assert_eq!((named.shape, named.encoded.len()), (vec![1], 1));
    }

    #[test]
    fn what_is_no_tensor_is_refused_in_words() {
        let refused = [
            ("[[1, 2], [3]]", "lists of 2 and of 1"),
            ("[1, [2]]", "different depths"),
            ("[[1], 2]", "different depths"),
            ("[[], [1]]", "lists of 0 and of 1"),
            ("[[[[[1]]]]]", "deeper than"),
            ("[{\"b64\": \"Zm9v\"}, 1]", "mixed"),
            ("[1, {\"b64\": \"Zm9v\"}]", "mixed"),
            ("[[1], {\"b64\": \"Zm9v\"}]", "mixed"),
            ("[{\"b64\": \"Zm9v\"}, [1]]", "mixed"),
            ("[{\"b64\": \"Z*\"}]", "no base 64"),
            ("[{\"b64\": 3}]", "expected a string"),
            ("[{\"b64\": \"Zm9v\", \"x\": 1}]", "`x` beside `b64`"),
            ("[{\"picture\": 1}]", "`picture`; there are input and image_bytes"),
            ("{\"input\": {\"input\": 1}}", "no input is called"),
            ("[\"a\"]", "expected numbers in nested lists"),
            ("[null]", "expected numbers in nested lists"),
            ("[1e39]", "no pixel"),
            ("[{}]", "an empty object"),
        ];
        for (text, word) in refused {
            let error = read(text).unwrap_err();
            assert!(error.contains(word), "{text}: {error}");
        }
        let deep = "[".repeat(100_000);
        assert!(read(&deep).unwrap_err().contains("deeper than"));
        let error = read("[[[[1, 2, 3]]]]").unwrap().crops(160).unwrap_err();
        let response = error.answer(|field| field.name().to_owned());
        assert_eq!(response.status(), 400);
    }

    #[test]
    fn what_is_no_number_has_a_place() {
        let mut numbers = vec![0.0; 2 * 12];
        numbers[12 + 7] = f32::NAN;
        let problem = crops(&numbers, 2).unwrap_err();
        assert!(format!("{problem:?}").contains("crop 1: NaN in row 1, column 0, channel 1"), "{problem:?}");
    }
}
