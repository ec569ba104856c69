//! The policy file is taken up again, as it is: a signal, or `ostiary reload`.

use crossbeam::channel::Sender;

use super::super::House;
use super::{Asked, What, Which};
use crate::config::generation::Cause;
use crate::manage::{Asker, ReloadRow};
use crate::record::audit::{Subject, Via};

impl House {
    /// Takes the policy file up again; where something is under way, after it.
    pub(in super::super::super) fn reload_file(&mut self) {
        self.commits.again = true;
        if self.commits.underway.is_none() {
            self.begin_again();
        }
    }

    pub(super) fn begin_again(&mut self) {
        self.commits.again = false;
        if let Some(why) = self.waiting().or_else(|| self.trail_refuses().map(str::to_owned)) {
            eprintln!("ostiary: the policy file is not taken: {why}");
            return;
        }
        let by = Subject { via: Some(Via::Signal), ..Subject::default() };
        let load = self.load(Which::File, Cause::Reload, &by);
        self.begin(What::Commit, by, load, Asked::Nobody);
    }

    /// Likewise for somebody who waits for the answer.
    pub(in super::super) fn reload_for(&mut self, asker: &Asker, asked: Sender<Result<ReloadRow, String>>) {
        let underway = self.commits.underway.as_ref();
        let underway = underway.map(|_| "a reload is under way: try again when it is through".to_owned());
        if let Some(why) = underway.or_else(|| self.waiting()).or_else(|| self.trail_refuses().map(str::to_owned)) {
            let _ = asked.try_send(Err(why));
            return;
        }
        let by = asker.subject();
        let load = self.load(Which::File, Cause::Reload, &by);
        self.begin(What::Commit, by, load, Asked::Reload(asked));
    }

    /// What of earlier commits keeps others away; none where nothing does.
    pub(super) fn waiting(&self) -> Option<String> {
        let waits = self.commits.unconfirmed.as_ref();
        let waits =
            waits.map(|waits| format!("generation {} waits to be confirmed: confirm or cancel it first", waits.number));
        waits.or_else(|| self.is_scheduled())
    }
}
