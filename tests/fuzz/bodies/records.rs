//! Records of access users of whom others chose every text, in every format.
//!
//! First stand 16 octets that say what happened, and which of the fields are there; then the texts: which, its length, its octets.

use std::sync::Arc;
use std::time::Duration;

use control::presence::access::{AccessAction, AccessReason, AccessTransition, AccessUser};
use control::record::access::AccessRecord;
use control::record::ipfix::{AccessVersion, Encoder, MIN_LIMIT, Outcome};
use control::record::{Body, BootId, Record, huawei, json, rfc5424};
use dataplane::access::{AccessEvent, AccessKind, Assigned, Source, Text, Trust};
use dataplane::endpoint::{Address, Mac};
use dataplane::event::Volume;
use dataplane::time::Nanos;

/// No line of the vendor's form is longer: names of 255 octets, four for each of them.
const LONGEST: usize = 8_192;
/// Its keys.
const KEYS: usize = 19;

/// Writes one.
pub fn run(data: &[u8]) {
    let Some((head, mut rest)) = data.split_first_chunk::<16>() else { return };
    let [what, why, cause, from, vlans, there, more, length, octets @ ..] = *head;
    let [a, b, c, d, e, f, ..] = octets;
    let wide = [octets; 2].as_flattened().try_into().unwrap_or([0; 16]);
    let is_there = |bit: u8| there >> bit & 1 == 1;
    let is_more = |bit: u8| more >> bit & 1 == 1;
    let mut event = AccessEvent::new(AccessKind::Update, Source::ALL[usize::from(from) % Source::ALL.len()]);
    event.header.time = Nanos(u64::from_be_bytes(octets));
    event.session = u64::from(what);
    event.is_local = vlans & 1 == 1;
    (event.svlan, event.cvlan) = (u16::from(vlans >> 1) << 5, u16::from(vlans >> 4));
    event.mac = is_there(0).then_some(Mac([a, b, c, d, e, f]));
    event.ipv4 = is_there(1).then_some([a, b, c, d]);
    event.ipv6 = is_there(2).then_some(wide);
    event.prefix = is_there(3).then_some((wide, length));
    event.nas = is_there(4).then_some(Address(wide));
    event.nas_port = is_there(5).then_some(u32::from_be_bytes([c, d, e, f]));
    event.traffic = is_there(6).then_some([Volume { packets: 1, octets: u64::from_be_bytes(octets) }; 2]);
    event.assigned = [Assigned::Unknown, Assigned::Router, Assigned::Dhcpv6, Assigned::Radius][usize::from(more & 3)];
    event.trust = if is_more(2) { Trust::Verified } else { Trust::NotApplicable };
    event.ends.0.address = if is_there(7) { Address(wide) } else { Address::v4([a, b, c, d]) };
    while let Some((&[which, length], after)) = rest.split_first_chunk::<2>() {
        let (text, after) = after.split_at(usize::from(length).min(after.len()));
        event.texts.push(Text::ALL[usize::from(which) % Text::COUNT], text);
        rest = after;
    }
    let mut user = AccessUser::of(&event);
    user.login = is_more(3);
    let action = match what % 5 {
        0 => AccessAction::Login,
        1 => AccessAction::Logout,
        2 => AccessAction::Seen,
        verdict => AccessAction::Result { success: verdict == 3 },
    };
    let reasons =
        [AccessReason::Message, AccessReason::Lease, AccessReason::Rejected, AccessReason::Other(cause.into())];
    let online = is_more(4).then(|| Duration::from_nanos(u64::from_be_bytes(octets)));
    let (time, reason) = (user.since, reasons[usize::from(why) % reasons.len()]);
    check(&AccessTransition { time, action, reason, user: user.into(), online });
}

/// What holds of the records of what a user did.
pub fn check(told: &AccessTransition) {
    let body = Body::Access(AccessRecord {
        action: told.action,
        reason: told.reason,
        user: Arc::clone(&told.user),
        online: told.online,
        port: (told.user.ports.0 != u16::MAX).then(|| "inside".into()),
        zone: None,
    });
    let record = Record { boot: BootId(1), sequence: 1, time: told.time, body };
    let (mut syslog, mut vendor, mut object) = (Vec::new(), Vec::new(), Vec::new());
    rfc5424::Formatter::new("fw1", 1, None).format(&record, &mut syslog);
    huawei::Formatter::new("fw1", None).format(&record, &mut vendor);
    json::write(&mut object, &record);
    check_syslog(&line(&syslog));
    let vendor = line(&vendor);
    assert!(vendor.len() <= LONGEST && vendor.matches(';').count() == KEYS, "{vendor}");
    let object = line(object.strip_suffix(b"\n").unwrap_or_default());
    let value: serde_json::Value = serde_json::from_str(&object).unwrap_or_else(|why| panic!("{why}: {object}"));
    assert_eq!((&value["event"], &value["action"]), (&"signon".into(), &told.action.text().into()));
    for version in [AccessVersion::V1, AccessVersion::V2, AccessVersion::V3, AccessVersion::V4] {
        let mut encoder = Encoder::new(1, MIN_LIMIT).with_access(version);
        if encoder.carries(&record) {
            assert_eq!(encoder.add(&record), Outcome::Added);
            let (message, records) = encoder.finish(0).expect("it is there");
            let length = u16::from_be_bytes([message[2], message[3]]);
            assert!(message.len() <= MIN_LIMIT && usize::from(length) == message.len() && records == 1);
        }
    }
}

/// One line, without anything that a terminal or a log's reader takes for more than text.
fn line(octets: &[u8]) -> String {
    let text = String::from_utf8(octets.to_vec()).expect("it is UTF-8");
    let is_hidden = |c: char| c.is_control() || matches!(c, '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    assert!(!text.is_empty() && !text.contains(is_hidden), "{text:?}");
    text
}

/// RFC 5424, 6.3: elements whose values escape what would end them, and a sentence.
fn check_syslog(message: &str) {
    assert!(message.len() <= rfc5424::MAX_MESSAGE, "{} octets", message.len());
    let mut rest = &message[message.find('[').expect("structured data")..];
    let mut elements = 0;
    while let Some(element) = rest.strip_prefix('[') {
        let name = element.find([' ', ']']).expect("a name");
        rest = &element[name..];
        while let Some(parameter) = rest.strip_prefix(' ') {
            let (name, value) = parameter.split_once("=\"").expect("a value");
            assert!(name.len() <= 32 && name.bytes().all(|c| c.is_ascii_lowercase() || b"-46I".contains(&c)), "{name}");
            let mut octets = value.bytes().enumerate();
            let end = loop {
                match octets.next().expect("an end") {
                    (end, b'"') => break end,
                    (_, b'\\') => assert!(matches!(octets.next(), Some((_, b'"' | b'\\' | b']'))), "{value}"),
                    (_, octet) => assert_ne!(octet, b']', "{value}"),
                }
            };
            rest = &value[end + 1..];
        }
        rest = rest.strip_prefix(']').unwrap_or_else(|| panic!("no end: {rest}"));
        elements += 1;
    }
    assert!(elements == 2 && rest.starts_with(' '), "{message}");
}
