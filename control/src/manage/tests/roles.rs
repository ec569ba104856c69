//! Which request needs which right, and which role has it.

use super::super::protocol::{Asked, SAMPLES};
use super::super::role::{Right, Role};

/// What is served to read-only, auditor, operator, administrator.
const SERVED: &[(&str, [bool; 4])] = &[
    ("do audit-rotate", [false, false, true, true]),
    ("do audit-upload", [false, false, true, true]),
    ("do cancel", [false, false, false, true]),
    ("do check", [false, false, false, true]),
    ("do commit", [false, false, false, true]),
    ("do confirm", [false, false, false, true]),
    ("do discard", [false, false, false, true]),
    ("do edit", [false, false, false, true]),
    ("do kill-session", [false, false, false, true]),
    ("do load", [false, false, false, true]),
    ("do lock", [false, false, false, true]),
    ("do reload", [false, false, false, true]),
    ("do rescue", [false, false, false, true]),
    ("do reset-log-statistics", [false, false, true, true]),
    ("do reset-statistics", [false, false, true, true]),
    ("do rollback", [false, false, false, true]),
    ("do session", [true, true, true, true]),
    ("do subscribe NETCONF", [true, true, true, true]),
    ("do subscribe audit", [false, true, false, true]),
    ("do subscribe records", [false, true, true, true]),
    ("do unlock", [false, false, false, true]),
    ("show access", [true, true, true, true]),
    ("show access packet", [false, false, true, true]),
    ("show call-status", [true, true, true, true]),
    ("show call-status packet", [false, false, true, true]),
    ("show configuration", [true, false, true, true]),
    ("show counters", [true, true, true, true]),
    ("show diff", [true, false, true, true]),
    ("show generations", [true, false, true, true]),
    ("show im", [false, false, true, true]),
    ("show interfaces", [true, true, true, true]),
    ("show log-buffer", [true, true, true, true]),
    ("show log-buffer host", [false, false, true, true]),
    ("show log-hosts", [true, true, true, true]),
    ("show log-statistics", [true, true, true, true]),
    ("show nat", [true, true, true, true]),
    ("show neighbours", [true, true, true, true]),
    ("show policy", [true, true, true, true]),
    ("show ports", [true, true, true, true]),
    ("show routes", [true, true, true, true]),
    ("show sessions", [false, false, true, true]),
    ("show sessions-netconf", [true, true, true, true]),
    ("show sigdb", [true, true, true, true]),
    ("show statistics", [true, true, true, true]),
    ("show trace", [false, false, true, true]),
    ("show users", [false, false, true, true]),
];

#[test]
fn every_request_times_every_role() {
    let mut words = Vec::new();
    for line in SAMPLES {
        let asked = Asked::read(line.as_bytes()).unwrap();
        let more = ["NETCONF", "\"audit\"", "records", "packet", "\"host\""];
        let more = more.iter().find(|more| line.contains(**more) && !line.contains("reset"));
        let word = match more {
            Some(more) => format!("{} {}", asked.word(), more.trim_matches('"')),
            None => asked.word(),
        };
        let (_, served) = SERVED.iter().find(|(known, _)| *known == word).unwrap_or_else(|| panic!("{word}"));
        assert_eq!(Role::ALL.map(|role| role.may(asked.right())), *served, "{word}");
        assert!(!Role::None.may(asked.right()), "{word}");
        words.push(word);
    }
    assert_eq!(words.len(), SERVED.len());
}

#[test]
fn every_right_is_needed_and_an_administrators() {
    for right in Right::ALL {
        assert!(Role::Administrator.may(right), "{right:?}");
        let needed = SAMPLES.iter().any(|line| Asked::read(line.as_bytes()).unwrap().right() == right);
        assert!(needed || right == Right::Audit, "{right:?}");
    }
}
