//! `ostiary audit`: the trail from its files, whether the firewall runs or not. Who may read them is the folder's matter.

use std::fs::OpenOptions;
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use aws_lc_rs::digest::{Context, SHA256};
use dataplane::time::Nanos;
use jiff::civil::Date;
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

use super::arguments::{AuditCommand, AuditOptions, Conditions, TrailFile};
use super::output::{Failure, Output, Style, caution, count, paint, visible};
use crate::audit::line::Digest;
use crate::audit::series::{FILE_MODE, Series};
use crate::audit::verify::{Asked, Report, verify};
use crate::audit::{Query, key, reader};
use crate::manage;
use crate::manage::protocol::{Action, Answer};
use crate::signatures::key::PublicKey;

pub(super) fn audit(options: &AuditOptions, output: &mut Output) -> Result<(), Failure> {
    let folder = &options.directory;
    match &options.what {
        AuditCommand::Verify { files, keys, anchor, json } => {
            let asked = Asked { keys: trusted(folder, keys)?, anchor: anchor.as_deref().map(read_anchor).transpose()? };
            prove(folder, files, &asked, *json, output)
        }
        AuditCommand::Show { conditions, newest, json } => show(folder, conditions, *newest, *json, output),
        AuditCommand::Export { conditions, output: to } => export(folder, conditions, to.as_deref(), output),
        AuditCommand::Rotate { at } => ask(at, Action::AuditRotate { file: at.file.clone() }, output),
        AuditCommand::Upload { at } => ask(at, Action::AuditUpload { file: at.file.clone() }, output),
        AuditCommand::Key => match key::public(folder).map_err(|error| unreadable(&error))? {
            Some(key) => output.line(&key.to_string()),
            None => Err(Failure::Input(format!("{}: there is no key of an audit trail", folder.display()))),
        },
    }
}

fn ask(at: &TrailFile, action: Action, output: &mut Output) -> Result<(), Failure> {
    let mut answers = manage::request(&at.socket, &action)?;
    while let Some(answer) = answers.next_row()? {
        if let Answer::Done(row) = answer {
            output.line(&row.text)?;
        }
    }
    Ok(())
}

fn unreadable(error: &io::Error) -> Failure {
    Failure::Input(error.to_string())
}

/// The keys that may have signed: those that were given, or else that which lies beside the trail.
fn trusted(folder: &Path, keys: &[String]) -> Result<Vec<PublicKey>, Failure> {
    let mut trusted = Vec::new();
    for key in keys {
        let text = std::fs::read_to_string(key);
        let text = text.as_deref().unwrap_or(key);
        let none = || Failure::Input(format!("--key {key}: neither 32 octets in base 64 nor a file of them"));
        trusted.push(PublicKey::parse(text).ok_or_else(none)?);
    }
    if keys.is_empty() {
        trusted.extend(key::public(folder).map_err(|error| unreadable(&error))?);
    }
    Ok(trusted)
}

fn read_anchor(text: &str) -> Result<(u64, Digest), Failure> {
    let read = text.split_once(':').and_then(|(n, hash)| Some((n.parse().ok()?, Digest::parse(hash)?)));
    let form = "last-record and hash of a record audit-checkpoint, as in 1200:HASH of 43 characters";
    read.ok_or_else(|| Failure::Input(format!("--anchor {text}: not {form}")))
}

fn prove(folder: &Path, files: &[String], asked: &Asked, json: bool, output: &mut Output) -> Result<(), Failure> {
    let all = match files {
        [] => Series::names(folder).map_err(|error| Failure::Input(format!("{}: {error}", folder.display())))?,
        files => files.to_vec(),
    };
    if all.is_empty() {
        return Err(Failure::Input(format!("{}: there is no audit trail", folder.display())));
    }
    if all.len() > 1 && asked.anchor.is_some() {
        return Err(Failure::Input("--anchor is one of a file: name it with --file".to_owned()));
    }
    let mut intact = true;
    for name in &all {
        let report = verify(&Series::new(folder, name), asked).map_err(|error| Failure::Input(error.to_string()))?;
        intact &= report.is_intact();
        if json { output.json(&row(name, &report))? } else { tell(name, &report, output)? }
    }
    output.finish()?;
    if intact { Ok(()) } else { Err(Failure::Running("the audit trail is not as it was written".to_owned())) }
}

fn row(name: &str, report: &Report) -> Value {
    let faults = report
        .faults
        .iter()
        .map(|fault| json!({ "file": fault.file.display().to_string(), "line": fault.line, "what": fault.what }));
    json!({
        "file": name, "intact": report.is_intact(), "files": report.files, "first-serial": report.first_serial,
        "records": report.records, "first": report.numbers.map(|(first, _)| first),
        "last": report.numbers.map(|(_, last)| last), "lost": report.lost, "unsigned": report.unsigned,
        "key": report.key.map(|key| key.to_string()), "proven": report.proven,
        "faults": faults.collect::<Vec<_>>(), "more-faults": report.more,
    })
}

fn tell(name: &str, report: &Report, output: &mut Output) -> Result<(), Failure> {
    let colour = output.colour();
    let (style, verdict) = if report.is_intact() { (Style::Good, "intact") } else { (Style::Bad, "not intact") };
    let files = count(report.files as usize, "file");
    let records = match report.numbers {
        Some((first, last)) => format!("{}, numbers {first} to {last}", count(report.records as usize, "record")),
        None => "no records".to_owned(),
    };
    output.line(&format!("{name}: {}, {files}, {records}", paint(colour, style, verdict)))?;
    if report.first_serial > 1 {
        output.line(&format!("  begins with serial {}: those before it are not here any more", report.first_serial))?;
    }
    if let Some(key) = report.key {
        output.line(&format!("  signed with {key}"))?;
    }
    if report.lost > 0 {
        output.line(&format!("  {} lost, as the signed lines say", count(report.lost as usize, "record")))?;
    }
    if report.unsigned > 0 {
        output.line(&format!("  {} at the end not signed yet", count(report.unsigned as usize, "record")))?;
    }
    if report.is_intact() {
        return Ok(());
    }
    for fault in &report.faults {
        output.line(&format!("  {}", paint(colour, Style::Bad, &visible(&fault.to_string()))))?;
    }
    if report.more > 0 {
        output.line(&format!("  and {} more", report.more))?;
    }
    for (first, last) in &report.proven {
        output.line(&format!("  proven: records {first} to {last}"))?;
    }
    Ok(())
}

fn query(folder: &Path, conditions: &Conditions) -> Result<(Series, Query), Failure> {
    let time = |option: &str, text: &Option<String>| text.as_deref().map(|text| read_time(option, text)).transpose();
    let series = Series::new(folder, &conditions.file);
    if !series.live().exists() {
        let names = Series::names(folder).map_err(|error| Failure::Input(format!("{}: {error}", folder.display())))?;
        let there = if names.is_empty() { "none".to_owned() } else { names.join(", ") };
        return Err(Failure::Input(format!(
            "{}: no file {:?} of a trail; there are: {there}",
            folder.display(),
            conditions.file
        )));
    }
    let query = Query {
        file: conditions.file.clone(),
        from: time("--from", &conditions.from)?,
        to: time("--to", &conditions.to)?,
        until_sequence: None,
        events: conditions.event.clone(),
        severity: conditions.severity.as_deref().map(read_severity).transpose()?,
        user: conditions.user.clone(),
        contains: conditions.contains.clone(),
        newest_first: false,
        limit: conditions.limit.unwrap_or(0),
    };
    Ok((series, query))
}

/// A time of RFC 3339, a day, or how long ago.
fn read_time(option: &str, text: &str) -> Result<Nanos, Failure> {
    let day = || text.parse::<Date>().ok()?.to_zoned(TimeZone::UTC).ok().map(|day| day.timestamp());
    let ago = || text.parse::<SignedDuration>().ok().map(|span| Timestamp::now() - span);
    let time = text.parse::<Timestamp>().ok().or_else(day).or_else(ago);
    let time = time.and_then(|time| u64::try_from(time.as_nanosecond()).ok());
    let form = "a time as 2026-11-22T08:00:00Z, a day as 2026-11-22 (UTC), or how long ago, as 2h or 30m";
    time.map(Nanos).ok_or_else(|| Failure::Input(format!("{option} {text}: not {form}")))
}

const SEVERITIES: [&str; 8] = ["emergency", "alert", "critical", "error", "warning", "notice", "info", "debug"];

fn read_severity(text: &str) -> Result<u8, Failure> {
    let known = SEVERITIES.iter().position(|known| *known == text).map(|place| place as u8);
    let severity = known.or_else(|| text.parse().ok().filter(|severity| *severity <= 7));
    severity
        .ok_or_else(|| Failure::Input(format!("--severity {text}: not one of {}, or 0 to 7", SEVERITIES.join(", "))))
}

/// Records that are shown unless more are asked for.
const SHOWN: usize = 1_000;

fn show(folder: &Path, conditions: &Conditions, newest: bool, json: bool, output: &mut Output) -> Result<(), Failure> {
    let (series, query) = query(folder, conditions)?;
    // The newest of those that hold, in the order of time unless it is wanted the other way.
    let query = Query { newest_first: true, limit: conditions.limit.unwrap_or(SHOWN), ..query };
    let mut lines = Vec::new();
    let found = |line: &str| {
        lines.push(line.to_owned());
        true
    };
    reader::search(&series, &query, found).map_err(|error| unreadable(&error))?;
    if !newest {
        lines.reverse();
    }
    for line in &lines {
        if json { output.line(line)? } else { output.line(&sentence(line, output.colour()))? }
    }
    if conditions.limit.is_none() && lines.len() == SHOWN {
        caution(&format!("these are the newest {SHOWN}; --limit 0 shows all"));
    }
    if lines.is_empty() && !json {
        output.line("no records")?;
    }
    Ok(())
}

/// A record for people: when, what, how it ended, who; then all else that it says.
fn sentence(line: &str, colour: bool) -> String {
    /// Said elsewhere in the line, or of no use to people.
    const LEFT_OUT: [&str; 12] =
        ["schema", "host", "boot", "seq", "event", "action", "time", "outcome", "user", "severity", "n", "prev"];
    let value: Value = serde_json::from_str(line).unwrap_or_default();
    let text = |name: &str| value[name].as_str().map(visible).unwrap_or_default();
    let severity = value["severity"].as_u64().and_then(|at| SEVERITIES.get(at as usize)).copied().unwrap_or("");
    let style = match value["severity"].as_u64() {
        Some(0..=3) => Style::Bad,
        Some(4) => Style::Odd,
        _ => Style::Plain,
    };
    let what = match text("action") {
        action if action.is_empty() => text("event"),
        action => action,
    };
    let mut words = vec![text("time"), paint(colour, style, severity), paint(colour, Style::Bold, &what)];
    words.extend([text("outcome"), text("user")].into_iter().filter(|word| !word.is_empty()));
    for (name, value) in value.as_object().into_iter().flatten() {
        if LEFT_OUT.contains(&name.as_str()) {
            continue;
        }
        let told = value.as_str().map_or_else(|| value.to_string(), ToOwned::to_owned);
        words.push(format!("{}={}", visible(name), visible(&told)));
    }
    words.join(" ")
}

/// The lines as they are in the trail, each with its number and its link.
fn export(folder: &Path, conditions: &Conditions, to: Option<&Path>, output: &mut Output) -> Result<(), Failure> {
    let (series, query) = query(folder, conditions)?;
    let Some(to) = to else {
        let mut failed = None;
        let line = |line: &str| match output.line(line) {
            Ok(()) => true,
            Err(failure) => {
                failed = Some(failure);
                false
            }
        };
        reader::search(&series, &query, line).map_err(|error| unreadable(&error))?;
        return failed.map_or(Ok(()), Err);
    };
    let failed = |error: io::Error| Failure::Running(format!("{}: {error}", to.display()));
    let file = OpenOptions::new().write(true).create_new(true).mode(FILE_MODE).open(to).map_err(failed)?;
    let (mut file, mut digest, mut records) = (io::BufWriter::new(file), Context::new(&SHA256), 0_usize);
    let mut written = Ok(());
    let line = |line: &str| {
        digest.update(line.as_bytes());
        digest.update(b"\n");
        records += 1;
        written = file.write_all(line.as_bytes()).and_then(|()| file.write_all(b"\n"));
        written.is_ok()
    };
    reader::search(&series, &query, line).map_err(|error| unreadable(&error))?;
    written.and_then(|()| file.flush()).and_then(|()| file.get_ref().sync_all()).map_err(failed)?;
    let digest: String = digest.finish().as_ref().iter().map(|octet| format!("{octet:02x}")).collect();
    output.line(&format!("{}: {}, sha-256 {digest}", to.display(), count(records, "record")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_read_as_people_write_them() {
        let seconds = |text: &str| read_time("--from", text).map(|time| time.0 / 1_000_000_000);
        assert_eq!(seconds("1970-01-01T00:01:00Z").unwrap(), 60);
        assert_eq!(seconds("1970-01-02").unwrap(), 86_400);
        let ago = Timestamp::now().as_second() as u64 - seconds("2h").unwrap();
        assert!((7_199..=7_205).contains(&ago), "{ago}");
        for text in ["", "yesterday", "25:00", "1969-01-01"] {
            assert!(seconds(text).is_err(), "{text}");
        }
    }

    #[test]
    fn severities_have_names_and_numbers() {
        assert_eq!((read_severity("warning").unwrap(), read_severity("7").unwrap()), (4, 7));
        assert!(read_severity("8").is_err() && read_severity("loud").is_err());
    }

    #[test]
    fn a_record_is_a_line_for_people() {
        let line = r#"{"schema":3,"host":"fw1","boot":"0f","seq":7,"event":"audit","time":"2026-11-22T01:00:00.000000Z","action":"login-failed","outcome":"failure","user":"a\u001bb","origin":"10.0.0.9:5","severity":5,"n":4,"prev":"A"}"#;
        let shown = "2026-11-22T01:00:00.000000Z notice login-failed failure a\\u{1b}b origin=10.0.0.9:5";
        assert_eq!(sentence(line, false), shown);
    }
}
