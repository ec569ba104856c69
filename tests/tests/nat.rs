//! Source NAT between real hosts: the server sees the pool, the client its own address, the log both; on a wire and between
//! interfaces.

#![allow(clippy::unwrap_used, reason = "the helpers of tests are tests")]

use std::io::{Read, Write};
use std::net::{IpAddr, SocketAddr, TcpListener, UdpSocket};
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::mpsc;
use std::time::Duration;

use ostiary_tests::certificates::Certificates;
use ostiary_tests::firewall::Firewall;
use ostiary_tests::netns::{Lab, inside};
use ostiary_tests::policy::Policy;
use ostiary_tests::process::{Running, wait_for};
use ostiary_tests::rsyslog::Rsyslog;
use ostiary_tests::{netns, program, skip};
use serde_json::Value;

const OUT: &str =
    "from = [\"trust\"]\nto = [\"untrust\"]\naction = \"permit\"\nsource-nat = \"outside\"\nsession-logging = true\n";

/// Two hosts, and what the client becomes.
struct Hosts {
    client: &'static str,
    server: &'static str,
    pool: &'static str,
}

#[track_caller]
fn run(line: &str) -> String {
    let words: Vec<&str> = line.split_whitespace().collect();
    let output = Command::new(words[0]).args(&words[1..]).output().unwrap();
    assert!(output.status.success(), "{line}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

/// A web server that answers every request with 100,000 octets and tells who asked.
fn serve(lab: &Lab, server: &str) -> mpsc::Receiver<SocketAddr> {
    let listener = inside(&lab.server, || TcpListener::bind((server, 80)).unwrap());
    let (sender, peers) = mpsc::channel();
    std::thread::spawn(move || {
        while let Ok((mut stream, peer)) = listener.accept() {
            let _ = stream.read(&mut [0; 2048]);
            let _ = stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\nConnection: close\r\n\r\n");
            let _ = stream.write_all(&[b'o'; 100_000]);
            let _ = sender.send(peer);
        }
    });
    peers
}

/// A page, a datagram and its echo, pings, and a closed port, through a running firewall; what the log got.
fn talk(lab: &Lab, folder: &Path, policy: Policy, hosts: &Hosts) -> Vec<Value> {
    let &Hosts { client, server, pool } = hosts;
    let certificates = Certificates::make(folder);
    let mut rsyslog = Rsyslog::start_in(Some(&lab.firewall), folder, &certificates);
    let mut policy = policy.rule("staff", OUT).host("siem", rsyslog.tcp, "transport = \"tcp\"\nformat = \"syslog\"\n");
    policy.rest.push_str(&format!("[nat.outside]\npool = [\"{pool}\"]\n"));
    let firewall = Firewall::start_in(&lab.firewall, folder, &policy);
    let outside: IpAddr = pool.parse().unwrap();

    // What the server's cable carries of ICMP, as tcpdump has it.
    let file = folder.join("server.pcap");
    let mut tcpdump = lab.server("tcpdump");
    tcpdump.args(["-i", "s0", "--immediate-mode", "-U", "-w", file.to_str().unwrap(), "icmp"]);
    let log = std::fs::File::create(folder.join("tcpdump")).unwrap();
    let mut tcpdump = Running::start(tcpdump.stdout(Stdio::null()).stderr(log));
    let said = || std::fs::read_to_string(folder.join("tcpdump")).unwrap_or_default();
    wait_for("tcpdump to listen", || said().contains("listening on").then_some(()));

    let peers = serve(lab, server);
    let curl = lab
        .client("curl")
        .args(["--silent", "--show-error", "--max-time", "30", &format!("http://{server}/")])
        .output()
        .unwrap();
    assert!(curl.stdout == [b'o'; 100_000], "{}", String::from_utf8_lossy(&curl.stderr));
    assert_eq!(peers.recv_timeout(Duration::from_secs(20)).unwrap().ip(), outside);

    let asker = inside(&lab.client, || UdpSocket::bind((client, 4009)).unwrap());
    let echo = inside(&lab.server, || UdpSocket::bind((server, 7000)).unwrap());
    for socket in [&asker, &echo] {
        socket.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
    }
    asker.send_to(b"hello", (server, 7000)).unwrap();
    let mut received = [0; 100];
    let (length, peer) = echo.recv_from(&mut received).unwrap();
    assert_eq!((&received[..length], peer.ip()), (&b"hello"[..], outside));
    echo.send_to(b"hello yourself", peer).unwrap();
    let (length, from) = asker.recv_from(&mut received).unwrap();
    assert_eq!((&received[..length], from), (&b"hello yourself"[..], SocketAddr::new(server.parse().unwrap(), 7000)));

    let pinged = |arguments: &[&str]| {
        let output = lab.client("ping").args(["-c", "3", "-i", "0.2", "-W", "5"]).args(arguments).output().unwrap();
        let said = String::from_utf8_lossy(&output.stdout).into_owned();
        assert!(said.contains(" 0% packet loss"), "{said}");
    };
    pinged(&[server]);
    // In fragments.
    pinged(&["-s", "4000", server]);
    // ICMP port unreachable, translated with what it quotes, reaches the socket that asked.
    asker.connect((server, 7001)).unwrap();
    asker.send(b"is anybody there?").unwrap();
    assert_eq!(asker.recv(&mut received).unwrap_err().kind(), std::io::ErrorKind::ConnectionRefused);

    let sessions = firewall.show("sessions");
    let session = sessions.iter().find(|session| session["server"] == format!("{server}:7000"));
    let session = session.unwrap_or_else(|| panic!("{sessions:?}"));
    assert_eq!(session["client"], format!("{client}:4009"));
    assert_eq!(session["nat-source-address"], pool);
    assert_eq!(session["nat-source-port"], peer.port());
    let nat = firewall.show("nat");
    assert_eq!(
        (&nat[0]["pool"], &nat[0]["hosts"], &nat[0]["udp"]),
        (&"outside".into(), &1.into(), &1.into()),
        "{nat:?}"
    );
    assert_eq!(nat[0]["mappings"], 4, "one each of TCP and UDP, two of ping: {nat:?}");
    let socket = firewall.socket();
    let shown = program::run(["show".as_ref(), "nat".as_ref(), "--socket".as_ref(), socket.as_os_str()]);
    let shown = String::from_utf8(shown.stdout).unwrap();
    assert!(shown.starts_with("POOL ") && shown.contains("\noutside "), "{shown}");
    println!("{shown}");
    assert_eq!(firewall.counter("sessions_translated"), 5);

    tcpdump.terminate();
    let text = run(&format!("tshark -n -r {} -T fields -e ip.src -e ip.dst", file.display()));
    assert!(text.lines().any(|line| line == format!("{pool}\t{server}")), "{text}");
    assert!(!text.contains(client), "the inside address is nowhere outside: {text}");

    let (code, log) = firewall.stop();
    assert_eq!(code, 0, "{log}");
    rsyslog.stop();
    rsyslog.records()
}

/// Every record of a session names the inside address and the outside one.
fn check(records: &[Value], hosts: &Hosts) {
    let of = |event: &str| records.iter().filter(|record| record["action"] == event).collect::<Vec<_>>();
    let (created, closed) = (of("create"), of("close"));
    assert_eq!((created.len(), closed.len()), (5, 5), "{records:?}");
    for record in created.iter().chain(&closed) {
        assert!(record["client"].as_str().unwrap().starts_with(hosts.client), "{record}");
        assert_eq!(record["nat-source-address"], hosts.pool, "{record}");
    }
}

#[test]
fn hosts_on_a_wire() {
    let Some(lab) = Lab::build() else { return };
    if !skip::has_programs(&["rsyslogd", "curl", "ping", "tcpdump", "tshark"]) {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let hosts = Hosts { client: netns::CLIENT, server: netns::SERVER, pool: "198.18.0.77" };
    // The firewall has no address on a wire and answers no ARP: whoever is outside has to know where the pool is.
    let mac = run(&format!("ip netns exec {} cat /sys/class/net/c0/address", lab.client));
    run(&format!("ip -n {} neigh add {} lladdr {} dev s0", lab.server, hosts.pool, mac.trim()));
    let policy = Policy::new("net_af_xdp0,iface=fw0", "net_af_xdp1,iface=fw1");
    check(&talk(&lab, folder.path(), policy, &hosts), &hosts);
}

#[test]
fn hosts_behind_a_router() {
    let Some(lab) = Lab::build() else { return };
    if !skip::has_programs(&["rsyslogd", "curl", "ping", "tcpdump", "tshark"]) {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    // The pool is on the servers' network, where it is asked for by ARP; the servers know no way to the clients'.
    let hosts = Hosts { client: "10.78.1.2", server: "10.78.2.2", pool: "10.78.2.77" };
    for (namespace, device, host) in [(&lab.client, "c0", hosts.client), (&lab.server, "s0", hosts.server)] {
        run(&format!("ip -n {namespace} addr add {host}/24 dev {device}"));
    }
    run(&format!("ip -n {} route add default via 10.78.1.1", lab.client));
    let mut policy = Policy::new("net_af_xdp0,iface=fw0", "net_af_xdp1,iface=fw1");
    policy.topology = "[[interface]]\nport = \"inside\"\naddresses = [\"10.78.1.1/24\"]\n\n\
                       [[interface]]\nport = \"outside\"\naddresses = [\"10.78.2.1/24\"]\n"
        .to_owned();
    check(&talk(&lab, folder.path(), policy, &hosts), &hosts);
}
