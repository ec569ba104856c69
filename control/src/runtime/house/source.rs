//! What `show` sees of the control core, and what it asks of it.

use std::ops::Range;
use std::sync::Arc;
use std::time::Instant;

use ::dataplane::command::{Command, SessionView};
use ::dataplane::counters::Counters;
use ::dataplane::dpdk::cycles_per_second;
use ::dataplane::policy::PortId;
use ::dataplane::route::NeighbourView;
use ::dataplane::time::Nanos;
use crossbeam::channel::{Receiver, Sender, bounded};

use super::{House, Load, Tally};
use crate::audit::{Query, Selector};
use crate::config::Compiled;
use crate::manage::configure::{Configure, Configured};
use crate::manage::{
    AccessBufferRow, AccessStatisticsRow, Asker, CoreRow, HostRow, ImRow, ImTable, InterfaceRow, LogBufferRow,
    LogHostRow, LogStatisticsRow, LogWaitingRow, NatRow, PoolRow, PortRow, RecordRow, ReloadRow, ResetRow, Source,
    Statistics, UserFilter, UserPage, WaitingRow, Wanted, WorkerRow, time_text,
};
use crate::presence::im::UserView;
use crate::record::audit::{Occurrence, Origin};
use crate::record::{Class, Record};
use crate::trace::{Question, Tracing};

impl Source for House {
    fn compiled(&self) -> &Compiled {
        &self.compiled
    }

    fn reload(&mut self, asker: &Asker) -> Receiver<Result<ReloadRow, String>> {
        let (answer, receiver) = bounded(1);
        self.reload_for(asker, answer);
        receiver
    }

    fn configure(&mut self, request: Configure, asker: &Asker) -> Receiver<Configured> {
        self.answer_configuration(request, asker)
    }

    fn dump(&mut self, into: Sender<SessionView>) {
        for mailbox in self.dataplane.mailboxes() {
            // A mailbox that is full belongs to a worker that is busy with dumps: this one then lacks its sessions, and
            // the answer ends early rather than never.
            let _ = mailbox.try_send(Command::Dump(into.clone()));
        }
    }

    fn trace(&mut self, question: &Question) -> Result<Tracing, String> {
        let ports = self.dataplane.ports();
        let mac = |port: PortId| ports.get(usize::from(port.0)).and_then(|view| view.mac);
        let example = Arc::new(question.prepare(&self.compiled, mac)?);
        let mailboxes = self.dataplane.mailboxes();
        let (to, answers) = bounded(mailboxes.len());
        for mailbox in mailboxes {
            // One that is full belongs to a worker that is busy with dumps: the others answer.
            let _ = mailbox.try_send(Command::Trace { example: Arc::clone(&example), to: to.clone() });
        }
        Ok(Tracing::new(example, answers))
    }

    fn interfaces(&self) -> Vec<InterfaceRow> {
        let ports = self.dataplane.ports();
        InterfaceRow::all(&self.compiled, |port| {
            ports.get(usize::from(port.0)).map_or((None, false), |view| (view.mac, view.link.up))
        })
    }

    fn neighbours(&mut self, into: Sender<NeighbourView>) {
        for mailbox in self.dataplane.mailboxes() {
            let _ = mailbox.try_send(Command::Neighbours(into.clone()));
        }
    }

    fn im(&self, limit: usize) -> ImTable {
        let mut table = ImTable::default();
        for user in self.presence.online() {
            if table.rows.len() == limit {
                table.more = true;
                break;
            }
            table.rows.push(self.im_row(&user));
        }
        table
    }

    fn statistics(&self) -> Statistics {
        let cycles = u128::from(cycles_per_second().max(1));
        let core = |(((name, core), counters), load): (((String, u16), &Arc<Counters>), &Load)| {
            let (busy_cycles, idle_cycles) = counters.load();
            let longest = u128::from(counters.take_longest_turn()) * 1_000_000_000 / cycles;
            let longest_turn = u64::try_from(longest).unwrap_or(u64::MAX);
            CoreRow { name, core, busy_percent: load.percent, busy_cycles, idle_cycles, longest_turn }
        };
        Statistics {
            version: env!("CARGO_PKG_VERSION").to_owned(),
            boot: self.boot.to_string(),
            host_name: self.compiled.host_name.to_string(),
            started: time_text(self.started),
            policy: self.reload_row(),
            online: self.presence.online().count() as u64,
            pool: PoolRow::from(self.dataplane.pool()),
            cores: self.cores().zip(&self.counters).zip(&self.loads).map(core).collect(),
            records: self.record_rows(),
            hosts: self.exporters.status().iter().map(HostRow::from).collect(),
        }
    }

    fn access_statistics(&self, class: Class) -> AccessStatisticsRow {
        self.access_row(class)
    }

    fn access_buffer(&self, class: Class) -> Vec<AccessBufferRow> {
        self.exporters.status().iter().filter_map(|status| AccessBufferRow::new(status, class)).collect()
    }

    fn access_waiting(&self, class: Class, places: Range<u64>) -> Vec<WaitingRow> {
        let mut rows = Vec::new();
        for waiting in self.exporters.waiting(class, places) {
            let row = |(place, record): &(u64, Arc<Record>)| WaitingRow::new(&waiting.host, *place, record);
            rows.extend(waiting.records.iter().map(row));
        }
        rows
    }

    fn log_hosts(&self) -> Vec<LogHostRow> {
        self.log_host_rows()
    }

    fn has_log_host(&self, host: &str) -> bool {
        House::has_log_host(self, host)
    }

    fn log_statistics(&self, host: Option<&str>, class: Option<Class>) -> Vec<LogStatisticsRow> {
        self.log_statistics_rows(host, class)
    }

    fn log_buffer(&self, host: Option<&str>) -> Vec<LogBufferRow> {
        self.log_buffer_rows(host)
    }

    fn log_waiting(&self, host: &str, limit: usize) -> (Vec<LogWaitingRow>, bool) {
        self.log_waiting_rows(host, limit)
    }

    fn users(&self, filter: &UserFilter, from: usize, most: usize) -> UserPage {
        self.user_page(filter, from, most)
    }

    fn rotate_trail(&mut self, file: &str) -> Result<(), String> {
        self.store.rotate(file)
    }

    fn upload_trail(&mut self, file: &str) -> Result<(), String> {
        self.store.upload(file)
    }

    fn reset_statistics(&mut self, class: Class, asker: &Asker) -> Result<ResetRow, String> {
        self.reset_counts(class, asker)
    }

    fn reset_log_statistics(&mut self, host: Option<&str>, asker: &Asker) -> Result<ResetRow, String> {
        self.reset_log_counts(host, asker)
    }

    fn workers(&self) -> Vec<WorkerRow> {
        let row = |(number, (counters, (_, core))): (usize, (&Arc<Counters>, (String, u16)))| WorkerRow {
            worker: number as u16,
            core,
            counters: counters.read().into_iter().map(|(name, value)| (name.to_owned(), value)).collect(),
        };
        self.counters.iter().zip(self.cores()).enumerate().map(row).collect()
    }

    fn nat(&self) -> Vec<NatRow> {
        self.pools.rows()
    }

    fn ports(&self) -> Vec<PortRow> {
        let zone = |at: usize| self.compiled.names.zone_of_port(at as u16);
        self.dataplane.ports().iter().enumerate().map(|(at, view)| PortRow::new(view, zone(at))).collect()
    }

    fn now(&self) -> Nanos {
        self.dataplane.now()
    }

    fn boot(&self) -> String {
        self.boot.to_string()
    }

    fn audit(&mut self, occurrence: Occurrence) -> u64 {
        House::audit(self, occurrence)
    }

    fn want(&mut self, wanted: Wanted) {
        self.shown.want(wanted);
    }

    fn login(&mut self, processes: &[i32]) -> Option<Origin> {
        // What sshd says before it starts a session may wait behind the session's first request.
        self.take_sources(Instant::now());
        let sources = self.sources.as_ref()?;
        processes.iter().find_map(|pid| sources.ssh_session(*pid)).and_then(|(_, origin)| origin)
    }

    fn kept(&self, sequence: u64) -> Option<Result<(), String>> {
        self.audited(sequence..=sequence)
    }

    fn replay(&mut self, query: Query) -> Result<Receiver<Box<str>>, String> {
        self.store.query(query)
    }

    fn widest_file(&self) -> Result<String, String> {
        let all = Selector { class: None, severity: 7 };
        let found = self.compiled.audit.files.iter().find(|file| file.select.contains(&all));
        let none = || "no [[audit.file]] keeps records of all classes: select = [\"any\"] makes one".to_owned();
        found.map(|file| file.name.to_string()).ok_or_else(none)
    }

    fn session_ended(&mut self, session: u32) {
        self.end_session(session);
    }
}

impl House {
    /// A messenger's user, the account as records have it.
    pub(super) fn im_row(&self, user: &UserView) -> ImRow {
        let application = self.compiled.names.application(user.application);
        let written = self.compiled.im.accounts.write(application, &user.account, user.kept);
        ImRow {
            application: application.to_string(),
            account: written.account.map(|account| account.to_string()),
            client: user.context.tuple.client.address.ip().to_string(),
            server: user.context.tuple.server.socket().to_string(),
            rule: self.compiled.names.rule(user.context.rule).to_string(),
            evidence: if user.login { "login" } else { "seen" }.to_owned(),
            since: time_text(user.since),
            last: time_text(user.context.header.time),
        }
    }

    /// What became of each class's events.
    pub(super) fn record_rows(&self) -> Vec<RecordRow> {
        let row = |class: Class, tally: Tally| RecordRow {
            class: class.text().to_owned(),
            events: tally.events,
            lost_events: tally.lost,
            records: tally.records,
        };
        vec![
            row(Class::Session, self.session),
            row(Class::Im, self.im),
            row(Class::Attack, self.attack),
            row(Class::Access, Tally { records: self.access_counts.records(Class::Access), ..self.access_users }),
            row(
                Class::CallStatus,
                Tally { records: self.access_counts.records(Class::CallStatus), ..self.call_status },
            ),
            row(Class::Audit, self.audit),
        ]
    }
}
