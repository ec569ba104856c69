//! Datagrams in fragments, overlapping, repeated and late: what is made of them is what a table of all their octets says.
//! Six octets a fragment: which datagram and whether more follow, seconds since the last one, where it begins, how long it
//! is (in units of 8 octets, two each), and what is in it.

use dataplane::guard::Screens;
use dataplane::packet::{self, Fragment, Parsed};
use dataplane::pipeline::Frame;
use dataplane::policy::PortId;
use dataplane::reassembly::{Datagram, LARGEST, Offered, Reassembler};
use dataplane::time::Nanos;
use dataplane::verdict::DropReason;

/// Few enough that no datagram has to give way for another.
const DATAGRAMS: u8 = 4;
const MOST_FRAGMENTS: usize = 120;
const PATIENCE: u64 = 30_000_000_000;
const HEADERS: usize = 14 + 20;

/// A datagram as the slow twin has it.
#[derive(Default)]
struct Twin {
    since: u64,
    refused: bool,
    /// Where each piece begins, what is in it, and whether more follow.
    pieces: Vec<(usize, Vec<u8>, bool)>,
}

/// Offers them.
pub fn run(data: &[u8]) {
    let mut reassembler = Reassembler::new(64);
    let mut twins: [Option<Twin>; DATAGRAMS as usize] = Default::default();
    let mut now = 1_000_000_000_000_u64;
    let mut room = vec![0; LARGEST];
    for chunk in data.chunks_exact(6).take(MOST_FRAGMENTS) {
        let &[kind, pause, start, length, more_length, content] = chunk else { return };
        now += u64::from(pause >> 3) * 1_000_000_000;
        let which = kind % DATAGRAMS;
        let more = kind & 0x80 == 0;
        // Only the last may have octets beside a multiple of eight.
        let odd = if more { 0 } else { usize::from(kind >> 3 & 7) };
        let length = (usize::from(length) + usize::from(more_length & 3) * 64) * 8 + odd;
        let payload: Vec<u8> = (0..length).map(|place| content.wrapping_add((place / 5) as u8)).collect();
        let mut bytes = frame(which, usize::from(start) * 8, more, &payload);
        let long = bytes.len() as u32;
        let frame = Frame::new(PortId(0), &mut bytes, long);
        let Ok(Parsed::Packet(info)) = packet::parse(&frame, 0, true, Screens::NONE) else { continue };
        let (Fragment::First(piece) | Fragment::Later(piece)) = info.fragment else { continue };
        assert_eq!((piece.start as usize, piece.more), (usize::from(start) * 8, more));
        assert_eq!((piece.end - piece.start) as usize, length);
        let (source, destination) = info.addresses();
        let (identification, realm) = (piece.identification, info.key.realm());
        let datagram = Datagram { source, destination, identification, realm, port: PortId(0) };
        let twin = &mut twins[usize::from(which)];
        if twin.as_ref().is_none_or(|twin| now - twin.since > PATIENCE) {
            *twin = Some(Twin { since: now, ..Twin::default() });
        }
        let Some(twin) = twin else { return };
        let expected = twin.offer(usize::from(start) * 8, payload, more);
        let offered = reassembler.offer(Nanos(now), &frame, &info, datagram, piece);
        match (expected, offered) {
            (Ok(None), Ok(Offered::Held)) => {}
            (Ok(Some(octets)), Ok(Offered::Whole(id))) => {
                let whole = reassembler.write(id, &mut room).expect("so many octets can be a packet");
                assert_eq!(whole.at_hand, HEADERS + octets.len());
                assert!(room[HEADERS..whole.at_hand] == octets, "the datagram is what was sent");
                reassembler.release(id);
                twins[usize::from(which)] = None;
            }
            (Err(expected), Err(found)) => assert_eq!(expected, found),
            (expected, found) => panic!("expected {expected:?}, found {found:?}"),
        }
    }
    // In time all of it is given up.
    for _ in 0..DATAGRAMS * 16 {
        reassembler.turn(Nanos(now + PATIENCE + 1));
    }
    assert!(reassembler.is_empty());
}

impl Twin {
    /// The whole datagram, once it is there.
    fn offer(&mut self, start: usize, octets: Vec<u8>, more: bool) -> Result<Option<Vec<u8>>, DropReason> {
        if self.refused {
            return Err(DropReason::Teardrop);
        }
        let end = start + octets.len();
        let overlapped = self.pieces.iter().find(|(from, octets, _)| *from < end && start < *from + octets.len());
        if let Some((from, theirs, theirs_more)) = overlapped {
            if (*from, theirs, *theirs_more) == (start, &octets, more) {
                return Err(DropReason::BadFragment);
            }
            return self.refuse();
        }
        let known_end = self.pieces.iter().find(|(.., more)| !more).map(|(from, octets, _)| from + octets.len());
        let last_end = self.pieces.iter().map(|(from, octets, _)| from + octets.len()).max().unwrap_or(0);
        if known_end.is_some_and(|known| end > known || !more) || (!more && last_end > end) {
            return self.refuse();
        }
        self.pieces.push((start, octets, more));
        let known_end = self.pieces.iter().find(|(.., more)| !more).map(|(from, octets, _)| from + octets.len());
        self.pieces.sort_by_key(|(start, ..)| *start);
        let all: Vec<u8> = self.pieces.iter().flat_map(|(_, octets, _)| octets.iter().copied()).collect();
        Ok((known_end == Some(all.len())).then_some(all))
    }

    fn refuse(&mut self) -> Result<Option<Vec<u8>>, DropReason> {
        self.refused = true;
        self.pieces.clear();
        Err(DropReason::Teardrop)
    }
}

/// An Ethernet frame with a fragment of a UDP datagram (RFC 791, 3.1).
fn frame(identification: u8, start: usize, more: bool, payload: &[u8]) -> Vec<u8> {
    let mut frame = vec![2, 0, 0, 0, 0, 2, 2, 0, 0, 0, 0, 1, 8, 0];
    let length = (20 + payload.len()) as u16;
    let offset = (start / 8) as u16 | if more { 0x2000 } else { 0 };
    let mut header = [&[0x45, 0][..], &length.to_be_bytes(), &[0, identification]].concat();
    header.extend(offset.to_be_bytes());
    header.extend([64, 17, 0, 0, 192, 0, 2, 1, 198, 51, 100, 7]);
    let words = header.chunks_exact(2).map(|word| u32::from(u16::from_be_bytes([word[0], word[1]])));
    let sum: u32 = words.sum();
    let sum = (sum & 0xffff) + (sum >> 16);
    let checksum = !((sum & 0xffff) + (sum >> 16)) as u16;
    header[10..12].copy_from_slice(&checksum.to_be_bytes());
    frame.extend(header);
    frame.extend(payload);
    frame
}
