//! The head of an HTTP/1 message (RFC 9112), as far as identification needs it: a view, nothing copied.

use crate::program::WINDOW;

/// A head, up to its empty line.
#[derive(Clone, Copy, Debug)]
pub struct Head<'a> {
    /// The first line.
    pub start: StartLine<'a>,
    /// The host that the target itself names.
    authority: Option<&'a [u8]>,
    /// Field lines.
    fields: &'a [u8],
    /// The values of [`KNOWN`].
    known: [Option<&'a [u8]>; KNOWN.len()],
    /// Where the body begins.
    pub body_at: usize,
    /// Whether all of it was seen; false where it is longer than the window.
    pub whole: bool,
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

/// Methods that clients use (IANA, HTTP Method Registry; Microsoft's and UPnP's beside).
const METHODS: &[&[u8]] = &[
    b"GET ",
    b"POST ",
    b"PUT ",
    b"HEAD ",
    b"DELETE ",
    b"OPTIONS ",
    b"PATCH ",
    b"CONNECT ",
    b"TRACE ",
    b"PROPFIND ",
    b"PROPPATCH ",
    b"MKCOL ",
    b"COPY ",
    b"MOVE ",
    b"LOCK ",
    b"UNLOCK ",
    b"REPORT ",
    b"SEARCH ",
    b"NOTIFY ",
    b"SUBSCRIBE ",
    b"UNSUBSCRIBE ",
    b"RPC_IN_DATA ",
    b"RPC_OUT_DATA ",
];
const VERSION: &[u8] = b"HTTP/1.";
/// Fields that framing and most signatures ask for: found in one pass.
const KNOWN: [&str; 4] = ["host", "content-length", "transfer-encoding", "user-agent"];
/// Empty lines before a request that are passed over (RFC 9112, 2.2).
const LEADING: usize = 4;

/// Whether a head that does not begin with an empty line may have this octet at this place.
pub(crate) fn may_stand(place: usize, octet: u8) -> bool {
    METHODS.iter().chain([&VERSION]).any(|word| word.get(place).is_none_or(|expected| *expected == octet))
}

/// Looks for a head at the start of `data`. One that is longer than the window is read as far as it stands there.
pub fn look(data: &[u8]) -> Look<'_> {
    let leading = data.iter().take(LEADING).take_while(|octet| matches!(octet, b'\r' | b'\n')).count();
    let text = &data[leading..];
    let begins = |word: &&[u8]| text.starts_with(word) || word.starts_with(text);
    if !METHODS.iter().any(begins) && !begins(&VERSION) {
        return Look::No;
    }
    let Some(line_end) = memchr::memchr(b'\n', text) else {
        return if data.len() >= WINDOW { Look::No } else { Look::More };
    };
    let Some((start, authority)) = start_line(text[..line_end].trim_ascii_end()) else { return Look::No };
    // A line may end with LF alone (RFC 9112, 2.2); the empty line ends the head.
    let ends = memchr::memchr_iter(b'\n', text).find_map(|end| {
        let behind = &text[end + 1..];
        let empty = if behind.starts_with(b"\r\n") { 2 } else { usize::from(behind.starts_with(b"\n")) };
        (empty > 0).then_some((end, end + 1 + empty))
    });
    let (end, body_at, whole) = match ends {
        Some((end, body_at)) => (end, leading + body_at, true),
        None if data.len() >= WINDOW => (memchr::memrchr(b'\n', text).unwrap_or(line_end), data.len(), false),
        None => return Look::More,
    };
    let fields = text.get(line_end + 1..end).unwrap_or_default();
    Look::Head(Head { start, authority, fields, known: known(fields), body_at, whole })
}

/// The line, and the authority where the target has one.
fn start_line(line: &[u8]) -> Option<(StartLine<'_>, Option<&[u8]>)> {
    if let Some(rest) = line.strip_prefix(VERSION) {
        let code = rest.get(2..5)?;
        let status = std::str::from_utf8(code).ok()?.parse().ok()?;
        return Some((StartLine::Response(status), None));
    }
    let mut words = line.split(|&octet| octet == b' ').filter(|word| !word.is_empty());
    let (method, target, version) = (words.next()?, words.next()?, words.next()?);
    if !version.starts_with(VERSION) {
        return None;
    }
    if method == b"CONNECT" {
        return Some((StartLine::Request(method, target), Some(target)));
    }
    let (authority, path) = split(target);
    Some((StartLine::Request(method, path), authority))
}

/// A proxy is asked with the whole address (absolute-form, RFC 9112, 3.2.2): its authority goes before the Host field, and
/// what identifies is the path.
fn split(target: &[u8]) -> (Option<&[u8]>, &[u8]) {
    let scheme = [&b"http://"[..], b"https://"]
        .into_iter()
        .find(|scheme| target.get(..scheme.len()).is_some_and(|begin| begin.eq_ignore_ascii_case(scheme)));
    let Some(rest) = scheme.and_then(|scheme| target.get(scheme.len()..)) else { return (None, target) };
    let (authority, path) = rest.split_at(memchr::memchr2(b'/', b'?', rest).unwrap_or(rest.len()));
    let host = memchr::memrchr(b'@', authority).map_or(authority, |at| &authority[at + 1..]);
    (Some(host), path)
}

impl<'a> Head<'a> {
    /// A response's status.
    pub fn status(&self) -> Option<u16> {
        match self.start {
            StartLine::Response(status) => Some(status),
            StartLine::Request(..) => None,
        }
    }

    /// The value of a field by its name in lower case; of several, the first. One that goes on in the next lines (RFC 9112,
    /// 5.2) is given with their ends in it.
    pub fn field(&self, name: &str) -> Option<&'a [u8]> {
        match KNOWN.iter().position(|known| *known == name) {
            Some(place) => self.known[place],
            None => {
                lines(self.fields).find(|(found, _)| found.eq_ignore_ascii_case(name.as_bytes())).map(|line| line.1)
            }
        }
    }

    /// The host asked for, without its port.
    pub fn host(&self) -> Option<&'a [u8]> {
        let host = match self.authority {
            Some(host) => host,
            None => self.field("host")?,
        };
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
        if !self.whole || self.field("transfer-encoding").is_some() {
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

/// Names and values of field lines.
fn lines(fields: &[u8]) -> impl Iterator<Item = (&[u8], &[u8])> {
    let mut rest = fields;
    std::iter::from_fn(move || {
        while !rest.is_empty() {
            let mut end = memchr::memchr(b'\n', rest).unwrap_or(rest.len());
            while matches!(rest.get(end + 1), Some(b' ' | b'\t')) {
                end = memchr::memchr(b'\n', &rest[end + 1..]).map_or(rest.len(), |more| end + 1 + more);
            }
            let (line, behind) = (&rest[..end], rest.get(end + 1..).unwrap_or_default());
            rest = behind;
            if let Some(colon) = memchr::memchr(b':', line) {
                return Some((line[..colon].trim_ascii(), line[colon + 1..].trim_ascii()));
            }
        }
        None
    })
}

fn known(fields: &[u8]) -> [Option<&[u8]>; KNOWN.len()] {
    let mut values = [None; KNOWN.len()];
    for (name, value) in lines(fields) {
        let is_name = |known: &&str| known.len() == name.len() && name.eq_ignore_ascii_case(known.as_bytes());
        if let Some(place) = KNOWN.iter().position(is_name) {
            values[place].get_or_insert(value);
        }
    }
    values
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
        assert!(matches!(look(b"NOTIFY sip:x SIP/2.0\r\n"), Look::No));
        assert!(matches!(look(b"\r\n"), Look::More));
        assert!(matches!(look(b"HTTP/1.1 abc\r\n\r\n"), Look::No));
    }

    #[test]
    fn a_proxy_is_believed_before_the_field() {
        let host = |text: &'static [u8]| match look(text) {
            Look::Head(head) => head.host(),
            _ => None,
        };
        let by_field = b"GET /x HTTP/1.1\r\nHost: b.example\r\n\r\n";
        let by_target = b"GET HTTP://u:p@a.example:80/x HTTP/1.1\r\nHost: b.example\r\n\r\n";
        assert_eq!((host(by_field), host(by_target)), (Some(&b"b.example"[..]), Some(&b"a.example"[..])));
        assert_eq!(host(b"CONNECT a.example:443 HTTP/1.1\r\n\r\n"), Some(&b"a.example"[..]));
    }

    #[test]
    fn lines_may_end_otherwise_and_fields_go_on() {
        let text = b"\r\n\nGET / HTTP/1.1\nX: 1\r\n\t2\nHost:\n a.example\n\nrest";
        let Look::Head(head) = look(text) else { panic!("no head") };
        assert_eq!((head.host(), head.field("x")), (Some(&b"a.example"[..]), Some(&b"1\r\n\t2"[..])));
        assert_eq!(&text[head.body_at..], b"rest");
    }

    #[test]
    fn a_head_beyond_the_window_shows_what_stands_in_it() {
        let text = [b"GET /x HTTP/1.1\r\nHost: a.example\r\nCookie: ", &[b'c'; WINDOW][..]].concat();
        assert!(matches!(look(&text[..WINDOW - 1]), Look::More));
        let Look::Head(head) = look(&text[..WINDOW]) else { panic!("no head") };
        assert_eq!((head.host(), head.field("cookie"), head.whole), (Some(&b"a.example"[..]), None, false));
        assert_eq!(head.body_length(), BodyLength::Unknown);
    }

    proptest::proptest! {
        #[test]
        fn known_fields_are_those_that_a_search_finds(
            text in "((Host|host|User-Agent|Content-length|TRANSFER-ENCODING|X) ?:? ?[a-c0-9:]{0,3}(\r\n|\n|\n |\r\n\t)){0,8}",
        ) {
            let head = [b"GET / HTTP/1.1\r\n", text.as_bytes(), b"\r\n"].concat();
            if let Look::Head(head) = look(&head) {
                for name in KNOWN {
                    let searched = lines(head.fields).find(|(found, _)| found.eq_ignore_ascii_case(name.as_bytes()));
                    proptest::prop_assert_eq!(head.field(name), searched.map(|line| line.1));
                }
            }
        }

        #[test]
        fn anything_is_looked_at_without_harm(text in "(GET|HTTP/1.1|\r\n|NOTIFY) ?(/|http://)?[a-c:@?/ \t\r\n0-9A-Z.]{0,80}(\r\n\r\n|\n\n)?") {
            if let Look::Head(head) = look(text.as_bytes()) {
                proptest::prop_assert!(head.body_at <= text.len());
                let _ = (head.host(), head.query("a"), head.body_length(), head.field("a"));
            }
        }
    }
}
