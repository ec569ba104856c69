//! Real programs on both sides of the running firewall: two namespaces, two cables, the firewall between them over
//! net_af_packet.

#![allow(clippy::unwrap_used, reason = "the helpers of tests are tests")]

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, UdpSocket};
use std::process::Output;
use std::time::Duration;

use bench::pktgen::stories as catalogue;
use ostiary_tests::certificates::Certificates;
use ostiary_tests::firewall::Firewall;
use ostiary_tests::netns::{CLIENT, Lab, SERVER, inside};
use ostiary_tests::policy::Policy;
use ostiary_tests::process::wait_for;
use ostiary_tests::rsyslog::Rsyslog;
use ostiary_tests::{qq, skip};
use serde_json::Value;

const PERMIT: &str = "from = [\"trust\"]\nto = [\"untrust\"]\naction = \"permit\"\nsession-logging = true\n";

fn policy() -> Policy {
    Policy { polls: true, ..Policy::new("net_af_packet0,iface=fw0", "net_af_packet1,iface=fw1") }
}

fn address(ip: &str, port: u16) -> SocketAddr {
    SocketAddr::new(ip.parse().unwrap(), port)
}

/// A web server in the servers' namespace that answers every request with `body`, until the test ends.
fn serve(lab: &Lab, port: u16, body: &'static [u8]) {
    let listener = inside(&lab.server, || TcpListener::bind(address(SERVER, port)).unwrap());
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let Ok(mut stream) = stream else { continue };
            let mut request = [0; 2048];
            if matches!(stream.read(&mut request), Ok(octets) if octets > 0) {
                let head = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\nConnection: close\r\n\r\n", body.len());
                // The test looks at what curl got, not at what we could send.
                let _ = stream.write_all(head.as_bytes()).and_then(|()| stream.write_all(body));
            }
        }
    });
}

fn curl(lab: &Lab, port: u16, patience: &str) -> Output {
    let mut curl = lab.client("curl");
    curl.args(["--silent", "--show-error", "--max-time", patience, &format!("http://{SERVER}:{port}/")]);
    curl.output().unwrap()
}

const COULD_NOT_CONNECT: i32 = 7;
const TIMED_OUT: i32 = 28;
const RESET: i32 = 56;

#[test]
fn a_page_comes_through_whole() {
    let Some(lab) = Lab::build() else { return };
    if !skip::has_programs(&["curl"]) {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let firewall = Firewall::start_in(&lab.firewall, folder.path(), &policy().rule("web", PERMIT));
    static PAGE: [u8; 300_000] = [b'o'; 300_000];
    serve(&lab, 80, &PAGE);
    let output = curl(&lab, 80, "30");
    assert_eq!(output.status.code(), Some(0), "{}", String::from_utf8_lossy(&output.stderr));
    assert!(output.stdout == PAGE);
    let (code, log) = firewall.stop();
    assert_eq!(code, 0, "{log}");
}

#[test]
fn a_closed_port_refuses_through_the_firewall() {
    let Some(lab) = Lab::build() else { return };
    if !skip::has_programs(&["curl"]) {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let _firewall = Firewall::start_in(&lab.firewall, folder.path(), &policy().rule("web", PERMIT));
    // The server's own RST, let through.
    assert_eq!(curl(&lab, 8099, "30").status.code(), Some(COULD_NOT_CONNECT));
}

#[test]
fn a_reset_rule_refuses_and_a_deny_rule_is_silent() {
    let Some(lab) = Lab::build() else { return };
    if !skip::has_programs(&["curl"]) {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let policy = policy()
        .rule("reset", "service = [\"tcp/81\"]\naction = \"reset\"\nsession-logging = true\n")
        .rule("deny", "service = [\"tcp/82\"]\naction = \"deny\"\nsession-logging = true\n")
        .rule("web", PERMIT);
    let firewall = Firewall::start_in(&lab.firewall, folder.path(), &policy);
    for port in [81, 82, 83] {
        serve(&lab, port, b"inside");
    }
    assert_eq!(curl(&lab, 83, "30").stdout, b"inside");
    // Were it the server that answers, curl would have a page.
    assert_eq!(curl(&lab, 81, "30").status.code(), Some(COULD_NOT_CONNECT));
    assert_eq!(curl(&lab, 82, "2").status.code(), Some(TIMED_OUT));
    for name in ["drop_policy", "drop_policy_reset", "replies"] {
        assert!(firewall.counter(name) >= 1, "{name}: {:?}", firewall.show("counters"));
    }
}

/// The connection opens, since nobody knows yet what it is; its first request says so, and then both ends are told.
#[test]
fn a_rule_that_resets_the_application_resets_its_connection() {
    let Some(lab) = Lab::build() else { return };
    if !skip::has_programs(&["curl"]) {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let policy = policy()
        .rule("no-wechat", "application = [\"wechat\"]\naction = \"reset\"\nsession-logging = true\n")
        .rule("web", PERMIT);
    let firewall = Firewall::start_in(&lab.firewall, folder.path(), &policy);
    serve(&lab, 80, b"a page");
    let request = |path: &str| {
        let mut curl = lab.client("curl");
        curl.args(["--silent", "--show-error", "--max-time", "30", "--user-agent", "MicroMessenger Client"]);
        curl.args(["--header", "Host: dns.weixin.qq.com", &format!("http://{SERVER}{path}")]);
        curl.output().unwrap()
    };
    let refused = request("/cgi-bin/micromsg-bin/newgetdns?uin=0&clientversion=1");
    assert_eq!(refused.status.code(), Some(RESET), "{}", String::from_utf8_lossy(&refused.stderr));
    assert!(refused.stdout.is_empty());
    assert_eq!(curl(&lab, 80, "30").stdout, b"a page");
    assert_eq!(firewall.stop().0, 0);
}

struct Watched {
    account: String,
    records: Vec<Value>,
}

/// Lets a user sign on and off through a firewall with this policy, and gives what rsyslog received, over TLS.
fn watched(rule: &str, change: impl FnOnce(&mut Policy)) -> Option<Watched> {
    let lab = Lab::build()?;
    if !skip::has_programs(&["rsyslogd"]) {
        return None;
    }
    let folder = tempfile::tempdir().unwrap();
    let certificates = Certificates::make(folder.path());
    let rsyslog = Rsyslog::start_in(Some(&lab.firewall), folder.path(), &certificates);
    let mut policy = policy().rule("staff", rule).tls(&certificates).host(
        "siem",
        rsyslog.tls,
        "transport = \"tls\"\nssl-policy = \"collector\"\nformat = \"syslog\"\n",
    );
    change(&mut policy);
    let firewall = Firewall::start_in(&lab.firewall, folder.path(), &policy);
    let account = qq::sign_on_and_off(&lab);
    // Everything that was to be recorded has been, once the firewall has ended and its host has all.
    let (code, log) = firewall.stop();
    assert_eq!(code, 0, "{log}");
    let mut rsyslog = rsyslog;
    rsyslog.stop();
    // What the firewall says of itself is no matter here.
    let records = rsyslog.records().into_iter().filter(|record| record["event"] != "audit").collect();
    Some(Watched { account, records })
}

impl Watched {
    fn sign_ons(&self) -> Vec<(&str, &str, &str)> {
        let sign_ons = self.records.iter().filter(|record| record["event"] == "signon");
        let text = |record: &'_ Value, key: &str| record[key].as_str().unwrap_or("-").to_owned().leak() as &str;
        sign_ons.map(|record| (text(record, "action"), text(record, "account"), text(record, "client"))).collect()
    }
}

#[test]
fn a_login_through_the_firewall_is_recorded() {
    let rule = format!("{PERMIT}application = [\"qq\"]\n");
    let Some(watched) = watched(&rule, |_| {}) else { return };
    let client = format!("{CLIENT}:4009");
    let account = watched.account.as_str();
    assert_eq!(watched.sign_ons(), [("login", account, client.as_str()), ("logout", account, client.as_str())]);
    for record in watched.records.iter().filter(|record| record["event"] == "signon") {
        assert_eq!(record["application"], "qq");
        assert_eq!(record["server"], format!("{SERVER}:8000"));
        assert_eq!(record["rule"], "staff");
        assert_eq!(record["client-zone"], "trust");
        assert_eq!(record["server-interface"], "outside");
        assert_eq!(record["input"], "imtcp");
    }
}

#[test]
fn full_identification_records_it_under_any_rule() {
    let Some(watched) = watched(PERMIT, |policy| policy.full = true) else { return };
    assert_eq!(watched.sign_ons().len(), 2);
}

#[test]
fn without_im_logging_it_is_not_recorded() {
    let off = |policy: &mut Policy| (policy.im, policy.full) = (false, true);
    let Some(watched) = watched(PERMIT, off) else { return };
    assert!(watched.sign_ons().is_empty());
    assert!(!watched.records.is_empty(), "the sessions are recorded all the same");
}

#[test]
fn without_session_logging_on_the_rule_it_is_not_recorded() {
    let rule = "from = [\"trust\"]\nto = [\"untrust\"]\naction = \"permit\"\nsession-logging = false\n";
    let Some(watched) = watched(rule, |policy| policy.full = true) else { return };
    assert!(watched.records.is_empty(), "{:?}", watched.records);
}

#[test]
fn on_demand_and_without_application_in_the_rule_it_is_not_recorded() {
    let Some(watched) = watched(PERMIT, |_| {}) else { return };
    assert!(watched.sign_ons().is_empty());
    assert!(!watched.records.is_empty(), "the sessions are recorded all the same");
}

#[test]
fn a_rule_that_denies_the_application_ends_it() {
    let Some(lab) = Lab::build() else { return };
    let folder = tempfile::tempdir().unwrap();
    let policy = policy()
        .rule("no-messengers", "application = [\"qq\", \"wechat\"]\naction = \"deny\"\nsession-logging = true\n")
        .rule("rest", PERMIT);
    let firewall = Firewall::start_in(&lab.firewall, folder.path(), &policy);
    let client = inside(&lab.client, || UdpSocket::bind(address(CLIENT, 4010)).unwrap());
    let server = inside(&lab.server, || UdpSocket::bind(address(SERVER, 8000)).unwrap());
    server.set_read_timeout(Some(Duration::from_millis(300))).unwrap();
    let story = catalogue::find("qq_udp_day").unwrap().tell(1);
    let login = story.frames.iter().find(|frame| frame.bytes[23] == 17 && frame.bytes[36..38] == [0x1f, 0x40]).unwrap();
    let payload = &login.bytes[42..14 + usize::from(u16::from_be_bytes([login.bytes[16], login.bytes[17]]))];
    let mut received = [0; 2048];
    wait_for("the engine to name it and the rule to stop it", || {
        client.send_to(payload, address(SERVER, 8000)).unwrap();
        server.recv(&mut received).is_err().then_some(())
    });
    // Other traffic of the same host goes on.
    let other = inside(&lab.server, || UdpSocket::bind(address(SERVER, 9000)).unwrap());
    other.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
    client.send_to(b"hello", address(SERVER, 9000)).unwrap();
    assert_eq!(other.recv(&mut received).unwrap(), 5);
    assert_eq!(firewall.stop().0, 0);
}
