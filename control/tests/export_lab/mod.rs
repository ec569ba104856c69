//! What the tests of the exporters share: the loop that drives them, records, collectors and certificates.
#![allow(dead_code, unused_imports, reason = "each test file uses a part of it")]
#![allow(clippy::unwrap_used, reason = "test code outside of test functions")]

mod bed;
mod collector;
mod namespace;
mod outage;
mod pki;
mod readers;
mod records;
mod relp_server;
mod rsyslog;
mod tls_front;

use std::fs;
use std::net::{SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use control::export::{
    BinaryOptions, Counts, Delivery, Exporters, Format, HostConfig, HostState, HostStatus, Notice, Target, Transport,
};
use control::record::{BootId, Class, Record};
use mio::{Events, Poll, Token};

pub use bed::{Bed, Mount, Program, Way};
pub use collector::Collector;
pub use namespace::Namespace;
pub use outage::{Outage, equipped, full_disk, outages, outages_in_memory};
pub use pki::Pki;
pub use readers::Reader;
pub use records::*;
pub use relp_server::{Manner, RelpServer, Seen};
pub use rsyslog::Rsyslog;
pub use tls_front::TlsFront;

/// No condition of these tests takes longer, on however slow a machine.
const PATIENCE: Duration = Duration::from_secs(90);

/// Waits for a condition of the world outside.
pub fn wait(what: &str, mut condition: impl FnMut() -> bool) {
    let start = Instant::now();
    while !condition() {
        assert!(start.elapsed() < PATIENCE, "waited in vain for {what}");
        thread::sleep(Duration::from_millis(5));
    }
}

/// The exporters and the loop of a control core.
pub struct Rig {
    poll: Poll,
    events: Events,
    pub exporters: Exporters,
    pub notices: Vec<Notice>,
}

impl Rig {
    pub fn new(hosts: Vec<HostConfig>) -> Self {
        Self::with(Delivery { hosts, ..Delivery::default() })
    }

    pub fn with(delivery: Delivery) -> Self {
        let poll = Poll::new().unwrap();
        let exporters = Exporters::new(delivery, BootId(0xb007), poll.registry(), Token(100)).unwrap();
        Self { poll, events: Events::with_capacity(64), exporters, notices: Vec::new() }
    }

    pub fn push(&mut self, record: &Arc<Record>) {
        self.exporters.push(record);
    }

    /// One turn of the loop.
    pub fn turn(&mut self) {
        let now = Instant::now();
        self.exporters.tick(now);
        let sleep = self.exporters.next_deadline().map_or(Duration::MAX, |due| due.saturating_duration_since(now));
        match self.poll.poll(&mut self.events, Some(sleep.min(Duration::from_millis(20)))) {
            // A process that was stopped for a moment.
            Err(error) if error.kind() == std::io::ErrorKind::Interrupted => return,
            other => other.unwrap(),
        }
        for event in &self.events {
            self.exporters.event(event.token(), event.is_readable(), event.is_writable());
        }
        self.notices.extend(self.exporters.take_notices());
        for status in self.exporters.status() {
            for class in &status.classes {
                assert!(class.counts.holds(), "{status:?}");
            }
        }
    }

    /// Turns until the condition holds.
    pub fn until(&mut self, what: &str, mut condition: impl FnMut(&Self) -> bool) {
        let start = Instant::now();
        while !condition(self) {
            assert!(
                start.elapsed() < PATIENCE,
                "waited in vain for {what}: {:#?}",
                (self.exporters.status(), &self.notices)
            );
            self.turn();
        }
    }

    pub fn status(&self, host: &str) -> HostStatus {
        self.exporters.status().into_iter().find(|status| &*status.name == host).unwrap()
    }

    pub fn counts(&self, host: &str, class: Class) -> Counts {
        self.status(host).classes.iter().find(|status| status.class == class).unwrap().counts
    }

    /// Until all that was pushed for a host is with its kernel.
    pub fn until_sent(&mut self, host: &str) {
        self.until("all records to be written", |rig| {
            rig.status(host).classes.iter().all(|class| class.counts.queued == 0)
        });
    }

    pub fn until_up(&mut self, host: &str) {
        self.until("the connection", |rig| rig.status(host).state == HostState::Up);
    }

    /// How many notices of a host hold that text.
    pub fn noticed(&self, host: &str, text: &str) -> usize {
        self.notices.iter().filter(|notice| &*notice.host == host && notice.text.contains(text)).count()
    }
}

/// A host that wants sign-ons and sessions in one format.
pub fn host(name: &str, address: SocketAddr, transport: Transport, format: Format) -> HostConfig {
    let records = vec![(Class::Session, format), (Class::Im, format)];
    let binary = BinaryOptions { observation_domain: 7, ..BinaryOptions::default() };
    let backoff = (Duration::from_millis(10), Duration::from_millis(100));
    let host = HostConfig::new(name, Target::Address(address), transport, records);
    HostConfig { host_name: "fw1".into(), backoff, binary, ..host }
}

pub fn loopback(port: u16) -> SocketAddr {
    SocketAddr::from(([127, 0, 0, 1], port))
}

/// A port of the loopback interface that was free a moment ago, for TCP and for UDP.
pub fn free_port() -> u16 {
    loop {
        let tcp = TcpListener::bind(loopback(0)).unwrap();
        let port = tcp.local_addr().unwrap().port();
        if std::net::UdpSocket::bind(loopback(port)).is_ok() {
            return port;
        }
    }
}
/// Whether all these programs are there; says which is not.
pub fn have(programs: &[&str]) -> bool {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let dirs: Vec<PathBuf> = std::env::split_paths(&path).chain(["/usr/sbin".into(), "/usr/bin".into()]).collect();
    let missing: Vec<&str> =
        programs.iter().copied().filter(|program| !dirs.iter().any(|dir| dir.join(program).is_file())).collect();
    if !missing.is_empty() {
        println!("skipped: {} not installed", missing.join(", "));
    }
    missing.is_empty()
}

/// The path of a program that [`have`] found.
pub fn program(name: &str) -> PathBuf {
    let sbin = Path::new("/usr/sbin").join(name);
    if sbin.is_file() { sbin } else { name.into() }
}

/// A program that is ended with the test.
pub struct Running(Child);

impl Running {
    pub fn start(command: &mut Command) -> Self {
        Self(command.stdin(Stdio::null()).stdout(Stdio::null()).spawn().unwrap())
    }

    pub fn id(&self) -> u32 {
        self.0.id()
    }

    pub fn signal(&self, signal: rustix::process::Signal) {
        let id = rustix::process::Pid::from_child(&self.0);
        rustix::process::kill_process(id, signal).unwrap();
    }

    /// SIGKILL.
    pub fn kill(mut self) {
        self.0.kill().unwrap();
        self.0.wait().unwrap();
    }

    /// SIGTERM, and waits until it is gone.
    pub fn terminate(mut self) {
        Command::new("kill").arg(self.0.id().to_string()).status().unwrap();
        self.0.wait().unwrap();
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Waits until a program listens on a UDP port.
pub fn wait_for_udp(port: u16) {
    let end = format!(":{port:04X} ");
    wait("a UDP listener", || fs::read_to_string("/proc/net/udp").unwrap().contains(&end));
}

/// Waits until a program listens on a TCP port, without connecting to it.
pub fn wait_for_tcp(port: u16) {
    let listening = format!(":{port:04X} 00000000:0000 0A");
    wait("a TCP listener", || fs::read_to_string("/proc/net/tcp").unwrap().contains(&listening));
}
/// Splits a stream of octet-counted messages; a message that is cut at the end is left out.
pub fn messages(mut stream: &[u8]) -> Vec<String> {
    let mut messages = Vec::new();
    while let Some(space) = stream.iter().position(|octet| *octet == b' ') {
        let length: usize = std::str::from_utf8(&stream[..space]).unwrap().parse().unwrap();
        let Some(message) = stream.get(space + 1..space + 1 + length) else { break };
        messages.push(String::from_utf8(message.to_vec()).unwrap());
        stream = &stream[space + 1 + length..];
    }
    messages
}

/// The value of a parameter of our structured data, unescaped.
pub fn parameter(message: &str, name: &str) -> Option<String> {
    let start = message.find(&format!(" {name}=\""))? + name.len() + 3;
    let mut value = String::new();
    let mut characters = message[start..].chars();
    loop {
        match characters.next()? {
            '"' => return Some(value),
            '\\' => value.push(characters.next()?),
            other => value.push(other),
        }
    }
}
