//! Requests of HTTP/1.1, as far as a scrape needs them (RFC 9112).

use super::text::Form;

/// Octets of a request's head at most.
pub(super) const HEAD: usize = 8 << 10;

/// A request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Request {
    /// What is answered.
    pub(super) status: Status,
    /// Without its body.
    pub(super) head_only: bool,
    /// In which form.
    pub(super) form: Form,
    /// Whether the client may have further requests.
    pub(super) keeps: bool,
}

/// What is answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Status {
    /// The page.
    Ok,
    /// It is no request.
    Bad,
    /// There is nothing of that name.
    NotFound,
    /// That cannot be done with it.
    Method,
    /// Its head is too long.
    TooLong,
    /// There are too many clients.
    Busy,
}

impl Status {
    /// All.
    pub(super) const ALL: [Self; 6] = [Self::Ok, Self::Bad, Self::NotFound, Self::Method, Self::TooLong, Self::Busy];

    /// Code and reason (RFC 9110, 15).
    pub(super) fn line(self) -> &'static str {
        match self {
            Self::Ok => "200 OK",
            Self::Bad => "400 Bad Request",
            Self::NotFound => "404 Not Found",
            Self::Method => "405 Method Not Allowed",
            Self::TooLong => "431 Request Header Fields Too Large",
            Self::Busy => "503 Service Unavailable",
        }
    }

    /// The code alone.
    pub(super) fn code(self) -> &'static str {
        self.line().split(' ').next().unwrap_or_default()
    }
}

impl Request {
    /// What cannot be read, or is not: nothing that follows could be told from it.
    pub(super) const fn refused(status: Status) -> Self {
        Self { status, head_only: false, form: Form::Plain, keeps: false }
    }
}

/// Takes a request from what has come; none where its head is not whole.
pub(super) fn take(input: &mut Vec<u8>) -> Option<Request> {
    let Some(end) = input.windows(4).position(|four| four == b"\r\n\r\n") else {
        return (input.len() >= HEAD).then_some(Request::refused(Status::TooLong));
    };
    let head: Vec<u8> = input.drain(..end + 4).collect();
    if head.len() > HEAD {
        return Some(Request::refused(Status::TooLong));
    }
    let read = std::str::from_utf8(&head).ok().and_then(read);
    Some(read.unwrap_or(Request::refused(Status::Bad)))
}

fn read(head: &str) -> Option<Request> {
    let mut lines = head.split("\r\n");
    let mut words = lines.next()?.split(' ');
    let (method, target, version) = (words.next()?, words.next()?, words.next()?);
    let is_one = matches!(version, "HTTP/1.1" | "HTTP/1.0");
    if words.next().is_some() || !is_one || !is_token(method) || target.contains(char::is_control) {
        return None;
    }
    let path = path(target)?;
    let (mut accept, mut closes, mut has_body, mut hosts) = (String::new(), version == "HTTP/1.0", false, 0);
    for line in lines.take_while(|line| !line.is_empty()) {
        let (name, value) = line.split_once(':')?;
        if !is_token(name) || value.contains(['\0', '\r', '\n']) {
            return None;
        }
        let value = value.trim();
        match name.to_ascii_lowercase().as_str() {
            "accept" => accept = format!("{accept},{value}"),
            "connection" => closes |= value.split(',').any(|word| word.trim().eq_ignore_ascii_case("close")),
            "content-length" => has_body |= value != "0",
            "transfer-encoding" => has_body = true,
            "host" => hosts += 1,
            _ => {}
        }
    }
    if hosts > 1 || (version == "HTTP/1.1" && hosts == 0) {
        return None;
    }
    let status = match (path, method) {
        // A body is not read: what is meant by it nobody could say.
        ("/metrics", "GET" | "HEAD") if has_body => return None,
        ("/metrics", "GET" | "HEAD") => Status::Ok,
        ("/metrics", _) => Status::Method,
        _ => Status::NotFound,
    };
    let keeps = !closes && !has_body;
    Some(Request { status, head_only: method == "HEAD", form: Form::accepted(&accept), keeps })
}

/// The path of a request's target, which may be a whole address (RFC 9112, 3.2.2).
fn path(target: &str) -> Option<&str> {
    let path = match ["http://", "https://"].into_iter().find_map(|scheme| target.strip_prefix(scheme)) {
        Some(rest) => rest.find('/').map_or("/", |slash| &rest[slash..]),
        None => target,
    };
    path.starts_with('/').then(|| path.split('?').next().unwrap_or(path))
}

fn is_token(text: &str) -> bool {
    let is_of = |octet: u8| octet.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&octet);
    !text.is_empty() && text.bytes().all(is_of)
}

/// The answer to it.
pub(super) fn answer(request: &Request, page: &str) -> Vec<u8> {
    let (body, kind) = match request.status {
        Status::Ok => (page, request.form.content_type()),
        other => (other.line(), "text/plain; charset=utf-8"),
    };
    let more = match request.status {
        Status::Method => "Allow: GET, HEAD\r\n",
        Status::Busy => "Retry-After: 5\r\n",
        _ => "",
    };
    let connection = if request.keeps { "keep-alive" } else { "close" };
    let mut out = format!(
        "HTTP/1.1 {}\r\nContent-Type: {kind}\r\nContent-Length: {}\r\nConnection: {connection}\r\n{more}\r\n",
        request.status.line(),
        body.len()
    )
    .into_bytes();
    if !request.head_only {
        out.extend_from_slice(body.as_bytes());
    }
    out
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn status(text: &str) -> Option<Status> {
        take(&mut text.as_bytes().to_vec()).map(|request| request.status)
    }

    #[test]
    fn requests_are_read_as_they_are_meant() {
        let mut two = b"GET /metrics HTTP/1.1\r\nHost: fw\r\nAccept: */*\r\n\r\nGET /".to_vec();
        let request = take(&mut two).unwrap();
        assert_eq!(request, Request { status: Status::Ok, head_only: false, form: Form::Plain, keeps: true });
        assert_eq!((two.as_slice(), take(&mut two.clone())), (&b"GET /"[..], None));
        for (text, expected) in [
            ("GET /metrics?x=1 HTTP/1.0\r\n\r\n", Status::Ok),
            ("GET http://fw:9477/metrics HTTP/1.1\r\nHost: fw\r\n\r\n", Status::Ok),
            ("GET http://fw HTTP/1.1\r\nHost: fw\r\n\r\n", Status::NotFound),
            ("GET / HTTP/1.1\r\nHost: fw\r\n\r\n", Status::NotFound),
            ("GET /metrics/ HTTP/1.1\r\nHost: fw\r\n\r\n", Status::NotFound),
            ("POST /metrics HTTP/1.1\r\nHost: fw\r\nContent-Length: 7\r\n\r\n", Status::Method),
            ("GET /metrics\r\n\r\n", Status::Bad),
            ("GET /metrics HTTP/2\r\n\r\n", Status::Bad),
            ("GET metrics HTTP/1.0\r\n\r\n", Status::Bad),
            ("GET /metrics HTTP/1.1\r\n\r\n", Status::Bad),
            ("GET /metrics HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n", Status::Bad),
            ("GET /metrics HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\n", Status::Bad),
            ("GET /metrics HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n", Status::Bad),
            ("GET /metrics HTTP/1.1\r\nHost : a\r\n\r\n", Status::Bad),
            ("GET /metrics HTTP/1.1\r\nHost: a\r\n folded\r\n\r\n", Status::Bad),
            ("GET /metrics HTTP/1.1\r\nHost: a\nX: b\r\n\r\n", Status::Bad),
            ("\u{16}\u{3}\u{1}\r\n\r\n", Status::Bad),
            ("\r\n\r\n", Status::Bad),
        ] {
            assert_eq!(status(text), Some(expected), "{text}");
        }
        assert_eq!(status(&"x".repeat(HEAD)), Some(Status::TooLong));
        let long = format!("GET /metrics HTTP/1.1\r\nHost: a\r\nX: {}\r\n\r\n", "y".repeat(HEAD));
        assert_eq!(status(&long), Some(Status::TooLong));
        assert_eq!(status("GET /metrics HTTP/1.1\r\nHost: fw\r\n"), None);
    }

    #[test]
    fn connections_are_kept_where_both_know_where_the_next_request_begins() {
        let keeps = |text: &str| take(&mut text.as_bytes().to_vec()).unwrap().keeps;
        assert!(keeps("GET /metrics HTTP/1.1\r\nHost: a\r\nConnection: TE\r\n\r\n"));
        assert!(keeps("GET /no HTTP/1.1\r\nHost: a\r\n\r\n"));
        assert!(!keeps("GET /metrics HTTP/1.1\r\nHost: a\r\nConnection: TE, Close\r\n\r\n"));
        assert!(!keeps("GET /metrics HTTP/1.0\r\n\r\n"));
        assert!(!keeps("POST /metrics HTTP/1.1\r\nHost: a\r\nContent-Length: 7\r\n\r\n"));
    }

    #[test]
    fn answers_say_how_long_they_are() {
        let request = take(&mut b"HEAD /metrics HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n".to_vec()).unwrap();
        let text = String::from_utf8(answer(&request, "12345")).unwrap();
        assert!(text.contains("Content-Length: 5\r\nConnection: close\r\n") && text.ends_with("\r\n\r\n"), "{text}");
        assert_eq!(Status::ALL.map(Status::code), ["200", "400", "404", "405", "431", "503"]);
    }

    proptest! {
        #[test]
        fn nothing_that_comes_harms(octets in proptest::collection::vec(any::<u8>(), 0..600)) {
            let mut input = octets;
            while take(&mut input).is_some_and(|request| request.keeps) {}
        }

        /// A request is the same, however it comes in pieces.
        #[test]
        fn pieces_do_not_matter(cut in 0_usize..60) {
            let whole = b"GET /metrics HTTP/1.1\r\nHost: a\r\nAccept: text/plain\r\n\r\nrest";
            let mut input = whole[..cut.min(54)].to_vec();
            let early = take(&mut input);
            input.extend_from_slice(&whole[cut.min(54)..]);
            prop_assert_eq!(early.or_else(|| take(&mut input)).map(|request| request.status), Some(Status::Ok));
        }
    }
}
