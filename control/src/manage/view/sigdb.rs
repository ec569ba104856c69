//! The row of `ostiary show sigdb`, and of `ostiary sigdb show`.

use std::fmt::Write as _;
use std::path::Path;

use serde::{Deserialize, Serialize};

/// The signature database in use.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SigdbRow {
    /// Where it was read from; `(built in)` for the one that the program was built with.
    pub file: String,
    /// The content version.
    pub version: String,
    /// The date of the content.
    pub date: String,
    /// SHA-256 of the content.
    pub digest: String,
    /// What it knows.
    pub applications: Vec<ApplicationRow>,
}

/// An application that the signatures know.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ApplicationRow {
    /// As in rules and records.
    pub name: String,
    /// As people call it.
    pub title: String,
    /// Its protocols.
    pub protocols: Vec<String>,
}

impl SigdbRow {
    /// What a database says of itself; `file` is where it was read from, none for the one that is built in.
    pub fn new(database: &::sigdb::Database, file: Option<&Path>) -> Self {
        let protocols = |application: &str| {
            database
                .protocols()
                .filter(|(owner, ..)| *owner == application)
                .map(|(_, name, ..)| name.to_owned())
                .collect()
        };
        let application = |(name, title): (&str, &str)| ApplicationRow {
            name: name.to_owned(),
            title: title.to_owned(),
            protocols: protocols(name),
        };
        Self {
            file: file.map_or_else(|| "(built in)".to_owned(), |file| file.display().to_string()),
            version: database.version().to_owned(),
            date: database.date().to_owned(),
            digest: database.digest().iter().fold(String::new(), |mut text, octet| {
                // Writing to a String cannot fail.
                let _ = write!(text, "{octet:02x}");
                text
            }),
            applications: database.applications().map(application).collect(),
        }
    }
}
