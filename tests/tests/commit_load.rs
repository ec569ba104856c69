//! Commit after commit while packets flow: none is lost that both policies permit, and nothing is left behind.
//! `OSTIARY_COMMITS` says how many; `scripts/commits` takes 1,000.

#![allow(clippy::unwrap_used, reason = "the helpers of tests are tests")]

use std::collections::BTreeSet;
use std::net::{SocketAddr, UdpSocket};
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use ostiary_tests::commits::{generations, ostiary};
use ostiary_tests::firewall::Firewall;
use ostiary_tests::netns::{CLIENT, Lab, SERVER, inside};
use ostiary_tests::policy::Policy;
use ostiary_tests::process::wait_for;

/// Resident memory of a process in KiB.
fn resident(pid: u32) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
    line.trim().trim_end_matches(" kB").parse().unwrap()
}

#[test]
fn no_packet_both_policies_permit_is_lost() {
    let commits: u64 = std::env::var("OSTIARY_COMMITS").map_or(120, |count| count.parse().unwrap());
    let Some(lab) = Lab::build() else { return };
    let folder = tempfile::tempdir().unwrap();
    let mut policy = Policy::new("net_af_packet0,iface=fw0", "net_af_packet1,iface=fw1");
    policy.system = format!("state-directory = \"{}\"\n", folder.path().join("state").display());
    let policy = policy.rule("stays", "service = [\"udp/9000\"]\naction = \"permit\"");
    let policy = policy.rule("turns", "service = [\"udp/9001\"]\naction = \"permit\"");
    let firewall = Firewall::start_in(&lab.firewall, folder.path(), &policy);
    let bound = |namespace: &str, ip: &str| {
        inside(namespace, || UdpSocket::bind(SocketAddr::new(ip.parse().unwrap(), 9000)).unwrap())
    };
    let (client, server) = (bound(&lab.client, CLIENT), bound(&lab.server, SERVER));
    client.connect(SocketAddr::new(SERVER.parse().unwrap(), 9000)).unwrap();
    server.set_read_timeout(Some(Duration::from_millis(500))).unwrap();
    wait_for("the way", || {
        client.send(&u64::MAX.to_be_bytes()).unwrap();
        server.recv(&mut [0; 8]).ok()
    });
    let drops = || firewall.counter("drop_policy");
    let before = drops();
    let sessions = firewall.show("sessions").len();

    let stop = AtomicBool::new(false);
    let (sent, received, middle) = thread::scope(|scope| {
        let sender = scope.spawn(|| {
            let mut sent = 0_u64;
            while !stop.load(Ordering::Relaxed) {
                client.send(&sent.to_be_bytes()).unwrap();
                sent += 1;
                thread::sleep(Duration::from_millis(1));
            }
            sent
        });
        let receiver = scope.spawn(|| {
            let mut received = BTreeSet::new();
            let mut octets = [0; 8];
            loop {
                match server.recv(&mut octets) {
                    Ok(_) => {
                        received.insert(u64::from_be_bytes(octets));
                    }
                    Err(_) if stop.load(Ordering::Relaxed) => return received,
                    Err(_) => {}
                }
            }
        });
        let mut middle = 0;
        for commit in 0..commits {
            let action = if commit % 2 == 0 { "deny" } else { "permit" };
            let socket = firewall.socket();
            ostiary(&socket, &["set", "rule[turns].action", action]).done();
            let place: &[&str] = if commit % 4 < 2 { &["--first"] } else { &["--after", "stays"] };
            ostiary(&socket, &[&["set", "rule[turns]"], place].concat()).done();
            ostiary(&socket, &["commit"]).done();
            if commit == commits / 10 {
                middle = resident(firewall.pid());
            }
        }
        stop.store(true, Ordering::Relaxed);
        (sender.join().unwrap(), receiver.join().unwrap(), middle)
    });
    let lost: Vec<u64> = (0..sent).filter(|number| !received.contains(number)).collect();
    assert!(lost.is_empty(), "{} of {sent} lost, first {:?}", lost.len(), lost.first());
    assert_eq!(drops(), before);
    assert!(firewall.counter("sessions_rejudged") >= commits / 2);
    let last = resident(firewall.pid());
    assert!(last < middle + middle / 20, "{middle} KiB after a tenth of the commits, {last} KiB at the end");
    assert_eq!(firewall.show("sessions").len(), sessions);
    let rows = generations(&firewall.socket());
    assert_eq!(rows.len() as u64, (commits + 1).min(50));
    assert_eq!(firewall.statistics()["policy"]["version"].as_u64().unwrap(), commits + 1);
    println!("{commits} commits, {sent} datagrams, none lost; resident {middle} KiB, then {last} KiB");
    let (code, log) = firewall.stop();
    assert_eq!(code, 0, "{log}");
}
