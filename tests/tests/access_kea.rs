//! Leases of Kea through the running firewall, for IPv4, for IPv6 with a delegated prefix, and by way of a relay: what is recorded
//! is what the server wrote into its file of leases.

#![allow(clippy::unwrap_used, reason = "the helpers of tests are tests")]

use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::process::{Command, Stdio};

use ostiary_tests::certificates::Certificates;
use ostiary_tests::firewall::Firewall;
use ostiary_tests::netns::{Lab, SERVER};
use ostiary_tests::policy::Policy;
use ostiary_tests::process::{Running, wait_for};
use ostiary_tests::rsyslog::Rsyslog;
use ostiary_tests::skip;
use rustix::process::Signal;
use serde_json::Value;

/// The client's, locally administered; no maker's.
const MAC: &str = "02:00:00:00:c0:02";
/// Beyond this the firewall's clock and the server's file do not agree: the file has whole seconds.
const APART: f64 = 2.0;

/// Client, firewall and server, and who writes the records down.
struct Bed {
    lab: Lab,
    folder: tempfile::TempDir,
    beyond: Option<Beyond>,
    firewall: Option<Firewall>,
    rsyslog: Rsyslog,
}

impl Bed {
    fn build(programs: &[&str], is_relayed: bool) -> Option<Self> {
        let lab = Lab::build()?;
        if !skip::has_programs(&["rsyslogd", "openssl"]) || !skip::has_programs(programs) || !are_free(programs) {
            return None;
        }
        let folder = tempfile::tempdir().unwrap();
        ip(&["-n", &lab.client, "link", "set", "c0", "address", MAC]);
        let rsyslog = Rsyslog::start_in(Some(&lab.firewall), folder.path(), &Certificates::make(folder.path()));
        let mut policy = Policy::new("net_af_packet0,iface=fw0", "net_af_packet1,iface=fw1")
            .rule("all", "action = \"permit\"\n")
            .host(
                "siem",
                rsyslog.tcp,
                "transport = \"tcp\"\nformat = \"syslog\"\nrecords = [\"access\", \"call-status\"]\n",
            );
        policy.rest += "[access]\nsources = [\"dhcp\", \"dhcpv6\"]\n\
                        [log.access]\nenable = true\ntype = \"syslog\"\n\
                        [log.call-status]\nenable = true\ntype = \"syslog\"\n";
        let beyond = is_relayed.then(|| Beyond::build(&lab));
        if is_relayed {
            policy.topology += BEYOND;
        }
        let firewall = Some(Firewall::start_in(&lab.firewall, folder.path(), &policy));
        Some(Self { lab, folder, beyond, firewall, rsyslog })
    }

    fn file(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn read(&self, name: &str) -> String {
        std::fs::read_to_string(self.file(name)).unwrap_or_default()
    }

    /// A program whose words go to a file of the name `log`.
    fn start(&self, mut command: Command, log: &str) -> Running {
        let log = std::fs::File::create(self.file(log)).unwrap();
        Running::start(command.stdout(Stdio::from(log.try_clone().unwrap())).stderr(Stdio::from(log)))
    }

    /// Kea, `program` of `section`, once it serves. Its leases are in the file `leases`.
    fn kea(&self, mut command: Command, section: &str, interface: &str, rest: &str) -> Running {
        let name = section.to_lowercase();
        let folder = self.folder.path().display();
        let text = format!(
            r#"{{ "{section}": {{
 "interfaces-config": {{ "interfaces": ["{interface}"], "re-detect": true }},
 "lease-database": {{ "type": "memfile", "persist": true, "name": "{folder}/leases", "lfc-interval": 0 }},
 "loggers": [{{ "name": "kea-{name}", "output_options": [{{ "output": "stdout", "flush": true }}], "severity": "INFO" }}],
 {rest} }} }}"#
        );
        let file = self.file("kea.json");
        std::fs::write(&file, text).unwrap();
        command.env("KEA_LOCKFILE_DIR", self.folder.path()).env("KEA_PIDFILE_DIR", self.folder.path());
        command.arg("-c").arg(file);
        let mut running = self.start(command, "kea");
        let started = format!("{}_STARTED", section.to_uppercase());
        wait_for("Kea to serve", || {
            assert_eq!(running.ended(), None, "{}", self.read("kea"));
            self.read("kea").contains(&started).then_some(())
        });
        running
    }

    /// Busybox's client on `interface`, which takes a lease and keeps it; says the address in the file `leased`.
    fn udhcpc(&self, interface: &str) -> Running {
        // The lease's network is behind the router, where there is one.
        let bound = "ip addr replace $ip/24 dev $interface; [ -z \"$router\" ] || ip route replace default via $router; \
                     echo $ip > ${0%/*}/leased";
        let script = self.script(&format!(
            "case $1 in\nbound|renew) {bound} ;;\ndeconfig) ip addr flush dev $interface; rm -f ${{0%/*}}/leased ;;\nesac\n"
        ));
        let mut command = self.lab.client("udhcpc");
        command.args(["-f", "-R", "-i", interface, "-x", "hostname:desk-8", "-t", "20", "-T", "1", "-s"]).arg(script);
        self.start(command, "udhcpc")
    }

    /// Takes a lease, renews it and gives it back, of which two records come.
    fn whole_lease(&self, interface: &str) {
        let mut client = self.udhcpc(interface);
        let has = |count: usize| {
            wait_for("the client to have a lease", || {
                let taken = self.read("udhcpc").matches(" obtained from ").count();
                (taken == count).then_some(())
            });
        };
        has(1);
        self.records(1);
        client.signal(Signal::USR1);
        // One that gave it back before the answer comes would then have it again.
        has(2);
        client.signal(Signal::USR2);
        self.records(2);
        client.terminate();
    }

    fn script(&self, body: &str) -> PathBuf {
        let script = self.file("script");
        std::fs::write(&script, format!("#!/bin/sh\n{body}")).unwrap();
        std::fs::set_permissions(&script, std::fs::Permissions::from_mode(0o755)).unwrap();
        script
    }

    /// The records, once there are so many.
    fn records(&self, count: usize) -> Vec<Value> {
        wait_for("the records", || {
            let records = self.rsyslog.records();
            (records.len() >= count).then_some(records)
        })
    }

    /// What the server has written down of its leases, a row each time it changed one.
    fn leases(&self) -> Vec<Row> {
        let text = self.read("leases");
        let mut lines = text.lines().map(|line| line.split(',').map(str::to_owned).collect::<Vec<_>>());
        let names = lines.next().unwrap_or_default();
        lines.map(|line| names.iter().cloned().zip(line).collect()).map(Row).collect()
    }

    /// Ends the firewall; all the records that there ever were.
    fn finish(mut self) -> Vec<Value> {
        let firewall = self.firewall.take().unwrap();
        firewall.wait_until_sent();
        let (code, log) = firewall.stop();
        assert_eq!(code, 0, "{log}");
        self.rsyslog.stop();
        self.rsyslog.records()
    }
}

/// A row of the server's file.
#[derive(Debug)]
struct Row(std::collections::BTreeMap<String, String>);

impl Row {
    fn text(&self, name: &str) -> &str {
        self.0.get(name).map_or_else(|| panic!("no {name}: {self:?}"), String::as_str)
    }

    /// When the client was heard, in seconds since the epoch.
    fn heard(&self) -> f64 {
        let number = |name| self.text(name).parse::<f64>().unwrap();
        number("expire") - number("valid_lifetime")
    }
}

/// Whether these programs may read and write where tests do.
fn are_free(programs: &[&str]) -> bool {
    let profiles = std::fs::read_to_string("/sys/kernel/security/apparmor/profiles").unwrap_or_default();
    let bound = programs.iter().find(|program| profiles.contains(&format!("{program} (enforce)")));
    if let Some(program) = bound {
        skip::skip(&format!("AppArmor keeps {program} to the system's folders"));
    }
    bound.is_none()
}

#[track_caller]
fn ip(arguments: &[&str]) {
    let output = Command::new("ip").args(arguments).output().unwrap();
    assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
}

fn text<'a>(record: &'a Value, key: &str) -> &'a str {
    record[key].as_str().unwrap_or_default()
}

fn seconds(time: &str) -> f64 {
    time.parse::<jiff::Timestamp>().unwrap_or_else(|error| panic!("{time}: {error}")).as_millisecond() as f64 / 1e3
}

#[track_caller]
fn assert_near(record: &Value, key: &str, expected: f64) {
    let time = seconds(text(record, key));
    assert!((time - expected).abs() <= APART, "{key} is {time}, the server has {expected}");
}

fn actions(records: &[Value]) -> Vec<(&str, &str)> {
    records.iter().map(|record| (text(record, "action"), text(record, "reason"))).collect()
}

#[test]
fn a_lease_of_kea_is_recorded_as_it_is_in_its_file() {
    let Some(bed) = Bed::build(&["kea-dhcp4", "udhcpc"], false) else { return };
    let subnet = r#""valid-lifetime": 120, "subnet4": [{ "subnet": "198.18.0.0/24",
        "pools": [{ "pool": "198.18.0.100 - 198.18.0.150" }] }]"#;
    let _kea = bed.kea(bed.lab.server("kea-dhcp4"), "Dhcp4", "s0", subnet);
    bed.whole_lease("c0");
    let leases = wait_for("the server to write", || Some(bed.leases()).filter(|rows| rows.len() >= 3));
    let records = bed.finish();

    assert_eq!(actions(&records), [("login", "lease"), ("logout", "release")], "{records:#?}");
    let lease = &leases[0];
    for record in &records {
        assert_eq!((text(record, "application"), text(record, "class")), ("dhcp", "access"));
        assert_eq!((text(record, "mac"), text(record, "account")), (lease.text("hwaddr"), MAC));
        assert_eq!(text(record, "ipv4"), lease.text("address"));
        assert_eq!((text(record, "host-name"), text(record, "client-interface")), ("desk-8", "inside"));
        assert_near(record, "login-time", lease.heard());
    }
    // A lease that is over has no time left in the file.
    assert_eq!(leases.last().unwrap().text("valid_lifetime"), "0", "{leases:?}");
    let (from, to) = (seconds(text(&records[1], "login-time")), seconds(text(&records[1], "logout-time")));
    assert!(leases[1].heard() - from >= -APART && to - leases[1].heard() >= -APART, "{from} {to} {leases:?}");
}

/// DHCPv6 signs on by itself where it is one of `sources`: address and prefix in one record.
#[test]
fn an_address_and_a_prefix_by_dhcpv6_are_one_login() {
    let Some(bed) = Bed::build(&["kea-dhcp6", "dhclient"], false) else { return };
    let subnet = format!(
        r#""data-directory": "{}", "renew-timer": 2, "rebind-timer": 40, "preferred-lifetime": 50, "valid-lifetime": 60,
        "subnet6": [{{ "subnet": "2001:db8:1::/64", "interface": "s0", "pools": [{{ "pool": "2001:db8:1::100 - 2001:db8:1::1ff" }}],
        "pd-pools": [{{ "prefix": "2001:db8:8000::", "prefix-len": 40, "delegated-len": 56 }}] }}]"#,
        bed.folder.path().display()
    );
    // Neither speaks before its own address is known to be nobody else's.
    for (namespace, device) in [(&bed.lab.client, "c0"), (&bed.lab.server, "s0")] {
        wait_for("an address of the link", || {
            let output =
                Command::new("ip").args(["-n", namespace, "-6", "addr", "show", "dev", device]).output().unwrap();
            let text = String::from_utf8(output.stdout).unwrap();
            (text.contains("fe80:") && !text.contains("tentative")).then_some(())
        });
    }
    let _kea = bed.kea(bed.lab.server("kea-dhcp6"), "Dhcp6", "s0", &subnet);
    let script = bed.script("exit 0\n");
    let dhclient = |first: &[&str]| {
        let mut command = bed.lab.client("dhclient");
        command.args(["-6", "-N", "-P", "-v", "-cf", "/dev/null"]).args(first).arg("-sf").arg(&script);
        command.arg("-lf").arg(bed.file("client-leases")).arg("-pf").arg(bed.file("client-pid"));
        command.arg("c0");
        command
    };
    let mut client = bed.start(dhclient(&["-d"]), "dhclient");
    let [login] = &bed.records(1)[..] else { panic!("one") };
    let address = text(login, "ipv6").to_owned();
    // The server writes when it is asked again.
    wait_for("a renewal", || {
        let rows = bed.leases();
        (rows.iter().filter(|row| row.text("address") == address).count() >= 2).then_some(())
    });
    let rows = bed.leases();
    let row = |kind: &str| rows.iter().find(|row| row.text("lease_type") == kind).unwrap();
    let (host, delegated) = (row("0"), row("2"));
    let mut release = bed.start(dhclient(&["-r"]), "release");
    wait_for("the client to give it back", || release.ended());
    bed.records(2);
    client.terminate();
    let heard = (host.heard(), delegated.heard());
    let duid = host.text("duid").to_owned();
    let prefix = format!("{}/{}", delegated.text("address"), delegated.text("prefix_len"));
    let records = bed.finish();

    assert_eq!(actions(&records), [("login", "lease"), ("logout", "release")], "{records:#?}");
    for record in &records {
        assert_eq!((text(record, "application"), text(record, "class")), ("dhcpv6", "access"));
        assert_eq!((text(record, "ipv6"), text(record, "prefix")), (&*address, &*prefix));
        assert_eq!((text(record, "assigned"), text(record, "identifies")), ("dhcpv6", "host"));
        // The client's identifier is made of its MAC address.
        assert_eq!((text(record, "mac"), text(record, "account")), (MAC, MAC));
        assert!(duid.ends_with(MAC), "{duid}");
        assert_near(record, "login-time", heard.0);
        assert_near(record, "login-time", heard.1);
    }
    assert_eq!(address, host.text("address"));
}

/// A server behind the relay, on a cable of its own that crosses the firewall by a second wire.
struct Beyond(String);

const BEYOND: &str = r#"[[wire]]
ports = ["near", "far"]
[[port]]
name = "near"
device = "net_af_packet2,iface=fw2"
zone = "trust"
[[port]]
name = "far"
device = "net_af_packet3,iface=fw3"
zone = "untrust"
"#;

impl Beyond {
    fn build(lab: &Lab) -> Self {
        let beyond = Self(format!("{}b", lab.client));
        ip(&["netns", "add", &beyond.0]);
        let cables = [(&lab.server, "s1", "198.18.20.1/24", "fw2"), (&beyond.0, "d0", "198.18.20.2/24", "fw3")];
        for (namespace, device, address, port) in cables {
            ip(&["-n", namespace, "link", "add", device, "type", "veth", "peer", "name", port, "netns", &lab.firewall]);
            for (namespace, device) in [(namespace, device), (&lab.firewall, port)] {
                let off = ["tx", "off", "tso", "off", "gso", "off", "gro", "off", "rxvlan", "off", "txvlan", "off"];
                let mut command = Command::new("ip");
                command.args(["netns", "exec", namespace, "ethtool", "-K", device]).args(off);
                assert!(command.stdout(Stdio::null()).status().unwrap().success());
            }
            ip(&["-n", namespace, "addr", "add", address, "dev", device]);
            ip(&["-n", namespace, "link", "set", device, "up"]);
            ip(&["-n", &lab.firewall, "link", "set", port, "promisc", "on", "arp", "off", "up"]);
        }
        ip(&["-n", &beyond.0, "route", "add", "198.18.0.0/24", "via", "198.18.20.1"]);
        beyond
    }
}

impl Drop for Beyond {
    fn drop(&mut self) {
        let _ = Command::new("ip").args(["netns", "del", &self.0]).status();
    }
}

/// Every message crosses the firewall twice: between client and relay, and between relay and server.
#[test]
fn a_relayed_lease_is_one_login_with_what_the_relay_says() {
    let Some(bed) = Bed::build(&["kea-dhcp4", "udhcpc", "dhcrelay"], true) else { return };
    ip(&["-n", &bed.lab.client, "addr", "flush", "dev", "c0"]);
    assert!(bed.lab.server("sysctl").args(["-qw", "net.ipv4.ip_forward=1"]).status().unwrap().success());
    let subnet = r#""valid-lifetime": 120, "subnet4": [{ "subnet": "198.18.0.0/24",
        "pools": [{ "pool": "198.18.0.100 - 198.18.0.150" }],
        "option-data": [{ "name": "routers", "data": "198.18.0.2" }] }]"#;
    let mut kea = Command::new("ip");
    kea.args(["netns", "exec", &bed.beyond.as_ref().unwrap().0, "kea-dhcp4"]);
    let _kea = bed.kea(kea, "Dhcp4", "d0", subnet);
    let mut relay = bed.lab.server("dhcrelay");
    relay.args(["-4", "-d", "--no-pid", "-a", "-id", "s0", "-iu", "s1", "198.18.20.2"]);
    let _relay = bed.start(relay, "dhcrelay");
    wait_for("the relay to listen", || bed.read("dhcrelay").contains("Sending on").then_some(()));
    bed.whole_lease("c0");
    // Twice each: discover, offer, request, acknowledgment, request, acknowledgment, and release.
    let firewall = bed.firewall.as_ref().unwrap();
    wait_for("all of it to pass twice", || (firewall.counter("dhcp_messages") >= 14).then_some(()));
    let leases = bed.leases();
    let records = bed.finish();

    assert_eq!(actions(&records), [("login", "lease"), ("logout", "release")], "{records:#?}");
    for record in &records {
        assert_eq!((text(record, "account"), text(record, "mac")), (MAC, leases[0].text("hwaddr")));
        assert_eq!(text(record, "ipv4"), leases[0].text("address"));
        assert_eq!((text(record, "circuit-id"), text(record, "host-name")), ("s0", "desk-8"));
        assert_eq!(text(record, "nas"), SERVER);
        // The client's own, not the relay's.
        assert_eq!(text(record, "client-interface"), "inside");
        assert_near(record, "login-time", leases[0].heard());
    }
}
