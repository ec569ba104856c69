//! The commands about access users against the running firewall: an access server's RADIUS passes, and a log host is down.

#![allow(clippy::unwrap_used, reason = "the helpers of tests are tests")]

use std::path::Path;

use ostiary_tests::access::{self, ask, show};
use ostiary_tests::firewall::Firewall;
use ostiary_tests::process::{free_port, wait_for};
use serde_json::Value;

/// Logins, logouts and results recorded for a log host that nobody answers for.
fn recording() -> String {
    let host = format!(
        "[[log-host]]\nname = \"aaa\"\naddress = \"127.0.0.1\"\nport = {}\ntransport = \"tcp\"\n\
         records = [\"access\", \"call-status\"]\nretry-first = \"200 ms\"\n",
        free_port()
    );
    format!("[log.access]\nenable = true\nversion = 4\n[log.call-status]\nenable = true\n{host}")
}

/// A firewall through which the frames passed.
fn firewall(folder: &Path, rest: &str) -> Firewall {
    access::play(folder, &access::playing(folder, &access::frames(), rest), 1)
}

#[test]
fn a04_users_are_followed_without_a_log_host() {
    let folder = tempfile::tempdir().unwrap();
    let firewall = firewall(folder.path(), "");
    let users = show(&firewall, &["users"]);
    assert_eq!(users.len(), 1, "{users:?}");
    assert_eq!((&users[0]["user"], &users[0]["ipv4"]), (&"alice@example.net".into(), &"10.99.0.10".into()));
    assert_eq!((&users[0]["source"], &users[0]["evidence"]), (&"radius".into(), &"login".into()));
    assert_eq!((&users[0]["mac"], &users[0]["session-id"]), (&"02:00:5e:00:53:01".into(), &"s1".into()));
    for (filter, value, found) in [
        ("--user", "alice@example.net", 1),
        ("--user", "carol@example.net", 0),
        ("--address", "10.99.0.0/24", 1),
        ("--address", "10.99.0.11", 0),
        ("--mac", "0200.5e00.5301", 1),
        ("--nas", "10.0.0.1", 1),
        ("--source", "dhcp", 0),
    ] {
        assert_eq!(show(&firewall, &["users", filter, value]).len(), found, "{filter} {value}");
    }
    assert!(access::said(&firewall, &["users"]).contains("alice@example.net"));
    // Nothing is recorded by default.
    assert_eq!(show(&firewall, &["access", "config"])[0]["enable"], false);
    let statistics = &show(&firewall, &["access", "statistics"])[0];
    assert_eq!((&statistics["received"], &statistics["users"]), (&0.into(), &1.into()), "{statistics}");
    assert_eq!(statistics["sources"][0]["logins"], 2, "{statistics}");
    assert_eq!(firewall.stop().0, 0);
}

#[test]
fn a17_show_access_config() {
    let folder = tempfile::tempdir().unwrap();
    let firewall = firewall(folder.path(), &recording());
    let row = show(&firewall, &["access", "config"]).remove(0);
    assert_eq!((&row["class"], &row["enable"], &row["version"]), (&"access".into(), &true.into(), &4.into()));
    let host = &row["hosts"][0];
    assert_eq!((&host["name"], &host["transport"], &host["format"]), (&"aaa".into(), &"tcp".into(), &"binary".into()));
    assert_eq!(host["ssl-policy"], Value::Null);
    let lines = access::said(&firewall, &["access", "config"]);
    let expected = ["records    access", "enabled    yes", "type       binary", "version    4", ""];
    assert_eq!(lines.lines().take(5).collect::<Vec<_>>(), expected);
    let host = lines.lines().last().unwrap().split_whitespace().collect::<Vec<_>>();
    assert_eq!((host[0], &host[2..]), ("aaa", &["tcp", "-", "binary"][..]));
    let results = show(&firewall, &["call-status", "config"]).remove(0);
    assert_eq!(
        (&results["class"], &results["enable"], &results["version"]),
        (&"call-status".into(), &true.into(), &Value::Null)
    );
    assert_eq!(firewall.stop().0, 0);
}

#[test]
fn a21_buffer_shows_positions_and_records_while_the_collector_is_down() {
    let folder = tempfile::tempdir().unwrap();
    let firewall = firewall(folder.path(), &recording());
    // Received is what waits, as nothing can be sent.
    let statistics = show(&firewall, &["access", "statistics"]).remove(0);
    assert_eq!((&statistics["received"], &statistics["sent"]), (&3.into(), &0.into()), "{statistics}");
    let host = &statistics["hosts"][0];
    assert_eq!((&host["records"], &host["queued"]), (&3.into(), &3.into()), "{statistics}");
    let results = show(&firewall, &["call-status", "statistics"]).remove(0);
    assert_eq!((&results["received"], &results["sources"][0]["refused"]), (&1.into(), &1.into()), "{results}");

    let buffer = show(&firewall, &["access", "buffer"]).remove(0);
    let expected = serde_json::json!({ "host": "aaa", "waiting": 3, "reading": 0, "writing": 0, "record": 3 });
    assert_eq!(buffer, expected);
    let records = show(&firewall, &["access", "buffer", "--packet", "0"]);
    let said = |row: &Value| {
        format!("{} {}", row["fields"]["action"].as_str().unwrap(), row["fields"]["user"].as_str().unwrap())
    };
    let said: Vec<String> = records.iter().map(said).collect();
    assert_eq!(said, ["login alice@example.net", "login carol@example.net", "logout carol@example.net"]);
    let one = show(&firewall, &["access", "buffer", "--packet", "0", "--record", "1"]);
    assert_eq!((one.len(), &one[0]), (1, &records[1]));
    assert_eq!(show(&firewall, &["access", "buffer", "--packet", "1"]), [] as [Value; 0]);
    assert_eq!(access::said(&firewall, &["access", "buffer", "--packet", "1"]).trim(), "no record waits there");
    let refused = access::said(&firewall, &["call-status", "buffer", "--packet", "0"]);
    assert!(
        refused.contains("  user") && refused.contains("bob@example.net") && refused.contains("no such user"),
        "{refused}"
    );
    firewall.stop();
}

#[test]
fn a19_reset_begins_again_and_is_audited() {
    let folder = tempfile::tempdir().unwrap();
    let trail = folder.path().join("trail.jsonl");
    let host = format!(
        "[[log-host]]\nname = \"trail\"\ntransport = \"file\"\npath = {:?}\nformat = \"json\"\nrecords = [\"audit\"]\n",
        trail
    );
    let firewall = firewall(folder.path(), &format!("{}{host}", recording()));
    let totals = |firewall: &Firewall| {
        let mut rows = firewall.statistics()["records"].as_array().unwrap().clone();
        // The reset itself is recorded.
        rows.retain(|row| row["class"] != "audit");
        rows
    };
    let before = totals(&firewall);

    // It asks, and nobody can answer here.
    let output = ask(&firewall, &["reset", "statistics", "access"]);
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(2), "{said}");
    assert!(said.contains("Cleared statistics cannot be restored") && said.contains("--yes"), "{said}");
    assert_eq!(show(&firewall, &["access", "statistics"])[0]["received"], 3, "nothing was cleared");

    let output = ask(&firewall, &["reset", "statistics", "access", "--yes"]);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let statistics = show(&firewall, &["access", "statistics"]).remove(0);
    assert_eq!(statistics["received"], 0, "{statistics}");
    assert_eq!(statistics["sources"][0]["logins"], 0, "{statistics}");
    let host = &statistics["hosts"][0];
    assert_eq!((&host["records"], &host["queued"]), (&3.into(), &3.into()), "what waits is still to be sent");
    assert_eq!(show(&firewall, &["call-status", "statistics"])[0]["received"], 1, "the other class is left alone");
    assert_eq!(totals(&firewall), before, "totals since start stay");

    let trail = wait_for("the record of the reset", || {
        let lines = std::fs::read_to_string(&trail).unwrap_or_default();
        let mut lines = lines.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
        lines.find(|line| line["action"] == "statistics-reset")
    });
    assert_eq!(
        (&trail["what"], &trail["outcome"], &trail["via"]),
        (&"access".into(), &"success".into(), &"cli".into())
    );
    assert!(trail["uid"].is_u64() && trail["pid"].as_u64().is_some_and(|pid| pid > 1), "{trail}");
    assert!(trail["time"].as_str() >= statistics["since"].as_str(), "{trail} {statistics}");
    assert!(firewall.log().contains("statistics of access were reset by uid"), "{}", firewall.log());
    firewall.stop();
}

#[test]
fn a06_a_changed_file_does_nothing_until_reload() {
    let folder = tempfile::tempdir().unwrap();
    let off = recording().replace("enable = true", "enable = false");
    let firewall = firewall(folder.path(), &off);
    let file = folder.path().join("policy.toml");
    let enabled = |firewall: &Firewall| {
        ["access", "call-status"].map(|class| show(firewall, &[class, "config"])[0]["enable"].as_bool().unwrap())
    };
    let edit = |from: &str, to: &str| {
        let text = std::fs::read_to_string(&file).unwrap();
        assert!(text.contains(from), "{text}");
        std::fs::write(&file, text.replace(from, to)).unwrap();
    };
    assert_eq!(enabled(&firewall), [false, false]);
    edit("[log.access]\nenable = false", "[log.access]\nenable = true");
    assert_eq!(enabled(&firewall), [false, false], "the file alone changes nothing");
    assert!(ask(&firewall, &["reload"]).status.success());
    assert_eq!(enabled(&firewall), [true, false]);

    // All or nothing. The second change needs a restart, so the first does not come either.
    edit("[log.call-status]\nenable = false", "[log.call-status]\nenable = true");
    edit("version = 4", "version = 3");
    let output = ask(&firewall, &["reload"]);
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(2), "{said}");
    assert!(said.contains("log.access.version"), "{said}");
    assert_eq!(enabled(&firewall), [true, false]);
    assert_eq!(show(&firewall, &["access", "config"])[0]["version"], 4);
    edit("version = 3", "version = 4");
    assert!(ask(&firewall, &["reload"]).status.success());
    assert_eq!(enabled(&firewall), [true, true]);
    assert_eq!(show(&firewall, &["users"]).len(), 1, "who was signed on is");
    firewall.stop();
}
