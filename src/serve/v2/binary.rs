//! Tensors behind the JSON of a request.

use crate::serve::problem::{Answer, Problem};

/// The values of an FP32 tensor.
pub fn floats(bytes: &[u8]) -> Answer<Vec<f32>> {
    let (values, rest) = bytes.as_chunks::<4>();
    match rest {
        [] => Ok(values.iter().map(|bytes| f32::from_le_bytes(*bytes)).collect()),
        _ => Err(Problem::bad(format!("{} bytes are no whole number of FP32 values, of 4 bytes each", bytes.len()))),
    }
}

/// The elements of a BYTES tensor: each a length of 4 bytes, and as many bytes.
pub fn elements(mut bytes: &[u8]) -> Answer<Vec<Vec<u8>>> {
    let mut elements = Vec::new();
    while !bytes.is_empty() {
        let place = elements.len();
        let cut = || Problem::bad(format!("element {place} of the BYTES tensor is longer than what is left"));
        let (length, rest) = bytes.split_first_chunk::<4>().ok_or_else(cut)?;
        let length = usize::try_from(u32::from_le_bytes(*length)).unwrap_or(usize::MAX);
        let (element, rest) = rest.split_at_checked(length).ok_or_else(cut)?;
        elements.push(element.to_vec());
        bytes = rest;
    }
    Ok(elements)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn elements_end_where_their_lengths_say() {
        let bytes = [&[3, 0, 0, 0][..], b"foo", &[0; 4], &[2, 0, 0, 0], b"ba"].concat();
        assert_eq!(elements(&bytes).unwrap(), [b"foo".to_vec(), vec![], b"ba".to_vec()]);
        for cut in [1, 3, 4, 6, 8, bytes.len() - 1] {
            assert!(elements(&bytes[..cut]).is_err(), "{cut}");
        }
        assert!(elements(&[0xff; 8]).is_err());
        assert_eq!(floats(&[0, 0, 128, 63]).unwrap(), [1.0]);
        assert!(floats(&[0; 5]).is_err());
    }
}
