//! Which worker a frame belongs to: both directions of a flow to the same one, and what goes with the flow too.

use std::hash::BuildHasher;

use foldhash::quality::RandomState;

use crate::flow::{End, FlowKey};
use crate::guard::Screens;
use crate::packet::{self, Fragment, PacketInfo, Parsed, Piece};
use crate::pipeline::Frame;

/// Datagrams in fragments that are remembered at a time; a power of two.
const DATAGRAMS: usize = 4096;

/// Tells workers' frames apart. A pure function of the frames seen so far, and of a random seed, so that nobody can send
/// all flows to one worker.
#[derive(Debug)]
pub(super) struct Sorter {
    workers: u64,
    seed: RandomState,
    /// Of a fragmented datagram, what its first fragment said: the hash of its identity, and the worker. A later one may
    /// take its place; then the rest of its fragments are dropped as unknown.
    datagrams: Box<[(u64, u16)]>,
    /// Frames that no worker will forward are dealt round.
    next: u64,
}

impl Sorter {
    pub(super) fn new(workers: u16) -> Self {
        Self {
            workers: u64::from(workers.max(1)),
            seed: RandomState::default(),
            datagrams: vec![(0, 0); DATAGRAMS].into_boxed_slice(),
            next: 0,
        }
    }

    /// The worker of a frame, from 0.
    ///
    /// - A packet goes by addresses, ports and protocol, the lower end first. VLAN tags and the port that it came in by do
    ///   not count, since they may differ between a flow's directions.
    /// - An ICMP error goes by the packet that it quotes.
    /// - A first fragment goes with its flow, the later ones with the first. One that overtook the first goes by addresses;
    ///   any worker drops it as unknown.
    /// - What is not IP goes to worker 0, in its order.
    pub(super) fn worker(&mut self, frame: &Frame<'_>) -> usize {
        // Checksums are for the worker to verify.
        let info = match packet::parse(frame, 0, false, Screens::NONE) {
            Ok(Parsed::Packet(info)) => info,
            Ok(Parsed::NonIp | Parsed::LinkControl) => return 0,
            Err(_) => {
                self.next = (self.next + 1) % self.workers;
                return self.next as usize;
            }
        };
        let worker = self.of_flow(info.flow_key());
        match info.fragment {
            Fragment::None => worker,
            Fragment::First(piece) => {
                let datagram = self.datagram(&info, piece);
                self.datagrams[datagram as usize % DATAGRAMS] = (datagram, worker as u16);
                worker
            }
            Fragment::Later(piece) => {
                let datagram = self.datagram(&info, piece);
                match self.datagrams[datagram as usize % DATAGRAMS] {
                    (known, worker) if known == datagram => usize::from(worker),
                    _ => worker,
                }
            }
        }
    }

    fn datagram(&self, info: &PacketInfo, piece: Piece) -> u64 {
        let (source, destination) = info.addresses();
        let (source, destination) = (u128::from_be_bytes(source.0), u128::from_be_bytes(destination.0));
        self.seed.hash_one((source, destination, piece.identification))
    }

    fn of_flow(&self, key: &FlowKey) -> usize {
        let (low, high) = (key.end(End::Low), key.end(End::High));
        let rest = u64::from(low.port) << 32 | u64::from(high.port) << 16 | u64::from(key.protocol());
        let (low, high) = (u128::from_be_bytes(low.address.0), u128::from_be_bytes(high.address.0));
        let hash = self.seed.hash_one((low, high, rest));
        // Equal shares of the hash's range (D. Lemire, "Fast random integer generation in an interval", 2019).
        ((u128::from(hash) * u128::from(self.workers)) >> 64) as usize
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::policy::PortId;

    fn ipv4(protocol: u8, from: [u8; 4], to: [u8; 4], fragment: (u16, u16), payload: &[u8]) -> Vec<u8> {
        let length = (20 + payload.len()) as u16;
        let mut bytes = vec![2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 2, 8, 0, 0x45, 0];
        bytes.extend(length.to_be_bytes());
        bytes.extend(fragment.0.to_be_bytes());
        bytes.extend(fragment.1.to_be_bytes());
        bytes.extend([64, protocol, 0, 0]);
        bytes.extend(from);
        bytes.extend(to);
        bytes.extend(payload);
        bytes
    }

    fn udp(ports: (u16, u16), data: &[u8]) -> Vec<u8> {
        let mut bytes = Vec::new();
        for word in [ports.0, ports.1, 8 + data.len() as u16, 0] {
            bytes.extend(word.to_be_bytes());
        }
        bytes.extend(data);
        bytes
    }

    fn tagged(tags: &[u16], frame: &[u8]) -> Vec<u8> {
        let mut bytes = frame[..12].to_vec();
        for tag in tags {
            bytes.extend([0x81, 0x00]);
            bytes.extend(tag.to_be_bytes());
        }
        bytes.extend(&frame[12..]);
        bytes
    }

    fn worker(sorter: &mut Sorter, bytes: &[u8]) -> usize {
        let mut bytes = bytes.to_vec();
        let length = bytes.len() as u32;
        sorter.worker(&Frame::new(PortId(0), &mut bytes, length))
    }

    const A: [u8; 4] = [10, 0, 0, 1];
    const B: [u8; 4] = [192, 0, 2, 1];

    #[test]
    fn both_directions_tagged_or_not_go_to_one_worker_and_flows_to_all() {
        let mut sorter = Sorter::new(3);
        let mut seen = [0; 3];
        for port in 1000..4000 {
            let there = ipv4(17, A, B, (1, 0), &udp((port, 53), b"question"));
            let back = ipv4(17, B, A, (1, 0), &udp((53, port), b"answer"));
            let one = worker(&mut sorter, &there);
            assert_eq!(worker(&mut sorter, &back), one);
            assert_eq!(worker(&mut sorter, &tagged(&[7, 9], &back)), one);
            seen[one] += 1;
        }
        assert!(seen.iter().all(|&flows| (800..1200).contains(&flows)), "equal shares: {seen:?}");
    }

    #[test]
    fn fragments_go_with_their_flow() {
        let mut sorter = Sorter::new(64);
        let data = [7; 64];
        for port in 1..500_u16 {
            let whole = udp((port, 53), &data);
            let flow = worker(&mut sorter, &ipv4(17, A, B, (1, 0), &udp((port, 53), b"")));
            // More fragments: 0x2000; the second begins at octet 48.
            assert_eq!(worker(&mut sorter, &ipv4(17, A, B, (port, 0x2000), &whole[..48])), flow);
            assert_eq!(worker(&mut sorter, &ipv4(17, A, B, (port, 6), &whole[48..])), flow);
        }
    }

    #[test]
    fn an_icmp_error_goes_with_the_flow_that_it_quotes() {
        let mut sorter = Sorter::new(64);
        for port in 1..500_u16 {
            let packet = ipv4(17, A, B, (1, 0), &udp((port, 53), b"question"));
            let flow = worker(&mut sorter, &packet);
            // Port unreachable, by a router on the way.
            let mut error = vec![3, 3, 0, 0, 0, 0, 0, 0];
            error.extend(&packet[14..]);
            assert_eq!(worker(&mut sorter, &ipv4(1, [198, 51, 100, 9], A, (1, 0), &error)), flow);
        }
    }

    #[test]
    fn what_is_not_ip_keeps_its_order_and_what_is_damaged_is_dealt_round() {
        let mut sorter = Sorter::new(4);
        let arp = [&[0xff; 6][..], &[2, 0, 0, 0, 0, 1, 8, 6], &[0; 46]].concat();
        assert_eq!([0; 5].map(|_| worker(&mut sorter, &arp)), [0; 5]);
        let cut = ipv4(17, A, B, (1, 0), &[]);
        assert_eq!([0; 5].map(|_| worker(&mut sorter, &cut[..20])), [1, 2, 3, 0, 1]);
    }
}
