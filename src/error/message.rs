//! Messages in which fields are not words but fields, so that a program can call them by its own names.

use std::borrow::Cow;
use std::fmt;

/// A field of some options, by its name in code, such as `image_size`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Field(pub &'static str);

impl Field {
    /// Its name in code.
    pub fn name(self) -> &'static str {
        self.0
    }
}

/// What an [`Error::Invalid`](super::Error::Invalid) is about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Subject {
    /// A field of some options.
    Field(Field),
    /// Anything else, in words.
    Text(String),
}

impl From<Field> for Subject {
    fn from(field: Field) -> Self {
        Subject::Field(field)
    }
}

impl From<&str> for Subject {
    fn from(text: &str) -> Self {
        Subject::Text(text.to_owned())
    }
}

impl From<String> for Subject {
    fn from(text: String) -> Self {
        Subject::Text(text)
    }
}

/// Words or a field.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Part {
    /// Words.
    Text(Cow<'static, str>),
    /// A field.
    Field(Field),
}

impl From<&'static str> for Part {
    fn from(text: &'static str) -> Self {
        Part::Text(text.into())
    }
}

impl From<String> for Part {
    fn from(text: String) -> Self {
        Part::Text(text.into())
    }
}

impl From<Field> for Part {
    fn from(field: Field) -> Self {
        Part::Field(field)
    }
}

/// What is wrong, and what to do: words among which fields keep their identity.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Message(Vec<Part>);

impl Message {
    /// The same, and then this.
    pub fn then(mut self, part: impl Into<Part>) -> Self {
        self.0.push(part.into());
        self
    }

    /// The same, and then all of another.
    pub fn and(mut self, other: impl Into<Message>) -> Self {
        self.0.extend(other.into().0);
        self
    }

    /// Its parts in order.
    pub fn parts(&self) -> &[Part] {
        &self.0
    }

    /// The text, with fields called as `name` has them.
    pub fn with_names(&self, name: impl Fn(Field) -> String) -> String {
        let text = |part: &Part| match part {
            Part::Text(text) => text.clone(),
            Part::Field(field) => name(*field).into(),
        };
        self.0.iter().map(text).collect()
    }
}

impl From<&str> for Message {
    fn from(text: &str) -> Self {
        Message(vec![Part::Text(text.to_owned().into())])
    }
}

impl From<String> for Message {
    fn from(text: String) -> Self {
        Message(vec![text.into()])
    }
}

impl fmt::Display for Message {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.with_names(quoted))
    }
}

/// A field as the library's own messages call it.
pub(super) fn quoted(field: Field) -> String {
    format!("`{}`", field.name())
}

/// A [`Message`] of these parts: string literals, `String`s and [`Field`]s.
macro_rules! message {
    ($($part:expr),+ $(,)?) => { $crate::error::Message::default()$(.then($part))+ };
}
pub(crate) use message;
