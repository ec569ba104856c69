//! A channel whose host takes records: writing, reading what is acknowledged, and telling when it takes none.

use std::time::{Duration, Instant};

use super::{Channel, State};
use crate::export::event::ChannelChange;
use crate::export::link::{Link, Wrote};
use crate::export::notice::Notices;
use crate::export::outbox::Frame;
use crate::export::trouble::Trouble;
use crate::export::window::Until;
use crate::export::writer::Writer;
use crate::export::{Transport, time};

/// Where nothing of the kind is acknowledged, a connection that lasted so long was a good one.
const GOOD: Duration = Duration::from_secs(1);

/// How often the kernel is asked what the host's TCP has acknowledged.
const ASK: Duration = Duration::from_millis(20);

/// Where the kernel does not tell: more than a socket of ours holds.
const SOCKET: u64 = 512 * 1024;

/// Writes in one turn; then it is another host's.
const WRITES: usize = 32;

/// A connection on which records may be written, or a file.
#[derive(Debug)]
pub(super) struct Up {
    pub(super) link: Link,
    since: Instant,
    /// The socket takes nothing now.
    pub(super) blocked: bool,
    /// When the socket or the host last took something, or nothing was out.
    progress: Instant,
    /// When the kernel was last asked what the host's TCP acknowledged.
    asked: Instant,
    /// No progress for too long.
    pub(super) stalled: bool,
    /// Since when our side is closing, and the host has yet to close its own.
    pub(super) closing: Option<Instant>,
    /// There may be something to read that no event will tell of.
    pub(super) unread: bool,
}

impl Up {
    /// When the kernel is to be asked again what the host's TCP acknowledged.
    pub(super) fn ask_at(&self) -> Instant {
        self.asked + ASK
    }
}

impl Channel {
    /// There is a connection, or a file: goes to work.
    pub(super) fn up(&mut self, link: Link, now: Instant, notices: &mut Notices) {
        // UDP has no connection to speak of, only troubles.
        if let Transport::File(file) = &self.host.transport {
            self.voice.say(notices, format_args!("writing to {}", file.path.display()), now);
        } else if let Transport::Kafka(target) = &self.host.transport {
            self.voice.say(notices, format_args!("writing to topic {} of {}", target.topic, target.brokers), now);
        } else if link.is_stream() {
            let over = link.protection().map(|protection| format!(" ({protection})")).unwrap_or_default();
            self.voice.say(notices, format_args!("connected to {}{over}", self.host.target), now);
        }
        self.herald.tell(&mut notices.events, &self.host, ChannelChange::Up, "", now);
        self.connections += 1;
        self.opener.worked();
        self.outbox.begin(Writer::frame(&self.host, self.format));
        if let Some(next) = self.outbox.frame().transaction() {
            self.backlog.begin(next);
        }
        let (blocked, closing, stalled) = (false, None, false);
        self.enter(State::Up(Up {
            link,
            since: now,
            blocked,
            progress: now,
            asked: now,
            stalled,
            closing,
            unread: true,
        }));
        self.pump(now, notices);
    }

    /// Reads, encodes and writes until the socket takes no more, nothing is left, or the turn is over.
    pub(super) fn pump(&mut self, now: Instant, notices: &mut Notices) {
        if let Err(trouble) = self.work(now) {
            self.broke(trouble, now, notices);
        }
    }

    fn work(&mut self, now: Instant) -> Result<(), Trouble> {
        let State::Up(up) = &mut self.state else { return Ok(()) };
        if up.closing.is_some() {
            return if up.link.closing()? { Err(Trouble::Closed) } else { Ok(()) };
        }
        if up.unread {
            up.unread = !up.link.read(&mut self.answers)?;
        }
        self.listen(now)?;
        let State::Up(up) = &mut self.state else { return Ok(()) };
        for _ in 0..WRITES {
            if up.blocked {
                break;
            }
            self.backlog.say_losses(now, self.stopping);
            self.writer.fill(&mut self.backlog, &mut self.outbox, now, self.stopping);
            if self.outbox.len() == 0 {
                break;
            }
            match up.link.write(&self.outbox)? {
                Wrote::Octets(octets) => {
                    let until = match self.outbox.frame() {
                        _ if !up.link.is_stream() => None,
                        Frame::Relp { .. } | Frame::Length => Some(Until::Answer),
                        Frame::Bare | Frame::OctetCounting | Frame::Lf => Some(Until::Position(up.link.position())),
                    };
                    self.backlog.written(self.outbox.advance(octets), octets, until, now);
                    up.progress = now;
                }
                Wrote::Blocked => up.blocked = true,
            }
        }
        if self.outbox.len() == 0 && self.backlog.oldest().is_none() {
            up.progress = now;
        }
        let stalled = now.saturating_duration_since(up.progress) >= self.host.patience.stall;
        if stalled && !up.stalled && !self.substitute {
            self.backlog.copy_window(&mut self.writer);
        }
        up.stalled = stalled;
        Ok(())
    }

    /// Takes in what the host acknowledged: by its answers, or by its TCP.
    fn listen(&mut self, now: Instant) -> Result<(), Trouble> {
        let State::Up(up) = &mut self.state else { return Ok(()) };
        let mut any = false;
        for answer in self.answers.drain(..) {
            if !self.backlog.answered(answer.transaction, answer.ok, time()) {
                return Err(Trouble::Answer(answer.transaction));
            }
            any = true;
        }
        if self.outbox.frame().transaction().is_some() {
            // Answers come by themselves; only the clock is looked at.
            up.asked = now;
            let patience = self.host.patience.answer;
            if self.backlog.oldest().is_some_and(|sent| now.saturating_duration_since(sent) >= patience) {
                return Err(Trouble::Stalled(patience.as_secs()));
            }
        } else if self.backlog.oldest().is_some() && now.saturating_duration_since(up.asked) >= ASK {
            up.asked = now;
            let position = up.link.position();
            any |= match up.link.queued() {
                Some(octets) => self.backlog.acknowledged(position.saturating_sub(octets), now),
                // A connection whose host acknowledges nothing does not outlive the user timeout by much.
                None => {
                    self.backlog.acknowledged(position.saturating_sub(SOCKET), now)
                        | self.backlog.outlived(self.host.patience.user_timeout * 2, now)
                }
            };
        }
        self.backlog.expire(now);
        if any {
            up.progress = now;
        }
        // Over a stream, a connection says nothing about the program behind it.
        if any || (!up.link.is_stream() && now.saturating_duration_since(up.since) >= GOOD) {
            self.backoff.reset();
        }
        Ok(())
    }
}
