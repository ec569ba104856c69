//! What the kernel does to a worker: interrupts of its CPU by kind, and the time that its thread was kept from running.

use std::fs;
use std::ops::{AddAssign, Sub};
use std::path::PathBuf;
use std::time::Duration;

use super::scene::{Figure, figure};

/// A thread that is watched, and the CPU that it is bound to.
#[derive(Clone, Debug)]
pub struct Disturbed {
    /// In `/proc`.
    task: PathBuf,
    cpu: u16,
}

impl Disturbed {
    /// The calling thread, which is bound to that CPU.
    pub fn here(cpu: u16) -> Self {
        let task = fs::read_link("/proc/thread-self").unwrap_or_default();
        Self { task: PathBuf::from("/proc").join(task), cpu }
    }

    /// Everything so far. What this kernel does not count is 0.
    pub fn read(&self) -> Disturbance {
        let status = fs::read_to_string(self.task.join("status")).unwrap_or_default();
        let switches = status.lines().find_map(|line| line.strip_prefix("nonvoluntary_ctxt_switches:"));
        // Nanoseconds that it ran, and that it waited for its CPU.
        let scheduled = fs::read_to_string(self.task.join("schedstat")).unwrap_or_default();
        let mut scheduled = scheduled.split_whitespace().map(|field| field.parse().unwrap_or(0));
        let interrupts = fs::read_to_string("/proc/interrupts").unwrap_or_default();
        let of = |name| interrupts_of(&interrupts, name, self.cpu);
        Disturbance {
            ran: Duration::from_nanos(scheduled.next().unwrap_or(0)),
            waited: Duration::from_nanos(scheduled.next().unwrap_or(0)),
            switches: switches.and_then(|count| count.trim().parse().ok()).unwrap_or(0),
            shootdowns: of("TLB"),
            calls: of("CAL"),
            timer: of("LOC"),
        }
    }
}

/// A CPU's column of a line of `/proc/interrupts`.
fn interrupts_of(text: &str, name: &str, cpu: u16) -> u64 {
    let column =
        text.lines().next().into_iter().flat_map(str::split_whitespace).position(|head| head == format!("CPU{cpu}"));
    let line = text.lines().find_map(|line| line.trim_start().strip_prefix(name)?.strip_prefix(':'));
    let count = column.zip(line).and_then(|(column, line)| line.split_whitespace().nth(column));
    count.and_then(|count| count.parse().ok()).unwrap_or(0)
}

/// What was done to it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Disturbance {
    /// It ran.
    pub ran: Duration,
    /// It was ready to run, and another thread had its CPU.
    pub waited: Duration,
    /// It was taken off its CPU though it wanted to go on.
    pub switches: u64,
    /// Other CPUs asked for mappings to be forgotten.
    pub shootdowns: u64,
    /// Other CPUs asked for something, those included where the kernel counts them so.
    pub calls: u64,
    /// The kernel's own timer.
    pub timer: u64,
}

impl Sub for Disturbance {
    type Output = Self;

    fn sub(self, before: Self) -> Self {
        Self {
            ran: self.ran.saturating_sub(before.ran),
            waited: self.waited.saturating_sub(before.waited),
            switches: self.switches - before.switches,
            shootdowns: self.shootdowns - before.shootdowns,
            calls: self.calls - before.calls,
            timer: self.timer - before.timer,
        }
    }
}

impl AddAssign for Disturbance {
    fn add_assign(&mut self, other: Self) {
        self.ran += other.ran;
        self.waited += other.waited;
        self.switches += other.switches;
        self.shootdowns += other.shootdowns;
        self.calls += other.calls;
        self.timer += other.timer;
    }
}

impl Disturbance {
    /// Of a span that it was to run all of.
    pub fn figures(&self, span: Duration) -> Vec<Figure> {
        let a_second = |count: u64| count as f64 / span.as_secs_f64();
        vec![
            figure("TLB shootdowns", a_second(self.shootdowns), "a second"),
            figure("calls by other CPUs", a_second(self.calls), "a second"),
            figure("timer", a_second(self.timer), "a second"),
            figure("switches, involuntary", a_second(self.switches), "a second"),
            figure("waited for its CPU", self.waited.as_secs_f64() / span.as_secs_f64() * 1e6, "µs a second"),
        ]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cpu_has_its_column() {
        let text = "           CPU0       CPU3\n  1:   5   6  edge\nTLB:        769         61   TLB shootdowns\n";
        assert_eq!([0, 3, 1].map(|cpu| interrupts_of(text, "TLB", cpu)), [769, 61, 0]);
        assert_eq!(interrupts_of(text, "CAL", 0), 0);
    }

    #[test]
    fn a_thread_that_ran_is_seen_to_have_run() {
        let disturbed = Disturbed::here(0);
        let before = disturbed.read();
        let begin = std::time::Instant::now();
        // Until the kernel's next tick has counted it.
        while (disturbed.read() - before).ran.is_zero() {
            assert!(begin.elapsed() < Duration::from_secs(10), "no time was counted");
        }
    }
}
