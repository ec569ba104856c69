//! ClientHello (RFC 8446, 4.1.2; RFC 5246, 7.4.1.2) and the one thing that a ServerHello is asked.

use super::{number16, vector8, vector16};

/// Extensions (IANA, TLS ExtensionType Values).
const SERVER_NAME: u16 = 0;
const SIGNATURE_ALGORITHMS: u16 = 13;
const ALPN: u16 = 16;
const SUPPORTED_VERSIONS: u16 = 43;
/// TLS 1.3 as a version number.
const TLS_1_3: u16 = 0x0304;

/// What a client says of itself and of what it wants. Views of the message; nothing is copied.
#[derive(Clone, Copy, Debug, Default)]
pub struct Hello<'a> {
    /// The host it asks for (RFC 6066, 3).
    pub server_name: Option<&'a [u8]>,
    /// Whether all of it was seen; false where it is longer than what can be looked at.
    pub whole: bool,
    pub(super) version: u16,
    pub(super) suites: &'a [u8],
    pub(super) extensions: &'a [u8],
    pub(super) versions: &'a [u8],
    pub(super) signature_algorithms: &'a [u8],
    protocols: &'a [u8],
}

impl<'a> Hello<'a> {
    /// Reads the body of a message, the four octets of its header left out. One that is not `whole` is read as far as it
    /// goes; none where it contradicts itself.
    pub(super) fn read(body: &'a [u8], whole: bool) -> Option<Self> {
        let mut hello = Self { whole, ..Self::default() };
        match hello.fill(body) {
            Some(()) => Some(hello),
            None if whole => None,
            None => Some(hello),
        }
    }

    /// One of a protocol that is not TLS and shows a name only.
    pub(crate) fn named(server_name: Option<&'a [u8]>) -> Self {
        Self { server_name, ..Self::default() }
    }

    /// The application protocols that it offers, in its order (RFC 7301, 3.1).
    pub fn application_protocols(&self) -> impl Iterator<Item = &'a [u8]> + use<'a> {
        let mut rest = self.protocols;
        std::iter::from_fn(move || {
            let (name, next) = vector8(rest)?;
            rest = next;
            Some(name)
        })
    }

    fn fill(&mut self, body: &'a [u8]) -> Option<()> {
        self.version = number16(body)?;
        let rest = body.get(34..)?;
        let (_session, rest) = vector8(rest)?;
        let (suites, rest) = vector16(rest)?;
        self.suites = suites;
        let (_compression, rest) = vector8(rest)?;
        if rest.is_empty() {
            return Some(()); // no extensions: TLS 1.1 and before
        }
        let (mut extensions, cut) = match vector16(rest) {
            Some((extensions, _)) => (extensions, false),
            None => (rest.get(2..)?, true),
        };
        self.extensions = extensions;
        while !extensions.is_empty() {
            let kind = number16(extensions)?;
            let (value, next) = vector16(extensions.get(2..)?)?;
            extensions = next;
            match kind {
                SERVER_NAME if self.server_name.is_none() => self.server_name = host(value)?,
                SIGNATURE_ALGORITHMS => self.signature_algorithms = vector16(value)?.0,
                ALPN => self.protocols = vector16(value)?.0,
                SUPPORTED_VERSIONS => self.versions = vector8(value)?.0,
                _ => {}
            }
        }
        (!cut).then_some(())
    }
}

/// The first host name of a list; the outer option is none where the list is broken.
fn host(value: &[u8]) -> Option<Option<&[u8]>> {
    let (mut list, _) = vector16(value)?;
    while let Some((&kind, rest)) = list.split_first() {
        let (name, next) = vector16(rest)?;
        if kind == 0 {
            return Some((!name.is_empty()).then_some(name));
        }
        list = next;
    }
    Some(None)
}

/// Whether a ServerHello chooses TLS 1.3 (RFC 8446, 4.2.1), which encrypts all that follows; none where it is none.
pub(super) fn negotiates_1_3(body: &[u8]) -> Option<bool> {
    let rest = body.get(34..)?;
    let (_session, rest) = vector8(rest)?;
    let rest = rest.get(3..)?; // suite and compression
    let Some((mut extensions, _)) = vector16(rest) else { return Some(false) };
    while let Some(kind) = number16(extensions) {
        let (value, next) = vector16(extensions.get(2..)?)?;
        if kind == SUPPORTED_VERSIONS {
            return Some(number16(value) == Some(TLS_1_3));
        }
        extensions = next;
    }
    Some(false)
}
