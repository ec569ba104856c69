//! The numbers of applications, the same over every database that a process loads.

use hashbrown::HashMap;

use crate::database::Database;
use crate::sighting::AppId;

/// Gives applications their numbers by name. An application keeps its number for as long as the process lives, in
/// databases that know it and through those that do not: events, presence and policy of two databases mix without harm.
#[derive(Clone, Debug, Default)]
pub struct Registry {
    /// By number less one.
    names: Vec<String>,
    numbers: HashMap<String, u16, foldhash::fast::RandomState>,
}

/// There are no more numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("more than {} applications, counting those of databases used before: restart the firewall", Registry::MOST)]
pub struct NoNumbers;

impl Registry {
    /// Applications at most, over all databases.
    pub const MOST: usize = u16::MAX as usize - 1;

    /// Begins with a database whose numbers stand.
    pub fn of(first: &Database) -> Self {
        let names: Vec<String> = first.applications().map(|(name, _)| name.to_owned()).collect();
        let numbers = names.iter().enumerate().map(|(place, name)| (name.clone(), place as u16)).collect();
        Self { names, numbers }
    }

    /// Renumbers a database.
    ///
    /// # Errors
    /// Where it has names that are new, and there are no numbers for them; then nothing was changed.
    pub fn adopt(&mut self, database: Database) -> Result<Database, NoNumbers> {
        let new = database.applications().filter(|(name, _)| !self.numbers.contains_key(*name)).count();
        if self.names.len() + new > Self::MOST {
            return Err(NoNumbers);
        }
        for (name, _) in database.applications() {
            if !self.numbers.contains_key(name) {
                self.numbers.insert(name.to_owned(), self.names.len() as u16);
                self.names.push(name.to_owned());
            }
        }
        Ok(database.renumbered(&self.names, |name| self.numbers.get(name).copied()))
    }

    /// The number of an application of this or an earlier database.
    pub fn number(&self, name: &str) -> Option<AppId> {
        self.numbers.get(name).map(|place| AppId(place + 1))
    }

    /// All names, by number less one.
    pub fn names(&self) -> &[String] {
        &self.names
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::program::{Application, Framing, Program, Protocol, Transport};

    fn database(names: &[&str]) -> Database {
        let application = |name: &&str| Application { name: (*name).into(), title: name.to_uppercase(), base: false };
        let protocol = |(place, name): (usize, &&str)| Protocol {
            application: place as u16,
            name: format!("{name}/udp"),
            transport: Transport::Udp,
            server_ports: Vec::new(),
            framing: Framing::Datagram,
            session: false,
            several_users: false,
            limit: 1,
            grace: 1,
            anchors: Vec::new(),
            clues: Vec::new(),
            messages: Vec::new(),
        };
        Database::of(Program {
            applications: names.iter().map(application).collect(),
            protocols: names.iter().enumerate().map(protocol).collect(),
            ..Program::default()
        })
    }

    #[test]
    fn an_application_keeps_its_number_over_databases() {
        let first = database(&["qq", "irc"]);
        let mut registry = Registry::of(&first);
        let second = database(&["discord", "irc"]);
        let digest = *second.digest();
        let second = registry.adopt(second).unwrap();
        assert_eq!((first.by_name("qq"), first.by_name("irc")), (Some(AppId(1)), Some(AppId(2))));
        assert_eq!((second.by_name("irc"), second.by_name("discord")), (Some(AppId(2)), Some(AppId(3))));
        assert_eq!((second.by_name("qq"), second.name(AppId(1))), (None, "qq"));
        assert_eq!(second.applications().map(|(name, _)| name).collect::<Vec<_>>(), ["irc", "discord"]);
        let protocols: Vec<_> = second.protocols().map(|(application, name, ..)| (application, name)).collect();
        assert_eq!(protocols, [("discord", "discord/udp"), ("irc", "irc/udp")]);
        assert_eq!(*second.digest(), digest, "the content is what it was");
        // And back again.
        let third = registry.adopt(database(&["qq"])).unwrap();
        assert_eq!(third.by_name("qq"), Some(AppId(1)));
        assert_eq!((registry.number("discord"), registry.names().len()), (Some(AppId(3)), 3));
    }

    #[test]
    fn numbers_run_out_before_they_wrap() {
        let mut registry = Registry::default();
        let names: Vec<String> = (0..Registry::MOST).map(|number| format!("a{number}")).collect();
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        assert!(registry.adopt(database(&names)).is_ok());
        assert_eq!(registry.adopt(database(&["b"])).unwrap_err(), NoNumbers);
        assert!(registry.adopt(database(&["a7"])).is_ok());
    }
}
