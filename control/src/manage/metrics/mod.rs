//! Counters over HTTP: `GET /metrics`, as Prometheus scrapes it. Off unless `[metrics]` says where.
//!
//! As at the management socket nothing waits: a turn reads, answers one request of a client and writes what its socket takes,
//! a client that is slow is cut off, and pages are made ten times a second at most, whoever asks, and have an end.

mod client;
mod http;
mod measured;
mod rows;
mod text;
mod tls;

#[cfg(test)]
mod tests;

use std::io::{self, ErrorKind, Write};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use mio::event::Event;
use mio::net::{TcpListener, TcpStream};
use mio::{Interest, Registry, Token};
use rustls::{ServerConfig, ServerConnection};

use crate::config::{MetricsConfig, MetricsTls};
use client::{Client, Next};
use http::{Request, Status};
use text::Form;

pub use measured::{CommitState, CoreLoad, FileSize, LeftSpool, Measured, SshLines};

/// Clients at once. One more takes the place of who has had nothing to ask for longest; where all ask, it is refused. The
/// tokens are the listener's and one for each.
pub const SCRAPERS: usize = 8;

/// A page is shown to others who ask for so long.
const FRESH: Duration = Duration::from_millis(100);

/// The listener and its clients.
#[derive(Debug)]
pub struct Metrics {
    listener: TcpListener,
    tls: Option<Arc<ServerConfig>>,
    registry: Registry,
    token_base: usize,
    clients: [Option<Client>; SCRAPERS],
    /// Clients that have more to do before their next event.
    again: [bool; SCRAPERS],
    pages: Pages,
    tally: Tally,
}

/// What became of who asked.
#[derive(Clone, Copy, Debug, Default)]
struct Tally {
    /// Answers, in the order of [`Status::ALL`].
    answers: [u64; Status::ALL.len()],
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
pub fn check(files: &MetricsTls) -> io::Result<()> {
    tls::server(files).map(|_| ())
}

impl Metrics {
    /// Listens. Events come with the tokens from `token_base` to `token_base + SCRAPERS`.
    ///
    /// # Errors
    /// Where it cannot listen there, or a file of TLS is wrong.
    pub fn bind(config: &MetricsConfig, registry: &Registry, token_base: usize) -> io::Result<Self> {
        let tls = config.tls.as_ref().map(tls::server).transpose()?;
        let mut listener = TcpListener::bind(config.listen)?;
        let registry = registry.try_clone()?;
        registry.register(&mut listener, Token(token_base), Interest::READABLE)?;
        Ok(Self {
            listener,
            tls,
            registry,
            token_base,
            clients: std::array::from_fn(|_| None),
            again: [false; SCRAPERS],
            pages: Pages::default(),
            tally: Tally::default(),
        })
    }

    /// Where it listens.
    ///
    /// # Errors
    /// Where the system does not say.
    pub fn local(&self) -> io::Result<SocketAddr> {
        self.listener.local_addr()
    }

    /// Handles an event with one of its tokens. `measure` is asked when a page is to be made.
    pub fn handle(&mut self, event: &Event, now: Instant, measure: &dyn Fn() -> Measured) {
        match event.token().0 - self.token_base {
            0 => self.accept(now, measure),
            slot => self.serve(slot - 1, now, measure),
        }
    }

    /// Carries on with what was left over, and cuts off clients that are stuck. Call it in every turn of the loop.
    pub fn turn(&mut self, now: Instant, measure: &dyn Fn() -> Measured) {
        for slot in 0..SCRAPERS {
            let Some(client) = &self.clients[slot] else { continue };
            if client.is_stuck(now) {
                // Who only stopped asking was not in anybody's way.
                self.tally.broken += u64::from(client.idle().is_none());
                self.close(slot);
            } else if self.again[slot] {
                self.serve(slot, now, measure);
            }
        }
    }

    fn accept(&mut self, now: Instant, measure: &dyn Fn() -> Measured) {
        loop {
            match self.listener.accept() {
                Ok((stream, _)) => self.admit(stream, now, measure),
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                // WouldBlock: all are in. Anything else is tried again at the next client.
                Err(_) => return,
            }
        }
    }

    fn admit(&mut self, mut stream: TcpStream, now: Instant, measure: &dyn Fn() -> Measured) {
        let Some(slot) = self.room() else {
            self.tally.answers[Status::Busy as usize] += 1;
            if self.tls.is_none() {
                // A courtesy: where it does not get through, the closed connection tells as much.
                let _ = stream.write(&http::answer(&Request::refused(Status::Busy), ""));
            }
            return;
        };
        let tls = match &self.tls {
            None => None,
            Some(config) => match ServerConnection::new(Arc::clone(config)) {
                Ok(session) => Some(Box::new(session)),
                Err(_) => return,
            },
        };
        // A page is one write: nothing is gained by waiting for more.
        let _ = stream.set_nodelay(true);
        let token = Token(self.token_base + 1 + slot);
        if self.registry.register(&mut stream, token, Interest::READABLE | Interest::WRITABLE).is_ok() {
            self.clients[slot] = Some(Client::new(stream, tls, now));
            self.serve(slot, now, measure);
        }
    }

    /// A slot for one more.
    fn room(&mut self) -> Option<usize> {
        if let Some(free) = self.clients.iter().position(Option::is_none) {
            return Some(free);
        }
        let idle = |(slot, client): (usize, &Option<Client>)| Some((client.as_ref()?.idle()?, slot));
        let (_, slot) = self.clients.iter().enumerate().filter_map(idle).min()?;
        self.close(slot);
        Some(slot)
    }

    fn serve(&mut self, slot: usize, now: Instant, measure: &dyn Fn() -> Measured) {
        let Some(Some(client)) = self.clients.get_mut(slot) else { return };
        let (pages, tally) = (&mut self.pages, &mut self.tally);
        let answer = |request: &Request| {
            tally.answers[request.status as usize] += 1;
            let is_asked = request.status == Status::Ok;
            http::answer(request, if is_asked { pages.page(request.form, now, measure, tally) } else { "" })
        };
        match client.turn(now, answer) {
            Ok(next) if next != Next::Over => self.again[slot] = next == Next::Again,
            Ok(_) => self.close(slot),
            Err(_) => {
                self.tally.broken += 1;
                self.close(slot);
            }
        }
    }

    fn close(&mut self, slot: usize) {
        self.again[slot] = false;
        if let Some(mut client) = self.clients[slot].take() {
            // Closing the descriptor does it too; this only keeps the registry's books.
            let _ = self.registry.deregister(&mut client.stream);
        }
    }
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
