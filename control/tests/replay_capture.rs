//! The capture readers, over files made by hand, damaged ones, noise, and real ones where they are at hand.

mod replay_forge;

use std::path::{Path, PathBuf};

use control::replay::capture::{Capture, CaptureError, Ending, Fault};
use proptest::prelude::*;
use replay_forge::{ORDERS, Order, Pcap, PcapNg};

const TIME: u64 = 1_700_000_000_123_456_789;

/// A packet as read: time, link type, octets, length on the wire.
type Read = (Option<u64>, u16, Vec<u8>, u32);

fn read(bytes: &[u8]) -> (Vec<Read>, Option<Ending>) {
    let mut capture = Capture::new(bytes).expect("a capture");
    let mut packets = Vec::new();
    while let Some(packet) = capture.next_packet().expect("memory can always be read") {
        packets.push((packet.time.map(|time| time.0), packet.link.0, packet.bytes.to_vec(), packet.length));
    }
    (packets, capture.ending())
}

fn refused(bytes: &[u8]) -> String {
    Capture::new(bytes).err().expect("not a capture").to_string()
}

#[test]
fn pcap_is_read_in_both_orders_and_resolutions() {
    for order in ORDERS {
        for nanoseconds in [false, true] {
            let file = Pcap::new(order, nanoseconds, 101).packet(TIME, b"one").cut_packet(TIME + 2_000, b"two", 1500);
            let time = if nanoseconds { TIME } else { TIME / 1_000 * 1_000 };
            let expected = vec![
                (Some(time), 101, b"one".to_vec(), 3), //
                (Some(time + 2_000), 101, b"two".to_vec(), 1500),
            ];
            assert_eq!(read(&file.bytes), (expected, None), "{order:?}, nanoseconds: {nanoseconds}");
        }
    }
}

#[test]
fn a_frame_check_sequence_is_no_part_of_the_packet() {
    // The P bit, and a length of two 16-bit words.
    let file = Pcap::new(Order::Little, false, 0x2400_0001).packet(0, b"packetFCS!").cut_packet(0, b"pack", 10);
    let expected = vec![(Some(0), 1, b"packet".to_vec(), 6), (Some(0), 1, b"pack".to_vec(), 6)];
    assert_eq!(read(&file.bytes), (expected, None));
    let file = PcapNg::new(Order::Big).interface(1, 0, &[(13, &[32])]).enhanced(0, 0, b"packetFCS!", &[]);
    assert_eq!(read(&file.bytes).0, vec![(Some(0), 1, b"packet".to_vec(), 6)]);
}

#[test]
fn pcapng_is_read_in_both_orders_with_its_interfaces_and_clocks() {
    for order in ORDERS {
        let file = PcapNg::new(order)
            .interface(1, 0, &[(2, b"eth0")])
            .interface(113, 0, &[(9, &[9]), (14, &order.u64(10))])
            .block(0x0000_0bad, b"a block nobody knows")
            .enhanced(0, TIME / 1_000, b"microseconds", &[(2, &[0; 4]), (1, b"comment")])
            .enhanced(1, TIME, b"nanoseconds", &[])
            .obsolete(1, TIME, b"obsolete")
            .simple(b"simple", 6);
        let expected = vec![
            (Some(TIME / 1_000 * 1_000), 1, b"microseconds".to_vec(), 12),
            (Some(TIME + 10_000_000_000), 113, b"nanoseconds".to_vec(), 11),
            (Some(TIME + 10_000_000_000), 113, b"obsolete".to_vec(), 8),
            (None, 1, b"simple".to_vec(), 6),
        ];
        assert_eq!(read(&file.bytes), (expected, None), "{order:?}");
    }
}

#[test]
fn a_simple_packet_holds_what_the_snap_length_left_of_it() {
    let file = PcapNg::new(Order::Little).interface(1, 5, &[]).simple(b"simple", 900);
    assert_eq!(read(&file.bytes), (vec![(None, 1, b"simpl".to_vec(), 900)], None));
}

#[test]
fn a_new_section_forgets_the_interfaces_and_may_change_the_order() {
    let file = PcapNg::new(Order::Little)
        .interface(1, 0, &[])
        .enhanced(0, 1, b"first", &[])
        .section(Order::Big)
        .interface(101, 0, &[(9, &[0])])
        .enhanced(0, 1, b"second", &[]);
    let expected = vec![(Some(1_000), 1, b"first".to_vec(), 5), (Some(1_000_000_000), 101, b"second".to_vec(), 6)];
    assert_eq!(read(&file.bytes), (expected, None));

    let file = PcapNg::new(Order::Little).interface(1, 0, &[]).section(Order::Little).enhanced(0, 1, b"lost", &[]);
    let (packets, ending) = read(&file.bytes);
    assert!(packets.is_empty());
    let what = ending.expect("damage").to_string();
    assert!(what.ends_with("a packet of an interface that was not described"), "{what}");
}

/// Wherever a file is cut, the packets that are whole are read, and the end is said unless it falls between two.
fn every_cut_is_told(file: &[u8], header: usize, ends: &[usize]) {
    let (whole, _) = read(file);
    for length in header..=file.len() {
        let (packets, ending) = read(&file[..length]);
        let complete = ends.iter().filter(|&&end| end <= length).count();
        assert_eq!(packets, whole[..complete], "cut at {length}");
        let between = length == header || ends.contains(&length);
        let last = ends.iter().rev().find(|&&end| end <= length).copied().unwrap_or(header);
        let expected = Ending { offset: last as u64, fault: Fault::Truncated };
        assert_eq!(ending, (!between).then_some(expected), "cut at {length}");
    }
}

#[test]
fn a_truncated_pcap_gives_what_is_whole() {
    let mut file = Pcap::new(Order::Big, true, 1);
    let mut ends = Vec::new();
    for packet in [&b"one"[..], b"twenty", b""] {
        file = file.packet(TIME, packet);
        ends.push(file.bytes.len());
    }
    every_cut_is_told(&file.bytes, 24, &ends);
    for length in 1..24 {
        assert!(
            matches!(Capture::new(&file.bytes[..length]), Err(CaptureError::HeaderCut(cut)) if cut == length)
                || length < 4
        );
    }
}

#[test]
fn a_truncated_pcapng_gives_what_is_whole() {
    let mut file = PcapNg::new(Order::Big).interface(1, 0, &[]);
    let header = file.bytes.len();
    let mut ends = Vec::new();
    for packet in [&b"one"[..], b"twenty", b""] {
        file = file.enhanced(0, TIME, packet, &[]);
        ends.push(file.bytes.len());
    }
    every_cut_is_told(&file.bytes, header, &ends);
}

#[test]
fn damage_ends_the_reading_where_it_is() {
    let whole = Pcap::new(Order::Little, false, 1).packet(0, b"whole");
    let offset = whole.bytes.len() as u64;
    let mut file = whole.packet(0, b"damaged").bytes;
    file[offset as usize + 8 + 3] = 0x7f;
    let (packets, ending) = read(&file);
    assert_eq!(packets.len(), 1);
    let ending = ending.expect("damage");
    assert_eq!(ending.offset, offset);
    assert_eq!(ending.to_string(), format!("it is damaged at octet {offset}: a packet of more than 16 MiB"));

    for (file, what) in [
        (PcapNg::new(Order::Little).interface(1, 0, &[]).enhanced(1, 0, b"", &[]), "not described"),
        (PcapNg::new(Order::Little).interface(1, 0, &[]).block(6, &[0; 19]), "contradicts itself"),
        (PcapNg::new(Order::Little).block(2, &[0; 8]), "too short"),
        (PcapNg::new(Order::Little).block(1, &[0; 4]), "interface description"),
    ] {
        let ending = read(&file.bytes).1.expect("damage").to_string();
        assert!(ending.contains(what), "{ending}");
    }
    // An enhanced packet whose lengths are not true: of the block, at its end, and of the packet.
    let before = || PcapNg::new(Order::Little).interface(1, 0, &[]).enhanced(0, 0, b"whole", &[]);
    let (start, good) = (before().bytes.len(), before().enhanced(0, 0, b"damaged", &[]).bytes);
    for (at, length, what) in [
        (start + 4, 0_u32, "a block shorter than its header"),
        (start + 4, 8, "a block shorter than its header"),
        (start + 4, u32::MAX - 3, "a block of more than 16 MiB"),
        (good.len() - 4, 4, "a packet block that contradicts itself"),
        (start + 20, u32::MAX, "a packet block that contradicts itself"),
    ] {
        let mut file = good.clone();
        file[at..at + 4].copy_from_slice(&length.to_le_bytes());
        let (packets, ending) = read(&file);
        assert_eq!(
            (packets.len(), ending.unwrap().to_string()),
            (1, format!("it is damaged at octet {start}: {what}"))
        );
    }
    let mut short = PcapNg::new(Order::Little).bytes;
    short.extend([5, 0, 0, 0, 11, 0, 0, 0, 0, 0, 0, 0]);
    assert!(read(&short).1.expect("damage").to_string().contains("shorter than its header"));
}

#[test]
fn what_is_no_capture_is_refused_with_its_reason() {
    assert_eq!(refused(b""), "it is empty");
    assert_eq!(refused(&[0x1f, 0x8b, 8, 0]), "it is compressed with gzip; decompress it first (gunzip FILE)");
    assert_eq!(refused(&[0x28, 0xb5, 0x2f, 0xfd, 0]), "it is compressed with zstd; decompress it first (unzstd FILE)");
    assert_eq!(refused(b"GET / HTTP"), "it is neither pcap nor pcapng (it begins with 47 45 54 20)");
    assert_eq!(refused(&[0xd4, 0xc3, 0xb2, 0xa1, 2]), "it ends within its file header, after 5 octets");
    assert_eq!(refused(&[0x0a, 0x0d, 0x0d, 0x0a, 2]), "it ends within its file header, after 5 octets");
    let mut old = Pcap::new(Order::Little, false, 1).bytes;
    old[4] = 1;
    assert_eq!(refused(&old), "it is neither pcap nor pcapng (it begins with the header of a pcap of version 1)");
    let directory = Capture::open(&std::env::temp_dir()).err().expect("no file").to_string();
    assert_eq!(directory, "it is a directory; name the capture files in it");
    let missing = Capture::open(Path::new("/nonexistent/capture.pcap")).err().expect("no file").to_string();
    assert!(missing.starts_with("cannot read it: No such file"), "{missing}");
}

/// Reads to the end, whatever it is; the packets, and whether anything moved that must not.
fn exhaust(bytes: &[u8]) {
    let Ok(mut capture) = Capture::new(bytes) else { return };
    let mut frames = Vec::new();
    while let Ok(Some(packet)) = capture.next_packet() {
        assert!(packet.length as usize >= packet.bytes.len());
        if let Some(framing) = packet.link.framing() {
            frames.clear();
            let length = framing.ethernet(packet.bytes, packet.length, &mut frames);
            assert!(length.is_none_or(|length| length as usize >= frames.len()));
        }
    }
}

fn noise() -> impl Strategy<Value = Vec<u8>> {
    proptest::collection::vec(any::<u8>(), 0..600)
}

proptest! {
    #[test]
    fn noise_is_survived(bytes in noise()) {
        exhaust(&bytes);
    }

    #[test]
    fn noise_behind_a_pcap_header_is_survived(
        big in any::<bool>(), link in prop_oneof![0..300_u32, any::<u32>()], bytes in noise()
    ) {
        let order = if big { Order::Big } else { Order::Little };
        let mut file = Pcap::new(order, false, link).bytes;
        file.extend(&bytes);
        exhaust(&file);
        exhaust(&Pcap::new(order, true, link).packet(TIME, &bytes).bytes);
    }

    #[test]
    fn noise_in_pcapng_blocks_is_survived(
        big in any::<bool>(), link in 0..300_u16, kind in 0..8_u32, option in any::<(u16, [u8; 8])>(), bytes in noise()
    ) {
        let order = if big { Order::Big } else { Order::Little };
        let file = PcapNg::new(order)
            .interface(link, 0, &[(option.0 % 16, &option.1)])
            .enhanced(0, TIME, &bytes, &[])
            .block(kind, &bytes);
        exhaust(&file.bytes);
        let mut tail = file.bytes;
        tail.extend(&bytes);
        exhaust(&tail);
    }

    #[test]
    fn flipped_octets_are_survived(at in any::<prop::sample::Index>(), value in any::<u8>(), big in any::<bool>()) {
        let order = if big { Order::Big } else { Order::Little };
        let mut file = PcapNg::new(order).interface(1, 0, &[(9, &[9])])
            .enhanced(0, TIME, b"packet", &[(1, b"comment")]).obsolete(0, TIME, b"packet").simple(b"packet", 6).bytes;
        let at = at.index(file.len());
        file[at] = value;
        exhaust(&file);
    }
}

/// Where real captures are, if anywhere: `$OSTIARY_CAPTURES`, or beside the checkout.
fn captures() -> Option<PathBuf> {
    let beside = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared/captures");
    let folder = std::env::var_os("OSTIARY_CAPTURES").map_or(beside, PathBuf::from);
    folder.is_dir().then_some(folder)
}

#[test]
fn real_captures_are_read_to_their_end() {
    let Some(folder) = captures() else {
        println!("skipped: no captures; name a folder of them in OSTIARY_CAPTURES");
        return;
    };
    let mut files = 0;
    for category in std::fs::read_dir(folder).expect("the folder") {
        let Ok(entries) = std::fs::read_dir(category.expect("an entry").path()) else { continue };
        for path in entries.map(|entry| entry.expect("an entry").path()) {
            if !path.extension().is_some_and(|extension| extension == "pcap" || extension == "pcapng") {
                continue;
            }
            let mut capture = Capture::open(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
            let mut packets = 0;
            while capture.next_packet().expect("a readable file").is_some() {
                packets += 1;
            }
            assert!(packets > 0, "{}: {:?}", path.display(), capture.ending());
            files += 1;
        }
    }
    println!("{files} captures read");
    assert!(files > 0);
}
