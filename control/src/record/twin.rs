//! RFC 5424 written the obvious way, each value by its `Display`, nothing remembered: the slow twin of
//! [`super::rfc5424`].

use std::fmt::Write as _;
use std::net::IpAddr;
use std::time::Duration;

use dataplane::endpoint::{Endpoint, Mac};
use dataplane::time::Nanos;
use jiff::tz::TimeZone;

use super::fields::{Fields, Label, event, label};
use super::sentence::Sentence;
use super::{Record, beginning, kind, rfc3339};
use crate::export::TextOptions;

/// One message of host `fw1` and process 4711, its number `sequence`.
pub(crate) fn message(record: &Record, zone: Option<&TimeZone>, options: &TextOptions, sequence: u32) -> String {
    let written = write(record, zone, options, sequence, 255);
    if written.len() > super::rfc5424::MAX_MESSAGE { write(record, zone, options, sequence, 48) } else { written }
}

fn write(record: &Record, zone: Option<&TimeZone>, options: &TextOptions, sequence: u32, most: usize) -> String {
    let (severity, id) = kind(&record.body);
    let mut element = Element { out: String::new(), zone, digits: options.digits, most };
    let time = element.stamp(record.time);
    write!(element.out, "<{}>1 {time} fw1 ostiary 4711 {id} ", options.facility * 8 + severity).unwrap();
    if options.sequence_id {
        write!(element.out, "[meta sequenceId=\"{sequence}\"]").unwrap();
    }
    if options.quality {
        let synchronised = if options.synchronised { 1 } else { 0 };
        write!(element.out, "[timeQuality tzKnown=\"1\" isSynced=\"{synchronised}\"]").unwrap();
    }
    if options.origin {
        let version = env!("CARGO_PKG_VERSION");
        write!(element.out, "[origin enterpriseId=\"32473\" software=\"ostiary\" swVersion=\"{version}\"]").unwrap();
    }
    element.out.push_str("[ostiary@32473");
    element.word(label!("boot"), &record.boot.to_string());
    element.number(label!("seq"), record.sequence);
    element.word(label!("event"), event(&record.body));
    element.body(record.time, &record.body);
    element.out.push(']');
    if options.sentence {
        let mark = if options.bom { "\u{feff}" } else { "" };
        write!(element.out, " {mark}{}", Sentence(&record.body)).unwrap();
    }
    element.out
}

struct Element<'a> {
    out: String,
    zone: Option<&'a TimeZone>,
    digits: u8,
    most: usize,
}

impl Element<'_> {
    fn stamp(&self, time: Nanos) -> String {
        let mut stamp = Vec::new();
        rfc3339::write(&mut stamp, time, self.zone);
        let mut stamp = String::from_utf8(stamp).unwrap();
        if self.digits == 3 {
            stamp.replace_range(23..26, "");
        }
        stamp
    }

    fn value(&mut self, label: Label, value: impl std::fmt::Display) {
        write!(self.out, " {}=\"{value}\"", label.name).unwrap();
    }
}

impl Fields for Element<'_> {
    fn word(&mut self, label: Label, word: &str) {
        self.value(label, word);
    }

    fn end(&mut self, label: Label, end: Endpoint) {
        self.value(label, end.socket().to_string().replace(']', "\\]"));
    }

    fn address(&mut self, label: Label, address: IpAddr) {
        self.value(label, address);
    }

    fn mac(&mut self, label: Label, mac: Mac) {
        self.value(label, mac);
    }

    fn number(&mut self, label: Label, value: u64) {
        self.value(label, value);
    }

    fn text(&mut self, label: Label, text: &str) {
        let mut escaped = String::new();
        for character in beginning(text, self.most).chars() {
            match character {
                '"' | '\\' | ']' => escaped.extend(['\\', character]),
                '\0'..='\x1f' => escaped.push(char::from_u32(0x2400 + character as u32).unwrap()),
                '\x7f' => escaped.push('\u{2421}'),
                '\u{80}'..='\u{9f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}' => escaped.push('\u{fffd}'),
                other => escaped.push(other),
            }
        }
        self.value(label, escaped);
    }

    fn time(&mut self, label: Label, time: Nanos) {
        let stamp = self.stamp(time);
        self.value(label, stamp);
    }

    fn seconds(&mut self, label: Label, span: Duration) {
        self.value(label, format!("{}.{:03}", span.as_secs(), span.subsec_millis()));
    }

    fn absent(&mut self, _label: Label) {}

    fn unknown(&mut self, label: Label) {
        self.value(label, "-");
    }
}
