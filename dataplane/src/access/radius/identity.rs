//! What the attributes of a RADIUS message say of a user.
//!
//! Passwords are not read: neither User-Password, CHAP-Password nor EAP. Of vendors' attributes those are read that name the
//! access line (RFC 4679); the others are passed over by their length.

use arrayvec::ArrayVec;

use super::packet::Message;
use super::packet::attribute::*;
use crate::access::session::session;
use crate::access::{AccessEvent, AccessKind, Assigned, Sight, Source, Text, Texts, parse_mac};
use crate::endpoint::Address;
use crate::event::Volume;

/// Service-Type of who asks by a telephone number or MAC address alone (RFC 2865, 5.6).
const CALL_CHECK: u32 = 10;

/// An accounting message was queued a day at most, whatever it says: who is behind a wrong clock shall not move the past.
const LONGEST_DELAY: u32 = 86_400;

/// What an Accounting-Request (RFC 2866, 4.1) says; none where it says nothing of users. What names a sign-on is hashed under
/// `seed`. Its trust is for the caller to say.
pub fn accounting(message: &Message<'_>, at: &Sight, seed: u64, source: Source) -> Option<AccessEvent> {
    let kind = match message.number(ACCT_STATUS_TYPE)? {
        1 => AccessKind::Login { more: false },
        2 => AccessKind::Logout,
        3 => AccessKind::Seen,
        7 | 8 => AccessKind::NasGone,
        _ => return None,
    };
    let mut event = at.event(kind, source);
    event.nas = Some(at.source.address);
    describe(message, &mut event);
    event.session = number(message, &event, seed);
    let names_address = || [NAS_IP_ADDRESS, NAS_IPV6_ADDRESS].iter().any(|kind| message.find(*kind).is_some());
    event.cause = message.number(ACCT_TERMINATE_CAUSE).map_or(0, |cause| u16::try_from(cause).unwrap_or(u16::MAX));
    if kind == AccessKind::NasGone {
        event.cause = if names_address() { AccessEvent::BY_ADDRESS } else { 0 };
    }
    event.back = message.number(ACCT_DELAY_TIME).unwrap_or_default().min(LONGEST_DELAY);
    event.traffic = traffic(message);
    Some(event)
}

/// By what number a sign-on is known: the access server and its name for the session; where it has none, the user's name and
/// address. 0 where there is nothing to know it by.
pub(super) fn number(message: &Message<'_>, event: &AccessEvent, seed: u64) -> u64 {
    let address = event.nas.unwrap_or_default();
    let server = message.find(NAS_IDENTIFIER).unwrap_or(&address.0);
    if let Some(id) = message.find(ACCT_SESSION_ID) {
        return session(seed, Source::Radius, &[server, id]);
    }
    let (name, v4, v6) = (event.texts.get(Text::User), event.ipv4.unwrap_or_default(), event.ipv6.unwrap_or_default());
    if name.is_empty() && event.ipv4.is_none() && event.ipv6.is_none() {
        return 0;
    }
    session(seed, Source::Radius, &[server, &[], name, &v4, &v6])
}

/// Whether an event says which user it is about.
pub(super) fn is_about_somebody(event: &AccessEvent, message: &Message<'_>) -> bool {
    let has_address = event.ipv4.is_some() || event.ipv6.is_some() || event.prefix.is_some() || event.mac.is_some();
    has_address || !event.texts.get(Text::User).is_empty() || message.find(ACCT_SESSION_ID).is_some()
}

/// In which order texts take their room.
const ORDER: [Text; 10] = [
    Text::User,
    Text::SessionId,
    Text::NasId,
    Text::NasPortId,
    Text::CircuitId,
    Text::RemoteId,
    Text::CalledStation,
    Text::Class,
    Text::Filter,
    Text::Message,
];

/// Puts what a message says into an event; what it does not say remains as it is.
pub(super) fn describe(message: &Message<'_>, event: &mut AccessEvent) {
    let was = std::mem::take(&mut event.texts);
    let mut texts = ORDER.map(|text| was.get(text));
    let mut is_new = [false; ORDER.len()];
    let mut reply = ArrayVec::<u8, { Text::Message.most() + 1 }>::new();
    let mut link_prefix = None;
    for (kind, value) in message.attributes().filter(|(_, value)| !value.is_empty()) {
        let number = value.try_into().map_or(0, u32::from_be_bytes);
        match kind {
            NAS_IP_ADDRESS if number != 0 => event.nas = value.try_into().ok().map(Address::v4),
            NAS_IPV6_ADDRESS => event.nas = value.try_into().ok().map(Address),
            NAS_PORT => event.nas_port = Some(number),
            // 255.255.255.255 and .254: the user or the access server chooses (RFC 2865, 5.8).
            FRAMED_IP_ADDRESS if !matches!(number, 0 | 0xffff_fffe..) => event.ipv4 = value.try_into().ok(),
            FRAMED_IPV6_ADDRESS => {
                event.ipv6 = value.try_into().ok().filter(|address| *address != [0; 16]);
                event.assigned = Assigned::Radius;
            }
            FRAMED_IPV6_PREFIX => link_prefix = link_prefix.or_else(|| prefix(value)),
            DELEGATED_IPV6_PREFIX => event.prefix = prefix(value).or(event.prefix),
            SESSION_TIMEOUT => event.lifetime = Some(number),
            ACCT_INTERIM_INTERVAL if number != 0 => event.interim = Some(number),
            CALLING_STATION_ID => event.mac = parse_mac(value).filter(|mac| mac.is_unicast()).or(event.mac),
            REPLY_MESSAGE => {
                let room = reply.remaining_capacity().min(value.len());
                reply.extend(value.iter().copied().take(room));
            }
            _ => {}
        }
        let mut put = |text: Text, value| {
            let places = ORDER.iter().zip(texts.iter_mut().zip(&mut is_new));
            for (_, (place, is_new)) in places.filter(|(other, (_, is_new))| **other == text && !**is_new) {
                (*place, *is_new) = (value, true);
            }
        };
        if kind == VENDOR_SPECIFIC {
            line(value).for_each(|(text, value)| put(text, value));
        }
        let text = match kind {
            USER_NAME => Text::User,
            ACCT_SESSION_ID => Text::SessionId,
            NAS_IDENTIFIER => Text::NasId,
            NAS_PORT_ID => Text::NasPortId,
            CALLED_STATION_ID => Text::CalledStation,
            CLASS => Text::Class,
            FILTER_ID => Text::Filter,
            _ => continue,
        };
        put(text, value);
    }
    if event.prefix.is_none() {
        event.prefix = link_prefix;
    }
    if event.assigned == Assigned::Unknown && event.prefix.is_some() {
        event.assigned = if link_prefix.is_some() { Assigned::Radius } else { Assigned::Delegated };
    }
    event.texts = Texts::default();
    for (which, octets) in ORDER.into_iter().zip(texts) {
        let octets = if which == Text::Message && !reply.is_empty() { &reply } else { octets };
        if !octets.is_empty() {
            event.texts.push(which, octets);
        }
    }
    if event.mac.is_none() && message.number(SERVICE_TYPE) == Some(CALL_CHECK) {
        event.mac = parse_mac(event.texts.get(Text::User)).filter(|mac| mac.is_unicast());
    }
}

/// What a vendor's attribute says of the access line: those of the DSL Forum do (RFC 4679, 3.3), as others of theirs follow
/// one another in it (RFC 2865, 5.26). One that contradicts itself ends what is read.
fn line(value: &[u8]) -> impl Iterator<Item = (Text, &[u8])> {
    const DSL_FORUM: [u8; 4] = 3561_u32.to_be_bytes();
    let mut rest = value.strip_prefix(&DSL_FORUM).unwrap_or_default();
    let all = std::iter::from_fn(move || {
        let [kind, length, ..] = *rest else { return None };
        let (attribute, after) = rest.split_at_checked(usize::from(length))?;
        rest = after;
        Some((kind, attribute.get(2..)?))
    });
    all.filter_map(|(kind, value)| match kind {
        1 => Some((Text::CircuitId, value)),
        2 => Some((Text::RemoteId, value)),
        _ => None,
    })
    .filter(|(_, value)| !value.is_empty())
}

/// A prefix (RFC 3162, 2.3; RFC 4818, 3): a reserved octet, its length, and as many octets as it needs, or more. What lies
/// behind its length is cleared.
fn prefix(value: &[u8]) -> Option<([u8; 16], u8)> {
    let [_, bits @ 1..=128, rest @ ..] = value else { return None };
    if rest.len() > 16 || rest.len() < usize::from(*bits).div_ceil(8) {
        return None;
    }
    let mut octets = [0; 16];
    octets.iter_mut().zip(rest).for_each(|(octet, given)| *octet = *given);
    let mask = u128::MAX << (128 - u32::from(*bits));
    Some(((u128::from_be_bytes(octets) & mask).to_be_bytes(), *bits))
}

/// From the user and to the user, where anything is counted.
fn traffic(message: &Message<'_>) -> Option<[Volume; 2]> {
    let count = |kind| message.number(kind).map(u64::from);
    let volume = |octets, gigawords, packets| {
        let (octets, packets) = (count(octets), count(packets));
        let all = octets.unwrap_or_default() | count(gigawords).unwrap_or_default() << 32;
        (octets.is_some() || packets.is_some()).then_some(Volume { packets: packets.unwrap_or_default(), octets: all })
    };
    let from = volume(ACCT_INPUT_OCTETS, ACCT_INPUT_GIGAWORDS, ACCT_INPUT_PACKETS);
    let to = volume(ACCT_OUTPUT_OCTETS, ACCT_OUTPUT_GIGAWORDS, ACCT_OUTPUT_PACKETS);
    (from.is_some() || to.is_some()).then(|| [from.unwrap_or_default(), to.unwrap_or_default()])
}

#[cfg(test)]
mod tests {
    use super::super::samples::{attribute, message, sight};
    use super::*;
    use crate::endpoint::Mac;

    fn number_of(kind: u8, value: u32) -> Vec<u8> {
        attribute(kind, value.to_be_bytes())
    }

    fn told(attributes: &[Vec<u8>]) -> Option<AccessEvent> {
        let octets = message(4, 1, &attributes.concat());
        let mut at = sight("192.0.2.9:40000", "198.51.100.1:1813");
        at.ports = (2, 3);
        accounting(&Message::parse(&octets).unwrap(), &at, 77, Source::Radius)
    }

    #[test]
    fn a_start_tells_who_where_and_by_which_addresses() {
        let event = told(&[
            attribute(1, "alice@isp"),
            attribute(4, [10, 0, 0, 1]),
            number_of(5, 301),
            attribute(8, [10, 64, 0, 7]),
            attribute(11, "gold"),
            attribute(25, "first"),
            attribute(25, "second"),
            attribute(26, [0, 0, 0x0d, 0xe9, 1, 200]),
            number_of(27, 3600),
            attribute(30, "ac-1"),
            attribute(31, "0a-1b-97-7b-9b-f9"),
            attribute(32, "bras1"),
            number_of(40, 1),
            number_of(41, 12),
            attribute(44, "s-17"),
            number_of(85, 300),
            attribute(87, "eth 0/1:101"),
            attribute(97, [0, 64, 0x20, 1, 0x0d, 0xb8, 0, 0, 0, 9]),
            attribute(123, [0, 44, 0x20, 1, 0x0d, 0xb8, 0xff, 0xff]),
        ])
        .unwrap();
        assert_eq!((event.kind, event.ports, event.is_local), (AccessKind::Login { more: false }, (2, 3), false));
        let texts = [Text::User, Text::Filter, Text::Class, Text::NasId, Text::NasPortId, Text::SessionId]
            .map(|text| String::from_utf8_lossy(event.texts.get(text)).into_owned());
        assert_eq!(texts, ["alice@isp", "gold", "first", "bras1", "eth 0/1:101", "s-17"]);
        assert_eq!(event.texts.get(Text::CalledStation), b"ac-1");
        assert_eq!((event.ipv4, event.nas), (Some([10, 64, 0, 7]), Some(Address::v4([10, 0, 0, 1]))));
        assert_eq!(event.nas_port, Some(301));
        assert_eq!(event.mac, Some(Mac([0x0a, 0x1b, 0x97, 0x7b, 0x9b, 0xf9])));
        let delegated = [0x20, 1, 0x0d, 0xb8, 0xff, 0xf0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0];
        assert_eq!((event.prefix, event.assigned), (Some((delegated, 44)), Assigned::Radius));
        assert_eq!((event.lifetime, event.interim, event.back), (Some(3600), Some(300), 12));
        assert_eq!((event.traffic, event.cause), (None, 0));
    }

    #[test]
    fn a_stop_tells_why_and_how_much_and_is_of_the_same_session_without_a_name() {
        let start = told(&[attribute(1, "bob"), number_of(40, 1), attribute(44, "x")]).unwrap();
        let stop = told(&[
            number_of(40, 2),
            attribute(44, "x"),
            number_of(42, 5),
            number_of(52, 2),
            number_of(47, 3),
            number_of(43, 7),
            number_of(49, 70_000),
        ])
        .unwrap();
        assert_eq!((stop.kind, stop.cause), (AccessKind::Logout, u16::MAX));
        assert_eq!(stop.session, start.session);
        let expected = [Volume { packets: 3, octets: 2 << 32 | 5 }, Volume { packets: 0, octets: 7 }];
        assert_eq!(stop.traffic, Some(expected));
        let elsewhere = told(&[number_of(40, 2), attribute(44, "x"), attribute(32, "other")]).unwrap();
        assert_ne!(elsewhere.session, start.session, "two access servers may name sessions alike");
    }

    #[test]
    fn without_a_session_name_it_is_the_users() {
        let of = |name: &str, last| told(&[attribute(1, name), number_of(40, 1), attribute(8, [10, 0, 0, last])]);
        let [one, same, name, address] =
            [("a", 1), ("a", 1), ("b", 1), ("a", 2)].map(|(n, l)| of(n, l).unwrap().session);
        assert!(one == same && one != name && one != address && one != 0);
        assert_eq!(told(&[number_of(40, 1)]).unwrap().session, 0);
    }

    #[test]
    fn what_says_nothing_of_users_tells_nothing() {
        for status in [0, 4, 9, 15, u32::MAX] {
            assert!(told(&[number_of(40, status), attribute(1, "x")]).is_none());
        }
        assert!(told(&[attribute(1, "x")]).is_none());
        let on = told(&[number_of(40, 7), number_of(49, 7)]).unwrap();
        assert_eq!((on.kind, on.cause), (AccessKind::NasGone, 0));
        let on = told(&[number_of(40, 7), attribute(4, [10, 0, 0, 1])]).unwrap();
        assert_eq!((on.cause, on.nas), (AccessEvent::BY_ADDRESS, Some(Address::v4([10, 0, 0, 1]))));
        assert_eq!(told(&[number_of(40, 3)]).unwrap().kind, AccessKind::Seen);
    }

    #[test]
    fn addresses_that_are_none_are_not_taken() {
        for address in [[255, 255, 255, 255], [255, 255, 255, 254], [0; 4]] {
            assert_eq!(told(&[number_of(40, 1), attribute(8, address)]).unwrap().ipv4, None);
        }
        for value in [&[0, 129][..], &[0, 64, 1], &[0], &[0, 0], &[0; 19]] {
            assert_eq!(told(&[number_of(40, 1), attribute(123, value)]).unwrap().prefix, None, "{value:?}");
        }
        let event = told(&[number_of(40, 1), number_of(41, u32::MAX), attribute(31, "49301234567")]).unwrap();
        assert_eq!((event.back, event.mac), (LONGEST_DELAY, None));
    }

    #[test]
    fn a_call_check_is_of_the_mac_that_it_names() {
        let event = told(&[number_of(40, 1), number_of(6, 10), attribute(1, "001122aabbcc")]).unwrap();
        assert_eq!(event.mac, Some(Mac([0, 0x11, 0x22, 0xaa, 0xbb, 0xcc])));
        assert_eq!(told(&[number_of(40, 1), attribute(1, "001122aabbcc")]).unwrap().mac, None);
    }

    #[test]
    fn the_access_line_is_that_of_the_dsl_forum() {
        let lines = |attributes: &[Vec<u8>]| {
            let event = told(&[&[number_of(40, 1), attribute(1, "x")], attributes].concat()).unwrap();
            [Text::CircuitId, Text::RemoteId].map(|text| String::from_utf8_lossy(event.texts.get(text)).into_owned())
        };
        let of = |vendor: u32, data: &[u8]| attribute(26, [&vendor.to_be_bytes(), data].concat());
        assert_eq!(lines(&[of(3561, b"\x01\x09eth 1/2"), of(3561, b"\x02\x06home")]), ["eth 1/2", "home"]);
        assert_eq!(lines(&[of(3561, b"\x81\x06\0\0\0\x09\x02\x06home\x01\x05ge1")]), ["ge1", "home"]);
        assert_eq!(lines(&[of(3561, b"\x01\x03a"), of(3561, b"\x01\x03b")]), ["a", ""]);
        for other in
            [&b"\x01\x02"[..], b"\x01\x01a", b"\x01\0a", b"\x01\x09a", b"\x01", b"", b"\x03\x03a", b"\x04\0\x01\x03a"]
        {
            assert_eq!(lines(&[of(3561, other)]), ["", ""], "{other:?}");
        }
        assert_eq!(lines(&[of(9, b"\x01\x03a"), attribute(26, [0, 0, 13])]), ["", ""]);
    }

    #[test]
    fn a_long_name_is_whole_whatever_else_is_there() {
        let name = [0xfe; 253];
        let mut attributes = vec![number_of(40, 1)];
        attributes.extend((0..6).map(|_| attribute(18, [b'r'; 200])));
        attributes.extend([attribute(25, [b'c'; 250]), attribute(87, [b'p'; 250]), attribute(1, name)]);
        let event = told(&attributes).unwrap();
        assert_eq!(event.texts.get(Text::User), name);
        assert!(event.texts.was_cut(Text::Class) && event.texts.was_cut(Text::Message));
    }
}
