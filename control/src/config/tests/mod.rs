//! Every fault and every warning, each with the line and the key that it names.

mod access;
mod audit;
mod dataplane;
mod kafka;
mod logging;
mod machine;
mod model;
mod nat;
mod protection;
mod respond;
mod route;
mod rules;
mod sample;
mod users;
mod warnings;

use std::path::Path;
use std::sync::Arc;

use ::dataplane::policy::{Action, PortId, RuleId, ZoneId};

use super::*;

/// A configuration without faults and warnings, to which tests add lines.
const BASE: &str = r#"[[port]]
name = "inside"
device = "net_null0"
zone = "trust"
[[port]]
name = "outside"
device = "net_null1"
zone = "untrust"
[[wire]]
ports = ["inside", "outside"]
"#;

fn load_text(text: &str, purpose: Purpose) -> Result<(Compiled, Vec<Warning>), Vec<Fault>> {
    compile_text(Path::new("policy.toml"), text, purpose, None)
}

/// The faults of BASE and `addition`, lines counted from the first of `addition`.
fn faults(addition: &str) -> Vec<(usize, String)> {
    let base = BASE.lines().count();
    match load_text(&format!("{BASE}{addition}"), Purpose::Run) {
        Ok(_) => Vec::new(),
        Err(faults) => {
            faults.into_iter().map(|fault| (fault.place.line.saturating_sub(base), fault.place.key)).collect()
        }
    }
}

/// The one fault of BASE and `addition`.
fn fault(addition: &str) -> Fault {
    let faults = load_text(&format!("{BASE}{addition}"), Purpose::Run).expect_err("a fault");
    assert_eq!(faults.len(), 1, "{faults:#?}");
    faults.into_iter().next().unwrap()
}

/// Asserts that `addition` has exactly one fault, at that line and key, whose expectation and advice contain these words.
#[track_caller]
fn refused(addition: &str, line: usize, key: &str, expected: &str, advice: &str) {
    let fault = fault(addition);
    let found = (fault.place.line - BASE.lines().count(), fault.place.key.as_str());
    assert_eq!(found, (line, key), "{fault}");
    assert!(fault.expected.contains(expected), "{fault}");
    assert!(fault.advice.contains(advice), "{fault}");
}

/// What BASE and `addition` compile to.
#[track_caller]
fn compiled(addition: &str) -> Compiled {
    load_text(&format!("{BASE}{addition}"), Purpose::Run).unwrap().0
}

/// The warnings of BASE and `addition`, lines counted from the first of `addition`.
#[track_caller]
fn warnings_of(addition: &str) -> Vec<(usize, String, String)> {
    let (_, warnings) = load_text(&format!("{BASE}{addition}"), Purpose::Run).unwrap();
    let base = BASE.lines().count();
    warnings.into_iter().map(|warning| (warning.place.line - base, warning.place.key, warning.effect)).collect()
}

#[track_caller]
fn warned(addition: &str, line: usize, key: &str, effect: &str) {
    let warnings = warnings_of(addition);
    assert_eq!(warnings.len(), 1, "{warnings:#?}");
    assert_eq!((warnings[0].0, warnings[0].1.as_str()), (line, key), "{warnings:#?}");
    assert!(warnings[0].2.contains(effect), "{warnings:#?}");
}

#[test]
fn the_least_configuration_has_every_default() {
    let (compiled, warnings) = load_text(BASE, Purpose::Run).unwrap();
    assert_eq!(warnings, []);
    let dataplane = &compiled.dataplane;
    assert_eq!((dataplane.max_sessions, dataplane.memory, dataplane.hugepages), (1_000_000, 512, true));
    assert_eq!((dataplane.inspection_slots, dataplane.fragment_slots), (65_536, 4_096));
    assert_eq!(dataplane.resolved_addresses, 65_536);
    assert_eq!((dataplane.session_events, dataplane.sign_on_events), (65_536, 16_384));
    assert_eq!((dataplane.file_prefix.as_str(), dataplane.mbufs, dataplane.verify_checksums), ("ostiary", None, true));
    assert_eq!(dataplane.workers.len(), 1);
    assert_eq!(dataplane.wires, [(PortId(0), PortId(1))]);
    assert_eq!((dataplane.ports[1].mtu, dataplane.ports[1].rx_descriptors), (1500, 1024));
    assert_eq!(compiled.policy.source().zones, [ZoneId(0), ZoneId(1)]);
    assert!(
        !compiled.policy.source().full_identification
            && !compiled.policy.source().implicit_deny_logging
            && !compiled.im.enable
    );
    assert_eq!(&**compiled.names.rule(RuleId::IMPLICIT), "implicit-deny");
    assert_eq!(&**compiled.names.zone_of_port(1), "untrust");
    assert_eq!(compiled.signatures, None);
    assert!(compiled.database.by_name("qq").is_some());
    assert_eq!(compiled.socket, Path::new("/run/ostiary/ostiary.sock"));
}

#[test]
fn replay_without_a_policy_permits_and_records_all() {
    let compiled = replay_default(Arc::default());
    assert_eq!(compiled.dataplane.wires, [(PortId(0), PortId(1))]);
    let [rule] = &compiled.policy.source().rules[..] else { panic!("one rule") };
    assert_eq!(rule.action, Action::Permit);
    assert!(rule.session_logging && rule.source.is_empty() && rule.from.is_empty());
    assert!(compiled.policy.source().full_identification && compiled.im.enable && compiled.hosts.is_empty());
    assert!(!compiled.dataplane.verify_checksums);
    assert_eq!(compiled.im.accounts.general.word(), "clear");
}

#[test]
fn faults_are_told_all_at_once_in_the_order_of_lines() {
    let addition = r#"[[rule]]
name = "a"
action = "alow"
sorce = ["office"]
[[rule]]
source = ["10.0.0.0/99", "ofice"]
action = "permit"
[address]
office = ["10.0.0.0/8"]
"#;
    let expected = [
        (3, "rule[a].action"),
        (4, "rule[a].sorce"),
        (5, "rule[2].name"),
        (6, "rule[2].source"),
        (6, "rule[2].source"),
    ];
    assert_eq!(faults(addition), expected.map(|(line, key)| (line, key.to_owned())));
}

#[test]
fn a_fault_reads_as_it_should() {
    let fault = fault("[[rule]]\nname = \"a\"\naction = \"alow\"\n");
    let head = "policy.toml:13:10: rule[a].action\n";
    let line = "  13 | action = \"alow\"\n     |          ^^^^^^\n";
    let tail = "  found:    \"alow\"\n  expected: one of \"permit\", \"deny\", \"reset\"\n  \
                to do:    write one of these words";
    assert_eq!(fault.to_string(), format!("{head}{line}{tail}"));
    assert_eq!(fault.brief(), format!("{head}{tail}"));
    assert_eq!(fault.excerpt.as_ref().unwrap().end, (13, 16));
    let colour = format!("{fault:#}");
    assert!(colour.contains("\u{1b}[1;31m^^^^^^\u{1b}[0m\n"), "{colour:?}");
}

/// The two lines that are shown of the first fault of BASE and `addition`, and where it ends.
fn excerpt(addition: &str) -> (String, (usize, usize)) {
    let faults = load_text(&format!("{BASE}{addition}"), Purpose::Run).unwrap_err();
    let excerpt = faults[0].excerpt.as_ref().expect("a line");
    (excerpt.to_string(), (excerpt.end.0 - BASE.lines().count(), excerpt.end.1))
}

#[test]
fn carets_stand_below_keys_values_items_and_heads() {
    let (key, end) = excerpt("[system]\nhostname = \"a\"\n");
    assert_eq!((key.as_str(), end), ("  12 | hostname = \"a\"\n     | ^^^^^^^^\n", (2, 9)));
    let (item, _) = excerpt("[dataplane]\nworkers = [0, \"one\", 2]\n");
    assert_eq!(item, "  12 | workers = [0, \"one\", 2]\n     |               ^^^^^\n");
    let (head, end) = excerpt("  [metrics] # scraped\n");
    assert_eq!((head.as_str(), end), ("  11 |   [metrics] # scraped\n     |   ^^^^^^^^^\n", (1, 12)));
    let (lines, end) = excerpt("[system]\nhost-name = [\n  \"a\",\n]\n");
    assert_eq!((lines.as_str(), end), ("  12 | host-name = [\n     |             ^\n", (4, 2)));
    let (syntax, _) = excerpt("[system]\nhost-name = \"a\n");
    assert!(syntax.starts_with("  12 | host-name = \"a\n     | ") && syntax.contains('^'), "{syntax}");
    let (crlf, _) = excerpt("[system]\r\nhost-name = 7\r\n");
    assert_eq!(crlf, "  12 | host-name = 7\n     |             ^\n");
}

#[test]
fn what_is_shown_of_a_faulty_line_has_no_secret() {
    for addition in [
        "[[log-host]]\nname = \"k\"\nsasl = { password = \"hush\" }\n",
        "[system]\nhost-name = { secret = \"hush\" }\n",
        "[system]\nhost-name = [ { x.passphrase = [\"hush\"] } ]\n",
        "[system]\npassword = \"hush\n",
        "[system]\nx = { password = \"hush\", }}\n",
        "[system]\nsecret = \"hush\" oops\n",
    ] {
        let faults = load_text(&format!("{BASE}{addition}"), Purpose::Run).unwrap_err();
        let text = faults.iter().map(|fault| format!("{fault}\n{fault:#}")).collect::<String>();
        assert!(!text.contains("hush"), "{text}");
    }
}

#[test]
fn faults_of_syntax_are_told_with_their_lines() {
    let faults = load_text("[system]\nhost-name = \"a\nname = tru\n", Purpose::Run).unwrap_err();
    let lines: Vec<_> = faults.iter().map(|fault| fault.place.line).collect();
    assert_eq!(lines, [2, 3], "{faults:#?}");
    assert!(faults.iter().all(|fault| fault.expected.starts_with("TOML: ")));
    let twice = load_text("[system]\nhost-name = \"a\"\nhost-name = \"b\"\n", Purpose::Run).unwrap_err();
    assert_eq!((twice.len(), twice[0].place.line), (1, 3), "{twice:#?}");
}

#[test]
fn a_missing_file_is_a_fault_of_its_own() {
    let faults = load(Path::new("/nonexistent/policy.toml"), Purpose::Run).unwrap_err();
    assert_eq!((faults.len(), faults[0].place.line), (1, 0));
    assert_eq!(faults[0].expected, "a configuration file");
    let folder = tempfile::tempdir().unwrap();
    let binary = folder.path().join("binary");
    std::fs::write(&binary, [0xff, 0xfe, 0]).unwrap();
    let faults = load(&binary, Purpose::Run).unwrap_err();
    assert_eq!(faults[0].expected, "a text in UTF-8");
}

#[test]
fn unknown_sections_and_keys_are_refused_with_what_was_probably_meant() {
    refused(
        "[sistem]\n",
        1,
        "sistem",
        "known keys: access, address, application-identification",
        "did you mean \"system\"?",
    );
    refused(
        "[system]\nhostname = \"a\"\n",
        2,
        "system.hostname",
        "clock-synchronised, confine, host-name, state-directory, time-zone",
        "did you mean \"host-name\"?",
    );
    refused("[address]\na = { b = 1 }\n", 2, "address.a", "a list", "brackets");
    refused("[wire.x]\n", 1, "wire[1].x", "ports", "remove it");
}

#[test]
fn what_a_later_version_has_is_refused_and_said_so() {
    let sasl = "[[log-host]]\nname = \"k\"\nsasl = {}\n";
    let faults = load_text(&format!("{BASE}{sasl}"), Purpose::Run).unwrap_err();
    assert!(faults.iter().any(|fault| fault.expected.contains("not implemented in this version")), "{faults:#?}");
}

#[test]
fn metrics_are_off_or_somewhere_and_secured_by_files_that_fit() {
    assert_eq!(compiled("").metrics, None);
    let plain = compiled("[metrics]\nlisten = \"[::1]:9477\"\n").metrics.unwrap();
    assert_eq!((plain.listen, plain.tls), ("[::1]:9477".parse().unwrap(), None));
    refused("[metrics]\n", 1, "metrics.listen", "address and port", "");
    refused("[metrics]\nlisten = \"9477\"\n", 2, "metrics.listen", "port", "");
    let metrics = "[metrics]\nlisten = \"127.0.0.1:9477\"\n";
    refused(&format!("{metrics}key = \"/k\"\n"), 3, "metrics.key", "certificate and key", "both");
    refused(&format!("{metrics}client-ca = \"/c\"\n"), 3, "metrics.client-ca", "certificate and key", "both");
    refused(&format!("{metrics}tls = true\n"), 3, "metrics.tls", "certificate, client-ca, key, listen", "");

    let folder = tempfile::tempdir().unwrap();
    let file = |name: &str, text: &str| {
        let path = folder.path().join(name);
        std::fs::write(&path, text).unwrap();
        path.display().to_string()
    };
    let made = rcgen::generate_simple_self_signed(vec!["fw1".to_owned()]).unwrap();
    let other = rcgen::KeyPair::generate().unwrap();
    let certificate = file("fw.pem", &made.cert.pem());
    let key = file("fw.key", &made.signing_key.serialize_pem());
    let other = file("other.key", &other.serialize_pem());
    let empty = file("empty.pem", "");
    let secured = |certificate: &str, key: &str, ca: &str| {
        format!("{metrics}certificate = \"{certificate}\"\nkey = \"{key}\"\nclient-ca = \"{ca}\"\n")
    };
    let tls = compiled(&secured(&certificate, &key, &certificate)).metrics.unwrap().tls.unwrap();
    assert_eq!(tls.client_ca, Some(certificate.clone().into()));
    for (certificate, key, ca) in [
        (&*empty, &*key, &*certificate),
        (&certificate, &empty, &certificate),
        (&certificate, &other, &certificate),
        (&certificate, &key, &empty),
        ("/nonexistent", &key, &certificate),
    ] {
        refused(&secured(certificate, key, ca), 3, "metrics.certificate", "PEM files", "read");
    }
}

#[test]
fn the_page_is_off_or_on_loopback_or_secured() {
    assert_eq!(compiled("").dashboard, None);
    let page = compiled("[dashboard]\nlisten = \"[::1]:8443\"\n").dashboard.unwrap();
    assert_eq!((page.tls, page.token, page.users, page.audit), (None, None, false, false));
    refused("[dashboard]\n", 1, "dashboard.listen", "address and port", "");
    let local = "[dashboard]\nlisten = \"127.0.0.1:8443\"\n";
    refused(&format!("{local}key = \"/k\"\n"), 3, "dashboard.key", "certificate and key", "both");
    refused(&format!("{local}token = \"x\"\n"), 3, "dashboard.token", "token-file", "");
    refused(&format!("{local}token-file = \"/nonexistent\"\n"), 3, "dashboard.token-file", "one line", "openssl");
    for key in ["users", "audit"] {
        warned(&format!("{local}{key} = true\n"), 1, "dashboard", "every process of this machine");
    }

    let folder = tempfile::tempdir().unwrap();
    let file = |name: &str, text: &str, mode: u32| {
        let path = folder.path().join(name);
        std::fs::write(&path, text).unwrap();
        std::fs::set_permissions(&path, std::os::unix::fs::PermissionsExt::from_mode(mode)).unwrap();
        path.display().to_string()
    };
    let made = rcgen::generate_simple_self_signed(vec!["fw1".to_owned()]).unwrap();
    let certificate = file("fw.pem", &made.cert.pem(), 0o644);
    let key = file("fw.key", &made.signing_key.serialize_pem(), 0o600);
    let (token, open) = (file("token", "0123456789abcdef\n", 0o600), file("open", "0123456789abcdef\n", 0o644));
    let remote = "[dashboard]\nlisten = \"192.0.2.1:8443\"\n";
    let tls = format!("certificate = \"{certificate}\"\nkey = \"{key}\"\n");
    let with = |token: &str| format!("token-file = \"{token}\"\n");
    for lacking in [String::new(), tls.clone(), with(&token)] {
        refused(&format!("{remote}{lacking}"), 2, "dashboard.listen", "certificate, key and token-file", "ssh -L");
    }
    let page = compiled(&format!("{remote}{tls}{}users = true\naudit = true\n", with(&token))).dashboard.unwrap();
    assert!(page.token.unwrap().is_of(b"0123456789abcdef") && page.users && page.audit);
    warned(&format!("{local}{}", with(&open)), 3, "dashboard.token-file", "others than its owner");
    refused(
        &format!("{local}certificate = \"{key}\"\nkey = \"{key}\"\n"),
        3,
        "dashboard.certificate",
        "PEM files",
        "read",
    );
}

#[test]
fn the_system_section_is_checked() {
    refused("[system]\nhost-name = \"a b\"\n", 2, "system.host-name", "without spaces", "DNS name");
    refused("[system]\nhost-name = 7\n", 2, "system.host-name", "a text in quotes", "quotes");
    refused("[system]\ntime-zone = \"Mars/Base\"\n", 2, "system.time-zone", "a time zone", "timedatectl");
    refused("[management]\nsocket = \"run/x\"\n", 2, "management.socket", "an absolute path", "/run/ostiary");
    let compiled = compiled("[system]\nhost-name = \"fw1\"\n[management]\nsocket = \"/tmp/o.sock\"\n");
    assert_eq!((&*compiled.host_name, compiled.socket.as_path()), ("fw1", Path::new("/tmp/o.sock")));
}
