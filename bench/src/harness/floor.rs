//! The floor: what a stateful forwarder cannot go below on this machine. The same wire, parse, key, lookup of a bare
//! open-addressing table, counters, send; no policy, TCP state, timers, events, fragments or checksums.
//!
//! Records are 64 octets, one cache line, asked for a burst ahead. It trusts its traffic to be what the harness makes.

use arrayvec::ArrayVec;
use dataplane::dpdk::{HugeSlice, Mbuf, prefetch};
use dataplane::pipeline::BURST;
use dataplane::time::Nanos;

use super::relay::Work;

/// A bare flow table.
#[derive(Debug)]
pub struct Floor {
    /// A power of two of them, more than a third empty.
    records: HugeSlice<Record>,
    /// Flows in the table.
    flows: u64,
}

/// One flow.
#[derive(Clone, Copy, Debug, Default)]
#[repr(C, align(64))]
struct Record {
    key: Key,
    /// By direction: packets in the upper element, octets in the lower.
    volumes: [[u64; 2]; 2],
    last: Nanos,
}

const _: () = assert!(size_of::<Record>() == 64);

/// The same for both directions: the lower endpoint first; zero in an empty record.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Key {
    low: u64,
    /// With the protocol in the upper octet.
    high: u64,
}

/// A packet on its way.
#[derive(Clone, Copy)]
struct Packet {
    key: Key,
    place: usize,
    direction: usize,
    octets: u64,
}

impl Floor {
    /// For `flows` flows; takes its memory now.
    pub fn new(flows: u32) -> Self {
        let places = (flows.max(1024) as usize * 3 / 2).next_power_of_two();
        Self { records: HugeSlice::new(places, Record::default()), flows: 0 }
    }

    #[inline(always)]
    fn parse(&self, bytes: &[u8]) -> Option<Packet> {
        let head = bytes.first_chunk::<38>()?;
        // IPv4 without options, not a later fragment, TCP or UDP.
        let protocol = head[23];
        if head[12..15] != [0x08, 0x00, 0x45] || head[20] & 0x1f != 0 || head[21] != 0 {
            return None;
        }
        if protocol != 17 && protocol != 6 {
            return None;
        }
        let octets = u16::from_be_bytes([head[16], head[17]]);
        if usize::from(octets) + 14 > bytes.len() {
            return None;
        }
        let word = |at: usize| u64::from(u32::from_be_bytes([head[at], head[at + 1], head[at + 2], head[at + 3]]));
        let ports = word(34);
        let (source, destination) = (word(26) << 16 | ports >> 16, word(30) << 16 | ports & 0xffff);
        let direction = usize::from(source > destination);
        let key = Key { low: source.min(destination), high: source.max(destination) | u64::from(protocol) << 48 };
        Some(Packet { key, place: self.place(key), direction, octets: u64::from(octets) })
    }

    /// Multiply and fold, as foldhash and wyhash do.
    #[inline(always)]
    fn place(&self, key: Key) -> usize {
        let product = u128::from(key.low ^ 0x243f_6a88_85a3_08d3) * u128::from(key.high ^ 0x1319_8a2e_0370_7344);
        ((product >> 64) as u64 ^ product as u64) as usize & (self.records.len() - 1)
    }

    #[inline(always)]
    fn count(&mut self, packet: &Packet, now: Nanos) {
        let mask = self.records.len() - 1;
        let mut place = packet.place;
        loop {
            let record = &mut self.records[place & mask];
            if record.key != packet.key {
                if record.key != Key::default() {
                    place += 1;
                    continue;
                }
                record.key = packet.key;
                self.flows += 1;
            }
            let volume = &mut record.volumes[packet.direction];
            volume[0] += 1;
            volume[1] += packet.octets;
            record.last = now;
            return;
        }
    }
}

impl Work for Floor {
    #[inline]
    fn burst(&mut self, now: Nanos, frames: &[Mbuf]) {
        let mut packets: ArrayVec<Packet, BURST> = ArrayVec::new();
        for frame in frames {
            let Some(packet) = self.parse(frame.bytes()) else { continue };
            prefetch(&self.records[packet.place]);
            packets.push(packet);
        }
        for packet in &packets {
            self.count(packet, now);
        }
    }

    fn flows(&self) -> u64 {
        self.flows
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::harness::flow::Flow;
    use crate::pktgen::frames::{Link, Side, udp_packet};

    #[test]
    fn both_directions_of_a_flow_are_one_record() {
        let mut floor = Floor::new(1000);
        for flow in 0..1000 {
            for side in [Side::Client, Side::Server, Side::Client] {
                let (from, to) = Flow(flow).ends().of(side);
                let bytes = Link::plain().frame(side, &udp_packet(from, to, 0, &[0; 22]));
                let packet = floor.parse(&bytes).unwrap();
                floor.count(&packet, Nanos(5));
            }
        }
        assert_eq!(floor.flows, 1000);
        let used: Vec<_> = floor.records.iter().filter(|record| record.key != Key::default()).collect();
        assert!(used.iter().all(|record| {
            let mut volumes = record.volumes;
            volumes.sort_unstable();
            volumes == [[1, 50], [2, 100]] && record.last == Nanos(5)
        }));
    }
}
