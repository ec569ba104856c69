use std::net::Ipv4Addr;

use proptest::prelude::*;

use super::options::{FILE, OPTIONS, SNAME};
use super::*;
use crate::endpoint::Endpoint;
use crate::flow::Realm;

const CLIENT: [u8; 6] = [0x02, 0, 0, 0, 0, 0x11];
const ROUTER: [u8; 6] = [0x02, 0, 0, 0, 0, 0xfe];
const SERVER: [u8; 4] = [192, 0, 2, 1];
const RELAY: [u8; 4] = [198, 51, 100, 1];
const LEASED: [u8; 4] = [192, 0, 2, 77];
const OFFER: u8 = 2;

/// A message in the making.
#[derive(Clone)]
struct Dhcp {
    octets: Vec<u8>,
}

impl Dhcp {
    fn new(op: u8, kind: u8) -> Self {
        let mut octets = vec![0; COOKIE];
        octets[..4].copy_from_slice(&[op, 1, 6, 0]);
        octets[XID..XID + 4].copy_from_slice(&[0, 0, 7, 0xc0]);
        octets[CHADDR..CHADDR + 6].copy_from_slice(&CLIENT);
        octets.extend([99, 130, 83, 99]);
        Self { octets }.option(53, &[kind])
    }

    fn request(kind: u8) -> Self {
        Self::new(BOOTREQUEST, kind)
    }

    fn reply(kind: u8) -> Self {
        Self::new(BOOTREPLY, kind).option(54, &SERVER)
    }

    fn ack(seconds: u32) -> Self {
        Self::reply(ACK).field(YIADDR, LEASED).option(51, &seconds.to_be_bytes())
    }

    fn field(mut self, at: usize, value: [u8; 4]) -> Self {
        self.octets[at..at + 4].copy_from_slice(&value);
        self
    }

    fn option(mut self, code: u8, value: &[u8]) -> Self {
        self.octets.extend([code, value.len() as u8]);
        self.octets.extend(value);
        self
    }

    fn end(mut self) -> Vec<u8> {
        self.octets.push(255);
        self.octets
    }
}

fn settings(servers: &[[u8; 4]]) -> AccessSettings {
    let dhcp_servers = servers.iter().map(|server| Ipv4Addr::from(*server)).collect();
    AccessSettings { sources: vec![Source::Dhcp], dhcp_servers, seed: 5, ..AccessSettings::default() }
}

fn sight(from: ([u8; 6], [u8; 4], u16), to: ([u8; 6], [u8; 4], u16)) -> Sight {
    let end = |(_, address, port): ([u8; 6], [u8; 4], u16)| Endpoint { address: Address::v4(address), port };
    Sight {
        source: end(from),
        destination: end(to),
        macs: (Mac(from.0), Mac(to.0)),
        realm: Realm::new(0, 101, 0),
        ports: (3, u16::MAX),
        pppoe: None,
    }
}

fn asked() -> Sight {
    sight((CLIENT, [0; 4], 68), ([0xff; 6], [255; 4], 67))
}

fn answered() -> Sight {
    sight((ROUTER, SERVER, 67), (CLIENT, LEASED, 68))
}

/// What is said of a message, and what is counted: messages, malformed, unlisted.
fn hear_with(settings: &AccessSettings, at: &Sight, octets: &[u8]) -> (Option<AccessEvent>, [u64; 3]) {
    let (mut tally, mut found) = (Tally::default(), Found::new());
    if resembles(octets) {
        read(settings, at, octets, &mut tally, &mut found);
    }
    assert!(found.len() <= 1, "a message says one thing");
    (found.pop(), [tally.dhcp_messages, tally.malformed, tally.dhcp_unlisted])
}

fn hear(at: &Sight, octets: &[u8]) -> Option<AccessEvent> {
    let (event, counted) = hear_with(&settings(&[]), at, octets);
    assert_eq!(counted, [1, 0, 0]);
    event
}

#[test]
fn a_lease_is_asked_for_and_given_by_two_flows() {
    let discover = hear(&asked(), &Dhcp::request(DISCOVER).option(12, b"host\0").end()).unwrap();
    let offer = Dhcp::reply(OFFER).field(YIADDR, LEASED).option(51, &[0, 0, 0, 60]).end();
    assert!(hear(&answered(), &offer).is_none(), "a lease that is offered is none");
    let request = Dhcp::request(REQUEST).option(50, &LEASED).option(61, b"\x01\x02\0\0\0\0\x11").option(12, b"host");
    let request = hear(&asked(), &request.end()).unwrap();
    let ack = hear(&answered(), &Dhcp::ack(43_200).end()).unwrap();

    assert_eq!((discover.kind, discover.cause), (AccessKind::Hint, u16::from(DISCOVER)));
    assert_eq!((request.kind, request.cause, request.ipv4), (AccessKind::Hint, u16::from(REQUEST), None));
    assert_eq!(request.texts.get(Text::HostName), b"host");
    assert_eq!(request.texts.get(Text::ClientId), b"\x01\x02\0\0\0\0\x11");
    assert_eq!(discover.texts.get(Text::HostName), b"host");
    assert_eq!((ack.kind, ack.ipv4), (AccessKind::Login { more: false }, Some(LEASED)));
    assert_eq!((ack.lifetime, ack.transaction), (Some(43_200), 0x7c0));
    for event in [&discover, &request, &ack] {
        assert_eq!((event.mac, event.svlan, event.is_local), (Some(Mac(CLIENT)), 101, true));
        assert_eq!((event.session, event.transaction, event.source), (ack.session, ack.transaction, Source::Dhcp));
    }
    assert_eq!((request.ports, ack.ports), ((3, u16::MAX), (u16::MAX, 3)));
    assert_eq!(ack.ends.1.address, Address::v4(SERVER), "who answered stands second");
}

#[test]
fn a_renewal_says_that_the_address_was_there_before() {
    let renewing = sight((CLIENT, LEASED, 68), (ROUTER, SERVER, 67));
    let request = hear(&renewing, &Dhcp::request(REQUEST).field(CIADDR, LEASED).end()).unwrap();
    assert_eq!((request.kind, request.ipv4), (AccessKind::Hint, Some(LEASED)));
    // Also where the acknowledgment is all there is.
    let ack = hear(&answered(), &Dhcp::ack(60).field(CIADDR, LEASED).end()).unwrap();
    assert_eq!((ack.kind, ack.ipv4, ack.session), (AccessKind::Seen, Some(LEASED), request.session));
    // Of a client that begins anew the request has no address, whatever the server copies.
    let begins = hear(&asked(), &Dhcp::request(REQUEST).option(50, &LEASED).end()).unwrap();
    assert_eq!(begins.ipv4, None);
}

#[test]
fn a_relay_is_named_and_no_part_of_who_the_client_is() {
    let agent = [b"\x01\x05eth 1", &b"\x02\x04dsl7"[..], b"\x06\x05alice"].concat();
    let between = sight((ROUTER, SERVER, 67), (ROUTER, RELAY, 67));
    let relayed = Dhcp::ack(600).field(GIADDR, RELAY).option(82, &agent).end();
    let event = hear(&between, &relayed).unwrap();
    assert_eq!((event.nas, event.is_local), (Some(Address::v4(RELAY)), false));
    assert_eq!(event.texts.get(Text::CircuitId), b"eth 1");
    assert_eq!(event.texts.get(Text::RemoteId), b"dsl7");
    assert_eq!(event.texts.get(Text::SubscriberId), b"alice");
    // To the client, or to a port of the client's at the relay's address, it is the same lease.
    let beyond = sight((ROUTER, RELAY, 67), (CLIENT, LEASED, 68));
    let to_client = hear(&beyond, &relayed).unwrap();
    assert_eq!((to_client.session, to_client.is_local), (event.session, true));
    // The client gives it back without the relay.
    let release = Dhcp::request(RELEASE).field(CIADDR, LEASED).end();
    let release = hear(&sight((ROUTER, LEASED, 68), (ROUTER, SERVER, 67)), &release).unwrap();
    assert_eq!((release.kind, release.session, release.ipv4), (AccessKind::Logout, event.session, Some(LEASED)));
    // What the relay says may be broken; the lease is not.
    let broken = Dhcp::ack(600).option(82, b"\x02\x04dsl7\x01\xffeth").end();
    let event = hear(&between, &broken).unwrap();
    assert_eq!((event.texts.get(Text::RemoteId), event.texts.get(Text::CircuitId)), (&b"dsl7"[..], &b""[..]));
}

#[test]
fn a_refusal_and_what_is_declined_are_told_with_their_words() {
    let nak = hear(&answered(), &Dhcp::reply(NAK).option(56, b"wrong network\0").end()).unwrap();
    assert_eq!((nak.kind, nak.code), (AccessKind::Result { success: false }, ResultCode::Nak));
    assert_eq!((nak.texts.get(Text::Message), nak.ipv4), (&b"wrong network"[..], None));
    let decline = hear(&asked(), &Dhcp::request(DECLINE).option(50, &LEASED).end()).unwrap();
    assert_eq!((decline.kind, decline.ipv4, decline.cause), (AccessKind::Logout, Some(LEASED), u16::from(DECLINE)));
    assert_eq!(decline.session, nak.session);
}

#[test]
fn what_leases_nothing_says_nothing() {
    // The answer to INFORM, without a lease; with an address that some servers fill in.
    assert!(hear(&answered(), &Dhcp::reply(ACK).end()).is_none());
    assert!(hear(&answered(), &Dhcp::reply(ACK).field(YIADDR, LEASED).end()).is_none());
    assert!(hear(&answered(), &Dhcp::reply(ACK).option(51, &[0, 0, 0, 60]).end()).is_none());
    // OFFER, FORCERENEW, lease queries and their answers, what is not assigned.
    for kind in [0, OFFER, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 200] {
        let message = Dhcp::reply(kind).field(YIADDR, LEASED).option(51, &[0, 0, 0, 60]);
        assert!(hear(&answered(), &message.clone().end()).is_none(), "{kind}");
    }
    // BOOTP.
    let mut bootp = Dhcp::reply(ACK).field(YIADDR, LEASED);
    bootp.octets.truncate(OPTIONS);
    assert!(hear(&answered(), &bootp.end()).is_none());
    // Another cookie, another operation.
    for (at, octet) in [(COOKIE, 98), (0, 3), (0, 0)] {
        let mut other = Dhcp::ack(60).end();
        other[at] = octet;
        assert_eq!(hear_with(&settings(&[]), &answered(), &other).1, [0, 0, 0]);
    }
    // In a session of PPPoE, and where DHCP is not asked for.
    let inside = Sight { pppoe: Some(7), ..answered() };
    assert_eq!(hear_with(&settings(&[]), &inside, &Dhcp::ack(60).end()).1, [0, 0, 0]);
    let without = AccessSettings { sources: vec![Source::Radius], ..settings(&[]) };
    assert_eq!(hear_with(&without, &answered(), &Dhcp::ack(60).end()).1, [0, 0, 0]);
}

#[test]
fn what_contradicts_itself_is_counted_and_not_believed() {
    let field = |at: usize, octet: u8| {
        let mut message = Dhcp::ack(60).end();
        message[at] = octet;
        message
    };
    let nobody = {
        let mut message = Dhcp::ack(60);
        message.octets[CHADDR..CHADDR + 6].fill(0);
        message.end()
    };
    let cut = Dhcp::ack(60).option(12, b"host").octets;
    for message in [
        field(2, 17),
        nobody,
        cut[..cut.len() - 1].to_vec(),
        Dhcp::ack(60).option(53, &[NAK]).end(),
        Dhcp::ack(60).option(51, &[0, 0, 0, 61]).end(),
        Dhcp::ack(60).option(53, &[ACK, 0]).end(),
        Dhcp::ack(0).end(),
        Dhcp::ack(60).field(YIADDR, [255; 4]).end(),
        Dhcp::ack(60).field(YIADDR, [127, 0, 0, 1]).end(),
        Dhcp::request(ACK).field(YIADDR, LEASED).option(51, &[0, 0, 0, 60]).end(),
        Dhcp::reply(RELEASE).field(CIADDR, LEASED).end(),
        // Options in the file's place that go beyond it.
        {
            let mut message = Dhcp::ack(60).option(52, &[1]).end();
            message[FILE + 126..FILE + 128].copy_from_slice(&[12, 9]);
            message
        },
    ] {
        let (event, counted) = hear_with(&settings(&[]), &answered(), &message);
        assert!(event.is_none(), "{event:?}");
        assert_eq!(counted, [1, 1, 0]);
    }
    // Said twice and the same is no contradiction.
    assert!(hear(&answered(), &Dhcp::ack(60).option(53, &[ACK]).end()).is_some());
}

#[test]
fn only_servers_that_are_listed_are_believed() {
    let ack = Dhcp::ack(60).end();
    let (event, counted) = hear_with(&settings(&[SERVER]), &answered(), &ack);
    assert_eq!((event.is_some(), counted), (true, [1, 0, 0]));
    // Whatever the message itself names as its server.
    let (event, counted) = hear_with(&settings(&[RELAY]), &answered(), &ack);
    assert_eq!((event.is_some(), counted), (false, [1, 0, 1]));
    let (event, _) = hear_with(&settings(&[RELAY]), &asked(), &Dhcp::request(REQUEST).end());
    assert!(event.is_some(), "what a client asks is nobody's word");
}

#[test]
fn a_client_without_a_hardware_address_is_known_by_its_identifier() {
    // IP over InfiniBand (RFC 4390).
    let mut message = Dhcp::ack(60).option(61, b"\0id");
    message.octets[1..3].copy_from_slice(&[32, 0]);
    message.octets[CHADDR..CHADDR + 6].fill(0);
    let event = hear(&answered(), &message.end()).unwrap();
    assert_eq!((event.mac, event.texts.get(Text::ClientId)), (None, &b"\0id"[..]));
}

/// Puts options into the three places, as they come; `places` says which.
fn spread(pieces: &[(u8, Vec<u8>)], places: &[u8]) -> Vec<u8> {
    let mut areas = [Vec::new(), Vec::new(), Vec::new()];
    let mut last = 0;
    for (at, (code, value)) in pieces.iter().enumerate() {
        let piece = [&[*code, value.len() as u8][..], value].concat();
        // Only forward, so that the order is kept, and only where there is room.
        let wanted = usize::from(places.get(at).copied().unwrap_or(0) % 3).max(last);
        let place = (wanted..3).find(|place| areas[*place].len() + piece.len() < [4000, 128, 64][*place]);
        let Some(place) = place else { break };
        last = place;
        areas[place].extend(piece);
    }
    let [options, file, sname] = areas;
    let mut message = Dhcp::ack(60).option(52, &[3]).octets;
    message.extend(options);
    message.push(255);
    for (area, at) in [(file, FILE), (sname, SNAME)] {
        message[at..at + area.len()].copy_from_slice(&area);
        message[at + area.len()] = 255;
    }
    message
}

/// What a message says in its options, read the slow way: all octets of a code, in the order of the places.
fn slow(message: &[u8], code: u8) -> Vec<u8> {
    let mut octets = Vec::new();
    for mut area in [&message[OPTIONS..], &message[FILE..FILE + 128], &message[SNAME..SNAME + 64]] {
        loop {
            match *area {
                [255, ..] | [] => break,
                [0, ..] => area = &area[1..],
                [found, length, ..] => {
                    let value = &area[2..2 + usize::from(length)];
                    if found == code {
                        octets.extend(value);
                    }
                    area = &area[2 + usize::from(length)..];
                }
                [_] => unreachable!("what was put together is whole"),
            }
        }
    }
    octets
}

proptest! {
    #[test]
    fn options_are_put_together_from_wherever_they_stand(
        pieces in prop::collection::vec((prop::sample::select(vec![12_u8, 61, 82, 56, 77]), prop::collection::vec(1_u8.., 0..40)), 0..20),
        places in prop::collection::vec(0_u8..3, 20),
    ) {
        let message = spread(&pieces, &places);
        let options = Options::read(&message).unwrap();
        for (code, read) in [(12, &options.host_name[..]), (61, &options.client_id), (56, &options.message), (82, &options.agent)] {
            let mut expected = slow(&message, code);
            expected.truncate(if code == 82 { 512 } else { 255 });
            prop_assert_eq!(read, &expected[..]);
        }
    }

    #[test]
    fn hostile_octets_do_no_harm(
        octets in prop::collection::vec(any::<u8>(), 0..600),
        changes in prop::collection::vec((0_usize..400, any::<u8>()), 0..12),
        cut in 0_usize..400,
    ) {
        let mut message = Dhcp::ack(60).option(52, &[3]).option(82, b"\x01\x02ab").option(12, b"host").end();
        for (at, octet) in changes {
            let at = at % message.len();
            message[at] = octet;
        }
        let forged = [&Dhcp::ack(60).octets[..], &octets].concat();
        for message in [&octets[..], &message, &message[..cut.min(message.len())], &forged] {
            hear_with(&settings(&[]), &answered(), message);
            hear_with(&settings(&[]), &asked(), message);
        }
    }
}
