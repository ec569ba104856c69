//! What is measured: what the control core counts, for who scrapes it.

use std::sync::Arc;

use ::dataplane::dpdk::cycles_per_second;

use super::House;
use crate::audit::{Archive, FileStatus};
use crate::manage::metrics::{CoreLoad, FileSize, LeftSpool, Measured, SshLines};
use crate::manage::{Manager, PoolRow, Source};

impl House {
    /// Everything, as it is now. Nothing is looked through that grows with traffic.
    pub(in crate::runtime) fn measure(&self, manager: &Manager) -> Measured {
        let (unknown, refused) = self.sources.as_ref().map_or((0, 0), |sources| sources.ignored());
        let left = self.exporters.leftovers().iter().map(|left| LeftSpool {
            host: left.host.clone(),
            form: left.form.clone(),
            records: left.records,
            octets: left.octets,
        });
        Measured {
            version: env!("CARGO_PKG_VERSION"),
            boot: self.boot.to_string(),
            host_name: self.compiled.host_name.to_string(),
            signatures: self.compiled.database.version().to_owned(),
            started: self.started,
            policy: self.version.number,
            policy_since: self.version.since,
            policy_took: self.version.took,
            rules: self.compiled.policy.source().rules.len() as u64,
            policy_octets: self.compiled.policy.memory() as u64,
            commits: self.commits.state(),
            cores: self.core_loads(),
            pool: PoolRow::from(self.dataplane.pool()),
            ports: self.ports(),
            nat: self.nat(),
            records: self.record_rows(),
            im_users: {
                let (followed, refused) = self.presence.size();
                (followed as u64, refused)
            },
            access_users: self.access.listed() as u64,
            access: *self.access.tally(),
            receiver: self.receiver.as_ref().map(|receiver| *receiver.tally()),
            hosts: self.exporters.status(),
            left: left.collect(),
            audit: self.occurred.rows().collect(),
            files: self.file_sizes(),
            forwarded: self.store.forwarded(),
            ssh: SshLines { unknown, refused },
            blocked: self.responses.blocked(),
            clients: manager.clients(),
            sessions: manager.sessions(),
        }
    }

    fn file_sizes(&self) -> Vec<FileSize> {
        let limit = |name: &str| {
            let file = self.compiled.audit.files.iter().find(|file| *file.name == *name);
            file.map_or_else(Archive::default, |file| file.archive.clone()).size
        };
        let size = |file: FileStatus| FileSize {
            limit: limit(&file.name),
            name: file.name,
            serial: file.serial,
            octets: file.octets,
            records: file.records,
            lost: file.lost,
            full: file.full,
        };
        self.store.status().into_iter().map(size).collect()
    }

    fn core_loads(&self) -> Vec<CoreLoad> {
        let cycles = cycles_per_second().max(1) as f64;
        let workers = self.compiled.dataplane.workers.len();
        let of = |(at, (_, core)): (usize, (String, u16))| {
            let (counters, load) = (self.counters.get(at)?, self.loads.get(at)?);
            let (busy, idle) = counters.load();
            Some(CoreLoad {
                worker: if at < workers { at.to_string() } else { "dispatcher".to_owned() },
                core,
                counters: Arc::clone(counters),
                busy: busy as f64 / cycles,
                idle: idle as f64 / cycles,
                percent: load.percent,
            })
        };
        self.cores().enumerate().filter_map(of).collect()
    }
}
