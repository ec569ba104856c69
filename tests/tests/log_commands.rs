//! What the running firewall says of the records for its log hosts, while they are made; and by which way they leave.

#![allow(clippy::unwrap_used, reason = "the helpers of tests are tests")]

use std::net::{SocketAddr, TcpListener, UdpSocket};
use std::process::Command;
use std::sync::atomic::{AtomicBool, Ordering};

use ostiary_tests::access::{self, ask, said, show};
use ostiary_tests::certificates::Certificates;
use ostiary_tests::firewall::Firewall;
use ostiary_tests::netns::{CLIENT, Lab, SERVER, inside};
use ostiary_tests::policy::Policy;
use ostiary_tests::process::{Running, free_port, wait_for};
use ostiary_tests::rsyslog::Rsyslog;
use ostiary_tests::skip;
use serde_json::Value;

fn number(row: &Value, key: &str) -> u64 {
    row[key].as_u64().unwrap_or_else(|| panic!("no {key} in {row}"))
}

fn dropped(row: &Value) -> u64 {
    row["dropped"].as_object().unwrap().values().map(|count| count.as_u64().unwrap()).sum()
}

/// The law, in the figures that programs get. Gives the rows.
fn balanced(firewall: &Firewall) -> Vec<Value> {
    let rows = show(firewall, &["log", "statistics"]);
    for row in &rows {
        let [records, recovered, acknowledged, queued, spooled, handed] =
            ["records", "recovered", "acknowledged", "queued", "spooled", "handed-over"].map(|key| number(row, key));
        assert_eq!(records + recovered, acknowledged + queued + spooled + handed + dropped(row), "{row}");
        assert!(number(row, "unacknowledged") <= queued, "{row}");
        assert!(number(row, "sent") >= acknowledged || recovered > 0, "{row}");
    }
    rows
}

/// The row of a host's session records.
fn sessions(rows: &[Value], host: &str) -> Value {
    let is_it = |row: &&Value| row["host"] == host && row["class"] == "session";
    rows.iter().find(is_it).unwrap_or_else(|| panic!("no sessions of {host}")).clone()
}

/// Opens sessions until it is told to stop.
fn traffic(lab: &Lab, stop: &AtomicBool) {
    let server: SocketAddr = format!("{SERVER}:9").parse().unwrap();
    while !stop.load(Ordering::Acquire) {
        inside(&lab.client, || {
            for _ in 0..50 {
                let socket = UdpSocket::bind((CLIENT, 0)).unwrap();
                // Nobody listens there.
                let _ = socket.send_to(b"hello", server);
            }
        });
        std::thread::sleep(std::time::Duration::from_millis(5));
    }
}

#[test]
fn records_are_accounted_for_at_every_look_while_they_are_made() {
    let Some(lab) = Lab::build() else { return };
    if !skip::has_programs(&["rsyslogd", "openssl"]) {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let certificates = Certificates::make(folder.path());
    let mut rsyslog = Rsyslog::start_in(Some(&lab.firewall), folder.path(), &certificates);
    let archive = folder.path().join("records.json");
    let mut policy = Policy::new("net_af_packet0,iface=fw0", "net_af_packet1,iface=fw1")
        .rule("all", "action = \"permit\"\nsession-logging = true\n")
        .host("siem", rsyslog.tcp, "transport = \"tcp\"\nformat = \"syslog\"")
        // Others would take the places of sessions in so short a queue.
        .host("down", free_port(), "transport = \"relp\"\nformat = \"json\"\nqueue = 16\nrecords = [\"session\"]")
        .host("noc", rsyslog.udp, "format = \"syslog\"\nrate-limit = { session = 5 }");
    policy.rest += &format!(
        "[[log-host]]\nname = \"archive\"\ntransport = \"file\"\nformat = \"json\"\nsync = \"20 ms\"\npath = \"{}\"\n",
        archive.display()
    );
    policy.system = format!("state-directory = \"{}\"\n", folder.path().join("state").display());
    let firewall = Firewall::start_in(&lab.firewall, folder.path(), &policy);

    let stop = AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| traffic(&lab, &stop));
        // Whatever fails here, the traffic ends.
        let _end = Ending(&stop);
        let grown = |from: u64| {
            wait_for("records to be acknowledged", || {
                let siem = sessions(&balanced(&firewall), "siem");
                (number(&siem, "acknowledged") > from + 200).then(|| number(&siem, "acknowledged"))
            })
        };
        let before = grown(0);
        rsyslog.stop();
        wait_for("records to wait for the host that is gone", || {
            let siem = sessions(&balanced(&firewall), "siem");
            (number(&siem, "queued") > 200).then_some(())
        });
        rsyslog.resume();
        grown(before);
    });

    let rows = wait_for("the hosts that are there to have all", || {
        let rows = balanced(&firewall);
        let is_done = |host| number(&sessions(&rows, host), "queued") == 0;
        (is_done("siem") && is_done("archive") && is_done("noc")).then_some(rows)
    });
    let [siem, down, noc, file] = ["siem", "down", "noc", "archive"].map(|host| sessions(&rows, host));
    assert_eq!((number(&siem, "acknowledged"), dropped(&siem)), (number(&siem, "records"), 0), "{siem}");
    assert_eq!((number(&file, "acknowledged"), dropped(&file)), (number(&file, "records"), 0), "{file}");
    assert_eq!((number(&down, "acknowledged"), number(&down, "sent")), (0, 0), "{down}");
    assert!(number(&down["dropped"], "queue-full") > 0, "{down}");
    assert!(number(&noc["dropped"], "suppressed") > 0, "{noc}");
    // Numbers on the disk and at the collector are as many as were acknowledged, each once or again.
    let written = std::fs::read_to_string(&archive).unwrap();
    let is_session = |line: &&str| serde_json::from_str::<Value>(line).unwrap()["event"] == "session";
    assert_eq!(written.lines().filter(is_session).count() as u64, number(&file, "acknowledged"));

    // For people.
    let text = said(&firewall, &["log", "statistics", "--host", "siem"]);
    assert!(text.starts_with("siem since "), "{text}");
    assert!(
        text.trim_end().ends_with("records + recovered = acknowledged + queued + spooled + handed over + dropped"),
        "{text}"
    );
    let text = said(&firewall, &["log", "statistics", "--host", "down", "--class", "session"]);
    assert!(text.lines().any(|line| line.trim_start().starts_with("queue-full")), "{text}");
    assert!(!text.contains("suppressed"), "{text}");

    hosts(&firewall);
    buffer(&firewall, &down);
    reset(&firewall, &siem, &down);
    let (code, log) = firewall.stop();
    assert_eq!(code, 0, "{log}");
}

/// Sets it when it goes.
struct Ending<'a>(&'a AtomicBool);

impl Drop for Ending<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Release);
    }
}

/// `show log-hosts`.
fn hosts(firewall: &Firewall) {
    let rows = show(firewall, &["log-hosts"]);
    let row = |name: &str| rows.iter().find(|row| row["name"] == name).unwrap().clone();
    for (name, transport, format, state) in
        [("siem", "tcp", "syslog", "up"), ("noc", "udp", "syslog", "up"), ("archive", "file", "json", "up")]
    {
        let row = row(name);
        assert_eq!(
            (&row["transport"], &row["format"], &row["state"]),
            (&transport.into(), &format.into(), &state.into())
        );
    }
    assert!(number(&row("siem"), "reconnects") >= 1);
    let down = row("down");
    assert!(["waiting", "connecting", "opening"].contains(&down["state"].as_str().unwrap()), "{down}");
    assert!(down["error"].as_str().unwrap().contains("refused"), "{down}");
    let text = said(firewall, &["log-hosts"]);
    let lines: Vec<&str> = text.lines().collect();
    assert!(lines[0].starts_with("LOG HOST") && lines[0].contains("ACKNOWLEDGED"), "{text}");
    assert!(lines.iter().any(|line| line.starts_with("siem ") && line.contains(" up ")), "{text}");
    assert!(lines.iter().any(|line| line.starts_with("down: ") && line.contains("refused")), "{text}");
}

/// `show log buffer`: the youngest of the lowest rank gave way, so that the oldest are there, and what was lost is counted.
fn buffer(firewall: &Firewall, down: &Value) {
    let rows = show(firewall, &["log", "buffer"]);
    let waiting = rows.iter().find(|row| row["host"] == "down" && row["class"] == "session").unwrap();
    assert_eq!(number(waiting, "waiting"), number(down, "queued"), "{waiting}");
    assert!(waiting["oldest"].as_str().is_some_and(|time| time.ends_with('Z')), "{waiting}");
    let records = show(firewall, &["log", "buffer", "--host", "down", "--limit", "5"]);
    assert_eq!(records.len(), 5);
    for (place, record) in records.iter().enumerate() {
        assert_eq!(
            (number(record, "place"), &record["fields"]["event"]),
            (place as u64, &"session".into()),
            "{record}"
        );
        assert!(record["fields"]["client"].as_str().unwrap().starts_with(CLIENT), "{record}");
    }
    let text = said(firewall, &["log", "buffer"]);
    assert!(text.lines().any(|line| line.starts_with("down ") && line.contains("session")), "{text}");
    let text = said(firewall, &["log", "buffer", "--host", "down", "--limit", "1"]);
    assert!(text.contains("\"event\":\"session\""), "{text}");
    let output = ask(firewall, &["show", "log", "buffer", "--host", "nobody"]);
    assert!(!output.status.success());
    assert!(String::from_utf8_lossy(&output.stderr).contains("no log host has that name"));
}

/// `reset statistics log`: of one host, and of all.
fn reset(firewall: &Firewall, siem: &Value, down: &Value) {
    let output = ask(firewall, &["reset", "statistics", "log"]);
    assert_eq!(output.status.code(), Some(2), "it asks, and nobody can answer here");
    let output = ask(firewall, &["reset", "statistics", "log", "--host", "down", "--yes"]);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let rows = balanced(firewall);
    let after = sessions(&rows, "down");
    // What waits is there to be sent still, and counts as come since.
    let waits = number(&after, "queued");
    assert_eq!((number(&after, "records"), waits, dropped(&after)), (waits, number(down, "queued"), 0), "{after}");
    assert!(number(&sessions(&rows, "siem"), "records") >= number(siem, "records"), "the other is left alone");
    let output = ask(firewall, &["reset", "statistics", "log", "--yes"]);
    assert!(output.status.success());
    let rows = balanced(firewall);
    assert!(number(&sessions(&rows, "siem"), "acknowledged") < number(siem, "acknowledged"));
    assert!(
        firewall.statistics()["hosts"].as_array().unwrap().iter().any(|host| {
            host["name"] == "siem" && host["classes"][0]["records"].as_u64() >= siem["records"].as_u64()
        }),
        "totals since start stay"
    );
}

/// A namespace of the firewall's management, `m0` in it, and one of collectors, `k0` in it.
struct Ways {
    management: String,
    collectors: String,
}

impl Ways {
    fn build() -> Option<Self> {
        if !skip::is_root() || !skip::has_programs(&["ip", "tcpdump", "tshark"]) {
            return None;
        }
        let id = std::process::id();
        let ways = Self { management: format!("ostlog{id}m"), collectors: format!("ostlog{id}k") };
        let (m, k) = (&ways.management, &ways.collectors);
        for line in [
            format!("netns add {m}"),
            format!("netns add {k}"),
            format!("-n {m} link add m0 type veth peer name k0 netns {k}"),
            format!("-n {m} link set lo up"),
            format!("-n {m} addr add 192.0.2.1/24 dev m0"),
            format!("-n {m} addr add 192.0.2.2/24 dev m0"),
            format!("-n {m} addr add 2001:db8::1/64 dev m0 nodad"),
            format!("-n {m} addr add 2001:db8::2/64 dev m0 nodad"),
            format!("-n {k} addr add 192.0.2.9/24 dev k0"),
            format!("-n {k} addr add 2001:db8::9/64 dev k0 nodad"),
            format!("-n {m} link set m0 up"),
            format!("-n {k} link set k0 up"),
        ] {
            let status = Command::new("ip").args(line.split(' ')).status().unwrap();
            assert!(status.success(), "ip {line}");
        }
        Some(ways)
    }
}

impl Drop for Ways {
    fn drop(&mut self) {
        for namespace in [&self.management, &self.collectors] {
            let _ = Command::new("ip").args(["netns", "del", namespace]).status();
        }
    }
}

#[test]
fn packets_leave_as_the_host_says() {
    let Some(ways) = Ways::build() else { return };
    let folder = tempfile::tempdir().unwrap();
    let capture = folder.path().join("wire.pcap");
    let mut tcpdump = Command::new("ip");
    tcpdump.args(["netns", "exec", &ways.collectors, "tcpdump", "-U", "-i", "k0", "-w"]).arg(&capture);
    // Its own user could not write there.
    tcpdump.args(["-Z", "root"]).stderr(std::fs::File::create(folder.path().join("tcpdump")).unwrap());
    let mut tcpdump = Running::start(&mut tcpdump);
    wait_for("tcpdump to listen", || capture.exists().then_some(()));
    // They take connections, and read nothing.
    let _listeners: Vec<TcpListener> = inside(&ways.collectors, || {
        ["192.0.2.9:6002", "[2001:db8::9]:6004"].map(|address| TcpListener::bind(address).unwrap()).into()
    });

    // Port, address, transport, source, codepoint by name and number, and whether the interface is named too.
    let cases = [
        (6001, "192.0.2.9", "udp", "192.0.2.2", "\"af21\"", 18, true),
        (6002, "192.0.2.9", "tcp", "192.0.2.1", "\"ef\"", 46, false),
        (6003, "2001:db8::9", "udp", "2001:db8::2", "\"cs6\"", 48, false),
        (6004, "2001:db8::9", "tcp", "2001:db8::1", "7", 7, true),
    ];
    let mut hosts = access::SYSLOG.to_owned();
    for (port, address, transport, source, codepoint, _, is_bound) in cases {
        let interface = if is_bound { "interface = \"m0\"\n" } else { "" };
        hosts += &format!(
            "[[log-host]]\nname = \"h{port}\"\naddress = \"{address}\"\nport = {port}\ntransport = \"{transport}\"\n\
             format = \"syslog\"\nsource-address = \"{source}\"\ndscp = {codepoint}\nnamespace = \"{}\"\n{interface}{}",
            ways.management,
            access::BOTH,
        );
    }
    let firewall = access::play(folder.path(), &access::playing(folder.path(), &access::frames(), &hosts), 1);
    firewall.wait_until_sent();
    let (code, log) = firewall.stop();
    assert_eq!(code, 0, "{log}");

    let read = |filter: &str| {
        let mut tshark = Command::new("tshark");
        tshark.arg("-r").arg(&capture).args(["-Y", filter, "-T", "fields", "-E", "separator=|"]);
        for field in ["ip.src", "ipv6.src", "ip.dsfield.dscp", "ipv6.tclass.dscp"] {
            tshark.args(["-e", field]);
        }
        // A packet may be written in part yet: tshark says so and gives the others.
        String::from_utf8(tshark.output().unwrap().stdout).unwrap()
    };
    for (port, address, transport, source, _, codepoint, _) in cases {
        let is_v6 = address.contains(':');
        let expected = if is_v6 { format!("|{source}||{codepoint}") } else { format!("{source}||{codepoint}|") };
        // What ICMP tells of them is left aside.
        let said = wait_for("the packets on the wire", || {
            let said = read(&format!("{transport}.dstport == {port} and not icmp and not icmpv6"));
            (!said.is_empty()).then_some(said)
        });
        // Every one, the first of a connection too.
        assert!(said.lines().all(|line| line == expected), "{port}: {expected} is not\n{said}");
    }
    tcpdump.terminate();
}
