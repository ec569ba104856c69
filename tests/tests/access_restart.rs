//! A restart with access users signed on: nobody signs on or off by it, whose address it was is still known, and who left meanwhile
//! is told to be gone.

#![allow(clippy::unwrap_used, reason = "the helpers of tests are tests")]

use std::net::Ipv4Addr;
use std::path::Path;
use std::time::Duration;

use bench::pktgen::dhcp::Host;
use bench::pktgen::dice::Dice;
use bench::pktgen::frames::{Link, Side};
use bench::pktgen::pppoe::Line;
use bench::pktgen::radius::{INTERIM, Nas, STOP, Subscriber, number};
use bench::pktgen::script::Script;
use ostiary_tests::cable::Cable;
use ostiary_tests::certificates::Certificates;
use ostiary_tests::firewall::Firewall;
use ostiary_tests::netns::{CLIENT, Lab};
use ostiary_tests::policy::Policy;
use ostiary_tests::process::wait_for;
use ostiary_tests::rsyslog::Rsyslog;
use ostiary_tests::{qq, skip};
use serde_json::Value;

/// Who signs on: by RADIUS, by PPPoE, and a host by DHCP; and who will be gone.
struct Users {
    cable: Cable,
    server: Nas,
    subscriber: Subscriber,
    stays: Line,
    leaves: Line,
    host: Host,
}

impl Users {
    fn new(lab: &Lab) -> Self {
        let link = |host: u8| Link { client: [2, 0, 0, 0, 0xa, host], server: [2, 0, 0, 0, 0xb, 1], ..Link::vlan(7) };
        let subscriber = Subscriber {
            name: b"alice@isp.example".to_vec(),
            session: "s-17".to_owned(),
            address: CLIENT.parse().unwrap(),
            prefix: None,
            mac: [2, 0, 0, 0, 0, 9],
        };
        Self {
            cable: Cable::open(lab),
            server: Nas::new("bras-1", 11),
            subscriber,
            stays: Line::new(link(1), 7, b"dave@isp.example", Duration::ZERO),
            leaves: Line::new(link(2), 8, b"carol@isp.example", Duration::ZERO),
            host: Host::new(link(3), "desk-3", Duration::ZERO),
        }
    }

    /// Writes what some of them do, and has it cross the firewall.
    fn play(&mut self, write: impl FnOnce(&mut Self, &mut Script)) {
        let mut script = Script::new(Link::plain(), Dice::new(1));
        write(self, &mut script);
        // In the order in which it was written.
        self.cable.play(&script.frames);
    }

    fn sign_on(&mut self) {
        self.play(|users, script| {
            users.server.start(script, Duration::ZERO, &users.subscriber);
            for (line, host) in [(&mut users.stays, 31), (&mut users.leaves, 32)] {
                line.discover(script, None);
                line.pap(script, "in clear", 1, true);
                line.ipcp(script, Ipv4Addr::new(10, 64, 0, host));
                line.echo(script, true);
            }
            users.host.lease(script, Ipv4Addr::new(10, 64, 0, 33), 3600);
        });
    }

    fn echo(&mut self) {
        self.play(|users, script| users.stays.echo(script, true));
    }

    fn sign_off(&mut self) {
        self.play(|users, script| {
            users.server.account(script, Duration::ZERO, &users.subscriber, INTERIM, &[]);
            users.server.account(script, Duration::ZERO, &users.subscriber, STOP, &number(49, 1));
            users.stays.hang_up(script, Side::Client);
            users.host.renew(script);
            users.host.release(script);
        });
    }
}

/// Action, reason and account of each record of access users.
fn told(rsyslog: &Rsyslog) -> Vec<[String; 3]> {
    let records = rsyslog.records().into_iter().filter(|record| record["class"] == "access");
    let text = |record: &Value, key: &str| record[key].as_str().unwrap_or("-").to_owned();
    records.map(|record| ["action", "reason", "account"].map(|key| text(&record, key))).collect()
}

fn is_kept(state: &Path, names: &[&str]) -> bool {
    let octets = std::fs::read(state.join("access")).unwrap_or_default();
    names.iter().all(|name| octets.windows(name.len()).any(|window| window == name.as_bytes()))
}

fn restarted(end: impl FnOnce(Firewall)) {
    let Some(lab) = Lab::build() else { return };
    if !skip::has_programs(&["rsyslogd", "openssl", "python3"]) {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let certificates = Certificates::make(folder.path());
    let mut rsyslog = Rsyslog::start_in(Some(&lab.firewall), folder.path(), &certificates);
    let state = folder.path().join("state");
    let mut policy = Policy::new("net_af_packet0,iface=fw0", "net_af_packet1,iface=fw1")
        .rule("all", "action = \"permit\"\nsession-logging = true\n")
        .host("siem", rsyslog.tcp, "transport = \"tcp\"\nformat = \"syslog\"\n");
    policy.full = true;
    policy.system = format!("state-directory = \"{}\"\n", state.display());
    policy.rest += "[access]\necho-timeout = \"10 s\"\n[log.access]\nenable = true\ntype = \"syslog\"\n";

    let firewall = Firewall::start_in(&lab.firewall, folder.path(), &policy);
    let mut users = Users::new(&lab);
    users.sign_on();
    let logins = [
        ["login", "message", "alice@isp.example"],
        ["login", "message", "dave@isp.example"],
        ["login", "message", "carol@isp.example"],
        ["login", "lease", "02:00:00:00:0a:03"],
    ];
    wait_for("the logins", || (told(&rsyslog).len() >= logins.len()).then_some(()));
    // Those of PPPoE have to answer echoes until they are written down, which may take ten seconds.
    wait_for("all to be kept", || {
        users.play(|users, script| {
            users.stays.echo(script, true);
            users.leaves.echo(script, true);
        });
        is_kept(&state, &["alice@isp.example", "dave@isp.example", "carol@isp.example"]).then_some(())
    });
    assert_eq!(told(&rsyslog), logins);
    end(firewall);

    let firewall = Firewall::start_in(&lab.firewall, folder.path(), &policy);
    assert!(firewall.log().contains("4 access users were signed on when it ran last"), "{}", firewall.log());
    wait_for("who left to be told", || {
        users.echo();
        std::thread::sleep(Duration::from_millis(200));
        (told(&rsyslog).len() > logins.len()).then_some(())
    });
    assert_eq!(told(&rsyslog)[logins.len()..], [["logout", "silence", "carol@isp.example"]]);
    // Whose address it is was said to the run before.
    qq::sign_on_and_off(&lab);
    users.echo();
    users.sign_off();
    let ends = [
        ["logout", "user-request", "alice@isp.example"],
        ["logout", "terminated", "dave@isp.example"],
        ["logout", "release", "02:00:00:00:0a:03"],
    ];
    wait_for("the logouts", || (told(&rsyslog).len() > logins.len() + ends.len()).then_some(()));
    firewall.wait_until_sent();
    assert_eq!(firewall.stop().0, 0);
    rsyslog.stop();
    assert_eq!(told(&rsyslog)[logins.len() + 1..], ends);
    let records = rsyslog.records();
    let messenger: Vec<_> = records.iter().filter(|record| record["application"] == "qq").collect();
    assert!(!messenger.is_empty(), "{records:#?}");
    for record in messenger {
        assert_eq!(
            (&record["user"], &record["user-mac"]),
            (&"alice@isp.example".into(), &"02:00:00:00:00:09".into()),
            "{record}"
        );
    }
    for record in records.iter().filter(|record| record["action"] == "logout" && record["class"] == "access") {
        assert!(record["online"].as_str().is_some_and(|online| online != "-"), "the login is remembered: {record}");
    }
}

#[test]
fn a_restart_by_command_changes_nothing_for_who_is_signed_on() {
    restarted(|firewall| {
        let (code, log) = firewall.stop();
        assert_eq!(code, 0, "{log}");
    });
}

#[test]
fn nor_does_a_sudden_end() {
    restarted(Firewall::kill);
}
