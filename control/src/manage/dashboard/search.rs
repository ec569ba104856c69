//! Who is online, looked through a piece a turn: tables may be large, and the loop has other work.

use std::time::{Duration, Instant};

use serde::Serialize;
use serde_json::{Value, json};

use super::super::UserFilter;
use super::Watched;

/// Searches at once; the one that was not asked about for longest gives way.
const SEARCHES: usize = 8;
/// Rows of an answer.
const ROWS: usize = 200;
/// Users that one turn looks at.
const PER_TURN: usize = 256;
/// Users that a search looks at.
const LOOKED_AT: usize = 65_536;
/// An answer is shown for so long before it is looked again.
const FRESH: Duration = Duration::from_secs(1);

/// Whose users.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// Of messengers.
    Im,
    /// Of the access network.
    Access,
}

/// Which of them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Wanted {
    pub(super) kind: Kind,
    /// What stands somewhere in the row, in small letters; empty: everything.
    pub(super) text: String,
    /// The application, or the source; empty: all.
    pub(super) of: String,
}

/// See the module.
#[derive(Debug, Default)]
pub(super) struct Searches(Vec<Search>);

#[derive(Debug)]
struct Search {
    wanted: Wanted,
    asked: Instant,
    /// The last answer that is whole.
    found: Option<(Instant, Found)>,
    /// The one that is being made, and how far.
    making: Option<(Found, usize)>,
}

#[derive(Clone, Debug, Default)]
struct Found {
    rows: Vec<Value>,
    more: bool,
    cut: bool,
}

impl Searches {
    /// What was found so far, or whether the search only begins.
    pub(super) fn ask(&mut self, wanted: Wanted, now: Instant, watched: &dyn Watched) -> Value {
        let at = self.0.iter().position(|search| search.wanted == wanted).unwrap_or_else(|| {
            if self.0.len() >= SEARCHES {
                let oldest = self.0.iter().enumerate().min_by_key(|(_, search)| search.asked).map(|(at, _)| at);
                self.0.swap_remove(oldest.unwrap_or_default());
            }
            self.0.push(Search { wanted, asked: now, found: None, making: Some(Default::default()) });
            self.0.len() - 1
        });
        let Some(search) = self.0.get_mut(at) else { return Value::Null };
        search.asked = now;
        let is_old = |(at, _): &(Instant, Found)| now.saturating_duration_since(*at) >= FRESH;
        if search.making.is_none() && search.found.as_ref().is_none_or(is_old) {
            search.making = Some(Default::default());
        }
        // Most tables are small: the first piece is often all.
        if search.found.is_none() {
            search.piece(now, watched);
        }
        let begun = search.making.as_ref().map(|(found, _)| found);
        let found = search.found.as_ref().map(|(_, found)| found).or(begun);
        let Found { rows, more, cut } = found.cloned().unwrap_or_default();
        json!({ "rows": rows, "more": more, "cut": cut, "complete": search.found.is_some() })
    }

    /// Goes on with one that is not whole; who has not asked for it for a while wants it no more.
    pub(super) fn turn(&mut self, now: Instant, watched: &dyn Watched) {
        self.0.retain(|search| now.saturating_duration_since(search.asked) < Duration::from_secs(30));
        if let Some(search) = self.0.iter_mut().find(|search| search.making.is_some()) {
            search.piece(now, watched);
        }
    }
}

impl Search {
    fn piece(&mut self, now: Instant, watched: &dyn Watched) {
        let Some((mut found, from)) = self.making.take() else { return };
        let ends = match self.wanted.kind {
            Kind::Im => {
                let (rows, ends) = watched.im(from, PER_TURN);
                rows.iter().for_each(|row| self.wanted.look(row, &row.application, &mut found));
                ends
            }
            Kind::Access => {
                let page = watched.users(&UserFilter::default(), from, PER_TURN);
                page.rows.iter().for_each(|row| self.wanted.look(row, &row.source, &mut found));
                page.ends
            }
        };
        let next = from + PER_TURN;
        found.cut = !ends && !found.more && next >= LOOKED_AT;
        if ends || found.more || found.cut {
            self.found = Some((now, found));
        } else {
            self.making = Some((found, next));
        }
    }
}

impl Wanted {
    fn look(&self, row: &impl Serialize, of: &str, found: &mut Found) {
        if found.more || (!self.of.is_empty() && self.of != of) {
            return;
        }
        let Ok(value) = serde_json::to_value(row) else { return };
        if !self.text.is_empty() && !has(&value, &self.text) {
            return;
        }
        if found.rows.len() == ROWS {
            found.more = true;
        } else {
            found.rows.push(value);
        }
    }
}

/// Whether a text stands in a row, whatever the size of its letters.
pub(super) fn has(row: &Value, text: &str) -> bool {
    match row {
        Value::String(own) => own.to_lowercase().contains(text),
        Value::Array(items) => items.iter().any(|item| has(item, text)),
        Value::Object(fields) => fields.values().any(|field| has(field, text)),
        _ => false,
    }
}
