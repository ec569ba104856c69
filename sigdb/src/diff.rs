//! What one database knows that another does not.

use serde::Serialize;

use crate::database::Database;
use crate::program::{Application, Protocol};

/// How a database differs from one before it, in words, a line each: `+` came, `-` is gone, `~` changed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Diff(Vec<String>);

impl Diff {
    /// The lines; the first says what was compared, and is alone where the two say the same.
    pub fn lines(&self) -> &[String] {
        &self.0
    }
}

impl Database {
    /// How this database differs from `old`.
    pub fn diff(&self, old: &Self) -> Diff {
        let said =
            |database: &Self| format!("{} of {}, serial {}", database.version(), database.date(), database.serial());
        let same = if self.digest() == old.digest() { ": the same content" } else { "" };
        let mut lines = vec![format!("{} -> {}{same}", said(old), said(self))];
        let (before, after) = (applications(old), applications(self));
        for (application, _) in &before {
            if !after.iter().any(|(other, _)| other.name == application.name) {
                lines.push(format!("- {}", application.name));
            }
        }
        for (application, protocols) in &after {
            let name = &application.name;
            match before.iter().find(|(other, _)| other.name == *name) {
                None => {
                    let names: Vec<&str> = protocols.iter().map(|protocol| &protocol.name[..]).collect();
                    lines.push(format!("+ {name}: {}", names.join(" ")));
                }
                Some((_, earlier)) => compare(name, earlier, protocols, &mut lines),
            }
        }
        Diff(lines)
    }
}

/// The applications that a database knows, by name, each with its protocols.
fn applications(database: &Database) -> Vec<(&Application, Vec<&Protocol>)> {
    let program = database.program();
    let present: Vec<&str> = database.applications().map(|(name, _)| name).collect();
    let mut list: Vec<_> = (0_u16..)
        .zip(&program.applications)
        .filter(|(_, application)| present.contains(&&application.name[..]))
        .map(|(place, application)| {
            (application, program.protocols.iter().filter(|protocol| protocol.application == place).collect())
        })
        .collect();
    list.sort_by(|(a, _), (b, _)| a.name.cmp(&b.name));
    list
}

fn compare(application: &str, before: &[&Protocol], after: &[&Protocol], lines: &mut Vec<String>) {
    for protocol in before {
        if !after.iter().any(|other| other.name == protocol.name) {
            lines.push(format!("- {application} {}", protocol.name));
        }
    }
    for protocol in after {
        match before.iter().find(|other| other.name == protocol.name) {
            None => lines.push(format!("+ {application} {}", protocol.name)),
            Some(earlier) => {
                let changes = changes(earlier, protocol);
                if !changes.is_empty() {
                    lines.push(format!("~ {application} {}: {}", protocol.name, changes.join("; ")));
                }
            }
        }
    }
}

/// What of a protocol changed.
fn changes(before: &Protocol, after: &Protocol) -> Vec<String> {
    let mut changes = Vec::new();
    let mut number = |what: &str, before: u32, after: u32| {
        if before != after {
            changes.push(format!("{what} {before} s -> {after} s"));
        }
    };
    number("limit", before.limit, after.limit);
    number("grace", before.grace, after.grace);
    let how = |protocol: &Protocol| {
        let Protocol { transport, server_ports, framing, session, anchors, .. } = protocol;
        octets(&(transport, server_ports, framing, session, anchors))
    };
    if how(before) != how(after) {
        changes.push("how it is carried".to_owned());
    }
    if octets(&before.clues) != octets(&after.clues) {
        changes.push("how it is identified".to_owned());
    }
    let names = |list: Vec<&str>, sign: &str| list.iter().map(|name| format!("{sign}{name}")).collect::<Vec<_>>();
    let lacks = |protocol: &Protocol, name: &str| !protocol.messages.iter().any(|message| message.name == name);
    let of = |protocol: &'_ Protocol, other: &Protocol| -> Vec<String> {
        let lacking = protocol.messages.iter().filter(|message| lacks(other, &message.name));
        lacking.map(|message| message.name.clone()).collect()
    };
    let (gone, come) = (of(before, after), of(after, before));
    let mut messages = names(come.iter().map(String::as_str).collect(), "+");
    messages.extend(names(gone.iter().map(String::as_str).collect(), "-"));
    let changed = after.messages.iter().filter(|message| {
        before
            .messages
            .iter()
            .any(|other| other.name == message.name && octets(&unanswered(other)) != octets(&unanswered(message)))
    });
    messages.extend(changed.map(|message| format!("~{}", message.name)));
    if !messages.is_empty() {
        changes.push(format!("messages {}", messages.join(" ")));
    }
    changes
}

/// A message without its bits: those count its neighbours, which may have moved.
fn unanswered(message: &crate::program::Message) -> crate::program::Message {
    crate::program::Message { answers: message.answers.count_ones().into(), ..message.clone() }
}

/// As it stands in a file, which is how two of a kind are told to be the same.
fn octets(value: &impl Serialize) -> Vec<u8> {
    postcard::to_stdvec(value).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use crate::{Source, compile};

    const FILE: &str = r#"
[application]
name = "thing"
title = "Thing"
[[protocol]]
name = "hello"
limit = "60 s"
[[protocol.carrier]]
transport = "udp"
framing = { kind = "datagram" }
[[protocol.identify]]
when = [{ at = 0, octets = "01 02 03 04" }]
[[protocol.message]]
name = "login"
from = "client"
when = [{ at = 4, u8 = 1 }]
account = { at = 5, form = "digits" }
means = "attempt"
[[sample]]
name = "hit"
transport = "udp"
server-port = 9
application = "thing"
sightings = ["attempt 12345"]
segment = [{ from = "client", octets = "01 02 03 04 01 31 32 33 34 35" }]
[[sample]]
name = "miss"
transport = "udp"
server-port = 9
application = "none"
segment = [{ from = "client", octets = "01 02 03 05" }]
"#;

    fn diff(from: &str, to: &str) -> Vec<String> {
        let database = |text: &str| {
            let head = "version = \"1\"\ndate = \"2026-01-01\"\n";
            let source = |name: &str, text: &str| Source { name: name.into(), text: text.into() };
            compile(&[source("database.toml", head), source("thing.toml", text)]).unwrap()
        };
        let lines = database(to).diff(&database(from)).lines().to_vec();
        assert!(lines[0].starts_with("1 of 2026-01-01, serial 2026010100 -> "), "{lines:?}");
        lines[1..].to_vec()
    }

    #[test]
    fn what_is_the_same_is_no_difference() {
        assert!(diff(FILE, FILE).is_empty());
    }

    #[test]
    fn each_change_is_told() {
        let changed = |from: &str, to: &str| diff(FILE, &FILE.replace(from, to));
        assert_eq!(changed("60 s", "90 s"), ["~ thing hello/udp: limit 60 s -> 90 s"]);
        assert_eq!(changed("at = 4, u8 = 1", "at = 4, u8 = [1, 2]"), ["~ thing hello/udp: messages ~login"]);
        assert_eq!(changed("name = \"login\"", "name = \"sign-in\""), ["~ thing hello/udp: messages +sign-in -login"]);
        assert_eq!(
            changed(
                "when = [{ at = 0, octets = \"01 02 03 04\" }]",
                "confidence = \"likely\"\nwhen = [{ at = 0, octets = \"01 02 03 04\" }]"
            ),
            ["~ thing hello/udp: how it is identified"]
        );
        assert_eq!(
            changed("transport = \"udp\"\nframing", "transport = \"udp\"\nserver-ports = [9]\nframing"),
            ["~ thing hello/udp: how it is carried"]
        );
        assert_eq!(changed("name = \"hello\"", "name = \"bye\""), ["- thing hello/udp", "+ thing bye/udp"]);
        assert_eq!(changed("\"thing\"", "\"other\""), ["- thing", "+ other: hello/udp"]);
    }
}
