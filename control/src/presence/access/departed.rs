//! Where somebody was who signed off, and whose sessions there are those that are open now.

use dataplane::access::{Leavers, Source};
use dataplane::time::Nanos;

use super::entry::{ANYWHERE, Entry, Place};
use super::{AccessAction, AccessReason, AccessTable, AccessTransition, AccessUser};

impl AccessTable {
    /// Adds where a user was whose sessions are to end because of what the table concluded just now; nothing where it was no
    /// logout, where the user is only forgotten for want of room, and where who signed off is there by another sign-on: of a
    /// person whom two sources know, sessions end with the last of them, wherever either knew the person.
    pub fn see_off(&self, transition: &AccessTransition, now: Nanos, leavers: &mut Leavers) {
        let is_logout = transition.action == AccessAction::Logout && transition.reason != AccessReason::Evicted;
        if !is_logout {
            return;
        }
        let user = &*transition.user;
        let of_hosts = user.mac.into_iter().filter(|_| user.source == Source::Dot1x).flat_map(|mac| self.index.of(mac));
        let hosts = of_hosts.filter(|(_, entry)| !entry.user.source.is_personal());
        // A port has no address: those behind it have.
        let behind = hosts.flat_map(|(_, entry)| entry.user.places()).flatten();
        // By whichever source the person was there.
        let elsewhere = user.elsewhere.into_iter().flat_map(|vlans| user.places().map(|place| (vlans, place)));
        let elsewhere = elsewhere.filter_map(|(vlans, place)| Some((Place { vlans, ..place? }, true)));
        let places = user.places().into_iter().flatten().chain(behind).map(|place| (place, false));
        for (place, is_elsewhere) in places.chain(elsewhere) {
            let Some(tag) = place.tag() else { continue };
            match self.successor(user, place) {
                Successor::Same => {}
                Successor::Another if is_elsewhere => {}
                // What began since is theirs.
                Successor::Another => leavers.add(tag, transition.time),
                Successor::Nobody => leavers.add(tag, transition.time.max(now)),
            }
        }
    }

    /// Who is where a user was.
    fn successor(&self, user: &AccessUser, place: Place) -> Successor {
        let is_same = |entry: &Entry| {
            let other = &*entry.user;
            match &user.user {
                Some(name) => other.source.is_personal() && other.user.as_ref() == Some(name),
                // A host is gone when nobody is there.
                None => other.source.is_personal() || other.account == user.account,
            }
        };
        let anywhere = Place { vlans: ANYWHERE, ..place };
        let here = || self.index.at(place).chain(self.index.at(anywhere)).map(|(_, entry)| entry);
        // Who is known by a server elsewhere may be known by the wire as well.
        let by_mac = user.mac.into_iter().flat_map(|mac| self.index.of(mac)).map(|(_, entry)| entry);
        let has_place = |entry: &&Entry| {
            entry.user.places().into_iter().flatten().any(|other| Place { vlans: place.vlans, ..other } == place)
        };
        match () {
            () if here().chain(by_mac.filter(has_place)).any(is_same) => Successor::Same,
            () if self.index.of_person(user, place).next().is_some() => Successor::Same,
            () if here().any(|entry| entry.user.source.is_personal() || !user.source.is_personal()) => {
                Successor::Another
            }
            () => Successor::Nobody,
        }
    }
}

enum Successor {
    /// The same user, by another sign-on.
    Same,
    /// Another user.
    Another,
    Nobody,
}
