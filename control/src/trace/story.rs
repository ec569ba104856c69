//! A trace told: a row for each step, one for each rule up to the one that matches, the verdict last.

use std::vec::IntoIter;

use dataplane::pipeline::{Asked, Stage, Trace, Unless};
use dataplane::policy::{Action, Application, Field, Misfits, PortId, Query, RuleId, ZoneId};
use dataplane::route::Hop;
use dataplane::verdict::{DropReason, Verdict};
use dataplane::wire::protocol;
use serde::{Deserialize, Serialize};

use crate::config::Compiled;
use crate::manage::{PolicyRow, protocol_text, time_text};
use crate::record::Class;

/// A step of a trace.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct TraceRow {
    /// `port`, `headers`, `wire`, `pool`, `route`, `screens`, `session`, `admission`, `flood`, `rule`, `engine`, `nat`,
    /// `next-hop`, `log` or `verdict`.
    pub step: String,
    /// `ok`; `drop` where it ends there; of a rule `match`, `no-match` or `not-asked`; of the verdict `forward`, `taken`,
    /// `drop` or `reset`.
    pub outcome: String,
    /// In words.
    pub detail: String,
    /// Of a rule: its place, from 1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub number: Option<usize>,
    /// The rule, of the verdict too.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rule: Option<String>,
    /// Of a rule that does not match: the keys that do not agree.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub because: Vec<String>,
    /// Where it is dropped: the name of the reason, as in the counters.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// Of the verdict: the port by which it leaves.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub out: Option<String>,
    /// Of the verdict: whether it hangs on what a trace cannot tell; what, is in words.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub depends: bool,
}

impl TraceRow {
    fn new(step: &str, outcome: &str, detail: impl Into<String>) -> Self {
        Self { step: step.to_owned(), outcome: outcome.to_owned(), detail: detail.into(), ..Self::default() }
    }
}

/// A trace on its way to who asked, row by row: a policy may have many rules.
#[derive(Debug)]
pub struct Story {
    before: IntoIter<TraceRow>,
    /// The question that the rules are asked, where they decide, and the place of the next.
    rules: Option<(Asked, usize)>,
    after: IntoIter<TraceRow>,
}

impl Story {
    /// Of what a pipeline said.
    pub fn new(trace: &Trace, port: PortId, compiled: &Compiled) -> Self {
        let teller = Teller { trace, port, compiled };
        let rules = trace.asked.filter(|asked| asked.decides).map(|asked| (asked, 0));
        Self { before: teller.before().into_iter(), rules, after: teller.after().into_iter() }
    }

    /// The same, with what the engine said of what the frame carries.
    #[must_use]
    pub(super) fn named(self, application: &str) -> Self {
        let row = TraceRow::new("engine", "ok", format!("the engine names it {application} by what it carries"));
        let before: Vec<_> = self.before.chain([row]).collect();
        Self { before: before.into_iter(), ..self }
    }

    /// The next row.
    pub fn next(&mut self, compiled: &Compiled) -> Option<TraceRow> {
        if let Some(row) = self.before.next() {
            return Some(row);
        }
        if let Some((asked, place)) = self.rules {
            let (row, is_last) = rule(compiled, &asked, place);
            self.rules = (!is_last).then_some((asked, place + 1));
            return Some(row);
        }
        self.after.next()
    }
}

/// The row of a rule, and whether it is the one that decides.
fn rule(compiled: &Compiled, asked: &Asked, place: usize) -> (TraceRow, bool) {
    let name = compiled.names.rule(compiled.policy.number(place)).to_string();
    let misfits = compiled.policy.misfits(place, &asked.query);
    let mut row = match misfits {
        // Behind the last.
        None => TraceRow::new("rule", "match", "no rule matches"),
        Some(misfits) if misfits.is_empty() => {
            let source = &compiled.policy.source().rules[place];
            let tentative = if asked.decision.tentative {
                "; it is let through until its application is known, then judged again"
            } else {
                ""
            };
            TraceRow::new("rule", "match", format!("{}{tentative}", action(source.action)))
        }
        Some(misfits) => {
            let told = PolicyRow::of(compiled, place).map(|row| reasons(&row, misfits, &asked.query, compiled));
            let because = misfits.iter().map(|field| key(field).to_owned()).collect();
            TraceRow { because, ..TraceRow::new("rule", "no-match", told.unwrap_or_default()) }
        }
    };
    let is_last = row.outcome == "match";
    (row.number, row.rule) = (Some(place + 1), Some(name));
    (row, is_last)
}

/// Why a rule does not match, in words.
fn reasons(row: &PolicyRow, misfits: Misfits, query: &Query, compiled: &Compiled) -> String {
    let told = misfits.iter().map(|field| match field {
        Field::From => format!("from zone {}, not {}", zone(compiled, query.from), few(&row.from)),
        Field::To => format!("to zone {}, not {}", zone(compiled, query.to), few(&row.to)),
        Field::Source => format!("source {} is not in {}", query.source.ip(), few(&row.source)),
        Field::Destination => format!("destination {} is not in {}", query.destination.ip(), few(&row.destination)),
        Field::Service => format!("service {} is not {}", service(query), few(&row.service)),
        Field::Application => {
            let known = match query.application {
                Application::Named(named) => compiled.names.application(named).to_string(),
                Application::Unknown | Application::Undecided => "unknown".to_owned(),
            };
            format!("application {known}, not {}", few(&row.application))
        }
        Field::Users => {
            let named: Vec<String> =
                row.user.iter().cloned().chain(row.user_group.iter().map(|group| format!("group {group}"))).collect();
            format!("nobody at {} is {}", query.source.ip(), few(&named))
        }
    });
    told.collect::<Vec<_>>().join("; ")
}

/// The key of a rule that holds a field.
fn key(field: Field) -> &'static str {
    match field {
        Field::From => "from",
        Field::To => "to",
        Field::Source => "source",
        Field::Destination => "destination",
        Field::Service => "service",
        Field::Application => "application",
        Field::Users => "user",
    }
}

/// Not more than one line bears.
fn few(names: &[String]) -> String {
    const NAMED: usize = 3;
    match names.len().checked_sub(NAMED) {
        None | Some(0) => names.join(", "),
        Some(others) => format!("{} or {others} others", names[..NAMED].join(", ")),
    }
}

fn zone(compiled: &Compiled, zone: ZoneId) -> String {
    compiled.names.zones.get(usize::from(zone.0)).map_or_else(|| "unknown".to_owned(), |name| name.to_string())
}

fn service(query: &Query) -> String {
    let name = protocol_text(query.protocol);
    match query.protocol {
        protocol::ICMP | protocol::ICMPV6 => {
            format!("{name}/{}/{}", query.destination_port >> 8, query.destination_port & 0xff)
        }
        protocol::TCP | protocol::UDP | protocol::SCTP => {
            format!("{name}/{} from port {}", query.destination_port, query.source_port)
        }
        number => format!("ip/{number}"),
    }
}

fn action(action: Action) -> &'static str {
    match action {
        Action::Permit => "permit",
        Action::Deny => "deny",
        Action::Reset => "reset",
    }
}

/// What a drop reason means, in one line.
fn meaning(reason: DropReason) -> String {
    format!("{}: {}", reason.name(), reason.help().trim().replace('\n', ""))
}

struct Teller<'a> {
    trace: &'a Trace,
    port: PortId,
    compiled: &'a Compiled,
}

impl Teller<'_> {
    /// A step that it passed, or the one at which it ends; none where it did not come to it.
    fn step(&self, stage: Stage, name: &str, detail: impl Into<String>) -> Option<TraceRow> {
        match self.trace.verdict {
            Verdict::Drop(reason) if self.trace.stage == stage => {
                let row = TraceRow::new(name, "drop", meaning(reason));
                Some(TraceRow { reason: Some(reason.name().to_owned()), ..row })
            }
            _ => (self.trace.stage >= stage).then(|| TraceRow::new(name, "ok", detail)),
        }
    }

    /// What comes before the rules.
    fn before(&self) -> Vec<TraceRow> {
        let (trace, names) = (self.trace, &self.compiled.names);
        let port = self.port.0;
        let mut rows = vec![Some(TraceRow::new("port", "ok", self.port(port)))];
        rows.push(self.step(Stage::Read, "headers", self.headers()));
        let goes_on = trace.tuple.is_some() && trace.unless != Some(Unless::Fragment);
        let is_read = trace.stage > Stage::Read || !matches!(trace.verdict, Verdict::Drop(_));
        if let Some(out) = trace.out.filter(|_| is_read && trace.hop.is_none()) {
            rows.push(Some(TraceRow::new("wire", "ok", format!("to {}", self.port(out.0)))));
        }
        if let Some(inside) = trace.inside {
            let whom = format!("a pool address, for {} inside", inside.socket());
            rows.push(self.step(Stage::Pool, "pool", whom));
        } else if trace.stage == Stage::Pool {
            rows.push(self.step(Stage::Pool, "pool", ""));
        }
        if trace.hop.is_some() || trace.stage == Stage::Route {
            rows.push(self.step(Stage::Route, "route", self.route()));
        }
        if goes_on {
            rows.push(self.step(Stage::Screen, "screens", "passed"));
            let session = match &trace.session {
                Some(session) => {
                    let application = names.application(session.application);
                    let (there, back) = (session.to_server.packets, session.to_client.packets);
                    format!(
                        "{}, rule {}, application {application}, since {}, {there} packets out and {back} in",
                        session.state,
                        names.rule(session.rule),
                        time_text(session.start)
                    )
                }
                None => "none that it belongs to".to_owned(),
            };
            rows.push(self.step(Stage::Session, "session", session));
        }
        if trace.stage == Stage::Admission {
            rows.push(self.step(Stage::Admission, "admission", ""));
        } else if trace.asked.is_some_and(|asked| asked.decides) && trace.session.is_none() {
            rows.push(self.step(Stage::Admission, "admission", "it may open a session, if a rule lets it"));
        }
        if trace.stage == Stage::Flood {
            rows.push(self.step(Stage::Flood, "flood", ""));
        }
        rows.into_iter().flatten().collect()
    }

    /// What comes behind them.
    fn after(&self) -> Vec<TraceRow> {
        let (trace, names) = (self.trace, &self.compiled.names);
        let mut rows = Vec::new();
        if let (Some(session), Some(asked)) = (&trace.session, trace.asked.filter(|asked| !asked.decides)) {
            let anew = names.rule(asked.decision.rule);
            let rule = names.rule(session.rule);
            let detail = format!("the session goes on under {rule}; asked anew, {anew} would match");
            let row = TraceRow::new("rule", "not-asked", detail);
            rows.push(Some(TraceRow { rule: Some(rule.to_string()), ..row }));
        }
        let inspects = trace.asked.is_some_and(|asked| asked.decision.inspect);
        if trace.stage == Stage::Inspection || inspects {
            rows.push(self.step(Stage::Inspection, "engine", "what it carries is shown to the engine"));
        }
        if let Some(pool) = trace.pool {
            let pool = format!("the client's end from pool {}", names.pool(pool));
            rows.push(self.step(Stage::Translation, "nat", pool));
        } else if trace.stage == Stage::Translation {
            rows.push(self.step(Stage::Translation, "nat", ""));
        }
        if trace.stage == Stage::Departure && matches!(trace.hop, Some(Hop::Connected(_) | Hop::Via { .. })) {
            let neighbour = match &trace.neighbour {
                Some(neighbour) => {
                    let mac = neighbour.mac.map_or_else(|| "no MAC address".to_owned(), |mac| mac.to_string());
                    format!("{} {}, {mac}", neighbour.address.ip(), neighbour.state)
                }
                None => "not asked for yet".to_owned(),
            };
            rows.push(Some(TraceRow::new("next-hop", "ok", neighbour)));
        }
        rows.push(Some(TraceRow::new("log", "ok", self.log())));
        rows.push(Some(self.verdict()));
        rows.into_iter().flatten().collect()
    }

    fn port(&self, port: u16) -> String {
        let own = self.compiled.dataplane.routing.own == Some(PortId(port));
        if own && usize::from(port) >= self.compiled.names.ports.len() {
            return format!(
                "the firewall itself, zone {}",
                zone(self.compiled, self.compiled.policy.zone(PortId(port)))
            );
        }
        format!("{}, zone {}", self.compiled.names.port(port), self.compiled.names.zone_of_port(port))
    }

    fn headers(&self) -> String {
        let Some(tuple) = &self.trace.tuple else {
            return "no IP packet that is judged: ARP, neighbour discovery, or what is not IP".to_owned();
        };
        let tags = match (tuple.svlan, tuple.cvlan) {
            (0, _) => String::new(),
            (outer, 0) => format!(", VLAN {outer}"),
            (outer, inner) => format!(", VLANs {outer} and {inner}"),
        };
        let fragment = if self.trace.unless == Some(Unless::Fragment) { ", a fragment" } else { "" };
        let (sender, receiver) = (tuple.client.socket(), tuple.server.socket());
        let has_ports = matches!(tuple.protocol, protocol::TCP | protocol::UDP | protocol::SCTP);
        let ends =
            if has_ports { format!("{sender} to {receiver}") } else { format!("{} to {}", sender.ip(), receiver.ip()) };
        format!("{} {ends}{tags}{fragment}", protocol_text(tuple.protocol))
    }

    fn route(&self) -> String {
        match self.trace.hop {
            Some(Hop::Own) => format!("to {}", self.port(self.trace.out.map_or(u16::MAX, |out| out.0))),
            Some(Hop::Connected(port)) => format!("a network at {}", self.port(port.0)),
            Some(Hop::Via { port, gateway }) => format!("via {} at {}", gateway.ip(), self.port(port.0)),
            Some(Hop::Discard) => "a route that drops".to_owned(),
            Some(Hop::Group) => "a group, or a place within one link".to_owned(),
            None => "none".to_owned(),
        }
    }

    /// The rule that its fate hangs on.
    fn rule(&self) -> Option<RuleId> {
        let asked = self.trace.asked.filter(|asked| asked.decides).map(|asked| asked.decision.rule);
        let by_rule =
            |reason| matches!(reason, DropReason::Policy | DropReason::PolicyReset | DropReason::ImplicitDeny);
        match self.trace.verdict {
            Verdict::Drop(reason) if !by_rule(reason) => None,
            _ => asked.or(self.trace.session.map(|session| session.rule)),
        }
    }

    fn hosts(&self, class: Class) -> String {
        let takes = self.compiled.hosts.iter().filter(|host| host.records.iter().any(|(taken, _)| *taken == class));
        let names: Vec<&str> = takes.map(|host| &*host.name).collect();
        let to =
            if names.is_empty() { "no log host takes them".to_owned() } else { format!("to {}", names.join(", ")) };
        format!("class {}, {to}", class.text())
    }

    /// What would be recorded.
    fn log(&self) -> String {
        let by_rule = self.rule().is_some();
        let Some(asked) = self.trace.asked.filter(|asked| asked.decides && by_rule) else {
            return match self.trace.verdict {
                Verdict::Drop(reason) if reason.is_attack() => {
                    let many = if reason.may_be_stray() { ", where there are many" } else { "" };
                    format!("an attack{many}: {}; counted as {}", self.hosts(Class::Attack), reason.counter())
                }
                Verdict::Drop(reason) => format!("nothing; counted as {}", reason.counter()),
                _ => match self.trace.session {
                    Some(session) if self.compiled.policy.logs(session.rule) => {
                        format!("the session's end: {}", self.hosts(Class::Session))
                    }
                    _ => "nothing".to_owned(),
                },
            };
        };
        if !asked.decision.session_logging {
            return format!("nothing: {} does not log sessions", self.compiled.names.rule(asked.decision.rule));
        }
        let session = self.hosts(Class::Session);
        if matches!(self.trace.verdict, Verdict::Drop(_)) {
            return format!("a deny: {session}");
        }
        format!("the session's begin and end: {session}; {}", self.sign_ons(asked.decision.rule))
    }

    /// What of sign-ons would be.
    fn sign_ons(&self, rule: RuleId) -> String {
        let im = &self.compiled.im;
        if !im.enable {
            return "sign-ons to messengers: none, as log.im is off".to_owned();
        }
        let whose = match im.audits.get(usize::from(rule.0)) {
            Some(Some(audit)) => {
                let names: Vec<&str> = audit.iter().map(|(name, _)| &**name).collect();
                format!("of {}, as its profile says", names.join(", "))
            }
            _ => "of all that the engine knows".to_owned(),
        };
        format!("sign-ons to messengers {whose}: {}", self.hosts(Class::Im))
    }

    fn verdict(&self) -> TraceRow {
        let (trace, names) = (self.trace, &self.compiled.names);
        let rule = self.rule().map(|rule| names.rule(rule).to_string());
        let by = rule.as_ref().map(|rule| format!(" by {rule}")).unwrap_or_default();
        let (outcome, mut detail) = match trace.verdict {
            Verdict::Forward(out) => ("forward", format!("let through{by}, leaves by {}", names.port(out.0))),
            Verdict::Taken => ("taken", format!("taken{by}")),
            Verdict::Drop(DropReason::PolicyReset) => ("reset", format!("dropped{by}, and its sender is told")),
            Verdict::Drop(reason) => ("drop", format!("dropped{by}: {}", reason.name())),
        };
        if trace.asked.is_some_and(|asked| asked.decides && asked.decision.tentative)
            && !matches!(trace.verdict, Verdict::Drop(_))
        {
            detail += "; judged again when its application is known";
        }
        if let Some(unless) = trace.unless {
            detail += &format!("; {}", condition(unless));
        }
        let reason = match trace.verdict {
            Verdict::Drop(reason) => Some(reason.name().to_owned()),
            _ => None,
        };
        let out = match trace.verdict {
            Verdict::Forward(out) => Some(names.port(out.0).to_string()),
            _ => None,
        };
        TraceRow { rule, reason, out, depends: trace.unless.is_some(), ..TraceRow::new("verdict", outcome, detail) }
    }
}

fn condition(unless: Unless) -> &'static str {
    match unless {
        Unless::Fragment => "it waits for the rest of its datagram, which is then judged as a whole",
        Unless::Neighbourhood => "it is for the interface itself, which reads it",
        Unless::TableFull => "the session table is full: another session has to give way",
        Unless::Inspection => "the engine is shown what it carries, and what it finds may change this",
        Unless::Pool => "a port of the pool has to be free",
        Unless::Unresolved => "it waits until its next hop answers",
        Unless::Cut => "it leaves in fragments",
    }
}
