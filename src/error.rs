//! The library's one error type. Every message names the file, tensor or node at fault and says the way out.

use std::path::{Path, PathBuf};

use crate::shape::Shape;

/// What every fallible function of this crate returns.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// Why something could not be done.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The operating system refused a file operation.
    #[error("{path}: cannot {action}: {source}", path = path.display())]
    Io {
        /// The file or folder.
        path: PathBuf,
        /// What was tried, as an infinitive: `read`, `write`, `create`.
        action: &'static str,
        /// The system's reason.
        source: std::io::Error,
    },
    /// A photograph could not be decoded.
    #[error("{path}: {problem}", path = path.display())]
    Image {
        /// The photograph.
        path: PathBuf,
        /// What is wrong with it, and what to do.
        problem: String,
    },
    /// A weights file is damaged, of an unknown format, or not the model it was asked to be.
    #[error("{path}: {problem}", path = path.display())]
    Weights {
        /// The weights file.
        path: PathBuf,
        /// What is wrong with it, and what to do.
        problem: String,
    },
    /// A weights file's tensor is missing or has the wrong shape.
    #[error("{path}: tensor `{name}`: expected {expected}, {found}", path = path.display())]
    Tensor {
        /// The weights file.
        path: PathBuf,
        /// The tensor's name in the file.
        name: String,
        /// The shape the model needs.
        expected: Shape,
        /// `found [..]`, or `it is missing`, with what to do.
        found: String,
    },
    /// An op was given shapes that it cannot take.
    #[error("{op} at node `{node}`: {problem}")]
    Shape {
        /// The op's stem.
        op: &'static str,
        /// The node's name in its graph.
        node: String,
        /// Which input, expected and got.
        problem: String,
    },
    /// A device is absent, lost, or too small for the plan.
    #[error("device {device}: {problem}")]
    Device {
        /// `cpu`, `wgpu` or `cuda`.
        device: String,
        /// What is missing, and what to do.
        problem: String,
    },
    /// A device has too little memory left.
    #[error(
        "{device}: no memory for {what}: {asked} MiB asked, {free} MiB free; use a smaller batch, or another --device",
        asked = asked.div_ceil(1 << 20), free = free >> 20
    )]
    OutOfMemory {
        /// The device's name.
        device: String,
        /// What the memory was for.
        what: String,
        /// Bytes asked for.
        asked: u64,
        /// Bytes that were free.
        free: u64,
    },
    /// A device failed while it worked, and cannot be used again by this process. Others can.
    #[error("{device}: {problem}")]
    DeviceLost {
        /// The device's name.
        device: String,
        /// What it was doing, the driver's words, and what to do.
        problem: String,
    },
    /// An argument or an input text (a pairs file, say) does not make sense.
    #[error("{what}: {problem}")]
    Invalid {
        /// The argument, or the file and its line.
        what: String,
        /// What is wrong with it, and what to do.
        problem: String,
    },
}

impl Error {
    /// An [`Error::Io`] maker for `map_err`.
    pub fn io(path: &Path, action: &'static str) -> impl FnOnce(std::io::Error) -> Error {
        let path = path.to_owned();
        move |source| Error::Io { path, action, source }
    }

    /// An [`Error::Image`].
    pub fn image(path: &Path, problem: impl Into<String>) -> Error {
        Error::Image { path: path.to_owned(), problem: problem.into() }
    }

    /// An [`Error::Weights`].
    pub fn weights(path: &Path, problem: impl Into<String>) -> Error {
        Error::Weights { path: path.to_owned(), problem: problem.into() }
    }

    /// An [`Error::Device`].
    pub fn device(device: &str, problem: impl Into<String>) -> Error {
        Error::Device { device: device.to_owned(), problem: problem.into() }
    }

    /// An [`Error::Invalid`].
    pub fn invalid(what: impl Into<String>, problem: impl Into<String>) -> Error {
        Error::Invalid { what: what.into(), problem: problem.into() }
    }
}
