//! The life of a configuration: edited, seen, committed, confirmed or not, and the way back; while packets flow.

#![allow(clippy::unwrap_used, reason = "the helpers of tests are tests")]

use std::io::{BufRead, BufReader, Write};
use std::net::{SocketAddr, UdpSocket};
use std::os::unix::net::UnixStream;
use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::Command;
use std::time::{Duration, SystemTime};

use jiff::{SignedDuration, Timestamp};
use ostiary_tests::commits::{Said, generations, ostiary};
use ostiary_tests::firewall::Firewall;
use ostiary_tests::netns::{CLIENT, Lab, SERVER, inside};
use ostiary_tests::policy::Policy;
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
        let mut policy = Policy::new("net_af_packet0,iface=fw0", "net_af_packet1,iface=fw1");
        policy.system = format!("state-directory = \"{}\"\n", folder.path().join("state").display());
        let rule = "service = [\"udp/9000\"]\naction = \"permit\" # as agreed in March\n";
        let firewall = Firewall::start_in(&lab.firewall, folder.path(), &policy.rule("first", rule));
        Some(Self { lab, folder, firewall })
    }

    fn file(&self) -> PathBuf {
        self.folder.path().join("policy.toml")
    }

    fn text(&self) -> String {
        std::fs::read_to_string(self.file()).unwrap()
    }

    fn edit(&self, from: &str, to: &str) {
        let text = self.text();
        assert!(text.contains(from), "{text}");
        std::fs::write(self.file(), text.replace(from, to)).unwrap();
    }

    fn ostiary(&self, arguments: &[&str]) -> Said {
        ostiary(&self.firewall.socket(), arguments)
    }

    fn line(&self) -> Line {
        let socket = |namespace: &str, ip: &str| {
            let address = SocketAddr::new(ip.parse().unwrap(), 9000);
            inside(namespace, || UdpSocket::bind(address).unwrap())
        };
        let (client, server) = (socket(&self.lab.client, CLIENT), socket(&self.lab.server, SERVER));
        client.connect(SocketAddr::new(SERVER.parse().unwrap(), 9000)).unwrap();
        Line { client, server }
    }

    fn again(self) -> Self {
        let Self { lab, folder, firewall } = self;
        firewall.kill();
        let firewall = Firewall::start_again_in(&lab.firewall, folder.path());
        Self { lab, folder, firewall }
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

#[test]
fn a_candidate_is_edited_seen_committed_and_taken_back() {
    let Some(scene) = Scene::set() else { return };
    let line = scene.line();
    assert!(line.carries(30));
    let before = scene.text();
    assert_eq!(scene.ostiary(&["diff"]).done(), "");

    scene.ostiary(&["set", "rule[first].action", "deny"]).done();
    scene.ostiary(&["set", "rule[lab]", "{ service = [\"udp/9001\"], action = \"permit\" }", "--first"]).done();
    let seen = scene.ostiary(&["diff"]).done();
    assert!(seen.contains("~ rule[first].action: \"permit\" -> \"deny\"") && seen.contains("+ rule[lab] = "), "{seen}");
    assert!(line.carries(5), "an edit is no commit");
    assert_eq!(scene.text(), before);

    let said = scene.ostiary(&["commit", "-m", "no more"]).done();
    assert!(said.starts_with("generation 2, 2 changes: policy 2 in force"), "{said}");
    assert!(!line.carries(3), "the session was open, and is no longer permitted");
    let text = scene.text();
    assert!(text.contains("action = \"deny\" # as agreed in March"), "comments stay: {text}");
    assert!(text.find("name = \"lab\"") < text.find("name = \"first\""), "{text}");
    assert_eq!(scene.ostiary(&["diff"]).done(), "");

    let said = scene.ostiary(&["rollback", "1"]).done();
    assert!(said.starts_with("generation 3, 2 changes"), "{said}");
    assert!(line.carries(10));
    assert_eq!(scene.text(), before);
    let rows = generations(&scene.firewall.socket());
    let field = |key: &str| rows.iter().map(|row| row[key].as_str().unwrap_or("-")).collect::<Vec<_>>();
    assert_eq!(field("cause"), ["rollback 1", "commit", "start"]);
    assert_eq!(field("comment"), ["-", "no more", "-"]);
    assert_eq!(field("state"), ["in force", "", ""]);
    assert_eq!(scene.ostiary(&["generations", "2"]).done(), text);
    // What is there no more, or never was.
    assert!(scene.ostiary(&["rollback", "3"]).refused().contains("3 commits ago is not kept"));
    assert!(scene.ostiary(&["rollback", "--generation", "9"]).refused().contains("no generation 9"));
    let (code, log) = scene.firewall.stop();
    assert_eq!(code, 0, "{log}");
}

#[test]
fn b17_not_confirmed_returns_by_itself() {
    let Some(scene) = Scene::set() else { return };
    let line = scene.line();
    assert!(line.carries(30));
    let before = scene.text();
    scene.ostiary(&["set", "rule[first].action", "deny"]).done();
    let said = scene.ostiary(&["commit", "--confirm", "10s"]).done();
    assert!(said.contains("it is taken back at"), "{said}");
    assert!(!line.carries(2));
    assert_eq!(scene.text(), before, "until it is confirmed, a restart finds the one before");
    assert!(scene.ostiary(&["reload"]).refused().contains("waits to be confirmed"));
    wait_for("the way back", || line.carries(1).then_some(()));
    let rows = generations(&scene.firewall.socket());
    assert_eq!((rows[0]["state"].as_str(), rows[1]["state"].as_str()), (Some("reverted"), Some("in force")));
    assert!(scene.ostiary(&["confirm"]).refused().contains("no commit waits"));

    // Confirmed, it stays; the candidate was still there.
    scene.ostiary(&["commit", "--confirm", "10m"]).done();
    assert_eq!(scene.ostiary(&["confirm"]).done(), "generation 3 is confirmed\n");
    assert!(!line.carries(2) && scene.text().contains("action = \"deny\""));
    // And taken back at once.
    scene.ostiary(&["set", "rule[first].action", "permit"]).done();
    scene.ostiary(&["commit", "--confirm", "10m"]).done();
    assert!(line.carries(10));
    scene.ostiary(&["cancel"]).done();
    assert!(!line.carries(2));
    assert_eq!(scene.firewall.stop().0, 0);
}

#[test]
fn a_commit_is_set_for_a_time() {
    let Some(scene) = Scene::set() else { return };
    let line = scene.line();
    assert!(line.carries(30));
    let before = scene.text();
    let refused = |arguments: &[&str]| scene.ostiary(arguments).refused();
    assert!(refused(&["commit", "--at", "+1h"]).contains("nothing differs"));
    scene.ostiary(&["set", "rule[first].action", "allow"]).done();
    assert!(refused(&["commit", "--at", "+1h"]).contains("action"), "it is checked when it is set");
    scene.ostiary(&["set", "rule[first].action", "deny"]).done();
    assert!(refused(&["commit", "--at", "+9000h"]).contains("within a year"));

    // What is set can be seen, keeps others from committing, and can be taken back.
    let said = scene.ostiary(&["commit", "--at", "+1h", "-m", "in the night"]).done();
    assert!(said.starts_with("it is committed at "), "{said}");
    let listed = scene.ostiary(&["generations"]).done();
    assert!(listed.contains("a commit is set for ") && listed.contains(": in the night"), "{listed}");
    for others in [&["commit"][..], &["commit", "--at", "+2h"], &["rollback", "1"], &["reload"]] {
        assert!(refused(others).contains("a commit is set for"), "{others:?}");
    }
    assert!(scene.ostiary(&["cancel"]).done().contains("is cancelled"));
    assert!(refused(&["cancel"]).contains("no commit waits") && line.carries(5));

    // Asked for at the same moment, one of them is refused: a commit never takes what is set along.
    let connect = || UnixStream::connect(scene.firewall.socket()).unwrap();
    let (first, second) = (connect(), connect());
    let at = (Timestamp::now() + SignedDuration::from_hours(1)).to_string();
    writeln!(&first, "{{\"do\":\"commit\",\"at\":\"{at}\"}}").unwrap();
    writeln!(&second, "{{\"do\":\"commit\"}}").unwrap();
    let refused_one = |stream| {
        let mut line = String::new();
        BufReader::new(stream).read_line(&mut line).unwrap();
        line.contains("\"error\"")
    };
    let is_set = !refused_one(first);
    assert_eq!(refused_one(second), is_set);
    if is_set {
        scene.ostiary(&["cancel"]).done();
    } else {
        scene.ostiary(&["rollback", "1"]).done();
        scene.ostiary(&["set", "rule[first].action", "deny"]).done();
    }

    // What is committed is what was there when it was set. It is set over a restart, too.
    scene.ostiary(&["commit", "--at", "+12s"]).done();
    scene.ostiary(&["set", "rule[first].action", "reset"]).done();
    let scene = scene.again();
    assert!(line.carries(30) && scene.text() == before);
    wait_for("the time to come", || scene.text().contains("action = \"deny\"").then_some(()));
    assert!(!line.carries(2));
    let rows = generations(&scene.firewall.socket());
    assert_eq!(rows[0]["cause"], "commit at a time");
    assert!(scene.ostiary(&["diff"]).done().contains("\"deny\" -> \"reset\""), "what was edited since stays");

    // One whose time passes while nobody is there is dropped, and that is said.
    scene.ostiary(&["commit", "--at", "+4s"]).done();
    let passed = SystemTime::now() + Duration::from_secs(4);
    let Scene { lab, folder, firewall } = scene;
    firewall.kill();
    wait_for("its time to pass", || (SystemTime::now() > passed).then_some(()));
    let firewall = Firewall::start_again_in(&lab.firewall, folder.path());
    let scene = Scene { lab, folder, firewall };
    let log = scene.firewall.log();
    assert!(log.contains("is dropped: the firewall did not run then"), "{log}");
    assert!(scene.text().contains("action = \"deny\""));
    scene.ostiary(&["commit"]).done();
    assert_eq!(scene.firewall.stop().0, 0);
}

#[test]
fn as_many_generations_are_kept_as_the_file_says() {
    let Some(scene) = Scene::set() else { return };
    scene.ostiary(&["set", "configuration.generations", "3"]).done();
    scene.ostiary(&["commit"]).done();
    for action in ["deny", "permit", "reset", "deny"] {
        scene.ostiary(&["set", "rule[first].action", action]).done();
        scene.ostiary(&["commit"]).done();
    }
    let rows = generations(&scene.firewall.socket());
    let numbers: Vec<_> = rows.iter().map(|row| row["number"].as_u64().unwrap()).collect();
    assert_eq!(numbers, [6, 5, 4]);
    assert_eq!(scene.firewall.stop().0, 0);
}

#[test]
fn a_file_edited_by_hand_is_confirmed_or_restored() {
    let Some(scene) = Scene::set() else { return };
    let line = scene.line();
    assert!(line.carries(30));
    let before = scene.text();
    scene.edit("action = \"permit\"", "action = \"deny\"");
    let edited = scene.text();
    let seen = scene.ostiary(&["diff"]).done();
    assert_eq!(seen, "~ rule[first].action: \"permit\" -> \"deny\"\n");
    scene.ostiary(&["commit", "--confirm", "10m"]).done();
    assert!(!line.carries(2));
    // Killed before it was confirmed: the one before is in force, and what was edited is not lost.
    let scene = scene.again();
    let log = scene.firewall.log();
    assert!(log.contains("generation 2 was not confirmed before the stop: generation 1 is in force"), "{log}");
    assert_eq!(scene.text(), before);
    assert_eq!(std::fs::read_to_string(scene.folder.path().join("policy.toml.edited")).unwrap(), edited);
    assert!(line.carries(30));
    scene.edit("action = \"permit\"", "action = \"deny\"");
    scene.ostiary(&["commit"]).done();
    assert!(!line.carries(2));

    // Both edited: neither is taken unless it is said which.
    scene.edit("action = \"deny\"", "action = \"reset\"");
    scene.ostiary(&["set", "rule[first].action", "permit"]).done();
    assert!(scene.ostiary(&["commit"]).refused().contains("commit one of them"));
    let said = scene.ostiary(&["commit", "--candidate"]).done();
    assert!(said.contains("policy.toml.edited"), "{said}");
    assert!(line.carries(10));
    assert_eq!(scene.firewall.stop().0, 0);
}

#[test]
fn faults_and_what_needs_a_restart_are_told_before() {
    let Some(scene) = Scene::set() else { return };
    let before = scene.text();
    let set = |path: &str, value: &str| scene.ostiary(&["set", path, value]);
    assert!(set("rule[first].action.x", "1").refused().contains("is a plain value"));
    assert!(scene.ostiary(&["delete", "rule[none]"]).refused().contains("is not there"));
    set("rule[first].action", "allow").done();
    let why = scene.ostiary(&["commit"]).refused();
    assert!(why.contains("rule[first].action") && why.contains("nothing changes"), "{why}");
    scene.ostiary(&["discard"]).done();
    assert!(scene.ostiary(&["check", "--running"]).done().contains("can be committed"));
    set("dataplane.max-sessions", "30000").done();
    assert!(scene.ostiary(&["check", "--running"]).refused().contains("dataplane.max-sessions"));
    for command in [["commit"].as_slice(), &["commit", "--confirm", "10m"]] {
        let why = scene.ostiary(command).refused();
        assert!(why.contains("dataplane.max-sessions cannot change while it runs"), "{why}");
    }
    assert_eq!((scene.text(), generations(&scene.firewall.socket()).len()), (before, 1));
    let said = scene.ostiary(&["commit", "--on-restart"]).done();
    assert!(said.contains("in force from the next start on (dataplane.max-sessions)"), "{said}");
    let state = |number: usize| generations(&scene.firewall.socket())[number]["state"].clone();
    assert_eq!((state(0), state(1)), ("in the policy file".into(), "in force".into()));
    let scene = scene.again();
    assert_eq!(generations(&scene.firewall.socket())[0]["state"], "in force");
    assert_eq!(scene.firewall.stop().0, 0);
}

#[test]
fn rescue_is_the_one_that_was_saved() {
    let Some(scene) = Scene::set() else { return };
    let before = scene.text();
    assert!(scene.ostiary(&["rescue", "load"]).refused().contains("no rescue configuration"));
    scene.ostiary(&["rescue", "save"]).done();
    scene.ostiary(&["set", "rule[first].action", "deny"]).done();
    scene.ostiary(&["commit"]).done();
    let scene = scene.again();
    scene.ostiary(&["rescue", "load"]).done();
    assert_eq!(scene.text(), before);
    assert_eq!(scene.firewall.stop().0, 0);
}

#[test]
fn a_lock_keeps_other_terminals_out_and_ends_with_its_own() {
    let Some(scene) = Scene::set() else { return };
    let socket = scene.firewall.socket();
    // A shell in a session of its own locks, and edits under its lock; then it waits.
    let script = "\"$0\" lock --socket \"$1\" && \"$0\" set rule[first].action deny --socket \"$1\" && read end";
    let mut shell = Command::new("setsid");
    shell.args(["sh", "-c", script]).arg(program::path()).arg(&socket).stdin(std::process::Stdio::piped());
    shell.stdout(std::process::Stdio::null()).process_group(0);
    let mut shell = shell.spawn().unwrap();
    wait_for("its edit", || (!scene.ostiary(&["diff"]).done().is_empty()).then_some(()));
    for command in
        [["commit"].as_slice(), &["set", "rule[first].action", "permit"], &["discard"], &["lock"], &["unlock"]]
    {
        let why = scene.ostiary(command).refused();
        assert!(why.contains("the candidate is locked by"), "{command:?}: {why}");
    }
    drop(shell.stdin.take());
    shell.wait().unwrap();
    wait_for("the lock to end", || (scene.ostiary(&["discard"]).code == 0).then_some(()));
    assert_eq!(scene.firewall.stop().0, 0);
}
