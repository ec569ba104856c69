//! A gate in a worker's loop: closed, the worker sleeps, so that another can be measured alone on the same machine.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use dataplane::dpdk::Mbuf;
use dataplane::policy::PortId;
use dataplane::verdict::Verdict;
use dataplane::worker::Probe;

/// A probe around another that holds its loop up while the gate is closed.
#[derive(Debug)]
pub struct Gated<P> {
    within: P,
    gate: Gate,
}

/// A gate; open at first.
#[derive(Clone, Debug)]
pub struct Gate(Arc<AtomicBool>);

/// Wraps a probe.
pub fn gated<P>(within: P) -> (Gated<P>, Gate) {
    let gate = Gate(Arc::new(AtomicBool::new(true)));
    (Gated { within, gate: gate.clone() }, gate)
}

impl Gate {
    /// Opens or closes it: the worker sleeps from the end of its turn on.
    pub fn set(&self, open: bool) {
        self.0.store(open, Ordering::Relaxed);
    }

    fn is_open(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }
}

impl<P: Probe> Probe for Gated<P> {
    fn received(&mut self, port: PortId, frames: &mut [Mbuf]) {
        self.within.received(port, frames);
    }

    fn judged(&mut self, port: PortId, verdicts: &[Verdict]) {
        self.within.judged(port, verdicts);
    }

    fn turned(&mut self, idle: bool) {
        self.within.turned(idle);
        while !self.gate.is_open() {
            thread::sleep(LOOK);
        }
    }
}

/// Between two looks at a closed gate.
const LOOK: Duration = Duration::from_millis(1);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_loop_waits_until_the_gate_is_opened() {
        let (mut probe, gate) = gated(());
        probe.turned(false);
        gate.set(false);
        let turned = thread::spawn(move || probe.turned(false));
        thread::sleep(10 * LOOK);
        assert!(!turned.is_finished());
        gate.set(true);
        turned.join().unwrap();
    }
}
