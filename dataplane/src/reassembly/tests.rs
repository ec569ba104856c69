//! Datagrams cut, mixed and repeated in every way.

use proptest::prelude::*;

use super::*;
use crate::guard::Screens;
use crate::packet::{self, Parsed};
use crate::wire::build::{Packet, udp};

/// Offers a packet, and tells what it was part of.
fn offer(reassembler: &mut Reassembler, now: Nanos, packet: &Packet) -> Result<Offered, DropReason> {
    let mut bytes = packet.frame();
    let length = bytes.len() as u32;
    let frame = Frame::new(PortId(0), &mut bytes, length);
    let Parsed::Packet(info) = packet::parse(&frame, 0, true, Screens::NONE)? else { panic!("it is IP") };
    let (packet::Fragment::First(piece) | packet::Fragment::Later(piece)) = info.fragment else {
        panic!("it is whole")
    };
    let (source, destination) = info.addresses();
    let (identification, realm) = (piece.identification, info.key.realm());
    let datagram = Datagram { source, destination, identification, realm, port: PortId(0) };
    reassembler.offer(now, &frame, &info, datagram, piece)
}

proptest! {
    /// The slow twin is the datagram itself: what comes out whole is it, and what overlaps never comes out.
    #[test]
    fn what_was_cut_is_whole_again(
        datagrams in prop::collection::vec((8..4_000_usize, prop::collection::vec(1..60_usize, 1..30), any::<u64>(), prop::option::of((any::<u16>(), 8..64_usize))), 1..6),
        slots in prop::sample::select(vec![8_usize, 64]),
    ) {
        let mut reassembler = Reassembler::new(slots);
        let mut now = Nanos::from_parts(1_000_000, 0);
        let mut room = vec![0; LARGEST];
        for (number, (length, cuts, order, overlap)) in datagrams.iter().enumerate() {
            let payload: Vec<u8> = (0..*length).map(|octet| (octet * 7 + number) as u8).collect();
            let whole = udp("10.0.0.1:5000".parse().unwrap(), "192.0.2.1:5001".parse().unwrap(), &payload);
            let transport = &whole.transport;
            let piece = |from: usize, to: usize| {
                let piece = Packet { transport: transport[from..to].to_vec(), ..whole.clone() };
                piece.fragment(number as u16, to < transport.len(), from as u16)
            };
            let (mut pieces, mut at) = (Vec::new(), 0);
            for cut in cuts.iter().cycle() {
                if at >= transport.len() { break }
                let end = (at + cut * 8).min(transport.len());
                pieces.push(piece(at, end));
                at = end;
            }
            if pieces.len() < 2 || pieces.len() > usize::from(FRAGMENTS) { continue }
            if let Some((place, size)) = overlap {
                let from = usize::from(*place) % transport.len() / 8 * 8;
                let to = (from + size / 8 * 8).min(transport.len());
                let exact = pieces.iter().any(|piece| {
                    usize::from(piece.fragment.2) == from && piece.transport.len() == to - from
                });
                // Neither is one piece that is the whole datagram: it is no fragment at all.
                let whole = from == 0 && to == transport.len();
                if exact || whole { continue }
                pieces.push(piece(from, to));
            }
            let last = pieces.len() - 1;
            for at in (1..pieces.len()).rev() {
                pieces.swap(at, (order.rotate_left(at as u32 * 5) % (at as u64 + 1)) as usize);
            }
            now = now + Duration::from_millis(1);
            let mut seen = None;
            let mut refused = 0;
            for packet in &pieces {
                match offer(&mut reassembler, now, packet) {
                    Ok(Offered::Held) => {}
                    Ok(Offered::Whole(id)) => {
                        let of = reassembler.write(id, &mut room).unwrap();
                        prop_assert_eq!(of.length as usize, of.at_hand);
                        seen = Some(room[..of.at_hand].to_vec());
                        reassembler.release(id);
                        // What overlaps may come late, and begins another then.
                        break;
                    }
                    Err(DropReason::Teardrop) => refused += 1,
                    Err(reason) => prop_assert!(false, "{reason:?} of {last}"),
                }
            }
            match seen {
                Some(seen) => {
                    prop_assert_eq!(refused, 0);
                    let mut expected = whole.clone().fragment(number as u16, false, 0).frame();
                    crate::wire::ipv4::write_checksum(&mut expected[14..]);
                    prop_assert_eq!(seen, expected);
                }
                None => prop_assert!(overlap.is_some() && refused > 0),
            }
        }
        for _ in 0..100 {
            reassembler.turn(now + PATIENCE + Duration::from_secs(1));
        }
        prop_assert!(reassembler.is_empty());
    }
}
