//! Records in ArcSight's Common Event Format, in a message of the old syslog:
//!
//! ```text
//! <134>Mar  1 08:15:30 fw1 CEF:0|Ostiary|ostiary|0.1.0|SESSION_CLOSE|session 10.1.2.3:4001 to … closed: fin|3|rt=1772352930000 …
//! ```
//!
//! The keys are the format's own where there is one that means the same; what has none is a custom string or number (`cs1`,
//! `cn1` …), whose label is the name that the other formats give the field. What is not known is left out.

use std::net::IpAddr;

use dataplane::access::Text;
use dataplane::endpoint::Endpoint;
use dataplane::time::Nanos;
use jiff::tz::TimeZone;

use super::access::{AccessRecord, legible};
use super::audit::{AuditField, AuditRecord};
use super::clock::Clock;
use super::fields::event;
use super::rfc3164::{cut, head};
use super::rfc5424::{MAX_MESSAGE, host, visible};
use super::sentence::Sentence;
use super::{
    AttackRecord, Body, FlowContext, ImRecord, LossRecord, Record, SessionAction, SessionRecord, beginning,
    close_reason_text, confidence_text, digits, kind, phase_text,
};

/// Texts are cut at this many octets, before escaping.
const MAX_TEXT: usize = 255;

/// Writes records for one receiver.
#[derive(Debug)]
pub struct Formatter {
    facility: u8,
    host: String,
    clock: Clock,
}

impl Formatter {
    /// For messages of `host_name` at `facility`; the head's time stamps in `zone`, in UTC where there is none.
    pub fn new(host_name: &str, zone: Option<TimeZone>, facility: u8) -> Self {
        Self { facility: facility.min(23), host: host(host_name), clock: Clock::new(zone, 6) }
    }

    /// Appends one message, without framing.
    pub fn format(&mut self, record: &Record, out: &mut Vec<u8>) {
        let start = out.len();
        let (severity, id) = kind(&record.body);
        head(out, self.facility * 8 + severity, record.time, &mut self.clock);
        out.push(b' ');
        out.extend_from_slice(self.host.as_bytes());
        out.extend_from_slice(concat!(" CEF:0|Ostiary|ostiary|", env!("CARGO_PKG_VERSION"), "|").as_bytes());
        out.extend_from_slice(id.as_bytes());
        out.push(b'|');
        escape(out, &Sentence(&record.body).to_string(), b"\\|");
        // From 0 to 10: the lower a severity of syslog, the worse.
        let level = 10_u8.saturating_sub(severity * 10 / 8).saturating_sub(1);
        out.push(b'|');
        digits::decimal(out, level.into());
        out.push(b'|');
        let mut extension = Extension { out, first: true };
        extension.time("rt", record.time);
        extension.text("dvchost", &self.host);
        extension.text("deviceExternalId", &record.boot.to_string());
        extension.number("externalId", record.sequence);
        extension.text("cat", event(&record.body));
        match &record.body {
            Body::Session(session) => extension.session(session, record.time),
            Body::Im(im) => extension.sign_on(im),
            Body::Attack(attack) => extension.attack(attack, record.time),
            Body::Access(access) => extension.access(access, record.time),
            Body::Audit(audit) => extension.audit(audit),
            Body::Loss(loss) => extension.loss(loss),
        }
        cut(out, start, MAX_MESSAGE);
    }
}

/// The extension: keys and values.
struct Extension<'a> {
    out: &'a mut Vec<u8>,
    first: bool,
}

impl Extension<'_> {
    fn key(&mut self, key: &str) {
        if !std::mem::take(&mut self.first) {
            self.out.push(b' ');
        }
        self.out.extend_from_slice(key.as_bytes());
        self.out.push(b'=');
    }

    /// A text; nothing where it is empty.
    fn text(&mut self, key: &str, text: &str) {
        if !text.is_empty() {
            self.key(key);
            escape(self.out, beginning(text, MAX_TEXT), b"\\=");
        }
    }

    fn number(&mut self, key: &str, value: u64) {
        self.key(key);
        digits::decimal(self.out, value);
    }

    /// Milliseconds since the epoch.
    fn time(&mut self, key: &str, time: Nanos) {
        self.number(key, time.millis());
    }

    /// A custom string or number and its label, one key behind the other.
    fn custom(&mut self, key: &str, name: &str, text: &str) {
        if !text.is_empty() {
            self.text(key, text);
            self.text(&format!("{key}Label"), name);
        }
    }

    fn custom_number(&mut self, key: &str, name: &str, value: u64) {
        self.number(key, value);
        self.text(&format!("{key}Label"), name);
    }

    /// Addresses of IPv6 have keys of their own.
    fn address(&mut self, (v4, v6, name): (&str, &str, &str), address: IpAddr) {
        self.key(if address.is_ipv4() { v4 } else { v6 });
        digits::address(self.out, address);
        if address.is_ipv6() {
            self.text(&format!("{v6}Label"), name);
        }
    }

    fn ends(&mut self, client: Endpoint, server: Endpoint, protocol: u8) {
        self.address(("src", "c6a2", "Source IPv6 Address"), client.address.ip());
        self.number("spt", client.port.into());
        self.address(("dst", "c6a3", "Destination IPv6 Address"), server.address.ip());
        self.number("dpt", server.port.into());
        match protocol {
            1 => self.text("proto", "ICMP"),
            6 => self.text("proto", "TCP"),
            17 => self.text("proto", "UDP"),
            58 => self.text("proto", "ICMPv6"),
            number => self.number("proto", number.into()),
        }
    }

    fn places(&mut self, flow: &FlowContext) {
        self.text("deviceInboundInterface", &flow.interfaces.0);
        self.text("deviceOutboundInterface", &flow.interfaces.1);
        self.custom("cs2", "client-zone", &flow.zones.0);
        self.custom("cs3", "server-zone", &flow.zones.1);
    }

    /// A flow, but for the user: sign-ons have two.
    fn flow(&mut self, flow: &FlowContext) {
        self.text("app", &flow.application);
        self.ends(flow.tuple.client, flow.tuple.server, flow.tuple.protocol);
        if let Some(translation) = flow.translation {
            self.key("sourceTranslatedAddress");
            digits::address(self.out, translation.endpoint().address.ip());
            self.number("sourceTranslatedPort", translation.port.into());
        }
        self.custom("cs1", "rule", &flow.rule);
        self.places(flow);
        self.custom_number("cn1", "session", flow.session.0);
        if let Some(user) = &flow.user {
            if let Some(mac) = user.mac {
                self.text("smac", &mac.to_string());
            }
            self.custom("cs4", "user-interface", user.interface.as_deref().unwrap_or(""));
        }
        match (flow.tuple.svlan, flow.tuple.cvlan) {
            (0, _) => {}
            (outer, 0) => self.custom("cs6", "vlans", &outer.to_string()),
            (outer, inner) => self.custom("cs6", "vlans", &format!("{outer}.{inner}")),
        }
    }

    fn session(&mut self, session: &SessionRecord, time: Nanos) {
        self.text("act", session.action.text());
        self.flow(&session.flow);
        if let Some(name) = session.flow.user.as_ref().and_then(|user| user.name.as_deref()) {
            self.text("suser", &legible(name));
        }
        match session.action {
            SessionAction::Create => {}
            SessionAction::Deny { packets, first } => {
                self.number("cnt", packets);
                self.time("start", first);
            }
            SessionAction::Close { reason, start, to_server, to_client } => {
                self.text("reason", close_reason_text(reason));
                self.time("start", start);
                self.time("end", time);
                self.number("out", to_server.octets);
                self.number("in", to_client.octets);
                self.custom_number("cn2", "to-server-packets", to_server.packets);
                self.custom_number("cn3", "to-client-packets", to_client.packets);
            }
        }
    }

    fn sign_on(&mut self, im: &ImRecord) {
        self.text("act", im.action.text());
        self.text("outcome", im.action.result_text().unwrap_or(""));
        self.text("reason", im.reason.text());
        self.text("suser", im.account.as_deref().unwrap_or(""));
        self.flow(&im.flow);
        if let Some(name) = im.flow.user.as_ref().and_then(|user| user.name.as_deref()) {
            self.custom("cs5", "user", &legible(name));
        }
        if let Some(online) = im.online {
            self.custom_number("cn2", "online-milliseconds", online.as_millis() as u64);
        }
        self.text("deviceFacility", &format!("signatures {}, {}", im.signatures, confidence_text(im.confidence)));
        if let Some(key) = im.pseudonym_key {
            self.text("suid", &format!("pseudonym-key {key}"));
        }
    }

    fn attack(&mut self, attack: &AttackRecord, time: Nanos) {
        self.text("act", phase_text(attack.phase));
        self.custom("cs1", "kind", attack.kind);
        self.ends(attack.flow.tuple.client, attack.flow.tuple.server, attack.flow.tuple.protocol);
        self.places(&attack.flow);
        self.time("start", attack.begin);
        self.time("end", time);
        self.number("cnt", attack.recent.packets);
        self.number("in", attack.recent.octets);
        self.custom_number("cn1", "total", attack.total.packets);
        self.custom_number("cn2", "rate", attack.rate(time));
        self.custom_number("cn3", "total-octets", attack.total.octets);
    }

    fn access(&mut self, access: &AccessRecord, time: Nanos) {
        let user = &*access.user;
        self.text("act", access.action.text());
        self.text("outcome", access.action.result_text().unwrap_or(""));
        self.text("reason", access.reason.text());
        self.text("app", user.source.name());
        self.text("suser", &legible(user.user.as_deref().unwrap_or_default()));
        self.text("suid", &legible(&user.account));
        self.text("sntdom", &legible(access.domain().unwrap_or_default()));
        if let Some(address) = user.ipv4 {
            self.address(("src", "c6a2", ""), address.into());
        }
        if let Some(address) = user.ipv6 {
            self.key("c6a2");
            digits::address(self.out, IpAddr::from(address));
            self.text("c6a2Label", "Source IPv6 Address");
        }
        if let Some((prefix, length)) = user.prefix {
            self.text("sourceServiceName", &format!("{}/{length}", IpAddr::from(prefix)));
        }
        if let Some(mac) = user.mac {
            self.text("smac", &mac.to_string());
        }
        self.text("deviceInboundInterface", &access.interface().unwrap_or_default());
        self.text("shost", &legible(user.text(Text::HostName)));
        if let Some(nas) = user.nas {
            self.address(("dst", "c6a3", "Destination IPv6 Address"), nas.ip());
        }
        self.text("dhost", &legible(user.text(Text::NasId)));
        for (key, name, text) in [
            ("cs1", "circuit-id", Text::CircuitId),
            ("cs2", "remote-id", Text::RemoteId),
            ("cs3", "nas-port-id", Text::NasPortId),
            ("cs4", "group", Text::Class),
            ("cs5", "session-id", Text::SessionId),
            ("cs6", "filter", Text::Filter),
        ] {
            self.custom(key, name, &legible(user.text(text)));
        }
        self.text("msg", &legible(user.text(Text::Message)));
        if let Some(start) = access.login_time(time) {
            self.time("start", start);
        }
        if let Some(end) = access.logout_time(time) {
            self.time("end", end);
        }
        if let Some([from, to]) = user.traffic {
            self.number("out", from.octets);
            self.number("in", to.octets);
            self.custom_number("cn2", "from-user-packets", from.packets);
            self.custom_number("cn3", "to-user-packets", to.packets);
        }
        if let Some(port) = user.nas_port {
            self.custom_number("cn1", "nas-port", port.into());
        }
    }

    fn audit(&mut self, audit: &AuditRecord) {
        let subject = &audit.subject;
        self.text("act", audit.event.name());
        self.text("outcome", audit.outcome.text().unwrap_or(""));
        self.text("reason", audit.field(AuditField::Reason).unwrap_or(""));
        self.text("suser", subject.user.as_deref().unwrap_or(""));
        if let Some(uid) = subject.uid {
            self.number("suid", uid.into());
        }
        if let Some(pid) = subject.pid {
            self.number("spid", pid.unsigned_abs().into());
        }
        self.text("spriv", subject.role.map_or("", |role| role.text()));
        if let Some(origin) = subject.origin {
            self.address(("src", "c6a2", "Source IPv6 Address"), origin.address);
            if let Some(port) = origin.port {
                self.number("spt", port.into());
            }
        }
        self.custom("cs1", "via", subject.via.map_or("", |via| via.text()));
        if let Some(session) = subject.session {
            self.custom_number("cn1", "session", session.into());
        }
        self.text("msg", &audit.detail());
    }

    fn loss(&mut self, loss: &LossRecord) {
        self.custom("cs1", "class", loss.class.text());
        self.custom("cs2", "place", &loss.place.to_string());
        self.text("reason", loss.reason.text());
        self.number("cnt", loss.count);
        if let Some((first, last)) = loss.sequences {
            self.custom_number("cn1", "first-sequence", first);
            self.custom_number("cn2", "last-sequence", last);
        }
        self.time("start", loss.span.0);
        self.time("end", loss.span.1);
    }
}

/// Appends a text in which the octets of `special` stand behind a backslash.
fn escape(out: &mut Vec<u8>, text: &str, special: &[u8]) {
    let mut buffer = [0; 4];
    for character in text.chars() {
        if character.is_ascii() && special.contains(&(character as u8)) {
            out.push(b'\\');
        }
        out.extend_from_slice(visible(character).encode_utf8(&mut buffer).as_bytes());
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::record::sample;

    fn text(record: &Record) -> String {
        let mut out = Vec::new();
        Formatter::new("fw1", None, 16).format(record, &mut out);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn a_close_is_said_in_full() {
        let version = env!("CARGO_PKG_VERSION");
        assert_eq!(
            text(&sample::close(sample::flow_translated())),
            format!(
                "<134>Mar  1 08:15:30 fw1 CEF:0|Ostiary|ostiary|{version}|SESSION_CLOSE|session 10.1.2.3:4001 to \
                 192.0.2.9:8000 closed: fin|2|rt=1772352930000 dvchost=fw1 deviceExternalId=00c0ffee00c0ffee \
                 externalId=48121 cat=session act=close app=qq src=10.1.2.3 spt=4001 dst=192.0.2.9 dpt=8000 proto=UDP \
                 sourceTranslatedAddress=198.51.100.10 sourceTranslatedPort=40123 cs1=staff-im cs1Label=rule \
                 deviceInboundInterface=inside deviceOutboundInterface=outside cs2=trust cs2Label=client-zone cs3=untrust \
                 cs3Label=server-zone cn1=281474976710659 cn1Label=session cs6=101 cs6Label=vlans reason=fin \
                 start=1772352920000 end=1772352930000 out=700 in=6000 cn2=5 cn2Label=to-server-packets cn3=6 \
                 cn3Label=to-client-packets"
            )
        );
    }

    #[test]
    fn addresses_of_ipv6_have_keys_of_their_own() {
        let close = text(&sample::close_v6());
        assert!(close.contains(
            " c6a2=2001:db8::1 c6a2Label=Source IPv6 Address spt=4001 c6a3=2001:db8::2 c6a3Label=Destination IPv6 Address "
        ));
        assert!(!close.contains(" src="));
    }

    #[test]
    fn what_would_end_a_value_or_a_header_is_escaped() {
        let text = text(&sample::login("a=b|c\\d\n"));
        assert!(text.contains(" suser=a\\=b|c\\\\d␊ "), "{text}");
        assert!(text.contains("|qq user a=b\\|c\\\\\\\\d\\\\n logged in from 10.1.2.3:4001|2|"), "{text}");
    }

    proptest! {
        /// Whatever the texts: bounded, one line, seven bars that count, and no key is used twice.
        #[test]
        fn messages_are_bounded_and_parsed(account in ".{0,300}", rule in "\\PC{1,2000}") {
            let mut record = sample::login(&account);
            let Body::Im(im) = &mut record.body else { panic!("a sign-on") };
            im.flow.rule = rule.as_str().into();
            let message = text(&record);
            prop_assert!(message.len() <= MAX_MESSAGE && !message.contains(|c: char| c.is_control()));
            let bare = message.replace("\\\\", "").replace("\\|", "").replace("\\=", "");
            let header: Vec<&str> = bare.splitn(8, '|').collect();
            prop_assert_eq!(header.len(), 8);
            let mut keys: Vec<&str> = header[7].split('=').filter_map(|part| part.rsplit(' ').next()).collect();
            keys.pop();
            let count = keys.len();
            keys.sort_unstable();
            keys.dedup();
            prop_assert_eq!(keys.len(), count);
        }
    }
}
