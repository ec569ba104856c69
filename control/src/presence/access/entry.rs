//! One sign-on in the table, and where it stands there.

use std::sync::Arc;
use std::time::Duration;

use dataplane::access::{AccessEvent, AccessKind, Source};
use dataplane::endpoint::Address;
use dataplane::time::Nanos;

use super::{AccessLimits, AccessReason, AccessUser};

/// VLANs of users who are known by the word of a server elsewhere: their own are not known.
pub(super) const ANYWHERE: (u16, u16) = (u16::MAX, u16::MAX);
/// A sign-on whose messages come regularly is over where three of them are missing, after this at the earliest.
const INTERIM_LEAST: Duration = Duration::from_secs(600);
/// How long after a session's time is over its end may be told.
const SESSION_GRACE: Duration = Duration::from_secs(60);
/// Never.
pub(super) const NEVER: Nanos = Nanos(u64::MAX);

/// Applications whose sign-ons end one another: what is told to the firewall itself is RADIUS too.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Family(u8);

impl Family {
    pub(super) const fn of(source: Source) -> Self {
        Self(match source {
            Source::Receiver | Source::Radius => 0,
            Source::Pppoe => 1,
            Source::Dot1x => 2,
            Source::Dhcp => 3,
            Source::Dhcpv6 => 4,
        })
    }
}

/// Where a user is to be found: VLANs, and an address or prefix with its length, of IPv4 in the mapped form.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct Place {
    pub(super) vlans: (u16, u16),
    pub(super) address: Address,
    pub(super) length: u8,
}

impl Place {
    pub(super) const fn host(vlans: (u16, u16), address: Address) -> Self {
        Self { vlans, address, length: 128 }
    }

    /// The prefix of an address; of more than 128 bits there is none.
    pub(super) fn prefix(vlans: (u16, u16), address: [u8; 16], length: u8) -> Self {
        let mask = u128::MAX.checked_shl(128 - u32::from(length.min(128))).unwrap_or(0);
        let address = Address((u128::from_be_bytes(address) & mask).to_be_bytes());
        Self { vlans, address, length }
    }
}

/// What state a sign-on is in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Phase {
    /// Told at that time at the latest, when more is known.
    Pending(Nanos),
    /// Told.
    Online,
    /// Its end is told; the person is there by another source, and has the addresses.
    Over,
    /// Let in by its port; has no address, and was told as a result only.
    Admitted,
}

/// A sign-on.
#[derive(Clone, Debug)]
pub(super) struct Entry {
    pub(super) user: Arc<AccessUser>,
    pub(super) phase: Phase,
    /// When it was heard last, by the table's clock.
    pub(super) last: Nanos,
    /// When it ends though it is heard, by the table's clock.
    pub(super) until: Nanos,
    /// When the queue of deadlines looks at it, by the table's clock.
    pub(super) queued: Nanos,
    /// Seconds between its messages; 0 where not known.
    pub(super) interim: u32,
    /// Since when messages are counted, and how many, to learn it.
    pub(super) beats: (Nanos, u8),
    /// Whether it answers echoes.
    pub(super) echoes: bool,
    /// Whether the person is listed by another source's sign-on.
    pub(super) is_second: bool,
}

impl Entry {
    pub(super) fn new(user: AccessUser, phase: Phase, now: Nanos) -> Self {
        let (until, queued) = (NEVER, NEVER);
        let user = Arc::new(user);
        Self { user, phase, last: now, until, queued, interim: 0, beats: (now, 0), echoes: false, is_second: false }
    }

    /// Whether a person or host, of whom somebody was told, is listed by it.
    pub(super) fn is_listed(&self) -> bool {
        !self.is_second && matches!(self.phase, Phase::Online | Phase::Admitted)
    }

    /// Whether it goes on.
    pub(super) fn is_there(&self) -> bool {
        self.phase != Phase::Over
    }

    pub(super) fn family(&self) -> Family {
        Family::of(self.user.source)
    }

    /// It is heard, and how long it lasts may be said anew; `back`: what is said is that old.
    pub(super) fn hear(&mut self, now: Nanos, event: &AccessEvent) {
        self.last = now;
        if let Some(seconds) = event.lifetime {
            self.until = match seconds {
                u32::MAX => NEVER,
                seconds => now - age(event) + Duration::from_secs(seconds.into()),
            };
        }
        match event.kind {
            _ if event.interim.is_some_and(|seconds| seconds > 0) => self.interim = event.interim.unwrap_or(0),
            AccessKind::Seen | AccessKind::Update if self.interim == 0 && Family::of(event.source) == Family(0) => {
                self.beats.1 += 1;
                if self.beats.1 == 3 {
                    self.interim = u32::try_from(now.since(self.beats.0).as_secs() / 3).unwrap_or(u32::MAX).max(1);
                }
            }
            _ => {}
        }
        self.echoes |= event.kind == AccessKind::Alive && event.cause == AccessEvent::ECHO;
    }

    /// When it is over unless it is heard before, by the table's clock, and on what ground.
    pub(super) fn deadline(&self, limits: &AccessLimits) -> (Nanos, AccessReason) {
        let is_lease = matches!(self.user.source, Source::Dhcp | Source::Dhcpv6);
        let patience = match self.interim {
            _ if self.echoes => Some(limits.echo_timeout),
            _ if is_lease && self.until != NEVER => None,
            0 => limits.silence,
            seconds => Some((Duration::from_secs(seconds.into()) * 3).max(INTERIM_LEAST)),
        };
        let silent = patience.map_or(NEVER, |patience| self.last + patience);
        let (until, reason) = match is_lease {
            true => (self.until, AccessReason::Expired),
            // The access server is to say so itself; where its message is lost, this does.
            false => (self.until + SESSION_GRACE, AccessReason::SessionTimeout),
        };
        if until <= silent { (until, reason) } else { (silent, AccessReason::Silence) }
    }

    /// When the table has to look at it, by the table's clock.
    pub(super) fn due(&self, limits: &AccessLimits) -> Nanos {
        match self.phase {
            Phase::Pending(until) => until,
            Phase::Online | Phase::Admitted => self.deadline(limits).0,
            Phase::Over => NEVER,
        }
    }

    /// Whether the user had its addresses at a time of day; one whose sign-on was not seen may have had them before.
    pub(super) fn held(&self, at: Nanos) -> bool {
        at >= self.user.since || !self.user.login
    }
}

impl AccessUser {
    /// The VLANs that its addresses are looked for in.
    pub(super) fn vlans(&self) -> (u16, u16) {
        if self.is_local { (self.svlan, self.cvlan) } else { ANYWHERE }
    }

    /// By what it is found: IPv4 address, IPv6 address, prefix.
    pub(super) fn places(&self) -> [Option<Place>; 3] {
        let vlans = self.vlans();
        [
            self.ipv4.map(|address| Place::host(vlans, Address::v4(address))),
            self.ipv6.map(|address| Place::host(vlans, Address(address))),
            self.prefix.map(|(address, length)| Place::prefix(vlans, address, length)),
        ]
    }
}

/// How long ago it happened when it was told; a day at most, what says more is mistaken.
pub(super) fn age(event: &AccessEvent) -> Duration {
    Duration::from_secs(event.back.into()).min(Duration::from_secs(86_400))
}
