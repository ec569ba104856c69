//! Rules that name users, live: a subscriber signs on by RADIUS and is let through as one of a group, and signs off, which ends
//! what is open. Then a policy that names others, and a restart, while the subscriber stays signed on.

#![allow(clippy::unwrap_used, reason = "the helpers of tests are tests")]

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use ostiary_tests::certificates::Certificates;
use ostiary_tests::firewall::Firewall;
use ostiary_tests::netns::{CLIENT, Lab, SERVER, inside};
use ostiary_tests::policy::{Policy, signatures};
use ostiary_tests::process::wait_for;
use ostiary_tests::program::Replay;
use ostiary_tests::rsyslog::Rsyslog;
use ostiary_tests::{program, radius, skip};
use serde_json::Value;

/// What the access server and the RADIUS server share.
const SECRET: &str = "testing123";
/// Another subscriber's address.
const OTHER: &str = "198.18.0.3";
/// How long nothing has to come for what is refused.
const PATIENCE: Duration = Duration::from_millis(300);

const ACCOUNTING: &str = "service = [\"udp/1813\"]\naction = \"permit\"\n";
const GOLD: &str =
    "from = [\"trust\"]\nto = [\"untrust\"]\nuser-group = [\"gold\"]\naction = \"permit\"\nsession-logging = true\n";

struct Bed {
    lab: Lab,
    folder: tempfile::TempDir,
    /// Where accounting goes; it need not be answered.
    _server: UdpSocket,
}

impl Bed {
    fn build() -> Option<Self> {
        let lab = Lab::build()?;
        if !skip::has_programs(&["radclient", "rsyslogd", "ip"]) {
            return None;
        }
        let added = lab.client("ip").args(["addr", "add", &format!("{OTHER}/24"), "dev", "c0"]).status().unwrap();
        assert!(added.success());
        let folder = tempfile::tempdir().unwrap();
        let secret = folder.path().join("secret");
        std::fs::write(&secret, SECRET).unwrap();
        std::fs::set_permissions(&secret, std::fs::Permissions::from_mode(0o600)).unwrap();
        let server = udp(&lab.server, SERVER, 1813);
        Some(Self { lab, folder, _server: server })
    }

    fn policy(&self) -> Policy {
        let mut policy =
            Policy::new("net_af_packet0,iface=fw0", "net_af_packet1,iface=fw1").rule("accounting", ACCOUNTING);
        policy.im = false;
        policy.rest = format!(
            "[access.radius]\nunknown-nas = \"refuse\"\n\
             [[access.nas]]\nname = \"bras1\"\naddress = [\"{CLIENT}\"]\nsecret-file = \"{}\"\n",
            self.folder.path().join("secret").display()
        );
        policy
    }

    /// The access server tells of a subscriber, once.
    fn account(&self, status: &str, user: &str, address: &str, class: &str) {
        let mut client = self.lab.client("radclient");
        client.args(["-q", "-r", "1", "-t", "0.2", &format!("{SERVER}:1813"), "acct", SECRET]);
        let mut client = client.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        let attributes = format!(
            "User-Name={user},NAS-Identifier=bras1,Acct-Session-Id=\"{user} as {class}\",Framed-IP-Address={address},\
             Class=\"{class}\",Acct-Status-Type={status}\n"
        );
        client.stdin.take().unwrap().write_all(attributes.as_bytes()).unwrap();
        client.wait().unwrap();
    }

    /// It says so until the firewall knows: what was lost on a busy machine is said again.
    fn sign_on(&self, firewall: &Firewall, user: &str, address: &str, class: &str) {
        wait_for("the user to be signed on", || {
            self.account("Start", user, address, class);
            user_row(firewall, user).map(drop)
        });
    }

    fn sign_off(&self, firewall: &Firewall, user: &str, address: &str, class: &str) {
        wait_for("the user to be gone", || {
            self.account("Stop", user, address, class);
            user_row(firewall, user).is_none().then_some(())
        });
    }
}

fn user_row(firewall: &Firewall, user: &str) -> Option<Value> {
    firewall.show("users").into_iter().find(|row| row["user"] == user)
}

fn udp(namespace: &str, ip: &str, port: u16) -> UdpSocket {
    let address = SocketAddr::new(ip.parse().unwrap(), port);
    let socket = inside(namespace, || UdpSocket::bind(address).unwrap());
    socket.set_read_timeout(Some(PATIENCE)).unwrap();
    socket
}

/// A subscriber's flow of UDP.
struct Line {
    client: UdpSocket,
    server: UdpSocket,
}

impl Line {
    fn new(lab: &Lab, ip: &str, port: u16) -> Self {
        let (client, server) = (udp(&lab.client, ip, port), udp(&lab.server, SERVER, port));
        client.connect(server.local_addr().unwrap()).unwrap();
        Self { client, server }
    }

    fn arrives(&self) -> bool {
        self.client.send(b"hello").unwrap();
        self.server.recv(&mut [0; 16]).is_ok()
    }

    #[track_caller]
    fn passes(&self) {
        wait_for("a datagram to arrive", || self.arrives().then_some(()));
    }

    #[track_caller]
    fn is_refused(&self) {
        assert!(!(0..3).any(|_| self.arrives()), "nothing is to arrive");
    }
}

/// A connection, both ends, over which something went.
fn connection(lab: &Lab) -> (TcpStream, TcpStream) {
    let address = SocketAddr::new(SERVER.parse().unwrap(), 8080);
    let listener = inside(&lab.server, || TcpListener::bind(address).unwrap());
    let mut client = inside(&lab.client, || TcpStream::connect_timeout(&address, Duration::from_secs(20)).unwrap());
    let (mut server, _) = listener.accept().unwrap();
    server.set_read_timeout(Some(PATIENCE)).unwrap();
    client.write_all(b"hello").unwrap();
    server.read_exact(&mut [0; 5]).unwrap();
    (client, server)
}

fn file(folder: &Path) -> std::path::PathBuf {
    folder.join("policy.toml")
}

#[test]
fn a_group_is_let_through_while_its_user_is_signed_on() {
    let Some(bed) = Bed::build() else { return };
    let mut rsyslog =
        Rsyslog::start_in(Some(&bed.lab.firewall), bed.folder.path(), &Certificates::make(bed.folder.path()));
    let members = bed.folder.path().join("members");
    std::fs::write(&members, "# by name\nbob@isp\n").unwrap();
    let keys = "transport = \"udp\"\nformat = \"syslog\"\nrecords = [\"session\", \"access\"]\n";
    let mut policy = bed.policy().rule("gold", GOLD).host("siem", rsyslog.udp, keys);
    policy.rest += &format!(
        "[access]\nend-sessions = true\n[log.access]\nenable = true\ntype = \"syslog\"\n[policy]\nimplicit-deny-logging = true\n\
         [user-group]\ngold = {{ class = [\"gold\"], file = \"{}\" }}\n",
        members.display()
    );
    let firewall = Firewall::start_in(&bed.lab.firewall, bed.folder.path(), &policy);
    let rules = firewall.show("policy");
    assert_eq!((&rules[1]["user-group"], &rules[1]["user"]), (&serde_json::json!(["gold"]), &serde_json::json!([])));

    let (alice, bob) = (Line::new(&bed.lab, CLIENT, 9001), Line::new(&bed.lab, OTHER, 9002));
    alice.is_refused();
    // Who is of another class is let through as little.
    bed.sign_on(&firewall, "alice@isp", CLIENT, "silver");
    alice.is_refused();
    bed.sign_off(&firewall, "alice@isp", CLIENT, "silver");
    bed.sign_on(&firewall, "alice@isp", CLIENT, "gold");
    bed.sign_on(&firewall, "bob@isp", OTHER, "silver");
    assert_eq!(user_row(&firewall, "alice@isp").unwrap()["groups"], serde_json::json!(["gold"]));
    assert_eq!(user_row(&firewall, "bob@isp").unwrap()["groups"], serde_json::json!(["gold"]));
    alice.passes();
    bob.passes();
    let (mut client, mut server) = connection(&bed.lab);

    bed.sign_off(&firewall, "alice@isp", CLIENT, "gold");
    // The two, and that of the accounting itself, whose client has the same address here.
    wait_for("sessions to end", || (firewall.counter("sessions_logged_out") >= 3).then_some(()));
    alice.is_refused();
    client.write_all(b"still there").unwrap();
    assert!(server.read(&mut [0; 16]).is_err(), "nothing is to arrive");
    bob.passes();
    firewall.wait_until_sent();
    let (code, log) = firewall.stop();
    assert_eq!(code, 0, "{log}");
    rsyslog.stop();

    let records = rsyslog.records();
    let of = |address: &str, event: &str, port: u16| {
        let server = format!("{SERVER}:{port}");
        let is_it = |record: &&Value| {
            record["server"] == *server
                && record["action"] == event
                && record["client"].as_str().unwrap_or("").starts_with(address)
        };
        records.iter().filter(is_it).collect::<Vec<_>>()
    };
    for port in [9001, 8080] {
        let ended = of(CLIENT, "close", port);
        assert_eq!(ended.len(), 1, "{records:#?}");
        assert_eq!((&ended[0]["reason"], &ended[0]["rule"]), (&"logout".into(), &"gold".into()));
        assert_eq!(ended[0]["user"], "alice@isp");
    }
    assert_eq!(of(OTHER, "close", 9002)[0]["reason"], "shutdown");
    assert!(!of(CLIENT, "deny", 9001).is_empty(), "before and after");
    assert_eq!(of(CLIENT, "create", 9001).len(), 1);
}

#[test]
fn who_is_signed_on_is_known_to_another_policy_and_after_a_restart() {
    let Some(bed) = Bed::build() else { return };
    let state = bed.folder.path().join("state");
    let mut policy = bed.policy().rule("some", "user = [\"carol@isp\"]\naction = \"permit\"\n");
    policy.system = format!("state-directory = \"{}\"\n", state.display());
    let firewall = Firewall::start_in(&bed.lab.firewall, bed.folder.path(), &policy);
    let line = Line::new(&bed.lab, OTHER, 9003);
    bed.sign_on(&firewall, "alice@isp", OTHER, "gold");
    line.is_refused();
    let reload = |from: &str, to: &str| {
        let text = std::fs::read_to_string(file(bed.folder.path())).unwrap();
        assert!(text.contains(from), "{text}");
        std::fs::write(file(bed.folder.path()), text.replace(from, to)).unwrap();
        let output = program::run(["reload".as_ref(), "--socket".as_ref(), firewall.socket().as_os_str()]);
        (output.status.code(), String::from_utf8_lossy(&output.stderr).into_owned())
    };
    // Nobody who is signed on signs on again.
    assert_eq!(reload("\"carol@isp\"", "\"carol@isp\", \"alice@isp\"").0, Some(0));
    line.passes();
    assert_eq!(reload("user = [\"carol@isp\", \"alice@isp\"]", "user-group = [\"gold\"]").0, Some(2), "there is none");
    line.passes();
    let group = "[user-group]\ngold = { class = [\"platinum\"] }\n[access.radius]";
    let text = std::fs::read_to_string(file(bed.folder.path())).unwrap();
    std::fs::write(file(bed.folder.path()), text.replace("[access.radius]", group)).unwrap();
    assert_eq!(reload("platinum", "silver"), (Some(0), String::new()));
    line.is_refused();
    assert_eq!(reload("silver", "gold").0, Some(0));
    line.passes();
    let (code, log) = firewall.stop();
    assert_eq!(code, 0, "{log}");

    let policy = policy.rule("gold", GOLD);
    let policy = Policy { rest: policy.rest.clone() + "[user-group]\ngold = { class = [\"gold\"] }\n", ..policy };
    let firewall = Firewall::start_in(&bed.lab.firewall, bed.folder.path(), &policy);
    line.passes();
    bed.sign_off(&firewall, "alice@isp", OTHER, "gold");
    // The session goes on, as nothing says that it is to end; what begins now does not.
    line.passes();
    Line::new(&bed.lab, OTHER, 9004).is_refused();
    assert_eq!(firewall.counter("sessions_logged_out"), 0);
    let (code, log) = firewall.stop();
    assert_eq!(code, 0, "{log}");
}

/// A datagram of a subscriber, as `radius::frame` has those of the access server.
fn datagram(from: [u8; 4], port: u16) -> Vec<u8> {
    let mut udp = [port.to_be_bytes(), 9000_u16.to_be_bytes(), 13_u16.to_be_bytes(), [0, 0]].concat();
    udp.extend(b"hello");
    let mut ip = vec![0x45, 0, 0, 33, 0, 0, 0, 0, 64, 17, 0, 0];
    ip.extend(from);
    ip.extend([203, 0, 113, 1]);
    let sum: u32 = ip.chunks(2).map(|word| u32::from(u16::from_be_bytes([word[0], word[1]]))).sum();
    let sum = !((sum & 0xffff) + (sum >> 16)) as u16;
    ip[10..12].copy_from_slice(&sum.to_be_bytes());
    [vec![2, 0, 0, 0, 0, 2, 2, 0, 0, 0, 0, 1, 8, 0], ip, udp].concat()
}

/// A capture is judged by who was signed on in it, and a logout in it ends what was open.
#[test]
fn a_replay_judges_by_who_is_signed_on_in_the_capture() {
    let folder = tempfile::tempdir().unwrap();
    let (alice, bob) = ([10, 0, 0, 10], [10, 0, 0, 11]);
    let accounting = |identifier, status, user: &[u8], address: [u8; 4], session| {
        radius::frame(&radius::accounting(identifier, status, user, address.into(), session), 1813, false)
    };
    let frames = [
        datagram(alice, 4000),
        accounting(1, radius::START, b"alice@isp", alice, "a"),
        accounting(2, radius::START, b"bob@isp", bob, "b"),
        datagram(alice, 4001),
        datagram(bob, 4002),
        accounting(3, radius::STOP, b"alice@isp", alice, "a"),
        datagram(alice, 4001),
        datagram(bob, 4002),
    ];
    let capture = radius::capture(folder.path(), "group.pcap", &frames);
    let mut policy = Policy::new("net_null0", "net_null1").rule("accounting", ACCOUNTING).rule("gold", GOLD);
    policy.rest =
        "[policy]\nimplicit-deny-logging = true\n[user-group]\ngold = { users = [\"alice@isp\", \"bob@isp\"] }\n\
                   [access]\nend-sessions = true\n"
            .to_owned();
    let config = file(folder.path());
    std::fs::write(&config, policy.text(&folder.path().join("socket"), &signatures(folder.path()))).unwrap();
    let replay = Replay::of(["--config".as_ref(), config.as_os_str(), capture.as_os_str()]);
    assert_eq!(replay.code, 0, "{}", replay.errors);
    let told: Vec<String> = replay
        .events("session")
        .map(|event| {
            let word = |key: &str| event[key].as_str().unwrap_or("-").to_owned();
            format!("{} {} {}", word("action"), word("client"), word("reason"))
        })
        .collect();
    let expected =
        ["deny 10.0.0.10:4000 -", "create 10.0.0.10:4001 -", "create 10.0.0.11:4002 -", "close 10.0.0.10:4001 logout"];
    assert_eq!(told[..4], expected, "{told:#?}");
    // What still came was of a session that had been denied by then.
    assert_eq!(told.len(), 4, "{told:#?}");
}
