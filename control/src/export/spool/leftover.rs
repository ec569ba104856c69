//! Where the spools are, and those that no host sends from any more: of a host that was removed, or that has another form
//! now. They are left alone: that host may come back.

use std::fs::{self, File};
use std::path::{Path, PathBuf};

use dataplane::time::Nanos;

use super::Form;
use super::mark::Mark;
use super::segment::{self, Header};
use super::walk::{Expected, survey};
use crate::record::Name;

/// A spool without a host.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Leftover {
    /// The host's name.
    pub host: String,
    /// Where it is.
    pub folder: PathBuf,
    /// `text`, or `ipfix-` and the version of the fields.
    pub form: String,
    /// Records that were not acknowledged, about.
    pub records: u64,
    /// Octets of the files.
    pub octets: u64,
    /// When the first file was made.
    pub oldest: Option<Nanos>,
}

/// The folder of a host's records of a form.
pub(super) fn folder(spools: &Path, host: &str, form: Form) -> PathBuf {
    spools.join(encoded(host)).join(family(form))
}

fn family(form: Form) -> String {
    match form.format.is_text() {
        true if form.is_keyed() => "keyed-text".to_owned(),
        true => "text".to_owned(),
        false => format!("ipfix-{}", form.schema),
    }
}

/// What is in `spools` beside what these hosts send from; folders without records do not count.
pub fn leftovers(spools: &Path, hosts: &[(Name, Form)]) -> Vec<Leftover> {
    let known: Vec<PathBuf> = hosts.iter().map(|(host, form)| folder(spools, host, *form)).collect();
    let folders = |path: &Path| {
        let entries = fs::read_dir(path).into_iter().flatten().flatten();
        let mut folders: Vec<PathBuf> = entries.map(|entry| entry.path()).filter(|path| path.is_dir()).collect();
        folders.sort();
        folders
    };
    let mut found = Vec::new();
    for host in folders(spools) {
        for form in folders(&host) {
            let name =
                |path: &Path| path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
            if !known.contains(&form) {
                found.extend(look(&form, decoded(&name(&host)), name(&form)));
            }
        }
    }
    found
}

/// None where nothing is owed. Only the last file is read: the others' names tell how many are in each.
fn look(folder: &Path, host: String, form: String) -> Option<Leftover> {
    let ordinals = segment::ordinals(folder).ok()?;
    let (first, last) = (*ordinals.first()?, *ordinals.last()?);
    let done = Mark::look(folder).unwrap_or(first);
    let path = |ordinal| folder.join(segment::name(ordinal));
    let expected = Expected { first: last, end: None, from: done, before: None };
    let end = File::open(path(last)).and_then(|file| survey(file, expected, |_| {})).map_or(last, |survey| survey.end);
    let octets = ordinals.iter().filter_map(|ordinal| fs::metadata(path(*ordinal)).ok()).map(|file| file.len()).sum();
    let oldest = Header::of(&path(first)).ok().flatten().map(|header| header.made);
    let records = end.saturating_sub(done.max(first));
    (records > 0).then_some(Leftover { host, folder: folder.to_owned(), form, records, octets, oldest })
}

/// A name of a folder: what is not a letter, a digit, `-`, `_` or `.` within is `%` and two digits.
fn encoded(host: &str) -> String {
    let mut out = String::new();
    for (at, octet) in host.bytes().enumerate() {
        if octet.is_ascii_alphanumeric() || octet == b'-' || octet == b'_' || octet == b'.' && at > 0 {
            out.push(char::from(octet));
        } else {
            out.push_str(&format!("%{octet:02X}"));
        }
    }
    out
}

/// The host's name; what is not encoded as we do stays as it is.
fn decoded(folder: &str) -> String {
    let mut out = Vec::new();
    let mut rest = folder.as_bytes();
    while let Some((first, more)) = rest.split_first() {
        let digits = more.get(..2).and_then(|digits| std::str::from_utf8(digits).ok());
        match digits.and_then(|digits| u8::from_str_radix(digits, 16).ok()) {
            Some(octet) if *first == b'%' => {
                out.push(octet);
                rest = &more[2..];
            }
            _ => {
                out.push(*first);
                rest = more;
            }
        }
    }
    String::from_utf8_lossy(&out).into_owned()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn names_come_back_and_stay_in_their_folder(host in ".{1,40}") {
            let name = encoded(&host);
            prop_assert_eq!(decoded(&name), host);
            prop_assert!(!name.contains('/') && name != "." && name != "..");
        }
    }

    #[test]
    fn names_of_folders_are_the_hosts_where_they_can_be() {
        assert_eq!(encoded("siem-1.example_net"), "siem-1.example_net");
        assert_eq!((encoded("../x"), encoded("a%b")), ("%2E.%2Fx".to_owned(), "a%25b".to_owned()));
        assert_eq!((decoded("a%"), decoded("%zz")), ("a%".to_owned(), "%zz".to_owned()));
    }
}
