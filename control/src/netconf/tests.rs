//! Sessions against a firewall that is played.

use std::io::{BufRead, BufReader, Read, Write};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::thread::{self, JoinHandle};

use serde_json::{Value, json};

use super::framing::{Decoder, Framing, frame};
use super::hello::{REPLAY, REQUESTS};
use super::xml::{Element, read};
use super::*;

const RUNNING: &str = "[[rule]]\nname = \"all\"\naction = \"permit\"\n";

/// A firewall that answers as one would, and remembers what it was asked.
struct Firewall {
    folder: tempfile::TempDir,
    asked: Arc<Mutex<Vec<Value>>>,
}

impl Firewall {
    /// `answer`: the lines for a request; none closes the connection.
    fn new(answer: impl Fn(&Value) -> Option<Vec<Value>> + Send + Sync + 'static) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let listener = UnixListener::bind(folder.path().join("socket")).unwrap();
        let asked = Arc::new(Mutex::new(Vec::new()));
        let (memory, answer) = (Arc::clone(&asked), Arc::new(answer));
        thread::spawn(move || {
            for stream in listener.incoming() {
                let (memory, answer) = (Arc::clone(&memory), Arc::clone(&answer));
                let mut stream = stream.unwrap();
                thread::spawn(move || {
                    for line in BufReader::new(stream.try_clone().unwrap()).lines() {
                        let Ok(line) = line else { return };
                        let request: Value = serde_json::from_str(&line).unwrap();
                        memory.lock().unwrap().push(request.clone());
                        let Some(lines) = answer(&request) else {
                            let _ = stream.shutdown(std::net::Shutdown::Both);
                            return;
                        };
                        for line in lines {
                            let _ = stream.write_all(format!("{line}\n").as_bytes());
                        }
                    }
                });
            }
        });
        Self { folder, asked }
    }

    fn socket(&self) -> PathBuf {
        self.folder.path().join("socket")
    }

    /// What it was asked to do last.
    fn last(&self) -> Value {
        self.asked.lock().unwrap().last().cloned().unwrap_or_default()
    }
}

fn end() -> Value {
    json!({ "end": { "rows": 0, "more": false } })
}

/// What a firewall answers that serves everything.
fn all(request: &Value) -> Option<Vec<Value>> {
    let words: Vec<&str> = REQUESTS.iter().map(|(word, _)| *word).chain([REPLAY]).collect();
    let text = |key: &str| request.get(key).and_then(Value::as_str);
    Some(match (text("do"), text("show")) {
        (Some("session"), _) => {
            vec![json!({ "session": { "id": 4, "role": "administrator", "capabilities": words } }), end()]
        }
        (_, Some("configuration")) => {
            let (first, second) = RUNNING.split_at(12);
            vec![json!({ "text": first }), json!({ "text": second }), end()]
        }
        (_, Some("ports")) => vec![json!({ "port": { "name": "inside", "zone": "trust", "received": 7 } }), end()],
        (_, Some("counters")) => {
            vec![json!({ "worker": { "worker": 0, "core": 1, "counters": { "passed": 9 } } }), end()]
        }
        (Some("lock"), _) => vec![json!({ "error": "held by session 9", "tag": "lock-denied", "session": 9 })],
        (Some("check"), _) => vec![
            json!({ "fault": { "text": "no such zone", "path": "rule[all].from" } }),
            json!({ "fault": { "text": "needs a restart", "path": "dataplane.memory", "tag": "needs-restart" } }),
            json!({ "error": "2 faults" }),
        ],
        (Some("edit"), _) if request.to_string().contains("missing") => {
            vec![json!({ "error": "is not there", "tag": "data-missing", "path": "rule[missing]" })]
        }
        (Some("subscribe"), _) => {
            let event = |seq: u64| {
                json!({ "event": { "schema": 3, "event": "audit", "action": "login", "time": "2026-11-22T01:00:00Z",
                    "seq": seq, "user": if seq == 2 { "bob" } else { "alice" } } })
            };
            let mut lines = vec![json!({ "subscribed": {} }), event(1), event(2)];
            if request.get("from").is_some() {
                lines.push(json!({ "replay-complete": {} }));
            }
            lines.push(event(3));
            if request.get("to").is_some() {
                lines.push(end());
            }
            lines
        }
        (Some("kill-session"), _) => return None,
        _ => vec![end()],
    })
}

/// A client of a session.
struct Client {
    stream: UnixStream,
    decoder: Decoder,
    framing: Framing,
    session: Option<JoinHandle<End>>,
    number: u32,
}

impl Client {
    fn new(firewall: &Firewall) -> Self {
        Self::with(firewall, |_| true)
    }

    /// `reads`: the requests that this version has.
    fn with(firewall: &Firewall, reads: impl Fn(&str) -> bool) -> Self {
        let control = Control::connect(&firewall.socket()).unwrap();
        let session = Session::begin(control, reads, Some("192.0.2.1:5")).unwrap();
        let (ours, theirs) = UnixStream::pair().unwrap();
        // A reply that does not come fails the test.
        ours.set_read_timeout(Some(std::time::Duration::from_secs(60))).unwrap();
        let input = theirs.try_clone().unwrap();
        let session = thread::spawn(move || session.run(input, theirs));
        Self {
            stream: ours,
            decoder: Decoder::new(),
            framing: Framing::EndOfMessage,
            session: Some(session),
            number: 0,
        }
    }

    /// Says hello, and returns the server's.
    fn hello(&mut self, chunked: bool) -> Element {
        let version = if chunked { "1.1" } else { "1.0" };
        let hello = format!(
            "<hello xmlns='{BASE}'><capabilities><capability>urn:ietf:params:netconf:base:{version}</capability></capabilities></hello>"
        );
        let theirs = self.receive();
        self.send(&hello);
        if chunked {
            self.framing = Framing::Chunked;
            self.decoder.switch(Framing::Chunked);
        }
        theirs
    }

    fn send(&mut self, message: &str) {
        self.stream.write_all(&frame(self.framing, message)).unwrap();
    }

    fn receive(&mut self) -> Element {
        loop {
            if let Some(message) = self.decoder.message().unwrap() {
                return read(&message).unwrap();
            }
            let mut buffer = [0; 4096];
            let count = self.stream.read(&mut buffer).unwrap();
            assert!(count > 0, "the session is over");
            self.decoder.push(&buffer[..count]);
        }
    }

    fn rpc(&mut self, operation: &str) -> Element {
        self.number += 1;
        let number = self.number;
        self.send(&format!("<nc:rpc xmlns:nc='{BASE}' message-id='{number}'>{operation}</nc:rpc>"));
        let reply = self.receive();
        assert!(reply.is(BASE, "rpc-reply"), "{reply:?}");
        assert_eq!(reply.attribute("", "message-id"), Some(number.to_string().as_str()));
        reply
    }

    fn ok(&mut self, operation: &str) {
        let reply = self.rpc(operation);
        assert!(reply.child("ok").is_some(), "{operation}: {reply:?}");
    }

    /// The tags of the errors of a reply.
    fn refused(&mut self, operation: &str) -> Vec<String> {
        let reply = self.rpc(operation);
        let errors = reply.elements().filter(|error| error.name == "rpc-error");
        errors.map(|error| error.child("error-tag").map(Element::text).unwrap_or_default()).collect()
    }

    fn end(mut self) -> End {
        let _ = self.stream.shutdown(std::net::Shutdown::Write);
        self.session.take().unwrap().join().unwrap()
    }
}

fn capabilities(hello: &Element) -> Vec<String> {
    hello.child("capabilities").unwrap().elements().map(Element::text).collect()
}

#[test]
fn a_session_of_either_version_begins_and_ends() {
    let firewall = Firewall::new(all);
    for chunked in [false, true] {
        let mut client = Client::new(&firewall);
        let hello = client.hello(chunked);
        assert_eq!(hello.child("session-id").map(Element::text), Some("4".to_owned()));
        let list = capabilities(&hello);
        for name in ["candidate:1.0", "confirmed-commit:1.1", "validate:1.1", "notification:1.0", "interleave:1.0"] {
            assert!(list.contains(&format!("urn:ietf:params:netconf:capability:{name}")), "{name}");
        }
        client.ok("<nc:close-session/>");
        assert_eq!(client.end(), End::Closed);
    }
}

#[test]
fn what_the_firewall_does_not_serve_is_not_offered() {
    let firewall = Firewall::new(|request| Some(vec![json!({ "error": format!("not understood: {request}") })]));
    let mut client = Client::with(&firewall, |_| false);
    let list = capabilities(&client.hello(true));
    assert!(!list.iter().any(|capability| capability.contains(":capability:")), "{list:?}");
    for operation in [
        "<get-config><source><running/></source></get-config>",
        "<edit-config><target><candidate/></target><config/></edit-config>",
        "<lock><target><running/></target></lock>",
        "<commit/>",
        "<discard-changes/>",
        "<validate><source><running/></source></validate>",
        "<kill-session><session-id>3</session-id></kill-session>",
        "<create-subscription xmlns='urn:ietf:params:xml:ns:netconf:notification:1.0'/>",
        "<partial-lock/>",
    ] {
        assert_eq!(client.refused(operation), ["operation-not-supported"], "{operation}");
    }
    assert_eq!(client.end(), End::Dropped);
}

#[test]
fn the_configuration_is_read_and_filtered() {
    let firewall = Firewall::new(all);
    let mut client = Client::new(&firewall);
    client.hello(true);
    let reply = client.rpc("<nc:get-config><nc:source><nc:running/></nc:source></nc:get-config>");
    let data = reply.child("data").unwrap();
    let rule = data.child("firewall").and_then(|top| top.child("rule")).unwrap();
    assert_eq!(rule.child("action").map(Element::text), Some("permit".to_owned()));
    let filtered = "<get-config><source><candidate/></source><filter type='subtree'><firewall><nat/></firewall></filter></get-config>";
    let reply = client.rpc(filtered);
    assert!(!reply.child("data").unwrap().has_elements());
    assert_eq!(client.refused("<get-config><source><startup/></source></get-config>"), ["operation-not-supported"]);
    assert_eq!(
        client.refused("<get-config><source><running/></source><filter type='xpath' select='/'/></get-config>"),
        ["operation-not-supported"]
    );
}

#[test]
fn state_is_shown() {
    let firewall = Firewall::new(all);
    let mut client = Client::new(&firewall);
    client.hello(true);
    let reply = client.rpc("<get/>");
    let data = reply.child("data").unwrap();
    let names: Vec<&str> = data.elements().map(|tree| tree.name.as_str()).collect();
    assert_eq!(names, ["firewall", "state", "netconf-state", "netconf"]);
    let port = data.child("state").and_then(|state| state.child("port")).unwrap();
    assert_eq!(port.child("received").map(Element::text), Some("7".to_owned()));
    let worker = data.child("state").and_then(|state| state.child("worker")).unwrap();
    assert_eq!(
        worker.child("counter").and_then(|counter| counter.child("value")).map(Element::text),
        Some("9".to_owned())
    );
    let reply = client
        .rpc("<get><filter><state xmlns='urn:ostiary:yang:ostiary-state'><port><link/></port></state></filter></get>");
    assert!(!reply.child("data").unwrap().has_elements());
}

#[test]
fn edits_reach_the_firewall_as_paths() {
    let firewall = Firewall::new(all);
    let mut client = Client::new(&firewall);
    client.hello(true);
    client.ok(
        "<nc:edit-config><nc:target><nc:candidate/></nc:target><nc:error-option>rollback-on-error</nc:error-option><nc:config>\
         <firewall><rule nc:operation='delete'><name>all</name></rule></firewall></nc:config></nc:edit-config>",
    );
    let expected = json!({ "do": "edit", "operations": [{ "path": "rule[all]", "kind": "delete" }],
        "error-option": "rollback-on-error" });
    assert_eq!(firewall.last(), expected);
    let missing = "<edit-config><target><candidate/></target><config><firewall><rule nc:operation='delete'><name>missing</name>\
        </rule></firewall></config></edit-config>";
    let reply = client.rpc(missing);
    let error = reply.child("rpc-error").unwrap();
    assert_eq!(error.child("error-tag").map(Element::text), Some("data-missing".to_owned()));
    let path = "/ost:firewall/ost:rule[ost:name='missing']";
    assert_eq!(error.child("error-path").map(Element::text), Some(path.to_owned()));
    let running = "<edit-config><target><running/></target><config/></edit-config>";
    assert_eq!(client.refused(running), ["operation-not-supported"]);
}

#[test]
fn commits_locks_and_checks_say_what_the_firewall_says() {
    let firewall = Firewall::new(all);
    let mut client = Client::new(&firewall);
    client.hello(true);
    client.ok("<commit/>");
    assert_eq!(firewall.last(), json!({ "do": "commit", "source": "candidate" }));
    client.ok("<commit><confirmed/><confirm-timeout>60</confirm-timeout><persist>t</persist></commit>");
    assert_eq!(firewall.last(), json!({ "do": "commit", "source": "candidate", "confirm": 60, "persist": "t" }));
    client.ok("<commit><confirmed/></commit>");
    assert_eq!(firewall.last()["confirm"], 600);
    client.ok("<cancel-commit><persist-id>t</persist-id></cancel-commit>");
    client.ok("<discard-changes/>");
    client.ok("<unlock><target><candidate/></target></unlock>");
    assert_eq!(firewall.last(), json!({ "do": "unlock", "target": "candidate" }));
    client.ok("<copy-config><target><candidate/></target><source><running/></source></copy-config>");
    assert_eq!(firewall.last(), json!({ "do": "load", "target": "candidate", "text": RUNNING }));
    let reply = client.rpc("<lock><target><candidate/></target></lock>");
    let error = reply.child("rpc-error").unwrap();
    assert_eq!(
        error.child("error-info").and_then(|info| info.child("session-id")).map(Element::text),
        Some("9".to_owned())
    );
    let reply = client.rpc("<validate><source><candidate/></source></validate>");
    let errors: Vec<&Element> = reply.elements().collect();
    assert_eq!(errors.len(), 2);
    assert_eq!(errors[1].child("error-app-tag").map(Element::text), Some("needs-restart".to_owned()));
    assert_eq!(client.refused("<kill-session><session-id>4</session-id></kill-session>"), ["invalid-value"]);
    assert_eq!(client.refused("<commit><persist>t</persist></commit>"), ["bad-element"]);
    assert_eq!(client.refused("<commit><confirmed/><confirm-timeout>0</confirm-timeout></commit>"), ["invalid-value"]);
}

#[test]
fn schemas_are_had() {
    let firewall = Firewall::new(all);
    let mut client = Client::new(&firewall);
    client.hello(true);
    let get = |rest: &str| format!("<get-schema xmlns='{MONITORING}'>{rest}</get-schema>");
    for module in MODULES {
        let reply = client.rpc(&get(&format!("<identifier>{}</identifier>", module.name)));
        assert_eq!(reply.child("data").map(Element::text), module_text(module.name).map(|text| text.trim().to_owned()));
    }
    assert_eq!(client.refused(&get("<identifier>none</identifier>")), ["invalid-value"]);
    assert_eq!(
        client.refused(&get("<identifier>ostiary</identifier><version>2000-01-01</version>")),
        ["invalid-value"]
    );
}

#[test]
fn subscriptions_replay_filter_and_end() {
    let firewall = Firewall::new(all);
    let mut client = Client::new(&firewall);
    client.hello(true);
    let subscribe = |rest: &str| format!("<create-subscription xmlns='{NOTIFICATION}'>{rest}</create-subscription>");
    for (wrong, tag) in [
        ("<stopTime>2026-01-01T00:00:00Z</stopTime>", "missing-element"),
        ("<startTime>2026-01-02T00:00:00Z</startTime><stopTime>2026-01-01T00:00:00Z</stopTime>", "bad-element"),
        ("<startTime>2999-01-01T00:00:00Z</startTime>", "bad-element"),
        ("<startTime>yesterday</startTime>", "bad-element"),
        ("<stream>none</stream>", "invalid-value"),
    ] {
        assert_eq!(client.refused(&subscribe(wrong)), [tag], "{wrong}");
    }
    client.ok(&subscribe(
        "<filter><record><user>alice</user></record></filter><startTime>2026-01-01T00:00:00Z</startTime>\
         <stopTime>2026-02-01T00:00:00Z</stopTime>",
    ));
    let mut seen = Vec::new();
    for _ in 0..4 {
        let notification = client.receive();
        assert!(notification.is(NOTIFICATION, "notification"));
        let content = notification.elements().nth(1).unwrap();
        seen.push(content.child("seq").map_or_else(|| content.name.clone(), Element::text));
    }
    assert_eq!(seen, ["1", "replayComplete", "3", "notificationComplete"]);
    // It is over as soon as its thread is: another may begin, and requests are answered meanwhile.
    while client.refused(&subscribe("")) == ["operation-failed"] {}
    for _ in 0..3 {
        client.receive();
    }
    assert_eq!(client.refused(&subscribe("")), ["operation-failed"]);
    client.ok("<discard-changes/>");
}

#[test]
fn collectors_of_syslog_events_send_no_hello() {
    let firewall = Firewall::new(all);
    let mut client = Client::new(&firewall);
    let _ = client.receive();
    client
        .stream
        .write_all(
            b"<rpc><get-syslog-events><stream>messages</stream><event>LOGIN</event></get-syslog-events></rpc>]]>]]>",
        )
        .unwrap();
    let mut text = String::new();
    let mut reader = BufReader::new(client.stream.try_clone().unwrap());
    while text.matches("</syslog-event>").count() < 3 {
        reader.read_line(&mut text).unwrap();
    }
    assert!(text.contains("<rpc-reply xmlns=") && text.contains("<syslog-events xmlns="), "{text}");
    assert!(text.contains("<event>LOGIN</event>"), "{text}");
}

#[test]
fn a_session_that_the_firewall_ends_is_over() {
    let firewall = Firewall::new(all);
    let mut client = Client::new(&firewall);
    client.hello(true);
    // The played firewall closes this session in place of another.
    assert_eq!(client.refused("<kill-session><session-id>5</session-id></kill-session>"), ["operation-failed"]);
    assert_eq!(client.session.take().unwrap().join().unwrap(), End::Killed);
}

#[test]
fn what_is_no_netconf_ends_a_session_or_is_said() {
    let firewall = Firewall::new(all);
    let mut client = Client::new(&firewall);
    client.hello(true);
    client.send("<rpc");
    let reply = client.receive();
    let tag = reply.child("rpc-error").and_then(|error| error.child("error-tag")).map(Element::text);
    assert_eq!(tag, Some("malformed-message".to_owned()));
    client.send(&format!("<rpc xmlns='{BASE}'><commit/></rpc>"));
    let reply = client.receive();
    let tag = reply.child("rpc-error").and_then(|error| error.child("error-tag")).map(Element::text);
    assert_eq!(tag, Some("missing-attribute".to_owned()));
    client.stream.write_all(b"garbage").unwrap();
    assert!(matches!(client.end(), End::Broken(_)));

    for wrong in ["<hello/>]]>]]>", "<rpc]]>]]>", "<foo/>]]>]]>"] {
        let mut client = Client::new(&firewall);
        let _ = client.receive();
        client.stream.write_all(wrong.as_bytes()).unwrap();
        assert!(matches!(client.end(), End::Broken(_)), "{wrong}");
    }
}

#[test]
fn replies_have_the_attributes_of_their_requests() {
    let firewall = Firewall::new(all);
    let mut client = Client::new(&firewall);
    client.hello(true);
    client.send(&format!(
        "<rpc xmlns='{BASE}' xmlns:e='urn:e' message-id='a&amp;b' e:user='fred'><discard-changes/></rpc>"
    ));
    let reply = client.receive();
    assert_eq!((reply.attribute("", "message-id"), reply.attribute("urn:e", "user")), (Some("a&b"), Some("fred")));
}
