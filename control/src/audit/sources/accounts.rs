//! Accounts of this machine: whether somebody changed them, by their files. What is in the files is kept as hashes only.

use std::collections::BTreeMap;
use std::fs::{self, Metadata};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use dataplane::time::Nanos;
use sha2::{Digest, Sha256};

use crate::record::audit::{AuditEvent, AuditField, Occurrence, Subject};

/// The files, as they are named in their folder.
const FILES: [&str; 4] = ["passwd", "shadow", "group", "gshadow"];
/// A file that is longer is not read: that it changed is said without what.
const LONGEST: u64 = 4 << 20;
/// Changes of one file that are told one by one.
const TOLD: usize = 64;

/// Watches the files.
#[derive(Debug, Default)]
pub struct Accounts {
    files: Vec<Watched>,
}

#[derive(Debug)]
struct Watched {
    name: &'static str,
    path: PathBuf,
    stamp: Option<Stamp>,
    lines: BTreeMap<String, Entry>,
}

/// Changes with the file.
type Stamp = (u64, i64, i64, u64);

/// What is kept of a line.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Entry {
    /// Of the second field: the password, where there is one.
    secret: [u8; 32],
    /// Of the other fields.
    rest: [u8; 32],
}

impl Accounts {
    /// Of the files in a folder, as they are now.
    pub fn new(folder: &Path) -> Self {
        let watched = |name: &'static str| {
            let path = folder.join(name);
            let (stamp, lines) = read(&path);
            Watched { name, path, stamp, lines: lines.unwrap_or_default() }
        };
        Self { files: FILES.map(watched).into() }
    }

    /// What changed since the last look: call it every few seconds.
    pub fn look(&mut self, now: Nanos) -> Vec<Occurrence> {
        self.files.iter_mut().flat_map(|file| file.look(now)).collect()
    }
}

impl Watched {
    fn look(&mut self, now: Nanos) -> Vec<Occurrence> {
        let stamp = fs::metadata(&self.path).ok().map(|metadata| stamp(&metadata));
        if stamp == self.stamp {
            return Vec::new();
        }
        let (stamp, lines) = read(&self.path);
        self.stamp = stamp;
        let Some(lines) = lines else {
            let said = self.said(AuditEvent::AccountChanged, now).with(AuditField::Account, "(not read)");
            return vec![said.with(AuditField::Change, "modify")];
        };
        let old = std::mem::replace(&mut self.lines, lines);
        let mut said = Vec::new();
        let names = old.keys().chain(self.lines.keys().filter(|name| !old.contains_key(*name)));
        for name in names {
            let (before, after) = (old.get(name), self.lines.get(name));
            if before == after {
                continue;
            }
            if said.len() == TOLD {
                let others = self.said(AuditEvent::AccountChanged, now).with(AuditField::Account, "(others)");
                said.push(others.with(AuditField::Change, "modify"));
                break;
            }
            let is_password = matches!((before, after), (Some(before), Some(after)) if before.rest == after.rest);
            let told = |event| self.said(event, now).with(AuditField::Account, name);
            said.push(match (before, after) {
                // Of groups the second field is a password too, which hardly one has.
                _ if is_password => told(AuditEvent::PasswordChanged),
                (None, _) => told(AuditEvent::AccountChanged).with(AuditField::Change, "add"),
                (_, None) => told(AuditEvent::AccountChanged).with(AuditField::Change, "delete"),
                _ => told(AuditEvent::AccountChanged).with(AuditField::Change, "modify"),
            });
        }
        said
    }

    fn said(&self, event: AuditEvent, now: Nanos) -> Occurrence {
        Occurrence::new(event, now).by(Subject::system()).with(AuditField::File, self.name)
    }
}

fn stamp(metadata: &Metadata) -> Stamp {
    (metadata.ino(), metadata.mtime(), metadata.mtime_nsec(), metadata.len())
}

/// Stamp and lines of a file; no stamp where it is not there, no lines where it is too long or cannot be read.
fn read(path: &Path) -> (Option<Stamp>, Option<BTreeMap<String, Entry>>) {
    let Ok(metadata) = fs::metadata(path) else { return (None, Some(BTreeMap::new())) };
    let stamp = Some(stamp(&metadata));
    if metadata.len() > LONGEST {
        return (stamp, None);
    }
    let Ok(text) = fs::read(path) else { return (stamp, None) };
    let mut lines = BTreeMap::new();
    for line in String::from_utf8_lossy(&text).lines() {
        let mut fields = line.splitn(3, ':');
        let (Some(name), secret, rest) = (fields.next(), fields.next(), fields.next()) else { continue };
        let mut rest = rest.unwrap_or_default();
        // The day of the last change of a password goes with the password.
        if path.ends_with("shadow") {
            rest = rest.split_once(':').map_or("", |(_, rest)| rest);
        }
        let hash = |text: &str| Sha256::digest(text.as_bytes()).into();
        lines.insert(name.to_owned(), Entry { secret: hash(secret.unwrap_or_default()), rest: hash(rest) });
    }
    (stamp, Some(lines))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(occurrences: &[Occurrence]) -> Vec<String> {
        let words = |occurrence: &Occurrence| {
            let fields = [AuditField::File, AuditField::Account, AuditField::Change];
            let fields: Vec<&str> = fields.iter().filter_map(|field| occurrence.field(*field)).collect();
            format!("{} {}", occurrence.event.name(), fields.join(" "))
        };
        occurrences.iter().map(words).collect()
    }

    #[test]
    fn accounts_and_passwords_that_change_are_told_by_name() {
        let folder = tempfile::tempdir().unwrap();
        let write = |name: &str, text: &str| {
            // As the system's own programs do: beside it, and moved there.
            let beside = folder.path().join("new");
            fs::write(&beside, text).unwrap();
            fs::rename(beside, folder.path().join(name)).unwrap();
        };
        write("passwd", "root:x:0:0::/root:/bin/sh\nmon:x:5000:5000::/tmp:/bin/sh\n");
        write("shadow", "root:*:19000:0:99999:7:::\nmon:$6$old:19000:0:99999:7:::\n");
        write("group", "root:x:0:\n");
        let mut accounts = Accounts::new(folder.path());
        assert_eq!(accounts.look(Nanos(1)), []);
        write("shadow", "root:*:19000:0:99999:7:::\nmon:$6$new:19001:0:99999:7:::\n");
        assert_eq!(said(&accounts.look(Nanos(2))), ["password-changed shadow mon"]);
        write("passwd", "root:x:0:0::/root:/bin/bash\nalice:x:5001:5001::/tmp:/bin/sh\n");
        write("group", "root:x:0:alice\n");
        assert_eq!(
            said(&accounts.look(Nanos(3))),
            [
                "account-changed passwd mon delete",
                "account-changed passwd root modify",
                "account-changed passwd alice add",
                "account-changed group root modify",
            ]
        );
        assert_eq!(accounts.look(Nanos(4)), []);
        assert!(!format!("{accounts:?}").contains("$6$"));
    }

    #[test]
    fn many_changes_and_long_files_are_bounded() {
        let folder = tempfile::tempdir().unwrap();
        let mut accounts = Accounts::new(folder.path());
        let many: String = (0..1_000).map(|number| format!("user{number}:x:{number}:\n")).collect();
        fs::write(folder.path().join("passwd"), many).unwrap();
        let told = said(&accounts.look(Nanos(1)));
        assert_eq!((told.len(), told.last().unwrap().as_str()), (TOLD + 1, "account-changed passwd (others) modify"));
        fs::write(folder.path().join("passwd"), vec![b'x'; LONGEST as usize + 1]).unwrap();
        assert_eq!(said(&accounts.look(Nanos(2))), ["account-changed passwd (not read) modify"]);
    }
}
