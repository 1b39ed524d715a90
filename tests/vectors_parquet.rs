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
fn what_makes_no_vectors_is_named() {
    for (name, words) in [
        ("null", &["row 1", "null"][..]),
        ("uneven", &["row 1", "1 values", "2"]),
        ("two", &["a, b"]),
        ("text", &["no column of lists"]),
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
