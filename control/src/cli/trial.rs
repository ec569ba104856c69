//! `ostiary sigdb test`: which rule of a signature file fits which octets, and why others do not.

use std::collections::HashMap;
use std::path::Path;

use dataplane::endpoint::{Endpoint, Tuple};
use dataplane::flow::End;
use dataplane::guard::Screens;
use dataplane::packet::{self, Fragment, Parsed, Transport};
use dataplane::pipeline::Frame;
use dataplane::policy::PortId;
use dataplane::wire::tcp::SYN;
use sigdb::{AppId, Database, Explanation, Held, Note, Piece, Sender, Source, Start};

use super::output::{Failure, Output, complain};
use crate::replay::capture::Capture;

/// Tries a file's samples, or the flows of a capture. The other files of its folder are compiled with it where
/// `database.toml` is among them, so that neighbours have their say.
pub(super) fn trial(file: &Path, capture: Option<&Path>, output: &mut Output) -> Result<(), Failure> {
    let (sources, name) = sources(file)?;
    let (database, application, reports) = sigdb::try_samples(&sources, &name).map_err(|faults| {
        faults.iter().for_each(|fault| complain(&fault.to_string()));
        Failure::InputSaid
    })?;
    if let Some(capture) = capture {
        return tried(&database, application, &flows(&database, capture)?, output);
    }
    for report in &reports {
        let verdict = report.fault.as_ref().map_or_else(|| "holds".to_owned(), |fault| format!("FAILS: {fault}"));
        put(&format!("sample {:?} {verdict}", report.name), &report.explanation, output)?;
    }
    if reports.iter().any(|report| report.fault.is_some()) { Err(Failure::InputSaid) } else { Ok(()) }
}

/// The flows that are this application or come near it, and how many there are in all: silence would say nothing.
fn tried(database: &Database, application: AppId, flows: &[(Tuple, Flow)], output: &mut Output) -> Result<(), Failure> {
    let (mut all_named, mut all_near) = (0, 0);
    for (tuple, flow) in flows {
        let explanation = sigdb::explain(database, application, flow.start, &flow.pieces);
        let transport = if flow.start.transport == sigdb::Transport::Tcp { "tcp" } else { "udp" };
        let title = format!("{transport} {} -> {}", end(&tuple.client), end(&tuple.server));
        let named = explanation.application == database.name(application);
        let near = explanation.notes.iter().any(|note| note.tests.iter().any(|test| test.held == Held::Yes));
        if named || near {
            put(&title, &explanation, output)?;
        }
        all_named += usize::from(named);
        all_near += usize::from(near && !named);
    }
    let name = database.name(application);
    output.line(&format!("{} flows: {all_named} are {name}, {all_near} come near it", flows.len()))
}

fn sources(file: &Path) -> Result<(Vec<Source>, String), Failure> {
    let fail = |path: &Path, error| Failure::Input(format!("{}: cannot be read: {error}", path.display()));
    let name = |path: &Path| path.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let read = |path: &Path| {
        let text = std::fs::read_to_string(path).map_err(|error| fail(path, error))?;
        Ok::<_, Failure>(Source { name: name(path), text })
    };
    let folder = file.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    if !folder.join(sigdb::DATABASE_FILE).exists() {
        let head = "version = \"test\"\ndate = \"2000-01-01\"\n".to_owned();
        let head = Source { name: sigdb::DATABASE_FILE.to_owned(), text: head };
        return Ok((vec![head, read(file)?], name(file)));
    }
    let entries = std::fs::read_dir(folder).map_err(|error| fail(folder, error))?;
    let mut paths: Vec<_> = entries.filter_map(|entry| Some(entry.ok()?.path())).collect();
    paths.retain(|path| path.extension().is_some_and(|extension| extension == "toml") || path.as_path() == file);
    paths.sort();
    let sources = paths.iter().map(|path| read(path)).collect::<Result<_, _>>()?;
    Ok((sources, name(file)))
}

/// A flow's title, what came of it, and each rule that was tried: one that holds with all its conditions, another with the
/// first condition that does not.
fn put(title: &str, explanation: &Explanation, output: &mut Output) -> Result<(), Failure> {
    let sightings = explanation.sightings.join(", ");
    output.line(format!("{title}: {} {sightings}", explanation.application).trim_end())?;
    for Note { piece, from, rule, held, tests } in &explanation.notes {
        let side = if *from == Sender::Client { "client" } else { "server" };
        output.line(&format!("  {piece:>3} {side} {held:<5} {rule}"))?;
        let decisive = tests.iter().filter(|test| *held == Held::Yes || test.held == *held);
        for test in decisive.take(if *held == Held::Yes { usize::MAX } else { 1 }) {
            let found = test.found.as_ref().map(|(at, found)| format!("   [{at}: {}]", shown(found)));
            output.line(&format!("                   {:<5} {}{}", test.held, test.test, found.unwrap_or_default()))?;
        }
    }
    Ok(())
}

/// Octets, as text where they are nothing else.
fn shown(octets: &[u8]) -> String {
    let plain = |octet: &u8| octet.is_ascii_graphic() || b" \r\n\t".contains(octet);
    match std::str::from_utf8(octets) {
        Ok(text) if text.len() > 1 && text.bytes().all(|octet| plain(&octet)) => format!("{text:?}"),
        _ => octets.iter().map(|octet| format!("{octet:02x}")).collect::<Vec<_>>().join(" "),
    }
}

fn end(end: &Endpoint) -> String {
    std::net::SocketAddr::new(end.address.ip(), end.port).to_string()
}

/// A flow of a capture: what each side sent, TCP in order as far as the capture has it.
struct Flow {
    start: Start,
    client: End,
    /// TCP: the next sequence number wanted, by side.
    next: [Option<u32>; 2],
    pieces: Vec<Piece>,
}

/// Flows of which one capture may hold more than are looked at.
const MOST_FLOWS: usize = 10_000;
/// Pieces of a flow that are looked at: sign-ons stand at its start.
const MOST_PIECES: usize = 200;

fn flows(database: &Database, file: &Path) -> Result<Vec<(Tuple, Flow)>, Failure> {
    let fail = |error: &dyn std::fmt::Display| Failure::Input(format!("{}: {error}", file.display()));
    let mut capture = Capture::open(file).map_err(|error| fail(&error))?;
    let mut flows: Vec<(Tuple, Flow)> = Vec::new();
    let mut places = HashMap::new();
    let mut bytes = Vec::new();
    while let Some(packet) = capture.next_packet().map_err(|error| fail(&error))? {
        bytes.clear();
        let Some(framing) = packet.link.framing() else { continue };
        let Some(length) = framing.ethernet(packet.bytes, packet.length, &mut bytes) else { continue };
        let frame = Frame::new(PortId(0), &mut bytes, length);
        let Ok(Parsed::Packet(info)) = packet::parse(&frame, 0, false, Screens::NONE) else { continue };
        let payload = info.payload(frame.bytes);
        let (transport, syn, sequence) = match info.transport {
            Transport::Tcp(segment) => (sigdb::Transport::Tcp, segment.flags & SYN != 0, segment.sequence),
            Transport::Udp => (sigdb::Transport::Udp, false, 0),
            _ => continue,
        };
        if matches!(info.fragment, Fragment::Later(_)) || (payload.is_empty() && !syn) {
            continue;
        }
        let key = info.key.tuple(End::Low);
        let place = *places.entry(key).or_insert(flows.len());
        if place == flows.len() {
            if flows.len() == MOST_FLOWS {
                complain(&format!("{}: has more than {MOST_FLOWS} flows; the rest is not looked at", file.display()));
                break;
            }
            // Who speaks first is the client, unless a port says otherwise of a flow met in its middle.
            let asked = info.key.tuple(info.sender);
            let is_server = |port| database.is_server_port(asked.protocol, port);
            let reverse = !syn && is_server(asked.client.port) && !is_server(asked.server.port);
            let client = if reverse { info.sender.other() } else { info.sender };
            let tuple = info.key.tuple(client);
            let from_start = transport == sigdb::Transport::Udp || syn;
            let start = Start { transport, server_port: tuple.server.port, from_start, resolved: None };
            flows.push((tuple, Flow { start, client, next: [None; 2], pieces: Vec::new() }));
        }
        if let Some((_, flow)) = flows.get_mut(place) {
            let from = if flow.client == info.sender { Sender::Client } else { Sender::Server };
            flow.take(from, syn, sequence, payload);
        }
    }
    Ok(flows)
}

impl Flow {
    /// Takes a segment. What was there already is left out; what came too early is taken as it came.
    fn take(&mut self, from: Sender, syn: bool, sequence: u32, payload: &[u8]) {
        let next = &mut self.next[usize::from(from == Sender::Server)];
        let sequence = sequence.wrapping_add(u32::from(syn));
        let mut octets = payload;
        if self.start.transport == sigdb::Transport::Tcp {
            let seen = next.map_or(0, |next| next.wrapping_sub(sequence) as i32).max(0) as usize;
            octets = payload.get(seen..).unwrap_or_default();
            if next.is_none() || !octets.is_empty() {
                *next = Some(sequence.wrapping_add(payload.len() as u32));
            }
        }
        if !octets.is_empty() && self.pieces.len() < MOST_PIECES {
            self.pieces.push(Piece { from, octets: octets.to_vec(), after: 0 });
        }
    }
}
