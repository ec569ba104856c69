//! Which worker a frame belongs to: both directions of a flow to the same one, and what goes with the flow too.

use std::hash::BuildHasher;
use std::time::Duration;

use foldhash::quality::RandomState;

use crate::flow::{End, FlowKey};
use crate::guard::Screens;
use crate::packet::{self, Fragment, PacketInfo, Parsed, Piece};
use crate::pipeline::Frame;
use crate::time::Nanos;

/// Datagrams in fragments that are remembered at a time: sets of so many, among which one may lie.
const SETS: usize = 1024;
const WAYS: usize = 4;
/// How long: as long as a worker waits for the rest of one. Later the same identification is another datagram's.
const MEMORY: Duration = Duration::from_secs(30);

/// Where a frame belongs; workers count from 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Place {
    /// To this worker.
    Worker(usize),
    /// To this worker as well, and behind it what waits for the first fragment of this datagram.
    First { worker: usize, datagram: u64 },
    /// It is to wait for the first fragment of this datagram; where that does not come, to the worker `otherwise`.
    Later { otherwise: usize, datagram: u64 },
}

/// What a first fragment said of its datagram.
#[derive(Clone, Copy, Debug, Default)]
struct Known {
    /// The hash of its identity.
    datagram: u64,
    since: Nanos,
    worker: u16,
}

/// Tells workers' frames apart. A pure function of the frames seen so far, and of a random seed, so that nobody can send
/// all flows to one worker.
#[derive(Debug)]
pub(super) struct Sorter {
    workers: u64,
    seed: RandomState,
    /// Datagrams whose first fragment came. Where there are too many the oldest of a set gives way; then the rest of its
    /// fragments wait in vain.
    datagrams: Box<[[Known; WAYS]]>,
    /// Frames that no worker will forward are dealt round.
    next: u64,
}

impl Sorter {
    pub(super) fn new(workers: u16) -> Self {
        Self {
            workers: u64::from(workers.max(1)),
            seed: RandomState::default(),
            datagrams: vec![[Known::default(); WAYS]; SETS].into_boxed_slice(),
            next: 0,
        }
    }

    /// Where a frame belongs.
    ///
    /// - A packet goes by addresses, ports and protocol, the lower end first. VLAN tags and the port that it came in by do
    ///   not count, since they may differ between a flow's directions.
    /// - An ICMP error goes by the packet that it quotes.
    /// - A first fragment goes with its flow, the later ones with the first: one that overtook it has to wait.
    /// - What is not IP goes to worker 0, in its order.
    pub(super) fn place(&mut self, now: Nanos, frame: &Frame<'_>) -> Place {
        // Checksums are for the worker to verify.
        let info = match packet::parse(frame, 0, false, Screens::NONE) {
            Ok(Parsed::Packet(info)) => info,
            Ok(Parsed::NonIp | Parsed::LinkControl) => return Place::Worker(0),
            Err(_) => {
                self.next = (self.next + 1) % self.workers;
                return Place::Worker(self.next as usize);
            }
        };
        let worker = self.of_flow(info.flow_key());
        match info.fragment {
            Fragment::None => Place::Worker(worker),
            Fragment::First(piece) => {
                let datagram = self.datagram(&info, piece);
                self.learn(Known { datagram, since: now, worker: worker as u16 });
                Place::First { worker, datagram }
            }
            Fragment::Later(piece) => {
                let datagram = self.datagram(&info, piece);
                match self.knows(now, datagram) {
                    Some(worker) => Place::Worker(worker),
                    None => Place::Later { otherwise: worker, datagram },
                }
            }
        }
    }

    fn learn(&mut self, new: Known) {
        let Some(set) = self.datagrams.get_mut(new.datagram as usize % SETS) else { return };
        // The same again, or the oldest.
        let order = |known: &&mut Known| (known.datagram != new.datagram, known.since);
        if let Some(known) = set.iter_mut().min_by_key(order) {
            *known = new;
        }
    }

    /// The worker of a datagram whose first fragment came.
    fn knows(&self, now: Nanos, datagram: u64) -> Option<usize> {
        let set = self.datagrams.get(datagram as usize % SETS)?;
        let is_it = |known: &&Known| known.datagram == datagram && now.since(known.since) <= MEMORY;
        set.iter().find(is_it).map(|known| usize::from(known.worker))
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
    use proptest::prelude::*;
    use rand::SeedableRng;
    use rand::rngs::SmallRng;
    use rand::seq::SliceRandom;

    use super::super::waiting::Waiting;
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

    const NOW: Nanos = Nanos(1_000_000_000_000);

    fn place(sorter: &mut Sorter, now: Nanos, bytes: &[u8]) -> Place {
        let mut bytes = bytes.to_vec();
        let length = bytes.len() as u32;
        sorter.place(now, &Frame::new(PortId(0), &mut bytes, length))
    }

    fn worker(sorter: &mut Sorter, bytes: &[u8]) -> usize {
        match place(sorter, NOW, bytes) {
            Place::Worker(worker) | Place::First { worker, .. } => worker,
            place @ Place::Later { .. } => panic!("{place:?}"),
        }
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

    /// A datagram in fragments of 16 octets, as frames.
    fn pieces(identification: u16, ports: (u16, u16), data: &[u8]) -> Vec<Vec<u8>> {
        let whole = udp(ports, data);
        let last = whole.len().div_ceil(16) - 1;
        let piece = |(number, part): (usize, &[u8])| {
            let more = if number < last { 0x2000 } else { 0 };
            ipv4(17, A, B, (identification, more | (number as u16 * 2)), part)
        };
        whole.chunks(16).enumerate().map(piece).collect()
    }

    #[test]
    fn an_identification_that_comes_again_later_is_another_datagram() {
        let mut sorter = Sorter::new(64);
        let of = |port| pieces(9, (port, 53), &[7; 40]);
        assert!(matches!(place(&mut sorter, NOW, &of(1)[0]), Place::First { .. }));
        assert!(matches!(place(&mut sorter, NOW + MEMORY, &of(1)[1]), Place::Worker(_)));
        let late = NOW + MEMORY + Duration::from_nanos(1);
        assert!(matches!(place(&mut sorter, late, &of(2)[1]), Place::Later { .. }));
    }

    proptest! {
        /// Fragments of several datagrams, mixed in any way: each reaches the worker of its flow, in any case once.
        #[test]
        fn fragments_in_any_order_reach_the_worker_of_their_flow(
            datagrams in prop::collection::vec((any::<u16>(), 1..200_usize), 1..8),
            seed in any::<u64>(),
        ) {
            let mut sorter = Sorter::new(5);
            let mut waiting = Waiting::new();
            let mut frames = Vec::new();
            let mut expected = Vec::new();
            for (number, (port, length)) in datagrams.iter().enumerate() {
                let ports = (*port, 53);
                let flow = worker(&mut sorter, &ipv4(17, A, B, (0, 0), &udp(ports, b"")));
                for frame in pieces(number as u16, ports, &vec![7; *length]) {
                    expected.push((flow, frame.clone()));
                    frames.push(frame);
                }
            }
            frames.shuffle(&mut SmallRng::seed_from_u64(seed));
            let mut reached = Vec::new();
            for frame in frames {
                match place(&mut sorter, NOW, &frame) {
                    Place::Worker(worker) => reached.push((worker, frame)),
                    Place::First { worker, datagram } => {
                        reached.push((worker, frame));
                        reached.extend(std::iter::from_fn(|| waiting.take(datagram)).map(|frame| (worker, frame)));
                    }
                    Place::Later { otherwise, datagram } => {
                        prop_assert_eq!(waiting.hold(NOW, datagram, otherwise, frame), None);
                    }
                }
            }
            prop_assert_eq!(waiting.count(), 0);
            reached.sort();
            expected.sort();
            prop_assert_eq!(reached, expected);
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
