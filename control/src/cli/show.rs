//! `ostiary show`: what the running firewall answers, as tables or as JSON.

use std::collections::BTreeSet;

use super::arguments::{AccessWhat, LogWhat, ShowOptions, View};
use super::output::{Failure, Output, Style, caution};
use super::table::{Cell, Table};
use super::{access, log, route, sigdb};
use crate::manage::protocol::{AccessView, Answer, Request};
use crate::manage::{self, Answers, ClientError, ImRow, NatRow, PolicyRow, PortRow, SessionRow, Statistics, WorkerRow};

pub(super) fn show(options: &ShowOptions, output: &mut Output) -> Result<(), Failure> {
    let request = match options.what.clone() {
        View::Sessions { limit } => Request::Sessions { limit },
        View::Im { limit } => Request::Im { limit },
        View::Users { user, address, mac, interface, source, nas, limit } => {
            Request::Users { limit, user, address, mac, interface, source, nas }
        }
        View::Access { what } => {
            let (view, packet, record) = access_view(what);
            Request::Access { view, packet, record }
        }
        View::CallStatus { what } => {
            let (view, packet, record) = access_view(what);
            Request::CallStatus { view, packet, record }
        }
        View::LogHosts => Request::LogHosts {},
        View::Log { what: LogWhat::Statistics { host, class } } => Request::LogStatistics { host, class },
        View::Log { what: LogWhat::Buffer { host, limit } } => Request::LogBuffer { host, limit },
        View::Statistics => Request::Statistics {},
        View::Counters { .. } => Request::Counters {},
        View::Ports => Request::Ports {},
        View::Interfaces => Request::Interfaces {},
        View::Routes => Request::Routes {},
        View::Neighbours { limit } => Request::Neighbours { limit },
        View::Policy => Request::Policy {},
        View::Nat => Request::Nat {},
        View::Sigdb => Request::Sigdb {},
    };
    let mut answers = manage::request(&options.socket, &request)?;
    if options.json {
        rows(&mut answers, output)?
    } else {
        tables(&options.what, &mut answers, output)?
    }
    output.finish()?;
    if answers.more() {
        caution("there are more; see --limit");
    }
    Ok(())
}

fn access_view(what: AccessWhat) -> (AccessView, Option<u64>, Option<u8>) {
    match what {
        AccessWhat::Config => (AccessView::Config, None, None),
        AccessWhat::Statistics => (AccessView::Statistics, None, None),
        AccessWhat::Buffer { packet, record } => (AccessView::Buffer, packet, record),
    }
}

impl From<ClientError> for Failure {
    fn from(error: ClientError) -> Self {
        match error {
            ClientError::NotRunning(_) | ClientError::Denied(_) => Self::Input(error.to_string()),
            _ => Self::Running(error.to_string()),
        }
    }
}

fn rows(answers: &mut Answers, output: &mut Output) -> Result<(), Failure> {
    while let Some(answer) = answers.next_row()? {
        match &answer {
            Answer::Session(row) => output.json(row)?,
            Answer::Im(row) => output.json(row)?,
            Answer::Statistics(row) => output.json(row)?,
            Answer::Worker(row) => output.json(row)?,
            Answer::Port(row) => output.json(row)?,
            Answer::Interface(row) => output.json(row)?,
            Answer::Route(row) => output.json(row)?,
            Answer::Neighbour(row) => output.json(row)?,
            Answer::Rule(row) => output.json(row)?,
            Answer::Nat(row) => output.json(row)?,
            Answer::Sigdb(row) => output.json(row)?,
            Answer::AccessConfig(row) => output.json(row)?,
            Answer::AccessStatistics(row) => output.json(row)?,
            Answer::AccessBuffer(row) => output.json(row)?,
            Answer::Waiting(row) => output.json(row)?,
            Answer::User(row) => output.json(row)?,
            Answer::LogHost(row) => output.json(row)?,
            Answer::LogStatistics(row) => output.json(row)?,
            Answer::LogBuffer(row) => output.json(row)?,
            Answer::LogWaiting(row) => output.json(row)?,
            // Those of other commands, and what the client keeps to itself.
            Answer::Text(_)
            | Answer::Change(_)
            | Answer::Generation(_)
            | Answer::Commit(_)
            | Answer::Done(_)
            | Answer::Fault(_)
            | Answer::Refused(_)
            | Answer::NetconfSession(_)
            | Answer::Trace(_)
            | Answer::Opened(_)
            | Answer::Subscribed {}
            | Answer::ReplayComplete {}
            | Answer::Reload(_)
            | Answer::Reset(_)
            | Answer::End { .. }
            | Answer::Error(_) => {}
        }
    }
    Ok(())
}

fn tables(what: &View, answers: &mut Answers, output: &mut Output) -> Result<(), Failure> {
    let mut sessions = session_table();
    let mut online = im_table();
    let mut users = access::user_table();
    let mut buffers = access::buffer_table();
    let mut waiting = 0;
    let (mut log_hosts, mut log_statistics) = (Vec::new(), Vec::new());
    let mut log_buffers = log::buffer_table();
    let mut ports = port_table();
    let mut interfaces = route::interface_table();
    let mut routes = route::route_table();
    let mut neighbours = route::neighbour_table();
    let mut rules = policy_table();
    let mut pools = nat_table();
    let mut workers = Vec::new();
    while let Some(answer) = answers.next_row()? {
        match answer {
            Answer::Session(row) => sessions.row(session_cells(&row)),
            Answer::Im(row) => online.row(im_cells(&row)),
            Answer::Port(row) => ports.row(port_cells(&row)),
            Answer::Interface(row) => interfaces.row(route::interface_cells(&row)),
            Answer::Route(row) => routes.row(route::route_cells(&row)),
            Answer::Neighbour(row) => neighbours.row(route::neighbour_cells(&row)),
            Answer::Rule(row) => rules.row(policy_cells(&row)),
            Answer::Nat(row) => pools.row(nat_cells(&row)),
            Answer::Worker(row) => workers.push(row),
            Answer::Statistics(row) => statistics(&row, output)?,
            Answer::Sigdb(row) => sigdb::put(&row, output)?,
            Answer::AccessConfig(row) => access::config(&row, output)?,
            Answer::AccessStatistics(row) => access::statistics(&row, output)?,
            Answer::AccessBuffer(row) => buffers.row(access::buffer_cells(&row)),
            Answer::Waiting(row) => {
                waiting += 1;
                access::waiting(&row, output)?;
            }
            Answer::User(row) => users.row(access::user_cells(&row)),
            Answer::LogHost(row) => log_hosts.push(*row),
            Answer::LogStatistics(row) => log_statistics.push(*row),
            Answer::LogBuffer(row) => log_buffers.row(log::buffer_cells(&row)),
            Answer::LogWaiting(row) => {
                waiting += 1;
                log::waiting(&row, output)?;
            }
            // Those of other commands, and what the client keeps to itself.
            Answer::Text(_)
            | Answer::Change(_)
            | Answer::Generation(_)
            | Answer::Commit(_)
            | Answer::Done(_)
            | Answer::Fault(_)
            | Answer::Refused(_)
            | Answer::NetconfSession(_)
            | Answer::Trace(_)
            | Answer::Opened(_)
            | Answer::Subscribed {}
            | Answer::ReplayComplete {}
            | Answer::Reload(_)
            | Answer::Reset(_)
            | Answer::End { .. }
            | Answer::Error(_) => {}
        }
    }
    match what {
        View::Sessions { .. } => sessions.print("no sessions", output),
        View::Im { .. } => online.print("nobody is online", output),
        View::Users { .. } => users.print("nobody is signed on", output),
        View::Access { what } | View::CallStatus { what } => match what {
            AccessWhat::Config | AccessWhat::Statistics => Ok(()),
            AccessWhat::Buffer { packet: None, .. } => buffers.print("no log host takes them", output),
            AccessWhat::Buffer { .. } if waiting == 0 => output.line("no record waits there"),
            AccessWhat::Buffer { .. } => Ok(()),
        },
        View::LogHosts => log::hosts(&log_hosts, output),
        View::Log { what: LogWhat::Statistics { .. } } => log::statistics(&log_statistics, output),
        View::Log { what: LogWhat::Buffer { host: None, .. } } => log_buffers.print("no log hosts", output),
        View::Log { what: LogWhat::Buffer { .. } } if waiting == 0 => output.line("no record waits in memory"),
        View::Log { what: LogWhat::Buffer { .. } } => Ok(()),
        View::Ports => ports.print("no ports", output),
        View::Interfaces => interfaces.print("no interfaces", output),
        View::Routes => routes.print("no routes", output),
        View::Neighbours { .. } => neighbours.print("no neighbours", output),
        View::Policy => rules.print("no rules", output),
        View::Nat => pools.print("no pools of source NAT", output),
        View::Counters { all } => counters(&workers, *all, output),
        View::Statistics | View::Sigdb => Ok(()),
    }
}

fn session_table() -> Table {
    Table::new(&[
        "SESSION",
        "PROTOCOL",
        "CLIENT",
        "SERVER",
        "STATE",
        "APPLICATION",
        "RULE",
        "START",
        "PACKETS OUT",
        "IN",
        "OCTETS OUT",
        "IN",
    ])
}

fn session_cells(row: &SessionRow) -> Vec<Cell> {
    let client = match (&row.nat_source_address, row.nat_source_port) {
        (Some(address), Some(port)) => format!("{} ({address}:{port})", row.client),
        _ => row.client.clone(),
    };
    vec![
        Cell::text(row.session.to_string()),
        Cell::text(&row.protocol),
        Cell::text(client),
        Cell::text(&row.server),
        Cell::text(&row.state),
        Cell::text(&row.application),
        Cell::text(&row.rule),
        Cell::text(seconds(&row.start)),
        Cell::count(row.to_server_packets),
        Cell::count(row.to_client_packets),
        Cell::count(row.to_server_octets),
        Cell::count(row.to_client_octets),
    ]
}

fn im_table() -> Table {
    Table::new(&["APPLICATION", "ACCOUNT", "CLIENT", "SERVER", "KNOWN BY", "SINCE", "LAST HEARD", "RULE"])
}

fn im_cells(row: &ImRow) -> Vec<Cell> {
    vec![
        Cell::text(&row.application),
        Cell::text(row.account.as_deref().unwrap_or("-")),
        Cell::text(&row.client),
        Cell::text(&row.server),
        Cell::text(&row.evidence),
        Cell::text(seconds(&row.since)),
        Cell::text(seconds(&row.last)),
        Cell::text(&row.rule),
    ]
}

fn port_table() -> Table {
    Table::new(&[
        "PORT",
        "ZONE",
        "DEVICE",
        "DRIVER",
        "LINK",
        "MBIT/S",
        "RECEIVED",
        "OCTETS",
        "SENT",
        "OCTETS",
        "MISSED",
        "ERRORS IN",
        "OUT",
        "NO BUFFER",
    ])
}

fn port_cells(row: &PortRow) -> Vec<Cell> {
    let link = if row.link == "up" { Style::Good } else { Style::Bad };
    let fault = |count: u64| Cell::count(count).style(if count > 0 { Style::Odd } else { Style::Plain });
    vec![
        Cell::text(&row.name),
        Cell::text(&row.zone),
        Cell::text(&row.device),
        Cell::text(&row.driver),
        Cell::text(&row.link).style(link),
        row.megabits.map_or_else(|| Cell::text("-"), |megabits| Cell::count(megabits.into())),
        Cell::count(row.received),
        Cell::count(row.received_octets),
        Cell::count(row.sent),
        Cell::count(row.sent_octets),
        fault(row.missed),
        fault(row.receive_errors),
        fault(row.send_errors),
        fault(row.no_buffer),
    ]
}

fn nat_table() -> Table {
    Table::new(&[
        "POOL",
        "ADDRESSES",
        "PORTS",
        "TCP",
        "UDP",
        "ICMP",
        "HELD",
        "HOSTS",
        "MAPPINGS",
        "EXHAUSTED",
        "HOST LIMITED",
    ])
}

fn nat_cells(row: &NatRow) -> Vec<Cell> {
    let fault = |count: u64| Cell::count(count).style(if count > 0 { Style::Odd } else { Style::Plain });
    vec![
        Cell::text(&row.pool),
        Cell::count(row.addresses),
        Cell::count(row.ports),
        Cell::count(row.tcp),
        Cell::count(row.udp),
        Cell::count(row.icmp),
        Cell::count(row.held),
        Cell::count(row.hosts),
        Cell::count(row.mappings),
        fault(row.exhausted),
        fault(row.host_limited),
    ]
}

fn policy_table() -> Table {
    Table::new(&[
        "",
        "RULE",
        "FROM",
        "TO",
        "SOURCE",
        "DESTINATION",
        "SERVICE",
        "APPLICATION",
        "USER",
        "USER-GROUP",
        "ACTION",
        "LOGS",
        "PROFILE",
        "SOURCE-NAT",
    ])
}

fn policy_cells(row: &PolicyRow) -> Vec<Cell> {
    let list = |items: &[String]| if items.is_empty() { Cell::text("any") } else { Cell::text(items.join(" ")) };
    // Where one list names somebody, the other that does not is not any.
    let is_any = row.user.is_empty() && row.user_group.is_empty();
    let users = |items: &[String]| if items.is_empty() && !is_any { Cell::text("-") } else { list(items) };
    let flag = |on: bool| Cell::text(if on { "yes" } else { "-" });
    let action = if row.action == "permit" { Style::Good } else { Style::Bad };
    vec![
        Cell::count(row.number as u64),
        Cell::text(&row.name),
        list(&row.from),
        list(&row.to),
        list(&row.source),
        list(&row.destination),
        list(&row.service),
        list(&row.application),
        users(&row.user),
        users(&row.user_group),
        Cell::text(&row.action).style(action),
        flag(row.session_logging),
        flag(row.profile),
        Cell::text(row.source_nat.as_deref().unwrap_or("-")),
    ]
}

/// One row a counter, one column for all workers, as they are summed: gauges too are of a worker.
fn counters(workers: &[WorkerRow], all: bool, output: &mut Output) -> Result<(), Failure> {
    let names: BTreeSet<&String> = workers.iter().flat_map(|worker| worker.counters.keys()).collect();
    let mut table = Table::new(&["COUNTER", "TOTAL", "BY WORKER"]);
    for name in names {
        let values: Vec<u64> = workers.iter().map(|worker| worker.counters.get(name).copied().unwrap_or(0)).collect();
        let total: u64 = values.iter().sum();
        if total == 0 && !all {
            continue;
        }
        let by_worker: Vec<String> = values.iter().map(u64::to_string).collect();
        let style = if name.starts_with("drop_") { Style::Odd } else { Style::Plain };
        let by_worker = if workers.len() > 1 { by_worker.join(" ") } else { String::new() };
        table.row(vec![Cell::text(name).style(style), Cell::count(total), Cell::text(by_worker)]);
    }
    table.print("all counters are 0", output)
}

fn statistics(row: &Statistics, output: &mut Output) -> Result<(), Failure> {
    output.line(&format!("version      {}", row.version))?;
    output.line(&format!("host name    {}", row.host_name))?;
    output.line(&format!("boot id      {}", row.boot))?;
    output.line(&format!("started      {}", seconds(&row.started)))?;
    output.line(&format!("policy       {}", row.policy.to_string().trim_start_matches("policy ")))?;
    output.line(&format!("users online {}", row.online))?;
    output.line(&format!("buffers      {} of {} in use", row.pool.in_use, row.pool.size))?;
    output.line("")?;
    let mut cores = Table::new(&["RUNS", "CORE", "BUSY %", "BUSY CYCLES", "IDLE CYCLES", "LONGEST TURN, US"]);
    for core in &row.cores {
        let style = if core.busy_percent >= NEARLY_FULL { Style::Odd } else { Style::Plain };
        cores.row(vec![
            Cell::text(&core.name),
            Cell::count(core.core.into()),
            Cell::count(core.busy_percent.into()).style(style),
            Cell::count(core.busy_cycles),
            Cell::count(core.idle_cycles),
            Cell::count(core.longest_turn / 1000),
        ]);
    }
    cores.print("no workers", output)?;
    output.line("")?;
    let lost = |count: u64| Cell::count(count).style(if count > 0 { Style::Bad } else { Style::Plain });
    let mut records = Table::new(&["CLASS", "EVENTS", "LOST", "RECORDS"]);
    for class in &row.records {
        let cells =
            [Cell::text(&class.class), Cell::count(class.events), lost(class.lost_events), Cell::count(class.records)];
        records.row(cells.into());
    }
    records.print("no records", output)?;
    output.line("")?;
    let mut hosts = Table::new(&[
        "LOG HOST",
        "ADDRESS",
        "TRANSPORT",
        "FORMAT",
        "STATE",
        "SINCE",
        "CLASS",
        "RECORDS",
        "SENT",
        "QUEUED",
        "DROPPED",
        "UNCARRIED",
        "RESENT",
    ]);
    for host in &row.hosts {
        let state = if host.state == "up" { Style::Good } else { Style::Bad };
        for class in &host.classes {
            hosts.row(vec![
                Cell::text(&host.name),
                Cell::text(&host.address),
                Cell::text(&host.transport),
                Cell::text(&host.format),
                Cell::text(&host.state).style(state),
                Cell::text(seconds(&host.since)),
                Cell::text(&class.class),
                Cell::count(class.records),
                Cell::count(class.sent),
                Cell::count(class.queued),
                lost(class.dropped),
                Cell::count(class.uncarried),
                Cell::count(class.resent),
            ]);
        }
    }
    hosts.print("no log hosts", output)?;
    for host in &row.hosts {
        if let Some(error) = &host.error {
            let (reconnects, error) = (host.reconnects, super::output::visible(error));
            output.line(&format!("{}: {reconnects} reconnects, last because: {error}", host.name))?;
        }
    }
    Ok(())
}

/// A core that is so busy has little left, in per cent.
const NEARLY_FULL: u8 = 90;

/// A time of a row without its fraction: `2026-03-01T08:15:30Z`.
pub(super) fn seconds(time: &str) -> String {
    match time.split_once('.') {
        Some((whole, _)) => format!("{whole}Z"),
        None => time.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rule_is_shown_with_its_pool_and_its_users() {
        let row = |pool: Option<&str>, groups: &[&str]| PolicyRow {
            number: 1,
            name: "web".into(),
            from: vec![],
            to: vec![],
            source: vec![],
            destination: vec![],
            service: vec![],
            application: vec![],
            user: vec![],
            user_group: groups.iter().map(|group| (*group).to_owned()).collect(),
            action: "permit".into(),
            session_logging: true,
            profile: false,
            source_nat: pool.map(str::to_owned),
        };
        for (pool, shown) in [(Some("outside"), "outside"), (None, "-")] {
            let mut table = policy_table();
            table.row(policy_cells(&row(pool, &[])));
            let lines = table.lines(false);
            assert!(lines[0].trim_end().ends_with("SOURCE-NAT"), "{lines:?}");
            assert!(lines[1].trim_end().ends_with(shown), "{lines:?}");
        }
        let mut table = policy_table();
        table.row(policy_cells(&row(None, &["gold", "staff"])));
        let line = &table.lines(false)[1];
        let cells: Vec<&str> = line.split("  ").filter(|cell| !cell.is_empty()).map(str::trim).collect();
        assert_eq!(&cells[8..11], ["-", "gold staff", "permit"], "{cells:?}");
    }
}
