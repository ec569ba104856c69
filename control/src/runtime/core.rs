//! The control core: one loop over the workers' queues, the log hosts' sockets, the management socket and signals.

use std::io::{self, Read};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use ::dataplane::time::Nanos;
use mio::{Events, Interest, Poll, Token};
use rustix::thread::{CpuSet, sched_getaffinity, sched_setaffinity};
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
use signal_hook_mio::v1_0::Signals;

use super::house::{House, Overlooked};
use super::keeper;
use super::notify::Notifier;
use super::pulse::{Change, Pulse};
use super::reload::Reloader;
use super::{Dataplane, DataplaneConfig, StartError};
use crate::audit::sources::{self, Sources};
use crate::audit::{Store, StoreError};
use crate::config::Compiled;
use crate::config::store::ConfigStore;
use crate::confine;
use crate::export::Exporters;
use crate::manage::dashboard::{Dashboard, VIEWERS};
use crate::manage::metrics::{Metrics, SCRAPERS};
use crate::manage::{BindError, CLIENTS, Manager};
use crate::receiver::Receiver;
use crate::record::{BootId, LossPlace};
use crate::signatures::Floor;

/// Why the firewall did not start, or ended.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RunError {
    /// The dataplane did not start; nothing was left running.
    #[error(transparent)]
    Start(#[from] StartError),
    /// The management socket could not be made.
    #[error(transparent)]
    Manage(#[from] BindError),
    /// The receiver of accounting could not listen.
    #[error("access.receiver.listen {0}: {1}; choose an address of this machine, and a port that nothing else has")]
    Receiver(SocketAddr, io::Error),
    /// Nobody could scrape.
    #[error(
        "[metrics] listen {0}: {1}; choose an address of this machine and a port that nothing else has, and look at the files"
    )]
    Metrics(SocketAddr, io::Error),
    /// Nobody could see the page.
    #[error(
        "[dashboard] listen {0}: {1}; choose an address of this machine and a port that nothing else has, and look at the files"
    )]
    Dashboard(SocketAddr, io::Error),
    /// What is to be kept over a restart cannot be written.
    #[error("system.state-directory {}: {_1}; give this user the folder, or leave the key out: nothing is kept then", _0.display())]
    State(PathBuf, io::Error),
    /// What happens to the machine cannot be heard.
    #[error("{}: {_1}; nothing that programs or the kernel say could be recorded", _0.display())]
    Sources(PathBuf, io::Error),
    /// There is no audit trail, and nothing may run without one.
    #[error(transparent)]
    Audit(#[from] StoreError),
    /// The operating system refused what the loop cannot do without.
    #[error("{0}: {1}")]
    System(&'static str, io::Error),
    /// Packet buffers were not given back: a fault of the program.
    #[error("{0} packet buffers were not given back when the firewall stopped; please report this")]
    Leak(u32),
}

const SIGNALS: Token = Token(0);
const MANAGER: usize = 1;
const RECEIVER: Token = Token(MANAGER + CLIENTS + 1);
const SOURCES: usize = RECEIVER.0 + 1;
const METRICS: usize = SOURCES + sources::TOKENS;
const DASHBOARD: usize = METRICS + SCRAPERS + 1;
const HOSTS: usize = DASHBOARD + VIEWERS + 1;

/// How long the loop sleeps: workers do not wake it (that would cost them a system call), so it looks.
/// A worker's queue of 65,536 events is full after 13 ms of 5 million events a second, the most that one worker makes: a burst
/// that begins while control sleeps at its longest finds more than half of that still free when control wakes.
const SLEEP_BUSY: Duration = Duration::from_millis(1);
const SLEEP_IDLE: Duration = Duration::from_millis(5);
/// How long log hosts are given to take what is left at the end.
const FAREWELL: Duration = Duration::from_secs(5);
/// What was committed, below the folder of what is kept over a restart.
const CONFIGURATIONS: &str = "config";
/// How often the workers' clock is compared with the kernel's.
const CLOCK: Duration = Duration::from_secs(1);

/// Runs the firewall until it is told to stop (SIGINT, SIGTERM). `compiled` was made of `file`, which is taken up again at
/// SIGHUP. `ready` is called once it forwards.
///
/// # Errors
/// Where it does not start, or a fault was found at its end.
pub fn run(file: &Path, mut compiled: Compiled, ready: impl FnOnce(&Compiled)) -> Result<(), RunError> {
    let mut poll = Poll::new().map_err(|error| RunError::System("cannot make a poll", error))?;
    let registry = poll.registry();
    let mut signals =
        Signals::new([SIGINT, SIGTERM, SIGHUP]).map_err(|error| RunError::System("cannot watch signals", error))?;
    registry
        .register(&mut signals, SIGNALS, Interest::READABLE)
        .map_err(|error| RunError::System("cannot watch signals", error))?;
    let mut notifier = Notifier::of_environment().unwrap_or_else(|error| {
        eprintln!("ostiary: warning: no service manager is told anything: {error}");
        Notifier::default()
    });
    let text = std::fs::read_to_string(file).map_err(|error| RunError::State(file.to_owned(), error))?;
    confine::begin(&compiled, file, &text).map_err(confined)?;
    // What can fail for want of a file or a right comes before the dataplane: nothing is half started.
    let mut manager = Manager::bind(&compiled.socket, registry, MANAGER)?;
    let sources = Sources::bind(compiled.syslog_socket.as_deref(), registry, Token(SOURCES))
        .map_err(|(what, error)| RunError::Sources(what, error))?;
    let metrics = compiled.metrics.as_ref().map(|config| {
        Metrics::bind(config, registry, METRICS).map_err(|error| RunError::Metrics(config.listen, error))
    });
    let mut metrics = metrics.transpose()?;
    let dashboard = compiled.dashboard.as_ref().map(|config| {
        Dashboard::bind(config, registry, DASHBOARD).map_err(|error| RunError::Dashboard(config.listen, error))
    });
    let mut dashboard = dashboard.transpose()?;
    let boot = BootId(random().map_err(|error| RunError::System("/dev/urandom", error))?);
    let seed = compiled.state.as_ref().and_then(keeper::seed);
    let seed = seed.map_or_else(random, Ok).map_err(|error| RunError::System("/dev/urandom", error))?;
    Arc::make_mut(&mut compiled.access.settings).seed = seed;
    let receiver = match compiled.access.receiver {
        Some(listen) => {
            let settings = Arc::clone(&compiled.access.settings);
            let bound = Receiver::bind(listen, settings, registry, RECEIVER);
            Some(bound.map_err(|error| RunError::Receiver(listen, error))?)
        }
        None => None,
    };
    compiled.make_user_table();
    let compiled = Arc::new(compiled);
    let policy = Arc::clone(&compiled.policy);
    // Before anything in it is looked at: another firewall may be at work there.
    let _ours = match &compiled.state {
        Some(state) => {
            let failed = |error| RunError::State(state.path().to_owned(), error);
            let ours = state.prepare().map_err(failed)?;
            state.keep_floor(&Floor::of(&compiled.database)).map_err(failed)?;
            Some(ours)
        }
        None => None,
    };
    let trail = Store::open(compiled.audit.clone(), &compiled.host_name, boot, time)?;
    // What is read and written from here on is what the configuration names.
    confine::enter(&compiled).map_err(confined)?;
    let exporters = Exporters::new(compiled.delivery(), boot, registry, Token(HOSTS))
        .map_err(|error| RunError::System("cannot make the log hosts' sockets", error))?;
    let mut opened = None;
    let mut store = None;
    if let Some(state) = &compiled.state {
        let folder = state.path().join(CONFIGURATIONS);
        let found = ConfigStore::open(&folder, file, &text, compiled.generations, wall_clock());
        let (kept, found) = found.map_err(|error| RunError::State(folder, error))?;
        let modified = kept.candidate().ok().flatten().is_some();
        (store, opened) = (Some(kept), Some((found, modified)));
    }
    let (config, database) = (compiled.dataplane.clone(), Arc::clone(&compiled.database));
    let settings = Arc::clone(&compiled.access.settings);
    let dataplane = confine::outside(move || Dataplane::start(&config, policy, database, settings))?;
    confine::ports_are_open(&compiled).map_err(confined)?;
    leave_workers_alone(&compiled.dataplane);
    let (one, other) = (compiled.dataplane.clone(), compiled.dataplane.clone());
    confine::outside(move || leave_workers_alone(&one));
    confine::lookup(move || leave_workers_alone(&other));
    let trail = trail.run()?;
    confine::finish().map_err(confined)?;
    let reloader = Reloader::start(file.to_owned(), Arc::clone(&compiled), text, store)
        .map_err(|error| RunError::System("cannot start a thread", error))?;
    let house = House::new(compiled, dataplane, exporters, trail, boot, reloader).with_receiver(receiver);
    let mut house = house.with_sources(sources).with_feed();
    house.trail_begins();
    house.tell_unaccounted();
    house.audit_start(file);
    if let Some((found, modified)) = &opened {
        house.open_configuration(found, *modified);
    }
    let mut ready = Some(ready);
    let mut pulse = Pulse::new(house.dataplane.counters(), notifier.watchdog(), Instant::now());

    let mut events = Events::with_capacity(256);
    let mut more = false;
    let mut clock = Instant::now();
    while !told_to_stop(&mut signals, &mut house) {
        let now = Instant::now();
        if now.duration_since(clock) >= CLOCK {
            house.dataplane.keep_time();
            house.watch_load();
            house.watch(now);
            house.watch_locks();
            clock = now;
        }
        let sleep = if more { Duration::ZERO } else { sleep(&house, &manager, now) };
        wait(&mut poll, &mut events, sleep)?;
        let now = Instant::now();
        for event in &events {
            match event.token() {
                SIGNALS => {}
                RECEIVER => house.wake_receiver(),
                token if house.wake_sources(token) => {}
                token if manager.owns(token) => manager.handle(event, now, &mut house),
                token if (METRICS..DASHBOARD).contains(&token.0) => {
                    if let Some(metrics) = &mut metrics {
                        metrics.handle(event, now, &|| house.measure(&manager));
                    }
                }
                token if (DASHBOARD..HOSTS).contains(&token.0) => {
                    if let Some(dashboard) = &mut dashboard {
                        let mut seen = Overlooked { house: &mut house, manager: &manager };
                        dashboard.handle(event, now, &mut seen);
                    }
                }
                token => house.exporters.event(token, event.is_readable(), event.is_writable()),
            }
        }
        more = house.take_events();
        more |= house.take_accounting();
        more |= house.take_sources(now);
        house.pass_time(now);
        house.turn_reload();
        for record in house.take_shown(manager.wanted()) {
            manager.publish(&record);
        }
        manager.turn(now, &mut house);
        watch_pulse(&mut pulse, &mut notifier, &house, now);
        if pulse.have_all_turned()
            && let Some(ready) = ready.take()
        {
            ready(&house.compiled);
            notifier.ready(&house.status());
        }
        // A sign of life: here, at the end of a turn of our own loop, and only where every core that polls turned since the last.
        if ready.is_none() && notifier.is_due(now) && pulse.all_turned() {
            notifier.feed(now);
        }
        if let Some(metrics) = &mut metrics {
            metrics.turn(now, &|| house.measure(&manager));
        }
        if let Some(dashboard) = &mut dashboard {
            dashboard.turn(now, &mut Overlooked { house: &mut house, manager: &manager });
        }
    }
    manager.stop(&mut house);
    notifier.stopping();
    stop(house, &mut notifier)
}

fn confined(error: io::Error) -> RunError {
    RunError::System("cannot give away what is not needed (see [system] confine)", error)
}

/// Says what stands still, and what is being taken up.
fn watch_pulse(pulse: &mut Pulse, notifier: &mut Notifier, house: &House, now: Instant) {
    for change in pulse.look(now) {
        let said = match change {
            Change::Stuck(at, since) => {
                let (name, core) = house.core(at);
                format!("{name} on core {core} has made no turn for {} s: no sign of life is given", since.as_secs())
            }
            Change::Back(at) => {
                let (name, core) = house.core(at);
                format!("{name} on core {core} turns again")
            }
        };
        eprintln!("ostiary: {said}");
        notifier.status(&said);
    }
    notifier.reloading(house.is_committing(), || house.status());
    notifier.turn();
}

/// Ends sessions, takes the workers' last events, gives the log hosts time to take what is left, and counts.
fn stop(mut house: House, notifier: &mut Notifier) -> Result<(), RunError> {
    // Each step below has a limit of its own, and is within the time that the service manager waits for a sign of life.
    let mut alive = || notifier.feed(Instant::now());
    // Before sessions end because we do: their users are still there.
    house.take_events();
    house.keep();
    house.dataplane.begin_stop();
    let mut at = Instant::now();
    while !house.dataplane.has_stopped() {
        if at.elapsed() >= CLOCK {
            alive();
            at = Instant::now();
        }
        house.take_events();
        house.pass_time(Instant::now());
        std::thread::sleep(SLEEP_BUSY);
    }
    while house.take_events() {
        house.pass_time(Instant::now());
    }
    house.take_sources(Instant::now());
    house.audit_stop();
    house.pass_time(Instant::now());
    alive();
    house.trail_ends(Instant::now() + FAREWELL);
    alive();
    let left = house.exporters.drain(Instant::now() + FAREWELL);
    alive();
    for loss in left.into_iter().chain(house.store.stop(Instant::now() + FAREWELL)) {
        let (count, class) = (loss.count, loss.class.text());
        match loss.place {
            LossPlace::Host(name)
            | LossPlace::Shutdown(name)
            | LossPlace::Spool(name)
            | LossPlace::Rate(name)
            | LossPlace::Crash(name) => {
                eprintln!("ostiary: {count} {class} records did not reach log host {name}");
            }
            LossPlace::Worker(worker) => eprintln!("ostiary: {count} {class} events of worker {worker} were lost"),
            LossPlace::Store(file) => eprintln!("ostiary: {count} {class} records are not in the trail's file {file}"),
        }
    }
    for notice in house.exporters.take_notices() {
        eprintln!("ostiary: {notice}");
    }
    let dataplane = house.dataplane;
    let report = confine::outside(move || dataplane.stop());
    if report.abandoned > 0 {
        eprintln!("ostiary: {} frames that had arrived were dropped at the stop", report.abandoned);
    }
    if report.is_clean() { Ok(()) } else { Err(RunError::Leak(report.pool.in_use)) }
}

/// Keeps this thread, and those that it starts from now on, off the CPUs of workers and dispatcher, where there are others:
/// one that has to share its CPU for a moment loses frames.
fn leave_workers_alone(config: &DataplaneConfig) {
    let Ok(mut cpus) = sched_getaffinity(None) else { return };
    for cpu in config.workers.iter().copied().chain(config.dispatcher).map(usize::from) {
        if cpu < CpuSet::MAX_CPU {
            cpus.unset(cpu);
        }
    }
    if cpus.count() > 0 {
        // Where it is refused, the kernel places us as it likes: slower, no less right.
        let _ = sched_setaffinity(None, &cpus);
    }
}

fn told_to_stop(signals: &mut Signals, house: &mut House) -> bool {
    let mut stop = false;
    for signal in signals.pending() {
        match signal {
            SIGHUP => house.reload_file(),
            _ => stop = true,
        }
    }
    stop
}

fn sleep(house: &House, manager: &Manager, now: Instant) -> Duration {
    let hosts = house.exporters.next_deadline().map(|at| at.saturating_duration_since(now));
    let idle = if house.is_quiet() && !house.reloads() { SLEEP_IDLE } else { SLEEP_BUSY };
    [hosts, manager.timeout()].into_iter().flatten().fold(idle, Duration::min)
}

fn wait(poll: &mut Poll, events: &mut Events, sleep: Duration) -> Result<(), RunError> {
    match poll.poll(events, Some(sleep)) {
        Err(error) if error.kind() != io::ErrorKind::Interrupted => Err(RunError::System("cannot poll", error)),
        _ => Ok(()),
    }
}

/// Nanoseconds since 1970.
fn wall_clock() -> u64 {
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
    u64::try_from(now.as_nanos()).unwrap_or(u64::MAX)
}

/// Now, of the system's clock.
fn time() -> Nanos {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    Nanos::from_parts(since.as_secs(), since.subsec_nanos())
}

fn random() -> io::Result<u64> {
    let mut octets = [0; 8];
    std::fs::File::open("/dev/urandom")?.read_exact(&mut octets)?;
    Ok(u64::from_ne_bytes(octets))
}
