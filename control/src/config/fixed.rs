//! What of a configuration a running firewall cannot change: everything but what the policy is made of. A key that a later
//! version adds needs a restart until it is listed here as one that does not.

use std::collections::BTreeMap;

use toml::de::{DeTable, DeValue};

/// Keys that need a restart, each with its value as written.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Fixed(BTreeMap<String, String>);

/// Sections and keys that are taken up while running.
const LIVE: [&str; 27] = [
    "address",
    "service",
    "profile",
    "rule",
    "policy",
    "application-identification",
    "log.im.enable",
    "log.im.account",
    "log.im.accounts",
    "log.im.users-per-address",
    "log.im.pseudonym-key-file",
    "log.im.applications",
    "log.access.enable",
    "log.call-status.enable",
    "access.sources",
    "access.ports",
    "access.silence",
    "access.echo-timeout",
    "access.dhcp",
    "access.radius",
    "access.nas",
    "access.end-sessions",
    "user-group",
    "management.roles",
    "respond",
    "audit.mail-program",
    "configuration",
];

/// Whether a key is taken up while running; its path is as `access.nas[].name`.
pub(super) fn is_live(path: &str) -> bool {
    let within =
        |live: &str| path.strip_prefix(live).is_some_and(|rest| rest.is_empty() || rest.starts_with(['.', '[']));
    path == "port[].zone" || LIVE.iter().any(|live| within(live))
}

impl Fixed {
    pub(super) fn of(document: &DeTable<'_>) -> Self {
        let mut fixed = Self::default();
        fixed.table("", document);
        fixed
    }

    /// The keys that differ, in order.
    pub fn changed<'a>(&'a self, other: &'a Self) -> Vec<&'a str> {
        let gone = self.0.iter().filter(|(key, value)| other.0.get(*key) != Some(value));
        let come = other.0.iter().filter(|(key, _)| !self.0.contains_key(*key));
        let mut keys: Vec<&str> = gone.chain(come).map(|(key, _)| key.as_str()).collect();
        keys.sort_unstable();
        keys
    }

    fn table(&mut self, path: &str, table: &DeTable<'_>) {
        for (key, value) in table {
            let key = key.get_ref();
            let path = if path.is_empty() { key.to_string() } else { format!("{path}.{key}") };
            // A port's zone is the policy's.
            let zone = path.starts_with("port[") && path.ends_with("].zone");
            if !zone && !LIVE.contains(&path.as_str()) {
                self.value(path, value.get_ref());
            }
        }
    }

    fn value(&mut self, path: String, value: &DeValue<'_>) {
        let text = match value {
            DeValue::Table(table) => return self.table(&path, table),
            DeValue::Array(array) => {
                for (index, item) in array.iter().enumerate() {
                    self.value(format!("{path}[{}]", index + 1), item.get_ref());
                }
                return;
            }
            DeValue::String(text) => text.to_string(),
            DeValue::Integer(number) => format!("{} in base {}", number.as_str(), number.radix()),
            DeValue::Float(number) => number.as_str().to_owned(),
            DeValue::Boolean(boolean) => boolean.to_string(),
            DeValue::Datetime(time) => time.to_string(),
        };
        self.0.insert(path, text);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FILE: &str = r#"
        [dataplane]
        workers = [1]
        memory = "1 GiB"
        [[port]]
        name = "inside"
        zone = "trust"
        [log.im]
        enable = true
        [[log-host]]
        name = "siem"
        [[rule]]
        name = "all"
        action = "permit"
    "#;

    fn changed(from: &str, to: &str) -> Vec<String> {
        let fixed = |text: &str| Fixed::of(DeTable::parse(text).unwrap().get_ref());
        let (before, after) = (fixed(FILE), fixed(&FILE.replace(from, to)));
        before.changed(&after).into_iter().map(str::to_owned).collect()
    }

    #[test]
    fn the_policy_may_change() {
        assert!(changed("permit", "deny").is_empty());
        assert!(changed("\"trust\"", "\"lab\"").is_empty());
        assert!(changed("enable = true", "enable = false\naccount = \"omit\"").is_empty());
        let access = "[log.access]\nenable = true\n[access]\nsilence = \"1 h\"\n[access.dhcp]\nservers = [\"10.0.0.1\"]\n\
                      [[access.nas]]\nname = \"bras1\"\n[[rule]]";
        assert!(changed("[[rule]]", access).is_empty());
        assert!(
            changed("[[rule]]", "[access]\nend-sessions = true\n[user-group.gold]\nusers = [\"a\"]\n[[rule]]")
                .is_empty()
        );
        let respond = "[audit]\nmail-program = \"/bin/m\"\n[[respond]]\nname = \"a\"\n[[rule]]";
        assert!(changed("[[rule]]", respond).is_empty());
        assert!(changed("[[rule]]", "[address]\noffice = [\"10.1.0.0/16\"]\n[[rule]]").is_empty());
    }

    #[test]
    fn everything_else_needs_a_restart_and_is_named() {
        assert_eq!(changed("1 GiB", "2 GiB"), ["dataplane.memory"]);
        assert_eq!(changed("[1]", "[1, 2]"), ["dataplane.workers[2]"]);
        assert_eq!(changed("\"inside\"", "\"within\""), ["port[1].name"]);
        assert_eq!(changed("[[rule]]", "[log.access]\nversion = 4\n[[rule]]"), ["log.access.version"]);
        assert_eq!(changed("[[rule]]", "[access]\nmax-users = 5_000\n[[rule]]"), ["access.max-users"]);
        assert_eq!(changed("enable = true", "type = \"syslog\""), ["log.im.type"]);
        assert_eq!(changed("[[log-host]]\n        name = \"siem\"", ""), ["log-host[1].name"]);
        assert_eq!(changed("[[rule]]", "[protection]\nsyn = 1\n[[rule]]"), ["protection.syn"]);
    }
}
