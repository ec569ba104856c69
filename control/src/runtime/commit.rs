//! Configurations as the reload thread has them: which text a commit takes, what it is compiled to, where it is kept.

mod answers;
mod files;
mod which;

use std::fs;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use toml::Table;

use self::files::files_of;
pub(super) use self::which::Which;
use self::which::name_of;
use crate::config::edit::{Change, EditOp, diff};
use crate::config::generation::{Author, Cause, Generation, digest};
use crate::config::store::{Candidate as Edits, ConfigStore, Pending, Scheduled};
use crate::config::{self, Compiled, Excerpt, Fault, NeedsRestart, Numbering, Place, Warning};
use crate::confine;
use crate::manage::configure::{ErrorOption, FaultRow, Refusal};
use crate::signatures::Library;

/// A configuration that is to come into force.
#[derive(Clone, Debug)]
pub(super) struct Load {
    pub(super) from: Which,
    pub(super) by: Author,
    pub(super) cause: Cause,
    pub(super) comment: Option<String>,
    /// It is to be confirmed until then, in nanoseconds since 1970.
    pub(super) until: Option<u64>,
    /// Where it needs a restart, it is written down for that.
    pub(super) on_restart: bool,
    /// Now, likewise.
    pub(super) time: u64,
}

/// What became of it.
#[derive(Debug)]
pub(super) enum Loaded {
    /// It can take the place of the one in force.
    Ready(Candidate),
    /// It was written down for the next start.
    AtRestart(Summary, Vec<String>),
}

/// A configuration that may take the place of the one in force.
#[derive(Debug)]
pub(super) struct Candidate {
    pub(super) compiled: Arc<Compiled>,
    /// From reading the text to the tables.
    pub(super) took: Duration,
    /// Doubts about it, for people.
    pub(super) warnings: Vec<String>,
    pub(super) summary: Summary,
    /// What is to be written once it is in force.
    pub(super) finish: Finish,
}

/// What a commit is, to those who ask and to the trail.
#[derive(Clone, Debug, Default)]
pub(super) struct Summary {
    /// The generation; none where nothing is kept.
    pub(super) generation: Option<u32>,
    /// The one that was in force before.
    pub(super) before: Option<u32>,
    pub(super) digest: String,
    pub(super) changes: Vec<Change>,
    /// Files that the configuration names whose content is another: key, what happened, the beginning of the digest.
    pub(super) keys: Vec<(String, &'static str, String)>,
    /// Where other signatures take the place of those in use.
    pub(super) signatures: Option<Signatures>,
    /// Where an edit of the policy file that was in the way was kept.
    pub(super) edited: Option<PathBuf>,
}

/// Signatures that take the place of others.
#[derive(Clone, Debug)]
pub(super) struct Signatures {
    /// Their version, and that of those before.
    pub(super) new: String,
    pub(super) old: String,
    pub(super) serial: u64,
    /// Whose key signed them.
    pub(super) signer: Option<String>,
}

/// What is to be written once a configuration is in force.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Finish {
    /// Nothing: it waits to be confirmed, or nothing is kept at all.
    Nothing,
    /// The policy file becomes this generation; it is that already where that was what was taken.
    Publish { number: u32, from_file: bool },
    /// This generation did not stay.
    Revert(u32),
}

/// Something to answer that needs nothing of the workers.
#[derive(Debug)]
pub(super) enum Ask {
    Check(Which),
    Text(Which),
    Diff(Which, Which),
    Generations,
    Edit {
        operations: Vec<EditOp>,
        option: ErrorOption,
        by: Author,
        time: u64,
    },
    Load {
        text: String,
        by: Author,
        time: u64,
    },
    Discard,
    SaveRescue,
    /// Set a commit for a time; checked now.
    Schedule {
        which: Which,
        at: u64,
        by: Author,
        comment: Option<String>,
    },
    Unschedule,
}

/// What stands beside the configuration in force.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Standing {
    /// There are edits that nobody has committed.
    pub(super) modified: bool,
    /// The commit that is set for a time; its text is here as well, and may be large.
    pub(super) scheduled: Option<Arc<Scheduled>>,
}

/// The thread's own.
pub(super) struct Shop {
    file: PathBuf,
    /// The last candidate: it is in force, or about to be.
    compiled: Arc<Compiled>,
    /// Its text, and its generation.
    text: String,
    number: Option<u32>,
    /// The files that it names, and the beginnings of their digests.
    files: Vec<(String, String)>,
    /// Text and generation from before the commit that waits to be confirmed, and that commit.
    confirmed: Option<(String, Option<u32>, u32)>,
    scheduled: Option<Arc<Scheduled>>,
    numbering: Numbering,
    library: Library,
    store: Option<ConfigStore>,
}

impl Shop {
    pub(super) fn new(file: PathBuf, compiled: Arc<Compiled>, text: String, store: Option<ConfigStore>) -> Self {
        Self {
            numbering: Numbering::new(&compiled.names.rules),
            library: Library::of(&compiled.database),
            number: store.as_ref().map(ConfigStore::head),
            files: files_of(&text),
            confirmed: None,
            scheduled: store.as_ref().and_then(|store| store.scheduled().ok().flatten()).map(Arc::new),
            file,
            compiled,
            text,
            store,
        }
    }

    /// Makes a configuration ready to take the place of the one in force. What it needs to be found again after a crash is
    /// on disk then.
    pub(super) fn load(&mut self, load: Load) -> Result<Loaded, Refusal> {
        let is_scheduled = load.from == Which::Scheduled;
        let loaded = self.load_now(load);
        if is_scheduled && loaded.is_err() {
            self.unschedule().map_err(not_kept)?;
        }
        loaded
    }

    fn load_now(&mut self, load: Load) -> Result<Loaded, Refusal> {
        let start = Instant::now();
        // The house refuses it before; but one may have been set while this was on its way here.
        if self.scheduled.is_some() && load.from != Which::Scheduled {
            return Err(Refusal::new("in-use", "a commit was just set for a time: ostiary generations shows it"));
        }
        if load.until.is_some() {
            self.store()?;
        }
        let (text, from) = self.text_of(load.from.clone())?;
        let (mut compiled, warnings) = self.compile(&text, &from)?;
        let mut warnings: Vec<String> = warnings.iter().map(ToString::to_string).collect();
        let mut summary = self.summary(&text)?;
        let needs = compiled.needs_restart(&self.compiled);
        if let Some(needs) = needs.as_ref().filter(|_| !load.on_restart || load.until.is_some()) {
            return Err(refused_for_restart(needs, &from));
        }
        let finish = match from {
            Which::Confirmed => {
                let (_, number, reverted) = self.confirmed.take().ok_or_else(none_waits)?;
                summary.generation = number;
                Finish::Revert(reverted)
            }
            _ => self.keep(&text, &from, &load, &mut summary).map_err(not_kept)?,
        };
        if let Some(needs) = needs {
            if let Finish::Publish { number, from_file } = finish {
                summary.edited = self.publish(number, from_file).map_err(not_kept)?;
            }
            return Ok(Loaded::AtRestart(summary, needs.keys()));
        }
        // That it can was asked above.
        compiled.succeed(&self.compiled, &mut self.numbering).map_err(|needs| refused_for_restart(&needs, &from))?;
        if !Arc::ptr_eq(&compiled.database, &self.compiled.database) {
            self.library.used(&compiled.database);
            summary.signatures = Some(Signatures {
                new: compiled.database.version().to_owned(),
                old: self.compiled.database.version().to_owned(),
                serial: compiled.database.serial(),
                signer: compiled.signer.as_ref().map(ToString::to_string),
            });
            let kept = compiled.state.as_ref().map_or(Ok(()), |state| state.keep_floor(self.library.floor()));
            warnings.extend(kept.err().map(|why| format!("a restart will not know the signatures in use: {why}")));
        }
        if let Some(store) = &mut self.store {
            store.set_keep(compiled.generations);
        }
        self.compiled = Arc::new(compiled);
        (self.number, self.files) = (summary.generation, files_of(&text));
        self.text = text;
        let compiled = Arc::clone(&self.compiled);
        Ok(Loaded::Ready(Candidate { compiled, took: start.elapsed(), warnings, summary, finish }))
    }

    /// Writes down what is about to come into force.
    fn keep(&mut self, text: &str, from: &Which, load: &Load, summary: &mut Summary) -> std::io::Result<Finish> {
        let from_file = *from == Which::File;
        if load.until.is_some() && *text == self.text && self.confirmed.is_none() {
            let text = "nothing differs from what is in force: there is nothing to confirm";
            return Err(std::io::Error::other(text));
        }
        let (running, number) = (self.text.clone(), self.number);
        let Some(store) = &mut self.store else { return Ok(Finish::Nothing) };
        if load.until.is_some() || !from_file {
            store.may_publish()?;
        }
        if load.until.is_some() && from_file && store.is_edited() {
            // Until it is confirmed, the file is the one that a crash is to find.
            summary.edited = store.publish(store.head())?;
        }
        let generation = match number {
            // The same again: what files it names say may be new.
            Some(number) if *text == running && *from != Which::Rescue => number,
            _ => {
                let mut meta = store.meta(text, load.time, load.by.clone(), load.cause);
                meta.comment.clone_from(&load.comment);
                meta.files = files_of(text);
                store.write(&Generation { meta, text: text.to_owned() })?
            }
        };
        summary.generation = Some(generation);
        let Some(until) = load.until else {
            return Ok(Finish::Publish { number: generation, from_file });
        };
        store.set_pending(Some(&Pending { number: generation, until, by: load.by.clone() }))?;
        // The way back is to what was confirmed last, over any number of commits that were not.
        let (text, number) = match self.confirmed.take() {
            Some((text, number, tried)) => {
                if tried != generation {
                    store.revert(tried)?;
                }
                (text, number)
            }
            None => (running, number),
        };
        self.confirmed = Some((text, number, generation));
        Ok(Finish::Nothing)
    }

    /// Writes what a commit that is in force leaves to write. Where what was edited in the policy file was kept.
    pub(super) fn finish(&mut self, finish: Finish) -> Result<Option<PathBuf>, String> {
        match finish {
            Finish::Nothing => Ok(None),
            Finish::Publish { number, from_file } => self.publish(number, from_file).map_err(|error| error.to_string()),
            Finish::Revert(number) => {
                let Some(store) = &mut self.store else { return Ok(None) };
                let done = store.revert(number).and_then(|()| store.set_pending(None));
                done.map(|()| None).map_err(|error| error.to_string())
            }
        }
    }

    fn publish(&mut self, number: u32, from_file: bool) -> std::io::Result<Option<PathBuf>> {
        let tried = self.confirmed.take().map(|(.., tried)| tried).filter(|tried| *tried != number);
        let Some(store) = &mut self.store else { return Ok(None) };
        if let Some(tried) = tried {
            store.revert(tried)?;
        }
        let edited = match from_file {
            // What may have been edited in it since stays: it was not committed.
            true => {
                store.adopt(number);
                None
            }
            false => store.publish(number)?,
        };
        let text = store.read(number)?.text;
        if store.candidate()?.is_some_and(|candidate| candidate.text == text) {
            store.set_candidate(None)?;
        }
        store.set_pending(None)?;
        // Nothing else is committed while one is set for a time.
        self.unschedule()?;
        Ok(edited)
    }

    pub(super) fn standing(&self) -> Standing {
        Standing { modified: self.edits().is_ok_and(|edits| edits.is_some()), scheduled: self.scheduled.clone() }
    }

    /// Nothing is set for a time any more.
    fn unschedule(&mut self) -> std::io::Result<()> {
        match (self.scheduled.take(), &mut self.store) {
            (Some(_), Some(store)) => store.set_scheduled(None),
            _ => Ok(()),
        }
    }

    /// Compiles a text, to take the place of the one in force.
    fn compile(&mut self, text: &str, from: &Which) -> Result<(Compiled, Vec<Warning>), Refusal> {
        may_read(text)?;
        let name = name_of(from, &self.file);
        config::reload_text(&name, text, &mut self.library).map_err(|faults| {
            let list = |text: fn(&Fault) -> String| faults.iter().map(text).collect::<Vec<_>>().join("\n");
            let rows = faults.iter().map(fault_row).collect();
            let what = match from {
                Which::File => "the policy file".to_owned(),
                _ => name.display().to_string(),
            };
            let text = |list: String| format!("{what} is not taken, and nothing changes:\n{list}");
            let brief = Some(text(list(Fault::brief)));
            Refusal { brief, faults: rows, ..Refusal::new("operation-failed", text(list(Fault::to_string))) }
        })
    }

    fn summary(&self, text: &str) -> Result<Summary, Refusal> {
        let files = files_of(text);
        let mut keys = Vec::new();
        for (key, print) in &files {
            match self.files.iter().find(|(other, _)| other == key) {
                None => keys.push((key.clone(), "imported", print.clone())),
                Some((_, before)) if before != print => keys.push((key.clone(), "changed", print.clone())),
                Some(_) => {}
            }
        }
        for (key, print) in self.files.iter().filter(|(key, _)| !files.iter().any(|(other, _)| other == key)) {
            keys.push((key.clone(), "deleted", print.clone()));
        }
        Ok(Summary {
            before: self.number,
            digest: digest(text),
            changes: diff(&table(&self.text)?, &table(text)?),
            keys,
            ..Summary::default()
        })
    }

    /// The text that is meant, and which that turned out to be.
    fn text_of(&mut self, from: Which) -> Result<(String, Which), Refusal> {
        let text = match &from {
            Which::Choose => return self.text_of(self.choice()?),
            Which::File => fs::read_to_string(&self.file).map_err(|error| {
                let text =
                    format!("the policy file is not taken, and nothing changes: {}: {error}", self.file.display());
                Refusal::new("operation-failed", text)
            })?,
            Which::Candidate => match self.edits()? {
                Some(edits) => edits.text,
                None => self.text.clone(),
            },
            Which::Running => self.text.clone(),
            Which::Back(back) => {
                let back = *back;
                let number = self.store()?.before(back);
                let missing =
                    || Refusal::new("invalid-value", format!("{back} commits ago is not kept: ostiary generations"));
                return self.text_of(Which::Number(number.ok_or_else(missing)?));
            }
            Which::Number(number) => self.store()?.read(*number).map_err(not_kept)?.text,
            Which::Rescue => match self.store()?.rescue().map_err(not_kept)? {
                Some(generation) => generation.text,
                None => {
                    let text = "there is no rescue configuration: ostiary rescue save makes what is in force one";
                    return Err(Refusal::new("data-missing", text));
                }
            },
            Which::Confirmed => match &self.confirmed {
                Some((text, ..)) => text.clone(),
                None => return Err(none_waits()),
            },
            Which::Scheduled => match &self.scheduled {
                Some(scheduled) => scheduled.text.clone(),
                None => return Err(none_scheduled()),
            },
            Which::Text(text) => text.clone(),
        };
        Ok((text, from))
    }

    fn choice(&self) -> Result<Which, Refusal> {
        let edited = self.store.as_ref().is_some_and(ConfigStore::is_edited);
        match (self.edits()?, edited) {
            (Some(edits), true) => {
                let text = format!(
                    "the policy file was edited, and {} edited the candidate: commit one of them with --file or --candidate; \
                     the other is kept",
                    edits.by.text()
                );
                Err(Refusal::new("in-use", text))
            }
            (Some(_), false) => Ok(Which::Candidate),
            // Nothing new, and the file is the one before.
            (None, false) if self.confirmed.is_some() => Ok(Which::Running),
            (None, _) => Ok(Which::File),
        }
    }

    fn edits(&self) -> Result<Option<Edits>, Refusal> {
        self.store.as_ref().map_or(Ok(None), |store| store.candidate().map_err(not_kept))
    }

    fn store(&mut self) -> Result<&mut ConfigStore, Refusal> {
        self.store.as_mut().ok_or_else(nothing_kept)
    }
}

fn nothing_kept() -> Refusal {
    let text = "nothing is kept without system.state-directory: set it, and only what the policy file says can be committed until then";
    Refusal::new("operation-not-supported", text)
}

fn none_waits() -> Refusal {
    Refusal::new("operation-failed", "no commit waits to be confirmed")
}

fn none_scheduled() -> Refusal {
    Refusal::new("operation-failed", "no commit is set for a time")
}

fn not_kept(error: std::io::Error) -> Refusal {
    Refusal::new("operation-failed", error.to_string())
}

fn refused_for_restart(needs: &NeedsRestart, from: &Which) -> Refusal {
    let key = |key: String| FaultRow {
        text: format!("{key} cannot change while it runs"),
        path: key,
        tag: "needs-restart".to_owned(),
        ..FaultRow::default()
    };
    let what = if *from == Which::File { "the policy file is" } else { "it is" };
    let text = format!(
        "{what} not taken, and nothing changes: {needs}; or commit it for the next start: ostiary commit --on-restart"
    );
    Refusal { faults: needs.keys().into_iter().map(key).collect(), ..Refusal::new("needs-restart", text) }
}

/// Whether the confined process can open the files that a text names.
fn may_read(text: &str) -> Result<(), Refusal> {
    let row = |(key, path): &(String, PathBuf)| FaultRow {
        text: format!("{key} is {}, which the running process gave away", path.display()),
        path: key.clone(),
        tag: "access-denied".to_owned(),
        ..FaultRow::default()
    };
    let faults: Vec<FaultRow> = confine::out_of_reach(text).iter().map(row).collect();
    if faults.is_empty() {
        return Ok(());
    }
    let list = faults.iter().map(|fault| fault.text.as_str()).collect::<Vec<_>>().join("\n");
    let text = format!(
        "it is not taken, and nothing changes:\n{list}\nput such files where others are that it was started with, as beside the \
         policy file, or restart it"
    );
    Err(Refusal { faults, ..Refusal::new("operation-failed", text) })
}

fn fault_row(fault: &Fault) -> FaultRow {
    row(fault.brief(), "invalid-value", &fault.place, fault.excerpt.as_ref())
}

fn row(text: String, tag: &str, place: &Place, excerpt: Option<&Excerpt>) -> FaultRow {
    FaultRow {
        text,
        path: place.key.clone(),
        tag: tag.to_owned(),
        line: place.line,
        column: place.column,
        end: excerpt.map(|excerpt| excerpt.end),
        excerpt: excerpt.map(ToString::to_string).unwrap_or_default(),
    }
}

fn table(text: &str) -> Result<Table, Refusal> {
    text.parse().map_err(|error: toml::de::Error| Refusal::new("invalid-value", format!("is no TOML: {error}")))
}
