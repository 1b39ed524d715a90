#!/usr/bin/env bash
# The Rust crate zip takes a valid archive for a damaged one if its first name has 30 letters and zip64 end records are there.
#
# Version: zip 9.4.1, default features off. Such archives come from torch 2.15.0: torch.save always writes zip64 end records,
#     and the first name is that of the file with /data.pkl, so a checkpoint whose name has 21 letters is one (seen with it, and
#     built here without it, as it is large).
# Expected: zip64 end records may stand in any archive, whatever its size; the name's length changes nothing.
# Behaviour: names of 29 and 31 letters are read, of 30 give "Invalid Central Directory header". By default the crate detects
#     where the archive begins in the file, from the size of the directory and from where that ends, and does not count the
#     zip64 records in between: 76 bytes, as many as a directory entry with a name of 30 letters and nothing else. There the
#     second entry stands, which is taken for the first, and all offsets are moved by 76. Config with ArchiveOffset::Known(0)
#     reads all three; so does Python's zipfile.
# Fails if that changes. Needs python3, and cargo with a network.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cat >"$work/make.py" <<'PYTHON'
import io, struct, sys, zipfile

for letters in (29, 30, 31):
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w") as archive:
        archive.writestr("a" * letters, b"first")
        archive.writestr("second", b"second")
    made = made.getvalue()
    end = len(made) - 22
    _, _, _, _, count, size, start, _ = struct.unpack("<4s4H2LH", made[end:])
    # The record, which tells what the end record tells, and its locator.
    record = struct.pack("<4sQ2H2L4Q", b"PK\x06\x06", 44, 45, 45, 0, 0, count, count, size, start)
    locator = struct.pack("<4sLQL", b"PK\x06\x07", 0, end, 1)
    assert len(record + locator) == 76
    path = f"{sys.argv[1]}/{letters}.zip"
    with open(path, "wb") as file:
        file.write(made[:end] + record + locator + made[end:])
    with zipfile.ZipFile(path) as archive:
        assert [archive.read(name) for name in archive.namelist()] == [b"first", b"second"]
PYTHON
python3 "$work/make.py" "$work"
mkdir "$work/src"
cat >"$work/Cargo.toml" <<'TOML'
[package]
name = "look"
version = "0.1.0"
edition = "2021"

[dependencies]
zip = { version = "=9.4.1", default-features = false }
TOML
cat >"$work/src/main.rs" <<'RUST'
use std::fs::File;
use std::io::Read;

use zip::read::{ArchiveOffset, Config, ZipArchive};

fn read(path: &str, config: Config) -> Result<Vec<String>, Box<dyn std::error::Error>> {
    let mut archive = ZipArchive::with_config(config, File::open(path)?)?;
    let mut contents = Vec::new();
    for i in 0..archive.len() {
        let mut text = String::new();
        archive.by_index(i)?.read_to_string(&mut text)?;
        contents.push(text);
    }
    Ok(contents)
}

fn main() {
    let mut changed = false;
    for letters in [29, 30, 31] {
        let path = format!("{}/{letters}.zip", std::env::args().nth(1).unwrap());
        for (name, archive_offset) in [("detected", ArchiveOffset::Detect), ("Known(0)", ArchiveOffset::Known(0))] {
            let found = read(&path, Config { archive_offset });
            println!("a first name of {letters} letters, offset {name}: {found:?}");
            let refused = letters == 30 && archive_offset == ArchiveOffset::Detect;
            changed |= match found {
                Ok(contents) => refused || contents != ["first", "second"],
                Err(_) => !refused,
            };
        }
    }
    if changed {
        eprintln!("this behaviour has changed");
        std::process::exit(1);
    }
}
RUST
CARGO_TARGET_DIR="$work/target" cargo run --quiet --manifest-path "$work/Cargo.toml" -- "$work"
