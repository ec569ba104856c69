//! What the control core knows and keeps: from events to records to hosts, and what `show` sees of it.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use ::dataplane::access::AccessKind;
use ::dataplane::appid::DATABASES;
use ::dataplane::command::{self, Command};
use ::dataplane::counters::{Counter, Counters};
use ::dataplane::event::{EventReceiver, Lost, SessionChange};
use ::dataplane::time::Nanos;
use crossbeam::channel::{Receiver, Sender, bounded};
use sigdb::{Database, Generation};

mod audit;
mod commits;
mod dashboard;
mod farewells;
mod holder;
mod load;
mod logs;
mod measure;
mod responses;
mod source;
mod unaccounted;
mod users;
mod watch;

use self::audit::{Occurred, Shown};
use self::commits::Commits;
use self::dashboard::Applications;
pub(super) use self::dashboard::Overlooked;
use self::farewells::Farewells;
use self::load::Load;
use self::logs::LogCounts;
use self::responses::Responses;
use self::users::AccessCounts;
use super::Dataplane;
use super::commit::Candidate;
use super::keeper::{AccessKeeper, Keeper};
use super::pools::Pools;
use super::reload::{Reloader, Retired};
use crate::audit::Store;
use crate::audit::sources::Sources;
use crate::config::Compiled;
use crate::export::Exporters;
use crate::manage::dashboard::Feed;
use crate::manage::{ReloadRow, time_text};
use crate::presence::access::AccessTable;
use crate::presence::im::{Presence, Transition};
use crate::receiver;
use crate::record::sequence::Recorder;
use crate::record::{BootId, Class, LossPlace};

/// Session events taken from one worker in one turn of the loop: what comes after waits for the next, behind the sockets.
const EVENTS_PER_TURN: usize = 4096;

/// The control core's state.
pub(super) struct House {
    pub(super) compiled: Arc<Compiled>,
    pub(super) dataplane: Dataplane,
    pub(super) exporters: Exporters,
    pub(super) store: Store,
    trail: audit::Trail,
    events: Vec<Tap>,
    counters: Vec<Arc<Counters>>,
    loads: Vec<Load>,
    recorder: Recorder,
    presence: Presence,
    access: AccessTable,
    receiver: Option<receiver::Receiver>,
    sources: Option<Sources>,
    watch: watch::Watch,
    responses: Responses,
    keeper: Keeper,
    access_keeper: AccessKeeper,
    /// Frames that had come when it was looked last.
    frames: u64,
    pools: Pools,
    boot: BootId,
    started: Nanos,
    session: Tally,
    im: Tally,
    attack: Tally,
    access_users: Tally,
    call_status: Tally,
    audit: Tally,
    occurred: Occurred,
    access_counts: AccessCounts,
    log_counts: LogCounts,
    farewells: Farewells,
    /// What the page shows of what happened; none where there is no page.
    feed: Option<Feed>,
    applications: Applications,
    /// What subscribers want to see, and what they have not been shown of it.
    shown: Shown,
    quiet: bool,
    reloader: Reloader,
    version: Version,
    swap: Option<Swap>,
    /// What workers need no more.
    retired: (Sender<command::Retired>, Receiver<command::Retired>),
    /// How many workers have flows that are read by a database, or may get some.
    readers: BTreeMap<Generation, usize>,
    /// Databases that no worker has any more; their last events are still to be taken.
    leaving: Vec<Generation>,
    /// A configuration that waits for one of the databases to be given back, or for its table of users to be filled.
    held: Option<Candidate>,
    commits: Commits,
}

/// The policy in force.
#[derive(Clone, Copy, Debug)]
struct Version {
    /// From 1.
    number: u64,
    /// When the workers were given it.
    since: Nanos,
    took: Duration,
}

/// A new policy on its way to the workers.
struct Swap {
    /// Mailboxes that were full.
    untold: Vec<Sender<Command>>,
    /// Those of workers that have not the new settings of access users, which go before the policy.
    unsettled: Vec<Sender<Command>>,
    /// Workers that have not sent the old policy back.
    waiting: usize,
    /// The database that the policy was compiled against, where that is another.
    database: Option<Arc<Database>>,
}

/// One worker's queues, and what was known to be lost of them.
struct Tap {
    receiver: EventReceiver,
    lost: Lost,
    /// When that was looked at.
    checked: Nanos,
}

/// What became of a class's events.
#[derive(Clone, Copy, Debug, Default)]
struct Tally {
    events: u64,
    lost: u64,
    records: u64,
}

impl House {
    pub(super) fn new(
        compiled: Arc<Compiled>,
        mut dataplane: Dataplane,
        exporters: Exporters,
        store: Store,
        boot: BootId,
        reloader: Reloader,
    ) -> Self {
        let started = dataplane.now();
        let keeper = Keeper::new(compiled.state.clone());
        // Each user has a session, or had one within the limit of silence.
        let mut presence = Presence::new(Arc::clone(&compiled.database), compiled.dataplane.max_sessions, &compiled.im);
        if let Some(said) = keeper.take_over(&mut presence, &compiled, started) {
            eprintln!("ostiary: {said}");
        }
        let mut access = AccessTable::new(compiled.access.limits());
        let access_keeper = AccessKeeper::new(compiled.state.clone());
        if let Some(said) = access_keeper.take_over(&mut access, &compiled, started) {
            eprintln!("ostiary: {said}");
        }
        if let Some(tags) = compiled.policy.tags() {
            while !access.tag(&compiled.users, tags) {}
        }
        let (workers, generation) = (dataplane.mailboxes().len(), compiled.database.generation());
        let tap = |receiver| Tap { receiver, lost: Lost::default(), checked: started };
        Self {
            events: dataplane.take_events().into_iter().map(tap).collect(),
            loads: vec![Load::default(); dataplane.counters().len()],
            counters: dataplane.counters(),
            pools: Pools::new(&compiled.names.pools, dataplane.nat()),
            recorder: Recorder::new(boot, &compiled),
            presence,
            access,
            receiver: None,
            sources: None,
            watch: watch::Watch::default(),
            responses: Responses::new(&compiled.responses),
            keeper,
            access_keeper,
            frames: 0,
            compiled,
            dataplane,
            exporters,
            store,
            trail: audit::Trail::default(),
            boot,
            started,
            session: Tally::default(),
            im: Tally::default(),
            attack: Tally::default(),
            access_users: Tally::default(),
            call_status: Tally::default(),
            audit: Tally::default(),
            occurred: Occurred::default(),
            access_counts: AccessCounts::default(),
            log_counts: LogCounts::default(),
            farewells: Farewells::default(),
            feed: None,
            applications: Applications::default(),
            shown: Shown::default(),
            quiet: true,
            reloader,
            version: Version { number: 1, since: started, took: Duration::ZERO },
            swap: None,
            retired: bounded(workers * (2 + DATABASES) * 2),
            readers: BTreeMap::from([(generation, workers)]),
            leaving: Vec::new(),
            held: None,
            commits: Commits::default(),
        }
    }

    /// Hears also what access servers tell the firewall itself.
    pub(super) fn with_receiver(self, receiver: Option<receiver::Receiver>) -> Self {
        Self { receiver, ..self }
    }

    /// Hears also what happens to the machine.
    pub(super) fn with_sources(self, sources: Sources) -> Self {
        Self { sources: Some(sources), ..self }
    }

    /// Gives the workers a new policy. A rule that stays has the number that it had, so that it does not matter in which
    /// order events of before and after come.
    fn swap_to(&mut self, candidate: Candidate) {
        let is_new = !Arc::ptr_eq(&candidate.compiled.database, &self.compiled.database);
        if is_new && self.readers.len() >= DATABASES {
            // Flows end, by their timeouts at the latest.
            self.held = Some(candidate);
            return;
        }
        // Who is where has to be in the table by which the new rules are judged before any worker does.
        if let Some(tags) = candidate.compiled.policy.tags()
            && !self.access.tag(&candidate.compiled.users, tags)
        {
            self.held = Some(candidate);
            return;
        }
        for warning in candidate.warnings {
            eprintln!("ostiary: warning: {warning}");
        }
        self.recorder.reconfigure(&candidate.compiled);
        self.responses.responder.reconfigure(candidate.compiled.responses.clone());
        self.access.reconfigure(candidate.compiled.access.limits());
        if let Some(receiver) = &mut self.receiver {
            receiver.reconfigure(Arc::clone(&candidate.compiled.access.settings));
        }
        self.presence.reconfigure(&candidate.compiled.database, &candidate.compiled.im);
        let old = std::mem::replace(&mut self.compiled, candidate.compiled);
        self.reloader.retire(Retired::Compiled(old));
        let (untold, unsettled) = (self.dataplane.mailboxes(), self.dataplane.mailboxes());
        let waiting = untold.len();
        let database = is_new.then(|| Arc::clone(&self.compiled.database));
        if let Some(database) = &database {
            self.readers.insert(database.generation(), waiting);
        }
        self.swap = Some(Swap { untold, unsettled, waiting, database });
        self.version = Version { number: self.version.number + 1, since: self.dataplane.now(), took: candidate.took };
    }

    /// Takes what workers need no more.
    fn take_back(&mut self) {
        while let Ok(old) = self.retired.1.try_recv() {
            match old {
                command::Retired::Policy(policy) => {
                    if let Some(swap) = &mut self.swap {
                        swap.waiting -= 1;
                    }
                    self.reloader.retire(Retired::Policy(policy));
                }
                // They are small: dropped here.
                command::Retired::Access(_) | command::Retired::Blocked(_) => {}
                command::Retired::Database(database) => {
                    let generation = database.generation();
                    if let Some(readers) = self.readers.get_mut(&generation) {
                        *readers -= 1;
                        if *readers == 0 {
                            self.readers.remove(&generation);
                            self.leaving.push(generation);
                        }
                    }
                    self.reloader.retire(Retired::Database(database));
                }
            }
        }
    }

    /// Tells workers whose mailbox was full; true once, when all have gone over.
    fn carry_on(&mut self) -> bool {
        let Some(swap) = &mut self.swap else { return false };
        let (policy, database, retired) = (&self.compiled.policy, &swap.database, &self.retired.0);
        let settings = &self.compiled.access.settings;
        swap.unsettled.retain(|mailbox| {
            let command = Command::Access { settings: Arc::clone(settings), retired: retired.clone() };
            mailbox.try_send(command).is_err_and(|error| error.is_full())
        });
        swap.untold.retain(|mailbox| {
            let command =
                Command::Policy { policy: Arc::clone(policy), database: database.clone(), retired: retired.clone() };
            mailbox.try_send(command).is_err_and(|error| error.is_full())
        });
        if swap.waiting > 0 || !swap.unsettled.is_empty() {
            return false;
        }
        self.swap = None;
        self.access.keep_tags(self.compiled.policy.tags());
        true
    }

    fn reload_row(&self) -> ReloadRow {
        let policy = &self.compiled.policy;
        ReloadRow {
            version: self.version.number,
            epoch: policy.epoch(),
            since: time_text(self.version.since),
            rules: policy.source().rules.len() as u64,
            memory: policy.memory() as u64,
            milliseconds: self.version.took.as_millis() as u64,
        }
    }

    /// Whether the last turn found nothing to do.
    pub(super) fn is_quiet(&self) -> bool {
        self.quiet
    }

    /// Takes events from the workers, a bounded number; says whether there may be more.
    pub(super) fn take_events(&mut self) -> bool {
        let mut more = false;
        let before = self.events_taken();
        // Access users of all workers first: the others' records may name them.
        for at in 0..self.events.len() {
            let mut transitions = Vec::new();
            while let Some(event) = self.events[at].receiver.access() {
                let is_result = matches!(event.kind, AccessKind::Result { .. });
                let tally = if is_result { &mut self.call_status } else { &mut self.access_users };
                tally.events += 1;
                self.access.observe(&event, &mut transitions);
            }
            self.record_access(&transitions);
        }
        for at in 0..self.events.len() {
            // Sign-ons first: a session's records may wait for those of its users, not the other way round.
            while let Some(event) = self.events[at].receiver.sign_on() {
                self.im.events += 1;
                for transition in self.presence.observe(&event) {
                    self.record_im(&transition);
                }
            }
            let (recorder, exporters, users) = (&mut self.recorder, &mut self.exporters, &self.access);
            let (store, shown) = (&mut self.store, &mut self.shown);
            let (session, attack) = (&mut self.session, &mut self.attack);
            let applications = &mut self.applications;
            let taken = self.events[at].receiver.sessions(EVENTS_PER_TURN, |event| {
                let is_attack = matches!(event.change, SessionChange::Attack { .. });
                let tally = if is_attack { &mut *attack } else { &mut *session };
                tally.events += 1;
                applications.see(event);
                if let Some(record) = recorder.session(event, users) {
                    tally.records += 1;
                    audit::give(store, exporters, shown, &Arc::new(record));
                }
            });
            more |= taken == EVENTS_PER_TURN;
            self.notice_losses(at);
        }
        self.quiet = before == self.events_taken();
        more
    }

    /// The receiver's socket has something to read.
    pub(super) fn wake_receiver(&mut self) {
        if let Some(receiver) = &mut self.receiver {
            receiver.wake();
        }
    }

    /// Takes what access servers told the firewall itself, a bounded number; says whether there may be more.
    pub(super) fn take_accounting(&mut self) -> bool {
        let Some(mut receiver) = self.receiver.take() else { return false };
        let more = receiver.turn(self.dataplane.now(), |event| {
            let refused = self.access.tally().refused;
            let mut transitions = Vec::new();
            self.access_users.events += 1;
            self.access.observe(&event, &mut transitions);
            self.record_access(&transitions);
            self.access.tally().refused == refused
        });
        self.receiver = Some(receiver);
        more
    }

    fn events_taken(&self) -> u64 {
        [self.session, self.im, self.attack, self.access_users, self.call_status].iter().map(|tally| tally.events).sum()
    }

    /// Lets the time of presence and exporters pass.
    pub(super) fn pass_time(&mut self, now: Instant) {
        for transition in self.presence.advance(self.dataplane.now()) {
            self.record_im(&transition);
        }
        let mut transitions = Vec::new();
        self.listen();
        self.access.advance(self.dataplane.now(), &mut transitions);
        self.record_access(&transitions);
        self.turn_farewells();
        self.keeper.turn(&self.presence, &self.compiled, (now, self.dataplane.now()), &self.reloader);
        self.access_keeper.turn(&self.access, &self.compiled, (now, self.dataplane.now()), &self.reloader);
        self.turn_store();
        self.exporters.tick(now);
        for notice in self.exporters.take_notices() {
            eprintln!("ostiary: {notice}");
        }
        for event in self.exporters.take_events() {
            self.audit_channel(&event);
        }
        self.turn_responses(now);
        for shortage in self.pools.shortages(now) {
            eprintln!("ostiary: {shortage}");
        }
    }

    /// Silence of access users is their own as long as anything is heard.
    fn listen(&mut self) {
        let frames = self.counters.iter().map(|counters| counters.value(Counter::PacketsReceived)).sum();
        if frames != self.frames {
            self.frames = frames;
            self.access.heard(self.dataplane.now());
        }
    }

    /// Writes down who is online, for the run after this one.
    pub(super) fn keep(&mut self) {
        let now = self.dataplane.now();
        let said = [
            self.keeper.finish(&self.presence, &self.compiled, now),
            self.access_keeper.finish(&self.access, &self.compiled, now),
        ];
        for said in said.into_iter().flatten() {
            eprintln!("ostiary: {said}");
        }
    }

    /// Looks how busy the workers were since the last time; call it every second or so.
    pub(super) fn watch_load(&mut self) {
        self.loads.iter_mut().zip(&self.counters).for_each(|(load, counters)| load.look(counters.load()));
        let untagged = self.access.take_untagged();
        if untagged > 0 {
            eprintln!("ostiary: rules do not know the users of {untagged} addresses: their table has no room");
        }
    }

    /// Workers and dispatcher with their cores, as `show` names them.
    fn cores(&self) -> impl Iterator<Item = (String, u16)> {
        let dataplane = &self.compiled.dataplane;
        let workers = dataplane.workers.iter().enumerate().map(|(at, &core)| (format!("worker-{at}"), core));
        workers.chain(dataplane.dispatcher.map(|core| ("dispatcher".to_owned(), core)))
    }

    /// A worker or the dispatcher, by its place among the counters, and its core.
    pub(super) fn core(&self, at: usize) -> (String, u16) {
        self.cores().nth(at).unwrap_or_else(|| (format!("worker-{at}"), 0))
    }

    /// What runs, for the service manager.
    pub(super) fn status(&self) -> String {
        let dataplane = &self.compiled.dataplane;
        let (rules, hosts) = (self.compiled.policy.source().rules.len(), self.compiled.hosts.len());
        let (ports, workers, policy) = (dataplane.ports.len(), dataplane.workers.len(), self.version.number);
        let since = time_text(self.version.since);
        format!("ports: {ports}; workers: {workers}; log hosts: {hosts}; policy {policy} since {since}; rules: {rules}")
    }

    fn record_im(&mut self, transition: &Transition) {
        if let Some(record) = self.recorder.im(transition, &self.access) {
            self.im.records += 1;
            self.put(record);
        }
    }

    /// What a worker could not queue becomes a record of its own.
    fn notice_losses(&mut self, at: usize) {
        let now = self.dataplane.now();
        let tap = &mut self.events[at];
        let worker = tap.receiver.worker();
        let (before, lost) = (tap.lost, tap.receiver.lost());
        let span = (tap.checked, now);
        tap.lost = lost;
        tap.checked = now;
        for (class, tally, count) in [
            (Class::Session, &mut self.session, lost.session - before.session),
            (Class::Im, &mut self.im, lost.sign_on - before.sign_on),
            (Class::Attack, &mut self.attack, lost.attack - before.attack),
            (Class::Access, &mut self.access_users, lost.access - before.access),
        ] {
            tally.lost += count;
            if count > 0 {
                let record = self.recorder.loss(class, LossPlace::Worker(worker.0), count, span);
                audit::give(&mut self.store, &mut self.exporters, &mut self.shown, &Arc::new(record));
            }
        }
    }
}
