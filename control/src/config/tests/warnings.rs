//! What is allowed and probably not meant.

use super::*;

/// A rule that logs sessions and is looked into, sign-ons logged, and a log host that takes all records.
const LOGGED: &str = r#"[[rule]]
name = "im"
from = ["trust"]
application = ["qq"]
action = "permit"
session-logging = true
[log.im]
enable = true
account = "omit"
[[log-host]]
name = "h"
address = "192.0.2.9"
"#;

#[test]
fn a_whole_configuration_has_none() {
    assert_eq!(warnings_of(LOGGED), []);
}

#[test]
fn accounts_in_clear_over_udp_and_tcp() {
    let clear = LOGGED.replace("\"omit\"", "\"clear\"");
    warned(&clear, 10, "log-host[h]", "accounts leave in clear over udp");
    warned(&format!("{clear}transport = \"tcp\"\n"), 10, "log-host[h]", "accounts leave in clear over tcp");
    let sessions_only = format!("{clear}records = [\"session\"]\n");
    warned(&sessions_only, 7, "log.im", "no log host takes them");
    assert_eq!(warnings_of(&clear.replace("enable = true", "enable = false")), []);
}

#[test]
fn sign_ons_that_nothing_records() {
    let nothing = "no sign-on will be recorded";
    warned(&LOGGED.replace("application = [\"qq\"]\n", "\n"), 7, "log.im", nothing);
    warned(&LOGGED.replace("session-logging = true", ""), 7, "log.im", nothing);
    warned(&LOGGED.replace("\"permit\"", "\"deny\""), 7, "log.im", nothing);
    let full = "[application-identification]\nmode = \"full\"\n";
    assert_eq!(warnings_of(&format!("{}{full}", LOGGED.replace("application = [\"qq\"]\n", "\n"))), []);
}

#[test]
fn records_that_no_host_takes() {
    warned(
        &format!("{LOGGED}transport = \"tcp\"\nrecords = [\"im\"]\n"),
        1,
        "rule[im]",
        "session records are made, but no log host",
    );
    warned(&format!("{LOGGED}records = [\"session\"]\n"), 7, "log.im", "sign-on records are made, but no log host");
}

#[test]
fn rules_behind_one_that_matches_everything() {
    let rules = "[[rule]]\nname = \"all\"\naction = \"permit\"\n[[rule]]\nname = \"late\"\nfrom = [\"trust\"]\naction = \"deny\"\n";
    warned(rules, 4, "rule[late]", "never reached: rule \"all\"");
}

#[test]
fn rules_that_match_nothing() {
    let rule = |lines: &str| format!("[[rule]]\nname = \"r\"\naction = \"deny\"\n{lines}\n");
    let zones = rule("from = [\"trust\"]\nto = [\"trust\"]");
    warned(&zones, 1, "rule[r]", "no wire or interface joins these zones");
    let families = rule("source = [\"10.0.0.1\"]\ndestination = [\"2001:db8::1\"]");
    warned(&families, 1, "rule[r]", "no address family in common");
    assert_eq!(warnings_of(&rule("source = [\"10.0.0.1\"]\ndestination = [\"2001:db8::1\", \"10.0.0.2\"]")), []);
}

#[test]
fn objects_that_nothing_uses() {
    warned("[profile.p]\nim-audit = { qq = \"both\" }\n", 1, "profile.p", "no rule uses this profile");
    let text = format!("{BASE}[ssl-policy.p]\nca = \"/x\"\n");
    let (_, warnings) = load_text(&text, Purpose::Replay).unwrap();
    assert_eq!((warnings.len(), warnings[0].place.line, &*warnings[0].place.key), (1, 11, "ssl-policy.p"));
    assert_eq!(warnings[0].effect, "no log host uses this policy");
}

#[test]
fn profiles_that_record_nothing() {
    let profile = "[profile.p]\nim-audit = { qq = \"both\" }\n";
    let rule = "[[rule]]\nname = \"r\"\naction = \"permit\"\nfrom = [\"trust\"]\nprofile = \"p\"\n";
    warned(&format!("{rule}{profile}"), 5, "rule[r].profile", "does not log sessions");
    let host = "[[log-host]]\nname = \"h\"\naddress = \"192.0.2.9\"\n";
    warned(&format!("{rule}session-logging = true\n{profile}{host}"), 5, "rule[r].profile", "not logged at all");
}

#[test]
fn a_key_that_others_can_read() {
    use std::os::unix::fs::PermissionsExt;
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("key");
    std::fs::write(&file, "0123456789abcdef\n").unwrap();
    let text = format!("[log.im]\naccount = \"pseudonym\"\npseudonym-key-file = \"{}\"\n", file.display());
    std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o640)).unwrap();
    warned(&text, 3, "log.im.pseudonym-key-file", "can read the key");
    std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o600)).unwrap();
    assert_eq!(warnings_of(&text), []);
}
