//! `ostiary doctor` on this machine: ready where the firewall then starts, at fault where it then refuses to.

#![allow(clippy::unwrap_used, reason = "the helpers of tests are tests")]

use std::os::unix::net::UnixListener;
use std::path::Path;
use std::process::Output;

use ostiary_tests::firewall::Firewall;
use ostiary_tests::netns::Lab;
use ostiary_tests::policy::{self, Policy};
use ostiary_tests::program;
use serde_json::Value;

fn ports() -> Policy {
    Policy::new("net_af_packet0,iface=fw0", "net_af_packet1,iface=fw1").rule("all", "action = \"permit\"\n")
}

/// A command of the program, with a policy file, in the firewall's namespace.
fn ostiary(lab: &Lab, words: &[&str], config: &Path) -> Output {
    let program = program::path();
    let mut command = lab.firewall(program.to_str().unwrap());
    command.args(words).arg("--config").arg(config).env("NO_COLOR", "1").output().unwrap()
}

/// The exit code of the doctor, and what it found.
fn doctor(lab: &Lab, config: &Path) -> (i32, Vec<Value>) {
    let output = ostiary(lab, &["doctor", "--json"], config);
    let text = String::from_utf8(output.stdout).unwrap();
    (output.status.code().unwrap(), text.lines().map(|line| serde_json::from_str(line).unwrap()).collect())
}

/// Port and topic of every fault.
fn faults(findings: &[Value]) -> Vec<(String, String)> {
    let text = |finding: &Value, key: &str| finding[key].as_str().unwrap_or("machine").to_owned();
    let faults = findings.iter().filter(|finding| finding["severity"] == "fault");
    faults.map(|finding| (text(finding, "port"), text(finding, "topic"))).collect()
}

#[track_caller]
fn has<'a>(findings: &'a [Value], port: Option<&str>, topic: &str) -> &'a Value {
    let is = |finding: &&Value| finding["topic"] == topic && finding["port"].as_str() == port;
    findings.iter().find(is).unwrap_or_else(|| panic!("nothing of {port:?} {topic} in {findings:#?}"))
}

#[test]
fn ready_is_what_then_starts() {
    let Some(lab) = Lab::build() else { return };
    let folder = tempfile::tempdir().unwrap();
    let config = folder.path().join("policy.toml");
    let text = ports().text(&folder.path().join("ostiary.sock"), &policy::signatures(folder.path()));
    std::fs::write(&config, text).unwrap();
    let (code, findings) = doctor(&lab, &config);
    assert_eq!((code, faults(&findings)), (0, vec![]), "{findings:#?}");
    assert_eq!(has(&findings, Some("inside"), "link")["seen"], "fw0 is up, 10000 Mbit/s");
    assert_eq!(has(&findings, Some("inside"), "offloads")["severity"], "fine");
    assert_eq!(has(&findings, Some("outside"), "dpdk-driver")["seen"], "net_af_packet");
    assert_eq!(has(&findings, None, "socket")["severity"], "fine");
    let said = String::from_utf8(ostiary(&lab, &["doctor"], &config).stdout).unwrap();
    assert!(said.lines().last().unwrap().contains(": ready, no faults, "), "{said}");

    let firewall = Firewall::start_in(&lab.firewall, folder.path(), &ports());
    // What it holds now is its own, and not in its way.
    let (code, findings) = doctor(&lab, &config);
    assert_eq!((code, faults(&findings)), (0, vec![]), "{findings:#?}");
    let inside = has(&findings, Some("inside"), "running");
    assert_eq!(inside["severity"], "fine");
    assert!(inside["seen"].as_str().unwrap().starts_with("up"), "{inside}");
    let (code, log) = firewall.stop();
    assert_eq!(code, 0, "{log}");
}

#[test]
fn a_fault_is_what_then_does_not_start() {
    let Some(lab) = Lab::build() else { return };
    let folder = tempfile::tempdir().unwrap();
    let signatures = policy::signatures(folder.path());
    let socket = folder.path().join("ostiary.sock");
    let config = folder.path().join("policy.toml");
    let good = ports().text(&socket, &signatures);
    let refused = |text: &str| {
        std::fs::write(&config, text).unwrap();
        let (code, findings) = doctor(&lab, &config);
        let output = ostiary(&lab, &["run"], &config);
        let error = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!((code, output.status.code()), (2, Some(2)), "{findings:#?}\n{error}");
        findings
    };
    let pair = |port: &str, topic: &str| vec![(port.to_owned(), topic.to_owned())];

    let findings = refused(&good.replace("iface=fw1", "iface=nowhere"));
    assert_eq!(faults(&findings), pair("outside", "interface"));

    let findings = refused(&good.replace("hugepages = false\nmemory = \"256 MiB\"", "memory = \"900 GiB\""));
    assert!(faults(&findings).contains(&("machine".to_owned(), "hugepages".to_owned())), "{findings:#?}");
    let command = has(&findings, None, "hugepages")["command"].as_str().unwrap();
    assert!(command.contains("hugepages ") && command.ends_with("M --persist"), "{command}");

    let findings = refused("[dataplane]\nworkers = \"all\"\n");
    let configuration = has(&findings, None, "configuration");
    assert!(configuration["command"].as_str().unwrap().ends_with(&format!("check {}", config.display())));
    // The machine is looked at nonetheless.
    has(&findings, None, "dpdk");

    // Somebody else's socket: whoever connects is not answered.
    let listener = UnixListener::bind(&socket).unwrap();
    std::thread::spawn(move || listener.incoming().for_each(drop));
    let findings = refused(&good);
    assert_eq!(faults(&findings), pair("machine", "socket"));
}
