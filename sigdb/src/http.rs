//! The head of an HTTP/1 message (RFC 9112), as far as identification needs it: a view, nothing copied.

use memchr::memmem;

/// A head, complete up to its empty line.
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
    /// Method and target.
    Request(&'a [u8], &'a [u8]),
    /// Status code.
    Response(u16),
}

/// How a body ends (RFC 9112, 6.3).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BodyLength {
    /// After so many octets.
    Known(u64),
    /// With its last chunk, or with the connection.
    Unknown,
}

/// What a look at a stream's first octets tells.
#[derive(Clone, Copy, Debug)]
pub enum Look<'a> {
    /// A whole head.
    Head(Head<'a>),
    /// It may become one.
    More,
    /// Not HTTP/1.
    No,
}

const METHODS: &[&[u8]] =
    &[b"GET ", b"POST ", b"PUT ", b"HEAD ", b"DELETE ", b"OPTIONS ", b"PATCH ", b"CONNECT ", b"TRACE "];
const VERSION: &[u8] = b"HTTP/1.";

/// Looks for a head at the start of `data`.
pub fn look(data: &[u8]) -> Look<'_> {
    let begins = |word: &&[u8]| data.starts_with(word) || word.starts_with(data);
    if !METHODS.iter().any(begins) && !begins(&VERSION) {
        return Look::No;
    }
    let Some(end) = memmem::find(data, b"\r\n\r\n") else { return Look::More };
    let head = &data[..end];
    let line_end = memmem::find(head, b"\r\n").unwrap_or(head.len());
    let line = &head[..line_end];
    let fields = head.get(line_end + 2..).unwrap_or_default();
    let Some(start) = start_line(line) else { return Look::No };
    Look::Head(Head { start, fields, body_at: end + 4 })
}

fn start_line(line: &[u8]) -> Option<StartLine<'_>> {
    if let Some(rest) = line.strip_prefix(VERSION) {
        let code = rest.get(2..5)?;
        let status = std::str::from_utf8(code).ok()?.parse().ok()?;
        return Some(StartLine::Response(status));
    }
    let mut words = line.split(|&octet| octet == b' ').filter(|word| !word.is_empty());
    let (method, target, version) = (words.next()?, words.next()?, words.next()?);
    version.starts_with(VERSION).then_some(StartLine::Request(method, path(target)))
}

/// A proxy is asked with the whole address (absolute-form, RFC 9112, 3.2.2); what identifies is the path.
fn path(target: &[u8]) -> &[u8] {
    let Some(rest) = target.strip_prefix(b"http://") else { return target };
    memchr::memchr(b'/', rest).map_or(&rest[rest.len()..], |slash| &rest[slash..])
}

impl<'a> Head<'a> {
    /// The value of a field by its name in lower case; of several, the first.
    pub fn field(&self, name: &str) -> Option<&'a [u8]> {
        self.fields.split(|&octet| octet == b'\n').find_map(|line| {
            let colon = memchr::memchr(b':', line)?;
            line[..colon].trim_ascii().eq_ignore_ascii_case(name.as_bytes()).then(|| line[colon + 1..].trim_ascii())
        })
    }

    /// The host asked for, without its port.
    pub fn host(&self) -> Option<&'a [u8]> {
        let host = self.field("host")?;
        match memchr::memrchr(b':', host) {
            Some(colon) if host[colon + 1..].iter().all(u8::is_ascii_digit) => Some(&host[..colon]),
            _ => Some(host),
        }
    }

    /// The value of a query parameter of a request's target.
    pub fn query(&self, name: &str) -> Option<&'a [u8]> {
        let StartLine::Request(_, target) = self.start else { return None };
        let question = memchr::memchr(b'?', target)?;
        target[question + 1..].split(|&octet| octet == b'&').find_map(|pair| {
            let equals = memchr::memchr(b'=', pair)?;
            (&pair[..equals] == name.as_bytes()).then(|| &pair[equals + 1..])
        })
    }

    /// Content-Length, where it is a number.
    pub fn content_length(&self) -> Option<u64> {
        std::str::from_utf8(self.field("content-length")?).ok()?.parse().ok()
    }

    /// How the body ends.
    pub fn body_length(&self) -> BodyLength {
        if self.field("transfer-encoding").is_some() {
            return BodyLength::Unknown;
        }
        match (self.start, self.content_length()) {
            (StartLine::Response(100..=199 | 204 | 304), _) => BodyLength::Known(0),
            (_, Some(length)) => BodyLength::Known(length),
            (StartLine::Request(..), None) => BodyLength::Known(0),
            (StartLine::Response(_), None) => BodyLength::Unknown,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_is_read() {
        let text = b"GET /x?uin=12&y=3 HTTP/1.1\r\nHost: a.example:8080\r\nUser-Agent:  thing \r\n\r\nrest";
        let Look::Head(head) = look(text) else { panic!("no head") };
        assert_eq!(head.start, StartLine::Request(b"GET", b"/x?uin=12&y=3"));
        assert_eq!(head.host(), Some(&b"a.example"[..]));
        assert_eq!(head.field("user-agent"), Some(&b"thing"[..]));
        assert_eq!(head.query("uin"), Some(&b"12"[..]));
        assert_eq!(head.query("in"), None);
        assert_eq!(head.body_length(), BodyLength::Known(0));
        assert_eq!(&text[head.body_at..], b"rest");
    }

    #[test]
    fn a_proxy_is_asked_with_the_whole_address() {
        let Look::Head(head) = look(b"GET http://a.example/x?y=1 HTTP/1.1\r\n\r\n") else { panic!("no head") };
        assert_eq!(head.start, StartLine::Request(b"GET", b"/x?y=1"));
        let Look::Head(head) = look(b"GET http://a.example HTTP/1.1\r\n\r\n") else { panic!("no head") };
        assert_eq!(head.start, StartLine::Request(b"GET", b""));
    }

    #[test]
    fn a_response_tells_its_body() {
        let Look::Head(head) = look(b"HTTP/1.0 200 OK\r\nContent-Length: 7\r\n\r\n") else { panic!("no head") };
        assert_eq!((head.start, head.body_length()), (StartLine::Response(200), BodyLength::Known(7)));
        let Look::Head(head) = look(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n") else {
            panic!("no head")
        };
        assert_eq!(head.body_length(), BodyLength::Unknown);
        let Look::Head(head) = look(b"HTTP/1.1 304 Not Modified\r\nContent-Length: 9\r\n\r\n") else {
            panic!("no head")
        };
        assert_eq!(head.body_length(), BodyLength::Known(0));
    }

    #[test]
    fn what_may_become_http_waits_and_what_cannot_does_not() {
        assert!(matches!(look(b"PO"), Look::More));
        assert!(matches!(look(b"GET / HTTP/1.1\r\nHost: x"), Look::More));
        assert!(matches!(look(b"SSH-2.0-x"), Look::No));
        assert!(matches!(look(b"GET \r\n\r\n"), Look::No));
        assert!(matches!(look(b"HTTP/1.1 abc\r\n\r\n"), Look::No));
    }
}
