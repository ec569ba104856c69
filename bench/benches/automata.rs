//! Ways to ask for many signatures' literals at once: over the literals of the shipped signatures and the first payload of
//! each direction of each flow of real captures.
//!
//!     CAPTURES=FOLDER:FOLDER cargo bench -p bench --bench automata

#[path = "common/cycles.rs"]
mod cycles;

use std::collections::HashSet;
use std::hint::black_box;
use std::path::{Path, PathBuf};

use aho_corasick::{AhoCorasick, AhoCorasickKind, MatchKind};
use control::replay::capture::Capture;
use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use cycles::Cycles;
use dataplane::packet::{self, Parsed, Transport as Header};
use dataplane::pipeline::Frame;
use dataplane::policy::PortId;
use regex_automata::meta::Regex;
use regex_automata::util::syntax;
use sigdb::{Literal, Sender, Transport};

/// Octets of a payload that are looked at.
const LOOKED_AT: usize = 256;
/// Payloads at most.
const PAYLOADS: usize = 20_000;

struct Payload {
    transport: Transport,
    from: Sender,
    server_port: u16,
    octets: Vec<u8>,
}

fn payloads() -> Vec<Payload> {
    let folders = std::env::var("CAPTURES").unwrap_or_default();
    let entries = folders.split(':').filter_map(|folder| std::fs::read_dir(folder).ok()).flatten();
    let mut files: Vec<PathBuf> = entries.filter_map(|entry| Some(entry.ok()?.path())).collect();
    files.sort();
    let mut payloads = Vec::new();
    for file in files {
        let mut seen = HashSet::new();
        let Ok(mut capture) = Capture::open(Path::new(&file)) else { continue };
        while let Ok(Some(packet)) = capture.next_packet() {
            let (Some(framing), mut bytes) = (packet.link.framing(), Vec::new()) else { continue };
            let Some(length) = framing.ethernet(packet.bytes, packet.length, &mut bytes) else { continue };
            let frame = Frame::new(PortId(0), &mut bytes, length);
            let Ok(Parsed::Packet(info)) = packet::parse(&frame, 0, false, Default::default()) else { continue };
            let transport = match info.transport {
                Header::Tcp(_) => Transport::Tcp,
                Header::Udp => Transport::Udp,
                _ => continue,
            };
            let (from_end, to) = (info.key.end(info.sender), info.key.end(info.sender.other()));
            let octets = info.payload(frame.bytes).to_vec();
            if octets.is_empty() || !seen.insert(format!("{:?} {:?}", info.key, info.sender)) {
                continue;
            }
            let from = if to.port <= from_end.port { Sender::Client } else { Sender::Server };
            payloads.push(Payload { transport, from, server_port: to.port.min(from_end.port), octets });
        }
    }
    payloads.truncate(PAYLOADS);
    payloads
}

fn ask(criterion: &mut Criterion<Cycles>) {
    let database = control::signatures::shipped();
    let payloads = payloads();
    if payloads.is_empty() {
        eprintln!("CAPTURES names no folder of captures");
        return;
    }
    let of = |transport| database.literals().into_iter().filter(|one| one.transport == transport).collect::<Vec<_>>();
    let literals = [of(Transport::Tcp), of(Transport::Udp)];
    let left: usize = payloads.iter().map(|one| tried(&database, one)).sum();
    eprintln!(
        "{} literals over TCP, {} over UDP; {} payloads; the sieve leaves {:.1} clues of a payload's",
        literals[0].len(),
        literals[1].len(),
        payloads.len(),
        left as f64 / payloads.len() as f64
    );
    let mut group = criterion.benchmark_group("automata");
    group.throughput(Throughput::Elements(payloads.len() as u64));
    let mut measure = |name: &str, ask: &dyn Fn(&Payload) -> usize| {
        group.bench_function(name, |bencher| {
            bencher.iter(|| payloads.iter().map(|payload| ask(black_box(payload))).sum::<usize>());
        });
    };
    measure("sieve", &|payload| tried(&database, payload));
    measure("one after the other", &|payload| plainly(&literals[place(payload)], looked_at(payload)));
    for (name, kind) in [("dfa", AhoCorasickKind::DFA), ("contiguous nfa", AhoCorasickKind::ContiguousNFA)] {
        let automata = literals.each_ref().map(|of| automaton(kind, of));
        measure(&format!("aho-corasick, {name}"), &|payload| {
            let octets = looked_at(payload);
            let literals = &literals[place(payload)];
            let found = automata[place(payload)].find_overlapping_iter(octets);
            found.filter(|found| literals[found.pattern().as_usize()].at.is_none_or(|at| at == found.start())).count()
        });
    }
    let regexes = literals.each_ref().map(|of| regex(of));
    measure("regex-automata, whether any", &|payload| {
        usize::from(regexes[place(payload)].is_match(looked_at(payload)))
    });
    group.finish();
}

fn tried(database: &sigdb::Database, payload: &Payload) -> usize {
    database.tried(payload.transport, payload.from, payload.server_port, &payload.octets).0
}

fn place(payload: &Payload) -> usize {
    usize::from(payload.transport == Transport::Udp)
}

fn looked_at(payload: &Payload) -> &[u8] {
    &payload.octets[..payload.octets.len().min(LOOKED_AT)]
}

fn plainly(literals: &[Literal], payload: &[u8]) -> usize {
    let stands = |literal: &&Literal| match literal.at {
        Some(at) => payload.get(at..).is_some_and(|behind| behind.starts_with(&literal.octets)),
        None => payload.windows(literal.octets.len().max(1)).any(|window| window == literal.octets),
    };
    literals.iter().filter(stands).count()
}

fn automaton(kind: AhoCorasickKind, literals: &[Literal]) -> AhoCorasick {
    let octets = literals.iter().map(|literal| &literal.octets);
    let mut builder = AhoCorasick::builder();
    builder.kind(Some(kind)).match_kind(MatchKind::Standard).build(octets).expect("so few literals make an automaton")
}

fn regex(literals: &[Literal]) -> Regex {
    let pattern = |literal: &Literal| {
        let octets: String = literal.octets.iter().map(|octet| format!("\\x{octet:02x}")).collect();
        match literal.at {
            Some(at) => format!("\\A.{{{at}}}{octets}"),
            None => octets,
        }
    };
    let patterns: Vec<String> = literals.iter().map(pattern).collect();
    let syntax = syntax::Config::new().unicode(false).utf8(false).dot_matches_new_line(true);
    Regex::builder().syntax(syntax).build_many(&patterns).expect("so few literals make an automaton")
}

criterion_group! { name = benches; config = Cycles::criterion(); targets = ask }
criterion_main!(benches);
