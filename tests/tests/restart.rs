//! A restart with users online: nobody logs in or out by it, and who left meanwhile is told to be gone.

#![allow(clippy::unwrap_used, reason = "the helpers of tests are tests")]

use std::net::{SocketAddr, UdpSocket};
use std::path::Path;
use std::time::{Duration, Instant};

use ostiary_tests::certificates::Certificates;
use ostiary_tests::firewall::Firewall;
use ostiary_tests::netns::{CLIENT, Lab, SERVER, inside};
use ostiary_tests::policy::{Policy, copy_signatures};
use ostiary_tests::process::wait_for;
use ostiary_tests::pseudonym::pseudonym;
use ostiary_tests::rsyslog::Rsyslog;
use ostiary_tests::skip;

/// The limit of silence that PC QQ has in these tests, instead of its minutes.
const LIMIT: Duration = Duration::from_secs(20);
const LOGIN: u16 = 0x0828;
const KEEPALIVE: u16 = 0x0058;

/// A user of PC QQ behind the firewall, and the server that they talk to.
struct User {
    client: UdpSocket,
    server: UdpSocket,
    account: u32,
}

impl User {
    fn new(lab: &Lab, number: u16) -> Self {
        let socket = |namespace: &str, ip: &str, port: u16| {
            let address = SocketAddr::new(ip.parse().unwrap(), port);
            let socket = inside(namespace, || UdpSocket::bind(address).unwrap());
            socket.set_read_timeout(Some(Duration::from_secs(1))).unwrap();
            socket
        };
        let (client, server) = (socket(&lab.client, CLIENT, 4000 + number), socket(&lab.server, SERVER, 8000 + number));
        client.connect(server.local_addr().unwrap()).unwrap();
        server.connect(client.local_addr().unwrap()).unwrap();
        Self { client, server, account: 10_001 + u32::from(number) }
    }

    /// Asks until it arrives (the first may wait for ARP), and has the answer arrive.
    fn says(&self, command: u16) {
        let mut packet = vec![0x02, 0x37, 0x0f];
        packet.extend(command.to_be_bytes());
        packet.extend([0x12, 0x34]);
        packet.extend(self.account.to_be_bytes());
        packet.extend([2, 0, 0, 0, 1, 1, 1]);
        packet.extend([0x5a; 24]);
        packet.push(0x03);
        for (from, to) in [(&self.client, &self.server), (&self.server, &self.client)] {
            wait_for("a datagram to arrive", || {
                from.send(&packet).unwrap();
                to.recv(&mut [0; 256]).ok()
            });
        }
    }
}

/// The signatures of this checkout, with the limit of these tests.
fn hasten(folder: &Path) {
    let to = folder.join("signatures");
    copy_signatures(&to);
    let text = std::fs::read_to_string(to.join("qq.toml")).unwrap();
    assert!(text.contains("limit = \"320 s\""));
    let text = text.replace("limit = \"320 s\"", &format!("limit = \"{} s\"", LIMIT.as_secs()));
    std::fs::write(to.join("qq.toml"), text).unwrap();
}

/// How accounts are written.
struct Form {
    /// Lines of `[log.im]`; the key file is named `KEY-FILE` in them.
    log_im: &'static str,
    written: fn(&str) -> String,
    /// The same after the restart, of who is seen again.
    after: fn(&str) -> String,
}

const CLEAR: Form = Form { log_im: "", written: str::to_owned, after: str::to_owned };
const KEYED: Form = Form {
    log_im: "account = \"pseudonym\"\npseudonym-key-file = \"KEY-FILE\"\n",
    written: |account| pseudonym(KEY, account),
    after: |account| pseudonym(NEW_KEY, account),
};
const KEY: &str = "a key of these tests, and no other";
const NEW_KEY: &str = "the key that came after it, longer";

/// Two users sign on, the firewall ends by `end` and starts again; one goes on, the other is never heard of. `end` may
/// write the key file.
fn restarted(form: &Form, end: impl FnOnce(Firewall, &Path)) {
    let Some(lab) = Lab::build() else { return };
    if !skip::has_programs(&["rsyslogd", "openssl"]) {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let certificates = Certificates::make(folder.path());
    let mut rsyslog = Rsyslog::start_in(Some(&lab.firewall), folder.path(), &certificates);
    let state = folder.path().join("state");
    let mut policy = Policy::new("net_af_packet0,iface=fw0", "net_af_packet1,iface=fw1")
        .rule("all", "action = \"permit\"\nsession-logging = true\n")
        .tls(&certificates)
        .host("siem", rsyslog.tls, "transport = \"tls\"\nssl-policy = \"collector\"\nformat = \"syslog\"\n");
    policy.full = true;
    policy.system = format!("state-directory = \"{}\"\n", state.display());
    let key_file = folder.path().join("key");
    std::fs::write(&key_file, KEY).unwrap();
    policy.log_im = form.log_im.replace("KEY-FILE", &key_file.display().to_string());
    hasten(folder.path());
    let written = |account: u32| (form.written)(&account.to_string());
    let said = |rsyslog: &Rsyslog, account: u32| -> Vec<(String, String)> {
        let (records, account) = (rsyslog.records(), written(account));
        let of = |record: &&serde_json::Value| record["event"] == "signon" && record["account"] == account;
        let text = |record: &serde_json::Value, key: &str| record[key].as_str().unwrap_or("-").to_owned();
        records.iter().filter(of).map(|record| (text(record, "action"), text(record, "reason"))).collect()
    };
    let word = |action: &str, reason: &str| (action.to_owned(), reason.to_owned());

    let firewall = Firewall::start_in(&lab.firewall, folder.path(), &policy);
    let (stays, leaves) = (User::new(&lab, 0), User::new(&lab, 1));
    for user in [&stays, &leaves] {
        user.says(LOGIN);
        wait_for("the login to be recorded", || (!said(&rsyslog, user.account).is_empty()).then_some(()));
    }
    // Who is online is kept every ten seconds at least.
    let kept = Instant::now();
    let has_both = || {
        // What is not yet under its own name is not yet kept.
        let files = std::fs::read_dir(&state).ok()?.map(|file| file.unwrap().path());
        let files = files.filter(|file| file.extension().is_none_or(|extension| extension != "new"));
        let octets: Vec<u8> = files.filter_map(|file| std::fs::read(file).ok()).flatten().collect();
        let has = |account: u32| {
            let account = written(account);
            octets.windows(account.len()).any(|window| window == account.as_bytes())
        };
        (has(stays.account) && has(leaves.account)).then_some(())
    };
    wait_for("both to be kept", || {
        stays.says(KEEPALIVE);
        leaves.says(KEEPALIVE);
        has_both()
    });
    assert!(kept.elapsed() < LIMIT, "kept in time");
    end(firewall, &key_file);

    let firewall = Firewall::start_in(&lab.firewall, folder.path(), &policy);
    assert!(firewall.log().contains("2 users were online when it ran last"), "{}", firewall.log());
    wait_for("who left to be logged out", || {
        stays.says(KEEPALIVE);
        std::thread::sleep(Duration::from_millis(500));
        (said(&rsyslog, leaves.account).len() > 1).then_some(())
    });
    let online: Vec<_> = firewall.show("im").iter().map(|row| row["account"].as_str().unwrap().to_owned()).collect();
    let after = (form.after)(&stays.account.to_string());
    assert_eq!(online, [after.as_str()]);
    firewall.wait_until_sent();
    assert_eq!(firewall.stop().0, 0);
    rsyslog.stop();
    assert_eq!(said(&rsyslog, stays.account), [word("login", "message")]);
    let again = rsyslog.records().iter().filter(|record| record["account"] == after.as_str()).count();
    assert_eq!(again, usize::from(after == written(stays.account)), "seen again, and not told again");
    assert_eq!(said(&rsyslog, leaves.account), [word("login", "message"), word("logout", "timeout")]);
}

#[test]
fn a_restart_by_command_changes_nothing_for_who_is_online() {
    restarted(&CLEAR, |firewall, _| {
        let (code, log) = firewall.stop();
        assert_eq!(code, 0, "{log}");
    });
}

#[test]
fn nor_does_a_sudden_end() {
    restarted(&CLEAR, |firewall, _| firewall.kill());
}

#[test]
fn nor_does_a_new_key_of_pseudonyms_before_the_old_one() {
    restarted(&KEYED, |firewall, key_file| {
        assert_eq!(firewall.stop().0, 0);
        std::fs::write(key_file, format!("{NEW_KEY}\n{KEY}\n")).unwrap();
    });
}
