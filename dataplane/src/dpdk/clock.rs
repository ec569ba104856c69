//! The workers' clock: the time-stamp counter, turned into time since the Unix epoch without a system call.
//!
//! The counter's frequency is known to some parts in ten thousand at first, which would be seconds a day. So control
//! compares it with the kernel's monotonic clock from time to time ([`Clock::discipline`]) and publishes a corrected
//! rate; time never jumps and never runs backwards. A step of the wall clock after the start is not followed, for timers
//! must not see it.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering, fence};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use crossbeam::utils::CachePadded;

use crate::time::Nanos;

/// A clock that all workers and control share; clones show the same time.
#[derive(Clone, Debug)]
pub struct Clock {
    shared: Arc<CachePadded<Shared>>,
}

impl Clock {
    /// Starts at the wall clock's time. Needs a running [`super::Eal`], which measures the counter's frequency.
    pub fn start(_eal: &super::Eal) -> Self {
        let (cycles, instant) = read_together();
        let epoch = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let nanos = nanos(epoch);
        let scale = (u128::from(NANOS_PER_SECOND) << FRACTION) / u128::from(cycles_per_second().max(1));
        let anchor = Anchor {
            cycles: AtomicU64::new(cycles),
            nanos: AtomicU64::new(nanos),
            scale: AtomicU64::new(u64::try_from(scale).unwrap_or(u64::MAX)),
        };
        let shared = Shared { anchors: [anchor, Anchor::default()], used: AtomicUsize::new(0), cycles, instant, nanos };
        Self { shared: Arc::new(CachePadded::new(shared)) }
    }

    /// The time now. No system call, no lock; some 20 ns.
    pub fn now(&self) -> Nanos {
        self.at(cycles())
    }

    /// Corrects the rate by the kernel's monotonic clock. Control calls it every second or so; one thread at a time.
    pub fn discipline(&self) {
        let shared = &*self.shared;
        let (cycles, instant) = read_together();
        let real = nanos(instant.saturating_duration_since(shared.instant));
        let counted = cycles.saturating_sub(shared.cycles);
        if real < NANOS_PER_SECOND / 10 || counted == 0 {
            return; // too short to tell a rate from
        }
        let rate = (u128::from(real) << FRACTION) / u128::from(counted);
        let shown = self.at(cycles).0;
        let behind = i128::from(shared.nanos) + i128::from(real) - i128::from(shown);
        // What is wrong is made good over the next second, at most 500 parts in a million at a time.
        let correction = behind.clamp(-500_000, 500_000) * rate as i128 / i128::from(NANOS_PER_SECOND);
        let scale = (rate as i128 + correction).max(1);

        // The other slot is filled, then shown: a reader never waits for a writer.
        let next = 1 - shared.used.load(Ordering::Relaxed);
        let anchor = &shared.anchors[next & 1];
        fence(Ordering::Release);
        anchor.cycles.store(cycles, Ordering::Relaxed);
        anchor.nanos.store(shown, Ordering::Relaxed);
        anchor.scale.store(u64::try_from(scale).unwrap_or(u64::MAX), Ordering::Relaxed);
        shared.used.store(next, Ordering::Release);
    }

    fn at(&self, cycles: u64) -> Nanos {
        let shared = &*self.shared;
        loop {
            let used = shared.used.load(Ordering::Acquire);
            let anchor = &shared.anchors[used & 1];
            let from = anchor.cycles.load(Ordering::Relaxed);
            let nanos = anchor.nanos.load(Ordering::Relaxed);
            let scale = anchor.scale.load(Ordering::Relaxed);
            fence(Ordering::Acquire);
            // A slot is written again only after the other one was shown.
            if shared.used.load(Ordering::Relaxed) == used {
                let passed = (u128::from(cycles.saturating_sub(from)) * u128::from(scale)) >> FRACTION;
                return Nanos(nanos.saturating_add(passed as u64));
            }
        }
    }
}

#[derive(Debug)]
struct Shared {
    anchors: [Anchor; 2],
    /// Which anchor readers use.
    used: AtomicUsize,
    /// Counter, monotonic clock and time at the start.
    cycles: u64,
    instant: Instant,
    nanos: u64,
}

/// At `cycles` it was `nanos`; since then a cycle takes `scale` / 2^32 ns.
#[derive(Debug, Default)]
struct Anchor {
    cycles: AtomicU64,
    nanos: AtomicU64,
    scale: AtomicU64,
}

const FRACTION: u32 = 32;
const NANOS_PER_SECOND: u64 = 1_000_000_000;

/// The time-stamp counter.
pub fn cycles() -> u64 {
    // SAFETY: reads a register.
    unsafe { dpdk_sys::rte_rdtsc() }
}

/// How many cycles of the time-stamp counter DPDK found in a second; 0 before EAL was started.
pub fn cycles_per_second() -> u64 {
    // SAFETY: reads a variable that rte_eal_init set.
    unsafe { dpdk_sys::rte_get_tsc_hz() }
}

/// Counter and monotonic clock of the same moment: the closest pair of a few tries, since the thread may be interrupted
/// between the two.
fn read_together() -> (u64, Instant) {
    let attempt = || {
        let before = cycles();
        let instant = Instant::now();
        let width = cycles().saturating_sub(before);
        (width, before + width / 2, instant)
    };
    let first = attempt();
    let (_, middle, instant) =
        (0..4).map(|_| attempt()).fold(first, |best, next| if next.0 < best.0 { next } else { best });
    (middle, instant)
}

fn nanos(span: Duration) -> u64 {
    u64::try_from(span.as_nanos()).unwrap_or(u64::MAX)
}
