//! `[audit]`, `[[audit.file]]` and `[audit.sftp]`: what of the records is kept on this machine, and how.

use std::path::PathBuf;
use std::time::Duration;

use jiff::Timestamp;
use toml::de::DeValue;

use super::super::audit::SEVERITIES;
use super::super::describe::Shape;
use super::super::document::{Located, Notes, Section};
use super::super::near;
use super::super::value::{self, Refusal};
use super::log_host::CLASSES;
use crate::audit::{Mode, Selector, Sync, WhenFull};

/// `[audit]`.
#[derive(Debug, Default)]
pub(crate) struct Audit {
    /// `mode`; default event.
    pub(crate) mode: Mode,
    /// `directory`; default: below the state directory.
    pub(crate) directory: Option<PathBuf>,
    /// `when-full`; default overwrite-oldest.
    pub(crate) when_full: WhenFull,
    /// `sync`; default each.
    pub(crate) sync: Sync,
    /// `checkpoint-records`; default 1,000.
    pub(crate) checkpoint_records: Option<u32>,
    /// `checkpoint-interval`; default 1 min.
    pub(crate) checkpoint_interval: Option<Duration>,
    /// `group`: who may read the files; default: nobody but their owner.
    pub(crate) group: Option<Located<String>>,
    /// `syslog-socket`: where the system's messages are heard; default: nowhere.
    pub(crate) syslog_socket: Option<PathBuf>,
    /// `mail-program`; default /usr/sbin/sendmail.
    pub(crate) mail_program: Option<PathBuf>,
    /// `[audit.sftp]`.
    pub(crate) sftp: Sftp,
    /// `[[audit.file]]`.
    pub(crate) files: Vec<File>,
}

/// `[audit.sftp]`.
#[derive(Debug, Default)]
pub(crate) struct Sftp {
    /// `identity`: the private key.
    pub(crate) identity: Option<PathBuf>,
    /// `known-hosts`: the keys of the sites.
    pub(crate) known_hosts: Option<PathBuf>,
    /// `program`; default sftp.
    pub(crate) program: Option<PathBuf>,
}

/// One `[[audit.file]]`.
#[derive(Debug)]
pub(crate) struct File {
    /// `name`.
    pub(crate) name: Option<Located<String>>,
    /// `select`.
    pub(crate) select: Option<Located<Vec<Located<Selector>>>>,
    /// `archive`.
    pub(crate) archive: Archive,
}

/// `archive = { … }` of a file.
#[derive(Debug, Default)]
pub(crate) struct Archive {
    /// `files`: how many old ones are kept; default 10.
    pub(crate) files: Option<u32>,
    /// `size`, in octets; default 10 MiB.
    pub(crate) size: Option<u64>,
    /// `compress`; default true.
    pub(crate) compress: Option<bool>,
    /// `start-time`: when the first is closed, whatever its size.
    pub(crate) start: Option<Located<Timestamp>>,
    /// `transfer-interval`: and the following.
    pub(crate) interval: Option<Located<Duration>>,
    /// `sites`: where they are sent; the first that takes one has it.
    pub(crate) sites: Vec<Located<String>>,
}

const MODES: &[(&str, Mode)] = &[("event", Mode::Event), ("stream", Mode::Stream)];

const WHEN_FULL: &[(&str, WhenFull)] = &[
    ("overwrite-oldest", WhenFull::OverwriteOldest),
    ("drop-new", WhenFull::DropNew),
    ("refuse-traffic", WhenFull::RefuseTraffic),
];

impl Audit {
    pub(super) fn read(section: Option<Section<'_, '_>>, notes: &mut Notes) -> Self {
        let Some(mut section) = section else { return Self::default() };
        let (second, day) = (Duration::from_secs(1), Duration::from_secs(86_400));
        let read = Self {
            mode: section.optional("mode", notes, value::choice(MODES, &[])).map(|mode| mode.value).unwrap_or_default(),
            directory: section.optional("directory", notes, value::directory).map(|path| path.value),
            when_full: section
                .optional("when-full", notes, value::choice(WHEN_FULL, &[]))
                .map(|full| full.value)
                .unwrap_or_default(),
            sync: section.optional("sync", notes, sync).map(|sync| sync.value).unwrap_or_default(),
            checkpoint_records: section
                .optional("checkpoint-records", notes, value::number(1_u32, 1_000_000))
                .map(|count| count.value),
            checkpoint_interval: section
                .optional("checkpoint-interval", notes, value::duration(second, day))
                .map(|interval| interval.value),
            group: section.optional("group", notes, value::group),
            syslog_socket: section.optional("syslog-socket", notes, value::socket_path).map(|path| path.value),
            mail_program: section.optional("mail-program", notes, value::directory).map(|path| path.value),
            sftp: Sftp::read(section.table("sftp", notes), notes),
            files: section.tables("file", notes).into_iter().map(|file| File::read(file, notes)).collect(),
        };
        section.finish(notes);
        read
    }
}

impl Sftp {
    fn read(section: Option<Section<'_, '_>>, notes: &mut Notes) -> Self {
        let Some(mut section) = section else { return Self::default() };
        let read = Self {
            identity: section.optional("identity", notes, value::path).map(|path| path.value),
            known_hosts: section.optional("known-hosts", notes, value::path).map(|path| path.value),
            program: section.optional("program", notes, value::path).map(|path| path.value),
        };
        section.finish(notes);
        read
    }
}

impl File {
    fn read(mut section: Section<'_, '_>, notes: &mut Notes) -> Self {
        let name = section.required("name", notes, "the file's name, like \"sessions\"", value::name);
        if let Some(name) = &name {
            section.rename(format!("audit.file[{}]", name.value));
        }
        let read = Self {
            name,
            select: section.list("select", notes, selector),
            archive: Archive::read(section.table("archive", notes), notes),
        };
        section.finish(notes);
        read
    }
}

impl Archive {
    fn read(section: Option<Section<'_, '_>>, notes: &mut Notes) -> Self {
        let Some(mut section) = section else { return Self::default() };
        let (minutes, year) = (Duration::from_secs(300), Duration::from_secs(366 * 86_400));
        let read = Self {
            files: section.optional("files", notes, value::number(1_u32, 10_000)).map(|files| files.value),
            size: section.optional("size", notes, value::size(64 << 10, 1 << 30)).map(|size| size.value),
            compress: section.optional("compress", notes, value::boolean).map(|on| on.value),
            start: section.optional("start-time", notes, timestamp),
            interval: section.optional("transfer-interval", notes, value::duration(minutes, year)),
            sites: section.list("sites", notes, value::text).map(|list| list.value).unwrap_or_default(),
        };
        section.finish(notes);
        read
    }
}

/// `"each"`, or within what time.
fn sync(value: &DeValue<'_>) -> Result<Sync, Refusal> {
    if matches!(value, DeValue::String(text) if text == "each") {
        return Ok(Sync::Each);
    }
    let every = value::duration(Duration::from_millis(10), Duration::from_secs(3600));
    every(value).map(Sync::Every).map_err(|refusal| refusal.or_word("each")).map_err(|refusal| Refusal {
        expected: format!("\"each\", or {}", refusal.expected),
        shape: refusal.shape,
        advice: "write \"each\" to have every record on disk before it is answered, or a time like \"1 s\"".to_owned(),
    })
}

/// `"audit"`, `"session/warning"`, `"any/info"`; with a dot in place of the slash as well.
fn selector(value: &DeValue<'_>) -> Result<Selector, Refusal> {
    let text = value::text(value)?;
    let classes = || CLASSES.iter().map(|(word, _)| *word);
    let expected = || {
        let (classes, severities) = (classes().collect::<Vec<_>>().join(", "), SEVERITIES.join(", "));
        format!("CLASS or CLASS/SEVERITY, of the classes any, {classes}, and the severities {severities}")
    };
    let (class, severity) = text.split_once(['/', '.']).unwrap_or((&text, "debug"));
    let found = match class {
        "any" => None,
        _ => match CLASSES.iter().find(|(word, _)| *word == class) {
            Some((_, class)) => Some(*class),
            None => {
                return Err(Refusal::new(expected(), near::suggest(class, classes(), "write one of these classes")));
            }
        },
    };
    let known = SEVERITIES.iter().position(|word| *word == severity);
    let Some(severity) = known.and_then(|place| u8::try_from(place).ok()) else {
        let advice = near::suggest(severity, SEVERITIES, "write one of these severities");
        return Err(Refusal::new(expected(), advice));
    };
    Ok(Selector { class: found, severity })
}

/// A time of RFC 3339.
fn timestamp(value: &DeValue<'_>) -> Result<Timestamp, Refusal> {
    let text = match value {
        DeValue::String(text) => text.to_string(),
        DeValue::Datetime(time) => time.to_string(),
        _ => String::new(),
    };
    text.parse().map_err(|_| {
        Refusal::new("a time of RFC 3339 with its offset", "write it like \"2026-12-01T00:00:00Z\"").of(Shape::Text)
    })
}
