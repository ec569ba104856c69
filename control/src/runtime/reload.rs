//! Takes the policy file up again while the firewall runs. It is read, checked and compiled on a thread of its own, which
//! also takes apart what is no longer used: the control core goes on taking events, and no worker notices.

use std::path::PathBuf;
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use crossbeam::channel::{Receiver, Sender, bounded, unbounded};
use dataplane::policy::Policy;
use dataplane::time::Nanos;
use sigdb::Database;

use crate::config::{self, Compiled, Numbering};
use crate::presence::access::store::{self as access_store, Snapshot as AccessSnapshot};
use crate::presence::store::{self, Snapshot};
use crate::signatures::Library;
use crate::state::StateFolder;

/// A configuration that may take the place of the one in force.
#[derive(Debug)]
pub(super) struct Candidate {
    pub(super) compiled: Arc<Compiled>,
    /// From reading the file to the tables.
    pub(super) took: Duration,
    /// Doubts about it, for people.
    pub(super) warnings: Vec<String>,
}

/// What the thread makes of the file: a candidate, or why it is not taken, for people.
pub(super) type Outcome = Result<Candidate, String>;

/// The thread, as the control core has it. It ends when this is dropped.
#[derive(Debug)]
pub(super) struct Reloader {
    jobs: Sender<Job>,
    outcomes: Receiver<Outcome>,
    at_work: bool,
}

#[derive(Debug)]
enum Job {
    Load,
    /// What is to be written.
    Keep(StateFolder, Kept, Nanos),
    /// What is no longer used; dropping it frees a great deal of memory.
    Retire(Retired),
}

/// What is kept over a restart.
#[derive(Debug)]
pub(super) enum Kept {
    /// Users of messengers.
    Presence(Snapshot),
    /// Access users, the seed of their numbers, the ports' names.
    Access { snapshot: AccessSnapshot, seed: u64, ports: Vec<String> },
}

impl Kept {
    /// The file and what is to be in it.
    pub(super) fn encode(self, now: Nanos) -> (&'static str, Vec<u8>) {
        match self {
            Self::Presence(snapshot) => (store::FILE, snapshot.encode(now)),
            Self::Access { snapshot, seed, ports } => (access_store::FILE, snapshot.encode(now, seed, &ports)),
        }
    }
}

/// What a commit leaves behind.
#[derive(Debug)]
pub(super) enum Retired {
    Policy(#[expect(dead_code, reason = "it is only dropped")] Arc<Policy>),
    Database(#[expect(dead_code, reason = "it is only dropped")] Arc<Database>),
    Compiled(#[expect(dead_code, reason = "it is only dropped")] Arc<Compiled>),
}

impl Reloader {
    /// For the configuration that was read from `file`. The thread may run where the calling one may.
    pub(super) fn start(file: PathBuf, compiled: Arc<Compiled>) -> std::io::Result<Self> {
        let (jobs, work) = unbounded();
        let (sender, outcomes) = bounded(1);
        let body = move || {
            let numbering = Numbering::new(&compiled.names.rules);
            let mut shop = Shop { numbering, library: Library::of(&compiled.database), file, compiled };
            let mut failing = Vec::new();
            for job in work {
                match job {
                    Job::Load => {
                        if sender.send(shop.load()).is_err() {
                            break;
                        }
                    }
                    Job::Retire(retired) => drop(retired),
                    Job::Keep(folder, kept, now) => keep(&folder, kept, now, &mut failing),
                }
            }
        };
        thread::Builder::new().name("reload".to_owned()).spawn(body)?;
        Ok(Self { jobs, outcomes, at_work: false })
    }

    /// Has the file read; false where that is under way already.
    pub(super) fn begin(&mut self) -> bool {
        if self.at_work {
            return false;
        }
        self.at_work = self.jobs.send(Job::Load).is_ok();
        self.at_work
    }

    /// What became of it, once.
    pub(super) fn outcome(&mut self) -> Option<Outcome> {
        let outcome = self.outcomes.try_recv().ok()?;
        self.at_work = false;
        Some(outcome)
    }

    /// Whether the file is being read.
    pub(super) fn at_work(&self) -> bool {
        self.at_work
    }

    /// Has who is online written down.
    pub(super) fn keep(&self, folder: StateFolder, kept: Kept, now: Nanos) {
        // Where the thread is gone, the next time will tell.
        let _ = self.jobs.send(Job::Keep(folder, kept, now));
    }

    /// Has something taken apart.
    pub(super) fn retire(&self, retired: Retired) {
        // A thread that is gone leaves it to us.
        drop(self.jobs.send(Job::Retire(retired)));
    }
}

/// Writes who is online; says so once where it fails, and once where it works again. `failing`: the files that could not be
/// written the last time.
fn keep(folder: &StateFolder, kept: Kept, now: Nanos, failing: &mut Vec<&'static str>) {
    let (file, octets) = kept.encode(now);
    let failed = failing.contains(&file);
    match folder.write(file, &octets) {
        Err(error) if !failed => {
            eprintln!("ostiary: a restart will not know who is online: {error}");
            failing.push(file);
        }
        Ok(()) if failed => {
            eprintln!("ostiary: who is online is written down again ({file})");
            failing.retain(|other| *other != file);
        }
        Ok(()) | Err(_) => {}
    }
}

/// The thread's own.
struct Shop {
    file: PathBuf,
    /// The last candidate: it is in force, or about to be.
    compiled: Arc<Compiled>,
    numbering: Numbering,
    library: Library,
}

impl Shop {
    fn load(&mut self) -> Outcome {
        let start = Instant::now();
        let (mut compiled, warnings) = config::reload(&self.file, &mut self.library)
            .map_err(|faults| faults.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n"))?;
        compiled.succeed(&self.compiled, &mut self.numbering).map_err(|error| error.to_string())?;
        let mut warnings: Vec<String> = warnings.iter().map(ToString::to_string).collect();
        if !Arc::ptr_eq(&compiled.database, &self.compiled.database) {
            self.library.used(&compiled.database);
            let kept = compiled.state.as_ref().map_or(Ok(()), |state| state.keep_floor(self.library.floor()));
            warnings.extend(kept.err().map(|why| format!("a restart will not know the signatures in use: {why}")));
        }
        self.compiled = Arc::new(compiled);
        Ok(Candidate { compiled: Arc::clone(&self.compiled), took: start.elapsed(), warnings })
    }
}
