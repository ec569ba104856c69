//! Sign-ons of access users, as packets show them to [`Access`]: before each packet stand what it is, whose, a pause, and a length in
//! two octets.
//!
//! Octets of a packet are taken as they are, or (by a bit of `whose`) as what stands behind headers that are right, so that lengths
//! and checks need not be found out first. Every such PAP and RADIUS request has a password, which no event may have. By a bit
//! of such a RADIUS message its authenticators are right as well.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use dataplane::access::{
    Access, AccessEvent, AccessKind, AccessSettings, Found, RadiusClient, ResultCode, Sight, Source, Text, Texts, Trust,
};
use dataplane::endpoint::{Address, Endpoint, Mac};
use dataplane::flow::Realm;
use dataplane::time::Nanos;
use dataplane::wire::ethernet;
use md5::{Digest, Md5};

/// What a packet is.
#[derive(Clone, Copy)]
pub enum Kind {
    Radius,
    Discovery,
    Session,
    /// IP within a session of PPPoE.
    Carried,
    Eapol,
    Dhcp,
    Dhcpv6,
}

/// Packets that wait for others, at most: so that those of an input can be too many.
const ROOM: usize = 32;
const SECRET: &[u8] = b"secret";
/// The user whose RADIUS messages are believed only where they can be verified.
const STRICT: u8 = 3;
const PASSWORD: &[u8; 16] = b"\x91wonder-\xe7\x03land\x8a\xfe";

/// Shows packets of some kinds; what was found out from each goes to `then`, with the time.
pub fn run(mut data: &[u8], kinds: &[Kind], mut then: impl FnMut(Nanos, &[AccessEvent])) {
    if data.windows(8).any(|window| PASSWORD.windows(8).any(|piece| piece == window)) {
        return;
    }
    let mut access = Access::with_room(Arc::new(settings()), ROOM);
    let mut asked = HashMap::new();
    let mut now = Nanos(1_000_000_000_000);
    while let Some((&[what, whose, pause, high, low], rest)) = data.split_first_chunk::<5>() {
        let length = usize::from(u16::from_be_bytes([high, low])).min(rest.len());
        let (octets, after) = rest.split_at(length);
        data = after;
        // Up to a quarter of an hour, most often much less.
        now = now + Duration::from_micros(1 << (pause % 30));
        let kind = kinds[usize::from(what) % kinds.len()];
        let built = if whose & 0x10 == 0 { octets.to_vec() } else { build(kind, octets) };
        let built = if matches!(kind, Kind::Radius) { sealed(built, octets, whose, &mut asked) } else { built };
        let at = sight(kind, whose);
        let mut found = Found::new();
        match kind {
            Kind::Radius | Kind::Dhcp | Kind::Dhcpv6 => access.datagram(now, &at, &built, &mut found),
            Kind::Discovery => access.control(now, &at, ethernet::PPPOE_DISCOVERY, &built, &mut found),
            Kind::Session => access.control(now, &at, ethernet::PPPOE_SESSION, &built, &mut found),
            Kind::Eapol => access.control(now, &at, ethernet::EAPOL, &built, &mut found),
            Kind::Carried => access.carried(now, &at, &mut found),
        }
        found.iter().for_each(|event| check(event, kind));
        then(now, &found);
        found.clear();
        access.turn(now, &mut found);
        found.iter().for_each(|event| check(event, Kind::Radius));
        then(now, &found);
        access.take_tally();
    }
}

fn settings() -> AccessSettings {
    AccessSettings {
        sources: Source::ALL.to_vec(),
        ports: vec![1812, 1813],
        clients: [1, STRICT]
            .map(|user| RadiusClient {
                name: "known".into(),
                networks: vec![(Address::v4([10, 0, 0, user]), 128)],
                secret: SECRET.into(),
                believes_unverified: user != STRICT,
            })
            .into(),
        believes_unknown: true,
        seed: 7,
        ..AccessSettings::default()
    }
}

/// Bit 0: from the server; 1 and 2: which of four users; 3: IPv6; 5: within PPPoE; 6 and 7: VLANs.
fn sight(kind: Kind, whose: u8) -> Sight {
    let user = whose >> 1 & 3;
    let address = |last| {
        let mut v6 = [0xfe, 0x80, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, last];
        v6[8] = 2;
        if whose & 8 == 0 { Address::v4([10, 0, 0, last]) } else { Address(v6) }
    };
    let (client, server) = match kind {
        Kind::Radius => (40_000, 1812 + u16::from(user & 1)),
        Kind::Dhcp => (68, 67),
        Kind::Dhcpv6 => (546, 547),
        _ => (0, 0),
    };
    let one = (Endpoint { address: address(user), port: client }, Mac([2, 0, 0, 0, 0, user]));
    let other = (Endpoint { address: address(9), port: server }, Mac([2, 0, 0, 0, 0, 9]));
    let (from, to) = if whose & 1 == 0 { (one, other) } else { (other, one) };
    Sight {
        source: from.0,
        destination: to.0,
        macs: (from.1, to.1),
        realm: Realm::new(0, u16::from(whose >> 6 & 1), u16::from(whose >> 7)),
        ports: (u16::from(whose & 1), u16::from(!whose & 1)),
        pppoe: (whose & 0x20 != 0 || matches!(kind, Kind::Carried)).then_some(u16::from(user)),
    }
}

/// Octets behind headers that are right.
fn build(kind: Kind, octets: &[u8]) -> Vec<u8> {
    let Some((&[one, two, three], rest)) = octets.split_first_chunk::<3>() else { return octets.to_vec() };
    let length = |octets: usize| (octets as u16).to_be_bytes();
    match kind {
        Kind::Radius => {
            // An attribute that is longer than what is left would have the password for its own.
            let mut end = 0;
            while let Some(length @ 2..) = rest.get(end + 1).map(|length| usize::from(*length))
                && end + length <= rest.len()
            {
                end += length;
            }
            let attributes = [&rest[..end], &[2, 18], PASSWORD].concat();
            let authenticator = [three & 3; 16];
            [&[one, two][..], &length(20 + attributes.len()), &authenticator, &attributes].concat()
        }
        Kind::Discovery => [&[0x11, one, 0, two & 3][..], &length(rest.len()), rest].concat(),
        Kind::Session => {
            let protocol = [0xc021_u16, 0xc023, 0xc223, 0x8021, 0x8057, 0xc227][usize::from(one >> 2) % 6];
            let name = &rest[..rest.len().min(255)];
            let data = match (protocol, two) {
                (0xc023, 1) => [&[name.len() as u8][..], name, &[16], PASSWORD].concat(),
                _ => rest.to_vec(),
            };
            let packet = [&[two, three][..], &length(4 + data.len()), &data].concat();
            let head = [&[0x11, 0, 0, one & 3][..], &length(2 + packet.len()), &protocol.to_be_bytes()];
            [&head.concat()[..], &packet].concat()
        }
        Kind::Eapol => {
            let packet = [&[one, two][..], &length(5 + rest.len()), &[three], rest].concat();
            [&[2, 0][..], &length(packet.len()), &packet].concat()
        }
        Kind::Dhcp => {
            let mut message = vec![0; 240];
            message[..4].copy_from_slice(&[one, 1, 6, 0]);
            message[16..20].copy_from_slice(&[10, 0, 0, three]);
            message[28..34].copy_from_slice(&[2, 0, 0, 0, 0, three & 3]);
            message[236..].copy_from_slice(&[99, 130, 83, 99]);
            [&message[..], &[53, 1, two], rest].concat()
        }
        Kind::Dhcpv6 => [&[one, 0, 0, two][..], &[0, 1, 0, 10, 0, 3, 0, 1, 2, 0, 0, 0, 0, three], rest].concat(),
        Kind::Carried => Vec::new(),
    }
}

/// A RADIUS message of which the third octet says so, with right authenticators: of a request that of RFC 2866, 3, or a random
/// one; of an answer that which follows from the last request with its number; by another bit, with Message-Authenticator.
fn sealed(mut message: Vec<u8>, octets: &[u8], whose: u8, asked: &mut HashMap<(u8, u8), [u8; 16]>) -> Vec<u8> {
    let (user, how) = (whose >> 1 & 3, octets.get(2).copied().unwrap_or_default());
    let Some(&[code, id, ..]) = message.first_chunk::<20>() else { return message };
    let is_answer = matches!(code, 2 | 3 | 5 | 11 | 41 | 42 | 44 | 45);
    if whose & 0x10 != 0 && how & 4 != 0 {
        if how & 8 != 0 {
            message.extend([&[80, 18][..], &[0; 16]].concat());
            let length = message.len() as u16;
            message[2..4].copy_from_slice(&length.to_be_bytes());
        }
        match (is_answer, code) {
            (true, _) => message[4..20].copy_from_slice(asked.get(&(user, id)).unwrap_or(&[0; 16])),
            (false, 1) => {}
            (false, _) => message[4..20].fill(0),
        }
        if how & 8 != 0 {
            let pad = |with: u8| SECRET.iter().chain(&[0; 64]).take(64).map(|octet| octet ^ with).collect::<Vec<_>>();
            let inner = Md5::digest([pad(0x36), message.clone()].concat());
            let signature = Md5::digest([pad(0x5c), inner.to_vec()].concat());
            let place = message.len() - 16;
            message[place..].copy_from_slice(&signature);
        }
        if code != 1 {
            let digest = Md5::digest([&message, SECRET].concat());
            message[4..20].copy_from_slice(&digest);
        }
    }
    if !is_answer && let Some(authenticator) = message[4..].first_chunk() {
        asked.insert((user, id), *authenticator);
    }
    message
}

/// What holds of every event.
fn check(event: &AccessEvent, kind: Kind) {
    let sources: &[Source] = match kind {
        Kind::Radius | Kind::Dhcp => &[Source::Radius, Source::Dhcp],
        Kind::Dhcpv6 => &[Source::Radius, Source::Dhcp, Source::Dhcpv6],
        Kind::Discovery | Kind::Session | Kind::Carried => &[Source::Pppoe],
        Kind::Eapol => &[Source::Dot1x],
    };
    assert!(sources.contains(&event.source), "{event:?}");
    let mut octets = 0;
    for which in Text::ALL {
        let text = event.texts.get(which);
        octets += text.len();
        assert!(text.len() <= which.most());
        let leaks = text.windows(8).any(|window| PASSWORD.windows(8).any(|piece| piece == window));
        assert!(!leaks, "a password in {which:?}");
    }
    assert!(octets <= Texts::ROOM);
    assert!(event.prefix.is_none_or(|(_, bits)| bits <= 128));
    assert!(event.svlan < 4096 && event.cvlan < 4096);
    let is_result = matches!(event.kind, AccessKind::Result { .. });
    assert_eq!(is_result, event.code != ResultCode::None, "{event:?}");
    if let AccessKind::Result { success } = event.kind {
        assert_eq!(success, event.code == ResultCode::Accepted, "{event:?}");
    }
    // Whom another asks to sign off is not the one who is asked.
    let is_strict = event.ends.0.address == Address::v4([10, 0, 0, STRICT]) && event.source == Source::Radius;
    if is_strict && !matches!(event.kind, AccessKind::Forged | AccessKind::Logout) {
        assert_eq!(event.trust, Trust::Verified, "{event:?}");
    }
    // RADIUS may say so little that there is nothing to make a number of.
    if event.source != Source::Radius && matches!(event.kind, AccessKind::Login { .. } | AccessKind::Logout) {
        assert_ne!(event.session, 0, "a sign-on without a number: {event:?}");
    }
}
