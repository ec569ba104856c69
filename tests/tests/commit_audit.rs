//! What the trail says of a commit: every change by the name of its key, and nothing that is secret: row B13 of the audit
//! functions.

#![allow(clippy::unwrap_used, reason = "the helpers of tests are tests")]

use std::fs;
use std::path::Path;

use ostiary_tests::certificates::Certificates;
use ostiary_tests::commits::ostiary;
use ostiary_tests::firewall::Firewall;
use ostiary_tests::policy::{Policy, copy_signatures, sign};
use ostiary_tests::process::wait_for;
use ostiary_tests::rsyslog::Rsyslog;
use ostiary_tests::skip;
use ostiary_tests::trail::{records, wait_for_record};
use serde_json::Value;

/// What nobody may read but who reads the files themselves.
const IN_COMMENT: &str = "hunter2-in-a-comment";
const SECRETS: [&str; 2] = ["the-first-secret-of-bras1", "the-second-secret-of-bras1"];

/// Every file below a folder that is not among `but`.
fn files(folder: &Path, but: &[&str], found: &mut Vec<(String, Vec<u8>)>) {
    for path in fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()) {
        let name = path.file_name().unwrap().to_str().unwrap();
        if but.contains(&name) {
            continue;
        }
        if path.is_dir() {
            files(&path, but, found);
        } else if path.is_file() {
            found.push((path.display().to_string(), fs::read(&path).unwrap()));
        }
    }
}

fn changes(records: &[Value]) -> Vec<String> {
    let told = |record: &Value| {
        let words = ["change", "path", "old", "new"].map(|field| record[field].as_str());
        words.into_iter().flatten().collect::<Vec<_>>().join(" ")
    };
    records.iter().filter(|record| record["action"] == "config-change").map(told).collect()
}

#[test]
fn b13_changes_by_name_secrets_masked() {
    if !skip::has_programs(&["rsyslogd", "openssl"]) {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let certificates = Certificates::make(folder);
    let rsyslog = Rsyslog::start(folder, &certificates);
    let secret = folder.join("secret");
    fs::write(&secret, SECRETS[0]).unwrap();
    let mut policy = Policy::new("net_null0", "net_null1").rule("first", "action = \"permit\"\n");
    policy.im = false;
    policy.system = format!("state-directory = \"{}\"\n", folder.join("state").display());
    policy.rest += &format!(
        "[access.radius]\nunknown-nas = \"refuse\"\n[[access.nas]]\nname = \"bras1\"\naddress = [\"192.0.2.0/24\"]\n\
         secret-file = \"{}\"\n",
        secret.display()
    );
    let policy = policy.host("siem", rsyslog.tcp, "transport = \"tcp\"\nformat = \"syslog\"\nrecords = [\"audit\"]\n");
    let firewall = Firewall::start(folder, &policy);
    let file = folder.join("policy.toml");
    let text = fs::read_to_string(&file).unwrap();
    let edited = text.replace(
        "action = \"permit\"",
        &format!("action = \"deny\" # the password is {IN_COMMENT}\nsession-logging = true"),
    ) + "\n[address]\noffice = [\"10.1.0.0/16\"]\n";
    fs::write(&file, &edited).unwrap();
    fs::write(&secret, SECRETS[1]).unwrap();
    ostiary(&firewall.socket(), &["commit", "--comment", "change 4711"]).done();

    let commit = wait_for_record(folder, "the commit", |record| {
        record["action"] == "config-commit" && record["comment"] == "change 4711"
    });
    assert_eq!((&commit["via"], &commit["outcome"]), (&"cli".into(), &"success".into()), "{commit}");
    let key = wait_for_record(folder, "the change of the secret", |record| {
        record["action"] == "key-change" && record["change"] == "changed"
    });
    assert_eq!(key["key"], "access.nas[bras1].secret-file");
    assert_eq!(key.get("fingerprint"), None, "of a secret that can be guessed, none: {key}");
    let all = records(folder);
    let mut told = changes(&all);
    told.sort();
    assert_eq!(
        told,
        [
            "add address { office = [\"10.1.0.0/16\"] }",
            "add rule[first].session-logging true",
            "modify rule[first].action \"permit\" \"deny\"",
        ]
    );
    assert!(
        all.iter()
            .filter(|record| record["action"] == "config-change")
            .all(|record| { record["generation"] == commit["generation"] && record["uid"] == commit["uid"] })
    );
    wait_for("rsyslog to have it", || {
        rsyslog
            .records()
            .iter()
            .any(|record| record["action"] == "key-change" && record["change"] == "changed")
            .then_some(())
    });
    firewall.wait_until_sent();
    let (code, log) = firewall.stop();
    assert_eq!(code, 0, "{log}");

    // The policy as it was committed has its comment; nothing else has.
    let generations = folder.join("state/config/generations");
    let mut heads = 0;
    for path in fs::read_dir(&generations).unwrap().map(|entry| entry.unwrap().path()) {
        let text = fs::read_to_string(&path).unwrap();
        let (head, _) = text.split_once('\n').unwrap();
        assert!(head.starts_with("#ostiary-generation {"), "{head}");
        assert!(!head.contains(IN_COMMENT) && SECRETS.iter().all(|secret| !text.contains(secret)), "{head}");
        heads += 1;
    }
    assert_eq!(heads, 2);
    let mut found = Vec::new();
    files(folder, &["generations", "policy.toml", "secret"], &mut found);
    let has = |octets: &[u8], text: &str| octets.windows(text.len()).any(|window| window == text.as_bytes());
    for (name, octets) in &found {
        for secret in SECRETS.iter().chain([&IN_COMMENT]) {
            assert!(!has(octets, secret), "{name} has {secret}");
        }
    }
    for name in ["audit/audit.jsonl", "err", "rsyslog/"] {
        assert!(found.iter().any(|(path, octets)| path.contains(name) && !octets.is_empty()), "nothing in {name}");
    }
    assert!(found.iter().any(|(path, octets)| path.contains("rsyslog/") && has(octets, "rule[first].action")));
}

/// Signatures that come, and signatures that are refused, are told with both versions and with whose they are.
#[test]
fn an_update_of_signatures_is_told_and_so_is_one_that_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let mut policy = Policy::new("net_null0", "net_null1").rule("first", "action = \"permit\"\n");
    policy.im = false;
    let firewall = Firewall::start(folder, &policy);
    let (sources, file) = (folder.join("changed"), folder.join("ostiary.sigdb"));
    copy_signatures(&sources);
    let release = |version: &str, serial: u64| {
        let head = format!("version = \"{version}\"\ndate = \"2999-01-01\"\nserial = {serial}\n");
        fs::write(sources.join("database.toml"), head).unwrap();
        sign(&sources, &file);
    };
    let started = wait_for_record(folder, "the start", |record| record["action"] == "system-start");
    release("9999.1", 2_999_010_102);
    ostiary(&firewall.socket(), &["reload"]).done();
    let update = wait_for_record(folder, "the update", |record| record["action"] == "signature-update");
    let key = fs::read_to_string(folder.join("ostiary.public")).unwrap();
    assert_eq!(
        [&update["old"], &update["new"], &update["signer"], &update["outcome"]],
        [&started["signatures"], &"9999.1".into(), &key.as_str().into(), &"success".into()],
        "{update}"
    );
    assert_eq!((&update["serial"], &update["via"]), (&2_999_010_102_u64.into(), &"cli".into()), "{update}");

    // An older one.
    release("9999.0", 2_999_010_101);
    assert!(ostiary(&firewall.socket(), &["reload"]).refused().contains("older"));
    let refused = wait_for_record(folder, "the refusal", |record| {
        record["action"] == "signature-update" && record["outcome"] == "failure"
    });
    assert!(refused["reason"].as_str().unwrap().contains("is older than version 9999.1"), "{refused}");
    assert_eq!(refused["old"], "9999.1");
    let (code, log) = firewall.stop();
    assert_eq!(code, 0, "{log}");
}
