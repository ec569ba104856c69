//! Records as syslog messages of RFC 5424: everything a program wants in structured data, one short sentence for people.
//!
//! ```text
//! <134>1 2026-03-01T08:15:30.000125Z fw1 ostiary 4711 IM_LOGIN [meta sequenceId="7"][ostiary@32473 boot="00c0ffee00c0ffee"
//! seq="48121" event="signon" action="login" …] qq user 10001 logged in from 10.1.2.3:4001
//! ```
//!
//! The sentence repeats what the structured data says and is ASCII without a byte order mark; programs need not read it.

use std::fmt::{self, Write as _};
use std::net::IpAddr;
use std::time::Duration;

use dataplane::endpoint::{Endpoint, Mac};
use dataplane::time::Nanos;
use jiff::tz::TimeZone;

use super::clock::Clock;
use super::fields::{Fields, Label, event, label};
use super::ipfix::ENTERPRISE;
use super::sentence::{self, Sentence};
use super::statics::{Made, Statics};
use super::{Body, BootId, FlowContext, Record, SessionAction, beginning, close_reason_text, digits, kind};
use crate::export::TextOptions;

/// No message is longer: RELP hosts cut what is, and confirm it all the same; RFC 5425, 4.3.1, lets receivers take 8,192
/// octets. Most are below the 2,048 that every TLS receiver must take.
pub const MAX_MESSAGE: usize = 8_000;

/// Texts are cut at this many octets, before escaping and between two characters.
const MAX_TEXT: usize = 255;
/// And at so few in a message that would be longer than [`MAX_MESSAGE`] otherwise.
const SHORT_TEXT: usize = 48;

/// Writes records for one receiver.
#[derive(Debug)]
pub struct Formatter {
    options: TextOptions,
    /// Of which address `origin` speaks.
    source: Option<IpAddr>,
    /// `<134>1 `, by severity.
    priorities: [([u8; 8], usize); 8],
    /// ` HOSTNAME ostiary PROCID `, the part of the header that never changes.
    origin: Box<[u8]>,
    /// What stands before the record's number, of a run of the process.
    elements: (BootId, Vec<u8>),
    clock: Clock,
    statics: Statics,
    /// `meta sequenceId` of the next message.
    sequence: u32,
}

impl Formatter {
    /// For messages of `host_name` and process `process`; time stamps in `zone`, in UTC where there is none.
    pub fn new(host_name: &str, process: u32, zone: Option<TimeZone>) -> Self {
        let origin = format!(" {} ostiary {process} ", host(host_name));
        let formatter = Self {
            options: TextOptions::default(),
            source: None,
            priorities: [([0; 8], 0); 8],
            origin: origin.into_bytes().into(),
            elements: (BootId(0), Vec::new()),
            clock: Clock::new(zone, 6),
            statics: Statics::default(),
            sequence: 1,
        };
        formatter.with(&TextOptions::default(), None)
    }

    /// The same, as `options` want it; `source` is the address that `origin` names.
    #[must_use]
    pub fn with(mut self, options: &TextOptions, source: Option<IpAddr>) -> Self {
        for (severity, (octets, length)) in self.priorities.iter_mut().enumerate() {
            let text = format!("<{}>1 ", usize::from(options.facility.min(23)) * 8 + severity);
            *length = text.len();
            octets[..text.len()].copy_from_slice(text.as_bytes());
        }
        self.clock = Clock::new(self.clock.zone().cloned(), options.digits);
        (self.options, self.source) = (*options, source);
        self.elements = self.elements_of(BootId(0));
        self
    }

    /// Appends one message, without framing. Each has the next `sequenceId`, also where the record was sent before.
    pub fn format(&mut self, record: &Record, out: &mut Vec<u8>) {
        let start = out.len();
        self.write(record, out, MAX_TEXT);
        if out.len() - start > MAX_MESSAGE {
            out.truncate(start);
            self.write(record, out, SHORT_TEXT);
        }
        debug_assert!(out.len() - start <= MAX_MESSAGE);
        // RFC 5424, 7.3.1: 2147483647 is followed by 1.
        self.sequence = if self.sequence == i32::MAX as u32 { 1 } else { self.sequence + 1 };
    }

    fn write(&mut self, record: &Record, out: &mut Vec<u8>, most: usize) {
        let (severity, id) = kind(&record.body);
        let (priority, length) = &self.priorities[usize::from(severity) % 8];
        digits::push(out, priority, *length);
        self.clock.write(out, record.time);
        out.extend_from_slice(&self.origin);
        out.extend_from_slice(id.as_bytes());
        out.push(b' ');
        if self.options.sequence_id {
            out.extend_from_slice(b"[meta sequenceId=\"");
            digits::decimal(out, self.sequence.into());
            out.extend_from_slice(b"\"]");
        }
        if self.elements.0 != record.boot {
            self.elements = self.elements_of(record.boot);
        }
        out.extend_from_slice(&self.elements.1);
        digits::decimal(out, record.sequence);
        out.push(b'"');
        let mut element = Element { out, clock: &mut self.clock, statics: &mut self.statics, most };
        element.word(label!("event"), event(&record.body));
        element.body(record.time, &record.body);
        out.push(b']');
        if self.options.sentence {
            out.push(b' ');
            if self.options.bom {
                out.extend_from_slice("\u{feff}".as_bytes());
            }
            self.sentence(&record.body, out);
        }
    }

    /// The elements before ours, and ours up to the record's number.
    fn elements_of(&self, boot: BootId) -> (BootId, Vec<u8>) {
        let mut elements = String::new();
        if self.options.quality {
            // Clocks of machines are set to UTC or to a zone that is known; whether they keep to it, the operator knows.
            let synchronised = u8::from(self.options.synchronised);
            let _ = write!(elements, "[timeQuality tzKnown=\"1\" isSynced=\"{synchronised}\"]");
        }
        if self.options.origin {
            elements.push_str("[origin");
            if let Some(source) = self.source {
                let _ = write!(elements, " ip=\"{source}\"");
            }
            let version = env!("CARGO_PKG_VERSION");
            let _ = write!(elements, " enterpriseId=\"{ENTERPRISE}\" software=\"ostiary\" swVersion=\"{version}\"]");
        }
        let _ = write!(elements, "[ostiary@{ENTERPRISE} boot=\"{boot}\" seq=\"");
        (boot, elements.into_bytes())
    }

    /// Sessions are many: their sentences are made by hand.
    fn sentence(&mut self, body: &Body, out: &mut Vec<u8>) {
        let Body::Session(session) = body else { return put(out, format_args!("{}", Sentence(body))) };
        let flow = &session.flow;
        match session.action {
            SessionAction::Deny { packets: 1, .. } => out.extend_from_slice(b"packet "),
            SessionAction::Deny { packets, .. } => {
                digits::decimal(out, packets);
                out.extend_from_slice(b" packets like ");
            }
            SessionAction::Create | SessionAction::Close { .. } => out.extend_from_slice(b"session "),
        }
        digits::end(out, flow.tuple.client, b"]");
        out.extend_from_slice(b" to ");
        digits::end(out, flow.tuple.server, b"]");
        match session.action {
            SessionAction::Close { reason, .. } => {
                out.extend_from_slice(b" closed: ");
                return out.extend_from_slice(close_reason_text(reason).as_bytes());
            }
            SessionAction::Create => out.extend_from_slice(b" created by rule "),
            SessionAction::Deny { .. } => out.extend_from_slice(b" denied by rule "),
        }
        out.extend_from_slice(&self.statics.of(flow, made).rule);
    }
}

/// What the names of a flow are in a message.
fn made(flow: &FlowContext) -> Made {
    let (mut fields, mut rule) = (Vec::new(), Vec::new());
    for (label, name) in [
        (label!("rule"), &flow.rule),
        (label!("client-interface"), &flow.interfaces.0),
        (label!("server-interface"), &flow.interfaces.1),
        (label!("client-zone"), &flow.zones.0),
        (label!("server-zone"), &flow.zones.1),
    ] {
        parameter(&mut fields, label, name, MAX_TEXT);
    }
    put(&mut rule, format_args!("{}", sentence::ascii(&flow.rule)));
    Made { fields, rule }
}

/// HOSTNAME: printable ASCII without spaces, 255 octets at most; the nil value where that leaves nothing.
pub(super) fn host(name: &str) -> String {
    let host: String = name.chars().filter(|c| matches!(c, '!'..='~')).take(255).collect();
    if host.is_empty() { "-".to_owned() } else { host }
}

/// The inside of our structured data element.
struct Element<'a> {
    out: &'a mut Vec<u8>,
    clock: &'a mut Clock,
    statics: &'a mut Statics,
    /// Octets of a text, at most.
    most: usize,
}

impl Element<'_> {
    #[inline]
    fn name(&mut self, label: Label) {
        debug_assert!(super::schema::PARAMETERS.iter().any(|(known, _)| *known == label.name));
        self.out.extend_from_slice(label.parameter.as_bytes());
    }
}

impl Fields for Element<'_> {
    #[inline]
    fn word(&mut self, label: Label, word: &str) {
        self.name(label);
        self.out.extend_from_slice(word.as_bytes());
        self.out.push(b'"');
    }

    #[inline]
    fn end(&mut self, label: Label, end: Endpoint) {
        self.name(label);
        digits::end(self.out, end, b"\\]");
        self.out.push(b'"');
    }

    #[inline]
    fn address(&mut self, label: Label, address: IpAddr) {
        self.name(label);
        digits::address(self.out, address);
        self.out.push(b'"');
    }

    fn mac(&mut self, label: Label, mac: Mac) {
        self.name(label);
        digits::mac(self.out, mac);
        self.out.push(b'"');
    }

    #[inline]
    fn number(&mut self, label: Label, value: u64) {
        self.name(label);
        digits::decimal(self.out, value);
        self.out.push(b'"');
    }

    #[inline]
    fn text(&mut self, label: Label, text: &str) {
        parameter(self.out, label, text, self.most);
    }

    #[inline]
    fn time(&mut self, label: Label, time: Nanos) {
        self.name(label);
        self.clock.write(self.out, time);
        self.out.push(b'"');
    }

    #[inline]
    fn seconds(&mut self, label: Label, span: Duration) {
        self.name(label);
        digits::seconds(self.out, span);
        self.out.push(b'"');
    }

    /// A parameter without a value is left out.
    fn absent(&mut self, _label: Label) {}

    fn unknown(&mut self, label: Label) {
        self.word(label, "-");
    }

    #[inline]
    fn statics(&mut self, flow: &FlowContext) {
        if self.most == MAX_TEXT {
            self.out.extend_from_slice(&self.statics.of(flow, made).fields);
        } else {
            self.text(label!("rule"), &flow.rule);
            self.places(flow);
        }
    }
}

/// Appends a parameter whose value others chose, cut at `most` octets.
#[inline]
fn parameter(out: &mut Vec<u8>, label: Label, text: &str, most: usize) {
    out.extend_from_slice(label.parameter.as_bytes());
    if text.len() <= most && digits::is_plain(text) {
        out.extend_from_slice(text.as_bytes());
    } else {
        escape(out, beginning(text, most));
    }
    out.push(b'"');
}

/// Appends a PARAM-VALUE: `"`, `\` and `]` behind a backslash (RFC 5424, 6.3.3), nothing else escaped.
#[cold]
fn escape(out: &mut Vec<u8>, text: &str) {
    let mut buffer = [0; 4];
    for character in text.chars() {
        if matches!(character, '"' | '\\' | ']') {
            out.push(b'\\');
        }
        out.extend_from_slice(visible(character).encode_utf8(&mut buffer).as_bytes());
    }
}

/// A character of hostile input as a receiver may have it: a control character could end a line there, or colour a terminal.
/// Those of ASCII become their pictures (U+240A for LF …), other controls, line separators and direction overrides U+FFFD.
pub(super) fn visible(character: char) -> char {
    match character {
        '\0'..='\x1f' => char::from_u32(0x2400 + character as u32).unwrap_or(char::REPLACEMENT_CHARACTER),
        '\x7f' => '\u{2421}',
        '\u{80}'..='\u{9f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}' => char::REPLACEMENT_CHARACTER,
        other => other,
    }
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
    use crate::record::{Class, ImAction, LossPlace, sample};

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
        assert!(loss.starts_with("<132>1 ") && loss.contains(" LOG_LOSS "), "{loss}");
        assert!(loss.ends_with(
            " event=\"log-loss\" class=\"session\" place=\"host:siem\" reason=\"queue-full\" count=\"17\" first=\"2026-03-01T08:15:20.000125Z\" \
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

    fn written(options: &TextOptions, record: &Record) -> String {
        let mut out = Vec::new();
        Formatter::new("fw1", 4711, None).with(options, Some([192, 0, 2, 7].into())).format(record, &mut out);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn each_option_changes_what_it_says() {
        let (plain, record) = (TextOptions::default(), sample::create(sample::flow_v4()));
        let usual = written(&plain, &record);
        let element = |name: &str| usual.replace("[ostiary@32473 ", &format!("{name}[ostiary@32473 "));
        let version = env!("CARGO_PKG_VERSION");
        for (options, expected) in [
            (TextOptions { facility: 4, ..plain }, usual.replace("<134>", "<38>")),
            (TextOptions { digits: 3, ..plain }, usual.replace("30.000125Z", "30.000Z")),
            (TextOptions { bom: true, ..plain }, usual.replace("] session", "] \u{feff}session")),
            (TextOptions { quality: true, ..plain }, element("[timeQuality tzKnown=\"1\" isSynced=\"0\"]")),
            (
                TextOptions { quality: true, synchronised: true, ..plain },
                element("[timeQuality tzKnown=\"1\" isSynced=\"1\"]"),
            ),
            (
                TextOptions { origin: true, ..plain },
                element(&format!(
                    "[origin ip=\"192.0.2.7\" enterpriseId=\"32473\" software=\"ostiary\" swVersion=\"{version}\"]"
                )),
            ),
            (TextOptions { sequence_id: false, ..plain }, usual.replace("[meta sequenceId=\"1\"]", "")),
            (TextOptions { sentence: false, ..plain }, usual[..usual.find("] session").unwrap() + 1].to_owned()),
        ] {
            assert_ne!(expected, usual);
            assert_eq!(written(&options, &record), expected);
        }
    }

    /// Names of any kind, most of them short and plain.
    fn name() -> impl Strategy<Value = String> {
        prop_oneof!["[a-z0-9.-]{0,12}", ".{0,40}", "[\"\\\\\\]=|']{0,300}", "\\PC{200,300}"]
    }

    proptest! {
        /// The slow twin: every kind of record, whatever is in it, twice, so that the second time names are remembered.
        #[test]
        fn agrees_with_what_is_written_the_obvious_way(
            names in prop::array::uniform7(name()),
            user in prop::option::of((prop::option::of(prop::collection::vec(any::<u8>(), 0..80)), any::<[u8; 6]>())),
            (kind, place) in (0..12_usize, 0..3_usize),
            numbers in any::<[u64; 6]>(),
            (seconds, nanos) in (0..4_000_000_000_u64, 0..1_000_000_000_u32),
            (port, svlan, cvlan, protocol) in any::<(u16, u16, u16, u8)>(),
            flags in any::<[bool; 6]>(),
            zoned in any::<bool>(),
        ) {
            use dataplane::event::{CloseReason, SessionId, Volume};
            use crate::presence::access::AccessAction;
            use crate::record::{SessionRecord, UserNote};
            let [rule, application, client, server, inside, outside, account] = names;
            let mut flow = [sample::flow_v4(), sample::flow_v6(), sample::flow_translated()][place].clone();
            (flow.rule, flow.application) = (rule.into(), application.into());
            flow.interfaces = (client.into(), server.into());
            flow.zones = (inside.into(), outside.into());
            flow.session = SessionId(numbers[0]);
            (flow.tuple.client.port, flow.tuple.protocol) = (port, protocol);
            (flow.tuple.svlan, flow.tuple.cvlan) = (svlan, cvlan);
            flow.user = user.map(|(name, mac)| {
                UserNote { name: name.map(Into::into), mac: Some(Mac(mac)), interface: None }.into()
            });
            let time = Nanos::from_parts(seconds, nanos);
            let start = time - Duration::from_nanos(numbers[1] % (1 << 40)).min(time.since(Nanos(0)));
            let volumes = [1, 3].map(|at| Volume { packets: numbers[at], octets: numbers[at + 1] });
            let close = SessionAction::Close {
                reason: CloseReason::Timeout, start, to_server: volumes[0], to_client: volumes[1],
            };
            let session = |action| Record { body: Body::Session(SessionRecord { flow: flow.clone(), action }), ..sample::close_v6() };
            let mut record = match kind {
                0..=3 => session(close),
                4 | 5 => session(SessionAction::Create),
                6 => session(SessionAction::Deny { packets: numbers[5] % 3, first: start }),
                7 => {
                    let mut record = sample::login(&account);
                    if let Body::Im(im) = &mut record.body {
                        im.flow = flow;
                    }
                    record
                }
                8 => sample::attack(flow),
                9 => sample::access(AccessAction::Login),
                10 => sample::access(AccessAction::Result { success: false }),
                _ => sample::loss(Class::Im, LossPlace::Host(account.as_str().into()), numbers[2]),
            };
            (record.time, record.sequence, record.boot) = (time, numbers[4], BootId(numbers[5]));
            let [bom, quality, synchronised, origin, sentence, sequence_id] = flags;
            let options = TextOptions {
                facility: (numbers[3] % 24) as u8, bom, digits: if zoned { 3 } else { 6 }, quality, synchronised, origin,
                sentence, sequence_id,
            };
            let zone = zoned.then(|| TimeZone::get("Australia/Adelaide").unwrap());
            let mut formatter = Formatter::new("fw1", 4711, zone.clone()).with(&options, None);
            for sequence in 1..=2 {
                let mut out = Vec::new();
                formatter.format(&record, &mut out);
                let slow = crate::record::twin::message(&record, zone.as_ref(), &options, sequence);
                prop_assert_eq!(String::from_utf8(out).unwrap(), slow);
            }
        }

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
