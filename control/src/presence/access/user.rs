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
    /// Of a host: the person logged off at the port that it is behind. The name is then of use to records only.
    pub(super) logged_off: bool,
    /// As told: the VLANs in which another source knew the person, whose sign-on there ended before.
    pub(super) elsewhere: Option<(u16, u16)>,
    /// The other texts, one after the other: which, its length, its octets.
    texts: Box<[u8]>,
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
            ipv4: address(event),
            ipv6: event.ipv6,
            prefix: event.prefix.filter(|(_, length)| *length <= 128),
            assigned: event.assigned,
            nas: event.nas,
            nas_port: event.nas_port,
            trust: event.trust,
            traffic: event.traffic,
            since: event.header.time,
            login: false,
            account,
            user: (!name.is_empty()).then(|| name.into()),
            logged_off: false,
            elsewhere: None,
            texts: packed(kept(&event.texts)),
        }
    }

    /// The name of the person, as long as it says who is there.
    pub fn name(&self) -> Option<&[u8]> {
        self.user.as_deref().filter(|_| !self.logged_off)
    }

    /// A text; empty where there is none.
    pub fn text(&self, which: Text) -> &[u8] {
        self.texts().find(|(text, _)| *text == which as u8).map_or(&[], |(_, octets)| octets)
    }

    /// Sets a text, of 255 octets at most.
    pub fn set_text(&mut self, which: Text, octets: &[u8]) {
        let others = self.texts().filter(|(text, _)| *text != which as u8);
        self.texts = packed(others.chain([(which as u8, octets)]));
    }

    /// Sets a text that is not known.
    pub(super) fn fill(&mut self, which: Text, octets: &[u8]) {
        if self.text(which).is_empty() && !octets.is_empty() {
            self.set_text(which, octets);
        }
    }

    /// The texts as they are kept.
    pub(super) fn packed_texts(&self) -> &[u8] {
        &self.texts
    }

    /// Takes texts as they were kept; what is none of them is not found.
    pub(super) fn set_packed_texts(&mut self, texts: Box<[u8]>) {
        self.texts = texts;
    }

    fn texts(&self) -> impl Iterator<Item = (u8, &[u8])> {
        let mut rest = &*self.texts;
        std::iter::from_fn(move || {
            let (&[which, length], after) = rest.split_first_chunk()?;
            let (octets, after) = after.split_at_checked(length.into())?;
            rest = after;
            Some((which, octets))
        })
    }

    /// Takes over what a host said when it asked: who it is, and where.
    pub(super) fn adopt(&mut self, asked: &Self) {
        for (which, octets) in asked.texts() {
            if let Some(which) = Text::ALL.into_iter().find(|text| *text as u8 == which) {
                self.fill(which, octets);
            }
        }
        // Whatever way the answer takes: by a relay its place is another.
        if asked.is_local {
            (self.ports, self.svlan, self.cvlan) = (asked.ports, asked.svlan, asked.cvlan);
            self.session = asked.session;
        }
    }

    /// Takes up what another source knows of the same person, where this one does not.
    pub(super) fn join(&mut self, other: &Self) {
        self.ipv4 = self.ipv4.or(other.ipv4);
        self.ipv6 = self.ipv6.or(other.ipv6);
        self.prefix = self.prefix.or(other.prefix);
        if self.assigned == Assigned::Unknown {
            self.assigned = other.assigned;
        }
        self.mac = self.mac.or(other.mac);
        self.nas = self.nas.or(other.nas);
        self.nas_port = self.nas_port.or(other.nas_port);
        self.traffic = self.traffic.or(other.traffic);
        for (which, octets) in other.texts() {
            if let Some(which) = Text::ALL.into_iter().find(|text| *text as u8 == which) {
                self.fill(which, octets);
            }
        }
    }

    /// Whether an event says anything that is not known and may be looked for.
    pub(super) fn says_more(&self, event: &AccessEvent) -> bool {
        let is_news = |known: bool, same: bool| known && !same;
        is_news(address(event).is_some(), address(event) == self.ipv4)
            || is_news(event.ipv6.is_some(), event.ipv6 == self.ipv6)
            || is_news(event.prefix.is_some(), event.prefix == self.prefix)
            || is_news(event.assigned != Assigned::Unknown, event.assigned == self.assigned)
            || self.mac.is_none() && event.mac.is_some()
            || self.user.is_none() && self.source.is_personal() && !event.texts.get(Text::User).is_empty()
            || kept(&event.texts).any(|(which, octets)| which != Text::User as u8 && !self.has(which, octets))
    }

    fn has(&self, which: u8, octets: &[u8]) -> bool {
        self.texts().any(|known| known == (which, octets))
    }

    /// Takes up what an event says.
    pub(super) fn take_up(&mut self, event: &AccessEvent) {
        self.ipv4 = address(event).or(self.ipv4);
        self.ipv6 = event.ipv6.or(self.ipv6);
        self.prefix = event.prefix.filter(|(_, length)| *length <= 128).or(self.prefix);
        self.mac = self.mac.or(event.mac);
        self.traffic = event.traffic.or(self.traffic);
        if event.assigned != Assigned::Unknown {
            self.assigned = event.assigned;
        }
        let name = event.texts.get(Text::User);
        if self.user.is_none() && self.source.is_personal() && !name.is_empty() {
            (self.account, self.user) = (name.into(), Some(name.into()));
        }
        if self.source == event.source {
            for which in Text::ALL {
                let octets = event.texts.get(which);
                if !octets.is_empty() && which != Text::User && octets != self.text(which) {
                    self.set_text(which, octets);
                }
            }
        }
    }

    /// Takes up what the end says, but for addresses: they were what they were.
    pub(super) fn complete(&mut self, event: &AccessEvent) {
        let (ipv4, ipv6, prefix) = (self.ipv4, self.ipv6, self.prefix);
        self.take_up(event);
        (self.ipv4, self.ipv6, self.prefix) = (ipv4.or(self.ipv4), ipv6.or(self.ipv6), prefix.or(self.prefix));
    }

    /// The addresses that an event names are no longer the user's.
    pub(super) fn give_back(&mut self, event: &AccessEvent) {
        if event.ipv6.is_some() && event.ipv6 == self.ipv6 {
            self.ipv6 = None;
        }
        if event.prefix.is_some() && event.prefix == self.prefix {
            self.prefix = None;
        }
    }

    /// What the account names: a person, a host, or only a port.
    pub fn identifies(&self) -> &'static str {
        match () {
            () if self.source.is_personal() && self.user.is_some() => "person",
            () if self.mac.is_some() || !self.account.is_empty() => "host",
            () => "port",
        }
    }
}

/// The IPv4 address that an event names. 255.255.255.255 and .254 ask for one (RFC 2865, 5.8).
pub(super) fn address(event: &AccessEvent) -> Option<[u8; 4]> {
    event.ipv4.filter(|address| !matches!(address, [0, 0, 0, 0] | [255, 255, 255, 254 | 255]))
}

/// The texts that there are, but the name, which has its own place.
fn kept(texts: &Texts) -> impl Iterator<Item = (u8, &[u8])> {
    let named = Text::ALL.into_iter().map(|which| (which as u8, texts.get(which)));
    named.filter(|(which, octets)| *which != Text::User as u8 && !octets.is_empty())
}

fn packed<'a>(texts: impl Iterator<Item = (u8, &'a [u8])>) -> Box<[u8]> {
    let mut packed = Vec::new();
    for (which, octets) in texts.filter(|(_, octets)| !octets.is_empty()) {
        let length = octets.len().min(255);
        packed.extend([which, length as u8]);
        packed.extend(&octets[..length]);
    }
    packed.into()
}
