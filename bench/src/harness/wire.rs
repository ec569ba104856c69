//! The wires over which is measured, and the traffic on them.

use std::fmt;
use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use super::flow::Flow;
use super::measurement::Measurement;
use crate::pktgen::frames::{Link, Side, udp_packet};

/// A pair of software ports that costs little itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Wire {
    /// net_null: frames of 64 zero octets without end. No packet is IP, so no session is looked up.
    Null,
    /// net_ring: frames of established sessions go round and round; no copy.
    Ring,
    /// net_pcap with infinite_rx: frames of established sessions, copied from memory.
    Pcap,
}

impl Wire {
    /// All.
    pub const ALL: [Self; 3] = [Self::Null, Self::Ring, Self::Pcap];

    /// In tables and arguments.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Null => "null",
            Self::Ring => "ring",
            Self::Pcap => "pcap",
        }
    }

    /// Whether the number of flows makes a difference.
    pub const fn has_flows(self) -> bool {
        !matches!(self, Self::Null)
    }

    /// What our figure over it is of.
    pub const fn meaning(self) -> &'static str {
        match self {
            Self::Null => "zero frames, no IP: receive, parse, pass by the wire, send; no session is looked up",
            Self::Ring => "established UDP sessions, both directions, frames passed by pointer between rings",
            Self::Pcap => {
                "established UDP sessions, both directions, frames copied from memory, rewritten in line beyond 100,000 sessions"
            }
        }
    }
}

impl FromStr for Wire {
    type Err = String;

    fn from_str(name: &str) -> Result<Self, String> {
        Self::ALL
            .into_iter()
            .find(|wire| wire.name() == name)
            .ok_or_else(|| format!("unknown wire {name:?}: null, ring or pcap"))
    }
}

/// How long frames are, without FCS.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Size {
    /// All alike, in octets.
    Fixed(u16),
    /// Seven of 64, four of 594, one of 1,518: the usual mix.
    Imix,
}

impl Default for Size {
    fn default() -> Self {
        Self::Fixed(64)
    }
}

impl Size {
    /// The length of a wire's frame by its number.
    pub const fn of(self, number: u32) -> u16 {
        match self {
            Self::Fixed(octets) => octets,
            // Spread rather than in runs.
            Self::Imix => match number % 12 {
                5 => 1518,
                1 | 4 | 7 | 10 => 594,
                _ => 64,
            },
        }
    }

    /// The longest.
    pub const fn longest(self) -> u16 {
        match self {
            Self::Fixed(octets) => octets,
            Self::Imix => 1518,
        }
    }
}

impl fmt::Display for Size {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Fixed(octets) => write!(f, "{octets}"),
            Self::Imix => write!(f, "IMIX"),
        }
    }
}

impl FromStr for Size {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match (text, text.parse()) {
            ("imix", _) => Ok(Self::Imix),
            (_, Ok(octets)) if (SHORTEST..=9000).contains(&octets) => Ok(Self::Fixed(octets)),
            _ => Err(format!("a frame of {text}: {SHORTEST} to 9000 octets, or imix")),
        }
    }
}

/// One direction's frames, as the wire repeats them. Where headers are rewritten they carry no UDP checksum, so that the
/// generator has none to keep right (RFC 768 allows that in IPv4).
pub fn frames(measurement: &Measurement, side: Side) -> impl Iterator<Item = Vec<u8>> + use<> {
    let link = Link::plain();
    let (size, rewritten) = (measurement.size, measurement.rewritten.is_some());
    (0..measurement.on_the_wire()).map(move |number| {
        let (from, to) = Flow(number).ends().of(side);
        let payload = vec![0; usize::from(size.of(number) - HEADERS)];
        let mut frame = link.frame(side, &udp_packet(from, to, 0, &payload));
        if rewritten {
            frame[40..42].fill(0);
        }
        frame
    })
}

/// Capture files for both directions, in `folder`.
pub fn captures(folder: &Path, measurement: &Measurement) -> io::Result<(PathBuf, PathBuf)> {
    let write = |name: &str, side| {
        let path = folder.join(format!("{name}-{}.pcap", measurement.on_the_wire()));
        let mut file = BufWriter::new(File::create(&path)?);
        // pcap: magic, version 2.4, zone, accuracy, longest frame, Ethernet.
        for word in [0xa1b2_c3d4_u32, 0x0004_0002, 0, 0, 65_535, 1] {
            file.write_all(&word.to_le_bytes())?;
        }
        for frame in frames(measurement, side) {
            for word in [0, 0, frame.len() as u32, frame.len() as u32] {
                file.write_all(&word.to_le_bytes())?;
            }
            file.write_all(&frame)?;
        }
        file.flush()?;
        io::Result::Ok(path)
    };
    Ok((write("clients", Side::Client)?, write("servers", Side::Server)?))
}

/// Ethernet, IPv4 and UDP.
const HEADERS: u16 = 14 + 20 + 8;
/// Ethernet's least without FCS is 60; 64 is what everybody measures with.
const SHORTEST: u16 = 64;

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    fn measurement(flows: u32, size: Size) -> Measurement {
        Measurement { flows, size, ..Measurement::example() }
    }

    #[test]
    fn every_flow_is_one_frame_of_64_octets_in_each_direction() {
        for side in [Side::Client, Side::Server] {
            let frames: Vec<_> = frames(&measurement(70_000, Size::default()), side).collect();
            assert!(frames.iter().all(|frame| frame.len() == 64));
            let addresses: HashSet<_> = frames.iter().map(|frame| frame[26..38].to_vec()).collect();
            assert_eq!(addresses.len(), 70_000);
        }
    }

    #[test]
    fn the_mix_has_frames_of_three_sizes() {
        let frames = frames(&measurement(12, Size::Imix), Side::Client);
        let mut sizes: Vec<_> = frames.map(|frame| frame.len()).collect();
        sizes.sort_unstable();
        assert_eq!(sizes, [&[64; 7][..], &[594; 4], &[1518]].concat());
    }
}
