//! How a user comes, stays and goes.

use std::sync::Arc;
use std::time::Duration;

use dataplane::access::{AccessEvent, AccessKind, Source};
use dataplane::time::Nanos;

use super::entry::{ANYWHERE, Entry, Family, NEVER, Phase, Place, age};
use super::index::Slot;
use super::{AccessAction, AccessReason, AccessTable, AccessTransition, AccessUser};

/// How long a login waits for the address of the other family.
const PATIENCE: Duration = Duration::from_secs(3);

impl AccessTable {
    /// Takes in a user who is not there yet. Whoever of the same source has one of the addresses is no longer there.
    pub(super) fn admit(&mut self, mut user: AccessUser, event: &AccessEvent, out: &mut Vec<AccessTransition>) {
        let family = Family::of(user.source);
        self.vacate(&user, None, user.since, out);
        if !self.make_room(user.source, user.since, out) {
            return;
        }
        if !user.source.is_personal() && user.user.is_none() {
            user.user = self.person_at(&user);
        }
        let now = self.clock.now();
        let phase = match event.kind {
            AccessKind::Result { .. } => Phase::Admitted,
            AccessKind::Login { more: true } => Phase::Pending(now + PATIENCE),
            _ => Phase::Online,
        };
        let mut entry = Entry::new(user, phase, now);
        entry.hear(now, event);
        let grant = (family == Family::of(Source::Radius)).then(|| self.memory.granted(event)).flatten();
        if let Some(grant) = grant {
            let user = Arc::make_mut(&mut entry.user);
            user.fill(dataplane::access::Text::Class, &grant.class);
            user.fill(dataplane::access::Text::Filter, &grant.filter);
            user.mac = user.mac.or(grant.mac);
            if entry.until == NEVER && entry.user.login {
                let seconds = grant.lifetime.filter(|seconds| *seconds != u32::MAX);
                entry.until = seconds.map_or(NEVER, |seconds| now - age(event) + Duration::from_secs(seconds.into()));
            }
            entry.interim = if entry.interim == 0 { grant.interim.unwrap_or(0) } else { entry.interim };
        }
        let slot = self.index.insert(entry);
        self.requeue(slot);
        self.name_hosts_of(slot);
        self.changes += 1;
        if let Phase::Online = phase {
            self.tell_arrival(slot, out);
        }
    }

    /// More is said of who is there; an address that was another's is this one's now.
    pub(super) fn refresh(&mut self, slot: Slot, event: &AccessEvent, out: &mut Vec<AccessTransition>) {
        let now = self.clock.now();
        let Some(entry) = self.index.get_mut(slot) else { return };
        entry.hear(now, event);
        if entry.user.says_more(event) {
            let before = self.twins(slot);
            self.index.change(slot, |entry| Arc::make_mut(&mut entry.user).take_up(event));
            if let Some(user) = self.index.get(slot).map(|entry| Arc::clone(&entry.user)) {
                self.vacate(&user, Some(slot), event.header.time, out);
            }
            self.name_hosts_of(slot);
            self.regroup(slot, before, event.header.time);
            self.changes += 1;
        } else if let Some(traffic) = event.traffic
            && let Some(entry) = self.index.get_mut(slot)
        {
            Arc::make_mut(&mut entry.user).traffic = Some(traffic);
        }
        // How long it lasts has to be known after a restart.
        self.changes += u64::from(event.lifetime.is_some());
        self.requeue(slot);
    }

    /// Ends whoever else of the same source has a user's addresses.
    fn vacate(&mut self, user: &AccessUser, except: Option<Slot>, time: Nanos, out: &mut Vec<AccessTransition>) {
        let family = Family::of(user.source);
        for place in user.places().into_iter().flatten() {
            let is_other = |(slot, entry): &(Slot, &Entry)| Some(*slot) != except && entry.family() == family;
            // Beside who has it there may be one that is over, and holds it for its person only.
            let others: Vec<Slot> = self.index.at(place).filter(is_other).map(|(slot, _)| slot).collect();
            for slot in others {
                self.leave(slot, time, AccessReason::Replaced, out);
            }
        }
    }

    /// A login that waited is told.
    pub(super) fn arrive(&mut self, slot: Slot, out: &mut Vec<AccessTransition>) {
        let Some(entry) = self.index.get(slot) else { return };
        if let Phase::Pending(_) = entry.phase {
            self.index.mark(slot, |entry| entry.phase = Phase::Online);
            self.tell_arrival(slot, out);
        }
    }

    pub(super) fn tell_arrival(&mut self, slot: Slot, out: &mut Vec<AccessTransition>) {
        let Some(since) = self.index.get(slot).map(|entry| entry.user.since) else { return };
        self.tally.merged += u64::from(self.pair(slot, since));
        let Some(entry) = self.index.get(slot) else { return };
        let is_lease = matches!(entry.user.source, Source::Dhcp | Source::Dhcpv6);
        let (action, reason) = match (entry.user.login, is_lease) {
            (true, true) => (AccessAction::Login, AccessReason::Lease),
            (true, false) => (AccessAction::Login, AccessReason::Message),
            (false, true) => (AccessAction::Seen, AccessReason::Renewal),
            (false, false) => (AccessAction::Seen, AccessReason::MidSession),
        };
        let Some(user) = self.known(slot) else { return };
        self.tell(AccessTransition { time: user.since, action, reason, user, online: None }, out);
    }

    pub(super) fn tell(&mut self, transition: AccessTransition, out: &mut Vec<AccessTransition>) {
        self.tally.count(transition.user.source, transition.action);
        out.push(transition);
    }

    /// A user is gone since a time; it is told, and who it was remembered for a while.
    pub(super) fn leave(&mut self, slot: Slot, time: Nanos, reason: AccessReason, out: &mut Vec<AccessTransition>) {
        self.arrive(slot, out);
        let Some(entry) = self.index.get(slot) else { return };
        let is_told = entry.is_there();
        let Some(user) = self.known(slot) else { return };
        self.part(slot, time, reason);
        if !is_told {
            return;
        }
        let time = time.max(user.since);
        let online = user.login.then(|| time.since(user.since));
        self.tell(AccessTransition { time, action: AccessAction::Logout, reason, user, online }, out);
    }

    /// The same, and nothing is told.
    pub(super) fn forget(&mut self, slot: Slot, time: Nanos) -> Option<Arc<AccessUser>> {
        let twins = self.twins(slot);
        let entry = self.index.remove(slot)?;
        self.queue.take(slot, &entry);
        let user = entry.user;
        match user.source {
            Source::Receiver | Source::Radius | Source::Pppoe => self.name_hosts(&user, None),
            Source::Dot1x => self.log_off_hosts(&user),
            Source::Dhcp | Source::Dhcpv6 => {}
        }
        self.formers.push(&user, time.max(user.since));
        self.changes += 1;
        for twin in twins {
            self.pair(twin, time);
        }
        Some(user)
    }

    /// Sign-ons of the same person by other sources.
    pub(super) fn twins(&self, slot: Slot) -> Vec<Slot> {
        self.index.get(slot).map_or_else(Vec::new, |entry| self.index.twins(&entry.user))
    }

    /// Looks at a sign-on whose time may be up.
    pub(super) fn look(&mut self, slot: Slot, now: Nanos, out: &mut Vec<AccessTransition>) {
        let Some(entry) = self.index.get(slot) else { return };
        if let Phase::Pending(until) = entry.phase
            && until <= now
        {
            self.arrive(slot, out);
        }
        let Some(entry) = self.index.get(slot) else { return };
        match entry.deadline(&self.limits) {
            (until, reason) if until <= now => self.leave(slot, self.clock.day(until), reason, out),
            _ => self.requeue(slot),
        }
    }

    /// Sees to it that a sign-on is looked at in time.
    pub(super) fn requeue(&mut self, slot: Slot) {
        if let Some(entry) = self.index.get_mut(slot) {
            self.queue.put(slot, entry, &self.limits);
        }
    }

    /// The person's name, for a host: who was let in with its MAC address, or signed on with it or with its address.
    fn person_at(&self, host: &AccessUser) -> Option<Box<[u8]>> {
        let by_mac = host.mac.into_iter().flat_map(|mac| self.index.of(mac));
        let by_place = self.places_of(host).into_iter().flatten().flat_map(|place| self.index.at(place));
        let persons = by_mac.chain(by_place).map(|(_, entry)| &entry.user).filter(|user| user.source.is_personal());
        let first = persons.filter(|user| user.user.is_some()).min_by_key(|user| user.source);
        let granted = || host.mac.and_then(|mac| self.memory.name_of(self.clock.now(), mac)).map(Into::into);
        first.and_then(|user| user.user.clone()).or_else(granted)
    }

    /// Tells the hosts of a person, who is there, whose they are.
    pub(super) fn name_hosts_of(&mut self, slot: Slot) {
        let Some(person) = self.index.get(slot).map(|entry| Arc::clone(&entry.user)) else { return };
        if person.user.is_some() && person.source.is_personal() {
            self.name_hosts(&person, person.user.as_deref());
        }
    }

    /// Gives the hosts of a person this name; where it is none, takes the person's from them.
    fn name_hosts(&mut self, person: &AccessUser, name: Option<&[u8]>) {
        let by_mac = person.mac.into_iter().flat_map(|mac| self.index.of(mac));
        let by_place = self.places_of(person).into_iter().flatten().flat_map(|place| self.index.at(place));
        let is_meant =
            |known: Option<&[u8]>| if name.is_some() { known != name } else { known == person.user.as_deref() };
        let is_host = |entry: &Entry| {
            !entry.user.source.is_personal() && (is_meant(entry.user.user.as_deref()) || entry.user.logged_off)
        };
        let hosts: Vec<Slot> =
            by_mac.chain(by_place).filter(|(_, entry)| is_host(entry)).map(|(slot, _)| slot).collect();
        for host in hosts {
            if let Some(entry) = self.index.get_mut(host) {
                let user = Arc::make_mut(&mut entry.user);
                (user.user, user.logged_off) = (name.map(Into::into), false);
            }
            self.index.touch(host);
        }
    }

    /// The hosts behind a port are no longer its person's, whose name only records of them keep.
    fn log_off_hosts(&mut self, person: &AccessUser) {
        let by_mac = person.mac.into_iter().flat_map(|mac| self.index.of(mac));
        let is_host = |entry: &Entry| !entry.user.source.is_personal() && entry.user.user == person.user;
        let hosts: Vec<Slot> = by_mac.filter(|(_, entry)| is_host(entry)).map(|(slot, _)| slot).collect();
        for host in hosts {
            if let Some(entry) = self.index.get_mut(host) {
                Arc::make_mut(&mut entry.user).logged_off = true;
            }
            self.index.touch(host);
        }
    }

    /// Where a user's addresses are looked for: as they are, and where no VLAN is known.
    fn places_of(&self, user: &AccessUser) -> [Option<Place>; 6] {
        let [a, b, c] = user.places();
        let anywhere = |place: Option<Place>| place.map(|place| Place { vlans: ANYWHERE, ..place });
        [a, b, c, anywhere(a), anywhere(b), anywhere(c)]
    }
}
