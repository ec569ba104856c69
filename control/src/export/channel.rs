//! One log host in one format: its queue, its encoder and its connection, and nothing that another host could wait for.

use std::io;
use std::ops::Range;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use mio::{Registry, Token};

use super::backlog::Backlog;
use super::backoff::Backoff;
use super::depot::Depot;
use super::event::{ChannelChange, Herald};
use super::limiter::Limiter;
use super::link::{Answer, Link};
use super::notice::{Notices, Voice};
use super::opener::{Opened, Opener};
use super::outbox::Outbox;
use super::owed::Owed;
use super::spool::RunRow;
use super::status::{ClassStatus, HostState, HostStatus, Waiting};
use super::trouble::Trouble;
use super::writer::Writer;
use super::{Cause, Connect, Form, Format, HostConfig, Transport};
use crate::record::{Class, Name, Record};

mod closing;
mod up;

use up::Up;

/// A host that was not there for so long has its records go to disk.
const AWAY: Duration = Duration::from_secs(1);

/// Where a queue of a host that takes records is filled so far, in per cent, its records go to disk, until it is no more
/// than that.
const FILLED: u64 = 50;
const EASED: u64 = 25;

/// How often a name's look-up is asked for.
const OPENING: Duration = Duration::from_millis(10);

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
    herald: Herald,
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
            herald: Herald::new(now),
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
            State::Waiting { until } if *until <= now && !self.is_idle() => self.connect(registry, now, notices),
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
            State::Waiting { .. } if self.is_idle() => {
                self.away = None;
                false
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
            State::Waiting { .. } if self.is_idle() => None,
            State::Waiting { until } | State::Connecting { until, .. } => Some(*until),
            State::Opening { until } => Some((now + OPENING).min(*until)),
            State::Stopped => None,
            State::Up(Up { closing: Some(since), .. }) => Some(*since + self.host.patience.close),
            State::Up(up) if up.unread => Some(now),
            State::Up(up) if !up.blocked && (self.outbox.len() > 0 || self.backlog.waits()) => Some(now),
            State::Up(up) => {
                let out = (self.outbox.len() > 0 || self.backlog.oldest().is_some()).then(|| up.ask_at());
                [out, self.writer.flush_at()].into_iter().flatten().min()
            }
        }
    }

    /// Whether there is no connection because there is nothing to send.
    fn is_idle(&self) -> bool {
        self.host.connect == Connect::OnEvent && self.backlog.is_empty() && self.backlog.unsaid() == 0
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
        let change = if matches!(self.state, State::Up(_)) { ChannelChange::Down } else { ChannelChange::Failed };
        self.herald.tell(&mut notices.events, &self.host, change, &text, now);
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

    /// What the host is still owed of a class at these places.
    pub(super) fn waiting(&self, class: Class, places: Range<u64>) -> Waiting {
        Waiting { host: self.host.name.clone(), records: self.backlog.waiting(class, places) }
    }

    /// For the operator.
    pub(super) fn status(&self) -> HostStatus {
        let state = match &self.state {
            State::Waiting { .. } if self.is_idle() => HostState::Idle,
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
