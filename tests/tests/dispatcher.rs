//! `[dataplane] dispatcher` with real programs on both sides: two workers behind ports that cannot spread flows themselves.

#![allow(clippy::unwrap_used, reason = "the helpers of tests are tests")]

use std::collections::BTreeSet;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener};
use std::process::Stdio;

use ostiary_tests::certificates::Certificates;
use ostiary_tests::firewall::Firewall;
use ostiary_tests::netns::{CLIENT, Lab, SERVER, inside};
use ostiary_tests::policy::Policy;
use ostiary_tests::process::wait_for;
use ostiary_tests::rsyslog::Rsyslog;
use ostiary_tests::skip;

/// Web servers on these ports of the servers' namespace: each request is answered with its path, and much more.
fn serve(lab: &Lab, ports: impl Iterator<Item = u16>) {
    for port in ports {
        let address = SocketAddr::new(SERVER.parse().unwrap(), port);
        let listener = inside(&lab.server, || TcpListener::bind(address).unwrap());
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let Ok(mut stream) = stream else { continue };
                let mut request = [0; 2048];
                if matches!(stream.read(&mut request), Ok(octets) if octets > 0) {
                    let body = page(port);
                    let head =
                        format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\nConnection: close\r\n\r\n", body.len());
                    // The test looks at what curl got, not at what we could send.
                    let _ = stream.write_all(head.as_bytes()).and_then(|()| stream.write_all(&body));
                }
            }
        });
    }
}

/// What a server has: octets that tell servers apart, and segments of one.
fn page(port: u16) -> Vec<u8> {
    (0..100_000_u32).flat_map(|word| (word.wrapping_mul(u32::from(port))).to_be_bytes()).collect()
}

const FIRST: u16 = 8100;
const CONNECTIONS: u16 = 24;

#[test]
fn connections_through_a_dispatcher_are_whole_and_use_every_worker() {
    let Some(lab) = Lab::build() else { return };
    if !skip::has_programs(&["curl", "rsyslogd"]) {
        return;
    }
    let allowed = rustix::thread::sched_getaffinity(None).unwrap();
    let cpus: Vec<usize> = (0..1024).filter(|&cpu| allowed.is_set(cpu)).collect();
    let [first, second, ..] = cpus[..] else {
        skip::skip("two workers need two CPUs");
        return;
    };
    let folder = tempfile::tempdir().unwrap();
    let certificates = Certificates::make(folder.path());
    let mut rsyslog = Rsyslog::start_in(Some(&lab.firewall), folder.path(), &certificates);
    let mut policy = Policy::new("net_af_packet0,iface=fw0", "net_af_packet1,iface=fw1")
        .rule("web", "from = [\"trust\"]\nto = [\"untrust\"]\naction = \"permit\"\nsession-logging = true\n")
        .tls(&certificates)
        .host("siem", rsyslog.tls, "transport = \"tls\"\nssl-policy = \"collector\"\nformat = \"syslog\"\n");
    policy.dataplane = format!("workers = [{first}, {second}]\ndispatcher = {first}\n");
    let firewall = Firewall::start_in(&lab.firewall, folder.path(), &policy);
    let ports = || FIRST..FIRST + CONNECTIONS;
    serve(&lab, ports());

    // All at once, so that their packets come mixed.
    let curl = |port: u16| {
        let mut curl = lab.client("curl");
        curl.args(["--silent", "--show-error", "--max-time", "60", &format!("http://{SERVER}:{port}/")]);
        (port, curl.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap())
    };
    for (port, child) in ports().map(curl).collect::<Vec<_>>() {
        let output = child.wait_with_output().unwrap();
        assert_eq!(output.status.code(), Some(0), "{port}: {}", String::from_utf8_lossy(&output.stderr));
        assert!(output.stdout == page(port), "{port}: {} octets", output.stdout.len());
    }

    // Workers, and behind them the dispatcher.
    let rows = firewall.show("counters");
    let counter = |row: usize, name: &str| rows[row]["counters"][name].as_u64().unwrap_or(0);
    let opened = [0, 1].map(|worker| counter(worker, "sessions_opened"));
    assert_eq!(opened.iter().sum::<u64>(), u64::from(CONNECTIONS), "{rows:?}");
    // By chance alone one worker has all of them once in eight million runs.
    assert!(opened.iter().all(|&count| count > 0), "{opened:?}");
    assert!(counter(2, "frames_dispatched") > 0, "{rows:?}");
    let closed = || (firewall.counter("sessions_active") == 0).then_some(());
    wait_for("closed connections to be forgotten", closed);
    firewall.wait_until_sent();
    assert_eq!((firewall.counter("drop_dispatch_full"), firewall.counter("drop_tcp_not_syn")), (0, 0));
    let (code, log) = firewall.stop();
    assert_eq!(code, 0, "{log}");
    rsyslog.stop();

    // Each connection has one beginning and one end, and both name the same session; no two share one.
    let records = rsyslog.records();
    let of = |action: &str| {
        let records = records.iter().filter(|record| record["event"] == "session" && record["action"] == action);
        let told = records.map(|record| {
            assert!(record["client"].as_str().unwrap().starts_with(CLIENT), "{record}");
            (record["server"].to_string(), record["session"].to_string())
        });
        told.collect::<Vec<_>>()
    };
    let (created, closed) = (of("create"), of("close"));
    let servers: BTreeSet<String> = ports().map(|port| format!("\"{SERVER}:{port}\"")).collect();
    assert_eq!(created.iter().map(|(server, _)| server.clone()).collect::<BTreeSet<_>>(), servers);
    assert_eq!((created.len(), closed.len()), (servers.len(), servers.len()), "{records:?}");
    let sessions = |told: &[(String, String)]| told.iter().cloned().collect::<BTreeSet<_>>();
    assert_eq!(sessions(&created), sessions(&closed));
    assert_eq!(created.iter().map(|(_, session)| session).collect::<BTreeSet<_>>().len(), servers.len());
}
