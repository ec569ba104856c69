//! How far a spool is done with: below this ordinal everything was acknowledged, or given up and counted.
//!
//! A file of two places of 32 octets, written in turn: a place that is torn leaves the other. It is overwritten and never
//! made anew, as on a full disk there is no room for a new file, and none is won before this one says what may go. Where
//! it is lost or old, records are sent twice.

use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::Path;

use crc32c::crc32c;

use super::record::{be32, be64};

const NAME: &str = "done";

const MAGIC: [u8; 8] = *b"OSTSDONE";

const PLACE: usize = 32;

/// See the module.
#[derive(Debug)]
pub(super) struct Mark {
    file: File,
    /// The highest that is on disk.
    ordinal: u64,
    /// Counts the writes: an even one goes to the first place.
    writes: u64,
}

impl Mark {
    /// The mark of a folder. The ordinal is none where there was no mark that can be read.
    ///
    /// # Errors
    /// Where the file cannot be made, opened or read.
    pub(super) fn open(folder: &Path) -> io::Result<(Self, Option<u64>)> {
        let mut options = OpenOptions::new();
        let file = options.read(true).write(true).create(true).truncate(false).mode(0o600).open(folder.join(NAME))?;
        let mut octets = [0; 2 * PLACE];
        let mut had = 0;
        while had < octets.len() {
            match file.read_at(&mut octets[had..], had as u64)? {
                0 => break,
                more => had += more,
            }
        }
        let read = octets.chunks(PLACE).filter_map(parse).max();
        let (ordinal, writes) = read.unwrap_or_default();
        let mut mark = Self { file, ordinal, writes };
        if had < octets.len() {
            // Both places get their room on the disk now, while there is some.
            mark.file.set_len(0)?;
            (0..2).try_for_each(|_| mark.put(ordinal))?;
        }
        Ok((mark, read.map(|(ordinal, _)| ordinal)))
    }

    /// The ordinal of a folder that is only looked at.
    pub(super) fn look(folder: &Path) -> Option<u64> {
        let octets = std::fs::read(folder.join(NAME)).ok()?;
        octets.chunks(PLACE).filter_map(parse).max().map(|(ordinal, _)| ordinal)
    }

    /// What is on disk.
    pub(super) fn ordinal(&self) -> u64 {
        self.ordinal
    }

    /// Writes it, where it is more than before; with `sync`, it is on the disk afterwards.
    ///
    /// # Errors
    /// Of writing.
    pub(super) fn write(&mut self, ordinal: u64, sync: bool) -> io::Result<()> {
        if ordinal > self.ordinal {
            self.put(ordinal)?;
        }
        if sync { self.file.sync_data() } else { Ok(()) }
    }

    fn put(&mut self, ordinal: u64) -> io::Result<()> {
        let mut octets = [0; PLACE];
        octets[..8].copy_from_slice(&MAGIC);
        octets[8..16].copy_from_slice(&ordinal.to_be_bytes());
        octets[16..24].copy_from_slice(&(self.writes + 1).to_be_bytes());
        let sum = crc32c(&octets[..28]);
        octets[28..].copy_from_slice(&sum.to_be_bytes());
        self.file.write_all_at(&octets, (self.writes + 1) % 2 * PLACE as u64)?;
        (self.ordinal, self.writes) = (ordinal, self.writes + 1);
        Ok(())
    }
}

/// The ordinal and the number of the write.
fn parse(place: &[u8]) -> Option<(u64, u64)> {
    let good = place.len() == PLACE && place[..8] == MAGIC && be32(&place[28..]) == crc32c(&place[..28]);
    good.then(|| (be64(&place[8..]), be64(&place[16..])))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_highest_is_there_again_and_a_torn_place_leaves_the_other() {
        let folder = tempfile::tempdir().unwrap();
        let (mut mark, before) = Mark::open(folder.path()).unwrap();
        assert_eq!((before, mark.ordinal()), (None, 0));
        for ordinal in [5, 9, 9, 7, 12] {
            mark.write(ordinal, false).unwrap();
        }
        assert_eq!(mark.ordinal(), 12);
        let path = folder.path().join(NAME);
        let good = std::fs::read(&path).unwrap();
        assert_eq!((good.len(), Mark::look(folder.path())), (64, Some(12)));
        for at in 0..64 {
            let mut octets = good.clone();
            octets[at] ^= 8;
            std::fs::write(&path, octets).unwrap();
            assert!([Some(12), Some(9)].contains(&Mark::open(folder.path()).unwrap().1), "{at}");
        }
        std::fs::write(&path, [0; 64]).unwrap();
        assert_eq!(Mark::open(folder.path()).unwrap().1, None);
        for end in 0..64 {
            std::fs::write(&path, &good[..end]).unwrap();
            let (mut mark, before) = Mark::open(folder.path()).unwrap();
            assert!([Some(12), Some(9), None].contains(&before));
            mark.write(40, true).unwrap();
            assert_eq!(Mark::open(folder.path()).unwrap().1, Some(40));
        }
    }
}
