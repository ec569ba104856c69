use proptest::prelude::*;

use super::options::{IA_ADDRESS, IA_NA, IA_PD, IA_PREFIX, IA_TA, STATUS};
use super::*;
use crate::endpoint::Endpoint;
use crate::flow::Realm;

const CLIENT: [u8; 6] = [0x02, 0, 0, 0, 0, 0x11];
const SERVER: [u8; 6] = [0x02, 0, 0, 0, 0, 0xfe];
/// DUID-LL of another interface of the client.
const DUID: [u8; 10] = [0, 3, 0, 1, 2, 0, 0, 0, 0, 0x99];
const LINK_LOCAL: [u8; 16] = [0xfe, 0x80, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x11];
const LEASED: [u8; 16] = [0x20, 1, 0xd, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x77];
const PREFIX: [u8; 16] = [0x20, 1, 0xd, 0xb8, 0x77, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0];

fn option(code: u16, value: &[u8]) -> Vec<u8> {
    [&code.to_be_bytes()[..], &(value.len() as u16).to_be_bytes(), value].concat()
}

fn message(kind: u8, options: &[Vec<u8>]) -> Vec<u8> {
    [&[kind, 0, 0, 9][..], &option(CLIENT_ID, &DUID), &options.concat()].concat()
}

fn address(seconds: u32) -> Vec<u8> {
    option(IA_ADDRESS, &[&LEASED[..], &[0, 0, 0, 1], &seconds.to_be_bytes()].concat())
}

fn ia_na(options: &[Vec<u8>]) -> Vec<u8> {
    option(IA_NA, &[&[0; 12][..], &options.concat()].concat())
}

fn ia_pd(bits: u8, seconds: u32) -> Vec<u8> {
    let prefix = option(IA_PREFIX, &[&[0, 0, 0, 1][..], &seconds.to_be_bytes(), &[bits], &PREFIX].concat());
    option(IA_PD, &[&[0; 12][..], &prefix].concat())
}

fn relayed(kind: u8, options: &[Vec<u8>], message: &[u8]) -> Vec<u8> {
    [&[kind, 0][..], &LEASED, &LINK_LOCAL, &options.concat(), &option(RELAYED, message)].concat()
}

fn asked() -> Sight {
    let end = |address, port| Endpoint { address: Address(address), port };
    Sight {
        source: end(LINK_LOCAL, DHCPV6_CLIENT),
        destination: end([0xff, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0, 2], DHCPV6_SERVER),
        macs: (Mac(CLIENT), Mac([0x33, 0x33, 0, 1, 0, 2])),
        realm: Realm::new(0, 101, 7),
        ports: (3, u16::MAX),
        pppoe: None,
    }
}

fn answered() -> Sight {
    let Sight { source: client, .. } = asked();
    let server =
        Endpoint { address: Address([0xfe, 0x80, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1]), port: DHCPV6_SERVER };
    Sight { source: server, destination: client, macs: (Mac(SERVER), Mac(CLIENT)), ..asked() }
}

fn settings(sources: &[Source]) -> AccessSettings {
    AccessSettings { sources: sources.to_vec(), seed: 5, ..AccessSettings::default() }
}

fn hear_with(sources: &[Source], at: &Sight, octets: &[u8]) -> (Option<AccessEvent>, [u64; 2]) {
    let (mut tally, mut found) = (Tally::default(), Found::new());
    read(&settings(sources), at, octets, &mut tally, &mut found);
    assert!(found.len() <= 1, "a message says one thing");
    (found.pop(), [tally.dhcpv6_messages, tally.malformed])
}

fn hear(sources: &[Source], at: &Sight, octets: &[u8]) -> Option<AccessEvent> {
    let (event, counted) = hear_with(sources, at, octets);
    assert_eq!(counted, [1, 0]);
    event
}

const MOST_OFTEN: &[Source] = &[Source::Pppoe, Source::Dhcp];
const ALONE: &[Source] = &[Source::Dhcpv6];

#[test]
fn what_is_leased_is_told_of_who_signed_on_otherwise() {
    let request = message(REQUEST, &[ia_na(&[address(0)])]);
    assert!(hear(MOST_OFTEN, &asked(), &request).is_none(), "who asks has nothing yet");
    let reply = message(REPLY, &[ia_na(&[address(600)]), ia_pd(40, 900)]);
    let event = hear(MOST_OFTEN, &answered(), &reply).unwrap();
    assert_eq!((event.kind, event.source), (AccessKind::Update, Source::Dhcpv6));
    assert_eq!((event.ipv6, event.prefix, event.assigned), (Some(LEASED), Some((PREFIX, 40)), Assigned::Dhcpv6));
    assert_eq!((event.mac, event.svlan, event.cvlan, event.is_local), (Some(Mac(CLIENT)), 101, 7, true));
    assert_eq!((event.lifetime, event.transaction), (Some(900), 9));
    assert_eq!(event.ends.0.address, Address(LINK_LOCAL), "who asked stands first");
    // Given back, or withdrawn.
    for (at, message) in [
        (asked(), message(RELEASE, &[ia_na(&[address(0)])])),
        (asked(), message(DECLINE, &[ia_na(&[address(600)])])),
        (answered(), message(REPLY, &[ia_na(&[address(0)])])),
    ] {
        let ended = hear(MOST_OFTEN, &at, &message).unwrap();
        assert_eq!((ended.kind, ended.lifetime, ended.ipv6), (AccessKind::Logout, None, Some(LEASED)));
        assert_eq!(ended.session, event.session);
    }
    let prefix = hear(MOST_OFTEN, &answered(), &message(REPLY, &[ia_pd(56, 900), ia_na(&[address(0)])])).unwrap();
    assert_eq!((prefix.ipv6, prefix.prefix, prefix.assigned), (None, Some((PREFIX, 56)), Assigned::Delegated));
    assert!(hear_with(&[Source::Radius], &answered(), &reply).1 == [0, 0]);
}

#[test]
fn in_a_session_of_pppoe_it_is_of_that_session() {
    let at = Sight { pppoe: Some(17), ..answered() };
    let reply = message(REPLY, &[ia_na(&[address(600)])]);
    let both = &[Source::Pppoe, Source::Dhcpv6];
    let event = hear(both, &at, &reply).unwrap();
    let other_way = Sight { macs: (at.macs.1, at.macs.0), ..at };
    assert_eq!((event.kind, event.session), (AccessKind::Update, other_way.pppoe_session(5, 17)));
    let lone = hear(ALONE, &at, &reply).unwrap();
    assert_eq!(lone.kind, AccessKind::Login { more: false }, "nobody else tells of the session");
}

#[test]
fn where_it_is_asked_for_it_signs_on_and_off() {
    let solicit =
        hear(ALONE, &asked(), &message(SOLICIT, &[ia_na(&[]), option(FQDN, b"\0\x04host\x03lan\0")])).unwrap();
    assert_eq!((solicit.kind, solicit.ipv6), (AccessKind::Hint, None));
    assert_eq!(solicit.texts.get(Text::HostName), b"host.lan");
    let advertise = message(ADVERTISE, &[ia_na(&[address(600)])]);
    assert!(hear(ALONE, &answered(), &advertise).is_none(), "an offer is none");
    let request = hear(ALONE, &asked(), &message(REQUEST, &[ia_na(&[address(0)])])).unwrap();
    assert_eq!((request.kind, request.ipv6), (AccessKind::Hint, None));
    let renew = hear(ALONE, &asked(), &message(RENEW, &[ia_na(&[address(0)])])).unwrap();
    assert_eq!((renew.kind, renew.ipv6), (AccessKind::Hint, Some(LEASED)));
    let login = hear(ALONE, &answered(), &message(REPLY, &[ia_na(&[address(600)])])).unwrap();
    assert_eq!((login.kind, login.ipv6), (AccessKind::Login { more: false }, Some(LEASED)));
    let temporary = option(IA_TA, &[&[0; 4][..], &address(600)].concat());
    let temporary = hear(ALONE, &answered(), &message(REPLY, &[temporary])).unwrap();
    assert_eq!(temporary.ipv6, Some(LEASED));
    let release = hear(ALONE, &asked(), &message(RELEASE, &[ia_na(&[address(0)])])).unwrap();
    assert_eq!((release.kind, release.ipv6), (AccessKind::Logout, Some(LEASED)));
    for event in [&solicit, &request, &renew, &login, &release] {
        assert_eq!((event.session, event.transaction), (login.session, 9));
    }
}

#[test]
fn the_relay_nearest_to_the_client_says_where_it_is() {
    let inner = relayed(
        RELAY_REPLY,
        &[
            option(INTERFACE_ID, b"eth 1"),
            option(REMOTE_ID, b"\0\0\0\x09dsl7"),
            option(SUBSCRIBER_ID, b"alice"),
            option(LINK_LAYER, &[0, 1, 2, 0, 0, 0, 0, 0x55]),
        ],
        &message(REPLY, &[ia_na(&[address(600)])]),
    );
    let outer = relayed(RELAY_REPLY, &[option(INTERFACE_ID, b"far")], &inner);
    let event = hear(MOST_OFTEN, &answered(), &outer).unwrap();
    assert_eq!((event.mac, event.is_local), (Some(Mac([2, 0, 0, 0, 0, 0x55])), false));
    assert_eq!(event.nas, Some(Address(LEASED)));
    assert_eq!(event.texts.get(Text::CircuitId), b"eth 1");
    assert_eq!(event.texts.get(Text::RemoteId), b"dsl7");
    assert_eq!(event.texts.get(Text::SubscriberId), b"alice");
    // Without that option the client's own word is left.
    let plain = relayed(RELAY_REPLY, &[], &message(REPLY, &[ia_na(&[address(600)])]));
    let plain = hear(MOST_OFTEN, &answered(), &plain).unwrap();
    assert_eq!((plain.mac, plain.session), (Some(Mac([2, 0, 0, 0, 0, 0x99])), event.session));
    // More relays than there may be are no way to anywhere.
    let deep = (0..9).fold(message(REPLY, &[ia_na(&[address(600)])]), |inner, _| relayed(RELAY_REPLY, &[], &inner));
    let (event, counted) = hear_with(MOST_OFTEN, &answered(), &deep);
    assert_eq!((event.is_none(), counted), (true, [1, 1]));
}

#[test]
fn failures_lease_nothing() {
    let failed = option(STATUS, b"\0\x02none left");
    for reply in [
        message(REPLY, &[failed.clone(), ia_na(&[address(600)])]),
        message(REPLY, &[ia_na(&[address(600), failed.clone()])]),
        message(REPLY, &[ia_na(&[option(IA_ADDRESS, &[&LEASED[..], &[0, 0, 0, 1, 0, 0, 0, 9], &failed].concat())])]),
        message(REPLY, &[]),
        message(REPLY, &[option(STATUS, &[0, 0]), ia_na(&[])]),
    ] {
        for sources in [MOST_OFTEN, ALONE] {
            assert!(hear(sources, &answered(), &reply).is_none());
        }
    }
}

#[test]
fn what_contradicts_itself_is_counted_and_not_believed() {
    let whole = message(REPLY, &[ia_na(&[address(600)])]);
    let mut group = whole.clone();
    let at = group.len() - 24;
    group[at] = 0xff;
    let nobody = [&[REPLY, 0, 0, 9][..], &ia_na(&[address(600)])].concat();
    let lone = Sight { macs: <(Mac, Mac)>::default(), ..answered() };
    for (at, message) in [
        (answered(), whole[..whole.len() - 1].to_vec()),
        (answered(), group),
        (answered(), message(REPLY, &[ia_pd(129, 600)])),
        (answered(), message(REPLY, &[ia_pd(0, 600)])),
        (answered(), message(REPLY, &[option(IA_NA, &[0; 11])])),
        (answered(), message(REPLY, &[ia_na(&[option(IA_ADDRESS, &LEASED)])])),
        (answered(), relayed(RELAY_REPLY, &[], &[])),
        (answered(), vec![RELAY_REPLY, 0, 1]),
        (lone, nobody),
        (answered(), vec![]),
    ] {
        let (event, counted) = hear_with(MOST_OFTEN, &at, &message);
        assert!(event.is_none(), "{event:?}");
        assert_eq!(counted, [1, 1], "{message:x?}");
    }
}

proptest! {
    #[test]
    fn hostile_octets_do_no_harm(
        octets in prop::collection::vec(any::<u8>(), 0..300),
        changes in prop::collection::vec((0_usize..400, any::<u8>()), 0..12),
        relays in 0_usize..12,
        cut in 0_usize..800,
    ) {
        let inner = message(REPLY, &[ia_na(&[address(600)]), ia_pd(56, 900), option(FQDN, b"\0\x04host\0"), octets.clone()]);
        let mut whole = (0..relays).fold(inner, |inner, _| relayed(RELAY_FORWARD, &[option(REMOTE_ID, &octets)], &inner));
        for (at, octet) in changes {
            let at = at % whole.len();
            whole[at] = octet;
        }
        for octets in [&octets[..], &whole, &whole[..cut.min(whole.len())]] {
            for sources in [MOST_OFTEN, ALONE] {
                let (event, _) = hear_with(sources, &answered(), octets);
                prop_assert!(event.and_then(|event| event.prefix).is_none_or(|(_, bits)| (1..=128).contains(&bits)));
                hear_with(sources, &asked(), octets);
            }
        }
    }
}
