//! NumPy's arrays as files have them, where a crate does not write them.

/// The header of an `.npy` file (format version 1.0), padded so that the data starts at a multiple of 64.
pub fn header(descr: &str, shape: &[usize]) -> Vec<u8> {
    let extents: String = shape.iter().map(|extent| format!("{extent}, ")).collect();
    let extents = if shape.len() > 1 { extents.trim_end_matches(", ") } else { extents.trim_end() };
    let header = format!("{{'descr': '{descr}', 'fortran_order': False, 'shape': ({extents}), }}");
    // Magic, version and length take ten bytes.
    let padded = (10 + header.len() + 1).next_multiple_of(64) - 10;
    let mut bytes = b"\x93NUMPY\x01\x00".to_vec();
    bytes.extend((padded as u16).to_le_bytes());
    bytes.extend(format!("{header:<0$}\n", padded - 1).bytes());
    bytes
}

#[cfg(test)]
mod tests {
    use super::header;

    #[test]
    fn shapes_are_pythons_tuples() {
        for (shape, text) in [(&[][..], "()"), (&[3], "(3,)"), (&[3, 4], "(3, 4)")] {
            let header = header("<f2", shape);
            assert_eq!(header.len() % 64, 0);
            assert!(String::from_utf8_lossy(&header).contains(&format!("'shape': {text}, }}")), "{shape:?}");
        }
    }
}
