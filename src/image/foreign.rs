//! Files that are neither photographs nor lists, but what these are often found in.

/// What a file is by its first bytes, and what to do with it: a phrase for messages. `None` for all else, photographs and
/// texts among it.
pub fn foreign(start: &[u8]) -> Option<&'static str> {
    let begins = |magic: &[u8]| start.starts_with(magic);
    Some(match () {
        () if start.get(257..262) == Some(b"ustar") => {
            "a tar archive: extract it (`tar -xf FILE`), and name the folder"
        }
        () if begins(b"\x1f\x8b") => {
            "gzipped, as .tgz archives are: extract it (`tar -xzf FILE`), and name what was in it"
        }
        () if begins(b"PK\x03\x04") => "a zip archive: extract it (`unzip FILE`), and name the folder",
        () if begins(b"BZh") => "compressed by bzip2: extract it (`tar -xjf FILE`), and name the folder",
        () if begins(b"\xfd7zXZ") => "compressed by xz: extract it (`tar -xJf FILE`), and name the folder",
        // 0xced7230a, little-endian.
        () if begins(b"\x0a\x23\xd7\xce") => {
            "an MXNet RecordIO file (.rec), many photographs in one: unpack it into a folder for each person (insightface's \
             recognition/_datasets_ has scripts), and name the folder"
        }
        () if matches!(start, [0x80, 2..=5, ..]) => {
            "a Python pickle: of insightface's .bin sets, `warpface lfw FILE.bin` measures the pairs in it"
        }
        () => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::foreign;

    #[test]
    fn archives_are_told_and_photographs_are_not() {
        let mut tar = vec![0; 512];
        tar[257..262].copy_from_slice(b"ustar");
        assert!(foreign(&tar).unwrap().contains("tar archive"));
        assert!(foreign(b"\x0a\x23\xd7\xce\x01").unwrap().contains("RecordIO"));
        assert!(foreign(b"\x1f\x8b\x08").unwrap().contains("gzip"));
        for other in [&b"\xff\xd8\xff\xe0"[..], b"\x89PNG", b"10\t300\n", b"", b"RIFF"] {
            assert_eq!(foreign(other), None);
        }
    }
}
