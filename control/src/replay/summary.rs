//! What a replay amounts to: its last line.

use std::collections::BTreeMap;
use std::io::{self, Write};

use dataplane::counters::{Counter, Counters};
use dataplane::time::Nanos;
use dataplane::verdict::DropReason;

use super::report::SignOns;
use crate::record::fields::{Fields as _, label};
use crate::record::json::Object;
use crate::record::rfc3339;

/// What a replay amounts to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Summary {
    /// Files that were read.
    pub files: u64,
    /// Packets that were replayed.
    pub packets: u64,
    /// Octets of those packets on the wire, as captured, link header included.
    pub octets: u64,
    /// Packets that were left out: of a link type that cannot be replayed, or neither IP nor anything that Ethernet has
    /// a type for.
    pub skipped: u64,
    /// Whether any file was truncated or damaged.
    pub truncated: bool,
    /// When the first and the last packet were captured, the latter never before the former.
    pub span: Option<(Nanos, Nanos)>,
    /// Sessions that were let through and entered the table.
    pub flows: u64,
    /// How many of them were still open at the end; nothing is reported of their end.
    pub open: u64,
    /// Flows by the application they were identified as.
    pub applications: BTreeMap<String, u64>,
    /// Sign-ons that were reported.
    pub sign_ons: SignOns,
    /// Dropped packets by reason, where there are any.
    pub drops: Vec<(&'static str, u64)>,
}

impl Summary {
    /// Takes over what the pipeline counted.
    pub(super) fn count(&mut self, counters: &Counters) {
        self.flows = counters.value(Counter::SessionsOpened);
        self.open = counters.value(Counter::SessionsActive);
        let drops = DropReason::ALL.iter().map(|reason| (reason.name(), counters.drops(*reason)));
        self.drops = drops.filter(|(_, count)| *count > 0).collect();
    }

    pub(super) fn write_json(&self, out: &mut Vec<u8>) {
        let mut object = Object::begin(out);
        object.text(label!("event"), "summary");
        object.value("files", self.files);
        object.value("packets", self.packets);
        object.value("octets", self.octets);
        object.value("skipped", self.skipped);
        object.value("truncated", self.truncated);
        match self.span {
            Some((first, last)) => {
                object.time(label!("first"), first);
                object.time(label!("last"), last);
            }
            None => {
                object.value("first", "null");
                object.value("last", "null");
            }
        }
        object.value("flows", self.flows);
        object.value("open", self.open);
        object.counts("applications", self.applications.iter().map(|(name, count)| (name, *count)));
        object.nested("signons", |object| {
            for (application, actions) in &self.sign_ons {
                object.counts(application, actions.iter().map(|(action, count)| (action, *count)));
            }
        });
        object.counts("drops", self.drops.iter().copied());
        object.end();
    }

    pub(super) fn write_text(&self, out: &mut Vec<u8>) -> io::Result<()> {
        if !self.sign_ons.is_empty() {
            writeln!(out)?;
        }
        write!(out, "packets       {} ({} octets", self.packets, self.octets)?;
        if self.skipped > 0 {
            write!(out, "; {} more were skipped", self.skipped)?;
        }
        writeln!(out, ")")?;
        if let Some((first, last)) = self.span {
            write!(out, "captured      ")?;
            rfc3339::write(out, first, None);
            write!(out, " to ")?;
            rfc3339::write(out, last, None);
            writeln!(out)?;
        }
        writeln!(out, "flows         {} ({} open at the end)", self.flows, self.open)?;
        let mut by_count: Vec<_> = self.applications.iter().collect();
        by_count.sort_by_key(|(name, count)| (std::cmp::Reverse(**count), *name));
        let applications = by_count.iter().map(|(name, count)| format!("{name} {count}"));
        list(out, "applications", applications.collect())?;
        let sign_ons = self.sign_ons.iter().map(|(application, actions)| {
            let actions: Vec<_> = actions.iter().map(|(action, count)| format!("{action} {count}")).collect();
            format!("{application}: {}", actions.join(", "))
        });
        list(out, "sign-ons", sign_ons.collect())?;
        list(out, "drops", self.drops.iter().map(|(reason, count)| format!("{reason} {count}")).collect())
    }
}

/// A list under its title, an item a line.
fn list(out: &mut Vec<u8>, title: &str, items: Vec<String>) -> io::Result<()> {
    if items.is_empty() {
        return writeln!(out, "{title:<13} none");
    }
    for (at, item) in items.iter().enumerate() {
        writeln!(out, "{:<13} {item}", if at == 0 { title } else { "" })?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn summary() -> Summary {
        Summary {
            files: 2,
            packets: 40,
            octets: 5_000,
            skipped: 3,
            truncated: true,
            span: Some((Nanos(0), Nanos(1_500_000_000))),
            flows: 9,
            open: 1,
            applications: BTreeMap::from([("qq".into(), 2), ("wechat".into(), 5)]),
            sign_ons: BTreeMap::from([("qq".into(), BTreeMap::from([("login", 1), ("logout", 1)]))]),
            drops: vec![("truncated", 4)],
        }
    }

    #[test]
    fn programs_get_one_object() {
        let mut out = Vec::new();
        summary().write_json(&mut out);
        let expected = json!({
            "event": "summary", "files": 2, "packets": 40, "octets": 5000, "skipped": 3, "truncated": true,
            "first": "1970-01-01T00:00:00.000000Z", "last": "1970-01-01T00:00:01.500000Z", "flows": 9, "open": 1,
            "applications": {"qq": 2, "wechat": 5}, "signons": {"qq": {"login": 1, "logout": 1}},
            "drops": {"truncated": 4},
        });
        assert_eq!(serde_json::from_slice::<Value>(&out).unwrap(), expected);
        let mut out = Vec::new();
        Summary::default().write_json(&mut out);
        assert_eq!(serde_json::from_slice::<Value>(&out).unwrap()["first"], Value::Null);
    }

    #[test]
    fn people_get_a_table() {
        let mut out = Vec::new();
        summary().write_text(&mut out).unwrap();
        let expected = "
packets       40 (5000 octets; 3 more were skipped)
captured      1970-01-01T00:00:00.000000Z to 1970-01-01T00:00:01.500000Z
flows         9 (1 open at the end)
applications  wechat 5
              qq 2
sign-ons      qq: login 1, logout 1
drops         truncated 4
";
        assert_eq!(String::from_utf8(out).unwrap(), expected);
    }
}
