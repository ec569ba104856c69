//! What the table concludes, told by events as workers make them.

mod leases;
mod pairs;
mod persons;
mod random;
mod store;
mod tagging;
mod time;

use std::net::Ipv4Addr;
use std::time::Duration;

use dataplane::access::{AccessEvent, AccessKind, ResultCode, Source, Text};
use dataplane::endpoint::{Address, Mac};
use dataplane::time::Nanos;

use super::{AccessLimits, AccessTable, AccessTransition};

pub(super) const LIMITS: AccessLimits = AccessLimits {
    users: 1_000,
    silence: Some(Duration::from_secs(24 * 3600)),
    echo_timeout: Duration::from_secs(180),
};

/// So many milliseconds after the beginning.
pub(super) fn at(milliseconds: u64) -> Nanos {
    Nanos((1_000_000_000 + milliseconds) * 1_000_000)
}

/// A table, and what it told.
pub(super) struct Story {
    pub(super) table: AccessTable,
    now: u64,
}

impl Story {
    pub(super) fn new() -> Self {
        Self::with(LIMITS)
    }

    pub(super) fn with(limits: AccessLimits) -> Self {
        Self { table: AccessTable::new(limits), now: 0 }
    }

    /// So many milliseconds pass, in which others are heard.
    pub(super) fn after(&mut self, milliseconds: u64) -> Vec<String> {
        let end = self.now + milliseconds;
        let mut out = Vec::new();
        while self.now < end {
            self.now = (self.now + 3_600_000).min(end);
            self.table.advance(at(self.now), &mut out);
            self.table.heard(at(self.now));
        }
        told(&out)
    }

    /// So many milliseconds pass, in which nothing is heard.
    pub(super) fn silence(&mut self, milliseconds: u64) -> Vec<String> {
        self.now += milliseconds;
        let mut out = Vec::new();
        self.table.advance(at(self.now), &mut out);
        told(&out)
    }

    pub(super) fn observe(&mut self, mut event: AccessEvent) -> Vec<String> {
        event.header.time = at(self.now);
        let mut out = Vec::new();
        self.table.observe(&event, &mut out);
        told(&out)
    }

    pub(super) fn finish(&mut self) -> Vec<String> {
        let mut out = Vec::new();
        self.table.finish(&mut out);
        told(&out)
    }

    /// Names of the person and the host who have an address now.
    pub(super) fn holder(&self, vlans: (u16, u16), address: &str) -> String {
        self.holder_at(vlans, address, self.now)
    }

    pub(super) fn holder_at(&self, vlans: (u16, u16), address: &str, milliseconds: u64) -> String {
        let holder =
            self.table.holder(vlans, Address::from(address.parse::<std::net::IpAddr>().unwrap()), at(milliseconds));
        let account = |user: Option<&super::AccessUser>| {
            user.map_or("-".into(), |user| String::from_utf8_lossy(&user.account).into_owned())
        };
        format!("{} {}", account(holder.person), account(holder.host))
    }
}

/// `ACTION reason account address user seconds`.
fn told(transitions: &[AccessTransition]) -> Vec<String> {
    let line = |told: &AccessTransition| {
        let user = &told.user;
        let text = |octets: &[u8]| String::from_utf8_lossy(octets).into_owned();
        let mut line = format!("{} {} {}", told.action.text(), told.reason.text(), text(&user.account));
        if let Some(verdict) = told.action.result_text() {
            line = line.replacen("result", verdict, 1);
        }
        if let Some(address) = user.ipv4 {
            line += &format!(" {}", Ipv4Addr::from(address));
        }
        if let Some(name) = user.user.as_deref().filter(|name| **name != *user.account) {
            line += &format!(" ({})", text(name));
        }
        if let Some(online) = told.online {
            line += &format!(" {}s", online.as_secs());
        }
        line
    };
    transitions.iter().map(line).collect()
}

pub(super) fn mac(last: u8) -> Mac {
    Mac([2, 0, 0, 0, 0, last])
}

/// An event of accounting: sign-on, name, last octet of the address (0: none).
pub(super) fn accounting(kind: AccessKind, session: u64, name: &str, address: u8) -> AccessEvent {
    let mut event = AccessEvent::new(kind, Source::Radius);
    event.session = session;
    event.ipv4 = (address > 0).then_some([10, 0, 0, address]);
    event.nas = Some(Address::v4([192, 0, 2, 1]));
    event.texts.push(Text::User, name.as_bytes());
    event
}

pub(super) fn start(session: u64, name: &str, address: u8) -> AccessEvent {
    accounting(AccessKind::Login { more: false }, session, name, address)
}

pub(super) fn interim(session: u64, name: &str, address: u8) -> AccessEvent {
    accounting(AccessKind::Seen, session, name, address)
}

pub(super) fn stop(session: u64, name: &str, address: u8) -> AccessEvent {
    AccessEvent { cause: 1, ..accounting(AccessKind::Logout, session, name, address) }
}

/// A verdict of RADIUS.
pub(super) fn verdict(success: bool, transaction: u64, name: &str) -> AccessEvent {
    let code = if success { ResultCode::Accepted } else { ResultCode::Rejected };
    AccessEvent { transaction, code, ..accounting(AccessKind::Result { success }, 0, name, 0) }
}

/// An event of DHCP in VLAN 7: transaction, last octet of the MAC address and of the address (0: none).
pub(super) fn dhcp(kind: AccessKind, transaction: u64, host: u8, address: u8) -> AccessEvent {
    let mut event = AccessEvent::new(kind, Source::Dhcp);
    (event.transaction, event.session) = (transaction, 0xd0_0000 + u64::from(host));
    (event.svlan, event.is_local) = (7, true);
    event.mac = Some(mac(host));
    event.ipv4 = (address > 0).then_some([10, 0, 0, address]);
    event
}

pub(super) fn lease(transaction: u64, host: u8, address: u8, seconds: u32) -> AccessEvent {
    AccessEvent { lifetime: Some(seconds), ..dhcp(AccessKind::Login { more: false }, transaction, host, address) }
}
