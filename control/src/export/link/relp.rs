//! A session of RELP over a stream: `open`, messages and their answers, `close`.

use super::super::outbox::{Frame as Wire, Outbox};
use super::super::relp::{self, Fault, Frame, Meaning, Reader};
use super::super::trouble::Trouble;
use super::stream::{Got, Stream};
use super::{Answer, Wrote};

/// Reads in one turn; then it is another host's.
const READS: usize = 16;

/// See the module.
#[derive(Debug)]
pub(in crate::export) struct Session {
    pub(super) stream: Stream,
    reader: Reader,
    step: Step,
    /// What the kernel has yet to take of `open` or `close`.
    saying: Vec<u8>,
    /// The number of the next command.
    next: u32,
    /// Why no more is read; told once the answers before it were.
    ended: Option<Trouble>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Step {
    /// The stream is not there yet.
    Stream,
    /// `open` has no answer yet.
    Opening,
    Open,
    /// `close`, with that number, has no answer yet.
    Closing(u32),
    /// Our side of the stream ends.
    Closed,
}

impl Session {
    /// To be opened once the stream is there.
    pub(super) fn new(stream: Stream) -> Self {
        let next = relp::FIRST_MESSAGE;
        Self { stream, reader: Reader::default(), step: Step::Stream, saying: Vec::new(), next, ended: None }
    }

    /// Whether the host opened the session.
    pub(super) fn handshake(&mut self) -> Result<bool, Trouble> {
        if self.step == Step::Stream {
            if !self.stream.handshake()? {
                return Ok(false);
            }
            relp::write(&mut self.saying, 1, "open", relp::offers().as_bytes());
            self.step = Step::Opening;
        }
        self.say()?;
        let mut buffer = [0; 4_096];
        while self.step == Step::Opening {
            match self.stream.read(&mut buffer)? {
                Got::Octets(octets) => self.reader.extend(&buffer[..octets]),
                Got::Nothing => return Ok(false),
                Got::End => return Err(Trouble::RelpClosed),
            }
            while let Some(frame) = self.reader.frame().map_err(Trouble::Relp)? {
                if frame.opens().map_err(Trouble::Relp)? {
                    self.step = Step::Open;
                    break;
                }
            }
        }
        Ok(self.step == Step::Open)
    }

    /// Whether the stream is there, and the host's answer to `open` is not.
    pub(super) fn is_opening(&self) -> bool {
        self.step == Step::Opening
    }

    pub(super) fn write(&mut self, outbox: &Outbox) -> Result<Wrote, Trouble> {
        if let Wire::Relp { next } = outbox.frame() {
            self.next = next;
        }
        self.stream.write(outbox.stream())
    }

    /// Reads answers. What ends the session is told by a call of its own.
    pub(super) fn read(&mut self, answers: &mut Vec<Answer>) -> Result<bool, Trouble> {
        let before = answers.len();
        let done = self.take(answers);
        match done {
            Ok(done) => Ok(done),
            Err(trouble) if answers.len() == before => Err(trouble),
            Err(trouble) => {
                self.ended = Some(trouble);
                Ok(false)
            }
        }
    }

    fn take(&mut self, answers: &mut Vec<Answer>) -> Result<bool, Trouble> {
        if let Some(trouble) = self.ended.take() {
            return Err(trouble);
        }
        let mut buffer = [0; 16 * 1_024];
        for _ in 0..READS {
            // What came with the answer to `open`, at first.
            self.answers(answers)?;
            match self.stream.read(&mut buffer)? {
                Got::Octets(octets) => self.reader.extend(&buffer[..octets]),
                Got::Nothing => return Ok(true),
                Got::End => return Err(Trouble::Closed),
            }
        }
        self.answers(answers)?;
        Ok(false)
    }

    fn answers(&mut self, answers: &mut Vec<Answer>) -> Result<(), Trouble> {
        while let Some(frame) = self.reader.frame().map_err(Trouble::Relp)? {
            match frame.meaning().map_err(Trouble::Relp)? {
                Meaning::Answer(transaction, ok) => answers.push(Answer { transaction, ok }),
                Meaning::Nothing => {}
            }
        }
        Ok(())
    }

    /// Begins to end the session, all being written.
    pub(super) fn close(&mut self) {
        relp::write(&mut self.saying, self.next, "close", b"");
        self.step = Step::Closing(self.next);
        // An error is found by [`Self::closing`].
        drop(self.say());
    }

    /// Goes on with that: whether both sides are closed.
    pub(super) fn closing(&mut self) -> Result<bool, Trouble> {
        if !self.say()? {
            return Ok(false);
        }
        let mut buffer = [0; 4_096];
        while let Step::Closing(number) = self.step {
            match self.stream.read(&mut buffer)? {
                Got::Octets(octets) => self.reader.extend(&buffer[..octets]),
                Got::Nothing => return Ok(false),
                Got::End => self.step = Step::Closed,
            }
            while let Some(frame) = self.reader.frame().map_err(Trouble::Relp)? {
                if answers_close(&frame, number)? {
                    self.step = Step::Closed;
                }
            }
            if self.step == Step::Closed {
                self.stream.close();
            }
        }
        self.stream.closing()
    }

    /// Gives the stream what it has yet to take of our commands: whether it took all.
    fn say(&mut self) -> Result<bool, Trouble> {
        while !self.saying.is_empty() {
            match self.stream.write(&self.saying)? {
                Wrote::Octets(octets) => drop(self.saying.drain(..octets)),
                Wrote::Blocked => return Ok(false),
            }
        }
        Ok(true)
    }

    /// Whether the socket has yet to take something that is not of the outbox.
    pub(super) fn wants_write(&self) -> bool {
        !self.saying.is_empty() || self.stream.wants_write()
    }
}

/// The answer, or the hint that follows it.
fn answers_close(frame: &Frame<'_>, number: u32) -> Result<bool, Trouble> {
    match frame.meaning() {
        Ok(Meaning::Answer(transaction, _)) => Ok(transaction == number),
        Ok(Meaning::Nothing) => Ok(false),
        Err(Fault::ServerClose) => Ok(true),
        Err(fault) => Err(Trouble::Relp(fault)),
    }
}
