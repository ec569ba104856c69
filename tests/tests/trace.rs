//! `ostiary trace`: the running firewall and a policy file say the same of a packet, and real programs get what was said.

#![allow(clippy::unwrap_used, reason = "the helpers of tests are tests")]

use std::ffi::OsStr;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener};
use std::path::Path;

use ostiary_tests::firewall::Firewall;
use ostiary_tests::netns::{CLIENT, Lab, SERVER, inside};
use ostiary_tests::policy::{Policy, signatures};
use ostiary_tests::trail::wait_for_record;
use ostiary_tests::{program, skip};
use serde_json::Value;

const RULES: [(&str, &str); 4] = [
    ("no-telnet", "service = [\"tcp/23\"]\naction = \"reset\"\nsession-logging = true\n"),
    ("guests", "source = [\"192.168.0.0/16\"]\naction = \"permit\"\n"),
    ("messengers", "from = [\"trust\"]\nservice = [\"tcp/80\"]\napplication = [\"wechat\"]\naction = \"deny\"\n"),
    (
        "web",
        "from = [\"trust\"]\nto = [\"untrust\"]\nservice = [\"tcp/80\"]\naction = \"permit\"\nsession-logging = true\n",
    ),
];

fn policy(inside: &str, outside: &str) -> Policy {
    RULES.iter().fold(Policy::new(inside, outside), |policy, (name, keys)| policy.rule(name, keys))
}

/// The rows of a trace; `source` is `--socket PATH` or `--config FILE`.
fn trace(source: [&OsStr; 2], words: &[&str]) -> Vec<Value> {
    let words = words.iter().map(OsStr::new);
    let output = program::run(["trace".as_ref()].into_iter().chain(words).chain(source).chain(["--json".as_ref()]));
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let text = String::from_utf8(output.stdout).unwrap();
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

fn live(socket: &Path) -> [&OsStr; 2] {
    ["--socket".as_ref(), socket.as_os_str()]
}

/// Outcome, rule and reason of the verdict.
fn verdict(rows: &[Value]) -> (String, String, String) {
    let row = rows.last().unwrap();
    assert_eq!(row["step"], "verdict");
    let text = |key: &str| row[key].as_str().unwrap_or("-").to_owned();
    (text("outcome"), text("rule"), text("reason"))
}

fn is(rows: &[Value], outcome: &str, rule: &str, reason: &str) {
    assert_eq!(verdict(rows), (outcome.to_owned(), rule.to_owned(), reason.to_owned()), "{rows:#?}");
}

#[test]
fn the_file_and_the_firewall_say_the_same_and_nothing_moves() {
    let folder = tempfile::tempdir().unwrap();
    let firewall = Firewall::start(folder.path(), &policy("net_null0,copy=0", "net_null1,copy=0"));
    let socket = firewall.socket();
    let file = folder.path().join("policy.toml");
    let offline = ["--config".as_ref(), file.as_os_str()];
    let sessions = firewall.show("sessions").len();
    type Answer<'a> = (&'a str, &'a str, &'a str);
    let questions: [(&[&str], Answer<'_>); 6] = [
        (&["tcp", "10.0.0.1", "192.0.2.1:23"], ("reset", "no-telnet", "policy_reset")),
        (&["udp", "192.168.1.1:5000", "192.0.2.1:53"], ("forward", "guests", "-")),
        (&["tcp", "10.0.0.1", "192.0.2.1:80"], ("forward", "messengers", "-")),
        (&["tcp", "10.0.0.1", "192.0.2.1:80", "--application", "wechat"], ("drop", "messengers", "policy")),
        (&["tcp", "10.0.0.1", "192.0.2.1:80", "--application", "qq"], ("forward", "web", "-")),
        (&["icmp", "10.0.0.1", "192.0.2.1"], ("drop", "implicit-deny", "implicit_deny")),
    ];
    for (words, (outcome, rule, reason)) in questions {
        let words = [words, &["--port", "inside"]].concat();
        let told = trace(live(&socket), &words);
        is(&told, outcome, rule, reason);
        assert_eq!(trace(offline, &words), told, "{words:?}");
        // Every rule before it says why not.
        let rules: Vec<&Value> = told.iter().filter(|row| row["step"] == "rule").collect();
        let (last, others) = rules.split_last().unwrap();
        assert_eq!((&last["outcome"], &last["rule"]), (&"match".into(), &rule.into()));
        assert!(others.iter().all(|row| row["outcome"] == "no-match" && row["because"][0].is_string()), "{rules:?}");
    }
    let telnet = trace(live(&socket), &["tcp", "10.0.0.1", "192.0.2.1:80", "--application", "qq", "--port", "inside"]);
    let because = |rule: &str| telnet.iter().find(|row| row["rule"] == rule).unwrap()["because"].clone();
    assert_eq!(because("no-telnet"), serde_json::json!(["service"]));
    assert_eq!(because("guests"), serde_json::json!(["source"]));
    assert_eq!(because("messengers"), serde_json::json!(["application"]));
    // A frame, by its octets: one that ends within its header.
    is(
        &trace(live(&socket), &["--packet", "020000000002 020000000001 0800 4500", "--port", "inside"]),
        "drop",
        "-",
        "truncated",
    );
    assert_eq!(firewall.show("sessions").len(), sessions);
    for counter in ["sessions_opened", "drop_policy", "drop_policy_reset", "drop_implicit_deny", "drop_truncated"] {
        assert_eq!(firewall.counter(counter), 0, "{counter}");
    }
    // Who asked about whom is in the trail.
    wait_for_record(folder.path(), "the trace in the trail", |record| {
        record.to_string().contains("port=inside protocol=1 10.0.0.1 192.0.2.1")
    });
    let (code, log) = firewall.stop();
    assert_eq!(code, 0, "{log}");
}

/// Routes, a pool and users, without a firewall that runs.
#[test]
fn a_file_is_followed_between_interfaces() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("policy.toml");
    let mut policy = Policy::new("net_null0", "net_null1")
        .rule("boss", "user = [\"alice\"]\naction = \"permit\"\n")
        .rule("out", "from = [\"trust\"]\nto = [\"untrust\"]\naction = \"permit\"\nsource-nat = \"outside\"\n");
    policy.topology = "[[interface]]\nport = \"inside\"\naddresses = [\"10.1.0.1/24\"]\n\
                       [[interface]]\nport = \"outside\"\naddresses = [\"192.0.2.1/30\"]\n\
                       [[route]]\nto = \"198.51.100.0/24\"\nvia = \"192.0.2.2\"\n\
                       [[route]]\nto = \"203.0.113.0/24\"\ndiscard = true\n\
                       [nat.outside]\npool = [\"198.18.0.1\"]\n"
        .to_owned();
    let text = policy.text(&folder.path().join("s"), &signatures(folder.path()));
    std::fs::write(&file, text).unwrap();
    let offline = ["--config".as_ref(), file.as_os_str()];
    let asked = |words: &[&str]| trace(offline, &[words, &["--port", "inside"]].concat());
    let step = |rows: &[Value], step: &str| {
        let row = rows.iter().find(|row| row["step"] == step).unwrap_or_else(|| panic!("no {step}: {rows:#?}"));
        row["detail"].as_str().unwrap().to_owned()
    };
    let web = asked(&["tcp", "10.1.0.5", "198.51.100.7:443"]);
    // The next hop is not known: it waits for the answer.
    is(&web, "taken", "out", "-");
    assert_eq!(web.last().unwrap()["depends"], true);
    assert_eq!(step(&web, "route"), "via 192.0.2.2 at outside, zone untrust");
    assert_eq!(step(&web, "nat"), "the client's end from pool outside");
    assert_eq!(step(&web, "next-hop"), "not asked for yet");
    assert_eq!(step(&web, "rule"), "nobody at 10.1.0.5 is alice");
    is(&asked(&["tcp", "10.1.0.5", "198.51.100.7:443", "--user", "alice"]), "taken", "boss", "-");
    is(&asked(&["tcp", "10.1.0.5", "203.0.113.1:443"]), "drop", "-", "discard_route");
    is(&asked(&["tcp", "10.1.0.5", "8.8.8.8:443"]), "drop", "-", "no_route");
    is(&asked(&["udp", "10.9.0.5", "198.51.100.7:53"]), "drop", "-", "reverse_path");
    is(&asked(&["icmp", "10.1.0.5", "10.1.0.1"]), "drop", "implicit-deny", "implicit_deny");
    is(&asked(&["udp", "10.1.0.5", "198.18.0.1:5000"]), "drop", "-", "nat_unsolicited");
}

/// What a packet carries names its application, and that is what the rules are asked with.
#[test]
fn the_engine_sees_what_a_packet_of_a_capture_carries() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("policy.toml");
    let policy = Policy::new("net_null0", "net_null1")
        .rule("no-messengers", "application = [\"qq\"]\naction = \"deny\"\nsession-logging = true\n")
        .rule("rest", "action = \"permit\"\n");
    std::fs::write(&file, policy.text(&folder.path().join("s"), &signatures(folder.path()))).unwrap();
    let story = bench::pktgen::stories::find("qq_udp_day").unwrap().tell(1);
    let login = story.frames.iter().find(|frame| frame.bytes[23] == 17 && frame.bytes[36..38] == [0x1f, 0x40]).unwrap();
    let length = login.bytes.len() as u32;
    let mut pcap = [&0xa1b2_c3d4_u32.to_le_bytes()[..], &[2, 0, 4, 0], &[0; 8], &[0, 0, 4, 0, 1, 0, 0, 0]].concat();
    for bytes in [&login.bytes[..20], &login.bytes[..]] {
        pcap.extend([&[0; 8][..], &(bytes.len() as u32).to_le_bytes(), &length.to_le_bytes(), bytes].concat());
    }
    let capture = folder.path().join("login.pcap");
    std::fs::write(&capture, pcap).unwrap();
    let asked = |number: u32| {
        let packet = format!("{}:{number}", capture.display());
        trace(["--config".as_ref(), file.as_os_str()], &["--packet", &packet, "--port", "inside"])
    };
    is(&asked(1), "drop", "-", "truncated");
    let named = asked(2);
    is(&named, "drop", "no-messengers", "policy");
    assert!(
        named.iter().any(|row| row["step"] == "engine" && row["detail"].as_str().unwrap().contains("qq")),
        "{named:#?}"
    );
}

#[test]
fn wrong_questions_are_refused_by_what_is_wrong() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("policy.toml");
    let text = policy("net_null0", "net_null1").text(&folder.path().join("s"), &signatures(folder.path()));
    std::fs::write(&file, text).unwrap();
    for (words, told) in [
        (&["tcp", "10.0.0.1", "192.0.2.1:80", "--port", "dmz"][..], "no port has that name; there are inside, outside"),
        (&["tcp", "10.0.0.1", "192.0.2.1", "--port", "inside"], "needs the receiver's port"),
        (&["tcp", "10.0.0.1", "[2001:db8::1]:80", "--port", "inside"], "two families"),
        (&["tcp", "10.0.0.1", "192.0.2.1:80", "--port", "inside", "--application", "x"], "no application of that name"),
        (&["--packet", "zz", "--port", "inside"], "neither a file nor hexadecimal digits"),
        (&["--port", "inside"], "PROTO"),
    ] {
        let words = words.iter().map(OsStr::new).chain(["--config".as_ref(), file.as_os_str()]);
        let output = program::run(["trace".as_ref()].into_iter().chain(words));
        let text = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(output.status.code() == Some(2) && text.contains(told), "{text}");
    }
}

#[test]
fn real_programs_get_what_the_trace_said() {
    let Some(lab) = Lab::build() else { return };
    if !skip::has_programs(&["curl"]) {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let mut policy = policy("net_af_packet0,iface=fw0", "net_af_packet1,iface=fw1");
    policy.polls = true;
    let firewall = Firewall::start_in(&lab.firewall, folder.path(), &policy);
    let socket = firewall.socket();
    let asked = |port: u16| {
        let server = format!("{SERVER}:{port}");
        trace(live(&socket), &["tcp", &format!("{CLIENT}:4009"), &server, "--port", "inside"])
    };
    let listener = inside(&lab.server, || TcpListener::bind(SocketAddr::new(SERVER.parse().unwrap(), 80)).unwrap());
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let mut stream = stream;
            let mut request = [0; 2048];
            let _ = stream.read(&mut request);
            let _ = stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok");
        }
    });
    let curl = |port: u16, patience: &str| {
        let mut curl = lab.client("curl");
        curl.args(["--silent", "--max-time", patience, "--local-port", "4009", &format!("http://{SERVER}:{port}/")]);
        curl.output().unwrap().status.code()
    };
    is(&asked(80), "forward", "messengers", "-");
    assert_eq!(curl(80, "30"), Some(0));
    is(&asked(23), "reset", "no-telnet", "policy_reset");
    // It could not connect; it did not wait in vain.
    assert_eq!(curl(23, "30"), Some(7));
    is(&asked(82), "drop", "implicit-deny", "implicit_deny");
    assert_eq!(curl(82, "2"), Some(28));
    assert_eq!(firewall.stop().0, 0);
}
