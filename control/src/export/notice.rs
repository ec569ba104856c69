//! What the operator should know about log hosts, as lines for standard error: few, whatever happens.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use super::event::ChannelEvents;
use crate::record::Name;

/// A host may say this many lines at once, and one more each [`PERIOD`].
const BURST: u32 = 8;
const PERIOD: Duration = Duration::from_secs(10);

/// Lines that wait to be printed, of all hosts together; when there are more, the oldest give way.
const MOST: usize = 256;

/// A line about a log host.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Notice {
    /// Which.
    pub host: Name,
    /// What, in words.
    pub text: String,
}

impl std::fmt::Display for Notice {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "log host {}: {}", self.host, self.text)
    }
}

/// The lines that wait, and the events for the audit trail beside them.
#[derive(Debug, Default)]
pub(super) struct Notices {
    lines: VecDeque<Notice>,
    pub(super) events: ChannelEvents,
}

impl Notices {
    /// All that wait, oldest first.
    pub(super) fn take(&mut self) -> Vec<Notice> {
        self.lines.drain(..).collect()
    }
}

/// What one host may say.
#[derive(Debug)]
pub(super) struct Voice {
    host: Name,
    /// Lines left, and when the last was given back.
    left: u32,
    refilled: Instant,
    suppressed: u64,
}

impl Voice {
    /// Of `host`.
    pub(super) fn new(host: Name, now: Instant) -> Self {
        Self { host, left: BURST, refilled: now, suppressed: 0 }
    }

    /// Says a line, or counts it as suppressed.
    pub(super) fn say(&mut self, notices: &mut Notices, text: impl std::fmt::Display, now: Instant) {
        let periods = (now.saturating_duration_since(self.refilled).as_secs() / PERIOD.as_secs()) as u32;
        if periods > 0 {
            self.left = self.left.saturating_add(periods).min(BURST);
            self.refilled = now;
        }
        if self.left == 0 {
            self.suppressed += 1;
            return;
        }
        self.left -= 1;
        let text = match std::mem::take(&mut self.suppressed) {
            0 => text.to_string(),
            suppressed => format!("{text} ({suppressed} lines before this one were suppressed)"),
        };
        if notices.lines.len() == MOST {
            notices.lines.pop_front();
        }
        notices.lines.push_back(Notice { host: self.host.clone(), text });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_host_that_says_too_much_is_cut_short_and_says_so() {
        let now = Instant::now();
        let (mut notices, mut voice) = (Notices::default(), Voice::new("siem".into(), now));
        (0..20).for_each(|_| voice.say(&mut notices, "refused", now));
        assert_eq!(notices.take().len(), BURST as usize);
        voice.say(&mut notices, "connected", now + PERIOD);
        let said: Vec<String> = notices.take().iter().map(ToString::to_string).collect();
        assert_eq!(said, ["log host siem: connected (12 lines before this one were suppressed)"]);
    }
}
