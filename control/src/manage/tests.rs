//! The management socket with real clients: each test runs a loop like the control core's on a thread of its own.

use std::io::{Read, Write};
use std::net::SocketAddr;
use std::ops::Range;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use crossbeam::channel::{Receiver, Sender, TrySendError};
use dataplane::command::SessionView;
use dataplane::endpoint::{Address, Endpoint, Tuple};
use dataplane::event::{SessionId, Volume};
use dataplane::policy::{PortId, RuleId};
use dataplane::route::{Mac, NeighbourView};
use dataplane::time::Nanos;
use mio::{Events, Poll};
use sigdb::AppId;
use tempfile::TempDir;

use super::configure::{ConfigView, Configure, Configured, Refusal, text_rows};
use super::protocol::{Action, Answer, LONG_REQUEST_LIMIT, Request};
use super::*;
use crate::audit::Query;
use crate::config::{self, Compiled};
use crate::export::Counts;
use crate::presence::access::{AccessAction, Person};
use crate::record::access::AccessRecord;
use crate::record::audit::{Occurrence, Origin};
use crate::record::sequence::Recorder;
use crate::record::{Body, BootId, Class, Record, sample};
use crate::trace::{Question, Tracing};

mod access;
mod log;
mod roles;
mod sessions;

/// What the loop and the test share.
#[derive(Default)]
struct Shared {
    stop: AtomicBool,
    /// Seconds that the loop's clock is ahead.
    ahead: AtomicU64,
    clients: AtomicUsize,
    dumps: AtomicUsize,
}

/// A control core with one worker that holds `sessions` sessions.
struct Core {
    folder: TempDir,
    path: PathBuf,
    shared: Arc<Shared>,
    trail: Arc<Mutex<Vec<Arc<Record>>>>,
    ended: Arc<Mutex<Vec<u32>>>,
    thread: Option<JoinHandle<()>>,
}

impl Core {
    fn with_sessions(sessions: u64) -> Self {
        let folder = TempDir::new().unwrap();
        let path = folder.path().join("run/ostiary.sock");
        let shared = Arc::new(Shared::default());
        let poll = Poll::new().unwrap();
        let manager = Manager::bind(&path, poll.registry(), 7).unwrap();
        let compiled = config::replay_default(Arc::default());
        let (trail, ended) = (Arc::default(), Arc::default());
        let recorder = Recorder::new(BootId(7), &compiled);
        let (trail_of, ended_of) = (Arc::clone(&trail), Arc::clone(&ended));
        let source = Fixture { compiled, recorder, trail: trail_of, ended: ended_of, sessions, dumps: Vec::new() };
        let thread = std::thread::spawn({
            let shared = Arc::clone(&shared);
            move || run(poll, manager, source, &shared)
        });
        Self { folder, path, shared, trail, ended, thread: Some(thread) }
    }

    fn rows(&self, request: &Request) -> (Vec<Answer>, bool) {
        let mut answers = super::request(&self.path, request).unwrap();
        let mut rows = Vec::new();
        while let Some(row) = answers.next_row().unwrap() {
            rows.push(row);
        }
        (rows, answers.more())
    }

    fn until(&self, what: &str, holds: impl Fn(&Shared) -> bool) {
        let start = Instant::now();
        while !holds(&self.shared) {
            assert!(start.elapsed() < Duration::from_secs(20), "never: {what}");
            std::thread::sleep(Duration::from_millis(1));
        }
    }
}

impl Drop for Core {
    fn drop(&mut self) {
        self.shared.stop.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            thread.join().unwrap();
        }
        assert!(!self.path.exists(), "the socket is removed at the end");
        assert!(self.folder.path().exists());
    }
}

fn run(mut poll: Poll, mut manager: Manager, mut source: Fixture, shared: &Shared) {
    let mut events = Events::with_capacity(64);
    let mut published = 0;
    while !shared.stop.load(Ordering::Relaxed) {
        let timeout = manager.timeout().unwrap_or(Duration::from_millis(5)).min(Duration::from_millis(5));
        poll.poll(&mut events, Some(timeout)).unwrap();
        let now = Instant::now() + Duration::from_secs(shared.ahead.load(Ordering::Relaxed));
        for event in &events {
            assert!(manager.owns(event.token()));
            manager.handle(event, now, &mut source);
        }
        source.work();
        let made: Vec<_> = source.trail.lock().unwrap().iter().skip(published).cloned().collect();
        made.iter().for_each(|record| manager.publish(record));
        published += made.len();
        manager.turn(now, &mut source);
        let (clients, dumps, _) = manager.clients();
        shared.clients.store(clients, Ordering::Relaxed);
        shared.dumps.store(dumps + source.dumps.len(), Ordering::Relaxed);
    }
}

struct Fixture {
    compiled: Compiled,
    recorder: Recorder,
    trail: Arc<Mutex<Vec<Arc<Record>>>>,
    ended: Arc<Mutex<Vec<u32>>>,
    sessions: u64,
    dumps: Vec<(Sender<SessionView>, u64)>,
}

impl Fixture {
    /// What a worker does in a turn: it sends what the queue takes, and forgets dumps whose reader is gone.
    fn work(&mut self) {
        let sessions = self.sessions;
        self.dumps.retain_mut(|(sender, next)| {
            while *next < sessions {
                match sender.try_send(view(*next)) {
                    Ok(()) => *next += 1,
                    Err(TrySendError::Full(_)) => return true,
                    Err(TrySendError::Disconnected(_)) => return false,
                }
            }
            false
        });
    }
}

fn view(number: u64) -> SessionView {
    let end = |port| Endpoint { address: Address::v4([10, 0, 0, 1]), port };
    SessionView {
        session: SessionId(number),
        tuple: Tuple { client: end(40_000), server: end(443), protocol: 6, svlan: 7, cvlan: 0 },
        translation: None,
        rule: RuleId(0),
        application: AppId::UNKNOWN,
        ports: (0, 1),
        start: Nanos::from_parts(1_700_000_000, 0),
        last: Nanos::from_parts(1_700_000_001, 5_000),
        state: "established",
        to_server: Volume { packets: 3, octets: 300 },
        to_client: Volume { packets: 2, octets: 200 },
    }
}

impl Source for Fixture {
    fn compiled(&self) -> &Compiled {
        &self.compiled
    }

    fn reload(&mut self, _asker: &Asker) -> Receiver<Result<ReloadRow, String>> {
        let (answer, receiver) = crossbeam::channel::bounded(1);
        let version = self.sessions;
        let row = ReloadRow { version, rules: 2, memory: 3_000, milliseconds: 4, ..ReloadRow::default() };
        answer.send(if version == 0 { Err("a fault".to_owned()) } else { Ok(row) }).unwrap();
        receiver
    }

    fn configure(&mut self, request: Configure, _asker: &Asker) -> Receiver<Configured> {
        let (sender, receiver) = crossbeam::channel::bounded(1);
        let _ = sender.try_send(match request {
            Configure::Show(ConfigView::Configuration { source }) => Ok(text_rows(&source)),
            _ => Err(Refusal::new("lock-denied", "somebody edits")),
        });
        receiver
    }

    fn dump(&mut self, into: Sender<SessionView>) {
        self.dumps.push((into, 0));
    }

    fn trace(&mut self, question: &Question) -> Result<Tracing, String> {
        let example = Arc::new(question.prepare(&self.compiled, |_| None)?);
        let trace = crate::runtime::scratch(&self.compiled).trace_example(Nanos(1), &example);
        let (to, answers) = crossbeam::channel::bounded(1);
        to.send(trace).unwrap();
        Ok(Tracing::new(example, answers))
    }

    fn im(&self, limit: usize) -> ImTable {
        let row = ImRow {
            application: "qq".into(),
            account: Some("10001".into()),
            client: "10.0.0.1".into(),
            server: "10.0.0.9:8000".into(),
            rule: "replay".into(),
            evidence: "login".into(),
            since: "2026-01-01T00:00:00.000000Z".into(),
            last: "2026-01-01T00:00:00.000000Z".into(),
        };
        ImTable { rows: vec![row; limit.min(3)], more: limit < 3 }
    }

    fn statistics(&self) -> Statistics {
        Statistics {
            version: "0".into(),
            boot: "00".into(),
            host_name: "fw".into(),
            started: "2026-01-01T00:00:00.000000Z".into(),
            policy: ReloadRow::default(),
            online: 3,
            pool: PoolRow { size: 1_024, in_use: 3 },
            cores: Vec::new(),
            records: Vec::new(),
            hosts: Vec::new(),
        }
    }

    fn access_statistics(&self, class: Class) -> AccessStatisticsRow {
        AccessStatisticsRow {
            class: class.text().to_owned(),
            since: "2026-01-01T00:00:00.000000Z".into(),
            users: self.sessions,
            lost_events: 0,
            received: 9,
            sent: 9,
            hosts: Vec::new(),
            sources: Vec::new(),
            table: None,
            receiver: None,
        }
    }

    fn access_buffer(&self, _class: Class) -> Vec<AccessBufferRow> {
        vec![AccessBufferRow { host: "nms".into(), waiting: 8, reading: 0, writing: 1, record: 1 }]
    }

    fn access_waiting(&self, _class: Class, places: Range<u64>) -> Vec<WaitingRow> {
        let record = sample::access(AccessAction::Login);
        (0..8).filter(|place| places.contains(place)).map(|place| WaitingRow::new("nms", place, &record)).collect()
    }

    fn log_hosts(&self) -> Vec<LogHostRow> {
        Vec::new()
    }

    fn has_log_host(&self, host: &str) -> bool {
        host == "siem"
    }

    fn log_statistics(&self, host: Option<&str>, class: Option<Class>) -> Vec<LogStatisticsRow> {
        let (counts, class) =
            (Counts { generated: 3, acknowledged: 3, ..Counts::default() }, class.unwrap_or(Class::Im));
        vec![LogStatisticsRow::since(host.unwrap_or("siem"), class, Nanos(0), counts, Counts::default())]
    }

    fn log_buffer(&self, _host: Option<&str>) -> Vec<LogBufferRow> {
        vec![LogBufferRow::new("siem", Class::Im, &Counts { queued: 8, ..Counts::default() }, None)]
    }

    fn log_waiting(&self, host: &str, limit: usize) -> (Vec<LogWaitingRow>, bool) {
        let record = sample::login("10001");
        ((0..8).take(limit).map(|place| LogWaitingRow::new(host, place, &record)).collect(), limit < 8)
    }

    fn users(&self, filter: &UserFilter, from: usize, most: usize) -> UserPage {
        let Body::Access(AccessRecord { user, .. }) = sample::access(AccessAction::Login).body else {
            panic!("a user")
        };
        let names = &self.compiled.names;
        let person = Person { user, others: Vec::new() };
        let all = self.sessions as usize;
        let here = (from..all).take(most).filter(|_| filter.takes(&person, names));
        UserPage {
            rows: here.map(|_| UserRow::new(&person, vec!["gold".to_owned()], names)).collect(),
            ends: from + most > all,
        }
    }

    fn rotate_trail(&mut self, _file: &str) -> Result<(), String> {
        Ok(())
    }

    fn upload_trail(&mut self, file: &str) -> Result<(), String> {
        Err(format!("audit.file {file:?} has no archive.sites"))
    }

    fn reset_statistics(&mut self, class: Class, asker: &Asker) -> Result<ResetRow, String> {
        assert_eq!(asker.peer.pid as u32, std::process::id());
        Ok(ResetRow { class: class.text().to_owned(), since: "2026-01-01T00:00:00.000000Z".into() })
    }

    fn reset_log_statistics(&mut self, host: Option<&str>, _asker: &Asker) -> Result<ResetRow, String> {
        let class = host.map_or("log".to_owned(), |host| format!("log host {host}"));
        Ok(ResetRow { class, since: "2026-01-01T00:00:00.000000Z".into() })
    }

    fn workers(&self) -> Vec<WorkerRow> {
        let counters = [("packets_received".to_owned(), 42)].into();
        vec![WorkerRow { worker: 0, core: 1, counters }]
    }

    fn nat(&self) -> Vec<NatRow> {
        Vec::new()
    }

    fn ports(&self) -> Vec<PortRow> {
        Vec::new()
    }

    fn interfaces(&self) -> Vec<InterfaceRow> {
        Vec::new()
    }

    fn neighbours(&mut self, into: Sender<NeighbourView>) {
        for last in 1..=3 {
            let (address, mac) = (Address::v4([192, 0, 2, last]), Some(Mac([2, 0, 0, 0, 0, last])));
            let view = NeighbourView { port: PortId(1), address, mac, state: "reachable", waiting: 0 };
            into.try_send(view).unwrap();
        }
    }

    fn now(&self) -> Nanos {
        let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap();
        Nanos::from_parts(since.as_secs(), since.subsec_nanos())
    }

    fn boot(&self) -> String {
        "00".to_owned()
    }

    fn audit(&mut self, occurrence: Occurrence) -> u64 {
        let record = Arc::new(self.recorder.audit(occurrence));
        self.trail.lock().unwrap().push(Arc::clone(&record));
        record.sequence
    }

    fn want(&mut self, _wanted: Wanted) {}

    fn login(&mut self, processes: &[i32]) -> Option<Origin> {
        let own = std::process::id() as i32;
        processes.contains(&own).then(|| Origin::from("192.0.2.7:50000".parse::<SocketAddr>().unwrap()))
    }

    fn kept(&self, _sequence: u64) -> Option<Result<(), String>> {
        Some(Ok(()))
    }

    fn replay(&mut self, query: Query) -> Result<Receiver<Box<str>>, String> {
        assert_eq!(query.file, "audit");
        let (sender, receiver) = crossbeam::channel::unbounded();
        let until = query.until_sequence.unwrap().1;
        for record in self.trail.lock().unwrap().iter().filter(|record| record.sequence <= until) {
            let mut line = Vec::new();
            crate::record::json::write(&mut line, record);
            sender.send(String::from_utf8(line).unwrap().into()).unwrap();
        }
        Ok(receiver)
    }

    fn widest_file(&self) -> Result<String, String> {
        Err("nothing keeps all".to_owned())
    }

    fn session_ended(&mut self, session: u32) {
        self.ended.lock().unwrap().push(session);
    }
}

#[test]
fn each_view_is_answered() {
    let core = Core::with_sessions(1);
    let (rows, more) = core.rows(&Request::Counters {});
    assert!(matches!(&rows[..], [Answer::Worker(row)] if row.counters["packets_received"] == 42) && !more);
    let (rows, _) = core.rows(&Request::Statistics {});
    assert!(matches!(&rows[..], [Answer::Statistics(row)] if row.online == 3));
    let (rows, _) = core.rows(&Request::Ports {});
    assert_eq!(rows, []);
    assert_eq!(core.rows(&Request::Interfaces {}).0, []);
    assert_eq!(core.rows(&Request::Routes {}).0, []);
    let (rows, more) = core.rows(&Request::Neighbours { limit: 2 });
    let is_first = |row: &NeighbourRow| {
        (&*row.address, row.mac.as_deref(), &*row.interface) == ("192.0.2.1", Some("02:00:00:00:00:01"), "outside")
    };
    assert!(matches!(&rows[..], [Answer::Neighbour(row), _] if is_first(row)) && more);
    let (rows, _) = core.rows(&Request::Sigdb {});
    assert!(matches!(&rows[..], [Answer::Sigdb(row)] if row.file == "(built in)"));
    let (rows, _) = core.rows(&Request::Policy {});
    let names: Vec<_> = rows.iter().map(|row| if let Answer::Rule(rule) = row { &*rule.name } else { "" }).collect();
    assert_eq!(names, ["replay", "implicit-deny"]);
    let (rows, more) = core.rows(&Request::Im { limit: 2 });
    assert!(rows.len() == 2 && more);
    let (rows, more) = core.rows(&Request::Im { limit: 5 });
    assert!(rows.len() == 3 && !more);
}

#[test]
fn a_session_is_shown_with_its_names() {
    let core = Core::with_sessions(1);
    let (rows, more) = core.rows(&Request::Sessions { limit: 1 });
    let [Answer::Session(row)] = &rows[..] else { panic!("{rows:?}") };
    assert!(!more);
    assert_eq!((&*row.protocol, &*row.client, &*row.server), ("tcp", "10.0.0.1:40000", "10.0.0.1:443"));
    assert_eq!((&*row.rule, &*row.application, &*row.state), ("replay", "unknown", "established"));
    assert_eq!((&*row.client_interface, &*row.server_zone, row.svlan), ("inside", "outside", 7));
    assert_eq!(row.last, "2023-11-14T22:13:21.000005Z");
    assert_eq!((row.to_server_packets, row.to_client_octets), (3, 200));
}

#[test]
fn a_limit_says_whether_there_are_others() {
    let core = Core::with_sessions(5_000);
    let (rows, more) = core.rows(&Request::Sessions { limit: 4_999 });
    assert_eq!((rows.len(), more), (4_999, true));
    let (rows, more) = core.rows(&Request::Sessions { limit: 5_000 });
    assert_eq!((rows.len(), more), (5_000, false));
    let (rows, more) = core.rows(&Request::Sessions { limit: 0 });
    assert_eq!((rows.len(), more), (0, true));
    core.until("no dump is left", |shared| shared.dumps.load(Ordering::Relaxed) == 0);
}

#[test]
fn requests_on_one_connection_are_answered_in_order() {
    let core = Core::with_sessions(2);
    let mut stream = UnixStream::connect(&core.path).unwrap();
    stream.write_all(b"{\"show\":\"ports\"}\nnonsense\n{\"show\":\"sess").unwrap();
    stream.write_all(b"ions\",\"limit\":1}\n").unwrap();
    stream.shutdown(std::net::Shutdown::Write).unwrap();
    let mut text = String::new();
    stream.read_to_string(&mut text).unwrap();
    let lines: Vec<_> = text.lines().collect();
    assert_eq!(lines.len(), 4, "{text}");
    assert_eq!(lines[0], r#"{"end":{"rows":0,"more":false}}"#);
    assert!(lines[1].starts_with(r#"{"error":"not understood: "#), "{text}");
    assert!(lines[2].starts_with(r#"{"session":{"session":0,"protocol":"tcp","#), "{text}");
    assert_eq!(lines[3], r#"{"end":{"rows":1,"more":true}}"#);
}

#[test]
fn a_line_without_end_is_refused() {
    let core = Core::with_sessions(0);
    let mut stream = UnixStream::connect(&core.path).unwrap();
    stream.write_all(&vec![b' '; LONG_REQUEST_LIMIT]).unwrap();
    let mut text = String::new();
    stream.read_to_string(&mut text).unwrap();
    let refused: serde_json::Value = serde_json::from_str(&text).unwrap();
    assert_eq!(refused["error"]["tag"], "too-big");
    assert_eq!(refused["error"]["text"], format!("a request is a line of at most {LONG_REQUEST_LIMIT} octets"));
}

#[test]
fn a_client_that_does_not_read_holds_up_nobody_and_is_cut_off() {
    let core = Core::with_sessions(1_000_000);
    let mut slow = UnixStream::connect(&core.path).unwrap();
    slow.write_all(b"{\"show\":\"sessions\",\"limit\":1000000}\n").unwrap();
    core.until("the dump begins", |shared| shared.dumps.load(Ordering::Relaxed) > 0);
    for _ in 0..100 {
        assert_eq!(core.rows(&Request::Counters {}).0.len(), 1);
    }
    core.until("only the slow one is left", |shared| shared.clients.load(Ordering::Relaxed) == 1);
    core.shared.ahead.store(3_600, Ordering::Relaxed);
    core.until("it is cut off", |shared| shared.clients.load(Ordering::Relaxed) == 0);
    core.until("its dump ends", |shared| shared.dumps.load(Ordering::Relaxed) == 0);
    let mut text = Vec::new();
    slow.read_to_end(&mut text).unwrap();
    assert!(!text.is_empty() && !String::from_utf8_lossy(&text).contains("\"end\""));
}

#[test]
fn too_many_clients_are_told_so() {
    let core = Core::with_sessions(0);
    let held: Vec<_> = (0..CLIENTS).map(|_| UnixStream::connect(&core.path).unwrap()).collect();
    core.until("all are in", |shared| shared.clients.load(Ordering::Relaxed) == CLIENTS);
    let refusal = request(&core.path, &Request::Ports {}).unwrap().next_row().unwrap_err();
    assert!(matches!(refusal, ClientError::Refused(_)), "{refusal}");
    drop(held);
    core.until("all are gone", |shared| shared.clients.load(Ordering::Relaxed) == 0);
    assert_eq!(core.rows(&Request::Ports {}).0, []);
}

#[test]
fn the_socket_is_for_owner_and_group() {
    let core = Core::with_sessions(0);
    let mode = std::fs::metadata(&core.path).unwrap().permissions().mode();
    assert_eq!(mode & 0o7777, 0o660);
}

#[test]
fn a_socket_in_use_is_left_alone_and_a_stale_one_replaced() {
    let core = Core::with_sessions(0);
    let poll = Poll::new().unwrap();
    assert!(matches!(Manager::bind(&core.path, poll.registry(), 0), Err(BindError::InUse(path)) if path == core.path));
    assert_eq!(core.rows(&Request::Ports {}).0, []);

    let stale = core.folder.path().join("stale.sock");
    drop(std::os::unix::net::UnixListener::bind(&stale).unwrap());
    assert!(stale.exists());
    drop(Manager::bind(&stale, poll.registry(), 0).unwrap());
    assert!(!stale.exists());

    let file = core.folder.path().join("file");
    std::fs::write(&file, "kept").unwrap();
    assert!(matches!(Manager::bind(&file, poll.registry(), 0), Err(BindError::NotASocket(_))));
    assert_eq!(std::fs::read_to_string(&file).unwrap(), "kept");
    let below_a_file = file.join("socket");
    assert!(matches!(Manager::bind(&below_a_file, poll.registry(), 0), Err(BindError::Io { .. })));
}

#[test]
fn without_a_server_the_client_says_so() {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("none.sock");
    let missing = request(&path, &Request::Ports {}).unwrap_err();
    assert!(matches!(missing, ClientError::NotRunning(_)), "{missing}");
    drop(std::os::unix::net::UnixListener::bind(&path).unwrap());
    let dead = request(&path, &Request::Ports {}).unwrap_err();
    assert!(matches!(dead, ClientError::NotRunning(_)), "{dead}");
}

#[test]
fn a_reload_is_answered_with_what_came_of_it() {
    let core = Core::with_sessions(7);
    let mut answers = super::request(&core.path, &Action::Reload {}).unwrap();
    let Some(Answer::Reload(row)) = answers.next_row().unwrap() else { panic!("no row") };
    assert_eq!(row.to_string(), "policy 7 in force since : 2 rules, 3 KiB, compiled in 4 ms");
    assert!(answers.next_row().unwrap().is_none());

    let core = Core::with_sessions(0);
    let refused = super::request(&core.path, &Action::Reload {}).unwrap().next_row();
    assert_eq!(refused.unwrap_err().to_string(), "ostiary says: a fault");
}
