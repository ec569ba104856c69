//! Sessions and subscriptions over the socket.

use std::io::{BufRead, BufReader, Write};
use std::os::unix::net::UnixStream;
use std::time::Duration;

use serde_json::Value;

use super::Core;
use crate::record::Body;
use crate::record::audit::{AuditEvent, AuditField};

/// A program at the socket.
struct Client {
    stream: UnixStream,
    lines: BufReader<UnixStream>,
}

impl Client {
    fn of(core: &Core) -> Self {
        let stream = UnixStream::connect(&core.path).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
        Self { lines: BufReader::new(stream.try_clone().unwrap()), stream }
    }

    fn ask(&mut self, line: &str) -> Value {
        self.stream.write_all(format!("{line}\n").as_bytes()).unwrap();
        self.next().unwrap()
    }

    fn next(&mut self) -> Option<Value> {
        let mut line = String::new();
        self.lines.read_line(&mut line).unwrap();
        serde_json::from_str(&line).ok()
    }

    fn session(core: &Core) -> (Self, u64) {
        let mut client = Self::of(core);
        let opened = client.ask(r#"{"do":"session","via":"netconf","origin":"192.0.2.7:50000"}"#);
        let id = opened["session"]["id"].as_u64().unwrap();
        assert_eq!(opened["session"]["role"], "administrator");
        let words = opened["session"]["capabilities"].as_array().unwrap();
        assert!(words.contains(&"do kill-session".into()) && words.contains(&"show counters".into()));
        assert_eq!(client.next().unwrap()["end"]["rows"], 1);
        (client, id)
    }
}

impl Core {
    /// Events of the trail, in order.
    fn events(&self) -> Vec<AuditEvent> {
        let trail = self.trail.lock().unwrap();
        let event = |body: &Body| if let Body::Audit(audit) = body { Some(audit.event) } else { None };
        trail.iter().filter_map(|record| event(&record.body)).collect()
    }
}

#[test]
fn a_session_has_a_number_and_may_be_killed() {
    let core = Core::with_sessions(0);
    let (mut one, first) = Client::session(&core);
    let (mut two, second) = Client::session(&core);
    assert!(first > 0 && second > first);
    let row = one.ask(r#"{"show":"sessions-netconf"}"#)["netconf-session"].clone();
    assert_eq!((&row["id"], &row["via"]), (&first.into(), &"netconf".into()));
    // What sshd said of it, and the client too.
    assert_eq!((&row["origin"], &row["claims"]), (&"192.0.2.7:50000".into(), &Value::Null));
    assert_eq!(one.next().unwrap()["netconf-session"]["id"], second);
    assert_eq!(one.next().unwrap()["end"]["rows"], 2);

    for id in [first, 4_711] {
        let refused = one.ask(&format!(r#"{{"do":"kill-session","id":{id}}}"#));
        assert_eq!(refused["error"]["tag"], "invalid-value", "{id}");
    }
    assert_eq!(one.ask(&format!(r#"{{"do":"kill-session","id":{second}}}"#))["end"]["rows"], 0);
    assert!(two.next().is_none());
    core.until("its locks are released", |_| *core.ended.lock().unwrap() == [second as u32]);
    drop(one);
    core.until("it is over", |_| core.ended.lock().unwrap().len() == 2);
    let all = core.events();
    let count = |event| all.iter().filter(|other| **other == event).count();
    assert_eq!((count(AuditEvent::NetconfSessionStart), count(AuditEvent::NetconfSessionEnd)), (2, 2));
    let trail = core.trail.lock().unwrap();
    let ends = trail.iter().filter_map(|record| match &record.body {
        Body::Audit(audit) if audit.event == AuditEvent::NetconfSessionEnd => audit.field(AuditField::Reason),
        _ => None,
    });
    assert_eq!(ends.collect::<Vec<_>>(), ["killed", "closed"]);
}

#[test]
fn where_a_session_comes_from_is_what_is_proven() {
    let core = Core::with_sessions(0);
    let mut client = Client::of(&core);
    client.ask(r#"{"do":"session","via":"netconf","origin":"198.51.100.1:4"}"#);
    client.next().unwrap();
    let row = client.ask(r#"{"show":"sessions-netconf"}"#)["netconf-session"].clone();
    assert_eq!((&row["origin"], &row["claims"]), (&"192.0.2.7:50000".into(), &"198.51.100.1:4".into()));
    let trail = core.trail.lock().unwrap();
    let Body::Audit(audit) = &trail[0].body else { panic!() };
    let origin = audit.subject.origin.map(|origin| origin.to_string());
    assert_eq!((origin.as_deref(), audit.field(AuditField::Claims)), (Some("192.0.2.7:50000"), Some("198.51.100.1:4")));
}

#[test]
fn events_have_their_line_of_syslog_where_that_is_wanted() {
    let core = Core::with_sessions(0);
    let mut subscriber = Client::of(&core);
    let both = r#"{"do":"subscribe","stream":"audit","syslog":true,"from":"2026-01-01T00:00:00Z"}"#;
    assert_eq!(subscriber.ask(both)["error"]["tag"], "operation-not-supported");
    assert!(subscriber.ask(r#"{"do":"subscribe","stream":"audit","syslog":true}"#)["subscribed"].is_object());
    drop(Client::session(&core));
    let event = subscriber.next().unwrap()["event"].clone();
    let line = event["rfc5424"].as_str().unwrap();
    assert!(line.starts_with('<') && line.contains(" ostiary ") && line.contains(" NETCONF_SESSION_START ["), "{line}");
    assert_eq!(event["action"], "netconf-session-start");
}

#[test]
fn a_session_may_be_silent_and_others_may_not() {
    let core = Core::with_sessions(0);
    let (mut session, _) = Client::session(&core);
    let mut other = Client::of(&core);
    core.until("both are in", |shared| shared.clients.load(std::sync::atomic::Ordering::Relaxed) == 2);
    core.shared.ahead.store(3_600, std::sync::atomic::Ordering::Relaxed);
    assert!(other.next().is_none());
    assert!(session.ask(r#"{"show":"sessions-netconf"}"#)["netconf-session"]["id"].is_u64());
}

#[test]
fn a_subscriber_has_what_was_kept_and_what_is_made_once_each() {
    let core = Core::with_sessions(0);
    drop(Client::session(&core));
    core.until("it is over", |_| core.ended.lock().unwrap().len() == 1);
    let mut subscriber = Client::of(&core);
    let first = subscriber.ask(r#"{"do":"subscribe","stream":"audit","from":"2026-01-01T00:00:00Z"}"#);
    assert_eq!(first["subscribed"], Value::Object(serde_json::Map::new()));
    let mut seen = Vec::new();
    while let Some(line) = subscriber.next() {
        let Some(event) = line.get("event") else {
            assert!(line["replay-complete"].is_object(), "{line}");
            break;
        };
        seen.push(event["seq"].as_u64().unwrap());
    }
    assert_eq!(seen, [1, 2, 3]);
    drop(Client::session(&core));
    for sequence in [4, 5] {
        assert_eq!(subscriber.next().unwrap()["event"]["seq"], sequence);
    }
    drop(subscriber);
    core.until("its end is told", |_| core.events().last() == Some(&AuditEvent::SubscriptionEnd));
}

#[test]
fn subscriptions_that_cannot_be_are_refused() {
    let core = Core::with_sessions(0);
    for (odd, tag) in [
        (r#""from":"2999-01-01T00:00:00Z""#, "bad-element"),
        (r#""to":"2026-01-01T00:00:00Z""#, "bad-element"),
        (r#""from":"2026-01-02T00:00:00Z","to":"2026-01-01T00:00:00Z""#, "bad-element"),
        (r#""from":"yesterday""#, "bad-element"),
    ] {
        let refused = Client::of(&core).ask(&format!(r#"{{"do":"subscribe","stream":"audit",{odd}}}"#));
        assert_eq!(refused["error"]["tag"], tag, "{odd}");
    }
    let mut records = Client::of(&core);
    let refused = records.ask(r#"{"do":"subscribe","stream":"records","from":"2026-01-01T00:00:00Z"}"#);
    assert_eq!(refused["error"]["text"], "nothing keeps all");
}

#[test]
fn who_is_shown_users_is_told() {
    let core = Core::with_sessions(1);
    let mut client = Client::of(&core);
    let mut line = client.ask(r#"{"show":"users","user":"a"}"#);
    while line.get("end").is_none() {
        line = client.next().unwrap();
    }
    core.until("it is told", |_| core.events() == [AuditEvent::SensitiveView]);
    let trail = core.trail.lock().unwrap();
    let Body::Audit(audit) = &trail[0].body else { panic!() };
    assert_eq!((audit.field(AuditField::View), audit.field(AuditField::Filter)), (Some("users"), Some("user=a")));
}
