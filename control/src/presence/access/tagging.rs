//! Telling workers who is where, as far as rules name users: what the table of users says of an address is written into the
//! table that workers read, whenever it changes.

use std::sync::Arc;

use dataplane::access::{TagPlace, UserTags};

use super::entry::{ANYWHERE, Place};
use super::index::Slot;
use super::labels::UserLabels;
use super::table::PIECE;
use super::{AccessTable, AccessUser};

/// Prefixes shorter than this are nobody's: no network gives a user that many addresses, and a wrong word would give a user
/// those of all others.
const LEAST_PREFIX: u8 = 16;

/// The tables of a policy, and of its successor while workers go over.
#[derive(Debug, Default)]
pub(super) struct Tagging {
    tables: Vec<Tagged>,
    /// Places at which there was no room.
    refused: u64,
}

#[derive(Debug)]
struct Tagged {
    labels: Arc<UserLabels>,
    tags: Arc<UserTags>,
    /// The slot to go on from; none where everybody is in it.
    next: Option<usize>,
}

impl Place {
    /// As workers look for it; none where nobody is looked for.
    pub(super) fn tag(self) -> Option<TagPlace> {
        let vlans = (self.vlans != ANYWHERE).then_some(self.vlans);
        (self.length >= LEAST_PREFIX).then(|| TagPlace::prefix(vlans, self.address, self.length))
    }
}

impl AccessTable {
    /// Has a policy's table kept true from now on, and fills it, a piece at a call: true once everybody is in it.
    pub fn tag(&mut self, labels: &Arc<UserLabels>, tags: &Arc<UserTags>) -> bool {
        self.index.watch();
        let tables = &mut self.tagging.tables;
        let at = tables.iter().position(|known| Arc::ptr_eq(&known.tags, tags)).unwrap_or_else(|| {
            tables.push(Tagged { labels: Arc::clone(labels), tags: Arc::clone(tags), next: Some(0) });
            tables.len() - 1
        });
        let Some(next) = tables[at].next else { return true };
        let end = (next + PIECE).min(self.index.slots());
        (next as Slot..end as Slot).for_each(|slot| self.index.touch(slot));
        self.settle();
        self.tagging.tables[at].next = (end < self.index.slots()).then_some(end);
        end >= self.index.slots()
    }

    /// No worker judges by another table any more.
    pub fn keep_tags(&mut self, tags: Option<&Arc<UserTags>>) {
        self.tagging.tables.retain(|known| tags.is_some_and(|tags| Arc::ptr_eq(&known.tags, tags)));
        if self.tagging.tables.is_empty() {
            self.index.unwatch();
        }
    }

    /// Addresses of users that rules name and that were not told to workers, as there was no room; since the last call.
    pub fn take_untagged(&mut self) -> u64 {
        std::mem::take(&mut self.tagging.refused)
    }

    /// Writes what changed.
    pub(super) fn settle(&mut self) {
        let mut places = self.index.take_touched();
        if places.is_empty() {
            return;
        }
        places.sort_unstable();
        places.dedup();
        for table in &self.tagging.tables {
            for place in &places {
                let Some(tag) = place.tag() else { continue };
                self.tagging.refused += u64::from(!table.tags.set(tag, self.labels_at(*place, &table.labels)));
            }
        }
    }

    /// The labels of a user: by this sign-on, and by others of the same name and MAC address or of the same person at the same
    /// address (a group is told by RADIUS, the line by PPPoE or DHCP).
    pub fn labels_of(&self, user: &AccessUser, labels: &UserLabels) -> u64 {
        let others = user.mac.into_iter().flat_map(|mac| self.index.of(mac)).map(|(_, entry)| &*entry.user);
        let is_same = |other: &&AccessUser| other.name().is_some() && other.name() == user.name();
        let own = others.filter(is_same).map(|other| labels.of(other)).fold(labels.of(user), |all, more| all | more);
        let twins = self.index.twins(user).into_iter().filter_map(|twin| self.index.get(twin));
        twins.map(|twin| labels.granted(&twin.user)).fold(own, |all, more| all | more)
    }

    /// The labels at a place: of the person there, else of the host.
    fn labels_at(&self, place: Place, labels: &UserLabels) -> u64 {
        let users = || self.index.at(place).map(|(_, entry)| &*entry.user);
        let first = |is_personal: bool| {
            users().filter(|user| user.source.is_personal() == is_personal).min_by_key(|user| user.source)
        };
        match (first(true), first(false)) {
            (Some(person), _) => UserTags::PERSON | self.labels_of(person, labels),
            (None, Some(host)) => self.labels_of(host, labels),
            (None, None) => 0,
        }
    }
}
