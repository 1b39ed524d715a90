//! Arrays in files, as numpy writes them: <https://numpy.org/doc/stable/reference/generated/numpy.lib.format.html>.

use std::fmt::Write;

const MAGIC: &[u8] = b"\x93NUMPY";

/// An array.
#[derive(Debug)]
pub struct Array<'a> {
    /// The element type as numpy names it, such as `<f4`.
    pub dtype: String,
    pub shape: Vec<u64>,
    /// The elements, rows first.
    pub bytes: &'a [u8],
}

/// Bytes of an element: the number at the end of its type's name.
fn width(dtype: &str) -> Option<u64> {
    dtype.trim_start_matches(|c: char| !c.is_ascii_digit()).parse().ok()
}

/// Reads a file's contents.
pub fn read(file: &[u8]) -> Result<Array<'_>, String> {
    let rest = file.strip_prefix(MAGIC).ok_or("this is no .npy file")?;
    let cut = "the file ends within its header";
    let (&[major, _], rest) = rest.split_first_chunk().ok_or(cut)?;
    let (length, rest) = if major == 1 {
        let (length, rest) = rest.split_first_chunk().ok_or(cut)?;
        (u16::from_le_bytes(*length) as usize, rest)
    } else {
        let (length, rest) = rest.split_first_chunk().ok_or(cut)?;
        (u32::from_le_bytes(*length) as usize, rest)
    };
    let (header, data) = rest.split_at_checked(length).ok_or(cut)?;
    let header = String::from_utf8_lossy(header);
    let value = |key: &str| {
        let (_, behind) = header.split_once(key).ok_or_else(|| format!("the header has no {key}"))?;
        Ok::<_, String>(behind.trim_start_matches([':', ' ']))
    };
    let dtype = value("'descr'")?;
    let quoted = dtype.strip_prefix('\'').and_then(|name| name.split_once('\''));
    let dtype = quoted.ok_or("arrays of records are not known here")?.0.to_string();
    let shape = value("'shape'")?.strip_prefix('(').and_then(|shape| shape.split_once(')'));
    let numbers = shape.ok_or("the header has no shape")?.0.split(',').map(str::trim).filter(|n| !n.is_empty());
    let shape: Vec<u64> =
        numbers.map(|n| n.parse().map_err(|_| format!("`{n}` in the shape"))).collect::<Result<_, _>>()?;
    if value("'fortran_order'")?.starts_with("True") && shape.len() > 1 {
        return Err("columns come first in it: save numpy.ascontiguousarray of it".into());
    }
    let width = width(&dtype).ok_or_else(|| format!("numpy type {dtype} is not known here"))?;
    let bytes = shape.iter().try_fold(width, |all, &n| all.checked_mul(n)).ok_or("a shape beyond all memory")?;
    if bytes != data.len() as u64 {
        return Err(format!("{shape:?} of {dtype} are {bytes} bytes, but {} follow the header", data.len()));
    }
    Ok(Array { dtype, shape, bytes: data })
}

/// A file's contents.
pub fn write(array: &Array<'_>) -> Vec<u8> {
    let mut header = format!("{{'descr': '{}', 'fortran_order': False, 'shape': (", array.dtype);
    for n in &array.shape {
        // Writing to a string does not fail.
        let _ = write!(header, "{n}, ");
    }
    header += "), }";
    // The elements begin at a multiple of 64 bytes; shapes of buffers are short.
    let padded = (MAGIC.len() + 4 + header.len() + 1).next_multiple_of(64) - MAGIC.len() - 4;
    header.extend(std::iter::repeat_n(' ', padded - 1 - header.len()));
    header.push('\n');
    [MAGIC, &[1, 0], &(padded as u16).to_le_bytes(), header.as_bytes(), array.bytes].concat()
}
