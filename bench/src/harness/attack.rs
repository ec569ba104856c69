//! Attacks: what an attacker sends, and the settings of the firewall that it is measured with.

use std::fmt;
use std::str::FromStr;

use dataplane::endpoint::Address;
use dataplane::guard::OriginRule;
use dataplane::pipeline::{Midstream, Settings};
use dataplane::policy::AddressRange;

use super::compose::{self, Piece, Tcp};
use super::flow::{Flow, Header, MOST};
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
    /// ACKs for connections that do not exist, where TCP is not picked up in its middle.
    Ack,
    /// The same where it is, as by default.
    AckPickedUp,
    /// UDP from an address to itself (land).
    Land,
    /// ICMP echo requests to the broadcast address (smurf).
    Smurf,
    /// UDP with a loose source route.
    SourceRoute,
    /// UDP from the servers' network, in by the clients' port, where zones have networks.
    Spoofed,
}

impl Attack {
    /// All.
    pub const ALL: [Self; 12] = [
        Self::Syn,
        Self::UdpPorts,
        Self::FirstFragments,
        Self::LaterFragments,
        Self::Reset,
        Self::OutOfWindow,
        Self::Ack,
        Self::AckPickedUp,
        Self::Land,
        Self::Smurf,
        Self::SourceRoute,
        Self::Spoofed,
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
            Self::AckPickedUp => "ack-picked-up",
            Self::Land => "land",
            Self::Smurf => "smurf",
            Self::SourceRoute => "source-route",
            Self::Spoofed => "spoofed",
        }
    }

    /// Whether each of its packets may take an entry of the table.
    pub const fn fills_the_table(self) -> bool {
        matches!(self, Self::Syn | Self::UdpPorts | Self::AckPickedUp)
    }

    /// The defaults, and what makes a drop of attacks that are none by default.
    pub fn settings(self, mut settings: Settings) -> Settings {
        match self {
            Self::Ack => settings.midstream = Midstream::Drop,
            Self::Spoofed => {
                let network = |first, last| OriginRule {
                    networks: vec![AddressRange { first: Address::v4(first), last: Address::v4(last) }],
                    ..OriginRule::default()
                };
                settings.protection.origins =
                    vec![network([10, 0, 0, 0], [10, 255, 255, 255]), network([198, 18, 0, 0], [198, 18, 0, 255])];
            }
            _ => {}
        }
        settings
    }

    /// Writes its next packet over a frame of 64 octets. `established` flows, a power of two, are there to be hit.
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
        let victim = || Flow(random & (established - 1)).header(Side::Client);
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
            Self::Ack | Self::AckPickedUp => compose::tcp(frame, somewhere, stray(ACK)),
            Self::Land => {
                let here = Header { destination: somewhere.source, ports: 0x0035_0035, ..somewhere };
                compose::udp(frame, here)
            }
            Self::Smurf => compose::echo(frame, Header { destination: u32::MAX, ..somewhere }),
            Self::SourceRoute => compose::source_route(frame, somewhere),
            Self::Spoofed => compose::udp(frame, Header { source: 0xc612_0000 | random & 0xff, ..somewhere }),
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
