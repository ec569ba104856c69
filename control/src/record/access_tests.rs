//! Records of access users in every format, with names as hostile as the network sends them.

use dataplane::access::{AccessEvent, AccessKind, Source};
use proptest::prelude::*;
use serde_json::{Value, json};

use super::ipfix::{AccessVersion, Encoder, MIN_LIMIT, Outcome, Template};
use super::rfc5424::{Formatter, MAX_MESSAGE};
use super::*;
use crate::presence::access::{AccessAction, AccessReason, AccessUser};

use dataplane::access::{Assigned, Text, Trust};
use dataplane::endpoint::{Address, Mac};

const VERSIONS: [AccessVersion; 4] = [AccessVersion::V1, AccessVersion::V2, AccessVersion::V3, AccessVersion::V4];

/// A user of RADIUS by that name, with every other text of these octets.
fn user(name: &[u8], others: &[u8]) -> AccessUser {
    let mut event = AccessEvent::new(AccessKind::Login { more: false }, Source::Radius);
    (event.svlan, event.cvlan, event.ports) = (200, 101, (0, 1));
    event.mac = Some(Mac([2, 0, 0x5e, 0, 0x53, 1]));
    event.ipv4 = Some([198, 51, 100, 7]);
    event.ipv6 = Some([0x20; 16]);
    event.prefix = Some(([0x20; 16], 56));
    event.assigned = Assigned::Radius;
    event.nas = Some(Address::v4([10, 0, 0, 1]));
    event.nas_port = Some(u32::MAX);
    event.trust = Trust::NoSecret;
    event.texts.push(Text::User, name);
    let mut user = AccessUser::of(&event);
    if !others.is_empty() {
        Text::ALL.into_iter().filter(|text| *text != Text::User).for_each(|text| user.set_text(text, others));
    }
    user
}

fn record(action: AccessAction, user: AccessUser, port: &str) -> Record {
    let online = Some(Duration::from_millis(61_007));
    let body = AccessRecord {
        action,
        reason: AccessReason::SessionTimeout,
        user: Arc::new(user),
        online,
        port: Some(port.into()),
        zone: Some(port.into()),
    };
    Record { boot: BootId(7), sequence: 9, time: sample::TIME, body: Body::Access(body) }
}

fn syslog(record: &Record) -> String {
    let mut out = Vec::new();
    Formatter::new("fw1", 4711, None).format(record, &mut out);
    String::from_utf8(out).unwrap()
}

fn object(record: &Record) -> Value {
    let mut line = Vec::new();
    json::write(&mut line, record);
    serde_json::from_slice(&line).unwrap()
}

/// The fields of the one record in a message: those of variable length without their length.
fn fields(message: &[u8], template: &Template) -> Vec<(ipfix::Field, Vec<u8>)> {
    let mut rest = &message[20..];
    let mut take = |count: usize| {
        let (taken, left) = rest.split_at(count);
        rest = left;
        taken.to_vec()
    };
    let mut fields = Vec::new();
    for field in template.fields() {
        let length = match field.length() {
            Some(length) => length,
            None => match take(1)[0] {
                255 => usize::from(u16::from_be_bytes(take(2).try_into().unwrap())),
                short => usize::from(short),
            },
        };
        fields.push((field, take(length)));
    }
    assert!(rest.is_empty(), "the template uses the record up");
    fields
}

#[test]
fn a_login_is_said_in_full() {
    let Body::Access(AccessRecord { user, .. }) = sample::access(AccessAction::Login).body else { panic!("a user") };
    let text = syslog(&record(AccessAction::Login, AccessUser::clone(&user), "inside"));
    assert_eq!(
        text,
        "<134>1 2026-03-01T08:15:30.000125Z fw1 ostiary 4711 ACCESS_LOGIN [meta sequenceId=\"1\"][ostiary@32473 \
         boot=\"0000000000000007\" seq=\"9\" event=\"signon\" action=\"login\" reason=\"session-timeout\" \
         class=\"access\" application=\"radius\" account=\"alice@example.net\" user=\"alice@example.net\" \
         domain=\"example.net\" ipv4=\"198.51.100.7\" ipv6=\"-\" prefix=\"-\" assigned=\"-\" mac=\"02:00:5e:00:53:01\" \
         interface=\"inside.200.101\" client-interface=\"inside\" zone=\"inside\" svlan=\"200\" cvlan=\"101\" nas=\"-\" \
         nas-id=\"bras1\" nas-port=\"-\" nas-port-id=\"-\" circuit-id=\"-\" remote-id=\"-\" host-name=\"-\" group=\"-\" \
         filter=\"-\" session-id=\"-\" message=\"-\" login-time=\"2026-03-01T08:15:30.000125Z\" logout-time=\"-\" \
         online=\"61.007\" from-user-packets=\"-\" from-user-octets=\"-\" to-user-packets=\"-\" to-user-octets=\"-\" \
         identifies=\"person\" trust=\"-\" client=\"-\" server=\"-\"] radius user alice@example.net logged in"
    );
}

#[test]
fn each_action_is_a_message_of_its_own() {
    for (action, severity, id, end) in [
        (AccessAction::Login, 134, "ACCESS_LOGIN", " logged in"),
        (AccessAction::Logout, 134, "ACCESS_LOGOUT", " logged out: session-timeout"),
        (AccessAction::Seen, 134, "ACCESS_SEEN", " seen"),
        (AccessAction::Result { success: true }, 134, "CALL_STATUS", " was let in"),
        (AccessAction::Result { success: false }, 133, "CALL_STATUS", " was refused: session-timeout"),
    ] {
        let text = syslog(&record(action, user(b"alice", b""), "inside"));
        assert!(text.starts_with(&format!("<{severity}>1 ")) && text.contains(&format!(" {id} ")), "{text}");
        assert!(text.ends_with(&format!("radius user alice{end}")), "{text}");
    }
}

#[test]
fn a_record_has_every_field_whatever_is_known() {
    let bare = AccessUser::of(&AccessEvent::new(AccessKind::Logout, Source::Pppoe));
    let mut nobody = record(AccessAction::Logout, bare, "inside");
    let Body::Access(access) = &mut nobody.body else { panic!("a user") };
    (access.port, access.zone, access.online) = (None, None, None);
    let (nothing, all) = (object(&nobody), object(&record(AccessAction::Logout, user(b"a@b", b"x"), "inside")));
    let names = |object: &Value| object.as_object().unwrap().keys().cloned().collect::<Vec<_>>();
    assert_eq!(names(&nothing), names(&all));
    for name in names(&all) {
        let known = schema::PARAMETERS.iter().any(|(known, _)| *known == name);
        assert!(known || name == "time", "{name}");
    }
    assert_eq!(
        (&nothing["class"], &nothing["application"], &nothing["user"]),
        (&json!("access"), &json!("pppoe"), &Value::Null)
    );
    assert_eq!(
        (&nothing["login-time"], &nothing["ipv4"], &nothing["interface"]),
        (&Value::Null, &Value::Null, &Value::Null)
    );
    assert_eq!(
        (&all["prefix"], &all["assigned"]),
        (&json!("2020:2020:2020:2020:2020:2020:2020:2020/56"), &json!("radius"))
    );
    assert_eq!((&all["svlan"], &all["nas"], &all["trust"]), (&json!(200), &json!("10.0.0.1"), &json!("unverified")));
}

#[test]
fn names_are_escaped_in_text_and_exact_in_binary() {
    let name = b"a\"b\\c]d\n\0\xff\xfe";
    let record = record(AccessAction::Login, user(name, b""), "inside");
    let text = syslog(&record);
    assert!(text.contains(r#" user="a\"b\\c\]d␊␀\\xFF\\xFE" "#), "{text}");
    assert!(!text.contains(|c: char| c.is_control()));
    assert_eq!(object(&record)["user"], "a\"b\\c]d\n\u{0}\\xFF\\xFE");
    let mut encoder = Encoder::new(0, MIN_LIMIT).with_access(AccessVersion::V4);
    assert_eq!(encoder.add(&record), Outcome::Added);
    let fields = fields(encoder.finish(0).unwrap().0, Template::of(&record, AccessVersion::V4));
    let value = |wanted| &fields.iter().find(|(field, _)| *field == wanted).unwrap().1[..];
    assert_eq!(value(ipfix::Field::UserName), name);
    assert_eq!(value(ipfix::Field::UserText), b"", "userName is UTF-8, or empty");
}

#[test]
fn the_longest_records_fit_every_message() {
    let port = "x".repeat(10_000);
    for (name, other) in [(0xff, 0xff), (b'"', b'"'), (0, 0), (b'x', b'x')] {
        let longest = user(&[name; 255], &[other; 128]);
        for action in [AccessAction::Logout, AccessAction::Result { success: false }] {
            let record = record(action, longest.clone(), &port);
            assert!(syslog(&record).len() <= MAX_MESSAGE);
            for version in VERSIONS {
                let mut encoder = Encoder::new(0, MIN_LIMIT).with_access(version);
                assert_eq!(encoder.add(&record), Outcome::Added);
                let message = encoder.finish(0).unwrap().0;
                assert!(message.len() <= MIN_LIMIT, "{}", message.len());
                fields(message, Template::of(&record, version));
            }
        }
    }
}

#[test]
fn versions_say_where_a_user_is_as_far_as_they_have_fields() {
    let record = record(AccessAction::Login, user(b"alice", b""), "inside");
    for (version, vlans, has_ipv6) in [
        (AccessVersion::V1, vec![(ipfix::Field::Vlan, 200_u16)], false),
        (AccessVersion::V2, vec![(ipfix::Field::ServiceVlan, 200), (ipfix::Field::CustomerVlan, 101)], false),
        (AccessVersion::V3, vec![(ipfix::Field::Vlan, 200)], true),
        (AccessVersion::V4, vec![(ipfix::Field::ServiceVlan, 200), (ipfix::Field::CustomerVlan, 101)], true),
    ] {
        let mut encoder = Encoder::new(0, MIN_LIMIT).with_access(version);
        encoder.add(&record);
        let message = encoder.finish(0).unwrap().0.to_vec();
        assert_eq!(message[16..18], (273 + u16::from(version.number())).to_be_bytes());
        let fields = fields(&message, Template::of(&record, version));
        let value = |wanted| fields.iter().find(|(field, _)| *field == wanted).map(|(_, value)| &value[..]);
        let all = [ipfix::Field::Vlan, ipfix::Field::ServiceVlan, ipfix::Field::CustomerVlan];
        let there =
            all.iter().filter_map(|field| Some((*field, u16::from_be_bytes(value(*field)?.try_into().unwrap()))));
        assert_eq!(there.collect::<Vec<_>>(), vlans);
        assert_eq!(value(ipfix::Field::UserV4), Some(&[198, 51, 100, 7][..]));
        assert_eq!(value(ipfix::Field::UserV6), has_ipv6.then_some(&[0x20; 16][..]));
        assert_eq!(value(ipfix::Field::UserPrefixLength), has_ipv6.then_some(&[56][..]));
        assert_eq!(value(ipfix::Field::Assigned), has_ipv6.then_some(&[4][..]));
    }
}

#[test]
fn what_a_version_cannot_tell_it_does_not_carry() {
    let carried = |change: fn(&mut AccessUser)| {
        let mut user = user(b"alice", b"");
        change(&mut user);
        VERSIONS.map(|version| version.carries(&user))
    };
    let [v1, v2, v3, v4] = [AccessVersion::V1, AccessVersion::V2, AccessVersion::V3, AccessVersion::V4];
    assert_eq!([v1, v2, v3, v4].map(AccessVersion::number), [1, 2, 3, 4]);
    assert_eq!(carried(|_| ()), [false, true, false, true], "two VLANs");
    assert_eq!(carried(|user| user.cvlan = 0), [true; 4]);
    assert_eq!(carried(|user| (user.cvlan, user.ipv4) = (0, None)), [false, false, true, true], "only IPv6");
    assert_eq!(carried(|user| (user.cvlan, user.ipv4, user.ipv6, user.prefix) = (0, None, None, None)), [true; 4]);
}

#[test]
fn a_flow_names_the_user_of_its_client() {
    let name = Some(b"zo\xc3\xab@isp".as_slice().into());
    let mac = Some(Mac([2, 0, 0x5e, 0, 0x53, 1]));
    let note = UserNote { name, mac, interface: Some("inside.200.101".into()) };
    let flow = FlowContext { user: Some(Arc::new(note)), ..sample::flow_v4() };
    let mut login = sample::login("10001");
    let Body::Im(im) = &mut login.body else { panic!("a sign-on") };
    im.flow.user.clone_from(&flow.user);
    for record in [login, sample::create(flow.clone()), sample::close(flow.clone()), sample::deny(flow)] {
        let text = syslog(&record);
        let said = " user=\"zoë@isp\" user-mac=\"02:00:5e:00:53:01\" user-interface=\"inside.200.101\"";
        assert!(text.contains(said), "{text}");
        assert_eq!(object(&record)["user-interface"], "inside.200.101");
        let mut encoder = Encoder::new(0, MIN_LIMIT);
        encoder.add(&record);
        let fields = fields(encoder.finish(0).unwrap().0, Template::of(&record, AccessVersion::V4));
        let value = |wanted| fields.iter().find(|(field, _)| *field == wanted).map(|(_, value)| &value[..]);
        assert_eq!(value(ipfix::Field::UserText), Some("zoë@isp".as_bytes()));
        assert_eq!(value(ipfix::Field::UserMac), Some(&[2, 0, 0x5e, 0, 0x53, 1][..]));
        assert_eq!(value(ipfix::Field::AccessInterface), Some(&b"inside.200.101"[..]));
    }
    assert!(!syslog(&sample::create(sample::flow_v4())).contains("user"), "nobody is known there");
}

proptest! {
    /// Whatever a name is: JSON is JSON, a message of syslog is one line of UTF-8, and binary has its octets.
    #[test]
    fn any_name_passes(name in prop::collection::vec(any::<u8>(), 0..256), other in prop::collection::vec(any::<u8>(), 0..65)) {
        let record = record(AccessAction::Seen, user(&name, &other), "inside");
        prop_assert!(object(&record).is_object());
        let text = syslog(&record);
        prop_assert!(text.len() <= MAX_MESSAGE && !text.contains(|c: char| c.is_control()));
        let mut encoder = Encoder::new(0, MIN_LIMIT);
        prop_assert_eq!(encoder.add(&record), Outcome::Added);
        let fields = fields(encoder.finish(0).unwrap().0, Template::of(&record, AccessVersion::V4));
        let value = |wanted| fields.iter().find(|(field, _)| *field == wanted).unwrap().1.clone();
        prop_assert_eq!(value(ipfix::Field::UserName), name);
        prop_assert!(std::str::from_utf8(&value(ipfix::Field::UserText)).is_ok());
        prop_assert_eq!(value(ipfix::Field::AccessText(Text::SessionId)), other);
    }
}
