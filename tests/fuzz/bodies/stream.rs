//! A TCP direction in any segments: late, early, again, with other octets. What is read are the messages that were sent, each
//! once and in their order: the octets themselves are the slow twin.

use std::sync::{Arc, LazyLock};

use dataplane::appid::{Finding, Findings, FlowStart, InspectionId, Inspector, Segment, Shown};
use dataplane::endpoint::Direction;
use dataplane::time::Nanos;
use sigdb::{Database, Source, compile};

/// Messages that count themselves: a length of what follows, a mark, a number.
const THING: &str = r#"
[application]
name = "thing"
title = "Thing"
[[protocol]]
name = "thing"
[[protocol.carrier]]
transport = "tcp"
framing = { kind = "length", at = 0, size = 1, add = 1, least = 6, most = 256 }
[[protocol.identify]]
when = [{ at = 1, octets = "c5" }]
[[protocol.message]]
name = "said"
when = [{ at = 1, octets = "c5" }]
account = { at = 2, form = "u32" }
means = "mention"
[[sample]]
name = "hit"
transport = "tcp"
server-port = 9
application = "thing"
sightings = ["mention 7"]
segment = [{ from = "client", octets = "05 c5 00 00 00 07" }]
[[sample]]
name = "miss"
transport = "tcp"
server-port = 9
application = "none"
segment = [{ from = "client", octets = "05 c6 00 00 00 07" }]
"#;

/// Holes that a window can have, and octets beyond the first hole that it surely keeps.
const MOST_PIECES: usize = 12;
const MOST_AHEAD: usize = 3000;
/// Operations, well below the segments after which a hole is given up.
const MOST_OPERATIONS: usize = 200;

struct Stream {
    inspector: Inspector,
    id: InspectionId,
    octets: Vec<u8>,
    /// Which of them came.
    came: Vec<bool>,
    start: u32,
    acknowledged: usize,
    read: Vec<u32>,
    findings: Findings,
}

/// Sends it: the first octet says how many messages there are, then come their lengths, a sequence number, and what is done.
pub fn run(data: &[u8]) {
    let Some((&[count, start, refused], data)) = data.split_first_chunk::<3>() else { return };
    let (lengths, operations) = data.split_at((usize::from(count) + 1).min(data.len()));
    let octets: Vec<u8> = (0_u32..).zip(lengths).flat_map(|(number, length)| message(number, *length)).collect();
    let mut stream = Stream::new(octets, u32::from(start) << 24 | 0x00ff_fff0, refused & 1 == 0);
    let mut sent = 0;
    for operation in operations.chunks_exact(3).take(MOST_OPERATIONS) {
        let &[what, place, length] = operation else { return };
        let (place, length) = (usize::from(place), usize::from(length) * (1 + usize::from(what >> 6)) + 1);
        match what & 7 {
            // On.
            0..=2 => sent = stream.send(sent, length),
            // Again.
            3 => drop(stream.send(sent.saturating_sub(place), length)),
            // Ahead, with a hole before it.
            4 => sent = stream.send(sent + place, length),
            // The first hole.
            5 => drop(stream.send(stream.whole(), length)),
            6 => stream.forge(stream.whole().saturating_sub(place), length),
            _ => stream.acknowledge(stream.whole().saturating_sub(place)),
        }
    }
    // Whatever is missing comes in the end; an answer then says that all of it is there.
    while stream.whole() < stream.octets.len() {
        stream.send(stream.whole(), 97);
    }
    let expected: Vec<u32> = (0..lengths.len() as u32).collect();
    assert!(stream.read.is_sorted_by(|a, b| a < b), "each message is read once, in its order: {:?}", stream.read);
    let lost = stream.inspector.take_lost();
    assert_eq!(stream.read.len() as u64 + lost, expected.len() as u64, "every message is read: {:?}", stream.read);
    stream.inspector.end(stream.id, &mut stream.findings);
    assert_eq!(stream.inspector.in_use(), (0, 0));
}

fn message(number: u32, length: u8) -> Vec<u8> {
    let length = length.max(5);
    let head = [&[length, 0xc5][..], &number.to_be_bytes()].concat();
    head.into_iter().chain((5..length).map(|place| place ^ number as u8)).collect()
}

impl Stream {
    fn new(octets: Vec<u8>, start: u32, refused: bool) -> Self {
        static DATABASE: LazyLock<Arc<Database>> = LazyLock::new(|| {
            let source = |name: &str, text: &str| Source { name: name.into(), text: text.into() };
            let head = source("database.toml", "version = \"1\"\ndate = \"2026-01-01\"\n");
            Arc::new(compile(&[head, source("thing.toml", THING)]).expect("it compiles"))
        });
        let mut inspector = Inspector::new(Arc::clone(&DATABASE), 1).refusing_contradictions(refused);
        let flow = FlowStart { protocol: 6, server_port: 9, from_start: true, resolved: None };
        let id = inspector.begin(flow).expect("there is room");
        let came = vec![false; octets.len()];
        let findings = Findings::new();
        let mut stream = Self { inspector, id, octets, came, start, acknowledged: 0, read: Vec::new(), findings };
        let syn = Segment {
            direction: Direction::ToServer,
            sequence: start.wrapping_sub(1),
            syn: true,
            acknowledgment: None,
            payload: &[],
        };
        let shown = stream.inspector.inspect(stream.id, Nanos(0), syn, &mut stream.findings);
        assert!(shown.is_ok_and(|shown| !shown.released));
        stream
    }

    /// Octets from the first on that came without a hole.
    fn whole(&self) -> usize {
        self.came.iter().take_while(|came| **came).count()
    }

    /// Sends what stands there, as far as the window keeps it; gives the place behind it.
    fn send(&mut self, from: usize, length: usize) -> usize {
        let to = (from + length).min(self.octets.len());
        if from >= to {
            return from.min(self.octets.len());
        }
        let before = self.came.clone();
        self.came[from..to].fill(true);
        let pieces = self.came.windows(2).filter(|pair| *pair == [false, true]).count();
        let beyond = self.came.iter().rposition(|came| *came).map_or(0, |last| last + 1) - self.whole();
        if pieces > MOST_PIECES || beyond > MOST_AHEAD {
            self.came = before;
            return from;
        }
        let payload = self.octets[from..to].to_vec();
        assert!(self.show(from, &payload).is_some(), "the same octets contradict nothing");
        to
    }

    /// Sends other octets in the place of some that came; if they are taken, they change nothing.
    fn forge(&mut self, from: usize, length: usize) {
        let to = (from + length).min(self.whole());
        if from < to {
            let forged: Vec<u8> = self.octets[from..to].iter().map(|octet| octet ^ 0x55).collect();
            self.show(from, &forged);
        }
    }

    /// None where the segment is refused.
    fn show(&mut self, from: usize, payload: &[u8]) -> Option<Shown> {
        let sequence = self.start.wrapping_add(from as u32);
        let segment = Segment { direction: Direction::ToServer, sequence, syn: false, acknowledgment: None, payload };
        let shown = self.inspector.inspect(self.id, Nanos(0), segment, &mut self.findings).ok()?;
        assert!(!shown.released, "the flow goes on");
        for finding in &self.findings {
            if let Finding::SignOn(sign_on) = finding {
                self.read.push(sign_on.account.parse().expect("it is a number"));
            }
        }
        Some(shown)
    }

    /// The receiver has so many octets; it never takes that back.
    fn acknowledge(&mut self, octets: usize) {
        self.acknowledged = self.acknowledged.max(octets);
        let number = self.start.wrapping_add(self.acknowledged as u32);
        let segment = Segment {
            direction: Direction::ToClient,
            sequence: 1,
            syn: false,
            acknowledgment: Some(number),
            payload: &[],
        };
        let shown = self.inspector.inspect(self.id, Nanos(0), segment, &mut self.findings);
        assert!(shown.is_ok_and(|shown| !shown.released));
    }
}
