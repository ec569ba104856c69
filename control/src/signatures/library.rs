//! What the databases of one process have in common: the numbers of applications, and that none is older than the last.

use sigdb::{Database, NoNumbers, Registry};

use super::trust::Floor;

/// What a database leaves to the one that takes its place.
#[derive(Clone, Debug)]
pub struct Library {
    registry: Registry,
    floor: Floor,
}

impl Library {
    /// Begins with the first database, whose numbers stand.
    pub fn of(first: &Database) -> Self {
        Self { registry: Registry::of(first), floor: Floor::of(first) }
    }

    /// Gives a database's applications the numbers that they had.
    pub fn adopt(&mut self, database: Database) -> Result<Database, NoNumbers> {
        self.registry.adopt(database)
    }

    /// What the next database must not be below.
    pub fn floor(&self) -> &Floor {
        &self.floor
    }

    /// Takes note that a database is in use.
    pub fn used(&mut self, database: &Database) {
        self.floor = Floor::of(database);
    }
}
