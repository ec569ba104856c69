//! The signature database to use: a file where one is configured, otherwise the one that this binary was built with, which
//! is believed as the program is.

pub mod key;
mod library;
mod trust;

use std::path::Path;
use std::sync::Arc;

use sigdb::Database;

pub use self::library::Library;
pub use self::trust::{Floor, OpenError, Trust};

const SHIPPED: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/shipped.sigdb"));

/// The database that this binary was built with.
pub fn shipped() -> Arc<Database> {
    Arc::new(built_in())
}

/// Likewise, for who has yet to number it.
pub fn built_in() -> Database {
    Database::decode(SHIPPED, Path::new("(built in)")).expect("the build wrote it, with its checksum")
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_database_that_was_built_in_opens() {
        let database = super::shipped();
        assert!(database.by_name("qq").is_some() && database.by_name("wechat").is_some());
    }
}
