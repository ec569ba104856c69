//! One log host in one format: its queue, its encoder and its connection, and nothing that another host could wait for.

use std::io;
use std::ops::Range;
use std::os::fd::AsFd as _;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use dataplane::time::Nanos;
use mio::{Registry, Token};
use rustix::event::{PollFd, PollFlags};

use super::backlog::Backlog;
use super::backoff::Backoff;
use super::depot::Depot;
use super::limiter::Limiter;
use super::link::{Answer, Link, Wrote};
use super::notice::{Notices, Voice};
use super::opener::{Opened, Opener};
use super::outbox::{Frame, Outbox};
use super::owed::Owed;
use super::spool::RunRow;
use super::status::{ClassStatus, HostState, HostStatus, Waiting};
use super::trouble::Trouble;
use super::window::Until;
use super::writer::Writer;
use super::{Cause, Form, Format, HostConfig, Transport, time};
use crate::record::{Class, LossRecord, Name, Record};

/// Where nothing of the kind is acknowledged, a connection that lasted so long was a good one.
const GOOD: Duration = Duration::from_secs(1);

/// A host that was not there for so long has its records go to disk.
const AWAY: Duration = Duration::from_secs(1);

/// Where a queue of a host that takes records is filled so far, in per cent, its records go to disk, until it is no more
/// than that.
const FILLED: u64 = 50;
const EASED: u64 = 25;

/// For the disk to take what is left at the end.
const SETTLE: Duration = Duration::from_secs(2);

/// How often the kernel is asked what the host's TCP has acknowledged.
const ASK: Duration = Duration::from_millis(20);

/// Where the kernel does not tell: more than a socket of ours holds.
const SOCKET: u64 = 512 * 1024;

/// How often a name's look-up is asked for.
const OPENING: Duration = Duration::from_millis(10);

/// Writes in one turn; then it is another host's.
const WRITES: usize = 32;

/// See the module.
#[derive(Debug)]
pub(super) struct Channel {
    host: HostConfig,
    format: Format,
    classes: Vec<Class>,
    token: Token,
    backlog: Backlog,
    limiter: Limiter,
    writer: Writer,
    outbox: Outbox,
    /// Of one turn of reading.
    answers: Vec<Answer>,
    state: State,
    opener: Opener,
    backoff: Backoff,
    voice: Voice,
    /// Connections that were established.
    connections: u64,
    last_error: Option<String>,
    /// When the state was entered.
    since: SystemTime,
    /// The operator was told that the queue is full.
    overflow_said: bool,
    /// Since when the host is not there.
    away: Option<Instant>,
    /// More came than went: records go to disk.
    overflows: bool,
    /// Another host of its group would take its records.
    substitute: bool,
    /// Told to stop: no second attempt, and nothing waits for company.
    stopping: bool,
}

#[derive(Debug)]
enum State {
    /// For the next attempt.
    Waiting { until: Instant },
    /// For a socket, which takes looking up a name or entering a namespace.
    Opening { until: Instant },
    /// For the connection, then for the handshake.
    Connecting { link: Link, connected: bool, until: Instant },
    /// Records may be written.
    Up(Up),
    /// No further attempt.
    Stopped,
}

#[derive(Debug)]
struct Up {
    link: Link,
    since: Instant,
    /// The socket takes nothing now.
    blocked: bool,
    /// When the socket or the host last took something, or nothing was out.
    progress: Instant,
    /// When the kernel was last asked what the host's TCP acknowledged.
    asked: Instant,
    /// No progress for too long.
    stalled: bool,
    /// Since when our side is closing, and the host has yet to close its own.
    closing: Option<Instant>,
    /// There may be something to read that no event will tell of.
    unread: bool,
}

impl Channel {
    /// For the records of these classes in that format; the first attempt is due at once.
    ///
    /// # Errors
    /// If the host's format is not in this build.
    pub(super) fn new(
        host: &HostConfig,
        format: Format,
        classes: Vec<Class>,
        token: Token,
        now: Instant,
    ) -> io::Result<Self> {
        Ok(Self {
            host: host.clone(),
            format,
            classes: classes.clone(),
            token,
            backlog: Backlog::new(host),
            limiter: Limiter::new(&host.limits, now),
            writer: Writer::new(host, format, classes),
            outbox: Outbox::new(Writer::frame(host, format)),
            answers: Vec::new(),
            state: State::Waiting { until: now },
            opener: Opener::default(),
            backoff: Backoff::new(host.backoff),
            voice: Voice::new(host.name.clone(), now),
            connections: 0,
            last_error: None,
            since: SystemTime::now(),
            overflow_said: false,
            away: Some(now),
            overflows: false,
            substitute: false,
            stopping: false,
        })
    }

    /// Queues the record if the host wants its class.
    pub(super) fn push(&mut self, record: &Arc<Record>) {
        let class = record.body.class();
        match self.classes.contains(&class) {
            false => {}
            true if !self.writer.carries(record) => self.backlog.leave_out(record, Cause::Uncarried),
            true if !self.limiter.admits(record) => self.backlog.leave_out(record, Cause::Suppressed),
            true => self.backlog.push(record),
        }
    }

    /// What its encoded records are.
    pub(super) fn form(&self) -> Form {
        self.writer.form()
    }

    /// The host's name.
    pub(super) fn name(&self) -> &Name {
        &self.host.name
    }

    /// Which records it gets.
    pub(super) fn classes(&self) -> &[Class] {
        &self.classes
    }

    /// What is not taken goes to disk.
    pub(super) fn keep_in(&mut self, depot: Depot) {
        self.backlog.keep_in(depot);
    }

    /// Whether it gets records of a class.
    pub(super) fn wants(&self, class: Class) -> bool {
        self.classes.contains(&class)
    }

    /// Whether the host takes records.
    pub(super) fn is_well(&self) -> bool {
        matches!(&self.state, State::Up(up) if !up.stalled && up.closing.is_none())
    }

    /// Whether it has taken none for so long that another host of its group should get them.
    pub(super) fn has_failed(&self, now: Instant) -> bool {
        let is_away = self.away.is_some_and(|since| now.saturating_duration_since(since) >= AWAY);
        !self.stopping && (is_away || matches!(&self.state, State::Up(up) if up.stalled))
    }

    /// Whether another host of its group would take its records.
    pub(super) fn has_substitute(&mut self, has: bool) {
        self.substitute = has;
    }

    /// Gives up what is in memory, for another host of the group. A connection that stalls is left: what is half written on
    /// it must not go on.
    pub(super) fn hand_over(&mut self, now: Instant, notices: &mut Notices) -> Vec<Owed> {
        if let State::Up(_) = &self.state {
            self.broke(Trouble::Stalled(self.host.patience.stall.as_secs()), now, notices);
            self.away = Some(now);
        }
        self.backlog.hand_over()
    }

    /// Takes what another host of the group gave up.
    pub(super) fn take_over(&mut self, owed: Vec<Owed>) {
        self.backlog.take_over(owed);
    }

    /// What is in memory only, by class.
    pub(super) fn in_memory(&self) -> impl Iterator<Item = RunRow> {
        self.classes.iter().filter_map(|class| {
            let (count, sequences) = self.backlog.in_memory(*class);
            (count > 0).then(|| RunRow { host: self.host.name.clone(), class: *class, count, sequences })
        })
    }

    /// The poller says that the socket can be read or written.
    pub(super) fn event(&mut self, readable: bool, writable: bool, now: Instant, notices: &mut Notices) {
        match &mut self.state {
            State::Connecting { .. } => self.advance(now, notices),
            State::Up(up) => {
                // An event that is neither is an error, which reading finds.
                up.unread |= readable || !writable;
                up.blocked &= !writable;
                self.pump(now, notices);
            }
            State::Waiting { .. } | State::Opening { .. } | State::Stopped => {}
        }
    }

    /// Does what is due.
    pub(super) fn tick(&mut self, registry: &Registry, now: Instant, notices: &mut Notices) {
        let overflows = self.backlog.unsaid() > 0;
        if overflows && !self.overflow_said {
            self.voice.say(notices, "its queue is full, records for it are being lost", now);
        }
        self.overflow_said = overflows;
        self.limiter.refill(now);
        if let State::Connecting { link, .. } | State::Up(Up { link, .. }) = &mut self.state {
            for words in link.words() {
                self.voice.say(notices, &words, now);
                self.last_error = Some(words);
            }
        }
        match &self.state {
            State::Waiting { until } if *until <= now => self.connect(registry, now, notices),
            State::Opening { until } => match self.opener.poll() {
                Some(outcome) => self.opened(outcome, registry, now, notices),
                None if *until <= now => {
                    let name = self.host.target.to_string().into();
                    self.broke(Trouble::Name(name, io::ErrorKind::TimedOut.into()), now, notices);
                }
                None => {}
            },
            State::Connecting { link, connected, until } if *until <= now => {
                let setup = self.host.patience.setup;
                let trouble = match connected {
                    false => Trouble::ConnectTimeout(setup.as_secs()),
                    true => link.overdue(setup),
                };
                self.broke(trouble, now, notices);
            }
            State::Up(_) => self.pump(now, notices),
            State::Waiting { .. } | State::Connecting { .. } | State::Stopped => {}
        }
        self.store(now, notices);
        debug_assert!(self.classes.iter().all(|class| self.backlog.counts(*class).holds()), "{:?}", self.backlog);
    }

    /// Moves to disk what is not taken, and back what is.
    fn store(&mut self, now: Instant, notices: &mut Notices) {
        let flows = match &self.state {
            State::Up(up) => {
                self.away = None;
                !up.stalled && up.closing.is_none()
            }
            State::Waiting { .. } | State::Opening { .. } | State::Connecting { .. } | State::Stopped => {
                self.away.get_or_insert(now);
                false
            }
        };
        self.overflows = self.backlog.is_filled(if self.overflows { EASED } else { FILLED });
        let is_away = self.away.is_some_and(|since| now.saturating_duration_since(since) >= AWAY);
        let is_stalled = matches!(&self.state, State::Up(up) if up.stalled);
        let fails = (is_away || is_stalled) && !self.substitute;
        if fails || self.overflows || (self.stopping && !flows) {
            self.backlog.put_away(&mut self.writer);
        }
        let voice = &mut self.voice;
        self.backlog.hear(flows && !self.stopping, |text| voice.say(notices, text, now));
    }

    /// When [`Self::tick`] has something to do; a time that is past means at once.
    pub(super) fn next_deadline(&self, now: Instant) -> Option<Instant> {
        match &self.state {
            State::Waiting { until } | State::Connecting { until, .. } => Some(*until),
            State::Opening { until } => Some((now + OPENING).min(*until)),
            State::Stopped => None,
            State::Up(Up { closing: Some(since), .. }) => Some(*since + self.host.patience.close),
            State::Up(up) if up.unread => Some(now),
            State::Up(up) if !up.blocked && (self.outbox.len() > 0 || self.backlog.waits()) => Some(now),
            State::Up(up) => {
                let out = (self.outbox.len() > 0 || self.backlog.oldest().is_some()).then(|| up.asked + ASK);
                [out, self.writer.flush_at()].into_iter().flatten().min()
            }
        }
    }

    fn connect(&mut self, registry: &Registry, now: Instant, notices: &mut Notices) {
        if let Transport::File(file) = &self.host.transport {
            return match Link::to_file(file, self.format.is_text(), registry, self.token) {
                Ok(link) => self.up(link, now, notices),
                Err(trouble) => self.broke(trouble, now, notices),
            };
        }
        if let Transport::Kafka(target) = &self.host.transport {
            return match Link::to_kafka(&self.host, target, registry, self.token) {
                Ok(link) => {
                    self.enter(State::Connecting { link, connected: true, until: now + self.host.patience.setup });
                }
                Err(trouble) => self.broke(trouble, now, notices),
            };
        }
        match self.opener.begin(&self.host) {
            Some(outcome) => self.opened(outcome, registry, now, notices),
            None => self.enter(State::Opening { until: now + self.host.patience.setup }),
        }
    }

    /// There is a socket, or none can be had.
    fn opened(&mut self, outcome: Result<Opened, Trouble>, registry: &Registry, now: Instant, notices: &mut Notices) {
        let setup = self.host.patience.setup;
        match outcome.and_then(|opened| Link::open(&self.host, opened, registry, self.token)) {
            Ok(link) if !link.is_stream() => self.up(link, now, notices),
            Ok(link) => self.enter(State::Connecting { link, connected: false, until: now + setup }),
            Err(trouble) => self.broke(trouble, now, notices),
        }
    }

    /// A connection or handshake goes on.
    fn advance(&mut self, now: Instant, notices: &mut Notices) {
        let setup = self.host.patience.setup;
        let State::Connecting { link, connected, until } = &mut self.state else { return };
        if !*connected {
            match link.connected() {
                Ok(true) => (*connected, *until) = (true, now + setup),
                Ok(false) => return,
                Err(trouble) => return self.broke(trouble, now, notices),
            }
        }
        match link.handshake() {
            Ok(false) => {}
            Err(trouble) => self.broke(trouble, now, notices),
            Ok(true) => {
                if let State::Connecting { link, .. } = std::mem::replace(&mut self.state, State::Stopped) {
                    self.up(link, now, notices);
                }
            }
        }
    }

    fn up(&mut self, link: Link, now: Instant, notices: &mut Notices) {
        // UDP has no connection to speak of, only troubles.
        if let Transport::File(file) = &self.host.transport {
            self.voice.say(notices, format_args!("writing to {}", file.path.display()), now);
        } else if let Transport::Kafka(target) = &self.host.transport {
            self.voice.say(notices, format_args!("writing to topic {} of {}", target.topic, target.brokers), now);
        } else if link.is_stream() {
            let over = link.protection().map(|protection| format!(" ({protection})")).unwrap_or_default();
            self.voice.say(notices, format_args!("connected to {}{over}", self.host.target), now);
        }
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
    fn pump(&mut self, now: Instant, notices: &mut Notices) {
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

    /// Leaves the connection, keeps what it owes, and waits.
    fn broke(&mut self, trouble: Trouble, now: Instant, notices: &mut Notices) {
        let said_goodbye = matches!(&self.state, State::Up(up) if up.closing.is_some());
        let never_left = self.outbox.clear();
        self.writer.broke(never_left);
        if said_goodbye {
            // The host closed after us: it read everything. Any other end of this connection tells nothing new.
            self.backlog.forget_reserve();
            return self.enter(State::Stopped);
        }
        self.backlog.broke();
        let text = trouble.to_string();
        if self.stopping {
            self.voice.say(notices, &text, now);
            self.enter(State::Stopped);
        } else {
            let pause = self.backoff.pause();
            self.voice.say(notices, format_args!("{text}; trying again in {:.1} s", pause.as_secs_f32()), now);
            self.enter(State::Waiting { until: now + pause });
        }
        self.last_error = Some(text);
    }

    fn enter(&mut self, state: State) {
        self.state = state;
        self.since = SystemTime::now();
    }

    /// The process stops: a last attempt where there is no connection and something waits.
    pub(super) fn stop(&mut self, now: Instant) {
        self.stopping = true;
        self.backlog.close();
        if let State::Waiting { until } = &mut self.state {
            *until = now;
            if self.backlog.is_empty() {
                self.enter(State::Stopped);
            }
        }
    }

    /// Closes the connection once everything is written; whether there is nothing left to do.
    pub(super) fn stopped(&mut self, now: Instant) -> bool {
        let done = self.backlog.is_empty() && self.outbox.len() == 0;
        match &mut self.state {
            State::Stopped => return true,
            State::Waiting { .. } => return false,
            // Nothing is owed: no need for the connection.
            State::Opening { .. } | State::Connecting { .. } if done => {}
            State::Opening { .. } | State::Connecting { .. } => return false,
            // The host said goodbye, or does not care to.
            State::Up(Up { closing: Some(since), .. })
                if now.saturating_duration_since(*since) >= self.host.patience.close =>
            {
                self.backlog.forget_reserve();
            }
            State::Up(up) if done && up.closing.is_none() && up.link.is_stream() => {
                up.link.close();
                up.closing = Some(now);
                return false;
            }
            State::Up(up) if done && !up.link.is_stream() => {}
            State::Up(_) => return false,
        }
        self.enter(State::Stopped);
        true
    }

    /// What to poll for while the process stops.
    pub(super) fn poll_fd(&self) -> Option<PollFd<'_>> {
        let (link, write) = match &self.state {
            State::Connecting { link, connected, .. } => (link, !connected),
            State::Up(up) => (&up.link, up.blocked || up.link.wants_write()),
            State::Waiting { .. } | State::Opening { .. } | State::Stopped => return None,
        };
        let flags = if write { PollFlags::IN | PollFlags::OUT } else { PollFlags::IN };
        Some(PollFd::from_borrowed_fd(link.as_fd(), flags))
    }

    /// No more time: what the host did not get, and is not on disk.
    pub(super) fn give_up(&mut self, time: Nanos, notices: &mut Notices) -> Vec<LossRecord> {
        self.outbox.clear();
        let (now, voice) = (Instant::now(), &mut self.voice);
        self.backlog.put_all_away(&mut self.writer, now + SETTLE, |text| voice.say(notices, text, now));
        if !matches!(self.state, State::Stopped) {
            self.enter(State::Stopped);
        }
        self.backlog.give_up(time)
    }

    /// What the host is still owed of a class at these places.
    pub(super) fn waiting(&self, class: Class, places: Range<u64>) -> Waiting {
        Waiting { host: self.host.name.clone(), records: self.backlog.waiting(class, places) }
    }

    /// For the operator.
    pub(super) fn status(&self) -> HostStatus {
        let state = match &self.state {
            State::Waiting { .. } => HostState::Waiting,
            State::Opening { .. } => HostState::Opening,
            State::Connecting { .. } => HostState::Connecting,
            State::Stopped => HostState::Stopped,
            State::Up(up) if up.stalled => HostState::Stalled,
            State::Up(_) => HostState::Up,
        };
        let class = |class: &Class| ClassStatus {
            class: *class,
            counts: self.backlog.counts(*class),
            left: self.backlog.left(*class),
            unsent: self.backlog.unsent(*class),
        };
        HostStatus {
            name: self.host.name.clone(),
            target: self.host.place(),
            transport: self.host.transport.text(),
            format: self.format,
            classes: self.classes.iter().map(class).collect(),
            state,
            since: self.since,
            reconnects: self.connections.saturating_sub(1),
            last_error: self.last_error.clone(),
            group: None,
            unacknowledged: self.backlog.unacknowledged(),
            spool: self.backlog.spool_size(),
        }
    }
}
