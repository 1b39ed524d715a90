//! TFRecord: a length (u64) and its masked CRC-32C (u32), the bytes and theirs.

use std::io::{self, Write};

/// CRC-32C (Castagnoli) of each byte, reflected polynomial 0x82f63b78.
const TABLE: [u32; 256] = {
    let mut table = [0; 256];
    let mut byte = 0;
    while byte < 256 {
        let (mut crc, mut bit) = (byte as u32, 0);
        while bit < 8 {
            crc = (crc >> 1) ^ (0x82f6_3b78 * (crc & 1));
            bit += 1;
        }
        table[byte] = crc;
        byte += 1;
    }
    table
};

fn crc32c(bytes: &[u8]) -> u32 {
    !bytes.iter().fold(!0, |crc, &byte| TABLE[usize::from(crc as u8 ^ byte)] ^ (crc >> 8))
}

/// A check sum that does not collide with the CRC of bytes which contain CRCs.
fn masked(bytes: &[u8]) -> u32 {
    crc32c(bytes).rotate_right(15).wrapping_add(0xa282_ead8)
}

/// Writes one record.
pub(super) fn write(out: &mut impl Write, bytes: &[u8]) -> io::Result<()> {
    let length = (bytes.len() as u64).to_le_bytes();
    out.write_all(&length)?;
    out.write_all(&masked(&length).to_le_bytes())?;
    out.write_all(bytes)?;
    out.write_all(&masked(bytes).to_le_bytes())
}

/// The records of a file, or where it is damaged.
#[cfg(test)]
pub(super) fn read(mut file: &[u8]) -> Result<Vec<Vec<u8>>, String> {
    let mut records = Vec::new();
    let total = file.len();
    let take = |n: usize, left: &mut &[u8]| -> Result<Vec<u8>, String> {
        let at = total - left.len();
        let (bytes, rest) = left.split_at_checked(n).ok_or(format!("cut short at byte {at}"))?;
        let (crc, rest) = rest.split_first_chunk().ok_or(format!("cut short at byte {at}"))?;
        *left = rest;
        let same = u32::from_le_bytes(*crc) == masked(bytes);
        if same { Ok(bytes.to_vec()) } else { Err(format!("wrong check sum at byte {at}")) }
    };
    while !file.is_empty() {
        let length = take(8, &mut file)?;
        records.push(take(u64::from_le_bytes(length.try_into().unwrap()) as usize, &mut file)?);
    }
    Ok(records)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_check_sum_is_castagnolis() {
        // RFC 3720, B.4, and the usual check value.
        assert_eq!(crc32c(b"123456789"), 0xe306_9283);
        assert_eq!(crc32c(&[0; 32]), 0x8a91_36aa);
        assert_eq!(crc32c(&[0xff; 32]), 0x62a8_ab43);
        // As TensorBoard masks them.
        assert_eq!((masked(b"123456789"), masked(&24u64.to_le_bytes())), (0xc78a_b0e5, 0x224b_7fa3));
    }

    #[test]
    fn a_changed_or_missing_byte_is_noticed() {
        let mut file = Vec::new();
        write(&mut file, b"one").unwrap();
        write(&mut file, b"").unwrap();
        assert_eq!(read(&file).unwrap(), [b"one".to_vec(), vec![]]);
        for i in 0..file.len() {
            let mut changed = file.clone();
            changed[i] ^= 4;
            assert!(read(&changed).is_err(), "byte {i}");
        }
        for n in (1..file.len()).filter(|&n| n != 19) {
            assert!(read(&file[..n]).is_err(), "cut to {n}");
        }
    }
}
