//! Leases through the running firewall: dnsmasq gives them, busybox's udhcpc takes and returns them.

#![allow(clippy::unwrap_used, reason = "the helpers of tests are tests")]

use std::net::{Ipv4Addr, SocketAddr, UdpSocket};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use ostiary_tests::certificates::Certificates;
use ostiary_tests::firewall::Firewall;
use ostiary_tests::netns::{Lab, inside};
use ostiary_tests::policy::Policy;
use ostiary_tests::process::{Running, wait_for};
use ostiary_tests::rsyslog::Rsyslog;
use ostiary_tests::skip;
use rustix::process::Signal;
use serde_json::Value;

/// The client's, locally administered; no maker's.
const MAC: &str = "02:00:00:00:c0:01";
const LEASE: &str = "120";

/// Client, firewall and DHCP server, and who writes the records down.
struct Bed {
    lab: Lab,
    folder: tempfile::TempDir,
    firewall: Option<Firewall>,
    rsyslog: Rsyslog,
    dnsmasq: Running,
}

impl Bed {
    fn build(access: &str) -> Option<Self> {
        let lab = Lab::build()?;
        if !skip::has_programs(&["rsyslogd", "dnsmasq", "udhcpc"]) {
            return None;
        }
        let folder = tempfile::tempdir().unwrap();
        let set_mac = lab.client("ip").args(["link", "set", "c0", "address", MAC]).status().unwrap();
        assert!(set_mac.success());
        let rsyslog = Rsyslog::start_in(Some(&lab.firewall), folder.path(), &Certificates::make(folder.path()));
        let mut policy = Policy::new("net_af_packet0,iface=fw0", "net_af_packet1,iface=fw1")
            .rule("all", "action = \"permit\"\n")
            .host(
                "siem",
                rsyslog.udp,
                "transport = \"udp\"\nformat = \"syslog\"\nrecords = [\"access\", \"call-status\"]\n",
            );
        policy.rest +=
            "[log.access]\nenable = true\ntype = \"syslog\"\n[log.call-status]\nenable = true\ntype = \"syslog\"\n";
        policy.rest += access;
        let firewall = Firewall::start_in(&lab.firewall, folder.path(), &policy);
        let dnsmasq = dnsmasq(&lab, folder.path());
        Some(Self { lab, folder, firewall: Some(firewall), rsyslog, dnsmasq })
    }

    /// A client that asks for a lease and keeps it.
    fn client(&self) -> Running {
        let script = self.folder.path().join("script");
        // Without an address of its own it cannot give the lease back: that is sent from it to the server alone.
        let text = "#!/bin/sh\ncase $1 in\nbound|renew) ip addr replace $ip/24 dev $interface; echo $ip > ${0%/*}/leased ;;\n\
                    deconfig) ip addr flush dev $interface; rm -f ${0%/*}/leased ;;\nesac\n";
        std::fs::write(&script, text).unwrap();
        std::fs::set_permissions(&script, std::fs::Permissions::from_mode(0o755)).unwrap();
        let mut command = self.lab.client("udhcpc");
        command.args(["-f", "-R", "-i", "c0", "-x", "hostname:desk-7", "-t", "20", "-T", "1", "-s"]).arg(&script);
        log_to(&mut command, &self.folder.path().join("udhcpc"));
        Running::start(&mut command)
    }

    fn leased(&self) -> Ipv4Addr {
        let file = self.folder.path().join("leased");
        wait_for("a lease", || std::fs::read_to_string(&file).ok()?.trim().parse().ok())
    }

    /// The records, once there are so many.
    fn records(&self, count: usize) -> Vec<Value> {
        wait_for("the records", || {
            let records = self.rsyslog.records();
            (records.len() >= count).then_some(records)
        })
    }

    /// Ends the firewall; all the records that there ever were.
    fn finish(mut self) -> Vec<Value> {
        let (code, log) = self.firewall.take().unwrap().stop();
        assert_eq!(code, 0, "{log}");
        self.dnsmasq.terminate();
        self.rsyslog.stop();
        self.rsyslog.records()
    }
}

fn dnsmasq(lab: &Lab, folder: &Path) -> Running {
    let mut command = lab.server("dnsmasq");
    command.args(["--no-daemon", "--conf-file=/dev/null", "--port=0", "--interface=s0", "--bind-interfaces"]);
    command.args(["--user=root", "--dhcp-authoritative", "--no-ping", "--log-dhcp"]);
    command.arg(format!("--dhcp-range=198.18.0.100,198.18.0.150,255.255.255.0,{LEASE}"));
    command.arg(format!("--dhcp-leasefile={}", folder.join("leases").display()));
    command.arg(format!("--pid-file={}", folder.join("dnsmasq.pid").display()));
    log_to(&mut command, &folder.join("dnsmasq"));
    let mut running = Running::start(&mut command);
    wait_for("dnsmasq to listen", || {
        if let Some(code) = running.ended() {
            panic!("dnsmasq ended with {code}: {}", std::fs::read_to_string(folder.join("dnsmasq")).unwrap());
        }
        std::fs::read_to_string(folder.join("dnsmasq")).unwrap().contains("DHCP, IP range").then_some(())
    });
    running
}

fn log_to(command: &mut Command, file: &Path) {
    let log = std::fs::File::create(file).unwrap();
    command.stdout(Stdio::from(log.try_clone().unwrap())).stderr(Stdio::from(log));
}

fn text<'a>(record: &'a Value, key: &str) -> &'a str {
    record[key].as_str().unwrap_or_default()
}

#[test]
fn a_lease_is_a_login_and_its_return_a_logout() {
    let Some(bed) = Bed::build("") else { return };
    let mut client = bed.client();
    let leased = bed.leased();
    bed.records(1);
    // What the server wrote down: when it ends, MAC, address, name.
    let lease = wait_for("the server to write", || std::fs::read_to_string(bed.folder.path().join("leases")).ok());
    let lease: Vec<String> = lease.split_whitespace().map(str::to_owned).collect();
    assert_eq!(lease[1..3], [MAC.to_owned(), leased.to_string()]);

    // It asks for more time, as it would by itself, which is no second login; then it gives the address back.
    let taken =
        || std::fs::read_to_string(bed.folder.path().join("udhcpc")).unwrap().matches(" obtained from ").count();
    wait_for("the client to say that it has a lease", || (taken() == 1).then_some(()));
    client.signal(Signal::USR1);
    // Until it has the answer: one that comes after it gave the lease back would be a lease again.
    wait_for("a renewal", || (taken() == 2).then_some(()));
    client.signal(Signal::USR2);
    bed.records(2);
    client.terminate();
    let records = bed.finish();

    let actions: Vec<_> = records.iter().map(|record| (text(record, "action"), text(record, "reason"))).collect();
    assert_eq!(actions, [("login", "lease"), ("logout", "release")], "{records:#?}");
    for record in &records {
        assert_eq!(text(record, "application"), "dhcp");
        assert_eq!(text(record, "account"), MAC);
        assert_eq!(text(record, "mac"), MAC);
        assert_eq!(text(record, "ipv4"), leased.to_string());
        assert_eq!(text(record, "identifies"), "host");
        assert_eq!(text(record, "client-interface"), "inside");
        assert_eq!(text(record, "host-name"), "desk-7");
        assert_eq!(text(record, "class"), "access");
    }
}

/// A client of another network asks for the address that it had there: dnsmasq refuses with words.
#[test]
fn a_refusal_is_a_result_with_the_servers_words() {
    let Some(bed) = Bed::build("") else { return };
    let socket = inside(&bed.lab.client, || {
        let socket = UdpSocket::bind("0.0.0.0:68").unwrap();
        socket.set_broadcast(true).unwrap();
        // To all on this cable: there is no route to them.
        socket2::SockRef::from(&socket).bind_device(Some(b"c0")).unwrap();
        socket
    });
    let request = init_reboot(Ipv4Addr::new(203, 0, 113, 5));
    for _ in 0..2 {
        socket.send_to(&request, SocketAddr::from(([255, 255, 255, 255], 67))).unwrap();
        std::thread::sleep(Duration::from_millis(50));
    }
    bed.records(1);
    let records = bed.finish();
    let [record] = &records[..] else { panic!("once, though it was asked twice: {records:#?}") };
    assert_eq!((text(record, "action"), text(record, "result")), ("result", "fail"));
    assert_eq!((text(record, "reason"), text(record, "class")), ("nak", "call-status"));
    assert_eq!((text(record, "account"), text(record, "message")), (MAC, "wrong network"));
}

/// A server that is not listed gives leases as it likes; nobody is signed on by them.
#[test]
fn a_server_that_is_not_listed_is_not_believed() {
    let Some(bed) = Bed::build("[access.dhcp]\nservers = [\"192.0.2.1\"]\n") else { return };
    let mut client = bed.client();
    bed.leased();
    let firewall = bed.firewall.as_ref().unwrap();
    assert!(firewall.counter("dhcp_unlisted") >= 2, "offer and acknowledgment: {:?}", firewall.show("counters"));
    client.terminate();
    assert!(bed.finish().is_empty());
}

/// DHCPREQUEST of a client that comes up again (RFC 2131, 4.3.2).
fn init_reboot(address: Ipv4Addr) -> Vec<u8> {
    let mut octets = vec![0; 236];
    octets[..4].copy_from_slice(&[1, 1, 6, 0]);
    octets[4..8].copy_from_slice(b"xid1");
    octets[10] = 0x80;
    for (at, digits) in MAC.split(':').enumerate() {
        octets[28 + at] = u8::from_str_radix(digits, 16).unwrap();
    }
    octets.extend([99, 130, 83, 99, 53, 1, 3, 50, 4]);
    octets.extend(address.octets());
    octets.push(255);
    octets
}
