//! Records as syslog messages of RFC 5424: everything a program wants in structured data, one short sentence for people.
//!
//! ```text
//! <134>1 2026-03-01T08:15:30.000125Z fw1 ostiary 4711 IM_LOGIN [meta sequenceId="7"][ostiary@32473 boot="00c0ffee00c0ffee"
//! seq="48121" event="signon" action="login" …] qq user 10001 logged in from 10.1.2.3:4001
//! ```
//!
//! The sentence repeats what the structured data says and is ASCII without a byte order mark; programs need not read it.

use std::fmt::{self, Write as _};
use std::net::SocketAddr;
use std::time::Duration;

use jiff::tz::TimeZone;

use super::access::legible;
use super::fields::{Fields, event};
use super::ipfix::ENTERPRISE;
use super::{Body, FlowContext, ImAction, Record, SessionAction, beginning, close_reason_text, rfc3339};
use crate::presence::access::AccessAction;
use dataplane::guard::Phase;
use dataplane::time::Nanos;

/// No message is longer (RFC 5425, 4.3.1: receivers SHOULD take 8192 octets); most are below the 2048 that every TLS
/// receiver must take.
pub const MAX_MESSAGE: usize = 8_192;

/// Texts are cut at this many octets, before escaping and between two characters: this is what keeps every message below
/// [`MAX_MESSAGE`], however long the names in a configuration are.
const MAX_TEXT: usize = 255;

/// The parameters of our structured data element, `ostiary@32473`, in the order in which they are written. What does not
/// apply to a record, or is not known, is left out.
pub const PARAMETERS: &[(&str, &str)] = &[
    ("boot", "this run of the process, 16 hexadecimal digits"),
    ("seq", "the record's number in this run; with boot it names the record, also where it is delivered twice"),
    ("event", "session | signon | attack | loss"),
    ("action", "session: create | close | deny; signon: login | logout | result | seen; attack: begin | ongoing | end"),
    ("kind", "attack: what it is, a drop reason (see the counters) without its prefix"),
    ("result", "of action result: ok | fail"),
    (
        "reason",
        "session close: fin | reset | timeout | policy | evicted | shutdown; signon: message | connection-opened | connection-closed | timeout | replaced | moved | mid-session | mention | refused; access user: message | lease | renewal | mid-session | accepted | rejected | timeout | nak | service-error | failure | user-request | lost-carrier | idle-timeout | session-timeout | admin-reset | terminated | release | decline | expired | silence | replaced | moved | nas-reboot | logoff | evicted | other",
    ),
    ("application", "the application's name, unknown where it is not known"),
    ("account", "the account as the configuration lets it out; absent where it is not visible or omitted"),
    ("client", "address:port of who opened the flow, IPv6 in brackets"),
    ("server", "address:port of who was asked; of ICMP queries port is 0 and the client's port the identifier"),
    ("nat-source-address", "session: what source NAT made of the client's address; absent where it did not"),
    ("nat-source-port", "session: and of its port, or identifier"),
    ("protocol", "tcp, udp, icmp, icmpv6, or the IANA number"),
    ("session", "the session's number in this run, 0 for a denied packet"),
    ("rule", "the rule that applied, implicit-deny for the deny at the end"),
    ("client-interface", "the port on the client's side"),
    ("server-interface", "the port on the server's side"),
    ("client-zone", "the zone of the client's side"),
    ("server-zone", "the zone of the server's side"),
    ("svlan", "outer VLAN id, absent where untagged"),
    ("cvlan", "inner VLAN id, absent where there are not two tags"),
    ("user-mac", "session, messenger: MAC address of the access user who had the client's address, where one is known"),
    ("user-interface", "session, messenger: that user's access interface"),
    ("start", "session close: when the session was created; attack: when it began"),
    ("duration", "session close: how long it lasted, seconds"),
    ("to-server-packets", "session close: packets from client to server"),
    ("to-server-octets", "session close: octets from client to server, from the IP header on"),
    ("to-client-packets", "session close: packets from server to client"),
    ("to-client-octets", "session close: octets from server to client, from the IP header on"),
    ("online", "logout: how long the account was online, seconds; absent where its login was not seen"),
    ("signatures", "signon: version of the signature database"),
    ("confidence", "signon: certain | likely, how much the evidence rests on"),
    ("pseudonym-key", "signon: which key made the account, where that is a pseudonym"),
    (
        "class",
        "access user: access | call-status; loss: session | im | attack | access | call-status, the class of the records that were lost",
    ),
    ("cause", "access user, of reason other: RADIUS's Acct-Terminate-Cause"),
    (
        "user",
        "access user: the person's name, where any source knows it; this and what follows is `-` where it is not known; session, messenger: of the access user who had the client's address when the flow began, absent where none is known",
    ),
    ("domain", "access user: what stands behind the last @ of the name"),
    ("ipv4", "access user: the IPv4 address"),
    ("ipv6", "access user: the IPv6 address"),
    ("prefix", "access user: the IPv6 prefix and its length"),
    ("assigned", "access user: router | dhcpv6 | delegated | radius, how the user came to the IPv6 address or prefix"),
    ("mac", "access user: the MAC address"),
    ("interface", "access user: the access interface, port and VLANs: inside.200.101"),
    ("zone", "access user: the zone of that port"),
    ("nas", "access user: the access server's address"),
    ("nas-id", "access user: its name (NAS-Identifier)"),
    ("nas-port", "access user: NAS-Port"),
    ("nas-port-id", "access user: NAS-Port-Id"),
    ("circuit-id", "access user: the line, as the access node names it"),
    ("remote-id", "access user: the subscriber's end of the line"),
    ("host-name", "access user: the host's name for itself"),
    ("group", "access user: Class"),
    ("filter", "access user: Filter-Id"),
    ("session-id", "access user: Acct-Session-Id"),
    ("message", "access user: what the server told the user"),
    ("login-time", "access user: when the user signed on"),
    ("logout-time", "access user: when the user signed off"),
    ("from-user-packets", "access user: as the access server counted"),
    ("from-user-octets", "access user: as the access server counted"),
    ("to-user-packets", "access user: as the access server counted"),
    ("to-user-octets", "access user: as the access server counted"),
    ("identifies", "access user: person | host | port, what the account names"),
    ("trust", "access user: verified | unverified, of RADIUS: whether its authenticator could be verified"),
    ("place", "loss: worker:NUMBER | host:NAME | shutdown:NAME"),
    ("count", "loss: how many records were lost; session deny and attack: how many packets this record is about"),
    ("octets", "attack: octets of those, Ethernet header included"),
    ("total", "attack: packets since it began"),
    ("total-octets", "attack: octets since it began"),
    ("rate", "attack: packets a second since the last record, of the end since it began"),
    ("first", "when the first of count was lost or denied"),
    ("last", "loss: when the last was lost"),
];

/// A syslog facility, RFC 5424, table 1. Ours unless told otherwise: local0.
pub const LOCAL0: u8 = 16;

/// Severities in use, RFC 5424, table 2.
const WARNING: u8 = 4;
const NOTICE: u8 = 5;
const INFORMATIONAL: u8 = 6;

/// Writes records for one receiver.
#[derive(Debug)]
pub struct Formatter {
    /// ` HOSTNAME ostiary PROCID `, the part of the header that never changes.
    origin: String,
    facility: u8,
    zone: Option<TimeZone>,
    /// `meta sequenceId` of the next message.
    sequence: u32,
}

impl Formatter {
    /// For messages of `host_name` and process `process`; time stamps in `zone`, in UTC where there is none.
    pub fn new(host_name: &str, process: u32, zone: Option<TimeZone>) -> Self {
        let mut host: String = host_name.chars().filter(|c| matches!(c, '!'..='~')).take(255).collect();
        if host.is_empty() {
            host.push('-');
        }
        Self { origin: format!(" {host} ostiary {process} "), facility: LOCAL0, zone, sequence: 1 }
    }

    /// Appends one message, without framing. Each has the next `sequenceId`, also where the record was sent before.
    pub fn format(&mut self, record: &Record, out: &mut Vec<u8>) {
        let (severity, id) = kind(&record.body);
        let start = out.len();
        put(out, format_args!("<{}>1 ", self.facility * 8 + severity));
        rfc3339::write(out, record.time, self.zone.as_ref());
        put(out, format_args!("{}{id} [meta sequenceId=\"{}\"]", self.origin, self.sequence));
        // RFC 5424, 7.3.1: 2147483647 is followed by 1.
        self.sequence = if self.sequence == i32::MAX as u32 { 1 } else { self.sequence + 1 };
        put(out, format_args!("[ostiary@{ENTERPRISE}"));
        let mut element = Element { out, zone: self.zone.as_ref() };
        element.word("boot", record.boot);
        element.number("seq", record.sequence);
        element.word("event", event(&record.body));
        element.body(record.time, &record.body);
        out.extend_from_slice(b"] ");
        put(out, format_args!("{}", Sentence(&record.body)));
        debug_assert!(out.len() - start <= MAX_MESSAGE);
    }
}

/// Severity and MSGID.
fn kind(body: &Body) -> (u8, &'static str) {
    match body {
        Body::Session(session) => match session.action {
            SessionAction::Create => (INFORMATIONAL, "SESSION_CREATE"),
            SessionAction::Close { .. } => (INFORMATIONAL, "SESSION_CLOSE"),
            SessionAction::Deny { .. } => (NOTICE, "SESSION_DENY"),
        },
        Body::Im(im) => match im.action {
            ImAction::Login => (INFORMATIONAL, "IM_LOGIN"),
            ImAction::Logout => (INFORMATIONAL, "IM_LOGOUT"),
            ImAction::Result { .. } => (NOTICE, "IM_RESULT"),
            ImAction::Seen => (INFORMATIONAL, "IM_SEEN"),
        },
        Body::Attack(attack) => match attack.phase {
            Phase::Begin => (WARNING, "ATTACK_BEGIN"),
            Phase::Ongoing => (WARNING, "ATTACK"),
            Phase::End => (NOTICE, "ATTACK_END"),
        },
        Body::Access(access) => match access.action {
            AccessAction::Login => (INFORMATIONAL, "ACCESS_LOGIN"),
            AccessAction::Logout => (INFORMATIONAL, "ACCESS_LOGOUT"),
            AccessAction::Seen => (INFORMATIONAL, "ACCESS_SEEN"),
            AccessAction::Result { success: true } => (INFORMATIONAL, "CALL_STATUS"),
            AccessAction::Result { success: false } => (NOTICE, "CALL_STATUS"),
        },
        Body::Loss(_) => (WARNING, "RECORDS_LOST"),
    }
}

/// The inside of our structured data element.
struct Element<'a> {
    out: &'a mut Vec<u8>,
    zone: Option<&'a TimeZone>,
}

impl Element<'_> {
    fn name(&mut self, name: &str) {
        debug_assert!(PARAMETERS.iter().any(|(known, _)| *known == name));
        self.out.push(b' ');
        self.out.extend_from_slice(name.as_bytes());
        self.out.extend_from_slice(b"=\"");
    }
}

impl Fields for Element<'_> {
    fn word(&mut self, name: &str, value: impl fmt::Display) {
        self.name(name);
        put(self.out, format_args!("{value}\""));
    }

    fn end(&mut self, name: &str, end: SocketAddr) {
        self.name(name);
        let _ = write!(Escaped { out: self.out, left: MAX_TEXT }, "{end}");
        self.out.push(b'"');
    }

    fn number(&mut self, name: &str, value: u64) {
        self.word(name, value);
    }

    fn text(&mut self, name: &str, text: &str) {
        self.name(name);
        let _ = Escaped { out: self.out, left: MAX_TEXT }.write_str(text);
        self.out.push(b'"');
    }

    fn time(&mut self, name: &str, time: Nanos) {
        self.name(name);
        rfc3339::write(self.out, time, self.zone);
        self.out.push(b'"');
    }

    fn seconds(&mut self, name: &str, span: Duration) {
        self.word(name, format_args!("{}.{:03}", span.as_secs(), span.subsec_millis()));
    }

    /// A parameter without a value is left out.
    fn absent(&mut self, _name: &str) {}

    fn unknown(&mut self, name: &str) {
        self.word(name, "-");
    }
}

/// Writes a PARAM-VALUE: `"`, `\` and `]` behind a backslash (RFC 5424, 6.3.3), nothing else escaped.
///
/// An account is hostile input, and a control character in it could end a line at the receiver, or colour its terminal:
/// those of ASCII become their pictures (U+240A for LF …), other controls, line separators and direction overrides U+FFFD.
struct Escaped<'a> {
    out: &'a mut Vec<u8>,
    /// Octets that may still be written, escapes not counted.
    left: usize,
}

impl fmt::Write for Escaped<'_> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        let text = beginning(text, self.left);
        self.left -= text.len();
        let mut buffer = [0; 4];
        for character in text.chars() {
            let visible = match character {
                '"' | '\\' | ']' => {
                    self.out.push(b'\\');
                    character
                }
                '\0'..='\x1f' => char::from_u32(0x2400 + character as u32).unwrap_or(char::REPLACEMENT_CHARACTER),
                '\x7f' => '\u{2421}',
                '\u{80}'..='\u{9f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}' => char::REPLACEMENT_CHARACTER,
                other => other,
            };
            self.out.extend_from_slice(visible.encode_utf8(&mut buffer).as_bytes());
        }
        Ok(())
    }
}

/// MSG, for people: ASCII, whatever the account is.
struct Sentence<'a>(&'a Body);

impl fmt::Display for Sentence<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Body::Session(session) => {
                let (client, server) = ends(&session.flow);
                let rule = ascii(&session.flow.rule);
                match session.action {
                    SessionAction::Create => write!(f, "session {client} to {server} created by rule {rule}"),
                    SessionAction::Close { reason, .. } => {
                        write!(f, "session {client} to {server} closed: {}", close_reason_text(reason))
                    }
                    SessionAction::Deny { packets: 1, .. } => {
                        write!(f, "packet {client} to {server} denied by rule {rule}")
                    }
                    SessionAction::Deny { packets, .. } => {
                        write!(f, "{packets} packets like {client} to {server} denied by rule {rule}")
                    }
                }
            }
            Body::Im(im) => {
                let (client, _) = ends(&im.flow);
                write!(f, "{} user ", ascii(&im.flow.application))?;
                if let Some(account) = &im.account {
                    write!(f, "{} ", ascii(account))?;
                }
                match im.action {
                    ImAction::Login => write!(f, "logged in from {client}"),
                    ImAction::Logout => write!(f, "logged out at {client}: {}", im.reason.text()),
                    ImAction::Result { success: true } => write!(f, "was accepted at {client}"),
                    ImAction::Result { success: false } => write!(f, "was refused at {client}"),
                    ImAction::Seen => write!(f, "seen at {client}"),
                }
            }
            Body::Attack(attack) => {
                let (client, server) = ends(&attack.flow);
                let (kind, port) = (attack.kind, ascii(&attack.flow.interfaces.0));
                match attack.phase {
                    Phase::Begin => write!(f, "attack {kind} at {port} begins, like {client} to {server}"),
                    Phase::Ongoing => {
                        write!(
                            f,
                            "attack {kind} at {port}: {} packets, like {client} to {server}",
                            attack.recent.packets
                        )
                    }
                    Phase::End => write!(f, "attack {kind} at {port} is over: {} packets", attack.total.packets),
                }
            }
            Body::Access(access) => {
                write!(f, "{} user {} ", access.user.source.name(), ascii(&legible(&access.user.account)))?;
                match access.action {
                    AccessAction::Login => write!(f, "logged in"),
                    AccessAction::Logout => write!(f, "logged out: {}", access.reason.text()),
                    AccessAction::Seen => write!(f, "seen"),
                    AccessAction::Result { success: true } => write!(f, "was let in"),
                    AccessAction::Result { success: false } => write!(f, "was refused: {}", access.reason.text()),
                }
            }
            Body::Loss(loss) => {
                write!(f, "{} {} records lost at {}", loss.count, loss.class.text(), ascii(&loss.place.to_string()))
            }
        }
    }
}

fn ends(flow: &FlowContext) -> (SocketAddr, SocketAddr) {
    (flow.tuple.client.socket(), flow.tuple.server.socket())
}

/// Printable ASCII as it is, everything else as `\u{…}`, in what fits a sentence.
fn ascii(text: &str) -> impl fmt::Display {
    beginning(text, 64).escape_default()
}

/// Formats into memory, which cannot fail.
fn put(out: &mut Vec<u8>, arguments: fmt::Arguments<'_>) {
    let _ = std::io::Write::write_fmt(out, arguments);
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use proptest::prelude::*;

    use super::*;
    use crate::record::{Class, LossPlace, sample};

    fn text(record: &Record) -> String {
        let mut out = Vec::new();
        Formatter::new("fw1", 4711, None).format(record, &mut out);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn a_login_is_said_in_full() {
        assert_eq!(
            text(&sample::login("10001")),
            "<134>1 2026-03-01T08:15:30.000125Z fw1 ostiary 4711 IM_LOGIN [meta sequenceId=\"1\"][ostiary@32473 \
             boot=\"00c0ffee00c0ffee\" seq=\"48121\" event=\"signon\" action=\"login\" reason=\"message\" \
             application=\"qq\" account=\"10001\" confidence=\"certain\" client=\"10.1.2.3:4001\" server=\"192.0.2.9:8000\" protocol=\"udp\" \
             session=\"281474976710659\" rule=\"staff-im\" client-interface=\"inside\" server-interface=\"outside\" \
             client-zone=\"trust\" server-zone=\"untrust\" svlan=\"101\" signatures=\"2026.03.01\"] \
             qq user 10001 logged in from 10.1.2.3:4001"
        );
    }

    #[test]
    fn a_close_and_a_loss_are_said_in_full() {
        let close = text(&sample::close_v6());
        assert!(
            close.starts_with("<134>1 2026-03-01T08:15:30.000125Z fw1 ostiary 4711 SESSION_CLOSE [meta "),
            "{close}"
        );
        assert!(close.contains(
            " client=\"[2001:db8::1\\]:4001\" server=\"[2001:db8::2\\]:443\" protocol=\"tcp\" session=\"281474976710659\""
        ));
        assert!(close.contains(
            " start=\"2026-03-01T08:15:20.000125Z\" duration=\"10.000\" to-server-packets=\"5\" to-server-octets=\"700\" \
             to-client-packets=\"6\" to-client-octets=\"6000\"] session [2001:db8::1]:4001 to [2001:db8::2]:443 closed: fin"
        ));
        let loss = text(&sample::loss(Class::Session, LossPlace::Host("siem".into()), 17));
        assert!(loss.starts_with("<132>1 ") && loss.contains(" RECORDS_LOST "), "{loss}");
        assert!(loss.ends_with(
            " event=\"loss\" class=\"session\" place=\"host:siem\" count=\"17\" first=\"2026-03-01T08:15:20.000125Z\" \
             last=\"2026-03-01T08:15:30.000125Z\"] 17 session records lost at host:siem"
        ));
    }

    #[test]
    fn a_translated_session_says_what_it_is_outside() {
        let close = text(&sample::close(sample::flow_translated()));
        assert!(close.contains(
            " client=\"10.1.2.3:4001\" server=\"192.0.2.9:8000\" nat-source-address=\"198.51.100.10\" \
             nat-source-port=\"40123\" protocol=\"udp\""
        ));
        assert!(!text(&sample::close(sample::flow_v4())).contains("nat-source"));
    }

    #[test]
    fn a_hostile_account_can_end_neither_its_value_nor_its_line() {
        let message = text(&sample::login("a\"b\\c]d\n\u{1b}[31m\u{7f}\u{85}\u{202e}企鹅"));
        assert_eq!(parameter(&message, "account"), "a\"b\\c]d␊␛[31m␡\u{fffd}\u{fffd}企鹅");
        assert!(message.contains(r#" account="a\"b\\c\]d␊␛[31m␡"#), "{message}");
        assert!(message.contains(r#"qq user a\"b\\c]d\n\u{1b}[31m\u{7f}\u{85}\u{202e}\u{4f01}\u{9e45} logged in"#));
        assert!(!message.contains(|c: char| c.is_control()));
    }

    #[test]
    fn sequence_ids_wrap_to_one() {
        let mut formatter = Formatter::new("", 1, None);
        formatter.sequence = i32::MAX as u32;
        let mut out = Vec::new();
        formatter.format(&sample::login("1"), &mut out);
        formatter.format(&sample::login("1"), &mut out);
        let text = String::from_utf8(out).unwrap();
        let ids: Vec<&str> = text.split("sequenceId=\"").skip(1).map(|rest| rest.split('"').next().unwrap()).collect();
        assert_eq!(ids, ["2147483647", "1"]);
        assert!(text.starts_with("<134>1 2026-03-01T08:15:30.000125Z - ostiary 1 "));
    }

    #[test]
    fn a_zone_gives_every_time_its_offset() {
        let mut out = Vec::new();
        let zone = TimeZone::get("Asia/Shanghai").unwrap();
        Formatter::new("fw1", 1, Some(zone)).format(&sample::close_v6(), &mut out);
        let text = String::from_utf8(out).unwrap();
        assert!(text.starts_with("<134>1 2026-03-01T16:15:30.000125+08:00 fw1 "), "{text}");
        assert!(text.contains(" start=\"2026-03-01T16:15:20.000125+08:00\" "), "{text}");
    }

    #[test]
    fn a_logout_says_for_how_long() {
        let mut record = sample::login("10001");
        let Body::Im(im) = &mut record.body else { panic!("a sign-on") };
        im.action = ImAction::Logout;
        im.online = Some(Duration::from_millis(61_005));
        assert!(text(&record).contains(" online=\"61.005\" "));
    }

    proptest! {
        /// Whatever the texts: bounded, UTF-8, no control character, and unescaping gives back what is not controls.
        #[test]
        fn messages_are_bounded_and_whole(account in "\\PC{0,400}", rule in ".{0,4000}") {
            let mut record = sample::login(&account);
            let Body::Im(im) = &mut record.body else { panic!("a sign-on") };
            im.flow.rule = rule.as_str().into();
            im.flow.zones.0 = "]".repeat(9_000).into();
            let message = text(&record);
            prop_assert!(message.len() <= MAX_MESSAGE);
            prop_assert!(!message.contains(|c: char| c.is_control()));
            let overrides = |c: char| matches!(c, '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
            if !account.contains(overrides) {
                prop_assert_eq!(parameter(&message, "account"), beginning(&account, MAX_TEXT));
            }
        }
    }

    /// Reads a parameter back as a receiver does.
    fn parameter(message: &str, name: &str) -> String {
        let start = message.find(&format!(" {name}=\"")).unwrap() + name.len() + 3;
        let mut value = String::new();
        let mut characters = message[start..].chars();
        loop {
            match characters.next().unwrap() {
                '"' => return value,
                '\\' => value.push(characters.next().unwrap()),
                other => value.push(other),
            }
        }
    }
}
