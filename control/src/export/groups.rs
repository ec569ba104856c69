//! Hosts that stand for each other: which of them gets a record, and what becomes of what one had when it fails.

use std::io;
use std::time::Instant;

use super::channel::Channel;
use super::notice::Notices;
use super::status::Role;
use super::{GroupConfig, GroupMode};
use crate::record::{Class, Name};

/// Records in a row for one host of a round robin.
const RUN: u8 = 16;

/// All groups.
#[derive(Debug)]
pub(super) struct Groups {
    groups: Vec<Group>,
    /// By channel: its group.
    of: Vec<Option<usize>>,
}

#[derive(Debug)]
struct Group {
    config: GroupConfig,
    /// Channels, in order.
    members: Vec<usize>,
    /// Since when each takes records.
    well: Vec<Option<Instant>>,
    /// The member that gets the next record.
    active: usize,
    /// For how many records more, of a round robin.
    left: u8,
}

impl Groups {
    /// Of these channels.
    ///
    /// # Errors
    /// Where a member is no host, or takes its classes in two formats, or a host is in two groups.
    pub(super) fn new(configs: Vec<GroupConfig>, channels: &[Channel]) -> io::Result<Self> {
        let refuse = |group: &GroupConfig, what: &str| {
            io::Error::new(io::ErrorKind::InvalidInput, format!("log group {}: {what}", group.name))
        };
        let mut of = vec![None; channels.len()];
        let mut groups = Vec::new();
        for config in configs {
            let mut members = Vec::new();
            for name in &config.members {
                let mut named = channels.iter().enumerate().filter(|(_, channel)| channel.name() == name);
                let (Some((at, _)), None) = (named.next(), named.next()) else {
                    return Err(refuse(&config, &format!("{name} is no log host with one format")));
                };
                if of[at].replace(groups.len()).is_some() {
                    return Err(refuse(&config, &format!("{name} is in it twice, or in another group too")));
                }
                members.push(at);
            }
            if members.is_empty() {
                return Err(refuse(&config, "it has no hosts"));
            }
            let well = vec![None; members.len()];
            groups.push(Group { config, members, well, active: 0, left: RUN });
        }
        Ok(Self { groups, of })
    }

    /// The channels that get the next record of a class.
    pub(super) fn route(&mut self, channels: &[Channel], class: Class, mut push: impl FnMut(usize)) {
        let alone = (0..channels.len()).filter(|at| match self.of[*at] {
            None => true,
            Some(group) => self.groups[group].config.mode == GroupMode::Copies,
        });
        alone.filter(|at| channels[*at].wants(class)).for_each(&mut push);
        for group in &mut self.groups {
            let at = match group.config.mode {
                GroupMode::Copies => continue,
                GroupMode::Failover => group.members[group.active],
                GroupMode::RoundRobin => group.next(),
            };
            if channels[at].wants(class) {
                push(at);
            }
        }
    }

    /// What a host is in its group.
    pub(super) fn role(&self, at: usize) -> Option<(Name, Role)> {
        let group = &self.groups[self.of[at]?];
        let active = group.config.mode != GroupMode::Failover || group.members[group.active] == at;
        Some((group.config.name.clone(), if active { Role::Active } else { Role::Standby }))
    }

    /// Finds out who takes records: what one that does not has in memory goes to one that does.
    pub(super) fn turn(&mut self, channels: &mut [Channel], now: Instant, notices: &mut Notices) {
        for group in self.groups.iter_mut().filter(|group| group.config.mode != GroupMode::Copies) {
            group.turn(channels, now, notices);
        }
    }
}

impl Group {
    /// Of a round robin: the member whose turn it is.
    fn next(&mut self) -> usize {
        if self.left == 0 || self.well[self.active].is_none() {
            let count = self.members.len();
            let others = (1..=count).map(|step| (self.active + step) % count);
            let well = others.clone().find(|place| self.well[*place].is_some());
            // Where nobody takes records, they still share them.
            if let Some(next) = well.or_else(|| others.clone().next().filter(|_| self.left == 0)) {
                (self.active, self.left) = (next, RUN);
            }
        }
        self.left -= 1;
        self.members[self.active]
    }

    fn turn(&mut self, channels: &mut [Channel], now: Instant, notices: &mut Notices) {
        for (since, at) in self.well.iter_mut().zip(&self.members) {
            match channels[*at].is_well() {
                true => _ = since.get_or_insert(now),
                false => *since = None,
            }
        }
        let well: Vec<usize> = (0..self.members.len()).filter(|place| self.well[*place].is_some()).collect();
        for (place, at) in self.members.iter().enumerate() {
            channels[*at].has_substitute(well.iter().any(|other| *other != place));
        }
        for place in 0..self.members.len() {
            let at = self.members[place];
            let Some(next) = well.iter().copied().find(|other| *other != place) else { continue };
            if channels[at].has_failed(now) {
                let handed = channels[at].hand_over(now, notices);
                channels[self.members[next]].take_over(handed);
                if self.config.mode == GroupMode::Failover && place == self.active {
                    self.active = next;
                }
            }
        }
        if self.config.mode == GroupMode::Failover {
            let returned = |place: &usize| {
                let since = self.well[*place];
                since.is_some_and(|since| now.saturating_duration_since(since) >= self.config.return_after)
            };
            // An earlier one is preferred, once it has proven itself; what another has, it goes on sending.
            if let Some(earlier) = (0..self.active).find(returned) {
                self.active = earlier;
            }
        }
    }
}
