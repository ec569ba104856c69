//! What the page sees of the house.

use dataplane::event::{SessionChange, SessionEvent};
use dataplane::policy::RuleId;
use dataplane::time::Nanos;
use sigdb::AppId;

use super::House;
use crate::config::Compiled;
use crate::manage::dashboard::{AppTally, Feed, Watched};
use crate::manage::metrics::Measured;
use crate::manage::{ImRow, LogHostRow, Manager, UserFilter, UserPage};
use crate::record::audit::Occurrence;

/// What was seen of each application since the start, by [`AppId`].
#[derive(Debug, Default)]
pub(super) struct Applications(Vec<AppTally>);

impl Applications {
    /// Counts an event. How many applications there are, the databases say.
    pub(super) fn see(&mut self, event: &SessionEvent) {
        let (named, octets) = match event.change {
            SessionChange::Application(_) => (true, 0),
            SessionChange::Close { .. } => (false, event.to_server.octets.saturating_add(event.to_client.octets)),
            SessionChange::Create | SessionChange::Deny | SessionChange::Attack { .. } => return,
        };
        let place = usize::from(event.application.0);
        if self.0.len() <= place {
            self.0.resize(place + 1, AppTally::default());
        }
        let Some(tally) = self.0.get_mut(place) else { return };
        if named {
            tally.named += 1;
        } else {
            tally.closed += 1;
            tally.octets += octets;
        }
    }
}

/// The house with its management, as the page sees it.
pub(in crate::runtime) struct Overlooked<'a> {
    pub(in crate::runtime) house: &'a mut House,
    pub(in crate::runtime) manager: &'a Manager,
}

impl House {
    /// Remembers for the page what happens, if there is one.
    pub(in crate::runtime) fn with_feed(self) -> Self {
        let feed = self.compiled.dashboard.as_ref().map(|page| Feed::new(page.users, page.audit));
        Self { feed, ..self }
    }
}

impl Watched for Overlooked<'_> {
    fn measure(&self) -> Measured {
        self.house.measure(self.manager)
    }

    fn compiled(&self) -> &Compiled {
        &self.house.compiled
    }

    fn now(&self) -> Nanos {
        self.house.dataplane.now()
    }

    fn log_hosts(&self) -> Vec<LogHostRow> {
        self.house.log_host_rows()
    }

    fn im(&self, from: usize, most: usize) -> (Vec<ImRow>, bool) {
        let presence = &self.house.presence;
        let rows = presence.page(from, most).map(|user| self.house.im_row(&user)).collect();
        (rows, from.saturating_add(most) >= presence.places())
    }

    fn users(&self, filter: &UserFilter, from: usize, most: usize) -> UserPage {
        self.house.user_page(filter, from, most)
    }

    fn applications(&self) -> Vec<(AppId, AppTally)> {
        let all = self.house.applications.0.iter().zip(0..).map(|(tally, id)| (AppId(id), *tally));
        all.filter(|(_, tally)| *tally != AppTally::default()).collect()
    }

    fn hits(&self, rule: RuleId) -> u64 {
        self.house.counters.iter().map(|counters| counters.hits(rule)).sum()
    }

    fn feed(&self) -> Option<&Feed> {
        self.house.feed.as_ref()
    }

    fn audit(&mut self, occurrence: Occurrence) {
        self.house.audit(occurrence);
    }
}
