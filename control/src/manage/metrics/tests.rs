//! The listener against clients that behave, and some that do not.

use std::collections::BTreeSet;
use std::io::{ErrorKind, Read, Write};
use std::net::{Shutdown, TcpStream};
use std::sync::Arc;

use dataplane::counters::{Counter, Counters};
use dataplane::verdict::DropReason;
use mio::{Events, Poll};

use super::*;
use crate::manage::{NatRow, PortRow};

const BASE: usize = 10;

/// A listener with its loop, and the time that the test says.
struct Bench {
    poll: Poll,
    metrics: Metrics,
    now: Instant,
    measured: Measured,
}

impl Bench {
    fn new() -> Self {
        let poll = Poll::new().unwrap();
        let config = MetricsConfig { listen: "127.0.0.1:0".parse().unwrap(), tls: None };
        let metrics = Metrics::bind(&config, poll.registry(), BASE).unwrap();
        Self { poll, metrics, now: Instant::now(), measured: measured() }
    }

    /// Turns of the loop, until `done` says something.
    fn until<T>(&mut self, mut done: impl FnMut(&mut Self) -> Option<T>) -> T {
        let mut events = Events::with_capacity(32);
        for _ in 0..10_000 {
            self.poll.poll(&mut events, Some(Duration::from_millis(1))).unwrap();
            let Self { metrics, now, measured, .. } = self;
            let measure = || measured.clone();
            events.iter().for_each(|event| metrics.handle(event, *now, &measure));
            metrics.turn(*now, &measure);
            if let Some(done) = done(self) {
                return done;
            }
        }
        panic!("nothing came of it");
    }

    fn turns(&mut self, count: usize) {
        let mut left = count;
        self.until(|_| {
            left -= 1;
            (left == 0).then_some(())
        });
    }

    fn connect(&mut self) -> TcpStream {
        let stream = TcpStream::connect(self.metrics.local().unwrap()).unwrap();
        stream.set_nonblocking(true).unwrap();
        stream
    }

    /// Sends and takes what comes until the other side ends the connection, or `bodies` answers are there.
    fn ask(&mut self, stream: &mut TcpStream, text: &str, answers: usize) -> String {
        stream.write_all(text.as_bytes()).unwrap();
        let mut got = Vec::new();
        self.until(|_| {
            let ended = take_all(stream, &mut got);
            let text = String::from_utf8_lossy(&got);
            let whole = text.matches("HTTP/1.1 ").count() == answers && is_whole(&text);
            (ended || whole).then_some(())
        });
        String::from_utf8(got).unwrap()
    }

    fn clients(&self) -> usize {
        self.metrics.listener.clients()
    }
}

/// Whether the last answer has as many octets as it says.
fn is_whole(text: &str) -> bool {
    let last = &text[text.rfind("HTTP/1.1 ").unwrap_or(0)..];
    let Some((head, body)) = last.split_once("\r\n\r\n") else { return false };
    let length = head.lines().find_map(|line| line.strip_prefix("Content-Length: ")).unwrap();
    body.len() == length.parse::<usize>().unwrap()
}

/// Reads what is there; whether that was the end.
fn take_all(stream: &mut TcpStream, into: &mut Vec<u8>) -> bool {
    let mut buffer = [0; 65_536];
    loop {
        match stream.read(&mut buffer) {
            Ok(0) => return true,
            Ok(count) => into.extend_from_slice(&buffer[..count]),
            Err(error) if error.kind() == ErrorKind::WouldBlock => return false,
            Err(_) => return true,
        }
    }
}

fn measured() -> Measured {
    let core = |worker: &str| CoreLoad {
        worker: worker.to_owned(),
        core: 1,
        counters: Arc::new(Counters::default()),
        busy: 1.5,
        idle: 0.25,
        percent: 86,
    };
    let port = PortRow {
        name: "inside".to_owned(),
        zone: "trust".to_owned(),
        device: "net_null0".to_owned(),
        driver: "net_null".to_owned(),
        link: "up".to_owned(),
        megabits: Some(10_000),
        received: 1,
        received_octets: 2,
        sent: 3,
        sent_octets: 4,
        missed: 5,
        receive_errors: 6,
        send_errors: 7,
        no_buffer: 8,
    };
    let nat = NatRow {
        pool: "public".to_owned(),
        addresses: 1,
        ports: 64_512,
        tcp: 1,
        udp: 2,
        icmp: 3,
        held: 4,
        hosts: 5,
        mappings: 6,
        exhausted: 7,
        host_limited: 8,
    };
    let cores = vec![core("0"), core("dispatcher")];
    cores[0].counters.add(Counter::OctetsReceived, 1_234);
    cores[0].counters.add_drop(DropReason::Policy, 9);
    Measured { version: "1", cores, ports: vec![port], nat: vec![nat], ..Measured::default() }
}

const GET: &str = "GET /metrics HTTP/1.1\r\nHost: fw\r\n\r\n";

#[test]
fn pages_tell_every_counter_once() {
    for form in [Form::OpenMetrics, Form::Plain] {
        let text = rows::page(&measured(), &Tally::default(), form);
        for expected in [
            "ostiary_received_bytes_total{worker=\"0\"} 1234\n",
            "ostiary_drops_total{cause=\"policy\",worker=\"0\"} 9\n",
            "ostiary_core_busy_seconds_total{worker=\"0\",core=\"1\"} 1.5\n",
            "ostiary_core_busy_ratio{worker=\"dispatcher\",core=\"1\"} 0.86\n",
            "ostiary_port_up{port=\"inside\",zone=\"trust\"} 1\n",
            "ostiary_port_speed_bytes{port=\"inside\",zone=\"trust\"} 1250000000\n",
            "ostiary_nat_refused_sessions_total{pool=\"public\",cause=\"host-limit\"} 8\n",
        ] {
            assert!(text.contains(expected), "no {expected}");
        }
        for counter in Counter::ALL {
            let suffix = if counter.is_gauge() { "" } else { "_total" };
            let name = if *counter == Counter::OctetsReceived { "received_bytes" } else { counter.name() };
            for worker in ["0", "dispatcher"] {
                let start = format!("ostiary_{name}{suffix}{{worker=\"{worker}\"}} ");
                assert_eq!(text.lines().filter(|line| line.starts_with(&start)).count(), 1, "{start}");
            }
        }
        for reason in DropReason::ALL {
            assert!(text.contains(&format!("ostiary_drops_total{{cause=\"{}\",worker=\"0\"}}", reason.name())));
            assert!(text.contains(&format!("ostiary_drop_cause_info{{cause=\"{}\",", reason.name())));
        }
        let families: Vec<&str> =
            text.lines().filter_map(|line| line.strip_prefix("# TYPE ")?.split(' ').next()).collect();
        assert_eq!(families.iter().collect::<BTreeSet<_>>().len(), families.len(), "{families:?}");
        let helps = text.lines().filter(|line| line.starts_with("# HELP ") && line.ends_with('.')).count();
        assert_eq!(helps, families.len());
        let samples: Vec<&str> = text
            .lines()
            .filter(|line| !line.starts_with('#'))
            .filter_map(|line| line.rsplit_once(' ').map(|(of, _)| of))
            .collect();
        assert_eq!(samples.iter().collect::<BTreeSet<_>>().len(), samples.len());
    }
}

/// What a machine of 64 cores and many ports tells fits in a page.
#[test]
fn large_machines_fit() {
    let mut measured = measured();
    measured.cores = (0..64).map(|at| CoreLoad { worker: at.to_string(), ..measured.cores[0].clone() }).collect();
    measured.ports = (0..64).map(|at| PortRow { name: format!("port-{at}"), ..measured.ports[0].clone() }).collect();
    let text = rows::page(&measured, &Tally::default(), Form::OpenMetrics);
    assert!(text.contains("ostiary_metrics_samples_left_out 0\n"), "{} octets", text.len());
}

#[test]
fn requests_are_answered_one_behind_the_other() {
    let mut bench = Bench::new();
    let mut client = bench.connect();
    let first = bench.ask(&mut client, GET, 1);
    assert!(first.starts_with("HTTP/1.1 200 OK\r\nContent-Type: text/plain; version=0.0.4;"), "{first}");
    assert!(
        first.contains("Connection: keep-alive\r\n")
            && first.contains("ostiary_metrics_answers_total{code=\"200\"} 1\n")
    );
    let two = format!(
        "GET /metrics HTTP/1.1\r\nHost: a\r\nAccept: application/openmetrics-text\r\n\r\nHEAD / HTTP/1.1\r\nHost: a\r\n\r\n{GET}"
    );
    let answers = bench.ask(&mut client, &two, 3);
    let order: Vec<&str> = answers.split("HTTP/1.1 ").skip(1).map(|answer| &answer[..3]).collect();
    assert_eq!(order, ["200", "404", "200"]);
    assert!(answers.contains("application/openmetrics-text; version=1.0.0") && answers.contains("# EOF\n"));
    drop(client);
    bench.until(|bench| (bench.clients() == 0).then_some(()));
    assert_eq!((bench.metrics.tally().answers, bench.metrics.tally().broken), ([3, 0, 1, 0, 0, 0], 0));
}

#[test]
fn pages_are_made_ten_times_a_second_at_most() {
    let mut bench = Bench::new();
    let mut client = bench.connect();
    let first = bench.ask(&mut client, GET, 1);
    bench.measured.rules = 7;
    bench.now += FRESH - Duration::from_millis(1);
    assert_eq!(bench.ask(&mut client, GET, 1), first);
    bench.now += Duration::from_millis(1);
    assert!(bench.ask(&mut client, GET, 1).contains("ostiary_policy_rules 7\n"));
}

#[test]
fn what_is_no_request_is_told_so_and_ends_the_connection() {
    for (text, line) in [
        ("GET /other HTTP/1.0\r\n\r\n", "HTTP/1.1 404 Not Found\r\n"),
        ("PUT /metrics HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\n12345", "HTTP/1.1 405 Method Not Allowed\r\n"),
        ("\u{1}\r\n\r\n", "HTTP/1.1 400 Bad Request\r\n"),
        (&"x".repeat(60_000), "HTTP/1.1 431 Request Header Fields Too Large\r\n"),
    ] {
        let mut bench = Bench::new();
        let mut client = bench.connect();
        let answer = bench.ask(&mut client, text, 2);
        assert!(answer.starts_with(line) && answer.contains("Connection: close\r\n"), "{answer}");
        client.shutdown(Shutdown::Both).unwrap();
        bench.until(|bench| (bench.clients() == 0).then_some(()));
    }
}

#[test]
fn who_is_slow_is_cut_off() {
    let mut bench = Bench::new();
    // One says half of a request, a piece at a time; one says nothing.
    let (mut slow, silent) = (bench.connect(), bench.connect());
    bench.until(|bench| (bench.clients() == 2).then_some(()));
    for octet in b"GET /m" {
        slow.write_all(&[*octet]).unwrap();
        bench.turns(2);
        bench.now += Duration::from_millis(800);
    }
    assert_eq!(bench.clients(), 2);
    bench.now += Duration::from_millis(300);
    bench.turns(1);
    assert_eq!((bench.clients(), bench.metrics.tally().broken), (0, 2));
    // Who was answered and stays may take its time, and is told nothing more.
    let mut kept = bench.connect();
    bench.ask(&mut kept, GET, 1);
    bench.now += Duration::from_secs(149);
    bench.turns(1);
    assert_eq!(bench.clients(), 1);
    bench.now += Duration::from_secs(2);
    bench.turns(1);
    assert_eq!((bench.clients(), bench.metrics.tally().broken), (0, 2));
    drop(silent);
}

#[test]
fn who_does_not_read_is_cut_off() {
    let mut bench = Bench::new();
    let many = |at| PortRow { name: format!("port-{at}"), ..bench.measured.ports[0].clone() };
    bench.measured.ports = (0..500).map(many).collect();
    let mut client = bench.connect();
    // More pages than sockets have room for; what is asked is little.
    for _ in 0..200 {
        let _ = client.write(GET.as_bytes());
        bench.turns(1);
    }
    assert_eq!(bench.clients(), 1);
    let answered = bench.metrics.tally().answers[0];
    assert!(answered < 200, "all {answered} found room");
    bench.now += Duration::from_secs(11);
    bench.turns(1);
    assert_eq!((bench.clients(), bench.metrics.tally().broken), (0, 1));
}

#[test]
fn one_more_takes_the_place_of_who_asks_nothing() {
    let mut bench = Bench::new();
    let mut clients: Vec<TcpStream> = (0..SCRAPERS).map(|_| bench.connect()).collect();
    bench.until(|bench| (bench.clients() == SCRAPERS).then_some(()));
    // All are expected to ask.
    let mut more = bench.connect();
    let refused = bench.ask(&mut more, "", 1);
    assert!(refused.starts_with("HTTP/1.1 503 Service Unavailable\r\n"), "{refused}");
    // Two were answered, the third first.
    for at in [3, 5] {
        bench.ask(&mut clients[at], GET, 1);
        bench.now += Duration::from_millis(10);
    }
    let mut late = bench.connect();
    assert!(bench.ask(&mut late, GET, 1).starts_with("HTTP/1.1 200 OK\r\n"));
    let mut rest = Vec::new();
    assert!(take_all(&mut clients[3], &mut rest) && !take_all(&mut clients[5], &mut rest));
    assert_eq!(bench.clients(), SCRAPERS);
}
