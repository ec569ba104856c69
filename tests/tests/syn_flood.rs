//! A SYN flood with invented sources while a real transfer goes on between two namespaces: the transfer completes, a new one
//! gets in, and a real rsyslog is told of the flood once a second.

#![allow(clippy::unwrap_used, reason = "the helpers of tests are tests")]

use std::io::{Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::process::Stdio;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::time::{Duration, Instant};

use ostiary_tests::certificates::Certificates;
use ostiary_tests::firewall::Firewall;
use ostiary_tests::netns::{CLIENT, Lab, SERVER, inside};
use ostiary_tests::policy::Policy;
use ostiary_tests::process::wait_for;
use ostiary_tests::rsyslog::Rsyslog;
use ostiary_tests::skip;
use socket2::{Domain, Protocol, Socket, Type};

const PERMIT: &str = "from = [\"trust\"]\nto = [\"untrust\"]\naction = \"permit\"\nsession-logging = true\n";
/// What the transfer sends, a piece at a time so that it lasts as long as the flood.
const PIECES: usize = 40;
const PIECE: usize = 50_000;
const PAUSE: Duration = Duration::from_millis(100);

/// A server of one page that takes its time.
fn serve(lab: &Lab) {
    let listener = inside(&lab.server, || TcpListener::bind(address(80)).unwrap());
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let Ok(mut stream) = stream else { continue };
            std::thread::spawn(move || {
                let mut request = [0; 2048];
                let _ = stream.read(&mut request);
                let head =
                    format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\nConnection: close\r\n\r\n", PIECES * PIECE);
                let _ = stream.write_all(head.as_bytes());
                for _ in 0..PIECES {
                    let _ = stream.write_all(&[b'o'; PIECE]);
                    std::thread::sleep(PAUSE);
                }
            });
        }
    });
}

fn address(port: u16) -> SocketAddr {
    SocketAddr::new(SERVER.parse().unwrap(), port)
}

/// An IPv4 packet with the `number`-th SYN of the flood; the kernel completes the header.
fn syn(number: u32) -> [u8; 40] {
    let mut packet = [0; 40];
    packet[0] = 0x45;
    packet[3] = 40;
    packet[8] = 64;
    packet[9] = 6;
    let [_, a, b, c] = number.to_be_bytes();
    packet[12..16].copy_from_slice(&[10, a, b, c]);
    packet[16..20].copy_from_slice(&SERVER.parse::<Ipv4Addr>().unwrap().octets());
    packet[20..22].copy_from_slice(&(1024 + (number % 60_000) as u16).to_be_bytes());
    packet[22..24].copy_from_slice(&9_u16.to_be_bytes());
    packet[24..28].copy_from_slice(&number.wrapping_mul(2_654_435_761).to_be_bytes());
    packet[32] = 0x50;
    packet[33] = 0x02;
    packet[34] = 0xff;
    packet
}

#[test]
fn a_transfer_completes_in_a_syn_flood_and_the_log_is_told_once_a_second() {
    let Some(lab) = Lab::build() else { return };
    if !skip::has_programs(&["curl", "rsyslogd"]) {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let certificates = Certificates::make(folder.path());
    let mut rsyslog = Rsyslog::start_in(Some(&lab.firewall), folder.path(), &certificates);
    let policy = Policy::new("net_af_packet0,iface=fw0", "net_af_packet1,iface=fw1").rule("web", PERMIT).host(
        "siem",
        rsyslog.tcp,
        "transport = \"tcp\"\nformat = \"syslog\"\n",
    );
    let firewall = Firewall::start_in(&lab.firewall, folder.path(), &policy);
    serve(&lab);
    let fetch = || {
        let mut curl = lab.client("curl");
        curl.args(["--silent", "--show-error", "--max-time", "60", &format!("http://{SERVER}:80/")]);
        curl.stdout(Stdio::piped()).spawn().unwrap()
    };
    let whole = |child: std::process::Child| {
        let output = child.wait_with_output().unwrap();
        assert_eq!((output.status.code(), output.stdout.len()), (Some(0), PIECES * PIECE));
    };
    let before = fetch();
    wait_for("the transfer to begin", || (firewall.counter("sessions_active") > 0).then_some(()));

    let raw = inside(&lab.client, || Socket::new(Domain::IPV4, Type::RAW, Some(Protocol::from(255))).unwrap());
    let (flooding, sent) = (AtomicBool::new(true), AtomicU32::new(0));
    let begun = Instant::now();
    let duration = std::thread::scope(|scope| {
        scope.spawn(|| {
            let to = address(9).into();
            while flooding.load(Ordering::Relaxed) && begun.elapsed() < Duration::from_secs(90) {
                for _ in 0..200 {
                    // A send buffer that is full is the wire's business.
                    let _ = raw.send_to(&syn(sent.fetch_add(1, Ordering::Relaxed)), &to);
                }
                std::thread::sleep(Duration::from_millis(5));
            }
        });
        wait_for("the table to be full and SYNs to be refused", || {
            (firewall.counter("drop_syn_flood") > 1_000).then_some(())
        });
        // A client that comes now: its SYN is refused, repeated, let in.
        let during = fetch();
        whole(before);
        whole(during);
        flooding.store(false, Ordering::Relaxed);
        begun.elapsed()
    });
    wait_for("the notice that it is over", || {
        rsyslog.records().iter().any(|record| record["action"] == "end").then_some(())
    });
    let entries = firewall.counter("table_entries");
    let refused = firewall.counter("drop_syn_flood");
    let (code, log) = firewall.stop();
    assert_eq!(code, 0, "{log}");
    rsyslog.stop();

    let records = rsyslog.records();
    let notices: Vec<_> =
        records.iter().filter(|record| record["event"] == "attack" && record["kind"] == "syn_flood").collect();
    let actions: Vec<_> = notices.iter().map(|record| record["action"].as_str().unwrap()).collect();
    assert_eq!((actions[0], *actions.last().unwrap()), ("begin", "end"), "{actions:?}");
    assert!(notices.len() as u64 <= duration.as_secs() + 4, "{} notices in {duration:?}", notices.len());
    assert!(notices.len() as u64 + 3 >= duration.as_secs(), "{} notices in {duration:?}", notices.len());
    for notice in &notices {
        assert_eq!((&notice["client-zone"], &notice["client-interface"]), (&"trust".into(), &"inside".into()));
        // The example is the first that was refused since the last notice: it may be the new client's own SYN.
        let example = notice["client"].as_str().unwrap();
        assert!(example.starts_with("10.") || example.starts_with(&format!("{CLIENT}:")), "{notice}");
    }
    let total: u64 = notices.last().unwrap()["total"].as_str().unwrap().parse().unwrap();
    assert!(total >= refused, "{total} of {refused}");
    assert!(entries <= 22_500, "{entries}");
    // Handshakes that were not yet many, the two transfers, and their ends: nothing a packet.
    let sessions = records.iter().filter(|record| record["event"] == "session").count();
    assert!(sessions < 3_500, "{sessions} session records, {} SYNs", sent.load(Ordering::Relaxed));
}
