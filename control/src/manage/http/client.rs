//! A connection of who asks, secured or not.

use std::io::{self, ErrorKind, Read, Write};
use std::net::{Shutdown, SocketAddr};
use std::time::{Duration, Instant};

use mio::net::TcpStream;
use rustls::ServerConnection;

use super::request::{self, Request, Status};

/// A request has to be whole that soon after it began, the connection's beginning and TLS included.
const PATIENCE: Duration = Duration::from_secs(5);
/// An answer has to be taken that soon.
const TAKEN: Duration = Duration::from_secs(10);
/// Who has no further request for so long has none.
const SILENCE: Duration = Duration::from_secs(150);
/// How long a client may take to end its side. What it still sends is read: closing on it would reset the connection, and
/// the answer might be lost.
const FAREWELL: Duration = Duration::from_secs(1);

/// Octets that one turn reads at most.
const OCTETS_PER_TURN: usize = 64 << 10;

/// See the module.
#[derive(Debug)]
pub(super) struct Client {
    pub(super) stream: TcpStream,
    /// Where it is.
    pub(super) peer: SocketAddr,
    tls: Option<Box<ServerConnection>>,
    input: Vec<u8>,
    output: Vec<u8>,
    sent: usize,
    state: State,
    /// When it is cut off.
    until: Instant,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// Nothing was asked, or has begun to be.
    Idle,
    /// A request is on its way.
    Asking,
    /// Its answer is; whether others may follow.
    Answering { keeps: bool },
    /// Nothing more is said.
    Leaving,
}

/// How a client goes on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Next {
    /// At the next event.
    Wait,
    /// In the next turn.
    Again,
    /// Not at all.
    Over,
}

impl Client {
    pub(super) fn new(stream: TcpStream, peer: SocketAddr, tls: Option<Box<ServerConnection>>, now: Instant) -> Self {
        let (input, output) = (Vec::new(), Vec::new());
        Self { stream, peer, tls, input, output, sent: 0, state: State::Asking, until: now + PATIENCE }
    }

    /// Whether it took too long.
    pub(super) fn is_stuck(&self, now: Instant) -> bool {
        now > self.until
    }

    /// Since when it has nothing to ask; none where it does. The earlier, the less.
    pub(super) fn idle(&self) -> Option<Instant> {
        (self.state == State::Idle).then_some(self.until)
    }

    /// Reads, answers one request at most, and writes, as far as the socket lets it.
    ///
    /// # Errors
    /// Of the connection, which is over then.
    pub(super) fn turn(
        &mut self,
        now: Instant,
        answer: &mut dyn FnMut(Result<&Request, Status>) -> Vec<u8>,
    ) -> io::Result<Next> {
        let (mut octets, mut answered) = (0, false);
        loop {
            if !self.flush()? {
                return Ok(Next::Wait);
            }
            match self.state {
                State::Answering { keeps: true } => {
                    let (state, time) =
                        if self.input.is_empty() { (State::Idle, SILENCE) } else { (State::Asking, PATIENCE) };
                    self.enter(state, now + time);
                    continue;
                }
                State::Answering { keeps: false } => self.leave(now)?,
                State::Leaving => self.input.clear(),
                State::Idle | State::Asking => {
                    if answered && !self.input.is_empty() {
                        return Ok(Next::Again);
                    }
                    if let Some(request) = request::take(&mut self.input) {
                        self.output = answer(request.as_ref().map_err(|status| *status));
                        self.sent = 0;
                        let keeps = request.is_ok_and(|request| request.keeps());
                        self.enter(State::Answering { keeps }, now + TAKEN);
                        answered = true;
                        continue;
                    }
                }
            }
            if octets > OCTETS_PER_TURN {
                return Ok(Next::Again);
            }
            match self.fill()? {
                None => return Ok(Next::Wait),
                Some(0) => return Ok(Next::Over),
                Some(count) => octets += count,
            }
            if self.state == State::Idle && !self.input.is_empty() {
                self.enter(State::Asking, now + PATIENCE);
            }
        }
    }

    fn enter(&mut self, state: State, until: Instant) {
        self.state = state;
        self.until = until;
    }

    fn leave(&mut self, now: Instant) -> io::Result<()> {
        self.enter(State::Leaving, now + FAREWELL);
        if let Some(tls) = &mut self.tls {
            tls.send_close_notify();
            while tls.wants_write() && passing(tls.write_tls(&mut self.stream))?.is_some() {}
        }
        self.stream.shutdown(Shutdown::Write)
    }

    /// Reads a piece: how much, 0 at the end; none where there is nothing yet.
    fn fill(&mut self) -> io::Result<Option<usize>> {
        let mut buffer = [0; 4096];
        let Some(tls) = &mut self.tls else {
            let count = passing(self.stream.read(&mut buffer))?;
            self.input.extend_from_slice(&buffer[..count.unwrap_or(0)]);
            return Ok(count);
        };
        let Some(count) = passing(tls.read_tls(&mut self.stream))? else { return Ok(None) };
        if let Err(error) = tls.process_new_packets() {
            // The alert says why, if it gets through.
            let _ = tls.write_tls(&mut self.stream);
            return Err(io::Error::new(ErrorKind::InvalidData, error));
        }
        loop {
            match tls.reader().read(&mut buffer) {
                Ok(0) => return Ok(Some(0)),
                Ok(count) => self.input.extend_from_slice(&buffer[..count]),
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(Some(count)),
                Err(error) => return Err(error),
            }
        }
    }

    /// Writes what there is; whether all of it is with the kernel.
    fn flush(&mut self) -> io::Result<bool> {
        loop {
            if let Some(tls) = &mut self.tls {
                while tls.wants_write() {
                    if passing(tls.write_tls(&mut self.stream))?.is_none() {
                        return Ok(false);
                    }
                }
            }
            let rest = self.output.get(self.sent..).unwrap_or_default();
            if rest.is_empty() {
                self.output = Vec::new();
                self.sent = 0;
                return Ok(true);
            }
            let written = match &mut self.tls {
                Some(tls) => Some(tls.writer().write(rest)?),
                None => passing(self.stream.write(rest))?,
            };
            match written {
                Some(0) => return Err(ErrorKind::WriteZero.into()),
                Some(count) => self.sent += count,
                None => return Ok(false),
            }
        }
    }
}

/// None where it would have to wait.
fn passing(outcome: io::Result<usize>) -> io::Result<Option<usize>> {
    match outcome {
        Ok(count) => Ok(Some(count)),
        Err(error) if error.kind() == ErrorKind::WouldBlock => Ok(None),
        Err(error) => Err(error),
    }
}
