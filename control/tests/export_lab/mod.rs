//! What the tests of the exporters share: the loop that drives them, records, collectors and certificates.
#![allow(dead_code, reason = "each test file uses a part of it")]
#![allow(clippy::unwrap_used, reason = "test code outside of test functions")]

use std::fs;
use std::io::Read as _;
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use control::export::{
    Counts, Exporters, Format, Framing, HostConfig, HostState, HostStatus, Notice, TlsPolicy, TlsVersion, Transport,
};
use control::record::{
    Body, BootId, Class, FlowContext, ImAction, ImReason, ImRecord, Record, SessionAction, SessionRecord,
};
use dataplane::endpoint::{Endpoint, Tuple};
use dataplane::event::{CloseReason, SessionId, Volume};
use dataplane::time::Nanos;
use mio::{Events, Poll, Token};

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
        let poll = Poll::new().unwrap();
        let exporters = Exporters::new(hosts, poll.registry(), Token(100)).unwrap();
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
        self.poll.poll(&mut self.events, Some(sleep.min(Duration::from_millis(20)))).unwrap();
        for event in &self.events {
            let readable = event.is_readable() || event.is_read_closed() || event.is_error();
            let writable = event.is_writable() || event.is_write_closed() || event.is_error();
            self.exporters.event(event.token(), readable, writable);
        }
        self.notices.extend(self.exporters.take_notices());
        for status in self.exporters.status() {
            for class in &status.classes {
                let Counts { pushed, sent, dropped, queued, .. } = class.counts;
                assert_eq!(pushed, sent + dropped + queued, "{status:?}");
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
    HostConfig {
        name: name.into(),
        address,
        transport,
        framing: Framing::OctetCounting,
        records: vec![(Class::Session, format), (Class::Im, format)],
        queue: 100_000,
        observation_domain: 7,
        host_name: "fw1".into(),
        time_zone: None,
        backoff: (Duration::from_millis(10), Duration::from_millis(100)),
    }
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

pub const BOOT: BootId = BootId(0x00c0_ffee_00c0_ffee);

fn flow(client: &str, server: &str, protocol: u8, application: &str) -> FlowContext {
    let end = |text: &str| {
        let socket: SocketAddr = text.parse().unwrap();
        Endpoint { address: socket.ip().into(), port: socket.port() }
    };
    FlowContext {
        session: SessionId(1 << 48 | 3),
        tuple: Tuple { client: end(client), server: end(server), protocol, svlan: 101, cvlan: 0 },
        rule: "staff-im".into(),
        application: application.into(),
        interfaces: ("inside".into(), "outside".into()),
        zones: ("trust".into(), "untrust".into()),
    }
}

pub fn flow_v4() -> FlowContext {
    flow("10.1.2.3:4001", "192.0.2.9:8000", 17, "qq")
}

pub fn flow_v6() -> FlowContext {
    flow("[2001:db8::1]:4002", "[2001:db8::2]:443", 6, "wechat")
}

/// 2026-03-01T08:15:30.000125Z.
pub const TIME: Nanos = Nanos::from_parts(1_772_352_930, 125_000);

fn record(sequence: u64, body: Body) -> Arc<Record> {
    Arc::new(Record { boot: BOOT, sequence, time: TIME, body })
}

pub fn login(sequence: u64, account: &str) -> Arc<Record> {
    sign_on(sequence, flow_v4(), ImAction::Login, Some(account))
}

pub fn sign_on(sequence: u64, flow: FlowContext, action: ImAction, account: Option<&str>) -> Arc<Record> {
    let online = (action == ImAction::Logout).then_some(Duration::from_millis(61_005));
    let reason = ImReason::Message;
    let account = account.map(Into::into);
    record(sequence, Body::Im(ImRecord { flow, action, reason, account, online, signatures: "2026.03.01".into() }))
}

pub fn create(sequence: u64, flow: FlowContext) -> Arc<Record> {
    record(sequence, Body::Session(SessionRecord { flow, action: SessionAction::Create }))
}

pub fn deny(sequence: u64, flow: FlowContext) -> Arc<Record> {
    record(sequence, Body::Session(SessionRecord { flow, action: SessionAction::Deny }))
}

pub fn close(sequence: u64, flow: FlowContext) -> Arc<Record> {
    let action = SessionAction::Close {
        reason: CloseReason::Fin,
        start: TIME - Duration::from_secs(10),
        to_server: Volume { packets: 5, octets: 700 },
        to_client: Volume { packets: 6, octets: 6_000 },
    };
    record(sequence, Body::Session(SessionRecord { flow, action }))
}

/// One of each kind and family, numbered from 1.
pub fn one_of_each() -> Vec<Arc<Record>> {
    let (v4, v6) = (flow_v4, flow_v6);
    vec![
        create(1, v4()),
        create(2, v6()),
        close(3, v4()),
        close(4, v6()),
        deny(5, v4()),
        deny(6, v6()),
        login(7, "10001"),
        sign_on(8, v6(), ImAction::Logout, None),
        sign_on(9, v4(), ImAction::Result { success: false }, Some("10001")),
        sign_on(10, v4(), ImAction::Seen, Some("a\"b\\c]d\n企鹅")),
    ]
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

/// A TCP collector of our own, for what no real one does on demand: reads everything, or nothing.
pub struct Collector {
    pub address: SocketAddr,
    reading: Arc<AtomicBool>,
    ending: Arc<AtomicBool>,
    thread: Option<thread::JoinHandle<Vec<Vec<u8>>>>,
}

impl Collector {
    /// Listens; reads from each connection as long as `reading` is set.
    pub fn listen(address: SocketAddr, reading: bool) -> Self {
        let listener = TcpListener::bind(address).unwrap();
        listener.set_nonblocking(true).unwrap();
        let address = listener.local_addr().unwrap();
        let (reading, ending) = (Arc::new(AtomicBool::new(reading)), Arc::new(AtomicBool::new(false)));
        let (reads, ends) = (Arc::clone(&reading), Arc::clone(&ending));
        let thread = thread::spawn(move || collect(&listener, &reads, &ends));
        Self { address, reading, ending, thread: Some(thread) }
    }

    pub fn read_from_now_on(&self) {
        self.reading.store(true, Ordering::SeqCst);
    }

    /// Ends listener and connections, unread data and all; gives what each connection brought.
    pub fn end(mut self) -> Vec<Vec<u8>> {
        self.ending.store(true, Ordering::SeqCst);
        self.thread.take().unwrap().join().unwrap()
    }
}

fn collect(listener: &TcpListener, reading: &AtomicBool, ending: &AtomicBool) -> Vec<Vec<u8>> {
    let mut connections: Vec<(TcpStream, Vec<u8>)> = Vec::new();
    let mut buffer = vec![0; 64 * 1024];
    while !ending.load(Ordering::SeqCst) {
        let mut idle = true;
        while let Ok((stream, _)) = listener.accept() {
            stream.set_nonblocking(true).unwrap();
            connections.push((stream, Vec::new()));
        }
        if reading.load(Ordering::SeqCst) {
            for (stream, got) in &mut connections {
                if let Ok(octets @ 1..) = stream.read(&mut buffer) {
                    got.extend_from_slice(&buffer[..octets]);
                    idle = false;
                }
            }
        }
        if idle {
            thread::sleep(Duration::from_millis(1));
        }
    }
    connections.into_iter().map(|(_, got)| got).collect()
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

type Authority = rcgen::CertifiedIssuer<'static, rcgen::KeyPair>;

/// Certificates for one test, made anew.
pub struct Pki {
    pub dir: tempfile::TempDir,
    ca: Authority,
}

impl Pki {
    /// An authority (`ca.pem`), a server's certificate for `collector.test` and 127.0.0.1 (`server.pem`, serial 11), one that
    /// has expired (`expired.pem`), a client's (`client.pem`) and
    /// one that another authority signed (`stranger.pem`), lists that revoke nobody (`good.crl`) and the server
    /// (`revoked.crl`), and another authority (`other-ca.pem`). Keys are beside them (`.key`).
    pub fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let ca = authority("Test authority");
        let other = authority("Another authority");
        fs::write(dir.path().join("other-ca.pem"), other.pem()).unwrap();
        fs::write(dir.path().join("ca.pem"), ca.pem()).unwrap();
        let pki = Self { dir, ca };
        pki.issue("server", 11, rcgen::ExtendedKeyUsagePurpose::ServerAuth, 2096, &pki.ca);
        pki.issue("expired", 12, rcgen::ExtendedKeyUsagePurpose::ServerAuth, 2024, &pki.ca);
        pki.issue("client", 13, rcgen::ExtendedKeyUsagePurpose::ClientAuth, 2096, &pki.ca);
        pki.issue("stranger", 14, rcgen::ExtendedKeyUsagePurpose::ClientAuth, 2096, &other);
        pki.revoke("good", &[]);
        pki.revoke("revoked", &[11]);
        pki
    }

    pub fn path(&self, file: &str) -> PathBuf {
        self.dir.path().join(file)
    }

    fn issue(
        &self,
        name: &str,
        serial: u64,
        purpose: rcgen::ExtendedKeyUsagePurpose,
        until: i32,
        authority: &Authority,
    ) {
        let names = if purpose == rcgen::ExtendedKeyUsagePurpose::ClientAuth {
            vec!["fw1.test".into()]
        } else {
            vec!["collector.test".into(), "127.0.0.1".into()]
        };
        let mut parameters = rcgen::CertificateParams::new(names).unwrap();
        parameters.distinguished_name.push(rcgen::DnType::CommonName, format!("{name}.test"));
        parameters.serial_number = Some(serial.into());
        parameters.extended_key_usages = vec![purpose];
        parameters.not_before = rcgen::date_time_ymd(2020, 1, 1);
        parameters.not_after = rcgen::date_time_ymd(until, 1, 1);
        let key = rcgen::KeyPair::generate().unwrap();
        let certificate = parameters.signed_by(&key, authority).unwrap();
        fs::write(self.path(&format!("{name}.pem")), certificate.pem()).unwrap();
        fs::write(self.path(&format!("{name}.key")), key.serialize_pem()).unwrap();
    }

    fn revoke(&self, name: &str, serials: &[u64]) {
        let revoked = |serial: &u64| rcgen::RevokedCertParams {
            serial_number: (*serial).into(),
            revocation_time: rcgen::date_time_ymd(2025, 1, 1),
            reason_code: Some(rcgen::RevocationReason::KeyCompromise),
            invalidity_date: None,
        };
        let list = rcgen::CertificateRevocationListParams {
            this_update: rcgen::date_time_ymd(2025, 1, 1),
            next_update: rcgen::date_time_ymd(2096, 1, 1),
            crl_number: 1_u64.into(),
            issuing_distribution_point: None,
            revoked_certs: serials.iter().map(revoked).collect(),
            key_identifier_method: rcgen::KeyIdMethod::Sha256,
        };
        fs::write(self.path(&format!("{name}.crl")), list.signed_by(&self.ca).unwrap().pem().unwrap()).unwrap();
    }

    /// A policy that fits the server.
    pub fn policy(&self) -> TlsPolicy {
        TlsPolicy {
            name: "lab".into(),
            ca: self.path("ca.pem"),
            client: Some((self.path("client.pem"), self.path("client.key"))),
            server_name: Some("collector.test".into()),
            crl: vec![self.path("good.crl")],
            versions: (TlsVersion::V1_2, TlsVersion::V1_3),
        }
    }
}

fn authority(name: &str) -> Authority {
    let mut parameters = rcgen::CertificateParams::default();
    parameters.distinguished_name.push(rcgen::DnType::CommonName, name);
    parameters.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
    parameters.key_usages = vec![rcgen::KeyUsagePurpose::KeyCertSign, rcgen::KeyUsagePurpose::CrlSign];
    rcgen::CertifiedIssuer::self_signed(parameters, rcgen::KeyPair::generate().unwrap()).unwrap()
}

/// A real rsyslogd on loopback, writing what it understood as JSON lines.
pub struct Rsyslog {
    dir: tempfile::TempDir,
    pub port: u16,
    input: String,
    running: Option<Running>,
}

impl Rsyslog {
    pub fn udp() -> Self {
        Self::start("module(load=\"imudp\") input(type=\"imudp\" address=\"127.0.0.1\" port=\"@PORT@\")".into(), true)
    }

    /// Takes octet counting and LF.
    pub fn tcp() -> Self {
        let input = "module(load=\"imptcp\") input(type=\"imptcp\" address=\"127.0.0.1\" port=\"@PORT@\")";
        Self::start(input.into(), false)
    }

    /// With that certificate, for clients with the certificate of `fw1.test`.
    pub fn tls(pki: &Pki, certificate: &str) -> Self {
        let path = |file: String| pki.path(&file).display().to_string();
        Self::start(
            format!(
                "global(defaultNetstreamDriverCAFile=\"{}\" defaultNetstreamDriverCertFile=\"{}\" \
                 defaultNetstreamDriverKeyFile=\"{}\")\n\
                 module(load=\"imtcp\" StreamDriver.Name=\"gtls\" StreamDriver.Mode=\"1\" \
                 StreamDriver.AuthMode=\"x509/name\" PermittedPeer=[\"fw1.test\"])\n\
                 input(type=\"imtcp\" address=\"127.0.0.1\" port=\"@PORT@\")",
                path("ca.pem".into()),
                path(format!("{certificate}.pem")),
                path(format!("{certificate}.key")),
            ),
            false,
        )
    }

    fn start(input: String, udp: bool) -> Self {
        let mut this = Self { dir: tempfile::tempdir().unwrap(), port: free_port(), input, running: None };
        this.restart();
        if udp {
            wait_for_udp(this.port);
        }
        this
    }

    /// Starts it on the same port and file.
    pub fn restart(&mut self) {
        let dir = self.dir.path().display();
        let input = self.input.replace("@PORT@", &self.port.to_string());
        let property = |name: &str, of: &str| format!(" property(outname=\"{name}\" name=\"{of}\" format=\"jsonf\")");
        let properties: String = [
            ("pri", "pri"),
            ("host", "hostname"),
            ("app", "app-name"),
            ("pid", "procid"),
            ("id", "msgid"),
            ("sd", "structured-data"),
            ("msg", "msg"),
        ]
        .iter()
        .map(|(name, of)| property(name, of))
        .collect();
        let configuration = format!(
            "global(workDirectory=\"{dir}\" maxMessageSize=\"16k\")\n{input}\n\
             template(name=\"j\" type=\"list\" option.jsonf=\"on\") {{\n \
             property(outname=\"time\" name=\"timereported\" dateFormat=\"rfc3339\" format=\"jsonf\"){properties}}}\n\
             if $app-name == \"ostiary\" then action(type=\"omfile\" file=\"{dir}/out.json\" template=\"j\")\n\
             if $programname startswith \"rsyslogd\" then action(type=\"omfile\" file=\"{dir}/own.log\")\n"
        );
        let (file, pid) = (self.dir.path().join("rsyslog.conf"), self.dir.path().join("pid"));
        fs::write(&file, configuration).unwrap();
        let _ = fs::remove_file(&pid);
        let mut command = Command::new(program("rsyslogd"));
        let errors = fs::File::create(self.dir.path().join("stderr")).unwrap();
        command.arg("-n").arg("-f").arg(file).arg("-i").arg(pid).stderr(errors);
        self.running = Some(Running::start(&mut command));
        if !self.input.contains("imudp") {
            wait_for_tcp(self.port);
        }
    }

    /// SIGKILL.
    pub fn kill(&mut self) {
        self.running.take().unwrap().kill();
    }

    /// Ends it in order, and gives what it said about itself.
    pub fn terminate(&mut self) -> String {
        self.running.take().unwrap().terminate();
        fs::read_to_string(self.dir.path().join("own.log")).unwrap_or_default()
    }

    /// The messages of ours that it wrote down.
    pub fn lines(&self) -> Vec<serde_json::Value> {
        let text = fs::read(self.dir.path().join("out.json")).unwrap_or_default();
        let text = String::from_utf8(text).unwrap();
        let whole = text.rfind('\n').map_or("", |end| &text[..end]);
        whole.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }

    /// The sequence numbers it wrote down, each once.
    pub fn sequences(&self) -> std::collections::BTreeSet<u64> {
        self.lines()
            .iter()
            .map(|line| parameter(line["sd"].as_str().unwrap(), "seq").unwrap().parse().unwrap())
            .collect()
    }
}
