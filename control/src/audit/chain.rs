//! The chain of a trail: each line names the SHA-256 of the line before it, and signed lines name how far it has come. Who
//! changes, removes, adds or moves a line has to change all that follow, and cannot sign them.

use dataplane::time::Nanos;

use super::line::{Checkpoint, Close, Digest, FORM, Head, LONGEST, Line, Signature, signed, statement};
use crate::record::rfc3339;
use crate::signatures::key::{PublicKey, SigningKey};

/// Where a series has come to: what the next line is chained to. Cheap to copy, so that what could not be written can be taken
/// back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Chain {
    prev: Digest,
    n: u64,
}

/// The record's line would be longer than [`LONGEST`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TooLong;

/// What the head of a file says besides where the series has come to.
#[derive(Clone, Copy, Debug)]
pub struct Opening<'a> {
    /// The name of the series.
    pub file: &'a str,
    /// The file's place in it.
    pub serial: u64,
    /// The run of the process.
    pub boot: &'a str,
    /// When.
    pub now: Nanos,
}

impl Default for Chain {
    fn default() -> Self {
        Self { prev: Digest::NONE, n: 0 }
    }
}

impl Chain {
    /// Goes on behind the line with that digest, and the record of number `n`; 0: there was none.
    pub fn new(prev: Digest, n: u64) -> Self {
        Self { prev, n }
    }

    /// The number of the last record, and the digest of the last line.
    pub fn last(&self) -> (u64, Digest) {
        (self.n, self.prev)
    }

    /// Appends the first line of a file.
    pub fn head(&mut self, out: &mut Vec<u8>, opening: Opening<'_>, key: &SigningKey) {
        let head = Head {
            form: FORM,
            file: opening.file.to_owned(),
            serial: opening.serial,
            boot: opening.boot.to_owned(),
            opened: stamp(opening.now),
            first: self.n + 1,
            key: key.public().to_string(),
            prev: self.prev,
        };
        self.put(out, &serde_json::to_vec(&head).expect("names and numbers are JSON"));
    }

    /// Appends a record, whose object `write` appends without a line feed.
    pub fn record(&mut self, out: &mut Vec<u8>, write: impl FnOnce(&mut Vec<u8>)) -> Result<(), TooLong> {
        let begin = out.len();
        write(out);
        let ending = format!(",\"n\":{},\"prev\":\"{}\"}}", self.n + 1, self.prev);
        if out.pop() != Some(b'}') || out.len() - begin + ending.len() > LONGEST {
            out.truncate(begin);
            return Err(TooLong);
        }
        out.extend_from_slice(ending.as_bytes());
        self.n += 1;
        self.prev = Digest::of(&out[begin..]);
        out.push(b'\n');
        Ok(())
    }

    /// Appends a signed line within a file; `lost`: records that are not in the file.
    pub fn checkpoint(&mut self, out: &mut Vec<u8>, now: Nanos, lost: u64, stopped: bool, key: &SigningKey) {
        let signature = Signature([0; 64]);
        let (prev, time) = (self.prev, stamp(now));
        let line = Checkpoint { checkpoint: self.n, time, lost, stopped, prev, signature };
        let line = sign(line, key, |line, signature| line.signature = signature);
        self.put(out, &line);
    }

    /// Appends the last line of the file of that serial, which has so many records.
    pub fn close(&mut self, out: &mut Vec<u8>, now: Nanos, serial: u64, counts: (u64, u64), key: &SigningKey) {
        let (records, lost) = counts;
        let signature = Signature([0; 64]);
        let (prev, closed) = (self.prev, stamp(now));
        let line = Close { closed, serial, last: self.n, records, lost, prev, signature };
        let line = sign(line, key, |line, signature| line.signature = signature);
        self.put(out, &line);
    }

    fn put(&mut self, out: &mut Vec<u8>, line: &[u8]) {
        out.extend_from_slice(line);
        out.push(b'\n');
        self.prev = Digest::of(line);
    }
}

/// The line with the signature of what comes before that.
fn sign<T: serde::Serialize>(mut line: T, key: &SigningKey, set: impl FnOnce(&mut T, Signature)) -> Vec<u8> {
    let octets = |line: &T| serde_json::to_vec(line).expect("numbers and text are JSON");
    let blank = octets(&line);
    let message = statement(signed(&blank).expect("the signature is last"));
    set(&mut line, Signature(key.sign_message(&message)));
    octets(&line)
}

/// RFC 3339, in UTC, with microseconds.
pub(super) fn stamp(time: Nanos) -> String {
    let mut out = Vec::with_capacity(27);
    rfc3339::write(&mut out, time, None);
    String::from_utf8(out).expect("digits and letters are UTF-8")
}

/// What is wrong with a line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Broken {
    /// It is not as lines are written, or another line was written over it: what follows does not fit it.
    Changed,
    /// Records are missing before it: this many; 0 where it is not known.
    Missing(u64),
    /// It has a number that was there before.
    Order,
    /// The signature is not that of the key.
    Signature,
    /// The file was begun with another key.
    Key,
    /// It is not the head that the series goes on with.
    Head,
    /// Something follows the line that closes the file, or counts in that line do not hold.
    Close,
}

impl Broken {
    /// In words.
    pub fn text(&self) -> String {
        match self {
            Self::Changed => "was changed".to_owned(),
            Self::Missing(0) => "lines before it are missing".to_owned(),
            Self::Missing(1) => "a record before it is missing".to_owned(),
            Self::Missing(count) => format!("{count} records before it are missing"),
            Self::Order => "is not where it was written".to_owned(),
            Self::Signature => "has a signature that is not the key's".to_owned(),
            Self::Key => "names another key".to_owned(),
            Self::Head => "is not how the file before it goes on".to_owned(),
            Self::Close => "does not close the file that it is in".to_owned(),
        }
    }
}

/// A fault, with the number of its line in its file, from 1.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    /// Where.
    pub line: u64,
    /// What.
    pub what: Broken,
}

/// Follows the chain through a series, line by line.
#[derive(Debug, Default)]
pub struct Verifier {
    /// Keys that may sign; none: that of the first head.
    keys: Vec<PublicKey>,
    /// That of the file.
    key: Option<PublicKey>,
    /// None before the first line, or where that is not known.
    prev: Option<Digest>,
    n: Option<u64>,
    /// The number of the last line, in its file.
    line: u64,
    serial: Option<u64>,
    /// Records of the file.
    records: u64,
    closed: bool,
    /// The last line was blamed: that the next does not fit it is no news.
    blamed: bool,
    /// The last line does not fit the one before it; which of the two was changed, the next line tells.
    doubt: bool,
}

impl Verifier {
    /// That trusts these keys only; without any, the one that the first head names.
    pub fn new(keys: Vec<PublicKey>) -> Self {
        Self { keys, ..Self::default() }
    }

    /// The number of the last line, in its file.
    pub fn at(&self) -> u64 {
        self.line
    }

    /// The serial of the last file.
    pub fn serial(&self) -> Option<u64> {
        self.serial
    }

    /// Whether the last file was closed.
    pub fn is_closed(&self) -> bool {
        self.closed
    }

    /// The key of the last file.
    pub fn key(&self) -> Option<PublicKey> {
        self.key
    }

    /// Begins a file of the series. What is in doubt about the file before is to be asked for with [`Self::end`] first.
    pub fn begin_file(&mut self) {
        (self.line, self.records, self.closed, self.doubt) = (0, 0, false, false);
    }

    /// Takes a line, its line feed left out: what it is, and what is known now to be wrong, with it or with the one before.
    pub fn line(&mut self, octets: &[u8]) -> (Option<Line>, Vec<Fault>) {
        let mut faults = Vec::new();
        self.line += 1;
        let at = self.line;
        let line = Line::parse(octets);
        let digest = Digest::of(octets);
        let fits = line.as_ref().is_some_and(|line| self.prev.is_none_or(|prev| prev == line.prev()));
        if std::mem::take(&mut self.doubt) {
            // The line before fits this one: it is as it was written, and the one before that is not.
            let what = Fault { line: if fits { at - 2 } else { at - 1 }, what: Broken::Changed };
            self.blamed = !fits;
            faults.push(what);
        }
        let blamed = std::mem::take(&mut self.blamed);
        let Some(line) = line else {
            faults.push(Fault { line: at, what: Broken::Changed });
            (self.prev, self.blamed) = (Some(digest), true);
            // It may have been a record.
            self.n = None;
            return (None, faults);
        };
        if let Some(what) = self.fault(&line, octets, at, fits, blamed) {
            self.blamed = matches!(what, Broken::Changed | Broken::Signature | Broken::Key | Broken::Head);
            faults.push(Fault { line: at, what });
        } else if !fits && !blamed {
            // Its signature holds, and is of its link too: the line before is not the one that was there.
            if matches!(line, Line::Checkpoint(_) | Line::Close(_)) {
                faults.push(Fault { line: at - 1, what: Broken::Changed });
            } else {
                self.doubt = true;
            }
        }
        self.prev = Some(digest);
        (Some(line), faults)
    }

    /// What is still in doubt at the end of a file: its last line does not fit the one before it.
    pub fn end(&mut self) -> Option<Fault> {
        let line = self.line;
        std::mem::take(&mut self.doubt).then(|| {
            self.blamed = true;
            Fault { line, what: Broken::Changed }
        })
    }

    /// What is wrong with the line for itself, at its place.
    fn fault(&mut self, line: &Line, octets: &[u8], at: u64, fits: bool, blamed: bool) -> Option<Broken> {
        if (at == 1) != matches!(line, Line::Head(_)) {
            return Some(Broken::Changed);
        }
        if self.closed {
            return Some(Broken::Close);
        }
        match line {
            Line::Head(head) => self.head(head, fits, blamed),
            Line::Record { n, .. } => {
                self.records += 1;
                let before = self.n.replace(*n);
                let expected = before.map_or(*n, |before| before.wrapping_add(1));
                if *n == expected {
                    return None;
                }
                if fits {
                    // Of those who wrote it the number is not.
                    self.n = Some(expected);
                    return Some(Broken::Changed);
                }
                Some(if *n > expected { Broken::Missing(n - expected) } else { Broken::Order })
            }
            Line::Checkpoint(checkpoint) => {
                let expected = self.n.replace(checkpoint.checkpoint);
                self.signed(octets, &checkpoint.signature, expected, checkpoint.checkpoint, fits)
            }
            Line::Close(close) => {
                self.closed = true;
                let expected = self.n.replace(close.last);
                let fault = self.signed(octets, &close.signature, expected, close.last, fits);
                let counted = blamed || !fits || close.records == self.records;
                fault.or((Some(close.serial) != self.serial || !counted).then_some(Broken::Close))
            }
        }
    }

    fn head(&mut self, head: &Head, fits: bool, blamed: bool) -> Option<Broken> {
        let goes_on = self.serial.is_none_or(|serial| head.serial == serial.wrapping_add(1));
        let expected = self.n.replace(head.first.saturating_sub(1));
        self.serial = Some(head.serial);
        let key = PublicKey::parse(&head.key);
        let known = key.is_some_and(|key| self.keys.is_empty() || self.keys.contains(&key));
        self.key = key;
        if self.keys.is_empty() {
            self.keys.extend(key);
        }
        let numbered = expected.is_none_or(|n| n.wrapping_add(1) == head.first);
        match () {
            () if !known => Some(Broken::Key),
            () if !(blamed || fits && goes_on && numbered) => Some(Broken::Head),
            () => None,
        }
    }

    /// A signed line, that says `n` where the records before it say `expected`.
    fn signed(
        &self,
        octets: &[u8],
        signature: &Signature,
        expected: Option<u64>,
        n: u64,
        fits: bool,
    ) -> Option<Broken> {
        let holds = match (self.key, signed(octets)) {
            (Some(key), Some(message)) => key.signed_message(&statement(message), &signature.0),
            _ => false,
        };
        let numbered = expected.is_none_or(|expected| expected == n);
        match () {
            () if !holds => Some(Broken::Signature),
            // It is signed: what is missing was there.
            () if !numbered && !fits => Some(Broken::Missing(n.saturating_sub(expected.unwrap_or(n)))),
            () if !numbered => Some(Broken::Changed),
            () => None,
        }
    }
}

#[cfg(test)]
mod tests;
