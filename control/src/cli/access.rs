//! `ostiary show access`, `call-status` and `users` for people.

use super::output::{Failure, Output, Style};
use super::show::seconds;
use super::table::{Cell, Table};
use crate::manage::{AccessBufferRow, AccessConfigRow, AccessStatisticsRow, ReceiverRow, UserRow, WaitingRow};

/// How records of a class are made and sent.
pub(super) fn config(row: &AccessConfigRow, output: &mut Output) -> Result<(), Failure> {
    for line in config_lines(row) {
        output.line(&line)?;
    }
    output.line("")?;
    let mut hosts = Table::new(&["LOG HOST", "ADDRESS", "TRANSPORT", "SSL POLICY", "FORMAT"]);
    for host in &row.hosts {
        hosts.row(vec![
            Cell::text(&host.name),
            Cell::text(&host.address),
            Cell::text(&host.transport),
            Cell::text(host.ssl_policy.as_deref().unwrap_or("-")),
            Cell::text(&host.format),
        ]);
    }
    hosts.print("no log host takes them", output)
}

fn config_lines(row: &AccessConfigRow) -> Vec<String> {
    let version = row.version.map_or_else(|| "-".to_owned(), |version| version.to_string());
    let mut lines = vec![
        format!("records    {}", row.class),
        format!("enabled    {}", if row.enable { "yes" } else { "no" }),
        format!("type       {}", row.r#type),
    ];
    if row.class == "access" {
        lines.push(format!("version    {version}"));
    }
    lines
}

/// What became of the records of a class.
pub(super) fn statistics(row: &AccessStatisticsRow, output: &mut Output) -> Result<(), Failure> {
    output.line(&format!("since         {}", seconds(&row.since)))?;
    output.line(&format!("users         {}", row.users))?;
    output.line(&format!("lost events   {}", row.lost_events))?;
    output.line(&format!("received      {}", row.received))?;
    output.line(&format!("sent          {}", row.sent))?;
    output.line("")?;
    let odd = |count: u64| Cell::count(count).style(if count > 0 { Style::Odd } else { Style::Plain });
    let lost = |count: u64| Cell::count(count).style(if count > 0 { Style::Bad } else { Style::Plain });
    let mut hosts = Table::new(&[
        "LOG HOST",
        "RECORDS",
        "SENT",
        "ACKNOWLEDGED",
        "QUEUED",
        "SPOOLED",
        "DROPPED",
        "UNCARRIED",
        "RESENT",
    ]);
    for host in &row.hosts {
        hosts.row(vec![
            Cell::text(&host.name),
            Cell::count(host.records),
            Cell::count(host.sent),
            Cell::count(host.acknowledged),
            Cell::count(host.queued),
            Cell::count(host.spooled),
            lost(host.dropped),
            odd(host.uncarried),
            Cell::count(host.resent),
        ]);
    }
    hosts.print("no log host takes them", output)?;
    output.line("")?;
    let is_access = row.class == "access";
    let heads: &[&str] =
        if is_access { &["SOURCE", "LOGINS", "LOGOUTS", "SEEN"] } else { &["SOURCE", "ACCEPTED", "REFUSED"] };
    let mut sources = Table::new(heads);
    for source in &row.sources {
        let counts: &[u64] =
            if is_access { &[source.logins, source.logouts, source.seen] } else { &[source.accepted, source.refused] };
        let cells = std::iter::once(Cell::text(&source.source)).chain(counts.iter().map(|count| Cell::count(*count)));
        sources.row(cells.collect());
    }
    sources.print("no sources", output)?;
    if let Some(table) = &row.table {
        output.line("")?;
        let mut counts = Table::new(&["MESSAGES", "REPEATED", "UNKNOWN", "UNASKED", "MERGED", "EVICTED", "REFUSED"]);
        counts.row(vec![
            Cell::text("table"),
            Cell::count(table.repeated),
            Cell::count(table.unknown),
            Cell::count(table.unasked),
            Cell::count(table.merged),
            lost(table.evicted),
            lost(table.refused),
        ]);
        counts.print("no messages", output)?;
    }
    if let Some(receiver) = &row.receiver {
        output.line("")?;
        receiver_table(receiver).print("no receiver", output)?;
    }
    Ok(())
}

/// What came to the firewall as an accounting server.
fn receiver_table(row: &ReceiverRow) -> Table {
    let odd = |count: u64| Cell::count(count).style(if count > 0 { Style::Odd } else { Style::Plain });
    let mut table = Table::new(&[
        "RECEIVER",
        "REQUESTS",
        "REPEATED",
        "STATUS",
        "ANSWERS",
        "UNSENT",
        "UNKNOWN",
        "FORGED",
        "MALFORMED",
        "REFUSED",
    ]);
    table.row(vec![
        Cell::text(&row.listen),
        Cell::count(row.requests),
        Cell::count(row.repeated),
        Cell::count(row.status),
        Cell::count(row.answers),
        odd(row.unsent),
        odd(row.unknown),
        odd(row.forged),
        odd(row.malformed),
        odd(row.refused),
    ]);
    table
}

pub(super) fn buffer_table() -> Table {
    Table::new(&["LOG HOST", "WAITING", "PACKET READ", "PACKET WRITTEN", "NEXT RECORD"])
}

pub(super) fn buffer_cells(row: &AccessBufferRow) -> Vec<Cell> {
    vec![
        Cell::text(&row.host),
        Cell::count(row.waiting),
        Cell::count(row.reading),
        Cell::count(row.writing),
        Cell::count(row.record),
    ]
}

/// A record that waits, field by field: those that are not known are left out.
pub(super) fn waiting(row: &WaitingRow, output: &mut Output) -> Result<(), Failure> {
    output.line(&format!("log host {}, packet {}, record {}", row.host, row.packet, row.record))?;
    let Some(fields) = row.fields.as_object() else { return Ok(()) };
    let widest = fields.keys().map(String::len).max().unwrap_or(0);
    for (name, value) in fields.iter().filter(|(_, value)| !value.is_null()) {
        let text = value.as_str().map_or_else(|| value.to_string(), super::output::visible);
        output.line(&format!("  {name:widest$}  {text}"))?;
    }
    Ok(())
}

pub(super) fn user_table() -> Table {
    Table::new(&["SOURCE", "ACCOUNT", "USER", "ADDRESS", "MAC", "INTERFACE", "NAS", "GROUPS", "KNOWN BY", "SINCE"])
}

pub(super) fn user_cells(row: &UserRow) -> Vec<Cell> {
    let known = |text: &Option<String>| Cell::text(text.as_deref().unwrap_or("-"));
    let addresses: Vec<&str> = [&row.ipv4, &row.ipv6, &row.prefix].into_iter().filter_map(Option::as_deref).collect();
    vec![
        Cell::text(row.sources.join(" ")),
        Cell::text(&row.account),
        known(&row.user),
        Cell::text(if addresses.is_empty() { "-".to_owned() } else { addresses.join(" ") }),
        known(&row.mac),
        known(&row.interface),
        if row.nas_id.is_some() { known(&row.nas_id) } else { known(&row.nas) },
        Cell::text(if row.groups.is_empty() { "-".to_owned() } else { row.groups.join(" ") }),
        Cell::text(&row.evidence),
        Cell::text(seconds(&row.since)),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(class: &str, version: Option<u8>) -> AccessConfigRow {
        AccessConfigRow { class: class.into(), enable: true, version, r#type: "binary".into(), hosts: Vec::new() }
    }

    #[test]
    fn a17_show_access_config() {
        let lines = ["records    access", "enabled    yes", "type       binary", "version    3"];
        assert_eq!(config_lines(&row("access", Some(3))), lines);
        assert_eq!(config_lines(&row("access", None))[3], "version    -");
        assert_eq!(config_lines(&row("call-status", None)).len(), 3, "results have no version");
    }

    #[test]
    fn a_user_is_shown_with_all_addresses() {
        let row = UserRow {
            source: "radius".into(),
            sources: vec!["radius".into(), "pppoe".into()],
            account: "alice".into(),
            user: Some("alice\u{1b}[2J".into()),
            identifies: "person".into(),
            ipv4: Some("198.51.100.7".into()),
            ipv6: None,
            prefix: Some("2001:db8::/56".into()),
            assigned: None,
            mac: None,
            interface: Some("inside.101".into()),
            nas: Some("10.0.0.1".into()),
            nas_id: Some("bras1".into()),
            session_id: None,
            group: None,
            groups: vec!["gold".into(), "staff".into()],
            trust: None,
            evidence: "login".into(),
            since: "2026-03-01T08:15:30.000125Z".into(),
        };
        let mut table = user_table();
        table.row(user_cells(&row));
        let line = &table.lines(false)[1];
        let cells: Vec<&str> = line.split("  ").filter(|cell| !cell.is_empty()).map(str::trim).collect();
        let expected = [
            "radius pppoe",
            "alice",
            "alice\\u{1b}[2J",
            "198.51.100.7 2001:db8::/56",
            "-",
            "inside.101",
            "bras1",
            "gold staff",
            "login",
            "2026-03-01T08:15:30Z",
        ];
        assert_eq!(cells, expected);
    }
}
