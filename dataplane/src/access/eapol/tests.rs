//! Supplicants and authenticators that talk by hand.

use std::time::Duration;

use proptest::prelude::*;

use super::*;
use crate::endpoint::Endpoint;

const HOST: Mac = Mac([2, 0, 0, 0, 0, 1]);
const OTHER: Mac = Mac([2, 0, 0, 0, 0, 3]);
const SWITCH: Mac = Mac([2, 0, 0, 0, 0, 2]);

struct Link {
    dot1x: Dot1x,
    settings: AccessSettings,
    now: Nanos,
    realm: Realm,
    tally: Tally,
}

/// What was told: the kind, who, and the name.
type Told = (AccessKind, Mac, Vec<u8>);

fn ok(name: &str) -> Vec<Told> {
    vec![(AccessKind::Result { success: true }, HOST, name.into())]
}

fn fail(name: &str) -> Vec<Told> {
    vec![(AccessKind::Result { success: false }, HOST, name.into())]
}

fn logout(name: &str) -> Vec<Told> {
    vec![(AccessKind::Logout, HOST, name.into())]
}

impl Link {
    fn new() -> Self {
        let settings = AccessSettings { sources: vec![Source::Dot1x], seed: 7, ..AccessSettings::default() };
        let (now, realm) = (Nanos::from_parts(1_000_000, 0), Realm::new(0, 0, 0));
        Self { dot1x: Dot1x::new(1_024), settings, now, realm, tally: Tally::default() }
    }

    fn send(&mut self, macs: (Mac, Mac), kind: u8, body: &[u8]) -> Vec<Told> {
        let frame = [&[2, kind][..], &(body.len() as u16).to_be_bytes(), body, &[0; 20]].concat();
        self.frame(macs, &frame)
    }

    fn frame(&mut self, macs: (Mac, Mac), frame: &[u8]) -> Vec<Told> {
        let end = Endpoint::default();
        let ports = if macs.0 == SWITCH { (1, 0) } else { (0, 1) };
        let at = Sight { source: end, destination: end, macs, realm: self.realm, ports, pppoe: None };
        let mut found = Found::new();
        self.dot1x.frame(&self.settings, self.now, &at, frame, &mut self.tally, &mut found);
        self.now = self.now + Duration::from_millis(5);
        let told = |event: AccessEvent| {
            assert!(event.is_local && event.session != 0 && event.source == Source::Dot1x);
            assert_eq!(event.ports, if event.mac == Some(SWITCH) { (1, 0) } else { (0, 1) });
            (event.kind, event.mac.unwrap(), event.texts.get(Text::User).to_vec())
        };
        found.into_iter().map(told).collect()
    }

    fn identity(&mut self, id: u8, name: &str) {
        assert_eq!(self.send((SWITCH, HOST), PACKET, &[1, id, 0, 5, 1]), []);
        let response = [&[2, id][..], &(5 + name.len() as u16).to_be_bytes(), &[1], name.as_bytes()].concat();
        assert_eq!(self.send((HOST, GROUP), PACKET, &response), []);
    }

    /// One more step, of any method.
    fn step(&mut self, id: u8) {
        assert_eq!(self.send((SWITCH, HOST), PACKET, &[1, id, 0, 6, 25, 32]), []);
        assert_eq!(self.send((HOST, GROUP), PACKET, &[2, id, 0, 6, 25, 0]), []);
    }

    fn verdict(&mut self, to: Mac, code: u8, id: u8) -> Vec<Told> {
        self.send((SWITCH, to), PACKET, &[code, id, 0, 4])
    }
}

#[test]
fn success_failure_and_logoff_are_told_once() {
    let mut link = Link::new();
    assert_eq!(link.send((HOST, GROUP), START, &[]), []);
    link.identity(1, "alice");
    link.step(2);
    assert_eq!(link.verdict(HOST, 3, 2), ok("alice"));
    assert_eq!(link.verdict(HOST, 3, 2), []);
    assert_eq!(link.send((HOST, GROUP), LOGOFF, &[]), logout("alice"));
    assert_eq!(link.send((HOST, GROUP), LOGOFF, &[]), []);
    // The port's closing is said too, and is no verdict.
    assert_eq!(link.verdict(HOST, 4, 2), []);
    link.identity(3, "alice");
    link.step(4);
    assert_eq!(link.verdict(HOST, 4, 4), fail("alice"));
    assert_eq!(link.verdict(HOST, 4, 4), []);
    assert_eq!(link.send((HOST, GROUP), LOGOFF, &[]), []);
    assert_eq!((link.tally.eapol_frames, link.tally.malformed), (17, 0));
}

#[test]
fn a_verdict_needs_its_response() {
    let mut link = Link::new();
    assert_eq!(link.verdict(HOST, 3, 1), []);
    assert_eq!(link.send((SWITCH, HOST), PACKET, &[1, 1, 0, 5, 1]), []);
    assert_eq!(link.verdict(HOST, 4, 1), []);
    link.identity(5, "alice");
    assert_eq!(link.verdict(HOST, 3, 9), []);
    assert_eq!(link.verdict(OTHER, 3, 5), []);
    link.realm = Realm::new(0, 100, 0);
    assert_eq!(link.verdict(HOST, 3, 5), []);
    link.realm = Realm::new(0, 0, 0);
    link.now = link.now + PATIENCE;
    assert_eq!(link.verdict(HOST, 3, 5), []);
    link.identity(5, "alice");
    assert_eq!(link.verdict(HOST, 3, 6), ok("alice"));
}

#[test]
fn a_verdict_to_the_group_is_for_who_answered_last_with_its_id() {
    let mut link = Link::new();
    link.identity(1, "alice");
    assert_eq!(link.send((OTHER, GROUP), PACKET, b"\x02\x07\0\x08\x01bob"), []);
    assert_eq!(link.verdict(GROUP, 3, 1), ok("alice"));
    let bob = vec![(AccessKind::Result { success: false }, OTHER, b"bob".to_vec())];
    assert_eq!(link.verdict(GROUP, 4, 7), bob);
    assert_eq!(link.verdict(GROUP, 3, 1), []);
    link.realm = Realm::new(0, 5, 0);
    assert_eq!(link.verdict(GROUP, 3, 7), []);
}

#[test]
fn who_stays_does_not_sign_on_again_unless_the_host_begins() {
    let mut link = Link::new();
    link.identity(1, "alice");
    assert_eq!(link.verdict(HOST, 3, 1), ok("alice"));
    link.now = link.now + Duration::from_secs(3_600);
    link.identity(8, "alice");
    assert_eq!(link.verdict(HOST, 3, 8), []);
    link.identity(9, "bob");
    assert_eq!(link.verdict(HOST, 3, 9), ok("bob"));
    assert_eq!(link.send((HOST, GROUP), START, &[]), []);
    link.identity(1, "bob");
    assert_eq!(link.verdict(HOST, 3, 1), ok("bob"));
    link.identity(2, "bob");
    assert_eq!(link.verdict(HOST, 4, 2), fail("bob"));
    assert_eq!(link.send((HOST, GROUP), LOGOFF, &[]), []);
}

#[test]
fn names_are_octets_of_any_kind_and_the_longest_are_cut() {
    let mut link = Link::new();
    let name = [b"\"]\n\xff".as_slice(), &[b'x'; 600]].concat();
    let response = [&[2, 4][..], &(5 + name.len() as u16).to_be_bytes(), &[1], &name].concat();
    assert_eq!(link.send((HOST, GROUP), PACKET, &response), []);
    assert_eq!(link.verdict(HOST, 3, 4), [(AccessKind::Result { success: true }, HOST, name[..255].to_vec())]);
}

#[test]
fn many_hosts_take_no_more_room_and_who_waits_stays() {
    let mut link = Link::new();
    for number in 0..20_000_u32 {
        let [a, b, c, d] = number.to_be_bytes();
        link.send((Mac([6, 0, a, b, c, d]), GROUP), START, &[]);
        link.send((Mac([4, 0, a, b, c, d]), GROUP), LOGOFF, &[]);
    }
    assert!(link.dot1x.places.iter().all(|place| place.session == 0));
    for number in 0..20_000_u32 {
        let [a, b, c, d] = number.to_be_bytes();
        link.send((Mac([4, 0, a, b, c, d]), GROUP), PACKET, b"\x02\x07\0\x08\x01bob");
    }
    // All but those who have a place now had to give way, and each is counted.
    assert_eq!((link.dot1x.places.len(), link.tally.eapol_lost), (1_024, 20_000 - 1_024));
    link.identity(1, "alice");
    assert_eq!(link.verdict(HOST, 3, 1), ok("alice"));
}

#[test]
fn frames_cut_short_say_nothing() {
    let mut link = Link::new();
    link.identity(1, "alice");
    let whole = [2, PACKET, 0, 4, 3, 1, 0, 4];
    for length in 0..whole.len() {
        assert_eq!(link.frame((SWITCH, HOST), &whole[..length]), []);
    }
    assert_eq!(link.frame((SWITCH, HOST), &[2, PACKET, 0, 3, 3, 1, 0, 4]), []);
    assert_eq!(link.tally.malformed, 9);
    assert_eq!(link.frame((SWITCH, HOST), &whole), ok("alice"));
}

proptest! {
    /// Nothing that is sent is a panic, and without a response no verdict is told.
    #[test]
    fn hostile_frames_are_borne(
        frames in prop::collection::vec((0..3_u8, 0..3_u8, prop::collection::vec(any::<u8>(), 0..40), any::<bool>()), 0..40)
    ) {
        let mut link = Link::new();
        let macs = [HOST, SWITCH, GROUP];
        for (from, to, mut octets, is_shaped) in frames {
            if is_shaped && octets.len() >= 8 {
                let length = octets.len() as u8 - 4;
                (octets[1], octets[2], octets[3]) = (octets[1] % 3, 0, length);
                (octets[4], octets[5], octets[6], octets[7]) = (octets[4] % 5, octets[5] % 4, 0, length);
            }
            let told = link.frame((macs[usize::from(from)], macs[usize::from(to)]), &octets);
            prop_assert!(told.len() <= 1);
        }
    }
}
