//! Groups of this machine: the configuration names them, files and processes have their numbers.

use super::document::{Located, Notes};
use super::near;
use crate::confine;

/// Where the names are. Directories of other kinds are not asked: write the number of a group that is only there.
const FILE: &str = "/etc/group";

/// The number of a group, given as such or by its name; where there is none, that is noted.
pub(super) fn resolve(group: &Located<String>, notes: &mut Notes) -> Option<u32> {
    if let Ok(number) = group.value.parse() {
        return Some(number);
    }
    let text = confine::account_list(FILE).unwrap_or_default();
    let found = entries(&text).find(|(name, _)| *name == group.value).map(|(_, number)| number);
    if found.is_none() {
        let otherwise = format!("make it with: groupadd {}", group.value);
        let advice = near::suggest(&group.value, entries(&text).map(|(name, _)| name), &otherwise);
        notes.fault(&group.place, Some(group.value.clone()), format!("a group of {FILE}, or a number"), advice);
    }
    found
}

/// Names and numbers of group(5).
fn entries(text: &str) -> impl Iterator<Item = (&str, u32)> {
    text.lines().filter_map(|line| {
        let mut fields = line.split(':');
        let name = fields.next()?;
        Some((name, fields.nth(1)?.parse().ok()?))
    })
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    #[test]
    fn groups_have_names_and_numbers() {
        let text = "root:x:0:\nadm:x:4:syslog,mon\nbroken\nodd:x:y:\n";
        assert_eq!(entries(text).collect::<Vec<_>>(), [("root", 0), ("adm", 4)]);
        let mut notes = Notes::new(Path::new("f"), "");
        let mut look = |value: &str| {
            let place = notes.whole("management.roles.auditor");
            resolve(&Located { value: value.to_owned(), place }, &mut notes)
        };
        assert_eq!((look("root"), look("4711"), look("no-such-group-here")), (Some(0), Some(4711), None));
        assert_eq!(notes.faults.len(), 1);
    }
}
