//! Application signatures as data: the language operators write, its compiler, the file that carries the result, and the
//! matcher that the packet path runs.

mod sighting;

pub use sighting::{AccountText, AppId, Confidence, Sighting, SignOn};

/// A compiled signature database.
#[derive(Debug, Default)]
pub struct Database {}

impl Database {
    /// Whether a port is a hint that its side is the server.
    pub fn is_server_port(&self, protocol: u8, port: u16) -> bool {
        let _ = (protocol, port);
        false
    }

    /// The application of that name (lower case, as in records).
    pub fn by_name(&self, name: &str) -> Option<AppId> {
        let _ = name;
        None
    }

    /// The name of an application; `unknown` for [`AppId::UNKNOWN`] and numbers that this database does not have.
    pub fn name(&self, application: AppId) -> &str {
        let _ = application;
        "unknown"
    }

    /// The content version, as `sigdb show` prints it.
    pub fn version(&self) -> &str {
        ""
    }
}
