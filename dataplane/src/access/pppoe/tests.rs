//! Hosts and concentrators that talk by hand.

use std::time::Duration;

use super::*;
use crate::access::discovery::{PADR, PADS, PADT};
use crate::endpoint::{Address, Endpoint};
use crate::flow::Realm;

pub(super) const HOST: Mac = Mac([2, 0, 0, 0, 0, 1]);
pub(super) const CONCENTRATOR: Mac = Mac([2, 0, 0, 0, 0, 2]);
pub(super) const STRANGER: Mac = Mac([2, 0, 0, 0, 0, 9]);
pub(super) const UP: (Mac, Mac) = (HOST, CONCENTRATOR);
pub(super) const DOWN: (Mac, Mac) = (CONCENTRATOR, HOST);
pub(super) const ADDRESS: [u8; 4] = [10, 9, 0, 10];

pub(super) struct Line {
    pub(super) pppoe: Pppoe,
    pub(super) settings: AccessSettings,
    pub(super) now: Nanos,
    pub(super) realm: Realm,
    pub(super) id: u16,
    pub(super) tally: Tally,
}

/// What was told, in short: kind, name, IPv4 address.
pub(super) type Told = (AccessKind, String, Option<[u8; 4]>);

pub(super) const ACCEPTED: AccessKind = AccessKind::Result { success: true };
pub(super) const REFUSED: AccessKind = AccessKind::Result { success: false };
pub(super) const LOGIN: AccessKind = AccessKind::Login { more: false };

pub(super) fn one(kind: AccessKind, name: &str, ipv4: Option<[u8; 4]>) -> Vec<Told> {
    vec![(kind, name.to_owned(), ipv4)]
}

/// A control packet: code, id, data.
pub(super) fn control(code: u8, id: u8, data: &[u8]) -> Vec<u8> {
    [&[code, id][..], &(data.len() as u16 + 4).to_be_bytes(), data].concat()
}

impl Line {
    pub(super) fn new() -> Self {
        let settings = AccessSettings { sources: vec![Source::Pppoe], seed: 7, ..AccessSettings::default() };
        let (now, realm) = (Nanos::from_parts(1_000_000, 0), Realm::new(0, 100, 10));
        Self { pppoe: Pppoe::new(crate::access::ROOM), settings, now, realm, id: 17, tally: Tally::default() }
    }

    pub(super) fn sight(&self, macs: (Mac, Mac)) -> Sight {
        let end = Endpoint::default();
        let ports = if macs.0 == HOST { (0, 1) } else { (1, 0) };
        Sight { source: end, destination: end, macs, realm: self.realm, ports, pppoe: None }
    }

    pub(super) fn wait(&mut self, seconds: u64) {
        self.now = self.now + Duration::from_secs(seconds);
    }

    /// The whole of what a packet told.
    pub(super) fn events(&mut self, macs: (Mac, Mac), is_discovery: bool, payload: &[u8]) -> Found {
        let at = self.sight(macs);
        let mut found = Found::new();
        self.now = self.now + Duration::from_millis(5);
        let Self { pppoe, settings, now, tally, .. } = self;
        if is_discovery {
            pppoe.discovery(settings, *now, &at, payload, tally, &mut found);
        } else {
            pppoe.session(settings, *now, &at, payload, tally, &mut found);
        }
        found
    }

    pub(super) fn discover(&mut self, macs: (Mac, Mac), code: u8, id: u16, tags: &[u8]) -> Vec<Told> {
        let header = [&[0x11, code][..], &id.to_be_bytes(), &(tags.len() as u16).to_be_bytes()].concat();
        let found = self.events(macs, true, &[&header[..], tags, &[0; 30]].concat());
        self.told(found)
    }

    pub(super) fn send(&mut self, macs: (Mac, Mac), protocol: u16, packet: &[u8]) -> Vec<Told> {
        let found = self.send_raw(macs, protocol, packet);
        self.told(found)
    }

    pub(super) fn send_raw(&mut self, macs: (Mac, Mac), protocol: u16, packet: &[u8]) -> Found {
        let header = [[0x11, 0], self.id.to_be_bytes(), (packet.len() as u16 + 2).to_be_bytes()].concat();
        self.events(macs, false, &[&header[..], &protocol.to_be_bytes(), packet, &[0; 40]].concat())
    }

    pub(super) fn told(&self, found: Found) -> Vec<Told> {
        let told = |event: AccessEvent| {
            assert!(event.is_local && event.source == Source::Pppoe, "{event:?}");
            assert_eq!((event.svlan, event.cvlan), (self.realm.svlan(), self.realm.cvlan()));
            assert_eq!((event.mac, event.ports), (Some(HOST), (0, 1)));
            (event.kind, String::from_utf8(event.texts.get(Text::User).to_vec()).unwrap(), event.ipv4)
        };
        found.into_iter().map(told).collect()
    }

    /// Discovery up to the session's number.
    pub(super) fn connect(&mut self) {
        let host_unique = b"\x01\x03\0\x02xy\x01\x01\0\0";
        assert_eq!(self.discover((HOST, Mac::BROADCAST), 0x09, 0, host_unique), []);
        assert_eq!(self.discover(DOWN, 0x07, 0, b"\x01\x02\0\x04bras"), []);
        assert_eq!(self.discover(UP, PADR, 0, host_unique), []);
        assert_eq!(self.discover(DOWN, PADS, self.id, b"\x01\x02\0\x04bras"), []);
    }

    pub(super) fn pap_request(&mut self, id: u8, name: &str) -> Vec<Told> {
        let data = [&[name.len() as u8][..], name.as_bytes(), b"\x06secret"].concat();
        self.send(UP, ppp::PAP, &control(1, id, &data))
    }

    /// PAP, with success.
    pub(super) fn pap(&mut self, name: &str) {
        assert_eq!(self.pap_request(1, name), []);
        assert_eq!(self.send(DOWN, ppp::PAP, &control(2, 1, b"\x02ok")), one(ACCEPTED, name, None));
    }

    /// IPCP up to the last Configure-Ack, of which it is told what it tells.
    pub(super) fn ipcp(&mut self, address: [u8; 4]) -> Vec<Told> {
        let asks = |address: [u8; 4]| [&[3, 6][..], &address].concat();
        assert_eq!(self.send(DOWN, ppp::IPCP, &control(1, 1, &asks([10, 9, 0, 1]))), []);
        assert_eq!(self.send(UP, ppp::IPCP, &control(1, 1, &asks([0; 4]))), []);
        assert_eq!(self.send(UP, ppp::IPCP, &control(2, 1, &asks([10, 9, 0, 1]))), []);
        assert_eq!(self.send(DOWN, ppp::IPCP, &control(3, 1, &asks(address))), []);
        assert_eq!(self.send(UP, ppp::IPCP, &control(1, 2, &asks(address))), []);
        self.send(DOWN, ppp::IPCP, &control(2, 2, &asks(address)))
    }

    pub(super) fn sign_on(&mut self, name: &str) {
        self.connect();
        self.pap(name);
        assert_eq!(self.ipcp(ADDRESS), one(LOGIN, name, Some(ADDRESS)));
    }

    pub(super) fn terminate(&mut self, macs: (Mac, Mac)) -> Vec<Told> {
        self.send(macs, ppp::LCP, &control(5, 3, b"User request"))
    }

    /// An IPv4 packet.
    pub(super) fn carry(&mut self, macs: (Mac, Mac), source: [u8; 4], destination: [u8; 4]) -> Found {
        let end = |address| Endpoint { address: Address::v4(address), port: 1 };
        let ports = (if macs.0 == HOST { 0 } else { 1 }, u16::MAX);
        let at = Sight {
            source: end(source),
            destination: end(destination),
            pppoe: Some(self.id),
            ports,
            ..self.sight(macs)
        };
        let mut found = Found::new();
        self.pppoe.carried(&self.settings, self.now, &at, &mut found);
        found
    }
}

#[test]
fn a_session_from_discovery_to_its_end() {
    let mut line = Line::new();
    line.sign_on("alice");
    assert_eq!(line.terminate(UP), one(AccessKind::Logout, "alice", Some(ADDRESS)));
    assert_eq!(line.send(DOWN, ppp::LCP, &control(6, 3, &[])), []);
    assert_eq!(line.discover(DOWN, PADT, line.id, &[]), []);
    assert_eq!(line.terminate(DOWN), []);
    // The same number again.
    line.wait(3);
    line.sign_on("alice");
    assert_eq!(line.discover(UP, PADT, line.id, &[]), one(AccessKind::Logout, "alice", Some(ADDRESS)));
    assert_eq!((line.tally.malformed, line.tally.pppoe_lost), (0, 0));
}

#[test]
fn a_refused_try_has_no_logout_and_its_message() {
    let mut line = Line::new();
    line.connect();
    assert_eq!(line.pap_request(1, "alice"), []);
    let refusal = line.send_raw(DOWN, ppp::PAP, &control(3, 1, b"\x0fLogin incorrect"));
    assert_eq!(refusal[0].texts.get(Text::Message), b"Login incorrect");
    assert_eq!((refusal[0].code, refusal.len()), (ResultCode::Rejected, 1));
    assert_eq!(line.told(refusal), one(REFUSED, "alice", None));
    for _ in 0..2 {
        assert_eq!(line.terminate(UP), []);
        assert_eq!(line.discover(DOWN, PADT, line.id, &[]), []);
    }
    assert!(line.ipcp(ADDRESS).is_empty());
}

#[test]
fn repetitions_say_nothing_twice() {
    let mut line = Line::new();
    line.connect();
    for id in 1..=3 {
        assert_eq!(line.pap_request(id, "alice"), []);
        assert_eq!(line.pap_request(id, "alice"), []);
    }
    // Each question is answered, the first refusal is the refusal.
    let nak = |line: &mut Line, id| line.send(DOWN, ppp::PAP, &control(3, id, b"\0"));
    assert_eq!(nak(&mut line, 1), one(REFUSED, "alice", None));
    assert_eq!((nak(&mut line, 2), nak(&mut line, 3), nak(&mut line, 1)), (vec![], vec![], vec![]));
    assert_eq!(line.pap_request(4, "alice"), []);
    assert_eq!(nak(&mut line, 4), []);
    // The user tries again.
    line.wait(5);
    assert_eq!(line.pap_request(5, "alice"), []);
    assert_eq!(nak(&mut line, 5), one(REFUSED, "alice", None));
    line.wait(5);
    assert_eq!((line.pap_request(6, "alice"), line.pap_request(7, "alice")), (vec![], vec![]));
    assert_eq!(line.send(DOWN, ppp::PAP, &control(2, 6, &[])), one(ACCEPTED, "alice", None));
    assert_eq!(line.send(DOWN, ppp::PAP, &control(2, 7, &[])), []);
    assert_eq!(line.pap_request(7, "alice"), []);
    assert_eq!(line.send(DOWN, ppp::PAP, &control(2, 7, &[])), []);
    assert_eq!(line.ipcp(ADDRESS), one(LOGIN, "alice", Some(ADDRESS)));
    assert_eq!(line.ipcp(ADDRESS), []);
    // PADS once more.
    assert_eq!(line.discover(DOWN, PADS, line.id, &[]), []);
    assert_eq!(line.discover(DOWN, PADT, line.id, &[]), one(AccessKind::Logout, "alice", Some(ADDRESS)));
}

#[test]
fn a_verdict_has_to_answer_and_comes_from_the_other_end() {
    let mut line = Line::new();
    // Nobody asked; nobody is there.
    assert_eq!(line.send(DOWN, ppp::PAP, &control(2, 1, &[])), []);
    assert_eq!(line.tally.pppoe_lost, 1);
    line.connect();
    assert_eq!(line.send(DOWN, ppp::PAP, &control(2, 1, &[])), []);
    assert_eq!(line.pap_request(1, "alice"), []);
    for (macs, protocol, packet) in [
        (DOWN, ppp::PAP, control(2, 2, &[])),
        (UP, ppp::PAP, control(2, 1, &[])),
        (DOWN, ppp::CHAP, control(3, 1, &[])),
        (DOWN, ppp::EAP, control(3, 1, &[])),
        ((STRANGER, HOST), ppp::PAP, control(2, 1, &[])),
    ] {
        assert_eq!(line.send(macs, protocol, &packet), []);
    }
    line.realm = Realm::new(0, 100, 11);
    assert_eq!(line.send(DOWN, ppp::PAP, &control(2, 1, &[])), []);
    line.realm = Realm::new(0, 100, 10);
    assert_eq!(line.send(DOWN, ppp::PAP, &control(2, 1, &[])), one(ACCEPTED, "alice", None));
}

#[test]
fn chap_asks_again_and_only_its_failure_is_new() {
    let mut line = Line::new();
    line.connect();
    let response = |line: &mut Line, id| line.send(UP, ppp::CHAP, &control(2, id, b"\x04abcdalice"));
    assert_eq!(line.send(DOWN, ppp::CHAP, &control(1, 9, b"\x04wxyzbras")), []);
    assert_eq!(response(&mut line, 9), []);
    assert_eq!(line.send(DOWN, ppp::CHAP, &control(3, 9, b"welcome")), one(ACCEPTED, "alice", None));
    assert_eq!(line.send(DOWN, ppp::CHAP, &control(3, 9, b"welcome")), []);
    assert_eq!(line.ipcp(ADDRESS), one(LOGIN, "alice", Some(ADDRESS)));
    for id in 10..13 {
        line.wait(300);
        assert_eq!(response(&mut line, id), []);
        assert_eq!(line.send(DOWN, ppp::CHAP, &control(3, id, &[])), []);
    }
    assert_eq!(response(&mut line, 13), []);
    assert_eq!(line.send(DOWN, ppp::CHAP, &control(4, 13, b"bye")), one(REFUSED, "alice", Some(ADDRESS)));
    assert_eq!(line.terminate(DOWN), one(AccessKind::Logout, "alice", Some(ADDRESS)));
}

#[test]
fn eap_within_ppp_signs_on_too() {
    let mut line = Line::new();
    line.connect();
    assert_eq!(line.send(DOWN, ppp::EAP, &[1, 1, 0, 5, 1]), []);
    assert_eq!(line.send(UP, ppp::EAP, b"\x02\x01\0\x0a\x01alice"), []);
    assert_eq!(line.send(DOWN, ppp::EAP, &[1, 2, 0, 6, 4, 0]), []);
    assert_eq!(line.send(UP, ppp::EAP, &[2, 2, 0, 6, 4, 0]), []);
    assert_eq!(line.send(DOWN, ppp::EAP, &[3, 2, 0, 4]), one(ACCEPTED, "alice", None));
    assert_eq!(line.send(DOWN, ppp::EAP, &[3, 2, 0, 4]), []);
    assert_eq!(line.ipcp(ADDRESS), one(LOGIN, "alice", Some(ADDRESS)));
}

#[test]
fn both_families_are_one_login() {
    let mut line = Line::new();
    line.connect();
    line.pap("alice");
    let (near, far) = (b"\x01\x0a\0\0\0\0\0\0\0\x01", b"\x01\x0a\0\0\0\0\0\0\0\x02");
    assert_eq!(line.send(DOWN, ppp::IPV6CP, &control(1, 1, far)), []);
    assert_eq!(line.send(UP, ppp::IPCP, &control(1, 7, b"\x03\x06\0\0\0\0")), []);
    assert_eq!(line.send(UP, ppp::IPV6CP, &control(1, 1, near)), []);
    assert_eq!(line.send(UP, ppp::IPV6CP, &control(2, 1, far)), []);
    // An answer that is not to what was asked.
    assert_eq!(line.send(DOWN, ppp::IPV6CP, &control(2, 1, far)), []);
    let opened = line.send(DOWN, ppp::IPV6CP, &control(2, 1, near));
    assert_eq!(opened, one(AccessKind::Login { more: true }, "alice", None));
    assert_eq!(line.ipcp(ADDRESS), one(LOGIN, "alice", Some(ADDRESS)));
    // Another address later is more of the same.
    assert_eq!(line.ipcp([10, 9, 0, 77]), one(AccessKind::Update, "alice", Some([10, 9, 0, 77])));
}

#[test]
fn what_one_side_does_not_speak_is_not_waited_for() {
    let mut line = Line::new();
    line.connect();
    line.pap("alice");
    assert_eq!(line.send(DOWN, ppp::IPV6CP, &control(1, 1, &[])), []);
    assert_eq!(line.ipcp(ADDRESS), one(AccessKind::Login { more: true }, "alice", Some(ADDRESS)));
    let reject = control(8, 1, &[0x80, 0x57, 1, 1, 0, 4]);
    assert_eq!(line.send(UP, ppp::LCP, &reject), one(LOGIN, "alice", Some(ADDRESS)));
    assert_eq!(line.send(UP, ppp::LCP, &reject), []);
}

#[test]
fn data_shows_that_a_lost_agreement_was_there() {
    let mut line = Line::new();
    line.connect();
    line.pap("alice");
    let asks = |address: [u8; 4]| control(1, 2, &[&[3, 6][..], &address].concat());
    assert_eq!(line.send(UP, ppp::IPCP, &asks(ADDRESS)), []);
    // That it uses the address shows nothing: anybody can.
    assert!(line.carry(UP, ADDRESS, [192, 0, 2, 1]).is_empty());
    assert!(line.carry(DOWN, [192, 0, 2, 1], [10, 9, 0, 99]).is_empty());
    let found = line.carry(DOWN, [192, 0, 2, 1], ADDRESS);
    assert_eq!(
        line.told(Found::from_iter(found.into_iter().map(|event| AccessEvent { ports: (0, 1), ..event }))),
        one(LOGIN, "alice", Some(ADDRESS))
    );
    assert!(line.carry(DOWN, [192, 0, 2, 1], ADDRESS).is_empty());
}

#[test]
fn without_the_discovery_the_one_who_shows_who_he_is_signs_on() {
    let mut line = Line::new();
    assert_eq!(line.send(DOWN, ppp::LCP, &control(1, 1, &[])), []);
    assert!(line.ipcp(ADDRESS).is_empty());
    assert_eq!(line.tally.pppoe_lost, 6);
    line.pap("alice");
    assert_eq!(line.ipcp(ADDRESS), one(LOGIN, "alice", Some(ADDRESS)));
}

#[test]
fn a_session_without_names_signs_on_a_host() {
    let mut line = Line::new();
    line.connect();
    assert_eq!(line.ipcp(ADDRESS), one(LOGIN, "", Some(ADDRESS)));
    assert_eq!(line.terminate(UP), one(AccessKind::Logout, "", Some(ADDRESS)));
}

#[test]
fn a_concentrator_that_shows_who_it_is_does_not_sign_on() {
    let mut line = Line::new();
    line.connect();
    let request = control(1, 1, b"\x04bras\x01x");
    assert_eq!(line.send(DOWN, ppp::PAP, &request), []);
    assert_eq!(line.send(UP, ppp::PAP, &control(2, 1, &[])), []);
    assert_eq!(line.ipcp(ADDRESS), one(LOGIN, "", Some(ADDRESS)));
}

#[test]
fn only_its_own_ends_end_a_session() {
    let mut line = Line::new();
    line.sign_on("alice");
    for macs in [(STRANGER, HOST), (STRANGER, CONCENTRATOR), (HOST, STRANGER), (HOST, Mac::BROADCAST)] {
        let found = line.events(macs, true, &[0x11, PADT, 0, 17, 0, 0]);
        // Of a session that is not known control is told; it does not know of it either.
        assert!(found.iter().all(|event| event.mac.is_none() && event.texts.get(Text::User).is_empty()));
    }
    let other = line.id + 1;
    let found = line.events(UP, true, &[0x11, PADT, 0, other as u8, 0, 0]);
    assert!(found.iter().all(|event| event.texts.get(Text::SessionId) == b"18"));
    assert_eq!(line.terminate(UP), one(AccessKind::Logout, "alice", Some(ADDRESS)));
}

#[test]
fn the_number_of_another_replaces_and_so_does_the_same_user() {
    let mut line = Line::new();
    line.sign_on("alice");
    // The concentrator gives the number to the same host again, without a word.
    assert_eq!(line.discover(UP, PADR, 0, &[]), []);
    let replaced = line.discover(DOWN, PADS, line.id, &[]);
    assert_eq!(replaced, one(AccessKind::Logout, "alice", Some(ADDRESS)));
    line.pap("alice");
    assert_eq!(line.ipcp(ADDRESS), one(LOGIN, "alice", Some(ADDRESS)));
    // The host dials again, and gets another number; as another user it may have both.
    let former = line.id;
    line.id = 18;
    line.connect();
    line.pap("bob");
    assert_eq!(line.ipcp([10, 9, 0, 20]), one(LOGIN, "bob", Some([10, 9, 0, 20])));
    line.id = 19;
    line.connect();
    line.pap("alice");
    let mut told = one(AccessKind::Logout, "alice", Some(ADDRESS));
    told.extend(one(LOGIN, "alice", Some([10, 9, 0, 30])));
    assert_eq!(line.ipcp([10, 9, 0, 30]), told);
    assert_eq!(line.discover(UP, PADT, former, &[]), []);
}

#[test]
fn a_service_that_is_not_there_is_a_result() {
    let mut line = Line::new();
    let error = b"\x02\x01\0\x07no line";
    assert_eq!(line.discover(DOWN, PADS, 0, error), []);
    assert_eq!(line.discover(UP, PADR, 0, &[]), []);
    let packet = [&[0x11, PADS, 0, 0, 0, error.len() as u8][..], error].concat();
    let found = line.events(DOWN, true, &packet);
    assert_eq!((found[0].code, found[0].texts.get(Text::Message)), (ResultCode::ServiceError, &b"no line"[..]));
    assert_eq!(line.told(found), one(REFUSED, "", None));
    assert_eq!(line.discover(DOWN, PADS, 0, error), []);
}

#[test]
fn the_line_that_the_access_node_names_is_told() {
    let mut line = Line::new();
    let tags = b"\x01\x05\0\x12\0\0\x0d\xe9\x01\x06eth3/4\x02\x04r-77\x01\x01\0\0";
    assert_eq!(line.discover(UP, PADR, 0, tags), []);
    assert_eq!(line.discover(DOWN, PADS, 17, b"\x01\x02\0\x04bras"), []);
    assert_eq!(line.pap_request(1, "alice"), []);
    let found = line.send_raw(DOWN, ppp::PAP, &control(2, 1, &[]));
    let texts =
        [Text::CircuitId, Text::RemoteId, Text::CalledStation, Text::SessionId].map(|which| found[0].texts.get(which));
    assert_eq!(texts, [&b"eth3/4"[..], b"r-77", b"bras", b"17"]);
}

#[test]
fn a_session_lives_by_its_host_only() {
    let mut line = Line::new();
    line.sign_on("alice");
    let echo = |line: &mut Line, macs, code| line.send_raw(macs, ppp::LCP, &control(code, 1, &[0; 4]));
    assert!(echo(&mut line, DOWN, 9).is_empty());
    let answer = echo(&mut line, UP, 10);
    assert_eq!((answer[0].kind, answer[0].cause), (AccessKind::Alive, AccessEvent::ECHO));
    assert!(echo(&mut line, UP, 10).is_empty());
    line.wait(61);
    assert!(line.carry(DOWN, [192, 0, 2, 1], ADDRESS).is_empty());
    assert!(echo(&mut line, DOWN, 10).is_empty());
    let found = line.carry(UP, ADDRESS, [192, 0, 2, 1]);
    assert_eq!((found[0].kind, found[0].cause, found[0].mac), (AccessKind::Alive, 0, Some(HOST)));
    assert!(line.carry(UP, ADDRESS, [192, 0, 2, 1]).is_empty());
}

#[test]
fn of_sessions_from_before_each_side_is_told_once_a_minute() {
    let mut line = Line::new();
    for _ in 0..2 {
        let (up, down) = (line.carry(UP, ADDRESS, [192, 0, 2, 1]), line.carry(DOWN, [192, 0, 2, 1], ADDRESS));
        assert_eq!((up[0].kind, up[0].mac), (AccessKind::Alive, Some(HOST)));
        assert_eq!((down[0].kind, down[0].mac), (AccessKind::Alive, Some(CONCENTRATOR)));
        assert!(line.carry(UP, ADDRESS, [192, 0, 2, 1]).is_empty());
        line.wait(60);
    }
    let found = line.events(DOWN, true, &[0x11, PADT, 0, 17, 0, 0]);
    assert_eq!((found.len(), found[0].kind, found[0].mac), (1, AccessKind::Logout, None));
}

#[test]
fn who_is_forgotten_is_still_online() {
    let mut line = Line::new();
    line.sign_on("alice");
    line.pppoe.sessions = Sessions::new(8);
    // CHAP's next challenge is no sign-on, and the end is an end.
    assert_eq!(line.pap_request(1, "alice"), []);
    assert_eq!(line.send(DOWN, ppp::PAP, &control(2, 1, &[])), []);
    line.pppoe.sessions = Sessions::new(8);
    let found = line.events(DOWN, true, &[0x11, PADT, 0, 17, 0, 0]);
    assert_eq!((found.len(), found[0].kind, found[0].mac), (1, AccessKind::Logout, Some(HOST)));
}
