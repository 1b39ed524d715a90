//! The closed set of operations that graphs are made of, one file per op: attributes, shape rule, cost, CPU reference.
//!
//! The reference is the oracle every backend is compared with: generic over `f32` and `f64`, written for reading.
//! Activations are NHWC, filters OHWI, and every tensor is dense and row-major. `list.rs` names the ops.

mod activation;
mod check;
mod list;
mod operator;
mod text;
mod tolerance;
mod vjp;
pub mod window;

pub use activation::Activation;
pub use operator::{Operator, Port, Real};
pub(crate) use optimizer::step as optimizer_step;
#[doc(hidden)]
pub use tolerance::Tolerance;
pub(crate) use vjp::Append;
pub use vjp::{NodeId, Vjp};
pub use window::Padding;

use activation::activation_vjp;
use check::{arity, channels, exactly, index, nhwc};
pub(crate) use list::for_each_op;

use crate::{Error, Result, Shape, Tensor};

macro_rules! ops {
    ($($(#[$doc:meta])* $stem:ident::$name:ident $(, $extra:ident)*;)+) => {
        $(
            mod $stem;
            pub use $stem::{$name $(, $extra)*};
            const _: () = assert!(is_stem(stringify!($stem), $name::STEM), "STEM is not the name of the op's module");

            impl From<$name> for Op {
                fn from(op: $name) -> Op {
                    Op::$name(op)
                }
            }
        )+

        /// One operation with its attributes.
        #[derive(Clone, Debug, PartialEq)]
        pub enum Op {
            $($(#[$doc])* $name($name),)+
        }

        /// What `$body` makes of the attributes of an op, whichever it is.
        macro_rules! of_each {
            ($self:expr, $op:ident => $body:expr) => {
                match $self { $(Op::$name($op) => $body,)+ }
            };
        }

        impl Op {
            /// The stem of every op, in the alphabet's order.
            pub const STEMS: &'static [&'static str] = &[$($name::STEM),+];

            /// The op of a stem with its attributes as a JSON object, such as `{"kernel": [2, 2], ..}`: the fields of its type. An
            /// op without attributes takes an empty one.
            ///
            /// # Errors
            /// [`Error::Invalid`] for a stem that no op has, and for attributes that are not the op's.
            pub fn from_json(stem: &str, attributes: &str) -> Result<Op> {
                let problem = |error: serde_json::Error| Error::invalid(format!("op `{stem}`"), error.to_string());
                let mut attributes: serde_json::Value = serde_json::from_str(attributes).map_err(problem)?;
                if attributes.as_object().is_some_and(serde_json::Map::is_empty) {
                    attributes = serde_json::Value::Null;
                }
                match stem {
                    $($name::STEM => serde_json::from_value::<$name>(attributes).map(Op::from).map_err(problem),)+
                    _ => Err(Error::invalid(format!("op `{stem}`"), format!("there are {}", Op::STEMS.join(", ")))),
                }
            }

            /// See [`Operator::STEM`].
            pub fn stem(&self) -> &'static str {
                match self { $(Op::$name(_) => $name::STEM,)+ }
            }

            /// See [`Operator::F32_ALONE`].
            pub fn f32_alone(&self) -> bool {
                match self { $(Op::$name(_) => $name::F32_ALONE,)+ }
            }

            /// See [`Operator::RECOMPUTABLE`].
            pub fn recomputable(&self) -> bool {
                match self { $(Op::$name(_) => $name::RECOMPUTABLE,)+ }
            }

            /// See [`Operator::STRIDED_OUTPUT`].
            pub fn strided_output(&self) -> bool {
                match self { $(Op::$name(_) => $name::STRIDED_OUTPUT,)+ }
            }
        }
    };
}

for_each_op!(ops);

/// Whether an op says the stem that the list says.
const fn is_stem(listed: &str, said: &str) -> bool {
    let (listed, said) = (listed.as_bytes(), said.as_bytes());
    let mut i = 0;
    while i < listed.len() && i < said.len() && listed[i] == said[i] {
        i += 1;
    }
    i == listed.len() && i == said.len()
}

impl Op {
    /// See [`Operator::shape`].
    pub fn shape(&self, inputs: &[&Shape]) -> Result<Shape, String> {
        of_each!(self, op => op.shape(inputs))
    }

    /// See [`Operator::flops`].
    pub fn flops(&self, inputs: &[&Shape], output: &Shape) -> u64 {
        of_each!(self, op => op.flops(inputs, output))
    }

    /// See [`Operator::reference`].
    pub fn reference<T: Real>(&self, inputs: &[&Tensor<T>]) -> Tensor<T> {
        of_each!(self, op => op.reference(inputs))
    }

    /// See [`Operator::port`].
    pub fn port(&self, i: usize) -> Port {
        of_each!(self, op => op.port(i))
    }

    /// See [`Operator::keep_f32`].
    pub fn keep_f32(&self) -> bool {
        of_each!(self, op => op.keep_f32())
    }

    /// See [`Operator::in_place`].
    pub fn in_place(&self) -> Option<usize> {
        of_each!(self, op => op.in_place())
    }

    /// See [`Operator::by_image`].
    pub fn by_image(&self, i: usize) -> bool {
        of_each!(self, op => op.by_image(i))
    }

    /// See [`Operator::tolerance`].
    #[doc(hidden)]
    pub fn tolerance(&self) -> Tolerance {
        of_each!(self, op => op.tolerance())
    }

    /// See [`Operator::vjp`].
    ///
    /// # Errors
    /// Why there is no gradient, and what to do.
    pub fn vjp(&self, at: &mut Vjp) -> Result<(), String> {
        of_each!(self, op => op.vjp(at))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ops_come_from_json() {
        assert_eq!(Op::from_json("l2_normalize", r#"{"epsilon": 0.5}"#).unwrap(), L2Normalize { epsilon: 0.5 }.into());
        assert_eq!(Op::from_json("flatten", "{}").unwrap(), Flatten.into());
        for (stem, attributes, words) in [
            ("l2_normalise", "{}", "l2_normalize"),
            ("l2_normalize", "{}", "l2_normalize"),
            ("l2_normalize", "{", "l2_normalize"),
            ("max_pool2d", r#"{"kernel": "big"}"#, "max_pool2d"),
        ] {
            let error = Op::from_json(stem, attributes).unwrap_err().to_string();
            assert!(error.contains(words), "{error}");
        }
    }
}
