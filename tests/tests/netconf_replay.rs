//! What a client of NETCONF missed comes when it asks for it, and each record once.

#![allow(clippy::unwrap_used, reason = "the helpers of tests are tests")]

use std::io::{BufRead, BufReader, Write};
use std::os::unix::net::UnixStream;
use std::path::Path;

use ostiary_tests::commits::ostiary;
use ostiary_tests::firewall::Firewall;
use ostiary_tests::netconf::{Session, leaf};
use ostiary_tests::policy::Policy;
use ostiary_tests::sshd::Sshd;

/// An event as a subscriber has it.
#[derive(Clone, Debug)]
struct Event {
    time: String,
    boot: String,
    number: u64,
    action: String,
}

impl Event {
    /// Of a record; none of what only says where the stream is.
    fn read(message: &str) -> Option<Self> {
        let text = |name| leaf(message, name).map(str::to_owned);
        Some(Self {
            time: text("eventTime").unwrap(),
            boot: text("boot")?,
            number: text("seq").unwrap().parse().unwrap(),
            action: text("action").unwrap_or_default(),
        })
    }
}

/// Events as they come, until one is the last; and before how many of them the replay was complete.
fn until(session: &Session, is_last: impl Fn(&str) -> bool) -> (Vec<Event>, Vec<usize>) {
    let (mut events, mut complete) = (Vec::new(), Vec::new());
    loop {
        let message = session.next();
        assert!(message.contains("<notification"), "{message}");
        if message.contains("<replayComplete") {
            complete.push(events.len());
        }
        events.extend(Event::read(&message));
        if is_last(&message) {
            return (events, complete);
        }
    }
}

/// Whether each follows the one before, and none is twice.
fn is_whole(events: &[Event]) -> bool {
    events.windows(2).all(|two| two[0].boot != two[1].boot || two[0].number + 1 == two[1].number)
}

/// So many records of the trail: a request each, on one connection.
fn reset(socket: &Path, count: usize) {
    let mut stream = UnixStream::connect(socket).unwrap();
    let mut lines = BufReader::new(stream.try_clone().unwrap());
    for _ in 0..count {
        stream.write_all(b"{\"do\":\"reset-log-statistics\"}\n").unwrap();
        let mut answer = String::new();
        lines.read_line(&mut answer).unwrap();
        assert!(answer.contains("\"reset\""), "{answer}");
        lines.read_line(&mut answer).unwrap();
    }
}

#[test]
fn missed_events_come_once_each() {
    let folder = tempfile::tempdir().unwrap();
    let mut policy = Policy::new("net_null0", "net_null1").rule("all", "action = \"deny\"\n");
    policy.im = false;
    policy.system = format!("state-directory = \"{}\"\n", folder.path().join("state").display());
    let firewall = Firewall::start(folder.path(), &policy);
    let socket = firewall.socket();
    let Some(sshd) = Sshd::start(folder.path(), &socket, false) else { return };
    let open = || Session::open(&mut sshd.ssh("root", "ed25519"));

    // A collector that follows the trail, and is gone of a sudden.
    let mut collector = open();
    collector.subscribe("audit", "");
    reset(&socket, 3);
    let resets = std::cell::Cell::new(0);
    let (seen, complete) = until(&collector, |message| {
        resets.set(resets.get() + usize::from(message.contains("statistics-reset")));
        resets.get() == 3
    });
    assert!(is_whole(&seen) && complete.is_empty(), "{seen:?}");
    let last = seen.last().unwrap().clone();
    collector.kill();

    // What it misses, and what is made while it catches up.
    reset(&socket, 300);
    for action in ["permit", "deny", "permit"] {
        ostiary(&socket, &["set", "rule[all].action", action]).done();
        ostiary(&socket, &["commit"]).done();
    }
    let mut collector = open();
    let busy = std::thread::spawn({
        let socket = socket.clone();
        move || reset(&socket, 200)
    });
    collector.subscribe("audit", &format!("<startTime>{}</startTime>", last.time));
    busy.join().unwrap();
    // Nothing else is recorded like this: the end.
    ostiary(&socket, &["rescue", "save"]).done();
    let (events, complete) = until(&collector, |message| message.contains("rescue-save"));
    assert!(is_whole(&events), "{events:?}");
    let first = events.first().unwrap();
    assert!(first.boot == last.boot && first.number <= last.number && first.time >= last.time, "{first:?} {last:?}");
    let missed = events.iter().filter(|event| event.number > last.number);
    let count = |action: &str| missed.clone().filter(|event| event.action == action).count();
    assert_eq!((count("statistics-reset"), count("config-commit"), count("config-change")), (500, 3, 3));
    assert!(complete.len() == 1 && complete[0] >= 303, "{complete:?} of {}", events.len());

    // A span that is over: its events, and the session goes on.
    let mut reader = open();
    let span = format!("<startTime>{}</startTime><stopTime>{}</stopTime>", seen[0].time, last.time);
    reader.subscribe("audit", &span);
    let (events, complete) = until(&reader, |message| message.contains("<notificationComplete"));
    assert!(is_whole(&events) && complete == [events.len()], "{events:?}");
    assert!(events.iter().all(|event| event.time >= seen[0].time && event.time < last.time), "{events:?}");
    assert_eq!(events.first().map(|event| event.number), Some(seen[0].number));
    assert!(reader.ask("<get-config><source><running/></source></get-config>").contains("<firewall"));

    // A start of the firewall later all of it is there still.
    drop(firewall);
    let _firewall = Firewall::start_again(folder.path());
    let mut reader = open();
    reader.subscribe("audit", &format!("<startTime>{}</startTime>", last.time));
    let (events, complete) = until(&reader, |message| message.contains("<replayComplete"));
    assert!(is_whole(&events) && complete == [events.len()], "{events:?}");
    let boots: Vec<&str> = events.iter().map(|event| event.boot.as_str()).collect();
    assert!(boots.first() == Some(&last.boot.as_str()) && boots.last() != boots.first(), "{events:?}");
    assert_eq!(events.iter().filter(|event| event.action == "rescue-save").count(), 1);
}
