//! What a replay prints: JSON lines for programs; for people a line for each sign-on, and the summary.

use std::collections::BTreeMap;
use std::io::{self, Write};
use std::net::{Ipv4Addr, Ipv6Addr};

use dataplane::time::Nanos;
use sigdb::Confidence;

use super::summary::Summary;
use crate::presence::access::AccessAction;
use crate::record::access::{AccessRecord, legible};
use crate::record::{Body, FlowContext, ImAction, ImRecord, Record, json, rfc3339};

/// How a replay is printed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// One JSON object a line: sign-ons, applications, sessions; the summary last.
    Json,
    /// Sign-ons in columns, with colours where the terminal has them; the summary last.
    Text {
        /// Whether to colour.
        colour: bool,
    },
}

/// Sign-ons by application, then by action.
pub type SignOns = BTreeMap<String, BTreeMap<&'static str, u64>>;

/// Prints, and counts what it prints.
pub(super) struct Report<'a> {
    out: &'a mut dyn Write,
    form: Form,
    line: Vec<u8>,
    applications: BTreeMap<String, u64>,
    sign_ons: SignOns,
}

impl<'a> Report<'a> {
    pub(super) fn new(out: &'a mut dyn Write, form: Form) -> Self {
        Self { out, form, line: Vec::new(), applications: BTreeMap::new(), sign_ons: SignOns::new() }
    }

    pub(super) fn record(&mut self, record: &Record) -> io::Result<()> {
        if let Body::Im(im) = &record.body {
            let actions = entry(&mut self.sign_ons, &im.flow.application);
            // A verdict is counted by what it says.
            *actions.entry(im.action.result_text().unwrap_or(im.action.text())).or_default() += 1;
        }
        if let Body::Access(access) = &record.body {
            let actions = entry(&mut self.sign_ons, access.user.source.name());
            *actions.entry(access.action.result_text().unwrap_or(access.action.text())).or_default() += 1;
        }
        match (self.form, &record.body) {
            (Form::Json, _) => json::write(&mut self.line, record),
            (Form::Text { colour }, Body::Im(im)) => sign_on_line(&mut self.line, record.time, im, colour),
            (Form::Text { colour }, Body::Access(access)) => access_line(&mut self.line, record.time, access, colour),
            (Form::Text { .. }, Body::Loss(loss)) => {
                writeln!(self.line, "{} {} events lost at {}", loss.count, loss.class.text(), loss.place)?;
            }
            (Form::Text { .. }, Body::Session(_) | Body::Attack(_) | Body::Audit(_)) => {}
        }
        self.flush_line()
    }

    pub(super) fn application(&mut self, time: Nanos, flow: &FlowContext, confidence: Confidence) -> io::Result<()> {
        *entry(&mut self.applications, &flow.application) += 1;
        if self.form == Form::Json {
            json::write_application(&mut self.line, time, flow, confidence);
        }
        self.flush_line()
    }

    /// Completes the summary with what was counted here, and prints it.
    pub(super) fn end(mut self, mut summary: Summary) -> io::Result<Summary> {
        summary.applications = std::mem::take(&mut self.applications);
        summary.sign_ons = std::mem::take(&mut self.sign_ons);
        match self.form {
            Form::Json => summary.write_json(&mut self.line),
            Form::Text { .. } => summary.write_text(&mut self.line)?,
        }
        self.flush_line()?;
        self.out.flush()?;
        Ok(summary)
    }

    fn flush_line(&mut self) -> io::Result<()> {
        self.out.write_all(&self.line)?;
        self.line.clear();
        Ok(())
    }
}

/// The entry of a name, which is copied only where it is new.
fn entry<'m, V: Default>(map: &'m mut BTreeMap<String, V>, name: &str) -> &'m mut V {
    if !map.contains_key(name) {
        map.insert(name.to_owned(), V::default());
    }
    map.get_mut(name).expect("it was just put there")
}

fn sign_on_line(out: &mut Vec<u8>, time: Nanos, im: &ImRecord, colour: bool) {
    let shown = match im.action {
        ImAction::Login => LOGIN,
        ImAction::Logout => LOGOUT,
        ImAction::Seen => SEEN,
        ImAction::Result { success: true } => ACCEPTED,
        ImAction::Result { success: false } => REFUSED,
    };
    let account = im.account.as_deref().map_or("-".to_owned(), printable);
    let (client, server) = (im.flow.tuple.client.socket(), im.flow.tuple.server.socket());
    let place = format!("{client} > {server}");
    line(out, time, shown, colour, [&im.flow.application, &account, &place, im.reason.text()]);
}

fn access_line(out: &mut Vec<u8>, time: Nanos, access: &AccessRecord, colour: bool) {
    let shown = match access.action {
        AccessAction::Login => LOGIN,
        AccessAction::Logout => LOGOUT,
        AccessAction::Seen => SEEN,
        AccessAction::Result { success: true } => ACCEPTED,
        AccessAction::Result { success: false } => REFUSED,
    };
    let user = &*access.user;
    let account = printable(&legible(user.user.as_deref().unwrap_or(&user.account)));
    let addresses = [
        user.ipv4.map(|address| Ipv4Addr::from(address).to_string()),
        user.ipv6.map(|address| Ipv6Addr::from(address).to_string()),
        user.prefix.map(|(address, length)| format!("{}/{length}", Ipv6Addr::from(address))),
        user.mac.map(|mac| mac.to_string()),
    ];
    let place = addresses.into_iter().flatten().collect::<Vec<_>>().join(" ");
    line(out, time, shown, colour, [user.source.name(), &account, &place, access.reason.text()]);
}

/// An action in words, and in a terminal's colour.
type Shown = (&'static str, &'static str);
const LOGIN: Shown = ("login", "32");
const LOGOUT: Shown = ("logout", "36");
const SEEN: Shown = ("seen", "33");
const ACCEPTED: Shown = ("accepted", "32");
const REFUSED: Shown = ("refused", "31");

fn line(out: &mut Vec<u8>, time: Nanos, (action, escape): Shown, colour: bool, [source, who, place, why]: [&str; 4]) {
    rfc3339::write(out, time, None);
    let (before, after) = if colour { (format!("\x1b[{escape}m"), "\x1b[0m") } else { (String::new(), "") };
    let line = writeln!(out, "  {before}{action:<8}{after}  {source:<10} {who:<20}  {place}  {why}");
    line.expect("memory takes every line");
}

/// An account is hostile input: what could steer a terminal is shown as an escape.
fn printable(text: &str) -> String {
    let steers = |c: char| c.is_control() || matches!(c, '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    text.chars().map(|c| if steers(c) { c.escape_unicode().to_string() } else { c.to_string() }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::sample;

    fn text(record: &Record, colour: bool) -> String {
        let mut out = Vec::new();
        Report::new(&mut out, Form::Text { colour }).record(record).unwrap();
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn people_get_a_line_a_sign_on() {
        let line = "2026-03-01T08:15:30.000125Z  login     qq         20001                 \
                    10.1.2.3:4001 > 192.0.2.9:8000  message\n";
        assert_eq!(text(&sample::login("20001"), false), line);
        assert!(text(&sample::login("20001"), true).contains("\x1b[32mlogin   \x1b[0m"));
        assert_eq!(text(&sample::create(sample::flow_v4()), false), "");
    }

    #[test]
    fn an_account_cannot_steer_the_terminal() {
        let line = text(&sample::login("\x1b[2J\n\u{202e}x"), false);
        assert!(line.contains("\\u{1b}[2J\\u{a}\\u{202e}x"), "{line}");
    }
}
