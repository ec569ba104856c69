//! Lines of the system log that say that they are of an SSH server: processes that come, go and lie.

use control::audit::sources::sshd::{PROCESSES, Tracker};
use control::audit::sources::syslog_socket::split;
use dataplane::time::Nanos;

/// Each line is a process (first octet), a user (second), and what it says, as a whole line of the log or as its text.
pub fn run(data: &[u8]) {
    let mut tracker = Tracker::default();
    for (number, line) in data.split(|octet| *octet == b'\n').enumerate() {
        let [pid, uid, said @ ..] = line else { continue };
        let now = Nanos(number as u64);
        let (pid, uid) = (i32::from(pid % 8), u32::from(uid % 2) * 5_000);
        let said = String::from_utf8_lossy(said);
        let text = split(&said).map_or(&*said, |(_, text)| text);
        let before = tracker.session_of(pid).is_some();
        let told = tracker.line(pid, uid, text, now);
        for occurrence in &told {
            assert!(occurrence.subject.user.as_deref().is_none_or(|user| user.len() <= 255));
            // Nobody but root, and whom root named, is believed.
            assert!(uid == 0 || before || occurrence.subject.pid != Some(pid) || occurrence.event.name() != "login");
        }
        assert!(tracker.pids().count() <= PROCESSES);
        if said.is_empty() {
            tracker.gone(pid, now);
        }
    }
    for pid in 0..8 {
        tracker.gone(pid, Nanos(u64::MAX));
    }
    assert_eq!(tracker.pids().count(), 0);
}
