//! A real supplicant signs on at a real authenticator through the running firewall: wpa_supplicant and hostapd, both wired.

#![allow(clippy::unwrap_used, reason = "the helpers of tests are tests")]

use std::path::Path;
use std::process::Command;

use ostiary_tests::certificates::Certificates;
use ostiary_tests::firewall::Firewall;
use ostiary_tests::netns::Lab;
use ostiary_tests::policy::Policy;
use ostiary_tests::process::{Running, wait_for};
use ostiary_tests::rsyslog::Rsyslog;
use ostiary_tests::skip;
use serde_json::Value;

const LOGS: &str =
    "[log.access]\nenable = true\ntype = \"syslog\"\n[log.call-status]\nenable = true\ntype = \"syslog\"\n";

fn write(folder: &Path, name: &str, text: &str) -> String {
    let file = folder.join(name);
    std::fs::write(&file, text).unwrap();
    file.display().to_string()
}

/// An authenticator that knows these users, in the words of hostapd's file of them.
fn authenticator(lab: &Lab, folder: &Path, users: &str) -> Running {
    let users = write(folder, "users", users);
    let file = |name: &str| folder.join(name).display().to_string();
    let text = format!(
        "interface=s0\ndriver=wired\nieee8021x=1\neap_server=1\neap_user_file={users}\neap_reauth_period=0\n\
         use_pae_group_addr=1\nca_cert={}\nserver_cert={}\nprivate_key={}\n",
        file("ca.pem"),
        file("server.pem"),
        file("server.key"),
    );
    Running::start(lab.server("hostapd").arg(write(folder, "hostapd.conf", &text)))
}

/// EAP-MD5 with that password.
fn md5(password: &str) -> String {
    format!("eap=MD5\n identity=\"alice\"\n password=\"{password}\"")
}

/// A supplicant that shows who it is so, and the command that speaks to it.
fn supplicant(lab: &Lab, folder: &Path, name: &str, method: &str) -> (Running, Command) {
    let control = folder.join(format!("control-{name}")).display().to_string();
    let text = format!(
        "ctrl_interface={control}\nap_scan=0\nnetwork={{\n key_mgmt=IEEE8021X\n {method}\n eapol_flags=0\n}}\n"
    );
    let file = write(folder, &format!("{name}.conf"), &text);
    let running = Running::start(lab.client("wpa_supplicant").args(["-D", "wired", "-i", "c0", "-c", &file]));
    let mut command = lab.client("wpa_cli");
    command.args(["-p", &control, "-i", "c0"]);
    (running, command)
}

/// The records of 802.1X that have arrived: MSGID, result or nothing, user, MAC address.
fn told(rsyslog: &Rsyslog) -> Vec<(String, String, String)> {
    let text = |record: &Value, name: &str| record[name].as_str().unwrap_or("-").to_owned();
    let records = rsyslog.records().into_iter().filter(|record| record["application"] == "8021x");
    records.map(|record| (text(&record, "id"), text(&record, "result"), text(&record, "account"))).collect()
}

/// Supplicant, firewall, authenticator, and who writes the records down.
struct Bed {
    lab: Lab,
    folder: tempfile::TempDir,
    firewall: Firewall,
    rsyslog: Rsyslog,
}

impl Bed {
    fn build() -> Option<Self> {
        let lab = Lab::build()?;
        if !skip::has_programs(&["hostapd", "wpa_supplicant", "wpa_cli", "rsyslogd", "openssl"]) {
            return None;
        }
        let folder = tempfile::tempdir().unwrap();
        let certificates = Certificates::make(folder.path());
        let rsyslog = Rsyslog::start_in(Some(&lab.firewall), folder.path(), &certificates);
        let mut policy = Policy::new("net_af_packet0,iface=fw0", "net_af_packet1,iface=fw1").host(
            "siem",
            rsyslog.tcp,
            "transport = \"tcp\"\nformat = \"syslog\"\nrecords = [\"access\", \"call-status\"]\n",
        );
        policy.rest.push_str(LOGS);
        let firewall = Firewall::start_in(&lab.firewall, folder.path(), &policy);
        Some(Self { lab, folder, firewall, rsyslog })
    }

    /// The records, once there are so many.
    fn arrives(&self, what: &str, count: usize) -> Vec<(String, String, String)> {
        wait_for(what, || {
            let told = told(&self.rsyslog);
            (told.len() >= count).then_some(told)
        })
    }
}

fn record(id: &str, result: &str, account: &str) -> (String, String, String) {
    (id.to_owned(), result.to_owned(), account.to_owned())
}

#[test]
fn success_logoff_and_a_wrong_password_are_recorded() {
    let Some(bed) = Bed::build() else { return };
    let (lab, folder) = (&bed.lab, bed.folder.path());
    let users = "\"alice\" MD5 \"wonder\"\n";
    let mut server = authenticator(lab, folder, users);
    let (mut running, mut command) = supplicant(lab, folder, "right", &md5("wonder"));
    assert_eq!(bed.arrives("the success", 1), [record("CALL_STATUS", "ok", "alice")]);
    assert!(command.arg("logoff").output().unwrap().status.success());
    assert_eq!(bed.arrives("the logoff", 2)[1], record("ACCESS_LOGOUT", "-", "alice"));
    running.terminate();

    // One that has just seen a logoff takes its time before it asks again.
    server.terminate();
    let _server = authenticator(lab, folder, users);
    let (mut running, _) = supplicant(lab, folder, "wrong", &md5("WRONG"));
    assert_eq!(bed.arrives("the refusal", 3)[2], record("CALL_STATUS", "fail", "alice"));
    running.terminate();
    assert!(bed.firewall.counter("eapol_frames") >= 10);
    let (code, log) = bed.firewall.stop();
    assert_eq!(code, 0, "{log}");
    // A supplicant tries again and again; whatever it is, it is a refusal.
    assert!(told(&bed.rsyslog)[2..].iter().all(|told| *told == record("CALL_STATUS", "fail", "alice")));
}

/// Who is inside a tunnel nobody sees: the name is the one outside, which need not be the user's. Told once, however many
/// packets the handshake has.
#[test]
fn what_is_inside_a_tunnel_is_told_by_its_outer_name() {
    let Some(bed) = Bed::build() else { return };
    let (lab, folder) = (&bed.lab, bed.folder.path());
    let users = "\"outside@isp.example\" PEAP,TTLS\n\"carol\" TLS\n\"alice\" MSCHAPV2,MD5 \"wonder\" [2]\n";
    let tunnel = |method: &str, inner: &str| {
        format!(
            "eap={method}\n anonymous_identity=\"outside@isp.example\"\n identity=\"alice\"\n \
             password=\"wonder\"\n phase2=\"{inner}\""
        )
    };
    let file = |name: &str| folder.join(name).display().to_string();
    let certificate = format!(
        "eap=TLS\n identity=\"carol\"\n ca_cert=\"{}\"\n client_cert=\"{}\"\n private_key=\"{}\"",
        file("ca.pem"),
        file("client.pem"),
        file("client.key"),
    );
    let methods = [
        ("peap", tunnel("PEAP", "auth=MSCHAPV2"), "outside@isp.example"),
        ("ttls", tunnel("TTLS", "autheap=MD5"), "outside@isp.example"),
        ("tls", certificate, "carol"),
    ];
    let mut expected = Vec::new();
    for (name, method, account) in &methods {
        let mut server = authenticator(lab, folder, users);
        let (mut running, mut command) = supplicant(lab, folder, name, method);
        expected.push(record("CALL_STATUS", "ok", account));
        assert_eq!(bed.arrives(name, expected.len()), expected);
        assert!(command.arg("logoff").output().unwrap().status.success());
        expected.push(record("ACCESS_LOGOUT", "-", account));
        assert_eq!(bed.arrives("the logoff", expected.len()), expected);
        running.terminate();
        server.terminate();
    }
    bed.firewall.wait_until_sent();
    let (code, log) = bed.firewall.stop();
    assert_eq!(code, 0, "{log}");
    assert_eq!(told(&bed.rsyslog), expected);
    let text = format!("{:?}", bed.rsyslog.messages());
    assert!(!text.contains("wonder") && !text.contains("alice"), "{text}");
}
