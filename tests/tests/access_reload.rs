//! A configuration of records of access users comes whole or not at all: while it is taken up, and where the firewall is killed
//! meanwhile.

#![allow(clippy::unwrap_used, reason = "the helpers of tests are tests")]

use std::io::{BufRead, BufReader, Write};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use ostiary_tests::firewall::Firewall;
use ostiary_tests::policy::Policy;
use ostiary_tests::process::wait_for;
use ostiary_tests::program;
use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;

/// Three parts of the file, as the firewall has them; each of the two files has all of them otherwise.
type Parts = (bool, bool, String);

const OLD: [&str; 3] = ["[log.access]\nenable = true", "[log.call-status]\nenable = false", "[[rule]]\nname = \"old\""];
const NEW: [&str; 3] = ["[log.access]\nenable = false", "[log.call-status]\nenable = true", "[[rule]]\nname = \"new\""];

fn parts(is_new: bool) -> Parts {
    (!is_new, is_new, if is_new { "new" } else { "old" }.to_owned())
}

/// What the firewall goes by, all of it asked for at once.
fn in_force(socket: &Path) -> Option<Parts> {
    let mut stream = UnixStream::connect(socket).ok()?;
    let asked = b"{\"show\":\"access\",\"view\":\"config\"}\n{\"show\":\"call-status\",\"view\":\"config\"}\n{\"show\":\"policy\"}\n";
    stream.write_all(asked).ok()?;
    stream.shutdown(std::net::Shutdown::Write).ok()?;
    let rows: Vec<Value> =
        BufReader::new(stream).lines().map_while(Result::ok).map(|line| serde_json::from_str(&line).unwrap()).collect();
    let enabled = |class: &str| {
        rows.iter().map(|row| &row["access-config"]).find(|row| row["class"] == class)?["enable"].as_bool()
    };
    let rule = rows.iter().find_map(|row| row["rule"]["name"].as_str())?;
    Some((enabled("access")?, enabled("call-status")?, rule.to_owned()))
}

/// Puts the other file in place, as an editor does: whole.
fn turn_over(folder: &Path, to_new: bool) {
    let (from, to) = if to_new { (OLD, NEW) } else { (NEW, OLD) };
    let file = folder.join("policy.toml");
    let mut text = std::fs::read_to_string(&file).unwrap();
    for (from, to) in from.iter().zip(to) {
        assert!(text.contains(from), "{text}");
        text = text.replace(from, to);
    }
    std::fs::write(folder.join("policy.new"), text).unwrap();
    std::fs::rename(folder.join("policy.new"), &file).unwrap();
}

fn firewall(folder: &Path) -> Firewall {
    let mut policy = Policy::new("net_null0", "net_null1").rule("old", "action = \"permit\"\n");
    policy.system = format!("state-directory = \"{}\"\n", folder.join("state").display());
    policy.rest = format!("{}\ntype = \"syslog\"\n{}\ntype = \"syslog\"\n", OLD[0], OLD[1]);
    Firewall::start(folder, &policy)
}

#[test]
fn a16_a_reload_is_seen_whole_or_not_at_all() {
    let folder = tempfile::tempdir().unwrap();
    let firewall = firewall(folder.path());
    let socket = firewall.socket();
    let hang_up = || {
        let pid = Pid::from_raw(firewall.pid().try_into().unwrap()).unwrap();
        kill_process(pid, Signal::HUP).unwrap();
    };
    assert_eq!(in_force(&socket), Some(parts(false)));
    for round in 0..10 {
        let is_new = round % 2 == 0;
        turn_over(folder.path(), is_new);
        hang_up();
        wait_for("the other configuration", || {
            let seen = in_force(&socket).unwrap();
            assert!([parts(false), parts(true)].contains(&seen), "a mix: {seen:?}");
            (seen == parts(is_new)).then_some(())
        });
    }
    assert_eq!(firewall.stop().0, 0);
}

#[test]
fn a16_killed_during_a_reload_it_starts_with_the_file_whole() {
    let folder = tempfile::tempdir().unwrap();
    let mut running = firewall(folder.path());
    for (round, pause) in [0, 2, 5, 10, 20].into_iter().enumerate() {
        let is_new = round % 2 == 0;
        turn_over(folder.path(), is_new);
        let socket = running.socket();
        let arguments = ["reload".as_ref(), "--socket".as_ref(), socket.as_os_str()];
        let mut command = program::command(arguments);
        let mut reload = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        // Somewhere between the question and the answer, or after it: whatever it is, nothing may be left half done.
        std::thread::sleep(Duration::from_millis(pause));
        running.kill();
        reload.wait().unwrap();
        running = Firewall::start_again(folder.path());
        assert_eq!(in_force(&running.socket()), Some(parts(is_new)), "round {round}");
        assert!(!running.log().contains("cannot"), "what it keeps is whole: {}", running.log());
    }
    assert_eq!(running.stop().0, 0);
}
