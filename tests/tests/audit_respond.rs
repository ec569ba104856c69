//! What the firewall does by itself when something happens: row B14 of the audit functions, with traffic, and the rest of
//! `[[respond]]`, with the programs of the test.

#![allow(clippy::unwrap_used, reason = "the helpers of tests are tests")]

use std::fs;
use std::net::{SocketAddr, UdpSocket};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::time::Duration;

use ostiary_tests::commits::ostiary;
use ostiary_tests::firewall::Firewall;
use ostiary_tests::netns::{CLIENT, Lab, SERVER, inside};
use ostiary_tests::policy::Policy;
use ostiary_tests::process::wait_for;
use ostiary_tests::skip::is_root;
use ostiary_tests::trail::{records, say_failure, wait_for_record};
use serde_json::Value;

/// Both ends of a UDP session across the firewall.
struct Line {
    client: UdpSocket,
    server: UdpSocket,
}

impl Line {
    fn new(lab: &Lab) -> Self {
        let socket = |namespace: &str, ip: &str| {
            let address = SocketAddr::new(ip.parse().unwrap(), 9000);
            inside(namespace, || UdpSocket::bind(address).unwrap())
        };
        let (client, server) = (socket(&lab.client, CLIENT), socket(&lab.server, SERVER));
        client.connect(SocketAddr::new(SERVER.parse().unwrap(), 9000)).unwrap();
        server.set_read_timeout(Some(Duration::from_millis(200))).unwrap();
        Self { client, server }
    }

    fn passes(&self) -> bool {
        // What came before is of no interest.
        while self.server.recv(&mut [0; 64]).is_ok() {}
        self.client.send(b"hello").is_ok() && self.server.recv(&mut [0; 64]).is_ok()
    }
}

fn is(record: &Value, action: &str, rule: &str) -> bool {
    record["action"] == action && record["rule"] == rule
}

fn count(records: &[Value], action: &str, rule: &str) -> usize {
    records.iter().filter(|record| is(record, action, rule)).count()
}

#[test]
fn b14_three_failures_block_the_source_and_raise() {
    let Some(lab) = Lab::build() else { return };
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let mut policy = Policy::new("net_af_packet0,iface=fw0", "net_af_packet1,iface=fw1")
        .rule("all", "service = [\"udp/9000\"]\naction = \"permit\"\n");
    policy.audit = format!("syslog-socket = \"{}\"\n", folder.join("log").display());
    policy.rest += "[[respond]]\nname = \"guessing\"\non = [\"login-failed\"]\nwhere = { service = \"sshd\" }\ncount = 3\n\
        within = \"5 min\"\nby = \"origin\"\nlimit = \"2/h\"\nthen = [{ block-source = \"20 s\" }, { raise = \"alert\" }]\n\
        [[respond]]\nname = \"loop\"\non = [\"response-taken\", \"raised\", \"response-limited\"]\nlimit = \"1000/s\"\n\
        then = [{ raise = \"emergency\" }, { run = \"clear-sessions\" }]\n";
    let firewall = Firewall::start_in(&lab.firewall, folder, &policy);
    let line = Line::new(&lab);
    wait_for("the line", || line.passes().then_some(()));

    say_failure(folder, "a", CLIENT);
    say_failure(folder, "b", "192.0.2.1");
    say_failure(folder, "c", CLIENT);
    let failures = || records(folder).iter().filter(|record| record["action"] == "login-failed").count();
    wait_for("three failures, two of them of one source", || (failures() == 3).then_some(()));
    assert_eq!(count(&records(folder), "response-taken", "guessing"), 0);
    assert!(line.passes());

    say_failure(folder, "d", CLIENT);
    let blocked =
        wait_for_record(folder, "the source to be blocked", |record| is(record, "response-taken", "guessing"));
    let told = |field: &str| blocked[field].as_str().unwrap().to_owned();
    assert_eq!(
        (told("measure"), told("origin"), told("via")),
        ("block-source for 20 s".into(), CLIENT.into(), "response".into())
    );
    let dropped = || firewall.counter("drop_blocked_source");
    wait_for("its traffic to be dropped", || {
        let passes = line.passes();
        (!passes && dropped() > 0).then_some(())
    });
    let raised = wait_for_record(folder, "the record that is raised", |record| is(record, "raised", "guessing"));
    assert_eq!((&raised["severity"], &raised["what"]), (&1.into(), &"login-failed".into()), "{raised}");
    let all = records(folder);
    let third = all.iter().rfind(|record| record["action"] == "login-failed").unwrap();
    let cause = format!("{}-{}", third["boot"].as_str().unwrap(), third["seq"]);
    assert_eq!((&raised["cause"], &blocked["cause"]), (&cause.as_str().into(), &cause.as_str().into()));

    // The limit: the second is the last that is done; the third is told, and what is due more often is not.
    for source in ["192.0.2.2", "192.0.2.3", "192.0.2.4"] {
        (0..3).for_each(|_| say_failure(folder, "x", source));
    }
    wait_for_record(folder, "the limit", |record| is(record, "response-limited", "guessing"));
    wait_for("all failures", || (failures() == 13).then_some(()));

    let ended = wait_for_record(folder, "its time to be over", |record| {
        record["measure"] == "unblock-source" && record["origin"] == CLIENT
    });
    assert_eq!(ended["action"], "response-taken");
    wait_for("the line", || line.passes().then_some(()));
    let all = records(folder);
    assert_eq!(count(&all, "raised", "guessing"), 2);
    assert_eq!(count(&all, "response-limited", "guessing"), 1);
    let blocks = all.iter().filter(|record| record["measure"] == "block-source for 20 s");
    assert_eq!(blocks.map(|record| record["origin"].as_str().unwrap()).collect::<Vec<_>>(), [CLIENT, "192.0.2.2"]);
    assert!(all.iter().all(|record| record["rule"] != "loop"), "a response answered a response");
    let (code, log) = firewall.stop();
    assert_eq!(code, 0, "{log}");
}

/// A program of the test.
fn script(folder: &Path, name: &str, body: &str) -> String {
    let path = folder.join(name);
    fs::write(&path, format!("#!/bin/sh\ncd {}\n{body}\n", folder.display())).unwrap();
    fs::set_permissions(&path, PermissionsExt::from_mode(0o755)).unwrap();
    path.display().to_string()
}

fn response(name: &str, user: &str, then: &str) -> String {
    let on = format!("on = [\"login-failed\"]\nwhere = {{ user = '{user}' }}\nlimit = \"100/s\"");
    format!("[[respond]]\nname = \"{name}\"\n{on}\nthen = [{then}]\n")
}

/// A name that a shell would act upon.
const HOSTILE: &str = "$(touch pwned)`touch pwned`;touch pwned";

#[test]
fn programs_mail_and_files_are_handed_what_happened() {
    if !is_root() {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let mut policy = Policy::new("net_null0", "net_null1").rule("rest", "action = \"permit\"\n");
    policy.im = false;
    policy.system = format!("state-directory = \"{}\"\n", folder.join("state").display());
    let mail = script(folder, "mailer", "cat > mail.part; echo \"$# $*\" > mail.arguments; mv mail.part mail");
    let page = script(
        folder,
        "page",
        "echo \"$#|$1|$2\" > arguments; env > environment.part; mv environment.part environment",
    );
    let fails = script(folder, "fails", "exit 3");
    let sftp = script(folder, "sftp", "cat >> batch.part; echo \"$*\" >> sftp.arguments; mv batch.part batch");
    policy.audit = format!(
        "syslog-socket = \"{}\"\nmail-program = \"{mail}\"\n[audit.sftp]\nprogram = \"{sftp}\"\n[[audit.file]]\n\
         name = \"audit\"\narchive = {{ sites = [\"sftp://box@archive.example.net/in\"], compress = false }}\n",
        folder.join("log").display()
    );
    policy.rest += &[
        response("mail", "mailed", "{ mail = \"noc@example.net\" }"),
        response("page", HOSTILE, &format!("{{ program = [\"{page}\", \"a b\", \"$HOME\"] }}")),
        response("fails", "failing", &format!("{{ program = [\"{fails}\"] }}")),
        response("rotate", "rotated", "{ run = \"rotate\" }"),
        response("upload", "uploaded", "{ upload = \"audit\" }"),
        response("rescue", "rescued", "{ run = \"rescue\" }"),
    ]
    .concat();
    let firewall = Firewall::start(folder, &policy);
    let taken = |rule: &str| {
        let of_rule = |record: &Value| {
            record["rule"] == rule
                && ["response-taken", "response-failed"].iter().any(|action| record["action"] == *action)
        };
        wait_for_record(folder, rule, of_rule)
    };
    let read = |name: &str| wait_for(name, || fs::read_to_string(folder.join(name)).ok());

    say_failure(folder, "mailed", "192.0.2.7");
    assert_eq!(taken("mail")["action"], "response-taken");
    assert_eq!(read("mail.arguments"), "2 -oi noc@example.net\n");
    let mail = read("mail");
    assert!(mail.starts_with("To: noc@example.net\nSubject: fw1: login-failed (mail)\n"), "{mail}");
    assert!(mail.contains("\nuser: mailed\norigin: 192.0.2.7\n"), "{mail}");

    say_failure(folder, HOSTILE, "192.0.2.8");
    assert_eq!(taken("page")["outcome"], "success");
    assert_eq!(read("arguments"), "2|a b|$HOME\n");
    let environment = read("environment");
    for line in ["OSTIARY_EVENT=login-failed", "OSTIARY_RULE=page", "OSTIARY_ORIGIN=192.0.2.8"] {
        assert!(environment.lines().any(|other| other == line), "{line}: {environment}");
    }
    assert!(environment.lines().any(|line| line == format!("OSTIARY_USER={HOSTILE}")), "{environment}");
    let record = environment.lines().find_map(|line| line.strip_prefix("OSTIARY_RECORD=")).unwrap();
    assert_eq!(serde_json::from_str::<Value>(record).unwrap()["user"], HOSTILE);
    assert!(!folder.join("pwned").exists() && !Path::new("/pwned").exists());

    say_failure(folder, "failing", "192.0.2.9");
    let failed = taken("fails");
    assert_eq!((&failed["action"], &failed["reason"]), (&"response-failed".into(), &"exit status: 3".into()));

    say_failure(folder, "rotated", "192.0.2.10");
    assert_eq!(taken("rotate")["measure"], "rotate");
    let rotated = wait_for_record(folder, "the file to be closed", |record| record["action"] == "audit-rotated");
    let closed = folder.join(format!("audit/audit.{:06}.jsonl", rotated["serial"].as_u64().unwrap()));
    wait_for("the archive", || fs::read_to_string(&closed).ok().filter(|text| text.contains("\"rotated\"")));
    wait_for_record(folder, "it to be sent", |record| record["action"] == "audit-uploaded");

    fs::remove_file(folder.join("batch")).unwrap();
    say_failure(folder, "uploaded", "192.0.2.11");
    assert_eq!(taken("upload")["measure"], "upload audit");
    let batch = read("batch");
    assert!(batch.starts_with("put \"") && batch.contains("\nrename \"/in/audit."), "{batch}");
    assert!(read("sftp.arguments").contains("box@archive.example.net"));

    // The way back: to what was saved, from what was committed since.
    say_failure(folder, "rescued", "192.0.2.12");
    let none = taken("rescue");
    assert_eq!(none["action"], "response-failed", "there is none yet: {none}");
    assert!(none["reason"].as_str().unwrap().contains("no rescue configuration"), "{none}");
    let socket = firewall.socket();
    ostiary(&socket, &["rescue", "save"]).done();
    let file = folder.join("policy.toml");
    let text = fs::read_to_string(&file).unwrap();
    fs::write(&file, text.replace("name = \"rest\"", "name = \"other\"")).unwrap();
    ostiary(&socket, &["commit"]).done();
    say_failure(folder, "rescued", "192.0.2.13");
    let loaded = wait_for_record(folder, "the way back", |record| is(record, "response-taken", "rescue"));
    assert_eq!(loaded["measure"], "rescue");
    let commit = records(folder);
    let commit = commit.iter().find(|record| record["action"] == "rescue-load").unwrap();
    assert_eq!(commit["via"], "response");
    assert_eq!(fs::read_to_string(&file).unwrap(), text);

    // Responses change with a commit.
    let without = text.replace("name = \"fails\"", "name = \"other\"").replace("'failing'", "'sleeping'");
    assert_ne!(without, text);
    fs::write(&file, without).unwrap();
    ostiary(&socket, &["commit"]).done();
    let many = count(&records(folder), "response-failed", "fails");
    say_failure(folder, "failing", "192.0.2.14");
    say_failure(folder, "sleeping", "192.0.2.14");
    wait_for_record(folder, "the rule as it is now", |record| is(record, "response-failed", "other"));
    assert_eq!(count(&records(folder), "response-failed", "fails"), many);
    let (code, log) = firewall.stop();
    assert_eq!(code, 0, "{log}");
}
