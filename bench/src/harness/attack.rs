//! Attacks, made in line among traffic that must survive them: established connections, and users who open new ones.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use arrayvec::ArrayVec;
use dataplane::dpdk::Mbuf;
use dataplane::pipeline::BURST;
use dataplane::policy::PortId;
use dataplane::verdict::Verdict;
use dataplane::worker::Probe;

use super::compose::{self, Piece, Tcp};
use super::flow::{Flow, Header, MOST};
use super::rewrite::side_of;
use super::sessions::{Place, segment};
use crate::pktgen::dice::Dice;
use crate::pktgen::frames::{ACK, RST, SYN, Side};

/// What is sent at the firewall from the clients' side.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Attack {
    /// SYNs from everywhere to a web server.
    Syn,
    /// UDP from everywhere to every port.
    UdpPorts,
    /// First fragments of datagrams whose rest never comes.
    FirstFragments,
    /// Later fragments of datagrams whose beginning never came.
    LaterFragments,
    /// RSTs to established connections, their sequence number guessed.
    Reset,
    /// Data for established connections, its sequence number guessed.
    OutOfWindow,
    /// ACKs for connections that do not exist.
    Ack,
    /// UDP from an address to itself (land).
    Land,
    /// ICMP echo requests to the broadcast address (smurf).
    Smurf,
    /// UDP with IPv4 options.
    Options,
}

impl Attack {
    /// All.
    pub const ALL: [Self; 10] = [
        Self::Syn,
        Self::UdpPorts,
        Self::FirstFragments,
        Self::LaterFragments,
        Self::Reset,
        Self::OutOfWindow,
        Self::Ack,
        Self::Land,
        Self::Smurf,
        Self::Options,
    ];

    /// In tables and arguments.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Syn => "syn-flood",
            Self::UdpPorts => "udp-ports",
            Self::FirstFragments => "first-fragments",
            Self::LaterFragments => "later-fragments",
            Self::Reset => "rst-guessed",
            Self::OutOfWindow => "out-of-window",
            Self::Ack => "ack-no-session",
            Self::Land => "land",
            Self::Smurf => "smurf",
            Self::Options => "ip-options",
        }
    }

    /// Whether each of its packets may take an entry of the table.
    pub const fn fills_the_table(self) -> bool {
        matches!(self, Self::Syn | Self::UdpPorts)
    }

    /// Writes its next packet over a frame of 64 octets. `established` flows are there to be hit.
    pub fn write(self, frame: &mut [u8], dice: &mut Dice, established: u32) {
        let [one, two] = [dice.word(), dice.word()];
        let (random, other) = (one as u32, (one >> 32) as u32);
        // Ports below those of flows, so that no flow is hit by chance.
        let somewhere = Header {
            source: 0x0a00_0000 | random & (MOST - 1),
            destination: 0xc612_0000 | other & 0xff,
            ports: (0x0400 | other >> 16 & 0x3fff) << 16 | 80,
        };
        let stray = |flags| Tcp { sequence: two as u32, acknowledgement: (two >> 32) as u32, flags, data: None };
        let victim = || Flow(random % established).header(Side::Client);
        match self {
            Self::Syn => compose::tcp(frame, somewhere, Tcp { acknowledgement: 0, ..stray(SYN) }),
            Self::UdpPorts => {
                compose::udp(frame, Header { ports: somewhere.ports & 0xffff_0000 | two as u32 & 0xffff, ..somewhere })
            }
            Self::FirstFragments | Self::LaterFragments => {
                let offset = if self == Self::FirstFragments { 0 } else { 3 };
                compose::fragment(frame, somewhere, Piece { identification: two as u16, offset, more: true })
            }
            Self::Reset => compose::tcp(frame, victim(), Tcp { acknowledgement: 0, ..stray(RST) }),
            Self::OutOfWindow => compose::tcp(frame, victim(), Tcp { data: Some(*b"0123456789"), ..stray(ACK) }),
            Self::Ack => compose::tcp(frame, somewhere, stray(ACK)),
            Self::Land => compose::udp(frame, Header { destination: somewhere.source, ..somewhere }),
            Self::Smurf => compose::echo(frame, Header { destination: u32::MAX, ..somewhere }),
            Self::Options => compose::options(frame, somewhere),
        };
    }
}

impl fmt::Display for Attack {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for Attack {
    type Err = String;

    fn from_str(name: &str) -> Result<Self, String> {
        Self::ALL.into_iter().find(|attack| attack.name() == name).ok_or_else(|| format!("no attack {name:?}"))
    }
}

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
    /// New connections of users: begun, and gone through from SYN to the last ACK without a packet lost.
    pub users: [AtomicU64; 2],
}

/// Whose a packet is.
#[derive(Clone, Copy, Debug)]
enum Whose {
    Established,
    User(Place),
    Hostile,
}

/// Traffic of established connections, users and an attacker. After the connections are established, of each 64 packets
/// of the clients' side 16 are of those, one of a user, and 47 of the attacker; of the servers' side all but the one to
/// users are of established connections.
#[derive(Debug)]
pub struct UnderAttack {
    attack: Attack,
    established: u32,
    dice: Dice,
    /// Packets of each side, and of those the users'.
    sent: [u64; 2],
    of_users: [u64; 2],
    /// Of the users' connections that are open now: which lost a packet.
    lost: Box<[bool]>,
    burst: ArrayVec<Whose, BURST>,
    toll: Arc<Toll>,
}

impl UnderAttack {
    /// With so many established connections.
    pub fn new(attack: Attack, established: u32, seed: u64) -> (Self, Arc<Toll>) {
        let toll = Arc::new(Toll::default());
        let probe = Self {
            attack,
            established,
            dice: Dice::new(seed),
            sent: [0; 2],
            of_users: [0; 2],
            lost: vec![false; USERS as usize].into_boxed_slice(),
            burst: ArrayVec::new(),
            toll: Arc::clone(&toll),
        };
        (probe, toll)
    }

    /// The next packet of a side, before the attack and for the established: handshakes first, then data over and over.
    fn peaceful(&mut self, side: Side, frame: &mut [u8]) -> Whose {
        let (index, handshake) = match side {
            Side::Client => (0, 2),
            Side::Server => (1, 1),
        };
        let round = self.sent[index] / u64::from(self.established);
        let flow = if round < handshake {
            (self.sent[index] % u64::from(self.established)) as u32
        } else {
            self.dice.between(0, self.established)
        };
        // From the request on, each side repeats its data: within the window, for ever.
        compose::tcp(frame, Flow(flow).header(side), segment(side, (round as u32).min(1)));
        self.sent[index] += 1;
        Whose::Established
    }

    fn of_user(&mut self, side: Side, frame: &mut [u8]) -> Whose {
        let sent = &mut self.of_users[if side == Side::Client { 0 } else { 1 }];
        let place = Place::of(*sent, USERS);
        *sent += 1;
        // Beyond the established, and round again long after they are closed.
        let flow = self.established + place.connection % (MOST - self.established);
        compose::tcp(frame, Flow(flow).header(side), segment(side, place.step));
        Whose::User(place)
    }
}

impl Probe for UnderAttack {
    fn received(&mut self, port: PortId, frames: &mut [Mbuf]) {
        let side = side_of(port);
        let attacked = self.toll.attack.load(Ordering::Relaxed);
        self.burst.clear();
        for (index, frame) in frames.iter_mut().enumerate().take(BURST) {
            let bytes = frame.bytes_mut();
            let whose = match (attacked, side, index) {
                (true, _, 0) => self.of_user(side, bytes),
                (false, ..) | (true, Side::Server, _) | (true, Side::Client, 1..=16) => self.peaceful(side, bytes),
                (true, Side::Client, _) => {
                    self.attack.write(bytes, &mut self.dice, self.established);
                    Whose::Hostile
                }
            };
            self.burst.push(whose);
        }
        let established = u64::from(self.established);
        if self.sent[0] >= 2 * established && self.sent[1] >= established {
            self.toll.ready.store(true, Ordering::Relaxed);
        }
    }

    fn judged(&mut self, port: PortId, verdicts: &[Verdict]) {
        let [mut established, mut hostile, mut users] = [[0; 2]; 3];
        for (whose, verdict) in self.burst.iter().zip(verdicts) {
            let passed = matches!(verdict, Verdict::Forward(_));
            match *whose {
                Whose::Established => established = tally(established, passed),
                Whose::Hostile => hostile = tally(hostile, passed),
                Whose::User(place) => {
                    let Some(lost) = self.lost.get_mut(place.connection as usize % USERS as usize) else { continue };
                    let is_first = side_of(port) == Side::Client && place.step == 0;
                    *lost = (*lost && !is_first) || !passed;
                    if side_of(port) == Side::Server && place.step == 3 {
                        users = tally(users, !*lost);
                    }
                }
            }
        }
        for (totals, more) in
            [(&self.toll.established, established), (&self.toll.hostile, hostile), (&self.toll.users, users)]
        {
            for (total, more) in totals.iter().zip(more) {
                total.store(total.load(Ordering::Relaxed) + more, Ordering::Relaxed);
            }
        }
    }
}

fn tally([sent, passed]: [u64; 2], this_one: bool) -> [u64; 2] {
    [sent + 1, passed + u64::from(this_one)]
}

/// Users who are opening a connection at a time. One packet in 64 is theirs, so at 5 million a second and port a round
/// trip is some 26 ms, as on the Internet.
const USERS: u64 = 2048;
