//! The proof of a series: each file is gone through line by line, from the oldest archive to the file that is written.

use std::fmt;
use std::io;
use std::path::PathBuf;
use std::time::Duration;

use super::chain::{Broken, Verifier};
use super::line::{Digest, Line};
use super::series::{Lines, Series};
use crate::signatures::key::PublicKey;

/// What the proof is to hold to.
#[derive(Clone, Debug, Default)]
pub struct Asked {
    /// Keys that may have signed; none: that which the first file names.
    pub keys: Vec<PublicKey>,
    /// A checkpoint that is known from elsewhere: the number of its last record, and the digest of that record's line.
    pub anchor: Option<(u64, Digest)>,
}

/// What was found.
#[derive(Clone, Debug, Default)]
pub struct Report {
    /// How many files.
    pub files: u64,
    /// How many lines that are records.
    pub records: u64,
    /// Numbers of the first and the last record.
    pub numbers: Option<(u64, u64)>,
    /// The serial of the first file; those before it are not there any more.
    pub first_serial: u64,
    /// Records lost by the count of the signed lines that close files, and of the last signed line.
    pub lost: u64,
    /// Records behind the last signed line: nothing proves yet that the last of them is the last there was.
    pub unsigned: u64,
    /// The key of the last file.
    pub key: Option<PublicKey>,
    /// Numbers of records that a signature proves, from and to.
    pub proven: Vec<(u64, u64)>,
    /// What is wrong, in the order of the files; the first [`FAULTS`] of it.
    pub faults: Vec<Finding>,
    /// How much more is wrong.
    pub more: u64,
    /// A file ends within a line: what is being written may look so for a moment.
    torn: bool,
}

/// Something that is wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// The file.
    pub file: PathBuf,
    /// The line, from 1; none where it is the file as a whole.
    pub line: Option<u64>,
    /// In words.
    pub what: String,
}

/// So many faults are told one by one.
pub const FAULTS: usize = 100;

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.line {
            Some(line) => write!(f, "{}:{line}: {}", self.file.display(), self.what),
            None => write!(f, "{}: {}", self.file.display(), self.what),
        }
    }
}

impl Report {
    /// Whether nothing is wrong.
    pub fn is_intact(&self) -> bool {
        self.faults.is_empty() && self.more == 0
    }

    fn blame(&mut self, file: PathBuf, line: Option<u64>, what: String) {
        if self.faults.len() < FAULTS {
            self.faults.push(Finding { file, line, what });
        } else {
            self.more += 1;
        }
    }
}

/// Goes through a series.
///
/// # Errors
/// Where a file or the folder cannot be read at all.
pub fn verify(series: &Series, asked: &Asked) -> io::Result<Report> {
    for _ in 0..PATIENCE {
        let report = walk(series, asked)?;
        if !report.torn {
            return Ok(report);
        }
        std::thread::sleep(MOMENT);
    }
    walk(series, asked)
}

/// How often, and after what time, a file that ends within a line is looked at again.
const PATIENCE: u32 = 3;
const MOMENT: Duration = Duration::from_millis(100);

fn walk(series: &Series, asked: &Asked) -> io::Result<Report> {
    let mut walk = Walk {
        verifier: Verifier::new(asked.keys.clone()),
        report: Report::default(),
        anchor: asked.anchor,
        lost: 0,
        since: None,
    };
    let mut serial = None;
    // While it is read the series goes on: what was live may be an archive when its turn comes.
    loop {
        let archives = series.archives()?;
        let next = archives.into_iter().find(|archived| serial.is_none_or(|serial| archived.serial > serial));
        let Some(archived) = next else { break };
        if serial.is_none() {
            walk.report.first_serial = archived.serial;
        }
        if let Some(before) = serial.filter(|before| archived.serial != before + 1) {
            for missing in (before + 1..archived.serial).take(FAULTS) {
                walk.report.blame(series.archive(missing), None, "is missing".to_owned());
            }
        }
        walk.file(archived.path.clone(), archived.compressed)?;
        if !walk.verifier.is_closed() {
            walk.report.blame(archived.path, None, "ends without the line that closes it".to_owned());
        }
        serial = Some(archived.serial);
    }
    let live = series.live();
    if live.try_exists()? {
        walk.file(live, false)?;
        walk.report.first_serial = walk.report.first_serial.max(u64::from(serial.is_none()));
        if serial.is_none() {
            walk.report.first_serial = walk.verifier.serial().unwrap_or(0);
        }
    } else {
        walk.report.blame(live, None, "is missing".to_owned());
    }
    walk.report.lost += walk.lost;
    walk.report.key = walk.verifier.key();
    if let Some((n, _)) = walk.anchor {
        let what = match walk.report.numbers {
            Some((_, last)) if last >= n => {
                format!("record {n} is not the one of the anchor, or is not there any more")
            }
            _ => format!("the end is missing: the anchor names record {n}"),
        };
        walk.report.blame(series.live(), None, what);
    }
    Ok(walk.report)
}

struct Walk {
    verifier: Verifier,
    report: Report,
    /// Not met yet.
    anchor: Option<(u64, Digest)>,
    /// By the last signed line of this file.
    lost: u64,
    /// The number of the first record since the last signed line or fault; the last of them.
    since: Option<(u64, u64)>,
}

impl Walk {
    fn file(&mut self, path: PathBuf, compressed: bool) -> io::Result<()> {
        self.report.files += 1;
        self.report.lost += std::mem::take(&mut self.lost);
        self.verifier.begin_file();
        let mut lines = Lines::open(&path, compressed)?;
        loop {
            let read = match lines.next_line() {
                Ok(Some(read)) => read,
                Ok(None) => break,
                // A compressed file that was changed: what is behind cannot be read.
                Err(error) if compressed => {
                    self.report.blame(path.clone(), None, format!("cannot be read on: {error}"));
                    break;
                }
                Err(error) => return Err(error),
            };
            let (octets, whole) = (read.octets, read.whole);
            let (line, faults) = self.verifier.line(octets);
            let digest = Digest::of(octets);
            if !whole {
                self.report.torn = true;
                let what = format!("the file ends within a line, with {} octets of it", octets.len());
                self.report.blame(path.clone(), Some(self.verifier.at()), what);
                break;
            }
            let holds = faults.is_empty();
            for fault in faults {
                self.since = None;
                let what = match fault.what {
                    Broken::Head => "does not go on where the file before it ends".to_owned(),
                    other => other.text(),
                };
                self.report.blame(path.clone(), Some(fault.line), what);
            }
            match line {
                Some(Line::Record { n, .. }) => self.record(n, digest),
                Some(Line::Checkpoint(checkpoint)) if holds => {
                    self.lost = checkpoint.lost;
                    self.prove();
                }
                Some(Line::Close(close)) if holds => {
                    self.lost = close.lost;
                    self.prove();
                }
                Some(_) | None => {}
            }
        }
        if let Some(fault) = self.verifier.end() {
            self.since = None;
            self.report.blame(path, Some(fault.line), fault.what.text());
        }
        Ok(())
    }

    fn record(&mut self, n: u64, digest: Digest) {
        self.report.records += 1;
        self.report.unsigned += 1;
        let first = self.report.numbers.map_or(n, |(first, _)| first);
        self.report.numbers = Some((first, n));
        self.since = Some((self.since.map_or(n, |(first, _)| first), n));
        if self.anchor == Some((n, digest)) {
            self.anchor = None;
        }
    }

    /// A signed line that holds, behind lines that fit it.
    fn prove(&mut self) {
        self.report.unsigned = 0;
        let Some((first, last)) = self.since.take() else { return };
        match self.report.proven.last_mut() {
            Some((_, end)) if *end + 1 == first => *end = last,
            _ => self.report.proven.push((first, last)),
        }
    }
}
