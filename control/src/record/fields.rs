//! The named fields of a record, told once for every format that is text: RFC 5424's structured data and JSON.

use std::fmt::Display;
use std::net::SocketAddr;
use std::time::Duration;

use dataplane::time::Nanos;

use super::access::legible;
use super::{
    AttackRecord, Body, FlowContext, ImRecord, LossRecord, SessionAction, SessionRecord, close_reason_text,
    confidence_text, phase_text,
};

/// A format that takes named fields.
pub(crate) trait Fields {
    /// A word, number or address of our own: needs no escaping.
    fn word(&mut self, name: &str, value: impl Display);
    /// An address and port, that of IPv6 in brackets.
    fn end(&mut self, name: &str, end: SocketAddr) {
        self.word(name, end);
    }
    /// A number.
    fn number(&mut self, name: &str, value: u64);
    /// Text that others chose.
    fn text(&mut self, name: &str, text: &str);
    /// A time.
    fn time(&mut self, name: &str, time: Nanos);
    /// A span, in seconds with three digits of the fraction.
    fn seconds(&mut self, name: &str, span: Duration);
    /// A field that applies, but has no value.
    fn absent(&mut self, name: &str);
    /// A field of which it has to be said that it is not known.
    fn unknown(&mut self, name: &str);

    /// What happened, but for its time, number and run.
    fn body(&mut self, time: Nanos, body: &Body) {
        match body {
            Body::Session(session) => self.session(time, session),
            Body::Im(im) => self.sign_on(im),
            Body::Attack(attack) => self.attack(time, attack),
            Body::Access(access) => access.write(time, self),
            Body::Loss(loss) => self.loss(loss),
        }
    }

    /// Create, close or deny.
    fn session(&mut self, time: Nanos, session: &SessionRecord) {
        self.word("action", session.action.text());
        if let SessionAction::Close { reason, .. } = session.action {
            self.word("reason", close_reason_text(reason));
        }
        self.text("application", &session.flow.application);
        self.flow(&session.flow);
        if let SessionAction::Deny { packets, first } = session.action {
            self.number("count", packets);
            self.time("first", first);
        }
        if let SessionAction::Close { start, to_server, to_client, .. } = session.action {
            self.time("start", start);
            self.seconds("duration", time.since(start));
            self.number("to-server-packets", to_server.packets);
            self.number("to-server-octets", to_server.octets);
            self.number("to-client-packets", to_client.packets);
            self.number("to-client-octets", to_client.octets);
        }
    }

    /// What an instant-messaging user did.
    fn sign_on(&mut self, im: &ImRecord) {
        self.word("action", im.action.text());
        if let Some(result) = im.action.result_text() {
            self.word("result", result);
        }
        self.word("reason", im.reason.text());
        self.text("application", &im.flow.application);
        match &im.account {
            Some(account) => self.text("account", account),
            None => self.absent("account"),
        }
        if let Some(key) = im.pseudonym_key {
            self.word("pseudonym-key", key);
        }
        self.word("confidence", confidence_text(im.confidence));
        self.flow(&im.flow);
        if let Some(online) = im.online {
            self.seconds("online", online);
        }
        self.text("signatures", &im.signatures);
    }

    /// An attack.
    fn attack(&mut self, time: Nanos, attack: &AttackRecord) {
        self.word("action", phase_text(attack.phase));
        self.word("kind", attack.kind);
        self.number("count", attack.recent.packets);
        self.number("octets", attack.recent.octets);
        self.number("total", attack.total.packets);
        self.number("total-octets", attack.total.octets);
        self.number("rate", attack.rate(time));
        self.time("start", attack.begin);
        let flow = &attack.flow;
        self.end("client", flow.tuple.client.socket());
        self.end("server", flow.tuple.server.socket());
        self.protocol(flow);
        self.text("client-interface", &flow.interfaces.0);
        self.text("server-interface", &flow.interfaces.1);
        self.text("client-zone", &flow.zones.0);
        self.text("server-zone", &flow.zones.1);
    }

    /// What was lost.
    fn loss(&mut self, loss: &LossRecord) {
        self.word("class", loss.class.text());
        self.text("place", &loss.place.to_string());
        self.number("count", loss.count);
        self.time("first", loss.span.0);
        self.time("last", loss.span.1);
    }

    /// The protocol by its name, or its number.
    fn protocol(&mut self, flow: &FlowContext) {
        match flow.tuple.protocol {
            1 => self.word("protocol", "icmp"),
            6 => self.word("protocol", "tcp"),
            17 => self.word("protocol", "udp"),
            58 => self.word("protocol", "icmpv6"),
            number => self.word("protocol", number),
        }
    }

    /// Where it happened.
    fn flow(&mut self, flow: &FlowContext) {
        self.end("client", flow.tuple.client.socket());
        self.end("server", flow.tuple.server.socket());
        if let Some(translation) = flow.translation {
            self.word("nat-source-address", translation.endpoint().address.ip());
            self.number("nat-source-port", translation.port.into());
        }
        self.protocol(flow);
        self.number("session", flow.session.0);
        self.text("rule", &flow.rule);
        self.text("client-interface", &flow.interfaces.0);
        self.text("server-interface", &flow.interfaces.1);
        self.text("client-zone", &flow.zones.0);
        self.text("server-zone", &flow.zones.1);
        if flow.tuple.svlan != 0 {
            self.number("svlan", flow.tuple.svlan.into());
        }
        if flow.tuple.cvlan != 0 {
            self.number("cvlan", flow.tuple.cvlan.into());
        }
        if let Some(user) = &flow.user {
            if let Some(name) = &user.name {
                self.text("user", &legible(name));
            }
            if let Some(mac) = user.mac {
                self.word("user-mac", mac);
            }
            if let Some(interface) = &user.interface {
                self.text("user-interface", interface);
            }
        }
    }
}

/// The word of the `event` field.
pub(crate) fn event(body: &Body) -> &'static str {
    match body {
        Body::Session(_) => "session",
        Body::Im(_) | Body::Access(_) => "signon",
        Body::Attack(_) => "attack",
        Body::Loss(_) => "loss",
    }
}
