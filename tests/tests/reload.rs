//! The policy file taken up again while packets flow: two namespaces, the firewall between them, and a file that changes.

#![allow(clippy::unwrap_used, reason = "the helpers of tests are tests")]

use std::net::{SocketAddr, UdpSocket};
use std::path::PathBuf;
use std::process::{Command, Output};
use std::time::Duration;

use ostiary_tests::firewall::Firewall;
use ostiary_tests::netns::{CLIENT, Lab, SERVER, inside};
use ostiary_tests::policy::{Policy, copy_signatures, sign};
use ostiary_tests::process::wait_for;
use ostiary_tests::program;
use tempfile::TempDir;

/// A firewall that permits UDP to port 9000 by the rule `first`.
struct Scene {
    lab: Lab,
    folder: TempDir,
    firewall: Firewall,
}

impl Scene {
    fn set() -> Option<Self> {
        let lab = Lab::build()?;
        let folder = tempfile::tempdir().unwrap();
        let policy = Policy::new("net_af_packet0,iface=fw0", "net_af_packet1,iface=fw1").rule("first", &permit(9000));
        let firewall = Firewall::start_in(&lab.firewall, folder.path(), &policy);
        Some(Self { lab, folder, firewall })
    }

    fn file(&self) -> PathBuf {
        self.folder.path().join("policy.toml")
    }

    fn edit(&self, from: &str, to: &str) {
        let text = std::fs::read_to_string(self.file()).unwrap();
        assert!(text.contains(from), "{text}");
        std::fs::write(self.file(), text.replace(from, to)).unwrap();
    }

    fn hang_up(&self) {
        let status = Command::new("kill").args(["-HUP", &self.firewall.pid().to_string()]).status().unwrap();
        assert!(status.success());
    }

    fn reload(&self) -> Output {
        program::run(["reload".as_ref(), "--socket".as_ref(), self.firewall.socket().as_os_str()])
    }

    fn version(&self) -> u64 {
        self.firewall.statistics()["policy"]["version"].as_u64().unwrap()
    }

    fn line(&self, port: u16) -> Line {
        let socket = |namespace: &str, ip: &str| {
            let address = SocketAddr::new(ip.parse().unwrap(), port);
            inside(namespace, || UdpSocket::bind(address).unwrap())
        };
        let (client, server) = (socket(&self.lab.client, CLIENT), socket(&self.lab.server, SERVER));
        client.connect(SocketAddr::new(SERVER.parse().unwrap(), port)).unwrap();
        Line { client, server }
    }
}

/// Both ends of a UDP session.
struct Line {
    client: UdpSocket,
    server: UdpSocket,
}

impl Line {
    /// Whether a datagram arrives, tried for a while: the first may wait for ARP.
    fn carries(&self, tries: usize) -> bool {
        self.server.set_read_timeout(Some(Duration::from_millis(300))).unwrap();
        (0..tries).any(|_| {
            self.client.send(b"?").unwrap();
            self.server.recv(&mut [0; 16]).is_ok()
        })
    }
}

fn permit(port: u16) -> String {
    format!("service = [\"udp/{port}\"]\naction = \"permit\"\nsession-logging = true\n")
}

#[test]
fn a_hang_up_denies_an_open_session_at_its_next_packet_and_permits_another() {
    let Some(scene) = Scene::set() else { return };
    let (old, new) = (scene.line(9000), scene.line(9001));
    assert!(old.carries(30));
    assert!(!new.carries(2));
    assert_eq!(scene.version(), 1);
    scene.edit("name = \"first\"\nservice = [\"udp/9000\"]", "name = \"second\"\nservice = [\"udp/9001\"]");
    scene.hang_up();
    wait_for("the new policy", || (scene.version() == 2).then_some(()));
    assert!(!old.carries(3), "the session was open, and is no longer permitted");
    assert!(new.carries(30));
    assert!(scene.firewall.counter("sessions_rejudged") >= 1);
    let rules: Vec<String> =
        scene.firewall.show("policy").iter().map(|rule| rule["name"].as_str().unwrap().to_owned()).collect();
    assert_eq!(rules, ["second", "implicit-deny"]);
    let sessions = scene.firewall.show("sessions");
    assert_eq!(sessions.len(), 1, "{sessions:?}");
    assert_eq!(sessions[0]["rule"], "second");
    let (code, log) = scene.firewall.stop();
    assert_eq!(code, 0, "{log}");
    assert!(log.contains("policy 2 in force since"), "{log}");
}

#[test]
fn a_file_that_is_not_taken_changes_nothing() {
    let Some(scene) = Scene::set() else { return };
    let line = scene.line(9000);
    assert!(line.carries(30));
    let said = |output: &Output| String::from_utf8_lossy(&output.stderr).into_owned();

    // A fault, by the command and by signal.
    scene.edit("action = \"permit\"", "action = \"allow\"");
    let refused = scene.reload();
    assert_eq!(refused.status.code(), Some(2), "{}", said(&refused));
    assert!(said(&refused).contains("rule[first].action") && said(&refused).contains("nothing changes"));
    scene.hang_up();
    wait_for("the fault to be told", || {
        (scene.firewall.log().matches("rule[first].action").count() == 2).then_some(())
    });
    scene.edit("action = \"allow\"", "action = \"deny\"");

    // A key that is read at start only, beside a rule that would deny.
    scene.edit("max-sessions = 20_000", "max-sessions = 30_000");
    let refused = scene.reload();
    assert_eq!(refused.status.code(), Some(2));
    assert!(said(&refused).contains("dataplane.max-sessions cannot change while it runs"), "{}", said(&refused));
    assert_eq!(scene.version(), 1);
    assert!(line.carries(5), "by the policy of the start");
    assert_eq!(scene.firewall.counter("sessions_rejudged"), 0);

    // Put right, it is taken.
    scene.edit("max-sessions = 30_000", "max-sessions = 20_000");
    let taken = scene.reload();
    assert_eq!(taken.status.code(), Some(0), "{}", said(&taken));
    assert!(String::from_utf8_lossy(&taken.stdout).starts_with("policy 2 in force since"));
    // Before the command ends, all workers judge by it.
    assert!(!line.carries(3));
    assert_eq!(scene.firewall.stop().0, 0);
}

#[test]
fn signatures_are_swapped_while_packets_flow() {
    let Some(scene) = Scene::set() else { return };
    let line = scene.line(9000);
    assert!(line.carries(20));
    let (sources, file) = (scene.folder.path().join("sources"), scene.folder.path().join("ostiary.sigdb"));
    copy_signatures(&sources);
    let release = |version: &str, serial: u64| {
        let head = format!("version = \"{version}\"\ndate = \"2999-01-01\"\nserial = {serial}\n");
        std::fs::write(sources.join("database.toml"), head).unwrap();
        sign(&sources, &file);
    };
    let in_use = || {
        let socket = scene.firewall.socket();
        let output = program::run([
            "show".as_ref(),
            "sigdb".as_ref(),
            "--json".as_ref(),
            "--socket".as_ref(),
            socket.as_os_str(),
        ]);
        let row: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
        row["version"].as_str().unwrap().to_owned()
    };
    let refused = |word: &str| {
        let output = scene.reload();
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(output.status.code() == Some(2) && said.contains(word), "{said}");
    };
    release("9.2", 2_999_010_102);
    assert!(scene.reload().status.success());
    assert_eq!(in_use(), "9.2");
    assert!(line.carries(3));
    // Again and again: databases that no flow is read by are given back.
    for serial in 3..10 {
        release(&format!("9.{serial}"), 2_999_010_100 + serial);
        assert!(scene.reload().status.success());
        assert_eq!(in_use(), format!("9.{serial}"));
    }
    release("9.1", 2_999_010_101);
    refused("is older than version 9.9");
    scene.edit("[application-identification]", "[application-identification]\ndowngrade = \"allow\"");
    assert!(scene.reload().status.success());
    assert_eq!(in_use(), "9.1");

    // An application that is gone, and that a rule names.
    scene.edit(
        "name = \"first\"",
        "name = \"messages\"\naction = \"deny\"\napplication = [\"irc\"]\n\n[[rule]]\nname = \"first\"",
    );
    assert!(scene.reload().status.success());
    std::fs::remove_file(sources.join("irc.toml")).unwrap();
    release("9.10", 2_999_010_110);
    refused("rule[messages].application");
    assert_eq!(in_use(), "9.1");

    // What nobody signed.
    let arguments = ["sigdb".as_ref(), "compile".as_ref(), "-o".as_ref(), file.as_os_str(), sources.as_os_str()];
    assert!(program::run(arguments).status.success());
    refused("is not signed");
    assert_eq!(in_use(), "9.1");
    assert!(line.carries(3));
}
