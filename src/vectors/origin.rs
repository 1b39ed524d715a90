//! Which model made embeddings.

use serde::{Deserialize, Serialize};

use crate::{Error, Result};

/// What made embeddings: they can be compared with those of the same origin only.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Origin {
    /// The weights file's name, without its folder.
    pub model: String,
    /// The SHA-256 of its content, lowercase hexadecimal.
    pub sha256: String,
    /// Values of an embedding.
    pub dim: usize,
    /// What was done to the pixels: `fixed`, `prewhiten` or `unit`.
    pub standardize: String,
    /// How faces were cut out, in words.
    pub align: String,
}

impl Origin {
    /// Refuses embeddings of another model or standardization. Another alignment moves embeddings little, and is no
    /// error.
    ///
    /// # Errors
    /// [`Error::Invalid`] that names both; `what` is what the others are of.
    pub fn require(&self, other: &Origin, what: &str) -> Result<()> {
        let differs = match () {
            () if self.sha256 != other.sha256 => (self.model.clone(), other.model.clone()),
            () if self.standardize != other.standardize => {
                (format!("{} standardization", self.standardize), format!("{} standardization", other.standardize))
            }
            () => return Ok(()),
        };
        let (ours, theirs) = differs;
        let hash = |origin: &Origin| origin.sha256.chars().take(12).collect::<String>();
        let files =
            if ours == theirs { format!(" (SHA-256 {} and {})", hash(self), hash(other)) } else { String::new() };
        let problem =
            format!("made with {theirs}, and these with {ours}{files}: embeddings of two models cannot be compared");
        Err(Error::invalid(what.to_owned(), problem))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn embeddings_of_two_models_do_not_meet() {
        let a = Origin {
            model: "a.pb".into(),
            sha256: "11".into(),
            dim: 512,
            standardize: "fixed".into(),
            align: "margin 32".into(),
        };
        a.require(&Origin { align: "similarity".into(), ..a.clone() }, "the index").unwrap();
        let other = Origin { model: "b.h5".into(), sha256: "22".into(), ..a.clone() };
        let error = a.require(&other, "the index").unwrap_err().to_string();
        assert!(["the index", "a.pb", "b.h5"].iter().all(|word| error.contains(word)), "{error}");
        let other = Origin { sha256: "22".into(), ..a.clone() };
        assert!(a.require(&other, "x").unwrap_err().to_string().contains("SHA-256 11 and 22"));
        let other = Origin { standardize: "prewhiten".into(), ..a.clone() };
        assert!(a.require(&other, "x").unwrap_err().to_string().contains("prewhiten"));
    }
}
