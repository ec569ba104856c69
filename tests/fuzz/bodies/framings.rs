//! Messages of every framing that is told from octets alone: however a side's octets are cut, they are the same messages.
//! The first octet chooses the framing, the second how many cuts there are; then the cuts, then the octets.

use std::sync::LazyLock;

use sigdb::{Database, Finding, Findings, FlowState, Scratch, Sender, Source, Start, Step, Transport, WINDOW, compile};

/// A framing, a test that its first message holds, that message, and an account that the others may show.
const FRAMINGS: [(&str, &str, &[u8], &str); 9] = [
    ("kind = \"line\"", "word = 0, is = \"HELLO\"", b"HELLO\r\n", "word = 1, form = \"utf8\""),
    ("kind = \"line\", pass-over = \"@:\"", "word = 0, is = \"HELLO\"", b"HELLO\r\n", "word = 0, form = \"ascii\""),
    ("kind = \"xml\", open = [\"s\"]", "element = \"hello\"", b"<hello/>", "attribute = \"a\", form = \"utf8\""),
    ("kind = \"xml\"", "element = \"hello\"", b"<hello/>", "element = \"b\", form = \"utf8\""),
    (
        "kind = \"sip\"",
        "method = \"HELLO\"",
        b"HELLO sip:a.example SIP/2.0\r\nContent-Length: 0\r\n\r\n",
        "header = \"call-id\", form = \"ascii\"",
    ),
    (
        "kind = \"varint-length\", at = 1, least = 2, most = 70000",
        "at = 0, octets = \"c5\"",
        b"\xc5\x02\x00\x00",
        "at = 0, form = \"u32\"",
    ),
    (
        "kind = \"length\", at = 1, size = 2, strip = 1, least = 3, most = 9000",
        "at = 2, octets = \"c5\"",
        b"\x00\x00\x05\xc5\x00",
        "at = \"end - 4\", form = \"u32\"",
    ),
    (
        "kind = \"length\", at = 0, size = 2, little = true, add = 2, least = 2, most = 60000",
        "at = 2, octets = \"c5\"",
        b"\x01\x00\xc5",
        "at = 2, prefix = 1, form = \"utf8\"",
    ),
    ("kind = \"http\"", "path = \"/hello\"", b"GET /hello HTTP/1.1\r\n\r\n", "query = \"u\", form = \"ascii\""),
];

/// Reads them whole, and cut.
pub fn run(data: &[u8]) {
    let Some((&[kind, cuts], data)) = data.split_first_chunk::<2>() else { return };
    let kind = usize::from(kind) % FRAMINGS.len();
    let (cuts, data) = data.split_at(usize::from(cuts).min(data.len()));
    let octets = [FRAMINGS[kind].2, data].concat();
    // None of these framings leaves anything in it.
    let mut scratch = Scratch::new();
    let mut messages = |cuts: &[u8]| messages(kind, &octets, cuts, &mut scratch);
    let whole = messages(&[]);
    assert!(!whole.is_empty(), "the first message identifies");
    let cut = messages(cuts);
    assert_eq!(whole, cut, "framing {}", FRAMINGS[kind].0);
    // One octet at a time is as good.
    if octets.len() < 600 {
        assert_eq!(whole, messages(&[1]), "framing {}, octet by octet", FRAMINGS[kind].0);
    }
}

/// Where messages begin and what they show, up to the first place from which only a segment's start leads on.
fn messages(kind: usize, octets: &[u8], cuts: &[u8], scratch: &mut Scratch) -> Vec<(usize, String)> {
    let database = &databases()[kind];
    let mut flow = flow();
    let mut found = Vec::new();
    let (mut at, mut here) = (0, 0);
    let mut cuts = cuts.iter().cycle();
    while here < octets.len() {
        here = cuts.next().map_or(octets.len(), |cut| here + usize::from(*cut).max(1)).min(octets.len());
        while at < here {
            // The packet path keeps one window of what is not read yet.
            let shown = &octets[at..here];
            let mut findings = Findings::new();
            let step = flow.read(database, scratch, 0, Sender::Client, shown, &mut findings);
            for finding in &findings {
                match finding {
                    Finding::Application(..) => found.push((at, "named".to_owned())),
                    Finding::SignOn(sign_on) => found.push((at, sign_on.account.to_string())),
                    Finding::Resolved(_) => panic!("there is no DNS here"),
                }
            }
            match step {
                Step::Consumed(length) => at += length.max(1),
                Step::More if shown.len() < WINDOW => break,
                Step::More | Step::Resync | Step::Finished | Step::GaveUp => return found,
            }
        }
    }
    found
}

fn flow() -> FlowState {
    FlowState::new(Start { transport: Transport::Tcp, server_port: 9, from_start: true, resolved: None })
}

/// A database for each framing.
fn databases() -> &'static [Database] {
    static DATABASES: LazyLock<Vec<Database>> = LazyLock::new(|| FRAMINGS.iter().map(database).collect());
    &DATABASES
}

fn database((framing, when, hello, account): &(&str, &str, &[u8], &str)) -> Database {
    let octets: String = hello.iter().map(|octet| format!("{octet:02x}")).collect();
    let sample = |name: &str, application: &str, octets: &str| {
        format!(
            "[[sample]]\nname = \"{name}\"\ntransport = \"tcp\"\nserver-port = 9\napplication = \"{application}\"\n\
             segment = [{{ from = \"client\", octets = \"{octets}\" }}]\n"
        )
    };
    let text = format!(
        "[application]\nname = \"thing\"\ntitle = \"Thing\"\n[[protocol]]\nname = \"thing\"\n[[protocol.carrier]]\n\
         transport = \"tcp\"\nframing = {{ {framing} }}\n[[protocol.identify]]\nwhen = [{{ {when} }}]\n\
         [[protocol.message]]\nname = \"hello\"\nwhen = [{{ {when} }}]\nmeans = \"nothing\"\n\
         [[protocol.message]]\nname = \"said\"\naccount = {{ {account} }}\nmeans = \"mention\"\n{}{}",
        sample("hit", "thing", &octets),
        sample("miss", "none", "ff ff ff ff ff ff ff ff"),
    );
    let source = |name: &str, text: &str| Source { name: name.into(), text: text.into() };
    let head = source("database.toml", "version = \"1\"\ndate = \"2026-01-01\"\n");
    match compile(&[head, source("thing.toml", &text)]) {
        Ok(database) => database,
        Err(faults) => panic!("{framing}: {faults:?}"),
    }
}
