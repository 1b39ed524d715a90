//! The library's fields as this program's flags, and its errors as exit codes.

use crate::Error;
use crate::error::{ErrorKind, Field};

/// The flag that a field of the library's options is set by.
pub fn flag(field: Field) -> String {
    match field.name() {
        "epochs" => "--max-nrof-epochs".to_owned(),
        "evaluate_every" => "--validate-every-n-epochs".to_owned(),
        "filter_min_images" => "--filter-min-nrof-images-per-class".to_owned(),
        "folds" => "--lfw-nrof-folds".to_owned(),
        "pairs_dir" => "--lfw-dir".to_owned(),
        // The one argument that is no flag.
        "dir" => "DIR".to_owned(),
        name => format!("--{}", name.replace('_', "-")),
    }
}

/// An error in this program's words.
pub fn words(error: &Error) -> String {
    error.message(flag)
}

/// Whether an error is wrong usage: a flag whose value makes no sense, as one that clap refuses.
pub fn is_usage(error: &Error) -> bool {
    error.kind() == ErrorKind::Field
}
