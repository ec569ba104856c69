//! What holds a thread up that only reads the time-stamp counter: the kernel's and the host's own interruptions of a CPU.
//! The least that any loop on that CPU would show.

use std::thread::{self, JoinHandle};
use std::time::Duration;

use dataplane::dpdk::{bind_to, cycles};
use hdrhistogram::Histogram;

use super::Fallible;
use super::machine::cycles_per_second;
use super::scene::{Figure, figure};
use super::turns::LONGEST;

/// Starts to watch a CPU for a while, from a thread of its own.
pub fn watch(cpu: u16, span: Duration) -> JoinHandle<Result<Histogram<u64>, String>> {
    thread::spawn(move || {
        bind_to(cpu).map_err(|error| error.to_string())?;
        let mut gaps = Histogram::new_with_bounds(1, LONGEST, 3).map_err(|error| error.to_string())?;
        let hertz = cycles_per_second();
        let (shortest, until) = ((hertz / 1e6) as u64, cycles() + (span.as_secs_f64() * hertz) as u64);
        let mut last = cycles();
        while last < until {
            let now = cycles();
            if now - last > shortest {
                gaps.saturating_record(now - last);
            }
            last = now;
        }
        Ok(gaps)
    })
}

/// What came of it, named after the CPU's part in a scene: interruptions of a microsecond and more.
pub fn figures(of: &str, watched: JoinHandle<Result<Histogram<u64>, String>>, span: Duration) -> Fallible<Vec<Figure>> {
    let gaps = watched.join().map_err(|_| "the watch panicked")??;
    let hertz = cycles_per_second();
    let long = gaps.count_between((hertz / 1e5) as u64, LONGEST);
    let longest = if gaps.is_empty() { 0.0 } else { gaps.max() as f64 / hertz * 1e6 };
    Ok(vec![
        figure(&format!("{of}, idle: held up"), gaps.len() as f64 / span.as_secs_f64(), "a second"),
        figure(&format!("{of}, idle: 10 µs and more"), long as f64 / span.as_secs_f64(), "a second"),
        figure(&format!("{of}, idle: longest"), longest, "µs"),
    ])
}

#[cfg(test)]
mod tests {
    use std::time::Instant;

    use super::super::machine;
    use super::*;

    const SPAN: Duration = Duration::from_millis(200);

    #[test]
    fn a_thread_that_takes_the_cpu_is_seen() {
        let cpu = *machine::allowed_cpus().last().unwrap();
        let busy = thread::spawn(move || {
            bind_to(cpu).unwrap();
            let begin = Instant::now();
            while begin.elapsed() < 3 * SPAN {}
        });
        let gaps = watch(cpu, SPAN).join().unwrap().unwrap();
        busy.join().unwrap();
        // Two that want one CPU take turns, of some milliseconds.
        assert!(gaps.max() as f64 > cycles_per_second() / 1e4, "{} cycles", gaps.max());
    }
}
