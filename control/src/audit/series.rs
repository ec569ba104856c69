//! The files of a series by their names: `NAME.jsonl` is written, `NAME.000017.jsonl`, or `.jsonl.gz`, are its archives.

use std::fs::{self, File};
use std::io::{self, BufRead, BufReader, Read};
use std::os::unix::fs::{PermissionsExt, chown};
use std::path::{Path, PathBuf};

use flate2::read::MultiGzDecoder;

use super::line::LONGEST;

/// A series, by its folder and its name; nothing is read or made by that.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Series {
    folder: PathBuf,
    name: Box<str>,
}

/// An archive.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Archived {
    /// Its place in the series, from 1.
    pub serial: u64,
    /// Where it is.
    pub path: PathBuf,
    /// Whether it is compressed.
    pub compressed: bool,
}

/// Who may read files of the trail, beside their owner.
pub const FILE_MODE: u32 = 0o640;
/// Who may look into its folder.
pub const FOLDER_MODE: u32 = 0o750;

impl Series {
    /// The series of that name in that folder.
    pub fn new(folder: &Path, name: &str) -> Self {
        Self { folder: folder.to_owned(), name: name.into() }
    }

    /// Its name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Its folder.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// The file that is written.
    pub fn live(&self) -> PathBuf {
        self.folder.join(format!("{}.jsonl", self.name))
    }

    /// An archive, not compressed.
    pub fn archive(&self, serial: u64) -> PathBuf {
        self.folder.join(format!("{}.{serial:06}.jsonl", self.name))
    }

    /// A file of the series that is none of it: what was set aside.
    pub fn aside(&self, what: &str) -> PathBuf {
        self.folder.join(format!("{}.{what}", self.name))
    }

    /// The archives, oldest first. One that is there both ways, as a crash leaves it, is told as it was: not compressed.
    pub fn archives(&self) -> io::Result<Vec<Archived>> {
        let mut all = Vec::new();
        for entry in fs::read_dir(&self.folder)? {
            let entry = entry?;
            if let Some((serial, compressed)) = entry.file_name().to_str().and_then(|name| self.serial(name)) {
                all.push(Archived { serial, path: entry.path(), compressed });
            }
        }
        all.sort_by_key(|archived| (archived.serial, archived.compressed));
        all.dedup_by_key(|archived| archived.serial);
        Ok(all)
    }

    /// The serial in the name of an archive, and whether it is compressed.
    fn serial(&self, name: &str) -> Option<(u64, bool)> {
        let rest = name.strip_prefix(&*self.name)?.strip_prefix('.')?;
        let (digits, compressed) = match rest.strip_suffix(".jsonl.gz") {
            Some(digits) => (digits, true),
            None => (rest.strip_suffix(".jsonl")?, false),
        };
        let digits_only = digits.len() >= 6 && digits.bytes().all(|octet| octet.is_ascii_digit());
        Some((digits_only.then(|| digits.parse().ok()).flatten()?, compressed))
    }

    /// The names of all series in a folder, that of the trail itself first.
    pub fn names(folder: &Path) -> io::Result<Vec<String>> {
        let mut names = Vec::new();
        for entry in fs::read_dir(folder)? {
            let name = entry?.file_name();
            let Some(stem) = name.to_str().and_then(|name| name.strip_suffix(".jsonl")) else { continue };
            if !stem.contains('.') {
                names.push(stem.to_owned());
            }
        }
        names.sort_by_key(|name| (name != super::TRAIL, name.clone()));
        Ok(names)
    }
}

/// Lines of a file, none of them held longer than [`LONGEST`] and a bit.
pub struct Lines {
    reader: Box<dyn BufRead + Send>,
    line: Vec<u8>,
}

/// A line as it was read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Read1<'a> {
    /// Without its line feed; cut where it is longer than a line can be.
    pub octets: &'a [u8],
    /// How many octets it takes in the file.
    pub length: u64,
    /// Whether it ends with a line feed.
    pub whole: bool,
}

impl Lines {
    /// Of a file of a series, compressed or not.
    pub fn open(path: &Path, compressed: bool) -> io::Result<Self> {
        let file = File::open(path)?;
        let reader: Box<dyn BufRead + Send> = if compressed {
            Box::new(BufReader::new(MultiGzDecoder::new(file)))
        } else {
            Box::new(BufReader::new(file))
        };
        Ok(Self { reader, line: Vec::new() })
    }

    /// The next line; none at the end.
    pub fn next_line(&mut self) -> io::Result<Option<Read1<'_>>> {
        self.line.clear();
        let most = LONGEST as u64 + 2;
        (&mut self.reader).take(most).read_until(b'\n', &mut self.line)?;
        if self.line.is_empty() {
            return Ok(None);
        }
        let mut length = self.line.len() as u64;
        let mut whole = self.line.pop_if(|octet| *octet == b'\n').is_some();
        while !whole && length >= most {
            let skipped = self.skip()?;
            (length, whole) = (length + skipped.0, skipped.1);
            if skipped.0 == 0 {
                break;
            }
        }
        Ok(Some(Read1 { octets: &self.line, length, whole }))
    }

    /// Passes over a piece of a line that is too long: how much, and whether the line ended.
    fn skip(&mut self) -> io::Result<(u64, bool)> {
        let piece = self.reader.fill_buf()?;
        let end = piece.iter().position(|octet| *octet == b'\n');
        let length = end.map_or(piece.len(), |end| end + 1);
        self.reader.consume(length);
        Ok((length as u64, end.is_some()))
    }
}

/// Gives a file or folder its mode, whatever the process's mask is, and its group.
pub(super) fn protect(path: &Path, mode: u32, group: Option<u32>) -> io::Result<()> {
    if group.is_some() {
        chown(path, None, group)?;
    }
    fs::set_permissions(path, fs::Permissions::from_mode(mode))
}

/// Makes sure of names in a folder.
pub(super) fn sync_folder(folder: &Path) -> io::Result<()> {
    File::open(folder)?.sync_all()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn archives_are_found_by_their_names() {
        let folder = tempfile::tempdir().unwrap();
        let series = Series::new(folder.path(), "audit");
        for name in [
            "audit.jsonl",
            "audit.000002.jsonl.gz",
            "audit.000001.jsonl",
            "audit.000002.jsonl",
            "audit.1.jsonl",
            "audit.00000x.jsonl",
            "audit.000003.jsonl.gz.part",
            "all.000001.jsonl",
            "all.jsonl",
            "audit.torn-000001",
            "audit.1000000.jsonl.gz",
        ] {
            fs::write(folder.path().join(name), "").unwrap();
        }
        let found: Vec<_> = series.archives().unwrap().into_iter().map(|file| (file.serial, file.compressed)).collect();
        assert_eq!(found, [(1, false), (2, false), (1_000_000, true)]);
        assert_eq!(series.archive(17), folder.path().join("audit.000017.jsonl"));
        assert_eq!(Series::names(folder.path()).unwrap(), ["audit", "all"]);
    }

    #[test]
    fn lines_are_read_whatever_their_length() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("file");
        let long = "x".repeat(LONGEST * 3);
        fs::write(&file, format!("a\n\n{long}\nb\n{long}")).unwrap();
        let mut lines = Lines::open(&file, false).unwrap();
        let mut seen = Vec::new();
        while let Some(line) = lines.next_line().unwrap() {
            seen.push((line.octets.len(), line.length, line.whole));
        }
        let three = 3 * LONGEST as u64;
        assert_eq!(
            seen,
            [(1, 2, true), (0, 1, true), (LONGEST + 2, three + 1, true), (1, 2, true), (LONGEST + 2, three, false)]
        );
    }
}
