//! Traffic under attack, made in line: established connections, users who open new ones, and the attacker.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use arrayvec::ArrayVec;
use dataplane::dpdk::{Mbuf, cycles, cycles_per_second};
use dataplane::pipeline::BURST;
use dataplane::policy::PortId;
use dataplane::verdict::Verdict;
use dataplane::worker::Probe;

use super::attack::Attack;
use super::compose::{self, DATA};
use super::flow::Flow;
use super::rewrite::side_of;
use super::sessions::{data, segment};
use super::users::{End, Packet, Users};
use crate::pktgen::dice::Dice;
use crate::pktgen::frames::Side;

/// What became of everybody's packets; written by the worker's thread alone.
#[derive(Debug, Default)]
pub struct Toll {
    /// Set when every connection is established.
    pub ready: AtomicBool,
    /// Set to have the attack begin.
    pub attack: AtomicBool,
    /// Packets of established connections: sent into the firewall, let through.
    pub established: [AtomicU64; 2],
    /// Packets of the attack, likewise.
    pub hostile: [AtomicU64; 2],
    /// New connections of users: ended, gone through from SYN to the last ACK, and of those without a packet lost.
    pub users: [AtomicU64; 3],
    /// The generator's own: packets, cycles.
    pub generator: [AtomicU64; 2],
}

/// Whose a packet is.
#[derive(Clone, Copy, Debug)]
enum Whose {
    Established,
    User(Packet),
    Hostile,
}

/// Once the connections are established, of each 64 packets of the clients' side 16 are of those and 48 of the attacker; a
/// user who has something to send takes the first.
#[derive(Debug)]
pub struct Siege {
    attack: Attack,
    /// A power of two.
    established: u32,
    dice: Dice,
    /// Packets of established connections, by side.
    sent: [u64; 2],
    users: Users,
    burst: ArrayVec<Whose, BURST>,
    now: u64,
    toll: Arc<Toll>,
}

impl Siege {
    /// With so many established connections, rounded up to a power of two.
    pub fn new(attack: Attack, established: u32, seed: u64) -> (Self, Arc<Toll>) {
        let toll = Arc::new(Toll::default());
        let established = established.next_power_of_two();
        let probe = Self {
            attack,
            established,
            dice: Dice::new(seed),
            sent: [0; 2],
            users: Users::new(established, cycles_per_second()),
            burst: ArrayVec::new(),
            now: 0,
            toll: Arc::clone(&toll),
        };
        (probe, toll)
    }

    /// Every connection in turn, in an order that no cache foresees: handshake first, then data that goes on and acknowledges
    /// what the other side said in all its whole rounds.
    fn peaceful(&mut self, side: Side, frame: &mut [u8]) -> Whose {
        let (own, other) = match side {
            Side::Client => (0, 1),
            Side::Server => (1, 0),
        };
        let shift = self.established.trailing_zeros();
        let number = self.sent[own];
        let flow = (number as u32).wrapping_mul(0x9e37_79b1) & (self.established - 1);
        let octets = |rounds: u64| (rounds as u32).saturating_sub(1).wrapping_mul(DATA as u32);
        let tcp = match number >> shift {
            0 => segment(side, 0),
            round => data(side, octets(round), octets(self.sent[other] >> shift)),
        };
        compose::tcp(frame, Flow(flow).header(side), tcp);
        self.sent[own] += 1;
        Whose::Established
    }

    fn compose(&mut self, side: Side, attacked: bool, frames: &mut [Mbuf]) {
        self.burst.clear();
        let mut user = if attacked { self.users.send(side, self.now) } else { None };
        for (index, frame) in frames.iter_mut().enumerate().take(BURST) {
            let bytes = frame.bytes_mut();
            let whose = if let Some(packet) = user.take() {
                compose::tcp(bytes, packet.flow.header(side), segment(side, packet.step));
                Whose::User(packet)
            } else if attacked && side == Side::Client && index >= PEACEFUL {
                self.attack.write(bytes, &mut self.dice, self.established);
                Whose::Hostile
            } else {
                self.peaceful(side, bytes)
            };
            self.burst.push(whose);
        }
    }
}

impl Probe for Siege {
    fn received(&mut self, port: PortId, frames: &mut [Mbuf]) {
        self.now = cycles();
        let attacked = self.toll.attack.load(Ordering::Relaxed);
        self.compose(side_of(port), attacked, frames);
        add(&self.toll.generator, [frames.len() as u64, cycles().wrapping_sub(self.now)]);
        let established = u64::from(self.established);
        if self.sent[0] >= 2 * established && self.sent[1] >= established {
            self.toll.ready.store(true, Ordering::Relaxed);
        }
    }

    fn judged(&mut self, port: PortId, verdicts: &[Verdict]) {
        let [mut established, mut hostile] = [[0; 2]; 2];
        for (whose, verdict) in self.burst.iter().zip(verdicts) {
            let passed = matches!(verdict, Verdict::Forward(_));
            match *whose {
                Whose::Established => established = tally(established, passed),
                Whose::Hostile => hostile = tally(hostile, passed),
                Whose::User(packet) => {
                    if let Some(end) = self.users.sent(side_of(port), self.now, packet, passed) {
                        add(&self.toll.users, [1, u64::from(end != End::Failed), u64::from(end == End::AtOnce)]);
                    }
                }
            }
        }
        add(&self.toll.established, established);
        add(&self.toll.hostile, hostile);
    }
}

fn add<const N: usize>(totals: &[AtomicU64; N], more: [u64; N]) {
    for (total, more) in totals.iter().zip(more) {
        total.store(total.load(Ordering::Relaxed) + more, Ordering::Relaxed);
    }
}

fn tally([sent, passed]: [u64; 2], this_one: bool) -> [u64; 2] {
    [sent + 1, passed + u64::from(this_one)]
}

/// Of a burst of the clients' side under attack.
const PEACEFUL: usize = 16;
