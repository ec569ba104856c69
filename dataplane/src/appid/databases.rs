//! The signature databases that flows are read by: the newest, and those that flows still go on with which began on them.

use std::sync::Arc;

use sigdb::Database;

/// Databases in use at a time at most, the newest included.
pub const MOST: usize = 4;

/// The databases of one worker.
#[derive(Debug)]
pub(super) struct Databases {
    places: [Option<Loaded>; MOST],
    newest: u8,
}

#[derive(Debug)]
struct Loaded {
    database: Arc<Database>,
    /// Flows that read by it.
    flows: u32,
}

impl Databases {
    pub(super) fn new(first: Arc<Database>) -> Self {
        let mut places = [const { None }; MOST];
        places[0] = Some(Loaded { database: first, flows: 0 });
        Self { places, newest: 0 }
    }

    /// Has flows begin on another from now on; gives it back where there is no place.
    pub(super) fn adopt(&mut self, database: Arc<Database>) -> Result<(), Arc<Database>> {
        let Some(place) = self.places.iter().position(Option::is_none) else { return Err(database) };
        self.places[place] = Some(Loaded { database, flows: 0 });
        self.newest = place as u8;
        Ok(())
    }

    /// The one on which flows begin.
    pub(super) fn newest(&self) -> Option<&Database> {
        self.of(self.newest)
    }

    /// The one at a place.
    pub(super) fn of(&self, place: u8) -> Option<&Database> {
        self.places.get(usize::from(place))?.as_ref().map(|loaded| &*loaded.database)
    }

    /// A flow begins on the newest; the place of that.
    pub(super) fn enter(&mut self) -> u8 {
        if let Some(Some(loaded)) = self.places.get_mut(usize::from(self.newest)) {
            loaded.flows += 1;
        }
        self.newest
    }

    /// A flow ends that began on the one at a place.
    pub(super) fn leave(&mut self, place: u8) {
        if let Some(Some(loaded)) = self.places.get_mut(usize::from(place)) {
            loaded.flows = loaded.flows.saturating_sub(1);
        }
    }

    /// Takes out one that no flow reads by any more, and none will.
    pub(super) fn take_unused(&mut self) -> Option<Arc<Database>> {
        let newest = usize::from(self.newest);
        let is_unused = |place: &Option<Loaded>| place.as_ref().is_some_and(|loaded| loaded.flows == 0);
        let (_, place) = self.places.iter_mut().enumerate().find(|(at, place)| *at != newest && is_unused(place))?;
        place.take().map(|loaded| loaded.database)
    }

    /// Puts one back that could not be handed over.
    pub(super) fn put_back(&mut self, database: Arc<Database>) {
        if let Some(place) = self.places.iter_mut().find(|place| place.is_none()) {
            *place = Some(Loaded { database, flows: 0 });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_leaves_when_its_last_flow_does_and_the_newest_never() {
        let first = Arc::new(Database::default());
        let mut databases = Databases::new(Arc::clone(&first));
        let flow = databases.enter();
        assert!(databases.take_unused().is_none());
        databases.adopt(Arc::default()).unwrap();
        assert!(databases.take_unused().is_none());
        databases.leave(flow);
        let unused = databases.take_unused().unwrap();
        assert!(Arc::ptr_eq(&unused, &first));
        databases.put_back(unused);
        assert!(Arc::ptr_eq(&databases.take_unused().unwrap(), &first));
        assert!(databases.take_unused().is_none() && databases.newest().is_some());
    }

    #[test]
    fn there_are_so_many_at_a_time() {
        let mut databases = Databases::new(Arc::default());
        for _ in 1..MOST {
            databases.enter();
            databases.adopt(Arc::default()).unwrap();
        }
        assert!(databases.adopt(Arc::default()).is_err());
        databases.leave(0);
        databases.take_unused().unwrap();
        databases.adopt(Arc::default()).unwrap();
    }
}
