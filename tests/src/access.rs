//! Access users before a running firewall: frames of their sign-ons that it plays, and what its commands say of them.

use std::net::Ipv4Addr;
use std::path::Path;
use std::process::Output;

use serde_json::Value;

use crate::firewall::Firewall;
use crate::policy::Policy;
use crate::process::wait_for;
use crate::{program, radius};

/// Signs on and stays.
pub const ALICE: Ipv4Addr = Ipv4Addr::new(10, 99, 0, 10);
/// Signs on and off.
pub const CAROL: Ipv4Addr = Ipv4Addr::new(10, 99, 0, 11);
/// A log host that takes what there is of access users.
pub const BOTH: &str = "records = [\"access\", \"call-status\"]\n";

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
