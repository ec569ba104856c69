//! Golden files: one record of each kind in each format, as this version of the records has them. Parsers at collectors
//! are written for these; who changes one makes a new version. `OSTIARY_BLESS=1` writes them.

use std::fs;
use std::path::PathBuf;

use super::ipfix::{Encoder, NotSent};
use super::schema::VERSION;
use super::*;
use crate::record::{cef, huawei, json, rfc3164, rfc5424, sample};

/// Compares with a file of the repository, or writes it.
fn compare(path: &str, made: &[u8]) {
    let file = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("..").join(path);
    if std::env::var_os("OSTIARY_BLESS").is_some() {
        fs::create_dir_all(file.parent().unwrap()).unwrap();
        return fs::write(file, made).unwrap();
    }
    let held = fs::read(&file).unwrap_or_default();
    let (held, made) = (String::from_utf8_lossy(&held), String::from_utf8_lossy(made));
    assert!(held == made, "{path} is not what is written now:\n{made}");
}

fn lines(mut write: impl FnMut(&Record, &mut Vec<u8>)) -> Vec<u8> {
    let mut lines = Vec::new();
    for record in sample::all() {
        let before = lines.len();
        write(&record, &mut lines);
        if lines.len() > before {
            lines.push(b'\n');
        }
    }
    lines
}

/// Messages that a collector gets, as hexadecimal octets, 32 a line, an empty line behind each message.
fn messages() -> Vec<u8> {
    let mut encoder = Encoder::new(7, 1_400);
    let mut text = String::new();
    let mut put = |message: &[u8]| {
        for line in message.chunks(32) {
            text.extend(line.iter().map(|octet| format!("{octet:02x}")));
            text.push('\n');
        }
        text.push('\n');
    };
    encoder.announce(&Class::ALL, 1_772_352_930, |message, _| put(message));
    for record in sample::all() {
        encoder.add(&record);
        put(encoder.finish(1_772_352_930).unwrap().0);
    }
    text.into_bytes()
}

#[test]
fn each_format_is_as_this_version_has_it() {
    let golden = |name: &str, made: Vec<u8>| compare(&format!("tests/data/golden/v{VERSION}/{name}"), &made);
    let (mut syslog, mut old) =
        (rfc5424::Formatter::new("fw1", 4711, None), rfc3164::Formatter::new("fw1", 4711, None, 16, 6));
    let (mut object, vendor) = (json::Formatter::new("fw1", None, 6), huawei::Formatter::new("fw1", None));
    let mut event = cef::Formatter::new("fw1", None, 16);
    golden("syslog.txt", lines(|record, out| syslog.format(record, out)));
    golden("rfc3164.txt", lines(|record, out| old.format(record, out)));
    golden("json.txt", lines(|record, out| object.format(record, out)));
    golden("huawei.txt", lines(|record, out| vendor.format(record, out)));
    // The version of the program changes more often than that of the records.
    let version = format!("|ostiary|{}|", env!("CARGO_PKG_VERSION"));
    let events = String::from_utf8(lines(|record, out| event.format(record, out))).unwrap();
    golden("cef.txt", events.replace(&version, "|ostiary|VERSION|").into_bytes());
    golden("ipfix.hex", messages());
}

#[test]
fn the_page_is_what_the_tables_say() {
    let page = schema::page();
    assert!(!page.contains('?'), "every element of the templates has a name");
    compare("control/records.md", page.as_bytes());
}

#[test]
fn the_page_of_the_trail_is_what_the_tables_say() {
    compare("control/audit.md", audit::page().as_bytes());
}

#[test]
fn every_message_is_in_the_table_and_has_its_severity() {
    for record in sample::all() {
        let (severity, id) = kind(&record.body);
        if let Body::Audit(audit) = &record.body {
            assert_eq!((severity, id), (audit.severity, audit.event.id()));
            continue;
        }
        let Some((_, listed, _)) = schema::MESSAGES.iter().find(|(known, ..)| *known == id) else { panic!("{id}") };
        assert!(severity == *listed || (id == "CALL_STATUS" && severity == 5), "{id}: {severity}");
    }
    let told: Vec<_> = sample::all().iter().map(|record| kind(&record.body).1).collect();
    for (id, ..) in schema::MESSAGES {
        assert!(told.contains(id), "no sample of {id}");
    }
}

/// The statement of the export is data of a template that was announced.
#[test]
fn what_is_stated_was_announced() {
    let mut encoder = Encoder::new(7, 1_400);
    let mut announced = Vec::new();
    encoder.announce(&[Class::Session], 0, |message, _| announced.extend_from_slice(message));
    encoder.state(NotSent::default(), 0, |message, records| {
        assert_eq!((records, &message[16..18]), (2, &257_u16.to_be_bytes()[..]));
    });
    for id in [256_u16, 257, 258] {
        assert!(announced.windows(2).any(|octets| octets == id.to_be_bytes()));
    }
}
