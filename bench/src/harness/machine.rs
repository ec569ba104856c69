//! The machine: what it has, and whether it is quiet enough to be measured on.

use std::time::{Duration, Instant};
use std::{fs, thread};

use dataplane::dpdk::cycles;

/// The CPUs that this process may run on.
pub fn allowed_cpus() -> Vec<u16> {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let list = status.lines().find_map(|line| line.strip_prefix("Cpus_allowed_list:")).unwrap_or("0").trim();
    let range = |range: &str| -> Option<std::ops::RangeInclusive<u16>> {
        let (first, last) = range.split_once('-').unwrap_or((range, range));
        Some(first.parse().ok()?..=last.parse().ok()?)
    };
    list.split(',').filter_map(range).flatten().collect()
}

/// MiB of free hugepages of the default size.
pub fn free_hugepages() -> u32 {
    let memory = fs::read_to_string("/proc/meminfo").unwrap_or_default();
    let number = |key: &str| -> Option<u64> {
        let line = memory.lines().find_map(|line| line.strip_prefix(key))?;
        line.split_whitespace().next()?.parse().ok()
    };
    let free = number("HugePages_Free:").zip(number("Hugepagesize:"));
    free.map_or(0, |(pages, kib)| u32::try_from(pages * kib / 1024).unwrap_or(u32::MAX))
}

/// Octets of memory that this process has in pages, hugepages included.
pub fn memory_in_use() -> u64 {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let number = |key: &str| -> Option<u64> {
        let line = status.lines().find_map(|line| line.strip_prefix(key))?;
        line.split_whitespace().next()?.parse().ok()
    };
    (number("VmRSS:").unwrap_or(0) + number("HugetlbPages:").unwrap_or(0)) * 1024
}

/// As the kernel names it.
pub fn cpu_model() -> String {
    let text = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model = text.lines().find_map(|line| line.strip_prefix("model name")?.split_once(": "));
    model.map_or_else(|| "unknown CPU".to_owned(), |(_, name)| name.to_owned())
}

/// Cycles of the time-stamp counter a second, counted for a tenth of one.
pub fn cycles_per_second() -> f64 {
    let (from, begin) = (cycles(), Instant::now());
    thread::sleep(Duration::from_millis(100));
    (cycles() - from) as f64 / begin.elapsed().as_secs_f64()
}

/// Waits until more than nine tenths of the machine were idle for a third of a second, as long as `patience` lasts; how
/// much was idle in the last of them.
pub fn wait_for_quiet(patience: Duration) -> f64 {
    let begin = Instant::now();
    if patience.is_zero() {
        return 0.0;
    }
    loop {
        let before = times();
        thread::sleep(Duration::from_millis(333));
        let idle = match (before, times()) {
            (Some(before), Some(after)) if after.1 > before.1 => {
                (after.0 - before.0) as f64 / (after.1 - before.1) as f64
            }
            // No /proc/stat: then nobody can say.
            _ => return 1.0,
        };
        if idle > QUIET || begin.elapsed() >= patience {
            return idle;
        }
    }
}

/// Waits for a quiet machine, and says so on standard error where it did not come.
pub fn quiet_or_say(patience: Duration) {
    let idle = wait_for_quiet(patience);
    if idle <= QUIET && !patience.is_zero() {
        eprintln!("\r\x1b[Kthe machine is not quiet: {:.0} % idle; measuring all the same", idle * 100.0);
    }
}

/// The part of a quiet machine that is idle, at least.
pub const QUIET: f64 = 0.9;

/// Idle and all time of all CPUs since the start, in the kernel's ticks.
fn times() -> Option<(u64, u64)> {
    let text = fs::read_to_string("/proc/stat").ok()?;
    let fields: Vec<u64> =
        text.lines().next()?.split_whitespace().skip(1).filter_map(|field| field.parse().ok()).collect();
    // user nice system idle iowait irq softirq steal; guest time is within user.
    let all = fields.iter().take(8).sum();
    Some((fields.get(3)? + fields.get(4)?, all))
}
