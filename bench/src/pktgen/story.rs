//! A story: what passed on the wire, and what should be said of it.

use std::time::Duration;

use serde_json::{Value, json};

use super::dice::Dice;
use super::frames::Link;
use super::script::{Expected, Script, TimedFrame};

/// Frames in the order of the wire, and what a firewall should report of them.
#[derive(Clone, Debug)]
pub struct Story {
    /// When it begins, in seconds since the Unix epoch.
    pub begins: u64,
    /// Frames, ordered by time.
    pub frames: Vec<TimedFrame>,
    /// What should be reported, no less and no more.
    pub expected: Expected,
}

/// One entry of the catalogue.
#[derive(Clone, Copy, Debug)]
pub struct Tale {
    /// Its name.
    pub name: &'static str,
    /// What happens.
    pub about: &'static str,
    pub(super) link: fn() -> Link,
    pub(super) write: fn(&mut Script),
}

impl Tale {
    /// Writes the story down; the same seed gives the same octets.
    pub fn tell(&self, seed: u64) -> Story {
        let mut script = Script::new((self.link)(), Dice::named(seed, self.name));
        (self.write)(&mut script);
        let (frames, expected) = script.in_order();
        Story { begins: BEGINS, frames, expected }
    }
}

/// Reasons of access users' logouts that nothing but time tells.
const BY_SILENCE: [&str; 3] = ["silence", "expired", "session-timeout"];

/// 2026-03-02 01:00:00 UTC, a Monday morning in China.
const BEGINS: u64 = 1_772_413_200;

impl Story {
    /// Shortens every pause of more than `longest` to `longest`, and the windows of what is expected with it. What only
    /// silence can tell (a timeout, a grace time) no longer follows from such a story and is struck from the
    /// expectations.
    pub fn compress(&mut self, longest: Duration) {
        let mut moments = Vec::with_capacity(self.frames.len());
        let (mut before, mut now) = (Duration::ZERO, Duration::ZERO);
        for frame in &mut self.frames {
            now += frame.at.saturating_sub(before).min(longest);
            before = frame.at;
            frame.at = now;
            moments.push((before, now));
        }
        let moved = |at: Duration| {
            let next = moments.partition_point(|(old, _)| *old <= at);
            next.checked_sub(1).map_or(Duration::ZERO, |i| moments[i].1 + (at - moments[i].0).min(longest))
        };
        self.expected.sign_ons.retain(|sign_on| !matches!(sign_on.reason, Some("timeout" | "connection-closed")));
        self.expected.access.retain(|sign_on| !BY_SILENCE.contains(&sign_on.reason));
        let windows = self.expected.sign_ons.iter_mut().map(|sign_on| &mut sign_on.window);
        for window in windows.chain(self.expected.access.iter_mut().map(|sign_on| &mut sign_on.window)) {
            *window = (moved(window.0), moved(window.1));
        }
    }

    /// The expectations for other programs: times in seconds since the epoch.
    pub fn expected_json(&self) -> Value {
        let moment = |at: Duration| self.begins as f64 + at.as_secs_f64();
        let sign_ons: Vec<Value> = self
            .expected
            .sign_ons
            .iter()
            .map(|sign_on| {
                json!({
                    "application": sign_on.application,
                    "action": sign_on.action.text(),
                    "account": sign_on.account,
                    "client": sign_on.client.to_string(),
                    "reason": sign_on.reason,
                    "not_before": moment(sign_on.window.0),
                    "not_after": moment(sign_on.window.1),
                })
            })
            .collect();
        let flows: Vec<Value> = self
            .expected
            .flows
            .iter()
            .map(|flow| {
                json!({
                    "application": flow.application,
                    "client": flow.ends.client.to_string(),
                    "server": flow.ends.server.to_string(),
                    "protocol": flow.protocol,
                    "optional": flow.optional,
                })
            })
            .collect();
        let access = self.expected.access.iter().map(|sign_on| {
            let details: serde_json::Map<_, _> =
                sign_on.details.iter().map(|(key, value)| ((*key).to_owned(), json!(value))).collect();
            json!({
                "application": sign_on.application,
                "action": sign_on.action,
                "reason": sign_on.reason,
                "account": sign_on.account,
                "details": details,
                "not_before": moment(sign_on.window.0),
                "not_after": moment(sign_on.window.1),
            })
        });
        let access: Vec<Value> = access.collect();
        json!({ "packets": self.frames.len(), "sign_ons": sign_ons, "flows": flows, "access": access })
    }
}

#[cfg(test)]
mod tests {
    use super::super::script::Action;
    use super::super::stories;
    use super::*;

    #[test]
    fn every_story_is_the_same_each_time_and_in_order() {
        for tale in stories::all() {
            let story = tale.tell(1);
            assert!(!story.frames.is_empty(), "{}", tale.name);
            assert!(story.frames.is_sorted_by_key(|frame| frame.at), "{}", tale.name);
            let again = tale.tell(1);
            assert!(story.frames == again.frames && story.expected == again.expected, "{}", tale.name);
            assert_ne!(story.frames, tale.tell(2).frames, "{}", tale.name);
        }
    }

    /// A logout that only silence tells needs a story that goes on for long enough.
    #[test]
    fn stories_outlast_what_they_promise() {
        for tale in stories::all() {
            let story = tale.tell(1);
            let end = story.frames.last().unwrap().at;
            for sign_on in &story.expected.sign_ons {
                assert!(sign_on.window.0 <= sign_on.window.1, "{}", tale.name);
                if matches!(sign_on.reason, Some("timeout" | "connection-closed")) {
                    assert!(end >= sign_on.window.1, "{}: {end:?} {sign_on:?}", tale.name);
                }
            }
            for sign_on in &story.expected.access {
                assert!(sign_on.window.0 <= sign_on.window.1, "{}", tale.name);
                let is_told = !BY_SILENCE.contains(&sign_on.reason) || end >= sign_on.window.1;
                assert!(is_told, "{}: {end:?} {sign_on:?}", tale.name);
            }
        }
    }

    #[test]
    fn names_are_told_apart() {
        let mut names: Vec<_> = stories::all().map(|tale| tale.name).collect();
        names.sort_unstable();
        assert!(names.windows(2).all(|pair| pair[0] != pair[1]));
    }

    #[test]
    fn a_compressed_day_is_short_and_keeps_its_messages() {
        let mut story = stories::find("day").unwrap().tell(1);
        story.compress(Duration::from_millis(100));
        assert!(story.frames.last().unwrap().at < Duration::from_secs(600));
        for action in [Action::Login, Action::Logout] {
            assert!(story.expected.sign_ons.iter().any(|sign_on| sign_on.action == action));
        }
        assert!(story.expected.sign_ons.iter().all(|sign_on| sign_on.window.0 <= sign_on.window.1));
    }
}
