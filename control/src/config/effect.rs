//! Keys of log hosts that would do nothing: each is a misunderstanding, and refused.

use super::document::{Located, Notes};
use super::schema::log_host::LogHost;
use crate::export::{FileSync, Format, Patience};

/// Notes every key of a host that has no effect with its transport and its format.
pub(super) fn refuse(host: &LogHost, format: Format, notes: &mut Notes) {
    Refuser { host, format, notes }.all();
}

struct Refuser<'a> {
    host: &'a LogHost,
    format: Format,
    notes: &'a mut Notes,
}

impl Refuser<'_> {
    fn all(&mut self) {
        self.framing();
        self.windows();
        self.way();
        self.text();
        self.binary();
        self.targets();
    }

    /// Refuses a key that is there.
    fn refuse<T>(&mut self, key: &Option<Located<T>>, found: &str, expected: &str, advice: &str) {
        if let Some(key) = key {
            self.notes.fault(&key.place, Some(found.to_owned()), expected, advice);
        }
    }

    fn over(&self, what: &str) -> String {
        format!("{what} over {}", self.host.transport.text())
    }

    fn framing(&mut self) {
        let expected = "framing only for syslog over tcp or tls";
        let framing = &self.host.framing;
        if self.format == Format::Binary {
            let advice = "remove it: IPFIX messages carry their length";
            self.refuse(framing, "framing of binary records", expected, advice);
        } else if !self.host.transport.is_stream() {
            let advice = "remove it: the transport tells messages apart";
            self.refuse(framing, &self.over("framing"), expected, advice);
        }
    }

    fn windows(&mut self) {
        let host = self.host;
        if !host.transport.is_answered() {
            let expected = "window only with relp, relp-tls or kafka, whose hosts answer each record";
            self.refuse(&host.window, &self.over("window"), expected, "remove it");
        }
        if !host.transport.is_stream() {
            let expected = "this key only with tcp or tls";
            self.refuse(&host.resend_window, &self.over("resend-window"), expected, "remove it");
            self.refuse(&host.resend_age, &self.over("resend-age"), expected, "remove it");
        }
    }

    fn way(&mut self) {
        if self.host.transport.is_network() {
            return;
        }
        let (way, expected) = (&self.host.way, "this key only with a transport over the network, and not with kafka");
        self.refuse(&self.host.connect, &self.over("connect"), expected, "remove it");
        self.refuse(&way.source, &self.over("source-address"), expected, "remove it");
        self.refuse(&way.interface, &self.over("interface"), expected, "remove it");
        self.refuse(&way.namespace, &self.over("namespace"), expected, "remove it");
        self.refuse(&way.dscp, &self.over("dscp"), expected, "remove it");
    }

    fn text(&mut self) {
        let text = &self.host.text;
        let format = self.format.text();
        let expected = "this key only with format = \"syslog\"";
        if self.format != Format::Syslog {
            for (key, name) in [
                (&text.bom, "byte-order-mark"),
                (&text.quality, "time-quality"),
                (&text.origin, "origin"),
                (&text.sentence, "sentence"),
                (&text.sequence_id, "sequence-id"),
            ] {
                self.refuse(key, &format!("{name} with format = \"{format}\""), expected, "remove it");
            }
        }
        if !matches!(self.format, Format::Syslog | Format::Rfc3164 | Format::Json) {
            let expected = "time-digits only with format = \"syslog\", \"rfc3164\" or \"json\"";
            self.refuse(&text.digits, &format!("time-digits with format = \"{format}\""), expected, "remove it");
        }
        if !matches!(self.format, Format::Syslog | Format::Rfc3164 | Format::Cef) {
            let expected = "facility only with a syslog format that has no facility of its own";
            self.refuse(&text.facility, &format!("facility with format = \"{format}\""), expected, "remove it");
        }
    }

    fn binary(&mut self) {
        let binary = &self.host.binary;
        if self.format.is_text() {
            let format = self.format.text();
            let advice = "remove it, or set format = \"binary\"";
            let found = |key: &str| format!("{key} with format = \"{format}\"");
            let expected = |key: &str| format!("{key} only for binary records");
            let key = "observation-domain";
            self.refuse(&binary.observation_domain, &found(key), &expected(key), advice);
            self.refuse(&binary.message, &found("message-size"), &expected("message-size"), advice);
            let key = "statistics-interval";
            self.refuse(&binary.statistics, &found(key), &expected(key), advice);
            self.refuse(&binary.refresh, &found("template-refresh"), &expected("template-refresh"), advice);
            self.refuse(&binary.refresh_messages, &found("template-messages"), &expected("template-messages"), advice);
            return;
        }
        let transport = self.host.transport;
        if transport != super::schema::log_host::TransportKind::Udp {
            let expected = "this key only over udp: elsewhere templates cannot be lost";
            self.refuse(&binary.refresh, &self.over("template-refresh"), expected, "remove it");
            self.refuse(&binary.refresh_messages, &self.over("template-messages"), expected, "remove it");
        }
        if transport.is_answered() {
            let expected = "a text format: RELP and Kafka carry messages of text";
            let found = Some(format!("binary records over {}", transport.text()));
            let mut place = self.host.place.clone();
            place.key.push_str(".format");
            let place = self.host.format.as_ref().map_or(place, |format| format.place.clone());
            self.notes.fault(&place, found, expected, "set format = \"syslog\" or \"json\", or transport = \"tls\"");
        }
    }

    fn targets(&mut self) {
        use super::schema::log_host::TransportKind::{File, Kafka};
        let host = self.host;
        if !host.transport.is_network() {
            let expected = "no address: the transport says where by keys of its own";
            self.refuse(&host.address, &self.over("address"), expected, "remove it");
            self.refuse(&host.port, &self.over("port"), expected, "remove it");
        }
        if host.transport != File {
            let expected = "this key only with transport = \"file\"";
            self.refuse(&host.file.path, &self.over("path"), expected, "set transport = \"file\", or remove it");
            self.refuse(&host.file.rotate, &self.over("rotate"), expected, "set transport = \"file\", or remove it");
            self.refuse(&host.file.sync, &self.over("sync"), expected, "set transport = \"file\", or remove it");
        }
        let stall = host.stall.as_ref().map_or(Patience::default().stall, |stall| stall.value);
        if let Some(sync) = &host.file.sync
            && let FileSync::Within(time) = sync.value
            && time >= stall
        {
            let expected = "a time below stall: records are acknowledged when they are on the disk";
            self.notes.fault(
                &sync.place,
                Some("a sync as late as stall".to_owned()),
                expected,
                "lower sync, or raise stall",
            );
        }
        if host.transport != Kafka {
            let expected = "this key only with transport = \"kafka\"";
            let advice = "set transport = \"kafka\", or remove it";
            self.refuse(&host.kafka.brokers, &self.over("brokers"), expected, advice);
            self.refuse(&host.kafka.topic, &self.over("topic"), expected, advice);
        }
    }
}
