//! A user of the access network, as the table knows one and as records tell one.

use dataplane::access::{AccessEvent, Assigned, Source, Text, Texts, Trust};
use dataplane::endpoint::{Address, Endpoint, Mac};
use dataplane::event::Volume;
use dataplane::time::Nanos;

/// A user of the access network. What changes often (when it was heard last) the table keeps beside it.
#[derive(Clone, Debug)]
pub struct AccessUser {
    /// Where the sign-on was seen.
    pub source: Source,
    /// The sign-on; 0 where it has no number.
    pub session: u64,
    /// Outer VLAN id, 0 where untagged.
    pub svlan: u16,
    /// Inner VLAN id, 0 where there are not two tags.
    pub cvlan: u16,
    /// Whether VLANs and port are the user's own; else those of the server that told.
    pub is_local: bool,
    /// The port of the user's or of the access server's side, and the other; `u16::MAX` where not known.
    pub ports: (u16, u16),
    /// Who asked and who answered; unspecified where it was not IP.
    pub ends: (Endpoint, Endpoint),
    /// MAC address.
    pub mac: Option<Mac>,
    /// IPv4 address.
    pub ipv4: Option<[u8; 4]>,
    /// IPv6 address.
    pub ipv6: Option<[u8; 16]>,
    /// IPv6 prefix and its length in bits.
    pub prefix: Option<([u8; 16], u8)>,
    /// How the user came to them.
    pub assigned: Assigned,
    /// The access server's address.
    pub nas: Option<Address>,
    /// NAS-Port.
    pub nas_port: Option<u32>,
    /// NAS-Port-Type.
    pub nas_port_type: Option<u8>,
    /// How far it can be trusted.
    pub trust: Trust,
    /// As the access server counted: from the user, to the user.
    pub traffic: Option<[Volume; 2]>,
    /// Since when; of a sign-on that was not seen, when it was seen first.
    pub since: Nanos,
    /// Whether the sign-on itself was seen.
    pub login: bool,
    /// What the source identifies: the user's name, of DHCP the MAC address. As it came, not always text.
    pub account: Box<[u8]>,
    /// The name of the person, where any source knows it.
    pub user: Option<Box<[u8]>>,
    /// The other texts, few of them.
    texts: Box<[(Text, Box<[u8]>)]>,
}

impl AccessUser {
    /// What an event says of its user.
    pub fn of(event: &AccessEvent) -> Self {
        let name = event.texts.get(Text::User);
        let account = match (event.source, event.mac) {
            (Source::Dhcp | Source::Dhcpv6, Some(mac)) => mac.to_string().into_bytes().into(),
            (Source::Dhcp | Source::Dhcpv6, None) => event.texts.get(Text::ClientId).into(),
            (_, Some(mac)) if name.is_empty() => mac.to_string().into_bytes().into(),
            _ => name.into(),
        };
        Self {
            source: event.source,
            session: event.session,
            svlan: event.svlan,
            cvlan: event.cvlan,
            is_local: event.is_local,
            ports: event.ports,
            ends: event.ends,
            mac: event.mac,
            ipv4: event.ipv4,
            ipv6: event.ipv6,
            prefix: event.prefix,
            assigned: event.assigned,
            nas: event.nas,
            nas_port: event.nas_port,
            nas_port_type: event.nas_port_type,
            trust: event.trust,
            traffic: event.traffic,
            since: event.header.time,
            login: false,
            account,
            user: (!name.is_empty()).then(|| name.into()),
            texts: kept(&event.texts),
        }
    }

    /// A text; empty where there is none.
    pub fn text(&self, which: Text) -> &[u8] {
        self.texts.iter().find(|(text, _)| *text == which).map_or(&[], |(_, octets)| octets)
    }

    /// Sets a text.
    pub fn set_text(&mut self, which: Text, octets: &[u8]) {
        let others = self.texts.iter().filter(|(text, _)| *text != which).cloned();
        self.texts = others.chain((!octets.is_empty()).then(|| (which, octets.into()))).collect();
    }

    /// What the account names: a person, a host, or only a port.
    pub fn identifies(&self) -> &'static str {
        match () {
            () if self.source.is_personal() && !self.text(Text::User).is_empty() => "person",
            () if self.mac.is_some() || !self.account.is_empty() => "host",
            () => "port",
        }
    }
}

/// The texts that there are.
fn kept(texts: &Texts) -> Box<[(Text, Box<[u8]>)]> {
    Text::ALL
        .into_iter()
        .map(|which| (which, texts.get(which)))
        .filter(|(_, octets)| !octets.is_empty())
        .map(|(which, octets)| (which, octets.into()))
        .collect()
}
