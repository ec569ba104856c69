//! The thread on which configurations are read, checked, compiled and written: the control core goes on taking events, and
//! no worker notices. It also takes apart what is no longer used.

use std::path::PathBuf;
use std::sync::Arc;
use std::thread;

use crossbeam::channel::{Receiver, Sender, unbounded};
use dataplane::policy::Policy;
use dataplane::time::Nanos;
use sigdb::Database;

use super::commit::{Ask, Finish, Load, Loaded, Shop, Standing};
use crate::config::Compiled;
use crate::config::store::ConfigStore;
use crate::manage::configure::{Configured, Refusal};
use crate::presence::access::store::{self as access_store, Snapshot as AccessSnapshot};
use crate::presence::store::{self, Snapshot};
use crate::record::audit::Occurrence;
use crate::state::StateFolder;

/// What the thread has to say.
#[derive(Debug)]
pub(super) enum Outcome {
    /// Of [`Reloader::begin`].
    Loaded(Result<Loaded, Refusal>),
    /// Of [`Reloader::finish`]. Within: where what was edited in the policy file was kept; and what stands beside it now.
    Finished(Result<Option<PathBuf>, String>, Standing),
    /// Of [`Reloader::ask`].
    Told(Told),
}

/// An answer that needs nothing of the workers.
#[derive(Debug)]
pub(super) struct Told {
    pub(super) asked: Sender<Configured>,
    pub(super) answer: Configured,
    /// What is recorded where it was done.
    pub(super) occurred: Vec<Occurrence>,
    /// What stands beside the configuration now.
    pub(super) standing: Standing,
}

/// The thread, as the control core has it. It ends when this is dropped.
#[derive(Debug)]
pub(super) struct Reloader {
    jobs: Sender<Job>,
    outcomes: Receiver<Outcome>,
    at_work: usize,
}

#[derive(Debug)]
enum Job {
    Load(Box<Load>),
    Finish(Finish),
    Ask(Box<Ask>, Sender<Configured>, Vec<Occurrence>),
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
    /// For the configuration that was read from `file`, with its text, and what was committed before. The thread may run
    /// where the calling one may.
    pub(super) fn start(
        file: PathBuf,
        compiled: Arc<Compiled>,
        text: String,
        store: Option<ConfigStore>,
    ) -> std::io::Result<Self> {
        let (jobs, work) = unbounded();
        let (sender, outcomes) = unbounded();
        // Here, not when the thread gets to it: by then a file that the configuration names may be another.
        let mut shop = Shop::new(file, compiled, text, store);
        let body = move || {
            let mut failing = Vec::new();
            for job in work {
                let outcome = match job {
                    Job::Load(load) => Outcome::Loaded(shop.load(*load)),
                    Job::Finish(finish) => {
                        let done = shop.finish(finish);
                        Outcome::Finished(done, shop.standing())
                    }
                    Job::Ask(ask, asked, occurred) => {
                        let answer = shop.ask(*ask);
                        Outcome::Told(Told { asked, answer, occurred, standing: shop.standing() })
                    }
                    Job::Retire(retired) => {
                        drop(retired);
                        continue;
                    }
                    Job::Keep(folder, kept, now) => {
                        keep(&folder, kept, now, &mut failing);
                        continue;
                    }
                };
                if sender.send(outcome).is_err() {
                    break;
                }
            }
        };
        thread::Builder::new().name("reload".to_owned()).spawn(body)?;
        Ok(Self { jobs, outcomes, at_work: 0 })
    }

    /// Has a configuration made ready to take the place of the one in force.
    pub(super) fn begin(&mut self, load: Load) {
        self.job(Job::Load(Box::new(load)));
    }

    /// Has written what a commit that is in force leaves to write.
    pub(super) fn finish(&mut self, finish: Finish) {
        self.job(Job::Finish(finish));
    }

    /// Has something answered; `occurred` comes back with it.
    pub(super) fn ask(&mut self, ask: Ask, asked: Sender<Configured>, occurred: Vec<Occurrence>) {
        self.job(Job::Ask(Box::new(ask), asked, occurred));
    }

    fn job(&mut self, job: Job) {
        // Where the thread is gone, whoever waits is told so by its channel, which goes with the job.
        self.at_work += usize::from(self.jobs.send(job).is_ok());
    }

    /// What it has to say, each once.
    pub(super) fn outcome(&mut self) -> Option<Outcome> {
        let outcome = self.outcomes.try_recv().ok()?;
        self.at_work = self.at_work.saturating_sub(1);
        Some(outcome)
    }

    /// Whether it will have something to say.
    pub(super) fn at_work(&self) -> bool {
        self.at_work > 0
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
