//! Records of access users: login, logout and the result of a login.

use std::borrow::Cow;
use std::fmt::Write as _;
use std::sync::Arc;
use std::time::Duration;

use dataplane::access::{Assigned, Text, Trust};
use dataplane::endpoint::Endpoint;
use dataplane::event::Volume;
use dataplane::time::Nanos;

use super::Name;
use super::fields::{Fields, Label, label};
use crate::presence::access::{AccessAction, AccessReason, AccessUser};

/// A sign-on of an access user.
#[derive(Clone, Debug)]
pub struct AccessRecord {
    /// What happened.
    pub action: AccessAction,
    /// On what ground.
    pub reason: AccessReason,
    /// Who, as of then.
    pub user: Arc<AccessUser>,
    /// Of a logout whose login was seen: how long the user was signed on.
    pub online: Option<Duration>,
    /// The user's port, or that of the access server's side; none where it is not known.
    pub port: Option<Name>,
    /// The zone of that port.
    pub zone: Option<Name>,
}

impl AccessRecord {
    /// The access interface: the port, and its VLANs behind a point: `inside.101`, `inside.200.101`.
    pub fn interface(&self) -> Option<String> {
        Some(interface_text(self.port.as_ref()?, &self.user))
    }

    /// The domain of the user's name: what stands behind its last `@`.
    pub fn domain(&self) -> Option<&[u8]> {
        let name = self.user.user.as_deref()?;
        let at = name.iter().rposition(|octet| *octet == b'@')?;
        name.get(at + 1..).filter(|domain| !domain.is_empty())
    }

    /// When the user signed on; none where that was not seen, or did not happen.
    pub fn login_time(&self, time: Nanos) -> Option<Nanos> {
        match self.action {
            AccessAction::Login => Some(time),
            AccessAction::Logout if self.user.login => Some(self.user.since),
            AccessAction::Logout | AccessAction::Seen | AccessAction::Result { .. } => None,
        }
    }

    /// When the user signed off.
    pub fn logout_time(&self, time: Nanos) -> Option<Nanos> {
        (self.action == AccessAction::Logout).then_some(time)
    }

    /// Writes the fields, every one of them: those that are not known say so.
    pub(super) fn write<F: Fields + ?Sized>(&self, time: Nanos, out: &mut F) {
        let user = &*self.user;
        out.word(label!("action"), self.action.text());
        if let Some(result) = self.action.result_text() {
            out.word(label!("result"), result);
        }
        out.word(label!("reason"), self.reason.text());
        if let AccessReason::Other(cause) = self.reason {
            out.number(label!("cause"), cause.into());
        }
        out.word(label!("class"), self.class().text());
        out.word(label!("application"), user.source.name());
        octets(out, label!("account"), &user.account);
        octets(out, label!("user"), user.user.as_deref().unwrap_or_default());
        octets(out, label!("domain"), self.domain().unwrap_or_default());
        match user.ipv4 {
            Some(address) => out.address(label!("ipv4"), address.into()),
            None => out.unknown(label!("ipv4")),
        }
        match user.ipv6 {
            Some(address) => out.address(label!("ipv6"), address.into()),
            None => out.unknown(label!("ipv6")),
        }
        match user.prefix {
            Some((address, length)) => {
                out.word(label!("prefix"), &format!("{}/{length}", std::net::Ipv6Addr::from(address)));
            }
            None => out.unknown(label!("prefix")),
        }
        known(out, label!("assigned"), assigned_text(user.assigned));
        match user.mac {
            Some(mac) => out.mac(label!("mac"), mac),
            None => out.unknown(label!("mac")),
        }
        name(out, label!("interface"), self.interface().as_deref());
        name(out, label!("client-interface"), self.port.as_deref());
        name(out, label!("zone"), self.zone.as_deref());
        number(out, label!("svlan"), (user.svlan != 0).then_some(user.svlan.into()));
        number(out, label!("cvlan"), (user.cvlan != 0).then_some(user.cvlan.into()));
        match user.nas {
            Some(nas) => out.address(label!("nas"), nas.ip()),
            None => out.unknown(label!("nas")),
        }
        octets(out, label!("nas-id"), user.text(Text::NasId));
        number(out, label!("nas-port"), user.nas_port.map(u64::from));
        octets(out, label!("nas-port-id"), user.text(Text::NasPortId));
        octets(out, label!("circuit-id"), user.text(Text::CircuitId));
        octets(out, label!("remote-id"), user.text(Text::RemoteId));
        octets(out, label!("host-name"), user.text(Text::HostName));
        octets(out, label!("group"), user.text(Text::Class));
        octets(out, label!("filter"), user.text(Text::Filter));
        octets(out, label!("session-id"), user.text(Text::SessionId));
        octets(out, label!("message"), user.text(Text::Message));
        for (field, moment) in
            [(label!("login-time"), self.login_time(time)), (label!("logout-time"), self.logout_time(time))]
        {
            match moment {
                Some(moment) => out.time(field, moment),
                None => out.unknown(field),
            }
        }
        match self.online {
            Some(online) => out.seconds(label!("online"), online),
            None => out.unknown(label!("online")),
        }
        let [from, to] = user.traffic.map_or([None; 2], |volumes| volumes.map(Some));
        let count = |volume: Option<Volume>, of: fn(Volume) -> u64| volume.map(of);
        number(out, label!("from-user-packets"), count(from, |volume| volume.packets));
        number(out, label!("from-user-octets"), count(from, |volume| volume.octets));
        number(out, label!("to-user-packets"), count(to, |volume| volume.packets));
        number(out, label!("to-user-octets"), count(to, |volume| volume.octets));
        out.word(label!("identifies"), user.identifies());
        known(out, label!("trust"), trust_text(user.trust));
        for (field, end) in [(label!("client"), user.ends.0), (label!("server"), user.ends.1)] {
            match end {
                end if end == Endpoint::default() => out.unknown(field),
                end => out.end(field, end),
            }
        }
    }

    /// Which class it is of.
    pub fn class(&self) -> super::Class {
        match self.action {
            AccessAction::Result { .. } => super::Class::CallStatus,
            AccessAction::Login | AccessAction::Logout | AccessAction::Seen => super::Class::Access,
        }
    }
}

/// The access interface of a user at a port: its name, and VLANs behind a point.
pub fn interface_text(port: &str, user: &AccessUser) -> String {
    let mut name = port.to_owned();
    for vlan in [user.svlan, user.cvlan].into_iter().filter(|vlan| *vlan != 0) {
        let _ = write!(name, ".{vlan}");
    }
    name
}

/// How an address was assigned, in the words of the records.
pub fn assigned_text(assigned: Assigned) -> Option<&'static str> {
    match assigned {
        Assigned::Unknown => None,
        Assigned::Router => Some("router"),
        Assigned::Dhcpv6 => Some("dhcpv6"),
        Assigned::Delegated => Some("delegated"),
        Assigned::Radius => Some("radius"),
    }
}

/// How far a record can be trusted, in the words of the records.
pub fn trust_text(trust: Trust) -> Option<&'static str> {
    match trust {
        Trust::Verified => Some("verified"),
        Trust::NoSecret => Some("unverified"),
        Trust::NotApplicable => None,
    }
}

/// What others chose as text: UTF-8 as it is, of what is none each octet that is not ASCII as `\xHH`.
pub fn legible(octets: &[u8]) -> Cow<'_, str> {
    if let Ok(text) = std::str::from_utf8(octets) {
        return Cow::Borrowed(text);
    }
    let mut text = String::with_capacity(octets.len() * 2);
    for octet in octets {
        match octet {
            0..=0x7f => text.push(char::from(*octet)),
            _ => {
                let _ = write!(text, "\\x{octet:02X}");
            }
        }
    }
    Cow::Owned(text)
}

fn octets<F: Fields + ?Sized>(out: &mut F, field: Label, octets: &[u8]) {
    match octets {
        [] => out.unknown(field),
        octets => out.text(field, &legible(octets)),
    }
}

fn name<F: Fields + ?Sized>(out: &mut F, field: Label, text: Option<&str>) {
    match text {
        Some(text) => out.text(field, text),
        None => out.unknown(field),
    }
}

fn known<F: Fields + ?Sized>(out: &mut F, field: Label, word: Option<&'static str>) {
    match word {
        Some(word) => out.word(field, word),
        None => out.unknown(field),
    }
}

fn number<F: Fields + ?Sized>(out: &mut F, field: Label, value: Option<u64>) {
    match value {
        Some(value) => out.number(field, value),
        None => out.unknown(field),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_text_stays_legible() {
        assert_eq!(legible("zoë".as_bytes()), "zoë");
        assert_eq!(legible(b"a\xff\"b"), "a\\xFF\"b");
    }
}
