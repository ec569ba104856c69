//! The last step of a commit: who asked is answered once the trail's disk has the record of it.

use std::ops::RangeInclusive;
use std::time::{Duration, Instant};

use super::super::House;
use super::Asked;
use crate::audit::WhenFull;
use crate::manage::ReloadRow;
use crate::manage::configure::{Configured, Refusal};
use crate::manage::protocol::Answer;

/// Somebody who waits for the trail's disk.
#[derive(Debug)]
pub(super) struct Unanswered {
    /// Of the records that say what was done.
    numbers: RangeInclusive<u64>,
    until: Instant,
    asked: Asked,
    answer: Configured,
    policy: Option<ReloadRow>,
}

/// No answer waits longer for the trail's disk.
const LONGEST: Duration = Duration::from_secs(5);

impl House {
    /// Answers once all records that were made after the one of that number are on the disk.
    pub(super) fn answer_written(&mut self, since: u64, asked: Asked, answer: Configured, policy: Option<ReloadRow>) {
        let last = self.recorder.last();
        if last <= since {
            return asked.answer(answer, policy);
        }
        let until = Instant::now() + LONGEST;
        self.commits.unanswered.push(Unanswered { numbers: since + 1..=last, until, asked, answer, policy });
    }

    /// Answers whose time has come.
    pub(super) fn turn_answers(&mut self) {
        let now = Instant::now();
        for mut waits in std::mem::take(&mut self.commits.unanswered) {
            let why = match self.audited(waits.numbers.clone()) {
                Some(Ok(())) => {
                    waits.asked.answer(waits.answer, waits.policy);
                    continue;
                }
                Some(Err(why)) => why,
                None if now >= waits.until => self.store.delay().to_owned(),
                None => {
                    self.commits.unanswered.push(waits);
                    continue;
                }
            };
            eprintln!("ostiary: what was answered now is not in the audit trail: {why}");
            match (self.store.when_full(), &mut waits.answer) {
                (WhenFull::RefuseTraffic, answer @ Ok(_)) => {
                    let text = format!("it was done, and the audit trail does not know it: {why}");
                    *answer = Err(Refusal::new("operation-failed", text));
                }
                (_, Ok(answers)) => answers.iter_mut().for_each(|answer| warn(answer, &why)),
                (_, Err(_)) => {}
            }
            waits.asked.answer(waits.answer, waits.policy);
        }
    }
}

/// Says in an answer that the trail does not know what was done.
fn warn(answer: &mut Answer, why: &str) {
    let warning = format!("the audit trail does not know it: {why}");
    match answer {
        Answer::Commit(row) => row.warnings.push(warning),
        Answer::Done(row) => row.text = format!("{}; {warning}", row.text),
        _ => {}
    }
}

impl Asked {
    fn answer(self, answer: Configured, policy: Option<ReloadRow>) {
        // Who asked may have gone.
        match self {
            Self::Nobody => {}
            Self::Reload(asked) => {
                let _ = asked.try_send(answer.map(|_| policy.unwrap_or_default()).map_err(|refusal| refusal.text));
            }
            Self::Configure(asked) => {
                let _ = asked.try_send(answer);
            }
        }
    }
}
