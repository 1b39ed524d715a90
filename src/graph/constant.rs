//! A graph's constants: weights in memory, or what reads them.

use std::fmt;
use std::sync::Arc;

use crate::{Result, Shape, Tensor};

/// A constant. Its shape is known; its values may still lie in a file, and are read when a device loads the graph, so
/// that they are held once, as the device has them.
#[derive(Clone)]
pub struct Constant {
    shape: Shape,
    value: Value,
}

#[derive(Clone)]
enum Value {
    Here(Arc<Tensor>),
    Stored(Arc<dyn Fn() -> Result<Tensor> + Send + Sync>),
}

impl Constant {
    /// A constant of this shape that `read` makes each time it is asked for.
    pub fn stored(shape: impl Into<Shape>, read: impl Fn() -> Result<Tensor> + Send + Sync + 'static) -> Self {
        Constant { shape: shape.into(), value: Value::Stored(Arc::new(read)) }
    }

    /// The extents.
    pub fn shape(&self) -> &Shape {
        &self.shape
    }

    /// The values, if they are in memory.
    pub fn here(&self) -> Option<&Arc<Tensor>> {
        match &self.value {
            Value::Here(tensor) => Some(tensor),
            Value::Stored(_) => None,
        }
    }

    /// The values, read if they are not in memory.
    ///
    /// # Errors
    /// What reading them gives.
    pub fn value(&self) -> Result<Arc<Tensor>> {
        match &self.value {
            Value::Here(tensor) => Ok(tensor.clone()),
            Value::Stored(read) => {
                let tensor = read()?;
                assert_eq!(*tensor.shape(), self.shape, "a stored constant has another shape than it was said to have");
                Ok(Arc::new(tensor))
            }
        }
    }
}

impl From<Arc<Tensor>> for Constant {
    fn from(tensor: Arc<Tensor>) -> Self {
        Constant { shape: tensor.shape().clone(), value: Value::Here(tensor) }
    }
}

impl From<Tensor> for Constant {
    fn from(tensor: Tensor) -> Self {
        Arc::new(tensor).into()
    }
}

impl fmt::Debug for Constant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "constant {}", self.shape)
    }
}
