//! How a server is set up, and what it takes at most.

use std::net::SocketAddr;
use std::time::Duration;

use super::Token;
use crate::error::{Field, message};
use crate::image;
use crate::{Error, Result};

/// What a server takes at most. What is beyond is refused by an answer that names the limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Bytes of a request's body, also once it is decompressed.
    pub max_bytes: u64,
    /// Pixels of a picture, as its header has them.
    pub max_pixels: u64,
    /// Faces of a photograph that are embedded.
    pub max_faces: usize,
    /// Crops and photographs that wait for the device.
    pub max_queue: usize,
    /// Bytes of all requests that are being read or answered.
    pub max_buffered: u64,
    /// Connections that are open at once. One more closes the one that has been idle, or incomplete, for longest.
    pub max_connections: usize,
    /// How long a request may take from its head to its answer.
    pub deadline: Duration,
    /// How long a client may take for a request's head, and between two pieces of its body.
    pub patience: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Limits {
            max_bytes: 64 << 20,
            max_pixels: 50_000_000,
            max_faces: 256,
            max_queue: 256,
            max_buffered: 512 << 20,
            max_connections: 900,
            deadline: Duration::from_secs(60),
            patience: Duration::from_secs(10),
        }
    }
}

impl Limits {
    /// What the decoder takes.
    pub(super) fn of_pictures(&self) -> image::Limits {
        image::Limits { max_pixels: self.max_pixels, max_bytes: self.max_bytes }
    }
}

/// How a server is set up.
#[derive(Clone, Debug)]
pub struct Options {
    /// Where it listens; port 0 takes a free one.
    pub listen: SocketAddr,
    /// What clients must show, if anything.
    pub token: Option<Token>,
    /// Listen beyond this machine though there is no token.
    pub insecure: bool,
    /// Names, with a port or without, by which clients may call the server beside the address that they reach.
    pub allow_hosts: Vec<String>,
    /// Origins, such as `https://example.org`, whose pages may call the server.
    pub cors: Vec<String>,
    /// What it takes at most.
    pub limits: Limits,
    /// Crops or photographs that run at once; by default what suits the device.
    pub max_batch: Option<usize>,
    /// How long a crop waits for others to run with, while others are on their way.
    pub max_delay: Duration,
    /// What fields of these options are called in messages.
    pub name: fn(Field) -> String,
}

impl Default for Options {
    fn default() -> Self {
        Options {
            listen: SocketAddr::from(([127, 0, 0, 1], 8501)),
            token: None,
            insecure: false,
            allow_hosts: Vec::new(),
            cors: Vec::new(),
            limits: Limits::default(),
            max_batch: None,
            max_delay: Duration::from_millis(2),
            name: |field| field.name().to_owned(),
        }
    }
}

impl Options {
    /// Checks that the options make sense.
    ///
    /// # Errors
    /// [`Error::Invalid`] names the option.
    pub fn check(&self) -> Result<()> {
        if !self.listen.ip().is_loopback() && self.token.is_none() && !self.insecure {
            let problem = message![
                format!("{} is reached from other machines, by anyone who likes; give ", self.listen),
                Field("token_file"),
                ", or ",
                Field("insecure"),
                " if whatever reaches it may use it"
            ];
            return Err(Error::invalid(Field("listen"), problem));
        }
        for origin in &self.cors {
            if !is_origin(origin) {
                let problem = format!("`{origin}` is no origin; it has a scheme and a host, as https://example.org");
                return Err(Error::invalid(Field("cors"), problem));
            }
        }
        if let Some(host) = self.allow_hosts.iter().find(|host| host.is_empty() || host.contains(['/', ' ', '*'])) {
            let problem = format!("`{host}` is no host; give a name, with a port or without, as faces.example.org");
            return Err(Error::invalid(Field("allow_host"), problem));
        }
        let limits = &self.limits;
        let at_least_one = [
            ("max_bytes", limits.max_bytes == 0),
            ("max_pixels", limits.max_pixels == 0),
            ("max_faces", limits.max_faces == 0),
            ("max_queue", limits.max_queue == 0),
            ("max_connections", limits.max_connections == 0),
            ("max_batch", self.max_batch == Some(0)),
            ("deadline", limits.deadline.is_zero()),
            ("patience", limits.patience.is_zero()),
        ];
        match at_least_one.into_iter().find(|(_, is_zero)| *is_zero) {
            Some((name, _)) => Err(Error::invalid(Field(name), "0 serves nobody; give more")),
            None if limits.max_buffered < limits.max_bytes => {
                let problem = message!["is below ", Field("max_bytes"), ": no request of that size would be taken"];
                Err(Error::invalid(Field("max_buffered"), problem))
            }
            None => Ok(()),
        }
    }
}

/// Whether this is what browsers send as an origin: a scheme and a host, and perhaps a port.
fn is_origin(origin: &str) -> bool {
    let host = ["http://", "https://"].iter().find_map(|scheme| origin.strip_prefix(scheme));
    host.is_some_and(|host| !host.is_empty() && !host.contains(['/', ' ', '*']))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_others_reach_wants_a_token() {
        let open = Options { listen: ([0, 0, 0, 0], 8501).into(), ..Options::default() };
        let error = open.check().unwrap_err();
        assert_eq!(error.field(), Some(Field("listen")));
        let text = error.to_string();
        assert!(text.contains("`token_file`") && text.contains("`insecure`"), "{text}");
        Options { insecure: true, ..open.clone() }.check().unwrap();
        Options { token: Some(Token::new("a secret of 16 bytes").unwrap()), ..open }.check().unwrap();
        Options { listen: "[::1]:0".parse().unwrap(), ..Options::default() }.check().unwrap();
    }

    #[test]
    fn what_makes_no_sense_is_named() {
        let limits = |limits: Limits| Options { limits, ..Options::default() };
        let usual = Limits::default();
        let refused = [
            (limits(Limits { max_queue: 0, ..usual }), "max_queue"),
            (limits(Limits { max_buffered: 1, ..usual }), "max_buffered"),
            (Options { max_batch: Some(0), ..Options::default() }, "max_batch"),
            (Options { cors: vec!["*".into()], ..Options::default() }, "cors"),
            (Options { cors: vec!["https://a.b/".into()], ..Options::default() }, "cors"),
            (Options { allow_hosts: vec!["http://a".into()], ..Options::default() }, "allow_host"),
        ];
        for (options, field) in refused {
            assert_eq!(options.check().unwrap_err().field().map(Field::name), Some(field));
        }
    }
}
