//! The end of a channel: what is left is written, the connection closed, and what is owed still is told.

use std::os::fd::AsFd as _;
use std::time::{Duration, Instant};

use dataplane::time::Nanos;
use rustix::event::{PollFd, PollFlags};

use super::{Channel, State, Up};
use crate::export::notice::Notices;
use crate::record::LossRecord;

/// For the disk to take what is left at the end.
const SETTLE: Duration = Duration::from_secs(2);

impl Channel {
    /// The process stops: a last attempt where there is no connection and something waits.
    pub(in super::super) fn stop(&mut self, now: Instant) {
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
    pub(in super::super) fn stopped(&mut self, now: Instant) -> bool {
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
    pub(in super::super) fn poll_fd(&self) -> Option<PollFd<'_>> {
        let (link, write) = match &self.state {
            State::Connecting { link, connected, .. } => (link, !connected),
            State::Up(up) => (&up.link, up.blocked || up.link.wants_write()),
            State::Waiting { .. } | State::Opening { .. } | State::Stopped => return None,
        };
        let flags = if write { PollFlags::IN | PollFlags::OUT } else { PollFlags::IN };
        Some(PollFd::from_borrowed_fd(link.as_fd(), flags))
    }

    /// No more time: what the host did not get, and is not on disk.
    pub(in super::super) fn give_up(&mut self, time: Nanos, notices: &mut Notices) -> Vec<LossRecord> {
        self.outbox.clear();
        let (now, voice) = (Instant::now(), &mut self.voice);
        self.backlog.put_all_away(&mut self.writer, now + SETTLE, |text| voice.say(notices, text, now));
        if !matches!(self.state, State::Stopped) {
            self.enter(State::Stopped);
        }
        self.backlog.give_up(time)
    }
}
