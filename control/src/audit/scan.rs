//! What of a file is good when the process begins: it may have been killed, lost its power, or been tampered with.

use std::io;
use std::path::Path;

use super::chain::{Chain, Fault, Verifier};
use super::line::{Digest, Head, Line};
use super::series::{Archived, Lines};

/// A file, gone through.
#[derive(Clone, Debug)]
pub(super) struct Scan {
    /// Its first line, where that is a head.
    pub(super) head: Option<Head>,
    /// The chain behind its last good line.
    pub(super) chain: Chain,
    /// Octets up to the end of the last good line.
    pub(super) length: u64,
    /// Octets behind: what a write that was not finished left.
    pub(super) torn: u64,
    /// Records.
    pub(super) records: u64,
    /// Records that no signature covers yet.
    pub(super) unsigned: u64,
    /// Whether the last good line says that the process was stopped.
    pub(super) stopped: bool,
    /// Whether the last good line closes the file.
    pub(super) closed: bool,
    /// Lost, as the last signed line says.
    pub(super) lost: u64,
    /// What was changed, of what another good line follows: the first of it.
    pub(super) fault: Option<Fault>,
}

/// Goes through a file. Lines behind which no good line comes are torn; before others they were changed.
pub(super) fn scan(path: &Path, compressed: bool) -> io::Result<Scan> {
    let mut lines = Lines::open(path, compressed)?;
    let mut verifier = Verifier::new(Vec::new());
    verifier.begin_file();
    let mut scan = Scan {
        head: None,
        chain: Chain::default(),
        length: 0,
        torn: 0,
        records: 0,
        unsigned: 0,
        stopped: false,
        closed: false,
        lost: 0,
        fault: None,
    };
    // Of lines since the last good one.
    let mut doubts: Vec<Fault> = Vec::new();
    let (mut n, mut first) = (0, true);
    while let Some(read) = lines.next_line()? {
        let (line, faults) = verifier.line(read.octets);
        doubts.extend(faults);
        let good = line.filter(|_| read.whole);
        let Some(line) = good else {
            scan.torn += read.length;
            first = false;
            continue;
        };
        if scan.fault.is_none() {
            scan.fault = doubts.first().cloned();
        }
        doubts.clear();
        scan.length += scan.torn + read.length;
        scan.torn = 0;
        (scan.stopped, scan.closed) = (false, false);
        match line {
            Line::Head(head) if first => {
                n = head.first.saturating_sub(1);
                scan.head = Some(head);
            }
            Line::Head(_) => {}
            Line::Record { n: number, .. } => {
                n = number;
                scan.records += 1;
                scan.unsigned += 1;
            }
            Line::Checkpoint(checkpoint) => {
                (n, scan.unsigned, scan.lost) = (checkpoint.checkpoint, 0, checkpoint.lost);
                scan.stopped = checkpoint.stopped;
            }
            Line::Close(close) => (n, scan.unsigned, scan.lost, scan.closed) = (close.last, 0, close.lost, true),
        }
        scan.chain = Chain::new(Digest::of(read.octets), n);
        first = false;
    }
    if scan.fault.is_none() {
        scan.fault = verifier.end();
    }
    Ok(scan)
}

/// The chain behind an archive's last line.
pub(super) fn behind(archived: &Archived) -> io::Result<Chain> {
    scan(&archived.path, archived.compressed).map(|scan| scan.chain)
}
