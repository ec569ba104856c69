//! Scenes: what happens to a firewall besides established traffic. Each is one process and gives a few figures.

use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use dataplane::counters::Counter;
use dataplane::dpdk::{bind_to, cycles_per_second};
use dataplane::guard::reserve;
use hdrhistogram::Histogram;
use serde::{Deserialize, Serialize};

use super::Fallible;
use super::access::{self, Story};
use super::attack::Attack;
use super::bed::Bed;
use super::commit;
use super::draw::Draw;
use super::firewall::{Firewall, settings};
use super::interruptions;
use super::latency;
use super::machine;
use super::measurement::{Measurement, TEMPLATES};
use super::rewrite::Rewriter;
use super::rules::Rules;
use super::sessions::{AT_A_TIME, NewUdp, PACKETS, TcpConnections};
use super::siege::{Siege, Toll};
use super::turns::{Turns, timed};
use super::wire::{Size, Wire};
use super::workers;

/// How a scene is played.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Plan {
    /// The worker's CPU.
    pub cpu: u16,
    /// The CPU for everything else.
    pub main_cpu: u16,
    /// How long is counted.
    pub window: Duration,
    /// Whether EAL has hugepages.
    pub hugepages: bool,
    /// Of the generator.
    pub seed: u64,
    /// Rules of the policy.
    pub rules: u16,
    /// Small tables and short windows: to see that it works.
    pub quick: bool,
}

/// One number that a scene gives.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Figure {
    /// What it is.
    pub name: String,
    /// How much, in `unit`.
    pub value: f64,
    /// `M/s`, `cycles`, `µs`, `%` …
    pub unit: String,
}

/// One of them.
pub fn figure(name: &str, value: f64, unit: &str) -> Figure {
    Figure { name: name.to_owned(), value, unit: unit.to_owned() }
}

/// Every scene's name and what it is.
pub fn all() -> Vec<(String, &'static str)> {
    let plain = [
        ("udp-empty", "new UDP sessions, a packet each, into an empty table, until nine tenths of it are full"),
        ("udp-sustained", "new UDP sessions, a packet each, that expire after a second: as many end as begin"),
        ("tcp", "TCP connections of eight packets: handshake, request, response, close; they linger for a second"),
        ("udp-sustained-unlogged", "the same where no rule logs sessions"),
        ("tcp-unlogged", "the TCP connections where no rule logs sessions"),
        ("latency", "established sessions over net_ring at 70 % of the rate that went through; what the firewall adds"),
        ("turns", "a million established UDP sessions: how long each turn of the worker takes"),
        ("commit", "65,536 established UDP sessions while policies of 10,000 rules are committed, ten a second"),
        ("workers-1024", "two workers, each with 1,024 established sessions of its own: one alone, and both at once"),
        ("workers-65536", "the same with 65,536 sessions each"),
        ("workers-1000000", "the same with a million sessions each"),
        ("dispatcher", "one core that dispatches to one worker: what it costs a packet, and could feed"),
        ("table", "a table of ten million sessions: start-up, filling, memory"),
        ("access", "a million users sign on and off by RADIUS: from frames to IPFIX records, on one core"),
        ("access-verified", "the same where the secret is known, so that every message is verified"),
        ("access-pppoe", "the same by PPPoE"),
        ("access-dhcp", "the same by DHCP"),
    ];
    let attacks =
        Attack::ALL.map(|attack| (format!("attack-{attack}"), "established connections, new users, and an attacker"));
    plain.map(|(name, about)| (name.to_owned(), about)).into_iter().chain(attacks).collect()
}

/// Plays one scene in this process.
pub fn play(name: &str, plan: &Plan, folder: &Path) -> Fallible<Vec<Figure>> {
    // What reads the worker's events must not take its CPU from it, nor wait for it.
    bind_to(plan.main_cpu)?;
    let rules = Rules { count: plan.rules, logging: !name.ends_with(UNLOGGED) };
    match name.strip_suffix(UNLOGGED).unwrap_or(name) {
        "udp-empty" => udp_empty(plan, folder),
        "udp-sustained" => udp_sustained(plan, rules, folder),
        "tcp" => tcp(plan, rules, folder),
        "latency" => latency::measure(plan),
        "turns" => turns(plan, folder),
        "commit" => commit::measure(plan, folder),
        "workers-1024" => workers::measure(plan, 1024, folder),
        "workers-65536" => workers::measure(plan, 65_536, folder),
        "workers-1000000" => workers::measure(plan, 1_000_000, folder),
        "dispatcher" => workers::dispatcher(plan, folder),
        "table" => table(plan, folder),
        "access" => access::measure(plan, Story::Radius { verified: false }),
        "access-verified" => access::measure(plan, Story::Radius { verified: true }),
        "access-pppoe" => access::measure(plan, Story::Pppoe),
        "access-dhcp" => access::measure(plan, Story::Dhcp),
        _ => match name.strip_prefix("attack-") {
            Some(attack) => under_attack(attack.parse()?, plan, folder),
            None => Err(format!("no scene {name:?}").into()),
        },
    }
}

impl Plan {
    /// The wire of a scene: templates that are written over in line.
    pub fn measurement(&self, wire: Wire) -> Measurement {
        Measurement {
            wire,
            flows: TEMPLATES,
            rewritten: Some(Draw::Uniform),
            rules: self.rules,
            size: Size::default(),
            cpu: self.cpu,
            main_cpu: self.main_cpu,
            window: self.window,
            hugepages: self.hugepages,
            seed: self.seed,
        }
    }

    /// So many, or a sixteenth where it is to be quick.
    pub fn size(&self, full: usize) -> usize {
        if self.quick { full / 16 } else { full }
    }
}

fn udp_empty(plan: &Plan, folder: &Path) -> Fallible<Vec<Figure>> {
    let places = plan.size(4_000_000);
    let bed = Bed::one_way(&plan.measurement(Wire::Pcap), folder)?;
    let (probe, turns) = timed(NewUdp::default());
    let mut firewall = Firewall::start(bed, plan.cpu, settings(places), Rules::logging(plan.rules), probe)?;
    let opened = |firewall: &Firewall| firewall.value(Counter::SessionsOpened) as usize;
    // The first hundredth warms up caches.
    firewall.until(LIMIT, |firewall| opened(firewall) > places / 100);
    turns.record(true);
    let (from, begin) = (opened(&firewall), Instant::now());
    let enough = firewall.until(LIMIT, |firewall| opened(firewall) > places / 10 * 9);
    let (to, span) = (opened(&firewall), begin.elapsed());
    turns.record(false);
    if !enough {
        return Err(format!("only {to} of {places} sessions after {LIMIT:?}").into());
    }
    let mut figures = rate("sessions", to - from, span);
    figures.push(figure("events lost", firewall.lost_events() as f64, ""));
    firewall.stop()?;
    figures.extend(pauses(&turns));
    Ok(figures)
}

fn udp_sustained(plan: &Plan, rules: Rules, folder: &Path) -> Fallible<Vec<Figure>> {
    let bed = Bed::one_way(&plan.measurement(Wire::Pcap), folder)?;
    let mut settings = settings(plan.size(8_000_000));
    settings.timeouts.udp = Duration::from_secs(1);
    let (probe, turns) = timed(NewUdp::default());
    let mut firewall = Firewall::start(bed, plan.cpu, settings, rules, probe)?;
    firewall.wait(if plan.quick { Duration::from_millis(1200) } else { Duration::from_millis(2500) });
    let figures = steady(&mut firewall, plan, &turns);
    firewall.stop()?;
    Ok(figures.into_iter().chain(pauses(&turns)).collect())
}

fn tcp(plan: &Plan, rules: Rules, folder: &Path) -> Fallible<Vec<Figure>> {
    let bed = Bed::make(&plan.measurement(Wire::Pcap), folder)?;
    let mut settings = settings(plan.size(4_000_000));
    settings.timeouts.tcp_closing = Duration::from_secs(1);
    let (probe, turns) = timed(TcpConnections::default());
    let mut firewall = Firewall::start(bed, plan.cpu, settings, rules, probe)?;
    firewall.wait(if plan.quick { Duration::from_millis(300) } else { Duration::from_millis(2500) });
    let mut figures = steady(&mut firewall, plan, &turns);
    let (opened, packets) = (firewall.value(Counter::SessionsOpened), firewall.value(Counter::PacketsReceived));
    figures.push(figure("packets dropped", firewall.drops() as f64, ""));
    firewall.stop()?;
    // All but those that are under way, and what came between the two readings.
    if packets.abs_diff(opened * u64::from(PACKETS)) > 2 * AT_A_TIME * u64::from(PACKETS) {
        return Err(format!("{opened} connections of {packets} packets, which should have {PACKETS} each").into());
    }
    Ok(figures.into_iter().chain(pauses(&turns)).collect())
}

/// Sessions that begin and end over the window.
fn steady(firewall: &mut Firewall, plan: &Plan, turns: &Turns) -> Vec<Figure> {
    turns.record(true);
    let counters = [Counter::SessionsOpened, Counter::SessionsClosed, Counter::SessionEvents, Counter::SessionsEvicted];
    let (before, lost, begin) = (counters.map(|one| firewall.value(one)), firewall.lost_events(), Instant::now());
    firewall.wait(plan.window);
    let (after, span) = (counters.map(|one| firewall.value(one)), begin.elapsed());
    turns.record(false);
    let [opened, closed, events, evicted] = std::array::from_fn(|index| (after[index] - before[index]) as usize);
    let mut figures = rate("sessions", opened, span);
    figures.push(figure("closed", closed as f64 / opened as f64 * 100.0, "% of opened"));
    figures.push(figure("evicted", evicted as f64 / opened as f64 * 100.0, "% of opened"));
    figures.push(figure("events", events as f64 / opened as f64, "a session"));
    figures.push(figure("events lost", (firewall.lost_events() - lost) as f64, ""));
    figures
}

fn turns(plan: &Plan, folder: &Path) -> Fallible<Vec<Figure>> {
    let flows = plan.size(1_000_000) as u32;
    let measurement = plan.measurement(Wire::Pcap);
    let idle = interruptions::figures("the CPU", interruptions::watch(plan.cpu, plan.window), plan.window)?;
    let rewriter = Rewriter::new(flows, Draw::Uniform, plan.seed);
    let swept = rewriter.swept();
    let (probe, turns) = timed(rewriter);
    let bed = Bed::make(&measurement, folder)?;
    let mut firewall = Firewall::start(bed, plan.cpu, settings(flows as usize), Rules::logging(plan.rules), probe)?;
    if !firewall.until(LIMIT, |_| swept.load(Ordering::Relaxed)) {
        return Err("not every session came up".into());
    }
    turns.record(true);
    let (from, begin) = (firewall.value(Counter::PacketsReceived), Instant::now());
    firewall.wait(plan.window);
    let received = firewall.value(Counter::PacketsReceived) - from;
    let figures = rate("packets", received as usize, begin.elapsed());
    turns.record(false);
    firewall.stop()?;
    Ok(figures.into_iter().chain(pauses(&turns)).chain(idle).collect())
}

fn table(plan: &Plan, folder: &Path) -> Fallible<Vec<Figure>> {
    let flows = plan.size(10_000_000);
    let bed = Bed::make(&plan.measurement(Wire::Pcap), folder)?;
    let rewriter = Rewriter::new(flows as u32, Draw::Uniform, plan.seed);
    let swept = rewriter.swept();
    let empty = machine::memory_in_use();
    let begin = Instant::now();
    let mut firewall = Firewall::start(bed, plan.cpu, settings(flows), Rules::logging(plan.rules), rewriter)?;
    firewall.until(LIMIT, |firewall| firewall.value(Counter::PacketsReceived) > 0);
    let started = begin.elapsed();
    let begin = Instant::now();
    if !firewall.until(LIMIT, |_| swept.load(Ordering::Relaxed)) {
        return Err("not every session came up".into());
    }
    let filled = begin.elapsed();
    let open = firewall.value(Counter::SessionsActive);
    let memory = machine::memory_in_use() - empty;
    firewall.stop()?;
    if open != flows as u64 {
        return Err(format!("{open} of {flows} sessions are open").into());
    }
    Ok(vec![
        figure("sessions", open as f64 / 1e6, "M"),
        figure("start to first packet", started.as_secs_f64(), "s"),
        figure("filled after", filled.as_secs_f64(), "s"),
        // All that came with the firewall: table, inspection, policy, queues.
        figure("memory", memory as f64 / flows as f64, "octets a session"),
    ])
}

fn under_attack(attack: Attack, plan: &Plan, folder: &Path) -> Fallible<Vec<Figure>> {
    // Where an attack fills the table, eight ninths are those of established connections and the rest is for users.
    let established = plan.size(if attack.fills_the_table() { 1 << 20 } else { 1 << 16 });
    let sessions = if attack.fills_the_table() { established / 8 * 9 } else { plan.size(1_000_000) };
    let bed = Bed::make(&plan.measurement(Wire::Pcap), folder)?;
    let (probe, toll) = Siege::new(attack, established as u32, plan.seed);
    let (probe, turns) = timed(probe);
    let settings = attack.settings(settings(sessions));
    let mut firewall = Firewall::start(bed, plan.cpu, settings, Rules::logging(plan.rules), probe)?;
    if !firewall.until(LIMIT, |_| toll.ready.load(Ordering::Relaxed)) {
        return Err("not every connection was established".into());
    }
    let peace = {
        let (from, begin) = (firewall.value(Counter::PacketsReceived), Instant::now());
        firewall.wait(plan.window / 2);
        (firewall.value(Counter::PacketsReceived) - from) as f64 / begin.elapsed().as_secs_f64()
    };
    toll.attack.store(true, Ordering::Relaxed);
    let places = sessions + reserve(sessions);
    if attack.fills_the_table() {
        // The attack is at its height when the table is full; a firewall that keeps it from filling is measured then.
        let full = |firewall: &Firewall| firewall.value(Counter::TableEntries) as usize >= places;
        firewall.until(Duration::from_secs(3), full);
    }
    // Until the first of the users who had to repeat something are through.
    firewall.wait(if plan.quick { Duration::from_millis(300) } else { Duration::from_millis(1500) });
    let (memory, from, begin) = (machine::memory_in_use(), Reading::of(&firewall, &toll), Instant::now());
    turns.record(true);
    firewall.wait(plan.window);
    let (to, span) = (Reading::of(&firewall, &toll), begin.elapsed().as_secs_f64());
    turns.record(false);
    let growth = machine::memory_in_use() as f64 - memory as f64;
    let entries = firewall.value(Counter::TableEntries) as f64;
    firewall.stop()?;
    let [sent, passed] = to.since(&from, |reading| reading.established);
    let [hostile, through] = to.since(&from, |reading| reading.hostile);
    let [ended, served, at_once] = to.since(&from, |reading| reading.users);
    let [packets, composing] = to.since(&from, |reading| reading.generator);
    let [events, notices, evicted] = to.since(&from, |reading| reading.told);
    let mut figures = vec![
        figure("packets in peace", peace / 1e6, "M/s"),
        figure("packets under attack", packets / span / 1e6, "M/s"),
        figure("of them the attacker's", hostile / span / 1e6, "M/s"),
        figure("composing a packet", composing / packets, "cycles"),
        figure("established lost", 100.0 - share(passed, sent), "% of their packets"),
        figure("new users served", share(served, ended), "% of their connections"),
        figure("at the first try", share(at_once, ended), "% of their connections"),
        figure("new users", ended / span / 1e3, "k/s"),
        figure("attacker's let through", share(through, hostile), "%"),
        figure("that is", through / span / 1e6, "M/s"),
        figure("table", entries / places as f64 * 100.0, "% full"),
        figure("evicted", evicted / span / 1e6, "M/s"),
        figure("session records", (events - notices) / span / 1e3, "k/s"),
        figure("notices", notices / span, "/s"),
        figure("memory grew by", growth / 1048576.0, "MiB"),
    ];
    let drops = to.drops.iter().zip(&from.drops).map(|((name, to), (_, from))| (name, (to - from) as f64));
    figures
        .extend(drops.filter(|(_, count)| *count > 0.0).map(|(name, count)| figure(name, count / span / 1e6, "M/s")));
    Ok(figures.into_iter().chain(pauses(&turns)).collect())
}

/// What has been counted under attack.
struct Reading {
    established: [u64; 2],
    hostile: [u64; 2],
    users: [u64; 3],
    generator: [u64; 2],
    /// Session events, of those notices of attacks, and sessions evicted.
    told: [u64; 3],
    drops: Vec<(&'static str, u64)>,
}

impl Reading {
    fn of(firewall: &Firewall, toll: &Toll) -> Self {
        let drops = firewall.counters.read().into_iter().filter(|(name, _)| name.starts_with("drop_"));
        let events = firewall.value(Counter::SessionEvents) + firewall.lost_events();
        Self {
            established: load(&toll.established),
            hostile: load(&toll.hostile),
            users: load(&toll.users),
            generator: load(&toll.generator),
            told: [events, firewall.notices(), firewall.value(Counter::SessionsEvicted)],
            drops: drops.collect(),
        }
    }

    fn since<const N: usize>(&self, before: &Self, of: impl Fn(&Self) -> [u64; N]) -> [f64; N] {
        let (to, from) = (of(self), of(before));
        std::array::from_fn(|index| (to[index] - from[index]) as f64)
    }
}

fn load<const N: usize>(counts: &[AtomicU64; N]) -> [u64; N] {
    counts.each_ref().map(|count| count.load(Ordering::Relaxed))
}

fn share(part: f64, whole: f64) -> f64 {
    if whole > 0.0 { part / whole * 100.0 } else { 0.0 }
}

/// A rate in millions a second, and cycles each.
pub(super) fn rate(what: &str, count: usize, span: Duration) -> Vec<Figure> {
    let a_second = count as f64 / span.as_secs_f64();
    // Asked of DPDK: who counted for a while would read no events meanwhile.
    let hertz = cycles_per_second() as f64;
    vec![figure(what, a_second / 1e6, "M/s"), figure("each", hertz / a_second, "cycles")]
}

/// How long turns took.
pub(super) fn pauses(turns: &Turns) -> Vec<Figure> {
    turns.recorded().map_or_else(Vec::new, |histogram| quantiles(&histogram))
}

/// The same of a histogram in cycles.
pub(super) fn quantiles(histogram: &Histogram<u64>) -> Vec<Figure> {
    if histogram.is_empty() {
        return Vec::new();
    }
    let microseconds = |cycles: u64| cycles as f64 / cycles_per_second() as f64 * 1e6;
    vec![
        figure("turn, median", microseconds(histogram.value_at_quantile(0.5)), "µs"),
        figure("turn, 99.9 %", microseconds(histogram.value_at_quantile(0.999)), "µs"),
        figure("turn, 99.999 %", microseconds(histogram.value_at_quantile(0.99999)), "µs"),
        figure("turn, worst", microseconds(histogram.max()), "µs"),
    ]
}

/// The end of a scene's name that is played like the one without it, but with rules that log no sessions.
pub const UNLOGGED: &str = "-unlogged";
/// What never takes that long.
pub(super) const LIMIT: Duration = Duration::from_secs(60);
