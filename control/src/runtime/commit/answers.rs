//! What is asked of configurations that needs nothing of the workers: looks, checks, edits of the candidate.

use std::sync::Arc;

use dataplane::time::Nanos;

use super::{Ask, Shop, Which, name_of, none_scheduled, not_kept, nothing_kept, refused_for_restart, row, table};
use crate::config::Warning;
use crate::config::edit::{EditOp, Tree, diff};
use crate::config::generation::{Author, Meta};
use crate::config::store::{Candidate as Edits, Scheduled};
use crate::manage::configure::{
    ChangeRow, Configured, DoneRow, ErrorOption, FaultRow, GenerationRow, Refusal, text_rows,
};
use crate::manage::protocol::Answer;
use crate::manage::time_text;

impl Shop {
    pub(in super::super) fn ask(&mut self, ask: Ask) -> Configured {
        match ask {
            Ask::Check(from) => self.check(from),
            Ask::Text(from) => Ok(text_rows(&self.text_of(from)?.0)),
            Ask::Diff(from, to) => {
                let (from, to) = (self.text_of(from)?.0, self.text_of(to)?.0);
                let changes = diff(&table(&from)?, &table(&to)?);
                Ok(changes.iter().map(|change| Answer::Change(ChangeRow::from(change))).collect())
            }
            Ask::Generations => self.generations(),
            Ask::Edit { operations, option, by, time } => self.edit(&operations, option, by, time),
            Ask::Load { text, by, time } => {
                table(&text)?;
                self.set_candidate(text, by, time)?;
                done("the candidate was loaded")
            }
            Ask::Discard => {
                self.store()?.set_candidate(None).map_err(not_kept)?;
                done("the candidate was discarded")
            }
            Ask::SaveRescue => {
                let number = self.number.ok_or_else(nothing_kept)?;
                self.store()?.set_rescue(number).map_err(not_kept)?;
                done(format!("generation {number} is the rescue configuration"))
            }
            Ask::Schedule { which, at, by, comment } => self.schedule(which, at, by, comment),
            Ask::Unschedule => {
                let at = self.scheduled.as_ref().map(|scheduled| scheduled.at).ok_or_else(none_scheduled)?;
                self.unschedule().map_err(not_kept)?;
                done(format!("the commit that was set for {} is cancelled", time_text(Nanos(at))))
            }
        }
    }

    fn check(&mut self, from: Which) -> Configured {
        let (text, from) = self.text_of(from)?;
        let (compiled, warnings) = self.compile(&text, &from)?;
        if let Some(needs) = compiled.needs_restart(&self.compiled) {
            return Err(refused_for_restart(&needs, &from));
        }
        let mut rows: Vec<Answer> = warnings.iter().map(|warning| Answer::Fault(warning_row(warning))).collect();
        rows.extend(done(format!("{} can be committed", name_of(&from, &self.file).display()))?);
        Ok(rows)
    }

    fn schedule(&mut self, which: Which, at: u64, by: Author, comment: Option<String>) -> Configured {
        self.store()?.may_publish().map_err(not_kept)?;
        let mut rows = self.check(which.clone())?;
        let (text, _) = self.text_of(which)?;
        if text == self.text {
            return Err(Refusal::new("operation-failed", "nothing differs from what is in force"));
        }
        let scheduled = Scheduled { at, by, comment, text };
        self.store()?.set_scheduled(Some(&scheduled)).map_err(not_kept)?;
        self.scheduled = Some(Arc::new(scheduled));
        rows.pop();
        rows.extend(done(format!("it is committed at {}", time_text(Nanos(at))))?);
        Ok(rows)
    }

    fn edit(&mut self, operations: &[EditOp], option: ErrorOption, by: Author, time: u64) -> Configured {
        self.store()?;
        let (text, _) = self.text_of(Which::Candidate)?;
        let mut tree = Tree::parse(&text).map_err(|why| Refusal::new("operation-failed", why))?;
        let mut failed = None;
        for operation in operations {
            if let Err(error) = tree.edit(operation) {
                failed = Some(Refusal::from(error));
                break;
            }
        }
        if failed.is_some() && option == ErrorOption::RollbackOnError {
            return failed.map_or_else(|| done(""), Err);
        }
        let edited = tree.text();
        // What is compiled later is this reader's; both must agree.
        table(&edited)?;
        if edited != text {
            self.set_candidate(edited, by, time)?;
        }
        match failed {
            Some(refusal) => Err(refusal),
            None => done(match operations.len() {
                1 => "1 edit of the candidate".to_owned(),
                count => format!("{count} edits of the candidate"),
            }),
        }
    }

    fn set_candidate(&mut self, text: String, by: Author, time: u64) -> Result<(), Refusal> {
        let base = self.number.unwrap_or(0);
        // Back where it came from, it is none.
        let candidate = (text != self.text).then_some(Edits { text, base, by, time });
        self.store()?.set_candidate(candidate.as_ref()).map_err(not_kept)
    }

    fn generations(&mut self) -> Configured {
        let (running, waiting) = (self.number, self.confirmed.as_ref().map(|(.., number)| *number));
        let mut back = 0;
        let mut rows = Vec::new();
        for listed in self.store()?.list() {
            let Meta { number, time, by, comment, cause, digest, .. } = listed.meta;
            let counts = !listed.reverted && waiting != Some(number);
            let state = match () {
                () if waiting == Some(number) => "not confirmed yet",
                () if running == Some(number) => "in force",
                () if listed.head => "in the policy file",
                () if listed.reverted => "reverted",
                () => "",
            };
            let (time, by, cause) = (time_text(Nanos(time)), by.text(), cause.text());
            let row = GenerationRow {
                number,
                back: counts.then_some(back),
                time,
                by,
                cause,
                comment,
                digest,
                state: state.to_owned(),
            };
            rows.push(Answer::Generation(row));
            back += u32::from(counts);
        }
        if let Some(scheduled) = &self.scheduled {
            let (at, by) = (time_text(Nanos(scheduled.at)), scheduled.by.text());
            let comment = scheduled.comment.as_ref().map(|comment| format!(": {comment}")).unwrap_or_default();
            rows.extend(done(format!("a commit is set for {at}, by {by}{comment}"))?);
        }
        Ok(rows)
    }
}

fn done(text: impl Into<String>) -> Configured {
    Ok(vec![Answer::Done(DoneRow { text: text.into() })])
}

fn warning_row(warning: &Warning) -> FaultRow {
    row(warning.brief(), "warning", &warning.place, warning.excerpt.as_ref())
}
