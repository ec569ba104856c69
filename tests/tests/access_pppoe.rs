//! PPPoE through the running firewall: the discovery of a real concentrator and a real host, and whole sign-ons by frames over the
//! same cables (PPP itself needs a kernel that has it), on plain and on tagged lines.

#![allow(clippy::unwrap_used, reason = "the helpers of tests are tests")]

use std::process::Stdio;

use bench::pktgen::script::{AccessSignOn, TimedFrame};
use bench::pktgen::stories as catalogue;
use ostiary_tests::cable::Cable;
use ostiary_tests::certificates::Certificates;
use ostiary_tests::firewall::Firewall;
use ostiary_tests::netns::Lab;
use ostiary_tests::policy::Policy;
use ostiary_tests::process::{Running, wait_for};
use ostiary_tests::rsyslog::Rsyslog;
use ostiary_tests::{skip, stories};
use serde_json::Value;

struct Bed {
    lab: Lab,
    _folder: tempfile::TempDir,
    firewall: Firewall,
    rsyslog: Rsyslog,
}

impl Bed {
    fn build(programs: &[&str]) -> Option<Self> {
        let lab = Lab::build()?;
        if !skip::has_programs(&["rsyslogd", "openssl"]) || !skip::has_programs(programs) {
            return None;
        }
        let folder = tempfile::tempdir().unwrap();
        let rsyslog = Rsyslog::start_in(Some(&lab.firewall), folder.path(), &Certificates::make(folder.path()));
        let mut policy = Policy::new("net_af_packet0,iface=fw0", "net_af_packet1,iface=fw1")
            .rule("all", "action = \"permit\"\n")
            .host(
                "siem",
                rsyslog.tcp,
                "transport = \"tcp\"\nformat = \"syslog\"\nrecords = [\"access\", \"call-status\"]\n",
            );
        policy.rest += "[log.access]\nenable = true\ntype = \"syslog\"\n\
                        [log.call-status]\nenable = true\ntype = \"syslog\"\n";
        let firewall = Firewall::start_in(&lab.firewall, folder.path(), &policy);
        Some(Self { lab, _folder: folder, firewall, rsyslog })
    }

    /// Ends the firewall; all that was recorded.
    fn finish(mut self) -> Vec<Value> {
        self.firewall.wait_until_sent();
        let (code, log) = self.firewall.stop();
        assert_eq!(code, 0, "{log}");
        self.rsyslog.stop();
        self.rsyslog.records()
    }
}

/// Whether a frame, behind its tags, is of PPPoE: the neighbours of a story are left out.
fn is_pppoe(frame: &&TimedFrame) -> bool {
    let types = frame.bytes[12..].chunks(4).map(|word| [word[0], word[1]]);
    let first = types.into_iter().find(|kind| !matches!(kind, [0x81, 0x00] | [0x88, 0xa8]));
    matches!(first, Some([0x88, 0x63 | 0x64]))
}

/// Good and bad passwords, two families of addresses, VLANs, and both ways to end it: each record once, and no password.
#[test]
fn each_sign_on_of_a_line_is_recorded() {
    let Some(bed) = Bed::build(&["python3"]) else { return };
    let names =
        ["access_pap", "access_pap_refused", "access_chap", "access_chap_refused", "access_qinq", "access_dual_stack"];
    let tales: Vec<_> = names.into_iter().map(|name| catalogue::find(name).unwrap().tell(3)).collect();
    let mut cable = Cable::open(&bed.lab);
    for story in &tales {
        cable.play(story.frames.iter().filter(is_pppoe));
    }
    let expected: Vec<AccessSignOn> = tales.iter().flat_map(|story| story.expected.access.clone()).collect();
    wait_for("the records", || (bed.rsyslog.records().len() >= expected.len()).then_some(()));
    drop(cable);
    let records = bed.finish();
    // They came as fast as they could, not as the stories have it.
    let differences = stories::access_differences(&tales[0], &expected, &records.iter().collect::<Vec<_>>(), false);
    assert!(differences.is_empty(), "{}", differences.join("\n"));
    let text = format!("{records:?}");
    for secret in tales.iter().flat_map(|story| &story.expected.secrets) {
        assert!(!text.contains(secret.as_str()), "{secret}");
    }
}

/// rp-pppoe's server and client: their discovery is read, and signs nobody on.
#[test]
fn a_real_discovery_signs_nobody_on() {
    let Some(bed) = Bed::build(&["pppoe-server", "pppoe"]) else { return };
    // Its daemon of a session would be pppd: this one says nothing and stays.
    let mut server = bed.lab.server("pppoe-server");
    server.args(["-F", "-I", "s0", "-C", "bras-7", "-q", "/bin/sleep", "-Q", "/bin/sleep"]);
    let _server = Running::start(server.stdout(Stdio::null()).stderr(Stdio::null()));
    // Until the server listens there is no answer.
    let session = wait_for("a session", || {
        let output = bed.lab.client("pppoe").args(["-d", "-I", "c0", "-t", "2"]).output().unwrap();
        String::from_utf8(output.stdout).unwrap().lines().find(|line| line.contains(':')).map(str::to_owned)
    });
    let read = bed.firewall.counter("pppoe_control");
    assert!(read >= 4, "PADI, PADO, PADR, PADS: {session}: {read}");
    let mut end = bed.lab.client("pppoe");
    assert!(end.args(["-k", "-I", "c0", "-e", session.trim()]).status().unwrap().success());
    wait_for("the end of it to be seen", || (bed.firewall.counter("pppoe_control") > read).then_some(()));
    assert_eq!(bed.firewall.counter("access_malformed"), 0);
    assert!(bed.finish().is_empty());
}
