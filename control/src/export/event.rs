//! What becomes of the channels to log hosts, for the audit trail: few events, whatever happens.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use super::{HostConfig, Transport};
use crate::record::Name;

/// A channel may say so much at once, and one event more each [`PERIOD`].
const BURST: u32 = 8;
const PERIOD: Duration = Duration::from_secs(10);
/// The same failure is said again only so long after it was said.
const AGAIN: Duration = Duration::from_secs(60);
/// Events that wait, of all channels together; when there are more, the oldest give way.
const MOST: usize = 256;

/// What became of a channel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ChannelChange {
    /// It was established.
    Up,
    /// It ended.
    Down,
    /// It could not be established.
    Failed,
}

/// An event of a channel.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ChannelEvent {
    /// To which host.
    pub host: Name,
    /// What became of it.
    pub change: ChannelChange,
    /// Where the host is.
    pub peer: String,
    /// How it is reached.
    pub transport: &'static str,
    /// Why; empty of one that was established.
    pub reason: String,
    /// How many events before this one were not told: too many, or the same once more.
    pub untold: u64,
}

/// The events that wait.
#[derive(Debug, Default)]
pub(super) struct ChannelEvents(VecDeque<ChannelEvent>);

impl ChannelEvents {
    /// All that wait, oldest first.
    pub(super) fn take(&mut self) -> Vec<ChannelEvent> {
        self.0.drain(..).collect()
    }
}

/// What one channel may say.
#[derive(Debug)]
pub(super) struct Herald {
    left: u32,
    refilled: Instant,
    untold: u64,
    /// The failure that was told last, and when.
    failure: Option<(String, Instant)>,
}

impl Herald {
    /// Of a channel that nothing is known of.
    pub(super) fn new(now: Instant) -> Self {
        Self { left: BURST, refilled: now, untold: 0, failure: None }
    }

    /// Tells what became of the channel to `host`. What is no channel, a file or UDP, has nothing to tell.
    pub(super) fn tell(
        &mut self,
        events: &mut ChannelEvents,
        host: &HostConfig,
        change: ChannelChange,
        reason: &str,
        now: Instant,
    ) {
        if matches!(host.transport, Transport::Udp | Transport::File(_)) {
            return;
        }
        let is_same = self.failure.as_ref().is_some_and(|(told, at)| told == reason && now.duration_since(*at) < AGAIN);
        if change == ChannelChange::Failed && is_same || !self.may_speak(now) {
            self.untold += 1;
            return;
        }
        self.failure = (change == ChannelChange::Failed).then(|| (reason.to_owned(), now));
        if events.0.len() == MOST {
            events.0.pop_front();
        }
        events.0.push_back(ChannelEvent {
            host: host.name.clone(),
            change,
            peer: host.target.to_string(),
            transport: host.transport.text(),
            reason: reason.to_owned(),
            untold: std::mem::take(&mut self.untold),
        });
    }

    fn may_speak(&mut self, now: Instant) -> bool {
        let periods = (now.saturating_duration_since(self.refilled).as_secs() / PERIOD.as_secs()) as u32;
        if periods > 0 {
            self.left = self.left.saturating_add(periods).min(BURST);
            self.refilled = now;
        }
        let may = self.left > 0;
        self.left = self.left.saturating_sub(1);
        may
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::export::Target;

    #[test]
    fn the_same_failure_is_told_once_a_minute_and_counted() {
        let now = Instant::now();
        let target = Target::Address("192.0.2.9:6514".parse().unwrap());
        let host = HostConfig::new("siem", target.clone(), Transport::Tcp, Vec::new());
        let (mut events, mut herald) = (ChannelEvents::default(), Herald::new(now));
        let mut tell = |change, reason: &str, second: u64| {
            herald.tell(&mut events, &host, change, reason, now + Duration::from_secs(second));
            events.take().into_iter().map(|event| (event.change, event.reason, event.untold)).collect::<Vec<_>>()
        };
        use ChannelChange::{Down, Failed, Up};
        assert_eq!(tell(Failed, "refused", 0), [(Failed, "refused".to_owned(), 0)]);
        assert_eq!(tell(Failed, "refused", 30), []);
        assert_eq!(tell(Failed, "bad certificate", 31), [(Failed, "bad certificate".to_owned(), 1)]);
        assert_eq!(tell(Failed, "bad certificate", 91), [(Failed, "bad certificate".to_owned(), 0)]);
        assert_eq!(tell(Up, "", 92), [(Up, String::new(), 0)]);
        assert_eq!(tell(Down, "the host closed the connection", 93).len(), 1);
        // One that comes and goes all the time is counted.
        let told: usize = (0..50).map(|turn| tell(if turn % 2 == 0 { Up } else { Down }, "", 94).len()).sum();
        assert!(told < 8);
        assert_eq!(tell(Up, "", 110), [(Up, String::new(), 50 - told as u64)]);
        let udp = HostConfig::new("siem", target, Transport::Udp, Vec::new());
        herald.tell(&mut events, &udp, Failed, "refused", now + Duration::from_secs(900));
        assert_eq!(events.take(), []);
    }
}
