//! A file of records: its name is the ordinal of its first, and once another has followed it is never written again.
//!
//! It begins with 64 octets for those who look at files; of them only the version is ever asked for. So a header that
//! rotted costs nothing.

use std::fs::File;
use std::io::{self, Read};
use std::ops::Range;
use std::path::{Path, PathBuf};

use crc32c::crc32c;
use dataplane::time::Nanos;

use super::Form;
use super::record::{be32, be64};
use super::tally::Tallies;
use crate::record::BootId;

/// Octets before the first record.
pub(super) const HEADER: usize = 64;

/// Largest, unless one record is larger.
pub(super) const LARGEST: u64 = 16 << 20;

const MAGIC: [u8; 8] = *b"OSTSPOOL";

const VERSION: u16 = 1;

/// One file, as the memory knows it.
#[derive(Debug)]
pub(super) struct Segment {
    /// Ordinal of its first record.
    pub(super) first: u64,
    /// The ordinal behind its last.
    pub(super) end: u64,
    /// Octets up to the end of its last record.
    pub(super) size: u64,
    /// When it was made.
    pub(super) made: Nanos,
    /// Its records that can be read.
    pub(super) kept: Tallies,
    /// Ordinals that cannot, and are counted as lost.
    pub(super) holes: Vec<Range<u64>>,
}

impl Segment {
    /// Of a file that begins with this ordinal.
    pub(super) fn new(first: u64, made: Nanos) -> Self {
        Self { first, end: first, size: HEADER as u64, made, kept: Tallies::default(), holes: Vec::new() }
    }

    /// Its file.
    pub(super) fn path(&self, folder: &Path) -> PathBuf {
        folder.join(name(self.first))
    }

    /// How many records can be read of those from this ordinal on.
    pub(super) fn records(&self, from: u64) -> u64 {
        let from = from.clamp(self.first, self.end);
        self.end - from - overlap(&self.holes, &(from..self.end))
    }
}

/// How many of `range` are in `holes`.
pub(super) fn overlap(holes: &[Range<u64>], range: &Range<u64>) -> u64 {
    let of = |hole: &Range<u64>| hole.end.min(range.end).saturating_sub(hole.start.max(range.start));
    holes.iter().map(of).sum()
}

/// What a header says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Header {
    /// Of the file's layout.
    pub(super) version: u16,
    /// When the file was made.
    pub(super) made: Nanos,
}

impl Header {
    /// The octets of one.
    pub(super) fn write(form: Form, boot: BootId, first: u64, made: Nanos) -> [u8; HEADER] {
        let mut out = [0; HEADER];
        out[..8].copy_from_slice(&MAGIC);
        out[8..10].copy_from_slice(&VERSION.to_be_bytes());
        out[10..12].copy_from_slice(&u16::from(!form.format.is_text()).to_be_bytes());
        out[12..14].copy_from_slice(&form.schema.to_be_bytes());
        out[16..24].copy_from_slice(&boot.0.to_be_bytes());
        out[24..32].copy_from_slice(&first.to_be_bytes());
        out[32..40].copy_from_slice(&made.0.to_be_bytes());
        let sum = crc32c(&out[..60]);
        out[60..].copy_from_slice(&sum.to_be_bytes());
        out
    }

    /// None where the octets are no header.
    pub(super) fn parse(octets: &[u8]) -> Option<Self> {
        let octets = octets.get(..HEADER)?;
        let good = octets[..8] == MAGIC && be32(&octets[60..]) == crc32c(&octets[..60]);
        good.then(|| Self { version: u16::from_be_bytes([octets[8], octets[9]]), made: Nanos(be64(&octets[32..40])) })
    }

    /// Of a file; none where it has none.
    pub(super) fn of(path: &Path) -> io::Result<Option<Self>> {
        let mut octets = Vec::with_capacity(HEADER);
        File::open(path)?.take(HEADER as u64).read_to_end(&mut octets)?;
        Ok(Self::parse(&octets))
    }

    /// Whether this program reads what follows it.
    pub(super) fn is_known(self) -> bool {
        self.version == VERSION
    }
}

/// The name of the file whose first record has this ordinal.
pub(super) fn name(first: u64) -> String {
    format!("{first:016x}.seg")
}

/// The ordinals of the files in a folder, in order.
pub(super) fn ordinals(folder: &Path) -> io::Result<Vec<u64>> {
    let mut ordinals = Vec::new();
    for entry in std::fs::read_dir(folder)? {
        let entry = entry?.file_name();
        let digits = entry.to_str().and_then(|name| name.strip_suffix(".seg")).filter(|digits| digits.len() == 16);
        let first = digits.and_then(|digits| u64::from_str_radix(digits, 16).ok());
        // What has another spelling is not ours.
        let first = first.filter(|first| entry.to_str() == Some(name(*first).as_str()));
        // Nor what no spool has ever counted to.
        ordinals.extend(first.filter(|first| *first < u64::MAX / 2));
    }
    ordinals.sort_unstable();
    Ok(ordinals)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::export::Format;

    #[test]
    fn a_header_is_read_as_it_was_written_or_not_at_all() {
        let form = Form { format: Format::Binary, schema: 2 };
        let octets = Header::write(form, BootId(3), 77, Nanos(99));
        let read = Header::parse(&octets).unwrap();
        assert_eq!((read, read.is_known()), (Header { version: 1, made: Nanos(99) }, true));
        for at in 0..HEADER {
            let mut octets = octets;
            octets[at] ^= 0x10;
            assert_eq!(Header::parse(&octets), None, "{at}");
        }
        assert_eq!(Header::parse(&octets[..63]), None);
    }

    #[test]
    fn files_are_found_in_order_and_others_left_alone() {
        let folder = tempfile::tempdir().unwrap();
        for name in ["00000000000000ff.seg", "0000000000000100.seg", "0000000000000002.seg"] {
            std::fs::write(folder.path().join(name), "").unwrap();
        }
        for name in ["done", "x.seg", "00000000000000FF.seg", "+000000000000001.seg", "0000000000000003.seg.bad"] {
            std::fs::write(folder.path().join(name), "").unwrap();
        }
        assert_eq!(ordinals(folder.path()).unwrap(), [2, 255, 256]);
    }

    #[test]
    fn holes_are_no_records() {
        let mut segment = Segment::new(10, Nanos(0));
        (segment.end, segment.holes) = (20, vec![12..14, 18..20]);
        assert_eq!([0, 10, 13, 18, 20, 99].map(|from| segment.records(from)), [6, 6, 4, 0, 0, 0]);
    }
}
