//! Users who open connections as hosts do: a packet every 10 ms, in turns with the server, and what is lost is sent again
//! after a second (RFC 6298, 2.1). Who loses the same packet twice gives up.

use std::collections::VecDeque;

use super::flow::{Flow, MOST};
use crate::pktgen::frames::Side;

/// A packet of somebody's connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Packet {
    /// Whose.
    pub flow: Flow,
    /// 0 to 3, as [`super::sessions::segment`] counts them.
    pub step: u32,
    /// When it is sent, in cycles.
    due: u64,
    /// Whether it was lost once already.
    is_repeated: bool,
    /// Whether any packet of the connection was lost.
    was_delayed: bool,
}

/// What became of a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// From SYN to the last ACK, nothing lost.
    AtOnce,
    /// The same, something sent again.
    Delayed,
    /// Given up.
    Failed,
}

/// All of them.
#[derive(Debug)]
pub struct Users {
    /// By side, what is sent next; times only grow within a queue.
    next: [VecDeque<Packet>; 2],
    /// Likewise, what is sent again.
    again: [VecDeque<Packet>; 2],
    /// Flows from here on are theirs.
    first: u32,
    begun: u32,
    arrival: u64,
    /// In cycles.
    between_arrivals: u64,
    step: u64,
    patience: u64,
}

/// Who begin in a second.
const ARRIVALS: u64 = 2000;
/// Steps in a second.
const STEPS: u64 = 100;

impl Users {
    /// With flows from `first` on, on a machine of so many cycles a second.
    pub fn new(first: u32, hertz: u64) -> Self {
        Self {
            next: Default::default(),
            again: Default::default(),
            first,
            begun: 0,
            arrival: 0,
            between_arrivals: hertz / ARRIVALS,
            step: hertz / STEPS,
            patience: hertz,
        }
    }

    /// What a side has to send now, if anything.
    pub fn send(&mut self, side: Side, now: u64) -> Option<Packet> {
        let index = index(side);
        for queue in [&mut self.next[index], &mut self.again[index]] {
            if queue.front().is_some_and(|packet| packet.due <= now) {
                return queue.pop_front();
            }
        }
        if side == Side::Server || now < self.arrival {
            return None;
        }
        // Not in a rush after a pause.
        self.arrival = (self.arrival + self.between_arrivals).max(now);
        let flow = Flow(self.first + self.begun % (MOST - self.first));
        self.begun += 1;
        Some(Packet { flow, step: 0, due: now, is_repeated: false, was_delayed: false })
    }

    /// What became of a packet, and of its connection where that has come to its end.
    pub fn sent(&mut self, side: Side, now: u64, packet: Packet, passed: bool) -> Option<End> {
        match (passed, side) {
            (false, _) if packet.is_repeated => return Some(End::Failed),
            (false, _) => {
                let due = now + self.patience;
                self.again[index(side)].push_back(Packet { due, is_repeated: true, was_delayed: true, ..packet });
            }
            (true, Side::Server) if packet.step == 3 => {
                return Some(if packet.was_delayed { End::Delayed } else { End::AtOnce });
            }
            (true, _) => {
                let (other, step) = match side {
                    Side::Client => (Side::Server, packet.step),
                    Side::Server => (Side::Client, packet.step + 1),
                };
                let next = Packet { step, due: now + self.step, is_repeated: false, ..packet };
                self.next[index(other)].push_back(next);
            }
        }
        None
    }
}

const fn index(side: Side) -> usize {
    match side {
        Side::Client => 0,
        Side::Server => 1,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Eight packets in turns; what is lost comes a second later, and once only.
    #[test]
    fn a_lost_packet_is_sent_again_after_a_second_and_only_once() {
        const HERTZ: u64 = 1_000_000;
        for (losses, end, took) in [(0, End::AtOnce, 70_000), (1, End::Delayed, 1_070_000), (2, End::Failed, 1_030_000)]
        {
            let mut users = Users::new(10, HERTZ);
            let (mut sent, mut lost) = (Vec::new(), 0);
            let ended = (0..2_000_000).step_by(500).find_map(|now| {
                [Side::Client, Side::Server].into_iter().find_map(|side| {
                    // Only the first user's.
                    let packet = users.send(side, now).filter(|packet| packet.flow == Flow(10))?;
                    let passed = (side, packet.step) != (Side::Server, 1) || lost == losses;
                    lost += u32::from(!passed);
                    sent.push((side, packet.step));
                    users.sent(side, now, packet, passed).map(|end| (end, now))
                })
            });
            assert_eq!(ended, Some((end, took)));
            sent.dedup();
            let order = [Side::Client, Side::Server];
            let expected: Vec<_> = (0..4).flat_map(|step| order.map(|side| (side, step))).take(sent.len()).collect();
            assert_eq!(sent, expected);
        }
    }
}
