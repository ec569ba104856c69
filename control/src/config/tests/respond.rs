//! `[[respond]]`.

use std::path::Path;
use std::time::Duration;

use super::{compiled, fault, refused};
use crate::config::{Builtin, By, Match, Response};
use crate::record::audit::AuditEvent;

fn rule(keys: &str) -> String {
    format!("[[respond]]\nname = \"a\"\n{keys}\n")
}

#[test]
fn every_key_is_taken() {
    let all = compiled(
        r#"
        [audit]
        mail-program = "/usr/local/sbin/mail"
        [[audit.file]]
        name = "audit"
        archive = { sites = ["sftp://a@b"] }
        [[respond]]
        name = "guessing"
        on = ["login-failed", "login-threshold"]
        where = { service = "sshd", origin = "192.0.2.0/24", user = "root" }
        count = 3
        within = "2 min"
        by = "origin"
        limit = "10/h"
        [[respond.then]]
        block-source = "10 min"
        [[respond.then]]
        raise = "alert"
        [[respond]]
        name = "rest"
        on = ["audit-space"]
        then = [{ run = "rotate" }, { run = "rescue" }, { run = "clear-sessions" }, { upload = "audit" },
                { mail = "noc@example.net" }, { program = ["/bin/page", "noc"] }]
        "#,
    );
    assert_eq!(all.mail_program, Path::new("/usr/local/sbin/mail"));
    let [guessing, rest] = &all.responses[..] else { panic!("{:?}", all.responses) };
    assert_eq!(guessing.on, [AuditEvent::LoginFailed, AuditEvent::LoginThreshold]);
    assert_eq!((guessing.count, guessing.within, guessing.by), (3, Duration::from_secs(120), Some(By::Origin)));
    assert_eq!(guessing.limit, (10, Duration::from_secs(3_600)));
    let is =
        |field: &str, wanted: &Match| guessing.conditions.iter().any(|(name, is)| &**name == field && is == wanted);
    assert!(is("service", &Match::Text("sshd".to_owned())) && is("user", &Match::Text("root".to_owned())));
    assert!(is("origin", &Match::Network("192.0.2.0/24".parse().unwrap())) && guessing.conditions.len() == 3);
    assert_eq!(guessing.then, [Response::BlockSource(Duration::from_secs(600)), Response::Raise(1)]);
    assert_eq!((rest.count, rest.within, rest.by), (1, Duration::from_secs(60), None));
    assert_eq!(rest.limit, (6, Duration::from_secs(60)));
    let program = vec!["/bin/page".to_owned(), "noc".to_owned()];
    assert_eq!(
        rest.then,
        [
            Response::Run(Builtin::Rotate),
            Response::Run(Builtin::Rescue),
            Response::Run(Builtin::ClearSessions),
            Response::Upload("audit".into()),
            Response::Mail("noc@example.net".to_owned()),
            Response::Program(program),
        ]
    );
}

#[test]
fn what_cannot_be_is_refused() {
    let on = |keys: &str| rule(&format!("on = [\"login-failed\"]\n{keys}"));
    let raise = "then = [{ raise = \"alert\" }]";
    refused(&rule(raise), 1, "respond[a]", "on and then", "login-failed");
    refused(&rule(&format!("on = \"login-failed\"\n{raise}")), 3, "respond[a].on", "a list", "brackets");
    let event = rule(&format!("on = [\"login-failure\"]\n{raise}"));
    refused(&event, 3, "respond[a].on", "an event", "did you mean \"login-failed\"?");
    let field = on(&format!("where = {{ servce = \"sshd\" }}\n{raise}"));
    refused(&field, 4, "respond[a].where.servce", "a field", "did you mean \"service\"?");
    let other = on(&format!("where = {{ generation = \"7\" }}\n{raise}"));
    refused(&other, 4, "respond[a].where.generation", "records of login-failed", "records --audit");
    let origin = on(&format!("where = {{ origin = \"home\" }}\n{raise}"));
    refused(&origin, 4, "respond[a].where.origin", "an address or a prefix", "192.0.2.0/24");
    refused(&on(&format!("count = 0\n{raise}")), 4, "respond[a].count", "from 1 to 1000", "");
    refused(&on(&format!("within = \"2 d\"\n{raise}")), 4, "respond[a].within", "", "");
    refused(&on(&format!("by = \"address\"\n{raise}")), 4, "respond[a].by", "\"origin\", \"user\"", "");
    refused(&on(&format!("limit = \"often\"\n{raise}")), 4, "respond[a].limit", "how often", "6/min");
    let then = |then: &str| on(&format!("then = [{then}]"));
    refused(&then("{ raise = \"loud\" }"), 4, "respond[a].then[1].raise", "alert", "");
    refused(&then("{ run = \"reboot\" }"), 4, "respond[a].then[1].run", "clear-sessions", "");
    refused(&then("{ mail = \"-X/etc/passwd\" }"), 4, "respond[a].then[1].mail", "noc@example.net", "");
    refused(&then("{ program = [\"sh\", \"-c\"] }"), 4, "respond[a].then[1].program", "absolute path", "no shell");
    refused(&then("{ page = \"noc\" }"), 4, "respond[a].then[1].page", "known keys", "");
    assert!(fault(&then("")).expected.contains("at least one response"));
    let two = fault(&then("{ raise = \"alert\", run = \"rotate\" }"));
    assert!(two.expected.contains("one response in each table"), "{two}");
    let unknown = fault(&then("{ upload = \"sessions\" }"));
    assert!(unknown.expected.contains("the name of a file"), "{unknown}");
    let nowhere = fault(&then("{ upload = \"audit\" }"));
    assert!(nowhere.expected.contains("a file that has sites"), "{nowhere}");
    let twice = fault(&format!("{}{}", on(raise), on(raise)));
    assert!(twice.expected.contains("no other response has"), "{twice}");
}
