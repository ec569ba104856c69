//! The listener of those who look over HTTP: counters, and the page.
//!
//! As at the management socket nothing waits: a turn reads, answers one request of a client and writes what its socket takes,
//! and a client that is slow is cut off. There are only so many at once: one more takes the place of who has had nothing to ask
//! for longest; where all ask, it is refused.

mod client;
mod request;
pub(super) mod tls;

use std::io::{self, ErrorKind, Write};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Instant;

use mio::event::Event;
use mio::net::{TcpListener, TcpStream};
use mio::{Interest, Registry, Token};
use rustls::{ServerConfig, ServerConnection};

use client::{Client, Next};

pub(super) use request::{Reply, Request, Status};

/// Who answers: to the client at that address, what its request, or what is no request, deserves.
pub(super) type Answerer<'a> = &'a mut dyn FnMut(SocketAddr, Result<&Request, Status>) -> Vec<u8>;

/// The listener and its clients.
#[derive(Debug)]
pub(super) struct Listener {
    listener: TcpListener,
    tls: Option<Arc<ServerConfig>>,
    registry: Registry,
    token_base: usize,
    slots: Box<[Option<Client>]>,
    /// Clients that have more to do before their next event.
    again: Box<[bool]>,
    /// Connections that were cut off, or broke.
    broken: u64,
}

impl Listener {
    /// Listens for so many clients. Events come with the tokens from `token_base` to `token_base + most`: the listener's, and one
    /// for each.
    ///
    /// # Errors
    /// Where it cannot listen there.
    pub(super) fn bind(
        listen: SocketAddr,
        tls: Option<Arc<ServerConfig>>,
        most: usize,
        registry: &Registry,
        token_base: usize,
    ) -> io::Result<Self> {
        let mut listener = TcpListener::bind(listen)?;
        let registry = registry.try_clone()?;
        registry.register(&mut listener, Token(token_base), Interest::READABLE)?;
        let slots = (0..most).map(|_| None).collect();
        Ok(Self { listener, tls, registry, token_base, slots, again: vec![false; most].into(), broken: 0 })
    }

    /// Where it listens.
    pub(super) fn local(&self) -> io::Result<SocketAddr> {
        self.listener.local_addr()
    }

    /// Clients now.
    #[cfg(test)]
    pub(super) fn clients(&self) -> usize {
        self.slots.iter().flatten().count()
    }

    /// Connections that were cut off, or broke.
    pub(super) fn broken(&self) -> u64 {
        self.broken
    }

    /// Handles an event with one of its tokens.
    pub(super) fn handle(&mut self, event: &Event, now: Instant, answer: Answerer<'_>) {
        match event.token().0 - self.token_base {
            0 => self.accept(now, answer),
            slot => self.serve(slot - 1, now, answer),
        }
    }

    /// Carries on with what was left over, and cuts off clients that are stuck.
    pub(super) fn turn(&mut self, now: Instant, answer: Answerer<'_>) {
        for slot in 0..self.slots.len() {
            let Some(client) = &self.slots[slot] else { continue };
            if client.is_stuck(now) {
                // Who only stopped asking was not in anybody's way.
                self.broken += u64::from(client.idle().is_none());
                self.close(slot);
            } else if self.again[slot] {
                self.serve(slot, now, answer);
            }
        }
    }

    fn accept(&mut self, now: Instant, answer: Answerer<'_>) {
        loop {
            match self.listener.accept() {
                Ok((stream, peer)) => self.admit(stream, peer, now, answer),
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                // WouldBlock: all are in. Anything else is tried again at the next client.
                Err(_) => return,
            }
        }
    }

    fn admit(&mut self, mut stream: TcpStream, peer: SocketAddr, now: Instant, answer: Answerer<'_>) {
        let Some(slot) = self.room() else {
            let refusal = answer(peer, Err(Status::Busy));
            if self.tls.is_none() {
                // A courtesy: where it does not get through, the closed connection tells as much.
                let _ = stream.write(&refusal);
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
        // An answer is one write: nothing is gained by waiting for more.
        let _ = stream.set_nodelay(true);
        let token = Token(self.token_base + 1 + slot);
        if self.registry.register(&mut stream, token, Interest::READABLE | Interest::WRITABLE).is_ok() {
            self.slots[slot] = Some(Client::new(stream, peer, tls, now));
            self.serve(slot, now, answer);
        }
    }

    /// A slot for one more.
    fn room(&mut self) -> Option<usize> {
        if let Some(free) = self.slots.iter().position(Option::is_none) {
            return Some(free);
        }
        let idle = |(slot, client): (usize, &Option<Client>)| Some((client.as_ref()?.idle()?, slot));
        let (_, slot) = self.slots.iter().enumerate().filter_map(idle).min()?;
        self.close(slot);
        Some(slot)
    }

    fn serve(&mut self, slot: usize, now: Instant, answer: Answerer<'_>) {
        let Some(Some(client)) = self.slots.get_mut(slot) else { return };
        let peer = client.peer;
        match client.turn(now, &mut |asked| answer(peer, asked)) {
            Ok(next) if next != Next::Over => self.again[slot] = next == Next::Again,
            Ok(_) => self.close(slot),
            Err(_) => {
                self.broken += 1;
                self.close(slot);
            }
        }
    }

    fn close(&mut self, slot: usize) {
        self.again[slot] = false;
        if let Some(mut client) = self.slots[slot].take() {
            // Closing the descriptor does it too; this only keeps the registry's books.
            let _ = self.registry.deregister(&mut client.stream);
        }
    }
}
