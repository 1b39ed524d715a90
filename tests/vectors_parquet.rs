//! Parquet files as pyarrow writes them (`tools/golden/vectors.py`).
#![cfg(feature = "parquet")]

mod common;

use std::path::PathBuf;

use common::files;
use warpface::vectors::search::Table;

fn file(name: &str) -> PathBuf {
    files::golden("vectors").join(format!("{name}.parquet"))
}

#[test]
fn every_layout_gives_the_vectors() {
    let expected: Vec<f32> = (0..50).flat_map(|row| (0..6).map(move |col| row as f32 + col as f32 / 8.0)).collect();
    for (name, named) in [("lists", true), ("fixed", true), ("large", false), ("columns", false)] {
        let table = Table::parquet(file(name)).unwrap();
        assert_eq!((table.len(), table.dim()), (50, 6), "{name}");
        assert_eq!(table.rows(0..50).as_slice(), expected, "{name}");
        assert_eq!(table.name(49), named.then_some("näme 49"), "{name}");
    }
}

#[test]
fn a_null_is_no_name() {
    let table = Table::parquet(file("nameless")).unwrap();
    assert_eq!([0, 1, 2].map(|row| table.name(row)), [Some("a"), None, Some("")]);
}

#[test]
fn what_makes_no_vectors_is_named() {
    for (name, words) in [
        ("null", &["row 1", "null"][..]),
        ("uneven", &["row 1", "1 values", "2"]),
        ("two", &["a, b"]),
        ("text", &["no column of lists"]),
        ("struct", &["`point`", "column of lists"]),
        ("map", &["`m`", "column of lists"]),
        ("gzip", &["gzip", "zstd"]),
        ("brotli", &["brotli", "zstd"]),
        ("wide", &["row 1", "beyond f32's range"]),
        ("wide_columns", &["row 1", "beyond f32's range"]),
    ] {
        let error = Table::parquet(file(name)).unwrap_err().to_string();
        assert!(error.contains(&format!("{name}.parquet")) && words.iter().all(|word| error.contains(word)), "{error}");
    }
    let folder = tempfile::tempdir().unwrap();
    let (bytes, cut) = (std::fs::read(file("lists")).unwrap(), folder.path().join("cut.parquet"));
    for len in [4, 100, bytes.len() / 2, bytes.len() - 1] {
        std::fs::write(&cut, &bytes[..len]).unwrap();
        assert!(Table::parquet(&cut).unwrap_err().to_string().contains("cut.parquet"));
    }
}

/// Bytes changed anywhere: an error that names the file, or vectors, and no panic.
#[test]
fn damaged_files_do_no_harm() {
    // What the reader says while it unwinds is not for the log of tests.
    std::panic::set_hook(Box::new(|_| {}));
    let folder = tempfile::tempdir().unwrap();
    let (path, mut noise) = (folder.path().join("damaged.parquet"), common::Noise::new(1));
    let mut below = move |n: usize| ((noise.unit() * n as f32) as usize).min(n - 1);
    let mut refused = 0;
    for name in ["lists", "fixed", "large", "columns", "two", "text"] {
        let good = std::fs::read(file(name)).unwrap();
        for _ in 0..300 {
            let mut bytes = good.clone();
            for _ in 0..1 + below(3) {
                let at = if below(2) == 0 { below(bytes.len()) } else { bytes.len() - 1 - below(500) };
                bytes[at] = below(256) as u8;
            }
            std::fs::write(&path, &bytes).unwrap();
            let read = std::panic::catch_unwind(|| Table::parquet(&path));
            let Ok(Err(error)) = read else {
                assert!(read.is_ok(), "{name} panics");
                continue;
            };
            assert!(error.to_string().contains("damaged.parquet"), "{error}");
            refused += 1;
        }
    }
    assert!(refused > 300, "{refused}");
}
