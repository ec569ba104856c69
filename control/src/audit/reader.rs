//! Records of the trail, as they are asked for: from the files, archives too, by time and by what they say.

use std::collections::VecDeque;
use std::io;
use std::path::PathBuf;

use dataplane::time::Nanos;
use serde_json::Value;

use super::chain::stamp;
use super::line::Line;
use super::series::{Lines, Series};

/// What is asked for; all of it has to hold.
#[derive(Clone, Debug, Default)]
pub struct Query {
    /// Which series.
    pub file: String,
    /// Not before.
    pub from: Option<Nanos>,
    /// Before.
    pub to: Option<Nanos>,
    /// None behind that record of that run (`boot`, `seq`); the first of them that is met ends the search.
    pub until_sequence: Option<(String, u64)>,
    /// Of these events, or of these classes' events; none: of all. An event of the trail goes by the name that its records
    /// have as `action`, any other by the one that they have as `event`.
    pub events: Vec<String>,
    /// That severity or graver.
    pub severity: Option<u8>,
    /// By that user.
    pub user: Option<String>,
    /// With that text anywhere in the line.
    pub contains: Option<String>,
    /// The newest first; else the oldest.
    pub newest_first: bool,
    /// So many at most; 0: all.
    pub limit: usize,
}

/// Calls `take` with the line of each record asked for, as it is in the file, until it says false.
///
/// # Errors
/// Where a file cannot be read; what was read before was given.
pub fn search(series: &Series, query: &Query, mut take: impl FnMut(&str) -> bool) -> io::Result<()> {
    let mut search =
        Search { conditions: Conditions::new(query), left: if query.limit == 0 { usize::MAX } else { query.limit } };
    if query.newest_first {
        let mut files: Vec<(PathBuf, bool)> =
            series.archives()?.into_iter().map(|archived| (archived.path, archived.compressed)).collect();
        files.push((series.live(), false));
        for (path, compressed) in files.into_iter().rev() {
            if !search.backwards(&path, compressed, &mut take)? {
                break;
            }
        }
        return Ok(());
    }
    // What was live when this began may be an archive when its turn comes.
    let mut serial = 0;
    while let Some(next) = series.archives()?.into_iter().find(|archived| archived.serial > serial) {
        serial = next.serial;
        if !search.forwards(&next.path, next.compressed, &mut take)? {
            return Ok(());
        }
    }
    search.forwards(&series.live(), false, &mut take)?;
    Ok(())
}

struct Search<'a> {
    conditions: Conditions<'a>,
    left: usize,
}

impl Search<'_> {
    /// Whether to go on.
    fn forwards(
        &mut self,
        path: &std::path::Path,
        compressed: bool,
        take: &mut impl FnMut(&str) -> bool,
    ) -> io::Result<bool> {
        let Some(mut lines) = open(path, compressed)? else { return Ok(true) };
        while let Some(read) = lines.next_line()? {
            match self.conditions.judge(read.octets) {
                Verdict::No => {}
                Verdict::End => return Ok(false),
                Verdict::Yes(line) => {
                    if !take(line) {
                        return Ok(false);
                    }
                    self.left -= 1;
                    if self.left == 0 {
                        return Ok(false);
                    }
                }
            }
        }
        Ok(true)
    }

    fn backwards(
        &mut self,
        path: &std::path::Path,
        compressed: bool,
        take: &mut impl FnMut(&str) -> bool,
    ) -> io::Result<bool> {
        let Some(mut lines) = open(path, compressed)? else { return Ok(true) };
        let mut last = VecDeque::new();
        while let Some(read) = lines.next_line()? {
            match self.conditions.judge(read.octets) {
                Verdict::No => {}
                Verdict::End => break,
                Verdict::Yes(line) => {
                    if last.len() == self.left {
                        last.pop_front();
                    }
                    last.push_back(line.to_owned());
                }
            }
        }
        self.left -= last.len();
        Ok(last.iter().rev().all(|line| take(line)) && self.left > 0)
    }
}

/// A file that went from its place since it was listed is none: its archive is read, or was.
fn open(path: &std::path::Path, compressed: bool) -> io::Result<Option<Lines>> {
    match Lines::open(path, compressed) {
        Ok(lines) => Ok(Some(lines)),
        Err(error) if error.kind() == io::ErrorKind::NotFound && !compressed => {
            let mut packed = path.as_os_str().to_owned();
            packed.push(".gz");
            match Lines::open(packed.as_ref(), true) {
                Ok(lines) => Ok(Some(lines)),
                Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
                Err(error) => Err(error),
            }
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(io::Error::new(error.kind(), format!("{}: {error}", path.display()))),
    }
}

enum Verdict<'a> {
    No,
    Yes(&'a str),
    /// Neither this one nor any behind it.
    End,
}

struct Conditions<'a> {
    query: &'a Query,
    /// As records have them: UTC with six digits, so that they compare as text.
    span: (Option<String>, Option<String>),
}

impl<'a> Conditions<'a> {
    fn new(query: &'a Query) -> Self {
        Self { query, span: (query.from.map(stamp), query.to.map(stamp)) }
    }

    fn judge<'l>(&self, octets: &'l [u8]) -> Verdict<'l> {
        let Some(Line::Record { .. }) = Line::parse(octets) else { return Verdict::No };
        let Ok(line) = std::str::from_utf8(octets) else { return Verdict::No };
        let query = self.query;
        if query.contains.as_ref().is_some_and(|text| !line.contains(text.as_str())) && query.until_sequence.is_none() {
            return Verdict::No;
        }
        let Ok(value) = serde_json::from_str::<Value>(line) else { return Verdict::No };
        let text = |name: &str| value[name].as_str().unwrap_or_default();
        if let Some((boot, sequence)) = &query.until_sequence
            && text("boot") == boot
            && value["seq"].as_u64().is_some_and(|seq| seq > *sequence)
        {
            return Verdict::End;
        }
        let time = text("time");
        let severity = value["severity"].as_u64();
        let holds = query.contains.as_ref().is_none_or(|contained| line.contains(contained.as_str()))
            && self.span.0.as_ref().is_none_or(|from| time >= from.as_str())
            && self.span.1.as_ref().is_none_or(|to| time < to.as_str())
            && (query.events.is_empty()
                || query.events.iter().any(|event| event == text("event") || event == text("action")))
            && query.severity.is_none_or(|most| severity.is_some_and(|severity| severity <= u64::from(most)))
            && query.user.as_ref().is_none_or(|user| user == text("user"));
        if holds { Verdict::Yes(line) } else { Verdict::No }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::audit::live::{Common, Live};

    /// Five records a file, in three files, the first compressed: of each second one, of two users.
    fn trail() -> (tempfile::TempDir, Series) {
        let folder = tempfile::tempdir().unwrap();
        let (key, _) = crate::audit::key::of(folder.path(), None).unwrap();
        let series = Series::new(folder.path(), "audit");
        let common = Common { key: Arc::new(key), boot: "0f".into(), group: None };
        let mut live = Live::open(series.clone(), common, true, Nanos(1)).unwrap().0;
        for seq in 1..=15_u64 {
            let time = stamp(Nanos::from_parts(seq, 0));
            let (event, user, severity) = if seq % 2 == 0 { ("login", "ann", 6) } else { ("logout", "bob", 4) };
            let line = format!(
                r#"{{"boot":"0f","seq":{seq},"event":"audit","time":"{time}","severity":{severity},"action":"{event}","user":"{user}"}}"#
            );
            live.record(line.as_bytes()).unwrap();
            if seq % 5 == 0 && seq < 15 {
                live.flush().unwrap();
                live.rotate(Nanos(seq)).unwrap();
            }
        }
        live.flush().unwrap();
        crate::audit::archive::compress(&series.archive(1), None).unwrap();
        (folder, series)
    }

    fn found(series: &Series, query: Query) -> Vec<u64> {
        let mut found = Vec::new();
        search(series, &query, |line| {
            found.push(serde_json::from_str::<Value>(line).unwrap()["seq"].as_u64().unwrap());
            true
        })
        .unwrap();
        found
    }

    #[test]
    fn records_are_found_by_each_condition_in_both_orders() {
        let (_folder, series) = trail();
        let at = |seconds| Some(Nanos::from_parts(seconds, 0));
        assert_eq!(found(&series, Query::default()), (1..=15).collect::<Vec<_>>());
        assert_eq!(found(&series, Query { from: at(4), to: at(7), ..Query::default() }), [4, 5, 6]);
        let newest = Query { newest_first: true, limit: 7, ..Query::default() };
        assert_eq!(found(&series, newest), [15, 14, 13, 12, 11, 10, 9]);
        let ann = Query { user: Some("ann".to_owned()), limit: 3, ..Query::default() };
        assert_eq!(found(&series, ann), [2, 4, 6]);
        let events = Query { events: vec!["logout".to_owned()], newest_first: true, limit: 2, ..Query::default() };
        assert_eq!(found(&series, events), [15, 13]);
        let grave = Query { severity: Some(5), from: at(12), ..Query::default() };
        assert_eq!(found(&series, grave), [13, 15]);
        let text = Query { contains: Some("\"seq\":11".to_owned()), ..Query::default() };
        assert_eq!(found(&series, text), [11]);
        let until = Query { until_sequence: Some(("0f".to_owned(), 8)), from: at(6), ..Query::default() };
        assert_eq!(found(&series, until), [6, 7, 8]);
        assert_eq!(found(&series, Query { events: vec!["audit".to_owned()], limit: 1, ..Query::default() }), [1]);
    }
}
