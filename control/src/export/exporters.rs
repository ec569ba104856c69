//! All log hosts, driven by the one loop of the control core.

use std::io;
use std::ops::Range;
use std::sync::Arc;
use std::time::{Duration, Instant};

use mio::{Registry, Token};
use rustix::event::{PollFd, Timespec, poll};

use super::channel::Channel;
use super::depot::Depot;
use super::event::ChannelEvent;
use super::groups::Groups;
use super::notice::{Notice, Notices};
use super::spool::{self, Leftover, RunRow, Spooler};
use super::status::{HostStatus, Waiting};
use super::{Delivery, Format, kafka, time};
use crate::record::{BootId, Class, LossPlace, LossReason, LossRecord, Name, Record};

/// Delivers records to log hosts. Nothing here blocks, but [`Self::drain`], and that for a bounded time.
///
/// The loop that owns it registers nothing itself: it passes on the events whose tokens are in [`Self::tokens`], sleeps no
/// longer than [`Self::next_deadline`], and calls [`Self::tick`] once a turn, after the turn's records were pushed.
#[derive(Debug)]
pub struct Exporters {
    registry: Registry,
    first: usize,
    channels: Vec<Channel>,
    groups: Groups,
    notices: Notices,
    /// Of one record; empty between two.
    routes: Vec<usize>,
    spooler: Option<Spooler>,
    leftovers: Vec<Leftover>,
}

impl Exporters {
    /// For these hosts, in the run of that name; sockets get the tokens from `first_token` on. Connections begin with the
    /// first [`Self::tick`].
    ///
    /// # Errors
    /// If the poller's registry cannot be shared, what is asked for is not in this build, or the spools' folder cannot be
    /// used or is another process's.
    pub fn new(delivery: Delivery, boot: BootId, registry: &Registry, first_token: Token) -> io::Result<Self> {
        let spooler = delivery.spool.as_deref().map(|folder| Spooler::start(folder, boot)).transpose()?;
        let now = Instant::now();
        let mut channels = Vec::new();
        for host in &delivery.hosts {
            for format in Format::ALL {
                let classes: Vec<Class> =
                    host.records.iter().filter(|(_, wanted)| *wanted == format).map(|(class, _)| *class).collect();
                if classes.is_empty() {
                    continue;
                }
                let token = Token(first_token.0 + channels.len());
                let mut channel = Channel::new(host, format, classes, token, now)?;
                if let (Some(spooler), Some(limits)) = (&spooler, &host.spool) {
                    let spool = spooler.open(&host.name, channel.form(), limits)?;
                    channel.keep_in(Depot::new(Box::new(spool), limits.share));
                }
                channels.push(channel);
            }
        }
        let leftovers = delivery.spool.as_deref().map_or_else(Vec::new, |folder| {
            let spooled = |channel: &&Channel| channel.status().spool.is_some();
            let known = channels.iter().filter(spooled).map(|channel| (channel.name().clone(), channel.form()));
            spool::leftovers(folder, &known.collect::<Vec<_>>())
        });
        let groups = Groups::new(delivery.groups, &channels)?;
        let (registry, first, notices) = (registry.try_clone()?, first_token.0, Notices::default());
        Ok(Self { registry, first, channels, groups, notices, routes: Vec::new(), spooler, leftovers })
    }

    /// What the run before this one had in memory only when it was killed, by host: about so many records, and their lowest
    /// and highest number in that run; 0 where nobody can tell.
    pub fn unaccounted(&self) -> Vec<(Name, LossRecord)> {
        let Some(before) = self.spooler.as_ref().and_then(Spooler::unaccounted) else { return Vec::new() };
        let now = time();
        let loss = |host: &Name, class, count, sequences| {
            let place = LossPlace::Crash(host.clone());
            let loss = LossRecord { class, place, reason: LossReason::Crash, count, sequences, span: (now, now) };
            (host.clone(), loss)
        };
        let known = self.channels.iter().map(Channel::name);
        match before.rows.as_slice() {
            [] => {
                let first =
                    |channel: &Channel| Some(loss(channel.name(), channel.classes().first().copied()?, 0, None));
                self.channels.iter().filter_map(first).collect()
            }
            rows => {
                let known: Vec<&Name> = known.collect();
                let rows = rows.iter().filter(|row| known.contains(&&row.host));
                rows.map(|row| loss(&row.host, row.class, row.count, Some(row.sequences))).collect()
            }
        }
    }

    /// Queues a record for one host.
    pub fn push_to(&mut self, host: &Name, record: &Arc<Record>) {
        self.channels.iter_mut().filter(|channel| channel.name() == host).for_each(|channel| channel.push(record));
    }

    /// Spools that no host sends from any more.
    pub fn leftovers(&self) -> &[Leftover] {
        &self.leftovers
    }

    /// The tokens in use, fixed from the start.
    pub fn tokens(&self) -> Range<usize> {
        self.first..self.first + self.channels.len()
    }

    /// Queues a record for each host that wants its class, and of a group for the one whose turn it is; a host without room counts it and is told so later.
    pub fn push(&mut self, record: &Arc<Record>) {
        let mut routes = std::mem::take(&mut self.routes);
        self.groups.route(&self.channels, record.body.class(), |at| routes.push(at));
        routes.drain(..).for_each(|at| self.channels[at].push(record));
        self.routes = routes;
    }

    /// An event of the poller; one that is neither readable nor writable is an error or the end of a connection, and is
    /// found by reading.
    pub fn event(&mut self, token: Token, readable: bool, writable: bool) {
        let Some(channel) = token.0.checked_sub(self.first).and_then(|at| self.channels.get_mut(at)) else { return };
        channel.event(readable, writable, Instant::now(), &mut self.notices);
    }

    /// Does what is due: writes what was pushed, flushes, connects, gives up attempts.
    pub fn tick(&mut self, now: Instant) {
        self.groups.turn(&mut self.channels, now, &mut self.notices);
        for channel in &mut self.channels {
            channel.tick(&self.registry, now, &mut self.notices);
        }
        if let Some(spooler) = &mut self.spooler {
            let rows: Vec<RunRow> = self.channels.iter().flat_map(Channel::in_memory).collect();
            spooler.remember(&rows);
        }
    }

    /// When [`Self::tick`] is due, at the latest; a time that is past means at once.
    pub fn next_deadline(&self) -> Option<Instant> {
        let now = Instant::now();
        self.channels.iter().filter_map(|channel| channel.next_deadline(now)).min()
    }

    /// How each host is doing.
    pub fn status(&self) -> Vec<HostStatus> {
        let status = |(at, channel): (usize, &Channel)| HostStatus { group: self.groups.role(at), ..channel.status() };
        self.channels.iter().enumerate().map(status).collect()
    }

    /// What each host is still owed of a class at these places: the first record that was ever queued for it had place 0,
    /// and the next that is sent has as many as were sent before it.
    pub fn waiting(&self, class: Class, places: Range<u64>) -> Vec<Waiting> {
        self.channels.iter().map(|channel| channel.waiting(class, places.clone())).collect()
    }

    /// Lines for standard error since the last call.
    pub fn take_notices(&mut self) -> Vec<Notice> {
        self.notices.take()
    }

    /// What became of channels since the last call, for the audit trail.
    pub fn take_events(&mut self) -> Vec<ChannelEvent> {
        self.notices.events.take()
    }

    /// Stops: writes what is queued, says goodbye and waits for the hosts to do so, until `deadline` at most. A host that
    /// is not connected gets one more attempt, and what is not taken goes to its spool. Returns what is neither there nor with
    /// the host, by host and class; it is counted as dropped.
    pub fn drain(&mut self, deadline: Instant) -> Vec<LossRecord> {
        /// To sleep no longer than this without looking at the clock.
        const SLEEP: Duration = Duration::from_millis(100);
        /// For threads to end that have nothing left to do.
        const SETTLE: Duration = Duration::from_millis(500);
        let start = Instant::now();
        self.channels.iter_mut().for_each(|channel| channel.stop(start));
        loop {
            let now = Instant::now();
            self.tick(now);
            let running = self.channels.iter_mut().filter_map(|channel| (!channel.stopped(now)).then_some(())).count();
            if running == 0 || now >= deadline {
                break;
            }
            let wait = self.next_deadline().unwrap_or(deadline).min(deadline).saturating_duration_since(now).min(SLEEP);
            self.poll(wait);
        }
        let (time, notices) = (time(), &mut self.notices);
        let left = self.channels.iter_mut().flat_map(|channel| channel.give_up(time, notices)).collect();
        if let Some(spooler) = &mut self.spooler {
            spooler.finish();
        }
        kafka::settle(Instant::now() + SETTLE);
        left
    }

    /// Waits for the sockets without the loop's poller, which is not ours.
    fn poll(&mut self, wait: Duration) {
        let (places, mut fds): (Vec<usize>, Vec<PollFd<'_>>) =
            self.channels.iter().enumerate().filter_map(|(at, channel)| Some((at, channel.poll_fd()?))).unzip();
        let wait = Timespec { tv_sec: wait.as_secs() as i64, tv_nsec: i64::from(wait.subsec_nanos()) };
        // Interrupted or not: the events are asked for again.
        let _ = poll(&mut fds, Some(&wait));
        let ready: Vec<usize> =
            fds.iter().zip(places).filter(|(fd, _)| !fd.revents().is_empty()).map(|(_, at)| at).collect();
        for at in ready {
            self.channels[at].event(true, true, Instant::now(), &mut self.notices);
        }
    }
}
