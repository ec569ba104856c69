//! The folder of what was committed, and the policy file.
//!
//! The policy file is the truth: always a whole configuration that was committed (or edited by hand since). Which generation
//! is in force follows from its content, so that nothing that could be torn off says so.

use std::collections::BTreeMap;
use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, ErrorKind, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use super::generation::{Author, Cause, Generation, Meta, digest};

/// The generations of a policy file, the candidate, and the rescue configuration.
#[derive(Debug)]
pub struct ConfigStore {
    folder: PathBuf,
    policy: PathBuf,
    keep: usize,
    known: BTreeMap<u32, Known>,
    /// The generation that is in the policy file, or was when it was last looked at.
    head: u32,
}

#[derive(Clone, Debug)]
struct Known {
    meta: Meta,
    /// It never came to be in the policy file.
    reverted: bool,
}

/// A row of [`ConfigStore::list`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listed {
    /// What is known of it.
    pub meta: Meta,
    /// It was tried and taken back, or not finished.
    pub reverted: bool,
    /// It is the one in the policy file.
    pub head: bool,
}

/// What was found at start.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Opened {
    /// The generation that the policy file is.
    pub head: u32,
    /// It was new: the file was edited while nobody looked, or this is the first start. Within: the one before, if any.
    pub adopted: Option<Option<u32>>,
    /// A commit that was not confirmed when the firewall ended: the file is the one before.
    pub unconfirmed: Option<Pending>,
    /// Generations that were written down and never came to be in the file.
    pub unfinished: Vec<u32>,
    /// Files of generations that cannot be read; they are left alone.
    pub damaged: Vec<String>,
    /// A commit that is set for a time to come.
    pub scheduled: Option<Scheduled>,
    /// One whose time passed while the firewall did not run. It is dropped.
    pub missed: Option<Scheduled>,
}

/// A commit that is to be confirmed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Pending {
    /// The generation.
    pub number: u32,
    /// Until when, in nanoseconds since 1970.
    pub until: u64,
    /// Who committed it.
    pub by: Author,
}

/// A commit that is set for a time.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Scheduled {
    /// When, in nanoseconds since 1970.
    pub at: u64,
    /// Who set it.
    pub by: Author,
    /// What they said about it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub comment: Option<String>,
    /// What is committed.
    pub text: String,
}

/// Edits that nobody has committed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Candidate {
    /// The text.
    pub text: String,
    /// The generation that it was made of.
    pub base: u32,
    /// Who edited it last.
    pub by: Author,
    /// When, in nanoseconds since 1970.
    pub time: u64,
}

/// One thing that a disk does whole or not at all, or nearly so. What the store does is a list of these, so that a test can
/// stop behind each.
#[derive(Clone, Debug)]
enum Step {
    /// Make or empty the file, write it and have it on disk. A crash leaves a part of it.
    Write {
        path: PathBuf,
        octets: Vec<u8>,
        like: Option<PathBuf>,
    },
    Rename {
        from: PathBuf,
        to: PathBuf,
    },
    /// Have the names in a folder on disk.
    Sync(PathBuf),
    /// Remove a file that may be there.
    Remove(PathBuf),
}

const CANDIDATE: &str = "candidate.toml";
const RESCUE: &str = "rescue.toml";
const PENDING: &str = "pending.json";
const SCHEDULED: &str = "scheduled.json";
const GENERATIONS: &str = "generations";

impl ConfigStore {
    /// Of the policy file, with the text that it has, below `folder`; both are made where they are missing.
    /// `keep`: generations that are kept; the one in force is besides.
    ///
    /// # Errors
    /// Where the folder cannot be read or written. The error names the file.
    pub fn open(folder: &Path, policy: &Path, text: &str, keep: usize, now: u64) -> io::Result<(Self, Opened)> {
        let mut store = Self {
            folder: folder.to_owned(),
            // A link stays one: what it names is written.
            policy: fs::canonicalize(policy).unwrap_or_else(|_| policy.to_owned()),
            keep: keep.max(1),
            known: BTreeMap::new(),
            head: 0,
        };
        let generations = store.folder.join(GENERATIONS);
        DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(&generations)
            .map_err(|error| named(&generations, &error))?;
        let damaged = store.look()?;
        let before = store.known.values().filter(|known| !known.reverted).map(|known| known.meta.number).next_back();
        let adopted = match store.find(text) {
            Some(head) => {
                store.head = head;
                None
            }
            None => {
                let meta = store.meta(text, now, Author::system(), Cause::Start);
                store.head = store.write(&Generation { meta, text: text.to_owned() })?;
                Some(before)
            }
        };
        let unconfirmed = store.pending()?.filter(|pending| pending.number != store.head);
        let unfinished: Vec<u32> = match adopted {
            // Edited by hand: what was in the file before cannot be told any more.
            Some(_) => unconfirmed.iter().map(|pending| pending.number).collect(),
            None => store.known.range(store.head + 1..).filter(|(_, known)| !known.reverted).map(|(&n, _)| n).collect(),
        };
        for number in &unfinished {
            store.revert(*number)?;
        }
        store.run(vec![Step::Remove(store.folder.join(PENDING))])?;
        let (scheduled, mut missed) = match store.scheduled()? {
            Some(scheduled) if scheduled.at > now => (Some(scheduled), None),
            missed => (None, missed),
        };
        if missed.is_some() {
            store.set_scheduled(None)?;
            // Or it was carried out, and the process ended before that was noted.
            missed = missed.filter(|missed| missed.text != text);
        }
        let opened = Opened { head: store.head, adopted, unconfirmed, unfinished, damaged, scheduled, missed };
        Ok((store, opened))
    }

    /// The generation that is in the policy file.
    pub fn head(&self) -> u32 {
        self.head
    }

    /// What a new generation of this text would be known as.
    pub fn meta(&self, text: &str, time: u64, by: Author, cause: Cause) -> Meta {
        let number = self.known.keys().next_back().map_or(1, |last| last + 1);
        Meta { number, time, by, comment: None, cause, digest: digest(text), files: Vec::new() }
    }

    /// Writes a generation down; it is not in force for that. Returns its number.
    ///
    /// # Errors
    /// Where it cannot be written; then nothing changed.
    pub fn write(&mut self, generation: &Generation) -> io::Result<u32> {
        let number = generation.meta.number;
        self.run(self.whole(&self.file(number, false), generation.encode()))?;
        self.known.insert(number, Known { meta: generation.meta.clone(), reverted: false });
        Ok(number)
    }

    /// Makes the policy file the text of a generation. What was edited in it by hand, and is nowhere else, is kept beside it:
    /// then its path is returned.
    ///
    /// # Errors
    /// Where that cannot be; then the file is what it was.
    pub fn publish(&mut self, number: u32) -> io::Result<Option<PathBuf>> {
        let generation = self.read(number)?;
        let (steps, edited) = self.publication(&generation)?;
        self.run(steps)?;
        self.head = number;
        self.prune();
        Ok(edited)
    }

    /// Whether the policy file could be replaced.
    ///
    /// # Errors
    /// Where its folder cannot be written to.
    pub fn may_publish(&self) -> io::Result<()> {
        let folder = self.policy.parent().unwrap_or(Path::new("/"));
        let done = rustix::fs::access(folder, rustix::fs::Access::WRITE_OK | rustix::fs::Access::EXEC_OK);
        done.map_err(|error| named(folder, &error.into()))
    }

    fn publication(&self, generation: &Generation) -> io::Result<(Vec<Step>, Option<PathBuf>)> {
        let there = fs::read(&self.policy).map_err(|error| named(&self.policy, &error))?;
        if there == generation.text.as_bytes() {
            return Ok((Vec::new(), None));
        }
        let like = Some(self.policy.clone());
        let mut steps = Vec::new();
        let mut edited = None;
        if String::from_utf8(there.clone()).ok().and_then(|text| self.find(&text)).is_none() {
            let beside = beside(&self.policy, "edited");
            let new = beside_new(&beside);
            steps.push(Step::Write { path: new.clone(), octets: there, like: like.clone() });
            steps.push(Step::Rename { from: new, to: beside.clone() });
            edited = Some(beside);
        }
        let new = beside_new(&self.policy);
        steps.push(Step::Write { path: new.clone(), octets: generation.text.clone().into_bytes(), like });
        steps.push(Step::Rename { from: new, to: self.policy.clone() });
        steps.extend(self.policy.parent().map(|folder| Step::Sync(folder.to_owned())));
        Ok((steps, edited))
    }

    /// The policy file's text.
    ///
    /// # Errors
    /// Where it cannot be read.
    pub fn policy(&self) -> io::Result<String> {
        fs::read_to_string(&self.policy).map_err(|error| named(&self.policy, &error))
    }

    /// Whether the policy file differs from the generation that was put there.
    pub fn is_edited(&self) -> bool {
        let head = self.known.get(&self.head).map(|known| &known.meta.digest);
        self.policy().is_ok_and(|text| Some(&digest(&text)) != head)
    }

    /// Notes that the policy file, as it was edited by hand, is this generation.
    pub fn adopt(&mut self, number: u32) {
        self.head = number;
        self.prune();
    }

    /// Notes that a generation did not stay.
    ///
    /// # Errors
    /// Where that cannot be written.
    pub fn revert(&mut self, number: u32) -> io::Result<()> {
        let Some(known) = self.known.get_mut(&number) else { return Ok(()) };
        known.reverted = true;
        let (from, to) = (self.file(number, false), self.file(number, true));
        self.run(vec![Step::Rename { from, to }, Step::Sync(self.folder.join(GENERATIONS))])
    }

    /// A generation.
    ///
    /// # Errors
    /// Where there is none of that number, or its file is damaged.
    pub fn read(&self, number: u32) -> io::Result<Generation> {
        let Some(known) = self.known.get(&number) else {
            return Err(io::Error::new(ErrorKind::NotFound, format!("there is no generation {number}")));
        };
        let path = self.file(number, known.reverted);
        let octets = fs::read(&path).map_err(|error| named(&path, &error))?;
        Generation::decode(&octets).ok_or_else(|| damaged(&path))
    }

    /// The generation that was in force `back` commits before the one that is now.
    pub fn before(&self, back: u32) -> Option<u32> {
        let mut kept = self.known.range(..=self.head).rev().filter(|(_, known)| !known.reverted);
        kept.nth(back as usize).map(|(number, _)| *number)
    }

    /// All generations, the newest first.
    pub fn list(&self) -> Vec<Listed> {
        let row = |known: &Known| Listed {
            meta: known.meta.clone(),
            reverted: known.reverted,
            head: known.meta.number == self.head,
        };
        self.known.values().rev().map(row).collect()
    }

    /// Edits that nobody has committed.
    ///
    /// # Errors
    /// Where their file is damaged or cannot be read.
    pub fn candidate(&self) -> io::Result<Option<Candidate>> {
        let Some(kept) = self.kept(CANDIDATE)? else { return Ok(None) };
        Ok(Some(Candidate { text: kept.text, base: kept.meta.number, by: kept.meta.by, time: kept.meta.time }))
    }

    /// Keeps edits; none: drops them.
    ///
    /// # Errors
    /// Where they cannot be written; then those before stand.
    pub fn set_candidate(&mut self, candidate: Option<&Candidate>) -> io::Result<()> {
        let path = self.folder.join(CANDIDATE);
        let Some(candidate) = candidate else {
            return self.run(vec![Step::Remove(path), Step::Sync(self.folder.clone())]);
        };
        let mut meta = self.meta(&candidate.text, candidate.time, candidate.by.clone(), Cause::Commit);
        meta.number = candidate.base;
        self.run(self.whole(&path, Generation { meta, text: candidate.text.clone() }.encode()))
    }

    /// The rescue configuration.
    ///
    /// # Errors
    /// As [`ConfigStore::candidate`].
    pub fn rescue(&self) -> io::Result<Option<Generation>> {
        self.kept(RESCUE)
    }

    /// Saves a generation as the rescue configuration.
    ///
    /// # Errors
    /// Where it cannot be read or written; then the one before stands.
    pub fn set_rescue(&mut self, number: u32) -> io::Result<()> {
        let generation = self.read(number)?;
        self.run(self.whole(&self.folder.join(RESCUE), generation.encode()))
    }

    /// Notes that a commit waits to be confirmed; none: that none does.
    ///
    /// # Errors
    /// Where it cannot be written.
    pub fn set_pending(&mut self, pending: Option<&Pending>) -> io::Result<()> {
        self.note(PENDING, pending)
    }

    fn pending(&self) -> io::Result<Option<Pending>> {
        self.noted(PENDING)
    }

    /// Notes that a commit is set for a time; none: that none is.
    ///
    /// # Errors
    /// Where it cannot be written; then what was noted before stands.
    pub fn set_scheduled(&mut self, scheduled: Option<&Scheduled>) -> io::Result<()> {
        self.note(SCHEDULED, scheduled)
    }

    /// The commit that is set for a time.
    ///
    /// # Errors
    /// Where its file cannot be read.
    pub fn scheduled(&self) -> io::Result<Option<Scheduled>> {
        self.noted(SCHEDULED)
    }

    /// Keeps another number of generations from the next commit on.
    pub fn set_keep(&mut self, keep: usize) {
        self.keep = keep.max(1);
    }

    fn note<T: Serialize>(&self, name: &str, note: Option<&T>) -> io::Result<()> {
        let path = self.folder.join(name);
        let Some(note) = note else { return self.run(vec![Step::Remove(path), Step::Sync(self.folder.clone())]) };
        let octets = serde_json::to_vec(note).map_err(io::Error::other)?;
        self.run(self.whole(&path, octets))
    }

    fn noted<T: DeserializeOwned>(&self, name: &str) -> io::Result<Option<T>> {
        let path = self.folder.join(name);
        match fs::read(&path) {
            // One that cannot be read was none: it is written whole or not at all.
            Ok(octets) => Ok(serde_json::from_slice(&octets).ok()),
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
            Err(error) => Err(named(&path, &error)),
        }
    }

    fn kept(&self, name: &str) -> io::Result<Option<Generation>> {
        let path = self.folder.join(name);
        match fs::read(&path) {
            Ok(octets) => Generation::decode(&octets).map(Some).ok_or_else(|| damaged(&path)),
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
            Err(error) => Err(named(&path, &error)),
        }
    }

    /// Reads what is in the folder; removes what a crash left half written. Returns the names of damaged files.
    fn look(&mut self) -> io::Result<Vec<String>> {
        let folder = self.folder.join(GENERATIONS);
        let mut damaged = Vec::new();
        for entry in fs::read_dir(&folder).map_err(|error| named(&folder, &error))? {
            let path = entry?.path();
            let Some(name) = path.file_name().and_then(|name| name.to_str()) else { continue };
            if name.ends_with(NEW) {
                fs::remove_file(&path).map_err(|error| named(&path, &error))?;
                continue;
            }
            let Some((number, kind)) = name.split_once('.') else { continue };
            let (Ok(number), reverted) = (number.parse::<u32>(), kind == "reverted") else { continue };
            let generation = fs::read(&path).ok().and_then(|octets| Generation::decode(&octets));
            match generation.filter(|generation| generation.meta.number == number) {
                Some(generation) => {
                    self.known.insert(number, Known { meta: generation.meta, reverted });
                }
                None => damaged.push(path.display().to_string()),
            }
        }
        Ok(damaged)
    }

    /// The newest generation of a text.
    fn find(&self, text: &str) -> Option<u32> {
        let digest = digest(text);
        let mut kept = self.known.values().rev().filter(|known| !known.reverted);
        // The one that is known to be there, if that fits: an equal one that was not finished may be newer.
        let head = self.known.get(&self.head).filter(|known| known.meta.digest == digest);
        head.or_else(|| kept.find(|known| known.meta.digest == digest)).map(|known| known.meta.number)
    }

    /// Removes the oldest generations; where that fails, there is one too many until the next time.
    fn prune(&mut self) {
        let excess = self.known.len().saturating_sub(self.keep);
        let old: Vec<u32> = self.known.keys().copied().filter(|number| *number != self.head).take(excess).collect();
        for number in old {
            let Some(known) = self.known.remove(&number) else { continue };
            let _ = fs::remove_file(self.file(number, known.reverted));
        }
    }

    fn file(&self, number: u32, reverted: bool) -> PathBuf {
        let kind = if reverted { "reverted" } else { "toml" };
        self.folder.join(GENERATIONS).join(format!("{number:06}.{kind}"))
    }

    /// Writes a file beside its place and moves it there.
    fn whole(&self, path: &Path, octets: Vec<u8>) -> Vec<Step> {
        let new = beside_new(path);
        let folder = path.parent().unwrap_or(&self.folder).to_owned();
        vec![
            Step::Write { path: new.clone(), octets, like: None },
            Step::Rename { from: new, to: path.to_owned() },
            Step::Sync(folder),
        ]
    }

    fn run(&self, steps: Vec<Step>) -> io::Result<()> {
        steps.iter().try_for_each(Step::run)
    }
}

/// The end of the name of a file that is being written.
const NEW: &str = ".new";

fn beside(path: &Path, kind: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(".");
    name.push(kind);
    PathBuf::from(name)
}

fn beside_new(path: &Path) -> PathBuf {
    beside(path, "new")
}

impl Step {
    fn run(&self) -> io::Result<()> {
        let (path, done) = match self {
            Self::Write { path, octets, like } => (path, write(path, octets, like.as_deref())),
            Self::Rename { from, to } => (to, fs::rename(from, to)),
            Self::Sync(folder) => (folder, File::open(folder).and_then(|folder| folder.sync_all())),
            Self::Remove(path) => (
                path,
                fs::remove_file(path).or_else(|error| match error.kind() {
                    ErrorKind::NotFound => Ok(()),
                    _ => Err(error),
                }),
            ),
        };
        done.map_err(|error| named(path, &error))
    }
}

/// Puts a text in the place of a file's, with its mode and its owner: after a crash there is the one or the other.
///
/// # Errors
/// Of the file system, with the file's name.
pub fn replace(path: &Path, octets: Vec<u8>) -> io::Result<()> {
    let (path, beside) = (path.to_owned(), beside_new(path));
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let steps = [
        Step::Write { path: beside.clone(), octets, like: Some(path.clone()) },
        Step::Rename { from: beside, to: path.clone() },
        Step::Sync(folder.to_owned()),
    ];
    steps.iter().try_for_each(Step::run)
}

/// Writes a file, with the mode and the owner of another or for its owner only.
fn write(path: &Path, octets: &[u8], like: Option<&Path>) -> io::Result<()> {
    // One that a crash left there may have another mode.
    match fs::remove_file(path) {
        Err(error) if error.kind() != ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)?;
    if let Some(like) = like {
        let like = fs::metadata(like)?;
        let own = file.metadata()?;
        if (own.uid(), own.gid()) != (like.uid(), like.gid()) {
            std::os::unix::fs::fchown(&file, Some(like.uid()), Some(like.gid()))?;
        }
        file.set_permissions(fs::Permissions::from_mode(like.mode() & 0o7777))?;
    }
    file.write_all(octets)?;
    file.sync_all()
}

fn named(path: &Path, error: &io::Error) -> io::Error {
    io::Error::new(error.kind(), format!("{}: {error}", path.display()))
}

fn damaged(path: &Path) -> io::Error {
    io::Error::new(ErrorKind::InvalidData, format!("{}: is damaged", path.display()))
}

#[cfg(test)]
mod tests;
