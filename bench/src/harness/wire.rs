//! The wires over which is measured, and the traffic on them.

use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::str::FromStr;

use crate::pktgen::frames::{Link, Side, udp_packet};

/// A pair of software ports that costs little itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
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
            Self::Pcap => "established UDP sessions, both directions, frames copied from a capture in memory",
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

/// One direction of `flows` UDP flows: a frame of 64 octets each, in Ethernet, without FCS.
pub fn frames(flows: u32, side: Side) -> impl Iterator<Item = Vec<u8>> {
    let link = Link::plain();
    (0..flows).map(move |flow| {
        let [_, high, middle, low] = flow.to_be_bytes();
        let client = SocketAddr::from((Ipv4Addr::new(10, high, middle, low), 1024 + (flow % 60_000) as u16));
        let server = SocketAddr::from((Ipv4Addr::new(192, 0, 2, (flow % 250) as u8 + 1), SERVER_PORT));
        let (from, to) = match side {
            Side::Client => (client, server),
            Side::Server => (server, client),
        };
        link.frame(side, &udp_packet(from, to, 0, &[0; PAYLOAD]))
    })
}

/// Capture files for both directions, in `folder`.
pub fn captures(folder: &Path, flows: u32) -> io::Result<(PathBuf, PathBuf)> {
    let write = |name: &str, side| {
        let path = folder.join(format!("{name}-{flows}.pcap"));
        let mut file = BufWriter::new(File::create(&path)?);
        // pcap: magic, version 2.4, zone, accuracy, longest frame, Ethernet.
        for word in [0xa1b2_c3d4_u32, 0x0004_0002, 0, 0, 65_535, 1] {
            file.write_all(&word.to_le_bytes())?;
        }
        for frame in frames(flows, side) {
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

/// Fills a frame up to 64 octets: 14 of Ethernet, 20 of IPv4, 8 of UDP.
const PAYLOAD: usize = 64 - 14 - 20 - 8;
/// No application lives there.
const SERVER_PORT: u16 = 5001;

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    #[test]
    fn every_flow_is_one_frame_of_64_octets_in_each_direction() {
        for side in [Side::Client, Side::Server] {
            let frames: Vec<_> = frames(70_000, side).collect();
            assert!(frames.iter().all(|frame| frame.len() == 64));
            let addresses: HashSet<_> = frames.iter().map(|frame| frame[26..38].to_vec()).collect();
            assert_eq!(addresses.len(), 70_000);
        }
    }
}
