//! The page against browsers, and against some who are none.

use std::io::{ErrorKind, Read, Write};
use std::net::TcpStream;
use std::sync::Arc;

use mio::{Events, Poll};

use super::super::metrics::CoreLoad;
use super::*;
use crate::config::{TokenDigest, replay_default};
use crate::record::audit::AuditEvent;
use crate::record::sample;
use dataplane::counters::{Counter, Counters};
use dataplane::verdict::DropReason;

const BASE: usize = 10;
const TOKEN: &str = "0123456789abcdef";

/// A firewall that has users, rules and a trail.
struct Fixture {
    compiled: Compiled,
    measured: Measured,
    feed: Feed,
    users: usize,
    looked: std::cell::Cell<usize>,
    trail: Vec<Occurrence>,
}

impl Watched for Fixture {
    fn measure(&self) -> Measured {
        self.looked.set(self.looked.get() + 1);
        self.measured.clone()
    }
    fn compiled(&self) -> &Compiled {
        &self.compiled
    }
    fn now(&self) -> Nanos {
        Nanos::from_parts(1_772_352_930, 0)
    }
    fn log_hosts(&self) -> Vec<LogHostRow> {
        Vec::new()
    }
    fn im(&self, from: usize, most: usize) -> (Vec<ImRow>, bool) {
        let row = |number: usize| ImRow {
            application: if number.is_multiple_of(2) { "qq" } else { "wechat" }.to_owned(),
            account: Some(format!("User{number}<script>")),
            client: "10.1.0.1".to_owned(),
            server: "203.0.113.1:8000".to_owned(),
            rule: "all".to_owned(),
            evidence: "login".to_owned(),
            since: String::new(),
            last: String::new(),
        };
        let last = self.users.min(from + most);
        ((from..last).map(row).collect(), last == self.users)
    }
    fn users(&self, _filter: &UserFilter, _from: usize, _most: usize) -> UserPage {
        UserPage { rows: Vec::new(), ends: true }
    }
    fn applications(&self) -> Vec<(AppId, AppTally)> {
        vec![
            (AppId(1), AppTally { named: 3, closed: 2, octets: 1 }),
            (AppId(2), AppTally { named: 9, ..AppTally::default() }),
        ]
    }
    fn hits(&self, rule: RuleId) -> u64 {
        if rule == RuleId::IMPLICIT { 4 } else { 7 }
    }
    fn feed(&self) -> Option<&Feed> {
        Some(&self.feed)
    }
    fn audit(&mut self, occurrence: Occurrence) {
        self.trail.push(occurrence);
    }
}

/// A page with its loop, and the time that the test says.
struct Bench {
    poll: Poll,
    dashboard: Dashboard,
    now: Instant,
    seen: Fixture,
}

impl Bench {
    fn with(token: Option<&str>) -> Self {
        let poll = Poll::new().unwrap();
        let listen = "127.0.0.1:0".parse().unwrap();
        let token = token.map(|token| TokenDigest::of(token.as_bytes()));
        let config = DashboardConfig { listen, tls: None, token, users: true, audit: false };
        let dashboard = Dashboard::bind(&config, poll.registry(), BASE).unwrap();
        let counters = Arc::new(Counters::default());
        counters.add(Counter::PacketsReceived, 12);
        counters.add_drop(DropReason::Policy, 5);
        let core = CoreLoad { worker: "0".to_owned(), core: 1, counters, busy: 0.0, idle: 0.0, percent: 42 };
        let mut feed = Feed::new(true, false);
        feed.see(&Arc::new(sample::login("<b>4209958268</b>")));
        feed.see(&Arc::new(sample::audit(AuditEvent::Login)));
        let seen = Fixture {
            compiled: replay_default(Arc::default()),
            measured: Measured { cores: vec![core], ..Measured::default() },
            feed,
            users: 3,
            looked: Default::default(),
            trail: Vec::new(),
        };
        Self { poll, dashboard, now: Instant::now(), seen }
    }

    fn turn(&mut self) {
        let mut events = Events::with_capacity(32);
        self.poll.poll(&mut events, Some(Duration::from_millis(1))).unwrap();
        for event in &events {
            self.dashboard.handle(event, self.now, &mut self.seen);
        }
        self.dashboard.turn(self.now, &mut self.seen);
    }

    /// The answer to a request over a connection of its own: head and body.
    fn send(&mut self, request: &str) -> (String, String) {
        let mut stream = TcpStream::connect(self.dashboard.local().unwrap()).unwrap();
        stream.set_nonblocking(true).unwrap();
        stream.write_all(request.as_bytes()).unwrap();
        let mut got = Vec::new();
        let mut buffer = [0; 65_536];
        for _ in 0..10_000 {
            self.turn();
            match stream.read(&mut buffer) {
                Ok(0) => {
                    let text = String::from_utf8(got).unwrap();
                    let (head, body) = text.split_once("\r\n\r\n").unwrap();
                    return (head.to_owned(), body.to_owned());
                }
                Ok(count) => got.extend_from_slice(&buffer[..count]),
                Err(error) => assert_eq!(error.kind(), ErrorKind::WouldBlock),
            }
        }
        panic!("no answer to {request}");
    }

    fn ask(&mut self, path: &str, headers: &str) -> (String, String) {
        self.send(&format!("GET {path} HTTP/1.1\r\nHost: localhost:8443\r\nConnection: close\r\n{headers}\r\n"))
    }

    fn status(&mut self, path: &str, headers: &str) -> String {
        self.ask(path, headers).0[9..12].to_owned()
    }

    fn json(&mut self, path: &str) -> Value {
        let (head, body) = self.ask(path, "");
        assert!(head.starts_with("HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"), "{head}");
        serde_json::from_str(&body).unwrap()
    }

    fn later(&mut self, time: Duration) {
        self.now += time;
        self.turn();
    }

    fn told(&self) -> Vec<&'static str> {
        self.seen.trail.iter().map(|said| said.event.name()).collect()
    }
}

#[test]
fn the_page_is_ours_alone() {
    let mut bench = Bench::with(Some(TOKEN));
    for (path, kind, text) in FILES {
        let (head, body) = bench.ask(path, "");
        assert!(head.starts_with("HTTP/1.1 200 OK") && head.contains(&format!("Content-Type: {kind}\r\n")), "{head}");
        assert_eq!(body, *text);
        for header in ["no-store", "default-src 'none'", "nosniff", "X-Frame-Options: DENY", "no-referrer"] {
            assert!(head.contains(header), "no {header} in {head}");
        }
    }
    // Nothing inline and nothing of elsewhere: the policy above would not let it.
    let (_, page) = bench.ask("/", "");
    for wrong in ["<style", "style=", " onclick", "javascript:", "src=\"http", "href=\"http", "<script>"] {
        assert!(!page.contains(wrong), "{wrong}");
    }
    for (text, status) in [
        ("POST / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n", "405"),
        ("DELETE /api/now HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n", "405"),
        ("GET /../etc/passwd HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n", "404"),
        ("GET /api/ HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n", "401"),
        ("nonsense\r\n\r\n", "400"),
    ] {
        assert_eq!(&bench.send(text).0[9..12], status, "{text}");
    }
    let (head, body) = bench.send("HEAD / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n");
    assert!(head.contains(&format!("Content-Length: {}\r\n", FILES[0].2.len())) && body.is_empty());
}

#[test]
fn names_of_elsewhere_do_not_lead_here() {
    for (host, is_ours) in [
        ("localhost", true),
        ("LOCALHOST:9000", true),
        ("127.0.0.1:8443", true),
        ("[::1]:8443", true),
        ("[::1]", true),
        ("10.0.0.1", true),
        ("evil.example", false),
        ("evil.example:8443", false),
        ("localhost.evil.example", false),
        ("127.0.0.1.evil.example", false),
        ("[::1].evil.example", false),
        ("[localhost", false),
        ("", false),
    ] {
        assert_eq!(is_local_host(Some(host)), is_ours, "{host}");
    }
    let mut bench = Bench::with(None);
    for path in ["/", "/api/now", "/api/login"] {
        let request = format!("GET {path} HTTP/1.1\r\nHost: evil.example\r\nConnection: close\r\n\r\n");
        assert_eq!(&bench.send(&request).0[9..12], "421");
    }
    assert_eq!(&bench.send("GET / HTTP/1.0\r\n\r\n").0[9..12], "421");
    assert_eq!(bench.status("/api/now", "Sec-Fetch-Site: cross-site\r\n"), "403");
    assert_eq!(bench.status("/api/now", "Sec-Fetch-Site: same-site\r\n"), "403");
    assert_eq!(bench.status("/api/now", "Sec-Fetch-Site: same-origin\r\n"), "200");
}

#[test]
fn whoever_knows_the_token_looks() {
    let mut bench = Bench::with(Some(TOKEN));
    let right = format!("Authorization: Bearer {TOKEN}\r\n");
    assert_eq!(bench.status("/api/now", ""), "401");
    assert_eq!(bench.status("/api/now", "Cookie: ostiary_1=x\r\n"), "401");
    assert_eq!(bench.status("/api/now", &right), "200");
    assert!(bench.told().is_empty(), "nobody proved anything, and nobody tried to");
    let (head, body) = bench.ask("/api/login", &right);
    assert!(head.starts_with("HTTP/1.1 204 No Content\r\n") && body.is_empty(), "{head}");
    let cookie = head.lines().find_map(|line| line.strip_prefix("Set-Cookie: ")).unwrap();
    for flag in ["HttpOnly", "SameSite=Strict", "Path=/", "Max-Age=86400"] {
        assert!(cookie.contains(flag) && !cookie.contains(TOKEN), "{cookie}");
    }
    let cookie = format!("Cookie: other=1; {}\r\n", cookie.split(';').next().unwrap());
    assert_eq!(bench.status("/api/now", &cookie), "200");
    assert_eq!(bench.told(), ["login"]);
    assert_eq!(bench.seen.trail[0].subject.origin.unwrap().address, IpAddr::from([127, 0, 0, 1]));
    let (head, _) = bench.ask("/api/logout", &cookie);
    assert!(head.contains("Max-Age=0"), "{head}");
    assert_eq!(bench.status("/api/now", &cookie), "401");
    assert_eq!(bench.told(), ["login", "logout"]);
}

#[test]
fn sessions_end() {
    let mut bench = Bench::with(Some(TOKEN));
    let login = |bench: &mut Bench| {
        let (head, _) = bench.ask("/api/login", &format!("Authorization: bearer {TOKEN}\r\n"));
        let cookie = head.lines().find_map(|line| line.strip_prefix("Set-Cookie: ")).unwrap();
        format!("Cookie: {}\r\n", cookie.split(';').next().unwrap())
    };
    let cookie = login(&mut bench);
    bench.later(Duration::from_secs(59 * 60));
    assert_eq!(bench.status("/api/now", &cookie), "200");
    bench.later(Duration::from_secs(60 * 60));
    assert_eq!(bench.status("/api/now", &cookie), "401", "an hour of silence");
    let cookie = login(&mut bench);
    for _ in 0..47 {
        bench.later(Duration::from_secs(30 * 60));
        assert_eq!(bench.status("/api/now", &cookie), "200");
    }
    bench.later(Duration::from_secs(30 * 60));
    assert_eq!(bench.status("/api/now", &cookie), "401", "a day");
}

#[test]
fn tries_are_few_and_told() {
    let mut bench = Bench::with(Some(TOKEN));
    let (wrong, right) = ("Authorization: Bearer wrong\r\n", format!("Authorization: Bearer {TOKEN}\r\n"));
    for _ in 0..5 {
        assert_eq!(bench.status("/api/login", wrong), "401");
    }
    for _ in 0..20 {
        assert_eq!(bench.status("/api/login", wrong), "429");
        assert_eq!(bench.status("/api/now", &right), "429", "what is limited is not looked at, right or wrong");
    }
    let mut expected = vec!["login-failed"; 5];
    expected.push("login-threshold");
    assert_eq!(bench.told(), expected);
    bench.later(Duration::from_secs(10));
    assert_eq!(bench.status("/api/login", wrong), "401");
    assert_eq!(bench.status("/api/login", wrong), "429");
    bench.later(Duration::from_secs(10));
    assert_eq!(bench.status("/api/login", &right), "204");
    assert_eq!(bench.status("/api/login", wrong), "401", "who knows it begins anew");
}

#[test]
fn views_of_users_are_told_once_a_session() {
    let mut bench = Bench::with(None);
    for _ in 0..3 {
        bench.json("/api/now");
        bench.json("/api/users?kind=im");
        bench.json("/api/sign-ons");
        bench.later(Duration::from_secs(1));
    }
    assert_eq!(bench.told(), ["sensitive-view"; 2]);
    // The trail is not shown unless it is said so.
    assert_eq!(bench.status("/api/audit", ""), "403");
    bench.later(Duration::from_secs(2 * 60 * 60));
    bench.json("/api/sign-ons");
    assert_eq!(bench.told(), ["sensitive-view"; 3]);
    let rows = bench.json("/api/sign-ons")["rows"].as_array().unwrap().clone();
    assert_eq!((rows.len(), &rows[0]["account"]), (1, &json!("<b>4209958268</b>")));
    bench.dashboard.room.shows = (false, false);
    for path in ["/api/users?kind=im", "/api/sign-ons"] {
        assert_eq!(bench.status(path, ""), "403");
    }
}

#[test]
fn what_is_true_now_is_shown_to_all_for_a_moment() {
    let mut bench = Bench::with(None);
    let now = bench.json("/api/now");
    assert_eq!(now["shows"], json!({ "users": true, "audit": false }));
    assert_eq!((&now["packets"], &now["workers"][0]["busy-percent"]), (&json!(12), &json!(42)));
    assert_eq!((&now["drops"][0]["name"], &now["drops"][0]["count"]), (&json!("policy"), &json!(5)));
    let flows: Vec<_> = now["applications"].as_array().unwrap().iter().map(|row| row["flows"].as_u64()).collect();
    assert_eq!(flows, [Some(9), Some(3)]);
    let looked = bench.seen.looked.get();
    bench.json("/api/now");
    bench.now += FRESH - Duration::from_millis(1);
    bench.json("/api/now");
    assert_eq!(bench.seen.looked.get(), looked);
    bench.now += Duration::from_millis(1);
    bench.json("/api/now");
    assert_eq!(bench.seen.looked.get(), looked + 1);
}

#[test]
fn rules_have_their_hits() {
    let mut bench = Bench::with(None);
    let all = bench.json("/api/policy");
    let hits: Vec<_> =
        all["rows"].as_array().unwrap().iter().map(|row| (row["name"].as_str(), row["hits"].as_u64())).collect();
    assert_eq!(hits, [(Some("replay"), Some(7)), (Some("implicit-deny"), Some(4))]);
    let one = bench.json("/api/policy?text=IMPLI");
    assert_eq!((one["rows"].as_array().unwrap().len(), &one["rules"]), (1, &json!(1)));
}

#[test]
fn users_are_looked_through_piece_by_piece() {
    let mut bench = Bench::with(None);
    let small = bench.json("/api/users?kind=im&of=qq");
    assert_eq!((small["rows"].as_array().unwrap().len(), &small["complete"]), (2, &json!(true)));
    bench.seen.users = 1_000;
    let first = bench.json("/api/users?kind=im&text=USER99");
    assert_eq!((first["complete"].as_bool(), first["rows"].as_array().unwrap().len()), (Some(false), 1));
    (0..5).for_each(|_| bench.turn());
    bench.later(FRESH);
    let whole = bench.json("/api/users?kind=im&text=USER99");
    assert_eq!((whole["complete"].as_bool(), whole["rows"].as_array().unwrap().len()), (Some(true), 11));
    assert_eq!(whole["rows"][0]["account"], "User99<script>");
    // No more rows than anybody reads, and no more users than a turn may look at.
    bench.seen.users = 1_000_000;
    let many = bench.json("/api/users?kind=im");
    assert_eq!((many["rows"].as_array().unwrap().len(), many["more"].as_bool()), (200, Some(true)));
    bench.json("/api/users?kind=im&text=nobody");
    (0..300).for_each(|_| bench.turn());
    bench.later(FRESH);
    let none = bench.json("/api/users?kind=im&text=nobody");
    assert_eq!(
        (none["rows"].as_array().unwrap().len(), &none["cut"], &none["complete"]),
        (0, &json!(true), &json!(true))
    );
    for number in 0..20 {
        bench.json(&format!("/api/users?kind=access&text={number}"));
    }
    for wrong in ["kind=other", "", "kind=im&x=y", "kind=im&text=%zz", "kind=im&text=%ff", "kind=im&text=%c3"] {
        assert_eq!(bench.status(&format!("/api/users?{wrong}"), ""), "400", "{wrong}");
    }
    assert_eq!(bench.status(&format!("/api/users?kind=im&text={}", "x".repeat(101)), ""), "400");
}

#[test]
fn a_fresh_page_has_a_history() {
    let mut bench = Bench::with(None);
    for _ in 0..5 {
        bench.later(Duration::from_secs(1));
        bench.seen.measured.cores[0].counters.add(Counter::PacketsReceived, 10);
    }
    let history = bench.json("/api/history");
    assert_eq!(history["packets"], json!([10, 10, 10, 10]));
    assert_eq!(bench.json("/api/history?span=hours")["time"], json!([]));
    assert_eq!(bench.status("/api/history?span=years", ""), "400");
}

#[test]
fn values_of_queries_are_read() {
    assert_eq!(decoded("a+b%20c%E4%BD%A0%2b").as_deref(), Some("a b c你+"));
    for wrong in ["%", "%1", "%g0", "%80", "%+1"] {
        assert_eq!(decoded(wrong), None, "{wrong}");
    }
}
