//! The library's one error type. Every message names the file, field, tensor or node at fault and says the way out.
//!
//! [`Error::kind`] sorts errors for a program that acts on them; [`Error::message`] lets it call fields by its own
//! names, as the command line calls them by its flags:
//!
//! ```
//! use warpface::error::ErrorKind;
//! use warpface::face::DetectOptions;
//!
//! let error = DetectOptions { min_size: 3, ..DetectOptions::default() }.check().unwrap_err();
//! assert_eq!(error.kind(), ErrorKind::Field);
//! assert_eq!(error.field().unwrap().name(), "min_size");
//! assert!(error.message(|field| format!("--{}", field.name().replace('_', "-"))).starts_with("--min-size: 3 is"));
//! ```

mod message;

use std::fmt;
use std::path::{Path, PathBuf};

use crate::shape::Shape;
pub(crate) use message::message;
pub use message::{Field, Message, Part, Subject};

/// What every fallible function of this crate returns.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// Why something could not be done.
///
/// The message of an error contains its cause: [`std::error::Error::source`] is `None`, so that nothing is told twice.
#[derive(Debug)]
#[non_exhaustive]
pub enum Error {
    /// The operating system refused a file operation.
    Io {
        /// The file or folder.
        path: PathBuf,
        /// What was tried, as an infinitive: `read`, `write`, `create`.
        action: &'static str,
        /// The system's reason.
        source: std::io::Error,
    },
    /// A photograph could not be decoded.
    Image {
        /// The photograph.
        path: PathBuf,
        /// What is wrong with it, and what to do.
        problem: Message,
    },
    /// A weights file is damaged, of an unknown format, or not the model it was asked to be.
    Weights {
        /// The weights file.
        path: PathBuf,
        /// What is wrong with it, and what to do.
        problem: Message,
    },
    /// A weights file's tensor is missing or has the wrong shape.
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
    /// Any other file or folder holds what makes no sense: a pairs file, a schedule, a checkpoint, a folder of people.
    Data {
        /// The file or folder.
        path: PathBuf,
        /// The line, counted from 1, where it is one line's fault.
        line: Option<usize>,
        /// What is wrong with it, and what to do.
        problem: Message,
    },
    /// An op was given shapes that it cannot take.
    Shape {
        /// The op's stem.
        op: &'static str,
        /// The node's name in its graph.
        node: String,
        /// Which input, expected and got.
        problem: String,
    },
    /// A device is absent, lost, or too small for the plan.
    Device {
        /// `cpu`, `wgpu` or `cuda`.
        device: String,
        /// What is missing, and what to do.
        problem: Message,
    },
    /// A device has too little memory left.
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
    /// What is asked for takes more memory than there is, or than is allowed.
    TooLarge {
        /// What is asked for.
        what: String,
        /// How much it takes and how much there is, and what to do.
        problem: Message,
    },
    /// A device failed while it worked, and cannot be used again by this process. Others can.
    DeviceLost {
        /// The device's name.
        device: String,
        /// What it was doing, the driver's words, and what to do.
        problem: String,
    },
    /// A field of some options, or an argument, does not make sense.
    Invalid {
        /// The field or argument.
        what: Subject,
        /// What is wrong with it, and what to do.
        problem: Message,
    },
}

/// What an error is about, for a program that acts on it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ErrorKind {
    /// The operating system refused a file operation: [`Error::Io`].
    File,
    /// A file's content makes no sense: [`Error::Image`], [`Error::Weights`], [`Error::Tensor`], [`Error::Data`].
    Data,
    /// A named field of some options has a value that makes no sense: [`Error::field`] names it.
    Field,
    /// A function was called in a way that makes no sense: shapes that do not fit, an argument out of range.
    Usage,
    /// A device is absent, lacks what was asked for, or failed: [`Error::Device`], [`Error::DeviceLost`].
    Device,
    /// There is too little memory: [`Error::OutOfMemory`], [`Error::TooLarge`].
    Memory,
}

impl Error {
    /// An [`Error::Io`] maker for `map_err`.
    pub fn io(path: &Path, action: &'static str) -> impl FnOnce(std::io::Error) -> Error {
        let path = path.to_owned();
        move |source| Error::Io { path, action, source }
    }

    /// An [`Error::Image`].
    pub fn image(path: &Path, problem: impl Into<Message>) -> Error {
        Error::Image { path: path.to_owned(), problem: problem.into() }
    }

    /// An [`Error::Weights`].
    pub fn weights(path: &Path, problem: impl Into<Message>) -> Error {
        Error::Weights { path: path.to_owned(), problem: problem.into() }
    }

    /// An [`Error::Data`] of a whole file or folder.
    pub fn data(path: &Path, problem: impl Into<Message>) -> Error {
        Error::Data { path: path.to_owned(), line: None, problem: problem.into() }
    }

    /// An [`Error::Data`] of one line, counted from 1.
    pub fn line(path: &Path, line: usize, problem: impl Into<Message>) -> Error {
        Error::Data { path: path.to_owned(), line: Some(line), problem: problem.into() }
    }

    /// An [`Error::Device`].
    pub fn device(device: &str, problem: impl Into<Message>) -> Error {
        Error::Device { device: device.to_owned(), problem: problem.into() }
    }

    /// A device's error by the name that the device was chosen by, where there are several; any other stays as it is.
    pub(crate) fn of_device(self, name: &str) -> Error {
        match self {
            Error::Device { problem, .. } => Error::Device { device: name.to_owned(), problem },
            Error::DeviceLost { device, problem } => {
                Error::DeviceLost { device: format!("device {name} ({device})"), problem }
            }
            Error::OutOfMemory { device, what, asked, free } => {
                Error::OutOfMemory { device: format!("device {name} ({device})"), what, asked, free }
            }
            other => other,
        }
    }

    /// An [`Error::Invalid`].
    pub fn invalid(what: impl Into<Subject>, problem: impl Into<Message>) -> Error {
        Error::Invalid { what: what.into(), problem: problem.into() }
    }

    /// What the error is about.
    pub fn kind(&self) -> ErrorKind {
        match self {
            Error::Io { .. } => ErrorKind::File,
            Error::Image { .. } | Error::Weights { .. } | Error::Tensor { .. } | Error::Data { .. } => ErrorKind::Data,
            Error::Device { .. } | Error::DeviceLost { .. } => ErrorKind::Device,
            Error::OutOfMemory { .. } | Error::TooLarge { .. } => ErrorKind::Memory,
            Error::Invalid { what: Subject::Field(_), .. } => ErrorKind::Field,
            Error::Shape { .. } | Error::Invalid { .. } => ErrorKind::Usage,
        }
    }

    /// The field whose value makes no sense, where it is one's fault.
    pub fn field(&self) -> Option<Field> {
        match self {
            Error::Invalid { what: Subject::Field(field), .. } => Some(*field),
            _ => None,
        }
    }

    /// The message, with fields called as `name` has them.
    pub fn message(&self, name: impl Fn(Field) -> String) -> String {
        match self {
            Error::Io { path, action, source } => format!("{}: cannot {action}: {source}", path.display()),
            Error::Image { path, problem } | Error::Weights { path, problem } => {
                format!("{}: {}", path.display(), problem.with_names(name))
            }
            Error::Data { path, line: None, problem } => format!("{}: {}", path.display(), problem.with_names(name)),
            Error::Data { path, line: Some(line), problem } => {
                format!("{}:{line}: {}", path.display(), problem.with_names(name))
            }
            Error::Tensor { path, name, expected, found } => {
                format!("{}: tensor `{name}`: expected {expected}, {found}", path.display())
            }
            Error::Shape { op, node, problem } => format!("{op} at node `{node}`: {problem}"),
            Error::Device { device, problem } => format!("device {device}: {}", problem.with_names(name)),
            Error::OutOfMemory { device, what, asked, free } => format!(
                "{device}: no memory for {what}: {} MiB asked, {} MiB free; use a smaller batch, or another {}",
                asked.div_ceil(1 << 20),
                free >> 20,
                name(Field("device"))
            ),
            Error::TooLarge { what, problem } => format!("{what}: {}", problem.with_names(name)),
            Error::DeviceLost { device, problem } => format!("{device}: {problem}"),
            Error::Invalid { what, problem } => match what {
                Subject::Field(field) => format!("{}: {}", name(*field), problem.with_names(name)),
                Subject::Text(what) => format!("{what}: {}", problem.with_names(name)),
            },
        }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message(message::quoted))
    }
}

impl std::error::Error for Error {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_cause_is_told_once() {
        let error = Error::io(Path::new("a.npy"), "read")(std::io::ErrorKind::NotFound.into());
        assert_eq!(error.to_string(), "a.npy: cannot read: entity not found");
        assert!(std::error::Error::source(&error).is_none());
        assert_eq!(error.kind(), ErrorKind::File);
    }

    #[test]
    fn fields_are_called_as_the_reader_calls_them() {
        let problem = message!["raise it, or lower ", Field("learning_rate"), " below ", format!("{}", 0.5)];
        let error = Error::invalid(Field("alpha"), problem);
        assert_eq!(error.to_string(), "`alpha`: raise it, or lower `learning_rate` below 0.5");
        let flags = error.message(|field| format!("--{}", field.name().replace('_', "-")));
        assert_eq!(flags, "--alpha: raise it, or lower --learning-rate below 0.5");
        assert_eq!((error.kind(), error.field()), (ErrorKind::Field, Some(Field("alpha"))));
        assert_eq!(Error::invalid("a crop", "is empty").kind(), ErrorKind::Usage);
        assert_eq!(Error::line(Path::new("pairs.txt"), 3, "too long").to_string(), "pairs.txt:3: too long");
    }
}
