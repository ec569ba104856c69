//! One person of whom two sources tell: RADIUS and PPPoE, at the same address and by the same name. Each source's sign-on is told
//! for itself, with what both know. The person is listed once, and has the addresses until the last sign-on has ended: one that
//! ended before stays in the table until then, and nothing is told of it any more.

use std::sync::Arc;

use dataplane::access::{Source, Text};
use dataplane::time::Nanos;

use super::entry::{Entry, NEVER, Phase};
use super::index::Slot;
use super::{AccessReason, AccessTable, AccessUser};

/// A user who is signed on.
#[derive(Clone, Debug)]
pub struct Person<'a> {
    /// The sign-on that was told first, with what the others know.
    pub user: Arc<AccessUser>,
    /// The other sources' sign-ons of the same person.
    pub others: Vec<&'a AccessUser>,
}

impl Person<'_> {
    /// All sign-ons.
    pub fn sign_ons(&self) -> impl Iterator<Item = &AccessUser> {
        std::iter::once(&*self.user).chain(self.others.iter().copied())
    }

    /// Where they were seen, each once.
    pub fn sources(&self) -> Vec<Source> {
        let mut sources: Vec<Source> = Vec::new();
        for user in self.sign_ons() {
            if sources.iter().all(|known| known.name() != user.source.name()) {
                sources.push(user.source);
            }
        }
        sources
    }
}

impl AccessTable {
    /// Whose sign-on it is.
    pub(super) fn person(&self, slot: Slot) -> Option<Person<'_>> {
        let (user, entry) = (self.known(slot)?, self.index.get(slot)?);
        let twins = self.index.twins(&entry.user).into_iter().filter_map(|twin| self.index.get(twin));
        let others = twins.filter(|twin| twin.phase == Phase::Online).map(|twin| &*twin.user).collect();
        Some(Person { user, others })
    }

    /// A sign-on with what other sources know of the same person: of what goes on before what is over.
    pub(super) fn known(&self, slot: Slot) -> Option<Arc<AccessUser>> {
        let own = &self.index.get(slot)?.user;
        let mut user = Arc::clone(own);
        let mut twins: Vec<&Entry> =
            self.index.twins(own).into_iter().filter_map(|twin| self.index.get(twin)).collect();
        twins.sort_by_key(|twin| twin.phase == Phase::Over);
        for twin in &twins {
            Arc::make_mut(&mut user).join(&twin.user);
        }
        // RADIUS knows the server's place, PPPoE the user's own. It is found by those that its source says all the same.
        if let Some(line) = twins.iter().find(|twin| twin.user.is_local && !own.is_local) {
            let (user, line) = (Arc::make_mut(&mut user), &line.user);
            (user.ports, user.svlan, user.cvlan) = (line.ports, line.svlan, line.cvlan);
        }
        if let Some(gone) = twins.iter().find(|twin| twin.phase == Phase::Over) {
            Arc::make_mut(&mut user).elsewhere = Some(gone.user.vlans());
        }
        Some(user)
    }

    /// A sign-on came, or others of its person came or went: whether it is the second of one who is listed already.
    pub(super) fn pair(&mut self, slot: Slot, time: Nanos) -> bool {
        let Some(entry) = self.index.get(slot) else { return false };
        let (phase, twins) = (entry.phase, self.index.twins(&entry.user));
        let twin =
            |is_it: fn(&Entry) -> bool| twins.iter().copied().find(|twin| self.index.get(*twin).is_some_and(is_it));
        match phase {
            Phase::Pending(_) => false,
            Phase::Over => {
                if twin(Entry::is_there).is_none() {
                    self.forget(slot, time);
                }
                false
            }
            Phase::Online | Phase::Admitted => {
                let first = twin(Entry::is_listed);
                self.index.mark(slot, |entry| entry.is_second = first.is_some());
                self.name_hosts_of(first.unwrap_or(slot));
                first.is_some()
            }
        }
    }

    /// A sign-on, which had these twins, has other addresses.
    pub(super) fn regroup(&mut self, slot: Slot, before: Vec<Slot>, time: Nanos) {
        for slot in before.into_iter().chain([slot]) {
            self.pair(slot, time);
        }
    }

    /// A sign-on is over since a time, which is told elsewhere. Where the person is there by another source, it holds the
    /// addresses until that ends as well, but where it had to give way.
    pub(super) fn part(&mut self, slot: Slot, time: Nanos, reason: AccessReason) {
        let Some(entry) = self.index.get(slot) else { return };
        let gives_way = entry.phase == Phase::Over || matches!(reason, AccessReason::Replaced | AccessReason::Evicted);
        let twins = self.index.twins(&entry.user);
        if gives_way || !twins.iter().any(|twin| self.index.get(*twin).is_some_and(Entry::is_there)) {
            self.forget(slot, time);
            return;
        }
        self.index.mark(slot, |entry| (entry.phase, entry.is_second) = (Phase::Over, false));
        if let Some(entry) = self.index.get_mut(slot) {
            self.queue.take(slot, entry);
            (entry.queued, entry.until) = (NEVER, NEVER);
        }
        // The number may be used again, and what was granted was for the session.
        self.index.change(slot, |entry| {
            let user = Arc::make_mut(&mut entry.user);
            user.session = 0;
            user.set_text(Text::Class, &[]);
            user.set_text(Text::Filter, &[]);
        });
        self.changes += 1;
        for twin in twins {
            self.pair(twin, time);
        }
    }
}
