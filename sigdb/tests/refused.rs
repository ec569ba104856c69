//! What the compiler refuses, and how it says so.

use sigdb::{Source, compile};

const HEAD: &str = "version = \"1\"\ndate = \"2026-01-01\"\n";

/// A file that compiles: one application, known by four octets at the start of a UDP datagram.
const GOOD: &str = r#"
[application]
name = "thing"
title = "Thing"

[[protocol]]
name = "hello"
limit = "60 s"
[[protocol.carrier]]
transport = "udp"
framing = { kind = "datagram" }
[[protocol.identify]]
when = [{ at = 0, octets = "01 02 03 04" }]
[[protocol.message]]
name = "login"
from = "client"
when = [{ at = 4, u8 = 1 }]
account = { at = 5, form = "digits" }
means = "attempt"
[[protocol.message]]
name = "welcome"
from = "server"
when = [{ at = 4, u8 = 2 }]
answers = ["login"]
account = { at = 5, form = "digits" }
means = "login"

[[sample]]
name = "hit"
transport = "udp"
server-port = 9
application = "thing"
sightings = ["attempt 12345", "login 12345"]
segment = [
  { from = "client", octets = "01 02 03 04 01 31 32 33 34 35" },
  { from = "server", octets = "01 02 03 04 02 31 32 33 34 35" },
]
[[sample]]
name = "miss"
transport = "udp"
server-port = 9
application = "none"
segment = [{ from = "client", octets = "01 02 03 05" }]
"#;

fn faults(text: &str) -> String {
    let sources = [("database.toml", HEAD), ("thing.toml", text)]
        .map(|(name, text)| Source { name: name.into(), text: text.into() });
    match compile(&sources) {
        Ok(_) => String::new(),
        Err(faults) => faults.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n"),
    }
}

/// The good file with one thing changed is refused with these words.
#[track_caller]
fn refused(from: &str, to: &str, words: &str) {
    assert!(GOOD.contains(from), "{from:?} does not stand in the file");
    let said = faults(&GOOD.replacen(from, to, 1));
    assert!(said.starts_with("thing.toml: ") && said.contains(words), "said {said:?}, not {words:?}");
}

#[test]
fn the_good_file_compiles() {
    assert_eq!(faults(GOOD), "");
}

#[test]
fn a_sample_that_does_not_hold_is_refused() {
    refused("login 12345\"]", "login 12346\"]", "sample \"hit\": expected sightings");
    refused("04 02 31", "04 03 31", "found [\"attempt 12345\"]");
    refused("\"01 02 03 05\"", "\"01 02 03 04\"", "sample \"miss\": expected application \"none\", found \"thing\"");
    refused("application = \"none\"", "application = \"thing\"", "near misses");
}

#[test]
fn what_the_language_does_not_know_is_refused_with_its_line() {
    refused("limit = \"60 s\"", "limits = \"60 s\"", "line 8: unknown field `limits`");
    refused("means = \"attempt\"", "means = \"try\"", "unknown variant `try`");
    refused("limit = \"60 s\"", "limit = \"60\"", "no span of time");
    refused("[application]", "[application", "line 2");
}

#[test]
fn what_contradicts_itself_is_refused() {
    refused("answers = [\"login\"]", "answers = [\"hello\"]", "message welcome: answers \"hello\"");
    refused("{ at = 0, octets = \"01 02 03 04\" }", "{ server-port = 9 }", "a port or a length alone");
    refused("{ at = 0, octets = \"01 02 03 04\" }", "{ at = 0 }", "a test says one thing, this one 0");
    refused("{ at = 0, octets = \"01 02 03 04\" }", "{ octets = \"01\" }", "needs 'at'");
    refused("octets = \"01 02 03 04\" }]\n[[", "octets = \"01 0\" }]\n[[", "no string of hex octets");
    refused("octets = \"01 02 03 04\" }]\n[[", "octets = \"01\", mask = \"ff ff\" }]\n[[", "of one length");
    refused("u8 = 1 }", "u8 = { from = 2, to = 1 } }", "neither a number");
    refused("{ at = 4, u8 = 1 }", "{ at = \"tail + 4\", u8 = 1 }", "neither start, end, body nor an anchor");
    refused("{ kind = \"datagram\" }", "{ kind = \"stream\" }", "'datagram' and 'quic' go with udp");
    refused("name = \"thing\"", "name = \"Thing\"", "lower-case");
    refused("name = \"thing\"", "name = \"unknown\"", "is taken");
    refused("form = \"digits\" }", "form = \"digits\", prefix = 5 }", "'prefix' is 1, 2, 3 or 4");
}

#[test]
fn what_would_be_ignored_is_refused() {
    let alone = "a key that goes with another stands alone";
    refused("{ at = 4, u8 = 1 }", "{ at = 4, length = 10 }", alone);
    refused("octets = \"01 02 03 04\" }]\n[[", "octets = \"01\", little = true }]\n[[", alone);
    refused("{ at = 4, u8 = 1 }", "{ field = { at = 5, form = \"digits\", optional = true } }", alone);
    refused("u8 = 1 }", "u8 = 256 }", "a number in 1 octets is never");
    refused("form = \"digits\" }", "form = \"digits\", inclusive = true }", "'inclusive' goes with 'prefix'");
    refused("form = \"digits\" }", "form = \"ascii\", least = 5 }", "'least' and 'most' go with numbers");
    refused("{ at = 5, form = \"digits\" }", "{ query = \"u\", form = \"u32\" }", "what a framing took apart is text");
}

#[test]
fn what_could_never_hold_is_refused() {
    let goes = "goes with framing";
    refused("{ at = 4, u8 = 1 }", "{ word = 0, is = \"a\" }", goes);
    refused("{ at = 4, u8 = 1 }", "{ element = \"a\" }", goes);
    refused("{ at = 4, u8 = 1 }", "{ status = 200 }", goes);
    refused("{ at = 5, form = \"digits\" }", "{ header = \"to\", form = \"uri\" }", goes);
    refused("{ at = 4, u8 = 1 }", "{ modulo = [8, 8] }", "the remainder below it");
    refused("{ at = 4, u8 = 1 }", "{ turns = [] }", "'turns' has 1 to 3");
    refused("{ at = 4, u8 = 1 }", "{ at = 4, u8 = 1, any-case = true }", "stands alone");
    refused(
        "answers = [\"login\"]",
        "answers = [\"login\"]\ntransaction = { at = 5, form = \"u32\" }",
        "is not that of login",
    );
}

#[test]
fn evidence_that_nothing_shows_is_refused() {
    let when = "when = [{ at = 0, octets = \"01 02 03 04\" }]\n[[";
    refused(when, &format!("needs = [\"hello\"]\n{when}"), "needs \"hello\", which no clue");
    refused(when, &format!("shows = \"hello\"\n{when}"), "nothing identifies it");
    refused(when, &format!("between = [{{ at = 0, u8 = 1 }}]\n{when}"), "'between' needs 'messages'");
    refused(when, &format!("messages = 9\n{when}"), "at most 8");
    refused(when, &format!("also = [[{{ length = 4 }}]]\n{when}"), "a port or a length alone");
}

#[test]
fn counts_of_datagrams_that_prove_nothing_are_refused() {
    let when = "when = [{ at = 0, octets = \"01 02 03 04\" }]\n[[";
    let likely = "confidence = \"likely\"\n";
    refused(when, &format!("times = 2\n{when}"), "it names as likely");
    refused(when, &format!("{likely}times = 9\n{when}"), "'times' is 1 to 8");
    refused(when, &format!("ends = true\n{when}"), "'ends' needs 'times'");
    refused(when, &format!("yields = 9\n{when}"), "'yields' at most 8");
    refused(when, &format!("yields = 2\n{when}"), "for applications that are a base");
    let tcp = GOOD.replace("\"udp\"", "\"tcp\"").replace("kind = \"datagram\"", "kind = \"stream\"");
    for key in ["times = 2", "yields = 2"] {
        let said = faults(&tcp.replacen(when, &format!("{likely}{key}\n{when}"), 1));
        assert!(said.contains("count datagrams"), "{said}");
    }
}

#[test]
fn anchors_that_lead_nowhere_are_refused() {
    let anchored = |anchors: &str| format!("limit = \"60 s\"\n[protocol.anchor]\n{anchors}");
    refused(
        "limit = \"60 s\"",
        &anchored("a = { at = \"b\", prefix = 1 }\nb = { at = \"a\", prefix = 1 }"),
        "neither start",
    );
    refused("limit = \"60 s\"", &anchored("a = { at = 1 }"), "an anchor has one of");
    refused("limit = \"60 s\"", &anchored("a = { prefix = 1 }"), "only 'find' and 'in' go without 'at'");
    refused("limit = \"60 s\"", &anchored("a-b = { at = 1, prefix = 1 }"), "of letters and digits");
    refused("limit = \"60 s\"", &anchored("a = { at = 1, prefix = 1, if = [{ length = 1 }] }"), "'if' takes octets");
    let mut chain = "a0 = { at = 0, prefix = 1 }".to_owned();
    for number in 1..8 {
        let below = number - 1;
        chain += &format!("\na{number} = {{ at = \"a{below}\", prefix = 1, if = [{{ at = \"a{below}\", u8 = 1 }}] }}");
    }
    refused("limit = \"60 s\"", &anchored(&chain), "more than 64 reads");
}

#[test]
fn secrets_cannot_be_read() {
    let part = |part| format!("{{ at = 5, form = \"utf8\", base64 = true, part = {part} }}");
    refused("{ at = 5, form = \"digits\" }", &part(3), "the third is a secret");
    refused("{ at = 5, form = \"digits\" }", "{ at = 5, form = \"utf8\", base64 = true }", "the third is a secret");
}

#[test]
fn a_database_needs_its_name() {
    let sources = [Source { name: "thing.toml".into(), text: GOOD.into() }];
    let faults = compile(&sources).unwrap_err();
    assert!(faults[0].to_string().contains("database.toml: file: is missing"));
}

#[test]
fn all_faults_are_said_at_once() {
    let text = GOOD.replacen("u8 = 1", "u8 = []", 1).replacen("name = \"thing\"", "name = \"\"", 1);
    assert!(faults(&text).lines().count() >= 2, "{}", faults(&text));
}

#[test]
fn the_serial_is_the_date_unless_it_is_said() {
    let serial = |head: &str| {
        let sources = [("database.toml", head), ("thing.toml", GOOD)]
            .map(|(name, text)| Source { name: name.into(), text: text.into() });
        compile(&sources).map(|database| database.serial()).map_err(|faults| faults[0].to_string())
    };
    assert_eq!(serial(HEAD), Ok(2_026_010_100));
    assert_eq!(serial(&format!("{HEAD}serial = 2026010103\n")), Ok(2_026_010_103));
    for date in ["2026-13-01", "2026-1-1", "yesterday", "2026-01-01-01"] {
        let fault = serial(&HEAD.replace("2026-01-01", date)).unwrap_err();
        assert!(fault.contains("database.toml: date") && fault.contains("YYYY-MM-DD"), "{fault}");
    }
}

#[test]
fn more_lists_of_names_than_can_be_told_apart_are_refused() {
    let clue = |number: usize| format!("[[protocol.identify]]\nwhen = [{{ server-name = [\"n{number}.example\"] }}]\n");
    let file = |lists: usize| {
        let clues: String = (0..lists).map(clue).collect();
        format!(
            "[application]\nname = \"thing\"\ntitle = \"Thing\"\n[[protocol]]\nname = \"web\"\n[[protocol.carrier]]\ntransport = \"tcp\"\nframing = {{ kind = \"tls\" }}\n{clues}"
        )
    };
    let faults = |lists| {
        let sources = [("database.toml", HEAD.to_owned()), ("thing.toml", file(lists))];
        let sources = sources.map(|(name, text)| Source { name: name.into(), text });
        compile(&sources).err().unwrap_or_default().iter().map(|fault| fault.to_string()).collect::<Vec<_>>().join("\n")
    };
    assert!(faults(1025).contains("1025 different lists of names; 1024 are possible"), "{}", faults(1025));
    assert!(!faults(1024).contains("different lists"), "{}", faults(1024));
}
