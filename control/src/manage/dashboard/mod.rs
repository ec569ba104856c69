//! The page to look at: what the firewall does, in a browser. Off unless `[dashboard]` says where.
//!
//! A page of our own files, and the JSON that feeds it. Nothing can be done by it but to look: GET and HEAD, no body is
//! read. Answers are shown to all viewers for a while, lists have an end, and large tables are looked through a piece a turn.

mod door;
mod feed;
mod history;
mod search;
mod view;

#[cfg(test)]
mod tests;

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::time::{Duration, Instant};

use dataplane::policy::RuleId;
use dataplane::time::Nanos;
use mio::Registry;
use mio::event::Event;
use serde_json::{Value, json};
use sigdb::AppId;

use super::http::{Answerer, Listener, Reply, Request, Status, tls};
use super::metrics::Measured;
use super::{ImRow, LogHostRow, UserFilter, UserPage};
use crate::config::{Compiled, DashboardConfig};
use crate::record::audit::Occurrence;
use door::{Door, Sensitive};
use history::{History, Span};
use search::{Kind, Searches, Wanted};

pub use feed::Feed;
pub use view::AppTally;

/// Clients at once; a browser opens up to six. The tokens are the listener's and one for each.
pub const VIEWERS: usize = 32;

/// An answer is shown to others who ask for so long.
const FRESH: Duration = Duration::from_millis(250);
/// Answers that are kept for that.
const ANSWERS: usize = 32;
/// Characters of a filter.
const FILTER: usize = 100;

/// What the page sees of the firewall; the control core implements it. Nothing here may wait, nor look through what grows with
/// traffic, but for so much of it as is asked for.
pub trait Watched {
    /// Counters and states.
    fn measure(&self) -> Measured;
    /// The configuration in force.
    fn compiled(&self) -> &Compiled;
    /// The time of records.
    fn now(&self) -> Nanos;
    /// Log hosts and how they are doing.
    fn log_hosts(&self) -> Vec<LogHostRow>;
    /// Who is online in messengers, of `most` places behind the first `from`, and whether there are no others.
    fn im(&self, from: usize, most: usize) -> (Vec<ImRow>, bool);
    /// Looks at `most` access users behind the first `from`, and shows those that the filter takes.
    fn users(&self, filter: &UserFilter, from: usize, most: usize) -> UserPage;
    /// What was seen of applications since the start, those of which nothing was left out.
    fn applications(&self) -> Vec<(AppId, AppTally)>;
    /// Flows that came under a rule since the start.
    fn hits(&self, rule: RuleId) -> u64;
    /// What happened just now.
    fn feed(&self) -> Option<&Feed>;
    /// Records what happened at the page.
    fn audit(&mut self, occurrence: Occurrence);
}

/// The listener and what it remembers.
#[derive(Debug)]
pub struct Dashboard {
    listener: Listener,
    room: Room,
}

/// What answers are made of.
#[derive(Debug)]
struct Room {
    door: Door,
    history: History,
    searches: Searches,
    /// Whether users are named, and whether the trail is shown.
    shows: (bool, bool),
    is_local: bool,
    answers: Vec<(String, Instant, Vec<u8>)>,
}

impl Dashboard {
    /// Listens. Events come with the tokens from `token_base` to `token_base + VIEWERS`.
    ///
    /// # Errors
    /// Where it cannot listen there, or a file of TLS is wrong.
    pub fn bind(config: &DashboardConfig, registry: &Registry, token_base: usize) -> io::Result<Self> {
        let secured = config.tls.as_ref().map(tls::server).transpose()?;
        let is_secure = secured.is_some();
        let listener = Listener::bind(config.listen, secured, VIEWERS, registry, token_base)?;
        let port = listener.local().map_or(config.listen.port(), |local| local.port());
        let room = Room {
            door: Door::new(config.token, port, is_secure),
            history: History::default(),
            searches: Searches::default(),
            shows: (config.users, config.audit),
            is_local: config.listen.ip().is_loopback(),
            answers: Vec::new(),
        };
        Ok(Self { listener, room })
    }

    /// Where it listens.
    ///
    /// # Errors
    /// Where the system does not say.
    pub fn local(&self) -> io::Result<SocketAddr> {
        self.listener.local()
    }

    /// Handles an event with one of its tokens.
    pub fn handle(&mut self, event: &Event, now: Instant, watched: &mut dyn Watched) {
        self.with(now, watched, |listener, answer| listener.handle(event, now, answer));
    }

    /// Carries on with what was left over, cuts off clients that are stuck, and notes how it is. Call it in every turn of the loop.
    pub fn turn(&mut self, now: Instant, watched: &mut dyn Watched) {
        if self.room.history.is_due(now) {
            self.room.history.look(now, watched.now(), &watched.measure());
        }
        self.room.searches.turn(now, watched);
        self.with(now, watched, |listener, answer| listener.turn(now, answer));
    }

    fn with(&mut self, now: Instant, watched: &mut dyn Watched, serve: impl FnOnce(&mut Listener, Answerer<'_>)) {
        let Self { listener, room } = self;
        serve(listener, &mut |peer, asked| {
            let outcome = asked.and_then(|request| room.answer(request, peer, now, watched));
            let headers = |more: &str| format!("{SECURITY}{more}");
            match &outcome {
                Ok(Found::File(kind, body)) => {
                    Reply { status: Status::Ok, kind, headers: &headers(""), body }.octets(asked)
                }
                Ok(Found::Data(body)) => {
                    let kind = "application/json";
                    Reply { status: Status::Ok, kind, headers: &headers(""), body }.octets(asked)
                }
                Ok(Found::Cookie(cookie)) => {
                    Reply { headers: &headers(cookie), ..Reply::bare(Status::NoContent) }.octets(asked)
                }
                Err(status) => {
                    let more = match status {
                        Status::Unauthorized => "WWW-Authenticate: Bearer realm=\"ostiary\"\r\n",
                        Status::TooMany => "Retry-After: 10\r\n",
                        _ => "",
                    };
                    Reply { headers: &headers(more), ..Reply::bare(*status) }.octets(asked)
                }
            }
        });
    }
}

/// What is said with every answer: nothing may come from elsewhere, stand within a page of others, or be kept.
const SECURITY: &str = "Cache-Control: no-store\r\n\
    Content-Security-Policy: default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; \
    base-uri 'none'; form-action 'none'; frame-ancestors 'none'\r\n\
    X-Content-Type-Options: nosniff\r\n\
    X-Frame-Options: DENY\r\n\
    Referrer-Policy: no-referrer\r\n\
    Cross-Origin-Opener-Policy: same-origin\r\n\
    Cross-Origin-Resource-Policy: same-origin\r\n\
    Permissions-Policy: camera=(), geolocation=(), microphone=()\r\n";

/// The files of the page, each with its type.
const FILES: &[(&str, &str, &str)] = &[
    ("/", "text/html; charset=utf-8", include_str!("page/index.html")),
    ("/dashboard.css", "text/css; charset=utf-8", include_str!("page/dashboard.css")),
    ("/dashboard.js", "text/javascript; charset=utf-8", include_str!("page/dashboard.js")),
    ("/charts.js", "text/javascript; charset=utf-8", include_str!("page/charts.js")),
    ("/icon.svg", "image/svg+xml", include_str!("page/icon.svg")),
    ("/vendor/uPlot.js", "text/javascript; charset=utf-8", include_str!("page/vendor/uPlot.iife.min.js")),
    ("/vendor/uPlot.css", "text/css; charset=utf-8", include_str!("page/vendor/uPlot.min.css")),
    ("/vendor/LICENSE", "text/plain; charset=utf-8", include_str!("page/vendor/LICENSE")),
];

/// What was asked for.
enum Found {
    File(&'static str, &'static [u8]),
    Data(Vec<u8>),
    Cookie(String),
}

impl Room {
    fn answer(
        &mut self,
        request: &Request,
        peer: SocketAddr,
        now: Instant,
        watched: &mut dyn Watched,
    ) -> Result<Found, Status> {
        // A page of elsewhere whose name was made to lead here would be believed to be ours: names of elsewhere are refused.
        if self.is_local && !is_local_host(request.host.as_deref()) {
            return Err(Status::Misdirected);
        }
        if let Some((_, kind, text)) = FILES.iter().find(|(path, ..)| *path == request.path) {
            request.looks()?;
            return Ok(Found::File(kind, text.as_bytes()));
        }
        let Some(name) = request.path.strip_prefix("/api/") else { return Err(Status::NotFound) };
        request.looks()?;
        if request.site.as_deref().is_some_and(|site| !matches!(site, "same-origin" | "none")) {
            return Err(Status::Forbidden);
        }
        let time = watched.now();
        match name {
            "login" => {
                let audit = &mut |occurrence| watched.audit(occurrence);
                return self.door.log_in(request, peer, now, audit, time).map(Found::Cookie);
            }
            "logout" => {
                let audit = &mut |occurrence| watched.audit(occurrence);
                return Ok(Found::Cookie(self.door.log_out(request, peer, audit, time)));
            }
            _ => {}
        }
        let viewer = self.door.enter(request, peer, now, &mut |occurrence| watched.audit(occurrence), time)?;
        let sensitive = match name {
            "users" => Some((Sensitive::Users, self.shows.0)),
            "sign-ons" => Some((Sensitive::SignOns, self.shows.0)),
            "audit" => Some((Sensitive::Audit, self.shows.1)),
            "now" | "history" | "policy" => None,
            _ => return Err(Status::NotFound),
        };
        if let Some((view, is_shown)) = sensitive {
            if !is_shown {
                return Err(Status::Forbidden);
            }
            self.door.note(viewer, view, peer, &mut |occurrence| watched.audit(occurrence), time);
        }
        let query = Query::read(&request.query)?;
        let key = format!("{name}?{query:?}");
        self.answers.retain(|(_, made, _)| now.saturating_duration_since(*made) < FRESH);
        if let Some((.., body)) = self.answers.iter().find(|(known, ..)| *known == key) {
            return Ok(Found::Data(body.clone()));
        }
        let body = self.value(name, query, now, watched)?.to_string().into_bytes();
        if self.answers.len() >= ANSWERS {
            self.answers.remove(0);
        }
        self.answers.push((key, now, body.clone()));
        Ok(Found::Data(body))
    }

    fn value(&mut self, name: &str, query: Query, now: Instant, watched: &dyn Watched) -> Result<Value, Status> {
        Ok(match name {
            "now" => {
                let mut value = view::now(watched, &watched.measure(), self.shows);
                if let Some(fields) = value.as_object_mut() {
                    fields.insert("locked".to_owned(), self.door.is_locked().into());
                }
                value
            }
            "history" => self.history.value(match query.span.as_str() {
                "" | "minutes" => Span::Minutes,
                "hours" => Span::Hours,
                _ => return Err(Status::Bad),
            }),
            "policy" => view::policy(watched, &query.text),
            "users" => {
                let kind = match query.kind.as_str() {
                    "im" => Kind::Im,
                    "access" => Kind::Access,
                    _ => return Err(Status::Bad),
                };
                self.searches.ask(Wanted { kind, text: query.text, of: query.of }, now, watched)
            }
            "sign-ons" => json!({ "rows": watched.feed().map(Feed::sign_ons).unwrap_or_default() }),
            "audit" => json!({ "rows": watched.feed().map(Feed::trail).unwrap_or_default() }),
            _ => return Err(Status::NotFound),
        })
    }
}

/// Whether a request for loopback was meant for it: what has an address for a name cannot be a name of elsewhere.
fn is_local_host(host: Option<&str>) -> bool {
    let Some(host) = host else { return false };
    let name = match host.strip_prefix('[') {
        Some(rest) => match rest.split_once(']') {
            Some((name, port)) if port.is_empty() || port.starts_with(':') => name,
            _ => return false,
        },
        None => host.split_once(':').map_or(host, |(name, _)| name),
    };
    name.eq_ignore_ascii_case("localhost") || name.parse::<IpAddr>().is_ok()
}

/// What an answer is narrowed to.
#[derive(Debug, Default)]
struct Query {
    text: String,
    of: String,
    kind: String,
    span: String,
}

impl Query {
    fn read(text: &str) -> Result<Self, Status> {
        let mut query = Self::default();
        for (name, value) in text.split('&').filter_map(|pair| pair.split_once('=')) {
            let value = decoded(value).ok_or(Status::Bad)?;
            match name {
                "text" => query.text = value.to_lowercase(),
                "of" => query.of = value,
                "kind" => query.kind = value,
                "span" => query.span = value,
                _ => return Err(Status::Bad),
            }
        }
        Ok(query)
    }
}

/// A value of a query (RFC 3986, 2.1); none where it is none, or too long.
fn decoded(text: &str) -> Option<String> {
    let mut octets = Vec::new();
    let mut rest = text.bytes();
    while let Some(octet) = rest.next() {
        octets.push(match octet {
            b'+' => b' ',
            b'%' => {
                let digit = |octet: Option<u8>| char::from(octet?).to_digit(16);
                let (high, low) = (digit(rest.next())?, digit(rest.next())?);
                u8::try_from(high * 16 + low).ok()?
            }
            other => other,
        });
    }
    String::from_utf8(octets).ok().filter(|text| text.chars().count() <= FILTER)
}
