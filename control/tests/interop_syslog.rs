//! rsyslog and syslog-ng read our syslog alike, and as it was meant: each kind of record, with whatever others put in it.
#![allow(clippy::unwrap_used, reason = "test code outside of test functions")]

mod export_lab;

use std::collections::BTreeMap;
use std::sync::Arc;

use control::export::{Format, Framing, HostConfig, TextOptions, Transport};
use control::record::audit::AuditEvent;
use control::record::schema::MESSAGES;
use control::record::{Class, Record, json, rfc3164, rfc5424};
use export_lab::{Program, Reader, Rig, host, loopback, wait};
use jiff::tz::TimeZone;
use serde_json::Value;

#[path = "export_lab/samples.rs"]
mod samples;
/// Where the samples look for it.
mod presence {
    pub use control::presence::access;
}
mod manage {
    pub use control::manage::Role;
}

type Words = BTreeMap<String, String>;

/// What a receiver understood.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Message {
    pri: String,
    time: String,
    host: String,
    app: String,
    pid: String,
    id: String,
    elements: BTreeMap<String, Words>,
    text: String,
}

impl Message {
    /// As both programs write it down, but for the structured data.
    fn of(line: &Value, elements: BTreeMap<String, Words>) -> Self {
        let text = |name: &str| line[name].as_str().unwrap_or("").trim().to_owned();
        Self {
            pri: text("pri"),
            time: normal(&text("time")),
            host: text("host"),
            app: text("app"),
            pid: text("pid"),
            id: text("id"),
            elements,
            text: text("msg").trim_start_matches('\u{feff}').trim().to_owned(),
        }
    }
}

/// A time with six digits of its fraction, and its offset in digits.
fn normal(time: &str) -> String {
    let time = time.replace('Z', "+00:00");
    let Some(end) = time.len().checked_sub(6) else { return time };
    let (local, offset) = time.split_at(end);
    let (seconds, fraction) = local.split_once('.').unwrap_or((local, ""));
    format!("{seconds}.{fraction:0<6}{offset}")
}

fn words(object: &Value) -> Words {
    let object = object.as_object().into_iter().flatten();
    object.map(|(name, value)| (name.clone(), value.as_str().unwrap().to_owned())).collect()
}

fn elements(object: &Value) -> BTreeMap<String, Words> {
    let object = object.as_object().into_iter().flatten();
    object.map(|(name, element)| (name.clone(), words(element))).collect()
}

/// What rsyslog and syslog-ng understood.
fn by_rsyslog(line: &Value) -> Message {
    // It writes the tree as a text.
    let tree: Value = serde_json::from_str(line["data"].as_str().unwrap_or("{}")).unwrap_or_default();
    Message::of(line, elements(&tree))
}

fn by_syslog_ng(line: &Value) -> Message {
    Message::of(line, elements(&line["_SDATA"]))
}

/// By the grammar of RFC 5424, 6, read here.
fn by_the_letter(line: &str) -> Message {
    let mut parts = line.splitn(7, ' ');
    let mut header = || parts.next().unwrap().to_owned();
    let (pri, time, host, app, pid, id) = (header(), header(), header(), header(), header(), header());
    let pri = pri.strip_prefix('<').unwrap().strip_suffix(">1").unwrap().to_owned();
    let mut rest = parts.next().unwrap().chars().peekable();
    let mut elements = BTreeMap::new();
    let mut until = |ends: &[char]| {
        let mut text = String::new();
        while let Some(character) = rest.next_if(|character| !ends.contains(character)) {
            match character {
                '\\' if ends == ['"'] => text.push(rest.next().unwrap()),
                other => text.push(other),
            }
        }
        (text, rest.next())
    };
    loop {
        let (before, end) = until(&['[', ' ']);
        assert_eq!(before, "");
        if end != Some('[') {
            break;
        }
        let mut words = Words::new();
        let (name, mut end) = until(&[' ', ']']);
        while end == Some(' ') {
            let (name, _) = until(&['=']);
            assert_eq!(until(&['"']).0, "");
            assert!(words.insert(name, until(&['"']).0).is_none(), "a name twice: {line}");
            end = until(&[' ', ']']).1;
        }
        elements.insert(name, words);
    }
    let text = rest.collect::<String>().trim().trim_start_matches('\u{feff}').trim().to_owned();
    Message { pri, time: normal(&time), host, app, pid, id, elements, text }
}

/// Records of every kind, and hostile ones; numbered from 1.
fn records() -> Vec<Arc<Record>> {
    use samples::sample;
    let mut records = sample::all();
    let hostile: Vec<String> = [
        "\"",
        "\\",
        "]",
        "\\]",
        "\\\\\"]",
        "\"] [x@1 a=\"b\"",
        "[",
        "=",
        " ",
        " lead and trail ",
        "%s%n",
        "'",
        "a]b\\c\"d",
        "\u{feff}bom",
        "企鹅 é ß 🐧",
        "\u{7f}\u{85}\u{9b}31m",
        "\u{2028}\u{202e}",
        "<13>1 - - - - - -",
        "\t",
        "\n<134>x",
        "\r\n",
        "\0",
        "a\0b",
        "{\"a\":1}",
        "-",
        "\\n",
        "#012",
        "$(id)",
        "${PRI}",
        "@",
        "\u{10ffff}",
    ]
    .map(str::to_owned)
    .into();
    let long = ["x".repeat(9_000), "企".repeat(3_000), "]".repeat(3_000), "\\\"".repeat(500), "\n".repeat(300)];
    for text in hostile.iter().chain(&long) {
        records.push(sample::login(text));
        let mut record = sample::login("10001");
        if let control::record::Body::Im(im) = &mut record.body {
            let flow = &mut im.flow;
            (flow.rule, flow.application) = (text.as_str().into(), text.as_str().into());
            flow.zones = (text.as_str().into(), text.as_str().into());
            flow.interfaces = (text.as_str().into(), text.as_str().into());
        }
        records.push(record);
    }
    // Control characters each.
    records.extend(
        (0..=0x9f_u8)
            .filter(|octet| octet.is_ascii_control() || *octet >= 0x80)
            .map(|octet| sample::login(&format!("a{}b", char::from(octet)))),
    );
    records.iter_mut().zip(1..).for_each(|(record, number)| record.sequence = number);
    records.into_iter().map(Arc::new).collect()
}

/// Sends the records to a port, and gives what was written down of them.
fn read(reader: &Reader, form: &str, config: HostConfig, records: &[Arc<Record>]) -> Vec<Value> {
    let before = reader.lines(form).len();
    let records_of = Class::ALL.into_iter().map(|class| (class, config.records[0].1)).collect();
    let mut rig = Rig::new(vec![HostConfig { records: records_of, ..config }]);
    records.iter().for_each(|record| rig.push(record));
    rig.until_sent("siem");
    wait("the reader to write", || {
        assert_eq!(reader.complaints(), "");
        reader.lines(form).len() >= before + records.len()
    });
    let lines = reader.lines(form).split_off(before);
    assert_eq!(lines.len(), records.len());
    lines
}

/// A record as the members of its JSON: what was meant.
fn meant(record: &Record, zone: Option<&TimeZone>, digits: u8) -> Value {
    let mut line = Vec::new();
    json::Formatter::new("fw1", zone.cloned(), digits).format(record, &mut line);
    serde_json::from_slice(&line).unwrap()
}

/// The first octets of a text, whole characters of it, with controls made visible.
fn shown(text: &str, most: usize) -> String {
    let mut end = text.len().min(most);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    let visible = |character: char| match character {
        '\0'..='\x1f' => char::from_u32(0x2400 + character as u32).unwrap(),
        '\x7f' => '\u{2421}',
        '\u{80}'..='\u{9f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}' => '\u{fffd}',
        other => other,
    };
    text[..end].chars().map(visible).collect()
}

/// Compares the fields of a message with the members of the object, of which the head has some.
fn says(words: &Words, object: &Value, most: &[usize]) {
    let mut left = words.clone();
    for (name, value) in object.as_object().unwrap() {
        if ["schema", "host", "time"].contains(&name.as_str()) {
            continue;
        }
        let said = left.remove(name);
        let is_right = match (value, &said) {
            (Value::Null, said) => said.is_none() || said.as_deref() == Some("-"),
            (Value::String(text), Some(said)) => most.iter().any(|most| *said == shown(text, *most)),
            (Value::Number(number), Some(said)) => {
                *said == number.to_string() || said.parse::<f64>().ok() == number.as_f64()
            }
            _ => false,
        };
        assert!(is_right, "{name}: {value} became {said:?} in {words:?}");
    }
    assert!(left.is_empty(), "{left:?} was not meant by {object}");
}

/// MSGID of a record.
fn id(object: &Value) -> String {
    let action = object["action"].as_str().unwrap_or("").to_uppercase();
    match (object["event"].as_str().unwrap(), object["class"].as_str()) {
        ("session", _) => format!("SESSION_{action}"),
        ("signon", None) => format!("IM_{action}"),
        ("signon", Some("access")) => format!("ACCESS_{action}"),
        ("signon", _) => "CALL_STATUS".to_owned(),
        ("attack", _) if action == "ONGOING" => "ATTACK".to_owned(),
        ("attack", _) => format!("ATTACK_{action}"),
        ("audit", _) => action.replace('-', "_"),
        _ => "LOG_LOSS".to_owned(),
    }
}

fn readers() -> Option<[Reader; 2]> {
    Some([Reader::start(Program::Rsyslog)?, Reader::start(Program::SyslogNg)?])
}

#[test]
fn rfc5424_is_read_alike_and_as_it_was_meant() {
    let Some([rsyslog, syslog_ng]) = readers() else { return };
    let records = records();
    let plain = TextOptions::default();
    let (source, zone) = ("127.0.0.1".parse().unwrap(), |name| Some(TimeZone::get(name).unwrap()));
    let all = TextOptions { quality: true, synchronised: true, origin: true, ..plain };
    for (options, source, zone) in [
        (plain, None, None),
        (TextOptions { bom: true, digits: 3, ..plain }, None, zone("Asia/Kathmandu")),
        (all, Some(source), zone("America/St_Johns")),
        (TextOptions { bom: true, facility: 4, ..all }, None, zone("Australia/Adelaide")),
        (TextOptions { sequence_id: false, sentence: false, facility: 0, ..plain }, None, None),
    ] {
        let config = |port| {
            let mut config = host("siem", loopback(port), Transport::Tcp, Format::Syslog);
            config.via.source = source;
            HostConfig { text: options, time_zone: zone.clone(), ..config }
        };
        let lines = [
            read(&rsyslog, "rfc5424", config(rsyslog.rfc5424), &records),
            read(&syslog_ng, "rfc5424", config(syslog_ng.rfc5424), &records),
        ];
        let mut formatter = rfc5424::Formatter::new("fw1", std::process::id(), zone.clone()).with(&options, source);
        for (index, record) in records.iter().enumerate() {
            let mut line = Vec::new();
            formatter.format(record, &mut line);
            let line = String::from_utf8(line).unwrap();
            let letter = by_the_letter(&line);
            assert_eq!(by_rsyslog(&lines[0][index]), letter, "rsyslog, of {line}");
            assert_eq!(by_syslog_ng(&lines[1][index]), letter, "syslog-ng, of {line}");

            let object = meant(record, zone.as_ref(), options.digits);
            says(&letter.elements["ostiary@32473"], &object, &[255, 48]);
            let listed = MESSAGES.iter().find(|(known, ..)| *known == letter.id).map(|(_, severity, _)| *severity);
            let event = object["action"].as_str().and_then(AuditEvent::named);
            let severity = listed.or_else(|| event.map(AuditEvent::severity)).unwrap();
            let failed = letter.id == "CALL_STATUS" && object["result"] == "fail";
            let severity = if failed { 5 } else { severity };
            assert_eq!(letter.pri, (options.facility * 8 + severity).to_string(), "{line}");
            assert_eq!((&*letter.host, &*letter.app, letter.id.clone()), ("fw1", "ostiary", id(&object)));
            assert_eq!(letter.pid, std::process::id().to_string());
            assert_eq!(letter.time, normal(object["time"].as_str().unwrap()));
            assert_eq!(letter.text.is_empty(), !options.sentence);
            let sequence = letter.elements.get("meta").map(|meta| meta["sequenceId"].clone());
            assert_eq!(sequence, options.sequence_id.then(|| (index + 1).to_string()));
            let quality = letter.elements.get("timeQuality").map(|quality| quality["isSynced"].as_str());
            assert_eq!(quality, options.quality.then_some("1"));
            let origin = letter.elements.get("origin");
            assert_eq!(origin.is_some(), options.origin);
            let address = source.map(|source: std::net::IpAddr| source.to_string());
            assert_eq!(origin.and_then(|origin| origin.get("ip")), address.as_ref());
        }
    }
}

#[test]
fn rfc3164_is_read_alike_and_as_it_was_meant() {
    let Some([rsyslog, syslog_ng]) = readers() else { return };
    let records = records();
    let config = |port| {
        let config = host("siem", loopback(port), Transport::Tcp, Format::Rfc3164);
        HostConfig { framing: Framing::Lf, ..config }
    };
    let lines = [
        read(&rsyslog, "rfc3164", config(rsyslog.rfc3164), &records),
        read(&syslog_ng, "rfc3164", config(syslog_ng.rfc3164), &records),
    ];
    let mut formatter = rfc3164::Formatter::new("fw1", std::process::id(), None, 16, 6);
    for (index, record) in records.iter().enumerate() {
        let mut line = Vec::new();
        formatter.format(record, &mut line);
        let line = String::from_utf8(line).unwrap();
        let read = [by_rsyslog(&lines[0][index]), by_syslog_ng(&lines[1][index])];
        // Neither is told the year.
        let [ours, theirs] = read.map(|mut message| {
            message.time = message.time.split_off(4);
            message.id = String::new();
            message
        });
        assert_eq!(ours, theirs, "{line}");
        assert_eq!(ours.time, "-03-01T08:15:30.000000+00:00", "{line}");
        assert_eq!((&*ours.host, &*ours.app, ours.pid), ("fw1", "ostiary", std::process::id().to_string()));
        let head = format!("<{}>Mar  1 08:15:30 fw1 ostiary[{}]: {}", ours.pri, std::process::id(), ours.text);
        assert_eq!(head.trim_end(), line.trim_end());
        // Its words, unless the message was cut.
        if line.len() < rfc3164::MAX_MESSAGE - 4 {
            let mut object = meant(record, None, 6);
            // To syslog-ng's template the word of that name is the header's.
            object.as_object_mut().unwrap().remove("pid");
            assert_eq!(line.split(' ').nth(6).unwrap(), id(&object));
            let mut words = words(&lines[1][index]);
            words.retain(|name, _| !["pri", "time", "host", "app", "pid", "id", "msg"].contains(&name.as_str()));
            says(&words, &object, &[usize::MAX, 255]);
        }
    }
}

#[test]
fn json_lines_are_read_alike_and_as_they_were_meant() {
    let Some([rsyslog, syslog_ng]) = readers() else { return };
    let records = records();
    let config = |port| {
        let config = host("siem", loopback(port), Transport::Tcp, Format::Json);
        HostConfig { framing: Framing::Lf, ..config }
    };
    let lines = [
        read(&rsyslog, "json", config(rsyslog.json), &records),
        read(&syslog_ng, "json", config(syslog_ng.json), &records),
    ];
    for (index, record) in records.iter().enumerate() {
        let object = meant(record, None, 6);
        // To both, a text ends where a zero octet is in it.
        let ended = |value: &mut Value| {
            if let Value::String(text) = value {
                *value = text.split('\0').next().unwrap().into();
            }
        };
        let mut object = object;
        object.as_object_mut().unwrap().values_mut().for_each(ended);
        assert_eq!(lines[0][index], object, "rsyslog");
        // syslog-ng has texts only, and leaves out null.
        let mut left = lines[1][index].as_object().unwrap().clone();
        for (name, value) in object.as_object().unwrap() {
            let said = left.remove(name);
            let said = said.as_ref().map(|said| said.as_str().unwrap());
            let is_right = match value {
                Value::Null => said.is_none_or(str::is_empty),
                Value::String(text) => said == Some(text),
                number => said.and_then(|said| said.parse::<f64>().ok()) == number.as_f64(),
            };
            assert!(is_right, "{name}: {value} became {said:?}");
        }
        assert!(left.is_empty(), "{left:?}");
    }
}
