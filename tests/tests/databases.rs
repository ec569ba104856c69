//! Signature databases that follow each other under flows, and those that are not believed.

#![allow(clippy::unwrap_used, reason = "the helpers of tests are tests")]

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::time::Duration;

use ostiary_tests::certificates::Certificates;
use ostiary_tests::firewall::Firewall;
use ostiary_tests::netns::{Lab, SERVER, inside};
use ostiary_tests::policy::{Policy, copy_signatures, sign};
use ostiary_tests::process::wait_for;
use ostiary_tests::rsyslog::Rsyslog;
use ostiary_tests::{program, skip};
use tempfile::TempDir;

/// Releases of signatures, one newer than the other.
struct Releases {
    sources: PathBuf,
    file: PathBuf,
}

impl Releases {
    /// To be written to the file of a firewall in `folder`.
    fn of(folder: &Path) -> Self {
        let sources = folder.join("sources");
        copy_signatures(&sources);
        Self { sources, file: folder.join("ostiary.sigdb") }
    }

    fn head(&self, number: u64) {
        let head = format!("version = \"9.{number}\"\ndate = \"2999-01-01\"\nserial = {}\n", 2_999_010_100 + number);
        std::fs::write(self.sources.join("database.toml"), head).unwrap();
    }

    /// Version `9.number`, signed.
    fn release(&self, number: u64) {
        self.head(number);
        sign(&self.sources, &self.file);
    }

    /// The same, signed by nobody.
    fn release_unsigned(&self, number: u64) {
        self.head(number);
        let arguments =
            ["sigdb".as_ref(), "compile".as_ref(), "-o".as_ref(), self.file.as_os_str(), self.sources.as_os_str()];
        assert!(program::run(arguments).status.success());
    }
}

fn in_use(firewall: &Firewall) -> String {
    firewall.show("sigdb")[0]["version"].as_str().unwrap().to_owned()
}

fn reload(firewall: &Firewall) -> Output {
    program::run(["reload".as_ref(), "--socket".as_ref(), firewall.socket().as_os_str()])
}

fn hang_up(firewall: &Firewall) {
    let status = Command::new("kill").args(["-HUP", &firewall.pid().to_string()]).status().unwrap();
    assert!(status.success());
}

/// A user of IRC, and the server's end of their connection.
struct User {
    name: &'static str,
    client: TcpStream,
    server: TcpStream,
}

impl User {
    /// Comes online.
    fn new(lab: &Lab, listener: &TcpListener, name: &'static str) -> Self {
        let address = SocketAddr::new(SERVER.parse().unwrap(), 6667);
        let connect = || TcpStream::connect_timeout(&address, Duration::from_secs(5)).ok();
        let client = inside(&lab.client, || wait_for("a connection", connect));
        let (server, _) = listener.accept().unwrap();
        let mut user = Self { name, client, server };
        user.asks(&format!("NICK {name}\r\nUSER {name} 0 * :{name}\r\n"));
        user.is_told(&format!(":irc.example.com 001 {name} :Welcome\r\n"));
        user
    }

    fn asks(&mut self, text: &str) {
        self.client.write_all(text.as_bytes()).unwrap();
        self.server.read_exact(&mut vec![0; text.len()]).unwrap();
    }

    fn is_told(&mut self, text: &str) {
        self.server.write_all(text.as_bytes()).unwrap();
        self.client.read_exact(&mut vec![0; text.len()]).unwrap();
    }

    fn quits(mut self) {
        self.asks("QUIT :bye\r\n");
    }
}

#[test]
fn each_flow_ends_on_the_database_that_it_began_on_and_a_fifth_waits() {
    let Some(lab) = Lab::build() else { return };
    if !skip::has_programs(&["rsyslogd"]) {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let certificates = Certificates::make(folder.path());
    let mut rsyslog = Rsyslog::start_in(Some(&lab.firewall), folder.path(), &certificates);
    let mut policy = Policy::new("net_af_packet0,iface=fw0", "net_af_packet1,iface=fw1")
        .rule("all", "action = \"permit\"\nsession-logging = true\n")
        .tls(&certificates)
        .host("siem", rsyslog.tls, "transport = \"tls\"\nssl-policy = \"collector\"\nformat = \"syslog\"\n");
    policy.full = true;
    let firewall = Firewall::start_in(&lab.firewall, folder.path(), &policy);
    let releases = Releases::of(folder.path());
    let listener = inside(&lab.server, || TcpListener::bind((SERVER, 6667)).unwrap());
    // What was recorded of a user, each with the version by which the flow was read.
    let said = |rsyslog: &Rsyslog, name: &str| -> Vec<(String, String)> {
        let records = rsyslog.records();
        let of = |record: &&serde_json::Value| record["event"] == "signon" && record["account"] == name;
        let text = |record: &serde_json::Value, key: &str| record[key].as_str().unwrap_or("-").to_owned();
        records.iter().filter(of).map(|record| (text(record, "action"), text(record, "signatures"))).collect()
    };
    let word = |action: &str, version: &str| (action.to_owned(), version.to_owned());
    let comes = |rsyslog: &Rsyslog, name| {
        let user = User::new(&lab, &listener, name);
        wait_for("the login to be recorded", || (!said(rsyslog, name).is_empty()).then_some(()));
        user
    };

    let first = in_use(&firewall);
    let ann = comes(&rsyslog, "ann");
    let mut later = Vec::new();
    for (number, name) in [(2, "bob"), (3, "cid"), (4, "dora")] {
        releases.release(number);
        assert!(reload(&firewall).status.success());
        assert_eq!(in_use(&firewall), format!("9.{number}"));
        later.push(comes(&rsyslog, name));
    }
    // Four are in use, each by a flow.
    releases.release(5);
    hang_up(&firewall);
    wait_for("the fifth to wait", || {
        firewall.log().contains("the new signatures wait: flows are still read by 4 databases before").then_some(())
    });
    let emil = comes(&rsyslog, "emil");
    assert_eq!(in_use(&firewall), "9.4");
    ann.quits();
    wait_for("the fifth to be in use", || (in_use(&firewall) == "9.5").then_some(()));
    let fay = comes(&rsyslog, "fay");
    for user in later.into_iter().chain([emil, fay]) {
        let name = user.name;
        user.quits();
        wait_for("the logout to be recorded", || (said(&rsyslog, name).len() == 2).then_some(()));
    }
    firewall.wait_until_sent();
    let (code, log) = firewall.stop();
    assert_eq!(code, 0, "{log}");
    rsyslog.stop();
    let versions =
        [("ann", first.as_str()), ("bob", "9.2"), ("cid", "9.3"), ("dora", "9.4"), ("emil", "9.4"), ("fay", "9.5")];
    for (name, version) in versions {
        assert_eq!(said(&rsyslog, name), [word("login", version), word("logout", version)], "{name}");
    }
}

/// A firewall without traffic.
struct Scene {
    folder: TempDir,
    firewall: Firewall,
    releases: Releases,
}

impl Scene {
    fn set() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let policy = Policy::new("net_null0", "net_null1").rule("all", "action = \"permit\"\n");
        let firewall = Firewall::start(folder.path(), &policy);
        let releases = Releases::of(folder.path());
        Self { folder, firewall, releases }
    }

    #[track_caller]
    fn takes(&self, version: &str) {
        let output = reload(&self.firewall);
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        assert_eq!(in_use(&self.firewall), version);
    }

    /// The file is refused in so many words by the running firewall, and by one that would start with it.
    #[track_caller]
    fn refuses(&self, words: &str) {
        let before = in_use(&self.firewall);
        let policy = self.folder.path().join("policy.toml");
        let run = ["run".as_ref(), "--config".as_ref(), policy.as_os_str()];
        for output in [reload(&self.firewall), program::run(run)] {
            let said = String::from_utf8_lossy(&output.stderr).into_owned();
            assert!(output.status.code() == Some(2) && said.contains(words), "{words}: {said}");
        }
        assert_eq!(in_use(&self.firewall), before);
    }
}

/// Where the octets of a `.sigdb` that are signed end, and where its program begins.
const KEY: usize = 48;
const PROGRAM: usize = 144;

#[test]
fn what_was_tampered_with_is_refused_and_what_nobody_signed_is_taken_where_that_is_allowed() {
    let scene = Scene::set();
    let file = &scene.releases.file;
    scene.releases.release(2);
    scene.takes("9.2");
    let good = std::fs::read(file).unwrap();

    // An octet changed: in what tells it is a database, in a length, in what is compared, in the program.
    for (place, words) in
        [(0, "is no signature database"), (12, "is damaged"), (20, "is damaged"), (PROGRAM, "is damaged")]
    {
        let mut octets = good.clone();
        octets[place] ^= 1;
        std::fs::write(file, octets).unwrap();
        scene.refuses(words);
    }
    let mut octets = good.clone();
    *octets.last_mut().unwrap() ^= 1;
    std::fs::write(file, octets).unwrap();
    scene.refuses("is damaged");
    std::fs::write(file, &good[..good.len() - 1]).unwrap();
    scene.refuses("is damaged");
    // In the signature, and in the key.
    for (place, words) in [(KEY + 32, "the signature does not hold"), (KEY, "which is not trusted")] {
        let mut octets = good.clone();
        octets[place] ^= 1;
        std::fs::write(file, octets).unwrap();
        scene.refuses(words);
    }

    // Another database, whole, under the signature of this one.
    std::fs::remove_file(scene.releases.sources.join("irc.toml")).unwrap();
    scene.releases.release(3);
    let mut octets = std::fs::read(file).unwrap();
    octets[KEY..PROGRAM].copy_from_slice(&good[KEY..PROGRAM]);
    std::fs::write(file, &octets).unwrap();
    scene.refuses("the signature does not hold");

    // Nobody's: only where it is allowed by name. What somebody signed falsely is no better for it.
    let policy = scene.folder.path().join("policy.toml");
    scene.releases.release_unsigned(4);
    scene.refuses("is not signed");
    let text = std::fs::read_to_string(&policy).unwrap();
    let allowed = text.replace("[application-identification]", "[application-identification]\nunsigned = \"allow\"");
    std::fs::write(&policy, &allowed).unwrap();
    scene.takes("9.4");
    std::fs::write(file, &octets).unwrap();
    scene.refuses("the signature does not hold");
    std::fs::write(&policy, text).unwrap();
    scene.releases.release(5);
    scene.takes("9.5");
    assert_eq!(scene.firewall.stop().0, 0);
}
