//! What nobody should send: floods, lengths that lie, octets of any kind.

use proptest::prelude::*;

use super::tests::*;
use super::*;
use crate::access::discovery::{PADR, PADS, PADT};

#[test]
fn floods_take_no_more_room_and_are_counted() {
    let mut line = Line::new();
    line.sign_on("alice");
    for number in 0..100_000_u32 {
        let [a, b, c, d] = number.to_be_bytes();
        let flooder = Mac([6, 0, a, b, c, d]);
        line.events((flooder, CONCENTRATOR), true, &[0x11, PADT, 0, 17, 0, 0]);
        line.events((flooder, CONCENTRATOR), true, &[0x11, PADR, 0, 0, 0, 0]);
        line.events((CONCENTRATOR, flooder), true, &[0x11, PADS, c, d | 1, 0, 0]);
    }
    assert!(line.tally.pppoe_lost > 100_000);
    // Who the host was is forgotten, that it was on is not: control knows whose session it is.
    assert_eq!(line.terminate(UP), one(AccessKind::Logout, "", None));
    let second = (0..10_000_u32).map(|number| {
        let [a, b, c, d] = number.to_be_bytes();
        let at = line.sight((Mac([8, 0, a, b, c, d]), CONCENTRATOR));
        let mut found = Found::new();
        line.pppoe.discovery(&line.settings, line.now, &at, &[0x11, PADT, 0, 17, 0, 0], &mut line.tally, &mut found);
        found.len()
    });
    assert!(second.sum::<usize>() <= 2_048);
}

#[test]
fn lengths_that_lie_are_counted_and_nothing_is_believed() {
    let mut line = Line::new();
    line.connect();
    assert_eq!(line.pap_request(1, "alice"), []);
    let whole = [&[0x11, 0, 0, 17, 0, 7, 0xc0, 0x23][..], &control(2, 1, &[0])].concat();
    for length in 0..whole.len() {
        assert!(line.events(DOWN, false, &whole[..length]).is_empty());
    }
    for (at, octet) in [(0, 0x12), (1, 9), (2, 0xff), (5, 1), (5, 6), (5, 8), (10, 1), (11, 3), (11, 6)] {
        let mut bad = whole.clone();
        bad[at] = octet;
        assert!(line.events(DOWN, false, &bad).is_empty(), "{at}");
    }
    assert_eq!(line.send(UP, ppp::CHAP, &control(2, 1, b"\x09short")), []);
    assert_eq!(line.send(UP, ppp::PAP, &control(1, 1, b"\x09short")), []);
    assert!(line.tally.malformed > 15);
    assert_eq!(line.events(DOWN, false, &whole).len(), 1);
}

#[test]
fn the_longest_names_are_kept_and_longer_ones_cut() {
    let mut line = Line::new();
    line.connect();
    for (id, length) in [(1, 255), (2, 1_000)] {
        let name = vec![0xff; length];
        let response = control(2, id, &[b"\x01x".as_slice(), &name].concat());
        assert!(line.send_raw(UP, ppp::CHAP, &response).is_empty());
        let found = line.send_raw(DOWN, ppp::CHAP, &control(3, id, &[]));
        assert_eq!(found[0].texts.get(Text::User), &name[..255]);
        assert_eq!(found[0].texts.was_cut(Text::User), length > 255);
    }
}

/// The frames of a whole sign-on, and of a refused one.
fn good() -> Vec<((Mac, Mac), bool, Vec<u8>)> {
    let session = |macs, protocol: u16, packet: Vec<u8>| {
        let header = [[0x11, 0], [0, 17], (packet.len() as u16 + 2).to_be_bytes(), protocol.to_be_bytes()].concat();
        (macs, false, [header, packet].concat())
    };
    let discovery =
        |macs, code, id, tags: &[u8]| (macs, true, [&[0x11, code, 0, id, 0, tags.len() as u8][..], tags].concat());
    vec![
        discovery(UP, PADR, 0, b"\x01\x05\0\x0c\0\0\x0d\xe9\x01\x06eth3/4"),
        discovery(DOWN, PADS, 17, b"\x01\x02\0\x04bras"),
        session(UP, ppp::PAP, control(1, 1, b"\x05alice\x01x")),
        session(DOWN, ppp::PAP, control(3, 1, b"\x02no")),
        session(DOWN, ppp::CHAP, control(1, 2, b"\x01xbras")),
        session(UP, ppp::CHAP, control(2, 2, b"\x01xalice")),
        session(DOWN, ppp::CHAP, control(3, 2, b"welcome")),
        session(DOWN, ppp::IPCP, control(1, 1, &[3, 6, 10, 9, 0, 1])),
        session(UP, ppp::IPCP, control(2, 1, &[3, 6, 10, 9, 0, 1])),
        session(UP, ppp::IPCP, control(1, 2, &[3, 6, 10, 9, 0, 10])),
        session(DOWN, ppp::IPCP, control(2, 2, &[3, 6, 10, 9, 0, 10])),
        session(UP, ppp::LCP, control(10, 1, &[0; 4])),
        session(UP, ppp::EAP, b"\x02\x01\0\x0a\x01alice".to_vec()),
        session(DOWN, ppp::EAP, vec![3, 1, 0, 4]),
        session(UP, ppp::LCP, control(8, 1, &[0x80, 0x57])),
        session(DOWN, ppp::LCP, control(5, 1, b"bye")),
        discovery(DOWN, PADT, 17, b"\x02\x03\0\x03bye"),
    ]
}

proptest! {
    /// Octets of any kind, good frames with a few changed, cut and in any order: nothing is a panic, and nobody goes who did not
    /// come.
    #[test]
    fn hostile_frames_are_borne(
        steps in prop::collection::vec(
            (0..17_usize, any::<bool>(), prop::collection::vec((0..40_usize, any::<u8>()), 0..3), 0..60_usize,
                prop::option::of(prop::collection::vec(any::<u8>(), 0..64))),
            0..60,
        )
    ) {
        let mut line = Line::new();
        let good = good();
        let mut online = std::collections::HashSet::new();
        for (which, is_other_way, changes, length, random) in steps {
            let (macs, is_discovery, mut frame) = good[which].clone();
            for (at, octet) in changes {
                if let Some(place) = frame.get_mut(at) {
                    *place = octet;
                }
            }
            frame.truncate(length.max(1));
            let macs = if is_other_way { (macs.1, macs.0) } else { macs };
            let frame = random.unwrap_or(frame);
            for event in line.events(macs, is_discovery, &frame) {
                match event.kind {
                    AccessKind::Login { .. } => drop(online.insert(event.session)),
                    // Of who is not known, no name is told.
                    AccessKind::Logout if event.mac.is_some() => prop_assert!(online.remove(&event.session)),
                    _ => {}
                }
            }
        }
    }
}
