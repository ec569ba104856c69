//! Records as JSON, one object a line. Names and words are those of the structured data of RFC 5424 (see
//! [`super::schema::PARAMETERS`]), so that what a replay prints and what a log host gets agree field by field.

use std::fmt;
use std::net::IpAddr;
use std::time::Duration;

use dataplane::endpoint::{Endpoint, Mac};
use dataplane::time::Nanos;
use jiff::tz::TimeZone;
use sigdb::Confidence;

use super::clock::Clock;
use super::fields::{Fields, Label, event, label};
use super::schema::VERSION;
use super::{FlowContext, Record, confidence_text, digits, rfc3339};

/// Appends a record as an object and a line feed. Times are in UTC; `seq` is the record's number, and the run of the
/// process (`boot`) is left to whoever names the file.
pub fn write(out: &mut Vec<u8>, record: &Record) {
    let mut object = Object::begin(out);
    object.head(event(&record.body), record.time);
    object.number(label!("seq"), record.sequence);
    object.body(record.time, &record.body);
    object.end();
}

/// Appends the identification of a flow's application, which is an event, but no record, as an object and a line feed.
pub fn write_application(out: &mut Vec<u8>, time: Nanos, flow: &FlowContext, confidence: Confidence) {
    let mut object = Object::begin(out);
    object.head("application", time);
    object.text(label!("application"), &flow.application);
    object.word(label!("confidence"), confidence_text(confidence));
    object.flow(flow);
    object.end();
}

/// Writes records for one receiver: what [`write()`] writes, and before all else which version of the format it is, who
/// says it, and in which run.
#[derive(Debug)]
pub struct Formatter {
    /// `"schema":2,"host":"fw1"`, escaped.
    origin: Vec<u8>,
    clock: Clock,
}

impl Formatter {
    /// For objects of `host_name`; time stamps in `zone`, in UTC where there is none, with 3 or 6 `digits` of the fraction.
    pub fn new(host_name: &str, zone: Option<TimeZone>, digits: u8) -> Self {
        let mut origin = format!("\"schema\":{VERSION},\"host\":").into_bytes();
        string(&mut origin, host_name);
        Self { origin, clock: Clock::new(zone, digits) }
    }

    /// Appends an object, without the line feed.
    pub fn format(&mut self, record: &Record, out: &mut Vec<u8>) {
        out.push(b'{');
        out.extend_from_slice(&self.origin);
        let mut object = Object { out, first: false, clock: Some(&mut self.clock) };
        object.word(label!("boot"), &record.boot.to_string());
        object.number(label!("seq"), record.sequence);
        object.head(event(&record.body), record.time);
        object.body(record.time, &record.body);
        object.out.push(b'}');
    }
}

/// An object being written.
pub(crate) struct Object<'a> {
    out: &'a mut Vec<u8>,
    first: bool,
    /// Writes times; none: in UTC.
    clock: Option<&'a mut Clock>,
}

impl<'a> Object<'a> {
    /// Opens it.
    pub(crate) fn begin(out: &'a mut Vec<u8>) -> Self {
        out.push(b'{');
        Self { out, first: true, clock: None }
    }

    /// Closes it, and the line.
    pub(crate) fn end(self) {
        self.out.extend_from_slice(b"}\n");
    }

    fn head(&mut self, event: &str, time: Nanos) {
        self.word(label!("event"), event);
        self.time(label!("time"), time);
    }

    /// A value that is JSON as it prints: a number, `true`, `null`.
    pub(crate) fn value(&mut self, name: &str, value: impl fmt::Display) {
        self.name(name);
        put(self.out, format_args!("{value}"));
    }

    /// An object of counts.
    pub(crate) fn counts(&mut self, name: &str, counts: impl IntoIterator<Item = (impl AsRef<str>, u64)>) {
        self.nested(name, |object| {
            for (name, count) in counts {
                object.value(name.as_ref(), count);
            }
        });
    }

    /// An object within.
    pub(crate) fn nested(&mut self, name: &str, fill: impl FnOnce(&mut Object<'_>)) {
        self.name(name);
        self.out.push(b'{');
        fill(&mut Object { out: self.out, first: true, clock: None });
        self.out.push(b'}');
    }

    fn name(&mut self, name: &str) {
        if !std::mem::take(&mut self.first) {
            self.out.push(b',');
        }
        string(self.out, name);
        self.out.push(b':');
    }

    #[inline]
    fn member(&mut self, label: Label) {
        if std::mem::take(&mut self.first) {
            self.out.extend_from_slice(&label.member.as_bytes()[1..]);
        } else {
            self.out.extend_from_slice(label.member.as_bytes());
        }
    }
}

impl Fields for Object<'_> {
    #[inline]
    fn word(&mut self, label: Label, word: &str) {
        self.member(label);
        self.out.push(b'"');
        self.out.extend_from_slice(word.as_bytes());
        self.out.push(b'"');
    }

    #[inline]
    fn end(&mut self, label: Label, end: Endpoint) {
        self.member(label);
        self.out.push(b'"');
        digits::end(self.out, end, b"]");
        self.out.push(b'"');
    }

    #[inline]
    fn address(&mut self, label: Label, address: IpAddr) {
        self.member(label);
        self.out.push(b'"');
        digits::address(self.out, address);
        self.out.push(b'"');
    }

    fn mac(&mut self, label: Label, mac: Mac) {
        self.member(label);
        self.out.push(b'"');
        digits::mac(self.out, mac);
        self.out.push(b'"');
    }

    #[inline]
    fn number(&mut self, label: Label, value: u64) {
        self.member(label);
        digits::decimal(self.out, value);
    }

    #[inline]
    fn text(&mut self, label: Label, text: &str) {
        self.member(label);
        string(self.out, text);
    }

    fn time(&mut self, label: Label, time: Nanos) {
        self.member(label);
        self.out.push(b'"');
        match &mut self.clock {
            Some(clock) => clock.write(self.out, time),
            None => rfc3339::write(self.out, time, None),
        }
        self.out.push(b'"');
    }

    fn seconds(&mut self, label: Label, span: Duration) {
        self.member(label);
        digits::seconds(self.out, span);
    }

    fn absent(&mut self, label: Label) {
        self.member(label);
        self.out.extend_from_slice(b"null");
    }

    fn unknown(&mut self, label: Label) {
        self.absent(label);
    }
}

/// A string; what a terminal takes for more than text, and JSON need not escape, is escaped as well: DEL, controls above
/// ASCII, line separators and direction overrides.
fn string(out: &mut Vec<u8>, text: &str) {
    out.push(b'"');
    if digits::is_plain(text) {
        out.extend_from_slice(text.as_bytes());
    } else {
        escaped(out, text);
    }
    out.push(b'"');
}

fn escaped(out: &mut Vec<u8>, text: &str) {
    let is_hidden = |c| matches!(c, '\x7f'..='\u{9f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    let mut rest = text;
    while let Some(place) = rest.find(is_hidden) {
        let (before, after) = rest.split_at(place);
        inside(out, before);
        let Some(hidden) = after.chars().next() else { break };
        put(out, format_args!("\\u{:04x}", u32::from(hidden)));
        rest = &after[hidden.len_utf8()..];
    }
    inside(out, rest);
}

/// What is between the quotes.
fn inside(out: &mut Vec<u8>, text: &str) {
    let begin = out.len();
    serde_json::to_writer(&mut *out, text).expect("memory takes every text");
    out.pop();
    out.remove(begin);
}

/// Formats into memory, which cannot fail.
fn put(out: &mut Vec<u8>, arguments: fmt::Arguments<'_>) {
    let _ = std::io::Write::write_fmt(out, arguments);
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::record::{Body, Class, ImAction, LossPlace, sample};

    fn written(record: &Record) -> Value {
        let mut line = Vec::new();
        write(&mut line, record);
        assert_eq!(line.iter().filter(|octet| **octet == b'\n').count(), 1);
        serde_json::from_slice(&line).unwrap()
    }

    #[test]
    fn a_login_has_what_the_contract_names() {
        let expected = json!({
            "event": "signon", "time": "2026-03-01T08:15:30.000125Z", "seq": 48_121, "application": "qq",
            "action": "login", "reason": "message", "account": "20001", "confidence": "certain", "client": "10.1.2.3:4001",
            "server": "192.0.2.9:8000", "protocol": "udp", "session": 281_474_976_710_659_u64, "rule": "staff-im",
            "client-interface": "inside", "server-interface": "outside", "client-zone": "trust",
            "server-zone": "untrust", "svlan": 101, "signatures": "2026.03.01",
        });
        assert_eq!(written(&sample::login("20001")), expected);
    }

    #[test]
    fn what_is_not_known_is_null_and_what_does_not_apply_is_left_out() {
        let mut record = sample::login("20001");
        let Body::Im(im) = &mut record.body else { panic!("not IM") };
        im.account = None;
        im.pseudonym_key = Some(crate::record::account::KeyId([0, 1, 2, 255]));
        im.action = ImAction::Result { success: false };
        im.online = Some(Duration::from_millis(61_007));
        let object = written(&record);
        assert_eq!(
            (&object["account"], &object["result"], &object["online"]),
            (&Value::Null, &json!("fail"), &json!(61.007))
        );
        assert_eq!(object["pseudonym-key"], "000102ff");
        assert!(object.get("cvlan").is_none() && written(&sample::login("1")).get("result").is_none());
    }

    #[test]
    fn a_hostile_account_stays_inside_its_quotes() {
        let account = "a\"b\\c\n\u{0}\u{7f}\u{202e}é";
        assert_eq!(written(&sample::login(account))["account"], json!(account));
    }

    #[test]
    fn sessions_tell_their_volume_and_duration_at_their_end_only() {
        let close = written(&sample::close_v6());
        assert_eq!(close["client"], "[2001:db8::1]:4001");
        assert_eq!(
            (&close["action"], &close["reason"], &close["duration"]),
            (&json!("close"), &json!("fin"), &json!(10.0))
        );
        assert_eq!((&close["to-server-packets"], &close["to-client-octets"]), (&json!(5), &json!(6_000)));
        let create = written(&sample::create(sample::flow_v4()));
        assert_eq!(create["action"], "create");
        assert!(create.get("duration").is_none() && create.get("reason").is_none());
        assert_eq!(written(&sample::deny(sample::flow_v4()))["action"], "deny");
    }

    #[test]
    fn a_translated_session_says_what_it_is_outside() {
        let create = written(&sample::create(sample::flow_translated()));
        let outside = (&create["nat-source-address"], &create["nat-source-port"]);
        assert_eq!(outside, (&json!("198.51.100.10"), &json!(40_123)));
        assert!(written(&sample::create(sample::flow_v4())).get("nat-source-address").is_none());
    }

    #[test]
    fn a_loss_is_told() {
        let loss = written(&sample::loss(Class::Im, LossPlace::Worker(3), 7));
        assert_eq!(
            (&loss["event"], &loss["place"], &loss["count"]),
            (&json!("log-loss"), &json!("worker:3"), &json!(7))
        );
    }

    #[test]
    fn an_application_is_told_with_its_flow() {
        let mut line = Vec::new();
        write_application(&mut line, sample::TIME, &sample::flow_v4(), Confidence::Likely);
        let object: Value = serde_json::from_slice(&line).unwrap();
        assert_eq!((&object["event"], &object["application"]), (&json!("application"), &json!("qq")));
        assert_eq!((&object["confidence"], &object["protocol"]), (&json!("likely"), &json!("udp")));
    }

    #[test]
    fn what_a_terminal_would_obey_is_escaped_and_comes_back() {
        let text = "a\"\\\n\x1b[2J\x7f\u{9b}2J\u{85}\u{2028}\u{202e}\u{2066}zo\u{eb}\u{1f600}";
        let mut out = Vec::new();
        string(&mut out, text);
        let written = String::from_utf8(out).unwrap();
        assert!(!written.contains(|c: char| c.is_control() || matches!(c, '\u{2028}' | '\u{202e}' | '\u{2066}')));
        assert!(written.contains("\\u009b2J") && written.contains("zo\u{eb}\u{1f600}"), "{written}");
        assert_eq!(serde_json::from_str::<String>(&written).unwrap(), text);
    }

    #[test]
    fn every_name_is_one_of_the_structured_data() {
        let ours = ["time"];
        let losses = sample::loss(Class::Session, LossPlace::Worker(0), 1);
        let translated = sample::create(sample::flow_translated());
        for record in [sample::login("1"), sample::close_v6(), sample::deny(sample::flow_v4()), translated, losses] {
            for name in written(&record).as_object().unwrap().keys() {
                let known = crate::record::schema::PARAMETERS.iter().any(|(known, _)| known == name);
                assert!(known || ours.contains(&name.as_str()), "{name}");
            }
        }
    }
}
