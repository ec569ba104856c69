//! The head of a SIP message (RFC 3261, 7): a view, nothing copied.

use memchr::memmem;

/// A head.
#[derive(Clone, Copy, Debug)]
pub struct Head<'a> {
    /// The first line.
    pub start: StartLine<'a>,
    /// Field lines, CRLF between them.
    fields: &'a [u8],
    /// Where the body begins.
    pub body_at: usize,
}

/// The first line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StartLine<'a> {
    /// Method and request URI.
    Request(&'a [u8], &'a [u8]),
    /// Status code.
    Response(u16),
}

/// What a look at some octets tells.
#[derive(Clone, Copy, Debug)]
pub enum Look<'a> {
    /// A head.
    Head(Head<'a>),
    /// It may become one.
    More,
    /// Not SIP.
    No,
}

const VERSION: &[u8] = b"SIP/2.0";
const SCHEMES: &[&[u8]] = &[b"sip:", b"sips:", b"tel:", b"urn:", b"im:", b"pres:"];
/// Octets of a method's name; the longest that is registered has 9.
const LONGEST_METHOD: usize = 20;
/// Line ends and zero octets that keep a connection or a translation alive may stand before a message.
const MOST_LEADING: usize = 16;

/// Looks for a head at the start of `data`; where that is a whole datagram, its end may be the head's.
pub fn look(data: &[u8], datagram: bool) -> Look<'_> {
    let leading = data.iter().take(MOST_LEADING).take_while(|octet| matches!(octet, b'\r' | b'\n' | 0)).count();
    let text = data.get(leading..).unwrap_or_default();
    if text.is_empty() {
        return if data.len() < MOST_LEADING && !datagram { Look::More } else { Look::No };
    }
    if !may_begin(text) {
        return Look::No;
    }
    let (head, body_at) = match memmem::find(text, b"\r\n\r\n") {
        Some(end) => (text.get(..end).unwrap_or_default(), leading + end + 4),
        None if datagram => (text, data.len()),
        None => return Look::More,
    };
    let line_end = memmem::find(head, b"\r\n").unwrap_or(head.len());
    let (line, fields) = head.split_at(line_end);
    match start_line(line) {
        Some(start) => Look::Head(Head { start, fields: fields.get(2..).unwrap_or_default(), body_at }),
        None => Look::No,
    }
}

/// Whether these first octets can be those of a start line.
fn may_begin(text: &[u8]) -> bool {
    let begins = |word: &[u8], text: &[u8]| text.starts_with(word) || word.starts_with(text);
    if begins(VERSION, text) {
        return true;
    }
    let method = text.iter().take(LONGEST_METHOD).take_while(|octet| octet.is_ascii_uppercase()).count();
    match text.get(method..) {
        Some([b' ', uri @ ..]) if method > 1 => SCHEMES.iter().any(|scheme| begins(scheme, uri)),
        Some(rest) => rest.is_empty() && method > 0,
        None => false,
    }
}

fn start_line(line: &[u8]) -> Option<StartLine<'_>> {
    if let Some(rest) = line.strip_prefix(VERSION) {
        let code = rest.strip_prefix(b" ")?.get(..3)?;
        let status: u16 = std::str::from_utf8(code).ok()?.parse().ok()?;
        return (100..700).contains(&status).then_some(StartLine::Response(status));
    }
    let mut words = line.split(|octet| *octet == b' ').filter(|word| !word.is_empty());
    let (method, uri, version) = (words.next()?, words.next()?, words.next()?);
    (version == VERSION).then_some(StartLine::Request(method, uri))
}

/// Short names of fields (RFC 3261, 7.3.3 and 20).
const COMPACT: &[(&str, &str)] = &[
    ("call-id", "i"),
    ("contact", "m"),
    ("content-encoding", "e"),
    ("content-length", "l"),
    ("content-type", "c"),
    ("event", "o"),
    ("from", "f"),
    ("subject", "s"),
    ("supported", "k"),
    ("to", "t"),
    ("via", "v"),
];

impl<'a> Head<'a> {
    /// A response's status.
    pub fn status(&self) -> Option<u16> {
        match self.start {
            StartLine::Response(status) => Some(status),
            StartLine::Request(..) => None,
        }
    }

    /// The value of a field by its long name in lower case, written long or short; of several, the first.
    pub fn field(&self, name: &str) -> Option<&'a [u8]> {
        let short = COMPACT.iter().find(|(long, _)| *long == name).map(|(_, short)| *short);
        self.fields.split(|octet| *octet == b'\n').find_map(|line| {
            let colon = memchr::memchr(b':', line)?;
            let (found, value) = line.split_at(colon);
            let found = found.trim_ascii();
            let same = |name: &str| found.eq_ignore_ascii_case(name.as_bytes());
            (same(name) || short.is_some_and(same)).then(|| value.get(1..).unwrap_or_default().trim_ascii())
        })
    }

    /// Octets of the body over a stream; without the field there is none (RFC 3261, 20.14 demands it there).
    pub fn body_length(&self) -> Option<usize> {
        match self.field("content-length") {
            Some(value) => std::str::from_utf8(value).ok()?.parse().ok(),
            None => Some(0),
        }
    }
}

/// A parameter of a field's first value, `;name=value`, behind the address in angle brackets where there is one.
pub fn parameter<'a>(value: &'a [u8], name: &str) -> Option<&'a [u8]> {
    let behind = memchr::memchr(b'>', value).map_or(value, |end| &value[end..]);
    let first = behind.split(|octet| *octet == b',').next()?;
    first.split(|octet| *octet == b';').skip(1).find_map(|pair| {
        let equals = memchr::memchr(b'=', pair)?;
        let (found, value) = pair.split_at(equals);
        found
            .trim_ascii()
            .eq_ignore_ascii_case(name.as_bytes())
            .then(|| value.get(1..).unwrap_or_default().trim_ascii())
    })
}

/// The address in a `From`, `To` or `Contact` field: user and host without scheme, parameters and displayed name.
pub fn address(value: &[u8]) -> Option<&[u8]> {
    let inside = match memchr::memchr(b'<', value) {
        Some(less) => {
            let rest = value.get(less + 1..)?;
            rest.get(..memchr::memchr(b'>', rest)?)?
        }
        None => value,
    };
    let inside = inside.trim_ascii();
    let scheme = SCHEMES
        .iter()
        .find(|scheme| inside.get(..scheme.len()).is_some_and(|start| start.eq_ignore_ascii_case(scheme)))?;
    let address = inside.get(scheme.len()..)?;
    let end = address.iter().position(|octet| matches!(octet, b';' | b'?')).unwrap_or(address.len());
    address.get(..end).filter(|address| !address.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    const REGISTER: &[u8] = b"REGISTER sip:a.example SIP/2.0\r\nv: SIP/2.0/UDP 192.0.2.1\r\nTo: \"U <1>\" <sip:10001@a.example;x=y>;tag=7\r\n\
        m: <sip:10001@192.0.2.1:5060>;q=1;Expires=0\r\nl: 4\r\n\r\nbody";

    #[test]
    fn names_long_and_short_are_one() {
        let Look::Head(head) = look(REGISTER, false) else { panic!("no head") };
        assert_eq!(head.start, StartLine::Request(b"REGISTER", b"sip:a.example"));
        assert_eq!((head.body_length(), &REGISTER[head.body_at..]), (Some(4), &b"body"[..]));
        let contact = head.field("contact").unwrap();
        assert_eq!((parameter(contact, "expires"), parameter(contact, "x")), (Some(&b"0"[..]), None));
        assert_eq!(head.field("cseq"), None);
    }

    #[test]
    fn an_address_is_user_and_host() {
        assert_eq!(address(b"<sip:10001@a.example;x=y>;tag=7"), Some(&b"10001@a.example"[..]));
        assert_eq!(address(b"SIPS:10001@a.example:5061;tag=7"), Some(&b"10001@a.example:5061"[..]));
        assert_eq!(address(b"\"Name\" <tel:+15550100>"), Some(&b"+15550100"[..]));
        assert_eq!(address(b"mailto:a@a.example"), None);
        assert_eq!(address(b"<sip:"), None);
    }

    #[test]
    fn what_may_become_sip_waits_and_what_cannot_does_not() {
        for end in 1..REGISTER.len() - 4 {
            assert!(matches!(look(&REGISTER[..end], false), Look::More), "cut at {end}");
        }
        assert!(matches!(look(b"\0\0\0\0SIP/2.0 200 OK\r\n\r\n", false), Look::Head(_)));
        assert!(matches!(look(b"\r\n\r\n", false), Look::More));
        for text in
            [&b"GET / HTTP/1.1\r\n\r\n"[..], b"OPTIONS * HTTP/1.1\r\n", b"HTTP/1.1 200 OK\r\n\r\n", b"\x16\x03\x01"]
        {
            assert!(matches!(look(text, false), Look::No), "{}", String::from_utf8_lossy(text));
        }
        assert!(matches!(look(b"SIP/2.0 20 OK\r\n\r\n", false), Look::No));
        assert!(matches!(look(b"INVITE sip:a SIP/2.0\r\nTo: x", true), Look::Head(_)));
    }
}
