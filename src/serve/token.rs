//! What clients show to be served.

use std::fmt;
use std::hint::black_box;

use sha2::{Digest, Sha256};

use crate::error::Field;
use crate::{Error, Result};

/// The shortest token: what is shorter is tried out.
const SHORTEST: usize = 16;

/// A bearer token. Its hash alone is kept, so that it is in no message, no log and no memory dump.
#[derive(Clone)]
pub struct Token([u8; 32]);

impl Token {
    /// The token of this text; white space around it does not count.
    ///
    /// # Errors
    /// [`Error::Invalid`] for a text that no header holds, or that is shorter than 16 bytes.
    pub fn new(text: &str) -> Result<Token> {
        let text = text.trim();
        if text.len() < SHORTEST || !text.bytes().all(|byte| byte.is_ascii_graphic() || byte == b' ') {
            let problem =
                format!("a token has {SHORTEST} visible ASCII characters or more; `openssl rand -hex 32` makes one");
            return Err(Error::invalid(Field("token_file"), problem));
        }
        Ok(Token(hash(text.as_bytes())))
    }

    /// Whether an `Authorization` header shows it. The time that this takes tells nothing of where they differ: hashes are
    /// compared, and all bytes of them.
    pub(super) fn is_shown_by(&self, header: &[u8]) -> bool {
        let shown = match header.split_at_checked(7) {
            Some((scheme, shown)) if scheme.eq_ignore_ascii_case(b"bearer ") => shown.trim_ascii(),
            _ => return false,
        };
        let differing = self.0.iter().zip(hash(shown)).fold(0, |differing, (a, b)| black_box(differing | (a ^ b)));
        differing == 0
    }
}

fn hash(text: &[u8]) -> [u8; 32] {
    Sha256::digest(text).into()
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Token(..)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_token_itself_is_taken() {
        let token = Token::new("0123456789abcdef\n").unwrap();
        assert!(token.is_shown_by(b"Bearer 0123456789abcdef") && token.is_shown_by(b"bearer  0123456789abcdef "));
        for other in ["Bearer 0123456789abcdeF", "Bearer ", "0123456789abcdef", "Basic 0123456789abcdef", "é"] {
            assert!(!token.is_shown_by(other.as_bytes()), "{other}");
        }
        assert!(Token::new("short").is_err() && Token::new("0123456789abcdef\u{e9}").is_err());
        assert_eq!(format!("{token:?}"), "Token(..)");
    }
}
