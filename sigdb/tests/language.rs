//! What can be said in the language, by signatures of invented applications; their samples are the assertions. Streams read
//! the same however they are cut.

use proptest::prelude::*;
use sigdb::{
    Confidence, Database, Finding, Findings, FlowState, Held, Scratch, Sender, Source, Start, Step, Transport, WINDOW,
    compile, try_samples,
};

const HEAD: &str = "version = \"1\"\ndate = \"2026-01-01\"\n";

/// Lines of words, marks in front, evidence over two lines, a server that speaks first.
const LINES: &str = r#"
[application]
name = "lines"
title = "Lines"
[[protocol]]
name = "chat"
[[protocol.carrier]]
transport = "tcp"
framing = { kind = "line", pass-over = "@:" }
session = true
[[protocol.identify]]
from = "client"
when = [{ word = 0, is = "NICK", any-case = true }]
also = [[{ word = 0, is = "USER", any-case = true }]]
between = [{ word = 0, is = ["CAP", "PASS"] }]
messages = 4
[[protocol.identify]]
from = "server"
when = [{ at = 0, text = ":" }, { word = 0, is = "NOTICE" }, { word = 1, is = ["*", "AUTH"] }]
[[protocol.message]]
name = "welcome"
from = "server"
when = [{ word = 0, is = "001" }]
account = { word = 1, form = "utf8", strip = ":" }
means = "login"
[[protocol.message]]
name = "quit"
from = "client"
when = [{ word = 0, is = "QUIT", any-case = true }]
account-of-flow = true
means = "logout"
[[protocol.message]]
name = "upgrade"
from = "client"
when = [{ word = 0, is = "STARTTLS" }]
becomes = "tls"
means = "nothing"

[[sample]]
name = "both lines in a segment, marks before words"
transport = "tcp"
server-port = 6667
application = "lines"
sightings = ["login ann", "logout ann", "closed ann"]
segment = [
  { from = "client", text = "CAP LS\r\nnick ann\nUser ann 0 * :A\r\n" },
  { from = "server", text = "@time=1 :a.example 001 ann :001 hello\r\n:a.example 002 ann :001 x\r\n" },
  { from = "client", text = "PRIVMSG b :QUIT\r\n" },
  { from = "client", text = "QUIT :bye\r\n" },
]
[[sample]]
name = "the server speaks first"
transport = "tcp"
server-port = 9
application = "lines"
segment = [{ from = "server", text = ":a.example NOTICE * :*** Looking up\r\n" }]
[[sample]]
name = "TLS follows: its octets are no lines"
transport = "tcp"
server-port = 9
application = "lines"
segment = [
  { from = "client", text = "NICK a\r\nUSER a\r\nSTARTTLS\r\n" },
  { from = "server", text = ":a.example 001 ann :x\r\n" },
]
[[sample]]
name = "one of the two is not enough"
transport = "tcp"
server-port = 21
application = "none"
segment = [
  { from = "server", text = "220 ready\r\n" },
  { from = "client", text = "USER anonymous\r\n" },
  { from = "server", text = "331 go on\r\n" },
  { from = "client", text = "PASS guest\r\n" },
  { from = "client", text = "SYST\r\nNICK a\r\n" },
]
"#;

/// A length of one to four octets, places that are there by flags, an account or another, an answer.
const QUEUE: &str = r#"
[application]
name = "queue"
title = "Queue"
[[protocol]]
name = "queue"
[[protocol.carrier]]
transport = "tcp"
framing = { kind = "varint-length", at = 1, least = 2, most = 268435460 }
[protocol.anchor]
name = { at = "body", prefix = 2 }
properties = { at = "name + 4", varint = true, if = [{ at = "name", u8 = 5 }] }
client = { at = "properties", prefix = 2 }
willProperties = { at = "client", varint = true, if = [{ at = "name", u8 = 5 }, { at = "name + 1", octets = "04", mask = "04" }] }
willTopic = { at = "willProperties", prefix = 2, if = [{ at = "name + 1", octets = "04", mask = "04" }] }
will = { at = "willTopic", prefix = 2, if = [{ at = "name + 1", octets = "04", mask = "04" }] }
[[protocol.identify]]
from = "client"
when = [{ at = 0, octets = "10" }, { at = "body", octets = "00 04 4d 51 54 54" }, { at = "name", u8 = [4, 5] }]
[[protocol.message]]
name = "connect with a user's name"
from = "client"
when = [{ at = 0, octets = "10" }, { at = "name + 1", octets = "80", mask = "80" }]
account = { at = "will", prefix = 2, form = "utf8" }
means = "attempt"
[[protocol.message]]
name = "connect"
from = "client"
when = [{ at = 0, octets = "10" }]
account = { at = "properties", prefix = 2, form = "utf8" }
means = "attempt"
[[protocol.message]]
name = "accepted"
from = "server"
when = [{ at = 0, octets = "20" }, { at = "body + 1", u8 = 0 }]
answers = ["connect", "connect with a user's name"]
account-of-flow = true
means = "login"
[[protocol.message]]
name = "disconnect"
from = "client"
when = [{ at = 0, octets = "e0 00" }]
account-of-flow = true
means = "logout"

[[sample]]
name = "a client's name alone, and a long message skipped"
transport = "tcp"
server-port = 1883
application = "queue"
sightings = ["attempt c1", "login c1", "logout c1"]
segment = [
  { from = "client", octets = "10 0e 00 04 4d 51 54 54 04 02 00 3c 00 02 63 31" },
  { from = "server", octets = "20 02 00 00" },
  { from = "client", octets = "30 88 27", fill = 5000 },
  { from = "client", octets = "e0 00" },
]
[[sample]]
name = "version 5, a will and a user"
transport = "tcp"
server-port = 1883
application = "queue"
sightings = ["attempt ann", "login ann"]
segment = [
  { from = "client", octets = "10 20 00 04 4d 51 54 54 05 c6 00 3c 01 00 00 02 63 31 00 00 01 74 00 01 6d 00 03 61 6e 6e 00 04 70 70 70 70" },
  { from = "server", octets = "20 03 00 00 00" },
]
[[sample]]
name = "another protocol's name"
transport = "tcp"
server-port = 1883
application = "none"
segment = [{ from = "client", octets = "10 0e 00 04 4d 51 55 55 04 02 00 3c 00 02 63 31" }]
"#;

/// Heads with short names, numbers and parameters, questions told apart.
const CALLS: &str = r#"
[application]
name = "calls"
title = "Calls"
[[protocol]]
name = "calls"
[[protocol.carrier]]
transport = "udp"
server-ports = [5060]
framing = { kind = "sip" }
[[protocol.carrier]]
transport = "tcp"
server-ports = [5060]
framing = { kind = "sip" }
[[protocol.identify]]
when = [{ header = "call-id" }, { header = "cseq" }]
[[protocol.message]]
name = "leave"
from = "client"
when = [{ method = "REGISTER" }, { header = "contact", parameter = "expires", number = 0 }]
transaction = [{ header = "call-id", form = "ascii" }, { header = "cseq", form = "ascii" }]
means = "nothing"
[[protocol.message]]
name = "register"
from = "client"
when = [{ method = "REGISTER" }, { header = "contact" }]
transaction = [{ header = "call-id", form = "ascii" }, { header = "cseq", form = "ascii" }]
means = "nothing"
[[protocol.message]]
name = "left"
from = "server"
when = [{ status = { from = 200, to = 299 } }]
answers = ["leave"]
transaction = [{ header = "call-id", form = "ascii" }, { header = "cseq", form = "ascii" }]
account = { header = "to", form = "uri" }
means = "logout"
[[protocol.message]]
name = "registered"
from = "server"
when = [{ status = { from = 200, to = 299 } }]
answers = ["register"]
transaction = [{ header = "call-id", form = "ascii" }, { header = "cseq", form = "ascii" }]
account = { header = "to", form = "uri" }
means = "login"

[[sample]]
name = "one leaves without an answer while another comes"
transport = "udp"
server-port = 5060
application = "calls"
sightings = ["login 10002@a.example"]
segment = [
  { from = "client", text = "REGISTER sip:a.example SIP/2.0\r\ni: 1\r\nCSeq: 1 REGISTER\r\nm: <sip:1@192.0.2.1>;expires=0\r\n\r\n" },
  { from = "client", text = "\r\nREGISTER sip:a.example SIP/2.0\r\ni: 2\r\nCSeq: 1 REGISTER\r\nm: <sip:2@192.0.2.1>\r\n\r\n" },
  { from = "server", text = "SIP/2.0 200 OK\r\nCall-ID: 2\r\nCSeq: 1 REGISTER\r\nt: \"B\" <sip:10002@a.example;x=1>;tag=1\r\n\r\n" },
  { from = "server", text = "SIP/2.0 200 OK\r\nCall-ID: 2\r\nCSeq: 1 REGISTER\r\nt: \"B\" <sip:10002@a.example;x=1>;tag=1\r\n\r\n" },
]
[[sample]]
name = "over TCP, two messages in a segment"
transport = "tcp"
server-port = 5060
application = "calls"
sightings = ["logout 10001@a.example"]
segment = [
  { from = "client", text = "OPTIONS sip:a.example SIP/2.0\r\ni: 0\r\nCSeq: 1 OPTIONS\r\nl: 3\r\n\r\nabcREGISTER sip:a.example SIP/2.0\r\ni: 1\r\nCSeq: 2 REGISTER\r\nm: <sip:1@192.0.2.1>;expires=0\r\n\r\n" },
  { from = "server", text = "SIP/2.0 200 OK\r\nCall-ID: 1\r\nCSeq: 2 REGISTER\r\nTo: sip:10001@a.example;tag=1\r\n\r\n" },
]
[[sample]]
name = "web traffic on the port"
transport = "tcp"
server-port = 5060
application = "none"
segment = [{ from = "client", text = "OPTIONS * HTTP/1.1\r\nCall-ID: 1\r\nCSeq: 2\r\n\r\n" }]
"#;

/// Elements, attributes, text in base64, TLS behind a message.
const STREAM: &str = r#"
[application]
name = "stream"
title = "Stream"
[[protocol]]
name = "stream"
[[protocol.carrier]]
transport = "tcp"
framing = { kind = "xml", open = ["stream:stream"] }
session = true
[[protocol.identify]]
when = [{ element = "stream:stream" }, { attribute = "xmlns:stream", is = "http://streams.example" }]
between = [{ element = "?xml" }]
messages = 2
[[protocol.message]]
name = "plain"
from = "client"
when = [{ element = "auth" }, { attribute = "mechanism", is = "plain", any-case = true }]
account = { element = "auth", base64 = true, part = 2, form = "utf8" }
means = "attempt"
[[protocol.message]]
name = "challenge"
from = "client"
when = [{ element = "response" }]
account = { element = "response", base64 = true, inside = "username=\"", until = "\"", form = "utf8" }
means = "attempt"
[[protocol.message]]
name = "failed"
from = "server"
when = [{ element = "failure" }]
account-of-flow = true
means = "failure"
[[protocol.message]]
name = "bound"
from = "server"
when = [{ element = "iq" }, { attribute = "type", is = "result" }, { child = "bind" }]
account = { element = "jid", form = "jid" }
means = "login"
[[protocol.message]]
name = "proceed"
from = "server"
when = [{ element = "proceed" }]
becomes = "tls"
means = "nothing"

[[sample]]
name = "refused, then let in"
transport = "tcp"
server-port = 5222
application = "stream"
sightings = ["attempt ann", "failure ann", "attempt bob", "login ann@a.example", "closed ann@a.example"]
segment = [
  { from = "client", text = "<?xml version='1.0'?><stream:stream to='a.example' xmlns:stream=\"http://streams.example\">" },
  { from = "client", text = "<auth xmlns='x' mechanism='PLAIN'>AGFubgBzZWNyZXQ=</auth>" },
  { from = "server", text = "<failure xmlns='x'><not-authorized/></failure>" },
  { from = "client", text = "<response>dXNlcm5hbWU9ImJvYiIscmVhbG09ImEuZXhhbXBsZSI=</response> <presence/>" },
  { from = "server", text = "<iq type='result'><bind xmlns='x'><jid>Ann@a.example/desk</jid></bind></iq>" },
]
[[sample]]
name = "TLS follows"
transport = "tcp"
server-port = 5222
application = "stream"
segment = [
  { from = "client", text = "<stream:stream xmlns:stream='http://streams.example'>" },
  { from = "server", text = "<stream:stream xmlns:stream='http://streams.example'><proceed/>" },
  { from = "server", text = "<iq type='result'><bind xmlns='x'><jid>ann@a.example/desk</jid></bind></iq>" },
]
[[sample]]
name = "another kind of stream"
transport = "tcp"
server-port = 5222
application = "none"
segment = [{ from = "client", text = "<?xml version='1.0'?><stream:stream xmlns:stream='http://other.example'>" }]
"#;

/// Octets looked for, packed digits, lengths of three octets, turns, evidence of both sides.
const PACKED: &str = r#"
[application]
name = "packed"
title = "Packed"
[[protocol]]
name = "packed"
[[protocol.carrier]]
transport = "tcp"
framing = { kind = "stream" }
[protocol.anchor]
routing = { at = 2, prefix = 3 }
packed = { find = "b5 ff" }
plain = { find = "b5 fc", within = 64 }
[[protocol.identify]]
from = "client"
when = [{ at = 0, octets = "45 44" }, { at = "routing", octets = "57 41" }]
[[protocol.identify]]
when = [{ turns = [48, { from = 70, to = 80 }] }, { server-port = 5222 }]
[[protocol.message]]
name = "sign-on"
from = "client"
account = [{ at = "packed", form = "nibbles" }, { at = "plain", prefix = 1, form = "digits" }]
means = "attempt"

[[protocol]]
name = "pairs"
[[protocol.carrier]]
transport = "udp"
framing = { kind = "datagram" }
[[protocol.identify]]
from = "client"
shows = "hello"
when = [{ at = 0, u24 = 0x010203 }, { modulo = [8, 3] }]
[[protocol.identify]]
from = "server"
needs = ["hello"]
when = [{ at = 0, octets = "09" }]

[[sample]]
name = "packed digits, an odd number of them"
transport = "tcp"
server-port = 443
application = "packed"
sightings = ["attempt 15550100123"]
segment = [{ from = "client", octets = "45 44 00 00 02 aa bb 57 41 01 b5 ff 86 15 55 01 00 12 3f 00" }]
[[sample]]
name = "digits with a length"
transport = "tcp"
server-port = 443
application = "packed"
sightings = ["attempt 1555"]
segment = [{ from = "client", octets = "45 44 00 00 00 57 41 01 b5 fc 04 31 35 35 35 00", fill = 4090 }]
[[sample]]
name = "turns, cut anyhow"
transport = "tcp"
server-port = 5222
application = "packed"
segment = [
  { from = "client", fill = 40 }, { from = "client", fill = 8 },
  { from = "server", fill = 30 }, { from = "server", fill = 45 },
  { from = "client", fill = 5 },
]
[[sample]]
name = "evidence of both sides"
transport = "udp"
server-port = 9
application = "packed"
segment = [{ from = "client", octets = "01 02 03", fill = 8 }, { from = "server", octets = "09" }]
[[sample]]
name = "of one side only"
transport = "udp"
server-port = 9
application = "none"
segment = [{ from = "client", octets = "01 02 03", fill = 7 }, { from = "server", octets = "09" }]
[[sample]]
name = "turns of other lengths"
transport = "tcp"
server-port = 5222
application = "none"
segment = [{ from = "client", fill = 48 }, { from = "server", fill = 81 }, { from = "client", fill = 5 }]
"#;

/// What carries others names a flow only when nothing else can.
const BASE: &str = r#"
[application]
name = "web"
title = "Web"
base = true
[[protocol]]
name = "web"
[[protocol.carrier]]
transport = "tcp"
framing = { kind = "http" }
[[protocol.identify]]
when = [{ method = "GET" }]
[[sample]]
name = "plain"
transport = "tcp"
server-port = 80
application = "web"
segment = [{ from = "client", text = "GET / HTTP/1.1\r\n\r\n" }, { from = "server", text = "HTTP/1.1 200 OK\r\n\r\n" }]
[[sample]]
name = "not this"
transport = "tcp"
server-port = 80
application = "none"
segment = [{ from = "client", text = "POST / HTTP/1.1\r\n\r\n" }]
"#;

const CARRIED: &str = r#"
[application]
name = "carried"
title = "Carried"
[[protocol]]
name = "carried"
[[protocol.carrier]]
transport = "tcp"
framing = { kind = "http" }
[[protocol.identify]]
from = "server"
when = [{ header = "server", has = "carried" }]
[[sample]]
name = "the server tells"
transport = "tcp"
server-port = 80
application = "carried"
segment = [
  { from = "client", text = "GET / HTTP/1.1\r\n\r\n" },
  { from = "server", text = "HTTP/1.1 200 OK\r\nServer: carried/1\r\nContent-Length: 0\r\n\r\n" },
]
[[sample]]
name = "the client goes on"
transport = "tcp"
server-port = 80
application = "web"
segment = [
  { from = "client", text = "GET / HTTP/1.1\r\n\r\n" },
  { from = "client", text = "GET / HTTP/1.1\r\n\r\n" },
]
"#;

#[track_caller]
fn compiled(texts: &[&str]) -> Database {
    let mut sources = vec![Source { name: "database.toml".into(), text: HEAD.into() }];
    for (number, text) in texts.iter().enumerate() {
        sources.push(Source { name: format!("{number}.toml"), text: (*text).into() });
    }
    let faults = match compile(&sources) {
        Ok(database) => return database,
        Err(faults) => faults,
    };
    panic!("{}", faults.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n"));
}

#[test]
fn lines() {
    compiled(&[LINES]);
}

#[test]
fn lengths_and_flags() {
    compiled(&[QUEUE]);
}

#[test]
fn heads_and_transactions() {
    compiled(&[CALLS]);
}

#[test]
fn elements() {
    compiled(&[STREAM]);
}

#[test]
fn packed_digits_turns_and_evidence() {
    compiled(&[PACKED]);
}

#[test]
fn base_protocols() {
    compiled(&[BASE, CARRIED]);
}

#[test]
fn a_rule_says_what_it_found_in_place_of_what_it_wants() {
    let sources = [("database.toml", HEAD), ("queue.toml", QUEUE)]
        .map(|(name, text)| Source { name: name.into(), text: text.into() });
    let Ok((_, _, reports)) = try_samples(&sources, "queue.toml") else { panic!("does not compile") };
    assert!(reports.iter().all(|report| report.fault.is_none()));
    let (hit, miss) = (&reports[0].explanation, &reports[2].explanation);
    let rules = |held| hit.notes.iter().filter(move |note| note.held == held).map(|note| note.rule.as_str());
    let holding: Vec<_> = rules(Held::Yes).collect();
    let said = |name: &str| format!("queue/tcp, {name}");
    let messages = ["connect", "accepted", "disconnect"].map(|name| said(&format!("message {name:?}")));
    assert_eq!(holding[0], said("identify 1"));
    assert_eq!(holding[1..], messages);
    let wrong: Vec<_> = miss.notes[0].tests.iter().filter(|test| test.held == Held::No).collect();
    assert_eq!(wrong[0].test, "at body: octets 00 04 4d 51 54 54");
    assert_eq!(wrong[0].found, Some((2, vec![0, 4, 0x4d, 0x51, 0x55, 0x55])));
}

/// What a TCP flow shows, its sides' octets cut where `cuts` say.
fn shown(database: &Database, turns: &[(Sender, Vec<u8>)], cuts: &[usize]) -> Vec<String> {
    let start = Start { transport: Transport::Tcp, server_port: 9, from_start: true, resolved: None };
    let (mut flow, mut scratch, mut findings) = (FlowState::new(start), Scratch::new(), Findings::new());
    let mut waiting = [Vec::new(), Vec::new()];
    let mut shown = Vec::new();
    let mut cuts = cuts.iter().cycle();
    for (from, octets) in turns {
        let side = usize::from(*from == Sender::Server);
        let mut rest = &octets[..];
        while !rest.is_empty() {
            let (piece, later) = rest.split_at(cuts.next().map_or(1, |cut| *cut).min(rest.len()));
            rest = later;
            waiting[side].extend_from_slice(piece);
            let mut at = 0;
            while at < waiting[side].len() {
                let step = flow.read(database, &mut scratch, 1, *from, &waiting[side][at..], &mut findings);
                shown.extend(findings.iter().map(|finding| match finding {
                    Finding::Application(application, _) => database.name(*application).to_owned(),
                    Finding::SignOn(sign_on) => format!("{:?} {}", sign_on.sighting, sign_on.account),
                    Finding::Resolved(resolved) => format!("{resolved:?}"),
                }));
                match step {
                    Step::Consumed(length) => at += length.max(1),
                    Step::More if waiting[side].len() - at < WINDOW => break,
                    Step::More | Step::Resync => at = waiting[side].len(),
                    Step::Finished | Step::GaveUp => return shown,
                }
            }
            waiting[side].drain(..at.min(waiting[side].len()));
        }
    }
    shown
}

proptest! {
    #[test]
    fn streams_read_the_same_however_they_are_cut(cuts in prop::collection::vec(1usize..40, 1..30)) {
        let text = |from, text: &str| (from, text.as_bytes().to_vec());
        let database = compiled(&[LINES, STREAM, CALLS]);
        let long = format!("PRIVMSG b :{}\r\n", "x 001 y ".repeat(900));
        let lines = [
            text(Sender::Client, "CAP LS\r\nNICK ann\nUSER ann 0 * :A\r\n"),
            text(Sender::Server, ":a.example 001 ann :hello\r\n"),
            text(Sender::Client, &long),
            text(Sender::Client, "QUIT\r\n"),
        ];
        prop_assert_eq!(shown(&database, &lines, &cuts), ["lines", "Login ann", "Logout ann"]);
        let roster = format!("<iq>{}<jid>eve@a.example</jid></iq>", "<item>x</item>".repeat(400));
        let elements = [
            text(Sender::Client, "<?xml version='1.0'?> <stream:stream xmlns:stream='http://streams.example'>"),
            text(Sender::Client, "<auth mechanism='PLAIN'>AGFubgBzZWNyZXQ=</auth>"),
            text(Sender::Server, &roster),
            text(Sender::Server, "<iq type='result'><bind/><jid>ann@a.example/desk</jid></iq>"),
        ];
        prop_assert_eq!(shown(&database, &elements, &cuts), ["stream", "Attempt ann", "Login ann@a.example"]);
        let heads = [
            text(Sender::Client, "REGISTER sip:a SIP/2.0\r\ni: 1\r\nCSeq: 2 REGISTER\r\nm: *\r\nl: 2\r\n\r\nabOPTIONS sip:a SIP/2.0\r\n\r\n"),
            text(Sender::Server, "SIP/2.0 200 OK\r\ni: 1\r\nCSeq: 2 REGISTER\r\nt: sip:10001@a.example\r\n\r\n"),
        ];
        prop_assert_eq!(shown(&database, &heads, &cuts), ["calls", "Login 10001@a.example"]);
    }
}

/// A flow from its start to a port, by segments of octets; what it was named, how surely, and the last step.
fn named(
    database: &Database,
    resolved: Option<&str>,
    segments: &[(Sender, &[u8])],
) -> (Option<(String, Confidence)>, Option<Step>) {
    let resolved = resolved.and_then(|name| database.by_name(name));
    let start = Start { transport: Transport::Tcp, server_port: 9, from_start: true, resolved };
    let (mut flow, mut scratch, mut findings) = (FlowState::new(start), Scratch::new(), Findings::new());
    let (mut name, mut last) = (None, None);
    for (from, octets) in segments {
        last = Some(flow.read(database, &mut scratch, 0, *from, octets, &mut findings));
        for finding in &findings {
            if let Finding::Application(application, confidence) = finding {
                name = Some((database.name(*application).to_owned(), *confidence));
            }
        }
    }
    (name, last)
}

#[test]
fn what_tells_nothing_itself_is_what_its_address_was_found_for() {
    const UNKNOWN: &[(Sender, &[u8])] =
        &[(Sender::Client, &[0x81; 40]), (Sender::Server, &[0x82; 40]), (Sender::Client, &[0x83; 40])];
    let database = compiled(&[LINES]);
    assert_eq!(
        named(&database, Some("lines"), &UNKNOWN[..2]),
        (Some(("lines".into(), Confidence::Likely)), Some(Step::Finished))
    );
    assert_eq!(named(&database, Some("lines"), &UNKNOWN[..1]).0, None, "its other side may tell yet");
    assert_eq!(named(&database, None, &UNKNOWN[..2]), (None, Some(Step::GaveUp)));
    let carriers = compiled(&[BASE]);
    assert!(carriers.by_name("web").is_some());
    assert_eq!(named(&carriers, Some("web"), &UNKNOWN[..2]), (None, Some(Step::GaveUp)));
}
