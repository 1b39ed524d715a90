//! A stretch of a tensor's values under extents of its own; moves nothing where memory allows.

use serde::Deserialize;

use super::{Operator, Port, Real, Vjp, arity};
use crate::{Shape, Tensor};

/// Values of `x` that follow each other, row-major.
///
/// Inputs: `x`, and for [`Part::Like`] a second tensor whose extents alone are read.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(from = "Attributes")]
pub enum Part {
    /// From this element on, under these extents.
    At(usize, Shape),
    /// Row `i` of `x: [rows, ..]`, without the first axis.
    Row(usize),
    /// All values, under the second input's extents.
    Like,
}

/// The attributes by name.
#[derive(Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
enum Attributes {
    At { offset: usize, extents: Vec<usize> },
    Row { index: usize },
    Like,
}

impl From<Attributes> for Part {
    fn from(attributes: Attributes) -> Part {
        match attributes {
            Attributes::At { offset, extents } => Part::At(offset, extents.into()),
            Attributes::Row { index } => Part::Row(index),
            Attributes::Like => Part::Like,
        }
    }
}

impl Part {
    /// The first element.
    pub fn offset(&self, x: &Shape) -> usize {
        match self {
            Part::At(offset, _) => *offset,
            Part::Row(i) => i * x.dims()[1..].iter().product::<usize>(),
            Part::Like => 0,
        }
    }
}

impl Operator for Part {
    const STEM: &'static str = "part";
    const RECOMPUTABLE: bool = false;

    fn shape(&self, inputs: &[&Shape]) -> Result<Shape, String> {
        match self {
            Part::At(offset, shape) => {
                arity(inputs, 1, "x")?;
                if offset + shape.elements() > inputs[0].elements() {
                    return Err(format!(
                        "expected x of {} elements at least, got {}",
                        offset + shape.elements(),
                        inputs[0]
                    ));
                }
                Ok(shape.clone())
            }
            Part::Row(i) => {
                arity(inputs, 1, "x")?;
                match inputs[0].dims() {
                    [rows, rest @ ..] if i < rows => Ok(rest.into()),
                    _ => Err(format!("expected x: [rows, ..] with over {i} rows, got {}", inputs[0])),
                }
            }
            Part::Like => {
                arity(inputs, 2, "x, like")?;
                if inputs[0].elements() != inputs[1].elements() {
                    return Err(format!("expected x of {} elements, got {}", inputs[1].elements(), inputs[0]));
                }
                Ok(inputs[1].clone())
            }
        }
    }

    fn flops(&self, _: &[&Shape], _: &Shape) -> u64 {
        0
    }

    fn reference<T: Real>(&self, inputs: &[&Tensor<T>]) -> Tensor<T> {
        let shapes: Vec<&Shape> = inputs.iter().map(|x| x.shape()).collect();
        let shape = self.shape(&shapes).expect("checked by shape");
        let data = inputs[0].data()[self.offset(shapes[0])..][..shape.elements()].to_vec();
        Tensor::new(shape, data)
    }

    fn port(&self, i: usize) -> Port {
        if i == 0 { Port::Value } else { Port::Extents }
    }

    fn vjp(&self, at: &mut Vjp) -> Result<(), String> {
        if *self != Part::Like {
            return Err("only the gradient of a whole is known; ask for the part's own".into());
        }
        let inputs = [at.dy(), at.input(0)];
        at.gradient(0, "dx", Part::Like, &inputs);
        Ok(())
    }
}
