//! Requests of HTTP/1.1 without a body, as far as those need them who only look (RFC 9112).

/// Octets of a request's head at most.
pub(in crate::manage) const HEAD: usize = 8 << 10;

/// A request.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(in crate::manage) struct Request {
    /// What is to be done.
    pub(in crate::manage) method: Method,
    /// With what, without the query.
    pub(in crate::manage) path: String,
    /// What stands behind the question mark, as it came.
    pub(in crate::manage) query: String,
    /// `Host`; none of HTTP/1.0.
    pub(in crate::manage) host: Option<String>,
    /// `Accept`, all of them.
    pub(in crate::manage) accept: String,
    /// `Authorization`.
    pub(in crate::manage) authorization: Option<String>,
    /// `Cookie`, all of them.
    pub(in crate::manage) cookie: String,
    /// `Sec-Fetch-Site`.
    pub(in crate::manage) site: Option<String>,
    /// It has a body, which is not read: what is meant by it nobody could say, and where the next request begins.
    pub(in crate::manage) has_body: bool,
    /// The client will have no further requests.
    pub(in crate::manage) closes: bool,
}

/// What is to be done.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(in crate::manage) enum Method {
    /// Show it.
    #[default]
    Get,
    /// Show what would be shown, without its body.
    Head,
    /// Something else, which nobody here does.
    Other,
}

/// What is answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::manage) enum Status {
    /// What was asked for.
    Ok,
    /// It is done, and there is nothing to show.
    NoContent,
    /// It is no request.
    Bad,
    /// Whoever asks has to prove who that is.
    Unauthorized,
    /// It is not for who asks.
    Forbidden,
    /// There is nothing of that name.
    NotFound,
    /// That cannot be done with it.
    Method,
    /// It was meant for another host.
    Misdirected,
    /// It was tried too often.
    TooMany,
    /// Its head is too long.
    TooLong,
    /// There are too many clients.
    Busy,
}

impl Status {
    /// Code and reason (RFC 9110, 15; RFC 6585).
    pub(in crate::manage) fn line(self) -> &'static str {
        match self {
            Self::Ok => "200 OK",
            Self::NoContent => "204 No Content",
            Self::Bad => "400 Bad Request",
            Self::Unauthorized => "401 Unauthorized",
            Self::Forbidden => "403 Forbidden",
            Self::NotFound => "404 Not Found",
            Self::Method => "405 Method Not Allowed",
            Self::Misdirected => "421 Misdirected Request",
            Self::TooMany => "429 Too Many Requests",
            Self::TooLong => "431 Request Header Fields Too Large",
            Self::Busy => "503 Service Unavailable",
        }
    }

    /// The code alone.
    pub(in crate::manage) fn code(self) -> &'static str {
        self.line().split(' ').next().unwrap_or_default()
    }

    /// What has to be said with it.
    fn header(self) -> &'static str {
        match self {
            Self::Method => "Allow: GET, HEAD\r\n",
            Self::Busy => "Retry-After: 5\r\n",
            _ => "",
        }
    }
}

impl Request {
    /// Whether the client may have further requests.
    pub(in crate::manage) fn keeps(&self) -> bool {
        !self.closes && !self.has_body
    }

    /// Whether it only looks: what a server of these answers.
    ///
    /// # Errors
    /// What is answered where it does not.
    pub(in crate::manage) fn looks(&self) -> Result<(), Status> {
        match self.method {
            Method::Other => Err(Status::Method),
            Method::Get | Method::Head if self.has_body => Err(Status::Bad),
            Method::Get | Method::Head => Ok(()),
        }
    }
}

/// Takes a request from what has come; none where its head is not whole.
pub(in crate::manage) fn take(input: &mut Vec<u8>) -> Option<Result<Request, Status>> {
    let Some(end) = input.windows(4).position(|four| four == b"\r\n\r\n") else {
        return (input.len() >= HEAD).then_some(Err(Status::TooLong));
    };
    let head: Vec<u8> = input.drain(..end + 4).collect();
    if head.len() > HEAD {
        return Some(Err(Status::TooLong));
    }
    Some(std::str::from_utf8(&head).ok().and_then(read).ok_or(Status::Bad))
}

fn read(head: &str) -> Option<Request> {
    let mut lines = head.split("\r\n");
    let mut words = lines.next()?.split(' ');
    let (method, target, version) = (words.next()?, words.next()?, words.next()?);
    let is_one = matches!(version, "HTTP/1.1" | "HTTP/1.0");
    if words.next().is_some() || !is_one || !is_token(method) || target.contains(char::is_control) {
        return None;
    }
    let (path, query) = path(target)?;
    let method = match method {
        "GET" => Method::Get,
        "HEAD" => Method::Head,
        _ => Method::Other,
    };
    let closes = version == "HTTP/1.0";
    let mut request = Request { method, path: path.to_owned(), query: query.to_owned(), closes, ..Request::default() };
    for line in lines.take_while(|line| !line.is_empty()) {
        let (name, value) = line.split_once(':')?;
        if !is_token(name) || value.contains(['\0', '\r', '\n']) {
            return None;
        }
        let value = value.trim();
        match name.to_ascii_lowercase().as_str() {
            "accept" => request.accept = format!("{},{value}", request.accept),
            "connection" => request.closes |= value.split(',').any(|word| word.trim().eq_ignore_ascii_case("close")),
            "content-length" => request.has_body |= value != "0",
            "transfer-encoding" => request.has_body = true,
            "cookie" => request.cookie = format!("{};{value}", request.cookie),
            // Of two nobody could say which is meant.
            "host" if request.host.is_some() => return None,
            "host" => request.host = Some(value.to_owned()),
            "authorization" if request.authorization.is_some() => return None,
            "authorization" => request.authorization = Some(value.to_owned()),
            "sec-fetch-site" => request.site = Some(value.to_owned()),
            _ => {}
        }
    }
    (version == "HTTP/1.0" || request.host.is_some()).then_some(request)
}

/// The path and the query of a request's target, which may be a whole address (RFC 9112, 3.2.2).
fn path(target: &str) -> Option<(&str, &str)> {
    let path = match ["http://", "https://"].into_iter().find_map(|scheme| target.strip_prefix(scheme)) {
        Some(rest) => rest.find('/').map_or("/", |slash| &rest[slash..]),
        None => target,
    };
    path.starts_with('/').then(|| path.split_once('?').unwrap_or((path, "")))
}

fn is_token(text: &str) -> bool {
    let is_of = |octet: u8| octet.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&octet);
    !text.is_empty() && text.bytes().all(is_of)
}

/// What is said to a request.
#[derive(Clone, Copy, Debug)]
pub(in crate::manage) struct Reply<'a> {
    /// How it went.
    pub(in crate::manage) status: Status,
    /// `Content-Type`.
    pub(in crate::manage) kind: &'a str,
    /// Further headers, each ended by a line feed.
    pub(in crate::manage) headers: &'a str,
    /// What was asked for.
    pub(in crate::manage) body: &'a [u8],
}

impl Reply<'_> {
    /// The status in words, and nothing else.
    pub(in crate::manage) fn bare(status: Status) -> Self {
        let body = if status == Status::NoContent { "" } else { status.line() };
        Self { status, kind: "text/plain; charset=utf-8", headers: "", body: body.as_bytes() }
    }

    /// As it is sent to who asked that.
    pub(in crate::manage) fn octets(&self, asked: Result<&Request, Status>) -> Vec<u8> {
        let connection = if asked.is_ok_and(Request::keeps) { "keep-alive" } else { "close" };
        let mut out = format!("HTTP/1.1 {}\r\n", self.status.line()).into_bytes();
        // RFC 9110, 8.6: an answer without content has no length either.
        if self.status != Status::NoContent {
            let length = self.body.len();
            out.extend_from_slice(format!("Content-Type: {}\r\nContent-Length: {length}\r\n", self.kind).as_bytes());
        }
        let more = self.status.header();
        out.extend_from_slice(format!("Connection: {connection}\r\n{more}{}\r\n", self.headers).as_bytes());
        if !asked.is_ok_and(|request| request.method == Method::Head) {
            out.extend_from_slice(self.body);
        }
        out
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn parse(text: &str) -> Option<Result<Request, Status>> {
        take(&mut text.as_bytes().to_vec())
    }

    #[test]
    fn requests_are_read_as_they_are_meant() {
        let mut two = b"GET /metrics HTTP/1.1\r\nHost: fw\r\nAccept: */*\r\n\r\nGET /".to_vec();
        let request = take(&mut two).unwrap().unwrap();
        let (path, host, accept) = ("/metrics".to_owned(), Some("fw".to_owned()), ",*/*".to_owned());
        assert_eq!(request, Request { path, host, accept, ..Request::default() });
        assert_eq!((two.as_slice(), take(&mut two.clone())), (&b"GET /"[..], None));
        for (text, path, query, looks) in [
            ("GET /metrics?x=1?2 HTTP/1.0\r\n\r\n", "/metrics", "x=1?2", Ok(())),
            ("HEAD http://fw:9477/m HTTP/1.1\r\nHost: fw\r\n\r\n", "/m", "", Ok(())),
            ("GET https://fw HTTP/1.1\r\nHost: fw\r\n\r\n", "/", "", Ok(())),
            ("POST /metrics HTTP/1.1\r\nHost: fw\r\nContent-Length: 7\r\n\r\n", "/metrics", "", Err(Status::Method)),
            ("GET /m HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\n", "/m", "", Err(Status::Bad)),
            ("GET /m HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n", "/m", "", Err(Status::Bad)),
        ] {
            let request = parse(text).unwrap().unwrap();
            assert_eq!(
                (request.path.as_str(), request.query.as_str(), request.looks()),
                (path, query, looks),
                "{text}"
            );
        }
        for text in [
            "GET /metrics\r\n\r\n",
            "GET /metrics HTTP/2\r\n\r\n",
            "GET metrics HTTP/1.0\r\n\r\n",
            "GET /metrics HTTP/1.1\r\n\r\n",
            "GET /metrics HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n",
            "GET / HTTP/1.1\r\nHost: a\r\nAuthorization: a\r\nAuthorization: b\r\n\r\n",
            "GET /metrics HTTP/1.1\r\nHost : a\r\n\r\n",
            "GET /metrics HTTP/1.1\r\nHost: a\r\n folded\r\n\r\n",
            "GET /metrics HTTP/1.1\r\nHost: a\nX: b\r\n\r\n",
            "\u{16}\u{3}\u{1}\r\n\r\n",
            "\r\n\r\n",
        ] {
            assert_eq!(parse(text), Some(Err(Status::Bad)), "{text}");
        }
        assert_eq!(parse(&"x".repeat(HEAD)), Some(Err(Status::TooLong)));
        let long = format!("GET /metrics HTTP/1.1\r\nHost: a\r\nX: {}\r\n\r\n", "y".repeat(HEAD));
        assert_eq!(parse(&long), Some(Err(Status::TooLong)));
        assert_eq!(parse("GET /metrics HTTP/1.1\r\nHost: fw\r\n"), None);
    }

    #[test]
    fn connections_are_kept_where_both_know_where_the_next_request_begins() {
        let keeps = |text: &str| parse(text).unwrap().unwrap().keeps();
        assert!(keeps("GET /metrics HTTP/1.1\r\nHost: a\r\nConnection: TE\r\n\r\n"));
        assert!(keeps("GET /no HTTP/1.1\r\nHost: a\r\n\r\n"));
        assert!(!keeps("GET /metrics HTTP/1.1\r\nHost: a\r\nConnection: TE, Close\r\n\r\n"));
        assert!(!keeps("GET /metrics HTTP/1.0\r\n\r\n"));
        assert!(!keeps("POST /metrics HTTP/1.1\r\nHost: a\r\nContent-Length: 7\r\n\r\n"));
    }

    #[test]
    fn answers_say_how_long_they_are() {
        let request = parse("HEAD /metrics HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n").unwrap().unwrap();
        let reply = Reply { status: Status::Ok, kind: "text/plain", headers: "X: y\r\n", body: b"12345" };
        let text = String::from_utf8(reply.octets(Ok(&request))).unwrap();
        assert!(
            text.contains("Content-Length: 5\r\nConnection: close\r\nX: y\r\n") && text.ends_with("\r\n\r\n"),
            "{text}"
        );
        let text = String::from_utf8(Reply::bare(Status::NoContent).octets(Err(Status::Bad))).unwrap();
        assert_eq!(text, "HTTP/1.1 204 No Content\r\nConnection: close\r\n\r\n");
        assert_eq!([Status::Ok, Status::Busy].map(Status::code), ["200", "503"]);
    }

    proptest! {
        #[test]
        fn nothing_that_comes_harms(octets in proptest::collection::vec(any::<u8>(), 0..600)) {
            let mut input = octets;
            while take(&mut input).is_some_and(|request| request.is_ok_and(|request| request.keeps())) {}
        }

        /// A request is the same, however it comes in pieces.
        #[test]
        fn pieces_do_not_matter(cut in 0_usize..60) {
            let whole = b"GET /metrics HTTP/1.1\r\nHost: a\r\nAccept: text/plain\r\n\r\nrest";
            let mut input = whole[..cut.min(54)].to_vec();
            let early = take(&mut input);
            input.extend_from_slice(&whole[cut.min(54)..]);
            prop_assert!(early.or_else(|| take(&mut input)).is_some_and(|request| request.is_ok()));
        }
    }
}
