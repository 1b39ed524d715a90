//! PTX text to words, numbers and signs.

use std::fmt;

/// A token.
#[derive(Clone, Debug, PartialEq)]
pub enum Token {
    /// An identifier, register, directive or opcode with all its suffixes.
    Word(String),
    /// A whole number.
    Int(i128),
    /// `0f…`
    F32(u32),
    /// `0d…` or a decimal fraction.
    F64(f64),
    /// A text in quotation marks; what it says is never needed.
    Text,
    /// Any other sign.
    Sign(char),
}

impl fmt::Display for Token {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        match self {
            Self::Word(word) => write!(f, "`{word}`"),
            Self::Int(value) => write!(f, "{value}"),
            Self::F32(bits) => write!(f, "{:?}", f32::from_bits(*bits)),
            Self::F64(value) => write!(f, "{value:?}"),
            Self::Text => f.write_str("a quotation"),
            Self::Sign(sign) => write!(f, "`{sign}`"),
        }
    }
}

/// Cuts `text` into tokens, each with its line from 1. The error is a line and what is wrong there.
pub fn tokens(text: &str) -> Result<Vec<(u32, Token)>, (u32, String)> {
    let bytes = text.as_bytes();
    let at = |i: usize| bytes.get(i).copied().unwrap_or(0);
    let (mut i, mut line, mut out) = (0, 1, Vec::new());
    while i < bytes.len() {
        let c = bytes[i];
        match c {
            b'\n' => {
                line += 1;
                i += 1;
            }
            b' ' | b'\t' | b'\r' => i += 1,
            b'/' if at(i + 1) == b'/' => {
                while i < bytes.len() && bytes[i] != b'\n' {
                    i += 1;
                }
            }
            b'/' if at(i + 1) == b'*' => {
                let start = line;
                i += 2;
                while !(at(i) == b'*' && at(i + 1) == b'/') {
                    if i >= bytes.len() {
                        return Err((start, "a comment that does not end".into()));
                    }
                    line += u32::from(bytes[i] == b'\n');
                    i += 1;
                }
                i += 2;
            }
            b'"' => {
                let start = line;
                i += 1;
                while at(i) != b'"' {
                    if i >= bytes.len() {
                        return Err((start, "a text that does not end".into()));
                    }
                    line += u32::from(bytes[i] == b'\n');
                    i += 1 + usize::from(bytes[i] == b'\\');
                }
                i += 1;
                out.push((start, Token::Text));
            }
            b'0'..=b'9' => {
                let start = i;
                let fraction = |i: usize| at(i) == b'.' && at(i + 1).is_ascii_digit();
                while at(i).is_ascii_alphanumeric() || fraction(i) {
                    let exponent = matches!(at(i), b'e' | b'E') && !matches!(at(start + 1), b'x' | b'X' | b'f' | b'd');
                    i += 1;
                    if exponent && matches!(at(i), b'+' | b'-') {
                        i += 1;
                    }
                }
                let word = &text[start..i];
                out.push((line, number(word).ok_or_else(|| (line, format!("`{word}` is no number")))?));
            }
            _ if c.is_ascii_alphabetic() || matches!(c, b'_' | b'$' | b'%' | b'.') => {
                let start = i;
                loop {
                    let c = at(i);
                    if c.is_ascii_alphanumeric() || matches!(c, b'_' | b'$' | b'%' | b'.') {
                        i += 1;
                    } else if c == b':' && at(i + 1) == b':' {
                        i += 2;
                    } else {
                        break;
                    }
                }
                out.push((line, Token::Word(text[start..i].to_string())));
            }
            _ if c.is_ascii_punctuation() => {
                out.push((line, Token::Sign(c as char)));
                i += 1;
            }
            _ => return Err((line, "a character that PTX does not have".into())),
        }
    }
    Ok(out)
}

fn number(word: &str) -> Option<Token> {
    let lower = word.to_ascii_lowercase();
    if let Some(hex) = lower.strip_prefix("0f").filter(|h| h.len() == 8) {
        return u32::from_str_radix(hex, 16).ok().map(Token::F32);
    }
    if let Some(hex) = lower.strip_prefix("0d").filter(|h| h.len() == 16) {
        return u64::from_str_radix(hex, 16).ok().map(|bits| Token::F64(f64::from_bits(bits)));
    }
    let digits = lower.trim_end_matches('u');
    let int = match digits.get(..2) {
        Some("0x") => i128::from_str_radix(&digits[2..], 16),
        Some("0b") => i128::from_str_radix(&digits[2..], 2),
        _ if digits.len() > 1 && digits.starts_with('0') && digits.bytes().all(|b| b.is_ascii_digit()) => {
            i128::from_str_radix(&digits[1..], 8)
        }
        _ => digits.parse(),
    };
    int.ok().map(Token::Int).or_else(|| lower.parse().ok().map(Token::F64))
}
