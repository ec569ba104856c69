//! `[dashboard]`: where the page is served, who may see it, and what it shows.

use std::net::SocketAddr;

use sha2::{Digest, Sha256};

use super::document::Notes;
use super::metrics::ListenTls;
use super::schema::management::Dashboard;
use crate::manage::metrics;

/// The page.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DashboardConfig {
    /// Where it is served.
    pub listen: SocketAddr,
    /// By what it is secured; none: by nothing, on loopback only.
    pub tls: Option<ListenTls>,
    /// What whoever looks has to know; none: nothing, on loopback only.
    pub token: Option<TokenDigest>,
    /// Whether it names users.
    pub users: bool,
    /// Whether it shows the end of the audit trail.
    pub audit: bool,
}

/// SHA-256 of a token: the token itself is not kept.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct TokenDigest([u8; 32]);

/// Octets of a token at least: what is tried cannot be guessed.
const SHORTEST: usize = 16;
/// And at most: it has to fit into a request.
const LONGEST: usize = 1_024;

impl TokenDigest {
    /// Of a token.
    pub fn of(token: &[u8]) -> Self {
        Self(Sha256::digest(token).into())
    }

    /// Whether this is the token, in a time that does not tell how much of it is.
    pub fn is_of(&self, token: &[u8]) -> bool {
        aws_lc_rs::constant_time::verify_slices_are_equal(&self.0, &Self::of(token).0).is_ok()
    }
}

impl std::fmt::Debug for TokenDigest {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("TokenDigest")
    }
}

impl DashboardConfig {
    pub(super) fn compile(written: &Dashboard, notes: &mut Notes) -> Option<Self> {
        let tls = match (&written.certificate, &written.key) {
            (Some(certificate), Some(key)) => {
                Some(ListenTls { certificate: certificate.value.clone(), key: key.value.clone(), client_ca: None })
            }
            (None, None) => None,
            (certificate, key) => {
                let place = certificate.as_ref().or(key.as_ref()).map_or(&written.place, |file| &file.place);
                notes.fault(place, None, "certificate and key together", "write both for TLS, or neither");
                return None;
            }
        };
        let listen = written.listen.as_ref()?;
        if !listen.value.ip().is_loopback() && (tls.is_none() || written.token_file.is_none()) {
            let lacks = match (tls.is_none(), written.token_file.is_none()) {
                (true, true) => "an address that others reach, without TLS and without a token",
                (true, false) => "an address that others reach, without TLS",
                _ => "an address that others reach, without a token",
            };
            let expected = "certificate, key and token-file beside an address that is not loopback";
            let advice = "write all three, or listen on 127.0.0.1 and come by: ssh -L 8443:127.0.0.1:8443";
            notes.fault(&listen.place, Some(lacks.to_owned()), expected, advice);
        }
        Some(Self { listen: listen.value, tls, token: None, users: written.users, audit: written.audit })
    }

    /// Reads the token, and whether the files of TLS are what they have to be. Captures are replayed where there are none.
    pub(super) fn inspect(&mut self, written: &Dashboard, notes: &mut Notes) {
        if let (Some(tls), Some(certificate)) = (&self.tls, &written.certificate)
            && let Err(error) = metrics::check(tls)
        {
            let advice = "correct the paths, or the files: this user has to be able to read them";
            notes.fault(&certificate.place, Some(error.to_string()), "PEM files of a certificate and its key", advice);
        }
        let Some(file) = &written.token_file else { return };
        let read = std::fs::read(&file.value).map_err(|error| error.to_string());
        match read.and_then(|octets| token(&octets)) {
            Ok(token) => self.token = Some(token),
            Err(why) => {
                let found = Some(format!("{} ({why})", file.value.display()));
                let expected = format!("a file of one line of {SHORTEST} to {LONGEST} letters, digits or signs");
                notes.fault(&file.place, found, expected, "make one: (umask 077; openssl rand -hex 32 > FILE)");
            }
        }
    }
}

/// The token in a file.
fn token(octets: &[u8]) -> Result<TokenDigest, String> {
    let token = octets.trim_ascii_end();
    if !token.iter().all(u8::is_ascii_graphic) {
        return Err("it has blanks, lines or other octets within".to_owned());
    }
    match token.len() {
        0 => Err("it is empty".to_owned()),
        SHORTEST..=LONGEST => Ok(TokenDigest::of(token)),
        other => Err(format!("it has {other} characters")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens_are_one_line_and_long_enough() {
        let digest = token(b"0123456789abcdef\r\n").unwrap();
        assert!(digest.is_of(b"0123456789abcdef"));
        assert!(!digest.is_of(b"0123456789abcdeF") && !digest.is_of(b"") && !digest.is_of(b"0123456789abcdef\n"));
        assert_eq!(format!("{digest:?}"), "TokenDigest");
        for wrong in
            [&b""[..], b"\n", b"0123456789abcde", b"0123456789 abcdef", b"0123456789abcdef\n0", b"0123456789abcde\xff"]
        {
            assert!(token(wrong).is_err(), "{wrong:?}");
        }
        assert!(token(&[b'x'; LONGEST]).is_ok() && token(&[b'x'; LONGEST + 1]).is_err());
    }
}
