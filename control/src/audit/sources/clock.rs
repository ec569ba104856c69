//! Steps of the system's clock, with the time before and after: the kernel says when it is set, and the clock that nobody can
//! set says what it would have shown. A clock that is slewed is not set, and leaves no gap.

use std::io;
use std::os::fd::{AsRawFd, OwnedFd};
use std::time::Duration;

use dataplane::time::Nanos;
use mio::unix::SourceFd;
use mio::{Interest, Registry, Token};
use rustix::fs::Timespec;
use rustix::io::Errno;
use rustix::time::{
    ClockId, Itimerspec, TimerfdClockId, TimerfdFlags, TimerfdTimerFlags, clock_gettime, timerfd_create,
    timerfd_settime,
};

use crate::record::audit::{AuditEvent, AuditField, Occurrence, Subject};
use crate::record::rfc3339;

/// What a program that keeps the time says of a step may come so long before or after it.
const HEARD: Duration = Duration::from_secs(2);
/// When the timer would go off, were the clock never set: centuries from now.
const NEVER: Timespec = Timespec { tv_sec: 1 << 33, tv_nsec: 0 };
/// Programs that keep the time.
const KEEPERS: &[&str] = &["chronyd", "ntpd", "ntpsec", "systemd-timesyncd", "ntpdate", "openntpd"];
/// The users that those run as.
pub const KEEPER_USERS: &[&str] = &["_chrony", "chrony", "ntp", "ntpsec", "_ntp", "systemd-timesync"];

/// Notices that the clock is set.
#[derive(Debug)]
pub struct Watch {
    timer: OwnedFd,
    steps: Steps,
}

impl Watch {
    /// Begins to watch.
    ///
    /// # Errors
    /// Where the kernel has no timer for it.
    pub fn new(registry: &Registry, token: Token) -> io::Result<Self> {
        let flags = TimerfdFlags::CLOEXEC | TimerfdFlags::NONBLOCK;
        let watch = Self { timer: timerfd_create(TimerfdClockId::Realtime, flags)?, steps: Steps::new(clocks()) };
        watch.arm()?;
        registry.register(&mut SourceFd(&watch.timer.as_raw_fd()), token, Interest::READABLE)?;
        Ok(watch)
    }

    fn arm(&self) -> rustix::io::Result<()> {
        let spec = Itimerspec { it_interval: Timespec { tv_sec: 0, tv_nsec: 0 }, it_value: NEVER };
        timerfd_settime(&self.timer, TimerfdTimerFlags::ABSTIME | TimerfdTimerFlags::CANCEL_ON_SET, &spec)?;
        Ok(())
    }

    /// Whether it was set since it was asked last.
    fn was_set(&self) -> bool {
        let mut expirations = [0; 8];
        match rustix::io::read(&self.timer, &mut expirations) {
            Err(Errno::CANCELED) => {
                // It fails only where the timer is none.
                let _ = self.arm();
                true
            }
            _ => false,
        }
    }

    /// Looks at the clock: call it when the timer is ready, and every second or so.
    pub fn look(&mut self) {
        let (before, now) = (self.was_set(), clocks());
        // What was read after it was set says nothing of the time before.
        self.steps.look(before || self.was_set(), now);
    }

    /// A line of a program that keeps the time.
    pub fn heard(&mut self, tag: &str, text: &str, now: Nanos) -> Option<Occurrence> {
        if !KEEPERS.contains(&tag) {
            return None;
        }
        let text_lower = text.to_lowercase();
        let is_about = ["step", "set", "synchroniz"].iter().any(|word| text_lower.contains(word));
        if is_about && ["could not", "cannot", "can't", "failed"].iter().any(|word| text_lower.contains(word)) {
            let refused = Occurrence::new(AuditEvent::ClockRefused, now).by(Subject::system());
            return Some(refused.with(AuditField::Reason, format!("{tag}: {text}")));
        }
        if text_lower.contains("step") || text_lower.contains("synchroniz") {
            self.steps.heard = Some(clocks().1);
        }
        None
    }

    /// Steps of which all that can be known is known.
    pub fn turn(&mut self, now: Nanos) -> Vec<Occurrence> {
        self.steps.ripe(clocks().1).into_iter().map(|step| step.told(now)).collect()
    }
}

/// Both clocks, since their beginnings: that of the day, and that of the machine's running.
type Clocks = (Duration, Duration);

fn clocks() -> Clocks {
    let read = |clock| {
        let time = clock_gettime(clock);
        Duration::new(time.tv_sec.max(0).unsigned_abs(), u32::try_from(time.tv_nsec).unwrap_or(0))
    };
    (read(ClockId::Realtime), read(ClockId::Boottime))
}

/// The pure part: pairs of clocks, and what was said of steps.
#[derive(Debug)]
struct Steps {
    last: Clocks,
    pending: Vec<Step>,
    /// When a program that keeps the time said that it stepped it.
    heard: Option<Duration>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Step {
    old: Duration,
    new: Duration,
    /// On the clock of the machine's running.
    at: Duration,
    by_ntp: bool,
}

/// Steps that wait to be told: more within two seconds are one, from the first old time to the last new.
const PENDING: usize = 16;

impl Steps {
    fn new(now: Clocks) -> Self {
        Self { last: now, pending: Vec::new(), heard: None }
    }

    fn look(&mut self, was_set: bool, now: Clocks) {
        if was_set {
            let old = self.last.0 + now.1.saturating_sub(self.last.1);
            let step = Step { old, new: now.0, at: now.1, by_ntp: false };
            let is_full = self.pending.len() >= PENDING;
            match self.pending.last_mut().filter(|_| is_full) {
                Some(last) => last.new = step.new,
                None => self.pending.push(step),
            }
        }
        self.last = now;
    }

    fn ripe(&mut self, running: Duration) -> Vec<Step> {
        let heard = self.heard;
        let is_near = |at: Duration| heard.is_some_and(|heard| heard.abs_diff(at) <= HEARD);
        let (ripe, rest) = self.pending.drain(..).partition(|step| is_near(step.at) || running >= step.at + HEARD);
        self.pending = rest;
        let ripe: Vec<Step> = ripe;
        ripe.into_iter().map(|step| Step { by_ntp: is_near(step.at), ..step }).collect()
    }
}

impl Step {
    fn told(self, now: Nanos) -> Occurrence {
        let stamp = |time: Duration| {
            let mut stamp = Vec::new();
            rfc3339::write(&mut stamp, Nanos::from_parts(time.as_secs(), time.subsec_nanos()), None);
            String::from_utf8_lossy(&stamp).into_owned()
        };
        let sign = if self.new < self.old { "-" } else { "" };
        let difference = self.new.abs_diff(self.old);
        Occurrence::new(AuditEvent::ClockChanged, now)
            .by(Subject::system())
            .with(AuditField::Old, stamp(self.old))
            .with(AuditField::New, stamp(self.new))
            .with(AuditField::Difference, format!("{sign}{}.{:06}", difference.as_secs(), difference.subsec_micros()))
            .with(AuditField::Cause, if self.by_ntp { "ntp" } else { "operator" })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn at(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    fn fields(step: Step) -> [String; 4] {
        let told = step.told(Nanos(7));
        [AuditField::Old, AuditField::New, AuditField::Difference, AuditField::Cause]
            .map(|field| told.field(field).unwrap().to_owned())
    }

    #[test]
    fn a_step_back_is_told_with_both_times_after_two_seconds() {
        let mut steps = Steps::new((at(1_772_352_900), at(100)));
        steps.look(false, (at(1_772_352_930), at(130)));
        steps.look(true, (at(1_772_349_331), at(131)));
        assert_eq!(steps.ripe(at(132)), []);
        let [step] = steps.ripe(at(133))[..] else { panic!("one step") };
        assert_eq!(
            fields(step),
            ["2026-03-01T08:15:31.000000Z", "2026-03-01T07:15:31.000000Z", "-3600.000000", "operator"]
        );
        steps.look(false, (at(1_772_349_340), at(140)));
        assert_eq!(steps.ripe(at(999)), []);
    }

    #[test]
    fn a_step_that_a_keeper_of_time_speaks_of_is_its_own() {
        for heard in [99, 102] {
            let mut steps = Steps::new((at(1_000), at(90)));
            steps.look(true, (at(2_010), at(100)));
            steps.heard = Some(at(heard));
            let [step] = steps.ripe(at(102))[..] else { panic!("one step") };
            assert_eq!(fields(step)[2..], ["1000.000000", "ntp"]);
        }
    }

    #[test]
    fn steps_are_bounded() {
        let mut steps = Steps::new((at(1_000), at(0)));
        (1..100).for_each(|second| steps.look(true, (at(1_000 + 2 * second), at(second))));
        assert_eq!(steps.pending.len(), PENDING);
        assert_eq!(steps.ripe(at(200)).last().unwrap().new, at(1_198));
    }

    /// Sets the clock to what it shows: the kernel says so all the same. Needs a right that not every machine gives.
    #[test]
    fn the_kernel_says_when_the_clock_is_set() {
        let poll = mio::Poll::new().unwrap();
        let mut watch = Watch::new(poll.registry(), Token(0)).unwrap();
        watch.look();
        assert_eq!(watch.steps.pending, []);
        let now = clock_gettime(ClockId::Realtime);
        if rustix::time::clock_settime(ClockId::Realtime, now).is_err() {
            return;
        }
        watch.look();
        assert_eq!(watch.steps.pending.len(), 1);
        assert_eq!(watch.heard("chronyd", "System clock was stepped by 0.000000 seconds", Nanos(1)), None);
        let told = watch.turn(Nanos(1));
        assert_eq!((told.len(), told[0].field(AuditField::Cause)), (1, Some("ntp")));
        let refused = watch.heard("chronyd", "Could not step clock", Nanos(1)).unwrap();
        assert_eq!(refused.event, AuditEvent::ClockRefused);
        assert_eq!(watch.heard("sshd", "Could not step clock", Nanos(1)), None);
    }
}
