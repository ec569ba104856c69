//! Access users before a running firewall: frames of their sign-ons that it plays, and what its commands say of them.

use std::net::Ipv4Addr;
use std::path::Path;
use std::process::Output;

use serde_json::Value;

use crate::firewall::Firewall;
use crate::policy::{Policy, signatures};
use crate::process::wait_for;
use crate::rsyslog::Rsyslog;
use crate::{program, radius};

/// Signs on and stays.
pub const ALICE: Ipv4Addr = Ipv4Addr::new(10, 99, 0, 10);
/// Signs on and off.
pub const CAROL: Ipv4Addr = Ipv4Addr::new(10, 99, 0, 11);
/// A log host that takes what there is of access users.
pub const BOTH: &str = "records = [\"access\", \"call-status\"]\n";

/// Both classes, as syslog.
pub const SYSLOG: &str =
    "[log.access]\nenable = true\ntype = \"syslog\"\n[log.call-status]\nenable = true\ntype = \"syslog\"\n";
/// Bob is refused; alice and carol sign on; carol signs off.
pub fn frames() -> Vec<Vec<u8>> {
    let asked = radius::message(radius::ACCESS_REQUEST, 1, &[(1, b"bob@example.net"), (4, &radius::NAS.octets())]);
    let refused = radius::message(radius::ACCESS_REJECT, 1, &[(18, b"no such user")]);
    vec![
        radius::frame(&asked, 1812, false),
        radius::frame(&refused, 1812, true),
        start(2, b"alice@example.net", ALICE, "s1"),
        start(3, b"carol@example.net", CAROL, "s2"),
        stop(4, b"carol@example.net", CAROL, "s2"),
    ]
}

/// A user signs on, by RADIUS accounting.
pub fn start(identifier: u8, user: &[u8], address: Ipv4Addr, session: &str) -> Vec<u8> {
    radius::frame(&radius::accounting(identifier, radius::START, user, address, session), 1813, false)
}

/// A user signs off.
pub fn stop(identifier: u8, user: &[u8], address: Ipv4Addr, session: &str) -> Vec<u8> {
    radius::frame(&radius::accounting(identifier, radius::STOP, user, address, session), 1813, false)
}

/// An Ethernet frame behind VLAN tags, the outer first.
pub fn tagged(frame: &[u8], vlans: &[u16]) -> Vec<u8> {
    let tags = vlans.iter().flat_map(|vlan| [[0x81, 0], vlan.to_be_bytes()].concat());
    frame[..12].iter().copied().chain(tags).chain(frame[12..].iter().copied()).collect()
}

/// A policy between whose ports these frames come in, with further tables.
pub fn playing(folder: &Path, frames: &[Vec<u8>], rest: &str) -> Policy {
    let device = |number: u8, from: &Path| {
        let out = folder.join(format!("out{number}"));
        format!("net_pcap{number},rx_pcap={},tx_pcap={}", from.display(), out.display())
    };
    let (capture, empty) = (radius::capture(folder, "access.pcap", frames), radius::capture(folder, "empty.pcap", &[]));
    let mut policy = Policy::new(device(0, &capture), device(1, &empty)).rule("rest", "action = \"permit\"\n");
    // Both directions come in by one port.
    policy.dataplane = "mirror = true\n".to_owned();
    policy.system = format!("state-directory = \"{}\"\n", folder.join("state").display());
    policy.im = false;
    policy.rest = rest.to_owned();
    policy
}

/// A firewall that has seen so many users sign off by RADIUS, and so all frames before the last of them.
pub fn play(folder: &Path, policy: &Policy, logouts: u64) -> Firewall {
    let firewall = Firewall::start(folder, policy);
    wait_for("the last to sign off", || {
        let rows = show(&firewall, &["access", "statistics"]);
        (rows[0]["sources"][0]["logouts"] == logouts).then_some(())
    });
    firewall
}

/// `ostiary …` of a running firewall.
pub fn ask(firewall: &Firewall, arguments: &[&str]) -> Output {
    let socket = firewall.socket();
    let socket = socket.to_str().expect("temporary folders have names that are text");
    program::run(arguments.iter().copied().chain(["--socket", socket]))
}

/// `ostiary show … --json`: its rows.
///
/// # Panics
/// Where it fails.
pub fn show(firewall: &Firewall, arguments: &[&str]) -> Vec<Value> {
    let text = said(firewall, &[arguments, &["--json"]].concat());
    text.lines().map(|line| serde_json::from_str(line).expect("show --json writes JSON lines")).collect()
}

/// `ostiary show …` for people.
///
/// # Panics
/// Where it fails.
pub fn said(firewall: &Firewall, arguments: &[&str]) -> String {
    let output = ask(firewall, &[&["show"], arguments].concat());
    let text = String::from_utf8(output.stdout).expect("show writes UTF-8");
    assert!(output.status.success(), "{arguments:?}: {text}{}", String::from_utf8_lossy(&output.stderr));
    text
}

/// A field of a record; `-` where it is not there.
pub fn field<'a>(record: &'a Value, key: &str) -> &'a str {
    record[key].as_str().unwrap_or("-")
}

/// The records of a host that takes them by syslog: waits for so many of them, ends it all, and gives those that there are.
///
/// # Panics
/// Where the firewall did not end well.
pub fn received(firewall: Firewall, rsyslog: &mut Rsyslog, count: usize) -> Vec<Value> {
    wait_for("the records", || (rsyslog.records().len() >= count).then_some(()));
    let (code, log) = firewall.stop();
    assert_eq!(code, 0, "{log}");
    rsyslog.stop();
    rsyslog.records()
}

/// `ostiary check` of a policy: its exit code, and what it says.
pub fn check(folder: &Path, policy: &Policy) -> (i32, String) {
    let file = folder.join("checked.toml");
    let text = policy.text(&folder.join("socket"), &signatures(folder));
    std::fs::write(&file, text).expect("a file can be made in a temporary folder");
    let output = program::run(["check".as_ref(), file.as_os_str()]);
    (output.status.code().unwrap_or(-1), String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned())
}

/// Dora behind one VLAN, erin behind two, both with addresses of both families.
pub fn behind_vlans() -> Vec<Vec<u8>> {
    let user = |identifier: u8, name: &[u8], last: u8, status: u8, vlans: &[u16]| {
        let mut address = [0; 16];
        address[..4].copy_from_slice(&[0x20, 1, 0xd, 0xb8]);
        address[15] = last;
        let message = radius::message(
            radius::ACCOUNTING_REQUEST,
            identifier,
            &[
                (1, name),
                (4, &radius::NAS.octets()),
                (8, &[10, 99, 0, last]),
                (31, b"02-00-5E-00-53-01"),
                (40, &[0, 0, 0, status]),
                (44, &[b's', last]),
                (168, &address),
            ],
        );
        tagged(&radius::frame(&message, 1813, false), vlans)
    };
    vec![
        user(1, b"dora@example.net", 21, radius::START, &[101]),
        user(2, b"erin@example.net", 22, radius::START, &[200, 102]),
        user(3, b"erin@example.net", 22, radius::STOP, &[200, 102]),
    ]
}
