//! The octets of one client: its half-read request, and its half-sent answer.

use std::io::{self, ErrorKind, Read, Write};

use mio::net::UnixStream;

use super::protocol::{Answer, REQUEST_LIMIT};

/// Above this, no more rows are to be made until the client has read.
const OUTPUT_HIGH: usize = 64 << 10;

/// Both directions of a connection.
#[derive(Debug)]
pub(super) struct Pipe {
    pub(super) stream: UnixStream,
    input: Vec<u8>,
    /// Octets of it without a line feed.
    searched: usize,
    output: Vec<u8>,
    sent: usize,
    /// The client will ask nothing more.
    ended: bool,
}

/// How far the output was written, and how many octets of it now.
pub(super) enum Flushed {
    All(usize),
    Part(usize),
}

/// What the input has next.
pub(super) enum Next {
    Line(Vec<u8>),
    TooLong,
    Nothing,
}

impl Pipe {
    pub(super) fn new(stream: UnixStream) -> Self {
        Self { stream, input: Vec::new(), searched: 0, output: Vec::new(), sent: 0, ended: false }
    }

    /// Whether all that was put is written.
    pub(super) fn is_clear(&self) -> bool {
        self.output.is_empty()
    }

    /// Whether nothing more should be put for now.
    pub(super) fn is_full(&self) -> bool {
        self.output.len() >= OUTPUT_HIGH
    }

    /// Whether the client asks nothing more.
    pub(super) fn has_ended(&self) -> bool {
        self.ended
    }

    /// Reads nothing more, and forgets what was read.
    pub(super) fn give_up(&mut self) {
        self.ended = true;
        self.input.clear();
        self.searched = 0;
    }

    /// Puts a line of an answer.
    pub(super) fn put(&mut self, answer: &Answer) {
        // Plain data with text keys: serialising it into memory cannot fail.
        if serde_json::to_writer(&mut self.output, answer).is_ok() {
            self.output.push(b'\n');
        }
    }

    /// Puts an event, which is an object in JSON.
    pub(super) fn put_event(&mut self, event: &[u8]) {
        self.output.extend_from_slice(b"{\"event\":");
        self.output.extend_from_slice(event);
        self.output.extend_from_slice(b"}\n");
    }

    /// Writes what there is, as far as the client takes it.
    pub(super) fn flush(&mut self) -> io::Result<Flushed> {
        let before = self.sent;
        while self.sent < self.output.len() {
            match self.stream.write(&self.output[self.sent..]) {
                Ok(0) => return Err(ErrorKind::WriteZero.into()),
                Ok(count) => self.sent += count,
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(Flushed::Part(self.sent - before)),
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        let count = self.sent - before;
        self.output.clear();
        self.sent = 0;
        Ok(Flushed::All(count))
    }

    /// Takes a line from what was read; `limit`: of octets.
    pub(super) fn next_line(&mut self, limit: usize) -> Next {
        match self.input[self.searched..].iter().position(|octet| *octet == b'\n') {
            Some(end) => {
                let line = self.input.drain(..=self.searched + end).collect();
                self.searched = 0;
                Next::Line(line)
            }
            None if self.input.len() >= limit => Next::TooLong,
            None => {
                self.searched = self.input.len();
                Next::Nothing
            }
        }
    }

    /// Reads a little ahead of what is asked now, so that the client's end is seen.
    pub(super) fn read_ahead(&mut self) -> io::Result<()> {
        while self.input.len() < REQUEST_LIMIT && self.fill()? > 0 {}
        Ok(())
    }

    /// Reads a piece of what there is; how much of it, 0 where there is nothing yet, or nothing more.
    pub(super) fn fill(&mut self) -> io::Result<usize> {
        let mut buffer = [0; REQUEST_LIMIT];
        // Of a short request not more than its limit, so that it can be told from a long one.
        let room = REQUEST_LIMIT - self.input.len() % REQUEST_LIMIT;
        loop {
            return match self.stream.read(&mut buffer[..room]) {
                Ok(0) => {
                    self.ended = true;
                    Ok(0)
                }
                Ok(count) => {
                    self.input.extend_from_slice(&buffer[..count]);
                    Ok(count)
                }
                Err(error) if error.kind() == ErrorKind::WouldBlock => Ok(0),
                Err(error) if error.kind() == ErrorKind::Interrupted => continue,
                Err(error) => Err(error),
            };
        }
    }
}
