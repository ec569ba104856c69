//! Users who signed off, and whose sessions are to end.

use std::collections::HashMap;

use super::TagPlace;
use crate::endpoint::Address;
use crate::flow::Realm;
use crate::time::Nanos;

/// Where users were who signed off, each with a time: sessions that began before are theirs, what began later is another's.
#[derive(Debug, Default)]
pub struct Leavers {
    until: HashMap<TagPlace, Nanos>,
    /// Lengths of the prefixes among them.
    lengths: Vec<u8>,
}

impl Leavers {
    /// Adds a place: what began there by `until` is to end.
    pub fn add(&mut self, place: TagPlace, until: Nanos) {
        if !self.lengths.contains(&place.bits) {
            self.lengths.push(place.bits);
        }
        let known = self.until.entry(place).or_insert(until);
        *known = until.max(*known);
    }

    /// Whether a session of a client at this address, that began at `start`, was that of one of them.
    pub fn had(&self, realm: Realm, client: Address, start: Nanos) -> bool {
        let vlans = [Some((realm.svlan(), realm.cvlan())), None];
        vlans.into_iter().any(|vlans| {
            self.lengths.iter().any(|bits| {
                let place = TagPlace::prefix(vlans, client, *bits);
                self.until.get(&place).is_some_and(|until| start <= *until)
            })
        })
    }

    /// How many places.
    pub fn len(&self) -> usize {
        self.until.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.until.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sessions_are_theirs_that_began_before_and_in_their_vlans() {
        let address = |text: &str| Address::from(text.parse::<std::net::IpAddr>().unwrap());
        let at = |seconds| Nanos::from_parts(seconds, 0);
        let mut leavers = Leavers::default();
        leavers.add(TagPlace::host(Some((100, 0)), address("10.0.0.1")), at(5));
        leavers.add(TagPlace::host(None, address("10.0.0.2")), at(5));
        leavers.add(TagPlace::host(None, address("10.0.0.2")), at(4));
        leavers.add(TagPlace::prefix(None, address("2001:db8:5::"), 48), at(5));
        let had = |svlan, client, start| leavers.had(Realm::new(0, svlan, 0), address(client), at(start));
        assert!(had(100, "10.0.0.1", 5) && !had(100, "10.0.0.1", 6) && !had(101, "10.0.0.1", 5));
        assert!(had(100, "10.0.0.2", 5) && had(0, "10.0.0.2", 1) && !had(0, "10.0.0.3", 1));
        assert!(had(7, "2001:db8:5:1::9", 5) && !had(7, "2001:db8:6:1::9", 5));
        assert_eq!(leavers.len(), 3);
    }
}
