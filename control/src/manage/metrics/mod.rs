//! Counters over HTTP: `GET /metrics`, as Prometheus scrapes it. Off unless `[metrics]` says where.
//!
//! Pages are made ten times a second at most, whoever asks, and have an end.

mod measured;
mod rows;
mod text;

#[cfg(test)]
mod tests;

use std::io;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use mio::Registry;
use mio::event::Event;

use super::http::{Listener, Reply, Request, Status, tls};
use crate::config::{ListenTls, MetricsConfig};
use text::Form;

pub use measured::{CommitState, CoreLoad, FileSize, LeftSpool, Measured, SshLines};

/// Clients at once. One more takes the place of who has had nothing to ask for longest; where all ask, it is refused. The
/// tokens are the listener's and one for each.
pub const SCRAPERS: usize = 8;

/// A page is shown to others who ask for so long.
const FRESH: Duration = Duration::from_millis(100);

/// What is answered, in the order in which it is counted.
const ANSWERS: [Status; 6] = [Status::Ok, Status::Bad, Status::NotFound, Status::Method, Status::TooLong, Status::Busy];

/// The listener and its pages.
#[derive(Debug)]
pub struct Metrics {
    listener: Listener,
    pages: Pages,
    answers: [u64; ANSWERS.len()],
}

/// What became of who asked.
#[derive(Clone, Copy, Debug, Default)]
struct Tally {
    /// Answers, in the order of [`ANSWERS`].
    answers: [u64; ANSWERS.len()],
    /// Connections that were cut off, or broke.
    broken: u64,
}

/// The last page of each form.
#[derive(Debug, Default)]
struct Pages([Option<(Instant, String)>; 2]);

/// Whether a listener can be secured by these files.
///
/// # Errors
/// Which file is wrong, and why.
pub fn check(files: &ListenTls) -> io::Result<()> {
    tls::server(files).map(|_| ())
}

impl Metrics {
    /// Listens. Events come with the tokens from `token_base` to `token_base + SCRAPERS`.
    ///
    /// # Errors
    /// Where it cannot listen there, or a file of TLS is wrong.
    pub fn bind(config: &MetricsConfig, registry: &Registry, token_base: usize) -> io::Result<Self> {
        let tls = config.tls.as_ref().map(tls::server).transpose()?;
        let listener = Listener::bind(config.listen, tls, SCRAPERS, registry, token_base)?;
        Ok(Self { listener, pages: Pages::default(), answers: Default::default() })
    }

    /// Where it listens.
    ///
    /// # Errors
    /// Where the system does not say.
    pub fn local(&self) -> io::Result<SocketAddr> {
        self.listener.local()
    }

    /// Handles an event with one of its tokens. `measure` is asked when a page is to be made.
    pub fn handle(&mut self, event: &Event, now: Instant, measure: &dyn Fn() -> Measured) {
        self.with(now, measure, |listener, answer| listener.handle(event, now, answer));
    }

    /// Carries on with what was left over, and cuts off clients that are stuck. Call it in every turn of the loop.
    pub fn turn(&mut self, now: Instant, measure: &dyn Fn() -> Measured) {
        self.with(now, measure, |listener, answer| listener.turn(now, answer));
    }

    fn with(
        &mut self,
        now: Instant,
        measure: &dyn Fn() -> Measured,
        serve: impl FnOnce(&mut Listener, super::http::Answerer<'_>),
    ) {
        let Self { listener, pages, answers } = self;
        let broken = listener.broken();
        serve(listener, &mut |_, asked| {
            let status = asked.and_then(wanted).map_or_else(|status| status, |_| Status::Ok);
            if let Some(count) = ANSWERS.iter().position(|one| *one == status).and_then(|at| answers.get_mut(at)) {
                *count += 1;
            }
            let (Ok(request), Status::Ok) = (asked, status) else { return Reply::bare(status).octets(asked) };
            let form = Form::accepted(&request.accept);
            let tally = Tally { answers: *answers, broken };
            let body = pages.page(form, now, measure, &tally).as_bytes();
            Reply { status, kind: form.content_type(), headers: "", body }.octets(asked)
        });
    }

    #[cfg(test)]
    fn tally(&self) -> Tally {
        Tally { answers: self.answers, broken: self.listener.broken() }
    }
}

/// What is wrong with a request, if it is not one for the page.
fn wanted(request: &Request) -> Result<(), Status> {
    if request.path == "/metrics" { request.looks() } else { Err(Status::NotFound) }
}

impl Pages {
    /// The page in a form: one that is fresh, or a new one.
    fn page(&mut self, form: Form, now: Instant, measure: &dyn Fn() -> Measured, tally: &Tally) -> &str {
        let kept = &mut self.0[usize::from(form == Form::OpenMetrics)];
        if kept.as_ref().is_none_or(|(made, _)| now.saturating_duration_since(*made) >= FRESH) {
            *kept = None;
        }
        let (_, text) = kept.get_or_insert_with(|| (now, rows::page(&measure(), tally, form)));
        text
    }
}
