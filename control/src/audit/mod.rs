//! The trail on disk: files of records, chained line to line and signed, which no configuration can stop.

use std::path::PathBuf;
use std::time::Duration;

use dataplane::time::Nanos;
use jiff::Timestamp;

use crate::record::audit::Occurrence;
use crate::record::{Class, LossReason, Name, Record};

mod archive;
pub mod chain;
mod desk;
pub mod key;
pub mod line;
mod live;
mod news;
pub mod reader;
pub mod respond;
mod scan;
pub mod series;
pub mod sources;
mod store;
mod thread;
pub mod upload;
pub mod verify;

pub use self::reader::Query;
pub use self::store::{FileStatus, Opened, Store, StoreError};
pub use self::upload::{Sftp, Site};

/// The series that every trail has.
pub const TRAIL: &str = "audit";

/// Where the trail is where no configuration names a folder.
pub const FOLDER: &str = "/var/lib/ostiary/audit";

/// What a trail is to be: `[audit]`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoreConfig {
    /// The folder of its files.
    pub folder: PathBuf,
    /// Whether sessions are kept here too.
    pub mode: Mode,
    /// The files. One of the name [`TRAIL`] has all records of the class of the trail, whatever else it selects; where there is
    /// none, it is made.
    pub files: Vec<FileConfig>,
    /// What is done where there is no room.
    pub when_full: WhenFull,
    /// When records of the trail's class are made sure of.
    pub sync: Sync,
    /// Records between two signed lines, and the longest time.
    pub checkpoint: (u32, Duration),
    /// The group that may read.
    pub group: Option<u32>,
    /// How archives are sent.
    pub sftp: Sftp,
}

impl StoreConfig {
    /// A trail with nothing but its own class, as it is where nothing is configured.
    pub fn new(folder: PathBuf) -> Self {
        Self {
            folder,
            mode: Mode::default(),
            files: vec![FileConfig::trail()],
            when_full: WhenFull::default(),
            sync: Sync::default(),
            checkpoint: (1_000, Duration::from_secs(60)),
            group: None,
            sftp: Sftp::default(),
        }
    }
}

/// A file: `[[audit.file]]`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FileConfig {
    /// Of the series.
    pub name: Name,
    /// What is in it: what one of these selects.
    pub select: Vec<Selector>,
    /// What becomes of it.
    pub archive: Archive,
}

impl FileConfig {
    /// That of the trail, with nothing else in it.
    pub fn trail() -> Self {
        let all = Selector { class: Some(Class::Audit), severity: 7 };
        Self { name: TRAIL.into(), select: vec![all], archive: Archive::default() }
    }

    /// Whether a record of that class and severity is for it.
    pub fn selects(&self, class: Class, severity: u8) -> bool {
        (&*self.name == TRAIL && class == Class::Audit)
            || self.select.iter().any(|selector| selector.takes(class, severity))
    }
}

/// When a file is closed, and what becomes of it then.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Archive {
    /// So many are kept.
    pub files: u32,
    /// Octets at which a file is closed.
    pub size: u64,
    /// Whether archives are compressed.
    pub compress: bool,
    /// From when the interval is counted; none: from the epoch.
    pub start: Option<Timestamp>,
    /// A file is closed so often, if anything came.
    pub interval: Option<Duration>,
    /// Where archives are sent; the first that takes one has it.
    pub sites: Vec<Site>,
}

impl Default for Archive {
    fn default() -> Self {
        Self { files: 10, size: 10 << 20, compress: true, start: None, interval: None, sites: Vec::new() }
    }
}

/// Which records: those of a class, of that severity or graver.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Selector {
    /// None: of any class.
    pub class: Option<Class>,
    /// RFC 5424, table 2: 7 takes all.
    pub severity: u8,
}

impl Selector {
    /// Whether it takes a record.
    pub fn takes(self, class: Class, severity: u8) -> bool {
        self.class.is_none_or(|own| own == class) && severity <= self.severity
    }
}

/// Whether records of sessions are kept here.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Mode {
    /// They are, where a file selects them.
    #[default]
    Event,
    /// They go to log hosts only.
    Stream,
}

/// What is done where there is no room.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum WhenFull {
    /// The oldest archives are deleted.
    #[default]
    OverwriteOldest,
    /// New records are dropped, counted, and told once there is room.
    DropNew,
    /// The same, and no new session is let through until there is room.
    RefuseTraffic,
}

/// When records of the trail's class are made sure of.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Sync {
    /// At once, those of one turn together.
    #[default]
    Each,
    /// After this time at the latest.
    Every(Duration),
}

/// What the trail says about itself.
#[derive(Clone, Debug, PartialEq)]
pub enum StoreNews {
    /// It is to be recorded.
    Occurred(Occurrence),
    /// Records are not in a file, and that is to be recorded.
    Lost {
        /// Of that name.
        file: Name,
        /// Of that class.
        class: Class,
        /// So many.
        count: u64,
        /// The first and last number.
        sequences: (u64, u64),
        /// The first and last time.
        span: (Nanos, Nanos),
        /// Why.
        reason: LossReason,
    },
    /// No new session is to be let through, or they are again.
    Hold(bool),
    /// What no record is for, for the operator.
    Notice(String),
}

/// Whether a record is one that tells of losses of that file.
fn tells_of(record: &Record, file: &str) -> bool {
    use crate::record::{Body, LossPlace};
    matches!(&record.body, Body::Loss(loss) if matches!(&loss.place, LossPlace::Store(name) if &**name == file))
}
