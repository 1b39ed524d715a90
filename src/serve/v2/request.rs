//! A request of inference: JSON, and tensors behind it.

use serde::Deserialize;
use serde_json::{Map, Value};

use super::binary;
use crate::serve::engine::Facts;
use crate::serve::problem::{Answer, Problem};
use crate::serve::values::{Values, WithTexts};
use crate::serve::{ENCODED, INPUT, OUTPUT, json};

/// The JSON part.
#[derive(Deserialize)]
struct Header {
    id: Option<String>,
    #[serde(default)]
    parameters: Map<String, Value>,
    inputs: Vec<Input>,
    #[serde(default)]
    outputs: Vec<Output>,
}

#[derive(Deserialize)]
struct Input {
    name: String,
    shape: Vec<usize>,
    datatype: String,
    #[serde(default)]
    parameters: Map<String, Value>,
    data: Option<WithTexts>,
}

#[derive(Deserialize)]
struct Output {
    name: String,
    #[serde(default)]
    parameters: Map<String, Value>,
}

/// A request.
pub struct Infer {
    header: Header,
    /// What stands behind the JSON.
    binary: Vec<u8>,
}

/// How the answer is wanted.
pub struct Wanted {
    pub id: Option<String>,
    pub binary: bool,
}

impl Infer {
    /// Reads a body whose JSON has this length, or fills it.
    pub fn read(body: &[u8], length: Option<usize>) -> Answer<Infer> {
        let length = length.unwrap_or(body.len());
        let (header, binary) = body.split_at_checked(length).ok_or_else(|| {
            let header = super::HEADER_LENGTH;
            Problem::bad(format!("{header} says {length} bytes of JSON, and the body has {}", body.len()))
        })?;
        Ok(Infer { header: json::read(header)?, binary: binary.to_vec() })
    }

    /// Which answer is wanted; another output than there is is refused.
    pub fn wanted(&self) -> Answer<Wanted> {
        let mut binary = flag(&self.header.parameters, "binary_data_output")?.unwrap_or(false);
        for output in &self.header.outputs {
            if output.name != OUTPUT {
                return Err(Problem::bad(format!("no output is called `{}`; there is {OUTPUT}", output.name)));
            }
            if output.parameters.contains_key("classification") {
                return Err(Problem::bad(format!("{OUTPUT}: an embedding is no classification")));
            }
            binary = flag(&output.parameters, "binary_data")?.unwrap_or(binary);
        }
        Ok(Wanted { id: self.header.id.clone(), binary })
    }

    /// The crops.
    pub fn values(self, facts: &Facts) -> Answer<Values> {
        let [input] = <[Input; 1]>::try_from(self.header.inputs).map_err(|inputs| {
            Problem::bad(format!("one input is needed, {INPUT}; the request has {}", inputs.len()))
        })?;
        if ![INPUT, ENCODED].contains(&input.name.as_str()) {
            return Err(Problem::bad(format!("no input is called `{}`; there is {INPUT}", input.name)));
        }
        let size = input.parameters.get("binary_data_size").map(|size| {
            let no_size = || Problem::bad(format!("{}: binary_data_size is no number of bytes", input.name));
            size.as_u64().and_then(|size| usize::try_from(size).ok()).ok_or_else(no_size)
        });
        let of_input = |problem: String| Problem::bad(format!("{}: {problem}", input.name));
        let tensor = match (size.transpose()?, input.data) {
            (Some(size), None) if size == self.binary.len() => Tensor::Binary(self.binary),
            (Some(size), None) => {
                let there = self.binary.len();
                return Err(of_input(format!("binary_data_size is {size}, and {there} bytes stand behind the JSON")));
            }
            (Some(_), Some(_)) => return Err(of_input("it has data in JSON, and behind it".into())),
            (None, None) => return Err(of_input("it has no data".into())),
            (None, Some(_)) if !self.binary.is_empty() => {
                let there = self.binary.len();
                return Err(of_input(format!("{there} bytes stand behind the JSON, and binary_data_size names none")));
            }
            (None, Some(data)) => Tensor::Json(data.0),
        };
        match input.datatype.as_str() {
            "FP32" => floats(tensor, input.shape).and_then(|values| values.check(facts.size)),
            "BYTES" => encoded(tensor, &input.shape),
            other => {
                let taken = "FP32 for standardized crops, BYTES for encoded ones";
                Err(Problem::bad(format!("the datatype {other} is not taken; there are {taken}")))
            }
        }
    }
}

/// Where a tensor's values are.
enum Tensor {
    Json(Values),
    Binary(Vec<u8>),
}

fn floats(tensor: Tensor, shape: Vec<usize>) -> Answer<Values> {
    let numbers = match tensor {
        Tensor::Binary(bytes) => binary::floats(&bytes)?,
        Tensor::Json(values) if values.encoded.is_empty() => values.numbers,
        Tensor::Json(_) => return Err(Problem::bad("FP32: texts are no numbers")),
    };
    match holds(&shape, numbers.len()) {
        true => Ok(Values { shape, numbers, ..Values::default() }),
        false => Err(Problem::bad(format!("the shape {shape:?} does not hold {} values", numbers.len()))),
    }
}

fn encoded(tensor: Tensor, shape: &[usize]) -> Answer<Values> {
    let encoded = match tensor {
        Tensor::Binary(bytes) => binary::elements(&bytes)?,
        Tensor::Json(values) if values.numbers.is_empty() => values.encoded,
        Tensor::Json(_) => return Err(Problem::bad("BYTES: numbers are no encoded crops")),
    };
    match holds(shape, encoded.len()) && !encoded.is_empty() {
        true => Ok(Values { shape: vec![encoded.len()], encoded, ..Values::default() }),
        false => Err(Problem::bad(format!("the shape {shape:?} does not hold {} encoded crops", encoded.len()))),
    }
}

/// Whether a shape has so many elements.
fn holds(shape: &[usize], elements: usize) -> bool {
    shape.iter().try_fold(1usize, |product, extent| product.checked_mul(*extent)) == Some(elements)
}

/// A parameter that is true or false.
fn flag(parameters: &Map<String, Value>, name: &str) -> Answer<Option<bool>> {
    let value = parameters.get(name);
    let no_flag = || Problem::bad(format!("the parameter {name} is true or false"));
    value.map(|value| value.as_bool().ok_or_else(no_flag)).transpose()
}
