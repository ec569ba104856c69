//! `[log.spool]` and `[[log-group]]`: what is kept on disk for log hosts, and which of them stand for each other.

use std::time::Duration;

use super::super::document::{Located, Notes, Section};
use super::super::fault::Place;
use super::super::value;
use super::log_host::CLASSES;
use crate::export::GroupMode;
use crate::record::Class;

/// `[log.spool]`, and what a log host has other.
#[derive(Clone, Debug, Default)]
pub(crate) struct SpoolKeys {
    /// `enable`; default false.
    pub(crate) enable: Option<bool>,
    /// `size`, in octets; default 4 GiB.
    pub(crate) size: Option<u64>,
    /// `age`; default 7 d.
    pub(crate) age: Option<Duration>,
    /// `replay-share`, in per cent; default 50.
    pub(crate) share: Option<u8>,
    /// `sync`; default access, call-status and attack.
    pub(crate) sync: Option<Vec<Class>>,
    /// `when-full`: whether new records are given up rather than the oldest; default false.
    pub(crate) drop_new: Option<bool>,
}

impl SpoolKeys {
    pub(super) fn read(mut section: Section<'_, '_>, notes: &mut Notes) -> Self {
        let full = &[("drop-oldest", false), ("drop-new", true)];
        let (shortest, longest) = (Duration::from_secs(60), Duration::from_secs(3_650 * 86_400));
        let read = Self {
            enable: section.optional("enable", notes, value::boolean).map(|on| on.value),
            size: section.optional("size", notes, value::size(16 << 20, 1 << 40)).map(|size| size.value),
            age: section.optional("age", notes, value::duration(shortest, longest)).map(|age| age.value),
            share: section.optional("replay-share", notes, value::number(1_u8, 99)).map(|share| share.value),
            sync: section
                .list("sync", notes, value::choice(CLASSES, &[]))
                .map(|list| list.value.into_iter().map(|class| class.value).collect()),
            drop_new: section.optional("when-full", notes, value::choice(full, &[])).map(|full| full.value),
        };
        section.finish(notes);
        read
    }

    /// Of a log host: `true`, `false`, or a table, which means yes unless it says otherwise.
    pub(super) fn of_host(section: &mut Section<'_, '_>, notes: &mut Notes) -> Option<Located<Self>> {
        if !section.is_table("spool") {
            let enable = section.optional("spool", notes, value::boolean);
            if !notes.is_describing() {
                let Located { value, place } = enable?;
                return Some(Located { value: Self { enable: Some(value), ..Self::default() }, place });
            }
        }
        let table = section.table("spool", notes)?;
        let place = table.place().clone();
        let read = Self::read(table, notes);
        Some(Located { value: Self { enable: Some(read.enable.unwrap_or(true)), ..read }, place })
    }

    /// These, where they are given, and else those.
    pub(crate) fn or(&self, other: &Self) -> Self {
        Self {
            enable: self.enable.or(other.enable),
            size: self.size.or(other.size),
            age: self.age.or(other.age),
            share: self.share.or(other.share),
            sync: self.sync.clone().or_else(|| other.sync.clone()),
            drop_new: self.drop_new.or(other.drop_new),
        }
    }
}

/// One `[[log-group]]`.
#[derive(Debug)]
pub(crate) struct LogGroup {
    /// Where it is written.
    pub(crate) place: Place,
    /// `name`.
    pub(crate) name: Option<Located<String>>,
    /// `mode`.
    pub(crate) mode: Option<Located<GroupMode>>,
    /// `hosts`.
    pub(crate) hosts: Vec<Located<String>>,
    /// `return-after`; default 60 s.
    pub(crate) return_after: Option<Located<Duration>>,
}

impl LogGroup {
    pub(super) fn read_all(root: &mut Section<'_, '_>, notes: &mut Notes) -> Vec<Self> {
        root.tables("log-group", notes).into_iter().map(|section| Self::read(section, notes)).collect()
    }

    fn read(mut section: Section<'_, '_>, notes: &mut Notes) -> Self {
        let name = section.required("name", notes, "the group's name", value::name);
        if let Some(name) = &name {
            section.rename(format!("log-group[{}]", name.value));
        }
        let modes =
            &[("copies", GroupMode::Copies), ("failover", GroupMode::Failover), ("round-robin", GroupMode::RoundRobin)];
        let mode = section.required("mode", notes, "copies, failover or round-robin", value::choice(modes, &[]));
        let hosts = section.required_list("hosts", notes, "the names of its log hosts", value::name);
        let longest = Duration::from_secs(86_400);
        let read = Self {
            place: section.place().clone(),
            name,
            mode,
            hosts: hosts.map(|list| list.value).unwrap_or_default(),
            return_after: section.optional("return-after", notes, value::duration(Duration::ZERO, longest)),
        };
        section.finish(notes);
        read
    }
}
