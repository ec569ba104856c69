//! What the events of each source mean.

use std::sync::Arc;

use dataplane::access::{AccessEvent, AccessKind, ResultCode, Source, Text};
use dataplane::time::Nanos;

use super::entry::{Entry, Family, Phase, age};
use super::index::Slot;
use super::memory::without_realm;
use super::user::address;
use super::{AccessAction, AccessReason, AccessTable, AccessTransition, AccessUser};

impl AccessTable {
    pub(super) fn take(&mut self, event: &AccessEvent, out: &mut Vec<AccessTransition>) {
        match event.kind {
            AccessKind::Hint => self.memory.ask(event),
            AccessKind::Result { success } => self.result(event, success, out),
            AccessKind::Login { .. } => self.login(event, out),
            AccessKind::Seen => self.seen(event, out),
            AccessKind::Update | AccessKind::Alive if event.source == Source::Dhcpv6 => self.update_host(event, out),
            AccessKind::Update | AccessKind::Alive => match self.find(event) {
                Some(slot) if self.is_other_end(slot, event) => {}
                Some(slot) => self.refresh(slot, event, out),
                None => self.tally.unknown += 1,
            },
            AccessKind::Logout => self.logout(event, out),
            AccessKind::NasGone => self.nas_gone(event, out),
            AccessKind::Forged => self.reports.extend(self.forgeries.observe(event)),
        }
    }

    /// Whether who is alive is not the user but the other end of the session: a worker that did not see it begin cannot tell
    /// the two apart, and says so of either by its MAC address.
    fn is_other_end(&self, slot: Slot, event: &AccessEvent) -> bool {
        let user = self.index.get(slot).and_then(|entry| entry.user.mac);
        event.kind == AccessKind::Alive && user.zip(event.mac).is_some_and(|(user, other)| user != other)
    }

    /// Who the user is was decided.
    fn result(&mut self, event: &AccessEvent, success: bool, out: &mut Vec<AccessTransition>) {
        let slot = self.find(event);
        // The challenge of every few minutes (RFC 1994, 2) is not another login.
        let is_again = success && event.source == Source::Pppoe && slot.is_some();
        let mut user = user_of(event);
        if event.source == Source::Dhcp {
            let Some(asked) = self.memory.asked(event) else {
                self.tally.unasked += 1;
                return;
            };
            user.adopt(asked);
        }
        if is_again || !self.memory.is_new(event, success) {
            self.tally.repeated += 1;
            return;
        }
        if self.memory.is_of_other_leg(event) {
            self.tally.repeated += 1;
            if success {
                self.memory.grant(event);
            }
            return;
        }
        let action = AccessAction::Result { success };
        let reason = match event.code {
            ResultCode::Accepted => AccessReason::Accepted,
            ResultCode::Rejected => AccessReason::Rejected,
            ResultCode::Timeout => AccessReason::AuthTimeout,
            ResultCode::Nak => AccessReason::Nak,
            ResultCode::ServiceError => AccessReason::ServiceError,
            ResultCode::None if success => AccessReason::Accepted,
            ResultCode::None | ResultCode::Failure => AccessReason::Failure,
        };
        let told = AccessTransition { time: user.since, action, reason, user: user.clone().into(), online: None };
        self.tell(told, out);
        match event.source {
            Source::Dot1x => match (slot, success) {
                (Some(slot), true) => self.refresh(slot, event, out),
                (None, true) => {
                    user.login = true;
                    self.admit(user, event, out);
                }
                // The port is closed again; that is what was told.
                (Some(slot), false) => drop(self.forget(slot, event.header.time)),
                (None, false) => {}
            },
            Source::Radius | Source::Receiver if success => self.memory.grant(event),
            _ => {}
        }
    }

    fn login(&mut self, event: &AccessEvent, out: &mut Vec<AccessTransition>) {
        let Some(mut user) = self.arriving(event) else { return };
        user.login = user.login || !is_lease(event);
        let happened = user.since;
        if let Some(slot) = self.find_in(event, user.session) {
            let Some(entry) = self.index.get(slot) else { return };
            if !is_another(entry, event) {
                self.refresh(slot, event, out);
                if event.kind == (AccessKind::Login { more: false }) {
                    self.arrive(slot, out);
                }
                return;
            }
            self.leave(slot, happened, if is_lease(event) { AccessReason::Moved } else { AccessReason::Replaced }, out);
        } else if self.memory.has_ended(event, happened) {
            self.tally.repeated += 1;
            return;
        }
        self.admit(user, event, out);
    }

    fn seen(&mut self, event: &AccessEvent, out: &mut Vec<AccessTransition>) {
        let Some(user) = self.arriving(event) else { return };
        if let Some(slot) = self.find_in(event, user.session) {
            if !(is_lease(event) && self.index.get(slot).is_some_and(|entry| is_another(entry, event))) {
                return self.refresh(slot, event, out);
            }
            self.leave(slot, happened(event), AccessReason::Moved, out);
        } else if self.memory.has_ended(event, happened(event)) {
            self.tally.repeated += 1;
            return;
        }
        self.admit(user, event, out);
    }

    /// Who arrives, or is there, and of a host whether it arrives: who asks to keep an address had it. None where it was told
    /// just now in another place: by way of a relay an answer comes twice, and may then be of another VLAN.
    fn arriving(&mut self, event: &AccessEvent) -> Option<AccessUser> {
        let mut user = user_of(event);
        if !is_lease(event) {
            return Some(user);
        }
        // What only says that it is there begins nothing; the request knows better.
        user.login = matches!(event.kind, AccessKind::Login { .. });
        if let Some(asked) = self.memory.asked(event) {
            user.login = asked.places().iter().all(Option::is_none);
            user.adopt(asked);
        }
        // Numbers of transactions alone are few with IPv6.
        if (user.mac.is_some() || user.ipv4.is_some()) && self.memory.told_of_another(event, user.session) {
            self.tally.repeated += 1;
            return None;
        }
        Some(user)
    }

    fn logout(&mut self, event: &AccessEvent, out: &mut Vec<AccessTransition>) {
        let slot = self.find(event);
        let is_of_another = match slot.and_then(|slot| self.index.get(slot)) {
            // What is given back has to be what is known: another's lease is not ended.
            Some(entry) if event.source == Source::Dhcp => is_other(address(event), entry.user.ipv4),
            _ => false,
        };
        if is_of_another {
            self.tally.unknown += 1;
            return;
        }
        self.memory.end(event, happened(event));
        let Some(slot) = slot else {
            if event.source == Source::Dhcpv6 {
                self.update_host(event, out)
            } else {
                self.tally.unknown += 1
            }
            return;
        };
        // The last counts are of the session that ends.
        self.index.change(slot, |entry| Arc::make_mut(&mut entry.user).complete(event));
        self.leave(slot, happened(event), reason(event), out);
    }

    /// DHCPv6 tells addresses of users whom other sources know: by the session that it came through, or by MAC address.
    fn update_host(&mut self, event: &AccessEvent, out: &mut Vec<AccessTransition>) {
        if let Some(slot) = self.index.session(Family::of(Source::Dhcpv6), event.session) {
            return self.refresh(slot, event, out);
        }
        let vlans = (event.svlan, event.cvlan);
        let is_it = |entry: &Entry| {
            let has_addresses = matches!(entry.phase, Phase::Online | Phase::Pending(_));
            has_addresses && entry.user.vlans() == vlans
        };
        let slots: Vec<Slot> = match (self.index.session(Family::of(Source::Pppoe), event.session), event.mac) {
            (Some(slot), _) => vec![slot],
            (None, Some(mac)) => self.index.of(mac).filter(|(_, entry)| is_it(entry)).map(|(slot, _)| slot).collect(),
            (None, None) => Vec::new(),
        };
        if slots.is_empty() {
            self.tally.unknown += 1;
        }
        for slot in slots {
            if event.kind == AccessKind::Logout {
                let before = self.twins(slot);
                self.index.change(slot, |entry| Arc::make_mut(&mut entry.user).give_back(event));
                self.regroup(slot, before, event.header.time);
                self.changes += 1;
            } else {
                // How long these addresses last is not how long the user stays.
                let addresses = AccessEvent {
                    kind: AccessKind::Update,
                    ipv6: event.ipv6,
                    prefix: event.prefix,
                    assigned: event.assigned,
                    header: event.header,
                    ..AccessEvent::new(AccessKind::Update, event.source)
                };
                self.refresh(slot, &addresses, out);
            }
        }
    }

    /// The sign-on that an event is about; of one without a number, who has that name and one of the addresses.
    fn find(&self, event: &AccessEvent) -> Option<Slot> {
        self.find_in(event, event.session)
    }

    /// The same where the sign-on is told under another number than the event's.
    fn find_in(&self, event: &AccessEvent, session: u64) -> Option<Slot> {
        let family = Family::of(event.source);
        if session != 0 {
            return self.index.session(family, session);
        }
        let user = user_of(event);
        let is_it = |entry: &Entry| entry.is_there() && entry.family() == family && entry.user.account == user.account;
        let mut places = user.places().into_iter().flatten();
        places.find_map(|place| self.index.at(place).find(|(_, entry)| is_it(entry)).map(|(slot, _)| slot))
    }
}

/// When it happened.
fn happened(event: &AccessEvent) -> Nanos {
    event.header.time - age(event)
}

/// Whether it is of a source that leases addresses to hosts.
fn is_lease(event: &AccessEvent) -> bool {
    matches!(event.source, Source::Dhcp | Source::Dhcpv6)
}

/// Who it is about, as of when it happened.
fn user_of(event: &AccessEvent) -> AccessUser {
    let mut user = AccessUser::of(event);
    user.since = happened(event);
    user
}

/// Whether a sign-on that begins is another than the one that is known by its number: another name, another address.
fn is_another(entry: &Entry, event: &AccessEvent) -> bool {
    let user = &entry.user;
    let name = event.texts.get(Text::User);
    // The session of an access server has its name; that of the user a proxy may cut.
    let of_radius = Family::of(event.source) == Family::of(Source::Radius);
    let is_same = |known: &[u8]| known == name || of_radius && without_realm(known) == without_realm(name);
    let has_other_name =
        user.source.is_personal() && !name.is_empty() && user.user.as_deref().is_some_and(|known| !is_same(known));
    let has_other_v6 = event.source == Source::Dhcpv6 && is_other(event.ipv6, user.ipv6);
    has_other_name || is_other(address(event), user.ipv4) || has_other_v6
}

fn is_other<T: PartialEq>(told: Option<T>, known: Option<T>) -> bool {
    told.is_some() && known.is_some() && told != known
}

/// Why a sign-on ended.
fn reason(event: &AccessEvent) -> AccessReason {
    match (event.source, event.cause) {
        (Source::Dhcp, 4) | (Source::Dhcpv6, 9) => AccessReason::Decline,
        (Source::Dhcp | Source::Dhcpv6, _) => AccessReason::Release,
        (Source::Dot1x, _) => AccessReason::Logoff,
        (Source::Pppoe, 0x65) => AccessReason::Replaced,
        (Source::Pppoe, _) => AccessReason::Terminated,
        // Acct-Terminate-Cause (RFC 2866, 5.10).
        (Source::Radius | Source::Receiver, cause) => match cause {
            0 => AccessReason::Message,
            1 => AccessReason::UserRequest,
            2 => AccessReason::LostCarrier,
            4 => AccessReason::IdleTimeout,
            5 => AccessReason::SessionTimeout,
            6 => AccessReason::AdminReset,
            7 | 11 => AccessReason::NasReboot,
            cause => AccessReason::Other(cause),
        },
    }
}
