//! Faces in Parquet files that Arrow's readers take: a row for each face, and one for each photograph without any.
//!
//! | column | type | what |
//! |---|---|---|
//! | `path` | text | the photograph, as it was named |
//! | `label` | text | whom it is of, by its folder; where it was asked for |
//! | `box` | 4 f64, or null | left, top, right, bottom in pixels, as in [`Face`](crate::face::Face) |
//! | `landmarks` | 10 f64, or null | x and y of the left eye, right eye, nose, left and right corner of the mouth |
//! | `score` | f64, or null | probability that this is a face |
//! | `embedding` | f32s of one number, or null | where faces were embedded |
//! | `error` | text, or null | why the photograph, or the face, could not be done |
//!
//! Lists are Arrow's `FixedSizeList`. A photograph without a face is a row whose box and error are both null.
//!
//! A [`Writer`] puts rows into files of one row group in the folder `NAME.parts`, each whole or not there, and joins them to
//! the one file `NAME` at the end. So a run that is killed loses at most the rows of one row group, what it leaves is read by
//! every program that reads Parquet, and a run that resumes does the photographs that are not in it.

mod batch;
mod join;
mod parts;
mod read;
mod write;

pub use batch::{Columns, Row};
pub(super) use read::ORIGIN;
pub use read::{FaceRows, read};
pub use write::{Begun, GROUP_ROWS, Writer};

/// Whether a file begins as Parquet files do. None that cannot be read does.
pub fn is_parquet(path: impl AsRef<std::path::Path>) -> bool {
    use std::io::Read;
    let mut magic = [0; 4];
    let path = path.as_ref();
    // A pipe would be waited for without end.
    path.is_file()
        && std::fs::File::open(path).and_then(|mut file| file.read_exact(&mut magic)).is_ok()
        && magic == *b"PAR1"
}
