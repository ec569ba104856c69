use proptest::prelude::*;

use super::header::hex;
use super::*;

/// The connection id of RFC 9001, appendix A.
const ID: [u8; 8] = hex(b"8394c8f03e515708");

/// The CRYPTO frame of RFC 9001, A.2.
fn frame() -> Vec<u8> {
    hex::<245>(
        b"060040f1010000ed0303ebf8fa56f12939b9584a3896472ec40bb863cfd3e86804fe3a47f06a2b69484c00000413011302010000c0
          00000010000e00000b6578616d706c652e636f6dff01000100000a00080006001d0017001800100007000504616c706e0005000501
          00000000003300260024001d00209370b2c9caa47fbabaf4559fedba753de171fa71f50f1ce15d43e994ec74d748002b0003020304
          000d0010000e0403050306030203080408050806002d00020101001c00024001003900320408ffffffffffffffff05048000ffff07
          048000ffff0801100104800075300901100f088394c8f03e51570806048000ffff",
    )
    .to_vec()
}

/// The hello in it.
fn hello_octets() -> Vec<u8> {
    frame()[4..].to_vec()
}

/// The packet of RFC 9001, A.2, and of RFC 9369, A.2: padded to 1,200 octets, packet number 2.
fn packet_of_the_rfc(version: u32, first: u8) -> Vec<u8> {
    let header = [&[first], &version.to_be_bytes()[..], &[8], &ID, &[0, 0, 0x44, 0x9e, 0, 0, 0, 2]].concat();
    let mut payload = frame();
    payload.resize(1162, 0);
    initial::seal(version, &ID, &header, 4, &payload)
}

/// An Initial packet with such frames.
fn packet(version: u32, id: &[u8], keys_of: &[u8], number: u8, frames: &[u8]) -> Vec<u8> {
    let mut payload = frames.to_vec();
    payload.resize(payload.len().max(1100), 0);
    let length = (payload.len() + 1 + 16) as u16 | 0x4000;
    let first = if version == 0x6b33_43cf { 0xd0 } else { 0xc0 };
    let mut header = vec![first];
    header.extend(version.to_be_bytes());
    header.push(id.len() as u8);
    header.extend(id);
    header.extend([3, 1, 2, 3, 0]);
    header.extend(length.to_be_bytes());
    header.push(number);
    initial::seal(version, keys_of, &header, 1, &payload)
}

fn crypto_frame(kind: u8, at: usize, part: &[u8]) -> Vec<u8> {
    let mut octets = vec![kind];
    octets.extend((at as u16 | 0x4000).to_be_bytes());
    octets.extend((part.len() as u16 | 0x4000).to_be_bytes());
    octets.extend(part);
    octets
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Seen {
    Hello(Option<String>),
    More,
    Packets,
    No,
}

fn see(work: &mut Workspace, state: &mut State, datagram: &[u8]) -> Seen {
    match look(work, state, datagram) {
        Look::Hello(hello) => Seen::Hello(hello.server_name.map(|name| String::from_utf8_lossy(name).into_owned())),
        Look::More => Seen::More,
        Look::Packets => Seen::Packets,
        Look::No => Seen::No,
    }
}

fn see_alone(datagram: &[u8]) -> Seen {
    see(&mut Workspace::new(2), &mut State::default(), datagram)
}

fn example() -> Seen {
    Seen::Hello(Some("example.com".into()))
}

#[test]
fn the_packet_of_rfc_9001_is_opened() {
    let packet = packet_of_the_rfc(1, 0xc3);
    assert_eq!(packet.len(), 1200);
    // Protected header, sample and tag are those that the RFC prints: so is what lies between.
    assert_eq!(packet[..22], hex::<22>(b"c000000001088394c8f03e5157080000449e7b9aec34"));
    assert_eq!(packet[22..38], hex::<16>(b"d1b1c98dd7689fb8ec11d242b123dc9b"));
    assert_eq!(packet[1184..], hex::<16>(b"e221af44860018ab0856972e194cd934"));
    assert_eq!(see_alone(&packet), example());
    let mut work = Workspace::new(0);
    let mut state = State::default();
    let Look::Hello(hello) = look(&mut work, &mut state, &packet) else { panic!("no hello") };
    assert_eq!(hello.application_protocols().collect::<Vec<_>>(), [b"alpn"]);
    assert!(hello.whole && hello.ja4(tls::Carrier::Quic).is_some_and(|text| text.starts_with(b"q13d02")));
}

#[test]
fn the_packet_of_rfc_9369_is_opened() {
    let packet = packet_of_the_rfc(0x6b33_43cf, 0xd3);
    assert_eq!(packet[..22], hex::<22>(b"d76b3343cf088394c8f03e5157080000449ea0c95e82"));
    assert_eq!(packet[22..38], hex::<16>(b"ffe67b6abcdb4298b485dd04de806071"));
    assert_eq!(see_alone(&packet), example());
}

#[test]
fn drafts_and_others_are_opened() {
    for version in [0xff00_0017, 0xff00_001b, 0xff00_001d, 0xff00_0020, 0xff00_0022, 0xface_b001, 0xface_b002] {
        assert_eq!(see_alone(&packet_of_the_rfc(version, 0xc3)), example(), "{version:x}");
    }
    let unknown = packet(1, &ID, &ID, 0, &frame());
    assert_eq!(see_alone(&[&[0xc0, 0x1a, 0x2a, 0x3a, 0x4a], &unknown[5..], &[0; 90]].concat()), Seen::Packets);
    assert_eq!(see_alone(&[&[0xc0, 0x11, 0x22, 0x33, 0x44], &unknown[5..]].concat()), Seen::No);
}

#[test]
fn a_packet_that_was_changed_does_not_open() {
    let whole = packet(1, &ID, &ID, 0, &frame());
    for place in (40..whole.len()).step_by(97) {
        let mut changed = whole.clone();
        changed[place] ^= 1;
        assert_eq!(see_alone(&changed), Seen::Packets, "changed at {place}");
    }
    assert_eq!(see_alone(&whole[..900]), Seen::No);
}

#[test]
fn a_hello_over_several_packets_keeps_the_first_keys() {
    let hello = hello_octets();
    let other = [9; 12];
    let parts = [
        packet(1, &ID, &ID, 0, &crypto_frame(6, 100, &hello[100..200])),
        packet(
            1,
            &other,
            &ID,
            1,
            &[crypto_frame(6, 200, &hello[200..]), vec![1], crypto_frame(6, 0, &hello[..90])].concat(),
        ),
        packet(1, &other, &ID, 2, &[&[2, 1, 0, 0, 1][..], &crypto_frame(6, 80, &hello[80..120])].concat()),
    ];
    let (mut work, mut state) = (Workspace::new(1), State::default());
    assert_eq!(see(&mut work, &mut state, &parts[0]), Seen::More);
    assert_eq!(see(&mut work, &mut state, &parts[1]), Seen::More);
    assert_eq!(see(&mut work, &mut state, &parts[2]), example());
}

#[test]
fn after_a_retry_the_hello_begins_anew() {
    let (hello, other) = (hello_octets(), [9; 12]);
    let (mut work, mut state) = (Workspace::new(1), State::default());
    assert_eq!(see(&mut work, &mut state, &packet(1, &ID, &ID, 0, &crypto_frame(6, 0, &hello[..99]))), Seen::More);
    let retried = packet(1, &other, &other, 1, &crypto_frame(6, 0, &hello));
    assert_eq!(see(&mut work, &mut state, &retried), example());
}

#[test]
fn the_oldest_hello_gives_way() {
    let hello = hello_octets();
    let halves = |id: u8| {
        let id = [id; 8];
        let half = |number, at: usize, end: usize| packet(1, &id, &id, number, &crypto_frame(6, at, &hello[at..end]));
        [half(0, 0, 100), half(1, 100, hello.len())]
    };
    let mut work = Workspace::new(2);
    let mut states = [(); 3].map(|()| State::default());
    for (n, state) in states.iter_mut().enumerate() {
        assert_eq!(see(&mut work, state, &halves(n as u8)[0]), Seen::More);
    }
    // The first lost its place: what follows is a new beginning that cannot end, and takes the second's.
    assert_eq!(see(&mut work, &mut states[2], &halves(2)[1]), example());
    assert_eq!(see(&mut work, &mut states[0], &halves(0)[1]), Seen::More);
    assert_eq!(see(&mut work, &mut states[1], &halves(1)[1]), Seen::More);
    assert_eq!(see(&mut Workspace::new(0), &mut State::default(), &halves(0)[0]), Seen::Packets);
}

/// A hello as Google's QUIC has it.
fn chlo(name: &[u8]) -> Vec<u8> {
    let mut octets = b"CHLO\x03\0\0\0PAD\0".to_vec();
    octets.extend(700_u32.to_le_bytes());
    octets.extend(b"SNI\0");
    octets.extend((700 + name.len() as u32).to_le_bytes());
    octets.extend(b"VER\0");
    octets.extend((704 + name.len() as u32).to_le_bytes());
    octets.extend([b'-'; 700]);
    octets.extend(name);
    octets.extend(b"Q043");
    octets
}

#[test]
fn googles_hello_is_read() {
    let chlo = chlo(b"web.example");
    let length = (chlo.len() as u16).to_be_bytes();
    let name = Seen::Hello(Some("web.example".into()));
    let clear = [&[0x0d][..], &ID, b"Q043", &[1], &[7; 12], &[0xa0, 1], &length, &chlo, &[0; 30]].concat();
    assert_eq!(see_alone(&clear), name);
    assert_eq!(see_alone(&clear[..300]), Seen::Packets);
    let long = [&[0xc3][..], b"Q046", &[0x50], &ID, &[0, 0, 0, 1], &[7; 12], &[0xa0, 1], &length, &chlo].concat();
    assert_eq!(see_alone(&long), name);
    let version = u32::from_be_bytes(*b"Q050");
    assert_eq!(see_alone(&packet(version, &ID, &ID, 0, &crypto_frame(8, 0, &chlo))), name);
}

#[test]
fn other_datagrams_are_not_quic() {
    assert_eq!(see_alone(&[]), Seen::No);
    assert_eq!(see_alone(&[0x80; 1200]), Seen::No);
    assert_eq!(see_alone(b"\x0d12345678R043"), Seen::No);
    assert_eq!(see_alone(&[0xff; 40]), Seen::No);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn any_cut_and_any_order_give_the_hello(
        cuts in prop::collection::vec(1..240_usize, 0..12),
        order in prop::collection::vec(any::<u32>(), 13),
        packets in 1..4_usize,
    ) {
        let hello = hello_octets();
        let mut ends = cuts;
        ends.extend([0, hello.len()]);
        ends.sort_unstable();
        ends.dedup();
        let mut frames: Vec<_> =
            ends.windows(2).map(|pair| crypto_frame(6, pair[0], &hello[pair[0]..pair[1]])).zip(order).collect();
        frames.sort_by_key(|frame| frame.1);
        let (mut work, mut state) = (Workspace::new(1), State::default());
        let chunks: Vec<_> = frames.chunks(frames.len().div_ceil(packets)).collect();
        for (number, chunk) in chunks.iter().enumerate() {
            let frames: Vec<u8> = chunk.iter().flat_map(|frame| frame.0.clone()).collect();
            let seen = see(&mut work, &mut state, &packet(1, &ID, &ID, number as u8, &frames));
            let expected = if number + 1 == chunks.len() { example() } else { Seen::More };
            prop_assert_eq!(seen, expected);
        }
    }

    #[test]
    fn any_frames_do_no_harm(frames in prop::collection::vec(prop_oneof![0..9_u8, any::<u8>()], 0..600)) {
        let (mut work, mut state) = (Workspace::new(1), State::default());
        for number in 0..3 {
            see(&mut work, &mut state, &packet(1, &ID, &ID, number, &frames));
        }
    }

    #[test]
    fn any_datagram_does_no_harm(mut datagram in prop::collection::vec(any::<u8>(), 0..1500), shape in 0..5_usize) {
        let shapes: [&[u8]; 5] =
            [&[], &[0xc0, 0, 0, 0, 1, 8], &[0xc3, b'Q', b'0', b'4', b'6', 0x50], b"\x0d12345678Q043", &[0xd0, 0x6b, 0x33, 0x43, 0xcf]];
        let length = datagram.len().min(shapes[shape].len());
        datagram[..length].copy_from_slice(&shapes[shape][..length]);
        let (mut work, mut state) = (Workspace::new(1), State::default());
        see(&mut work, &mut state, &datagram);
        see(&mut work, &mut state, &datagram);
    }
}
