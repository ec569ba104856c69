//! The named fields of a record, told once for every format that is text: RFC 5424's structured data and JSON.

use std::net::IpAddr;
use std::time::Duration;

use dataplane::endpoint::{Endpoint, Mac};
use dataplane::time::Nanos;

use super::access::legible;
use super::{
    AttackRecord, Body, FlowContext, ImRecord, LossRecord, SessionAction, SessionRecord, close_reason_text,
    confidence_text, phase_text,
};

/// The name of a field, with what the formats put around it, so that each is one copy of known length. Made by [`label!`].
#[derive(Clone, Copy, Debug)]
pub(crate) struct Label {
    /// `seq`.
    pub name: &'static str,
    /// ` seq="`: a PARAM-NAME of RFC 5424.
    pub parameter: &'static str,
    /// `,"seq":`: a member's name in JSON.
    pub member: &'static str,
    /// ` seq=`: a key of a line of words.
    pub key: &'static str,
}

/// The [`Label`] of a name.
macro_rules! label {
    ($name:literal) => {
        $crate::record::fields::Label {
            name: $name,
            parameter: concat!(" ", $name, "=\""),
            member: concat!(",\"", $name, "\":"),
            key: concat!(" ", $name, "="),
        }
    };
}
pub(crate) use label;

/// A format that takes named fields.
pub(crate) trait Fields {
    /// A word of our own: needs no escaping.
    fn word(&mut self, label: Label, word: &str);
    /// An address and port, that of IPv6 in brackets.
    fn end(&mut self, label: Label, end: Endpoint);
    /// An address.
    fn address(&mut self, label: Label, address: IpAddr);
    /// A MAC address.
    fn mac(&mut self, label: Label, mac: Mac);
    /// A number.
    fn number(&mut self, label: Label, value: u64);
    /// Text that others chose.
    fn text(&mut self, label: Label, text: &str);
    /// A time.
    fn time(&mut self, label: Label, time: Nanos);
    /// A span, in seconds with three digits of the fraction.
    fn seconds(&mut self, label: Label, span: Duration);
    /// A field that applies, but has no value.
    fn absent(&mut self, label: Label);
    /// A field of which it has to be said that it is not known.
    fn unknown(&mut self, label: Label);

    /// The names that a configuration gave to what a flow came through, in this order.
    fn statics(&mut self, flow: &FlowContext) {
        self.text(label!("rule"), &flow.rule);
        self.places(flow);
    }

    /// Of those, ports and zones.
    fn places(&mut self, flow: &FlowContext) {
        self.text(label!("client-interface"), &flow.interfaces.0);
        self.text(label!("server-interface"), &flow.interfaces.1);
        self.text(label!("client-zone"), &flow.zones.0);
        self.text(label!("server-zone"), &flow.zones.1);
    }

    /// What happened, but for its time, number and run.
    fn body(&mut self, time: Nanos, body: &Body) {
        match body {
            Body::Session(session) => self.session(time, session),
            Body::Im(im) => self.sign_on(im),
            Body::Attack(attack) => self.attack(time, attack),
            Body::Access(access) => access.write(time, self),
            Body::Audit(audit) => audit.write(self),
            Body::Loss(loss) => self.loss(loss),
        }
    }

    /// Create, close or deny.
    fn session(&mut self, time: Nanos, session: &SessionRecord) {
        self.word(label!("action"), session.action.text());
        if let SessionAction::Close { reason, .. } = session.action {
            self.word(label!("reason"), close_reason_text(reason));
        }
        self.text(label!("application"), &session.flow.application);
        self.flow(&session.flow);
        if let SessionAction::Deny { packets, first } = session.action {
            self.number(label!("count"), packets);
            self.time(label!("first"), first);
        }
        if let SessionAction::Close { start, to_server, to_client, .. } = session.action {
            self.time(label!("start"), start);
            self.seconds(label!("duration"), time.since(start));
            self.number(label!("to-server-packets"), to_server.packets);
            self.number(label!("to-server-octets"), to_server.octets);
            self.number(label!("to-client-packets"), to_client.packets);
            self.number(label!("to-client-octets"), to_client.octets);
        }
    }

    /// What an instant-messaging user did.
    fn sign_on(&mut self, im: &ImRecord) {
        self.word(label!("action"), im.action.text());
        if let Some(result) = im.action.result_text() {
            self.word(label!("result"), result);
        }
        self.word(label!("reason"), im.reason.text());
        self.text(label!("application"), &im.flow.application);
        match &im.account {
            Some(account) => self.text(label!("account"), account),
            None => self.absent(label!("account")),
        }
        if let Some(key) = im.pseudonym_key {
            self.word(label!("pseudonym-key"), &key.to_string());
        }
        self.word(label!("confidence"), confidence_text(im.confidence));
        self.flow(&im.flow);
        if let Some(online) = im.online {
            self.seconds(label!("online"), online);
        }
        self.text(label!("signatures"), &im.signatures);
    }

    /// An attack.
    fn attack(&mut self, time: Nanos, attack: &AttackRecord) {
        self.word(label!("action"), phase_text(attack.phase));
        self.word(label!("kind"), attack.kind);
        self.number(label!("count"), attack.recent.packets);
        self.number(label!("octets"), attack.recent.octets);
        self.number(label!("total"), attack.total.packets);
        self.number(label!("total-octets"), attack.total.octets);
        self.number(label!("rate"), attack.rate(time));
        self.time(label!("start"), attack.begin);
        let flow = &attack.flow;
        self.end(label!("client"), flow.tuple.client);
        self.end(label!("server"), flow.tuple.server);
        self.protocol(flow);
        self.places(flow);
    }

    /// What was lost.
    fn loss(&mut self, loss: &LossRecord) {
        self.word(label!("class"), loss.class.text());
        self.text(label!("place"), &loss.place.to_string());
        self.word(label!("reason"), loss.reason.text());
        self.number(label!("count"), loss.count);
        if let Some((first, last)) = loss.sequences {
            self.number(label!("first-sequence"), first);
            self.number(label!("last-sequence"), last);
        }
        self.time(label!("first"), loss.span.0);
        self.time(label!("last"), loss.span.1);
    }

    /// The protocol by its name, or its number.
    fn protocol(&mut self, flow: &FlowContext) {
        match flow.tuple.protocol {
            1 => self.word(label!("protocol"), "icmp"),
            6 => self.word(label!("protocol"), "tcp"),
            17 => self.word(label!("protocol"), "udp"),
            58 => self.word(label!("protocol"), "icmpv6"),
            number => self.word(label!("protocol"), &number.to_string()),
        }
    }

    /// Where it happened.
    fn flow(&mut self, flow: &FlowContext) {
        self.end(label!("client"), flow.tuple.client);
        self.end(label!("server"), flow.tuple.server);
        if let Some(translation) = flow.translation {
            self.address(label!("nat-source-address"), translation.endpoint().address.ip());
            self.number(label!("nat-source-port"), translation.port.into());
        }
        self.protocol(flow);
        self.number(label!("session"), flow.session.0);
        self.statics(flow);
        if flow.tuple.svlan != 0 {
            self.number(label!("svlan"), flow.tuple.svlan.into());
        }
        if flow.tuple.cvlan != 0 {
            self.number(label!("cvlan"), flow.tuple.cvlan.into());
        }
        if let Some(user) = &flow.user {
            if let Some(name) = &user.name {
                self.text(label!("user"), &legible(name));
            }
            if let Some(mac) = user.mac {
                self.mac(label!("user-mac"), mac);
            }
            if let Some(interface) = &user.interface {
                self.text(label!("user-interface"), interface);
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
        Body::Audit(_) => "audit",
        Body::Loss(_) => "log-loss",
    }
}
