//! A Kafka cluster as a log host.
//!
//! A thread of its own has the producer, so that nothing of it holds up anybody: neither making it, which reads
//! certificates, nor ending it, which waits for its threads, nor a cluster that takes nothing. It is given messages through
//! a pair of sockets, as a host in the network would be, and answers each of them as RELP's hosts do, once all replicas
//! that the cluster wants have it.
//!
//! To the thread go, of each message, octets by
//!
//! | octets | what |
//! |---|---|
//! | 4 | how many follow |
//! | 8 | the run of the process |
//! | 8 | the record's number |
//! | 1 | how many octets the key has |
//! | | the key, then the value |
//!
//! and back come one of [`tag`] and its octets.

pub(super) mod key;
#[cfg(feature = "kafka")]
mod producer;

use std::io::{Read as _, Write as _};
use std::net::Shutdown;
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::net::UnixStream as Pair;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use mio::net::UnixStream;

use super::link::{Answer, Wrote, passing};
use super::trouble::Trouble;
use super::{HostConfig, KafkaTarget};

/// Reads in one turn; then it is another host's.
const READS: usize = 16;

/// Lines that wait to be told, at most.
const LINES: usize = 16;

/// The number of a connection's first message.
pub(super) const FIRST_MESSAGE: u32 = 1;

/// What the thread says.
mod tag {
    /// The cluster is there, and has the topic.
    pub(super) const UP: u8 = b'U';
    /// The cluster has a message; its number follows, in 4 octets.
    pub(super) const TAKEN: u8 = b'A';
    /// The cluster will not have a message; its number follows.
    pub(super) const REFUSED: u8 = b'N';
    /// Words for the operator; their length follows in 2 octets, and they.
    pub(super) const WORDS: u8 = b'S';
    /// The same, and it is over.
    pub(super) const FAULT: u8 = b'F';
}

/// Producers whose threads have not ended.
static PRODUCERS: AtomicUsize = AtomicUsize::new(0);

/// The loop's side.
#[derive(Debug)]
pub(super) struct Link {
    socket: UnixStream,
    position: u64,
    /// What came and is not understood yet.
    heard: Vec<u8>,
    up: bool,
    words: Vec<String>,
    /// The last words of an attempt.
    last: Option<String>,
    fault: Option<String>,
    /// The thread has to end, whatever it waits for.
    ended: Arc<AtomicBool>,
}

impl Link {
    /// Begins to look for the cluster.
    pub(super) fn open(host: &HostConfig, target: &KafkaTarget) -> Result<Self, Trouble> {
        let (ours, theirs) = Pair::pair().map_err(Trouble::Socket)?;
        ours.set_nonblocking(true).map_err(Trouble::Socket)?;
        let ended = Arc::new(AtomicBool::new(false));
        let work = work(host, target, theirs, Arc::clone(&ended))?;
        let counted = Counted::new();
        let work = move || {
            let _counted = counted;
            work();
        };
        // It looks names up, and so do the threads that it starts.
        crate::confine::lookup_thread("log-kafka".to_owned(), work).map_err(Trouble::Socket)?;
        let socket = UnixStream::from_std(ours);
        let (heard, words) = (Vec::new(), Vec::new());
        Ok(Self { socket, position: 0, heard, up: false, words, last: None, fault: None, ended })
    }

    /// To register with the poller.
    pub(super) fn source(&mut self) -> &mut UnixStream {
        &mut self.socket
    }

    /// Whether the cluster is there, and has the topic.
    pub(super) fn handshake(&mut self) -> Result<bool, Trouble> {
        // Nothing was sent: there is nothing to answer.
        self.read(&mut Vec::new())?;
        Ok(self.up)
    }

    /// Why [`Self::handshake`] takes longer than `patience`.
    pub(super) fn overdue(&self, patience: Duration) -> Trouble {
        let why = self.last.as_deref().unwrap_or("no broker answers");
        Trouble::Kafka(format!("the cluster cannot be used within {} s: {why}", patience.as_secs()))
    }

    /// Hands over what the thread takes now.
    pub(super) fn write(&mut self, octets: &[u8]) -> Result<Wrote, Trouble> {
        match self.socket.write(octets) {
            Ok(written) => {
                self.position += written as u64;
                Ok(Wrote::Octets(written))
            }
            Err(error) if passing(&error) => Ok(Wrote::Blocked),
            // The thread has ended, and said why: that is found by reading.
            Err(_) => Ok(Wrote::Blocked),
        }
    }

    /// Reads answers; false where there may be more. What ends the connection is told by a call of its own.
    pub(super) fn read(&mut self, answers: &mut Vec<Answer>) -> Result<bool, Trouble> {
        let before = answers.len();
        let mut buffer = [0; 16 * 1_024];
        for _ in 0..READS {
            match self.socket.read(&mut buffer) {
                Ok(0) if answers.len() > before => return Ok(false),
                Ok(0) => return Err(self.trouble()),
                Ok(octets) => {
                    self.heard.extend_from_slice(&buffer[..octets]);
                    self.understand(answers);
                }
                Err(error) if passing(&error) => {
                    return match self.fault {
                        Some(_) if answers.len() == before => Err(self.trouble()),
                        Some(_) => Ok(false),
                        None => Ok(true),
                    };
                }
                Err(error) if answers.len() == before => return Err(Trouble::Lost(error)),
                Err(_) => return Ok(false),
            }
        }
        Ok(false)
    }

    fn understand(&mut self, answers: &mut Vec<Answer>) {
        let mut rest = &self.heard[..];
        loop {
            rest = match *rest {
                [tag::UP, ref rest @ ..] => {
                    self.up = true;
                    rest
                }
                [kind @ (tag::TAKEN | tag::REFUSED), a, b, c, d, ref rest @ ..] => {
                    let transaction = u32::from_be_bytes([a, b, c, d]);
                    answers.push(Answer { transaction, ok: kind == tag::TAKEN });
                    rest
                }
                [kind @ (tag::WORDS | tag::FAULT), a, b, ref rest @ ..] => {
                    let Some((words, rest)) = rest.split_at_checked(u16::from_be_bytes([a, b]).into()) else { break };
                    let words = String::from_utf8_lossy(words).into_owned();
                    match kind {
                        tag::FAULT => self.fault = Some(words),
                        // Of an attempt, one line tells all.
                        _ if !self.up => self.last = Some(words),
                        _ if self.words.len() < LINES => self.words.push(words),
                        _ => {}
                    }
                    rest
                }
                _ => break,
            };
        }
        let understood = self.heard.len() - rest.len();
        self.heard.drain(..understood);
    }

    /// What there is to tell the operator.
    pub(super) fn words(&mut self) -> Vec<String> {
        std::mem::take(&mut self.words)
    }

    /// Octets that were handed over.
    pub(super) fn position(&self) -> u64 {
        self.position
    }

    /// Nothing more comes.
    pub(super) fn close(&mut self) {
        // Where it cannot be said, the thread has ended, which is found by reading.
        let _ = self.socket.shutdown(Shutdown::Write);
    }

    /// Whether the producer has ended.
    pub(super) fn closing(&mut self) -> Result<bool, Trouble> {
        match self.socket.read(&mut [0; 1_024]) {
            Ok(0) => Ok(true),
            Ok(_) => Ok(false),
            Err(error) if passing(&error) => Ok(false),
            Err(error) => Err(Trouble::Lost(error)),
        }
    }

    /// What ended the thread.
    fn trouble(&mut self) -> Trouble {
        match self.fault.take() {
            Some(words) => Trouble::Kafka(words),
            None => Trouble::Closed,
        }
    }
}

impl Drop for Link {
    fn drop(&mut self) {
        self.ended.store(true, Ordering::Release);
    }
}

impl AsFd for Link {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }
}

/// One of [`PRODUCERS`].
struct Counted;

impl Counted {
    fn new() -> Self {
        PRODUCERS.fetch_add(1, Ordering::AcqRel);
        Self
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        PRODUCERS.fetch_sub(1, Ordering::AcqRel);
    }
}

/// Waits until no producer is left, until then at most: their threads are not to run while the process ends.
pub(super) fn settle(until: Instant) {
    const LOOK: Duration = Duration::from_millis(5);
    while PRODUCERS.load(Ordering::Acquire) > 0 && Instant::now() < until {
        thread::sleep(LOOK);
    }
}

/// What the thread does.
#[cfg(feature = "kafka")]
fn work(
    host: &HostConfig,
    target: &KafkaTarget,
    loop_: Pair,
    ended: Arc<AtomicBool>,
) -> Result<impl FnOnce() + Send + use<>, Trouble> {
    let order = producer::Order::new(host, target);
    Ok(move || producer::run(order, loop_, ended))
}

#[cfg(not(feature = "kafka"))]
fn work(_: &HostConfig, _: &KafkaTarget, _: Pair, _: Arc<AtomicBool>) -> Result<fn(), Trouble> {
    Err(Trouble::Unsupported("transport = \"kafka\""))
}

#[cfg(test)]
mod tests;
