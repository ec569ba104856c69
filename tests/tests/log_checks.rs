//! `ostiary check` of everything that is said about log hosts: each fault and each warning, in the operator's words.

#![allow(clippy::unwrap_used, reason = "the helpers of tests are tests")]

use std::path::{Path, PathBuf};

use ostiary_tests::certificates::Certificates;
use ostiary_tests::policy::{Policy, signatures};
use ostiary_tests::program;

/// What each case adds to, and the last words of its first line.
const HOST: &str = "[[log-host]]\nname = \"h\"\naddress = \"192.0.2.9\"\n";
const FILE: &str = "[[log-host]]\nname = \"h\"\ntransport = \"file\"\n";

/// One program for all cases.
struct Checker {
    folder: tempfile::TempDir,
    signatures: PathBuf,
}

impl Checker {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let signatures = signatures(folder.path());
        Self { folder, signatures }
    }

    /// Exit code, and what it says, of a policy with this at its end.
    fn check(&self, rest: &str) -> (i32, String) {
        let mut policy =
            Policy::new("net_null0", "net_null1").rule("all", "action = \"permit\"\nsession-logging = true\n");
        (policy.rest, policy.full) = (rest.to_owned(), true);
        let file = self.folder.path().join("checked.toml");
        let socket: &Path = &self.folder.path().join("socket");
        std::fs::write(&file, policy.text(socket, &self.signatures)).unwrap();
        let output = program::run(["check".as_ref(), file.as_os_str()]);
        let said = [output.stdout, output.stderr].concat();
        (output.status.code().unwrap_or(-1), String::from_utf8_lossy(&said).into_owned())
    }

    /// Each case is refused, and what is said names the key and has the words.
    fn refuses(&self, base: &str, cases: &[(&str, &str, &[&str])]) {
        for (lines, key, words) in cases {
            let (code, said) = self.check(&format!("{base}{lines}\n"));
            assert_eq!(code, 2, "{lines} is not refused:\n{said}");
            for word in words.iter().chain([key]) {
                assert!(said.contains(word), "{lines}: no \"{word}\" in\n{said}");
            }
        }
    }

    /// Each case is taken, and warned of.
    fn warns(&self, base: &str, cases: &[(&str, &str, &[&str])]) {
        for (lines, key, words) in cases {
            let (code, said) = self.check(&format!("{base}{lines}\n"));
            assert_eq!(code, 0, "{lines} is refused:\n{said}");
            for word in words.iter().chain([key]) {
                assert!(said.contains(word), "{lines}: no \"{word}\" in\n{said}");
            }
        }
    }
}

#[test]
fn what_a_log_host_cannot_be_is_refused() {
    Checker::new().refuses(
        HOST,
        &[
            ("port = 0", "log-host[h].port", &["from 1 to 65535"]),
            ("transport = \"quic\"", "log-host[h].transport", &["\"udp\", \"tcp\", \"tls\""]),
            ("transport = \"sctp\"", "log-host[h].transport", &["SCTP is a module", "set transport = \"tcp\""]),
            ("transport = \"tls\"", "log-host[h].ssl-policy", &["needs one", "[ssl-policy.NAME]"]),
            ("transport = \"relp-tls\"\nformat = \"syslog\"", "log-host[h].ssl-policy", &["needs one"]),
            ("ssl-policy = \"p\"", "log-host[h].ssl-policy", &["remove the ssl-policy"]),
            ("transport = \"relp\"\nformat = \"binary\"", "log-host[h].format", &["a text format", "RELP"]),
            ("records = [\"session\", \"session\"]", "log-host[h].records", &["each class once"]),
            ("format = \"xml\"", "log-host[h].format", &["\"rfc3164\", \"json\", \"cef\", \"huawei\""]),
            ("format = \"huawei\"\nrecords = [\"im\"]", "log-host[h].records", &["no other records"]),
            ("framing = \"lf\"", "log-host[h].framing", &["IPFIX messages carry their length"]),
            ("format = \"syslog\"\nframing = \"lf\"", "log-host[h].framing", &["the transport tells messages apart"]),
            ("queue = 1", "log-host[h].queue", &["from 16"]),
            ("transport = \"tcp\"\nstall = \"1 min\"", "log-host[h].stall", &["30 s"]),
            ("transport = \"tcp\"\nwindow = 9", "log-host[h].window", &["window over tcp", "relp"]),
            ("resend-window = \"6 MiB\"", "log-host[h].resend-window", &["only with tcp or tls"]),
            ("resend-age = \"1 min\"", "log-host[h].resend-age", &["only with tcp or tls"]),
            ("retry-first = \"9 s\"\nretry-longest = \"3 s\"", "log-host[h].retry-longest", &["not below retry-first"]),
            ("rate-limit = { im = 0 }", "log-host[h].rate-limit.im", &["from 1 to"]),
            ("rate-limit = { ims = 5 }", "log-host[h].rate-limit.ims", &["one of the classes session, im"]),
            ("source-address = \"0.0.0.0\"", "log-host[h].source-address", &["an IP address"]),
            ("interface = \"a/b\"", "log-host[h].interface", &[]),
            ("namespace = \"../m\"", "log-host[h].namespace", &["a network namespace"]),
            ("dscp = 64", "log-host[h].dscp", &["0 to 63", "\"af11\" to \"af43\""]),
            ("dscp = \"af44\"", "log-host[h].dscp", &["a codepoint"]),
            ("format = \"json\"\nfacility = \"local0\"", "log-host[h].facility", &["facility with format = \"json\""]),
            ("format = \"syslog\"\nfacility = \"local9\"", "log-host[h].facility", &["\"local7\""]),
            ("format = \"cef\"\ntime-digits = 3", "log-host[h].time-digits", &["only with format"]),
            ("format = \"syslog\"\ntime-digits = 4", "log-host[h].time-digits", &["3 or 6"]),
            ("format = \"json\"\nbyte-order-mark = true", "log-host[h].byte-order-mark", &["format = \"syslog\""]),
            ("format = \"rfc3164\"\ntime-quality = true", "log-host[h].time-quality", &["format = \"syslog\""]),
            ("format = \"rfc3164\"\norigin = true", "log-host[h].origin", &["format = \"syslog\""]),
            ("format = \"json\"\nsentence = false", "log-host[h].sentence", &["format = \"syslog\""]),
            ("format = \"cef\"\nsequence-id = false", "log-host[h].sequence-id", &["format = \"syslog\""]),
            ("format = \"syslog\"\nobservation-domain = 3", "log-host[h].observation-domain", &["only for binary"]),
            ("format = \"syslog\"\nmessage-size = 1400", "log-host[h].message-size", &["only for binary"]),
            ("message-size = 500", "log-host[h].message-size", &["from 1360 to 65535"]),
            (
                "format = \"json\"\nstatistics-interval = \"1 min\"",
                "log-host[h].statistics-interval",
                &["only for binary"],
            ),
            ("transport = \"tcp\"\ntemplate-refresh = \"1 min\"", "log-host[h].template-refresh", &["only over udp"]),
            ("transport = \"tcp\"\ntemplate-messages = 9", "log-host[h].template-messages", &["only over udp"]),
            ("path = \"/o\"", "log-host[h].path", &["transport = \"file\""]),
            ("rotate = { files = 3 }", "log-host[h].rotate", &["transport = \"file\""]),
            ("sync = \"always\"", "log-host[h].sync", &["transport = \"file\""]),
            ("colour = \"blue\"", "log-host[h].colour", &[]),
        ],
    );
}

#[test]
fn what_a_host_lacks_is_named() {
    let checker = Checker::new();
    checker.refuses(
        "",
        &[
            ("[[log-host]]\naddress = \"192.0.2.9\"", "log-host[1].name", &["the log host's name"]),
            ("[[log-host]]\nname = \"h\"", "log-host[h].address", &["an IP address, or a name"]),
            ("[[log-host]]\nname = \"h\"\naddress = \"192.0.2\"", "log-host[h].address", &["an IP address", "a name"]),
            ("[log.session]\ntype = \"text\"", "log.session.type", &["\"binary\", \"syslog\""]),
            ("[log.flow]", "log.flow", &["im", "session"]),
            ("[ssl-policy.p]", "ssl-policy.p.ca", &["authorities"]),
        ],
    );
    checker
        .refuses(HOST, &[("[[log-host]]\nname = \"h\"\naddress = \"192.0.2.8\"", "log-host[2].name", &["of its own"])]);
}

#[test]
fn files_have_keys_of_their_own() {
    let checker = Checker::new();
    checker.refuses(
        FILE,
        &[
            ("format = \"json\"", "log-host[h].path", &["the file", "needs one"]),
            ("path = \"o\"", "log-host[h].path", &["an absolute path"]),
            ("path = \"/o\"\naddress = \"192.0.2.9\"", "log-host[h].address", &["no address"]),
            ("path = \"/o\"\nport = 9", "log-host[h].port", &["no address"]),
            ("path = \"/o\"\ndscp = 3", "log-host[h].dscp", &["over the network"]),
            ("path = \"/o\"\nnamespace = \"m\"", "log-host[h].namespace", &["over the network"]),
            ("path = \"/o\"\nsync = \"never\"", "log-host[h].sync", &["\"off\", \"always\", or a time"]),
            ("path = \"/o\"\nsync = \"5 s\"", "log-host[h].sync", &["below stall"]),
            ("path = \"/o\"\nrotate = { size = \"1 KiB\" }", "log-host[h].rotate.size", &["64 KiB"]),
        ],
    );
    let (code, said) =
        checker.check(&format!("{FILE}path = \"/var/log/ostiary.json\"\nformat = \"json\"\nsync = \"1 s\"\n"));
    assert_eq!(code, 0, "{said}");
}

#[test]
fn what_may_lose_records_is_warned_of() {
    let checker = Checker::new();
    checker.warns(
        HOST,
        &[
            (
                "records = [\"session\", \"attack\"]",
                "log-host[h].records",
                &["may be lost, and nobody will know", "relp"],
            ),
            (
                "transport = \"tcp\"\nresend-window = \"1 MiB\"",
                "log-host[h].resend-window",
                &["a host's kernel may hold more", "6 MiB"],
            ),
            ("records = [\"im\"]\ntransport = \"tcp\"", "", &["session records are made, but no log host takes them"]),
        ],
    );
    let authority = Certificates::make(checker.folder.path()).file("ca.pem");
    let lines = format!("transport = \"tcp\"\n[ssl-policy.p]\nca = \"{authority}\"");
    checker.warns(HOST, &[(&lines, "ssl-policy.p", &["no log host uses this policy"])]);
    let (code, said) = checker.check(&format!("{HOST}transport = \"relp\"\nformat = \"syslog\"\n"));
    assert_eq!(code, 0, "{said}");
    assert!(!said.contains("may be lost"), "{said}");
}
