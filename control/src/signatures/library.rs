//! What the databases of one process have in common: the numbers of applications, and that none is older than the last.

use sigdb::{Database, Generation, NoNumbers, Registry};

use super::trust::Floor;

/// What a database leaves to the one that takes its place.
#[derive(Clone, Debug)]
pub struct Library {
    registry: Registry,
    floor: Floor,
    /// The number of the database adopted last.
    generation: Generation,
}

impl Library {
    /// Begins with the first database, whose numbers stand.
    pub fn of(first: &Database) -> Self {
        Self { registry: Registry::of(first), floor: Floor::of(first), generation: first.generation() }
    }

    /// Gives a database's applications the numbers that they had.
    ///
    /// # Errors
    /// Where there are no more numbers, for applications or for databases.
    pub fn adopt(&mut self, database: Database) -> Result<Database, NoNumbers> {
        let generation = self.generation.0.checked_add(1).ok_or(NoNumbers)?;
        let database = self.registry.adopt(database)?;
        self.generation = Generation(generation);
        Ok(database.with_generation(self.generation))
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
