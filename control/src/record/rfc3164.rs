//! Records as messages of the old syslog, RFC 3164: a head, a tag, and what the structured data of RFC 5424 says as words.
//!
//! ```text
//! <134>Mar  1 08:15:30 fw1 ostiary[4711]: IM_LOGIN boot=00c0ffee00c0ffee seq=48121 event=signon action=login …
//! ```
//!
//! What is not one word of printable ASCII is in quotes, `"` and `\` behind a backslash there. Without a year and without
//! fractions of a second, as that format has it, and cut at its 1,024 octets: the record's name (boot, seq) stands first.

use std::net::IpAddr;
use std::time::Duration;

use dataplane::endpoint::{Endpoint, Mac};
use dataplane::time::Nanos;
use jiff::tz::TimeZone;

use super::clock::Clock;
use super::fields::{Fields, Label, event, label};
use super::rfc5424::{host, visible};
use super::{Record, digits, kind};

/// No message is longer (RFC 3164, 4.1).
pub const MAX_MESSAGE: usize = 1_024;

/// Writes records for one receiver.
#[derive(Debug)]
pub struct Formatter {
    facility: u8,
    /// ` HOSTNAME ostiary[PID]: `.
    tag: Box<[u8]>,
    clock: Clock,
}

impl Formatter {
    /// For messages of `host_name` and process `process` at `facility`; time stamps in `zone`, in UTC where there is none.
    /// `digits` of the fraction have the times in the message.
    pub fn new(host_name: &str, process: u32, zone: Option<TimeZone>, facility: u8, digits: u8) -> Self {
        let tag = format!(" {} ostiary[{process}]: ", host(host_name));
        Self { facility: facility.min(23), tag: tag.into_bytes().into(), clock: Clock::new(zone, digits) }
    }

    /// Appends one message, without framing.
    pub fn format(&mut self, record: &Record, out: &mut Vec<u8>) {
        let start = out.len();
        let (severity, id) = kind(&record.body);
        head(out, self.facility * 8 + severity, record.time, &mut self.clock);
        out.extend_from_slice(&self.tag);
        out.extend_from_slice(id.as_bytes());
        let mut words = Words { out, clock: &mut self.clock };
        words.word(label!("boot"), &record.boot.to_string());
        words.number(label!("seq"), record.sequence);
        words.word(label!("event"), event(&record.body));
        words.body(record.time, &record.body);
        cut(out, start, MAX_MESSAGE);
    }
}

/// Appends PRI and TIMESTAMP: `<134>Mar  1 08:15:30`, of a clock's local time.
pub(super) fn head(out: &mut Vec<u8>, priority: u8, time: Nanos, clock: &mut Clock) {
    const MONTHS: [&[u8; 3]; 12] =
        [b"Jan", b"Feb", b"Mar", b"Apr", b"May", b"Jun", b"Jul", b"Aug", b"Sep", b"Oct", b"Nov", b"Dec"];
    out.push(b'<');
    digits::decimal(out, priority.into());
    out.push(b'>');
    let start = out.len();
    clock.write(out, time);
    // `2026-03-01T08:15:30.…`: month, day and time stand where they stand in years of four digits.
    let stamp: [u8; 19] = out.get(start..start + 19).and_then(|stamp| stamp.try_into().ok()).unwrap_or([b'0'; 19]);
    out.truncate(start);
    let month = usize::from(stamp[5] - b'0') * 10 + usize::from(stamp[6] - b'0');
    out.extend_from_slice(MONTHS[month.saturating_sub(1) % 12]);
    out.push(b' ');
    out.push(if stamp[8] == b'0' { b' ' } else { stamp[8] });
    out.push(stamp[9]);
    out.push(b' ');
    out.extend_from_slice(&stamp[11..]);
}

/// Cuts what stands behind `start` at `most` octets, between two characters.
pub(super) fn cut(out: &mut Vec<u8>, start: usize, most: usize) {
    let Some(mut end) = Some(start + most).filter(|end| *end < out.len()) else { return };
    // Octets within a character begin with the bits 10.
    while end > start && out[end] & 0xc0 == 0x80 {
        end -= 1;
    }
    out.truncate(end);
}

/// Names and values as words.
struct Words<'a> {
    out: &'a mut Vec<u8>,
    clock: &'a mut Clock,
}

impl Words<'_> {
    fn key(&mut self, label: Label) {
        self.out.extend_from_slice(label.key.as_bytes());
    }
}

impl Fields for Words<'_> {
    fn word(&mut self, label: Label, word: &str) {
        self.key(label);
        self.out.extend_from_slice(word.as_bytes());
    }

    fn end(&mut self, label: Label, end: Endpoint) {
        self.key(label);
        digits::end(self.out, end, b"]");
    }

    fn address(&mut self, label: Label, address: IpAddr) {
        self.key(label);
        digits::address(self.out, address);
    }

    fn mac(&mut self, label: Label, mac: Mac) {
        self.key(label);
        digits::mac(self.out, mac);
    }

    fn number(&mut self, label: Label, value: u64) {
        self.key(label);
        digits::decimal(self.out, value);
    }

    fn text(&mut self, label: Label, text: &str) {
        self.key(label);
        if !text.is_empty() && !text.contains(' ') && digits::is_plain(text) {
            return self.out.extend_from_slice(text.as_bytes());
        }
        let mut buffer = [0; 4];
        self.out.push(b'"');
        for character in text.chars() {
            if matches!(character, '"' | '\\') {
                self.out.push(b'\\');
            }
            self.out.extend_from_slice(visible(character).encode_utf8(&mut buffer).as_bytes());
        }
        self.out.push(b'"');
    }

    fn time(&mut self, label: Label, time: Nanos) {
        self.key(label);
        self.clock.write(self.out, time);
    }

    fn seconds(&mut self, label: Label, span: Duration) {
        self.key(label);
        digits::seconds(self.out, span);
    }

    /// A word without a value is left out.
    fn absent(&mut self, _label: Label) {}

    fn unknown(&mut self, label: Label) {
        self.word(label, "-");
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::record::{Body, sample};

    fn text(record: &Record, zone: Option<&str>) -> String {
        let mut out = Vec::new();
        let zone = zone.map(|name| TimeZone::get(name).unwrap());
        Formatter::new("fw1", 4711, zone, 16, 6).format(record, &mut out);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn a_close_is_said_in_full() {
        assert_eq!(
            text(&sample::close(sample::flow_v4()), None),
            "<134>Mar  1 08:15:30 fw1 ostiary[4711]: SESSION_CLOSE boot=00c0ffee00c0ffee seq=48121 event=session \
             action=close reason=fin application=qq client=10.1.2.3:4001 server=192.0.2.9:8000 protocol=udp \
             session=281474976710659 rule=staff-im client-interface=inside server-interface=outside client-zone=trust \
             server-zone=untrust svlan=101 start=2026-03-01T08:15:20.000125Z duration=10.000 to-server-packets=5 \
             to-server-octets=700 to-client-packets=6 to-client-octets=6000"
        );
    }

    #[test]
    fn the_head_is_in_local_time() {
        let mut record = sample::login("10001");
        record.time = Nanos::from_parts(1_798_750_799, 0);
        assert!(text(&record, None).starts_with("<134>Dec 31 20:59:59 fw1 "));
        assert!(text(&record, Some("Asia/Shanghai")).starts_with("<134>Jan  1 04:59:59 fw1 "));
    }

    #[test]
    fn texts_are_words_or_quoted() {
        let account = |account: &str| {
            let text = text(&sample::login(account), None);
            let start = text.find(" account=").unwrap() + 9;
            text[start..text.find(" confidence=").unwrap()].to_owned()
        };
        assert_eq!(account("10001"), "10001");
        assert_eq!(account("a b"), "\"a b\"");
        assert_eq!(account("a\"b\\c=d\n企"), "\"a\\\"b\\\\c=d␊企\"");
        assert_eq!(account(""), "\"\"");
    }

    proptest! {
        /// Whatever the texts: bounded, UTF-8, one line, and the record's name is there.
        #[test]
        fn messages_are_bounded_and_named(account in ".{0,300}", rule in "\\PC{0,2000}") {
            let mut record = sample::login(&account);
            let Body::Im(im) = &mut record.body else { panic!("a sign-on") };
            im.flow.rule = rule.as_str().into();
            let message = text(&record, None);
            prop_assert!(message.len() <= MAX_MESSAGE && !message.contains(|c: char| c.is_control()));
            prop_assert!(message.contains(" IM_LOGIN boot=00c0ffee00c0ffee seq=48121 event=signon "));
        }
    }
}
