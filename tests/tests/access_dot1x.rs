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

fn authenticator(lab: &Lab, folder: &Path) -> Running {
    let users = write(folder, "users", "\"alice\" MD5 \"wonder\"\n");
    let text = format!(
        "interface=s0\ndriver=wired\nieee8021x=1\neap_server=1\neap_user_file={users}\neap_reauth_period=0\n\
         use_pae_group_addr=1\n"
    );
    Running::start(lab.server("hostapd").arg(write(folder, "hostapd.conf", &text)))
}

/// A supplicant with that password, and the command that speaks to it.
fn supplicant(lab: &Lab, folder: &Path, password: &str) -> (Running, Command) {
    let control = folder.join(format!("control-{password}")).display().to_string();
    let text = format!(
        "ctrl_interface={control}\nap_scan=0\nnetwork={{\n key_mgmt=IEEE8021X\n eap=MD5\n identity=\"alice\"\n \
         password=\"{password}\"\n eapol_flags=0\n}}\n"
    );
    let file = write(folder, &format!("{password}.conf"), &text);
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

#[test]
fn success_logoff_and_a_wrong_password_are_recorded() {
    let Some(lab) = Lab::build() else { return };
    if !skip::has_programs(&["hostapd", "wpa_supplicant", "wpa_cli", "rsyslogd", "openssl"]) {
        return;
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
    let mut server = authenticator(&lab, folder.path());
    let arrives = |what: &str, count: usize| {
        wait_for(what, || {
            let told = told(&rsyslog);
            (told.len() >= count).then_some(told)
        })
    };
    let record = |id: &str, result: &str| (id.to_owned(), result.to_owned(), "alice".to_owned());

    let (mut running, mut command) = supplicant(&lab, folder.path(), "wonder");
    assert_eq!(arrives("the success", 1), [record("CALL_STATUS", "ok")]);
    assert!(command.arg("logoff").output().unwrap().status.success());
    assert_eq!(arrives("the logoff", 2)[1], record("ACCESS_LOGOUT", "-"));
    running.terminate();

    // One that has just seen a logoff takes its time before it asks again.
    server.terminate();
    let _server = authenticator(&lab, folder.path());
    let (mut running, _) = supplicant(&lab, folder.path(), "WRONG");
    assert_eq!(arrives("the refusal", 3)[2], record("CALL_STATUS", "fail"));
    running.terminate();
    assert!(firewall.counter("eapol_frames") >= 10);
    let (code, log) = firewall.stop();
    assert_eq!(code, 0, "{log}");
    // A supplicant tries again and again; whatever it is, it is a refusal.
    assert!(told(&rsyslog)[2..].iter().all(|told| *told == record("CALL_STATUS", "fail")));
}
