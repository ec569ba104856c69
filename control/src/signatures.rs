//! The signature database to use: a file where one is configured, otherwise the one that this binary was built with.

use std::path::Path;
use std::sync::Arc;

use sigdb::{Database, LoadError};

const SHIPPED: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/shipped.sigdb"));

/// The database that this binary was built with.
pub fn shipped() -> Arc<Database> {
    let database = Database::decode(SHIPPED, Path::new("(built in)"));
    Arc::new(database.expect("the build wrote it, with its checksum"))
}

/// The database of a file, or the one built in.
///
/// # Errors
/// As [`Database::load`].
pub fn open(path: Option<&Path>) -> Result<Arc<Database>, LoadError> {
    match path {
        Some(path) => Database::load(path).map(Arc::new),
        None => Ok(shipped()),
    }
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_database_that_was_built_in_opens() {
        let database = super::shipped();
        assert!(database.by_name("qq").is_some() && database.by_name("wechat").is_some());
    }
}
