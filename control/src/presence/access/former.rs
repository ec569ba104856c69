//! Who had an address before: a session that began then is told with that user, whoever has the address when it ends.

use std::collections::VecDeque;
use std::sync::Arc;

use dataplane::time::Nanos;
use hashbrown::HashMap;

use super::AccessUser;
use super::entry::Place;

/// Former users of one place that are known at most.
const PER_PLACE: usize = 4;

#[derive(Debug)]
struct Former {
    user: Arc<AccessUser>,
    until: Nanos,
    number: u64,
}

/// Those who signed off, the latest of them.
#[derive(Debug)]
pub(super) struct Formers {
    places: HashMap<Place, Vec<Former>, foldhash::fast::RandomState>,
    /// The oldest first.
    order: VecDeque<(Place, u64)>,
    number: u64,
    most: usize,
}

impl Formers {
    /// So many at most, by place.
    pub(super) fn new(most: usize) -> Self {
        Self { places: HashMap::default(), order: VecDeque::new(), number: 0, most }
    }

    /// A user had its places until then.
    pub(super) fn push(&mut self, user: &Arc<AccessUser>, until: Nanos) {
        for place in user.places().into_iter().flatten() {
            self.number += 1;
            let at = self.places.entry(place).or_default();
            if at.len() == PER_PLACE {
                at.remove(0);
            }
            at.push(Former { user: Arc::clone(user), until, number: self.number });
            self.order.push_back((place, self.number));
            if self.order.len() > self.most {
                self.forget();
            }
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.places.is_empty()
    }

    fn forget(&mut self) {
        let Some((place, number)) = self.order.pop_front() else { return };
        let Some(at) = self.places.get_mut(&place) else { return };
        at.retain(|former| former.number > number);
        if at.is_empty() {
            self.places.remove(&place);
        }
    }

    /// Who had a place at a time of day; the last who came first.
    pub(super) fn at(&self, place: Place, at: Nanos) -> impl Iterator<Item = &AccessUser> {
        let formers = self.places.get(&place).map_or(&[][..], Vec::as_slice).iter().rev();
        formers
            .filter(move |former| at < former.until && (at >= former.user.since || !former.user.login))
            .map(|former| &*former.user)
    }
}
